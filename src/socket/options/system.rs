//! Options of the system's sockets under tcp and ipc, and filters of who may connect.
//!
//! All of them take effect for endpoints bound or connected later. What the system does not grant
//! fails the bind, or each attempt to connect.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use super::time_above_zero;
use crate::endpoint::TcpAddress;
use crate::error::{Error, Result};
use crate::socket::Socket;

/// What fits into the `int` that the system takes.
const INT_MAX: u32 = i32::MAX as u32;

/// Linux's limits of keep-alive probes.
const KEEPALIVE_COUNT_MAX: u32 = 127;
const KEEPALIVE_SECONDS_MAX: u64 = 32_767;

/// The longest name or password for a proxy.
const LOGIN_MAX: usize = 255;

/// The port of SOCKS proxies that do not say theirs.
const SOCKS_PORT: u16 = 1080;

/// The longest name of a network device.
const DEVICE_NAME_MAX: usize = 15;

plain_options! {
    /// Sets the size of the system's send buffer in bytes (`ZMQ_SNDBUF`), at most `i32::MAX`;
    /// `None`: the system's default. Default `None`. Takes effect for endpoints bound or
    /// connected later.
    set_sndbuf, get_sndbuf: Option<usize> = send_buffer, buffer_size;

    /// Sets the size of the system's receive buffer in bytes (`ZMQ_RCVBUF`), at most `i32::MAX`;
    /// `None`: the system's default. Default `None`. Takes effect for endpoints bound or
    /// connected later.
    set_rcvbuf, get_rcvbuf: Option<usize> = recv_buffer, buffer_size;

    /// Sets how many bytes are read from a connection at once (`ZMQ_IN_BATCH_SIZE`), 1 to `i32::MAX`;
    /// the rest of a large body is read to where it is to be, whatever its size. A STREAM socket's
    /// frames are no longer than that. Less costs more system calls, and takes less time before
    /// other connections have their turn. `None`, the default: 256 KiB, which is the most. Takes
    /// effect for endpoints bound or connected later.
    set_in_batch_size, get_in_batch_size: Option<usize> = in_batch_size, batch_size;

    /// Sets how many bytes of messages are gathered to be written to a connection at once
    /// (`ZMQ_OUT_BATCH_SIZE`), 1 to `i32::MAX`; a message is begun as long as there are fewer. Less
    /// costs more system calls, and leaves more of what was sent in the socket's queue, where
    /// [`Socket::set_sndhwm`] counts it. `None`, the default: 256 KiB. Takes effect for endpoints
    /// bound or connected later.
    set_out_batch_size, get_out_batch_size: Option<usize> = out_batch_size, batch_size;

    /// Sets whether IPv6 addresses are used beside IPv4 (`ZMQ_IPV6`). A bind to `*` then takes
    /// both. Default as in [`Ctx::set_ipv6`](crate::Ctx::set_ipv6), which is false. Takes effect
    /// for endpoints bound or connected later.
    set_ipv6, is_ipv6: bool = tcp.ipv6;

    /// Sets whether the system probes idle tcp connections (`ZMQ_TCP_KEEPALIVE`); `None`: its
    /// default. Default `None`. Takes effect for endpoints bound or connected later.
    set_tcp_keepalive, get_tcp_keepalive: Option<bool> = tcp.keepalive;

    /// Sets after how many unanswered probes a connection is given up (`ZMQ_TCP_KEEPALIVE_CNT`),
    /// 1 to 127; `None`: the system's default. Default `None`. Takes effect, with
    /// [`Socket::set_tcp_keepalive`], for endpoints bound or connected later.
    set_tcp_keepalive_cnt, get_tcp_keepalive_cnt: Option<u32> = tcp.keepalive_count, probe_count;

    /// Sets after what time without traffic the first probe is sent (`ZMQ_TCP_KEEPALIVE_IDLE`), 1
    /// to 32767 seconds, the rest of a second not counting; `None`: the system's default. Default
    /// `None`. Takes effect, with [`Socket::set_tcp_keepalive`], for endpoints bound or connected
    /// later.
    set_tcp_keepalive_idle, get_tcp_keepalive_idle: Option<Duration> = tcp.keepalive_idle, probe_time;

    /// Sets the time between two probes (`ZMQ_TCP_KEEPALIVE_INTVL`), 1 to 32767 seconds, the rest
    /// of a second not counting; `None`: the system's default. Default `None`. Takes effect, with
    /// [`Socket::set_tcp_keepalive`], for endpoints bound or connected later.
    set_tcp_keepalive_intvl, get_tcp_keepalive_intvl: Option<Duration> = tcp.keepalive_interval, probe_time;

    /// Sets how long sent bytes may stay unacknowledged before the tcp connection is given up
    /// (`ZMQ_TCP_MAXRT`), in whole milliseconds; `None` or zero: the system's default. Default
    /// `None`. Linux only. Takes effect for endpoints bound or connected later.
    set_tcp_maxrt, get_tcp_maxrt: Option<Duration> = tcp.max_retransmit, time_above_zero;

    /// Sets the type of service of tcp packets (`ZMQ_TOS`), 0 to 255. Default 0. Takes effect for
    /// endpoints bound or connected later.
    set_tos, get_tos: u32 = tcp.tos, type_of_service;

    /// Sets the priority of tcp packets within this host (`ZMQ_PRIORITY`), at most `i32::MAX`;
    /// from 7 on it needs a privilege. Default 0. Linux only. Takes effect for endpoints bound or
    /// connected later.
    set_priority, get_priority: u32 = priority, priority;

    /// Sets for how many microseconds the system polls the network device before a wait for tcp
    /// packets sleeps (`ZMQ_BUSY_POLL`), at most `i32::MAX`; 0: as the system is configured. To
    /// raise it needs a privilege. Default 0. Linux only. Takes effect for endpoints bound or
    /// connected later.
    set_busy_poll, get_busy_poll: u32 = busy_poll, busy_poll;

    /// Sets how many hops a datagram to a multicast group may make (`ZMQ_MULTICAST_HOPS`), 1 to
    /// 255; 1 stays in this network. Default 1. Takes effect for `udp://` endpoints connected
    /// later.
    set_multicast_hops, get_multicast_hops: u32 = multicast.hops, hops;

    /// Sets whether datagrams to a multicast group are received on this host too
    /// (`ZMQ_MULTICAST_LOOP`). Default true. Takes effect for `udp://` endpoints connected later.
    set_multicast_loop, is_multicast_loop: bool = multicast.to_self;
}

