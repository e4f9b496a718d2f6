//! A frame as bytes: flags, length, body, the form of ZMTP 2 and later (RFC 15, 23, 37).
//!
//! Pipes hold frames in this form, so that whole runs of them go to a connection, or come from
//! one, without being looked at one by one more than it takes to find their ends. This file knows
//! the form and nothing else; it never allocates.

use crate::msg::{COPY_MAX, Kind, Msg, copy_short};

/// More frames of the message follow.
pub(crate) const MORE: u8 = 1;
/// The length takes eight bytes.
pub(crate) const LONG: u8 = 2;
/// The frame is a command.
pub(crate) const COMMAND: u8 = 4;

/// How long the head of a frame with a body of `size` bytes is.
#[inline]
pub(crate) fn head_len(size: usize) -> usize {
    if size <= 0xFF { 2 } else { 9 }
}

/// Fills `space`, which has [`head_len`] and the body's length in bytes.
#[inline(always)]
pub(crate) fn write(space: &mut [u8], flags: u8, body: &[u8]) {
    let (head, rest) = space.split_at_mut(head_len(body.len()));
    write_head(head, flags, body.len());
    copy_short(rest, body);
}

/// Fills the head of a frame with a body of `size` bytes; it has [`head_len`] bytes.
#[inline(always)]
pub(crate) fn write_head(head: &mut [u8], flags: u8, size: usize) {
    match u8::try_from(size) {
        Ok(size) => head.copy_from_slice(&[flags, size]),
        Err(_) => {
            head[0] = flags | LONG;
            head[1..].copy_from_slice(&(size as u64).to_be_bytes());
        }
    }
}

/// The body of a frame that travels as bytes; `None` for what travels as a value: bodies above `max`,
/// and what has properties that bytes do not tell.
#[inline]
pub(crate) fn plain(msg: &Msg, max: usize) -> Option<&[u8]> {
    let body = msg.as_bytes();
    (body.len() <= max && msg.kind() == Kind::Data && !msg.has_properties()).then_some(body)
}

/// A frame at the front of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    pub(crate) more: bool,
    /// Where the body begins and ends; the end is also the frame's.
    pub(crate) body: usize,
    pub(crate) end: usize,
}

impl Record {
    /// The frame at the front of `bytes`; `None` if it is not whole, or is none that may travel
    /// as bytes: its body is larger than `max`, or it has other flags.
    #[inline]
    pub(crate) fn parse(bytes: &[u8], max: usize) -> Option<Self> {
        let (flags, size, body) = match *bytes {
            [flags, size, ..] if flags & !MORE == 0 => (flags, usize::from(size), 2),
            [flags, a, b, c, d, e, f, g, h, ..] if flags & !MORE == LONG => {
                let size = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
                (flags, usize::try_from(size).ok()?, 9)
            }
            _ => return None,
        };
        (size <= max && size <= bytes.len() - body).then(|| Self {
            more: flags & MORE != 0,
            body,
            end: body + size,
        })
    }

    /// Copies the frame out of the bytes that it was found at the front of; see [`Msg::refill`].
    #[inline(always)]
    pub(crate) fn copy_into(self, bytes: &[u8], into: &mut Msg) {
        into.refill(&bytes[self.body..self.end], self.more);
    }
}

/// Adds a message of one frame to the end of `bytes`. Its body must be at most [`COPY_MAX`] long:
/// a larger one travels beside the bytes.
#[cfg(any(test, feature = "protocols"))]
#[inline]
pub fn append(bytes: &mut Vec<u8>, body: &[u8]) {
    debug_assert!(body.len() <= COPY_MAX, "it may not travel as bytes");
    match u8::try_from(body.len()) {
        Ok(size) => bytes.extend_from_slice(&[0, size]),
        Err(_) => {
            bytes.push(LONG);
            bytes.extend_from_slice(&(body.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(body);
}

/// The bodies of the frames at the front of some bytes.
#[cfg(any(test, feature = "protocols"))]
#[inline]
pub fn bodies(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let record = Record::parse(bytes, COPY_MAX)?;
        let body = &bytes[record.body..record.end];
        bytes = &bytes[record.end..];
        Some(body)
    })
}

/// The frames at the front of some bytes, copied out.
pub(crate) fn frames(mut bytes: &[u8]) -> impl Iterator<Item = Msg> {
    std::iter::from_fn(move || {
        let record = Record::parse(bytes, COPY_MAX)?;
        let mut frame = Msg::new();
        record.copy_into(bytes, &mut frame);
        bytes = &bytes[record.end..];
        Some(frame)
    })
}

/// The bytes of a run that came in.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    bytes: &'a [u8],
    cut: Option<fn(&[u8]) -> usize>,
}

impl<'a> Received<'a> {
    /// Frames in the form in which pipes hold them.
    #[inline]
    pub fn frames(bytes: &'a [u8]) -> Self {
        Self { bytes, cut: None }
    }

    /// Messages of one frame each, one body behind the other; `cut` says how long the first of some is:
    /// at least one byte and at most [`COPY_MAX`].
    #[cfg(any(test, feature = "protocols"))]
    #[inline]
    pub fn bodies(bytes: &'a [u8], cut: fn(&[u8]) -> usize) -> Self {
        Self {
            bytes,
            cut: Some(cut),
        }
    }

    /// The frames, or else the bodies.
    #[inline]
    pub(crate) fn parts(self) -> Result<&'a [u8], impl Iterator<Item = &'a [u8]>> {
        let Self { mut bytes, cut } = self;
        let Some(cut) = cut else { return Ok(bytes) };
        Err(std::iter::from_fn(move || {
            let (body, rest) = bytes.split_at_checked(cut(bytes))?;
            bytes = rest;
            (!body.is_empty()).then_some(body)
        }))
    }

    /// The frames, copied out.
    pub fn to_frames(self) -> impl Iterator<Item = Msg> {
        let (as_frames, as_bodies) = match self.parts() {
            Ok(bytes) => (bytes, None),
            Err(bodies) => (&[][..], Some(bodies)),
        };
        let bodies = as_bodies.into_iter().flatten();
        frames(as_frames).chain(bodies.map(Msg::copied))
    }
}

/// Whole frames in a row.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Run {
    /// How many bytes they are.
    pub len: usize,
    /// How many messages end in them.
    pub messages: u64,
    /// The last of them has others behind it.
    pub more: bool,
}

impl Run {
    /// The frames at the front of `bytes`, as far as they are whole, no body is larger than `max`,
    /// `limit` bytes are not exceeded by more than a frame, and no more than `room` messages end.
    #[inline]
    pub(crate) fn scan(bytes: &[u8], max: usize, limit: usize, room: u64) -> Self {
        let mut run = Self::default();
        while run.len < limit && run.messages < room {
            let Some(record) = Record::parse(&bytes[run.len..], max) else {
                break;
            };
            run.len += record.end;
            run.messages += u64::from(!record.more);
            run.more = record.more;
        }
        run
    }

    /// Like [`Run::scan`], but ends with the end of a message; empty if none ends.
    #[inline]
    pub(crate) fn scan_messages(bytes: &[u8], max: usize, limit: usize, room: u64) -> Self {
        let (mut run, mut at) = (Self::default(), 0);
        while at < limit && run.messages < room {
            let Some(record) = Record::parse(&bytes[at..], max) else {
                break;
            };
            at += record.end;
            if !record.more {
                run.len = at;
                run.messages += 1;
            }
        }
        run
    }
}

#[cfg(test)]
mod tests;
