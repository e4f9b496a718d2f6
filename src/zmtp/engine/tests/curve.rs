//! CURVE: the layouts against another implementation of the boxes, every kind of tampering, and
//! the traffic behind it.

use std::slice;

use crypto_box::SalsaBox;
use crypto_box::aead::Aead;
use proptest::prelude::*;

use super::*;
use crate::keys::{CurveKeyPair, PublicKey, SecretKey};
use crate::msg::COPY_MAX;
use crate::security::Curve;

mod recorded;

const CURVE: &[u8] = b"CURVE";

fn pair_of(secret: u8) -> CurveKeyPair {
    SecretKey::from([secret; 32]).into()
}

fn server_keys() -> CurveKeyPair {
    pair_of(1)
}

fn client_keys() -> CurveKeyPair {
    pair_of(2)
}

fn server_with(socket_type: SocketType, set: impl FnOnce(&mut Options)) -> Side {
    Side::with(socket_type, |options| {
        options.security.set(Curve::server(&server_keys()));
        set(options);
    })
}

fn client_with(socket_type: SocketType, set: impl FnOnce(&mut Options)) -> Side {
    Side::with(socket_type, |options| {
        let server_key = server_keys().public_key;
        options
            .security
            .set(Curve::client(&client_keys(), server_key));
        set(options);
    })
}

/// A server that asks nobody.
fn server() -> Side {
    server_with(ROUTER, |options| options.security.zap.enforce_domain = true)
}

fn client() -> Side {
    client_with(DEALER, |_| ())
}

const CLIENT_TOLD: [(&str, &str); 2] = [("Socket-Type", "DEALER"), ("Identity", "")];
const SERVER_TOLD: [(&str, &str); 2] = [("Socket-Type", "ROUTER"), ("Identity", "")];

fn asked() -> Seen {
    let public_key = client_keys().public_key;
    Seen::Authenticate(Credentials::Curve { public_key })
}

/// A client and a server that have become ready.
fn ready_pair(client: Side, server: Side) -> Pair {
    let mut pair = Pair::of([client, server], 1 << 20);
    pair.drive();
    for seen in &mut pair.seen {
        assert!(matches!(seen[..], [Seen::Ready(_)]), "{seen:?}");
        seen.clear();
    }
    pair
}

#[test]
fn two_sides_talk_however_the_bytes_are_sliced() {
    for chunk in [1, 2, 7, 63, 64, 65, 200, 1000, 1 << 20] {
        let mut pair = Pair::of([client(), server()], chunk);
        pair.drive();
        assert_eq!(pair.seen, [[ready(&SERVER_TOLD)], [ready(&CLIENT_TOLD)]]);
        let large = vec![7; 200_000];
        for side in 0..2 {
            let mut first = Msg::from("first");
            first.set_more(true);
            pair.sides[side].push(first);
            pair.sides[side].push(large.clone());
            pair.sides[side].push("");
            pair.drive();
            let seen = pair.seen[1 - side].split_off(1);
            assert!(
                seen == [part("first"), message(&large), message("")],
                "{chunk}"
            );
        }
    }
}

#[test]
fn a_client_is_judged_by_its_key_before_it_hears_ready() {
    let mut pair = Pair::of([client(), server_with(ROUTER, |_| ())], 100);
    pair.drive();
    assert_eq!(pair.seen, [vec![], vec![asked()]]);
    let Some(Seen::Ready(told)) = pair.sides[1].judge(granted(&[("User-Id", "ann")])) else {
        panic!("the server is not ready");
    };
    assert_eq!(told[0], ("User-Id".into(), b"ann".to_vec()));
    pair.drive();
    assert_eq!(pair.seen[0], [ready(&SERVER_TOLD)]);
}

#[test]
fn a_refused_client_is_told_its_status_in_the_clear() {
    let mut pair = Pair::of([client(), server_with(ROUTER, |_| ())], 100);
    pair.drive();
    assert_eq!(
        pair.sides[1].judge(Verdict::Refused(400)),
        Some(denied(400))
    );
    pair.drive();
    assert_eq!(pair.seen[0], [failed(ProtocolError::Refused(400))]);
}

#[test]
fn without_anybody_to_ask_enforcing_decides() {
    let judged = |enforce: bool| {
        let server = server_with(ROUTER, |options| {
            options.security.zap.domain = "x".into();
            options.security.zap.enforce_domain = enforce;
        });
        let mut pair = Pair::of([client(), server], 100);
        pair.drive();
        pair.sides[1].judge(Verdict::NobodyThere)
    };
    assert_eq!(judged(false), Some(ready(&CLIENT_TOLD)), "as libzmq has it");
    let error = Failure::Zap(ZapError::NoHandler);
    assert_eq!(judged(true), Some(Seen::Failed(error)));
}

