//! The insides of the crate as far as its benches need them. Not public API: there only with the
//! feature `bench-internals`, and it may change or go at any time.
//!
//! Thin wrappers, one per piece. They add no behaviour, start no thread and read no clock.

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::engine::{Engine, Event};
use crate::msg::Msg;
use crate::options::{Options, SocketType};
use crate::pipe::{self, PipeEvent, PipePeer, Pipes, WhenEmpty};
use crate::routing::dist::Dist;
use crate::routing::fq::{Fq, Next};
use crate::routing::lb::Lb;
use crate::routing::trie::Trie;
use crate::slab::Key;
use crate::ypipe::{self, Pop};
use crate::zmtp::{EngineSpec, StreamEngine};
use crate::{error, mailbox};

// ── between threads ──────────────────────────────────────────────────────────────────────────

/// The sending end of a queue between two threads.
#[derive(Debug)]
pub struct Writer(ypipe::Writer<()>);

/// The receiving end of a queue between two threads.
#[derive(Debug)]
pub struct Reader(ypipe::Reader<()>);

/// A queue between two threads.
#[must_use]
pub fn queue() -> (Writer, Reader) {
    let (writer, reader) = ypipe::ypipe();
    (Writer(writer), Reader(reader))
}

impl Writer {
    /// Writes bytes, which can be read after the next flush.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.append(bytes.len(), true).copy_from_slice(bytes);
    }

    /// Publishes what was written; true if the reader sleeps.
    pub fn flush(&mut self) -> bool {
        self.0.flush()
    }
}

impl Reader {
    /// Takes the next eight bytes, if they are there.
    pub fn pop(&mut self) -> Option<u64> {
        let value = u64::from_ne_bytes(*item(self.0.peek())?.first_chunk()?);
        self.0.consume(size_of::<u64>());
        Some(value)
    }
}

/// A queue of commands from any thread to one.
#[derive(Debug)]
pub struct Mailbox<C>(mailbox::Mailbox<C>);

impl<C> Mailbox<C> {
    /// An empty mailbox whose owner is awake.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "nobody needs a default")]
    pub fn new() -> Self {
        Self(mailbox::Mailbox::new())
    }

    /// Posts a command.
    pub fn post(&self, command: C) -> bool {
        self.0.post(command)
    }

    /// Whether there is something to drain.
    pub fn is_pending(&self) -> bool {
        self.0.is_pending()
    }

    /// Takes everything posted so far, and tells how much it was.
    pub fn drain(&self) -> usize {
        self.0.drain().count()
    }
}

// ── pipes and strategies ─────────────────────────────────────────────────────────────────────

/// An owner of pipes that keeps what it was told until it looks.
#[derive(Debug)]
struct Inbox {
    to: Sender<(Key, PipeEvent)>,
    from: Receiver<(Key, PipeEvent)>,
}

impl PipePeer for Inbox {
    fn post(&self, to: Key, event: PipeEvent) {
        let _ = self.to.send((to, event));
    }
}

impl Default for Inbox {
    fn default() -> Self {
        let (to, from) = unbounded();
        Self { to, from }
    }
}

/// One end of each of some pipes, with their owner.
#[derive(Debug)]
struct Ends {
    pipes: Pipes,
    keys: Vec<Key>,
    inbox: Arc<Inbox>,
}

impl Ends {
    fn new() -> Self {
        Self {
            pipes: Pipes::new(),
            keys: Vec::new(),
            inbox: Arc::default(),
        }
    }

    fn insert(&mut self, mut end: pipe::PipeEnd) {
        let inbox = self.inbox.clone();
        self.keys.push(self.pipes.insert_with(|key| {
            end.attach(inbox, key);
            end
        }));
    }

    /// Delivers what the ends were told, and passes on which of them can be read.
    fn deliver(&mut self, mut readable: impl FnMut(Key)) {
        while let Ok((key, event)) = self.inbox.from.try_recv() {
            if let Some(pipe) = self.pipes.get_mut(key) {
                pipe.on_event(event);
                readable(key);
            }
        }
    }

    fn read_all(&mut self) -> usize {
        self.deliver(|_| {});
        let mut read = 0;
        for key in &self.keys {
            if let Some(pipe) = self.pipes.get_mut(*key) {
                read += std::iter::from_fn(|| item(pipe.read())).count();
            }
        }
        read
    }
}

