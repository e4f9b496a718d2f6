//! RADIO and DISH: messages to groups, which are matched as a whole.

use std::time::Duration;

use ferrozmq::SocketType::{DISH, PAIR, RADIO};
use ferrozmq::{DONTWAIT, Error, Msg, POLLIN, POLLOUT, SNDMORE, Socket};

use crate::common::{LIMIT, Rig, SHORT, await_loss, link, wait_until};
use crate::peer::{COMMAND, MORE, RawListener, RawPeer, command, frame, opening};
use crate::{on_each_transport, on_network_transports};

on_each_transport!(
    a_message_goes_to_the_dishes_of_its_group,
    groups_are_joined_and_left_at_any_time,
    groups_are_exact_and_bounded,
    a_radio_never_waits_unless_it_must_not_drop,
    dishes_can_be_waited_for,
    messages_have_one_frame_and_one_direction,
    either_side_can_be_bound,
);

on_network_transports!(
    a_message_is_two_frames_on_the_wire,
    groups_are_told_by_commands,
    groups_are_told_again_after_a_reconnect,
    a_group_that_is_too_long_is_passed_over,
    what_is_no_group_and_body_ends_the_connection,
);

fn in_group(group: &str, body: &str) -> Msg {
    let mut msg = Msg::from(body);
    msg.set_group(group).unwrap();
    msg
}

#[track_caller]
fn receive(dish: &Socket) -> (String, String) {
    let msg = dish.recv_msg(0).unwrap();
    (msg.group().to_owned(), msg.as_str().unwrap().to_owned())
}

/// A RADIO's DISH, of whose groups the RADIO has heard.
fn tuned(rig: &Rig, radio: &Socket, groups: &[&str]) -> Socket {
    let dish = rig.socket(DISH);
    for group in groups {
        dish.join(group).unwrap();
    }
    link(radio, &dish);
    for group in groups {
        await_group(radio, &dish, group);
    }
    dish
}

/// Sends to a group until the DISH gets it, and sees to it that nothing of that is left.
#[track_caller]
fn await_group(radio: &Socket, dish: &Socket, group: &str) {
    let mut rounds = 0;
    wait_until(|| {
        rounds += 1;
        radio.send(in_group(group, &rounds.to_string()), 0).unwrap();
        dish.poll(POLLIN, Some(SHORT)).unwrap() == POLLIN
    });
    while receive(dish).1 != rounds.to_string() {}
}

fn a_message_goes_to_the_dishes_of_its_group(rig: &Rig) {
    let radio = rig.bound(RADIO);
    let (news, both) = (
        tuned(rig, &radio, &["news"]),
        tuned(rig, &radio, &["news", "weather"]),
    );
    while news.try_recv().is_ok() {}
    for (group, body) in [("weather", "1"), ("sports", "2"), ("news", "3"), ("", "4")] {
        radio.send(in_group(group, body), 0).unwrap();
    }
    let text = |group: &str, body: &str| (group.to_owned(), body.to_owned());
    assert_eq!(receive(&news), text("news", "3"));
    assert_eq!(receive(&both), text("weather", "1"));
    assert_eq!(receive(&both), text("news", "3"));
    assert!(matches!(news.recv_msg(DONTWAIT), Err(Error::Again)));
}

fn groups_are_joined_and_left_at_any_time(rig: &Rig) {
    let radio = rig.bound(RADIO);
    let dish = tuned(rig, &radio, &["a"]);
    dish.join("b").unwrap();
    await_group(&radio, &dish, "b");
    dish.leave("a").unwrap();
    dish.join("").unwrap();
    await_group(&radio, &dish, "");
    for (group, body) in [("a", "left"), ("b", "1"), ("", "2")] {
        radio.send(in_group(group, body), 0).unwrap();
    }
    assert_eq!(receive(&dish).1, "1");
    assert_eq!(receive(&dish), (String::new(), "2".to_owned()));
}

