//! System sockets: to listen, to accept, to connect, and the streams that come of it, over tcp
//! and ipc alike.
//!
//! Owns what is specific to a transport, so that nobody above asks which one it is. Sockets here
//! never block. Must never panic for what the system or a peer answers: a refused option or a
//! lost connection is a value.

mod ipc;
mod tcp;
pub(crate) mod udp;

#[cfg(target_os = "linux")]
#[path = "transport/linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "transport/portable.rs"]
mod system;

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use socket2::{SockAddr, SockRef, Socket};

use crate::endpoint::{Endpoint, IpcAddress};
use crate::error::{Error, Result};
use crate::options::Options;

pub(crate) use self::ipc::IpcFile;

/// How many slices the system takes at once.
const MAX_SLICES: usize = 1024;

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Over tcp.
    Tcp(TcpStream),
    /// Over a Unix domain socket.
    Ipc(UnixStream),
}

/// A listening socket, registered with a poller.
#[derive(Debug)]
pub(crate) enum Acceptor {
    /// For tcp connections.
    Tcp(TcpListener),
    /// For connections to a Unix domain socket.
    Ipc(UnixListener),
}

/// What came of one call of [`Acceptor::accept`].
#[derive(Debug)]
pub(crate) enum Accepted {
    /// A connection that does not block, ready for [`Stream::new`], and its peer's endpoint.
    Connection(Socket, String),
    /// A filter did not let this peer in; the connection is closed.
    Refused(String),
    /// Nobody is waiting.
    Empty,
    /// That connection was lost before it was accepted; there may be others.
    Retry,
    /// Descriptors or memory are short; to be tried again after a while.
    Exhausted(io::Error),
    /// The listener is broken.
    Failed(io::Error),
}

/// What [`listen`] made.
///
/// The file comes first, so that it is dropped first: see [`IpcFile`].
#[derive(Debug)]
pub(crate) struct Bound {
    /// The file to remove at the end, if it is ours.
    pub file: Option<IpcFile>,
    /// Listens and does not block.
    pub socket: Socket,
    /// The endpoint to connect to: with numbers for names, and the real port or path.
    pub endpoint: String,
}

/// What to connect to, all names resolved.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A tcp address, and the local end if it matters.
    Tcp {
        address: SocketAddr,
        source: Option<SocketAddr>,
    },
    /// A Unix domain socket.
    Ipc(IpcAddress),
}

/// Opens a socket that listens on `endpoint`, or adopts the one of `options.use_fd`.
///
/// Blocks while a host name is looked up.
pub(crate) fn listen(endpoint: &Endpoint, options: &Options) -> Result<Bound> {
    let (socket, file) = match (&options.use_fd, endpoint) {
        (_, Endpoint::Inproc(_) | Endpoint::Udp(_)) => return Err(Error::IncompatibleTransport),
        (Some(fd), Endpoint::Tcp(_) | Endpoint::Ipc(_)) => (adopt(fd.as_fd(), endpoint)?, None),
        (None, Endpoint::Tcp(address)) => (tcp::bind(&address.target, options)?, None),
        (None, Endpoint::Ipc(address)) => ipc::bind(address, options)?,
    };
    Ok(Bound {
        file,
        endpoint: text(&socket.local_addr()?),
        socket,
    })
}

