//! The proxy: what it moves, what it leaves, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::thread;
use std::time::{Duration, Instant};

use ferrozmq::{
    Ctx, Error, Multipart, ProxySideStatistics, ProxyStatistics, Result, Socket, SocketType, proxy,
    proxy_steerable,
};

/// How long what must happen may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[track_caller]
fn socket(ctx: &Ctx, socket_type: SocketType) -> Socket {
    let socket = ctx.socket(socket_type).unwrap();
    socket.set_rcvtimeo(Some(PATIENCE)).unwrap();
    socket.set_sndtimeo(Some(PATIENCE)).unwrap();
    socket
}

#[track_caller]
fn bound(ctx: &Ctx, socket_type: SocketType, endpoint: &str) -> Socket {
    let socket = socket(ctx, socket_type);
    socket.bind(endpoint).unwrap();
    socket
}

#[track_caller]
fn connected(ctx: &Ctx, socket_type: SocketType, endpoint: &str) -> Socket {
    let socket = socket(ctx, socket_type);
    socket.connect(endpoint).unwrap();
    socket
}

#[track_caller]
fn frames(socket: &Socket) -> Vec<Vec<u8>> {
    let frames = socket.recv_multipart(0).unwrap();
    frames.iter().map(|frame| frame.to_vec()).collect()
}

/// A proxy on a thread of its own, steered from here.
struct Steered {
    control: Socket,
    thread: thread::JoinHandle<Result<ProxyStatistics>>,
}

impl Steered {
    fn start(ctx: &Ctx, frontend: Socket, backend: Socket, capture: Option<Socket>) -> Self {
        let control = bound(ctx, SocketType::REP, "inproc://control");
        let thread =
            thread::spawn(move || proxy_steerable(&frontend, &backend, capture.as_ref(), &control));
        Self {
            control: connected(ctx, SocketType::REQ, "inproc://control"),
            thread,
        }
    }

    #[track_caller]
    fn command(&self, command: &str) -> Multipart {
        self.control.send(command, 0).unwrap();
        self.control.recv_multipart(0).unwrap()
    }

    #[track_caller]
    fn statistics(&self) -> ProxyStatistics {
        ProxyStatistics::from_reply(&self.command("STATISTICS")).expect("eight numbers")
    }

    #[track_caller]
    fn end(self) -> ProxyStatistics {
        assert_eq!(self.command("TERMINATE")[..], [""]);
        self.thread.join().unwrap().unwrap()
    }
}

/// A queue of requests between REQs and REPs.
fn request_queue(ctx: &Ctx) -> (Steered, Socket, Socket) {
    let frontend = bound(ctx, SocketType::ROUTER, "inproc://frontend");
    let backend = bound(ctx, SocketType::DEALER, "inproc://backend");
    let steered = Steered::start(ctx, frontend, backend, None);
    let client = connected(ctx, SocketType::REQ, "inproc://frontend");
    let server = connected(ctx, SocketType::REP, "inproc://backend");
    (steered, client, server)
}

#[test]
fn requests_and_replies_pass_whole_and_are_counted() {
    let ctx = Ctx::new();
    let (steered, client, server) = request_queue(&ctx);
    for _ in 0..3 {
        client.send_multipart(["two", "frames"], 0).unwrap();
        assert_eq!(frames(&server), [&b"two"[..], b"frames"]);
        server.send("reply", 0).unwrap();
        assert_eq!(frames(&client), [b"reply"]);
    }
    let statistics = steered.statistics();
    let ProxyStatistics { frontend, backend } = statistics;
    // Besides the bodies each message has the routing id of five bytes and an empty frame.
    let expected = ProxySideStatistics {
        messages_in: 3,
        bytes_in: 3 * (5 + 9),
        messages_out: 3,
        bytes_out: 3 * (5 + 5),
    };
    assert_eq!(frontend, expected);
    assert_eq!((backend.messages_out, backend.bytes_out), (3, 3 * 14));
    assert_eq!((backend.messages_in, backend.bytes_in), (3, 3 * 10));
    assert_eq!(steered.end(), statistics);
}

#[test]
fn a_paused_proxy_leaves_messages_where_they_are() {
    let ctx = Ctx::new();
    let (steered, client, server) = request_queue(&ctx);
    assert_eq!(steered.command("PAUSE")[..], [""]);
    client.send("x", 0).unwrap();
    assert_eq!(steered.statistics(), ProxyStatistics::default());
    assert!(matches!(server.try_recv(), Err(Error::Again)));
    steered.command("RESUME");
    assert_eq!(frames(&server), [b"x"]);
    steered.end();
}

