//! What can be sent as arguments, and what arguments can be read as.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Arg, Args, DecodeError, EncodeError, Encoder, Message, Value};

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
                Ok(($(args.next().ok_or(DecodeError::Missing($index))?.parse::<$name>()?,)*))
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
