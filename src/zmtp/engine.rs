//! [`StreamEngine`]: one ZMTP connection from its greeting to its end.
//!
//! Owns the phase of the connection and the batch of bytes to be sent. A phase is consumed by the
//! next; a failed engine stays failed, deaf and, after a last word to a peer it refuses, silent. It never decides what a message is good
//! for: that a first byte of 1 or 0 in a message may mean a subscription is the publisher's
//! business.

use std::io::IoSlice;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use crate::batch::Batch;
use crate::engine::{Engine, Event, Failure, Frames};
use crate::error::ProtocolError;
use crate::msg::{Kind, Msg};
use crate::options::Options;
use crate::record::{self, Received};
use crate::zap::Verdict;
use crate::zmtp::cipher::{Cipher, OVERHEAD, Opened};
use crate::zmtp::command::{self, Command};
use crate::zmtp::frame::{
    COMMAND, Decoder, Frame, Framing, Limit, MORE, RUN_MESSAGE_MAX, head_len,
};
use crate::zmtp::greeting::Version;
use crate::zmtp::group::Groups;
use crate::zmtp::handshake::{Local, Opening, Progress};
use crate::zmtp::heartbeat::Heartbeat;

/// No more is taken into the batch than this and one message or run, unless the options say
/// otherwise.
const BATCH_MAX: usize = 256 * 1024;

/// How many bytes of frames are taken from the pipe at once; of those that are sealed fewer, since
/// each becomes longer by its box.
const RUN_MAX: usize = 64 * 1024;
const SEALED_RUN_MAX: usize = 16 * 1024;

/// What an engine is made from.
#[derive(Debug)]
pub(crate) struct EngineSpec<'a> {
    pub(crate) options: &'a Options,
    /// Where the peer is, as its messages' metadata will tell.
    pub(crate) peer_address: Option<String>,
    pub(crate) now: Instant,
}

/// A ZMTP connection without its descriptor.
#[derive(Debug)]
pub(crate) struct StreamEngine {
    phase: Phase,
    batch: Batch,
    batch_max: usize,
}

#[derive(Debug)]
enum Phase {
    Opening(Box<Opening>),
    Traffic(Traffic),
    Failed,
}

impl StreamEngine {
    /// An engine that has its greeting ready to be sent.
    pub(crate) fn new(spec: EngineSpec<'_>) -> Self {
        let mut batch = Batch::default();
        let opening = Opening::start(spec.options, spec.peer_address, spec.now, &mut batch);
        Self {
            phase: Phase::Opening(Box::new(opening)),
            batch,
            batch_max: spec.options.out_batch_size.unwrap_or(BATCH_MAX),
        }
    }

    /// Takes the next step of the handshake.
    fn open(&mut self, input: &mut &[u8], now: Instant) -> Result<Option<Event>, ProtocolError> {
        let Phase::Opening(opening) = mem::replace(&mut self.phase, Phase::Failed) else {
            return Ok(None);
        };
        let progress = opening.handle_input(input, &mut self.batch)?;
        Ok(self.follow(progress, now))
    }

    fn judge(&mut self, verdict: Verdict, now: Instant) -> Result<Option<Event>, Failure> {
        let Phase::Opening(opening) = mem::replace(&mut self.phase, Phase::Failed) else {
            return Ok(None);
        };
        let progress = opening.handle_verdict(verdict, &mut self.batch)?;
        Ok(self.follow(progress, now))
    }

    /// Enters the phase that the handshake has led to.
    fn follow(&mut self, progress: Progress, now: Instant) -> Option<Event> {
        match progress {
            Progress::Waiting(opening) => {
                self.phase = Phase::Opening(Box::new(opening));
                None
            }
            Progress::Asking(opening, request) => {
                self.phase = Phase::Opening(Box::new(opening));
                Some(Event::Authenticate(Box::new(request)))
            }
            Progress::Done(opened) => {
                self.phase = Phase::Traffic(Traffic::new(
                    opened.version,
                    opened.cipher,
                    &opened.local,
                    now,
                ));
                Some(Event::Ready(Arc::new(opened.metadata)))
            }
        }
    }

