//! [`Sender`]: many threads and tasks send through one socket, without a lock around it.
//!
//! Each sender has a pipe of its own into the socket, see `feeds.rs`; the lock here is around the
//! sender's end of that pipe, and only those meet at it who share one sender.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::feeds::Inlet;
use crate::msg::{Msg, SendError};
use crate::pipe::{self, PipeEnd, PipeEvent, PipePeer, WriteError};
use crate::signaler::Signaler;
use crate::slab::{Key, Slab};
use crate::socket::{DONTWAIT, Message, Multipart, Socket, check_flags};

/// After so many awaited sends, one lets the runtime's other tasks have a turn.
const SENDS_PER_TURN: u32 = 128;

/// Sends through a PUSH, PUB, DEALER or PAIR from any thread and any task. Made by
/// [`Socket::sender`] or [`Socket::into_sender`], and cloned.
///
/// A message goes to the socket, which sends it as if it were its owner's. Messages of one sender
/// stay in order; a message of several frames stays whole, whatever others send.
///
/// # Who does the work
/// Sending only writes into a queue of this sender's. From there messages are taken by whoever
/// owns the socket:
///
/// * While there is a [`Socket`], by its thread in each of its calls, those that wait included:
///   an owner that waits in `recv` is woken. An owner that makes no call takes nothing.
/// * Once the `Socket` is dropped, by an I/O thread. So a PUSH or PUB that has nothing to do but
///   to serve senders is best dropped, which [`Socket::into_sender`] does. What peers send to
///   such a DEALER or PAIR is received by nobody.
///
/// # Back-pressure
/// While the socket cannot send on, each sender's queue fills up to what [`Socket::set_sndhwm`] said
/// when [`Socket::sender`] was called; then the sender waits. A PUB drops
/// for slow subscribers, as ever, and so hardly ever lets a sender wait.
///
/// # The end
/// The socket lives as long as its `Socket` or one of its senders. The last to be dropped closes
/// it: never blocks, and what was sent is delivered within the linger time. A context that ends
/// has all sends fail with [`Error::Term`], and waits for its senders to be dropped, as it does
/// for sockets.
///
/// # Sharing or cloning
/// A sender can be shared by reference, but a clone for each thread is faster: clones have nothing
/// in common. One that never sends costs next to nothing.
///
/// ```
/// use ferrozmq::{Ctx, SocketType};
///
/// # fn main() -> ferrozmq::Result<()> {
/// let ctx = Ctx::new();
/// let pull = ctx.socket(SocketType::PULL)?;
/// pull.bind("tcp://127.0.0.1:*")?;
/// let push = ctx.socket(SocketType::PUSH)?;
/// push.connect(&pull.last_endpoint())?;
/// let sender = push.into_sender()?;
/// for n in 0..4 {
///     let sender = sender.clone();
///     std::thread::spawn(move || sender.send(format!("from thread {n}"), 0));
/// }
/// for _ in 0..4 {
///     assert!(pull.recv_string(0)?.starts_with("from thread"));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Sender {
    /// Our end of the pipe into the socket, once there was something to send.
    end: Mutex<Option<PipeEnd>>,
    room: Arc<Room>,
    inlet: Arc<Inlet>,
    hwm: u32,
    timeout: Option<Duration>,
    /// Last: the context must not end before the socket knows that its sender is gone.
    ctx: Ctx,
}

impl Socket {
    /// A [`Sender`] for this socket; PUSH, PUB, DEALER and PAIR only. It waits as long as
    /// [`Socket::set_sndtimeo`] says now.
    ///
    /// # Errors
    /// [`Error::NotSupported`] for another socket type, [`Error::NoIoThread`] if the context or
    /// the affinity has none, [`Error::Term`].
    pub fn sender(&self) -> Result<Sender> {
        let mut base = self.base();
        base.process()?;
        Ok(Sender {
            end: Mutex::default(),
            room: Arc::default(),
            inlet: base.inlet()?,
            hwm: base.options.send_hwm,
            timeout: base.options.send_timeout,
            ctx: self.context().clone(),
        })
    }

    /// A [`Sender`] that an I/O thread works for: [`Socket::sender`], then drops the socket.
    ///
    /// # Errors
    /// As for [`Socket::sender`]; the socket is closed then.
    pub fn into_sender(self) -> Result<Sender> {
        self.sender()
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        Self {
            end: Mutex::default(),
            room: Arc::default(),
            inlet: self.inlet.clone(),
            hwm: self.hwm,
            timeout: self.timeout,
            ctx: self.ctx.clone(),
        }
    }
}

