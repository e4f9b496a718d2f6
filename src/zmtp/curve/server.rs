//! CURVE's server: it is known to its clients by its key, and learns theirs.
//!
//! Until a client has shown who it is, nothing is kept of it but the key of the cookie that it was
//! given: what was agreed on is in the cookie, and comes back with INITIATE.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::ProtocolError;
use crate::keys::{PublicKey, SecretKey};
use crate::msg::Metadata;
use crate::zap::Credentials;
use crate::zmtp::cipher::Cipher;
use crate::zmtp::command::{HELLO, INITIATE, READY, WELCOME};
use crate::zmtp::curve::{
    COOKIE_NONCE, Fields, HELLO_LEN, HELLO_NONCE, INITIATE_LEN, INITIATE_NONCE, KEY_LEN,
    READY_NONCE, SIGNATURE_LEN, TAIL_LEN, VOUCH_LEN, VOUCH_NONCE, WELCOME_LEN, WELCOME_NONCE,
    long_nonce, short_nonce, transient_key,
};
use crate::zmtp::mechanism::{CommandBody, Mechanism, Ours, Status, refuse};
use crate::zmtp::secretbox::{BoxKey, TAG_LEN, random};

/// The number of our READY; messages go on from there.
const READY_NUMBER: u64 = 1;

const BOXED_COOKIE_LEN: usize = 2 * KEY_LEN + TAG_LEN;

/// A client that has shown who it is.
#[derive(Debug)]
struct Client {
    public_key: PublicKey,
    told: Metadata,
    /// Of both transient keys.
    key: BoxKey,
    /// The number of its INITIATE.
    number: u64,
}

#[derive(Debug)]
enum State {
    AwaitingHello,
    SendingWelcome {
        client_transient: PublicKey,
    },
    AwaitingInitiate {
        cookie_key: BoxKey,
    },
    Asking(Client),
    SendingReady(Client),
    Ready {
        peer: Metadata,
        cipher: Option<Box<Cipher>>,
    },
    Failed,
}

/// The server of one connection.
#[derive(Debug)]
pub(crate) struct CurveServer {
    ours: Ours,
    secret_key: SecretKey,
    asks: bool,
    state: State,
}

impl CurveServer {
    /// A server that has its clients judged, if it asks.
    pub(crate) fn new(ours: Ours, secret_key: SecretKey, asks: bool) -> Self {
        Self {
            ours,
            secret_key,
            asks,
            state: State::AwaitingHello,
        }
    }

    fn on_hello(&self, body: &[u8]) -> Result<State, ProtocolError> {
        let fields = body.strip_prefix(HELLO).ok_or_else(|| refuse(body))?;
        if body.len() != HELLO_LEN || !fields.starts_with(&[1, 0]) {
            return Err(ProtocolError::MalformedHello);
        }
        let mut fields = Fields(fields);
        fields.take::<74>();
        let client_transient = PublicKey::from(*fields.take());
        let nonce = short_nonce(HELLO_NONCE, fields.number());
        let key = BoxKey::agree(&self.secret_key, &client_transient)?;
        let signature = key.open(&nonce, fields.0)?;
        if signature[..].ct_eq(&[0; SIGNATURE_LEN]).into() {
            Ok(State::SendingWelcome { client_transient })
        } else {
            Err(ProtocolError::Cryptographic)
        }
    }

    fn welcome(&mut self, client_transient: &PublicKey) -> Result<CommandBody, ProtocolError> {
        let transient = transient_key()?;
        let cookie_key = BoxKey::secret(&*random()?);
        let (tail, cookie_tail) = (random()?, random()?);
        let agreed = [client_transient.as_ref(), transient.as_ref()].concat();
        let agreed = Zeroizing::new(agreed);
        let cookie = cookie_key.seal(&long_nonce(COOKIE_NONCE, &cookie_tail), &agreed);
        let text = [transient.public_key().as_ref(), &cookie_tail[..], &cookie].concat();
        let key = BoxKey::agree(&self.secret_key, client_transient)?;
        let sealed = key.seal(&long_nonce(WELCOME_NONCE, &tail), &text);
        let welcome = [WELCOME, &tail[..], &sealed].concat();
        debug_assert_eq!(welcome.len(), WELCOME_LEN);
        self.state = State::AwaitingInitiate { cookie_key };
        Ok(welcome.into())
    }

