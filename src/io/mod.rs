//! Threads, descriptors and time: everything below the engine that touches the system.

pub(crate) mod poller;
pub(crate) mod transport;
pub(crate) mod resolver;
pub(crate) mod connecter;
pub(crate) mod connection;
pub(crate) mod session_base;
pub(crate) mod listener;
pub(crate) mod thread;
