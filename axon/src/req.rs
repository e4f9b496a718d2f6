//! Req: requests, any number of them at once, and the replies to them.
//!
//! The replies never wait for anybody: the pattern hands each to who waits for it as soon as it is
//! there. It knows which peer a request has gone to, by the key of the pipe, so that it fails when
//! that pipe ends.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use ferrozmq::protocol::{
    AttendedSocket, Fq, Key, Lb, Next, Origin, Pattern, Pipes, Refused, is_peer_gone, wait_for,
};
use ferrozmq::{Ctx, Msg, SocketType};
use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::options::{Options, Overflow};
use crate::push::send;
use crate::queue::Queue;
use crate::sending::encoded_by;
use crate::socket::{endpoints, open};
use crate::value::{Message, ToArgs};

/// How many replies are handed out before others can use the socket.
const REPLIES_PER_TURN: u32 = 256;

/// Sends requests to rep sockets, to one peer after another, and gets their replies, in whatever
/// order they come. Any number of requests can be under way.
///
/// While no peer is there, requests wait in the socket ([`Options::hwm`]). A request whose peer goes
/// before it has replied fails with [`Error::PeerGone`]: it may have been carried out or not, so
/// nobody but the application can say whether to send it again. Time limits are those of the calls
/// that wait.
///
/// It can be used by several threads at once.
///
/// ```
/// use std::time::Duration;
/// use ferrozmq::Ctx;
/// use ferrozmq_axon::{Rep, Req};
///
/// # fn main() -> ferrozmq_axon::Result<()> {
/// let ctx = Ctx::new();
/// let rep = Rep::new(&ctx)?;
/// rep.bind("tcp://127.0.0.1:0")?;
/// let req = Req::new(&ctx)?;
/// req.connect(rep.address().expect("it is bound"))?;
///
/// let (first, second) = (req.send(("double", 20))?, req.send(("double", 21))?);
/// for _ in 0..2 {
///     let request = rep.recv()?;
///     let n: u32 = request.message().get(1)?.json()?;
///     request.reply(2 * n)?;
/// }
/// assert_eq!(second.wait_timeout(Duration::from_secs(5))?.get(0)?.json::<u32>()?, 42);
/// assert_eq!(first.wait()?.get(0)?.json::<u32>()?, 40);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Req {
    socket: AttendedSocket,
    requests: Arc<Requests>,
    next: AtomicU64,
    overflow: Overflow,
}

endpoints!(Req);

impl Req {
    /// A req socket with the default options.
    ///
    /// # Errors
    /// [`Error::Closed`] if the context is ended, [`Error::Engine`] if it has no more sockets or no
    /// I/O thread.
    pub fn new(ctx: &Ctx) -> Result<Self> {
        Self::with_options(ctx, &Options::new())
    }

    /// A req socket.
    ///
    /// # Errors
    /// As for [`Req::new`]; [`Error::Engine`] for an option out of range.
    pub fn with_options(ctx: &Ctx, options: &Options) -> Result<Self> {
        let identity = options.identity.clone();
        let identity = identity.unwrap_or_else(|| std::process::id().to_string());
        let requests = Arc::new(Requests {
            prefix: format!("{identity}:"),
            spin: ctx.spin(),
            under_way: Mutex::default(),
        });
        // A DEALER sends to its peers in turn and listens to them, which a PUSH does not.
        let socket = open(ctx, SocketType::DEALER, options, |notifier| {
            Box::new(Requesting {
                lb: Lb::default(),
                fq: Fq::default(),
                queue: Queue::new(options, notifier),
                requests: requests.clone(),
            })
        })?;
        Ok(Self {
            socket: AttendedSocket::new(socket)?,
            requests,
            next: AtomicU64::new(0),
            overflow: options.overflow,
        })
    }

