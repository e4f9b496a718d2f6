//! What touches the system: descriptors, name lookups, the clock, and the threads that wait for
//! them. Owns no code itself; must never import from routing or patterns.

pub(crate) mod poller;
pub(crate) mod resolver;
pub(crate) mod transport;
pub(crate) mod connecter;
pub(crate) mod connection;
pub(crate) mod zap;
pub(crate) mod session_base;
pub(crate) mod listener;
pub(crate) mod datagrams;
pub(crate) mod core;
pub(crate) mod thread;
