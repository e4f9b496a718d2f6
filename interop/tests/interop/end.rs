//! [`End`]: a socket of either library, by one set of calls.
//!
//! Calls that fail, or take longer than the limit, fail the test.

use std::time::Duration;

use ferrozmq::{DONTWAIT, Error, Msg, POLLIN};

use crate::{LIMIT, Link, SocketType, wait_until};

/// Whose a socket is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Library {
    Ours,
    Theirs,
}

impl Library {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Ours => Self::Theirs,
            Self::Theirs => Self::Ours,
        }
    }

    /// A socket that gives up after [`LIMIT`] and does not linger.
    pub(crate) fn socket(self, link: &Link, socket_type: SocketType) -> End {
        match self {
            Self::Ours => {
                let socket = link.ours.socket(socket_type).unwrap();
                socket.set_sndtimeo(Some(LIMIT)).unwrap();
                socket.set_rcvtimeo(Some(LIMIT)).unwrap();
                socket.set_linger(Some(Duration::ZERO)).unwrap();
                Ours(socket)
            }
            Self::Theirs => {
                let socket = link.theirs.socket(their_type(socket_type)).unwrap();
                socket.set_sndtimeo(millis(LIMIT)).unwrap();
                socket.set_rcvtimeo(millis(LIMIT)).unwrap();
                socket.set_linger(0).unwrap();
                Theirs(socket)
            }
        }
    }
}

fn their_type(socket_type: SocketType) -> zmq::SocketType {
    match socket_type {
        SocketType::PAIR => zmq::PAIR,
        SocketType::PUB => zmq::PUB,
        SocketType::SUB => zmq::SUB,
        SocketType::REQ => zmq::REQ,
        SocketType::REP => zmq::REP,
        SocketType::DEALER => zmq::DEALER,
        SocketType::ROUTER => zmq::ROUTER,
        SocketType::PULL => zmq::PULL,
        SocketType::PUSH => zmq::PUSH,
        SocketType::XPUB => zmq::XPUB,
        SocketType::XSUB => zmq::XSUB,
        SocketType::STREAM => zmq::STREAM,
        other => panic!("libzmq has no {other}"),
    }
}

fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap()
}

/// A socket of either library.
pub(crate) enum End {
    Ours(ferrozmq::Socket),
    Theirs(zmq::Socket),
}

use End::{Ours, Theirs};

impl End {
    // ── endpoints ────────────────────────────────────────────────────────────────────────────

    /// Binds, if need be again and again: another socket may still be about to leave the place.
    #[track_caller]
    pub(crate) fn bind(&self, endpoint: &str) {
        wait_until(|| match self {
            Ours(socket) => match socket.bind(endpoint) {
                Ok(()) => true,
                Err(Error::AddrInUse) => false,
                Err(error) => panic!("{error}"),
            },
            Theirs(socket) => match socket.bind(endpoint) {
                Ok(()) => true,
                Err(zmq::Error::EADDRINUSE) => false,
                Err(error) => panic!("{error}"),
            },
        });
    }

    #[track_caller]
    pub(crate) fn connect(&self, endpoint: &str) {
        match self {
            Ours(socket) => socket.connect(endpoint).unwrap(),
            Theirs(socket) => socket.connect(endpoint).unwrap(),
        }
    }

    /// Where the last bind led to.
    pub(crate) fn endpoint(&self) -> String {
        match self {
            Ours(socket) => socket.last_endpoint(),
            Theirs(socket) => socket.get_last_endpoint().unwrap().unwrap(),
        }
    }

    // ── messages ─────────────────────────────────────────────────────────────────────────────

    /// Sends a message of these frames.
    #[track_caller]
    pub(crate) fn send<F: AsRef<[u8]>>(&self, frames: &[F]) {
        let bodies = frames.iter().map(AsRef::as_ref);
        match self {
            Ours(socket) => socket.send_multipart(bodies, 0).unwrap(),
            Theirs(socket) => socket.send_multipart(bodies, 0).unwrap(),
        }
    }

    /// Sends a message if that is possible at once.
    pub(crate) fn try_send<F: AsRef<[u8]>>(&self, frames: &[F]) -> bool {
        let bodies = frames.iter().map(AsRef::as_ref);
        match self {
            Ours(socket) => socket.send_multipart(bodies, DONTWAIT).is_ok(),
            Theirs(socket) => socket.send_multipart(bodies, zmq::DONTWAIT).is_ok(),
        }
    }

    /// Receives the frames of a message.
    #[track_caller]
    pub(crate) fn recv(&self) -> Vec<Bytes> {
        match self {
            Ours(socket) => {
                let frames = socket.recv_multipart(0).unwrap();
                frames.iter().map(|frame| Bytes(frame.to_vec())).collect()
            }
            Theirs(socket) => {
                let frames = socket.recv_multipart(0).unwrap();
                frames.into_iter().map(Bytes).collect()
            }
        }
    }

    #[track_caller]
    pub(crate) fn expect<F: AsRef<[u8]>>(&self, frames: &[F]) {
        let frames: Vec<_> = frames.iter().map(|f| Bytes(f.as_ref().to_vec())).collect();
        assert_eq!(self.recv(), frames);
    }

    /// Whether there is a message to receive, or comes in that time. The socket takes notice of
    /// what its peers did.
    pub(crate) fn is_readable_within(&self, time: Duration) -> bool {
        match self {
            Ours(socket) => socket.poll(POLLIN, Some(time)).unwrap() != 0,
            Theirs(socket) => socket.poll(zmq::POLLIN, i64::from(millis(time))).unwrap() != 0,
        }
    }

