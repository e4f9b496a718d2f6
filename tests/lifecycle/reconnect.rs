//! Connections that are lost and made again.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, SockAddr, Type};

use ferrozmq::SocketType::{DEALER, PULL, PUSH, ROUTER};
use ferrozmq::{Error, EventKind, Monitor, POLLIN, POLLOUT, Reason, ReconnectStop};

use crate::common::{
    LIMIT, Rig, Transport, await_event, await_handshake, await_loss, fill, recv, recv_numbers,
    send, send_numbers, wait_until,
};
use crate::on_network_transports;

on_network_transports!(
    what_waits_for_a_server_survives_its_restart,
    a_server_can_be_restarted_often,
    who_never_connected_keeps_what_fits_into_the_mark,
    a_conversation_goes_on_after_a_restart,
    attempts_come_at_the_interval_or_a_little_later,
    attempts_come_ever_more_slowly_up_to_a_maximum,
    the_wait_begins_anew_after_a_connection,
    without_an_interval_there_is_one_attempt,
    an_immediate_socket_sends_only_where_there_is_a_connection,
    the_last_words_of_a_peer_are_heard_while_we_speak,
    an_immediate_socket_connects_again,
    who_has_no_room_to_receive_can_still_send_after_a_restart,
);

fn what_waits_for_a_server_survives_its_restart(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let push = rig.socket(PUSH);
    push.set_reconnect_ivl(Some(Duration::from_millis(5)))
        .unwrap();
    let pull = rig.socket(PULL);
    pull.bind(&endpoint).unwrap();
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    send_numbers(&push, 0..10);
    recv_numbers(&pull, 0..10);
    drop(pull);
    await_loss(&monitor);
    send_numbers(&push, 10..500);
    let pull = rig.socket(PULL);
    wait_until(|| pull.bind(&endpoint).is_ok());
    recv_numbers(&pull, 10..500);
}

fn a_server_can_be_restarted_often(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let push = rig.socket(PUSH);
    push.set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    for round in 0..20 {
        let pull = rig.socket(PULL);
        pull.bind(&endpoint).unwrap();
        await_handshake(rig, &monitor);
        send(&push, &[&round.to_string()]);
        assert_eq!(recv(&pull), [round.to_string()]);
        pull.unbind(&endpoint).unwrap();
        drop(pull);
        await_loss(&monitor);
    }
}

fn who_never_connected_keeps_what_fits_into_the_mark(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let push = rig.socket(PUSH);
    push.set_sndhwm(7).unwrap();
    push.connect(&endpoint).unwrap();
    assert_eq!(fill(&push), 7);
    let pull = rig.socket(PULL);
    pull.bind(&endpoint).unwrap();
    recv_numbers(&pull, 0..7);
}

fn a_conversation_goes_on_after_a_restart(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let dealer = rig.socket(DEALER);
    dealer.set_identity(b"dealer").unwrap();
    dealer
        .set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    let monitor = dealer.monitor();
    dealer.connect(&endpoint).unwrap();
    for round in ["1", "2", "3"] {
        let router = rig.socket(ROUTER);
        router.set_router_mandatory(true).unwrap();
        wait_until(|| router.bind(&endpoint).is_ok());
        send(&dealer, &["question", round]);
        assert_eq!(recv(&router), ["dealer", "question", round]);
        send(&router, &["dealer", "answer", round]);
        assert_eq!(recv(&dealer), ["answer", round]);
        drop(router);
        await_loss(&monitor);
    }
}

