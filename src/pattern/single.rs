//! [`Single`]: any pattern, with messages of one frame only: CLIENT is a DEALER of that kind, CHANNEL
//! a PAIR, SCATTER a PUSH, GATHER a PULL.
//!
//! It owns the pattern, and the message that it has read ahead. It refuses frames that others are to
//! follow, and drops what a peer sends in several frames.

use crate::error::Error;
use crate::msg::Msg;
use crate::pattern::{Origin, Pattern, PatternOption, Refused, no_such_option};
use crate::pipe::Pipes;
use crate::slab::Key;

/// How many frames that are of no use are dropped before the caller gets its turn.
const BUDGET: usize = 1000;

/// Why a frame with others behind it is not sent.
pub(super) const ONE_FRAME: Refused = Refused::Invalid("the socket type's messages have one frame");

/// A pattern with messages of one frame.
#[derive(Debug)]
pub(crate) struct Single<P> {
    inner: P,
    /// What is received next, if it was read already.
    next: Option<Msg>,
    /// The last frame read has others behind it.
    skipping: bool,
}

impl<P: Pattern> Single<P> {
    pub(crate) fn new(inner: P) -> Self {
        Self {
            inner,
            next: None,
            skipping: false,
        }
    }

    /// Reads the next message of one frame, and drops what comes before it.
    fn read(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused> {
        for _ in 0..BUDGET {
            self.inner.recv(pipes, into)?;
            let is_rest = std::mem::replace(&mut self.skipping, into.more());
            if !is_rest && !into.more() {
                return Ok(());
            }
        }
        Err(Refused::Yield)
    }
}

impl<P: Pattern> Pattern for Single<P> {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, origin: Origin) {
        self.inner.attach(pipes, key, origin);
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.inner.detach(pipes, key);
    }

    fn on_readable(&mut self, pipes: &mut Pipes, key: Key) {
        self.inner.on_readable(pipes, key);
    }

    fn on_writable(&mut self, pipes: &mut Pipes, key: Key) {
        self.inner.on_writable(pipes, key);
    }

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.inner.on_closed(pipes, key);
    }

    fn on_hiccup(&mut self, pipes: &mut Pipes, key: Key) {
        self.inner.on_hiccup(pipes, key);
    }

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        if msg.more() {
            return Err(ONE_FRAME);
        }
        self.inner.send(pipes, msg)
    }

    fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused> {
        let Some(next) = self.next.take() else {
            return self.read(pipes, into);
        };
        *into = next;
        Ok(())
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.inner.can_send(pipes)
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        if self.next.is_none() {
            let mut next = Msg::new();
            match self.read(pipes, &mut next) {
                Ok(()) => self.next = Some(next),
                Err(refused) => return refused == Refused::Yield,
            }
        }
        true
    }

    /// The options of the pattern inside are not those of the type.
    fn set(&mut self, _pipes: &mut Pipes, _option: PatternOption) -> Result<(), Error> {
        Err(no_such_option())
    }

    fn peer_id_of(&self, key: Key) -> Option<u32> {
        self.inner.peer_id_of(key)
    }

    fn peer_by_id(&self, id: u32) -> Option<Key> {
        self.inner.peer_by_id(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::dealer::Dealer;
    use crate::pattern::pipeline::{Pull, Push};
    use crate::pattern::testing::Rig;
    use crate::routing::testing::{frames, more};

    #[test]
    fn a_frame_with_others_behind_it_is_refused() {
        let mut client = Rig::new(Single::new(Dealer::default()));
        let server = client.connect();
        assert_eq!(client.send_frame(more("1")), Err(ONE_FRAME));
        client.send(&["2"]).unwrap();
        assert_eq!(client.hear_all(server), [frames(&["2"])]);
    }

    #[test]
    fn what_comes_in_several_frames_is_dropped_whole() {
        let mut gather = Rig::new(Single::new(Pull::default()));
        let (a, b) = (gather.connect(), gather.connect());
        gather.say(a, &["of", "three", "frames"]);
        gather.say(a, &["one"]);
        gather.say(b, &["of", "two"]);
        gather.say(b, &["another"]);
        for expected in ["one", "another"] {
            assert!(gather.can_recv());
            assert_eq!(gather.recv(), Ok(frames(&[expected])));
        }
        assert!(!gather.can_recv());
        gather.say(a, &["the", "last"]);
        assert!(!gather.can_recv());
        assert_eq!(gather.recv(), Err(Refused::WouldBlock));
    }

    #[test]
    fn a_flood_of_useless_frames_does_not_hold_the_caller() {
        let mut gather = Rig::new(Single::new(Pull::default()));
        let peer = gather.connect_hwm(0);
        for _ in 0..BUDGET {
            gather.say(peer, &["of", "two"]);
        }
        gather.say(peer, &["one"]);
        assert!(gather.can_recv(), "there may be something");
        assert_eq!(gather.recv(), Err(Refused::Yield));
        assert_eq!(gather.recv(), Ok(frames(&["one"])));
    }

    #[test]
    fn options_of_the_pattern_inside_are_refused() {
        let mut scatter = Single::new(Push::default());
        let mut client = Single::new(Dealer::default());
        let mut pipes = Pipes::new();
        let probe = PatternOption::ProbeRouter(true);
        assert!(scatter.set(&mut pipes, probe.clone()).is_err());
        assert!(client.set(&mut pipes, probe).is_err());
    }
}
