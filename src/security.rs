//! How a socket's connections are secured: [`Curve`], [`Plain`], and the raw options beneath them.
//!
//! The typed form, [`Security`], has no half-configured states. The raw form is libzmq's: each
//! option overwrites what the socket is, in the order in which they are set. Both end in a
//! [`Role`], which is what a connection's mechanism is made from.

use std::fmt;

use zeroize::Zeroizing;

use crate::keys::{CurveKeyPair, PublicKey, SecretKey};

/// A security mechanism of ZMTP, `ZMQ_MECHANISM`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
#[non_exhaustive]
pub enum Mechanism {
    /// No encryption and no authentication but by address.
    #[default]
    Null,
    /// A user name and a password, in the clear (RFC 24).
    Plain,
    /// Encryption and authentication by keys (RFC 25 and 26).
    Curve,
}

impl Mechanism {
    /// The name in greetings and in ZAP requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Plain => "PLAIN",
            Self::Curve => "CURVE",
        }
    }

    /// The number in libzmq's API.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Null => 0,
            Self::Plain => 1,
            Self::Curve => 2,
        }
    }
}

/// A text that is zeroised when dropped and never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Password(Zeroizing<String>);

impl Password {
    pub(crate) fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// What one side of a connection is to its mechanism.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    Null,
    PlainServer,
    PlainClient {
        username: String,
        password: Password,
    },
    CurveServer {
        secret_key: SecretKey,
    },
    CurveClient {
        keys: CurveKeyPair,
        server_key: PublicKey,
    },
}

impl Role {
    pub(crate) fn mechanism(&self) -> Mechanism {
        match self {
            Self::Null => Mechanism::Null,
            Self::PlainServer | Self::PlainClient { .. } => Mechanism::Plain,
            Self::CurveServer { .. } | Self::CurveClient { .. } => Mechanism::Curve,
        }
    }
}

/// How a socket's connections are secured, complete: made by [`Curve`] or [`Plain`], or
/// [`Security::none`], and given to [`Socket::set_security`](crate::Socket::set_security).
#[derive(Clone, Debug)]
pub struct Security(Role);

impl Security {
    /// The mechanism NULL: no security. The default.
    #[must_use]
    pub fn none() -> Self {
        Self(Role::Null)
    }

    /// Which mechanism it is.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.0.mechanism()
    }
}

/// CURVE: what is sent is encrypted, and both sides know by their keys whom they talk to (RFC 25
/// and 26). Which side binds and which connects has nothing to do with which is the server: the
/// server is the side whose key the others know beforehand.
///
/// ```
/// use ferrozmq::{Ctx, Curve, CurveKeyPair, SocketType};
///
/// # fn main() -> ferrozmq::Result<()> {
/// let ctx = Ctx::new();
/// let (server_keys, client_keys) = (CurveKeyPair::new()?, CurveKeyPair::new()?);
///
/// let server = ctx.socket(SocketType::PULL)?;
/// server.set_security(Curve::server(&server_keys))?;
/// server.bind("tcp://127.0.0.1:*")?;
///
/// let client = ctx.socket(SocketType::PUSH)?;
/// client.set_security(Curve::client(&client_keys, server_keys.public_key))?;
/// client.connect(&server.last_endpoint())?;
/// client.send("nobody else can read this", 0)?;
/// assert_eq!(server.recv_string(0)?, "nobody else can read this");
/// # Ok(())
/// # }
/// ```
///
/// Whom a server lets in is decided by [`Ctx::authenticator`](crate::Ctx::authenticator) or a ZAP
/// handler. Without either it lets everybody in who knows its public key.
#[derive(Clone, Copy, Debug)]
pub struct Curve(());

impl Curve {
    /// The side whose public key is known to its clients.
    #[must_use]
    pub fn server(keys: &CurveKeyPair) -> Security {
        Security(Role::CurveServer {
            secret_key: keys.secret_key.clone(),
        })
    }

    /// The side that talks to the server with this key, and to nobody else.
    #[must_use]
    pub fn client(keys: &CurveKeyPair, server_key: PublicKey) -> Security {
        Security(Role::CurveClient {
            keys: keys.clone(),
            server_key,
        })
    }
}

/// PLAIN: a user name and a password, sent in the clear (RFC 24). For networks in which everybody
/// may see everything.
#[derive(Clone, Copy, Debug)]
pub struct Plain(());

impl Plain {
    /// The side that asks for a password. It needs a judge of passwords:
    /// [`Ctx::authenticator`](crate::Ctx::authenticator) or a ZAP handler; without either it lets
    /// nobody in.
    #[must_use]
    pub fn server() -> Security {
        Security(Role::PlainServer)
    }

    /// The side that gives a password. Of more than 255 bytes of either text, which the protocol
    /// cannot carry, the first 255 are sent.
    #[must_use]
    pub fn client(username: &str, password: &str) -> Security {
        Security(Role::PlainClient {
            username: username.to_owned(),
            password: Password::new(password),
        })
    }
}

/// Whether and how ZAP is asked about peers.
#[derive(Clone, Default, Debug)]
pub(crate) struct ZapPolicy {
    pub domain: String,
    /// Ask only if there is a domain, and let nobody in without an answer.
    pub enforce_domain: bool,
    /// Whether a peer waits whose handler is gone.
    pub waits_for_lost: bool,
}

