//! Connecting, connecting again, and giving up.

use super::*;
use std::net::{SocketAddr, TcpListener};

use ferrozmq::{ProtocolError, Reason, ReconnectStop};
use socket2::{Domain, Type};

/// An endpoint that refuses connections as long as its socket, which only holds the port, lives.
fn deserted() -> (socket2::Socket, String) {
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, format!("tcp://{address}"))
}

/// A listener of the system's, and its endpoint.
fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}

#[track_caller]
fn stop_reason(monitor: &Monitor) -> Reason {
    let is_stop = |kind: &EventKind| matches!(kind, EventKind::ConnectStopped { .. });
    match event(monitor, is_stop).kind {
        EventKind::ConnectStopped { reason } => reason,
        _ => unreachable!("it was looked for"),
    }
}

/// The waits before the next attempts to connect.
#[track_caller]
fn intervals(monitor: &Monitor, count: usize) -> Vec<Duration> {
    let is_retry = |kind: &EventKind| matches!(kind, EventKind::ConnectRetried { .. });
    let interval = |_| match event(monitor, is_retry).kind {
        EventKind::ConnectRetried { interval, .. } => interval,
        _ => unreachable!("it was looked for"),
    };
    (0..count).map(interval).collect()
}

#[test]
fn messages_are_queued_before_the_connection_unless_it_must_be_immediate() {
    let ctx = Ctx::new();
    let (_port, endpoint) = deserted();
    for immediate in [false, true] {
        let push = socket(&ctx, SocketType::PUSH);
        push.set_linger(Some(Duration::ZERO)).unwrap();
        push.set_immediate(immediate).unwrap();
        push.connect(&endpoint).unwrap();
        assert_eq!(push.try_send("x").is_err(), immediate);
    }
}

#[test]
fn the_wait_is_the_interval_and_a_random_share_of_it() {
    let ctx = Ctx::new();
    let (_port, endpoint) = deserted();
    let push = socket(&ctx, SocketType::PUSH);
    let monitor = push.monitor();
    let interval = Duration::from_millis(4);
    push.set_reconnect_ivl(Some(interval)).unwrap();
    push.connect(&endpoint).unwrap();
    for wait in intervals(&monitor, 5) {
        assert!((interval..=2 * interval).contains(&wait), "{wait:?}");
    }
}

#[test]
fn with_a_longest_wait_it_doubles_up_to_that() {
    let ctx = Ctx::new();
    let (_port, endpoint) = deserted();
    let push = socket(&ctx, SocketType::PUSH);
    let monitor = push.monitor();
    push.set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    push.set_reconnect_ivl_max(Duration::from_millis(5))
        .unwrap();
    push.connect(&endpoint).unwrap();
    let waits = intervals(&monitor, 5);
    assert_eq!(waits, [1, 2, 4, 5, 5].map(Duration::from_millis));
}

#[test]
fn without_an_interval_the_first_attempt_is_the_last() {
    let ctx = Ctx::new();
    let (_port, endpoint) = deserted();
    let push = socket(&ctx, SocketType::PUSH);
    let monitor = push.monitor();
    push.set_linger(Some(Duration::ZERO)).unwrap();
    push.set_reconnect_ivl(None).unwrap();
    push.connect(&endpoint).unwrap();
    assert!(matches!(stop_reason(&monitor), Reason::System(_)));
}

#[test]
fn an_endpoint_is_given_up_for_the_reasons_named() {
    let ctx = Ctx::new();
    let mut stop = ReconnectStop::default();
    stop.conn_refused = true;
    stop.handshake_failed = true;
    let push = socket(&ctx, SocketType::PUSH);
    let monitor = push.monitor();
    push.set_reconnect_stop(stop).unwrap();

    let (_port, endpoint) = deserted();
    push.connect(&endpoint).unwrap();
    let refused = nix::errno::Errno::ECONNREFUSED as i32;
    assert_eq!(stop_reason(&monitor), Reason::System(refused));

    let (listener, endpoint) = listener();
    push.connect(&endpoint).unwrap();
    drop(listener.accept().unwrap());
    stop_reason(&monitor);
}

#[test]
fn a_disconnected_endpoint_that_cannot_be_reached_is_given_up_if_asked() {
    let ctx = Ctx::new();
    let (_port, endpoint) = deserted();
    let mut stop = ReconnectStop::default();
    stop.after_disconnect = true;
    let push = socket(&ctx, SocketType::PUSH);
    let monitor = push.monitor();
    push.set_linger(None).unwrap();
    push.set_reconnect_stop(stop).unwrap();
    push.set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    push.connect(&endpoint).unwrap();
    push.send("undeliverable", 0).unwrap();
    intervals(&monitor, 1);
    push.disconnect(&endpoint).unwrap();
    stop_reason(&monitor);
}

