//! DEALER: sends to its peers in turn and receives from all fairly, in any order.
//!
//! It owns a load balancer and a fair queue over the same pipes. It never looks into a message.

use crate::error::Error;
use crate::msg::Msg;
use crate::pattern::{
    Origin, Pattern, PatternOption, Refused, greet, is_peer_gone, no_such_option,
};
use crate::pipe::Pipes;
use crate::routing::NotTaken;
use crate::routing::fq::{Fq, Next};
use crate::routing::lb::Lb;
use crate::slab::Key;

/// DEALER, and the pipes of a REQ.
#[derive(Debug, Default)]
pub(crate) struct Dealer {
    lb: Lb,
    fq: Fq,
    /// Whether new peers are greeted with an empty message.
    probe: bool,
}

impl Dealer {
    /// Writes a frame, and returns the pipe that took it; see [`Lb::send`].
    pub(crate) fn send_to_next(
        &mut self,
        pipes: &mut Pipes,
        msg: &mut Msg,
    ) -> Result<Option<Key>, NotTaken> {
        self.lb.send(pipes, msg)
    }

    /// Reads a frame, and says from which pipe.
    pub(crate) fn recv_from(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Option<Key> {
        loop {
            match self.fq.recv(pipes, into) {
                Next::Frame(key) => return Some(key),
                Next::Ended(key) => self.detach(pipes, key),
                Next::Idle => return None,
            }
        }
    }

    /// Drops the rest of a message that was received in part.
    pub(crate) fn skip_message(&mut self, pipes: &mut Pipes) {
        self.fq.skip_message(pipes);
    }
}

impl Pattern for Dealer {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, _origin: Origin) {
        self.lb.attach(key);
        self.fq.attach(key);
        if is_peer_gone(pipes, key) {
            self.on_closed(pipes, key);
        } else if self.probe {
            greet(pipes, key);
        }
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.lb.detach(key);
        self.fq.detach(pipes, key);
        pipes.remove(key);
    }

    fn on_readable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.fq.activate(key);
    }

    fn on_writable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.lb.activate(key);
    }

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.lb.detach(key);
        if self.fq.is_over(pipes, key) {
            self.detach(pipes, key);
        }
    }

    fn on_hiccup(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        self.send_to_next(pipes, msg)?;
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused> {
        self.recv_from(pipes, into).ok_or(Refused::WouldBlock)?;
        Ok(())
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

    fn set(&mut self, _pipes: &mut Pipes, option: PatternOption) -> Result<(), Error> {
        let PatternOption::ProbeRouter(on) = option else {
            return Err(no_such_option());
        };
        self.probe = on;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::testing::Rig;
    use crate::routing::testing::{frames, more};

    fn dealer() -> Rig<Dealer> {
        Rig::new(Dealer::default())
    }

    #[test]
    fn it_sends_in_turn_and_receives_fairly_in_any_order() {
        let mut dealer = dealer();
        let (a, b) = (dealer.connect(), dealer.connect());
        for body in ["1", "2", "3"] {
            dealer.send(&[body]).unwrap();
        }
        dealer.say(a, &["4", "5"]);
        dealer.say(a, &["6"]);
        dealer.say(b, &["7"]);
        assert_eq!(dealer.hear_all(a), [frames(&["1"]), frames(&["3"])]);
        assert_eq!(dealer.hear_all(b), [frames(&["2"])]);
        for expected in [&["4", "5"][..], &["7"], &["6"]] {
            assert!(dealer.can_recv());
            assert_eq!(dealer.recv(), Ok(frames(expected)));
        }
        assert!(!dealer.can_recv());
    }

    #[test]
    fn without_a_peer_it_waits() {
        let mut dealer = dealer();
        assert!(!dealer.can_send() && !dealer.can_recv());
        assert_eq!(dealer.send(&["1"]), Err(Refused::WouldBlock));
        assert_eq!(dealer.recv(), Err(Refused::WouldBlock));
    }

    #[test]
    fn a_full_peer_is_passed_over_until_it_has_room() {
        let mut dealer = dealer();
        let peer = dealer.connect_hwm(1);
        dealer.send(&["1"]).unwrap();
        assert_eq!(dealer.send(&["2"]), Err(Refused::WouldBlock));
        dealer.hear(peer);
        dealer.send(&["2"]).unwrap();
        assert_eq!(dealer.hear(peer), Some(frames(&["2"])));
    }

    #[test]
    fn a_peer_that_is_gone_is_read_to_its_end_but_not_written_to() {
        let mut dealer = dealer();
        let peer = dealer.connect();
        dealer.say(peer, &["last"]);
        dealer.send_frame(more("half")).unwrap();
        dealer.hang_up(peer);
        dealer.send(&["rest of the lost message"]).unwrap();
        assert!(!dealer.can_send());
        assert_eq!(dealer.recv(), Ok(frames(&["last"])));
        assert_eq!(dealer.recv(), Err(Refused::WouldBlock));
        assert!(!dealer.is_linked(peer));
    }

    #[test]
    fn a_peer_that_left_nothing_is_dropped_at_once() {
        let mut dealer = dealer();
        let peer = dealer.connect();
        dealer.hang_up(peer);
        assert!(!dealer.is_linked(peer));
    }

    #[test]
    fn new_peers_are_greeted_if_asked() {
        let mut dealer = dealer();
        let before = dealer.connect();
        dealer.set(PatternOption::ProbeRouter(true));
        let after = dealer.connect();
        assert_eq!(dealer.hear(before), None);
        assert_eq!(dealer.hear(after), Some(frames(&[""])));
    }

    #[test]
    fn options_of_other_types_are_refused() {
        let mut dealer = dealer();
        let outcome = dealer
            .pattern
            .set(&mut dealer.wires.pipes, PatternOption::ReqRelaxed(true));
        assert!(matches!(outcome, Err(Error::InvalidArgument(_))));
    }
}
