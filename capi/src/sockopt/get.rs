//! Getting socket options.

use std::ffi::c_int;
use std::time::Duration;

use ferrozmq::{Error, Mechanism, ReconnectStop, RouterNotify, Socket, z85_encode};

use super::Found;
use super::number as n;
use crate::bell::Bell;
use crate::errno::Errno;
use crate::socket::{Open, is_thread_safe};

/// A key's bytes; and its text, with a NUL.
const KEY_LEN: usize = 32;
const KEY_TEXT_LEN: usize = 41;

/// An option's value, whatever it is.
/// There is room for so many bytes.
pub(super) fn get(open: &mut Open, option: c_int, room: usize) -> Result<Found, Errno> {
    match option {
        n::FD => return fd(open).map(Found::LooseInt),
        n::EVENTS => return open.events().map(|events| Found::LooseInt(events.into())),
        _ => {}
    }
    // So that a context that has ended is told of first.
    let more = open.socket.get_rcvmore()?;
    match option {
        n::RCVMORE => return Ok(Found::LooseInt(more.into())),
        n::THREAD_SAFE => {
            let is_safe = is_thread_safe(open.socket.socket_type());
            return Ok(Found::LooseInt(is_safe.into()));
        }
        n::TOPICS_COUNT => {
            let count = size_or_default(Some(open.socket.get_topics_count()?));
            return Ok(Found::LooseInt(count));
        }
        _ => {}
    }
    if let Some(value) = told(open, option) {
        return Ok(Found::Int(value));
    }
    match number(&open.socket, option)? {
        Some(value) => Ok(Found::Int(value)),
        None => other(&open.socket, option, room),
    }
}

/// The descriptor that becomes readable when something comes for the socket.
fn fd(open: &mut Open) -> Result<c_int, Errno> {
    open.socket.get_rcvmore()?;
    if is_thread_safe(open.socket.socket_type()) {
        return Err(Errno::INVALID);
    }
    if let Some(fd) = &open.fd {
        return Ok(fd.raw_fd());
    }
    let bell = Bell::new()?;
    open.listeners.add(&bell);
    // What came before it is news to it too.
    bell.ring();
    let fd = bell.raw_fd();
    open.fd = Some(bell);
    Ok(fd)
}

/// Options that are only told back.
fn told(open: &Open, option: c_int) -> Option<c_int> {
    let told = &open.told;
    Some(match option {
        n::RATE => told.rate,
        n::RECOVERY_IVL => told.recovery_ivl,
        n::MULTICAST_MAXTPDU => told.multicast_maxtpdu,
        n::LOOPBACK_FASTPATH => told.loopback_fastpath.into(),
        n::CONFLATE => told.conflate.into(),
        n::INVERT_MATCHING => told.invert_matching.into(),
        n::RECONNECT_IVL => match open.socket.get_reconnect_ivl() {
            Ok(Some(interval)) => millis(interval),
            Ok(None) | Err(_) => told.no_reconnect,
        },
        _ => return None,
    })
}

/// Options that are an int.
fn number(socket: &Socket, option: c_int) -> Result<Option<c_int>, Error> {
    Ok(Some(match option {
        n::SNDBUF => size_or_default(socket.get_sndbuf()?),
        n::RCVBUF => size_or_default(socket.get_rcvbuf()?),
        n::TYPE => socket.get_socket_type()?.number(),
        n::LINGER => millis_or_never(socket.get_linger()?),
        n::BACKLOG => int(socket.get_backlog()?),
        n::RECONNECT_IVL_MAX => millis(socket.get_reconnect_ivl_max()?),
        n::SNDHWM => int(socket.get_sndhwm()?),
        n::RCVHWM => int(socket.get_rcvhwm()?),
        n::MULTICAST_HOPS => int(socket.get_multicast_hops()?),
        n::RCVTIMEO => millis_or_never(socket.get_rcvtimeo()?),
        n::SNDTIMEO => millis_or_never(socket.get_sndtimeo()?),
        n::IPV4ONLY => (!socket.is_ipv6()?).into(),
        n::TCP_KEEPALIVE => socket.get_tcp_keepalive()?.map_or(-1, c_int::from),
        n::TCP_KEEPALIVE_CNT => socket.get_tcp_keepalive_cnt()?.map_or(-1, int),
        n::TCP_KEEPALIVE_IDLE => seconds_or_default(socket.get_tcp_keepalive_idle()?),
        n::TCP_KEEPALIVE_INTVL => seconds_or_default(socket.get_tcp_keepalive_intvl()?),
        n::IMMEDIATE => socket.is_immediate()?.into(),
        n::IPV6 => socket.is_ipv6()?.into(),
        n::MECHANISM => mechanism(socket.get_mechanism()?),
        n::PLAIN_SERVER => socket.is_plain_server()?.into(),
        n::CURVE_SERVER => socket.is_curve_server()?.into(),
        n::ZAP_ENFORCE_DOMAIN => socket.is_zap_enforce_domain()?.into(),
        n::MULTICAST_LOOP => socket.is_multicast_loop()?.into(),
        n::ROUTER_NOTIFY => router_notify(socket.get_router_notify()?),
        n::BUSY_POLL => int(socket.get_busy_poll()?),
        n::TOS => int(socket.get_tos()?),
        n::HANDSHAKE_IVL => socket.get_handshake_ivl()?.map_or(0, millis),
        n::HEARTBEAT_IVL => socket.get_heartbeat_ivl()?.map_or(0, millis),
        n::HEARTBEAT_TTL => millis(socket.get_heartbeat_ttl()?),
        n::HEARTBEAT_TIMEOUT => millis_or_never(socket.get_heartbeat_timeout()?),
        n::CONNECT_TIMEOUT => socket.get_connect_timeout()?.map_or(0, millis),
        n::TCP_MAXRT => socket.get_tcp_maxrt()?.map_or(0, millis),
        n::IN_BATCH_SIZE => batch_size(socket.get_in_batch_size()?),
        n::OUT_BATCH_SIZE => batch_size(socket.get_out_batch_size()?),
        n::USE_FD => socket.get_use_fd()?.unwrap_or(-1),
        n::RECONNECT_STOP => reconnect_stop(socket.get_reconnect_stop()?),
        n::PRIORITY => int(socket.get_priority()?),
        _ => return Ok(None),
    }))
}

