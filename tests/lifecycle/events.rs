//! What a monitor tells, and in what order.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use ferrozmq::SocketType::{DEALER, PULL, PUSH, ROUTER};
use ferrozmq::{Error, EventKind, Monitor, Reason, Socket};

use crate::common::{
    LIMIT, Rig, Transport, await_event, await_loss, link, recv, recv_from, send, send_to,
};
use crate::on_network_transports;

on_network_transports!(
    a_listener_and_its_connection_are_told_of_in_order,
    a_connecter_is_told_of_in_order,
    a_bind_that_fails_is_told_of,
    an_event_says_who_and_where,
    a_monitor_hears_what_the_connect_before_it_led_to,
    only_the_call_after_a_connect_hears_what_that_led_to,
    a_second_monitor_replaces_the_first,
    a_monitor_ends_with_its_socket,
    a_peer_of_the_wrong_type_is_told_of,
    a_pipe_s_statistics_say_between_whom_it_is,
);

fn name(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Connected { .. } => "connected",
        EventKind::ConnectDelayed => "delayed",
        EventKind::ConnectRetried { .. } => "retried",
        EventKind::ConnectStopped { .. } => "given up",
        EventKind::Listening { .. } => "listening",
        EventKind::BindFailed { .. } => "bind failed",
        EventKind::Accepted { .. } => "accepted",
        EventKind::AcceptFailed { .. } => "accept failed",
        EventKind::Closed { .. } => "closed",
        EventKind::Disconnected { .. } => "disconnected",
        EventKind::HandshakeSucceeded => "handshake",
        EventKind::HandshakeFailed { .. } => "handshake failed",
        EventKind::PipeStatistics { .. } => "pipe",
        EventKind::MonitorStopped => "stopped",
        _ => "new",
    }
}

/// The names of the events up to one, that included.
#[track_caller]
fn names_up_to(monitor: &Monitor, last: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    while names.last() != Some(&last) {
        let event = monitor.recv_timeout(LIMIT);
        names.push(name(
            &event.unwrap_or_else(|| panic!("after {names:?}")).kind,
        ));
    }
    names
}

fn a_listener_and_its_connection_are_told_of_in_order(rig: &Rig) {
    let pull = rig.socket(PULL);
    let monitor = pull.monitor();
    pull.bind(&rig.fresh_endpoint()).unwrap();
    let push = rig.socket(PUSH);
    push.connect(&pull.last_endpoint()).unwrap();
    assert_eq!(
        names_up_to(&monitor, "handshake"),
        ["listening", "accepted", "handshake"]
    );
    drop(push);
    assert_eq!(names_up_to(&monitor, "disconnected"), ["disconnected"]);
    pull.unbind(&pull.last_endpoint()).unwrap();
    assert_eq!(names_up_to(&monitor, "closed"), ["closed"]);
}

fn a_connecter_is_told_of_in_order(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let push = rig.socket(PUSH);
    push.set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    let pull = rig.socket(PULL);
    pull.bind(&endpoint).unwrap();
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    let mut up = names_up_to(&monitor, "handshake");
    // Only what takes time is said to be delayed.
    up.retain(|name| *name != "delayed");
    assert_eq!(up, ["connected", "handshake"]);
    pull.unbind(&endpoint).unwrap();
    assert_eq!(
        names_up_to(&monitor, "retried"),
        ["disconnected", "retried"]
    );
    pull.bind(&endpoint).unwrap();
    let mut again = names_up_to(&monitor, "handshake");
    again.retain(|name| !["delayed", "closed", "retried"].contains(name));
    assert_eq!(again, ["connected", "handshake"]);
    push.disconnect(&endpoint).unwrap();
    assert_eq!(names_up_to(&monitor, "disconnected"), ["disconnected"]);
}

#[test]
fn an_attempt_that_fails_is_told_of_in_order() {
    let rig = Rig::new(Transport::Tcp);
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let push = rig.socket(PUSH);
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    let names = names_up_to(&monitor, "retried");
    // The system may refuse at once.
    assert!(
        [&["delayed", "closed", "retried"][..], &["retried"]].contains(&&names[..]),
        "{names:?}"
    );
}

fn a_bind_that_fails_is_told_of(rig: &Rig) {
    let first = rig.bound(PULL);
    let second = rig.socket(PULL);
    let monitor = second.monitor();
    second.bind(&first.last_endpoint()).unwrap_err();
    let event = monitor.recv_timeout(LIMIT).unwrap();
    assert_eq!(event.local, first.last_endpoint());
    match event.kind {
        EventKind::BindFailed { errno } => assert_eq!(errno, nix::libc::EADDRINUSE),
        other => panic!("{other:?}"),
    }
}

