//! Messages of every form and size, and many of them.

use std::thread;

use crate::*;

both_ways!(
    sizes,
    frames,
    empty_messages,
    sixty_four_mebibytes,
    a_hundred_thousand_to_whoever_connects,
    a_hundred_thousand_to_whoever_binds,
    a_hundred_thousand_each_way_at_once,
    only_the_latest,
    what_messages_say_of_their_sender,
);

/// Lengths around those at which something changes: how a length is written, how a message is
/// kept, how it is sent.
fn sizes(link: &Link) {
    let (a, b) = link.pair(PAIR, PAIR);
    let borders = [
        0,
        29,
        33,
        64,
        255,
        256,
        4096,
        8192,
        65_536,
        262_144,
        1 << 20,
    ];
    for size in borders.iter().flat_map(|n| [n.max(&1) - 1, *n, n + 1]) {
        let body: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        a.send(&[&body]);
        b.send(&[&body]);
        assert!(b.recv()[0].0 == body && a.recv()[0].0 == body, "{size}");
    }
}

fn frames(link: &Link) {
    let (a, b) = link.pair(PAIR, PAIR);
    for count in [1, 2, 3, 10, 100, 1000, 5000] {
        let frames: Vec<_> = (0..count).map(|n| "x".repeat(n % 300)).collect();
        a.send(&frames);
        b.send(&frames);
        b.expect(&frames);
        a.expect(&frames);
    }
}

fn empty_messages(link: &Link) {
    let (a, b) = link.pair(PAIR, PAIR);
    for message in [
        &[""][..],
        &["", ""],
        &["", "x"],
        &["x", ""],
        &["", "", "x", "", ""],
    ] {
        a.send(message);
        b.send(message);
        b.expect(message);
        a.expect(message);
    }
}

fn sixty_four_mebibytes(link: &Link) {
    let (a, b) = link.pair(PAIR, PAIR);
    let body: Vec<u8> = (0..64_u32 << 20).map(|n| (n % 253) as u8).collect();
    a.send(&[b"before", &body[..], b"after"]);
    b.send(&[b"before", &body[..], b"after"]);
    for end in [&b, &a] {
        let message = end.recv();
        assert!(message[0] == "before" && message[2] == "after");
        assert!(message[1].0 == body, "the body is another");
    }
}

const MANY: usize = 100_000;

fn send_many(sender: &End) {
    for n in 0..MANY {
        sender.send(&[n.to_le_bytes()]);
    }
}

#[track_caller]
fn receive_many(receiver: &End) {
    for n in 0..MANY {
        let message = receiver.recv();
        assert_eq!(message[0].0, n.to_le_bytes(), "message {n}");
    }
}

fn a_hundred_thousand_to_whoever_connects(link: &Link) {
    let (push, pull) = link.pair(PUSH, PULL);
    let sending = thread::spawn(move || {
        send_many(&push);
        push
    });
    receive_many(&pull);
    sending.join().unwrap();
}

fn a_hundred_thousand_to_whoever_binds(link: &Link) {
    let (pull, push) = link.pair(PULL, PUSH);
    let sending = thread::spawn(move || {
        send_many(&push);
        push
    });
    receive_many(&pull);
    sending.join().unwrap();
}

fn a_hundred_thousand_each_way_at_once(link: &Link) {
    let (a, b) = link.pair(DEALER, DEALER);
    for end in [&a, &b] {
        end.set_no_limit();
    }
    let both = |end: End| {
        send_many(&end);
        receive_many(&end);
        end
    };
    let other = thread::spawn(move || both(b));
    both(a);
    other.join().unwrap();
}

/// Of what a reader has not read, only the newest is kept, on either side.
fn only_the_latest(link: &Link) {
    let pull = link.binding(PULL);
    pull.set_conflate();
    pull.bind(&link.address());
    let push = link.connecting(PUSH);
    push.set_conflate();
    push.connect(&pull.endpoint());
    for n in 0..1000 {
        push.send(&[n.to_string()]);
    }
    wait_until(|| pull.recv() == ["999"]);
}

fn what_messages_say_of_their_sender(link: &Link) {
    let bound = link.bound(DEALER);
    let connected = link.connecting(DEALER);
    connected.set_identity(b"somebody");
    connected.connect(&bound.endpoint());
    let properties = [
        ("Socket-Type", Some("DEALER")),
        ("Identity", Some("somebody")),
        ("X-Unknown", None),
    ];
    for (name, value) in properties {
        connected.send(&["hello"]);
        assert_eq!(bound.recv_property(name).as_deref(), value, "{name}");
    }
    bound.send(&["and to you"]);
    assert_eq!(
        connected.recv_property("Socket-Type").as_deref(),
        Some("DEALER")
    );
    if link.wildcard == TCP {
        connected.send(&["hello"]);
        assert_eq!(
            bound.recv_property("Peer-Address").as_deref(),
            Some("127.0.0.1")
        );
    }
}

/// What we add to our handshake, libzmq's messages tell.
#[test]
fn our_own_properties() {
    let link = Link::new(Library::Theirs, TCP);
    let bound = link.bound(PULL);
    let connected = link.connecting(PUSH);
    let ours = connected.ours().unwrap();
    ours.set_metadata_property("X-Colour", "green").unwrap();
    connected.connect(&bound.endpoint());
    connected.send(&["hello"]);
    assert_eq!(bound.recv_property("X-Colour").as_deref(), Some("green"));
}
