//! An [`AsyncSocket`] as a stream of messages and as a sink for them; a [`Monitor`] as a stream.
//!
//! Items are whole messages, so that one socket's stream can be forwarded to another's sink.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;

use crate::aio::AsyncSocket;
use crate::aio::sending::send_unflushed;
use crate::error::{Error, Result};
use crate::monitor::{Event, Monitor};
use crate::pattern::Refused;
use crate::socket::{Multipart, error_of, join};

/// The messages that the socket receives. The stream ends when the context is terminated; other
/// errors are items. Cancel-safe: a message is taken only when it is the next item.
impl Stream for AsyncSocket {
    type Item = Result<Multipart>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match ready!(self.poll_recv_multipart(cx)) {
            Err(Error::Term) => Poll::Ready(None),
            item => Poll::Ready(Some(item)),
        }
    }
}

/// The events, until the monitor stops. Cancel-safe: an event is taken only when it is the next item.
impl Stream for Monitor {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_recv(cx)
    }
}

/// Takes messages to send. One that finds no room waits in the sink, and goes out before anything
/// else that is sent. Receivers are woken when the sink is flushed, or has to wait.
///
/// A message that cannot be sent for another reason is the next call's error, and then
/// [`AsyncSocket::take_unsent`] gives it back. Closing the sink flushes it and leaves the socket
/// open.
impl Sink<Multipart> for AsyncSocket {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_send_queued(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, mut message: Multipart) -> Result<()> {
        join(&mut message, false)?;
        let mut message = Some(message);
        let base = self.socket.base_mut();
        let started = send_unflushed(base, &mut message);
        if started.is_err() {
            base.flush();
        }
        match started {
            Ok(()) => Ok(()),
            Err(Refused::WouldBlock | Refused::Yield) => {
                self.queued = message;
                Ok(())
            }
            Err(refused) => {
                self.unsent = message.unwrap_or_default();
                Err(error_of(refused))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_send_queued(cx))?;
        self.socket.base().flush();
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_flush(cx)
    }
}
