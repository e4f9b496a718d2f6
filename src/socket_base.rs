//! [`SocketBase`]: a socket without its API: mailbox, pipes, pattern and the list of its
//! endpoints. Owned by one thread at a time; closing it is moving it to the reaper.
//!
//! It reacts to commands only inside calls, on the thread that makes them, and it never touches a
//! descriptor: what must be opened is opened by `socket.rs` and handed to an I/O thread.

use std::collections::HashMap;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::bonds::{Bond, BondKind, Bonds};
use crate::census::Addresses;
use crate::command::{
    ChildId, DatagramForm, DatagramSpec, EndpointId, IoCmd, IoHandle, LinkSpec, ListenSpec, Parent,
    Protocol, SessionSpec, SocketCmd,
};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::feeds::{Feeds, Inlet};
use crate::inproc::{Bound, Greeting, Registry};
use crate::mailbox::Mailbox;
use crate::monitor::{EndpointPair, Event, EventKind, EventSink};
use crate::msg::{Metadata, Msg};
use crate::options::{SharedOptions, SocketType};
use crate::pace::Pace;
use crate::pattern::{self, Origin, Pattern, PatternOption, Refused};
#[cfg(feature = "protocols")]
use crate::pipe::Wishes;
use crate::pipe::{self, Large, PipeEnd, PipeEvent, Pipes, Queued, WhenEmpty};
use crate::roster::Roster;
use crate::signaler::{self, Signal, Signaler, Spin};
use crate::slab::Key;

/// What the sockets of a context share.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub threads: Arc<[IoHandle]>,
    pub registry: Arc<Registry>,
}

/// What a call finds the socket to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    Usable,
    /// Usable; and the call before began to connect, so that events are kept for a monitor.
    Connecting,
    /// The context is being terminated.
    Stopped,
}

/// A socket.
#[derive(Debug)]
pub(crate) struct SocketBase {
    mailbox: Arc<Mailbox<SocketCmd>>,
    pattern: Box<dyn Pattern>,
    pipes: Pipes,
    bonds: Bonds,
    last_endpoint: String,
    /// Listeners and sessions that have been launched and are not gone.
    children: usize,
    roster: Arc<Roster>,
    /// Set when the socket is closed: how long its children may linger.
    closing: Option<Option<Duration>>,
    standing: Standing,
    /// What senders have sent.
    pub feeds: Feeds,
    pace: Pace,
    /// The frame that the last copy was sent in, and perhaps its memory.
    scratch: Msg,
    /// The last frame sent has others behind it.
    sends_more: bool,
    /// There is something in the feeds that had to wait for the last of those.
    feeds_wait: bool,
    /// Whether the message that the last frame received belongs to goes on.
    receives_more: bool,
    /// The routing id for the peer of the next connect.
    pub connect_routing_id: Option<Bytes>,
    pub options: SharedOptions,
    pub events: EventSink,
    /// What is spoken over connections, if it is none of ZeroMQ's protocols.
    protocol: Option<Arc<dyn Protocol>>,
    around: Surroundings,
}

impl SocketBase {
    pub(crate) fn new(options: SharedOptions, around: Surroundings) -> Self {
        Self {
            mailbox: Arc::new(Mailbox::small()),
            pattern: pattern::for_type(options.socket_type),
            pipes: Pipes::new(),
            bonds: Bonds::default(),
            last_endpoint: String::new(),
            children: 0,
            roster: Arc::default(),
            closing: None,
            standing: Standing::Usable,
            feeds: Feeds::new(),
            pace: Pace::default(),
            scratch: Msg::new(),
            sends_more: false,
            feeds_wait: false,
            receives_more: false,
            connect_routing_id: None,
            options,
            events: EventSink::default(),
            protocol: None,
            around,
        }
    }

    /// Has the socket, which is neither bound nor connected yet, speak another protocol and behave
    /// as another pattern does.
    #[cfg(feature = "protocols")]
    pub(crate) fn set_protocol(&mut self, protocol: Arc<dyn Protocol>, pattern: Box<dyn Pattern>) {
        self.protocol = Some(protocol);
        self.pattern = pattern;
    }

