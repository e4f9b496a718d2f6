//! [`Trie`]: values stored under topics, found by every prefix of a message's first frame.
//!
//! The tree is path-compressed: an edge is a run of bytes, so that topics with long common
//! prefixes share them. The nodes lie in a slab and name each other by key; every walk is a loop,
//! because the depth of the tree is in the hands of the peers. This file knows neither pipes nor
//! messages.
//!
//! * **T1** Every link names a live node; a node's parent lists it under its run's first byte.
//! * **T2** Only the root's run is empty, and none is longer than [`MAX_RUN`]: what one operation
//!   copies is bounded, however long the topics are.
//! * **T3** A node keeps its key as long as it has a value, whatever is added around it.

use std::iter::successors;

use smallvec::SmallVec;

use crate::slab::{Key, Slab};

/// The longest run of bytes on one edge.
const MAX_RUN: usize = 256;

/// A byte string on an edge; most are short and need no allocation.
type Run = SmallVec<[u8; 16]>;

#[derive(Debug)]
struct Node<V> {
    /// The bytes between the parent and this node.
    run: Run,
    parent: Option<Key>,
    /// The children by the first byte of their runs, in order.
    children: Vec<(u8, Key)>,
    value: Option<V>,
}

impl<V> Node<V> {
    fn new(run: &[u8], parent: Option<Key>) -> Self {
        Self {
            run: Run::from_slice(run),
            parent,
            children: Vec::new(),
            value: None,
        }
    }

    fn child(&self, first: u8) -> Option<Key> {
        let at = self.children.binary_search_by_key(&first, |link| link.0);
        at.ok().map(|at| self.children[at].1)
    }

    /// Links the child under its first byte, in place of the one that was there.
    fn link(&mut self, first: u8, child: Key) {
        match self.children.binary_search_by_key(&first, |link| link.0) {
            Ok(at) => self.children[at].1 = child,
            Err(at) => self.children.insert(at, (first, child)),
        }
    }

    fn unlink(&mut self, first: u8) {
        self.children.retain(|link| link.0 != first);
    }

    /// Whether the node holds nothing and leads nowhere.
    fn is_dead(&self) -> bool {
        self.value.is_none() && self.children.is_empty()
    }

    /// The only child of a node that has nothing else.
    fn only_child(&self) -> Option<Key> {
        match (&self.value, self.children.as_slice()) {
            (None, [(_, child)]) => Some(*child),
            _ => None,
        }
    }
}

/// A map from topics to values that can be asked for all prefixes of a text at once.
#[derive(Debug)]
pub(crate) struct Trie<V> {
    nodes: Slab<Node<V>>,
    root: Key,
    len: usize,
}

impl<V> Trie<V> {
    pub(crate) fn new() -> Self {
        let mut nodes = Slab::new();
        let root = nodes.insert(Node::new(&[], None));
        Self {
            nodes,
            root,
            len: 0,
        }
    }

    /// How many topics there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The entry of `topic`, by which [`Trie::get_mut`], [`Trie::remove`] and [`Trie::topic`] know
    /// it until it is removed; and its value, made if there is none.
    pub(crate) fn entry(&mut self, topic: &[u8]) -> (Key, &mut V)
    where
        V: Default,
    {
        let key = self.grow(topic);
        if self.node(key).value.is_none() {
            self.len += 1;
        }
        (key, self.node_mut(key).value.get_or_insert_with(V::default))
    }

    /// The entry of `topic`, if there is one.
    pub(crate) fn find(&self, topic: &[u8]) -> Option<Key> {
        let (key, rest) = self.descend(topic);
        (rest.is_empty() && self.node(key).value.is_some()).then_some(key)
    }

    pub(crate) fn get_mut(&mut self, entry: Key) -> Option<&mut V> {
        self.nodes.get_mut(entry)?.value.as_mut()
    }

    /// Removes an entry and the nodes that only it needed.
    pub(crate) fn remove(&mut self, entry: Key) -> Option<V> {
        let value = self.nodes.get_mut(entry)?.value.take()?;
        self.len -= 1;
        self.prune(entry);
        Some(value)
    }

