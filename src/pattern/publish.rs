//! [`Publish`]: XPUB and PUB, which send each message to the peers that subscribed to it.
//!
//! It owns who subscribed to what, and the events that the application has not read yet. PUB is
//! XPUB that gives its application nothing to read. It never waits for a subscriber: who has no
//! room misses the message, unless the application asked to be refused instead.

use std::collections::{HashMap, VecDeque};

use crate::error::Error;
use crate::msg::{Kind, Msg};
use crate::pattern::upstream::{self, Request, Role, Upstream};
use crate::pattern::{Origin, Pattern, PatternOption, Refused, no_such_option};
use crate::pipe::{PipeEnd, Pipes};
use crate::routing::dist::Dist;
use crate::routing::subscriptions::Subscribers;
use crate::slab::Key;
use crate::ypipe::Pop;

/// With this many events of a peer unread, XPUB reads no more from that peer until the
/// application has read some: a flood ends where it began, not in our memory, and is nothing to
/// the other peers.
const MAX_EVENTS: usize = 1000;

/// How many messages are read from a peer before the caller gets its turn.
const BUDGET: usize = 1000;

/// What the application reads next from an XPUB.
#[derive(Debug)]
struct Event {
    frame: Msg,
    /// The peer that it came from; `None` if that peer is gone.
    peer: Option<Key>,
}

/// What is known of a peer.
#[derive(Debug, Default)]
struct Peer {
    upstream: Upstream,
    /// How many events of it the application has not read.
    unread: usize,
}

/// XPUB's options, under ZeroMQ's names.
#[derive(Debug, Default)]
struct Settings {
    verbose_subscribe: bool,
    verbose_cancel: bool,
    manual: bool,
    last_value: bool,
    nodrop: bool,
    invert_matching: bool,
    only_first: bool,
    welcome: Option<Msg>,
}

/// XPUB and PUB.
#[derive(Debug)]
pub(crate) struct Publish {
    /// Whether the application can receive: XPUB.
    receives: bool,
    settings: Settings,
    dist: Dist,
    /// The subscriptions that decide who gets what.
    subscribers: Subscribers,
    /// In manual mode: what the peers asked for, so that its end can be reported.
    requested: Subscribers,
    peers: HashMap<Key, Peer>,
    events: VecDeque<Event>,
    /// The pipes that were left before they were empty, so that no event will tell of them.
    unread: VecDeque<Key>,
    /// The peer of the last event that the application read.
    last_peer: Option<Key>,
}

impl Publish {
    /// An XPUB, or a PUB.
    pub(crate) fn new(xpub: bool) -> Self {
        Self {
            receives: xpub,
            settings: Settings::default(),
            dist: Dist::new(),
            subscribers: Subscribers::new(),
            requested: Subscribers::new(),
            peers: HashMap::new(),
            events: VecDeque::new(),
            unread: VecDeque::new(),
            last_peer: None,
        }
    }

    // ── from the subscribers ─────────────────────────────────────────────────────────────────

    /// Reads what a peer sent, up to the budget.
    fn read(&mut self, pipes: &mut Pipes, key: Key) {
        for _ in 0..BUDGET {
            if self.is_behind(key) {
                break;
            }
            match self.read_message(pipes, key) {
                Pop::Item(()) => {}
                Pop::Empty => return,
                Pop::Finished => return self.detach(pipes, key),
            }
        }
        self.unread.push_back(key);
    }

    /// Reads on where the budget, or the lack of room for events, made an end. One pipe at a
    /// time, so that the caller soon gets its turn.
    fn read_on(&mut self, pipes: &mut Pipes) {
        if let Some(key) = self.unread.pop_front() {
            self.read(pipes, key);
        }
    }

    /// Whether the application is too far behind for more of this peer's events.
    fn is_behind(&self, key: Key) -> bool {
        let peer = self.peers.get(&key);
        peer.is_some_and(|peer| peer.unread >= MAX_EVENTS)
    }

