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

use std::ops::{Deref, DerefMut};
use std::sync::Arc as StdArc;
#[cfg(feature = "protocols")]
use std::task::Waker;

use bytes::Bytes;

use crate::monitor::EndpointPair;
use crate::msg::{COPY_MAX, Kind, Metadata, Msg};
use crate::record::{self, MORE, Received, Record, Run};
use crate::slab::{Key, Slab};
use crate::sync::{Arc, AtomicBool, AtomicU64, CacheLine, Mutex, Ordering, SetOnce, fence};
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
    /// Somebody is there to take what is written: a connection stands, or a name is bound.
    Joined,
    /// Nobody is there for now: the connection was lost.
    Parted,
}

/// Where a pipe's events go: the owner's mailbox.
pub(crate) trait PipePeer: std::fmt::Debug + Send + Sync {
    /// Has `event` delivered to the owner of the end that it knows by `to`.
    fn post(&self, to: Key, event: PipeEvent);
}

/// Why a message was not written. It is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WriteError {
    /// The high-water mark is reached; [`PipeEvent::Writable`] will come.
    Full,
    /// The peer is gone.
    Closed,
}

/// What a reader does that finds nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WhenEmpty {
    /// It falls asleep, and hears of the next message by [`PipeEvent::Readable`].
    Sleep,
    /// After a stream it [dozes](PipeEnd::is_dozing) first: whoever asks for that looks once more.
    Doze,
}

impl WhenEmpty {
    /// What suits a thread that may look so often before it sleeps.
    #[inline]
    pub(crate) fn with_spin(spin: u32) -> Self {
        if spin > 0 { Self::Doze } else { Self::Sleep }
    }
}

/// How many whole messages wait in a pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Queued {
    pub outbound: u64,
    pub inbound: u64,
}

/// A frame that is written: given away as `&mut Msg`, of which is left what is of no use, or as
/// `&Msg` shared with who writes it to other pipes too.
pub(crate) trait Frame: Deref<Target = Msg> {
    /// The frame itself.
    fn into_msg(self) -> Msg;
}

impl Frame for &mut Msg {
    fn into_msg(self) -> Msg {
        std::mem::take(self)
    }
}

impl Frame for &Msg {
    fn into_msg(self) -> Msg {
        self.clone()
    }
}

/// The pipes of one owner.
///
/// What is written to them is made readable as soon as its message is whole, unless it is held
/// back, so that many messages are made readable, and their readers woken, at once.
#[derive(Debug)]
pub struct Pipes {
    ends: Slab<PipeEnd>,
    holds: bool,
    /// The pipes of whose messages some were held back, and how many were in all.
    held: Vec<Key>,
    messages_held: usize,
    when_empty: WhenEmpty,
    dozing: bool,
    /// The large body that was written last, until somebody takes heed of it.
    large: Option<Large>,
    #[cfg(feature = "protocols")]
    wishes: Wishes,
}

/// A body of at least [`LARGE`] bytes that was written to a pipe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Large {
    pub to: Key,
    pub len: usize,
}

/// What a pattern wants from who uses its socket.
#[cfg(feature = "protocols")]
#[derive(Default, Debug)]
pub(crate) struct Wishes {
    /// To be woken once nobody uses the socket.
    pub wakers: Vec<Waker>,
    /// To be called to go on.
    pub goes_on: bool,
}

impl Pipes {
    /// More pipes than this do not hold messages back: they are flushed. So are more messages than
    /// this, or marks would be reached by what no reader can have seen yet.
    const HELD_MAX: usize = 64;
    const MESSAGES_MAX: usize = 128;

    pub(crate) fn new() -> Self {
        Self {
            ends: Slab::new(),
            holds: false,
            held: Vec::new(),
            messages_held: 0,
            when_empty: WhenEmpty::Sleep,
            dozing: false,
            large: None,
            #[cfg(feature = "protocols")]
            wishes: Wishes::default(),
        }
    }

    /// What readers do that find nothing, from now on. Whoever lets them doze takes heed of
    /// [`Pipes::take_dozing`].
    #[inline]
    pub(crate) fn set_when_empty(&mut self, when_empty: WhenEmpty) {
        self.when_empty = when_empty;
    }

    #[inline]
    pub(crate) fn when_empty(&self) -> WhenEmpty {
        self.when_empty
    }

    /// Nothing was found, but pipes [doze](PipeEnd::is_dozing): they must be looked at once more before
    /// anybody waits for their news.
    pub(crate) fn set_dozing(&mut self) {
        self.dozing = true;
    }

    /// Whether that was so, once.
    pub(crate) fn take_dozing(&mut self) -> bool {
        std::mem::take(&mut self.dozing)
    }

