//! PLAIN, and whatever mechanism has its peers judged: the bytes, the order, and what is refused.

use super::*;
use crate::security::Plain;

const SERVER_GREETING: &[u8] = b"PLAIN";
const WELCOME: &[u8] = b"\x04\x08\x07WELCOME";
const HELLO: &[u8] = b"\x04\x13\x05HELLO\x05admin\x06secret";

fn client() -> Side {
    Side::with(DEALER, |options| {
        options.security.set(Plain::client("admin", "secret"));
    })
}

fn server() -> Side {
    Side::with(ROUTER, |options| options.security.set(Plain::server()))
}

/// A server whose client has said this after its greeting, and what came of it.
fn server_told(bytes: &[u8]) -> (Side, Vec<Seen>) {
    let mut side = server();
    let seen = side.receive(&[&greeting_of(3, 1, SERVER_GREETING), bytes].concat());
    side.sent();
    (side, seen)
}

/// A client whose server has said this after its greeting, and what came of it.
fn client_told(bytes: &[u8]) -> Vec<Seen> {
    client().receive(&[&greeting_of(3, 1, SERVER_GREETING), bytes].concat())
}

fn asked(username: &str, password: &str) -> Seen {
    Seen::Authenticate(Credentials::Plain {
        username: Bytes::copy_from_slice(username.as_bytes()),
        password: Bytes::copy_from_slice(password.as_bytes()),
    })
}

fn initiate(properties: &[(&str, &str)]) -> Vec<u8> {
    let properties = properties
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()));
    frame(4, command::with_properties(command::INITIATE, properties))
}

#[test]
fn what_is_said_is_exactly_rfc_24() {
    let (mut client, mut server) = (client(), server());
    client.receive(&greeting_of(3, 1, SERVER_GREETING));
    let opening = client.sent();
    assert_eq!(opening[..64], greeting_of(3, 1, SERVER_GREETING));
    assert_eq!(opening[64..], *HELLO);

    assert_eq!(server.receive(&opening), [asked("admin", "secret")]);
    assert_eq!(
        server.sent(),
        greeting_of(3, 1, SERVER_GREETING),
        "nothing before the verdict"
    );
    assert_eq!(server.judge(granted(&[])), None);
    assert_eq!(server.sent(), WELCOME);

    assert_eq!(client.receive(WELCOME), []);
    let initiate = client.sent();
    let metadata = b"\x0BSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0";
    assert_eq!(initiate, [b"\x04\x2C\x08INITIATE", &metadata[..]].concat());

    let told = [("Socket-Type", "DEALER"), ("Identity", "")];
    assert_eq!(server.receive(&initiate), [ready(&told)]);
    let answer = server.sent();
    let metadata = b"\x0BSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\0";
    assert_eq!(answer, [b"\x04\x29\x05READY", &metadata[..]].concat());
    let told = [("Socket-Type", "ROUTER"), ("Identity", "")];
    assert_eq!(client.receive(&answer), [ready(&told)]);
}

#[test]
fn two_sides_talk_however_the_bytes_are_sliced() {
    for chunk in [1, 2, 7, 64, 65, 1000] {
        let mut pair = Pair::of([client(), server()], chunk);
        pair.drive();
        assert_eq!(pair.seen[1], [asked("admin", "secret")]);
        assert_eq!(pair.sides[1].judge(granted(&[("User-Id", "admin")])), None);
        pair.drive();
        pair.sides[0].push("hello");
        pair.drive();
        let told = [
            ("User-Id", "admin"),
            ("Socket-Type", "DEALER"),
            ("Identity", ""),
        ];
        let seen = [asked("admin", "secret"), ready(&told), message("hello")];
        assert_eq!(pair.seen[1], seen, "{chunk}");
    }
}

#[test]
fn nothing_is_taken_while_a_verdict_is_awaited() {
    let mut side = server();
    let bytes = [&greeting_of(3, 1, SERVER_GREETING), HELLO, b"\x04\x08more"].concat();
    let mut input = &bytes[..];
    let event = side.engine.handle_input(&mut input, 1, side.now);
    assert!(matches!(event, Some(Event::Authenticate(_))));
    assert!(side.engine.handle_input(&mut input, 1, side.now).is_none());
    assert_eq!(input, b"\x04\x08more");
    assert!(!side.engine.wants_messages());
}