    /// Whether what the socket speaks goes over the network only: what it sends is no frames of
    /// ZeroMQ's to others in the process.
    pub(crate) fn is_network_only(&self) -> bool {
        self.options.raw || self.protocol.is_some()
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox<SocketCmd>> {
        &self.mailbox
    }

    pub(crate) fn socket_type(&self) -> SocketType {
        self.options.socket_type
    }

    // ── commands ─────────────────────────────────────────────────────────────────────────────

    /// Reacts to what has come since the last call.
    ///
    /// # Errors
    /// [`Error::Term`] once the context is being terminated.
    #[inline(always)]
    pub(crate) fn process(&mut self) -> Result<(), Error> {
        if self.mailbox.is_pending() {
            self.drain();
        }
        if self.standing == Standing::Usable {
            Ok(())
        } else {
            self.settle()
        }
    }

    /// What a call does about a standing that is not the usual one.
    #[cold]
    fn settle(&mut self) -> Result<(), Error> {
        if self.standing == Standing::Stopped {
            return Err(Error::Term);
        }
        self.events.forget();
        self.standing = Standing::Usable;
        Ok(())
    }

    #[cold]
    fn drain(&mut self) {
        let mailbox = self.mailbox.clone();
        for command in mailbox.drain() {
            self.on_command(command);
        }
        self.pump_feeds();
    }

    /// Lets the pattern go on with what it has left, see [`Pipes::come_again`].
    #[cfg(feature = "protocols")]
    pub(crate) fn go_on(&mut self) {
        self.pattern.go_on(&mut self.pipes);
    }

    #[cfg(feature = "protocols")]
    #[inline]
    pub(crate) fn has_wishes(&self) -> bool {
        self.pipes.has_wishes()
    }

    /// What the pattern wants done once nobody uses the socket, and whether it wants to go on.
    #[cfg(feature = "protocols")]
    pub(crate) fn take_wishes(&mut self) -> Wishes {
        self.pipes.take_wishes()
    }

    /// Waits until there may be something to react to; false if the deadline came first.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        let signaler = Signaler::of_this_thread();
        let signal: Arc<dyn Signal> = signaler.clone();
        let signalled = !self.fall_asleep(&signal)
            || signaler.spin(self.options.spin)
            || signaler.wait(deadline);
        self.awake();
        signalled
    }

    /// Looks a few times whether something has come to react to, before a task sleeps.
    pub(crate) fn look(&self, spin: &Spin) -> bool {
        spin.spin_for_task(self.options.spin, || self.mailbox.is_pending())
    }

    /// From now on, `signal` is given when there may be something to react to. False if there is
    /// already: then do not wait for it.
    #[must_use]
    pub(crate) fn fall_asleep(&self, signal: &Arc<dyn Signal>) -> bool {
        self.mailbox.retarget(signal);
        self.mailbox.may_sleep()
    }

    /// The wait is over, for whatever reason.
    pub(crate) fn awake(&self) {
        self.mailbox.awake();
    }

    fn on_command(&mut self, command: SocketCmd) {
        match command {
            SocketCmd::Pipe(key, event) => self.on_pipe(key, event),
            SocketCmd::Bind(bound) => {
                let (end, endpoint) = *bound;
                self.on_bind(end, endpoint);
            }
            SocketCmd::Children => self.on_children(),
            SocketCmd::AddFeed(feed) => {
                if self.standing != Standing::Stopped && self.closing.is_none() {
                    self.feeds.add(*feed, &self.mailbox);
                }
            }
            SocketCmd::Feed(key, event) => self.feeds.on_event(key, event),
            SocketCmd::Resume => {}
            SocketCmd::Stop => {
                self.standing = Standing::Stopped;
                self.feeds.stop();
                self.pattern.on_stop(&mut self.pipes);
            }
        }
    }

    /// Moves what senders have sent, but never into the middle of a message of the owner's.
    fn pump_feeds(&mut self) {
        if self.sends_more {
            self.feeds_wait = true;
        } else if self.feeds.pump(&mut *self.pattern, &mut self.pipes) {
            self.mailbox.post(SocketCmd::Resume);
        }
    }

