//! DEALER and ROUTER: many conversations at once, with peers that have names.

use std::collections::HashSet;

use ferrozmq::SocketType::{DEALER, ROUTER};
use ferrozmq::{DONTWAIT, Error, EventKind, POLLIN, POLLOUT, Socket};

use crate::common::{
    LIMIT, Rig, SHORT, Transport, await_event, link, recv, recv_all, recv_from, send, send_to,
    wait_until,
};
use crate::on_each_transport;

on_each_transport!(
    a_peer_has_the_name_that_it_chose,
    a_peer_without_a_name_is_given_one,
    an_answer_goes_to_who_asked,
    a_dealer_sends_in_turn_and_receives_from_all,
    what_is_for_nobody_is_dropped_unless_mandatory,
    what_a_peer_has_no_room_for_is_dropped_unless_mandatory,
    a_routing_id_alone_is_no_message,
    a_name_can_be_had_once,
    a_name_can_be_handed_over,
    a_probe_makes_a_peer_known,
    routers_talk_to_each_other_by_names,
    the_name_of_a_connected_peer_can_be_given_by_us,
    the_rest_of_a_message_to_a_lost_peer_is_dropped,
    what_can_be_done_shows_in_the_events,
);

fn named(rig: &Rig, name: &str, to: &Socket) -> Socket {
    let dealer = rig.socket(DEALER);
    dealer.set_identity(name.as_bytes()).unwrap();
    link(to, &dealer);
    dealer
}

fn a_peer_has_the_name_that_it_chose(rig: &Rig) {
    let router = rig.bound(ROUTER);
    let dealers =
        ["alice", "bob", &"x".repeat(255)].map(|name| (name.to_owned(), named(rig, name, &router)));
    for (name, dealer) in &dealers {
        send(dealer, &["hello", ""]);
        assert_eq!(recv(&router), [name, "hello", ""]);
    }
    for (name, dealer) in &dealers {
        send(&router, &[name, "to", name]);
        assert_eq!(recv(dealer), ["to", name]);
    }
}

fn a_peer_without_a_name_is_given_one(rig: &Rig) {
    let router = rig.bound(ROUTER);
    let mut names = HashSet::new();
    let dealers = [(); 5].map(|()| rig.connected(DEALER, &router));
    for dealer in &dealers {
        send(dealer, &["1"]);
        send(dealer, &["2"]);
        let (id, frames) = recv_from(&router);
        assert_eq!(frames, ["1"]);
        assert!(id.len() == 5 && id[0] == 0, "{id:?}");
        assert_eq!(recv_from(&router), (id.clone(), vec!["2".to_owned()]));
        assert!(names.insert(id));
    }
}

fn an_answer_goes_to_who_asked(rig: &Rig) {
    const QUESTIONS: usize = 20;
    let router = rig.bound(ROUTER);
    let dealers = [(); 8].map(|()| rig.connected(DEALER, &router));
    for (who, dealer) in dealers.iter().enumerate() {
        for n in 0..QUESTIONS {
            send(dealer, &[&format!("{who}:{n}")]);
        }
    }
    for _ in 0..dealers.len() * QUESTIONS {
        let (id, question) = recv_from(&router);
        send_to(&router, &id, &[&question[0], "answered"]);
    }
    for (who, dealer) in dealers.iter().enumerate() {
        for n in 0..QUESTIONS {
            assert_eq!(recv(dealer), [format!("{who}:{n}"), "answered".to_owned()]);
        }
    }
}

fn a_dealer_sends_in_turn_and_receives_from_all(rig: &Rig) {
    let dealer = rig.bound(DEALER);
    let peers = [(); 3].map(|()| rig.connected(DEALER, &dealer));
    for n in 0..9 {
        send(&dealer, &[&n.to_string(), "and more"]);
    }
    for peer in &peers {
        for _ in 0..3 {
            assert_eq!(recv(peer)[1], "and more");
        }
        send(peer, &["back", "home"]);
    }
    for _ in 0..3 {
        assert_eq!(recv(&dealer), ["back", "home"]);
    }
}

