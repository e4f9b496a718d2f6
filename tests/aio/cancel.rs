//! Futures that are dropped at each point where they wait: nothing is lost, torn or doubled.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ferrozmq::SocketType::{DEALER, PULL, PUSH, REP, REQ, ROUTER};
use ferrozmq::{AsyncSocket, Error, Msg, Multipart, Socket};
use futures_util::{SinkExt, StreamExt};

use crate::common::{Rig, Transport, recv, recv_all, recv_numbers, send, send_numbers};
use crate::runtime::{block_on, drop_when_woken, poll_once};

fn rig() -> Rig {
    Rig::new(Transport::Inproc)
}

/// A PUSH that has filled up its PULL.
fn full(rig: &Rig) -> (Socket, AsyncSocket, usize) {
    let (pull, push) = (rig.bound(PULL), rig.socket(PUSH));
    pull.set_rcvhwm(2).unwrap();
    push.set_sndhwm(2).unwrap();
    push.connect(&pull.last_endpoint()).unwrap();
    pull.get_events().unwrap();
    let sent = crate::common::fill(&push);
    (pull, push.into_async(), sent)
}

/// Makes room for at least one message.
fn make_room(pull: &Socket, numbers: &mut std::ops::Range<usize>) {
    let end = numbers.end;
    recv_numbers(pull, std::mem::replace(&mut *numbers, end..end));
}

#[test]
fn a_receive_that_was_never_polled_takes_nothing() {
    let rig = rig();
    let (mut pull, push) = rig.async_pair(PULL, PUSH);
    push.get_ref().send("x", 0).unwrap();
    drop(pull.recv());
    assert_eq!(block_on(pull.recv()).unwrap(), "x");
}

#[test]
fn a_receive_that_waits_takes_nothing() {
    let rig = rig();
    let (mut pull, push) = rig.async_pair(PULL, PUSH);
    assert!(poll_once(pin!(pull.recv())).is_pending());
    assert!(poll_once(pin!(pull.recv_multipart())).is_pending());
    assert!(poll_once(pin!(pull.recv_many(&mut Vec::new(), 9))).is_pending());
    assert!(poll_once(pin!(pull.next())).is_pending());
    send(push.get_ref(), &["a", "b"]);
    assert_eq!(block_on(pull.recv_multipart()).unwrap()[..], ["a", "b"]);
}

#[test]
fn a_receive_that_was_woken_takes_nothing() {
    let rig = rig();
    let (mut pull, push) = rig.async_pair(PULL, PUSH);
    let mut taken = Vec::new();
    for n in 0..4 {
        let wake = || send(push.get_ref(), &[&n.to_string(), "more"]);
        match n {
            0 => drop_when_woken(pull.recv(), wake),
            1 => drop_when_woken(pull.recv_multipart(), wake),
            2 => drop_when_woken(pull.recv_many(&mut taken, 9), wake),
            _ => drop_when_woken(pull.next(), wake),
        }
        let frames = block_on(pull.recv_multipart()).unwrap();
        assert_eq!(frames[..], [&n.to_string(), "more"]);
    }
    assert!(taken.is_empty());
}

#[test]
fn a_receive_into_a_message_takes_nothing() {
    let rig = rig();
    let (mut pull, push) = rig.async_pair(PULL, PUSH);
    let mut msg = Msg::from("old");
    drop(pull.recv_msg(&mut msg));
    assert_eq!(msg, "old");
    assert!(poll_once(pin!(pull.recv_msg(&mut msg))).is_pending());
    drop_when_woken(pull.recv_msg(&mut msg), || send(push.get_ref(), &["a"]));
    assert!(msg.is_empty());
    block_on(pull.recv_msg(&mut msg)).unwrap();
    assert_eq!(msg, "a");
}

#[test]
fn a_send_of_a_lent_message_leaves_it_as_it_was() {
    let rig = rig();
    let (pull, mut push, sent) = full(&rig);
    let mut waiting = 0..sent;
    let mut msg = Msg::from("lent");
    drop(push.send_msg(&mut msg));
    assert!(poll_once(pin!(push.send_msg(&mut msg))).is_pending());
    drop_when_woken(push.send_msg(&mut msg), || make_room(&pull, &mut waiting));
    assert!(msg == *"lent" && push.take_unsent().is_empty());
    assert!(recv_all(&pull).is_empty());
    block_on(push.send_msg(&mut msg)).unwrap();
    assert_eq!(recv(&pull), ["lent"]);
}

#[test]
fn a_message_half_received_goes_on_after_a_dropped_receive() {
    let rig = rig();
    let (mut pull, push) = rig.async_pair(PULL, PUSH);
    send(push.get_ref(), &["a", "b", "c"]);
    assert_eq!(block_on(pull.recv()).unwrap(), "a");
    drop(pull.recv_multipart());
    assert_eq!(block_on(pull.recv_multipart()).unwrap()[..], ["b", "c"]);
}

