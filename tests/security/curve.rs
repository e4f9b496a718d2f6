//! CURVE by the public API: over each transport, with each pattern, refused, lost and found again.

use std::time::Duration;

use ferrozmq::{Curve, CurveKeyPair, DONTWAIT, Msg, ProtocolError, SecretKey, Security};

use super::zap::Handler;
use super::*;
use crate::common::{LIMIT, await_loss, await_subscription, wait_until};
use crate::peer::{COMMAND, RawPeer, command, frame, greeting};

/// The keys of a server and of one of its clients.
struct Keys {
    server: CurveKeyPair,
    client: CurveKeyPair,
}

impl Keys {
    fn new() -> Self {
        let [server, client] = [(); 2].map(|()| CurveKeyPair::new().unwrap());
        Self { server, client }
    }

    fn server(&self) -> impl FnOnce(&Socket) + use<> {
        secured(Curve::server(&self.server))
    }

    fn client(&self) -> impl FnOnce(&Socket) + use<> {
        secured(Curve::client(&self.client, self.server.public_key))
    }
}

fn secured(security: Security) -> impl FnOnce(&Socket) {
    move |socket| socket.set_security(security).unwrap()
}

#[test]
fn messages_of_all_sizes_arrive_over_any_transport() {
    for endpoint in EVERYWHERE {
        let (ctx, keys) = (Ctx::new(), Keys::new());
        let server = Server::at(endpoint, &ctx, PAIR, keys.server());
        let client = server.client(PAIR, keys.client());
        for size in [
            0, 1, 5, 6, 38, 39, 222, 223, 255, 256, 4096, 70_000, 3_000_000,
        ] {
            let body = vec![7; size];
            for (from, to) in [(&client, &server), (&server, &client)] {
                let frames = [Msg::from("head"), Msg::from(&body)];
                from.socket.send_multipart(frames, 0).unwrap();
                let frames = to.socket.recv_multipart(0).unwrap();
                assert!(frames[0] == "head" && frames[1] == body[..], "{size}");
            }
        }
    }
}

#[test]
fn every_pattern_is_sealed() {
    let (ctx, keys) = (Ctx::new(), Keys::new());
    let pair = |bound, connected| {
        let server = Server::new(&ctx, bound, keys.server());
        let client = server.client(connected, keys.client());
        (server, client)
    };
    let (rep, req) = pair(REP, REQ);
    req.socket.send("question", 0).unwrap();
    assert_eq!(rep.socket.recv_string(0).unwrap(), "question");
    rep.socket.send("answer", 0).unwrap();
    assert_eq!(req.socket.recv_string(0).unwrap(), "answer");

    let (router, dealer) = pair(ROUTER, DEALER);
    dealer.socket.send("question", 0).unwrap();
    let frames = router.socket.recv_multipart(0).unwrap();
    router.socket.send_multipart(frames, 0).unwrap();
    assert_eq!(dealer.socket.recv_string(0).unwrap(), "question");

    let (publisher, subscriber) = pair(PUB, SUB);
    subscriber.socket.set_subscribe(b"topic").unwrap();
    await_subscription(&publisher.socket, &subscriber.socket, "topic");
    publisher.socket.send("other", 0).unwrap();
    publisher.socket.send("topic news", 0).unwrap();
    assert_eq!(subscriber.socket.recv_string(0).unwrap(), "topic news");

    let (pull, push) = pair(PULL, PUSH);
    pull.hears(&push);
}

#[test]
fn every_pattern_of_single_frames_is_sealed() {
    let (ctx, keys) = (Ctx::new(), Keys::new());
    let pair = |bound, connected| {
        let server = Server::new(&ctx, bound, keys.server());
        let client = server.client(connected, keys.client());
        (server, client)
    };
    let (server, client) = pair(SERVER, CLIENT);
    client.socket.send("question", 0).unwrap();
    let question = server.socket.recv_msg(0).unwrap();
    let mut answer = Msg::from("answer");
    answer.set_routing_id(question.routing_id()).unwrap();
    server.socket.send(answer, 0).unwrap();
    assert_eq!(client.socket.recv_string(0).unwrap(), "answer");

    let (gather, scatter) = pair(GATHER, SCATTER);
    gather.hears(&scatter);
    let (channel, other) = pair(CHANNEL, CHANNEL);
    channel.hears(&other);

    let (radio, dish) = pair(RADIO, DISH);
    dish.socket.join("group").unwrap();
    let mut heard = None;
    wait_until(|| {
        let mut msg = Msg::from("news");
        msg.set_group("group").unwrap();
        radio.socket.send(msg, 0).unwrap();
        heard = dish.socket.recv_msg(DONTWAIT).ok();
        heard.is_some()
    });
    let heard = heard.unwrap();
    assert_eq!((heard.group(), heard.as_str()), ("group", Some("news")));
}

