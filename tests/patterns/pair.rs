//! PAIR: one peer, both ways.

use std::time::Duration;

use bytes::Bytes;
use ferrozmq::SocketType::PAIR;
use ferrozmq::{DONTWAIT, Error, EventKind, Msg, POLLIN, POLLOUT, SNDMORE};

use crate::common::{Rig, SHORT, recv, send, wait_until};
use crate::on_each_transport;

on_each_transport!(
    messages_go_both_ways_in_any_order,
    frames_of_every_size_arrive_as_they_were,
    whatever_a_message_can_be_made_of_is_sent,
    a_message_arrives_whole_or_not_at_all,
    flags_tell_where_a_message_ends,
    without_a_peer_sending_waits,
    a_second_peer_is_refused_while_the_first_lives,
    the_next_peer_is_taken_when_the_first_is_gone,
    a_second_connect_does_not_take_its_peer_from_others,
);

fn messages_go_both_ways_in_any_order(rig: &Rig) {
    let (a, b) = rig.pair(PAIR, PAIR);
    send(&a, &["1"]);
    send(&a, &["2", "3"]);
    send(&b, &["4"]);
    send(&a, &["5"]);
    for expected in [&["1"][..], &["2", "3"], &["5"]] {
        assert_eq!(recv(&b), expected);
    }
    assert_eq!(recv(&a), ["4"]);
}

fn frames_of_every_size_arrive_as_they_were(rig: &Rig) {
    let (a, b) = rig.pair(PAIR, PAIR);
    let body = |size: usize| (0..size).map(|n| (n % 251) as u8).collect::<Vec<_>>();
    let sizes = [
        0, 1, 32, 33, 34, 254, 255, 256, 8191, 8192, 8193, 65_535, 65_536, 262_144, 3_000_001,
    ];
    for (from, to) in [(&a, &b), (&b, &a)] {
        for size in sizes {
            let body = body(size);
            from.send(&body, 0).unwrap();
            from.send(body, 0).unwrap();
        }
        from.send_multipart(sizes.map(body), 0).unwrap();
        for size in sizes.iter().flat_map(|size| [*size; 2]) {
            assert!(to.recv_msg(0).unwrap() == body(size)[..], "{size}");
        }
        let frames = to.recv_multipart(0).unwrap();
        assert!(frames.iter().map(|frame| frame.len()).eq(sizes));
        assert!(frames.iter().all(|frame| *frame == body(frame.len())[..]));
    }
}

fn whatever_a_message_can_be_made_of_is_sent(rig: &Rig) {
    let (a, b) = rig.pair(PAIR, PAIR);
    // Longer than what lies in a message itself, and used again and again in different lengths.
    for text in [
        "short",
        &"long ".repeat(20),
        "",
        &"longer ".repeat(200),
        "short",
    ] {
        let (msg, string, vec) = (Msg::from(text), String::from(text), Vec::from(text));
        a.send(text, SNDMORE).unwrap();
        a.send(&string, SNDMORE).unwrap();
        a.send(string, SNDMORE).unwrap();
        a.send(text.as_bytes(), SNDMORE).unwrap();
        a.send(&vec, SNDMORE).unwrap();
        a.send(vec, SNDMORE).unwrap();
        a.send(Box::from(text.as_bytes()), SNDMORE).unwrap();
        a.send(&msg, SNDMORE).unwrap();
        a.send(msg, 0).unwrap();
        assert_eq!(recv(&b), [text; 9]);
    }
    a.send(b"array", SNDMORE).unwrap();
    a.send(*b"array", SNDMORE).unwrap();
    a.send(Bytes::from_static(b"array"), 0).unwrap();
    assert_eq!(recv(&b), ["array"; 3]);
}

fn a_message_arrives_whole_or_not_at_all(rig: &Rig) {
    let (a, b) = rig.pair(PAIR, PAIR);
    a.send("first", SNDMORE).unwrap();
    a.send("second", SNDMORE).unwrap();
    assert!(matches!(b.recv_msg(DONTWAIT), Err(Error::Again)));
    a.send("last", 0).unwrap();
    assert_eq!(recv(&b), ["first", "second", "last"]);

    b.send("of a message that is never finished", SNDMORE)
        .unwrap();
    drop(b);
    wait_until(|| a.get_events().unwrap() & POLLOUT == 0);
    let next = rig.connected(PAIR, &a);
    send(&next, &["whole"]);
    assert_eq!(recv(&a), ["whole"]);
}

