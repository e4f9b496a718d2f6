//! The queue against a plain model, between threads, and under loom.

use super::*;

/// Reads until the queue has ended, parking the thread while asleep.
fn read_all(mut reader: Reader<u32>, wait: impl Fn()) -> Vec<u32> {
    let mut got = Vec::new();
    loop {
        match reader.pop() {
            Pop::Item(value) => got.push(value),
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
    use std::collections::VecDeque;

    #[test]
    fn an_unfinished_group_is_never_seen_and_vanishes() {
        let (mut writer, mut reader) = ypipe();
        writer.push(1, true);
        for part in 2..300 {
            writer.push(part, false);
        }
        assert!(!writer.flush());
        assert_eq!(reader.pop(), Pop::Item(1));
        assert_eq!(reader.pop(), Pop::Empty);
        assert!(writer.rollback());
        writer.push(300, true);
        drop(writer);
        assert_eq!(reader.pop(), Pop::Item(300));
        assert_eq!(reader.pop(), Pop::Finished);
    }

    #[test]
    fn only_the_flush_after_a_sleep_asks_for_a_wake_up() {
        let (mut writer, mut reader) = ypipe();
        writer.push(1, true);
        assert!(!writer.flush());
        assert_eq!(reader.pop(), Pop::Item(1));
        assert!(reader.sleep());
        assert!(!writer.flush(), "nothing new");
        writer.push(2, true);
        assert!(writer.flush());
        writer.push(3, true);
        assert!(!writer.flush(), "the reader has been told already");
        assert_eq!((reader.pop(), reader.pop()), (Pop::Item(2), Pop::Item(3)));
        assert!(reader.sleep());
        assert!(writer.finish());
        assert_eq!(reader.pop(), Pop::Finished);
        assert!(!reader.sleep(), "nobody would wake it");
    }

    #[test]
    fn a_long_chain_is_freed_without_recursion() {
        let (mut writer, reader) = ypipe();
        for n in 0..2_000_000 {
            writer.push(n, true);
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
            writer.push(value.clone(), n % 10 == 9);
            if n == 500 {
                let _ = writer.flush();
            }
        }
        for _ in 0..250 {
            assert!(matches!(reader.pop(), Pop::Item(_)));
        }
        drop(reader);
        assert!(Arc::strong_count(&value) <= 751);
        drop(writer);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn two_threads_lose_and_reorder_nothing() {
        const COUNT: u32 = 200_000;
        let (mut writer, reader) = ypipe();
        let consumer = std::thread::spawn(move || read_all(reader, std::thread::park));
        for n in 0..COUNT {
            writer.push(n, n % 3 == 2 || n == COUNT - 1);
            if n % 7 == 0 && writer.flush() {
                consumer.thread().unpark();
            }
        }
        let _ = writer.finish();
        consumer.thread().unpark();
        assert!(consumer.join().unwrap().into_iter().eq(0..COUNT));
    }

    #[derive(Clone, Debug)]
    enum Op {
        Push(bool),
        Flush,
        Rollback,
        Pop,
        Sleep,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            5 => any::<bool>().prop_map(Op::Push),
            2 => Just(Op::Flush),
            1 => Just(Op::Rollback),
            6 => Just(Op::Pop),
            1 => Just(Op::Sleep),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_three_lists(ops in prop::collection::vec(op(), 0..600)) {
            let (mut writer, mut reader) = ypipe();
            let (mut group, mut whole, mut published) = (vec![], vec![], VecDeque::new());
            let (mut number, mut asleep) = (0u32, false);
            for op in ops {
                match op {
                    Op::Push(complete) => {
                        number += 1;
                        writer.push(number, complete);
                        group.push(number);
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
                    Op::Pop => {
                        let expected = published.pop_front().map_or(Pop::Empty, Pop::Item);
                        prop_assert_eq!(reader.pop(), expected);
                    }
                    Op::Sleep if !asleep && published.is_empty() => {
                        if reader.pop() == Pop::Empty {
                            asleep = reader.sleep();
                            prop_assert!(asleep);
                        }
                    }
                    Op::Sleep => {}
                }
                prop_assert_eq!(reader.len(), published.len());
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
    fn a_sleeping_reader_is_woken_for_every_value_and_the_end() {
        loom::model(|| {
            let (mut writer, reader) = ypipe();
            let (wake, wait) = waker();
            let producer = loom::thread::spawn(move || {
                for n in 0..3 {
                    writer.push(n, true);
                    if writer.flush() {
                        wake();
                    }
                }
                if writer.finish() {
                    wake();
                }
            });
            assert_eq!(read_all(reader, wait), [0, 1, 2]);
            producer.join().unwrap();
        });
    }

    #[test]
    fn an_unfinished_group_vanishes() {
        loom::model(|| {
            let (mut writer, reader) = ypipe();
            let (wake, wait) = waker();
            let producer = loom::thread::spawn(move || {
                writer.push(1, true);
                writer.push(2, false);
                if writer.flush() {
                    wake();
                }
                writer.rollback();
                writer.push(3, true);
                writer.push(4, false);
                if writer.finish() {
                    wake();
                }
            });
            assert_eq!(read_all(reader, wait), [1, 3]);
            producer.join().unwrap();
        });
    }

    #[test]
    fn values_left_over_are_dropped_whoever_goes_first() {
        loom::model(|| {
            let (mut writer, mut reader) = ypipe();
            let producer = loom::thread::spawn(move || {
                for _ in 0..3 {
                    writer.push(Arc::new(()), true);
                    let _ = writer.flush();
                }
            });
            let _ = reader.pop();
            drop(reader);
            producer.join().unwrap();
        });
    }
}