fn batch_size(size: Option<usize>) -> Result<Option<usize>> {
    if size.is_some_and(|size| size == 0 || size > INT_MAX as usize) {
        return Err(Error::InvalidArgument("a batch has 1 to 2147483647 bytes"));
    }
    Ok(size)
}

fn buffer_size(size: Option<usize>) -> Result<Option<usize>> {
    if size.is_some_and(|size| size > INT_MAX as usize) {
        return Err(Error::InvalidArgument(
            "a system buffer has at most 2147483647 bytes",
        ));
    }
    Ok(size)
}

fn probe_count(count: Option<u32>) -> Result<Option<u32>> {
    if count.is_some_and(|count| !(1..=KEEPALIVE_COUNT_MAX).contains(&count)) {
        return Err(Error::InvalidArgument("1 to 127 probes can be sent"));
    }
    Ok(count)
}

fn probe_time(time: Option<Duration>) -> Result<Option<Duration>> {
    if time.is_some_and(|time| !(1..=KEEPALIVE_SECONDS_MAX).contains(&time.as_secs())) {
        return Err(Error::InvalidArgument(
            "probes are sent after 1 to 32767 seconds",
        ));
    }
    Ok(time.map(|time| Duration::from_secs(time.as_secs())))
}

fn type_of_service(tos: u32) -> Result<u32> {
    if tos > u32::from(u8::MAX) {
        return Err(Error::InvalidArgument("a type of service is 0 to 255"));
    }
    Ok(tos)
}

fn priority(priority: u32) -> Result<u32> {
    if priority > INT_MAX {
        return Err(Error::InvalidArgument("a priority is at most 2147483647"));
    }
    Ok(priority)
}

fn login(text: &str) -> Result<String> {
    if text.len() > LOGIN_MAX {
        return Err(Error::InvalidArgument(
            "names and passwords for a proxy have at most 255 bytes",
        ));
    }
    Ok(text.to_owned())
}

fn busy_poll(micros: u32) -> Result<u32> {
    if micros > INT_MAX {
        return Err(Error::InvalidArgument(
            "a device is polled for at most 2147483647 microseconds",
        ));
    }
    Ok(micros)
}

