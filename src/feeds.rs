//! [`Feeds`]: what senders have sent, on its way into the pattern of their socket.
//!
//! Each sender has a pipe, a *feed*, of which the socket owns the reading end. The socket's owner
//! moves messages on when it reacts to commands, whole and from all feeds in turn, as long as the
//! pattern takes them; what it does not take stays in the feeds, whose marks stop the senders.

use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Weak};

use crate::command::SocketCmd;
use crate::mailbox::Mailbox;
use crate::msg::Msg;
use crate::pattern::Pattern;
use crate::pipe::{PipeEnd, PipeEvent, PipePeer, Pipes};
use crate::routing::fq::{Fq, Next};
use crate::slab::Key;

/// How many messages are moved before the socket's owner gets its turn.
const BUDGET: usize = 1024;

/// The address of a socket for those who send through it. The last to go tells the socket.
#[derive(Debug)]
pub(crate) struct Inlet(Arc<Mailbox<SocketCmd>>);

impl Inlet {
    /// Gives the socket the reading end of a feed; without a socket, the end is dropped.
    pub(crate) fn add(&self, feed: PipeEnd) {
        self.0.post(SocketCmd::AddFeed(Box::new(feed)));
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.0.post(SocketCmd::Resume);
    }
}

/// Has the events of feeds told apart from those of other pipes.
#[derive(Debug)]
struct FeedPeer(Arc<Mailbox<SocketCmd>>);

impl PipePeer for FeedPeer {
    fn post(&self, to: Key, event: PipeEvent) {
        self.0.post(SocketCmd::Feed(to, event));
    }
}

/// The feeds of one socket.
#[derive(Debug)]
pub(crate) struct Feeds {
    pipes: Pipes,
    fq: Fq,
    /// The first frame of a message that was read, and refused by the pattern.
    refused: Option<Msg>,
    inlet: Weak<Inlet>,
}

impl Feeds {
    pub(crate) fn new() -> Self {
        Self {
            pipes: Pipes::new(),
            fq: Fq::default(),
            refused: None,
            inlet: Weak::new(),
        }
    }

    /// The address for a new sender.
    pub(crate) fn inlet(&mut self, mailbox: &Arc<Mailbox<SocketCmd>>) -> Arc<Inlet> {
        self.inlet.upgrade().unwrap_or_else(|| {
            let inlet = Arc::new(Inlet(mailbox.clone()));
            self.inlet = Arc::downgrade(&inlet);
            inlet
        })
    }

    /// Whether there is nothing that a sender has left. More may be in the mailbox, see
    /// [`Feeds::have_senders`].
    pub(crate) fn are_empty(&self) -> bool {
        self.pipes.is_empty() && self.refused.is_none()
    }

    /// Whether a sender is there that may still send. If there is none, all that they have sent is
    /// in the feeds or in the mailbox: who wants to know whether it is over asks this first, then
    /// empties the mailbox, and then looks at the feeds.
    pub(crate) fn have_senders(&self) -> bool {
        let any = self.inlet.strong_count() > 0;
        // Acquire: partner of the release with which the last sender gave its inlet up, after it
        // had posted its feed.
        fence(Ordering::Acquire);
        any
    }

    /// Takes a new feed into use.
    pub(crate) fn add(&mut self, feed: PipeEnd, mailbox: &Arc<Mailbox<SocketCmd>>) {
        let key = self.pipes.insert(feed);
        if let Some(feed) = self.pipes.get_mut(key) {
            feed.attach(Arc::new(FeedPeer(mailbox.clone())), key);
        }
        self.fq.attach(key);
        self.remove_if_over(key);
    }

    pub(crate) fn on_event(&mut self, key: Key, event: PipeEvent) {
        if let Some(feed) = self.pipes.get_mut(key) {
            feed.on_event(event);
            self.fq.activate(key);
            self.remove_if_over(key);
        }
    }

    /// An empty feed of a sender that is gone must not wait for the pattern.
    fn remove_if_over(&mut self, key: Key) {
        let is_gone = self.pipes.get(key).is_some_and(PipeEnd::is_peer_gone);
        if is_gone && self.fq.is_over(&mut self.pipes, key) {
            self.fq.detach(&mut self.pipes, key);
            self.pipes.remove(key);
        }
    }

    /// Tells the senders to send no more. What they have sent can still be moved.
    pub(crate) fn stop(&self) {
        for (_, feed) in self.pipes.iter() {
            feed.report(false);
        }
    }

    /// Moves messages on to the pattern; returns whether there is more that it may take. To be
    /// called between messages.
    pub(crate) fn pump(&mut self, pattern: &mut dyn Pattern, pipes: &mut Pipes) -> bool {
        if self.pipes.is_empty() && self.refused.is_none() {
            return false;
        }
        pipes.hold();
        let moved = (0..BUDGET).take_while(|_| self.move_message(pattern, pipes));
        let more = moved.count() == BUDGET;
        pipes.flush();
        more
    }

    /// Moves a message on; false if there is none, or the pattern takes none.
    fn move_message(&mut self, pattern: &mut dyn Pattern, pipes: &mut Pipes) -> bool {
        let mut frame = Msg::new();
        match self.refused.take() {
            Some(refused) => frame = refused,
            None if self.next(&mut frame) => {}
            None => return false,
        }
        loop {
            let more = frame.more();
            if pattern.send(pipes, &mut frame).is_err() {
                // Only the first can be refused, and these types refuse only for want of room.
                self.refused = Some(frame);
                return false;
            }
            if !more || !self.next(&mut frame) {
                return true;
            }
        }
    }

    fn next(&mut self, into: &mut Msg) -> bool {
        loop {
            match self.fq.recv(&mut self.pipes, into) {
                Next::Frame(_) => return true,
                Next::Ended(key) => drop(self.pipes.remove(key)),
                Next::Idle => return false,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
