//! From frames to messages, with and without waiting.

use std::time::{Duration, Instant};

use ferrozmq::{DONTWAIT, POLLIN, Socket};

use crate::error::{Error, Result};
use crate::value::Message;

/// How many messages that are not wanted are passed over before the caller can do something else.
pub(crate) const PASSED_MAX: u32 = 256;

pub(crate) fn recv_into(socket: &Socket, message: &mut Message) -> Result<()> {
    Ok(message.refill(|msg| socket.recv(msg, 0))?)
}

pub(crate) fn try_recv(socket: &Socket) -> Result<Message> {
    match socket.recv_msg(DONTWAIT) {
        Ok(msg) => Ok(Message::from_wire(msg)),
        Err(ferrozmq::Error::Again) => Err(Error::Empty),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn recv_timeout(socket: &Socket, timeout: Duration) -> Result<Message> {
    recv_until(socket, Instant::now().checked_add(timeout))
}

/// Waits until the deadline; `None` is never.
pub(crate) fn recv_until(socket: &Socket, deadline: Option<Instant>) -> Result<Message> {
    loop {
        match try_recv(socket) {
            Err(Error::Empty) => {}
            outcome => return outcome,
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if socket.poll(POLLIN, left)? == 0 {
            return Err(Error::Timeout);
        }
    }
}
