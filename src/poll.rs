//! Waiting for several sockets and descriptors at once.

/// Something can be received.
pub const POLLIN: i16 = 1;
/// Something can be sent.
pub const POLLOUT: i16 = 2;
