//! [`RawPeer`]: a scripted ZMTP peer, which sends exactly the bytes that a test tells it to.
//!
//! It owns one system socket and knows how frames and greetings look, but it never checks what it
//! sends: most scripts break the rules. It never waits longer than a limit.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

/// What takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// Flags of frames.
pub(crate) const MORE: u8 = 1;
pub(crate) const LONG: u8 = 2;
pub(crate) const COMMAND: u8 = 4;

/// The signature of a peer without a routing id.
pub(crate) const SIGNATURE: &[u8] = b"\xFF\0\0\0\0\0\0\0\x01\x7F";

/// A greeting of 64 bytes.
pub(crate) fn greeting(major: u8, minor: u8, mechanism: &str) -> Vec<u8> {
    let mut bytes = [SIGNATURE, &[major, minor], mechanism.as_bytes()].concat();
    bytes.resize(64, 0);
    bytes
}

/// A frame of ZMTP 2.0 and later.
pub(crate) fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(size) => [&[flags, size], body].concat(),
        Err(_) => [&head(flags, body.len() as u64)[..], body].concat(),
    }
}

/// The head of a frame with a length of eight bytes, whatever follows.
pub(crate) fn head(flags: u8, size: u64) -> Vec<u8> {
    [&[flags | LONG][..], &size.to_be_bytes()].concat()
}

/// A frame of ZMTP 1.0.
pub(crate) fn old_frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let size = body.len() as u64 + 1;
    match u8::try_from(size) {
        Ok(size) if size < 0xFF => [&[size, flags], body].concat(),
        Ok(_) | Err(_) => [&[0xFF][..], &size.to_be_bytes(), &[flags], body].concat(),
    }
}

/// The body of a command.
pub(crate) fn command_body(name: &str, argument: &[u8]) -> Vec<u8> {
    let size = u8::try_from(name.len()).unwrap();
    [&[size], name.as_bytes(), argument].concat()
}

/// A command in its frame.
pub(crate) fn command(name: &str, argument: &[u8]) -> Vec<u8> {
    frame(COMMAND, &command_body(name, argument))
}

/// A property of READY.
pub(crate) fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let (name_size, size) = (u8::try_from(name.len()).unwrap(), value.len() as u32);
    [&[name_size], name.as_bytes(), &size.to_be_bytes(), value].concat()
}

/// A READY command that tells a socket type, and perhaps an identity.
pub(crate) fn ready(socket_type: &str, identity: &[u8]) -> Vec<u8> {
    let mut properties = property("Socket-Type", socket_type.as_bytes());
    if !identity.is_empty() {
        properties.extend(property("Identity", identity));
    }
    command("READY", &properties)
}

/// Everything that a peer of version 3.1 sends before its first message.
pub(crate) fn opening(socket_type: &str, identity: &[u8]) -> Vec<u8> {
    [greeting(3, 1, "NULL"), ready(socket_type, identity)].concat()
}

#[derive(Debug)]
enum Wire {
    Tcp(TcpStream),
    Ipc(UnixStream),
}

/// A frame that the other side sent: its flags without [`LONG`], and its body.
pub(crate) type Frame = (u8, Vec<u8>);

/// One end of a connection, the other of which is the engine's.
#[derive(Debug)]
pub(crate) struct RawPeer {
    wire: Wire,
}

impl RawPeer {
    /// Connects to an endpoint that a socket is bound to.
    #[track_caller]
    pub(crate) fn connect(endpoint: &str) -> Self {
        Self::try_connect(endpoint).expect("the endpoint takes connections")
    }

    pub(crate) fn try_connect(endpoint: &str) -> io::Result<Self> {
        let wire = match endpoint.split_once("://") {
            Some(("tcp", address)) => Wire::Tcp(TcpStream::connect(address)?),
            Some(("ipc", path)) => Wire::Ipc(UnixStream::connect(path)?),
            _ => panic!("{endpoint} is not for raw peers"),
        };
        Ok(Self::new(wire))
    }

    /// Connects, and does the handshake of a peer of version 3.1.
    #[track_caller]
    pub(crate) fn shake_hands(endpoint: &str, socket_type: &str, identity: &[u8]) -> Self {
        let mut peer = Self::connect(endpoint);
        peer.send(&opening(socket_type, identity));
        peer.expect_opening();
        peer
    }

    fn new(wire: Wire) -> Self {
        let peer = Self { wire };
        peer.set_time_limit(LIMIT);
        peer
    }

    fn set_time_limit(&self, limit: Duration) {
        let socket = self.socket();
        socket.set_read_timeout(Some(limit)).unwrap();
        socket.set_write_timeout(Some(limit)).unwrap();
    }

