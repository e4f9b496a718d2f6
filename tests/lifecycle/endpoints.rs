//! Binding, connecting, and taking both back.

use std::fs;
use std::os::unix::net::UnixListener;

use ferrozmq::SocketType::{DEALER, PAIR, PUB, PULL, PUSH, REP, REQ, SUB};
use ferrozmq::{Ctx, DONTWAIT, Error, POLLOUT};

use crate::common::{
    LIMIT, Rig, Transport, await_loss, link, link_to, patient, recv, recv_all, recv_numbers, send,
    send_numbers, wait_until,
};
use crate::{on_each_transport, on_network_transports};

on_each_transport!(
    a_connect_may_come_before_the_bind,
    many_connects_may_come_before_the_bind,
    an_endpoint_can_be_had_once,
    an_endpoint_is_free_as_soon_as_it_is_unbound,
    an_endpoint_is_free_soon_after_its_socket_is_closed,
    a_disconnect_delivers_what_was_sent,
    a_disconnect_ends_the_exchange,
    what_is_not_an_endpoint_of_the_socket_cannot_be_taken_back,
    a_socket_has_as_many_endpoints_as_it_wants,
);

on_network_transports!(
    an_unbind_ends_the_connections_made_through_it,
    an_unbind_delivers_what_was_sent,
    a_wildcard_is_taken_back_by_what_it_became,
    some_types_connect_to_a_place_once,
);

fn a_connect_may_come_before_the_bind(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let push = rig.socket(PUSH);
    push.connect(&endpoint).unwrap();
    send_numbers(&push, 0..100);
    let pull = rig.socket(PULL);
    pull.bind(&endpoint).unwrap();
    recv_numbers(&pull, 0..100);
    send_numbers(&push, 100..200);
    recv_numbers(&pull, 100..200);
}

fn many_connects_may_come_before_the_bind(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let askers = [(); 10].map(|()| rig.socket(REQ));
    for (n, req) in askers.iter().enumerate() {
        req.connect(&endpoint).unwrap();
        send(req, &[&n.to_string()]);
    }
    let rep = rig.socket(REP);
    rep.bind(&endpoint).unwrap();
    for _ in &askers {
        let question = recv(&rep);
        send(&rep, &[&question[0]]);
    }
    for (n, req) in askers.iter().enumerate() {
        assert_eq!(recv(req), [n.to_string()]);
    }
}

fn an_endpoint_can_be_had_once(rig: &Rig) {
    let first = rig.bound(PULL);
    let endpoint = first.last_endpoint();
    let second = rig.socket(PULL);
    assert!(matches!(second.bind(&endpoint), Err(Error::AddrInUse)));
    assert!(matches!(first.bind(&endpoint), Err(Error::AddrInUse)));
    let push = rig.socket(PUSH);
    link_to(&endpoint, &first, &push);
    send(&push, &["to the first"]);
    assert_eq!(recv(&first), ["to the first"]);
}

fn an_endpoint_is_free_as_soon_as_it_is_unbound(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let [a, b] = [(); 2].map(|()| rig.socket(PULL));
    for round in 0..50 {
        let pull = if round % 2 == 0 { &a } else { &b };
        pull.bind(&endpoint).unwrap();
        let push = rig.socket(PUSH);
        link_to(&endpoint, pull, &push);
        send(&push, &["hello"]);
        assert_eq!(recv(pull), ["hello"]);
        pull.unbind(&endpoint).unwrap();
    }
}

fn an_endpoint_is_free_soon_after_its_socket_is_closed(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    for _ in 0..20 {
        let pull = rig.socket(PULL);
        wait_until(|| pull.bind(&endpoint).is_ok());
        let push = rig.connected(PUSH, &pull);
        send(&push, &["hello"]);
        assert_eq!(recv(&pull), ["hello"]);
    }
}

