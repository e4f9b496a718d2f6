//! For crates that speak another protocol over this engine: its I/O threads, pipes, marks,
//! strategies, listening, dialling and monitors, with an [`Engine`] for each connection and, if
//! ZeroMQ's do not fit, a [`Pattern`] of their own.
//!
//! There only with the feature `protocols`, and not covered by semver: the traits here are those by
//! which the parts of the engine know each other, and change as it does.
//!
//! * A [`Protocol`] makes an engine for each connection. An engine is sans-IO: the session feeds it
//!   bytes, and takes bytes from it.
//! * A message that is one run of bytes on the wire is best one frame in the pipes: the engine joins
//!   bodies on the way out ([`bodies`], [`Batch`]) and cuts the stream on the way in ([`append`]).
//! * [`pattern_of`] has ZeroMQ's patterns; a new one is made of [`Lb`], [`Fq`] and [`Dist`].
//! * [`Socket::set_immediate`] makes pipes to connections alone, so that a pattern knows when it has
//!   no peer.
//! * Where a pattern must react although the application makes no call, the socket is an
//!   [`AttendedSocket`].

use std::any::Any;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::monitor::{self, EventKind, EventSink};
use crate::options::{Growth, SocketType};
use crate::pattern;
use crate::signaler::Signaler;
use crate::socket::Socket;

pub use crate::attended::AttendedSocket;
pub use crate::batch::Batch;
pub use crate::command::Protocol;
pub use crate::engine::{Engine, Event, Failure, Frames, introduction};
pub use crate::msg::COPY_MAX;
pub use crate::pattern::{Origin, Pattern, PatternOption, Refused, is_peer_gone};
pub use crate::pipe::{PipeEnd, Pipes};
pub use crate::record::{Received, Run, append, bodies};
pub use crate::routing::NotTaken;
pub use crate::routing::dist::Dist;
pub use crate::routing::fq::{Fq, Next};
pub use crate::routing::lb::Lb;
pub use crate::slab::{Key, Slab};
pub use crate::zap::Verdict;

/// The behaviour of one of ZeroMQ's socket types.
#[must_use]
pub fn pattern_of(socket_type: SocketType) -> Box<dyn Pattern> {
    pattern::for_type(socket_type)
}

/// Blocks the thread until `poll` is ready, which is asked again whenever the waker it was given has
/// been woken; `None` if the deadline comes first. Before the thread sleeps it gives its core to others
/// up to `spin` times and looks again, as sockets do ([`Ctx::spin`]).
///
/// So what tasks can await, threads can wait for.
pub fn wait_for<T>(
    spin: u32,
    deadline: Option<Instant>,
    mut poll: impl FnMut(&Waker) -> Poll<T>,
) -> Option<T> {
    let signaler = Signaler::of_this_thread();
    let waker = Waker::from(signaler.clone());
    loop {
        if let Poll::Ready(value) = poll(&waker) {
            return Some(value);
        }
        if !signaler.spin(spin) && !signaler.wait(deadline) {
            return None;
        }
    }
}

/// Puts events of a protocol among those that a socket's [`Monitor`](crate::Monitor) hears of, as
/// [`EventKind::Other`]. Never waits.
#[derive(Clone, Debug)]
pub struct Notifier(EventSink);

impl Notifier {
    /// Whether somebody is there to hear of events.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.0.is_heard()
    }

    /// Reports an event.
    pub fn notify(&self, event: Arc<dyn Any + Send + Sync>) {
        let event = monitor::Event::new(EventKind::Other(event), "", "");
        self.0.emit(event);
    }
}

impl Ctx {
    /// Creates a socket that speaks another protocol. `socket_type` is the type that it is nearest
    /// to, for reports, options and what sessions make of it: of a PUSH they drop what peers send.
    /// What is done with messages is `pattern`'s.
    ///
    /// # Errors
    /// As for [`Ctx::socket`].
    pub fn protocol_socket(
        &self,
        socket_type: SocketType,
        protocol: Arc<dyn Protocol>,
        pattern: impl FnOnce(Notifier) -> Box<dyn Pattern>,
    ) -> Result<Socket> {
        let socket = self.socket(socket_type)?;
        let mut base = socket.base();
        let notifier = Notifier(base.events.clone());
        base.set_protocol(protocol, pattern(notifier));
        drop(base);
        Ok(socket)
    }
}

impl Socket {
    /// Makes each wait before another attempt to connect `factor` times as long as the last, in
    /// whole milliseconds, from [`Socket::set_reconnect_ivl`] up to
    /// [`Socket::set_reconnect_ivl_max`], and never leaves anything to chance. Takes effect for
    /// endpoints connected later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a factor below 1, [`Error::Term`].
    pub fn set_reconnect_factor(&self, factor: f64) -> Result<()> {
        let mut base = self.base();
        base.process()?;
        if factor.is_nan() || factor < 1.0 {
            return Err(Error::InvalidArgument("waits do not get shorter"));
        }
        base.options.reconnect.growth = Growth::Steady(factor);
        Ok(())
    }
}
