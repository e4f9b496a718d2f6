//! Messages that a socket sends or receives by itself, when a peer comes or goes.

use super::*;
use ferrozmq::SocketType::{CLIENT, DEALER, PEER, PUSH, ROUTER, SERVER, STREAM};
use ferrozmq::{Msg, RouterNotify};

/// What to bind to, over every transport.
const ANYWHERE: [&str; 3] = ["tcp://127.0.0.1:*", "ipc://*", "inproc://automatic"];

#[test]
fn a_hello_is_the_first_message_of_every_connection() {
    for endpoint in ANYWHERE {
        let ctx = Ctx::new();
        let (client, server) = (socket(&ctx, CLIENT), socket(&ctx, SERVER));
        server.set_hello_msg(b"welcome").unwrap();
        client.set_hello_msg(b"hello").unwrap();
        assert_eq!(client.get_hello_msg().unwrap(), "hello");
        server.bind(endpoint).unwrap();
        client.connect(&server.last_endpoint()).unwrap();
        client.send("question", 0).unwrap();
        assert_eq!(server.recv_msg(0).unwrap(), "hello");
        assert_eq!(server.recv_msg(0).unwrap(), "question");
        assert_eq!(client.recv_msg(0).unwrap(), "welcome");
    }
}

#[test]
fn a_hello_is_heard_from_a_socket_that_is_in_no_call() {
    let ctx = Ctx::new();
    let (client, server) = (socket(&ctx, CLIENT), socket(&ctx, SERVER));
    server.set_hello_msg(b"welcome").unwrap();
    client.set_hello_msg(b"hello").unwrap();
    server.bind("inproc://bound-first").unwrap();
    client.connect("inproc://bound-first").unwrap();
    assert_eq!(client.recv_msg(0).unwrap(), "welcome");
    client.connect("inproc://bound-later").unwrap();
    server.bind("inproc://bound-later").unwrap();
    assert_eq!(client.recv_msg(0).unwrap(), "welcome");
    for _ in 0..2 {
        assert_eq!(server.recv_msg(0).unwrap(), "hello");
    }
}

#[test]
fn a_hello_is_said_again_after_a_reconnect() {
    let ctx = Ctx::new();
    let dealer = socket(&ctx, DEALER);
    dealer.set_hello_msg(b"hello").unwrap();
    dealer
        .set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    let mut endpoint = "tcp://127.0.0.1:*".to_owned();
    for round in 0..3 {
        let router = socket(&ctx, ROUTER);
        wait_until("the address is free", || router.bind(&endpoint).is_ok());
        endpoint = router.last_endpoint();
        if round == 0 {
            dealer.connect(&endpoint).unwrap();
        }
        assert_eq!(frames(&router)[1..], [b"hello"]);
    }
}

#[test]
fn types_that_greet_nobody_take_the_option() {
    let ctx = Ctx::new();
    let (push, pull) = (socket(&ctx, PUSH), socket(&ctx, SocketType::PULL));
    push.set_hello_msg(b"hello").unwrap();
    push.set_disconnect_msg(b"bye").unwrap();
    push.set_hiccup_msg(b"hic").unwrap();
    push.connect(&bound(&pull)).unwrap();
    push.send("first", 0).unwrap();
    assert_eq!(frames(&pull), [b"first"]);
}

#[test]
fn a_peer_that_connected_and_is_gone_leaves_a_message_behind() {
    for endpoint in ANYWHERE {
        for (bound, connecting) in [(ROUTER, DEALER), (SERVER, CLIENT), (PEER, PEER)] {
            let ctx = Ctx::new();
            let server = socket(&ctx, bound);
            server.set_disconnect_msg(b"gone").unwrap();
            server.set_rcvhwm(1).unwrap();
            server.bind(endpoint).unwrap();
            let client = socket(&ctx, connecting);
            if connecting == PEER {
                let id = client.connect_peer(&server.last_endpoint()).unwrap();
                let mut msg = Msg::from("last words");
                msg.set_routing_id(id).unwrap();
                client.send(msg, 0).unwrap();
            } else {
                client.connect(&server.last_endpoint()).unwrap();
                client.send("last words", 0).unwrap();
            }
            drop(client);
            let receive = || server.recv_multipart(0).unwrap();
            let (words, gone) = (receive(), receive());
            assert_eq!(words[words.len() - 1], "last words");
            assert_eq!(gone[gone.len() - 1], "gone");
            assert_eq!(gone[0].routing_id(), words[0].routing_id());
            if bound == ROUTER {
                assert_eq!(gone[0], words[0]);
            }
            assert!(server.try_recv().is_err());
        }
    }
}

