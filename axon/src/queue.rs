//! [`Queue`]: what waits while no peer takes it. One of push and one of req.

use std::collections::VecDeque;

use ferrozmq::Msg;
use ferrozmq::protocol::{COPY_MAX, Lb, Notifier, Pipes, Refused};

use crate::event::Notice;
use crate::options::{Options, Overflow};
use crate::value::Message;

/// Messages in the order in which they are to be sent.
#[derive(Debug)]
pub(crate) struct Queue {
    messages: VecDeque<Msg>,
    hwm: usize,
    overflow: Overflow,
    notifier: Notifier,
}

impl Queue {
    pub(crate) fn new(options: &Options, notifier: Notifier) -> Self {
        Self {
            messages: VecDeque::new(),
            hwm: options.hwm,
            overflow: options.overflow,
            notifier,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Whether a message would be taken now, be it to drop it or another.
    pub(crate) fn has_room(&self) -> bool {
        self.messages.len() < self.hwm
            || matches!(self.overflow, Overflow::DropNewest | Overflow::DropOldest)
    }

    /// Takes a message; returns the one that was dropped for it, if one was.
    ///
    /// # Errors
    /// The message is left as it is.
    pub(crate) fn push(&mut self, msg: &mut Msg) -> Result<Option<Message>, Refused> {
        if !self.has_room() {
            return Err(Refused::WouldBlock);
        }
        let msg = if msg.len() > COPY_MAX {
            std::mem::take(msg)
        } else {
            // What it was encoded in may be far larger.
            msg.clone()
        };
        if self.messages.len() < self.hwm {
            self.messages.push_back(msg);
            return Ok(None);
        }
        let dropped = match (self.overflow, self.messages.pop_front()) {
            (Overflow::DropOldest, Some(oldest)) => {
                self.messages.push_back(msg);
                oldest
            }
            (_, oldest) => {
                oldest
                    .into_iter()
                    .for_each(|oldest| self.messages.push_front(oldest));
                msg
            }
        };
        let dropped = Message::from_wire(dropped);
        if self.notifier.is_heard() {
            Notice::Drop(dropped.clone()).tell(&self.notifier);
        }
        Ok(Some(dropped))
    }

    /// Sends what waits, in order, as far as pipes take it: until `send`, which is given one after the
    /// other, says that one was not taken. Returns what was sent, if somebody wants to know.
    pub(crate) fn flush(
        &mut self,
        pipes: &mut Pipes,
        mut send: impl FnMut(&mut Pipes, &mut Msg) -> bool,
    ) -> Vec<Message> {
        let mut flushed = Vec::new();
        while let Some(first) = self.messages.front_mut() {
            let copy = self.notifier.is_heard().then(|| first.clone());
            if !send(pipes, first) {
                break;
            }
            self.messages.pop_front();
            flushed.extend(copy.map(Message::from_wire));
        }
        if self.messages.is_empty() {
            self.messages.shrink_to(64);
        }
        flushed
    }

    /// Tells that a peer is there and that these messages went first.
    pub(crate) fn tell_flushed(&self, messages: Vec<Message>) {
        if self.notifier.is_heard() {
            Notice::Flush(messages).tell(&self.notifier);
        }
    }
}

/// Sends by a load balancer.
pub(crate) fn by(lb: &mut Lb) -> impl FnMut(&mut Pipes, &mut Msg) -> bool + '_ {
    |pipes, msg| lb.send(pipes, msg).is_ok()
}
