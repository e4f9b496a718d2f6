//! [`AsyncSocket`]: a socket whose calls are awaited, on any runtime.
//!
//! It is a [`Socket`] and the wakers of those who wait for it: no thread, no runtime, no timer. A
//! call does what a blocking call does, on the same value by the same functions; only where that
//! would park its thread, this registers a waker as the signal of the socket's mailbox.

mod sending;
mod streams;
mod waiting;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

pub use self::sending::Sending;
use self::sending::{send_batch, send_unflushed};

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::msg::Msg;
use crate::options::SocketType;
use crate::pattern::Refused;
use crate::signaler::{Signal, Spin, TaskSignal};
use crate::socket::{Multipart, Socket, error_of};
use crate::socket_base::SocketBase;

/// After so many calls that did not have to wait, one lets the runtime's other tasks have a turn.
const CALLS_PER_TURN: u8 = 128;

/// How an attempt ended, if it was made.
type Tried = Option<std::result::Result<(), Refused>>;

/// What a task waits for. Different tasks may wait for different things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wait {
    ToRecv,
    ToSend,
    ForPeers,
}

impl Wait {
    const ALL: [Self; 3] = [Self::ToRecv, Self::ToSend, Self::ForPeers];
    const COUNT: usize = Self::ALL.len();

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A [`Socket`] for async code: the same socket, whose calls are awaited.
///
/// It runs on any runtime, needs none, and starts neither threads nor tasks: the context's I/O
/// threads wake the task that waits, as they wake a thread. Made by [`Ctx::async_socket`] or
/// [`Socket::into_async`]; options are reached by [`AsyncSocket::get_ref`].
///
/// It is also a [`Stream`](futures_core::Stream) of messages, which ends with the context, and a
/// [`Sink`](futures_sink::Sink) for them.
///
/// # Cancellation
/// Every future can be dropped at any time, by `select!` or a time limit, and the socket goes on
/// as if the call had not been made:
///
/// * A dropped receive has taken nothing.
/// * A dropped send has sent nothing of its message, and leaves it for
///   [`AsyncSocket::take_unsent`].
/// * A REQ that was sending can send again, one that was receiving still waits for its reply.
///
/// # Time limits
/// They are the runtime's, such as `tokio::time::timeout`. Of [`Socket::set_sndtimeo`] and
/// [`Socket::set_rcvtimeo`] only zero counts: the call fails with [`Error::Again`] instead of
/// waiting.
///
/// # Cost
/// A call that is ready at once costs what the blocking call costs: no waker is registered, nothing is
/// allocated or locked. A call that is not looks a few times more before its task sleeps, as a
/// blocking one does ([`Ctx::set_spin`]), since waking a task takes as long as waking a thread. That
/// keeps its thread from other tasks for some microseconds; so having looked in vain it waits
/// without for a while, and twice as long the next time.
///
/// # Fairness
/// A call that never has to wait would never let the runtime's other tasks run; so one in 128
/// yields.
///
/// ```
/// use ferrozmq::{Ctx, SocketType};
///
/// # fn main() -> ferrozmq::Result<()> { smol::block_on(async {
/// let ctx = Ctx::new();
/// let mut server = ctx.async_socket(SocketType::REP)?;
/// server.bind("tcp://127.0.0.1:*")?;
/// let mut client = ctx.async_socket(SocketType::REQ)?;
/// client.connect(&server.last_endpoint())?;
///
/// client.send("a question").await?;
/// assert_eq!(server.recv().await?, "a question");
/// server.send("an answer").await?;
/// assert_eq!(client.recv().await?, "an answer");
/// # Ok(()) }) }
/// ```
#[derive(Debug)]
pub struct AsyncSocket {
    socket: Socket,
    waiters: Waiters,
    /// What a dropped [`Sending`] has not sent.
    unsent: Multipart,
    /// What the sink took and has not sent.
    queued: Option<Multipart>,
    calls_left: u8,
}

impl Ctx {
    /// Creates a socket for async code: [`Ctx::socket`], then [`Socket::into_async`].
    ///
    /// # Errors
    /// As for [`Ctx::socket`].
    pub fn async_socket(&self, socket_type: SocketType) -> Result<AsyncSocket> {
        Ok(self.socket(socket_type)?.into_async())
    }
}

impl Socket {
    /// Makes the calls of this socket ones to be awaited. Connections, options and messages stay
    /// as they are; [`AsyncSocket::into_blocking`] leads back.
    #[must_use]
    pub fn into_async(self) -> AsyncSocket {
        AsyncSocket {
            socket: self,
            waiters: Waiters::new(),
            unsent: Multipart::new(),
            queued: None,
            calls_left: CALLS_PER_TURN,
        }
    }
}

impl AsyncSocket {
    /// The socket itself, for its options and whatever else does not wait. Its calls that wait
    /// block the thread.
    #[must_use]
    pub fn get_ref(&self) -> &Socket {
        // A call may take notice of what a task waits for.
        self.waiters.signal.signal();
        // What the sink holds back would hold back what a call sends.
        self.socket.base().flush();
        &self.socket
    }

