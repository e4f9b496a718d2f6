//! Queues and waits: how much is kept, which of it, and for how long.

use super::*;

/// How many messages can be sent without waiting.
#[track_caller]
fn fill(socket: &Socket) -> usize {
    (0..10_000)
        .find(|_| socket.try_send("x").is_err())
        .expect("there is no limit")
}

#[test]
fn the_high_water_marks_of_both_ends_add_up_and_take_effect_at_once() {
    let ctx = Ctx::new();
    let (pull, push) = (
        socket(&ctx, SocketType::PULL),
        socket(&ctx, SocketType::PUSH),
    );
    pull.set_rcvhwm(2).unwrap();
    pull.bind("inproc://marks").unwrap();
    push.set_sndhwm(3).unwrap();
    push.connect("inproc://marks").unwrap();
    assert_eq!(pull.get_events().unwrap(), 0);
    assert_eq!(fill(&push), 5);
    push.set_sndhwm(5).unwrap();
    assert_eq!(fill(&push), 2);
    pull.set_rcvhwm(4).unwrap();
    assert_eq!(fill(&push), 2);
}

#[test]
fn without_a_mark_there_is_no_limit() {
    let ctx = Ctx::new();
    let (pull, push) = (
        socket(&ctx, SocketType::PULL),
        socket(&ctx, SocketType::PUSH),
    );
    pull.set_rcvhwm(0).unwrap();
    pull.bind("inproc://unlimited").unwrap();
    push.connect("inproc://unlimited").unwrap();
    assert_eq!(pull.get_events().unwrap(), 0);
    for _ in 0..5000 {
        push.try_send("x").unwrap();
    }
}

#[test]
fn a_conflating_queue_holds_the_latest_message() {
    let ctx = Ctx::new();
    let (pull, push) = (
        socket(&ctx, SocketType::PULL),
        socket(&ctx, SocketType::PUSH),
    );
    pull.bind("inproc://latest").unwrap();
    push.set_conflate(true).unwrap();
    push.connect("inproc://latest").unwrap();
    for n in 0..5000 {
        push.try_send(n.to_string()).unwrap();
    }
    push.send_multipart(["two", "frames"], 0).unwrap();
    assert_eq!(frames(&pull), [&b"two"[..], b"frames"]);
    assert!(matches!(pull.try_recv(), Err(Error::Again)));
}

#[test]
fn calls_wait_as_long_as_they_are_told() {
    let ctx = Ctx::new();
    let socket = socket(&ctx, SocketType::PAIR);
    socket.bind("inproc://nobody").unwrap();
    for millis in [0, 30] {
        let limit = Duration::from_millis(millis);
        socket.set_rcvtimeo(Some(limit)).unwrap();
        socket.set_sndtimeo(Some(limit)).unwrap();
        let start = Instant::now();
        assert!(matches!(socket.recv_msg(0), Err(Error::Again)));
        assert!(start.elapsed() >= limit);
        let start = Instant::now();
        assert!(socket.send("x", 0).is_err());
        assert!(start.elapsed() >= limit);
    }
}

#[test]
fn without_linger_undelivered_messages_hold_nothing_up() {
    let ctx = Ctx::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let push = socket(&ctx, SocketType::PUSH);
    push.connect(&format!("tcp://{}", nobody.local_addr().unwrap()))
        .unwrap();
    push.send("lost", 0).unwrap();
    push.set_linger(Some(Duration::ZERO)).unwrap();
    drop(push);
    ctx.term(Some(PATIENCE)).unwrap();
}

#[test]
fn the_linger_that_counts_is_that_at_the_time_of_the_close() {
    let ctx = Ctx::new();
    let pull = socket(&ctx, SocketType::PULL);
    let endpoint = bound(&pull);
    for round in 0..20 {
        let push = socket(&ctx, SocketType::PUSH);
        push.set_linger(Some(Duration::ZERO)).unwrap();
        push.connect(&endpoint).unwrap();
        push.send(round.to_string(), 0).unwrap();
        push.set_linger(None).unwrap();
        drop(push);
        assert_eq!(pull.recv_string(0).unwrap(), round.to_string());
    }
}

#[test]
fn endpoints_need_an_io_thread_that_the_affinity_allows() {
    let ctx = Ctx::new();
    ctx.set_io_threads(2).unwrap();
    let socket = socket(&ctx, SocketType::PUSH);
    socket.set_affinity(0b100).unwrap();
    for outcome in [
        socket.bind("tcp://127.0.0.1:*"),
        socket.connect("tcp://127.0.0.1:1"),
    ] {
        assert!(matches!(outcome, Err(Error::NoIoThread)), "{outcome:?}");
    }
    socket.bind("inproc://needs-none").unwrap();
    socket.set_affinity(0b110).unwrap();
    socket.bind("tcp://127.0.0.1:*").unwrap();
}

#[test]
fn the_last_frame_tells_whether_others_follow() {
    let ctx = Ctx::new();
    let (a, b) = (
        socket(&ctx, SocketType::PAIR),
        socket(&ctx, SocketType::PAIR),
    );
    a.bind("inproc://more").unwrap();
    b.connect("inproc://more").unwrap();
    assert!(!b.get_rcvmore().unwrap());
    a.send_multipart(["1", "2"], 0).unwrap();
    for more in [true, false] {
        b.recv_msg(0).unwrap();
        assert_eq!(b.get_rcvmore().unwrap(), more);
    }
    assert!(b.try_recv().is_err());
    assert!(!b.get_rcvmore().unwrap());
}
