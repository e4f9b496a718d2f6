//! Push and pull: work dealt out in turn, and collected.

use std::time::Duration;

use ferrozmq::protocol::{
    AttendedSocket, Key, Lb, Origin, Pattern, Pipes, Refused, is_peer_gone, pattern_of,
};
use ferrozmq::{Ctx, DONTWAIT, Msg, Socket, SocketType};

use crate::awaited::AsyncPull;
use crate::error::{Error, Result};
use crate::options::{Options, Overflow};
use crate::queue::{self, Queue};
use crate::receiving;
use crate::sending::encoded;
use crate::socket::{endpoints, open};
use crate::value::{Message, ToArgs};

/// Sends each message to the next of its peers that has room. While there is none, messages wait in
/// the socket, and go first when one is there: nobody needs to call anything for that.
///
/// What a peer has been given and not read is lost with its connection, as in axon.
///
/// It can be used by several threads at once. Dropping it closes it; what waits is delivered in the
/// background, if a peer comes within [`Options::linger`].
///
/// ```
/// use ferrozmq::Ctx;
/// use ferrozmq_axon::{Json, Pull, Push};
///
/// # fn main() -> ferrozmq_axon::Result<()> {
/// let ctx = Ctx::new();
/// let pull = Pull::new(&ctx)?;
/// pull.bind("tcp://127.0.0.1:0")?;
/// let push = Push::new(&ctx)?;
/// push.connect(pull.address().expect("it is bound"))?;
///
/// push.send(("image", Json(&[640, 480])))?;
/// let job = pull.recv()?;
/// assert_eq!(job.get(0)?.text()?, "image");
/// assert_eq!(job.get(1)?.json::<Vec<u32>>()?, [640, 480]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Push {
    socket: AttendedSocket,
    overflow: Overflow,
}

/// Receives what push sockets send: from all peers in turn, each peer's in its order.
///
/// It is `Send`, and used by one thread at a time.
#[derive(Debug)]
pub struct Pull {
    socket: Socket,
}

endpoints!(Push, Pull);

impl Push {
    /// A push socket with the default options.
    ///
    /// # Errors
    /// [`Error::Closed`] if the context is ended, [`Error::Engine`] if it has no more sockets or no
    /// I/O thread.
    pub fn new(ctx: &Ctx) -> Result<Self> {
        Self::with_options(ctx, &Options::new())
    }

    /// A push socket.
    ///
    /// # Errors
    /// As for [`Push::new`]; [`Error::Engine`] for an option out of range.
    pub fn with_options(ctx: &Ctx, options: &Options) -> Result<Self> {
        let socket = open(ctx, SocketType::PUSH, options, |notifier| {
            Box::new(Pushing {
                lb: Lb::default(),
                queue: Queue::new(options, notifier),
            })
        })?;
        Ok(Self {
            socket: AttendedSocket::new(socket)?,
            overflow: options.overflow,
        })
    }

    /// Sends a message. Waits only with [`Overflow::Wait`].
    ///
    /// # Errors
    /// [`Error::Encode`] if these can be no arguments; [`Error::Full`] with [`Overflow::Error`],
    /// [`Error::Timeout`] with [`Overflow::Wait`]; [`Error::Closed`] if the context is ended. The
    /// message was not taken.
    pub fn send(&self, args: impl ToArgs) -> Result<()> {
        encoded(&args, |msg| send(&self.socket, msg, self.overflow))
    }
}

/// Sends as the policy wants.
pub(crate) fn send(socket: &AttendedSocket, msg: &mut Msg, overflow: Overflow) -> Result<()> {
    let waits = overflow == Overflow::Wait;
    match socket.send(msg, if waits { 0 } else { DONTWAIT }) {
        Err(ferrozmq::Error::Again) if waits => Err(Error::Timeout),
        Err(ferrozmq::Error::Again) => Err(Error::Full),
        outcome => Ok(outcome?),
    }
}

/// The pattern of push.
#[derive(Debug)]
struct Pushing {
    lb: Lb,
    queue: Queue,
}

impl Pushing {
    fn flush_queue(&mut self, pipes: &mut Pipes) -> Vec<Message> {
        pipes.hold();
        let flushed = self.queue.flush(pipes, queue::by(&mut self.lb));
        pipes.flush();
        flushed
    }
}

impl Pattern for Pushing {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, _origin: Origin) {
        if is_peer_gone(pipes, key) {
            pipes.remove(key);
            return;
        }
        self.lb.attach(key);
        let flushed = self.flush_queue(pipes);
        self.queue.tell_flushed(flushed);
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.lb.detach(key);
        pipes.remove(key);
    }

    /// Nothing travels back to a push socket. What does all the same is dropped before it gets here.
    fn on_readable(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn on_writable(&mut self, pipes: &mut Pipes, key: Key) {
        self.lb.activate(key);
        self.flush_queue(pipes);
    }

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.detach(pipes, key);
    }

    fn on_hiccup(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> std::result::Result<(), Refused> {
        if self.queue.is_empty() && self.lb.send(pipes, msg).is_ok() {
            return Ok(());
        }
        self.queue.push(msg)?;
        Ok(())
    }

    fn recv(&mut self, _: &mut Pipes, _: &mut Msg) -> std::result::Result<(), Refused> {
        Err(Refused::NotSupported)
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.queue.has_room() || self.lb.can_send(pipes)
    }

    fn can_recv(&mut self, _pipes: &mut Pipes) -> bool {
        false
    }

    fn has_backlog(&self) -> bool {
        !self.queue.is_empty()
    }
}

impl Pull {
    /// A pull socket with the default options.
    ///
    /// # Errors
    /// [`Error::Closed`] if the context is ended, [`Error::Engine`] if it has no more sockets.
    pub fn new(ctx: &Ctx) -> Result<Self> {
        Self::with_options(ctx, &Options::new())
    }

    /// A pull socket.
    ///
    /// # Errors
    /// As for [`Pull::new`]; [`Error::Engine`] for an option out of range.
    pub fn with_options(ctx: &Ctx, options: &Options) -> Result<Self> {
        let socket = open(ctx, SocketType::PULL, options, |_| {
            pattern_of(SocketType::PULL)
        })?;
        Ok(Self { socket })
    }

    /// Waits for a message.
    ///
    /// # Errors
    /// [`Error::Closed`] if the context is ended.
    pub fn recv(&self) -> Result<Message> {
        let mut message = Message::default();
        self.recv_into(&mut message)?;
        Ok(message)
    }

    /// Waits for a message, and puts it in the place of another, whose memory it can use: the fastest
    /// way to receive.
    ///
    /// # Errors
    /// As for [`Pull::recv`]; what is in `message` then is empty.
    pub fn recv_into(&self, message: &mut Message) -> Result<()> {
        receiving::recv_into(&self.socket, message)
    }

    /// Waits for a message for at most `timeout`.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::Closed`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Message> {
        receiving::recv_timeout(&self.socket, timeout)
    }

    /// The next message, if there is one now.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Closed`].
    pub fn try_recv(&self) -> Result<Message> {
        receiving::try_recv(&self.socket)
    }

    /// The same socket for async code.
    #[must_use]
    pub fn into_async(self) -> AsyncPull {
        AsyncPull::new(self.socket.into_async())
    }
}
