//! The words of ZAP (RFC 27): what is asked about a peer before it is let in, and what is
//! answered.
//!
//! Plain values: how they travel to a handler is `zmtp/zap.rs`'s and `io/zap.rs`'s business, and
//! who answers is `inproc.rs`'s.

use std::fmt;

use bytes::Bytes;

use crate::error::ZapError;
use crate::keys::PublicKey;
use crate::msg::Metadata;
use crate::security::Mechanism;

/// The name, after `inproc://`, that a ZAP handler binds.
pub(crate) const HANDLER: &str = "zeromq.zap.01";

/// What a peer shows for itself.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// Nothing: the mechanism is NULL.
    Null,
    /// A user name and a password, as they came, which need not be text.
    Plain {
        /// The user name.
        username: Bytes,
        /// The password. Never printed by `Debug`.
        password: Bytes,
    },
    /// Its long-term public key; that it has the secret one is proven.
    Curve {
        /// The key.
        public_key: PublicKey,
    },
}

impl Credentials {
    /// The mechanism that they belong to.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        match self {
            Self::Null => Mechanism::Null,
            Self::Plain { .. } => Mechanism::Plain,
            Self::Curve { .. } => Mechanism::Curve,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Plain { username, .. } => {
                write!(f, "Plain({:?}, ..)", username.escape_ascii().to_string())
            }
            Self::Curve { public_key } => write!(f, "Curve({public_key})"),
        }
    }
}

/// A peer that wants to be let in.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct AuthRequest {
    /// The socket's [`zap_domain`](crate::Socket::set_zap_domain).
    pub domain: String,
    /// Where the peer is: its address over tcp, `:uid:gid:pid` over ipc; empty if unknown.
    pub address: String,
    /// The routing id of the socket that asks.
    pub routing_id: Bytes,
    /// What the peer shows.
    pub credentials: Credentials,
}

/// What was decided about a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is let in; its messages carry this besides what it tells of itself.
    Granted(Metadata),
    /// It is not, for this status: 300 for now, 400 for good, 500 for an error of the handler's.
    Refused(u16),
    /// The answer was none.
    Failed(ZapError),
    /// There is nobody to ask.
    NobodyThere,
}
