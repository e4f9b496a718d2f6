//! Whole messages in turn, ends, detaching; against a model.

use super::*;
use crate::pipe::{PipeEvent, WhenEmpty};
use crate::routing::testing::{Frames, Link, Peer, Wires, frames};
use proptest::prelude::*;
use std::collections::HashMap;

#[derive(Debug)]
struct Rig {
    fq: Fq,
    wires: Wires,
}

impl Rig {
    fn new() -> Self {
        Self {
            fq: Fq::default(),
            wires: Wires::new(),
        }
    }

    fn connect(&mut self) -> Peer {
        let (key, peer) = self.wires.link(Link::default());
        self.fq.attach(key);
        peer
    }

    fn deliver(&mut self) {
        for (key, event) in self.wires.deliver() {
            match event {
                PipeEvent::Readable | PipeEvent::PeerClosed => self.fq.activate(key),
                PipeEvent::Writable | PipeEvent::Hiccup | PipeEvent::Joined | PipeEvent::Parted => {
                }
            }
        }
    }

    fn say(&mut self, peer: Peer, bodies: &[impl AsRef<[u8]>]) {
        self.wires.say(peer, bodies);
        self.deliver();
    }

    fn next_into(&mut self, into: &mut Msg) -> Next {
        self.fq.recv(&mut self.wires.pipes, into)
    }

    /// What comes next, if it is no frame.
    #[track_caller]
    fn next(&mut self) -> Next {
        let next = self.next_into(&mut Msg::new());
        assert!(!matches!(next, Next::Frame(_)), "there is a frame");
        next
    }

    /// The next frame.
    #[track_caller]
    fn next_frame(&mut self) -> Msg {
        let mut frame = Msg::new();
        let next = self.next_into(&mut frame);
        assert!(matches!(next, Next::Frame(_)), "{next:?}");
        frame
    }

    /// A whole message, and where it came from. Pipes that are over are removed.
    fn recv(&mut self) -> Option<(Key, Frames)> {
        let mut received = Frames::new();
        let mut frame = Msg::new();
        loop {
            match self.next_into(&mut frame) {
                Next::Frame(key) => {
                    received.push(frame.to_vec());
                    if !frame.more() {
                        return Some((key, received));
                    }
                }
                Next::Ended(key) => drop(self.wires.pipes.remove(key)),
                Next::Idle => return None,
            }
        }
    }

    fn recv_frames(&mut self) -> Option<Frames> {
        self.recv().map(|(_, frames)| frames)
    }

    fn can_recv(&mut self) -> bool {
        matches!(self.fq.peek(&mut self.wires.pipes), Next::Frame(_))
    }
}

#[test]
fn pipes_that_doze_are_looked_at_once_more_and_then_left() {
    let mut rig = Rig::new();
    rig.wires.pipes.set_when_empty(WhenEmpty::Doze);
    let (a, b) = (rig.connect(), rig.connect());
    for n in 0..10 {
        rig.say(a, &[n.to_string()]);
        rig.say(b, &[n.to_string()]);
    }
    for n in 0..20 {
        assert_eq!(rig.next_frame(), *(n / 2).to_string());
    }
    assert_eq!(rig.next(), Next::Idle);
    assert!(rig.wires.pipes.take_dozing());
    assert_eq!(rig.fq.turns.active(), 2);
    rig.say(a, &["in time"]);
    assert_eq!(rig.next_frame(), *"in time");
    assert_eq!(rig.next(), Next::Idle);
    assert!(rig.wires.pipes.take_dozing(), "a has read more");
    assert_eq!(rig.next(), Next::Idle);
    assert!(!rig.wires.pipes.take_dozing());
    assert_eq!(rig.fq.turns.active(), 0, "both sleep");
    rig.say(a, &["again"]);
    assert_eq!(rig.next_frame(), *"again");
    assert_eq!(rig.next(), Next::Idle);
}

#[test]
fn messages_are_taken_from_the_pipes_in_turn() {
    let mut rig = Rig::new();
    let (a, b) = (rig.connect(), rig.connect());
    for body in ["1", "2", "3"] {
        rig.say(a, &[body]);
    }
    rig.say(b, &["4"]);
    rig.say(b, &["5"]);
    for body in ["1", "4", "2", "5", "3"] {
        assert!(rig.can_recv());
        assert_eq!(rig.recv_frames(), Some(frames(&[body])));
    }
    assert!(!rig.can_recv());
    assert_eq!(rig.next(), Next::Idle);
}

#[test]
fn messages_are_never_mixed() {
    let mut rig = Rig::new();
    let (a, b) = (rig.connect(), rig.connect());
    rig.say(a, &["1", "2"]);
    assert_eq!(rig.next_frame(), "1");
    rig.say(b, &["3", "4"]);
    assert!(rig.fq.is_within_message());
    assert_eq!(rig.next_frame(), "2");
    assert!(!rig.fq.is_within_message());
    assert_eq!(rig.recv_frames(), Some(frames(&["3", "4"])));
}

#[test]
fn an_empty_pipe_is_passed_over_until_it_is_activated() {
    let mut rig = Rig::new();
    let peer = rig.connect();
    assert_eq!(rig.next(), Next::Idle);
    rig.wires.say(peer, &["late"]);
    assert_eq!(rig.next(), Next::Idle);
    rig.deliver();
    assert_eq!(rig.recv_frames(), Some(frames(&["late"])));
}

