//! Frames and commands that are wrong, or too many, after a proper handshake.

use ferrozmq::Error;

use crate::peer::{COMMAND, MORE, RawListener, command, frame, head, opening};
use crate::*;
use ProtocolError as E;

/// A connected peer says this, and is thrown out for it.
#[track_caller]
fn throw_out(bytes: &[u8], error: ProtocolError, set: impl Fn(&Socket)) {
    for endpoint in EVERYWHERE {
        let victim = Victim::with(PULL, endpoint, &set);
        let mut peer = victim.ready_peer("PUSH");
        let _ = peer.try_send(bytes);
        victim.expect_disconnected(Reason::Protocol(error));
        peer.expect_closed();
        victim.still_serves();
    }
}

/// A connected peer says this, and it means nothing.
#[track_caller]
fn pass_over(bytes: &[u8]) {
    let victim = Victim::new(PULL, TCP);
    let mut peer = victim.ready_peer("PUSH");
    peer.send(bytes);
    peer.send(&frame(0, b"next"));
    assert_eq!(victim.socket.recv_msg(0).unwrap(), "next");
    assert!(victim.socket.try_recv().is_err());
    victim.expect_none_lost();
}

#[test]
fn lengths_that_no_frame_can_have() {
    for size in [1 << 63, u64::MAX, u64::MAX - 8, 0xFFFF_FFFF_FFFF_FFDA] {
        throw_out(&head(0, size), E::MalformedMessage, |_| ());
        throw_out(&head(COMMAND, size), E::MalformedMessage, |_| ());
    }
}

#[test]
fn frames_above_the_limit() {
    let limited = |socket: &Socket| socket.set_maxmsgsize(Some(1000)).unwrap();
    throw_out(&head(0, 1001), E::MessageTooLarge, limited);
    throw_out(&head(MORE, 1 << 40), E::MessageTooLarge, limited);
    throw_out(&head(COMMAND, 1001), E::MessageTooLarge, limited);
    throw_out(&frame(0, &[0; 1001]), E::MessageTooLarge, limited);
}

#[test]
fn frames_at_the_limit() {
    let victim = Victim::with(PULL, TCP, |socket| {
        socket.set_maxmsgsize(Some(1000)).unwrap()
    });
    let mut peer = victim.ready_peer("PUSH");
    peer.send(&frame(0, &[b'x'; 1000]));
    assert_eq!(victim.socket.recv_msg(0).unwrap().len(), 1000);
}

/// A long form of a length that would fit the short one is as good.
/// However many frames a message has, it is not larger than allowed.
#[test]
fn messages_above_the_limit() {
    let limited = |socket: &Socket| socket.set_max_multipart_size(Some(1000)).unwrap();
    let nine_tenths = frame(MORE, &[0; 98]).repeat(9);
    let too_large = [
        [&nine_tenths[..], &frame(0, &[0; 99])].concat(),
        frame(MORE, b"").repeat(501),
        head(0, 1001),
        frame(0, &[0; 992]),
    ];
    for message in too_large {
        throw_out(&message, ProtocolError::MessageTooLarge, limited);
    }
    let victim = Victim::with(PULL, TCP, limited);
    let mut peer = victim.ready_peer("PUSH");
    let message = [&nine_tenths[..], &frame(0, &[0; 98])].concat();
    peer.send(&message.repeat(100));
    for _ in 0..100 {
        assert_eq!(victim.socket.recv_multipart(0).unwrap().len(), 10);
    }
}

/// Nor one that never ends.
#[test]
fn messages_without_an_end() {
    let flood = frame(MORE, &[0; 1000]).repeat(1000);
    throw_out(&flood, ProtocolError::MessageTooLarge, |socket| {
        socket.set_max_multipart_size(Some(500_000)).unwrap();
    });
}

#[test]
fn lengths_written_long() {
    let victim = Victim::new(PULL, TCP);
    let mut peer = victim.ready_peer("PUSH");
    peer.send(&[&head(0, 3)[..], b"abc", &head(0, 0)].concat());
    assert_eq!(victim.socket.recv_msg(0).unwrap(), "abc");
    assert_eq!(victim.socket.recv_msg(0).unwrap(), "");
}

#[test]
fn commands_that_mean_nothing() {
    let nonsense: [&[u8]; 9] = [
        b"",
        b"\0",
        b"\x05",
        b"\xFFNOBODY",
        b"\x04PING",
        b"\x04PING\0",
        b"\x04PONGwhat?",
        b"\x06UNHEARof",
        b"\x05ERROR\x03500",
    ];
    for body in nonsense {
        pass_over(&frame(COMMAND, body));
    }
}

