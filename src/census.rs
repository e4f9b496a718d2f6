//! [`Census`]: the sockets of a context that are not gone, for its limit and for its end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::command::{EndpointId, SocketCmd};
use crate::error::Error;
use crate::mailbox::Mailbox;
use crate::options::SocketType;

/// Names a socket within its context.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SocketId(u64);

/// A socket that holds up the end of its context.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct OpenSocket {
    /// What type it is.
    pub socket_type: SocketType,
    /// What it is bound and connected to.
    pub endpoints: Vec<String>,
    /// Whether the application has closed it, so that it only lingers to deliver messages.
    pub closed: bool,
}

/// What a socket is bound and connected to: kept by the socket, read by who asks about it.
#[derive(Debug, Default)]
pub(crate) struct Addresses(Mutex<Vec<(EndpointId, Arc<str>)>>);

impl Addresses {
    /// Adds one whose id is higher than all before.
    pub(crate) fn add(&self, id: EndpointId, address: Arc<str>) {
        let mut all = self.0.lock();
        if all.capacity() == 0 {
            // Most sockets have one.
            all.reserve_exact(1);
        }
        all.push((id, address));
    }

    /// Nothing happens if it is not there.
    pub(crate) fn remove(&self, id: EndpointId) {
        let mut all = self.0.lock();
        if let Ok(at) = all.binary_search_by_key(&id, |(id, _)| *id) {
            all.remove(at);
        }
    }

    pub(crate) fn list(&self) -> Vec<String> {
        let all = self.0.lock();
        all.iter().map(|(_, address)| address.to_string()).collect()
    }
}

#[derive(Debug)]
struct Entry {
    mailbox: Arc<Mailbox<SocketCmd>>,
    socket_type: SocketType,
    addresses: Arc<Addresses>,
    closed: bool,
}

impl Entry {
    fn about(&self) -> OpenSocket {
        OpenSocket {
            socket_type: self.socket_type,
            endpoints: self.addresses.list(),
            closed: self.closed,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    sockets: HashMap<u64, Entry>,
    last: u64,
    /// How many of them are closed.
    closed: usize,
    stopped: bool,
}

/// The list of sockets.
#[derive(Debug, Default)]
pub(crate) struct Census {
    state: Mutex<State>,
    changed: Condvar,
}

impl Census {
    /// Adds a socket. At the limit it waits until one that is closed is gone, which is a matter of
    /// moments unless that lingers, or until the deadline.
    ///
    /// # Errors
    /// [`Error::Term`] after [`Census::stop_all`], [`Error::TooManySockets`] beyond `max`.
    pub(crate) fn add(
        &self,
        socket_type: SocketType,
        mailbox: &Arc<Mailbox<SocketCmd>>,
        addresses: &Arc<Addresses>,
        max: usize,
        deadline: Instant,
    ) -> Result<SocketId, Error> {
        let mut state = self.state.lock();
        while !state.stopped && state.sockets.len() >= max {
            if state.closed == 0 || self.changed.wait_until(&mut state, deadline).timed_out() {
                return Err(Error::TooManySockets);
            }
        }
        if state.stopped {
            return Err(Error::Term);
        }
        state.last += 1;
        let id = state.last;
        let entry = Entry {
            mailbox: mailbox.clone(),
            socket_type,
            addresses: addresses.clone(),
            closed: false,
        };
        state.sockets.insert(id, entry);
        Ok(SocketId(id))
    }

    /// The socket is closed.
    pub(crate) fn set_closed(&self, id: SocketId) {
        let mut state = self.state.lock();
        let before = state
            .sockets
            .get_mut(&id.0)
            .map(|entry| std::mem::replace(&mut entry.closed, true));
        state.closed += usize::from(before == Some(false));
    }

    /// The socket is gone, and all that was its own.
    pub(crate) fn remove(&self, id: SocketId) {
        let mut state = self.state.lock();
        let gone = state.sockets.remove(&id.0);
        state.closed -= usize::from(gone.is_some_and(|entry| entry.closed));
        drop(state);
        self.changed.notify_all();
    }

    /// Whether no more sockets are taken.
    pub(crate) fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Takes no more sockets, and has all there are answer [`Error::Term`].
    pub(crate) fn stop_all(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        let entries = state.sockets.values();
        let mailboxes: Vec<_> = entries.map(|entry| entry.mailbox.clone()).collect();
        // Whoever watches a socket is told outside the lock.
        drop(state);
        self.changed.notify_all();
        for mailbox in mailboxes {
            mailbox.post(SocketCmd::Stop);
        }
    }

    /// Waits until no socket is left.
    ///
    /// # Errors
    /// The sockets that are left at the deadline.
    pub(crate) fn wait_empty(&self, deadline: Option<Instant>) -> Result<(), Vec<OpenSocket>> {
        let mut state = self.state.lock();
        while !state.sockets.is_empty() {
            let late = match deadline {
                Some(deadline) => self.changed.wait_until(&mut state, deadline).timed_out(),
                None => {
                    self.changed.wait(&mut state);
                    false
                }
            };
            if late && !state.sockets.is_empty() {
                return Err(state.sockets.values().map(Entry::about).collect());
            }
        }
        Ok(())
    }
}
