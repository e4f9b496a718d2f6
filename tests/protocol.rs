//! Another protocol over the engine: lines of text, by an engine and a pattern of this file's own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, IoSlice, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use ferrozmq::protocol::{
    AttendedSocket, Batch, Engine, Event, Failure, Frames, Key, Lb, Notifier, Origin, Pattern,
    Pipes, Protocol, Received, Refused, Run, append, bodies, introduction, is_peer_gone,
    pattern_of, wait_for,
};
use ferrozmq::{Ctx, DONTWAIT, Error, EventKind, Metadata, Msg, ProtocolError, Socket, SocketType};

const LIMIT: Duration = Duration::from_secs(20);
const LINE_MAX: usize = 1000;

// ── the protocol ─────────────────────────────────────────────────────────────────────────────

#[derive(Debug)]
struct Lines;

impl Protocol for Lines {
    fn engine(&self, peer_address: Option<String>) -> Box<dyn Engine> {
        Box::new(LineEngine {
            new: Some(introduction(peer_address)),
            partial: Vec::new(),
            run: Vec::new(),
            batch: Batch::default(),
        })
    }
}

/// Each message is a line.
#[derive(Debug)]
struct LineEngine {
    new: Option<Arc<Metadata>>,
    partial: Vec<u8>,
    run: Vec<u8>,
    batch: Batch,
}

impl LineEngine {
    fn put(&mut self, body: &[u8]) {
        let out = self.batch.raw();
        out.extend_from_slice(body);
        out.push(b'\n');
    }
}

impl Engine for LineEngine {
    fn handle_input(&mut self, input: &mut &[u8], room: u64, _now: Instant) -> Option<Event> {
        if let Some(peer) = self.new.take() {
            return Some(Event::Ready(peer));
        }
        self.run.clear();
        let mut messages = 0;
        while messages < room {
            let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
                break;
            };
            self.partial.extend_from_slice(&input[..end]);
            *input = &input[end + 1..];
            append(&mut self.run, &self.partial);
            self.partial.clear();
            messages += 1;
        }
        if messages > 0 {
            return Some(Event::Run(Run {
                len: self.run.len(),
                messages,
                more: false,
            }));
        }
        self.partial.extend_from_slice(std::mem::take(input));
        let error = ProtocolError::MessageTooLarge;
        (self.partial.len() > LINE_MAX).then_some(Event::Failed(Failure::Protocol(error)))
    }

    fn run<'a>(&'a self, _taken: &'a [u8], run: Run) -> Received<'a> {
        Received::frames(&self.run[..run.len])
    }

    fn wants_messages(&self) -> bool {
        self.new.is_none() && self.batch.pending() < 10_000
    }

    fn push(&mut self, msg: Msg) {
        self.put(&msg);
    }

    fn run_max(&self) -> usize {
        64 * 1024
    }

    fn push_run(&mut self, run: Frames<'_>) {
        match run {
            Frames::Copy(bytes) => bodies(bytes).for_each(|body| self.put(body)),
            Frames::Keep(bytes) => bodies(&bytes).for_each(|body| self.put(body)),
        }
    }

    fn poll_transmit<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.batch.poll_transmit(slices)
    }

    fn handle_sent(&mut self, n: usize) {
        self.batch.handle_sent(n);
    }

    fn is_drained(&self) -> bool {
        self.batch.pending() == 0
    }

    fn shrink(&mut self) {
        self.batch.shrink();
    }
}

/// A PUSH that keeps what it is given until a peer is there, and tells when one comes or goes.
#[derive(Debug)]
struct Keeper {
    lb: Lb,
    kept: Vec<Msg>,
    peers: Sender<&'static str>,
    notifier: Notifier,
}

