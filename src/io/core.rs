//! [`IoCore`]: everything an I/O thread owns but its poller, as one value.
//!
//! It reacts to events, commands and deadlines, and never waits. Its thread runs it after each
//! wait; while the thread sleeps, whoever posts a command may run it instead, see
//! [`IoCore::help`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::command::{ChildId, Guest, IoCmd, IoHandle, Turn, TurnSignal};
use crate::io::datagrams::Datagrams;
use crate::io::listener::Listener;
use crate::io::poller::{self, Readiness};
use crate::io::session_base::{IoContext, SessionBase};
use crate::pipe::PipeEvent;
use crate::slab::{Key, Slab};

/// What lives on an I/O thread.
#[derive(Debug)]
enum Resident {
    Listener(Box<Listener>),
    Session(Box<SessionBase>),
    Guest(Box<dyn Guest>),
    Datagrams(Box<Datagrams>),
}

impl Resident {
    /// Goes on where it stopped, or sees what a deadline means.
    fn turn(&mut self, cx: &mut IoContext) -> Turn {
        match self {
            Self::Listener(listener) => listener.turn(cx),
            Self::Session(session) => session.turn(cx),
            Self::Datagrams(datagrams) => datagrams.turn(cx),
            Self::Guest(guest) => guest.turn(cx.now),
        }
    }

    fn on_readiness(&mut self, readiness: Readiness, cx: &mut IoContext) -> Turn {
        match self {
            Self::Listener(listener) => listener.turn(cx),
            Self::Session(session) => session.on_readiness(readiness, cx),
            Self::Datagrams(datagrams) => datagrams.on_readiness(readiness, cx),
            Self::Guest(guest) => guest.turn(cx.now),
        }
    }

    fn on_pipe(&mut self, event: PipeEvent, cx: &mut IoContext) -> Turn {
        match self {
            Self::Listener(_) | Self::Guest(_) => Turn::Idle,
            Self::Session(session) => session.on_pipe(event, cx),
            Self::Datagrams(datagrams) => datagrams.on_pipe(event, cx),
        }
    }

    fn on_close(&mut self, linger: Option<Duration>, cx: &mut IoContext) -> Turn {
        match self {
            Self::Listener(listener) => listener.on_close(cx),
            Self::Session(session) => session.on_close(linger, cx),
            Self::Datagrams(datagrams) => datagrams.on_close(linger, cx),
            Self::Guest(guest) => guest.turn(cx.now),
        }
    }

    fn on_deadline(&mut self, cx: &mut IoContext) -> Turn {
        match self {
            Self::Listener(listener) => listener.turn(cx),
            Self::Session(session) => session.on_deadline(cx),
            Self::Datagrams(datagrams) => datagrams.turn(cx),
            Self::Guest(guest) => guest.turn(cx.now),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Listener(listener) => listener.deadline(),
            Self::Session(session) => session.deadline(),
            Self::Datagrams(datagrams) => datagrams.deadline(),
            Self::Guest(guest) => guest.deadline(),
        }
    }
}

#[derive(Debug)]
struct Tenant {
    resident: Resident,
    /// The deadline under which it is filed.
    filed: Option<Instant>,
    /// It is among those who go on in the next round.
    goes_on: bool,
}

/// The state of one I/O thread.
#[derive(Debug)]
pub(crate) struct IoCore {
    tenants: Slab<Tenant>,
    deadlines: BTreeSet<(Instant, Key)>,
    /// Who stopped for the sake of others and goes on in the next turn.
    again: Vec<Key>,
    /// One of those has something to do at once.
    hurries: bool,
    /// Somebody would have what comes gather for so long.
    gathers: Option<Duration>,
    threads: Arc<[IoHandle]>,
    stopping: bool,
    /// The deadline until which the thread sleeps, if it does.
    waits_until: Option<Instant>,
    /// When the thread was last signalled, or the help for that ended.
    last_signal: Instant,
    cx: IoContext,
}

/// Signals that come faster than this are a stream of messages: then the thread wakes up and
/// collects them in batches, while a lone message is written at once by its sender.
const STREAMING: Duration = Duration::from_micros(10);

impl IoCore {
    pub(crate) fn new(cx: IoContext, threads: Arc<[IoHandle]>) -> Self {
        Self {
            tenants: Slab::new(),
            deadlines: BTreeSet::new(),
            again: Vec::new(),
            hurries: false,
            gathers: None,
            threads,
            stopping: false,
            waits_until: None,
            last_signal: cx.now,
            cx,
        }
    }

    /// Before the thread waits: for how long it may (`None`: for as long as it takes).
    pub(crate) fn fall_asleep(&mut self) -> Option<Duration> {
        if !self.again.is_empty() || !self.cx.mailbox.may_sleep() {
            return Some(Duration::ZERO);
        }
        self.waits_until = self.next_deadline();
        self.waits_until
            .map(|deadline| deadline.saturating_duration_since(poller::now()))
    }

    /// Whether nothing is to be done but to look once more in a moment.
    pub(crate) fn dozes(&self) -> bool {
        !self.again.is_empty() && !self.hurries && !self.cx.mailbox.is_pending()
    }

    /// For how long the thread, which may wait, had better let what comes gather first. As it has fallen
    /// asleep, those who post commands do its work meanwhile, if that can be done without it.
    pub(crate) fn gathers(&self) -> Option<Duration> {
        self.gathers
            .filter(|_| self.again.is_empty() && !self.cx.mailbox.is_pending())
    }

    /// The thread has waited, and this is what it found.
    pub(crate) fn wake_up(&mut self, events: impl Iterator<Item = (Key, Readiness)>) {
        self.cx.mailbox.awake();
        self.cx.now = poller::now();
        self.gathers = None;
        for (key, readiness) in events {
            self.on_readiness(key, readiness);
        }
        self.run();
    }