#[test]
fn a_refused_client_is_told_its_status_unless_it_may_try_again() {
    for status in [400, 500] {
        let (mut server, _) = server_told(HELLO);
        assert_eq!(server.judge(Verdict::Refused(status)), Some(denied(status)));
        let last_word = server.sent();
        assert_eq!(
            last_word,
            [b"\x04\x0A\x05ERROR\x03", status.to_string().as_bytes()].concat()
        );
        assert_eq!(
            client_told(&last_word),
            [failed(ProtocolError::Refused(status))]
        );
        assert_eq!(server.receive(HELLO), [], "a failed engine stays failed");
    }
    let (mut server, _) = server_told(HELLO);
    assert_eq!(server.judge(Verdict::Refused(300)), Some(denied(300)));
    assert_eq!(server.sent(), b"");
}

#[test]
fn a_password_that_nobody_judges_is_none() {
    let (mut server, _) = server_told(HELLO);
    let error = Seen::Failed(Failure::Zap(ZapError::NoHandler));
    assert_eq!(server.judge(Verdict::NobodyThere), Some(error));
    assert_eq!(server.sent(), b"");
}

#[test]
fn a_verdict_that_is_none_lets_nobody_in() {
    let (mut server, _) = server_told(HELLO);
    let error = Seen::Failed(Failure::Zap(ZapError::BadVersion));
    assert_eq!(
        server.judge(Verdict::Failed(ZapError::BadVersion)),
        Some(error)
    );
}

#[test]
fn hello_has_two_texts_and_nothing_behind_them() {
    let texts: &[&[u8]] = &[
        b"",
        b"\x05admi",
        b"\x05admin",
        b"\x05admin\x06secre",
        b"\x05admin\x06secretx",
        b"\xFFadmin\x06secret",
    ];
    for texts in texts {
        let (_, seen) = server_told(&frame(4, [b"\x05HELLO", *texts].concat()));
        assert_eq!(seen, [failed(ProtocolError::MalformedHello)], "{texts:?}");
    }
    let (_, seen) = server_told(&frame(4, b"\x05HELLO\0\0"));
    assert_eq!(seen, [asked("", "")], "empty texts are texts");
}

#[test]
fn a_server_takes_nothing_but_hello_and_then_initiate() {
    let ready = ready_frame(&[("Socket-Type", "DEALER")]);
    for wrong in [
        WELCOME,
        &initiate(&[]),
        &ready,
        &frame(0, "data"),
        &frame(4, ""),
    ] {
        let (_, seen) = server_told(wrong);
        assert_eq!(
            seen,
            [failed(ProtocolError::UnexpectedCommand)],
            "{wrong:?}"
        );
    }
    for wrong in [HELLO, WELCOME, &ready, &frame(0, "data")] {
        let (mut server, _) = server_told(HELLO);
        server.judge(granted(&[]));
        let seen = server.receive(wrong);
        assert_eq!(
            seen,
            [failed(ProtocolError::UnexpectedCommand)],
            "{wrong:?}"
        );
    }
    let (_, seen) = server_told(&frame(4, b"\x05ERROR\x03400"));
    assert_eq!(seen, [failed(ProtocolError::Refused(400))]);
}

#[test]
fn a_client_takes_nothing_but_welcome_and_then_ready() {
    for wrong in [HELLO, &initiate(&[]), &ready_frame(&[]), &frame(0, "data")] {
        let seen = client_told(wrong);
        assert_eq!(
            seen,
            [failed(ProtocolError::UnexpectedCommand)],
            "{wrong:?}"
        );
        let seen = client_told(&[WELCOME, wrong].concat());
        if !wrong.starts_with(&ready_frame(&[])) {
            assert_eq!(
                seen,
                [failed(ProtocolError::UnexpectedCommand)],
                "{wrong:?}"
            );
        }
    }
    let seen = client_told(&frame(4, b"\x07WELCOMEx"));
    assert_eq!(seen, [failed(ProtocolError::MalformedWelcome)]);
    let seen = client_told(&[WELCOME, &ready_frame(&[("Socket-Type", "PUB")])].concat());
    assert_eq!(seen, [failed(ProtocolError::IncompatibleSocketType)]);
}

