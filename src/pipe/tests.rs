//! High-water marks, closing, conflation; the crossings under loom.

use super::*;

fn key() -> Key {
    Key::from_bits(0)
}

#[cfg(not(loom))]
mod plain {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    /// An owner that keeps what it was told.
    #[derive(Debug, Default)]
    struct Inbox(Mutex<Vec<PipeEvent>>);

    impl PipePeer for Inbox {
        fn post(&self, _to: Key, event: PipeEvent) {
            self.0.lock().push(event);
        }
    }

    struct Owner {
        end: PipeEnd,
        inbox: StdArc<Inbox>,
    }

    impl Owner {
        fn new(mut end: PipeEnd) -> Self {
            let inbox = StdArc::new(Inbox::default());
            end.attach(inbox.clone(), key());
            Self { end, inbox }
        }

        /// Takes note of what came, and returns it.
        fn news(&mut self) -> Vec<PipeEvent> {
            let events = std::mem::take(&mut *self.inbox.0.lock());
            for event in &events {
                self.end.on_event(*event);
            }
            events
        }

        fn send(&mut self, body: &str) -> bool {
            let sent = self.end.write(&mut body.into()).is_ok();
            self.end.flush();
            sent
        }

        fn send_all(&mut self) -> usize {
            (0..10_000)
                .take_while(|n| self.send(&n.to_string()))
                .count()
        }
    }

    /// Both ends attached, with the given marks.
    fn owners(a: (u32, u32), b: (u32, u32)) -> (Owner, Owner) {
        let (mut left, mut right) = pair(false);
        left.set_hwm(a.0, a.1);
        right.set_hwm(b.0, b.1);
        (Owner::new(left), Owner::new(right))
    }

    fn more(body: &str) -> Msg {
        let mut msg = Msg::from(body);
        msg.set_more(true);
        msg
    }

    fn body(pop: Pop<Msg>) -> Option<String> {
        match pop {
            Pop::Item(msg) => msg.as_str().map(str::to_owned),
            Pop::Empty | Pop::Finished => None,
        }
    }

    #[test]
    fn a_writer_knows_its_lead_as_of_the_last_large_body_or_when_all_was_read() {
        let (mut a, mut b) = owners((0, 0), (0, 0));
        let mut send = |len: usize| {
            assert!(a.end.write(&mut Msg::from(vec![0; len])).is_ok());
            a.end.flush();
        };
        (0..3).for_each(|_| send(LARGE - 1));
        send(LARGE);
        send(LARGE - 1);
        (0..3).for_each(|_| assert!(matches!(b.end.read(), Pop::Item(_))));
        assert_eq!(a.end.lead(0), 5, "that is not told of small ones");
        assert!(matches!(b.end.read(), Pop::Item(_)));
        assert_eq!(a.end.lead(0), 1);
        assert!(matches!(b.end.read(), Pop::Item(_)));
        assert_eq!(a.end.lead(0), 1);
        assert_eq!(b.end.read(), Pop::Empty);
        assert_eq!(a.end.lead(0), 0);
    }

    #[test]
    fn a_body_that_is_worth_it_is_handed_over_where_it_is() {
        let place_of = |size: usize, handing: bool| {
            let (mut writer, mut reader) = owners((0, 0), (0, 0));
            if handing {
                writer.end.hand_over_bodies();
            }
            let mut msg = Msg::from(vec![7; size]);
            let place = msg.as_ptr();
            assert_eq!(
                writer.end.hands_over(&msg),
                handing && size > HANDED_COPY_MAX
            );
            writer.end.write(&mut msg).unwrap();
            writer.end.flush();
            let Pop::Item(read) = reader.end.read() else {
                panic!("nothing came");
            };
            assert_eq!(read, vec![7; size][..]);
            (place, read.as_ptr())
        };
        let (written, read) = place_of(HANDED_COPY_MAX + 1, true);
        assert_eq!(written, read);
        for (size, handing) in [(HANDED_COPY_MAX, true), (COPY_MAX, false)] {
            let (written, read) = place_of(size, handing);
            assert_ne!(written, read);
        }
    }

