//! What all sockets of axon have in common: how they are made, and their endpoints.

use std::sync::Arc;

use ferrozmq::protocol::{AttendedSocket, Notifier, Pattern};
use ferrozmq::{Ctx, SharedSocket, Socket, SocketType};

use crate::endpoint::{IntoEndpoint, from_engine};
use crate::engine::Amp;
use crate::error::Result;
use crate::event::Events;
use crate::options::Options;

/// How many times as long each wait is before another attempt to connect.
const RETRY_FACTOR: f64 = 1.5;

/// Makes a socket that speaks AMP.
pub(crate) fn open(
    ctx: &Ctx,
    socket_type: SocketType,
    options: &Options,
    pattern: impl FnOnce(Notifier) -> Box<dyn Pattern>,
) -> Result<Socket> {
    let limits = options.limits;
    let socket = ctx.protocol_socket(socket_type, Arc::new(Amp { limits }), pattern)?;
    // Only a peer that is there has a queue: what is sent without one waits in the socket.
    socket.set_immediate(true)?;
    socket.set_sndhwm(options.peer_hwm)?;
    socket.set_rcvhwm(options.peer_hwm)?;
    socket.set_linger(options.linger)?;
    socket.set_sndtimeo(options.send_timeout)?;
    socket.set_reconnect_ivl(Some(options.retry_timeout))?;
    socket.set_reconnect_ivl_max(options.retry_max_timeout)?;
    socket.set_reconnect_factor(RETRY_FACTOR)?;
    socket.set_ipc_mode(options.unix_mode)?;
    Ok(socket)
}

/// A way to own a socket.
pub(crate) trait Holder {
    fn with<T>(&self, act: impl FnOnce(&Socket) -> ferrozmq::Result<T>) -> ferrozmq::Result<T>;
}

impl Holder for Socket {
    fn with<T>(&self, act: impl FnOnce(&Self) -> ferrozmq::Result<T>) -> ferrozmq::Result<T> {
        act(self)
    }
}

impl Holder for AttendedSocket {
    fn with<T>(&self, act: impl FnOnce(&Socket) -> ferrozmq::Result<T>) -> ferrozmq::Result<T> {
        self.with(act)
    }
}

impl Holder for SharedSocket {
    fn with<T>(&self, act: impl FnOnce(&Socket) -> ferrozmq::Result<T>) -> ferrozmq::Result<T> {
        self.with(act)
    }
}

impl<H: Holder> Holder for Arc<H> {
    fn with<T>(&self, act: impl FnOnce(&Socket) -> ferrozmq::Result<T>) -> ferrozmq::Result<T> {
        (**self).with(act)
    }
}

pub(crate) fn bind(holder: &impl Holder, endpoint: impl IntoEndpoint) -> Result<()> {
    let endpoint = endpoint.into_endpoint()?;
    Ok(holder.with(|socket| {
        if endpoint.is_v6() {
            socket.set_ipv6(true)?;
        }
        socket.bind(&endpoint.to_engine(true))
    })?)
}

pub(crate) fn connect(holder: &impl Holder, endpoint: impl IntoEndpoint) -> Result<()> {
    let endpoint = endpoint.into_endpoint()?;
    Ok(holder.with(|socket| {
        if endpoint.is_v6() {
            socket.set_ipv6(true)?;
        }
        socket.connect(&endpoint.to_engine(false))
    })?)
}

pub(crate) fn disconnect(holder: &impl Holder, endpoint: impl IntoEndpoint) -> Result<()> {
    let endpoint = endpoint.into_endpoint()?;
    Ok(holder.with(|socket| socket.disconnect(&endpoint.to_engine(false)))?)
}

pub(crate) fn address(holder: &impl Holder) -> Option<String> {
    let last = holder.with(|socket| Ok(socket.last_endpoint())).ok()?;
    (!last.is_empty()).then(|| from_engine(&last))
}

pub(crate) fn events(holder: &impl Holder) -> Result<Events> {
    Ok(Events::new(holder.with(|socket| Ok(socket.monitor()))?))
}

/// The calls about endpoints and events, which are the same for all sockets.
macro_rules! endpoints {
    ($($socket:ident),*) => {$(
        impl $socket {
            /// Takes connections at an endpoint; see [`IntoEndpoint`](crate::IntoEndpoint) for its
            /// forms. A socket can be bound to several, and connect beside.
            ///
            /// With port 0 the system picks one, see [`address`](Self::address). The file of a unix
            /// socket whose owner is gone is taken over; that of a live one, and what is no socket,
            /// never is. It is removed when the socket closes.
            ///
            /// # Errors
            /// [`Error::Endpoint`](crate::Error::Endpoint) for the text,
            /// [`Error::Engine`](crate::Error::Engine) if the address is in use, not ours or not
            /// allowed, [`Error::Closed`](crate::Error::Closed).
            pub fn bind(&self, endpoint: impl crate::IntoEndpoint) -> crate::Result<()> {
                crate::socket::bind(&self.socket, endpoint)
            }

            /// Connects to an endpoint, and connects again whenever the connection is lost, after the
            /// waits that [`Options`](crate::Options) tell, which each endpoint counts for itself. Does
            /// not wait; the peer may come later. A socket can connect to several.
            ///
            /// # Errors
            /// [`Error::Endpoint`](crate::Error::Endpoint) for the text,
            /// [`Error::Closed`](crate::Error::Closed).
            pub fn connect(&self, endpoint: impl crate::IntoEndpoint) -> crate::Result<()> {
                crate::socket::connect(&self.socket, endpoint)
            }

            /// Takes a [`connect`](Self::connect) back, also while its next attempt is waited for.
            /// What was given to that connection is delivered in the background.
            ///
            /// # Errors
            /// [`Error::Engine`](crate::Error::Engine) if it was not connected to,
            /// [`Error::Closed`](crate::Error::Closed).
            pub fn disconnect(&self, endpoint: impl crate::IntoEndpoint) -> crate::Result<()> {
                crate::socket::disconnect(&self.socket, endpoint)
            }

            /// Where the last [`bind`](Self::bind) or [`connect`](Self::connect) led to:
            /// `tcp://host:port`, or the path of a unix socket. `None` before the first.
            #[must_use]
            pub fn address(&self) -> Option<String> {
                crate::socket::address(&self.socket)
            }

            /// What happens to the socket from now on. Who asks again ends what was given before.
            ///
            /// # Errors
            /// [`Error::Closed`](crate::Error::Closed).
            pub fn events(&self) -> crate::Result<crate::Events> {
                crate::socket::events(&self.socket)
            }
        }
    )*};
}

pub(crate) use endpoints;
