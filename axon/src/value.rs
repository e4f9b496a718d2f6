//! What arguments are: strings, JSON or bytes, told apart by their first two bytes.
//!
//! | on the wire | is |
//! |---|---|
//! | `s:` and UTF-8 | a string |
//! | `j:` and JSON | anything else that JavaScript knows |
//! | other bytes | themselves |
//!
//! [`Encoder`] makes messages, [`Message`] and [`Arg`] read them, each argument only when it is
//! asked for. [`Value`] is for those who do not know what comes; who does sends what he has
//! ([`ToArgs`]) and reads it back as a type of his own ([`Arg::json`]).
//!
//! Three things that the protocol leaves open are decided here:
//!
//! * Bytes that begin with `s:` or `j:` would arrive as something else, so [`Encoder::bytes`]
//!   refuses them. [`Raw`] sends them all the same, but never as JSON that is none: a peer in Node
//!   dies of that.
//! * JavaScript has strings with half a character in them (an unpaired surrogate). In a string Node
//!   sends U+FFFD in its place, and inside JSON an escape such as `\ud800`; here both are read as
//!   U+FFFD. What came is still there in [`Arg::as_wire`].
//! * A string that is not UTF-8 is read with U+FFFD for what is none, as in Node.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use ferrozmq::Msg;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::amp::{self, LENGTH, Limits, MAX_ARGS, Walk};

const STR: &[u8] = b"s:";
const JSON: &[u8] = b"j:";
/// From how many bytes on a message takes over the memory it was encoded in.
const MOVE_MIN: usize = 4 * 1024;

/// An argument as a value.
///
/// ```
/// use ferrozmq_axon::Value;
/// use serde_json::json;
///
/// assert_eq!(Value::from("tobi"), Value::Str("tobi".into()));
/// assert_eq!(Value::from(json!({ "n": 1 })).to_string(), r#"{"n":1}"#);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A string.
    Str(String),
    /// Whatever JSON can say. A string can come so too; [`Value::as_str`] knows both.
    Json(serde_json::Value),
    /// Bytes: a `Buffer` of Node.
    ///
    /// Bytes that begin with `s:` or `j:` cannot be sent like this ([`EncodeError::AmbiguousBytes`]).
    Bytes(Bytes),
}

impl Value {
    /// JSON's `null`, which is also what Node makes of `undefined`.
    pub const NULL: Self = Self::Json(serde_json::Value::Null);

    /// The text of a string, also of one that came as JSON.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            Self::Json(json) => json.as_str(),
            Self::Bytes(_) => None,
        }
    }

    /// The JSON, if it is any.
    #[must_use]
    pub fn as_json(&self) -> Option<&serde_json::Value> {
        match self {
            Self::Json(json) => Some(json),
            Self::Str(_) | Self::Bytes(_) => None,
        }
    }

    /// The bytes, if it is any.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Str(_) | Self::Json(_) => None,
        }
    }
}

/// As JavaScript would print it: a string is its text, JSON is JSON, and bytes are their text.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) => f.write_str(text),
            Self::Json(json) => json.fmt(f),
            Self::Bytes(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl From<serde_json::Value> for Value {
    /// A string becomes [`Value::Str`], as Node sends it.
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::String(text) => Self::Str(text),
            json => Self::Json(json),
        }
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Bytes::copy_from_slice(bytes))
    }
}

macro_rules! json_values {
    ($($type:ty),*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::Json(value.into())
            }
        }
    )*};
}

json_values!(
    bool,
    i8,
    i16,
    i32,
    i64,
    isize,
    u8,
    u16,
    u32,
    u64,
    usize,
    f32,
    f64,
    ()
);

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
    /// Bytes begin with `s:` or `j:`, and would arrive as a string or as JSON; see [`Raw`].
    #[error(
        "bytes that begin with s: or j: would not arrive as bytes; Raw sends them all the same"
    )]
    AmbiguousBytes,
    /// A value cannot be written as JSON, or [`Raw`] bytes begin with `j:` and are no JSON.
    #[error("no JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Why an argument cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There is no such argument.
    #[error("the message has no argument {0}")]
    Missing(usize),
    /// The argument is of another kind.
    #[error("the argument is {found}, not {wanted}")]
    Kind {
        /// What was asked for.
        wanted: Kind,
        /// What is there.
        found: Kind,
    },
    /// The argument is no JSON, or not JSON that says what was asked for.
    #[error("no such JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// What the first bytes of an argument say it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A string.
    Str,
    /// JSON.
    Json,
    /// Bytes.
    Bytes,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Str => "a string",
            Self::Json => "JSON",
            Self::Bytes => "bytes",
        })
    }
}

