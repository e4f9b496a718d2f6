//! The socket options.
