//! [`RawEngine`]: a connection without a protocol, for STREAM and raw ROUTER.
//!
//! What arrives becomes messages as it comes, and messages go out as they are. Owns the messages
//! that are still to be written. It has no handshake, no limits and no deadlines, and it never
//! closes a connection.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Instant;

use crate::engine::{Engine, Event, Failure, Run};
use crate::msg::{Metadata, Msg};
use crate::options::Options;
use crate::zap::Verdict;

/// The largest message that is made of what arrived at once.
const CHUNK_MAX: usize = 64 * 1024;
/// No more is taken into the queue than this many bytes and one message.
const PENDING_MAX: usize = 256 * 1024;
/// No more is taken into the queue than this many messages.
const QUEUE_MAX: usize = 1024;

/// A raw connection without its descriptor.
#[derive(Debug)]
pub(crate) struct RawEngine {
    phase: Phase,
    /// What is to be written; none of it is empty.
    queue: VecDeque<Msg>,
    /// How many bytes of the first message are written.
    sent: usize,
    /// How many bytes of the queue are not written.
    pending: usize,
}

#[derive(Debug)]
enum Phase {
    /// The peer is still to be announced, and perhaps to be greeted with an empty message.
    New {
        metadata: Arc<Metadata>,
        notify: bool,
    },
    Notifying,
    Traffic,
}

impl RawEngine {
    pub(crate) fn new(options: &Options, peer_address: Option<String>) -> Self {
        let mut metadata = Metadata::new();
        if let Some(address) = peer_address {
            metadata.insert(Metadata::PEER_ADDRESS, address.as_bytes());
        }
        Self {
            phase: Phase::New {
                metadata: Arc::new(metadata),
                notify: options.stream_notify,
            },
            queue: VecDeque::new(),
            sent: 0,
            pending: 0,
        }
    }

    /// Moves over at most `n` bytes of the first message; returns over how many.
    fn advance(&mut self, n: usize) -> usize {
        let len = self.queue.front().map_or(0, |msg| msg.len());
        let step = n.min(len - self.sent);
        self.sent += step;
        if self.sent == len {
            self.queue.pop_front();
            self.sent = 0;
        }
        step
    }
}

impl Engine for RawEngine {
    fn handle_input(&mut self, input: &mut &[u8], _room: u64, _now: Instant) -> Option<Event> {
        match &self.phase {
            Phase::New { metadata, notify } => {
                let ready = Event::Ready(Arc::clone(metadata));
                self.phase = if *notify {
                    Phase::Notifying
                } else {
                    Phase::Traffic
                };
                Some(ready)
            }
            Phase::Notifying => {
                self.phase = Phase::Traffic;
                Some(Event::Message(Msg::new()))
            }
            Phase::Traffic if input.is_empty() => None,
            Phase::Traffic => {
                let (chunk, rest) = input.split_at(input.len().min(CHUNK_MAX));
                *input = rest;
                Some(Event::Message(Msg::copied(chunk)))
            }
        }
    }

    fn handle_verdict(&mut self, _verdict: Verdict, _now: Instant) -> Option<Event> {
        debug_assert!(false, "nobody was asked");
        None
    }

    fn body_space(&mut self) -> Option<&mut [u8]> {
        None
    }

    fn handle_body(&mut self, n: usize, _now: Instant) {
        debug_assert_eq!(n, 0, "there was no space to read to");
    }

    fn wants_messages(&self) -> bool {
        matches!(self.phase, Phase::Traffic)
            && self.pending < PENDING_MAX
            && self.queue.len() < QUEUE_MAX
    }

    fn push(&mut self, msg: Msg) {
        if !msg.is_empty() {
            self.pending += msg.len();
            self.queue.push_back(msg);
        }
    }

    /// The heads of frames are not for raw peers.
    fn wants_runs(&self) -> bool {
        false
    }

    fn push_run(&mut self, _run: Run<'_>) {
        debug_assert!(false, "no run was wanted");
    }

