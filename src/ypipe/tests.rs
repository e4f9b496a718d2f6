//! The queue against a plain model, between threads, and under loom.
//!
//! Items are single bytes, and values that a marker stands for.

use super::*;

/// The byte that stands for a value.
const MARKER: u8 = 0xFF;

/// What was written or read.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Item {
    Byte(u8),
    Value(u32),
}

fn write(writer: &mut Writer<u32>, item: &Item, complete: bool) {
    match item {
        Item::Byte(byte) => writer.append(1, complete)[0] = *byte,
        Item::Value(value) => writer.push(MARKER, *value, complete),
    }
}

fn read(reader: &mut Reader<u32>) -> Pop<Item> {
    let first = match reader.peek() {
        Pop::Item(bytes) => bytes[0],
        Pop::Empty => return Pop::Empty,
        Pop::Finished => return Pop::Finished,
    };
    reader.consume(1);
    Pop::Item(match first {
        MARKER => Item::Value(reader.take_value().expect("Y4: a value behind its marker")),
        byte => Item::Byte(byte),
    })
}

/// Reads until the queue has ended, parking the thread while asleep.
fn read_all(mut reader: Reader<u32>, wait: impl Fn()) -> Vec<Item> {
    let mut got = Vec::new();
    loop {
        match read(&mut reader) {
            Pop::Item(item) => got.push(item),
            Pop::Empty => {
                if reader.sleep() {
                    wait();
                }
            }
            Pop::Finished => return got,
        }
    }
}

#[cfg(not(loom))]
mod plain {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_writer_knows_by_how_many_values_it_leads() {
        let (mut writer, mut reader) = ypipe();
        assert_eq!(writer.lead(0), 0);
        for n in 0..3 {
            write(&mut writer, &Item::Value(n), true);
        }
        let _ = writer.flush();
        assert_eq!(writer.lead(0), 3);
        let _ = read(&mut reader);
        assert_eq!(writer.lead(0), 3, "it was not told yet");
        reader.tell_taken();
        assert_eq!(writer.lead(3), 3, "good enough");
        assert_eq!(writer.lead(2), 2);
        for n in 0..5 {
            write(&mut writer, &Item::Value(n), false);
        }
        assert_eq!(writer.lead(0), 7);
        writer.rollback();
        assert_eq!(writer.lead(0), 2, "what is taken back does not count");
    }

    #[test]
    fn an_unfinished_group_is_never_seen_and_vanishes() {
        let (mut writer, mut reader) = ypipe();
        write(&mut writer, &Item::Byte(1), true);
        for part in 2..300 {
            write(&mut writer, &Item::Value(part), false);
        }
        assert!(!writer.flush());
        assert_eq!(read(&mut reader), Pop::Item(Item::Byte(1)));
        assert_eq!(read(&mut reader), Pop::Empty);
        assert!(writer.rollback());
        write(&mut writer, &Item::Value(300), true);
        drop(writer);
        assert_eq!(read(&mut reader), Pop::Item(Item::Value(300)));
        assert_eq!(read(&mut reader), Pop::Finished);
    }

    #[test]
    fn only_the_flush_after_a_sleep_asks_for_a_wake_up() {
        let (mut writer, mut reader) = ypipe();
        write(&mut writer, &Item::Byte(1), true);
        assert!(!writer.flush());
        assert_eq!(read(&mut reader), Pop::Item(Item::Byte(1)));
        assert!(reader.sleep());
        assert!(!writer.flush(), "nothing new");
        write(&mut writer, &Item::Byte(2), true);
        assert!(writer.flush());
        write(&mut writer, &Item::Byte(3), true);
        assert!(!writer.flush(), "the reader has been told already");
        assert_eq!(reader.peek(), Pop::Item(&[2, 3][..]));
        reader.consume(2);
        assert!(reader.sleep());
        assert!(writer.finish());
        assert_eq!(read(&mut reader), Pop::Finished);
        assert!(!reader.sleep(), "nobody would wake it");
    }

    #[test]
    fn bytes_appended_at_once_are_never_torn() {
        let (mut writer, mut reader) = ypipe::<()>();
        let sizes = [1, 100, 200, 256, 257, 3, 5000, 70_000, 1, LAST_CHUNK];
        for size in sizes {
            writer.append(size, true).fill(7);
        }
        assert!(!writer.flush());
        for size in sizes {
            let Pop::Item(bytes) = reader.peek() else {
                panic!("{size} bytes were published");
            };
            assert!(bytes.len() >= size && bytes[..size].iter().all(|byte| *byte == 7));
            reader.consume(size);
        }
        assert_eq!(reader.peek(), Pop::Empty);
    }

