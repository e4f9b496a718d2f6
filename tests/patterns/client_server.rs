//! CLIENT and SERVER: questions and answers without turns, each CLIENT known by a number.

use ferrozmq::SocketType::{CLIENT, DEALER, SERVER};
use ferrozmq::{DONTWAIT, Error, Msg, POLLIN, POLLOUT, SNDMORE, Socket};

use crate::common::{Rig, recv, send, wait_until};
use crate::on_each_transport;

on_each_transport!(
    answers_go_to_the_client_that_asked,
    a_server_must_say_whom_it_means,
    a_full_client_is_waited_for_and_one_that_is_gone_is_not,
    a_client_takes_its_servers_in_turn,
    messages_have_one_frame,
    frames_of_others_that_belong_together_are_dropped,
    readiness_is_told,
);

fn answer(server: &Socket, id: u32, body: &str) -> Result<(), Error> {
    let mut msg = Msg::from(body);
    msg.set_routing_id(id).unwrap();
    server.send(msg, DONTWAIT).map_err(Error::from)
}

/// Receives a message, and who it is from.
#[track_caller]
fn ask(server: &Socket) -> (u32, String) {
    let msg = server.recv_msg(0).unwrap();
    (msg.routing_id(), msg.as_str().unwrap().to_owned())
}

fn answers_go_to_the_client_that_asked(rig: &Rig) {
    let (server, a) = rig.pair(SERVER, CLIENT);
    let b = rig.connected(CLIENT, &server);
    send(&a, &["from a"]);
    send(&b, &["from b"]);
    for _ in 0..2 {
        let (id, body) = ask(&server);
        assert_ne!(id, 0);
        answer(&server, id, &format!("to the one {body}")).unwrap();
        answer(&server, id, "and again").unwrap();
    }
    for (client, name) in [(&a, "a"), (&b, "b")] {
        let answer = client.recv_msg(0).unwrap();
        assert_eq!(answer, *format!("to the one from {name}"));
        assert_eq!(answer.routing_id(), 0, "the number is the server's affair");
        assert_eq!(recv(client), ["and again"]);
    }
}

fn a_server_must_say_whom_it_means(rig: &Rig) {
    let (server, client) = rig.pair(SERVER, CLIENT);
    let unaddressed = server.send("to nobody", 0).unwrap_err();
    assert!(matches!(unaddressed.error, Error::HostUnreachable));
    assert_eq!(unaddressed.message, "to nobody");
    send(&client, &["x"]);
    let (id, _) = ask(&server);
    let unknown = answer(&server, id ^ 0x5A5A, "to a stranger");
    assert!(
        matches!(unknown, Err(Error::HostUnreachable)),
        "{unknown:?}"
    );
    assert!(Msg::new().set_routing_id(0).is_err());
}

fn a_full_client_is_waited_for_and_one_that_is_gone_is_not(rig: &Rig) {
    let server = rig.socket(SERVER);
    server.set_sndhwm(1).unwrap();
    server.set_sndbuf(Some(4096)).unwrap();
    server.bind(&rig.fresh_endpoint()).unwrap();
    let client = rig.socket(CLIENT);
    client.set_rcvhwm(1).unwrap();
    client.set_rcvbuf(Some(4096)).unwrap();
    crate::common::link(&server, &client);
    send(&client, &["x"]);
    let (id, _) = ask(&server);
    let body = "x".repeat(100_000);
    wait_until(|| matches!(answer(&server, id, &body), Err(Error::Again)));
    assert_eq!(client.recv_msg(0).unwrap().len(), body.len());
    drop(client);
    wait_until(|| matches!(answer(&server, id, &body), Err(Error::HostUnreachable)));
}

fn a_client_takes_its_servers_in_turn(rig: &Rig) {
    let (first, client) = rig.pair(SERVER, CLIENT);
    let second = rig.bound(SERVER);
    crate::common::link(&second, &client);
    for body in ["1", "2", "3", "4"] {
        send(&client, &[body]);
    }
    let bodies = |server| [ask(server).1, ask(server).1];
    let mut all = [bodies(&first), bodies(&second)];
    all.sort();
    assert_eq!(all, [["1", "3"], ["2", "4"]]);
}

fn messages_have_one_frame(rig: &Rig) {
    let (server, client) = rig.pair(SERVER, CLIENT);
    let refused = client.send("first", SNDMORE).unwrap_err();
    assert!(matches!(refused.error, Error::InvalidArgument(_)));
    assert_eq!(refused.error.errno(), 22);
    assert!(client.send_multipart(["a", "b"], 0).is_err());
    send(&client, &["whole"]);
    let (id, body) = ask(&server);
    assert_eq!(body, "whole");
    let mut part = Msg::from("part");
    part.set_routing_id(id).unwrap();
    let refused = server.send(part, SNDMORE).unwrap_err();
    assert!(matches!(refused.error, Error::InvalidArgument(_)));
    assert_eq!(refused.message.routing_id(), id);
}

/// Over inproc nobody asks for the peer's type; elsewhere a raw peer sends what it likes.
fn frames_of_others_that_belong_together_are_dropped(rig: &Rig) {
    let server = rig.bound(SERVER);
    if rig.is_inproc() {
        let dealer = rig.connected(DEALER, &server);
        send(&dealer, &["of", "two"]);
        send(&dealer, &["single"]);
        assert_eq!(ask(&server).1, "single");
        return;
    }
    use crate::peer::{MORE, RawPeer, frame};
    let mut peer = RawPeer::shake_hands(&server.last_endpoint(), "CLIENT", b"");
    for (flags, body) in [(MORE, "of"), (MORE, "three"), (0, "frames"), (0, "single")] {
        peer.send(&frame(flags, body.as_bytes()));
    }
    assert_eq!(ask(&server).1, "single");
}

fn readiness_is_told(rig: &Rig) {
    let server = rig.bound(SERVER);
    assert_eq!(server.get_events().unwrap(), POLLOUT);
    let client = rig.socket(CLIENT);
    assert_eq!(client.get_events().unwrap(), 0);
    crate::common::link(&server, &client);
    assert_eq!(client.get_events().unwrap(), POLLOUT);
    send(&client, &["x"]);
    assert_eq!(server.poll(POLLIN, None).unwrap(), POLLIN);
    assert!(server.socket_type().is_thread_safe());
}
