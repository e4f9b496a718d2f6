//! Pub and sub: to all, by pattern, and never held up.

use std::io::Read;
use std::time::Duration;

use ferrozmq::Ctx;
use ferrozmq_axon::amp::{Limits, Walk, walk};
use ferrozmq_axon::{Error, Message, Options, Overflow, Pub, Sub};

use crate::common::*;

#[test]
fn everybody_gets_everything_whoever_binds() {
    let (ctx, places) = (Ctx::new(), Places::new());
    for place in places.each() {
        let publisher = Pub::new(&ctx).unwrap();
        let mut events = publisher.events().unwrap();
        publisher.bind(&place).unwrap();
        let mut subs: Vec<_> = (0..3).map(|_| Sub::new(&ctx).unwrap()).collect();
        for sub in &subs {
            sub.connect(publisher.address().unwrap()).unwrap();
        }
        let bound = Sub::new(&ctx).unwrap();
        bound.bind("tcp://127.0.0.1:0").unwrap();
        publisher.connect(bound.address().unwrap()).unwrap();
        subs.push(bound);
        wait_connected(&mut events, 4);
        for n in 0..100 {
            publisher.send((n, "x")).unwrap();
        }
        for sub in &subs {
            for n in 0..100 {
                assert_eq!(number(&sub.recv_timeout(LIMIT).unwrap()), n);
            }
        }
    }
}

fn pair(ctx: &Ctx, options: &Options) -> (Pub, Sub) {
    let publisher = Pub::with_options(ctx, options).unwrap();
    let mut events = publisher.events().unwrap();
    publisher.bind("tcp://127.0.0.1:0").unwrap();
    let sub = Sub::new(ctx).unwrap();
    sub.connect(publisher.address().unwrap()).unwrap();
    wait_connected(&mut events, 1);
    (publisher, sub)
}

fn topic(message: &Message) -> String {
    message.get(0).unwrap().topic().into_owned()
}

#[test]
fn patterns_pick_by_the_first_argument_whatever_it_is() {
    let ctx = Ctx::new();
    let (publisher, sub) = pair(&ctx, &Options::new());
    for pattern in ["user:*:out", "5", "null", "exact"] {
        sub.subscribe(pattern);
    }
    publisher.send(("user:tobi:out", 1)).unwrap();
    publisher.send(("user::out", 2)).unwrap();
    publisher.send(("USER:tobi:out", 3)).unwrap();
    publisher.send((5, 4)).unwrap();
    publisher.send((None::<u8>, 5)).unwrap();
    publisher.send(("exactly", 6)).unwrap();
    publisher.send((&b"exact"[..], 7)).unwrap();
    for n in [1, 4, 5, 7] {
        let message = sub.recv_timeout(LIMIT).unwrap();
        assert_eq!(message.get(1).unwrap().json::<u32>().unwrap(), n);
    }
    assert!(matches!(sub.try_recv(), Err(Error::Empty)));
}

#[test]
fn patterns_count_from_when_they_are_there() {
    let ctx = Ctx::new();
    let (publisher, sub) = pair(&ctx, &Options::new());
    publisher.send("a").unwrap();
    assert_eq!(
        topic(&sub.recv_timeout(LIMIT).unwrap()),
        "a",
        "without any, everything"
    );
    for topic in ["b", "c", "d", "e"] {
        publisher.send(topic).unwrap();
    }
    sub.subscribe("c");
    sub.subscribe("e");
    sub.subscribe("c");
    assert!(sub.matches("c") && !sub.matches("d"));
    assert_eq!(topic(&sub.recv_timeout(LIMIT).unwrap()), "c");
    assert!(sub.unsubscribe("c"), "both");
    assert!(!sub.unsubscribe("c"));
    assert!(!sub.matches("c") && sub.has_subscriptions());
    assert_eq!(topic(&sub.recv_timeout(LIMIT).unwrap()), "e");
    sub.clear_subscriptions();
    assert!(!sub.has_subscriptions());
    publisher.send("f").unwrap();
    assert_eq!(topic(&sub.recv_timeout(LIMIT).unwrap()), "f");
}

#[test]
fn what_is_not_wanted_does_not_hold_up_a_time_limit() {
    let ctx = Ctx::new();
    let (publisher, sub) = pair(&ctx, &Options::new());
    sub.subscribe("never");
    let end = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !end.load(std::sync::atomic::Ordering::Relaxed) {
                publisher.send("again and again").unwrap();
            }
        });
        let outcome = sub.recv_timeout(Duration::from_millis(50));
        assert!(matches!(outcome, Err(Error::Timeout)), "{outcome:?}");
        end.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn without_peers_messages_are_nowhere() {
    let ctx = Ctx::new();
    let publisher = Pub::new(&ctx).unwrap();
    publisher.send("nobody").unwrap();
    publisher.bind("tcp://127.0.0.1:0").unwrap();
    let mut events = publisher.events().unwrap();
    publisher.send("nobody").unwrap();
    let sub = Sub::new(&ctx).unwrap();
    sub.connect(publisher.address().unwrap()).unwrap();
    wait_connected(&mut events, 1);
    publisher.send("somebody").unwrap();
    assert_eq!(topic(&sub.recv_timeout(LIMIT).unwrap()), "somebody");
}

#[test]
fn a_peer_that_does_not_read_misses_messages_and_nobody_else_does() {
    let ctx = Ctx::new();
    let options = Options::new().peer_hwm(1000);
    let (publisher, sub) = pair(&ctx, &options);
    let mut events = publisher.events().unwrap();
    let mut deaf = raw(&publisher.address().unwrap());
    wait_connected(&mut events, 1);
    const COUNT: u32 = 20_000;
    for n in 0..COUNT {
        publisher.send((n, vec![7; 1000])).unwrap();
        // The good one keeps up.
        assert_eq!(number(&sub.recv_timeout(LIMIT).unwrap()), n);
    }
    drop(publisher);
    let mut heard = Vec::new();
    deaf.read_to_end(&mut heard).unwrap();
    assert!(
        heard.len() < COUNT as usize * 1000,
        "it has heard everything"
    );
    // What it has heard is whole, and in order.
    let (mut rest, mut last) = (&heard[..], None);
    while let Ok(Walk::Whole(size)) = walk(rest, &Limits::default()) {
        let message = Message::from_bytes(&rest[..size]).unwrap();
        assert!(last < Some(number(&message)));
        last = Some(number(&message));
        rest = &rest[size..];
    }
    assert!(rest.is_empty());
}

#[test]
fn a_publisher_can_keep_to_the_slowest() {
    let ctx = Ctx::new();
    for (overflow, expected) in [
        (Overflow::Wait, "the time is over"),
        (Overflow::Error, "there is no room for the message"),
    ] {
        let timeout = Some(Duration::from_millis(50));
        let options = Options::new()
            .peer_hwm(10)
            .overflow(overflow)
            .send_timeout(timeout);
        let publisher = Pub::with_options(&ctx, &options).unwrap();
        let mut events = publisher.events().unwrap();
        publisher.bind("tcp://127.0.0.1:0").unwrap();
        let deaf = raw(&publisher.address().unwrap());
        wait_connected(&mut events, 1);
        let refused =
            std::iter::repeat_with(|| publisher.send(vec![7; 10_000])).find_map(Result::err);
        assert_eq!(refused.unwrap().to_string(), expected);
        drop(deaf);
    }
}
