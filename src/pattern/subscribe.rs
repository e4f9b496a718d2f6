//! [`Subscribe`]: XSUB and SUB, which receive what they subscribed to from all their publishers.
//!
//! It owns the subscriptions and sees to it that every publisher knows them, also one that comes
//! later or comes back. XSUB's subscriptions are messages that the application sends, and it takes
//! whatever arrives; SUB's are options, and it looks at each message once more, since a publisher
//! may know less than it should or hear of an unsubscription late.

use crate::error::Error;
use crate::msg::Msg;
use crate::pattern::upstream::{self, Request, Role, Upstream};
use crate::pattern::{Origin, Pattern, PatternOption, Refused, is_peer_gone, no_such_option};
use crate::pipe::{PipeEnd, Pipes};
use crate::routing::dist::Dist;
use crate::routing::fq::{Fq, Next};
use crate::routing::subscriptions::Filter;
use crate::slab::Key;
use crate::ypipe::Pop;

/// How many messages that nobody asked for are dropped before the caller gets its turn.
const BUDGET: usize = 1000;

/// XSUB and SUB.
#[derive(Debug)]
pub(crate) struct Subscribe {
    /// Whether the application subscribes by options and gets only what matches: SUB.
    filters: bool,
    filter: Filter,
    fq: Fq,
    dist: Dist,
    /// What the application sends.
    upstream: Upstream,
    invert_matching: bool,
    only_first: bool,
    verbose_cancel: bool,
}

impl Subscribe {
    /// A SUB, or an XSUB.
    pub(crate) fn new(sub: bool) -> Self {
        Self {
            filters: sub,
            filter: Filter::new(),
            fq: Fq::default(),
            dist: Dist::new(),
            upstream: Upstream::default(),
            invert_matching: false,
            only_first: false,
            verbose_cancel: false,
        }
    }

    // ── subscriptions ────────────────────────────────────────────────────────────────────────

    /// Keeps the books; returns whether the publishers need to know. They are told of repeated
    /// subscriptions too, which further down the line somebody may want to see.
    fn enter(&mut self, request: Request, topic: &[u8]) -> bool {
        match request {
            Request::Subscribe => {
                self.filter.add(topic);
                true
            }
            Request::Cancel => self.filter.remove(topic) || self.verbose_cancel,
        }
    }

    /// Does what the application asks for, and tells the publishers.
    fn apply(&mut self, pipes: &mut Pipes, request: Request, topic: &[u8]) {
        if self.enter(request, topic) {
            let record = upstream::record(request, Msg::copied(topic));
            self.dist.tell_all(pipes, &record);
        }
    }

    /// SUB: as [`Subscribe::apply`], at once.
    fn set_topic(
        &mut self,
        pipes: &mut Pipes,
        request: Request,
        topic: &[u8],
    ) -> Result<(), Error> {
        if !self.filters {
            return Err(Error::InvalidArgument("XSUB subscribes by sending"));
        }
        self.apply(pipes, request, topic);
        Ok(())
    }

    /// Tells one publisher everything.
    fn tell_topics(&self, pipes: &mut Pipes, key: Key) {
        if let Some(pipe) = pipes.get_mut(key) {
            for topic in self.filter.topics() {
                pipe.write_uncounted(upstream::record(Request::Subscribe, topic.into()));
            }
            pipe.flush();
        }
    }

    // ── messages ─────────────────────────────────────────────────────────────────────────────

    /// Whether the message that begins with this frame is for the application.
    fn wants(&self, first: &[u8]) -> bool {
        !self.filters || self.filter.matches(first) != self.invert_matching
    }

    /// Whether the next frame, which lies in this pipe, is for the application.
    fn wants_next(&self, pipes: &mut Pipes, key: Key) -> bool {
        if self.fq.is_within_message() {
            return true;
        }
        match pipes.get_mut(key).map_or(Pop::Finished, PipeEnd::peek) {
            Pop::Item(first) => self.wants(first),
            Pop::Empty | Pop::Finished => false,
        }
    }