    #[test]
    fn a_reader_of_a_stream_dozes_before_it_sleeps() {
        let (mut writer, mut reader) = owners((0, 0), (0, 0));
        let read = |reader: &mut Owner| {
            matches!(
                reader.end.read_into(&mut Msg::new(), WhenEmpty::Doze),
                Pop::Item(())
            )
        };
        let stream = |writer: &mut Owner, reader: &mut Owner| {
            for _ in 0..STREAM {
                assert!(writer.send("in a row"));
            }
            let _ = reader.news();
            while read(reader) {}
        };
        stream(&mut writer, &mut reader);
        assert!(reader.end.is_dozing(), "it has read a stream");
        assert!(writer.send("more"));
        assert_eq!(reader.news(), [], "it was not asleep");
        assert!(read(&mut reader) && !read(&mut reader) && reader.end.is_dozing());
        assert!(!read(&mut reader) && !reader.end.is_dozing());
        assert!(writer.send("a lone one"));
        assert_eq!(reader.news(), [PipeEvent::Readable], "it slept");
        assert!(read(&mut reader) && !read(&mut reader));
        assert!(!reader.end.is_dozing(), "that was no stream");
        // Whoever reads otherwise falls asleep at once.
        stream(&mut writer, &mut reader);
        assert!(reader.end.is_dozing() && matches!(reader.end.read(), Pop::Empty));
        assert!(!reader.end.is_dozing());
    }

    #[test]
    fn messages_are_readable_when_they_are_whole_or_when_they_are_no_longer_held_back() {
        let (left, mut right) = owners((0, 0), (0, 0));
        let mut pipes = Pipes::new();
        let key = pipes.insert(left.end);
        pipes.write(key, &more("1")).unwrap();
        assert_eq!(right.end.read(), Pop::Empty);
        pipes.write(key, &Msg::from("2")).unwrap();
        assert_eq!(right.news(), [PipeEvent::Readable]);
        assert_eq!(body(right.end.read()).as_deref(), Some("1"));
        assert_eq!(body(right.end.read()).as_deref(), Some("2"));
        assert_eq!(right.end.read(), Pop::Empty);
        pipes.hold();
        pipes.write(key, &Msg::from("3")).unwrap();
        pipes.write(key, &Msg::from("4")).unwrap();
        assert_eq!(right.news(), []);
        pipes.flush();
        assert_eq!(right.news(), [PipeEvent::Readable], "once for both");
        assert_eq!(body(right.end.read()).as_deref(), Some("3"));
        pipes.write(key, &Msg::from("5")).unwrap();
        assert_eq!(body(right.end.read()).as_deref(), Some("4"));
        assert_eq!(body(right.end.read()).as_deref(), Some("5"));
        pipes.remove(key);
        assert_eq!(pipes.write(key, &Msg::new()), Err(WriteError::Closed));
    }

    #[test]
    fn a_frame_that_is_shared_stays_with_who_writes_it() {
        let (mut left, mut right) = owners((0, 0), (0, 0));
        for size in [3, 300, COPY_MAX + 1] {
            let frame = Msg::from(vec![7; size]);
            for _ in 0..2 {
                assert_eq!(left.end.write(&frame), Ok(()));
                left.end.flush();
                right.news();
                assert_eq!(right.end.read(), Pop::Item(frame.clone()));
            }
            assert_eq!(frame, vec![7; size][..]);
        }
    }

    #[test]
    fn the_marks_of_both_sides_add_up() {
        assert_eq!(owners((3, 1), (1, 2)).0.send_all(), 5);
        assert_eq!(owners((1, 1), (1, 1)).0.send_all(), 2);
        assert_eq!(owners((1000, 1000), (1000, 1000)).0.send_all(), 2000);
    }

    /// However often a connection comes and goes while nobody listens.
    #[test]
    fn what_was_not_heard_is_not_said_again() {
        let (mut socket, mut session) = owners((1, 1), (1, 1));
        let mut reconnect = |joined: bool| {
            for _ in 0..3 {
                session.end.report(!joined);
                session.end.hiccup();
                session.end.report(joined);
            }
        };
        for joined in [true, false, true] {
            reconnect(joined);
            assert_eq!(socket.news().len(), 2);
            assert_eq!(socket.end.is_joined(), joined);
        }
        assert_eq!(socket.news(), []);
    }

    #[test]
    fn a_mark_of_zero_on_either_side_is_no_limit() {
        assert_eq!(owners((0, 1), (1, 1)).0.send_all(), 10_000);
        assert_eq!(owners((1, 1), (1, 0)).0.send_all(), 10_000);
    }

    #[test]
    fn a_side_without_marks_adds_nothing() {
        let (mut socket, session) = pair(false);
        socket.set_hwm(7, 3);
        let (mut socket, mut session) = (Owner::new(socket), Owner::new(session));
        assert_eq!((socket.send_all(), session.send_all()), (7, 3));
    }

