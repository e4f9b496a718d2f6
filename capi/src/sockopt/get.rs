//! Getting socket options.

use std::ffi::c_int;
use std::time::Duration;

use ferrozmq::{Error, ReconnectStop, Socket};

use super::Found;
use super::number as n;
use crate::bell::Bell;
use crate::errno::Errno;
use crate::socket::Open;

/// An option's value, whatever it is.
pub(super) fn get(open: &mut Open, option: c_int) -> Result<Found, Errno> {
    match option {
        n::FD => return fd(open).map(Found::Int),
        n::EVENTS => return open.events().map(|events| Found::Int(events.into())),
        _ => {}
    }
    // So that a context that has ended is told of first.
    open.socket.get_rcvmore()?;
    if let Some(value) = told(open, option) {
        return Ok(Found::Int(value));
    }
    match number(&open.socket, option)? {
        Some(value) => Ok(Found::Int(value)),
        None => other(&open.socket, option),
    }
}

/// The descriptor that becomes readable when something comes for the socket.
fn fd(open: &mut Open) -> Result<c_int, Errno> {
    open.socket.get_rcvmore()?;
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
        n::MULTICAST_HOPS => told.multicast_hops,
        n::MULTICAST_MAXTPDU => told.multicast_maxtpdu,
        n::MULTICAST_LOOP => told.multicast_loop.into(),
        n::LOOPBACK_FASTPATH => told.loopback_fastpath.into(),
        n::CONFLATE => told.conflate.into(),
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
        n::RCVMORE => socket.get_rcvmore()?.into(),
        n::TYPE => socket.get_socket_type()?.number(),
        n::LINGER => millis_or_never(socket.get_linger()?),
        n::BACKLOG => int(socket.get_backlog()?),
        n::RECONNECT_IVL_MAX => millis(socket.get_reconnect_ivl_max()?),
        n::SNDHWM => int(socket.get_sndhwm()?),
        n::RCVHWM => int(socket.get_rcvhwm()?),
        n::RCVTIMEO => millis_or_never(socket.get_rcvtimeo()?),
        n::SNDTIMEO => millis_or_never(socket.get_sndtimeo()?),
        n::IPV4ONLY => (!socket.is_ipv6()?).into(),
        n::TCP_KEEPALIVE => socket.get_tcp_keepalive()?.map_or(-1, c_int::from),
        n::TCP_KEEPALIVE_CNT => socket.get_tcp_keepalive_cnt()?.map_or(-1, int),
        n::TCP_KEEPALIVE_IDLE => seconds_or_default(socket.get_tcp_keepalive_idle()?),
        n::TCP_KEEPALIVE_INTVL => seconds_or_default(socket.get_tcp_keepalive_intvl()?),
        n::IMMEDIATE => socket.is_immediate()?.into(),
        n::IPV6 => socket.is_ipv6()?.into(),
        n::MECHANISM => 0,
        n::TOS => int(socket.get_tos()?),
        n::HANDSHAKE_IVL => socket.get_handshake_ivl()?.map_or(0, millis),
        n::INVERT_MATCHING => socket.is_invert_matching()?.into(),
        n::HEARTBEAT_IVL => socket.get_heartbeat_ivl()?.map_or(0, millis),
        n::HEARTBEAT_TTL => millis(socket.get_heartbeat_ttl()?),
        n::HEARTBEAT_TIMEOUT => millis_or_never(socket.get_heartbeat_timeout()?),
        n::CONNECT_TIMEOUT => socket.get_connect_timeout()?.map_or(0, millis),
        n::TCP_MAXRT => socket.get_tcp_maxrt()?.map_or(0, millis),
        n::THREAD_SAFE => 0,
        n::USE_FD => socket.get_use_fd()?.unwrap_or(-1),
        n::RECONNECT_STOP => reconnect_stop(socket.get_reconnect_stop()?),
        n::PRIORITY => int(socket.get_priority()?),
        _ => return Ok(None),
    }))
}

/// Options that are something else.
fn other(socket: &Socket, option: c_int) -> Result<Found, Errno> {
    Ok(match option {
        n::AFFINITY => Found::Long(socket.get_affinity()?),
        n::MAXMSGSIZE => {
            let size = socket.get_maxmsgsize()?;
            Found::Long(size.unwrap_or(u64::MAX))
        }
        n::ROUTING_ID => Found::Bytes(socket.get_routing_id()?.to_vec()),
        n::LAST_ENDPOINT => Found::text(&socket.get_last_endpoint()?),
        n::BINDTODEVICE => Found::text(&socket.get_bindtodevice()?.unwrap_or_default()),
        _ => return Err(Errno::INVALID),
    })
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
