//! `zmq_poller_*`: a set of sockets and descriptors that is waited for again and again.

use std::ffi::{c_int, c_long, c_short, c_void};
use std::os::fd::RawFd;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use crate::abi::{Done, Opaque};
use crate::bell::{Bell, Listeners};
use crate::errno::Errno;
use crate::handle::{Handle, kind};
use crate::poll::{self, Item, POLLERR, POLLIN, POLLOUT, POLLPRI, Target};
use crate::socket::{SocketHandle, find, is_thread_safe};

/// A poller.
#[derive(Debug, Default)]
pub(crate) struct Poller {
    entries: Vec<Entry>,
    /// What the poller's descriptor is of: rung by its thread-safe sockets.
    bell: Option<Arc<Bell>>,
}

kind!(Poller, 0xcafe_babe, Errno::FAULT);

#[derive(Clone, Debug)]
struct Entry {
    item: Item,
    data: Opaque,
    /// Of a socket that libzmq counts as thread-safe.
    listeners: Option<Arc<Listeners>>,
}

impl Entry {
    fn new(member: Member, data: Opaque, events: c_short) -> Result<Self, Errno> {
        let listeners = match member {
            Member::Fd(_) => None,
            Member::Socket(handle) => {
                let open = handle.lock()?;
                let shared = is_thread_safe(open.socket.socket_type());
                shared.then(|| open.listeners.clone())
            }
        };
        let item = Item::new(member.target(), events);
        Ok(Self {
            item,
            data,
            listeners,
        })
    }
}

/// `zmq_poller_event_t`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct PollerEvent {
    socket: *mut c_void,
    fd: RawFd,
    user_data: *mut c_void,
    events: c_short,
}

impl PollerEvent {
    const NONE: Self = Self {
        socket: ptr::null_mut(),
        fd: -1,
        user_data: ptr::null_mut(),
        events: 0,
    };

    fn of(entry: &Entry, found: c_short) -> Self {
        let (socket, fd) = match entry.item.target {
            Target::Socket(handle) => (handle.as_ptr(), -1),
            Target::Fd(fd) => (ptr::null_mut(), fd),
        };
        Self {
            socket,
            fd,
            user_data: entry.data.0,
            events: found,
        }
    }
}

/// What an entry is known by.
#[derive(Clone, Copy, Debug)]
enum Member {
    Socket(&'static SocketHandle),
    Fd(RawFd),
}

impl Member {
    fn socket(place: In<c_void>) -> Result<Self, Errno> {
        find(place).map(Self::Socket)
    }

    fn fd(fd: RawFd) -> Result<Self, Errno> {
        if fd < 0 {
            Err(Errno::BAD_FD)
        } else {
            Ok(Self::Fd(fd))
        }
    }

    fn target(self) -> Target {
        match self {
            Self::Socket(handle) => Target::Socket(handle),
            Self::Fd(fd) => Target::Fd(fd),
        }
    }

    fn is(self, entry: &Entry) -> bool {
        match (self, entry.item.target) {
            (Self::Socket(own), Target::Socket(other)) => ptr::eq(own, other),
            (Self::Fd(own), Target::Fd(other)) => own == other,
            (Self::Socket(_), Target::Fd(_)) | (Self::Fd(_), Target::Socket(_)) => false,
        }
    }
}

fn check_events(events: c_short) -> Result<(), Errno> {
    if events & !(POLLIN | POLLOUT | POLLERR | POLLPRI) == 0 {
        Ok(())
    } else {
        Err(Errno::INVALID)
    }
}

impl Poller {
    fn position(&self, member: Member) -> Option<usize> {
        self.entries.iter().position(|entry| member.is(entry))
    }

    fn add(&mut self, member: Member, data: Opaque, events: c_short) -> Result<Done, Errno> {
        check_events(events)?;
        if self.position(member).is_some() {
            return Err(Errno::INVALID);
        }
        let entry = Entry::new(member, data, events)?;
        if let (Some(bell), Some(listeners)) = (&self.bell, &entry.listeners) {
            listeners.add(bell);
            bell.ring();
        }
        self.entries.push(entry);
        Ok(Done)
    }

    fn modify(&mut self, member: Member, events: c_short) -> Result<Done, Errno> {
        check_events(events)?;
        let at = self.position(member).ok_or(Errno::INVALID)?;
        self.entries[at].item.events = events;
        Ok(Done)
    }

    fn remove(&mut self, member: Member) -> Result<Done, Errno> {
        let at = self.position(member).ok_or(Errno::INVALID)?;
        let entry = self.entries.remove(at);
        if let (Some(bell), Some(listeners)) = (&self.bell, entry.listeners) {
            listeners.remove(bell);
        }
        Ok(Done)
    }

