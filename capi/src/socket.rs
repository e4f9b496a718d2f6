//! Sockets: opening and closing, endpoints, sending and receiving.
//!
//! A call takes the socket's lock, tries, and gives the lock back. What has to wait does so without
//! the lock, so that another thread can use the socket meanwhile.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ferrozmq::{DONTWAIT, Error, Msg, POLLIN, POLLOUT, SNDMORE, SendError, Socket, SocketType};
use nix::libc;

use crate::abi::{Done, Opaque};
use crate::bell::{Bell, Listeners};
use crate::ctx::{self, Context};
use crate::errno::Errno;
use crate::frees;
use crate::handle::{Guard, Handle, kind};
use crate::monitor::Monitoring;
use crate::sockopt::Told;

/// A socket, as C sees it.
#[derive(Debug)]
pub(crate) struct Open {
    pub socket: Socket,
    pub context: Arc<Context>,
    /// Rung whenever something comes for the socket.
    pub listeners: Arc<Listeners>,
    /// What `ZMQ_FD` is the descriptor of.
    pub fd: Option<Arc<Bell>>,
    pub told: Told,
    pub monitoring: Option<Monitoring>,
    /// What is received as bytes. It keeps what it knows of the peer, which is then not to be found out
    /// again for each, and at most memory of its own.
    frame: Msg,
}

kind!(Open, 0xbadd_ecaf, Errno::NOT_A_SOCKET);

pub(crate) type SocketHandle = Handle<Open>;

impl Open {
    /// A new socket, with what libzmq does in place of the engine's defaults.
    pub(crate) fn new(context: &Arc<Context>, socket_type: SocketType) -> Result<Self, Errno> {
        let socket = context.starting_threads(|| context.ctx.socket(socket_type))?;
        if socket.get_linger()?.is_some_and(|linger| !linger.is_zero()) {
            socket.set_linger(None)?;
        }
        socket.set_reconnect_on_protocol_error(false)?;
        socket.set_ipc_takeover(true)?;
        socket.set_zap_wait_for_lost_handler(true)?;
        let listeners = Arc::<Listeners>::default();
        let told = listeners.clone();
        socket.watch(Some(Box::new(move || told.ring())));
        Ok(Self {
            socket,
            context: context.clone(),
            listeners,
            fd: None,
            told: Told::default(),
            monitoring: None,
            frame: Msg::new(),
        })
    }

    /// Before something is done that looks at all news: `ZMQ_FD` has told of them.
    #[inline]
    fn heed(&self) {
        if let Some(fd) = &self.fd {
            fd.clear();
        }
    }

    /// What can be done without waiting.
    pub(crate) fn events(&self) -> Result<i16, Errno> {
        self.heed();
        let events = self.socket.get_events()?;
        // libzmq says so, for a DISH sends what it joins and leaves.
        let always = match self.socket.socket_type() {
            SocketType::DISH => POLLOUT,
            _ => 0,
        };
        Ok(events | always)
    }

    #[inline(always)]
    fn try_send(&self, msg: &mut Msg, flags: c_int) -> Result<(), Error> {
        self.heed();
        self.socket.send_msg(msg, flags & SNDMORE | DONTWAIT)?;
        self.keep_pace(flags);
        Ok(())
    }

    /// After a send: if it may wait, lets a receiver of large messages that is far behind catch up.
    #[inline(always)]
    fn keep_pace(&self, flags: c_int) {
        if flags & DONTWAIT == 0 {
            self.socket.keep_pace();
        }
    }

    #[inline(always)]
    fn try_recv(&self, msg: &mut Msg) -> Result<(), Error> {
        self.heed();
        self.socket.recv(msg, DONTWAIT)
    }

    #[inline(always)]
    fn try_send_copy(&self, body: &[u8], flags: c_int) -> Result<(), SendError> {
        self.heed();
        self.socket.send(body, flags & SNDMORE | DONTWAIT)?;
        self.keep_pace(flags);
        Ok(())
    }

    #[inline(always)]
    fn try_recv_copy(&mut self, buffer: &mut Out<c_void>, room: usize) -> Result<c_int, Error> {
        self.heed();
        self.socket.recv(&mut self.frame, DONTWAIT)?;
        let len = copy_out(&self.frame, buffer, room);
        self.frame.give_back();
        Ok(len)
    }
}

/// The socket at a place.
#[inline]
pub(crate) fn find(place: In<c_void>) -> Result<&'static SocketHandle, Errno> {
    Handle::find(place)
}

#[inline]
fn lock(place: In<c_void>) -> Result<Guard<Open>, Errno> {
    find(place)?.lock()
}

/// A message over memory that lives for ever, or that the caller keeps.
pub(crate) fn constant(data: Opaque, len: usize) -> Msg {
    if data.0.is_null() || len == 0 {
        return Msg::new();
    }
    // SAFETY: A4.
    Msg::from_static(unsafe { std::slice::from_raw_parts(data.0.cast(), len) })
}

