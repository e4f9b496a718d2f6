//! High-water marks, time limits, many messages at once, and threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ferrozmq::SocketType::{DEALER, PAIR, PULL, PUSH, REP, REQ, ROUTER};
use ferrozmq::{Ctx, DONTWAIT, Error, Msg, POLLIN, POLLOUT, SNDMORE, Socket, SocketType, poll};

use crate::common::{
    LIMIT, Rig, SHORT, Transport, fill, in_time, link, patient, recv, recv_all, recv_numbers, send,
    send_numbers, wait_until,
};
use crate::on_each_transport;

on_each_transport!(
    a_blocked_sender_goes_on_when_there_is_room,
    a_time_limit_is_kept,
    without_waiting_nothing_waits,
    a_waiting_receiver_is_woken,
    a_poll_finds_who_is_ready,
    a_poll_does_not_report_what_it_does_not_wait_for,
    many_messages_can_be_sent_and_received_at_once,
    many_messages_are_cut_between_messages_only,
    a_message_can_be_received_into_again_and_again,
    a_socket_can_move_between_threads,
    a_pair_of_threads_keeps_up_a_conversation,
);

// ── marks within a process, where they are exact ─────────────────────────────────────────────

/// A PUSH and a PULL of one process with these marks.
fn marked(send_hwm: Option<u32>, recv_hwm: Option<u32>) -> (Rig, Socket, Socket) {
    let rig = Rig::new(Transport::Inproc);
    let (push, pull) = (rig.socket(PUSH), rig.socket(PULL));
    if let Some(hwm) = send_hwm {
        push.set_sndhwm(hwm).unwrap();
    }
    if let Some(hwm) = recv_hwm {
        pull.set_rcvhwm(hwm).unwrap();
    }
    push.bind(&rig.fresh_endpoint()).unwrap();
    link(&push, &pull);
    (rig, push, pull)
}

#[test]
fn the_mark_is_the_sum_of_both_sides() {
    for (send_hwm, recv_hwm, sum) in [
        (None, None, 2000),
        (Some(1), Some(1), 2),
        (Some(4), Some(3), 7),
        (Some(1), None, 1001),
    ] {
        let (_rig, push, _pull) = marked(send_hwm, recv_hwm);
        assert_eq!(fill(&push), sum);
    }
}

#[test]
fn the_sides_marks_add_up_whoever_binds_and_whenever() {
    let rig = Rig::new(Transport::Inproc);
    let (push, pull) = (rig.socket(PUSH), rig.socket(PULL));
    push.set_sndhwm(2).unwrap();
    pull.set_rcvhwm(3).unwrap();
    let endpoint = rig.fresh_endpoint();
    push.connect(&endpoint).unwrap();
    assert_eq!(fill(&push), 2, "so far there is one side");
    pull.bind(&endpoint).unwrap();
    pull.get_events().unwrap();
    assert_eq!(fill(&push), 3);
}

#[test]
fn a_mark_of_zero_on_either_side_is_none() {
    for (send_hwm, recv_hwm) in [(0, 1), (1, 0), (0, 0)] {
        let (_rig, push, pull) = marked(Some(send_hwm), Some(recv_hwm));
        for n in 0..20_000 {
            push.try_send(n.to_string()).unwrap();
        }
        recv_numbers(&pull, 0..20_000);
    }
}

#[test]
fn marks_count_messages_and_not_frames() {
    let (_rig, push, pull) = marked(Some(3), Some(2));
    for _ in 0..5 {
        push.send_multipart(["1", "2", "3"], DONTWAIT).unwrap();
    }
    let refused = push.send_multipart(["1", "2", "3"], DONTWAIT).unwrap_err();
    assert!(matches!(refused.error, Error::Again));
    assert_eq!(refused.message.len(), 3, "all of it is given back");
    assert_eq!(recv(&pull).len(), 3);
}

#[test]
fn a_message_that_has_begun_is_not_held_up_by_the_mark() {
    let (_rig, push, pull) = marked(Some(1), Some(1));
    send(&push, &["first"]);
    for _ in 0..10 {
        push.send("part", SNDMORE | DONTWAIT).unwrap();
    }
    push.send("end", DONTWAIT).unwrap();
    assert!(matches!(
        push.try_send("next").unwrap_err().error,
        Error::Again
    ));
    assert_eq!(recv(&pull), ["first"]);
    assert_eq!(recv(&pull).len(), 11);
}