    fn drop_message(&mut self, pipes: &mut Pipes) {
        self.fq.recv(pipes, &mut Msg::new());
        self.fq.skip_message(pipes);
    }
}

impl Pattern for Subscribe {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, _origin: Origin) {
        self.fq.attach(key);
        self.dist.insert(key);
        self.tell_topics(pipes, key);
        if is_peer_gone(pipes, key) {
            self.on_closed(pipes, key);
        }
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.fq.detach(pipes, key);
        self.dist.remove(key);
        pipes.remove(key);
    }

    fn on_readable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.fq.activate(key);
    }

    fn on_writable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.dist.on_writable(key);
    }

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.dist.remove(key);
        if self.fq.is_over(pipes, key) {
            self.detach(pipes, key);
        }
    }

    /// What the publisher got of a message that is being sent is lost with its connection.
    fn on_hiccup(&mut self, pipes: &mut Pipes, key: Key) {
        self.dist.interrupt(pipes, key);
        self.tell_topics(pipes, key);
    }

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        if self.filters {
            return Err(Refused::NotSupported);
        }
        match self.upstream.next(msg, self.only_first) {
            Role::Data => self.dist.send_to_all(pipes, msg),
            Role::Request(request) => self.apply(pipes, request, upstream::topic(msg)),
            Role::Part(request) => {
                if !self.enter(request, upstream::topic(msg)) {
                    // The publishers must not hear this, but the message needs its frame.
                    msg.refill(&[], msg.more());
                }
                self.dist.send_to_all(pipes, msg);
            }
        }
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused> {
        for _ in 0..BUDGET {
            let within = self.fq.is_within_message();
            match self.fq.recv(pipes, into) {
                Next::Frame(_) if within || self.wants(into) => return Ok(()),
                Next::Frame(_) => self.fq.skip_message(pipes),
                Next::Ended(key) => self.detach(pipes, key),
                Next::Idle => return Err(Refused::WouldBlock),
            }
        }
        Err(Refused::Yield)
    }

    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        !self.filters
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        for _ in 0..BUDGET {
            match self.fq.peek(pipes) {
                Next::Frame(key) if self.wants_next(pipes, key) => return true,
                Next::Frame(_) => self.drop_message(pipes),
                Next::Ended(key) => self.detach(pipes, key),
                Next::Idle => return false,
            }
        }
        true
    }

    fn set(&mut self, pipes: &mut Pipes, option: PatternOption) -> Result<(), Error> {
        match option {
            PatternOption::Subscribe(topic) => {
                return self.set_topic(pipes, Request::Subscribe, &topic);
            }
            PatternOption::Unsubscribe(topic) => {
                return self.set_topic(pipes, Request::Cancel, &topic);
            }
            PatternOption::InvertMatching(on) => self.invert_matching = on,
            PatternOption::OnlyFirstSubscribe(on) => self.only_first = on,
            PatternOption::XsubVerboseUnsubscribe(on) => self.verbose_cancel = on,
            PatternOption::RouterMandatory(_)
            | PatternOption::RouterHandover(_)
            | PatternOption::ProbeRouter(_)
            | PatternOption::ReqCorrelate(_)
            | PatternOption::ReqRelaxed(_)
            | PatternOption::XpubVerbose(_)
            | PatternOption::XpubVerboser(_)
            | PatternOption::XpubManual(_)
            | PatternOption::XpubNodrop(_)
            | PatternOption::XpubWelcome(_)
            | PatternOption::XpubManualLastValue(_)
            | PatternOption::Join(_)
            | PatternOption::Leave(_) => {
                return Err(no_such_option());
            }
        }
        Ok(())
    }

    fn topics_count(&self) -> Option<usize> {
        Some(self.filter.len())
    }
}

#[cfg(test)]
mod tests;
