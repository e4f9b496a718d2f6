//! What can be set on a socket, with axon's names and defaults.

use std::time::Duration;

use crate::amp::Limits;

/// What a socket does with a message that it has no room for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Overflow {
    /// Drops that message, as axon does.
    #[default]
    DropNewest,
    /// Drops the message that has waited longest, and takes the new one. A publisher, which has no
    /// queue but its peers', drops the new one all the same.
    DropOldest,
    /// Takes nothing: the call fails with [`Error::Full`](crate::Error::Full).
    Error,
    /// Waits for room, as long as [`Options::send_timeout`] allows.
    Wait,
}

/// The settings of a socket, given when it is made.
///
/// ```
/// use std::time::Duration;
/// use ferrozmq_axon::{Options, Overflow};
///
/// let options = Options::new()
///     .hwm(10_000)
///     .overflow(Overflow::DropOldest)
///     .retry_max_timeout(Duration::from_secs(1));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    pub(crate) hwm: usize,
    pub(crate) overflow: Overflow,
    pub(crate) peer_hwm: u32,
    pub(crate) send_timeout: Option<Duration>,
    pub(crate) identity: Option<String>,
    pub(crate) retry_timeout: Duration,
    pub(crate) retry_max_timeout: Duration,
    pub(crate) limits: Limits,
    pub(crate) unix_mode: Option<u32>,
    pub(crate) linger: Option<Duration>,
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            hwm: usize::MAX,
            overflow: Overflow::default(),
            peer_hwm: 10_000,
            send_timeout: None,
            identity: None,
            retry_timeout: Duration::from_millis(100),
            retry_max_timeout: Duration::from_secs(5),
            limits: Limits::default(),
            unix_mode: None,
            linger: Some(Duration::from_secs(30)),
        }
    }

    /// `hwm`: how many messages of a push or req socket wait while no peer takes them: none is
    /// connected, or those that are have as many as [`Options::peer_hwm`] allows. Default: no limit.
    pub fn hwm(mut self, messages: usize) -> Self {
        self.hwm = messages;
        self
    }

    /// What is done with a message beyond that mark; of a publisher, with one that a peer has no room
    /// for. Default: [`Overflow::DropNewest`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// How many messages wait for each connected peer to read them, and how many of each peer wait to
    /// be received, before tcp holds it up; 0 is no limit, as in axon. Default 10 000.
    pub fn peer_hwm(mut self, messages: u32) -> Self {
        self.peer_hwm = messages;
        self
    }

    /// How long a call waits for room with [`Overflow::Wait`]; `None` is for ever. Default `None`.
    pub fn send_timeout(mut self, limit: Option<Duration>) -> Self {
        self.send_timeout = limit;
        self
    }

    /// `identity`: what the ids of a req socket's requests begin with. Peers give it back as it is,
    /// and never look at it. Default: the process id.
    pub fn identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// `retry timeout`: the wait before a lost connection, or one that could not be made, is tried
    /// again; each further wait is half as long again. Zero: it is not tried again. Default 100 ms.
    pub fn retry_timeout(mut self, wait: Duration) -> Self {
        self.retry_timeout = wait;
        self
    }

    /// `retry max timeout`: the longest wait between two attempts. Default 5 s.
    pub fn retry_max_timeout(mut self, wait: Duration) -> Self {
        self.retry_max_timeout = wait;
        self
    }

    /// How large what peers send may be; a peer that sends more loses its connection. Default: see
    /// [`Limits`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The mode of the files of unix sockets, as `chmod` takes it: a peer must be allowed to write.
    /// Default: as the umask has it.
    pub fn unix_mode(mut self, mode: u32) -> Self {
        self.unix_mode = Some(mode);
        self
    }

    /// How long a closed socket goes on delivering what was sent, in the background; `None` is for
    /// ever. Node's axon drops everything at once. Default 30 s.
    pub fn linger(mut self, limit: Option<Duration>) -> Self {
        self.linger = limit;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
