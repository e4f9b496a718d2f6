//! [`Listener`]: accepts connections and hands each to an I/O thread as a session.
//!
//! When descriptors run out it rests a moment and says so in an event; it neither spins nor dies.
//! It rests too while the socket has not noticed how many connections have come and gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::Interest;

use crate::command::{ChildId, IoCmd, IoHandle, LinkSpec, ListenSpec, Parent, SessionSpec, Turn};
use crate::io::poller;
use crate::io::session_base::IoContext;
use crate::io::transport::{Accepted, Acceptor};
use crate::monitor::{Event, EventKind};

/// How many connections are accepted before others get their turn: all that wait, unless they come
/// faster. Where the system has no room for one that comes, its peer tries again after a second only.
const ACCEPTS_PER_TURN: usize = 4096;

/// How long to rest when the system has no descriptors or memory left, or the socket has not noticed
/// how many have come and gone.
const REST: Duration = Duration::from_millis(100);

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    parent: Parent,
    me: ChildId,
    endpoint: String,
    /// `None` once it is closed.
    acceptor: Option<Acceptor>,
    threads: Arc<[IoHandle]>,
    resting: Option<Instant>,
    /// The ipc file, to be removed.
    guard: Option<Box<dyn std::fmt::Debug + Send + Sync>>,
}

impl Listener {
    pub(crate) fn new(
        spec: ListenSpec,
        me: ChildId,
        threads: Arc<[IoHandle]>,
        cx: &IoContext,
    ) -> Self {
        let ListenSpec {
            parent,
            socket,
            endpoint,
            guard,
        } = spec;
        parent.enter(me, true);
        let acceptor = Acceptor::new(socket).and_then(|mut acceptor| {
            cx.registry
                .register(&mut acceptor, poller::token(me.key), Interest::READABLE)?;
            Ok(acceptor)
        });
        let failed = acceptor
            .as_ref()
            .err()
            .map(|error| error.raw_os_error().unwrap_or_default());
        let listener = Self {
            parent,
            me,
            endpoint,
            acceptor: acceptor.ok(),
            threads,
            resting: None,
            guard,
        };
        if let Some(errno) = failed {
            listener.emit(EventKind::BindFailed { errno }, "");
        }
        listener
    }

    /// Accepts what there is.
    pub(crate) fn turn(&mut self, cx: &IoContext) -> Turn {
        let Some(acceptor) = &self.acceptor else {
            return Turn::Gone;
        };
        if self.resting.is_some_and(|until| until > cx.now) {
            return Turn::Idle;
        }
        self.resting = None;
        for _ in 0..ACCEPTS_PER_TURN {
            if self.parent.roster.is_overrun() {
                self.resting = Some(cx.now + REST);
                return Turn::Idle;
            }
            match acceptor.accept(&self.parent.options) {
                Accepted::Connection(socket, peer) => self.launch(socket, peer),
                Accepted::Refused(peer) => {
                    self.emit(
                        EventKind::AcceptFailed {
                            errno: nix::libc::EACCES,
                        },
                        &peer,
                    );
                }
                Accepted::Empty => return Turn::Idle,
                Accepted::Retry => {}
                Accepted::Exhausted(error) | Accepted::Failed(error) => {
                    let errno = error.raw_os_error().unwrap_or_default();
                    self.emit(EventKind::AcceptFailed { errno }, "");
                    self.resting = Some(cx.now + REST);
                    return Turn::Idle;
                }
            }
        }
        Turn::Again
    }

    /// The socket wants the listener gone.
    pub(crate) fn on_close(&mut self, cx: &IoContext) -> Turn {
        if let Some(acceptor) = &mut self.acceptor {
            // A descriptor that the application keeps a copy of would stay registered, and
            // could not be registered again. There is nothing to be done about an error.
            let _ = cx.registry.deregister(acceptor);
        }
        Turn::Gone
    }

    fn launch(&self, socket: socket2::Socket, peer: String) {
        let affinity = self.parent.options.affinity;
        let thread = IoHandle::choose(&self.threads, affinity).unwrap_or(self.me.thread);
        let link = LinkSpec::Accepted {
            socket,
            local: self.endpoint.clone(),
            peer,
        };
        let spec = SessionSpec {
            parent: self.parent.clone(),
            link,
            pipe: None,
        };
        self.threads[thread].launch(IoCmd::Launch(Box::new(spec)));
    }

    /// When [`Listener::turn`] is to be called although nothing happened.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.resting
    }

    fn emit(&self, kind: EventKind, peer: &str) {
        self.parent
            .events
            .emit(Event::new(kind, &self.endpoint, peer));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The ipc file goes first: while the socket lives, no other file can be mistaken for it.
        self.guard = None;
        if let Some(acceptor) = self.acceptor.take() {
            let fd = acceptor.fd();
            drop(acceptor);
            self.emit(EventKind::Closed { fd }, "");
        }
        // Last, so that whoever waits for it finds the address free.
        self.parent.leave(self.me);
    }
}
