//! Heartbeats: when to send PING, and when a silent peer is given up (RFC 37).
//!
//! Owns the deadlines of a connection after its handshake. Two things make silence a failure: our
//! own PING, and the peer's PING if it has a time to live; whatever bytes come, even a part of a
//! frame, end it. This file knows no frames and sends nothing.

use std::time::{Duration, Instant};

use crate::engine::Failure;
use crate::options;
use crate::zmtp::command;

/// `now + duration`, if that is a time; zero stands for "never" too.
pub(crate) fn deadline(now: Instant, duration: Duration) -> Option<Instant> {
    now.checked_add(duration).filter(|_| !duration.is_zero())
}

/// Our own PINGs.
#[derive(Debug)]
struct Pings {
    interval: Duration,
    /// How long to wait for an answer.
    timeout: Duration,
    ttl: [u8; 2],
    next: Option<Instant>,
}

/// The peer has been silent `since` and may be so for as long as `limit`.
#[derive(Clone, Copy, Debug)]
struct Silence {
    since: Instant,
    limit: Duration,
}

impl Silence {
    fn end(self) -> Option<Instant> {
        deadline(self.since, self.limit)
    }
}

/// The heartbeats of one connection; by default there are none.
#[derive(Debug, Default)]
pub(crate) struct Heartbeat {
    pings: Option<Box<Pings>>,
    silence: Option<Silence>,
    /// Nothing is read, so that nothing can be heard.
    paused: bool,
}

impl Heartbeat {
    pub(crate) fn new(options: &options::Heartbeat, now: Instant) -> Self {
        let pings = options.interval.map(|interval| {
            Box::new(Pings {
                interval,
                timeout: options.timeout.unwrap_or(interval),
                ttl: command::ping_ttl(options.ttl),
                next: deadline(now, interval),
            })
        });
        Self {
            pings,
            ..Self::default()
        }
    }

    /// Bytes came from the peer.
    pub(crate) fn on_heard(&mut self) {
        self.silence = None;
    }

    /// The peer is to be given up after this much silence, unless it is sooner already. Zero is
    /// no limit.
    pub(crate) fn limit_silence(&mut self, limit: Duration, now: Instant) {
        let silence = Silence { since: now, limit };
        let old = self.silence.and_then(Silence::end);
        if silence
            .end()
            .is_some_and(|end| old.is_none_or(|old| end < old))
        {
            self.silence = Some(silence);
        }
    }

    pub(crate) fn set_paused(&mut self, paused: bool, now: Instant) {
        if let Some(silence) = self.silence.as_mut().filter(|_| !paused && self.paused) {
            silence.since = now;
        }
        self.paused = paused;
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let ping = self.pings.as_ref().and_then(|pings| pings.next);
        ping.into_iter().chain(self.end_of_silence()).min()
    }

    /// Returns the time to live to be sent in a PING, if one is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<Option<[u8; 2]>, Failure> {
        let past = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        if past(self.end_of_silence()) {
            return Err(Failure::HeartbeatTimeout);
        }
        let Some(pings) = self.pings.as_mut().filter(|pings| past(pings.next)) else {
            return Ok(None);
        };
        pings.next = deadline(now, pings.interval);
        let (ttl, timeout) = (pings.ttl, pings.timeout);
        self.limit_silence(timeout, now);
        Ok(Some(ttl))
    }

    fn end_of_silence(&self) -> Option<Instant> {
        self.silence.filter(|_| !self.paused)?.end()
    }
}
