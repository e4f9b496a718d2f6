//! [`Sending`]: a message on its way into a socket, which goes whole or comes back.

use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::aio::{AsyncSocket, Wait};
use crate::error::Error;
use crate::msg::{Msg, SendError};
use crate::pattern::Refused;
use crate::socket::Multipart;
use crate::socket_base::SocketBase;

/// How many frames are sent before the runtime's other tasks get their turn.
const FRAMES_PER_TURN: usize = 1024;

/// The future of [`AsyncSocket::send`] and [`AsyncSocket::send_multipart`].
///
/// It owns the message until the moment when all of it is sent. Dropped before, it leaves the
/// message for [`AsyncSocket::take_unsent`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct Sending<'a> {
    socket: &'a mut AsyncSocket,
    /// Empty once the message is sent or was given back.
    frames: Multipart,
}

impl<'a> Sending<'a> {
    pub(super) fn new(socket: &'a mut AsyncSocket, mut frames: Multipart) -> Self {
        join(&mut frames);
        Self { socket, frames }
    }

    fn poll_frames(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.frames.is_empty() {
            return Poll::Ready(Err(no_frames()));
        }
        ready!(self.socket.poll_send_queued(cx))?;
        let frames = &mut self.frames;
        self.socket
            .poll_base(Wait::ToSend, cx, |base| send_now(base, frames))
    }
}

impl Future for Sending<'_> {
    type Output = Result<(), SendError<Multipart>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let sent = ready!(self.poll_frames(cx));
        Poll::Ready(sent.map_err(|error| SendError {
            error,
            message: mem::take(&mut self.frames),
        }))
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if !self.frames.is_empty() {
            self.socket.unsent = mem::take(&mut self.frames);
        }
    }
}

/// Makes frames one message.
pub(super) fn join(frames: &mut Multipart) {
    let last = frames.len().saturating_sub(1);
    for (n, frame) in frames.iter_mut().enumerate() {
        frame.set_more(n != last);
    }
}

pub(super) fn no_frames() -> Error {
    Error::InvalidArgument("a message has at least one frame")
}

/// Sends a message, all of it or nothing.
pub(super) fn send_now(base: &mut SocketBase, frames: &mut Multipart) -> Result<(), Refused> {
    send_unflushed(base, frames)?;
    base.flush();
    Ok(())
}

/// Sends a message without waking its receiver. Where the first frame fits, the others do.
pub(super) fn send_unflushed(base: &mut SocketBase, frames: &mut Multipart) -> Result<(), Refused> {
    let mut rest = mem::take(frames).into_iter();
    while let Some(frame) = rest.next() {
        if let Err((refused, frame)) = base.send(frame) {
            *frames = std::iter::once(frame).chain(rest).collect();
            return Err(refused);
        }
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
        let Some(frame) = messages.pop_front() else {
            base.flush();
            return Ok(());
        };
        whole = !frame.more();
        if let Err((refused, frame)) = base.send(frame) {
            messages.push_front(frame);
            return Err(refused);
        }
        sent += 1;
    }
    base.flush();
    Err(Refused::Yield)
}
