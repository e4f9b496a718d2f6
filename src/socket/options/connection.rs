//! Options of connecting and of connections, whatever their transport: reconnection, time limits,
//! heartbeats, and what the handshake tells.
//!
//! All of them take effect for endpoints bound or connected later.

use std::time::Duration;

use bytes::Bytes;

use super::{optional_time, time, time_above_zero};
use crate::error::{Error, Result};
use crate::options::ReconnectStop;
use crate::socket::Socket;

/// The longest time to live that fits into a PING, in tenths of a second.
const TTL_MAX: u128 = 65_535;

/// What the properties may take up in a handshake: half of what a peer must accept.
const METADATA_MAX: usize = 32 * 1024;
const PROPERTIES_MAX: usize = 128;
const PROPERTY_NAME_MAX: usize = 255;

plain_options! {
    /// Sets whether messages are queued only for peers that are connected (`ZMQ_IMMEDIATE`).
    /// Otherwise a connect makes a queue at once, which keeps its messages while the connection
    /// is lost. Default false. Takes effect for endpoints connected later; inproc is always
    /// immediate in fact.
    set_immediate, is_immediate: bool = immediate;

    /// Sets the wait before a lost or failed connection is tried again (`ZMQ_RECONNECT_IVL`), to
    /// which up to as much is added at random; `None` or zero: it is not. Default 100 ms. Takes
    /// effect for endpoints connected later.
    set_reconnect_ivl, get_reconnect_ivl: Option<Duration> = reconnect.interval, time_above_zero;

    /// Sets the longest wait between attempts to connect (`ZMQ_RECONNECT_IVL_MAX`), up to which
    /// it doubles each time; zero: it stays the same. Default zero. Takes effect for endpoints
    /// connected later.
    set_reconnect_ivl_max, get_reconnect_ivl_max: Duration = reconnect.max, time;

    /// Sets for what reasons an endpoint is given up instead of being tried again
    /// (`ZMQ_RECONNECT_STOP`). Default: none. Takes effect for endpoints connected later.
    set_reconnect_stop, get_reconnect_stop: ReconnectStop = reconnect.stop;

    /// Sets how long an attempt to connect may take until the system reports success
    /// (`ZMQ_CONNECT_TIMEOUT`); `None` or zero: as long as the system tries. Default `None`.
    /// Takes effect for endpoints connected later.
    set_connect_timeout, get_connect_timeout: Option<Duration> = connect_timeout, time_above_zero;

    /// Sets how long the handshake of a new connection may take (`ZMQ_HANDSHAKE_IVL`); `None` or
    /// zero: any time. Default 30 seconds. Takes effect for endpoints bound or connected later.
    set_handshake_ivl, get_handshake_ivl: Option<Duration> = handshake_interval, time_above_zero;

    /// Sets how often a PING is sent to each peer (`ZMQ_HEARTBEAT_IVL`); `None` or zero: never.
    /// Default `None`. Takes effect for endpoints bound or connected later.
    set_heartbeat_ivl, get_heartbeat_ivl: Option<Duration> = heartbeat.interval, time_above_zero;

    /// Sets for how long the peer should wait for us after a PING before it gives us up
    /// (`ZMQ_HEARTBEAT_TTL`): 0 to 6553.5 seconds, rounded down to tenths; zero: for ever.
    /// Default zero. Takes effect, with [`Socket::set_heartbeat_ivl`], for endpoints bound or
    /// connected later.
    set_heartbeat_ttl, get_heartbeat_ttl: Duration = heartbeat.ttl, ttl;

    /// Sets how long to wait for anything from the peer after a PING before the connection is
    /// closed (`ZMQ_HEARTBEAT_TIMEOUT`); `None`: as long as [`Socket::set_heartbeat_ivl`], zero:
    /// for ever. Default `None`. Takes effect for endpoints bound or connected later.
    set_heartbeat_timeout, get_heartbeat_timeout: Option<Duration> = heartbeat.timeout, optional_time;

    /// Sets the size of the largest frame that is accepted, in bytes (`ZMQ_MAXMSGSIZE`); a peer
    /// that sends a larger one is disconnected. `None`: any size. It does not limit how many frames
    /// a message has, see [`Socket::set_max_multipart_size`]. Default as in
    /// [`Ctx::set_max_msg_size`](crate::Ctx::set_max_msg_size). Takes effect for endpoints bound
    /// or connected later.
    set_maxmsgsize, get_maxmsgsize: Option<u64> = max_msg_size;

    /// Sets how large the frames of one message may be together, in bytes; a peer that goes beyond
    /// is disconnected. A message is received when its last frame has come, so that one without an
    /// end takes memory until then. Each frame counts with its head of 2 bytes, or 9 if it has more
    /// than 255. `None`: any size. Default `None`; libzmq has no such limit. Takes effect for
    /// endpoints bound or connected later.
    set_max_multipart_size, get_max_multipart_size: Option<u64> = max_multipart_size;
}

fn ttl(ttl: Duration) -> Result<Duration> {
    let tenths = ttl.as_millis() / 100;
    if tenths > TTL_MAX {
        return Err(Error::InvalidArgument(
            "a time to live is at most 6553.5 seconds",
        ));
    }
    Ok(Duration::from_millis(100) * u32::try_from(tenths).unwrap_or(u32::MAX))
}

impl Socket {
    /// Sets whether a connection is tried again after the peer broke the protocol, or a limit set
    /// here. Without it, the endpoint is given up, silently but for a
    /// [`ConnectStopped`](crate::EventKind::ConnectStopped) event, as libzmq does. Default true.
    /// Takes effect for endpoints connected later.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn set_reconnect_on_protocol_error(&self, reconnect: bool) -> Result<()> {
        self.processed()?.options.reconnect.stop_on_protocol_error = !reconnect;
        Ok(())
    }

    /// The value of [`Socket::set_reconnect_on_protocol_error`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn is_reconnect_on_protocol_error(&self) -> Result<bool> {
        Ok(!self.processed()?.options.reconnect.stop_on_protocol_error)
    }

    /// Adds a property to what peers are told in the handshake (`ZMQ_METADATA`); they find it in
    /// the metadata of our messages, [`Msg::gets`](crate::Msg::gets). The name starts with `X-`,
    /// has at most 255 letters, digits and `-_.+`, and does not depend on case; the first value of
    /// a name stands. All of them together take at most 32 KiB. None by default. Takes effect for
    /// endpoints bound or connected later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another name, or if there are too many; [`Error::Term`].
    pub fn set_metadata_property(&self, name: &str, value: impl Into<Bytes>) -> Result<()> {
        let mut base = self.processed()?;
        check_property_name(name)?;
        let properties = &mut base.options.metadata;
        if properties
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            return Ok(());
        }
        let value = value.into();
        let size = |name: &str, value: &[u8]| 1 + name.len() + 4 + value.len();
        let taken: usize = properties
            .iter()
            .map(|(name, value)| size(name, value))
            .sum();
        if properties.len() == PROPERTIES_MAX || taken + size(name, &value) > METADATA_MAX {
            return Err(Error::InvalidArgument(
                "the properties do not fit into a handshake",
            ));
        }
        properties.push((name.to_owned(), value));
        Ok(())
    }
}

fn check_property_name(name: &str) -> Result<()> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    if !name.starts_with("X-") || name.len() > PROPERTY_NAME_MAX || !name.bytes().all(is_allowed) {
        return Err(Error::InvalidArgument(
            "a property's name starts with X- and has at most 255 letters, digits and -_.+",
        ));
    }
    Ok(())
}