#[test]
fn room_comes_back_when_half_of_the_queue_is_read() {
    for (send_hwm, recv_hwm, half) in [(2, 2, 2), (4, 1, 3), (1, 1, 1), (50, 50, 50)] {
        let (_rig, push, pull) = marked(Some(send_hwm), Some(recv_hwm));
        fill(&push);
        for n in 1..half {
            pull.recv_msg(0).unwrap();
            assert_eq!(fill(&push), 0, "{n} are not half");
        }
        pull.recv_msg(0).unwrap();
        assert_eq!(push.get_events().unwrap(), POLLOUT);
        assert_eq!(fill(&push), half);
    }
}

#[test]
fn marks_can_be_changed_at_any_time() {
    let (_rig, push, pull) = marked(Some(1), Some(1));
    assert_eq!(fill(&push), 2);
    push.set_sndhwm(3).unwrap();
    assert_eq!(fill(&push), 2);
    pull.set_rcvhwm(4).unwrap();
    assert_eq!(push.poll(POLLOUT, Some(LIMIT)).unwrap(), POLLOUT);
    assert_eq!(fill(&push), 3);
    push.set_sndhwm(1).unwrap();
    assert_eq!(fill(&push), 0, "what is there stays");
    for _ in 0..6 {
        pull.recv_msg(0).unwrap();
    }
    assert_eq!(fill(&push), 4, "one of five is unread");
}

#[test]
fn room_is_found_under_a_lower_mark_when_all_is_read() {
    for transport in [Transport::Inproc, Transport::Ipc, Transport::Tcp] {
        for former in [0, 1000] {
            let rig = Rig::new(transport);
            let pull = rig.socket(PULL);
            pull.set_rcvhwm(former).unwrap();
            pull.bind(&rig.fresh_endpoint()).unwrap();
            let push = rig.socket(PUSH);
            push.set_sndhwm(former).unwrap();
            link(&pull, &push);
            send_numbers(&push, 0..100);
            recv_numbers(&pull, 0..100);
            assert!(recv_all(&pull).is_empty());
            push.set_sndhwm(10).unwrap();
            pull.set_rcvhwm(10).unwrap();
            send_numbers(&push, 0..20);
            recv_numbers(&pull, 0..20);
        }
    }
}

// ── waiting ──────────────────────────────────────────────────────────────────────────────────

fn a_blocked_sender_goes_on_when_there_is_room(rig: &Rig) {
    const MESSAGES: usize = 3000;
    let push = rig.socket(PUSH);
    push.set_sndhwm(2).unwrap();
    push.bind(&rig.fresh_endpoint()).unwrap();
    let pull = rig.socket(PULL);
    pull.set_rcvhwm(2).unwrap();
    link(&push, &pull);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let push = push;
            send_numbers(&push, 0..MESSAGES);
            push.set_linger(None).unwrap();
        });
        recv_numbers(&pull, 0..MESSAGES);
    });
}

fn a_time_limit_is_kept(rig: &Rig) {
    let (push, pull) = (rig.bound(PUSH), rig.bound(PULL));
    push.set_sndtimeo(Some(SHORT)).unwrap();
    pull.set_rcvtimeo(Some(SHORT)).unwrap();
    let waits: [&dyn Fn() -> bool; 5] = [
        &|| matches!(push.send("x", 0).unwrap_err().error, Error::Again),
        &|| matches!(pull.recv_msg(0), Err(Error::Again)),
        &|| matches!(pull.recv_multipart(0), Err(Error::Again)),
        &|| pull.poll(POLLIN, Some(SHORT)).unwrap() == 0,
        &|| poll(&mut [push.as_poll_item(POLLOUT)], Some(SHORT)).unwrap() == 0,
    ];
    for wait in waits {
        let begin = Instant::now();
        assert!(wait());
        assert!((SHORT..LIMIT).contains(&begin.elapsed()));
    }
}

fn without_waiting_nothing_waits(rig: &Rig) {
    let (push, pull) = (rig.bound(PUSH), rig.bound(PULL));
    for limited in [false, true] {
        let limit = (!limited).then_some(Duration::ZERO);
        push.set_sndtimeo(limit).unwrap();
        pull.set_rcvtimeo(limit).unwrap();
        let flags = if limited { DONTWAIT } else { 0 };
        assert!(matches!(
            push.send("x", flags).unwrap_err().error,
            Error::Again
        ));
        assert!(matches!(pull.recv_msg(flags), Err(Error::Again)));
        assert_eq!(pull.poll(POLLIN, Some(Duration::ZERO)).unwrap(), 0);
    }
    assert!(matches!(
        push.send("x", 64).unwrap_err().error,
        Error::InvalidArgument(_)
    ));
    assert!(matches!(
        pull.recv_msg(SNDMORE),
        Err(Error::InvalidArgument(_))
    ));
    let nothing: [&str; 0] = [];
    let refused = push.send_multipart(nothing, 0).unwrap_err();
    assert!(matches!(refused.error, Error::InvalidArgument(_)));
}