fn a_disconnect_delivers_what_was_sent(rig: &Rig) {
    let pull = rig.bound(PULL);
    let endpoint = pull.last_endpoint();
    let push = rig.socket(PUSH);
    push.set_linger(Some(LIMIT)).unwrap();
    push.connect(&endpoint).unwrap();
    send_numbers(&push, 0..1000);
    push.disconnect(&endpoint).unwrap();
    assert!(matches!(
        push.try_send("x").unwrap_err().error,
        Error::Again
    ));
    recv_numbers(&pull, 0..1000);
    assert_eq!(recv_all(&pull), Vec::<Vec<String>>::new());
    // And it can be taken up again.
    link(&pull, &push);
    send(&push, &["again"]);
    assert_eq!(recv(&pull), ["again"]);
}

fn a_disconnect_ends_the_exchange(rig: &Rig) {
    let (pull, push) = rig.pair(PULL, PUSH);
    let other = rig.connected(PUSH, &pull);
    let pair = rig.bound(PAIR);
    let peer = rig.connected(PAIR, &pair);
    peer.disconnect(&pair.last_endpoint()).unwrap();
    wait_until(|| pair.get_events().unwrap() & POLLOUT == 0);
    push.disconnect(&pull.last_endpoint()).unwrap();
    assert_eq!(push.get_events().unwrap(), 0);
    send(&other, &["goes on"]);
    assert_eq!(recv(&pull), ["goes on"]);
}

fn what_is_not_an_endpoint_of_the_socket_cannot_be_taken_back(rig: &Rig) {
    let (pull, push) = rig.pair(PULL, PUSH);
    let endpoint = pull.last_endpoint();
    let is_unknown = |outcome| matches!(outcome, Err(Error::NoSuchEndpoint));
    assert!(is_unknown(pull.disconnect(&endpoint)));
    assert!(is_unknown(push.unbind(&endpoint)));
    assert!(is_unknown(pull.unbind("tcp://127.0.0.1:1")));
    assert!(is_unknown(pull.unbind("inproc://unknown")));
    assert!(is_unknown(pull.unbind("nonsense")));
    pull.unbind(&endpoint).unwrap();
    assert!(is_unknown(pull.unbind(&endpoint)));
    push.disconnect(&endpoint).unwrap();
    assert!(is_unknown(push.disconnect(&endpoint)));
}

fn a_socket_has_as_many_endpoints_as_it_wants(rig: &Rig) {
    let pull = rig.bound(PULL);
    let mut endpoints = vec![pull.last_endpoint()];
    for transport in [Transport::Inproc, Transport::Ipc, Transport::Tcp] {
        let other = Rig {
            transport,
            ..Rig::new(transport)
        };
        pull.bind(&other.fresh_endpoint().replace(
            &*other.directory.path().to_string_lossy(),
            &rig.directory.path().to_string_lossy(),
        ))
        .unwrap();
        endpoints.push(pull.last_endpoint());
    }
    let push = rig.socket(PUSH);
    for endpoint in &endpoints {
        link_to(endpoint, &pull, &push);
    }
    send_numbers(&push, 0..8);
    let mut got = [(); 8].map(|()| recv(&pull).remove(0));
    got.sort_unstable();
    assert!(
        got.iter()
            .map(String::as_str)
            .eq(["0", "1", "2", "3", "4", "5", "6", "7"])
    );
    pull.unbind(&endpoints[1]).unwrap();
    let late = rig.socket(PUSH);
    link_to(&endpoints[3], &pull, &late);
    send(&late, &["late"]);
    assert_eq!(recv(&pull), ["late"]);
}

