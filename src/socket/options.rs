//! The socket options: setters and getters of [`Socket`], each documented with its unit, default,
//! range, and when it takes effect.
//!
//! Names are those of the `zmq` crate. An option is checked here and stored in
//! [`Options`](crate::options::Options) or handed to the pattern; what it does is done elsewhere.
//! Nothing here waits.

use std::cell::RefMut;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::options::SocketType;
use crate::socket::Socket;
use crate::socket_base::SocketBase;

/// Setters and getters of options that are a field of the same type.
macro_rules! plain_options {
    ($(
        $(#[$doc:meta])*
        $set:ident, $get:ident: $type:ty = $($field:ident).+ $(, $check:path)?;
    )*) => {
        impl Socket {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// [`Error::InvalidArgument`] for a value out of range (for a time: of more than
            /// `i32::MAX` milliseconds), [`Error::Term`].
            pub fn $set(&self, value: $type) -> Result<()> {
                let mut base = self.processed()?;
                $(let value = $check(value)?;)?
                base.options.$($field).+ = value;
                Ok(())
            }

            #[doc = concat!("The value of [`Socket::", stringify!($set), "`].")]
            ///
            /// # Errors
            /// [`Error::Term`].
            pub fn $get(&self) -> Result<$type> {
                Ok(self.processed()?.options.$($field).+)
            }
        )*}
    };
}

mod automatic;
mod connection;
mod pattern;
mod security;
mod system;

/// The longest time an option takes, which is libzmq's: 24 days.
const TIME_MAX: Duration = Duration::from_millis(i32::MAX as u64);

/// The longest routing id.
const ROUTING_ID_MAX: usize = 255;

fn time(limit: Duration) -> Result<Duration> {
    if limit > TIME_MAX {
        return Err(Error::InvalidArgument(
            "a time is at most 2147483647 milliseconds",
        ));
    }
    Ok(limit)
}

/// A time, or none; zero is a time.
fn optional_time(limit: Option<Duration>) -> Result<Option<Duration>> {
    limit.map(time).transpose()
}

/// A time, or none; zero is none too.
fn time_above_zero(limit: Option<Duration>) -> Result<Option<Duration>> {
    optional_time(limit.filter(|limit| !limit.is_zero()))
}

fn routing_id(id: &[u8]) -> Result<Bytes> {
    if id.is_empty() || id.len() > ROUTING_ID_MAX || id[0] == 0 {
        return Err(Error::InvalidArgument(
            "a routing id has 1 to 255 bytes and does not start with a zero byte",
        ));
    }
    Ok(Bytes::copy_from_slice(id))
}

plain_options! {
    /// Sets how long a call that sends waits for room (`ZMQ_SNDTIMEO`); `None` is for ever, zero
    /// not at all. Default `None`. Takes effect at once. Async calls heed only zero.
    set_sndtimeo, get_sndtimeo: Option<Duration> = send_timeout, optional_time;

    /// Sets how long a call that receives waits for a message (`ZMQ_RCVTIMEO`); `None` is for
    /// ever, zero not at all. Default `None`. Takes effect at once. Async calls heed only zero.
    set_rcvtimeo, get_rcvtimeo: Option<Duration> = recv_timeout, optional_time;

    /// Sets which I/O threads serve the socket (`ZMQ_AFFINITY`): bit n stands for thread n; 0 is
    /// all, and the least loaded is taken. Default 0. Takes effect for endpoints bound or
    /// connected later; these fail with [`Error::NoIoThread`] if no such thread exists.
    set_affinity, get_affinity: u64 = affinity;
}