fn groups_are_exact_and_bounded(rig: &Rig) {
    let radio = rig.bound(RADIO);
    let longest = "x".repeat(255);
    let dish = tuned(rig, &radio, &["ab", &longest]);
    for group in ["a", "abc", "AB", ""] {
        radio.send(in_group(group, "no"), 0).unwrap();
    }
    radio.send(in_group(&longest, "yes"), 0).unwrap();
    assert_eq!(receive(&dish), (longest, "yes".to_owned()));

    let invalid = |outcome| matches!(outcome, Err(Error::InvalidArgument(_)));
    assert!(invalid(dish.join("ab")), "joined already");
    assert!(invalid(dish.join(&"x".repeat(256))));
    assert!(invalid(dish.leave("abc")), "never joined");
    assert!(invalid(Msg::new().set_group(&"x".repeat(256))));
    let unsupported = |outcome| matches!(outcome, Err(Error::NotSupported));
    assert!(unsupported(radio.join("a")) && unsupported(radio.leave("a")));
}

fn a_radio_never_waits_unless_it_must_not_drop(rig: &Rig) {
    let radio = rig.socket(RADIO);
    radio.set_sndhwm(1).unwrap();
    radio.set_sndbuf(Some(4096)).unwrap();
    radio.bind(&rig.fresh_endpoint()).unwrap();
    radio.send(in_group("g", "to nobody"), 0).unwrap();
    let dish = rig.socket(DISH);
    dish.set_rcvhwm(1).unwrap();
    dish.set_rcvbuf(Some(4096)).unwrap();
    dish.join("g").unwrap();
    link(&radio, &dish);
    await_group(&radio, &dish, "g");
    let body = "x".repeat(100_000);
    for _ in 0..100 {
        radio.send(in_group("g", &body), 0).unwrap();
    }
    radio.set_xpub_nodrop(true).unwrap();
    wait_until(|| {
        let outcome = radio.send(in_group("g", &body), DONTWAIT);
        matches!(outcome.map_err(Error::from), Err(Error::Again))
    });
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let radio = radio;
            radio.send(in_group("g", "there is room"), 0).unwrap();
            radio.set_linger(None).unwrap();
        });
        while receive(&dish).1 != "there is room" {}
    });
}

fn dishes_can_be_waited_for(rig: &Rig) {
    let radio = rig.bound(RADIO);
    let early = radio.wait_subscribers(1, Some(SHORT));
    assert!(matches!(early, Err(Error::Again)), "{early:?}");
    let dish = rig.connected(DISH, &radio);
    dish.join("g").unwrap();
    radio.wait_subscribers(1, Some(LIMIT)).unwrap();
    radio.send(in_group("g", "the first arrives"), 0).unwrap();
    assert_eq!(receive(&dish).1, "the first arrives");
}

fn messages_have_one_frame_and_one_direction(rig: &Rig) {
    let radio = rig.bound(RADIO);
    assert_eq!(radio.get_events().unwrap(), POLLOUT);
    let dish = tuned(rig, &radio, &[""]);
    assert_eq!(dish.get_events().unwrap(), 0);
    let refused = radio.send(in_group("g", "first"), SNDMORE).unwrap_err();
    assert!(matches!(refused.error, Error::InvalidArgument(_)));
    assert_eq!(refused.message.group(), "g");
    assert!(matches!(radio.recv_msg(0), Err(Error::NotSupported)));
    let sent = dish.send("x", 0).unwrap_err();
    assert!(matches!(sent.error, Error::NotSupported));
    if rig.is_inproc() {
        let pair = rig.socket(PAIR);
        let dish = rig.bound(DISH);
        dish.join("").unwrap();
        link(&dish, &pair);
        pair.send_multipart(["of", "two"], 0).unwrap();
        pair.send("one", 0).unwrap();
        assert_eq!(receive(&dish).1, "one");
    }
}

fn either_side_can_be_bound(rig: &Rig) {
    let dish = rig.bound(DISH);
    dish.join("g").unwrap();
    let radio = rig.connected(RADIO, &dish);
    await_group(&radio, &dish, "g");
}