    /// Writes a frame, see [`PipeEnd::write`]. The last of a message makes it readable.
    ///
    /// # Errors
    /// The frame is as it was.
    #[inline(always)]
    pub(crate) fn write(&mut self, key: Key, frame: impl Frame) -> Result<(), WriteError> {
        let pipe = self.ends.get_mut(key).ok_or(WriteError::Closed)?;
        let (more, len) = (frame.more(), frame.len());
        pipe.write(frame)?;
        if len >= LARGE {
            self.large = Some(Large { to: key, len });
        }
        if !more {
            if self.holds {
                self.hold_back(key);
            } else {
                pipe.flush();
            }
        }
        Ok(())
    }

    /// Whether a large body was written since [`Pipes::take_large`] was last called.
    #[inline(always)]
    pub(crate) fn has_large(&self) -> bool {
        self.large.is_some()
    }

    /// The last large body that was written since this was last called.
    pub(crate) fn take_large(&mut self) -> Option<Large> {
        self.large.take()
    }

    /// Writes a record, see [`PipeEnd::write_uncounted`].
    pub(crate) fn tell(&mut self, key: Key, record: Msg) {
        if let Some(pipe) = self.ends.get_mut(key) {
            pipe.write_uncounted(record);
            if self.holds {
                self.hold_back(key);
            } else {
                pipe.flush();
            }
        }
    }

    /// Holds back what is written from now on.
    pub fn hold(&mut self) {
        self.holds = true;
    }

    /// Makes readable what was held back, and holds nothing back any more.
    pub fn flush(&mut self) {
        self.holds = false;
        self.flush_held();
    }

    fn hold_back(&mut self, key: Key) {
        if self.held.last() != Some(&key) {
            if self.held.len() == Self::HELD_MAX {
                self.flush_held();
            }
            self.held.push(key);
        }
        self.messages_held += 1;
        if self.messages_held >= Self::MESSAGES_MAX {
            self.flush_held();
        }
    }

    fn flush_held(&mut self) {
        self.messages_held = 0;
        for key in self.held.drain(..) {
            if let Some(pipe) = self.ends.get_mut(key) {
                pipe.flush();
            }
        }
    }
}

#[cfg(feature = "protocols")]
impl Pipes {
    /// Has a task woken once nobody uses the socket any more: a waker may run anything, even what uses
    /// or drops the socket. For those of an [`AttendedSocket`](crate::protocol::AttendedSocket).
    pub fn wake_later(&mut self, waker: Waker) {
        self.wishes.wakers.push(waker);
    }

    /// Something is left to be done, for the sake of others who want to use the socket:
    /// [`Pattern::go_on`](crate::protocol::Pattern::go_on) will be called soon. For those of an
    /// [`AttendedSocket`](crate::protocol::AttendedSocket).
    pub fn come_again(&mut self) {
        self.wishes.goes_on = true;
    }

    #[inline]
    pub(crate) fn has_wishes(&self) -> bool {
        self.wishes.goes_on || !self.wishes.wakers.is_empty()
    }

    pub(crate) fn take_wishes(&mut self) -> Wishes {
        std::mem::take(&mut self.wishes)
    }
}

impl Deref for Pipes {
    type Target = Slab<PipeEnd>;

    #[inline]
    fn deref(&self) -> &Slab<PipeEnd> {
        &self.ends
    }
}

impl DerefMut for Pipes {
    #[inline]
    fn deref_mut(&mut self) -> &mut Slab<PipeEnd> {
        &mut self.ends
    }
}

/// The byte that stands for a frame that does not travel as bytes.
const VALUE: u8 = 0x80;

/// What an owner says of the marks: how many messages its side lets wait, of those that it writes
/// and of those that it reads; 0 is no limit.
#[derive(Clone, Copy, Debug)]
struct Marks {
    send: u32,
    recv: u32,
}

/// After so many messages without a sleep a reader takes them for a stream.
const STREAM: u64 = if cfg!(test) { 3 } else { 64 };

/// A share in a mark, or a sum of two, that is no limit.
const UNLIMITED: u64 = u64::MAX;

/// A body above this size is not worth two copies, into the pipe and out of it, where it could be handed
/// over instead.
pub(crate) const HANDED_COPY_MAX: usize = 1024;

/// A body from this size on is large: it always travels in its own memory, and who sends many of them
/// may want to know how many are still to be read, see [`PipeEnd::lead`].
pub(crate) const LARGE: usize = 16 * 1024;

/// What both ends know. Made with care for its size: there are as many as connections.
#[derive(Debug)]
struct Common {
    /// How many messages may be on the way from each side: the sum of the writer's share and the
    /// reader's. Both look at it with every message; what is on the same cache line changes rarely.
    capacities: [AtomicU64; 2],
    rare: Mutex<Rare>,
    sides: [CacheLine<Side>; 2],
}

