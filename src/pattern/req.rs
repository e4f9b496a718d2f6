//! REQ: asks one peer at a time, and waits for its answer.
//!
//! It owns the state of the exchange: whom it asked, and the request's number. It never gives the
//! application anything but the answer to its last request: what comes from others, is late, or
//! has not the form of a reply is dropped unseen.

use crate::error::Error;
use crate::msg::Msg;
use crate::pattern::dealer::Dealer;
use crate::pattern::{Origin, Pattern, PatternOption, Refused};
use crate::pipe::Pipes;
use crate::slab::Key;

/// What the reply to a request must be like.
#[derive(Clone, Copy, Debug)]
struct Expected {
    from: Key,
    /// The number of the request, if requests are numbered.
    id: Option<[u8; 4]>,
}

/// Where in the exchange it is.
#[derive(Debug)]
enum State {
    /// Waits for a request of the application's.
    Idle,
    /// The request is being sent.
    Sending(Expected),
    /// The request is sent.
    Waiting(Expected),
    /// The reply is there; this is its body's first frame.
    Answered(Msg),
    /// The reply's body is being received.
    Receiving,
}

/// REQ, as in the module's text.
#[derive(Debug)]
pub(crate) struct Req {
    dealer: Dealer,
    state: State,
    next_id: u32,
    correlate: bool,
    relaxed: bool,
}

impl Req {
    pub(crate) fn new() -> Self {
        Self {
            dealer: Dealer::default(),
            state: State::Idle,
            next_id: fastrand::u32(..),
            correlate: false,
            relaxed: false,
        }
    }

    // ── asking ───────────────────────────────────────────────────────────────────────────────

    fn begin(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        let id = self.correlate.then(|| self.next_id.to_be_bytes());
        let from = self.write_envelope(pipes, id).ok_or(Refused::WouldBlock)?;
        self.next_id = self.next_id.wrapping_add(1);
        self.dealer.skip_message(pipes);
        if let Some(pipe) = pipes.get_mut(from) {
            // Replies to earlier requests.
            pipe.discard_unread();
        }
        self.proceed(pipes, Expected { from, id }, msg);
        Ok(())
    }

    /// Begins a message to the next peer that has room, and returns that peer.
    fn write_envelope(&mut self, pipes: &mut Pipes, id: Option<[u8; 4]>) -> Option<Key> {
        let frames = id.map(Msg::from).into_iter().chain([Msg::new()]);
        let mut to = None;
        for mut frame in frames {
            frame.set_more(true);
            let taken_by = self.dealer.send_to_next(pipes, &mut frame).ok()?;
            to = to.or(taken_by);
        }
        to
    }

    /// Writes a frame of the body. In the middle of a message that is never refused: if the peer
    /// went, the request is lost with it, and there will be no reply.
    fn proceed(&mut self, pipes: &mut Pipes, expected: Expected, msg: &mut Msg) {
        self.state = if msg.more() {
            State::Sending(expected)
        } else {
            State::Waiting(expected)
        };
        let _ = self.dealer.send_to_next(pipes, msg);
    }

    // ── being answered ───────────────────────────────────────────────────────────────────────

    /// Reads the first frame of the reply's body, if the reply is there. Drops everything before it.
    fn take_reply(&mut self, pipes: &mut Pipes, expected: Expected, into: &mut Msg) -> bool {
        while let Some(key) = self.dealer.recv_from(pipes, into) {
            if key == expected.from && self.open(pipes, expected, into) {
                return true;
            }
            self.dealer.skip_message(pipes);
        }
        false
    }

    /// Goes on from a reply's first frame to the first of its body; false if the envelope is not as
    /// it must be.
    fn open(&mut self, pipes: &mut Pipes, expected: Expected, frame: &mut Msg) -> bool {
        if let Some(id) = expected.id {
            let is_ours = frame.more() && *frame == id;
            if !is_ours || self.dealer.recv_from(pipes, frame).is_none() {
                return false;
            }
        }
        let is_delimiter = frame.more() && frame.is_empty();
        is_delimiter && self.dealer.recv_from(pipes, frame).is_some()
    }
}

impl Pattern for Req {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, origin: Origin) {
        self.dealer.attach(pipes, key, origin);
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.dealer.detach(pipes, key);
    }

    fn on_readable(&mut self, pipes: &mut Pipes, key: Key) {
        self.dealer.on_readable(pipes, key);
    }

    fn on_writable(&mut self, pipes: &mut Pipes, key: Key) {
        self.dealer.on_writable(pipes, key);
    }

    /// If that was the peer that was asked, the wait goes on: only a relaxed REQ asks again.
    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.dealer.on_closed(pipes, key);
    }

    fn on_hiccup(&mut self, pipes: &mut Pipes, key: Key) {
        self.dealer.on_hiccup(pipes, key);
    }

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        match self.state {
            State::Idle => self.begin(pipes, msg),
            State::Sending(expected) => {
                self.proceed(pipes, expected, msg);
                Ok(())
            }
            State::Waiting(_) | State::Answered(_) | State::Receiving if self.relaxed => {
                self.begin(pipes, msg)
            }
            State::Waiting(_) | State::Answered(_) | State::Receiving => Err(Refused::Fsm),
        }
    }

    fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused> {
        match &mut self.state {
            State::Waiting(expected) => {
                let expected = *expected;
                if !self.take_reply(pipes, expected, into) {
                    return Err(Refused::WouldBlock);
                }
            }
            State::Answered(frame) => *into = std::mem::take(frame),
            State::Receiving => self.dealer.recv(pipes, into)?,
            State::Idle | State::Sending(_) => return Err(Refused::Fsm),
        }
        self.state = if into.more() {
            State::Receiving
        } else {
            State::Idle
        };
        Ok(())
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        match self.state {
            State::Idle | State::Sending(_) => self.dealer.can_send(pipes),
            State::Waiting(_) | State::Answered(_) | State::Receiving => {
                self.relaxed && self.dealer.can_send(pipes)
            }
        }
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        match self.state {
            State::Waiting(expected) => {
                let mut body = Msg::new();
                let is_there = self.take_reply(pipes, expected, &mut body);
                if is_there {
                    self.state = State::Answered(body);
                }
                is_there
            }
            State::Answered(_) | State::Receiving => true,
            State::Idle | State::Sending(_) => false,
        }
    }

    fn set(&mut self, pipes: &mut Pipes, option: PatternOption) -> Result<(), Error> {
        if let PatternOption::ReqCorrelate(on) = option {
            self.correlate = on;
        } else if let PatternOption::ReqRelaxed(on) = option {
            self.relaxed = on;
        } else {
            return self.dealer.set(pipes, option);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