// ── a peer made by hand ──────────────────────────────────────────────────────────────────────────

/// A box of another implementation.
fn sealed(ours: [u8; 32], theirs: &PublicKey, nonce: &[u8], text: &[u8]) -> Vec<u8> {
    let shared = SalsaBox::new(&(*theirs.as_bytes()).into(), &ours.into());
    shared.encrypt(nonce.into(), text).unwrap()
}

fn opened(ours: [u8; 32], theirs: &PublicKey, nonce: &[u8], text: &[u8]) -> Vec<u8> {
    let shared = SalsaBox::new(&(*theirs.as_bytes()).into(), &ours.into());
    shared.decrypt(nonce.into(), text).expect("it opens")
}

/// The secret of the hand-made peer's transient key.
const TRANSIENT: [u8; 32] = [9; 32];

fn transient_key() -> PublicKey {
    SecretKey::from(TRANSIENT).public_key()
}

fn number(n: u64) -> [u8; 8] {
    n.to_be_bytes()
}

fn hello() -> Vec<u8> {
    let nonce = [&b"CurveZMQHELLO---"[..], &number(1)].concat();
    let signature = sealed(TRANSIENT, &server_keys().public_key, &nonce, &[0; 64]);
    let key = transient_key();
    [
        &b"\x05HELLO\x01\0"[..],
        &[0; 72],
        key.as_ref(),
        &number(1),
        &signature,
    ]
    .concat()
}

/// What the hand-made client learns from WELCOME: the server's transient key, and the cookie.
fn read_welcome(body: &[u8]) -> (PublicKey, Vec<u8>) {
    assert_eq!(body.len(), 168);
    let (head, rest) = body.split_at(8);
    assert_eq!(head, b"\x07WELCOME");
    let (tail, boxed) = rest.split_at(16);
    let nonce = [b"WELCOME-", tail].concat();
    let text = opened(TRANSIENT, &server_keys().public_key, &nonce, boxed);
    assert_eq!(text.len(), 32 + 96);
    (PublicKey::parse(&text[..32]).unwrap(), text[32..].to_vec())
}

/// What an INITIATE is made from.
struct Initiate {
    server: PublicKey,
    cookie: Vec<u8>,
    keys: CurveKeyPair,
    vouched_transient: PublicKey,
    vouched_server: PublicKey,
    metadata: Vec<u8>,
}

impl Initiate {
    fn body(&self) -> Vec<u8> {
        let secret = *self.keys.secret_key.as_bytes();
        let vouched = [
            self.vouched_transient.as_ref(),
            self.vouched_server.as_ref(),
        ]
        .concat();
        let tail = [5; 16];
        let nonce = [&b"VOUCH---"[..], &tail].concat();
        let vouch = sealed(secret, &self.server, &nonce, &vouched);
        let text = [self.keys.public_key.as_ref(), &tail, &vouch, &self.metadata].concat();
        let nonce = [&b"CurveZMQINITIATE"[..], &number(2)].concat();
        let boxed = sealed(TRANSIENT, &self.server, &nonce, &text);
        [&b"\x08INITIATE"[..], &self.cookie, &number(2), &boxed].concat()
    }
}

/// The body of the one frame in `bytes`.
fn body(bytes: &[u8]) -> &[u8] {
    let (body, size) = match bytes[0] & 2 {
        0 => (&bytes[2..], u64::from(bytes[1])),
        _ => (
            &bytes[9..],
            u64::from_be_bytes(bytes[1..9].try_into().unwrap()),
        ),
    };
    assert_eq!(body.len() as u64, size, "one frame");
    body
}

/// A server that has said WELCOME to the hand-made client, and an INITIATE that it would take.
fn welcomed(mut server: Side) -> (Side, Initiate) {
    server.receive(&greeting_of(3, 1, CURVE));
    server.sent();
    assert_eq!(server.receive(&frame(4, hello())), []);
    let welcome = server.sent();
    assert_eq!(welcome[0], 4, "a command in a short frame");
    let (key, cookie) = read_welcome(body(&welcome));
    let initiate = Initiate {
        server: key,
        cookie,
        keys: client_keys(),
        vouched_transient: transient_key(),
        vouched_server: server_keys().public_key,
        metadata: ready_frame(&CLIENT_TOLD)[8..].to_vec(),
    };
    (server, initiate)
}

