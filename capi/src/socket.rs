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

    #[inline]
    fn try_send(&self, msg: Msg, flags: c_int) -> Result<(), SendError> {
        self.heed();
        self.socket.send(msg, flags & SNDMORE | DONTWAIT)
    }

    #[inline]
    pub(crate) fn try_recv(&self) -> Result<Msg, Error> {
        self.heed();
        self.socket.recv_msg(DONTWAIT)
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
/// comes. While one of the events `at_once` is possible it does not wait for news. `attempt` says
/// what it was left with if it should be made again.
fn persist<T, L>(
    handle: &'static SocketHandle,
    deadline: Option<Instant>,
    at_once: i16,
    mut left: L,
    mut attempt: impl FnMut(&Open, L) -> Result<Result<T, L>, (Errno, L)>,
) -> Result<T, (Errno, L)> {
    let bell = match Bell::of_this_thread() {
        Ok(bell) => bell,
        Err(errno) => return Err((errno, left)),
    };
    let mut listening = None;
    loop {
        let open = match handle.lock() {
            Ok(open) => open,
            Err(errno) => return Err((errno, left)),
        };
        listening.get_or_insert_with(|| open.listeners.listen(&bell));
        match attempt(&open, left)? {
            Ok(done) => return Ok(done),
            Err(back) => left = back,
        }
        let is_busy = at_once != 0 && open.events().is_ok_and(|events| events & at_once != 0);
        drop(open);
        frees::settle();
        let goes_on = if is_busy {
            deadline.is_none_or(|deadline| Instant::now() < deadline)
        } else {
            match bell.wait(deadline) {
                Ok(rung) => rung,
                Err(errno) => return Err((errno, left)),
            }
        };
        if !goes_on {
            return Err((Errno::AGAIN, left));
        }
    }
}

/// Sends a frame, and gives it back if that fails.
#[inline]
pub(crate) fn send(
    handle: &'static SocketHandle,
    msg: Msg,
    flags: c_int,
) -> Result<(), (Errno, Msg)> {
    let open = match handle.lock() {
        Ok(open) => open,
        Err(errno) => return Err((errno, msg)),
    };
    match open.try_send(msg, flags) {
        Ok(()) => Ok(()),
        Err(failed) => {
            let timeout = open.socket.get_sndtimeo();
            drop(open);
            send_again(handle, failed, flags, timeout)
        }
    }
}

/// Sends a frame as soon as somebody takes it, until `gives_up`; the socket's listeners are to be
/// rung when that changes.
pub(crate) fn send_until(
    handle: &'static SocketHandle,
    msg: Msg,
    flags: c_int,
    gives_up: &AtomicBool,
) -> Result<(), Errno> {
    let attempt = |open: &Open, msg| match open.try_send(msg, flags) {
        Err(SendError {
            error: Error::Again,
            message,
        }) if !gives_up.load(Ordering::Acquire) => Ok(Err(message)),
        Err(SendError { error, message }) => Err((error.into(), message)),
        Ok(()) => Ok(Ok(())),
    };
    persist(handle, None, 0, msg, attempt).map_err(|(errno, _)| errno)
}

#[cold]
fn send_again(
    handle: &'static SocketHandle,
    failed: SendError,
    flags: c_int,
    timeout: Result<Option<Duration>, Error>,
) -> Result<(), (Errno, Msg)> {
    let SendError { error, message } = failed;
    let deadline = match (&error, timeout) {
        (Error::Again, Ok(timeout)) => patience(flags, timeout),
        _ => None,
    };
    let Some(deadline) = deadline else {
        return Err((error.into(), message));
    };
    let attempt = |open: &Open, msg| match open.try_send(msg, flags) {
        Ok(()) => Ok(Ok(())),
        Err(SendError { error, message }) => match error {
            Error::Again => Ok(Err(message)),
            error => Err((error.into(), message)),
        },
    };
    persist(handle, deadline, 0, message, attempt)
}

/// Receives a frame.
#[inline]
pub(crate) fn recv(handle: &'static SocketHandle, flags: c_int) -> Result<Msg, Errno> {
    let open = handle.lock()?;
    match open.try_recv() {
        Ok(msg) => Ok(msg),
        Err(error) => {
            let timeout = open.socket.get_rcvtimeo();
            drop(open);
            recv_again(handle, error, flags, timeout)
        }
    }
}

#[cold]
fn recv_again(
    handle: &'static SocketHandle,
    error: Error,
    flags: c_int,
    timeout: Result<Option<Duration>, Error>,
) -> Result<Msg, Errno> {
    let deadline = match (&error, timeout) {
        (Error::Again, Ok(timeout)) => patience(flags, timeout),
        _ => None,
    };
    let deadline = deadline.ok_or_else(|| Errno::from(error))?;
    let attempt = |open: &Open, ()| match open.try_recv() {
        Ok(msg) => Ok(Ok(msg)),
        Err(Error::Again) => Ok(Err(())),
        Err(error) => Err((error.into(), ())),
    };
    // A receive that has skipped much stops for others, and no news will tell it to go on.
    persist(handle, deadline, POLLIN, (), attempt).map_err(|(errno, ())| errno)
}

// ── messages of C ────────────────────────────────────────────────────────────────────────────

/// Sends a message of C's, which is empty then.
pub(crate) fn send_msg(
    handle: &'static SocketHandle,
    msg: &mut Msg,
    flags: c_int,
) -> Result<c_int, Errno> {
    let len = size(msg.len());
    send(handle, std::mem::take(msg), flags).map_err(|(errno, back)| {
        *msg = back;
        errno
    })?;
    Ok(len)
}

/// Receives into a message of C's.
pub(crate) fn recv_msg(
    handle: &'static SocketHandle,
    msg: &mut Msg,
    flags: c_int,
) -> Result<c_int, Errno> {
    *msg = recv(handle, flags)?;
    Ok(size(msg.len()))
}

fn send_bytes(place: In<c_void>, msg: Msg, flags: c_int) -> Result<c_int, Errno> {
    let len = size(msg.len());
    send(find(place)?, msg, flags).map_err(|(errno, _)| errno)?;
    Ok(len)
}

/// Copies what fits, and returns how long the whole is.
#[inline]
fn copy_out(body: &[u8], buffer: &mut Out<c_void>, room: usize) -> c_int {
    buffer.copy(&body[..body.len().min(room)]);
    size(body.len())
}

/// An endpoint; what is not UTF-8 is none.
fn endpoint(text: &In<c_char>) -> Result<&str, Errno> {
    text.text()
}

fn release(place: In<c_void>, text: In<c_char>) -> Result<Done, Errno> {
    let open = lock(place)?;
    let text = endpoint(&text)?;
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
        send(handle, copy(part), flags).map_err(|(errno, _)| errno)?;
    }
    send(handle, copy(last), flags & !SNDMORE).map_err(|(errno, _)| errno)?;
    Ok(size(last.len))
}