fn flags_tell_where_a_message_ends(rig: &Rig) {
    let (a, b) = rig.pair(PAIR, PAIR);
    send(&a, &["1", "2", "3"]);
    let more = |frame: Msg| (frame.as_str().map(str::to_owned), frame.more());
    for (text, goes_on) in [("1", true), ("2", true), ("3", false)] {
        assert_eq!(
            more(b.recv_msg(0).unwrap()),
            (Some(text.to_owned()), goes_on)
        );
    }
    send(&a, &["4", "5", "6"]);
    assert_eq!(b.recv_string(0).unwrap(), "4");
    assert_eq!(recv(&b), ["5", "6"]);
}

fn without_a_peer_sending_waits(rig: &Rig) {
    let a = rig.bound(PAIR);
    assert_eq!(a.get_events().unwrap(), 0);
    let refused = a.send("given back", DONTWAIT).unwrap_err();
    assert!(matches!(refused.error, Error::Again));
    assert_eq!(refused.message, "given back");
    assert!(matches!(a.recv_msg(DONTWAIT), Err(Error::Again)));

    let endpoint = a.last_endpoint();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let b = rig.socket(PAIR);
            b.connect(&endpoint).unwrap();
            assert_eq!(recv(&b), ["waited"]);
        });
        let a = &a;
        send(a, &["waited"]);
    });
}

fn a_second_peer_is_refused_while_the_first_lives(rig: &Rig) {
    let (a, first) = rig.pair(PAIR, PAIR);
    let second = rig.socket(PAIR);
    let monitor = second.monitor();
    second.connect(&a.last_endpoint()).unwrap();
    assert_eq!(a.get_events().unwrap(), POLLOUT);
    if rig.is_inproc() {
        wait_until(|| second.get_events().unwrap() & POLLOUT == 0);
    } else {
        // The refusal is on the way as soon as `a` looks at its new peer.
        wait_until(|| {
            a.get_events().unwrap();
            let mut events = std::iter::from_fn(|| monitor.try_recv());
            events.any(|event| matches!(event.kind, EventKind::Disconnected { .. }))
        });
    }
    send(&a, &["to the first"]);
    send(&first, &["from the first"]);
    assert_eq!(recv(&first), ["to the first"]);
    assert_eq!(recv(&a), ["from the first"]);
    assert_eq!(second.get_events().unwrap() & POLLIN, 0);
}

fn the_next_peer_is_taken_when_the_first_is_gone(rig: &Rig) {
    let (a, first) = rig.pair(PAIR, PAIR);
    send(&first, &["old 1"]);
    send(&first, &["old 2"]);
    assert_eq!(recv(&a), ["old 1"]);
    first.set_linger(None).unwrap();
    drop(first);
    wait_until(|| a.get_events().unwrap() & POLLOUT == 0);
    let second = rig.connected(PAIR, &a);
    send(&second, &["new"]);
    send(&a, &["to the second"]);
    assert_eq!(recv(&a), ["old 2"], "what the first has left is read first");
    assert_eq!(recv(&a), ["new"]);
    assert_eq!(recv(&second), ["to the second"]);
}

/// The socket has its peer, so that the second connect is refused on its own side.
fn a_second_connect_does_not_take_its_peer_from_others(rig: &Rig) {
    let (first, taken) = rig.pair(PAIR, PAIR);
    let second = rig.bound(PAIR);
    taken.connect(&second.last_endpoint()).unwrap();
    let other = rig.socket(PAIR);
    other
        .set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    wait_until(|| {
        other.connect(&second.last_endpoint()).unwrap();
        let _ = other.try_send("to the second");
        let arrived = second.poll(POLLIN, Some(SHORT)).unwrap() == POLLIN;
        if !arrived {
            other.disconnect(&second.last_endpoint()).unwrap();
        }
        arrived
    });
    assert_eq!(recv(&second), ["to the second"]);
    send(&first, &["to the first"]);
    assert_eq!(recv(&taken), ["to the first"]);
}
