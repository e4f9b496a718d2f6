//! What only the draft socket types have, and peers by their ids.

use std::ffi::{c_char, c_int, c_void};

use ferrozmq::{POLLOUT, SocketType};

use crate::abi::Done;
use crate::errno::Errno;
use crate::socket::find;

abi! {
    /// DISH: receives a group's messages from now on.
    fn zmq_join(place: In<c_void>, _group: In<c_char>) -> Result<Done, Errno> {
        drop(find(place)?.lock()?);
        Err(Errno::NOT_SUPPORTED)
    }

    /// DISH: takes a `zmq_join` back.
    fn zmq_leave(place: In<c_void>, _group: In<c_char>) -> Result<Done, Errno> {
        drop(find(place)?.lock()?);
        Err(Errno::NOT_SUPPORTED)
    }

    /// PEER: connects, and returns the peer's routing id; 0 if it fails.
    fn zmq_connect_peer(place: In<c_void>, _endpoint: In<c_char>) -> Result<u32, Errno> {
        drop(find(place)?.lock()?);
        Err(Errno::NOT_SUPPORTED)
    }

    /// PEER, SERVER: closes the connection of a peer.
    fn zmq_disconnect_peer(place: In<c_void>, _id: u32) -> Result<Done, Errno> {
        drop(find(place)?.lock()?);
        Err(Errno::NOT_SUPPORTED)
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
