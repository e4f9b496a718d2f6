//! The handshake of ZMTP 3.x: what is sent to the byte, and what is refused.

use super::*;

#[test]
fn what_is_sent_is_exactly_zmtp_3_1() {
    let mut side = Side::with(DEALER, |options| {
        options.routing_id = Bytes::from_static(b"id");
        options.metadata = vec![("X-Hello".into(), Bytes::from_static(b"World"))];
    });
    assert_eq!(side.sent(), b"\xFF\0\0\0\0\0\0\0\x03\x7F");
    assert!(side.receive(SIGNATURE).is_empty());
    assert_eq!(side.sent(), [3]);
    assert!(side.receive(&greeting(3, 1)[10..11]).is_empty());
    assert_eq!(side.sent(), greeting(3, 1)[11..]);
    assert!(side.receive(&greeting(3, 1)[11..]).is_empty());
    let ready = b"\x04\x3C\x05READY\x0BSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x02id\
        \x07X-Hello\0\0\0\x05World";
    assert_eq!(side.sent(), ready);
}

#[test]
fn only_some_types_announce_a_routing_id_and_those_even_an_empty_one() {
    let sent_by = |socket_type| {
        let mut side = Side::new(socket_type);
        side.receive(&greeting(3, 1));
        side.sent().split_off(64)
    };
    assert_eq!(
        sent_by(PUSH),
        b"\x04\x1A\x05READY\x0BSocket-Type\0\0\0\x04PUSH"
    );
    let req = b"\x04\x26\x05READY\x0BSocket-Type\0\0\0\x03REQ\x08Identity\0\0\0\0";
    assert_eq!(sent_by(REQ), req);
}

#[test]
fn metadata_is_what_the_peer_told_and_where_it_is() {
    let options = Options::new(ROUTER);
    let mut side = Side::new(ROUTER);
    side.engine = StreamEngine::new(EngineSpec {
        options: &options,
        peer_address: Some("10.0.0.1".into()),
        now: side.now,
    });
    let told = [
        ("socket-type", "DEALER"),
        ("Identity", "me"),
        ("X-Hello", "World"),
        ("Peer-Address", "8.8.8.8"),
    ];
    let events = side.receive(&[greeting(3, 1), ready_frame(&told)].concat());
    let known = [("Peer-Address", "10.0.0.1"), told[0], told[1], told[2]];
    assert_eq!(events, [ready(&known)]);
}

#[test]
fn a_handshake_may_come_byte_by_byte() {
    let mut side = Side::new(PULL);
    let push = [("Socket-Type", "PUSH")];
    let bytes = [greeting(3, 1), ready_frame(&push), frame(0, "hi")].concat();
    assert_eq!(
        side.receive_sliced(&bytes, &[1]),
        [ready(&push), message("hi")]
    );
}

#[test]
fn later_versions_are_taken_for_3_1() {
    for major in [2, 4, 9, 0x7F] {
        let mut side = Side::new(SUB);
        let publisher = [("Socket-Type", "PUB")];
        side.receive(&[greeting(major, 0), ready_frame(&publisher)].concat());
        side.sent();
        side.push(Msg::from("a").of_kind(Kind::Subscribe));
        assert_eq!(side.sent(), b"\x04\x0B\x09SUBSCRIBEa", "major {major}");
    }
}

#[test]
fn the_peers_mechanism_must_be_ours() {
    for name in [
        &b"PLAIN"[..],
        b"CURVE",
        b"NULLX",
        b"null",
        b"",
        b"NULL\0\0x",
    ] {
        let events = Side::new(PULL).receive(&greeting_of(3, 1, name));
        assert_eq!(
            events,
            [failed(ProtocolError::MechanismMismatch)],
            "{name:?}"
        );
    }
}

#[test]
fn only_what_can_talk_to_us_is_accepted() {
    let told = |name, value| after_greeting(PULL, &ready_frame(&[(name, value)]));
    let incompatible = [failed(ProtocolError::IncompatibleSocketType)];
    assert_eq!(told("Socket-Type", "PULL"), incompatible);
    assert_eq!(told("Socket-Type", "push"), incompatible);
    assert_eq!(
        told("socket-TYPE", "SUB"),
        incompatible,
        "names have no case"
    );
    assert_eq!(
        told("Socket-Type", "PUSH"),
        [ready(&[("Socket-Type", "PUSH")])]
    );
    assert_eq!(after_greeting(PULL, &ready_frame(&[])), [ready(&[])]);
}

