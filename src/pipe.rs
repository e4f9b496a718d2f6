//! [`PipeEnd`]: one end of a two-way stream of messages between two owners, mostly a socket and
//! a session, or two sockets of one process.
//!
//! A pipe adds to its two queues what messages need: whole messages or nothing, a high-water mark
//! counted in whole messages, and the addresses to wake. Each end is a value owned by one side;
//! the ends share only the queues and a few words. An end is told of news by [`PipeEvent`]s,
//! which its owner's mailbox carries; it never knows what kind of thing the peer is.
//!
//! # Rules
//!
//! * **P1** An owner *attaches* its end before it uses it. Only an attached reader falls asleep
//!   and only an attached writer is blocked, so whoever must be woken has an address.
//! * **P2** Dropping an end is how it closes: an unfinished message vanishes, the rest can still
//!   be read by the peer, and the peer hears [`PipeEvent::PeerClosed`].
//! * **P3** Closing and attaching cross safely: an end publishes its address before it looks
//!   whether the peer is gone, and goes before it looks for the peer's address.
//! * **P4** A blocked writer marks itself before it looks at the credit once more; a reader gives
//!   credit before it looks for the mark. One of them sees the other.

use std::sync::Arc as StdArc;

use crate::msg::{Kind, Metadata, Msg};
use crate::slab::{Key, Slab};
use crate::sync::{Arc, AtomicBool, AtomicU32, AtomicU64, Mutex, Ordering, SetOnce, fence};
use crate::ypipe::{self, Pop, Reader, Writer};

/// What one end of a pipe tells the owner of the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PipeEvent {
    /// There is something to read.
    Readable,
    /// There is room to write again.
    Writable,
    /// The peer's end is gone: write no more, read what is left.
    PeerClosed,
    /// The peer has lost its connection and what was on the way to it; say again what it must
    /// know.
    Hiccup,
}

/// Where a pipe's events go: the owner's mailbox.
pub(crate) trait PipePeer: std::fmt::Debug + Send + Sync {
    /// Has `event` delivered to the owner of the end that it knows by `to`.
    fn post(&self, to: Key, event: PipeEvent);
}

/// Why a message was not written. It is given back.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The high-water mark is reached; [`PipeEvent::Writable`] will come.
    Full(Msg),
    /// The peer is gone.
    Closed(Msg),
}

/// The pipes of one owner.
pub(crate) type Pipes = Slab<PipeEnd>;

/// The share in a direction's high-water mark of a side that sets no limit of its own.
const NO_SHARE: u32 = 0;
/// The share of a side whose mark is 0, which means no limit.
const UNLIMITED: u32 = u32::MAX;

/// What one end lets the other know.
#[derive(Debug)]
struct Side {
    address: SetOnce<(StdArc<dyn PipePeer>, Key)>,
    gone: AtomicBool,
    /// How many messages this side has read, told every half a queue.
    read: AtomicU64,
    /// This side waits for room to write.
    blocked: AtomicBool,
    /// This side's share in the mark of the direction that it writes, and of the one it reads.
    send_share: AtomicU32,
    recv_share: AtomicU32,
}

impl Side {
    fn new() -> Self {
        Self {
            address: SetOnce::new(),
            gone: AtomicBool::new(false),
            read: AtomicU64::new(0),
            blocked: AtomicBool::new(false),
            send_share: AtomicU32::new(NO_SHARE),
            recv_share: AtomicU32::new(NO_SHARE),
        }
    }

    fn post(&self, event: PipeEvent) {
        self.address.with(|(owner, key)| owner.post(*key, event));
    }
}

/// How many messages may be on the way from `writer` to `reader`; `None` is any number.
fn capacity(writer: &Side, reader: &Side) -> Option<u64> {
    // Relaxed: a mark is a number, and nothing else is read on the strength of it.
    let shares = [
        writer.send_share.load(Ordering::Relaxed),
        reader.recv_share.load(Ordering::Relaxed),
    ];
    if shares.contains(&UNLIMITED) {
        return None;
    }
    Some(shares.iter().map(|&share| u64::from(share)).sum())
}

fn share(hwm: u32) -> u32 {
    if hwm == 0 { UNLIMITED } else { hwm }
}

/// The messages on their way in one direction: a queue, or only the latest whole message.
#[derive(Debug)]
enum Outbound {
    Queue(Writer<Msg>),
    Latest {
        slot: Arc<Mutex<Vec<Msg>>>,
        building: Vec<Msg>,
        notes: Writer<Msg>,
    },
}

