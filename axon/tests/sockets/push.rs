//! Push and pull: the ways of messages, and the queue of a push without a peer.

use std::time::Duration;

use ferrozmq::Ctx;
use ferrozmq_axon::{Error, Event, Json, Message, Options, Overflow, Pull, Push, Raw};
use serde_json::json;

use crate::common::*;

#[test]
fn arguments_of_all_kinds_arrive_whoever_binds() {
    let (ctx, places) = (Ctx::new(), Places::new());
    for push_binds in [true, false] {
        for place in places.each() {
            let (push, pull) = (Push::new(&ctx).unwrap(), Pull::new(&ctx).unwrap());
            if push_binds {
                push.bind(&place).unwrap();
                pull.connect(push.address().unwrap()).unwrap();
            } else {
                pull.bind(&place).unwrap();
                push.connect(pull.address().unwrap()).unwrap();
            }
            let args = (
                "text",
                42,
                true,
                None::<u8>,
                Json(json!({"a": [1]})),
                &b"\x01\x02"[..],
            );
            push.send(args.clone()).unwrap();
            let message = pull.recv_timeout(LIMIT).unwrap();
            assert_eq!(message, Message::new(&args).unwrap());
            assert_eq!(
                message.get(4).unwrap().json::<serde_json::Value>().unwrap(),
                json!({"a": [1]})
            );
            drop(push);
            drop(pull);
        }
    }
}

#[test]
fn a_hundred_thousand_arrive_in_order() {
    let (ctx, places) = (Ctx::new(), Places::new());
    for place in places.each() {
        let pull = Pull::new(&ctx).unwrap();
        pull.bind(place).unwrap();
        let push = Push::new(&ctx).unwrap();
        push.connect(pull.address().unwrap()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..100_000).for_each(|n| push.send((n, "some text")).unwrap()));
            let mut message = Message::default();
            for n in 0..100_000 {
                pull.recv_into(&mut message).unwrap();
                assert_eq!(number(&message), n);
            }
        });
    }
}

#[test]
fn messages_of_all_sizes_arrive() {
    let ctx = Ctx::new();
    let pull = Pull::new(&ctx).unwrap();
    pull.bind("tcp://127.0.0.1:0").unwrap();
    let push = Push::new(&ctx).unwrap();
    push.connect(pull.address().unwrap()).unwrap();
    let sizes = [
        0, 1, 30, 250, 251, 300, 4000, 4091, 4092, 5000, 70_000, 3_000_000,
    ];
    for size in sizes {
        push.send((size as u32, vec![7; size])).unwrap();
    }
    for size in sizes {
        let message = pull.recv_timeout(LIMIT).unwrap();
        assert_eq!(number(&message), size as u32);
        assert_eq!(message.get(1).unwrap().as_bytes().len(), size);
    }
}

#[test]
fn peers_have_their_turns() {
    let ctx = Ctx::new();
    let push = Push::new(&ctx).unwrap();
    let mut events = push.events().unwrap();
    push.bind("tcp://127.0.0.1:0").unwrap();
    let pulls: Vec<_> = (0..3)
        .map(|_| {
            let pull = Pull::new(&ctx).unwrap();
            pull.connect(push.address().unwrap()).unwrap();
            wait_connected(&mut events, 1);
            pull
        })
        .collect();
    for n in 0..9 {
        push.send(n).unwrap();
    }
    for (first, pull) in (0..).zip(&pulls) {
        for turn in 0..3 {
            assert_eq!(number(&pull.recv_timeout(LIMIT).unwrap()), first + 3 * turn);
        }
    }
}

#[test]
fn what_waited_goes_first_and_without_a_call() {
    let (ctx, places) = (Ctx::new(), Places::new());
    for place in places.each() {
        // A free place that nobody is at yet.
        let pull = Pull::new(&ctx).unwrap();
        pull.bind(&place).unwrap();
        let address = pull.address().unwrap();
        pull_is_gone(pull);

        let push = Push::new(&ctx).unwrap();
        let mut events = push.events().unwrap();
        push.connect(&address).unwrap();
        for n in 0..1000 {
            push.send(n).unwrap();
        }
        let pull = Pull::new(&ctx).unwrap();
        pull.bind(&address).unwrap();
        for n in 0..1000 {
            assert_eq!(number(&pull.recv_timeout(LIMIT).unwrap()), n);
        }
        let flush = wait_for(&mut events, |event| matches!(event, Event::Flush(_)));
        let Event::Flush(messages) = flush else {
            unreachable!()
        };
        assert!(messages.iter().map(number).eq(0..1000));
    }
}

