//! Waiting for peers, for subscribers, for a free address and for the end of a socket.

use std::time::Duration;

use ferrozmq::SocketType::{DEALER, PAIR, PUB, PULL, PUSH, REP, REQ, ROUTER, SUB, XPUB, XSUB};
use ferrozmq::{Error, Socket};

use crate::common::{
    LIMIT, Rig, SHORT, await_loss, recv, recv_numbers, send, send_numbers, wait_until,
};
use crate::{on_each_transport, on_network_transports};

on_each_transport!(
    a_socket_is_connected_once_all_its_endpoints_are,
    a_bound_socket_is_connected_once_it_has_a_peer,
    every_type_can_be_waited_for,
    a_peer_that_is_gone_counts_no_more,
    the_first_message_reaches_subscribers_that_were_waited_for,
    subscribers_are_counted_once_and_while_they_stay,
    an_xpub_keeps_its_events_while_it_waits,
    only_publishers_have_subscribers,
    waiting_ends_with_the_context,
);

on_network_transports!(
    a_connection_that_was_lost_is_waited_for_again,
    a_socket_with_immediate_is_connected_too,
    an_address_is_free_once_it_was_waited_for,
    a_closed_socket_has_delivered_what_was_sent,
    a_closed_socket_is_waited_for_in_vain_while_its_peer_is_full,
    a_socket_that_is_gone_leaves_its_place_to_another,
);

const SOON: Option<Duration> = Some(LIMIT);
const BRIEFLY: Option<Duration> = Some(SHORT);

#[track_caller]
fn assert_again(result: Result<(), Error>) {
    assert!(matches!(result, Err(Error::Again)), "{result:?}");
}

fn a_socket_is_connected_once_all_its_endpoints_are(rig: &Rig) {
    let first = rig.bound(PULL);
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let push = rig.socket(PUSH);
    assert_again(push.wait_connected(BRIEFLY));
    push.connect(&first.last_endpoint()).unwrap();
    push.wait_connected(SOON).unwrap();
    push.connect(&endpoint).unwrap();
    assert_again(push.wait_connected(BRIEFLY));
    let second = rig.socket(PULL);
    second.bind(&endpoint).unwrap();
    push.wait_connected(SOON).unwrap();
    push.disconnect(&endpoint).unwrap();
    drop(second);
    push.wait_connected(SOON).unwrap();
}

fn a_bound_socket_is_connected_once_it_has_a_peer(rig: &Rig) {
    let pull = rig.bound(PULL);
    assert_again(pull.wait_connected(BRIEFLY));
    let push = rig.socket(PUSH);
    push.connect(&pull.last_endpoint()).unwrap();
    pull.wait_connected(SOON).unwrap();
}

fn every_type_can_be_waited_for(rig: &Rig) {
    let pairs = [
        (REP, REQ),
        (ROUTER, DEALER),
        (DEALER, ROUTER),
        (PAIR, PAIR),
        (PUB, SUB),
        (XPUB, XSUB),
        (SUB, PUB),
        (PULL, PUSH),
        (PUSH, PULL),
    ];
    for (bound, connected) in pairs {
        let (bound, connected) = (rig.bound(bound), rig.socket(connected));
        connected.connect(&bound.last_endpoint()).unwrap();
        connected.wait_connected(SOON).unwrap();
        bound.wait_connected(SOON).unwrap();
    }
}

fn a_peer_that_is_gone_counts_no_more(rig: &Rig) {
    let pull = rig.bound(PULL);
    let push = rig.socket(PUSH);
    push.connect(&pull.last_endpoint()).unwrap();
    pull.wait_connected(SOON).unwrap();
    push.wait_connected(SOON).unwrap();
    drop(push);
    wait_until(|| matches!(pull.wait_connected(Some(Duration::ZERO)), Err(Error::Again)));
}

fn subscriber(rig: &Rig, publisher: &Socket, topics: &[&str]) -> Socket {
    let sub = rig.socket(SUB);
    for topic in topics {
        sub.set_subscribe(topic.as_bytes()).unwrap();
    }
    sub.connect(&publisher.last_endpoint()).unwrap();
    sub
}

fn the_first_message_reaches_subscribers_that_were_waited_for(rig: &Rig) {
    for publisher in [PUB, XPUB] {
        let publisher = rig.bound(publisher);
        publisher.wait_subscribers(0, SOON).unwrap();
        assert_again(publisher.wait_subscribers(1, BRIEFLY));
        let subscribers: Vec<_> = (0..20)
            .map(|_| subscriber(rig, &publisher, &["a"]))
            .collect();
        publisher.wait_subscribers(20, SOON).unwrap();
        send(&publisher, &["a first"]);
        for subscriber in &subscribers {
            assert_eq!(recv(subscriber), ["a first"]);
        }
    }
}

