//! [`IoCore`]: everything an I/O thread owns, as one value; and the thread that drives it.
//!
//! The core is driven by [`IoCore::turn`] alone: a thread does it in a loop, a test by hand.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;

use crate::command::{ChildId, IoCmd, IoHandle};
use crate::io::connection::Input;
use crate::io::listener::Listener;
use crate::io::poller::{self, Poller, Readiness};
use crate::io::resolver::Resolver;
use crate::io::session_base::{IoContext, SessionBase, Turn};
use crate::slab::{Key, Slab};

/// What lives on an I/O thread.
#[derive(Debug)]
enum Resident {
    Listener(Listener),
    Session(Box<SessionBase>),
}

#[derive(Debug)]
struct Tenant {
    resident: Resident,
    /// The deadline under which it is filed.
    filed: Option<Instant>,
}

/// The state of one I/O thread.
#[derive(Debug)]
pub(crate) struct IoCore {
    poller: Poller,
    tenants: Slab<Tenant>,
    deadlines: BTreeSet<(Instant, Key)>,
    /// Who stopped for the sake of others and goes on in the next turn.
    again: Vec<Key>,
    threads: Arc<[IoHandle]>,
    stopping: bool,
    cx: IoContext,
}

impl IoCore {
    /// The core of thread number `thread` of those in `threads`.
    ///
    /// # Errors
    /// What the system answers when it has no descriptors left.
    pub(crate) fn new(
        thread: usize,
        threads: Arc<[IoHandle]>,
        resolver: Resolver,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        let mailbox = threads[thread].mailbox.clone();
        mailbox.retarget(&poller.signal()?);
        let registry = poller.registry()?;
        let cx = IoContext {
            thread,
            registry,
            mailbox,
            resolver,
            input: Input::new(),
            now: poller::now(),
        };
        Ok(Self {
            poller,
            tenants: Slab::new(),
            deadlines: BTreeSet::new(),
            again: Vec::new(),
            threads,
            stopping: false,
            cx,
        })
    }

    /// Waits until there is something to do, and does it. False when the thread should end.
    pub(crate) fn turn(&mut self) -> bool {
        self.wait();
        self.cx.now = poller::now();
        let events: Vec<_> = self.poller.events().collect();
        for (key, readiness) in events {
            self.on_readiness(key, readiness);
        }
        let mailbox = self.cx.mailbox.clone();
        if mailbox.is_pending() {
            for command in mailbox.drain() {
                self.on_command(command);
            }
        }
        for key in std::mem::take(&mut self.again) {
            self.with_tenant(key, |resident, cx| match resident {
                Resident::Listener(listener) => listener.turn(cx),
                Resident::Session(session) => session.turn(cx),
            });
        }
        self.on_deadlines();
        !(self.stopping && self.tenants.is_empty() && !self.cx.mailbox.is_pending())
    }

    fn wait(&mut self) {
        let at_once = !self.again.is_empty() || !self.cx.mailbox.may_sleep();
        let timeout = if at_once {
            Some(std::time::Duration::ZERO)
        } else {
            let next = self.deadlines.first();
            next.map(|(deadline, _)| deadline.saturating_duration_since(poller::now()))
        };
        self.poller.wait(timeout);
        self.cx.mailbox.awake();
    }

    fn on_readiness(&mut self, key: Key, readiness: Readiness) {
        self.with_tenant(key, |resident, cx| match resident {
            Resident::Listener(listener) => listener.turn(cx),
            Resident::Session(session) => session.on_readiness(readiness, cx),
        });
    }