    /// The descriptor that becomes readable when something comes for a thread-safe socket.
    fn fd(&mut self) -> Result<RawFd, Errno> {
        if let Some(bell) = &self.bell {
            return Ok(bell.raw_fd());
        }
        let all = self.entries.iter();
        let listeners: Vec<_> = all.filter_map(|entry| entry.listeners.as_ref()).collect();
        if listeners.is_empty() {
            return Err(Errno::INVALID);
        }
        let bell = Bell::new()?;
        for listeners in listeners {
            listeners.add(&bell);
        }
        // What came before it is news to it too.
        bell.ring();
        let fd = bell.raw_fd();
        self.bell = Some(bell);
        Ok(fd)
    }
}

/// Waits, and writes what is found over `events`. Returns how much.
fn wait(place: In<c_void>, events: &mut [PollerEvent], timeout: c_long) -> Result<usize, Errno> {
    let poller = Handle::<Poller>::find(place)?.lock()?;
    if let Some(bell) = &poller.bell {
        // Before the sockets are asked what it was rung for.
        bell.clear();
    }
    let entries = poller.entries.clone();
    drop(poller);
    let wanted: Vec<_> = entries
        .into_iter()
        .filter(|entry| entry.item.events != 0)
        .collect();
    let limit = poll::time_limit(timeout);
    if wanted.is_empty() && limit.is_none() {
        return Err(Errno::FAULT);
    }
    let mut items: Vec<_> = wanted.iter().map(|entry| entry.item).collect();
    let ready = poll::poll(&mut items, limit.map(longest), None)?;
    let found = wanted
        .iter()
        .zip(&items)
        .filter(|(_, item)| item.found != 0);
    let mut found = found.map(|(entry, item)| PollerEvent::of(entry, item.found));
    for event in &mut *events {
        *event = found.next().unwrap_or(PollerEvent::NONE);
    }
    if ready == 0 {
        return Err(Errno::AGAIN);
    }
    Ok(ready.min(events.len()))
}

/// What the system's `poll` can wait for.
fn longest(limit: Duration) -> Duration {
    limit.min(Duration::from_millis(c_int::MAX as u64))
}

fn with<R>(
    place: In<c_void>,
    run: impl FnOnce(&mut Poller) -> Result<R, Errno>,
) -> Result<R, Errno> {
    run(&mut *Handle::<Poller>::find(place)?.lock()?)
}

abi! {
    /// A new poller.
    fn zmq_poller_new() -> *mut c_void {
        Handle::open(Poller::default()).as_ptr()
    }

    /// Gives a poller up.
    fn zmq_poller_destroy(place: Out<Opaque>) -> Result<Done, Errno> {
        let place = place.get().ok_or(Errno::FAULT)?;
        let poller = Handle::<Poller>::find(place.as_in())?.close()?;
        if let Some(bell) = poller.bell {
            let all = poller.entries.iter().filter_map(|entry| entry.listeners.as_ref());
            all.for_each(|listeners| listeners.remove(&bell));
        }
        place.0 = ptr::null_mut();
        Ok(Done)
    }

    /// How many members it has.
    fn zmq_poller_size(place: In<c_void>) -> Result<c_int, Errno> {
        with(place, |poller| Ok(c_int::try_from(poller.entries.len()).unwrap_or(c_int::MAX)))
    }

    /// Adds a socket.
    fn zmq_poller_add(
        place: In<c_void>,
        socket: In<c_void>,
        data: Opaque,
        events: c_short,
    ) -> Result<Done, Errno> {
        with(place, |poller| poller.add(Member::socket(socket)?, data, events))
    }

    /// Changes what is waited for of a socket.
    fn zmq_poller_modify(
        place: In<c_void>,
        socket: In<c_void>,
        events: c_short,
    ) -> Result<Done, Errno> {
        with(place, |poller| poller.modify(Member::socket(socket)?, events))
    }

    /// Takes a socket out.
    fn zmq_poller_remove(place: In<c_void>, socket: In<c_void>) -> Result<Done, Errno> {
        with(place, |poller| poller.remove(Member::socket(socket)?))
    }

    /// Adds a descriptor.
    fn zmq_poller_add_fd(
        place: In<c_void>,
        fd: c_int,
        data: Opaque,
        events: c_short,
    ) -> Result<Done, Errno> {
        with(place, |poller| poller.add(Member::fd(fd)?, data, events))
    }

    /// Changes what is waited for of a descriptor.
    fn zmq_poller_modify_fd(
        place: In<c_void>,
        fd: c_int,
        events: c_short,
    ) -> Result<Done, Errno> {
        with(place, |poller| poller.modify(Member::fd(fd)?, events))
    }

    /// Takes a descriptor out.
    fn zmq_poller_remove_fd(place: In<c_void>, fd: c_int) -> Result<Done, Errno> {
        with(place, |poller| poller.remove(Member::fd(fd)?))
    }

    /// Waits for an event.
    fn zmq_poller_wait(
        place: In<c_void>,
        event: Out<PollerEvent>,
        timeout: c_long,
    ) -> Result<Done, Errno> {
        Handle::<Poller>::find(place)?;
        let events = event.slice(1).ok_or(Errno::FAULT)?;
        wait(place, events, timeout).map(|_| Done)
    }

    /// Waits for up to so many events; returns how many there are.
    fn zmq_poller_wait_all(
        place: In<c_void>,
        events: Out<PollerEvent>,
        count: c_int,
        timeout: c_long,
    ) -> Result<c_int, Errno> {
        Handle::<Poller>::find(place)?;
        if events.is_null() {
            return Err(Errno::FAULT);
        }
        let count = usize::try_from(count).map_err(|_| Errno::INVALID)?;
        let found = wait(place, events.slice(count).ok_or(Errno::FAULT)?, timeout)?;
        Ok(c_int::try_from(found).unwrap_or(c_int::MAX))
    }

    /// A descriptor to wait for the poller by, if it has a thread-safe socket.
    fn zmq_poller_fd(place: In<c_void>, fd: Out<RawFd>) -> Result<Done, Errno> {
        Handle::<Poller>::find(place)?;
        let place_of_fd = fd.get().ok_or(Errno::FAULT)?;
        *place_of_fd = with(place, Poller::fd)?;
        Ok(Done)
    }
}