    /// Sends a request of up to 14 arguments, `()` being none. Waits only with [`Overflow::Wait`],
    /// for room and never for the reply. Whoever drops the [`Reply`] sends it all the same, and
    /// does not hear the answer.
    ///
    /// # Errors
    /// [`Error::Encode`] if these can be no arguments; [`Error::Full`] with [`Overflow::Error`],
    /// [`Error::Timeout`] with [`Overflow::Wait`]; [`Error::Closed`] if the context is ended.
    pub fn send(&self, args: impl ToArgs) -> Result<Reply> {
        // Relaxed: a number is a number.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let reply = self.requests.begin(number);
        let id = format!("{}{number}", self.requests.prefix);
        encoded_by(
            |encoder| encoder.args(&args)?.str(&id).map(drop),
            |msg| send(&self.socket, msg, self.overflow),
        )?;
        Ok(reply)
    }

    /// Sends a request and waits for its reply for at most `timeout`: [`Req::send`], then
    /// [`Reply::wait_timeout`].
    ///
    /// # Errors
    /// As for those.
    pub fn request(&self, args: impl ToArgs, timeout: Duration) -> Result<Message> {
        self.send(args)?.wait_timeout(timeout)
    }
}

impl Drop for Req {
    fn drop(&mut self) {
        let wakers = self.requests.fail_all(|| Error::Closed);
        wakers.into_iter().for_each(Waker::wake);
    }
}

// ── replies ──────────────────────────────────────────────────────────────────────────────────

/// The reply to a request, to be waited for or awaited. Dropping it takes no interest in it any
/// more.
#[derive(Debug)]
#[must_use = "a reply that is dropped is not heard of"]
pub struct Reply {
    number: u64,
    slot: Arc<Slot>,
    requests: Arc<Requests>,
}

/// Where a reply is put, and who is woken then.
#[derive(Debug, Default)]
struct Slot(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    outcome: Option<Result<Message>>,
    waker: Option<Waker>,
}

impl Slot {
    /// Returns who is to be woken for it.
    #[must_use]
    fn fill(&self, outcome: Result<Message>) -> Option<Waker> {
        let mut state = self.0.lock();
        state.outcome = Some(outcome);
        state.waker.take()
    }

    fn take(&self) -> Option<Result<Message>> {
        self.0.lock().outcome.take()
    }

    fn poll(&self, waker: &Waker) -> Poll<Result<Message>> {
        let mut state = self.0.lock();
        if let Some(outcome) = state.outcome.take() {
            return Poll::Ready(outcome);
        }
        let old = state.waker.replace(waker.clone());
        drop(state);
        // Outside the lock: it may own the task, and whatever that owns.
        drop(old);
        Poll::Pending
    }
}

impl Reply {
    /// Waits for the reply, for however long.
    ///
    /// # Errors
    /// [`Error::PeerGone`], [`Error::Dropped`], [`Error::Closed`].
    pub fn wait(self) -> Result<Message> {
        self.wait_until(None)
    }

    /// Waits for the reply for at most `timeout`. One that comes later is not heard of.
    ///
    /// # Errors
    /// [`Error::Timeout`], and as for [`Reply::wait`].
    pub fn wait_timeout(self, timeout: Duration) -> Result<Message> {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    /// Waits for the reply until the deadline; `None` is never.
    ///
    /// # Errors
    /// [`Error::Timeout`], and as for [`Reply::wait`].
    pub fn wait_until(self, deadline: Option<Instant>) -> Result<Message> {
        let spin = self.requests.spin;
        let outcome = wait_for(spin, deadline, |waker| self.slot.poll(waker));
        // It may have come in the very moment.
        let outcome = outcome.or_else(|| self.slot.take());
        outcome.unwrap_or(Err(Error::Timeout))
    }

    /// The reply, if it is there. Asked again after it was, it is never there.
    pub fn try_take(&mut self) -> Option<Result<Message>> {
        self.slot.take()
    }
}

impl Future for Reply {
    type Output = Result<Message>;

