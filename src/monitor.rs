//! [`Monitor`]: what happens to a socket's connections, as typed events.
//!
//! Events are made on I/O threads and must never hold one up: a reader that does not keep up
//! loses events, and a counter says how many. What is worth an operator's attention also goes to
//! the `log` crate, from here and nowhere else.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use atomic_waker::AtomicWaker;
use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError};
use parking_lot::Mutex;

use crate::error::{ProtocolError, ZapError};
use crate::msg::Metadata;

/// How many events wait for a slow reader before they are dropped.
const CAPACITY: usize = 4096;

/// Something happened to one of the socket's endpoints or connections.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Our endpoint: the one bound to, or the local address of a connection; empty if unknown.
    pub local: String,
    /// The peer's endpoint: the one connected to, or where a connection came from; empty for
    /// events of a listener.
    pub remote: String,
    /// Who the peer is, once the handshake has told.
    pub peer: Option<Arc<Metadata>>,
}

/// What happened. Descriptors are given for correlation only: they may be closed already.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// The transport connected to the peer; the handshake begins.
    Connected {
        /// The descriptor of the connection.
        fd: i32,
    },
    /// An attempt to connect has begun and is under way.
    ConnectDelayed,
    /// The connection was lost or could not be made; the next attempt comes after `interval`.
    ConnectRetried {
        /// The time until the next attempt.
        interval: Duration,
        /// Why one is needed.
        reason: Reason,
    },
    /// The socket will not connect to this endpoint any more.
    ConnectStopped {
        /// Why it was given up.
        reason: Reason,
    },
    /// The socket listens.
    Listening {
        /// The descriptor of the listener.
        fd: i32,
    },
    /// The socket could not listen.
    BindFailed {
        /// The `errno`.
        errno: i32,
    },
    /// A connection was accepted; the handshake begins.
    Accepted {
        /// The descriptor of the connection.
        fd: i32,
    },
    /// A connection could not be accepted. When descriptors have run out the listener waits a
    /// moment and tries again.
    AcceptFailed {
        /// The `errno`; `EACCES` for a connection that a filter refused.
        errno: i32,
    },
    /// The listener is closed, or the descriptor of an attempt to connect that failed.
    Closed {
        /// The descriptor that was closed.
        fd: i32,
    },
    /// The connection is gone.
    Disconnected {
        /// The descriptor of the connection.
        fd: i32,
        /// Why.
        reason: Reason,
    },
    /// The handshake is done: messages can flow.
    HandshakeSucceeded,
    /// The handshake failed; the connection is closed.
    HandshakeFailed {
        /// Why.
        reason: Reason,
    },
    /// What waits in one pipe of the socket, to a peer or to what is to become one; asked for by
    /// [`Socket::report_pipes`](crate::Socket::report_pipes).
    PipeStatistics {
        /// How many messages were sent and not taken yet. Over the network those count as taken
        /// that are on their way; whoever takes them tells so when that is half a queue, or all.
        outbound: u64,
        /// How many messages of the peer's are there to be received.
        inbound: u64,
    },
    /// Something that only the protocol of another crate knows, which the socket speaks; see the
    /// feature `protocols`.
    Other(Arc<dyn Any + Send + Sync>),
    /// The monitor was replaced or the socket closed; the last event.
    MonitorStopped,
}

/// Why a connection ended or was not made.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The peer closed the connection.
    PeerClosed,
    /// This side closed it.
    LocalClosed,
    /// The system reported an error: its `errno`.
    System(i32),
    /// The host's name could not be resolved.
    Unresolved(String),
    /// The peer broke the protocol, a limit, or refused us.
    Protocol(ProtocolError),
    /// Our authenticator or ZAP handler refused the peer, with this status: 300 for now, 400 for
    /// good, 500 for an error of its own.
    Denied(u16),
    /// Nothing came of asking a ZAP handler whether the peer may come in.
    Zap(ZapError),
    /// The SOCKS proxy did not connect us: the code of its reply, or 255 for what is none.
    Proxy(u8),
    /// The handshake took longer than the handshake interval.
    HandshakeTimeout,
    /// Nothing was heard of the peer for as long as the heartbeat allows.
    HeartbeatTimeout,
    /// The connection took longer than the connect timeout.
    ConnectTimeout,
}