/// What the two sides have said.
#[derive(Default, Debug)]
struct Rare {
    /// Without marks there is no room yet.
    marks: [Option<Marks>; 2],
    /// The ends of the connection that a side's messages go over, as its owner sees them.
    endpoints: [Option<StdArc<EndpointPair>>; 2],
}

impl Common {
    fn new() -> Self {
        Self {
            capacities: [AtomicU64::new(0), AtomicU64::new(0)],
            rare: Mutex::new(Rare::default()),
            sides: [CacheLine(Side::new()), CacheLine(Side::new())],
        }
    }

    fn set_marks(&self, side: usize, own: Marks) {
        let mut rare = self.rare.lock();
        rare.marks[side] = Some(own);
        for (writer, capacity) in self.capacities.iter().enumerate() {
            let send = rare.marks[writer].map_or(0, |marks| share(marks.send));
            let recv = rare.marks[1 - writer].map_or(0, |marks| share(marks.recv));
            // Relaxed: a mark is a number, and nothing else is read on the strength of it.
            capacity.store(send.saturating_add(recv), Ordering::Relaxed);
        }
    }
}

/// What one end lets the other know.
#[derive(Debug)]
struct Side {
    address: SetOnce<(StdArc<dyn PipePeer>, Key)>,
    gone: AtomicBool,
    /// How many messages this side has read, told every half a queue.
    read: AtomicU64,
    /// How many messages this side has made readable; for statistics alone.
    written: AtomicU64,
    /// This side waits for room to write.
    blocked: AtomicBool,
    /// Somebody is there on this side, as last said.
    joined: AtomicBool,
    /// The peer's owner is on its way to hear of that, and of a hiccup: one word of each is enough,
    /// however often a connection comes and goes while nobody listens.
    joining: AtomicBool,
    hiccuping: AtomicBool,
    /// The pipe is known, see [`PipeEnd::make_known`]. Only the first side's is used; there is room here.
    known: AtomicBool,
}

#[cfg(all(not(loom), target_pointer_width = "64"))]
const _: () = assert!(size_of::<Side>() <= 64, "it has one cache line");

impl Side {
    fn new() -> Self {
        Self {
            address: SetOnce::new(),
            gone: AtomicBool::new(false),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            blocked: AtomicBool::new(false),
            joined: AtomicBool::new(false),
            joining: AtomicBool::new(false),
            hiccuping: AtomicBool::new(false),
            known: AtomicBool::new(false),
        }
    }

    fn post(&self, event: PipeEvent) {
        self.address.with(|(owner, key)| owner.post(*key, event));
    }
}

fn share(hwm: u32) -> u64 {
    if hwm == 0 { UNLIMITED } else { hwm.into() }
}

/// Writes a frame: as bytes, in the form that it has on the wire, if it is fit for that and has a body of
/// at most `max` bytes; or else takes it.
#[inline(always)]
fn put(writer: &mut Writer<Msg>, frame: impl Frame, max: usize) {
    let complete = !frame.more();
    match record::plain(&frame, max) {
        Some(body) => put_body(writer, body, complete),
        None => writer.push(VALUE, frame.into_msg(), complete),
    }
}

/// Writes a frame that is fit to travel as bytes.
#[inline(always)]
fn put_body(writer: &mut Writer<Msg>, body: &[u8], complete: bool) {
    let flags = if complete { 0 } else { MORE };
    let len = record::head_len(body.len()) + body.len();
    record::write(writer.append(len, complete), flags, body);
}

/// Reads the next frame. Of what `into` was, only the metadata may stay.
#[inline(always)]
fn take(reader: &mut Reader<Msg>, into: &mut Msg) -> Pop<()> {
    let bytes = match reader.peek() {
        Pop::Item(bytes) => bytes,
        Pop::Empty => return Pop::Empty,
        Pop::Finished => return Pop::Finished,
    };
    match Record::parse(bytes, COPY_MAX) {
        Some(record) => {
            record.copy_into(bytes, into);
            reader.consume(record.end);
        }
        None => *into = take_value(reader),
    }
    Pop::Item(())
}

#[cold]
fn take_value(reader: &mut Reader<Msg>) -> Msg {
    reader.consume(1);
    let value = reader.take_value().expect("Y4: a marker has its value");
    if value.len() >= LARGE {
        reader.tell_taken();
    }
    value
}

/// The messages on their way in one direction: a queue, or only the latest whole message.
#[derive(Debug)]
enum Outbound {
    Queue(Writer<Msg>),
    Latest(Box<LatestOutbound>),
}

#[derive(Debug)]
struct LatestOutbound {
    slot: Arc<Mutex<Vec<Msg>>>,
    building: Vec<Msg>,
    notes: Writer<Msg>,
}

