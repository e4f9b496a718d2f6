//! Brokerless messaging with ZeroMQ's architecture and wire protocol, in Rust.
//!
//! A [`Socket`] is not a connection but a pattern, and its [`SocketType`] says which. Behind it
//! connections are made, lost and made again, over tcp and ipc or within the process; a message
//! arrives whole or not at all. Peers can be libzmq, in whatever language.
//!
//! # Quick start
//!
//! ```
//! use ferrozmq::{Ctx, SocketType};
//!
//! # fn main() -> ferrozmq::Result<()> {
//! let ctx = Ctx::new(); // one per process
//! let server = ctx.socket(SocketType::REP)?;
//! server.bind("tcp://127.0.0.1:*")?;
//! let client = ctx.socket(SocketType::REQ)?;
//! client.connect(&server.last_endpoint())?;
//!
//! client.send("a question", 0)?;
//! assert_eq!(server.recv_string(0)?, "a question");
//! server.send("an answer", 0)?;
//! assert_eq!(client.recv_string(0)?, "an answer");
//! # Ok(())
//! # }
//! ```
//!
//! Names are those of the `zmq` crate, so that a program ports by changing its import; times are
//! [`Duration`](std::time::Duration)s.
//!
//! # Patterns
//!
//! * REQ and REP: question and answer, in strict turns. DEALER and ROUTER: the same without turns;
//!   a ROUTER names its peers.
//! * PUB and SUB: to all who subscribed to a topic. XPUB and XSUB: the same for those who stand
//!   between them.
//! * PUSH and PULL: work dealt out and collected. PAIR: two threads. STREAM: plain tcp.
//! * With messages of one frame: SERVER and CLIENT, a ROUTER and DEALER whose peers are numbers
//!   ([`Msg::routing_id`]); PEER, both in one; RADIO and DISH, which send to groups
//!   ([`Msg::group`], [`Socket::join`]); SCATTER and GATHER, PUSH and PULL; CHANNEL, a PAIR.
//!
//! Messages have one or more frames ([`Msg`]); [`Socket::send_multipart`] and
//! [`Socket::recv_multipart`] take all at once. [`poll`](fn@poll) and [`Poller`] wait for several sockets,
//! [`proxy`](fn@proxy) connects two, [`Timers`] are for what comes later, and [`Socket::monitor`]
//! tells what happens to connections.
//!
//! # Security
//!
//! A connection is open to everybody unless [`Socket::set_security`] says otherwise: [`Curve`]
//! encrypts and authenticates by keys, [`Plain`] asks for a password. [`Ctx::authenticator`]
//! decides who is let in.
//!
//! # Errors
//!
//! [`Error`] says what went wrong, and [`Error::errno`] how libzmq numbers it. A call that would
//! have to wait longer than it may returns [`Error::Again`]. A send that fails gives the message
//! back ([`SendError`], which `?` turns into an [`Error`]). What peers do wrong is never an error
//! of a call: their connection is closed, a monitor hears of it, and the socket goes on.
//!
//! # Threads
//!
//! A [`Ctx`] can be cloned and shared by all threads. A [`Socket`] may move between threads, and
//! one thread uses it at a time: it is `Send` and not `Sync`. A [`SharedSocket`] can be used by
//! several at once. Threads talk to each other through
//! sockets, over `inproc://`. I/O runs on threads of the context, one unless
//! [`Ctx::set_io_threads`] says otherwise.
//!
//! # Async
//!
//! [`AsyncSocket`] is a socket whose calls are awaited, on any runtime, and can be dropped anywhere.
//! It is a stream of messages and a sink for them. A [`Sender`] lets many tasks or threads send
//! through one socket.
//!
//! # The end
//!
//! Dropping a socket never blocks; what was sent is delivered in the background. Dropping the last
//! [`Ctx`] waits for that, for at most the linger time, 30 seconds unless [`Socket::set_linger`]
//! says otherwise. [`Ctx::shutdown`] makes all calls return [`Error::Term`], and [`Ctx::term`]
//! ends the context within a time limit.
//!
//! # Unsafe
//!
//! One file has `unsafe` code: the lock-free queue under pipes. Its header has the invariants it
//! rests on, each block cites its own, and loom tries its interleavings. Everywhere else the
//! compiler denies it.

#![deny(unsafe_code)]
#![cfg_attr(
    not(feature = "protocols"),
    allow(
        unreachable_pub,
        unnameable_types,
        reason = "what other protocols are made of is public in `protocol`, and checked with it"
    )
)]

// Layer 0: words.
mod sync;
mod slab;
mod error;
mod msg;
mod record;
mod z85;
mod keys;
mod certificate;
mod security;
mod zap;
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
mod batch;
mod raw;
mod datagram;
mod socks;
mod zmtp;

// Layer 3: routing and patterns.
mod routing;
mod pattern;

// Layer 4: the vocabulary of threads.
mod roster;
mod command;
mod authenticator;
mod inproc;
mod census;

// Layer 5: I/O.
mod io;

// Layer 6: owners.
mod bonds;
mod feeds;
mod pace;
mod socket_base;
mod reaper;
mod host;
mod ctx;

// Layer 7: the API.
mod socket;
mod shared;
#[cfg(feature = "protocols")]
mod attended;
mod sender;
mod poll;
mod timers;
mod proxy;
mod aio;

#[cfg(feature = "protocols")]
pub mod protocol;

// Above all: what the benches of the crate's insides need, not public API.
#[cfg(feature = "bench-internals")]
#[doc(hidden)]
pub mod bench_support;

// Beside the layers: for fuzzers.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;

pub use crate::aio::{AsyncSocket, Receiving, Sending};
pub use crate::authenticator::{Authenticator, Decision, Rules};
pub use crate::census::OpenSocket;
pub use crate::ctx::{Context, Ctx, TermError};
pub use crate::error::{Error, ProtocolError, Result, ZapError};
pub use crate::keys::{CurveKeyPair, PublicKey, SecretKey};
pub use crate::monitor::{Event, EventKind, Monitor, Reason};
pub use crate::msg::{IntoMsg, Metadata, Msg, SendError};
pub use crate::options::{ReconnectStop, RouterNotify, SocketType};
pub use crate::poll::{POLLERR, POLLPRI, PollEvent, PollItem, Poller, poll};
pub use crate::proxy::{ProxySideStatistics, ProxyStatistics, proxy, proxy_steerable};
pub use crate::security::{Curve, Mechanism, Plain, Security};
pub use crate::sender::{Feeding, Sender};
pub use crate::shared::{Listening, SharedSocket};
pub use crate::socket::{DONTWAIT, Message, Multipart, POLLIN, POLLOUT, SNDMORE, Socket};
pub use crate::timers::{TimerId, Timers};
pub use crate::z85::{z85_decode, z85_encode};
pub use crate::zap::{AuthRequest, Credentials};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
