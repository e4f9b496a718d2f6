//! [`Bonds`]: what a socket is bound and connected to, and what has come of each.
//!
//! They are found by id and by name, in a time that does not grow with their number: a socket may
//! connect to ten thousand places. Nothing here does anything to a child or a pipe.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::census::Addresses;
use crate::command::{ChildId, EndpointId};
use crate::pattern::Origin;
use crate::pipe::Pipes;
use crate::slab::Key;

/// Up to so many are looked through by name; more than that have an index.
const FEW: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BondKind {
    Bound,
    Connected,
}

/// What one bind or connect made.
#[derive(Debug)]
pub(crate) struct Bond {
    /// As the application wrote it, and as it was resolved.
    pub text: Arc<str>,
    pub resolved: Arc<str>,
    pub kind: BondKind,
    /// The listener, or the session that connects, once it has started.
    pub own: Option<ChildId>,
    own_is_gone: bool,
    /// The sessions of accepted connections.
    accepted: HashSet<ChildId>,
    pipes: SmallVec<[Key; 2]>,
    /// Where the pipes that are yet to come will have come from.
    pub origin: Origin,
    /// The application has taken it back; it goes when the last child is gone.
    pub closing: bool,
}

impl Bond {
    /// A child has started; it may be the one that bind or connect launched.
    pub(crate) fn add_child(&mut self, child: ChildId, own: bool) {
        if own {
            self.own = Some(child);
        } else {
            self.accepted.insert(child);
        }
    }

    pub(crate) fn remove_child(&mut self, child: ChildId) {
        if self.own == Some(child) {
            self.own_is_gone = true;
        } else {
            self.accepted.remove(&child);
        }
    }

    /// The children that are not gone.
    pub(crate) fn children(&self) -> impl Iterator<Item = ChildId> + '_ {
        let own = self.own.filter(|_| !self.own_is_gone);
        own.into_iter().chain(self.accepted.iter().copied())
    }

    /// Whether its listener or the session that connects is still there, or is yet to start.
    pub(crate) fn own_lives(&self) -> bool {
        !self.own_is_gone
    }

    /// Its pipes, and perhaps former ones.
    pub(crate) fn pipes(&self) -> &[Key] {
        &self.pipes
    }

    /// Adds a pipe. Former ones go when there are about as many as of those in `pipes`.
    pub(crate) fn add_pipe(&mut self, key: Key, pipes: &Pipes) {
        if self.pipes.len() == self.pipes.capacity() {
            self.pipes.retain(|key| pipes.contains(*key));
            let room = self.pipes.len() / 4 + 1;
            self.pipes.shrink_to_fit();
            self.pipes.reserve_exact(room);
        }
        self.pipes.push(key);
    }

    /// Takes the pipes out.
    pub(crate) fn take_pipes(&mut self) -> impl Iterator<Item = Key> + use<> {
        std::mem::take(&mut self.pipes).into_iter()
    }

    fn is_called(&self, name: &str) -> bool {
        &*self.text == name || &*self.resolved == name
    }
}

/// The bonds of one socket.
#[derive(Debug, Default)]
pub(crate) struct Bonds {
    all: HashMap<EndpointId, Box<Bond>>,
    /// All by the hashes of their names, once there are more than [`FEW`].
    names: BTreeSet<(u64, EndpointId)>,
    hasher: RandomState,
    last: u64,
    addresses: Arc<Addresses>,
}

impl Bonds {
    /// The list of what is not taken back, for others to read.
    pub(crate) fn addresses(&self) -> &Arc<Addresses> {
        &self.addresses
    }

    pub(crate) fn insert(&mut self, text: &str, resolved: &str, kind: BondKind) -> EndpointId {
        self.last += 1;
        let id = EndpointId(self.last);
        let name: Arc<str> = text.into();
        let resolved = if text == resolved {
            name.clone()
        } else {
            resolved.into()
        };
        self.addresses.add(id, resolved.clone());
        let bond = Bond {
            text: name,
            resolved,
            kind,
            own: None,
            own_is_gone: false,
            accepted: HashSet::new(),
            pipes: SmallVec::new(),
            origin: Origin::default(),
            closing: false,
        };
        self.all.insert(id, Box::new(bond));
        if self.all.len() > FEW {
            self.index(id);
        }
        id
    }

    /// Files a bond under its names, and all others too if none is filed yet.
    fn index(&mut self, id: EndpointId) {
        let ids: Vec<_> = if self.names.is_empty() {
            self.all.keys().copied().collect()
        } else {
            vec![id]
        };
        for id in ids {
            for hash in self.hashes(id) {
                self.names.insert((hash, id));
            }
        }
    }

    /// The hashes of a bond's two names, which often are one.
    fn hashes(&self, id: EndpointId) -> SmallVec<[u64; 2]> {
        let bond = self.all.get(&id);
        let names = bond.into_iter().flat_map(|b| [&*b.text, &*b.resolved]);
        names.map(|name| self.hasher.hash_one(name)).collect()
    }

    pub(crate) fn get(&self, id: EndpointId) -> Option<&Bond> {
        self.all.get(&id).map(|bond| &**bond)
    }

    pub(crate) fn get_mut(&mut self, id: EndpointId) -> Option<&mut Bond> {
        self.all.get_mut(&id).map(|bond| &mut **bond)
    }

    /// The bond of the last bind or connect, if it is still there.
    pub(crate) fn last(&self) -> Option<&Bond> {
        self.get(EndpointId(self.last))
    }