    /// The topic of an entry.
    pub(crate) fn topic(&self, entry: Key) -> Vec<u8> {
        let path = successors(Some(entry), |&key| self.nodes.get(key)?.parent);
        let mut runs: Vec<&[u8]> = path
            .filter_map(|key| Some(self.nodes.get(key)?.run.as_slice()))
            .collect();
        runs.reverse();
        runs.concat()
    }

    /// The values of all topics that `text` begins with, shortest first.
    pub(crate) fn prefixes(&self, text: &[u8]) -> impl Iterator<Item = &V> {
        self.walk(text)
            .filter_map(|(key, _)| self.node(key).value.as_ref())
    }

    /// All topics, in no particular order.
    pub(crate) fn topics(&self) -> impl Iterator<Item = Vec<u8>> {
        self.nodes
            .iter()
            .filter(|(_, node)| node.value.is_some())
            .map(|(key, _)| self.topic(key))
    }

    fn node(&self, key: Key) -> &Node<V> {
        self.nodes.get(key).expect("T1: links name live nodes")
    }

    fn node_mut(&mut self, key: Key) -> &mut Node<V> {
        self.nodes.get_mut(key).expect("T1: links name live nodes")
    }

    /// The nodes on the way along `text`, each with what is left of the text.
    fn walk<'t>(&self, text: &'t [u8]) -> impl Iterator<Item = (Key, &'t [u8])> {
        successors(Some((self.root, text)), |&(key, rest)| {
            let child = self.node(key).child(*rest.first()?)?;
            let rest = rest.strip_prefix(self.node(child).run.as_slice())?;
            Some((child, rest))
        })
    }

    fn descend<'t>(&self, text: &'t [u8]) -> (Key, &'t [u8]) {
        self.walk(text).last().unwrap_or((self.root, text))
    }

    /// The node of `topic`, made if there is none.
    fn grow(&mut self, topic: &[u8]) -> Key {
        let (mut at, mut rest) = self.descend(topic);
        if let Some(child) = rest.first().and_then(|&first| self.node(at).child(first)) {
            let common = common_prefix(&self.node(child).run, rest);
            at = self.split(child, common);
            rest = &rest[common..];
        }
        for run in rest.chunks(MAX_RUN) {
            let leaf = self.nodes.insert(Node::new(run, Some(at)));
            self.node_mut(at).link(run[0], leaf);
            at = leaf;
        }
        at
    }

    /// Puts a new node into the edge that leads to `lower`, after `len` bytes of its run.
    fn split(&mut self, lower: Key, len: usize) -> Key {
        let node = self.node_mut(lower);
        let parent = node.parent;
        let mut head = Node::new(&node.run[..len], parent);
        node.run.drain(..len);
        head.link(node.run[0], lower);
        let first = head.run[0];
        let upper = self.nodes.insert(head);
        self.node_mut(lower).parent = Some(upper);
        if let Some(parent) = parent {
            self.node_mut(parent).link(first, upper);
        }
        upper
    }

    /// Removes what a node that lost its value makes superfluous.
    fn prune(&mut self, mut key: Key) {
        while let Some(parent) = self.node(key).parent.filter(|_| self.node(key).is_dead()) {
            let first = self.node(key).run[0];
            self.nodes.remove(key);
            self.node_mut(parent).unlink(first);
            key = parent;
        }
        let parent = self.node(key).parent;
        self.fuse(key);
        if let Some(parent) = parent {
            self.fuse(parent);
        }
    }

    /// Joins a node without a value to its only child, which keeps its key (T3), if the two runs
    /// make one (T2).
    fn fuse(&mut self, upper: Key) {
        let node = self.node(upper);
        let (Some(parent), Some(lower)) = (node.parent, node.only_child()) else {
            return;
        };
        if node.run.len() + self.node(lower).run.len() > MAX_RUN {
            return;
        }
        let Some(node) = self.nodes.remove(upper) else {
            return;
        };
        self.node_mut(parent).link(node.run[0], lower);
        let lower = self.node_mut(lower);
        lower.run.insert_from_slice(0, &node.run);
        lower.parent = Some(parent);
    }
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests;
