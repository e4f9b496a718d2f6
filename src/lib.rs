//! Brokerless messaging with ZeroMQ's architecture and wire protocol, in Rust.

#![deny(unsafe_code)]

mod engine;
mod error;
mod mailbox;
mod msg;
mod options;
mod pattern;
mod pipe;
mod routing;
mod signaler;
mod slab;
mod sync;
#[allow(unsafe_code, reason = "the slots of the queue, Y1 to Y5 in its header")]
mod ypipe;
pub use crate::error::{Error, ProtocolError, Result, SendError};
pub use crate::msg::{Metadata, Msg};
pub use crate::options::{ReconnectStop, SocketType};
#[derive(Debug)]
/// stub.
pub struct Monitor;
