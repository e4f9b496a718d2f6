//! [`Ctx`]: the I/O threads, the reaper and the inproc names that a group of sockets shares.
//!
//! Threads are started by the first socket and end with the context. Sockets do not own the
//! context's threads and no thread owns the context, so that it always ends on a thread of the
//! application.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::authenticator::Authenticator;
use crate::census::{Census, OpenSocket, SocketId};
use crate::command::{IoCmd, IoHandle};
use crate::error::{Error, Result};
use crate::inproc::Registry;
use crate::io::resolver::Resolver;
use crate::io::thread::IoThread;
use crate::options::{DEFAULT_SPIN, Options, SharedOptions, SocketType};
use crate::reaper::Reaper;
use crate::signaler::ThreadStart;
use crate::socket_base::{SocketBase, Surroundings};

/// How long a new socket waits for the place of one that is closed.
const MOMENT: Duration = Duration::from_secs(1);

/// The most I/O threads: the socket option `affinity` has one bit for each.
const MAX_IO_THREADS: usize = 64;

/// A context: create one per process, and all sockets from it. Clones are the same context.
///
/// Sockets can talk over `inproc://` only within one context.
///
/// # The end
/// Dropping a socket never blocks. When the last clone of a context and the last of its sockets
/// are dropped, that drop waits until the closed sockets have delivered what was sent, for at
/// most their linger time: 30 seconds unless set otherwise, see [`Socket::set_linger`](crate::Socket::set_linger).
/// [`Ctx::term`] does the same with a time limit of its own and tells which sockets hold it up.
///
/// ```
/// use ferrozmq::{Ctx, SocketType};
///
/// # fn main() -> ferrozmq::Result<()> {
/// let ctx = Ctx::new();
/// let server = ctx.socket(SocketType::REP)?;
/// server.bind("inproc://example")?;
/// let client = ctx.socket(SocketType::REQ)?;
/// client.connect("inproc://example")?;
/// client.send("hello", 0)?;
/// assert_eq!(server.recv_string(0)?, "hello");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Ctx(Arc<Inner>);

/// The name of [`Ctx`] in the `zmq` crate.
pub type Context = Ctx;

#[derive(Debug)]
struct Inner {
    options: Mutex<CtxOptions>,
    machinery: Mutex<Option<Machinery>>,
    census: Arc<Census>,
    registry: Arc<Registry>,
}

#[derive(Clone, Debug)]
struct CtxOptions {
    io_threads: usize,
    cores: Vec<usize>,
    max_sockets: usize,
    thread_name_prefix: String,
    thread_start: ThreadStart,
    ipv6: bool,
    blocky: bool,
    max_msg_size: Option<u64>,
    spin: u32,
    /// Of the newest socket; the next one has the same unless something has changed.
    newest: Option<Arc<Options>>,
}

impl CtxOptions {
    /// What a new socket has that is told nothing else.
    fn for_socket(&mut self, socket_type: SocketType) -> SharedOptions {
        let newest = self.newest.take().filter(|newest| {
            newest.socket_type == socket_type
                && newest.tcp.ipv6 == self.ipv6
                && newest.max_msg_size == self.max_msg_size
                && newest.spin == self.spin
        });
        let options = newest.unwrap_or_else(|| {
            let mut options = Options::new(socket_type);
            options.tcp.ipv6 = self.ipv6;
            options.max_msg_size = self.max_msg_size;
            options.spin = self.spin;
            Arc::new(options)
        });
        self.newest = Some(options.clone());
        let options = SharedOptions::new(options);
        if !self.blocky {
            options.linger.set(Some(Duration::ZERO));
        }
        options
    }
}

/// What runs once there is a socket.
#[derive(Debug)]
struct Machinery {
    threads: Arc<[IoHandle]>,
    running: Vec<JoinHandle<()>>,
    reaper: Reaper,
    reaping: JoinHandle<()>,
}

/// Why [`Ctx::term`] did not end the context.
#[derive(Debug, thiserror::Error)]
#[error("{} socket(s) hold up the end of the context", sockets.len())]
pub struct TermError {
    /// The sockets that are still open, or closed and still delivering.
    pub sockets: Vec<OpenSocket>,
}