    /// The socket, for blocking calls. A message that the sink took and could not send yet is dropped.
    #[must_use]
    pub fn into_blocking(self) -> Socket {
        self.socket.base().flush();
        self.socket
    }

    /// [`Socket::bind`]. Does not wait, unless the endpoint has a host name to be looked up.
    ///
    /// # Errors
    /// As for [`Socket::bind`].
    pub fn bind(&self, endpoint: &str) -> Result<()> {
        self.get_ref().bind(endpoint)
    }

    /// [`Socket::connect`]. Does not wait.
    ///
    /// # Errors
    /// As for [`Socket::connect`].
    pub fn connect(&self, endpoint: &str) -> Result<()> {
        self.get_ref().connect(endpoint)
    }

    /// [`Socket::last_endpoint`].
    #[must_use]
    pub fn last_endpoint(&self) -> String {
        self.socket.last_endpoint()
    }

    // ── sending ──────────────────────────────────────────────────────────────────────────────

    /// Sends a message of one frame. Waits like [`Socket::send`] for a peer that has room.
    ///
    /// # Cancellation
    /// Dropped before it is ready, it has sent nothing, and [`AsyncSocket::take_unsent`] gives
    /// the message back.
    ///
    /// # Errors
    /// As for [`Socket::send`]; the message comes back.
    #[inline]
    pub fn send(&mut self, message: impl Into<Msg>) -> Sending<'_> {
        self.forget_unsent();
        Sending::new(self, message.into())
    }

    /// Sends a message of one frame without taking it over, as [`Socket::send_msg`] does: what is in
    /// `msg` afterwards means nothing. With [`AsyncSocket::recv_msg`] the fastest way, as a message
    /// that is used again and again need not be moved.
    ///
    /// # Cancellation
    /// Dropped before it is ready, it has sent nothing, and `msg` is as it was.
    ///
    /// # Errors
    /// As for [`AsyncSocket::send`]; `msg` is as it was.
    pub async fn send_msg(&mut self, msg: &mut Msg) -> Result<()> {
        self.forget_unsent();
        msg.set_more(false);
        poll_fn(|cx| {
            ready!(self.poll_send_queued(cx))?;
            self.poll_base(Wait::ToSend, cx, |base| {
                base.send(msg)?;
                base.flush();
                Ok(())
            })
        })
        .await
    }

    /// Sends a message of several frames: all of them or none.
    ///
    /// # Cancellation
    /// As for [`AsyncSocket::send`]: all frames come back.
    ///
    /// # Errors
    /// As for [`Socket::send_multipart`]; the frames come back.
    pub fn send_multipart<I>(&mut self, frames: I) -> Sending<'_, Multipart>
    where
        I: IntoIterator,
        I::Item: Into<Msg>,
    {
        self.forget_unsent();
        Sending::new(self, frames.into_iter().map(Into::into).collect())
    }

    /// Sends all messages in a queue, and wakes their receivers as seldom as possible. Frames that
    /// have the MORE flag ([`Msg::set_more`]) form a message with those behind them. A message
    /// leaves the queue as it is sent.
    ///
    /// # Cancellation
    /// Dropped before it is ready, it has sent what is no longer in the queue, and only whole
    /// messages. To go on, call it again with the same queue.
    ///
    /// # Errors
    /// As for [`Socket::send`]; the message that cannot be sent is then the first in the queue.
    /// [`Error::InvalidArgument`] if the last frame has the MORE flag.
    pub async fn send_many(&mut self, messages: &mut VecDeque<Msg>) -> Result<()> {
        if messages.back().is_some_and(Msg::more) {
            return Err(Error::InvalidArgument("the last message is not whole"));
        }
        poll_fn(|cx| {
            ready!(self.poll_send_queued(cx))?;
            self.poll_base(Wait::ToSend, cx, |base| send_batch(base, messages))
        })
        .await
    }