/// Closes a socket and waits until its address is free.
fn pull_is_gone(pull: Pull) {
    let mut events = pull.events().unwrap();
    drop(pull);
    wait_for(&mut events, |event| {
        matches!(event, Event::Close { endpoint: None })
    });
}

#[test]
fn a_connect_flushes_though_nothing_waited() {
    let ctx = Ctx::new();
    let push = Push::new(&ctx).unwrap();
    let mut events = push.events().unwrap();
    push.bind("tcp://127.0.0.1:0").unwrap();
    let pull = Pull::new(&ctx).unwrap();
    pull.connect(push.address().unwrap()).unwrap();
    let flush = wait_for(&mut events, |event| matches!(event, Event::Flush(_)));
    assert!(matches!(flush, Event::Flush(messages) if messages.is_empty()));
}

/// What a push with a queue of three has for the first who comes, after five were sent.
fn five_in_three(overflow: Overflow) -> (Vec<u32>, Vec<u32>, Vec<bool>) {
    let ctx = Ctx::new();
    let timeout = Some(Duration::from_millis(20));
    let options = Options::new()
        .hwm(3)
        .overflow(overflow)
        .send_timeout(timeout);
    let push = Push::with_options(&ctx, &options).unwrap();
    let mut events = push.events().unwrap();
    push.bind("tcp://127.0.0.1:0").unwrap();
    let taken = (0..5).map(|n| match push.send(n) {
        Ok(()) => true,
        Err(Error::Full) if overflow == Overflow::Error => false,
        Err(Error::Timeout) if overflow == Overflow::Wait => false,
        Err(error) => panic!("{error}"),
    });
    let taken = taken.collect();
    let pull = Pull::new(&ctx).unwrap();
    pull.connect(push.address().unwrap()).unwrap();
    let sent = (0..3)
        .map(|_| number(&pull.recv_timeout(LIMIT).unwrap()))
        .collect();
    let mut dropped = Vec::new();
    wait_for(&mut events, |event| {
        if let Event::Drop(message) = event {
            dropped.push(number(message));
        }
        matches!(event, Event::Flush(_))
    });
    (sent, dropped, taken)
}

#[test]
fn beyond_the_mark_the_newest_is_dropped_unless_told_otherwise() {
    assert_eq!(five_in_three(Overflow::default()).0, [0, 1, 2]);
    let all = vec![true; 5];
    let some = vec![true, true, true, false, false];
    assert_eq!(
        five_in_three(Overflow::DropNewest),
        (vec![0, 1, 2], vec![3, 4], all.clone())
    );
    assert_eq!(
        five_in_three(Overflow::DropOldest),
        (vec![2, 3, 4], vec![0, 1], all)
    );
    assert_eq!(
        five_in_three(Overflow::Error),
        (vec![0, 1, 2], vec![], some.clone())
    );
    assert_eq!(five_in_three(Overflow::Wait), (vec![0, 1, 2], vec![], some));
}

#[test]
fn with_a_mark_of_zero_nothing_waits() {
    let ctx = Ctx::new();
    let options = Options::new().hwm(0);
    let push = Push::with_options(&ctx, &options).unwrap();
    let mut events = push.events().unwrap();
    push.bind("tcp://127.0.0.1:0").unwrap();
    push.send(1).unwrap();
    let dropped = wait_for(&mut events, |event| matches!(event, Event::Drop(_)));
    assert!(matches!(dropped, Event::Drop(message) if number(&message) == 1));
    let pull = Pull::new(&ctx).unwrap();
    pull.connect(push.address().unwrap()).unwrap();
    wait_connected(&mut events, 1);
    push.send(2).unwrap();
    assert_eq!(number(&pull.recv_timeout(LIMIT).unwrap()), 2);
}

#[test]
fn a_push_that_waits_goes_on_when_there_is_room() {
    let ctx = Ctx::new();
    let options = Options::new().hwm(0).peer_hwm(10).overflow(Overflow::Wait);
    let push = Push::with_options(&ctx, &options).unwrap();
    push.bind("tcp://127.0.0.1:0").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| (0..20_000).for_each(|n| push.send((n, [7; 100])).unwrap()));
        let pull = Pull::with_options(&ctx, &Options::new().peer_hwm(10)).unwrap();
        pull.connect(push.address().unwrap()).unwrap();
        for n in 0..20_000 {
            assert_eq!(number(&pull.recv_timeout(LIMIT).unwrap()), n);
        }
    });
}