    /// What was to be sent is forgotten, but for a refusal.
    fn fail(&mut self, failure: Failure) -> Failure {
        self.phase = Phase::Failed;
        if !failure.is_refusal() {
            self.batch = Batch::default();
        }
        failure
    }
}

impl Engine for StreamEngine {
    fn handle_input(&mut self, input: &mut &[u8], room: u64, now: Instant) -> Option<Event> {
        let outcome = match &mut self.phase {
            Phase::Opening(_) => self.open(input, now),
            Phase::Traffic(traffic) => traffic.handle_input(input, room, now, &mut self.batch),
            Phase::Failed => {
                *input = &[];
                Ok(None)
            }
        };
        match outcome {
            Ok(event) => event,
            Err(error) => Some(Event::Failed(self.fail(Failure::Protocol(error)))),
        }
    }

    fn handle_verdict(&mut self, verdict: Verdict, now: Instant) -> Option<Event> {
        match self.judge(verdict, now) {
            Ok(event) => event,
            Err(failure) => Some(Event::Failed(self.fail(failure))),
        }
    }

    fn body_space(&mut self) -> Option<&mut [u8]> {
        match &mut self.phase {
            Phase::Traffic(traffic) => traffic.decoder.body_space(),
            Phase::Opening(_) | Phase::Failed => None,
        }
    }

    fn handle_body(&mut self, n: usize, _now: Instant) {
        if let Phase::Traffic(traffic) = &mut self.phase {
            traffic.heartbeat.on_heard();
            traffic.decoder.handle_body(n);
        }
    }

    fn wants_messages(&self) -> bool {
        matches!(self.phase, Phase::Traffic(_)) && self.batch.pending() < self.batch_max
    }

    fn push(&mut self, msg: Msg) {
        match &mut self.phase {
            Phase::Traffic(traffic) => traffic.push(msg, &mut self.batch),
            Phase::Opening(_) | Phase::Failed => debug_assert!(false, "no message was wanted"),
        }
    }

    fn run_max(&self) -> usize {
        match &self.phase {
            Phase::Traffic(traffic) => traffic.run_max().min(self.batch_max),
            Phase::Opening(_) | Phase::Failed => 0,
        }
    }

    fn push_run(&mut self, run: Frames<'_>) {
        match &mut self.phase {
            Phase::Traffic(traffic) => traffic.push_run(run, &mut self.batch),
            Phase::Opening(_) | Phase::Failed => debug_assert!(false, "no run was wanted"),
        }
    }

    fn run<'a>(&'a self, taken: &'a [u8], run: record::Run) -> Received<'a> {
        Received::frames(match &self.phase {
            Phase::Traffic(Traffic {
                cipher: Some(cipher),
                ..
            }) => cipher.opened(),
            Phase::Opening(_) | Phase::Traffic(_) | Phase::Failed => {
                &taken[taken.len() - run.len..]
            }
        })
    }

