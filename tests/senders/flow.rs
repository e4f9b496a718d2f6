//! What senders send: complete, in order, whole, and held back while there is no room.

use std::collections::HashMap;

use ferrozmq::SocketType::{self, DEALER, PAIR, PUB, PULL, PUSH, REP, REQ, ROUTER, SUB, XPUB};
use ferrozmq::{Ctx, DONTWAIT, Error, SNDMORE, Sender, Socket};

use crate::common::{LIMIT, Rig, SHORT, Transport, in_time, recv, recv_all, recv_numbers};
use crate::on_each_transport;

on_each_transport!(
    each_type_sends_what_its_senders_send,
    an_owner_that_waits_sends_what_senders_send,
    an_owner_that_makes_no_call_holds_senders_back_and_loses_nothing,
    the_owners_messages_are_not_torn_by_those_of_senders,
    a_full_sender_waits_for_room,
    a_sender_can_be_shared,
    a_subscriber_gets_what_senders_publish,
);

const SENDERS: usize = 4;
const EACH: usize = 2000;

/// Sends numbered messages of three frames under a name.
fn send_named(sender: &Sender, name: usize) {
    for n in 0..EACH {
        let frames = [name.to_string(), n.to_string(), "end".to_owned()];
        sender.send_multipart(frames, 0).unwrap();
    }
}

/// Receives all messages of [`SENDERS`] senders; those of each in order.
#[track_caller]
fn recv_named(receiver: &Socket) {
    let mut next = HashMap::<String, usize>::new();
    for _ in 0..SENDERS * EACH {
        let frames = recv(receiver);
        let [name, number, end] = &frames[..] else {
            panic!("{frames:?}");
        };
        let next = next.entry(name.clone()).or_default();
        assert_eq!((&*next.to_string(), "end"), (&**number, &**end));
        *next += 1;
    }
    assert_eq!(next.len(), SENDERS);
    assert!(recv_all(receiver).is_empty());
}

#[track_caller]
fn feed(sender: &Sender) -> Vec<std::thread::JoinHandle<()>> {
    let feed = |name| {
        let sender = sender.clone();
        std::thread::spawn(move || send_named(&sender, name))
    };
    (0..SENDERS).map(feed).collect()
}

fn each_type_sends_what_its_senders_send(rig: &Rig) {
    for (ours, theirs) in [(PUSH, PULL), (DEALER, DEALER), (PAIR, PAIR)] {
        let (receiver, socket) = rig.pair(theirs, ours);
        let sender = socket.into_sender().unwrap();
        feed(&sender);
        recv_named(&receiver);
    }
}

fn a_subscriber_gets_what_senders_publish(rig: &Rig) {
    let (publisher, subscriber) = (rig.bound(PUB), rig.socket(SUB));
    publisher.set_sndhwm(0).unwrap();
    subscriber.set_rcvhwm(0).unwrap();
    subscriber.set_subscribe(b"").unwrap();
    subscriber.connect(&publisher.last_endpoint()).unwrap();
    publisher.wait_subscribers(1, Some(LIMIT)).unwrap();
    let sender = publisher.into_sender().unwrap();
    feed(&sender);
    recv_named(&subscriber);
}

/// A DEALER's owner receives answers, while others send questions.
fn an_owner_that_waits_sends_what_senders_send(rig: &Rig) {
    let (router, dealer) = rig.pair(ROUTER, DEALER);
    // Otherwise it drops what the DEALER has no room for.
    router.set_router_mandatory(true).unwrap();
    std::thread::spawn(move || {
        while let Ok(frames) = router.recv_multipart(0) {
            router.send_multipart(frames, 0).unwrap();
        }
    });
    let senders = feed(&dealer.sender().unwrap());
    recv_named(&dealer);
    senders
        .into_iter()
        .for_each(|sender| sender.join().unwrap());
}

/// Sends numbers until no more is accepted, and returns how many were.
fn fill_sender(sender: &Sender) -> usize {
    let refused = |n: &usize| sender.try_send(n.to_string()).is_ok();
    (0..).take_while(refused).count()
}

fn an_owner_that_makes_no_call_holds_senders_back_and_loses_nothing(rig: &Rig) {
    let (pull, push) = rig.pair(PULL, PUSH);
    push.set_sndhwm(10).unwrap();
    let sender = push.sender().unwrap();
    assert_eq!(fill_sender(&sender), 10);
    assert!(recv_all(&pull).is_empty());
    push.get_events().unwrap();
    recv_numbers(&pull, 0..10);
}

fn the_owners_messages_are_not_torn_by_those_of_senders(rig: &Rig) {
    let (pull, push) = rig.pair(PULL, PUSH);
    let sender = push.sender().unwrap();
    push.send("a", SNDMORE).unwrap();
    sender.send_multipart(["x", "y"], 0).unwrap();
    push.get_events().unwrap();
    push.send("b", SNDMORE).unwrap();
    push.send("c", 0).unwrap();
    push.get_events().unwrap();
    assert_eq!(recv(&pull), ["a", "b", "c"]);
    assert_eq!(recv(&pull), ["x", "y"]);
}

