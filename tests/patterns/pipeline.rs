//! PUSH and PULL: work dealt out in turn, and collected fairly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferrozmq::SocketType::{PULL, PUSH};
use ferrozmq::{Ctx, DONTWAIT, Error, Msg, POLLIN, POLLOUT, SNDMORE, Socket};

use crate::common::{Rig, SHORT, Transport, fill, link, recv, recv_all, send, wait_until};
use crate::on_each_transport;

on_each_transport!(
    work_is_dealt_out_in_turn,
    a_message_of_many_frames_goes_to_one_worker,
    messages_of_many_senders_are_never_mixed,
    a_flood_does_not_starve_the_others,
    without_a_worker_sending_waits,
    a_worker_that_is_full_is_passed_over,
    nothing_goes_to_a_worker_that_is_gone,
    each_does_only_its_part,
    a_conflated_queue_ends_with_the_latest,
);

fn numbers(socket: &Socket, count: usize) -> Vec<usize> {
    let number = |_| socket.recv_string(0).unwrap().parse().unwrap();
    (0..count).map(number).collect()
}

fn work_is_dealt_out_in_turn(rig: &Rig) {
    let push = rig.bound(PUSH);
    let workers = [(); 3].map(|()| rig.connected(PULL, &push));
    for n in 0..30 {
        push.send(n.to_string(), 0).unwrap();
    }
    let mut firsts = Vec::new();
    for worker in &workers {
        let got = numbers(worker, 10);
        assert!(got.windows(2).all(|pair| pair[1] == pair[0] + 3), "{got:?}");
        firsts.push(got[0]);
    }
    firsts.sort_unstable();
    assert_eq!(firsts, [0, 1, 2]);
}

fn a_message_of_many_frames_goes_to_one_worker(rig: &Rig) {
    let push = rig.bound(PUSH);
    let workers = [(); 2].map(|()| rig.connected(PULL, &push));
    for n in ["0", "1", "2", "3"] {
        push.send(n, SNDMORE).unwrap();
        push.send(n, SNDMORE).unwrap();
        push.send(n, 0).unwrap();
    }
    for worker in &workers {
        for _ in 0..2 {
            let got = recv(worker);
            assert_eq!(got.len(), 3);
            assert!(got.iter().all(|frame| *frame == got[0]), "{got:?}");
        }
    }
}

fn messages_of_many_senders_are_never_mixed(rig: &Rig) {
    const MESSAGES: usize = 200;
    let pull = rig.bound(PULL);
    let senders = ["a", "b", "c"].map(|name| (name, rig.connected(PUSH, &pull)));
    std::thread::scope(|scope| {
        for (name, push) in senders {
            scope.spawn(move || {
                for n in 0..MESSAGES {
                    send(&push, &[name, &n.to_string(), name]);
                }
                push.set_linger(None).unwrap();
            });
        }
        let mut next = std::collections::HashMap::new();
        for _ in 0..3 * MESSAGES {
            let frames = recv(&pull);
            assert_eq!(frames.len(), 3);
            assert_eq!(frames[0], frames[2]);
            let expected = next.entry(frames[0].clone()).or_insert(0);
            assert_eq!(frames[1], expected.to_string());
            *expected += 1;
        }
    });
}

fn a_flood_does_not_starve_the_others(rig: &Rig) {
    let pull = rig.socket(PULL);
    pull.set_rcvhwm(100).unwrap();
    pull.bind(&rig.fresh_endpoint()).unwrap();
    let flooding = rig.connected(PUSH, &pull);
    flooding.set_sndhwm(100).unwrap();
    let modest = rig.connected(PUSH, &pull);
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let flooding = flooding;
            while !enough.load(Ordering::Relaxed) {
                let _ = flooding.try_send("flood");
            }
        });
        for _ in 0..10 {
            send(&modest, &["modest"]);
            wait_until(|| recv(&pull) == ["modest"]);
        }
        enough.store(true, Ordering::Relaxed);
    });
}

/// Within a process everything is there as soon as it is sent: the turns can be seen.
#[test]
fn collecting_takes_one_message_of_each_in_turn() {
    let rig = Rig::new(Transport::Inproc);
    let pull = rig.bound(PULL);
    let senders = ["a", "b", "c"].map(|name| (name, rig.connected(PUSH, &pull)));
    for (name, push) in &senders {
        for _ in 0..3 {
            send(push, &[name, "and more"]);
        }
    }
    let order: Vec<_> = recv_all(&pull)
        .into_iter()
        .map(|mut m| m.remove(0))
        .collect();
    assert_eq!(order.len(), 9);
    for round in order.chunks(3) {
        let mut names = round.to_vec();
        names.sort_unstable();
        assert_eq!(names, ["a", "b", "c"], "{order:?}");
    }
}

