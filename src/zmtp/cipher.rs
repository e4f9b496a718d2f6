//! [`Cipher`]: CURVE's MESSAGE, in which everything travels after the handshake (RFC 26).
//!
//! Owns the keys and the counters of one connection. Frames are sealed where they lie in the batch.
//! Small ones are opened into a buffer that is used again and again, in the form in which pipes hold
//! them, and go on as a run; large ones where they are to stay. A frame that was altered, repeated or
//! moved does not open.

use bytes::BytesMut;

use crate::batch::Batch;
use crate::error::ProtocolError;
use crate::msg::{COPY_MAX, Msg};
use crate::record::{self, Record, Run};
use crate::zmtp::frame::{Body, COMMAND, Decoder, Frame, MORE, RUN_MAX};
use crate::zmtp::secretbox::{BoxKey, StreamKey, TAG_LEN};

const MESSAGE: &[u8] = b"\x07MESSAGE";
const NONCE_LEN: usize = 8;
const TAG_AT: usize = MESSAGE.len() + NONCE_LEN;
const FLAGS_AT: usize = TAG_AT + TAG_LEN;

/// What a sealed frame is longer than the frame.
pub(crate) const OVERHEAD: usize = FLAGS_AT + 1;

/// What is kept of the memory in which boxes are opened when the connection is idle.
const IDLE_CAPACITY: usize = 8 * 1024;

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
    /// Where small boxes are opened: frames in the form of pipes.
    opened: Vec<u8>,
}