    #[test]
    fn messages_count_and_frames_do_not() {
        let (mut a, _b) = owners((2, 1), (1, 1));
        for _ in 0..3 {
            for _ in 0..10 {
                a.end.write(&mut more("part")).unwrap();
            }
            a.end.write(&mut "last".into()).unwrap();
        }
        let mut msg = Msg::from("one too many");
        assert_eq!(a.end.write(&mut msg), Err(WriteError::Full));
        assert_eq!(msg, "one too many");
    }

    #[test]
    fn room_comes_back_in_halves() {
        let (mut a, mut b) = owners((6, 1), (1, 4));
        assert_eq!(a.send_all(), 10);
        for _ in 0..4 {
            assert!(body(b.end.read()).is_some());
        }
        assert!(!a.send("still full"));
        assert_eq!(a.news(), []);
        assert!(body(b.end.read()).is_some());
        assert_eq!(a.news(), [PipeEvent::Writable]);
        assert_eq!(a.send_all(), 5);
    }

    #[test]
    fn halves_are_counted_from_the_first_message() {
        let (mut a, mut b) = owners((5, 1), (1, 5));
        assert!(a.send("alone"));
        assert!(body(b.end.read()).is_some());
        // It finds nothing more, and tells of the one.
        assert!(body(b.end.read()).is_none());
        assert_eq!(a.end.queued().outbound, 0);
        assert_eq!(a.send_all(), 10);
        assert_eq!(a.end.queued().outbound, 11);
        b.news();
        for _ in 0..4 {
            assert!(body(b.end.read()).is_some());
        }
        assert_eq!(a.end.queued().outbound, 6);
        assert_eq!(a.send_all(), 4);
        while body(b.end.read()).is_some() {}
        assert_eq!(a.end.queued().outbound, 0);
    }

    #[test]
    fn a_raised_mark_frees_a_blocked_writer() {
        let (mut a, mut b) = owners((1, 1), (1, 1));
        assert_eq!(a.send_all(), 2);
        b.end.set_hwm(1, 3);
        assert_eq!(a.news(), [PipeEvent::Writable]);
        assert_eq!(a.send_all(), 2);
        a.end.set_hwm(2, 1);
        assert_eq!(a.send_all(), 1);
    }

    #[test]
    fn records_without_count_pass_a_full_pipe() {
        let (mut a, mut b) = owners((1, 1), (1, 1));
        assert_eq!(a.send_all(), 2);
        for _ in 0..100 {
            a.end
                .write_uncounted(Msg::from("topic").of_kind(Kind::Subscribe));
        }
        a.end.flush();
        for _ in 0..102 {
            assert!(body(b.end.read()).is_some());
        }
        a.news();
        assert_eq!(a.send_all(), 2, "the records freed nothing");
    }

    #[test]
    fn a_sleeping_reader_is_told_once() {
        let (mut a, mut b) = owners((0, 0), (0, 0));
        assert_eq!(b.end.read(), Pop::Empty);
        a.send("1");
        a.send("2");
        assert_eq!(b.end.read(), Pop::Empty, "asleep until told");
        assert_eq!(b.news(), [PipeEvent::Readable]);
        assert_eq!(body(b.end.read()).as_deref(), Some("1"));
        assert_eq!(body(b.end.read()).as_deref(), Some("2"));
    }

    #[test]
    fn what_was_sent_before_the_end_can_be_read_after_it() {
        let (mut a, mut b) = owners((0, 0), (0, 0));
        assert_eq!(b.end.read(), Pop::Empty);
        a.send("last words");
        a.end.write(&mut more("unfinished")).unwrap();
        drop(a.end);
        assert_eq!(b.news(), [PipeEvent::Readable, PipeEvent::PeerClosed]);
        let mut msg = Msg::from("x");
        assert_eq!(b.end.write(&mut msg), Err(WriteError::Closed));
        assert_eq!(msg, "x");
        assert_eq!(body(b.end.read()).as_deref(), Some("last words"));
        assert_eq!(b.end.read(), Pop::Finished);
    }

    #[test]
    fn an_end_attached_late_finds_the_peer_gone() {
        let (left, mut right) = pair(false);
        drop(left);
        right.attach(StdArc::new(Inbox::default()), key());
        assert!(right.is_peer_gone());
        assert_eq!(right.read(), Pop::Finished);
    }

