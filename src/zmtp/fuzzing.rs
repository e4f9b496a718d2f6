//! What a fuzzer calls of ZMTP: each function takes any bytes, and panics where a rule is broken
//! that must hold for all of them.
//!
//! The rules are the same for all machines of the wire: no bytes make them panic, what comes out
//! does not depend on how the stream was sliced, what was encoded is decoded to the same, and a
//! failed engine stays failed. Exists for tests and fuzzers only.

pub(crate) mod handshakes;

use std::io::IoSlice;
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::engine::{Engine, Event, Failure, next_events};
use crate::error::ProtocolError;
use crate::keys::{CurveKeyPair, SecretKey};
use crate::msg::{Metadata, Msg};
use crate::options::{Options, SocketType};
use crate::security::{Curve, Plain, Security};
use crate::zap::Verdict;
use crate::zmtp::command::{self, Command};
use crate::zmtp::frame::{COMMAND, Decoder, Frame, Framing, Limit, MORE};
use crate::zmtp::greeting::{Greeting, MechanismName, Version};
use crate::zmtp::{EngineSpec, StreamEngine, zap};

const NULL: MechanismName = *b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
const TYPES: [SocketType; 19] = [
    SocketType::PAIR,
    SocketType::PUB,
    SocketType::SUB,
    SocketType::REQ,
    SocketType::REP,
    SocketType::DEALER,
    SocketType::ROUTER,
    SocketType::PULL,
    SocketType::PUSH,
    SocketType::XPUB,
    SocketType::XSUB,
    SocketType::SERVER,
    SocketType::CLIENT,
    SocketType::RADIO,
    SocketType::DISH,
    SocketType::GATHER,
    SocketType::SCATTER,
    SocketType::PEER,
    SocketType::CHANNEL,
];

/// Sizes of messages around those at which something changes.
const SIZES: [usize; 8] = [0, 1, 33, 255, 256, 5000, 70_000, 200_000];

/// How a run goes, which the first bytes of the input say.
type Plan = [u8; 4];

/// The stream in slices whose sizes the plan says.
fn slices(plan: Plan, mut stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    plan.into_iter().cycle().map_while(move |size| {
        let (slice, rest) = stream.split_at(stream.len().min(usize::from(size) + 1));
        stream = rest;
        Some(slice).filter(|slice| !slice.is_empty())
    })
}

/// A greeting, and what follows it.
pub(crate) fn greeting(bytes: &[u8]) {
    let Some((plan, stream)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    assert_eq!(
        greet(std::iter::once(stream)),
        greet(slices(*plan, stream)),
        "slices change what a greeting says"
    );
}

/// The version that was found, how much was taken for the greeting, and what was answered.
fn greet<'a>(slices: impl Iterator<Item = &'a [u8]>) -> (Option<Version>, usize, Vec<u8>) {
    let mut out = Vec::new();
    let mut greeting = Greeting::start(SocketType::DEALER, NULL, b"me", &mut out);
    let version = slices
        .filter(|slice| !slice.is_empty())
        .find_map(|mut slice| greeting.handle_input(&mut slice, &mut out));
    (version, greeting.received().len(), out)
}

/// A frame as it can be compared: its flags and its body.
type Seen = (u8, Vec<u8>);

