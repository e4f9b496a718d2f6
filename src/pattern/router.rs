//! ROUTER: names each peer by a routing id, in the first frame of what it receives and sends.
//!
//! It owns the ids of its peers and knows to whom the message being sent goes. A peer is neither
//! read nor written before it has said who it is; one that claims another's id is refused, or
//! displaces it, and is never left waiting.

use std::collections::HashSet;

use bytes::Bytes;

use crate::error::Error;
use crate::msg::{Metadata, Msg};
use crate::pattern::named::{NamedPeers, is_valid_id};
use crate::pattern::{
    Origin, Pattern, PatternOption, Refused, greet, is_peer_gone, no_such_option,
};
use crate::pipe::Pipes;
use crate::routing::fq::Next;
use crate::routing::write;
use crate::slab::Key;
use crate::ypipe::Pop;

/// Where the frames of the message being sent go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sending {
    /// The next frame is a routing id.
    Address,
    /// To this peer.
    To(Key),
    /// Nowhere, up to the end of the message.
    Nowhere,
}

/// ROUTER, as in the module's text.
#[derive(Debug)]
pub(crate) struct Router {
    peers: NamedPeers,
    /// Pipes whose peers have not said yet who they are.
    anonymous: HashSet<Key>,
    /// Pipes that lost their id to another, to be removed once they have been read.
    displaced: HashSet<Key>,
    sending: Sending,
    mandatory: bool,
    handover: bool,
    probe: bool,
}

/// What a pipe tells of its peer.
enum Identity {
    /// Nothing yet.
    Unknown,
    /// What the peer calls itself, if it does, and we can.
    Known(Option<Bytes>),
    /// Nothing, and nothing will come.
    Over,
}

impl Router {
    pub(crate) fn new() -> Self {
        Self {
            peers: NamedPeers::new(),
            anonymous: HashSet::new(),
            displaced: HashSet::new(),
            sending: Sending::Address,
            mandatory: false,
            handover: false,
            probe: false,
        }
    }

    // ── who is who ───────────────────────────────────────────────────────────────────────────

    /// Takes an anonymous pipe into use if its peer has said who it is.
    fn identify(&mut self, pipes: &mut Pipes, key: Key) {
        match identity(pipes, key) {
            Identity::Unknown => {}
            Identity::Known(id) => {
                self.anonymous.remove(&key);
                self.welcome(pipes, key, id);
            }
            Identity::Over => self.detach(pipes, key),
        }
    }

    fn welcome(&mut self, pipes: &mut Pipes, key: Key, id: Option<Bytes>) {
        let holder = id.as_ref().and_then(|id| self.peers.key_of(id));
        match holder {
            Some(_) if !self.handover => {
                pipes.remove(key);
            }
            Some(holder) => {
                self.displace(pipes, holder);
                self.peers.attach(key, id);
            }
            None => self.peers.attach(key, id),
        }
    }

    /// Takes the name from a peer; what it has sent can still be read.
    fn displace(&mut self, pipes: &mut Pipes, key: Key) {
        self.peers.displace(key);
        if self.sending == Sending::To(key) {
            self.sending = Sending::Nowhere;
            if let Some(pipe) = pipes.get_mut(key) {
                pipe.rollback();
            }
        }
        self.displaced.insert(key);
        self.remove_if_read(pipes, key);
    }

    /// Removes a displaced pipe when there is nothing left to read.
    fn remove_if_read(&mut self, pipes: &mut Pipes, key: Key) {
        if self.displaced.contains(&key) {
            let unread = pipes
                .get_mut(key)
                .map(|pipe| matches!(pipe.peek(), Pop::Item(_)));
            if unread != Some(true) {
                self.detach(pipes, key);
            }
        }
    }

    // ── sending ──────────────────────────────────────────────────────────────────────────────

    /// Takes the frame with the routing id.
    fn address(&mut self, pipes: &mut Pipes, id: &Msg) -> Result<(), Refused> {
        if !id.more() {
            return Ok(());
        }
        self.sending = match self.peers.route(pipes, id) {
            Ok(key) => Sending::To(key),
            Err(refused) if self.mandatory => return Err(refused),
            Err(_) => Sending::Nowhere,
        };
        Ok(())
    }

    /// Takes a frame of the body.
    fn forward(&mut self, pipes: &mut Pipes, key: Key, frame: &mut Msg) {
        let more = frame.more();
        let written = write(pipes, key, frame).is_ok();
        self.sending = match (more, written) {
            (true, true) => Sending::To(key),
            (true, false) => Sending::Nowhere,
            (false, _) => Sending::Address,
        };
    }
}

/// Looks at what a pipe says of its peer before its first message. Where nothing is said, as by
/// a peer of this process, the first message shows that nothing will be.
fn identity(pipes: &mut Pipes, key: Key) -> Identity {
    let Some(pipe) = pipes.get_mut(key) else {
        return Identity::Over;
    };
    let has_message = match pipe.peek() {
        Pop::Item(_) => true,
        Pop::Empty => false,
        Pop::Finished => return Identity::Over,
    };
    match pipe.peer() {
        Some(metadata) => Identity::Known(chosen_id(metadata)),
        None if has_message => Identity::Known(None),
        None => Identity::Unknown,
    }
}

fn chosen_id(metadata: &Metadata) -> Option<Bytes> {
    let id = metadata.identity().filter(|id| is_valid_id(id))?;
    Some(Bytes::copy_from_slice(id))
}

impl Pattern for Router {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, origin: Origin) {
        if self.probe {
            greet(pipes, key);
        }
        if origin.routing_id.is_some() {
            self.peers.attach(key, origin.routing_id);
        } else {
            self.anonymous.insert(key);
            self.identify(pipes, key);
        }
        if is_peer_gone(pipes, key) {
            self.on_closed(pipes, key);
        }
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.peers.detach(pipes, key);
        self.anonymous.remove(&key);
        self.displaced.remove(&key);
        pipes.remove(key);
    }

    fn on_readable(&mut self, pipes: &mut Pipes, key: Key) {
        if self.anonymous.contains(&key) {
            self.identify(pipes, key);
        }
        self.peers.activate(key);
    }

    /// Whether a peer has room is asked when there is a message for it.
    fn on_writable(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        if self.anonymous.contains(&key) {
            self.identify(pipes, key);
        }
        self.peers.release(key);
        if self.peers.is_over(pipes, key) {
            self.detach(pipes, key);
        }
    }

    fn on_hiccup(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        match self.sending {
            Sending::Address => return self.address(pipes, msg),
            Sending::To(key) => self.forward(pipes, key, msg),
            Sending::Nowhere if msg.more() => {}
            Sending::Nowhere => self.sending = Sending::Address,
        }
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused> {
        loop {
            match self.peers.recv(pipes, into) {
                Next::Frame(key) => {
                    if !into.more() {
                        self.remove_if_read(pipes, key);
                    }
                    return Ok(());
                }
                Next::Ended(key) => self.detach(pipes, key),
                Next::Idle => return Err(Refused::WouldBlock),
            }
        }
    }

    /// Always: a message for a peer without room is dropped, or refused once its id is seen.
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

    fn set(&mut self, _pipes: &mut Pipes, option: PatternOption) -> Result<(), Error> {
        if let PatternOption::RouterMandatory(on) = option {
            self.mandatory = on;
        } else if let PatternOption::RouterHandover(on) = option {
            self.handover = on;
        } else if let PatternOption::ProbeRouter(on) = option {
            self.probe = on;
        } else {
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

#[cfg(test)]
mod tests;