    #[test]
    fn the_peer_record_names_the_sender_of_all_that_follows() {
        let (mut a, mut b) = owners((0, 0), (0, 0));
        let mut metadata = Metadata::new();
        metadata.insert(Metadata::IDENTITY, b"me");
        a.end.write_uncounted(Msg::peer(StdArc::new(metadata)));
        a.send("hello");
        assert!(matches!(b.end.peek(), Pop::Item(_)));
        assert_eq!(b.end.peer().unwrap().identity(), Some(&b"me"[..]));
        let Pop::Item(msg) = b.end.read() else {
            panic!("a message")
        };
        assert_eq!(msg.gets("Identity"), Some("me"));
    }

    #[test]
    fn a_message_read_into_knows_its_new_sender_only() {
        let peer = |name: &'static [u8]| {
            let mut metadata = Metadata::new();
            metadata.insert(Metadata::IDENTITY, name);
            StdArc::new(metadata)
        };
        let (mut a, mut b) = owners((0, 0), (0, 0));
        let (first, second) = (peer(b"first"), peer(b"second"));
        let mut msg = Msg::new();
        for (metadata, body) in [
            (None, "none"),
            (Some(&first), "1"),
            (Some(&first), "2"),
            (Some(&second), "3"),
        ] {
            if let Some(metadata) = metadata {
                a.end.write_uncounted(Msg::peer(metadata.clone()));
            }
            a.send(body);
            assert_eq!(b.end.read_into(&mut msg, WhenEmpty::Sleep), Pop::Item(()));
            assert_eq!(msg, *body);
            let known = msg.shared_metadata().map(StdArc::as_ptr);
            assert_eq!(known, metadata.map(StdArc::as_ptr));
        }
        drop(msg);
        assert_eq!(StdArc::strong_count(&first), 1, "the old sender is let go");
    }

    #[test]
    fn a_large_body_is_taken_and_not_copied() {
        let (mut a, mut b) = owners((0, 0), (0, 0));
        let body = Bytes::from(vec![1; COPY_MAX + 1]);
        let mut msg = Msg::from(body.clone());
        a.end.write(&mut msg).unwrap();
        assert!(msg.is_empty() && !body.is_unique());
        a.end.flush();
        let Pop::Item(read) = b.end.read() else {
            panic!("a message")
        };
        assert_eq!(read.as_ptr(), body.as_ptr(), "it was not copied");
    }

    #[test]
    fn a_conflating_pipe_keeps_the_latest_whole_message() {
        let (mut left, right) = pair(true);
        left.set_hwm(1, 1);
        let (mut a, mut b) = (Owner::new(left), Owner::new(right));
        assert_eq!(a.send_all(), 10_000);
        assert_eq!(body(b.end.read()).as_deref(), Some("9999"));
        assert_eq!(b.end.read(), Pop::Empty);
        a.end.write(&mut more("head")).unwrap();
        a.end.write(&mut "tail".into()).unwrap();
        a.end.write(&mut more("unfinished")).unwrap();
        a.end.flush();
        b.news();
        assert_eq!(body(b.end.read()).as_deref(), Some("head"));
        a.end.rollback();
        a.send("newer");
        assert_eq!(
            body(b.end.read()).as_deref(),
            Some("tail"),
            "a message is not torn"
        );
        assert_eq!(body(b.end.read()).as_deref(), Some("newer"));
        drop(a.end);
        b.news();
        assert_eq!(b.end.read(), Pop::Finished);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Write(bool),
        Flush,
        Rollback,
        Read,
        News,
    }

    proptest! {
        /// Capacity is never exceeded, nothing is lost or reordered, and whoever was refused is
        /// told when there is room.
        #[test]
        fn behaves_like_a_bounded_list(
            marks in (1u32..5, 1u32..5),
            ops in prop::collection::vec(
                prop_oneof![
                    5 => any::<bool>().prop_map(Op::Write),
                    3 => Just(Op::Flush),
                    1 => Just(Op::Rollback),
                    6 => Just(Op::Read),
                    2 => Just(Op::News),
                ],
                0..400,
            ),
        ) {
            let (mut a, mut b) = owners((marks.0, 1), (1, marks.1));
            let capacity = u64::from(marks.0 + marks.1);
            let (mut building, mut queue, mut visible) = (vec![], VecDeque::new(), VecDeque::new());
            let (mut number, mut written, mut read) = (0u32, 0u64, 0u64);
            let mut refused = false;
            for op in ops {
                match op {
                    Op::Write(last) => {
                        number += 1;
                        let text = number.to_string();
                        let mut frame = if last { text.as_str().into() } else { more(&text) };
                        if a.end.write(&mut frame).is_ok() {
                            building.push(text);
                            if last {
                                written += 1;
                                queue.extend(building.drain(..));
                            }
                        } else {
                            prop_assert!(building.is_empty(), "later frames always fit");
                            prop_assert!(written - read >= capacity / 2);
                            refused = true;
                        }
                        prop_assert!(written - read <= capacity);
                    }
                    Op::Flush => {
                        a.end.flush();
                        visible.append(&mut queue);
                    }
                    Op::Rollback => {
                        a.end.rollback();
                        building.clear();
                    }
                    Op::Read => {
                        b.news();
                        match b.end.read() {
                            Pop::Item(msg) => {
                                read += u64::from(!msg.more());
                                prop_assert_eq!(msg.as_str().map(str::to_owned), visible.pop_front());
                            }
                            Pop::Empty => prop_assert!(visible.is_empty()),
                            Pop::Finished => prop_assert!(false, "nobody has finished"),
                        }
                    }
                    Op::News => {
                        if a.news().contains(&PipeEvent::Writable) {
                            prop_assert!(refused, "only who was refused is told");
                        }
                    }
                }
            }
            a.end.rollback();
            a.end.flush();
            b.news();
            while matches!(b.end.read(), Pop::Item(_)) {}
            a.news();
            prop_assert!(a.end.can_write(), "an empty pipe has room");
        }
    }
}

