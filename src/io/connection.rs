//! [`Connection`]: one descriptor and the engine that speaks over it.
//!
//! It moves bytes between the two and turns them into events and back; it decides nothing. Reading
//! goes through a buffer that all connections of a thread share, so an idle connection has none.

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Interest, Registry, Token};

use crate::engine::{Engine, Event, Failure, Frames};
use crate::io::poller::Readiness;
use crate::io::transport::Stream;
use crate::monitor::{EndpointPair, Reason};
use crate::msg::{Metadata, Msg};
use crate::options::Options;
use crate::record::{self, Received};
use crate::zap::Verdict;

/// How much is read at once.
const READ_SIZE: usize = 256 * 1024;

/// How much is read at once behind a large body, which has memory of its own: enough for the head of
/// the next, of which then little has to be copied.
const READ_BEHIND: usize = 16 * 1024;

/// How many slices are written at once.
const SLICES: usize = 64;

/// Bytes that were read and are being decoded; shared by the connections of a thread, one of
/// which uses it at a time.
#[derive(Debug)]
pub(crate) struct Input {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Input {
    pub(crate) fn new() -> Self {
        Self {
            buffer: vec![0; READ_SIZE].into(),
            start: 0,
            end: 0,
        }
    }

    fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// The whole buffer, for bytes that nobody will decode.
    pub(crate) fn scratch(&mut self) -> &mut [u8] {
        self.clear();
        &mut self.buffer
    }
}

/// A connection that carries, or is about to carry, a protocol.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    engine: Box<dyn Engine>,
    readable: bool,
    writable: bool,
    /// The peer has ended its side: read until there is nothing.
    hangup: bool,
    /// The poller reports room to write.
    waits_to_write: bool,
    /// Writing has failed, for this reason. What the peer said before is read first.
    broken: Option<Reason>,
    paused: bool,
    /// Bytes that could not be decoded because their messages had nowhere to go, and how many of
    /// them have been decoded since.
    stash: Vec<u8>,
    unstashed: usize,
    /// The peer, once the handshake is done.
    pub peer: Option<Arc<Metadata>>,
    pub endpoints: Arc<EndpointPair>,
    /// So many bytes are read at once.
    read_size: usize,
}

impl Connection {
    pub(crate) fn new(
        stream: Stream,
        engine: Box<dyn Engine>,
        endpoints: EndpointPair,
        options: &Options,
    ) -> Self {
        Self {
            stream,
            engine,
            readable: true,
            writable: true,
            hangup: false,
            waits_to_write: true,
            broken: None,
            paused: false,
            stash: Vec::new(),
            unstashed: 0,
            peer: None,
            endpoints: Arc::new(endpoints),
            read_size: options.in_batch_size.unwrap_or(READ_SIZE).min(READ_SIZE),
        }
    }

    pub(crate) fn on_readiness(&mut self, readiness: Readiness) {
        self.readable |= readiness.readable;
        self.writable |= readiness.writable;
        self.hangup |= readiness.hangup;
    }

    pub(crate) fn fd(&self) -> i32 {
        self.stream.fd()
    }

    pub(crate) fn into_stream(self) -> Stream {
        self.stream
    }

    // ── reading ──────────────────────────────────────────────────────────────────────────────

    /// Begins a round of reading and decoding.
    pub(crate) fn resume(&mut self, input: &mut Input, now: Instant) {
        input.clear();
        if std::mem::take(&mut self.paused) {
            self.engine.set_paused(false, now);
        }
    }

    /// The next event in what was read, with at most `room` messages; `None` if more must be read.
    pub(crate) fn decode(&mut self, input: &mut Input, room: u64, now: Instant) -> Option<Event> {
        if !self.stash.is_empty() {
            let mut rest = &self.stash[self.unstashed..];
            let event = self.engine.handle_input(&mut rest, room, now);
            self.unstashed = self.stash.len() - rest.len();
            if event.is_some() {
                return event;
            }
            (self.stash, self.unstashed) = (Vec::new(), 0);
        }
        let mut rest = &input.buffer[input.start..input.end];
        let event = self.engine.handle_input(&mut rest, room, now);
        input.start = input.end - rest.len();
        event
    }

    /// The run that was decoded last.
    pub(crate) fn run<'a>(&'a self, input: &'a Input, run: record::Run) -> Received<'a> {
        let taken = if self.stash.is_empty() {
            &input.buffer[..input.start]
        } else {
            &self.stash[..self.unstashed]
        };
        self.engine.run(taken, run)
    }

