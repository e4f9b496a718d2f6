//! The engine `omq`: the blocking sockets of omq-tokio.
//!
//! Its queues cannot be unlimited: marks are lifted to the largest that it allows, and what
//! a PUB has no room for is lost, which fails the run.

use omq_tokio::blocking::Socket as Inner;
use omq_tokio::{Context, ContextConfig, Message, Options, SocketType};

use crate::Result;
use crate::engine::{self, Marks, Setup};
use crate::spec::Kind;

const LARGEST_QUEUE: u32 = 1 << 20;

/// A context.
#[derive(Clone)]
pub(crate) struct Engine(Context);

/// A socket. It keeps the context, whose threads it needs, alive.
pub(crate) struct Socket {
    inner: Inner,
    _context: Context,
}

impl engine::Engine for Engine {
    type Socket = Socket;

    fn new(setup: Setup) -> Result<Self> {
        let io_threads = setup.io_threads as usize;
        Ok(Self(Context::with_config(ContextConfig { io_threads })))
    }

    fn socket(&self, kind: Kind, marks: Marks) -> Result<Socket> {
        let socket_type = match kind {
            Kind::Push => SocketType::Push,
            Kind::Pull => SocketType::Pull,
            Kind::Pub => SocketType::Pub,
            Kind::Sub => SocketType::Sub,
            Kind::Req => SocketType::Req,
            Kind::Rep => SocketType::Rep,
            Kind::Dealer => SocketType::Dealer,
            Kind::Router => SocketType::Router,
        };
        let mut options = Options::default();
        if marks == Marks::Lifted {
            options = options.send_hwm(LARGEST_QUEUE).recv_hwm(LARGEST_QUEUE);
        }
        Ok(Socket {
            inner: self.0.blocking_socket(socket_type, options),
            _context: self.0.clone(),
        })
    }
}

impl engine::Socket for Socket {
    fn bind(&mut self, endpoint: &str) -> Result<String> {
        Ok(self.inner.bind(endpoint)?.to_string())
    }

    fn connect(&mut self, endpoint: &str) -> Result<()> {
        Ok(self.inner.connect(endpoint)?)
    }

    fn subscribe(&mut self, topic: &[u8]) -> Result<()> {
        Ok(self.inner.subscribe(topic.to_vec())?)
    }

    #[inline]
    fn send(&mut self, body: &[u8]) -> Result<()> {
        Ok(self.inner.send(Message::from_slice(body))?)
    }

    #[inline]
    fn recv<T>(&mut self, look: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        let message = self.inner.recv()?;
        look(message.part_slice(0).ok_or("a message without a part")?)
    }
}
