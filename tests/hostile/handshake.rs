//! Greetings and handshake commands that are wrong: refused for the right reason.

use crate::peer::{
    COMMAND, RawPeer, SIGNATURE, command, command_body, frame, greeting, head, old_frame, opening,
    property, ready,
};
use crate::*;
use ProtocolError as E;

/// Bytes from a peer, and what is wrong with them.
type Case = (&'static str, Vec<u8>, ProtocolError);

#[track_caller]
fn refuse(cases: &[Case]) {
    for endpoint in EVERYWHERE {
        let victim = Victim::new(PULL, endpoint);
        for (what, bytes, error) in cases {
            eprintln!("{what}");
            let mut peer = victim.peer_that_sends(bytes);
            victim.expect_refused(*error);
            peer.expect_closed();
        }
        victim.still_serves();
    }
}

/// A greeting of version 3.1, and a command in place of READY.
fn instead_of_ready(bytes: &[u8]) -> Vec<u8> {
    [&greeting(3, 1, "NULL"), bytes].concat()
}

fn ready_with(properties: &[u8]) -> Vec<u8> {
    instead_of_ready(&command("READY", properties))
}

/// The first frame of a peer of ZMTP 1.0 that has no greeting, with its length as announced.
fn unversioned(announced: u64) -> Vec<u8> {
    [&[0xFF][..], &announced.to_be_bytes(), &[0]].concat()
}

#[test]
fn another_mechanism() {
    let named = |name| greeting(3, 1, name);
    refuse(&[
        ("PLAIN", named("PLAIN"), E::MechanismMismatch),
        ("CURVE", named("CURVE"), E::MechanismMismatch),
        ("none", named(""), E::MechanismMismatch),
        ("longer", named("NULLS"), E::MechanismMismatch),
        ("small letters", named("null"), E::MechanismMismatch),
        ("20 letters", named(&"N".repeat(20)), E::MechanismMismatch),
    ]);
}

#[test]
fn another_socket_type() {
    let types = [
        "PULL", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "XPUB", "XSUB", "PAIR", "STREAM",
        "push", "PUSHY", "", "\0",
    ];
    refuse(&types.map(|name| (name, opening(name, b""), E::IncompatibleSocketType)));
}

#[test]
fn a_peer_of_another_socket_type_is_told_why_it_is_closed() {
    let ctx = Ctx::new();
    let pull = patient(&ctx, PULL);
    for endpoint in ["tcp://127.0.0.1:*", "ipc://*"] {
        pull.bind(endpoint).unwrap();
        let mut peer = RawPeer::connect(&pull.last_endpoint());
        peer.send(&opening("DEALER", b""));
        peer.expect_opening();
        let why = command_body("ERROR", b"\x18incompatible socket type");
        assert_eq!(peer.read_frame(), (COMMAND, why));
        peer.expect_closed();
    }
}

#[test]
fn something_else_than_ready() {
    let early = |bytes: &[u8]| instead_of_ready(bytes);
    refuse(&[
        (
            "a message",
            early(&frame(0, b"early")),
            E::UnexpectedCommand,
        ),
        ("nothing", early(&frame(COMMAND, b"")), E::UnexpectedCommand),
        (
            "PING",
            early(&command("PING", b"\0\0")),
            E::UnexpectedCommand,
        ),
        (
            "SUBSCRIBE",
            early(&command("SUBSCRIBE", b"")),
            E::UnexpectedCommand,
        ),
        (
            "HELLO",
            early(&command("HELLO", &[0; 300])),
            E::UnexpectedCommand,
        ),
        (
            "INITIATE",
            early(&command("INITIATE", &[b'x'; 60_000])),
            E::UnexpectedCommand,
        ),
        (
            "a cut name",
            early(&frame(COMMAND, b"\x05REA")),
            E::UnexpectedCommand,
        ),
        (
            "refusal",
            early(&command("ERROR", b"\x03400")),
            E::Refused(400),
        ),
        (
            "refusal without a number",
            early(&command("ERROR", b"\x02no")),
            E::Refused(0),
        ),
        (
            "a cut refusal",
            early(&command("ERROR", b"\x09no")),
            E::MalformedError,
        ),
        (
            "no refusal",
            early(&command("ERROR", b"")),
            E::MalformedError,
        ),
    ]);
}

#[test]
fn metadata_that_does_not_parse() {
    let socket_type = property("Socket-Type", b"PUSH");
    let with = |more: &[u8]| ready_with(&[&socket_type, more].concat());
    refuse(&[
        ("a name without an end", with(b"\xFFX"), E::InvalidMetadata),
        (
            "a value without an end",
            with(b"\x01X\xFF\xFF\xFF\xFF"),
            E::InvalidMetadata,
        ),
        (
            "a value beyond 2 GiB",
            with(b"\x01X\x80\0\0\0x"),
            E::InvalidMetadata,
        ),
        ("a cut length", with(b"\x01X\0\0\0"), E::InvalidMetadata),
        ("no name", with(b"\0\0\0\0\0"), E::InvalidMetadata),
        (
            "a name of any bytes",
            with(b"\x01\xFF\0\0\0\0"),
            E::InvalidMetadata,
        ),
        (
            "ten thousand",
            with(&property("X", b"").repeat(10_000)),
            E::InvalidMetadata,
        ),
    ]);
}

#[test]
fn a_routing_id_that_nobody_can_have() {
    let peer = |id: &[u8]| opening("PUSH", id);
    refuse(&[
        ("256 bytes", peer(&[b'x'; 256]), E::InvalidRoutingId),
        ("1000 bytes", peer(&[b'x'; 1000]), E::InvalidRoutingId),
        (
            "one of ours",
            peer(b"\0\x6b\x8b\x45\x67"),
            E::InvalidRoutingId,
        ),
        ("zero", peer(b"\0"), E::InvalidRoutingId),
    ]);
}

#[test]
fn a_command_larger_than_any_there_is() {
    let announced = |size| instead_of_ready(&head(COMMAND, size));
    refuse(&[
        ("one too many", announced(64 * 1024 + 1), E::CommandTooLarge),
        ("1 GiB", announced(1 << 30), E::CommandTooLarge),
        (
            "all there can be",
            announced((1 << 63) - 1),
            E::CommandTooLarge,
        ),
        ("negative", announced(1 << 63), E::MalformedMessage),
        ("wrapping", announced(u64::MAX - 8), E::MalformedMessage),
        ("minus one", announced(u64::MAX), E::MalformedMessage),
    ]);
}

#[test]
fn old_peers_with_bad_first_frames() {
    let v2 = |bytes: &[u8]| [SIGNATURE, b"\x01\x08", bytes].concat();
    let v1 = |bytes: &[u8]| [SIGNATURE, b"\x00\x08", bytes].concat();
    refuse(&[
        (
            "2.0: long id",
            v2(&frame(0, &[b'x'; 300])),
            E::InvalidRoutingId,
        ),
        ("2.0: our id", v2(&frame(0, b"\0id")), E::InvalidRoutingId),
        ("2.0: announced", v2(&head(0, 1 << 40)), E::InvalidRoutingId),
        ("2.0: wrapping", v2(&head(0, u64::MAX)), E::MalformedMessage),
        (
            "1.0: long id",
            v1(&old_frame(0, &[b'x'; 300])),
            E::InvalidRoutingId,
        ),
        ("1.0: no flags", v1(b"\0\0"), E::MalformedMessage),
        (
            "unversioned: no flags",
            b"\0\0".to_vec(),
            E::MalformedMessage,
        ),
        (
            "unversioned: announced",
            unversioned(1 << 40),
            E::InvalidRoutingId,
        ),
        (
            "unversioned: wrapping",
            unversioned(0xFFFF_FFFF_FFFF_FFDA),
            E::MalformedMessage,
        ),
        (
            "unversioned: minus one",
            unversioned(u64::MAX),
            E::MalformedMessage,
        ),
        ("unversioned: zero", unversioned(0), E::MalformedMessage),
    ]);
}

/// Versions that do not exist count as the newest there is.
#[test]
fn a_version_of_the_future() {
    let victim = Victim::new(PULL, TCP);
    for major in [2, 4, 9, 0x7F, 0xFF] {
        let message = frame(0, &[major]);
        let bytes = [greeting(major, 9, "NULL"), ready("PUSH", b""), message].concat();
        let mut peer = victim.peer_that_sends(&bytes);
        peer.expect_opening();
        assert_eq!(victim.socket.recv_msg(0).unwrap(), [major][..]);
    }
}

/// Nobody has to wait for an answer before he speaks.
#[test]
fn everything_at_once() {
    for endpoint in EVERYWHERE {
        let victim = Victim::new(PULL, endpoint);
        let messages: Vec<u8> = (0..1000).flat_map(|_| frame(0, b"early")).collect();
        let mut peer = victim.peer_that_sends(&[opening("PUSH", b""), messages].concat());
        for _ in 0..1000 {
            assert_eq!(victim.socket.recv_msg(0).unwrap(), "early");
        }
        peer.expect_opening();
    }
}

/// A command is one wherever its pieces end.
#[test]
fn everything_byte_by_byte() {
    let victim = Victim::new(PULL, TCP);
    let mut peer = victim.peer();
    for byte in [opening("PUSH", b""), frame(0, b"slow")].concat() {
        peer.send(&[byte]);
    }
    assert_eq!(victim.socket.recv_msg(0).unwrap(), "slow");
}

/// READY need not be in a command frame, and may say nothing: ZeroMQ takes it so too.
#[test]
fn a_modest_ready() {
    let victim = Victim::new(PULL, TCP);
    let ready = frame(0, &command_body("READY", b""));
    let bytes = [greeting(3, 1, "NULL"), ready, frame(0, b"modest")].concat();
    let _peer = victim.peer_that_sends(&bytes);
    assert_eq!(victim.socket.recv_msg(0).unwrap(), "modest");
}

/// The connection of a socket that takes one peer is refused when it has one.
#[test]
fn a_second_peer_of_a_pair() {
    let victim = Victim::new(PAIR, TCP);
    let mut first = victim.ready_peer("PAIR");
    for _ in 0..100 {
        let mut other = RawPeer::connect(&victim.endpoint);
        other.send(&opening("PAIR", b""));
        victim.event(|kind| matches!(kind, EventKind::HandshakeSucceeded));
        victim.socket.get_events().unwrap();
        other.expect_closed();
    }
    first.send(&frame(0, b"first"));
    assert_eq!(victim.socket.recv_msg(0).unwrap(), "first");
    drop(first);
    wait_until(|| victim.socket.get_events().unwrap() == 0);
    victim.still_serves();
}