/// A stream of frames.
pub(crate) fn frames(bytes: &[u8]) {
    let Some((plan, stream)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let framing = if plan[0] & 1 == 0 {
        Framing::V2
    } else {
        Framing::V1
    };
    let whole = decode(framing, std::iter::once(stream));
    let sliced = decode(framing, slices(*plan, stream));
    assert_eq!(whole, sliced, "slices change what is decoded");
    let encoded = encode(framing, &whole.0);
    let again = decode(framing, std::iter::once(&encoded[..]));
    assert_eq!(again, (whole.0, None), "what was encoded is something else");
}

fn decode<'a>(
    framing: Framing,
    slices: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Seen>, Option<ProtocolError>) {
    let limit = Limit {
        size: 1 << 20,
        error: ProtocolError::MessageTooLarge,
    };
    let mut decoder = Decoder::new(framing, limit);
    let mut frames = Vec::new();
    for mut slice in slices {
        loop {
            match decoder.decode(&mut slice) {
                Ok(Some(Frame { msg, is_command })) => {
                    let command = if is_command { COMMAND } else { 0 };
                    let more = if msg.more() { MORE } else { 0 };
                    frames.push((command | more, msg.to_vec()));
                }
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(slice.is_empty(), "input is left although more is needed");
    }
    (frames, None)
}

fn encode(framing: Framing, frames: &[Seen]) -> Vec<u8> {
    let mut batch = Batch::default();
    for (flags, body) in frames {
        batch.push(framing, *flags, &[], Msg::copied(body));
    }
    let mut bytes = Vec::new();
    while batch.pending() > 0 {
        let mut slices = [IoSlice::new(&[]); 3];
        let count = batch.poll_transmit(&mut slices);
        bytes.extend(slices[..count].iter().flat_map(|slice| slice.iter()));
        let shown = slices[..count].iter().map(|slice| slice.len()).sum();
        batch.handle_sent(shown);
    }
    bytes
}

/// The body of a command, and metadata.
pub(crate) fn command(bytes: &[u8]) {
    if let Command::Ping { context, .. } = Command::parse(bytes) {
        assert!(context.len() <= 16, "more is echoed than may be");
    }
    let _ = command::parse_error(bytes);
    let Ok(metadata) = command::parse_metadata(bytes) else {
        return;
    };
    let again = command::ready(metadata.iter());
    let Command::Ready(properties) = Command::parse(&again) else {
        return assert_eq!(again, b"", "our READY is none");
    };
    assert_eq!(command::parse_metadata(properties), Ok(metadata));
}

/// Properties as a handshake carries them.
#[cfg(test)]
pub(crate) fn metadata<'a>(properties: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    command::with_properties(&[], properties)
}

/// An event as it can be compared: what it is, and its body.
type Told = (String, Vec<u8>);

fn told(event: &Event) -> Told {
    match event {
        Event::Ready(peer) => (format!("{peer:?}"), Vec::new()),
        Event::Authenticate(request) => (format!("{request:?}"), Vec::new()),
        Event::Message(msg) => (format!("{:?} {}", msg.kind(), msg.more()), msg.to_vec()),
        Event::Run(run) => unreachable!("{run:?} was taken apart"),
        Event::Failed(failure) => (format!("{failure:?}"), Vec::new()),
    }
}

/// One engine with what its user does to it.
struct Side {
    engine: StreamEngine,
    /// How many messages it may tell of at once.
    room: u64,
    now: Instant,
    told: Vec<Told>,
    failed: Option<Failure>,
}

impl Side {
    fn new(socket_type: SocketType, now: Instant) -> Self {
        Self::secured(socket_type, Security::none(), now)
    }

    fn secured(socket_type: SocketType, security: Security, now: Instant) -> Self {
        let mut options = Options::new(socket_type);
        options.max_msg_size = Some(1 << 20);
        options.security.set(security);
        let engine = StreamEngine::new(EngineSpec {
            options: &options,
            peer_address: None,
            now,
        });
        Self {
            engine,
            room: u64::MAX,
            now,
            told: Vec::new(),
            failed: None,
        }
    }

    fn receive(&mut self, mut slice: &[u8]) {
        if let Some(space) = self.engine.body_space() {
            let n = space.len().min(slice.len());
            space[..n].copy_from_slice(&slice[..n]);
            self.engine.handle_body(n, self.now);
            slice = &slice[n..];
        }
        loop {
            let events = next_events(&mut self.engine, &mut slice, self.room, self.now);
            if events.is_empty() {
                break;
            }
            for event in events {
                assert!(self.failed.is_none(), "something comes after the failure");
                if let Event::Failed(failure) = &event {
                    self.failed = Some(*failure);
                }
                self.told.push(told(&event));
                if matches!(event, Event::Authenticate(_)) {
                    let verdict = Verdict::Granted(Metadata::new());
                    let told_then = self.engine.handle_verdict(verdict, self.now);
                    self.told.extend(told_then.iter().map(told));
                }
            }
        }
        assert!(slice.is_empty(), "input is left although more is needed");
    }

    /// Takes what is to be sent, at most `limit` bytes of it.
    fn send(&mut self, limit: usize) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 3];
        let count = self.engine.poll_transmit(&mut slices);
        let shown = slices[..count].iter().flat_map(|slice| slice.iter());
        let sent: Vec<u8> = shown.copied().take(limit).collect();
        self.engine.handle_sent(sent.len());
        assert!(
            self.failed.is_none_or(Failure::is_refusal) || sent.is_empty(),
            "a failed engine speaks"
        );
        sent
    }

    fn let_time_pass(&mut self) {
        self.now += Duration::from_secs(60);
        let before = self.failed.is_some();
        if let Err(failure) = self.engine.handle_timeout(self.now) {
            assert!(!before, "it has failed already");
            self.failed = Some(failure);
        }
    }
}

