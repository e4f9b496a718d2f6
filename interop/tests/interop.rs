//! ferrozmq and libzmq talk to each other: every pattern, over every transport that crosses a
//! process, with either of them as the side that binds.
//!
//! A test is written once, for a [`Link`] that says who binds and over what; here is what the
//! tests share. Nothing waits for a fixed time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "interop/curve.rs"]
mod curve;
#[path = "interop/end.rs"]
mod end;
#[path = "interop/heartbeats.rs"]
mod heartbeats;
#[path = "interop/lifecycle.rs"]
mod lifecycle;
#[path = "interop/messages.rs"]
mod messages;
#[path = "interop/patterns.rs"]
mod patterns;
#[path = "interop/python.rs"]
mod python;
#[path = "interop/raw.rs"]
mod raw;
#[path = "interop/routing.rs"]
mod routing;
#[path = "interop/security.rs"]
mod security;
#[path = "interop/subscriptions.rs"]
mod subscriptions;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ferrozmq::SocketType::{self, *};
use tempfile::TempDir;

use crate::end::{End, Library};

/// What takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(30);

/// For something that should not happen: how long it is given to happen.
const MOMENT: Duration = Duration::from_millis(200);

/// Makes tests of functions of a [`Link`]: with each library as the one that binds, over each
/// transport.
macro_rules! both_ways {
    ($($check:ident),+ $(,)?) => {
        mod we_bind_tcp {
            $(#[test] fn $check() {
                super::$check(&$crate::Link::new($crate::end::Library::Ours, $crate::TCP));
            })+
        }
        mod they_bind_tcp {
            $(#[test] fn $check() {
                super::$check(&$crate::Link::new($crate::end::Library::Theirs, $crate::TCP));
            })+
        }
        mod we_bind_ipc {
            $(#[test] fn $check() {
                super::$check(&$crate::Link::new($crate::end::Library::Ours, $crate::IPC));
            })+
        }
        mod they_bind_ipc {
            $(#[test] fn $check() {
                super::$check(&$crate::Link::new($crate::end::Library::Theirs, $crate::IPC));
            })+
        }
    };
}
pub(crate) use both_ways;

const TCP: &str = "tcp://127.0.0.1:*";
const IPC: &str = "ipc://*";

/// Who binds, and to what.
struct Link {
    binder: Library,
    wildcard: &'static str,
    ours: ferrozmq::Ctx,
    theirs: zmq::Context,
    dir: TempDir,
    addresses: AtomicUsize,
}

impl Link {
    fn new(binder: Library, wildcard: &'static str) -> Self {
        Self {
            binder,
            wildcard,
            ours: ferrozmq::Ctx::new(),
            theirs: zmq::Context::new(),
            dir: tempfile::tempdir().expect("a temporary directory"),
            addresses: AtomicUsize::new(0),
        }
    }

    /// A new address to bind to. For ipc it is a path and no wildcard, for which libzmq would
    /// leave a directory behind.
    fn address(&self) -> String {
        if self.wildcard == TCP {
            return TCP.to_owned();
        }
        let number = self.addresses.fetch_add(1, Ordering::Relaxed);
        format!("ipc://{}/{number}", self.dir.path().display())
    }

    /// A socket of the library that binds.
    fn binding(&self, socket_type: SocketType) -> End {
        self.binder.socket(self, socket_type)
    }

    /// A socket of the library that connects.
    fn connecting(&self, socket_type: SocketType) -> End {
        self.binder.other().socket(self, socket_type)
    }

    /// A socket that is bound, to [`End::endpoint`].
    fn bound(&self, socket_type: SocketType) -> End {
        let end = self.binding(socket_type);
        end.bind(&self.address());
        end
    }

    /// A socket that is connected to the other one.
    fn connected(&self, socket_type: SocketType, to: &End) -> End {
        let end = self.connecting(socket_type);
        end.connect(&to.endpoint());
        end
    }

    /// A socket that is bound, and one that is connected to it.
    fn pair(&self, bound: SocketType, connected: SocketType) -> (End, End) {
        let bound = self.bound(bound);
        let connected = self.connected(connected, &bound);
        (bound, connected)
    }
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

/// Sends a message again and again until it arrives, and everything that was sent with it.
#[track_caller]
fn offer(sender: &End, receiver: &End, message: &[&str]) {
    wait_until(|| {
        sender.try_send(message);
        receiver.is_readable_within(Duration::from_millis(5))
    });
    assert_eq!(receiver.recv(), message);
    while receiver.is_readable_within(MOMENT / 4) {
        assert_eq!(receiver.recv(), message);
    }
}
