//! Frames: the stream cut into pieces with a length and a flag or two, in both forms there are.
//!
//! [`Decoder`] owns a frame that is still arriving; what is still to be sent is in a [`Batch`].
//! Neither knows what a frame says. The decoder never takes memory for bytes that are only
//! announced, and its result never depends on how the stream was sliced.

use std::mem;

use crate::batch::Batch;
use crate::error::ProtocolError;
use crate::msg::{COPY_MAX, Msg};
use crate::record::{LONG, Run};
use crate::zmtp::greeting::Version;

// The old form has only the first of them.
pub(crate) use crate::record::{COMMAND, MORE, head_len};

/// About how many bytes of frames are taken at once.
pub(crate) const RUN_MAX: usize = 16 * 1024;
/// No message in a run is larger than this.
pub(crate) const RUN_MESSAGE_MAX: u64 = (RUN_MAX + COPY_MAX + 9) as u64;
/// How much space is made for a body at least.
const SPACE_MIN: usize = 64 * 1024;
/// How large a body must be to be worth reads of its own: what is shorter comes faster through the
/// ordinary buffer, along with the frames behind it.
const DIRECT_MIN: usize = 32 * 1024;
/// From how little space on there is made more; much less than is made, lest a body that comes
/// in drops has us make space for each.
const SPACE_LOW: usize = SPACE_MIN / 4;
/// How much space for a body is handed out at most.
const SPACE_MAX: usize = 1024 * 1024;

/// The form of the frames on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// ZMTP 1.0: length, flags, body; the length counts the flags.
    V1,
    /// ZMTP 2.0 and later: flags, length, body.
    V2,
}

impl Framing {
    /// The framing of a protocol version.
    pub(crate) fn of(version: Version) -> Self {
        match version {
            Version::Unversioned | Version::V1 => Self::V1,
            Version::V2 | Version::V3_0 | Version::V3_1 => Self::V2,
        }
    }
}

/// How large a frame may be, and what is wrong with one that is larger.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) size: u64,
    pub(crate) error: ProtocolError,
}

/// A frame that has arrived.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The body, and whether more frames follow.
    pub(crate) msg: Msg,
    pub(crate) is_command: bool,
}

/// The body of a frame that has arrived: where it arrived, or in memory of its own.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    Lent(&'a [u8]),
    Whole(Msg),
}

impl AsRef<[u8]> for Body<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Whole(msg) => msg,
        }
    }
}

/// What stands before a body.
#[derive(Clone, Copy, Debug)]
struct Head {
    flags: u8,
    size: usize,
}

impl Head {
    /// The longest head.
    const MAX: usize = 10;

    /// The head at the front of `bytes` and how long it is; `None` if it is not complete.
    fn parse(framing: Framing, bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let (flags, size, len) = match (framing, bytes) {
            (Framing::V2, &[flags, size, ..]) if flags & LONG == 0 => (flags, u64::from(size), 2),
            (Framing::V2, &[flags, a, b, c, d, e, f, g, h, ..]) => {
                (flags, u64::from_be_bytes([a, b, c, d, e, f, g, h]), 9)
            }
            (Framing::V1, &[0xFF, a, b, c, d, e, f, g, h, flags, ..]) => {
                let size = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
                (flags & MORE, less_flags(size)?, 10)
            }
            (Framing::V1, &[size, flags, ..]) if size != 0xFF => {
                (flags & MORE, less_flags(u64::from(size))?, 2)
            }
            (Framing::V1 | Framing::V2, _) => return Ok(None),
        };
        let size = checked_size(size)?;
        Ok(Some((Self { flags, size }, len)))
    }

    fn frame(self, mut msg: Msg) -> Frame {
        msg.set_more(self.flags & MORE != 0);
        Frame {
            msg,
            is_command: self.flags & COMMAND != 0,
        }
    }
}

/// A length of the old form without the flags byte that it counts.
fn less_flags(size: u64) -> Result<u64, ProtocolError> {
    size.checked_sub(1).ok_or(ProtocolError::MalformedMessage)
}

/// A length has 63 bits, and must be one that memory can have.
fn checked_size(size: u64) -> Result<usize, ProtocolError> {
    i64::try_from(size)
        .ok()
        .and_then(|size| usize::try_from(size).ok())
        .ok_or(ProtocolError::MalformedMessage)
}

/// The first bytes of a head whose last byte has not arrived.
#[derive(Debug, Default)]
struct PartialHead {
    bytes: [u8; Head::MAX],
    len: usize,
}

impl PartialHead {
    fn take(&mut self, framing: Framing, input: &mut &[u8]) -> Result<Option<Head>, ProtocolError> {
        if self.len == 0 {
            if let Some((head, len)) = Head::parse(framing, input)? {
                *input = &input[len..];
                return Ok(Some(head));
            }
        }
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            self.bytes[self.len] = byte;
            self.len += 1;
            if let Some((head, _)) = Head::parse(framing, &self.bytes[..self.len])? {
                self.len = 0;
                return Ok(Some(head));
            }
        }
        Ok(None)
    }
}

