//! Security mechanisms: who leads the handshake of a 3.x connection, and what it finds out.
//!
//! A mechanism owns the handshake's state. It is handed commands and hands commands out, never
//! frames, and it does not know how they travel. NULL is the only one so far. A mechanism that
//! encrypts will also be asked to transform the bodies of messages on their way.

use std::mem;

use crate::error::ProtocolError;
use crate::msg::Metadata;
use crate::options::{Options, SocketType};
use crate::zmtp::command::{self, Command};
use crate::zmtp::greeting::MechanismName;

/// The longest routing id.
const ROUTING_ID_MAX: usize = 255;

/// How far a handshake has come.
#[derive(Debug)]
pub(crate) enum Status<'a> {
    /// There is something to be sent, or something to be awaited.
    Shaking,
    /// Both sides are content; this is what the peer said of itself.
    Ready(&'a Metadata),
}

/// The mechanism of one connection.
#[derive(Debug)]
pub(crate) enum Mechanism {
    Null(Null),
}

impl Mechanism {
    pub(crate) fn new(options: &Options) -> Self {
        Self::Null(Null::new(options))
    }

    /// The name that both greetings must carry.
    pub(crate) fn name(&self) -> MechanismName {
        match self {
            Self::Null(_) => *b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        }
    }

    /// The next command to be sent now, if there is one. To be asked until there is none, after
    /// the greeting and after each command of the peer.
    pub(crate) fn next_handshake_command(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Null(null) => null.next_handshake_command(),
        }
    }

    /// Takes a command of the peer.
    pub(crate) fn process_handshake_command(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        match self {
            Self::Null(null) => null.process_handshake_command(body),
        }
    }

    pub(crate) fn status(&self) -> Status<'_> {
        match self {
            Self::Null(null) => null.status(),
        }
    }
}

/// NULL: no security. Each side sends READY at once, and waits for the other's.
#[derive(Debug)]
pub(crate) struct Null {
    socket_type: SocketType,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// READY is to be sent.
    Sending(Vec<u8>),
    /// READY is to be awaited.
    Waiting,
    Ready(Metadata),
}

impl Null {
    fn new(options: &Options) -> Self {
        Self {
            socket_type: options.socket_type,
            progress: Progress::Sending(command::ready(properties(options))),
        }
    }

    fn next_handshake_command(&mut self) -> Option<Vec<u8>> {
        match &mut self.progress {
            Progress::Sending(ready) => {
                let ready = mem::take(ready);
                self.progress = Progress::Waiting;
                Some(ready)
            }
            Progress::Waiting | Progress::Ready(_) => None,
        }
    }

    fn process_handshake_command(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        match (&self.progress, Command::parse(body)) {
            (Progress::Waiting, Command::Ready(metadata)) => {
                let metadata = command::parse_metadata(metadata)?;
                check_peer(self.socket_type, &metadata)?;
                self.progress = Progress::Ready(metadata);
                Ok(())
            }
            (_, Command::Error(reason)) => {
                Err(ProtocolError::Refused(command::parse_error(reason)?))
            }
            (Progress::Sending(_) | Progress::Ready(_), Command::Ready(_))
            | (_, Command::Subscribe(_) | Command::Cancel(_) | Command::Ping { .. })
            | (_, Command::Join(_) | Command::Leave(_) | Command::Other) => {
                Err(ProtocolError::UnexpectedCommand)
            }
        }
    }

    fn status(&self) -> Status<'_> {
        match &self.progress {
            Progress::Sending(_) | Progress::Waiting => Status::Shaking,
            Progress::Ready(metadata) => Status::Ready(metadata),
        }
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

/// Whether the peer that says this of itself may talk to us. A peer that does not tell its
/// socket type may.
fn check_peer(ours: SocketType, peer: &Metadata) -> Result<(), ProtocolError> {
    match peer.get(Metadata::SOCKET_TYPE) {
        Some(theirs) if !ours.accepts(theirs) => Err(ProtocolError::IncompatibleSocketType),
        Some(_) | None => check_routing_id(peer.identity().unwrap_or_default()),
    }
}

/// A peer may choose a routing id, but not one of those that we give out, which start with zero.
pub(crate) fn check_routing_id(id: &[u8]) -> Result<(), ProtocolError> {
    if id.len() > ROUTING_ID_MAX || id.first() == Some(&0) {
        return Err(ProtocolError::InvalidRoutingId);
    }
    Ok(())
}