fn an_event_says_who_and_where(rig: &Rig) {
    let router = rig.bound(ROUTER);
    let endpoint = router.last_endpoint();
    let dealer = rig.socket(DEALER);
    dealer.set_identity(b"dealer").unwrap();
    let monitors = [router.monitor(), dealer.monitor()];
    dealer.connect(&endpoint).unwrap();
    let [at_router, at_dealer] = monitors.map(|monitor| {
        await_event(&monitor, |kind| {
            matches!(kind, EventKind::HandshakeSucceeded)
        })
    });
    assert_eq!(at_router.local, endpoint);
    assert_eq!(at_dealer.remote, endpoint);
    let property = |event: &ferrozmq::Event, name: &str| {
        let peer = event.peer.clone().unwrap();
        peer.get(name).map(<[u8]>::to_vec)
    };
    assert_eq!(
        property(&at_router, "Socket-Type"),
        Some(b"DEALER".to_vec())
    );
    assert_eq!(property(&at_router, "Identity"), Some(b"dealer".to_vec()));
    assert_eq!(
        property(&at_dealer, "Socket-Type"),
        Some(b"ROUTER".to_vec())
    );
    assert!(at_router.to_string().contains("handshake"), "{at_router}");
}

fn a_monitor_hears_what_the_connect_before_it_led_to(rig: &Rig) {
    let pull = rig.socket(PULL);
    let at_the_other_end = pull.monitor();
    pull.bind(&rig.fresh_endpoint()).unwrap();
    let push = rig.socket(PUSH);
    push.connect(&pull.last_endpoint()).unwrap();
    names_up_to(&at_the_other_end, "handshake");
    let monitor = push.monitor();
    let mut names = names_up_to(&monitor, "handshake");
    names.retain(|name| *name != "delayed");
    assert_eq!(names, ["connected", "handshake"]);
    // And goes on to hear.
    drop(pull);
    assert_eq!(
        names_up_to(&monitor, "retried").first(),
        Some(&"disconnected")
    );
}

fn only_the_call_after_a_connect_hears_what_that_led_to(rig: &Rig) {
    let (push, pull) = (rig.socket(PUSH), rig.socket(PULL));
    pull.bind(&rig.fresh_endpoint()).unwrap();
    push.connect(&pull.last_endpoint()).unwrap();
    send(&push, &["shakes hands before it arrives"]);
    recv(&pull);
    let monitor = push.monitor();
    drop(pull);
    assert_eq!(names_up_to(&monitor, "disconnected"), ["disconnected"]);
}

fn a_second_monitor_replaces_the_first(rig: &Rig) {
    let pull = rig.bound(PULL);
    let first = pull.monitor();
    let second = pull.monitor();
    let _push = rig.socket(PUSH);
    _push.connect(&pull.last_endpoint()).unwrap();
    assert_eq!(names_up_to(&first, "stopped"), ["stopped"]);
    assert!(first.recv().is_none());
    assert_eq!(names_up_to(&second, "handshake"), ["accepted", "handshake"]);
}

fn a_monitor_ends_with_its_socket(rig: &Rig) {
    let (pull, _push) = rig.pair(PULL, PUSH);
    let monitor = pull.monitor();
    drop(pull);
    let mut names = names_up_to(&monitor, "stopped");
    assert!(monitor.recv().is_none());
    names.sort_unstable();
    assert_eq!(names, ["closed", "disconnected", "stopped"]);
}

fn a_peer_of_the_wrong_type_is_told_of(rig: &Rig) {
    let pull = rig.bound(PULL);
    let dealer = rig.socket(DEALER);
    let monitor = pull.monitor();
    dealer.connect(&pull.last_endpoint()).unwrap();
    let failed = |kind: &_| matches!(kind, EventKind::HandshakeFailed { .. });
    let EventKind::HandshakeFailed { reason } = await_event(&monitor, failed).kind else {
        unreachable!()
    };
    let incompatible = Reason::Protocol(ferrozmq::ProtocolError::IncompatibleSocketType);
    // Whichever side looks first closes the connection.
    assert!(
        reason == incompatible || reason == Reason::PeerClosed,
        "{reason}"
    );
    await_loss(&monitor);
}

/// Connects to a bound socket and says something that no peer would.
fn nuisance(to: &Socket) {
    let endpoint = to.last_endpoint();
    let address = endpoint.trim_start_matches("tcp://");
    let mut plain = TcpStream::connect(address).unwrap();
    let _ = plain.write_all(&[0; 64]);
}

#[test]
fn a_monitor_that_nobody_reads_holds_nothing_up() {
    let rig = Rig::new(Transport::Tcp);
    let pull = rig.bound(PULL);
    let monitor = pull.monitor();
    crate::common::wait_until(|| {
        nuisance(&pull);
        monitor.dropped() > 0
    });
    let push = rig.socket(PUSH);
    push.connect(&pull.last_endpoint()).unwrap();
    send(&push, &["served"]);
    assert_eq!(recv(&pull), ["served"]);
    assert_eq!(std::iter::from_fn(|| monitor.try_recv()).count(), 4096);
}