/// A body whose last byte has not arrived. Invariant: `arrived` is at most what `memory` holds, and
/// that at most `head.size` and at most `2 * arrived + SPACE_MIN`.
#[derive(Debug)]
struct PartialBody {
    head: Head,
    memory: Memory,
    arrived: usize,
}

/// Where a body arrives.
#[derive(Debug)]
enum Memory {
    /// Nothing has arrived.
    None,
    /// All of what it needs.
    Whole(Msg),
    /// What has arrived, and behind it zeros for what may be read next: too much was announced to
    /// take it at once.
    Growing(Vec<u8>),
}

impl PartialBody {
    fn new(head: Head) -> Self {
        Self {
            head,
            memory: Memory::None,
            arrived: 0,
        }
    }

    /// The memory for bytes that are there, or are about to be read.
    fn memory(&mut self) -> &mut Memory {
        if matches!(self.memory, Memory::None) {
            self.memory = if self.head.size <= SPACE_MIN {
                Memory::Whole(Msg::blank(self.head.size))
            } else {
                Memory::Growing(Vec::new())
            };
        }
        &mut self.memory
    }

    fn missing(&self) -> usize {
        self.head.size - self.arrived
    }

    /// Whether it is large enough for reads of its own. If it is, all that is missing comes by them, so
    /// that little of the next large body is in the ordinary buffer.
    fn wants_reads(&self) -> bool {
        self.head.size >= DIRECT_MIN && self.missing() > 0
    }

    /// Copies what belongs to the body. The zeros stay if there is nothing to copy: they cost.
    fn take(&mut self, input: &mut &[u8]) {
        let (taken, rest) = input.split_at(self.missing().min(input.len()));
        if taken.is_empty() {
            return;
        }
        *input = rest;
        let (from, missing) = (self.arrived, self.missing());
        match self.memory() {
            Memory::None => {}
            Memory::Whole(msg) => msg.make_mut()[from..][..taken.len()].copy_from_slice(taken),
            Memory::Growing(bytes) => {
                bytes.truncate(from);
                if bytes.capacity() - from < taken.len() {
                    reserve(bytes, taken.len(), missing);
                }
                bytes.extend_from_slice(taken);
            }
        }
        self.arrived += taken.len();
    }

    fn space(&mut self) -> &mut [u8] {
        let (from, missing) = (self.arrived, self.missing());
        match self.memory() {
            Memory::None => &mut [],
            Memory::Whole(msg) => &mut msg.make_mut()[from..],
            Memory::Growing(bytes) => {
                if bytes.capacity() - from < SPACE_LOW {
                    bytes.truncate(from);
                    reserve(bytes, SPACE_MIN, missing);
                }
                let room = (bytes.capacity() - from).min(missing);
                let end = from + room.min(SPACE_MAX);
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                &mut bytes[from..]
            }
        }
    }

    /// The first `n` bytes of the space have arrived.
    fn arrive(&mut self, n: usize) {
        let space = match &self.memory {
            Memory::None => 0,
            Memory::Whole(msg) => msg.len(),
            Memory::Growing(bytes) => bytes.len(),
        };
        self.arrived = space.min(self.arrived + n);
    }

    fn finish(self) -> Frame {
        self.head.frame(match self.memory {
            Memory::None => Msg::new(),
            Memory::Whole(msg) => msg,
            Memory::Growing(mut bytes) => {
                bytes.truncate(self.arrived);
                bytes.into()
            }
        })
    }
}

/// Makes room for `more` bytes, or as many as there are already, but not for more than are missing.
fn reserve(bytes: &mut Vec<u8>, more: usize, missing: usize) {
    bytes.reserve_exact(more.max(bytes.len()).min(missing));
}

#[derive(Debug)]
enum Reading {
    Head(PartialHead),
    Body(Box<PartialBody>),
}

/// Makes frames of the bytes of a stream.
#[derive(Debug)]
pub(crate) struct Decoder {
    framing: Framing,
    limit: Limit,
    reading: Reading,
}

impl Decoder {
    pub(crate) fn new(framing: Framing, limit: Limit) -> Self {
        Self {
            framing,
            limit,
            reading: Reading::Head(PartialHead::default()),
        }
    }

    /// Takes one frame from the front of `input`; `None` if all of it was taken and more is
    /// needed.
    pub(crate) fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, ProtocolError> {
        match &mut self.reading {
            Reading::Head(partial) => match partial.take(self.framing, input)? {
                Some(head) => self.start_body(head, input),
                None => Ok(None),
            },
            Reading::Body(body) => {
                body.take(input);
                Ok(self.finish_body())
            }
        }
    }

