//! Security by the public API: who is let in, who is refused, and who hears of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/peer.rs"]
mod peer;

#[path = "security/authenticator.rs"]
mod authenticator;
#[path = "security/curve.rs"]
mod curve;
#[path = "security/options.rs"]
mod options;
#[path = "security/plain.rs"]
mod plain;
#[path = "security/zap.rs"]
mod zap;

use ferrozmq::SocketType::{self, *};
use ferrozmq::{Ctx, EventKind, Monitor, Reason, Socket};

use crate::common::{await_event, patient};

/// Where connections are possible.
const EVERYWHERE: [&str; 2] = ["tcp://127.0.0.1:*", "ipc://*"];
const TCP: &str = EVERYWHERE[0];

/// A socket that listens, and what becomes of those who come.
struct Server {
    socket: Socket,
    monitor: Monitor,
}

impl Server {
    fn new(ctx: &Ctx, socket_type: SocketType, set: impl FnOnce(&Socket)) -> Self {
        Self::at(TCP, ctx, socket_type, set)
    }

    fn at(endpoint: &str, ctx: &Ctx, socket_type: SocketType, set: impl FnOnce(&Socket)) -> Self {
        let socket = patient(ctx, socket_type);
        set(&socket);
        let monitor = socket.monitor();
        socket.bind(endpoint).unwrap();
        Self { socket, monitor }
    }

    /// A socket that connects to it.
    fn client(&self, socket_type: SocketType, set: impl FnOnce(&Socket)) -> Self {
        let socket = patient(self.socket.context(), socket_type);
        socket.set_reconnect_on_protocol_error(false).unwrap();
        set(&socket);
        let monitor = socket.monitor();
        socket.connect(&self.socket.last_endpoint()).unwrap();
        Self { socket, monitor }
    }

    /// Waits until a handshake has failed, and tells why.
    #[track_caller]
    fn failure(&self) -> Reason {
        let event = await_event(&self.monitor, |kind| {
            assert!(
                !matches!(kind, EventKind::HandshakeSucceeded),
                "the handshake succeeds"
            );
            matches!(kind, EventKind::HandshakeFailed { .. })
        });
        match event.kind {
            EventKind::HandshakeFailed { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn await_success(&self) {
        await_event(&self.monitor, |kind| {
            if let EventKind::HandshakeFailed { reason } = kind {
                panic!("the handshake fails: {reason}");
            }
            matches!(kind, EventKind::HandshakeSucceeded)
        });
    }

    /// Sees to it that a message of the client's arrives.
    #[track_caller]
    fn hears(&self, client: &Self) {
        client.socket.send("hello", 0).unwrap();
        assert_eq!(self.socket.recv_string(0).unwrap(), "hello");
    }
}
