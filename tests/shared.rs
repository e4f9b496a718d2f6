//! A socket that several threads use at once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use ferrozmq::SocketType::{CLIENT, DEALER, GATHER, PAIR, PULL, PUSH, SCATTER, SERVER, SUB};
use ferrozmq::{DONTWAIT, Error, Msg, POLLIN, POLLOUT, SNDMORE, SharedSocket};

use common::{LIMIT, Rig, SHORT, recv, send, wait_until};

on_each_transport!(
    a_thread_sends_while_another_waits_to_receive,
    many_send_and_many_receive,
    who_waits_for_room_is_woken,
    frames_of_a_message_stay_together,
);

fn a_thread_sends_while_another_waits_to_receive(rig: &Rig) {
    let (server, client) = rig.pair(SERVER, CLIENT);
    let client = SharedSocket::new(client);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| client.recv_msg(0).unwrap());
        for body in ["1", "2", "3"] {
            client.send(body, 0).unwrap();
        }
        let id = [1, 2, 3].map(|_| server.recv_msg(0).unwrap().routing_id())[0];
        let mut answer = Msg::from("answer");
        answer.set_routing_id(id).unwrap();
        server.send(answer, 0).unwrap();
        assert_eq!(waiting.join().unwrap(), "answer");
    });
}

/// Each receiver ends with an empty message, which comes after all others.
fn many_send_and_many_receive(rig: &Rig) {
    const EACH: usize = 500;
    let (gather, scatter) = rig.pair(GATHER, SCATTER);
    gather.set_rcvhwm(3).unwrap();
    scatter.set_sndhwm(3).unwrap();
    let (gather, scatter) = (SharedSocket::new(gather), SharedSocket::new(scatter));
    let text = |thread: usize, n: usize| format!("{thread} {n}");
    let receive = || {
        let messages = std::iter::repeat_with(|| gather.recv_msg(0).unwrap());
        let messages = messages.take_while(|msg| !msg.is_empty());
        messages
            .map(|msg| msg.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let mut received = std::thread::scope(|scope| {
        let receivers = [(); 3].map(|()| scope.spawn(receive));
        let senders = [0, 1, 2, 3].map(|thread| {
            let scatter = &scatter;
            scope.spawn(move || {
                for n in 0..EACH {
                    scatter.send(text(thread, n), 0).unwrap();
                }
            })
        });
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
        (0..3).for_each(|_| scatter.send("", 0).unwrap());
        receivers.map(|receiver| receiver.join().unwrap()).concat()
    });
    let all = (0..4).flat_map(|thread| (0..EACH).map(move |n| text(thread, n)));
    let mut all: Vec<_> = all.collect();
    received.sort();
    all.sort();
    assert_eq!(received, all);
}

fn who_waits_for_room_is_woken(rig: &Rig) {
    let pull = rig.bound(PULL);
    pull.set_rcvhwm(1).unwrap();
    let push = rig.connected(PUSH, &pull);
    push.set_sndhwm(1).unwrap();
    let body = "x".repeat(100_000);
    let count = 50;
    let push = SharedSocket::new(push);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..count).for_each(|_| push.send(&*body, 0).unwrap()));
        }
        let pull = &pull;
        (0..2 * count).for_each(|_| assert_eq!(pull.recv_msg(0).unwrap().len(), body.len()));
    });
}

fn frames_of_a_message_stay_together(rig: &Rig) {
    let (dealer, peer) = rig.pair(DEALER, DEALER);
    let dealer = SharedSocket::new(dealer);
    let refused = dealer.send("first", SNDMORE).unwrap_err();
    assert!(matches!(refused.error, Error::InvalidArgument(_)));
    assert!(dealer.send_multipart(["a", "b"], SNDMORE).is_err());
    std::thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let dealer = &dealer;
            scope
                .spawn(move || (0..100).for_each(|_| dealer.send_multipart([name; 3], 0).unwrap()));
        }
        let peer = &peer;
        for _ in 0..300 {
            let frames = recv(peer);
            assert!(frames.len() == 3 && frames.iter().all(|frame| *frame == frames[0]));
        }
    });
    send(&peer, &["1", "2"]);
    assert_eq!(dealer.recv_multipart(0).unwrap().len(), 2);
}