    /// The address for a new sender.
    ///
    /// # Errors
    /// [`Error::NotSupported`] unless the type sends to whoever it may be, [`Error::NoIoThread`]
    /// if the affinity allows none that could run the socket for its senders.
    pub(crate) fn inlet(&mut self) -> Result<Arc<Inlet>, Error> {
        use SocketType::{DEALER, PAIR, PUB, PUSH};
        if !matches!(self.socket_type(), DEALER | PAIR | PUB | PUSH) {
            return Err(Error::NotSupported);
        }
        self.choose_thread()?;
        Ok(self.feeds.inlet(&self.mailbox))
    }

    /// The I/O thread that is to run the socket when its owner leaves it to its senders, or with
    /// something that nobody has taken yet; `None` if there is nothing to do.
    pub(crate) fn host(&mut self) -> Option<IoHandle> {
        // In this order, or the feed of the last sender could be overlooked. That the context is
        // being ended is no concern of a close.
        if !self.feeds.have_senders() {
            let _ = self.process();
            if !self.has_backlog() {
                return None;
            }
        }
        self.thread().ok()
    }

    /// An I/O thread that may serve the socket.
    ///
    /// # Errors
    /// [`Error::NoIoThread`] if the affinity allows none.
    pub(crate) fn thread(&self) -> Result<IoHandle, Error> {
        let thread = self.choose_thread()?;
        Ok(self.around.threads[thread].clone())
    }

    /// Whether something that was sent is in no pipe to a peer yet.
    pub(crate) fn has_backlog(&self) -> bool {
        !self.feeds.are_empty() || self.pattern.has_backlog()
    }

    fn on_pipe(&mut self, key: Key, event: PipeEvent) {
        let Some(pipe) = self.pipes.get_mut(key) else {
            return;
        };
        pipe.on_event(event);
        match event {
            PipeEvent::Readable => self.pattern.on_readable(&mut self.pipes, key),
            PipeEvent::Writable => self.pattern.on_writable(&mut self.pipes, key),
            PipeEvent::PeerClosed => self.pattern.on_closed(&mut self.pipes, key),
            PipeEvent::Hiccup => self.pattern.on_hiccup(&mut self.pipes, key),
            PipeEvent::Joined | PipeEvent::Parted => {}
        }
    }

    fn on_bind(&mut self, mut end: PipeEnd, endpoint: EndpointId) {
        self.roster.adopt(&end);
        let bond = self.bonds.get(endpoint);
        // A closed socket drops the pipe, so that its other end hears of the close.
        let Some(bond) = bond.filter(|bond| !bond.closing && self.closing.is_none()) else {
            return;
        };
        let origin = bond.origin.clone();
        let inproc = bond.own.is_none();
        end.set_hwm(self.options.send_hwm, self.options.recv_hwm);
        // It was handed over by somebody who is there.
        end.set_joined();
        if inproc {
            if let Some(farewell) = self.options.farewell() {
                end.set_last_words(farewell);
            }
        }
        self.take_pipe(end, endpoint, origin);
    }

    fn on_children(&mut self) {
        for (child, change) in self.roster.take() {
            if change.has_come {
                self.on_child_up(change.endpoint, child, change.own);
            }
            if change.is_gone {
                self.on_child_gone(change.endpoint, child);
            }
        }
    }

    fn on_child_up(&mut self, endpoint: EndpointId, child: ChildId, own: bool) {
        // What bind or connect has launched was counted then.
        self.children += usize::from(!own);
        let mut closing = self.closing.is_some();
        match self.bonds.get_mut(endpoint) {
            Some(bond) => {
                bond.add_child(child, own);
                closing |= bond.closing;
            }
            None => closing = true,
        }
        if closing {
            self.close_child(child, self.linger());
        }
    }

    fn on_child_gone(&mut self, endpoint: EndpointId, child: ChildId) {
        self.children -= 1;
        if let Some(bond) = self.bonds.get_mut(endpoint) {
            bond.remove_child(child);
            // A session that connects is the whole of its endpoint.
            let over = bond.closing || bond.kind == BondKind::Connected;
            if over && bond.children().next().is_none() {
                self.bonds.remove(endpoint);
            }
        }
    }

    /// Stops listening. To be called before connections are closed: a peer that at once comes
    /// back would be accepted, and what it sends would be lost.
    fn close_listener(&self, bond: &Bond) {
        if let (BondKind::Bound, Some(listener)) = (bond.kind, bond.own) {
            self.close_child(listener, None);
        }
    }

