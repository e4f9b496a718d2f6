//! The one place that chooses between the real synchronisation primitives and loom's.
//!
//! Everything that loom checks (`ypipe`, `pipe`, `mailbox`) takes its atomics, locks and cells
//! from here; nothing else in the crate knows that loom exists.

#[cfg(not(loom))]
pub(crate) use self::real::*;
#[cfg(loom)]
pub(crate) use self::under_loom::*;

/// A number that nothing else is read on the strength of. Loom is not told of it, whose atomics cannot
/// be static.
pub(crate) use std::sync::atomic::AtomicUsize as Count;

/// Something that is alone on its cache line, so that no other thread's writes slow its users
/// down.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct CacheLine<T>(pub T);

impl<T> std::ops::Deref for CacheLine<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(not(loom))]
mod real {
    use std::sync::OnceLock;

    pub(crate) use crossbeam_queue::SegQueue as Queue;
    pub(crate) use parking_lot::Mutex;
    pub(crate) use std::sync::Arc;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};

    /// Tells loom of accesses to shared memory; without loom it is nothing.
    #[derive(Debug)]
    pub(crate) struct Watch;

    impl Watch {
        pub(crate) fn new(_len: usize) -> Self {
            Self
        }

        /// Bytes are read.
        pub(crate) fn read(&self, _at: usize, _len: usize) {}

        /// Bytes are written.
        pub(crate) fn write(&self, _at: usize, _len: usize) {}
    }

    /// A value that is set at most once and then only read.
    #[derive(Debug)]
    pub(crate) struct SetOnce<T>(OnceLock<T>);

    impl<T> SetOnce<T> {
        pub(crate) fn new() -> Self {
            Self(OnceLock::new())
        }

        /// Sets the value; a second call changes nothing.
        pub(crate) fn set(&self, value: T) {
            let _ = self.0.set(value);
        }

        /// Runs `f` with the value, if it has been set.
        pub(crate) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
            self.0.get().map(f)
        }

        /// Takes the value out, so that another can be set.
        pub(crate) fn take(&mut self) -> Option<T> {
            self.0.take()
        }
    }
}

#[cfg(loom)]
mod under_loom {
    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};

    /// A cell for each byte of some shared memory, which loom sees being accessed.
    #[derive(Debug)]
    pub(crate) struct Watch(Box<[loom::cell::UnsafeCell<()>]>);

    impl Watch {
        pub(crate) fn new(len: usize) -> Self {
            Self((0..len).map(|_| loom::cell::UnsafeCell::new(())).collect())
        }

        pub(crate) fn read(&self, at: usize, len: usize) {
            for cell in &self.0[at..at + len] {
                cell.with(|_| ());
            }
        }

        pub(crate) fn write(&self, at: usize, len: usize) {
            for cell in &self.0[at..at + len] {
                cell.with_mut(|_| ());
            }
        }
    }

    /// loom's mutex with parking_lot's interface.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0
                .lock()
                .expect("loom threads do not panic while they hold a lock")
        }
    }

    /// The loom form of a once cell: a lock, so that loom sees the synchronisation.
    #[derive(Debug)]
    pub(crate) struct SetOnce<T>(Mutex<Option<T>>);

    impl<T> SetOnce<T> {
        pub(crate) fn new() -> Self {
            Self(Mutex::new(None))
        }

        pub(crate) fn set(&self, value: T) {
            self.0.lock().get_or_insert(value);
        }

        pub(crate) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
            self.0.lock().as_ref().map(f)
        }

        pub(crate) fn take(&mut self) -> Option<T> {
            self.0.lock().take()
        }
    }

    /// An unbounded queue for many threads; loom does not know crossbeam's.
    #[derive(Debug)]
    pub(crate) struct Queue<T>(Mutex<std::collections::VecDeque<T>>);

    impl<T> Queue<T> {
        pub(crate) fn new() -> Self {
            Self(Mutex::new(std::collections::VecDeque::new()))
        }

        pub(crate) fn push(&self, value: T) {
            self.0.lock().push_back(value);
        }

        pub(crate) fn pop(&self) -> Option<T> {
            self.0.lock().pop_front()
        }
    }
}