/// Takes a descriptor that listens already. Its file, if it has one, stays its maker's.
fn adopt(fd: BorrowedFd<'_>, endpoint: &Endpoint) -> Result<Socket> {
    let socket = Socket::from(fd.try_clone_to_owned()?);
    let is_unix = socket.local_addr()?.is_unix();
    let fits = match endpoint {
        Endpoint::Inproc(_) | Endpoint::Udp(_) => false,
        Endpoint::Ipc(_) => is_unix,
        Endpoint::Tcp(_) => !is_unix,
    };
    if !fits || !system::is_listening(&socket)? {
        return Err(Error::InvalidArgument(
            "the descriptor is not a listening socket of the endpoint's transport",
        ));
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Starts to connect. The flag tells whether the connection is there already; otherwise the
/// socket becomes writable when it is, or when [`Stream::take_error`] tells why not.
///
/// An ipc listener with a full backlog refuses with `WouldBlock`.
pub(crate) fn connect(target: &Target, options: &Options) -> io::Result<(Socket, bool)> {
    match target {
        Target::Tcp { address, source } => tcp::connect(*address, *source, options),
        Target::Ipc(address) => ipc::connect(address, options),
    }
}

impl Stream {
    /// A stream of a socket that was accepted, or that [`connect`] gave.
    pub(crate) fn new(socket: Socket) -> io::Result<Self> {
        let is_unix = socket.local_addr()?.is_unix();
        let fd = OwnedFd::from(socket);
        Ok(if is_unix {
            Self::Ipc(fd.into())
        } else {
            Self::Tcp(fd.into())
        })
    }

    /// Takes what has come; 0 bytes are the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Ipc(stream) => stream.read(buffer),
        }
    }

    /// As [`Stream::read`], into one buffer after the other.
    pub(crate) fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read_vectored(buffers),
            Self::Ipc(stream) => stream.read_vectored(buffers),
        }
    }

    /// Sends the slices, or as much of them as the system takes.
    pub(crate) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_io(|| send(stream, slices)),
            Self::Ipc(stream) => stream.try_io(|| send(stream, slices)),
        }
    }

    /// The descriptor's number, for events.
    pub(crate) fn fd(&self) -> i32 {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Ipc(stream) => stream.as_raw_fd(),
        }
    }

    /// Ends both directions; what has arrived can still be read.
    pub(crate) fn shutdown(&self) {
        // Whatever is wrong with the connection, reading tells it.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Ipc(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    /// Tells the peer that nothing more will come.
    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Ipc(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// Whether the peer has, or has room for, all that was written: then it gets it, whatever
    /// becomes of this end. Where the system does not tell, that is assumed. If not, the next event
    /// that there is room to write says that it may be so now.
    pub(crate) fn has_sent_all(&self) -> io::Result<bool> {
        match self {
            Self::Tcp(stream) => system::has_sent_all(stream),
            // What was written lies with the peer, and can be read without us.
            Self::Ipc(_) => Ok(true),
        }
    }

    /// What went wrong since the last call; after a connect, why it failed.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().take_error()
    }

    /// Whether both ends are this one, as happens when the system picks the port that is
    /// connected to, and that nobody listens on, for the local end.
    pub(crate) fn is_own_peer(&self) -> bool {
        match self {
            Self::Tcp(stream) => match (stream.local_addr(), stream.peer_addr()) {
                (Ok(local), Ok(peer)) => local == peer,
                (Err(_), _) | (_, Err(_)) => false,
            },
            Self::Ipc(_) => false,
        }
    }

    /// Who the peer is, for the `Peer-Address` property: its address over tcp; over ipc
    /// `:uid:gid:pid`, where the system tells.
    pub(crate) fn peer_address(&self) -> Option<String> {
        match self {
            Self::Tcp(stream) => {
                let address = stream.peer_addr().ok()?;
                Some(address.ip().to_canonical().to_string())
            }
            Self::Ipc(stream) => {
                let peer = system::peer_credentials(stream).ok()?;
                Some(format!(":{}:{}:{}", peer.uid, peer.gid, peer.pid))
            }
        }
    }

    /// Our end as an endpoint, for monitors.
    pub(crate) fn local_endpoint(&self) -> String {
        self.endpoint(self.socket().local_addr())
    }

    /// The other end as an endpoint.
    #[cfg(test)]
    pub(crate) fn peer_endpoint(&self) -> String {
        self.endpoint(self.socket().peer_addr())
    }

    /// Only the transport, if the system does not tell the address, as of a connection that was
    /// reset.
    fn endpoint(&self, address: io::Result<SockAddr>) -> String {
        match (address, self) {
            (Ok(address), Self::Tcp(_) | Self::Ipc(_)) => text(&address),
            (Err(_), Self::Tcp(_)) => String::from("tcp://"),
            (Err(_), Self::Ipc(_)) => String::from("ipc://"),
        }
    }

    fn socket(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::Ipc(stream) => SockRef::from(stream),
        }
    }
}

