//! [`poll`] and [`Poller`]: waiting for several sockets and descriptors at once.
//!
//! Readiness is level-triggered: what can be done and is not done is reported again.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout};

use crate::error::{Error, Result};
use crate::signaler::{FdSignaler, Signal, Signaler};
use crate::socket::{POLLIN, POLLOUT, Socket};

/// Event of a descriptor: it has an error (`ZMQ_POLLERR`).
pub const POLLERR: i16 = 4;
/// Event of a descriptor: urgent data (`ZMQ_POLLPRI`).
pub const POLLPRI: i16 = 8;

#[derive(Clone, Copy, Debug)]
enum Target<'a> {
    Socket(&'a Socket),
    Fd(BorrowedFd<'a>),
}

/// A socket or descriptor to wait for, and what happened to it.
#[derive(Clone, Copy, Debug)]
pub struct PollItem<'a> {
    target: Target<'a>,
    events: i16,
    revents: i16,
}

impl<'a> PollItem<'a> {
    /// Waits for `events` of a socket: [`POLLIN`], [`POLLOUT`] or both.
    #[must_use]
    pub fn from_socket(socket: &'a Socket, events: i16) -> Self {
        Self {
            target: Target::Socket(socket),
            events,
            revents: 0,
        }
    }

    /// Waits for `events` of a descriptor: [`POLLIN`], [`POLLOUT`], [`POLLPRI`], [`POLLERR`].
    #[must_use]
    pub fn from_fd(fd: BorrowedFd<'a>, events: i16) -> Self {
        Self {
            target: Target::Fd(fd),
            events,
            revents: 0,
        }
    }

    /// Changes what is waited for.
    pub fn set_events(&mut self, events: i16) {
        self.events = events;
    }

    /// What was found by the last [`poll`]: a subset of the events waited for.
    #[must_use]
    pub fn get_revents(&self) -> i16 {
        self.revents
    }

    /// Whether the last [`poll`] found that something can be received.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.revents & POLLIN != 0
    }

    /// Whether the last [`poll`] found that something can be sent.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.revents & POLLOUT != 0
    }

    /// Whether the last [`poll`] found an error on the descriptor.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.revents & POLLERR != 0
    }
}

impl Socket {
    /// The socket as an item for [`poll`].
    #[must_use]
    pub fn as_poll_item(&self, events: i16) -> PollItem<'_> {
        PollItem::from_socket(self, events)
    }
}