fn a_waiting_receiver_is_woken(rig: &Rig) {
    let (pull, push) = rig.pair(PULL, PUSH);
    let (ask, asked) = crossbeam_channel::bounded(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let push = push;
            for n in asked {
                send(&push, &[&format!("{n}")]);
            }
            push.set_linger(None).unwrap();
        });
        for n in 0..500 {
            ask.send(n).unwrap();
            assert_eq!(recv(&pull), [n.to_string()]);
        }
        drop(ask);
    });
}

fn a_poll_finds_who_is_ready(rig: &Rig) {
    let pulls = [(); 3].map(|()| rig.bound(PULL));
    let pushes = [0, 1, 2].map(|n: usize| rig.connected(PUSH, &pulls[n]));
    for ready in [2, 0, 1] {
        send(&pushes[ready], &["x"]);
        let mut items = [0, 1, 2].map(|n| pulls[n].as_poll_item(POLLIN));
        assert_eq!(poll(&mut items, Some(LIMIT)).unwrap(), 1);
        for (n, item) in items.iter().enumerate() {
            assert_eq!(item.is_readable(), n == ready);
        }
        assert_eq!(
            poll(&mut items, Some(LIMIT)).unwrap(),
            1,
            "it is still there"
        );
        recv(&pulls[ready]);
        assert_eq!(poll(&mut items, Some(Duration::ZERO)).unwrap(), 0);
    }
}

/// Nor does it keep the others from being found, or the time from being over.
fn a_poll_does_not_report_what_it_does_not_wait_for(rig: &Rig) {
    let (pull, push) = rig.pair(PULL, PUSH);
    send(&push, &["x"]);
    wait_until(|| pull.get_events().unwrap() == POLLIN);
    recv(&pull);
    assert_eq!(pull.get_events().unwrap(), 0);
    send(&push, &["y"]);
    let found = in_time(move || poll(&mut [pull.as_poll_item(0)], Some(SHORT)));
    assert_eq!(found.unwrap(), 0);
}

// ── many at once ─────────────────────────────────────────────────────────────────────────────

fn many_messages_can_be_sent_and_received_at_once(rig: &Rig) {
    const MESSAGES: usize = 10_000;
    let (pull, push) = rig.pair(PULL, PUSH);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let push = push;
            let numbers = (0..MESSAGES).map(|n| n.to_string());
            assert_eq!(push.send_many(numbers).unwrap(), MESSAGES);
            assert_eq!(push.send_many(Vec::<Msg>::new()).unwrap(), 0);
            push.set_linger(None).unwrap();
        });
        let mut all = Vec::new();
        assert_eq!(pull.recv_many(&mut all, 0).unwrap(), 0);
        while all.len() < MESSAGES {
            let before = all.len();
            let count = pull.recv_many(&mut all, 100).unwrap();
            assert!((1..=100).contains(&count));
            assert_eq!(all.len(), before + count);
        }
        for (n, message) in all.iter().enumerate() {
            assert_eq!(*message, n.to_string()[..]);
        }
    });
    pull.set_rcvtimeo(Some(SHORT)).unwrap();
    assert!(matches!(
        pull.recv_many(&mut Vec::new(), 1),
        Err(Error::Again)
    ));
}

fn many_messages_are_cut_between_messages_only(rig: &Rig) {
    let (pull, push) = rig.pair(PULL, PUSH);
    let frames = (0..40).map(|n| {
        let mut frame = Msg::from(n.to_string());
        frame.set_more(n % 4 != 3);
        frame
    });
    assert_eq!(push.send_many(frames).unwrap(), 40);
    let (mut all, mut messages) = (Vec::new(), 0);
    while messages < 10 {
        let count = pull.recv_many(&mut all, 3).unwrap();
        messages += count;
        assert!(count <= 3 && all.len() == 4 * messages);
        assert!(!all.last().unwrap().more());
    }
}