fn some_types_connect_to_a_place_once(rig: &Rig) {
    for (here, there, times) in [(PUSH, PULL, 2), (DEALER, DEALER, 1), (REQ, REP, 1)] {
        let bound = rig.bound(there);
        let endpoint = bound.last_endpoint();
        let connecting = rig.socket(here);
        for _ in 0..2 {
            connecting.connect(&endpoint).unwrap();
        }
        for _ in 0..times {
            connecting.disconnect(&endpoint).unwrap();
        }
        let more = connecting.disconnect(&endpoint);
        assert!(matches!(more, Err(Error::NoSuchEndpoint)), "{here}");
    }
    let publisher = rig.bound(PUB);
    let subscriber = rig.socket(SUB);
    subscriber.set_subscribe(b"").unwrap();
    for _ in 0..2 {
        subscriber.connect(&publisher.last_endpoint()).unwrap();
    }
    crate::common::await_subscription(&publisher, &subscriber, "");
    send(&publisher, &["once"]);
    send(&publisher, &["end"]);
    assert_eq!(recv(&subscriber), ["once"]);
    assert_eq!(recv(&subscriber), ["end"]);
}

fn an_unbind_ends_the_connections_made_through_it(rig: &Rig) {
    let pull = rig.bound(PULL);
    let first = pull.last_endpoint();
    pull.bind(&rig.fresh_endpoint()).unwrap();
    let leaving = rig.socket(PUSH);
    link_to(&first, &pull, &leaving);
    let staying = rig.connected(PUSH, &pull);
    let monitor = leaving.monitor();
    pull.unbind(&first).unwrap();
    await_loss(&monitor);
    send(&staying, &["goes on"]);
    assert_eq!(recv(&pull), ["goes on"]);
}

fn an_unbind_delivers_what_was_sent(rig: &Rig) {
    let (push, pull) = rig.pair(PUSH, PULL);
    push.set_linger(Some(LIMIT)).unwrap();
    send_numbers(&push, 0..1000);
    push.unbind(&push.last_endpoint()).unwrap();
    recv_numbers(&pull, 0..1000);
}

fn a_wildcard_is_taken_back_by_what_it_became(rig: &Rig) {
    let wildcard = match rig.transport {
        Transport::Ipc => "ipc://*",
        Transport::Tcp | Transport::Inproc => "tcp://127.0.0.1:*",
    };
    let pull = rig.socket(PULL);
    assert_eq!(pull.last_endpoint(), "");
    for _ in 0..2 {
        pull.bind(wildcard).unwrap();
        let became = pull.last_endpoint();
        assert!(!became.contains('*'), "{became}");
        assert!(matches!(pull.unbind(wildcard), Err(Error::NoSuchEndpoint)));
        pull.unbind(&became).unwrap();
    }
}

#[test]
fn what_is_no_endpoint_is_refused() {
    let rig = Rig::new(Transport::Tcp);
    let socket = rig.socket(PULL);
    for text in [
        "",
        "tcp",
        "tcp://",
        "://x",
        "tcp://localhost",
        "tcp://127.0.0.1:99999",
        "ipc://",
        "inproc://",
    ] {
        let refused = [socket.bind(text), socket.connect(text)];
        for outcome in refused {
            assert!(
                matches!(outcome, Err(Error::InvalidEndpoint { .. })),
                "{text} {outcome:?}"
            );
        }
    }
    assert!(matches!(
        socket.connect("tcp://127.0.0.1:*"),
        Err(Error::InvalidEndpoint { .. })
    ));
    assert!(matches!(
        socket.bind("carrier-pigeon://x"),
        Err(Error::ProtocolNotSupported(_))
    ));
    assert!(matches!(
        socket.bind("TCP://127.0.0.1:*"),
        Err(Error::ProtocolNotSupported(_))
    ));
    let long = format!("ipc:///{}", "x".repeat(200));
    assert!(matches!(socket.bind(&long), Err(Error::NameTooLong)));
    // An address for documentation: it is nobody's.
    assert!(matches!(
        socket.bind("tcp://192.0.2.1:*"),
        Err(Error::AddrNotAvailable)
    ));
}

