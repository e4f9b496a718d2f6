//! Options of REQ and of the publishing and subscribing types.

use super::*;

/// An XPUB, and two subscribers of it that are XSUBs, in the context's own process.
fn xpub(ctx: &Ctx, set: impl FnOnce(&Socket)) -> (Socket, [Socket; 2]) {
    let xpub = socket(ctx, SocketType::XPUB);
    set(&xpub);
    xpub.bind("inproc://topics").unwrap();
    let subscribers = [(), ()].map(|()| {
        let xsub = socket(ctx, SocketType::XSUB);
        xsub.connect("inproc://topics").unwrap();
        xsub
    });
    (xpub, subscribers)
}

/// All that a socket can receive now.
fn heard(socket: &Socket) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| Some(socket.try_recv().ok()?.to_vec())).collect()
}

/// What is reported while both subscribe to the same topic, and then unsubscribe.
fn reports_of_come_and_go(xpub: &Socket, subscribers: &[Socket; 2]) -> Vec<Vec<u8>> {
    let mut events = Vec::new();
    for request in [b"\x01t", b"\x00t"] {
        for subscriber in subscribers {
            subscriber.send(request, 0).unwrap();
        }
        events.extend(heard(xpub));
    }
    events
}

#[test]
fn an_xpub_reports_what_it_is_told_to() {
    let set: [fn(&Socket); 3] = [
        |_| {},
        |xpub| xpub.set_xpub_verbose(true).unwrap(),
        |xpub| xpub.set_xpub_verboser(true).unwrap(),
    ];
    let expected: [&[&[u8]]; 3] = [
        &[b"\x01t", b"\x00t"],
        &[b"\x01t", b"\x01t", b"\x00t"],
        &[b"\x01t", b"\x01t", b"\x00t", b"\x00t"],
    ];
    for (set, expected) in set.into_iter().zip(expected) {
        let ctx = Ctx::new();
        let (xpub, subscribers) = xpub(&ctx, set);
        assert_eq!(reports_of_come_and_go(&xpub, &subscribers), expected);
    }
}

#[test]
fn a_manual_xpub_subscribes_the_peer_of_the_last_event_to_what_it_likes() {
    let ctx = Ctx::new();
    let (xpub, [a, b]) = xpub(&ctx, |xpub| xpub.set_xpub_manual(true).unwrap());
    a.send(b"\x01asked", 0).unwrap();
    assert_eq!(xpub.recv_bytes(0).unwrap(), b"\x01asked");
    xpub.set_subscribe(b"got").unwrap();
    b.send(b"\x01asked", 0).unwrap();
    assert_eq!(xpub.recv_bytes(0).unwrap(), b"\x01asked");
    xpub.send("asked", 0).unwrap();
    xpub.send("got", 0).unwrap();
    assert_eq!(heard(&a), [b"got"]);
    assert!(heard(&b).is_empty());
    a.send(b"\x00asked", 0).unwrap();
    xpub.recv_bytes(0).unwrap();
    xpub.set_unsubscribe(b"got").unwrap();
    xpub.send("got", 0).unwrap();
    assert!(heard(&a).is_empty());
}

#[test]
fn the_last_value_goes_to_who_is_new_only() {
    let ctx = Ctx::new();
    let set = |xpub: &Socket| xpub.set_xpub_manual_last_value(true).unwrap();
    let (xpub, [a, b]) = xpub(&ctx, set);
    let admit = |subscriber: &Socket| {
        subscriber.send(b"\x01topic", 0).unwrap();
        assert_eq!(xpub.recv_bytes(0).unwrap(), b"\x01topic");
        xpub.set_subscribe(b"topic").unwrap();
    };
    admit(&a);
    xpub.send("topic 1", 0).unwrap();
    admit(&b);
    xpub.send("topic 1 again", 0).unwrap();
    xpub.send_multipart(["topic 2", "for both"], 0).unwrap();
    assert_eq!(heard(&a), [&b"topic 1"[..], b"topic 2", b"for both"]);
    assert_eq!(heard(&b), [&b"topic 1 again"[..], b"topic 2", b"for both"]);
    // What does not match goes to nobody, and the next message to all.
    a.send(b"\x01asked for and not granted", 0).unwrap();
    xpub.recv_msg(0).unwrap();
    xpub.send("asked for and not granted", 0).unwrap();
    xpub.send("topic 3", 0).unwrap();
    assert_eq!(
        (heard(&a), heard(&b)),
        (vec![b"topic 3".to_vec()], vec![b"topic 3".to_vec()])
    );
}

#[test]
fn topics_are_counted() {
    let ctx = Ctx::new();
    let (xpub, [a, b]) = xpub(&ctx, |_| {});
    assert_eq!(xpub.get_topics_count().unwrap(), 0);
    for (subscriber, request) in [(&a, b"\x01t"), (&b, b"\x01t"), (&b, b"\x01u")] {
        subscriber.send(request, 0).unwrap();
    }
    assert_eq!(xpub.get_topics_count().unwrap(), 2);
    assert_eq!(b.get_topics_count().unwrap(), 2);
    a.send(b"\x00t", 0).unwrap();
    assert_eq!(xpub.get_topics_count().unwrap(), 2);
    drop(b);
    wait_until("its topics are gone", || {
        xpub.get_topics_count().unwrap() == 0
    });
    let sub = socket(&ctx, SocketType::SUB);
    sub.subscribe("").unwrap();
    sub.subscribe("").unwrap();
    assert_eq!(sub.get_topics_count().unwrap(), 1);
    assert_invalid(socket(&ctx, SocketType::PUSH).get_topics_count());
}