fn what_is_for_nobody_is_dropped_unless_mandatory(rig: &Rig) {
    let router = rig.bound(ROUTER);
    let dealer = named(rig, "known", &router);
    send(&router, &["unknown", "dropped"]);
    router.set_router_mandatory(true).unwrap();
    let refused = router
        .send_multipart(["unknown", "given back"], 0)
        .unwrap_err();
    assert!(matches!(refused.error, Error::HostUnreachable));
    assert_eq!(refused.message.len(), 2);
    assert!(matches!(
        router.peer_is_writable(b"unknown"),
        Err(Error::HostUnreachable)
    ));
    assert!(router.peer_is_writable(b"known").unwrap());
    send(&router, &["known", "arrives"]);
    assert_eq!(recv(&dealer), ["arrives"]);
    drop(dealer);
    wait_until(|| {
        matches!(
            router.peer_is_writable(b"known"),
            Err(Error::HostUnreachable)
        )
    });
    let refused = router.send_multipart(["known", "too late"], 0).unwrap_err();
    assert!(matches!(refused.error, Error::HostUnreachable));
}

fn what_a_peer_has_no_room_for_is_dropped_unless_mandatory(rig: &Rig) {
    static BODY: [u8; 65_536] = [0; 65_536];
    let router = rig.socket(ROUTER);
    router.set_sndhwm(2).unwrap();
    router.set_router_mandatory(true).unwrap();
    router.set_sndtimeo(Some(SHORT)).unwrap();
    router.bind(&rig.fresh_endpoint()).unwrap();
    let dealer = rig.socket(DEALER);
    dealer.set_rcvhwm(2).unwrap();
    dealer.set_identity(b"full").unwrap();
    link(&router, &dealer);
    let other = named(rig, "other", &router);

    let mut sent = 0;
    while router.send_multipart([b"full", &BODY[..]], 0).is_ok() {
        sent += 1;
        assert!(sent < 10_000, "it does not fill up");
    }
    assert!(!router.peer_is_writable(b"full").unwrap());
    let refused = router
        .send_multipart([b"full", &BODY[..]], DONTWAIT)
        .unwrap_err();
    assert!(matches!(refused.error, Error::Again));
    send(&router, &["other", "is not held up"]);
    assert_eq!(recv(&other), ["is not held up"]);

    router.set_router_mandatory(false).unwrap();
    send(&router, &["full", "dropped"]);
    for _ in 0..sent {
        assert_eq!(dealer.recv_msg(0).unwrap().len(), BODY.len());
    }
    wait_until(|| router.peer_is_writable(b"full").unwrap());
    send(&router, &["full", "arrives"]);
    assert_eq!(recv(&dealer), ["arrives"]);
}

fn a_routing_id_alone_is_no_message(rig: &Rig) {
    let router = rig.bound(ROUTER);
    let dealer = named(rig, "a", &router);
    send(&router, &["a"]);
    send(&router, &["a", ""]);
    send(&router, &["a", "body"]);
    assert_eq!(recv(&dealer), [""]);
    assert_eq!(recv(&dealer), ["body"]);
}

fn a_name_can_be_had_once(rig: &Rig) {
    let router = rig.bound(ROUTER);
    let first = named(rig, "name", &router);
    let second = rig.socket(DEALER);
    second.set_identity(b"name").unwrap();
    let monitor = second.monitor();
    second.connect(&router.last_endpoint()).unwrap();
    if rig.is_inproc() {
        router.get_events().unwrap();
        assert_eq!(second.get_events().unwrap(), 0, "it is refused");
    } else {
        wait_until(|| {
            router.get_events().unwrap();
            let mut events = std::iter::from_fn(|| monitor.try_recv());
            events.any(|event| matches!(event.kind, EventKind::Disconnected { .. }))
        });
    }
    send(&first, &["hello"]);
    assert_eq!(recv(&router), ["name", "hello"]);
    send(&router, &["name", "to the first"]);
    assert_eq!(recv(&first), ["to the first"]);
}

fn a_name_can_be_handed_over(rig: &Rig) {
    let router = rig.bound(ROUTER);
    router.set_router_handover(true).unwrap();
    let first = named(rig, "name", &router);
    send(&first, &["left to be read"]);
    assert_eq!(router.poll(POLLIN, Some(LIMIT)).unwrap() & POLLIN, POLLIN);
    let second = named(rig, "name", &router);
    send(&second, &["hello"]);
    let (id, frames) = recv_from(&router);
    assert_eq!(frames, ["left to be read"]);
    // What waits to be read may have been labelled before the name was lost.
    assert!(id == b"name" || id[0] == 0, "{id:?}");
    assert_eq!(recv(&router), ["name", "hello"]);
    send(&router, &["name", "to the second"]);
    assert_eq!(recv(&second), ["to the second"]);
}

fn a_probe_makes_a_peer_known(rig: &Rig) {
    let router = rig.bound(ROUTER);
    let dealer = rig.socket(DEALER);
    dealer.set_probe_router(true).unwrap();
    dealer.set_identity(b"dealer").unwrap();
    dealer.connect(&router.last_endpoint()).unwrap();
    assert_eq!(recv(&router), ["dealer", ""]);
    send(&router, &["dealer", "I know you"]);
    assert_eq!(recv(&dealer), ["I know you"]);
}

