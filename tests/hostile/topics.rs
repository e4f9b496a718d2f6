//! Subscribers and publishers that break the rules.

use ferrozmq::{DONTWAIT, Error};

use crate::peer::{
    COMMAND, LONG, MORE, RawListener, RawPeer, SIGNATURE, command, command_body, frame, greeting,
    old_frame, opening, ready,
};
use crate::*;

fn subscribe(topic: &[u8]) -> Vec<u8> {
    command("SUBSCRIBE", topic)
}

fn cancel(topic: &[u8]) -> Vec<u8> {
    command("CANCEL", topic)
}

/// Publishes until the subscriber is served, and thereby everything that was sent before is read.
#[track_caller]
fn await_subscribed(victim: &Victim, peer: &mut RawPeer, topic: &str) {
    peer.send(&subscribe(topic.as_bytes()));
    wait_until(|| {
        victim.socket.send(topic, 0).unwrap();
        peer.hears_within(Duration::from_millis(5))
    });
    assert_eq!(peer.read_frame(), (0, topic.as_bytes().to_vec()));
}

/// What is no subscription is nothing to a PUB.
#[test]
fn messages_to_a_publisher() {
    let victim = Victim::new(PUB, TCP);
    let mut peer = victim.ready_peer("SUB");
    let message = [frame(MORE, b"what"), frame(0, b"is this?")].concat();
    victim.attend(|| peer.send(&message.repeat(10_000)));
    await_subscribed(&victim, &mut peer, "topic");
    victim.still_serves();
}

/// An XPUB's application can read them; one that does not stops its peer.
#[test]
fn messages_to_a_publisher_that_could_read_them() {
    let victim = Victim::new(XPUB, TCP);
    let mut peer = victim.ready_peer("SUB");
    let body = [b'x'; 1000];
    let sent = peer.flood(&frame(0, &body), 100_000, MOMENT);
    assert!(sent < 100_000, "all were taken");
    victim.still_serves();
    let unread = (0..sent).take_while(|_| victim.socket.recv_msg(0).is_ok_and(|msg| msg.len() > 1));
    assert!(unread.count() > 0);
}

#[test]
fn the_end_of_what_never_began() {
    for socket_type in [PUB, XPUB] {
        let victim = Victim::new(socket_type, TCP);
        let mut peer = victim.ready_peer("SUB");
        peer.send(&cancel(b"").repeat(100));
        peer.send(
            &[cancel(b"unknown"), frame(0, b"\0unknown")]
                .concat()
                .repeat(250),
        );
        peer.send(&[subscribe(b"a"), cancel(b"a"), cancel(b"a")].concat());
        peer.send(&[subscribe(b"ab"), cancel(b"a"), cancel(b"abc")].concat());
        await_subscribed(&victim, &mut peer, "zebra");
        victim.socket.send("ab is still subscribed", 0).unwrap();
        assert_eq!(peer.read_frame().1, b"ab is still subscribed");
    }
}

/// A topic may be as long as its peer likes; nothing recurses over its bytes.
#[test]
fn topics_of_a_mebibyte() {
    let victim = Victim::new(XPUB, TCP);
    let mut peer = victim.ready_peer("SUB");
    let mut topic = vec![b'x'; 1 << 20];
    for end in [b'a', b'b', b'c'] {
        topic.push(end);
        peer.send(&subscribe(&topic));
        assert_eq!(victim.socket.recv_msg(0).unwrap()[1..], topic);
    }
    peer.send(&cancel(&topic));
    assert_eq!(victim.socket.recv_msg(0).unwrap()[0], 0);
    drop(peer);
    for _ in 0..2 {
        let ended = victim.socket.recv_msg(0).unwrap();
        assert!(ended[0] == 0 && ended.len() > 1 << 20);
    }
    victim.still_serves();
}

/// A hundred thousand topics of one peer and the same of another: found, and gone with them.
#[test]
fn a_flood_of_subscriptions() {
    let victim = Victim::new(PUB, TCP);
    let topics = (0..100_000).map(|n| subscribe(format!("{n} is a topic").as_bytes()));
    let topics: Vec<u8> = topics.flatten().collect();
    for _ in 0..2 {
        let mut peer = victim.ready_peer("SUB");
        victim.attend(|| peer.send(&topics));
        await_subscribed(&victim, &mut peer, "zebra");
        victim.socket.send("99999 is a topic", 0).unwrap();
        assert_eq!(peer.read_frame().1, b"99999 is a topic");
        drop(peer);
        victim.expect_all_gone(1);
    }
    victim.still_serves();
}

/// The same topic again and again is one subscription.
#[test]
fn a_flood_of_one_subscription() {
    let victim = Victim::new(PUB, TCP);
    let mut peer = victim.ready_peer("SUB");
    victim.attend(|| peer.send(&subscribe(b"again").repeat(100_000)));
    await_subscribed(&victim, &mut peer, "zebra");
    peer.send(&[cancel(b"again"), subscribe(b"zulu")].concat());
    await_subscribed(&victim, &mut peer, "zulu");
    victim.socket.send("again", 0).unwrap();
    victim.socket.send("zebra", 0).unwrap();
    wait_until(|| peer.read_frame().1 == b"zebra");
}

