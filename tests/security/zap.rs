//! ZAP handlers of the application's own: what they are asked, and what comes of their answers, or
//! of their silence.

use std::time::Duration;

use ferrozmq::{DONTWAIT, Error, Msg, ProtocolError, SNDMORE, ZapError};

use super::*;
use crate::common::{LIMIT, SHORT};
use crate::peer::{self, RawPeer, opening};

const ENDPOINT: &str = "inproc://zeromq.zap.01";

/// A handler on a thread of its own, which ends with its context.
pub(crate) struct Handler {
    ctx: Ctx,
    requests: crossbeam_channel::Receiver<Vec<String>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Handler {
    /// Answers each request, which begins with the version, with what `answer` returns.
    pub(crate) fn answering(
        ctx: &Ctx,
        socket_type: SocketType,
        answer: impl Fn(&[String]) -> Vec<Vec<u8>> + Send + 'static,
    ) -> Self {
        let socket = ctx.socket(socket_type).unwrap();
        socket.bind(ENDPOINT).unwrap();
        let (seen, requests) = crossbeam_channel::unbounded();
        let thread = std::thread::spawn(move || {
            while let Ok(mut frames) = socket.recv_multipart(0) {
                let envelope: Vec<Msg> = if socket.socket_type() == ROUTER {
                    frames.drain(..2).collect()
                } else {
                    Vec::new()
                };
                let text = |frame: &Msg| String::from_utf8_lossy(frame).into_owned();
                let request: Vec<_> = frames.iter().map(text).collect();
                let reply = answer(&request);
                seen.send(request).unwrap();
                for frame in envelope {
                    socket.send(frame, SNDMORE).unwrap();
                }
                if socket.send_multipart(reply, 0).is_err() {
                    break;
                }
            }
        });
        Self {
            ctx: ctx.clone(),
            requests,
            thread: Some(thread),
        }
    }

    fn reply(status: &str, user_id: &str, metadata: &[u8]) -> Vec<Vec<u8>> {
        let frames = ["1.0", "1", status, "text", user_id];
        let frames = frames.iter().map(|frame| frame.as_bytes().to_vec());
        frames.chain([metadata.to_vec()]).collect()
    }

    pub(crate) fn grant(user_id: &str) -> Vec<Vec<u8>> {
        Self::reply("200", user_id, b"")
    }

    pub(crate) fn refuse(status: &str) -> Vec<Vec<u8>> {
        Self::reply(status, "", b"")
    }

    #[track_caller]
    fn request(&self) -> Vec<String> {
        self.requests.recv_timeout(LIMIT).expect("a request")
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.ctx.shutdown();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "it panics");
        }
    }
}

fn with_domain(socket: &Socket) {
    socket.set_zap_domain("global").unwrap();
}

#[test]
fn a_handler_of_each_type_is_asked_about_a_null_peer() {
    for socket_type in [REP, ROUTER] {
        let ctx = Ctx::new();
        let handler = Handler::answering(&ctx, socket_type, |_| Handler::grant("me"));
        let server = Server::new(&ctx, PULL, |socket| {
            with_domain(socket);
            socket.set_identity(b"server").unwrap();
        });
        let client = server.client(PUSH, |_| ());
        client.socket.send("hello", 0).unwrap();
        let msg = server.socket.recv_msg(0).unwrap();
        assert_eq!(msg.gets("User-Id"), Some("me"));
        let request = ["1.0", "1", "global", "127.0.0.1", "server", "NULL"];
        assert_eq!(handler.request(), request);
    }
}

#[test]
fn over_ipc_the_address_says_who_the_process_is() {
    let ctx = Ctx::new();
    let handler = Handler::answering(&ctx, REP, |_| Handler::grant("me"));
    let server = Server::at("ipc://*", &ctx, PULL, with_domain);
    let client = server.client(PUSH, |_| ());
    server.hears(&client);
    let address = &handler.request()[3];
    assert!(
        address.ends_with(&format!(":{}", std::process::id())),
        "{address}"
    );
}

#[test]
fn metadata_is_on_every_message_and_cannot_be_forged() {
    let ctx = Ctx::new();
    let metadata = b"\x06X-Role\0\0\0\x04boss";
    let _handler = Handler::answering(&ctx, REP, |_| Handler::reply("200", "ann", metadata));
    let server = Server::new(&ctx, PULL, with_domain);
    let mut peer = RawPeer::connect(&server.socket.last_endpoint());
    let mut properties = peer::property("Socket-Type", b"PUSH");
    properties.extend(peer::property("user-id", b"root"));
    properties.extend(peer::property("X-Role", b"king"));
    peer.send(&peer::greeting(3, 1, "NULL"));
    peer.send(&peer::command("READY", &properties));
    peer.expect_opening();
    for body in ["a", "b", "c"] {
        peer.send(&peer::frame(0, body.as_bytes()));
        let msg = server.socket.recv_msg(0).unwrap();
        assert_eq!(msg, *body);
        assert_eq!(msg.gets("User-Id"), Some("ann"));
        assert_eq!(msg.gets("X-Role"), Some("boss"));
    }
}