fn routers_talk_to_each_other_by_names(rig: &Rig) {
    let [a, b] = ["a", "b"].map(|name| {
        let router = rig.socket(ROUTER);
        router.set_identity(name.as_bytes()).unwrap();
        router.set_router_mandatory(true).unwrap();
        router
    });
    a.bind(&rig.fresh_endpoint()).unwrap();
    link(&a, &b);
    send(&b, &["a", "from b"]);
    assert_eq!(recv(&a), ["b", "from b"]);
    send(&a, &["b", "from a"]);
    assert_eq!(recv(&b), ["a", "from a"]);
}

fn the_name_of_a_connected_peer_can_be_given_by_us(rig: &Rig) {
    let dealer = rig.bound(DEALER);
    dealer.set_identity(b"of no interest").unwrap();
    let router = rig.socket(ROUTER);
    router.set_router_mandatory(true).unwrap();
    router.set_connect_routing_id(b"given").unwrap();
    router.connect(&dealer.last_endpoint()).unwrap();
    // The name can be used at once, before there is a connection.
    send(&router, &["given", "hello"]);
    assert_eq!(recv(&dealer), ["hello"]);
    send(&dealer, &["back"]);
    assert_eq!(recv(&router), ["given", "back"]);
}

fn the_rest_of_a_message_to_a_lost_peer_is_dropped(rig: &Rig) {
    let router = rig.bound(ROUTER);
    let leaving = named(rig, "name", &router);
    router.send("name", ferrozmq::SNDMORE).unwrap();
    router.send("first half", ferrozmq::SNDMORE).unwrap();
    drop(leaving);
    wait_until(|| router.peer_is_writable(b"name").is_err());
    router.send("second half", 0).unwrap();
    let next = named(rig, "name", &router);
    send(&router, &["name", "whole"]);
    assert_eq!(recv(&next), ["whole"]);
    assert_eq!(recv_all(&next), Vec::<Vec<String>>::new());
}

fn what_can_be_done_shows_in_the_events(rig: &Rig) {
    let router = rig.bound(ROUTER);
    let dealer = rig.socket(DEALER);
    assert_eq!(router.get_events().unwrap(), POLLOUT);
    assert_eq!(dealer.get_events().unwrap(), 0);
    link(&router, &dealer);
    assert_eq!(dealer.get_events().unwrap(), POLLOUT);
    send(&dealer, &["x"]);
    assert_eq!(router.poll(POLLIN, Some(LIMIT)).unwrap(), POLLIN);
    // The id is read, and so is what is behind it, but not by the application.
    assert_eq!(router.recv_msg(0).unwrap().len(), 5);
    assert_eq!(router.get_events().unwrap() & POLLIN, POLLIN);
    assert_eq!(router.recv_string(0).unwrap(), "x");
    assert_eq!(router.get_events().unwrap() & POLLIN, 0);
}

/// Within a process the marks are exact.
#[test]
fn a_mandatory_router_is_refused_at_the_mark() {
    let rig = Rig::new(Transport::Inproc);
    let router = rig.socket(ROUTER);
    router.set_sndhwm(2).unwrap();
    router.set_router_mandatory(true).unwrap();
    router.bind(&rig.fresh_endpoint()).unwrap();
    let dealer = rig.socket(DEALER);
    dealer.set_rcvhwm(1).unwrap();
    dealer.set_identity(b"d").unwrap();
    link(&router, &dealer);
    let send = || router.send_multipart(["d", "x", "y"], DONTWAIT);
    for _ in 0..3 {
        send().unwrap();
    }
    assert!(matches!(send().unwrap_err().error, Error::Again));
    assert_eq!(recv_all(&dealer).len(), 3);
    send().unwrap();
}

/// A name that is taken is given to the newcomer only; its connection goes on.
#[test]
fn a_displaced_peer_loses_its_connection() {
    let rig = Rig::new(Transport::Tcp);
    let router = rig.bound(ROUTER);
    router.set_router_handover(true).unwrap();
    let first = named(&rig, "name", &router);
    first.set_reconnect_ivl(None).unwrap();
    let monitor = first.monitor();
    let second = named(&rig, "name", &router);
    await_event(&monitor, |kind| {
        matches!(kind, EventKind::Disconnected { .. })
    });
    send(&second, &["hello"]);
    wait_until(|| recv(&router) == ["name", "hello"]);
}
