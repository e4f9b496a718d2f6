//! In place of what only Linux has: errors that say so.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockAddr, Socket};

/// The flag of a send that is not to raise `SIGPIPE`.
#[cfg(not(target_vendor = "apple"))]
pub(super) const NO_SIGNAL: i32 = nix::libc::MSG_NOSIGNAL;
/// Here the socket is told once, when it is opened.
#[cfg(target_vendor = "apple")]
pub(super) const NO_SIGNAL: i32 = 0;

/// The process at the other end of an ipc connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Credentials {
    pub uid: u32,
    pub gid: u32,
    pub pid: i32,
}

pub(super) fn peer_credentials(_: &impl AsFd) -> io::Result<Credentials> {
    Err(missing("peer credentials need Linux"))
}

pub(super) fn abstract_address(_: &str) -> io::Result<SockAddr> {
    Err(missing("abstract ipc names need Linux"))
}

/// Assumed, where the system cannot tell: accept will.
pub(super) fn is_listening(_: &Socket) -> io::Result<bool> {
    Ok(true)
}

pub(super) fn bind_to_device(_: &Socket, _: &str) -> io::Result<()> {
    Err(missing("binding to a device needs Linux"))
}

pub(super) fn set_priority(_: &Socket, _: u32) -> io::Result<()> {
    Err(missing("the priority of a socket needs Linux"))
}

pub(super) fn set_busy_poll(_: &Socket, _: u32) -> io::Result<()> {
    Err(missing("polling the device needs Linux"))
}

pub(super) fn set_user_timeout(_: &Socket, _: Duration) -> io::Result<()> {
    Err(missing("a limit of retransmission needs Linux"))
}

/// Assumed, where the system does not tell.
pub(super) fn has_sent_all(_: &impl AsFd) -> io::Result<bool> {
    Ok(true)
}

fn missing(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, what)
}
