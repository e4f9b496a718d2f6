//! `zmq_socket_monitor`: the engine's events as messages of a socket.
//!
//! A thread per monitor moves them. It, and nobody else, waits for whoever reads them.

use std::collections::HashSet;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferrozmq::{Event, EventKind, Monitor, Msg, Reason, SNDMORE, SocketType};
use nix::libc;

use crate::abi::Done;
use crate::ctx::with_signals_blocked;
use crate::errno::Errno;
use crate::frees;
use crate::handle::Handle;
use crate::socket::{Open, SocketHandle, find, send_until};

const CONNECTED: u64 = 0x1;
const CONNECT_DELAYED: u64 = 0x2;
const CONNECT_RETRIED: u64 = 0x4;
const LISTENING: u64 = 0x8;
const BIND_FAILED: u64 = 0x10;
const ACCEPTED: u64 = 0x20;
const ACCEPT_FAILED: u64 = 0x40;
const CLOSED: u64 = 0x80;
const DISCONNECTED: u64 = 0x200;
const MONITOR_STOPPED: u64 = 0x400;
const HANDSHAKE_FAILED_NO_DETAIL: u64 = 0x800;
const HANDSHAKE_SUCCEEDED: u64 = 0x1000;
const HANDSHAKE_FAILED_PROTOCOL: u64 = 0x2000;
const HANDSHAKE_FAILED_AUTH: u64 = 0x4000;
const PIPES_STATS: u64 = 0x10000;

/// How the numbers of an event are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    /// A short number and a value, and one address.
    One,
    /// Long numbers, and both addresses.
    Two,
}

/// A monitor that runs.
#[derive(Debug)]
pub(crate) struct Monitoring {
    outlet: &'static SocketHandle,
    address: String,
    events: u64,
    /// Nobody is to be waited for any more.
    hurries: Arc<AtomicBool>,
}

impl Monitoring {
    fn start(open: &Open, monitor: Monitor, request: &Request<'_>) -> Result<Self, Errno> {
        let outlet = Open::new(&open.context, request.socket_type)?;
        outlet.socket.set_linger(Some(std::time::Duration::ZERO))?;
        outlet.socket.bind(request.address)?;
        let monitoring = Self {
            outlet: Handle::open(outlet),
            address: request.address.to_owned(),
            events: request.events,
            hurries: Arc::default(),
        };
        let pump = Pump {
            monitor,
            outlet: monitoring.outlet,
            events: request.events,
            version: request.version,
            hurries: monitoring.hurries.clone(),
            accepted: HashSet::new(),
        };
        with_signals_blocked(|| std::thread::spawn(move || pump.run()));
        Ok(monitoring)
    }

    /// Frees the address, and lets the thread send what is left to whoever takes it. The engine has one
    /// monitor at a time, so the thread ends once there is another.
    fn stop(self) {
        self.hurries.store(true, Ordering::Release);
        if let Ok(outlet) = self.outlet.lock() {
            // The context may have ended; then the name is gone with it.
            let _ = outlet.socket.unbind(&self.address);
            outlet.listeners.ring();
        }
    }
}

/// What a monitor's thread owns.
#[derive(Debug)]
struct Pump {
    monitor: Monitor,
    outlet: &'static SocketHandle,
    events: u64,
    version: Version,
    hurries: Arc<AtomicBool>,
    /// The ends of connections that were accepted: their events tell where we are, the others'
    /// where the peer is.
    accepted: HashSet<(String, String)>,
}

impl Pump {
    fn run(mut self) {
        frees::give_back_at_once();
        while let Some(event) = self.monitor.recv() {
            if self.pass_on(&event).is_err() {
                break;
            }
        }
        // Another thread may have closed it, with its context.
        drop(self.outlet.close());
    }

