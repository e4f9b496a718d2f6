//! Security mechanisms: who leads the handshake of a 3.x connection, and what it finds out.
//!
//! A mechanism owns the handshake's state. It is handed commands and hands commands out, never
//! frames, and it does not know how they travel; nor does it know who judges its peer. One that
//! encrypts leaves a [`Cipher`] behind, which seals and opens the traffic. Here are the slot and
//! what its occupants share; each of them has a file of its own.

use std::fmt::Debug;

use zeroize::Zeroizing;

use crate::error::ProtocolError;
use crate::msg::Metadata;
use crate::options::{Options, SocketType};
use crate::zap::Credentials;
use crate::zmtp::cipher::Cipher;
use crate::zmtp::command::{self, Command};

/// The longest routing id.
const ROUTING_ID_MAX: usize = 255;

/// The body of a command. It may hold a password.
pub(crate) type CommandBody = Zeroizing<Vec<u8>>;

/// How far a handshake has come.
#[derive(Debug)]
pub(crate) enum Status<'a> {
    /// There is something to be sent, or something to be awaited.
    Shaking,
    /// Whether the peer may come in, who shows this, is to be told by [`Mechanism::on_granted`].
    Asking(Credentials),
    /// Both sides are content; this is what the peer said of itself.
    Ready(&'a Metadata),
}

/// The mechanism of one connection.
pub(crate) trait Mechanism: Debug + Send {
    /// The next command to be sent now, if there is one. To be asked until there is none, after
    /// the greeting, after each command of the peer, and after [`Mechanism::on_granted`].
    fn next_handshake_command(&mut self) -> Result<Option<CommandBody>, ProtocolError>;

    /// Takes a command of the peer.
    fn process_handshake_command(&mut self, body: &[u8]) -> Result<(), ProtocolError>;

    /// The peer may come in.
    fn on_granted(&mut self);

    fn status(&self) -> Status<'_>;

    /// What the traffic is sealed with, if it is; to be asked once, when the status is ready.
    fn take_cipher(&mut self) -> Option<Box<Cipher>> {
        None
    }
}

/// What a mechanism tells of our side, and what it must know to judge the other.
#[derive(Debug)]
pub(crate) struct Ours {
    socket_type: SocketType,
    /// Encoded as metadata.
    properties: Vec<u8>,
}

impl Ours {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            socket_type: options.socket_type,
            properties: command::with_properties(&[], properties(options)),
        }
    }

    /// Our properties behind `head`.
    pub(crate) fn properties_behind(&self, head: &[u8]) -> CommandBody {
        [head, &self.properties].concat().into()
    }

    /// What the peer says of itself, if it may talk to us. A peer that does not tell its socket
    /// type may.
    pub(crate) fn check_peer(&self, metadata: &[u8]) -> Result<Metadata, ProtocolError> {
        let peer = command::parse_metadata(metadata)?;
        match peer.get(Metadata::SOCKET_TYPE) {
            Some(theirs) if !self.socket_type.accepts(theirs) => {
                return Err(ProtocolError::IncompatibleSocketType);
            }
            Some(_) | None => check_routing_id(peer.identity().unwrap_or_default())?,
        }
        Ok(peer)
    }
}

/// What we say of ourselves.
fn properties(options: &Options) -> impl Iterator<Item = (&str, &[u8])> {
    let socket_type = options.socket_type;
    let identity = socket_type
        .announces_identity()
        .then_some((Metadata::IDENTITY, &options.routing_id[..]));
    std::iter::once((Metadata::SOCKET_TYPE, socket_type.name().as_bytes()))
        .chain(identity)
        .chain(
            options
                .metadata
                .iter()
                .map(|(name, value)| (&name[..], &value[..])),
        )
}

/// A peer may choose a routing id, but not one of those that we give out, which start with zero.
pub(crate) fn check_routing_id(id: &[u8]) -> Result<(), ProtocolError> {
    if id.len() > ROUTING_ID_MAX || id.first() == Some(&0) {
        return Err(ProtocolError::InvalidRoutingId);
    }
    Ok(())
}

/// What is wrong with a command that is not the one that was awaited.
pub(crate) fn refuse(body: &[u8]) -> ProtocolError {
    match Command::parse(body) {
        Command::Error(reason) => match command::parse_error(reason) {
            Ok(status) => ProtocolError::Refused(status),
            Err(error) => error,
        },
        Command::Ready(_)
        | Command::Subscribe(_)
        | Command::Cancel(_)
        | Command::Join(_)
        | Command::Leave(_)
        | Command::Ping { .. }
        | Command::Other => ProtocolError::UnexpectedCommand,
    }
}
