//! Who keeps a socket alive, and what is delivered at the end.

use std::time::Duration;

use ferrozmq::SocketType::{PULL, PUSH};
use ferrozmq::{Ctx, Error, Sender, Socket};

use crate::common::{LIMIT, Rig, SHORT, in_time, patient, recv, recv_numbers, wait_until};
use crate::{on_each_transport, on_network_transports};

on_each_transport!(
    a_socket_lives_as_long_as_its_senders,
    what_senders_sent_is_delivered_after_their_end,
    who_sends_and_leaves_at_once_is_heard,
    what_senders_sent_is_delivered_before_the_end_of_the_context,
    what_found_no_room_is_delivered_while_the_socket_lingers,
    the_end_of_the_context_fails_all_sends,
    the_end_of_the_context_waits_for_senders,
    the_owner_may_leave_at_any_time,
);

on_network_transports!(without_a_peer_the_linger_time_is_the_limit);

fn send_numbers(sender: &Sender, numbers: std::ops::Range<usize>) {
    for n in numbers {
        sender.send(n.to_string(), 0).unwrap();
    }
}

/// A PULL, and a PUSH that lingers.
fn lingering(rig: &Rig) -> (Socket, Socket) {
    let (pull, push) = rig.pair(PULL, PUSH);
    push.set_linger(Some(LIMIT)).unwrap();
    (pull, push)
}

/// The last sender may leave while the others' leavings are being sorted out.
fn who_sends_and_leaves_at_once_is_heard(rig: &Rig) {
    let pull = rig.bound(PULL);
    for _ in 0..20 {
        let push = rig.connected(PUSH, &pull);
        push.set_linger(Some(LIMIT)).unwrap();
        let sender = push.into_sender().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let sender = sender.clone();
                scope.spawn(move || send_numbers(&sender, 0..3));
            }
            drop(sender);
        });
        for _ in 0..8 * 3 {
            recv(&pull);
        }
    }
}

fn a_socket_lives_as_long_as_its_senders(rig: &Rig) {
    let (pull, push) = lingering(rig);
    let first = push.sender().unwrap();
    drop(push);
    send_numbers(&first, 0..10);
    let second = first.clone();
    drop(first);
    recv_numbers(&pull, 0..10);
    send_numbers(&second, 10..20);
    recv_numbers(&pull, 10..20);
    let monitor = pull.monitor();
    drop(second);
    if !rig.is_inproc() {
        crate::common::await_loss(&monitor);
    }
}

fn what_senders_sent_is_delivered_after_their_end(rig: &Rig) {
    let (pull, push) = lingering(rig);
    let sender = push.into_sender().unwrap();
    send_numbers(&sender, 0..900);
    drop(sender);
    recv_numbers(&pull, 0..900);
}

fn what_senders_sent_is_delivered_before_the_end_of_the_context(rig: &Rig) {
    if rig.is_inproc() {
        return;
    }
    let pull = rig.bound(PULL);
    let endpoint = pull.last_endpoint();
    let sending = std::thread::spawn(move || {
        let push = Ctx::new().socket(PUSH).unwrap();
        push.connect(&endpoint).unwrap();
        send_numbers(&push.into_sender().unwrap(), 0..1000);
    });
    recv_numbers(&pull, 0..1000);
    in_time(|| sending.join().unwrap());
}

fn what_found_no_room_is_delivered_while_the_socket_lingers(rig: &Rig) {
    let (pull, push) = lingering(rig);
    pull.set_rcvhwm(1).unwrap();
    push.set_sndhwm(1).unwrap();
    let senders: Vec<_> = (0..20).map(|_| push.sender().unwrap()).collect();
    // Large enough to fill up what the system buffers.
    let body = |n: usize| format!("{n:02} {}", "x".repeat(2_000_000));
    for (n, sender) in senders.iter().enumerate() {
        sender.send(body(n), 0).unwrap();
    }
    drop((push, senders));
    let mut all: Vec<_> = (0..20).map(|_| recv(&pull).remove(0)).collect();
    all.sort();
    assert!(all.into_iter().eq((0..20).map(body)));
}

