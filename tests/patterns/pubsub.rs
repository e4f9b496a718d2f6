//! PUB and SUB: each message to all who subscribed to how it begins.

use ferrozmq::SocketType::{PUB, SUB};
use ferrozmq::{DONTWAIT, Error, POLLIN, POLLOUT, SNDMORE, Socket};

use crate::common::{
    LIMIT, Rig, SHORT, Transport, await_subscription, link, recv, recv_all, send, wait_until,
};
use crate::{on_each_transport, on_network_transports};

on_each_transport!(
    a_message_goes_to_all_whose_topic_it_begins_with,
    only_the_first_frame_is_looked_at,
    the_empty_topic_is_everything,
    a_topic_ends_when_it_was_cancelled_as_often_as_subscribed,
    topics_can_be_changed_while_connected,
    a_subscriber_can_be_bound,
    a_publisher_without_subscribers_never_waits,
    a_publisher_in_the_middle_of_a_message_takes_no_new_subscriber,
    a_slow_subscriber_misses_whole_messages_and_holds_up_nobody,
    inverted_matching_delivers_what_was_not_subscribed_to,
    a_conflated_subscriber_ends_with_the_latest,
    each_does_only_its_part,
    readable_means_that_something_matches,
    what_nobody_wants_does_not_hold_up_a_time_limit,
);

on_network_transports!(
    subscriptions_are_said_again_to_a_publisher_that_returns,
    more_topics_than_the_mark_all_arrive,
);

#[test]
fn who_waited_for_a_subscriber_knows_its_topics_when_it_is_bound() {
    let rig = Rig::new(Transport::Inproc);
    let (publisher, subscriber) = (rig.socket(PUB), rig.socket(SUB));
    publisher.connect("inproc://later").unwrap();
    send(&publisher, &["too early"]);
    subscriber.set_subscribe(b"").unwrap();
    subscriber.bind("inproc://later").unwrap();
    send(&publisher, &["in time"]);
    assert_eq!(recv(&subscriber), ["in time"]);
}

fn subscriber(rig: &Rig, publisher: &Socket, topics: &[&str]) -> Socket {
    let subscriber = rig.socket(SUB);
    for topic in topics {
        subscriber.set_subscribe(topic.as_bytes()).unwrap();
    }
    link(publisher, &subscriber);
    for topic in topics {
        await_subscription(publisher, &subscriber, topic);
    }
    subscriber
}

fn a_message_goes_to_all_whose_topic_it_begins_with(rig: &Rig) {
    let publisher = rig.bound(PUB);
    let a = subscriber(rig, &publisher, &["a", "end"]);
    let ab = subscriber(rig, &publisher, &["ab", "end"]);
    for body in ["a", "b", "ab", "abc", "", "ba", "end"] {
        send(&publisher, &[body]);
    }
    let until_end = |socket: &Socket| -> Vec<_> {
        let bodies = std::iter::repeat_with(|| recv(socket).remove(0));
        bodies
            .skip_while(|body| body.contains("round"))
            .take_while(|body| body != "end")
            .collect()
    };
    assert_eq!(until_end(&a), ["a", "ab", "abc"]);
    assert_eq!(until_end(&ab), ["ab", "abc"]);
}

fn only_the_first_frame_is_looked_at(rig: &Rig) {
    let publisher = rig.bound(PUB);
    let subscriber = subscriber(rig, &publisher, &["topic"]);
    send(&publisher, &["other", "topic"]);
    publisher.send("topic 1", SNDMORE).unwrap();
    publisher.send("other", SNDMORE).unwrap();
    publisher.send("", 0).unwrap();
    assert_eq!(recv(&subscriber), ["topic 1", "other", ""]);
}

fn the_empty_topic_is_everything(rig: &Rig) {
    let publisher = rig.bound(PUB);
    let subscriber = subscriber(rig, &publisher, &[""]);
    for body in ["", "x", "\0"] {
        send(&publisher, &[body]);
        assert_eq!(recv(&subscriber), [body]);
    }
}

fn a_topic_ends_when_it_was_cancelled_as_often_as_subscribed(rig: &Rig) {
    let publisher = rig.bound(PUB);
    let subscriber = subscriber(rig, &publisher, &["a", "a", "sync"]);
    subscriber.set_unsubscribe(b"a").unwrap();
    subscriber.set_unsubscribe(b"never subscribed").unwrap();
    send(&publisher, &["a1"]);
    assert_eq!(recv(&subscriber), ["a1"]);
    subscriber.set_unsubscribe(b"a").unwrap();
    send(&publisher, &["a2"]);
    send(&publisher, &["sync"]);
    assert_eq!(recv(&subscriber), ["sync"]);
}

