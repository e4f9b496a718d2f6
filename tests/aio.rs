//! Async sockets: on each runtime, cancelled anywhere, as streams and sinks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "aio/runtime.rs"]
mod runtime;

#[path = "aio/cancel.rs"]
mod cancel;
#[path = "aio/exchange.rs"]
mod exchange;
#[path = "aio/streams.rs"]
mod streams;
#[path = "aio/waiting.rs"]
mod waiting;