#[derive(Debug)]
enum Inbound {
    Queue(Reader<Msg>),
    Latest(Box<LatestInbound>),
}

#[derive(Debug)]
struct LatestInbound {
    slot: Arc<Mutex<Vec<Msg>>>,
    /// The rest of the message being read, last frame first.
    current: Vec<Msg>,
    notes: Reader<Msg>,
}

/// One end of a pipe.
#[derive(Debug)]
pub struct PipeEnd {
    outbound: Outbound,
    inbound: Inbound,
    common: Arc<Common>,
    /// Which of the sides is ours.
    own: usize,
    /// Bodies above this size are handed over in their own memory.
    copy_max: usize,
    attached: bool,
    asleep: bool,
    peer_gone: bool,
    /// Whether somebody is there at the other end, as far as we were told.
    joined: bool,
    /// Whole messages written, and the reader's count when last looked at.
    written: u64,
    credited: u64,
    /// Whether a message has been begun and not ended.
    mid_message: bool,
    /// Whole messages read, and the half of a queue last told to the writer.
    read: u64,
    told: u64,
    /// How many messages the reader had read when it last fell asleep, and when it last dozed off.
    slept: u64,
    dozed: Option<u64>,
    peeked: Option<Msg>,
    peer: Option<StdArc<Metadata>>,
    /// What is read after everything that the peer wrote, once it is gone.
    last_words: Option<Box<Msg>>,
}

/// A new pipe, without room until [`PipeEnd::set_hwm`] is called on an end. With `conflate`,
/// each direction holds only the latest message.
pub(crate) fn pair(conflate: bool) -> (PipeEnd, PipeEnd) {
    let common = Arc::new(Common::new());
    let ((out_a, in_b), (out_b, in_a)) = (direction(conflate), direction(conflate));
    (
        PipeEnd::new(out_a, in_a, common.clone(), 0),
        PipeEnd::new(out_b, in_b, common, 1),
    )
}

fn direction(conflate: bool) -> (Outbound, Inbound) {
    let (writer, reader) = ypipe::ypipe();
    if !conflate {
        return (Outbound::Queue(writer), Inbound::Queue(reader));
    }
    let slot = Arc::new(Mutex::new(Vec::new()));
    (
        Outbound::Latest(Box::new(LatestOutbound {
            slot: slot.clone(),
            building: Vec::new(),
            notes: writer,
        })),
        Inbound::Latest(Box::new(LatestInbound {
            slot,
            current: Vec::new(),
            notes: reader,
        })),
    )
}

impl Outbound {
    #[inline(always)]
    fn push(&mut self, frame: impl Frame, max: usize) {
        match self {
            Self::Queue(writer) => put(writer, frame, max),
            Self::Latest(latest) => latest.push(frame.into_msg()),
        }
    }

    /// Writes whole messages that are there as bytes.
    fn push_run(&mut self, run: Received<'_>) {
        match self {
            Self::Queue(writer) => match run.parts() {
                Ok(frames) => writer.append(frames.len(), true).copy_from_slice(frames),
                Err(bodies) => bodies.for_each(|body| put_body(writer, body, true)),
            },
            Self::Latest(latest) => run.to_frames().for_each(|frame| latest.push(frame)),
        }
    }

    #[inline]
    fn writer(&mut self) -> &mut Writer<Msg> {
        match self {
            Self::Queue(writer) => writer,
            Self::Latest(latest) => &mut latest.notes,
        }
    }

    fn rollback(&mut self) {
        match self {
            Self::Queue(writer) => {
                writer.rollback();
            }
            Self::Latest(latest) => latest.building.clear(),
        }
    }

    /// How many messages wait, where `unread` of all that were written were not read.
    fn queued(&self, unread: u64) -> u64 {
        match self {
            Self::Queue(_) => unread,
            Self::Latest(latest) => (!latest.slot.lock().is_empty()).into(),
        }
    }
}

impl LatestOutbound {
    #[cold]
    fn push(&mut self, frame: Msg) {
        if frame.kind() != Kind::Data {
            // Records for the engine keep their order and are never conflated.
            return put(&mut self.notes, &frame, COPY_MAX);
        }
        let complete = !frame.more();
        self.building.push(frame);
        if complete {
            self.building.reverse();
            let new = std::mem::take(&mut self.building);
            let old = std::mem::replace(&mut *self.slot.lock(), new);
            if old.is_empty() {
                // A note that there is something in the slot.
                put(&mut self.notes, &Msg::new(), COPY_MAX);
            }
        }
    }
}

impl Inbound {
    #[inline(always)]
    fn pop(&mut self, into: &mut Msg) -> Pop<()> {
        match self {
            Self::Queue(reader) => take(reader, into),
            Self::Latest(latest) => latest.pop(into),
        }
    }

