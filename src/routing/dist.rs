//! [`Dist`]: fan-out, one message to many pipes, whole or not at all.
//!
//! A message goes to the pipes that *match* when it begins. A pipe that has no room then is
//! *stalled*: it misses this message with all its frames, and further messages until it is
//! writable again. A pipe that comes, or becomes writable, in the middle of a message takes part
//! from the next one on. The work for a message grows with the number of matching pipes, not with
//! the number of pipes. This file never decides who matches.

use std::collections::BTreeSet;

use crate::msg::Msg;
use crate::pipe::{Frame, HANDED_COPY_MAX, PipeEnd, Pipes, WriteError};
use crate::slab::Key;

/// The order of fan-out over the pipes of one socket.
#[derive(Debug, Default)]
pub struct Dist {
    /// The pipes that can be written to at all.
    pipes: BTreeSet<Key>,
    /// The pipes that were found full and have not become writable since; a subset of `pipes`.
    stalled: BTreeSet<Key>,
    /// The recipients of the message that is to be sent, or of which frames were sent.
    matching: Vec<Key>,
    /// `matching` is strictly ascending, so that no pipe is in it twice.
    ascending: bool,
    mid_message: bool,
}

impl Dist {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes part from the next message on.
    pub fn insert(&mut self, key: Key) {
        self.pipes.insert(key);
    }

    /// Writes no more to a pipe.
    pub fn remove(&mut self, key: Key) {
        self.pipes.remove(&key);
        self.stalled.remove(&key);
    }

    /// A pipe has room again.
    pub fn on_writable(&mut self, key: Key) {
        self.stalled.remove(&key);
    }

    /// Whether frames of a message have been sent and its last is still to come.
    pub(crate) fn is_mid_message(&self) -> bool {
        self.mid_message
    }

    /// Takes a pipe out of the message that is being sent, so that it can be told other things.
    pub(crate) fn interrupt(&mut self, pipes: &mut Pipes, key: Key) {
        if !self.mid_message {
            return;
        }
        self.matching.retain(|&other| other != key);
        if let Some(pipe) = pipes.get_mut(key) {
            pipe.rollback();
        }
    }

    /// Makes a pipe a recipient of the next message; once or more often.
    pub(crate) fn match_key(&mut self, key: Key) {
        self.ascending &= self.matching.last().is_none_or(|last| *last < key);
        self.matching.push(key);
    }

    /// Leaves the next message without recipients.
    pub(crate) fn unmatch_all(&mut self) {
        self.matching.clear();
        self.ascending = true;
    }

    /// Makes the pipes recipients that are none, and the other way round.
    pub(crate) fn reverse_match(&mut self) {
        self.settle();
        let matching = std::mem::take(&mut self.matching);
        let others = self.pipes.iter().copied();
        self.matching = others
            .filter(|key| matching.binary_search(key).is_err())
            .collect();
    }

    /// Whether no recipient would miss the message. If one would, its pipe will tell when it is
    /// writable again.
    #[cfg(any(test, feature = "protocols"))]
    pub fn all_matching_have_room(&mut self, pipes: &mut Pipes) -> bool {
        self.all_matching(pipes, PipeEnd::can_write)
    }

    /// The same, but a recipient that was a whole mark behind at the last look counts as full once more,
    /// so that a publisher that waits for its subscribers learns that they are slower, as with libzmq.
    pub(crate) fn all_matching_keep_up(&mut self, pipes: &mut Pipes) -> bool {
        self.all_matching(pipes, PipeEnd::has_kept_up)
    }

    fn all_matching(&mut self, pipes: &mut Pipes, has_room: impl Fn(&mut PipeEnd) -> bool) -> bool {
        for key in &self.matching {
            if let Some(pipe) = pipes.get_mut(*key).filter(|pipe| !pipe.is_peer_gone()) {
                if !has_room(pipe) {
                    return false;
                }
            }
            self.stalled.remove(key);
        }
        true
    }

    /// Sends a frame to the recipients of its message that have not missed an earlier one.
    pub fn send_to_matching(&mut self, pipes: &mut Pipes, frame: &mut Msg) {
        self.settle();
        self.mid_message = frame.more();
        let mut recipients = std::mem::take(&mut self.matching);
        if let Some(last) = recipients.pop() {
            if is_handed_over(pipes, &recipients, frame) {
                frame.share_copy();
            }
            recipients.retain(|key| self.write(pipes, *key, &*frame));
            if self.write(pipes, last, frame) {
                recipients.push(last);
            }
        }
        if !self.mid_message {
            recipients.clear();
        }
        self.matching = recipients;
    }

    /// Makes all pipes recipients of the next message.
    pub fn match_all(&mut self) {
        self.unmatch_all();
        self.matching.extend(&self.pipes);
    }

    /// Sends a frame to all pipes that have not missed an earlier one of its message.
    pub(crate) fn send_to_all(&mut self, pipes: &mut Pipes, frame: &mut Msg) {
        if !self.mid_message {
            self.match_all();
        }
        self.send_to_matching(pipes, frame);
    }

    /// Writes a record for the peers' engines to all pipes, full ones too.
    pub(crate) fn tell_all(&mut self, pipes: &mut Pipes, record: &Msg) {
        for key in &self.pipes {
            pipes.tell(*key, record.clone());
        }
    }

    /// Sees to it that every recipient is there once.
    fn settle(&mut self) {
        if !self.ascending {
            self.matching.sort_unstable();
            self.matching.dedup();
            self.ascending = true;
        }
    }

    fn write(&mut self, pipes: &mut Pipes, key: Key, frame: impl Frame) -> bool {
        if self.stalled.contains(&key) {
            return false;
        }
        match pipes.write(key, frame) {
            Ok(()) => true,
            Err(WriteError::Full) => {
                self.stalled.insert(key);
                false
            }
            Err(WriteError::Closed) => false,
        }
    }
}

/// Whether somebody is to get the memory of a frame that has it for itself, so that there must be one for
/// each.
#[inline]
fn is_handed_over(pipes: &Pipes, recipients: &[Key], frame: &Msg) -> bool {
    let mut keys = recipients.iter();
    frame.len() > HANDED_COPY_MAX
        && keys.any(|key| pipes.get(*key).is_some_and(|pipe| pipe.hands_over(frame)))
}

#[cfg(test)]
mod tests;