#[test]
fn without_a_domain_a_null_socket_asks_nobody() {
    let ctx = Ctx::new();
    let handler = Handler::answering(&ctx, REP, |_| Handler::refuse("400"));
    let server = Server::new(&ctx, PULL, |_| ());
    let client = server.client(PUSH, |_| ());
    server.hears(&client);
    assert!(handler.requests.is_empty());
}

#[test]
fn without_a_handler_enforcing_decides() {
    let ctx = Ctx::new();
    let lenient = Server::new(&ctx, PULL, with_domain);
    lenient.hears(&lenient.client(PUSH, |_| ()));
    let strict = Server::new(&ctx, PULL, |socket| {
        with_domain(socket);
        socket.set_zap_enforce_domain(true).unwrap();
    });
    let _client = strict.client(PUSH, |_| ());
    assert_eq!(strict.failure(), Reason::Zap(ZapError::NoHandler));
}

#[test]
fn each_refusal_has_its_status_on_both_sides() {
    for (text, status) in [("400", 400), ("500", 500)] {
        let ctx = Ctx::new();
        let _handler = Handler::answering(&ctx, REP, move |_| Handler::refuse(text));
        let server = Server::new(&ctx, PULL, with_domain);
        let client = server.client(PUSH, |_| ());
        assert_eq!(server.failure(), Reason::Denied(status));
        let refused = ProtocolError::Refused(status);
        assert_eq!(client.failure(), Reason::Protocol(refused));
        let given_up = |kind: &EventKind| matches!(kind, EventKind::ConnectStopped { .. });
        await_event(&client.monitor, given_up);
    }
}

#[test]
fn a_peer_refused_for_now_is_told_nothing_and_tries_again() {
    let ctx = Ctx::new();
    let tries = std::sync::atomic::AtomicU32::new(0);
    let _handler = Handler::answering(&ctx, REP, move |_| {
        match tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 | 1 => Handler::refuse("300"),
            _ => Handler::grant("me"),
        }
    });
    let server = Server::new(&ctx, PULL, with_domain);
    let client = server.client(PUSH, |socket| {
        socket
            .set_reconnect_ivl(Some(Duration::from_millis(1)))
            .unwrap();
    });
    for _ in 0..2 {
        assert_eq!(server.failure(), Reason::Denied(300));
        assert!(!matches!(client.failure(), Reason::Protocol(_)));
    }
    server.hears(&client);
}

#[test]
fn whatever_is_wrong_with_an_answer_is_reported() {
    use ZapError::*;
    type Reply = Vec<Vec<u8>>;
    let changed = |at: usize, text: &str| {
        let mut reply = Handler::grant("me");
        reply[at] = text.into();
        reply
    };
    let mut short = Handler::grant("me");
    short.pop();
    let mut long = Handler::grant("me");
    long.extend(vec![b"x".to_vec(); 100]);
    let cases: [(Reply, ZapError); 7] = [
        (short, MalformedReply),
        (long, MalformedReply),
        (vec![b"x".to_vec()], MalformedReply),
        (changed(0, "2.0"), BadVersion),
        (changed(1, "2"), BadRequestId),
        (changed(2, "201"), InvalidStatus),
        (changed(5, "\x01"), InvalidMetadata),
    ];
    for (reply, error) in cases {
        let ctx = Ctx::new();
        let _handler = Handler::answering(&ctx, REP, move |_| reply.clone());
        let server = Server::new(&ctx, PULL, with_domain);
        let _client = server.client(PUSH, |_| ());
        assert_eq!(server.failure(), Reason::Zap(error));
    }
}

#[test]
fn what_is_no_handler_is_found_out() {
    for socket_type in [PULL, PUB, PAIR, DEALER] {
        let ctx = Ctx::new();
        let stranger = ctx.socket(socket_type).unwrap();
        stranger.bind(ENDPOINT).unwrap();
        let server = Server::new(&ctx, PULL, with_domain);
        let _client = server.client(PUSH, |_| ());
        let accepted = |kind: &EventKind| matches!(kind, EventKind::Accepted { .. });
        await_event(&server.monitor, accepted);
        // It takes notice of who asks only in a call.
        let failed = |kind: &EventKind| matches!(kind, EventKind::HandshakeFailed { .. });
        let event = loop {
            stranger.get_events().unwrap();
            if let Some(event) = server.monitor.recv_timeout(SHORT) {
                if failed(&event.kind) {
                    break event;
                }
            }
        };
        let EventKind::HandshakeFailed { reason } = event.kind else {
            unreachable!()
        };
        assert_eq!(reason, Reason::Zap(ZapError::NotAHandler), "{socket_type}");
    }
}

