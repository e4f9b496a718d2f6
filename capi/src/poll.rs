//! `zmq_poll` and `zmq_ppoll`, and what all calls that wait for several things share.

use std::ffi::{c_int, c_long, c_short, c_void};
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::SigSet;

use crate::bell::{Bell, Listening, timeout_until};
use crate::errno::Errno;
use crate::frees;
use crate::socket::{SocketHandle, find};

pub(crate) const POLLIN: c_short = 1;
pub(crate) const POLLOUT: c_short = 2;
pub(crate) const POLLERR: c_short = 4;
pub(crate) const POLLPRI: c_short = 8;

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Socket(&'static SocketHandle),
    /// A negative one never has events.
    Fd(RawFd),
}

/// One of several things that are waited for, and what was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub target: Target,
    pub events: c_short,
    pub found: c_short,
}

impl Item {
    pub(crate) fn new(target: Target, events: c_short) -> Self {
        Self {
            target,
            events,
            found: 0,
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'static>> {
        match self.target {
            // SAFETY: A1: it is not closed during the call; if it is, the system says so.
            Target::Fd(fd) if fd >= 0 => Some(unsafe { BorrowedFd::borrow_raw(fd) }),
            Target::Fd(_) | Target::Socket(_) => None,
        }
    }
}

/// Waits until something is found for one of the items, and returns for how many; 0 if the
/// deadline came first.
///
/// # Errors
/// `ETERM`, `ENOTSOCK`; `EINTR` if a signal came.
pub(crate) fn poll(
    items: &mut [Item],
    timeout: Option<Duration>,
    mask: Option<&SigSet>,
) -> Result<usize, Errno> {
    if timeout == Some(Duration::ZERO) {
        return look(items);
    }
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let bell = Bell::of_this_thread()?;
    let _listening = listen(items, &bell)?;
    let mut is_late = false;
    loop {
        let ready = look(items)?;
        if ready > 0 || is_late {
            return Ok(ready);
        }
        frees::settle();
        is_late = wait(items, &bell, deadline, mask)?;
    }
}

/// Has the bell rung by all sockets, until the result is dropped.
fn listen(items: &[Item], bell: &Arc<Bell>) -> Result<Vec<Listening>, Errno> {
    let sockets = items.iter().filter_map(|item| match item.target {
        Target::Socket(handle) => Some(handle),
        Target::Fd(_) => None,
    });
    sockets
        .map(|handle| Ok(handle.lock()?.listeners.listen(bell)))
        .collect()
}

/// Asks what can be done now: the descriptors first, as one of them may be a socket's `ZMQ_FD`,
/// which is silent once the socket was asked. Returns of how many items something can.
fn look(items: &mut [Item]) -> Result<usize, Errno> {
    if items.iter().any(|item| item.fd().is_some()) {
        let mut fds: Vec<_> = poll_fds(items).collect();
        nix::poll::poll(&mut fds, PollTimeout::ZERO)?;
        let flags: Vec<_> = fds.iter().map(PollFd::revents).collect();
        let of_fds = items.iter_mut().filter(|item| item.fd().is_some());
        for (item, flags) in of_fds.zip(flags) {
            item.found = events_of(flags.unwrap_or(PollFlags::empty()), item.events);
        }
    }
    for item in &mut *items {
        if let Target::Socket(handle) = item.target {
            item.found = handle.lock()?.events()? & item.events;
        }
    }
    Ok(items.iter().filter(|item| item.found != 0).count())
}

fn poll_fds<'a>(items: &'a [Item]) -> impl Iterator<Item = PollFd<'a>> {
    let with_fd = |item: &Item| Some(PollFd::<'a>::new(item.fd()?, flags_of(item.events)));
    items.iter().filter_map(with_fd)
}

