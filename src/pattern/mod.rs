//! What makes a PUSH a PUSH: the socket types as state machines over pipes.
//!
//! A pattern owns keys and small states, never a pipe: the socket lends it its [`Pipes`] for each
//! call. It knows no mailbox, no thread, no clock and no descriptor, and it never waits: what
//! cannot be done now is [`Refused`], and the message left as it is.

mod named;
mod upstream;
mod pair;
mod pipeline;
mod dealer;
mod router;
mod req;
mod rep;
mod publish;
mod subscribe;
mod stream;
mod single;
mod server;
mod radio;
mod dish;
mod dgram;
#[cfg(test)]
pub(crate) mod testing;

use bytes::Bytes;

use crate::error::Error;
use crate::msg::Msg;
use crate::options::SocketType;
use crate::pattern::single::Single;
use crate::pipe::{PipeEnd, Pipes};
use crate::routing::{NotTaken, write};
use crate::slab::Key;

/// The behaviour of a socket type.
pub(crate) fn for_type(socket_type: SocketType) -> Box<dyn Pattern> {
    match socket_type {
        SocketType::PAIR => Box::new(pair::Pair::default()),
        SocketType::PUB => Box::new(publish::Publish::new(false)),
        SocketType::SUB => Box::new(subscribe::Subscribe::new(true)),
        SocketType::REQ => Box::new(req::Req::new()),
        SocketType::REP => Box::new(rep::Rep::default()),
        SocketType::DEALER => Box::new(dealer::Dealer::default()),
        SocketType::ROUTER => Box::new(router::Router::new()),
        SocketType::PULL => Box::new(pipeline::Pull::default()),
        SocketType::PUSH => Box::new(pipeline::Push::default()),
        SocketType::STREAM => Box::new(stream::Stream::new()),
        SocketType::XPUB => Box::new(publish::Publish::new(true)),
        SocketType::XSUB => Box::new(subscribe::Subscribe::new(false)),
        SocketType::SERVER | SocketType::PEER => Box::new(Single::new(server::Server::new())),
        SocketType::CLIENT => Box::new(Single::new(dealer::Dealer::default())),
        SocketType::RADIO => Box::new(radio::Radio::default()),
        SocketType::DISH => Box::new(dish::Dish::default()),
        SocketType::GATHER => Box::new(Single::new(pipeline::Pull::default())),
        SocketType::SCATTER => Box::new(Single::new(pipeline::Push::default())),
        SocketType::DGRAM => Box::new(dgram::Dgram::default()),
        SocketType::CHANNEL => Box::new(Single::new(pair::Pair::default())),
    }
}

/// The behaviour of a ROUTER over raw tcp (`ZMQ_ROUTER_RAW`).
pub(crate) fn raw_router() -> Box<dyn Pattern> {
    Box::new(stream::Stream::raw_router())
}

/// Why a pattern did not do what it was asked to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// Not now: no pipe has room, or none has a message.
    WouldBlock,
    /// Not yet: much that was of no use has been read, and more may be there. The caller looks
    /// at its clock and asks again; no event will call it.
    Yield,
    /// Not in this state.
    Fsm,
    /// Not this socket type.
    NotSupported,
    /// There is no peer of that routing id.
    HostUnreachable,
    /// The message is not of the form that the socket type demands.
    Invalid(&'static str),
}

impl From<NotTaken> for Refused {
    fn from(_: NotTaken) -> Self {
        Self::WouldBlock
    }
}

/// Where a new pipe comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The routing id that the application chose for the peer (`ZMQ_CONNECT_ROUTING_ID`).
    pub routing_id: Option<Bytes>,
    /// Datagrams go through the pipe, so that nobody at its end can say what he wants.
    pub datagrams: bool,
}

/// An option that changes a pattern's behaviour at once.
#[derive(Clone, Debug)]
pub enum PatternOption {
    /// SUB: add a subscription. XPUB in manual mode: subscribe the peer of the last event.
    Subscribe(Bytes),
    /// SUB: remove a subscription. XPUB in manual mode: unsubscribe the peer of the last event.
    Unsubscribe(Bytes),
    /// ROUTER: report unknown and full peers instead of dropping.
    RouterMandatory(bool),
    /// ROUTER: a new peer of the same routing id takes over.
    RouterHandover(bool),
    /// REQ, DEALER, ROUTER: greet each new pipe with an empty message.
    ProbeRouter(bool),
    /// REQ: number the requests and take only the matching reply.
    ReqCorrelate(bool),
    /// REQ: send again without having received.
    ReqRelaxed(bool),
    /// XPUB: report repeated subscriptions.
    XpubVerbose(bool),
    /// XPUB: report repeated subscriptions and all unsubscriptions.
    XpubVerboser(bool),
    /// XPUB: the application applies subscriptions itself.
    XpubManual(bool),
    /// XPUB: manual mode, in which the message after an event goes to the peer of the event only.
    XpubManualLastValue(bool),
    /// PUB, XPUB, RADIO: refuse a message that some receiver has no room for.
    XpubNodrop(bool),
    /// XPUB, PUB: what each new subscriber gets first.
    XpubWelcome(Option<Msg>),
    /// PUB, XPUB, SUB: match what the subscriptions do not.
    InvertMatching(bool),
    /// XPUB, XSUB: only the first frame of a message can be a subscription.
    OnlyFirstSubscribe(bool),
    /// XSUB, SUB: forward every unsubscription.
    XsubVerboseUnsubscribe(bool),
    /// DISH: receive the messages of this group.
    Join(Box<str>),
    /// DISH: receive them no more.
    Leave(Box<str>),
}

