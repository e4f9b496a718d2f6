//! What only some socket types can do beside sending and receiving: groups of DISH, and peers by
//! number of PEER and SERVER.

use crate::error::{Error, Result};
use crate::options::SocketType;
use crate::pattern::PatternOption;
use crate::socket::Socket;

impl Socket {
    /// DISH: receives the messages of a group from now on (`zmq_join`). Which one a message belongs
    /// to is said by [`Msg::group`](crate::Msg::group). A group is matched as a whole, and has at
    /// most 255 bytes. Does not wait.
    ///
    /// ```
    /// use ferrozmq::{Ctx, Msg, SocketType};
    ///
    /// # fn main() -> ferrozmq::Result<()> {
    /// let ctx = Ctx::new();
    /// let radio = ctx.socket(SocketType::RADIO)?;
    /// radio.bind("inproc://groups")?;
    /// let dish = ctx.socket(SocketType::DISH)?;
    /// dish.join("weather")?;
    /// dish.connect("inproc://groups")?;
    /// let mut msg = Msg::from("rain");
    /// msg.set_group("weather")?;
    /// radio.send(msg, 0)?;
    /// assert_eq!(dish.recv_msg(0)?.group(), "weather");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the group is joined already, is longer than 255 bytes or holds
    /// a NUL; [`Error::NotSupported`] for another socket type; [`Error::Term`].
    pub fn join(&self, group: &str) -> Result<()> {
        self.set_group(PatternOption::Join(group.into()))
    }

    /// DISH: takes a [`Socket::join`] back (`zmq_leave`). Does not wait.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the group is not joined; [`Error::NotSupported`] for another
    /// socket type; [`Error::Term`].
    pub fn leave(&self, group: &str) -> Result<()> {
        self.set_group(PatternOption::Leave(group.into()))
    }

    fn set_group(&self, option: PatternOption) -> Result<()> {
        let mut base = self.base();
        base.process()?;
        if base.socket_type() != SocketType::DISH {
            return Err(Error::NotSupported);
        }
        base.set_pattern(option)
    }

    /// PEER: connects as [`Socket::connect`] does, and returns the routing id of that peer
    /// (`zmq_connect_peer`), to be set on messages for it by
    /// [`Msg::set_routing_id`](crate::Msg::set_routing_id). Does not wait.
    ///
    /// # Errors
    /// As for [`Socket::connect`]; [`Error::NotSupported`] for another socket type, and
    /// [`Error::InvalidArgument`] with [`Socket::set_immediate`], where there is no peer yet.
    pub fn connect_peer(&self, endpoint: &str) -> Result<u32> {
        if self.socket_type() != SocketType::PEER {
            return Err(Error::NotSupported);
        }
        if self.base().options.immediate {
            return Err(Error::InvalidArgument(
                "with immediate, a peer is not known before it is connected",
            ));
        }
        self.connect(endpoint)?;
        self.base().last_peer_id().ok_or(Error::HostUnreachable)
    }

    /// PEER, SERVER: ends the connection with the peer of this routing id (`zmq_disconnect_peer`),
    /// whichever side made it. What was sent is delivered in the background, within the linger
    /// time; messages received and not read are dropped.
    ///
    /// # Errors
    /// [`Error::HostUnreachable`] if there is no such peer, [`Error::NotSupported`] for another
    /// socket type, [`Error::Term`].
    pub fn disconnect_peer(&self, routing_id: u32) -> Result<()> {
        let mut base = self.base();
        base.process()?;
        if !matches!(base.socket_type(), SocketType::PEER | SocketType::SERVER) {
            return Err(Error::NotSupported);
        }
        if !base.disconnect_peer(routing_id) {
            return Err(Error::HostUnreachable);
        }
        Ok(())
    }
}
