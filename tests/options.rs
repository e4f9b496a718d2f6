//! Every socket option by the public API: its default, its range, and what it does.
//!
//! What system sockets are told is looked at by the unit tests of the transports, where their
//! descriptors are at hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "options/automatic.rs"]
mod automatic;
#[path = "options/connecting.rs"]
mod connecting;
#[path = "options/filters.rs"]
mod filters;
#[path = "options/handshake.rs"]
mod handshake;
#[path = "options/patterns.rs"]
mod patterns;
#[path = "options/peers.rs"]
mod peers;
#[path = "options/queues.rs"]
mod queues;
#[path = "options/socks.rs"]
mod socks;
#[path = "options/values.rs"]
mod values;

use std::time::{Duration, Instant};

use ferrozmq::{Ctx, Error, Event, EventKind, Monitor, Result, Socket, SocketType};

/// How long what must happen may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A socket whose calls do not wait for ever.
#[track_caller]
fn socket(ctx: &Ctx, socket_type: SocketType) -> Socket {
    let socket = ctx.socket(socket_type).unwrap();
    socket.set_rcvtimeo(Some(PATIENCE)).unwrap();
    socket.set_sndtimeo(Some(PATIENCE)).unwrap();
    socket
}

/// Binds a socket to a free tcp port, and returns the endpoint.
#[track_caller]
fn bound(socket: &Socket) -> String {
    socket.bind("tcp://127.0.0.1:*").unwrap();
    socket.last_endpoint()
}

/// Two sockets, the second connected to the first, over tcp.
#[track_caller]
fn pair(ctx: &Ctx, server: SocketType, client: SocketType) -> (Socket, Socket) {
    let (server, client) = (socket(ctx, server), socket(ctx, client));
    client.connect(&bound(&server)).unwrap();
    (server, client)
}

#[track_caller]
fn frames(socket: &Socket) -> Vec<Vec<u8>> {
    let frames = socket.recv_multipart(0).unwrap();
    frames.iter().map(|frame| frame.to_vec()).collect()
}

#[track_caller]
fn event(monitor: &Monitor, wanted: impl Fn(&EventKind) -> bool) -> Event {
    let found = monitor.wait_for(Instant::now() + PATIENCE, |event| wanted(&event.kind));
    found.expect("the event has not come")
}

#[track_caller]
fn assert_invalid<T: std::fmt::Debug>(outcome: Result<T>) {
    assert!(
        matches!(outcome, Err(Error::InvalidArgument(_))),
        "{outcome:?}"
    );
}

/// Asks again and again until the answer is yes.
#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::yield_now();
    }
}
