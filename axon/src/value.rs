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

mod args;
mod encoder;
mod message;

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::value::SeqDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

pub use args::{FromArgs, Json, Raw, ToArg, ToArgs};
pub use encoder::{EncodeError, Encoder};
pub use message::{Args, Message};

const STR: &[u8] = b"s:";
const JSON: &[u8] = b"j:";

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

    /// A value of a type of yours, whatever it came as. Bytes are read as bytes: a `Vec<u8>`, an array,
    /// [`Bytes`] and whatever else serde reads from some.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Json`] if it is not that type or no JSON.
    pub fn parse<T: DeserializeOwned>(self) -> Result<T, DecodeError> {
        match self.kind() {
            Kind::Str | Kind::Json => self.json(),
            Kind::Bytes => Ok(T::deserialize(RawBytes(self.wire))?),
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

/// Bytes for serde: bytes, or a list of them for who wants that.
struct RawBytes<'a>(&'a [u8]);

impl<'de> Deserializer<'de> for RawBytes<'_> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_bytes(self.0)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_seq(SeqDeserializer::new(self.0.iter().copied()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        if len != self.0.len() {
            return Err(serde::de::Error::invalid_length(self.0.len(), &visitor));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple_struct map struct enum identifier ignored_any
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

#[cfg(test)]
mod tests;
