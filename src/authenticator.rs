//! [`Authenticator`]: who decides for a whole context which peers are let in, without a thread and
//! without ZAP's messages.
//!
//! It holds one set of [`Rules`], which can be replaced while sockets run; a session asks it in its
//! own I/O thread. It never waits and knows no sockets.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;
use pbkdf2::pbkdf2_hmac_array;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::certificate;
use crate::error::{Error, Result};
use crate::keys::PublicKey;
use crate::msg::Metadata;
use crate::options::Subnet;
use crate::zap::{AuthRequest, Credentials, Verdict};

/// How often a password is hashed: as often as SCRAM-SHA-256 demands (RFC 7677). It takes about a
/// millisecond, on the I/O thread.
const HASH_ROUNDS: u32 = 4096;

/// A salted hash of a password, which does not tell the password.
#[derive(Clone)]
struct PasswordHash {
    salt: [u8; 16],
    hash: [u8; 32],
}

/// The hash of no password that anybody knows.
const DECOY: PasswordHash = PasswordHash {
    salt: [0; 16],
    hash: [0; 32],
};

impl PasswordHash {
    fn new(password: &[u8]) -> Result<Self> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(std::io::Error::other)?;
        let hash = pbkdf2_hmac_array::<Sha256, 32>(password, &salt, HASH_ROUNDS);
        Ok(Self { salt, hash })
    }

    /// Takes the same time whatever the answer.
    fn matches(&self, password: &[u8]) -> bool {
        let hash = pbkdf2_hmac_array::<Sha256, 32>(password, &self.salt, HASH_ROUNDS);
        hash.ct_eq(&self.hash).into()
    }
}

/// What a callback says of a peer, see [`Rules::decide_by`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Decision {
    /// Let the peer in; its messages carry this as `User-Id`, unless it is empty.
    Allow(String),
    /// Refuse it for good: it is told so, with status 400.
    Deny,
    /// Refuse it for now: it may try again.
    Retry,
    /// Judge it by the other rules.
    Undecided,
}

type Callback = Arc<dyn Fn(&AuthRequest) -> Decision + Send + Sync>;

/// Who is let in. Nobody is who is not named, but for NULL peers, which have nothing to show.
///
/// 1. A callback, if there is one, decides alone if it wants to.
/// 2. The address must be among the allowed ones, if there are any, and not among the denied ones.
///    That is all that is asked of a NULL peer, and only on sockets with a
///    [`zap_domain`](crate::Socket::set_zap_domain). Over ipc there is no address: with a list of
///    allowed ones, nobody is let in by ipc.
/// 3. A PLAIN client must have the password of its user name, a CURVE client one of the keys.
///
/// ```
/// use ferrozmq::{CurveKeyPair, Rules};
///
/// let client = CurveKeyPair::new()?;
/// let rules = Rules::new()
///     .allow_address("10.0.0.0/8")?
///     .allow_key(client.public_key, "ann")
///     .allow_password("bob", "correct horse battery staple")?;
/// # Ok::<(), ferrozmq::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Rules {
    allowed: Vec<Subnet>,
    denied: Vec<Subnet>,
    passwords: HashMap<Vec<u8>, PasswordHash>,
    keys: HashMap<PublicKey, String>,
    any_key: bool,
    callback: Option<Callback>,
}

impl Rules {
    /// Rules that let no PLAIN and no CURVE client in.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets in only who comes from this address, `address` or `address/prefix`, or another one
    /// that is allowed.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the text is neither.
    pub fn allow_address(mut self, subnet: &str) -> Result<Self> {
        self.allowed.push(parse_subnet(subnet)?);
        Ok(self)
    }

    /// Keeps out who comes from this address, `address` or `address/prefix`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the text is neither.
    pub fn deny_address(mut self, subnet: &str) -> Result<Self> {
        self.denied.push(parse_subnet(subnet)?);
        Ok(self)
    }

    /// Lets in PLAIN clients with this user name and password; the name becomes their `User-Id`.
    /// Only a salted hash of the password is kept. A second password for a name replaces the
    /// first.
    ///
    /// # Errors
    /// [`Error::Io`] if the system has no randomness for the salt.
    pub fn allow_password(mut self, username: &str, password: &str) -> Result<Self> {
        let hash = PasswordHash::new(password.as_bytes())?;
        self.passwords.insert(username.into(), hash);
        Ok(self)
    }

    /// Lets in CURVE clients with this key. `user_id` becomes the `User-Id` of their messages; if
    /// it is empty, the key does, as Z85 text.
    #[must_use]
    pub fn allow_key(mut self, key: PublicKey, user_id: &str) -> Self {
        self.keys.insert(key, user_id.to_owned());
        self
    }