impl Ctx {
    /// A new context with one I/O thread. Nothing is started before the first socket.
    #[must_use]
    pub fn new() -> Self {
        let options = CtxOptions {
            io_threads: 1,
            cores: Vec::new(),
            max_sockets: 1023,
            thread_name_prefix: String::new(),
            thread_start: ThreadStart::default(),
            ipv6: false,
            blocky: true,
            max_msg_size: None,
            spin: DEFAULT_SPIN,
            newest: None,
        };
        Self(Arc::new(Inner {
            options: Mutex::new(options),
            machinery: Mutex::new(None),
            census: Arc::default(),
            registry: Arc::default(),
        }))
    }

    /// What a new socket is made of. The first one starts the context's threads.
    ///
    /// # Errors
    /// As for [`Ctx::socket`].
    pub(crate) fn open(
        &self,
        socket_type: SocketType,
    ) -> Result<(Reaper, Box<SocketBase>, SocketId)> {
        let (options, socket_options) = {
            let mut options = self.0.options.lock();
            let socket_options = options.for_socket(socket_type);
            (options.clone(), socket_options)
        };
        let mut guard = self.0.machinery.lock();
        // An ended context has no threads, and nobody would end those that were started now.
        if self.0.census.is_stopped() {
            return Err(Error::Term);
        }
        if guard.is_none() {
            *guard = Some(Machinery::start(&options, &self.0.census)?);
        }
        let Some(machinery) = &*guard else {
            return Err(Error::Term);
        };
        let around = Surroundings {
            threads: machinery.threads.clone(),
            registry: self.0.registry.clone(),
        };
        let base = SocketBase::new(socket_options, around);
        let reaper = machinery.reaper.clone();
        // It may wait, and is told if the context ends meanwhile.
        drop(guard);
        let deadline = Instant::now() + MOMENT;
        let (mailbox, addresses) = (base.mailbox(), base.addresses());
        let id = self.0.census.add(
            socket_type,
            mailbox,
            addresses,
            options.max_sockets,
            deadline,
        )?;
        Ok((reaper, Box::new(base), id))
    }

    /// Makes all calls on the context's sockets return [`Error::Term`], blocked ones at once.
    /// Does not wait; the sockets must still be closed. Idempotent.
    pub fn shutdown(&self) {
        self.0.census.stop_all();
    }

