//! Pub and sub: every message to all, who pick what they want by pattern.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use ferrozmq::protocol::{
    AttendedSocket, Dist, Key, Origin, Pattern as Behaviour, Pipes, Refused, is_peer_gone,
    pattern_of,
};
use ferrozmq::{Ctx, Msg, Socket, SocketType};

use crate::awaited::AsyncSub;
use crate::error::{Error, Result};
use crate::options::{Options, Overflow};
use crate::push::send;
use crate::receiving::{self, PASSED_MAX};
use crate::sending::encoded;
use crate::socket::{endpoints, open};
use crate::topic::Pattern;
use crate::value::{Message, ToArgs};

/// Sends every message to all peers that are there. A message is encoded once; without peers it is
/// nowhere. Peers pick by pattern what they want, so each gets all of it over the network: no axon
/// tells its publishers what it subscribes to.
///
/// A peer that reads too slowly has at most [`Options::peer_hwm`] messages waiting and misses what
/// comes then; with [`Overflow::Wait`] or [`Overflow::Error`] the publisher keeps to the slowest.
///
/// It can be used by several threads at once.
///
/// ```
/// use ferrozmq::Ctx;
/// use ferrozmq_axon::{Event, Pub, Sub};
///
/// # fn main() -> ferrozmq_axon::Result<()> {
/// let ctx = Ctx::new();
/// let publisher = Pub::new(&ctx)?;
/// let mut events = publisher.events()?;
/// publisher.bind("tcp://127.0.0.1:0")?;
/// let subscriber = Sub::new(&ctx)?;
/// subscriber.subscribe("user:*");
/// subscriber.connect(publisher.address().expect("it is bound"))?;
/// events.find(|event| matches!(event, Event::Connect { .. }));
///
/// publisher.send(("order:new", 1))?;
/// publisher.send(("user:login", "tobi"))?;
/// assert_eq!(subscriber.recv()?.get(1)?.text()?, "tobi");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pub {
    pub(crate) socket: AttendedSocket,
    overflow: Overflow,
}

/// Receives what pub sockets send, as far as one of its patterns matches the first argument; without
/// a pattern, all of it.
///
/// A message is compared with the patterns when it is received. (In Node a connection that was made
/// before the first `subscribe` is not filtered at all.) So a pattern counts from when it is there,
/// for messages that have come and were not received too.
///
/// It is `Send`, and used by one thread at a time.
#[derive(Debug)]
pub struct Sub {
    pub(crate) socket: Socket,
    subscriptions: Subscriptions,
}

endpoints!(Pub, Sub);
subscriptions!(Sub, AsyncSub);

impl Pub {
    /// A pub socket with the default options.
    ///
    /// # Errors
    /// [`Error::Closed`] if the context is ended, [`Error::Engine`] if it has no more sockets or no
    /// I/O thread.
    pub fn new(ctx: &Ctx) -> Result<Self> {
        Self::with_options(ctx, &Options::new())
    }

    /// A pub socket.
    ///
    /// # Errors
    /// As for [`Pub::new`]; [`Error::Engine`] for an option out of range.
    pub fn with_options(ctx: &Ctx, options: &Options) -> Result<Self> {
        let is_patient = matches!(options.overflow, Overflow::Wait | Overflow::Error);
        let socket = open(ctx, SocketType::PUSH, options, |_| {
            Box::new(Publishing {
                dist: Dist::new(),
                is_patient,
            })
        })?;
        Ok(Self {
            socket: AttendedSocket::new(socket)?,
            overflow: options.overflow,
        })
    }

    /// Sends a message to all peers. Waits only with [`Overflow::Wait`].
    ///
    /// # Errors
    /// [`Error::Encode`] if these can be no arguments; [`Error::Full`] with [`Overflow::Error`],
    /// [`Error::Timeout`] with [`Overflow::Wait`], and nobody has got it then; [`Error::Closed`] if
    /// the context is ended.
    pub fn send(&self, args: impl ToArgs) -> Result<()> {
        encoded(&args, |msg| send(&self.socket, msg, self.overflow))
    }
}

/// The pattern of pub.
#[derive(Debug)]
struct Publishing {
    dist: Dist,
    /// Nobody is to miss a message.
    is_patient: bool,
}

impl Behaviour for Publishing {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, _origin: Origin) {
        if is_peer_gone(pipes, key) {
            pipes.remove(key);
        } else {
            self.dist.insert(key);
        }
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.dist.remove(key);
        pipes.remove(key);
    }

    /// Nothing travels back to a publisher. What does all the same is dropped before it gets here.
    fn on_readable(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn on_writable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.dist.on_writable(key);
    }

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.detach(pipes, key);
    }

    fn on_hiccup(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> std::result::Result<(), Refused> {
        self.dist.match_all();
        if self.is_patient && !self.dist.all_matching_have_room(pipes) {
            return Err(Refused::WouldBlock);
        }
        self.dist.send_to_matching(pipes, msg);
        Ok(())
    }

    fn recv(&mut self, _: &mut Pipes, _: &mut Msg) -> std::result::Result<(), Refused> {
        Err(Refused::NotSupported)
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.dist.match_all();
        !self.is_patient || self.dist.all_matching_have_room(pipes)
    }

    fn can_recv(&mut self, _pipes: &mut Pipes) -> bool {
        false
    }
}