/// A size as calls return it.
#[inline]
fn size(len: usize) -> c_int {
    len.min(c_int::MAX as usize) as c_int
}

// ── waiting ──────────────────────────────────────────────────────────────────────────────────

/// When a call gives up; `None` if it is not to wait at all.
fn patience(flags: c_int, timeout: Option<Duration>) -> Option<Option<Instant>> {
    if flags & DONTWAIT != 0 || timeout == Some(Duration::ZERO) {
        return None;
    }
    Some(timeout.map(|timeout| Instant::now() + timeout))
}

/// Tries again whenever there is news, until it succeeds, fails, the time is over, or a signal
/// comes. While one of the events `at_once` is possible it does not wait for news.
#[cold]
fn persist(
    handle: &'static SocketHandle,
    deadline: Option<Instant>,
    at_once: i16,
    mut attempt: impl FnMut(&Open) -> Result<(), Error>,
) -> Result<(), Errno> {
    let bell = Bell::of_this_thread()?;
    let mut listening = None;
    loop {
        let open = handle.lock()?;
        listening.get_or_insert_with(|| open.listeners.listen(&bell));
        match attempt(&open) {
            Err(Error::Again) => {}
            tried => return Ok(tried?),
        }
        let is_busy = at_once != 0 && open.events().is_ok_and(|events| events & at_once != 0);
        drop(open);
        frees::settle();
        let goes_on = if is_busy {
            deadline.is_none_or(|deadline| Instant::now() < deadline)
        } else {
            bell.wait(deadline)?
        };
        if !goes_on {
            return Err(Errno::AGAIN);
        }
    }
}

/// Sends a frame. If that fails it is as it was; else it means nothing any more.
#[inline(always)]
pub(crate) fn send(
    handle: &'static SocketHandle,
    msg: &mut Msg,
    flags: c_int,
) -> Result<(), Errno> {
    let open = handle.lock()?;
    match open.try_send(msg, flags) {
        Ok(()) => Ok(()),
        Err(error) => send_again(handle, open, error, msg, flags),
    }
}

#[cold]
fn send_again(
    handle: &'static SocketHandle,
    open: Guard<Open>,
    error: Error,
    msg: &mut Msg,
    flags: c_int,
) -> Result<(), Errno> {
    let deadline = match error {
        Error::Again => patience(flags, open.socket.get_sndtimeo()?),
        // libzmq drops data that does not say for whom it is.
        Error::InvalidArgument(_) if open.socket.socket_type() == SocketType::STREAM => {
            return Ok(());
        }
        _ => None,
    };
    drop(open);
    let deadline = deadline.ok_or_else(|| Errno::from(error))?;
    persist(handle, deadline, 0, |open| open.try_send(msg, flags))
}

/// Sends a frame as soon as somebody takes it, until `gives_up`; the socket's listeners are to be
/// rung when that changes.
pub(crate) fn send_until(
    handle: &'static SocketHandle,
    msg: &mut Msg,
    flags: c_int,
    gives_up: &AtomicBool,
) -> Result<(), Errno> {
    persist(handle, None, 0, |open| match open.try_send(msg, flags) {
        Err(Error::Again) if gives_up.load(Ordering::Acquire) => Err(Error::Term),
        tried => tried,
    })
}

/// Sends a frame with a copy of `body`.
#[inline(always)]
fn send_copy(handle: &'static SocketHandle, body: &[u8], flags: c_int) -> Result<c_int, Errno> {
    let open = handle.lock()?;
    if let Err(refused) = open.try_send_copy(body, flags) {
        let SendError { error, mut message } = refused;
        send_again(handle, open, error, &mut message, flags)?;
    }
    Ok(size(body.len()))
}

/// Receives a frame into a buffer; what does not fit is lost.
#[inline(always)]
fn recv_copy(
    handle: &'static SocketHandle,
    buffer: &mut Out<c_void>,
    room: usize,
    flags: c_int,
) -> Result<c_int, Errno> {
    let mut open = handle.lock()?;
    let error = match open.try_recv_copy(buffer, room) {
        Ok(len) => return Ok(len),
        Err(error) => error,
    };
    let mut msg = std::mem::take(&mut open.frame);
    recv_again(handle, open, error, &mut msg, flags)?;
    Ok(copy_out(&msg, buffer, room))
}

/// Receives a frame in place of `msg`, which is empty if that fails.
#[inline(always)]
pub(crate) fn recv(
    handle: &'static SocketHandle,
    msg: &mut Msg,
    flags: c_int,
) -> Result<(), Errno> {
    let open = handle.lock()?;
    match open.try_recv(msg) {
        Ok(()) => Ok(()),
        Err(error) => recv_again(handle, open, error, msg, flags),
    }
}

