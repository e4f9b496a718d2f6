//! Node's axon, axon-rpc and the sockets of pm2, in Rust, on the engine of ferrozmq.
//!
//! A message of axon is a list of strings, JSON and bytes. Its sockets come in pairs:
//!
//! | sends | receives | |
//! |---|---|---|
//! | [`Push`] | [`Pull`] | each message to one peer, in turn |
//! | [`Pub`] | [`Sub`] | each message to all, who pick by pattern |
//! | [`PubEmitter`] | [`SubEmitter`] | the same with listeners |
//! | [`Req`] | [`Rep`] | requests and replies, any number at once |
//!
//! Either side of a pair can bind and connect, to one endpoint or several, over tcp and unix sockets.
//! Connections are made, lost and made again in the background; peers are those of Node's `axon` and
//! `pm2-axon` as well as each other.
//!
//! ```
//! use ferrozmq::Ctx;
//! use ferrozmq_axon::{Pull, Push};
//!
//! # fn main() -> ferrozmq_axon::Result<()> {
//! let ctx = Ctx::new(); // one per process
//! let pull = Pull::new(&ctx)?;
//! pull.bind(0)?; // any free port, on all interfaces
//! let push = Push::new(&ctx)?;
//! push.connect(pull.address().expect("it is bound"))?;
//! push.send(("resize", 640, 480))?;
//! let (what, width, height): (String, u32, u32) = pull.recv()?.parse()?;
//! assert_eq!((what.as_str(), width, height), ("resize", 640, 480));
//! # Ok(())
//! # }
//! ```
//!
//! [`rpc`] calls functions in another process through them, and [`pm2`] talks to daemons of the process
//! manager.
//!
//! # Async
//!
//! [`Pull::into_async`], [`Sub::into_async`] and [`Rep::recv_async`] receive in async code, on any
//! runtime; a [`Reply`] and an
//! [`rpc::Call`] are futures. Sending does not wait.
//!
//! # Where it departs from axon
//!
//! * Waiting messages have a limit per peer ([`Options::peer_hwm`]) where Node's memory grows, and
//!   what happens beyond the limit of the queue can be chosen ([`Overflow`]).
//! * A request fails when its peer goes ([`Error::PeerGone`]), and can be given up after a time.
//! * Each endpoint counts its own waits before it is tried again, and a closed socket is closed.
//! * A subscriber's patterns are looked at when a message is received.
//! * Sizes have [`Limits`](amp::Limits). A peer that breaks the protocol or a limit loses its
//!   connection, and an [`Event`] says why.
//! * A socket may bind and connect at once.
//!
//! There is neither encryption nor authentication in axon, and a port without a host is open to the
//! network.

// The wire.
pub mod amp;
mod value;
mod topic;
mod engine;

// What is said about sockets.
mod error;
mod options;
mod endpoint;
mod event;

// The sockets.
mod sending;
mod receiving;
mod socket;
mod queue;
mod awaited;
mod push;
mod publish;
mod emitter;
mod req;
mod rep;

// What is made of them.
pub mod rpc;
pub mod pm2;

#[cfg(any(test, fuzzing))]
#[allow(missing_docs, reason = "no part of the API")]
pub mod fuzzing;

pub use awaited::{AsyncPull, AsyncSub};
pub use emitter::{Emitted, PubEmitter, SubEmitter};
pub use endpoint::{Endpoint, IntoEndpoint};
pub use error::{Error, Result};
pub use event::{Event, Events};
pub use options::{Options, Overflow};
pub use publish::{Pub, Sub};
pub use push::{Pull, Push};
pub use regex::Regex;
pub use rep::{Rep, Request};
pub use req::{Reply, Req};
pub use topic::Pattern;
pub use value::{
    Arg, Args, DecodeError, EncodeError, Encoder, FromArgs, Json, Kind, Message, Raw, ToArg,
    ToArgs, Value,
};
