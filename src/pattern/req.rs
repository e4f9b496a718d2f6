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

    fn begin(&mut self, pipes: &mut Pipes, msg: Msg) -> Result<(), (Refused, Msg)> {
        let id = self.correlate.then(|| self.next_id.to_be_bytes());
        let Some(from) = self.write_envelope(pipes, id) else {
            return Err((Refused::WouldBlock, msg));
        };
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
            let taken_by = self.dealer.send_to_next(pipes, frame).ok()?;
            to = to.or(taken_by);
        }
        to
    }

    /// Writes a frame of the body. In the middle of a message that is never refused: if the peer
    /// went, the request is lost with it, and there will be no reply.
    fn proceed(&mut self, pipes: &mut Pipes, expected: Expected, msg: Msg) {
        self.state = if msg.more() {
            State::Sending(expected)
        } else {
            State::Waiting(expected)
        };
        let _ = self.dealer.send_to_next(pipes, msg);
    }

    // ── being answered ───────────────────────────────────────────────────────────────────────

    /// Goes on to the reply, if it is there. Drops everything before it.
    fn take_reply(&mut self, pipes: &mut Pipes, expected: Expected) -> bool {
        while let Some((key, frame)) = self.dealer.recv_from(pipes) {
            if key == expected.from {
                if let Some(body) = self.open(pipes, expected, frame) {
                    self.state = State::Answered(body);
                    return true;
                }
            }
            self.dealer.skip_message(pipes);
        }
        false
    }

    /// The first frame of the body behind a reply's envelope; `None` if the envelope is not as it
    /// must be.
    fn open(&mut self, pipes: &mut Pipes, expected: Expected, mut frame: Msg) -> Option<Msg> {
        if let Some(id) = expected.id {
            if !frame.more() || frame != id {
                return None;
            }
            frame = self.dealer.recv_from(pipes)?.1;
        }
        if !frame.more() || !frame.is_empty() {
            return None;
        }
        Some(self.dealer.recv_from(pipes)?.1)
    }

    /// Takes note of a frame of the reply that the application gets.
    fn received(&mut self, frame: Msg) -> Msg {
        self.state = if frame.more() {
            State::Receiving
        } else {
            State::Idle
        };
        frame
    }

    fn recv_body(&mut self, pipes: &mut Pipes) -> Result<Msg, Refused> {
        let (_, frame) = self.dealer.recv_from(pipes).ok_or(Refused::WouldBlock)?;
        Ok(self.received(frame))
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

    fn send(&mut self, pipes: &mut Pipes, msg: Msg) -> Result<(), (Refused, Msg)> {
        match self.state {
            State::Idle => self.begin(pipes, msg),
            State::Sending(expected) => {
                self.proceed(pipes, expected, msg);
                Ok(())
            }
            State::Waiting(_) | State::Answered(_) | State::Receiving if self.relaxed => {
                self.begin(pipes, msg)
            }
            State::Waiting(_) | State::Answered(_) | State::Receiving => Err((Refused::Fsm, msg)),
        }
    }

    fn flush(&mut self, pipes: &mut Pipes) {
        self.dealer.flush(pipes);
    }

    fn recv(&mut self, pipes: &mut Pipes) -> Result<Msg, Refused> {
        if let State::Waiting(expected) = self.state {
            if !self.take_reply(pipes, expected) {
                return Err(Refused::WouldBlock);
            }
        }
        match std::mem::replace(&mut self.state, State::Receiving) {
            State::Answered(frame) => Ok(self.received(frame)),
            State::Receiving => self.recv_body(pipes),
            state @ (State::Idle | State::Sending(_) | State::Waiting(_)) => {
                self.state = state;
                Err(Refused::Fsm)
            }
        }
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
            State::Waiting(expected) => self.take_reply(pipes, expected),
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
