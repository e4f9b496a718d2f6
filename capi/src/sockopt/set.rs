//! Setting socket options.

use std::ffi::c_int;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

use ferrozmq::{ReconnectStop, RouterNotify, Socket, SocketType};

use super::Value;
use super::number as n;
use crate::errno::Errno;
use crate::socket::Open;

/// Sets an option, whatever it is.
pub(super) fn set(open: &mut Open, option: c_int, value: Value<'_>) -> Result<(), Errno> {
    // So that a context that has ended is told of first.
    open.socket.get_rcvmore()?;
    if let Some(set) = set_told(open, option, value) {
        return set;
    }
    match option {
        n::PLAIN_SERVER..=n::CURVE_SERVERKEY | n::ZAP_DOMAIN | n::ZAP_ENFORCE_DOMAIN => {
            set_security(&open.socket, option, value)
        }
        n::TOS.. => set_later(&open.socket, option, value),
        _ => set_early(&open.socket, option, value),
    }
}

/// Options that are only told back.
fn set_told(open: &mut Open, option: c_int, value: Value<'_>) -> Option<Result<(), Errno>> {
    let told = &mut open.told;
    Some(match option {
        n::RATE => value.int_from(1).map(|rate| told.rate = rate),
        n::RECOVERY_IVL => value.int_from(0).map(|ivl| told.recovery_ivl = ivl),
        n::MULTICAST_MAXTPDU => value.int_from(1).map(|size| told.multicast_maxtpdu = size),
        n::LOOPBACK_FASTPATH => value.relaxed_bool().map(|on| told.loopback_fastpath = on),
        n::CONFLATE => value.strict_bool().and_then(|on| {
            use SocketType::{DEALER, PUB, PULL, PUSH, SUB};
            told.conflate = on;
            match open.socket.socket_type() {
                PUSH | PULL | DEALER | PUB | SUB => Ok(open.socket.set_conflate(on)?),
                _ => Ok(()),
            }
        }),
        n::INVERT_MATCHING => value.relaxed_bool().and_then(|on| {
            use SocketType::{PUB, SUB, XPUB};
            told.invert_matching = on;
            match open.socket.socket_type() {
                PUB | XPUB | SUB => Ok(open.socket.set_invert_matching(on)?),
                _ => Ok(()),
            }
        }),
        n::RECONNECT_IVL => value.int_from(-1).and_then(|ivl| {
            let time = u64::try_from(ivl).ok().filter(|ivl| *ivl > 0);
            if time.is_none() {
                told.no_reconnect = ivl;
            }
            Ok(open
                .socket
                .set_reconnect_ivl(time.map(Duration::from_millis))?)
        }),
        _ => return None,
    })
}

/// Options before `ZMQ_TOS`.
fn set_early(socket: &Socket, option: c_int, value: Value<'_>) -> Result<(), Errno> {
    match option {
        n::AFFINITY => socket.set_affinity(u64::from_ne_bytes(value.fixed()?))?,
        n::ROUTING_ID => socket.set_routing_id(value.bytes()?)?,
        n::SUBSCRIBE => socket.set_subscribe(value.0.unwrap_or_default())?,
        n::UNSUBSCRIBE => socket.set_unsubscribe(value.0.unwrap_or_default())?,
        n::SNDBUF => socket.set_sndbuf(value.natural_or_default()?.map(|size| size as usize))?,
        n::RCVBUF => socket.set_rcvbuf(value.natural_or_default()?.map(|size| size as usize))?,
        n::LINGER => socket.set_linger(value.time_or_never()?)?,
        n::BACKLOG => socket.set_backlog(value.natural()?)?,
        n::RECONNECT_IVL_MAX => socket.set_reconnect_ivl_max(value.time()?)?,
        n::MAXMSGSIZE => {
            let size = i64::from_ne_bytes(value.fixed()?);
            socket.set_maxmsgsize(u64::try_from(size).ok())?;
        }
        n::SNDHWM => socket.set_sndhwm(value.natural()?)?,
        n::RCVHWM => socket.set_rcvhwm(value.natural()?)?,
        n::MULTICAST_HOPS => socket.set_multicast_hops(value.natural()?)?,
        n::RCVTIMEO => socket.set_rcvtimeo(value.time_or_never()?)?,
        n::SNDTIMEO => socket.set_sndtimeo(value.time_or_never()?)?,
        n::IPV4ONLY => socket.set_ipv6(!value.strict_bool()?)?,
        n::ROUTER_MANDATORY => socket.set_router_mandatory(value.natural_bool()?)?,
        n::TCP_KEEPALIVE => {
            let on = value.natural_or_default()?;
            if on.is_some_and(|on| on > 1) {
                return Err(Errno::INVALID);
            }
            socket.set_tcp_keepalive(on.map(|on| on == 1))?;
        }
        n::TCP_KEEPALIVE_CNT => socket.set_tcp_keepalive_cnt(value.natural_or_default()?)?,
        n::TCP_KEEPALIVE_IDLE => socket.set_tcp_keepalive_idle(seconds(value)?)?,
        n::TCP_KEEPALIVE_INTVL => socket.set_tcp_keepalive_intvl(seconds(value)?)?,
        n::TCP_ACCEPT_FILTER => match value.or_null()? {
            Some(subnet) => socket.add_accept_filter(subnet.text()?)?,
            None => socket.clear_accept_filters()?,
        },
        n::IMMEDIATE => socket.set_immediate(value.strict_bool()?)?,
        n::XPUB_VERBOSE => socket.set_xpub_verbose(value.natural_bool()?)?,
        n::ROUTER_RAW => socket.set_router_raw(value.natural_bool()?)?,
        n::IPV6 => socket.set_ipv6(value.strict_bool()?)?,
        n::PROBE_ROUTER => socket.set_probe_router(value.natural_bool()?)?,
        n::REQ_CORRELATE => socket.set_req_correlate(value.natural_bool()?)?,
        n::REQ_RELAXED => socket.set_req_relaxed(value.natural_bool()?)?,
        n::ROUTER_HANDOVER => socket.set_router_handover(value.natural_bool()?)?,
        _ => return Err(Errno::INVALID),
    }
    Ok(())
}

