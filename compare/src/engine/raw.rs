//! The engine `raw`: blocking sockets of the system, bodies of known size without frames, written
//! in batches. No engine: what the machine allows one connection and two threads.

use std::io::{BufReader, BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};

use crate::Result;
use crate::engine::{self, Marks, Setup};
use crate::spec::Kind;

/// How much is written and read at once.
const BATCH: usize = 256 * 1024;

/// The size of a run's messages.
#[derive(Clone)]
pub(crate) struct Engine(usize);

/// One connection, once there is one.
pub(crate) struct Socket {
    state: State,
    body: Vec<u8>,
}

enum State {
    Fresh,
    TcpBound(TcpListener),
    IpcBound(UnixListener),
    Connected(Connection),
}

struct Connection {
    reader: BufReader<Box<dyn Read>>,
    writer: BufWriter<Box<dyn Write>>,
}

impl engine::Engine for Engine {
    type Socket = Socket;

    fn new(setup: Setup) -> Result<Self> {
        Ok(Self(setup.size as usize))
    }

    fn socket(&self, kind: Kind, _marks: Marks) -> Result<Socket> {
        match kind {
            Kind::Push | Kind::Pull | Kind::Req | Kind::Rep => Ok(Socket {
                state: State::Fresh,
                body: vec![0; self.0],
            }),
            Kind::Pub | Kind::Sub | Kind::Dealer | Kind::Router => {
                Err("raw sockets have one peer".into())
            }
        }
    }
}

impl engine::Socket for Socket {
    fn bind(&mut self, endpoint: &str) -> Result<String> {
        if let Some(path) = endpoint.strip_prefix("ipc://") {
            self.state = State::IpcBound(UnixListener::bind(path)?);
            return Ok(endpoint.to_owned());
        }
        let listener = TcpListener::bind(address_of(endpoint)?.replace('*', "0"))?;
        let bound = format!("tcp://{}", listener.local_addr()?);
        self.state = State::TcpBound(listener);
        Ok(bound)
    }

    fn connect(&mut self, endpoint: &str) -> Result<()> {
        self.state = State::Connected(match endpoint.strip_prefix("ipc://") {
            Some(path) => Connection::ipc(UnixStream::connect(path)?)?,
            None => Connection::tcp(TcpStream::connect(address_of(endpoint)?)?)?,
        });
        Ok(())
    }

    #[inline]
    fn send(&mut self, body: &[u8]) -> Result<()> {
        Ok(connected(&mut self.state)?.writer.write_all(body)?)
    }

    #[inline]
    fn recv<T>(&mut self, look: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        connected(&mut self.state)?
            .reader
            .read_exact(&mut self.body)?;
        look(&self.body)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(connected(&mut self.state)?.writer.flush()?)
    }
}

/// The connection; the binding side accepts it when it is first used.
#[inline]
fn connected(state: &mut State) -> Result<&mut Connection> {
    match state {
        State::Connected(_) => {}
        State::Fresh => return Err("a raw socket without a peer".into()),
        State::TcpBound(listener) => {
            *state = State::Connected(Connection::tcp(listener.accept()?.0)?);
        }
        State::IpcBound(listener) => {
            *state = State::Connected(Connection::ipc(listener.accept()?.0)?);
        }
    }
    match state {
        State::Connected(connection) => Ok(connection),
        State::Fresh | State::TcpBound(_) | State::IpcBound(_) => Err("not connected".into()),
    }
}

impl Connection {
    fn tcp(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self::new(stream.try_clone()?, stream))
    }

    fn ipc(stream: UnixStream) -> Result<Self> {
        Ok(Self::new(stream.try_clone()?, stream))
    }

    fn new(reader: impl Read + 'static, writer: impl Write + 'static) -> Self {
        Self {
            reader: BufReader::with_capacity(BATCH, Box::new(reader)),
            writer: BufWriter::with_capacity(BATCH, Box::new(writer)),
        }
    }
}

fn address_of(endpoint: &str) -> Result<&str> {
    let address = endpoint.strip_prefix("tcp://");
    address.ok_or_else(|| format!("raw sockets cannot reach {endpoint}").into())
}
