//! A client of the process manager pm2: of a daemon that runs, of version 5, 6 or 7.
//!
//! A daemon has two unix sockets in its home directory: one takes calls ([`Pm2`]), on the other it tells
//! what happens ([`Bus`]). Nothing of Node is needed to use them.
//!
//! ```no_run
//! use ferrozmq_axon::pm2::{App, BusEvent, Pm2};
//!
//! # fn main() -> Result<(), ferrozmq_axon::pm2::Error> {
//! let pm2 = Pm2::open()?; // the daemon of $PM2_HOME, or else of ~/.pm2
//! let mut bus = pm2.bus()?;
//! pm2.launch(&App::new("worker", "/srv/worker.js").arg("--verbose"))?;
//! for process in pm2.list()? {
//!     println!("{} {} {}", process.name(), process.status(), process.restarts());
//! }
//! pm2.restart("worker")?;
//! for event in &mut bus {
//!     match event {
//!         BusEvent::Log(log) => print!("{}: {}", log.process.name, log.data),
//!         BusEvent::Kill(_) => break,
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What a daemon bears
//!
//! A daemon ends when it is called with fewer or more arguments than it expects. So each call is first
//! compared with the list of methods that the daemon gives ([`Error::Arguments`]), and what it does not
//! have is not called ([`Error::NoSuchMethod`]): an older daemon may still run after pm2 was updated.

mod app;
mod bus;
mod client;
mod process;

use std::env;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

pub use app::App;
pub use bus::{
    AppMessage, Bus, BusEvent, Exception, Kill, Log, LogSource, Other, ProcessEvent, Source,
};
pub use client::{Metric, Pm2, Report, Target};
pub use process::{ExecMode, Id, Process, Status};

use crate::rpc::CallError;

/// What calls of this module return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a daemon did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No daemon runs in this home directory.
    #[error("no pm2 runs in {}", .0.display())]
    NotRunning(PathBuf),
    /// A daemon runs there, of a user who does not let us in.
    #[error("the pm2 in {} is another user's", .0.display())]
    Denied(PathBuf),
    /// The daemon has no such method. It may be of another version than is installed.
    #[error("this pm2 has no method {0}")]
    NoSuchMethod(String),
    /// The daemon's method takes another number of arguments. Nothing was sent: it would end.
    #[error("{method} takes {takes} arguments, not {given}")]
    Arguments {
        /// The method.
        method: String,
        /// How many arguments it takes.
        takes: usize,
        /// How many there were.
        given: usize,
    },
    /// No process has this name.
    #[error("pm2 has no process {0}")]
    NoSuchProcess(String),
    /// The call failed: the daemon says why, or it did not answer in time, or it is gone.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A socket failed.
    #[error(transparent)]
    Socket(#[from] crate::Error),
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The directory that a daemon lives in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Home {
    path: PathBuf,
    rpc: PathBuf,
    bus: PathBuf,
}

impl Home {
    /// The home that the commands of pm2 use: `$PM2_HOME`, or else `~/.pm2`, or without a home
    /// `/etc/.pm2`. `PM2_DAEMON_RPC_PORT` and `PM2_DAEMON_PUB_PORT` name other sockets.
    #[must_use]
    pub fn find() -> Self {
        let dir = |name| {
            env::var_os(name)
                .filter(|dir| !dir.is_empty())
                .map(PathBuf::from)
        };
        let path = dir("PM2_HOME")
            .or_else(|| dir("HOME").map(|home| home.join(".pm2")))
            .unwrap_or_else(|| PathBuf::from("/etc/.pm2"));
        let mut home = Self::at(path);
        if let Some(rpc) = dir("PM2_DAEMON_RPC_PORT") {
            home.rpc = rpc;
        }
        if let Some(bus) = dir("PM2_DAEMON_PUB_PORT") {
            home.bus = bus;
        }
        home
    }

    /// The home in this directory.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            rpc: path.join("rpc.sock"),
            bus: path.join("pub.sock"),
            path,
        }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The socket that takes calls.
    #[must_use]
    pub fn rpc_socket(&self) -> &Path {
        &self.rpc
    }

    /// The socket on which the daemon tells what happens.
    #[must_use]
    pub fn bus_socket(&self) -> &Path {
        &self.bus
    }

    /// Whether a daemon runs there, by connecting as pm2 does.
    ///
    /// # Errors
    /// [`Error::NotRunning`], [`Error::Denied`], [`Error::Io`] for whatever else the system says.
    pub fn check(&self) -> Result<()> {
        match UnixStream::connect(&self.rpc) {
            Ok(_) => Ok(()),
            Err(error) => Err(match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    Error::NotRunning(self.path.clone())
                }
                io::ErrorKind::PermissionDenied => Error::Denied(self.path.clone()),
                _ => Error::Io(error),
            }),
        }
    }

    /// Whether a daemon runs there and lets us in.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.check().is_ok()
    }
}

impl Default for Home {
    /// [`Home::find`].
    fn default() -> Self {
        Self::find()
    }
}
