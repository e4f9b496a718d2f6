//! Brokerless messaging with ZeroMQ's architecture and wire protocol, in Rust.

#![deny(unsafe_code)]

mod engine;
mod error;
mod msg;
mod options;
mod raw;
mod slab;
mod sync;
mod zmtp;
pub use crate::error::{Error, ProtocolError, Result, SendError};
pub use crate::msg::{Metadata, Msg};
pub use crate::options::{ReconnectStop, SocketType};
#[derive(Debug)]
/// stub.
pub struct Monitor;