impl Pattern for Keeper {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, _origin: Origin) {
        assert!(!is_peer_gone(pipes, key));
        self.lb.attach(key);
        for mut msg in std::mem::take(&mut self.kept) {
            self.lb.send(pipes, &mut msg).expect("the pipe has room");
        }
        let _ = self.peers.send("come");
        assert!(self.notifier.is_heard());
        self.notifier.notify(Arc::new("something of lines"));
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.lb.detach(key);
        pipes.remove(key);
        let _ = self.peers.send("gone");
    }

    fn on_readable(&mut self, _: &mut Pipes, _: Key) {}

    fn on_writable(&mut self, _: &mut Pipes, key: Key) {
        self.lb.activate(key);
    }

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.detach(pipes, key);
    }

    fn on_hiccup(&mut self, _: &mut Pipes, _: Key) {}

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        if self.lb.send(pipes, msg).is_err() {
            self.kept.push(std::mem::take(msg));
        }
        Ok(())
    }

    fn recv(&mut self, _: &mut Pipes, _: &mut Msg) -> Result<(), Refused> {
        Err(Refused::NotSupported)
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        true
    }

    fn can_recv(&mut self, _: &mut Pipes) -> bool {
        false
    }

    fn has_backlog(&self) -> bool {
        !self.kept.is_empty()
    }

    fn on_stop(&mut self, _: &mut Pipes) {
        let _ = self.peers.send("stopped");
    }
}

fn socket(ctx: &Ctx, socket_type: SocketType) -> Socket {
    ctx.protocol_socket(socket_type, Arc::new(Lines), |_| pattern_of(socket_type))
        .unwrap()
}

/// A keeper, bound to a port; and what it tells.
fn keeper(ctx: &Ctx) -> (Socket, Receiver<&'static str>) {
    let (peers, told) = unbounded();
    let keeper = ctx
        .protocol_socket(SocketType::PUSH, Arc::new(Lines), |notifier| {
            Box::new(Keeper {
                lb: Lb::default(),
                kept: Vec::new(),
                peers,
                notifier,
            })
        })
        .unwrap();
    keeper.set_immediate(true).unwrap();
    keeper.set_sndhwm(0).unwrap();
    keeper.bind("tcp://127.0.0.1:*").unwrap();
    (keeper, told)
}

fn raw(socket: &Socket) -> TcpStream {
    let endpoint = socket.last_endpoint();
    let stream = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

// ── what the engine does for it ──────────────────────────────────────────────────────────────

#[test]
fn sockets_speak_it_with_each_other_and_with_whoever_does() {
    let ctx = Ctx::new();
    let pull = socket(&ctx, SocketType::PULL);
    pull.bind("tcp://127.0.0.1:*").unwrap();
    let push = socket(&ctx, SocketType::PUSH);
    push.connect(&pull.last_endpoint()).unwrap();
    let large = "x".repeat(100_000);
    for n in 0..1000 {
        push.send(format!("line {n}"), 0).unwrap();
    }
    for n in 0..1000 {
        assert_eq!(pull.recv_string(0).unwrap(), format!("line {n}"));
    }

    let mut writer = raw(&pull);
    writer.write_all(b"one\ntw").unwrap();
    writer.write_all(b"o\n").unwrap();
    assert_eq!(pull.recv_string(0).unwrap(), "one");
    assert_eq!(pull.recv_string(0).unwrap(), "two");
    push.disconnect(&pull.last_endpoint()).unwrap();
    push.bind("tcp://127.0.0.1:*").unwrap();
    let mut reader = BufReader::new(raw(&push));
    push.send(&large, 0).unwrap();
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), large);
}

#[test]
fn who_breaks_it_is_closed() {
    let ctx = Ctx::new();
    let pull = socket(&ctx, SocketType::PULL);
    pull.bind("tcp://127.0.0.1:*").unwrap();
    let monitor = pull.monitor();
    raw(&pull).write_all(&[b'x'; LINE_MAX + 1]).unwrap();
    let lost = monitor.wait_for(Instant::now() + LIMIT, |event| {
        matches!(event.kind, EventKind::Disconnected { .. })
    });
    let lost = format!("{}", lost.unwrap());
    assert!(lost.ends_with("message larger than the limit"), "{lost}");
}

#[test]
fn it_goes_over_the_network_only() {
    let ctx = Ctx::new();
    let push = socket(&ctx, SocketType::PUSH);
    for refused in [push.bind("inproc://x"), push.connect("inproc://x")] {
        assert!(matches!(refused, Err(Error::IncompatibleTransport)));
    }
    for factor in [0.9, f64::NAN] {
        let refused = push.set_reconnect_factor(factor);
        assert!(matches!(refused, Err(Error::InvalidArgument(_))));
    }
}

