//! Heartbeats between the two libraries: peers that live are not given up for being idle, and
//! peers that do not are.

use ferrozmq::{EventKind, Monitor, Reason};

use crate::*;

both_ways!(
    idle_and_alive,
    only_the_one_that_binds,
    only_the_one_that_connects,
    a_slow_reader,
);

const INTERVAL: Duration = Duration::from_millis(100);
/// Much longer than a busy machine may let a live process wait.
const TIMEOUT: Duration = Duration::from_millis(800);
/// Long enough for two time-outs.
const IDLE: Duration = Duration::from_millis(2000);

fn monitor(a: &End, b: &End) -> Monitor {
    let ours = a.ours().or_else(|| b.ours());
    ours.expect("one of them is ours").monitor()
}

/// Nothing happens to the connection in that time.
#[track_caller]
fn stays_up(monitor: &Monitor, time: Duration) {
    let deadline = Instant::now() + time;
    let lost = monitor.wait_for(deadline, |event| {
        matches!(event.kind, EventKind::Disconnected { .. })
    });
    assert!(lost.is_none(), "{lost:?}");
}

#[track_caller]
fn idle(link: &Link, bound_beats: bool, connected_beats: bool) {
    let (bound, connected) = (link.binding(PAIR), link.connecting(PAIR));
    for (end, beats) in [(&bound, bound_beats), (&connected, connected_beats)] {
        if beats {
            end.set_heartbeat(INTERVAL, TIMEOUT, TIMEOUT);
        }
    }
    let monitor = monitor(&bound, &connected);
    bound.bind(&link.address());
    connected.connect(&bound.endpoint());
    connected.send(&["before"]);
    bound.expect(&["before"]);
    stays_up(&monitor, IDLE);
    bound.send(&["after"]);
    connected.expect(&["after"]);
}

fn idle_and_alive(link: &Link) {
    idle(link, true, true);
}

fn only_the_one_that_binds(link: &Link) {
    idle(link, true, false);
}

fn only_the_one_that_connects(link: &Link) {
    idle(link, false, true);
}

/// Messages wait because nobody reads them: neither side takes that for death.
fn a_slow_reader(link: &Link) {
    let (bound, connected) = (link.binding(PULL), link.connecting(PUSH));
    for end in [&bound, &connected] {
        end.set_heartbeat(INTERVAL, IDLE, IDLE);
    }
    let monitor = monitor(&bound, &connected);
    bound.bind(&link.address());
    connected.connect(&bound.endpoint());
    for n in 0..500 {
        connected.send(&[n.to_string()]);
    }
    stays_up(&monitor, MOMENT);
    for n in 0..500 {
        bound.expect(&[n.to_string()]);
    }
    stays_up(&monitor, MOMENT);
}

/// A peer whose process is stopped says nothing more, and is given up.
#[test]
fn a_peer_that_is_gone_without_a_word() {
    let link = Link::new(Library::Ours, TCP);
    let bound = link.binding(DEALER);
    bound.set_heartbeat(INTERVAL, TIMEOUT, Duration::ZERO);
    let monitor = bound.ours().unwrap().monitor();
    bound.bind(&link.address());
    // A raw connection of libzmq's that says what a peer would, and then no more.
    let silent = link.connected(STREAM, &bound);
    let id = silent.recv()[0].clone();
    let mut greeting = b"\xFF\0\0\0\0\0\0\0\x01\x7F\x03\x01NULL".to_vec();
    greeting.resize(64, 0);
    greeting.extend(b"\x04\x1C\x05READY\x0BSocket-Type\0\0\0\x06DEALER");
    silent.send(&[id.as_ref(), &greeting]);
    let lost = monitor.wait_for(Instant::now() + LIMIT, |event| {
        matches!(event.kind, EventKind::Disconnected { .. })
    });
    let reason = Reason::HeartbeatTimeout;
    assert!(
        matches!(lost.unwrap().kind, EventKind::Disconnected { reason: why, .. } if why == reason)
    );
}
