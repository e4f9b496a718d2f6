//! The engine against scripted peers, against itself, and against any bytes; in virtual time.
//! Here is what drives it; the tests are below by what they are about.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::engine::next_events;
use crate::error::ZapError;
use crate::msg::Metadata;
use crate::options::SocketType::{self, *};
use crate::zap::Credentials;

mod curve;
mod handshake;
mod heartbeat;
mod old_peers;
mod pair;
mod plain;
mod traffic;

const SIGNATURE: &[u8] = b"\xFF\0\0\0\0\0\0\0\x01\x7F";
const SECOND: Duration = Duration::from_secs(1);

/// What an event says, in a form that can be compared.
#[derive(Clone, PartialEq, Debug)]
enum Seen {
    Ready(Vec<(String, Vec<u8>)>),
    Authenticate(Credentials),
    Message(Kind, Vec<u8>, bool),
    Failed(Failure),
}

impl From<Event> for Seen {
    fn from(event: Event) -> Self {
        match event {
            Event::Ready(peer) => {
                let properties = peer.iter().map(|(name, value)| (name.into(), value.into()));
                Self::Ready(properties.collect())
            }
            Event::Authenticate(request) => Self::Authenticate(request.credentials),
            Event::Message(msg) => Self::Message(msg.kind(), msg.to_vec(), msg.more()),
            Event::Run(run) => panic!("{run:?} is taken apart"),
            Event::Failed(failure) => Self::Failed(failure),
        }
    }
}

fn ready(properties: &[(&str, &str)]) -> Seen {
    let owned = properties
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    Seen::Ready(owned.collect())
}

fn denied(status: u16) -> Seen {
    Seen::Failed(Failure::Denied(status))
}

fn granted(properties: &[(&str, &str)]) -> Verdict {
    let mut metadata = Metadata::new();
    for (name, value) in properties {
        metadata.insert(name, value.as_bytes());
    }
    Verdict::Granted(metadata)
}

fn message(body: impl AsRef<[u8]>) -> Seen {
    Seen::Message(Kind::Data, body.as_ref().into(), false)
}

fn part(body: &str) -> Seen {
    Seen::Message(Kind::Data, body.into(), true)
}

fn subscribe(topic: &str) -> Seen {
    Seen::Message(Kind::Subscribe, topic.into(), false)
}

fn cancel(topic: &str) -> Seen {
    Seen::Message(Kind::Cancel, topic.into(), false)
}

fn failed(error: ProtocolError) -> Seen {
    Seen::Failed(Failure::Protocol(error))
}

/// One engine, driven as a session drives it.
struct Side {
    engine: StreamEngine,
    room: u64,
    now: Instant,
}

impl Side {
    fn new(socket_type: SocketType) -> Self {
        Self::with(socket_type, |_| ())
    }

    fn with(socket_type: SocketType, set: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(socket_type);
        set(&mut options);
        let now = Instant::now();
        let spec = EngineSpec {
            options: &options,
            peer_address: None,
            now,
        };
        Self {
            engine: StreamEngine::new(spec),
            room: u64::MAX,
            now,
        }
    }

    /// A side whose 3.1 peer of this type has just become ready.
    fn ready(socket_type: SocketType, peer: &str, set: impl FnOnce(&mut Options)) -> Self {
        let mut side = Self::with(socket_type, set);
        let events =
            side.receive(&[greeting(3, 1), ready_frame(&[("Socket-Type", peer)])].concat());
        assert_eq!(events, [ready(&[("Socket-Type", peer)])]);
        side.sent();
        side
    }

    /// Reads bytes that came at once, into body space as long as there is some.
    fn receive(&mut self, mut input: &[u8]) -> Vec<Seen> {
        if let Some(space) = self.engine.body_space() {
            let n = space.len().min(input.len());
            space[..n].copy_from_slice(&input[..n]);
            self.engine.handle_body(n, self.now);
            input = &input[n..];
        }
        let mut seen = Vec::new();
        loop {
            let events = next_events(&mut self.engine, &mut input, self.room, self.now);
            if events.is_empty() {
                break;
            }
            seen.extend(events.into_iter().map(Seen::from));
        }
        assert!(input.is_empty(), "all of the input is taken");
        seen
    }