#[derive(Debug)]
enum Inbound {
    Queue(Reader<Msg>),
    /// `current` holds the rest of the message being read, last frame first.
    Latest {
        slot: Arc<Mutex<Vec<Msg>>>,
        current: Vec<Msg>,
        notes: Reader<Msg>,
    },
}

/// One end of a pipe.
#[derive(Debug)]
pub(crate) struct PipeEnd {
    outbound: Outbound,
    inbound: Inbound,
    sides: Arc<[Side; 2]>,
    /// Which of the sides is ours.
    own: usize,
    attached: bool,
    asleep: bool,
    peer_gone: bool,
    /// Whole messages written, and the reader's count when last looked at.
    written: u64,
    credited: u64,
    /// Whether a message has been begun and not ended.
    mid_message: bool,
    /// Whole messages read, and the count last told to the writer.
    read: u64,
    told: u64,
    peeked: Option<Msg>,
    peer: Option<StdArc<Metadata>>,
    /// What is read after everything that the peer wrote, once it is gone.
    last_words: Option<Box<Msg>>,
}

/// A new pipe, without room until [`PipeEnd::set_hwm`] is called on an end. With `conflate`,
/// each direction holds only the latest message.
pub(crate) fn pair(conflate: bool) -> (PipeEnd, PipeEnd) {
    let sides = Arc::new([Side::new(), Side::new()]);
    let ((out_a, in_b), (out_b, in_a)) = (direction(conflate), direction(conflate));
    (
        PipeEnd::new(out_a, in_a, sides.clone(), 0),
        PipeEnd::new(out_b, in_b, sides, 1),
    )
}

fn direction(conflate: bool) -> (Outbound, Inbound) {
    let (writer, reader) = ypipe::ypipe();
    if !conflate {
        return (Outbound::Queue(writer), Inbound::Queue(reader));
    }
    let slot = Arc::new(Mutex::new(Vec::new()));
    (
        Outbound::Latest {
            slot: slot.clone(),
            building: Vec::new(),
            notes: writer,
        },
        Inbound::Latest {
            slot,
            current: Vec::new(),
            notes: reader,
        },
    )
}

impl Outbound {
    fn push(&mut self, msg: Msg) {
        match self {
            Self::Queue(writer) => {
                let complete = !msg.more();
                writer.push(msg, complete);
            }
            // Records for the engine keep their order and are never conflated.
            Self::Latest { notes, .. } if msg.kind() != Kind::Data => notes.push(msg, true),
            Self::Latest {
                slot,
                building,
                notes,
            } => {
                let complete = !msg.more();
                building.push(msg);
                if complete {
                    building.reverse();
                    let old = std::mem::replace(&mut *slot.lock(), std::mem::take(building));
                    if old.is_empty() {
                        // A note that there is something in the slot.
                        notes.push(Msg::new(), true);
                    }
                }
            }
        }
    }

    fn writer(&mut self) -> &mut Writer<Msg> {
        match self {
            Self::Queue(writer) | Self::Latest { notes: writer, .. } => writer,
        }
    }

    fn rollback(&mut self) {
        match self {
            Self::Queue(writer) => {
                writer.rollback();
            }
            Self::Latest { building, .. } => building.clear(),
        }
    }
}

impl Inbound {
    fn pop(&mut self) -> Pop<Msg> {
        match self {
            Self::Queue(reader) => reader.pop(),
            Self::Latest {
                slot,
                current,
                notes,
            } => {
                while current.is_empty() {
                    match notes.pop() {
                        Pop::Item(note) if note.kind() != Kind::Data => return Pop::Item(note),
                        Pop::Item(_) => *current = std::mem::take(&mut *slot.lock()),
                        Pop::Empty => return Pop::Empty,
                        Pop::Finished => return Pop::Finished,
                    }
                }
                current.pop().map_or(Pop::Empty, Pop::Item)
            }
        }
    }

    fn reader(&mut self) -> &mut Reader<Msg> {
        match self {
            Self::Queue(reader) | Self::Latest { notes: reader, .. } => reader,
        }
    }
}