#[cold]
fn recv_again(
    handle: &'static SocketHandle,
    open: Guard<Open>,
    error: Error,
    msg: &mut Msg,
    flags: c_int,
) -> Result<(), Errno> {
    let deadline = match error {
        Error::Again => patience(flags, open.socket.get_rcvtimeo()?),
        _ => None,
    };
    drop(open);
    let deadline = deadline.ok_or_else(|| Errno::from(error))?;
    // A receive that has skipped much stops for others, and no news will tell it to go on.
    persist(handle, deadline, POLLIN, |open| open.try_recv(msg))
}

// ── messages of C ────────────────────────────────────────────────────────────────────────────

/// Sends a message of C's, which is empty then.
pub(crate) fn send_msg(
    handle: &'static SocketHandle,
    msg: &mut Msg,
    flags: c_int,
) -> Result<c_int, Errno> {
    let len = size(msg.len());
    send(handle, msg, flags)?;
    *msg = Msg::new();
    Ok(len)
}

/// Receives into a message of C's.
pub(crate) fn recv_msg(
    handle: &'static SocketHandle,
    msg: &mut Msg,
    flags: c_int,
) -> Result<c_int, Errno> {
    recv(handle, msg, flags)?;
    Ok(size(msg.len()))
}

/// Copies what fits, and returns how long the whole is.
#[inline]
fn copy_out(body: &[u8], buffer: &mut Out<c_void>, room: usize) -> c_int {
    buffer.copy(&body[..body.len().min(room)]);
    size(body.len())
}

/// An endpoint of a transport that the socket can have; what is not UTF-8 is none. What comes after the
/// transport is the engine's to read.
fn endpoint<'a>(open: &Open, text: &'a In<c_char>) -> Result<&'a str, Errno> {
    use SocketType::{DGRAM, DISH, RADIO};
    // So that a context that has ended is told of first.
    open.socket.get_rcvmore()?;
    let text = text.text()?;
    let parts = text.split_once("://");
    let (transport, _) = parts
        .filter(|(transport, address)| !transport.is_empty() && !address.is_empty())
        .ok_or(Errno::INVALID)?;
    match transport {
        "tcp" | "ipc" | "inproc" => Ok(text),
        "udp" if matches!(open.socket.socket_type(), RADIO | DISH | DGRAM) => Ok(text),
        "udp" => Err(Error::IncompatibleTransport.into()),
        _ => Err(Errno::PROTOCOL_NOT_SUPPORTED),
    }
}

fn release(place: In<c_void>, text: In<c_char>) -> Result<Done, Errno> {
    let open = lock(place)?;
    let text = endpoint(&open, &text)?;
    open.heed();
    match open.socket.unbind(text) {
        // It is closed soon; libzmq does not wait for that either.
        Ok(()) | Err(Error::Again) => Ok(Done),
        Err(Error::NoSuchEndpoint) => Ok(open.socket.disconnect(text).map(|()| Done)?),
        Err(error) => Err(error.into()),
    }
}

/// Whether libzmq lets several threads use a socket of this type. Ours can be used so whatever
/// their types; but programs ask, and these have no `ZMQ_FD` there.
pub(crate) fn is_thread_safe(socket_type: SocketType) -> bool {
    use SocketType::{CHANNEL, CLIENT, DISH, GATHER, PEER, RADIO, SCATTER, SERVER};
    matches!(
        socket_type,
        SERVER | CLIENT | RADIO | DISH | GATHER | SCATTER | PEER | CHANNEL
    )
}

/// The socket type of a number.
fn socket_type(number: c_int) -> Result<SocketType, Errno> {
    #[allow(clippy::enum_glob_use, reason = "all of them")]
    use SocketType::*;
    let all = [
        PAIR, PUB, SUB, REQ, REP, DEALER, ROUTER, PULL, PUSH, XPUB, XSUB, STREAM, SERVER, CLIENT,
        RADIO, DISH, GATHER, SCATTER, DGRAM, PEER, CHANNEL,
    ];
    let found = all.into_iter().find(|known| known.number() == number);
    found.ok_or(Errno::INVALID)
}

/// `struct iovec`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Iovec {
    base: *mut c_void,
    len: usize,
}

fn send_parts(place: In<c_void>, parts: &[Iovec], flags: c_int) -> Result<c_int, Errno> {
    let handle = find(place)?;
    let (last, others) = parts.split_last().ok_or(Errno::INVALID)?;
    let copy = |part: &Iovec| Msg::copied(&constant(Opaque(part.base), part.len));
    for part in others {
        send(handle, &mut copy(part), flags)?;
    }
    send(handle, &mut copy(last), flags & !SNDMORE)?;
    Ok(size(last.len))
}