/// A socket type's behaviour.
///
/// `pipes` is always the same slab. A pattern removes a pipe from it (which drops the end) when
/// the peer is gone and everything worth reading has been read, or at [`Pattern::detach`].
pub trait Pattern: std::fmt::Debug + Send {
    /// Takes a new pipe into use. Its end is attached to the socket already; it may be readable,
    /// and its peer may be gone. A pattern that does not want it removes it.
    fn attach(&mut self, pipes: &mut Pipes, key: Key, origin: Origin);

    /// Forgets a pipe and removes it, whatever it holds.
    fn detach(&mut self, pipes: &mut Pipes, key: Key);

    /// There is something to read, perhaps only the end of the stream.
    fn on_readable(&mut self, pipes: &mut Pipes, key: Key);

    /// There is room to write again.
    fn on_writable(&mut self, pipes: &mut Pipes, key: Key);

    /// The peer is gone: nothing can be written; what is left can be read up to `Finished`.
    fn on_closed(&mut self, pipes: &mut Pipes, key: Key);

    /// The peer reconnected and has forgotten what it was told.
    fn on_hiccup(&mut self, pipes: &mut Pipes, key: Key);

    /// Writes a frame, [`Msg::more`] saying whether others follow; the last makes the message
    /// readable, unless the pipes [`hold`](Pipes::hold) it back. What is left of `msg` is of no use;
    /// it is as it was if it is refused.
    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused>;

    /// Reads a frame to the place of what is in `into`. If that is refused, what is left there is of
    /// no use.
    fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused>;

    /// Whether `send` would take a frame now.
    fn can_send(&mut self, pipes: &mut Pipes) -> bool;

    /// Whether `recv` would give a frame now. Where `recv` would [`Yield`](Refused::Yield) it is
    /// true, so that nobody waits for an event in vain.
    fn can_recv(&mut self, pipes: &mut Pipes) -> bool;

    /// Changes an option.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the socket type has no such option.
    fn set(&mut self, pipes: &mut Pipes, option: PatternOption) -> Result<(), Error> {
        let _ = (pipes, option);
        Err(no_such_option())
    }

    /// Whether the peer of this routing id has room for a message; ROUTER only.
    fn peer_is_writable(&mut self, pipes: &mut Pipes, routing_id: &[u8]) -> Result<bool, Refused> {
        let _ = (pipes, routing_id);
        Err(Refused::NotSupported)
    }

    /// Refuses until so many peers have subscribed to something; PUB, XPUB and RADIO only.
    fn has_subscribers(&mut self, pipes: &mut Pipes, peers: usize) -> Result<(), Refused> {
        let _ = (pipes, peers);
        Err(Refused::NotSupported)
    }

    /// The routing id by which the pattern knows a pipe's peer; ROUTER and STREAM only.
    fn routing_id_of(&self, key: Key) -> Option<&Bytes> {
        let _ = key;
        None
    }

    /// The number by which the pattern knows a pipe's peer; SERVER and PEER only.
    fn peer_id_of(&self, key: Key) -> Option<u32> {
        let _ = key;
        None
    }

    /// The pipe of the peer of this number; SERVER and PEER only.
    fn peer_by_id(&self, id: u32) -> Option<Key> {
        let _ = id;
        None
    }

    /// Whether something waits here that was sent while no pipe took it. A socket that is closed
    /// lives on for it, as long as it may linger.
    fn has_backlog(&self) -> bool {
        false
    }

    /// Goes on with what it left undone when it [asked to](Pipes::come_again).
    #[cfg(feature = "protocols")]
    fn go_on(&mut self, pipes: &mut Pipes) {
        let _ = pipes;
    }

    /// The context is being terminated: nothing more will be sent or received.
    fn on_stop(&mut self, pipes: &mut Pipes) {
        let _ = pipes;
    }

    /// How many different topics are subscribed to; publishers and subscribers only.
    fn topics_count(&self) -> Option<usize> {
        None
    }
}

fn no_such_option() -> Error {
    Error::InvalidArgument("the socket type has no such option")
}

/// Whether nobody is at the other end of a pipe, as far as is known.
pub fn is_peer_gone(pipes: &Pipes, key: Key) -> bool {
    pipes.get(key).is_none_or(PipeEnd::is_peer_gone)
}

/// Writes an empty message, by which a ROUTER at the other end learns of this peer.
fn greet(pipes: &mut Pipes, key: Key) {
    if write(pipes, key, &mut Msg::new()).is_ok() {
        if let Some(pipe) = pipes.get_mut(key) {
            pipe.flush();
        }
    }
}

#[cfg(test)]
mod tests;
