//! [`Writer`] and [`Reader`]: the two ends of a lock-free queue of bytes between two threads.
//!
//! Bytes lie in a chain of chunks. The writer fills a chunk privately and publishes what it wrote
//! with [`Writer::flush`], one atomic swap for any number of bytes; the reader takes everything
//! that was published with one load and then works on memory that nobody else touches. A reader
//! that finds nothing may [`sleep`](Reader::sleep); the next flush tells its caller that somebody
//! must be woken, and that is the only news that ever has to cross.
//!
//! What is too large to be copied, or is no bytes at all, goes beside the bytes as a *value*: a
//! byte marks its place, and the values cross in batches under a lock that is held for the time of
//! moving a list. This file knows neither messages nor threads.
//!
//! # The word
//!
//! Both ends share one word: `published << 2 | FINISHED | ASLEEP`, where `published` counts bytes.
//!
//! * **Y1** Only the writer changes `published` and sets `FINISHED`; it does so by `swap`, which
//!   clears `ASLEEP`.
//! * **Y2** Only the reader sets `ASLEEP`, by `compare_exchange` from a word that shows nothing
//!   new. Both are read-modify-writes of one word, so either the reader sees the new bytes, or
//!   the writer sees that the reader sleeps.
//!
//! # The bytes
//!
//! * **Y3** Byte number n of the queue is written by the writer while `published <= n`, and looked
//!   at by the reader only once it has read a word with `published > n`; from then on nobody
//!   writes it. The `swap` releases what the reader's load acquires.
//! * **Y4** The link to the next chunk, where a chunk ends, and the values that bytes stand for
//!   are set before those bytes are published, so the reader that needs them finds them.
//! * **Y5** There is one `Writer` and one `Reader` (neither can be cloned or shared), so each side
//!   of Y3 is one thread at a time.
//! * **Y6** A chunk is filled again only by whoever holds the last reference to it: neither the
//!   reader nor a [`Run`] that it gave away looks at it any more.

use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::slice;

use bytes::Bytes;

use crate::sync::{Arc, AtomicUsize, CacheLine, Count, Mutex, Ordering, SetOnce, Watch};

const ASLEEP: usize = 1;
const FINISHED: usize = 2;
const ONE: usize = 4;

/// The first chunk has room for who the peer is and a word, so that ten thousand idle connections
/// stay cheap. While the reader does not sleep, each chunk is twice as large as the one before; when
/// it does, down to half as large, but not smaller than what came between two sleeps.
const FIRST_CHUNK: usize = if cfg!(loom) { 1 } else { 32 };
const SMALL_CHUNK: usize = if cfg!(loom) { 1 } else { 128 };
const LAST_CHUNK: usize = if cfg!(loom) { 2 } else { 64 * 1024 };

/// How many used chunks of a queue wait to be let go of by those who keep bytes of them.
const USED_MAX: usize = 8;

/// How many used chunks of a queue wait to be filled again, and how many bytes of all queues'.
const SPARES_MAX: u32 = 64;
const SPARE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How many bytes all spare chunks of the process have.
static SPARE_BYTES: Count = Count::new(0);

/// The end of a chunk that is still being filled.
const OPEN: usize = usize::MAX;

/// What a reader found.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Pop<T> {
    /// The next item.
    Item(T),
    /// Nothing now.
    Empty,
    /// Nothing now, and nothing will come.
    Finished,
}

struct Chunk {
    bytes: Box<[UnsafeCell<u8>]>,
    /// Where the writer left for the next chunk.
    end: AtomicUsize,
    next: SetOnce<Arc<Self>>,
    watch: Watch,
}

// SAFETY: Y3, Y5 — a byte is written by one thread at a time, while no other looks at it, and
// hand-over is by release and acquire.
unsafe impl Sync for Chunk {}

impl Chunk {
    fn new(len: usize) -> Self {
        Self {
            bytes: (0..len).map(|_| UnsafeCell::new(0)).collect(),
            end: AtomicUsize::new(OPEN),
            next: SetOnce::new(),
            watch: Watch::new(len),
        }
    }

    /// # Safety
    /// * The caller is the writer, and these bytes are not published (Y3, Y5).
    /// * It lets go of them before it asks for them again.
    #[expect(clippy::mut_from_ref, reason = "Y3: that is what the queue is for")]
    unsafe fn bytes_mut(&self, at: usize, len: usize) -> &mut [u8] {
        let cells = &self.bytes[at..at + len];
        self.watch.write(at, len);
        let first = UnsafeCell::raw_get(cells.as_ptr());
        // SAFETY: `cells` are all in bounds; Y3, Y5 — nobody else has a reference to them.
        unsafe { slice::from_raw_parts_mut(first, len) }
    }

