//! PAIR: one peer, both ways.
//!
//! It owns the key of that peer, and those of former peers until they have been read. It never
//! has two peers at a time: a second pipe is refused while the first lives.

use std::collections::VecDeque;

use crate::msg::Msg;
use crate::pattern::{Origin, Pattern, Refused, is_peer_gone};
use crate::pipe::Pipes;
use crate::routing::fq::{Fq, Next};
use crate::routing::lb::Lb;
use crate::slab::Key;

/// PAIR, as in the module's text.
#[derive(Debug, Default)]
pub(crate) struct Pair {
    lb: Lb,
    fq: Fq,
    peer: Option<Key>,
    /// All pipes as they came: the former peers', then the peer's. Only the first is read.
    inbound: VecDeque<Key>,
}

impl Pair {
    fn part_from(&mut self, key: Key) {
        self.lb.detach(key);
        if self.peer == Some(key) {
            self.peer = None;
        }
    }

    fn read_first(&mut self) {
        if let Some(key) = self.inbound.front() {
            self.fq.attach(*key);
        }
    }
}

impl Pattern for Pair {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, _origin: Origin) {
        if self.peer.is_some_and(|peer| !is_peer_gone(pipes, peer)) {
            pipes.remove(key);
            return;
        }
        self.peer = Some(key);
        self.lb.attach(key);
        self.inbound.push_back(key);
        self.read_first();
        if is_peer_gone(pipes, key) {
            self.on_closed(pipes, key);
        }
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.part_from(key);
        self.fq.detach(pipes, key);
        self.inbound.retain(|inbound| *inbound != key);
        self.read_first();
        pipes.remove(key);
    }

    fn on_readable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.fq.activate(key);
    }

    fn on_writable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.lb.activate(key);
    }

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.part_from(key);
        if self.fq.is_over(pipes, key) {
            self.detach(pipes, key);
        }
    }

    fn on_hiccup(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        self.lb.send(pipes, msg)?;
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused> {
        loop {
            match self.fq.recv(pipes, into) {
                Next::Frame(_) => return Ok(()),
                Next::Ended(key) => self.detach(pipes, key),
                Next::Idle => return Err(Refused::WouldBlock),
            }
        }
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.lb.can_send(pipes)
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        loop {
            match self.fq.peek(pipes) {
                Next::Frame(_) => return true,
                Next::Ended(key) => self.detach(pipes, key),
                Next::Idle => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::testing::Rig;
    use crate::routing::testing::{frames, more};

    fn pair() -> Rig<Pair> {
        Rig::new(Pair::default())
    }

    #[test]
    fn messages_go_both_ways_in_any_order() {
        let mut pair = pair();
        let peer = pair.connect();
        pair.send(&["1", "2"]).unwrap();
        pair.send(&["3"]).unwrap();
        pair.say(peer, &["4"]);
        assert!(pair.can_send() && pair.can_recv());
        assert_eq!(pair.recv(), Ok(frames(&["4"])));
        assert_eq!(pair.hear_all(peer), [frames(&["1", "2"]), frames(&["3"])]);
    }

    #[test]
    fn without_a_peer_it_waits() {
        let mut pair = pair();
        assert!(!pair.can_send() && !pair.can_recv());
        assert_eq!(pair.send(&["1"]), Err(Refused::WouldBlock));
        assert_eq!(pair.recv(), Err(Refused::WouldBlock));
    }

    #[test]
    fn a_second_peer_is_refused_while_the_first_lives() {
        let mut pair = pair();
        let (first, second) = (pair.connect(), pair.connect());
        assert!(pair.is_linked(first) && !pair.is_linked(second));
        assert!(pair.wires.far_end(second).is_peer_gone());
        pair.send(&["1"]).unwrap();
        assert_eq!(pair.hear(first), Some(frames(&["1"])));
    }

    #[test]
    fn the_next_peer_is_accepted_once_the_first_is_gone_and_read_after_it() {
        let mut pair = pair();
        let first = pair.connect();
        pair.say(first, &["old 1"]);
        pair.say(first, &["old 2"]);
        pair.hang_up(first);
        assert!(!pair.can_send());
        let second = pair.connect();
        pair.say(second, &["new"]);
        pair.send(&["to the second"]).unwrap();
        for body in ["old 1", "old 2", "new"] {
            assert!(pair.can_recv());
            assert_eq!(pair.recv(), Ok(frames(&[body])));
        }
        assert!(!pair.is_linked(first));
        assert_eq!(pair.hear(second), Some(frames(&["to the second"])));
    }

    #[test]
    fn a_peer_that_left_nothing_is_dropped_at_once() {
        let mut pair = pair();
        let first = pair.connect();
        pair.say(first, &["unread"]);
        pair.hang_up(first);
        let second = pair.connect();
        pair.hang_up(second);
        assert!(pair.is_linked(first) && !pair.is_linked(second));
        assert_eq!(pair.recv(), Ok(frames(&["unread"])));
        assert!(!pair.can_recv() && !pair.is_linked(first));
    }

    #[test]
    fn half_a_message_never_reaches_the_next_peer() {
        let mut pair = pair();
        let first = pair.connect();
        pair.send_frame(more("half")).unwrap();
        pair.hang_up(first);
        let second = pair.connect();
        pair.send(&["other half"]).unwrap();
        pair.send(&["whole"]).unwrap();
        assert_eq!(pair.hear_all(second), [frames(&["whole"])]);
    }

    #[test]
    fn a_detached_peer_makes_room_for_the_next() {
        let mut pair = pair();
        let first = pair.connect();
        pair.disconnect(first);
        let second = pair.connect();
        assert!(!pair.is_linked(first) && pair.is_linked(second));
    }
}
