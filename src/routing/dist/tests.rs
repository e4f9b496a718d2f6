//! Whole messages or none, by pipe; against a model.

use proptest::prelude::*;

use super::*;
use crate::pipe::PipeEvent;
use crate::routing::testing::{Frames, Link, Peer, Wires, frames, message};
use crate::ypipe::Pop;

struct Rig {
    dist: Dist,
    wires: Wires,
}

impl Rig {
    fn new() -> Self {
        Self {
            dist: Dist::new(),
            wires: Wires::new(),
        }
    }

    fn link(&mut self, hwm: u32) -> Peer {
        let (key, peer) = self.wires.link(Link {
            hwm: (hwm, hwm),
            identity: None,
            ..Link::default()
        });
        self.dist.insert(key);
        peer
    }

    fn deliver(&mut self) {
        for (key, event) in self.wires.deliver() {
            match event {
                PipeEvent::Writable => self.dist.on_writable(key),
                PipeEvent::PeerClosed => self.dist.remove(key),
                PipeEvent::Readable | PipeEvent::Hiccup | PipeEvent::Joined | PipeEvent::Parted => {
                }
            }
        }
    }

    fn match_peers(&mut self, peers: &[Peer]) {
        self.dist.unmatch_all();
        for peer in peers {
            self.dist.match_key(self.wires.key_of(*peer));
        }
    }

    /// Sends frames to what matches.
    fn send(&mut self, bodies: &[&str]) {
        for frame in message(bodies) {
            self.send_frame(frame);
        }
        self.wires.pipes.flush();
        self.deliver();
    }

    fn send_frame(&mut self, mut frame: Msg) {
        self.dist
            .send_to_matching(&mut self.wires.pipes, &mut frame);
    }

    fn send_all(&mut self, body: &str) {
        self.dist
            .send_to_all(&mut self.wires.pipes, &mut body.into());
        self.wires.pipes.flush();
        self.deliver();
    }

    fn hear(&mut self, peer: Peer) -> Vec<Frames> {
        self.deliver();
        let heard = self.wires.hear_all(peer);
        self.deliver();
        heard
    }
}

fn more(body: &str) -> Msg {
    crate::routing::testing::more(body)
}

#[test]
fn a_message_goes_once_to_each_pipe_that_matches() {
    let mut rig = Rig::new();
    let (a, b, c) = (rig.link(10), rig.link(10), rig.link(10));
    rig.match_peers(&[c, a, c]);
    rig.send(&["x", "y"]);
    assert_eq!(rig.hear(a), [frames(&["x", "y"])]);
    assert_eq!(rig.hear(b), Vec::<Frames>::new());
    assert_eq!(rig.hear(c), [frames(&["x", "y"])]);
    assert!(!rig.dist.is_mid_message());
}

#[test]
fn those_who_get_the_memory_of_a_body_share_it() {
    let mut rig = Rig::new();
    let peers = [rig.link(10), rig.link(10), rig.link(10)];
    for peer in &peers[..2] {
        let key = rig.wires.key_of(*peer);
        rig.wires.pipes.get_mut(key).unwrap().hand_over_bodies();
    }
    let body = vec![7; HANDED_COPY_MAX + 1];
    rig.match_peers(&peers);
    rig.send_frame(Msg::copied(&body));
    let places = peers.map(|peer| match rig.wires.far_end(peer).read() {
        Pop::Item(msg) if msg == body[..] => msg.as_ptr(),
        other => panic!("{other:?}"),
    });
    assert_eq!(places[0], places[1]);
    assert_ne!(places[0], places[2], "this one has a copy");
}

#[test]
fn a_match_lasts_for_one_message() {
    let mut rig = Rig::new();
    let a = rig.link(10);
    rig.match_peers(&[a]);
    rig.send(&["once"]);
    rig.send(&["not again"]);
    assert_eq!(rig.hear(a), [frames(&["once"])]);
}

#[test]
fn inverted_all_others_match() {
    let mut rig = Rig::new();
    let (a, b, c) = (rig.link(10), rig.link(10), rig.link(10));
    rig.match_peers(&[b, b]);
    rig.dist.reverse_match();
    rig.send(&["x"]);
    assert_eq!([a, b, c].map(|peer| rig.hear(peer).len()), [1, 0, 1]);
}

#[test]
fn a_full_pipe_misses_the_whole_message_and_returns_when_it_has_room() {
    let mut rig = Rig::new();
    let (slow, fast) = (rig.link(1), rig.link(10));
    rig.send_all("1");
    rig.match_peers(&[slow, fast]);
    rig.send_frame(more("2a"));
    assert_eq!(rig.wires.hear_all(slow), [frames(&["1"])]);
    rig.deliver(); // There is room now, in the middle of the message.
    rig.send_frame("2b".into());
    rig.send_all("3");
    assert_eq!(rig.hear(slow), [frames(&["3"])]);
    let heard = [frames(&["1"]), frames(&["2a", "2b"]), frames(&["3"])];
    assert_eq!(rig.hear(fast), heard);
}

#[test]
fn a_new_pipe_takes_part_from_the_next_message_on() {
    let mut rig = Rig::new();
    let old = rig.link(10);
    rig.dist.send_to_all(&mut rig.wires.pipes, &mut more("1a"));
    let new = rig.link(10);
    rig.send_all("1b");
    rig.send_all("2");
    assert_eq!(rig.hear(old), [frames(&["1a", "1b"]), frames(&["2"])]);
    assert_eq!(rig.hear(new), [frames(&["2"])]);
}