/// Its senders do not notice, and nothing is lost or doubled on the way to the new owner.
fn the_owner_may_leave_at_any_time(rig: &Rig) {
    let pull = rig.bound(PULL);
    for round in 0..30 {
        let push = rig.connected(PUSH, &pull);
        push.set_linger(Some(LIMIT)).unwrap();
        push.set_sndhwm(1 + round % 7).unwrap();
        let sender = push.sender().unwrap();
        let threads = [0, 1, 2].map(|name| {
            let mut sender = sender.clone();
            std::thread::spawn(move || {
                for n in 0..50 {
                    sender
                        .send_multipart([name, n].map(|n: usize| n.to_string()), 0)
                        .unwrap();
                    if n % 20 == 19 {
                        sender = sender.clone();
                    }
                }
            })
        });
        drop(sender);
        for _ in 0..round {
            push.get_events().unwrap();
        }
        drop(push);
        let mut numbers = vec![Vec::new(); 3];
        for _ in 0..150 {
            let [name, number] = [0, 1].map({
                let frames = recv(&pull);
                move |frame| frames[frame].parse::<usize>().unwrap()
            });
            numbers[name].push(number);
        }
        for mut numbers in numbers {
            // Two clones are two senders, whose messages may pass each other.
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(0..50));
        }
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }
}

fn the_end_of_the_context_fails_all_sends(rig: &Rig) {
    let push = rig.socket(PUSH);
    push.set_sndhwm(1).unwrap();
    push.set_sndtimeo(None).unwrap();
    push.bind(&rig.fresh_endpoint()).unwrap();
    let (unused, full) = (push.sender().unwrap(), push.into_sender().unwrap());
    full.send("fills it up", 0).unwrap();
    let blocked = full.clone();
    let waiting = std::thread::spawn(move || {
        while blocked.send("x", 0).is_ok() {}
        blocked.send("x", 0).unwrap_err().error
    });
    rig.ctx.shutdown();
    assert!(matches!(in_time(|| waiting.join().unwrap()), Error::Term));
    wait_until(
        || matches!(full.try_send("late"), Err(failed) if matches!(failed.error, Error::Term)),
    );
    let failed = || unused.try_send("late").map_err(|failed| failed.error);
    wait_until(|| matches!(failed(), Err(Error::Term)));
}

fn the_end_of_the_context_waits_for_senders(rig: &Rig) {
    let (pull, push) = lingering(rig);
    let sender = push.into_sender().unwrap();
    send_numbers(&sender, 0..100);
    // What is sent before the end is delivered, although nobody may receive in this context.
    let refused = rig.ctx.term(Some(SHORT)).unwrap_err();
    assert!(
        refused
            .sockets
            .iter()
            .any(|socket| socket.socket_type == PUSH)
    );
    drop((sender, pull));
    rig.ctx.term(Some(LIMIT)).unwrap();
}

fn without_a_peer_the_linger_time_is_the_limit(rig: &Rig) {
    let ctx = Ctx::new();
    for linger in [Duration::ZERO, SHORT] {
        let push = patient(&ctx, PUSH);
        push.set_linger(Some(linger)).unwrap();
        push.bind(&rig.fresh_endpoint()).unwrap();
        let sender = push.into_sender().unwrap();
        sender.send("for nobody", 0).unwrap();
        drop(sender);
    }
    ctx.term(Some(LIMIT)).unwrap();
}

#[test]
fn whoever_waits_for_the_end_of_a_socket_waits_for_its_senders() {
    let rig = Rig::new(crate::common::Transport::Tcp);
    let (pull, push) = lingering(&rig);
    let sender = push.sender().unwrap();
    let closing = std::thread::spawn(move || push.wait_closed(Some(LIMIT)));
    send_numbers(&sender, 0..100);
    recv_numbers(&pull, 0..100);
    assert!(!closing.is_finished());
    drop(sender);
    in_time(|| closing.join().unwrap()).unwrap();
}

#[test]
fn the_reach_of_affinity_is_that_of_the_sender_too() {
    let ctx = Ctx::new();
    ctx.set_io_threads(2).unwrap();
    let push = patient(&ctx, PUSH);
    push.set_affinity(0b10).unwrap();
    assert!(push.sender().is_ok());
    push.set_affinity(0b100).unwrap();
    assert!(matches!(push.sender(), Err(Error::NoIoThread)));
}