/// Receives the frames of a message into memory that the caller frees.
fn recv_parts(place: In<c_void>, parts: &mut [Iovec], flags: c_int) -> Result<usize, Errno> {
    let handle = find(place)?;
    let mut msg = Msg::new();
    for (n, part) in parts.iter_mut().enumerate() {
        recv(handle, &mut msg, flags)?;
        *part = allocated(&msg)?;
        if !msg.more() {
            return Ok(n + 1);
        }
    }
    Ok(parts.len())
}

fn allocated(body: &[u8]) -> Result<Iovec, Errno> {
    // SAFETY: malloc takes any size.
    let base = unsafe { libc::malloc(body.len().max(1)) };
    if base.is_null() {
        return Err(Errno::NO_MEMORY);
    }
    // SAFETY: that much has just been allocated.
    unsafe { std::ptr::copy_nonoverlapping(body.as_ptr(), base.cast(), body.len()) };
    let len = body.len();
    Ok(Iovec { base, len })
}

abi! {
    /// A new socket.
    fn zmq_socket(context: In<c_void>, number: c_int) -> Result<*mut c_void, Errno> {
        let context = ctx::context(context)?;
        let open = Open::new(&context, socket_type(number)?)?;
        Ok(Handle::open(open).as_ptr())
    }

    /// Closes a socket. Does not wait.
    fn zmq_close(place: In<c_void>) -> Result<Done, Errno> {
        let open = find(place)?.close()?;
        // Threads that wait for it find it closed.
        open.listeners.ring();
        if open.context.is_inherited() {
            // The threads that it would be handed to are in another process.
            std::mem::forget(open);
        }
        Ok(Done)
    }

    /// Takes connections at an endpoint.
    fn zmq_bind(place: In<c_void>, text: In<c_char>) -> Result<Done, Errno> {
        let open = lock(place)?;
        open.socket.bind(endpoint(&open, &text)?)?;
        Ok(Done)
    }

    /// Connects to an endpoint, for as long as the socket lives.
    fn zmq_connect(place: In<c_void>, text: In<c_char>) -> Result<Done, Errno> {
        let open = lock(place)?;
        open.socket.connect(endpoint(&open, &text)?)?;
        Ok(Done)
    }

    /// Takes a bind, or connect, back.
    fn zmq_unbind(place: In<c_void>, text: In<c_char>) -> Result<Done, Errno> {
        release(place, text)
    }

    /// Takes a connect, or bind, back.
    fn zmq_disconnect(place: In<c_void>, text: In<c_char>) -> Result<Done, Errno> {
        release(place, text)
    }

    /// Sends a copy of bytes as a frame. Returns how many.
    fn zmq_send(
        place: In<c_void>,
        buffer: In<c_void>,
        len: usize,
        flags: c_int,
    ) -> Result<c_int, Errno> {
        let handle = find(place)?;
        send_copy(handle, buffer.bytes(len).ok_or(Errno::FAULT)?, flags)
    }

    /// Sends bytes that stay where they are for as long as the program runs.
    fn zmq_send_const(
        place: In<c_void>,
        buffer: Opaque,
        len: usize,
        flags: c_int,
    ) -> Result<c_int, Errno> {
        send_msg(find(place)?, &mut constant(buffer, len), flags)
    }

    /// Receives a frame. Returns how long it is; what does not fit is lost.
    fn zmq_recv(
        place: In<c_void>,
        buffer: Out<c_void>,
        len: usize,
        flags: c_int,
    ) -> Result<c_int, Errno> {
        recv_copy(find(place)?, &mut buffer, len, flags)
    }

    /// Sends the parts as the frames of a message, if `flags` has `ZMQ_SNDMORE`.
    fn zmq_sendiov(
        place: In<c_void>,
        parts: In<Iovec>,
        count: usize,
        flags: c_int,
    ) -> Result<c_int, Errno> {
        find(place)?;
        send_parts(place, parts.slice(count).ok_or(Errno::INVALID)?, flags)
    }

    /// Receives up to so many frames of a message, into memory to be freed with `free`.
    fn zmq_recviov(
        place: In<c_void>,
        parts: Out<Iovec>,
        count: Out<usize>,
        flags: c_int,
    ) -> Result<c_int, Errno> {
        find(place)?;
        let count = count.get().filter(|count| **count > 0).ok_or(Errno::INVALID)?;
        let parts = parts.slice(*count).ok_or(Errno::INVALID)?;
        *count = recv_parts(place, parts, flags)?;
        Ok(size(*count))
    }

    /// Moves messages between two sockets; the first argument means nothing.
    fn zmq_device(_kind: c_int, frontend: In<c_void>, backend: In<c_void>) -> Result<Done, Errno> {
        crate::proxy::run(frontend, backend, None, None).map(|()| Done)
    }
}