fn hops(hops: u32) -> Result<u32> {
    if !(1..=u32::from(u8::MAX)).contains(&hops) {
        return Err(Error::InvalidArgument("a datagram makes 1 to 255 hops"));
    }
    Ok(hops)
}

impl Socket {
    /// Sets how many connections may wait to be accepted (`ZMQ_BACKLOG`), at most `i32::MAX`; the
    /// system has a limit of its own. Default 100. Takes effect for endpoints bound later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] out of range, [`Error::Term`].
    pub fn set_backlog(&self, connections: u32) -> Result<()> {
        let mut base = self.processed()?;
        base.options.backlog = i32::try_from(connections)
            .map_err(|_| Error::InvalidArgument("a backlog is at most 2147483647"))?;
        Ok(())
    }

    /// The value of [`Socket::set_backlog`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_backlog(&self) -> Result<u32> {
        Ok(self.processed()?.options.backlog.unsigned_abs())
    }

    /// Binds tcp sockets to a network device of this name (`ZMQ_BINDTODEVICE`), 1 to 15 bytes
    /// without a NUL; `None`: to none. Default `None`. Linux only. Takes effect for endpoints
    /// bound or connected later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another length or a NUL, [`Error::Term`].
    pub fn set_bindtodevice(&self, name: Option<&str>) -> Result<()> {
        let mut base = self.processed()?;
        let fits = |name: &str| (1..=DEVICE_NAME_MAX).contains(&name.len()) && !name.contains('\0');
        if !name.is_none_or(fits) {
            return Err(Error::InvalidArgument("a device's name has 1 to 15 bytes"));
        }
        base.options.tcp.bind_to_device = name.map(str::to_owned);
        Ok(())
    }

    /// The value of [`Socket::set_bindtodevice`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_bindtodevice(&self) -> Result<Option<String>> {
        Ok(self.processed()?.options.tcp.bind_to_device.clone())
    }

    /// Gives the socket a descriptor that listens already, in place of the one that the next bind
    /// over tcp or ipc would open (`ZMQ_USE_FD`). The bind's address is not looked at, and the
    /// file of an ipc socket stays. Once only; `None` takes it back. Default `None`.
    ///
    /// # Errors
    /// [`Error::Term`]. A descriptor that does not listen, or is of the other transport, makes the
    /// bind fail with [`Error::InvalidArgument`].
    pub fn set_use_fd(&self, fd: Option<OwnedFd>) -> Result<()> {
        self.processed()?.options.use_fd = fd.map(Arc::new);
        Ok(())
    }

    /// The number of the descriptor that the next bind takes, see [`Socket::set_use_fd`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_use_fd(&self) -> Result<Option<RawFd>> {
        let base = self.processed()?;
        Ok(base.options.use_fd.as_ref().map(|fd| fd.as_raw_fd()))
    }

    /// Sets whether a bind to an ipc path removes whatever file is there, as libzmq does: a live
    /// listener's too, which then hears of no connection any more. Otherwise only the file of a
    /// listener that is gone is removed. Default false. Takes effect for endpoints bound later.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn set_ipc_takeover(&self, takeover: bool) -> Result<()> {
        self.processed()?.options.ipc_takeover = takeover;
        Ok(())
    }

    /// The value of [`Socket::set_ipc_takeover`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn is_ipc_takeover(&self) -> Result<bool> {
        Ok(self.processed()?.options.ipc_takeover)
    }

    /// Sets the mode of the file of an ipc listener, as `chmod` takes it: to connect, a peer must
    /// be allowed to write. It has that mode before anybody can connect. `None` leaves it to the
    /// umask. Default `None`. Takes effect for endpoints bound later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what is no mode, [`Error::Term`].
    pub fn set_ipc_mode(&self, mode: Option<u32>) -> Result<()> {
        if mode.is_some_and(|mode| mode > 0o7777) {
            return Err(Error::InvalidArgument("a mode has at most twelve bits"));
        }
        self.processed()?.options.ipc_mode = mode;
        Ok(())
    }

    /// The value of [`Socket::set_ipc_mode`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_ipc_mode(&self) -> Result<Option<u32>> {
        Ok(self.processed()?.options.ipc_mode)
    }

    // ── the proxy ────────────────────────────────────────────────────────────────────────────

    /// Connects over tcp through a SOCKS5 proxy, `host` or `host:port` (`ZMQ_SOCKS_PROXY`), which looks
    /// up the host to connect to; `None`: directly. The port of SOCKS is 1080. The address to connect
    /// to the proxy from can be given before a semicolon, `source:port;host:port`; without, it is the
    /// endpoint's. Default `None`. Takes effect for endpoints connected later. What the proxy takes of
    /// time belongs to [`Socket::set_handshake_ivl`].
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is no host, or the port is no port; [`Error::Term`].
    pub fn set_socks_proxy(&self, proxy: Option<&str>) -> Result<()> {
        let mut base = self.processed()?;
        let parse = |text: &str| {
            let proxy = TcpAddress::parse_connect_or(text, SOCKS_PORT);
            let proxy = proxy.map_err(Error::InvalidArgument)?;
            Ok::<_, Error>((proxy, text.to_owned()))
        };
        base.options.tcp.socks.proxy = proxy.map(parse).transpose()?;
        Ok(())
    }

    /// The value of [`Socket::set_socks_proxy`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_socks_proxy(&self) -> Result<Option<String>> {
        let base = self.processed()?;
        let proxy = base.options.tcp.socks.proxy.as_ref();
        Ok(proxy.map(|(_, text)| text.clone()))
    }

    /// Sets the name that the proxy is told if it asks (`ZMQ_SOCKS_USERNAME`), at most 255 bytes;
    /// empty, the default: none. Takes effect for endpoints connected later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is longer, [`Error::Term`].
    pub fn set_socks_username(&self, username: &str) -> Result<()> {
        self.processed()?.options.tcp.socks.username = login(username)?;
        Ok(())
    }

    /// The value of [`Socket::set_socks_username`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_socks_username(&self) -> Result<String> {
        Ok(self.processed()?.options.tcp.socks.username.clone())
    }

    /// Sets the password for [`Socket::set_socks_username`] (`ZMQ_SOCKS_PASSWORD`), at most 255
    /// bytes; empty by default. It travels in the clear. Takes effect for endpoints connected later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is longer, [`Error::Term`].
    pub fn set_socks_password(&self, password: &str) -> Result<()> {
        self.processed()?.options.tcp.socks.password = login(password)?;
        Ok(())
    }

    /// The value of [`Socket::set_socks_password`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_socks_password(&self) -> Result<String> {
        Ok(self.processed()?.options.tcp.socks.password.clone())
    }

    // ── filters ──────────────────────────────────────────────────────────────────────────────

    /// Lets peers connect over tcp from these addresses (`ZMQ_TCP_ACCEPT_FILTER`), an address or
    /// a range as `address/prefix`, beside those that earlier calls gave. While there are none,
    /// the default, everybody may. Takes effect for endpoints bound later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is neither, [`Error::Term`].
    pub fn add_accept_filter(&self, subnet: &str) -> Result<()> {
        let mut base = self.processed()?;
        let subnet = subnet
            .parse()
            .map_err(|()| Error::InvalidArgument("a filter is an address or address/prefix"))?;
        base.options.tcp.accept_filters.push(subnet);
        Ok(())
    }

    /// Forgets what [`Socket::add_accept_filter`] was called with, for endpoints bound later.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn clear_accept_filters(&self) -> Result<()> {
        self.processed()?.options.tcp.accept_filters.clear();
        Ok(())
    }

    /// Lets processes of this user connect over ipc (`ZMQ_IPC_FILTER_UID`), beside those that
    /// other ipc filters let in. While there are none, the default, everybody may. Takes effect
    /// for endpoints bound later.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn add_ipc_filter_uid(&self, uid: u32) -> Result<()> {
        self.processed()?.options.ipc.uids.push(uid);
        Ok(())
    }

    /// Lets processes connect over ipc whose user is in this group (`ZMQ_IPC_FILTER_GID`),
    /// otherwise as [`Socket::add_ipc_filter_uid`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn add_ipc_filter_gid(&self, gid: u32) -> Result<()> {
        self.processed()?.options.ipc.gids.push(gid);
        Ok(())
    }

    /// Lets this process connect over ipc (`ZMQ_IPC_FILTER_PID`), otherwise as
    /// [`Socket::add_ipc_filter_uid`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn add_ipc_filter_pid(&self, pid: i32) -> Result<()> {
        self.processed()?.options.ipc.pids.push(pid);
        Ok(())
    }

    /// Forgets all ipc filters, of users, groups and processes, for endpoints bound later.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn clear_ipc_filters(&self) -> Result<()> {
        self.processed()?.options.ipc = Default::default();
        Ok(())
    }
}