#[test]
fn metadata_is_judged_as_in_null() {
    let told = |bytes: &[u8]| {
        let (mut server, _) = server_told(HELLO);
        server.judge(granted(&[]));
        server.receive(bytes)
    };
    let truncated = &initiate(&[("Socket-Type", "DEALER")])[2..20];
    let seen = told(&frame(4, truncated));
    assert_eq!(seen, [failed(ProtocolError::InvalidMetadata)]);
    let seen = told(&initiate(&[("Socket-Type", "PUB")]));
    assert_eq!(seen, [failed(ProtocolError::IncompatibleSocketType)]);
    let seen = told(&initiate(&[("User-Id", "root"), ("X-A", "b")]));
    assert_eq!(
        seen,
        [ready(&[("X-A", "b")])],
        "who a peer is, it does not say itself"
    );
}

#[test]
fn texts_of_more_than_255_bytes_are_cut() {
    let long = "x".repeat(300);
    let mut client = Side::with(DEALER, |options| {
        options.security.set(Plain::client(&long, &long));
    });
    client.receive(&greeting_of(3, 1, SERVER_GREETING));
    let (_, seen) = server_told(&client.sent()[64..]);
    assert_eq!(seen, [asked(&long[..255], &long[..255])]);
}

#[test]
fn whoever_has_no_such_mechanism_is_refused() {
    let old: [&[u8]; 4] = [
        &[SIGNATURE, b"\0\x05"].concat(),
        &[SIGNATURE, b"\x01\x05"].concat(),
        b"\x01\0",
        b"\xFF\0\0\0\0\0\0\0\x03\0me",
    ];
    let with_domain = || Side::with(PULL, |options| options.security.zap.domain = "x".into());
    let mismatch = [failed(ProtocolError::MechanismMismatch)];
    for side in [client, server, with_domain] {
        for bytes in old {
            let mut side = side();
            assert_eq!(side.receive(bytes), mismatch, "{bytes:?}");
            assert!(side.sent().is_empty(), "an old peer is told nothing");
        }
    }
    for name in [&b"NULL"[..], b"CURVE", b"PLAINX", b"plain"] {
        for side in [client, server] {
            assert_eq!(
                side().receive(&greeting_of(3, 1, name)),
                mismatch,
                "{name:?}"
            );
        }
    }
}

#[test]
fn null_with_a_domain_says_nothing_before_the_verdict() {
    let side = || {
        let mut side = Side::with(PULL, |options| options.security.zap.domain = "x".into());
        let seen = side.receive(&greeting(3, 1));
        assert_eq!(seen, [Seen::Authenticate(Credentials::Null)]);
        assert_eq!(side.sent(), greeting(3, 1));
        side
    };
    let push = ready_frame(&[("Socket-Type", "PUSH")]);
    let mut admitted = side();
    assert_eq!(admitted.judge(granted(&[("User-Id", "me")])), None);
    assert_eq!(admitted.sent(), ready_frame(&[("Socket-Type", "PULL")]));
    let told = [("User-Id", "me"), ("Socket-Type", "PUSH")];
    assert_eq!(admitted.receive(&push), [ready(&told)]);

    let mut refused = side();
    assert_eq!(refused.judge(Verdict::Refused(400)), Some(denied(400)));
    assert_eq!(refused.sent(), b"\x04\x0A\x05ERROR\x03400");

    assert_eq!(side().judge(Verdict::NobodyThere), None, "as libzmq has it");
    let mut strict = Side::with(PULL, |options| {
        options.security.zap.domain = "x".into();
        options.security.zap.enforce_domain = true;
    });
    strict.receive(&greeting(3, 1));
    let error = Seen::Failed(Failure::Zap(ZapError::NoHandler));
    assert_eq!(strict.judge(Verdict::NobodyThere), Some(error));
}

#[test]
fn a_verdict_takes_no_longer_than_the_handshake_may() {
    let mut side = Side::with(PULL, |options| {
        options.security.zap.domain = "x".into();
        options.handshake_interval = Some(SECOND);
    });
    side.receive(&greeting(3, 1));
    assert_eq!(side.pass(2 * SECOND), Err(Failure::HandshakeTimeout));
    assert_eq!(side.judge(granted(&[])), None, "it comes too late");
}
