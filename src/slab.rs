//! A slab with generational keys: the crate's answer to pointers between objects.
//!
//! Whoever must name a thing owned by somebody else holds a [`Key`], not a reference. When the
//! thing is gone, or another has taken its slot, the key resolves to `None`: late commands and
//! late events are harmless.

/// The name of an entry of one [`Slab`]; stale once the entry is removed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key {
    index: u32,
    generation: u32,
}

/// Half of a `usize`: how many bits of a packed key hold the index, and how many the generation.
const HALF: u32 = usize::BITS / 2;
const MASK: usize = (1 << HALF) - 1;

impl Key {
    /// Packs the key into one word, for `mio::Token`. On 32-bit targets only the low half of
    /// index and generation survive, which is what [`Slab`] compares there.
    pub(crate) fn to_bits(self) -> usize {
        (self.generation as usize & MASK) << HALF | (self.index as usize & MASK)
    }

    /// The key that [`Key::to_bits`] packed.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "both halves are at most 32 bits wide"
    )]
    pub(crate) fn from_bits(bits: usize) -> Self {
        Self {
            index: (bits & MASK) as u32,
            generation: (bits >> HALF) as u32,
        }
    }
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

/// A growable arena of `T`, addressed by [`Key`]s.
#[derive(Debug)]
pub struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    /// The last generation: the all-ones word is never a key, so that it can be a token of its own.
    const LAST_GENERATION: u32 = (MASK as u32) - 1;

    pub(crate) fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Stores what `make` returns for the key it will have.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            if self.entries.len() == self.entries.capacity() {
                // Most slabs hold one thing for all their life; a large one need not be half empty.
                self.entries.reserve_exact(self.entries.len() / 4 + 1);
            }
            self.entries.push(Entry {
                generation: 0,
                value: None,
            });
            u32::try_from(self.entries.len() - 1).expect("a slab holds fewer than 2^32 entries")
        });
        let entry = &mut self.entries[index as usize];
        let key = Key {
            index,
            generation: entry.generation,
        };
        entry.value = Some(make(key));
        key
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        self.insert_with(|_| value)
    }

    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let entry = self.entries.get(key.index as usize)?;
        if entry.generation == key.generation {
            entry.value.as_ref()
        } else {
            None
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let entry = self.entries.get_mut(key.index as usize)?;
        if entry.generation == key.generation {
            entry.value.as_mut()
        } else {
            None
        }
    }

    pub(crate) fn contains(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// Takes the entry out; from now on its key resolves to `None`.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.get_mut(key.index as usize)?;
        if entry.generation != key.generation {
            return None;
        }
        let value = entry.value.take()?;
        entry.generation = if entry.generation >= Self::LAST_GENERATION {
            0
        } else {
            entry.generation + 1
        };
        self.free.push(key.index);
        Some(value)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| {
                Some((Self::key(index, entry.generation), entry.value.as_ref()?))
            })
    }

    /// The keys of all entries, as a copy, for loops that change the slab.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.iter().map(|(key, _)| key).collect()
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "insert_with bounds the index"
    )]
    fn key(index: usize, generation: u32) -> Key {
        Key {
            index: index as u32,
            generation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn a_stale_key_misses_the_next_tenant() {
        let mut slab = Slab::new();
        let old = slab.insert("old");
        assert_eq!(slab.remove(old), Some("old"));
        let new = slab.insert("new");
        assert_eq!(slab.get(old), None);
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.get(new), Some(&"new"));
    }

    #[test]
    fn no_key_packs_to_all_ones() {
        let key = Key {
            index: u32::MAX,
            generation: Slab::<()>::LAST_GENERATION,
        };
        assert_ne!(key.to_bits(), usize::MAX);
        assert_eq!(Key::from_bits(key.to_bits()), key);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Insert(u16),
        Remove(usize),
    }

    proptest! {
        #[test]
        fn behaves_like_a_map(ops in prop::collection::vec(
            prop_oneof![any::<u16>().prop_map(Op::Insert), any::<usize>().prop_map(Op::Remove)],
            0..200,
        )) {
            let (mut slab, mut model, mut issued) = (Slab::new(), HashMap::new(), Vec::new());
            for op in ops {
                match op {
                    Op::Insert(value) => {
                        let key = slab.insert(value);
                        prop_assert_eq!(model.insert(key, value), None);
                        issued.push(key);
                    }
                    Op::Remove(_) if issued.is_empty() => {}
                    Op::Remove(n) => {
                        let key = issued[n % issued.len()];
                        prop_assert_eq!(slab.remove(key), model.remove(&key));
                    }
                }
                prop_assert_eq!(slab.len(), model.len());
                for key in &issued {
                    prop_assert_eq!(slab.get(*key), model.get(key));
                    prop_assert_eq!(Key::from_bits(key.to_bits()), *key);
                }
            }
            let seen: HashMap<_, _> = slab.iter().map(|(k, v)| (k, *v)).collect();
            prop_assert_eq!(seen, model);
        }
    }
}