#[test]
fn a_peer_that_breaks_the_protocol_is_tried_again_unless_told_otherwise() {
    let ctx = Ctx::new();
    for again in [true, false] {
        let pull = socket(&ctx, SocketType::PULL);
        let endpoint = bound(&pull);
        let req = socket(&ctx, SocketType::REQ);
        let monitor = req.monitor();
        req.set_reconnect_on_protocol_error(again).unwrap();
        req.set_reconnect_ivl(Some(Duration::from_millis(1)))
            .unwrap();
        req.connect(&endpoint).unwrap();
        if again {
            intervals(&monitor, 2);
        } else {
            let incompatible = Reason::Protocol(ProtocolError::IncompatibleSocketType);
            assert_eq!(stop_reason(&monitor), incompatible);
        }
    }
}

/// A listener whose queue is full: the system lets further attempts wait.
#[cfg(target_os = "linux")]
#[test]
fn an_attempt_to_connect_takes_no_longer_than_allowed() {
    let ctx = Ctx::new();
    let (listener, endpoint) = deserted();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let crowd: Vec<_> = (0..4)
        .map(|_| {
            let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            drop(socket.connect(&address));
            socket
        })
        .collect();
    let push = socket(&ctx, SocketType::PUSH);
    let monitor = push.monitor();
    push.set_reconnect_ivl(None).unwrap();
    push.set_connect_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    push.connect(&endpoint).unwrap();
    assert_eq!(stop_reason(&monitor), Reason::ConnectTimeout);
    drop(crowd);
}

#[test]
fn a_listening_descriptor_is_taken_by_the_next_bind_alone() {
    let ctx = Ctx::new();
    let (listener, endpoint) = listener();
    let pull = socket(&ctx, SocketType::PULL);
    pull.set_use_fd(Some(listener.into())).unwrap();
    assert!(pull.get_use_fd().unwrap().is_some());
    assert_invalid(pull.bind("ipc://*"));
    pull.bind("tcp://127.0.0.1:*").unwrap();
    assert_eq!(pull.last_endpoint(), endpoint);
    assert_eq!(pull.get_use_fd().unwrap(), None);
    let push = socket(&ctx, SocketType::PUSH);
    push.connect(&endpoint).unwrap();
    push.send("x", 0).unwrap();
    assert_eq!(pull.recv_string(0).unwrap(), "x");
    assert_ne!(bound(&pull), endpoint);
}

#[test]
fn a_listening_descriptor_can_be_bound_and_unbound_again_and_again() {
    let ctx = Ctx::new();
    let (listener, endpoint) = listener();
    let pull = socket(&ctx, SocketType::PULL);
    let bind = || {
        let copy = listener.try_clone().unwrap();
        pull.set_use_fd(Some(copy.into())).unwrap();
        pull.bind("tcp://127.0.0.1:*").unwrap();
    };
    for _ in 0..3 {
        bind();
        pull.unbind(&endpoint).unwrap();
    }
    bind();
    let push = socket(&ctx, SocketType::PUSH);
    push.connect(&endpoint).unwrap();
    push.send("x", 0).unwrap();
    assert_eq!(pull.recv_string(0).unwrap(), "x");
}

#[test]
fn ipv6_must_be_allowed() {
    let ctx = Ctx::new();
    let socket = socket(&ctx, SocketType::PULL);
    assert!(socket.bind("tcp://[::1]:*").is_err());
    socket.set_ipv6(true).unwrap();
    if TcpListener::bind("[::1]:0").is_ok() {
        socket.bind("tcp://[::1]:*").unwrap();
        assert!(socket.last_endpoint().starts_with("tcp://[::1]:"));
    }
    bound(&socket);
}

#[test]
fn a_device_that_does_not_exist_fails_the_bind() {
    let ctx = Ctx::new();
    let socket = socket(&ctx, SocketType::PULL);
    socket.set_bindtodevice(Some("nosuchif0")).unwrap();
    let outcome = socket.bind("tcp://127.0.0.1:*");
    assert!(matches!(outcome, Err(Error::Io(_))), "{outcome:?}");
    socket.set_bindtodevice(None).unwrap();
    bound(&socket);
}

#[test]
fn connections_with_all_system_options_carry_messages() {
    let ctx = Ctx::new();
    let (pull, push) = (
        socket(&ctx, SocketType::PULL),
        socket(&ctx, SocketType::PUSH),
    );
    for socket in [&pull, &push] {
        let seconds = |n| Some(Duration::from_secs(n));
        socket.set_sndbuf(Some(1 << 16)).unwrap();
        socket.set_rcvbuf(Some(1 << 16)).unwrap();
        socket.set_backlog(1).unwrap();
        socket.set_tos(0x28).unwrap();
        socket.set_tcp_keepalive(Some(true)).unwrap();
        socket.set_tcp_keepalive_cnt(Some(3)).unwrap();
        socket.set_tcp_keepalive_idle(seconds(100)).unwrap();
        socket.set_tcp_keepalive_intvl(seconds(10)).unwrap();
        #[cfg(target_os = "linux")]
        {
            socket.set_priority(3).unwrap();
            socket.set_tcp_maxrt(seconds(5)).unwrap();
        }
    }
    push.connect(&bound(&pull)).unwrap();
    push.send("x", 0).unwrap();
    assert_eq!(pull.recv_string(0).unwrap(), "x");
}