fn without_a_worker_sending_waits(rig: &Rig) {
    let push = rig.bound(PUSH);
    assert_eq!(push.get_events().unwrap(), 0);
    assert!(matches!(
        push.try_send("x").unwrap_err().error,
        Error::Again
    ));
    push.set_sndtimeo(Some(SHORT)).unwrap();
    assert!(matches!(push.send("x", 0).unwrap_err().error, Error::Again));
    push.set_sndtimeo(Some(crate::common::LIMIT)).unwrap();

    let endpoint = push.last_endpoint();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let pull = rig.socket(PULL);
            pull.connect(&endpoint).unwrap();
            assert_eq!(recv(&pull), ["waited"]);
        });
        let push = &push;
        send(push, &["waited"]);
    });
}

fn a_worker_that_is_full_is_passed_over(rig: &Rig) {
    const MESSAGES: usize = 300;
    let push = rig.socket(PUSH);
    push.set_sndhwm(5).unwrap();
    push.bind(&rig.fresh_endpoint()).unwrap();
    let (idle, busy) = (rig.socket(PULL), rig.socket(PULL));
    for worker in [&idle, &busy] {
        worker.set_rcvhwm(5).unwrap();
        link(&push, worker);
    }
    let mut done = 0;
    for _ in 0..MESSAGES {
        wait_until(|| {
            done += recv_all(&busy).len();
            push.try_send(vec![0; 65_536]).is_ok()
        });
    }
    wait_until(|| {
        done += recv_all(&busy).len() + recv_all(&idle).len();
        done == MESSAGES
    });
    assert_eq!(push.get_events().unwrap(), POLLOUT);
}

fn nothing_goes_to_a_worker_that_is_gone(rig: &Rig) {
    let push = rig.bound(PUSH);
    let leaving = rig.connected(PULL, &push);
    drop(leaving);
    wait_until(|| push.get_events().unwrap() & POLLOUT == 0);
    let staying = rig.connected(PULL, &push);
    for n in 0..10 {
        push.send(n.to_string(), 0).unwrap();
    }
    assert!(numbers(&staying, 10).into_iter().eq(0..10));
}

fn each_does_only_its_part(rig: &Rig) {
    let (push, pull) = rig.pair(PUSH, PULL);
    assert!(matches!(push.recv_msg(0), Err(Error::NotSupported)));
    let refused = pull.send("x", 0).unwrap_err();
    assert!(matches!(refused.error, Error::NotSupported));
    assert_eq!(push.get_events().unwrap(), POLLOUT);
    assert_eq!(pull.get_events().unwrap(), 0);
    send(&push, &["x"]);
    assert_eq!(
        pull.poll(POLLIN | POLLOUT, Some(crate::common::LIMIT))
            .unwrap(),
        POLLIN
    );
}

fn a_conflated_queue_ends_with_the_latest(rig: &Rig) {
    let push = rig.bound(PUSH);
    let pull = rig.socket(PULL);
    pull.set_conflate(true).unwrap();
    link(&push, &pull);
    for n in 0..100 {
        push.send(n.to_string(), 0).unwrap();
    }
    let mut got = numbers(&pull, 1);
    if rig.is_inproc() {
        assert_eq!(got, [99]);
    }
    while got.last() != Some(&99) {
        got.extend(numbers(&pull, 1));
    }
    assert!(got.is_sorted(), "{got:?}");
    assert!(matches!(pull.recv_msg(DONTWAIT), Err(Error::Again)));
}

/// The mark of a pipe within a process is the sum of both sides' marks.
#[test]
fn the_marks_of_both_sides_are_added_up() {
    let rig = Rig::new(Transport::Inproc);
    for (send_hwm, recv_hwm) in [(1, 1), (3, 2), (10, 1)] {
        let push = rig.socket(PUSH);
        push.set_sndhwm(send_hwm).unwrap();
        push.bind(&rig.fresh_endpoint()).unwrap();
        let pull = rig.socket(PULL);
        pull.set_rcvhwm(recv_hwm).unwrap();
        link(&push, &pull);
        assert_eq!(fill(&push), (send_hwm + recv_hwm) as usize);
    }
}

/// Memory of the application's own, which knows who holds it.
struct Large(Arc<Vec<u8>>);

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[test]
fn a_large_message_is_not_kept_while_the_next_is_waited_for() {
    let ctx = Ctx::new();
    let pull = ctx.socket(PULL).unwrap();
    pull.bind("inproc://large").unwrap();
    let push = ctx.socket(PUSH).unwrap();
    push.connect("inproc://large").unwrap();
    let body = Arc::new(vec![7; 1_000_000]);
    push.send(Msg::from_owner(Large(body.clone())), 0).unwrap();
    let receiving = std::thread::spawn(move || {
        let mut msg = Msg::new();
        pull.recv(&mut msg, 0).unwrap();
        assert_eq!(msg.len(), 1_000_000);
        pull.recv(&mut msg, 0).unwrap();
        assert_eq!(msg, *"end");
    });
    wait_until(|| Arc::strong_count(&body) == 1);
    push.send("end", 0).unwrap();
    receiving.join().unwrap();
}
