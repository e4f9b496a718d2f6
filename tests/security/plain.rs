//! PLAIN, with a handler that knows one password.

use std::time::Duration;

use ferrozmq::{Plain, ProtocolError, Security, ZapError};

use super::zap::Handler;
use super::*;
use crate::common::await_loss;
use crate::peer::{RawPeer, command, greeting};

fn secured(security: Security) -> impl FnOnce(&Socket) {
    move |socket| socket.set_security(security).unwrap()
}

/// A handler that knows admin's password.
fn judge(ctx: &Ctx) -> Handler {
    Handler::answering(ctx, REP, |request| {
        if request[5..] == ["PLAIN", "admin", "secret"] {
            Handler::grant("admin")
        } else {
            Handler::refuse("400")
        }
    })
}

#[test]
fn the_right_password_lets_in_over_any_transport() {
    for endpoint in EVERYWHERE {
        let ctx = Ctx::new();
        let _judge = judge(&ctx);
        let server = Server::at(endpoint, &ctx, PULL, secured(Plain::server()));
        let client = server.client(PUSH, secured(Plain::client("admin", "secret")));
        client.socket.send("hello", 0).unwrap();
        let msg = server.socket.recv_msg(0).unwrap();
        assert_eq!(msg.gets("User-Id"), Some("admin"));
    }
}

#[test]
fn a_server_may_connect_and_a_client_bind() {
    let ctx = Ctx::new();
    let _judge = judge(&ctx);
    let client = Server::new(&ctx, PUSH, secured(Plain::client("admin", "secret")));
    let server = client.client(PULL, secured(Plain::server()));
    server.hears(&client);
}

#[test]
fn a_wrong_password_is_refused_and_both_sides_hear_of_it() {
    let ctx = Ctx::new();
    let _judge = judge(&ctx);
    let server = Server::new(&ctx, PULL, secured(Plain::server()));
    for (username, password) in [("admin", "wrong"), ("other", "secret"), ("", "")] {
        let client = server.client(PUSH, secured(Plain::client(username, password)));
        assert_eq!(
            client.failure(),
            Reason::Protocol(ProtocolError::Refused(400))
        );
        assert_eq!(server.failure(), Reason::Denied(400));
    }
}

#[test]
fn without_a_judge_nobody_is_let_in() {
    for enforce in [false, true] {
        let ctx = Ctx::new();
        let server = Server::new(&ctx, PULL, |socket| {
            socket.set_plain_server(true).unwrap();
            // An assertion in libzmq.
            socket.set_zap_enforce_domain(enforce).unwrap();
        });
        let _client = server.client(PUSH, secured(Plain::client("admin", "secret")));
        assert_eq!(server.failure(), Reason::Zap(ZapError::NoHandler));
    }
}

#[test]
fn other_mechanisms_and_old_peers_are_refused() {
    let ctx = Ctx::new();
    let _judge = judge(&ctx);
    let server = Server::new(&ctx, PULL, secured(Plain::server()));
    let mismatch = Reason::Protocol(ProtocolError::MechanismMismatch);
    let openings = [
        greeting(3, 1, "NULL"),
        greeting(3, 0, "CURVE"),
        greeting(1, 8, ""),
        greeting(0, 8, ""),
        b"\x01\0".to_vec(),
        b"\x05\x01hello".to_vec(),
    ];
    for opening in openings {
        let mut peer = RawPeer::connect(&server.socket.last_endpoint());
        peer.send(&opening);
        assert_eq!(server.failure(), mismatch, "{opening:?}");
        peer.expect_closed();
    }
    let client = server.client(PUSH, secured(Plain::client("admin", "secret")));
    server.hears(&client);
}

#[test]
fn a_client_that_never_finishes_gets_no_messages() {
    let ctx = Ctx::new();
    let _judge = judge(&ctx);
    let hello = command("HELLO", b"\x05admin\x06secret");
    for (socket_type, peer_type) in [(PUSH, PULL), (DEALER, DEALER)] {
        let server = Server::new(&ctx, socket_type, secured(Plain::server()));
        // The last of them has shown its password, and says no more.
        let stops = [
            vec![],
            greeting(3, 1, "PLAIN"),
            [&greeting(3, 1, "PLAIN")[..], &hello].concat(),
        ];
        let _idle: Vec<_> = (0..12)
            .map(|n| {
                let stop = &stops[n % 3];
                let mut peer = RawPeer::connect(&server.socket.last_endpoint());
                peer.send(stop);
                let answer = match stop.len() {
                    0 => 0,
                    64 => 64,
                    _ => 64 + 2 + b"\x07WELCOME".len(),
                };
                peer.read(answer);
                peer
            })
            .collect();
        let client = server.client(peer_type, secured(Plain::client("admin", "secret")));
        for n in 0..100 {
            server.socket.send(n.to_string(), 0).unwrap();
            assert_eq!(client.socket.recv_string(0).unwrap(), n.to_string());
        }
    }
}

#[test]
fn a_connection_that_is_lost_is_secured_again() {
    let ctx = Ctx::new();
    let _judge = judge(&ctx);
    let directory = tempfile::tempdir().unwrap();
    let endpoint = format!("ipc://{}/again", directory.path().display());
    let server = Server::at(&endpoint, &ctx, PULL, secured(Plain::server()));
    let client = server.client(PUSH, |socket| {
        let client = Plain::client("admin", "secret");
        socket.set_security(client).unwrap();
        let moment = Duration::from_millis(1);
        socket.set_reconnect_ivl(Some(moment)).unwrap();
    });
    server.hears(&client);
    server.socket.unbind(&endpoint).unwrap();
    await_loss(&client.monitor);
    server.socket.bind(&endpoint).unwrap();
    server.hears(&client);
}