    /// Takes whole messages of small frames from the front of `input`, at most `room` of them;
    /// nothing while a frame is on its way. Not for the old form.
    pub(crate) fn take_run(&self, input: &mut &[u8], room: u64) -> Option<Run> {
        debug_assert_eq!(self.framing, Framing::V2, "the old form has no runs");
        if !self.is_between_frames() {
            return None;
        }
        let max = usize::try_from(self.limit.size).map_or(COPY_MAX, |max| max.min(COPY_MAX));
        let run = Run::scan_messages(input, max, RUN_MAX, room);
        *input = &input[run.len..];
        (run.len > 0).then_some(run)
    }

    /// As [`Decoder::decode`], but of the body only, which is lent if all of it is there.
    pub(crate) fn decode_body<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<Body<'a>>, ProtocolError> {
        if let Some((body, end)) = self.peek_body(input) {
            *input = &input[end..];
            return Ok(Some(Body::Lent(body)));
        }
        Ok(self.decode(input)?.map(|frame| Body::Whole(frame.msg)))
    }

    /// The body of the frame at the front of `input` and where that ends, if all of it is there and
    /// it may be as large as it is; nothing while a frame is on its way.
    pub(crate) fn peek_body<'a>(&self, input: &'a [u8]) -> Option<(&'a [u8], usize)> {
        if !self.is_between_frames() {
            return None;
        }
        let (head, len) = Head::parse(self.framing, input).ok()??;
        let body = input[len..].get(..self.checked(head).ok()?.size)?;
        Some((body, len + body.len()))
    }

    fn is_between_frames(&self) -> bool {
        matches!(&self.reading, Reading::Head(partial) if partial.len == 0)
    }

    /// Where to read the next bytes to, if the body on its way is large.
    pub(crate) fn body_space(&mut self) -> Option<&mut [u8]> {
        match &mut self.reading {
            Reading::Body(body) if body.wants_reads() => Some(body.space()),
            Reading::Body(_) | Reading::Head(_) => None,
        }
    }

    /// The first `n` bytes of [`Decoder::body_space`] have arrived.
    pub(crate) fn handle_body(&mut self, n: usize) {
        match &mut self.reading {
            Reading::Body(body) => body.arrive(n),
            Reading::Head(_) => debug_assert_eq!(n, 0, "there was no space to read to"),
        }
    }

    fn checked(&self, head: Head) -> Result<Head, ProtocolError> {
        if head.size as u64 > self.limit.size {
            return Err(self.limit.error);
        }
        Ok(head)
    }

    /// A body that is all there is copied once; of any other, what is there.
    fn start_body(
        &mut self,
        head: Head,
        input: &mut &[u8],
    ) -> Result<Option<Frame>, ProtocolError> {
        self.checked(head)?;
        if let Some((body, rest)) = input.split_at_checked(head.size) {
            *input = rest;
            return Ok(Some(head.frame(Msg::copied(body))));
        }
        let mut body = PartialBody::new(head);
        body.take(input);
        self.reading = Reading::Body(Box::new(body));
        Ok(None)
    }

    fn finish_body(&mut self) -> Option<Frame> {
        match mem::replace(&mut self.reading, Reading::Head(PartialHead::default())) {
            Reading::Body(body) if body.missing() == 0 => Some(body.finish()),
            unfinished @ (Reading::Body(_) | Reading::Head(_)) => {
                self.reading = unfinished;
                None
            }
        }
    }
}

/// Frames in a [`Batch`].
impl Batch {
    /// Adds a frame: `prefix` and then `body` are what it carries.
    pub(crate) fn push(&mut self, framing: Framing, flags: u8, prefix: &[u8], body: Msg) {
        push_head(self.raw(), framing, flags, prefix.len() + body.len());
        self.raw().extend_from_slice(prefix);
        self.push_body(body);
    }

    /// Adds the head of a frame without flags; its body, of this size, is to be written to the end
    /// of what is returned.
    pub(crate) fn push_open_frame(&mut self, size: usize) -> &mut Vec<u8> {
        push_head(self.raw(), Framing::V2, 0, size);
        self.raw()
    }
}

fn push_head(bytes: &mut Vec<u8>, framing: Framing, flags: u8, size: usize) {
    match (framing, u8::try_from(size)) {
        (Framing::V2, Ok(size)) => bytes.extend_from_slice(&[flags, size]),
        (Framing::V2, Err(_)) => {
            bytes.push(flags | LONG);
            bytes.extend_from_slice(&(size as u64).to_be_bytes());
        }
        (Framing::V1, Ok(size @ ..=253)) => {
            bytes.extend_from_slice(&[size + 1, flags]);
        }
        (Framing::V1, Ok(_) | Err(_)) => {
            bytes.push(0xFF);
            bytes.extend_from_slice(&(size as u64 + 1).to_be_bytes());
            bytes.push(flags);
        }
    }
}

#[cfg(test)]
mod tests;
