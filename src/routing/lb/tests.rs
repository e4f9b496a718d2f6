//! Whole messages in turn, full pipes, pipes that die; against a model.

use super::*;
use crate::pipe::PipeEvent;
use crate::routing::testing::{Frames, Link, Peer, Wires, frames, message, more};
use proptest::prelude::*;

#[derive(Debug)]
struct Rig {
    lb: Lb,
    wires: Wires,
}

impl Rig {
    fn new() -> Self {
        Self {
            lb: Lb::default(),
            wires: Wires::new(),
        }
    }

    fn connect(&mut self, hwm: u32) -> Peer {
        let (key, peer) = self.wires.link(Link {
            hwm: (hwm, hwm),
            ..Link::default()
        });
        self.lb.attach(key);
        peer
    }

    fn deliver(&mut self) {
        for (key, event) in self.wires.deliver() {
            match event {
                PipeEvent::Writable => self.lb.activate(key),
                PipeEvent::PeerClosed => self.lb.detach(key),
                PipeEvent::Readable | PipeEvent::Hiccup | PipeEvent::Joined | PipeEvent::Parted => {
                }
            }
        }
    }

    fn send_frame(&mut self, mut frame: Msg) -> bool {
        self.lb.send(&mut self.wires.pipes, &mut frame).is_ok()
    }

    fn send(&mut self, bodies: &[&str]) -> bool {
        let taken = message(bodies).all(|frame| self.send_frame(frame));
        self.wires.pipes.flush();
        self.deliver();
        taken
    }

    fn hear(&mut self, peer: Peer) -> Option<Frames> {
        let heard = self.wires.hear(peer);
        self.deliver();
        heard
    }

    fn can_send(&mut self) -> bool {
        self.lb.can_send(&mut self.wires.pipes)
    }
}

#[test]
fn messages_go_to_the_pipes_in_turn() {
    let mut rig = Rig::new();
    let peers = [rig.connect(9), rig.connect(9), rig.connect(9)];
    for n in 0..6 {
        assert!(rig.send(&[&n.to_string()]));
    }
    for (n, peer) in peers.into_iter().enumerate() {
        let expected = [frames(&[n.to_string()]), frames(&[(n + 3).to_string()])];
        assert_eq!(rig.wires.hear_all(peer), expected);
    }
}

#[test]
fn a_message_sticks_to_one_pipe() {
    let mut rig = Rig::new();
    let (a, b) = (rig.connect(9), rig.connect(9));
    rig.send(&["1", "2", "3"]);
    rig.send(&["4", "5"]);
    assert_eq!(rig.wires.hear_all(a), [frames(&["1", "2", "3"])]);
    assert_eq!(rig.wires.hear_all(b), [frames(&["4", "5"])]);
}

#[test]
fn without_a_pipe_the_message_is_left_as_it_is() {
    let mut rig = Rig::new();
    assert!(!rig.can_send());
    let mut msg = Msg::from("kept");
    assert_eq!(rig.lb.send(&mut rig.wires.pipes, &mut msg), Err(NotTaken));
    assert_eq!(msg, "kept");
}

#[test]
fn a_full_pipe_is_passed_over_until_it_has_room() {
    let mut rig = Rig::new();
    let (small, large) = (rig.connect(1), rig.connect(4));
    for body in ["1", "2", "3"] {
        assert!(rig.send(&[body]));
    }
    assert_eq!(rig.hear(small), Some(frames(&["1"])));
    for body in ["4", "5", "6"] {
        assert!(rig.send(&[body]));
    }
    assert!(!rig.can_send() && !rig.send(&["7"]));
    assert_eq!(rig.wires.hear_all(small).len(), 1);
    assert_eq!(rig.wires.hear_all(large).len(), 4);
}

#[test]
fn room_is_seen_before_a_message_is_given() {
    let mut rig = Rig::new();
    let peer = rig.connect(1);
    assert!(rig.can_send() && rig.send(&["1"]));
    assert!(!rig.can_send());
    rig.hear(peer);
    assert!(rig.can_send());
}

#[test]
fn a_message_whose_pipe_dies_vanishes_whole() {
    let mut rig = Rig::new();
    let (dying, other) = (rig.connect(9), rig.connect(9));
    assert!(rig.send_frame(more("1")));
    rig.wires.hang_up(dying);
    rig.deliver();
    assert!(rig.can_send(), "the rest of a lost message is swallowed");
    assert!(rig.send_frame(more("2")) && rig.send_frame("3".into()));
    assert!(rig.send(&["next"]));
    assert_eq!(rig.wires.hear_all(other), [frames(&["next"])]);
}

#[test]
fn a_message_whose_pipe_was_removed_vanishes_whole() {
    let mut rig = Rig::new();
    let removed = rig.connect(9);
    assert!(rig.send_frame(more("1")));
    let key = rig.wires.key_of(removed);
    rig.wires.pipes.remove(key);
    assert!(rig.send_frame(more("2")) && rig.send_frame("3".into()));
    assert!(!rig.send(&["next"]));
    assert_eq!(rig.wires.hear(removed), None);
}

#[derive(Clone, Debug)]
enum Op {
    Connect(u32),
    Send(usize),
    Hear(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => (1..4u32).prop_map(Op::Connect),
        6 => (1..4usize).prop_map(Op::Send),
        3 => (0..9usize).prop_map(Op::Hear),
    ]
}

proptest! {
    #[test]
    fn nothing_is_lost_and_no_message_is_split(ops in prop::collection::vec(op(), 0..100)) {
        let (mut rig, mut peers, mut sent, mut heard) = (Rig::new(), vec![], vec![], vec![]);
        for (n, op) in ops.into_iter().enumerate() {
            match op {
                Op::Connect(hwm) => peers.push(rig.connect(hwm)),
                Op::Send(len) => {
                    let bodies = vec![n.to_string(); len];
                    let room = rig.can_send();
                    let taken = rig.send(&bodies.iter().map(|b| &**b).collect::<Vec<_>>());
                    prop_assert_eq!(room, taken);
                    if taken {
                        sent.push(frames(&bodies));
                    }
                }
                Op::Hear(_) if peers.is_empty() => {}
                Op::Hear(n) => heard.extend(rig.hear(peers[n % peers.len()])),
            }
        }
        for peer in peers {
            heard.extend(rig.wires.hear_all(peer));
        }
        heard.sort();
        sent.sort();
        prop_assert_eq!(heard, sent);
    }

    #[test]
    fn pipes_with_room_take_equal_shares(count in 1..9usize, messages in 0..50usize) {
        let mut rig = Rig::new();
        let peers: Vec<_> = (0..count).map(|_| rig.connect(100)).collect();
        for n in 0..messages {
            prop_assert!(rig.send(&[&n.to_string()]));
        }
        for (place, peer) in peers.into_iter().enumerate() {
            let expected: Vec<_> = (place..messages).step_by(count)
                .map(|n| frames(&[n.to_string()]))
                .collect();
            prop_assert_eq!(rig.wires.hear_all(peer), expected);
        }
    }
}
