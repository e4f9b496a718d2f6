//! What blocking sockets do, awaited, on each runtime.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ferrozmq::SocketType::{DEALER, PAIR, PULL, PUSH, REP, REQ, ROUTER};
use ferrozmq::{AsyncSocket, Error, Msg, POLLIN};
use futures_util::future::{join, join_all};

use crate::common::{LIMIT, Rig, Transport, link, wait_until};
use crate::runtime::{Count, block_on, poll_once};

crate::on_each_runtime!(
    questions_are_answered,
    a_stream_of_messages_is_complete_and_in_order,
    messages_are_used_again,
    senders_wait_for_room,
    batches_arrive,
    many_sockets_are_served_at_once,
    the_end_of_the_context_ends_waiting_calls,
    other_tasks_get_their_turn,
    a_refused_send_holds_nothing_back,
);

async fn questions_are_answered(rig: Rig) {
    let (mut rep, mut req) = rig.async_pair(REP, REQ);
    let server = async {
        for n in 0..100 {
            assert_eq!(rep.recv().await.unwrap(), n.to_string().as_str());
            rep.send_multipart(["answer", &n.to_string()])
                .await
                .unwrap();
        }
    };
    let client = async {
        for n in 0..100 {
            req.send(n.to_string()).await.unwrap();
            let answer = req.recv_multipart().await.unwrap();
            assert_eq!(answer[..], ["answer", &n.to_string()]);
        }
    };
    join(server, client).await;
}

async fn send_numbers(socket: &mut AsyncSocket, numbers: std::ops::Range<usize>) {
    for n in numbers {
        socket.send(n.to_string()).await.unwrap();
    }
}

async fn recv_numbers(socket: &mut AsyncSocket, numbers: std::ops::Range<usize>) {
    for n in numbers {
        assert_eq!(socket.recv().await.unwrap(), n.to_string().as_str());
    }
}

async fn a_stream_of_messages_is_complete_and_in_order(rig: Rig) {
    let (mut pull, mut push) = rig.async_pair(PULL, PUSH);
    join(
        send_numbers(&mut push, 0..20_000),
        recv_numbers(&mut pull, 0..20_000),
    )
    .await;
}

async fn messages_are_used_again(rig: Rig) {
    let (mut rep, mut req) = rig.async_pair(REP, REQ);
    let server = async {
        let mut msg = Msg::new();
        for _ in 0..100 {
            rep.recv_msg(&mut msg).await.unwrap();
            rep.send_msg(&mut msg).await.unwrap();
        }
    };
    let client = async {
        let mut msg = Msg::new();
        for n in 0..100 {
            let body = "x".repeat(n);
            msg.copy_from(body.as_bytes());
            req.send_msg(&mut msg).await.unwrap();
            req.recv_msg(&mut msg).await.unwrap();
            assert_eq!(msg, body.as_str());
        }
    };
    join(server, client).await;
}

async fn senders_wait_for_room(rig: Rig) {
    let (pull, push) = (rig.socket(PULL), rig.socket(PUSH));
    pull.bind("inproc://room").unwrap();
    pull.set_rcvhwm(1).unwrap();
    push.set_sndhwm(1).unwrap();
    push.connect("inproc://room").unwrap();
    let (mut pull, mut push) = (pull.into_async(), push.into_async());
    join(
        send_numbers(&mut push, 0..1000),
        recv_numbers(&mut pull, 0..1000),
    )
    .await;
}

async fn batches_arrive(rig: Rig) {
    let (mut pull, mut push) = rig.async_pair(PULL, PUSH);
    let body = |n: usize| {
        let mut head = Msg::from(n.to_string());
        head.set_more(true);
        [head, Msg::from("rest")]
    };
    let mut queue: VecDeque<Msg> = (0..5000).flat_map(body).collect();
    let sender = async {
        push.send_many(&mut queue).await.unwrap();
        assert!(queue.is_empty());
    };
    let receiver = async {
        let (mut received, mut messages) = (Vec::new(), 0);
        while messages < 5000 {
            let more = pull.recv_many(&mut received, 700).await.unwrap();
            assert!((1..=700).contains(&more));
            messages += more;
        }
        assert!(
            received
                .iter()
                .eq((0..5000).flat_map(body).collect::<Vec<_>>().iter())
        );
    };
    join(sender, receiver).await;
}

