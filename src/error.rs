//! Every error a caller or a monitor can see, each with the `errno` libzmq gives for it.
//!
//! Would-block is not an error below the API layer: queues say `Full` and `Empty`, and only
//! `socket.rs` turns that into [`Error::Again`].

use std::io;

/// The base of ZeroMQ's own error numbers.
const HAUSNUMERO: i32 = 156_384_712;

/// The result of most calls of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The call would have to wait: `DONTWAIT` was given, or the time-out expired (`EAGAIN`).
    #[error("the operation would block")]
    Again,
    /// The context is being terminated; close the socket (`ETERM`).
    #[error("the context was terminated")]
    Term,
    /// The socket is in the wrong state, such as a REQ that sends twice (`EFSM`).
    #[error("the operation cannot be done in the socket's present state")]
    Fsm,
    /// The socket type has no such operation, such as `recv` on a PUSH (`ENOTSUP`).
    #[error("the socket type does not support the operation")]
    NotSupported,
    /// No peer has the given routing id, and the socket must report that (`EHOSTUNREACH`).
    #[error("no peer with this routing id is connected")]
    HostUnreachable,
    /// The address is bound already, or its ipc file belongs to a live listener (`EADDRINUSE`).
    #[error("the address is in use")]
    AddrInUse,
    /// The address is not one of this host's (`EADDRNOTAVAIL`).
    #[error("the address is not available on this host")]
    AddrNotAvailable,
    /// The name or interface to bind to does not exist (`ENODEV`).
    #[error("no such interface or host name")]
    NoDevice,
    /// The endpoint does not follow the transport's grammar (`EINVAL`).
    #[error("invalid endpoint {endpoint:?}: {reason}")]
    InvalidEndpoint {
        /// The endpoint as it was given.
        endpoint: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An ipc path does not fit into a socket address (`ENAMETOOLONG`).
    #[error("the ipc path is longer than a socket address can hold")]
    NameTooLong,
    /// The endpoint's scheme is none of `inproc`, `ipc`, `tcp` (`EPROTONOSUPPORT`).
    #[error("unknown transport {0:?}")]
    ProtocolNotSupported(String),
    /// The socket type cannot use this transport, such as STREAM over inproc (`ENOCOMPATPROTO`).
    #[error("the transport cannot carry this socket type")]
    IncompatibleTransport,
    /// The endpoint to unbind or disconnect is not one of the socket's (`ENOENT`).
    #[error("no such endpoint on this socket")]
    NoSuchEndpoint,
    /// The context has no I/O thread that the socket may use (`EMTHREAD`).
    #[error("no I/O thread is available")]
    NoIoThread,
    /// The context's `max_sockets` are all open (`EMFILE`).
    #[error("too many sockets in this context")]
    TooManySockets,
    /// An argument or option value is out of its range (`EINVAL`).
    #[error("invalid argument: {0}")]
    InvalidArgument(&'static str),
    /// The operating system refused a call; the source says what it answered.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// The `errno` that libzmq's C API reports in this case.
    #[must_use]
    pub fn errno(&self) -> i32 {
        use nix::libc;
        match self {
            Self::Again => libc::EAGAIN,
            Self::Term => HAUSNUMERO + 53,
            Self::Fsm => HAUSNUMERO + 51,
            Self::NotSupported => libc::ENOTSUP,
            Self::HostUnreachable => libc::EHOSTUNREACH,
            Self::AddrInUse => libc::EADDRINUSE,
            Self::AddrNotAvailable => libc::EADDRNOTAVAIL,
            Self::NoDevice => libc::ENODEV,
            Self::InvalidEndpoint { .. } | Self::InvalidArgument(_) => libc::EINVAL,
            Self::NameTooLong => libc::ENAMETOOLONG,
            Self::ProtocolNotSupported(_) => libc::EPROTONOSUPPORT,
            Self::IncompatibleTransport => HAUSNUMERO + 52,
            Self::NoSuchEndpoint => libc::ENOENT,
            Self::NoIoThread => HAUSNUMERO + 54,
            Self::TooManySockets => libc::EMFILE,
            Self::Io(error) => error.raw_os_error().unwrap_or(libc::EIO),
        }
    }

    /// The error for what the system answered to `bind`, `listen` or `connect`.
    pub(crate) fn from_address(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::AddrInUse,
            io::ErrorKind::AddrNotAvailable => Self::AddrNotAvailable,
            _ => Self::Io(error),
        }
    }
}

