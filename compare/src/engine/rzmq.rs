//! The engine `rzmq`.
//!
//! Its queues take their memory at once: marks are lifted to a million messages, and what a PUB
//! has no room for is lost, which fails the run.

use ::rzmq::socket::options::{LAST_ENDPOINT, RCVHWM, SNDHWM, SUBSCRIBE};
use ::rzmq::{Context, Msg, Socket as Inner, SocketType};

use crate::Result;
use crate::engine::tasks::wait;
use crate::engine::{self, Marks, Setup};
use crate::spec::Kind;

const LARGEST_QUEUE: i32 = 1_000_000;

/// A context.
#[derive(Clone)]
pub(crate) struct Engine(Context);

/// A socket.
pub(crate) struct Socket(Inner);

impl engine::Engine for Engine {
    type Socket = Socket;

    /// Its tasks run on the runtime's threads; there are no others to be numbered.
    fn new(_setup: Setup) -> Result<Self> {
        Ok(Self(wait(async { Context::new() })?))
    }

    fn socket(&self, kind: Kind, marks: Marks) -> Result<Socket> {
        let inner = wait(async {
            self.0.socket(match kind {
                Kind::Push => SocketType::Push,
                Kind::Pull => SocketType::Pull,
                Kind::Pub => SocketType::Pub,
                Kind::Sub => SocketType::Sub,
                Kind::Req => SocketType::Req,
                Kind::Rep => SocketType::Rep,
                Kind::Dealer => SocketType::Dealer,
                Kind::Router => SocketType::Router,
            })
        })?;
        if marks == Marks::Lifted {
            wait(inner.set_option(SNDHWM, LARGEST_QUEUE))?;
            wait(inner.set_option(RCVHWM, LARGEST_QUEUE))?;
        }
        Ok(Socket(inner))
    }
}

impl engine::Socket for Socket {
    fn bind(&mut self, endpoint: &str) -> Result<String> {
        wait(self.0.bind(&endpoint.replace('*', "0")))?;
        Ok(String::from_utf8(wait(self.0.get_option(LAST_ENDPOINT))?)?)
    }

    fn connect(&mut self, endpoint: &str) -> Result<()> {
        Ok(wait(self.0.connect(endpoint))?)
    }

    fn subscribe(&mut self, topic: &[u8]) -> Result<()> {
        Ok(wait(self.0.set_option_raw(SUBSCRIBE, topic))?)
    }

    #[inline]
    fn send(&mut self, body: &[u8]) -> Result<()> {
        Ok(wait(self.0.send(Msg::from_vec(body.to_vec())))?)
    }

    #[inline]
    fn recv<T>(&mut self, look: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        look(wait(self.0.recv())?.data().unwrap_or_default())
    }
}