/// One argument of a message as it came. Nothing is decoded until it is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Arg<'a> {
    wire: &'a [u8],
}

impl<'a> Arg<'a> {
    pub(crate) fn new(wire: &'a [u8]) -> Self {
        Self { wire }
    }

    /// What it is, by its first two bytes.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.wire {
            [b's', b':', ..] => Kind::Str,
            [b'j', b':', ..] => Kind::Json,
            _ => Kind::Bytes,
        }
    }

    /// All its bytes as they came, with the prefix.
    #[must_use]
    pub fn as_wire(self) -> &'a [u8] {
        self.wire
    }

    /// Its bytes without the prefix: text, the text of JSON, or bytes.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        match self.kind() {
            Kind::Str | Kind::Json => &self.wire[STR.len()..],
            Kind::Bytes => self.wire,
        }
    }

    /// A string, also one that came as JSON.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Kind`] for bytes, [`DecodeError::Json`] for other or broken JSON.
    pub fn text(self) -> Result<Cow<'a, str>, DecodeError> {
        match self.kind() {
            Kind::Str => Ok(String::from_utf8_lossy(self.as_bytes())),
            Kind::Json => Ok(Cow::Owned(from_json(self.as_bytes())?)),
            found @ Kind::Bytes => Err(DecodeError::Kind {
                wanted: Kind::Str,
                found,
            }),
        }
    }

    /// A value of a type of yours, from JSON or from a string.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Kind`] for bytes, [`DecodeError::Json`] if it is not that type or no JSON.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, DecodeError> {
        match self.kind() {
            Kind::Str => {
                let text = String::from_utf8_lossy(self.as_bytes()).into_owned();
                Ok(serde_json::from_value(serde_json::Value::String(text))?)
            }
            Kind::Json => Ok(from_json(self.as_bytes())?),
            found @ Kind::Bytes => Err(DecodeError::Kind {
                wanted: Kind::Json,
                found,
            }),
        }
    }

    /// Whatever it is.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Json`] if it begins as JSON and is none.
    pub fn to_value(self) -> Result<Value, DecodeError> {
        Ok(match self.kind() {
            Kind::Str => Value::Str(String::from_utf8_lossy(self.as_bytes()).into_owned()),
            Kind::Json => Value::Json(from_json(self.as_bytes())?),
            Kind::Bytes => Value::Bytes(Bytes::copy_from_slice(self.as_bytes())),
        })
    }

    /// The text that patterns are compared with: the argument as JavaScript's `String` makes text
    /// of it. Broken JSON is its own text.
    #[must_use]
    pub fn topic(self) -> Cow<'a, str> {
        let text = String::from_utf8_lossy(self.as_bytes());
        if self.kind() != Kind::Json {
            return text;
        }
        match from_json::<serde_json::Value>(self.as_bytes()) {
            Ok(json) => Cow::Owned(js_string(json)),
            Err(_) => text,
        }
    }
}

impl fmt::Debug for Arg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.as_bytes());
        match self.kind() {
            Kind::Str => fmt::Debug::fmt(&text, f),
            Kind::Json => f.write_str(&text),
            Kind::Bytes => write!(f, "b\"{}\"", self.wire.escape_ascii()),
        }
    }
}

/// JSON as Node writes it, which may have unpaired surrogates: they are read as U+FFFD.
pub(crate) fn from_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, serde_json::Error> {
    // Node reads the text as UTF-8 before it looks for JSON.
    let text = String::from_utf8_lossy(text);
    match serde_json::from_str(&text) {
        Err(error) => match pair_surrogates(&text) {
            Some(repaired) => serde_json::from_str(&repaired),
            None => Err(error),
        },
        read => read,
    }
}

/// The same JSON with `\ufffd` for each escape of an unpaired surrogate; `None` if there is none.
fn pair_surrogates(json: &str) -> Option<String> {
    /// The surrogate that is escaped at the front.
    fn surrogate(text: &str) -> Option<u16> {
        let hex = text.strip_prefix("\\u")?.get(..4)?;
        let unit = u16::from_str_radix(hex, 16).ok()?;
        (0xD800..=0xDFFF).contains(&unit).then_some(unit)
    }
    const ESCAPE: usize = "\\ud800".len();

    let mut repaired = None;
    let mut done = 0;
    let mut at = 0;
    while let Some(backslash) = json[at..].find('\\') {
        at += backslash;
        match surrogate(&json[at..]) {
            // As they are always two bytes, an escaped backslash cannot be taken for the first
            // half of something else.
            None => {
                at += json[at..]
                    .chars()
                    .take(2)
                    .map(char::len_utf8)
                    .sum::<usize>()
            }
            Some(first) => {
                let second = surrogate(&json[at + ESCAPE..]);
                if first < 0xDC00 && second.is_some_and(|second| second >= 0xDC00) {
                    at += 2 * ESCAPE;
                    continue;
                }
                let repaired = repaired.get_or_insert_with(String::new);
                repaired.push_str(&json[done..at]);
                repaired.push_str("\\ufffd");
                at += ESCAPE;
                done = at;
            }
        }
    }
    repaired.map(|repaired| repaired + &json[done..])
}

