//! What a socket meets that connects: it says what is wrong, and tries again, but not at once.

use ferrozmq::{DONTWAIT, ReconnectStop};

use crate::peer::{
    MORE, RawListener, RawPeer, SIGNATURE, command, frame, greeting, head, opening, ready,
};
use crate::*;

const INTERVAL: Duration = Duration::from_millis(50);

/// A socket that connects, and what it says of that.
struct Caller {
    socket: Socket,
    monitor: Monitor,
    listener: RawListener,
    _ctx: Ctx,
}

impl Caller {
    fn with(listener: RawListener, set: impl FnOnce(&Socket)) -> Self {
        let ctx = Ctx::new();
        let socket = patient(&ctx, PUSH);
        socket.set_reconnect_ivl(Some(INTERVAL)).unwrap();
        set(&socket);
        let monitor = socket.monitor();
        socket.connect(&listener.endpoint()).unwrap();
        Self {
            socket,
            monitor,
            listener,
            _ctx: ctx,
        }
    }

    /// Accepts the connection, and says this.
    #[track_caller]
    fn meet(&self, bytes: &[u8]) -> RawPeer {
        let mut peer = self.listener.accept();
        let _ = peer.try_send(bytes);
        peer
    }

    #[track_caller]
    fn expect_handshake_failed(&self, expected: &Reason) {
        let event = await_event(&self.monitor, |kind| {
            matches!(kind, EventKind::HandshakeFailed { .. })
        });
        assert_eq!(reason_of(&event).as_ref(), Some(expected));
    }

    /// The next wait is for the interval and a share of it.
    #[track_caller]
    fn expect_retry(&self, expected: &Reason) {
        let event = await_event(&self.monitor, |kind| {
            matches!(kind, EventKind::ConnectRetried { .. })
        });
        let EventKind::ConnectRetried { interval, reason } = event.kind else {
            return;
        };
        assert_eq!(reason, *expected);
        assert!((INTERVAL..INTERVAL * 2).contains(&interval), "{interval:?}");
    }

    /// The next connection is a good one, and what was sent all the while arrives.
    #[track_caller]
    fn finds_its_peer(&self) {
        let mut peer = self.meet(&opening("PULL", b""));
        peer.expect_opening();
        self.socket.send("at last", 0).unwrap();
        assert_eq!(peer.read_frame(), (0, b"at last".to_vec()));
    }
}

/// A peer says this, once and again: the handshake fails for this reason, and is tried again.
#[track_caller]
fn try_again(bytes: &[u8], error: ProtocolError) {
    let reason = Reason::Protocol(error);
    for listener in [RawListener::tcp(), RawListener::ipc()] {
        let caller = Caller::with(listener, |_| ());
        for _ in 0..3 {
            let mut peer = caller.meet(bytes);
            caller.expect_handshake_failed(&reason);
            caller.expect_retry(&reason);
            peer.expect_closed();
        }
        caller.finds_its_peer();
    }
}

#[test]
fn a_peer_of_the_wrong_type() {
    try_again(&opening("PUB", b""), ProtocolError::IncompatibleSocketType);
}

#[test]
fn a_peer_with_another_mechanism() {
    try_again(&greeting(3, 1, "CURVE"), ProtocolError::MechanismMismatch);
}

#[test]
fn a_peer_that_refuses() {
    let refusal = command("ERROR", b"\x03400");
    let bytes = [greeting(3, 1, "NULL"), refusal].concat();
    try_again(&bytes, ProtocolError::Refused(400));
}

#[test]
fn a_peer_that_does_not_speak_the_protocol() {
    let bytes = [SIGNATURE, b"\x01\x07", &head(0, u64::MAX)].concat();
    try_again(&bytes, ProtocolError::MalformedMessage);
}

#[test]
fn a_peer_that_sends_too_much() {
    let caller = Caller::with(RawListener::tcp(), |socket| {
        socket.set_maxmsgsize(Some(1000)).unwrap();
    });
    let reason = Reason::Protocol(ProtocolError::MessageTooLarge);
    for _ in 0..3 {
        let mut peer = caller.meet(&[opening("PULL", b""), head(0, 1001)].concat());
        caller.expect_retry(&reason);
        peer.expect_closed();
    }
    caller.finds_its_peer();
}

#[test]
fn a_peer_that_says_nothing() {
    let caller = Caller::with(RawListener::tcp(), |socket| {
        socket.set_handshake_ivl(Some(MOMENT)).unwrap();
    });
    for said in [&b""[..], b"\xFF", &opening("PULL", b"")[..64]] {
        let mut peer = caller.meet(said);
        caller.expect_handshake_failed(&Reason::HandshakeTimeout);
        caller.expect_retry(&Reason::HandshakeTimeout);
        peer.expect_closed();
    }
    caller.finds_its_peer();
}

