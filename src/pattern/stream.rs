//! STREAM: raw tcp connections, each named by a routing id.
//!
//! It owns the ids of the connections. What it receives and sends has two frames, the id and a
//! run of bytes; an empty run closes the connection. It never sees where bytes of the peer's
//! protocol begin or end.

use bytes::Bytes;

use crate::error::Error;
use crate::msg::Msg;
use crate::pattern::named::NamedPeers;
use crate::pattern::{Origin, Pattern, PatternOption, Refused, is_peer_gone, no_such_option};
use crate::pipe::Pipes;
use crate::routing::fq::Next;
use crate::routing::write;
use crate::slab::Key;

/// What the next frame to send is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sending {
    /// A routing id.
    Address,
    /// Data for this connection.
    To(Key),
    /// Data for nobody.
    Nowhere,
}

/// STREAM, and ROUTER over raw tcp.
#[derive(Debug)]
pub(crate) struct Stream {
    peers: NamedPeers,
    sending: Sending,
    /// Whether data for unknown and full connections is refused instead of dropped.
    mandatory: bool,
    /// Whether it takes the options of a ROUTER.
    is_router: bool,
}

impl Stream {
    pub(crate) fn new() -> Self {
        Self {
            peers: NamedPeers::new(),
            sending: Sending::Address,
            mandatory: true,
            is_router: false,
        }
    }

    /// A ROUTER over raw tcp: a STREAM that drops what it cannot deliver, unless told otherwise.
    pub(crate) fn raw_router() -> Self {
        Self {
            mandatory: false,
            is_router: true,
            ..Self::new()
        }
    }

    /// Takes the frame with the routing id.
    fn address(&mut self, pipes: &mut Pipes, id: &Msg) -> Result<(), Refused> {
        if !id.more() {
            return Err(Refused::Invalid("a routing id comes before the data"));
        }
        self.sending = match self.peers.route(pipes, id) {
            Ok(key) => Sending::To(key),
            Err(refused) if self.mandatory => return Err(refused),
            Err(_) => Sending::Nowhere,
        };
        Ok(())
    }

    /// Takes the frame with the data. A connection that went meanwhile loses it.
    fn forward(&mut self, pipes: &mut Pipes, key: Key, data: &mut Msg) {
        if data.is_empty() {
            self.detach(pipes, key);
            return;
        }
        data.set_more(false);
        // The connection may have gone meanwhile.
        let _ = write(pipes, key, data);
    }
}

impl Pattern for Stream {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, origin: Origin) {
        self.peers.attach(key, origin.routing_id);
        if is_peer_gone(pipes, key) {
            self.on_closed(pipes, key);
        }
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.peers.detach(pipes, key);
        pipes.remove(key);
    }

    fn on_readable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.peers.activate(key);
    }

    /// Whether a connection has room is asked when there is data for it.
    fn on_writable(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.peers.release(key);
        if self.peers.is_over(pipes, key) {
            self.detach(pipes, key);
        }
    }

    fn on_hiccup(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        match std::mem::replace(&mut self.sending, Sending::Address) {
            Sending::Address => return self.address(pipes, msg),
            Sending::To(key) => self.forward(pipes, key, msg),
            Sending::Nowhere => {}
        }
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused> {
        loop {
            match self.peers.recv(pipes, into) {
                Next::Frame(_) => return Ok(()),
                Next::Ended(key) => self.detach(pipes, key),
                Next::Idle => return Err(Refused::WouldBlock),
            }
        }
    }

    /// Always: data for a connection without room is refused once its id is seen.
    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        true
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        loop {
            match self.peers.peek(pipes) {
                Next::Frame(_) => return true,
                Next::Ended(key) => self.detach(pipes, key),
                Next::Idle => return false,
            }
        }
    }

    /// A raw connection has neither a name to hand over nor a ROUTER to greet, so a ROUTER's
    /// other options change nothing here.
    fn set(&mut self, _pipes: &mut Pipes, option: PatternOption) -> Result<(), Error> {
        if !self.is_router {
            return Err(no_such_option());
        }
        if let PatternOption::RouterMandatory(on) = option {
            self.mandatory = on;
        } else if !is_idle_router_option(&option) {
            return Err(no_such_option());
        }
        Ok(())
    }

    fn peer_is_writable(&mut self, pipes: &mut Pipes, routing_id: &[u8]) -> Result<bool, Refused> {
        match self.peers.route(pipes, routing_id) {
            Err(Refused::WouldBlock) => Ok(false),
            outcome => outcome.map(|_| true),
        }
    }

    fn routing_id_of(&self, key: Key) -> Option<&Bytes> {
        self.peers.id_of(key)
    }
}

fn is_idle_router_option(option: &PatternOption) -> bool {
    matches!(
        option,
        PatternOption::RouterHandover(_) | PatternOption::ProbeRouter(_)
    )
}

#[cfg(test)]
mod tests;
