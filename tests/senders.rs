//! Many threads and tasks that send through one socket.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "aio/runtime.rs"]
mod runtime;

#[path = "senders/ends.rs"]
mod ends;
#[path = "senders/flow.rs"]
mod flow;
#[path = "senders/tasks.rs"]
mod tasks;