    fn on_command(&mut self, command: IoCmd) {
        match command {
            IoCmd::Pipe(key, event) => self.with_session(key, |s, cx| s.on_pipe(event, cx)),
            IoCmd::Resolved(key, found) => {
                self.with_session(key, |session, cx| session.on_resolved(*found, cx));
            }
            IoCmd::Close(key, linger) => {
                self.with_tenant(key, |resident, cx| match resident {
                    Resident::Listener(_) => Turn::Gone,
                    Resident::Session(session) => session.on_close(linger, cx),
                });
            }
            IoCmd::Launch(spec) => {
                let mut start = None;
                let key = self.settle_in(|me, cx| {
                    let (session, begun) = SessionBase::new(*spec, me, cx);
                    start = Some(begun);
                    Resident::Session(Box::new(session))
                });
                self.with_session(key, |session, cx| {
                    start
                        .take()
                        .map_or(Turn::Idle, |start| session.start(start, cx))
                });
            }
            IoCmd::Listen(spec) => {
                let threads = self.threads.clone();
                let key = self
                    .settle_in(|me, cx| Resident::Listener(Listener::new(*spec, me, threads, cx)));
                self.with_tenant(key, |resident, cx| match resident {
                    Resident::Listener(listener) => listener.turn(cx),
                    Resident::Session(_) => Turn::Idle,
                });
            }
            IoCmd::Stop => self.stopping = true,
        }
    }

    fn on_deadlines(&mut self) {
        while let Some(&(deadline, key)) = self.deadlines.first() {
            if deadline > self.cx.now {
                break;
            }
            self.deadlines.remove(&(deadline, key));
            if let Some(tenant) = self.tenants.get_mut(key) {
                tenant.filed = None;
            }
            self.with_tenant(key, |resident, cx| match resident {
                Resident::Listener(listener) => listener.turn(cx),
                Resident::Session(session) => session.on_deadline(cx),
            });
        }
    }

    fn settle_in(&mut self, make: impl FnOnce(ChildId, &IoContext) -> Resident) -> Key {
        self.threads[self.cx.thread]
            .load
            .fetch_add(1, Ordering::Relaxed);
        let (thread, cx) = (self.cx.thread, &self.cx);
        self.tenants.insert_with(|key| Tenant {
            resident: make(ChildId { thread, key }, cx),
            filed: None,
        })
    }

    fn with_session(
        &mut self,
        key: Key,
        act: impl FnOnce(&mut SessionBase, &mut IoContext) -> Turn,
    ) {
        self.with_tenant(key, |resident, cx| match resident {
            Resident::Session(session) => act(session, cx),
            Resident::Listener(_) => Turn::Idle,
        });
    }

    /// Lets a resident act, and files what it wants next. A stale key is nobody.
    fn with_tenant(&mut self, key: Key, act: impl FnOnce(&mut Resident, &mut IoContext) -> Turn) {
        let Some(tenant) = self.tenants.get_mut(key) else {
            return;
        };
        let turn = act(&mut tenant.resident, &mut self.cx);
        let wanted = match (&tenant.resident, turn) {
            (_, Turn::Gone) => None,
            (Resident::Listener(listener), _) => listener.deadline(),
            (Resident::Session(session), _) => session.deadline(),
        };
        if wanted != tenant.filed {
            if let Some(old) = std::mem::replace(&mut tenant.filed, wanted) {
                self.deadlines.remove(&(old, key));
            }
            self.deadlines
                .extend(wanted.map(|deadline| (deadline, key)));
        }
        match turn {
            Turn::Idle => {}
            Turn::Again => self.again.push(key),
            Turn::Gone => {
                self.threads[self.cx.thread]
                    .load
                    .fetch_sub(1, Ordering::Relaxed);
                self.tenants.remove(key);
            }
        }
    }
}

/// Starts the thread that drives `core`, pinned to `core_id` if there is one.
///
/// # Errors
/// The system has no more threads.
pub(crate) fn spawn(
    mut core: IoCore,
    name: String,
    core_id: Option<usize>,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(move || {
        if let Some(id) = core_id {
            if !core_affinity::set_for_current(core_affinity::CoreId { id }) {
                log::warn!(target: "ferrozmq", "an I/O thread cannot be pinned to core {id}");
            }
        }
        while core.turn() {}
    })
}