/// Makes calls until one gives way to the runtime's other tasks although it could be done.
fn poll_until_pending<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Vec<T> {
    let mut cx = Context::from_waker(Waker::noop());
    let ready = |poll: Poll<T>| match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    };
    std::iter::from_fn(|| ready(poll(&mut cx))).collect()
}

#[test]
fn a_receive_that_gave_way_takes_nothing() {
    let rig = rig();
    let (pull, push) = rig.pair(PULL, PUSH);
    send_numbers(&push, 0..2000);
    pull.get_events().unwrap();
    let mut pull = pull.into_async();
    let (mut next, mut taken) = (0, Vec::new());
    for n in 0..5 {
        let received = poll_until_pending(|cx| match n {
            0 => pin!(pull.recv())
                .poll(cx)
                .map(|message| vec![message.unwrap()]),
            1 => pin!(pull.recv_multipart())
                .poll(cx)
                .map(|message| message.unwrap().into_vec()),
            2 => pin!(pull.next())
                .poll(cx)
                .map(|message| message.unwrap().unwrap().into_vec()),
            3 => {
                let mut msg = Msg::new();
                let polled = pin!(pull.recv_msg(&mut msg)).poll(cx);
                polled.map(|_| vec![msg])
            }
            _ => {
                let polled = pin!(pull.recv_many(&mut taken, 3)).poll(cx);
                polled.map(|_| std::mem::take(&mut taken))
            }
        });
        assert!(!received.is_empty());
        for message in received.into_iter().flatten() {
            assert_eq!(message, next.to_string().as_str());
            next += 1;
        }
    }
    recv_numbers(&pull.into_blocking(), next..2000);
}

#[test]
fn a_send_that_gave_way_gives_the_message_back() {
    let rig = rig();
    let (pull, mut push) = rig.async_pair(PULL, PUSH);
    let sent = poll_until_pending(|cx| pin!(push.send("one")).poll(cx)).len();
    assert_eq!(push.take_unsent()[..], ["one"]);
    let more = poll_until_pending(|cx| pin!(push.send_multipart(["a", "b"])).poll(cx)).len();
    assert_eq!(push.take_unsent()[..], ["a", "b"]);
    assert_eq!(recv_all(&pull.into_blocking()).len(), sent + more);
}

#[test]
fn a_batch_that_gave_way_goes_on() {
    let rig = rig();
    let (pull, push) = (rig.bound(PULL), rig.socket(PUSH));
    push.set_sndhwm(0).unwrap();
    push.connect(&pull.last_endpoint()).unwrap();
    let mut push = push.into_async();
    let mut queue: VecDeque<Msg> = (0..3000).map(|n: usize| n.to_string().into()).collect();
    assert!(poll_once(pin!(push.send_many(&mut queue))).is_pending());
    assert!((1..3000).contains(&queue.len()));
    block_on(push.send_many(&mut queue)).unwrap();
    recv_numbers(&pull, 0..3000);
}

#[test]
fn a_send_that_was_never_polled_gives_the_message_back() {
    let rig = rig();
    let (pull, mut push) = rig.async_pair(PULL, PUSH);
    drop(push.send_multipart(["a", "b"]));
    assert_eq!(push.take_unsent()[..], ["a", "b"]);
    assert!(push.take_unsent().is_empty());
    assert!(recv_all(&pull.into_blocking()).is_empty());
}

#[test]
fn a_send_that_waits_gives_the_whole_message_back() {
    let rig = rig();
    let (pull, mut push, sent) = full(&rig);
    assert!(poll_once(pin!(push.send_multipart(["a", "b", "c"]))).is_pending());
    assert_eq!(push.take_unsent()[..], ["a", "b", "c"]);
    recv_numbers(&pull, 0..sent);
    block_on(push.send("next")).unwrap();
    assert_eq!(recv(&pull), ["next"]);
}

#[test]
fn a_send_that_was_woken_gives_the_whole_message_back() {
    let rig = rig();
    let (pull, mut push, sent) = full(&rig);
    let mut waiting = 0..sent;
    let sending = push.send_multipart(["a", "b", "c"]);
    drop_when_woken(sending, || make_room(&pull, &mut waiting));
    let unsent = push.take_unsent();
    assert_eq!(unsent[..], ["a", "b", "c"]);
    assert!(recv_all(&pull).is_empty());
    block_on(push.send_multipart(unsent)).unwrap();
    assert_eq!(recv(&pull), ["a", "b", "c"]);
}

#[test]
fn what_a_dropped_send_left_is_forgotten_by_the_next() {
    let rig = rig();
    let (pull, mut push) = rig.async_pair(PULL, PUSH);
    drop(push.send("first"));
    block_on(push.send("second")).unwrap();
    assert!(push.take_unsent().is_empty());
    assert_eq!(recv_all(&pull.into_blocking()), [["second"]]);
}

