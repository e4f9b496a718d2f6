//! What a session asks of the protocol it speaks: the slot that `zmtp::StreamEngine` fills for
//! ZeroMQ, `raw::RawEngine` for STREAM, and another protocol may fill.
//!
//! An engine is sans-IO: bytes come in and go out as slices, time is a parameter, and a deadline
//! leaves by [`Engine::poll_timeout`]. It never sees a descriptor, a clock, a thread or a pipe.
//! What a protocol without a handshake, a heartbeat or bodies worth a read of their own has no use
//! for, it leaves as it stands in the trait.

use std::fmt;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::error::{ProtocolError, ZapError};
use crate::msg::{Metadata, Msg};
use crate::record::{self, Received};
use crate::zap::{AuthRequest, Verdict};

/// What came out of the peer's bytes.
#[derive(Debug)]
pub enum Event {
    /// Whether this peer may come in must be found out, and told by [`Engine::handle_verdict`].
    /// Until then the engine takes no input.
    Authenticate(Box<AuthRequest>),
    /// The handshake is done; this is the peer. Comes once, before any message.
    Ready(Arc<Metadata>),
    /// A frame of a message, or a subscription.
    Message(Msg),
    /// Whole messages, as bytes that [`Engine::run`] shows.
    Run(record::Run),
    /// The connection must be closed. Comes once; the engine takes nothing after it, and gives at
    /// most a last word of refusal.
    Failed(Failure),
}

/// Frames as a pipe holds them, in the form of ZMTP 2 and later.
#[derive(Debug)]
pub enum Frames<'a> {
    /// So few that a copy is cheap.
    Copy(&'a [u8]),
    /// To be kept until they are sent.
    Keep(Bytes),
}

impl AsRef<[u8]> for Frames<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Copy(bytes) => bytes,
            Self::Keep(bytes) => bytes,
        }
    }
}

/// Why an engine gave its connection up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The peer broke the protocol, or refused us.
    Protocol(ProtocolError),
    /// The peer was refused, with this ZAP status. What is to be transmitted tells it so.
    Denied(u16),
    /// Nothing came of asking whether the peer may come in.
    Zap(ZapError),
    /// The SOCKS proxy did not connect us; its reply.
    Proxy(u8),
    /// The handshake took longer than the handshake interval.
    HandshakeTimeout,
    /// Nothing was heard of the peer for as long as the heartbeat allows.
    HeartbeatTimeout,
}

impl Failure {
    /// Whether the peer is refused for what it is, and is still to read why.
    pub(crate) fn is_refusal(self) -> bool {
        let incompatible = Self::Protocol(ProtocolError::IncompatibleSocketType);
        self == incompatible || matches!(self, Self::Denied(_))
    }
}

impl From<ProtocolError> for Failure {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

/// Tells who the peer of a connection is when all that is known is where it comes from.
#[must_use]
pub fn introduction(peer_address: Option<String>) -> Arc<Metadata> {
    let mut metadata = Metadata::new();
    if let Some(address) = peer_address {
        metadata.insert(Metadata::PEER_ADDRESS, address.as_bytes());
    }
    Arc::new(metadata)
}

/// Feeds an engine and takes runs apart; for tests, which look at messages one by one.
#[cfg(any(test, fuzzing))]
pub(crate) fn next_events(
    engine: &mut dyn Engine,
    input: &mut &[u8],
    room: u64,
    now: Instant,
) -> Vec<Event> {
    let before = *input;
    match engine.handle_input(input, room, now) {
        Some(Event::Run(run)) => {
            let taken = &before[..before.len() - input.len()];
            let frames = engine.run(taken, run).to_frames();
            frames.map(Event::Message).collect()
        }
        event => event.into_iter().collect(),
    }
}

/// One connection's protocol.
pub trait Engine: fmt::Debug + Send {
    /// Takes bytes from the front of `input` until an event is complete, and returns that event;
    /// `None` means that all of `input` was taken and more is needed, or that a verdict is. To be
    /// called until then; who stops earlier keeps the rest of `input` for the next call. An event
    /// holds at most `room` messages; one at least must be allowed.
    fn handle_input(&mut self, input: &mut &[u8], room: u64, now: Instant) -> Option<Event>;

    /// The bytes of the run that was returned last; `taken` ends with what was taken from the input for
    /// it. A run is that very input, as frames, unless the peer's messages have another form.
    fn run<'a>(&'a self, taken: &'a [u8], run: record::Run) -> Received<'a> {
        Received::frames(&taken[taken.len() - run.len..])
    }

    /// What came of [`Event::Authenticate`]; returns what comes of that.
    fn handle_verdict(&mut self, verdict: Verdict, now: Instant) -> Option<Event> {
        let _ = (verdict, now);
        debug_assert!(false, "nobody was asked");
        None
    }

    /// Where the next bytes may be read to directly, while a large body is on its way. All input
    /// must have been handled before. The space grows with what has arrived, not with what the
    /// peer announced.
    fn body_space(&mut self) -> Option<&mut [u8]> {
        None
    }

    /// `n` bytes were read into [`Engine::body_space`]. A complete message comes out of the next
    /// [`Engine::handle_input`], which may be given no bytes.
    fn handle_body(&mut self, n: usize, now: Instant) {
        let _ = now;
        debug_assert_eq!(n, 0, "there was no space to read to");
    }

    /// Whether [`Engine::push`] may be called: the handshake is done and the batch is not full.
    fn wants_messages(&self) -> bool;

    /// Encodes a frame into the batch to be sent. Frames of one message come in a row.
    fn push(&mut self, msg: Msg);

    /// How many bytes of frames as a pipe holds them are taken at once; none if they must be pushed
    /// one by one. Asked only while messages are wanted.
    fn run_max(&self) -> usize {
        0
    }

    /// Adds frames to the batch to be sent, as many as [`Engine::run_max`] allows and one more.
    fn push_run(&mut self, run: Frames<'_>) {
        let _ = run;
        debug_assert!(false, "no run was wanted");
    }

    /// The bytes to send now, in order, as slices; at most as many as `slices` holds. Returns how
    /// many were filled in.
    fn poll_transmit<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize;

    /// The first `n` bytes of what [`Engine::poll_transmit`] showed were written.
    fn handle_sent(&mut self, n: usize);

    /// Whether everything that was pushed has been written.
    fn is_drained(&self) -> bool;

    /// Gives back what memory an idle connection does not need.
    fn shrink(&mut self);

    /// How long to let gather what the peer sends, because it sends a stream in many small pieces, before
    /// more is read: each read has tcp acknowledge what came, which the peer's processor has to take.
    /// `None`: not at all. Asked when all input has been handled. The thread reads from none of its
    /// connections meanwhile, so an engine says so only of what lasts, and not while it is answering.
    fn gathers(&self) -> Option<Duration> {
        None
    }

    /// The session stops reading because the application does not keep up, or reads again. A
    /// paused peer cannot be heard, so its silence does not count against it.
    fn set_paused(&mut self, paused: bool, now: Instant) {
        let _ = (paused, now);
    }

    /// When [`Engine::handle_timeout`] wants to be called.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// A deadline has passed: there may be something to transmit, or the connection has failed.
    fn handle_timeout(&mut self, now: Instant) -> Result<(), Failure> {
        let _ = now;
        Ok(())
    }
}