    /// Reads bytes in slices of the given sizes, in turn.
    fn receive_sliced(&mut self, mut bytes: &[u8], sizes: &[usize]) -> Vec<Seen> {
        let mut seen = Vec::new();
        for size in sizes.iter().cycle() {
            let (slice, rest) = bytes.split_at((*size).min(bytes.len()));
            seen.extend(self.receive(slice));
            bytes = rest;
            if bytes.is_empty() {
                break;
            }
        }
        seen
    }

    /// Everything that is to be sent, which thereby is.
    fn sent(&mut self) -> Vec<u8> {
        let mut sent = Vec::new();
        while !self.engine.is_drained() {
            let mut slices = [IoSlice::new(&[]); 2];
            let n = self.engine.poll_transmit(&mut slices);
            let shown = slices[..n].iter().flat_map(|slice| slice.to_vec());
            let before = sent.len();
            sent.extend(shown);
            self.engine.handle_sent(sent.len() - before);
        }
        sent
    }

    /// Tells the engine whether its peer may come in.
    fn judge(&mut self, verdict: Verdict) -> Option<Seen> {
        self.engine
            .handle_verdict(verdict, self.now)
            .map(Into::into)
    }

    fn push(&mut self, msg: impl Into<Msg>) {
        assert!(self.engine.wants_messages());
        self.engine.push(msg.into());
    }

    /// Lets time pass, with all that is due in it.
    fn pass(&mut self, time: Duration) -> Result<(), Failure> {
        let end = self.now + time;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= end) {
            self.now = due;
            self.engine.handle_timeout(due)?;
        }
        self.now = end;
        Ok(())
    }
}

/// Two engines and the two byte streams between them.
struct Pair {
    sides: [Side; 2],
    seen: [Vec<Seen>; 2],
    chunk: usize,
}

impl Pair {
    fn new(types: [SocketType; 2], chunk: usize) -> Self {
        Self::of(types.map(Side::new), chunk)
    }

    fn of(sides: [Side; 2], chunk: usize) -> Self {
        Self {
            sides,
            seen: [vec![], vec![]],
            chunk,
        }
    }

    /// Carries bytes until there are none.
    fn drive(&mut self) {
        loop {
            let [a, b] = &mut self.sides;
            let (to_b, to_a) = (a.sent(), b.sent());
            if to_a.is_empty() && to_b.is_empty() {
                return;
            }
            self.seen[0].extend(a.receive_sliced(&to_a, &[self.chunk]));
            self.seen[1].extend(b.receive_sliced(&to_b, &[self.chunk]));
        }
    }
}

fn greeting(major: u8, minor: u8) -> Vec<u8> {
    greeting_of(major, minor, b"NULL")
}

fn greeting_of(major: u8, minor: u8, mechanism: &[u8]) -> Vec<u8> {
    let mut bytes = [SIGNATURE, &[major, minor], mechanism].concat();
    bytes.resize(64, 0);
    bytes
}

fn frame(flags: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    if body.len() <= 255 {
        return [&[flags, body.len() as u8], body].concat();
    }
    [&[flags | 2][..], &(body.len() as u64).to_be_bytes(), body].concat()
}

fn ready_frame(properties: &[(&str, &str)]) -> Vec<u8> {
    let properties = properties
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()));
    frame(4, command::ready(properties))
}

/// What comes of a 3.1 peer that greets and then sends this.
fn after_greeting(socket_type: SocketType, bytes: &[u8]) -> Vec<Seen> {
    Side::new(socket_type).receive(&[&greeting(3, 1), bytes].concat())
}