    fn socket(&self) -> SockRef<'_> {
        match &self.wire {
            Wire::Tcp(stream) => SockRef::from(stream),
            Wire::Ipc(stream) => SockRef::from(stream),
        }
    }

    // ── sending ──────────────────────────────────────────────────────────────────────────────

    /// Sends bytes to an engine that is expected to take them.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("the bytes are taken");
    }

    /// Sends bytes to an engine that may have closed the connection.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.wire {
            Wire::Tcp(stream) => stream.write_all(bytes),
            Wire::Ipc(stream) => stream.write_all(bytes),
        }
    }

    /// Sends copies of `bytes` as long as the system takes them within `patience`, at most
    /// `count`; returns how many were sent in whole.
    pub(crate) fn flood(&mut self, bytes: &[u8], count: usize, patience: Duration) -> usize {
        let per_chunk = (256 * 1024 / bytes.len()).clamp(1, count);
        let chunk = bytes.repeat(per_chunk);
        let socket = self.socket();
        socket.set_write_timeout(Some(patience)).unwrap();
        let mut chunks = 0;
        while (chunks + 1) * per_chunk <= count && self.try_send(&chunk).is_ok() {
            chunks += 1;
        }
        chunks * per_chunk
    }

    /// Ends the connection without a farewell: the other side sees a reset.
    pub(crate) fn reset(self) {
        self.socket().set_linger(Some(Duration::ZERO)).unwrap();
    }

    // ── receiving ────────────────────────────────────────────────────────────────────────────

    /// Reads exactly `n` bytes.
    #[track_caller]
    pub(crate) fn read(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        let outcome = match &mut self.wire {
            Wire::Tcp(stream) => stream.read_exact(&mut bytes),
            Wire::Ipc(stream) => stream.read_exact(&mut bytes),
        };
        outcome.expect("the bytes come");
        bytes
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, bytes: &[u8]) {
        assert_eq!(self.read(bytes.len()), bytes);
    }

    /// Reads a frame of ZMTP 2.0 or later.
    #[track_caller]
    pub(crate) fn read_frame(&mut self) -> Frame {
        let flags = self.read(1)[0];
        let size = if flags & LONG == 0 {
            usize::from(self.read(1)[0])
        } else {
            let size = self.read(8).try_into().unwrap();
            usize::try_from(u64::from_be_bytes(size)).unwrap()
        };
        (flags & !LONG, self.read(size))
    }

    /// Reads a greeting and READY.
    #[track_caller]
    pub(crate) fn expect_opening(&mut self) {
        self.read(64);
        let (flags, body) = self.read_frame();
        assert_eq!(flags, COMMAND);
        assert!(body.starts_with(b"\x05READY"), "{body:?}");
    }

    /// Whether something comes in that time; it is left to be read.
    pub(crate) fn hears_within(&mut self, time: Duration) -> bool {
        let socket = self.socket();
        socket.set_read_timeout(Some(time)).unwrap();
        let heard = socket.peek(&mut [MaybeUninit::uninit()]).is_ok();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        heard
    }

    /// Waits until the other side has closed the connection.
    #[track_caller]
    pub(crate) fn expect_closed(&mut self) {
        assert!(self.is_closed_within(LIMIT), "the connection stays open");
    }

    /// Reads and drops what comes; whether the other side closes the connection in that time.
    pub(crate) fn is_closed_within(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let mut buffer = [0; 4096];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.socket().set_read_timeout(Some(left)).unwrap();
            let outcome = match &mut self.wire {
                Wire::Tcp(stream) => stream.read(&mut buffer),
                Wire::Ipc(stream) => stream.read(&mut buffer),
            };
            match outcome.map_err(|error| error.kind()) {
                Ok(0) => return true,
                Ok(_) | Err(ErrorKind::Interrupted) => {}
                Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => return false,
                Err(_) => return true,
            }
        }
    }
}

#[derive(Debug)]
enum Door {
    Tcp(TcpListener),
    Ipc(UnixListener, tempfile::TempDir),
}

/// Where an engine connects to: each connection becomes a [`RawPeer`].
#[derive(Debug)]
pub(crate) struct RawListener {
    door: Door,
}

impl RawListener {
    pub(crate) fn tcp() -> Self {
        let door = Door::Tcp(TcpListener::bind("127.0.0.1:0").unwrap());
        Self { door }
    }

    pub(crate) fn ipc() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("socket")).unwrap();
        Self {
            door: Door::Ipc(listener, directory),
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        match &self.door {
            Door::Tcp(listener) => format!("tcp://{}", listener.local_addr().unwrap()),
            Door::Ipc(_, directory) => {
                format!("ipc://{}", directory.path().join("socket").display())
            }
        }
    }

    /// Takes the next connection.
    #[track_caller]
    pub(crate) fn accept(&self) -> RawPeer {
        self.accept_within(LIMIT).expect("nobody connects")
    }

    /// Takes the next connection, if one comes in that time.
    pub(crate) fn accept_within(&self, time: Duration) -> Option<RawPeer> {
        let wire = match &self.door {
            Door::Tcp(listener) => {
                SockRef::from(listener)
                    .set_read_timeout(Some(time))
                    .unwrap();
                listener.accept().map(|(stream, _)| Wire::Tcp(stream))
            }
            Door::Ipc(listener, _) => {
                SockRef::from(listener)
                    .set_read_timeout(Some(time))
                    .unwrap();
                listener.accept().map(|(stream, _)| Wire::Ipc(stream))
            }
        };
        match wire {
            Ok(wire) => Some(RawPeer::new(wire)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("cannot accept: {error}"),
        }
    }
}

/// A number in KiB that the system keeps of this process.
fn status_kib(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.unwrap().parse().unwrap()
}

/// The process's resident memory in MiB.
pub(crate) fn resident_mib() -> usize {
    status_kib("VmRSS:") / 1024
}

/// The process's address space in MiB.
pub(crate) fn address_space_mib() -> usize {
    status_kib("VmSize:") / 1024
}
