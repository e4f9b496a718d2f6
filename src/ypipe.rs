//! [`Writer`] and [`Reader`]: the two ends of a lock-free queue between two threads.
//!
//! Values lie in a chain of chunks. The writer fills slots privately and publishes them with
//! [`Writer::flush`], one atomic swap for any number of values; the reader takes everything that
//! was published with one load and then works on private memory. A reader that finds nothing may
//! [`sleep`](Reader::sleep); the next flush tells its caller that somebody must be woken, and
//! that is the only news that ever has to cross. This file knows neither messages nor threads.
//!
//! # The word
//!
//! Both ends share one word: `published << 2 | FINISHED | ASLEEP`.
//!
//! * **Y1** Only the writer changes `published` and sets `FINISHED`; it does so by `swap`, which
//!   clears `ASLEEP`.
//! * **Y2** Only the reader sets `ASLEEP`, by `compare_exchange` from a word that shows nothing
//!   new. Both are read-modify-writes of one word, so either the reader sees the new values, or
//!   the writer sees that the reader sleeps.
//!
//! # The slots
//!
//! * **Y3** Slot number n of the queue is written by the writer while `published <= n`, and
//!   touched by the reader only once it has read a word with `published > n`. The `swap` releases
//!   what the reader's load acquires.
//! * **Y4** The link to the next chunk is set before a value in that chunk is published, so the
//!   reader that needs the link finds it.
//! * **Y5** There is one `Writer` and one `Reader` (neither can be cloned or shared), so each side
//!   of Y3 is one thread at a time.

use crossbeam_utils::CachePadded;

use crate::sync::{Arc, AtomicUsize, Mutex, Ordering, SetOnce, UnsafeCell};

const ASLEEP: usize = 1;
const FINISHED: usize = 2;
const FLAGS: usize = ASLEEP | FINISHED;
const ONE: usize = 4;

/// The first chunk is small, so that ten thousand idle connections stay cheap; each further chunk
/// is twice as large, up to `LAST_CHUNK`.
const FIRST_CHUNK: usize = if cfg!(loom) { 1 } else { 4 };
const LAST_CHUNK: usize = if cfg!(loom) { 2 } else { 128 };

/// What a [`Reader`] found.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Pop<T> {
    /// The next value.
    Item(T),
    /// Nothing now.
    Empty,
    /// Nothing now, and nothing will come.
    Finished,
}

struct Chunk<T> {
    slots: Box<[UnsafeCell<Option<T>>]>,
    next: SetOnce<Arc<Self>>,
}

// SAFETY: Y3, Y5 — a slot is accessed by one thread at a time, and hand-over is by release and
// acquire; values of T move between threads, which T: Send allows.
unsafe impl<T: Send> Send for Chunk<T> {}
// SAFETY: Y3, Y5 — as above; no two threads ever hold a reference to the same slot.
unsafe impl<T: Send> Sync for Chunk<T> {}

impl<T> Chunk<T> {
    fn new(len: usize) -> Self {
        let slots = (0..len).map(|_| UnsafeCell::new(None)).collect();
        Self {
            slots,
            next: SetOnce::new(),
        }
    }

    fn put(&self, at: usize, value: Option<T>) {
        // SAFETY: Y3, Y5 — called by the writer alone, on a slot that is not published.
        self.slots[at].with_mut(|slot| unsafe { *slot = value });
    }

    fn take(&self, at: usize) -> Option<T> {
        // SAFETY: Y3, Y5 — called by the reader alone, on a slot that is published.
        self.slots[at].with_mut(|slot| unsafe { (*slot).take() })
    }

    fn next(&self) -> Option<Arc<Self>> {
        self.next.with(Arc::clone)
    }
}

impl<T> Drop for Chunk<T> {
    /// Frees the chain behind this chunk in a loop: recursion would be as deep as the queue long.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut chunk) = next {
            next = Arc::get_mut(&mut chunk).and_then(|chunk| chunk.next.take());
        }
    }
}

struct Shared<T> {
    word: CachePadded<AtomicUsize>,
    /// A used chunk on its way back to the writer.
    spare: Mutex<Option<Arc<Chunk<T>>>>,
}

/// A place in the chain.
struct Cursor<T> {
    chunk: Arc<Chunk<T>>,
    at: usize,
}

impl<T> Clone for Cursor<T> {
    fn clone(&self) -> Self {
        Self {
            chunk: self.chunk.clone(),
            at: self.at,
        }
    }
}

/// The sending end. Dropping it drops an unfinished group of values and finishes the queue.
pub(crate) struct Writer<T> {
    shared: Arc<Shared<T>>,
    tail: Cursor<T>,
    /// Where the unfinished group began; `None` while there is none.
    mark: Option<Cursor<T>>,
    /// How many values of finished groups were written, and how many of them are published.
    complete: usize,
    published: usize,
    /// Values of the unfinished group.
    unfinished: usize,
    finished: bool,
}

/// The receiving end.
pub(crate) struct Reader<T> {
    shared: Arc<Shared<T>>,
    head: Cursor<T>,
    read: usize,
    /// The last word seen, without its `ASLEEP`.
    seen: usize,
}