    fn pass_on(&mut self, event: &Event) -> Result<(), Errno> {
        let ends = || (event.local.clone(), event.remote.clone());
        if matches!(event.kind, EventKind::Accepted { .. }) {
            self.accepted.insert(ends());
        }
        let is_ours = event.remote.is_empty()
            || is_of_listener(&event.kind)
            || self.accepted.contains(&ends());
        if matches!(event.kind, EventKind::Disconnected { .. }) {
            self.accepted.remove(&ends());
        }
        let Some((number, values)) = numbers(&event.kind) else {
            return Ok(());
        };
        if self.events & number == 0 {
            return Ok(());
        }
        self.send_all(match self.version {
            Version::One => {
                let address = if is_ours { &event.local } else { &event.remote };
                vec![first_frame(number, values[0]), Msg::from(address)]
            }
            Version::Two => {
                let head = [number, values.len() as u64].into_iter();
                let numbers = head.chain(values);
                let mut frames: Vec<_> = numbers.map(|n| Msg::from(n.to_ne_bytes())).collect();
                frames.extend([&event.local, &event.remote].map(Msg::from));
                frames
            }
        })
    }

    fn send_all(&self, frames: Vec<Msg>) -> Result<(), Errno> {
        let last = frames.len() - 1;
        for (n, mut frame) in frames.into_iter().enumerate() {
            let more = if n < last { SNDMORE } else { 0 };
            send_until(self.outlet, &mut frame, more, &self.hurries)?;
        }
        Ok(())
    }
}

fn first_frame(number: u64, value: u64) -> Msg {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a v1 monitor has 16 bits of events"
    )]
    let number = (number as u16).to_ne_bytes();
    #[expect(clippy::cast_possible_truncation, reason = "values are ints")]
    let value = (value as u32).to_ne_bytes();
    Msg::copied(&[&number[..], &value[..]].concat())
}

fn is_of_listener(kind: &EventKind) -> bool {
    use EventKind as K;
    matches!(
        kind,
        K::Listening { .. } | K::BindFailed { .. } | K::Accepted { .. } | K::AcceptFailed { .. }
    )
}

/// An event's number and values; none for what libzmq has no event for.
fn numbers(kind: &EventKind) -> Option<(u64, Vec<u64>)> {
    use EventKind as K;
    let int = |value: c_int| u64::from(value as u32);
    let (number, value) = match kind {
        K::PipeStatistics { outbound, inbound } => {
            return Some((PIPES_STATS, vec![*outbound, *inbound]));
        }
        K::Connected { fd } => (CONNECTED, int(*fd)),
        K::ConnectDelayed => (CONNECT_DELAYED, int(libc::EINPROGRESS)),
        K::ConnectRetried { interval, .. } => (
            CONNECT_RETRIED,
            u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
        ),
        K::Listening { fd } => (LISTENING, int(*fd)),
        K::BindFailed { errno } => (BIND_FAILED, int(*errno)),
        K::Accepted { fd } => (ACCEPTED, int(*fd)),
        K::AcceptFailed { errno } => (ACCEPT_FAILED, int(*errno)),
        K::Closed { fd } => (CLOSED, int(*fd)),
        // Who closes a connection itself is not told of it.
        K::Disconnected {
            reason: Reason::LocalClosed,
            ..
        } => return None,
        K::Disconnected { fd, .. } => (DISCONNECTED, int(*fd)),
        K::HandshakeSucceeded => (HANDSHAKE_SUCCEEDED, 0),
        K::HandshakeFailed { reason } => failure(reason),
        K::MonitorStopped => (MONITOR_STOPPED, 0),
        // The connection's end was told.
        _ => return None,
    };
    Some((number, vec![value]))
}

