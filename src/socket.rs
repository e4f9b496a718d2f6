//! [`Socket`]: the public face of a socket, and the only place that waits.
//!
//! The vocabulary is that of the `zmq` crate, so that a program ports by changing its import;
//! times are [`Duration`]s.

mod message;
mod options;
mod peers;
pub(crate) mod waiting;

pub use self::message::Message;
pub(crate) use self::message::join;
use self::message::sealed::Frames;

use std::cell::{RefCell, RefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::census::SocketId;
use crate::command::{DatagramForm, IoCmd};
use crate::ctx::Ctx;
use crate::endpoint::{Endpoint, UdpAddress};
use crate::error::{Error, Result};
use crate::host::Hosted;
use crate::io::transport::{self, Bound, udp};
use crate::monitor::{Event, EventKind, Monitor};
use crate::msg::{COPY_MAX, IntoMsg, Msg, SendError};
use crate::options::SocketType;
use crate::pattern::Refused;
use crate::reaper::{Dying, Reaper};
use crate::signaler::{Callback, Notice, Signal};
use crate::socket_base::SocketBase;

/// Flag: do not wait; [`Error::Again`] if the call would have to (`ZMQ_DONTWAIT`).
pub const DONTWAIT: i32 = 1;

/// Flag: more frames of the same message follow (`ZMQ_SNDMORE`).
pub const SNDMORE: i32 = 2;

/// Event: something can be received (`ZMQ_POLLIN`).
pub const POLLIN: i16 = 1;

/// Event: something can be sent (`ZMQ_POLLOUT`).
pub const POLLOUT: i16 = 2;

/// How long [`Socket::unbind`] waits for the address to be free.
const UNBIND_LIMIT: Duration = Duration::from_secs(5);

/// The frames of one message. Two or fewer take no allocation.
pub type Multipart = SmallVec<[Msg; 2]>;

/// A socket of one of ZeroMQ's types, made by [`Ctx::socket`].
///
/// It may move between threads, and is used by one at a time. Unless a call takes
/// [`DONTWAIT`], `send` waits while no peer can take a message and `recv` waits while there is
/// none, for at most [`Socket::set_sndtimeo`] and [`Socket::set_rcvtimeo`]. What exactly a type
/// does is said at [`SocketType`].
///
/// Dropping a socket closes it and never blocks: what was sent is delivered in the background,
/// within the linger time. See [`Ctx`] for the end of a program.
#[derive(Debug)]
pub struct Socket {
    /// `None` only while dropping.
    base: RefCell<Option<Box<SocketBase>>>,
    id: SocketId,
    reaper: Reaper,
    ctx: Ctx,
}

impl Ctx {
    /// Creates a socket. The first one starts the context's threads. At the limit it waits for a
    /// second at most, if there are sockets that are closed and not gone.
    ///
    /// # Errors
    /// [`Error::Term`] after [`Ctx::shutdown`] or [`Ctx::term`], [`Error::TooManySockets`] beyond
    /// [`Ctx::set_max_sockets`], [`Error::Io`] if the system has no threads or descriptors left.
    pub fn socket(&self, socket_type: SocketType) -> Result<Socket> {
        let (reaper, base, id) = self.open(socket_type)?;
        Ok(Socket {
            base: RefCell::new(Some(base)),
            id,
            reaper,
            ctx: self.clone(),
        })
    }
}

impl Socket {
    #[inline(always)]
    pub(crate) fn base(&self) -> RefMut<'_, SocketBase> {
        RefMut::map(self.base.borrow_mut(), |base| {
            base.as_deref_mut()
                .expect("S1: a socket has its base until it is dropped")
        })
    }

    #[inline(always)]
    pub(crate) fn base_mut(&mut self) -> &mut SocketBase {
        let base = self.base.get_mut().as_deref_mut();
        base.expect("S1: a socket has its base until it is dropped")
    }

    /// The socket's type.
    #[must_use]
    pub fn socket_type(&self) -> SocketType {
        self.base().socket_type()
    }

    /// The context that the socket belongs to.
    #[must_use]
    pub fn context(&self) -> &Ctx {
        &self.ctx
    }

    // ── endpoints ────────────────────────────────────────────────────────────────────────────

    /// Takes connections at an endpoint: `tcp://interface:port`, `ipc://path`, `inproc://name`.
    /// A DISH or DGRAM receives datagrams at `udp://interface:port`, a DISH also those to a
    /// multicast group: `udp://group:port` or `udp://interface;group:port`.
    ///
    /// `*` is any interface or any port, `ipc://*` any path; [`Socket::last_endpoint`] tells which
    /// it became. The endpoint is taken when the call returns. A host name is looked up in the
    /// call, which then blocks.
    ///
    /// # Errors
    /// [`Error::InvalidEndpoint`], [`Error::ProtocolNotSupported`], [`Error::NameTooLong`] for the
    /// text; [`Error::AddrInUse`], [`Error::AddrNotAvailable`], [`Error::NoDevice`] for the
    /// address; [`Error::IncompatibleTransport`] for STREAM over inproc, other types than DISH and
    /// DGRAM over udp, and DGRAM over anything else; [`Error::NoIoThread`] if the context or the
    /// affinity has none; [`Error::InvalidArgument`] for an interface of what is no multicast group; [`Error::Term`]; [`Error::Io`] for what else the
    /// system answers. An ipc file that nobody listens on is taken over; any other file is left
    /// alone.
    pub fn bind(&self, endpoint: &str) -> Result<()> {
        let mut base = self.base();
        base.process()?;
        match Endpoint::for_bind(endpoint)? {
            Endpoint::Udp(address) => bind_udp(&mut base, endpoint, &address)?,
            _ if base.socket_type() == SocketType::DGRAM => {
                return Err(Error::IncompatibleTransport);
            }
            Endpoint::Inproc(_) if base.is_network_only() => {
                return Err(Error::IncompatibleTransport);
            }
            Endpoint::Inproc(name) => base.bind_inproc(endpoint, &name, Instant::now())?,
            network @ (Endpoint::Tcp(_) | Endpoint::Ipc(_)) => {
                bind_network(&mut base, endpoint, &network)?;
            }
        }
        Ok(())
    }

    /// Connects to an endpoint, and connects again whenever the connection is lost.
    ///
    /// Returns at once; the peer may come later. For tcp a source address can be given before a
    /// semicolon: `tcp://source:port;host:port`. A DEALER, REQ, SUB or PUB that is connected to
    /// the same tcp or ipc endpoint already stays as it is.
    ///
    /// A RADIO sends datagrams to `udp://host:port`, or to a multicast group, through an interface
    /// if that is said: `udp://interface;group:port`. A host name is looked up in the call, which
    /// then blocks. Whatever groups its messages have, all are sent, those longer than 8 KiB with
    /// their group excepted; nobody tells whether they arrive.
    ///
    /// # Errors
    /// As for [`Socket::bind`], but nothing about whether the peer can be reached: that is told by
    /// [`Socket::monitor`]. [`Error::IncompatibleTransport`] for other types than RADIO over udp.
    pub fn connect(&self, endpoint: &str) -> Result<()> {
        let mut base = self.base();
        base.process()?;
        match Endpoint::for_connect(endpoint)? {
            Endpoint::Udp(address) => connect_udp(&mut base, endpoint, &address)?,
            _ if base.socket_type() == SocketType::DGRAM => {
                return Err(Error::IncompatibleTransport);
            }
            Endpoint::Inproc(_) if base.is_network_only() => {
                return Err(Error::IncompatibleTransport);
            }
            Endpoint::Inproc(name) => base.connect_inproc(endpoint, &name, Instant::now()),
            network @ (Endpoint::Tcp(_) | Endpoint::Ipc(_)) => {
                base.connect_session(endpoint, network)?;
            }
        }
        Ok(())
    }

    /// Takes a [`Socket::bind`] back. When it returns, the address is free; connections accepted
    /// through it are closed after what was sent to them is delivered, within the linger time.
    /// Messages received and not read are dropped. Over inproc only the name becomes free.
    ///
    /// # Errors
    /// [`Error::NoSuchEndpoint`] unless `endpoint` is what was bound, or
    /// [`Socket::last_endpoint`] after that (only the latter where there was a wildcard);
    /// [`Error::Term`].
    pub fn unbind(&self, endpoint: &str) -> Result<()> {
        self.wait_unbound(endpoint, Some(UNBIND_LIMIT))
    }

    /// Takes a [`Socket::connect`] back. What was sent is delivered in the background, within the
    /// linger time; messages received and not read are dropped.
    ///
    /// # Errors
    /// [`Error::NoSuchEndpoint`] unless `endpoint` is what was connected to; [`Error::Term`].
    pub fn disconnect(&self, endpoint: &str) -> Result<()> {
        let mut base = self.base();
        base.process()?;
        base.release(endpoint, false, Instant::now())?;
        Ok(())
    }

    /// Where the last [`Socket::bind`] or [`Socket::connect`] led to (`ZMQ_LAST_ENDPOINT`); for a
    /// bind with numbers in place of wildcards and names. Empty before the first.
    #[must_use]
    pub fn last_endpoint(&self) -> String {
        self.base().last_endpoint().to_owned()
    }

    /// Watches the socket's connections. A second monitor replaces the first.
    ///
    /// Where the call before was a [`Socket::connect`], the monitor hears what has become of it meanwhile,
    /// so nothing of a connection is missed by monitoring after connecting.
    ///
    /// ```
    /// # use ferrozmq::{Ctx, EventKind, SocketType};
    /// # use std::time::{Duration, Instant};
    /// # let ctx = Ctx::new();
    /// let pull = ctx.socket(SocketType::PULL)?;
    /// pull.bind("tcp://127.0.0.1:*")?;
    /// let push = ctx.socket(SocketType::PUSH)?;
    /// push.connect(&pull.last_endpoint())?;
    /// let monitor = push.monitor();
    /// let deadline = Instant::now() + Duration::from_secs(5);
    /// let connected = monitor.wait_for(deadline, |event| matches!(event.kind, EventKind::Connected { .. }));
    /// assert!(connected.is_some());
    /// # Ok::<(), ferrozmq::Error>(())
    /// ```
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        self.base().events.monitor()
    }

    /// Has the [`Monitor`] told how many messages wait in each of the socket's pipes, one
    /// [`EventKind::PipeStatistics`] for each
    /// (`zmq_socket_monitor_pipes_stats`). Returns how many pipes there are. Does not wait.
    ///
    /// An endpoint that was connected to has a pipe at once, unless
    /// [`Socket::set_immediate`] is on; one that was bound to has one for each peer.
    ///
    /// ```
    /// # use ferrozmq::{Ctx, EventKind, SocketType};
    /// # let ctx = Ctx::new();
    /// let push = ctx.socket(SocketType::PUSH)?;
    /// push.connect("inproc://nobody-yet")?;
    /// push.send("waits", 0)?;
    /// let monitor = push.monitor();
    /// assert_eq!(push.report_pipes()?, 1);
    /// let event = monitor.recv().expect("it was just sent");
    /// assert!(matches!(event.kind, EventKind::PipeStatistics { outbound: 1, inbound: 0 }));
    /// assert_eq!(event.remote, "inproc://nobody-yet");
    /// # Ok::<(), ferrozmq::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if nobody monitors the socket, [`Error::Term`].
    pub fn report_pipes(&self) -> Result<usize> {
        let mut base = self.base();
        base.process()?;
        if !base.events.is_heard() {
            return Err(Error::InvalidArgument("the socket has no monitor"));
        }
        Ok(base.report_pipes())
    }

    // ── sending ──────────────────────────────────────────────────────────────────────────────

    /// Sends a frame; with [`SNDMORE`] the message goes on, and is delivered as a whole when its
    /// last frame was sent. Waits while the high-water mark is reached, unless `flags` has [`DONTWAIT`].
    ///
    /// A high-water mark counts messages, however large. So that many large ones need not wait in memory,
    /// a send of any type without [`DONTWAIT`] and with a time limit other than zero sleeps for a moment, at
    /// most about two milliseconds, once more than 2 MiB in bodies of 16 KiB and more, and more than four of
    /// them, are on their way to the peer. A peer that takes little meanwhile is not waited for again soon.
    ///
    /// # Errors
    /// The message comes back with [`Error::Again`] if it had to wait (longer), [`Error::Fsm`],
    /// [`Error::NotSupported`], [`Error::HostUnreachable`], [`Error::Term`] or
    /// [`Error::InvalidArgument`] for unknown flags.
    #[inline]
    pub fn send(&self, source: impl IntoMsg, flags: i32) -> std::result::Result<(), SendError> {
        let Some(body) = source.as_copied() else {
            let mut message = source.into();
            return self
                .send_msg(&mut message, flags)
                .map_err(|error| SendError { error, message });
        };
        self.send_copy(body, flags).map_err(|error| SendError {
            error,
            message: source.into(),
        })
    }

    /// Sends a copy of a body.
    #[inline]
    fn send_copy(&self, body: &[u8], flags: i32) -> Result<()> {
        check_flags(flags, DONTWAIT | SNDMORE)?;
        let mut base = self.base();
        base.process()?;
        let more = flags & SNDMORE != 0;
        match base.send_copy(body, more) {
            Ok(()) => {
                keep_pace(&mut base, flags);
                Ok(())
            }
            Err(refused) => send_copy_again(&mut base, body, refused, flags),
        }
    }

    /// Sends a frame without taking it over, see [`Socket::send`]: what is in `msg` afterwards means
    /// nothing, unless the call fails; then it is as it was. The counterpart of [`Socket::recv`].
    ///
    /// # Errors
    /// As for [`Socket::send`].
    #[inline]
    pub fn send_msg(&self, msg: &mut Msg, flags: i32) -> Result<()> {
        check_flags(flags, DONTWAIT | SNDMORE)?;
        msg.set_more(flags & SNDMORE != 0);
        let mut base = self.base();
        send_waiting(&mut base, msg, flags)
    }

    /// What a send that may wait does when it is done: for those who wait in another way than this type.
    #[doc(hidden)]
    #[inline]
    pub fn keep_pace(&self) {
        keep_pace(&mut self.base(), 0);
    }

    /// Sends a whole message of one frame if that is possible at once.
    ///
    /// # Errors
    /// As for [`Socket::send`] with [`DONTWAIT`].
    pub fn try_send(&self, source: impl IntoMsg) -> std::result::Result<(), SendError> {
        self.send(source, DONTWAIT)
    }

    /// Sends a message of several frames: all of them or none.
    ///
    /// ```
    /// # let ctx = ferrozmq::Ctx::new();
    /// # let a = ctx.socket(ferrozmq::SocketType::PAIR)?;
    /// # let b = ctx.socket(ferrozmq::SocketType::PAIR)?;
    /// # a.bind("inproc://multipart")?;
    /// # b.connect("inproc://multipart")?;
    /// a.send_multipart(["topic", "body"], 0)?;
    /// let frames = b.recv_multipart(0)?;
    /// assert_eq!(frames[1], "body");
    /// # Ok::<(), ferrozmq::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Socket::send`]; all frames come back. An empty list is
    /// [`Error::InvalidArgument`].
    pub fn send_multipart<I>(
        &self,
        frames: I,
        flags: i32,
    ) -> std::result::Result<(), SendError<Multipart>>
    where
        I: IntoIterator,
        I::Item: Into<Msg>,
    {
        let mut message: Multipart = frames.into_iter().map(Into::into).collect();
        match self.send_frames(&mut message, flags) {
            Ok(()) => Ok(()),
            Err(error) => Err(SendError { error, message }),
        }
    }

    fn send_frames(&self, frames: &mut Multipart, flags: i32) -> Result<()> {
        check_flags(flags, DONTWAIT | SNDMORE)?;
        join(frames, flags & SNDMORE != 0)?;
        let mut base = self.base();
        let mut begun = false;
        frames.hand_over(|frame| {
            if begun {
                // Where the first fits the others do, even if the context ends meanwhile.
                return base.send(frame).map_err(error_of);
            }
            begun = true;
            send_waiting(&mut base, frame, flags)
        })
    }

    /// Sends many messages, and wakes their receivers once. Frames that have the MORE flag
    /// ([`Msg::set_more`]) form a message with those behind them. Waits like [`Socket::send`].
    ///
    /// Returns how many frames were sent.
    ///
    /// # Errors
    /// As for [`Socket::send`], for the first frame that cannot be sent; those before it are sent,
    /// and those after it are left in the iterator.
    pub fn send_many<I>(&self, messages: I) -> std::result::Result<usize, SendError>
    where
        I: IntoIterator,
        I::Item: Into<Msg>,
    {
        let mut base = self.base();
        let mut sent = 0;
        for message in messages {
            let mut message = message.into();
            base.hold();
            if let Err(error) = send_waiting(&mut base, &mut message, 0) {
                base.flush();
                return Err(SendError { error, message });
            }
            sent += 1;
        }
        base.flush();
        Ok(sent)
    }

    // ── receiving ────────────────────────────────────────────────────────────────────────────

    /// Receives a frame; [`Msg::more`] tells whether its message goes on.
    ///
    /// # Errors
    /// [`Error::Again`] if there is none (in time), [`Error::Fsm`], [`Error::NotSupported`],
    /// [`Error::Term`], [`Error::InvalidArgument`] for unknown flags.
    pub fn recv_msg(&self, flags: i32) -> Result<Msg> {
        let mut msg = Msg::new();
        self.recv_frame(&mut msg, flags)?;
        Ok(msg)
    }

    /// Receives a frame into `msg`, see [`Socket::recv_msg`]; what was in it is dropped. One message
    /// used again and again is the fastest way to receive.
    ///
    /// # Errors
    /// As for [`Socket::recv_msg`]; `msg` is empty then.
    #[inline]
    pub fn recv(&self, msg: &mut Msg, flags: i32) -> Result<()> {
        match self.recv_frame(msg, flags) {
            Ok(()) => Ok(()),
            Err(error) => {
                *msg = Msg::new();
                Err(error)
            }
        }
    }

    #[inline]
    fn recv_frame(&self, msg: &mut Msg, flags: i32) -> Result<()> {
        check_flags(flags, DONTWAIT)?;
        recv_waiting(&mut self.base(), msg, flags)
    }

    /// Receives a frame if there is one.
    ///
    /// # Errors
    /// As for [`Socket::recv_msg`] with [`DONTWAIT`].
    pub fn try_recv(&self) -> Result<Msg> {
        self.recv_msg(DONTWAIT)
    }

    /// Receives a frame into a buffer, and returns the size it has; what does not fit is lost.
    ///
    /// # Errors
    /// As for [`Socket::recv_msg`].
    pub fn recv_into(&self, buffer: &mut [u8], flags: i32) -> Result<usize> {
        let msg = self.recv_msg(flags)?;
        let fits = msg.len().min(buffer.len());
        buffer[..fits].copy_from_slice(&msg[..fits]);
        Ok(msg.len())
    }

    /// Receives a frame as a vector.
    ///
    /// # Errors
    /// As for [`Socket::recv_msg`].
    pub fn recv_bytes(&self, flags: i32) -> Result<Vec<u8>> {
        Ok(self.recv_msg(flags)?.to_vec())
    }

    /// Receives a frame as text; bytes that are not UTF-8 are replaced by `U+FFFD`.
    ///
    /// # Errors
    /// As for [`Socket::recv_msg`].
    pub fn recv_string(&self, flags: i32) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.recv_msg(flags)?).into_owned())
    }

    /// Receives the frames of one message, or what is left of the message being received.
    ///
    /// # Errors
    /// As for [`Socket::recv_msg`]; nothing is lost.
    pub fn recv_multipart(&self, flags: i32) -> Result<Multipart> {
        check_flags(flags, DONTWAIT)?;
        let mut base = self.base();
        let mut frames = Multipart::new();
        recv_message(&mut base, flags, &mut frames)?;
        Ok(frames)
    }

    /// Receives up to `max` messages at once: waits for the first, like [`Socket::recv_msg`], and
    /// takes what else is there. Frames are appended to `messages`; a message is never cut.
    ///
    /// Returns how many messages were received: 0 only if `max` is 0.
    ///
    /// # Errors
    /// As for [`Socket::recv_msg`]; nothing was received then.
    pub fn recv_many(&self, messages: &mut Vec<Msg>, max: usize) -> Result<usize> {
        let mut base = self.base();
        let mut received = 0;
        let mut flags = 0;
        while received < max {
            match recv_message(&mut base, flags, messages) {
                Ok(()) => received += 1,
                Err(_) if received > 0 => break,
                Err(error) => return Err(error),
            }
            flags = DONTWAIT;
        }
        Ok(received)
    }

    // ── readiness ────────────────────────────────────────────────────────────────────────────

    /// What can be done now without waiting: [`POLLIN`] and
    /// [`POLLOUT`] (`ZMQ_EVENTS`).
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_events(&self) -> Result<i16> {
        let mut base = self.base();
        base.process()?;
        let readable = if base.can_recv() { POLLIN } else { 0 };
        let writable = if base.can_send() { POLLOUT } else { 0 };
        Ok(readable | writable)
    }

    /// Has `wake` called whenever something comes for the socket that a call on it may react to,
    /// once until the next call: for event loops that wait by means of their own (`ZMQ_FD`). The
    /// last one given counts; `None`, the default, is nobody.
    ///
    /// It tells of a change, not of a state: look at [`Socket::get_events`], after this call and
    /// each time it was called, until what is wanted is not possible any more. It is called on any
    /// thread, must not wait, and must not use the socket.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use ferrozmq::{Ctx, POLLIN, SocketType};
    ///
    /// # fn main() -> ferrozmq::Result<()> {
    /// let ctx = Ctx::new();
    /// let (a, b) = (ctx.socket(SocketType::PAIR)?, ctx.socket(SocketType::PAIR)?);
    /// a.bind("inproc://watched")?;
    /// let (news, loop_) = channel();
    /// a.watch(Some(Box::new(move || drop(news.send(())))));
    /// b.connect("inproc://watched")?;
    /// b.send("x", 0)?;
    /// while a.get_events()? & POLLIN == 0 {
    ///     loop_.recv().expect("the socket has the sender");
    /// }
    /// assert_eq!(a.recv_string(0)?, "x");
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(&self, wake: Option<Box<dyn Fn() + Send + Sync>>) {
        let signal = wake.map(|wake| Arc::new(Callback(wake)) as Arc<dyn Signal>);
        self.base().mailbox().set_watch(signal);
    }

    /// Waits until one of `events` is possible, for at most `timeout` (`None`: for ever). Returns
    /// which are, and 0 if the time is over.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn poll(&self, events: i16, timeout: Option<Duration>) -> Result<i16> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let ready = self.get_events()? & events;
            if ready != 0 || timeout == Some(Duration::ZERO) || !self.base().wait(deadline) {
                return Ok(ready);
            }
        }
    }
}