// ── the wire ─────────────────────────────────────────────────────────────────────────────────

fn a_message_is_two_frames_on_the_wire(rig: &Rig) {
    let radio = rig.bound(RADIO);
    let mut peer = RawPeer::shake_hands(&radio.last_endpoint(), "DISH", b"");
    peer.send(&command("JOIN", b"group"));
    wait_until(|| {
        radio.send(in_group("group", "body"), 0).unwrap();
        peer.hears_within(Duration::from_millis(1))
    });
    assert_eq!(peer.read_frame(), (MORE, b"group".to_vec()));
    assert_eq!(peer.read_frame(), (0, b"body".to_vec()));

    let dish = rig.bound(DISH);
    dish.join("group").unwrap();
    let mut peer = RawPeer::shake_hands(&dish.last_endpoint(), "RADIO", b"");
    for (group, body) in [("other", "1"), ("group", "2")] {
        peer.send(&frame(MORE, group.as_bytes()));
        peer.send(&frame(0, body.as_bytes()));
    }
    assert_eq!(receive(&dish), ("group".to_owned(), "2".to_owned()));
}

fn groups_are_told_by_commands(rig: &Rig) {
    let dish = rig.bound(DISH);
    dish.join("early").unwrap();
    let mut peer = RawPeer::shake_hands(&dish.last_endpoint(), "RADIO", b"");
    // A bound socket takes notice of a new peer only in a call.
    wait_until(|| {
        dish.get_events().unwrap();
        peer.hears_within(Duration::from_millis(1))
    });
    dish.join("late").unwrap();
    dish.leave("early").unwrap();
    for body in [&b"\x04JOINearly"[..], b"\x04JOINlate", b"\x05LEAVEearly"] {
        assert_eq!(peer.read_frame(), (COMMAND, body.to_vec()));
    }
}

fn groups_are_told_again_after_a_reconnect(rig: &Rig) {
    let listener = match rig.transport {
        crate::common::Transport::Ipc => RawListener::ipc(),
        _ => RawListener::tcp(),
    };
    let dish = rig.socket(DISH);
    dish.set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    dish.join("a").unwrap();
    dish.connect(&listener.endpoint()).unwrap();
    for round in 0..3 {
        let monitor = dish.monitor();
        let mut peer = listener.accept();
        peer.send(&opening("RADIO", b""));
        peer.expect_opening();
        wait_until(|| {
            dish.get_events().unwrap();
            peer.hears_within(Duration::from_millis(1))
        });
        assert_eq!(
            peer.read_frame(),
            (COMMAND, b"\x04JOINa".to_vec()),
            "{round}"
        );
        drop(peer);
        await_loss(&monitor);
    }
}

fn a_group_that_is_too_long_is_passed_over(rig: &Rig) {
    let radio = rig.bound(RADIO);
    let mut peer = RawPeer::shake_hands(&radio.last_endpoint(), "DISH", b"");
    peer.send(&command("JOIN", &[b'x'; 256]));
    peer.send(&command("LEAVE", &[b'x'; 300]));
    peer.send(&command("JOIN", b"\xFF\0"));
    peer.send(&command("JOIN", b"ok"));
    wait_until(|| {
        radio.send(in_group("ok", "body"), 0).unwrap();
        peer.hears_within(Duration::from_millis(1))
    });
    assert_eq!(peer.read_frame(), (MORE, b"ok".to_vec()));
}

fn what_is_no_group_and_body_ends_the_connection(rig: &Rig) {
    for frames in [
        vec![frame(0, b"a body alone")],
        vec![frame(MORE, b"a"), frame(MORE, b"b")],
        vec![frame(MORE, &[b'x'; 256])],
    ] {
        let dish = rig.bound(DISH);
        let mut peer = RawPeer::shake_hands(&dish.last_endpoint(), "RADIO", b"");
        peer.send(&frames.concat());
        peer.expect_closed();
    }
}