/// JOIN and LEAVE are for types that we do not have; SUBSCRIBE is none of PULL's business.
#[test]
fn commands_for_others() {
    for name in ["JOIN", "LEAVE", "SUBSCRIBE", "CANCEL"] {
        pass_over(&command(name, &[b'x'; 300]));
        pass_over(&command(name, b""));
    }
}

#[test]
fn another_hundred_thousand_handshakes() {
    pass_over(&command("READY", b"\x0BSocket-Type\0\0\0\x04PUSH").repeat(100_000));
    pass_over(&command("READY", &[0xFF; 100]).repeat(100_000));
    pass_over(&command("ERROR", b"\x03400").repeat(100_000));
}

/// Nothing but the context that was sent comes back, and not more than 16 bytes of it.
#[test]
fn a_short_ping() {
    let victim = Victim::new(PULL, TCP);
    let mut peer = victim.ready_peer("PUSH");
    peer.send(&frame(COMMAND, b"\x04PING"));
    peer.send(&frame(COMMAND, b"\x04PING\0"));
    peer.send(&command("PING", b"\0\0"));
    peer.send(&command("PING", b"\0\0abc"));
    peer.send(&command("PING", &[&[0, 0], &[b'x'; 300][..]].concat()));
    for context in [&b""[..], b"abc", &[b'x'; 16]] {
        let pong = [b"\x04PONG", context].concat();
        assert_eq!(peer.read_frame(), (COMMAND, pong));
    }
}

/// 656 tenths of a second are a minute, not 64 milliseconds.
#[test]
fn a_ping_with_a_long_time_to_live() {
    for ttl in [656_u16, 0x7FFF, 0x8000, 0xFFFF] {
        let victim = Victim::new(PULL, TCP);
        let mut peer = victim.ready_peer("PUSH");
        peer.send(&command("PING", &ttl.to_be_bytes()));
        victim.expect_none_lost();
    }
}

/// A short one is obeyed, if the peer then says no more.
#[test]
fn a_ping_with_a_short_time_to_live() {
    let victim = Victim::new(PULL, TCP);
    let mut peer = victim.ready_peer("PUSH");
    peer.send(&command("PING", &[0, 1]));
    victim.expect_disconnected(Reason::HeartbeatTimeout);
    peer.expect_closed();
}

/// The bits of the flags that mean nothing are not asked.
#[test]
fn flags_that_do_not_exist() {
    let victim = Victim::new(PULL, TCP);
    let mut peer = victim.ready_peer("PUSH");
    for bit in 3..8 {
        peer.send(&frame(1 << bit, b"flags"));
        assert_eq!(victim.socket.recv_multipart(0).unwrap()[..], ["flags"]);
    }
}

/// Requests that REP cannot answer are none: without an envelope, or with nothing in it.
#[test]
fn requests_without_an_envelope() {
    let victim = Victim::new(REP, TCP);
    let mut peer = victim.ready_peer("DEALER");
    peer.send(&frame(0, b"no delimiter"));
    peer.send(&[frame(MORE, b"no"), frame(0, b"delimiter")].concat());
    peer.send(&frame(0, b""));
    peer.send(
        &[
            frame(MORE, b"id").repeat(1000),
            frame(MORE, b""),
            frame(0, b"deep"),
        ]
        .concat(),
    );
    victim.expect_none_lost();
    victim.still_serves();
}

/// A REQ gets answers to its questions and to nothing else.
#[test]
fn answers_without_an_envelope() {
    let listener = RawListener::tcp();
    let ctx = Ctx::new();
    let req = patient(&ctx, REQ);
    req.connect(&listener.endpoint()).unwrap();
    req.send("?", 0).unwrap();
    let mut peer = listener.accept();
    peer.send(&opening("REP", b""));
    peer.expect_opening();
    assert_eq!(peer.read_frame(), (MORE, vec![]));
    assert_eq!(peer.read_frame(), (0, b"?".to_vec()));
    peer.send(&frame(0, b"no delimiter"));
    peer.send(&[frame(MORE, b"no"), frame(0, b"delimiter")].concat());
    peer.send(&frame(0, b""));
    peer.send(&[frame(MORE, b""), frame(0, b"!")].concat());
    assert_eq!(req.recv_string(0).unwrap(), "!");
    assert!(matches!(req.try_recv(), Err(Error::Fsm)));
}

/// A message of as many frames as one likes is one message.
#[test]
fn a_message_of_many_frames() {
    let victim = Victim::new(PULL, TCP);
    let mut peer = victim.ready_peer("PUSH");
    peer.send(&frame(MORE, b"").repeat(100_000));
    assert!(victim.socket.try_recv().is_err(), "it is not complete");
    peer.send(&frame(0, b""));
    assert_eq!(victim.socket.recv_multipart(0).unwrap().len(), 100_001);
    victim.still_serves();
}