#[test]
fn a_lost_connection_is_told_to_who_made_it() {
    for connecting in [CLIENT, DEALER, PEER] {
        let ctx = Ctx::new();
        let client = socket(&ctx, connecting);
        client.set_hiccup_msg(b"lost").unwrap();
        let server = socket(
            &ctx,
            if connecting == CLIENT {
                SERVER
            } else {
                connecting
            },
        );
        let endpoint = bound(&server);
        let monitor = client.monitor();
        client.connect(&endpoint).unwrap();
        event(&monitor, |kind| {
            matches!(kind, EventKind::HandshakeSucceeded)
        });
        assert!(client.try_recv().is_err());
        drop(server);
        assert_eq!(frames(&client), [b"lost"]);
        assert!(client.try_recv().is_err(), "it is told once");
    }
}

#[test]
fn a_router_is_told_of_its_peers() {
    for (connect, disconnect) in [(true, true), (true, false), (false, true)] {
        let ctx = Ctx::new();
        let router = socket(&ctx, ROUTER);
        let mut notify = RouterNotify::default();
        assert_eq!(router.get_router_notify().unwrap(), notify);
        (notify.connect, notify.disconnect) = (connect, disconnect);
        router.set_router_notify(notify).unwrap();
        assert_eq!(router.get_router_notify().unwrap(), notify);
        let dealer = socket(&ctx, DEALER);
        dealer.set_identity(b"me").unwrap();
        dealer.connect(&bound(&router)).unwrap();
        if connect {
            assert_eq!(frames(&router), [&b"me"[..], b""]);
        }
        dealer.send("x", 0).unwrap();
        assert_eq!(frames(&router), [b"me", &b"x"[..]]);
        drop(dealer);
        if disconnect {
            assert_eq!(frames(&router), [&b"me"[..], b""]);
        }
    }
}

#[test]
fn a_router_that_connects_is_told_of_each_connection() {
    let ctx = Ctx::new();
    let router = socket(&ctx, ROUTER);
    let mut notify = RouterNotify::default();
    (notify.connect, notify.disconnect) = (true, true);
    router.set_router_notify(notify).unwrap();
    router
        .set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    let mut endpoint = "tcp://127.0.0.1:*".to_owned();
    for round in 0..3 {
        let dealer = socket(&ctx, DEALER);
        wait_until("the address is free", || dealer.bind(&endpoint).is_ok());
        endpoint = dealer.last_endpoint();
        if round == 0 {
            router.connect(&endpoint).unwrap();
        }
        assert_eq!(frames(&router)[1..], [b""], "it came");
        drop(dealer);
        assert_eq!(frames(&router)[1..], [b""], "it went");
    }
}

#[test]
fn only_a_router_tells_of_its_peers() {
    let ctx = Ctx::new();
    for other in [DEALER, STREAM, SERVER] {
        let other = socket(&ctx, other);
        assert_invalid(other.set_router_notify(RouterNotify::default()));
        other.get_router_notify().unwrap();
    }
}

/// However little room there is for what the peer itself sends.
#[test]
fn that_a_connection_ended_is_never_lost() {
    use std::io::{Read, Write};
    let ctx = Ctx::new();
    let stream = socket(&ctx, STREAM);
    stream.set_rcvhwm(1).unwrap();
    let endpoint = bound(&stream);
    let address = endpoint.strip_prefix("tcp://").unwrap();
    let mut peer = std::net::TcpStream::connect(address).unwrap();
    peer.write_all(b"data").unwrap();
    peer.shutdown(std::net::Shutdown::Both).unwrap();
    let _ = peer.read(&mut [0]);
    let received = [frames(&stream), frames(&stream), frames(&stream)];
    let bodies = received.each_ref().map(|frames| frames[1].clone());
    assert_eq!(bodies, [&b""[..], b"data", b""]);
}