    fn close_child(&self, child: ChildId, linger: Option<Duration>) {
        self.around.threads[child.thread]
            .mailbox
            .post(IoCmd::Close(child.key, linger));
    }

    fn linger(&self) -> Option<Duration> {
        self.closing.unwrap_or_else(|| self.options.linger.get())
    }

    // ── endpoints ────────────────────────────────────────────────────────────────────────────

    /// Binds a name of the context.
    ///
    /// # Errors
    /// [`Error::AddrInUse`] if another socket has it.
    pub(crate) fn bind_inproc(
        &mut self,
        text: &str,
        name: &str,
        now: Instant,
    ) -> Result<(), Error> {
        let id = self.new_bond(text, text, BondKind::Bound);
        let bound = Bound {
            mailbox: self.mailbox.clone(),
            endpoint: id,
            send_hwm: self.options.send_hwm,
            recv_hwm: self.options.recv_hwm,
            greeting: self.greeting(),
        };
        if let Err(error) = self.around.registry.bind(name, bound, now) {
            self.bonds.remove(id);
            return Err(error);
        }
        // Who has waited for the name hears at once what this socket wants.
        self.process()
    }

    /// Starts a listener on a socket that listens already.
    ///
    /// # Errors
    /// [`Error::NoIoThread`] if the affinity allows none.
    pub(crate) fn bind_listener(
        &mut self,
        text: &str,
        resolved: String,
        socket: socket2::Socket,
        guard: Option<Box<dyn std::fmt::Debug + Send + Sync>>,
    ) -> Result<(), Error> {
        let thread = self.choose_thread()?;
        // Before the first connection can be accepted.
        let fd = socket.as_raw_fd();
        let listening = Event::new(EventKind::Listening { fd }, &resolved, "");
        self.events.emit(listening);
        let id = self.new_bond(text, &resolved, BondKind::Bound);
        let parent = self.parent(id);
        let spec = ListenSpec {
            parent,
            socket,
            endpoint: resolved,
            guard,
        };
        self.children += 1;
        self.around.threads[thread].launch(IoCmd::Listen(Box::new(spec)));
        Ok(())
    }

    /// Starts to send or receive datagrams through a socket of the system.
    ///
    /// # Errors
    /// [`Error::NoIoThread`] if the affinity allows none.
    pub(crate) fn run_datagrams(
        &mut self,
        text: &str,
        resolved: &str,
        socket: socket2::Socket,
        form: DatagramForm,
    ) -> Result<(), Error> {
        let thread = self.choose_thread()?;
        let kind = match form {
            DatagramForm::SendTo(_) => BondKind::Connected,
            DatagramForm::Receive | DatagramForm::Addressed => BondKind::Bound,
        };
        let id = self.new_bond(text, resolved, kind);
        let (mut ours, pipe) = pipe::pair(false);
        ours.set_hwm(self.options.send_hwm, self.options.recv_hwm);
        let origin = Origin {
            datagrams: true,
            ..Origin::default()
        };
        self.take_pipe(ours, id, origin);
        let spec = DatagramSpec {
            parent: self.parent(id),
            socket,
            form,
            pipe,
        };
        self.children += 1;
        self.around.threads[thread].launch(IoCmd::Datagrams(Box::new(spec)));
        Ok(())
    }

    /// Connects to a name of the context, bound now or later.
    pub(crate) fn connect_inproc(&mut self, text: &str, name: &str, now: Instant) {
        let id = self.new_bond(text, text, BondKind::Connected);
        let (mut ours, mut theirs) = pipe::pair(self.options.conflate);
        ours.hand_over_bodies();
        theirs.hand_over_bodies();
        ours.set_hwm(self.options.send_hwm, self.options.recv_hwm);
        self.greeting().say(&mut ours);
        let origin = self.origin();
        self.take_pipe(ours, id, origin);
        self.around
            .registry
            .connect(name, theirs, (&self.mailbox, id), now);
    }

