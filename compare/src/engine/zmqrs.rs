//! The engine `zmqrs`: zmq.rs, the crate `zeromq`.
//!
//! It has no marks to be lifted: what a PUB has no room for is lost, which fails the run.

use std::time::Duration;

use tokio::time::sleep;
use zeromq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    Socket as _, SocketRecv, SocketSend, SubSocket, ZmqError, ZmqMessage,
};

use crate::Result;
use crate::engine::tasks::wait;
use crate::engine::{self, Marks, Setup};
use crate::spec::Kind;

/// How long a PUSH without a peer waits before it tries again: it gives the message back.
const MOMENT: Duration = Duration::from_millis(1);

/// It has no contexts.
#[derive(Clone)]
pub(crate) struct Engine;

/// A socket.
pub(crate) enum Socket {
    Push(PushSocket),
    Pull(PullSocket),
    Pub(PubSocket),
    Sub(SubSocket),
    Req(ReqSocket),
    Rep(RepSocket),
    Dealer(DealerSocket),
    Router(RouterSocket),
}

/// Does the same with whichever socket it is.
macro_rules! each {
    ($socket:expr, $inner:ident => $does:expr) => {
        match $socket {
            Socket::Push($inner) => $does,
            Socket::Pull($inner) => $does,
            Socket::Pub($inner) => $does,
            Socket::Sub($inner) => $does,
            Socket::Req($inner) => $does,
            Socket::Rep($inner) => $does,
            Socket::Dealer($inner) => $does,
            Socket::Router($inner) => $does,
        }
    };
}

impl engine::Engine for Engine {
    type Socket = Socket;

    fn new(_setup: Setup) -> Result<Self> {
        Ok(Self)
    }

    fn socket(&self, kind: Kind, _marks: Marks) -> Result<Socket> {
        Ok(wait(async {
            match kind {
                Kind::Push => Socket::Push(PushSocket::new()),
                Kind::Pull => Socket::Pull(PullSocket::new()),
                Kind::Pub => Socket::Pub(PubSocket::new()),
                Kind::Sub => Socket::Sub(SubSocket::new()),
                Kind::Req => Socket::Req(ReqSocket::new()),
                Kind::Rep => Socket::Rep(RepSocket::new()),
                Kind::Dealer => Socket::Dealer(DealerSocket::new()),
                Kind::Router => Socket::Router(RouterSocket::new()),
            }
        }))
    }
}

impl engine::Socket for Socket {
    fn bind(&mut self, endpoint: &str) -> Result<String> {
        let endpoint = endpoint.replace('*', "0");
        let bound = each!(self, socket => wait(socket.bind(&endpoint)))?;
        Ok(bound.to_string())
    }

    fn connect(&mut self, endpoint: &str) -> Result<()> {
        Ok(each!(self, socket => wait(socket.connect(endpoint)))?)
    }

    fn subscribe(&mut self, topic: &[u8]) -> Result<()> {
        match self {
            Self::Sub(socket) => Ok(wait(socket.subscribe(std::str::from_utf8(topic)?))?),
            _ => Err("this socket cannot subscribe".into()),
        }
    }

    #[inline]
    fn send(&mut self, body: &[u8]) -> Result<()> {
        let message = ZmqMessage::from(body.to_vec());
        match self {
            Self::Push(socket) => wait(push(socket, message)),
            Self::Pub(socket) => Ok(wait(socket.send(message))?),
            Self::Req(socket) => Ok(wait(socket.send(message))?),
            Self::Rep(socket) => Ok(wait(socket.send(message))?),
            Self::Dealer(socket) => Ok(wait(socket.send(message))?),
            Self::Router(socket) => Ok(wait(socket.send(message))?),
            Self::Pull(_) | Self::Sub(_) => Err("this socket cannot send".into()),
        }
    }

    #[inline]
    fn recv<T>(&mut self, look: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        let message = match self {
            Self::Pull(socket) => wait(socket.recv()),
            Self::Sub(socket) => wait(socket.recv()),
            Self::Req(socket) => wait(socket.recv()),
            Self::Rep(socket) => wait(socket.recv()),
            Self::Dealer(socket) => wait(socket.recv()),
            Self::Router(socket) => wait(socket.recv()),
            Self::Push(_) | Self::Pub(_) => return Err("this socket cannot receive".into()),
        }?;
        look(message.get(0).ok_or("a message without a part")?)
    }
}

async fn push(socket: &mut PushSocket, mut message: ZmqMessage) -> Result<()> {
    loop {
        match socket.send(message).await {
            Ok(()) => return Ok(()),
            Err(ZmqError::ReturnToSender { message: back, .. }) => message = back,
            Err(error) => return Err(error.into()),
        }
        sleep(MOMENT).await;
    }
}
