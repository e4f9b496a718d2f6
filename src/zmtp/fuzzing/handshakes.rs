//! The commands of the mechanisms, one by one: a real handshake runs until a command is awaited,
//! and there comes another one.
//!
//! The first byte of the input says where the other one comes from: it is the rest of the input; or
//! the genuine one, altered by it; or, for CURVE, a box that opens, with the rest as its text, made
//! by a peer that knows the keys and breaks the rules.

use std::time::Instant;

use super::{Side, encode};
use crate::engine::{Engine, Failure};
use crate::error::ProtocolError;
use crate::keys::{CurveKeyPair, PublicKey, SecretKey};
use crate::msg::Msg;
use crate::options::SocketType;
use crate::security::{Curve, Plain, Security};
use crate::zmtp::command::{self, HELLO, INITIATE, READY, WELCOME};
use crate::zmtp::frame::{COMMAND, Framing};
use crate::zmtp::secretbox::BoxKey;
use crate::zmtp::secretbox::scripted::Script;

/// What is said, in the order of a handshake; in that of NULL, READY only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Saying {
    Hello,
    Welcome,
    Initiate,
    Ready,
    /// CURVE only: what travels after the handshake.
    Message,
}

/// A mechanism.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Null,
    Plain,
    Curve,
}

impl Kind {
    /// What a client and a server say in turns, the client first.
    fn sayings(self) -> &'static [Saying] {
        use Saying::*;
        match self {
            Self::Null => &[Ready],
            Self::Plain => &[Hello, Welcome, Initiate, Ready],
            Self::Curve => &[Hello, Welcome, Initiate, Ready, Message],
        }
    }

    fn name(self) -> &'static [u8] {
        match self {
            Self::Null => b"NULL",
            Self::Plain => b"PLAIN",
            Self::Curve => b"CURVE",
        }
    }

    fn sides(self) -> [Security; 2] {
        let [client, server] = keys();
        match self {
            Self::Null => [Security::none(), Security::none()],
            Self::Plain => [Plain::client("ann", "secret"), Plain::server()],
            Self::Curve => [
                Curve::client(&client, server.public_key),
                Curve::server(&server),
            ],
        }
    }
}

fn keys() -> [CurveKeyPair; 2] {
    [1, 2].map(|n| CurveKeyPair::from(SecretKey::from([n; 32])))
}

const GENUINE: &[u8] = b"genuine";

/// A client and a server in the middle of a handshake, and what the one whose turn it is says next.
struct Talk {
    kind: Kind,
    sides: [Side; 2],
    /// How much has been said.
    turn: usize,
    body: Vec<u8>,
    /// So that what was recorded of a handshake is taken in any other.
    _script: Script,
}

impl Talk {
    fn start(kind: Kind, now: Instant) -> Self {
        let script = Script::begin();
        let security = kind.sides();
        let mut sides = security.map(|security| Side::secured(SocketType::DEALER, security, now));
        let mut greeting = [b"\xFF\0\0\0\0\0\0\0\x01\x7F\x03\x01", kind.name()].concat();
        greeting.resize(64, 0);
        let [first, _] = sides.each_mut().map(|side| {
            side.receive(&greeting);
            side.send(usize::MAX).split_off(64)
        });
        let body = unframe(&first);
        Self {
            kind,
            sides,
            turn: 0,
            body,
            _script: script,
        }
    }

    /// Lets the two talk until this is to be said.
    fn until(kind: Kind, saying: Saying, now: Instant) -> Option<Self> {
        let turn = kind.sayings().iter().position(|one| *one == saying)?;
        let mut talk = Self::start(kind, now);
        while talk.turn < turn {
            let body = talk.body.clone();
            talk.say(&body);
            assert!(talk.listener().failed.is_none(), "a handshake fails");
            talk.turn += 1;
            talk.body = talk.next();
        }
        Some(talk)
    }

    fn listener(&mut self) -> &mut Side {
        &mut self.sides[1 - self.turn % 2]
    }

    /// Has this said instead.
    fn say(&mut self, body: &[u8]) {
        let frame = encode(Framing::V2, &[(COMMAND, body.to_vec())]);
        self.listener().receive(&frame);
    }

    /// What is said next by the one who has just listened.
    fn next(&mut self) -> Vec<u8> {
        let side = &mut self.sides[self.turn % 2];
        let mut bytes = side.send(usize::MAX);
        if bytes.is_empty() && side.engine.wants_messages() {
            side.engine.push(Msg::copied(GENUINE));
            bytes = side.send(usize::MAX);
        }
        unframe(&bytes)
    }