/// The rule of ZMTP, or of a limit set on the socket, that a peer broke.
///
/// Reported by a [`Monitor`](crate::Monitor) when a connection is closed for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A command or message came when the handshake did not allow it.
    #[error("unexpected command")]
    UnexpectedCommand,
    /// A handshake command is not of the form the mechanism prescribes.
    #[error("malformed command")]
    MalformedCommand,
    /// A message frame that cannot be what it claims to be, such as a bad length.
    #[error("malformed message")]
    MalformedMessage,
    /// HELLO is malformed.
    #[error("malformed HELLO")]
    MalformedHello,
    /// INITIATE is malformed.
    #[error("malformed INITIATE")]
    MalformedInitiate,
    /// ERROR is malformed.
    #[error("malformed ERROR")]
    MalformedError,
    /// READY is malformed.
    #[error("malformed READY")]
    MalformedReady,
    /// WELCOME is malformed.
    #[error("malformed WELCOME")]
    MalformedWelcome,
    /// The metadata of READY or INITIATE does not parse.
    #[error("invalid metadata")]
    InvalidMetadata,
    /// The peer's mechanism is not ours, or it is too old to have the one we demand.
    #[error("security mechanism mismatch")]
    MechanismMismatch,
    /// The peer's socket type cannot talk to ours.
    #[error("incompatible socket type")]
    IncompatibleSocketType,
    /// A frame is larger than the socket's `max_msg_size`.
    #[error("message larger than the limit")]
    MessageTooLarge,
    /// A handshake command is larger than any mechanism needs.
    #[error("handshake command larger than the limit")]
    CommandTooLarge,
    /// A box does not open: it was made with other keys, or altered. Or a key is one with which
    /// nothing can be secret.
    #[error("cryptographic failure")]
    Cryptographic,
    /// An encrypted message is older than one that came before: it was replayed.
    #[error("message out of sequence")]
    InvalidSequence,
    /// The routing id is longer than 255 bytes, or starts with a zero byte.
    #[error("invalid routing id")]
    InvalidRoutingId,
    /// A peer of a REQ socket sent a message without the delimiter frame.
    #[error("message without an envelope")]
    MissingEnvelope,
    /// The peer refused us with an ERROR command; a ZAP status code, or 0 for another reason.
    #[error("refused by the peer with status {0}")]
    Refused(u16),
}

impl ProtocolError {
    /// libzmq's `ZMQ_PROTOCOL_ERROR_*` number for this error.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::UnexpectedCommand => 0x1000_0001,
            Self::MalformedCommand => 0x1000_0011,
            Self::MalformedMessage | Self::MissingEnvelope => 0x1000_0012,
            Self::MalformedHello => 0x1000_0013,
            Self::MalformedInitiate => 0x1000_0014,
            Self::MalformedError => 0x1000_0015,
            Self::MalformedReady => 0x1000_0016,
            Self::MalformedWelcome => 0x1000_0017,
            Self::InvalidMetadata | Self::InvalidRoutingId => 0x1000_0018,
            Self::InvalidSequence => 0x1000_0002,
            Self::Cryptographic => 0x1100_0001,
            Self::MechanismMismatch => 0x1100_0002,
            Self::IncompatibleSocketType
            | Self::MessageTooLarge
            | Self::CommandTooLarge
            | Self::Refused(_) => 0x1000_0000,
        }
    }
}

/// Why nothing came of asking a ZAP handler about a peer (RFC 27). The peer is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZapError {
    /// There is nobody to ask, and the socket demands an answer.
    #[error("no authenticator and no ZAP handler")]
    NoHandler,
    /// What is bound to the handler's endpoint is not a REP, ROUTER or SERVER.
    #[error("the ZAP handler's socket type cannot answer")]
    NotAHandler,
    /// The handler went away before it answered.
    #[error("the ZAP handler is gone")]
    HandlerGone,
    /// The reply does not have the frames it should have.
    #[error("malformed ZAP reply")]
    MalformedReply,
    /// The reply is to another request.
    #[error("ZAP reply to another request")]
    BadRequestId,
    /// The reply is of another version of ZAP.
    #[error("ZAP reply of another version")]
    BadVersion,
    /// The status is not one of 200, 300, 400 and 500.
    #[error("invalid status in a ZAP reply")]
    InvalidStatus,
    /// The metadata does not parse.
    #[error("invalid metadata in a ZAP reply")]
    InvalidMetadata,
}

impl ZapError {
    /// libzmq's `ZMQ_PROTOCOL_ERROR_ZAP_*` number for this error; `None` where libzmq reports the
    /// failure with an `errno`, which is `EFAULT`.
    #[must_use]
    pub fn code(self) -> Option<u32> {
        match self {
            Self::NoHandler | Self::NotAHandler => None,
            Self::HandlerGone => Some(0x2000_0000),
            Self::MalformedReply => Some(0x2000_0001),
            Self::BadRequestId => Some(0x2000_0002),
            Self::BadVersion => Some(0x2000_0003),
            Self::InvalidStatus => Some(0x2000_0004),
            Self::InvalidMetadata => Some(0x2000_0005),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_errors_have_zeromqs_numbers() {
        assert_eq!(Error::Fsm.errno(), 156_384_763);
        assert_eq!(Error::Term.errno(), 156_384_765);
        assert_eq!(Error::Again.errno(), nix::libc::EAGAIN);
    }

    #[test]
    fn an_error_can_cross_threads() {
        fn is_send_sync<T: Send + Sync + 'static>() {}
        is_send_sync::<Error>();
    }
}