    /// Starts a session that connects.
    ///
    /// # Errors
    /// [`Error::NoIoThread`] if the affinity allows none.
    pub(crate) fn connect_session(&mut self, text: &str, endpoint: Endpoint) -> Result<(), Error> {
        let thread = self.choose_thread()?;
        if self.connects_once() && self.is_connected_to(text) {
            return Ok(());
        }
        let id = self.new_bond(text, text, BondKind::Connected);
        let origin = self.origin();
        if let Some(bond) = self.bonds.get_mut(id) {
            bond.origin = origin.clone();
        }
        let pipe = (!self.options.immediate).then(|| {
            let (mut ours, theirs) = pipe::pair(self.options.conflate);
            ours.set_hwm(self.options.send_hwm, self.options.recv_hwm);
            self.take_pipe(ours, id, origin);
            theirs
        });
        let spec = SessionSpec {
            parent: self.parent(id),
            link: LinkSpec::Connect(endpoint),
            pipe,
        };
        self.children += 1;
        self.events.keep();
        self.standing = Standing::Connecting;
        self.around.threads[thread].launch(IoCmd::Launch(Box::new(spec)));
        Ok(())
    }

    /// Takes a bind or connect back: its connections end, with linger.
    ///
    /// # Errors
    /// [`Error::NoSuchEndpoint`] if `text` is neither what was given nor what it was resolved to.
    pub(crate) fn release(
        &mut self,
        text: &str,
        bound: bool,
        now: Instant,
    ) -> Result<EndpointId, Error> {
        let kind = if bound {
            BondKind::Bound
        } else {
            BondKind::Connected
        };
        let known = |bond: &Bond| {
            let wildcard = bond.text != bond.resolved && bond.text.contains('*');
            !bond.closing && (&*bond.resolved == text || !wildcard)
        };
        let found = self
            .bonds
            .called(text)
            .find(|(_, bond)| bond.kind == kind && known(bond));
        let (id, _) = found.ok_or(Error::NoSuchEndpoint)?;
        if text.starts_with("inproc://") {
            self.release_inproc(id, now);
        } else {
            self.release_network(id);
        }
        Ok(id)
    }

    fn release_inproc(&mut self, id: EndpointId, now: Instant) {
        let Some(mut bond) = self.bonds.remove(id) else {
            return;
        };
        match bond.kind {
            BondKind::Bound => self.around.registry.unbind(id, &self.mailbox),
            BondKind::Connected => {
                let said = |key: &Key| self.pipes.get(*key).is_some_and(PipeEnd::was_written_to);
                let linger = if bond.pipes().iter().any(said) {
                    self.linger()
                } else {
                    Some(Duration::ZERO)
                };
                for key in bond.take_pipes() {
                    self.pattern.detach(&mut self.pipes, key);
                }
                // If nobody has bound the name yet.
                let expires = linger.map(|linger| now + linger);
                let registry = &self.around.registry;
                registry.disconnect((&self.mailbox, id), now, expires);
            }
        }
    }

    fn release_network(&mut self, id: EndpointId) {
        let linger = self.linger();
        let Some(bond) = self.bonds.close(id) else {
            return;
        };
        let pipes = bond.take_pipes();
        if let Some(bond) = self.bonds.get(id) {
            self.close_listener(bond);
        }
        for key in pipes {
            if self.pipes.contains(key) {
                self.pattern.detach(&mut self.pipes, key);
            }
        }
        let Some(bond) = self.bonds.get(id) else {
            return;
        };
        for child in bond.children() {
            self.close_child(child, linger);
        }
        if !bond.own_lives() && bond.children().next().is_none() {
            // The listener had ended by itself.
            self.bonds.remove(id);
        }
    }

    /// Whether something of the endpoint's own is still open: its listener, or its session.
    pub(crate) fn is_releasing(&self, id: EndpointId) -> bool {
        self.bonds.get(id).is_some_and(Bond::own_lives)
    }

    /// The endpoint that is being taken back and still has something of its own open.
    pub(crate) fn releasing(&self, text: &str) -> Option<EndpointId> {
        let mut found = self.bonds.called(text);
        found.find_map(|(id, bond)| (bond.closing && bond.own_lives()).then_some(id))
    }

    /// Whether every endpoint that the socket connects to has a peer there now; of a socket that
    /// connects to none, whether it has a peer.
    pub(crate) fn is_connected(&self) -> bool {
        let is_up = |key: &Key| self.pipes.get(*key).is_some_and(PipeEnd::is_joined);
        let bonds = self.bonds.iter().map(|(_, bond)| bond);
        let connects = |bond: &&Bond| bond.kind == BondKind::Connected && !bond.closing;
        let mut connected = bonds.filter(connects).peekable();
        if connected.peek().is_none() {
            return self.pipes.iter().any(|(_, pipe)| pipe.is_joined());
        }
        connected.all(|bond| bond.pipes().iter().any(is_up))
    }

