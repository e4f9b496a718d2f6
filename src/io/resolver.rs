//! From hosts to addresses: literals and interfaces at once, names of other hosts on threads of
//! their own, because `getaddrinfo` blocks for as long as DNS likes.
//!
//! Owns up to four detached threads, which start when needed and end when idle. An I/O thread
//! must never look a name up itself: it may call all of this file but [`addresses`].

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::SockaddrStorage;

use crate::endpoint::{Host, HostPort};
use crate::signaler::ThreadStart;

/// How many lookups run at the same time; a fifth one waits for the first that is done.
const MAX_THREADS: usize = 4;
/// How long a thread waits for another lookup before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// What is told of a lookup: at least one address, in the order to try them.
type Found = io::Result<Vec<SocketAddr>>;

/// Who is told; called once, and must not panic.
pub(crate) type Done = Box<dyn FnOnce(Found) + Send>;

/// A handle of the lookup threads. When the last one is dropped, idle threads end.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    jobs: Sender<Job>,
    pool: Arc<Pool>,
}

/// What the threads share. Holds no `Sender`: the channel closes with the last [`Resolver`].
#[derive(Debug)]
struct Pool {
    jobs: Receiver<Job>,
    name: String,
    start: ThreadStart,
    idle: Duration,
    threads: AtomicUsize,
    /// Lookups that are queued or running, their `done` included.
    unfinished: AtomicUsize,
}

struct Job {
    host: String,
    port: u16,
    ipv6: bool,
    done: Done,
}

impl Resolver {
    /// A resolver without threads yet; theirs will be called `name`.
    pub(crate) fn new(name: impl Into<String>, start: ThreadStart) -> Self {
        Self::with_idle(name.into(), start, IDLE)
    }

    fn with_idle(name: String, start: ThreadStart, idle: Duration) -> Self {
        let (sender, receiver) = unbounded();
        let pool = Pool {
            jobs: receiver,
            name,
            start,
            idle,
            threads: AtomicUsize::new(0),
            unfinished: AtomicUsize::new(0),
        };
        Self {
            jobs: sender,
            pool: Arc::new(pool),
        }
    }

    /// Looks a host name up and tells `done` all its addresses: IPv4 only, unless `ipv6`.
    ///
    /// `done` runs on a lookup thread; on the caller's, with an error, if none can be started.
    pub(crate) fn resolve(&self, host: &str, port: u16, ipv6: bool, done: Done) {
        let job = Job {
            host: host.to_owned(),
            port,
            ipv6,
            done,
        };
        let unfinished = self.pool.unfinished.fetch_add(1, Ordering::SeqCst) + 1;
        self.jobs
            .send(job)
            .expect("the pool, which we hold, holds a receiver");
        if self.pool.enter(unfinished) {
            self.pool.start();
        }
    }
}

