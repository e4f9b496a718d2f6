//! REP: answers requests, one at a time.
//!
//! It owns the way back: whom the request came from, and the frames in front of it, which go in
//! front of the reply. It never fails a reply because the requester is gone or full: it drops it.

use crate::msg::Msg;
use crate::pattern::{Origin, Pattern, Refused, is_peer_gone};
use crate::pipe::Pipes;
use crate::routing::fq::{Fq, Next};
use crate::routing::write;
use crate::slab::Key;

/// How many routers a request can have come through: more frames in front of it are an abuse.
const ENVELOPE_MAX: usize = 255;

/// The way back to a requester.
#[derive(Debug)]
struct Route {
    to: Key,
    /// The routing ids that the request collected, and the empty frame behind them.
    envelope: Vec<Msg>,
}

/// Where in the exchange it is.
#[derive(Debug, Default)]
enum State {
    /// Waits for a request.
    #[default]
    Listening,
    /// Has the request's envelope; the body is being received.
    Receiving(Route),
    /// Has the request; the reply comes next.
    Asked(Route),
    /// Sends the reply to this peer.
    Replying(Key),
    /// Drops the reply, up to its end.
    Dropping,
}

/// REP, as in the module's text.
#[derive(Debug, Default)]
pub(crate) struct Rep {
    fq: Fq,
    state: State,
}

impl Rep {
    fn recv_from(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Option<Key> {
        loop {
            match self.fq.recv(pipes, into) {
                Next::Frame(key) => return Some(key),
                Next::Ended(key) => self.detach(pipes, key),
                Next::Idle => return None,
            }
        }
    }

    /// Goes on to the body of the next proper request, if there is one.
    fn take_request(&mut self, pipes: &mut Pipes) -> bool {
        let mut frame = Msg::new();
        while let Some(to) = self.recv_from(pipes, &mut frame) {
            if let Some(envelope) = self.take_envelope(pipes, &mut frame) {
                self.state = State::Receiving(Route { to, envelope });
                return true;
            }
            self.fq.skip_message(pipes);
        }
        false
    }

    /// Reads the frames from this one up to the empty one; `None` if the message has none or ends with it.
    fn take_envelope(&mut self, pipes: &mut Pipes, frame: &mut Msg) -> Option<Vec<Msg>> {
        let mut envelope = Vec::new();
        while frame.more() && envelope.len() < ENVELOPE_MAX {
            let is_delimiter = frame.is_empty();
            frame.set_metadata(None);
            envelope.push(std::mem::take(frame));
            if is_delimiter {
                return Some(envelope);
            }
            self.recv_from(pipes, frame)?;
        }
        None
    }

    /// Reads a frame of the body; the last makes it our turn to speak.
    fn recv_body(
        &mut self,
        pipes: &mut Pipes,
        route: Route,
        into: &mut Msg,
    ) -> Result<(), Refused> {
        let received = self.recv_from(pipes, into);
        self.state = if received.is_some() && !into.more() {
            State::Asked(route)
        } else {
            State::Receiving(route)
        };
        received.map(drop).ok_or(Refused::WouldBlock)
    }

    /// Writes a reply's first frame behind the envelope.
    fn begin_reply(&mut self, pipes: &mut Pipes, route: Route, msg: &mut Msg) -> State {
        let Route { to, envelope } = route;
        for mut frame in envelope {
            if write(pipes, to, &mut frame).is_err() {
                return dropping(msg.more());
            }
        }
        self.proceed(pipes, to, msg)
    }

    fn proceed(&mut self, pipes: &mut Pipes, to: Key, msg: &mut Msg) -> State {
        let more = msg.more();
        if write(pipes, to, msg).is_err() {
            return dropping(more);
        }
        if more {
            return State::Replying(to);
        }
        State::Listening
    }
}

fn dropping(more: bool) -> State {
    if more {
        State::Dropping
    } else {
        State::Listening
    }
}

impl Pattern for Rep {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, _origin: Origin) {
        self.fq.attach(key);
        if is_peer_gone(pipes, key) {
            self.on_closed(pipes, key);
        }
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.fq.detach(pipes, key);
        pipes.remove(key);
    }

    fn on_readable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.fq.activate(key);
    }

    /// Whether a requester has room is asked when there is a reply for it.
    fn on_writable(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        if self.fq.is_over(pipes, key) {
            self.detach(pipes, key);
        }
    }

    fn on_hiccup(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        self.state = match std::mem::take(&mut self.state) {
            State::Asked(route) => self.begin_reply(pipes, route, msg),
            State::Replying(to) => self.proceed(pipes, to, msg),
            State::Dropping => dropping(msg.more()),
            state @ (State::Listening | State::Receiving(_)) => {
                self.state = state;
                return Err(Refused::Fsm);
            }
        };
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused> {
        if matches!(self.state, State::Listening) && !self.take_request(pipes) {
            return Err(Refused::WouldBlock);
        }
        match std::mem::take(&mut self.state) {
            State::Receiving(route) => self.recv_body(pipes, route, into),
            state @ (State::Listening | State::Asked(_) | State::Replying(_) | State::Dropping) => {
                self.state = state;
                Err(Refused::Fsm)
            }
        }
    }

    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        match self.state {
            State::Asked(_) | State::Replying(_) | State::Dropping => true,
            State::Listening | State::Receiving(_) => false,
        }
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        match self.state {
            State::Listening => self.take_request(pipes),
            State::Receiving(_) => true,
            State::Asked(_) | State::Replying(_) | State::Dropping => false,
        }
    }
}

#[cfg(test)]
mod tests;
