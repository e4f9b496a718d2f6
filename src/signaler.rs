//! [`Signal`]: how the owner of a mailbox is told that something lies in it.
//!
//! Each way of waiting has its own: a parked thread a condition variable ([`Signaler`]), an I/O
//! thread its poller's waker, the reaper a note on its channel. A mailbox can change its signal
//! while it is in use, because a socket is waited for in different ways in its life.

use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// A way to wake somebody. Signals do not count: several may be one wake-up.
pub(crate) trait Signal: fmt::Debug + Send + Sync {
    /// Wakes the waiter, or keeps its next wait from sleeping.
    fn signal(&self);
}

/// The signal of a thread that parks.
#[derive(Debug, Default)]
pub(crate) struct Signaler {
    signalled: Mutex<bool>,
    changed: Condvar,
}

impl Signaler {
    /// Waits until signalled, or until the deadline; false if the deadline came first.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut signalled = self.signalled.lock();
        while !*signalled {
            match deadline {
                None => self.changed.wait(&mut signalled),
                Some(deadline) => {
                    if self
                        .changed
                        .wait_until(&mut signalled, deadline)
                        .timed_out()
                    {
                        break;
                    }
                }
            }
        }
        std::mem::take(&mut *signalled)
    }

    /// The calling thread's own signaler: sockets used by one thread share it, so that waiting
    /// for several costs no more than waiting for one.
    pub(crate) fn of_this_thread() -> Arc<Self> {
        thread_local! {
            static OWN: OnceCell<Arc<Signaler>> = const { OnceCell::new() };
        }
        // Without thread-locals, in a destructor of one, a fresh signaler does as well.
        OWN.try_with(|own| own.get_or_init(Arc::default).clone())
            .unwrap_or_default()
    }
}

impl Signal for Signaler {
    fn signal(&self) {
        *self.signalled.lock() = true;
        self.changed.notify_one();
    }
}

/// The signal of a mailbox that nobody waits for yet.
#[derive(Debug)]
pub(crate) struct NoSignal;

impl Signal for NoSignal {
    fn signal(&self) {}
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_signal_given_before_the_wait_is_not_lost() {
        let signaler = Signaler::default();
        signaler.signal();
        signaler.signal();
        assert!(signaler.wait(None));
        assert!(!signaler.wait(Some(Instant::now() + Duration::from_millis(1))));
    }

    #[test]
    fn a_waiting_thread_is_woken() {
        let signaler = Arc::new(Signaler::default());
        let waiter = std::thread::spawn({
            let signaler = signaler.clone();
            move || signaler.wait(None)
        });
        signaler.signal();
        assert!(waiter.join().unwrap());
    }
}
