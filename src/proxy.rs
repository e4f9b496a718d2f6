//! [`proxy`]: moves messages between two sockets until the context ends.
//!
//! It owns nothing but its counters. A message is taken only when there is room for it on the
//! other side and in the capture socket, so that back-pressure passes through and the proxy
//! itself keeps no message and waits in one place alone, for all of its sockets.

use crate::error::{Error, Result};
use crate::msg::Msg;
use crate::options::SocketType;
use crate::poll::{PollItem, poll};
use crate::socket::{DONTWAIT, Multipart, POLLIN, POLLOUT, Socket};

/// How many messages one direction moves before the other, and the control socket, get their turn.
const BURST: usize = 1000;

/// Moves messages between `frontend` and `backend`, both ways, until the context ends
/// (`zmq_proxy`). Both may be the same socket, which then gets back what it receives: a REP answers
/// each request with itself.
///
/// `capture` is sent a copy of each message: a PUB, DEALER, PUSH or PAIR. While it has no room,
/// nothing moves.
///
/// Never returns `Ok`.
///
/// # Errors
/// [`Error::Term`] when the context of a socket is being terminated; whatever else a socket says
/// when it is received from or sent to, such as [`Error::HostUnreachable`] of a ROUTER that is
/// mandatory.
///
/// ```no_run
/// use ferrozmq::{Ctx, SocketType, proxy};
///
/// # fn main() -> ferrozmq::Result<()> {
/// let ctx = Ctx::new();
/// let (clients, workers) = (ctx.socket(SocketType::ROUTER)?, ctx.socket(SocketType::DEALER)?);
/// clients.bind("tcp://*:5559")?;
/// workers.bind("tcp://*:5560")?;
/// proxy(&clients, &workers, None)
/// # }
/// ```
pub fn proxy(frontend: &Socket, backend: &Socket, capture: Option<&Socket>) -> Result<()> {
    Proxy::new(frontend, backend, capture, None).run()
}

/// As [`proxy`], and obeys the messages that come to `control` (`zmq_proxy_steerable`): `PAUSE`
/// leaves all messages where they are until `RESUME` or `TERMINATE`, which ends the proxy, and
/// `STATISTICS` is answered with [eight frames](ProxyStatistics::from_reply). Others mean nothing.
/// If `control` is a REP, all of them are answered, with an empty message unless said otherwise.
///
/// Returns what it has moved, once told to terminate.
///
/// # Errors
/// As for [`proxy`].
pub fn proxy_steerable(
    frontend: &Socket,
    backend: &Socket,
    capture: Option<&Socket>,
    control: &Socket,
) -> Result<ProxyStatistics> {
    let mut proxy = Proxy::new(frontend, backend, capture, Some(control));
    proxy.run()?;
    Ok(proxy.statistics)
}

/// What a proxy has moved.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ProxyStatistics {
    /// At the frontend.
    pub frontend: ProxySideStatistics,
    /// At the backend.
    pub backend: ProxySideStatistics,
}

/// What went through one socket of a proxy. A message counts once, however many frames it has.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ProxySideStatistics {
    /// Messages received from it.
    pub messages_in: u64,
    /// Bytes received from it.
    pub bytes_in: u64,
    /// Messages sent to it.
    pub messages_out: u64,
    /// Bytes sent to it.
    pub bytes_out: u64,
}

impl ProxyStatistics {
    /// Reads the reply to `STATISTICS`: eight frames, each a `u64` in native order, in the order
    /// of the fields. `None` if it is something else.
    #[must_use]
    pub fn from_reply(frames: &[Msg]) -> Option<Self> {
        let number = |frame: &Msg| Some(u64::from_ne_bytes(frame.as_bytes().try_into().ok()?));
        let numbers: Option<Vec<_>> = frames.iter().map(number).collect();
        let &[a, b, c, d, e, f, g, h] = numbers?.as_slice() else {
            return None;
        };
        Some(Self {
            frontend: ProxySideStatistics::from_numbers([a, b, c, d]),
            backend: ProxySideStatistics::from_numbers([e, f, g, h]),
        })
    }

    fn reply(&self) -> impl Iterator<Item = Msg> {
        [self.frontend, self.backend]
            .into_iter()
            .flat_map(ProxySideStatistics::numbers)
            .map(|number| Msg::from(number.to_ne_bytes()))
    }
}

impl ProxySideStatistics {
    fn from_numbers([messages_in, bytes_in, messages_out, bytes_out]: [u64; 4]) -> Self {
        Self {
            messages_in,
            bytes_in,
            messages_out,
            bytes_out,
        }
    }

    fn numbers(self) -> [u64; 4] {
        [
            self.messages_in,
            self.bytes_in,
            self.messages_out,
            self.bytes_out,
        ]
    }
}

/// Which way a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Direction {
    ToBackend,
    ToFrontend,
}

/// What the control socket wants of the proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Running,
    Paused,
    Ending,
}

/// A proxy. Holds no borrow of a socket across calls, as both sides may be one socket.
#[derive(Debug)]
struct Proxy<'a> {
    frontend: &'a Socket,
    backend: &'a Socket,
    capture: Option<&'a Socket>,
    control: Option<&'a Socket>,
    mode: Mode,
    statistics: ProxyStatistics,
}

impl<'a> Proxy<'a> {
    const BOTH: [Direction; 2] = [Direction::ToBackend, Direction::ToFrontend];

    fn new(
        frontend: &'a Socket,
        backend: &'a Socket,
        capture: Option<&'a Socket>,
        control: Option<&'a Socket>,
    ) -> Self {
        Self {
            frontend,
            backend,
            capture,
            control,
            mode: Mode::Running,
            statistics: ProxyStatistics::default(),
        }
    }