impl PipeEnd {
    fn new(outbound: Outbound, inbound: Inbound, sides: Arc<[Side; 2]>, own: usize) -> Self {
        Self {
            outbound,
            inbound,
            sides,
            own,
            attached: false,
            asleep: false,
            peer_gone: false,
            written: 0,
            credited: 0,
            mid_message: false,
            read: 0,
            told: 0,
            peeked: None,
            peer: None,
            last_words: None,
        }
    }

    fn ours(&self) -> &Side {
        &self.sides[self.own]
    }

    fn theirs(&self) -> &Side {
        &self.sides[1 - self.own]
    }

    /// Makes `owner` hear of news under the name `key`. To be called once, before the first use;
    /// the end may be readable already.
    pub(crate) fn attach(&mut self, owner: StdArc<dyn PipePeer>, key: Key) {
        self.ours().address.set((owner, key));
        self.attached = true;
        // P3: partner of the fence in `drop`.
        fence(Ordering::SeqCst);
        self.peer_gone = self.theirs().gone.load(Ordering::Acquire);
    }

    /// Sets the owner's shares in the marks, in messages, 0 being no limit: of what this end
    /// writes and of what it reads. Takes effect at once; a blocked peer is told of new room.
    pub(crate) fn set_hwm(&mut self, send: u32, recv: u32) {
        self.ours().send_share.store(share(send), Ordering::Relaxed);
        self.ours().recv_share.store(share(recv), Ordering::Relaxed);
        if self.theirs().blocked.load(Ordering::SeqCst) {
            self.tell_progress();
        }
    }

    /// Takes note of an event that came to this end's owner.
    pub(crate) fn on_event(&mut self, event: PipeEvent) {
        match event {
            PipeEvent::Readable => self.asleep = false,
            PipeEvent::PeerClosed => {
                self.asleep = false;
                // An owner that knows several pipes by one key hears of former ones too.
                self.peer_gone = self.theirs().gone.load(Ordering::Acquire);
            }
            PipeEvent::Writable | PipeEvent::Hiccup => {}
        }
    }

    /// Whether the peer is gone. What it wrote can still be read.
    pub(crate) fn is_peer_gone(&self) -> bool {
        self.peer_gone
    }

    /// Who the peer is, as far as what was read or peeked at has told.
    pub(crate) fn peer(&self) -> Option<&StdArc<Metadata>> {
        self.peer.as_ref()
    }

    // ── writing ──────────────────────────────────────────────────────────────────────────────

    /// Whether a message can be begun now. If not, and the peer is alive,
    /// [`PipeEvent::Writable`] will come.
    pub(crate) fn can_write(&mut self) -> bool {
        !self.peer_gone && (self.mid_message || self.has_credit())
    }

    /// Writes a frame; it can be read once its message is complete and flushed.
    pub(crate) fn write(&mut self, msg: Msg) -> Result<(), WriteError> {
        if self.peer_gone {
            return Err(WriteError::Closed(msg));
        }
        if !self.mid_message && !self.has_credit() {
            return Err(WriteError::Full(msg));
        }
        self.mid_message = msg.more();
        if !self.mid_message {
            self.written += 1;
        }
        self.outbound.push(msg);
        Ok(())
    }

    /// Writes a record that no high-water mark holds back, between messages.
    pub(crate) fn write_uncounted(&mut self, mut record: Msg) {
        debug_assert!(!self.mid_message, "P2: records do not tear messages");
        if !self.peer_gone {
            record.set_uncounted();
            self.outbound.push(record);
        }
    }

    /// Writes a message that must not be lost for lack of room. It counts like all others.
    pub(crate) fn write_beyond(&mut self, msg: Msg) {
        debug_assert!(!self.mid_message && !msg.more(), "P2: nothing is torn");
        if !self.peer_gone {
            self.written += 1;
            self.outbound.push(msg);
        }
    }

    /// Whether a whole message was ever written.
    pub(crate) fn was_written_to(&self) -> bool {
        self.written > 0
    }

    /// Makes all complete messages readable, and wakes the reader if it sleeps.
    pub(crate) fn flush(&mut self) {
        if self.outbound.writer().flush() {
            self.theirs().post(PipeEvent::Readable);
        }
    }

    /// Takes back the frames of an unfinished message.
    pub(crate) fn rollback(&mut self) {
        self.outbound.rollback();
        self.mid_message = false;
    }

