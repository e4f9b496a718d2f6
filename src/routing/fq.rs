//! [`Fq`], fair queueing: messages are taken from all pipes in turn, one whole message from each.
//!
//! It owns the order of the pipes and knows in the middle of which message it is. It never mixes
//! two messages, and never waits. A pipe that is over is reported once and forgotten; removing it
//! is the caller's part.

use std::collections::VecDeque;

use crate::msg::{Kind, Msg};
use crate::pipe::Pipes;
use crate::routing::ActiveList;
use crate::slab::Key;

use crate::ypipe::Pop;

/// What the pipes held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// A frame; it comes from this pipe.
    Frame(Key),
    /// This pipe is over: everything was read and its peer is gone. It should be removed; then
    /// ask again.
    Ended(Key),
    /// Nothing now.
    Idle,
}

/// Round robin over the pipes that have something to read, a whole message from each.
///
/// Records for the engine are no messages and are skipped.
#[derive(Debug, Default)]
pub struct Fq {
    turns: ActiveList,
    /// The pipe whose message is being read; it stays the current one meanwhile.
    within: Option<Key>,
    /// The rest of a message whose pipe was detached while it was being read.
    rest: VecDeque<Msg>,
    /// How many pipes in a row were found empty and doze.
    dozing: usize,
}

impl Fq {
    /// Takes a pipe into use.
    pub fn attach(&mut self, key: Key) {
        self.turns.insert(key);
    }

    /// A pipe has something to read again, perhaps only its end.
    pub fn activate(&mut self, key: Key) {
        self.turns.activate(key);
    }

    /// Reads no more from a pipe, except the rest of a message that has been begun. To be called
    /// before the pipe is removed.
    pub fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        if self.within == Some(key) && self.turns.contains(key) {
            self.keep_rest(pipes, key);
            self.within = (!self.rest.is_empty()).then_some(key);
        }
        self.turns.remove(key);
    }

    /// To be called when a pipe's peer is gone: whether nothing is left to read, so that the pipe
    /// can be removed at once. Otherwise the pipe becomes active, and its end will be reported.
    pub fn is_over(&mut self, pipes: &mut Pipes, key: Key) -> bool {
        self.turns.activate(key);
        pipes
            .get_mut(key)
            .is_none_or(|pipe| matches!(pipe.peek(), Pop::Finished))
    }

    /// Whether a message has been read in part.
    pub fn is_within_message(&self) -> bool {
        self.within.is_some()
    }

    /// Reads the next frame: of the message that has been begun, otherwise of the next pipe that
    /// has one. Without a frame, what is left of `into` is of no use.
    #[inline(always)]
    pub fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Next {
        if !self.rest.is_empty() {
            return self.recv_rest(into);
        }
        let when_empty = pipes.when_empty();
        while let Some(key) = self.turns.current() {
            let Some(pipe) = pipes.get_mut(key) else {
                return self.end(key);
            };
            match pipe.read_into(into, when_empty) {
                Pop::Item(()) if into.kind() != Kind::Data => {}
                Pop::Item(()) => {
                    self.took(key, into.more());
                    return Next::Frame(key);
                }
                Pop::Empty if pipe.is_dozing() => {
                    if self.all_doze() {
                        pipes.set_dozing();
                        return Next::Idle;
                    }
                }
                Pop::Empty => self.pause(),
                Pop::Finished => return self.end(key),
            }
        }
        Next::Idle
    }

    /// The current pipe dozes: the others are looked at first. Whether all that are active do.
    #[cold]
    fn all_doze(&mut self) -> bool {
        self.dozing += 1;
        if self.dozing < self.turns.active() {
            self.turns.advance();
            return false;
        }
        self.dozing = 0;
        true
    }

    /// Goes on with a message whose pipe is gone.
    #[cold]
    fn recv_rest(&mut self, into: &mut Msg) -> Next {
        let (Some(key), Some(frame)) = (self.within, self.rest.pop_front()) else {
            return Next::Idle;
        };
        *into = frame;
        self.within = into.more().then_some(key);
        Next::Frame(key)
    }

    /// What [`Fq::recv`] would return, without taking it: the frame can be peeked at in its pipe,
    /// unless that was detached.
    pub fn peek(&mut self, pipes: &mut Pipes) -> Next {
        if let (Some(key), false) = (self.within, self.rest.is_empty()) {
            return Next::Frame(key);
        }
        while let Some(key) = self.turns.current() {
            let Some(pipe) = pipes.get_mut(key) else {
                return self.end(key);
            };
            match pipe.peek() {
                Pop::Item(record) if record.kind() != Kind::Data => drop(pipe.read()),
                Pop::Item(_) => return Next::Frame(key),
                Pop::Empty => self.pause(),
                Pop::Finished => return self.end(key),
            }
        }
        Next::Idle
    }

    /// Reads the rest of a message that has been begun, and drops it.
    pub fn skip_message(&mut self, pipes: &mut Pipes) {
        let mut frame = Msg::new();
        while self.is_within_message() {
            self.recv(pipes, &mut frame);
        }
    }

    #[inline(always)]
    fn took(&mut self, key: Key, more: bool) {
        self.within = more.then_some(key);
        self.dozing = 0;
        if !more {
            self.turns.advance();
        }
    }

    /// Pipes deliver whole messages, so this is the end of none; still, nothing may wait for one.
    fn pause(&mut self) {
        self.within = None;
        self.turns.deactivate_current();
    }

    fn end(&mut self, key: Key) -> Next {
        self.within = None;
        self.turns.remove(key);
        Next::Ended(key)
    }

    fn keep_rest(&mut self, pipes: &mut Pipes, key: Key) {
        let Some(pipe) = pipes.get_mut(key) else {
            return;
        };
        while let Pop::Item(frame) = pipe.read() {
            let more = frame.more();
            self.rest.push_back(frame);
            if !more {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