impl Reason {
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self::System(errno),
            None => Self::Unresolved(error.to_string()),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerClosed => f.write_str("closed by the peer"),
            Self::LocalClosed => f.write_str("closed on this side"),
            Self::System(errno) => io::Error::from_raw_os_error(*errno).fmt(f),
            Self::Unresolved(text) => write!(f, "cannot be resolved: {text}"),
            Self::Protocol(error) => error.fmt(f),
            Self::Denied(status) => write!(f, "refused with status {status}"),
            Self::Zap(error) => error.fmt(f),
            Self::Proxy(reply) => write!(f, "the proxy does not connect: {}", proxy_says(*reply)),
            Self::HandshakeTimeout => f.write_str("the handshake took too long"),
            Self::HeartbeatTimeout => f.write_str("the peer has fallen silent"),
            Self::ConnectTimeout => f.write_str("connecting took too long"),
        }
    }
}

/// What a reply of SOCKS5 means.
fn proxy_says(reply: u8) -> &'static str {
    match reply {
        1 => "general failure",
        2 => "not allowed",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "it does not let us in, or speaks another protocol",
    }
}

/// The two ends of a connection, as events name them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct EndpointPair {
    pub local: String,
    pub remote: String,
}

/// Where the threads of a socket put its events; nowhere until somebody monitors, or is about to.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventSink(Arc<Sink>);

#[derive(Debug, Default)]
struct Sink {
    is_heard: AtomicBool,
    ear: Mutex<Ear>,
}

/// Who hears of events.
#[derive(Debug, Default)]
enum Ear {
    #[default]
    Nobody,
    /// Whoever monitors next. Keeps up to [`KEPT`].
    Next(Vec<Event>),
    Monitor(Outlet),
}

/// How many events are kept for a monitor that may come: some for each attempt to connect.
const KEPT: usize = 64;

#[derive(Debug)]
struct Outlet {
    sender: Sender<Event>,
    /// After the sender, so that the task finds the channel closed.
    task: Task,
    dropped: Arc<AtomicU64>,
}

/// Who waits for events in a task; woken by the end, too.
#[derive(Debug)]
struct Task(Arc<AtomicWaker>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.wake();
    }
}

impl Outlet {
    fn send(&self, event: Event) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(event) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.task.0.wake();
    }
}

impl EventSink {
    /// Starts a monitor, and stops the one there was. It hears what was kept for it.
    pub(crate) fn monitor(&self) -> Monitor {
        let (sender, receiver) = crossbeam_channel::bounded(CAPACITY);
        let dropped = Arc::<AtomicU64>::default();
        let task = Arc::<AtomicWaker>::default();
        let outlet = Outlet {
            sender,
            task: Task(task.clone()),
            dropped: dropped.clone(),
        };
        let mut ear = self.0.ear.lock();
        if let Ear::Next(kept) = &mut *ear {
            kept.drain(..).for_each(|event| outlet.send(event));
        }
        self.replace(&mut ear, Ear::Monitor(outlet));
        Monitor {
            receiver,
            task,
            dropped,
        }
    }

    /// Stops the monitor, if there is one.
    pub(crate) fn stop(&self) {
        self.replace(&mut self.0.ear.lock(), Ear::Nobody);
    }

    /// Keeps events, unless somebody monitors: whoever does so next hears them.
    pub(crate) fn keep(&self) {
        let mut ear = self.0.ear.lock();
        if matches!(*ear, Ear::Nobody) {
            self.replace(&mut ear, Ear::Next(Vec::new()));
        }
    }

