//! What the behaviour tests share: a context whose sockets cannot hang a test, endpoints on every
//! transport, and ways to wait for what happens in the background.
//!
//! Nothing here waits for a fixed time: a wait ends with what it waits for, or fails the test.

// Each test binary uses a part of it.
#![allow(dead_code, reason = "no test binary uses all of it")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ferrozmq::{Ctx, DONTWAIT, Error, Event, EventKind, Monitor, POLLIN, Socket, SocketType};

/// What takes longer than this has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// For calls that are expected to run into their time limit.
pub(crate) const SHORT: Duration = Duration::from_millis(50);

/// How the sockets of a test talk to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    Inproc,
    Ipc,
    Tcp,
}

/// Makes a test of each function for each of the transports.
#[macro_export]
macro_rules! on_each_transport {
    ($($check:ident),+ $(,)?) => {
        $crate::tests_over!(inproc, Inproc, $($check),+);
        $crate::tests_over!(ipc, Ipc, $($check),+);
        $crate::tests_over!(tcp, Tcp, $($check),+);
    };
}

/// Makes a test of each function for each of the transports that have connections.
#[macro_export]
macro_rules! on_network_transports {
    ($($check:ident),+ $(,)?) => {
        $crate::tests_over!(only_ipc, Ipc, $($check),+);
        $crate::tests_over!(only_tcp, Tcp, $($check),+);
    };
}

/// Makes a test of each function for one transport.
#[macro_export]
macro_rules! tests_over {
    ($module:ident, $transport:ident, $($check:ident),+) => {
        mod $module {
            use $crate::common::{Rig, Transport};
            $(#[test] fn $check() {
                super::$check(&Rig::new(Transport::$transport));
            })+
        }
    };
}

/// A context, and sockets that talk over one transport.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) ctx: Ctx,
    pub(crate) transport: Transport,
    /// Where the files of ipc are.
    pub(crate) directory: tempfile::TempDir,
}

