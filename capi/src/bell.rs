//! [`Bell`]: how a thread is woken that waits in the system's `poll`; and [`Listeners`]: whose
//! bells a socket rings.
//!
//! The engine's own waits are not interrupted by signals, and those of libzmq are. So the calls of
//! this interface try, listen, try again, and then wait for their thread's bell.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout};
use parking_lot::Mutex;

use crate::errno::Errno;

/// A descriptor that becomes readable when it is rung.
#[derive(Debug)]
pub(crate) struct Bell {
    ringer: UnixStream,
    hearer: UnixStream,
    /// Set after a ring, so that clearing what was not rung costs nothing.
    rung: AtomicBool,
}

impl Bell {
    pub(crate) fn new() -> Result<Arc<Self>, Errno> {
        let (ringer, hearer) = UnixStream::pair()?;
        ringer.set_nonblocking(true)?;
        hearer.set_nonblocking(true)?;
        Ok(Arc::new(Self {
            ringer,
            hearer,
            rung: AtomicBool::new(false),
        }))
    }

    /// The calling thread's own.
    ///
    /// # Errors
    /// `EMFILE` or its like if the system has no descriptors left.
    pub(crate) fn of_this_thread() -> Result<Arc<Self>, Errno> {
        thread_local! {
            static OWN: RefCell<Option<(u32, Arc<Bell>)>> = const { RefCell::new(None) };
        }
        // A forked process would share its parent's.
        let process = std::process::id();
        let own = OWN.try_with(|own| own.borrow().clone()).unwrap_or(None);
        if let Some((_, own)) = own.filter(|(maker, _)| *maker == process) {
            return Ok(own);
        }
        let new = Self::new()?;
        let _ = OWN.try_with(|own| *own.borrow_mut() = Some((process, new.clone())));
        Ok(new)
    }

    pub(crate) fn ring(&self) {
        // Before the write, so that it can be cleared at once; and after it, for whoever cleared in
        // between and found nothing.
        self.rung.store(true, Ordering::Release);
        // A full buffer is loud enough.
        let _ = (&self.ringer).write(&[1]);
        self.rung.store(true, Ordering::Release);
    }

    /// Makes it silent. To be called before looking for what it may have been rung for.
    pub(crate) fn clear(&self) {
        if self.rung.swap(false, Ordering::AcqRel) {
            let mut bytes = [0; 64];
            while matches!((&self.hearer).read(&mut bytes), Ok(n) if n == bytes.len()) {}
        }
    }

    /// Waits until it is rung; false if the deadline came first.
    ///
    /// # Errors
    /// `EINTR` if a signal came.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Result<bool, Errno> {
        let mut fds = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        let ready = nix::poll::poll(&mut fds, timeout_until(deadline))?;
        self.clear();
        Ok(ready > 0 || deadline.is_none_or(|deadline| Instant::now() < deadline))
    }

    pub(crate) fn raw_fd(&self) -> RawFd {
        self.hearer.as_raw_fd()
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.hearer.as_fd()
    }
}

/// The time until a deadline in whole milliseconds, rounded up: who wakes early must wait again.
pub(crate) fn timeout_until(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else {
        return PollTimeout::NONE;
    };
    let left = deadline.saturating_duration_since(Instant::now());
    PollTimeout::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX)
}

/// The bells that are rung when there is news.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Mutex<Vec<Arc<Bell>>>);

impl Listeners {
    /// Rings for all. It locks even if there is nobody, which orders it with who comes to listen:
    /// either he is rung for, or he finds the news that was made before.
    pub(crate) fn ring(&self) {
        for bell in &*self.0.lock() {
            bell.ring();
        }
    }

    pub(crate) fn add(&self, bell: &Arc<Bell>) {
        self.0.lock().push(bell.clone());
    }

    pub(crate) fn remove(&self, bell: &Arc<Bell>) {
        let mut all = self.0.lock();
        if let Some(at) = all.iter().position(|known| Arc::ptr_eq(known, bell)) {
            all.swap_remove(at);
        }
    }

    /// Listens until the result is dropped.
    pub(crate) fn listen(self: &Arc<Self>, bell: &Arc<Bell>) -> Listening {
        self.add(bell);
        Listening {
            to: self.clone(),
            bell: bell.clone(),
        }
    }
}

/// While it lives, a bell is rung for news.
#[derive(Debug)]
pub(crate) struct Listening {
    to: Arc<Listeners>,
    bell: Arc<Bell>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.to.remove(&self.bell);
    }
}
