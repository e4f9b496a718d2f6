//! [`SharedSocket`]: a socket that several threads use at once.
//!
//! It owns the socket in a lock, and a [`Bell`] that all who wait for the socket hear. Nobody holds
//! the lock while he waits, so that one thread can send while another waits to receive.
//!
//! # Why nobody waits in vain
//!
//! Who finds nothing to do has the mailbox ring the bell at its next news, before he gives the lock
//! away. Another thread that takes such news in can do so only after the bell has rung for them; and
//! everybody whom it wakes looks for himself, and has it rung again if he finds nothing.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};
use crate::msg::{Msg, SendError};
use crate::options::Options;
use crate::signaler::Signal;
use crate::socket::{DONTWAIT, Multipart, SNDMORE, Socket};

/// Who waits for a shared socket.
#[derive(Debug, Default)]
struct Bell {
    state: Mutex<Rung>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    /// How often the bell has rung.
    times: u64,
    listeners: Vec<(u64, Waker)>,
    last_listener: u64,
}

impl Bell {
    /// Waits until the bell has rung more often than `times`; false if the deadline comes first.
    fn wait(&self, times: u64, deadline: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        while state.times == times {
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) => {
                    if self.changed.wait_until(&mut state, deadline).timed_out() {
                        return state.times != times;
                    }
                }
            }
        }
        true
    }

    fn times(&self) -> u64 {
        self.state.lock().times
    }

    fn listen(&self, waker: Waker) -> u64 {
        let mut state = self.state.lock();
        state.last_listener += 1;
        let id = state.last_listener;
        state.listeners.push((id, waker));
        id
    }

    fn forget(&self, id: u64) {
        let mut state = self.state.lock();
        let at = state.listeners.iter().position(|(known, _)| *known == id);
        let gone = at.map(|at| state.listeners.swap_remove(at));
        drop(state);
        // A waker is the application's; what it does at its end must find the bell free.
        drop(gone);
    }
}

impl Signal for Bell {
    fn signal(&self) {
        let mut state = self.state.lock();
        state.times += 1;
        let listeners: Vec<_> = state.listeners.iter().map(|(_, w)| w.clone()).collect();
        drop(state);
        self.changed.notify_all();
        listeners.into_iter().for_each(Waker::wake);
    }
}

/// A socket that several threads use at once: `Send` and `Sync`, where a [`Socket`] is only `Send`.
///
/// Its calls are those of [`Socket`], with the same flags, time limits and errors. A thread that
/// waits lets the others in: while one waits to receive, another can send. Messages of one frame,
/// the only ones that SERVER, CLIENT, RADIO, DISH, GATHER, SCATTER, PEER and CHANNEL have, are sent
/// and received as they are; those of other types go by
/// [`SharedSocket::send_multipart`] and [`SharedSocket::recv_multipart`], which keep their frames
/// together. Everything else is done by [`SharedSocket::with`].
///
/// ```
/// use ferrozmq::{Ctx, SharedSocket, SocketType};
///
/// # fn main() -> ferrozmq::Result<()> {
/// let ctx = Ctx::new();
/// let gather = ctx.socket(SocketType::GATHER)?;
/// gather.bind("inproc://shared")?;
/// let scatter = ctx.socket(SocketType::SCATTER)?;
/// scatter.connect("inproc://shared")?;
/// let scatter = SharedSocket::new(scatter);
/// std::thread::scope(|scope| {
///     for n in 0..4 {
///         let scatter = &scatter;
///         scope.spawn(move || scatter.send(n.to_string(), 0));
///     }
/// });
/// for _ in 0..4 {
///     gather.recv_msg(0)?;
/// }
/// # Ok(())
/// # }
/// ```
pub struct SharedSocket {
    socket: Mutex<Socket>,
    bell: Arc<Bell>,
    /// The same, as the mailbox knows it.
    signal: Arc<dyn Signal>,
}

impl SharedSocket {
    /// Shares a socket.
    #[must_use]
    pub fn new(socket: Socket) -> Self {
        let bell = Arc::<Bell>::default();
        Self {
            socket: Mutex::new(socket),
            signal: bell.clone(),
            bell,
        }
    }

