//! What each socket type does, seen from outside, over every transport that it works with.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/peer.rs"]
mod peer;

#[path = "patterns/client_server.rs"]
mod client_server;
#[path = "patterns/dealer_router.rs"]
mod dealer_router;
#[path = "patterns/pair.rs"]
mod pair;
#[path = "patterns/peer_channel.rs"]
mod peer_channel;
#[path = "patterns/pipeline.rs"]
mod pipeline;
#[path = "patterns/pubsub.rs"]
mod pubsub;
#[path = "patterns/radio_dish.rs"]
mod radio_dish;
#[path = "patterns/reqrep.rs"]
mod reqrep;
#[path = "patterns/scatter_gather.rs"]
mod scatter_gather;
#[path = "patterns/stream.rs"]
mod stream;
#[path = "patterns/udp.rs"]
mod udp;
#[path = "patterns/xpub_xsub.rs"]
mod xpub_xsub;
