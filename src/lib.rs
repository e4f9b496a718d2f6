//! Brokerless messaging with ZeroMQ's architecture and wire protocol, in Rust.

#![deny(unsafe_code)]

// Layer 0: words.
mod sync;
mod slab;
mod error;
mod msg;
mod endpoint;
mod options;
mod monitor;

// Layer 1: between threads.
#[allow(
    unsafe_code,
    reason = "the slots of the queue: invariants Y1 to Y5 in its header"
)]
mod ypipe;
mod signaler;
mod mailbox;
mod pipe;

// Layer 2: the wire.
mod engine;
mod raw;
mod zmtp;

// Layer 3: routing and patterns.
mod routing;
mod pattern;

// Layer 4: the vocabulary of threads.
mod command;
mod inproc;
mod census;

// Layer 5: I/O.
mod io;

// Layer 6: owners.
mod socket_base;
mod reaper;
mod ctx;

// Layer 7: the API.
mod socket;
mod poll;
mod timers;
mod proxy;

// Beside the layers: for fuzzers.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;

pub use crate::census::OpenSocket;
pub use crate::ctx::{Context, Ctx, TermError};
pub use crate::error::{Error, ProtocolError, Result};
pub use crate::monitor::{Event, EventKind, Monitor, Reason};
pub use crate::msg::{Metadata, Msg, SendError};
pub use crate::options::{ReconnectStop, SocketType};
pub use crate::poll::{POLLERR, POLLPRI, PollEvent, PollItem, Poller, poll};
pub use crate::proxy::{ProxySideStatistics, ProxyStatistics, proxy, proxy_steerable};
pub use crate::socket::{DONTWAIT, Multipart, POLLIN, POLLOUT, SNDMORE, Socket};
pub use crate::timers::{TimerId, Timers};
