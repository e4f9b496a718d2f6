//! A handshake that libsodium has made of known keys: that of the tests around, transient keys of ones
//! and twos, a cookie's key of threes, and nonces of fours, fives and sixes. Each box of ours is the
//! same, and each byte of it is altered, missing, and said at the wrong time.

use super::*;
use crate::zmtp::secretbox::BoxKey;
use crate::zmtp::secretbox::scripted::Script;

/// The commands in their order: the last two carry `hello`, and `answer` with more to follow.
const HELLO: &str = "\
    0548454c4c4f010000000000000000000000000000000000000000000000000000000000000000000000\
    0000000000000000000000000000000000000000000000000000000000000000000000000000a4e09292\
    b651c278b9772c569f5fa9bb13d906b46ab68c9df9dc2b4409f8a20900000000000000010c4b470e8019\
    31a5748d532d10272977b9e3a1a84fd2032fbc16c6562de363c355c020dfdef788f521620624c4bd583a\
    39f56b569d892837d827c280423c1739dbac7fe90d104d72f6beff18739eac8c\
";
const WELCOME: &str = "\
    0757454c434f4d45040404040404040404040404040404046253f2745219befd7e63ab57e9e189422b9e\
    79216731a539ae8b821972d8bb8546ffcc4f4d1be50d9e88d41e4be517826e21c611f958941e2472f83b\
    6622fb84e840d39aedb1d950ba2a69e8504aa75aa93e4590c2637da4db34167e0a96b4ad36fa0b3ef53e\
    34794a1d41fb72a46d82960af9f2e3cc7661c54ef1a9b54b8551094eebb08ab3510fb6342dbf04239652\
";
const INITIATE: &str = "\
    08494e4954494154450505050505050505050505050505050597e3502cba39b3aa6763168ed961a178ed\
    ad2cb4a321a644617b2c29c50ebf66ac5aee9852dba06101f1735e555ff80d529baef7ba6d9ce3a8ca22\
    d5916fa0db544314bfc386b5f6e4c3949768673763000000000000000209d5e2023c66d6a377ac2fd97c\
    d746d1280819de5eda8dfd78bb3b3136701e8e40039fa57cdab0f8e8bc7f03c31eb94cf3263a14b8e1ba\
    da606f174139e99aa3d5c33e4a78c3f7dbcb62e48a15761d04d0d96e430c382778feb0e808cde1fba28e\
    ccb3fd3b5e0add564fb6fad9508f709b32644d2a3f9ff67de537ee3a36c29c4234acea78d4ad17d87fe9\
    4f8c51dfe283bf8e3e81bf46b9cb4b7b101983b59d33fe504dfa2d6ecdc1d5679ee15c7b7bf73197\
";
const READY: &str = "\
    055245414459000000000000000182a251187f98b2804a02ab6d34eb1a9e8c8523db54e3e1ea33d47948\
    98e5721f7fec0a9e7d437eb1c0d9d2b28b3ca26adc718b\
";
const FROM_CLIENT: &str = "\
    074d45535341474500000000000000031a8def1a40425bd3503ffccad34f779e5fee9c50a189\
";
const FROM_SERVER: &str = "\
    074d45535341474500000000000000023765d54ca4af04f005daa929272252bd2af345323f0bd7\
";

/// What is in WELCOME and in INITIATE, each its nonce's tail and its box.
const COOKIE: &str = "\
    0505050505050505050505050505050597e3502cba39b3aa6763168ed961a178edad2cb4a321a644617b\
    2c29c50ebf66ac5aee9852dba06101f1735e555ff80d529baef7ba6d9ce3a8ca22d5916fa0db544314bf\
    c386b5f6e4c3949768673763\
";
const VOUCH: &str = "\
    06060606060606060606060606060606586f12c755803cbbcf039d86a4761064f53bff380d7e9af8367a\
    09e36fb61cad63b9835e8fb8a403d2b6aa13fc4059ec058816e75391b43764e4bcbdf2104298768ad70d\
    cf3c97413a855b6f44e7fa14\
";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|d| (d[0] * 16 + d[1]) as u8).collect()
}

fn recorded() -> [Vec<u8>; 6] {
    [HELLO, WELCOME, INITIATE, READY, FROM_CLIENT, FROM_SERVER].map(hex)
}

/// Two sides that have said the first `n` of these, and the next one as it is really said.
fn until(n: usize) -> ([Side; 2], Vec<u8>, Script) {
    let script = Script::begin();
    let (mut sides, mut bytes) = greeted();
    for flight in 0..n {
        let to = &mut sides[(flight + 1) % 2];
        let seen = to.receive(&bytes);
        assert!(
            !seen.iter().any(|event| matches!(event, Seen::Failed(_))),
            "{seen:?}"
        );
        match flight {
            3 => to.push("hello"),
            4 => {
                let mut msg = Msg::from("answer");
                msg.set_more(true);
                to.push(msg);
            }
            _ => {}
        }
        bytes = to.sent();
    }
    let body = body(&bytes).to_vec();
    (sides, body, script)
}

/// What comes of this in the place of the command `n`.
fn instead(n: usize, body: &[u8]) -> Vec<Seen> {
    let (mut sides, _, _script) = until(n);
    sides[(n + 1) % 2].receive(&frame(4, body))
}

/// Why this is refused in the place of the command `n`; nothing else may come of it.
fn refusal(n: usize, body: &[u8]) -> Option<ProtocolError> {
    match instead(n, body)[..] {
        [Seen::Failed(Failure::Protocol(error))] => Some(error),
        [] => None,
        ref seen => panic!("{seen:?} is what comes of {body:?} in the place of command {n}"),
    }
}

