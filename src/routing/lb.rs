//! [`Lb`], load balancing: each message goes to the next pipe that has room.
//!
//! It owns the order of the pipes and knows in the middle of which message it is. It never splits
//! a message between pipes, and never waits: a message that no pipe has room for is left as it is.

use crate::msg::Msg;
use crate::pipe::Pipes;
use crate::routing::{ActiveList, NotTaken, write};
use crate::slab::Key;

/// Where the frames of the present message go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Message {
    /// No message has been begun.
    #[default]
    None,
    /// To this pipe, which stays the current one meanwhile.
    To(Key),
    /// Nowhere: the pipe died, and the frames that it took died with it.
    Lost,
}

/// Round robin over the pipes that have room, a whole message to each.
#[derive(Debug, Default)]
pub struct Lb {
    turns: ActiveList,
    message: Message,
}

impl Lb {
    /// Takes a pipe into use.
    pub fn attach(&mut self, key: Key) {
        self.turns.insert(key);
    }

    /// A pipe has room again.
    pub fn activate(&mut self, key: Key) {
        self.turns.activate(key);
    }

    /// Writes no more to a pipe. What is still to come of a message that it has begun to take is
    /// swallowed.
    pub fn detach(&mut self, key: Key) {
        if self.message == Message::To(key) {
            self.message = Message::Lost;
        }
        self.turns.remove(key);
    }

    /// Writes a frame, and returns the pipe that took it: `None` for the rest of a lost message.
    ///
    /// # Errors
    /// If no pipe has room; never in the middle of a message.
    #[inline(always)]
    pub fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<Option<Key>, NotTaken> {
        match self.message {
            Message::None => self.begin(pipes, msg).map(Some),
            Message::To(key) => Ok(self.proceed(pipes, key, msg)),
            Message::Lost => {
                self.lose(msg.more());
                Ok(None)
            }
        }
    }

    #[inline(always)]
    fn begin(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<Key, NotTaken> {
        let more = msg.more();
        while let Some(key) = self.turns.current() {
            if write(pipes, key, msg).is_ok() {
                self.written(key, more);
                return Ok(key);
            }
            self.turns.deactivate_current();
        }
        Err(NotTaken)
    }

    #[cold]
    fn proceed(&mut self, pipes: &mut Pipes, key: Key, msg: &mut Msg) -> Option<Key> {
        let more = msg.more();
        if write(pipes, key, msg).is_err() {
            self.detach(key);
            self.lose(more);
            return None;
        }
        self.written(key, more);
        Some(key)
    }

    #[inline(always)]
    fn written(&mut self, key: Key, more: bool) {
        if more {
            self.message = Message::To(key);
            return;
        }
        self.message = Message::None;
        self.turns.advance();
    }

    fn lose(&mut self, more: bool) {
        self.message = if more { Message::Lost } else { Message::None };
    }

    /// Whether `send` would take a frame now.
    pub fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        if self.message != Message::None {
            return true;
        }
        while let Some(key) = self.turns.current() {
            if pipes.get_mut(key).is_some_and(|pipe| pipe.can_write()) {
                return true;
            }
            self.turns.deactivate_current();
        }
        false
    }
}

#[cfg(test)]
mod tests;