/// Options from `ZMQ_TOS` on.
fn set_later(socket: &Socket, option: c_int, value: Value<'_>) -> Result<(), Errno> {
    match option {
        n::TOS => socket.set_tos(value.natural()?)?,
        n::IPC_FILTER_PID | n::IPC_FILTER_UID | n::IPC_FILTER_GID => {
            set_ipc_filter(socket, option, value)?;
        }
        n::CONNECT_ROUTING_ID => socket.set_connect_routing_id(value.bytes()?)?,
        n::HANDSHAKE_IVL => socket.set_handshake_ivl(Some(value.time()?))?,
        n::XPUB_NODROP => socket.set_xpub_nodrop(value.natural_bool()?)?,
        n::XPUB_MANUAL => socket.set_xpub_manual(value.natural_bool()?)?,
        n::XPUB_WELCOME_MSG => socket.set_xpub_welcome_msg(value.0.unwrap_or_default())?,
        n::STREAM_NOTIFY => socket.set_stream_notify(value.strict_bool()?)?,
        n::HEARTBEAT_IVL => socket.set_heartbeat_ivl(Some(value.time()?))?,
        n::HEARTBEAT_TTL => socket.set_heartbeat_ttl(value.time()?)?,
        n::HEARTBEAT_TIMEOUT => socket.set_heartbeat_timeout(Some(value.time()?))?,
        n::XPUB_VERBOSER => socket.set_xpub_verboser(value.natural_bool()?)?,
        n::CONNECT_TIMEOUT => socket.set_connect_timeout(Some(value.time()?))?,
        n::TCP_MAXRT => socket.set_tcp_maxrt(Some(value.time()?))?,
        n::USE_FD => {
            let fd = value.int_from(-1)?;
            // SAFETY: whoever sets it gives it away.
            let fd = (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) });
            socket.set_use_fd(fd)?;
        }
        n::BINDTODEVICE => {
            let device = value.or_null()?.map(Value::text).transpose()?;
            socket.set_bindtodevice(device)?;
        }
        n::METADATA => set_metadata(socket, value)?,
        n::MULTICAST_LOOP => socket.set_multicast_loop(value.relaxed_bool()?)?,
        n::ROUTER_NOTIFY => socket.set_router_notify(router_notify(value.int()?)?)?,
        n::XPUB_MANUAL_LAST_VALUE => socket.set_xpub_manual_last_value(value.natural_bool()?)?,
        n::SOCKS_PROXY => {
            // An empty name is not the same as none.
            let proxy = value.0.map(|_| value.text()).transpose()?;
            socket.set_socks_proxy(proxy)?;
        }
        n::SOCKS_USERNAME => socket.set_socks_username(value.text_or_none()?.unwrap_or(""))?,
        n::SOCKS_PASSWORD => socket.set_socks_password(value.text_or_none()?.unwrap_or(""))?,
        n::IN_BATCH_SIZE => socket.set_in_batch_size(Some(value.int_from(1)? as usize))?,
        n::OUT_BATCH_SIZE => socket.set_out_batch_size(Some(value.int_from(1)? as usize))?,
        n::ONLY_FIRST_SUBSCRIBE | n::XSUB_VERBOSE_UNSUBSCRIBE
            if socket.socket_type() == SocketType::SUB =>
        {
            return Err(Errno::INVALID);
        }
        n::ONLY_FIRST_SUBSCRIBE => socket.set_only_first_subscribe(value.natural_bool()?)?,
        n::RECONNECT_STOP => socket.set_reconnect_stop(reconnect_stop(value.int()?)?)?,
        n::HELLO_MSG => socket.set_hello_msg(value.0.unwrap_or_default())?,
        n::DISCONNECT_MSG => socket.set_disconnect_msg(value.0.unwrap_or_default())?,
        n::HICCUP_MSG => socket.set_hiccup_msg(value.0.unwrap_or_default())?,
        n::BUSY_POLL => socket.set_busy_poll(value.natural()?)?,
        n::PRIORITY => socket.set_priority(value.natural()?)?,
        n::XSUB_VERBOSE_UNSUBSCRIBE => {
            socket.set_xsub_verbose_unsubscribe(value.natural_bool()?)?;
        }
        _ => return Err(Errno::INVALID),
    }
    Ok(())
}

