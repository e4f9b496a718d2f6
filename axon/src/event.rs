//! [`Events`]: what happens to a socket, as axon's events.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use ferrozmq::protocol::Notifier;
use ferrozmq::{EventKind, Monitor, Reason};
use std::sync::Arc;

use crate::endpoint::from_engine;
use crate::value::Message;

/// Something happened to a socket.
///
/// The names are axon's, and so is the meaning but for this: in Node only a socket that is bound
/// hears of [`Event::Disconnect`]; here one that connects hears of it as well.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// `bind`: the socket listens.
    Bind {
        /// Where: `tcp://host:port`, or a path.
        endpoint: String,
    },
    /// `connect`: a peer is there. The socket knows it already.
    Connect {
        /// Our end of the connection.
        local: String,
        /// The peer's end: what was connected to, or where it came from.
        remote: String,
    },
    /// `disconnect`: a connection is gone.
    Disconnect {
        /// Our end of the connection.
        local: String,
        /// The peer's end.
        remote: String,
        /// Why.
        reason: Reason,
    },
    /// `close`: the socket is closed, and all its connections are; or, with an endpoint, the socket
    /// has given it up, because [`Options::retry_timeout`](crate::Options::retry_timeout) is zero.
    Close {
        /// What was given up; `None`: all.
        endpoint: Option<String>,
    },
    /// `socket error`: a connection failed, or could not be made. [`Event::IgnoredError`] or
    /// [`Event::Error`] follows.
    SocketError {
        /// The peer's end, or what could not be bound to.
        remote: String,
        /// What it was.
        reason: Reason,
    },
    /// `ignored error`: an error that is part of the life of a network.
    IgnoredError {
        /// The peer's end.
        remote: String,
        /// Which of the eight it is: connection refused, connection reset, timed out, host unreachable,
        /// network unreachable, network down, broken pipe, not found.
        kind: io::ErrorKind,
    },
    /// `error`: any other error. A peer that does not keep to the protocol or to the
    /// [`Limits`](crate::amp::Limits) is one.
    Error {
        /// The peer's end, or what could not be bound to.
        remote: String,
        /// What it was.
        reason: Reason,
    },
    /// `reconnect attempt`: the connection will be tried again.
    ReconnectAttempt {
        /// What will be connected to.
        endpoint: String,
        /// When, from now.
        after: Duration,
    },
    /// `drop`: a message was dropped, because the queue had reached its high-water mark.
    Drop(Message),
    /// `flush`: a peer is there, and these messages that had waited were sent before all others; often
    /// none.
    Flush(Vec<Message>),
}

/// What patterns tell, beside what the engine knows.
#[derive(Debug)]
pub(crate) enum Notice {
    Drop(Message),
    Flush(Vec<Message>),
}

impl Notice {
    pub(crate) fn tell(self, notifier: &Notifier) {
        notifier.notify(Arc::new(self));
    }
}

/// The events of one socket, as they come. A reader that falls behind by more than 4096 loses the
/// newest.
#[derive(Debug)]
pub struct Events {
    monitor: Monitor,
    translator: Translator,
}

impl Events {
    pub(crate) fn new(monitor: Monitor) -> Self {
        Self {
            monitor,
            translator: Translator::default(),
        }
    }

    /// Waits for the next event; `None` when the socket is closed, with all that it had to do.
    #[must_use]
    pub fn recv(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.translator.pending.pop_front() {
                return Some(event);
            }
            self.translator.take(self.monitor.recv()?);
        }
    }

    /// Waits for the next event for at most `timeout`; `None` if there was none.
    #[must_use]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Option<Event> {
        // A time limit beyond what clocks can tell is none.
        let Some(deadline) = Instant::now().checked_add(timeout) else {
            return self.recv();
        };
        loop {
            if let Some(event) = self.translator.pending.pop_front() {
                return Some(event);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            self.translator.take(self.monitor.recv_timeout(left)?);
        }
    }

    /// The next event if there is one now.
    #[must_use]
    pub fn try_recv(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.translator.pending.pop_front() {
                return Some(event);
            }
            self.translator.take(self.monitor.try_recv()?);
        }
    }

    /// The first event that `wanted` accepts, skipping others; `None` if the time is over before.
    pub fn wait_for(
        &mut self,
        timeout: Duration,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> Option<Event> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let event = self.recv_timeout(left.unwrap_or(Duration::MAX))?;
            if wanted(&event) {
                return Some(event);
            }
        }
    }

    /// How many events were lost because they were not read in time.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.monitor.dropped()
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.recv()
    }
}

/// Makes axon's events of the engine's.
#[derive(Debug, Default)]
struct Translator {
    pending: VecDeque<Event>,
    /// The peers whose connections were lost last: why is told, and not again with the news that
    /// they will be tried again.
    lost: VecDeque<String>,
}

impl Translator {
    /// How many lost connections can be between two events of one.
    const LOST_MAX: usize = 64;