#[test]
fn a_server_may_connect_and_a_client_bind() {
    let (ctx, keys) = (Ctx::new(), Keys::new());
    let client = Server::new(&ctx, PUSH, keys.client());
    let server = client.client(PULL, keys.server());
    server.hears(&client);
}

#[test]
fn raw_options_do_the_same() {
    let (ctx, keys) = (Ctx::new(), Keys::new());
    let server = Server::new(&ctx, PULL, |socket| {
        socket.set_curve_server(true).unwrap();
        socket.set_curve_secretkey(&keys.server.secret_key).unwrap();
    });
    let client = server.client(PUSH, |socket| {
        socket.set_curve_serverkey(keys.server.public_key).unwrap();
        socket.set_curve_publickey(keys.client.public_key).unwrap();
        socket.set_curve_secretkey(&keys.client.secret_key).unwrap();
    });
    server.hears(&client);
}

#[test]
fn a_handler_judges_the_key_of_a_client() {
    let (ctx, keys) = (Ctx::new(), Keys::new());
    let known = String::from_utf8_lossy(keys.client.public_key.as_ref()).into_owned();
    let _handler = Handler::answering(&ctx, ROUTER, move |request| {
        if request[5] == "CURVE" && request[6] == known {
            Handler::grant("ann")
        } else {
            Handler::refuse("400")
        }
    });
    let server = Server::new(&ctx, PULL, keys.server());
    let client = server.client(PUSH, keys.client());
    client.socket.send("hello", 0).unwrap();
    let msg = server.socket.recv_msg(0).unwrap();
    assert_eq!(msg.gets("User-Id"), Some("ann"));

    let stranger = Keys {
        client: CurveKeyPair::new().unwrap(),
        ..keys
    };
    let stranger = server.client(PUSH, stranger.client());
    let refused = ProtocolError::Refused(400);
    assert_eq!(stranger.failure(), Reason::Protocol(refused));
    server.await_success();
    assert_eq!(server.failure(), Reason::Denied(400));
}

#[test]
fn keys_that_do_not_fit_are_refused() {
    let (ctx, keys, other) = (Ctx::new(), Keys::new(), Keys::new());
    let server = Server::new(&ctx, PULL, keys.server());
    let wrong_server = server.client(PUSH, other.client());
    let broken = Reason::Protocol(ProtocolError::Cryptographic);
    assert_eq!(server.failure(), broken);
    drop(wrong_server);
    let wrong_pair = server.client(PUSH, |socket| {
        keys.client()(socket);
        socket.set_curve_publickey(other.client.public_key).unwrap();
    });
    assert_eq!(server.failure(), broken);
    drop(wrong_pair);
    let no_keys = server.client(PUSH, |socket| {
        socket.set_curve_serverkey(keys.server.public_key).unwrap();
    });
    assert_eq!(server.failure(), broken);
    drop(no_keys);
    server.hears(&server.client(PUSH, keys.client()));
}

#[test]
fn other_mechanisms_and_old_peers_are_refused() {
    let (ctx, keys) = (Ctx::new(), Keys::new());
    let server = Server::new(&ctx, PULL, keys.server());
    let mismatch = Reason::Protocol(ProtocolError::MechanismMismatch);
    let openings = [
        greeting(3, 1, "NULL"),
        greeting(3, 0, "PLAIN"),
        greeting(1, 8, ""),
        greeting(0, 8, ""),
        b"\x01\0".to_vec(),
    ];
    for opening in openings {
        let mut peer = RawPeer::connect(&server.socket.last_endpoint());
        peer.send(&opening);
        assert_eq!(server.failure(), mismatch, "{opening:?}");
        peer.expect_closed();
    }
    server.hears(&server.client(PUSH, keys.client()));
}

/// A HELLO that a server whose secret key is all ones takes.
fn hello() -> Vec<u8> {
    let transient = "a4e09292b651c278b9772c569f5fa9bb13d906b46ab68c9df9dc2b4409f8a209";
    let signature = "\
        0c4b470e801931a5748d532d10272977b9e3a1a84fd2032fbc16c6562de363c355c020dfdef788f5\
        21620624c4bd583a39f56b569d892837d827c280423c1739dbac7fe90d104d72f6beff18739eac8c";
    let hex = |text: &str| -> Vec<u8> {
        let digits = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
        digits
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect()
    };
    let number = 1u64.to_be_bytes();
    let version_and_padding = [&[1, 0][..], &[0; 72]].concat();
    let fields = [
        version_and_padding,
        hex(transient),
        number.to_vec(),
        hex(signature),
    ];
    command("HELLO", &fields.concat())
}

