//! The vocabulary of threads: what sockets, sessions and listeners say to each other.
//!
//! One closed enum per kind of receiver. A command carries keys and owned values, never
//! references; when it comes too late its key misses, or its contents are dropped, and both end
//! the matter.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use socket2::Socket;

use crate::endpoint::Endpoint;
use crate::engine::Engine;
use crate::mailbox::Mailbox;
use crate::monitor::EventSink;
use crate::options::SharedOptions;
use crate::pipe::{PipeEnd, PipeEvent, PipePeer};
use crate::roster::Roster;
pub(crate) use crate::roster::{ChildId, EndpointId};
use crate::signaler::Signal;
use crate::slab::Key;
use crate::zap::{AuthRequest, Verdict};

/// What an I/O thread is told.
#[derive(Debug)]
pub(crate) enum IoCmd {
    /// News of a session's pipe.
    Pipe(Key, PipeEvent),
    /// News of a session's pipe to a ZAP handler.
    Zap(Key, PipeEvent),
    /// Run a session.
    Launch(Box<SessionSpec>),
    /// Run a listener.
    Listen(Box<ListenSpec>),
    /// Run a guest.
    Host(Box<dyn Guest>),
    /// The guest of this name has something to do.
    Turn(Key),
    /// Run a udp socket.
    Datagrams(Box<DatagramSpec>),
    /// The addresses that a session asked for.
    Resolved(Key, Box<std::io::Result<Vec<SocketAddr>>>),
    /// The owner of this child wants it gone, at the latest when the linger is over (`None`:
    /// never).
    Close(Key, Option<Duration>),
    /// All sockets are gone: end.
    Stop,
}

/// What a socket is told.
#[derive(Debug)]
pub(crate) enum SocketCmd {
    /// News of one of its pipes.
    Pipe(Key, PipeEvent),
    /// A new pipe of an endpoint.
    Bind(Box<(PipeEnd, EndpointId)>),
    /// Listeners or sessions have started, or are gone: see the [`Roster`].
    Children,
    /// A sender's pipe.
    AddFeed(Box<PipeEnd>),
    /// News of a sender's pipe.
    Feed(Key, PipeEvent),
    /// Look whether there is something to do for the senders.
    Resume,
    /// The context is being terminated.
    Stop,
}

const _: () = assert!(size_of::<IoCmd>() <= 32, "commands are small");
const _: () = assert!(size_of::<SocketCmd>() <= 16, "commands are small");

/// How a turn of a resident of an I/O thread ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// Nothing to do until something happens.
    Idle,
    /// There is more to do at once, but others come first.
    Again,
    /// Nothing to do, but very likely in a moment: a stream has paused. Others come first, those who
    /// want the core among them.
    Doze,
    /// Nothing to do, and what comes next should gather for so long.
    Gather(Duration),
    /// It is over: remove it.
    Gone,
}

/// What an I/O thread runs without knowing what it is: it has no descriptor.
pub(crate) trait Guest: std::fmt::Debug + Send {
    /// Lives on an I/O thread from now on; the signal gets it a turn.
    fn settle_in(&mut self, signal: Arc<dyn Signal>);

    /// Does what can be done at once.
    fn turn(&mut self, now: Instant) -> Turn;

    /// When it wants a turn although nothing happened.
    fn deadline(&self) -> Option<Instant>;
}

/// Gets a guest its turn.
#[derive(Debug)]
pub(crate) struct TurnSignal {
    pub thread: Arc<Mailbox<IoCmd>>,
    pub guest: Key,
}

impl Signal for TurnSignal {
    fn signal(&self) {
        self.thread.post(IoCmd::Turn(self.guest));
    }
}

/// A session to be run: one connection, made by us or accepted.
#[derive(Debug)]
pub(crate) struct SessionSpec {
    pub parent: Parent,
    pub link: LinkSpec,
    /// The session's end of its pipe; `None` makes one for each connection once it is up.
    pub pipe: Option<PipeEnd>,
}

/// Where a session's connections come from.
#[derive(Debug)]
pub(crate) enum LinkSpec {
    /// Connect to this endpoint, again and again.
    Connect(Endpoint),
    /// Use this accepted connection; the texts are the local and the peer's endpoint.
    Accepted {
        socket: Socket,
        local: String,
        peer: String,
    },
}

/// A listener to be run on a socket that listens already.
#[derive(Debug)]
pub(crate) struct ListenSpec {
    pub parent: Parent,
    pub socket: Socket,
    /// The endpoint as it was resolved.
    pub endpoint: String,
    /// Whatever must be cleaned up when the listener is gone: the ipc file.
    pub guard: Option<Box<dyn std::fmt::Debug + Send + Sync>>,
}

/// A udp socket to be run.
#[derive(Debug)]
pub(crate) struct DatagramSpec {
    pub parent: Parent,
    pub socket: Socket,
    pub form: DatagramForm,
    pub pipe: PipeEnd,
}

