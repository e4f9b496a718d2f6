//! Waiting for what is not a message: peers, subscribers, a free address, the end of a socket.
//!
//! Whether it has come is asked of the socket's base; here is only how a thread waits for it. How
//! a task waits is in `aio/waiting.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::command::EndpointId;
use crate::error::{Error, Result};
use crate::pattern::Refused;
use crate::signaler::{Notice, Signal, Signaler};
use crate::socket::{Socket, error_of};
use crate::socket_base::SocketBase;

impl Socket {
    /// Waits until the socket has its peers, for at most `timeout` (`None`: for ever): every
    /// endpoint that it is connected to has a connection whose handshake is done; a socket that
    /// is only bound has at least one peer. Over inproc a peer is there once its name is bound.
    ///
    /// An endpoint that was given up ([`Socket::set_reconnect_stop`]) is not waited for, unless
    /// there is no other.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use ferrozmq::{Ctx, SocketType};
    /// # let ctx = Ctx::new();
    /// let pull = ctx.socket(SocketType::PULL)?;
    /// pull.bind("tcp://127.0.0.1:*")?;
    /// let push = ctx.socket(SocketType::PUSH)?;
    /// push.connect(&pull.last_endpoint())?;
    /// push.wait_connected(Some(Duration::from_secs(5)))?;
    /// # Ok::<(), ferrozmq::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Again`] if the time is over, [`Error::Term`].
    pub fn wait_connected(&self, timeout: Option<Duration>) -> Result<()> {
        self.wait_while_refused(timeout, connected)
    }

    /// Waits until at least `peers` peers of a PUB or XPUB have subscribed to something, or peers of
    /// a RADIO joined a group, for at most `timeout` (`None`: for ever). What is published then reaches them, if it matches.
    /// In manual mode (`set_xpub_manual`) the subscriptions that the application applied count.
    ///
    /// An XPUB's events stay to be received. A peer of which a thousand were not received is read
    /// no further.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use ferrozmq::{Ctx, SocketType};
    /// # let ctx = Ctx::new();
    /// let publisher = ctx.socket(SocketType::PUB)?;
    /// publisher.bind("tcp://127.0.0.1:*")?;
    /// let subscriber = ctx.socket(SocketType::SUB)?;
    /// subscriber.set_subscribe(b"")?;
    /// subscriber.connect(&publisher.last_endpoint())?;
    /// publisher.wait_subscribers(1, Some(Duration::from_secs(5)))?;
    /// publisher.send("the first message arrives", 0)?;
    /// assert_eq!(subscriber.recv_string(0)?, "the first message arrives");
    /// # Ok::<(), ferrozmq::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Again`] if the time is over, [`Error::NotSupported`] for another socket type,
    /// [`Error::Term`].
    pub fn wait_subscribers(&self, peers: usize, timeout: Option<Duration>) -> Result<()> {
        self.wait_while_refused(timeout, |base| base.has_subscribers(peers))
    }

    /// Takes a [`Socket::bind`] back, as [`Socket::unbind`] does, and waits for at most `timeout`
    /// (`None`: for ever) until the address is free. After [`Error::Again`] it may be called
    /// again, to wait on.
    ///
    /// # Errors
    /// [`Error::Again`] if the time is over, and as for [`Socket::unbind`].
    pub fn wait_unbound(&self, endpoint: &str, timeout: Option<Duration>) -> Result<()> {
        let id = self.begin_unbind(endpoint)?;
        self.wait_while_refused(timeout, |base| released(base, id))
    }

    /// Closes the socket, and waits for at most `timeout` (`None`: for ever) until it is gone:
    /// what was sent is delivered or the linger time is over, and its addresses are free. While
    /// there are [`Sender`](crate::Sender)s, that waits for the last of them to be dropped.
    ///
    /// # Errors
    /// [`Error::Again`] if the time is over; the socket lingers on in the background.
    pub fn wait_closed(self, timeout: Option<Duration>) -> Result<()> {
        let deadline = deadline(timeout);
        let signaler = Signaler::of_this_thread();
        let (_ctx, gone) = self.begin_close(signaler.clone());
        while !gone.load(Ordering::Acquire) {
            if !signaler.wait(deadline) {
                return Err(Error::Again);
            }
        }
        Ok(())
    }

    /// Starts to take a bind back; or finds that it was started before and is not over.
    pub(crate) fn begin_unbind(&self, endpoint: &str) -> Result<EndpointId> {
        let mut base = self.base();
        base.process()?;
        if let Some(id) = base.releasing(endpoint) {
            return Ok(id);
        }
        let id = base.release(endpoint, true, Instant::now())?;
        Ok(id)
    }

    /// Closes the socket; the word that it is gone is put down, and then the signal is given. The
    /// context must be kept until then, or its end would be waited for.
    pub(crate) fn begin_close(mut self, signal: Arc<dyn Signal>) -> (crate::Ctx, Arc<AtomicBool>) {
        let (notice, gone) = Notice::new(signal);
        self.close(Some(notice));
        (self.ctx.clone(), gone)
    }

    fn wait_while_refused(
        &self,
        timeout: Option<Duration>,
        mut attempt: impl FnMut(&mut SocketBase) -> std::result::Result<(), Refused>,
    ) -> Result<()> {
        let deadline = deadline(timeout);
        let mut base = self.base();
        loop {
            base.process()?;
            match attempt(&mut base) {
                Ok(()) => return Ok(()),
                Err(Refused::WouldBlock) if base.wait(deadline) => {}
                Err(Refused::Yield) if deadline.is_none_or(|end| Instant::now() < end) => {}
                Err(refused) => return Err(error_of(refused)),
            }
        }
    }
}

fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

/// Refuses until the socket has its peers.
pub(crate) fn connected(base: &mut SocketBase) -> std::result::Result<(), Refused> {
    held(base.is_connected())
}

/// Refuses until nothing of an endpoint's own is open.
pub(crate) fn released(base: &mut SocketBase, id: EndpointId) -> std::result::Result<(), Refused> {
    held(!base.is_releasing(id))
}

fn held(held: bool) -> std::result::Result<(), Refused> {
    held.then_some(()).ok_or(Refused::WouldBlock)
}
