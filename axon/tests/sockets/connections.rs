//! Connections: made, lost and made again; files of unix sockets; events.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use ferrozmq::Ctx;
use ferrozmq_axon::{Error, Event, Events, Options, Pull, Push, Req};

use crate::common::*;

fn is_reconnect(event: &Event) -> bool {
    matches!(event, Event::ReconnectAttempt { .. })
}

#[test]
fn waits_grow_by_half_and_each_endpoint_has_its_own() {
    let (ctx, places) = (Ctx::new(), Places::new());
    let push = Push::new(&ctx).unwrap();
    let mut events = push.events().unwrap();
    let nobody = [places.unix("nobody"), places.unix("nobody else")];
    for place in &nobody {
        push.connect(place).unwrap();
    }
    let mut waits = [Vec::new(), Vec::new()];
    while waits.iter().any(|waits| waits.len() < 4) {
        let Event::ReconnectAttempt { endpoint, after } = wait_for(&mut events, is_reconnect)
        else {
            unreachable!()
        };
        let at = nobody.iter().position(|place| *place == endpoint).unwrap();
        waits[at].push(after.as_millis());
    }
    for waits in waits {
        assert_eq!(waits[..4], [100, 150, 225, 338]);
    }
}

#[test]
fn why_a_connection_is_not_made_is_told() {
    let ctx = Ctx::new();
    let push = Push::new(&ctx).unwrap();
    let mut events = push.events().unwrap();
    push.connect("tcp://127.0.0.1:1").unwrap();
    wait_for(&mut events, |event| {
        matches!(event, Event::SocketError { .. })
    });
    match events.recv_timeout(LIMIT) {
        Some(Event::IgnoredError { remote, kind }) => {
            assert_eq!(
                (remote.as_str(), kind),
                ("tcp://127.0.0.1:1", ErrorKind::ConnectionRefused)
            );
        }
        other => panic!("{other:?}"),
    }
    let event = wait_for(&mut events, |event| !matches!(event, Event::Connect { .. }));
    assert!(is_reconnect(&event), "{event:?}");
}

#[test]
fn without_retry_an_endpoint_is_given_up() {
    let ctx = Ctx::new();
    let options = Options::new().retry_timeout(Duration::ZERO);
    let push = Push::with_options(&ctx, &options).unwrap();
    let mut events = push.events().unwrap();
    push.connect("tcp://127.0.0.1:1").unwrap();
    let close = wait_for(&mut events, |event| {
        assert!(!is_reconnect(event), "it tries again");
        matches!(event, Event::Close { .. })
    });
    assert!(matches!(close, Event::Close { endpoint: Some(at) } if at == "tcp://127.0.0.1:1"));
}

#[test]
fn a_restarted_peer_is_found_again_and_what_waited_meanwhile_is_sent() {
    let (ctx, places) = (Ctx::new(), Places::new());
    for place in places.each() {
        let pull = Pull::new(&ctx).unwrap();
        pull.bind(&place).unwrap();
        let address = pull.address().unwrap();
        let push = Push::new(&ctx).unwrap();
        let mut events = push.events().unwrap();
        push.connect(&address).unwrap();
        push.send(1).unwrap();
        assert_eq!(number(&pull.recv_timeout(LIMIT).unwrap()), 1);

        let mut end = pull.events().unwrap();
        drop(pull);
        wait_for(&mut end, |event| {
            matches!(event, Event::Close { endpoint: None })
        });
        wait_for(&mut events, |event| {
            matches!(event, Event::Disconnect { .. })
        });
        push.send(2).unwrap();
        push.send(3).unwrap();

        let pull = Pull::new(&ctx).unwrap();
        pull.bind(&address).unwrap();
        for n in 2..4 {
            assert_eq!(number(&pull.recv_timeout(LIMIT).unwrap()), n);
        }
        wait_connected(&mut events, 1);
    }
}

