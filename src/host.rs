//! [`Hosted`]: a socket without a `Socket`, run by an I/O thread for those who send through it, or
//! for what it has not got rid of.
//!
//! A socket lives as long as its `Socket` or one of its senders. When the `Socket` goes first,
//! an I/O thread owns it until the last sender is gone and what was sent is under way; then it is
//! closed like any other.

use std::sync::Arc;
use std::time::Instant;

use crate::command::{Guest, Turn};
use crate::reaper::{Dying, Reaper};
use crate::signaler::Signal;

/// A socket that is run by an I/O thread.
#[derive(Debug)]
pub(crate) struct Hosted {
    /// `None` once it is closed.
    socket: Option<Dying>,
    reaper: Reaper,
    /// Set when the last sender is gone: when the linger time is over (`None`: never).
    lingering: Option<Option<Instant>>,
}

impl Hosted {
    pub(crate) fn new(socket: Dying, reaper: Reaper) -> Self {
        Self {
            socket: Some(socket),
            reaper,
            lingering: None,
        }
    }

    fn close(&mut self, now: Instant) -> Turn {
        if let Some(dying) = self.socket.take() {
            if let Some(Some(deadline)) = self.lingering {
                let left = deadline.saturating_duration_since(now);
                dying.socket.options.linger.set(Some(left));
            }
            dying.socket.give_up_names(now);
            self.reaper.reap(dying);
        }
        Turn::Gone
    }
}

impl Guest for Hosted {
    fn settle_in(&mut self, signal: Arc<dyn Signal>) {
        if let Some(Dying { socket, .. }) = &self.socket {
            socket.mailbox().retarget(&signal);
        }
    }

    fn turn(&mut self, now: Instant) -> Turn {
        let Some(Dying { socket, .. }) = &mut self.socket else {
            return Turn::Gone;
        };
        // In this order, or the feed of the last sender could be overlooked.
        let senders_are_gone = !socket.feeds.have_senders();
        // It may have been stopped; then the senders are told, and it ends with them.
        let _ = socket.process();
        if senders_are_gone && self.lingering.is_none() {
            let linger = socket.options.linger.get();
            self.lingering = Some(linger.map(|linger| now + linger));
        }
        let late = matches!(self.lingering, Some(Some(deadline)) if deadline <= now);
        if (senders_are_gone && !socket.has_backlog()) || late {
            return self.close(now);
        }
        if socket.mailbox().may_sleep() {
            Turn::Idle
        } else {
            Turn::Again
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.lingering.flatten()
    }
}
