//! Peers, subscribers, a free address and the end of a socket, awaited.

use std::pin::pin;

use ferrozmq::Error;
use ferrozmq::SocketType::{PUB, PULL, PUSH, SUB};
use futures_util::future::join;

use crate::common::{LIMIT, Rig, Transport, link, recv_all, recv_numbers, send_numbers};
use crate::runtime::{block_on, drop_when_woken, poll_once};

crate::on_each_runtime!(
    both_sides_hear_when_they_are_connected,
    the_first_message_reaches_subscribers,
    an_address_can_be_bound_again,
    a_socket_is_gone_when_all_is_delivered,
);

async fn both_sides_hear_when_they_are_connected(rig: Rig) {
    let (mut pull, mut push) = (rig.async_bound(PULL), rig.socket(PUSH).into_async());
    let endpoint = pull.last_endpoint();
    let connecting = async {
        push.connect(&endpoint).unwrap();
        push.connected().await
    };
    let (bound, connected) = join(pull.connected(), connecting).await;
    bound.and(connected).unwrap();
}

async fn the_first_message_reaches_subscribers(rig: Rig) {
    let mut publisher = rig.async_bound(PUB);
    let mut subscribers = Vec::new();
    for _ in 0..20 {
        let subscriber = rig.socket(SUB);
        subscriber.set_subscribe(b"").unwrap();
        subscriber.connect(&publisher.last_endpoint()).unwrap();
        subscribers.push(subscriber.into_async());
    }
    publisher.subscribers(20).await.unwrap();
    publisher.send("first").await.unwrap();
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.recv().await.unwrap(), "first");
    }
    let failed = subscribers[0].subscribers(1).await;
    assert!(matches!(failed, Err(Error::NotSupported)));
}

async fn an_address_can_be_bound_again(rig: Rig) {
    let mut pull = rig.async_bound(PULL);
    let endpoint = pull.last_endpoint();
    for _ in 0..20 {
        pull.unbound(&endpoint).await.unwrap();
        pull.bind(&endpoint).unwrap();
    }
    pull.closed().await;
    rig.socket(PULL).bind(&endpoint).unwrap();
}

async fn a_socket_is_gone_when_all_is_delivered(rig: Rig) {
    let (pull, mut push) = rig.async_pair(PULL, PUSH);
    push.get_ref().set_linger(None).unwrap();
    for n in 0..500 {
        push.send(n.to_string()).await.unwrap();
    }
    push.closed().await;
    recv_numbers(&pull.into_blocking(), 0..500);
}

#[test]
fn who_waits_for_a_peer_is_woken_by_it_and_may_be_dropped() {
    let rig = Rig::new(Transport::Tcp);
    let (mut pull, push) = (rig.async_bound(PULL), rig.socket(PUSH));
    let endpoint = pull.last_endpoint();
    drop_when_woken(pull.connected(), || push.connect(&endpoint).unwrap());
    block_on(pull.connected()).unwrap();
}

#[test]
fn who_waits_for_a_subscriber_is_woken_by_it_and_may_be_dropped() {
    let rig = Rig::new(Transport::Tcp);
    let (mut publisher, subscriber) = (rig.async_bound(PUB), rig.socket(SUB));
    subscriber.set_subscribe(b"").unwrap();
    let endpoint = publisher.last_endpoint();
    drop_when_woken(publisher.subscribers(1), || {
        subscriber.connect(&endpoint).unwrap();
    });
    block_on(publisher.subscribers(1)).unwrap();
}

#[test]
fn an_unbind_that_was_dropped_goes_on() {
    let rig = Rig::new(Transport::Tcp);
    let mut pull = rig.async_bound(PULL);
    let endpoint = pull.last_endpoint();
    drop(pull.unbound(&endpoint));
    let _ = poll_once(pin!(pull.unbound(&endpoint)));
    match block_on(pull.unbound(&endpoint)) {
        // It was over already.
        Ok(()) | Err(Error::NoSuchEndpoint) => pull.bind(&endpoint).unwrap(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_close_that_was_dropped_delivers_all_the_same() {
    let rig = Rig::new(Transport::Tcp);
    let pull = rig.bound(PULL);
    for polls in 0..2 {
        let push = rig.socket(PUSH);
        push.set_linger(Some(LIMIT)).unwrap();
        link(&pull, &push);
        send_numbers(&push, 0..500);
        let mut closing = Box::pin(push.into_async().closed());
        for _ in 0..polls {
            let _ = poll_once(closing.as_mut());
        }
        drop(closing);
        recv_numbers(&pull, 0..500);
    }
    assert!(recv_all(&pull).is_empty());
}