impl Rig {
    pub(crate) fn new(transport: Transport) -> Self {
        Self {
            ctx: Ctx::new(),
            transport,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn is_inproc(&self) -> bool {
        self.transport == Transport::Inproc
    }

    /// A socket that gives up after [`LIMIT`] and does not linger.
    pub(crate) fn socket(&self, socket_type: SocketType) -> Socket {
        patient(&self.ctx, socket_type)
    }

    /// An endpoint that a socket can be bound to and nobody else has.
    pub(crate) fn fresh_endpoint(&self) -> String {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        match self.transport {
            Transport::Inproc => format!("inproc://{number}"),
            Transport::Ipc => format!("ipc://{}/{number}", self.directory.path().display()),
            Transport::Tcp => "tcp://127.0.0.1:*".to_owned(),
        }
    }

    /// An endpoint that nobody listens at but who is told of it, and what keeps it free.
    pub(crate) fn reserved_endpoint(&self) -> (String, Option<socket2::Socket>) {
        if self.transport != Transport::Tcp {
            return (self.fresh_endpoint(), None);
        }
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let keeper = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let keeper = keeper.unwrap();
        keeper.set_reuse_address(true).unwrap();
        keeper.bind(&loopback.into()).unwrap();
        let port = keeper.local_addr().unwrap().as_socket().unwrap().port();
        (format!("tcp://127.0.0.1:{port}"), Some(keeper))
    }

    /// A bound socket; its endpoint is its last.
    pub(crate) fn bound(&self, socket_type: SocketType) -> Socket {
        let socket = self.socket(socket_type);
        socket.bind(&self.fresh_endpoint()).unwrap();
        socket
    }

    /// A socket that is connected to a bound one, handshake and all.
    pub(crate) fn connected(&self, socket_type: SocketType, to: &Socket) -> Socket {
        let socket = self.socket(socket_type);
        link(to, &socket);
        socket
    }

    /// A bound socket and one that is connected to it.
    pub(crate) fn pair(&self, bound: SocketType, connected: SocketType) -> (Socket, Socket) {
        let bound = self.bound(bound);
        let connected = self.connected(connected, &bound);
        (bound, connected)
    }
}

/// A socket that gives up after [`LIMIT`] and does not linger.
pub(crate) fn patient(ctx: &Ctx, socket_type: SocketType) -> Socket {
    let socket = ctx.socket(socket_type).unwrap();
    socket.set_sndtimeo(Some(LIMIT)).unwrap();
    socket.set_rcvtimeo(Some(LIMIT)).unwrap();
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    socket
}

/// Waits until the monitored connection is up; there is none to wait for within a process.
#[track_caller]
pub(crate) fn await_handshake(rig: &Rig, monitor: &Monitor) {
    if !rig.is_inproc() {
        await_event(monitor, |kind| {
            matches!(kind, EventKind::HandshakeSucceeded)
        });
    }
}

/// Waits until the monitored connection is lost.
#[track_caller]
pub(crate) fn await_loss(monitor: &Monitor) {
    await_event(monitor, |kind| {
        matches!(kind, EventKind::Disconnected { .. })
    });
}

/// Connects a socket to the last endpoint of another, and waits until both know of it.
#[track_caller]
pub(crate) fn link(bound: &Socket, connecting: &Socket) {
    link_to(&bound.last_endpoint(), bound, connecting);
}

/// Connects a socket to an endpoint of another, and waits until both know of it.
#[track_caller]
pub(crate) fn link_to(endpoint: &str, bound: &Socket, connecting: &Socket) {
    let monitors = [bound.monitor(), connecting.monitor()];
    connecting.connect(endpoint).unwrap();
    if !endpoint.starts_with("inproc://") {
        for monitor in &monitors {
            await_event(monitor, |kind| {
                matches!(kind, EventKind::HandshakeSucceeded)
            });
        }
    }
    // A socket takes notice of a new peer only in a call.
    for socket in [bound, connecting, bound] {
        socket.get_events().unwrap();
    }
}

/// The first event of a kind, skipping others.
#[track_caller]
pub(crate) fn await_event(monitor: &Monitor, wanted: impl Fn(&EventKind) -> bool) -> Event {
    let event = monitor.wait_for(deadline(), |event| wanted(&event.kind));
    event.expect("the event does not come")
}

pub(crate) fn deadline() -> Instant {
    Instant::now() + LIMIT
}

/// Sends the numbers of a range as messages of their own.
#[track_caller]
pub(crate) fn send_numbers(socket: &Socket, numbers: std::ops::Range<usize>) {
    for n in numbers {
        socket.send(n.to_string(), 0).unwrap();
    }
}

/// Receives the numbers of a range, in order and nothing between them.
#[track_caller]
pub(crate) fn recv_numbers(socket: &Socket, numbers: std::ops::Range<usize>) {
    for n in numbers {
        assert_eq!(recv(socket), [n.to_string()]);
    }
}

/// Asks again and again until the answer is yes.
#[track_caller]
pub(crate) fn wait_until(mut condition: impl FnMut() -> bool) {
    let deadline = deadline();
    while !condition() {
        assert!(Instant::now() < deadline, "it does not come true");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Runs what might never return on a thread of its own, and fails if it takes too long.
#[track_caller]
pub(crate) fn in_time<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || done.send(act()));
    result.recv_timeout(LIMIT).expect("it does not end")
}

/// Sends a message of text frames.
#[track_caller]
pub(crate) fn send(socket: &Socket, frames: &[&str]) {
    socket.send_multipart(frames.iter().copied(), 0).unwrap();
}

/// Sends a message of text frames to the peer of a routing id.
#[track_caller]
pub(crate) fn send_to(socket: &Socket, id: &[u8], frames: &[&str]) {
    let frames = frames.iter().map(|frame| frame.as_bytes());
    let frames = std::iter::once(id).chain(frames);
    socket.send_multipart(frames, 0).unwrap();
}

/// Receives a message as text frames.
#[track_caller]
pub(crate) fn recv(socket: &Socket) -> Vec<String> {
    text(&socket.recv_multipart(0).unwrap())
}

/// Receives a message: the peer's routing id, and text frames.
#[track_caller]
pub(crate) fn recv_from(socket: &Socket) -> (Vec<u8>, Vec<String>) {
    let frames = socket.recv_multipart(0).unwrap();
    (frames[0].to_vec(), text(&frames[1..]))
}

fn text(frames: &[ferrozmq::Msg]) -> Vec<String> {
    let text = |frame: &ferrozmq::Msg| String::from_utf8_lossy(frame).into_owned();
    frames.iter().map(text).collect()
}

/// What is there to be received now, message by message.
#[track_caller]
pub(crate) fn recv_all(socket: &Socket) -> Vec<Vec<String>> {
    let mut messages = Vec::new();
    loop {
        match socket.recv_multipart(DONTWAIT) {
            Ok(frames) => messages.push(text(&frames)),
            Err(Error::Again) => return messages,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Sends numbered messages of one frame until no more is accepted, and returns how many were.
#[track_caller]
pub(crate) fn fill(socket: &Socket) -> usize {
    (0..)
        .take_while(|n: &usize| match socket.try_send(n.to_string()) {
            Ok(()) => true,
            Err(failed) => {
                assert!(matches!(failed.error, Error::Again), "{failed}");
                false
            }
        })
        .count()
}

/// Publishes until the subscriber gets it, so that its subscription to the topic is known to have
/// arrived; and sees to it that nothing of that is left.
#[track_caller]
pub(crate) fn await_subscription(publisher: &Socket, subscriber: &Socket, topic: &str) {
    let round = |n: usize| format!("{topic} round {n}");
    let mut rounds = 0;
    wait_until(|| {
        rounds += 1;
        send(publisher, &[&round(rounds)]);
        subscriber.poll(POLLIN, Some(SHORT)).unwrap() == POLLIN
    });
    while recv(subscriber) != [round(rounds)] {}
}
