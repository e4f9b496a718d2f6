//! [`AttendedSocket`]: a socket that reacts to its peers although nobody calls it.
//!
//! It owns the socket in a lock. Its users act on the socket themselves, as with a plain one; an
//! attendant, which is a guest of an I/O thread, takes the news in that come while nobody does. Nobody
//! holds the lock while he waits, and the attendant never waits for it: it comes again.
//!
//! # Why no news lie about
//!
//! Whoever gives the lock back has put the mailbox to sleep before, so that the next news signal the
//! attendant. It follows the signal until it has had the lock.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::command::{Guest, IoCmd, Turn};
use crate::error::{Error, Result};
use crate::msg::Msg;
use crate::signaler::Signal;
use crate::socket::{DONTWAIT, Socket};

/// A socket that an I/O thread attends to: its pattern reacts at once to peers that come and go and
/// to what they send, and several threads can use it.
///
/// Dropping it closes the socket, as dropping the socket does.
#[derive(Debug)]
pub struct AttendedSocket {
    desk: Arc<Desk>,
}

/// Where users and the attendant meet.
#[derive(Debug)]
struct Desk {
    /// `None` once the socket is closed.
    socket: Mutex<Option<Socket>>,
    /// Something happened that a waiting user may have waited for.
    news: Condvar,
    /// Gets the attendant its turn; once it lives on its thread.
    attendant: OnceLock<Arc<dyn Signal>>,
}

impl AttendedSocket {
    /// Has a socket attended to.
    ///
    /// # Errors
    /// [`Error::NoIoThread`] if the context or the affinity has none. The socket is closed then.
    pub fn new(socket: Socket) -> Result<Self> {
        let thread = socket.base().thread()?;
        let desk = Arc::new(Desk {
            socket: Mutex::new(Some(socket)),
            news: Condvar::new(),
            attendant: OnceLock::new(),
        });
        thread.launch(IoCmd::Host(Box::new(Attendant(desk.clone()))));
        Ok(Self { desk })
    }

    /// Has the socket for itself: for options, endpoints, and what else has no call here. `act`
    /// should not wait, and must not use this socket in another way.
    ///
    /// # Errors
    /// Those of `act`.
    pub fn with<T>(&self, act: impl FnOnce(&Socket) -> Result<T>) -> Result<T> {
        let socket = self.desk.socket.lock();
        let outcome = socket.as_ref().map_or(Err(Error::Term), act);
        self.desk.settle(&socket);
        outcome
    }

    /// Sends a whole message of one frame, see [`Socket::send_msg`]; `flags` may have [`DONTWAIT`].
    /// Others can use the socket while this waits.
    ///
    /// # Errors
    /// As for [`Socket::send_msg`].
    pub fn send(&self, msg: &mut Msg, flags: i32) -> Result<()> {
        let sent = self.with(|socket| socket.send_msg(msg, flags | DONTWAIT));
        match sent {
            Err(Error::Again) if flags & DONTWAIT == 0 => self.send_waiting(msg),
            outcome => outcome,
        }
    }

    #[cold]
    fn send_waiting(&self, msg: &mut Msg) -> Result<()> {
        let limit = self.with(Socket::get_sndtimeo)?;
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        self.wait_for(deadline, |socket| match socket.send_msg(msg, DONTWAIT) {
            Err(Error::Again) => ControlFlow::Continue(()),
            outcome => ControlFlow::Break(outcome),
        })
        .unwrap_or(Err(Error::Again))
    }

    /// Acts again whenever something has happened, until it breaks; `None` if the deadline comes
    /// first.
    fn wait_for<T>(
        &self,
        deadline: Option<Instant>,
        mut act: impl FnMut(&Socket) -> ControlFlow<Result<T>>,
    ) -> Option<Result<T>> {
        let mut socket = self.desk.socket.lock();
        loop {
            match socket.as_ref().map(&mut act) {
                Some(ControlFlow::Continue(())) => {}
                Some(ControlFlow::Break(outcome)) => {
                    self.desk.settle(&socket);
                    return Some(outcome);
                }
                None => return Some(Err(Error::Term)),
            }
            if self.desk.settle(&socket) {
                continue;
            }
            match deadline {
                None => self.desk.news.wait(&mut socket),
                Some(deadline) => {
                    if self.desk.news.wait_until(&mut socket, deadline).timed_out() {
                        return None;
                    }
                }
            }
        }
    }
}

impl Drop for AttendedSocket {
    fn drop(&mut self) {
        // The lock is given back first: what ends with the socket may take long.
        let socket = self.desk.socket.lock().take();
        drop(socket);
        if let Some(attendant) = self.desk.attendant.get() {
            attendant.signal();
        }
    }
}

impl Desk {
    /// Before the lock is given back: has the attendant signalled for the next news. Whether
    /// some have been taken in that somebody may wait for.
    fn settle(&self, socket: &MutexGuard<'_, Option<Socket>>) -> bool {
        let (Some(socket), Some(attendant)) = (socket.as_ref(), self.attendant.get()) else {
            // It is over, or the attendant has not begun; then its first turn is still to come.
            return false;
        };
        let mut base = socket.base();
        if base.mailbox().is_asleep() {
            return false;
        }
        while !base.fall_asleep(attendant) {
            // That the context ends is told to the next user.
            let _ = base.process();
        }
        self.news.notify_all();
        true
    }
}

/// Takes news in for a socket that nobody calls.
#[derive(Debug)]
struct Attendant(Arc<Desk>);

impl Guest for Attendant {
    fn settle_in(&mut self, signal: Arc<dyn Signal>) {
        // A guest settles in once.
        let _ = self.0.attendant.set(signal);
    }

    fn turn(&mut self, _now: Instant) -> Turn {
        let Some(guard) = self.0.socket.try_lock() else {
            return Turn::Again;
        };
        let Some(socket) = &*guard else {
            return Turn::Gone;
        };
        let _ = socket.base().process();
        self.0.settle(&guard);
        Turn::Idle
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }
}
