//! [`Roster`]: the children of a socket, its listeners and sessions, who come and go on I/O threads
//! while the socket notices only in calls.
//!
//! It keeps what was not noticed yet, and forgets whatever cancels out: peers cannot fill our memory
//! by coming and going. Its lock is taken when a child comes or goes, and never for a message.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::pipe::PipeEnd;
use crate::slab::Key;

/// One of a socket's endpoints: what one call of bind or connect made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct EndpointId(pub(crate) u64);

/// The address of a listener or session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ChildId {
    /// Which I/O thread it lives on.
    pub thread: usize,
    pub key: Key,
}

/// What a socket has not noticed of its children. An accepted connection that has come and gone
/// leaves no trace but its pipe, if its handshake was done: that may hold messages.
#[derive(Default, Debug)]
pub(crate) struct Roster {
    changes: Mutex<Changes>,
    /// How many pipes are on their way to the socket whose connections are gone.
    orphans: AtomicUsize,
}

#[derive(Default, Debug)]
struct Changes {
    children: HashMap<ChildId, Change>,
    /// The socket is on its way to hear of them.
    told: bool,
}

/// What has become of a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Change {
    pub endpoint: EndpointId,
    /// It is what bind or connect itself has launched.
    pub own: bool,
    pub has_come: bool,
    pub is_gone: bool,
}

impl Roster {
    /// With so many pipes of connections that are gone, those who come are to wait until the socket
    /// has noticed.
    const ORPHANS_MAX: usize = 1000;

    /// Whether the socket must be told.
    #[must_use]
    pub(crate) fn enter(&self, child: ChildId, endpoint: EndpointId, own: bool) -> bool {
        let change = Change {
            endpoint,
            own,
            has_come: true,
            is_gone: false,
        };
        let mut changes = self.changes.lock();
        changes.children.insert(child, change);
        !std::mem::replace(&mut changes.told, true)
    }

    /// As for [`Roster::enter`].
    #[must_use]
    pub(crate) fn leave(&self, child: ChildId, endpoint: EndpointId) -> bool {
        let mut changes = self.changes.lock();
        match changes.children.entry(child) {
            Entry::Occupied(unnoticed) if !unnoticed.get().own => drop(unnoticed.remove()),
            Entry::Occupied(mut unnoticed) => unnoticed.get_mut().is_gone = true,
            Entry::Vacant(noticed) => drop(noticed.insert(Change {
                endpoint,
                own: false,
                has_come: false,
                is_gone: true,
            })),
        }
        !std::mem::replace(&mut changes.told, true)
    }

    /// Socket: takes notice.
    pub(crate) fn take(&self) -> HashMap<ChildId, Change> {
        std::mem::take(&mut *self.changes.lock()).children
    }

    /// The connection of this pipe is gone; the socket may have noticed the pipe or not.
    pub(crate) fn orphan(&self, pipe: &PipeEnd) {
        // Relaxed: it only counts. In this order, so that it is never below zero.
        self.orphans.fetch_add(1, Ordering::Relaxed);
        if pipe.make_known() {
            self.orphans.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Socket: has noticed this pipe, whose connection may be gone or not.
    pub(crate) fn adopt(&self, pipe: &PipeEnd) {
        if pipe.make_known() {
            self.orphans.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether who comes is to wait.
    pub(crate) fn is_overrun(&self) -> bool {
        self.orphans.load(Ordering::Relaxed) >= Self::ORPHANS_MAX
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::slab::Slab;

    const ENDPOINT: EndpointId = EndpointId(1);

    fn children() -> [ChildId; 2] {
        let mut slab = Slab::new();
        [(); 2].map(|()| ChildId {
            thread: 0,
            key: slab.insert(()),
        })
    }

    #[test]
    fn connections_that_come_and_go_unnoticed_leave_no_trace() {
        let (roster, [listener, child]) = (Roster::default(), children());
        assert!(roster.enter(listener, ENDPOINT, true));
        for _ in 0..100 {
            assert!(!roster.enter(child, ENDPOINT, false), "it was told");
            assert!(!roster.leave(child, ENDPOINT));
        }
        let noticed = roster.take();
        assert_eq!(noticed.keys().collect::<Vec<_>>(), [&listener]);
        assert!(roster.take().is_empty());
    }

    #[test]
    fn what_was_launched_is_told_of_to_its_end() {
        let (roster, [listener, child]) = (Roster::default(), children());
        let _ = roster.enter(listener, ENDPOINT, true);
        let _ = roster.leave(listener, ENDPOINT);
        let change = roster.take()[&listener];
        assert!(change.own && change.has_come && change.is_gone);

        assert!(roster.enter(child, ENDPOINT, false));
        assert!(!roster.take()[&child].is_gone);
        assert!(roster.leave(child, ENDPOINT));
        let change = roster.take()[&child];
        assert!(change.is_gone && !change.has_come);
    }

    #[test]
    fn pipes_count_until_they_are_noticed() {
        let roster = Roster::default();
        let pipes: Vec<_> = (0..Roster::ORPHANS_MAX)
            .map(|_| crate::pipe::pair(false))
            .collect();
        for (session, _) in &pipes {
            roster.orphan(session);
        }
        assert!(roster.is_overrun());
        roster.adopt(&pipes[0].1);
        assert!(!roster.is_overrun());
        let (session, socket) = crate::pipe::pair(false);
        roster.adopt(&socket);
        roster.orphan(&session);
        assert!(!roster.is_overrun(), "it was noticed before");
    }
}
