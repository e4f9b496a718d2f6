//! `zmq_proxy` and `zmq_proxy_steerable`.
//!
//! The engine has a proxy too. This one is interrupted by signals, and counts frames where that
//! counts messages, as libzmq does.

use std::ffi::c_void;

use ferrozmq::{DONTWAIT, Msg, SNDMORE, SocketType};

use crate::abi::Done;
use crate::errno::Errno;
use crate::poll::{Item, POLLIN, POLLOUT, Target, poll};
use crate::socket::{SocketHandle, find, recv, send};

/// How many messages one direction moves before others get their turn.
const BURST: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Running,
    Paused,
    Ending,
}

/// Frames and bytes that came from a side, and went to it.
#[derive(Clone, Copy, Default, Debug)]
struct Counts {
    received: [u64; 2],
    sent: [u64; 2],
}

#[derive(Debug)]
struct Proxy {
    /// The frontend and the backend.
    sides: [&'static SocketHandle; 2],
    capture: Option<&'static SocketHandle>,
    control: Option<&'static SocketHandle>,
    mode: Mode,
    counts: [Counts; 2],
}

/// Moves messages until told to end, or something fails.
pub(crate) fn run(
    frontend: In<c_void>,
    backend: In<c_void>,
    capture: Option<In<c_void>>,
    control: Option<In<c_void>>,
) -> Result<(), Errno> {
    if frontend.is_null() || backend.is_null() {
        return Err(Errno::FAULT);
    }
    let mut proxy = Proxy {
        sides: [find(frontend)?, find(backend)?],
        capture: capture.map(find).transpose()?,
        control: control.map(find).transpose()?,
        mode: Mode::Running,
        counts: [Counts::default(); 2],
    };
    while proxy.mode != Mode::Ending {
        proxy.turn()?;
    }
    Ok(())
}

/// What a socket can do now.
fn can(handle: &'static SocketHandle, events: i16) -> Result<bool, Errno> {
    Ok(handle.lock()?.events()? & events != 0)
}

impl Proxy {
    /// Obeys, moves what can be moved, or waits.
    fn turn(&mut self) -> Result<(), Errno> {
        self.obey()?;
        match self.mode {
            Mode::Ending => Ok(()),
            Mode::Paused => self.wait(),
            Mode::Running => {
                let forth = self.forward(0)?;
                let back = !self.is_single() && self.forward(1)?;
                if forth || back { Ok(()) } else { self.wait() }
            }
        }
    }

    /// Whether both sides are one socket, which may be able to send only after it received.
    fn is_single(&self) -> bool {
        std::ptr::eq(self.sides[0], self.sides[1])
    }

    /// Moves messages from one side to the other; returns whether there was any.
    fn forward(&mut self, from: usize) -> Result<bool, Errno> {
        let (source, target) = (self.sides[from], self.sides[1 - from]);
        for moved in 0..BURST {
            if !can(source, POLLIN)? || !(self.is_single() || can(target, POLLOUT)?) {
                return Ok(moved > 0);
            }
            let mut frame = Msg::new();
            match recv(source, &mut frame, DONTWAIT) {
                Ok(()) => self.pass_on(frame, from)?,
                Err(Errno::AGAIN) => return Ok(moved > 0),
                Err(errno) => return Err(errno),
            }
        }
        Ok(true)
    }

    /// Moves a message on whose first frame is here.
    fn pass_on(&mut self, mut frame: Msg, from: usize) -> Result<(), Errno> {
        loop {
            let more = frame.more();
            self.count(from, frame.len());
            let flags = if more { SNDMORE } else { 0 };
            if let Some(capture) = self.capture {
                send(capture, &mut frame.clone(), flags)?;
            }
            send(self.sides[1 - from], &mut frame, flags)?;
            if !more {
                return Ok(());
            }
            recv(self.sides[from], &mut frame, 0)?;
        }
    }

    fn count(&mut self, from: usize, len: usize) {
        let one = [1, len as u64];
        for (n, add) in one.into_iter().enumerate() {
            self.counts[from].received[n] += add;
            self.counts[1 - from].sent[n] += add;
        }
    }

    /// Waits for what keeps messages from moving, and for commands.
    fn wait(&self) -> Result<(), Errno> {
        let control = self
            .control
            .map(|control| Item::new(Target::Socket(control), POLLIN));
        let mut items = Vec::from_iter(control);
        if self.mode == Mode::Running {
            for from in [0, 1] {
                let (source, target) = (self.sides[from], self.sides[1 - from]);
                items.push(if !self.is_single() && can(source, POLLIN)? {
                    Item::new(Target::Socket(target), POLLOUT)
                } else {
                    Item::new(Target::Socket(source), POLLIN)
                });
            }
        }
        poll(&mut items, None, None).map(drop)
    }

    /// Does what the control socket wants.
    fn obey(&mut self) -> Result<(), Errno> {
        let Some(control) = self.control else {
            return Ok(());
        };
        while self.mode != Mode::Ending {
            let mut command = Msg::new();
            match recv(control, &mut command, DONTWAIT) {
                Ok(()) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(errno),
            }
            let (mut more, mut rest) = (command.more(), Msg::new());
            while more {
                recv(control, &mut rest, 0)?;
                more = rest.more();
            }
            self.on_command(control, &command)?;
        }
        Ok(())
    }

    fn on_command(&mut self, control: &'static SocketHandle, command: &[u8]) -> Result<(), Errno> {
        match command {
            b"PAUSE" => self.mode = Mode::Paused,
            b"RESUME" => self.mode = Mode::Running,
            b"TERMINATE" => self.mode = Mode::Ending,
            b"STATISTICS" => return self.report(control),
            _ => {}
        }
        if control.lock()?.socket.socket_type() == SocketType::REP {
            send(control, &mut Msg::new(), 0)?;
        }
        Ok(())
    }

    /// Sends the counts as eight frames.
    fn report(&self, control: &'static SocketHandle) -> Result<(), Errno> {
        let numbers = self
            .counts
            .iter()
            .flat_map(|side| [side.received, side.sent]);
        let numbers: Vec<u64> = numbers.flatten().collect();
        for (n, number) in numbers.iter().enumerate() {
            let flags = if n + 1 < numbers.len() { SNDMORE } else { 0 };
            send(control, &mut Msg::copied(&number.to_ne_bytes()), flags)?;
        }
        Ok(())
    }
}

fn given(place: In<c_void>) -> Option<In<c_void>> {
    Some(place).filter(|place| !place.is_null())
}

abi! {
    /// Moves messages between two sockets, and copies of them to a third, until something fails.
    fn zmq_proxy(
        frontend: In<c_void>,
        backend: In<c_void>,
        capture: In<c_void>,
    ) -> Result<Done, Errno> {
        run(frontend, backend, given(capture), None).map(|()| Done)
    }

    /// The same, and obeys `PAUSE`, `RESUME`, `TERMINATE` and `STATISTICS` from a fourth.
    fn zmq_proxy_steerable(
        frontend: In<c_void>,
        backend: In<c_void>,
        capture: In<c_void>,
        control: In<c_void>,
    ) -> Result<Done, Errno> {
        run(frontend, backend, given(capture), given(control)).map(|()| Done)
    }
}
