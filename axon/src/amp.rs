//! AMP: a stream cut into messages, and messages into arguments.
//!
//! ```text
//! message := meta arg*        meta   = version << 4 | number of arguments      one byte
//! arg     := length byte*     length = how many bytes, big endian              four bytes
//! ```
//!
//! There is no greeting, and nothing between two messages. A message is whole when its last
//! argument is, so a message is one run of bytes, and here it stays one: it is cut out of the
//! stream as it is, travels as the body of one frame, and is taken apart by who reads it
//! ([`Message`](crate::Message)).
//!
//! This file does no I/O and does not know what arguments mean. [`walk`] finds the end of a message
//! in bytes that are there; [`Decoder`] owns a message that is still arriving. Neither takes
//! memory for bytes that are only announced, and what comes out never depends on how the stream
//! was sliced.

use std::mem;

/// How many arguments a message can have: their number has four bits.
pub const MAX_ARGS: usize = 15;

/// The version that is written. Any is read, as Node does.
const VERSION: u8 = 1;
/// How long the length of an argument is.
pub(crate) const LENGTH: usize = 4;
/// How much space is made for what is missing at least, and from how much on that is worth it.
const SPACE_MIN: usize = 64 * 1024;
/// How much space is handed out at most.
const SPACE_MAX: usize = 1024 * 1024;

/// The first byte of a message with `args` arguments, of which there are at most [`MAX_ARGS`].
pub(crate) fn meta(args: usize) -> u8 {
    debug_assert!(args <= MAX_ARGS, "the number of arguments has four bits");
    #[expect(clippy::cast_possible_truncation, reason = "at most 15")]
    let args = args as u8;
    VERSION << 4 | args & 0x0F
}

/// How many arguments the message has that begins with `meta`.
pub(crate) fn args(meta: u8) -> usize {
    usize::from(meta & 0x0F)
}

/// The length of the argument at the front of `bytes`; `None` if it is not complete.
pub(crate) fn length(bytes: &[u8]) -> Option<u32> {
    let length = bytes.first_chunk()?;
    Some(u32::from_be_bytes(*length))
}

/// How large what a peer sends may be. A peer that sends more loses its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How many bytes an argument may have, its prefix included.
    pub arg: usize,
    /// How many bytes a message may have, with everything that belongs to it.
    pub message: usize,
}

impl Limits {
    /// For what is known to keep to some.
    pub(crate) const NONE: Self = Self {
        arg: usize::MAX,
        message: usize::MAX,
    };
}

impl Default for Limits {
    /// 256 MiB for an argument and as much for a message.
    fn default() -> Self {
        Self {
            arg: 256 * 1024 * 1024,
            message: 256 * 1024 * 1024,
        }
    }
}

/// A peer announced more than the [`Limits`] allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// An argument is too large.
    #[error("an argument of {0} bytes is larger than the limit")]
    Arg(u64),
    /// A message is too large: it has at least so many bytes.
    #[error("a message of at least {0} bytes is larger than the limit")]
    Message(u64),
}

/// Where the first message of some bytes ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Walk {
    /// The message is there, and is so many bytes long.
    Whole(usize),
    /// The message is not all there, and is at least so many bytes long: more than are there.
    Partial(usize),
}

/// Finds the end of the message at the front of `bytes` by its lengths alone, in at most
/// [`MAX_ARGS`] steps.
///
/// # Errors
///
/// [`LimitError`] as soon as a length shows that the message breaks the limits.
///
/// ```
/// use ferrozmq_axon::amp::{Limits, Walk, walk};
///
/// let limits = Limits::default();
/// assert_eq!(walk(b"\x11\0\0\0\x03j:1\x11\0", &limits), Ok(Walk::Whole(8)));
/// assert_eq!(walk(b"\x12\0\0\0\x03j:", &limits), Ok(Walk::Partial(12)));
/// assert_eq!(walk(b"", &limits), Ok(Walk::Partial(1)));
/// ```
#[inline]
pub fn walk(bytes: &[u8], limits: &Limits) -> Result<Walk, LimitError> {
    let Some(&meta) = bytes.first() else {
        return Ok(Walk::Partial(1));
    };
    let mut end = 1;
    for left in (0..args(meta)).rev() {
        // What must follow this argument.
        let rest = left * LENGTH;
        let Some(length) = bytes.get(end..).and_then(length) else {
            return Ok(Walk::Partial(within(end + LENGTH + rest, limits)?));
        };
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        if size > limits.arg {
            return Err(LimitError::Arg(length.into()));
        }
        end = end.saturating_add(LENGTH).saturating_add(size);
        within(end.saturating_add(rest), limits)?;
    }
    Ok(if within(end, limits)? <= bytes.len() {
        Walk::Whole(end)
    } else {
        Walk::Partial(end)
    })
}