#[test]
fn a_handler_that_goes_away_lets_nobody_in() {
    let ctx = Ctx::new();
    let handler = patient(&ctx, REP);
    handler.bind(ENDPOINT).unwrap();
    let server = Server::new(&ctx, PULL, with_domain);
    let _client = server.client(PUSH, |_| ());
    handler.recv_multipart(0).unwrap();
    drop(handler);
    assert_eq!(server.failure(), Reason::Zap(ZapError::HandlerGone));
}

#[test]
fn a_peer_can_be_kept_waiting_when_its_handler_is_gone() {
    let ctx = Ctx::new();
    let handler = patient(&ctx, REP);
    handler.bind(ENDPOINT).unwrap();
    let server = Server::new(&ctx, PULL, |socket| {
        with_domain(socket);
        socket.set_zap_wait_for_lost_handler(true).unwrap();
    });
    let client = server.client(PUSH, |_| ());
    handler.recv_multipart(0).unwrap();
    drop(handler);
    let failed = |kind: &EventKind| matches!(kind, EventKind::HandshakeFailed { .. });
    while let Some(event) = server.monitor.recv_timeout(SHORT) {
        assert!(!failed(&event.kind), "{event}");
    }
    drop(client);
    assert_eq!(server.failure(), Reason::PeerClosed);
}

#[test]
fn a_peer_that_goes_while_a_handler_thinks_is_given_up_at_once() {
    let ctx = Ctx::new();
    let handler = patient(&ctx, ROUTER);
    handler.bind(ENDPOINT).unwrap();
    let server = Server::new(&ctx, PULL, |socket| {
        with_domain(socket);
        socket.set_handshake_ivl(None).unwrap();
    });
    let client = server.client(PUSH, |_| ());
    handler.recv_multipart(0).unwrap();
    drop(client);
    assert_eq!(server.failure(), Reason::PeerClosed);
}

#[test]
fn a_silent_handler_holds_up_a_handshake_and_nothing_else() {
    let ctx = Ctx::new();
    let handler = patient(&ctx, ROUTER);
    handler.bind(ENDPOINT).unwrap();
    let slow = Server::new(&ctx, PULL, |socket| {
        with_domain(socket);
        socket
            .set_handshake_ivl(Some(Duration::from_secs(1)))
            .unwrap();
    });
    let waiting = slow.client(PUSH, |_| ());
    handler.recv_multipart(0).unwrap();
    let other = Server::new(&ctx, PULL, |_| ());
    other.hears(&other.client(PUSH, |_| ()));
    assert_eq!(slow.failure(), Reason::HandshakeTimeout);
    drop(waiting);
    assert!(matches!(slow.socket.recv_msg(DONTWAIT), Err(Error::Again)));
}

#[test]
fn what_a_hasty_peer_sends_waits_for_the_verdict() {
    let ctx = Ctx::new();
    let handler = patient(&ctx, ROUTER);
    handler.bind(ENDPOINT).unwrap();
    let server = Server::new(&ctx, PULL, with_domain);
    let mut peer = RawPeer::connect(&server.socket.last_endpoint());
    peer.send(&opening("PUSH", b""));
    let large = vec![7; 300_000];
    peer.send(&peer::frame(0, b"hasty"));
    peer.send(&peer::frame(0, &large));
    let mut request = handler.recv_multipart(0).unwrap();
    assert!(matches!(
        server.socket.recv_msg(DONTWAIT),
        Err(Error::Again)
    ));
    request.truncate(2);
    request.extend(Handler::grant("me").into_iter().map(Msg::from));
    handler.send_multipart(request, 0).unwrap();
    assert_eq!(server.socket.recv_string(0).unwrap(), "hasty");
    assert_eq!(server.socket.recv_msg(0).unwrap(), *large.as_slice());
}

#[test]
fn many_peers_are_asked_about_at_once() {
    let ctx = Ctx::new();
    let _handler = Handler::answering(&ctx, REP, |_| Handler::grant("me"));
    let server = Server::new(&ctx, PULL, with_domain);
    let clients: Vec<_> = (0..50).map(|_| server.client(PUSH, |_| ())).collect();
    for client in &clients {
        client.socket.send("hello", 0).unwrap();
    }
    for _ in &clients {
        assert_eq!(server.socket.recv_string(0).unwrap(), "hello");
    }
}

#[test]
fn a_context_ends_although_a_handler_was_never_asked_for_its_answer() {
    let ctx = Ctx::new();
    let handler = ctx.socket(REP).unwrap();
    handler.bind(ENDPOINT).unwrap();
    let server = Server::new(&ctx, PULL, with_domain);
    let client = server.client(PUSH, |_| ());
    handler.recv_multipart(0).unwrap();
    drop((handler, server, client));
    ctx.term(Some(LIMIT)).unwrap();
}