#[test]
fn a_publisher_drops_or_refuses_what_does_not_fit() {
    for nodrop in [false, true] {
        let ctx = Ctx::new();
        let (xpub, [a, _]) = xpub(&ctx, |xpub| {
            xpub.set_sndhwm(1).unwrap();
            xpub.set_xpub_nodrop(nodrop).unwrap();
        });
        a.set_rcvhwm(1).unwrap();
        a.send(b"\x01", 0).unwrap();
        xpub.recv_msg(0).unwrap();
        let refused = (0..10).filter(|_| xpub.try_send("x").is_err()).count();
        assert_eq!(refused, if nodrop { 8 } else { 0 });
        assert_eq!(heard(&a).len(), 2);
    }
}

#[test]
fn each_new_subscriber_is_welcomed() {
    let ctx = Ctx::new();
    let (xpub, subscribers) = xpub(&ctx, |xpub| xpub.set_xpub_welcome_msg(b"hello").unwrap());
    assert_eq!(xpub.get_events().unwrap() & ferrozmq::POLLIN, 0);
    for subscriber in &subscribers {
        assert_eq!(heard(subscriber), [b"hello"]);
    }
    xpub.set_xpub_welcome_msg(b"").unwrap();
    let late = socket(&ctx, SocketType::XSUB);
    late.connect("inproc://topics").unwrap();
    assert_eq!(xpub.get_events().unwrap() & ferrozmq::POLLIN, 0);
    assert!(heard(&late).is_empty());
}

#[test]
fn a_sub_receives_what_it_subscribed_to_or_the_rest() {
    for invert in [false, true] {
        let ctx = Ctx::new();
        let (publisher, sub) = (
            socket(&ctx, SocketType::XPUB),
            socket(&ctx, SocketType::SUB),
        );
        publisher.set_invert_matching(invert).unwrap();
        publisher.bind("inproc://matching").unwrap();
        sub.set_invert_matching(invert).unwrap();
        sub.connect("inproc://matching").unwrap();
        sub.subscribe("a").unwrap();
        publisher.recv_msg(0).unwrap();
        for body in ["a1", "b1"] {
            publisher.send(body, 0).unwrap();
        }
        let expected = if invert { b"b1" } else { b"a1" };
        assert_eq!(heard(&sub), [expected]);
    }
}

#[test]
fn a_subscription_is_taken_back_as_often_as_it_was_made() {
    let ctx = Ctx::new();
    let (publisher, sub) = (
        socket(&ctx, SocketType::XPUB),
        socket(&ctx, SocketType::SUB),
    );
    publisher.bind("inproc://counted").unwrap();
    sub.connect("inproc://counted").unwrap();
    sub.set_unsubscribe(b"never made").unwrap();
    sub.set_subscribe(b"t").unwrap();
    sub.subscribe(b"t").unwrap();
    sub.unsubscribe("t").unwrap();
    assert_eq!(heard(&publisher), [b"\x01t"]);
    sub.set_unsubscribe(b"t").unwrap();
    assert_eq!(heard(&publisher), [b"\x00t"]);
}

#[test]
fn every_unsubscription_is_told_if_asked() {
    for verbose in [false, true] {
        let ctx = Ctx::new();
        let (xpub, [xsub, _]) = xpub(&ctx, |xpub| xpub.set_xpub_verboser(true).unwrap());
        xsub.set_xsub_verbose_unsubscribe(verbose).unwrap();
        for request in [b"\x01t", b"\x01t", b"\x00t", b"\x00t"] {
            xsub.send(request, 0).unwrap();
        }
        let ends = heard(&xpub).iter().filter(|event| event[0] == 0).count();
        assert_eq!(ends, if verbose { 2 } else { 1 });
    }
}

#[test]
fn a_subscription_may_be_sought_in_the_first_frame_alone() {
    for only_first in [false, true] {
        let ctx = Ctx::new();
        let (xpub, [xsub, _]) = xpub(&ctx, |xpub| {
            xpub.set_only_first_subscribe(only_first).unwrap();
        });
        xsub.set_only_first_subscribe(only_first).unwrap();
        xsub.send_multipart([&b"data"[..], b"\x01t"], 0).unwrap();
        assert_eq!(frames(&xpub), [&b"data"[..], b"\x01t"]);
        xpub.send("t", 0).unwrap();
        assert_eq!(heard(&xsub).is_empty(), only_first);
    }
}

#[test]
fn a_relaxed_req_asks_again_and_a_correlating_one_takes_the_right_answer() {
    let ctx = Ctx::new();
    let (router, req) = pair(&ctx, SocketType::ROUTER, SocketType::REQ);
    req.send("first", 0).unwrap();
    let refused = req.send("second", 0).map_err(Error::from);
    assert!(matches!(refused, Err(Error::Fsm)), "{refused:?}");
    frames(&router);
    req.set_req_relaxed(true).unwrap();
    req.set_req_correlate(true).unwrap();
    req.send("second", 0).unwrap();
    let second = frames(&router);
    assert_eq!(second.len(), 4, "the request has a number");
    req.send("third", 0).unwrap();
    let third = frames(&router);
    for mut reply in [second, third] {
        reply[3].extend(b" answered");
        router.send_multipart(reply, 0).unwrap();
    }
    assert_eq!(req.recv_string(0).unwrap(), "third answered");
}