/// Options of security. The last that is set decides the mechanism.
fn set_security(socket: &Socket, option: c_int, value: Value<'_>) -> Result<(), Errno> {
    match option {
        n::PLAIN_SERVER => socket.set_plain_server(value.strict_bool()?)?,
        n::PLAIN_USERNAME => socket.set_plain_username(login(value)?)?,
        n::PLAIN_PASSWORD => socket.set_plain_password(login(value)?)?,
        n::CURVE_SERVER => socket.set_curve_server(value.strict_bool()?)?,
        n::CURVE_PUBLICKEY => socket.set_curve_publickey(value.bytes()?)?,
        n::CURVE_SECRETKEY => socket.set_curve_secretkey(value.bytes()?)?,
        n::CURVE_SERVERKEY => socket.set_curve_serverkey(value.bytes()?)?,
        n::ZAP_DOMAIN => socket.set_zap_domain(value.whole_text()?)?,
        n::ZAP_ENFORCE_DOMAIN => socket.set_zap_enforce_domain(value.relaxed_bool()?)?,
        _ => return Err(Errno::INVALID),
    }
    Ok(())
}

/// A name or a password, a NUL at its end included; or none any more.
fn login(value: Value<'_>) -> Result<Option<&str>, Errno> {
    value.or_null()?.map(Value::whole_text).transpose()
}

fn router_notify(bits: c_int) -> Result<RouterNotify, Errno> {
    if bits & !3 != 0 {
        return Err(Errno::INVALID);
    }
    let mut notify = RouterNotify::default();
    notify.connect = bits & 1 != 0;
    notify.disconnect = bits & 2 != 0;
    Ok(notify)
}

fn seconds(value: Value<'_>) -> Result<Option<Duration>, Errno> {
    let seconds = value.natural_or_default()?;
    Ok(seconds.map(|seconds| Duration::from_secs(seconds.into())))
}

fn set_ipc_filter(socket: &Socket, option: c_int, value: Value<'_>) -> Result<(), Errno> {
    let Some(value) = value.or_null()? else {
        return Ok(socket.clear_ipc_filters()?);
    };
    let id = value.int()?;
    match option {
        n::IPC_FILTER_PID => socket.add_ipc_filter_pid(id)?,
        n::IPC_FILTER_UID => socket.add_ipc_filter_uid(id as u32)?,
        _ => socket.add_ipc_filter_gid(id as u32)?,
    }
    Ok(())
}

/// `X-name:value`.
fn set_metadata(socket: &Socket, value: Value<'_>) -> Result<(), Errno> {
    let text = value.text()?;
    let (name, value) = text.split_once(':').ok_or(Errno::INVALID)?;
    if value.is_empty() || name.len() <= "X-".len() {
        return Err(Errno::INVALID);
    }
    Ok(socket.set_metadata_property(name, value.to_owned())?)
}

fn reconnect_stop(bits: c_int) -> Result<ReconnectStop, Errno> {
    if bits & !7 != 0 {
        return Err(Errno::INVALID);
    }
    let mut stop = ReconnectStop::default();
    stop.conn_refused = bits & 1 != 0;
    stop.handshake_failed = bits & 2 != 0;
    stop.after_disconnect = bits & 4 != 0;
    Ok(stop)
}
