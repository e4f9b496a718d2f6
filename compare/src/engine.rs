//! [`Engine`] and [`Socket`]: all that a run asks of what it measures. One file per engine.

pub(crate) mod ferrozmq;
pub(crate) mod libzmq;
#[cfg(feature = "others")]
pub(crate) mod monocoque;
#[cfg(feature = "others")]
pub(crate) mod omq;
pub(crate) mod raw;
#[cfg(feature = "others")]
pub(crate) mod rzmq;
#[cfg(feature = "others")]
mod tasks;
#[cfg(feature = "others")]
pub(crate) mod zmqrs;

use crate::Result;
use crate::spec::Kind;

/// A context of an engine.
pub(crate) trait Engine: Clone + Send + Sized + 'static {
    type Socket: Socket;

    /// A context with the engine's defaults, except for what the setup names.
    fn new(setup: Setup) -> Result<Self>;

    /// A socket with the engine's defaults but for the marks.
    fn socket(&self, kind: Kind, marks: Marks) -> Result<Self::Socket>;
}

/// What is to be known before a context is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) io_threads: u32,
    /// Bytes of a message.
    pub(crate) size: u32,
}

/// A socket's high-water marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Marks {
    /// The engine's own.
    Default,
    /// None, or the highest that the engine has.
    Lifted,
}

/// A socket of an engine, used by one thread.
pub(crate) trait Socket {
    /// Binds to an endpoint in ZeroMQ's notation, and returns what to connect to.
    fn bind(&mut self, endpoint: &str) -> Result<String>;

    fn connect(&mut self, endpoint: &str) -> Result<()>;

    /// Asks for the messages that begin with `topic`; only a SUB can.
    fn subscribe(&mut self, _topic: &[u8]) -> Result<()> {
        Err("this socket cannot subscribe".into())
    }

    /// How many connections may wait to be accepted; to be set before the bind.
    fn set_backlog(&mut self, _connections: u16) -> Result<()> {
        Err("this engine has no such option here".into())
    }

    /// Sends a message made of a copy of `body`.
    fn send(&mut self, body: &[u8]) -> Result<()>;

    /// Sends a frame that has others of its message behind it.
    fn send_more(&mut self, _body: &[u8]) -> Result<()> {
        Err("this engine is not asked for messages of many frames".into())
    }

    /// Receives one message and lets `look` have its body.
    fn recv<T>(&mut self, look: impl FnOnce(&[u8]) -> Result<T>) -> Result<T>;

    /// Called where nothing more is sent for now; an engine that sends by itself needs nothing.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
