//! The engine `omq`: the blocking sockets of omq-tokio.
//!
//! Its queues cannot be unlimited: marks are lifted to the largest that it allows, and what
//! a PUB has no room for is lost, which fails the run.

use omq_tokio::blocking::Socket as Inner;
use omq_tokio::{Context, ContextConfig, Message, Options, SocketType};

use crate::Result;
use crate::engine::{self, Marks};
use crate::spec::{Kind, RunSpec};

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

    fn new(spec: &RunSpec) -> Result<Self> {
        let io_threads = spec.io_threads as usize;
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
        };
        let mut options = Options::default();
        if marks == Marks::Lifted {
            options = options.send_hwm(LARGEST_QUEUE).recv_hwm(LARGEST_QUEUE);
        }
        let inner = self.0.blocking_socket(socket_type, options);
        if kind == Kind::Sub {
            inner.subscribe("")?;
        }
        Ok(Socket {
            inner,
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