impl Acceptor {
    /// An acceptor of a listening socket.
    pub(crate) fn new(socket: Socket) -> io::Result<Self> {
        let is_unix = socket.local_addr()?.is_unix();
        let fd = OwnedFd::from(socket);
        Ok(if is_unix {
            Self::Ipc(fd.into())
        } else {
            Self::Tcp(fd.into())
        })
    }

    /// The descriptor's number, for events.
    pub(crate) fn fd(&self) -> i32 {
        match self {
            Self::Tcp(listener) => listener.as_raw_fd(),
            Self::Ipc(listener) => listener.as_raw_fd(),
        }
    }

    /// Takes one waiting connection, sets its options, and asks the filters whether it may stay.
    pub(crate) fn accept(&self, options: &Options) -> Accepted {
        let accepted = match self {
            Self::Tcp(listener) => listener
                .accept()
                .map(|(stream, peer)| tcp::on_accept(stream, peer, options)),
            Self::Ipc(listener) => listener
                .accept()
                .map(|(stream, _)| ipc::on_accept(stream, options)),
        };
        accepted.unwrap_or_else(Accepted::from_error)
    }
}

impl Accepted {
    fn from_error(error: io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EAGAIN) => Self::Empty,
            // Linux hands out what went wrong with the connection as the error of accept.
            Some(
                Errno::EINTR
                | Errno::ECONNABORTED
                | Errno::EPROTO
                | Errno::EPERM
                | Errno::ENETDOWN
                | Errno::ENETUNREACH
                | Errno::EHOSTDOWN
                | Errno::EHOSTUNREACH
                | Errno::ENOPROTOOPT,
            ) => Self::Retry,
            Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS) => {
                Self::Exhausted(error)
            }
            _ => Self::Failed(error),
        }
    }

    /// The connection, if its options could be set; otherwise it is closed and forgotten.
    fn from_tuned(socket: Socket, tuned: io::Result<()>, peer: String) -> Self {
        match tuned {
            Ok(()) => Self::Connection(socket, peer),
            Err(error) => {
                log::debug!("closed the connection from {peer}: {error}");
                Self::Retry
            }
        }
    }
}

/// Not `writev`, because that lets a peer that left end the process by `SIGPIPE`, which a Rust
/// program ignores, but not a C program that uses this library.
fn send(socket: &impl AsFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let slices = &slices[..slices.len().min(MAX_SLICES)];
    SockRef::from(socket).send_vectored_with_flags(slices, system::NO_SIGNAL)
}

/// The endpoint of an address; `ipc://` for a socket without a name, as most clients' are.
fn text(address: &SockAddr) -> String {
    if let Some(address) = address.as_socket() {
        return tcp::text(address);
    }
    if let Some(path) = address.as_pathname() {
        return format!("ipc://{}", path.display());
    }
    match address.as_abstract_namespace() {
        Some(name) => format!("ipc://@{}", String::from_utf8_lossy(name)),
        None => String::from("ipc://"),
    }
}

/// Sets the sizes of the system's buffers.
fn set_buffers(socket: &Socket, options: &Options) -> io::Result<()> {
    if let Some(size) = options.send_buffer {
        socket.set_send_buffer_size(size)?;
    }
    if let Some(size) = options.recv_buffer {
        socket.set_recv_buffer_size(size)?;
    }
    Ok(())
}

impl Source for Stream {
    fn register(&mut self, to: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.register(to, token, interests),
            Self::Ipc(stream) => stream.register(to, token, interests),
        }
    }

    fn reregister(&mut self, to: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.reregister(to, token, interests),
            Self::Ipc(stream) => stream.reregister(to, token, interests),
        }
    }

    fn deregister(&mut self, from: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.deregister(from),
            Self::Ipc(stream) => stream.deregister(from),
        }
    }
}

impl Source for Acceptor {
    fn register(&mut self, to: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.register(to, token, interests),
            Self::Ipc(listener) => listener.register(to, token, interests),
        }
    }

    fn reregister(&mut self, to: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.reregister(to, token, interests),
            Self::Ipc(listener) => listener.reregister(to, token, interests),
        }
    }

    fn deregister(&mut self, from: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.deregister(from),
            Self::Ipc(listener) => listener.deregister(from),
        }
    }
}

#[cfg(test)]
mod tests;
