//! [`SessionBase`]: what stands between a pipe and a connection, for as long as the endpoint or
//! the accepted connection lives.
//!
//! A session owns its end of the pipe and its [`Link`]: the connection in whatever state it is.
//! It moves messages between the two, and has the policy of connecting: when to dial, when to try
//! again, when to give up, how long to linger. It never knows what kind of socket it serves
//! beyond its options.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Interest, Registry};

use crate::command::{Answer, ChildId, IoCmd, LinkSpec, Parent, SessionSpec, SocketCmd, Turn};
use crate::endpoint::{Endpoint, TcpAddress};
use crate::engine::{Engine, Event, Frames};
use crate::error::{ProtocolError, ZapError};
use crate::io::connecter::Backoff;
use crate::io::connection::{Connection, Input};
use crate::io::poller::{self, Readiness};
use crate::io::resolver::{self, Resolver};
use crate::io::transport::{self, Stream, Target};
use crate::io::zap::Inquiry;
use crate::mailbox::Mailbox;
use crate::monitor::{self, EndpointPair, EventKind, Reason};
use crate::msg::{COPY_MAX, Metadata, Msg};
use crate::options::{self, Options};
use crate::pipe::{self, PipeEnd, PipeEvent, WhenEmpty};
use crate::raw::RawEngine;
use crate::record;
use crate::socks::{Login, Socks};
use crate::ypipe::Pop;
use crate::zap::{AuthRequest, Verdict};
use crate::zmtp::{EngineSpec, StreamEngine};

/// How often a session reads or writes before others get their turn.
const READS_PER_TURN: u32 = 8;
const WRITES_PER_TURN: u32 = 8;

/// How long a finished connection, all of whose messages the peer has or has room for, waits for
/// the peer to close too. A close with unread input would reset the connection, and what is on the
/// way would be lost.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long to rest when the socket has not noticed how many connections have come and gone.
const REST: Duration = Duration::from_millis(100);

/// What residents of an I/O thread share while they run.
#[derive(Debug)]
pub(crate) struct IoContext {
    pub thread: usize,
    pub registry: Registry,
    pub mailbox: Arc<Mailbox<IoCmd>>,
    pub resolver: Resolver,
    pub input: Input,
    pub now: Instant,
}

/// A connection in whatever state it is.
#[derive(Debug)]
enum Link {
    /// The next attempt comes at this time.
    Waiting(Instant),
    /// The host's name is being looked up.
    Resolving,
    Connecting {
        stream: Stream,
        remote: String,
        deadline: Option<Instant>,
    },
    Up(Box<Connection>),
    /// All is said; the peer is to close as well.
    Farewell {
        stream: Stream,
        deadline: Instant,
    },
    Gone,
}

/// Where connections come from.
#[derive(Debug)]
enum Role {
    Dialer(Box<Dialer>),
    Acceptor,
}

#[derive(Debug)]
struct Dialer {
    endpoint: Endpoint,
    backoff: Backoff,
    /// Those of the host that are still to be tried.
    addresses: VecDeque<SocketAddr>,
}

/// A session.
#[derive(Debug)]
pub(crate) struct SessionBase {
    parent: Parent,
    me: ChildId,
    role: Role,
    link: Link,
    pipe: Option<PipeEnd>,
    /// The session has made the pipe, and given the socket the other end.
    bound: bool,
    /// A ZAP handler that was asked about the peer.
    inquiry: Option<Box<Inquiry>>,
    /// The socket has a use for messages.
    listens: bool,
    /// Who the reader of the pipe was told that the peer is.
    introduced: Option<Arc<Metadata>>,
    /// It is another now, and that is to be told before its first message.
    successor: Option<Arc<Metadata>>,
    /// The last frame taken from the pipe has others behind it.
    mid_message: bool,
    /// The socket wants the session to end; at this time at the latest, or when all is sent.
    closing: Option<Option<Instant>>,
}

impl SessionBase {
    /// Takes up its work; the first turn comes by [`SessionBase::start`].
    pub(crate) fn new(spec: SessionSpec, me: ChildId, cx: &IoContext) -> (Self, Start) {
        let SessionSpec {
            parent,
            link,
            mut pipe,
        } = spec;
        if let Some(pipe) = &mut pipe {
            pipe.attach(cx.mailbox.clone(), me.key);
        }
        parent.enter(me, matches!(link, LinkSpec::Connect(_)));
        let (role, start) = match link {
            LinkSpec::Connect(endpoint) => {
                let backoff = Backoff::new(&parent.options.reconnect);
                let dialer = Dialer {
                    endpoint,
                    backoff,
                    addresses: VecDeque::new(),
                };
                (Role::Dialer(Box::new(dialer)), Start::Dial)
            }
            LinkSpec::Accepted {
                socket,
                local,
                peer,
            } => (
                Role::Acceptor,
                Start::Accepted {
                    socket,
                    local,
                    peer,
                },
            ),
        };
        let listens = parent.options.socket_type.listens();
        let session = Self {
            parent,
            me,
            role,
            link: Link::Gone,
            pipe,
            bound: false,
            inquiry: None,
            listens,
            introduced: None,
            successor: None,
            mid_message: false,
            closing: None,
        };
        (session, start)
    }