/// Subscribers of all ages: by command, by message, and by nothing at all.
#[test]
fn subscriptions_of_old_peers() {
    let old = |version: &[u8]| [SIGNATURE, version, &[2]].concat();
    let openings = [
        [
            greeting(3, 0, "NULL"),
            ready("SUB", b""),
            frame(0, b"\x01topic"),
        ]
        .concat(),
        [old(&[1]), frame(0, b""), frame(0, b"\x01topic")].concat(),
        [old(&[0]), old_frame(0, b""), old_frame(0, b"\x01topic")].concat(),
        old_frame(0, b""),
    ];
    for opening in openings {
        let victim = Victim::new(XPUB, TCP);
        let mut peer = victim.peer_that_sends(&opening);
        assert_eq!(victim.socket.recv_msg(0).unwrap()[0], 1);
        victim.socket.send("topic", 0).unwrap();
        let mut sent = Vec::new();
        wait_until(|| {
            sent.extend(peer.read(1));
            sent.ends_with(b"topic")
        });
        victim.still_serves();
    }
}

/// For them the topic is in a frame with one more byte, whose length must be told right.
#[test]
fn topics_at_the_border_of_a_length_byte() {
    for len in [252, 253, 254, 255, 256, 300] {
        let listener = RawListener::tcp();
        let ctx = Ctx::new();
        let sub = patient(&ctx, SUB);
        let topic = vec![b'x'; len];
        sub.set_subscribe(&topic).unwrap();
        sub.connect(&listener.endpoint()).unwrap();
        let mut peer = listener.accept();
        peer.send(&[greeting(3, 0, "NULL"), ready("PUB", b"")].concat());
        peer.expect_opening();
        assert_eq!(peer.read_frame(), (0, [&[1][..], &topic].concat()));
        peer.send(&frame(0, &topic));
        assert_eq!(sub.recv_msg(0).unwrap(), topic[..]);
    }
}

/// A subscriber checks what it gets: a publisher that sends everything is not believed.
#[test]
fn a_publisher_that_sends_everything() {
    let victim = Victim::new(SUB, TCP);
    victim.socket.set_subscribe(b"a").unwrap();
    let mut peer = victim.ready_peer("PUB");
    peer.send(
        &[frame(MORE, b"b"), frame(0, b"a"), frame(0, b"")]
            .concat()
            .repeat(1000),
    );
    peer.send(&frame(0, b"a last one"));
    assert_eq!(victim.socket.recv_msg(0).unwrap(), "a last one");
}

/// And while it searches, its caller's time limit holds.
#[test]
fn a_flood_that_nobody_asked_for() {
    let victim = Victim::new(SUB, TCP);
    victim.socket.set_subscribe(b"a").unwrap();
    victim.socket.set_rcvtimeo(Some(MOMENT)).unwrap();
    let mut peer = victim.ready_peer("PUB");
    let flood = std::thread::spawn(move || peer.flood(&frame(0, b"b"), 100_000_000, MOMENT));
    for _ in 0..3 {
        let begun = Instant::now();
        assert!(matches!(victim.socket.recv_msg(0), Err(Error::Again)));
        assert!(begun.elapsed() < MOMENT * 10);
    }
    assert!(matches!(
        victim.socket.recv_msg(DONTWAIT),
        Err(Error::Again)
    ));
    drop(victim);
    flood.join().unwrap();
}

/// Messages with parts, where only the latest is kept: any of them, but whole.
#[test]
fn messages_of_many_frames_conflated() {
    let victim = Victim::with(PULL, TCP, |socket| socket.set_conflate(true).unwrap());
    let mut peer = victim.ready_peer("PUSH");
    let message = [frame(MORE, b"one"), frame(MORE, b"two"), frame(0, b"three")].concat();
    for _ in 0..100 {
        peer.send(&message.repeat(100));
        assert_eq!(
            victim.socket.recv_multipart(0).unwrap()[..],
            ["one", "two", "three"]
        );
    }
}

/// Frames with flags that contradict each other are taken for what they most likely are.
#[test]
fn subscriptions_in_parts() {
    let victim = Victim::new(XPUB, TCP);
    let mut peer = victim.ready_peer("SUB");
    let odd = command_body("SUBSCRIBE", b"odd");
    peer.send(&frame(COMMAND | MORE, &odd));
    assert_eq!(victim.socket.recv_msg(0).unwrap(), "\x01odd");
    peer.send(&frame(
        COMMAND | MORE | LONG,
        &[odd, vec![b'x'; 300]].concat(),
    ));
    assert_eq!(victim.socket.recv_msg(0).unwrap()[..4], *b"\x01odd");
    peer.send(&opening("SUB", b"")[64..]);
    victim.expect_none_lost();
}