/// How messages are datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DatagramForm {
    /// RADIO: group and body, all to this address.
    SendTo(SocketAddr),
    /// DISH: group and body.
    Receive,
    /// DGRAM: the first frame of a message is the address that its body goes to or comes from.
    Addressed,
}

/// What a child knows of the socket it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    pub mailbox: Arc<Mailbox<SocketCmd>>,
    pub endpoint: EndpointId,
    pub options: SharedOptions,
    pub events: EventSink,
    pub doorkeeper: Arc<dyn Doorkeeper>,
    pub roster: Arc<Roster>,
    /// What is spoken over connections, if it is none of ZeroMQ's protocols.
    pub protocol: Option<Arc<dyn Protocol>>,
}

impl Parent {
    /// A child begins: the one that bind or connect has launched (`own`), or an accepted connection.
    pub(crate) fn enter(&self, child: ChildId, own: bool) {
        if self.roster.enter(child, self.endpoint, own) {
            self.mailbox.post(SocketCmd::Children);
        }
    }

    /// A child is gone; to be said last.
    pub(crate) fn leave(&self, child: ChildId) {
        if self.roster.leave(child, self.endpoint) {
            self.mailbox.post(SocketCmd::Children);
        }
    }
}

/// A protocol that another crate brings: what has an engine made for each connection.
pub trait Protocol: std::fmt::Debug + Send + Sync {
    /// The engine of a connection that has just been made, to or from the peer at this address:
    /// that of tcp without its port; `None` if nothing is known of the peer.
    fn engine(&self, peer_address: Option<String>) -> Box<dyn Engine>;
}

/// Who is asked whether a peer may come in; a session knows no names, so it is given this.
pub(crate) trait Doorkeeper: std::fmt::Debug + Send + Sync {
    /// Answers, or tells who will. Never waits.
    fn ask(&self, request: &AuthRequest) -> Answer;
}

/// What a [`Doorkeeper`] says.
#[derive(Debug)]
pub(crate) enum Answer {
    Verdict(Verdict),
    /// A handler is to be asked, which reads the other end of this pipe.
    Handler(Box<PipeEnd>),
}

/// An I/O thread as the others see it.
#[derive(Clone, Debug)]
pub(crate) struct IoHandle {
    pub mailbox: Arc<Mailbox<IoCmd>>,
    /// How many residents it has or is about to have, to choose the least loaded.
    pub load: Arc<AtomicUsize>,
}

impl IoHandle {
    pub(crate) fn new() -> Self {
        Self {
            mailbox: Arc::new(Mailbox::new()),
            load: Arc::default(),
        }
    }

    /// Gives the thread something that will live on it. That counts at once: of many connections that
    /// are accepted in one moment, not all go to the same thread.
    ///
    /// Whoever connects or binds does not do that himself in the thread's place: he returns at once, and can
    /// still begin to listen for what comes of it.
    pub(crate) fn launch(&self, command: IoCmd) {
        self.load.fetch_add(1, Ordering::Relaxed);
        self.mailbox.post_work(command);
    }

    /// The least loaded of the threads that `affinity` allows (bit n: thread n; 0: all).
    pub(crate) fn choose(handles: &[Self], affinity: u64) -> Option<usize> {
        let allowed = |thread: &usize| {
            affinity == 0 || affinity.checked_shr(*thread as u32).unwrap_or(0) & 1 == 1
        };
        (0..handles.len())
            .filter(allowed)
            .min_by_key(|&thread| handles[thread].load.load(Ordering::Relaxed))
    }
}

impl PipePeer for Mailbox<IoCmd> {
    fn post(&self, to: Key, event: PipeEvent) {
        self.post(IoCmd::Pipe(to, event));
    }
}

/// The address of a session's pipe to a ZAP handler.
#[derive(Debug)]
pub(crate) struct ZapPeer(pub(crate) Arc<Mailbox<IoCmd>>);

impl PipePeer for ZapPeer {
    fn post(&self, to: Key, event: PipeEvent) {
        self.0.post(IoCmd::Zap(to, event));
    }
}

impl PipePeer for Mailbox<SocketCmd> {
    fn post(&self, to: Key, event: PipeEvent) {
        self.post(SocketCmd::Pipe(to, event));
    }
}

/// Lets nobody know anybody: for tests of sessions that ask nobody.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Nobody;

#[cfg(test)]
impl Doorkeeper for Nobody {
    fn ask(&self, _request: &AuthRequest) -> Answer {
        Answer::Verdict(Verdict::NobodyThere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However late the threads get to it.
    #[test]
    fn what_is_launched_is_spread_over_the_threads_allowed() {
        let handles = [IoHandle::new(), IoHandle::new(), IoHandle::new()];
        for _ in 0..10 {
            let thread = IoHandle::choose(&handles, 0b101).expect("a thread");
            handles[thread].launch(IoCmd::Stop);
        }
        let loads = handles.map(|handle| handle.load.load(Ordering::Relaxed));
        assert_eq!(loads, [5, 0, 5]);
    }
}
