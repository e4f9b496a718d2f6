//! Subscriptions, whenever they are made, and what publishers say of their own accord.

use crate::*;

both_ways!(
    before_and_after_the_connection,
    ended,
    by_the_thousand,
    any_bytes,
    a_welcome,
    of_many_subscribers,
);

/// Publishes until the subscriber has it; nothing of that is left.
#[track_caller]
fn await_topic(publisher: &End, subscriber: &End, topic: &str) {
    offer(publisher, subscriber, &[topic, "now"]);
}

fn before_and_after_the_connection(link: &Link) {
    let publisher = link.bound(PUB);
    let subscriber = link.connecting(SUB);
    subscriber.subscribe("before");
    subscriber.connect(&publisher.endpoint());
    await_topic(&publisher, &subscriber, "before");
    subscriber.subscribe("after");
    await_topic(&publisher, &subscriber, "after");
    for topic in ["before", "neither", "after"] {
        publisher.send(&[topic]);
    }
    subscriber.expect(&["before"]);
    subscriber.expect(&["after"]);
}

fn ended(link: &Link) {
    let publisher = link.bound(XPUB);
    let subscriber = link.connected(SUB, &publisher);
    for topic in ["one", "two", "two"] {
        subscriber.subscribe(topic);
    }
    publisher.expect(&["\x01one"]);
    publisher.expect(&["\x01two"]);
    subscriber.unsubscribe("two");
    subscriber.unsubscribe("one");
    publisher.expect(&["\0one"]);
    publisher.send(&["one"]);
    publisher.send(&["two"]);
    subscriber.expect(&["two"]);
    subscriber.unsubscribe("two");
    publisher.expect(&["\0two"]);
}

/// More than the high-water mark: none may be lost.
fn by_the_thousand(link: &Link) {
    let publisher = link.bound(XPUB);
    let subscriber = link.connecting(SUB);
    subscriber.set_no_limit();
    for n in 0..5000 {
        subscriber.subscribe(&format!("topic {n}"));
    }
    subscriber.connect(&publisher.endpoint());
    for _ in 0..5000 {
        publisher.recv();
    }
    publisher.send(&["topic 4999"]);
    subscriber.expect(&["topic 4999"]);
}

/// Not of 246 to 255 bytes: libzmq 4.3.4 forgets that the command's name makes them longer.
fn any_bytes(link: &Link) {
    let publisher = link.bound(XPUB);
    let subscriber = link.connected(SUB, &publisher);
    let long = "x".repeat(300);
    for topic in [
        "",
        "\0",
        "\x01",
        "\u{7F}\0zero",
        &long,
        &long[..256],
        &long[..245],
    ] {
        subscriber.subscribe(topic);
        publisher.expect(&[format!("\x01{topic}")]);
        publisher.send(&[topic, "body"]);
        subscriber.expect(&[topic, "body"]);
        subscriber.unsubscribe(topic);
        publisher.expect(&[format!("\0{topic}")]);
    }
}

fn a_welcome(link: &Link) {
    let publisher = link.binding(XPUB);
    publisher.set_welcome("welcome");
    publisher.bind(&link.address());
    let subscriber = link.connecting(SUB);
    subscriber.subscribe("welcome");
    subscriber.connect(&publisher.endpoint());
    publisher.expect(&["\x01welcome"]);
    subscriber.expect(&["welcome"]);
}

fn of_many_subscribers(link: &Link) {
    let publisher = link.bound(XPUB);
    let subscribers: Vec<_> = (0..20)
        .map(|n| {
            let subscriber = link.connected(SUB, &publisher);
            subscriber.subscribe(&format!("{n};"));
            publisher.expect(&[format!("\x01{n};")]);
            subscriber
        })
        .collect();
    for n in 0..20 {
        publisher.send(&[format!("{n};"), "yours".to_owned()]);
    }
    for (n, subscriber) in subscribers.into_iter().enumerate() {
        subscriber.expect(&[format!("{n};"), "yours".to_owned()]);
        assert!(!subscriber.is_readable_within(Duration::ZERO));
        drop(subscriber);
        publisher.expect(&[format!("\0{n};")]);
    }
}
