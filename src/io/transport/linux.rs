//! What only Linux has. `portable.rs` has the same functions for other systems.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::socket::{getsockopt, sockopt};
use socket2::{SockAddr, SockRef, Socket};

/// The flag of a send that is not to raise `SIGPIPE`.
pub(super) const NO_SIGNAL: i32 = nix::libc::MSG_NOSIGNAL;

/// The process at the other end of an ipc connection, as it was when it connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Credentials {
    pub uid: u32,
    pub gid: u32,
    pub pid: i32,
}

pub(super) fn peer_credentials(socket: &impl AsFd) -> io::Result<Credentials> {
    let peer = getsockopt(socket, sockopt::PeerCredentials)?;
    Ok(Credentials {
        uid: peer.uid(),
        gid: peer.gid(),
        pid: peer.pid(),
    })
}

/// The address of a Unix domain socket without a file.
pub(super) fn abstract_address(name: &str) -> io::Result<SockAddr> {
    SockAddr::unix(format!("\0{name}"))
}

pub(super) fn is_listening(socket: &Socket) -> io::Result<bool> {
    socket.is_listener()
}

pub(super) fn bind_to_device(socket: &Socket, device: &str) -> io::Result<()> {
    socket.bind_device(Some(device.as_bytes()))
}

pub(super) fn set_priority(socket: &Socket, priority: u32) -> io::Result<()> {
    socket.set_priority(priority)
}

pub(super) fn set_busy_poll(socket: &Socket, micros: u32) -> io::Result<()> {
    socket.set_busy_poll(micros)
}

/// How long sent bytes may stay unacknowledged until the connection is given up.
pub(super) fn set_user_timeout(socket: &Socket, timeout: Duration) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(timeout))
}

/// Whether no byte that was written to a tcp socket waits for room at the peer. From the first call
/// on, the socket is writable only when that is so.
pub(super) fn has_sent_all(socket: &impl AsFd) -> io::Result<bool> {
    SockRef::from(socket).set_tcp_notsent_lowat(1)?;
    let mut polled = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
    // A broken one has nothing more to send, and counts as ready too.
    Ok(nix::poll::poll(&mut polled, PollTimeout::ZERO)? > 0)
}