fn sealed_message(server: &PublicKey, n: u64, flags: u8, text: &[u8]) -> Vec<u8> {
    let nonce = [&b"CurveZMQMESSAGEC"[..], &number(n)].concat();
    let boxed = sealed(TRANSIENT, server, &nonce, &[&[flags], text].concat());
    [&b"\x07MESSAGE"[..], &number(n), &boxed].concat()
}

/// A server that is ready for the hand-made client, and its transient key.
fn ready_server(socket_type: SocketType, peer: &str) -> (Side, PublicKey) {
    let server = server_with(socket_type, |options| {
        options.security.zap.enforce_domain = true;
        options.max_msg_size = Some(1000);
    });
    let (mut server, mut initiate) = welcomed(server);
    let told = [("Socket-Type", peer)];
    initiate.metadata = ready_frame(&told)[8..].to_vec();
    assert_eq!(server.receive(&frame(4, initiate.body())), [ready(&told)]);
    server.sent();
    (server, initiate.server)
}

#[test]
fn a_server_speaks_exactly_rfc_26() {
    let (mut server, initiate) = welcomed(server());
    assert_eq!(
        server.receive(&frame(4, initiate.body())),
        [ready(&CLIENT_TOLD)]
    );
    let sent = server.sent();
    let command = body(&sent);
    assert_eq!(command[..14], *b"\x05READY\0\0\0\0\0\0\0\x01");
    let nonce = [&b"CurveZMQREADY---"[..], &number(1)].concat();
    let metadata = opened(TRANSIENT, &initiate.server, &nonce, &command[14..]);
    assert_eq!(metadata, ready_frame(&SERVER_TOLD)[8..]);

    let mut msg = Msg::from("hello");
    msg.set_more(true);
    server.push(msg);
    let sent = server.sent();
    assert_eq!(sent[0], 0, "what is in the box has its flags there");
    let message = body(&sent);
    assert_eq!(message.len(), 33 + 5);
    assert_eq!(message[..16], *b"\x07MESSAGE\0\0\0\0\0\0\0\x02");
    let nonce = [&b"CurveZMQMESSAGES"[..], &number(2)].concat();
    let text = opened(TRANSIENT, &initiate.server, &nonce, &message[16..]);
    assert_eq!(text, b"\x01hello");

    let theirs = sealed_message(&initiate.server, 3, 1, b"answer");
    assert_eq!(server.receive(&frame(0, theirs)), [part("answer")]);
}

#[test]
fn a_client_speaks_exactly_rfc_26() {
    let mut client = client();
    client.receive(&greeting_of(3, 1, CURVE));
    let sent = client.sent().split_off(64);
    let hello = body(&sent);
    assert_eq!(hello.len(), 200);
    assert_eq!(hello[..80], [&b"\x05HELLO\x01\0"[..], &[0; 72]].concat());
    let client_transient = PublicKey::parse(&hello[80..112]).unwrap();
    assert_eq!(hello[112..120], number(1));
    let nonce = [&b"CurveZMQHELLO---"[..], &number(1)].concat();
    let secret = *server_keys().secret_key.as_bytes();
    assert_eq!(
        opened(secret, &client_transient, &nonce, &hello[120..]),
        [0; 64]
    );

    let cookie = [6; 96];
    let text = [transient_key().as_ref(), &cookie].concat();
    let tail = [5; 16];
    let nonce = [&b"WELCOME-"[..], &tail].concat();
    let boxed = sealed(secret, &client_transient, &nonce, &text);
    let welcome = [&b"\x07WELCOME"[..], &tail, &boxed].concat();
    assert_eq!(client.receive(&frame(4, welcome)), []);

    let sent = client.sent();
    let initiate = body(&sent);
    assert_eq!(initiate[..9], *b"\x08INITIATE");
    assert_eq!(initiate[9..105], cookie);
    assert_eq!(initiate[105..113], number(2));
    let nonce = [&b"CurveZMQINITIATE"[..], &number(2)].concat();
    let text = opened(TRANSIENT, &client_transient, &nonce, &initiate[113..]);
    assert_eq!(text[..32], *client_keys().public_key.as_bytes());
    let nonce = [b"VOUCH---", &text[32..48]].concat();
    let vouch = opened(TRANSIENT, &client_keys().public_key, &nonce, &text[48..128]);
    let expected = [client_transient.as_ref(), server_keys().public_key.as_ref()].concat();
    assert_eq!(vouch, expected);
    assert_eq!(text[128..], ready_frame(&CLIENT_TOLD)[8..]);

    let metadata = &ready_frame(&SERVER_TOLD)[8..];
    let nonce = [&b"CurveZMQREADY---"[..], &number(7)].concat();
    let boxed = sealed(TRANSIENT, &client_transient, &nonce, metadata);
    let command = [&b"\x05READY"[..], &number(7), &boxed].concat();
    assert_eq!(client.receive(&frame(4, command)), [ready(&SERVER_TOLD)]);

    client.push("hello");
    let sent = client.sent();
    let message = body(&sent);
    assert_eq!(message[..16], *b"\x07MESSAGE\0\0\0\0\0\0\0\x03");
    let nonce = [&b"CurveZMQMESSAGEC"[..], &number(3)].concat();
    assert_eq!(
        opened(TRANSIENT, &client_transient, &nonce, &message[16..]),
        b"\0hello"
    );
}

