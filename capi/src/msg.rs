//! `zmq_msg_t`: the engine's `Msg` in place.

#![allow(non_camel_case_types, reason = "the names of C")]

use std::ffi::{c_char, c_int, c_void};

use ferrozmq::Msg;

use crate::abi::{Done, FreeFn, Opaque, Text};
use crate::errno::Errno;
use crate::frees::Foreign;
use crate::socket::{self, find};

const MORE: c_int = 1;
const SRCFD: c_int = 2;
const SHARED: c_int = 3;

/// Bodies of more bytes are asked for from the allocator before they are promised to it.
const LARGE: usize = 1 << 20;

/// A message of C's: `None` once it is closed.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct zmq_msg_t(Option<Msg>);

const _: () = assert!(size_of::<zmq_msg_t>() == 64, "the size in zmq.h");
const _: () = assert!(
    align_of::<zmq_msg_t>() <= align_of::<*const c_void>(),
    "the alignment in zmq.h"
);

impl Out<zmq_msg_t> {
    /// Makes it a message, whatever it was.
    #[inline]
    pub(crate) fn init(&mut self, msg: Msg) -> Result<Done, Errno> {
        if self.put(zmq_msg_t(Some(msg))) {
            Ok(Done)
        } else {
            Err(Errno::FAULT)
        }
    }

    /// The message, unless it is closed.
    #[inline]
    pub(crate) fn msg(&mut self) -> Result<&mut Msg, Errno> {
        let msg = self.get().ok_or(Errno::FAULT)?;
        msg.0.as_mut().ok_or(Errno::FAULT)
    }
}

impl In<zmq_msg_t> {
    /// The message, unless it is closed.
    pub(crate) fn msg(&self) -> Result<&Msg, Errno> {
        let msg = self.get().ok_or(Errno::FAULT)?;
        msg.0.as_ref().ok_or(Errno::FAULT)
    }
}

/// A message of so many bytes, if there is memory for them.
fn sized(len: usize) -> Result<Msg, Errno> {
    if len > LARGE {
        let room = Vec::<u8>::new().try_reserve_exact(len.saturating_add(LARGE));
        room.map_err(|_| Errno::NO_MEMORY)?;
    }
    Ok(Msg::zeroed(len))
}