#[test]
fn an_attended_socket_reacts_though_nobody_calls_it() {
    let ctx = Ctx::new();
    let (keeper, told) = keeper(&ctx);
    let monitor = keeper.monitor();
    let mut peer = BufReader::new(raw(&keeper));
    let keeper = AttendedSocket::new(keeper).unwrap();
    assert_eq!(told.recv_timeout(LIMIT), Ok("come"));
    let told_to_monitor = monitor.wait_for(
        Instant::now() + LIMIT,
        |event| matches!(&event.kind, EventKind::Other(what) if what.is::<&str>()),
    );
    assert!(told_to_monitor.is_some());
    keeper.send(&mut "hello".into(), DONTWAIT).unwrap();
    let mut line = String::new();
    peer.read_line(&mut line).unwrap();
    assert_eq!(line, "hello\n");
    drop(peer);
    assert_eq!(told.recv_timeout(LIMIT), Ok("gone"));
    ctx.shutdown();
    assert_eq!(told.recv_timeout(LIMIT), Ok("stopped"));
    let refused = keeper.send(&mut "x".into(), 0);
    assert!(matches!(refused, Err(Error::Term)));
    drop(keeper);
    assert!(ctx.term(Some(LIMIT)).is_ok());
}

#[test]
fn what_a_closed_socket_has_kept_is_sent_when_somebody_comes() {
    let ctx = Ctx::new();
    for attended in [false, true] {
        let (keeper, _told) = keeper(&ctx);
        let _monitor = keeper.monitor();
        let endpoint = keeper.last_endpoint();
        keeper.send("kept", 0).unwrap();
        if attended {
            drop(AttendedSocket::new(keeper).unwrap());
        } else {
            drop(keeper);
        }
        let pull = socket(&ctx, SocketType::PULL);
        pull.connect(&endpoint).unwrap();
        assert_eq!(pull.recv_string(0).unwrap(), "kept");
    }
}

#[test]
fn users_and_attendant_do_not_hold_each_other_up() {
    let ctx = Ctx::new();
    let (keeper, _told) = keeper(&ctx);
    let _monitor = keeper.monitor();
    let endpoint = keeper.last_endpoint();
    let keeper = AttendedSocket::new(keeper).unwrap();
    const COUNT: usize = 20_000;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..COUNT {
                    keeper.send(&mut "x".into(), 0).unwrap();
                }
            });
        }
        // One that stays, so that nothing is kept for ever.
        let pull = socket(&ctx, SocketType::PULL);
        pull.set_rcvtimeo(Some(LIMIT)).unwrap();
        pull.connect(&endpoint).unwrap();
        for _ in 0..2 * COUNT {
            assert_eq!(pull.recv_string(0).unwrap(), "x");
        }
    });
}

#[test]
fn what_comes_while_a_user_has_the_socket_is_taken_in_after_that() {
    let ctx = Ctx::new();
    let (keeper, told) = keeper(&ctx);
    let monitor = keeper.monitor();
    let endpoint = keeper.last_endpoint();
    let keeper = AttendedSocket::new(keeper).unwrap();
    let pull = socket(&ctx, SocketType::PULL);
    keeper
        .with(|_| {
            pull.connect(&endpoint)?;
            let is_there = monitor.wait_for(Instant::now() + LIMIT, |event| {
                matches!(event.kind, EventKind::HandshakeSucceeded)
            });
            assert!(is_there.is_some());
            Ok(())
        })
        .unwrap();
    assert_eq!(told.recv_timeout(LIMIT), Ok("come"));
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = keeper.with(|_| -> Result<(), Error> {
            drop(pull);
            panic!("not used rightly")
        });
    }));
    assert!(panics.is_err());
    assert_eq!(told.recv_timeout(LIMIT), Ok("gone"));
}

#[test]
fn threads_wait_for_what_tasks_await() {
    let soon = Instant::now() + Duration::from_millis(5);
    let never = wait_for::<()>(0, Some(soon), |_| std::task::Poll::Pending);
    assert_eq!(never, None);
    let (wakers, waker) = unbounded();
    let waking = std::thread::spawn(move || {
        let waker: std::task::Waker = waker.recv().unwrap();
        waker.wake();
    });
    let mut asked = 0;
    let found = wait_for(3, Some(Instant::now() + LIMIT), |waker| {
        asked += 1;
        if asked == 1 {
            wakers.send(waker.clone()).unwrap();
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(asked)
    });
    assert_eq!(found, Some(2));
    waking.join().unwrap();
}
