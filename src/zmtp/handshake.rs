//! The handshake: everything on a connection before its first message.
//!
//! [`Opening`] owns the state of a connection until the peer is known: greeting, then the
//! mechanism's commands (3.x) or the exchange of identity frames (older peers). A stage is
//! consumed by what follows it. Nothing here sees a message.

use std::time::Instant;

use bytes::Bytes;

use crate::batch::Batch;
use crate::engine::Failure;
use crate::error::{ProtocolError, ZapError};
use crate::msg::{Metadata, Msg};
use crate::options;
use crate::options::{Options, SocketType};
use crate::security::Role;
use crate::zap::{AuthRequest, Credentials, Verdict};
use crate::zmtp::cipher::Cipher;
use crate::zmtp::command;
use crate::zmtp::curve::{CurveClient, CurveServer};
use crate::zmtp::frame::{COMMAND, Decoder, Framing, Limit};
use crate::zmtp::greeting::{self, Greeting, Version};
use crate::zmtp::heartbeat::deadline;
use crate::zmtp::mechanism::{Mechanism, Ours, Status, check_routing_id};
use crate::zmtp::null::Null;
use crate::zmtp::plain::{PlainClient, PlainServer};

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
    pub(crate) max_multipart_size: Option<u64>,
    routing_id: Bytes,
    peer_address: Option<String>,
    zap_domain: String,
    demands_mechanism: bool,
    demands_answer: bool,
    /// What those who let the peer in say of it.
    granted: Metadata,
}

impl Local {
    pub(crate) fn new(options: &Options, peer_address: Option<String>) -> Self {
        Self {
            socket_type: options.socket_type,
            heartbeat: options.heartbeat.clone(),
            max_msg_size: options.max_msg_size,
            max_multipart_size: options.max_multipart_size,
            routing_id: options.routing_id.clone(),
            peer_address,
            zap_domain: options.security.zap.domain.clone(),
            demands_mechanism: options.security.demands_mechanism(),
            demands_answer: options.security.demands_answer(),
            granted: Metadata::new(),
        }
    }

    fn request(&self, credentials: Credentials) -> AuthRequest {
        AuthRequest {
            domain: self.zap_domain.clone(),
            address: self.peer_address.clone().unwrap_or_default(),
            routing_id: self.routing_id.clone(),
            credentials,
        }
    }

    /// What is known of the peer. Where it is and who it is, others know better than it does.
    fn metadata<'a>(&self, told: impl Iterator<Item = (&'a str, &'a [u8])>) -> Metadata {
        let mut metadata = Metadata::new();
        if let Some(address) = &self.peer_address {
            metadata.insert(Metadata::PEER_ADDRESS, address.as_bytes());
        }
        for (name, value) in self.granted.iter() {
            metadata.insert(name, value);
        }
        let ours = [Metadata::PEER_ADDRESS, Metadata::USER_ID];
        for (name, value) in told {
            if !ours.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                metadata.insert(name, value);
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
    /// It waits for more bytes, or for a verdict.
    Waiting(Opening),
    /// Whether the peer may come in is to be told by [`Opening::handle_verdict`].
    Asking(Opening, AuthRequest),
    /// The peer is known; the bytes that are left are its messages.
    Done(Opened),
}

/// A connection whose peer is known.
pub(crate) struct Opened {
    pub(crate) local: Local,
    pub(crate) version: Version,
    pub(crate) metadata: Metadata,
    /// What the traffic is sealed with, if it is.
    pub(crate) cipher: Option<Box<Cipher>>,
}

impl Opening {
    /// Begins: writes the start of the greeting to `out`.
    pub(crate) fn start(
        options: &Options,
        peer_address: Option<String>,
        now: Instant,
        out: &mut Batch,
    ) -> Self {
        let mechanism = mechanism(options);
        let name = greeting::mechanism_name(options.security.mechanism);
        let id = &options.routing_id;
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
            let step = self.stage.advance(&self.local, input, out)?;
            match step.lead(self.local, self.deadline) {
                Progress::Waiting(opening) if !input.is_empty() && !opening.is_asking() => {
                    self = opening;
                }
                progress => return Ok(progress),
            }
        }
    }

    /// Takes what came of [`Progress::Asking`], and writes the answer to `out`: a refusal too.
    pub(crate) fn handle_verdict(
        mut self,
        verdict: Verdict,
        out: &mut Batch,
    ) -> Result<Progress, Failure> {
        let Stage::Verdict(ExpectVerdict(mut asking)) = self.stage else {
            return Ok(Progress::Waiting(self));
        };
        match verdict {
            Verdict::Granted(granted) => self.local.granted = granted,
            Verdict::NobodyThere if !self.local.demands_answer => {}
            Verdict::NobodyThere => return Err(Failure::Zap(ZapError::NoHandler)),
            Verdict::Failed(error) => return Err(Failure::Zap(error)),
            Verdict::Refused(status) => {
                asking.refuse(status, out);
                return Err(Failure::Denied(status));
            }
        }
        asking.mechanism.on_granted();
        let step = asking.answer(&self.local, out)?;
        Ok(step.lead(self.local, self.deadline))
    }