#[test]
fn a_connection_within_the_process_is_no_news() {
    let rig = Rig::new(Transport::Inproc);
    let pull = rig.socket(PULL);
    let monitor = pull.monitor();
    pull.bind(&rig.fresh_endpoint()).unwrap();
    let push = rig.socket(PUSH);
    link(&pull, &push);
    drop(push);
    pull.unbind(&pull.last_endpoint()).unwrap();
    drop(monitor);
    let monitor = pull.monitor();
    drop(pull);
    assert_eq!(names_up_to(&monitor, "stopped"), ["stopped"]);
}

/// What a socket's pipes hold, in order of what waits to go: outbound, inbound, local, remote.
#[track_caller]
fn statistics(socket: &Socket) -> Vec<(u64, u64, String, String)> {
    let monitor = socket.monitor();
    let pipes = socket.report_pipes().unwrap();
    let events = std::iter::from_fn(|| monitor.try_recv());
    let mut found: Vec<_> = events
        .filter_map(|event| match event.kind {
            EventKind::PipeStatistics { outbound, inbound } => {
                Some((outbound, inbound, event.local, event.remote))
            }
            _ => None,
        })
        .collect();
    assert_eq!(found.len(), pipes);
    found.sort();
    found
}

#[test]
fn statistics_of_pipes_are_for_who_monitors() {
    let rig = Rig::new(Transport::Inproc);
    let pull = rig.bound(PULL);
    assert!(matches!(
        pull.report_pipes(),
        Err(Error::InvalidArgument(_))
    ));
    let _monitor = pull.monitor();
    assert_eq!(pull.report_pipes().unwrap(), 0);
}

#[test]
fn statistics_count_what_waits_on_both_sides() {
    let rig = Rig::new(Transport::Inproc);
    let (router, dealer) = rig.pair(ROUTER, DEALER);
    let endpoint = router.last_endpoint();
    let of_dealer = |out, inn| vec![(out, inn, String::new(), endpoint.clone())];
    let of_router = |out, inn| vec![(out, inn, endpoint.clone(), String::new())];
    assert_eq!(statistics(&dealer), of_dealer(0, 0));
    for n in 0..5 {
        send(&dealer, &[&n.to_string(), "counts as one"]);
    }
    assert_eq!(statistics(&dealer), of_dealer(5, 0));
    assert_eq!(statistics(&router), of_router(0, 5));
    let (id, _) = recv_from(&router);
    assert_eq!(statistics(&router), of_router(0, 4));
    send_to(&router, &id, &["reply"]);
    assert_eq!(statistics(&router), of_router(1, 4));
    assert_eq!(statistics(&dealer)[0].1, 1);
    // Who has found nothing more has told of all that was read.
    for _ in 0..4 {
        recv_from(&router);
    }
    assert!(router.recv_msg(ferrozmq::DONTWAIT).is_err());
    assert_eq!(statistics(&dealer), of_dealer(0, 1));
}

#[test]
fn statistics_of_what_is_conflated_count_the_latest() {
    let rig = Rig::new(Transport::Inproc);
    let (pull, push) = (rig.socket(PULL), rig.socket(PUSH));
    pull.set_conflate(true).unwrap();
    push.set_conflate(true).unwrap();
    pull.bind(&rig.fresh_endpoint()).unwrap();
    push.connect(&pull.last_endpoint()).unwrap();
    for body in ["1", "2", "3"] {
        push.send(body, 0).unwrap();
    }
    assert_eq!(statistics(&push)[0].0, 1);
    assert_eq!(statistics(&pull)[0].1, 1);
    assert_eq!(recv(&pull), ["3"]);
    assert_eq!(statistics(&push)[0].0, 0);
    assert_eq!(statistics(&pull)[0].1, 0);
}

fn a_pipe_s_statistics_say_between_whom_it_is(rig: &Rig) {
    let (pull, push) = rig.pair(PULL, PUSH);
    let (_, _, local, remote) = statistics(&push).remove(0);
    assert_eq!(remote, pull.last_endpoint());
    assert_eq!(
        statistics(&pull)[0],
        (0, 0, pull.last_endpoint(), local.clone())
    );
    assert!(rig.transport != Transport::Tcp || local.starts_with("tcp://127.0.0.1:"));
    for n in 0..3 {
        send(&push, &[&n.to_string()]);
    }
    // They are on their way through a thread that shares no count with us.
    crate::common::wait_until(|| statistics(&pull)[0].1 == 3);
    recv(&pull);
    assert_eq!(statistics(&pull)[0].1, 2);
}
