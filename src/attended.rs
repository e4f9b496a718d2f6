//! [`AttendedSocket`]: a socket that reacts to its peers although nobody calls it.
//!
//! It owns the socket in a lock. Its users act on the socket themselves, as with a plain one; an
//! attendant, which is a guest of an I/O thread, takes the news in that come while nobody does. Nobody
//! holds the lock while he waits, and the attendant never waits for it: it comes again.
//!
//! # Why no news lie about
//!
//! Whoever gives the lock back has taken in what came and has put the mailbox to sleep before, so
//! that the next news signal the attendant. If it finds the lock taken it comes again until it has had
//! it: at once for as long as most calls take, and then every millisecond.
//!
//! # What happens outside the lock
//!
//! Wakers are woken, since they may run anything: the pattern leaves them with its pipes.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::command::{Guest, IoCmd, Turn};
use crate::error::{Error, Result};
use crate::msg::Msg;
use crate::pipe::Wishes;
use crate::signaler::Signal;
use crate::socket::{DONTWAIT, Socket};
use crate::socket_base::SocketBase;

/// A socket that an I/O thread attends to: its pattern reacts at once to peers that come and go and
/// to what they send, and several threads can use it.
///
/// Dropping it closes the socket, as dropping the socket does.
#[derive(Debug)]
pub struct AttendedSocket {
    desk: Arc<Desk>,
}

/// Where users and the attendant meet, one at a time.
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
        thread.launch(IoCmd::Host(Box::new(Attendant {
            desk: desk.clone(),
            turned_away: 0,
            retry: None,
        })));
        Ok(Self { desk })
    }

    /// Has the socket for itself: for options, endpoints, and what else has no call here. `act`
    /// should not wait, and must not use this socket in another way.
    ///
    /// # Errors
    /// Those of `act`.
    pub fn with<T>(&self, act: impl FnOnce(&Socket) -> Result<T>) -> Result<T> {
        let seat = self.desk.sit();
        seat.socket().map_or(Err(Error::Term), act)
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
        let mut seat = self.desk.sit();
        loop {
            match seat.socket().map(&mut act) {
                Some(ControlFlow::Continue(())) => {}
                Some(ControlFlow::Break(outcome)) => return Some(outcome),
                None => return Some(Err(Error::Term)),
            }
            if !seat.wait(deadline) {
                return None;
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
    fn sit(&self) -> Seat<'_> {
        self.seat(self.socket.lock())
    }

    fn try_sit(&self) -> Option<Seat<'_>> {
        self.socket.try_lock().map(|guard| self.seat(guard))
    }

    fn seat<'a>(&'a self, guard: MutexGuard<'a, Option<Socket>>) -> Seat<'a> {
        Seat {
            desk: self,
            guard: Some(guard),
        }
    }

    /// Before the lock is given back: has the attendant signalled for the next news. Returns
    /// whether some have been taken in that somebody may wait for, and who is to be woken after.
    fn settle(&self, base: &mut SocketBase) -> (bool, Vec<Waker>) {
        let Some(attendant) = self.attendant.get() else {
            // Its first turn is still to come.
            return (false, Vec::new());
        };
        let has_news = !base.mailbox().sleeps_on();
        if has_news {
            while !base.fall_asleep(attendant) {
                // That the context ends is told to the next user.
                let _ = base.process();
            }
            self.news.notify_all();
        }
        let Wishes { wakers, goes_on } = base.take_wishes();
        if goes_on {
            attendant.signal();
        }
        (has_news, wakers)
    }
}

/// Somebody has the socket for himself.
struct Seat<'a> {
    desk: &'a Desk,
    /// Only dropping it takes it.
    guard: Option<MutexGuard<'a, Option<Socket>>>,
}

impl Seat<'_> {
    /// `None` once the socket is closed.
    fn socket(&self) -> Option<&Socket> {
        self.guard.as_ref()?.as_ref()
    }

    /// Has it no more until something has happened; false if the deadline came first.
    fn wait(&mut self, deadline: Option<Instant>) -> bool {
        let (has_news, wakers) = self.settle();
        let Some(guard) = &mut self.guard else {
            return true;
        };
        if !wakers.is_empty() {
            MutexGuard::unlocked(guard, || wake(wakers));
            return true;
        }
        let news = &self.desk.news;
        match deadline {
            _ if has_news => {}
            None => news.wait(guard),
            Some(deadline) => return !news.wait_until(guard, deadline).timed_out(),
        }
        true
    }

    fn settle(&self) -> (bool, Vec<Waker>) {
        let settled = self
            .socket()
            .map(|socket| self.desk.settle(&mut socket.base()));
        settled.unwrap_or_default()
    }

    /// Whether something is to be done before the lock is given back.
    #[inline]
    fn is_unsettled(&self) -> bool {
        self.socket().is_some_and(|socket| {
            let base = socket.base();
            !base.mailbox().sleeps_on() || base.has_wishes()
        })
    }

    #[cold]
    fn settle_and_leave(&mut self) {
        let (_, wakers) = self.settle();
        self.guard = None;
        wake(wakers);
    }
}

impl Drop for Seat<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.is_unsettled() {
            self.settle_and_leave();
        }
    }
}

fn wake(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

/// Takes news in for a socket that nobody calls.
#[derive(Debug)]
struct Attendant {
    desk: Arc<Desk>,
    /// How often in a row it has found the lock taken.
    turned_away: u32,
    /// When it comes again for that.
    retry: Option<Instant>,
}

impl Attendant {
    /// How often it comes again at once.
    const AT_ONCE: u32 = 64;
    const PAUSE: Duration = Duration::from_millis(1);
}

impl Guest for Attendant {
    fn settle_in(&mut self, signal: Arc<dyn Signal>) {
        // A guest settles in once.
        let _ = self.desk.attendant.set(signal);
    }

    fn turn(&mut self, now: Instant) -> Turn {
        self.retry = None;
        let Some(seat) = self.desk.try_sit() else {
            self.turned_away += 1;
            if self.turned_away <= Self::AT_ONCE {
                return Turn::Again;
            }
            self.retry = Some(now + Self::PAUSE);
            return Turn::Idle;
        };
        self.turned_away = 0;
        let Some(socket) = seat.socket() else {
            return Turn::Gone;
        };
        let mut base = socket.base();
        let _ = base.process();
        base.go_on();
        Turn::Idle
    }

    fn deadline(&self) -> Option<Instant> {
        self.retry
    }
}