/// Whoever accepts and closes at once is asked again now and then, not as fast as can be.
#[test]
fn a_peer_that_closes_at_once() {
    for listener in [RawListener::tcp(), RawListener::ipc()] {
        let caller = Caller::with(listener, |_| ());
        let until = Instant::now() + Duration::from_secs(1);
        let mut attempts = 0;
        while Instant::now() < until {
            attempts += usize::from(caller.listener.accept_within(MOMENT).is_some());
        }
        assert!((2..=21).contains(&attempts), "{attempts} attempts");
        await_event(&caller.monitor, |kind| {
            matches!(kind, EventKind::HandshakeFailed { .. })
        });
        caller.finds_its_peer();
    }
}

/// With a maximum the waits grow, and that the peer accepts does not make them short again.
#[test]
fn a_peer_that_closes_at_once_and_a_longest_interval() {
    let caller = Caller::with(RawListener::tcp(), |socket| {
        socket
            .set_reconnect_ivl(Some(Duration::from_millis(10)))
            .unwrap();
        socket
            .set_reconnect_ivl_max(Duration::from_millis(160))
            .unwrap();
    });
    let waits = [10, 20, 40, 80, 160, 160].map(Duration::from_millis);
    for wait in waits {
        caller.listener.accept().reset();
        let retried = await_event(&caller.monitor, |kind| {
            matches!(kind, EventKind::ConnectRetried { .. })
        });
        let is_it =
            |kind| matches!(kind, EventKind::ConnectRetried { interval, .. } if interval == wait);
        assert!(is_it(retried.kind.clone()), "{wait:?}: {:?}", retried.kind);
    }
    caller.finds_its_peer();
}

/// Nobody is there at all.
#[test]
fn an_endpoint_that_nobody_has() {
    let ctx = Ctx::new();
    let socket = patient(&ctx, PUSH);
    socket.set_reconnect_ivl(Some(INTERVAL)).unwrap();
    let monitor = socket.monitor();
    let endpoint = RawListener::tcp().endpoint();
    socket.connect(&endpoint).unwrap();
    let begun = Instant::now();
    for _ in 0..10 {
        let event = await_event(&monitor, |kind| {
            matches!(kind, EventKind::ConnectRetried { .. })
        });
        assert_eq!(event.remote, endpoint);
    }
    assert!(begun.elapsed() >= INTERVAL * 9);
}

/// Who prefers libzmq's way is told that it is the end.
#[test]
fn a_socket_that_gives_up() {
    let stop = |socket: &Socket| socket.set_reconnect_on_protocol_error(false).unwrap();
    let caller = Caller::with(RawListener::tcp(), stop);
    let _peer = caller.meet(&opening("PUB", b""));
    let stopped = await_event(&caller.monitor, |kind| {
        matches!(kind, EventKind::ConnectStopped { .. })
    });
    let reason = Reason::Protocol(ProtocolError::IncompatibleSocketType);
    assert!(matches!(stopped.kind, EventKind::ConnectStopped { reason: why } if why == reason));
    assert!(caller.listener.accept_within(INTERVAL * 4).is_none());
}

#[test]
fn a_socket_that_gives_up_when_a_handshake_fails() {
    let caller = Caller::with(RawListener::tcp(), |socket| {
        let mut stop = ReconnectStop::default();
        stop.handshake_failed = true;
        socket.set_reconnect_stop(stop).unwrap();
    });
    drop(caller.meet(b""));
    await_event(&caller.monitor, |kind| {
        matches!(kind, EventKind::ConnectStopped { .. })
    });
    assert!(caller.listener.accept_within(INTERVAL * 4).is_none());
}

/// The connection is lost again and again in the middle of a message from the peer: that one is
/// dropped, and what the socket has to send is not torn either.
#[test]
fn connections_that_end_within_messages() {
    let ctx = Ctx::new();
    let socket = patient(&ctx, DEALER);
    socket
        .set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    let listener = RawListener::tcp();
    socket.connect(&listener.endpoint()).unwrap();
    for _ in 0..100 {
        let mut peer = listener.accept();
        peer.send(&opening("DEALER", b""));
        peer.send(&[frame(0, b"whole"), frame(MORE, b"half")].concat());
        peer.expect_opening();
        assert_eq!(socket.recv_multipart(0).unwrap()[..], ["whole"]);
        peer.reset();
    }
    assert!(socket.recv_multipart(DONTWAIT).is_err());
}

/// The same server is lost in every possible place of its session.
#[test]
fn a_reset_at_every_byte() {
    let caller = Caller::with(RawListener::tcp(), |socket| {
        socket
            .set_reconnect_ivl(Some(Duration::from_millis(1)))
            .unwrap();
    });
    let session = [
        greeting(3, 1, "NULL"),
        ready("PULL", b"name"),
        frame(0, b"?"),
    ]
    .concat();
    for end in 0..=session.len() {
        caller.meet(&session[..end]).reset();
        await_event(&caller.monitor, |kind| {
            matches!(kind, EventKind::ConnectRetried { .. })
        });
    }
    caller.finds_its_peer();
}