/// A message of `size` bytes, unless that is too many.
fn within(size: usize, limits: &Limits) -> Result<usize, LimitError> {
    if size > limits.message {
        return Err(LimitError::Message(size as u64));
    }
    Ok(size)
}

/// A message cut out of the stream.
#[derive(PartialEq, Eq, Debug)]
pub enum Cut<'a> {
    /// It was whole in the input, and still lies there.
    Lent(&'a [u8]),
    /// It arrived in pieces.
    Whole(Vec<u8>),
}

impl AsRef<[u8]> for Cut<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Whole(bytes) => bytes,
        }
    }
}

/// Cuts a stream into messages.
///
/// ```
/// use ferrozmq_axon::amp::{Cut, Decoder, Limits};
///
/// let mut decoder = Decoder::new(Limits::default());
/// let mut input: &[u8] = b"\x11\0\0\0\x03j:1\x11\0\0";
/// assert_eq!(decoder.next(&mut input), Ok(Some(Cut::Lent(b"\x11\0\0\0\x03j:1"))));
/// assert_eq!(decoder.next(&mut input), Ok(None));
/// input = b"\0\x03j:2";
/// assert_eq!(decoder.next(&mut input), Ok(Some(Cut::Whole(b"\x11\0\0\0\x03j:2".to_vec()))));
/// ```
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    /// The part of a message that has arrived, and behind it zeros for what may be read next.
    partial: Vec<u8>,
    arrived: usize,
    failed: Option<LimitError>,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            partial: Vec::new(),
            arrived: 0,
            failed: None,
        }
    }

    /// Takes bytes from the front of `input` until a message is complete, and returns that
    /// message; `None` means that all of `input` was taken and more is needed.
    ///
    /// # Errors
    ///
    /// [`LimitError`] when the peer announces too much. The stream cannot be read any further, and
    /// each later call returns the same.
    #[inline]
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Cut<'a>>, LimitError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let cut = if self.arrived == 0 {
            self.cut(input)
        } else {
            self.complete(input).map(|whole| whole.map(Cut::Whole))
        };
        cut.inspect_err(|&error| {
            self.failed = Some(error);
            self.partial = Vec::new();
            self.arrived = 0;
        })
    }

    /// Cuts off a message that lies in `input`.
    #[inline]
    fn cut<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Cut<'a>>, LimitError> {
        match walk(input, &self.limits)? {
            Walk::Whole(size) => {
                let (message, rest) = input.split_at(size);
                *input = rest;
                Ok(Some(Cut::Lent(message)))
            }
            Walk::Partial(_) => {
                self.append(mem::take(input));
                Ok(None)
            }
        }
    }

    /// Adds what is missing to a message that has begun. [`Walk::Partial`] never says too much, so
    /// nothing of the next message is taken.
    fn complete(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, LimitError> {
        loop {
            match walk(&self.partial[..self.arrived], &self.limits)? {
                Walk::Whole(size) => {
                    self.partial.truncate(size);
                    self.arrived = 0;
                    return Ok(Some(mem::take(&mut self.partial)));
                }
                Walk::Partial(_) if input.is_empty() => return Ok(None),
                Walk::Partial(size) => {
                    let missing = (size - self.arrived).min(input.len());
                    let (taken, rest) = input.split_at(missing);
                    *input = rest;
                    self.append(taken);
                }
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        self.partial.truncate(self.arrived);
        self.partial.extend_from_slice(bytes);
        self.arrived = self.partial.len();
    }

    /// Where the next bytes may be read to directly, while much of a message is still missing. All
    /// input must have been taken before. The space grows with what has arrived, not with what the
    /// peer announced, and ends with the message at the latest.
    pub fn space(&mut self) -> Option<&mut [u8]> {
        let Ok(Walk::Partial(size)) = walk(&self.partial[..self.arrived], &self.limits) else {
            return None;
        };
        let missing = size - self.arrived;
        if self.failed.is_some() || self.arrived == 0 || missing < SPACE_MIN {
            return None;
        }
        let room = self.partial.len() - self.arrived;
        if room < SPACE_MIN / 4 && room < missing {
            let more = self.arrived.clamp(SPACE_MIN, SPACE_MAX).min(missing);
            self.partial.resize(self.arrived + more, 0);
        }
        let end = self.partial.len().min(size);
        Some(&mut self.partial[self.arrived..end])
    }

    /// `n` bytes were read into [`Decoder::space`]. A complete message comes out of the next
    /// [`Decoder::next`], which may be given no bytes.
    pub fn filled(&mut self, n: usize) {
        debug_assert!(
            self.arrived + n <= self.partial.len(),
            "more than the space"
        );
        self.arrived = (self.arrived + n).min(self.partial.len());
    }

    /// Whether the stream is in the middle of a message.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.arrived != 0
    }
}

#[cfg(test)]
mod tests;
