//! Rep: requests as they come, and replies to each, in whatever order.

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ferrozmq::protocol::pattern_of;
use ferrozmq::{Ctx, DONTWAIT, Msg, POLLIN, SharedSocket, SocketType};

use crate::error::{Error, Result};
use crate::options::{Options, Overflow};
use crate::receiving::PASSED_MAX;
use crate::sending::encoded_by;
use crate::socket::{endpoints, open};
use crate::value::{Message, ToArgs};

/// Receives the requests of req sockets, fairly from all of them, and replies to each in whatever
/// order.
///
/// It can be used by several threads at once; a [`Request`] goes to one of them, and can be replied
/// to from any.
///
/// ```
/// use ferrozmq::Ctx;
/// use ferrozmq_axon::{Rep, Req};
///
/// # fn main() -> ferrozmq_axon::Result<()> {
/// let ctx = Ctx::new();
/// let rep = Rep::new(&ctx)?;
/// rep.bind("tcp://127.0.0.1:0")?;
/// # let req = Req::new(&ctx)?;
/// # req.connect(rep.address().unwrap())?;
/// # let reply = req.send(("greet", "tobi"))?;
/// let request = rep.recv()?;
/// let (_, name): (String, String) = request.message().parse()?;
/// request.reply(format!("hello, {name}"))?;
/// # assert_eq!(reply.wait()?.get(0)?.text()?, "hello, tobi");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Rep {
    socket: Arc<SharedSocket>,
    is_patient: bool,
}

endpoints!(Rep);

/// A request that was received.
///
/// It does not keep its socket open.
#[derive(Clone, Debug)]
pub struct Request {
    message: Message,
    /// What the peer knows it by, as it came.
    id: Bytes,
    peer: u32,
    socket: Weak<SharedSocket>,
    is_patient: bool,
}

impl Rep {
    /// A rep socket with the default options.
    ///
    /// # Errors
    /// [`Error::Closed`] if the context is ended, [`Error::Engine`] if it has no more sockets.
    pub fn new(ctx: &Ctx) -> Result<Self> {
        Self::with_options(ctx, &Options::new())
    }

    /// A rep socket.
    ///
    /// # Errors
    /// As for [`Rep::new`]; [`Error::Engine`] for an option out of range.
    pub fn with_options(ctx: &Ctx, options: &Options) -> Result<Self> {
        // A SERVER knows its peers by numbers, and so can reply to each.
        let socket = open(ctx, SocketType::SERVER, options, |_| {
            pattern_of(SocketType::SERVER)
        })?;
        Ok(Self {
            socket: Arc::new(SharedSocket::new(socket)),
            is_patient: options.overflow == Overflow::Wait,
        })
    }

    /// Waits for a request.
    ///
    /// # Errors
    /// [`Error::Closed`] if the context is ended.
    pub fn recv(&self) -> Result<Request> {
        loop {
            if let Some(request) = self.request(self.socket.recv_msg(0)?) {
                return Ok(request);
            }
        }
    }

    /// Waits for a request for at most `timeout`.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::Closed`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Request> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            match self.try_recv() {
                Err(Error::Empty) => {}
                outcome => return outcome,
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) || self.socket.poll(POLLIN, left)? == 0 {
                return Err(Error::Timeout);
            }
        }
    }

    /// The next request, if there is one now. It passes over a few hundred messages that are no
    /// requests at most, so that it ends whatever is sent.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Closed`].
    pub fn try_recv(&self) -> Result<Request> {
        for _ in 0..PASSED_MAX {
            match self.socket.recv_msg(DONTWAIT) {
                Ok(msg) => {
                    if let Some(request) = self.request(msg) {
                        return Ok(request);
                    }
                }
                Err(ferrozmq::Error::Again) => return Err(Error::Empty),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Empty)
    }

    /// The next request, awaited. Dropped before it is ready, the future has taken none.
    ///
    /// # Errors
    /// [`Error::Closed`] if the context is ended.
    pub async fn recv_async(&self) -> Result<Request> {
        let mut listening = None;
        poll_fn(|cx| {
            // Before the first look, so that nothing comes unnoticed.
            listening = Some(self.socket.listen(cx.waker().clone()));
            match self.try_recv() {
                Err(Error::Empty) => {}
                outcome => return Poll::Ready(outcome),
            }
            if self.socket.get_events()? & POLLIN != 0 {
                // Others have their turn first.
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }

    /// What was received as a request; `None` if it has no id, and so is none.
    fn request(&self, msg: Msg) -> Option<Request> {
        let peer = msg.routing_id();
        let mut message = Message::from_wire(msg);
        let id = message.pop()?;
        Some(Request {
            message,
            id,
            peer,
            socket: Arc::downgrade(&self.socket),
            is_patient: self.is_patient,
        })
    }
}

impl Request {
    /// The arguments of the request, which may be none.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Replies, with up to 14 arguments. `()` is sent as `null`, as in axon. The peer hears the first
    /// reply to a request and passes over others.
    ///
    /// Waits for a peer that reads too slowly only with [`Overflow::Wait`].
    ///
    /// # Errors
    /// [`Error::PeerGone`] if it is; [`Error::Full`], or with [`Overflow::Wait`] [`Error::Timeout`],
    /// if it has [`Options::peer_hwm`] messages that it has not read; [`Error::Encode`] if these can
    /// be no arguments; [`Error::Closed`].
    pub fn reply(&self, args: impl ToArgs) -> Result<()> {
        let socket = self.socket.upgrade().ok_or(Error::Closed)?;
        let encode = |encoder: &mut crate::Encoder| {
            encoder.args(&args)?;
            if encoder.is_empty() {
                encoder.json(&())?;
            }
            encoder.raw(&self.id).map(drop)
        };
        encoded_by(encode, |msg| {
            let mut msg = std::mem::take(msg);
            msg.set_routing_id(self.peer)?;
            let flags = if self.is_patient { 0 } else { DONTWAIT };
            match socket.send(msg, flags).map_err(ferrozmq::Error::from) {
                Err(ferrozmq::Error::Again) if self.is_patient => Err(Error::Timeout),
                Err(ferrozmq::Error::Again) => Err(Error::Full),
                outcome => Ok(outcome?),
            }
        })
    }
}
