//! [`Cipher`]: CURVE's MESSAGE, in which everything travels after the handshake (RFC 26).
//!
//! Owns the keys and the counters of one connection. Frames are sealed where they lie in the batch,
//! and opened where they are to stay, or in a buffer that is used again and again. A frame that was altered, repeated or moved does
//! not open.

use bytes::BytesMut;

use crate::batch::Batch;
use crate::error::ProtocolError;
use crate::msg::Msg;
use crate::zmtp::frame::{Body, COMMAND, Frame, MORE};
use crate::zmtp::secretbox::{BoxKey, StreamKey, TAG_LEN};

const MESSAGE: &[u8] = b"\x07MESSAGE";
const NONCE_LEN: usize = 8;
const TAG_AT: usize = MESSAGE.len() + NONCE_LEN;
const FLAGS_AT: usize = TAG_AT + TAG_LEN;

/// What a sealed frame is longer than the frame.
pub(crate) const OVERHEAD: usize = FLAGS_AT + 1;

/// What is kept of the memory in which boxes are opened when the connection is idle.
const IDLE_CAPACITY: usize = 8 * 1024;

/// A larger body is opened in memory of its own.
const COPY_MAX: usize = 4 * 1024;

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
    /// Where small boxes are opened.
    opened: Vec<u8>,
}

impl Cipher {
    /// A client's, after a handshake in which the last numbers were these.
    pub(crate) fn of_client(key: &BoxKey, sent: u64, heard: u64) -> Self {
        Self {
            sealing: key.stream(CLIENT),
            opening: key.stream(SERVER),
            sent,
            heard,
            opened: Vec::new(),
        }
    }

    /// A server's.
    pub(crate) fn of_server(key: &BoxKey, sent: u64, heard: u64) -> Self {
        Self {
            sealing: key.stream(SERVER),
            opening: key.stream(CLIENT),
            sent,
            heard,
            opened: Vec::new(),
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
        let text_at = bytes.len();
        bytes.push(flags & MORE | command);
        bytes.extend_from_slice(prefix);
        bytes.extend_from_slice(body);
        self.sealing.seal(self.sent, bytes, text_at);
    }

    /// Gives back what an idle connection does not need.
    pub(crate) fn shrink(&mut self) {
        self.opened.clear();
        self.opened.shrink_to(IDLE_CAPACITY);
    }

    /// The frame in the body of one that was sealed.
    pub(crate) fn open(&mut self, body: Body<'_>) -> Result<Frame, ProtocolError> {
        let nonce = self.check(body.as_ref())?;
        let (flags, mut msg) = if body.as_ref().len() > COPY_MAX {
            self.open_large(nonce, body)?
        } else {
            self.open_small(nonce, body.as_ref())?
        };
        self.heard = nonce;
        msg.set_more(flags & MORE != 0);
        Ok(Frame {
            msg,
            is_command: flags & SEALED_COMMAND != 0,
        })
    }

    /// The number of a MESSAGE that is long enough and in sequence.
    fn check(&self, body: &[u8]) -> Result<u64, ProtocolError> {
        let rest = body
            .strip_prefix(MESSAGE)
            .ok_or(ProtocolError::UnexpectedCommand)?;
        let (number, _) = rest
            .split_first_chunk::<NONCE_LEN>()
            .filter(|_| body.len() >= OVERHEAD)
            .ok_or(ProtocolError::MalformedMessage)?;
        match u64::from_be_bytes(*number) {
            number if number > self.heard => Ok(number),
            _ => Err(ProtocolError::InvalidSequence),
        }
    }

    /// Opens a box in a buffer, out of which the message is copied.
    fn open_small(&mut self, nonce: u64, body: &[u8]) -> Result<(u8, Msg), ProtocolError> {
        self.opened.clear();
        self.opened.extend_from_slice(&body[TAG_AT..]);
        let text = self.opening.open(nonce, &mut self.opened)?;
        let text = &self.opened[text];
        Ok((text[0], Msg::copied(&text[1..])))
    }

    /// Opens a box in memory that becomes the message's.
    fn open_large(&self, nonce: u64, body: Body<'_>) -> Result<(u8, Msg), ProtocolError> {
        let mut bytes = match body {
            Body::Lent(body) => BytesMut::from(&body[TAG_AT..]),
            Body::Whole(msg) => {
                let shared = msg.into_bytes().slice(TAG_AT..);
                shared
                    .try_into_mut()
                    .unwrap_or_else(|bytes| BytesMut::from(&bytes[..]))
            }
        };
        let text = self.opening.open(nonce, &mut bytes)?;
        let flags = bytes[text.start];
        let body = bytes.freeze().slice(text.start + 1..text.end);
        Ok((flags, body.into()))
    }
}