    /// The first turn.
    pub(crate) fn start(&mut self, start: Start, cx: &mut IoContext) -> Turn {
        if self.parent.mailbox.is_closed() {
            return Turn::Gone;
        }
        self.end_with_pipe(cx.now);
        match start {
            Start::Dial => self.dial(cx),
            Start::Accepted {
                socket,
                local,
                peer,
            } => match Stream::new(socket) {
                Ok(stream) => {
                    self.emit(EventKind::Accepted { fd: stream.fd() }, &local, &peer, None);
                    self.on_stream(stream, local, peer, true, cx);
                }
                Err(error) => log::warn!(target: "ferrozmq", "{peer}: not taken over: {error}"),
            },
        }
        self.turn(cx)
    }

    // ── what happens ─────────────────────────────────────────────────────────────────────────

    pub(crate) fn on_readiness(&mut self, readiness: Readiness, cx: &mut IoContext) -> Turn {
        match &mut self.link {
            Link::Up(connection) => connection.on_readiness(readiness),
            Link::Connecting { .. } => self.on_connected(readiness, cx),
            Link::Waiting(_) | Link::Resolving | Link::Farewell { .. } | Link::Gone => {}
        }
        self.turn(cx)
    }

    pub(crate) fn on_pipe(&mut self, event: PipeEvent, cx: &mut IoContext) -> Turn {
        if let Some(pipe) = &mut self.pipe {
            pipe.on_event(event);
        }
        self.end_with_pipe(cx.now);
        self.turn(cx)
    }

    /// Closes if the socket has dropped its end of the pipe, be it before we had ours. Without a
    /// pipe there is nothing to end: an immediate session has one for each connection, and hears
    /// late of the last one's end.
    fn end_with_pipe(&mut self, now: Instant) {
        let is_over = self.pipe.as_ref().is_some_and(PipeEnd::is_peer_gone);
        if is_over && self.closing.is_none() {
            self.close(self.parent.options.linger.get(), now);
        }
    }

    pub(crate) fn on_resolved(
        &mut self,
        found: io::Result<Vec<SocketAddr>>,
        cx: &mut IoContext,
    ) -> Turn {
        if matches!(self.link, Link::Resolving) {
            self.on_addresses(found, cx);
        }
        self.turn(cx)
    }

    /// The socket wants the session gone, at the latest when `linger` is over.
    pub(crate) fn on_close(&mut self, linger: Option<Duration>, cx: &mut IoContext) -> Turn {
        self.close(linger, cx.now);
        self.turn(cx)
    }

    fn close(&mut self, linger: Option<Duration>, now: Instant) {
        self.closing = Some(linger.map(|linger| now + linger));
    }

    pub(crate) fn on_deadline(&mut self, cx: &mut IoContext) -> Turn {
        match &mut self.link {
            Link::Waiting(until) if *until <= cx.now => self.dial(cx),
            Link::Connecting {
                deadline: Some(deadline),
                stream,
                remote,
            } if *deadline <= cx.now => {
                let (fd, remote) = (stream.fd(), remote.clone());
                self.emit(EventKind::Closed { fd }, "", &remote, None);
                self.on_attempt_failed(Reason::ConnectTimeout, cx);
            }
            Link::Up(connection) => {
                if let Err(failure) = connection.on_deadline(cx.now) {
                    self.on_lost(failure.into(), cx);
                }
            }
            Link::Farewell { deadline, .. } if *deadline <= cx.now => self.link = Link::Gone,
            Link::Waiting(_)
            | Link::Resolving
            | Link::Connecting { .. }
            | Link::Farewell { .. }
            | Link::Gone => {}
        }
        self.turn(cx)
    }

