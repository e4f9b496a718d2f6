//! XPUB and XSUB: publishing and subscribing with the subscriptions in the application's hands.

use ferrozmq::SocketType::{PUB, SUB, XPUB, XSUB};
use ferrozmq::{DONTWAIT, Error, POLLIN, POLLOUT, Socket};

use crate::common::{LIMIT, Rig, SHORT, Transport, link, recv, recv_all, send, wait_until};
use crate::on_each_transport;

on_each_transport!(
    the_first_subscription_to_a_topic_and_its_last_end_are_told,
    verbose_tells_of_repeated_subscriptions,
    verboser_tells_of_every_end_too,
    a_subscriber_that_goes_takes_its_topics_along,
    in_manual_mode_the_application_decides,
    in_manual_mode_the_end_of_a_subscriber_is_told_as_it_asked,
    nodrop_waits_for_the_slowest,
    a_welcome_is_the_first_message,
    messages_travel_upstream_untouched,
    only_first_leaves_further_frames_alone,
    an_xsub_subscribes_by_sending,
    an_xsub_tells_of_every_end_if_asked,
    an_xsub_speaks_to_all_its_publishers,
    a_forwarder_carries_topics_up_and_messages_down,
    topics_can_be_long,
);

fn subscribe(topic: &str) -> Vec<String> {
    vec![format!("\u{1}{topic}")]
}

fn cancel(topic: &str) -> Vec<String> {
    vec![format!("\0{topic}")]
}

fn the_first_subscription_to_a_topic_and_its_last_end_are_told(rig: &Rig) {
    let publisher = rig.bound(XPUB);
    let [a, b] = [(); 2].map(|()| rig.connected(SUB, &publisher));
    a.set_subscribe(b"topic").unwrap();
    assert_eq!(recv(&publisher), subscribe("topic"));
    b.set_subscribe(b"topic").unwrap();
    b.set_subscribe(b"b").unwrap();
    assert_eq!(recv(&publisher), subscribe("b"));
    a.set_unsubscribe(b"topic").unwrap();
    a.set_subscribe(b"a").unwrap();
    assert_eq!(recv(&publisher), subscribe("a"));
    b.set_unsubscribe(b"topic").unwrap();
    assert_eq!(recv(&publisher), cancel("topic"));
}

fn verbose_tells_of_repeated_subscriptions(rig: &Rig) {
    let publisher = rig.bound(XPUB);
    publisher.set_xpub_verbose(true).unwrap();
    let [a, b] = [(); 2].map(|()| rig.connected(SUB, &publisher));
    for subscriber in [&a, &b, &b] {
        subscriber.set_subscribe(b"topic").unwrap();
        assert_eq!(recv(&publisher), subscribe("topic"));
    }
    a.set_unsubscribe(b"topic").unwrap();
    a.set_subscribe(b"marker").unwrap();
    assert_eq!(recv(&publisher), subscribe("marker"));
}

fn verboser_tells_of_every_end_too(rig: &Rig) {
    let publisher = rig.bound(XPUB);
    publisher.set_xpub_verboser(true).unwrap();
    let [a, b] = [(); 2].map(|()| rig.connected(SUB, &publisher));
    for subscriber in [&a, &b] {
        subscriber.set_subscribe(b"topic").unwrap();
        assert_eq!(recv(&publisher), subscribe("topic"));
    }
    for subscriber in [&a, &b] {
        subscriber.set_unsubscribe(b"topic").unwrap();
        assert_eq!(recv(&publisher), cancel("topic"));
    }
}

fn a_subscriber_that_goes_takes_its_topics_along(rig: &Rig) {
    let publisher = rig.bound(XPUB);
    let [a, b] = [(); 2].map(|()| rig.connected(SUB, &publisher));
    for (subscriber, topic) in [(&a, "shared"), (&a, "own")] {
        subscriber.set_subscribe(topic.as_bytes()).unwrap();
        assert_eq!(recv(&publisher), subscribe(topic));
    }
    b.set_subscribe(b"shared").unwrap();
    b.set_subscribe(b"marker").unwrap();
    assert_eq!(recv(&publisher), subscribe("marker"));
    drop(a);
    assert_eq!(recv(&publisher), cancel("own"));
    b.set_unsubscribe(b"shared").unwrap();
    assert_eq!(recv(&publisher), cancel("shared"));
}

fn in_manual_mode_the_application_decides(rig: &Rig) {
    let publisher = rig.bound(XPUB);
    publisher.set_xpub_manual(true).unwrap();
    let [a, b] = [(); 2].map(|()| rig.connected(SUB, &publisher));
    for (subscriber, wish, granted) in [(&a, "A", "XA"), (&b, "B", "XB")] {
        subscriber.set_subscribe(wish.as_bytes()).unwrap();
        subscriber.set_subscribe(b"X").unwrap();
        for topic in [wish, "X"] {
            assert_eq!(recv(&publisher), subscribe(topic), "every request is told");
        }
        publisher.set_subscribe(granted.as_bytes()).unwrap();
    }
    for body in ["A", "B", "XA", "XB"] {
        send(&publisher, &[body]);
    }
    assert_eq!(recv(&a), ["XA"]);
    assert_eq!(recv(&b), ["XB"]);
    // The last event was of b.
    publisher.set_unsubscribe(b"XB").unwrap();
    publisher.set_subscribe(b"XC").unwrap();
    for body in ["XB", "XC"] {
        send(&publisher, &[body]);
    }
    assert_eq!(recv(&b), ["XC"]);
}