    fn take(&mut self, event: ferrozmq::Event) {
        let (local, remote) = (from_engine(&event.local), from_engine(&event.remote));
        match event.kind {
            EventKind::Listening { .. } => self.push(Event::Bind { endpoint: local }),
            EventKind::BindFailed { errno } | EventKind::AcceptFailed { errno } => {
                self.fail(local, Reason::System(errno));
            }
            EventKind::HandshakeSucceeded => self.push(Event::Connect { local, remote }),
            EventKind::Disconnected { reason, .. } => {
                // Of what was ended here no attempt follows.
                if !matches!(reason, Reason::LocalClosed) {
                    if self.lost.len() == Self::LOST_MAX {
                        self.lost.pop_front();
                    }
                    self.lost.push_back(remote.clone());
                }
                self.fail(remote.clone(), reason.clone());
                self.push(Event::Disconnect {
                    local,
                    remote,
                    reason,
                });
            }
            EventKind::ConnectRetried { interval, reason } => {
                self.explain(&remote, reason);
                self.push(Event::ReconnectAttempt {
                    endpoint: remote,
                    after: interval,
                });
            }
            EventKind::ConnectStopped { reason } => {
                self.explain(&remote, reason);
                let endpoint = Some(remote);
                self.push(Event::Close { endpoint });
            }
            EventKind::MonitorStopped => self.push(Event::Close { endpoint: None }),
            EventKind::Other(notice) => match notice.downcast_ref() {
                Some(Notice::Drop(message)) => self.push(Event::Drop(message.clone())),
                Some(Notice::Flush(messages)) => self.push(Event::Flush(messages.clone())),
                None => {}
            },
            _ => {}
        }
    }

    fn push(&mut self, event: Event) {
        self.pending.push_back(event);
    }

    /// Tells why a connection could not be made; of one that was lost it is told.
    fn explain(&mut self, remote: &str, reason: Reason) {
        match self.lost.iter().position(|lost| lost == remote) {
            Some(at) => drop(self.lost.remove(at)),
            None => self.fail(remote.to_owned(), reason),
        }
    }

    /// Tells of an error, if it is one.
    fn fail(&mut self, remote: String, reason: Reason) {
        let kind = match &reason {
            Reason::PeerClosed | Reason::LocalClosed => return,
            Reason::System(errno) => io::Error::from_raw_os_error(*errno).kind(),
            Reason::ConnectTimeout => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::Other,
        };
        self.push(Event::SocketError {
            remote: remote.clone(),
            reason: reason.clone(),
        });
        self.push(if is_ignored(kind) {
            Event::IgnoredError { remote, kind }
        } else {
            Event::Error { remote, reason }
        });
    }
}

/// Whether axon ignores such an error: ECONNREFUSED, ECONNRESET, ETIMEDOUT, EHOSTUNREACH,
/// ENETUNREACH, ENETDOWN, EPIPE, ENOENT.
fn is_ignored(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as K;
    matches!(
        kind,
        K::ConnectionRefused
            | K::ConnectionReset
            | K::TimedOut
            | K::HostUnreachable
            | K::NetworkUnreachable
            | K::NetworkDown
            | K::BrokenPipe
            | K::NotFound
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferrozmq::ProtocolError;

    fn event(kind: EventKind) -> ferrozmq::Event {
        ferrozmq::Event {
            kind,
            local: String::new(),
            remote: "ipc:///tmp/x".into(),
            peer: None,
        }
    }

    fn events(kinds: impl IntoIterator<Item = EventKind>) -> Vec<Event> {
        let mut translator = Translator::default();
        kinds
            .into_iter()
            .for_each(|kind| translator.take(event(kind)));
        translator.pending.into()
    }

    fn retried(reason: Reason) -> EventKind {
        let interval = Duration::from_millis(100);
        EventKind::ConnectRetried { interval, reason }
    }

    #[test]
    fn the_eight_codes_are_ignored_and_others_are_not() {
        // Linux.
        let codes = [111, 104, 110, 113, 101, 100, 32, 2];
        for code in codes {
            match &events([retried(Reason::System(code))])[..] {
                [
                    Event::SocketError { remote, .. },
                    Event::IgnoredError { .. },
                    Event::ReconnectAttempt { after, .. },
                ] => {
                    assert_eq!((remote.as_str(), after.as_millis()), ("/tmp/x", 100));
                }
                other => panic!("{code}: {other:?}"),
            }
        }
        for reason in [Reason::System(13), Reason::Unresolved("x".into())] {
            let events = events([retried(reason)]);
            assert!(matches!(events[1], Event::Error { .. }), "{events:?}");
        }
    }

    #[test]
    fn why_a_connection_was_lost_is_told_once() {
        let reason = Reason::System(104);
        let events = events([
            EventKind::Disconnected {
                fd: 0,
                reason: reason.clone(),
            },
            retried(reason.clone()),
            retried(reason),
        ]);
        let errors = events
            .iter()
            .filter(|event| matches!(event, Event::SocketError { .. }));
        assert_eq!(errors.count(), 2, "the loss, and the attempt that failed");
    }

    #[test]
    fn a_peer_that_goes_is_no_error_and_one_that_breaks_the_protocol_is() {
        let gone = |reason| EventKind::Disconnected { fd: 0, reason };
        let closed = events([gone(Reason::PeerClosed)]);
        assert!(
            matches!(closed[..], [Event::Disconnect { .. }]),
            "{closed:?}"
        );
        let broken = Reason::Protocol(ProtocolError::MessageTooLarge);
        let broken = events([gone(broken)]);
        assert!(matches!(broken[1], Event::Error { .. }), "{broken:?}");
    }
}