#[test]
fn a_vouch_is_for_this_connection_and_this_server() {
    let refused = |change: &dyn Fn(&mut Initiate)| {
        let (mut server, mut initiate) = welcomed(server());
        change(&mut initiate);
        let seen = server.receive(&frame(4, initiate.body()));
        assert_eq!(seen, [failed(ProtocolError::Cryptographic)]);
        assert!(server.sent().is_empty());
    };
    refused(&|initiate| initiate.vouched_server = pair_of(3).public_key);
    refused(&|initiate| initiate.vouched_transient = pair_of(3).public_key);
    refused(&|initiate| initiate.keys.public_key = pair_of(3).public_key);
    refused(&|initiate| initiate.keys.public_key = [0; 32].into());
    refused(&|initiate| initiate.cookie[95] ^= 1);
    let (_, other) = welcomed(server());
    refused(&move |initiate| initiate.cookie.clone_from(&other.cookie));
}

#[test]
fn initiate_may_carry_64_kib_and_no_more() {
    let told = |size: usize| {
        let (mut server, mut initiate) = welcomed(server());
        let value = vec![7; size - 257 - 8];
        let property = [&b"\x03X-A"[..], &(value.len() as u32).to_be_bytes(), &value].concat();
        initiate.metadata = property;
        server.receive(&frame(4, initiate.body()))
    };
    assert!(matches!(told(64 * 1024)[..], [Seen::Ready(_)]));
    assert_eq!(
        told(64 * 1024 + 1),
        [failed(ProtocolError::CommandTooLarge)]
    );
}

#[test]
fn malformed_commands_are_named() {
    let to_server = |body: &[u8]| {
        let mut side = server();
        side.receive(&[greeting_of(3, 1, CURVE), frame(4, body)].concat())
    };
    let malformed = [failed(ProtocolError::MalformedHello)];
    assert_eq!(to_server(&hello()[..199]), malformed);
    assert_eq!(to_server(&[&hello()[..], b"x"].concat()), malformed);
    let mut version = hello();
    version[6] = 2;
    assert_eq!(to_server(&version), malformed);
    let mut weak = hello();
    weak[80..112].fill(0);
    assert_eq!(to_server(&weak), [failed(ProtocolError::Cryptographic)]);

    let (mut server, initiate) = welcomed(server());
    let seen = server.receive(&frame(4, &initiate.body()[..256]));
    assert_eq!(seen, [failed(ProtocolError::MalformedInitiate)]);
    let (mut server, mut initiate) = welcomed(self::server());
    initiate.metadata = b"\x01".to_vec();
    let seen = server.receive(&frame(4, initiate.body()));
    assert_eq!(seen, [failed(ProtocolError::InvalidMetadata)]);

    let to_client = |body: &[u8]| {
        let mut side = client();
        side.receive(&[greeting_of(3, 1, CURVE), frame(4, body)].concat())
    };
    let short = [&b"\x07WELCOME"[..], &[0; 159]].concat();
    assert_eq!(to_client(&short), [failed(ProtocolError::MalformedWelcome)]);
    let forged = [&b"\x07WELCOME"[..], &[0; 160]].concat();
    assert_eq!(to_client(&forged), [failed(ProtocolError::Cryptographic)]);
}