/// The security options, as libzmq keeps them.
#[derive(Clone, Debug)]
pub(crate) struct SecurityOptions {
    pub mechanism: Mechanism,
    pub as_server: bool,
    pub plain_username: String,
    pub plain_password: Password,
    pub curve_public: PublicKey,
    pub curve_secret: SecretKey,
    pub curve_server: PublicKey,
    pub zap: ZapPolicy,
}

impl Default for SecurityOptions {
    fn default() -> Self {
        Self {
            mechanism: Mechanism::Null,
            as_server: false,
            plain_username: String::new(),
            plain_password: Password::default(),
            curve_public: [0; 32].into(),
            curve_secret: [0; 32].into(),
            curve_server: [0; 32].into(),
            zap: ZapPolicy::default(),
        }
    }
}

impl SecurityOptions {
    /// Becomes what `security` says, whatever was set before.
    pub(crate) fn set(&mut self, security: Security) {
        let zap = std::mem::take(&mut self.zap);
        *self = Self {
            mechanism: security.mechanism(),
            zap,
            ..Self::default()
        };
        match security.0 {
            Role::Null => {}
            Role::PlainServer => self.as_server = true,
            Role::PlainClient { username, password } => {
                (self.plain_username, self.plain_password) = (username, password);
            }
            Role::CurveServer { secret_key } => {
                self.as_server = true;
                (self.curve_public, self.curve_secret) = (secret_key.public_key(), secret_key);
            }
            Role::CurveClient { keys, server_key } => {
                (self.curve_public, self.curve_secret) = (keys.public_key, keys.secret_key);
                self.curve_server = server_key;
            }
        }
    }

    /// Makes the socket a server of `mechanism`, or (`false`) a NULL one.
    pub(crate) fn set_server(&mut self, mechanism: Mechanism, as_server: bool) {
        self.as_server = as_server;
        self.mechanism = if as_server {
            mechanism
        } else {
            Mechanism::Null
        };
    }

    /// Makes the socket a client of `mechanism`.
    pub(crate) fn set_client(&mut self, mechanism: Mechanism) {
        (self.mechanism, self.as_server) = (mechanism, false);
    }

    pub(crate) fn is_server(&self, mechanism: Mechanism) -> bool {
        self.as_server && self.mechanism == mechanism
    }

    /// What a connection is to its mechanism.
    pub(crate) fn role(&self) -> Role {
        match (self.mechanism, self.as_server) {
            (Mechanism::Null, _) => Role::Null,
            (Mechanism::Plain, true) => Role::PlainServer,
            (Mechanism::Plain, false) => Role::PlainClient {
                username: self.plain_username.clone(),
                password: self.plain_password.clone(),
            },
            (Mechanism::Curve, true) => Role::CurveServer {
                secret_key: self.curve_secret.clone(),
            },
            (Mechanism::Curve, false) => Role::CurveClient {
                keys: CurveKeyPair {
                    public_key: self.curve_public,
                    secret_key: self.curve_secret.clone(),
                },
                server_key: self.curve_server,
            },
        }
    }

    /// Whether somebody is asked before a peer is let in.
    pub(crate) fn asks(&self) -> bool {
        match (self.mechanism, self.as_server) {
            (Mechanism::Null, _) => !self.zap.domain.is_empty(),
            (Mechanism::Plain, true) => true,
            (Mechanism::Curve, true) => !self.zap.domain.is_empty() || !self.zap.enforce_domain,
            (Mechanism::Plain | Mechanism::Curve, false) => false,
        }
    }

    /// Whether nobody is let in if there is nobody to ask. A password that nobody judges is none.
    pub(crate) fn demands_answer(&self) -> bool {
        self.zap.enforce_domain || self.mechanism == Mechanism::Plain
    }

    /// Whether peers are refused that are too old to have a mechanism.
    pub(crate) fn demands_mechanism(&self) -> bool {
        self.mechanism != Mechanism::Null || self.asks()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_raw_option_overwrites_what_the_socket_is() {
        let mut options = SecurityOptions::default();
        options.set(Curve::server(&CurveKeyPair::new().unwrap()));
        assert!(options.is_server(Mechanism::Curve));
        options.set_server(Mechanism::Plain, false);
        assert_eq!(options.mechanism, Mechanism::Null, "as libzmq has it");
        options.set_client(Mechanism::Curve);
        assert!(matches!(options.role(), Role::CurveClient { .. }));
        options.set_server(Mechanism::Plain, true);
        assert!(matches!(options.role(), Role::PlainServer));
    }

    #[test]
    fn what_is_set_as_a_whole_leaves_nothing_of_what_was_before() {
        let mut options = SecurityOptions::default();
        options.zap.domain = "global".into();
        options.set(Plain::client("admin", "secret"));
        options.set(Security::none());
        assert_eq!(options.plain_username, "");
        assert_eq!(options.plain_password.as_str(), "");
        assert_eq!(options.zap.domain, "global", "it is no part of it");
    }

    #[test]
    fn nothing_that_is_printed_tells_a_secret() {
        let keys = CurveKeyPair::new().unwrap();
        for security in [
            Curve::client(&keys, keys.public_key),
            Plain::client("me", "hush"),
        ] {
            let mut options = SecurityOptions::default();
            options.set(security.clone());
            for shown in [format!("{security:?}"), format!("{options:?}")] {
                assert!(!shown.contains("hush"), "{shown}");
                assert!(!shown.contains(&**keys.secret_key.to_z85()), "{shown}");
            }
        }
    }
}