    /// The socket, which nobody else uses any more.
    #[must_use]
    pub fn into_inner(self) -> Socket {
        self.socket.into_inner()
    }

    /// Has the socket for itself: for options, endpoints, and what else has no call here. Waits for
    /// the calls of other threads, none of which takes long; so `act` should not wait either.
    pub fn with<T>(&self, act: impl FnOnce(&Socket) -> T) -> T {
        let socket = self.socket.lock();
        let outcome = act(&socket);
        drop(socket);
        // It may have waited for the socket's news, or have taken them in.
        self.bell.signal();
        outcome
    }

    /// Sends a message of one frame, see [`Socket::send`].
    ///
    /// # Errors
    /// As for [`Socket::send`]; [`Error::InvalidArgument`] for [`SNDMORE`] too, since other threads'
    /// frames could come between.
    pub fn send(&self, message: impl Into<Msg>, flags: i32) -> std::result::Result<(), SendError> {
        let message = message.into();
        if flags & SNDMORE != 0 {
            let error = Error::InvalidArgument("a shared socket sends whole messages");
            return Err(SendError { error, message });
        }
        self.send_waiting(message, flags, Socket::send)
    }

    /// Sends a message of one frame if that is possible at once.
    ///
    /// # Errors
    /// As for [`SharedSocket::send`] with [`DONTWAIT`].
    pub fn try_send(&self, message: impl Into<Msg>) -> std::result::Result<(), SendError> {
        self.send(message, DONTWAIT)
    }

    /// Sends a message of several frames, see [`Socket::send_multipart`].
    ///
    /// # Errors
    /// As for [`Socket::send_multipart`]; [`Error::InvalidArgument`] for [`SNDMORE`] too.
    pub fn send_multipart<I>(
        &self,
        frames: I,
        flags: i32,
    ) -> std::result::Result<(), SendError<Multipart>>
    where
        I: IntoIterator,
        I::Item: Into<Msg>,
    {
        let message = frames.into_iter().map(Into::into).collect();
        if flags & SNDMORE != 0 {
            let error = Error::InvalidArgument("a shared socket sends whole messages");
            return Err(SendError { error, message });
        }
        self.send_waiting(message, flags, Socket::send_multipart)
    }

    /// Receives a frame, see [`Socket::recv_msg`]. Where messages can have several, use
    /// [`SharedSocket::recv_multipart`]: another thread may get the next frame.
    ///
    /// # Errors
    /// As for [`Socket::recv_msg`].
    pub fn recv_msg(&self, flags: i32) -> Result<Msg> {
        self.recv_waiting(flags, Socket::recv_msg)
    }

    /// Receives a frame if there is one.
    ///
    /// # Errors
    /// As for [`SharedSocket::recv_msg`] with [`DONTWAIT`].
    pub fn try_recv(&self) -> Result<Msg> {
        self.recv_msg(DONTWAIT)
    }

    /// Receives the frames of one message, see [`Socket::recv_multipart`].
    ///
    /// # Errors
    /// As for [`Socket::recv_multipart`].
    pub fn recv_multipart(&self, flags: i32) -> Result<Multipart> {
        self.recv_waiting(flags, Socket::recv_multipart)
    }

    // ── readiness ────────────────────────────────────────────────────────────────────────────