    /// Does everything that does not have to be waited for.
    fn run(&mut self) {
        let mailbox = self.cx.mailbox.clone();
        if mailbox.is_pending() {
            for command in mailbox.drain() {
                self.on_command(command);
            }
        }
        self.hurries = false;
        for key in std::mem::take(&mut self.again) {
            if let Some(tenant) = self.tenants.get_mut(key) {
                tenant.goes_on = false;
            }
            self.with_tenant(key, Resident::turn);
        }
        self.on_deadlines();
    }

    /// Does the sleeping thread's work on the thread of whoever posted a command, if that is
    /// worth it. False if the thread must wake up all the same.
    pub(crate) fn help(&mut self) -> bool {
        let now = poller::now();
        let pause = now.saturating_duration_since(std::mem::replace(&mut self.last_signal, now));
        if pause < STREAMING {
            return false;
        }
        self.cx.now = now;
        self.run();
        // A large message takes as long to write as a pause: who has the next one ready streams.
        self.last_signal = poller::now();
        let settled = self.again.is_empty() && self.cx.mailbox.may_sleep();
        settled && !self.is_done() && !self.must_wake_earlier()
    }

    fn must_wake_earlier(&self) -> bool {
        let until = self.waits_until;
        self.next_deadline()
            .is_some_and(|next| until.is_none_or(|until| next < until))
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Whether the thread should end.
    pub(crate) fn is_done(&self) -> bool {
        self.stopping && self.tenants.is_empty() && !self.cx.mailbox.is_pending()
    }

    fn on_readiness(&mut self, key: Key, readiness: Readiness) {
        self.with_tenant(key, |resident, cx| resident.on_readiness(readiness, cx));
    }

    fn on_command(&mut self, command: IoCmd) {
        match command {
            IoCmd::Pipe(key, event) => {
                self.with_tenant(key, |resident, cx| resident.on_pipe(event, cx));
            }
            IoCmd::Zap(key, event) => self.with_session(key, |s, cx| s.on_zap(event, cx)),
            IoCmd::Resolved(key, found) => {
                self.with_session(key, |session, cx| session.on_resolved(*found, cx));
            }
            IoCmd::Close(key, linger) => {
                self.with_tenant(key, |resident, cx| resident.on_close(linger, cx));
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
                let key = self.settle_in(|me, cx| {
                    Resident::Listener(Box::new(Listener::new(*spec, me, threads, cx)))
                });
                self.with_tenant(key, Resident::turn);
            }
            IoCmd::Datagrams(spec) => {
                let key = self.settle_in(|me, cx| {
                    Resident::Datagrams(Box::new(Datagrams::new(*spec, me, cx)))
                });
                self.with_tenant(key, Resident::turn);
            }
            IoCmd::Host(guest) => {
                let key = self.settle_in(|me, cx| {
                    let mut guest = guest;
                    guest.settle_in(Arc::new(TurnSignal {
                        thread: cx.mailbox.clone(),
                        guest: me.key,
                    }));
                    Resident::Guest(guest)
                });
                self.with_guest(key);
            }
            IoCmd::Turn(key) => self.with_guest(key),
            IoCmd::Stop => {
                self.stopping = true;
                // All sockets are gone. A session that was on its way from its listener when its
                // socket went has nobody who would close it.
                self.tenants = Slab::new();
            }
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
            self.with_tenant(key, Resident::on_deadline);
        }
    }

    fn settle_in(&mut self, make: impl FnOnce(ChildId, &IoContext) -> Resident) -> Key {
        let (thread, cx) = (self.cx.thread, &self.cx);
        self.tenants.insert_with(|key| Tenant {
            resident: make(ChildId { thread, key }, cx),
            filed: None,
            goes_on: false,
        })
    }

    fn with_session(
        &mut self,
        key: Key,
        act: impl FnOnce(&mut SessionBase, &mut IoContext) -> Turn,
    ) {
        self.with_tenant(key, |resident, cx| match resident {
            Resident::Session(session) => act(session, cx),
            Resident::Listener(_) | Resident::Datagrams(_) | Resident::Guest(_) => Turn::Idle,
        });
    }

    fn with_guest(&mut self, key: Key) {
        self.with_tenant(key, |resident, cx| match resident {
            Resident::Guest(guest) => guest.turn(cx.now),
            Resident::Listener(_) | Resident::Session(_) | Resident::Datagrams(_) => Turn::Idle,
        });
    }

    /// Lets a resident act, and files what it wants next. A stale key is nobody.
    fn with_tenant(&mut self, key: Key, act: impl FnOnce(&mut Resident, &mut IoContext) -> Turn) {
        let Some(tenant) = self.tenants.get_mut(key) else {
            return;
        };
        let turn = act(&mut tenant.resident, &mut self.cx);
        let wanted = match turn {
            Turn::Gone => None,
            Turn::Idle | Turn::Again | Turn::Doze | Turn::Gather(_) => tenant.resident.deadline(),
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
            Turn::Gather(pause) => {
                self.gathers = Some(self.gathers.map_or(pause, |other| other.min(pause)));
            }
            Turn::Again | Turn::Doze => {
                self.hurries |= turn == Turn::Again;
                // Once in a round, however often it was run in the last.
                if !std::mem::replace(&mut tenant.goes_on, true) {
                    self.again.push(key);
                }
            }
            Turn::Gone => {
                self.threads[self.cx.thread]
                    .load
                    .fetch_sub(1, Ordering::Relaxed);
                self.tenants.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