#[test]
fn names_are_known_within_their_context_only() {
    let rig = Rig::new(Transport::Inproc);
    let pull = rig.socket(PULL);
    pull.bind("inproc://name").unwrap();
    let elsewhere = Ctx::new();
    let other = patient(&elsewhere, PULL);
    other.bind("inproc://name").unwrap();
    let push = patient(&elsewhere, PUSH);
    link(&other, &push);
    send(&push, &["x"]);
    assert_eq!(recv(&other), ["x"]);
    assert!(matches!(pull.recv_msg(DONTWAIT), Err(Error::Again)));
}

#[test]
fn unbinding_a_name_leaves_its_exchanges_alone() {
    let rig = Rig::new(Transport::Inproc);
    let (pull, push) = rig.pair(PULL, PUSH);
    let endpoint = pull.last_endpoint();
    pull.unbind(&endpoint).unwrap();
    send(&push, &["goes on"]);
    assert_eq!(recv(&pull), ["goes on"]);
    let next = rig.socket(PULL);
    next.bind(&endpoint).unwrap();
    let late = rig.connected(PUSH, &next);
    send(&late, &["to the next"]);
    assert_eq!(recv(&next), ["to the next"]);
}

#[test]
fn a_file_that_nobody_listens_on_is_taken_over() {
    let rig = Rig::new(Transport::Ipc);
    let path = rig.directory.path().join("deserted");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let pull = rig.socket(PULL);
    pull.bind(&format!("ipc://{}", path.display())).unwrap();
    let push = rig.connected(PUSH, &pull);
    send(&push, &["x"]);
    assert_eq!(recv(&pull), ["x"]);
}

#[test]
fn the_file_of_a_living_listener_is_left_alone() {
    let rig = Rig::new(Transport::Ipc);
    let path = rig.directory.path().join("alive");
    let listener = UnixListener::bind(&path).unwrap();
    let pull = rig.socket(PULL);
    let endpoint = format!("ipc://{}", path.display());
    assert!(matches!(pull.bind(&endpoint), Err(Error::AddrInUse)));
    std::os::unix::net::UnixStream::connect(&path).unwrap();
    drop(listener);
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let rig = Rig::new(Transport::Ipc);
    let path = rig.directory.path().join("text");
    fs::write(&path, "text").unwrap();
    let pull = rig.socket(PULL);
    let endpoint = format!("ipc://{}", path.display());
    assert!(matches!(pull.bind(&endpoint), Err(Error::AddrInUse)));
    assert_eq!(fs::read_to_string(&path).unwrap(), "text");
}

#[test]
fn a_file_goes_with_its_listener_unless_it_is_anothers() {
    let rig = Rig::new(Transport::Ipc);
    let pull = rig.bound(PULL);
    let endpoint = pull.last_endpoint();
    let path = endpoint.trim_start_matches("ipc://");
    assert!(fs::exists(path).unwrap());
    pull.unbind(&endpoint).unwrap();
    assert!(!fs::exists(path).unwrap());

    pull.bind(&endpoint).unwrap();
    fs::remove_file(path).unwrap();
    let _other = UnixListener::bind(path).unwrap();
    pull.unbind(&endpoint).unwrap();
    assert!(fs::exists(path).unwrap());
}

#[test]
fn a_wildcard_leaves_no_file_behind() {
    let rig = Rig::new(Transport::Ipc);
    let pull = rig.socket(PULL);
    pull.bind("ipc://*").unwrap();
    let endpoint = pull.last_endpoint();
    let path = std::path::Path::new(endpoint.trim_start_matches("ipc://"));
    assert!(path.exists());
    drop(pull);
    rig.ctx.term(Some(LIMIT)).unwrap();
    assert!(!path.parent().unwrap().exists());
}

#[test]
fn the_name_of_a_closed_socket_is_free_at_once() {
    let ctx = Ctx::new();
    for _ in 0..100 {
        let pair = ctx.socket(PAIR).unwrap();
        pair.bind("inproc://again").unwrap();
    }
}