#[test]
fn each_side_takes_only_the_commands_that_are_its_turn() {
    let unexpected = [failed(ProtocolError::UnexpectedCommand)];
    let (_, initiate) = welcomed(server());
    let ready = ready_frame(&CLIENT_TOLD)[2..].to_vec();
    let welcome = [&b"\x07WELCOME"[..], &[0; 160]].concat();
    for wrong in [&initiate.body()[..], &ready, &welcome, b"", b"data"] {
        let mut side = server();
        let bytes = [greeting_of(3, 1, CURVE), frame(4, wrong)].concat();
        assert_eq!(side.receive(&bytes), unexpected, "{wrong:?}");
    }
    for wrong in [&hello()[..], &ready, &welcome, b"", b"data"] {
        let (mut side, _) = welcomed(server());
        assert_eq!(side.receive(&frame(4, wrong)), unexpected, "{wrong:?}");
    }
    for wrong in [&hello()[..], &initiate.body(), &ready, b"", b"data"] {
        let mut side = client();
        let bytes = [greeting_of(3, 1, CURVE), frame(4, wrong)].concat();
        assert_eq!(side.receive(&bytes), unexpected, "{wrong:?}");
    }
}

#[test]
fn two_of_a_kind_do_not_understand_each_other() {
    let mut clients = Pair::of([client(), client()], 100);
    clients.drive();
    let unexpected = [failed(ProtocolError::UnexpectedCommand)];
    assert_eq!(clients.seen, [unexpected.to_vec(), unexpected.to_vec()]);
    let mut servers = Pair::of([server(), server()], 100);
    servers.drive();
    assert_eq!(
        servers.seen,
        [[], []],
        "each waits, until its handshake is given up"
    );
}

#[test]
fn a_client_talks_to_the_server_it_knows_and_to_no_other() {
    let stranger = client_with(DEALER, |options| {
        options.security.curve_server = pair_of(3).public_key;
    });
    let mut pair = Pair::of([stranger, server()], 100);
    pair.drive();
    let broken = [failed(ProtocolError::Cryptographic)];
    assert_eq!(pair.seen, [vec![], broken.to_vec()]);
    let mut weak = client_with(DEALER, |options| {
        options.security.curve_server = [0; 32].into()
    });
    assert_eq!(weak.receive(&greeting_of(3, 1, CURVE)), broken);
}

#[test]
fn whoever_has_no_such_mechanism_is_refused() {
    let mismatch = [failed(ProtocolError::MechanismMismatch)];
    let openings = [
        greeting(3, 1),
        greeting_of(3, 0, b"PLAIN"),
        [SIGNATURE, b"\x01\x05"].concat(),
        [SIGNATURE, b"\0\x05"].concat(),
        b"\x01\0".to_vec(),
    ];
    for opening in openings {
        assert_eq!(server().receive(&opening), mismatch);
        assert_eq!(client().receive(&opening), mismatch);
    }
}

// ── traffic ──────────────────────────────────────────────────────────────────────────────────────

#[test]
fn numbers_must_grow_and_may_leap() {
    let (mut server, key) = ready_server(PULL, "PUSH");
    let mut send = |n| server.receive(&frame(0, sealed_message(&key, n, 0, b"x")));
    assert_eq!(send(3), [message("x")]);
    assert_eq!(send(100), [message("x")]);
    for n in [100, 99, 3, 0] {
        let (mut server, key) = ready_server(PULL, "PUSH");
        server.receive(&frame(0, sealed_message(&key, 100, 0, b"x")));
        let seen = server.receive(&frame(0, sealed_message(&key, n, 0, b"x")));
        assert_eq!(seen, [failed(ProtocolError::InvalidSequence)], "{n}");
    }
    let (mut server, key) = ready_server(PULL, "PUSH");
    let seen = server.receive(&frame(0, sealed_message(&key, 2, 0, b"x")));
    assert_eq!(
        seen,
        [failed(ProtocolError::InvalidSequence)],
        "INITIATE had it"
    );
}

#[test]
fn a_forged_number_does_not_lock_the_true_ones_out() {
    let (mut server, key) = ready_server(PULL, "PUSH");
    let mut forged = sealed_message(&key, 3, 0, b"x");
    forged[8] = 0xFF;
    assert_eq!(
        server.receive(&frame(0, forged)),
        [failed(ProtocolError::Cryptographic)]
    );
}

#[test]
fn nothing_travels_in_the_clear() {
    let sent = |body: &[u8]| ready_server(PULL, "PUSH").0.receive(&frame(0, body));
    let unexpected = [failed(ProtocolError::UnexpectedCommand)];
    for clear in [
        &b""[..],
        b"hello",
        b"\x04PING\0\0",
        b"\x07MESSAGX",
        b"\x07MESSAG",
    ] {
        assert_eq!(sent(clear), unexpected, "{clear:?}");
        let as_command = ready_server(PULL, "PUSH").0.receive(&frame(4, clear));
        assert_eq!(as_command, unexpected, "{clear:?}");
    }
    for len in 8..33 {
        let short = [&b"\x07MESSAGE"[..], &[7; 25][..len - 8]].concat();
        assert_eq!(
            sent(&short),
            [failed(ProtocolError::MalformedMessage)],
            "{len}"
        );
    }
}

