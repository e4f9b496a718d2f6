//! SERVER and PEER: each peer is known by a number, which stands on the messages from it and must
//! stand on those to it.
//!
//! It owns the numbers, which start at random and are never 0, and a fair queue. It writes to whom
//! a message names, or refuses it; it drops nothing.

use std::collections::HashMap;

use crate::msg::Msg;
use crate::pattern::{Origin, Pattern, Refused, is_peer_gone};
use crate::pipe::Pipes;
use crate::routing::fq::{Fq, Next};
use crate::routing::write;
use crate::slab::Key;

/// SERVER and PEER, but for their messages' having one frame.
#[derive(Debug)]
pub(crate) struct Server {
    fq: Fq,
    /// The number of each pipe, and the pipe of each number.
    ids: HashMap<Key, u32>,
    keys: HashMap<u32, Key>,
    /// A peer must not be able to guess the number of another.
    next_id: u32,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self {
            fq: Fq::default(),
            ids: HashMap::new(),
            keys: HashMap::new(),
            next_id: fastrand::u32(..),
        }
    }

    fn fresh_id(&mut self) -> u32 {
        loop {
            let id = self.next_id;
            self.next_id = id.wrapping_add(1);
            if id != 0 && !self.keys.contains_key(&id) {
                return id;
            }
        }
    }

    /// The peer that a message is for, if it has room.
    fn route(&self, pipes: &mut Pipes, msg: &Msg) -> Result<Key, Refused> {
        let key = self.keys.get(&msg.routing_id());
        let key = *key.ok_or(Refused::HostUnreachable)?;
        let pipe = pipes.get_mut(key).ok_or(Refused::HostUnreachable)?;
        if pipe.is_peer_gone() {
            return Err(Refused::HostUnreachable);
        }
        pipe.can_write().then_some(key).ok_or(Refused::WouldBlock)
    }
}

impl Pattern for Server {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, _origin: Origin) {
        let id = self.fresh_id();
        self.ids.insert(key, id);
        self.keys.insert(id, key);
        self.fq.attach(key);
        if is_peer_gone(pipes, key) {
            self.on_closed(pipes, key);
        }
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.fq.detach(pipes, key);
        if let Some(id) = self.ids.remove(&key) {
            self.keys.remove(&id);
        }
        pipes.remove(key);
    }

    fn on_readable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.fq.activate(key);
    }

    /// Whether a peer has room is asked when there is a message for it.
    fn on_writable(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        if self.fq.is_over(pipes, key) {
            self.detach(pipes, key);
        }
    }

    fn on_hiccup(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        let key = self.route(pipes, msg)?;
        let id = msg.routing_id();
        // The number is ours; within the process the peer would see it.
        msg.assign_routing_id(0);
        if write(pipes, key, msg).is_err() {
            msg.assign_routing_id(id);
            return Err(Refused::HostUnreachable);
        }
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused> {
        loop {
            match self.fq.recv(pipes, into) {
                Next::Frame(key) => {
                    into.assign_routing_id(self.ids.get(&key).copied().unwrap_or_default());
                    return Ok(());
                }
                Next::Ended(key) => self.detach(pipes, key),
                Next::Idle => return Err(Refused::WouldBlock),
            }
        }
    }

    /// Always: a message for a peer without room is refused once its number is seen.
    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        true
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

    fn peer_id_of(&self, key: Key) -> Option<u32> {
        self.ids.get(&key).copied()
    }

    fn peer_by_id(&self, id: u32) -> Option<Key> {
        self.keys.get(&id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::testing::Rig;
    use crate::routing::testing::{Peer, frames};

    fn server() -> Rig<Server> {
        Rig::new(Server::new())
    }

    /// The number of a peer, by what it says.
    fn id_of(server: &mut Rig<Server>, peer: Peer) -> u32 {
        server.say(peer, &["who am I"]);
        server.recv_frame().unwrap().routing_id()
    }

    fn to(id: u32, body: &str) -> Msg {
        let mut msg = Msg::from(body);
        msg.assign_routing_id(id);
        msg
    }

    #[test]
    fn an_answer_goes_to_whom_the_number_names() {
        let mut server = server();
        let (a, b) = (server.connect(), server.connect());
        let (id_a, id_b) = (id_of(&mut server, a), id_of(&mut server, b));
        assert!(id_a != 0 && id_b != 0 && id_a != id_b);
        server.send_frame(to(id_b, "for b")).unwrap();
        server.send_frame(to(id_a, "for a")).unwrap();
        server.send(&[] as &[&str]).unwrap();
        assert_eq!(server.hear_all(a), [frames(&["for a"])]);
        assert_eq!(server.hear_all(b), [frames(&["for b"])]);
    }

    #[test]
    fn a_message_for_nobody_is_refused_with_its_number() {
        let mut server = server();
        let peer = server.connect();
        let id = id_of(&mut server, peer);
        for stranger in [0, id.wrapping_add(7)] {
            let (refused, msg) = server.refuse(to(stranger, "x"));
            assert_eq!(refused, Refused::HostUnreachable);
            assert_eq!((msg.routing_id(), msg), (stranger, "x".into()));
        }
    }

    #[test]
    fn a_full_peer_has_to_be_waited_for_and_a_gone_one_not() {
        let mut server = server();
        let peer = server.connect_hwm(1);
        let id = id_of(&mut server, peer);
        server.send_frame(to(id, "1")).unwrap();
        assert_eq!(
            server.send_frame(to(id, "2")).unwrap_err(),
            Refused::WouldBlock
        );
        server.send(&[] as &[&str]).unwrap();
        server.say(peer, &["last words"]);
        server.hang_up(peer);
        assert_eq!(
            server.send_frame(to(id, "2")).unwrap_err(),
            Refused::HostUnreachable
        );
        assert_eq!(server.recv_frame().unwrap().routing_id(), id);
    }

    #[test]
    fn a_number_is_neither_zero_nor_given_twice() {
        let mut server = server();
        server.pattern.next_id = u32::MAX;
        let (a, b) = (server.connect(), server.connect());
        assert_eq!(id_of(&mut server, a), u32::MAX);
        assert_eq!(id_of(&mut server, b), 1);
        server.pattern.next_id = u32::MAX;
        let c = server.connect();
        assert_eq!(id_of(&mut server, c), 2);
    }
}