/// What was in one box or several.
#[derive(Debug)]
pub(crate) enum Opened {
    Frame(Frame),
    Run(Run),
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
        let mut head = [0; OVERHEAD];
        head[..MESSAGE.len()].copy_from_slice(MESSAGE);
        head[MESSAGE.len()..TAG_AT].copy_from_slice(&self.sent.to_be_bytes());
        head[FLAGS_AT] = flags & MORE | command;
        let bytes = out.push_open_frame(OVERHEAD + prefix.len() + body.len());
        let at = bytes.len();
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(prefix);
        bytes.extend_from_slice(body);
        self.sealing
            .seal_in_place(self.sent, &mut bytes[at + TAG_AT..]);
    }

    /// Adds frames that are in the form of pipes to the batch, each sealed.
    pub(crate) fn push_run(&mut self, mut frames: &[u8], out: &mut Batch) {
        while let Some(record) = Record::parse(frames, COPY_MAX) {
            let (frame, rest) = frames.split_at(record.end);
            let flags = if record.more { MORE } else { 0 };
            self.push(flags, &[], &frame[record.body..], out);
            frames = rest;
        }
        debug_assert!(
            frames.is_empty(),
            "a run holds whole frames of small bodies"
        );
    }

    /// Gives back what an idle connection does not need.
    pub(crate) fn shrink(&mut self) {
        self.opened.clear();
        self.opened.shrink_to(IDLE_CAPACITY);
    }

    /// Opens the frame that `body` was sealed in.
    pub(crate) fn open(&mut self, body: Body<'_>) -> Result<Frame, ProtocolError> {
        if body.as_ref().len() > OVERHEAD + COPY_MAX {
            return self.open_large(body);
        }
        self.opened.clear();
        self.open_small(body.as_ref())
            .map(|flags| self.first(flags))
    }

    /// As [`Cipher::open`], and with it whole messages of small frames that begin with this one and
    /// go on in `input`, at most `room` of them: a run, if there are any such, of the bytes in
    /// [`Cipher::opened`].
    pub(crate) fn open_run(
        &mut self,
        body: Body<'_>,
        decoder: &Decoder,
        input: &mut &[u8],
        room: u64,
    ) -> Result<Opened, ProtocolError> {
        if body.as_ref().len() > OVERHEAD + COPY_MAX {
            return self.open_large(body).map(Opened::Frame);
        }
        self.opened.clear();
        let flags = self.open_small(body.as_ref())?;
        if flags & SEALED_COMMAND == 0 {
            if let Some(run) = self.extend(flags, decoder, input, room) {
                return Ok(Opened::Run(run));
            }
        }
        Ok(Opened::Frame(self.first(flags)))
    }

    /// The frames of the last run, in the form of pipes.
    pub(crate) fn opened(&self) -> &[u8] {
        &self.opened
    }

    /// Makes a run of the frame that was opened, which has these flags, and those behind it. What
    /// is none of the run is left in `input`, to be opened when its turn comes: a message whose end
    /// is missing, a large one, a command, a box that somebody has touched.
    fn extend(
        &mut self,
        flags: u8,
        decoder: &Decoder,
        input: &mut &[u8],
        room: u64,
    ) -> Option<Run> {
        let first = self.opened.len();
        let mut run = Run::default();
        let (mut more, mut rest, mut heard) = (flags & MORE != 0, *input, self.heard);
        loop {
            if !more {
                (run.len, heard, *input) = (self.opened.len(), self.heard, rest);
                run.messages += 1;
                if run.messages >= room || run.len >= RUN_MAX {
                    break;
                }
            }
            if self.opened.len() - run.len > RUN_MAX {
                // So that no message in a run is larger than those of other runs.
                break;
            }
            let next = decoder
                .peek_body(rest)
                .filter(|(body, _)| body.len() <= OVERHEAD + COPY_MAX);
            let Some((body, end)) = next else { break };
            match self.open_small(body) {
                Ok(flags) if flags & SEALED_COMMAND == 0 => more = flags & MORE != 0,
                Ok(_) | Err(_) => break,
            }
            rest = &rest[end..];
        }
        self.heard = heard;
        self.opened.truncate(run.len.max(first));
        (run.messages > 0).then_some(run)
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

    /// Opens a box behind those that are open, in the form of pipes; returns the flags in it.
    fn open_small(&mut self, body: &[u8]) -> Result<u8, ProtocolError> {
        let number = self.check(body)?;
        let size = body.len() - OVERHEAD;
        // The text is the flags and the body. With the flags in the last place of the head, the body
        // lies where it is to lie.
        let (at, head_len) = (self.opened.len(), record::head_len(size));
        self.opened.resize(at + head_len + size, 0);
        let frame = &mut self.opened[at..];
        self.opening
            .open(number, &body[TAG_AT..], &mut frame[head_len - 1..])?;
        let flags = frame[head_len - 1];
        record::write_head(&mut frame[..head_len], flags & MORE, size);
        self.heard = number;
        Ok(flags)
    }

    /// The only frame that is open.
    fn first(&self, flags: u8) -> Frame {
        let mut msg = Msg::new();
        if let Some(record) = Record::parse(&self.opened, COPY_MAX) {
            record.copy_into(&self.opened, &mut msg);
        }
        Frame {
            msg,
            is_command: flags & SEALED_COMMAND != 0,
        }
    }

    /// Opens a box in memory that becomes the message's.
    fn open_large(&mut self, body: Body<'_>) -> Result<Frame, ProtocolError> {
        let number = self.check(body.as_ref())?;
        let mut bytes = match body {
            Body::Lent(body) => BytesMut::from(&body[TAG_AT..]),
            Body::Whole(msg) => {
                let shared = msg.into_bytes().slice(TAG_AT..);
                shared
                    .try_into_mut()
                    .unwrap_or_else(|bytes| BytesMut::from(&bytes[..]))
            }
        };
        self.opening.open_in_place(number, &mut bytes)?;
        self.heard = number;
        let flags = bytes[TAG_LEN];
        let mut msg = Msg::from(bytes.freeze().slice(TAG_LEN + 1..));
        msg.set_more(flags & MORE != 0);
        Ok(Frame {
            msg,
            is_command: flags & SEALED_COMMAND != 0,
        })
    }
}
