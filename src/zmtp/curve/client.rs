//! CURVE's client: it knows the server's key beforehand, and talks to nobody else.

use crate::error::ProtocolError;
use crate::keys::{CurveKeyPair, PublicKey, SecretKey};
use crate::msg::Metadata;
use crate::zmtp::cipher::Cipher;
use crate::zmtp::command::{HELLO, INITIATE, READY, WELCOME};
use crate::zmtp::curve::{
    COOKIE_LEN, Fields, HELLO_LEN, HELLO_NONCE, INITIATE_LEN, INITIATE_NONCE, READY_LEN,
    READY_NONCE, SIGNATURE_LEN, VOUCH_NONCE, WELCOME_LEN, WELCOME_NONCE, long_nonce, short_nonce,
    transient_key,
};
use crate::zmtp::mechanism::{CommandBody, Mechanism, Ours, Status, refuse};
use crate::zmtp::secretbox::{BoxKey, TAG_LEN, random};

/// The numbers of our commands; messages go on from there.
const HELLO_NUMBER: u64 = 1;
const INITIATE_NUMBER: u64 = 2;

#[derive(Debug)]
enum State {
    SendingHello,
    AwaitingWelcome {
        transient: SecretKey,
        /// Of our transient key and the server's long-term one.
        key: BoxKey,
    },
    SendingInitiate {
        transient: SecretKey,
        server_transient: PublicKey,
        cookie: Box<[u8; COOKIE_LEN]>,
    },
    AwaitingReady {
        /// Of both transient keys.
        key: BoxKey,
    },
    Ready {
        peer: Metadata,
        cipher: Option<Box<Cipher>>,
    },
    Failed,
}

/// The client of one connection.
#[derive(Debug)]
pub(crate) struct CurveClient {
    ours: Ours,
    keys: CurveKeyPair,
    server_key: PublicKey,
    state: State,
}

impl CurveClient {
    pub(crate) fn new(ours: Ours, keys: CurveKeyPair, server_key: PublicKey) -> Self {
        Self {
            ours,
            keys,
            server_key,
            state: State::SendingHello,
        }
    }

    fn hello(&mut self) -> Result<CommandBody, ProtocolError> {
        let transient = transient_key()?;
        let key = BoxKey::agree(&transient, &self.server_key)?;
        let nonce = short_nonce(HELLO_NONCE, HELLO_NUMBER);
        let hello = [
            HELLO,
            &[1, 0],
            &[0; 72],
            transient.public_key().as_ref(),
            &nonce[16..],
            &key.seal(&nonce, &[0; SIGNATURE_LEN]),
        ]
        .concat();
        debug_assert_eq!(hello.len(), HELLO_LEN);
        self.state = State::AwaitingWelcome { transient, key };
        Ok(hello.into())
    }

    fn on_welcome(body: &[u8], transient: SecretKey, key: &BoxKey) -> Result<State, ProtocolError> {
        let fields = body.strip_prefix(WELCOME).ok_or_else(|| refuse(body))?;
        if body.len() != WELCOME_LEN {
            return Err(ProtocolError::MalformedWelcome);
        }
        let mut fields = Fields(fields);
        let nonce = long_nonce(WELCOME_NONCE, &fields.take());
        let text = key.open(&nonce, fields.0)?;
        let mut fields = Fields(&text);
        Ok(State::SendingInitiate {
            transient,
            server_transient: PublicKey::from(*fields.take()),
            cookie: Box::new(*fields.take()),
        })
    }

    /// What proves that the owner of our long-term key has made the transient one, for this
    /// server.
    fn vouch(
        &self,
        transient: &SecretKey,
        server_transient: &PublicKey,
    ) -> Result<Vec<u8>, ProtocolError> {
        let tail = random()?;
        let key = BoxKey::agree(&self.keys.secret_key, server_transient)?;
        let text = [transient.public_key().as_ref(), self.server_key.as_ref()].concat();
        let sealed = key.seal(&long_nonce(VOUCH_NONCE, &tail), &text);
        Ok([&tail[..], &sealed].concat())
    }

    fn initiate(
        &mut self,
        transient: &SecretKey,
        server_transient: &PublicKey,
        cookie: &[u8; COOKIE_LEN],
    ) -> Result<CommandBody, ProtocolError> {
        let vouch = self.vouch(transient, server_transient)?;
        let text = [self.keys.public_key.as_ref(), &vouch].concat();
        let text = self.ours.properties_behind(&text);
        let key = BoxKey::agree(transient, server_transient)?;
        let nonce = short_nonce(INITIATE_NONCE, INITIATE_NUMBER);
        let sealed = key.seal(&nonce, &text);
        let initiate = [INITIATE, cookie, &nonce[16..], &sealed].concat();
        debug_assert!(initiate.len() >= INITIATE_LEN);
        self.state = State::AwaitingReady { key };
        Ok(initiate.into())
    }

    fn on_ready(&self, body: &[u8], key: &BoxKey) -> Result<State, ProtocolError> {
        let fields = body.strip_prefix(READY).ok_or_else(|| refuse(body))?;
        if body.len() < READY_LEN {
            return Err(ProtocolError::MalformedReady);
        }
        let mut fields = Fields(fields);
        let number = fields.number();
        debug_assert!(fields.0.len() >= TAG_LEN);
        let metadata = key.open(&short_nonce(READY_NONCE, number), fields.0)?;
        Ok(State::Ready {
            peer: self.ours.check_peer(&metadata)?,
            cipher: Some(Box::new(Cipher::of_client(key, INITIATE_NUMBER, number))),
        })
    }
}

impl Mechanism for CurveClient {
    fn next_handshake_command(&mut self) -> Result<Option<CommandBody>, ProtocolError> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::SendingHello => self.hello().map(Some),
            State::SendingInitiate {
                transient,
                server_transient,
                cookie,
            } => self
                .initiate(&transient, &server_transient, &cookie)
                .map(Some),
            waiting @ (State::AwaitingWelcome { .. }
            | State::AwaitingReady { .. }
            | State::Ready { .. }
            | State::Failed) => {
                self.state = waiting;
                Ok(None)
            }
        }
    }

    fn process_handshake_command(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        self.state = match std::mem::replace(&mut self.state, State::Failed) {
            State::AwaitingWelcome { transient, key } => Self::on_welcome(body, transient, &key)?,
            State::AwaitingReady { key } => self.on_ready(body, &key)?,
            State::SendingHello
            | State::SendingInitiate { .. }
            | State::Ready { .. }
            | State::Failed => return Err(refuse(body)),
        };
        Ok(())
    }

    fn on_granted(&mut self) {
        debug_assert!(false, "a client asks nobody");
    }

    fn status(&self) -> Status<'_> {
        match &self.state {
            State::Ready { peer, .. } => Status::Ready(peer),
            State::SendingHello
            | State::AwaitingWelcome { .. }
            | State::SendingInitiate { .. }
            | State::AwaitingReady { .. }
            | State::Failed => Status::Shaking,
        }
    }

    fn take_cipher(&mut self) -> Option<Box<Cipher>> {
        match &mut self.state {
            State::Ready { cipher, .. } => cipher.take(),
            State::SendingHello
            | State::AwaitingWelcome { .. }
            | State::SendingInitiate { .. }
            | State::AwaitingReady { .. }
            | State::Failed => None,
        }
    }
}
