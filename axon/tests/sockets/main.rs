//! The sockets of axon through their public API, with each other and with peers made by hand, over
//! tcp and unix sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod connections;
mod emitters;
mod hostile;
mod publish;
mod push;
mod requests;
