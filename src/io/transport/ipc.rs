//! Unix domain sockets: their files, and who may connect to them.
//!
//! A file is removed by its maker alone, and a stale one by whoever binds to its name next. What
//! is no socket, or belongs to a listener that lives, is never touched, unless a socket was told to
//! take it over.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mio::net::UnixStream;
use nix::unistd::{Gid, Group, Uid, User};
use parking_lot::Mutex;
use socket2::{Domain, SockAddr, Socket, Type};

use super::system::{self, Credentials};
use super::{Accepted, set_buffers, text};
use crate::endpoint::IpcAddress;
use crate::error::{Error, Result};
use crate::options::{IpcFilters, Options};

/// The file of a socket that we bound. Dropping it removes the file, if it is still that one.
///
/// To be dropped before the socket: while the socket lives, the system cannot give the number
/// of its file to the file of a successor.
#[derive(Debug)]
pub(crate) struct IpcFile {
    path: PathBuf,
    identity: Identity,
    /// A wildcard's directory; it goes when the file is gone.
    _directory: Option<Directory>,
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Identity {
    device: u64,
    inode: u64,
}

/// A directory of our own, removed when dropped, if it is empty.
#[derive(Debug)]
struct Directory(PathBuf);

/// A socket that listens, and its file if it has one.
pub(super) fn bind(address: &IpcAddress, options: &Options) -> Result<(Socket, Option<IpcFile>)> {
    match address {
        IpcAddress::Abstract(_) => Ok((bind_abstract(address, options)?, None)),
        IpcAddress::Path(path) => bind_path(Path::new(path), None, options),
        IpcAddress::Wildcard => {
            let directory = Directory::fresh()?;
            bind_path(&directory.0.join("socket"), Some(directory), options)
        }
    }
}

fn bind_abstract(address: &IpcAddress, options: &Options) -> Result<Socket> {
    let address = socket_address(address)?;
    let socket = open(options)?;
    socket.bind(&address).map_err(Error::from_address)?;
    socket.listen(options.backlog)?;
    Ok(socket)
}

/// Held while files are looked at and changed: the listener that goes must not remove the file of the one
/// that takes its name over at that moment. Against other processes the system offers nothing of the kind.
static FILES: Mutex<()> = Mutex::new(());

fn bind_path(
    path: &Path,
    directory: Option<Directory>,
    options: &Options,
) -> Result<(Socket, Option<IpcFile>)> {
    let address = SockAddr::unix(path).map_err(|_| Error::NameTooLong)?;
    let socket = open(options)?;
    let changing = FILES.lock();
    if options.ipc_takeover {
        // If it may not be removed, bind says so.
        drop(fs::remove_file(path));
    }
    if let Err(error) = socket.bind(&address) {
        if error.kind() != io::ErrorKind::AddrInUse {
            return Err(Error::from_address(error));
        }
        remove_stale(path, &address);
        socket.bind(&address).map_err(Error::from_address)?;
    }
    let file = IpcFile::new(path, directory)?;
    drop(changing);
    if let Some(mode) = options.ipc_mode {
        // Before anybody can connect.
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    socket.listen(options.backlog)?;
    Ok((socket, Some(file)))
}

/// Removes the file of a listener that is gone. Whatever else is there, bind will find it.
///
/// Of two programs that do this to one name at the same time, one may still remove the other's
/// new file: the system offers no way to remove a file only if it is the one just looked at.
fn remove_stale(path: &Path, address: &SockAddr) {
    let is_socket = |found: fs::Metadata| found.file_type().is_socket();
    let Ok(before) = Identity::of(path) else {
        return;
    };
    if fs::symlink_metadata(path).is_ok_and(is_socket)
        && is_deserted(address)
        && Identity::of(path).is_ok_and(|after| after == before)
    {
        // If it may not be removed, the name stays in use.
        drop(fs::remove_file(path));
    }
}

/// Whether the file belongs to nobody; in doubt it does not.
fn is_deserted(address: &SockAddr) -> bool {
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None).and_then(|probe| {
        probe.set_nonblocking(true)?;
        probe.connect(address)
    });
    probe.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Connects, which never takes time.
pub(super) fn connect(address: &IpcAddress, options: &Options) -> io::Result<(Socket, bool)> {
    let address = socket_address(address)?;
    let socket = open(options)?;
    socket.connect(&address)?;
    Ok((socket, true))
}

/// Sets the options of an accepted connection, if its peer may stay.
pub(super) fn on_accept(stream: UnixStream, options: &Options) -> Accepted {
    let socket = Socket::from(OwnedFd::from(stream));
    let peer = socket
        .peer_addr()
        .map_or_else(|_| String::from("ipc://"), |peer| text(&peer));
    if !is_admitted(&socket, &options.ipc) {
        return Accepted::Refused(peer);
    }
    let tuned = set_buffers(&socket, options);
    Accepted::from_tuned(socket, tuned, peer)
}

/// Whether one of the filters names the peer, or there are none.
fn is_admitted(socket: &Socket, filters: &IpcFilters) -> bool {
    if filters.uids.is_empty() && filters.gids.is_empty() && filters.pids.is_empty() {
        return true;
    }
    match system::peer_credentials(socket) {
        Ok(peer) => is_named(peer, filters),
        Err(error) => {
            log::warn!("an ipc peer is refused, for who it is cannot be told: {error}");
            false
        }
    }
}

pub(super) fn is_named(peer: Credentials, filters: &IpcFilters) -> bool {
    filters.uids.contains(&peer.uid)
        || filters.pids.contains(&peer.pid)
        || filters.gids.contains(&peer.gid)
        || is_member_of_any(peer.uid, &filters.gids)
}

/// Whether the user is listed as a member of one of the groups.
fn is_member_of_any(uid: u32, gids: &[u32]) -> bool {
    if gids.is_empty() {
        return false;
    }
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else {
        return false;
    };
    gids.iter()
        .filter_map(|gid| Group::from_gid(Gid::from_raw(*gid)).ok().flatten())
        .any(|group| group.mem.contains(&user.name))
}

fn open(options: &Options) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    set_buffers(&socket, options)?;
    Ok(socket)
}

fn socket_address(address: &IpcAddress) -> io::Result<SockAddr> {
    match address {
        IpcAddress::Path(path) => SockAddr::unix(path),
        IpcAddress::Abstract(name) => system::abstract_address(name),
        IpcAddress::Wildcard => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a wildcard can only be bound to",
        )),
    }
}

impl IpcFile {
    fn new(path: &Path, directory: Option<Directory>) -> io::Result<Self> {
        Ok(Self {
            // The working directory may be another one by the time of the drop.
            path: std::path::absolute(path)?,
            identity: Identity::of(path)?,
            _directory: directory,
        })
    }
}

impl Drop for IpcFile {
    fn drop(&mut self) {
        let _changing = FILES.lock();
        if Identity::of(&self.path).is_ok_and(|found| found == self.identity) {
            drop(fs::remove_file(&self.path));
        }
    }
}

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self {
            device: found.dev(),
            inode: found.ino(),
        })
    }
}

impl Directory {
    /// A new directory that only we may enter.
    fn fresh() -> io::Result<Self> {
        let parent = std::env::temp_dir();
        loop {
            let path = parent.join(format!("ferrozmq-{:016x}", fastrand::u64(..)));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir(&self.0));
    }
}