#[test]
fn a_batch_goes_on_where_it_was_dropped() {
    let rig = rig();
    let (pull, mut push, sent) = full(&rig);
    let mut queue: VecDeque<Msg> = (sent..100)
        .flat_map(|n| {
            let mut head = Msg::from(n.to_string());
            head.set_more(true);
            [head, Msg::from("rest")]
        })
        .collect();
    recv_numbers(&pull, 0..sent);
    let mut next = sent;
    while next < 100 {
        assert!(poll_once(pin!(push.send_many(&mut queue))).is_pending() || queue.is_empty());
        assert!(
            queue.len().is_multiple_of(2),
            "only whole messages are sent"
        );
        for frames in recv_all(&pull) {
            assert_eq!(frames, [next.to_string(), "rest".to_owned()]);
            next += 1;
        }
    }
    assert!(queue.is_empty());
}

#[test]
fn a_request_that_was_not_sent_can_be_asked_again() {
    let rig = rig();
    let mut req = rig.socket(REQ).into_async();
    assert!(poll_once(pin!(req.send_multipart(["lost", "request"]))).is_pending());
    let rep = rig.bound(REP);
    req.connect(&rep.last_endpoint()).unwrap();
    drop(req.send("another"));
    block_on(req.send("question")).unwrap();
    assert_eq!(recv(&rep), ["question"]);
    send(&rep, &["answer"]);
    assert_eq!(block_on(req.recv()).unwrap(), "answer");
    assert!(recv_all(&rep).is_empty());
}

#[test]
fn a_reply_is_received_after_dropped_receives() {
    let rig = rig();
    let (rep, mut req) = rig.async_pair(REP, REQ);
    let rep = rep.into_blocking();
    block_on(req.send("question")).unwrap();
    assert!(poll_once(pin!(req.recv())).is_pending());
    assert!(matches!(
        block_on(req.send("too early")).unwrap_err().error,
        Error::Fsm
    ));
    assert_eq!(recv(&rep), ["question"]);
    drop_when_woken(req.recv(), || send(&rep, &["the", "answer"]));
    drop(req.recv_multipart());
    assert_eq!(
        block_on(req.recv_multipart()).unwrap()[..],
        ["the", "answer"]
    );
    block_on(req.send("next question")).unwrap();
    assert_eq!(recv(&rep), ["next question"]);
}

#[test]
fn a_reply_can_be_sent_after_a_dropped_send() {
    let rig = rig();
    let (mut rep, req) = rig.async_pair(REP, REQ);
    req.get_ref().send("question", 0).unwrap();
    assert_eq!(block_on(rep.recv()).unwrap(), "question");
    drop(rep.send("dropped"));
    block_on(rep.send("answer")).unwrap();
    assert_eq!(recv(&req.into_blocking()), ["answer"]);
}

#[test]
fn a_router_that_waits_for_one_peer_gives_the_message_back() {
    let rig = rig();
    let router = rig.socket(ROUTER);
    router.set_router_mandatory(true).unwrap();
    router.set_sndhwm(1).unwrap();
    router.bind(&rig.fresh_endpoint()).unwrap();
    let dealer = rig.socket(DEALER);
    dealer.set_rcvhwm(1).unwrap();
    dealer.set_identity(b"slow").unwrap();
    crate::common::link(&router, &dealer);
    let mut router = router.into_async();
    let message = || ["slow", "body"];
    let mut sent = 0;
    while poll_once(pin!(router.send_multipart(message()))).is_ready() {
        sent += 1;
    }
    assert_eq!(router.take_unsent()[..], message());
    assert_eq!(recv_all(&dealer).len(), sent);
}

#[test]
fn what_the_sink_took_goes_out_before_anything_else() {
    let rig = rig();
    let (pull, mut push, sent) = full(&rig);
    let message = |text: &str| Multipart::from_iter([Msg::from(text)]);
    block_on(push.feed(message("fed"))).unwrap();
    assert!(poll_once(pin!(SinkExt::flush(&mut push))).is_pending());
    assert!(poll_once(pin!(push.feed(message("refused")))).is_pending());
    recv_numbers(&pull, 0..sent);
    block_on(push.send("sent")).unwrap();
    assert_eq!(recv_all(&pull), [["fed"], ["sent"]]);
}

#[test]
fn what_the_sink_took_can_be_had_back() {
    let rig = rig();
    let (pull, mut push, sent) = full(&rig);
    block_on(push.feed(Multipart::from_iter([Msg::from("fed")]))).unwrap();
    assert_eq!(push.take_unsent()[..], ["fed"]);
    recv_numbers(&pull, 0..sent);
    block_on(push.flush()).unwrap();
    assert!(recv_all(&pull).is_empty());
}
