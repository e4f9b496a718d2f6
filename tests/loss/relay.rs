//! [`Relay`]: stands between a connecting and a listening socket, passes bytes on, and cuts the
//! connection after a random number of them; in the end it lets one connection be.
//!
//! It makes a new connection only when the receiver has read all that came over the old one: a
//! socket reads from all its connections in turn, so that otherwise new messages would overtake
//! old ones.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::common::wait_until;

use socket2::{Domain, SockAddr, Socket, Type};

/// How many bytes are passed on at once.
pub(crate) const CHUNK: usize = 8 * 1024;

/// The most bytes that pass before a cut.
const BYTES_MAX: f64 = 1_000_000.0;

#[derive(Debug, Default)]
struct State {
    cuts: AtomicUsize,
    /// The cuts up to which the receiver has read everything.
    read: AtomicUsize,
    healed: AtomicBool,
}

/// A relay that runs until the connection that it lets be has ended.
#[derive(Debug)]
pub(crate) struct Relay {
    endpoint: String,
    state: Arc<State>,
}

impl Relay {
    /// Starts a relay at a fresh endpoint that leads to `server`.
    pub(crate) fn start(fresh: &str, server: &str, cuts: usize, buffer: usize) -> Self {
        let listener = listen(fresh, buffer);
        let endpoint = match listener.local_addr().unwrap().as_socket() {
            Some(address) => format!("tcp://{address}"),
            None => fresh.to_owned(),
        };
        let (server, state) = (server.to_owned(), Arc::<State>::default());
        let shared = state.clone();
        std::thread::spawn(move || {
            for _ in 0..cuts {
                // As many short as long ones: a cut may come in the greeting.
                let bytes = BYTES_MAX.powf(fastrand::f64()) as usize;
                pass(&listener, &server, bytes, || {});
                let cuts = 1 + shared.cuts.fetch_add(1, Ordering::AcqRel);
                wait_until(|| shared.read.load(Ordering::Acquire) == cuts);
            }
            let healed = || shared.healed.store(true, Ordering::Relaxed);
            pass(&listener, &server, usize::MAX, healed);
        });
        Self { endpoint, state }
    }

    /// Where to connect to.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// How many connections have been cut, and ended at the receiver too.
    pub(crate) fn cuts(&self) -> usize {
        self.state.cuts.load(Ordering::Acquire)
    }

    /// The receiver has read everything that came over the first so many connections.
    pub(crate) fn set_read(&self, connections: usize) {
        self.state.read.store(connections, Ordering::Release);
    }

    /// Whether bytes pass that nothing will cut off.
    pub(crate) fn is_healed(&self) -> bool {
        self.state.healed.load(Ordering::Relaxed)
    }
}

/// Takes one connection and passes so many bytes on to the server, and all that comes back.
fn pass(listener: &Socket, server: &str, bytes: usize, begun: impl Fn()) {
    let (client, _) = listener.accept().unwrap();
    let server = dial(server);
    std::thread::scope(|scope| {
        scope.spawn(|| copy(&server, &client, usize::MAX, || {}));
        copy(&client, &server, bytes, begun);
        // Either may have been closed from the other side. The server's end is waited for.
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Write);
    });
}

/// Copies bytes until there are so many, or the connection ends in whatever way.
fn copy(mut from: &Socket, mut to: &Socket, bytes: usize, begun: impl Fn()) {
    let (mut chunk, mut left) = ([0; CHUNK], bytes);
    while left > 0 {
        let limit = left.min(CHUNK);
        let read = match from.read(&mut chunk[..limit]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        begun();
        if to.write_all(&chunk[..read]).is_err() {
            return;
        }
        left -= read;
    }
}

fn address(endpoint: &str) -> (Domain, SockAddr) {
    match endpoint.split_once("://").unwrap() {
        ("ipc", path) => (Domain::UNIX, SockAddr::unix(path).unwrap()),
        (_, address) => {
            let address = address.replace('*', "0");
            (Domain::IPV4, address.parse::<SocketAddr>().unwrap().into())
        }
    }
}

fn listen(endpoint: &str, buffer: usize) -> Socket {
    let (domain, address) = address(endpoint);
    let listener = Socket::new(domain, Type::STREAM, None).unwrap();
    // Accepted connections inherit it.
    listener.set_recv_buffer_size(buffer).unwrap();
    listener.bind(&address).unwrap();
    listener.listen(16).unwrap();
    listener
}

fn dial(endpoint: &str) -> Socket {
    let (domain, address) = address(endpoint);
    let socket = Socket::new(domain, Type::STREAM, None).unwrap();
    socket.connect(&address).unwrap();
    socket
}
