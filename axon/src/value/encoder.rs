//! [`Encoder`]: arguments to the bytes of a message.

use ferrozmq::Msg;
use ferrozmq::protocol::COPY_MAX;
use serde::Serialize;
use serde::de::IgnoredAny;

use super::{Arg, JSON, Kind, STR, ToArgs, Value, from_json};
use crate::amp::{self, LENGTH, MAX_ARGS};

/// Why a message cannot be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A message has no arguments. A peer in Node would lose the message behind it.
    #[error("a message must have an argument; null will do")]
    NoArgs,
    /// A message has more than 15 arguments, or a request or a reply more than 14 beside its id.
    #[error(
        "a message has at most {MAX_ARGS} arguments, of which a request and its reply need one"
    )]
    TooManyArgs,
    /// An argument has 4 GiB or more, prefix included.
    #[error("an argument must be smaller than 4 GiB")]
    TooLarge,
    /// Bytes begin with `s:` or `j:`, and would arrive as a string or as JSON; see [`Raw`](crate::Raw).
    #[error(
        "bytes that begin with s: or j: would not arrive as bytes; Raw sends them all the same"
    )]
    AmbiguousBytes,
    /// A value cannot be written as JSON, or [`Raw`](crate::Raw) bytes begin with `j:` and are no JSON.
    #[error("no JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Makes messages, one after another, in one buffer.
///
/// ```
/// use ferrozmq_axon::Encoder;
///
/// let mut encoder = Encoder::new();
/// encoder.str("tobi")?.json(&[1, 2])?.bytes(b"\x01\x02")?;
/// assert_eq!(encoder.finish()?, b"\x13\0\0\0\x06s:tobi\0\0\0\x07j:[1,2]\0\0\0\x02\x01\x02");
/// # Ok::<(), ferrozmq_axon::EncodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    /// The first byte is written when the number of arguments is known.
    msg: Msg,
    args: usize,
}

impl Encoder {
    /// An encoder of a message without arguments, yet.
    #[must_use]
    pub fn new() -> Self {
        let mut encoder = Self {
            msg: Msg::new(),
            args: 0,
        };
        encoder.clear();
        encoder
    }

    /// Whether there are no arguments yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.args == 0
    }

    /// Forgets all arguments and keeps the memory.
    pub fn clear(&mut self) {
        self.msg.give_back();
        let bytes = self.msg.as_mut_vec();
        bytes.clear();
        bytes.push(0);
        self.args = 0;
    }

    /// Adds an argument whose bytes `write` appends. If that fails, nothing is added.
    fn arg(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<&mut Self, EncodeError> {
        if self.args == MAX_ARGS {
            return Err(EncodeError::TooManyArgs);
        }
        let bytes = self.msg.as_mut_vec();
        let begin = bytes.len();
        bytes.extend_from_slice(&[0; LENGTH]);
        let written = write(bytes).and_then(|()| {
            u32::try_from(bytes.len() - begin - LENGTH).map_err(|_| EncodeError::TooLarge)
        });
        match written {
            Ok(size) => {
                bytes[begin..begin + LENGTH].copy_from_slice(&size.to_be_bytes());
                self.args += 1;
                Ok(self)
            }
            Err(error) => {
                bytes.truncate(begin);
                Err(error)
            }
        }
    }

    /// Adds a string.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooManyArgs`], [`EncodeError::TooLarge`].
    pub fn str(&mut self, text: &str) -> Result<&mut Self, EncodeError> {
        self.parts(STR, text.as_bytes())
    }

    /// Adds a value as JSON, whatever it is.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Json`] if it cannot be written as JSON, [`EncodeError::TooManyArgs`],
    /// [`EncodeError::TooLarge`].
    pub fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<&mut Self, EncodeError> {
        self.arg(|bytes| {
            bytes.extend_from_slice(JSON);
            Ok(serde_json::to_writer(bytes, value)?)
        })
    }

    /// Adds bytes.
    ///
    /// A peer in Node hears of a message whose last argument is empty only when something follows
    /// it.
    ///
    /// # Errors
    ///
    /// [`EncodeError::AmbiguousBytes`] if they begin with `s:` or `j:`,
    /// [`EncodeError::TooManyArgs`], [`EncodeError::TooLarge`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<&mut Self, EncodeError> {
        match Arg::new(bytes).kind() {
            Kind::Bytes => self.parts(bytes, b""),
            Kind::Str | Kind::Json => Err(EncodeError::AmbiguousBytes),
        }
    }

    /// Adds bytes as they are to be on the wire, with their prefix; see [`Raw`](crate::Raw).
    ///
    /// # Errors
    ///
    /// [`EncodeError::Json`] if they begin with `j:` and are no JSON, [`EncodeError::TooManyArgs`],
    /// [`EncodeError::TooLarge`].
    pub fn raw(&mut self, wire: &[u8]) -> Result<&mut Self, EncodeError> {
        let arg = Arg::new(wire);
        if arg.kind() == Kind::Json {
            from_json::<IgnoredAny>(arg.as_bytes())?;
        }
        self.parts(wire, b"")
    }

    /// Adds a value.
    ///
    /// # Errors
    ///
    /// Those of [`Encoder::str`], [`Encoder::json`] and [`Encoder::bytes`].
    pub fn value(&mut self, value: &Value) -> Result<&mut Self, EncodeError> {
        match value {
            Value::Str(text) => self.str(text),
            Value::Json(json) => self.json(json),
            Value::Bytes(bytes) => self.bytes(bytes),
        }
    }

    /// Adds arguments. If one cannot be added, those before it stay.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] of the first that cannot be added.
    pub fn args<A: ToArgs + ?Sized>(&mut self, args: &A) -> Result<&mut Self, EncodeError> {
        args.encode(self)?;
        Ok(self)
    }

    fn parts(&mut self, prefix: &[u8], rest: &[u8]) -> Result<&mut Self, EncodeError> {
        self.arg(|bytes| {
            bytes.reserve(prefix.len() + rest.len());
            bytes.extend_from_slice(prefix);
            bytes.extend_from_slice(rest);
            Ok(())
        })
    }

    /// The whole message.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoArgs`] if it has no arguments.
    pub fn finish(&mut self) -> Result<&[u8], EncodeError> {
        if self.args == 0 {
            return Err(EncodeError::NoArgs);
        }
        let bytes = self.msg.as_mut_vec();
        bytes[0] = amp::meta(self.args);
        Ok(bytes)
    }

    /// The whole message as a frame; nothing is to be added to it. Whoever takes it had better copy it
    /// unless it has more than [`COPY_MAX`] bytes, since its memory is for the next as well.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoArgs`] if it has no arguments.
    pub(crate) fn finish_msg(&mut self) -> Result<&mut Msg, EncodeError> {
        if self.finish()?.len() > COPY_MAX {
            self.msg = Msg::from(std::mem::take(self.msg.as_mut_vec()));
        }
        Ok(&mut self.msg)
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}
