//! Node's axon, axon-rpc and the sockets of pm2, in Rust, on the engine of ferrozmq.

pub mod amp;
mod value;
mod topic;
#[cfg(any(test, fuzzing))]
#[allow(missing_docs, reason = "no part of the API")]
pub mod fuzzing;

pub use topic::Pattern;
pub use value::{
    Arg, Args, DecodeError, EncodeError, Encoder, FromArgs, Json, Kind, Message, Raw, ToArg,
    ToArgs, Value,
};
