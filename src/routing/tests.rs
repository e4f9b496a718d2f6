//! The order of turns, against a plain model.

use super::*;
use crate::slab::Slab;
use proptest::prelude::*;

fn keys(n: usize) -> Vec<Key> {
    let mut slab = Slab::new();
    (0..n).map(|_| slab.insert(())).collect()
}

/// The next `n` turns.
fn turns(list: &mut ActiveList, n: usize) -> Vec<Key> {
    std::iter::from_fn(|| {
        let key = list.current();
        list.advance();
        key
    })
    .take(n)
    .collect()
}

fn list_of(keys: &[Key]) -> ActiveList {
    let mut list = ActiveList::default();
    keys.iter().for_each(|key| list.insert(*key));
    list
}

#[test]
fn turns_go_round() {
    let k = keys(3);
    assert_eq!(
        turns(&mut list_of(&k), 7),
        [k[0], k[1], k[2], k[0], k[1], k[2], k[0]]
    );
}

#[test]
fn an_inactive_key_has_no_turns_until_it_is_activated_and_then_the_last() {
    let k = keys(3);
    let mut list = list_of(&k);
    list.deactivate_current();
    assert_eq!(turns(&mut list, 3), [k[1], k[2], k[1]]);
    list.activate(k[0]);
    list.activate(k[0]);
    assert_eq!(turns(&mut list, 4), [k[2], k[1], k[0], k[2]]);
}

#[test]
fn a_removed_key_has_no_turns_and_comes_not_back() {
    let k = keys(4);
    let mut list = list_of(&k);
    assert!(list.remove(k[2]) && list.remove(k[0]));
    assert!(!list.remove(k[0]));
    list.activate(k[2]);
    assert_eq!(turns(&mut list, 3), [k[1], k[3], k[1]]);
}

#[test]
fn keys_that_come_and_go_without_a_turn_leave_nothing_behind() {
    let mut list = ActiveList::default();
    let stays = keys(1)[0];
    list.insert(stays);
    let mut slab = Slab::new();
    slab.insert(());
    for _ in 0..1000 {
        let key = slab.insert(());
        list.insert(key);
        list.remove(key);
        slab.remove(key);
    }
    assert!(list.queue.len() <= 3);
    assert_eq!(turns(&mut list, 2), [stays, stays]);
}

#[derive(Clone, Debug)]
enum Op {
    Insert(usize),
    Remove(usize),
    Activate(usize),
    DeactivateCurrent,
    Advance,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..8usize).prop_map(Op::Insert),
        (0..8usize).prop_map(Op::Remove),
        (0..8usize).prop_map(Op::Activate),
        Just(Op::DeactivateCurrent),
        Just(Op::Advance),
    ]
}

/// Two plain lists: who waits for his turn, and who does not.
#[derive(Default)]
struct Model {
    waiting: Vec<Key>,
    resting: Vec<Key>,
}

impl Model {
    fn insert(&mut self, key: Key) {
        if !self.waiting.contains(&key) {
            self.resting.retain(|k| *k != key);
            self.waiting.push(key);
        }
    }

    fn remove(&mut self, key: Key) {
        self.waiting.retain(|k| *k != key);
        self.resting.retain(|k| *k != key);
    }

    fn activate(&mut self, key: Key) {
        if self.resting.contains(&key) {
            self.insert(key);
        }
    }

    fn deactivate_current(&mut self) {
        if !self.waiting.is_empty() {
            self.resting.push(self.waiting.remove(0));
        }
    }

    fn advance(&mut self) {
        if !self.waiting.is_empty() {
            self.waiting.rotate_left(1);
        }
    }
}

proptest! {
    #[test]
    fn turns_are_those_of_a_plain_queue(ops in prop::collection::vec(op(), 0..200)) {
        let mut slab = Slab::new();
        let mut k: Vec<_> = (0..8).map(|_| slab.insert(())).collect();
        let (mut list, mut model) = (ActiveList::default(), Model::default());
        for op in ops {
            match op {
                Op::Insert(n) => { list.insert(k[n]); model.insert(k[n]); }
                Op::Remove(n) => {
                    list.remove(k[n]);
                    model.remove(k[n]);
                    slab.remove(k[n]);
                    k[n] = slab.insert(());
                }
                Op::Activate(n) => { list.activate(k[n]); model.activate(k[n]); }
                Op::DeactivateCurrent => { list.deactivate_current(); model.deactivate_current(); }
                Op::Advance => { list.advance(); model.advance(); }
            }
            prop_assert_eq!(list.current(), model.waiting.first().copied());
            prop_assert!(list.queue.len() <= 2 * k.len() + 1);
        }
    }
}
