//! Every pattern, in every way that its two sides can be shared out.

use crate::*;

both_ways!(
    pair,
    push_to_pull,
    pull_from_push,
    pub_to_sub,
    sub_from_pub,
    xpub_and_xsub,
    xsub_and_xpub,
    pub_and_xsub,
    xpub_and_sub,
    req_and_rep,
    rep_and_req,
    req_and_router,
    router_and_req,
    dealer_and_rep,
    rep_and_dealer,
    dealer_and_router,
    router_and_dealer,
    dealer_and_dealer,
    router_and_router,
    correlated_requests,
    work_is_shared,
);

fn pair(link: &Link) {
    let (a, b) = link.pair(PAIR, PAIR);
    for n in 0..10 {
        let n = n.to_string();
        a.send(&["from a", &n]);
        b.send(&["from b", &n]);
        b.expect(&["from a", &n]);
        a.expect(&["from b", &n]);
    }
}

fn pass_on(push: &End, pull: &End) {
    for n in 0..100 {
        push.send(&[n.to_string()]);
    }
    for n in 0..100 {
        pull.expect(&[n.to_string()]);
    }
}

fn push_to_pull(link: &Link) {
    let (push, pull) = link.pair(PUSH, PULL);
    pass_on(&push, &pull);
}

fn pull_from_push(link: &Link) {
    let (pull, push) = link.pair(PULL, PUSH);
    pass_on(&push, &pull);
}

fn publish(publisher: &End, subscriber: &End) {
    subscriber.subscribe("topic");
    subscriber.subscribe("other");
    subscriber.unsubscribe("other");
    offer(publisher, subscriber, &["topic of the day", "hello"]);
    publisher.send(&["top", "too short"]);
    publisher.send(&["other", "not any more"]);
    publisher.send(&["topic", ""]);
    subscriber.expect(&["topic", ""]);
}

fn pub_to_sub(link: &Link) {
    let (publisher, subscriber) = link.pair(PUB, SUB);
    publish(&publisher, &subscriber);
}

fn sub_from_pub(link: &Link) {
    let (subscriber, publisher) = link.pair(SUB, PUB);
    publish(&publisher, &subscriber);
}

fn xpub_and_sub(link: &Link) {
    let (publisher, subscriber) = link.pair(XPUB, SUB);
    subscriber.subscribe("topic");
    await_event(&publisher, &subscriber, "\x01topic");
    publisher.send(&["topic", "hello"]);
    subscriber.expect(&["topic", "hello"]);
    subscriber.unsubscribe("topic");
    await_event(&publisher, &subscriber, "\0topic");
}

fn pub_and_xsub(link: &Link) {
    let (publisher, subscriber) = link.pair(PUB, XSUB);
    subscriber.send(&["\x01topic"]);
    offer(&publisher, &subscriber, &["topic", "hello"]);
    subscriber.send(&["\0topic"]);
}

/// An event comes while the subscriber, too, is given the chance to act.
#[track_caller]
fn await_event(publisher: &End, subscriber: &End, event: &str) {
    wait_until(|| {
        subscriber.is_readable_within(Duration::ZERO);
        publisher.is_readable_within(Duration::from_millis(5))
    });
    publisher.expect(&[event]);
}

fn subscribe_by_message(publisher: &End, subscriber: &End) {
    subscriber.is_readable_within(MOMENT);
    wait_until(|| subscriber.try_send(&["\x01topic"]));
    await_event(publisher, subscriber, "\x01topic");
    publisher.send(&["topic", "hello"]);
    subscriber.expect(&["topic", "hello"]);
    subscriber.send(&["user", "message"]);
    publisher.expect(&["user", "message"]);
    subscriber.send(&["\0topic"]);
    await_event(publisher, subscriber, "\0topic");
}

fn xpub_and_xsub(link: &Link) {
    let (publisher, subscriber) = link.pair(XPUB, XSUB);
    subscribe_by_message(&publisher, &subscriber);
}

fn xsub_and_xpub(link: &Link) {
    let (subscriber, publisher) = link.pair(XSUB, XPUB);
    subscribe_by_message(&publisher, &subscriber);
}

fn ask(req: &End, rep: &End) {
    for n in 0..10 {
        let n = n.to_string();
        req.send(&["what is", &n]);
        rep.expect(&["what is", &n]);
        rep.send(&["it is", &n]);
        req.expect(&["it is", &n]);
    }
}