abi! {
    /// Makes a message empty.
    fn zmq_msg_init(msg: Out<zmq_msg_t>) -> Result<Done, Errno> {
        msg.init(Msg::new())
    }

    /// Makes a message of so many bytes, to be filled.
    fn zmq_msg_init_size(msg: Out<zmq_msg_t>, len: usize) -> Result<Done, Errno> {
        msg.init(sized(len)?)
    }

    /// Makes a message a copy of bytes.
    fn zmq_msg_init_buffer(
        msg: Out<zmq_msg_t>,
        buffer: In<c_void>,
        len: usize,
    ) -> Result<Done, Errno> {
        msg.init(Msg::copied(buffer.bytes(len).ok_or(Errno::FAULT)?))
    }

    /// Makes a message of the caller's memory, which `free` takes back when it is not needed any
    /// more: once, on any thread, while nothing of the library is held. Without `free` it is never
    /// given back.
    fn zmq_msg_init_data(
        msg: Out<zmq_msg_t>,
        data: Opaque,
        len: usize,
        free: FreeFn,
        hint: Opaque,
    ) -> Result<Done, Errno> {
        let made = match free {
            Some(_) => Msg::from_owner(Foreign::new(data, len, free, hint)),
            None => socket::constant(data, len),
        };
        msg.init(made)
    }

    /// Gives up a message. `EFAULT` if it was given up already.
    fn zmq_msg_close(msg: Out<zmq_msg_t>) -> Result<Done, Errno> {
        let msg = msg.get().ok_or(Errno::FAULT)?;
        msg.0.take().map(|_| Done).ok_or(Errno::FAULT)
    }

    /// Moves a message; the source becomes empty.
    fn zmq_msg_move(to: Out<zmq_msg_t>, from: Out<zmq_msg_t>) -> Result<Done, Errno> {
        if to.as_ptr() == from.as_ptr() {
            return to.msg().map(|_| Done);
        }
        let (to, from) = (to.msg()?, from.msg()?);
        *to = std::mem::take(from);
        Ok(Done)
    }

    /// Makes a message the same as another; large bodies are shared.
    fn zmq_msg_copy(to: Out<zmq_msg_t>, from: Out<zmq_msg_t>) -> Result<Done, Errno> {
        if to.as_ptr() == from.as_ptr() {
            return to.msg().map(|_| Done);
        }
        let (to, from) = (to.msg()?, from.msg()?);
        from.share();
        *to = from.clone();
        Ok(Done)
    }

    /// Where the body lies.
    fn zmq_msg_data(msg: Out<zmq_msg_t>) -> Result<*mut c_void, Errno> {
        Ok(msg.msg()?.body_ptr().cast())
    }

    /// How long the body is.
    fn zmq_msg_size(msg: In<zmq_msg_t>) -> Result<usize, Errno> {
        Ok(msg.msg()?.len())
    }

    /// Whether more frames follow.
    fn zmq_msg_more(msg: In<zmq_msg_t>) -> Result<c_int, Errno> {
        Ok(msg.msg()?.more().into())
    }

    /// A property: `ZMQ_MORE`, `ZMQ_SRCFD` or `ZMQ_SHARED`.
    fn zmq_msg_get(msg: In<zmq_msg_t>, property: c_int) -> Result<c_int, Errno> {
        let msg = msg.msg()?;
        let source = || msg.metadata().and_then(ferrozmq::Metadata::source_fd);
        Ok(match property {
            MORE => msg.more().into(),
            SRCFD => source().ok_or(Errno::INVALID)?,
            SHARED => msg.is_shared().into(),
            _ => return Err(Errno::INVALID),
        })
    }

    /// No property can be set.
    fn zmq_msg_set(_msg: Out<zmq_msg_t>, _property: c_int, _value: c_int) -> Result<Done, Errno> {
        Err(Errno::INVALID)
    }

    /// Metadata of the connection that the message came through, while the message lives.
    fn zmq_msg_gets(msg: In<zmq_msg_t>, name: In<c_char>) -> Result<Text, Errno> {
        let found = msg.msg()?.metadata().ok_or(Errno::INVALID)?;
        let found = found.get_cstr(name.text()?).ok_or(Errno::INVALID)?;
        Ok(Text(found.as_ptr()))
    }

    /// Sends a message, which is empty then.
    fn zmq_msg_send(msg: Out<zmq_msg_t>, socket: In<c_void>, flags: c_int) -> Result<c_int, Errno> {
        socket::send_msg(find(socket)?, msg.msg()?, flags)
    }

    /// Receives a message in place of another.
    fn zmq_msg_recv(msg: Out<zmq_msg_t>, socket: In<c_void>, flags: c_int) -> Result<c_int, Errno> {
        socket::recv_msg(find(socket)?, msg.msg()?, flags)
    }

    /// As `zmq_msg_send`.
    fn zmq_sendmsg(socket: In<c_void>, msg: Out<zmq_msg_t>, flags: c_int) -> Result<c_int, Errno> {
        socket::send_msg(find(socket)?, msg.msg()?, flags)
    }

    /// As `zmq_msg_recv`.
    fn zmq_recvmsg(socket: In<c_void>, msg: Out<zmq_msg_t>, flags: c_int) -> Result<c_int, Errno> {
        socket::recv_msg(find(socket)?, msg.msg()?, flags)
    }

    /// Sets the peer that a SERVER or PEER sends to.
    fn zmq_msg_set_routing_id(msg: Out<zmq_msg_t>, id: u32) -> Result<Done, Errno> {
        msg.msg()?.set_routing_id(id)?;
        Ok(Done)
    }

    /// The peer that a SERVER or PEER has a message from; 0 if there is none.
    fn zmq_msg_routing_id(msg: Out<zmq_msg_t>) -> Result<u32, Errno> {
        Ok(msg.msg()?.routing_id())
    }

    /// Sets the group that a RADIO sends to.
    fn zmq_msg_set_group(msg: Out<zmq_msg_t>, group: In<c_char>) -> Result<Done, Errno> {
        msg.msg()?.set_group(group.text()?)?;
        Ok(Done)
    }

    /// The group that a DISH has a message from.
    fn zmq_msg_group(msg: Out<zmq_msg_t>) -> Result<Text, Errno> {
        Ok(Text(msg.msg()?.group_cstr().as_ptr()))
    }
}
