//! The engine `ferrozmq`, by its public API.

use ::ferrozmq::{Ctx, Msg, Socket as Inner, SocketType};

use crate::Result;
use crate::engine::{self, Marks, Setup};
use crate::spec::Kind;

/// A context.
#[derive(Clone)]
pub(crate) struct Engine(Ctx);

/// A socket and the message it receives into.
pub(crate) struct Socket {
    inner: Inner,
    msg: Msg,
}

impl engine::Engine for Engine {
    type Socket = Socket;

    fn new(setup: Setup) -> Result<Self> {
        let ctx = Ctx::new();
        ctx.set_io_threads(setup.io_threads as usize)?;
        Ok(Self(ctx))
    }

    fn socket(&self, kind: Kind, marks: Marks) -> Result<Socket> {
        let inner = self.0.socket(match kind {
            Kind::Push => SocketType::PUSH,
            Kind::Pull => SocketType::PULL,
            Kind::Pub => SocketType::PUB,
            Kind::Sub => SocketType::SUB,
            Kind::Req => SocketType::REQ,
            Kind::Rep => SocketType::REP,
            Kind::Dealer => SocketType::DEALER,
            Kind::Router => SocketType::ROUTER,
        })?;
        if marks == Marks::Lifted {
            inner.set_sndhwm(0)?;
            inner.set_rcvhwm(0)?;
        }
        Ok(Socket {
            inner,
            msg: Msg::new(),
        })
    }
}

impl engine::Socket for Socket {
    fn bind(&mut self, endpoint: &str) -> Result<String> {
        self.inner.bind(endpoint)?;
        Ok(self.inner.last_endpoint())
    }

    fn connect(&mut self, endpoint: &str) -> Result<()> {
        Ok(self.inner.connect(endpoint)?)
    }

    fn subscribe(&mut self, topic: &[u8]) -> Result<()> {
        Ok(self.inner.set_subscribe(topic)?)
    }

    fn set_backlog(&mut self, connections: u16) -> Result<()> {
        Ok(self.inner.set_backlog(connections.into())?)
    }

    #[inline]
    fn send(&mut self, body: &[u8]) -> Result<()> {
        Ok(self.inner.send(body, 0)?)
    }

    fn send_more(&mut self, body: &[u8]) -> Result<()> {
        Ok(self.inner.send(body, ::ferrozmq::SNDMORE)?)
    }

    #[inline]
    fn recv<T>(&mut self, look: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        self.inner.recv(&mut self.msg, 0)?;
        look(&self.msg)
    }
}