/// Options that are something else.
fn other(socket: &Socket, option: c_int, room: usize) -> Result<Found, Errno> {
    Ok(match option {
        n::AFFINITY => Found::Long(socket.get_affinity()?),
        n::MAXMSGSIZE => {
            let size = socket.get_maxmsgsize()?;
            Found::Long(size.unwrap_or(u64::MAX))
        }
        n::ROUTING_ID => Found::Bytes(socket.get_routing_id()?.to_vec()),
        n::LAST_ENDPOINT => Found::text(&socket.get_last_endpoint()?),
        n::PLAIN_USERNAME => Found::text(&socket.get_plain_username()?),
        n::PLAIN_PASSWORD => Found::text(&socket.get_plain_password()?),
        n::CURVE_PUBLICKEY => key(socket.get_curve_publickey()?.as_bytes(), room)?,
        n::CURVE_SECRETKEY => key(socket.get_curve_secretkey()?.as_bytes(), room)?,
        n::CURVE_SERVERKEY => key(socket.get_curve_serverkey()?.as_bytes(), room)?,
        n::ZAP_DOMAIN => Found::text(&socket.get_zap_domain()?),
        n::SOCKS_PROXY => Found::text(&socket.get_socks_proxy()?.unwrap_or_default()),
        n::SOCKS_USERNAME => Found::text(&socket.get_socks_username()?),
        n::SOCKS_PASSWORD => Found::text(&socket.get_socks_password()?),
        n::BINDTODEVICE => Found::text(&socket.get_bindtodevice()?.unwrap_or_default()),
        _ => return Err(Errno::INVALID),
    })
}

/// A key as bytes, or as a text, by the room there is.
fn key(key: &[u8], room: usize) -> Result<Found, Errno> {
    match room {
        KEY_LEN => Ok(Found::Bytes(key.to_vec())),
        KEY_TEXT_LEN => Ok(Found::text(&z85_encode(key)?)),
        _ => Err(Errno::INVALID),
    }
}

/// What was set, or what libzmq would have.
fn batch_size(size: Option<usize>) -> c_int {
    size_or_default(Some(size.unwrap_or(8192)))
}

fn int(value: u32) -> c_int {
    c_int::try_from(value).unwrap_or(c_int::MAX)
}

fn millis(time: Duration) -> c_int {
    c_int::try_from(time.as_millis()).unwrap_or(c_int::MAX)
}

fn millis_or_never(time: Option<Duration>) -> c_int {
    time.map_or(-1, millis)
}

fn seconds_or_default(time: Option<Duration>) -> c_int {
    time.map_or(-1, |time| {
        c_int::try_from(time.as_secs()).unwrap_or(c_int::MAX)
    })
}

fn size_or_default(size: Option<usize>) -> c_int {
    size.map_or(-1, |size| c_int::try_from(size).unwrap_or(c_int::MAX))
}

fn mechanism(mechanism: Mechanism) -> c_int {
    match mechanism {
        Mechanism::Plain => 1,
        Mechanism::Curve => 2,
        _ => 0,
    }
}

fn router_notify(notify: RouterNotify) -> c_int {
    c_int::from(notify.connect) | c_int::from(notify.disconnect) << 1
}

fn reconnect_stop(stop: ReconnectStop) -> c_int {
    let bits = [
        (stop.conn_refused, 1),
        (stop.handshake_failed, 2),
        (stop.after_disconnect, 4),
    ];
    bits.into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, bit)| bit)
        .sum()
}
