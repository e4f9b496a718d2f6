//! Senders in tasks: awaited on each runtime, and dropped at each point where they wait.

use std::pin::pin;

use ferrozmq::SocketType::{DEALER, PULL, PUSH, ROUTER};
use ferrozmq::{Error, Sender, Socket};
use futures_util::future::{join, join_all};

use crate::common::{Rig, Transport, recv, recv_all};
use crate::runtime::{block_on, drop_when_woken, poll_once};

crate::on_each_runtime!(
    tasks_feed_one_socket,
    an_owner_that_awaits_sends_what_tasks_send,
);

async fn tasks_feed_one_socket(rig: Rig) {
    let (mut pull, push) = rig.async_pair(PULL, PUSH);
    push.get_ref().set_sndhwm(4).unwrap();
    let sender = push.into_blocking().into_sender().unwrap();
    let feeding = join_all((0..8).map(|name| {
        let sender = sender.clone();
        async move {
            for n in 0..500 {
                let frames = [name, n].map(|n| n.to_string());
                sender.send_multipart_async(frames).await.unwrap();
            }
        }
    }));
    let draining = async {
        let mut next = [0; 8];
        for _ in 0..8 * 500 {
            let frames = pull.recv_multipart().await.unwrap();
            let number = |frame: usize| frames[frame].as_str().unwrap().parse::<usize>().unwrap();
            assert_eq!(number(1), next[number(0)]);
            next[number(0)] += 1;
        }
    };
    join(feeding, draining).await;
}

async fn an_owner_that_awaits_sends_what_tasks_send(rig: Rig) {
    let (mut router, mut dealer) = rig.async_pair(ROUTER, DEALER);
    let sender = dealer.get_ref().sender().unwrap();
    let asking = async {
        for n in 0..500 {
            sender.send_async(n.to_string()).await.unwrap();
        }
    };
    let listening = async {
        for n in 0..500 {
            assert_eq!(dealer.recv().await.unwrap(), n.to_string().as_str());
        }
    };
    let answering = async {
        for _ in 0..500 {
            let request = router.recv_multipart().await.unwrap();
            router.send_multipart(request).await.unwrap();
        }
    };
    join(join(asking, listening), answering).await;
}

/// A sender with a full queue, because the owner of its socket makes no call.
fn full(rig: &Rig) -> (Socket, Socket, Sender) {
    let (pull, push) = rig.pair(PULL, PUSH);
    push.set_sndhwm(1).unwrap();
    let sender = push.sender().unwrap();
    sender.try_send("first").unwrap();
    (pull, push, sender)
}

#[test]
fn a_send_that_waits_can_be_dropped() {
    let rig = Rig::new(Transport::Inproc);
    let (pull, push, sender) = full(&rig);
    assert!(poll_once(pin!(sender.send_multipart_async(["lost", "message"]))).is_pending());
    drop_when_woken(sender.send_multipart_async(["lost", "too"]), || {
        push.get_events().unwrap();
    });
    block_on(sender.send_async("second")).unwrap();
    push.get_events().unwrap();
    assert_eq!(recv_all(&pull), [["first"], ["second"]]);
}

#[test]
fn a_send_that_waits_gives_its_message_back() {
    let rig = Rig::new(Transport::Inproc);
    let (_pull, _push, sender) = full(&rig);
    let mut feeding = sender.send_multipart_async(["a", "b"]);
    assert!(poll_once(std::pin::Pin::new(&mut feeding)).is_pending());
    assert_eq!(feeding.into_message().unwrap()[..], ["a", "b"]);
}

#[test]
fn a_send_that_gave_way_has_its_message_still() {
    let rig = Rig::new(Transport::Inproc);
    let (pull, push) = rig.pair(PULL, PUSH);
    let sender = push.sender().unwrap();
    let mut sent = 0;
    let unsent = loop {
        let mut feeding = sender.send_async("x");
        if poll_once(pin!(&mut feeding)).is_pending() {
            break feeding.into_message();
        }
        sent += 1;
    };
    assert!(sent > 0 && unsent.unwrap() == *"x");
    push.get_events().unwrap();
    assert_eq!(recv_all(&pull).len(), sent);
}

#[test]
fn a_task_that_never_has_to_wait_lets_others_run() {
    let rig = Rig::new(Transport::Inproc);
    let push = rig.socket(PUSH);
    push.set_sndhwm(0).unwrap();
    let sender = push.into_sender().unwrap();
    let mut sending = pin!(async {
        for n in 0..1000 {
            sender.send_async(n.to_string()).await.unwrap();
        }
    });
    let mut turns = 1;
    while poll_once(sending.as_mut()).is_pending() {
        turns += 1;
    }
    assert!(turns > 1000 / 128, "{turns} turns");
}

#[test]
fn all_who_wait_at_one_sender_are_woken() {
    let rig = Rig::new(Transport::Inproc);
    let (pull, push, sender) = full(&rig);
    let sending = join_all((0..10).map(|_| sender.send_async("more")));
    let owner = async {
        for _ in 0..10 {
            push.get_events().unwrap();
            recv(&pull);
            let mut yielded = false;
            std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                let ready = std::mem::replace(&mut yielded, true);
                if ready {
                    std::task::Poll::Ready(())
                } else {
                    std::task::Poll::Pending
                }
            })
            .await;
        }
    };
    let (sent, ()) = block_on(join(sending, owner));
    assert!(sent.iter().all(Result::is_ok));
}

#[test]
fn the_end_of_the_context_wakes_who_waits() {
    let rig = Rig::new(Transport::Inproc);
    let (_pull, push, sender) = full(&rig);
    let mut feeding = sender.send_async("never");
    assert!(poll_once(std::pin::Pin::new(&mut feeding)).is_pending());
    rig.ctx.shutdown();
    assert!(push.get_events().is_err());
    let failed = block_on(feeding).unwrap_err();
    assert!(matches!(failed.error, Error::Term));
    assert_eq!(failed.message, "never");
}
