//! Receiving in async code: on any runtime, by the engine's `AsyncSocket`.
//!
//! Sending needs nothing like it: a push, pub or req never waits, unless
//! [`Overflow::Wait`](crate::Overflow::Wait) makes it, and a [`Reply`](crate::Reply) is a future.

use std::future::poll_fn;
use std::mem;
use std::task::Poll;

use ferrozmq::AsyncSocket;

use crate::error::Result;
use crate::publish::Subscriptions;
use crate::receiving::PASSED_MAX;
use crate::socket::endpoints;
use crate::value::Message;

/// A [`Pull`](crate::Pull) whose messages are awaited. Made by [`Pull::into_async`](crate::Pull::into_async).
///
/// ```
/// use ferrozmq::Ctx;
/// use ferrozmq_axon::{Pull, Push};
///
/// # fn main() -> ferrozmq_axon::Result<()> { futures_lite::future::block_on(async {
/// let ctx = Ctx::new();
/// let mut pull = Pull::new(&ctx)?.into_async();
/// pull.bind("tcp://127.0.0.1:0")?;
/// let push = Push::new(&ctx)?;
/// push.connect(pull.address().expect("it is bound"))?;
/// push.send("job")?;
/// assert_eq!(pull.recv().await?.get(0)?.text()?, "job");
/// # Ok(()) }) }
/// ```
#[derive(Debug)]
pub struct AsyncPull {
    socket: AsyncSocket,
}

/// A [`Sub`](crate::Sub) whose messages are awaited. Made by [`Sub::into_async`](crate::Sub::into_async).
#[derive(Debug)]
pub struct AsyncSub {
    socket: AsyncSocket,
    pub(crate) subscriptions: Subscriptions,
}

endpoints!(AsyncPull, AsyncSub);

impl AsyncPull {
    pub(crate) fn new(socket: AsyncSocket) -> Self {
        Self { socket }
    }

    /// The next message. Dropped before it is ready, the future has taken none.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed) if the context is ended.
    pub async fn recv(&mut self) -> Result<Message> {
        Ok(Message::from_wire(self.socket.recv().await?))
    }
}

impl AsyncSub {
    pub(crate) fn new(socket: AsyncSocket, subscriptions: Subscriptions) -> Self {
        Self {
            socket,
            subscriptions,
        }
    }

    /// The next message that is wanted. Dropped before it is ready, the future has taken none but
    /// unwanted ones.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed) if the context is ended.
    pub async fn recv(&mut self) -> Result<Message> {
        loop {
            for _ in 0..PASSED_MAX {
                let message = Message::from_wire(self.socket.recv().await?);
                if self.subscriptions.want(&message) {
                    return Ok(message);
                }
            }
            yield_now().await;
        }
    }
}

/// Lets other tasks have their turn.
async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
