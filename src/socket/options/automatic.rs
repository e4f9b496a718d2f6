//! Options about messages that the socket sends or receives by itself, when a peer comes or goes.
//!
//! All of them take effect for endpoints bound or connected later.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::options::{RouterNotify, SocketType};
use crate::socket::Socket;

/// Setters and getters of messages.
macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        $set:ident, $get:ident = $field:ident;
    )*) => {
        impl Socket {$(
            $(#[$doc])*
            /// Empty, the default, it is none. Other types take the option, and nothing follows
            /// from it. Takes effect for endpoints bound or connected later.
            ///
            /// # Errors
            /// [`Error::Term`].
            pub fn $set(&self, message: &[u8]) -> Result<()> {
                self.processed()?.options.automatic.$field = Bytes::copy_from_slice(message);
                Ok(())
            }

            #[doc = concat!("The value of [`Socket::", stringify!($set), "`].")]
            ///
            /// # Errors
            /// [`Error::Term`].
            pub fn $get(&self) -> Result<Bytes> {
                Ok(self.processed()?.options.automatic.$field.clone())
            }
        )*}
    };
}

messages! {
    /// CLIENT, DEALER, PEER, ROUTER, SERVER: sets the message that the peer of each new connection
    /// is sent first, after a reconnect too (`ZMQ_HELLO_MSG`).
    set_hello_msg, get_hello_msg = hello;

    /// PEER, ROUTER, SERVER: sets the message that is received from a peer when it is gone, after
    /// all that it sent (`ZMQ_DISCONNECT_MSG`). It tells of peers that connected to this socket.
    set_disconnect_msg, get_disconnect_msg = disconnect;

    /// CLIENT, DEALER, PEER: sets the message that is received from a peer that this socket
    /// connected to when the connection is lost, over tcp and ipc (`ZMQ_HICCUP_MSG`).
    set_hiccup_msg, get_hiccup_msg = hiccup;
}

impl Socket {
    /// ROUTER: sets of which peers an empty message tells, after their routing id
    /// (`ZMQ_ROUTER_NOTIFY`): those that connect, those whose connection ends. Over tcp and ipc.
    /// Default: none. Takes effect for endpoints bound or connected later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another socket type, [`Error::Term`].
    pub fn set_router_notify(&self, notify: RouterNotify) -> Result<()> {
        let mut base = self.processed()?;
        if base.socket_type() != SocketType::ROUTER {
            return Err(Error::InvalidArgument("only a ROUTER tells of its peers"));
        }
        base.options.router_notify = notify;
        Ok(())
    }

    /// The value of [`Socket::set_router_notify`].
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_router_notify(&self) -> Result<RouterNotify> {
        Ok(self.processed()?.options.router_notify)
    }
}