/// What JavaScript's `String` makes of a value.
fn js_string(json: serde_json::Value) -> String {
    match json {
        serde_json::Value::Null => "null".to_owned(),
        serde_json::Value::Bool(value) => value.to_string(),
        // All its numbers are doubles.
        serde_json::Value::Number(number) => number.as_f64().map_or_else(
            || number.to_string(),
            |number| ryu_js::Buffer::new().format(number).to_owned(),
        ),
        serde_json::Value::String(text) => text,
        serde_json::Value::Array(items) => {
            let texts = items.into_iter().map(|item| match item {
                serde_json::Value::Null => String::new(),
                item => js_string(item),
            });
            texts.collect::<Vec<_>>().join(",")
        }
        serde_json::Value::Object(_) => "[object Object]".to_owned(),
    }
}

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
        Ok(Self::from_wire(encoder.take()?))
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

    /// The arguments as a tuple, each as with [`Arg::json`]; for bytes ask [`Message::get`]. More
    /// arguments than asked for do not matter.
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
    bytes: Vec<u8>,
    args: usize,
}

impl Encoder {
    /// An encoder of a message without arguments, yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bytes: vec![0],
            args: 0,
        }
    }

    /// Whether there are no arguments yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.args == 0
    }

    /// Forgets all arguments and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.push(0);
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
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(&[0; LENGTH]);
        let written = write(&mut self.bytes).and_then(|()| {
            u32::try_from(self.bytes.len() - begin - LENGTH).map_err(|_| EncodeError::TooLarge)
        });
        match written {
            Ok(size) => {
                self.bytes[begin..begin + LENGTH].copy_from_slice(&size.to_be_bytes());
                self.args += 1;
                Ok(self)
            }
            Err(error) => {
                self.bytes.truncate(begin);
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

    /// Adds bytes as they are to be on the wire, with their prefix; see [`Raw`].
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
        self.bytes[0] = amp::meta(self.args);
        Ok(&self.bytes)
    }

    /// The whole message as a frame. The encoder is empty afterwards.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoArgs`] if it has no arguments.
    pub(crate) fn take(&mut self) -> Result<Msg, EncodeError> {
        let bytes = self.finish()?;
        let msg = if bytes.len() < MOVE_MIN {
            Msg::copied(bytes)
        } else {
            Msg::from(std::mem::take(&mut self.bytes))
        };
        self.clear();
        Ok(msg)
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Sends a value as JSON.
///
/// ```
/// use ferrozmq_axon::{Json, Message};
///
/// #[derive(serde::Serialize)]
/// struct Login<'a> {
///     name: &'a str,
/// }
///
/// let message = Message::new(&("user:login", Json(Login { name: "tobi" })))?;
/// assert_eq!(format!("{message:?}"), r#"["user:login", {"name":"tobi"}]"#);
/// # Ok::<(), ferrozmq_axon::EncodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Json<T>(pub T);

/// Sends bytes as they are, whatever they begin with: after `s:` they arrive as a string, and after
/// `j:` as JSON, which they must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Raw<T>(pub T);

/// What can be sent as one argument: text, numbers, booleans, bytes, a [`Value`], and with [`Json`]
/// whatever serde can write.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no argument of a message",
    note = "wrap what serde can write in `ferrozmq_axon::Json`"
)]
pub trait ToArg {
    /// Adds it to the message.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if it cannot be an argument.
    fn encode_arg(&self, encoder: &mut Encoder) -> Result<(), EncodeError>;
}

/// What can be sent as a message: one argument ([`ToArg`]), a tuple of them, [`Value`]s in a row, or
/// a [`Message`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` are no arguments of a message",
    note = "a message is a value, a tuple of values, a slice of `Value` or a `Message`",
    note = "wrap what serde can write in `ferrozmq_axon::Json`"
)]
pub trait ToArgs {
    /// Adds them to the message.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if these can be no arguments.
    fn encode(&self, encoder: &mut Encoder) -> Result<(), EncodeError>;
}