    /// Lets in CURVE clients with the key of any certificate in a directory, as czmq and pyzmq
    /// write them, see [`PublicKey::load`]. Their `User-Id` is the certificate's `name` or, without
    /// one, the key. The files are read now; for keys that come later, load again and
    /// [set](Authenticator::set_rules) the rules anew.
    ///
    /// # Errors
    /// [`Error::Io`] if the directory cannot be read. A file in it that is no certificate is passed
    /// over and reported to the log.
    pub fn allow_keys_in(mut self, directory: impl AsRef<Path>) -> Result<Self> {
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if !path.is_file() {
                continue;
            }
            match certificate::load_public(&path) {
                Ok((key, name)) => self = self.allow_key(key, &name),
                Err(error) => {
                    log::warn!(target: "ferrozmq", "{}: {error}", path.display());
                }
            }
        }
        Ok(self)
    }

    /// Lets in CURVE clients with whatever key, so long as they know the server's.
    #[must_use]
    pub fn allow_any_key(mut self) -> Self {
        self.any_key = true;
        self
    }

    /// Lets a function decide, before anything else. It runs on an I/O thread, which serves no
    /// other connection meanwhile: it must not wait for anything. If it panics the peer is refused.
    /// Who must look something up first binds a REP to `inproc://zeromq.zap.01` instead.
    #[must_use]
    pub fn decide_by(
        mut self,
        decide: impl Fn(&AuthRequest) -> Decision + Send + Sync + 'static,
    ) -> Self {
        self.callback = Some(Arc::new(decide));
        self
    }

    fn judge(&self, request: &AuthRequest) -> Verdict {
        match self.call(request) {
            Ok(Decision::Allow(user_id)) => granted(user_id),
            Ok(Decision::Deny) => Verdict::Refused(400),
            Ok(Decision::Retry) => Verdict::Refused(300),
            Ok(Decision::Undecided) if self.is_welcome(&request.address) => {
                self.judge_credentials(&request.credentials)
            }
            Ok(Decision::Undecided) => Verdict::Refused(400),
            Err(()) => Verdict::Refused(500),
        }
    }

    /// What the callback says; an error if it panics.
    fn call(&self, request: &AuthRequest) -> std::result::Result<Decision, ()> {
        let Some(callback) = &self.callback else {
            return Ok(Decision::Undecided);
        };
        catch_unwind(AssertUnwindSafe(|| callback(request))).map_err(|_| {
            log::error!(target: "ferrozmq", "the callback of the authenticator has panicked");
        })
    }

    fn is_welcome(&self, address: &str) -> bool {
        let address = address.parse::<IpAddr>().ok();
        let is_in = |subnets: &[Subnet]| {
            address.is_some_and(|address| subnets.iter().any(|subnet| subnet.contains(address)))
        };
        (self.allowed.is_empty() || is_in(&self.allowed)) && !is_in(&self.denied)
    }

    fn judge_credentials(&self, credentials: &Credentials) -> Verdict {
        match credentials {
            Credentials::Null => granted(String::new()),
            Credentials::Plain { username, password } => self.judge_password(username, password),
            Credentials::Curve { public_key } => self.judge_key(public_key),
        }
    }

    fn judge_password(&self, username: &[u8], password: &[u8]) -> Verdict {
        // It takes as long for a name that does not exist, lest the time tell which do.
        let known = self.passwords.get(username);
        if known.unwrap_or(&DECOY).matches(password) && known.is_some() {
            granted(String::from_utf8_lossy(username).into_owned())
        } else {
            Verdict::Refused(400)
        }
    }

    fn judge_key(&self, key: &PublicKey) -> Verdict {
        match self.keys.get(key) {
            Some(user_id) if !user_id.is_empty() => granted(user_id.clone()),
            None if !self.any_key => Verdict::Refused(400),
            Some(_) | None => granted(key.to_string()),
        }
    }
}

impl fmt::Debug for Rules {
    /// Shows whom they name, and no password nor hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: HashSet<_> = self
            .passwords
            .keys()
            .map(|name| String::from_utf8_lossy(name))
            .collect();
        f.debug_struct("Rules")
            .field("allowed", &self.allowed)
            .field("denied", &self.denied)
            .field("passwords_of", &names)
            .field("keys", &self.keys)
            .field("any_key", &self.any_key)
            .field("callback", &self.callback.is_some())
            .finish()
    }
}

fn parse_subnet(text: &str) -> Result<Subnet> {
    let wrong = Error::InvalidArgument("this is neither an address nor address/prefix");
    text.parse().map_err(|()| wrong)
}

fn granted(user_id: String) -> Verdict {
    let mut metadata = Metadata::new();
    if !user_id.is_empty() {
        metadata.insert(Metadata::USER_ID, user_id.as_bytes());
    }
    Verdict::Granted(metadata)
}

/// Decides which peers the sockets of a context let in; from
/// [`Ctx::authenticator`](crate::Ctx::authenticator). Clones are the same authenticator.
///
/// It is asked about the clients of CURVE and PLAIN servers, and about the peers of NULL sockets
/// that have a [`zap_domain`](crate::Socket::set_zap_domain), over tcp and ipc.
#[derive(Clone, Debug, Default)]
pub struct Authenticator(Arc<RwLock<Arc<Rules>>>);

impl Authenticator {
    /// Replaces the rules as a whole, for handshakes from now on. Who is in stays in.
    pub fn set_rules(&self, rules: Rules) {
        *self.0.write() = Arc::new(rules);
    }

