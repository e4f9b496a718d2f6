//! What each socket type does, seen from outside, over every transport that it works with.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

#[path = "patterns/dealer_router.rs"]
mod dealer_router;
#[path = "patterns/pair.rs"]
mod pair;
#[path = "patterns/pipeline.rs"]
mod pipeline;
#[path = "patterns/pubsub.rs"]
mod pubsub;
#[path = "patterns/reqrep.rs"]
mod reqrep;
#[path = "patterns/stream.rs"]
mod stream;
#[path = "patterns/xpub_xsub.rs"]
mod xpub_xsub;