    /// What can be done now without waiting, see [`Socket::get_events`]. Whoever listens
    /// ([`SharedSocket::listen`]) is woken when there may be more.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_events(&self) -> Result<i16> {
        let socket = self.socket.lock();
        loop {
            let events = socket.get_events()?;
            if socket.base().fall_asleep(&self.signal) {
                return Ok(events);
            }
        }
    }

    /// Waits until one of `events` is possible, for at most `timeout` (`None`: for ever). Returns
    /// which are, and 0 if the time is over. Another thread may be faster to use them.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn poll(&self, events: i16, timeout: Option<Duration>) -> Result<i16> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let times = self.bell.times();
            let ready = self.get_events()? & events;
            if ready != 0 || !self.bell.wait(times, deadline) {
                return Ok(ready);
            }
        }
    }

    /// Has `waker` woken whenever [`SharedSocket::get_events`] may have changed since it was last
    /// asked, for as long as the result lives: to wait for several shared sockets, or in another way
    /// than this type does. To be called before the first look at the events. It may be woken for
    /// nothing, on any thread; it must not wait.
    #[must_use]
    pub fn listen(&self, waker: Waker) -> Listening {
        Listening {
            id: self.bell.listen(waker),
            bell: self.bell.clone(),
        }
    }

    // ── waiting ──────────────────────────────────────────────────────────────────────────────

    fn send_waiting<T>(
        &self,
        message: T,
        flags: i32,
        send: fn(&Socket, T, i32) -> std::result::Result<(), SendError<T>>,
    ) -> std::result::Result<(), SendError<T>> {
        let mut slot = Some(message);
        let sent = self.wait_for(
            flags,
            |options| options.send_timeout,
            |socket| {
                let Some(message) = slot.take() else {
                    return ControlFlow::Break(Ok(()));
                };
                match send(socket, message, flags | DONTWAIT) {
                    Err(SendError {
                        error: Error::Again,
                        message,
                    }) => {
                        slot = Some(message);
                        ControlFlow::Continue(Later::AfterNews)
                    }
                    outcome => ControlFlow::Break(outcome),
                }
            },
        );
        let unsent = |message| {
            Err(SendError {
                error: Error::Again,
                message,
            })
        };
        sent.unwrap_or_else(|| slot.map_or(Ok(()), unsent))
    }

    fn recv_waiting<T>(&self, flags: i32, recv: fn(&Socket, i32) -> Result<T>) -> Result<T> {
        let received = self.wait_for(
            flags,
            |options| options.recv_timeout,
            |socket| match recv(socket, flags | DONTWAIT) {
                Err(Error::Again) if socket.base().can_recv() => {
                    ControlFlow::Continue(Later::AtOnce)
                }
                Err(Error::Again) => ControlFlow::Continue(Later::AfterNews),
                outcome => ControlFlow::Break(outcome),
            },
        );
        received.unwrap_or(Err(Error::Again))
    }

    /// Acts again and again until it breaks; `None` if the flags or the time limit do not allow to
    /// wait.
    fn wait_for<T>(
        &self,
        flags: i32,
        limit: fn(&Options) -> Option<Duration>,
        mut act: impl FnMut(&Socket) -> ControlFlow<T, Later>,
    ) -> Option<T> {
        let mut until = None;
        loop {
            let socket = self.socket.lock();
            let later = match act(&socket) {
                ControlFlow::Break(outcome) => return Some(outcome),
                ControlFlow::Continue(later) => later,
            };
            let limit = limit(&socket.base().options);
            if flags & DONTWAIT != 0 || limit == Some(Duration::ZERO) {
                return None;
            }
            let deadline = *until.get_or_insert_with(|| limit.map(|limit| Instant::now() + limit));
            let times = self.bell.times();
            let asleep = later == Later::AfterNews && socket.base().fall_asleep(&self.signal);
            drop(socket);
            let late = || deadline.is_some_and(|deadline| deadline <= Instant::now());
            if asleep && !self.bell.wait(times, deadline) || !asleep && late() {
                return None;
            }
        }
    }
}

/// When an attempt that came to nothing is worth another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Later {
    /// When something has happened.
    AfterNews,
    /// Much that was of no use has been dropped, and there is more to look at.
    AtOnce,
}

impl From<Socket> for SharedSocket {
    fn from(socket: Socket) -> Self {
        Self::new(socket)
    }
}

impl fmt::Debug for SharedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedSocket").field(&self.socket).finish()
    }
}

/// The time for which [`SharedSocket::listen`] wakes its waker: until it is dropped.
#[derive(Debug)]
pub struct Listening {
    id: u64,
    bell: Arc<Bell>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.bell.forget(self.id);
    }
}