fn in_manual_mode_the_end_of_a_subscriber_is_told_as_it_asked(rig: &Rig) {
    let publisher = rig.bound(XPUB);
    publisher.set_xpub_manual(true).unwrap();
    let subscriber = rig.connected(SUB, &publisher);
    subscriber.set_subscribe(b"asked").unwrap();
    assert_eq!(recv(&publisher), subscribe("asked"));
    publisher.set_subscribe(b"granted").unwrap();
    drop(subscriber);
    assert_eq!(recv(&publisher), cancel("asked"));
}

fn nodrop_waits_for_the_slowest(rig: &Rig) {
    static BODY: [u8; 65_536] = [0; 65_536];
    let publisher = rig.socket(XPUB);
    publisher.set_xpub_nodrop(true).unwrap();
    publisher.set_sndhwm(2).unwrap();
    publisher.set_sndtimeo(Some(SHORT)).unwrap();
    publisher.bind(&rig.fresh_endpoint()).unwrap();
    let subscriber = rig.socket(SUB);
    subscriber.set_rcvhwm(2).unwrap();
    subscriber.set_subscribe(b"").unwrap();
    link(&publisher, &subscriber);
    assert_eq!(recv(&publisher), subscribe(""));
    let mut sent = 0;
    while publisher.send(BODY.to_vec(), 0).is_ok() {
        sent += 1;
        assert!(sent < 10_000, "it does not fill up");
    }
    assert!(matches!(
        publisher.try_send(BODY.to_vec()).unwrap_err().error,
        Error::Again
    ));
    publisher.set_sndtimeo(Some(LIMIT)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let publisher = publisher;
            publisher.send("last", 0).unwrap();
            publisher.set_linger(None).unwrap();
        });
        for _ in 0..sent {
            assert_eq!(subscriber.recv_msg(0).unwrap().len(), BODY.len());
        }
        assert_eq!(recv(&subscriber), ["last"]);
    });
}

fn a_welcome_is_the_first_message(rig: &Rig) {
    let publisher = rig.socket(XPUB);
    publisher.set_xpub_welcome_msg(b"welcome").unwrap();
    publisher.bind(&rig.fresh_endpoint()).unwrap();
    let interested = rig.socket(SUB);
    interested.set_subscribe(b"w").unwrap();
    let other = rig.socket(SUB);
    other.set_subscribe(b"x").unwrap();
    for (subscriber, topic) in [(&interested, "w"), (&other, "x")] {
        link(&publisher, subscriber);
        assert_eq!(recv(&publisher), subscribe(topic));
    }
    send(&publisher, &["w 1"]);
    send(&publisher, &["x 1"]);
    assert_eq!(recv(&interested), ["welcome"]);
    assert_eq!(recv(&interested), ["w 1"]);
    assert_eq!(recv(&other), ["x 1"]);
}

fn messages_travel_upstream_untouched(rig: &Rig) {
    let (publisher, subscriber) = rig.pair(XPUB, XSUB);
    assert_eq!(subscriber.get_events().unwrap(), POLLOUT);
    send(&subscriber, &["for the publisher"]);
    send(&subscriber, &["of", "three", "frames"]);
    send(&subscriber, &[""]);
    assert_eq!(publisher.poll(POLLIN, Some(LIMIT)).unwrap(), POLLIN);
    assert_eq!(recv(&publisher), ["for the publisher"]);
    assert_eq!(recv(&publisher), ["of", "three", "frames"]);
    assert_eq!(recv(&publisher), [""]);
}

fn only_first_leaves_further_frames_alone(rig: &Rig) {
    let publisher = rig.bound(XPUB);
    let subscriber = rig.connected(XSUB, &publisher);
    for socket in [&publisher, &subscriber] {
        socket.set_only_first_subscribe(true).unwrap();
    }
    send(&subscriber, &["message", "\u{1}no topic", "\0neither"]);
    assert_eq!(recv(&publisher), ["message", "\u{1}no topic", "\0neither"]);
    send(&subscriber, &["\u{1}topic"]);
    assert_eq!(recv(&publisher), subscribe("topic"));
    send(&publisher, &["no topic"]);
    send(&publisher, &["topic"]);
    assert_eq!(recv(&subscriber), ["topic"]);
}

