//! [`Msg`]: one frame of a message, 64 bytes, whatever the size of its body.
//!
//! A body lies in one of four places: inside the `Msg` itself (up to [`INLINE_MAX`]), in memory of
//! its own (up to [`COPY_MAX`]), in a shared allocation that was copied once, or in memory that
//! somebody else made and that is only borrowed by reference count (zero-copy). Cloning copies the
//! first two and shares the others. This file never knows how a frame travels; the crate-internal
//! [`Kind`] only labels it.

mod memory;

use std::ffi::CStr;
use std::fmt;
use std::ops::Deref;
use std::os::fd::RawFd;
use std::sync::Arc;

use bytes::Bytes;

use self::memory::{Memory, Own};
use crate::error::Error;

/// The longest body that lies inside the [`Msg`] itself.
pub(crate) const INLINE_MAX: usize = 38;

/// A body above this size is not worth a copy: it is shared, and travels in its own memory.
pub const COPY_MAX: usize = 4 * 1024;

/// The longest group name of RADIO and DISH.
pub(crate) const GROUP_MAX: usize = 255;

#[derive(Clone)]
enum Body {
    Inline {
        len: u8,
        bytes: [u8; INLINE_MAX],
    },
    /// Not worth sharing: always writable.
    Own(Own),
    /// Copied once into an allocation of its own; writable while it is not shared.
    Shared(Memory),
    /// Somebody else's memory: a `Vec`, a static, a slice of a larger buffer, foreign memory.
    Borrowed(Bytes),
}

impl Body {
    const EMPTY: Self = Self::Inline {
        len: 0,
        bytes: [0; INLINE_MAX],
    };

    /// As [`Body::copy_from`], of a body that is too large to be inline. Memory of the right size that
    /// nobody else has is used again.
    #[inline(never)]
    fn copy_from_long(&mut self, body: &[u8]) {
        if body.len() <= COPY_MAX {
            // Made empty and then filled: a vector that is moved into its place in one with its tag is
            // moved in pieces that the processor waits for.
            if !matches!(self, Self::Own(_)) {
                *self = Self::Own(Own::new());
            }
            if let Self::Own(own) = self {
                own.refill(body);
            }
            return;
        }
        if let Self::Shared(old) = self {
            if let Some(old) = old.get_mut().filter(|old| old.len() == body.len()) {
                return old.copy_from_slice(body);
            }
        }
        *self = Self::Shared(Memory::copied(body));
    }

    /// As [`Body::copy_from`], by a call. So `self` has to be somewhere, and is made where it is to be.
    #[inline(never)]
    fn become_copy_of(&mut self, body: &[u8]) {
        self.copy_from(body);
    }

    /// Puts a copy of `body` in the place of what was here.
    #[inline(always)]
    fn copy_from(&mut self, body: &[u8]) {
        if body.len() > INLINE_MAX {
            return self.copy_from_long(body);
        }
        if !matches!(self, Self::Inline { .. }) {
            *self = Self::EMPTY;
        }
        if let Self::Inline { len, bytes } = self {
            copy_short(&mut bytes[..body.len()], body);
            #[expect(clippy::cast_possible_truncation, reason = "at most INLINE_MAX")]
            {
                *len = body.len() as u8;
            }
        }
    }
}

/// What a frame is to the engine. Applications only ever see `Data`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A frame of a message.
    Data,
    /// A subscription to the topic in the body.
    Subscribe,
    /// The end of a subscription to the topic in the body.
    Cancel,
    /// A DISH joins the group in the body.
    Join,
    /// A DISH leaves the group in the body.
    Leave,
    /// Who the peer is, in the metadata; the first record on a pipe, and again when a reconnect finds
    /// another peer.
    Peer,
}