    /// Ends the context: [`Ctx::shutdown`], then waits until all sockets are closed and have
    /// delivered what was sent or used up their linger time, then ends the threads.
    ///
    /// `timeout` of `None` waits as long as that takes. May be called again after an error.
    ///
    /// # Errors
    /// [`TermError`] names the sockets that are left when the time is over.
    pub fn term(&self, timeout: Option<Duration>) -> std::result::Result<(), TermError> {
        self.0
            .end(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    /// How many I/O threads the context has (`ZMQ_IO_THREADS`). Default 1.
    #[must_use]
    pub fn io_threads(&self) -> usize {
        self.0.options.lock().io_threads
    }

    /// Sets the number of I/O threads, 0 to 64. One serves about a gigabyte per second; with none,
    /// only `inproc://` can be used. Takes effect if no socket was created yet.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] beyond 64.
    pub fn set_io_threads(&self, threads: usize) -> Result<()> {
        if threads > MAX_IO_THREADS {
            return Err(Error::InvalidArgument(
                "a context has at most 64 I/O threads",
            ));
        }
        self.0.options.lock().io_threads = threads;
        Ok(())
    }

    /// Pins the I/O threads to cores, in turn: thread n runs on `cores[n % cores.len()]`. An empty
    /// list, the default, pins none. Takes effect if no socket was created yet; a core that does
    /// not exist is reported to the log and left out.
    pub fn set_io_thread_cores(&self, cores: &[usize]) {
        self.0.options.lock().cores = cores.to_vec();
    }

    /// The most sockets that may be open at once (`ZMQ_MAX_SOCKETS`). Default 1023.
    #[must_use]
    pub fn max_sockets(&self) -> usize {
        self.0.options.lock().max_sockets
    }

    /// Sets the most sockets that may be open at once, at least 1.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for 0.
    pub fn set_max_sockets(&self, sockets: usize) -> Result<()> {
        if sockets == 0 {
            return Err(Error::InvalidArgument("a context has at least one socket"));
        }
        self.0.options.lock().max_sockets = sockets;
        Ok(())
    }

    /// Sets what the names of the context's threads begin with (`ZMQ_THREAD_NAME_PREFIX`).
    /// Empty by default. Takes effect if no socket was created yet.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is longer than 16 bytes or holds a NUL.
    pub fn set_thread_name_prefix(&self, prefix: &str) -> Result<()> {
        if prefix.len() > 16 || prefix.contains('\0') {
            return Err(Error::InvalidArgument(
                "a thread name prefix has at most 16 bytes",
            ));
        }
        prefix.clone_into(&mut self.0.options.lock().thread_name_prefix);
        Ok(())
    }

    /// Has `start` called on each thread that the context starts, before anything else: to set its
    /// priority, or to make it known to a profiler. It must not use the context. Nothing is called by
    /// default. Takes effect if no socket was created yet.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use ferrozmq::{Ctx, SocketType};
    ///
    /// # fn main() -> ferrozmq::Result<()> {
    /// let ctx = Ctx::new();
    /// let (started, threads) = channel();
    /// ctx.set_thread_start(move || {
    ///     let name = std::thread::current().name().map(str::to_owned);
    ///     let _ = started.send(name);
    /// });
    /// let socket = ctx.socket(SocketType::PULL)?;
    /// let mut names: Vec<_> = threads.iter().take(2).flatten().collect();
    /// names.sort();
    /// assert_eq!(names, ["zmq-io/0", "zmq-reaper"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_thread_start(&self, start: impl Fn() + Send + Sync + 'static) {
        self.0.options.lock().thread_start = ThreadStart::new(Box::new(start));
    }

    /// Whether new sockets use IPv6 (`ZMQ_IPV6`). Default false.
    #[must_use]
    pub fn ipv6(&self) -> bool {
        self.0.options.lock().ipv6
    }

    /// Sets whether new sockets use IPv6 beside IPv4, see [`Socket::set_ipv6`](crate::Socket::set_ipv6).
    pub fn set_ipv6(&self, ipv6: bool) {
        self.0.options.lock().ipv6 = ipv6;
    }

    /// Whether new sockets linger by default (`ZMQ_BLOCKY`). Default true.
    #[must_use]
    pub fn blocky(&self) -> bool {
        self.0.options.lock().blocky
    }

    /// Sets whether new sockets linger by default; without it, they have a linger of zero.
    pub fn set_blocky(&self, blocky: bool) {
        self.0.options.lock().blocky = blocky;
    }

    /// The largest frame that new sockets accept (`ZMQ_MAX_MSGSZ`). Default `None`: no limit.
    #[must_use]
    pub fn max_msg_size(&self) -> Option<u64> {
        self.0.options.lock().max_msg_size
    }

    /// Sets the largest frame that new sockets accept, see [`Socket::set_maxmsgsize`](crate::Socket::set_maxmsgsize).
    pub fn set_max_msg_size(&self, size: Option<u64>) {
        self.0.options.lock().max_msg_size = size;
    }

    /// How often a call that waits for a message or for room, or an I/O thread that waits for
    /// events, gives its core to other threads and looks again, before it sleeps. Default 20.
    #[must_use]
    pub fn spin(&self) -> u32 {
        self.0.options.lock().spin
    }

    /// Sets how often a call that waits gives its core to other threads and looks again, before it
    /// sleeps. Takes effect for new sockets, and for the I/O threads if no socket was created yet.
    /// That takes about half a microsecond each time if no other thread
    /// wants the core; a message that comes meanwhile wakes nobody, which would cost both sides
    /// far more. Who has caught up with a stream lets messages gather for some microseconds first. With 0 it sleeps at once. A thread that waits for long sleeps in any case: an idle
    /// process takes no processor time. An awaited call looks, too, unless that was in vain lately.
    pub fn set_spin(&self, times: u32) {
        self.0.options.lock().spin = times;
    }

    #[cfg(test)]
    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Who decides which peers the context's sockets let in; the same one in each call. From the
    /// first call on, and as long as the context lives, nobody is let in by a PLAIN or CURVE server
    /// who is not named in its [`Rules`](crate::Rules), which name nobody at first: set them before
    /// binding.
    ///
    /// There is one judge in a context: the authenticator takes the place of a ZAP handler on
    /// `inproc://zeromq.zap.01`, so that binding that name fails from then on.
    ///
    /// ```
    /// use ferrozmq::{Ctx, CurveKeyPair, Rules};
    ///
    /// # fn main() -> ferrozmq::Result<()> {
    /// let ctx = Ctx::new();
    /// let client = CurveKeyPair::new()?;
    /// let authenticator = ctx.authenticator()?;
    /// authenticator.set_rules(Rules::new().allow_key(client.public_key, "ann"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::AddrInUse`] if a ZAP handler of the application's own is bound to that name.
    pub fn authenticator(&self) -> Result<Authenticator> {
        self.0.registry.authenticator()
    }

    pub(crate) fn set_closed(&self, id: SocketId) {
        self.0.census.set_closed(id);
    }
}

impl Default for Ctx {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    fn end(&self, deadline: Option<Instant>) -> std::result::Result<(), TermError> {
        self.census.stop_all();
        self.census
            .wait_empty(deadline)
            .map_err(|sockets| TermError { sockets })?;
        if let Some(machinery) = self.machinery.lock().take() {
            machinery.stop();
        }
        self.registry.clear();
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without a deadline there is no error: it waits until the last linger time is over.
        let _ = self.end(None);
    }
}

impl Machinery {
    fn start(options: &CtxOptions, census: &Arc<Census>) -> Result<Self> {
        let name = |what: &str| match &*options.thread_name_prefix {
            "" => what.to_owned(),
            prefix => format!("{prefix}/{what}"),
        };
        let threads: Arc<[_]> = (0..options.io_threads).map(|_| IoHandle::new()).collect();
        let start = &options.thread_start;
        let resolver = Resolver::new(name("zmq-dns"), start.clone());
        let waiting = (0..threads.len())
            .map(|n| IoThread::new(n, threads.clone(), resolver.clone()))
            .collect::<std::io::Result<Vec<_>>>()?;
        let (reaper, reaping) = Reaper::spawn(name("zmq-reaper"), start.clone(), census.clone())?;
        let mut machinery = Self {
            threads,
            running: Vec::new(),
            reaper,
            reaping,
        };
        for (n, thread) in waiting.into_iter().enumerate() {
            let pin = options.cores.get(n % options.cores.len().max(1)).copied();
            let name = name(&format!("zmq-io/{n}"));
            match thread.spawn(name, start.clone(), pin, options.spin) {
                Ok(thread) => machinery.running.push(thread),
                Err(error) => {
                    machinery.stop();
                    return Err(error.into());
                }
            }
        }
        Ok(machinery)
    }

    fn stop(self) {
        self.reaper.stop();
        for handle in self.threads.iter() {
            handle.mailbox.post(IoCmd::Stop);
        }
        for thread in self.running.into_iter().chain([self.reaping]) {
            if thread.join().is_err() {
                log::error!(target: "ferrozmq", "a thread of the context has panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_context_starts_nothing() {
        let ctx = Ctx::new();
        let running = |ctx: &Ctx| ctx.0.machinery.lock().is_some();
        drop(ctx.socket(SocketType::PUSH));
        assert!(running(&ctx));
        ctx.term(None).unwrap();
        for _ in 0..2 {
            let refused = ctx.socket(SocketType::PUSH);
            assert!(matches!(refused, Err(Error::Term)), "{refused:?}");
            assert!(!running(&ctx));
        }
    }
}