    /// What a dropped [`AsyncSocket::send`] or [`AsyncSocket::send_multipart`] has not sent, until
    /// the next such call; or else what the sink took and has not sent. Empty if there is nothing.
    pub fn take_unsent(&mut self) -> Multipart {
        if self.unsent.is_empty() {
            self.queued.take().unwrap_or_default()
        } else {
            std::mem::take(&mut self.unsent)
        }
    }

    /// Ready when a message can be sent at once, for those who write futures; then
    /// [`Socket::try_send`] sends it. Never ready if the socket type does not send.
    ///
    /// Of several tasks that wait to send, the last to ask is woken.
    ///
    /// # Cancellation
    /// It only looks; nobody need ask again.
    ///
    /// # Errors
    /// [`Error::Term`], and what sending the sink's last message meets with.
    pub fn poll_send_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_send_queued(cx))?;
        self.poll_base(Wait::ToSend, cx, |base| {
            base.can_send().then_some(()).ok_or(Refused::WouldBlock)
        })
    }

    #[inline]
    fn forget_unsent(&mut self) {
        if !self.unsent.is_empty() {
            self.unsent = Multipart::new();
        }
    }

    /// Sends what the sink took before, which mostly is nothing.
    #[inline]
    fn poll_send_queued(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.queued.is_none() {
            return Poll::Ready(Ok(()));
        }
        self.poll_send_waiting(cx)
    }

    #[cold]
    fn poll_send_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut queued = self.queued.take();
        let polled = self.poll_base(Wait::ToSend, cx, |base| {
            send_unflushed(base, &mut queued)?;
            base.flush();
            Ok(())
        });
        if polled.is_pending() {
            self.queued = queued;
        } else {
            self.unsent = queued.unwrap_or_default();
        }
        polled
    }

    // ── receiving ────────────────────────────────────────────────────────────────────────────

    /// Receives a frame; [`Msg::more`] tells whether its message goes on.
    ///
    /// # Cancellation
    /// Dropped before it is ready, it has received nothing.
    ///
    /// # Errors
    /// As for [`Socket::recv_msg`], but never [`Error::Again`] unless [`Socket::set_rcvtimeo`] is
    /// zero.
    #[inline]
    pub fn recv(&mut self) -> Receiving<'_> {
        Receiving(self)
    }

    /// Receives a frame into `msg`, as [`Socket::recv`] does; what was in it is dropped.
    ///
    /// ```
    /// use ferrozmq::{Ctx, Msg, SocketType};
    ///
    /// # fn main() -> ferrozmq::Result<()> { smol::block_on(async {
    /// # let ctx = Ctx::new();
    /// # let mut pull = ctx.async_socket(SocketType::PULL)?;
    /// # pull.bind("inproc://frames")?;
    /// # let mut push = ctx.async_socket(SocketType::PUSH)?;
    /// # push.connect("inproc://frames")?;
    /// let (mut sent, mut received) = (Msg::new(), Msg::new());
    /// for n in 0..1000_u32 {
    ///     sent.copy_from(&n.to_le_bytes());
    ///     push.send_msg(&mut sent).await?;
    ///     pull.recv_msg(&mut received).await?;
    ///     assert_eq!(received, n.to_le_bytes());
    /// }
    /// # Ok(()) }) }
    /// ```
    ///
    /// # Cancellation
    /// Dropped before it is ready, it has received nothing; `msg` is empty, or as it was.
    ///
    /// # Errors
    /// As for [`AsyncSocket::recv`]; `msg` is empty, or as it was.
    pub async fn recv_msg(&mut self, msg: &mut Msg) -> Result<()> {
        let mut attempt = |base: &mut SocketBase| {
            let received = base.recv(msg);
            if received.is_err() {
                *msg = Msg::new();
            }
            received
        };
        poll_fn(|cx| self.poll_base(Wait::ToRecv, cx, &mut attempt)).await
    }

    /// Receives the frames of one message, or what is left of the message being received.
    ///
    /// # Cancellation
    /// Dropped before it is ready, it has received nothing.
    ///
    /// # Errors
    /// As for [`AsyncSocket::recv`].
    pub async fn recv_multipart(&mut self) -> Result<Multipart> {
        poll_fn(|cx| self.poll_recv_multipart(cx)).await
    }

    /// Receives up to `max` messages at once: waits for the first and takes what else is there.
    /// Frames are appended to `messages`; a message is never cut.
    ///
    /// Returns how many messages were received: 0 only if `max` is 0.
    ///
    /// # Cancellation
    /// Dropped before it is ready, it has received nothing, and `messages` is unchanged.
    ///
    /// # Errors
    /// As for [`AsyncSocket::recv`]; nothing was received then.
    pub async fn recv_many(&mut self, messages: &mut Vec<Msg>, max: usize) -> Result<usize> {
        if max == 0 {
            return Ok(0);
        }
        let mut received = 0;
        let mut attempt = |base: &mut SocketBase| {
            received = recv_batch(base, messages, max)?;
            Ok(())
        };
        poll_fn(|cx| self.poll_base(Wait::ToRecv, cx, &mut attempt)).await?;
        Ok(received)
    }

    /// [`AsyncSocket::recv`], for those who write futures. Of several tasks that wait to receive,
    /// the last to ask is woken.
    ///
    /// # Cancellation
    /// Until it is ready, it has received nothing; nobody need ask again.
    ///
    /// # Errors
    /// As for [`AsyncSocket::recv`].
    #[inline(always)]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Msg>> {
        let mut frame = Msg::new();
        match self.try_at_once(|base| base.recv(&mut frame)) {
            Some(Ok(())) => Poll::Ready(Ok(frame)),
            tried => self.poll_recv_again(tried, cx),
        }
    }

    /// Apart, so that the frame is moved as little as can be: that costs more than to receive it.
    #[cold]
    fn poll_recv_again(&mut self, tried: Tried, cx: &mut Context<'_>) -> Poll<Result<Msg>> {
        let mut frame = Msg::new();
        ready!(self.settle(tried, Wait::ToRecv, cx, &mut |base| base.recv(&mut frame)))?;
        Poll::Ready(Ok(frame))
    }

    /// [`AsyncSocket::recv_multipart`], for those who write futures. Of several tasks that wait
    /// to receive, the last to ask is woken.
    ///
    /// # Cancellation
    /// As for [`AsyncSocket::poll_recv`].
    ///
    /// # Errors
    /// As for [`AsyncSocket::recv`].
    pub fn poll_recv_multipart(&mut self, cx: &mut Context<'_>) -> Poll<Result<Multipart>> {
        let mut frames = Multipart::new();
        ready!(self.poll_base(Wait::ToRecv, cx, |base| recv_now(base, &mut frames)))?;
        Poll::Ready(Ok(frames))
    }

    // ── waiting ──────────────────────────────────────────────────────────────────────────────

    /// Does what `attempt` does as soon as it is not refused for want of a message or of room.
    #[inline(always)]
    fn poll_base(
        &mut self,
        wait: Wait,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&mut SocketBase) -> std::result::Result<(), Refused>,
    ) -> Poll<Result<()>> {
        match self.try_at_once(&mut attempt) {
            Some(Ok(())) => Poll::Ready(Ok(())),
            tried => self.settle(tried, wait, cx, &mut attempt),
        }
    }

    /// Makes an attempt unless there is something to be done first. What is possible at once costs
    /// what it costs the blocking call: no waker is touched.
    #[inline(always)]
    fn try_at_once(
        &mut self,
        attempt: impl FnOnce(&mut SocketBase) -> std::result::Result<(), Refused>,
    ) -> Tried {
        if self.calls_left == 0 || self.waiters.waiting != 0 {
            return None;
        }
        let base = self.socket.base_mut();
        base.process().ok()?;
        self.calls_left -= 1;
        Some(attempt(base))
    }

    /// Goes on with an attempt that was refused, or not made since something is in its way.
    #[cold]
    fn settle(
        &mut self,
        mut tried: Tried,
        wait: Wait,
        cx: &mut Context<'_>,
        attempt: &mut dyn FnMut(&mut SocketBase) -> std::result::Result<(), Refused>,
    ) -> Poll<Result<()>> {
        let base = self.socket.base_mut();
        loop {
            match tried {
                None => {}
                Some(Ok(())) => {
                    // A REQ that has received may send, a REP that has sent may receive.
                    self.waiters.wake_others(wait);
                    return Poll::Ready(Ok(()));
                }
                Some(Err(Refused::WouldBlock)) if may_wait(base, wait) => {
                    let is_asleep = self.waiters.fall_asleep(base, wait, cx);
                    if is_asleep {
                        self.calls_left = CALLS_PER_TURN;
                        return Poll::Pending;
                    }
                }
                Some(Err(Refused::Yield)) => return self.give_way(cx),
                Some(Err(refused)) => {
                    // What was sent before must be on its way, and nothing is held back any more.
                    base.flush();
                    return Poll::Ready(Err(error_of(refused)));
                }
            }
            let Some(calls_left) = self.calls_left.checked_sub(1) else {
                return self.give_way(cx);
            };
            self.calls_left = calls_left;
            base.process()?;
            tried = Some(attempt(base));
        }
    }

    /// Lets the runtime's other tasks have a turn.
    fn give_way<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        self.calls_left = CALLS_PER_TURN;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The future of [`AsyncSocket::recv`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct Receiving<'a>(&'a mut AsyncSocket);