#[test]
fn the_frame_around_a_box_may_have_any_flags() {
    for flags in [0, 1, 4, 5] {
        let (mut server, key) = ready_server(PULL, "PUSH");
        let seen = server.receive(&frame(flags, sealed_message(&key, 3, 0, b"x")));
        assert_eq!(seen, [message("x")], "{flags}");
    }
}

#[test]
fn the_largest_message_is_measured_without_its_box() {
    let (mut server, key) = ready_server(PULL, "PUSH");
    let most = vec![7; 1000];
    let seen = server.receive(&frame(0, sealed_message(&key, 3, 0, &most)));
    assert_eq!(seen, [message(&most)]);
    let seen = server.receive(&frame(0, sealed_message(&key, 4, 0, &[7; 1001])));
    assert_eq!(seen, [failed(ProtocolError::MessageTooLarge)]);
}

#[test]
fn subscriptions_and_heartbeats_are_sealed_too() {
    let (mut publisher, key) = ready_server(XPUB, "SUB");
    let subscription = sealed_message(&key, 3, 2, b"\x09SUBSCRIBEtopic");
    assert_eq!(
        publisher.receive(&frame(0, subscription)),
        [subscribe("topic")]
    );
    let old_form = sealed_message(&key, 4, 0, b"\x01topic");
    assert_eq!(
        publisher.receive(&frame(0, old_form)),
        [message("\x01topic")]
    );
    let ping = sealed_message(&key, 5, 2, b"\x04PING\0\0context");
    assert_eq!(publisher.receive(&frame(0, ping)), []);
    let sent = publisher.sent();
    let nonce = [&b"CurveZMQMESSAGES"[..], &number(2)].concat();
    let pong = opened(TRANSIENT, &key, &nonce, &body(&sent)[16..]);
    assert_eq!(pong, b"\x02\x04PONGcontext");

    let subscriber = client_with(SUB, |options| {
        options.heartbeat.interval = Some(SECOND);
    });
    let publisher = server_with(XPUB, |options| options.security.zap.enforce_domain = true);
    let mut pair = ready_pair(subscriber, publisher);
    pair.sides[0].push(Msg::from("a").of_kind(Kind::Subscribe));
    pair.sides[0].push(Msg::from("a").of_kind(Kind::Cancel));
    pair.drive();
    assert_eq!(pair.seen[1], [subscribe("a"), cancel("a")]);
    for _ in 0..5 {
        assert_eq!(pair.sides[0].pass(SECOND), Ok(()));
        pair.drive();
    }
}

#[test]
fn to_an_older_peer_a_subscription_is_a_sealed_message() {
    let mut old = client_with(SUB, |_| ());
    let mut publisher = server_with(XPUB, |options| options.security.zap.enforce_domain = true);
    // Both are told that the other speaks 3.0.
    for side in [&mut old, &mut publisher] {
        side.receive(&greeting_of(3, 0, CURVE));
    }
    let hello = old.sent().split_off(64);
    publisher.sent();
    publisher.receive(&hello);
    let mut pair = Pair::of([old, publisher], 100);
    pair.drive();
    pair.sides[0].push(Msg::from("a").of_kind(Kind::Subscribe));
    pair.drive();
    assert_eq!(pair.seen[1].last(), Some(&message("\x01a")));
}

/// Frames in the form of pipes, sealed in a row as the hand-made client's with these flags.
fn sealed_frames(server: &PublicKey, from: u64, frames: &[(u8, &[u8])]) -> Vec<u8> {
    let numbers = from..;
    let sealed = frames.iter().zip(numbers);
    sealed
        .flat_map(|((flags, body), n)| frame(0, sealed_message(server, n, *flags, body)))
        .collect()
}

/// What the engine says of the next bytes, runs and all.
fn next_event(side: &mut Side, input: &mut &[u8], room: u64) -> Option<Event> {
    side.engine.handle_input(input, room, side.now)
}