    /// Reads once. To be called when everything was decoded.
    ///
    /// # Errors
    /// The connection has ended.
    pub(crate) fn read(&mut self, input: &mut Input, now: Instant) -> Result<(), Reason> {
        input.clear();
        let (read, direct, asked) = match self.engine.body_space() {
            Some(space) => {
                let behind = &mut input.buffer[..READ_BEHIND.min(self.read_size)];
                let (direct, asked) = (space.len(), space.len() + behind.len());
                let buffers = &mut [IoSliceMut::new(space), IoSliceMut::new(behind)];
                (self.stream.read_vectored(buffers), direct, asked)
            }
            None => {
                let space = &mut input.buffer[..self.read_size];
                (self.stream.read(space), 0, self.read_size)
            }
        };
        match read {
            Ok(0) => return Err(Reason::PeerClosed),
            Ok(n) => {
                // A short read has emptied the kernel's buffer; the next bytes are an event.
                self.readable = n == asked || self.hangup || self.is_broken();
                if direct > 0 {
                    self.engine.handle_body(n.min(direct), now);
                }
                input.end = n.saturating_sub(direct);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                return self.broken.take().map_or(Ok(()), Err);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Reason::of(&error)),
        }
        Ok(())
    }

    /// Tells the engine what was decided about the peer; returns what comes of it.
    pub(crate) fn handle_verdict(&mut self, verdict: Verdict, now: Instant) -> Option<Event> {
        self.engine.handle_verdict(verdict, now)
    }

    /// Ends a round because messages have nowhere to go; what was read is kept.
    pub(crate) fn pause(&mut self, input: &mut Input, now: Instant) {
        self.stash
            .extend_from_slice(&input.buffer[input.start..input.end]);
        input.clear();
        self.paused = true;
        self.engine.set_paused(true, now);
    }

    /// Whether there may be more to read at once.
    pub(crate) fn is_readable(&self) -> bool {
        self.readable
    }

    /// Whether the peer has ended its side, though there may be more to read.
    pub(crate) fn is_hung_up(&self) -> bool {
        self.hangup
    }

    // ── writing ──────────────────────────────────────────────────────────────────────────────

    pub(crate) fn wants_messages(&self) -> bool {
        !self.is_broken() && self.engine.wants_messages()
    }

    pub(crate) fn gathers(&self) -> Option<Duration> {
        self.engine.gathers()
    }

    pub(crate) fn push(&mut self, msg: Msg) {
        self.engine.push(msg);
    }

    pub(crate) fn run_max(&self) -> usize {
        self.engine.run_max()
    }

    pub(crate) fn push_run(&mut self, run: Frames<'_>) {
        self.engine.push_run(run);
    }

    /// Writes what is pending, once. True if all of it is written.
    ///
    /// If that fails the connection is broken, and the next read that finds nothing reports it.
    pub(crate) fn transmit(&mut self) -> bool {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.engine.poll_transmit(&mut slices);
        if count == 0 {
            return true;
        }
        if !self.writable || self.is_broken() {
            return false;
        }
        let offered: usize = slices[..count].iter().map(|slice| slice.len()).sum();
        match self.stream.write_vectored(&slices[..count]) {
            Ok(sent) => {
                self.engine.handle_sent(sent);
                self.writable = sent == offered;
                return self.writable && self.engine.is_drained();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.broken = Some(Reason::of(&error));
                // So that reading comes to an end whatever the error was.
                self.stream.shutdown();
                self.readable = true;
            }
        }
        false
    }

    /// Whether nothing can be written any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    /// Asks the poller for what is waited for: to write only while that is not possible. The
    /// system would tell of room in the buffers of an ipc connection at every read of the peer.
    ///
    /// # Errors
    /// What the system answers.
    pub(crate) fn update_interest(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let waits = !self.writable && !self.is_broken();
        // While messages stream, room comes and goes: only when all is sent is it of no interest.
        if waits == self.waits_to_write || (!waits && !self.engine.is_drained()) {
            return Ok(());
        }
        self.waits_to_write = waits;
        let interest = if waits {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        registry.reregister(&mut self.stream, token, interest)
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.engine.is_drained()
    }

    /// Whether all is written and the peer has room for it. If not, there will be an event.
    pub(crate) fn is_delivered(&mut self) -> bool {
        // An error says that nothing more can be delivered.
        let delivered = self.is_drained() && self.stream.has_sent_all().unwrap_or(true);
        self.writable &= delivered;
        delivered
    }

    pub(crate) fn shrink(&mut self) {
        self.engine.shrink();
    }

    // ── time ─────────────────────────────────────────────────────────────────────────────────

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.engine.poll_timeout()
    }

    /// # Errors
    /// The peer was silent for too long.
    pub(crate) fn on_deadline(&mut self, now: Instant) -> Result<(), Failure> {
        if self.engine.poll_timeout().is_some_and(|due| due <= now) {
            self.engine.handle_timeout(now)?;
        }
        Ok(())
    }
}

impl From<Failure> for Reason {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Protocol(error) => Self::Protocol(error),
            Failure::Denied(status) => Self::Denied(status),
            Failure::Zap(error) => Self::Zap(error),
            Failure::Proxy(reply) => Self::Proxy(reply),
            Failure::HandshakeTimeout => Self::HandshakeTimeout,
            Failure::HeartbeatTimeout => Self::HeartbeatTimeout,
        }
    }
}
