//! [`Cipher`]: CURVE's MESSAGE, in which everything travels after the handshake (RFC 26).
//!
//! Owns the keys and the counters of one connection. Frames are sealed where they lie in the batch
//! and opened into the message that they become. A frame that was altered, repeated or moved does
//! not open.

use crate::error::ProtocolError;
use crate::msg::Msg;
use crate::zmtp::frame::{Batch, COMMAND, Frame, MORE};
use crate::zmtp::secretbox::{BoxKey, StreamKey, TAG_LEN};

const MESSAGE: &[u8] = b"\x07MESSAGE";
const NONCE_LEN: usize = 8;
const TAG_AT: usize = MESSAGE.len() + NONCE_LEN;
const FLAGS_AT: usize = TAG_AT + TAG_LEN;

/// What a sealed frame is longer than the frame.
pub(crate) const OVERHEAD: usize = FLAGS_AT + 1;

/// The flag of a command inside the box. It is not that of frames; the one of more frames is.
const SEALED_COMMAND: u8 = 2;

/// The beginnings of nonces: what a client sends, and what a server sends.
const CLIENT: &[u8; 16] = b"CurveZMQMESSAGEC";
const SERVER: &[u8; 16] = b"CurveZMQMESSAGES";

/// What seals and opens the frames of one connection.
#[derive(Debug)]
pub(crate) struct Cipher {
    sealing: StreamKey,
    opening: StreamKey,
    /// The last number that was used, and the last that the peer used.
    sent: u64,
    heard: u64,
}

impl Cipher {
    /// A client's, after a handshake in which the last numbers were these.
    pub(crate) fn of_client(key: &BoxKey, sent: u64, heard: u64) -> Self {
        Self {
            sealing: key.stream(CLIENT),
            opening: key.stream(SERVER),
            sent,
            heard,
        }
    }

    /// A server's.
    pub(crate) fn of_server(key: &BoxKey, sent: u64, heard: u64) -> Self {
        Self {
            sealing: key.stream(SERVER),
            opening: key.stream(CLIENT),
            sent,
            heard,
        }
    }

    /// Adds a frame with these flags, which carries `prefix` and then `body`, to the batch, sealed.
    pub(crate) fn push(&mut self, flags: u8, prefix: &[u8], body: &[u8], out: &mut Batch) {
        self.sent += 1;
        let command = if flags & COMMAND != 0 {
            SEALED_COMMAND
        } else {
            0
        };
        let bytes = out.push_open_frame(OVERHEAD + prefix.len() + body.len());
        bytes.extend_from_slice(MESSAGE);
        bytes.extend_from_slice(&self.sent.to_be_bytes());
        let sealed = bytes.len();
        bytes.extend_from_slice(&[0; TAG_LEN]);
        bytes.push(flags & MORE | command);
        bytes.extend_from_slice(prefix);
        bytes.extend_from_slice(body);
        self.sealing.seal_in_place(self.sent, &mut bytes[sealed..]);
    }

    /// The frame in the body of one that was sealed.
    pub(crate) fn open(&mut self, body: &[u8]) -> Result<Frame, ProtocolError> {
        let rest = body
            .strip_prefix(MESSAGE)
            .ok_or(ProtocolError::UnexpectedCommand)?;
        if body.len() < OVERHEAD {
            return Err(ProtocolError::MalformedMessage);
        }
        let (nonce, sealed) = rest
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(ProtocolError::MalformedMessage)?;
        let nonce = u64::from_be_bytes(*nonce);
        if nonce <= self.heard {
            return Err(ProtocolError::InvalidSequence);
        }
        let mut key_stream = self.opening.verify(nonce, sealed)?;
        self.heard = nonce;
        let mut flags = [sealed[TAG_LEN]];
        key_stream.apply(&mut flags);
        let mut msg = Msg::copied(&sealed[TAG_LEN + 1..]);
        key_stream.apply(msg.make_mut());
        msg.set_more(flags[0] & MORE != 0);
        Ok(Frame {
            msg,
            is_command: flags[0] & SEALED_COMMAND != 0,
        })
    }
}