#[test]
fn each_box_is_the_one_that_libsodium_makes() {
    for (n, expected) in recorded().into_iter().enumerate() {
        assert_eq!(until(n).1, expected, "command {n}");
    }
    assert_eq!(hex(INITIATE)[9..105], hex(COOKIE), "it comes back");
    let server_transient = SecretKey::from([2; 32]).public_key();
    let key = BoxKey::agree(&SecretKey::from([1; 32]), &server_transient).unwrap();
    let mut nonce = *b"CurveZMQINITIATE\0\0\0\0\0\0\0\x02";
    let text = key.open(&nonce, &hex(INITIATE)[113..]).unwrap();
    assert_eq!(text[32..128], hex(VOUCH));
    nonce[23] = 3;
    assert!(key.open(&nonce, &hex(INITIATE)[113..]).is_err());
}

#[test]
fn each_recorded_command_is_taken_where_it_is_awaited() {
    let [hello, welcome, initiate, ready_, from_client, from_server] = recorded();
    assert_eq!(instead(0, &hello), []);
    assert_eq!(instead(1, &welcome), []);
    assert_eq!(instead(2, &initiate), [ready(&CLIENT_TOLD)]);
    assert_eq!(instead(3, &ready_), [ready(&SERVER_TOLD)]);
    assert_eq!(instead(4, &from_client), [message("hello")]);
    assert_eq!(instead(5, &from_server), [part("answer")]);
}

/// What a command is called, which is not in its box.
const NAME_LENS: [usize; 6] = [6, 8, 9, 6, 8, 8];

#[test]
fn every_byte_of_a_command_counts() {
    for (n, genuine) in recorded().into_iter().enumerate() {
        for at in 0..genuine.len() {
            for bits in [0x01, 0x80, 0xFF] {
                let mut altered = genuine.clone();
                altered[at] ^= bits;
                let error = refusal(n, &altered);
                let place = format!("{bits:#x} at byte {at} of command {n}");
                match (n, at) {
                    (_, at) if at < NAME_LENS[n] => {
                        assert_eq!(error, Some(ProtocolError::UnexpectedCommand), "{place}");
                    }
                    (0, 6 | 7) => assert_eq!(error, Some(ProtocolError::MalformedHello), "{place}"),
                    (0, 8..80) => assert_eq!(error, None, "padding, {place}"),
                    (0, 111) if bits == 0x80 => assert_eq!(error, None, "see UNUSED_BIT, {place}"),
                    (4 | 5, 8..16) => {
                        let broken = [ProtocolError::Cryptographic, ProtocolError::InvalidSequence];
                        assert!(
                            error.is_some_and(|error| broken.contains(&error)),
                            "{place}"
                        );
                    }
                    _ => assert_eq!(error, Some(ProtocolError::Cryptographic), "{place}"),
                }
            }
        }
    }
}

#[test]
fn a_command_is_whole_and_nothing_comes_behind_it() {
    let malformed = [
        ProtocolError::MalformedHello,
        ProtocolError::MalformedWelcome,
        ProtocolError::MalformedInitiate,
        ProtocolError::MalformedReady,
        ProtocolError::MalformedMessage,
        ProtocolError::MalformedMessage,
    ];
    for (n, genuine) in recorded().into_iter().enumerate() {
        for len in 0..genuine.len() {
            let error = refusal(n, &genuine[..len]).expect("a part is none");
            let expected = match len {
                len if len < NAME_LENS[n] => ProtocolError::UnexpectedCommand,
                len if error == ProtocolError::Cryptographic => {
                    // Those with metadata or a body have no length of their own.
                    assert!(
                        len >= [200, 168, 257, 30, 33, 33][n],
                        "{len} of command {n}"
                    );
                    error
                }
                _ => malformed[n],
            };
            assert_eq!(error, expected, "{len} bytes of command {n}");
        }
        let longer = [&genuine[..], &[0]].concat();
        assert!(refusal(n, &longer).is_some(), "command {n} and a byte");
        let twice = [&genuine[..], &genuine].concat();
        assert!(refusal(n, &twice).is_some(), "command {n} twice in one");
    }
}

#[test]
fn no_command_is_taken_where_another_is_awaited() {
    let commands = recorded();
    let foreign: [&[u8]; 8] = [
        b"",
        b"data",
        b"\x05HELLO\x03ann\x06secret",
        b"\x07WELCOME",
        b"\x08INITIATE\x0BSocket-Type\0\0\0\x06DEALER",
        b"\x05READY\x0BSocket-Type\0\0\0\x06ROUTER",
        b"\x04PING\0\0",
        b"\x05ERROR\x03400",
    ];
    for awaited in 0..6 {
        for (n, command) in commands.iter().enumerate() {
            if n != awaited {
                assert!(refusal(awaited, command).is_some(), "{n} for {awaited}");
            }
        }
        for command in foreign {
            assert!(
                refusal(awaited, command).is_some(),
                "{command:?} for {awaited}"
            );
        }
    }
}

#[test]
fn nothing_is_taken_twice() {
    for (n, genuine) in recorded().into_iter().enumerate() {
        let (mut sides, _, _script) = until(n);
        let to = &mut sides[(n + 1) % 2];
        let seen = to.receive(&frame(4, &genuine));
        assert!(
            !seen.iter().any(|event| matches!(event, Seen::Failed(_))),
            "{seen:?}"
        );
        let seen = to.receive(&frame(4, &genuine));
        assert!(matches!(seen[..], [Seen::Failed(_)]), "{seen:?}");
        assert_eq!(
            to.receive(&frame(4, &genuine)),
            [],
            "a failed engine stays failed"
        );
    }
}
