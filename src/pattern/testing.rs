//! A pattern with its pipes and their far ends, on one thread, for the tests of the patterns.
//!
//! It plays the socket: it lends the pipes, delivers the events and knows nothing of the pattern.

use bytes::Bytes;

use crate::msg::Msg;
use crate::pattern::{Origin, Pattern, PatternOption, Refused};
use crate::pipe::PipeEvent;
use crate::routing::testing::{Frames, Link, Peer, Wires, message};

/// A pattern under test.
#[derive(Debug)]
pub(crate) struct Rig<P> {
    pub pattern: P,
    pub wires: Wires,
}

impl<P: Pattern> Rig<P> {
    pub(crate) fn new(pattern: P) -> Self {
        Self {
            pattern,
            wires: Wires::new(),
        }
    }

    /// Connects a roomy pipe from a peer without a routing id.
    pub(crate) fn connect(&mut self) -> Peer {
        self.connect_by(Link::default(), Origin::default())
    }

    /// Connects a pipe that takes so many messages each way.
    pub(crate) fn connect_hwm(&mut self, hwm: u32) -> Peer {
        let link = Link {
            hwm: (hwm, hwm),
            ..Link::default()
        };
        self.connect_by(link, Origin::default())
    }

    /// Connects a peer that names itself.
    pub(crate) fn connect_named(&mut self, identity: impl AsRef<[u8]>) -> Peer {
        let link = Link {
            identity: Some(identity.as_ref()),
            ..Link::default()
        };
        self.connect_by(link, Origin::default())
    }

    /// Connects a peer that the application named.
    pub(crate) fn connect_as(&mut self, routing_id: impl AsRef<[u8]>) -> Peer {
        let origin = Origin {
            routing_id: Some(Bytes::copy_from_slice(routing_id.as_ref())),
            ..Origin::default()
        };
        self.connect_by(Link::default(), origin)
    }

    pub(crate) fn connect_by(&mut self, link: Link<'_>, origin: Origin) -> Peer {
        let (key, peer) = self.wires.link(link);
        self.pattern.attach(&mut self.wires.pipes, key, origin);
        self.deliver();
        peer
    }

    /// Delivers the events, in order, as the socket does.
    pub(crate) fn deliver(&mut self) {
        for (key, event) in self.wires.deliver() {
            let pipes = &mut self.wires.pipes;
            if !pipes.contains(key) {
                continue;
            }
            match event {
                PipeEvent::Readable => self.pattern.on_readable(pipes, key),
                PipeEvent::Writable => self.pattern.on_writable(pipes, key),
                PipeEvent::PeerClosed => self.pattern.on_closed(pipes, key),
                PipeEvent::Hiccup => self.pattern.on_hiccup(pipes, key),
                PipeEvent::Joined | PipeEvent::Parted => {}
            }
        }
    }

    /// Sends a frame.
    pub(crate) fn send_frame(&mut self, mut frame: Msg) -> Result<(), Refused> {
        self.pattern.send(&mut self.wires.pipes, &mut frame)
    }

    /// Sends a frame that is refused: why it is, and what is left of it.
    #[track_caller]
    pub(crate) fn refuse(&mut self, mut frame: Msg) -> (Refused, Msg) {
        let sent = self.pattern.send(&mut self.wires.pipes, &mut frame);
        (sent.expect_err("the frame was taken"), frame)
    }

    /// Sends a message; stops at the first frame that is refused.
    pub(crate) fn send(&mut self, bodies: &[impl AsRef<[u8]>]) -> Result<(), Refused> {
        let outcome = message(bodies).try_for_each(|frame| self.send_frame(frame));
        self.deliver();
        outcome
    }

    /// Receives a frame.
    pub(crate) fn recv_frame(&mut self) -> Result<Msg, Refused> {
        let mut frame = Msg::new();
        self.pattern.recv(&mut self.wires.pipes, &mut frame)?;
        Ok(frame)
    }

    /// Receives a whole message.
    #[track_caller]
    pub(crate) fn recv(&mut self) -> Result<Frames, Refused> {
        let mut received = Frames::new();
        loop {
            let frame = match self.recv_frame() {
                Err(refused) if received.is_empty() => return Err(refused),
                frame => frame.expect("messages are whole"),
            };
            received.push(frame.to_vec());
            if !frame.more() {
                self.deliver();
                return Ok(received);
            }
        }
    }

    /// The peer sends a message.
    #[track_caller]
    pub(crate) fn say(&mut self, peer: Peer, bodies: &[impl AsRef<[u8]>]) {
        self.wires.say(peer, bodies);
        self.deliver();
    }

    /// The peer sends a message, if it is there and has room.
    pub(crate) fn try_say(&mut self, peer: Peer, bodies: &[impl AsRef<[u8]>]) {
        if self.wires.can_say(peer) {
            self.say(peer, bodies);
        }
    }

    /// What the peer receives next.
    #[track_caller]
    pub(crate) fn hear(&mut self, peer: Peer) -> Option<Frames> {
        let heard = self.wires.hear(peer);
        self.deliver();
        heard
    }

    /// Everything that the peer received.
    #[track_caller]
    pub(crate) fn hear_all(&mut self, peer: Peer) -> Vec<Frames> {
        std::iter::from_fn(|| self.hear(peer)).collect()
    }

    /// The peer goes.
    pub(crate) fn hang_up(&mut self, peer: Peer) {
        self.wires.hang_up(peer);
        self.deliver();
    }

    /// The application lets go of the pipe.
    pub(crate) fn disconnect(&mut self, peer: Peer) {
        let key = self.wires.key_of(peer);
        self.pattern.detach(&mut self.wires.pipes, key);
        self.deliver();
    }

    /// Whether the pattern still has the pipe.
    pub(crate) fn is_linked(&self, peer: Peer) -> bool {
        self.wires.is_linked(peer)
    }

    pub(crate) fn can_send(&mut self) -> bool {
        self.pattern.can_send(&mut self.wires.pipes)
    }

    pub(crate) fn can_recv(&mut self) -> bool {
        self.pattern.can_recv(&mut self.wires.pipes)
    }

    /// Sets an option that the pattern has.
    #[track_caller]
    pub(crate) fn set(&mut self, option: PatternOption) {
        let outcome = self.pattern.set(&mut self.wires.pipes, option);
        outcome.expect("the pattern has the option");
    }
}
