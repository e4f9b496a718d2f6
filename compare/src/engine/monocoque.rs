//! The engine `monocoque`: sockets that have one connection each and no tasks. What its calls do
//! is done on the caller's thread, so every socket has a runtime of its own there.
//!
//! Its default mode, in which each message is written at once.

use ::monocoque::SocketOptions;
use ::monocoque::rt::{LocalRuntime, TcpListener, TcpStream, UnixListener, UnixStream};
use ::monocoque::zmq::{PullSocket, PushSocket, RepSocket, ReqSocket};
use bytes::Bytes;

use crate::Result;
use crate::engine::{self, Marks, Setup};
use crate::spec::Kind;

/// It has no contexts.
#[derive(Clone)]
pub(crate) struct Engine;

/// A socket with its runtime.
pub(crate) struct Socket {
    kind: Kind,
    state: State,
    parts: Vec<Bytes>,
    runtime: LocalRuntime,
}

enum State {
    Fresh,
    TcpBound(TcpListener),
    IpcBound(UnixListener),
    Connected(Connected),
}

enum Connected {
    PushTcp(PushSocket<TcpStream>),
    PushIpc(PushSocket<UnixStream>),
    PullTcp(PullSocket<TcpStream>),
    PullIpc(PullSocket<UnixStream>),
    ReqTcp(ReqSocket<TcpStream>),
    ReqIpc(ReqSocket<UnixStream>),
    RepTcp(RepSocket<TcpStream>),
    RepIpc(RepSocket<UnixStream>),
}

impl engine::Engine for Engine {
    type Socket = Socket;

    fn new(_setup: Setup) -> Result<Self> {
        Ok(Self)
    }

    fn socket(&self, kind: Kind, _marks: Marks) -> Result<Socket> {
        Ok(Socket {
            kind,
            state: State::Fresh,
            parts: Vec::new(),
            runtime: LocalRuntime::new()?,
        })
    }
}

impl engine::Socket for Socket {
    fn bind(&mut self, endpoint: &str) -> Result<String> {
        let runtime = &self.runtime;
        if let Some(path) = endpoint.strip_prefix("ipc://") {
            let listener = runtime.block_on(UnixListener::bind(path))?;
            self.state = State::IpcBound(listener);
            return Ok(endpoint.to_owned());
        }
        let address = address_of(endpoint)?.replace('*', "0");
        let listener = runtime.block_on(TcpListener::bind(address))?;
        let bound = format!("tcp://{}", listener.local_addr()?);
        self.state = State::TcpBound(listener);
        Ok(bound)
    }

    fn connect(&mut self, endpoint: &str) -> Result<()> {
        let (runtime, kind) = (&self.runtime, self.kind);
        let connected = match endpoint.strip_prefix("ipc://") {
            Some(path) => runtime.block_on(async {
                let stream = UnixStream::connect(path).await?;
                Connected::over_ipc(kind, stream).await
            }),
            None => runtime.block_on(async {
                let stream = TcpStream::connect(address_of(endpoint)?).await?;
                Connected::over_tcp(kind, stream).await
            }),
        };
        self.state = State::Connected(connected?);
        Ok(())
    }

    #[inline]
    fn send(&mut self, body: &[u8]) -> Result<()> {
        let body = Bytes::copy_from_slice(body);
        let Self {
            kind,
            state,
            runtime,
            ..
        } = self;
        let sent = match accepted(runtime, *kind, state)? {
            Connected::PushTcp(socket) => runtime.block_on(socket.send_one(body)),
            Connected::PushIpc(socket) => runtime.block_on(socket.send_one(body)),
            Connected::ReqTcp(socket) => runtime.block_on(socket.send_one(body)),
            Connected::ReqIpc(socket) => runtime.block_on(socket.send_one(body)),
            Connected::RepTcp(socket) => runtime.block_on(socket.send(vec![body])),
            Connected::RepIpc(socket) => runtime.block_on(socket.send(vec![body])),
            Connected::PullTcp(_) | Connected::PullIpc(_) => {
                return Err("a PULL does not send".into());
            }
        };
        Ok(sent?)
    }

