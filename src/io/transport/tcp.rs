//! tcp sockets: to bind, to connect, and the options they are given.
//!
//! An IPv6 socket takes IPv4 peers too, unless it is bound to one address; an IPv4 peer is
//! connected to by an IPv4 socket, and its address is written as IPv4 everywhere.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use mio::net::TcpStream;
use nix::errno::Errno;
use socket2::{Domain, Socket, TcpKeepalive, Type};

use super::{Accepted, set_buffers, system};
use crate::endpoint::HostPort;
use crate::error::{Error, Result};
use crate::io::resolver;
use crate::options::{Options, Tcp};

/// A socket that listens on the first of the target's addresses that this host can have.
pub(super) fn bind(target: &HostPort, options: &Options) -> Result<Socket> {
    let mut last = Error::NoDevice;
    for address in resolver::addresses(target, options.tcp.ipv6) {
        match bind_to(address, options) {
            Ok(socket) => return Ok(socket),
            Err(error) if is_absent(&error) => last = Error::from_address(error),
            Err(error) => return Err(Error::from_address(error)),
        }
    }
    Err(last)
}

fn bind_to(address: SocketAddr, options: &Options) -> io::Result<Socket> {
    let socket = open(address)?;
    socket.set_reuse_address(true)?;
    bind_to_device(&socket, &options.tcp)?;
    // A connection's window is scaled by the buffer its listener had when it came.
    set_packets(&socket, address, options)?;
    socket.bind(&address.into())?;
    socket.listen(options.backlog)?;
    Ok(socket)
}

/// Whether this host lacks the address or its whole family, so that another may do.
pub(super) fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32)
}

/// Starts to connect; the flag tells whether that is done already.
pub(super) fn connect(
    address: SocketAddr,
    source: Option<SocketAddr>,
    options: &Options,
) -> io::Result<(Socket, bool)> {
    let socket = open(address)?;
    bind_to_device(&socket, &options.tcp)?;
    set_options(&socket, address, options)?;
    if let Some(source) = source {
        socket.set_reuse_address(true)?;
        socket.bind(&source.into())?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => Ok((socket, true)),
        Err(error) if is_in_progress(&error) => Ok((socket, false)),
        Err(error) => Err(error),
    }
}

/// An interrupted connect goes on by itself, too.
fn is_in_progress(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EINPROGRESS | Errno::EINTR))
}

/// Sets the options of an accepted connection, if its peer may stay.
pub(super) fn on_accept(stream: TcpStream, peer: SocketAddr, options: &Options) -> Accepted {
    if !is_admitted(peer.ip(), &options.tcp) {
        return Accepted::Refused(text(peer));
    }
    let socket = Socket::from(OwnedFd::from(stream));
    let tuned = set_options(&socket, peer, options);
    Accepted::from_tuned(socket, tuned, text(peer))
}

fn is_admitted(peer: IpAddr, options: &Tcp) -> bool {
    let filters = &options.accept_filters;
    filters.is_empty() || filters.iter().any(|subnet| subnet.contains(peer))
}

/// The endpoint of an address. IPv4 inside IPv6 is written as IPv4.
pub(super) fn text(address: SocketAddr) -> String {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => format!("tcp://{v4}:{}", address.port()),
        IpAddr::V6(_) => format!("tcp://{address}"),
    }
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

pub(super) fn bind_to_device(socket: &Socket, options: &Tcp) -> io::Result<()> {
    match &options.bind_to_device {
        Some(device) => system::bind_to_device(socket, device),
        None => Ok(()),
    }
}

/// All options of a connection. `end` is either end: it tells the family.
fn set_options(socket: &Socket, end: SocketAddr, options: &Options) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    set_keepalive(socket, &options.tcp)?;
    if let Some(timeout) = options.tcp.max_retransmit {
        system::set_user_timeout(socket, timeout)?;
    }
    set_packets(socket, end, options)
}

/// The options that a listener has as well as a connection.
pub(super) fn set_packets(socket: &Socket, end: SocketAddr, options: &Options) -> io::Result<()> {
    set_buffers(socket, options)?;
    if options.tcp.tos != 0 {
        set_tos(socket, end, options.tcp.tos)?;
    }
    // After the type of service, from which Linux derives a priority too.
    if options.priority != 0 {
        system::set_priority(socket, options.priority)?;
    }
    if options.busy_poll != 0 {
        system::set_busy_poll(socket, options.busy_poll)?;
    }
    Ok(())
}

/// The type of service; of an IPv6 socket also for its IPv4 peers.
fn set_tos(socket: &Socket, end: SocketAddr, tos: u32) -> io::Result<()> {
    if end.is_ipv6() {
        socket.set_tclass_v6(tos)?;
    }
    socket.set_tos_v4(tos)
}

fn set_keepalive(socket: &Socket, options: &Tcp) -> io::Result<()> {
    match options.keepalive {
        None => Ok(()),
        Some(false) => socket.set_keepalive(false),
        Some(true) => socket.set_tcp_keepalive(&keepalive(options)),
    }
}

fn keepalive(options: &Tcp) -> TcpKeepalive {
    let mut keepalive = TcpKeepalive::new();
    if let Some(idle) = options.keepalive_idle {
        keepalive = keepalive.with_time(idle);
    }
    if let Some(interval) = options.keepalive_interval {
        keepalive = keepalive.with_interval(interval);
    }
    if let Some(count) = options.keepalive_count {
        keepalive = keepalive.with_retries(count);
    }
    keepalive
}