    /// Messages are read whole, so that those of two peers are never mixed.
    fn read_message(&mut self, pipes: &mut Pipes, key: Key) -> Pop<()> {
        loop {
            match pipes.get_mut(key).map_or(Pop::Finished, PipeEnd::read) {
                Pop::Item(frame) => {
                    let more = frame.more();
                    self.on_frame(key, frame);
                    if !more {
                        return Pop::Item(());
                    }
                }
                Pop::Empty => return Pop::Empty,
                Pop::Finished => return Pop::Finished,
            }
        }
    }

    fn on_frame(&mut self, key: Key, frame: Msg) {
        let peer = self.peers.entry(key).or_default();
        match peer.upstream.next(&frame, self.settings.only_first) {
            Role::Data => self.report(frame, Some(key)),
            Role::Part(request) => {
                self.obey(request, upstream::topic(&frame), key);
                self.report(frame, Some(key));
            }
            Role::Request(request) => {
                let topic = upstream::topic(&frame);
                if self.obey(request, topic, key) {
                    let mut event = upstream::event(request, topic);
                    event.set_metadata(frame.shared_metadata());
                    self.report(event, Some(key));
                }
            }
        }
    }

    /// Applies a peer's request, or in manual mode only notes it. Returns whether the application
    /// wants to know.
    fn obey(&mut self, request: Request, topic: &[u8], key: Key) -> bool {
        let manual = self.settings.manual;
        let store = if manual {
            &mut self.requested
        } else {
            &mut self.subscribers
        };
        match request {
            Request::Subscribe => {
                store.add(topic, key) || manual || self.settings.verbose_subscribe
            }
            Request::Cancel => store.remove(topic, key) || manual || self.settings.verbose_cancel,
        }
    }

    /// Gives the application something to read; PUB's has no use for it.
    fn report(&mut self, frame: Msg, peer: Option<Key>) {
        if self.receives {
            // A subscription that is part of a message is nothing but that to the application.
            let frame = frame.of_kind(Kind::Data);
            if let Some(known) = peer.and_then(|key| self.peers.get_mut(&key)) {
                known.unread += 1;
            }
            self.events.push_back(Event { frame, peer });
        }
    }

    /// Ends all subscriptions of a peer that goes.
    fn forget(&mut self, key: Key) {
        let (manual, all) = (self.settings.manual, self.settings.verbose_cancel);
        let mut ended = Vec::new();
        self.requested.remove_pipe(key, |topic, _| {
            if manual {
                ended.push(topic);
            }
        });
        self.subscribers.remove_pipe(key, |topic, last| {
            if !manual && (last || all) {
                ended.push(topic);
            }
        });
        for topic in ended {
            self.report(upstream::event(Request::Cancel, &topic), None);
        }
    }

    /// The peer that the application's manual subscriptions are for, if it is still there.
    fn manual_peer(&self) -> Result<Option<Key>, Error> {
        if !self.settings.manual {
            return Err(Error::InvalidArgument(
                "subscriptions are the peers' unless the socket is in manual mode",
            ));
        }
        Ok(self.last_peer.filter(|key| self.peers.contains_key(key)))
    }

    // ── to the subscribers ───────────────────────────────────────────────────────────────────

    /// Chooses who gets the message that begins with this frame.
    fn choose(&mut self, first: &Msg) {
        self.dist.unmatch_all();
        let only = self.settings.last_value.then(|| self.last_peer.take());
        let only = only.flatten();
        for key in self.subscribers.matching(first) {
            if only.is_none_or(|only| only == key) {
                self.dist.match_key(key);
            }
        }
        if self.settings.invert_matching {
            self.dist.reverse_match();
        }
    }

    fn welcome(&self, pipes: &mut Pipes, key: Key) {
        if let (Some(welcome), Some(pipe)) = (&self.settings.welcome, pipes.get_mut(key)) {
            // A pipe that is full or closed from the start can do without.
            let _ = pipe.write(&mut welcome.clone());
            pipe.flush();
        }
    }
}