    /// Receives one frame, and what the message says of who sent it.
    #[track_caller]
    pub(crate) fn recv_property(&self, name: &str) -> Option<String> {
        match self {
            Ours(socket) => {
                let msg: Msg = socket.recv_msg(0).unwrap();
                msg.gets(name).map(str::to_owned)
            }
            Theirs(socket) => {
                let mut msg = socket.recv_msg(0).unwrap();
                msg.gets(name).map(str::to_owned)
            }
        }
    }

    // ── options ──────────────────────────────────────────────────────────────────────────────

    pub(crate) fn subscribe(&self, topic: &str) {
        match self {
            Ours(socket) => socket.set_subscribe(topic.as_bytes()).unwrap(),
            Theirs(socket) => socket.set_subscribe(topic.as_bytes()).unwrap(),
        }
    }

    pub(crate) fn unsubscribe(&self, topic: &str) {
        match self {
            Ours(socket) => socket.set_unsubscribe(topic.as_bytes()).unwrap(),
            Theirs(socket) => socket.set_unsubscribe(topic.as_bytes()).unwrap(),
        }
    }

    pub(crate) fn set_identity(&self, id: &[u8]) {
        match self {
            Ours(socket) => socket.set_identity(id).unwrap(),
            Theirs(socket) => socket.set_identity(id).unwrap(),
        }
    }

    pub(crate) fn set_welcome(&self, message: &str) {
        match self {
            Ours(socket) => socket.set_xpub_welcome_msg(message.as_bytes()).unwrap(),
            Theirs(socket) => socket.set_xpub_welcome_msg(Some(message)).unwrap(),
        }
    }

    pub(crate) fn set_probe(&self) {
        match self {
            Ours(socket) => socket.set_probe_router(true).unwrap(),
            Theirs(socket) => socket.set_probe_router(true).unwrap(),
        }
    }

    pub(crate) fn set_mandatory(&self) {
        match self {
            Ours(socket) => socket.set_router_mandatory(true).unwrap(),
            Theirs(socket) => socket.set_router_mandatory(true).unwrap(),
        }
    }

    pub(crate) fn set_correlate(&self) {
        match self {
            Ours(socket) => socket.set_req_correlate(true).unwrap(),
            Theirs(socket) => socket.set_req_correlate(true).unwrap(),
        }
    }

    pub(crate) fn set_conflate(&self) {
        match self {
            Ours(socket) => socket.set_conflate(true).unwrap(),
            Theirs(socket) => socket.set_conflate(true).unwrap(),
        }
    }

    pub(crate) fn set_plain_server(&self) {
        match self {
            Ours(socket) => socket.set_security(ferrozmq::Plain::server()).unwrap(),
            Theirs(socket) => socket.set_plain_server(true).unwrap(),
        }
    }

    pub(crate) fn set_plain_client(&self, username: &str, password: &str) {
        match self {
            Ours(socket) => {
                let client = ferrozmq::Plain::client(username, password);
                socket.set_security(client).unwrap();
            }
            Theirs(socket) => {
                socket.set_plain_username(Some(username)).unwrap();
                socket.set_plain_password(Some(password)).unwrap();
            }
        }
    }

    pub(crate) fn set_zap_domain(&self, domain: &str) {
        match self {
            Ours(socket) => socket.set_zap_domain(domain).unwrap(),
            Theirs(socket) => socket.set_zap_domain(domain).unwrap(),
        }
    }

    /// Takes as many messages as come.
    pub(crate) fn set_no_limit(&self) {
        match self {
            Ours(socket) => {
                socket.set_sndhwm(0).unwrap();
                socket.set_rcvhwm(0).unwrap();
            }
            Theirs(socket) => {
                socket.set_sndhwm(0).unwrap();
                socket.set_rcvhwm(0).unwrap();
            }
        }
    }

    pub(crate) fn set_linger(&self, limit: Duration) {
        match self {
            Ours(socket) => socket.set_linger(Some(limit)).unwrap(),
            Theirs(socket) => socket.set_linger(millis(limit)).unwrap(),
        }
    }

    pub(crate) fn set_reconnect(&self, interval: Duration) {
        match self {
            Ours(socket) => socket.set_reconnect_ivl(Some(interval)).unwrap(),
            Theirs(socket) => socket.set_reconnect_ivl(millis(interval)).unwrap(),
        }
    }

    /// Sends PING after each `interval`, and gives the peer up after `timeout`.
    pub(crate) fn set_heartbeat(&self, interval: Duration, timeout: Duration, ttl: Duration) {
        match self {
            Ours(socket) => {
                socket.set_heartbeat_ivl(Some(interval)).unwrap();
                socket.set_heartbeat_timeout(Some(timeout)).unwrap();
                socket.set_heartbeat_ttl(ttl).unwrap();
            }
            Theirs(socket) => {
                socket.set_heartbeat_ivl(millis(interval)).unwrap();
                socket.set_heartbeat_timeout(millis(timeout)).unwrap();
                socket.set_heartbeat_ttl(millis(ttl)).unwrap();
            }
        }
    }

    pub(crate) fn ours(&self) -> Option<&ferrozmq::Socket> {
        match self {
            Ours(socket) => Some(socket),
            Theirs(_) => None,
        }
    }
}

/// A frame's body, which prints as text.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.0[..self.0.len().min(50)];
        write!(
            f,
            "{} bytes: {:?}",
            self.0.len(),
            String::from_utf8_lossy(shown)
        )
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq<&str> for Bytes {
    fn eq(&self, text: &&str) -> bool {
        self.0 == text.as_bytes()
    }
}