fn a_message_can_be_received_into_again_and_again(rig: &Rig) {
    let (pull, push) = rig.pair(PULL, PUSH);
    let mut msg = Msg::from("what was there before");
    msg.set_group("group").unwrap();
    msg.set_routing_id(7).unwrap();
    for (n, size) in [0, 38, 5000, 3, 300, 39, 0].into_iter().enumerate() {
        let body = vec![n as u8; size];
        let flags = if n % 2 == 0 { SNDMORE } else { 0 };
        push.send(&body, flags).unwrap();
        if flags == SNDMORE {
            push.send("", 0).unwrap();
        }
        pull.recv(&mut msg, 0).unwrap();
        assert!(msg == body[..] && msg.more() == (flags == SNDMORE));
        assert_eq!((msg.group(), msg.routing_id()), ("", 0));
        assert_eq!(msg.gets("Socket-Type"), Some("PUSH"));
        if msg.more() {
            pull.recv(&mut msg, 0).unwrap();
        }
    }
    push.send("read, and not yet replaced", 0).unwrap();
    pull.recv(&mut msg, 0).unwrap();
    assert!(matches!(pull.recv(&mut msg, DONTWAIT), Err(Error::Again)));
    assert!(msg.is_empty() && msg.metadata().is_none());
}

#[test]
fn what_does_not_fit_stays_with_the_sender() {
    let (_rig, push, pull) = marked(Some(2), Some(2));
    push.set_sndtimeo(Some(SHORT)).unwrap();
    let mut numbers = (0..10).map(|n| n.to_string());
    let refused = push.send_many(&mut numbers).unwrap_err();
    assert!(matches!(refused.error, Error::Again));
    assert_eq!(refused.message, "4");
    assert_eq!(numbers.next().as_deref(), Some("5"));
    recv_numbers(&pull, 0..4);
}

// ── threads ──────────────────────────────────────────────────────────────────────────────────

fn a_socket_can_move_between_threads(rig: &Rig) {
    let (mut a, mut b) = rig.pair(PAIR, PAIR);
    for n in 0..50 {
        let text = n.to_string();
        // Each waits on a thread that it has never been on.
        let receiving = std::thread::spawn(move || (recv(&b), b));
        let sending = std::thread::spawn(move || {
            send(&a, &[&text]);
            a
        });
        a = sending.join().unwrap();
        let (got, back) = receiving.join().unwrap();
        assert_eq!(got, [n.to_string()]);
        b = back;
    }
}

fn a_pair_of_threads_keeps_up_a_conversation(rig: &Rig) {
    const ROUNDS: usize = 2000;
    let (rep, req) = rig.pair(REP, REQ);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..ROUNDS {
                let question = recv(&rep);
                send(&rep, &[&question[0]]);
            }
            rep.set_linger(None).unwrap();
        });
        for n in 0..ROUNDS {
            send(&req, &[&n.to_string()]);
            assert_eq!(recv(&req), [n.to_string()]);
        }
    });
}

#[test]
fn sockets_are_limited_in_number() {
    let ctx = Ctx::new();
    ctx.set_max_sockets(3).unwrap();
    assert!(matches!(
        ctx.set_max_sockets(0),
        Err(Error::InvalidArgument(_))
    ));
    let mut sockets: Vec<_> = (0..3).map(|_| ctx.socket(PAIR).unwrap()).collect();
    assert!(matches!(ctx.socket(PAIR), Err(Error::TooManySockets)));
    sockets.pop();
    wait_until(|| ctx.socket(PAIR).is_ok());
}

#[test]
fn without_io_threads_there_is_only_the_process() {
    let ctx = Ctx::new();
    ctx.set_io_threads(0).unwrap();
    let (pull, push) = (patient(&ctx, PULL), patient(&ctx, PUSH));
    for endpoint in ["tcp://127.0.0.1:*", "ipc://*"] {
        assert!(
            matches!(pull.bind(endpoint), Err(Error::NoIoThread)),
            "{endpoint}"
        );
    }
    assert!(matches!(
        push.connect("tcp://127.0.0.1:1"),
        Err(Error::NoIoThread)
    ));
    pull.bind("inproc://works").unwrap();
    link(&pull, &push);
    send_numbers(&push, 0..10);
    recv_numbers(&pull, 0..10);
}

