//! Peers that break the rules, by mistake or on purpose: whatever they do, the engine lives on,
//! says in an event what happened, serves whoever behaves, and does not grow without bound.
//!
//! Here is what the tests share; they are below by what goes wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/peer.rs"]
mod peer;

#[path = "hostile/connecting.rs"]
mod connecting;
#[path = "hostile/descriptors.rs"]
mod descriptors;
#[path = "hostile/groups.rs"]
mod groups;
#[path = "hostile/handshake.rs"]
mod handshake;
#[path = "hostile/inproc.rs"]
mod inproc;
#[path = "hostile/memory.rs"]
mod memory;
#[path = "hostile/naming.rs"]
mod naming;
#[path = "hostile/noise.rs"]
mod noise;
#[path = "hostile/silence.rs"]
mod silence;
#[path = "hostile/topics.rs"]
mod topics;
#[path = "hostile/traffic.rs"]
mod traffic;

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ferrozmq::SocketType::{self, *};
use ferrozmq::{Ctx, Event, EventKind, Monitor, POLLIN, ProtocolError, Reason, Socket};

use crate::peer::RawPeer;

/// What takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// For something that should not happen: how long it is given to happen.
const MOMENT: Duration = Duration::from_millis(200);

/// Endpoints to bind to, on all transports that have connections.
const EVERYWHERE: [&str; 2] = ["tcp://127.0.0.1:*", "ipc://*"];
const TCP: &str = EVERYWHERE[0];

/// The variable that tells a process to run a test itself.
const OWN_PROCESS: &str = "FERROZMQ_OWN_PROCESS";

/// A bound socket that is attacked.
struct Victim {
    ctx: Ctx,
    socket: Socket,
    monitor: Monitor,
    endpoint: String,
}

impl Victim {
    fn new(socket_type: SocketType, endpoint: &str) -> Self {
        Self::with(socket_type, endpoint, |_| ())
    }

    /// A victim with options that must be set before it is bound.
    fn with(socket_type: SocketType, endpoint: &str, set: impl FnOnce(&Socket)) -> Self {
        let ctx = Ctx::new();
        let socket = patient(&ctx, socket_type);
        set(&socket);
        let monitor = socket.monitor();
        socket.bind(endpoint).unwrap();
        let endpoint = socket.last_endpoint();
        Self {
            ctx,
            socket,
            monitor,
            endpoint,
        }
    }

    #[track_caller]
    fn peer(&self) -> RawPeer {
        RawPeer::connect(&self.endpoint)
    }

    /// A peer that sends these bytes at once.
    #[track_caller]
    fn peer_that_sends(&self, bytes: &[u8]) -> RawPeer {
        let mut peer = self.peer();
        // The engine may have had enough before it has read everything.
        let _ = peer.try_send(bytes);
        peer
    }

    /// A peer that has done its handshake.
    #[track_caller]
    fn ready_peer(&self, socket_type: &str) -> RawPeer {
        let peer = RawPeer::shake_hands(&self.endpoint, socket_type, b"");
        self.event(|kind| matches!(kind, EventKind::HandshakeSucceeded));
        self.socket.get_events().unwrap();
        peer
    }