    fn poll_transmit<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut from = self.sent;
        let bodies = self
            .queue
            .iter()
            .map(|msg| &msg[std::mem::take(&mut from)..]);
        let shown = slices.iter_mut().zip(bodies);
        shown
            .map(|(slice, body)| *slice = IoSlice::new(body))
            .count()
    }

    fn handle_sent(&mut self, n: usize) {
        debug_assert!(n <= self.pending, "more was sent than there is");
        let mut n = n.min(self.pending);
        self.pending -= n;
        while n > 0 {
            n -= self.advance(n);
        }
    }

    fn is_drained(&self) -> bool {
        self.queue.is_empty()
    }

    fn shrink(&mut self) {
        if self.queue.is_empty() {
            self.queue.shrink_to(0);
        }
    }

    fn set_paused(&mut self, _paused: bool, _now: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn handle_timeout(&mut self, _now: Instant) -> Result<(), Failure> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SocketType;

    fn engine(notify: bool) -> RawEngine {
        let mut options = Options::new(SocketType::STREAM);
        options.stream_notify = notify;
        RawEngine::new(&options, Some("127.0.0.1".into()))
    }

    /// The messages in `input`, after the peer was announced.
    fn messages(engine: &mut RawEngine, mut input: &[u8]) -> Vec<Msg> {
        std::iter::from_fn(|| engine.handle_input(&mut input, 1, Instant::now()))
            .filter_map(|event| match event {
                Event::Message(msg) => Some(msg),
                Event::Ready(_) | Event::Authenticate(_) => None,
                event @ (Event::Run(_) | Event::Failed(_)) => panic!("{event:?}"),
            })
            .collect()
    }

    fn shown(engine: &RawEngine) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 8];
        let n = engine.poll_transmit(&mut slices);
        slices[..n]
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect()
    }

    #[test]
    fn the_peer_is_announced_before_it_says_anything() {
        let mut engine = engine(true);
        assert!(!engine.wants_messages());
        let Some(Event::Ready(peer)) = engine.handle_input(&mut &[][..], 1, Instant::now()) else {
            panic!("the peer is not announced");
        };
        assert!(peer.iter().eq([("Peer-Address", &b"127.0.0.1"[..])]));
        assert_eq!(
            messages(&mut engine, b"bytes"),
            [Msg::new(), "bytes".into()]
        );
    }

    #[test]
    fn without_notification_there_is_no_empty_message() {
        assert_eq!(messages(&mut engine(false), b"bytes"), [Msg::from("bytes")]);
        assert!(messages(&mut engine(false), b"").is_empty());
    }

    #[test]
    fn much_at_once_is_cut_into_chunks() {
        let sizes = |input: &[u8]| {
            let messages = messages(&mut engine(false), input);
            messages.iter().map(|msg| msg.len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[7; CHUNK_MAX]), [CHUNK_MAX]);
        assert_eq!(sizes(&[7; CHUNK_MAX + 1]), [CHUNK_MAX, 1]);
    }

    #[test]
    fn bodies_go_out_as_they_are_however_much_is_written_at_once() {
        for step in 1..9 {
            let mut engine = engine(false);
            assert!(messages(&mut engine, b"").is_empty() && engine.wants_messages());
            let mut first = Msg::from("GET ");
            first.set_more(true);
            for msg in [first, Msg::new(), "/ HTTP".into()] {
                engine.push(msg);
            }
            let mut written = Vec::new();
            while !engine.is_drained() {
                let bytes = shown(&engine);
                let n = step.min(bytes.len());
                written.extend_from_slice(&bytes[..n]);
                engine.handle_sent(n);
            }
            assert_eq!(written, b"GET / HTTP");
        }
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut engine = engine(false);
        assert!(messages(&mut engine, b"").is_empty());
        for _ in 0..QUEUE_MAX {
            assert!(engine.wants_messages());
            engine.push("x".into());
        }
        assert!(!engine.wants_messages());
        engine.handle_sent(1);
        assert!(engine.wants_messages());
        engine.push(vec![0; PENDING_MAX].into());
        engine.handle_sent(QUEUE_MAX - 2);
        assert!(!engine.wants_messages());
    }
}