impl Sender {
    /// Sends a message of one frame. Waits while this sender's queue is full, unless `flags` is
    /// [`DONTWAIT`].
    ///
    /// # Errors
    /// The message comes back with [`Error::Again`] if it had to wait (longer), [`Error::Term`],
    /// [`Error::InvalidArgument`] for unknown flags; a message cannot be sent frame by frame.
    pub fn send(&self, message: impl Into<Msg>, flags: i32) -> std::result::Result<(), SendError> {
        Feeding::new(self, message.into()).wait(flags)
    }

    /// Sends a message of one frame if there is room at once.
    ///
    /// # Errors
    /// As for [`Sender::send`] with [`DONTWAIT`].
    pub fn try_send(&self, message: impl Into<Msg>) -> std::result::Result<(), SendError> {
        self.send(message, DONTWAIT)
    }

    /// Sends a message of several frames: all of them or none. Waits like [`Sender::send`].
    ///
    /// # Errors
    /// As for [`Sender::send`]; all frames come back. An empty list is [`Error::InvalidArgument`].
    pub fn send_multipart<I>(
        &self,
        frames: I,
        flags: i32,
    ) -> std::result::Result<(), SendError<Multipart>>
    where
        I: IntoIterator,
        I::Item: Into<Msg>,
    {
        self.send_multipart_async(frames).wait(flags)
    }

    /// Sends a message of one frame, awaited on any runtime.
    ///
    /// # Cancellation
    /// Dropped before it is ready, the future has sent nothing and drops the message;
    /// [`Feeding::into_message`] has it back.
    ///
    /// # Errors
    /// As for [`Sender::send`], but never [`Error::Again`] unless the socket's `sndtimeo` is zero.
    pub fn send_async(&self, message: impl Into<Msg>) -> Feeding<'_> {
        Feeding::new(self, message.into())
    }

    /// Sends a message of several frames, awaited on any runtime: all of them or none.
    ///
    /// # Cancellation
    /// As for [`Sender::send_async`].
    ///
    /// # Errors
    /// As for [`Sender::send_multipart`], but never [`Error::Again`] unless the socket's
    /// `sndtimeo` is zero.
    pub fn send_multipart_async<I>(&self, frames: I) -> Feeding<'_, Multipart>
    where
        I: IntoIterator,
        I::Item: Into<Msg>,
    {
        Feeding::new(self, frames.into_iter().map(Into::into).collect())
    }

    /// Writes a message if there is room for it: true, and leaves `None`.
    fn try_write<M: Message>(&self, message: &mut Option<M>) -> Result<bool> {
        if self.room.is_over() {
            return Err(Error::Term);
        }
        let Some(whole) = message else {
            return Ok(true);
        };
        let mut end = self.end.lock();
        let end = end.get_or_insert_with(|| self.open());
        match whole.hand_over(|frame| end.write(frame)) {
            Ok(()) => {
                end.flush();
                *message = None;
                Ok(true)
            }
            Err(WriteError::Full) => Ok(false),
            Err(WriteError::Closed) => Err(Error::Term),
        }
    }

    /// Makes the pipe, and gives the socket its end.
    fn open(&self) -> PipeEnd {
        let (mut ours, theirs) = pipe::pair(false);
        ours.set_hwm(self.hwm, 0);
        ours.attach(self.room.clone(), Key::from_bits(0));
        self.inlet.add(theirs);
        ours
    }
}

/// Who waits for room in a sender's pipe.
#[derive(Debug)]
struct Room {
    /// The socket takes no more.
    over: AtomicBool,
    /// How many awaited sends there were, which says when it is time to yield.
    awaited: AtomicU32,
    waiting: Mutex<Slab<Waker>>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            over: AtomicBool::new(false),
            awaited: AtomicU32::new(0),
            waiting: Mutex::new(Slab::new()),
        }
    }
}

impl Room {
    fn is_over(&self) -> bool {
        // Relaxed: nothing else is read on the strength of it.
        self.over.load(Ordering::Relaxed)
    }

