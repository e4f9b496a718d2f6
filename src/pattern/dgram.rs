//! DGRAM: datagrams, each as a message of an address and a body.
//!
//! It is a [`Pair`] whose peer is the socket of the system, and owns how far the message being sent
//! has come.

use crate::msg::Msg;
use crate::pattern::pair::Pair;
use crate::pattern::{Origin, Pattern, Refused};
use crate::pipe::Pipes;
use crate::slab::Key;

/// DGRAM, as in the module's text.
#[derive(Debug, Default)]
pub(crate) struct Dgram {
    pair: Pair,
    /// The address was sent, and the body is to come.
    addressed: bool,
}

impl Pattern for Dgram {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, origin: Origin) {
        self.pair.attach(pipes, key, origin);
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.pair.detach(pipes, key);
    }

    fn on_readable(&mut self, pipes: &mut Pipes, key: Key) {
        self.pair.on_readable(pipes, key);
    }

    fn on_writable(&mut self, pipes: &mut Pipes, key: Key) {
        self.pair.on_writable(pipes, key);
    }

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.pair.on_closed(pipes, key);
    }

    fn on_hiccup(&mut self, pipes: &mut Pipes, key: Key) {
        self.pair.on_hiccup(pipes, key);
    }

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        if msg.more() == self.addressed {
            let why = "a datagram is an address and one frame";
            return Err(Refused::Invalid(why));
        }
        self.pair.send(pipes, msg)?;
        self.addressed = !self.addressed;
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused> {
        self.pair.recv(pipes, into)
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.pair.can_send(pipes)
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.pair.can_recv(pipes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::testing::Rig;
    use crate::routing::testing::{frames, more};

    #[test]
    fn a_message_has_two_frames() {
        let mut dgram = Rig::new(Dgram::default());
        let wire = dgram.connect();
        assert!(matches!(dgram.send(&["x"]), Err(Refused::Invalid(_))));
        dgram.send_frame(more("address")).unwrap();
        let third = dgram.send_frame(more("not the last"));
        assert!(matches!(third, Err(Refused::Invalid(_))));
        dgram.send(&["body"]).unwrap();
        assert_eq!(dgram.hear_all(wire), [frames(&["address", "body"])]);
        dgram.say(wire, &["from", "bytes"]);
        assert_eq!(dgram.recv(), Ok(frames(&["from", "bytes"])));
    }

    #[test]
    fn without_a_socket_of_the_system_sending_waits() {
        let mut dgram = Rig::new(Dgram::default());
        assert!(!dgram.can_send());
        assert_eq!(dgram.send(&["to", "nobody"]), Err(Refused::WouldBlock));
    }
}