/// A pipe without limits. No threads.
#[derive(Debug)]
pub struct Pipe {
    near: pipe::PipeEnd,
    far: pipe::PipeEnd,
    msg: Msg,
}

impl Pipe {
    /// A pipe for copies of this message.
    #[must_use]
    pub fn new(msg: Msg) -> Self {
        let (mut near, mut far) = pipe::pair(false);
        near.set_hwm(0, 0);
        far.set_hwm(0, 0);
        Self { near, far, msg }
    }

    /// Writes so many messages, each flushed, and reads them; returns how many came.
    pub fn carry(&mut self, messages: u64) -> u64 {
        for _ in 0..messages {
            // Without a limit, only a closed pipe refuses.
            let _ = self.near.write(&mut self.msg.clone());
            self.near.flush();
        }
        let mut msg = Msg::new();
        let read = std::iter::from_fn(|| item(self.far.read_into(&mut msg, WhenEmpty::Sleep)));
        read.count() as u64
    }
}

/// The three strategies over pipes without limits, and the other ends of those. No threads.
#[derive(Debug)]
pub struct Routes {
    near: Ends,
    far: Ends,
    lb: Lb,
    fq: Fq,
    dist: Dist,
}

impl Routes {
    /// With so many pipes.
    #[must_use]
    pub fn new(pipes: usize) -> Self {
        let (mut near, mut far) = (Ends::new(), Ends::new());
        for _ in 0..pipes {
            let (mut one, mut other) = pipe::pair(false);
            one.set_hwm(0, 0);
            other.set_hwm(0, 0);
            near.insert(one);
            far.insert(other);
        }
        let (mut lb, mut fq, mut dist) = (Lb::default(), Fq::default(), Dist::new());
        for key in &near.keys {
            lb.attach(*key);
            fq.attach(*key);
            dist.insert(*key);
        }
        Self {
            near,
            far,
            lb,
            fq,
            dist,
        }
    }

    /// Load balancing: sends a message to one pipe; false if none has room.
    pub fn balance(&mut self, mut msg: Msg) -> bool {
        let sent = self.lb.send(&mut self.near.pipes, &mut msg);
        sent.is_ok()
    }

    /// Fan-out: sends a message to all pipes.
    pub fn distribute(&mut self, mut msg: Msg) {
        self.dist.send_to_all(&mut self.near.pipes, &mut msg);
    }

    /// Fair queueing: the next message of any pipe.
    pub fn receive(&mut self) -> Option<Msg> {
        let fq = &mut self.fq;
        self.near.deliver(|key| fq.activate(key));
        let mut msg = Msg::new();
        match fq.recv(&mut self.near.pipes, &mut msg) {
            Next::Frame(_) => Some(msg),
            Next::Ended(_) | Next::Idle => None,
        }
    }

    /// The peers read all they have; returns how much that was.
    pub fn peers_read(&mut self) -> usize {
        self.far.read_all()
    }

    /// Each peer sends a message.
    pub fn peers_write(&mut self, msg: &Msg) {
        self.far.deliver(|_| {});
        for key in &self.far.keys {
            if let Some(pipe) = self.far.pipes.get_mut(*key) {
                if pipe.write(&mut msg.clone()).is_ok() {
                    pipe.flush();
                }
            }
        }
    }
}

/// The store of subscriptions.
#[derive(Debug)]
pub struct Topics(Trie<usize>);

impl Topics {
    /// A store of these topics.
    pub fn new(topics: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let mut trie = Trie::new();
        for (n, topic) in topics.into_iter().enumerate() {
            *trie.entry(topic.as_ref()).1 = n;
        }
        Self(trie)
    }

    /// How many topics the text begins with.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> usize {
        self.0.prefixes(text).count()
    }

    /// Adds a topic and removes it.
    pub fn add_and_remove(&mut self, topic: &[u8]) {
        let (entry, _) = self.0.entry(topic);
        self.0.remove(entry);
    }
}

// ── the wire ─────────────────────────────────────────────────────────────────────────────────

/// Two engines after their handshake, a PUSH's and a PULL's, without descriptors.
#[derive(Debug)]
pub struct EnginePair {
    sender: StreamEngine,
    receiver: StreamEngine,
    wire: Vec<u8>,
    now: Instant,
}