    fn reader(&mut self) -> &mut Reader<Msg> {
        match self {
            Self::Queue(reader) => reader,
            Self::Latest(latest) => &mut latest.notes,
        }
    }

    /// As [`Outbound::queued`].
    fn queued(&self, unread: u64) -> u64 {
        match self {
            Self::Queue(_) => unread,
            Self::Latest(latest) => (!latest.slot.lock().is_empty()).into(),
        }
    }
}

impl LatestInbound {
    #[cold]
    fn pop(&mut self, into: &mut Msg) -> Pop<()> {
        while self.current.is_empty() {
            match take(&mut self.notes, into) {
                Pop::Item(()) if into.kind() != Kind::Data => return Pop::Item(()),
                Pop::Item(()) => self.current = std::mem::take(&mut *self.slot.lock()),
                Pop::Empty => return Pop::Empty,
                Pop::Finished => return Pop::Finished,
            }
        }
        self.current.pop().map_or(Pop::Empty, |frame| {
            *into = frame;
            Pop::Item(())
        })
    }
}

impl PipeEnd {
    fn new(outbound: Outbound, inbound: Inbound, common: Arc<Common>, own: usize) -> Self {
        Self {
            outbound,
            inbound,
            common,
            own,
            copy_max: COPY_MAX,
            attached: false,
            asleep: false,
            peer_gone: false,
            joined: false,
            written: 0,
            credited: 0,
            mid_message: false,
            read: 0,
            told: 0,
            slept: 0,
            dozed: None,
            peeked: None,
            peer: None,
            last_words: None,
        }
    }

    /// Hands over what this end writes in its own memory if that is worth it, for an application that
    /// reads it there. For a session, which has to copy it anyway, small bodies are best in one row.
    pub(crate) fn hand_over_bodies(&mut self) {
        self.copy_max = HANDED_COPY_MAX;
    }

    /// Whether frames like this one are handed over in their own memory.
    pub(crate) fn hands_over(&self, frame: &Msg) -> bool {
        record::plain(frame, self.copy_max).is_none()
    }

    /// The other side. That it is 0 or 1 is also told to the compiler, which then need not check.
    #[inline]
    fn other(&self) -> usize {
        (self.own ^ 1) & 1
    }

    #[inline]
    fn ours(&self) -> &Side {
        &self.common.sides[self.own & 1]
    }

    #[inline]
    fn theirs(&self) -> &Side {
        &self.common.sides[self.other()]
    }

    /// How many messages may be on the way from us, and to us.
    #[inline]
    fn capacity_out(&self) -> u64 {
        self.common.capacities[self.own & 1].load(Ordering::Relaxed)
    }