/// Waits for the bell and for the descriptors. Returns whether the deadline has come.
fn wait(
    items: &[Item],
    bell: &Bell,
    deadline: Option<Instant>,
    mask: Option<&SigSet>,
) -> Result<bool, Errno> {
    let of_bell = PollFd::new(bell.as_fd(), PollFlags::POLLIN);
    let mut fds: Vec<_> = std::iter::once(of_bell).chain(poll_fds(items)).collect();
    match mask {
        None => nix::poll::poll(&mut fds, timeout_until(deadline))?,
        Some(mask) => poll_masked(&mut fds, deadline, *mask)?,
    };
    bell.clear();
    Ok(deadline.is_some_and(|deadline| Instant::now() >= deadline))
}

#[cfg(target_os = "linux")]
fn poll_masked(
    fds: &mut [PollFd<'_>],
    deadline: Option<Instant>,
    mask: SigSet,
) -> nix::Result<c_int> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    nix::poll::ppoll(fds, left.map(Into::into), Some(mask))
}

#[cfg(not(target_os = "linux"))]
fn poll_masked(
    fds: &mut [PollFd<'_>],
    deadline: Option<Instant>,
    mask: SigSet,
) -> nix::Result<c_int> {
    let before = mask.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK)?;
    let ready = nix::poll::poll(fds, timeout_until(deadline));
    before.thread_set_mask()?;
    ready
}

fn flags_of(events: c_short) -> PollFlags {
    let pairs = [
        (POLLIN, PollFlags::POLLIN),
        (POLLOUT, PollFlags::POLLOUT),
        (POLLPRI, PollFlags::POLLPRI),
    ];
    let wanted = pairs.iter().filter(|(event, _)| events & event != 0);
    wanted.map(|(_, flag)| *flag).collect()
}

fn events_of(flags: PollFlags, wanted: c_short) -> c_short {
    let broken = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    let pairs = [
        (POLLIN & wanted, PollFlags::POLLIN),
        (POLLOUT & wanted, PollFlags::POLLOUT),
        (POLLPRI & wanted, PollFlags::POLLPRI),
        // Whether or not it was asked for: it would be found again for ever.
        (POLLERR, broken),
    ];
    let found = pairs.iter().filter(|(_, mask)| flags.intersects(*mask));
    found.fold(0, |events, (event, _)| events | event)
}

/// A time limit in milliseconds; a negative one is none.
pub(crate) fn time_limit(millis: c_long) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

/// `zmq_pollitem_t`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct PollItem {
    socket: *const c_void,
    fd: RawFd,
    events: c_short,
    revents: c_short,
}

fn poll_items(
    mut items: Out<PollItem>,
    count: c_int,
    timeout: c_long,
    mask: Option<&SigSet>,
) -> Result<c_int, Errno> {
    let count = usize::try_from(count).map_err(|_| Errno::INVALID)?;
    let given = items.slice(count).ok_or(Errno::FAULT)?;
    let mut items = given.iter().map(item_of).collect::<Result<Vec<_>, _>>()?;
    let ready = poll(&mut items, time_limit(timeout), mask)?;
    for (given, item) in given.iter_mut().zip(&items) {
        given.revents = item.found;
    }
    Ok(c_int::try_from(ready).unwrap_or(c_int::MAX))
}

fn item_of(given: &PollItem) -> Result<Item, Errno> {
    let target = if given.socket.is_null() {
        Target::Fd(given.fd)
    } else {
        // SAFETY: A1.
        let place = unsafe { <In<c_void> as crate::abi::Arg>::from_c(given.socket) };
        Target::Socket(find(place)?)
    };
    Ok(Item::new(target, given.events))
}

abi! {
    /// Waits until something can be done with one of the items; returns with how many.
    fn zmq_poll(items: Out<PollItem>, count: c_int, timeout: c_long) -> Result<c_int, Errno> {
        poll_items(items, count, timeout, None)
    }

    /// The same, with another signal mask while it waits.
    fn zmq_ppoll(
        items: Out<PollItem>,
        count: c_int,
        timeout: c_long,
        mask: In<libc::sigset_t>,
    ) -> Result<c_int, Errno> {
        // SAFETY: A1: it was initialised by sigemptyset or sigfillset.
        let mask = mask.get().map(|mask| unsafe { SigSet::from_sigset_t_unchecked(*mask) });
        poll_items(items, count, timeout, mask.as_ref())
    }
}