#[cfg(loom)]
mod under_loom {
    use super::*;

    /// An owner whose thread waits for events.
    #[derive(Debug)]
    struct Bell(loom::sync::Mutex<Vec<PipeEvent>>, loom::sync::Condvar);

    impl PipePeer for Bell {
        fn post(&self, _to: Key, event: PipeEvent) {
            self.0.lock().unwrap().push(event);
            self.1.notify_one();
        }
    }

    impl Bell {
        fn new() -> StdArc<Self> {
            StdArc::new(Self(
                loom::sync::Mutex::new(Vec::new()),
                loom::sync::Condvar::new(),
            ))
        }

        fn wait(&self, end: &mut PipeEnd) {
            let mut events = self.0.lock().unwrap();
            while events.is_empty() {
                events = self.1.wait(events).unwrap();
            }
            for event in events.drain(..) {
                end.on_event(event);
            }
        }
    }

    /// Whatever an owner misses of what is said of the peer, it hears the last of it.
    #[test]
    fn the_last_word_on_the_peer_is_heard() {
        loom::model(|| {
            let (mut left, right) = pair(false);
            let bell = Bell::new();
            left.attach(bell.clone(), key());
            let peer = loom::thread::spawn(move || {
                right.report(true);
                right.report(false);
                right.report(true);
                right
            });
            bell.wait(&mut left);
            let _right = peer.join().unwrap();
            for event in bell.0.lock().unwrap().drain(..) {
                left.on_event(event);
            }
            assert!(left.is_joined());
        });
    }

    #[test]
    fn a_blocked_writer_is_woken_by_credit() {
        loom::model(|| {
            let (mut left, mut right) = pair(false);
            left.set_hwm(1, 1);
            let (bell, other) = (Bell::new(), Bell::new());
            left.attach(bell.clone(), key());
            let reader = loom::thread::spawn(move || {
                right.attach(other.clone(), key());
                let mut got = 0;
                loop {
                    match right.read() {
                        Pop::Item(_) => got += 1,
                        Pop::Empty => other.wait(&mut right),
                        Pop::Finished => return got,
                    }
                }
            });
            for _ in 0..2 {
                while left.write(&mut Msg::new()).is_err() {
                    bell.wait(&mut left);
                }
                left.flush();
            }
            drop(left);
            assert_eq!(reader.join().unwrap(), 2);
        });
    }

    #[test]
    fn closing_and_attaching_cross() {
        loom::model(|| {
            let (mut left, right) = pair(false);
            let other = loom::thread::spawn(move || drop(right));
            let bell = Bell::new();
            left.attach(bell.clone(), key());
            loop {
                match left.read() {
                    Pop::Item(_) => unreachable!("nothing was sent"),
                    Pop::Empty => bell.wait(&mut left),
                    Pop::Finished => break,
                }
            }
            while !left.is_peer_gone() {
                bell.wait(&mut left);
            }
            other.join().unwrap();
        });
    }
}