    /// Whether the runtime's other tasks are to have a turn before the next send.
    fn is_turn_over(&self) -> bool {
        // Relaxed: it only counts.
        self.awaited.fetch_add(1, Ordering::Relaxed) % SENDS_PER_TURN == SENDS_PER_TURN - 1
    }

    /// Has the task woken when there may be room.
    fn register(&self, place: &mut Option<Key>, waker: &Waker) {
        let mut waiting = self.waiting.lock();
        match place.and_then(|key| waiting.get_mut(key)) {
            Some(known) => known.clone_from(waker),
            None => *place = Some(waiting.insert(waker.clone())),
        }
    }

    fn forget(&self, place: Option<Key>) {
        let waker = place.and_then(|key| self.waiting.lock().remove(key));
        // Outside the lock: it may own the task, and whatever that owns.
        drop(waker);
    }

    fn wake_all(&self) {
        let waiting = self.waiting.lock();
        let wakers: SmallVec<[Waker; 4]> = waiting.iter().map(|(_, waker)| waker.clone()).collect();
        drop(waiting);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl PipePeer for Room {
    fn post(&self, _to: Key, event: PipeEvent) {
        if matches!(event, PipeEvent::PeerClosed | PipeEvent::Parted) {
            self.over.store(true, Ordering::Relaxed);
        }
        self.wake_all();
    }
}

/// The future of [`Sender::send_async`] and [`Sender::send_multipart_async`]. Not to be polled again
/// once it is ready.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct Feeding<'a, M: Message = Msg> {
    sender: &'a Sender,
    /// `None` once the message is sent or was given back.
    message: Option<M>,
    /// Where in the sender's room the task waits.
    place: Option<Key>,
    polled: bool,
}

impl<'a, M: Message> Feeding<'a, M> {
    fn new(sender: &'a Sender, message: M) -> Self {
        Self {
            sender,
            message: Some(message),
            place: None,
            polled: false,
        }
    }

    /// Gives the message back; `None` if it is sent.
    #[must_use]
    pub fn into_message(mut self) -> Option<M> {
        self.message.take()
    }

    /// Sends the message, and waits for that as long as it may.
    fn wait(mut self, flags: i32) -> std::result::Result<(), SendError<M>> {
        let outcome = check_flags(flags, DONTWAIT).and_then(|()| self.try_wait(flags));
        self.give_back(outcome)
    }

    fn try_wait(&mut self, flags: i32) -> Result<()> {
        if self.try_send()? {
            return Ok(());
        }
        let timeout = self.sender.timeout;
        if flags & DONTWAIT != 0 || timeout == Some(Duration::ZERO) {
            return Err(Error::Again);
        }
        let deadline = timeout.map(|limit| Instant::now() + limit);
        let signaler = Signaler::of_this_thread();
        let waker = Waker::from(signaler.clone());
        while !self.send_or_register(&waker)? {
            if !signaler.wait(deadline) {
                return Err(Error::Again);
            }
        }
        Ok(())
    }

    /// Sends the message if there is room.
    fn try_send(&mut self) -> Result<bool> {
        if let Some(message) = &mut self.message {
            message.join()?;
        }
        self.sender.try_write(&mut self.message)
    }

    /// Sends the message, or has the task woken when there may be room: false then.
    fn send_or_register(&mut self, waker: &Waker) -> Result<bool> {
        if self.try_send()? {
            return Ok(true);
        }
        self.sender.room.register(&mut self.place, waker);
        // There may have been room just before the waker was there to be woken.
        self.try_send()
    }

    fn give_back(&mut self, outcome: Result<()>) -> std::result::Result<(), SendError<M>> {
        let Err(error) = outcome else {
            return Ok(());
        };
        let given = |message| Err(SendError { error, message });
        self.message.take().map_or(Ok(()), given)
    }
}

impl<M: Message> Future for Feeding<'_, M> {
    type Output = std::result::Result<(), SendError<M>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !std::mem::replace(&mut self.polled, true) && self.sender.room.is_turn_over() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let outcome = match self.send_or_register(cx.waker()) {
            Ok(true) => Ok(()),
            Ok(false) if self.sender.timeout == Some(Duration::ZERO) => Err(Error::Again),
            Ok(false) => return Poll::Pending,
            Err(error) => Err(error),
        };
        Poll::Ready(self.give_back(outcome))
    }
}

impl<M: Message> Drop for Feeding<'_, M> {
    fn drop(&mut self) {
        self.sender.room.forget(self.place);
    }
}