    /// What must hold after something was said; whether it was taken for what was awaited.
    fn check(&mut self, said: &[u8]) -> bool {
        let listener = self.listener();
        let Some(failure) = listener.failed else {
            assert!(!said.starts_with(b"\x05ERROR"), "a refusal is not heard");
            return true;
        };
        if said.starts_with(b"\x05ERROR") {
            let right = matches!(
                failure,
                Failure::Protocol(
                    ProtocolError::Refused(_)
                        | ProtocolError::MalformedError
                        | ProtocolError::CommandTooLarge
                )
            ) || self.kind.sayings()[self.turn] == Saying::Message;
            assert!(right, "{failure:?} is what came of a refusal");
        }
        // It stays failed: `Side` knows that nothing may come of it.
        let genuine = self.body.clone();
        self.say(&genuine);
        false
    }
}

/// The body of the one frame in these bytes.
fn unframe(bytes: &[u8]) -> Vec<u8> {
    let frames = super::decode(Framing::V2, std::iter::once(bytes)).0;
    frames
        .into_iter()
        .map(|(_, body)| body)
        .next()
        .unwrap_or_default()
}

/// Something else than a command that is awaited.
pub(crate) fn command(kind: Kind, saying: Saying, bytes: &[u8], now: Instant) {
    let Some((how, rest)) = bytes.split_first() else {
        return;
    };
    if how % 3 == 2 && kind == Kind::Curve {
        return text(saying, rest, now);
    }
    let Some(mut talk) = Talk::until(kind, saying, now) else {
        return;
    };
    let said = if how.is_multiple_of(3) {
        rest.to_vec()
    } else {
        alter(talk.body.clone(), rest)
    };
    talk.say(&said);
    if talk.check(&said) {
        let right = match (kind, saying) {
            // Its padding may be anything; whoever can make the box in it may go on.
            (Kind::Curve, Saying::Hello) => said.len() == talk.body.len(),
            (Kind::Curve, _) => said == talk.body,
            (_, Saying::Hello) => said.starts_with(HELLO),
            (_, Saying::Welcome) => said == WELCOME,
            (_, Saying::Initiate) => has_metadata(&said, INITIATE),
            (_, Saying::Ready) => has_metadata(&said, READY),
            (_, Saying::Message) => false,
        };
        assert!(right, "{said:?} is taken for {saying:?}");
    }
}

fn has_metadata(body: &[u8], name: &[u8]) -> bool {
    let metadata = body.strip_prefix(name);
    metadata.is_some_and(|metadata| command::parse_metadata(metadata).is_ok())
}

/// Changes bytes from a place on that the first byte of `edit` says.
fn alter(mut body: Vec<u8>, edit: &[u8]) -> Vec<u8> {
    if let Some((&at, edit)) = edit.split_first() {
        let altered = body.iter_mut().skip(at.into()).zip(edit);
        altered.for_each(|(byte, edit)| *byte ^= edit);
    }
    body
}

/// ERROR with any reason where any command is awaited.
pub(crate) fn error(kind: Kind, bytes: &[u8], now: Instant) {
    let Some((turn, reason)) = bytes.split_first() else {
        return;
    };
    let sayings = kind.sayings();
    let Some(mut talk) = Talk::until(kind, sayings[usize::from(*turn) % sayings.len()], now) else {
        return;
    };
    let said = [b"\x05ERROR", reason].concat();
    talk.say(&said);
    assert!(!talk.check(&said), "a refusal is taken for something else");
}

/// What is taken now if nothing is altered: a seed for fuzzers.
pub(crate) fn genuine(kind: Kind, saying: Saying, now: Instant) -> Vec<u8> {
    Talk::until(kind, saying, now).map_or_else(Vec::new, |talk| talk.body)
}

// ── boxes that open ──────────────────────────────────────────────────────────────────────────────

/// The secret of the transient key of a peer that breaks the rules.
const TRANSIENT: [u8; 32] = [9; 32];

fn nonce(prefix: &[u8], tail: &[u8]) -> [u8; 24] {
    let mut nonce = [0; 24];
    nonce[..prefix.len()].copy_from_slice(prefix);
    nonce[prefix.len()..].copy_from_slice(tail);
    nonce
}

fn agree(secret: &SecretKey, public: &[u8]) -> BoxKey {
    let public = PublicKey::parse(public).expect("a key has 32 bytes");
    BoxKey::agree(secret, &public).expect("a real key")
}

/// A command with a number and a box.
fn numbered(name: &[u8], key: &BoxKey, prefix: &[u8; 16], number: u64, text: &[u8]) -> Vec<u8> {
    let number = number.to_be_bytes();
    [name, &number, &key.seal(&nonce(prefix, &number), text)].concat()
}

