//! ZMTP, ZeroMQ's protocol on tcp and ipc connections: versions 1.0 to 3.1 from one engine.
//!
//! The files, in the order in which they may use each other: `greeting` finds out what the peer
//! speaks; `frame` cuts the stream into frames and back; `command` knows what is said in command
//! frames; `mechanism` is the security handshake; `handshake` leads through all of that;
//! `heartbeat` keeps the deadlines after it; `engine` is the whole, and the only one that the
//! rest of the crate sees. Everything here is sans-IO: no descriptor, no clock, no thread.

mod command;
mod engine;
mod frame;
mod greeting;
mod handshake;
mod heartbeat;
mod mechanism;

pub(crate) use engine::{EngineSpec, StreamEngine};
