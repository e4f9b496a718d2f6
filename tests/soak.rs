//! A thousand async sockets in one process, over tcp, whose calls are dropped at random: nothing is
//! lost, doubled, torn or out of order.
//!
//! `FERROZMQ_SOAK_MESSAGES` sets how many messages; the default is 200,000.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ferrozmq::SocketType::{DEALER, REP, REQ};
use ferrozmq::{AsyncSocket, Ctx, Error, Multipart, SocketType};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

const SOCKETS: usize = 1000;

/// No more than so many messages of a socket wait, so that senders wait often.
const MARK: u32 = 8;

fn messages() -> usize {
    let wanted = std::env::var("FERROZMQ_SOAK_MESSAGES").ok();
    wanted.map_or(200_000, |count| count.parse().unwrap())
}

/// Polls a future up to so many times, and then drops it. Between two polls others have a turn,
/// but nothing needs to have happened.
async fn at_most<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        let polled = future.as_mut().poll(cx).map(Some);
        if polled.is_pending() {
            cx.waker().wake_by_ref();
        }
        polled
    })
    .await
}

/// The message of a number: one frame or several, small or larger.
fn message(number: usize) -> Multipart {
    let filler = "x".repeat(number % 7 * 40);
    let frames = [number.to_string(), filler, "end".to_owned()];
    let count = [1, 3, 2][number % 3];
    frames.iter().take(count).map(ferrozmq::Msg::from).collect()
}

/// One side of an exchange: what it has sent and received.
struct Side {
    socket: AsyncSocket,
    sent: usize,
    received: usize,
}

impl Side {
    fn new(socket: AsyncSocket) -> Self {
        let (sent, received) = (0, 0);
        Self {
            socket,
            sent,
            received,
        }
    }

    /// Tries to send the next message; it is sent, or given back whole.
    async fn try_send(&mut self) -> bool {
        let sending = self.socket.send_multipart(message(self.sent));
        match at_most(fastrand::u32(0..3), sending).await {
            Some(outcome) => outcome.unwrap(),
            None => {
                assert_eq!(self.socket.take_unsent(), message(self.sent));
                return false;
            }
        }
        self.sent += 1;
        true
    }

    /// Tries to receive the next message.
    async fn try_recv(&mut self) -> bool {
        let receiving = self.socket.recv_multipart();
        let Some(frames) = at_most(fastrand::u32(0..3), receiving).await else {
            return false;
        };
        assert_eq!(frames.unwrap(), message(self.received));
        self.received += 1;
        true
    }

    /// Waits until the next message can be sent, or takes the next that has come.
    fn poll_ready(&mut self, cx: &mut Context<'_>, each: usize) -> Poll<()> {
        if self.sent < each && self.socket.poll_send_ready(cx).is_ready() {
            return Poll::Ready(());
        }
        if self.received == each {
            return Poll::Pending;
        }
        self.socket.poll_recv_multipart(cx).map(|frames| {
            assert_eq!(frames.unwrap(), message(self.received));
            self.received += 1;
        })
    }

    /// Sends and receives so many messages, in any order.
    async fn exchange(mut self, each: usize) -> AsyncSocket {
        while self.sent < each || self.received < each {
            let moved = if self.sent < each && fastrand::bool() {
                self.try_send().await
            } else {
                self.received < each && self.try_recv().await
            };
            if !moved {
                poll_fn(|cx| self.poll_ready(cx, each)).await;
            }
        }
        self.socket
    }

    /// Asks so many questions.
    async fn ask(mut self, each: usize) -> AsyncSocket {
        while self.received < each {
            while !self.try_send().await {}
            while !self.try_recv().await {}
        }
        self.socket
    }

    /// Answers so many questions.
    async fn answer(mut self, each: usize) -> AsyncSocket {
        while self.sent < each {
            while !self.try_recv().await {}
            while !self.try_send().await {}
        }
        self.socket
    }
}

fn pair(ctx: &Ctx, bound: SocketType, connected: SocketType) -> (Side, Side) {
    let socket = |socket_type| {
        let socket = ctx.socket(socket_type).unwrap();
        socket.set_sndhwm(MARK).unwrap();
        socket.set_rcvhwm(MARK).unwrap();
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        socket
    };
    let (bound, connected) = (socket(bound), socket(connected));
    bound.bind("tcp://127.0.0.1:*").unwrap();
    connected.connect(&bound.last_endpoint()).unwrap();
    (
        Side::new(bound.into_async()),
        Side::new(connected.into_async()),
    )
}

#[test]
fn a_thousand_sockets_whose_calls_are_dropped_at_random() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let ctx = Ctx::new();
    ctx.set_io_threads(2).unwrap();
    ctx.set_max_sockets(SOCKETS).unwrap();
    let each = messages() / SOCKETS;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut tasks = Vec::new();
    for n in 0..SOCKETS / 2 {
        if n % 10 == 0 {
            let (rep, req) = pair(&ctx, REP, REQ);
            tasks.push(runtime.spawn(rep.answer(each)));
            tasks.push(runtime.spawn(req.ask(each)));
        } else {
            let (one, other) = pair(&ctx, DEALER, DEALER);
            tasks.push(runtime.spawn(one.exchange(each)));
            tasks.push(runtime.spawn(other.exchange(each)));
        }
    }
    // Sockets are kept until all are done, so that nothing is cut short.
    let all = futures_util::future::join_all(tasks);
    let sockets: Vec<_> = runtime
        .block_on(all)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(sockets.len(), SOCKETS);
    for socket in &sockets {
        let more = socket.get_ref().try_recv();
        assert!(matches!(more, Err(Error::Again | Error::Fsm)), "{more:?}");
    }
}