impl Sub {
    /// A sub socket with the default options.
    ///
    /// # Errors
    /// [`Error::Closed`] if the context is ended, [`Error::Engine`] if it has no more sockets.
    pub fn new(ctx: &Ctx) -> Result<Self> {
        Self::with_options(ctx, &Options::new())
    }

    /// A sub socket.
    ///
    /// # Errors
    /// As for [`Sub::new`]; [`Error::Engine`] for an option out of range.
    pub fn with_options(ctx: &Ctx, options: &Options) -> Result<Self> {
        // Subscribers of axon send nothing, not even what they want.
        let socket = open(ctx, SocketType::PULL, options, |_| {
            pattern_of(SocketType::PULL)
        })?;
        Ok(Self {
            socket,
            subscriptions: Subscriptions::default(),
        })
    }

    // ── receiving ────────────────────────────────────────────────────────────────────────────

    /// Waits for a message that is wanted.
    ///
    /// # Errors
    /// [`Error::Closed`] if the context is ended.
    pub fn recv(&self) -> Result<Message> {
        let mut message = Message::default();
        self.recv_into(&mut message)?;
        Ok(message)
    }

    /// Waits for a message that is wanted, and puts it in the place of another, whose memory it can
    /// use: the fastest way to receive.
    ///
    /// # Errors
    /// As for [`Sub::recv`]; what is in `message` then is empty.
    pub fn recv_into(&self, message: &mut Message) -> Result<()> {
        loop {
            receiving::recv_into(&self.socket, message)?;
            if self.subscriptions.want(message) {
                return Ok(());
            }
        }
    }

    /// Waits for a message that is wanted for at most `timeout`.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::Closed`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Message> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let message = receiving::recv_until(&self.socket, deadline)?;
            if self.subscriptions.want(&message) {
                return Ok(message);
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(Error::Timeout);
            }
        }
    }

    /// The next message that is wanted, if there is one now. It passes over a few hundred that are not
    /// wanted at most, so that it ends whatever is sent.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Closed`].
    pub fn try_recv(&self) -> Result<Message> {
        for _ in 0..PASSED_MAX {
            let message = receiving::try_recv(&self.socket)?;
            if self.subscriptions.want(&message) {
                return Ok(message);
            }
        }
        Err(Error::Empty)
    }

    /// The same socket for async code.
    #[must_use]
    pub fn into_async(self) -> AsyncSub {
        AsyncSub::new(self.socket.into_async(), self.subscriptions)
    }
}

/// The patterns of a subscriber.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(RefCell<Vec<Pattern>>);

impl Subscriptions {
    pub(crate) fn add(&self, pattern: Pattern) {
        self.0.borrow_mut().push(pattern);
    }

    pub(crate) fn remove(&self, pattern: &Pattern) -> bool {
        let mut patterns = self.0.borrow_mut();
        let before = patterns.len();
        patterns.retain(|known| known != pattern);
        patterns.len() != before
    }

    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    pub(crate) fn are_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    pub(crate) fn match_topic(&self, topic: &str) -> bool {
        let patterns = self.0.borrow();
        patterns.is_empty() || patterns.iter().any(|pattern| pattern.is_match(topic))
    }

    /// Whether a message is to be received.
    pub(crate) fn want(&self, message: &Message) -> bool {
        if self.are_empty() {
            return true;
        }
        match message.get(0) {
            Ok(topic) => self.match_topic(&topic.topic()),
            // What JavaScript makes of a topic that is missing.
            Err(_) => self.match_topic("undefined"),
        }
    }
}

/// The calls about patterns, which are the same for blocking and async subscribers.
macro_rules! subscriptions {
    ($($socket:ident),*) => {$(
        impl $socket {
            /// Wants messages whose first argument the pattern matches; see [`Pattern`].
            pub fn subscribe(&self, pattern: impl Into<Pattern>) {
                self.subscriptions.add(pattern.into());
            }

            /// Takes all subscriptions with this pattern back; whether there were any. Without any
            /// subscription everything is received.
            pub fn unsubscribe(&self, pattern: impl Into<Pattern>) -> bool {
                self.subscriptions.remove(&pattern.into())
            }

            /// Takes all subscriptions back.
            pub fn clear_subscriptions(&self) {
                self.subscriptions.clear();
            }

            /// Whether there are subscriptions.
            #[must_use]
            pub fn has_subscriptions(&self) -> bool {
                !self.subscriptions.are_empty()
            }

            /// Whether a message of this topic would be received.
            #[must_use]
            pub fn matches(&self, topic: &str) -> bool {
                self.subscriptions.match_topic(topic)
            }
        }
    )*};
}

use subscriptions;
