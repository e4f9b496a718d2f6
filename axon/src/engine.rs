//! [`AmpEngine`]: one connection that speaks AMP, sans-IO.
//!
//! A message is one frame in the pipes, and its body is the message as it is on the wire. So on the
//! way out bodies are only joined, and on the way in the stream is only cut.

use std::io::IoSlice;
use std::time::{Duration, Instant};

use ferrozmq::protocol::{
    Batch, COPY_MAX, Engine, Event, Failure, Frames, Protocol, Received, Run, bodies, introduction,
};
use ferrozmq::{Metadata, Msg, ProtocolError};
use std::sync::Arc;

use self::flow::Flow;
use crate::amp::{Cut, Decoder, Limits, Walk, walk};

mod flow;

/// About how many bytes of messages are handed on at once.
const RUN_MAX: usize = 16 * 1024;
/// How many bytes of messages are taken from the pipe at once.
const TAKEN_MAX: usize = 64 * 1024;
/// No more is taken into the batch than this many bytes and one run.
const BATCH_MAX: usize = 64 * 1024;

/// Makes an [`AmpEngine`] for each connection.
#[derive(Debug)]
pub(crate) struct Amp {
    pub(crate) limits: Limits,
}

impl Protocol for Amp {
    fn engine(&self, peer_address: Option<String>) -> Box<dyn Engine> {
        Box::new(AmpEngine::new(self.limits, peer_address))
    }
}

/// A connection without its descriptor.
#[derive(Debug)]
pub(crate) struct AmpEngine {
    phase: Phase,
    limits: Limits,
    /// A message that is still arriving.
    decoder: Decoder,
    batch: Batch,
    flow: Flow,
}

#[derive(Debug)]
enum Phase {
    /// There is no handshake: the peer is announced, and that is all.
    New(Arc<Metadata>),
    Traffic,
    Failed,
}

impl AmpEngine {
    pub(crate) fn new(limits: Limits, peer_address: Option<String>) -> Self {
        Self {
            phase: Phase::New(introduction(peer_address)),
            limits,
            decoder: Decoder::new(limits),
            batch: Batch::default(),
            flow: Flow::default(),
        }
    }

    /// Takes small messages that are there as a whole.
    fn take_run(&self, input: &mut &[u8], room: u64) -> Option<Run> {
        let mut run = Run::default();
        while run.messages < room && run.len < RUN_MAX {
            let Ok(Walk::Whole(size @ ..=COPY_MAX)) = walk(&input[run.len..], &self.limits) else {
                break;
            };
            run.len += size;
            run.messages += 1;
        }
        *input = &input[run.len..];
        (run.messages > 0).then_some(run)
    }

    fn fail(&mut self, error: ProtocolError) -> Event {
        self.phase = Phase::Failed;
        self.batch = Batch::default();
        Event::Failed(Failure::Protocol(error))
    }
}

impl Engine for AmpEngine {
    fn handle_input(&mut self, input: &mut &[u8], room: u64, now: Instant) -> Option<Event> {
        match &self.phase {
            Phase::New(peer) => {
                let ready = Event::Ready(peer.clone());
                self.phase = Phase::Traffic;
                return Some(ready);
            }
            Phase::Traffic => {}
            Phase::Failed => {
                *input = &[];
                return None;
            }
        }
        if !self.decoder.is_partial() {
            if let Some(run) = self.take_run(input, room) {
                self.flow.came(run.messages, run.len, now);
                return Some(Event::Run(run));
            }
        }
        match self.decoder.next(input) {
            Ok(cut) => cut.map(|cut| {
                self.flow.came(1, cut.as_ref().len(), now);
                Event::Message(match cut {
                    Cut::Lent(bytes) => Msg::copied(bytes),
                    Cut::Whole(bytes) => Msg::from(bytes),
                })
            }),
            Err(_) => Some(self.fail(ProtocolError::MessageTooLarge)),
        }
    }

    fn run<'a>(&'a self, taken: &'a [u8], run: Run) -> Received<'a> {
        Received::bodies(&taken[taken.len() - run.len..], first_of_run)
    }

    fn body_space(&mut self) -> Option<&mut [u8]> {
        self.decoder.space()
    }

    fn handle_body(&mut self, n: usize, _now: Instant) {
        self.decoder.filled(n);
    }

    fn wants_messages(&self) -> bool {
        matches!(self.phase, Phase::Traffic) && self.batch.pending() < BATCH_MAX
    }

    fn push(&mut self, msg: Msg) {
        self.flow.answered();
        self.batch.push_body(msg);
    }

    fn run_max(&self) -> usize {
        TAKEN_MAX
    }

    fn push_run(&mut self, run: Frames<'_>) {
        self.flow.answered();
        let frames = run.as_ref();
        let out = self.batch.raw();
        out.reserve(frames.len());
        for body in bodies(frames) {
            out.extend_from_slice(body);
        }
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
    }

    fn gathers(&self) -> Option<Duration> {
        self.flow.gathers()
    }
}

/// How long the first message of a run is, of which all are whole.
fn first_of_run(run: &[u8]) -> usize {
    match walk(run, &Limits::NONE) {
        Ok(Walk::Whole(size)) => size,
        Ok(Walk::Partial(_)) | Err(_) => 0,
    }
}

#[cfg(test)]
mod tests;