    /// Whether there was ever one.
    pub(crate) fn had_any(&self) -> bool {
        self.last != 0
    }

    /// The application takes it back: who asks for what the socket is bound and connected to hears
    /// nothing of it any more.
    pub(crate) fn close(&mut self, id: EndpointId) -> Option<&mut Bond> {
        self.addresses.remove(id);
        let bond = self.get_mut(id)?;
        bond.closing = true;
        Some(bond)
    }

    pub(crate) fn remove(&mut self, id: EndpointId) -> Option<Box<Bond>> {
        if !self.names.is_empty() {
            for hash in self.hashes(id) {
                self.names.remove(&(hash, id));
            }
        }
        self.addresses.remove(id);
        self.all.remove(&id)
    }

    /// The bonds that `name` is the text of, or what that was resolved to.
    pub(crate) fn called<'a>(
        &'a self,
        name: &'a str,
    ) -> impl Iterator<Item = (EndpointId, &'a Bond)> {
        let hash = self.hasher.hash_one(name);
        let filed = self
            .names
            .range((hash, EndpointId(0))..=(hash, EndpointId(u64::MAX)));
        let filed = filed.map(|(_, id)| *id);
        let unfiled = self.names.is_empty().then(|| self.all.keys().copied());
        filed
            .chain(unfiled.into_iter().flatten())
            .filter_map(|id| Some((id, self.get(id)?)))
            .filter(move |(_, bond)| bond.is_called(name))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (EndpointId, &Bond)> {
        self.all.iter().map(|(id, bond)| (*id, &**bond))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(n: usize) -> ChildId {
        ChildId {
            thread: 0,
            key: Key::from_bits(n),
        }
    }

    fn called(bonds: &Bonds, name: &str) -> Vec<EndpointId> {
        let mut found: Vec<_> = bonds.called(name).map(|(id, _)| id).collect();
        found.sort_unstable();
        found
    }

    /// The same is found whether there is an index or not.
    #[test]
    fn bonds_are_found_by_either_name() {
        for number in [3, FEW, FEW + 1, 100] {
            let mut bonds = Bonds::default();
            let ids: Vec<_> = (0..number)
                .map(|n| bonds.insert(&format!("a{n}"), &format!("b{n}"), BondKind::Bound))
                .collect();
            let again = bonds.insert("b1", "b1", BondKind::Connected);
            assert_eq!(called(&bonds, "a1"), [ids[1]]);
            assert_eq!(called(&bonds, "b1"), [ids[1], again]);
            bonds.remove(ids[1]);
            assert_eq!(called(&bonds, "a1"), []);
            assert_eq!(called(&bonds, "b1"), [again]);
            for (id, name) in ids.iter().zip(0..).skip(2) {
                assert_eq!(called(&bonds, &format!("a{name}")), [*id]);
                bonds.remove(*id);
            }
            bonds.remove(ids[0]);
            bonds.remove(again);
            assert!(bonds.iter().next().is_none() && bonds.names.is_empty());
            assert!(bonds.had_any() && bonds.last().is_none());
        }
    }

    #[test]
    fn others_read_what_is_not_taken_back() {
        let mut bonds = Bonds::default();
        let addresses = bonds.addresses().clone();
        let ids: Vec<_> = (0..3)
            .map(|n| bonds.insert("*", &format!("b{n}"), BondKind::Bound))
            .collect();
        assert_eq!(addresses.list(), ["b0", "b1", "b2"]);
        bonds.close(ids[1]);
        assert_eq!(addresses.list(), ["b0", "b2"]);
        bonds.remove(ids[1]);
        bonds.remove(ids[0]);
        assert_eq!(addresses.list(), ["b2"]);
    }

    #[test]
    fn the_bonds_own_child_is_told_from_others() {
        let mut bonds = Bonds::default();
        let id = bonds.insert("here", "here", BondKind::Bound);
        let bond = bonds.get_mut(id).unwrap();
        assert!(bond.own_lives(), "it is yet to start");
        bond.add_child(child(2), false);
        assert!(bond.own_lives());
        bond.add_child(child(1), true);
        assert_eq!(bond.children().collect::<Vec<_>>(), [child(1), child(2)]);
        bond.remove_child(child(1));
        assert!(!bond.own_lives());
        bond.remove_child(child(2));
        assert_eq!(bond.children().count(), 0);
    }

    /// However pipes come and go, the list is not gone through for each.
    #[test]
    fn former_pipes_are_forgotten_now_and_then() {
        let mut bonds = Bonds::default();
        let id = bonds.insert("here", "here", BondKind::Bound);
        let bond = bonds.get_mut(id).unwrap();
        let mut pipes = Pipes::new();
        let alive: Vec<Key> = (0..100)
            .map(|_| pipes.insert(crate::pipe::pair(false).0))
            .collect();
        for key in &alive {
            bond.add_pipe(*key, &pipes);
        }
        for _ in 0..1000 {
            let key = pipes.insert(crate::pipe::pair(false).0);
            bond.add_pipe(key, &pipes);
            pipes.remove(key);
        }
        assert!(bond.pipes().len() < 2 * alive.len());
        assert!(alive.iter().all(|key| bond.pipes().contains(key)));
        let last = bond.pipes().last().copied();
        assert_eq!(bond.take_pipes().last(), last);
        assert!(bond.pipes().is_empty());
    }
}
