//! Peers older than 3.0, with a greeting and without.

use super::*;

#[test]
fn a_peer_without_a_greeting_is_spoken_to_in_1_0() {
    let mut side = Side::with(DEALER, |options| {
        options.routing_id = Bytes::from_static(b"id")
    });
    let bytes = b"\x03\0me\x06\x01hello\x06\0world";
    let events = side.receive(bytes);
    assert_eq!(
        events,
        [
            ready(&[("Identity", "me")]),
            part("hello"),
            message("world")
        ]
    );
    let mut more = Msg::from("a");
    more.set_more(true);
    side.push(more);
    side.push("b");
    let sent = b"\xFF\0\0\0\0\0\0\0\x03\x7Fid\x02\x01a\x02\0b";
    assert_eq!(side.sent(), sent);
}

#[test]
fn an_identity_that_looks_like_a_signature_is_none() {
    let anonymous = b"\xFF\0\0\0\0\0\0\0\x01\0\x02\0x";
    let named = b"\xFF\0\0\0\0\0\0\0\x03\0me\x02\0x";
    for sizes in [&[1][..], &[9], &[10], &[11], &[100]] {
        let events = Side::new(DEALER).receive_sliced(anonymous, sizes);
        assert_eq!(events, [ready(&[("Identity", "")]), message("x")]);
        let events = Side::new(DEALER).receive_sliced(named, sizes);
        assert_eq!(events, [ready(&[("Identity", "me")]), message("x")]);
    }
}

#[test]
fn a_peer_that_cannot_subscribe_gets_everything() {
    for (socket_type, phantom) in [(PUB, true), (XPUB, true), (PUSH, false)] {
        let mut events = Side::new(socket_type).receive(b"\x01\0");
        assert_eq!(events.remove(0), ready(&[("Identity", "")]));
        let expected = phantom.then(|| subscribe(""));
        assert!(events.into_iter().eq(expected));
    }
    let with_greeting = [SIGNATURE, b"\0\x02\x01\0"].concat();
    let events = Side::new(PUB).receive(&with_greeting);
    assert_eq!(events, [ready(&[("Identity", "")])]);
}

#[test]
fn revision_0_is_1_0_with_a_greeting() {
    let mut side = Side::with(DEALER, |options| {
        options.routing_id = Bytes::from_static(b"id")
    });
    let events = side.receive(&[SIGNATURE, b"\0\x06\x03\0me\x02\0x"].concat());
    assert_eq!(events, [ready(&[("Identity", "me")]), message("x")]);
    side.push("y");
    let sent = b"\xFF\0\0\0\0\0\0\0\x03\x7F\x03\x05\x03\0id\x02\0y";
    assert_eq!(side.sent(), sent);
}

#[test]
fn revision_1_is_2_0() {
    let mut side = Side::with(DEALER, |options| {
        options.routing_id = Bytes::from_static(b"id")
    });
    let events = side.receive(&[SIGNATURE, b"\x01\x06\0\x02me\x01\x01x\x04\x01y"].concat());
    let expected = [ready(&[("Identity", "me")]), part("x"), message("y")];
    assert_eq!(events, expected, "2.0 has no commands");
    side.push("z");
    let sent = b"\xFF\0\0\0\0\0\0\0\x03\x7F\x03\x05\0\x02id\0\x01z";
    assert_eq!(side.sent(), sent);
}

#[test]
fn subscriptions_to_old_peers_are_messages() {
    let cases = [
        (b"\x01\0".to_vec(), &b"\x03\0\x01a\x03\0\0a"[..]),
        (
            [SIGNATURE, b"\0\x01\x01\0"].concat(),
            b"\x03\0\x01a\x03\0\0a",
        ),
        (
            [SIGNATURE, b"\x01\x01\0\0"].concat(),
            b"\0\x02\x01a\0\x02\0a",
        ),
    ];
    for (handshake, expected) in cases {
        let mut side = Side::new(SUB);
        assert_eq!(side.receive(&handshake), [ready(&[("Identity", "")])]);
        side.sent();
        side.push(Msg::from("a").of_kind(Kind::Subscribe));
        side.push(Msg::from("a").of_kind(Kind::Cancel));
        assert_eq!(side.sent(), expected);
    }
}

#[test]
fn old_peers_routing_ids_follow_the_same_rule() {
    let v1 = |identity: &[u8]| Side::new(ROUTER).receive(identity);
    let v2 =
        |identity: &[u8]| Side::new(ROUTER).receive(&[SIGNATURE, b"\x01\x05", identity].concat());
    let invalid = || [failed(ProtocolError::InvalidRoutingId)];
    let longest = "x".repeat(255);
    let accepted = || [ready(&[("Identity", &longest)])];
    let long_head = b"\xFF\0\0\0\0\0\0\x01\0\0";
    assert_eq!(v1(&[long_head, longest.as_bytes()].concat()), accepted());
    assert_eq!(v2(&frame(0, &longest)), accepted());
    assert_eq!(
        v1(b"\xFF\0\0\0\0\0\0\x01\x01\0"),
        invalid(),
        "not yet arrived"
    );
    assert_eq!(v2(&frame(0, [b'x'; 256])), invalid());
    assert_eq!(v1(b"\x03\0\0a"), invalid());
    assert_eq!(v2(b"\0\x02\0a"), invalid());
}

#[test]
fn impossible_lengths_of_1_0_fail() {
    let malformed = [failed(ProtocolError::MalformedMessage)];
    assert_eq!(Side::new(PULL).receive(b"\0\0"), malformed);
    for last in [0xD9, 0xDA, 0xFE, 0xFF] {
        let mut side = Side::new(PULL);
        assert_eq!(side.receive(b"\x01\0"), [ready(&[("Identity", "")])]);
        let head = [&[0xFF; 8][..], &[last, 0]].concat();
        assert_eq!(side.receive(&head), malformed);
    }
}

#[test]
fn large_messages_of_1_0_arrive() {
    let mut side = Side::new(PULL);
    side.receive(b"\x01\0");
    for fill in [1, 2, 3] {
        let body = vec![fill; 20_000];
        let bytes = [&[0xFF][..], &20_001u64.to_be_bytes(), &[0], &body].concat();
        assert_eq!(side.receive_sliced(&bytes, &[8192]), [message(&body)]);
    }
}
