//! [`Own`] and [`Memory`]: the memory of bodies that were copied, which is used again for the next.
//!
//! A small body is its message's own: it is copied once more rather than shared, so that nobody need
//! ask who else has it. A large one is shared by reference count.
//!
//! A body is mostly dropped by another thread than the one that made it, and to the allocator that
//! is the dearest way: it takes locks, and gives large pieces back to the system, which then costs
//! a fault for each page. So what nobody has any more is kept for the next body: one small one by the
//! thread that dropped it, those that are worth a lock by the process, where they come from and go to
//! several at once, by way of a [`Shelf`] of each thread's. All of that is bounded.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::thread::LocalKey;

use parking_lot::Mutex;

use super::copy_short;

/// Memory that is larger than this is not kept.
const LARGE: usize = 1024 * 1024;
/// A message's own memory up to this size is not kept for other threads: the allocator is quick enough.
const SMALL: usize = 1024;
/// How much of either kind is kept for all threads.
const POOL_MAX: usize = 32 * 1024 * 1024;
/// How much of either kind is on a thread's shelf, and how large a piece may be to go there: copying a
/// larger one takes far longer than a lock.
const SHELF_MAX: usize = 64 * 1024;
const SHELVED_MAX: usize = 8 * 1024;
/// Among how many of the last that were kept one of the right size is looked for.
const POOL_LOOKS: usize = 32;

thread_local! {
    /// The last small memory that this thread dropped.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static OWN_SHELF: Cell<Shelf<Vec<u8>>> = const { Cell::new(Shelf::new()) };
    static SHELF: Cell<Shelf<Arc<[u8]>>> = const { Cell::new(Shelf::new()) };
}

static OWN_POOL: Mutex<Pool<Vec<u8>>> = Mutex::new(Pool::new());
static POOL: Mutex<Pool<Arc<[u8]>>> = Mutex::new(Pool::new());

/// Memory that one message has for itself.
pub(super) struct Own(Vec<u8>);

impl Own {
    /// A body that has this for itself may be up to four times smaller than its memory.
    const WASTE: usize = 4;

    /// None yet.
    #[inline]
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// `len` bytes, whatever they are: another message's perhaps, so they must be overwritten.
    pub(super) fn any(len: usize) -> Self {
        let mut own = Self::new();
        own.resize(len);
        own
    }

    /// A copy of `body` in the place of what was here.
    #[inline]
    pub(super) fn refill(&mut self, body: &[u8]) {
        self.resize(body.len());
        copy_short(&mut self.0, body);
    }

    /// Makes it `len` bytes long, in other memory if this is too small or far too large.
    #[inline]
    fn resize(&mut self, len: usize) {
        if self.0.capacity() == 0 {
            // Without thread-locals, in a destructor of one, there is none to be had.
            let _ = SPARE.try_with(|spare| self.0 = spare.take());
        }
        if !Self::fits(len)(self.0.capacity()) {
            self.replace(len);
        } else if self.0.len() != len {
            self.0.resize(len, 0);
        }
    }

    /// Whether a body of `len` bytes may have memory of a size: it is neither too small nor far too large.
    #[inline]
    fn fits(len: usize) -> impl Fn(usize) -> bool {
        move |size| size >= len && size / Self::WASTE <= len
    }

    #[cold]
    fn replace(&mut self, len: usize) {
        let used = (len > SMALL).then(|| used(len, Self::fits(len)));
        self.0 = used.flatten().unwrap_or_default();
        self.0.resize(len, 0);
    }

    /// The bytes, as a vector that may grow.
    #[cfg(feature = "protocols")]
    #[inline]
    pub(super) fn as_mut_vec(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// The memory, as a vector.
    pub(super) fn into_vec(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

impl Clone for Own {
    fn clone(&self) -> Self {
        let mut copy = Self::new();
        copy.refill(self);
        copy
    }
}

impl Deref for Own {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Own {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.0);
        // Without thread-locals, in a destructor of one, it is freed.
        let former = SPARE.try_with(|spare| spare.replace(memory));
        if former
            .as_ref()
            .is_ok_and(|former| former.capacity() > SMALL)
        {
            keep(former.unwrap_or_default());
        }
    }
}

/// Keeps memory for other bodies.
#[cold]
fn keep<M: Piece>(memory: M) {
    if memory.size() > SHELVED_MAX {
        return M::pool().lock().put(memory);
    }
    // Without thread-locals, in a destructor of one, it is freed.
    let _ = M::shelf().try_with(|cell| {
        let mut shelf = cell.take();
        shelf.put(memory);
        cell.set(shelf);
    });
}

/// Memory that was kept, for a body of `len` bytes.
fn used<M: Piece>(len: usize, fits: impl Fn(usize) -> bool) -> Option<M> {
    if len > SHELVED_MAX {
        return M::pool().lock().take(fits);
    }
    let on_shelf = M::shelf().try_with(|cell| {
        let mut shelf = cell.take();
        let memory = shelf.take(fits);
        cell.set(shelf);
        memory
    });
    on_shelf.unwrap_or_default()
}

/// What is kept.
trait Piece: Sized + 'static {
    /// How many bytes a body in it may have.
    fn size(&self) -> usize;

    /// Where it is kept for all threads.
    fn pool() -> &'static Mutex<Pool<Self>>;

    /// Where this thread keeps it.
    fn shelf() -> &'static LocalKey<Cell<Shelf<Self>>>;
}

impl Piece for Arc<[u8]> {
    fn size(&self) -> usize {
        self.len()
    }

