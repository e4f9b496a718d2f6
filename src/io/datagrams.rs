//! [`Datagrams`]: one udp socket and the pipe whose messages travel through it.
//!
//! It has neither a connection nor a handshake, and nothing that it sends or receives waits for
//! anybody: what the system does not take is dropped, as is what is no message.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::Interest;
use mio::net::UdpSocket;

use crate::command::{ChildId, DatagramForm, DatagramSpec, Parent, Turn};
use crate::datagram;
use crate::io::poller::{self, Readiness};
use crate::io::session_base::IoContext;
use crate::msg::{Kind, Msg};
use crate::pipe::{PipeEnd, PipeEvent};
use crate::ypipe::Pop;

/// How many datagrams are sent or received before others get their turn.
const PER_TURN: usize = 64;

/// A datagram to be sent.
#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    to: SocketAddr,
}

/// A udp socket in use.
#[derive(Debug)]
pub(crate) struct Datagrams {
    parent: Parent,
    me: ChildId,
    /// `None` if it could not be registered.
    socket: Option<UdpSocket>,
    form: DatagramForm,
    pipe: PipeEnd,
    readable: bool,
    writable: bool,
    /// What the system has no room for now.
    unsent: Option<Outgoing>,
    /// The memory of the last datagram sent.
    spare: Vec<u8>,
    /// The socket wants it gone; at this time at the latest, or when all is sent.
    closing: Option<Option<Instant>>,
}

impl Datagrams {
    pub(crate) fn new(spec: DatagramSpec, me: ChildId, cx: &IoContext) -> Self {
        let DatagramSpec {
            parent,
            socket,
            form,
            mut pipe,
        } = spec;
        parent.enter(me, true);
        pipe.attach(cx.mailbox.clone(), me.key);
        // There is nobody to wait for.
        pipe.report(true);
        let mut socket = UdpSocket::from_std(socket.into());
        let interest = match form {
            DatagramForm::SendTo(_) => Interest::WRITABLE,
            DatagramForm::Receive => Interest::READABLE,
            DatagramForm::Addressed => Interest::READABLE | Interest::WRITABLE,
        };
        let registered = cx
            .registry
            .register(&mut socket, poller::token(me.key), interest);
        if let Err(error) = &registered {
            log::error!(target: "ferrozmq", "a udp socket cannot be used: {error}");
        }
        Self {
            parent,
            me,
            socket: registered.is_ok().then_some(socket),
            form,
            pipe,
            readable: true,
            writable: true,
            unsent: None,
            spare: Vec::new(),
            closing: None,
        }
    }

    // ── what happens ─────────────────────────────────────────────────────────────────────────

    pub(crate) fn on_readiness(&mut self, readiness: Readiness, cx: &mut IoContext) -> Turn {
        self.readable |= readiness.readable;
        self.writable |= readiness.writable;
        self.turn(cx)
    }

    pub(crate) fn on_pipe(&mut self, event: PipeEvent, cx: &mut IoContext) -> Turn {
        self.pipe.on_event(event);
        self.turn(cx)
    }

    /// The socket wants it gone, at the latest when `linger` is over.
    pub(crate) fn on_close(&mut self, linger: Option<Duration>, cx: &mut IoContext) -> Turn {
        self.close(linger, cx.now);
        self.turn(cx)
    }

    fn close(&mut self, linger: Option<Duration>, now: Instant) {
        self.closing = Some(linger.map(|linger| now + linger));
    }