    #[test]
    fn a_shared_run_stays_as_it_is() {
        let (mut writer, mut reader) = ypipe::<()>();
        let mut kept = Vec::new();
        for n in 0..100 {
            writer.append(50, true).fill(n);
            let _ = writer.flush();
            assert!(matches!(reader.peek(), Pop::Item(_)));
            if n % 3 == 0 {
                kept.push((n, reader.share(50)));
            }
            reader.consume(50);
        }
        drop((writer, reader));
        for (n, run) in kept {
            assert_eq!(run, vec![n; 50]);
        }
    }

    #[test]
    fn chunks_go_back_and_forth_while_the_reader_keeps_up() {
        let (mut writer, mut reader) = ypipe::<()>();
        for _ in 0..1000 {
            writer.append(100, true).fill(1);
            let _ = writer.flush();
            assert!(matches!(reader.peek(), Pop::Item(_)));
            reader.consume(100);
            assert_eq!(reader.peek(), Pop::Empty);
            assert!(reader.sleep());
        }
        assert_eq!(writer.tail.chunk.bytes.len(), SMALL_CHUNK);
        for _ in 0..1000 {
            writer.append(100, true).fill(1);
            let _ = writer.flush();
        }
        assert_eq!(writer.tail.chunk.bytes.len(), LAST_CHUNK);
    }

    #[test]
    fn chunks_stay_as_large_as_what_comes_between_two_sleeps() {
        let (mut writer, mut reader) = ypipe::<()>();
        for _ in 0..1000 {
            for _ in 0..100 {
                writer.append(100, true).fill(1);
                let _ = writer.flush();
            }
            while let Pop::Item(bytes) = reader.peek() {
                let len = bytes.len();
                reader.consume(len);
            }
            assert!(reader.sleep());
        }
        assert_eq!(writer.tail.chunk.bytes.len(), 16 * 1024);
    }

    #[test]
    fn a_long_chain_is_freed_without_recursion() {
        let (mut writer, reader) = ypipe::<()>();
        for _ in 0..100_000 {
            // A reader that sleeps gets small chunks.
            writer.burst = 1;
            writer.append(SMALL_CHUNK, true).fill(1);
        }
        assert!(!writer.flush());
        drop(writer);
        drop(reader);
    }

    #[test]
    fn whatever_is_left_is_dropped_once() {
        let value = Arc::new(());
        let (mut writer, mut reader) = ypipe();
        for n in 0..1000 {
            writer.push(MARKER, value.clone(), n % 10 == 9);
            if n == 500 {
                let _ = writer.flush();
            }
        }
        for _ in 0..250 {
            assert!(matches!(reader.peek(), Pop::Item(_)));
            reader.consume(1);
            assert!(reader.take_value().is_some());
        }
        drop(reader);
        assert!(Arc::strong_count(&value) <= 751);
        drop(writer);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn two_threads_lose_and_reorder_nothing() {
        const COUNT: u32 = 200_000;
        let item = |n: u32| match n % 5 {
            0 => Item::Value(n),
            _ => Item::Byte((n % 251).to_le_bytes()[0]),
        };
        let (mut writer, reader) = ypipe();
        let consumer = std::thread::spawn(move || read_all(reader, std::thread::park));
        for n in 0..COUNT {
            write(&mut writer, &item(n), n % 3 == 2 || n == COUNT - 1);
            if n % 7 == 0 && writer.flush() {
                consumer.thread().unpark();
            }
        }
        let _ = writer.finish();
        consumer.thread().unpark();
        assert!(
            consumer
                .join()
                .unwrap()
                .into_iter()
                .eq((0..COUNT).map(item))
        );
    }

    #[derive(Clone, Debug)]
    enum Op {
        Write { value: bool, complete: bool },
        Append { len: usize, complete: bool },
        Flush,
        Rollback,
        Read(usize),
        Sleep,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => any::<(bool, bool)>().prop_map(|(value, complete)| Op::Write { value, complete }),
            2 => (1..400usize, any::<bool>()).prop_map(|(len, complete)| Op::Append { len, complete }),
            3 => Just(Op::Flush),
            1 => Just(Op::Rollback),
            6 => (1..300usize).prop_map(Op::Read),
            1 => Just(Op::Sleep),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_three_lists(ops in prop::collection::vec(op(), 0..600)) {
            let (mut writer, mut reader) = ypipe();
            let (mut group, mut whole) = (vec![], vec![]);
            let mut published = VecDeque::new();
            let (mut number, mut asleep) = (0u32, false);
            for op in ops {
                match op {
                    Op::Write { value, complete } => {
                        number += 1;
                        let byte = (number % 251).to_le_bytes()[0];
                        let item = if value { Item::Value(number) } else { Item::Byte(byte) };
                        write(&mut writer, &item, complete);
                        group.push(item);
                        if complete {
                            whole.append(&mut group);
                        }
                    }
                    Op::Append { len, complete } => {
                        number += 1;
                        let byte = (number % 251).to_le_bytes()[0];
                        writer.append(len, complete).fill(byte);
                        group.extend(std::iter::repeat_n(Item::Byte(byte), len));
                        if complete {
                            whole.append(&mut group);
                        }
                    }
                    Op::Flush => {
                        let wake = asleep && !whole.is_empty();
                        prop_assert_eq!(writer.flush(), wake);
                        asleep &= !wake;
                        published.extend(whole.drain(..));
                    }
                    Op::Rollback => {
                        prop_assert_eq!(writer.rollback(), !group.is_empty());
                        group.clear();
                    }
                    Op::Read(count) => {
                        for _ in 0..count {
                            let expected = published.pop_front().map_or(Pop::Empty, Pop::Item);
                            let over = expected == Pop::Empty;
                            prop_assert_eq!(read(&mut reader), expected);
                            if over {
                                break;
                            }
                        }
                    }
                    Op::Sleep if !asleep && published.is_empty() => {
                        if read(&mut reader) == Pop::Empty {
                            asleep = reader.sleep();
                            prop_assert!(asleep);
                        }
                    }
                    Op::Sleep => {}
                }
                prop_assert_eq!(reader.published() - reader.position(), published.len());
            }
        }
    }
}

#[cfg(loom)]
mod under_loom {
    use super::*;

