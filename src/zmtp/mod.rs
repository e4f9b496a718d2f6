//! ZMTP, ZeroMQ's protocol on tcp and ipc connections: versions 1.0 to 3.1 from one engine.
//!
//! The files, in the order in which they may use each other: `greeting` finds out what the peer
//! speaks; `frame` cuts the stream into frames and back; `command` knows what is said in command
//! frames; `mechanism` is the security handshake, with `null`, `plain` and `curve` to choose from,
//! the last of which rests on `secretbox` and leaves a `cipher` behind; `zap` has the frames in
//! which a peer is asked about; `group` knows the messages of RADIO and DISH; `heartbeat` keeps the
//! deadlines after it;
//! `handshake` leads through all that comes before the first message; `engine` is the whole, and
//! the only one that the rest of the crate sees. Everything here is sans-IO: no descriptor, no clock, no thread.

mod greeting;
mod frame;
mod command;
mod secretbox;
mod cipher;
mod mechanism;
mod null;
mod plain;
mod curve;
pub(crate) mod zap;
mod group;
mod heartbeat;
mod handshake;
mod engine;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

pub(crate) use engine::{EngineSpec, StreamEngine};
