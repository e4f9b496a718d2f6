//! [`Mailbox`]: commands from any thread to one owner.
//!
//! The owner looks with one load ([`Mailbox::is_pending`]), so that it can look before every
//! message. It is signalled only when it said that it sleeps, once per sleep. Besides, somebody
//! can watch: he is told whenever the first command comes after a drain, asleep or not. A closed
//! mailbox takes nothing: what is posted to it is dropped, and dropping is what ends the things in
//! it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::signaler::{NoSignal, Signal};
use crate::sync::{self, AtomicUsize, Mutex, Ordering};

/// Something was posted since the owner last drained.
const PENDING: usize = 1;
/// The owner waits for its signal.
const ASLEEP: usize = 2;
/// The owner is gone.
const CLOSED: usize = 4;
/// Somebody watches. Only the owner changes it.
const WATCHED: usize = 8;

/// A queue of commands `C` with one owner.
pub(crate) struct Mailbox<C> {
    state: AtomicUsize,
    queue: Queue<C>,
    signal: Mutex<Arc<dyn Signal>>,
    watch: Mutex<Option<Arc<dyn Signal>>>,
}

/// What commands wait in.
enum Queue<C> {
    /// For an owner to whom many threads post at once. It takes a kilobyte and more.
    Wide(Box<sync::Queue<C>>),
    /// For one of very many owners.
    Small(Mutex<VecDeque<C>>),
}

/// For how many commands a small queue keeps room that has been emptied: thousands of sockets that once
/// had much to hear must not keep what that took.
const ROOM: usize = 8;

impl<C> Queue<C> {
    fn push(&self, command: C) {
        match self {
            Self::Wide(queue) => queue.push(command),
            Self::Small(queue) => queue.lock().push_back(command),
        }
    }

    fn pop(&self) -> Option<C> {
        let mut queue = match self {
            Self::Wide(queue) => return queue.pop(),
            Self::Small(queue) => queue.lock(),
        };
        let command = queue.pop_front();
        if command.is_none() && queue.capacity() > ROOM {
            *queue = VecDeque::new();
        }
        command
    }
}

impl<C> Mailbox<C> {
    /// For an owner to whom many threads post at once, such as an I/O thread.
    pub(crate) fn new() -> Self {
        Self::with_queue(Queue::Wide(Box::new(sync::Queue::new())))
    }

    /// For one of very many owners, such as a socket: takes next to no memory while it is empty.
    pub(crate) fn small() -> Self {
        Self::with_queue(Queue::Small(Mutex::new(VecDeque::new())))
    }

    fn with_queue(queue: Queue<C>) -> Self {
        Self {
            state: AtomicUsize::new(0),
            queue,
            signal: Mutex::new(Arc::new(NoSignal)),
            watch: Mutex::new(None),
        }
    }

    /// Posts a command. False if the mailbox is closed; the command is dropped then.
    pub(crate) fn post(&self, command: C) -> bool {
        self.post_with(command, |signal| signal.signal())
    }

    /// As [`Mailbox::post`], for work that the poster should not do in the owner's place, as it takes long.
    pub(crate) fn post_work(&self, command: C) -> bool {
        self.post_with(command, |signal| signal.rouse())
    }

    fn post_with(&self, command: C, wake: impl FnOnce(&dyn Signal)) -> bool {
        // Acquire, as in `is_closed`; a close that comes later is seen by the `fetch_or`.
        if self.is_closed() {
            return false;
        }
        self.queue.push(command);
        // Release: partner of the `fetch_and` in `drain`. Acquire: partner of `close`.
        let before = self.state.fetch_or(PENDING, Ordering::AcqRel);
        if before & CLOSED != 0 {
            self.discard();
            return false;
        }
        if before & (ASLEEP | PENDING) == ASLEEP {
            let signal = self.signal.lock().clone();
            wake(&*signal);
        }
        if before & (WATCHED | PENDING) == WATCHED {
            self.tell_watcher();
        }
        true
    }

    /// Owner: whether there is something to drain. One load.
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        // Relaxed would do: `drain` synchronises. Acquire keeps the reasoning in one place.
        self.state.load(Ordering::Acquire) & PENDING != 0
    }

    /// Owner: takes everything posted so far, in order per poster.
    pub(crate) fn drain(&self) -> impl Iterator<Item = C> + '_ {
        // Acquire: partner of the `fetch_or` in `post`. Cleared first, so that what is posted
        // while we drain is either drained now or pending again.
        self.state.fetch_and(!(PENDING | ASLEEP), Ordering::AcqRel);
        std::iter::from_fn(|| self.queue.pop())
    }

    /// Owner: announces that it will wait for its signal. False if something is pending: do not.
    #[must_use]
    pub(crate) fn may_sleep(&self) -> bool {
        // Relaxed: our own bit.
        let watched = self.state.load(Ordering::Relaxed) & WATCHED;
        match self.state.compare_exchange(
            watched,
            watched | ASLEEP,
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            Ok(_) => true,
            Err(state) => state == watched | ASLEEP,
        }
    }

    /// Owner: whether it has announced that it sleeps, and nothing has come since. One load.
    #[cfg(feature = "protocols")]
    #[inline]
    pub(crate) fn sleeps_on(&self) -> bool {
        // Relaxed: our own bit; and what comes later signals.
        self.state.load(Ordering::Relaxed) & (ASLEEP | PENDING) == ASLEEP
    }

    /// Owner: has stopped waiting, for whatever reason.
    pub(crate) fn awake(&self) {
        self.state.fetch_and(!ASLEEP, Ordering::AcqRel);
    }

    /// Owner: wants to be woken by another signal from now on. It is given once at once if
    /// something may be pending.
    pub(crate) fn retarget(&self, signal: &Arc<dyn Signal>) {
        let mut current = self.signal.lock();
        if !Arc::ptr_eq(&current, signal) {
            *current = signal.clone();
            drop(current);
            if self.is_pending() {
                signal.signal();
            }
        }
    }

    /// Owner: from now on, `watch` is told when something comes after a drain; at once if something
    /// is pending. It is told beside the signal of a sleeping owner. `None`: nobody is.
    pub(crate) fn set_watch(&self, watch: Option<Arc<dyn Signal>>) {
        let is_watched = watch.is_some();
        *self.watch.lock() = watch;
        // Acquire: partner of the `fetch_or` in `post`: either its poster sees the bit, or we see
        // that something is pending.
        let before = if is_watched {
            self.state.fetch_or(WATCHED, Ordering::AcqRel)
        } else {
            self.state.fetch_and(!WATCHED, Ordering::AcqRel)
        };
        if before & PENDING != 0 {
            self.tell_watcher();
        }
    }

    fn tell_watcher(&self) {
        let watch = self.watch.lock().clone();
        if let Some(watch) = watch {
            watch.signal();
        }
    }

    /// Owner: takes nothing any more, and drops what was posted.
    pub(crate) fn close(&self) {
        // Release: partner of the `fetch_or` in `post`: either this discard finds a command, or
        // its poster sees the mailbox closed and discards it itself.
        self.state.fetch_or(CLOSED, Ordering::AcqRel);
        self.discard();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) & CLOSED != 0
    }

    fn discard(&self) {
        while self.queue.pop().is_some() {}
    }
}

impl<C> fmt::Debug for Mailbox<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("pending", &self.is_pending())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
