//! [`Sending`]: a message on its way into a socket, which goes whole or comes back.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::aio::{AsyncSocket, Wait};
use crate::error::Error;
use crate::msg::{Msg, SendError};
use crate::pattern::Refused;
use crate::socket::Message;
use crate::socket_base::SocketBase;

/// How many frames are sent before the runtime's other tasks get their turn.
const FRAMES_PER_TURN: usize = 1024;

/// The future of [`AsyncSocket::send`] and [`AsyncSocket::send_multipart`].
///
/// It owns the message until the moment when all of it is sent. Dropped before, it leaves the
/// message for [`AsyncSocket::take_unsent`]. Not to be polled again once it is ready.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct Sending<'a, M: Message = Msg> {
    socket: &'a mut AsyncSocket,
    /// `None` once the message is sent or was given back.
    message: Option<M>,
}

impl<'a, M: Message> Sending<'a, M> {
    #[inline(always)]
    pub(super) fn new(socket: &'a mut AsyncSocket, message: M) -> Self {
        Self {
            socket,
            message: Some(message),
        }
    }

    #[inline(always)]
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Some(message) = &mut self.message {
            message.join()?;
        }
        ready!(self.socket.poll_send_queued(cx))?;
        let message = &mut self.message;
        self.socket.poll_base(Wait::ToSend, cx, |base| {
            send_unflushed(base, message)?;
            base.flush();
            Ok(())
        })
    }

    /// Gives the message to the caller.
    #[cold]
    fn fail(&mut self, error: Error) -> Result<(), SendError<M>> {
        let Some(message) = self.message.take() else {
            return Ok(());
        };
        Err(SendError { error, message })
    }

    /// Gives the message to the socket.
    #[cold]
    fn leave(&mut self) {
        let left = self.message.take();
        self.socket.unsent = left.map(M::into_frames).unwrap_or_default();
    }
}

impl<M: Message> Future for Sending<'_, M> {
    type Output = Result<(), SendError<M>>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.poll_message(cx)) {
            Ok(()) => Ok(()),
            Err(error) => self.fail(error),
        })
    }
}

impl<M: Message> Drop for Sending<'_, M> {
    #[inline]
    fn drop(&mut self) {
        if self.message.is_some() {
            self.leave();
        }
    }
}

/// Sends a message without waking its receiver: all of it, and leaves `None`; or nothing.
#[inline]
pub(super) fn send_unflushed<M: Message>(
    base: &mut SocketBase,
    message: &mut Option<M>,
) -> Result<(), Refused> {
    if let Some(whole) = message {
        whole.hand_over(|frame| base.send(frame))?;
        *message = None;
    }
    Ok(())
}

/// Sends messages from a queue until it is empty. Stops only between messages.
pub(super) fn send_batch(
    base: &mut SocketBase,
    messages: &mut VecDeque<Msg>,
) -> Result<(), Refused> {
    let (mut sent, mut whole) = (0, true);
    while sent < FRAMES_PER_TURN || !whole {
        let Some(frame) = messages.front_mut() else {
            base.flush();
            return Ok(());
        };
        whole = !frame.more();
        base.send(frame)?;
        messages.pop_front();
        sent += 1;
    }
    base.flush();
    Err(Refused::Yield)
}