#[test]
fn a_success_begins_the_waits_anew() {
    let (ctx, places) = (Ctx::new(), Places::new());
    let place = places.unix("comes and goes");
    let push = Push::new(&ctx).unwrap();
    let mut events = push.events().unwrap();
    push.connect(&place).unwrap();
    let after = |events: &mut Events| match wait_for(events, is_reconnect) {
        Event::ReconnectAttempt { after, .. } => after.as_millis(),
        _ => unreachable!(),
    };
    assert_eq!([after(&mut events), after(&mut events)], [100, 150]);
    let pull = Pull::new(&ctx).unwrap();
    pull.bind(&place).unwrap();
    wait_connected(&mut events, 1);
    drop(pull);
    // It may try once while the other's file is still there.
    let first = after(&mut events);
    assert_eq!(first, 100);
}

#[test]
fn a_disconnect_ends_the_attempts() {
    let (ctx, places) = (Ctx::new(), Places::new());
    let place = places.unix("nobody");
    let push = Push::new(&ctx).unwrap();
    let mut events = push.events().unwrap();
    push.connect(&place).unwrap();
    wait_for(&mut events, is_reconnect);
    push.disconnect(&place).unwrap();
    assert!(matches!(push.disconnect(&place), Err(Error::Engine(_))));
    // Nobody comes any more, however long the place is waited at.
    let listener = UnixListener::bind(&place).unwrap();
    listener.set_nonblocking(true).unwrap();
    let pull = Pull::new(&ctx).unwrap();
    let soon = Duration::from_millis(300);
    assert!(matches!(pull.recv_timeout(soon), Err(Error::Timeout)));
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn both_sides_hear_of_binds_connects_and_ends() {
    let ctx = Ctx::new();
    let (push, pull) = (Push::new(&ctx).unwrap(), Pull::new(&ctx).unwrap());
    let (mut sender, mut receiver) = (push.events().unwrap(), pull.events().unwrap());
    pull.bind("tcp://127.0.0.1:0").unwrap();
    let address = pull.address().unwrap();
    let bind = wait_for(&mut receiver, |_| true);
    assert!(matches!(bind, Event::Bind { endpoint } if endpoint == address));
    push.connect(&address).unwrap();
    match wait_for(&mut sender, |event| matches!(event, Event::Connect { .. })) {
        Event::Connect { remote, .. } => assert_eq!(remote, address),
        _ => unreachable!(),
    }
    wait_connected(&mut receiver, 1);
    drop(push);
    match wait_for(&mut receiver, |event| {
        matches!(event, Event::Disconnect { .. })
    }) {
        Event::Disconnect { local, .. } => assert_eq!(local, address),
        _ => unreachable!(),
    }
    wait_for(&mut sender, |event| {
        matches!(event, Event::Close { endpoint: None })
    });
    assert!(sender.recv().is_none(), "nothing comes after the end");
    drop(pull);
    wait_for(&mut receiver, |event| {
        matches!(event, Event::Close { endpoint: None })
    });
}

#[test]
fn one_socket_has_many_endpoints() {
    let (ctx, places) = (Ctx::new(), Places::new());
    let pull = Pull::new(&ctx).unwrap();
    let mut addresses = Vec::new();
    for place in places.each() {
        pull.bind(place).unwrap();
        addresses.push(pull.address().unwrap());
    }
    // To bind and to connect are no opposites.
    let bound = Push::new(&ctx).unwrap();
    bound.bind(places.unix("push")).unwrap();
    pull.connect(bound.address().unwrap()).unwrap();
    bound.send(0).unwrap();
    let push = Push::new(&ctx).unwrap();
    let mut events = push.events().unwrap();
    for address in addresses {
        push.connect(address).unwrap();
    }
    wait_connected(&mut events, 2);
    for n in 1..5 {
        push.send(n).unwrap();
    }
    let mut received: Vec<_> = (0..5)
        .map(|_| number(&pull.recv_timeout(LIMIT).unwrap()))
        .collect();
    received.sort_unstable();
    assert_eq!(received, [0, 1, 2, 3, 4]);
}

#[test]
fn a_port_alone_is_enough() {
    let ctx = Ctx::new();
    let pull = Pull::new(&ctx).unwrap();
    pull.bind(0).unwrap();
    let address = pull.address().unwrap();
    let port: u16 = address
        .strip_prefix("tcp://0.0.0.0:")
        .unwrap()
        .parse()
        .unwrap();
    let push = Push::new(&ctx).unwrap();
    push.connect(port).unwrap();
    push.connect((port, "localhost")).unwrap();
    push.send(1).unwrap();
    assert_eq!(number(&pull.recv_timeout(LIMIT).unwrap()), 1);
}

#[test]
fn ipv6_takes_no_option() {
    let ctx = Ctx::new();
    let pull = Pull::new(&ctx).unwrap();
    match pull.bind("tcp://[::1]:0") {
        // The system may have none.
        Err(Error::Engine(_)) => return,
        outcome => outcome.unwrap(),
    }
    let push = Push::new(&ctx).unwrap();
    push.connect(pull.address().unwrap()).unwrap();
    push.send(1).unwrap();
    assert_eq!(number(&pull.recv_timeout(LIMIT).unwrap()), 1);
}

// ── files ────────────────────────────────────────────────────────────────────────────────────

#[test]
fn the_file_of_a_live_socket_is_left_alone() {
    let (ctx, places) = (Ctx::new(), Places::new());
    let place = places.unix("live");
    let pull = Pull::new(&ctx).unwrap();
    pull.bind(&place).unwrap();
    let other = Pull::new(&ctx).unwrap();
    let mut events = other.events().unwrap();
    let refused = other.bind(&place);
    assert!(
        matches!(refused, Err(Error::Engine(ferrozmq::Error::AddrInUse))),
        "{refused:?}"
    );
    wait_for(&mut events, |event| matches!(event, Event::Error { .. }));
    let push = Push::new(&ctx).unwrap();
    push.connect(&place).unwrap();
    push.send(1).unwrap();
    assert_eq!(number(&pull.recv_timeout(LIMIT).unwrap()), 1);
}

#[test]
fn the_file_of_a_socket_that_is_gone_is_taken_over_and_no_other() {
    let (ctx, places) = (Ctx::new(), Places::new());
    let stale = places.unix("stale");
    drop(UnixListener::bind(&stale).unwrap());
    let pull = Pull::new(&ctx).unwrap();
    pull.bind(&stale).unwrap();

    let file = places.unix("file");
    std::fs::write(&file, "something dear").unwrap();
    assert!(matches!(pull.bind(&file), Err(Error::Engine(_))));
    assert_eq!(std::fs::read(&file).unwrap(), b"something dear");
    assert!(matches!(
        pull.bind(places.unix("no directory/x")),
        Err(Error::Engine(_))
    ));
}

#[test]
fn the_file_goes_with_the_socket_and_has_the_mode_that_was_asked_for() {
    let (ctx, places) = (Ctx::new(), Places::new());
    let place = places.unix("odd name #?{}' %20");
    let pull = Pull::with_options(&ctx, &Options::new().unix_mode(0o620)).unwrap();
    let mut events = pull.events().unwrap();
    pull.bind(&place).unwrap();
    assert_eq!(pull.address().unwrap(), place, "it is taken as it is");
    let mode = std::fs::metadata(&place).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o620);
    drop(pull);
    wait_for(&mut events, |event| {
        matches!(event, Event::Close { endpoint: None })
    });
    assert!(!Path::new(&place).exists());
}

#[test]
fn options_out_of_range_are_refused() {
    let ctx = Ctx::new();
    let options = Options::new().unix_mode(0o10_000);
    assert!(matches!(
        Pull::with_options(&ctx, &options),
        Err(Error::Engine(_))
    ));
    let options = Options::new().retry_timeout(Duration::MAX);
    assert!(matches!(
        Req::with_options(&ctx, &options),
        Err(Error::Engine(_))
    ));
}
