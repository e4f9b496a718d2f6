//! The handshake: everything on a connection before its first message.
//!
//! [`Opening`] owns the state of a connection until the peer is known: greeting, then the
//! mechanism's commands (3.x) or the exchange of identity frames (older peers). A stage is
//! consumed by what follows it. Nothing here sees a message.

use std::time::Instant;

use bytes::Bytes;

use crate::error::ProtocolError;
use crate::msg::{Metadata, Msg};
use crate::options;
use crate::options::{Options, SocketType};
use crate::zmtp::frame::{Batch, COMMAND, Decoder, Framing, Limit};
use crate::zmtp::greeting::{Greeting, Version};
use crate::zmtp::heartbeat::deadline;
use crate::zmtp::mechanism::{Mechanism, Status, check_routing_id};

/// Larger than what any mechanism needs, and small enough to be no way of filling our memory.
const COMMAND_LIMIT: Limit = Limit {
    size: 64 * 1024,
    error: ProtocolError::CommandTooLarge,
};

/// An old peer's identity frame.
const IDENTITY_LIMIT: Limit = Limit {
    size: 255,
    error: ProtocolError::InvalidRoutingId,
};

/// What the engine must know of its own side.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) socket_type: SocketType,
    pub(crate) heartbeat: options::Heartbeat,
    pub(crate) max_msg_size: Option<u64>,
    routing_id: Bytes,
    peer_address: Option<String>,
}

impl Local {
    pub(crate) fn new(options: &Options, peer_address: Option<String>) -> Self {
        Self {
            socket_type: options.socket_type,
            heartbeat: options.heartbeat.clone(),
            max_msg_size: options.max_msg_size,
            routing_id: options.routing_id.clone(),
            peer_address,
        }
    }

    /// What is known of the peer. Where it is, we know better than it does.
    fn metadata<'a>(&self, told: impl Iterator<Item = (&'a str, &'a [u8])>) -> Metadata {
        let mut metadata = Metadata::new();
        if let Some(address) = self.peer_address.clone() {
            metadata.insert(Metadata::PEER_ADDRESS, address.into());
        }
        for (name, value) in told {
            if !name.eq_ignore_ascii_case(Metadata::PEER_ADDRESS) {
                metadata.insert(name, Bytes::copy_from_slice(value));
            }
        }
        metadata
    }
}

/// A connection whose peer is not known yet.
#[derive(Debug)]
pub(crate) struct Opening {
    local: Local,
    deadline: Option<Instant>,
    stage: Stage,
}

/// What became of an [`Opening`].
pub(crate) enum Progress {
    /// It waits for more bytes.
    Waiting(Opening),
    /// The peer is known; the bytes that are left are its messages.
    Done(Opened),
}

/// A connection whose peer is known.
pub(crate) struct Opened {
    pub(crate) local: Local,
    pub(crate) version: Version,
    pub(crate) metadata: Metadata,
}

impl Opening {
    /// Begins: writes the start of the greeting to `out`.
    pub(crate) fn start(
        options: &Options,
        peer_address: Option<String>,
        now: Instant,
        out: &mut Batch,
    ) -> Self {
        let mechanism = Mechanism::new(options);
        let (name, id) = (mechanism.name(), &options.routing_id);
        let greeting = Greeting::start(options.socket_type, name, id, out.raw());
        Self {
            local: Local::new(options, peer_address),
            deadline: options
                .handshake_interval
                .and_then(|interval| deadline(now, interval)),
            stage: Stage::Greeting(ExpectGreeting {
                greeting,
                mechanism,
            }),
        }
    }

    /// When the peer must be known.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Takes bytes from `input` until the peer is known, and writes the answers to `out`.
    pub(crate) fn handle_input(
        mut self,
        input: &mut &[u8],
        out: &mut Batch,
    ) -> Result<Progress, ProtocolError> {
        loop {
            match self.stage.advance(&self.local, input, out)? {
                Step::Next(stage) => self.stage = stage,
                Step::Done(version, metadata) => {
                    return Ok(Progress::Done(Opened {
                        local: self.local,
                        version,
                        metadata,
                    }));
                }
            }
            if input.is_empty() {
                return Ok(Progress::Waiting(self));
            }
        }
    }
}

