//! The strategies of ZeroMQ: whom to send to and whom to receive from.
//!
//! They hold keys of pipes in an order, and are lent the pipes for each call. They know nothing
//! of socket types.