    /// When [`SessionBase::on_deadline`] is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let own = match &self.link {
            Link::Waiting(until) => Some(*until),
            Link::Connecting { deadline, .. } => *deadline,
            Link::Up(connection) => connection.deadline(),
            Link::Farewell { deadline, .. } => return Some(*deadline),
            Link::Resolving | Link::Gone => None,
        };
        let closing = self.closing.flatten();
        own.into_iter().chain(closing).min()
    }

    /// Moves what can be moved, and sees whether the session is over.
    pub(crate) fn turn(&mut self, cx: &mut IoContext) -> Turn {
        let mut turn = Turn::Idle;
        match self.pump_in(cx).map(|input| (input, self.pump_out())) {
            Ok((input, output)) if input == Turn::Again || output == Turn::Again => {
                turn = Turn::Again;
            }
            Ok((_, Turn::Idle)) => turn = self.gathers().map_or(Turn::Idle, Turn::Gather),
            Ok((_, output)) => turn = output,
            Err(reason) => self.on_lost(reason, cx),
        }
        self.finish(cx);
        if let Link::Up(connection) = &mut self.link {
            let token = poller::token(self.me.key);
            if let Err(error) = connection.update_interest(&cx.registry, token) {
                self.on_lost(Reason::of(&error), cx);
                self.finish(cx);
            }
        }
        if let Link::Farewell { stream, .. } = &mut self.link {
            turn = discard(stream, &mut cx.input);
        }
        if matches!(self.link, Link::Gone) {
            Turn::Gone
        } else {
            turn
        }
    }

    fn gathers(&self) -> Option<Duration> {
        match &self.link {
            Link::Up(connection) => connection.gathers(),
            Link::Waiting(_)
            | Link::Resolving
            | Link::Connecting { .. }
            | Link::Farewell { .. }
            | Link::Gone => None,
        }
    }

    // ── moving messages ──────────────────────────────────────────────────────────────────────

    fn pump_in(&mut self, cx: &mut IoContext) -> Result<Turn, Reason> {
        let Link::Up(connection) = &mut self.link else {
            return Ok(Turn::Idle);
        };
        connection.resume(&mut cx.input, cx.now);
        self.hear_verdict(cx)?;
        let mut reads = READS_PER_TURN;
        loop {
            let room = match &mut self.pipe {
                Some(pipe) if self.listens && !pipe.is_peer_gone() => pipe.room(),
                Some(_) | None => u64::MAX,
            };
            let asking = self.inquiry.is_some();
            let Link::Up(connection) = &mut self.link else {
                break;
            };
            if asking && connection.is_hung_up() {
                // Whoever it was about cannot be let in any more.
                return Err(Reason::PeerClosed);
            }
            // A handshake needs no room, and sending must not wait for who does not receive.
            if asking || (room == 0 && connection.peer.is_some()) {
                connection.pause(&mut cx.input, cx.now);
                break;
            }
            match connection.decode(&mut cx.input, room, cx.now) {
                Some(Event::Message(msg)) => self.deliver(msg),
                Some(Event::Run(run)) => self.deliver_run(run, &cx.input),
                Some(Event::Ready(peer)) => self.on_ready(peer, cx),
                Some(Event::Authenticate(request)) => {
                    if let Err(reason) = self.inquire(&request, cx) {
                        self.flush_pipe();
                        return Err(reason);
                    }
                }
                Some(Event::Failed(failure)) => {
                    self.flush_pipe();
                    return Err(failure.into());
                }
                None => {
                    // The socket need not wait until all is read that there is to read.
                    self.flush_pipe();
                    if !self.reads_on(&mut reads, cx)? {
                        break;
                    }
                }
            }
        }
        self.flush_pipe();
        let more = matches!(&self.link, Link::Up(c) if reads == 0 && c.is_readable());
        Ok(if more { Turn::Again } else { Turn::Idle })
    }

    /// Reads if there may be something and `reads` allows it; whether it did.
    fn reads_on(&mut self, reads: &mut u32, cx: &mut IoContext) -> Result<bool, Reason> {
        let Link::Up(connection) = &mut self.link else {
            return Ok(false);
        };
        if !connection.is_readable() || *reads == 0 {
            return Ok(false);
        }
        *reads -= 1;
        connection.read(&mut cx.input, cx.now)?;
        Ok(true)
    }

    fn flush_pipe(&mut self) {
        if let Some(pipe) = &mut self.pipe {
            pipe.flush();
        }
    }

    fn deliver(&mut self, mut msg: Msg) {
        if !self.listens {
            return;
        }
        self.introduce_now();
        if let Some(pipe) = &mut self.pipe {
            // The room was looked at before. A socket that is closed hears nothing any more.
            let _ = pipe.write(&mut msg);
        }
    }

    fn deliver_run(&mut self, run: record::Run, input: &Input) {
        if !self.listens {
            return;
        }
        self.introduce_now();
        if let (Some(pipe), Link::Up(connection)) = (&mut self.pipe, &self.link) {
            pipe.write_run(connection.run(input, run), run.messages);
        }
    }

    fn pump_out(&mut self) -> Turn {
        let Link::Up(connection) = &mut self.link else {
            return Turn::Idle;
        };
        if connection.is_broken() {
            return Turn::Idle;
        }
        let when_empty = WhenEmpty::with_spin(self.parent.options.spin);
        for _ in 0..WRITES_PER_TURN {
            let emptied = match &mut self.pipe {
                Some(pipe) => fill(connection, pipe, &mut self.mid_message, when_empty),
                None => true,
            };
            let sent = connection.transmit();
            // Before the handshake is done, messages are not wanted however empty the batch is.
            if sent && emptied && self.pipe.as_ref().is_some_and(PipeEnd::is_dozing) {
                return Turn::Doze;
            }
            if sent && (emptied || !connection.wants_messages()) {
                connection.shrink();
                return Turn::Idle;
            }
            if connection.is_broken() {
                // Reading tells when it is over.
                return Turn::Again;
            }
            if !connection.is_writable() {
                return Turn::Idle;
            }
        }
        Turn::Again
    }

    // ── dialling ─────────────────────────────────────────────────────────────────────────────

    fn dial(&mut self, cx: &mut IoContext) {
        self.link = Link::Gone;
        let Role::Dialer(dialer) = &self.role else {
            return;
        };
        if self.parent.roster.is_overrun() {
            self.link = Link::Waiting(cx.now + REST);
            return;
        }
        match &dialer.endpoint {
            Endpoint::Tcp(address) => {
                let target = self.next_hop(address).target.clone();
                let ipv6 = self.parent.options.tcp.ipv6;
                match resolver::immediate(&target, ipv6) {
                    Some(found) => self.on_addresses(found, cx),
                    None => {
                        self.link = Link::Resolving;
                        let (mailbox, key) = (cx.mailbox.clone(), self.me.key);
                        let done = move |found| {
                            mailbox.post(IoCmd::Resolved(key, Box::new(found)));
                        };
                        let (host, port) = (target.host.to_string(), target.port);
                        cx.resolver.resolve(&host, port, ipv6, Box::new(done));
                    }
                }
            }
            Endpoint::Ipc(address) => self.connect(Target::Ipc(address.clone()), cx),
            Endpoint::Inproc(_) | Endpoint::Udp(_) => {}
        }
    }

    fn on_addresses(&mut self, found: io::Result<Vec<SocketAddr>>, cx: &mut IoContext) {
        match found {
            Ok(found) => {
                if let Role::Dialer(dialer) = &mut self.role {
                    dialer.addresses = found.into();
                }
                let nobody = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                self.try_next_address(Reason::of(&nobody), cx);
            }
            Err(error) => self.retry(Reason::of(&error), cx),
        }
    }

    /// The proxy if there is one.
    fn next_hop<'a>(&'a self, address: &'a TcpAddress) -> &'a TcpAddress {
        let proxy = self.parent.options.tcp.socks.proxy.as_ref();
        proxy.map_or(address, |(proxy, _)| proxy)
    }

    /// Connects to the next address of the host; with none left, `last` is why it failed.
    fn try_next_address(&mut self, last: Reason, cx: &mut IoContext) {
        let next = match &mut self.role {
            Role::Dialer(dialer) => dialer.addresses.pop_front(),
            Role::Acceptor => None,
        };
        let Some(address) = next else {
            return self.retry(last, cx);
        };
        match self.source(address) {
            Ok(source) => self.connect(Target::Tcp { address, source }, cx),
            Err(error) => self.try_next_address(Reason::of(&error), cx),
        }
    }

    /// The address to connect to `address` from, if there is to be a certain one.
    fn source(&self, address: SocketAddr) -> io::Result<Option<SocketAddr>> {
        let Role::Dialer(dialer) = &self.role else {
            return Ok(None);
        };
        let Endpoint::Tcp(tcp) = &dialer.endpoint else {
            return Ok(None);
        };
        let source = self.next_hop(tcp).source.as_ref().or(tcp.source.as_ref());
        source
            .map(|source| resolver::resolve_source(source, address))
            .transpose()
    }

    fn connect(&mut self, target: Target, cx: &mut IoContext) {
        let remote = self.endpoint_text();
        let attempt = transport::connect(&target, &self.parent.options)
            .and_then(|(socket, done)| Ok((Stream::new(socket)?, done)));
        match attempt {
            Ok((stream, true)) => self.on_established(stream, remote, false, cx),
            Ok((mut stream, false)) => {
                if let Err(error) = self.register(&mut stream, cx) {
                    return self.on_attempt_failed(Reason::of(&error), cx);
                }
                self.emit(EventKind::ConnectDelayed, "", &remote, None);
                let deadline = self
                    .parent
                    .options
                    .connect_timeout
                    .map(|limit| cx.now + limit);
                self.link = Link::Connecting {
                    stream,
                    remote,
                    deadline,
                };
            }
            Err(error) => self.on_attempt_failed(Reason::of(&error), cx),
        }
    }

    fn on_connected(&mut self, readiness: Readiness, cx: &mut IoContext) {
        if !readiness.writable {
            return;
        }
        let Link::Connecting { stream, remote, .. } = std::mem::replace(&mut self.link, Link::Gone)
        else {
            return;
        };
        match stream.take_error() {
            Ok(None) => self.on_established(stream, remote, true, cx),
            Ok(Some(error)) | Err(error) => {
                self.emit(EventKind::Closed { fd: stream.fd() }, "", &remote, None);
                drop(stream);
                self.on_attempt_failed(Reason::of(&error), cx);
            }
        }
    }

    fn on_established(&mut self, stream: Stream, remote: String, known: bool, cx: &mut IoContext) {
        if stream.is_own_peer() {
            // Without a listener, a port of the dynamic range can end up connected to itself.
            return self.on_attempt_failed(Reason::System(nix::libc::ECONNREFUSED), cx);
        }
        let local = stream.local_endpoint();
        self.emit(
            EventKind::Connected { fd: stream.fd() },
            &local,
            &remote,
            None,
        );
        self.on_stream(stream, local, remote, !known, cx);
    }

    fn on_attempt_failed(&mut self, reason: Reason, cx: &mut IoContext) {
        let refused = reason == Reason::System(nix::libc::ECONNREFUSED);
        if refused && self.parent.options.reconnect.stop.conn_refused {
            return self.stop(reason);
        }
        self.try_next_address(reason, cx);
    }

    /// Waits for the next attempt, if there is to be one.
    fn retry(&mut self, reason: Reason, cx: &IoContext) {
        let Role::Dialer(dialer) = &mut self.role else {
            self.link = Link::Gone;
            return;
        };
        let stopped = self.closing.is_some() && self.parent.options.reconnect.stop.after_disconnect;
        match dialer.backoff.next(fastrand::f64()).filter(|_| !stopped) {
            Some(interval) => {
                self.link = Link::Waiting(cx.now + interval);
                let remote = self.endpoint_text();
                self.emit(
                    EventKind::ConnectRetried { interval, reason },
                    "",
                    &remote,
                    None,
                );
            }
            None => self.stop(reason),
        }
    }

    /// Gives the endpoint up for good.
    fn stop(&mut self, reason: Reason) {
        self.link = Link::Gone;
        let remote = self.endpoint_text();
        self.emit(EventKind::ConnectStopped { reason }, "", &remote, None);
    }

    // ── the connection ───────────────────────────────────────────────────────────────────────

    /// A connection stands; the handshake begins.
    fn on_stream(
        &mut self,
        mut stream: Stream,
        local: String,
        remote: String,
        register: bool,
        cx: &mut IoContext,
    ) {
        if register {
            if let Err(error) = self.register(&mut stream, cx) {
                return self.retry(Reason::of(&error), cx);
            }
        }
        let options = &self.parent.options;
        let mut engine = match &self.parent.protocol {
            Some(protocol) => protocol.engine(stream.peer_address()),
            None => engine(options, stream.peer_address(), cx.now),
        };
        if let Role::Dialer(dialer) = &mut self.role {
            dialer.addresses = VecDeque::new();
            if let Endpoint::Tcp(address) = &dialer.endpoint {
                engine = through_proxy(&options.tcp.socks, address, engine);
            }
        }
        let endpoints = EndpointPair { local, remote };
        self.link = Link::Up(Box::new(Connection::new(
            stream, engine, endpoints, options,
        )));
    }

    // ── letting the peer in ──────────────────────────────────────────────────────────────────

    /// Asks whether the peer may come in. Nothing is read from it until that is known.
    fn inquire(&mut self, request: &AuthRequest, cx: &mut IoContext) -> Result<(), Reason> {
        match self.parent.doorkeeper.ask(request) {
            Answer::Verdict(verdict) => self.on_verdict(verdict, cx),
            Answer::Handler(pipe) => {
                let me = (cx.mailbox.clone(), self.me.key);
                self.inquiry = Some(Box::new(Inquiry::begin(*pipe, request, me)));
                // Only a reader that has found nothing is told of something.
                self.hear_verdict(cx)
            }
        }
    }

    pub(crate) fn on_zap(&mut self, event: PipeEvent, cx: &mut IoContext) -> Turn {
        if let Some(inquiry) = &mut self.inquiry {
            inquiry.on_event(event);
        }
        self.turn(cx)
    }

    /// Takes up what a handler has answered, if it has.
    fn hear_verdict(&mut self, cx: &mut IoContext) -> Result<(), Reason> {
        let verdict = self
            .inquiry
            .as_mut()
            .and_then(|inquiry| inquiry.poll_verdict());
        let Some(verdict) = verdict else {
            return Ok(());
        };
        let is_lost = matches!(verdict, Verdict::Failed(ZapError::HandlerGone));
        if is_lost && self.parent.options.security.zap.waits_for_lost {
            return Ok(());
        }
        self.inquiry = None;
        self.on_verdict(verdict, cx)
    }

    fn on_verdict(&mut self, verdict: Verdict, cx: &mut IoContext) -> Result<(), Reason> {
        let Link::Up(connection) = &mut self.link else {
            return Ok(());
        };
        match connection.handle_verdict(verdict, cx.now) {
            Some(Event::Ready(peer)) => self.on_ready(peer, cx),
            Some(Event::Failed(failure)) => return Err(failure.into()),
            Some(Event::Authenticate(_) | Event::Message(_) | Event::Run(_)) | None => {}
        }
        Ok(())
    }

    fn register(&self, stream: &mut Stream, cx: &IoContext) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        cx.registry
            .register(stream, poller::token(self.me.key), interest)
    }

    /// The handshake is done. The socket is told before the monitor is, so that whoever waits for
    /// the event finds the peer there.
    fn on_ready(&mut self, peer: Arc<Metadata>, cx: &IoContext) {
        if let Role::Dialer(dialer) = &mut self.role {
            dialer.backoff.reset();
        }
        let peer = self.with_source(peer);
        if self.pipe.is_none() {
            self.bind_pipe(peer.clone(), cx);
        } else {
            self.introduce(peer.clone());
            self.tell_endpoints();
            self.report(true);
        }
        self.notify(self.parent.options.coming());
        if let Link::Up(connection) = &mut self.link {
            connection.peer = Some(peer.clone());
            if let Some(hello) = self.parent.options.hello() {
                connection.push(hello);
            }
            // After the pipe: whoever hears this may count on the socket's knowing its peer.
            let kind = EventKind::HandshakeSucceeded;
            let EndpointPair { local, remote } = &*connection.endpoints;
            let event = monitor::Event::new(kind, local, remote);
            self.parent.events.emit(event.with_peer(Some(peer)));
        }
    }

    /// Adds the descriptor, if the connection is the only one of the session: a peer that is
    /// connected to again is told of again only if it is another.
    fn with_source(&self, peer: Arc<Metadata>) -> Arc<Metadata> {
        match (&self.role, &self.link) {
            (Role::Acceptor, Link::Up(connection)) => {
                Arc::new(peer.with_source_fd(connection.fd()))
            }
            _ => peer,
        }
    }

    /// Tells who the peer is, unless it is who it was. The pipe of an application that never reads
    /// must not fill up with that, so that a successor is named only when it says something.
    fn introduce(&mut self, peer: Arc<Metadata>) {
        if self.introduced.is_none() {
            self.successor = Some(peer);
            self.introduce_now();
            self.flush_pipe();
        } else {
            self.successor = Some(peer).filter(|peer| self.introduced.as_ref() != Some(peer));
        }
    }

    #[inline]
    fn introduce_now(&mut self) {
        if self.successor.is_some() {
            self.introduce_successor();
        }
    }

    #[cold]
    fn introduce_successor(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        if let Some(peer) = self.successor.take() {
            pipe.introduce(Msg::peer(peer.clone()));
            self.introduced = Some(peer);
        }
    }

    /// Has the application read what tells of its peer, whether there is room or not.
    fn notify(&mut self, notices: impl Iterator<Item = Msg>) {
        for notice in notices {
            self.introduce_now();
            if let Some(pipe) = &mut self.pipe {
                pipe.write_beyond(notice);
            }
        }
        self.flush_pipe();
    }

    fn report(&self, is_there: bool) {
        if let Some(pipe) = &self.pipe {
            pipe.report(is_there);
        }
    }

    /// Makes a pipe for the connection, and gives the socket its end.
    fn bind_pipe(&mut self, peer: Arc<Metadata>, cx: &IoContext) {
        let options = &self.parent.options;
        let (mut theirs, mut ours) = pipe::pair(options.conflate);
        theirs.set_hwm(options.send_hwm, options.recv_hwm);
        ours.attach(cx.mailbox.clone(), self.me.key);
        ours.introduce(Msg::peer(peer));
        self.pipe = Some(ours);
        self.bound = true;
        self.tell_endpoints();
        self.parent
            .mailbox
            .post(SocketCmd::Bind(Box::new((theirs, self.parent.endpoint))));
    }

    /// Lets the socket know, for its statistics, where its messages go.
    fn tell_endpoints(&self) {
        if let (Some(pipe), Link::Up(connection)) = (&self.pipe, &self.link) {
            pipe.tell_endpoints(connection.endpoints.clone());
        }
    }

    /// The connection is gone.
    fn on_lost(&mut self, reason: Reason, cx: &mut IoContext) {
        let Link::Up(connection) = std::mem::replace(&mut self.link, Link::Gone) else {
            return;
        };
        self.inquiry = None;
        let ready = connection.peer.is_some();
        let EndpointPair { local, remote } = &*connection.endpoints.clone();
        let fd = connection.fd();
        if !ready {
            let kind = EventKind::HandshakeFailed {
                reason: reason.clone(),
            };
            self.emit(kind, local, remote, None);
        }
        // Before the event, for the same reason as in `on_ready`.
        self.reset_pipe(ready);
        let kind = EventKind::Disconnected {
            fd,
            reason: reason.clone(),
        };
        self.emit(kind, local, remote, connection.peer.clone());
        let incompatible = Reason::Protocol(ProtocolError::IncompatibleSocketType);
        if matches!(reason, Reason::Denied(_)) || reason == incompatible {
            self.link = last_word(*connection, cx.now);
        } else {
            drop(connection);
        }
        let stop = &self.parent.options.reconnect;
        let broken = matches!(reason, Reason::Protocol(_)) && stop.stop_on_protocol_error;
        match self.role {
            Role::Acceptor => {}
            Role::Dialer(_) if broken || (!ready && stop.stop.handshake_failed) => {
                self.stop(reason);
            }
            Role::Dialer(_) => self.retry(reason, cx),
        }
    }

    /// Makes the pipe fit for the next connection: no message is torn, in or out.
    fn reset_pipe(&mut self, was_ready: bool) {
        let Some(pipe) = &mut self.pipe else { return };
        pipe.rollback();
        if was_ready {
            pipe.report(false);
        }
        while self.mid_message {
            match pipe.read() {
                Pop::Item(frame) => self.mid_message = frame.more(),
                Pop::Empty | Pop::Finished => self.mid_message = false,
            }
        }
        if was_ready {
            let accepted = matches!(self.role, Role::Acceptor);
            self.notify(self.parent.options.going(accepted));
        }
        let options = &self.parent.options;
        let Some(pipe) = &mut self.pipe else { return };
        if options.socket_type.subscribes() && matches!(self.role, Role::Dialer(_)) {
            while matches!(pipe.read(), Pop::Item(_)) {}
            pipe.hiccup();
        }
        if options.immediate || matches!(self.role, Role::Acceptor) {
            self.leave_pipe();
        }
    }

    /// Ends the pipe.
    fn leave_pipe(&mut self) {
        if let Some(pipe) = self.pipe.take().filter(|_| self.bound) {
            self.parent.roster.orphan(&pipe);
        }
    }

    // ── the end ──────────────────────────────────────────────────────────────────────────────

    /// Ends the session once the socket wants it and nothing is left to send, or time is up.
    fn finish(&mut self, cx: &mut IoContext) {
        let Some(deadline) = self.closing else { return };
        if matches!(self.link, Link::Gone | Link::Farewell { .. }) {
            return;
        }
        if deadline.is_some_and(|deadline| deadline <= cx.now) {
            self.report_closed();
            self.link = Link::Gone;
        } else if self.is_delivered() {
            self.report_closed();
            let end = cx.now + FAREWELL;
            self.link = self.farewell(deadline.map_or(end, |deadline| deadline.min(end)));
        }
    }

    fn is_delivered(&mut self) -> bool {
        let taken = self
            .pipe
            .as_mut()
            .is_none_or(|pipe| !matches!(pipe.peek(), Pop::Item(_)));
        taken
            && match &mut self.link {
                Link::Up(connection) => connection.peer.is_none() || connection.is_delivered(),
                Link::Waiting(_)
                | Link::Resolving
                | Link::Connecting { .. }
                | Link::Farewell { .. }
                | Link::Gone => true,
            }
    }

    /// Lets the peer read the last bytes, if it ever was one.
    fn farewell(&mut self, deadline: Instant) -> Link {
        match std::mem::replace(&mut self.link, Link::Gone) {
            Link::Up(connection) if connection.peer.is_some() => {
                let stream = connection.into_stream();
                if stream.shutdown_write().is_err() {
                    return Link::Gone;
                }
                Link::Farewell { stream, deadline }
            }
            Link::Up(_)
            | Link::Waiting(_)
            | Link::Resolving
            | Link::Connecting { .. }
            | Link::Farewell { .. }
            | Link::Gone => Link::Gone,
        }
    }

    fn report_closed(&self) {
        if let Link::Up(connection) = &self.link {
            let kind = EventKind::Disconnected {
                fd: connection.fd(),
                reason: Reason::LocalClosed,
            };
            let EndpointPair { local, remote } = &*connection.endpoints;
            self.emit(kind, local, remote, connection.peer.clone());
        }
    }

    fn endpoint_text(&self) -> String {
        match &self.role {
            Role::Dialer(dialer) => dialer.endpoint.to_string(),
            Role::Acceptor => String::new(),
        }
    }

    fn emit(&self, kind: EventKind, local: &str, remote: &str, peer: Option<Arc<Metadata>>) {
        self.parent
            .events
            .emit(monitor::Event::new(kind, local, remote).with_peer(peer));
    }
}