#[test]
fn a_routing_id_has_at_most_255_bytes_and_does_not_start_with_zero() {
    let identity = |id: &str| after_greeting(ROUTER, &ready_frame(&[("Identity", id)]));
    let longest = "x".repeat(255);
    assert_eq!(identity(&longest), [ready(&[("Identity", &longest)])]);
    assert_eq!(identity(""), [ready(&[("Identity", "")])], "none");
    let invalid = [failed(ProtocolError::InvalidRoutingId)];
    assert_eq!(identity(&"x".repeat(256)), invalid);
    assert_eq!(identity("\0abcd"), invalid);
}

#[test]
fn truncated_metadata_is_refused() {
    let whole = command::ready([("Socket-Type", &b"PUSH"[..])].into_iter());
    for len in 7..whole.len() {
        let events = after_greeting(PULL, &frame(4, &whole[..len]));
        assert_eq!(events, [failed(ProtocolError::InvalidMetadata)], "{len}");
    }
}

#[test]
fn nothing_but_ready_or_error_ends_the_handshake() {
    for body in [
        &b""[..],
        b"\x05HELLO",
        b"\x04PING\0\0",
        b"\x05READ",
        b"\x09SUBSCRIBE",
        b"data",
    ] {
        for flags in [0, 4] {
            let events = after_greeting(PUB, &frame(flags, body));
            assert_eq!(
                events,
                [failed(ProtocolError::UnexpectedCommand)],
                "{body:?}"
            );
        }
    }
}

#[test]
fn handshake_frames_need_no_command_flag() {
    let mut bytes = ready_frame(&[("Socket-Type", "PUSH")]);
    bytes[0] = 0;
    assert_eq!(
        after_greeting(PULL, &bytes),
        [ready(&[("Socket-Type", "PUSH")])]
    );
}

#[test]
fn a_handshake_command_is_limited() {
    let announced = |size: u64| after_greeting(PULL, &[&[6][..], &size.to_be_bytes()].concat());
    assert_eq!(announced(64 * 1024), []);
    let too_large = [failed(ProtocolError::CommandTooLarge)];
    assert_eq!(announced(64 * 1024 + 1), too_large);
    assert_eq!(announced(1 << 40), too_large);
    assert_eq!(
        announced(1 << 63),
        [failed(ProtocolError::MalformedMessage)]
    );
}

#[test]
fn a_refusal_tells_its_status() {
    let refused = |body: &[u8]| after_greeting(PULL, &frame(4, body));
    for (reason, status) in [
        ("300", 300),
        ("400", 400),
        ("500", 500),
        ("200", 0),
        ("no", 0),
    ] {
        let body = [b"\x05ERROR", &[reason.len() as u8][..], reason.as_bytes()].concat();
        assert_eq!(
            refused(&body),
            [failed(ProtocolError::Refused(status))],
            "{reason}"
        );
    }
    assert_eq!(
        refused(b"\x05ERROR\x03no"),
        [failed(ProtocolError::MalformedError)]
    );
}

#[test]
fn a_failed_engine_stays_failed() {
    let mut side = Side::new(PULL);
    assert_eq!(side.receive(&greeting_of(3, 1, b"CURVE")).len(), 1);
    let later = [greeting(3, 1), ready_frame(&[]), frame(0, "x")].concat();
    assert_eq!(side.receive(&later), []);
    assert!(!side.engine.wants_messages());
    assert!(side.sent().is_empty());
    assert_eq!(side.pass(1000 * SECOND), Ok(()));
}

#[test]
fn traffic_may_follow_ready_in_one_segment() {
    let push = [("Socket-Type", "PUSH")];
    let bytes = [ready_frame(&push), frame(1, "a"), frame(0, "b")].concat();
    let events = [ready(&push), part("a"), message("b")];
    assert_eq!(after_greeting(PULL, &bytes), events);
}

#[test]
fn no_message_is_wanted_before_the_peer_is_ready() {
    let mut side = Side::new(PUSH);
    side.receive(&greeting(3, 1));
    assert!(!side.engine.wants_messages());
    side.receive(&ready_frame(&[]));
    assert!(side.engine.wants_messages());
}