    fn pool() -> &'static Mutex<Pool<Self>> {
        &POOL
    }

    fn shelf() -> &'static LocalKey<Cell<Shelf<Self>>> {
        &SHELF
    }
}

impl Piece for Vec<u8> {
    fn size(&self) -> usize {
        self.capacity()
    }

    fn pool() -> &'static Mutex<Pool<Self>> {
        &OWN_POOL
    }

    fn shelf() -> &'static LocalKey<Cell<Shelf<Self>>> {
        &OWN_SHELF
    }
}

/// Memory on its way between one thread and the pool. A thread that only drops bodies takes the lock
/// once for several, and so does one that only makes them; one that does both takes none.
struct Shelf<M> {
    kept: Vec<M>,
    bytes: usize,
}

impl<M> Shelf<M> {
    const fn new() -> Self {
        Self {
            kept: Vec::new(),
            bytes: 0,
        }
    }
}

impl<M> Default for Shelf<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Piece> Shelf<M> {
    /// What was put here last and fits, or else what the pool has.
    fn take(&mut self, fits: impl Fn(usize) -> bool) -> Option<M> {
        let found = self.kept.iter().rposition(|memory| fits(memory.size()));
        let memory = match found {
            Some(place) => self.kept.swap_remove(place),
            None => self.fetch(fits)?,
        };
        self.bytes -= memory.size();
        Some(memory)
    }

    /// Takes several from the pool, and returns one that is still counted.
    #[cold]
    fn fetch(&mut self, fits: impl Fn(usize) -> bool) -> Option<M> {
        self.clear();
        let mut pool = M::pool().lock();
        while self.bytes < SHELF_MAX / 2 {
            let Some(memory) = pool.take(&fits) else {
                break;
            };
            self.bytes += memory.size();
            self.kept.push(memory);
        }
        self.kept.pop()
    }

    fn put(&mut self, memory: M) {
        self.bytes += memory.size();
        self.kept.push(memory);
        if self.bytes > SHELF_MAX {
            self.clear();
        }
    }

    /// Gives all to the pool.
    #[cold]
    fn clear(&mut self) {
        if !self.kept.is_empty() {
            let mut pool = M::pool().lock();
            self.kept.drain(..).for_each(|memory| pool.put(memory));
            self.bytes = 0;
        }
    }
}

/// Memory for all threads, that which was kept last at the end.
struct Pool<M> {
    kept: VecDeque<M>,
    bytes: usize,
}

impl<M: Piece> Pool<M> {
    const fn new() -> Self {
        Self {
            kept: VecDeque::new(),
            bytes: 0,
        }
    }

    fn take(&mut self, fits: impl Fn(usize) -> bool) -> Option<M> {
        let mut last = self.kept.iter().rev().take(POOL_LOOKS);
        let behind = last.position(|memory| fits(memory.size()))?;
        let memory = self.kept.swap_remove_back(self.kept.len() - 1 - behind)?;
        self.bytes -= memory.size();
        Some(memory)
    }

    fn put(&mut self, memory: M) {
        self.bytes += memory.size();
        self.kept.push_back(memory);
        while self.bytes > POOL_MAX {
            self.bytes -= self.kept.pop_front().map_or(0, |oldest| oldest.size());
        }
    }
}

/// Shared memory of a fixed size, writable while nobody else has it.
#[derive(Clone)]
pub(super) struct Memory(
    /// `None` only while it is dropped.
    Option<Arc<[u8]>>,
);

impl Memory {
    /// A copy of `body`.
    pub(super) fn copied(body: &[u8]) -> Self {
        match Self::used(body.len()) {
            Some(mut memory) => {
                memory.fill_with(|bytes| bytes.copy_from_slice(body));
                memory
            }
            None => Self(Some(Arc::from(body))),
        }
    }

    /// `len` bytes, whatever they are: other messages' perhaps, so they must be overwritten.
    pub(super) fn any(len: usize) -> Self {
        Self::used(len).unwrap_or_else(|| Self::new(len))
    }

    fn new(len: usize) -> Self {
        Self(Some(std::iter::repeat_n(0, len).collect()))
    }