    /// Keeps nothing any more: nobody has monitored.
    pub(crate) fn forget(&self) {
        let mut ear = self.0.ear.lock();
        if matches!(*ear, Ear::Next(_)) {
            self.replace(&mut ear, Ear::Nobody);
        }
    }

    fn replace(&self, ear: &mut Ear, new: Ear) {
        let is_heard = !matches!(new, Ear::Nobody);
        self.0.is_heard.store(is_heard, Ordering::Release);
        if let Ear::Monitor(old) = std::mem::replace(ear, new) {
            old.send(Event::new(EventKind::MonitorStopped, "", ""));
        }
    }

    /// Whether somebody hears of events, or may yet.
    pub(crate) fn is_heard(&self) -> bool {
        self.0.is_heard.load(Ordering::Acquire)
    }

    /// Reports an event. Never waits.
    pub(crate) fn emit(&self, event: Event) {
        event.log();
        if self.is_heard() {
            match &mut *self.0.ear.lock() {
                Ear::Nobody => {}
                Ear::Next(kept) if kept.len() == KEPT => {}
                Ear::Next(kept) => kept.push(event),
                Ear::Monitor(outlet) => outlet.send(event),
            }
        }
    }
}

impl Event {
    pub(crate) fn new(kind: EventKind, local: &str, remote: &str) -> Self {
        Self {
            kind,
            local: local.to_owned(),
            remote: remote.to_owned(),
            peer: None,
        }
    }

    pub(crate) fn with_peer(mut self, peer: Option<Arc<Metadata>>) -> Self {
        self.peer = peer;
        self
    }

    fn log(&self) {
        use EventKind as K;
        let level = match self.kind {
            K::AcceptFailed { .. } | K::BindFailed { .. } | K::ConnectStopped { .. } => {
                log::Level::Warn
            }
            K::HandshakeFailed { .. } => log::Level::Warn,
            K::Listening { .. } | K::HandshakeSucceeded | K::Disconnected { .. } => {
                log::Level::Info
            }
            K::Connected { .. }
            | K::ConnectDelayed
            | K::ConnectRetried { .. }
            | K::Accepted { .. }
            | K::Closed { .. }
            | K::PipeStatistics { .. }
            | K::Other(_)
            | K::MonitorStopped => log::Level::Debug,
        };
        log::log!(target: "ferrozmq", level, "{self}");
    }
}

impl fmt::Display for Event {
    /// One line for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use EventKind as K;
        let endpoint = if self.remote.is_empty() {
            &self.local
        } else {
            &self.remote
        };
        match &self.kind {
            K::Connected { .. } => write!(f, "{endpoint}: connected"),
            K::ConnectDelayed => write!(f, "{endpoint}: connecting"),
            K::ConnectRetried { interval, reason } => {
                write!(f, "{endpoint}: {reason}; next attempt in {interval:?}")
            }
            K::ConnectStopped { reason } => write!(f, "{endpoint}: given up: {reason}"),
            K::Listening { .. } => write!(f, "{endpoint}: listening"),
            K::BindFailed { errno } => {
                write!(
                    f,
                    "{endpoint}: cannot bind: {}",
                    io::Error::from_raw_os_error(*errno)
                )
            }
            K::Accepted { .. } => write!(f, "{endpoint}: accepted at {}", self.local),
            K::AcceptFailed { errno } => {
                write!(
                    f,
                    "{endpoint}: cannot accept: {}",
                    io::Error::from_raw_os_error(*errno)
                )
            }
            K::Closed { .. } => write!(f, "{endpoint}: closed"),
            K::Disconnected { reason, .. } => write!(f, "{endpoint}: disconnected: {reason}"),
            K::HandshakeSucceeded => write!(f, "{endpoint}: handshake done"),
            K::HandshakeFailed { reason } => write!(f, "{endpoint}: handshake failed: {reason}"),
            K::PipeStatistics { outbound, inbound } => {
                write!(
                    f,
                    "{endpoint}: {outbound} messages wait to go, {inbound} have come"
                )
            }
            K::Other(_) => write!(f, "something of another protocol"),
            K::MonitorStopped => write!(f, "the monitor has stopped"),
        }
    }
}