macro_rules! to_arg {
    ($([$($generics:tt)*] $type:ty: |$this:ident, $encoder:ident| $encode:expr;)*) => {$(
        impl<$($generics)*> ToArg for $type {
            #[inline]
            fn encode_arg(&self, $encoder: &mut Encoder) -> Result<(), EncodeError> {
                let $this = self;
                $encode.map(drop)
            }
        }
    )*};
}

to_arg! {
    [] str: |this, encoder| encoder.str(this);
    [] String: |this, encoder| encoder.str(this);
    [] Cow<'_, str>: |this, encoder| encoder.str(this);
    [] bool: |this, encoder| encoder.json(this);
    [] i8: |this, encoder| encoder.json(this);
    [] i16: |this, encoder| encoder.json(this);
    [] i32: |this, encoder| encoder.json(this);
    [] i64: |this, encoder| encoder.json(this);
    [] isize: |this, encoder| encoder.json(this);
    [] u8: |this, encoder| encoder.json(this);
    [] u16: |this, encoder| encoder.json(this);
    [] u32: |this, encoder| encoder.json(this);
    [] u64: |this, encoder| encoder.json(this);
    [] usize: |this, encoder| encoder.json(this);
    [] f32: |this, encoder| encoder.json(this);
    [] f64: |this, encoder| encoder.json(this);
    [] serde_json::Value: |this, encoder| match this {
        serde_json::Value::String(text) => encoder.str(text),
        json => encoder.json(json),
    };
    [] Value: |this, encoder| encoder.value(this);
    [] [u8]: |this, encoder| encoder.bytes(this);
    [] Vec<u8>: |this, encoder| encoder.bytes(this);
    [] Bytes: |this, encoder| encoder.bytes(this);
    [const N: usize] [u8; N]: |this, encoder| encoder.bytes(this);
    [] Arg<'_>: |this, encoder| encoder.raw(this.as_wire());
    [T: Serialize] Json<T>: |this, encoder| encoder.json(&this.0);
    [T: AsRef<[u8]>] Raw<T>: |this, encoder| encoder.raw(this.0.as_ref());
}

impl<T: ToArg + ?Sized> ToArg for &T {
    #[inline]
    fn encode_arg(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
        (**self).encode_arg(encoder)
    }
}

/// `None` is sent as `null`.
impl<T: ToArg> ToArg for Option<T> {
    fn encode_arg(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
        match self {
            Some(arg) => arg.encode_arg(encoder),
            None => encoder.json(&()).map(drop),
        }
    }
}

impl<T: ToArg + ?Sized> ToArgs for T {
    #[inline]
    fn encode(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
        self.encode_arg(encoder)
    }
}

/// Types that are several arguments, and references to them.
macro_rules! to_args {
    ($([$($generics:tt)*] $type:ty: |$this:ident| $args:expr;)*) => {$(
        impl<$($generics)*> ToArgs for $type {
            fn encode(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
                let $this = self;
                $args.try_for_each(|arg| arg.encode_arg(encoder))
            }
        }

        impl<$($generics)*> ToArgs for &$type {
            fn encode(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
                (**self).encode(encoder)
            }
        }
    )*};
}

to_args! {
    [] [Value]: |this| this.iter();
    [] Vec<Value>: |this| this.iter();
    [const N: usize] [Value; N]: |this| this.iter();
    [] Message: |this| this.iter();
}

/// No arguments: what a request may have, beside its id.
impl ToArgs for () {
    fn encode(&self, _: &mut Encoder) -> Result<(), EncodeError> {
        Ok(())
    }
}

/// What a [`Message`] can be read as: a tuple of what serde can read.
pub trait FromArgs: Sized {
    /// Reads the first arguments.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] of the first that is missing or something else.
    fn from_args(args: &mut Args<'_>) -> Result<Self, DecodeError>;
}

macro_rules! tuples {
    ($($name:ident $index:tt),*) => {
        impl<$($name: ToArg),*> ToArgs for ($($name,)*) {
            #[inline]
            fn encode(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
                $(self.$index.encode_arg(encoder)?;)*
                Ok(())
            }
        }

        impl<$($name: DeserializeOwned),*> FromArgs for ($($name,)*) {
            fn from_args(args: &mut Args<'_>) -> Result<Self, DecodeError> {
                Ok(($(args.next().ok_or(DecodeError::Missing($index))?.json::<$name>()?,)*))
            }
        }
    };
}

tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14);

#[cfg(test)]
mod tests;