#[test]
fn who_never_shows_a_key_gets_no_messages() {
    let (ctx, mut keys) = (Ctx::new(), Keys::new());
    keys.server = SecretKey::from([1; 32]).into();
    let stops = [
        vec![],
        greeting(3, 1, "CURVE"),
        [greeting(3, 1, "CURVE"), hello()].concat(),
    ];
    for socket_type in [PUSH, DEALER] {
        let server = Server::new(&ctx, socket_type, |socket| {
            keys.server()(socket);
            socket.set_handshake_ivl(Some(LIMIT)).unwrap();
        });
        let _idle: Vec<_> = (0..12)
            .map(|n| {
                let stop = &stops[n % 3];
                let mut peer = RawPeer::connect(&server.socket.last_endpoint());
                peer.send(stop);
                let answer = match stop.len() {
                    0 => 0,
                    64 => 64,
                    _ => 64 + 2 + 168,
                };
                peer.read(answer);
                peer
            })
            .collect();
        let peer = if socket_type == PUSH { PULL } else { DEALER };
        let client = server.client(peer, keys.client());
        for n in 0..100 {
            server.socket.send(n.to_string(), 0).unwrap();
            assert_eq!(client.socket.recv_string(0).unwrap(), n.to_string());
        }
    }
}

#[test]
fn what_is_announced_before_a_key_is_shown_takes_no_memory() {
    let (ctx, keys) = (Ctx::new(), Keys::new());
    let server = Server::new(&ctx, PULL, keys.server());
    for size in [64 * 1024 + 1, 1 << 40, u64::MAX >> 1] {
        let mut peer = RawPeer::connect(&server.socket.last_endpoint());
        peer.send(&greeting(3, 1, "CURVE"));
        peer.send(&peer::head(COMMAND, size));
        let too_large = Reason::Protocol(ProtocolError::CommandTooLarge);
        assert_eq!(server.failure(), too_large);
    }
    for clear in [
        frame(0, b"hello"),
        command("READY", b""),
        command("PING", b"\0\0"),
    ] {
        let mut peer = RawPeer::connect(&server.socket.last_endpoint());
        peer.send(&greeting(3, 1, "CURVE"));
        peer.send(&clear);
        let unexpected = Reason::Protocol(ProtocolError::UnexpectedCommand);
        assert_eq!(server.failure(), unexpected);
    }
}

#[test]
fn a_connection_that_is_lost_is_sealed_with_new_keys() {
    let (ctx, keys) = (Ctx::new(), Keys::new());
    let directory = tempfile::tempdir().unwrap();
    let endpoint = format!("ipc://{}/again", directory.path().display());
    let server = Server::at(&endpoint, &ctx, PULL, keys.server());
    let client = server.client(PUSH, |socket| {
        keys.client()(socket);
        let moment = Duration::from_millis(1);
        socket.set_reconnect_ivl(Some(moment)).unwrap();
    });
    for _ in 0..3 {
        server.hears(&client);
        server.socket.unbind(&endpoint).unwrap();
        await_loss(&client.monitor);
        server.socket.bind(&endpoint).unwrap();
    }
    server.hears(&client);
}

#[test]
fn a_flood_that_nobody_reads_waits_and_arrives_in_order() {
    let (ctx, keys) = (Ctx::new(), Keys::new());
    let server = Server::new(&ctx, PULL, keys.server());
    let client = server.client(PUSH, keys.client());
    let sender = std::thread::spawn(move || {
        for n in 0..2_000_u32 {
            client.socket.send(n.to_le_bytes().repeat(20), 0).unwrap();
        }
        client
    });
    for n in 0..2_000_u32 {
        let msg = server.socket.recv_msg(0).unwrap();
        assert_eq!(msg, n.to_le_bytes().repeat(20)[..]);
    }
    sender.join().unwrap();
}

#[test]
fn a_sealed_message_waits_for_a_late_server() {
    let (ctx, keys) = (Ctx::new(), Keys::new());
    let directory = tempfile::tempdir().unwrap();
    let endpoint = format!("ipc://{}/late", directory.path().display());
    let client = patient(&ctx, PUSH);
    keys.client()(&client);
    let moment = Duration::from_millis(1);
    client.set_reconnect_ivl(Some(moment)).unwrap();
    client.connect(&endpoint).unwrap();
    client.send("early", 0).unwrap();
    let server = Server::at(&endpoint, &ctx, PULL, keys.server());
    let mut heard = None;
    wait_until(|| {
        heard = server.socket.recv_string(0).ok();
        heard.is_some()
    });
    assert_eq!(heard.as_deref(), Some("early"));
}