    /// Has the monitor told what waits in each pipe; returns how many pipes there are.
    pub(crate) fn report_pipes(&self) -> usize {
        let bonds = self.bonds.iter();
        let bond_of: HashMap<Key, &Bond> = bonds
            .flat_map(|(_, bond)| bond.pipes().iter().map(move |key| (*key, bond)))
            .collect();
        for (key, pipe) in self.pipes.iter() {
            let Queued { outbound, inbound } = pipe.queued();
            let kind = EventKind::PipeStatistics { outbound, inbound };
            let ends = pipe.endpoints();
            let ends = ends.unwrap_or_else(|| Arc::new(unconnected(bond_of.get(&key).copied())));
            let event = Event::new(kind, &ends.local, &ends.remote);
            self.events.emit(event.with_peer(pipe.peer().cloned()));
        }
        self.pipes.len()
    }

    /// Refuses until so many peers have subscribed to something.
    pub(crate) fn has_subscribers(&mut self, peers: usize) -> Result<(), Refused> {
        self.pattern.has_subscribers(&mut self.pipes, peers)
    }

    /// The endpoint of the last bind, resolved, or of the last connect; empty before.
    pub(crate) fn last_endpoint(&self) -> &str {
        &self.last_endpoint
    }

    /// The endpoints in use, for reports.
    pub(crate) fn addresses(&self) -> &Arc<Addresses> {
        self.bonds.addresses()
    }

    fn new_bond(&mut self, text: &str, resolved: &str, kind: BondKind) -> EndpointId {
        resolved.clone_into(&mut self.last_endpoint);
        self.bonds.insert(text, resolved, kind)
    }

    /// These types would gain nothing from a second connection to the same place but doubled
    /// messages.
    fn connects_once(&self) -> bool {
        use SocketType::{DEALER, PUB, REQ, SUB};
        matches!(self.socket_type(), DEALER | SUB | PUB | REQ)
    }

    fn is_connected_to(&self, text: &str) -> bool {
        let mut bonds = self.bonds.called(text);
        bonds.any(|(_, bond)| bond.kind == BondKind::Connected && !bond.closing)
    }

    fn choose_thread(&self) -> Result<usize, Error> {
        IoHandle::choose(&self.around.threads, self.options.affinity).ok_or(Error::NoIoThread)
    }

    fn parent(&self, endpoint: EndpointId) -> Parent {
        let mut options = self.options.clone();
        if options.use_fd.is_some() {
            // It is for a bind to come, and whoever has it keeps it open.
            options.use_fd = None;
        }
        Parent {
            mailbox: self.mailbox.clone(),
            endpoint,
            options,
            events: self.events.clone(),
            doorkeeper: self.around.registry.clone(),
            roster: self.roster.clone(),
            protocol: self.protocol.clone(),
        }
    }

    fn origin(&mut self) -> Origin {
        Origin {
            routing_id: self.connect_routing_id.take(),
            ..Origin::default()
        }
    }

    fn greeting(&self) -> Greeting {
        Greeting {
            introduction: self.introduction(),
            hello: self.options.hello(),
        }
    }

    /// What an inproc peer is told in place of a handshake.
    fn introduction(&self) -> Msg {
        let mut metadata = Metadata::new();
        let name = self.socket_type().name();
        metadata.insert(Metadata::SOCKET_TYPE, name.as_bytes());
        if !self.options.routing_id.is_empty() {
            metadata.insert(Metadata::IDENTITY, &self.options.routing_id);
        }
        for (name, value) in &self.options.metadata {
            metadata.insert(name, value);
        }
        Msg::peer(Arc::new(metadata))
    }

    fn take_pipe(&mut self, end: PipeEnd, endpoint: EndpointId, origin: Origin) {
        let key = self.pipes.insert(end);
        if let Some(pipe) = self.pipes.get_mut(key) {
            pipe.attach(self.mailbox.clone(), key);
        }
        if let Some(bond) = self.bonds.get_mut(endpoint) {
            bond.add_pipe(key, &self.pipes);
        }
        self.pattern.attach(&mut self.pipes, key, origin);
    }