    /// Memory of this size that was kept.
    fn used(len: usize) -> Option<Self> {
        if len > LARGE {
            return None;
        }
        let used = used(len, |size| size == len);
        used.map(|memory| Self(Some(memory)))
    }

    fn fill_with(&mut self, fill: impl FnOnce(&mut [u8])) {
        if let Some(bytes) = self.get_mut() {
            fill(bytes);
        }
    }

    /// The bytes for writing, unless they are shared.
    pub(super) fn get_mut(&mut self) -> Option<&mut [u8]> {
        self.0.as_mut().and_then(Arc::get_mut)
    }

    pub(super) fn is_shared(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|own| Arc::strong_count(own) > 1)
    }
}

impl Deref for Memory {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.get_mut().is_none() {
            return;
        }
        if let Some(memory) = self.0.take() {
            if memory.len() <= LARGE {
                keep(memory);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_memory_is_used_again_by_the_next_that_it_fits() {
        let copied = |body: &[u8]| {
            let mut own = Own::new();
            own.refill(body);
            own
        };
        let first = copied(&[1; 100]);
        let place = first.as_ptr();
        drop(first);
        let mut second = copied(&[2; 25]);
        assert_eq!((second.as_ptr(), &*second), (place, &[2; 25][..]));
        second.refill(&[3; 99]);
        assert_eq!((second.as_ptr(), &*second), (place, &[3; 99][..]));
        drop(second);
        // Neither too small a memory, nor one that would be wasted.
        let third = copied(&[4; 104]);
        assert_eq!((&*third, third.0.capacity()), (&[4; 104][..], 104));
        drop(third);
        let fourth = copied(&[5; 25]);
        assert_eq!((&*fourth, fourth.0.capacity()), (&[5; 25][..], 25));
    }

    #[test]
    fn a_pool_has_own_memory_that_fits_and_is_not_wasted() {
        let mut pool = Pool::new();
        pool.put(Vec::with_capacity(2000));
        assert_eq!(pool.take(Own::fits(2001)), None);
        assert_eq!(pool.take(Own::fits(499)), None);
        let taken = pool.take(Own::fits(500));
        assert_eq!(taken.map(|memory| memory.capacity()), Some(2000));
        assert_eq!(pool.bytes, 0);
    }

    #[test]
    fn a_shelf_gives_to_the_pool_for_several_at_once() {
        // No other test has pieces of this size, and the pool is one.
        const LEN: usize = SHELVED_MAX - 7;
        let is_right = |size| size == LEN;
        let mut dropper = Shelf::new();
        let pieces = SHELF_MAX / LEN + 1;
        for n in 0..pieces {
            assert_eq!(dropper.kept.len(), n, "there is room");
            dropper.put(Vec::<u8>::with_capacity(LEN));
        }
        assert_eq!((dropper.kept.len(), dropper.bytes), (0, 0), "all went");
        let mut maker = Shelf::<Vec<u8>>::new();
        for n in 0..pieces {
            assert!(maker.take(is_right).is_some(), "{n} of {pieces}");
        }
        assert!(maker.take(is_right).is_none());
        assert_eq!((maker.kept.len(), maker.bytes), (0, 0));
    }

    #[test]
    fn a_shelf_lends_what_it_has_without_the_pool() {
        let mut shelf = Shelf::new();
        for len in [1500, 2500, 1501] {
            shelf.put(Vec::<u8>::with_capacity(len));
        }
        let mut take = |len: usize| {
            let memory = shelf.take(|size| size == len).unwrap();
            (memory.capacity(), shelf.bytes)
        };
        assert_eq!(take(2500), (2500, 3001));
        assert_eq!(take(1500), (1500, 1501));
        assert_eq!(take(1501), (1501, 0));
    }

    #[test]
    fn memory_that_is_shared_is_left_alone() {
        let first = Memory::copied(&[1; 100]);
        let other = first.clone();
        drop(first);
        let second = Memory::copied(&[2; 100]);
        assert_eq!((&*other, &*second), (&[1; 100][..], &[2; 100][..]));
    }

    #[test]
    fn the_pool_finds_the_right_size_and_is_bounded() {
        let mut pool: Pool<Arc<[u8]>> = Pool::new();
        assert_eq!(pool.take(|size| size == 10), None);
        for len in [10, 20, 10] {
            pool.put(Memory::new(len).0.take().unwrap());
        }
        assert_eq!(
            pool.take(|size| size == 20).map(|memory| memory.len()),
            Some(20)
        );
        assert_eq!(pool.take(|size| size == 20), None);
        assert_eq!((pool.bytes, pool.kept.len()), (20, 2));
        for _ in 0..2 * POOL_MAX / LARGE {
            pool.put(Memory::new(LARGE).0.take().unwrap());
        }
        assert_eq!((pool.bytes, pool.kept.len()), (POOL_MAX, POOL_MAX / LARGE));
        assert_eq!(pool.take(|size| size == 10), None);
    }
}
