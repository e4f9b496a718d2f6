//! How contexts, sockets, endpoints and connections begin, go on and end, seen from outside.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/peer.rs"]
mod peer;

#[path = "lifecycle/endings.rs"]
mod endings;
#[path = "lifecycle/endpoints.rs"]
mod endpoints;
#[path = "lifecycle/events.rs"]
mod events;
#[path = "lifecycle/flow.rs"]
mod flow;
#[path = "lifecycle/reconnect.rs"]
mod reconnect;
#[path = "lifecycle/waiting.rs"]
mod waiting;