/// The events of one socket, from [`Socket::monitor`](crate::Socket::monitor).
///
/// In async code it is a [`Stream`](futures_core::Stream) of events. Holds up to 4096 events. A reader that falls further behind loses the newest;
/// [`Monitor::dropped`] says how many.
#[derive(Debug)]
pub struct Monitor {
    receiver: Receiver<Event>,
    task: Arc<AtomicWaker>,
    dropped: Arc<AtomicU64>,
}

impl Monitor {
    /// Waits for the next event; `None` when the monitor has stopped and all events are read.
    #[must_use]
    pub fn recv(&self) -> Option<Event> {
        self.receiver.recv().ok()
    }

    /// Waits for the next event for at most `timeout`; `None` if there was none.
    #[must_use]
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Event> {
        self.receiver.recv_timeout(timeout).ok()
    }

    /// The first event that `wanted` accepts, skipping others; `None` if the deadline comes
    /// first.
    pub fn wait_for(&self, deadline: Instant, wanted: impl Fn(&Event) -> bool) -> Option<Event> {
        loop {
            let event = self.receiver.recv_deadline(deadline).ok()?;
            if wanted(&event) {
                return Some(event);
            }
        }
    }

    /// The next event if there is one now. Does not wait.
    #[must_use]
    pub fn try_recv(&self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }

    /// The next event; `None` when the monitor has stopped and all events are read. For those who
    /// write futures: of several tasks, the last to ask is woken.
    pub fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        // Registered first, so that no event comes unnoticed between the look and the wait.
        self.task.register(cx.waker());
        match self.receiver.try_recv() {
            Ok(event) => Poll::Ready(Some(event)),
            Err(TryRecvError::Disconnected) => Poll::Ready(None),
            Err(TryRecvError::Empty) => Poll::Pending,
        }
    }

    /// How many events were lost because they were not read in time.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// An iterator over the events, as they come, until the monitor stops.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.receiver.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event::new(EventKind::HandshakeSucceeded, "tcp://here", "tcp://there")
    }

    #[test]
    fn a_slow_reader_loses_events_and_is_told_how_many() {
        let sink = EventSink::default();
        sink.emit(event());
        let monitor = sink.monitor();
        for _ in 0..CAPACITY + 7 {
            sink.emit(event());
        }
        assert_eq!(monitor.dropped(), 7);
        assert_eq!(std::iter::from_fn(|| monitor.try_recv()).count(), CAPACITY);
    }

    #[test]
    fn what_is_kept_goes_to_the_next_monitor_and_is_bounded() {
        let sink = EventSink::default();
        sink.keep();
        for _ in 0..KEPT + 7 {
            sink.emit(event());
        }
        let monitor = sink.monitor();
        // Whoever is monitored keeps nothing and has nothing to forget.
        sink.keep();
        sink.forget();
        sink.emit(event());
        assert_eq!(std::iter::from_fn(|| monitor.try_recv()).count(), KEPT + 1);
    }

    #[test]
    fn what_is_forgotten_goes_to_nobody() {
        let sink = EventSink::default();
        sink.keep();
        sink.emit(event());
        sink.forget();
        assert!(!sink.is_heard());
        sink.emit(event());
        assert!(sink.monitor().try_recv().is_none());
    }

    #[test]
    fn a_replaced_monitor_is_told_and_ends() {
        let sink = EventSink::default();
        let (old, new) = (sink.monitor(), sink.monitor());
        sink.emit(event());
        assert!(matches!(
            old.recv().map(|e| e.kind),
            Some(EventKind::MonitorStopped)
        ));
        assert!(old.recv().is_none());
        sink.stop();
        assert_eq!(new.iter().count(), 2);
    }
}
