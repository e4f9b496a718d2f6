//! What peers tell each other and how soon: handshakes, properties, heartbeats, limits of size.

use super::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use ferrozmq::{ProtocolError, Reason};

/// A ZMTP peer by hand.
struct Peer(TcpStream);

impl Peer {
    /// Accepts a connection, and does its part of the handshake as a PULL.
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut peer = Self(stream);
        let mut greeting = [0; 64];
        greeting[..16].copy_from_slice(b"\xff\0\0\0\0\0\0\0\0\x7f\x03\x01NULL");
        peer.0.write_all(&greeting).unwrap();
        peer.0
            .write_all(b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL")
            .unwrap();
        peer.0.read_exact(&mut greeting).unwrap();
        peer.command(b"READY");
        peer
    }

    /// Reads a command frame, and returns what follows the name that it must have.
    #[track_caller]
    fn command(&mut self, name: &[u8]) -> Vec<u8> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).unwrap();
        assert_eq!(head[0], 4, "no short command");
        let mut body = vec![0; head[1].into()];
        self.0.read_exact(&mut body).unwrap();
        assert_eq!(&body[1..=name.len()], name);
        body.split_off(1 + name.len())
    }
}

/// A PUSH that connects to a listener of the system's, and its monitor.
fn client(ctx: &Ctx, set: impl FnOnce(&Socket)) -> (TcpListener, Socket, Monitor) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let push = socket(ctx, SocketType::PUSH);
    let monitor = push.monitor();
    set(&push);
    push.connect(&format!("tcp://{}", listener.local_addr().unwrap()))
        .unwrap();
    (listener, push, monitor)
}

#[track_caller]
fn loss(monitor: &Monitor) -> Reason {
    let is_loss = |kind: &EventKind| matches!(kind, EventKind::Disconnected { .. });
    match event(monitor, is_loss).kind {
        EventKind::Disconnected { reason, .. } => reason,
        _ => unreachable!("it was looked for"),
    }
}

#[test]
fn a_handshake_takes_no_longer_than_allowed() {
    let ctx = Ctx::new();
    let (listener, _push, monitor) = client(&ctx, |push| {
        push.set_handshake_ivl(Some(Duration::from_millis(20)))
            .unwrap();
    });
    let _silent = listener.accept().unwrap();
    let is_failure = |kind: &EventKind| matches!(kind, EventKind::HandshakeFailed { reason } if *reason == Reason::HandshakeTimeout);
    event(&monitor, is_failure);
}

#[test]
fn pings_carry_the_time_to_live_and_must_be_answered() {
    let ctx = Ctx::new();
    let (listener, _push, monitor) = client(&ctx, |push| {
        push.set_heartbeat_ivl(Some(Duration::from_millis(10)))
            .unwrap();
        push.set_heartbeat_ttl(Duration::from_millis(1250)).unwrap();
        push.set_heartbeat_timeout(Some(Duration::from_millis(30)))
            .unwrap();
    });
    let mut peer = Peer::accept(&listener);
    assert_eq!(peer.command(b"PING")[..2], [0, 12]);
    assert_eq!(loss(&monitor), Reason::HeartbeatTimeout);
}

#[test]
fn without_a_timeout_of_its_own_a_ping_waits_for_an_interval() {
    let ctx = Ctx::new();
    let (listener, _push, monitor) = client(&ctx, |push| {
        push.set_heartbeat_ivl(Some(Duration::from_millis(20)))
            .unwrap();
    });
    let mut peer = Peer::accept(&listener);
    assert_eq!(peer.command(b"PING")[..2], [0, 0]);
    assert_eq!(loss(&monitor), Reason::HeartbeatTimeout);
}

#[test]
fn with_a_timeout_of_zero_pings_need_no_answer() {
    let ctx = Ctx::new();
    let (listener, _push, _monitor) = client(&ctx, |push| {
        push.set_heartbeat_ivl(Some(Duration::from_millis(5)))
            .unwrap();
        push.set_heartbeat_timeout(Some(Duration::ZERO)).unwrap();
    });
    let mut peer = Peer::accept(&listener);
    for _ in 0..5 {
        peer.command(b"PING");
    }
}

#[test]
fn a_frame_larger_than_allowed_ends_the_connection() {
    let ctx = Ctx::new();
    let (pull, push) = (
        socket(&ctx, SocketType::PULL),
        socket(&ctx, SocketType::PUSH),
    );
    pull.set_maxmsgsize(Some(10)).unwrap();
    let monitor = pull.monitor();
    push.set_reconnect_on_protocol_error(false).unwrap();
    push.connect(&bound(&pull)).unwrap();
    push.send([1; 10], 0).unwrap();
    assert_eq!(pull.recv_bytes(0).unwrap(), [1; 10]);
    push.send([2; 11], 0).unwrap();
    let too_large = Reason::Protocol(ProtocolError::MessageTooLarge);
    assert_eq!(loss(&monitor), too_large);
}

#[test]
fn a_routing_id_is_told_to_routers() {
    let ctx = Ctx::new();
    for endpoint in ["tcp://127.0.0.1:*", "ipc://*", "inproc://told"] {
        let (router, dealer) = (
            socket(&ctx, SocketType::ROUTER),
            socket(&ctx, SocketType::DEALER),
        );
        router.bind(endpoint).unwrap();
        dealer.set_identity(b"me").unwrap();
        dealer.connect(&router.last_endpoint()).unwrap();
        dealer.send("x", 0).unwrap();
        assert_eq!(frames(&router), [&b"me"[..], b"x"], "{endpoint}");
    }
}

#[test]
fn properties_come_with_every_message_and_the_first_value_stands() {
    let ctx = Ctx::new();
    for endpoint in ["tcp://127.0.0.1:*", "inproc://properties"] {
        let (pull, push) = (
            socket(&ctx, SocketType::PULL),
            socket(&ctx, SocketType::PUSH),
        );
        pull.bind(endpoint).unwrap();
        push.set_metadata_property("X-Who", "first").unwrap();
        push.set_metadata_property("x-who", "bad").unwrap_err();
        push.set_metadata_property("X-WHO", "second").unwrap();
        push.set_metadata_property("X-Empty", "").unwrap();
        push.connect(&pull.last_endpoint()).unwrap();
        push.send("x", 0).unwrap();
        let msg = pull.recv_msg(0).unwrap();
        assert_eq!(msg.gets("X-Who"), Some("first"), "{endpoint}");
        assert_eq!(msg.gets("X-Empty"), Some(""), "{endpoint}");
    }
}

#[test]
fn properties_need_a_proper_name_and_room() {
    let ctx = Ctx::new();
    let socket = socket(&ctx, SocketType::PUSH);
    let too_long = format!("X-{}", "x".repeat(254));
    for name in ["", "Who", "Identity", "X-a b", "X-ä", "X-a:b", &too_long] {
        assert_invalid(socket.set_metadata_property(name, "x"));
    }
    socket.set_metadata_property(&too_long[..255], "x").unwrap();
    assert_invalid(socket.set_metadata_property("X-Large", vec![0; 32 * 1024]));
    let added = (0..1000).take_while(|n| {
        let name = format!("X-{n}");
        socket.set_metadata_property(&name, "").is_ok()
    });
    assert_eq!(added.count(), 127);
}
