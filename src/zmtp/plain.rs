//! PLAIN (RFC 24): a client gives a user name and a password, in the clear.
//!
//! Each side is a machine whose states say what is to be sent or awaited next; whatever else comes
//! is refused. Who judges the password is not known here.

use bytes::Bytes;

use crate::error::ProtocolError;
use crate::msg::Metadata;
use crate::zap::Credentials;
use crate::zmtp::command::{self, HELLO, INITIATE, READY, WELCOME};
use crate::zmtp::mechanism::{CommandBody, Mechanism, Ours, Status, refuse};

/// The longest user name, and the longest password.
const TEXT_MAX: usize = 255;

/// HELLO with these texts, of which no more is sent than fits.
fn hello(username: &str, password: &str) -> CommandBody {
    // As large as it gets, so that no copy of a password is left behind by growing.
    let mut body = CommandBody::new(Vec::with_capacity(HELLO.len() + 2 * (1 + TEXT_MAX)));
    body.extend_from_slice(HELLO);
    for text in [username, password] {
        let text = &text.as_bytes()[..text.len().min(TEXT_MAX)];
        body.extend(u8::try_from(text.len()));
        body.extend_from_slice(text);
    }
    body
}

/// The texts of HELLO.
fn parse_hello(texts: &[u8]) -> Result<Credentials, ProtocolError> {
    let parse = || {
        let (username, rest) = command::split_name(texts)?;
        let (password, rest) = command::split_name(rest)?;
        rest.is_empty().then(|| Credentials::Plain {
            username: Bytes::copy_from_slice(username),
            password: Bytes::copy_from_slice(password),
        })
    };
    parse().ok_or(ProtocolError::MalformedHello)
}

#[derive(Debug)]
enum ClientState {
    SendingHello(Secret),
    AwaitingWelcome,
    SendingInitiate,
    AwaitingReady,
    Ready(Metadata),
}

/// A command that `Debug` does not show.
struct Secret(CommandBody);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The side that gives a password.
#[derive(Debug)]
pub(crate) struct PlainClient {
    ours: Ours,
    state: ClientState,
}

impl PlainClient {
    pub(crate) fn new(ours: Ours, username: &str, password: &str) -> Self {
        Self {
            ours,
            state: ClientState::SendingHello(Secret(hello(username, password))),
        }
    }
}

impl Mechanism for PlainClient {
    fn next_handshake_command(&mut self) -> Result<Option<CommandBody>, ProtocolError> {
        Ok(match &mut self.state {
            ClientState::SendingHello(hello) => {
                let hello = std::mem::take(&mut hello.0);
                self.state = ClientState::AwaitingWelcome;
                Some(hello)
            }
            ClientState::SendingInitiate => {
                self.state = ClientState::AwaitingReady;
                Some(self.ours.properties_behind(INITIATE))
            }
            ClientState::AwaitingWelcome | ClientState::AwaitingReady | ClientState::Ready(_) => {
                None
            }
        })
    }

    fn process_handshake_command(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        self.state = match self.state {
            ClientState::AwaitingWelcome if body == WELCOME => ClientState::SendingInitiate,
            ClientState::AwaitingWelcome if body.starts_with(WELCOME) => {
                return Err(ProtocolError::MalformedWelcome);
            }
            ClientState::AwaitingReady => {
                let metadata = body.strip_prefix(READY).ok_or_else(|| refuse(body))?;
                ClientState::Ready(self.ours.check_peer(metadata)?)
            }
            ClientState::SendingHello(_)
            | ClientState::AwaitingWelcome
            | ClientState::SendingInitiate
            | ClientState::Ready(_) => return Err(refuse(body)),
        };
        Ok(())
    }

    fn on_granted(&mut self) {
        debug_assert!(false, "a client asks nobody");
    }

    fn status(&self) -> Status<'_> {
        match &self.state {
            ClientState::Ready(peer) => Status::Ready(peer),
            ClientState::SendingHello(_)
            | ClientState::AwaitingWelcome
            | ClientState::SendingInitiate
            | ClientState::AwaitingReady => Status::Shaking,
        }
    }
}

#[derive(Debug)]
enum ServerState {
    AwaitingHello,
    Asking(Credentials),
    SendingWelcome,
    AwaitingInitiate,
    SendingReady(Metadata),
    Ready(Metadata),
}

/// The side that has a password judged.
#[derive(Debug)]
pub(crate) struct PlainServer {
    ours: Ours,
    state: ServerState,
}

impl PlainServer {
    pub(crate) fn new(ours: Ours) -> Self {
        Self {
            ours,
            state: ServerState::AwaitingHello,
        }
    }
}

impl Mechanism for PlainServer {
    fn next_handshake_command(&mut self) -> Result<Option<CommandBody>, ProtocolError> {
        Ok(match &mut self.state {
            ServerState::SendingWelcome => {
                self.state = ServerState::AwaitingInitiate;
                Some(WELCOME.to_vec().into())
            }
            ServerState::SendingReady(peer) => {
                self.state = ServerState::Ready(std::mem::take(peer));
                Some(self.ours.properties_behind(READY))
            }
            ServerState::AwaitingHello
            | ServerState::Asking(_)
            | ServerState::AwaitingInitiate
            | ServerState::Ready(_) => None,
        })
    }

    fn process_handshake_command(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        self.state = match self.state {
            ServerState::AwaitingHello => {
                let texts = body.strip_prefix(HELLO).ok_or_else(|| refuse(body))?;
                ServerState::Asking(parse_hello(texts)?)
            }
            ServerState::AwaitingInitiate => {
                let metadata = body.strip_prefix(INITIATE).ok_or_else(|| refuse(body))?;
                ServerState::SendingReady(self.ours.check_peer(metadata)?)
            }
            ServerState::Asking(_)
            | ServerState::SendingWelcome
            | ServerState::SendingReady(_)
            | ServerState::Ready(_) => return Err(refuse(body)),
        };
        Ok(())
    }

    fn on_granted(&mut self) {
        self.state = ServerState::SendingWelcome;
    }

    fn status(&self) -> Status<'_> {
        match &self.state {
            ServerState::Asking(credentials) => Status::Asking(credentials.clone()),
            ServerState::Ready(peer) => Status::Ready(peer),
            ServerState::AwaitingHello
            | ServerState::SendingWelcome
            | ServerState::AwaitingInitiate
            | ServerState::SendingReady(_) => Status::Shaking,
        }
    }
}