#[test]
fn unknown_commands_mean_nothing_and_are_answered() {
    let ctx = Ctx::new();
    let (steered, ..) = request_queue(&ctx);
    for command in ["", "pause", "STATISTICS "] {
        assert_eq!(steered.command(command)[..], [""]);
    }
    steered.end();
}

#[test]
fn a_control_socket_that_cannot_answer_is_obeyed_all_the_same() {
    let ctx = Ctx::new();
    let [frontend, backend] =
        ["inproc://a", "inproc://b"].map(|endpoint| bound(&ctx, SocketType::PAIR, endpoint));
    let control = bound(&ctx, SocketType::PULL, "inproc://control");
    let steering = connected(&ctx, SocketType::PUSH, "inproc://control");
    for command in ["STATISTICS", "PAUSE", "TERMINATE"] {
        steering.send(command, 0).unwrap();
    }
    let ended = proxy_steerable(&frontend, &backend, None, &control);
    assert_eq!(ended.unwrap(), ProxyStatistics::default());
}

#[test]
fn everything_is_captured() {
    let ctx = Ctx::new();
    let frontend = bound(&ctx, SocketType::PAIR, "inproc://frontend");
    let backend = bound(&ctx, SocketType::PAIR, "inproc://backend");
    let capture = bound(&ctx, SocketType::PUSH, "inproc://capture");
    let steered = Steered::start(&ctx, frontend, backend, Some(capture));
    let [a, b] = ["inproc://frontend", "inproc://backend"]
        .map(|endpoint| connected(&ctx, SocketType::PAIR, endpoint));
    a.send_multipart(["there", "!"], 0).unwrap();
    // Without a listener at the capture socket nothing moves.
    assert_eq!(steered.statistics(), ProxyStatistics::default());
    let listener = connected(&ctx, SocketType::PULL, "inproc://capture");
    assert_eq!(frames(&b), [&b"there"[..], b"!"]);
    b.send("back", 0).unwrap();
    assert_eq!(frames(&a), [b"back"]);
    assert_eq!(frames(&listener), [&b"there"[..], b"!"]);
    assert_eq!(frames(&listener), [b"back"]);
    steered.end();
}

#[test]
fn subscriptions_go_one_way_and_messages_the_other() {
    let ctx = Ctx::new();
    let frontend = bound(&ctx, SocketType::XSUB, "inproc://publishers");
    let backend = bound(&ctx, SocketType::XPUB, "inproc://subscribers");
    let steered = Steered::start(&ctx, frontend, backend, None);
    let publisher = connected(&ctx, SocketType::XPUB, "inproc://publishers");
    let subscriber = connected(&ctx, SocketType::SUB, "inproc://subscribers");
    subscriber.subscribe("t").unwrap();
    assert_eq!(frames(&publisher), [b"\x01t"]);
    publisher.send("unwanted", 0).unwrap();
    publisher.send_multipart(["t", "body"], 0).unwrap();
    assert_eq!(frames(&subscriber), [&b"t"[..], b"body"]);
    steered.end();
}

#[test]
fn a_stream_of_one_way_sockets_keeps_its_order_and_waits_for_room() {
    let ctx = Ctx::new();
    let frontend = bound(&ctx, SocketType::PULL, "inproc://frontend");
    let backend = socket(&ctx, SocketType::PUSH);
    backend.set_sndhwm(10).unwrap();
    backend.bind("inproc://backend").unwrap();
    let steered = Steered::start(&ctx, frontend, backend, None);
    let sender = connected(&ctx, SocketType::PUSH, "inproc://frontend");
    for n in 0..1500u32 {
        sender.send(n.to_ne_bytes(), 0).unwrap();
    }
    assert_eq!(
        steered.statistics().backend.messages_out,
        0,
        "there is nobody"
    );
    let receiver = socket(&ctx, SocketType::PULL);
    receiver.set_rcvhwm(10).unwrap();
    receiver.connect("inproc://backend").unwrap();
    let deadline = Instant::now() + PATIENCE;
    while steered.statistics().backend.messages_out < 20 {
        assert!(Instant::now() < deadline, "nothing moves");
    }
    assert_eq!(
        steered.statistics().backend.messages_out,
        20,
        "there is no room"
    );
    for n in 0..1500u32 {
        assert_eq!(receiver.recv_bytes(0).unwrap(), n.to_ne_bytes());
    }
    assert_eq!(steered.end().frontend.messages_in, 1500);
}