impl Socket {
    /// The base, after it has reacted to what came.
    fn processed(&self) -> Result<RefMut<'_, SocketBase>> {
        let mut base = self.base();
        base.process()?;
        Ok(base)
    }

    // ── queues ───────────────────────────────────────────────────────────────────────────────

    /// Sets how many messages per peer may wait to be sent (`ZMQ_SNDHWM`); 0 is no limit. Over
    /// inproc the receiver's [`Socket::set_rcvhwm`] is added. Default 1000. Takes effect at once.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn set_sndhwm(&self, messages: u32) -> Result<()> {
        let mut base = self.processed()?;
        base.options.send_hwm = messages;
        base.apply_hwm();
        Ok(())
    }

    /// The value of [`Socket::set_sndhwm`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_sndhwm(&self) -> Result<u32> {
        Ok(self.processed()?.options.send_hwm)
    }

    /// Sets how many received messages per peer may wait to be read (`ZMQ_RCVHWM`); 0 is no limit.
    /// Beyond it nothing more is taken from the connection. Default 1000. Takes effect at once.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn set_rcvhwm(&self, messages: u32) -> Result<()> {
        let mut base = self.processed()?;
        base.options.recv_hwm = messages;
        base.apply_hwm();
        Ok(())
    }

    /// The value of [`Socket::set_rcvhwm`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_rcvhwm(&self) -> Result<u32> {
        Ok(self.processed()?.options.recv_hwm)
    }

    /// Keeps only the latest message per peer and direction (`ZMQ_CONFLATE`); the high-water marks
    /// do not count then. PUSH, PULL, DEALER, PUB and SUB only. Default false. Takes effect for
    /// endpoints bound or connected later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another socket type, [`Error::Term`].
    pub fn set_conflate(&self, conflate: bool) -> Result<()> {
        use SocketType::{DEALER, PUB, PULL, PUSH, SUB};
        let mut base = self.processed()?;
        if !matches!(base.socket_type(), PUSH | PULL | DEALER | PUB | SUB) {
            return Err(Error::InvalidArgument(
                "only PUSH, PULL, DEALER, PUB and SUB can conflate",
            ));
        }
        base.options.conflate = conflate;
        Ok(())
    }

    /// The value of [`Socket::set_conflate`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn is_conflate(&self) -> Result<bool> {
        Ok(self.processed()?.options.conflate)
    }

    /// Sets how long messages that were sent may still be delivered once their endpoint is
    /// disconnected or the socket closed (`ZMQ_LINGER`); `None` is for ever, zero drops them. Over
    /// tcp they are delivered when the peer's system has room for all of them.
    /// Default 30 seconds; zero for SUB, XSUB and DISH, and without [`Ctx::set_blocky`]. Takes effect at
    /// once: what counts is the value at the time of the close.
    ///
    /// [`Ctx::set_blocky`]: crate::Ctx::set_blocky
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for more than `i32::MAX` milliseconds, [`Error::Term`].
    pub fn set_linger(&self, limit: Option<Duration>) -> Result<()> {
        let base = self.processed()?;
        base.options.linger.set(optional_time(limit)?);
        Ok(())
    }

    /// The value of [`Socket::set_linger`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_linger(&self) -> Result<Option<Duration>> {
        Ok(self.processed()?.options.linger.get())
    }

    // ── names ────────────────────────────────────────────────────────────────────────────────

    /// Sets the routing id by which ROUTER peers know this socket (`ZMQ_ROUTING_ID`): 1 to 255
    /// bytes, the first not zero. Empty by default: each ROUTER makes one up. Takes effect for
    /// endpoints bound or connected later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another length, a first byte of zero, or a STREAM, which
    /// has nobody to tell; [`Error::Term`].
    pub fn set_identity(&self, id: &[u8]) -> Result<()> {
        let mut base = self.processed()?;
        if base.socket_type() == SocketType::STREAM {
            return Err(Error::InvalidArgument("a STREAM tells nobody a routing id"));
        }
        base.options.routing_id = routing_id(id)?;
        Ok(())
    }

    /// The value of [`Socket::set_identity`]; for STREAM the routing id of its latest connection,
    /// by which data is sent to it. Empty if there is none.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_identity(&self) -> Result<Bytes> {
        let base = self.processed()?;
        Ok(match base.socket_type() {
            SocketType::STREAM => base.last_routing_id().cloned().unwrap_or_default(),
            _ => base.options.routing_id.clone(),
        })
    }

    /// The newer name of [`Socket::set_identity`].
    ///
    /// # Errors
    /// As for [`Socket::set_identity`].
    pub fn set_routing_id(&self, id: &[u8]) -> Result<()> {
        self.set_identity(id)
    }

    /// The newer name of [`Socket::get_identity`].
    ///
    /// # Errors
    /// As for [`Socket::get_identity`].
    pub fn get_routing_id(&self) -> Result<Bytes> {
        self.get_identity()
    }

    // ── read only ────────────────────────────────────────────────────────────────────────────

    /// Whether the last frame received has others of its message behind it (`ZMQ_RCVMORE`).
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_rcvmore(&self) -> Result<bool> {
        Ok(self.processed()?.receives_more())
    }

    /// The socket's type (`ZMQ_TYPE`), as [`Socket::socket_type`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_socket_type(&self) -> Result<SocketType> {
        Ok(self.processed()?.socket_type())
    }

    /// Where the last bind or connect led to (`ZMQ_LAST_ENDPOINT`), as [`Socket::last_endpoint`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_last_endpoint(&self) -> Result<String> {
        Ok(self.processed()?.last_endpoint().to_owned())
    }
}