/// Receives the frames of a message into memory that the caller frees.
fn recv_parts(place: In<c_void>, parts: &mut [Iovec], flags: c_int) -> Result<usize, Errno> {
    let handle = find(place)?;
    for (n, part) in parts.iter_mut().enumerate() {
        let msg = recv(handle, flags)?;
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
        open.socket.bind(endpoint(&text)?)?;
        Ok(Done)
    }

    /// Connects to an endpoint, for as long as the socket lives.
    fn zmq_connect(place: In<c_void>, text: In<c_char>) -> Result<Done, Errno> {
        let open = lock(place)?;
        let text = endpoint(&text)?;
        if text.starts_with("tcp://") && open.told.unusable_proxy.is_some() {
            return Err(Errno::INVALID);
        }
        open.socket.connect(text)?;
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
        let msg = Msg::copied(buffer.bytes(len).ok_or(Errno::FAULT)?);
        // As `send`, but a message that is sent is not handed back and forth.
        let open = handle.lock()?;
        if let Err(failed) = open.try_send(msg, flags) {
            let timeout = open.socket.get_sndtimeo();
            drop(open);
            send_again(handle, failed, flags, timeout).map_err(|(errno, _)| errno)?;
        }
        Ok(size(len))
    }

    /// Sends bytes that stay where they are for as long as the program runs.
    fn zmq_send_const(
        place: In<c_void>,
        buffer: Opaque,
        len: usize,
        flags: c_int,
    ) -> Result<c_int, Errno> {
        send_bytes(place, constant(buffer, len), flags)
    }

    /// Receives a frame. Returns how long it is; what does not fit is lost.
    fn zmq_recv(
        place: In<c_void>,
        buffer: Out<c_void>,
        len: usize,
        flags: c_int,
    ) -> Result<c_int, Errno> {
        let handle = find(place)?;
        // As `recv`, but what is there is not handed on before it is copied.
        let open = handle.lock()?;
        match open.try_recv() {
            Ok(msg) => Ok(copy_out(&msg, &mut buffer, len)),
            Err(error) => {
                let timeout = open.socket.get_rcvtimeo();
                drop(open);
                let msg = recv_again(handle, error, flags, timeout)?;
                Ok(copy_out(&msg, &mut buffer, len))
            }
        }
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