#[test]
fn what_a_full_peer_does_not_take_waits_and_stays_in_order() {
    let ctx = Ctx::new();
    let push = Push::with_options(&ctx, &Options::new().peer_hwm(10)).unwrap();
    push.bind("tcp://127.0.0.1:0").unwrap();
    let pull = Pull::with_options(&ctx, &Options::new().peer_hwm(10)).unwrap();
    pull.connect(push.address().unwrap()).unwrap();
    // More than the system's buffers hold.
    for n in 0..20_000 {
        push.send((n, vec![7; 1000])).unwrap();
    }
    for n in 0..20_000 {
        assert_eq!(number(&pull.recv_timeout(LIMIT).unwrap()), n);
    }
}

#[test]
fn several_threads_share_a_push() {
    let ctx = Ctx::new();
    let pull = Pull::new(&ctx).unwrap();
    pull.bind("tcp://127.0.0.1:0").unwrap();
    let push = Push::new(&ctx).unwrap();
    push.connect(pull.address().unwrap()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let push = &push;
            scope.spawn(move || (0..1000_u32).for_each(|n| push.send((n, thread)).unwrap()));
        }
        let mut next = [0; 4];
        for _ in 0..4000 {
            let (n, thread): (u32, usize) = pull.recv_timeout(LIMIT).unwrap().parse().unwrap();
            assert_eq!(
                n,
                std::mem::replace(&mut next[thread], n + 1),
                "each is in order"
            );
        }
    });
}

#[test]
fn what_waits_is_delivered_after_the_end_of_the_socket() {
    let (ctx, places) = (Ctx::new(), Places::new());
    let place = places.unix("later");
    let push = Push::new(&ctx).unwrap();
    push.connect(&place).unwrap();
    push.send("sent and forgotten").unwrap();
    drop(push);
    let pull = Pull::new(&ctx).unwrap();
    pull.bind(&place).unwrap();
    let message = pull.recv_timeout(LIMIT).unwrap();
    assert_eq!(
        message.get(0).unwrap().text().unwrap(),
        "sent and forgotten"
    );
}

#[test]
fn without_linger_the_end_is_the_end() {
    let ctx = Ctx::new();
    let options = Options::new().linger(Some(Duration::ZERO));
    let push = Push::with_options(&ctx, &options).unwrap();
    push.connect("tcp://127.0.0.1:1").unwrap();
    push.send("nobody will hear it").unwrap();
    drop(push);
    assert!(ctx.term(Some(LIMIT)).is_ok());
}

#[test]
fn what_cannot_be_sent_is_refused_and_nothing_goes_out() {
    let ctx = Ctx::new();
    let pull = Pull::new(&ctx).unwrap();
    pull.bind("tcp://127.0.0.1:0").unwrap();
    let push = Push::new(&ctx).unwrap();
    push.connect(pull.address().unwrap()).unwrap();
    assert!(matches!(push.send(()), Err(Error::Encode(_))));
    assert!(matches!(
        push.send(&b"s:ambiguous"[..]),
        Err(Error::Encode(_))
    ));
    assert!(matches!(push.send(Raw(b"j:broken")), Err(Error::Encode(_))));
    let many = vec![ferrozmq_axon::Value::NULL; 16];
    assert!(matches!(push.send(many), Err(Error::Encode(_))));
    push.send("good").unwrap();
    assert_eq!(
        pull.recv_timeout(LIMIT)
            .unwrap()
            .get(0)
            .unwrap()
            .text()
            .unwrap(),
        "good"
    );
}

#[test]
fn calls_that_wait_end_with_the_context() {
    let ctx = Ctx::new();
    let pull = Pull::new(&ctx).unwrap();
    let options = Options::new().hwm(0).overflow(Overflow::Wait);
    let push = Push::with_options(&ctx, &options).unwrap();
    let pulling = std::thread::spawn(move || pull.recv());
    let pushing = std::thread::spawn(move || push.send(1));
    ctx.shutdown();
    assert!(matches!(pulling.join().unwrap(), Err(Error::Closed)));
    assert!(matches!(pushing.join().unwrap(), Err(Error::Closed)));
}

#[test]
fn calls_that_do_not_wait_say_so() {
    let ctx = Ctx::new();
    let pull = Pull::new(&ctx).unwrap();
    assert!(matches!(pull.try_recv(), Err(Error::Empty)));
    let soon = Duration::from_millis(5);
    assert!(matches!(pull.recv_timeout(soon), Err(Error::Timeout)));
}