#[test]
fn small_messages_are_opened_in_runs_as_far_as_there_is_room() {
    let (mut server, key) = ready_server(PULL, "PUSH");
    let frames: [(u8, &[u8]); 5] = [
        (0, b"a"),
        (1, b"b"),
        (0, b"c"),
        (0, &[7; 300]),
        (1, b"part"),
    ];
    let bytes = sealed_frames(&key, 3, &frames);
    let mut input = &bytes[..];
    let mut run_of = |input: &mut &[u8], room| match next_event(&mut server, input, room) {
        Some(Event::Run(run)) => {
            let Ok(opened) = server.engine.run(&[], run).parts() else {
                unreachable!("they are frames")
            };
            assert_eq!(
                opened.len(),
                run.len,
                "nothing is left of what is none of the run"
            );
            (run.messages, opened.to_vec())
        }
        event => panic!("{event:?}"),
    };
    assert_eq!(run_of(&mut input, 1), (1, frame(0, b"a")));
    let expected = [frame(1, b"b"), frame(0, b"c"), frame(0, [7; 300])].concat();
    assert_eq!(run_of(&mut input, 9), (2, expected));
    let Some(Event::Message(msg)) = next_event(&mut server, &mut input, 9) else {
        panic!("the part of a message is no run");
    };
    assert_eq!((&*msg, msg.more()), (&b"part"[..], true));
    assert!(input.is_empty());
    // The rest of the message is none either.
    let rest = sealed_frames(&key, 8, &[(0, b"rest"), (0, b"alone")]);
    let mut input = &rest[..];
    let Some(Event::Message(msg)) = next_event(&mut server, &mut input, 9) else {
        panic!("the end of a message is no run");
    };
    assert_eq!((&*msg, msg.more()), (&b"rest"[..], false));
    assert!(matches!(
        next_event(&mut server, &mut input, 9),
        Some(Event::Run(_))
    ));
}

#[test]
fn what_came_before_a_broken_box_is_delivered() {
    let after_two = |change: &dyn Fn(&mut [u8])| {
        let (mut server, key) = ready_server(PULL, "PUSH");
        let frames: [(u8, &[u8]); 4] = [(0, b"one"), (0, b"two"), (0, b"six"), (0, b"ten")];
        let mut bytes = sealed_frames(&key, 3, &frames);
        change(&mut bytes);
        let mut seen = server.receive(&bytes);
        let rest = seen.split_off(2);
        assert_eq!(seen, [message("one"), message("two")]);
        rest
    };
    const LEN: usize = 2 + 33 + 3;
    let sequence = failed(ProtocolError::InvalidSequence);
    let touched = after_two(&|bytes| bytes[2 * LEN + 30] ^= 1);
    assert_eq!(touched, [failed(ProtocolError::Cryptographic)]);
    let repeated = after_two(&|bytes| bytes.copy_within(..LEN, 2 * LEN));
    assert_eq!(repeated, slice::from_ref(&sequence));
    let swapped = after_two(&|bytes| bytes[2 * LEN..].rotate_left(LEN));
    assert_eq!(swapped, [message("ten"), sequence]);
}

#[test]
fn commands_come_between_messages_in_a_row() {
    let (mut publisher, key) = ready_server(XPUB, "SUB");
    let frames: [(u8, &[u8]); 5] = [
        (0, b"a"),
        (2, b"\x09SUBSCRIBEt"),
        (0, b"b"),
        (2, b"\x04PING\0\0"),
        (0, b"c"),
    ];
    let seen = publisher.receive(&sealed_frames(&key, 3, &frames));
    assert_eq!(
        seen,
        [message("a"), subscribe("t"), message("b"), message("c")]
    );
    assert!(!publisher.sent().is_empty(), "a PONG");
}

/// Of a size at which something changes, or of any other.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        prop::sample::select(vec![0, 1, 222, 223, 255, 256, 4096, 4097, 70_000]),
        0..600usize,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    /// As runs or one by one, in any slices, with any room.
    #[test]
    fn what_is_sealed_comes_out_the_same(
        frames in prop::collection::vec((any::<bool>(), size(), any::<bool>()), 1..40),
        sizes in prop::collection::vec(1..3000usize, 1..5),
        room in prop_oneof![1..4u64, Just(u64::MAX)],
    ) {
        let mut pair = ready_pair(client(), server());
        pair.sides[1].room = room;
        let mut expected = Vec::new();
        for (n, (more, size, in_run)) in frames.iter().enumerate() {
            let body = vec![n as u8; *size];
            let mut msg = Msg::copied(&body);
            msg.set_more(*more);
            if *in_run && *size <= COPY_MAX {
                prop_assert!(pair.sides[0].engine.run_max() > 0);
                let run = frame(u8::from(*more), &body);
                pair.sides[0].engine.push_run(Frames::Copy(&[&run[..], &run].concat()));
                expected.push(Seen::Message(Kind::Data, body.clone(), *more));
            } else {
                pair.sides[0].engine.push(msg);
            }
            expected.push(Seen::Message(Kind::Data, body, *more));
        }
        let bytes = pair.sides[0].sent();
        let seen = pair.sides[1].receive_sliced(&bytes, &sizes);
        prop_assert!(seen == expected, "something else arrives than was sent");
    }
}