    fn poll_transmit<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.batch.poll_transmit(slices)
    }

    fn handle_sent(&mut self, n: usize) {
        self.batch.handle_sent(n);
    }

    fn is_drained(&self) -> bool {
        self.batch.pending() == 0
    }

    fn shrink(&mut self) {
        self.batch.shrink();
        if let Phase::Traffic(traffic) = &mut self.phase {
            traffic.shrink();
        }
    }

    fn set_paused(&mut self, paused: bool, now: Instant) {
        if let Phase::Traffic(traffic) = &mut self.phase {
            traffic.heartbeat.set_paused(paused, now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Opening(opening) => opening.deadline(),
            Phase::Traffic(traffic) => traffic.heartbeat.poll_timeout(),
            Phase::Failed => None,
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Failure> {
        let outcome = match &mut self.phase {
            Phase::Opening(opening) if opening.deadline().is_some_and(|end| end <= now) => {
                Err(Failure::HandshakeTimeout)
            }
            Phase::Traffic(traffic) => traffic.handle_timeout(now, &mut self.batch),
            Phase::Opening(_) | Phase::Failed => Ok(()),
        };
        outcome.map_err(|failure| self.fail(failure))
    }
}

/// A connection after its handshake.
#[derive(Debug)]
struct Traffic {
    version: Version,
    publishes: bool,
    /// Messages go both ways in the form that pipes hold them in, with nothing between them; a box
    /// around each can be taken off.
    has_runs: bool,
    /// The end of a message has not come, so that no run was found: until it does, none is looked
    /// for, lest a message of many frames is looked through again for each of them.
    mid_message: bool,
    /// How large the frames of a message may be together, and those of the present one are.
    message_max: u64,
    message_size: u64,
    groups: Groups,
    /// A peer that cannot subscribe gets everything: its subscription is still to be reported.
    subscribes_to_all: bool,
    /// What frames are sealed with, if they are.
    cipher: Option<Box<Cipher>>,
    decoder: Decoder,
    heartbeat: Heartbeat,
}

impl Traffic {
    fn new(version: Version, cipher: Option<Box<Cipher>>, local: &Local, now: Instant) -> Self {
        let overhead = if cipher.is_some() { OVERHEAD as u64 } else { 0 };
        let message_max = local.max_multipart_size.unwrap_or(u64::MAX);
        let limit = Limit {
            size: local
                .max_msg_size
                .unwrap_or(u64::MAX)
                .min(message_max)
                .saturating_add(overhead),
            error: ProtocolError::MessageTooLarge,
        };
        let publishes = local.socket_type.publishes();
        let groups = Groups::of(local.socket_type);
        Self {
            version,
            publishes,
            has_runs: Framing::of(version) == Framing::V2 && !groups.are_sent_along(),
            mid_message: false,
            message_max,
            message_size: 0,
            groups,
            subscribes_to_all: publishes && version == Version::Unversioned,
            cipher,
            decoder: Decoder::new(Framing::of(version), limit),
            heartbeat: if version.has_commands() {
                Heartbeat::new(&local.heartbeat, now)
            } else {
                Heartbeat::default()
            },
        }
    }

    fn handle_input(
        &mut self,
        input: &mut &[u8],
        room: u64,
        now: Instant,
        out: &mut Batch,
    ) -> Result<Option<Event>, ProtocolError> {
        if mem::take(&mut self.subscribes_to_all) {
            return Ok(Some(subscription(Kind::Subscribe, &[])));
        }
        loop {
            if !input.is_empty() {
                self.heartbeat.on_heard();
            }
            let Frame { msg, is_command } = match self.next(input, room)? {
                Some(Opened::Frame(frame)) => frame,
                Some(Opened::Run(run)) => return Ok(Some(Event::Run(run))),
                None => return Ok(None),
            };
            if !is_command || !self.version.has_commands() {
                self.mid_message = msg.more();
                self.count(&msg)?;
                match self.groups.handle_frame(msg)? {
                    Some(msg) => return Ok(Some(Event::Message(msg))),
                    None => continue,
                }
            }
            if let Some(event) = self.on_command(&msg, now, out) {
                return Ok(Some(event));
            }
        }
    }

    /// Counts a frame as a part of its message, which may become too large by it.
    fn count(&mut self, frame: &Msg) -> Result<(), ProtocolError> {
        let size = (head_len(frame.len()) + frame.len()) as u64;
        self.message_size = self.message_size.saturating_add(size);
        if self.message_size > self.message_max {
            return Err(ProtocolError::MessageTooLarge);
        }
        if !frame.more() {
            self.message_size = 0;
        }
        Ok(())
    }

    fn shrink(&mut self) {
        if let Some(cipher) = &mut self.cipher {
            cipher.shrink();
        }
    }

    /// The next frame, or messages in a row.
    fn next(&mut self, input: &mut &[u8], room: u64) -> Result<Option<Opened>, ProtocolError> {
        let takes_runs = self.has_runs && !self.mid_message && self.message_max >= RUN_MESSAGE_MAX;
        let Some(cipher) = &mut self.cipher else {
            if takes_runs {
                if let Some(run) = self.decoder.take_run(input, room) {
                    return Ok(Some(Opened::Run(run)));
                }
            }
            return Ok(self.decoder.decode(input)?.map(Opened::Frame));
        };
        let Some(body) = self.decoder.decode_body(input)? else {
            return Ok(None);
        };
        let opened = if takes_runs {
            cipher.open_run(body, &self.decoder, input, room)?
        } else {
            cipher.open(body).map(Opened::Frame)?
        };
        Ok(Some(opened))
    }

    /// Commands that mean nothing here are passed over, as ZeroMQ does.
    fn on_command(&mut self, body: &[u8], now: Instant, out: &mut Batch) -> Option<Event> {
        match Command::parse(body) {
            Command::Subscribe(topic) if self.publishes => {
                Some(subscription(Kind::Subscribe, topic))
            }
            Command::Cancel(topic) if self.publishes => Some(subscription(Kind::Cancel, topic)),
            Command::Join(group) if self.groups.can_be_joined() => {
                Some(subscription(Kind::Join, group))
            }
            Command::Leave(group) if self.groups.can_be_joined() => {
                Some(subscription(Kind::Leave, group))
            }
            Command::Ping { ttl, context } => {
                self.heartbeat.limit_silence(ttl, now);
                self.push_command(command::PONG, context, out);
                None
            }
            Command::Subscribe(_)
            | Command::Cancel(_)
            | Command::Join(_)
            | Command::Leave(_)
            | Command::Ready(_)
            | Command::Error(_)
            | Command::Other => None,
        }
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Batch) -> Result<(), Failure> {
        if let Some(ttl) = self.heartbeat.handle_timeout(now)? {
            self.push_command(command::PING, &ttl, out);
        }
        Ok(())
    }

    fn push(&mut self, msg: Msg, out: &mut Batch) {
        if let Some(group) = self.groups.frame_before(&msg) {
            self.push_frame(group, out);
        }
        self.push_frame(msg, out);
    }

    fn run_max(&self) -> usize {
        match (self.has_runs, &self.cipher) {
            (false, _) => 0,
            (true, None) => RUN_MAX,
            (true, Some(_)) => SEALED_RUN_MAX,
        }
    }

    fn push_run(&mut self, run: Frames<'_>, out: &mut Batch) {
        debug_assert!(self.has_runs, "no run was wanted");
        match &mut self.cipher {
            None => out.push_run(run),
            Some(cipher) => cipher.push_run(run.as_ref(), out),
        }
    }

    /// Encodes a frame for the peer.
    fn push_frame(&mut self, msg: Msg, out: &mut Batch) {
        let by_command = self.version.subscribes_by_command();
        let (flags, prefix): (u8, &[u8]) = match msg.kind() {
            Kind::Data => (if msg.more() { MORE } else { 0 }, &[]),
            Kind::Subscribe if by_command => (COMMAND, command::SUBSCRIBE),
            Kind::Subscribe => (0, &[1]),
            Kind::Cancel if by_command => (COMMAND, command::CANCEL),
            Kind::Cancel => (0, &[0]),
            Kind::Join if self.version.has_commands() => (COMMAND, command::JOIN),
            Kind::Leave if self.version.has_commands() => (COMMAND, command::LEAVE),
            // An older peer has no way to hear it.
            Kind::Join | Kind::Leave => return,
            Kind::Peer => return debug_assert!(false, "the peer's record stays here"),
        };
        match &mut self.cipher {
            None => out.push(Framing::of(self.version), flags, prefix, msg),
            Some(cipher) => cipher.push(flags, prefix, &msg, out),
        }
    }

    /// Encodes a command of ours, unless the peer does not read what it was sent: a flood of PINGs
    /// must not fill our memory with PONGs.
    fn push_command(&mut self, name: &[u8], argument: &[u8], out: &mut Batch) {
        if out.pending() >= BATCH_MAX {
            return;
        }
        match &mut self.cipher {
            None => out.push(Framing::V2, COMMAND, name, Msg::copied(argument)),
            Some(cipher) => cipher.push(COMMAND, name, argument, out),
        }
    }
}

fn subscription(kind: Kind, topic: &[u8]) -> Event {
    Event::Message(Msg::copied(topic).of_kind(kind))
}

#[cfg(test)]
mod tests;