#[test]
fn one_socket_can_be_both_ends() {
    let ctx = Ctx::new();
    let echo = bound(&ctx, SocketType::DEALER, "inproc://echo");
    let control = bound(&ctx, SocketType::PAIR, "inproc://control");
    let steering = connected(&ctx, SocketType::PAIR, "inproc://control");
    thread::scope(|scope| {
        let client = connected(&ctx, SocketType::DEALER, "inproc://echo");
        let thread = scope.spawn(move || proxy_steerable(&echo, &echo, None, &control));
        for body in ["1", "2", "3"] {
            client.send_multipart([body, "more"], 0).unwrap();
            assert_eq!(frames(&client), [body.as_bytes(), b"more"]);
        }
        steering.send("TERMINATE", 0).unwrap();
        let ProxyStatistics { frontend, backend } = thread.join().unwrap().unwrap();
        assert_eq!(frontend.messages_in + backend.messages_in, 3);
    });
}

#[test]
fn a_rep_that_is_both_ends_answers_with_the_request() {
    let ctx = Ctx::new();
    let echo = bound(&ctx, SocketType::REP, "inproc://echo");
    let capture = bound(&ctx, SocketType::PUSH, "inproc://capture");
    let captured = connected(&ctx, SocketType::PULL, "inproc://capture");
    let control = bound(&ctx, SocketType::PAIR, "inproc://control");
    let steering = connected(&ctx, SocketType::PAIR, "inproc://control");
    thread::scope(|scope| {
        let client = connected(&ctx, SocketType::REQ, "inproc://echo");
        let thread = scope.spawn(move || proxy_steerable(&echo, &echo, Some(&capture), &control));
        for body in ["1", "2", "3"] {
            client.send_multipart([body, "more"], 0).unwrap();
            assert_eq!(frames(&client), [body.as_bytes(), b"more"]);
            assert_eq!(frames(&captured), [body.as_bytes(), b"more"]);
        }
        steering.send("TERMINATE", 0).unwrap();
        let ProxyStatistics { frontend, backend } = thread.join().unwrap().unwrap();
        assert_eq!(frontend.messages_in + backend.messages_in, 3);
    });
}

#[test]
fn over_tcp_many_clients_are_served_by_many_servers() {
    const CLIENTS: usize = 4;
    const REQUESTS: usize = 200;
    let ctx = Ctx::new();
    let frontend = bound(&ctx, SocketType::ROUTER, "tcp://127.0.0.1:*");
    let backend = bound(&ctx, SocketType::DEALER, "tcp://127.0.0.1:*");
    let (front, back) = (frontend.last_endpoint(), backend.last_endpoint());
    let steered = Steered::start(&ctx, frontend, backend, None);
    for _ in 0..2 {
        let server = connected(&ctx, SocketType::REP, &back);
        server.set_rcvtimeo(None).unwrap();
        thread::spawn(move || {
            while let Ok(request) = server.recv_multipart(0) {
                server.send_multipart(request, 0).unwrap();
            }
        });
    }
    thread::scope(|scope| {
        for n in 0..CLIENTS {
            let client = connected(&ctx, SocketType::REQ, &front);
            scope.spawn(move || {
                for m in 0..REQUESTS {
                    let request = format!("{n}:{m}");
                    client.send(&request, 0).unwrap();
                    assert_eq!(client.recv_string(0).unwrap(), request);
                }
            });
        }
    });
    let total = steered.end();
    assert_eq!(total.frontend.messages_out, (CLIENTS * REQUESTS) as u64);
    ctx.shutdown();
}

#[test]
fn the_end_of_the_context_ends_it() {
    let ctx = Ctx::new();
    let frontend = bound(&ctx, SocketType::ROUTER, "inproc://frontend");
    let backend = bound(&ctx, SocketType::DEALER, "inproc://backend");
    let thread = thread::spawn(move || proxy(&frontend, &backend, None));
    ctx.term(Some(PATIENCE)).unwrap();
    let ended = thread.join().unwrap();
    assert!(matches!(ended, Err(Error::Term)), "{ended:?}");
}

#[test]
fn what_is_no_reply_to_statistics_is_not_taken_for_one() {
    let number = ferrozmq::Msg::from(7u64.to_ne_bytes());
    for count in [0, 7, 9] {
        assert_eq!(
            ProxyStatistics::from_reply(&vec![number.clone(); count]),
            None
        );
    }
    let mut frames = vec![number; 8];
    assert_eq!(
        ProxyStatistics::from_reply(&frames)
            .unwrap()
            .backend
            .bytes_out,
        7
    );
    frames[3] = "seven".into();
    assert_eq!(ProxyStatistics::from_reply(&frames), None);
}