impl Pool {
    /// Counts one more thread, if there are fewer than the lookups need and than are allowed.
    fn enter(&self, wanted: usize) -> bool {
        let limit = wanted.min(MAX_THREADS);
        let more = |threads| (threads < limit).then_some(threads + 1);
        self.threads
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more)
            .is_ok()
    }

    /// Uncounts a thread, and tells whether lookups are left that nobody may have seen.
    ///
    /// Who queues a job first queues and then reads the count; who leaves first writes the count
    /// and then looks at the queue. All of it is `SeqCst`, so one of the two sees the other.
    fn leave(&self) -> bool {
        self.threads.fetch_sub(1, Ordering::SeqCst);
        !self.jobs.is_empty()
    }

    /// Starts a thread that was counted by `enter`.
    fn start(self: &Arc<Self>) {
        let pool = Arc::clone(self);
        let started = thread::Builder::new()
            .name(self.name.clone())
            .spawn(move || {
                pool.start.run();
                pool.run();
            });
        if let Err(error) = started {
            log::warn!("no thread for name lookups: {error}");
            self.on_no_thread(&error);
        }
    }

    /// Answers what is queued with `error`, unless another thread is there to serve it.
    fn on_no_thread(&self, error: &io::Error) {
        self.threads.fetch_sub(1, Ordering::SeqCst);
        while self.threads.load(Ordering::SeqCst) == 0 {
            let Ok(job) = self.jobs.try_recv() else {
                return;
            };
            self.finish(job.done, Err(copy(error)));
        }
    }

    fn run(&self) {
        loop {
            while let Ok(job) = self.jobs.recv_timeout(self.idle) {
                let found = look_up(&job.host, job.port, job.ipv6);
                self.finish(job.done, found);
            }
            if !(self.leave() && self.enter(MAX_THREADS)) {
                return;
            }
        }
    }

    fn finish(&self, done: Done, found: Found) {
        done(found);
        self.unfinished.fetch_sub(1, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

fn copy(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

/// The addresses of a host to connect to, if that needs no lookup.
pub(crate) fn immediate(target: &HostPort, ipv6: bool) -> Option<Found> {
    match &target.host {
        Host::Any => Some(Err(no_address())),
        Host::V4(address) => Some(Ok(vec![(*address, target.port).into()])),
        Host::V6(address, zone) if ipv6 => {
            Some(v6(*address, zone.as_deref(), target.port).map(|address| vec![address]))
        }
        Host::V6(..) => Some(Err(no_address())),
        Host::Name(_) => None,
    }
}

/// The local end for a connection to `destination`: an address of the same family.
pub(crate) fn resolve_source(source: &HostPort, destination: SocketAddr) -> io::Result<SocketAddr> {
    let candidates = match &source.host {
        Host::Any => wildcards(source.port, true),
        Host::V4(address) => vec![(*address, source.port).into()],
        Host::V6(address, zone) => vec![v6(*address, zone.as_deref(), source.port)?],
        Host::Name(name) => interface(name, source.port),
    };
    candidates
        .into_iter()
        .find(|address| address.is_ipv4() == destination.is_ipv4())
        .ok_or_else(no_address)
}

/// The addresses to bind to, the best first; none, if no host or interface is called so.
///
/// Blocks, if the name is in DNS only.
pub(crate) fn addresses(target: &HostPort, ipv6: bool) -> Vec<SocketAddr> {
    match &target.host {
        Host::Any => wildcards(target.port, ipv6),
        Host::V4(_) | Host::V6(..) => {
            let literal = immediate(target, ipv6);
            literal.and_then(Result::ok).unwrap_or_default()
        }
        Host::Name(name) => named_addresses(name, target.port, ipv6),
    }
}

/// The addresses of an interface, or else of a host.
fn named_addresses(name: &str, port: u16, ipv6: bool) -> Vec<SocketAddr> {
    let mut addresses = interface(name, port);
    addresses.retain(|address| ipv6 || address.is_ipv4());
    if addresses.is_empty() {
        return look_up(name, port, ipv6).unwrap_or_default();
    }
    // A link-local address is reached from its own link only.
    addresses.sort_by_key(|address| (address.is_ipv4() == ipv6, is_link_local(address)));
    addresses
}

/// All addresses of this host; IPv6 takes IPv4 in, where the system has it.
fn wildcards(port: u16, ipv6: bool) -> Vec<SocketAddr> {
    let v6 = ipv6.then(|| (Ipv6Addr::UNSPECIFIED, port).into());
    let v4 = (Ipv4Addr::UNSPECIFIED, port).into();
    v6.into_iter().chain([v4]).collect()
}

fn v6(address: Ipv6Addr, zone: Option<&str>, port: u16) -> io::Result<SocketAddr> {
    let scope = match zone.map(|zone| (zone, zone.parse())) {
        None => 0,
        Some((_, Ok(number))) => number,
        Some((name, Err(_))) => if_nametoindex(name)?,
    };
    Ok(SocketAddrV6::new(address, port, 0, scope).into())
}

/// The addresses of a network interface, in the system's order.
fn interface(name: &str, port: u16) -> Vec<SocketAddr> {
    let Ok(all) = getifaddrs() else {
        return Vec::new();
    };
    all.filter(|found| found.interface_name == name)
        .filter_map(|found| to_std(&found.address?))
        .map(|mut address| {
            address.set_port(port);
            address
        })
        .collect()
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from(*v4));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::from(*v6)))
}

fn is_link_local(address: &SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

fn look_up(host: &str, port: u16, ipv6: bool) -> Found {
    let all = (host, port).to_socket_addrs()?;
    let wanted: Vec<_> = all.filter(|found| ipv6 || found.is_ipv4()).collect();
    if wanted.is_empty() {
        return Err(no_address());
    }
    Ok(wanted)
}

fn no_address() -> io::Error {
    io::Error::new(
        io::ErrorKind::AddrNotAvailable,
        "the host has no address of a family that is allowed",
    )
}

#[cfg(test)]
mod tests;