#[test]
fn a_pipe_is_over_once_it_was_read_to_its_end() {
    let mut rig = Rig::new();
    let peer = rig.connect();
    let key = rig.wires.key_of(peer);
    rig.say(peer, &["last"]);
    rig.wires.hang_up(peer);
    rig.deliver();
    assert!(!rig.fq.is_over(&mut rig.wires.pipes, key));
    assert_eq!(rig.next_frame(), "last");
    assert!(rig.fq.is_over(&mut rig.wires.pipes, key));
    assert_eq!(rig.next(), Next::Ended(key));
    assert_eq!(rig.next(), Next::Idle);
}

#[test]
fn looking_reports_the_end_too() {
    let mut rig = Rig::new();
    let peer = rig.connect();
    rig.wires.hang_up(peer);
    rig.deliver();
    let key = rig.wires.key_of(peer);
    assert_eq!(rig.fq.peek(&mut rig.wires.pipes), Next::Ended(key));
    assert_eq!(rig.fq.peek(&mut rig.wires.pipes), Next::Idle);
}

#[test]
fn a_pipe_that_is_not_there_is_over() {
    let mut rig = Rig::new();
    let peer = rig.connect();
    let key = rig.wires.key_of(peer);
    rig.wires.pipes.remove(key);
    assert_eq!(rig.next(), Next::Ended(key));
}

#[test]
fn a_message_begun_is_finished_after_its_pipe_was_detached() {
    let mut rig = Rig::new();
    let (a, b) = (rig.connect(), rig.connect());
    rig.say(a, &["1", "2", "3"]);
    rig.say(a, &["never read"]);
    rig.say(b, &["4"]);
    assert_eq!(rig.next_frame(), "1");
    let key = rig.wires.key_of(a);
    rig.fq.detach(&mut rig.wires.pipes, key);
    rig.wires.pipes.remove(key);
    assert!(rig.can_recv());
    assert_eq!(rig.recv(), Some((key, frames(&["2", "3"]))));
    assert_eq!(rig.recv_frames(), Some(frames(&["4"])));
    assert_eq!(rig.next(), Next::Idle);
}

#[test]
fn a_message_begun_can_be_skipped() {
    let mut rig = Rig::new();
    let peer = rig.connect();
    rig.say(peer, &["1", "2", "3"]);
    rig.say(peer, &["4"]);
    assert_eq!(rig.next_frame(), "1");
    rig.fq.skip_message(&mut rig.wires.pipes);
    rig.fq.skip_message(&mut rig.wires.pipes);
    assert_eq!(rig.recv_frames(), Some(frames(&["4"])));
}

#[test]
fn records_for_the_engine_are_no_messages() {
    let mut rig = Rig::new();
    let peer = rig.connect();
    let far = rig.wires.far_end(peer);
    far.write_uncounted(Msg::from("topic").of_kind(Kind::Subscribe));
    far.write_uncounted(Msg::from("topic").of_kind(Kind::Cancel));
    far.flush();
    rig.deliver();
    assert!(!rig.can_recv());
    rig.say(peer, &["data"]);
    assert_eq!(rig.recv_frames(), Some(frames(&["data"])));
}

#[derive(Clone, Debug)]
enum Op {
    Say(usize, usize),
    Recv,
    Look,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..5usize, 1..4usize).prop_map(|(peer, len)| Op::Say(peer, len)),
        2 => Just(Op::Recv),
        1 => Just(Op::Look),
    ]
}

proptest! {
    #[test]
    fn whole_messages_in_order_and_nobody_waits_for_two_turns_of_another(
        ops in prop::collection::vec(op(), 0..150),
    ) {
        let mut rig = Rig::new();
        let peers: Vec<_> = (0..5).map(|_| rig.connect()).collect();
        let mut queued: HashMap<Key, Vec<Frames>> = HashMap::new();
        // Whom each waiting pipe has seen served since it began to wait.
        let mut seen: HashMap<Key, Vec<Key>> = HashMap::new();
        for (n, op) in ops.into_iter().enumerate() {
            match op {
                Op::Say(peer, len) => {
                    let (peer, bodies) = (peers[peer], vec![n.to_string(); len]);
                    rig.say(peer, &bodies);
                    let key = rig.wires.key_of(peer);
                    queued.entry(key).or_default().push(frames(&bodies));
                    seen.entry(key).or_default();
                }
                Op::Look => prop_assert_eq!(rig.can_recv(), !seen.is_empty()),
                Op::Recv => {
                    let Some((key, message)) = rig.recv() else {
                        prop_assert!(seen.is_empty());
                        continue;
                    };
                    let mine = queued.get_mut(&key).expect("somebody said it");
                    prop_assert_eq!(message, mine.remove(0));
                    seen.remove(&key);
                    for served in seen.values_mut() {
                        prop_assert!(!served.contains(&key), "served twice while another waits");
                        served.push(key);
                    }
                    if !mine.is_empty() {
                        seen.insert(key, vec![]);
                    }
                }
            }
        }
    }
}