    /// Not to be polled again once it is ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.slot.poll(cx.waker())
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.requests.under_way.lock().remove(self.number);
    }
}

/// The requests whose reply somebody waits for.
#[derive(Debug)]
struct Requests {
    /// What stands before the number in an id.
    prefix: String,
    /// How often a thread that waits looks before it sleeps.
    spin: u32,
    under_way: Mutex<UnderWay>,
}

/// Those requests by number, and the numbers by whom they were sent to.
#[derive(Debug, Default)]
struct UnderWay {
    requests: HashMap<u64, Request>,
    sent: HashMap<Key, HashSet<u64>>,
}

#[derive(Debug)]
struct Request {
    slot: Arc<Slot>,
    /// Whom it was sent to; `None` while it waits.
    peer: Option<Key>,
}

impl UnderWay {
    fn sent(&mut self, number: u64, to: Key) {
        if let Some(request) = self.requests.get_mut(&number) {
            request.peer = Some(to);
            self.sent.entry(to).or_default().insert(number);
        }
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Slot>> {
        let request = self.requests.remove(&number)?;
        if let Some(sent) = request.peer.and_then(|peer| self.sent.get_mut(&peer)) {
            sent.remove(&number);
        }
        Some(request.slot)
    }

    /// Removes it if it was sent there.
    fn remove_of(&mut self, number: u64, peer: Key) -> Option<Arc<Slot>> {
        self.sent.get(&peer)?.get(&number)?;
        self.remove(number)
    }

    /// Removes all that were sent there.
    fn remove_all_of(&mut self, peer: Key) -> Vec<Arc<Slot>> {
        let numbers = self.sent.remove(&peer).unwrap_or_default();
        let removed = numbers.iter().filter_map(|number| self.remove(*number));
        removed.collect()
    }
}

impl Requests {
    fn begin(self: &Arc<Self>, number: u64) -> Reply {
        let slot = Arc::<Slot>::default();
        let request = Request {
            slot: slot.clone(),
            peer: None,
        };
        self.under_way.lock().requests.insert(number, request);
        Reply {
            number,
            slot,
            requests: self.clone(),
        }
    }

    /// The number of a request of ours, which ends with its id.
    fn number_of(message: &[u8]) -> Option<u64> {
        let digits = message
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_digit());
        parse(&message[message.len() - digits.count()..])
    }

    /// The number in an id, if it is one of ours.
    fn number_in(&self, id: &[u8]) -> Option<u64> {
        let id = id.strip_prefix(b"s:")?;
        parse(id.strip_prefix(self.prefix.as_bytes())?)
    }

    /// Hands a reply to who waits for it, if it is from whom the request went to; returns who is to
    /// be woken.
    fn reply(&self, mut message: Message, from: Key) -> Option<Waker> {
        let id = message.pop()?;
        let number = self.number_in(&id)?;
        let slot = self.under_way.lock().remove_of(number, from)?;
        slot.fill(Ok(message))
    }

    /// The queue has dropped this request.
    fn drop_queued(&self, request: Message) -> Option<Waker> {
        let number = Self::number_of(&request.into_wire())?;
        let slot = self.under_way.lock().remove(number)?;
        slot.fill(Err(Error::Dropped))
    }

    /// Those that have gone to this peer have no reply to hope for.
    fn fail_sent(&self, to: Key) -> Vec<Waker> {
        let failed = self.under_way.lock().remove_all_of(to);
        let wakers = failed
            .iter()
            .filter_map(|slot| slot.fill(Err(Error::PeerGone)));
        wakers.collect()
    }

    fn fail_all(&self, why: impl Fn() -> Error) -> Vec<Waker> {
        let failed = std::mem::take(&mut *self.under_way.lock()).requests;
        let wakers = failed
            .values()
            .filter_map(|request| request.slot.fill(Err(why())));
        wakers.collect()
    }
}