/// Any text in the box of a command.
fn text(saying: Saying, text: &[u8], now: Instant) {
    let mut talk = Talk::start(Kind::Curve, now);
    match saying {
        Saying::Hello => {
            let said = hello(text);
            talk.say(&said);
            assert_eq!(
                talk.check(&said),
                text == [0; 64],
                "{text:?} is a signature"
            );
        }
        Saying::Welcome | Saying::Ready => to_client(talk, saying, text),
        Saying::Initiate | Saying::Message => to_server(talk, saying, text),
    }
}

fn hello(signature: &[u8]) -> Vec<u8> {
    let transient = SecretKey::from(TRANSIENT);
    let [_, server] = keys();
    let key = agree(&transient, server.public_key.as_ref());
    let head = [HELLO, &[1, 0], &[0; 72], transient.public_key().as_ref()].concat();
    numbered(&head, &key, b"CurveZMQHELLO---", 1, signature)
}

/// A server that has the right key says WELCOME or READY.
fn to_client(mut talk: Talk, saying: Saying, text: &[u8]) {
    let transient = SecretKey::from(TRANSIENT);
    let [_, server] = keys();
    let client_transient = talk.body[80..112].to_vec();
    let right = [transient.public_key().as_ref(), &[7; 96]].concat();
    let welcome = if saying == Saying::Welcome {
        text
    } else {
        &right
    };
    let boxed =
        agree(&server.secret_key, &client_transient).seal(&nonce(b"WELCOME-", &[5; 16]), welcome);
    let said = [WELCOME, &[5; 16], &boxed].concat();
    talk.turn = 1;
    talk.say(&said);
    if saying == Saying::Welcome {
        let taken = talk.check(&said);
        assert!(!taken || text.len() == right.len(), "{text:?} is welcome");
        return;
    }
    talk.turn = 3;
    let key = agree(&transient, &client_transient);
    let said = numbered(READY, &key, b"CurveZMQREADY---", 1, text);
    talk.say(&said);
    let taken = talk.check(&said);
    assert!(
        !taken || command::parse_metadata(text).is_ok(),
        "{text:?} is metadata"
    );
}

/// A client says INITIATE or a message.
fn to_server(mut talk: Talk, saying: Saying, text: &[u8]) {
    let transient = SecretKey::from(TRANSIENT);
    let [client, server] = keys();
    talk.say(&hello(&[0; 64]));
    let welcome = unframe(&talk.sides[1].send(usize::MAX));
    let (tail, boxed) = welcome[WELCOME.len()..].split_at(16);
    let opened = agree(&transient, server.public_key.as_ref())
        .open(&nonce(b"WELCOME-", tail), boxed)
        .expect("the server's own box");
    let (server_transient, cookie) = opened.split_at(32);
    let key = agree(&transient, server_transient);
    let vouched = [transient.public_key().as_ref(), server.public_key.as_ref()].concat();
    let vouch =
        agree(&client.secret_key, server_transient).seal(&nonce(b"VOUCH---", &[5; 16]), &vouched);
    let shown = [client.public_key.as_ref(), &[5; 16], &vouch].concat();
    // The first byte of the text says whether it comes behind a vouch or in its place.
    let right = match (saying, text.split_first()) {
        (Saying::Initiate, Some((how, metadata))) if how & 1 == 0 => [&shown, metadata].concat(),
        (Saying::Initiate, Some((_, any))) => any.to_vec(),
        _ => shown.clone(),
    };
    talk.turn = 2;
    let head = [INITIATE, cookie].concat();
    let said = numbered(&head, &key, b"CurveZMQINITIATE", 2, &right);
    talk.say(&said);
    if saying == Saying::Initiate {
        if talk.check(&said) {
            let metadata = right.strip_prefix(&shown[..]);
            let right = metadata.is_some_and(|m| command::parse_metadata(m).is_ok());
            assert!(right, "{text:?} is taken without a vouch");
        }
        return;
    }
    talk.turn = 4;
    let said = numbered(b"\x07MESSAGE", &key, b"CurveZMQMESSAGEC", 3, text);
    let before = talk.listener().told.len();
    talk.say(&said);
    let taken = talk.check(&said);
    assert_eq!(taken, !text.is_empty(), "a message has flags");
    let told = talk.listener().told.split_off(before);
    if let (true, Some((flags, body))) = (taken, text.split_first()) {
        let is_command = flags & 2 != 0;
        assert!(is_command || told == [(format!("Data {}", flags & 1 != 0), body.to_vec())]);
        assert!(!is_command || told.is_empty(), "a DEALER hears no commands");
    }
}