    fn on_initiate(&self, body: &[u8], cookie_key: &BoxKey) -> Result<State, ProtocolError> {
        let fields = body.strip_prefix(INITIATE).ok_or_else(|| refuse(body))?;
        if body.len() < INITIATE_LEN {
            return Err(ProtocolError::MalformedInitiate);
        }
        let mut fields = Fields(fields);
        let (client_transient, transient) = open_cookie(&mut fields, cookie_key)?;
        let number = fields.number();
        let key = BoxKey::agree(&transient, &client_transient)?;
        let text = key.open(&short_nonce(INITIATE_NONCE, number), fields.0)?;
        let mut fields = Fields(&text);
        let public_key = PublicKey::from(*fields.take());
        let nonce = long_nonce(VOUCH_NONCE, &fields.take());
        let vouch = fields.take::<VOUCH_LEN>();
        let vouch = BoxKey::agree(&transient, &public_key)?.open(&nonce, &*vouch)?;
        self.check_vouch(&vouch, &client_transient)?;
        let client = Client {
            public_key,
            told: self.ours.check_peer(fields.0)?,
            key,
            number,
        };
        Ok(if self.asks {
            State::Asking(client)
        } else {
            State::SendingReady(client)
        })
    }

    /// Whether the vouch is for this connection, and for this server.
    fn check_vouch(&self, vouch: &[u8], client_transient: &PublicKey) -> Result<(), ProtocolError> {
        let server_key = self.secret_key.public_key();
        let expected = [client_transient.as_ref(), server_key.as_ref()].concat();
        if vouch.ct_eq(&expected).into() {
            Ok(())
        } else {
            Err(ProtocolError::Cryptographic)
        }
    }

    fn ready(&mut self, client: Client) -> CommandBody {
        let nonce = short_nonce(READY_NONCE, READY_NUMBER);
        let metadata = self.ours.properties_behind(&[]);
        let sealed = client.key.seal(&nonce, &metadata);
        let cipher = Cipher::of_server(&client.key, READY_NUMBER, client.number);
        self.state = State::Ready {
            peer: client.told,
            cipher: Some(Box::new(cipher)),
        };
        [READY, &nonce[16..], &sealed].concat().into()
    }
}

/// What was agreed on: the client's transient key, and ours.
fn open_cookie(
    fields: &mut Fields<'_>,
    cookie_key: &BoxKey,
) -> Result<(PublicKey, SecretKey), ProtocolError> {
    let nonce = long_nonce(COOKIE_NONCE, &fields.take::<TAIL_LEN>());
    let cookie = fields.take::<BOXED_COOKIE_LEN>();
    let agreed = cookie_key.open(&nonce, &*cookie)?;
    let mut agreed = Fields(&agreed);
    let client_transient = PublicKey::from(*agreed.take());
    Ok((client_transient, SecretKey::from(*agreed.take())))
}

impl Mechanism for CurveServer {
    fn next_handshake_command(&mut self) -> Result<Option<CommandBody>, ProtocolError> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::SendingWelcome { client_transient } => self.welcome(&client_transient).map(Some),
            State::SendingReady(client) => Ok(Some(self.ready(client))),
            waiting @ (State::AwaitingHello
            | State::AwaitingInitiate { .. }
            | State::Asking(_)
            | State::Ready { .. }
            | State::Failed) => {
                self.state = waiting;
                Ok(None)
            }
        }
    }

    fn process_handshake_command(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        self.state = match std::mem::replace(&mut self.state, State::Failed) {
            State::AwaitingHello => self.on_hello(body)?,
            State::AwaitingInitiate { cookie_key } => self.on_initiate(body, &cookie_key)?,
            State::SendingWelcome { .. }
            | State::Asking(_)
            | State::SendingReady(_)
            | State::Ready { .. }
            | State::Failed => return Err(refuse(body)),
        };
        Ok(())
    }

    fn on_granted(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Failed) {
            State::Asking(client) => State::SendingReady(client),
            other => other,
        };
    }

    fn status(&self) -> Status<'_> {
        match &self.state {
            State::Asking(client) => Status::Asking(Credentials::Curve {
                public_key: client.public_key,
            }),
            State::Ready { peer, .. } => Status::Ready(peer),
            State::AwaitingHello
            | State::SendingWelcome { .. }
            | State::AwaitingInitiate { .. }
            | State::SendingReady(_)
            | State::Failed => Status::Shaking,
        }
    }

    fn take_cipher(&mut self) -> Option<Box<Cipher>> {
        match &mut self.state {
            State::Ready { cipher, .. } => cipher.take(),
            State::AwaitingHello
            | State::SendingWelcome { .. }
            | State::AwaitingInitiate { .. }
            | State::Asking(_)
            | State::SendingReady(_)
            | State::Failed => None,
        }
    }
}