    // ── messages ─────────────────────────────────────────────────────────────────────────────

    /// Sends a frame, see [`Pattern::send`].
    #[inline(always)]
    pub(crate) fn send(&mut self, msg: &mut Msg) -> Result<(), Refused> {
        let more = msg.more();
        self.pattern.send(&mut self.pipes, msg)?;
        self.after_send(more);
        Ok(())
    }

    /// Sends a frame with a copy of `body`, see [`Pattern::send`].
    #[inline(always)]
    pub(crate) fn send_copy(&mut self, body: &[u8], more: bool) -> Result<(), Refused> {
        self.scratch.refill(body, more);
        let sent = self.pattern.send(&mut self.pipes, &mut self.scratch);
        // If nobody took it, it may be large.
        self.scratch.give_back();
        sent?;
        self.after_send(more);
        Ok(())
    }

    #[inline(always)]
    fn after_send(&mut self, more: bool) {
        self.sends_more = more;
        if self.feeds_wait && !more {
            self.let_feeds_in();
        }
    }

    /// Keeps what is sent from now on back until [`SocketBase::flush`].
    pub(crate) fn hold(&mut self) {
        self.pipes.hold();
    }

    /// Makes visible to its receivers what was kept back.
    pub(crate) fn flush(&mut self) {
        self.pipes.flush();
    }

    /// Whether [`SocketBase::keep_pace`] may have something to do.
    #[inline(always)]
    pub(crate) fn has_sent_large(&self) -> bool {
        self.pipes.has_large()
    }

    /// Waits a while, if the receiver of the large message sent last is far behind, see [`Pace`].
    #[cold]
    pub(crate) fn keep_pace(&mut self) {
        if self.sends_more || self.options.send_timeout == Some(Duration::ZERO) {
            return;
        }
        let Some(Large { to, len }) = self.pipes.take_large() else {
            return;
        };
        let allowed = Pace::allowed(len);
        let is_far = |pipe: &mut PipeEnd| pipe.lead(allowed) > allowed;
        if !self.pipes.get_mut(to).is_some_and(is_far) {
            return;
        }
        // What is held back no receiver can read.
        self.pipes.flush();
        if let Some(pipe) = self.pipes.get_mut(to) {
            self.pace.keep(len, |enough| pipe.lead(enough));
        }
    }

    #[cold]
    fn let_feeds_in(&mut self) {
        self.feeds_wait = false;
        self.mailbox.post(SocketCmd::Resume);
    }

    /// Receives a frame, see [`Pattern::recv`].
    #[inline(always)]
    pub(crate) fn recv(&mut self, into: &mut Msg) -> Result<(), Refused> {
        self.pipes
            .set_when_empty(WhenEmpty::with_spin(self.options.spin));
        let mut received = self.pattern.recv(&mut self.pipes, into);
        if received.is_err() {
            received = self.recv_dozing(into, received);
        }
        self.pipes.set_when_empty(WhenEmpty::Sleep);
        received?;
        self.receives_more = into.more();
        Ok(())
    }

    /// Where pipes doze, lets messages gather and looks once more.
    #[cold]
    fn recv_dozing(
        &mut self,
        into: &mut Msg,
        mut received: Result<(), Refused>,
    ) -> Result<(), Refused> {
        while received.is_err() && self.pipes.take_dozing() {
            signaler::let_gather();
            received = self.pattern.recv(&mut self.pipes, into);
        }
        received
    }

    /// Whether the message that the last frame received belongs to goes on.
    pub(crate) fn receives_more(&self) -> bool {
        self.receives_more
    }

    pub(crate) fn can_send(&mut self) -> bool {
        self.pattern.can_send(&mut self.pipes)
    }

    pub(crate) fn can_recv(&mut self) -> bool {
        self.pattern.can_recv(&mut self.pipes)
    }

    /// # Errors
    /// [`Error::InvalidArgument`] if the socket type has no such option.
    pub(crate) fn set_pattern(&mut self, option: PatternOption) -> Result<(), Error> {
        let set = self.pattern.set(&mut self.pipes, option);
        self.pipes.flush();
        set
    }

    pub(crate) fn peer_is_writable(&mut self, routing_id: &[u8]) -> Result<bool, Refused> {
        self.pattern.peer_is_writable(&mut self.pipes, routing_id)
    }