    #[inline]
    fn capacity_in(&self) -> u64 {
        self.common.capacities[self.other()].load(Ordering::Relaxed)
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
        self.common.set_marks(self.own, Marks { send, recv });
        // P4: partner of the fence in `find_credit`.
        fence(Ordering::SeqCst);
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
            PipeEvent::Joined | PipeEvent::Parted => {
                // AcqRel: partner of the `swap` in `report`. Either that comes later and posts
                // again, or we see what was said before it.
                self.theirs().joining.swap(false, Ordering::AcqRel);
                self.joined = self.theirs().joined.load(Ordering::Relaxed);
            }
            PipeEvent::Hiccup => {
                // As above; what is said again is written after this.
                self.theirs().hiccuping.swap(false, Ordering::AcqRel);
            }
            PipeEvent::Writable => {
                self.refresh_credit(self.capacity_out());
            }
        }
    }

    /// Takes note that one of the ends is known to somebody; whether either was before.
    pub(crate) fn make_known(&self) -> bool {
        self.common.sides[0].known.swap(true, Ordering::Relaxed)
    }

    /// The peer was there before this end was attached, so that it could not be told.
    pub(crate) fn set_joined(&mut self) {
        self.joined = true;
    }

    /// Whether the peer is gone. What it wrote can still be read.
    pub(crate) fn is_peer_gone(&self) -> bool {
        self.peer_gone
    }

    /// Who the peer is, as far as what was read or peeked at has told.
    pub(crate) fn peer(&self) -> Option<&StdArc<Metadata>> {
        self.peer.as_ref()
    }

    /// Whether what is written reaches somebody now.
    pub(crate) fn is_joined(&self) -> bool {
        self.joined && !self.peer_gone
    }

    /// Tells the peer's owner, whose end is attached, that somebody is there on this side, or nobody
    /// for now.
    pub(crate) fn report(&self, is_there: bool) {
        self.ours().joined.store(is_there, Ordering::Relaxed);
        if self.ours().joining.swap(true, Ordering::AcqRel) {
            return;
        }
        self.theirs().post(if is_there {
            PipeEvent::Joined
        } else {
            PipeEvent::Parted
        });
    }

    // ── writing ──────────────────────────────────────────────────────────────────────────────

    /// Whether a message can be begun now. If not, and the peer is alive,
    /// [`PipeEvent::Writable`] will come.
    pub(crate) fn can_write(&mut self) -> bool {
        !self.peer_gone && (self.mid_message || self.has_credit())
    }

    /// As [`PipeEnd::can_write`], going by what the reader was last known to have read. Where that is too
    /// little the answer is no, even if it has read more since; then there is a
    /// [`PipeEvent::Writable`] at once.
    pub(crate) fn has_kept_up(&mut self) -> bool {
        let (written, credited) = (self.written, self.credited);
        if !self.can_write() {
            return false;
        }
        if credited == self.credited || written - credited < self.capacity_out() {
            return true;
        }
        self.ours().post(PipeEvent::Writable);
        false
    }

    /// How many messages can be written now, one that has been begun among them; there may be
    /// room for more. If there is none, as for [`PipeEnd::can_write`].
    pub(crate) fn room(&mut self) -> u64 {
        if !self.can_write() {
            return 0;
        }
        if matches!(self.outbound, Outbound::Latest(_)) {
            return u64::MAX;
        }
        let used = self.written - self.credited;
        self.capacity_out().saturating_sub(used).max(1)
    }

    /// Writes a frame, which can be read once its message is complete and flushed.
    ///
    /// # Errors
    /// It is as it was.
    #[inline(always)]
    pub(crate) fn write(&mut self, frame: impl Frame) -> Result<(), WriteError> {
        if self.peer_gone {
            return Err(WriteError::Closed);
        }
        if !self.mid_message && !self.has_credit() {
            return Err(WriteError::Full);
        }
        self.mid_message = frame.more();
        if !self.mid_message {
            self.written += 1;
        }
        self.outbound.push(frame, self.copy_max);
        Ok(())
    }

    /// How many bodies that travel in their own memory the reader still has to read, as of when it last
    /// read a large one or had read all; the last known number will do if it is at most `enough`.
    pub(crate) fn lead(&mut self, enough: usize) -> usize {
        self.outbound.writer().lead(enough)
    }

    /// Writes a run that ends with a message, for whose messages there is [`PipeEnd::room`].
    pub(crate) fn write_run(&mut self, run: Received<'_>, messages: u64) {
        if !self.peer_gone {
            self.mid_message = false;
            self.written += messages;
            self.outbound.push_run(run);
        }
    }

    /// Writes a record that no high-water mark holds back, between messages.
    pub(crate) fn write_uncounted(&mut self, mut record: Msg) {
        debug_assert!(!self.mid_message, "P2: records do not tear messages");
        if !self.peer_gone {
            record.set_uncounted();
            self.outbound.push(&mut record, self.copy_max);
        }
    }

    /// Tells the peer's owner who is here, before all messages or between two.
    pub(crate) fn introduce(&mut self, record: Msg) {
        self.write_uncounted(record);
        self.flush();
        // Often no other value is ever written.
        self.outbound.writer().shrink();
    }

    /// Writes a message that must not be lost for lack of room. It counts like all others.
    pub(crate) fn write_beyond(&mut self, mut msg: Msg) {
        debug_assert!(!self.mid_message && !msg.more(), "P2: nothing is torn");
        if !self.peer_gone {
            self.written += 1;
            self.outbound.push(&mut msg, self.copy_max);
        }
    }

    /// Whether a whole message was ever written.
    pub(crate) fn was_written_to(&self) -> bool {
        self.written > 0
    }

    /// Makes all complete messages readable, and wakes the reader if it sleeps.
    #[inline(always)]
    pub(crate) fn flush(&mut self) {
        if !self.outbound.writer().has_unpublished() {
            return;
        }
        self.count_written();
        if self.outbound.writer().flush() {
            self.theirs().post(PipeEvent::Readable);
        }
    }

    /// Lets the peer know how much was written, before it can be read: so nobody has ever read more.
    #[inline]
    fn count_written(&self) {
        // Relaxed: the queue's own release, which follows, puts it in order.
        self.ours().written.store(self.written, Ordering::Relaxed);
    }

    /// Takes back the frames of an unfinished message.
    pub(crate) fn rollback(&mut self) {
        self.outbound.rollback();
        self.mid_message = false;
    }

    #[inline(always)]
    fn has_credit(&mut self) -> bool {
        if matches!(self.outbound, Outbound::Latest(_)) {
            return true;
        }
        let capacity = self.capacity_out();
        self.written - self.credited < capacity || self.find_credit(capacity)
    }

    /// Looks for credit that is not known of yet; if there is none, the reader will tell.
    #[cold]
    fn find_credit(&mut self, capacity: u64) -> bool {
        if self.refresh_credit(capacity) {
            return true;
        }
        if !self.attached {
            return false;
        }
        // P4: partner of the fence in `tell`.
        self.ours().blocked.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.refresh_credit(self.capacity_out())
    }

    fn refresh_credit(&mut self, capacity: u64) -> bool {
        // Acquire orders nothing but the count itself; the bodies are the queue's matter.
        self.credited = self.theirs().read.load(Ordering::Acquire);
        self.written - self.credited < capacity
    }

    // ── reading ──────────────────────────────────────────────────────────────────────────────

    /// Whether [`PipeEnd::read_into`] found nothing, but did not fall asleep: messages have come in quick
    /// succession, and for both sides a sleep takes longer than to make many more. The next look decides.
    pub(crate) fn is_dozing(&self) -> bool {
        !self.asleep && self.dozed == Some(self.read)
    }

    /// Takes the next frame. After `Empty`, [`PipeEvent::Readable`] will come.
    pub(crate) fn read(&mut self) -> Pop<Msg> {
        self.read_or(WhenEmpty::Sleep)
    }

    /// As [`PipeEnd::read`], or else as `when_empty` says.
    pub(crate) fn read_or(&mut self, when_empty: WhenEmpty) -> Pop<Msg> {
        let mut frame = Msg::new();
        match self.read_into(&mut frame, when_empty) {
            Pop::Item(()) => Pop::Item(frame),
            Pop::Empty => Pop::Empty,
            Pop::Finished => Pop::Finished,
        }
    }

    /// Takes the next frame, see [`PipeEnd::read`], to the place of what was in `into`, which is of
    /// no use where there is none.
    #[inline(always)]
    pub(crate) fn read_into(&mut self, into: &mut Msg, when_empty: WhenEmpty) -> Pop<()> {
        let found = if self.peeked.is_some() {
            self.take_peeked(into)
        } else {
            self.next(into, when_empty)
        };
        if found == Pop::Item(()) && !into.more() && !into.is_uncounted() {
            self.count_read(1);
        }
        found
    }

    #[cold]
    fn take_peeked(&mut self, into: &mut Msg) -> Pop<()> {
        *into = self.peeked.take().unwrap_or_default();
        Pop::Item(())
    }

    /// The next frame, left where it is; `Empty` and `Finished` as for [`PipeEnd::read`].
    pub(crate) fn peek(&mut self) -> Pop<&Msg> {
        if self.peeked.is_none() {
            let mut frame = Msg::new();
            match self.next(&mut frame, WhenEmpty::Sleep) {
                Pop::Item(()) => self.peeked = Some(frame),
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

    /// The whole frames at the front that are bytes as on the wire, at most about `limit` bytes of
    /// them; `None` if there are none, or [`PipeEnd::read`] must be asked for other reasons.
    pub(crate) fn peek_run(&mut self, limit: usize) -> Option<(Run, &[u8])> {
        let Inbound::Queue(reader) = &mut self.inbound else {
            return None;
        };
        if self.asleep || self.peeked.is_some() {
            return None;
        }
        let Pop::Item(bytes) = reader.peek() else {
            return None;
        };
        let run = Run::scan(bytes, COPY_MAX, limit, u64::MAX);
        (run.len > 0).then(|| (run, &bytes[..run.len]))
    }

    /// The bytes of a run that [`PipeEnd::peek_run`] has shown, to be kept without a copy.
    pub(crate) fn share_run(&mut self, run: Run) -> Bytes {
        self.inbound.reader().share(run.len)
    }

    /// Moves over a run that [`PipeEnd::peek_run`] has shown.
    pub(crate) fn consume_run(&mut self, run: Run) {
        self.inbound.reader().consume(run.len);
        self.count_read(run.messages);
    }

    /// Drops the messages that can be read now. Those that come meanwhile stay, so that no peer
    /// can keep us here.
    pub(crate) fn discard_unread(&mut self) {
        let end = self.inbound.reader().published();
        while self.peeked.is_some() || self.inbound.reader().position() != end {
            if !self.discard_message() {
                return;
            }
        }
    }

    /// Drops a message, or what is left of one; false if there was none.
    pub(crate) fn discard_message(&mut self) -> bool {
        while let Pop::Item(frame) = self.read() {
            if !frame.more() {
                return true;
            }
        }
        false
    }

    // ── statistics ───────────────────────────────────────────────────────────────────────────

    /// How many whole messages wait in this pipe: of ours for the peer, as far as it has told what
    /// it read, which it does every half a queue or when it has read all; and of the peer's for us.
    pub(crate) fn queued(&self) -> Queued {
        let told = self.theirs().read.load(Ordering::Relaxed);
        let capacity = self.capacity_out();
        let told = if told < self.written && capacity != UNLIMITED {
            // It may have told more when it had read all there was: that is not what the mark counts.
            let half = capacity.div_ceil(2);
            told / half * half
        } else {
            told
        };
        let written = self.theirs().written.load(Ordering::Relaxed);
        Queued {
            outbound: self.outbound.queued(self.written.saturating_sub(told)),
            inbound: self.inbound.queued(written.saturating_sub(self.read)),
        }
    }

    /// The ends of the connection, as the owner of this end sees them; `None` where the other end has
    /// never told.
    pub(crate) fn endpoints(&self) -> Option<StdArc<EndpointPair>> {
        self.common.rare.lock().endpoints[self.own].clone()
    }

    /// Tells the peer's owner between which ends its messages travel.
    pub(crate) fn tell_endpoints(&self, endpoints: StdArc<EndpointPair>) {
        self.common.rare.lock().endpoints[1 - self.own] = Some(endpoints);
    }

    /// How many bytes and values wait to be read.
    #[cfg(test)]
    pub(crate) fn unread(&mut self) -> usize {
        let reader = self.inbound.reader();
        reader.published() - reader.position()
    }

    #[inline(always)]
    fn next(&mut self, into: &mut Msg, when_empty: WhenEmpty) -> Pop<()> {
        while !self.asleep {
            match self.inbound.pop(into) {
                Pop::Item(()) if into.kind() == Kind::Peer => {
                    self.peer = into.shared_metadata().cloned();
                    self.inbound.reader().shrink();
                }
                Pop::Item(()) => {
                    into.set_metadata(self.peer.as_ref());
                    return Pop::Item(());
                }
                Pop::Finished => return self.take_last_words(into),
                Pop::Empty if !self.attached => return Pop::Empty,
                Pop::Empty if self.dozes_off(when_empty) => return Pop::Empty,
                Pop::Empty => {
                    self.slept = self.read;
                    self.tell_rest();
                    self.inbound.reader().tell_taken();
                    self.asleep = self.inbound.reader().sleep();
                }
            }
        }
        Pop::Empty
    }

    /// Whether the reader, which found nothing, stays awake until it has looked once more.
    fn dozes_off(&mut self, when_empty: WhenEmpty) -> bool {
        let may = when_empty == WhenEmpty::Doze && self.read - self.slept >= STREAM;
        if !may || self.is_dozing() {
            return false;
        }
        self.dozed = Some(self.read);
        true
    }

    #[cold]
    fn take_last_words(&mut self, into: &mut Msg) -> Pop<()> {
        self.last_words.take().map_or(Pop::Finished, |msg| {
            *into = *msg;
            Pop::Item(())
        })
    }

    #[inline(always)]
    fn count_read(&mut self, messages: u64) {
        self.read += messages;
        let half = self.capacity_in().div_ceil(2);
        if self.read - self.told >= half {
            self.tell_half(half);
        }
    }

    /// Tells whole halves only, so that marks are the same whenever the reader has slept.
    #[cold]
    fn tell_half(&mut self, half: u64) {
        self.told = self.read / half * half;
        // More may have been told before a sleep.
        if self.told > self.ours().read.load(Ordering::Relaxed) {
            self.tell(self.told);
        }
    }

    /// Before the reader sleeps, the writer must know all that was read: were its mark lowered
    /// meanwhile, it could be blocked by messages that are gone.
    fn tell_rest(&mut self) {
        if self.ours().read.load(Ordering::Relaxed) != self.read {
            self.tell_progress();
        }
    }

    /// Gives the writer credit for all that was read.
    #[inline(never)]
    fn tell_progress(&mut self) {
        self.tell(self.read);
    }

    /// Gives the writer credit, and wakes it if it is blocked.
    fn tell(&mut self, read: u64) {
        let theirs = self.theirs();
        self.ours().read.store(read, Ordering::Release);
        // P4: partner of the fence in `find_credit`.
        fence(Ordering::SeqCst);
        if theirs.blocked.load(Ordering::SeqCst) && theirs.blocked.swap(false, Ordering::SeqCst) {
            theirs.post(PipeEvent::Writable);
        }
    }

    /// Reader: tells the writer, whose end is attached, that its connection was lost, see
    /// [`PipeEvent::Hiccup`].
    pub(crate) fn hiccup(&mut self) {
        if !self.ours().hiccuping.swap(true, Ordering::AcqRel) {
            self.theirs().post(PipeEvent::Hiccup);
        }
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.outbound.rollback();
        self.count_written();
        let _ = self.outbound.writer().finish();
        self.ours().gone.store(true, Ordering::Release);
        // P3: partner of the fence in `attach`.
        fence(Ordering::SeqCst);
        self.theirs().post(PipeEvent::PeerClosed);
    }
}

#[cfg(test)]
mod tests;