fn parse(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The pattern of req.
#[derive(Debug)]
struct Requesting {
    lb: Lb,
    fq: Fq,
    queue: Queue,
    requests: Arc<Requests>,
}

impl Requesting {
    /// Sends what waits, as far as there is room; returns what was sent, if somebody wants to know.
    fn send_queued(&mut self, pipes: &mut Pipes) -> Vec<Message> {
        let Self {
            lb,
            queue,
            requests,
            ..
        } = self;
        pipes.hold();
        let flushed = queue.flush(pipes, |pipes, msg| send_by(lb, requests, pipes, msg));
        pipes.flush();
        flushed
    }

    /// Hands out the replies that are there. Peers that send without end do not keep others from
    /// using the socket.
    fn take_replies(&mut self, pipes: &mut Pipes) {
        for _ in 0..REPLIES_PER_TURN {
            let mut msg = Msg::new();
            match self.fq.recv(pipes, &mut msg) {
                Next::Frame(key) => {
                    let waker = self.requests.reply(Message::from_wire(msg), key);
                    waker.into_iter().for_each(|waker| pipes.wake_later(waker));
                }
                Next::Ended(key) => self.detach(pipes, key),
                Next::Idle => return,
            }
        }
        pipes.come_again();
    }
}

/// Sends a request to the next peer, and notes to whom it went.
fn send_by(lb: &mut Lb, requests: &Requests, pipes: &mut Pipes, msg: &mut Msg) -> bool {
    let number = Requests::number_of(msg);
    match lb.send(pipes, msg) {
        Ok(to) => {
            if let (Some(number), Some(to)) = (number, to) {
                requests.under_way.lock().sent(number, to);
            }
            true
        }
        Err(_) => false,
    }
}

impl Pattern for Requesting {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, _origin: Origin) {
        self.fq.attach(key);
        // What is there is read, so that news come of what comes.
        self.take_replies(pipes);
        if is_peer_gone(pipes, key) {
            self.on_closed(pipes, key);
            return;
        }
        self.lb.attach(key);
        let flushed = self.send_queued(pipes);
        self.queue.tell_flushed(flushed);
    }

    /// The requests that have gone there have no reply to hope for.
    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.lb.detach(key);
        self.fq.detach(pipes, key);
        pipes.remove(key);
        let wakers = self.requests.fail_sent(key);
        wakers.into_iter().for_each(|waker| pipes.wake_later(waker));
    }

    fn on_readable(&mut self, pipes: &mut Pipes, key: Key) {
        self.fq.activate(key);
        self.take_replies(pipes);
    }

    fn on_writable(&mut self, pipes: &mut Pipes, key: Key) {
        self.lb.activate(key);
        self.send_queued(pipes);
    }

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.lb.detach(key);
        self.fq.activate(key);
        self.take_replies(pipes);
    }

    fn on_hiccup(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> std::result::Result<(), Refused> {
        if self.queue.is_empty() && send_by(&mut self.lb, &self.requests, pipes, msg) {
            return Ok(());
        }
        if let Some(dropped) = self.queue.push(msg)? {
            let waker = self.requests.drop_queued(dropped);
            waker.into_iter().for_each(|waker| pipes.wake_later(waker));
        }
        Ok(())
    }

    /// Replies go to who waits for each.
    fn recv(&mut self, _: &mut Pipes, _: &mut Msg) -> std::result::Result<(), Refused> {
        Err(Refused::NotSupported)
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.queue.has_room() || self.lb.can_send(pipes)
    }

    fn can_recv(&mut self, _pipes: &mut Pipes) -> bool {
        false
    }

    fn has_backlog(&self) -> bool {
        !self.queue.is_empty()
    }

    fn go_on(&mut self, pipes: &mut Pipes) {
        self.take_replies(pipes);
    }

    fn on_stop(&mut self, pipes: &mut Pipes) {
        let wakers = self.requests.fail_all(|| Error::Closed);
        wakers.into_iter().for_each(|waker| pipes.wake_later(waker));
    }
}
