//! Why a call fails.

use crate::value::{DecodeError, EncodeError};

/// What most calls of this crate return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed. What peers do wrong is never an error of a call: their connection is closed,
/// and [`Events`](crate::Events) tell why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing came in time, or there was no room in time.
    #[error("the time is over")]
    Timeout,
    /// There is nothing to receive now; of calls that do not wait.
    #[error("there is no message now")]
    Empty,
    /// There is no room now and the message was not taken: the socket has reached its high-water
    /// mark, or the peer of a reply reads too slowly.
    #[error("there is no room for the message")]
    Full,
    /// A request was dropped for want of room before any peer got it.
    #[error("the request was dropped for want of room")]
    Dropped,
    /// The peer that a request went to, or that a reply is for, is gone.
    #[error("the peer is gone")]
    PeerGone,
    /// The socket or its context is closed.
    #[error("the socket is closed")]
    Closed,
    /// The text is no endpoint.
    #[error("invalid endpoint {endpoint:?}: {reason}")]
    Endpoint {
        /// The endpoint as it was given.
        endpoint: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The arguments cannot be sent.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// An argument is not what it was asked for as.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The engine refused: the address is in use, the system has no descriptors left, and so on.
    #[error(transparent)]
    Engine(ferrozmq::Error),
}

impl From<ferrozmq::Error> for Error {
    fn from(error: ferrozmq::Error) -> Self {
        match error {
            ferrozmq::Error::Term => Self::Closed,
            ferrozmq::Error::HostUnreachable => Self::PeerGone,
            error => Self::Engine(error),
        }
    }
}