/// One frame of a message.
///
/// A message is one or more frames; all but the last have the [`more`](Msg::more) flag. Bodies of
/// up to 38 bytes are stored inline, without an allocation. A clone shares a body above 4 KiB, and one
/// whose memory was given to the message; it copies others.
///
/// ```
/// use ferrozmq::Msg;
///
/// let copied = Msg::from("hello");
/// let moved = Msg::from(vec![0u8; 1 << 20]); // takes the vector's memory, copies nothing
/// assert_eq!(&copied[..], b"hello");
/// assert_eq!(moved.len(), 1 << 20);
/// ```
#[derive(Clone)]
pub struct Msg {
    body: Body,
    metadata: Option<Arc<Metadata>>,
    /// With a NUL behind it.
    group: Option<Arc<Box<str>>>,
    routing_id: u32,
    kind: Kind,
    more: bool,
    uncounted: bool,
}

const _: () = assert!(size_of::<Msg>() == 64, "a message is one cache line");
const _: () = assert!(
    size_of::<Option<Msg>>() == 64,
    "an absent message costs nothing"
);

impl Msg {
    /// An empty message.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self::with_body(Body::EMPTY)
    }

    /// A message of `len` zero bytes, to be filled through [`Msg::make_mut`].
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        if len <= INLINE_MAX {
            return Self::copied(&[0; INLINE_MAX][..len]);
        }
        let mut msg = Self::blank(len);
        msg.make_mut().fill(0);
        msg
    }

    /// A message of `len` bytes, whatever they are: they must be overwritten before anybody sees them.
    pub(crate) fn blank(len: usize) -> Self {
        if len <= INLINE_MAX {
            return Self::zeroed(len);
        }
        Self::with_body(if len <= COPY_MAX {
            Body::Own(Own::any(len))
        } else {
            Body::Shared(Memory::any(len))
        })
    }

    /// A message with a copy of `body`.
    // Moving it after it was made would cost more than a call, as the processor has to wait for bytes that
    // were stored in other pieces than they are loaded.
    #[must_use]
    #[inline]
    pub fn copied(body: &[u8]) -> Self {
        let mut msg = Self::new();
        msg.body.become_copy_of(body);
        msg
    }

    /// Makes this a frame with a copy of `body`, as [`Msg::copied`] does. What it knows of its peer
    /// stays: a frame that [`Socket::recv`](crate::Socket::recv) fills again and again is best emptied so.
    ///
    /// ```
    /// use ferrozmq::Msg;
    ///
    /// let mut msg = Msg::from("old");
    /// msg.copy_from(b"new");
    /// assert_eq!(msg, *"new");
    /// ```
    #[inline]
    pub fn copy_from(&mut self, body: &[u8]) {
        self.refill(body, false);
    }

    /// A message over memory that lives as long as the program; nothing is copied.
    #[must_use]
    pub fn from_static(body: &'static [u8]) -> Self {
        Self::with_body(Body::Borrowed(Bytes::from_static(body)))
    }

    /// A message over memory owned by `owner`; nothing is copied.
    ///
    /// `owner` is dropped exactly once, on whichever thread drops the last clone of the message:
    /// often an I/O thread, or the sender's own thread within `send`, which copies bodies of up to
    /// 4 KiB. So its `Drop` must not use the
    /// socket that sends it, nor wait for a lock that is held around `send`. Its `Drop` is the place to give foreign memory back.
    #[must_use]
    pub fn from_owner<T>(owner: T) -> Self
    where
        T: AsRef<[u8]> + Send + 'static,
    {
        Self::with_body(Body::Borrowed(Bytes::from_owner(owner)))
    }

    /// Makes this a frame with a copy of `body`, whatever it was; only the metadata stays. The
    /// frame is built where it is to be, since moving a message costs more than copying a body.
    #[inline(always)]
    pub(crate) fn refill(&mut self, body: &[u8], more: bool) {
        self.body.copy_from(body);
        self.group = None;
        self.routing_id = 0;
        self.kind = Kind::Data;
        self.more = more;
        self.uncounted = false;
    }

    #[inline]
    const fn with_body(body: Body) -> Self {
        Self {
            body,
            metadata: None,
            group: None,
            routing_id: 0,
            kind: Kind::Data,
            more: false,
            uncounted: false,
        }
    }

    /// The body.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.body {
            Body::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Body::Own(bytes) => bytes,
            Body::Shared(bytes) => bytes,
            Body::Borrowed(bytes) => bytes,
        }
    }

    /// The body as text, if it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }

    /// The body for writing. If other clones share it, or its memory is not ours to write, it is
    /// copied first.
    pub fn make_mut(&mut self) -> &mut [u8] {
        let unique = match &mut self.body {
            Body::Inline { .. } | Body::Own(_) => true,
            Body::Shared(bytes) => bytes.get_mut().is_some(),
            Body::Borrowed(_) => false,
        };
        if !unique {
            let mut body = Body::EMPTY;
            body.copy_from(self.as_bytes());
            self.body = body;
        }
        match &mut self.body {
            Body::Inline { len, bytes } => &mut bytes[..usize::from(*len)],
            Body::Own(bytes) => bytes,
            Body::Shared(bytes) => bytes.get_mut().unwrap_or_default(),
            Body::Borrowed(_) => unreachable!("M1: a borrowed body was copied above"),
        }
    }

    /// The body as a vector, for encoders: what they write is a message without a copy. It is memory of
    /// the message's own, so a body of more than [`COPY_MAX`] is better a message made from a vector.
    #[cfg(feature = "protocols")]
    #[inline]
    pub fn as_mut_vec(&mut self) -> &mut Vec<u8> {
        if !matches!(self.body, Body::Own(_)) {
            let mut own = Own::new();
            own.refill(self.as_bytes());
            self.body = Body::Own(own);
        }
        match &mut self.body {
            Body::Own(own) => own.as_mut_vec(),
            _ => unreachable!("M2: the body was made its own above"),
        }
    }

    /// The body as [`Bytes`], which shares the memory unless the body is small.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.body {
            Body::Inline { len, bytes } => Bytes::copy_from_slice(&bytes[..usize::from(len)]),
            Body::Own(bytes) => bytes.into_vec().into(),
            Body::Shared(bytes) => Bytes::from_owner(bytes),
            Body::Borrowed(bytes) => bytes,
        }
    }

    /// Whether more frames of the same message follow (`ZMQ_MORE`).
    #[must_use]
    #[inline]
    pub fn more(&self) -> bool {
        self.more
    }

    /// Sets the MORE flag. `send` does that by itself, from its flags.
    #[inline]
    pub fn set_more(&mut self, more: bool) {
        self.more = more;
    }

    /// Whether the body's memory is shared: with a clone, or because it is nobody's own: a static
    /// (`ZMQ_SHARED`).
    #[must_use]
    pub fn is_shared(&self) -> bool {
        match &self.body {
            Body::Inline { .. } | Body::Own(_) => false,
            Body::Shared(bytes) => bytes.is_shared(),
            Body::Borrowed(bytes) => !bytes.is_unique(),
        }
    }

    /// Has clones share the body from now on, which stays where it is, for interfaces to other
    /// languages.
    #[doc(hidden)]
    pub fn share(&mut self) {
        match std::mem::replace(&mut self.body, Body::EMPTY) {
            Body::Own(own) => self.body = Body::Borrowed(own.into_vec().into()),
            other => self.body = other,
        }
    }

    /// Drops a body in memory that is not this message's alone, for interfaces to other languages and for
    /// encoders: whoever lent it gets it back. Memory of its own stays for the next body.
    #[doc(hidden)]
    #[inline]
    pub fn give_back(&mut self) {
        if !matches!(self.body, Body::Inline { .. } | Body::Own(_)) {
            self.body = Body::EMPTY;
        }
    }

    /// Has clones share the body from now on, in memory that is kept for the next one.
    pub(crate) fn share_copy(&mut self) {
        if let Body::Own(own) = &self.body {
            self.body = Body::Shared(Memory::copied(own));
        }
    }

    /// Where the body lies, for interfaces to other languages. Reading is always allowed, until
    /// the message is moved or changed; writing only while [`Msg::is_shared`] is false and the
    /// memory was made for it.
    #[doc(hidden)]
    #[must_use]
    pub fn body_ptr(&mut self) -> *mut u8 {
        match &mut self.body {
            Body::Inline { bytes, .. } => bytes.as_mut_ptr(),
            Body::Own(bytes) => bytes.as_mut_ptr(),
            Body::Shared(bytes) => match bytes.get_mut() {
                Some(own) => own.as_mut_ptr(),
                None => bytes.as_ptr().cast_mut(),
            },
            Body::Borrowed(bytes) => bytes.as_ptr().cast_mut(),
        }
    }

    /// The routing id of SERVER and PEER sockets; 0 if there is none.
    #[must_use]
    pub fn routing_id(&self) -> u32 {
        self.routing_id
    }

    /// Sets the routing id of SERVER and PEER sockets.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if `id` is 0, which means "none".
    pub fn set_routing_id(&mut self, id: u32) -> Result<(), Error> {
        if id == 0 {
            return Err(Error::InvalidArgument("a routing id is not 0"));
        }
        self.routing_id = id;
        Ok(())
    }

    /// The group of RADIO and DISH sockets; empty by default.
    #[must_use]
    pub fn group(&self) -> &str {
        let group = self.group.as_deref().map_or("\0", |group| group);
        &group[..group.len() - 1]
    }

    /// The group of RADIO and DISH sockets as a C string.
    #[must_use]
    pub fn group_cstr(&self) -> &CStr {
        let group = self.group.as_deref().map_or("\0", |group| group);
        CStr::from_bytes_with_nul(group.as_bytes()).unwrap_or_default()
    }

    /// Sets the group of RADIO and DISH sockets.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if `group` is longer than 255 bytes or holds a NUL byte.
    pub fn set_group(&mut self, group: &str) -> Result<(), Error> {
        if group.len() > GROUP_MAX || group.contains('\0') {
            return Err(Error::InvalidArgument(
                "a group has at most 255 bytes, none of them NUL",
            ));
        }
        self.group = (!group.is_empty()).then(|| Arc::new(format!("{group}\0").into()));
        Ok(())
    }

    /// Sets the routing id as a SERVER does; 0 takes it away.
    pub(crate) fn assign_routing_id(&mut self, id: u32) {
        self.routing_id = id;
    }

    /// Gives the message the group of another, without a copy.
    pub(crate) fn share_group(&mut self, other: &Self) {
        self.group.clone_from(&other.group);
    }

    /// What is known of the connection that the message came through; `None` for a message that
    /// was not received over tcp or ipc.
    #[must_use]
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_deref()
    }

    /// A metadata property as text: `Socket-Type`, `Identity`, `Peer-Address`, `User-Id`, or an
    /// application's `X-…`. Names are compared without regard to case (RFC 23). `None` if there
    /// is no such property, or its value is not UTF-8.
    #[must_use]
    pub fn gets(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.metadata()?.get(name)?).ok()
    }

    /// A clone of the body alone, for storing: flags, ids and metadata stay behind.
    pub(crate) fn body_clone(&self) -> Self {
        Self::with_body(self.body.clone())
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// A record for the engine itself.
    pub(crate) fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// The record that tells the other end of a pipe who is there.
    pub(crate) fn peer(metadata: Arc<Metadata>) -> Self {
        let mut msg = Self::new().of_kind(Kind::Peer);
        msg.metadata = Some(metadata);
        msg
    }

    pub(crate) fn shared_metadata(&self) -> Option<&Arc<Metadata>> {
        self.metadata.as_ref()
    }

    /// Sets the metadata. Costs nothing where they are these already, as when an application
    /// receives into one message again and again.
    #[inline]
    pub(crate) fn set_metadata(&mut self, metadata: Option<&Arc<Metadata>>) {
        if self.metadata.as_ref().map(Arc::as_ptr) != metadata.map(Arc::as_ptr) {
            self.metadata = metadata.cloned();
        }
    }

    /// Whether the message has what its bytes and its MORE flag do not tell.
    #[inline]
    pub(crate) fn has_properties(&self) -> bool {
        self.uncounted || self.routing_id != 0 || self.group.is_some()
    }

    /// Whether the record is left out of the high-water mark's count.
    #[inline]
    pub(crate) fn is_uncounted(&self) -> bool {
        self.uncounted
    }

    pub(crate) fn set_uncounted(&mut self) {
        self.uncounted = true;
    }
}

