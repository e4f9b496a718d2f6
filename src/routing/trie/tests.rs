//! Lookups by prefix, against a plain map; the shapes that hurt other tries.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

impl Trie<u32> {
    fn add(&mut self, topic: &[u8]) -> Key {
        let (key, count) = self.entry(topic);
        *count += 1;
        key
    }

    fn matches(&self, text: &[u8]) -> usize {
        self.prefixes(text).count()
    }

    /// T1 and T2, and that no node is there for nothing.
    #[track_caller]
    fn check(&self) {
        for (key, node) in self.nodes.iter() {
            assert!(node.run.len() <= MAX_RUN);
            assert_eq!(node.run.is_empty(), key == self.root);
            assert!(key == self.root || !node.is_dead());
            assert!(node.children.is_sorted());
            for (first, child) in &node.children {
                assert_eq!(self.node(*child).parent, Some(key));
                assert_eq!(self.node(*child).run[0], *first);
            }
            if let Some(parent) = node.parent {
                assert_eq!(self.node(parent).child(node.run[0]), Some(key));
            }
        }
        let values = self.nodes.iter().filter(|(_, node)| node.value.is_some());
        assert_eq!(values.count(), self.len);
    }
}

#[test]
fn the_empty_topic_is_a_prefix_of_everything() {
    let mut trie = Trie::new();
    assert_eq!(trie.matches(b"any"), 0);
    let all = trie.add(b"");
    assert_eq!((trie.matches(b"any"), trie.matches(b"")), (1, 1));
    assert_eq!(trie.remove(all), Some(1));
    assert_eq!((trie.matches(b""), trie.len()), (0, 0));
}

#[test]
fn a_topic_matches_what_it_is_a_prefix_of() {
    let mut trie = Trie::new();
    for topic in ["ab", "abc", "abd", "b"] {
        trie.add(topic.as_bytes());
    }
    let cases = [
        ("", 0),
        ("a", 0),
        ("ab", 1),
        ("abcd", 2),
        ("abx", 1),
        ("b", 1),
        ("c", 0),
    ];
    for (text, expected) in cases {
        assert_eq!(trie.matches(text.as_bytes()), expected, "{text}");
    }
    assert_eq!(trie.find(b"a"), None);
    assert!(trie.find(b"ab").is_some());
}

#[test]
fn an_entry_keeps_its_key_while_the_tree_changes_around_it() {
    let mut trie = Trie::new();
    let entry = trie.add(b"common/lower");
    let above = trie.add(b"common");
    let beside = trie.add(b"common/left");
    let below = trie.add(b"common/lower/still");
    for other in [beside, above, below] {
        assert_eq!(trie.topic(entry), b"common/lower");
        assert_eq!(trie.find(b"common/lower"), Some(entry));
        trie.remove(other);
        trie.check();
    }
    assert_eq!(trie.nodes.len(), 2, "the root and one compressed edge");
    assert_eq!(trie.topic(entry), b"common/lower");
}

#[test]
fn a_removed_entry_is_unknown() {
    let mut trie = Trie::new();
    let entry = trie.add(b"a");
    assert_eq!(trie.remove(entry), Some(1));
    assert_eq!(trie.remove(entry), None);
    assert!(trie.get_mut(entry).is_none());
    assert_eq!(trie.nodes.len(), 1);
}

#[test]
fn a_topic_may_be_a_mebibyte() {
    let long = vec![b'x'; 1 << 20];
    let mut trie = Trie::new();
    let entry = trie.add(&long);
    let shorter = trie.add(&long[..(1 << 20) - 1]);
    assert_eq!(trie.matches(&long), 2);
    assert_eq!(trie.topic(entry), long);
    trie.remove(shorter);
    trie.check();
    trie.remove(entry);
    assert_eq!(trie.nodes.len(), 1);
}

#[test]
fn every_prefix_of_a_topic_may_be_one_too() {
    let long = vec![b'x'; 2_000];
    let mut trie = Trie::new();
    let entries: Vec<_> = (0..=long.len()).map(|n| trie.add(&long[..n])).collect();
    assert_eq!(trie.matches(&long), long.len() + 1);
    for entry in &entries[1..long.len()] {
        trie.remove(*entry);
    }
    trie.check();
    assert_eq!(trie.matches(&long), 2);
    assert!(trie.nodes.len() < 2 * (2 + long.len() / MAX_RUN));
}

#[test]
fn a_hundred_thousand_topics_share_their_prefix() {
    const TOPICS: u32 = 100_000;
    let prefix = "x".repeat(200);
    let mut trie = Trie::new();
    for n in 0..TOPICS {
        trie.add(format!("{prefix}/{n:06}").as_bytes());
    }
    assert_eq!(trie.len(), 100_000);
    assert_eq!(trie.matches(format!("{prefix}/012345/more").as_bytes()), 1);
    assert!(trie.nodes.len() < 120_000, "nodes: {}", trie.nodes.len());
    let bytes: usize = trie.nodes.iter().map(|(_, node)| node.run.len()).sum();
    assert!(bytes < 200_000, "bytes: {bytes}");
    trie.check();
}

/// Topics that often share prefixes, some longer than a run.
fn topic() -> impl Strategy<Value = Vec<u8>> {
    (
        prop::collection::vec(0..3u8, 0..6),
        prop::sample::select(vec![0, 1, 255, 256, 300]),
    )
        .prop_map(|(mut topic, pad)| {
            topic.splice(0..0, std::iter::repeat_n(7, pad));
            topic
        })
}

proptest! {
    #[test]
    fn behaves_like_a_map_of_topics(
        ops in prop::collection::vec((any::<bool>(), topic()), 0..60),
        texts in prop::collection::vec(topic(), 1..10),
    ) {
        let (mut trie, mut model) = (Trie::new(), BTreeMap::<Vec<u8>, u32>::new());
        for (add, topic) in ops {
            if add {
                trie.add(&topic);
                *model.entry(topic).or_default() += 1;
            } else {
                let removed = trie.find(&topic).and_then(|entry| trie.remove(entry));
                prop_assert_eq!(removed, model.remove(&topic));
            }
            trie.check();
        }
        prop_assert_eq!(trie.len(), model.len());
        for text in texts {
            let expected: Vec<u32> = model
                .iter()
                .filter(|(topic, _)| text.starts_with(topic))
                .map(|(_, count)| *count)
                .collect();
            prop_assert_eq!(trie.prefixes(&text).copied().collect::<Vec<_>>(), expected);
        }
        let mut topics: Vec<_> = trie.topics().collect();
        topics.sort();
        prop_assert_eq!(topics, model.into_keys().collect::<Vec<_>>());
    }
}