    /// Makes a ROUTER raw, or no longer raw, before it is bound or connected.
    ///
    /// # Errors
    /// As for [`SocketBase::set_pattern`]; none, as either kind of ROUTER has these options.
    pub(crate) fn set_router_raw(&mut self, raw: bool) -> Result<(), Error> {
        self.options.raw = raw;
        self.pattern = if raw {
            pattern::raw_router()
        } else {
            pattern::for_type(SocketType::ROUTER)
        };
        let flags = self.options.pattern.clone();
        self.set_pattern(PatternOption::RouterMandatory(flags.router_mandatory))?;
        self.set_pattern(PatternOption::RouterHandover(flags.router_handover))?;
        self.set_pattern(PatternOption::ProbeRouter(flags.probe_router))
    }

    /// Whether the socket was ever bound or connected.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.bonds.had_any()
    }

    /// The routing id of the peer that the last connect leads to; ROUTER and STREAM.
    pub(crate) fn last_routing_id(&self) -> Option<&Bytes> {
        self.pattern
            .routing_id_of(*self.bonds.last()?.pipes().last()?)
    }

    /// The number of the peer that the last connect leads to; SERVER and PEER.
    pub(crate) fn last_peer_id(&self) -> Option<u32> {
        self.pattern.peer_id_of(*self.bonds.last()?.pipes().last()?)
    }

    /// Ends the connection with the peer of a number; false if there is none.
    pub(crate) fn disconnect_peer(&mut self, id: u32) -> bool {
        let Some(key) = self.pattern.peer_by_id(id) else {
            return false;
        };
        self.pattern.detach(&mut self.pipes, key);
        // A session takes its endpoint along when it goes; over inproc there is none.
        let is_its = |bond: &Bond| {
            let is_inproc = bond.text.starts_with("inproc://");
            bond.kind == BondKind::Connected && is_inproc && bond.pipes().contains(&key)
        };
        let found = self.bonds.iter().find(|(_, bond)| is_its(bond));
        if let Some((id, _)) = found {
            self.bonds.remove(id);
        }
        true
    }

    /// See [`Pattern::topics_count`].
    pub(crate) fn topics_count(&self) -> Option<usize> {
        self.pattern.topics_count()
    }

    /// Changes the high-water marks of all pipes.
    pub(crate) fn apply_hwm(&mut self) {
        let (send, recv) = (self.options.send_hwm, self.options.recv_hwm);
        for key in self.pipes.keys() {
            if let Some(pipe) = self.pipes.get_mut(key) {
                pipe.set_hwm(send, recv);
            }
            self.pattern.on_writable(&mut self.pipes, key);
        }
    }

    // ── the end ──────────────────────────────────────────────────────────────────────────────

    /// Frees the names of the context that the socket is bound to. What it sent to names that
    /// nobody has yet can still be had while it lingers.
    pub(crate) fn give_up_names(&self, now: Instant) {
        let linger = self.options.linger.get();
        let expires = linger.map(|linger| now + linger);
        self.around.registry.forget(&self.mailbox, now, expires);
    }

    /// Ends everything the socket has, but for its names; it is over when [`SocketBase::is_over`] says so.
    pub(crate) fn close(&mut self) {
        let linger = self.options.linger.get();
        self.closing = Some(linger);
        for (_, bond) in self.bonds.iter() {
            self.close_listener(bond);
        }
        self.pipes = Pipes::new();
        self.feeds = Feeds::new();
        for child in self.bonds.iter().flat_map(|(_, bond)| bond.children()) {
            self.close_child(child, linger);
        }
    }

    /// Whether a closed socket's last child is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.closing.is_some() && self.children == 0
    }
}

/// The ends of a pipe that has no connection: what the application has said.
fn unconnected(bond: Option<&Bond>) -> EndpointPair {
    let Some(bond) = bond else {
        return EndpointPair::default();
    };
    let (text, unknown) = (bond.resolved.to_string(), String::new());
    let (local, remote) = match bond.kind {
        BondKind::Bound => (text, unknown),
        BondKind::Connected => (unknown, text),
    };
    EndpointPair { local, remote }
}

impl Drop for SocketBase {
    fn drop(&mut self) {
        self.mailbox.close();
        self.events.stop();
    }
}
