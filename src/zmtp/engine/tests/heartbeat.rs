//! Deadlines: PING and PONG, silence, and the handshake's end, in virtual time.

use super::*;

fn beating(options: &mut Options) {
    options.heartbeat.interval = Some(SECOND);
    options.heartbeat.ttl = Duration::from_millis(2500);
    options.heartbeat.timeout = Some(3 * SECOND);
}

#[test]
fn pings_are_sent_at_each_interval() {
    let mut side = Side::ready(PULL, "PUSH", beating);
    side.pass(SECOND - Duration::from_millis(1)).unwrap();
    assert!(side.sent().is_empty());
    side.pass(Duration::from_millis(1)).unwrap();
    assert_eq!(side.sent(), b"\x04\x07\x04PING\0\x19");
    side.pass(SECOND).unwrap();
    assert_eq!(side.sent(), b"\x04\x07\x04PING\0\x19");
}

#[test]
fn a_peer_silent_after_a_ping_is_given_up() {
    let mut side = Side::ready(PULL, "PUSH", beating);
    side.pass(4 * SECOND - Duration::from_millis(1)).unwrap();
    let outcome = side.pass(Duration::from_millis(1));
    assert_eq!(outcome, Err(Failure::HeartbeatTimeout));
    assert_eq!(side.engine.poll_timeout(), None);
}

#[test]
fn without_a_timeout_of_its_own_the_interval_counts() {
    let mut side = Side::ready(PULL, "PUSH", |options| {
        options.heartbeat.interval = Some(SECOND);
    });
    side.pass(SECOND).unwrap();
    assert_eq!(side.pass(SECOND), Err(Failure::HeartbeatTimeout));
}

#[test]
fn any_bytes_are_life_even_a_part_of_a_frame() {
    let mut side = Side::ready(PULL, "PUSH", beating);
    let large = frame(0, [0; 200_000]);
    for bytes in [
        &b"\x04"[..],
        b"\x05\x04PONG",
        &large[..5],
        &large[5..10],
        &large[10..20],
    ] {
        side.pass(Duration::from_millis(2900)).unwrap();
        assert_eq!(side.receive(bytes), []);
    }
    side.pass(Duration::from_millis(2900)).unwrap();
    assert!(side.engine.body_space().is_some());
    side.engine.handle_body(1, side.now);
    side.pass(Duration::from_millis(2900)).unwrap();
}

#[test]
fn a_peer_that_answers_lives() {
    let mut side = Side::ready(PULL, "PUSH", beating);
    for _ in 0..100 {
        side.pass(SECOND).unwrap();
        assert!(!side.sent().is_empty());
        side.receive(b"\x04\x05\x04PONG");
    }
}

#[test]
fn a_ping_of_any_length_is_answered_with_its_context_alone() {
    let mut side = Side::ready(PULL, "PUSH", |_| ());
    let mut answer = |argument: &[u8]| {
        assert_eq!(
            side.receive(&frame(4, [b"\x04PING", argument].concat())),
            []
        );
        side.sent()
    };
    assert_eq!(answer(b""), b"");
    assert_eq!(answer(b"\0"), b"");
    let context = b"0123456789abcdefg";
    for len in 0..=context.len() {
        let argument = [b"\0\0", &context[..len]].concat();
        let pong = [b"\x04PONG", &context[..len.min(16)]].concat();
        assert_eq!(answer(&argument), frame(4, pong), "{len}");
    }
}

#[test]
fn the_peers_time_to_live_is_a_deadline() {
    for (ttl, limit) in [(1_u16, 100), (656, 65_600), (u16::MAX, 6_553_500)] {
        let mut side = Side::ready(PULL, "PUSH", |_| ());
        let ping = frame(4, [b"\x04PING", &ttl.to_be_bytes()[..]].concat());
        side.receive(&ping);
        side.pass(Duration::from_millis(limit - 1)).unwrap();
        side.receive(&ping);
        side.pass(Duration::from_millis(limit - 1)).unwrap();
        let outcome = side.pass(Duration::from_millis(1));
        assert_eq!(outcome, Err(Failure::HeartbeatTimeout), "{ttl}");
    }
}

#[test]
fn bytes_after_a_ping_cancel_its_deadline() {
    let mut side = Side::ready(PULL, "PUSH", |_| ());
    let ping = frame(4, b"\x04PING\0\x01");
    side.receive(&[&ping[..], b"\0"].concat());
    assert_eq!(side.engine.poll_timeout(), None);
}

#[test]
fn a_ping_without_time_to_live_sets_no_deadline() {
    let mut side = Side::ready(PULL, "PUSH", |_| ());
    side.receive(&frame(4, b"\x04PING\0\0"));
    assert_eq!(side.engine.poll_timeout(), None);
}

#[test]
fn a_paused_peers_silence_does_not_count() {
    let mut side = Side::ready(PULL, "PUSH", beating);
    side.receive(&frame(4, b"\x04PING\0\x0A"));
    side.engine.set_paused(true, side.now);
    side.pass(100 * SECOND).unwrap();
    assert!(!side.sent().is_empty(), "the peer still hears us");
    side.engine.set_paused(false, side.now);
    side.pass(Duration::from_millis(999)).unwrap();
    assert_eq!(side.pass(SECOND), Err(Failure::HeartbeatTimeout));
}

#[test]
fn a_flood_of_pings_that_reads_no_pongs_does_not_fill_our_memory() {
    let mut side = Side::ready(PULL, "PUSH", |_| ());
    let pings = frame(4, b"\x04PING\0\0context").repeat(1000);
    for _ in 0..100 {
        side.receive(&pings);
    }
    let pending = side.engine.batch.pending();
    assert!(
        (BATCH_MAX..BATCH_MAX + 1024).contains(&pending),
        "{pending}"
    );
}

#[test]
fn old_peers_are_sent_no_pings() {
    let mut side = Side::with(PULL, beating);
    side.receive(&[SIGNATURE, &[1, 8], &[0, 0]].concat());
    side.sent();
    assert_eq!(side.engine.poll_timeout(), None);
}

#[test]
fn a_handshake_must_end_in_time() {
    let v3_1 = greeting(3, 1);
    for bytes in [
        &b""[..],
        SIGNATURE,
        &v3_1,
        &[&v3_1[..], b"\x04"].concat(),
        b"\x05\0abc",
    ] {
        let mut side = Side::with(PULL, |options| options.handshake_interval = Some(SECOND));
        side.receive(bytes);
        side.pass(SECOND - Duration::from_millis(1)).unwrap();
        side.engine.set_paused(true, side.now);
        let outcome = side.pass(Duration::from_millis(1));
        assert_eq!(outcome, Err(Failure::HandshakeTimeout), "{bytes:?}");
    }
    let mut side = Side::ready(PULL, "PUSH", |options| {
        options.handshake_interval = Some(SECOND)
    });
    assert_eq!(side.pass(2 * SECOND), Ok(()));
}

#[test]
fn no_interval_is_no_deadline() {
    for interval in [None, Some(Duration::ZERO), Some(Duration::MAX)] {
        let side = Side::with(PULL, |options| options.handshake_interval = interval);
        assert_eq!(side.engine.poll_timeout(), None);
    }
}