/// A peer's whole stream, after a beginning that gets it somewhere.
pub(crate) fn engine(bytes: &[u8], now: Instant) {
    let Some((plan, stream)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let socket_type = TYPES[usize::from(plan[0]) % TYPES.len()];
    let [mut whole, mut sliced] = [(); 2].map(|()| Side::new(socket_type, now));
    sliced.room = u64::from(plan[2]) + 1;
    let beginning = beginning(plan[1], socket_type);
    whole.receive(&beginning);
    whole.receive(stream);
    for slice in slices(*plan, &beginning).chain(slices(*plan, stream)) {
        sliced.receive(slice);
    }
    assert_eq!(whole.told, sliced.told, "slices change what happens");
    for side in [&mut whole, &mut sliced] {
        side.let_time_pass();
        side.let_time_pass();
        while !side.send(1000).is_empty() {}
    }
}

fn beginning(choice: u8, socket_type: SocketType) -> Vec<u8> {
    let partner = TYPES
        .iter()
        .find(|other| socket_type.accepts(other.name().as_bytes()))
        .map_or("", |other| other.name());
    let mut greeting = [
        b"\xFF\0\0\0\0\0\0\0\x01\x7F\x03".as_slice(),
        &[choice & 1],
        &NULL,
    ]
    .concat();
    greeting.resize(64, 0);
    let ready = command::ready([("Socket-Type", partner.as_bytes())].into_iter());
    match choice >> 1 & 3 {
        0 => Vec::new(),
        1 => greeting,
        2 => [greeting, encode(Framing::V2, &[(COMMAND, ready)])].concat(),
        _ => b"\xFF\0\0\0\0\0\0\0\x01\x7F\x01\x05\0\0".to_vec(),
    }
}

/// Two engines that talk to each other, about what the bytes say.
pub(crate) fn engine_pair(bytes: &[u8], now: Instant) {
    let Some((plan, script)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let mut sides = [(); 2].map(|()| Side::new(SocketType::DEALER, now));
    carry(&mut sides, *plan);
    let ready = sides.each_ref().map(|side| side.told.len());
    assert_eq!(ready, [1, 1], "they do not shake hands");
    let mut expected = sides.each_ref().map(|side| side.told.clone());
    for (n, what) in script.iter().take(64).enumerate() {
        let (from, more) = (usize::from(what & 1), what & 2 != 0);
        let body = vec![n.to_le_bytes()[0]; SIZES[usize::from(what >> 2 & 7)]];
        let mut msg = Msg::copied(&body);
        msg.set_more(more);
        expected[1 - from].push((format!("{:?} {more}", msg.kind()), body));
        if !sides[from].engine.wants_messages() {
            carry(&mut sides, *plan);
        }
        sides[from].engine.push(msg);
        if what & 0x80 != 0 {
            carry(&mut sides, *plan);
        }
    }
    carry(&mut sides, *plan);
    for (side, expected) in sides.iter().zip(&expected) {
        assert!(
            side.told == *expected,
            "something else arrives than was sent"
        );
    }
}

/// Carries bytes both ways until there are none, in steps whose sizes the plan says.
fn carry(sides: &mut [Side; 2], plan: Plan) {
    let [a, b] = sides;
    for step in plan.into_iter().cycle() {
        let limit = (usize::from(step) + 1) << (step & 15);
        let (to_b, to_a) = (a.send(limit), b.send(limit));
        a.receive(&to_a);
        b.receive(&to_b);
        if to_a.is_empty() && to_b.is_empty() {
            return;
        }
    }
}

/// A PLAIN handshake in which one flight of bytes is altered.
pub(crate) fn plain(bytes: &[u8], now: Instant) {
    let sides = [Plain::client("ann", "secret"), Plain::server()];
    alter(sides, bytes, now);
}

/// A CURVE handshake in which one flight of bytes is altered: nothing is believed that was not
/// said.
pub(crate) fn curve(bytes: &[u8], now: Instant) {
    let [client, server] = [1, 2].map(|n| CurveKeyPair::from(SecretKey::from([n; 32])));
    let sides = [
        Curve::client(&client, server.public_key),
        Curve::server(&server),
    ];
    for side in alter(sides, bytes, now) {
        let messages = side
            .told
            .iter()
            .filter(|(what, _)| what.starts_with("Data"));
        for (_, body) in messages {
            assert_eq!(body, GENUINE, "a message was made up");
        }
    }
}

const GENUINE: &[u8] = b"genuine";

/// Two sides shake hands and send a message each; the first byte says which flight is altered, the
/// second whether it is replaced by the rest of the bytes or combined with them.
fn alter(security: [Security; 2], bytes: &[u8], now: Instant) -> [Side; 2] {
    let mut sides = security.map(|security| Side::secured(SocketType::DEALER, security, now));
    let Some((&[which, how], edit)) = bytes.split_first_chunk::<2>() else {
        return sides;
    };
    let mut sent = [false; 2];
    for flight in 0..16 {
        let from = flight % 2;
        let mut flight_bytes = sides[from].send(usize::MAX);
        if flight == usize::from(which % 16) {
            if how & 1 == 0 {
                flight_bytes = edit.to_vec();
            } else {
                let at = usize::from(how >> 1);
                let altered = flight_bytes.iter_mut().skip(at).zip(edit);
                altered.for_each(|(byte, edit)| *byte ^= edit);
            }
        }
        sides[1 - from].receive(&flight_bytes);
        if !sent[1 - from] && sides[1 - from].engine.wants_messages() {
            sides[1 - from].engine.push(Msg::copied(GENUINE));
            sent[1 - from] = true;
        }
    }
    sides
}

/// A reply of a ZAP handler, cut into frames by its bytes of 0xFF.
pub(crate) fn zap_reply(bytes: &[u8]) {
    let frames: Vec<_> = bytes.split(|byte| *byte == 0xFF).map(Msg::copied).collect();
    if let Verdict::Granted(metadata) = zap::verdict(&frames) {
        assert_eq!(frames.len(), 7, "a malformed reply lets somebody in");
        assert_eq!(frames[3], "200");
        assert!(metadata.iter().all(|(name, _)| !name.is_empty()));
    }
}
