//! [`Poller`]: what an I/O thread waits in, and the one place below the API that reads the clock.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry, Token};

use crate::signaler::{Signal, Spin};
use crate::slab::Key;

/// The token of the waker; no key packs to it.
const WAKER: Token = Token(usize::MAX);

/// How many events are taken from the system at once.
const EVENTS: usize = 256;

/// What the system reported of one descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readiness {
    pub readable: bool,
    pub writable: bool,
    /// The peer has ended its side, or the connection is broken: reading will tell.
    pub hangup: bool,
}

/// The poller of one I/O thread.
#[derive(Debug)]
pub(crate) struct Poller {
    poll: Poll,
    events: Events,
    spin: Spin,
    /// The last wait failed, and that was said.
    failing: bool,
}

/// How long to rest when the system cannot wait.
const REST: Duration = Duration::from_millis(10);

/// Wakes a thread that waits in its [`Poller`].
#[derive(Debug)]
struct PollSignal(mio::Waker);

impl Signal for PollSignal {
    fn signal(&self) {
        if let Err(error) = self.0.wake() {
            log::error!(target: "ferrozmq", "cannot wake an I/O thread: {error}");
        }
    }
}

/// The token under which a resident registers its descriptor.
pub(crate) fn token(key: Key) -> Token {
    Token(key.to_bits())
}

/// The time. Everything below takes it as a parameter.
pub(crate) fn now() -> Instant {
    Instant::now()
}

impl Poller {
    /// # Errors
    /// What the system answers when it has no descriptors left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            spin: Spin::default(),
            failing: false,
        })
    }

    pub(crate) fn registry(&self) -> io::Result<Registry> {
        self.poll.registry().try_clone()
    }

    /// The signal that ends a wait.
    pub(crate) fn signal(&self) -> io::Result<Arc<dyn Signal>> {
        Ok(Arc::new(PollSignal(mio::Waker::new(
            self.poll.registry(),
            WAKER,
        )?)))
    }

    /// Waits for events, the signal, or the timeout (`None`: no timeout). Looks up to `spin` times
    /// before it sleeps, see [`Spin`].
    pub(crate) fn wait(&mut self, timeout: Option<Duration>, spin: u32) {
        if timeout != Some(Duration::ZERO) && self.look(spin) {
            return;
        }
        let waited = self.poll.poll(&mut self.events, timeout);
        self.settle(waited, timeout);
    }

    /// Whether events come soon. What fails is left to the wait that follows.
    fn look(&mut self, spin: u32) -> bool {
        let Self { poll, events, .. } = self;
        self.spin.spin(spin, || {
            let looked = poll.poll(events, Some(Duration::ZERO));
            looked.is_ok() && !events.is_empty()
        })
    }

    /// A poller that fails once will mostly fail again: its thread then looks now and then whether
    /// there is something to do, and says so once.
    fn settle(&mut self, waited: io::Result<()>, timeout: Option<Duration>) {
        let Err(error) = waited else {
            self.failing = false;
            return;
        };
        self.events.clear();
        if error.kind() == io::ErrorKind::Interrupted {
            return;
        }
        if !std::mem::replace(&mut self.failing, true) {
            log::error!(target: "ferrozmq", "an I/O thread cannot wait: {error}");
        }
        std::thread::park_timeout(timeout.map_or(REST, |timeout| timeout.min(REST)));
    }

    /// What the last wait brought.
    pub(crate) fn events(&self) -> impl Iterator<Item = (Key, Readiness)> + '_ {
        self.events
            .iter()
            .filter(|event| event.token() != WAKER)
            .map(|event| {
                let hangup = event.is_read_closed() || event.is_write_closed() || event.is_error();
                let readiness = Readiness {
                    readable: event.is_readable() || hangup,
                    writable: event.is_writable() || hangup,
                    hangup,
                };
                (Key::from_bits(event.token().0), readiness)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poller_that_cannot_wait_says_so_once() {
        let mut poller = Poller::new().unwrap();
        let broken = || Err(io::Error::from_raw_os_error(nix::libc::EBADF));
        for _ in 0..3 {
            poller.settle(broken(), None);
            assert!(poller.failing);
        }
        poller.settle(Err(io::ErrorKind::Interrupted.into()), None);
        assert!(poller.failing, "an interruption tells nothing");
        poller.settle(Ok(()), None);
        assert!(!poller.failing);
    }
}