    /// A copy of the rules, to be changed and set again.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules::clone(&self.0.read())
    }

    pub(crate) fn judge(&self, request: &AuthRequest) -> Verdict {
        let rules = self.0.read().clone();
        rules.judge(request)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn request(address: &str, credentials: Credentials) -> AuthRequest {
        AuthRequest {
            domain: String::new(),
            address: address.into(),
            routing_id: Bytes::new(),
            credentials,
        }
    }

    fn plain(username: &str, password: &str) -> AuthRequest {
        let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let (username, password) = (text(username), text(password));
        request("127.0.0.1", Credentials::Plain { username, password })
    }

    fn curve(public_key: PublicKey) -> AuthRequest {
        request("127.0.0.1", Credentials::Curve { public_key })
    }

    fn user(user_id: &str) -> Verdict {
        granted(user_id.into())
    }

    const DENIED: Verdict = Verdict::Refused(400);

    #[test]
    fn nobody_is_let_in_who_is_not_named() {
        let rules = Rules::new();
        assert_eq!(rules.judge(&plain("", "")), DENIED);
        assert_eq!(rules.judge(&curve([0; 32].into())), DENIED);
        assert_eq!(
            rules.judge(&request("10.0.0.1", Credentials::Null)),
            user("")
        );
    }

    #[test]
    fn a_password_belongs_to_its_name() {
        let rules = Rules::new().allow_password("ann", "first").unwrap();
        let rules = rules.allow_password("ann", "secret").unwrap();
        assert_eq!(rules.judge(&plain("ann", "secret")), user("ann"));
        for (name, password) in [
            ("ann", "first"),
            ("ann", ""),
            ("bob", "secret"),
            ("", "secret"),
        ] {
            assert_eq!(rules.judge(&plain(name, password)), DENIED);
        }
        let shown = format!("{rules:?}");
        assert!(
            shown.contains("ann") && !shown.contains("secret"),
            "{shown}"
        );
    }

    #[test]
    fn keys_have_names() {
        let [ann, bob, stranger] = [1, 2, 3].map(|n| PublicKey::from([n; 32]));
        let rules = Rules::new().allow_key(ann, "ann").allow_key(bob, "");
        assert_eq!(rules.judge(&curve(ann)), user("ann"));
        assert_eq!(rules.judge(&curve(bob)), user(&bob.to_string()));
        assert_eq!(rules.judge(&curve(stranger)), DENIED);
        let rules = rules.allow_any_key();
        assert_eq!(rules.judge(&curve(stranger)), user(&stranger.to_string()));
        assert_eq!(rules.judge(&curve(ann)), user("ann"));
    }

    #[test]
    fn addresses_are_judged_first() {
        let from = |rules: &Rules, address| rules.judge(&request(address, Credentials::Null));
        let rules = Rules::new().deny_address("10.0.0.0/8").unwrap();
        assert_eq!(from(&rules, "10.1.2.3"), DENIED);
        assert_eq!(from(&rules, "11.1.2.3"), user(""));
        assert_eq!(from(&rules, ":0:0:1"), user(""), "a process has no address");
        let rules = rules.allow_address("10.1.0.0/16").unwrap();
        let rules = rules.allow_address("::1").unwrap();
        assert_eq!(from(&rules, "10.1.2.3"), DENIED, "to be denied is stronger");
        assert_eq!(from(&rules, "11.1.2.3"), DENIED);
        assert_eq!(from(&rules, "::1"), user(""));
        assert_eq!(from(&rules, ":0:0:1"), DENIED);
        assert!(Rules::new().allow_address("nowhere").is_err());
    }

    #[test]
    fn a_callback_decides_before_the_rules() {
        let rules = Rules::new().allow_password("ann", "secret").unwrap();
        let rules = rules.decide_by(|request| match &request.address[..] {
            "1.1.1.1" => Decision::Allow("guest".into()),
            "2.2.2.2" => Decision::Deny,
            "3.3.3.3" => Decision::Retry,
            "4.4.4.4" => panic!("on purpose"),
            _ => Decision::Undecided,
        });
        let from = |address: &str| {
            let request = AuthRequest {
                address: address.into(),
                ..plain("ann", "secret")
            };
            rules.judge(&request)
        };
        assert_eq!(from("1.1.1.1"), user("guest"));
        assert_eq!(from("2.2.2.2"), DENIED);
        assert_eq!(from("3.3.3.3"), Verdict::Refused(300));
        assert_eq!(from("4.4.4.4"), Verdict::Refused(500));
        assert_eq!(from("5.5.5.5"), user("ann"));
    }

    #[test]
    fn rules_can_be_replaced() {
        let authenticator = Authenticator::default();
        assert_eq!(authenticator.judge(&plain("ann", "secret")), DENIED);
        let same = authenticator.clone();
        same.set_rules(same.rules().allow_password("ann", "secret").unwrap());
        assert_eq!(authenticator.judge(&plain("ann", "secret")), user("ann"));
        same.set_rules(Rules::new());
        assert_eq!(authenticator.judge(&plain("ann", "secret")), DENIED);
    }
}