fn req_and_rep(link: &Link) {
    let (req, rep) = link.pair(REQ, REP);
    ask(&req, &rep);
}

fn rep_and_req(link: &Link) {
    let (rep, req) = link.pair(REP, REQ);
    ask(&req, &rep);
}

fn ask_router(req: &End, router: &End) {
    for n in 0..10 {
        let n = n.to_string();
        req.send(&["what is", &n]);
        let request = router.recv();
        assert_eq!(request[1..], ["", "what is", &n]);
        let answer: [&[u8]; 4] = [request[0].as_ref(), b"", b"it is", n.as_bytes()];
        router.send(&answer);
        req.expect(&["it is", &n]);
    }
}

fn req_and_router(link: &Link) {
    let (req, router) = link.pair(REQ, ROUTER);
    ask_router(&req, &router);
}

fn router_and_req(link: &Link) {
    let (router, req) = link.pair(ROUTER, REQ);
    ask_router(&req, &router);
}

fn ask_as_dealer(dealer: &End, rep: &End) {
    for n in 0..10 {
        let n = n.to_string();
        dealer.send(&["hop", "", "what is", &n]);
        rep.expect(&["what is", &n]);
        rep.send(&["it is", &n]);
        dealer.expect(&["hop", "", "it is", &n]);
    }
}

fn dealer_and_rep(link: &Link) {
    let (dealer, rep) = link.pair(DEALER, REP);
    ask_as_dealer(&dealer, &rep);
}

fn rep_and_dealer(link: &Link) {
    let (rep, dealer) = link.pair(REP, DEALER);
    ask_as_dealer(&dealer, &rep);
}

fn deal(dealer: &End, router: &End) {
    dealer.send(&["hello", "", "router"]);
    let message = router.recv();
    assert_eq!(message[1..], ["hello", "", "router"]);
    for n in 0..10 {
        router.send(&[message[0].as_ref(), n.to_string().as_bytes()]);
    }
    for n in 0..10 {
        dealer.expect(&[n.to_string()]);
    }
}

fn dealer_and_router(link: &Link) {
    let (dealer, router) = link.pair(DEALER, ROUTER);
    deal(&dealer, &router);
}

fn router_and_dealer(link: &Link) {
    let (router, dealer) = link.pair(ROUTER, DEALER);
    deal(&dealer, &router);
}

fn dealer_and_dealer(link: &Link) {
    let (a, b) = link.pair(DEALER, DEALER);
    a.send(&["from a", ""]);
    b.send(&["", "from b"]);
    b.expect(&["from a", ""]);
    a.expect(&["", "from b"]);
}

fn router_and_router(link: &Link) {
    let bound = link.binding(ROUTER);
    bound.set_identity(b"bound");
    bound.bind(&link.address());
    let connected = link.connecting(ROUTER);
    connected.set_identity(b"connected");
    connected.set_mandatory();
    connected.connect(&bound.endpoint());
    wait_until(|| connected.try_send(&["bound", "hello"]));
    bound.expect(&["connected", "hello"]);
    bound.send(&["connected", "and to you"]);
    connected.expect(&["bound", "and to you"]);
}

/// The number that a REQ puts in front of its request comes back to it, over either library's REP.
fn correlated_requests(link: &Link) {
    let rep = link.bound(REP);
    let req = link.connecting(REQ);
    req.set_correlate();
    req.connect(&rep.endpoint());
    ask(&req, &rep);
}

/// Messages go to the workers in turn, whichever library they are of.
fn work_is_shared(link: &Link) {
    let push = link.bound(PUSH);
    let workers = [
        link.connected(PULL, &push),
        link.connected(PULL, &push),
        link.binding(PULL),
    ];
    workers[2].connect(&push.endpoint());
    for worker in &workers {
        wait_until(|| {
            push.try_send(&["hello"]);
            worker.is_readable_within(Duration::from_millis(5))
        });
    }
    for worker in &workers {
        while worker.is_readable_within(MOMENT) {
            worker.expect(&["hello"]);
        }
    }
    for n in 0..30 {
        push.send(&[n.to_string()]);
    }
    for worker in &workers {
        for _ in 0..10 {
            worker.recv();
        }
    }
}