fn a_full_sender_waits_for_room(rig: &Rig) {
    let pull = rig.socket(PULL);
    pull.set_rcvhwm(5).unwrap();
    pull.set_rcvbuf(Some(4096)).unwrap();
    pull.bind(&rig.fresh_endpoint()).unwrap();
    let push = rig.socket(PUSH);
    push.set_sndhwm(5).unwrap();
    push.set_sndbuf(Some(4096)).unwrap();
    push.set_sndtimeo(Some(SHORT)).unwrap();
    let brief = push.sender().unwrap();
    push.set_sndtimeo(None).unwrap();
    push.connect(&pull.last_endpoint()).unwrap();
    let patient = push.into_sender().unwrap();
    let mut sent = 0;
    let frames = |n: usize| [n.to_string(), "rest".to_owned()];
    let failed = loop {
        match brief.send_multipart(frames(sent), 0) {
            Ok(()) => sent += 1,
            Err(failed) => break failed,
        }
    };
    assert!(matches!(failed.error, Error::Again));
    assert_eq!(failed.message[..], [&sent.to_string(), "rest"]);
    let waiting = std::thread::spawn(move || {
        for n in 0..1000 {
            patient.send(format!("{n} of the patient"), 0).unwrap();
        }
    });
    let (mut brief_next, mut patient_next) = (0, 0);
    while brief_next < sent || patient_next < 1000 {
        let message = recv(&pull).remove(0);
        if message == brief_next.to_string() {
            brief_next += 1;
        } else {
            assert_eq!(message, format!("{patient_next} of the patient"));
            patient_next += 1;
        }
    }
    waiting.join().unwrap();
}

fn a_sender_can_be_shared(rig: &Rig) {
    let (pull, push) = rig.pair(PULL, PUSH);
    push.set_sndhwm(3).unwrap();
    let sender = push.into_sender().unwrap();
    std::thread::scope(|scope| {
        for name in 0..SENDERS {
            let sender = &sender;
            scope.spawn(move || send_named(sender, name));
        }
        recv_named(&pull);
    });
}

#[test]
fn a_sender_serves_threads() {
    fn is_shareable<T: Clone + Send + Sync + 'static>() {}
    is_shareable::<Sender>();
}

#[test]
fn only_types_that_send_to_whoever_it_may_be_have_senders() {
    let ctx = Ctx::new();
    for socket_type in [REQ, REP, ROUTER, PULL, SUB, XPUB, SocketType::STREAM] {
        let refused = ctx.socket(socket_type).unwrap().sender();
        assert!(matches!(refused, Err(Error::NotSupported)));
    }
    let ctx = Ctx::new();
    ctx.set_io_threads(0).unwrap();
    let refused = ctx.socket(PUSH).unwrap().into_sender();
    assert!(matches!(refused, Err(Error::NoIoThread)));
}

#[test]
fn bad_arguments_are_refused_and_give_the_message_back() {
    let ctx = Ctx::new();
    let sender = ctx.socket(PUSH).unwrap().into_sender().unwrap();
    let failed = sender.send("x", SNDMORE).unwrap_err();
    assert!(matches!(failed.error, Error::InvalidArgument(_)));
    assert_eq!(failed.message, "x");
    let failed = sender.send_multipart([""; 0], DONTWAIT).unwrap_err();
    assert!(matches!(failed.error, Error::InvalidArgument(_)));
}

#[test]
fn without_a_limit_senders_never_wait() {
    let rig = Rig::new(Transport::Inproc);
    let push = rig.socket(PUSH);
    push.set_sndhwm(0).unwrap();
    let sender = push.into_sender().unwrap();
    for n in 0..5000 {
        sender.try_send(n.to_string()).unwrap();
    }
}

#[test]
fn a_publisher_that_drops_for_nobody_lets_senders_wait() {
    let rig = Rig::new(Transport::Inproc);
    let (publisher, subscriber) = (rig.bound(PUB), rig.socket(SUB));
    publisher.set_xpub_nodrop(true).unwrap();
    publisher.set_linger(Some(LIMIT)).unwrap();
    publisher.set_sndhwm(2).unwrap();
    subscriber.set_rcvhwm(2).unwrap();
    subscriber.set_subscribe(b"").unwrap();
    subscriber.connect(&publisher.last_endpoint()).unwrap();
    publisher.wait_subscribers(1, Some(LIMIT)).unwrap();
    let sender = publisher.into_sender().unwrap();
    let sending = std::thread::spawn(move || {
        for n in 0..1000 {
            sender
                .send_multipart([n.to_string(), "rest".to_owned()], 0)
                .unwrap();
        }
    });
    in_time(move || {
        for n in 0..1000 {
            assert_eq!(recv(&subscriber), [n.to_string(), "rest".to_owned()]);
        }
    });
    sending.join().unwrap();
}

#[test]
fn the_turns_of_senders_are_fair() {
    let rig = Rig::new(Transport::Inproc);
    let (pull, push) = (rig.bound(PULL), rig.socket(PUSH));
    push.set_sndhwm(1000).unwrap();
    let (loud, quiet) = (push.sender().unwrap(), push.sender().unwrap());
    assert_eq!(fill_sender(&loud), 1000);
    quiet.try_send("quiet").unwrap();
    push.connect(&pull.last_endpoint()).unwrap();
    push.get_events().unwrap();
    let first: Vec<_> = (0..3).map(|_| recv(&pull).remove(0)).collect();
    assert!(first.contains(&"quiet".to_owned()), "{first:?}");
}

#[test]
fn a_peer_that_comes_late_gets_everything() {
    let rig = Rig::new(Transport::Tcp);
    let push = rig.socket(PUSH);
    push.bind(&rig.fresh_endpoint()).unwrap();
    let endpoint = push.last_endpoint();
    let sender = push.into_sender().unwrap();
    for n in 0..100 {
        sender.send(n.to_string(), 0).unwrap();
    }
    let pull = rig.socket(PULL);
    pull.connect(&endpoint).unwrap();
    recv_numbers(&pull, 0..100);
}
