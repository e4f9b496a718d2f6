//! Frames: the stream cut into pieces with a length and a flag or two, in both forms there are.
//!
//! [`Decoder`] owns a frame that is still arriving, [`Batch`] owns what is still to be sent.
//! Neither knows what a frame says. The decoder never takes memory for bytes that are only
//! announced, and its result never depends on how the stream was sliced; the batch never copies
//! a large body.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;

use crate::engine;
use crate::error::ProtocolError;
use crate::msg::Msg;
use crate::record::{COPY_MAX, LONG, Run};
use crate::zmtp::greeting::Version;

// The old form has only the first of them.
pub(crate) use crate::record::{COMMAND, MORE};

/// About how many bytes of frames are taken at once.
const RUN_MAX: usize = 16 * 1024;
/// What a batch keeps of its memory when it is idle.
const IDLE_CAPACITY: usize = 8 * 1024;
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
        if !matches!(&self.reading, Reading::Head(head) if head.len == 0) {
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
        if matches!(&self.reading, Reading::Head(partial) if partial.len == 0) {
            if let Some((head, len)) = Head::parse(self.framing, input)? {
                if let Some(body) = input[len..].get(..self.checked(head)?.size) {
                    *input = &input[len + body.len()..];
                    return Ok(Some(Body::Lent(body)));
                }
            }
        }
        Ok(self.decode(input)?.map(|frame| Body::Whole(frame.msg)))
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

/// A large body in a [`Batch`].
#[derive(Debug)]
struct LargeBody {
    msg: Msg,
    /// Where it stands: in front of this byte of the batch.
    at: usize,
}

/// What is to be sent: one run of bytes with heads and small bodies, and between them the large
/// bodies in their own memory.
///
/// Invariant: `sent <= at <= bytes.len()` for each large body, in rising order; `body_sent` is
/// less than the first one's length, and 0 if there is none.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    bodies: VecDeque<LargeBody>,
    /// How many of `bytes` are sent.
    sent: usize,
    /// How many bytes of the first large body are sent.
    body_sent: usize,
    /// How many bytes of large bodies are not sent.
    bodies_pending: usize,
}

impl Batch {
    /// Adds a frame: `prefix` and then `body` are what it carries.
    pub(crate) fn push(&mut self, framing: Framing, flags: u8, prefix: &[u8], body: Msg) {
        self.push_head(framing, flags, prefix.len() + body.len());
        self.bytes.extend_from_slice(prefix);
        if body.len() <= COPY_MAX {
            self.bytes.extend_from_slice(&body);
        } else {
            self.push_body(body);
        }
    }

    fn push_body(&mut self, msg: Msg) {
        self.bodies_pending += msg.len();
        let at = self.bytes.len();
        self.bodies.push_back(LargeBody { msg, at });
    }

    /// Adds frames that are in the form of the wire already.
    pub(crate) fn push_run(&mut self, run: engine::Run<'_>) {
        match run {
            engine::Run::Copy(bytes) => self.bytes.extend_from_slice(bytes),
            engine::Run::Keep(bytes) => self.push_body(bytes.into()),
        }
    }

    /// Adds the head of a frame without flags; its body, of this size, is to be written to the end
    /// of what is returned.
    pub(crate) fn push_open_frame(&mut self, size: usize) -> &mut Vec<u8> {
        self.push_head(Framing::V2, 0, size);
        &mut self.bytes
    }

    /// The batch for writing bytes that are not frames to its end.
    pub(crate) fn raw(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// How many bytes are not sent.
    pub(crate) fn pending(&self) -> usize {
        self.bytes.len() - self.sent + self.bodies_pending
    }

    /// Shows the bytes to be sent; returns how many of the slices were filled in.
    pub(crate) fn poll_transmit<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = slices.iter_mut().zip(self.parts());
        parts
            .map(|(slice, part)| *slice = IoSlice::new(part))
            .count()
    }

    /// The first `n` bytes of what was shown have been sent.
    pub(crate) fn handle_sent(&mut self, n: usize) {
        debug_assert!(n <= self.pending(), "more was sent than there is");
        let mut n = n.min(self.pending());
        while n > 0 {
            n -= self.advance_bytes(n);
            n -= self.advance_body(n);
        }
        self.forget_sent();
    }

    /// Gives back what an idle batch does not need.
    pub(crate) fn shrink(&mut self) {
        if self.pending() == 0 {
            self.bytes.shrink_to(IDLE_CAPACITY);
            self.bodies.shrink_to(0);
        }
    }

    fn push_head(&mut self, framing: Framing, flags: u8, size: usize) {
        match (framing, u8::try_from(size)) {
            (Framing::V2, Ok(size)) => self.bytes.extend_from_slice(&[flags, size]),
            (Framing::V2, Err(_)) => {
                self.bytes.push(flags | LONG);
                self.bytes.extend_from_slice(&(size as u64).to_be_bytes());
            }
            (Framing::V1, Ok(size @ ..=253)) => {
                self.bytes.extend_from_slice(&[size + 1, flags]);
            }
            (Framing::V1, Ok(_) | Err(_)) => {
                self.bytes.push(0xFF);
                self.bytes
                    .extend_from_slice(&(size as u64 + 1).to_be_bytes());
                self.bytes.push(flags);
            }
        }
    }

    /// All that is to be sent, in order, as slices that are not empty.
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = self.sent;
        let mut body_from = self.body_sent;
        let last = self.bodies.back().map_or(self.sent, |body| body.at);
        self.bodies
            .iter()
            .flat_map(move |body| {
                let before = &self.bytes[mem::replace(&mut from, body.at)..body.at];
                [before, &body.msg[mem::take(&mut body_from)..]]
            })
            .chain([&self.bytes[last..]])
            .filter(|part| !part.is_empty())
    }

    /// Moves over at most `n` bytes in front of the first large body; returns over how many.
    fn advance_bytes(&mut self, n: usize) -> usize {
        let end = self.bodies.front().map_or(self.bytes.len(), |body| body.at);
        let step = n.min(end - self.sent);
        self.sent += step;
        step
    }

    /// Moves over at most `n` bytes of the first large body, and drops it at its end.
    fn advance_body(&mut self, n: usize) -> usize {
        let len = self.bodies.front().map_or(0, |body| body.msg.len());
        let step = n.min(len - self.body_sent);
        self.body_sent += step;
        self.bodies_pending -= step;
        if self.body_sent == len {
            self.bodies.pop_front();
            self.body_sent = 0;
        }
        step
    }

    /// Takes what is sent out of `bytes`, once that is more than is left to be moved.
    fn forget_sent(&mut self) {
        if self.sent * 2 <= self.bytes.len() {
            return;
        }
        self.bytes.drain(..self.sent);
        for body in &mut self.bodies {
            body.at -= self.sent;
        }
        self.sent = 0;
    }
}

#[cfg(test)]
mod tests;