#[test]
fn many_io_threads_share_the_connections() {
    let rig = Rig::new(Transport::Tcp);
    rig.ctx.set_io_threads(4).unwrap();
    assert_eq!(rig.ctx.io_threads(), 4);
    assert!(matches!(
        rig.ctx.set_io_threads(65),
        Err(Error::InvalidArgument(_))
    ));
    let router = rig.bound(ROUTER);
    let dealers = [(); 16].map(|()| rig.connected(DEALER, &router));
    for dealer in &dealers {
        send(dealer, &["hello"]);
    }
    for _ in &dealers {
        let frames = router.recv_multipart(0).unwrap();
        router.send_multipart(frames, 0).unwrap();
    }
    for dealer in &dealers {
        assert_eq!(recv(dealer), ["hello"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn threads_can_be_given_a_name() {
    let ctx = Ctx::new();
    ctx.set_thread_name_prefix("of-a-test").unwrap();
    assert!(matches!(
        ctx.set_thread_name_prefix(&"x".repeat(17)),
        Err(Error::InvalidArgument(_))
    ));
    let _socket = ctx.socket(PAIR).unwrap();
    let names = || -> Vec<String> {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
        };
        tasks.filter_map(name).collect()
    };
    // The system keeps 15 bytes. A thread names itself when it begins to run.
    wait_until(|| {
        let names = names();
        ["of-a-test/zmq-i\n", "of-a-test/zmq-r\n"]
            .iter()
            .all(|name| names.contains(&(*name).to_owned()))
    });
}

/// The cores that a thread of this process, or all of it, may run on, as the system writes them.
#[cfg(target_os = "linux")]
fn allowed_cores(status: &std::path::Path) -> Option<String> {
    let status = std::fs::read_to_string(status).ok()?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    Some(line.trim().to_owned())
}

#[cfg(target_os = "linux")]
#[test]
fn io_threads_can_be_pinned_to_cores() {
    let own = allowed_cores("/proc/self/status".as_ref()).unwrap();
    let first = own.split([',', '-']).next().unwrap();
    let ctx = Ctx::new();
    ctx.set_io_threads(2).unwrap();
    // One that is there, and one that is not.
    ctx.set_io_thread_cores(&[first.parse().unwrap(), 100_000]);
    ctx.set_thread_name_prefix("pin").unwrap();
    let _socket = ctx.socket(PAIR).unwrap();
    let cores_of = |thread: &str| {
        std::fs::read_dir("/proc/self/task")
            .unwrap()
            .filter_map(|task| Some(task.ok()?.path()))
            .find(|task| {
                let name = std::fs::read_to_string(task.join("comm"));
                name.is_ok_and(|name| name.trim_end() == thread)
            })
            .and_then(|task| allowed_cores(&task.join("status")))
    };
    wait_until(|| cores_of("pin/zmq-io/0").as_deref() == Some(first));
    wait_until(|| cores_of("pin/zmq-io/1").as_deref() == Some(&*own));
}

/// All types of sockets, opened and closed by several threads at once.
#[test]
fn sockets_can_be_opened_and_closed_by_many_threads() {
    use SocketType::{PUB, STREAM, SUB, XPUB, XSUB};
    let ctx = Ctx::new();
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for socket_type in [
                    PAIR, PUB, SUB, REQ, REP, DEALER, ROUTER, PULL, PUSH, XPUB, XSUB, STREAM,
                ] {
                    for _ in 0..5 {
                        let socket = ctx.socket(socket_type).unwrap();
                        let fine = socket.bind("tcp://127.0.0.1:*").is_ok();
                        failed.fetch_or(!fine, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert!(!failed.load(Ordering::Relaxed));
    ctx.term(Some(LIMIT)).unwrap();
}

#[test]
fn over_inproc_who_connects_has_the_room_of_both_at_once() {
    let ctx = Ctx::new();
    let (push, pull) = (ctx.socket(PUSH).unwrap(), ctx.socket(PULL).unwrap());
    push.set_sndhwm(3).unwrap();
    pull.set_rcvhwm(2).unwrap();
    pull.bind("inproc://room").unwrap();
    push.connect("inproc://room").unwrap();
    let sent = (0..).take_while(|_| push.try_send("x").is_ok()).count();
    assert_eq!(sent, 5);
}

#[test]
fn a_message_that_is_refused_stays_where_it_is() {
    let ctx = Ctx::new();
    let push = ctx.socket(PUSH).unwrap();
    let mut msg = Msg::from("kept");
    assert!(matches!(
        push.send_msg(&mut msg, DONTWAIT),
        Err(Error::Again)
    ));
    assert_eq!(msg, "kept");
}