impl EnginePair {
    /// Shakes hands.
    ///
    /// # Errors
    /// The engines do not get along with each other.
    pub fn new(now: Instant) -> error::Result<Self> {
        let mut pair = Self {
            sender: engine(SocketType::PUSH, now),
            receiver: engine(SocketType::PULL, now),
            wire: Vec::new(),
            now,
        };
        // Greeting, the rest of the greeting, READY: each side speaks at most so often.
        for _ in 0..8 {
            transmit(&mut pair.sender, &mut pair.wire);
            take(&mut pair.receiver, &pair.wire, now);
            transmit(&mut pair.receiver, &mut pair.wire);
            take(&mut pair.sender, &pair.wire, now);
        }
        if pair.sender.wants_messages() && pair.receiver.wants_messages() {
            return Ok(pair);
        }
        Err(error::Error::InvalidArgument("the handshake did not end"))
    }

    /// Encodes a body so many times; returns how many bytes are now on the wire.
    pub fn encode(&mut self, body: &[u8], times: usize) -> usize {
        self.wire.clear();
        for _ in 0..times {
            if !self.sender.wants_messages() {
                append_transmit(&mut self.sender, &mut self.wire);
            }
            self.sender.push(Msg::copied(body));
        }
        append_transmit(&mut self.sender, &mut self.wire);
        self.wire.len()
    }

    /// Decodes what the last [`EnginePair::encode`] left on the wire; returns how many messages
    /// that is. Can be repeated.
    pub fn decode(&mut self) -> u64 {
        take(&mut self.receiver, &self.wire, self.now)
    }
}

fn engine(socket_type: SocketType, now: Instant) -> StreamEngine {
    StreamEngine::new(EngineSpec {
        options: &Options::new(socket_type),
        peer_address: None,
        now,
    })
}

fn transmit(from: &mut StreamEngine, wire: &mut Vec<u8>) {
    wire.clear();
    append_transmit(from, wire);
}

fn append_transmit(from: &mut StreamEngine, wire: &mut Vec<u8>) {
    while !from.is_drained() {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = from.poll_transmit(&mut slices);
        let before = wire.len();
        for slice in &slices[..filled] {
            wire.extend_from_slice(slice);
        }
        from.handle_sent(wire.len() - before);
    }
}

/// Counts the messages; other events are passed over.
fn take(to: &mut StreamEngine, mut wire: &[u8], now: Instant) -> u64 {
    std::iter::from_fn(|| to.handle_input(&mut wire, u64::MAX, now))
        .map(|event| match event {
            Event::Message(_) => 1,
            Event::Run(run) => run.messages,
            Event::Ready(_) | Event::Authenticate(_) | Event::Failed(_) => 0,
        })
        .sum()
}

fn item<T>(pop: Pop<T>) -> Option<T> {
    match pop {
        Pop::Item(value) => Some(value),
        Pop::Empty | Pop::Finished => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let mut pair = EnginePair::new(Instant::now()).expect("a handshake");
        assert_eq!(pair.encode(b"body", 1000), 1000 * 6);
        assert_eq!(pair.decode(), 1000);
        assert_eq!(pair.decode(), 1000);
    }

    #[test]
    fn large_bodies_are_encoded_beyond_one_batch() {
        let mut pair = EnginePair::new(Instant::now()).expect("a handshake");
        assert_eq!(pair.encode(&[7; 65536], 20), 20 * (65536 + 9));
        assert_eq!(pair.decode(), 20);
    }

    #[test]
    fn a_pipe_carries_bodies_of_any_size() {
        for size in [0, 16, 100_000] {
            let mut pipe = Pipe::new(Msg::zeroed(size));
            assert_eq!(pipe.carry(100), 100);
            assert_eq!(pipe.carry(1), 1);
        }
    }

    #[test]
    fn strategies_reach_every_pipe() {
        let mut routes = Routes::new(3);
        for _ in 0..6 {
            assert!(routes.balance(Msg::new()));
        }
        assert_eq!(routes.peers_read(), 6);
        routes.distribute(Msg::new());
        assert_eq!(routes.peers_read(), 3);
        routes.peers_write(&Msg::new());
        assert_eq!(std::iter::from_fn(|| routes.receive()).count(), 3);
        routes.peers_write(&Msg::new());
        assert_eq!(std::iter::from_fn(|| routes.receive()).count(), 3);
    }

    #[test]
    fn topics_match_by_prefix() {
        let mut topics = Topics::new(["", "a", "ab", "b"]);
        assert_eq!(topics.matches(b"abc"), 3);
        topics.add_and_remove(b"abc");
        assert_eq!(topics.matches(b"abc"), 3);
    }
}
