//! What only the draft socket types have, and peers by their ids.

use std::ffi::{c_char, c_int, c_void};

use ferrozmq::{POLLOUT, SocketType};

use crate::abi::Done;
use crate::errno::Errno;
use crate::socket::find;

abi! {
    /// DISH: receives a group's messages from now on.
    fn zmq_join(place: In<c_void>, group: In<c_char>) -> Result<Done, Errno> {
        let open = find(place)?.lock()?;
        open.socket.join(group.text()?)?;
        Ok(Done)
    }

    /// DISH: takes a `zmq_join` back.
    fn zmq_leave(place: In<c_void>, group: In<c_char>) -> Result<Done, Errno> {
        let open = find(place)?.lock()?;
        open.socket.leave(group.text()?)?;
        Ok(Done)
    }

    /// PEER: connects, and returns the peer's routing id; 0 if it fails.
    fn zmq_connect_peer(place: In<c_void>, endpoint: In<c_char>) -> Result<u32, Errno> {
        let open = find(place)?.lock()?;
        if open.socket.socket_type() == SocketType::PEER && open.socket.is_immediate()? {
            return Err(Errno::FAULT);
        }
        Ok(open.socket.connect_peer(endpoint.text()?)?)
    }

    /// PEER, SERVER: closes the connection of a peer.
    fn zmq_disconnect_peer(place: In<c_void>, id: u32) -> Result<Done, Errno> {
        let open = find(place)?.lock()?;
        open.socket.disconnect_peer(id)?;
        Ok(Done)
    }

    /// ROUTER: whether a peer has room for a message: `ZMQ_POLLOUT` or 0.
    fn zmq_socket_get_peer_state(
        place: In<c_void>,
        id: In<c_void>,
        len: usize,
    ) -> Result<c_int, Errno> {
        let open = find(place)?.lock()?;
        if open.socket.socket_type() != SocketType::ROUTER {
            return Err(Errno::NOT_SUPPORTED);
        }
        let id = id.bytes(len).ok_or(Errno::INVALID)?;
        let writable = open.socket.peer_is_writable(id)?;
        Ok(if writable { POLLOUT.into() } else { 0 })
    }
}