    /// When [`Datagrams::turn`] is to be called although nothing happened.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.closing.flatten()
    }

    /// Moves what can be moved, and sees whether it is over.
    pub(crate) fn turn(&mut self, cx: &mut IoContext) -> Turn {
        if self.pipe.is_peer_gone() && self.closing.is_none() {
            self.close(self.parent.options.linger.get(), cx.now);
        }
        let received = self.pump_in(cx);
        self.pipe.flush();
        let sent = self.pump_out();
        if self.is_over(cx.now) {
            return Turn::Gone;
        }
        if received == Turn::Again {
            received
        } else {
            sent
        }
    }

    fn is_over(&mut self, now: Instant) -> bool {
        let Some(deadline) = self.closing else {
            return self.socket.is_none();
        };
        let is_drained = self.unsent.is_none() && !matches!(self.pipe.peek(), Pop::Item(_));
        is_drained || self.socket.is_none() || deadline.is_some_and(|deadline| deadline <= now)
    }

    // ── receiving ────────────────────────────────────────────────────────────────────────────

    fn pump_in(&mut self, cx: &mut IoContext) -> Turn {
        if matches!(self.form, DatagramForm::SendTo(_)) {
            return Turn::Idle;
        }
        for _ in 0..PER_TURN {
            // What has no room stays with the system, which drops what it has no room for.
            if !self.readable || !self.pipe.can_write() {
                return Turn::Idle;
            }
            self.receive(cx.input.scratch());
        }
        Turn::Again
    }

    fn receive(&mut self, buffer: &mut [u8]) {
        let Some(socket) = &self.socket else {
            self.readable = false;
            return;
        };
        match socket.recv_from(buffer) {
            Ok((len, from)) => self.deliver(&buffer[..len], from),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Nothing is there; or something is wrong, and what comes next is an event all the same.
            Err(_) => self.readable = false,
        }
    }

    /// Room was looked for before, and there is always room for the second frame.
    fn deliver(&mut self, datagram: &[u8], from: SocketAddr) {
        let limit = self.parent.options.max_msg_size;
        let fits = |msg: &Msg| limit.is_none_or(|limit| msg.len() as u64 <= limit);
        if self.form == DatagramForm::Addressed {
            let mut body = Msg::copied(datagram);
            if fits(&body) {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                let mut address = Msg::from(from.to_string());
                address.set_more(true);
                let _ = self.pipe.write(&mut address);
                let _ = self.pipe.write(&mut body);
            }
        } else if let Some(mut msg) = datagram::decode(datagram).filter(fits) {
            let _ = self.pipe.write(&mut msg);
        }
    }

    // ── sending ──────────────────────────────────────────────────────────────────────────────

    fn pump_out(&mut self) -> Turn {
        for _ in 0..PER_TURN {
            let Some(outgoing) = self.unsent.take() else {
                match self.next_outgoing() {
                    Pop::Item(outgoing) => self.unsent = outgoing,
                    Pop::Empty | Pop::Finished => return Turn::Idle,
                }
                continue;
            };
            if !self.writable || !self.send(&outgoing) {
                self.unsent = Some(outgoing);
                return Turn::Idle;
            }
            self.spare = outgoing.bytes;
        }
        Turn::Again
    }

    /// The next datagram in the pipe; none for what is not one.
    fn next_outgoing(&mut self) -> Pop<Option<Outgoing>> {
        let first = match self.pipe.read() {
            Pop::Item(frame) => frame,
            Pop::Empty => return Pop::Empty,
            Pop::Finished => return Pop::Finished,
        };
        let mut bytes = std::mem::take(&mut self.spare);
        match self.form {
            DatagramForm::SendTo(to) => {
                let is_one = first.kind() == Kind::Data && datagram::encode(&first, &mut bytes);
                Pop::Item(is_one.then_some(Outgoing { bytes, to }))
            }
            DatagramForm::Receive => Pop::Item(None),
            DatagramForm::Addressed => {
                // Messages are whole, and DGRAM sends none but of two frames.
                bytes.clear();
                if let Pop::Item(body) = self.pipe.read() {
                    bytes.extend_from_slice(&body);
                }
                Pop::Item(self.address(&first).map(|to| Outgoing { bytes, to }))
            }
        }
    }

    /// The address in the first frame of a message, as this socket needs it.
    fn address(&self, text: &Msg) -> Option<SocketAddr> {
        let text = text.as_str()?.trim_end_matches('\0');
        let to: SocketAddr = text.parse().ok()?;
        let own = self.socket.as_ref()?.local_addr().ok()?;
        Some(match (own, to) {
            (SocketAddr::V6(_), SocketAddr::V4(to)) => {
                SocketAddr::new(to.ip().to_ipv6_mapped().into(), to.port())
            }
            _ => to,
        })
    }

    /// Hands a datagram to the system; false if that has no room for it now.
    fn send(&mut self, outgoing: &Outgoing) -> bool {
        let Some(socket) = &self.socket else {
            return true;
        };
        match socket.send_to(&outgoing.bytes, outgoing.to) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.writable = false;
                false
            }
            Err(error) => {
                log::debug!(target: "ferrozmq", "dropped a datagram to {}: {error}", outgoing.to);
                true
            }
            Ok(_) => true,
        }
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        // First, so that whoever waits for the command finds the address free.
        self.socket = None;
        self.parent.leave(self.me);
    }
}