impl Future for Receiving<'_> {
    type Output = Result<Msg>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Msg>> {
        self.0.poll_recv(cx)
    }
}

/// The tasks that wait for a socket.
#[derive(Debug)]
struct Waiters {
    signal: Arc<TaskSignal<{ Wait::COUNT }>>,
    /// Who waits, as far as the socket's side knows; bit n: the one in place n.
    waiting: u8,
    spin: Spin,
}

impl Waiters {
    fn new() -> Self {
        Self {
            signal: Arc::new(TaskSignal::new()),
            waiting: 0,
            spin: Spin::default(),
        }
    }

    /// Has the task woken when something has come; false if something has already.
    fn fall_asleep(&mut self, base: &mut SocketBase, wait: Wait, cx: &Context<'_>) -> bool {
        // What was sent before must be on its way, or waiting would be for ever.
        base.flush();
        if wait != Wait::ForPeers && base.look(&self.spin) {
            return false;
        }
        self.waiting |= wait.bit();
        self.signal.register(wait as usize, cx.waker());
        let signal: Arc<dyn Signal> = self.signal.clone();
        base.fall_asleep(&signal)
    }

    /// Wakes those who wait for something else than the task that is awake.
    fn wake_others(&mut self, awake: Wait) {
        let waiting = std::mem::take(&mut self.waiting) & !awake.bit();
        if waiting == 0 {
            return;
        }
        for wait in Wait::ALL {
            if waiting & wait.bit() != 0 {
                self.signal.wake(wait as usize);
            }
        }
    }
}

/// Whether the option that limits the time of such a wait allows any.
fn may_wait(base: &SocketBase, wait: Wait) -> bool {
    let limit = match wait {
        Wait::ToRecv => base.options.recv_timeout,
        Wait::ToSend => base.options.send_timeout,
        Wait::ForPeers => None,
    };
    limit.is_none_or(|limit| !limit.is_zero())
}

/// Receives the frames of one message. Only the first can be refused: the others are there.
fn recv_now(
    base: &mut SocketBase,
    frames: &mut impl Extend<Msg>,
) -> std::result::Result<(), Refused> {
    let mut more = true;
    while more {
        let mut frame = Msg::new();
        base.recv(&mut frame)?;
        more = frame.more();
        frames.extend([frame]);
    }
    Ok(())
}

/// Receives up to `max` messages, at least one.
fn recv_batch(
    base: &mut SocketBase,
    messages: &mut Vec<Msg>,
    max: usize,
) -> std::result::Result<usize, Refused> {
    recv_now(base, messages)?;
    let others = (1..max).take_while(|_| recv_now(base, messages).is_ok());
    Ok(1 + others.count())
}