#[test]
fn calls_give_up_in_time_and_give_the_message_back() {
    let rig = Rig::new(common::Transport::Inproc);
    let pair = SharedSocket::new(rig.bound(PAIR));
    assert!(matches!(pair.try_recv(), Err(Error::Again)));
    let refused = pair.try_send("given back").unwrap_err();
    assert_eq!(refused.message, "given back");
    pair.with(|pair| {
        pair.set_rcvtimeo(Some(SHORT)).unwrap();
        pair.set_sndtimeo(Some(SHORT)).unwrap();
    });
    assert!(matches!(pair.recv_msg(0), Err(Error::Again)));
    let refused = pair.send_multipart(["given", "back"], 0).unwrap_err();
    assert!(matches!(refused.error, Error::Again));
    assert_eq!(refused.message.len(), 2);
    assert_eq!(pair.poll(POLLIN | POLLOUT, Some(SHORT)).unwrap(), 0);
    assert!(pair.into_inner().recv_msg(DONTWAIT).is_err());
}

#[test]
fn the_end_of_the_context_wakes_all_who_wait() {
    let rig = Rig::new(common::Transport::Inproc);
    let pair = SharedSocket::new(rig.bound(PAIR));
    pair.with(|pair| pair.set_rcvtimeo(None).unwrap());
    pair.with(|pair| pair.set_sndtimeo(None).unwrap());
    std::thread::scope(|scope| {
        let calls = [
            scope.spawn(|| pair.recv_msg(0).map(drop)),
            scope.spawn(|| pair.recv_multipart(0).map(drop)),
            scope.spawn(|| pair.send("x", 0).map_err(Error::from)),
            scope.spawn(|| pair.poll(POLLIN, None).map(drop)),
        ];
        rig.ctx.shutdown();
        for call in calls {
            assert!(matches!(call.join().unwrap(), Err(Error::Term)));
        }
    });
}

#[test]
fn who_waits_goes_on_after_another_had_the_socket_for_itself() {
    let rig = Rig::new(common::Transport::Tcp);
    let pull = rig.bound(PULL);
    let endpoint = pull.last_endpoint();
    let pull = SharedSocket::new(pull);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| pull.recv_msg(0).unwrap());
        // A call that waits for news of the socket itself, and takes in what there is.
        pull.with(|pull| pull.unbind(&endpoint).unwrap());
        pull.with(|pull| pull.bind("tcp://127.0.0.1:*").unwrap());
        let push = rig.socket(PUSH);
        push.connect(&pull.with(|pull| pull.last_endpoint()))
            .unwrap();
        push.send("arrives", 0).unwrap();
        assert_eq!(waiting.join().unwrap(), "arrives");
    });
}

/// What nobody subscribed to gives no news when it is dropped, however much it is.
#[test]
fn a_flood_of_what_nobody_wants_does_not_stop_who_waits() {
    let rig = Rig::new(common::Transport::Inproc);
    let publisher = rig.bound(PAIR);
    let sub = rig.socket(SUB);
    sub.set_rcvhwm(0).unwrap();
    sub.subscribe("wanted").unwrap();
    common::link(&publisher, &sub);
    publisher.set_sndhwm(0).unwrap();
    (0..5000).for_each(|_| publisher.send("unwanted", 0).unwrap());
    publisher.send("wanted", 0).unwrap();
    assert_eq!(SharedSocket::new(sub).recv_msg(0).unwrap(), "wanted");
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn who_listens_is_woken_after_each_look() {
    let rig = Rig::new(common::Transport::Inproc);
    let (pull, push) = rig.pair(PULL, PUSH);
    let pull = SharedSocket::new(pull);
    let count = Arc::<Count>::default();
    let listening = pull.listen(Waker::from(count.clone()));
    for round in 1..4 {
        let before = count.0.load(Ordering::SeqCst);
        assert_eq!(pull.get_events().unwrap(), 0, "{round}");
        push.send("x", 0).unwrap();
        wait_until(|| count.0.load(Ordering::SeqCst) > before);
        assert_eq!(pull.get_events().unwrap(), POLLIN);
        assert_eq!(pull.try_recv().unwrap(), "x");
    }
    drop(listening);
    assert_eq!(Arc::strong_count(&count), 1);
    assert_eq!(pull.poll(POLLIN, Some(Duration::ZERO)).unwrap(), 0);
    push.send("x", 0).unwrap();
    assert_eq!(pull.poll(POLLIN, Some(LIMIT)).unwrap(), POLLIN);
}