    /// Lets a peer act while the socket takes notice of what it does: that happens in calls.
    fn attend<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let acting = scope.spawn(act);
            while !acting.is_finished() {
                self.socket.get_events().unwrap();
                std::thread::park_timeout(Duration::from_micros(100));
            }
            acting.join().unwrap()
        })
    }

    /// Takes notice of what comes until a connection has ended.
    #[track_caller]
    fn attend_to_the_end(&self) {
        wait_until(|| {
            self.socket.get_events().unwrap();
            let event = self.monitor.try_recv();
            event.is_some_and(|event| matches!(event.kind, EventKind::Disconnected { .. }))
        });
    }

    // ── what the monitor says ────────────────────────────────────────────────────────────────

    #[track_caller]
    fn event(&self, wanted: impl Fn(&EventKind) -> bool) -> Event {
        await_event(&self.monitor, wanted)
    }

    /// The next handshake that fails does so for this reason.
    #[track_caller]
    fn expect_handshake_failed(&self, expected: Reason) {
        let event = self.event(|kind| matches!(kind, EventKind::HandshakeFailed { .. }));
        let EventKind::HandshakeFailed { reason } = event.kind else {
            return;
        };
        assert_eq!(reason, expected);
        assert_eq!(event.local, self.endpoint);
    }

    #[track_caller]
    fn expect_refused(&self, error: ProtocolError) {
        self.expect_handshake_failed(Reason::Protocol(error));
    }

    /// The next connection that ends does so for this reason.
    #[track_caller]
    fn expect_disconnected(&self, expected: Reason) {
        let event = self.event(|kind| matches!(kind, EventKind::Disconnected { .. }));
        assert_eq!(reason_of(&event), Some(expected));
    }

    /// So many connections end, for whatever reasons.
    #[track_caller]
    fn expect_all_gone(&self, connections: usize) {
        for _ in 0..connections {
            self.event(|kind| matches!(kind, EventKind::Disconnected { .. }));
        }
    }

    /// Nothing is said of a connection that ends.
    #[track_caller]
    fn expect_none_lost(&self) {
        let lost = |event: &Event| matches!(event.kind, EventKind::Disconnected { .. });
        let deadline = Instant::now() + MOMENT;
        assert!(self.monitor.wait_for(deadline, lost).is_none());
    }

    // ── whether it still serves ──────────────────────────────────────────────────────────────

    /// A peer that behaves is served as if there were no others.
    #[track_caller]
    fn still_serves(&self) {
        static ROUND: AtomicU32 = AtomicU32::new(0);
        let token = format!("round {}", ROUND.fetch_add(1, Ordering::Relaxed));
        let client = patient(&self.ctx, partner(&self.socket));
        if client.socket_type() == SUB {
            client.set_subscribe(b"").unwrap();
        }
        client.connect(&self.endpoint).unwrap();
        match self.socket.socket_type() {
            PULL | DEALER | PAIR => {
                client.send(&*token, 0).unwrap();
                self.receive(&token);
            }
            ROUTER | REP => {
                client.send(&*token, 0).unwrap();
                self.reply(&token);
                assert_eq!(client.recv_string(0).unwrap(), token);
            }
            PUSH | PUB | XPUB => offer(&self.socket, &client, &token),
            SUB | XSUB => offer(&client, &self.socket, &token),
            other => panic!("{other} is no victim"),
        }
    }

    /// Receives until the message comes; what others sent does not matter.
    #[track_caller]
    fn receive(&self, token: &str) {
        while self.socket.recv_multipart(0).unwrap().last().unwrap() != token {}
    }

    /// Answers requests until this one has its answer.
    #[track_caller]
    fn reply(&self, token: &str) {
        loop {
            let request = self.socket.recv_multipart(0).unwrap();
            let body = request.last().unwrap().clone();
            let is_ours = body == token;
            if self.socket.socket_type() == ROUTER {
                self.socket.send_multipart([request[0].clone(), body], 0)
            } else {
                self.socket.send_multipart([body], 0)
            }
            .unwrap();
            if is_ours {
                return;
            }
        }
    }
}

/// Sends a message again and again until it arrives.
#[track_caller]
fn offer(sender: &Socket, receiver: &Socket, token: &str) {
    wait_until(|| {
        let _ = sender.try_send(token);
        receiver
            .poll(POLLIN, Some(Duration::from_millis(2)))
            .unwrap()
            == POLLIN
            && receiver.recv_string(0).unwrap() == token
    });
}

/// The type of a client for this socket.
fn partner(socket: &Socket) -> SocketType {
    match socket.socket_type() {
        PULL => PUSH,
        PUSH => PULL,
        ROUTER | DEALER => DEALER,
        REP => REQ,
        PUB | XPUB => SUB,
        SUB | XSUB => PUB,
        PAIR => PAIR,
        other => panic!("{other} is no victim"),
    }
}

/// A socket that gives up after [`LIMIT`] and does not linger.
fn patient(ctx: &Ctx, socket_type: SocketType) -> Socket {
    let socket = ctx.socket(socket_type).unwrap();
    socket.set_sndtimeo(Some(LIMIT)).unwrap();
    socket.set_rcvtimeo(Some(LIMIT)).unwrap();
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    socket
}

#[track_caller]
fn await_event(monitor: &Monitor, wanted: impl Fn(&EventKind) -> bool) -> Event {
    let deadline = Instant::now() + LIMIT;
    let event = monitor.wait_for(deadline, |event| wanted(&event.kind));
    event.expect("the event does not come")
}

/// Why a connection ended or a handshake failed, if the event is about that.
fn reason_of(event: &Event) -> Option<Reason> {
    if let EventKind::Disconnected { reason, .. } = &event.kind {
        return Some(reason.clone());
    }
    if let EventKind::HandshakeFailed { reason } = &event.kind {
        return Some(reason.clone());
    }
    None
}

/// Asks again and again until the answer is yes.
#[track_caller]
fn wait_until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "it does not come true");
        std::thread::yield_now();
    }
}

/// Runs a test alone in a process of its own: memory, descriptors and processor time are a whole
/// process's. `name` is the test's, with its module.
#[track_caller]
fn in_own_process(name: &str, test: impl FnOnce()) {
    if std::env::var(OWN_PROCESS).is_ok_and(|own| own == name) {
        return test();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(OWN_PROCESS, name)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let passed = output.status.success() && out.contains("1 passed");
    assert!(passed, "{name}: {}\n{out}\n{err}", output.status);
}