    /// A wake-up that can be waited for.
    fn waker() -> (impl Fn() + Send + 'static, impl Fn()) {
        let pair = Arc::new((loom::sync::Mutex::new(false), loom::sync::Condvar::new()));
        let other = pair.clone();
        let wake = move || {
            *other.0.lock().unwrap() = true;
            other.1.notify_one();
        };
        let wait = move || {
            let mut woken = pair.0.lock().unwrap();
            while !*woken {
                woken = pair.1.wait(woken).unwrap();
            }
            *woken = false;
        };
        (wake, wait)
    }

    #[test]
    fn a_sleeping_reader_is_woken_for_every_item_and_the_end() {
        loom::model(|| {
            let (mut writer, reader) = ypipe();
            let (wake, wait) = waker();
            let items = [Item::Byte(0), Item::Value(1), Item::Byte(2)];
            let written = items.clone();
            let producer = loom::thread::spawn(move || {
                for item in &written {
                    write(&mut writer, item, true);
                    if writer.flush() {
                        wake();
                    }
                }
                if writer.finish() {
                    wake();
                }
            });
            assert_eq!(read_all(reader, wait), items);
            producer.join().unwrap();
        });
    }

    #[test]
    fn an_unfinished_group_vanishes() {
        loom::model(|| {
            let (mut writer, reader) = ypipe();
            let (wake, wait) = waker();
            let producer = loom::thread::spawn(move || {
                write(&mut writer, &Item::Byte(1), true);
                write(&mut writer, &Item::Byte(2), false);
                write(&mut writer, &Item::Value(2), false);
                if writer.flush() {
                    wake();
                }
                writer.rollback();
                write(&mut writer, &Item::Value(3), true);
                write(&mut writer, &Item::Byte(4), false);
                if writer.finish() {
                    wake();
                }
            });
            assert_eq!(read_all(reader, wait), [Item::Byte(1), Item::Value(3)]);
            producer.join().unwrap();
        });
    }

    #[test]
    fn a_shared_run_is_not_written_again() {
        loom::model(|| {
            let (mut writer, mut reader) = ypipe::<()>();
            let producer = loom::thread::spawn(move || {
                for n in 1..5 {
                    writer.append(1, true)[0] = n;
                    let _ = writer.flush();
                }
            });
            let mut kept = Vec::new();
            for n in 1..5 {
                if !matches!(reader.peek(), Pop::Item(_)) {
                    break;
                }
                kept.push((n, reader.share(1)));
                reader.consume(1);
                kept.truncate(1);
            }
            drop(reader);
            for (n, run) in kept {
                assert_eq!(run[..], [n]);
            }
            producer.join().unwrap();
        });
    }

    #[test]
    fn values_left_over_are_dropped_whoever_goes_first() {
        loom::model(|| {
            let (mut writer, mut reader) = ypipe();
            let producer = loom::thread::spawn(move || {
                for _ in 0..3 {
                    writer.push(MARKER, Arc::new(()), true);
                    let _ = writer.flush();
                }
            });
            if let Pop::Item(_) = reader.peek() {
                reader.consume(1);
                assert!(reader.take_value().is_some());
            }
            drop(reader);
            producer.join().unwrap();
        });
    }
}