impl Socket {
    /// Hands the socket to the reaper, or while there are senders to an I/O thread; once. The
    /// notice is given when it is gone.
    fn close(&mut self, notice: Option<Notice>) {
        if let Some(mut socket) = self.base.get_mut().take() {
            let (id, host) = (self.id, socket.host());
            let dying = Dying { socket, id, notice };
            match host {
                Some(host) => {
                    let hosted = Hosted::new(dying, self.reaper.clone());
                    host.launch(IoCmd::Host(Box::new(hosted)));
                }
                None => {
                    self.ctx.set_closed(id);
                    // At once, so that the next socket can be bound to the name.
                    dying.socket.give_up_names(Instant::now());
                    self.reaper.reap(dying);
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.close(None);
    }
}

pub(crate) fn check_flags(flags: i32, known: i32) -> Result<()> {
    if flags & !known == 0 {
        Ok(())
    } else {
        Err(Error::InvalidArgument("unknown flags"))
    }
}

fn bind_network(base: &mut SocketBase, text: &str, endpoint: &Endpoint) -> Result<()> {
    match transport::listen(endpoint, &base.options) {
        Ok(Bound {
            file,
            socket,
            endpoint,
        }) => {
            base.options.use_fd = None;
            let guard = file.map(|file| Box::new(file) as Box<dyn std::fmt::Debug + Send + Sync>);
            base.bind_listener(text, endpoint, socket, guard)
        }
        Err(error) => {
            let kind = EventKind::BindFailed {
                errno: error.errno(),
            };
            base.events.emit(Event::new(kind, text, ""));
            Err(error)
        }
    }
}

/// DISH and DGRAM receive datagrams at an address of their own.
fn bind_udp(base: &mut SocketBase, text: &str, address: &UdpAddress) -> Result<()> {
    let form = match base.socket_type() {
        SocketType::DISH => DatagramForm::Receive,
        SocketType::DGRAM => DatagramForm::Addressed,
        _ => return Err(Error::IncompatibleTransport),
    };
    let udp = udp::bind(address, &base.options)?;
    base.run_datagrams(text, &udp.endpoint, udp.socket, form)
}

/// RADIO sends datagrams to one address.
fn connect_udp(base: &mut SocketBase, text: &str, address: &UdpAddress) -> Result<()> {
    if base.socket_type() != SocketType::RADIO {
        return Err(Error::IncompatibleTransport);
    }
    let udp = udp::connect(address, &base.options)?;
    base.run_datagrams(text, text, udp.socket, DatagramForm::SendTo(udp.address))
}

/// What a refusal means to the caller.
pub(crate) fn error_of(refused: Refused) -> Error {
    match refused {
        Refused::WouldBlock | Refused::Yield => Error::Again,
        Refused::Fsm => Error::Fsm,
        Refused::NotSupported => Error::NotSupported,
        Refused::HostUnreachable => Error::HostUnreachable,
        Refused::Invalid(why) => Error::InvalidArgument(why),
    }
}

/// When a call that may wait gives up. The clock is read only by a call that does wait.
#[derive(Default)]
struct Patience {
    deadline: Option<Option<Instant>>,
}

impl Patience {
    /// Whether a call that made no progress yet is to be tried again at once.
    fn goes_on(&mut self, flags: i32, timeout: Option<Duration>) -> bool {
        if flags & DONTWAIT != 0 || timeout == Some(Duration::ZERO) {
            return false;
        }
        self.deadline(timeout)
            .is_none_or(|deadline| Instant::now() < deadline)
    }

    fn deadline(&mut self, timeout: Option<Duration>) -> Option<Instant> {
        *self
            .deadline
            .get_or_insert_with(|| timeout.map(|limit| Instant::now() + limit))
    }

    /// Waits for something to happen; false if it should not, or not any more.
    fn wait(&mut self, base: &SocketBase, flags: i32, timeout: Option<Duration>) -> bool {
        if flags & DONTWAIT != 0 || timeout == Some(Duration::ZERO) {
            return false;
        }
        base.wait(self.deadline(timeout))
    }
}

#[inline(always)]
fn send_waiting(base: &mut SocketBase, msg: &mut Msg, flags: i32) -> Result<()> {
    base.process()?;
    match base.send(msg) {
        Ok(()) => {
            keep_pace(base, flags);
            Ok(())
        }
        Err(refused) => send_again(base, msg, refused, flags),
    }
}

/// After a send that may wait: does so for a receiver that is far behind.
#[inline(always)]
fn keep_pace(base: &mut SocketBase, flags: i32) {
    if base.has_sent_large() && flags & DONTWAIT == 0 {
        base.keep_pace();
    }
}

/// Goes on with a send of a copy that was refused at first.
#[cold]
fn send_copy_again(base: &mut SocketBase, body: &[u8], refused: Refused, flags: i32) -> Result<()> {
    let mut msg = Msg::copied(body);
    msg.set_more(flags & SNDMORE != 0);
    send_again(base, &mut msg, refused, flags)
}

/// Goes on with a send that was refused at first.
#[cold]
fn send_again(
    base: &mut SocketBase,
    msg: &mut Msg,
    mut refused: Refused,
    flags: i32,
) -> Result<()> {
    let mut patience = Patience::default();
    loop {
        if refused != Refused::WouldBlock {
            return Err(error_of(refused));
        }
        // What was sent before must be on its way, or waiting would be for ever.
        base.flush();
        if !patience.wait(base, flags, base.options.send_timeout) {
            return Err(Error::Again);
        }
        base.process()?;
        match base.send(msg) {
            Ok(()) => return Ok(()),
            Err(again) => refused = again,
        }
    }
}

#[inline(always)]
fn recv_waiting(base: &mut SocketBase, into: &mut Msg, flags: i32) -> Result<()> {
    base.process()?;
    match base.recv(into) {
        Ok(()) => Ok(()),
        Err(refused) => recv_again(base, into, refused, flags),
    }
}

/// Goes on with a receive that found nothing at first.
#[cold]
fn recv_again(
    base: &mut SocketBase,
    into: &mut Msg,
    mut refused: Refused,
    flags: i32,
) -> Result<()> {
    if into.len() > COPY_MAX {
        // Its memory would not be used again, and the wait may be long.
        into.copy_from(&[]);
    }
    let mut patience = Patience::default();
    loop {
        match refused {
            Refused::WouldBlock if patience.wait(base, flags, base.options.recv_timeout) => {}
            Refused::Yield if patience.goes_on(flags, base.options.recv_timeout) => {}
            refused => return Err(error_of(refused)),
        }
        base.process()?;
        match base.recv(into) {
            Ok(()) => return Ok(()),
            Err(again) => refused = again,
        }
    }
}

/// Receives the frames of one message. Only the first can be waited for: the others are there.
fn recv_message(
    base: &mut SocketBase,
    mut flags: i32,
    frames: &mut impl Extend<Msg>,
) -> Result<()> {
    let mut more = true;
    while more {
        let mut frame = Msg::new();
        recv_waiting(base, &mut frame, flags)?;
        more = frame.more();
        frames.extend([frame]);
        flags = 0;
    }
    Ok(())
}
