//! [`Subscribers`] and [`Filter`]: who wants which topics, on the publishing side by pipe and on
//! the subscribing side by count. Both are a [`Trie`] with a value of their own.

use std::collections::{BTreeSet, HashMap};

use crate::routing::trie::Trie;
use crate::slab::Key;

/// The pipes of one topic: of a hundred thousand topics most have one.
#[derive(Debug, Default)]
#[expect(
    clippy::box_collection,
    reason = "a word in each node of the tree instead of three"
)]
enum Pipes {
    #[default]
    None,
    One(Key),
    /// Two or more, or what is left of them.
    Many(Box<BTreeSet<Key>>),
}

impl Pipes {
    fn insert(&mut self, pipe: Key) {
        match self {
            Self::None => *self = Self::One(pipe),
            Self::One(other) if *other == pipe => {}
            Self::One(other) => *self = Self::Many(Box::new([*other, pipe].into())),
            Self::Many(pipes) => {
                pipes.insert(pipe);
            }
        }
    }

    fn remove(&mut self, pipe: Key) {
        match self {
            Self::One(other) if *other == pipe => *self = Self::None,
            Self::None | Self::One(_) => {}
            Self::Many(pipes) => {
                pipes.remove(&pipe);
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::None => true,
            Self::One(_) => false,
            Self::Many(pipes) => pipes.is_empty(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = Key> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(pipe) => (Some(*pipe), None),
            Self::Many(pipes) => (None, Some(pipes)),
        };
        let many = many.into_iter().flat_map(|pipes| pipes.iter().copied());
        one.into_iter().chain(many)
    }
}

/// Which pipes subscribed to which topics.
#[derive(Debug)]
pub(crate) struct Subscribers {
    topics: Trie<Pipes>,
    /// The entries of each pipe's topics, of which it has at least one, so that a pipe leaves without a walk over all topics.
    entries: HashMap<Key, BTreeSet<Key>>,
}

impl Subscribers {
    pub(crate) fn new() -> Self {
        Self {
            topics: Trie::new(),
            entries: HashMap::new(),
        }
    }

    /// How many different topics are subscribed to.
    pub(crate) fn len(&self) -> usize {
        self.topics.len()
    }

    /// How many pipes have subscribed to something.
    pub(crate) fn pipes(&self) -> usize {
        self.entries.len()
    }

    /// Subscribes `pipe`; returns whether it is the first of the topic.
    pub(crate) fn add(&mut self, topic: &[u8], pipe: Key) -> bool {
        let (entry, pipes) = self.topics.entry(topic);
        let first = pipes.is_empty();
        pipes.insert(pipe);
        self.entries.entry(pipe).or_default().insert(entry);
        first
    }

    /// Unsubscribes `pipe`, which need not have subscribed; returns whether the topic now has no
    /// subscriber.
    pub(crate) fn remove(&mut self, topic: &[u8], pipe: Key) -> bool {
        let Some(entry) = self.topics.find(topic) else {
            return true;
        };
        if let Some(entries) = self.entries.get_mut(&pipe) {
            entries.remove(&entry);
            if entries.is_empty() {
                self.entries.remove(&pipe);
            }
        }
        self.release(entry, pipe)
    }

    /// Ends all subscriptions of `pipe`, telling of each topic whether it has no subscriber left.
    pub(crate) fn remove_pipe(&mut self, pipe: Key, mut ended: impl FnMut(Vec<u8>, bool)) {
        for entry in self.entries.remove(&pipe).unwrap_or_default() {
            let topic = self.topics.topic(entry);
            ended(topic, self.release(entry, pipe));
        }
    }

    /// The pipes whose topics `text` begins with; a pipe comes once for each of them.
    pub(crate) fn matching(&self, text: &[u8]) -> impl Iterator<Item = Key> {
        self.topics.prefixes(text).flat_map(Pipes::iter)
    }

    /// Takes `pipe` out of a topic; returns whether the topic now has no subscriber.
    fn release(&mut self, entry: Key, pipe: Key) -> bool {
        let Some(pipes) = self.topics.get_mut(entry) else {
            return true;
        };
        pipes.remove(pipe);
        let last = pipes.is_empty();
        if last {
            self.topics.remove(entry);
        }
        last
    }
}

/// What a subscriber wants, each topic as often as it was asked for.
#[derive(Debug)]
pub(crate) struct Filter {
    topics: Trie<u64>,
}

impl Filter {
    pub(crate) fn new() -> Self {
        Self {
            topics: Trie::new(),
        }
    }

    /// How many different topics are wanted.
    pub(crate) fn len(&self) -> usize {
        self.topics.len()
    }

    pub(crate) fn add(&mut self, topic: &[u8]) {
        *self.topics.entry(topic).1 += 1;
    }

    /// Takes back one subscription; returns whether it was the topic's last.
    pub(crate) fn remove(&mut self, topic: &[u8]) -> bool {
        let Some(entry) = self.topics.find(topic) else {
            return false;
        };
        let Some(count) = self.topics.get_mut(entry) else {
            return false;
        };
        *count -= 1;
        let last = *count == 0;
        if last {
            self.topics.remove(entry);
        }
        last
    }

    /// Whether `text` begins with a wanted topic.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        self.topics.prefixes(text).next().is_some()
    }

    /// Every wanted topic once.
    pub(crate) fn topics(&self) -> impl Iterator<Item = Vec<u8>> {
        self.topics.topics()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pipe(n: usize) -> Key {
        Key::from_bits(n)
    }

    #[test]
    fn the_first_and_the_last_subscriber_are_told() {
        let mut subscribers = Subscribers::new();
        assert!(subscribers.add(b"a", pipe(1)));
        assert!(!subscribers.add(b"a", pipe(1)));
        assert!(!subscribers.add(b"a", pipe(2)));
        assert!(!subscribers.remove(b"a", pipe(1)));
        assert!(!subscribers.remove(b"a", pipe(1)), "pipe 2 still wants it");
        assert!(subscribers.remove(b"a", pipe(2)));
        assert!(subscribers.remove(b"a", pipe(2)), "nobody wants it");
        assert_eq!(subscribers.len(), 0);
    }

    #[test]
    fn a_leaving_pipe_takes_its_topics_along() {
        let mut subscribers = Subscribers::new();
        subscribers.add(b"mine", pipe(1));
        subscribers.add(b"ours", pipe(1));
        subscribers.add(b"ours", pipe(2));
        let mut ended = Vec::new();
        subscribers.remove_pipe(pipe(1), |topic, last| ended.push((topic, last)));
        assert_eq!(ended, [(b"mine".to_vec(), true), (b"ours".to_vec(), false)]);
        assert_eq!(subscribers.len(), 1);
        subscribers.remove_pipe(pipe(1), |_, _| unreachable!("it has left"));
    }

    #[test]
    fn a_filter_counts() {
        let mut filter = Filter::new();
        assert!(!filter.remove(b"a"));
        filter.add(b"a");
        filter.add(b"a");
        assert!(!filter.remove(b"a"));
        assert!(filter.matches(b"abc"));
        assert!(filter.remove(b"a"));
        assert!(!filter.matches(b"abc"));
        assert_eq!(filter.len(), 0);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Add(Vec<u8>, usize),
        Remove(Vec<u8>, usize),
        Leave(usize),
    }

    fn op() -> impl Strategy<Value = Op> {
        let topic = || prop::collection::vec(0..2u8, 0..4);
        prop_oneof![
            4 => (topic(), 0..4usize).prop_map(|(topic, pipe)| Op::Add(topic, pipe)),
            2 => (topic(), 0..4usize).prop_map(|(topic, pipe)| Op::Remove(topic, pipe)),
            1 => (0..4usize).prop_map(Op::Leave),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_set_of_pairs(
            ops in prop::collection::vec(op(), 0..60),
            text in prop::collection::vec(0..2u8, 0..6),
        ) {
            let (mut subscribers, mut model) = (Subscribers::new(), BTreeSet::new());
            for op in ops {
                match op {
                    Op::Add(topic, n) => {
                        let first = !model.iter().any(|(t, _)| *t == topic);
                        prop_assert_eq!(subscribers.add(&topic, pipe(n)), first);
                        model.insert((topic, n));
                    }
                    Op::Remove(topic, n) => {
                        let removed = subscribers.remove(&topic, pipe(n));
                        model.remove(&(topic.clone(), n));
                        prop_assert_eq!(removed, !model.iter().any(|(t, _)| *t == topic));
                    }
                    Op::Leave(n) => {
                        let mut ended = Vec::new();
                        subscribers.remove_pipe(pipe(n), |topic, _| ended.push((topic, n)));
                        ended.sort();
                        let expected: Vec<_> =
                            model.iter().filter(|(_, m)| *m == n).cloned().collect();
                        prop_assert_eq!(ended, expected);
                        model.retain(|(_, m)| *m != n);
                    }
                }
            }
            let pipes: BTreeSet<_> = model.iter().map(|(_, n)| *n).collect();
            prop_assert_eq!(subscribers.pipes(), pipes.len());
            let mut matching: Vec<_> = subscribers.matching(&text).collect();
            matching.sort();
            let mut expected: Vec<_> = model
                .iter()
                .filter(|(topic, _)| text.starts_with(topic))
                .map(|(_, n)| pipe(*n))
                .collect();
            expected.sort();
            prop_assert_eq!(matching, expected);
        }
    }
}
