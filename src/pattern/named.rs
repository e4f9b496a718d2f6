//! [`NamedPeers`]: what ROUTER and STREAM share, peers that are known by routing ids.
//!
//! It owns the ids, which no two peers to be written to have in common, and the fair queue, and
//! puts the id in front of each message that it reads. It never writes.

use std::collections::HashMap;

use bytes::Bytes;

use crate::msg::Msg;
use crate::pattern::Refused;
use crate::pipe::Pipes;
use crate::routing::fq::{Fq, Next};
use crate::slab::Key;

/// The longest routing id that a peer can choose.
const ID_MAX: usize = 255;

/// Whether a peer's own choice of routing id can stand. Ids that begin with a zero byte are ours
/// to give.
pub(crate) fn is_valid_id(id: &[u8]) -> bool {
    id.len() <= ID_MAX && id.first().is_some_and(|byte| *byte != 0)
}

/// Peers by routing id, and the messages from them.
#[derive(Debug)]
pub(crate) struct NamedPeers {
    fq: Fq,
    /// How each pipe's messages are labelled.
    labels: HashMap<Key, Bytes>,
    /// Whom a routing id means; a peer that is gone or was displaced has none.
    keys: HashMap<Bytes, Key>,
    /// The number in the next automatic id; a peer must not be able to guess the first.
    next_id: u32,
    /// The first frame of a message whose label has been given away.
    first: Option<(Key, Msg)>,
}

impl NamedPeers {
    pub(crate) fn new() -> Self {
        Self {
            fq: Fq::default(),
            labels: HashMap::new(),
            keys: HashMap::new(),
            next_id: fastrand::u32(..),
            first: None,
        }
    }

    /// Takes a pipe into use under a routing id, or an automatic one if that is `None` or taken.
    pub(crate) fn attach(&mut self, key: Key, id: Option<Bytes>) {
        let id = id.filter(|id| !id.is_empty() && !self.keys.contains_key(id));
        let id = id.unwrap_or_else(|| self.automatic_id());
        self.labels.insert(key, id.clone());
        self.keys.insert(id, key);
        self.fq.attach(key);
    }

    /// Forgets a pipe, except for the rest of a message that has been begun. To be called before
    /// the pipe is removed.
    pub(crate) fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.fq.detach(pipes, key);
        self.release(key);
        self.labels.remove(&key);
    }

    /// Frees the routing id of a pipe that is only read from now on.
    pub(crate) fn release(&mut self, key: Key) {
        if let Some(id) = self.labels.get(&key) {
            if self.keys.get(id) == Some(&key) {
                self.keys.remove(id);
            }
        }
    }

    /// Takes a pipe's routing id away; what is left to read has an automatic one.
    pub(crate) fn displace(&mut self, key: Key) {
        self.release(key);
        let id = self.automatic_id();
        self.labels.insert(key, id);
    }

    fn automatic_id(&mut self) -> Bytes {
        loop {
            let [a, b, c, d] = self.next_id.to_be_bytes();
            self.next_id = self.next_id.wrapping_add(1);
            let id = [0, a, b, c, d];
            if !self.keys.contains_key(&id[..]) {
                return Bytes::copy_from_slice(&id);
            }
        }
    }

    /// The peer that a routing id means, if it has room for a message.
    pub(crate) fn route(&self, pipes: &mut Pipes, id: &[u8]) -> Result<Key, Refused> {
        let key = self.key_of(id).ok_or(Refused::HostUnreachable)?;
        let pipe = pipes.get_mut(key).ok_or(Refused::HostUnreachable)?;
        if pipe.is_peer_gone() {
            return Err(Refused::HostUnreachable);
        }
        pipe.can_write().then_some(key).ok_or(Refused::WouldBlock)
    }

    /// The pipe that a routing id means.
    pub(crate) fn key_of(&self, id: &[u8]) -> Option<Key> {
        self.keys.get(id).copied()
    }

    /// The routing id of a pipe.
    pub(crate) fn id_of(&self, key: Key) -> Option<&Bytes> {
        self.labels.get(&key)
    }

    /// A pipe has something to read again, perhaps only its end.
    pub(crate) fn activate(&mut self, key: Key) {
        self.fq.activate(key);
    }

    /// See [`Fq::is_over`].
    pub(crate) fn is_over(&mut self, pipes: &mut Pipes, key: Key) -> bool {
        self.fq.is_over(pipes, key)
    }

    /// Reads a frame: the routing id, and then the frames of a message.
    pub(crate) fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Next {
        if let Some((key, frame)) = self.first.take() {
            *into = frame;
            return Next::Frame(key);
        }
        let begins = !self.fq.is_within_message();
        let next = self.fq.recv(pipes, into);
        if let (Next::Frame(key), true) = (next, begins) {
            self.label(key, into);
        }
        next
    }

    /// Puts the label of a message in the place of its first frame, which comes after it.
    fn label(&mut self, key: Key, frame: &mut Msg) {
        let id = self.labels.get(&key).map_or(&[][..], |id| id);
        let mut label = Msg::copied(id);
        label.set_more(true);
        label.set_metadata(frame.shared_metadata());
        self.first = Some((key, std::mem::replace(frame, label)));
    }

    /// Whether [`NamedPeers::recv`] has a frame.
    pub(crate) fn peek(&mut self, pipes: &mut Pipes) -> Next {
        match &self.first {
            Some((key, _)) => Next::Frame(*key),
            None => self.fq.peek(pipes),
        }
    }
}