fn failure(reason: &Reason) -> (u64, u64) {
    use ferrozmq::ProtocolError::Refused;
    let no_detail = |errno: c_int| (HANDSHAKE_FAILED_NO_DETAIL, u64::from(errno as u32));
    match reason {
        Reason::Protocol(Refused(status @ (300 | 400 | 500))) => {
            (HANDSHAKE_FAILED_AUTH, (*status).into())
        }
        Reason::Denied(status) => (HANDSHAKE_FAILED_AUTH, (*status).into()),
        Reason::Zap(error) => match error.code() {
            Some(code) => (HANDSHAKE_FAILED_PROTOCOL, code.into()),
            None => no_detail(libc::EFAULT),
        },
        Reason::Protocol(error) => (HANDSHAKE_FAILED_PROTOCOL, error.code().into()),
        Reason::System(errno) => no_detail(*errno),
        Reason::HandshakeTimeout | Reason::ConnectTimeout | Reason::HeartbeatTimeout => {
            no_detail(libc::ETIMEDOUT)
        }
        _ => no_detail(libc::EPIPE),
    }
}

/// What `zmq_socket_monitor` is to begin.
#[derive(Debug)]
struct Request<'a> {
    address: &'a str,
    events: u64,
    version: Version,
    socket_type: SocketType,
}

impl<'a> Request<'a> {
    /// None without an address: the monitor is only to end.
    fn read(
        address: &'a In<c_char>,
        events: u64,
        version: c_int,
        socket_type: c_int,
    ) -> Result<Option<Self>, Errno> {
        let version = match version {
            1 if events >> 16 == 0 => Version::One,
            2 => Version::Two,
            _ => return Err(Errno::INVALID),
        };
        if address.is_null() {
            return Ok(None);
        }
        let address = address.text()?;
        let (scheme, _) = address.split_once("://").ok_or(Errno::INVALID)?;
        if scheme != "inproc" {
            return Err(Errno::PROTOCOL_NOT_SUPPORTED);
        }
        let mut types = [SocketType::PAIR, SocketType::PUB, SocketType::PUSH].into_iter();
        let socket_type = types.find(|known| known.number() == socket_type);
        Ok(Some(Self {
            address,
            events,
            version,
            socket_type: socket_type.ok_or(Errno::INVALID)?,
        }))
    }
}

fn monitor(
    place: In<c_void>,
    address: In<c_char>,
    events: u64,
    version: c_int,
    socket_type: c_int,
) -> Result<Done, Errno> {
    let mut open = find(place)?.lock()?;
    let request = Request::read(&address, events, version, socket_type);
    // Before any other call on the socket, which would end that the engine keeps what has happened since
    // a connect.
    let monitor = request.is_ok().then(|| open.socket.monitor());
    // So that a context that has ended is told of first.
    open.socket.get_rcvmore()?;
    let request = request?;
    if let Some(old) = open.monitoring.take() {
        old.stop();
    }
    if let (Some(monitor), Some(request)) = (monitor, request) {
        open.monitoring = Some(Monitoring::start(&open, monitor, &request)?);
    }
    Ok(Done)
}

abi! {
    /// Has the socket's events sent by a PAIR at an inproc address; with NULL, no more.
    fn zmq_socket_monitor(
        place: In<c_void>,
        address: In<c_char>,
        events: c_int,
    ) -> Result<Done, Errno> {
        let events = u64::from(events as u32);
        monitor(place, address, events, 1, SocketType::PAIR.number())
    }

    /// The same in one of two forms, by a PAIR, PUB or PUSH.
    fn zmq_socket_monitor_versioned(
        place: In<c_void>,
        address: In<c_char>,
        events: u64,
        version: c_int,
        socket_type: c_int,
    ) -> Result<Done, Errno> {
        monitor(place, address, events, version, socket_type)
    }

    /// Has the monitor told how many messages wait in each pipe, if it is to hear of that.
    fn zmq_socket_monitor_pipes_stats(place: In<c_void>) -> Result<Done, Errno> {
        let open = find(place)?.lock()?;
        // So that a context that has ended is told of first.
        open.socket.get_rcvmore()?;
        let monitoring = open.monitoring.as_ref().ok_or(Errno::INVALID)?;
        if monitoring.events & PIPES_STATS == 0 {
            return Err(Errno::INVALID);
        }
        match open.socket.report_pipes()? {
            0 => Err(Errno::AGAIN),
            _ => Ok(Done),
        }
    }
}
