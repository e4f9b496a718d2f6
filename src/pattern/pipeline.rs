//! PUSH and PULL: a stream of work, dealt out to workers and collected from them.
//!
//! [`Push`] owns a load balancer and only sends; [`Pull`] owns a fair queue and only receives.
//! Neither looks into a message.

use crate::msg::Msg;
use crate::pattern::{Origin, Pattern, Refused, is_peer_gone};
use crate::pipe::Pipes;
use crate::routing::fq::{Fq, Next};
use crate::routing::lb::Lb;
use crate::slab::Key;

/// PUSH: each message to the next peer that has room.
#[derive(Debug, Default)]
pub(crate) struct Push {
    lb: Lb,
}

impl Pattern for Push {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, _origin: Origin) {
        if is_peer_gone(pipes, key) {
            pipes.remove(key);
        } else {
            self.lb.attach(key);
        }
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.lb.detach(key);
        pipes.remove(key);
    }

    /// What a peer of this process sends to a PUSH stays unread, and its mark stops it; a session
    /// does not even take it.
    fn on_readable(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn on_writable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.lb.activate(key);
    }

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.detach(pipes, key);
    }

    fn on_hiccup(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        self.lb.send(pipes, msg)?;
        Ok(())
    }

    fn recv(&mut self, _pipes: &mut Pipes, _into: &mut Msg) -> Result<(), Refused> {
        Err(Refused::NotSupported)
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.lb.can_send(pipes)
    }

    fn can_recv(&mut self, _pipes: &mut Pipes) -> bool {
        false
    }
}

/// PULL: messages from all peers, fairly.
#[derive(Debug, Default)]
pub(crate) struct Pull {
    fq: Fq,
}

impl Pattern for Pull {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, _origin: Origin) {
        self.fq.attach(key);
        if is_peer_gone(pipes, key) {
            self.on_closed(pipes, key);
        }
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.fq.detach(pipes, key);
        pipes.remove(key);
    }

    fn on_readable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.fq.activate(key);
    }

    fn on_writable(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        if self.fq.is_over(pipes, key) {
            self.detach(pipes, key);
        }
    }

    fn on_hiccup(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn send(&mut self, _pipes: &mut Pipes, _msg: &mut Msg) -> Result<(), Refused> {
        Err(Refused::NotSupported)
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

    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        false
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

    #[test]
    fn push_deals_out_in_turn() {
        let mut push = Rig::new(Push::default());
        let (a, b) = (push.connect(), push.connect());
        for body in ["1", "2", "3"] {
            push.send(&[body]).unwrap();
        }
        assert_eq!(push.hear_all(a), [frames(&["1"]), frames(&["3"])]);
        assert_eq!(push.hear_all(b), [frames(&["2"])]);
    }

    #[test]
    fn push_waits_for_a_peer_and_for_room() {
        let mut push = Rig::new(Push::default());
        assert!(!push.can_send());
        assert_eq!(push.send(&["1"]), Err(Refused::WouldBlock));
        let peer = push.connect_hwm(1);
        assert!(push.can_send());
        push.send(&["1"]).unwrap();
        assert_eq!(push.send(&["2"]), Err(Refused::WouldBlock));
        push.hear(peer);
        assert!(push.can_send());
    }

    #[test]
    fn push_does_not_receive() {
        let mut push = Rig::new(Push::default());
        let peer = push.connect();
        push.say(peer, &["nobody reads this"]);
        assert_eq!(push.recv(), Err(Refused::NotSupported));
        assert!(!push.can_recv());
    }

    #[test]
    fn push_drops_a_pipe_as_soon_as_its_peer_is_gone() {
        let mut push = Rig::new(Push::default());
        let (a, b) = (push.connect(), push.connect());
        push.say(a, &["unread"]);
        push.send_frame(more("half")).unwrap();
        push.hang_up(a);
        assert!(!push.is_linked(a));
        push.send(&["rest of the lost message"]).unwrap();
        push.send(&["1"]).unwrap();
        assert_eq!(push.hear_all(b), [frames(&["1"])]);
    }

    #[test]
    fn pull_collects_fairly() {
        let mut pull = Rig::new(Pull::default());
        let (a, b) = (pull.connect(), pull.connect());
        pull.say(a, &["1", "2"]);
        pull.say(a, &["3"]);
        pull.say(b, &["4"]);
        for expected in [&["1", "2"][..], &["4"], &["3"]] {
            assert!(pull.can_recv());
            assert_eq!(pull.recv(), Ok(frames(expected)));
        }
        assert!(!pull.can_recv());
        assert_eq!(pull.recv(), Err(Refused::WouldBlock));
    }

    #[test]
    fn pull_does_not_send() {
        let mut pull = Rig::new(Pull::default());
        pull.connect();
        assert_eq!(pull.send(&["1"]), Err(Refused::NotSupported));
        assert!(!pull.can_send());
    }

    #[test]
    fn pull_reads_what_a_peer_left_behind_and_then_drops_the_pipe() {
        let mut pull = Rig::new(Pull::default());
        let (talker, mute) = (pull.connect(), pull.connect());
        pull.say(talker, &["last"]);
        pull.hang_up(talker);
        pull.hang_up(mute);
        assert!(pull.is_linked(talker) && !pull.is_linked(mute));
        assert_eq!(pull.recv(), Ok(frames(&["last"])));
        assert!(!pull.can_recv());
        assert!(!pull.is_linked(talker));
    }

    #[test]
    fn a_pipe_whose_peer_went_before_it_was_attached_is_read_too() {
        let mut pull = Rig::new(Pull::default());
        let (key, peer) = pull.wires.link(Default::default());
        pull.wires.say(peer, &["early"]);
        pull.wires.hang_up(peer);
        pull.wires.deliver();
        pull.pattern
            .attach(&mut pull.wires.pipes, key, Origin::default());
        assert_eq!(pull.recv(), Ok(frames(&["early"])));
        assert_eq!(pull.recv(), Err(Refused::WouldBlock));
        assert!(!pull.is_linked(peer));
    }

    #[test]
    fn a_detached_pipe_is_removed_with_what_it_holds() {
        let mut pull = Rig::new(Pull::default());
        let peer = pull.connect();
        pull.say(peer, &["unread"]);
        pull.disconnect(peer);
        assert_eq!(pull.recv(), Err(Refused::WouldBlock));
        assert!(!pull.is_linked(peer));
    }
}
