//! [`RawEngine`]: a connection without a protocol, for STREAM and raw ROUTER.
//!
//! What arrives becomes messages as it comes, and messages go out as they are. It has no handshake,
//! no limits and no deadlines, and it never closes a connection.

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Instant;

use crate::batch::Batch;
use crate::engine::{self, Engine, Event};
use crate::msg::{Metadata, Msg};
use crate::options::Options;

/// The largest message that is made of what arrived at once.
const CHUNK_MAX: usize = 64 * 1024;
/// No more is taken into the batch than this many bytes and one message.
const PENDING_MAX: usize = 256 * 1024;

/// A raw connection without its descriptor.
#[derive(Debug)]
pub(crate) struct RawEngine {
    phase: Phase,
    batch: Batch,
    batch_max: usize,
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
        Self {
            phase: Phase::New {
                metadata: engine::introduction(peer_address),
                notify: options.stream_notify,
            },
            batch: Batch::default(),
            batch_max: options.out_batch_size.unwrap_or(PENDING_MAX),
        }
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

    fn wants_messages(&self) -> bool {
        matches!(self.phase, Phase::Traffic) && self.batch.pending() < self.batch_max
    }

    /// Without the heads of frames, which are not for raw peers: so no runs are wanted.
    fn push(&mut self, msg: Msg) {
        self.batch.push_body(msg);
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
    fn what_is_taken_is_bounded() {
        let mut engine = engine(false);
        assert!(messages(&mut engine, b"").is_empty());
        engine.push(vec![0; PENDING_MAX - 1].into());
        assert!(engine.wants_messages());
        engine.push("x".into());
        assert!(!engine.wants_messages());
        engine.handle_sent(1);
        assert!(engine.wants_messages());
    }
}