fn an_xsub_subscribes_by_sending(rig: &Rig) {
    let (publisher, subscriber) = rig.pair(XPUB, XSUB);
    for _ in 0..2 {
        send(&subscriber, &["\u{1}a"]);
    }
    assert_eq!(recv(&publisher), subscribe("a"));
    send(&publisher, &["b"]);
    send(&publisher, &["a", "body"]);
    assert_eq!(recv(&subscriber), ["a", "body"]);
    // Only the second end is one, and an end of nothing is none.
    for request in ["\0a", "\0never", "\u{1}marker", "\0a"] {
        send(&subscriber, &[request]);
    }
    assert_eq!(recv(&publisher), subscribe("marker"));
    assert_eq!(recv(&publisher), cancel("a"));
}

fn an_xsub_tells_of_every_end_if_asked(rig: &Rig) {
    let (publisher, subscriber) = rig.pair(XPUB, XSUB);
    publisher.set_xpub_verboser(true).unwrap();
    subscriber.set_xsub_verbose_unsubscribe(true).unwrap();
    for request in ["\u{1}a", "\u{1}a", "\0a", "\0a", "\u{1}marker"] {
        send(&subscriber, &[request]);
    }
    let told: Vec<_> = std::iter::repeat_with(|| recv(&publisher).remove(0))
        .take_while(|request| request != "\u{1}marker")
        .collect();
    assert_eq!(told, ["\u{1}a", "\u{1}a", "\0a", "\0a"]);
}

fn an_xsub_speaks_to_all_its_publishers(rig: &Rig) {
    let publishers = [(); 3].map(|()| rig.bound(XPUB));
    let subscriber = rig.socket(XSUB);
    send(&subscriber, &["\u{1}early"]);
    for publisher in &publishers {
        link(publisher, &subscriber);
        assert_eq!(recv(publisher), subscribe("early"));
    }
    send(&subscriber, &["\u{1}late"]);
    send(&subscriber, &["message"]);
    for publisher in &publishers {
        assert_eq!(recv(publisher), subscribe("late"));
        assert_eq!(recv(publisher), ["message"]);
    }
}

/// Carries what there is from one socket to the other.
fn forward(from: &Socket, to: &Socket) {
    while let Ok(frames) = from.recv_multipart(DONTWAIT) {
        to.send_multipart(frames, 0).unwrap();
    }
}

fn a_forwarder_carries_topics_up_and_messages_down(rig: &Rig) {
    let (inlet, outlet) = (rig.bound(XSUB), rig.bound(XPUB));
    let publisher = rig.connected(PUB, &inlet);
    let subscriber = rig.connected(SUB, &outlet);
    subscriber.set_subscribe(b"a").unwrap();
    wait_until(|| {
        forward(&outlet, &inlet);
        send(&publisher, &["a sync"]);
        forward(&inlet, &outlet);
        subscriber.get_events().unwrap() == POLLIN
    });
    send(&publisher, &["b"]);
    send(&publisher, &["a last", "body"]);
    let mut frames = recv(&subscriber);
    wait_until(|| {
        forward(&inlet, &outlet);
        if frames == ["a sync"] && subscriber.get_events().unwrap() == POLLIN {
            frames = recv(&subscriber);
        }
        frames != ["a sync"]
    });
    assert_eq!(frames, ["a last", "body"]);
}

fn topics_can_be_long(rig: &Rig) {
    let (publisher, subscriber) = rig.pair(XPUB, SUB);
    for size in [254, 255, 256, 1 << 20] {
        let topic = "t".repeat(size);
        subscriber.set_subscribe(topic.as_bytes()).unwrap();
        assert!(recv(&publisher) == subscribe(&topic), "{size}");
        send(&publisher, &[&topic]);
        assert!(recv(&subscriber) == [topic.clone()], "{size}");
        subscriber.set_unsubscribe(topic.as_bytes()).unwrap();
        assert!(recv(&publisher) == cancel(&topic), "{size}");
    }
}

/// Within a process the marks are exact.
#[test]
fn a_publisher_that_may_not_drop_is_refused_at_the_mark() {
    let rig = Rig::new(Transport::Inproc);
    let publisher = rig.socket(XPUB);
    publisher.set_xpub_nodrop(true).unwrap();
    publisher.set_sndhwm(3).unwrap();
    publisher.bind(&rig.fresh_endpoint()).unwrap();
    let subscriber = rig.socket(SUB);
    subscriber.set_rcvhwm(2).unwrap();
    subscriber.set_subscribe(b"a").unwrap();
    link(&publisher, &subscriber);
    for _ in 0..5 {
        publisher.try_send("a").unwrap();
    }
    assert!(matches!(
        publisher.try_send("a").unwrap_err().error,
        Error::Again
    ));
    publisher.try_send("what does not match is free").unwrap();
    assert_eq!(recv_all(&subscriber).len(), 5);
    publisher.try_send("a").unwrap();
}

/// A PUB takes the options of an XPUB, though it gives its application nothing to read.
#[test]
fn a_pub_may_be_told_not_to_drop() {
    let rig = Rig::new(Transport::Inproc);
    let (publisher, subscriber) = rig.pair(PUB, SUB);
    publisher.set_xpub_nodrop(true).unwrap();
    subscriber.set_subscribe(b"").unwrap();
    assert_eq!(crate::common::fill(&publisher), 2000);
    assert_eq!(recv_all(&subscriber).len(), 2000);
}