fn topics_can_be_changed_while_connected(rig: &Rig) {
    let (publisher, subscriber) = rig.pair(PUB, SUB);
    subscriber.set_subscribe(b"late").unwrap();
    await_subscription(&publisher, &subscriber, "late");
    subscriber.set_subscribe(b"later").unwrap();
    subscriber.set_unsubscribe(b"late").unwrap();
    await_subscription(&publisher, &subscriber, "later");
    send(&publisher, &["late"]);
    send(&publisher, &["later"]);
    assert_eq!(recv(&subscriber), ["later"]);
}

fn a_subscriber_can_be_bound(rig: &Rig) {
    let subscriber = rig.bound(SUB);
    subscriber.set_subscribe(b"").unwrap();
    let publishers = [(); 3].map(|()| rig.connected(PUB, &subscriber));
    for publisher in &publishers {
        await_subscription(publisher, &subscriber, "");
    }
    for (n, publisher) in publishers.iter().enumerate() {
        send(publisher, &[&n.to_string()]);
    }
    let mut got = [(); 3].map(|()| recv(&subscriber).remove(0));
    got.sort_unstable();
    assert_eq!(got, ["0", "1", "2"]);
}

fn a_publisher_without_subscribers_never_waits(rig: &Rig) {
    let publisher = rig.bound(PUB);
    assert_eq!(publisher.get_events().unwrap(), POLLOUT);
    for n in 0..5000 {
        publisher.try_send(n.to_string()).unwrap();
    }
    let deaf = rig.connected(SUB, &publisher);
    for n in 0..5000 {
        publisher.try_send(n.to_string()).unwrap();
    }
    assert!(matches!(deaf.recv_msg(DONTWAIT), Err(Error::Again)));
}

fn a_publisher_in_the_middle_of_a_message_takes_no_new_subscriber(rig: &Rig) {
    let publisher = rig.bound(PUB);
    let early = subscriber(rig, &publisher, &[""]);
    publisher.send("first", SNDMORE).unwrap();
    let late = rig.socket(SUB);
    late.set_subscribe(b"").unwrap();
    link(&publisher, &late);
    publisher.send("last", 0).unwrap();
    assert_eq!(recv(&early), ["first", "last"]);
    await_subscription(&publisher, &late, "");
    send(&publisher, &["whole", "message"]);
    assert_eq!(recv(&late), ["whole", "message"]);
}

fn a_slow_subscriber_misses_whole_messages_and_holds_up_nobody(rig: &Rig) {
    const MESSAGES: usize = 400;
    let publisher = rig.socket(PUB);
    publisher.set_sndhwm(10).unwrap();
    publisher.bind(&rig.fresh_endpoint()).unwrap();
    let subscribe = || {
        let subscriber = rig.socket(SUB);
        subscriber.set_rcvhwm(10).unwrap();
        subscriber.set_subscribe(b"").unwrap();
        link(&publisher, &subscriber);
        await_subscription(&publisher, &subscriber, "");
        subscriber
    };
    let (slow, quick) = (subscribe(), subscribe());
    let filler = "x".repeat(65_536);
    for n in 0..MESSAGES {
        send(&publisher, &[&n.to_string(), &filler, &n.to_string()]);
        assert_eq!(
            recv(&quick)[0],
            n.to_string(),
            "who keeps up gets everything"
        );
    }
    // What the slow one gets is whole, in order, and not everything.
    let mut got = Vec::new();
    wait_until(|| {
        send(&publisher, &["1000000", "", "1000000"]);
        got.extend(
            recv_all(&slow)
                .into_iter()
                .filter(|frames| !frames[0].contains("round")),
        );
        got.last().is_some_and(|last| last[0] == "1000000")
    });
    assert!(
        got.iter()
            .all(|frames| frames.len() == 3 && frames[0] == frames[2])
    );
    let mut numbers: Vec<usize> = got
        .iter()
        .map(|frames| frames[0].parse().unwrap())
        .collect();
    numbers.dedup();
    assert!(
        numbers.is_sorted() && numbers.len() < MESSAGES,
        "{numbers:?}"
    );
}

fn inverted_matching_delivers_what_was_not_subscribed_to(rig: &Rig) {
    let (publisher, subscriber) = (rig.socket(PUB), rig.socket(SUB));
    for socket in [&publisher, &subscriber] {
        socket.set_invert_matching(true).unwrap();
    }
    publisher.bind(&rig.fresh_endpoint()).unwrap();
    link(&publisher, &subscriber);
    await_subscription(&publisher, &subscriber, "without a subscription, all");
    subscriber.set_subscribe(b"a").unwrap();
    for body in ["a", "ab", "b"] {
        send(&publisher, &[body]);
    }
    assert_eq!(recv(&subscriber), ["b"]);
}