#[test]
fn a_pipe_that_goes_in_the_middle_hurts_nobody() {
    let mut rig = Rig::new();
    let (a, b) = (rig.link(10), rig.link(10));
    rig.match_peers(&[a, b]);
    rig.send_frame(more("x"));
    rig.wires.hang_up(a);
    rig.deliver();
    rig.send_frame(more("y"));
    let key = rig.wires.key_of(a);
    rig.wires.pipes.remove(key);
    rig.send(&["z"]);
    assert_eq!(rig.hear(b), [frames(&["x", "y", "z"])]);
}

#[test]
fn an_interrupted_pipe_misses_the_message_and_can_be_told_records() {
    let mut rig = Rig::new();
    let (a, b) = (rig.link(10), rig.link(10));
    rig.match_peers(&[a, b]);
    rig.send_frame(more("x"));
    let key = rig.wires.key_of(a);
    rig.dist.interrupt(&mut rig.wires.pipes, key);
    let pipe = rig.wires.pipes.get_mut(key).expect("it is linked");
    pipe.write_uncounted("record".into());
    rig.send(&["y"]);
    rig.send_all("next");
    assert_eq!(rig.hear(a), [frames(&["record"]), frames(&["next"])]);
    assert_eq!(rig.hear(b), [frames(&["x", "y"]), frames(&["next"])]);
}

#[test]
fn records_reach_full_pipes() {
    let mut rig = Rig::new();
    let full = rig.link(1);
    rig.send_all("1");
    rig.send_all("lost");
    rig.dist.tell_all(&mut rig.wires.pipes, &"record".into());
    rig.wires.pipes.flush();
    assert_eq!(rig.hear(full), [frames(&["1"]), frames(&["record"])]);
}

#[test]
fn room_is_asked_of_matching_pipes_only() {
    let mut rig = Rig::new();
    let (full, free) = (rig.link(1), rig.link(10));
    rig.match_peers(&[full]);
    rig.send(&["1"]);
    rig.match_peers(&[free]);
    assert!(rig.dist.all_matching_have_room(&mut rig.wires.pipes));
    rig.match_peers(&[free, full]);
    assert!(!rig.dist.all_matching_have_room(&mut rig.wires.pipes));
    rig.hear(full);
    assert!(rig.dist.all_matching_have_room(&mut rig.wires.pipes));
    rig.send(&["2"]);
    assert_eq!(rig.hear(full), [frames(&["2"])]);
}

#[test]
fn room_counts_before_its_event_has_come() {
    let mut rig = Rig::new();
    let a = rig.link(1);
    rig.send_all("1");
    rig.send_all("lost");
    rig.wires.hear_all(a);
    rig.match_peers(&[a]);
    assert!(rig.dist.all_matching_have_room(&mut rig.wires.pipes));
    rig.send(&["2"]);
    assert_eq!(rig.hear(a), [frames(&["2"])]);
}

#[test]
fn a_large_body_is_shared_not_copied() {
    let mut rig = Rig::new();
    let peers = [rig.link(10), rig.link(10)];
    rig.match_peers(&peers);
    let body = Msg::from(vec![7; 100_000]);
    let memory = body.as_ptr();
    rig.send_frame(body);
    rig.wires.pipes.flush();
    for peer in peers {
        let Pop::Item(frame) = rig.wires.far_end(peer).read() else {
            panic!("nothing came");
        };
        assert_eq!(frame.as_ptr(), memory);
    }
}

/// Half a queue, for which a reader gives credit, is one message.
const MARK: u32 = 2;

#[derive(Clone, Debug)]
enum Op {
    /// A frame, to the pipes of a bit set if it begins a message, and whether others follow.
    Send(u8, bool),
    /// A pipe's peer reads everything.
    Read(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (any::<u8>(), any::<bool>()).prop_map(|(to, more)| Op::Send(to, more)),
        1 => (0..4usize).prop_map(Op::Read),
    ]
}

/// What a pipe should hold: a reader that takes all gives all its room back.
#[derive(Default)]
struct Model {
    unread: Vec<Frames>,
    building: Option<Frames>,
}

impl Model {
    fn send(&mut self, body: &str, begins: Option<bool>, more: bool) {
        if let Some(matches) = begins {
            self.building = (matches && self.unread.len() < MARK as usize).then(Frames::new);
        }
        if let Some(frames) = &mut self.building {
            frames.push(body.into());
        }
        if !more {
            self.unread.extend(self.building.take());
        }
    }
}

proptest! {
    #[test]
    fn each_pipe_gets_every_matching_message_that_it_had_room_for(
        ops in prop::collection::vec(op(), 0..100),
    ) {
        let mut rig = Rig::new();
        let peers: Vec<_> = (0..4).map(|_| rig.link(MARK)).collect();
        let mut models: Vec<_> = peers.iter().map(|_| Model::default()).collect();
        for (n, op) in ops.into_iter().enumerate() {
            match op {
                Op::Send(to, more) => {
                    let begins = !rig.dist.is_mid_message();
                    let matches = |peer: usize| to >> peer & 1 == 1;
                    if begins {
                        let to: Vec<_> = (0..4).filter(|n| matches(*n)).map(|n| peers[n]).collect();
                        rig.match_peers(&to);
                    }
                    let body = n.to_string();
                    let mut frame = Msg::from(body.as_str());
                    frame.set_more(more);
                    rig.send_frame(frame);
                    rig.wires.pipes.flush();
                    for (peer, model) in models.iter_mut().enumerate() {
                        model.send(&body, begins.then(|| matches(peer)), more);
                    }
                }
                Op::Read(peer) => {
                    let heard = rig.hear(peers[peer]);
                    prop_assert_eq!(&heard, &models[peer].unread);
                    models[peer].unread.clear();
                }
            }
        }
    }
}
