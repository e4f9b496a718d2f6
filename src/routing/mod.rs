//! The strategies of ZeroMQ: whom to send to and whom to receive from.
//!
//! They hold keys of pipes in an order, and are lent the pipes for each call. They know nothing
//! of socket types, and they never remove a pipe: that is the pattern's.
//!
//! This file owns what the strategies share: [`ActiveList`], the order of turns.

pub(crate) mod lb;
pub(crate) mod fq;
pub(crate) mod dist;
pub(crate) mod trie;
pub(crate) mod subscriptions;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::{HashMap, VecDeque};

use crate::msg::Msg;
use crate::pipe::Pipes;
use crate::slab::Key;

/// Keys of which some are active, and whose turn it is among those.
///
/// The active ones wait in a queue: who had its turn goes to the end, and so does who becomes
/// active. Between two turns of a key that stays active, every other has at most one. All
/// operations take constant time; a removed key stays in the queue as a leftover until its turn
/// comes or the leftovers outnumber the rest.
#[derive(Debug, Default)]
pub(crate) struct ActiveList {
    /// The keys in the order of their turns. The first, if any, is no leftover.
    queue: VecDeque<Key>,
    /// All keys, and whether they are active: whether they are in the queue.
    active: HashMap<Key, bool>,
    /// How many of the queue's keys were removed.
    leftovers: usize,
}

impl ActiveList {
    /// Adds a key, active; its turn comes last. A known key is activated.
    pub(crate) fn insert(&mut self, key: Key) {
        self.active.entry(key).or_insert(false);
        self.activate(key);
    }

    /// Forgets a key; returns whether it was known.
    pub(crate) fn remove(&mut self, key: Key) -> bool {
        let known = self.active.remove(&key);
        if known == Some(true) {
            self.leftovers += 1;
            self.sweep();
        }
        known.is_some()
    }

    /// Gives a key turns again, the last first. Nothing happens if it is active or unknown.
    pub(crate) fn activate(&mut self, key: Key) {
        if let Some(active) = self.active.get_mut(&key) {
            if !std::mem::replace(active, true) {
                self.queue.push_back(key);
            }
        }
    }

    /// How many are active.
    pub(crate) fn active(&self) -> usize {
        self.queue.len() - self.leftovers
    }

    /// Whose turn it is.
    #[inline]
    pub(crate) fn current(&self) -> Option<Key> {
        self.queue.front().copied()
    }

    /// Ends the current key's turn.
    #[inline]
    pub(crate) fn advance(&mut self) {
        if self.queue.len() > 1 {
            self.take_turns();
        }
    }

    fn take_turns(&mut self) {
        let current = self.queue.pop_front();
        self.queue.extend(current);
        self.sweep();
    }

    /// Ends the current key's turn, and gives it no other until it is activated.
    pub(crate) fn deactivate_current(&mut self) {
        if let Some(key) = self.queue.pop_front() {
            self.active.insert(key, false);
            self.sweep();
        }
    }

    /// Whether the key is known.
    pub(crate) fn contains(&self, key: Key) -> bool {
        self.active.contains_key(&key)
    }

    /// Takes leftovers out of the queue: all if they are many, otherwise those in front.
    fn sweep(&mut self) {
        if self.leftovers > self.active.len() {
            self.queue.retain(|key| self.active.contains_key(key));
            self.leftovers = 0;
        }
        while self.leftovers > 0 && self.is_leftover_first() {
            self.queue.pop_front();
            self.leftovers -= 1;
        }
    }

    fn is_leftover_first(&self) -> bool {
        self.current().is_some_and(|key| !self.contains(key))
    }
}

/// No pipe took the message, which is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotTaken;

/// Writes to a pipe, which takes the message unless it is full, closed or gone.
#[inline(always)]
pub(crate) fn write(pipes: &mut Pipes, key: Key, msg: &mut Msg) -> Result<(), NotTaken> {
    pipes.write(key, msg).map_err(|_| NotTaken)
}

#[cfg(test)]
mod tests;
