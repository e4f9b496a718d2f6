//! Waiting for what is not a message: peers, subscribers, a free address, the end of a socket.

use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::task::Poll;

use crate::aio::{AsyncSocket, Wait};
use crate::error::Result;
use crate::socket::waiting::{connected, released};

impl AsyncSocket {
    /// Waits until the socket has its peers, see [`Socket::wait_connected`](crate::Socket::wait_connected).
    ///
    /// # Cancellation
    /// May be dropped at any time; it only looks.
    ///
    /// # Errors
    /// [`Error::Term`](crate::Error::Term).
    pub async fn connected(&mut self) -> Result<()> {
        poll_fn(|cx| self.poll_base(Wait::ForPeers, cx, connected)).await
    }

    /// Waits until at least `peers` peers of a PUB, XPUB or RADIO have subscribed to something, see
    /// [`Socket::wait_subscribers`](crate::Socket::wait_subscribers).
    ///
    /// # Cancellation
    /// May be dropped at any time; it only looks.
    ///
    /// # Errors
    /// [`Error::NotSupported`](crate::Error::NotSupported) for another socket type,
    /// [`Error::Term`](crate::Error::Term).
    pub async fn subscribers(&mut self, peers: usize) -> Result<()> {
        poll_fn(|cx| self.poll_base(Wait::ForPeers, cx, |base| base.has_subscribers(peers))).await
    }

    /// Takes a bind back, as [`Socket::unbind`](crate::Socket::unbind) does, and waits until the
    /// address is free.
    ///
    /// # Cancellation
    /// Dropped while it waits, the bind is taken back all the same. It may be called again, to
    /// wait on.
    ///
    /// # Errors
    /// As for [`Socket::unbind`](crate::Socket::unbind), but there is no time limit.
    pub async fn unbound(&mut self, endpoint: &str) -> Result<()> {
        let id = self.get_ref().begin_unbind(endpoint)?;
        poll_fn(|cx| self.poll_base(Wait::ForPeers, cx, |base| released(base, id))).await
    }

    /// Closes the socket, and waits until it is gone: what was sent is delivered or the linger
    /// time is over, and its addresses are free. While there are [`Sender`](crate::Sender)s, that
    /// waits for the last of them to be dropped. What the sink took and has not flushed is
    /// dropped.
    ///
    /// # Cancellation
    /// Dropped at any time, it closes the socket, which then lingers in the background.
    pub async fn closed(self) {
        let signal = self.waiters.signal;
        let (_ctx, gone) = self.socket.begin_close(signal.clone());
        poll_fn(|cx| {
            signal.register(Wait::ForPeers as usize, cx.waker());
            if gone.load(Ordering::Acquire) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}