    fn run(&mut self) -> Result<()> {
        loop {
            self.obey()?;
            let moved = match self.mode {
                Mode::Ending => return Ok(()),
                Mode::Paused => false,
                Mode::Running => self.forward_both()?,
            };
            if !moved {
                self.wait()?;
            }
        }
    }

    // ── moving messages ──────────────────────────────────────────────────────────────────────

    /// Moves what can be moved, up to a burst each way; returns whether anything was.
    fn forward_both(&mut self) -> Result<bool> {
        let to_backend = self.forward(Direction::ToBackend)?;
        let to_frontend = self.forward(Direction::ToFrontend)?;
        Ok(to_backend || to_frontend)
    }

    fn forward(&mut self, direction: Direction) -> Result<bool> {
        let (from, to) = self.sides(direction);
        for moved in 0..BURST {
            if !can_recv(from)? || !self.is_room(to)? {
                return Ok(moved > 0);
            }
            let frames = match from.recv_multipart(DONTWAIT) {
                Ok(frames) => frames,
                Err(Error::Again) => return Ok(moved > 0),
                Err(error) => return Err(error),
            };
            self.count(direction, &frames);
            if let Some(capture) = self.capture {
                capture.send_multipart(frames.iter(), 0)?;
            }
            to.send_multipart(frames, 0)?;
        }
        Ok(true)
    }

    fn sides(&self, direction: Direction) -> (&'a Socket, &'a Socket) {
        match direction {
            Direction::ToBackend => (self.frontend, self.backend),
            Direction::ToFrontend => (self.backend, self.frontend),
        }
    }

    /// Whether a message can be sent on, and captured.
    fn is_room(&self, to: &'a Socket) -> Result<bool> {
        for outlet in self.outlets(to) {
            if !can_send(outlet)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The sockets that must have room before a message for `to` is taken. A REP that answers itself
    /// can send only once it has received, and then it always can.
    fn outlets(&self, to: &'a Socket) -> impl Iterator<Item = &'a Socket> {
        let is_single = std::ptr::eq(self.frontend, self.backend);
        let answers_itself = is_single && to.socket_type() == SocketType::REP;
        Some(to)
            .filter(|_| !answers_itself)
            .into_iter()
            .chain(self.capture)
    }

    fn count(&mut self, direction: Direction, frames: &Multipart) {
        let ProxyStatistics { frontend, backend } = &mut self.statistics;
        let (from, to) = match direction {
            Direction::ToBackend => (frontend, backend),
            Direction::ToFrontend => (backend, frontend),
        };
        let bytes = frames.iter().map(|frame| frame.len() as u64).sum::<u64>();
        from.messages_in += 1;
        from.bytes_in += bytes;
        to.messages_out += 1;
        to.bytes_out += bytes;
    }

    // ── waiting ──────────────────────────────────────────────────────────────────────────────

    /// Waits until there is something to do, or may be.
    fn wait(&self) -> Result<()> {
        let control = self.control.map(|control| control.as_poll_item(POLLIN));
        let mut items = Vec::from_iter(control);
        if self.mode == Mode::Running {
            for direction in Self::BOTH {
                match self.obstacle(direction)? {
                    Some(obstacle) => items.push(obstacle),
                    None => return Ok(()),
                }
            }
        }
        poll(&mut items, None)?;
        Ok(())
    }

    /// What keeps a message from going this way; `None` if nothing does. Only that is waited for:
    /// what else is possible already would end the wait at once.
    fn obstacle(&self, direction: Direction) -> Result<Option<PollItem<'a>>> {
        let (from, to) = self.sides(direction);
        if !can_recv(from)? {
            return Ok(Some(from.as_poll_item(POLLIN)));
        }
        for outlet in self.outlets(to) {
            if !can_send(outlet)? {
                return Ok(Some(outlet.as_poll_item(POLLOUT)));
            }
        }
        Ok(None)
    }

    // ── being controlled ─────────────────────────────────────────────────────────────────────

    /// Does what the control socket wants.
    fn obey(&mut self) -> Result<()> {
        let Some(control) = self.control else {
            return Ok(());
        };
        while self.mode != Mode::Ending {
            match control.recv_multipart(DONTWAIT) {
                Ok(command) => self.on_command(control, &command)?,
                Err(Error::Again) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn on_command(&mut self, control: &Socket, command: &Multipart) -> Result<()> {
        let mut reply = Multipart::new();
        match command.first().map(Msg::as_bytes) {
            Some(b"PAUSE") => self.mode = Mode::Paused,
            Some(b"RESUME") => self.mode = Mode::Running,
            Some(b"TERMINATE") => self.mode = Mode::Ending,
            Some(b"STATISTICS") => reply.extend(self.statistics.reply()),
            Some(_) | None => {}
        }
        if reply.is_empty() && control.socket_type() == SocketType::REP {
            reply.push(Msg::new());
        }
        answer(control, reply)
    }
}

/// Sends a reply, if there is one. Who does not take it at once gets none, and must not hold up
/// the proxy.
fn answer(control: &Socket, reply: Multipart) -> Result<()> {
    if reply.is_empty() {
        return Ok(());
    }
    match control.send_multipart(reply, DONTWAIT).map_err(Error::from) {
        Ok(()) | Err(Error::Again | Error::NotSupported) => Ok(()),
        Err(error) => Err(error),
    }
}

fn can_recv(socket: &Socket) -> Result<bool> {
    let mut base = socket.base();
    base.process()?;
    Ok(base.can_recv())
}

fn can_send(socket: &Socket) -> Result<bool> {
    let mut base = socket.base();
    base.process()?;
    Ok(base.can_send())
}
