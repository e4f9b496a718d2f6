//! [`Engine`] and [`Socket`]: all that a run asks of what it measures. One file per engine.

pub(crate) mod ferrozmq;
pub(crate) mod libzmq;
#[cfg(feature = "others")]
pub(crate) mod omq;
pub(crate) mod raw;

use crate::Result;
use crate::spec::{Kind, RunSpec};

/// A context of an engine.
pub(crate) trait Engine: Clone + Send + Sized + 'static {
    type Socket: Socket;

    /// A context with the engine's defaults, except for what the specification names.
    fn new(spec: &RunSpec) -> Result<Self>;

    /// A socket with the engine's defaults but for the marks; a SUB has subscribed to everything.
    fn socket(&self, kind: Kind, marks: Marks) -> Result<Self::Socket>;
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

    /// Sends a message made of a copy of `body`.
    fn send(&mut self, body: &[u8]) -> Result<()>;

    /// Receives one message and lets `look` have its body.
    fn recv<T>(&mut self, look: impl FnOnce(&[u8]) -> Result<T>) -> Result<T>;

    /// Called where nothing more is sent for now; an engine that sends by itself needs nothing.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
