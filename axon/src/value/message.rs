//! [`Message`]: a message as it came or as it will be sent, and its arguments one by one.

use std::fmt;

use bytes::Bytes;
use ferrozmq::Msg;

use super::{Arg, DecodeError, EncodeError, Encoder, FromArgs, ToArgs, Value};
use crate::amp::{self, LENGTH, Limits, Walk};

/// A message: 1 to 15 arguments, or none if it came from a peer that does not care.
///
/// It holds the bytes that came, and takes an argument apart when it is read. The default is an empty
/// one, to receive into.
///
/// ```
/// use ferrozmq_axon::{Json, Message};
///
/// let message = Message::new(&("user:login", Json(&["tobi"]), 42))?;
/// assert_eq!(message.len(), 3);
/// assert_eq!(message.get(0)?.text()?, "user:login");
/// assert_eq!(message.get(1)?.json::<Vec<String>>()?, ["tobi"]);
/// let (topic, names, n): (String, Vec<String>, u8) = message.parse()?;
/// assert_eq!(n, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Invariant: a whole message of AMP, or no bytes, and then no arguments.
    msg: Msg,
    /// Which of the arguments in it are the message's: the others served the pattern.
    first: u8,
    end: u8,
}

impl Message {
    /// A message with these arguments, to be sent to several sockets or more than once.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if these can be no arguments.
    pub fn new<A: ToArgs + ?Sized>(args: &A) -> Result<Self, EncodeError> {
        let mut encoder = Encoder::new();
        encoder.args(args)?;
        Ok(Self::from_wire(encoder.finish_msg()?.clone()))
    }

    /// The message that these bytes are, if they are one, as on a connection.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Msg>) -> Option<Self> {
        let msg = bytes.into();
        let no_limits = Limits {
            arg: usize::MAX,
            message: usize::MAX,
        };
        let size = msg.len();
        let is_whole = amp::walk(&msg, &no_limits) == Ok(Walk::Whole(size));
        is_whole.then(|| Self::from_wire(msg))
    }

    /// A frame that is known to hold one whole message.
    pub(crate) fn from_wire(msg: Msg) -> Self {
        debug_assert!(!msg.is_empty(), "a whole message has a first byte");
        let end = Self::count(&msg);
        Self { msg, first: 0, end }
    }

    /// Puts another frame in the place of this one, built by `fill`, which leaves one whole message
    /// there, or fails and leaves what it likes: then the message has no arguments.
    pub(crate) fn refill<E>(
        &mut self,
        fill: impl FnOnce(&mut Msg) -> Result<(), E>,
    ) -> Result<(), E> {
        (self.first, self.end) = (0, 0);
        fill(&mut self.msg)?;
        self.end = Self::count(&self.msg);
        Ok(())
    }

    /// How many arguments are in a frame that holds a whole message.
    fn count(msg: &[u8]) -> u8 {
        #[expect(clippy::cast_possible_truncation, reason = "at most 15")]
        msg.first().map_or(0, |&meta| amp::args(meta) as u8)
    }

    /// The frame that holds the message, with all arguments it came with.
    pub(crate) fn into_wire(self) -> Msg {
        self.msg
    }

    /// How many arguments there are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.end - self.first)
    }

    /// Whether there are no arguments. A peer can send such a message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first == self.end
    }

    /// An argument, counted from 0.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Missing`] if there are not so many.
    pub fn get(&self, index: usize) -> Result<Arg<'_>, DecodeError> {
        self.iter().nth(index).ok_or(DecodeError::Missing(index))
    }

    /// All arguments in their order.
    #[must_use]
    pub fn iter(&self) -> Args<'_> {
        let mut args = Args {
            rest: self.msg.get(1..).unwrap_or_default(),
            left: usize::from(self.end),
        };
        for _ in 0..self.first {
            args.next();
        }
        args
    }

    /// All arguments as values.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Json`] if one begins as JSON and is none.
    pub fn to_values(&self) -> Result<Vec<Value>, DecodeError> {
        self.iter().map(Arg::to_value).collect()
    }

    /// The arguments as a tuple, each as with [`Arg::parse`]. More arguments than asked for do not
    /// matter.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] of the first argument that is missing or something else.
    pub fn parse<T: FromArgs>(&self) -> Result<T, DecodeError> {
        T::from_args(&mut self.iter())
    }

    /// Takes the last argument off.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let last = self.iter().last()?;
        let wire = Bytes::copy_from_slice(last.as_wire());
        self.end -= 1;
        Some(wire)
    }

    /// Takes the first argument off.
    pub(crate) fn shift(&mut self) {
        if !self.is_empty() {
            self.first += 1;
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<'a> IntoIterator for &'a Message {
    type Item = Arg<'a>;
    type IntoIter = Args<'a>;

    fn into_iter(self) -> Args<'a> {
        self.iter()
    }
}

/// The arguments of a [`Message`].
#[derive(Clone, Debug)]
pub struct Args<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Args<'a> {
    type Item = Arg<'a>;

    #[inline]
    fn next(&mut self) -> Option<Arg<'a>> {
        self.left = self.left.checked_sub(1)?;
        let size = usize::try_from(amp::length(self.rest)?).ok()?;
        let (wire, rest) = self.rest[LENGTH..].split_at_checked(size)?;
        self.rest = rest;
        Some(Arg { wire })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Args<'_> {}