/// Copies all of `from` to `to`, which is as long. A short body is moved in two pieces of a fixed
/// size, which overlap: that is faster than a call for a size known late. The pieces are no larger than
/// they must be, since what was just stored in smaller ones the processor cannot load at once.
#[inline(always)]
pub(crate) fn copy_short(to: &mut [u8], from: &[u8]) {
    #[inline(always)]
    fn ends<const N: usize>(to: &mut [u8], from: &[u8]) -> Option<()> {
        let (first, last) = (from.first_chunk::<N>()?, from.last_chunk::<N>()?);
        *to.first_chunk_mut()? = *first;
        *to.last_chunk_mut()? = *last;
        Some(())
    }
    let done = match from.len() {
        8..=16 => ends::<8>(to, from),
        17..=32 => ends::<16>(to, from),
        33..=64 => ends::<32>(to, from),
        4..=7 => ends::<4>(to, from),
        _ => None,
    };
    if done.is_none() {
        to.copy_from_slice(from);
    }
}

impl Default for Msg {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Msg {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsRef<[u8]> for Msg {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for Msg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        let shown = &self[..self.len().min(SHOWN)];
        write!(f, "Msg({} B", self.len())?;
        if self.kind != Kind::Data {
            write!(f, ", {:?}", self.kind)?;
        }
        if self.more {
            f.write_str(", more")?;
        }
        write!(
            f,
            ", \"{}\"{})",
            shown.escape_ascii(),
            if self.len() > SHOWN { "…" } else { "" }
        )
    }
}

impl PartialEq for Msg {
    /// Compares bodies only.
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Msg {}

impl PartialEq<[u8]> for Msg {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_bytes() == other
    }
}

impl<const N: usize> PartialEq<[u8; N]> for Msg {
    fn eq(&self, other: &[u8; N]) -> bool {
        self.as_bytes() == other
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for Msg {
    fn eq(&self, other: &&[u8; N]) -> bool {
        self.as_bytes() == *other
    }
}

impl PartialEq<str> for Msg {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Msg {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl From<Bytes> for Msg {
    /// Shares the memory.
    fn from(body: Bytes) -> Self {
        Self::with_body(Body::Borrowed(body))
    }
}

impl From<Vec<u8>> for Msg {
    /// Takes the vector's memory, unless the body fits inline.
    fn from(body: Vec<u8>) -> Self {
        if body.len() <= INLINE_MAX {
            Self::copied(&body)
        } else {
            Bytes::from(body).into()
        }
    }
}

impl From<String> for Msg {
    /// Takes the string's memory, unless the body fits inline.
    fn from(body: String) -> Self {
        body.into_bytes().into()
    }
}

impl From<Box<[u8]>> for Msg {
    /// Takes the box's memory, unless the body fits inline.
    fn from(body: Box<[u8]>) -> Self {
        body.into_vec().into()
    }
}

impl From<&[u8]> for Msg {
    /// Copies the slice.
    fn from(body: &[u8]) -> Self {
        Self::copied(body)
    }
}

impl<const N: usize> From<&[u8; N]> for Msg {
    /// Copies the array.
    fn from(body: &[u8; N]) -> Self {
        Self::copied(body)
    }
}

impl<const N: usize> From<[u8; N]> for Msg {
    /// Copies the array.
    fn from(body: [u8; N]) -> Self {
        Self::copied(&body)
    }
}

impl From<&Vec<u8>> for Msg {
    /// Copies the vector's contents.
    fn from(body: &Vec<u8>) -> Self {
        Self::copied(body)
    }
}

impl From<&str> for Msg {
    /// Copies the text.
    fn from(body: &str) -> Self {
        Self::copied(body.as_bytes())
    }
}

impl From<&String> for Msg {
    /// Copies the text.
    fn from(body: &String) -> Self {
        Self::copied(body.as_bytes())
    }
}

impl From<&Self> for Msg {
    /// Clones the message.
    fn from(msg: &Self) -> Self {
        msg.clone()
    }
}

/// What [`Socket::send`](crate::Socket::send) takes: whatever a [`Msg`] can be made [`From`].
///
/// Types of your own need no more than an empty implementation:
///
/// ```
/// use ferrozmq::{Ctx, IntoMsg, Msg, SocketType};
///
/// struct Celsius(f32);
///
/// impl From<Celsius> for Msg {
///     fn from(Celsius(degrees): Celsius) -> Self {
///         degrees.to_be_bytes().into()
///     }
/// }
///
/// impl IntoMsg for Celsius {}
///
/// let ctx = Ctx::new();
/// let publisher = ctx.socket(SocketType::PUB)?;
/// publisher.send(Celsius(21.5), 0)?;
/// # Ok::<(), ferrozmq::Error>(())
/// ```
pub trait IntoMsg: Into<Msg> {
    /// The body, if it would be copied into the message, so that the socket can copy it into one that it
    /// has: moving a small message that has just been written costs more than all else that is done with
    /// it. `None` unless it is implemented.
    #[inline]
    fn as_copied(&self) -> Option<&[u8]> {
        None
    }
}

impl IntoMsg for Msg {}
impl IntoMsg for &Msg {}
impl IntoMsg for Bytes {}
impl IntoMsg for Vec<u8> {}
impl IntoMsg for Box<[u8]> {}
impl IntoMsg for String {}

impl IntoMsg for &[u8] {
    #[inline]
    fn as_copied(&self) -> Option<&[u8]> {
        Some(self)
    }
}

impl<const N: usize> IntoMsg for &[u8; N] {
    #[inline]
    fn as_copied(&self) -> Option<&[u8]> {
        Some(*self)
    }
}

impl<const N: usize> IntoMsg for [u8; N] {
    #[inline]
    fn as_copied(&self) -> Option<&[u8]> {
        Some(self)
    }
}

impl IntoMsg for &Vec<u8> {
    #[inline]
    fn as_copied(&self) -> Option<&[u8]> {
        Some(self)
    }
}

impl IntoMsg for &str {
    #[inline]
    fn as_copied(&self) -> Option<&[u8]> {
        Some(self.as_bytes())
    }
}

impl IntoMsg for &String {
    #[inline]
    fn as_copied(&self) -> Option<&[u8]> {
        Some(self.as_bytes())
    }
}

/// A message that could not be sent, and why. Nothing of it has been sent.
///
/// Converts into [`Error`], so that `?` works where the message is not needed again.
#[derive(thiserror::Error)]
#[error("{error}")]
pub struct SendError<T = Msg> {
    /// Why the message was not sent.
    #[source]
    pub error: Error,
    /// The message, as it was given.
    pub message: T,
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError")
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl<T> From<SendError<T>> for Error {
    fn from(failed: SendError<T>) -> Self {
        failed.error
    }
}

/// What a connection's handshake told about the peer: ZMTP properties by name.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// All properties in a row, see [`Property`]: one piece of memory for each of ten thousand
    /// peers.
    properties: Vec<u8>,
    source_fd: Option<RawFd>,
}

/// One property: the lengths of name and value, four bytes each; the name; the value; a NUL.
struct Property<'a> {
    name: &'a str,
    /// With the NUL.
    value: &'a [u8],
}

impl<'a> Property<'a> {
    /// The property at the front of `bytes`, and what is behind it.
    fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (name_len, rest) = bytes.split_first_chunk::<4>()?;
        let (value_len, rest) = rest.split_first_chunk::<4>()?;
        let (name, rest) = rest.split_at_checked(u32::from_ne_bytes(*name_len) as usize)?;
        let (value, rest) = rest.split_at_checked(u32::from_ne_bytes(*value_len) as usize)?;
        let name = std::str::from_utf8(name).ok()?;
        Some((Self { name, value }, rest))
    }

    /// Nothing is added that is longer than lengths can tell.
    fn append(name: &str, value: &[u8], to: &mut Vec<u8>) {
        let lens = (u32::try_from(name.len()), u32::try_from(value.len() + 1));
        if let (Ok(name_len), Ok(value_len)) = lens {
            to.reserve_exact(8 + name.len() + value.len() + 1);
            to.extend_from_slice(&name_len.to_ne_bytes());
            to.extend_from_slice(&value_len.to_ne_bytes());
            to.extend_from_slice(name.as_bytes());
            to.extend_from_slice(value);
            to.push(0);
        }
    }
}

impl Metadata {
    /// The property `Socket-Type`: the peer's socket type.
    pub(crate) const SOCKET_TYPE: &'static str = "Socket-Type";
    /// The property `Identity`: the routing id that the peer chose.
    pub(crate) const IDENTITY: &'static str = "Identity";
    /// The property `Peer-Address`: the address that the connection comes from.
    pub(crate) const PEER_ADDRESS: &'static str = "Peer-Address";
    /// The property `User-Id`: whom the ZAP handler or the authenticator took the peer for.
    pub(crate) const USER_ID: &'static str = "User-Id";

    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a property; the first value of a name stands.
    pub(crate) fn insert(&mut self, name: &str, value: &[u8]) {
        if self.get(name).is_none() {
            Property::append(name, value, &mut self.properties);
        }
    }

    /// The same, but of a connection with this descriptor.
    pub(crate) fn with_source_fd(&self, fd: RawFd) -> Self {
        Self {
            source_fd: Some(fd),
            ..self.clone()
        }
    }

    /// The descriptor of the connection, if it was accepted (`ZMQ_SRCFD`): for looking up what
    /// the system knows of it. It may be closed already, and its number used again.
    #[must_use]
    pub fn source_fd(&self) -> Option<RawFd> {
        self.source_fd
    }

    /// The value of a property. Names are compared without regard to case (RFC 23).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self.find(name)?.split_last()?;
        Some(value)
    }

    /// The value of a property as a C string, up to its first NUL.
    #[must_use]
    pub fn get_cstr(&self, name: &str) -> Option<&CStr> {
        CStr::from_bytes_until_nul(self.find(name)?).ok()
    }

    fn find(&self, name: &str) -> Option<&[u8]> {
        let mut all = self.properties();
        let found = all.find(|property| property.name.eq_ignore_ascii_case(name))?;
        Some(found.value)
    }

    fn properties(&self) -> impl Iterator<Item = Property<'_>> {
        let mut rest = &self.properties[..];
        std::iter::from_fn(move || {
            let (property, behind) = Property::parse(rest)?;
            rest = behind;
            Some(property)
        })
    }

    /// The routing id that the peer chose for itself; `None` if it chose none.
    #[must_use]
    pub fn identity(&self) -> Option<&[u8]> {
        self.get(Self::IDENTITY).filter(|id| !id.is_empty())
    }

    /// All properties, in the order the peer sent them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.properties().map(|Property { name, value }| {
            let value = value.split_last().map_or(&[][..], |(_, value)| value);
            (name, value)
        })
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self
            .iter()
            .map(|(name, value)| (name, value.escape_ascii().to_string()));
        f.debug_map().entries(shown).finish()
    }
}

#[cfg(test)]
mod tests;