    fn has_credit(&mut self) -> bool {
        if matches!(self.outbound, Outbound::Latest { .. }) {
            return true;
        }
        let Some(capacity) = capacity(self.ours(), self.theirs()) else {
            return true;
        };
        if self.written - self.credited < capacity || self.refresh_credit(capacity) {
            return true;
        }
        if !self.attached {
            return false;
        }
        // P4: partner of the fence in `tell_progress`.
        self.ours().blocked.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let Some(capacity) = self::capacity(self.ours(), self.theirs()) else {
            return true;
        };
        self.refresh_credit(capacity)
    }

    fn refresh_credit(&mut self, capacity: u64) -> bool {
        // Acquire orders nothing but the count itself; the bodies are the queue's matter.
        self.credited = self.theirs().read.load(Ordering::Acquire);
        self.written - self.credited < capacity
    }

    // ── reading ──────────────────────────────────────────────────────────────────────────────

    /// Takes the next frame. After `Empty`, [`PipeEvent::Readable`] will come.
    pub(crate) fn read(&mut self) -> Pop<Msg> {
        let frame = match self.peeked.take() {
            Some(frame) => Pop::Item(frame),
            None => self.next(),
        };
        if let Pop::Item(frame) = &frame {
            if !frame.more() && !frame.is_uncounted() {
                self.count_read();
            }
        }
        frame
    }

    /// The next frame, left where it is; `Empty` and `Finished` as for [`PipeEnd::read`].
    pub(crate) fn peek(&mut self) -> Pop<&Msg> {
        if self.peeked.is_none() {
            match self.next() {
                Pop::Item(frame) => self.peeked = Some(frame),
                Pop::Empty => return Pop::Empty,
                Pop::Finished => return Pop::Finished,
            }
        }
        self.peeked.as_ref().map_or(Pop::Empty, Pop::Item)
    }

    /// Has a message read from this end when the peer is gone and all that it wrote is read.
    pub(crate) fn set_last_words(&mut self, msg: Msg) {
        self.last_words = Some(Box::new(msg));
    }

    /// How many frames wait to be read.
    pub(crate) fn unread(&mut self) -> usize {
        self.inbound.reader().len() + usize::from(self.peeked.is_some())
    }

    fn next(&mut self) -> Pop<Msg> {
        while !self.asleep {
            match self.inbound.pop() {
                Pop::Item(record) if record.kind() == Kind::Peer => {
                    self.peer = record.shared_metadata().cloned();
                }
                Pop::Item(mut frame) => {
                    if self.peer.is_some() {
                        frame.set_metadata(self.peer.clone());
                    }
                    return Pop::Item(frame);
                }
                Pop::Finished => {
                    let last = self.last_words.take();
                    return last.map_or(Pop::Finished, |msg| Pop::Item(*msg));
                }
                Pop::Empty if !self.attached => return Pop::Empty,
                Pop::Empty => {
                    self.tell_rest();
                    self.asleep = self.inbound.reader().sleep();
                }
            }
        }
        Pop::Empty
    }

    fn count_read(&mut self) {
        self.read += 1;
        if let Some(capacity) = capacity(self.theirs(), self.ours()) {
            if self.read - self.told >= capacity.div_ceil(2) {
                self.tell_progress();
            }
        }
    }

    /// Before the reader sleeps, the writer must know all that was read: were its mark lowered
    /// meanwhile, it could be blocked by messages that are gone.
    fn tell_rest(&mut self) {
        if self.told != self.read {
            self.tell_progress();
        }
    }

    /// Gives the writer credit for what was read, and wakes it if it is blocked.
    fn tell_progress(&mut self) {
        self.told = self.read;
        let theirs = self.theirs();
        self.ours().read.store(self.read, Ordering::Release);
        // P4: partner of the fence in `has_credit`.
        fence(Ordering::SeqCst);
        if theirs.blocked.load(Ordering::SeqCst) && theirs.blocked.swap(false, Ordering::SeqCst) {
            theirs.post(PipeEvent::Writable);
        }
    }

    /// Reader: tells the writer that its connection was lost, see [`PipeEvent::Hiccup`].
    pub(crate) fn hiccup(&mut self) {
        self.theirs().post(PipeEvent::Hiccup);
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.outbound.rollback();
        let _ = self.outbound.writer().finish();
        self.ours().gone.store(true, Ordering::Release);
        // P3: partner of the fence in `attach`.
        fence(Ordering::SeqCst);
        self.theirs().post(PipeEvent::PeerClosed);
    }
}

#[cfg(test)]
mod tests;
