//! Messages, subscriptions and stray commands of a 3.x peer.

use super::*;

#[test]
fn as_much_is_gathered_as_the_options_allow() {
    let mut side = Side::ready(PUSH, "PULL", |options| options.out_batch_size = Some(100));
    let gathered = std::iter::from_fn(|| {
        let wants = side.engine.wants_messages();
        wants.then(|| side.engine.push(vec![7; 30].into()))
    });
    // Each frame has a head of two bytes.
    assert_eq!(gathered.count(), 4);
    assert_eq!(side.sent().len(), 4 * 32);
    assert!(side.engine.wants_messages());
}

#[test]
fn commands_that_mean_nothing_are_passed_over() {
    let mut side = Side::ready(PULL, "PUSH", |_| ());
    for body in [
        &b""[..],
        b"\x00",
        b"\xFFx",
        b"\x05READY",
        b"\x05READY\x0BSocket",
        b"\x05ERROR\x03400",
        b"\x04PONG",
        b"\x04JOINgroup",
        b"\x05LEAVEgroup",
        b"\x05HELLO",
        b"\x09SUBSCRIBEa",
        b"\x06CANCELa",
    ] {
        assert_eq!(side.receive(&frame(4, body)), [], "{body:?}");
        assert!(side.sent().is_empty(), "{body:?}");
    }
    let long_group = [b"\x04JOIN", &[b'g'; 300][..]].concat();
    assert_eq!(side.receive(&frame(4, long_group)), []);
    assert_eq!(side.receive(&frame(0, "after")), [message("after")]);
}

#[test]
fn subscriptions_reach_a_publisher() {
    let mut side = Side::ready(XPUB, "SUB", |_| ());
    let commands = [
        frame(4, b"\x09SUBSCRIBEa"),
        frame(5, b"\x06CANCELa"),
        frame(4, b"\x09SUBSCRIBE"),
    ];
    let events = side.receive(&commands.concat());
    assert_eq!(events, [subscribe("a"), cancel("a"), subscribe("")]);
    let topic = "t".repeat(1 << 20);
    let command = [b"\x09SUBSCRIBE", topic.as_bytes()].concat();
    assert_eq!(side.receive(&frame(4, command)), [subscribe(&topic)]);
}

#[test]
fn what_looks_like_an_old_subscription_is_a_message_here() {
    for minor in [0, 1] {
        let mut side = Side::new(XPUB);
        side.receive(&[greeting(3, minor), ready_frame(&[])].concat());
        let events = side.receive(&[frame(0, "\x01a"), frame(0, "\0a")].concat());
        assert_eq!(events, [message("\x01a"), message("\0a")]);
    }
}

#[test]
fn subscriptions_are_sent_in_the_form_that_the_peer_knows() {
    let greetings = [
        (
            greeting(3, 1),
            &b"\x04\x0B\x09SUBSCRIBEa\x04\x08\x06CANCELa"[..],
        ),
        (greeting(3, 0), b"\x00\x02\x01a\x00\x02\x00a"),
    ];
    for (greeting, expected) in greetings {
        let mut side = Side::new(SUB);
        side.receive(&[greeting, ready_frame(&[])].concat());
        side.sent();
        side.push(Msg::from("a").of_kind(Kind::Subscribe));
        side.push(Msg::from("a").of_kind(Kind::Cancel));
        assert_eq!(side.sent(), expected);
    }
}

#[test]
fn a_topic_of_255_bytes_reaches_old_peers_unbroken() {
    let topic = [b't'; 255];
    let long = [&[2, 0, 0, 0, 0, 0, 0, 1, 0, 1][..], &topic].concat();
    let v3_0 = [greeting(3, 0), ready_frame(&[])].concat();
    let v2 = [SIGNATURE, &[1, 1], &[0, 0]].concat();
    for handshake in [v3_0, v2] {
        let mut side = Side::new(SUB);
        side.receive(&handshake);
        side.sent();
        side.push(Msg::copied(&topic).of_kind(Kind::Subscribe));
        assert_eq!(side.sent(), long);
    }
}

#[test]
fn a_message_is_limited_before_it_arrives() {
    let mut side = Side::ready(PULL, "PUSH", |options| options.max_msg_size = Some(1000));
    assert_eq!(side.receive(&frame(0, [7; 1000])), [message([7; 1000])]);
    let announced = [&[2][..], &1001u64.to_be_bytes()].concat();
    assert_eq!(
        side.receive(&announced),
        [failed(ProtocolError::MessageTooLarge)]
    );
}

#[test]
fn impossible_lengths_fail_and_huge_ones_take_nothing() {
    for (size, events) in [
        (u64::MAX, vec![failed(ProtocolError::MalformedMessage)]),
        (1 << 63, vec![failed(ProtocolError::MalformedMessage)]),
        ((1 << 63) - 1, vec![]),
        (1 << 40, vec![]),
    ] {
        let mut side = Side::ready(PULL, "PUSH", |_| ());
        assert_eq!(
            side.receive(&[&[2][..], &size.to_be_bytes()].concat()),
            events
        );
        assert!(
            side.engine
                .body_space()
                .is_none_or(|space| space.len() <= 64 * 1024)
        );
    }
}

#[test]
fn the_batch_is_bounded() {
    let mut side = Side::ready(PUSH, "PULL", |_| ());
    while side.engine.wants_messages() {
        side.push(Msg::zeroed(1000));
    }
    let pending = side.engine.batch.pending();
    assert!((BATCH_MAX..BATCH_MAX + 1009).contains(&pending));
    side.engine.handle_sent(1009);
    assert!(side.engine.wants_messages());
}