/// What is awaited.
#[derive(Debug)]
enum Stage {
    Greeting(ExpectGreeting),
    Command(ExpectCommand),
    Identity(ExpectIdentity),
}

/// What came of a stage's input. A stage that comes next although there is input left is a new
/// one.
enum Step {
    Next(Stage),
    Done(Version, Metadata),
}

impl Stage {
    fn advance(
        self,
        local: &Local,
        input: &mut &[u8],
        out: &mut Batch,
    ) -> Result<Step, ProtocolError> {
        match self {
            Self::Greeting(stage) => stage.advance(local, input, out),
            Self::Command(stage) => stage.advance(local, input, out),
            Self::Identity(stage) => stage.advance(local, input),
        }
    }
}

/// The peer's greeting is awaited.
#[derive(Debug)]
struct ExpectGreeting {
    greeting: Greeting,
    mechanism: Mechanism,
}

impl ExpectGreeting {
    fn advance(
        mut self,
        local: &Local,
        input: &mut &[u8],
        out: &mut Batch,
    ) -> Result<Step, ProtocolError> {
        match self.greeting.handle_input(input, out.raw()) {
            Some(version) => self.answer(version, local, out),
            None => Ok(Step::Next(Stage::Greeting(self))),
        }
    }

    fn answer(
        self,
        version: Version,
        local: &Local,
        out: &mut Batch,
    ) -> Result<Step, ProtocolError> {
        match version {
            Version::V3_0 | Version::V3_1 if self.greeting.mechanism_matches() => {
                Ok(ExpectCommand::new(version, self.mechanism).answer(local, out))
            }
            Version::V3_0 | Version::V3_1 => Err(ProtocolError::MechanismMismatch),
            Version::V1 | Version::V2 => {
                let id = Msg::from(local.routing_id.clone());
                out.push(Framing::of(version), 0, &[], id);
                Ok(Step::Next(Stage::Identity(ExpectIdentity::new(version))))
            }
            Version::Unversioned => {
                // Our signature was the head of this; what we took for the peer's is a head too.
                out.raw().extend_from_slice(&local.routing_id);
                ExpectIdentity::new(version).advance(local, &mut self.greeting.received())
            }
        }
    }
}

/// A 3.x peer's next handshake command is awaited.
#[derive(Debug)]
struct ExpectCommand {
    version: Version,
    mechanism: Mechanism,
    decoder: Decoder,
}

impl ExpectCommand {
    fn new(version: Version, mechanism: Mechanism) -> Self {
        Self {
            version,
            mechanism,
            decoder: Decoder::new(Framing::of(version), COMMAND_LIMIT),
        }
    }

    /// Takes a frame, which is not asked whether it is a command: ZeroMQ does not ask either.
    fn advance(
        mut self,
        local: &Local,
        input: &mut &[u8],
        out: &mut Batch,
    ) -> Result<Step, ProtocolError> {
        let Some(command) = self.decoder.decode(input)? else {
            return Ok(Step::Next(Stage::Command(self)));
        };
        self.mechanism.process_handshake_command(&command.msg)?;
        Ok(self.answer(local, out))
    }

    fn answer(mut self, local: &Local, out: &mut Batch) -> Step {
        while let Some(body) = self.mechanism.next_handshake_command() {
            out.push(Framing::of(self.version), COMMAND, &[], body.into());
        }
        match self.mechanism.status() {
            Status::Shaking => Step::Next(Stage::Command(self)),
            Status::Ready(told) => Step::Done(self.version, local.metadata(told.iter())),
        }
    }
}

/// The first frame of a peer older than 3.0 is awaited: its routing id.
#[derive(Debug)]
struct ExpectIdentity {
    version: Version,
    decoder: Decoder,
}

impl ExpectIdentity {
    fn new(version: Version) -> Self {
        Self {
            version,
            decoder: Decoder::new(Framing::of(version), IDENTITY_LIMIT),
        }
    }

    fn advance(mut self, local: &Local, input: &mut &[u8]) -> Result<Step, ProtocolError> {
        let Some(id) = self.decoder.decode(input)? else {
            return Ok(Step::Next(Stage::Identity(self)));
        };
        check_routing_id(&id.msg)?;
        let told = [(Metadata::IDENTITY, &id.msg[..])];
        Ok(Step::Done(self.version, local.metadata(told.into_iter())))
    }
}