impl Drop for SessionBase {
    fn drop(&mut self) {
        self.leave_pipe();
        self.parent.leave(self.me);
    }
}

/// How a session begins.
#[derive(Debug)]
pub(crate) enum Start {
    Dial,
    Accepted {
        socket: socket2::Socket,
        local: String,
        peer: String,
    },
}

/// Lets a peer that was refused read why, unless it does not take even that.
fn last_word(mut connection: Connection, now: Instant) -> Link {
    if !connection.transmit() {
        return Link::Gone;
    }
    let stream = connection.into_stream();
    match stream.shutdown_write() {
        Ok(()) => Link::Farewell {
            stream,
            deadline: now + FAREWELL,
        },
        Err(_) => Link::Gone,
    }
}

/// Takes messages from the pipe until it is empty (true) or the batch is full.
fn fill(
    connection: &mut Connection,
    pipe: &mut PipeEnd,
    mid_message: &mut bool,
    when_empty: WhenEmpty,
) -> bool {
    while connection.wants_messages() {
        if fill_run(connection, pipe, mid_message) {
            continue;
        }
        match pipe.read_or(when_empty) {
            Pop::Item(frame) => {
                *mid_message = frame.more();
                connection.push(frame);
            }
            Pop::Empty | Pop::Finished => return true,
        }
    }
    false
}