async fn many_sockets_are_served_at_once(rig: Rig) {
    let mut router = rig.async_bound(ROUTER);
    let dealers: Vec<_> = (0..20)
        .map(|_| rig.connected(DEALER, router.get_ref()))
        .collect();
    let clients = join_all(dealers.into_iter().map(|dealer| async {
        let mut dealer = dealer.into_async();
        for n in 0..50 {
            dealer.send(n.to_string()).await.unwrap();
            assert_eq!(dealer.recv().await.unwrap(), n.to_string().as_str());
        }
    }));
    let server = async {
        for _ in 0..20 * 50 {
            let frames = router.recv_multipart().await.unwrap();
            router.send_multipart(frames).await.unwrap();
        }
    };
    join(clients, server).await;
}

async fn the_end_of_the_context_ends_waiting_calls(rig: Rig) {
    let mut pair = rig.async_bound(PAIR);
    let ctx = rig.ctx.clone();
    let waiting = async { assert!(matches!(pair.recv().await, Err(Error::Term))) };
    join(waiting, async { ctx.shutdown() }).await;
    assert!(matches!(
        pair.send("late").await.unwrap_err().error,
        Error::Term
    ));
}

async fn other_tasks_get_their_turn(rig: Rig) {
    let (pull, push) = (rig.socket(PULL), rig.socket(PUSH));
    pull.bind("inproc://turns").unwrap();
    push.connect("inproc://turns").unwrap();
    push.send_many((0..1000).map(|n: usize| n.to_string()))
        .unwrap();
    let mut pull = pull.into_async();
    let (mut left, mut turns) = (1000, 0);
    std::future::poll_fn(|cx| {
        turns += 1;
        while left > 0 {
            match pull.poll_recv(cx) {
                Poll::Ready(message) => drop(message.unwrap()),
                Poll::Pending => return Poll::Pending,
            }
            left -= 1;
        }
        Poll::Ready(())
    })
    .await;
    assert!(turns >= 1000 / 128, "{turns} turns");
}

#[test]
fn a_socket_goes_from_blocking_to_async_and_back() {
    let rig = Rig::new(Transport::Tcp);
    let (pull, push) = rig.pair(PULL, PUSH);
    push.send("before", 0).unwrap();
    let mut pull = pull.into_async();
    assert_eq!(block_on(pull.recv()).unwrap(), "before");
    assert!(poll_once(std::pin::pin!(pull.recv())).is_pending());
    push.send("after", 0).unwrap();
    assert_eq!(pull.into_blocking().recv_string(0).unwrap(), "after");
}

#[test]
fn only_a_call_that_waits_keeps_its_waker() {
    let rig = Rig::new(Transport::Inproc);
    let (mut pull, mut push) = rig.async_pair(PULL, PUSH);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let kept = || Arc::strong_count(&count) > 2;
    assert!(pin!(push.send("x")).poll(&mut cx).is_ready());
    assert!(push.poll_send_ready(&mut cx).is_ready());
    wait_until(|| pull.get_ref().get_events().unwrap() & POLLIN != 0);
    assert!(pull.poll_recv(&mut cx).is_ready());
    assert!(!kept());
    assert!(pull.poll_recv(&mut cx).is_pending());
    assert!(kept());
    block_on(push.send("y")).unwrap();
    assert!(count.get() > 0 && !kept());
}

#[test]
fn a_time_limit_of_zero_does_not_wait() {
    let rig = Rig::new(Transport::Tcp);
    let mut pair = rig.async_bound(PAIR);
    pair.get_ref().set_rcvtimeo(Some(Duration::ZERO)).unwrap();
    pair.get_ref().set_sndtimeo(Some(Duration::ZERO)).unwrap();
    assert!(matches!(block_on(pair.recv()), Err(Error::Again)));
    let failed = block_on(pair.send_multipart(["a", "b"])).unwrap_err();
    assert!(matches!(failed.error, Error::Again));
    assert_eq!(failed.message[..], ["a", "b"]);
    assert!(pair.take_unsent().is_empty(), "the error gave it back");
}