    fn is_asking(&self) -> bool {
        matches!(self.stage, Stage::Verdict(_))
    }
}

/// The mechanism that the options say.
fn mechanism(options: &Options) -> Box<dyn Mechanism> {
    let ours = Ours::new(options);
    match options.security.role() {
        Role::Null => Box::new(Null::new(ours, options.security.asks())),
        Role::PlainServer => Box::new(PlainServer::new(ours)),
        Role::PlainClient { username, password } => {
            Box::new(PlainClient::new(ours, &username, password.as_str()))
        }
        Role::CurveServer { secret_key } => {
            Box::new(CurveServer::new(ours, secret_key, options.security.asks()))
        }
        Role::CurveClient { keys, server_key } => {
            Box::new(CurveClient::new(ours, keys, server_key))
        }
    }
}

/// What is awaited.
#[derive(Debug)]
enum Stage {
    Greeting(ExpectGreeting),
    Command(ExpectCommand),
    Verdict(ExpectVerdict),
    Identity(ExpectIdentity),
}

/// What came of a stage's input. A stage that comes next although there is input left is a new
/// one, unless it expects a verdict.
enum Step {
    Next(Stage),
    Ask(ExpectVerdict, AuthRequest),
    Done(Version, Metadata, Option<Box<Cipher>>),
}

impl Step {
    fn lead(self, local: Local, deadline: Option<Instant>) -> Progress {
        let opening = |local, stage| Opening {
            local,
            deadline,
            stage,
        };
        match self {
            Self::Next(stage) => Progress::Waiting(opening(local, stage)),
            Self::Ask(stage, request) => {
                Progress::Asking(opening(local, Stage::Verdict(stage)), request)
            }
            Self::Done(version, metadata, cipher) => Progress::Done(Opened {
                local,
                version,
                metadata,
                cipher,
            }),
        }
    }
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
            // The input is for later.
            Self::Verdict(stage) => Ok(Step::Next(Self::Verdict(stage))),
            Self::Identity(stage) => stage.advance(local, input),
        }
    }
}

/// The peer's greeting is awaited.
#[derive(Debug)]
struct ExpectGreeting {
    greeting: Greeting,
    mechanism: Box<dyn Mechanism>,
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
                ExpectCommand::new(version, self.mechanism).answer(local, out)
            }
            Version::V3_0 | Version::V3_1 => Err(ProtocolError::MechanismMismatch),
            // A peer that has no mechanism must not get around ours.
            Version::V1 | Version::V2 | Version::Unversioned if local.demands_mechanism => {
                Err(ProtocolError::MechanismMismatch)
            }
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
    mechanism: Box<dyn Mechanism>,
    decoder: Decoder,
}

/// Whether a peer may come in is to be told; then its next command is awaited.
#[derive(Debug)]
struct ExpectVerdict(ExpectCommand);

impl ExpectCommand {
    fn new(version: Version, mechanism: Box<dyn Mechanism>) -> Self {
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
        let outcome = self.mechanism.process_handshake_command(&command.msg);
        if outcome == Err(ProtocolError::IncompatibleSocketType) {
            self.push(&command::incompatible(), out);
        }
        outcome?;
        self.answer(local, out)
    }

    fn answer(mut self, local: &Local, out: &mut Batch) -> Result<Step, ProtocolError> {
        while let Some(body) = self.mechanism.next_handshake_command()? {
            self.push(&body, out);
        }
        Ok(match self.mechanism.status() {
            Status::Shaking => Step::Next(Stage::Command(self)),
            Status::Asking(credentials) => {
                let request = local.request(credentials);
                Step::Ask(ExpectVerdict(self), request)
            }
            Status::Ready(told) => {
                let metadata = local.metadata(told.iter());
                Step::Done(self.version, metadata, self.mechanism.take_cipher())
            }
        })
    }

    /// Tells a peer that it is refused. One that may try again is told nothing.
    fn refuse(&self, status: u16, out: &mut Batch) {
        if status != 300 {
            self.push(&command::error(status), out);
        }
    }

    fn push(&self, body: &[u8], out: &mut Batch) {
        out.push(Framing::of(self.version), COMMAND, body, Msg::new());
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
        {
            let metadata = local.metadata(told.into_iter());
            Ok(Step::Done(self.version, metadata, None))
        }
    }
}