    #[inline]
    fn recv<T>(&mut self, look: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        let Self {
            kind,
            state,
            parts,
            runtime,
        } = self;
        parts.clear();
        let received = match accepted(runtime, *kind, state)? {
            Connected::PullTcp(socket) => runtime.block_on(socket.recv_into(parts)),
            Connected::PullIpc(socket) => runtime.block_on(socket.recv_into(parts)),
            Connected::ReqTcp(socket) => runtime.block_on(socket.recv_into(parts)),
            Connected::ReqIpc(socket) => runtime.block_on(socket.recv_into(parts)),
            Connected::RepTcp(socket) => runtime.block_on(socket.recv_into(parts)),
            Connected::RepIpc(socket) => runtime.block_on(socket.recv_into(parts)),
            Connected::PushTcp(_) | Connected::PushIpc(_) => {
                return Err("a PUSH does not receive".into());
            }
        };
        if !received? {
            return Err("the connection is closed".into());
        }
        look(parts.first().ok_or("a message without a part")?)
    }
}

/// The connection; the binding side accepts it when it is first used.
#[inline]
fn accepted<'a>(
    runtime: &LocalRuntime,
    kind: Kind,
    state: &'a mut State,
) -> Result<&'a mut Connected> {
    match state {
        State::Connected(_) => {}
        State::Fresh => return Err("a socket without a peer".into()),
        State::TcpBound(listener) => {
            *state =
                State::Connected(runtime.block_on(async {
                    Connected::over_tcp(kind, listener.accept().await?.0).await
                })?);
        }
        State::IpcBound(listener) => {
            *state =
                State::Connected(runtime.block_on(async {
                    Connected::over_ipc(kind, listener.accept().await?.0).await
                })?);
        }
    }
    match state {
        State::Connected(connected) => Ok(connected),
        State::Fresh | State::TcpBound(_) | State::IpcBound(_) => Err("not connected".into()),
    }
}

impl Connected {
    /// Shakes hands.
    async fn over_tcp(kind: Kind, stream: TcpStream) -> Result<Self> {
        let options = SocketOptions::default();
        Ok(match kind {
            Kind::Push => Self::PushTcp(PushSocket::from_tcp_with_options(stream, options).await?),
            Kind::Pull => Self::PullTcp(PullSocket::from_tcp_with_options(stream, options).await?),
            Kind::Req => Self::ReqTcp(ReqSocket::from_tcp_with_options(stream, options).await?),
            Kind::Rep => Self::RepTcp(RepSocket::from_tcp_with_options(stream, options).await?),
            Kind::Pub | Kind::Sub | Kind::Dealer | Kind::Router => return Err(ONE_PEER.into()),
        })
    }

    /// Shakes hands.
    async fn over_ipc(kind: Kind, stream: UnixStream) -> Result<Self> {
        let options = SocketOptions::default();
        Ok(match kind {
            Kind::Push => {
                Self::PushIpc(PushSocket::from_unix_stream_with_options(stream, options).await?)
            }
            Kind::Pull => {
                Self::PullIpc(PullSocket::from_unix_stream_with_options(stream, options).await?)
            }
            Kind::Req => {
                Self::ReqIpc(ReqSocket::from_unix_stream_with_options(stream, options).await?)
            }
            Kind::Rep => {
                Self::RepIpc(RepSocket::from_unix_stream_with_options(stream, options).await?)
            }
            Kind::Pub | Kind::Sub | Kind::Dealer | Kind::Router => return Err(ONE_PEER.into()),
        })
    }
}

const ONE_PEER: &str = "only types that talk to one peer are compared";

fn address_of(endpoint: &str) -> Result<&str> {
    let address = endpoint.strip_prefix("tcp://");
    address.ok_or_else(|| format!("it cannot reach {endpoint}").into())
}