/// A new queue.
pub(crate) fn ypipe<T>() -> (Writer<T>, Reader<T>) {
    let shared = Arc::new(Shared {
        word: CachePadded::new(AtomicUsize::new(0)),
        spare: Mutex::new(None),
    });
    let head = Cursor {
        chunk: Arc::new(Chunk::new(FIRST_CHUNK)),
        at: 0,
    };
    let writer = Writer {
        shared: shared.clone(),
        tail: head.clone(),
        mark: None,
        complete: 0,
        published: 0,
        unfinished: 0,
        finished: false,
    };
    (
        writer,
        Reader {
            shared,
            head,
            read: 0,
            seen: 0,
        },
    )
}

impl<T> Writer<T> {
    /// Writes a value; `complete` says whether it ends a group. Only whole groups are published.
    pub(crate) fn push(&mut self, value: T, complete: bool) {
        if !complete && self.mark.is_none() {
            self.mark = Some(self.tail.clone());
        }
        if self.tail.at == self.tail.chunk.slots.len() {
            self.tail = Cursor {
                chunk: self.next_chunk(),
                at: 0,
            };
        }
        self.tail.chunk.put(self.tail.at, Some(value));
        self.tail.at += 1;
        self.unfinished += 1;
        if complete {
            self.complete += self.unfinished;
            self.unfinished = 0;
            self.mark = None;
        }
    }

    /// The chunk behind the tail: one left over by a rollback, a recycled one, or a new one.
    fn next_chunk(&self) -> Arc<Chunk<T>> {
        if let Some(chunk) = self.tail.chunk.next() {
            return chunk;
        }
        // A spare of this size means that the reader keeps up; none, that the queue should grow.
        let len = self.tail.chunk.slots.len();
        let spare = self
            .shared
            .spare
            .lock()
            .take()
            .filter(|spare| spare.slots.len() >= len);
        let chunk = spare.unwrap_or_else(|| Arc::new(Chunk::new((len * 2).min(LAST_CHUNK))));
        self.tail.chunk.next.set(chunk.clone());
        chunk
    }

    /// Drops the values of the unfinished group; true if there were any.
    pub(crate) fn rollback(&mut self) -> bool {
        let Some(mark) = self.mark.take() else {
            return false;
        };
        let mut cursor = mark.clone();
        for _ in 0..self.unfinished {
            if cursor.at == cursor.chunk.slots.len() {
                let chunk = cursor.chunk.next().expect("Y4: written slots are linked");
                cursor = Cursor { chunk, at: 0 };
            }
            cursor.chunk.put(cursor.at, None);
            cursor.at += 1;
        }
        self.unfinished = 0;
        self.tail = mark;
        true
    }

    /// Publishes all finished groups. True if the reader sleeps: the caller must have it woken.
    #[must_use]
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

    fn publish(&mut self, flag: usize) -> bool {
        self.published = self.complete;
        let word = self.published.wrapping_mul(ONE) | flag;
        // Release for Y3: partner of the loads in `Reader::refresh` and `Reader::sleep`. Acquire,
        // so that whoever we wake has its past before ours.
        self.shared.word.swap(word, Ordering::AcqRel) & ASLEEP != 0
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

impl<T> Reader<T> {
    /// Takes the next value.
    pub(crate) fn pop(&mut self) -> Pop<T> {
        if !self.has_items() && !self.refresh() {
            return if self.seen & FINISHED != 0 {
                Pop::Finished
            } else {
                Pop::Empty
            };
        }
        if self.head.at == self.head.chunk.slots.len() {
            self.next_chunk();
        }
        let value = self.head.chunk.take(self.head.at);
        self.head.at += 1;
        self.read = self.read.wrapping_add(1);
        Pop::Item(value.expect("Y3: a published slot is filled"))
    }

    fn has_items(&self) -> bool {
        self.read.wrapping_mul(ONE) != self.seen & !FLAGS
    }

    /// Looks at the word again; true if there is a value now.
    fn refresh(&mut self) -> bool {
        // Acquire for Y3: partner of the swap in `Writer::publish`.
        self.seen = self.shared.word.load(Ordering::Acquire) & !ASLEEP;
        self.has_items()
    }

    fn next_chunk(&mut self) {
        let next = self
            .head
            .chunk
            .next()
            .expect("Y4: published slots are linked");
        let mut used = std::mem::replace(&mut self.head, Cursor { chunk: next, at: 0 }).chunk;
        // The writer may still hold the chunk as the start of an unfinished group: let it go then.
        if let Some(chunk) = Arc::get_mut(&mut used) {
            chunk.next.take();
            *self.shared.spare.lock() = Some(used);
        }
    }

    /// Falls asleep if there is nothing to read: from now on the next flush asks for a wake-up.
    /// False if there is something, or the queue has ended.
    #[must_use]
    pub(crate) fn sleep(&mut self) -> bool {
        debug_assert!(!self.has_items(), "Y2: who sleeps has read everything seen");
        let idle = self.seen;
        if idle & FINISHED != 0 {
            return false;
        }
        // Failure acquires as in `refresh`; success releases what the writer's swap acquires.
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

    /// How many published values have not been read.
    pub(crate) fn len(&self) -> usize {
        let published = self.shared.word.load(Ordering::Relaxed) / ONE;
        published.wrapping_sub(self.read) & (usize::MAX / ONE)
    }
}

impl<T> std::fmt::Debug for Writer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("complete", &self.complete)
            .field("published", &self.published)
            .field("unfinished", &self.unfinished)
            .finish_non_exhaustive()
    }
}

impl<T> std::fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