    /// # Safety
    /// * These bytes are published, and the chunk is not filled again while the result lives (Y3,
    ///   Y6).
    unsafe fn bytes(&self, at: usize, len: usize) -> &[u8] {
        let cells = &self.bytes[at..at + len];
        self.watch.read(at, len);
        let first = UnsafeCell::raw_get(cells.as_ptr());
        // SAFETY: `cells` are all in bounds; Y3, Y6 — nobody writes them.
        unsafe { slice::from_raw_parts(first, len) }
    }

    fn next(&self) -> Option<Arc<Self>> {
        self.next.with(Arc::clone)
    }
}

impl Drop for Chunk {
    /// Frees the chain behind this chunk in a loop: recursion would be as deep as the queue long.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut chunk) = next {
            next = Arc::get_mut(&mut chunk).and_then(|chunk| chunk.next.take());
        }
    }
}

/// What both ends share. Made to fit into one cache line.
struct Shared<T> {
    word: AtomicUsize,
    depot: Mutex<Depot<T>>,
    /// How many values the reader has taken, as last told.
    taken: Count,
}

#[cfg(all(not(loom), target_pointer_width = "64"))]
const _: () = assert!(size_of::<Shared<[u64; 8]>>() <= 64);

/// What is left by one end for the other to fetch.
struct Depot<T> {
    /// Published values, in order.
    values: Vec<T>,
    /// Used chunks on their way back to the writer.
    spares: Spares,
}

/// Used chunks that wait to be filled again: a stack of them, each linked to the one below.
struct Spares {
    top: Option<Arc<Chunk>>,
    len: u32,
}

impl Spares {
    const fn new() -> Self {
        Self { top: None, len: 0 }
    }

    /// Keeps a chunk that nobody else has and that has no next, unless there are enough of them.
    fn put(&mut self, chunk: Arc<Chunk>) {
        let len = chunk.bytes.len();
        if self.len == SPARES_MAX {
            return;
        }
        // Relaxed: a count, and nothing is read on the strength of it.
        let before = SPARE_BYTES.fetch_add(len, Ordering::Relaxed);
        if before + len > SPARE_BYTES_MAX {
            SPARE_BYTES.fetch_sub(len, Ordering::Relaxed);
            return;
        }
        if let Some(below) = self.top.take() {
            chunk.next.set(below);
        }
        self.top = Some(chunk);
        self.len += 1;
    }