fn subscribers_are_counted_once_and_while_they_stay(rig: &Rig) {
    let publisher = rig.bound(PUB);
    let first = subscriber(rig, &publisher, &["a", "b", "c"]);
    let _idle = subscriber(rig, &publisher, &[]);
    publisher.wait_subscribers(1, SOON).unwrap();
    assert_again(publisher.wait_subscribers(2, BRIEFLY));
    let second = subscriber(rig, &publisher, &["a"]);
    publisher.wait_subscribers(2, SOON).unwrap();
    drop(second);
    first.set_unsubscribe(b"a").unwrap();
    wait_until(|| publisher.wait_subscribers(2, Some(Duration::ZERO)).is_err());
    publisher.wait_subscribers(1, SOON).unwrap();
    first.set_unsubscribe(b"b").unwrap();
    first.set_unsubscribe(b"c").unwrap();
    wait_until(|| publisher.wait_subscribers(1, Some(Duration::ZERO)).is_err());
}

fn an_xpub_keeps_its_events_while_it_waits(rig: &Rig) {
    let publisher = rig.bound(XPUB);
    let _subscriber = subscriber(rig, &publisher, &["topic"]);
    publisher.wait_subscribers(1, SOON).unwrap();
    assert_eq!(recv(&publisher), ["\u{1}topic"]);
}

fn only_publishers_have_subscribers(rig: &Rig) {
    for socket_type in [PUSH, PULL, SUB, XSUB, REQ, ROUTER] {
        let socket = rig.socket(socket_type);
        let waited = socket.wait_subscribers(1, SOON);
        assert!(matches!(waited, Err(Error::NotSupported)), "{waited:?}");
    }
}

fn waiting_ends_with_the_context(rig: &Rig) {
    let (pair, publisher) = (rig.bound(PAIR), rig.bound(PUB));
    rig.ctx.shutdown();
    assert!(matches!(pair.wait_connected(SOON), Err(Error::Term)));
    let waited = publisher.wait_subscribers(1, SOON);
    assert!(matches!(waited, Err(Error::Term)));
    let endpoint = pair.last_endpoint();
    assert!(matches!(
        pair.wait_unbound(&endpoint, SOON),
        Err(Error::Term)
    ));
}

fn a_connection_that_was_lost_is_waited_for_again(rig: &Rig) {
    let pull = rig.bound(PULL);
    let endpoint = pull.last_endpoint();
    let push = rig.socket(PUSH);
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    push.wait_connected(SOON).unwrap();
    pull.wait_closed(SOON).unwrap();
    await_loss(&monitor);
    assert_again(push.wait_connected(BRIEFLY));
    let pull = rig.socket(PULL);
    pull.bind(&endpoint).unwrap();
    push.wait_connected(SOON).unwrap();
}

fn a_socket_with_immediate_is_connected_too(rig: &Rig) {
    let pull = rig.bound(PULL);
    let push = rig.socket(PUSH);
    push.set_immediate(true).unwrap();
    push.connect(&pull.last_endpoint()).unwrap();
    push.wait_connected(SOON).unwrap();
    push.try_send("there is room").unwrap();
}

fn an_address_is_free_once_it_was_waited_for(rig: &Rig) {
    let socket = rig.bound(PULL);
    let endpoint = socket.last_endpoint();
    for _ in 0..20 {
        socket.wait_unbound(&endpoint, SOON).unwrap();
        let unbound = socket.wait_unbound(&endpoint, SOON);
        assert!(matches!(unbound, Err(Error::NoSuchEndpoint)));
        socket.bind(&endpoint).unwrap();
    }
    socket.wait_closed(SOON).unwrap();
    rig.socket(PULL).bind(&endpoint).unwrap();
}

fn a_closed_socket_has_delivered_what_was_sent(rig: &Rig) {
    let pull = rig.bound(PULL);
    let push = rig.connected(PUSH, &pull);
    push.set_linger(None).unwrap();
    send_numbers(&push, 0..500);
    push.wait_closed(SOON).unwrap();
    recv_numbers(&pull, 0..500);
}

fn a_closed_socket_is_waited_for_in_vain_while_its_peer_is_full(rig: &Rig) {
    let pull = rig.bound(PULL);
    pull.set_rcvhwm(1).unwrap();
    let push = rig.connected(PUSH, &pull);
    push.set_linger(SOON).unwrap();
    push.set_sndhwm(20).unwrap();
    let large = vec![0; 1_000_000];
    let sent = std::iter::from_fn(|| push.try_send(&large).ok()).count();
    assert_again(push.wait_closed(BRIEFLY));
    for _ in 0..sent {
        assert_eq!(pull.recv_msg(0).unwrap().len(), large.len());
    }
}

fn a_socket_that_is_gone_leaves_its_place_to_another(rig: &Rig) {
    rig.ctx.set_max_sockets(2).unwrap();
    let pull = rig.bound(PULL);
    let endpoint = pull.last_endpoint();
    for _ in 0..50 {
        let push = rig.ctx.socket(PUSH).unwrap();
        push.connect(&endpoint).unwrap();
        push.wait_connected(SOON).unwrap();
        send_numbers(&push, 0..3);
        push.wait_closed(SOON).unwrap();
        recv_numbers(&pull, 0..3);
    }
}