impl Pattern for Publish {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, _origin: Origin) {
        self.peers.insert(key, Peer::default());
        self.dist.insert(key);
        self.welcome(pipes, key);
        self.read(pipes, key);
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.dist.remove(key);
        self.peers.remove(&key);
        self.forget(key);
        pipes.remove(key);
    }

    fn on_readable(&mut self, pipes: &mut Pipes, key: Key) {
        self.read(pipes, key);
    }

    fn on_writable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.dist.on_writable(key);
    }

    /// The peer's last words count: they are read like all others, up to the end.
    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.dist.remove(key);
        self.read(pipes, key);
    }

    /// What a subscriber forgot is no matter to the publisher: it hears the subscriptions again.
    fn on_hiccup(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        self.read_on(pipes);
        if !self.dist.is_mid_message() {
            self.choose(msg);
            if self.settings.nodrop && !self.dist.all_matching_keep_up(pipes) {
                return Err(Refused::WouldBlock);
            }
        }
        self.dist.send_to_matching(pipes, msg);
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused> {
        if !self.receives {
            return Err(Refused::NotSupported);
        }
        self.read_on(pipes);
        match self.events.pop_front() {
            Some(event) => {
                self.last_peer = event.peer;
                if let Some(peer) = event.peer.and_then(|key| self.peers.get_mut(&key)) {
                    peer.unread -= 1;
                }
                *into = event.frame;
                Ok(())
            }
            None if self.unread.is_empty() => Err(Refused::WouldBlock),
            None => Err(Refused::Yield),
        }
    }

    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        true
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.read_on(pipes);
        self.receives && !(self.events.is_empty() && self.unread.is_empty())
    }

    fn has_subscribers(&mut self, pipes: &mut Pipes, peers: usize) -> Result<(), Refused> {
        self.read_on(pipes);
        if self.subscribers.pipes() >= peers {
            return Ok(());
        }
        // Who is behind is not read on before the application has received.
        let more = self.unread.iter().any(|key| !self.is_behind(*key));
        Err(if more {
            Refused::Yield
        } else {
            Refused::WouldBlock
        })
    }

    fn set(&mut self, _pipes: &mut Pipes, option: PatternOption) -> Result<(), Error> {
        match option {
            PatternOption::Subscribe(topic) => {
                if let Some(key) = self.manual_peer()? {
                    self.subscribers.add(&topic, key);
                }
            }
            PatternOption::Unsubscribe(topic) => {
                if let Some(key) = self.manual_peer()? {
                    self.subscribers.remove(&topic, key);
                }
            }
            PatternOption::XpubVerbose(on) => {
                self.settings.verbose_subscribe = on;
                self.settings.verbose_cancel = false;
            }
            PatternOption::XpubVerboser(on) => {
                self.settings.verbose_subscribe = on;
                self.settings.verbose_cancel = on;
            }
            PatternOption::XpubManual(on) => self.settings.manual = on,
            PatternOption::XpubManualLastValue(on) => {
                self.settings.manual = on;
                self.settings.last_value = on;
            }
            PatternOption::XpubNodrop(on) => self.settings.nodrop = on,
            PatternOption::XpubWelcome(welcome) => {
                self.settings.welcome = welcome
                    .filter(|welcome| !welcome.is_empty())
                    .map(|welcome| welcome.body_clone());
            }
            PatternOption::InvertMatching(on) => self.settings.invert_matching = on,
            PatternOption::OnlyFirstSubscribe(on) => self.settings.only_first = on,
            PatternOption::RouterMandatory(_)
            | PatternOption::RouterHandover(_)
            | PatternOption::ProbeRouter(_)
            | PatternOption::ReqCorrelate(_)
            | PatternOption::ReqRelaxed(_)
            | PatternOption::XsubVerboseUnsubscribe(_)
            | PatternOption::Join(_)
            | PatternOption::Leave(_) => {
                return Err(no_such_option());
            }
        }
        Ok(())
    }

    fn topics_count(&self) -> Option<usize> {
        Some(self.subscribers.len())
    }
}

#[cfg(test)]
mod tests;
