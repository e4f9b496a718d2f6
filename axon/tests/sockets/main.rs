//! The sockets of axon through their public API, with each other and with peers made by hand, over
//! tcp and unix sockets.

mod common;
mod connections;
mod emitters;
mod hostile;
mod publish;
mod push;
mod requests;