/// The announced waits between attempts, and why there had to be one.
fn retries(monitor: &Monitor, count: usize) -> Vec<(Duration, Reason)> {
    let next = || {
        let retried = |kind: &_| matches!(kind, EventKind::ConnectRetried { .. });
        match await_event(monitor, retried).kind {
            EventKind::ConnectRetried { interval, reason } => (interval, reason),
            other => panic!("{other:?}"),
        }
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn nobody_there(rig: &Rig) -> Reason {
    Reason::System(match rig.transport {
        Transport::Tcp => nix::libc::ECONNREFUSED,
        Transport::Ipc | Transport::Inproc => nix::libc::ENOENT,
    })
}

fn attempts_come_at_the_interval_or_a_little_later(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let push = rig.socket(PUSH);
    let interval = Duration::from_millis(2);
    push.set_reconnect_ivl(Some(interval)).unwrap();
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    let begin = std::time::Instant::now();
    let retries = retries(&monitor, 20);
    for (wait, reason) in &retries {
        assert!((interval..2 * interval).contains(wait), "{wait:?}");
        assert_eq!(*reason, nobody_there(rig));
    }
    let least: Duration = retries[..19].iter().map(|(wait, _)| *wait).sum();
    // The first wait began before the clock did.
    assert!(begin.elapsed() + 2 * interval >= least);
}

fn attempts_come_ever_more_slowly_up_to_a_maximum(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let push = rig.socket(PUSH);
    push.set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    push.set_reconnect_ivl_max(Duration::from_millis(6))
        .unwrap();
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    let waits: Vec<_> = retries(&monitor, 5)
        .iter()
        .map(|(wait, _)| wait.as_millis())
        .collect();
    assert_eq!(waits, [1, 2, 4, 6, 6]);
}

fn the_wait_begins_anew_after_a_connection(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let push = rig.socket(PUSH);
    push.set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    push.set_reconnect_ivl_max(Duration::from_millis(16))
        .unwrap();
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    retries(&monitor, 4);
    let pull = rig.socket(PULL);
    let heard = pull.monitor();
    pull.bind(&endpoint).unwrap();
    await_handshake(rig, &monitor);
    // A close before it has read the handshake would be a reset.
    await_handshake(rig, &heard);
    drop(pull);
    let (wait, reason) = retries(&monitor, 1).remove(0);
    assert_eq!(wait.as_millis(), 1);
    assert_eq!(reason, Reason::PeerClosed);
}

fn without_an_interval_there_is_one_attempt(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let push = rig.socket(PUSH);
    push.set_reconnect_ivl(None).unwrap();
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    let stopped = |kind: &_| matches!(kind, EventKind::ConnectStopped { .. });
    match await_event(&monitor, stopped).kind {
        EventKind::ConnectStopped { reason } => assert_eq!(reason, nobody_there(rig)),
        other => panic!("{other:?}"),
    }
    wait_until(|| push.get_events().unwrap() == 0);
    let pull = rig.socket(PULL);
    pull.bind(&endpoint).unwrap();
    // The endpoint is forgotten; connecting anew is possible.
    wait_until(|| matches!(push.disconnect(&endpoint), Err(Error::NoSuchEndpoint)));
    push.connect(&endpoint).unwrap();
    send(&push, &["anew"]);
    assert_eq!(recv(&pull), ["anew"]);
}

fn an_immediate_socket_sends_only_where_there_is_a_connection(rig: &Rig) {
    let (nowhere, _keeper) = rig.reserved_endpoint();
    let push = rig.socket(PUSH);
    push.set_immediate(true).unwrap();
    push.set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    push.connect(&nowhere).unwrap();
    assert_eq!(push.get_events().unwrap(), 0);
    assert!(matches!(
        push.try_send("x").unwrap_err().error,
        Error::Again
    ));
    let pull = rig.bound(PULL);
    push.connect(&pull.last_endpoint()).unwrap();
    assert_eq!(push.poll(POLLOUT, Some(LIMIT)).unwrap(), POLLOUT);
    send_numbers(&push, 0..10);
    recv_numbers(&pull, 0..10);
    drop(pull);
    wait_until(|| push.get_events().unwrap() == 0);
    assert!(matches!(
        push.try_send("x").unwrap_err().error,
        Error::Again
    ));
    let late = rig.socket(PULL);
    late.bind(&nowhere).unwrap();
    send(&push, &["at last"]);
    assert_eq!(recv(&late), ["at last"]);
}

fn an_immediate_socket_connects_again(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let push = rig.socket(PUSH);
    push.set_immediate(true).unwrap();
    push.set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    push.connect(&endpoint).unwrap();
    for round in ["first", "second", "third"] {
        let pull = rig.socket(PULL);
        wait_until(|| pull.bind(&endpoint).is_ok());
        send(&push, &[round]);
        assert_eq!(recv(&pull), [round]);
        drop(pull);
        // The socket takes notice, and drops its end of the pipe.
        wait_until(|| push.get_events().unwrap() == 0);
    }
}

fn who_has_no_room_to_receive_can_still_send_after_a_restart(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let client = rig.socket(DEALER);
    let monitor = client.monitor();
    client.connect(&endpoint).unwrap();
    for round in ["first", "second"] {
        let server = rig.socket(DEALER);
        wait_until(|| server.bind(&endpoint).is_ok());
        send(&client, &[round]);
        assert_eq!(recv(&server), [round]);
        if round == "first" {
            send(&server, &["unread"]);
            assert_eq!(client.poll(POLLIN, Some(LIMIT)).unwrap(), POLLIN);
            drop(server);
            await_loss(&monitor);
            client.set_rcvhwm(1).unwrap();
        }
    }
}

#[test]
fn a_refusal_can_be_the_end() {
    let rig = Rig::new(Transport::Tcp);
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let push = rig.socket(PUSH);
    let mut stop = ReconnectStop::default();
    stop.conn_refused = true;
    push.set_reconnect_stop(stop).unwrap();
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    let stopped = |kind: &_| matches!(kind, EventKind::ConnectStopped { .. });
    await_event(&monitor, stopped);
    wait_until(|| push.get_events().unwrap() == 0);
}

/// A peer that shakes hands by hand.
fn plain_dealer(endpoint: &str) -> socket2::Socket {
    let (domain, address) = match endpoint.split_once("://").unwrap() {
        ("ipc", path) => (Domain::UNIX, SockAddr::unix(path).unwrap()),
        (_, address) => (Domain::IPV4, address.parse::<SocketAddr>().unwrap().into()),
    };
    let mut plain = socket2::Socket::new(domain, Type::STREAM, None).unwrap();
    plain.connect(&address).unwrap();
    if domain == Domain::IPV4 {
        // What is written shall have arrived when the connection is reset.
        plain.set_tcp_nodelay(true).unwrap();
    }
    let mut greeting = [0; 64];
    greeting[0] = 0xFF;
    greeting[9..16].copy_from_slice(b"\x7F\x03\x01NULL");
    plain.write_all(&greeting).unwrap();
    plain
        .write_all(b"\x04\x1C\x05READY\x0BSocket-Type\0\0\0\x06DEALER")
        .unwrap();
    plain
}

fn the_last_words_of_a_peer_are_heard_while_we_speak(rig: &Rig) {
    const WORDS: usize = 200;
    let dealer = rig.socket(DEALER);
    dealer.set_rcvhwm(10).unwrap();
    dealer.bind(&rig.fresh_endpoint()).unwrap();
    let monitor = dealer.monitor();
    let mut plain = plain_dealer(&dealer.last_endpoint());
    await_handshake(rig, &monitor);
    send(&dealer, &["never read"]);
    let frame = |n: usize| [&[0, n.to_string().len() as u8], n.to_string().as_bytes()].concat();
    plain
        .write_all(&(0..WORDS).flat_map(frame).collect::<Vec<_>>())
        .unwrap();
    drop(plain);
    // Writing fails; what lies there to be read does not.
    fill(&dealer);
    recv_numbers(&dealer, 0..WORDS);
    wait_until(|| dealer.get_events().unwrap() == 0);
}