#[test]
fn what_a_socket_cannot_do_is_an_error() {
    let rig = Rig::new(Transport::Tcp);
    let (mut pull, mut push) = rig.async_pair(PULL, PUSH);
    assert!(matches!(block_on(push.recv()), Err(Error::NotSupported)));
    let mut msg = Msg::from("lent");
    assert!(matches!(
        block_on(pull.send_msg(&mut msg)),
        Err(Error::NotSupported)
    ));
    assert_eq!(msg, "lent");
    assert!(matches!(
        block_on(push.recv_msg(&mut msg)),
        Err(Error::NotSupported)
    ));
    let failed = block_on(pull.send("x")).unwrap_err();
    assert!(matches!(failed.error, Error::NotSupported));
    assert_eq!(failed.message, "x");
    let failed = block_on(push.send_multipart([""; 0])).unwrap_err();
    assert!(matches!(failed.error, Error::InvalidArgument(_)));
    let mut half = Msg::from("half");
    half.set_more(true);
    let mut queue = VecDeque::from([half]);
    let failed = block_on(push.send_many(&mut queue));
    assert!(matches!(failed, Err(Error::InvalidArgument(_))));
    assert_eq!(queue.len(), 1);
}

#[test]
fn sockets_and_their_calls_can_cross_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let rig = Rig::new(Transport::Tcp);
    let mut socket = is_send(rig.async_bound(PAIR));
    drop(is_send(socket.recv()));
    drop(is_send(socket.send("x")));
    drop(is_send(socket.send_many(&mut VecDeque::new())));
}

#[test]
fn news_wake_all_tasks_that_wait_for_a_socket() {
    let rig = Rig::new(Transport::Tcp);
    let (bound, mut pair) = (rig.bound(PAIR), rig.socket(PAIR).into_async());
    let (receiver, receivers_waker) = Count::new();
    let (sender, senders_waker) = Count::new();
    assert!(
        pair.poll_recv(&mut Context::from_waker(&receivers_waker))
            .is_pending()
    );
    assert!(
        pair.poll_send_ready(&mut Context::from_waker(&senders_waker))
            .is_pending()
    );
    link(&bound, pair.get_ref());
    wait_until(|| sender.get() > 0 && receiver.get() > 0);
}

#[test]
fn a_task_that_changes_what_can_be_done_wakes_the_other() {
    let rig = Rig::new(Transport::Tcp);
    let (rep, mut req) = rig.async_pair(REP, REQ);
    let rep = rep.into_blocking();
    block_on(req.send("question")).unwrap();
    rep.send(rep.recv_msg(0).unwrap(), 0).unwrap();
    assert_eq!(req.get_ref().poll(POLLIN, Some(LIMIT)).unwrap(), POLLIN);
    let (sender, waker) = Count::new();
    assert!(
        req.poll_send_ready(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let before = sender.get();
    assert_eq!(block_on(req.recv()).unwrap(), "question");
    assert!(sender.get() > before);
    assert!(
        req.poll_send_ready(&mut Context::from_waker(&waker))
            .is_ready()
    );
}

async fn a_refused_send_holds_nothing_back(rig: Rig) {
    let (mut rep, mut req) = rig.async_pair(REP, REQ);
    req.send("first").await.unwrap();
    let refused = req.send("out of turn").await.unwrap_err();
    assert_eq!(refused.error.errno(), Error::Fsm.errno());
    assert_eq!(rep.recv().await.unwrap(), "first");
    rep.send("answer").await.unwrap();
    assert_eq!(req.recv().await.unwrap(), "answer");
    req.get_ref().send("second", 0).unwrap();
    assert_eq!(rep.recv().await.unwrap(), "second");
}