// ── tampering ────────────────────────────────────────────────────────────────────────────────────

/// What is done to one of the flights of bytes between two sides.
#[derive(Clone, Debug)]
enum Tampering {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Repeat,
    Replace(Vec<u8>),
}

impl Tampering {
    fn apply(&self, flight: &mut Vec<u8>) {
        match self {
            Self::Flip(index, bits) => {
                let at = index.index(flight.len());
                flight[at] ^= bits;
            }
            Self::Cut(index) => flight.truncate(index.index(flight.len())),
            Self::Repeat => flight.extend_from_within(..),
            Self::Replace(bytes) => flight.clone_from(bytes),
        }
    }
}

fn tampering() -> impl Strategy<Value = Tampering> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (index(), 1..=255u8).prop_map(|(index, bits)| Tampering::Flip(index, bits)),
        1 => index().prop_map(Tampering::Cut),
        1 => Just(Tampering::Repeat),
        1 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Tampering::Replace),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    /// Flights: HELLO, WELCOME, INITIATE, READY, then a message each way. Whatever is done to one
    /// of them, nothing arrives that was not sent.
    #[test]
    fn no_tampering_is_believed(which in 0..6usize, what in tampering()) {
        let (mut sides, mut bytes) = greeted();
        let mut seen = [vec![], vec![]];
        for flight in 0..6 {
            let to = (flight + 1) % 2;
            if flight == which && !bytes.is_empty() {
                what.apply(&mut bytes);
            }
            seen[to].extend(sides[to].receive(&bytes));
            if sides[to].engine.wants_messages() {
                sides[to].push("genuine");
            }
            bytes = sides[to].sent();
        }
        for event in seen.iter().flatten() {
            match event {
                Seen::Message(_, body, _) => prop_assert_eq!(&body[..], b"genuine"),
                Seen::Ready(_) | Seen::Failed(_) => {}
                Seen::Authenticate(_) => prop_assert!(false, "nobody is asked"),
            }
        }
        for seen in &seen {
            let messages = seen.iter().filter(|event| matches!(event, Seen::Message(..)));
            prop_assert!(messages.count() <= 2, "a message is believed twice");
        }
    }

    /// Every bit of every box of the handshake counts, and every bit of the key in HELLO that X25519
    /// uses.
    #[test]
    fn one_bit_breaks_a_handshake(
        which in 0..4usize,
        index: prop::sample::Index,
        bit in 0..8u8,
    ) {
        let (mut sides, mut bytes) = greeted();
        // The heads of frames and the names of commands are not in boxes; HELLO's zeros neither.
        let boxed_from = [2 + 80, 2 + 8, 9 + 9, 2 + 6][which];
        for flight in 0..=which {
            let to = (flight + 1) % 2;
            if flight == which {
                let at = boxed_from + index.index(bytes.len() - boxed_from);
                prop_assume!((which, at, bit) != UNUSED_BIT);
                bytes[at] ^= 1 << bit;
                let broken = [failed(ProtocolError::Cryptographic)];
                prop_assert_eq!(sides[to].receive(&bytes), broken);
            } else {
                sides[to].receive(&bytes);
                bytes = sides[to].sent();
            }
        }
    }
}

/// The highest bit of the client's transient key in HELLO, which X25519 ignores (RFC 7748): flight,
/// byte and bit.
const UNUSED_BIT: (usize, usize, u8) = (0, 2 + 80 + 31, 7);

#[test]
fn a_bit_that_x25519_ignores_is_found_by_the_vouch() {
    let (mut sides, mut bytes) = greeted();
    let (_, at, bit) = UNUSED_BIT;
    bytes[at] ^= 1 << bit;
    assert_eq!(sides[1].receive(&bytes), []);
    let welcome = sides[1].sent();
    assert_eq!(sides[0].receive(&welcome), []);
    let initiate = sides[0].sent();
    let broken = [failed(ProtocolError::Cryptographic)];
    assert_eq!(sides[1].receive(&initiate), broken);
}

/// A client and a server after their greetings, and the client's HELLO.
fn greeted() -> ([Side; 2], Vec<u8>) {
    let mut sides = [client(), server()];
    let [hello, _] = sides.each_mut().map(|side| {
        side.receive(&greeting_of(3, 1, CURVE));
        side.sent().split_off(64)
    });
    (sides, hello)
}