fn a_conflated_subscriber_ends_with_the_latest(rig: &Rig) {
    let publisher = rig.bound(PUB);
    let subscriber = rig.socket(SUB);
    subscriber.set_conflate(true).unwrap();
    subscriber.set_subscribe(b"").unwrap();
    link(&publisher, &subscriber);
    wait_until(|| {
        send(&publisher, &["0"]);
        subscriber.poll(POLLIN, Some(SHORT)).unwrap() == POLLIN
    });
    for n in 1..100 {
        send(&publisher, &[&n.to_string()]);
    }
    let mut last = 0;
    wait_until(|| {
        let next: u32 = recv(&subscriber)[0].parse().unwrap();
        assert!(next >= last);
        last = next;
        last == 99
    });
    assert_eq!(recv_all(&subscriber), Vec::<Vec<String>>::new());
}

fn each_does_only_its_part(rig: &Rig) {
    let (publisher, subscriber) = rig.pair(PUB, SUB);
    assert!(matches!(publisher.recv_msg(0), Err(Error::NotSupported)));
    let refused = subscriber.send("x", 0).unwrap_err();
    assert!(matches!(refused.error, Error::NotSupported));
    assert_eq!(publisher.get_events().unwrap(), POLLOUT);
    assert_eq!(subscriber.get_events().unwrap(), 0);
}

fn readable_means_that_something_matches(rig: &Rig) {
    let publisher = rig.bound(PUB);
    let subscriber = subscriber(rig, &publisher, &["a", "b"]);
    subscriber.set_unsubscribe(b"a").unwrap();
    // The publisher may not know yet; the subscriber does.
    send(&publisher, &["a"]);
    assert_eq!(subscriber.poll(POLLIN, Some(SHORT)).unwrap(), 0);
    send(&publisher, &["b"]);
    assert_eq!(subscriber.poll(POLLIN, Some(LIMIT)).unwrap(), POLLIN);
    assert_eq!(recv(&subscriber), ["b"]);
}

fn what_nobody_wants_does_not_hold_up_a_time_limit(rig: &Rig) {
    let publisher = rig.bound(PUB);
    let subscriber = subscriber(rig, &publisher, &["unwanted"]);
    subscriber.set_unsubscribe(b"unwanted").unwrap();
    subscriber.set_rcvtimeo(Some(SHORT)).unwrap();
    let enough = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let publisher = publisher;
            while !enough.load(std::sync::atomic::Ordering::Relaxed) {
                send(&publisher, &["unwanted"]);
            }
        });
        assert!(matches!(subscriber.recv_msg(0), Err(Error::Again)));
        enough.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

fn subscriptions_are_said_again_to_a_publisher_that_returns(rig: &Rig) {
    let publisher = rig.bound(PUB);
    let endpoint = publisher.last_endpoint();
    let subscriber = subscriber(rig, &publisher, &["a", "b"]);
    subscriber.set_unsubscribe(b"b").unwrap();
    publisher.unbind(&endpoint).unwrap();
    drop(publisher);
    let publisher = rig.socket(PUB);
    publisher.bind(&endpoint).unwrap();
    await_subscription(&publisher, &subscriber, "a");
    send(&publisher, &["b"]);
    send(&publisher, &["a"]);
    assert_eq!(recv(&subscriber), ["a"]);
}

fn more_topics_than_the_mark_all_arrive(rig: &Rig) {
    const TOPICS: usize = 3000;
    let publisher = rig.bound(PUB);
    let subscriber = rig.socket(SUB);
    subscriber.set_sndhwm(5).unwrap();
    for n in 0..TOPICS {
        subscriber
            .set_subscribe(format!("{n:05}").as_bytes())
            .unwrap();
    }
    link(&publisher, &subscriber);
    // They are said in no particular order, but all before this one.
    subscriber.set_subscribe(b"last").unwrap();
    await_subscription(&publisher, &subscriber, "last");
    for n in 0..TOPICS {
        send(&publisher, &[&format!("{n:05}")]);
        assert_eq!(recv(&subscriber), [format!("{n:05}")]);
    }
}

/// Within a process the marks are exact: the first messages are the ones that fit.
#[test]
fn a_full_subscriber_keeps_the_oldest() {
    let rig = Rig::new(Transport::Inproc);
    let publisher = rig.socket(PUB);
    publisher.set_sndhwm(3).unwrap();
    publisher.bind(&rig.fresh_endpoint()).unwrap();
    let subscriber = rig.socket(SUB);
    subscriber.set_rcvhwm(2).unwrap();
    subscriber.set_subscribe(b"").unwrap();
    link(&publisher, &subscriber);
    for n in 0..20 {
        send(&publisher, &[&n.to_string(), "and more"]);
    }
    let got: Vec<_> = recv_all(&subscriber)
        .into_iter()
        .map(|mut m| m.remove(0))
        .collect();
    assert_eq!(got, ["0", "1", "2", "3", "4"]);
    send(&publisher, &["20"]);
    assert_eq!(recv(&subscriber), ["20"]);
}