/// Waits until something can be done on one of the items, for at most `timeout` (`None`: for
/// ever; zero: does not wait). Returns on how many; 0 if the time is over.
///
/// ```
/// use std::time::Duration;
/// use ferrozmq::{poll, Ctx, POLLIN, SocketType};
///
/// # fn main() -> ferrozmq::Result<()> {
/// let ctx = Ctx::new();
/// let (a, b) = (ctx.socket(SocketType::PULL)?, ctx.socket(SocketType::PULL)?);
/// a.bind("inproc://a")?;
/// b.bind("inproc://b")?;
/// let sender = ctx.socket(SocketType::PUSH)?;
/// sender.connect("inproc://b")?;
/// sender.send("x", 0)?;
/// let mut items = [a.as_poll_item(POLLIN), b.as_poll_item(POLLIN)];
/// assert_eq!(poll(&mut items, Some(Duration::from_secs(1)))?, 1);
/// assert!(items[1].is_readable());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Term`] if the context of a socket is being terminated; [`Error::Io`] for a descriptor
/// that cannot be polled, or if the system has no descriptors left.
pub fn poll(items: &mut [PollItem<'_>], timeout: Option<Duration>) -> Result<usize> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut waiter = Waiter::for_items(items)?;
    loop {
        let ready = look(items)?;
        if ready > 0 || timeout == Some(Duration::ZERO) {
            return waiter.finish(items, ready);
        }
        if !waiter.wait(items, deadline)? {
            let ready = look(items)?;
            return waiter.finish(items, ready);
        }
        if waiter.fds_ready(items) {
            let ready = look(items)?;
            return waiter.finish(items, ready);
        }
    }
}

/// Asks the sockets what they can do now; of the descriptors nothing is known yet.
fn look(items: &mut [PollItem<'_>]) -> Result<usize> {
    let mut ready = 0;
    for item in items {
        item.revents = match item.target {
            // Also if nothing is asked of it: as long as it has commands, it does not sleep.
            Target::Socket(socket) => socket.get_events()? & item.events,
            Target::Fd(_) => 0,
        };
        ready += usize::from(item.revents != 0);
    }
    Ok(ready)
}

/// How a call of [`poll`] waits: without descriptors on a condition variable, with them in the
/// system's `poll`, where a descriptor of its own wakes it.
enum Waiter {
    Sockets(Arc<Signaler>),
    Descriptors(Arc<FdSignaler>),
}

/// How often a thread gives way before it sleeps: as the context of the first socket says.
fn spin(items: &[PollItem<'_>]) -> u32 {
    let mut sockets = items.iter().filter_map(|item| match item.target {
        Target::Socket(socket) => Some(socket),
        Target::Fd(_) => None,
    });
    sockets
        .next()
        .map_or(0, |socket| socket.base().options.spin)
}

impl Waiter {
    fn for_items(items: &[PollItem<'_>]) -> Result<Self> {
        if items
            .iter()
            .any(|item| matches!(item.target, Target::Fd(_)))
        {
            Ok(Self::Descriptors(FdSignaler::of_this_thread()?))
        } else {
            Ok(Self::Sockets(Signaler::of_this_thread()))
        }
    }

    /// Waits until there may be something; false if the deadline came first.
    fn wait(&self, items: &mut [PollItem<'_>], deadline: Option<Instant>) -> Result<bool> {
        let signal: Arc<dyn Signal> = match self {
            Self::Sockets(signaler) => signaler.clone(),
            Self::Descriptors(signaler) => signaler.clone(),
        };
        let all_sleep = items
            .iter()
            .fold(true, |all_sleep, item| match item.target {
                Target::Socket(socket) => socket.base().fall_asleep(&signal) && all_sleep,
                Target::Fd(_) => all_sleep,
            });
        let woken = match (self, all_sleep) {
            (_, false) => Ok(true),
            (Self::Sockets(signaler), true) => {
                Ok(signaler.spin(spin(items)) || signaler.wait(deadline))
            }
            (Self::Descriptors(signaler), true) => {
                poll_fds(items, signaler, Some(deadline)).map_err(Error::from)
            }
        };
        for item in items.iter() {
            if let Target::Socket(socket) = item.target {
                socket.base().awake();
            }
        }
        woken
    }

    fn fds_ready(&self, items: &[PollItem<'_>]) -> bool {
        let is_ready =
            |item: &PollItem<'_>| matches!(item.target, Target::Fd(_)) && item.revents != 0;
        matches!(self, Self::Descriptors(_)) && items.iter().any(is_ready)
    }

    /// Adds what the descriptors can do now to what the sockets can.
    fn finish(&mut self, items: &mut [PollItem<'_>], sockets: usize) -> Result<usize> {
        if let Self::Descriptors(signaler) = self {
            poll_fds(items, signaler, None)?;
            let fds = items
                .iter()
                .filter(|item| matches!(item.target, Target::Fd(_)));
            return Ok(sockets + fds.filter(|item| item.revents != 0).count());
        }
        Ok(sockets)
    }
}

/// Polls the descriptors among the items, and the signaler: once (`None`), or until a deadline
/// (`Some(None)`: for ever). False if the deadline came first.
fn poll_fds(
    items: &mut [PollItem<'_>],
    signaler: &FdSignaler,
    until: Option<Option<Instant>>,
) -> io::Result<bool> {
    loop {
        let timeout = match until {
            None => PollTimeout::ZERO,
            Some(None) => PollTimeout::NONE,
            Some(Some(deadline)) => timeout_until(deadline),
        };
        let mut fds: Vec<_> = std::iter::once(PollFd::new(signaler.as_fd(), PollFlags::POLLIN))
            .chain(items.iter().filter_map(|item| match item.target {
                Target::Fd(fd) => Some(PollFd::new(fd, flags_of(item.events))),
                Target::Socket(_) => None,
            }))
            .collect();
        match nix::poll::poll(&mut fds, timeout) {
            Ok(ready) => {
                let found: Vec<_> = fds.iter().map(|fd| fd.revents()).collect();
                let of_items = items
                    .iter_mut()
                    .filter(|item| matches!(item.target, Target::Fd(_)));
                for (item, flags) in of_items.zip(&found[1..]) {
                    item.revents = events_of(flags.unwrap_or(PollFlags::empty()), item.events);
                }
                signaler.clear();
                let late = until
                    .flatten()
                    .is_some_and(|deadline| deadline <= Instant::now());
                if ready > 0 || until.is_none() || late {
                    return Ok(ready > 0);
                }
            }
            Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The time until `deadline` in whole milliseconds, rounded up: who wakes early must wait again.
fn timeout_until(deadline: Instant) -> PollTimeout {
    let left = deadline.saturating_duration_since(Instant::now());
    let millis = left.as_nanos().div_ceil(1_000_000);
    PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
}

fn flags_of(events: i16) -> PollFlags {
    let pairs = [
        (POLLIN, PollFlags::POLLIN),
        (POLLOUT, PollFlags::POLLOUT),
        (POLLPRI, PollFlags::POLLPRI),
    ];
    pairs
        .iter()
        .filter(|(event, _)| events & event != 0)
        .map(|(_, flag)| *flag)
        .collect()
}

fn events_of(flags: PollFlags, wanted: i16) -> i16 {
    let broken = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    let pairs = [
        // The end of a stream is found by reading, as is an error.
        (POLLIN, PollFlags::POLLIN | PollFlags::POLLHUP),
        (POLLOUT, PollFlags::POLLOUT),
        (POLLPRI, PollFlags::POLLPRI),
        (POLLERR, broken),
    ];
    let found = pairs.iter().filter(|(_, mask)| flags.intersects(*mask));
    // An error is reported whether or not it was asked for: it would be found again for ever.
    found.fold(0, |events, (event, _)| events | event) & (wanted | POLLERR)
}

/// One finding of [`Poller::wait`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollEvent<T> {
    /// What the item was added with.
    pub data: T,
    /// What can be done: [`POLLIN`], [`POLLOUT`], for descriptors also [`POLLERR`], [`POLLPRI`].
    pub events: i16,
}

/// A set of sockets and descriptors that is waited for again and again.
///
/// Each is added with data of the caller's choice, by which it is told apart and changed.
///
/// ```
/// use std::time::Duration;
/// use ferrozmq::{Ctx, POLLIN, Poller, SocketType};
///
/// # fn main() -> ferrozmq::Result<()> {
/// let ctx = Ctx::new();
/// let (a, b) = (ctx.socket(SocketType::PAIR)?, ctx.socket(SocketType::PAIR)?);
/// a.bind("inproc://poller")?;
/// b.connect("inproc://poller")?;
/// let mut poller = Poller::new();
/// poller.add(&a, "a", POLLIN)?;
/// b.send("x", 0)?;
/// let events = poller.wait(Some(Duration::from_secs(1)))?;
/// assert_eq!((events[0].data, events[0].events), ("a", POLLIN));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Poller<'a, T> {
    items: Vec<PollItem<'a>>,
    data: Vec<T>,
}

impl<'a, T: Clone + PartialEq> Poller<'a, T> {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self {
            items: Vec::new(),
            data: Vec::new(),
        }
    }

    /// Adds a socket.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is an item with this data.
    pub fn add(&mut self, socket: &'a Socket, data: T, events: i16) -> Result<()> {
        self.add_item(PollItem::from_socket(socket, events), data)
    }

    /// Adds a descriptor.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is an item with this data.
    pub fn add_fd(&mut self, fd: BorrowedFd<'a>, data: T, events: i16) -> Result<()> {
        self.add_item(PollItem::from_fd(fd, events), data)
    }

    fn add_item(&mut self, item: PollItem<'a>, data: T) -> Result<()> {
        if self.data.contains(&data) {
            return Err(Error::InvalidArgument(
                "the poller has an item with this data",
            ));
        }
        self.items.push(item);
        self.data.push(data);
        Ok(())
    }

    /// Changes what is waited for; with no events, the item is kept and never reported.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no item with this data.
    pub fn modify(&mut self, data: &T, events: i16) -> Result<()> {
        let at = self.position(data)?;
        self.items[at].set_events(events);
        Ok(())
    }

    /// Takes an item out.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no item with this data.
    pub fn remove(&mut self, data: &T) -> Result<()> {
        let at = self.position(data)?;
        self.items.remove(at);
        self.data.remove(at);
        Ok(())
    }

    fn position(&self, data: &T) -> Result<usize> {
        let found = self.data.iter().position(|known| known == data);
        found.ok_or(Error::InvalidArgument(
            "the poller has no item with this data",
        ))
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Waits as [`poll`] does, and returns what was found; nothing if the time is over.
    ///
    /// # Errors
    /// As for [`poll`].
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Vec<PollEvent<T>>> {
        poll(&mut self.items, timeout)?;
        let found = self
            .items
            .iter()
            .zip(&self.data)
            .filter(|(item, _)| item.revents != 0);
        Ok(found
            .map(|(item, data)| PollEvent {
                data: data.clone(),
                events: item.revents,
            })
            .collect())
    }
}

impl<T: Clone + PartialEq> Default for Poller<'_, T> {
    fn default() -> Self {
        Self::new()
    }
}