/// Takes frames from the pipe as they are, if there are any such at its front and they are wanted.
fn fill_run(connection: &mut Connection, pipe: &mut PipeEnd, mid_message: &mut bool) -> bool {
    let Some((run, bytes)) = pipe.peek_run(connection.run_max()) else {
        return false;
    };
    if run.len <= COPY_MAX {
        connection.push_run(Frames::Copy(bytes));
    } else {
        connection.push_run(Frames::Keep(pipe.share_run(run)));
    }
    pipe.consume_run(run);
    *mid_message = run.more;
    true
}

/// The engine of ZeroMQ's own protocols.
fn engine(options: &Options, peer_address: Option<String>, now: Instant) -> Box<dyn Engine> {
    if options.raw {
        return Box::new(RawEngine::new(options, peer_address));
    }
    Box::new(StreamEngine::new(EngineSpec {
        options,
        peer_address,
        now,
    }))
}

/// The engine behind the proxy, if there is one.
fn through_proxy(
    options: &options::Socks,
    address: &TcpAddress,
    engine: Box<dyn Engine>,
) -> Box<dyn Engine> {
    if options.proxy.is_none() {
        return engine;
    }
    let login = (!options.username.is_empty()).then(|| Login {
        username: options.username.clone(),
        password: options.password.clone(),
    });
    Box::new(Socks::new(address.target.clone(), login, engine))
}

/// Reads and drops what the peer still sends, which may be without end; gone if it has closed
/// its side.
fn discard(stream: &mut Stream, input: &mut Input) -> Turn {
    for _ in 0..READS_PER_TURN {
        match stream.read(input.scratch()) {
            Ok(0) => return Turn::Gone,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Turn::Idle,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Turn::Gone,
        }
    }
    Turn::Again
}

#[cfg(test)]
mod tests;
