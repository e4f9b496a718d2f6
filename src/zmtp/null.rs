//! NULL: no security (RFC 23). A peer can only be judged by its address.

use crate::error::ProtocolError;
use crate::msg::Metadata;
use crate::zap::Credentials;
use crate::zmtp::command::{self, Command};
use crate::zmtp::mechanism::{CommandBody, Mechanism, Ours, Status, refuse};

/// Each side sends READY at once, or when its peer has been let in by its
/// address, and waits for the other's.
#[derive(Debug)]
pub(crate) struct Null {
    ours: Ours,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// Whether the peer may come in is to be told.
    Asking,
    /// READY is to be sent.
    Sending,
    /// READY is to be awaited.
    Waiting,
    Ready(Metadata),
}

impl Null {
    pub(crate) fn new(ours: Ours, asks: bool) -> Self {
        let progress = if asks {
            Progress::Asking
        } else {
            Progress::Sending
        };
        Self { ours, progress }
    }
}

impl Mechanism for Null {
    fn next_handshake_command(&mut self) -> Result<Option<CommandBody>, ProtocolError> {
        if !matches!(self.progress, Progress::Sending) {
            return Ok(None);
        }
        self.progress = Progress::Waiting;
        Ok(Some(self.ours.properties_behind(command::READY)))
    }

    fn process_handshake_command(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        match (&self.progress, Command::parse(body)) {
            (Progress::Waiting, Command::Ready(metadata)) => {
                self.progress = Progress::Ready(self.ours.check_peer(metadata)?);
                Ok(())
            }
            _ => Err(refuse(body)),
        }
    }

    fn on_granted(&mut self) {
        self.progress = Progress::Sending;
    }

    fn status(&self) -> Status<'_> {
        match &self.progress {
            Progress::Asking => Status::Asking(Credentials::Null),
            Progress::Sending | Progress::Waiting => Status::Shaking,
            Progress::Ready(metadata) => Status::Ready(metadata),
        }
    }
}