    /// The last one.
    fn pop(&mut self) -> Option<Arc<Chunk>> {
        let mut chunk = self.top.take()?;
        self.top = Arc::get_mut(&mut chunk).and_then(|chunk| chunk.next.take());
        self.len -= 1;
        SPARE_BYTES.fetch_sub(chunk.bytes.len(), Ordering::Relaxed);
        Some(chunk)
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

/// A place in the chain.
struct Cursor {
    chunk: Arc<Chunk>,
    at: usize,
    /// The queue's number of the chunk's first byte.
    origin: usize,
}

impl Cursor {
    /// The start of a chunk that follows this place.
    fn followed_by(&self, chunk: Arc<Chunk>) -> Self {
        let origin = self.position();
        Self {
            chunk,
            at: 0,
            origin,
        }
    }

    /// The queue's number of the next byte.
    #[inline(always)]
    fn position(&self) -> usize {
        self.origin.wrapping_add(self.at)
    }
}

/// Where an unfinished group began.
struct Mark {
    tail: Cursor,
    values: usize,
}

/// The sending end. Dropping it drops an unfinished group of bytes and values and finishes the
/// queue.
pub(crate) struct Writer<T> {
    shared: Arc<CacheLine<Shared<T>>>,
    tail: Cursor,
    /// `None` while no group is unfinished.
    mark: Option<Mark>,
    /// How many bytes were written in finished groups, and how many published.
    complete: usize,
    published: usize,
    /// Values that are not published.
    values: Vec<T>,
    /// How many values were written and not taken back, and how many of them the reader was last known
    /// to have taken. They wrap.
    pushed: u32,
    taken: u32,
    /// How many bytes were published when the reader was last found asleep, and the most that were
    /// between two such times while this chunk was being filled; 0 if it did not sleep.
    woken: usize,
    burst: usize,
    finished: bool,
}

/// The receiving end.
pub(crate) struct Reader<T> {
    shared: Arc<CacheLine<Shared<T>>>,
    head: Cursor,
    /// How far the chunk at the head can be read.
    limit: usize,
    /// The last word seen, without its `ASLEEP`.
    seen: usize,
    /// Values fetched from the writer, and how many were taken.
    values: VecDeque<T>,
    taken: usize,
    /// Chunks that were read and may still be looked at (Y6), oldest first.
    used: VecDeque<Arc<Chunk>>,
}

/// A new queue.
pub(crate) fn ypipe<T>() -> (Writer<T>, Reader<T>) {
    let shared = Arc::new(CacheLine(Shared {
        word: AtomicUsize::new(0),
        depot: Mutex::new(Depot {
            values: Vec::new(),
            spares: Spares::new(),
        }),
        taken: Count::new(0),
    }));
    let chunk = Arc::new(Chunk::new(FIRST_CHUNK));
    let writer = Writer {
        shared: shared.clone(),
        tail: Cursor {
            chunk: chunk.clone(),
            at: 0,
            origin: 0,
        },
        mark: None,
        complete: 0,
        published: 0,
        values: Vec::new(),
        pushed: 0,
        taken: 0,
        woken: 0,
        burst: 0,
        finished: false,
    };
    let reader = Reader {
        shared,
        head: Cursor {
            chunk,
            at: 0,
            origin: 0,
        },
        limit: 0,
        seen: 0,
        values: VecDeque::new(),
        taken: 0,
        used: VecDeque::new(),
    };
    (writer, reader)
}

impl<T> Writer<T> {
    /// Adds `len` bytes, which the caller fills in; they never lie in two chunks. `complete` says
    /// whether they end a group. Only whole groups are published.
    #[inline(always)]
    pub(crate) fn append(&mut self, len: usize, complete: bool) -> &mut [u8] {
        if !complete && self.mark.is_none() {
            self.begin_group();
        }
        if self.tail.chunk.bytes.len() - self.tail.at < len {
            self.next_chunk(len);
        }
        let at = self.tail.at;
        self.tail.at += len;
        if complete {
            self.complete = self.tail.position();
            if self.mark.is_some() {
                self.mark = None;
            }
        }
        // SAFETY: Y3, Y5 — behind the old tail, so not published; the result borrows `self`.
        unsafe { self.tail.chunk.bytes_mut(at, len) }
    }

    /// Adds a value, and the byte `marker` that stands for it.
    pub(crate) fn push(&mut self, marker: u8, value: T, complete: bool) {
        self.append(1, complete)[0] = marker;
        if self.values.capacity() == 0 {
            // Often there is one value, who the peer is, and never another.
            self.values.reserve_exact(1);
        }
        self.values.push(value);
        self.pushed = self.pushed.wrapping_add(1);
    }

    /// How many of the values written the reader has not taken, as far as it has
    /// [told](Reader::tell_taken): as last known if that is at most `enough`, or else as of now.
    pub(crate) fn lead(&mut self, enough: usize) -> usize {
        if self.known_lead() > enough {
            // Relaxed: see there.
            self.taken = self.shared.taken.load(Ordering::Relaxed) as u32;
        }
        self.known_lead()
    }

    fn known_lead(&self) -> usize {
        self.pushed.wrapping_sub(self.taken) as usize
    }

    /// Gives back the room for values that are published.
    pub(crate) fn shrink(&mut self) {
        self.values.shrink_to_fit();
    }

    #[cold]
    fn begin_group(&mut self) {
        self.mark = Some(Mark {
            tail: Cursor {
                chunk: self.tail.chunk.clone(),
                ..self.tail
            },
            values: self.values.len(),
        });
    }

    /// Moves the tail to a chunk with room for `len` bytes: a recycled one or a new one.
    #[cold]
    fn next_chunk(&mut self, len: usize) {
        let present = self.tail.chunk.bytes.len();
        let wanted = match std::mem::take(&mut self.burst) {
            0 => present * 2,
            burst => burst.clamp(present / 2, present).next_power_of_two(),
        };
        let wanted = wanted.clamp(SMALL_CHUNK, LAST_CHUNK).max(len);
        let chunk = self
            .spare(wanted)
            .unwrap_or_else(|| Arc::new(Chunk::new(wanted)));
        // Relaxed: Y4, published with the bytes of the new chunk.
        self.tail.chunk.end.store(self.tail.at, Ordering::Relaxed);
        self.tail.chunk.next.set(chunk.clone());
        self.tail = self.tail.followed_by(chunk);
    }

    /// A used chunk of about this size; those of other sizes are freed.
    fn spare(&self, wanted: usize) -> Option<Arc<Chunk>> {
        let mut depot = self.shared.depot.lock();
        while let Some(spare) = depot.spares.pop() {
            if (wanted..=2 * wanted).contains(&spare.bytes.len()) {
                return Some(spare);
            }
        }
        None
    }

    /// Drops the unfinished group; true if there was one.
    pub(crate) fn rollback(&mut self) -> bool {
        let Some(mark) = self.mark.take() else {
            return false;
        };
        let taken_back = self.values.len() - mark.values;
        self.pushed = self.pushed.wrapping_sub(taken_back as u32);
        self.values.truncate(mark.values);
        if Arc::ptr_eq(&mark.tail.chunk, &self.tail.chunk) {
            self.tail = mark.tail;
        } else {
            // The chain is behind what is published: Y4 holds for the next group too, as it goes
            // on in the last chunk, and nobody stops in those between.
            self.tail.at = 0;
            self.tail.origin = self.complete;
            self.cut(&mark.tail);
        }
        true
    }

    /// Makes the chunk at `from` end there, and those behind it, up to the tail, be empty.
    fn cut(&self, from: &Cursor) {
        from.chunk.end.store(from.at, Ordering::Relaxed);
        let mut chunk = from.chunk.next();
        while let Some(between) = chunk.filter(|chunk| !Arc::ptr_eq(chunk, &self.tail.chunk)) {
            between.end.store(0, Ordering::Relaxed);
            chunk = between.next();
        }
    }

    /// Whether there are finished groups that are not published.
    #[inline(always)]
    pub(crate) fn has_unpublished(&self) -> bool {
        self.complete != self.published
    }

    /// Publishes all finished groups. True if the reader sleeps: the caller must have it woken.
    #[must_use]
    #[inline(always)]
    pub(crate) fn flush(&mut self) -> bool {
        if self.complete == self.published {
            return false;
        }
        self.publish(0)
    }

    /// Drops an unfinished group, publishes the rest and ends the queue. True as for `flush`.
    #[must_use]
    pub(crate) fn finish(&mut self) -> bool {
        self.rollback();
        if self.finished {
            return false;
        }
        self.finished = true;
        self.publish(FINISHED)
    }

    #[inline(always)]
    fn publish(&mut self, flag: usize) -> bool {
        if !self.values.is_empty() {
            self.publish_values();
        }
        let before = std::mem::replace(&mut self.published, self.complete);
        let word = self.published.wrapping_mul(ONE) | flag;
        // Release for Y3: partner of the loads in `Reader::find_bytes` and `Reader::sleep`. Acquire,
        // so that whoever we wake has its past before ours.
        let asleep = self.shared.word.swap(word, Ordering::AcqRel) & ASLEEP != 0;
        if asleep {
            let burst = before.wrapping_sub(std::mem::replace(&mut self.woken, before));
            self.burst = self.burst.max(burst);
        }
        asleep
    }

    /// Hands over the values of finished groups (Y4).
    fn publish_values(&mut self) {
        let complete = self.mark.as_ref().map_or(self.values.len(), |m| m.values);
        let mut depot = self.shared.depot.lock();
        if depot.values.capacity() == 0 {
            depot.values.reserve_exact(complete);
        }
        depot.values.extend(self.values.drain(..complete));
        drop(depot);
        if let Some(mark) = &mut self.mark {
            mark.values = 0;
        }
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

impl<T> Reader<T> {
    /// The bytes that can be read in one piece: at least one group's, as far as they lie in one
    /// chunk.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> Pop<&[u8]> {
        if self.head.at == self.limit && !self.find_bytes() {
            return if self.seen & FINISHED != 0 {
                Pop::Finished
            } else {
                Pop::Empty
            };
        }
        let len = self.limit - self.head.at;
        // SAFETY: Y3, Y6 — published, and held by our head.
        Pop::Item(unsafe { self.head.chunk.bytes(self.head.at, len) })
    }

    /// Moves over `len` bytes, which [`Reader::peek`] has shown.
    #[inline(always)]
    pub(crate) fn consume(&mut self, len: usize) {
        debug_assert!(
            len <= self.limit - self.head.at,
            "Y3: only published bytes are read"
        );
        self.head.at += len;
    }

    /// The next `len` bytes, which [`Reader::peek`] has shown, without a copy. They keep their
    /// chunk alive.
    pub(crate) fn share(&self, len: usize) -> Bytes {
        debug_assert!(
            len <= self.limit - self.head.at,
            "Y3: only published bytes are read"
        );
        Bytes::from_owner(Run {
            chunk: self.head.chunk.clone(),
            at: self.head.at,
            len,
        })
    }

    /// Takes the value that the marker just consumed stands for.
    #[inline]
    pub(crate) fn take_value(&mut self) -> Option<T> {
        if self.values.is_empty() {
            // Their memory goes to and fro.
            let room = Vec::from(std::mem::take(&mut self.values));
            let fetched = std::mem::replace(&mut self.shared.depot.lock().values, room);
            self.values = fetched.into();
        }
        let value = self.values.pop_front()?;
        self.taken = self.taken.wrapping_add(1);
        Some(value)
    }

    /// Lets the writer know how many values were taken, see [`Writer::lead`].
    pub(crate) fn tell_taken(&self) {
        // Relaxed: a count, and nothing is read on the strength of it.
        self.shared.taken.store(self.taken, Ordering::Relaxed);
    }

    /// Gives back the room for values that were taken.
    pub(crate) fn shrink(&mut self) {
        self.values.shrink_to_fit();
    }

    #[inline]
    fn unread_seen(&self) -> usize {
        (self.seen / ONE).wrapping_sub(self.head.position()) & (usize::MAX / ONE)
    }

    /// Looks whether more can be read than up to the limit: behind it, as far as is known to be
    /// published, and else as far as is published by now.
    #[inline(never)]
    fn find_bytes(&mut self) -> bool {
        if self.unread_seen() == 0 {
            // Acquire for Y3: partner of the swap in `Writer::publish`.
            self.seen = self.shared.word.load(Ordering::Acquire) & !ASLEEP;
        }
        let unread = self.unread_seen();
        if unread == 0 {
            return false;
        }
        loop {
            // Relaxed: Y4. Where the end is not published yet, neither is anything behind it.
            let end = self.head.chunk.end.load(Ordering::Relaxed);
            let len = unread.min(end - self.head.at);
            if len > 0 {
                self.limit = self.head.at + len;
                return true;
            }
            self.next_chunk();
        }
    }

    #[cold]
    fn next_chunk(&mut self) {
        let next = self
            .head
            .chunk
            .next()
            .expect("Y4: published chunks are linked");
        let next = self.head.followed_by(next);
        let used = std::mem::replace(&mut self.head, next);
        self.limit = 0;
        if self.used.len() == USED_MAX {
            self.used.pop_front();
        }
        self.used.push_back(used.chunk);
        self.recycle();
    }

    /// Gives chunks back that nobody looks at any more: the writer may still hold one as the start
    /// of an unfinished group, or somebody a run of its bytes.
    fn recycle(&mut self) {
        while let Some(chunk) = self.used.front_mut().and_then(Arc::get_mut) {
            chunk.next.take();
            chunk.end = AtomicUsize::new(OPEN);
            if let Some(chunk) = self.used.pop_front() {
                self.shared.depot.lock().spares.put(chunk);
            }
        }
    }

    /// Falls asleep if there is nothing to read: from now on the next flush asks for a wake-up.
    /// False if there is something, or the queue has ended.
    #[must_use]
    pub(crate) fn sleep(&mut self) -> bool {
        debug_assert!(
            self.unread_seen() == 0,
            "Y2: who sleeps has read everything seen"
        );
        let idle = self.seen;
        if idle & FINISHED != 0 {
            return false;
        }
        // Failure acquires as in `find_bytes`; success releases what the writer's swap acquires.
        match self.shared.word.compare_exchange(
            idle,
            idle | ASLEEP,
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            Ok(_) => true,
            Err(word) => {
                self.seen = word & !ASLEEP;
                word & ASLEEP != 0
            }
        }
    }

    /// How many bytes were read so far.
    pub(crate) fn position(&self) -> usize {
        self.head.position() & (usize::MAX / ONE)
    }

    /// Where [`Reader::position`] will be when all that is published now has been read.
    pub(crate) fn published(&self) -> usize {
        self.shared.word.load(Ordering::Relaxed) / ONE
    }
}

/// Published bytes that somebody keeps.
struct Run {
    chunk: Arc<Chunk>,
    at: usize,
    len: usize,
}

impl AsRef<[u8]> for Run {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: Y3 — `Reader::share` was asked for published bytes; Y6 — `self` holds the chunk.
        unsafe { self.chunk.bytes(self.at, self.len) }
    }
}

impl<T> std::fmt::Debug for Writer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("written", &self.tail.position())
            .field("complete", &self.complete)
            .field("published", &self.published)
            .finish_non_exhaustive()
    }
}

impl<T> std::fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("read", &self.head.position())
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
