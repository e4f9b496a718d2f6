//! RADIO: sends each message to the peers that joined its group.
//!
//! It owns who is in which group. It never waits for a peer: who has no room misses the message,
//! unless the application asked to be refused instead. Over udp nobody can join, and everybody gets
//! everything.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::error::Error;
use crate::msg::{Kind, Msg};
use crate::pattern::single::ONE_FRAME;
use crate::pattern::{Origin, Pattern, PatternOption, Refused, no_such_option};
use crate::pipe::{PipeEnd, Pipes};
use crate::routing::dist::Dist;
use crate::slab::Key;
use crate::ypipe::Pop;

/// How many records are read from a peer before the caller gets its turn.
const BUDGET: usize = 1000;

type Group = Box<[u8]>;

/// RADIO, as in the module's text.
#[derive(Debug, Default)]
pub(crate) struct Radio {
    dist: Dist,
    groups: HashMap<Group, BTreeSet<Key>>,
    /// The groups of each peer that has any, so that it leaves without a walk over all groups.
    joined: HashMap<Key, BTreeSet<Group>>,
    /// The pipes of datagrams.
    everything: BTreeSet<Key>,
    /// The pipes that were left before they were empty, so that no event will tell of them.
    unread: VecDeque<Key>,
    nodrop: bool,
}

impl Radio {
    /// Reads what a peer wants, up to the budget.
    fn read(&mut self, pipes: &mut Pipes, key: Key) {
        for _ in 0..BUDGET {
            match pipes.get_mut(key).map_or(Pop::Finished, PipeEnd::read) {
                Pop::Item(record) => self.on_record(key, &record),
                Pop::Empty => return,
                Pop::Finished => return self.detach(pipes, key),
            }
        }
        self.unread.push_back(key);
    }

    fn read_on(&mut self, pipes: &mut Pipes) {
        if let Some(key) = self.unread.pop_front() {
            self.read(pipes, key);
        }
    }

    /// Nobody can send to a RADIO, so that messages are nothing.
    fn on_record(&mut self, key: Key, record: &Msg) {
        match record.kind() {
            Kind::Join => {
                let group = Group::from(&record[..]);
                let peers = self.groups.entry(group.clone()).or_default();
                peers.insert(key);
                self.joined.entry(key).or_default().insert(group);
            }
            Kind::Leave => {
                if let Some(groups) = self.joined.get_mut(&key) {
                    groups.remove(&record[..]);
                    if groups.is_empty() {
                        self.joined.remove(&key);
                    }
                }
                self.leave(key, record);
            }
            Kind::Data | Kind::Subscribe | Kind::Cancel | Kind::Peer => {}
        }
    }

    fn leave(&mut self, key: Key, group: &[u8]) {
        if let Some(peers) = self.groups.get_mut(group) {
            peers.remove(&key);
            if peers.is_empty() {
                self.groups.remove(group);
            }
        }
    }

    fn choose(&mut self, group: &[u8]) {
        self.dist.unmatch_all();
        for key in self.groups.get(group).into_iter().flatten() {
            self.dist.match_key(*key);
        }
        for key in &self.everything {
            self.dist.match_key(*key);
        }
    }
}

impl Pattern for Radio {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, origin: Origin) {
        self.dist.insert(key);
        if origin.datagrams {
            self.everything.insert(key);
        }
        self.read(pipes, key);
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.dist.remove(key);
        self.everything.remove(&key);
        for group in self.joined.remove(&key).unwrap_or_default() {
            self.leave(key, &group);
        }
        pipes.remove(key);
    }

    fn on_readable(&mut self, pipes: &mut Pipes, key: Key) {
        self.read(pipes, key);
    }

    fn on_writable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.dist.on_writable(key);
    }

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.detach(pipes, key);
    }

    /// A DISH that comes back says again what it wants.
    fn on_hiccup(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn send(&mut self, pipes: &mut Pipes, msg: &mut Msg) -> Result<(), Refused> {
        self.read_on(pipes);
        if msg.more() {
            return Err(ONE_FRAME);
        }
        self.choose(msg.group().as_bytes());
        if self.nodrop && !self.dist.all_matching_keep_up(pipes) {
            return Err(Refused::WouldBlock);
        }
        self.dist.send_to_matching(pipes, msg);
        Ok(())
    }

    fn recv(&mut self, _pipes: &mut Pipes, _into: &mut Msg) -> Result<(), Refused> {
        Err(Refused::NotSupported)
    }

    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        true
    }

    fn can_recv(&mut self, _pipes: &mut Pipes) -> bool {
        false
    }

    fn has_subscribers(&mut self, pipes: &mut Pipes, peers: usize) -> Result<(), Refused> {
        self.read_on(pipes);
        if self.joined.len() >= peers {
            Ok(())
        } else if self.unread.is_empty() {
            Err(Refused::WouldBlock)
        } else {
            Err(Refused::Yield)
        }
    }

    fn set(&mut self, _pipes: &mut Pipes, option: PatternOption) -> Result<(), Error> {
        let PatternOption::XpubNodrop(on) = option else {
            return Err(no_such_option());
        };
        self.nodrop = on;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::testing::Rig;
    use crate::routing::testing::{Link, Peer, frames, more};

    fn radio() -> Rig<Radio> {
        Rig::new(Radio::default())
    }

    fn tell(radio: &mut Rig<Radio>, peer: Peer, kind: Kind, group: &str) {
        let far = radio.wires.far_end(peer);
        far.write_uncounted(Msg::from(group).of_kind(kind));
        far.flush();
        radio.deliver();
    }

    fn send(radio: &mut Rig<Radio>, group: &str, body: &str) -> Result<(), Refused> {
        let mut msg = Msg::from(body);
        msg.set_group(group).unwrap();
        let outcome = radio.send_frame(msg);
        radio.send(&[] as &[&str]).unwrap();
        outcome
    }

    #[test]
    fn messages_go_to_those_who_joined_exactly_their_group() {
        let mut radio = radio();
        let (a, b) = (radio.connect(), radio.connect());
        tell(&mut radio, a, Kind::Join, "news");
        tell(&mut radio, b, Kind::Join, "news");
        tell(&mut radio, b, Kind::Join, "");
        for (group, body) in [("news", "1"), ("new", "2"), ("news!", "3"), ("", "4")] {
            send(&mut radio, group, body).unwrap();
        }
        assert_eq!(radio.hear_all(a), [frames(&["1"])]);
        assert_eq!(radio.hear_all(b), [frames(&["1"]), frames(&["4"])]);
    }

    #[test]
    fn who_leaves_or_goes_gets_no_more() {
        let mut radio = radio();
        let (a, b) = (radio.connect(), radio.connect());
        for peer in [a, b] {
            tell(&mut radio, peer, Kind::Join, "g");
            tell(&mut radio, peer, Kind::Join, "g");
        }
        tell(&mut radio, a, Kind::Leave, "g");
        tell(&mut radio, a, Kind::Leave, "never joined");
        send(&mut radio, "g", "1").unwrap();
        assert_eq!(radio.hear_all(a), [] as [Vec<Vec<u8>>; 0]);
        assert_eq!(radio.hear_all(b), [frames(&["1"])]);
        radio.hang_up(b);
        assert!(radio.pattern.groups.is_empty() && radio.pattern.joined.is_empty());
    }

    #[test]
    fn who_has_no_room_misses_a_message_unless_it_must_not() {
        let mut radio = radio();
        let peer = radio.connect_hwm(1);
        tell(&mut radio, peer, Kind::Join, "g");
        send(&mut radio, "g", "1").unwrap();
        send(&mut radio, "g", "missed").unwrap();
        radio.set(PatternOption::XpubNodrop(true));
        assert_eq!(send(&mut radio, "g", "2"), Err(Refused::WouldBlock));
        assert_eq!(radio.hear(peer), Some(frames(&["1"])));
        send(&mut radio, "g", "2").unwrap();
        assert_eq!(radio.hear_all(peer), [frames(&["2"])]);
    }

    #[test]
    fn datagrams_take_every_group() {
        let mut radio = radio();
        let origin = Origin {
            datagrams: true,
            ..Origin::default()
        };
        let peer = radio.connect_by(Link::default(), origin);
        send(&mut radio, "a", "1").unwrap();
        send(&mut radio, "b", "2").unwrap();
        assert_eq!(radio.hear_all(peer), [frames(&["1"]), frames(&["2"])]);
    }

    #[test]
    fn who_joined_something_is_counted() {
        let mut radio = radio();
        let (a, b) = (radio.connect_hwm(0), radio.connect());
        let enough = |radio: &mut Rig<Radio>, peers| {
            radio.pattern.has_subscribers(&mut radio.wires.pipes, peers)
        };
        assert_eq!(enough(&mut radio, 0), Ok(()));
        assert_eq!(enough(&mut radio, 1), Err(Refused::WouldBlock));
        for _ in 0..BUDGET {
            radio.wires.say(a, &["nobody reads this"]);
        }
        tell(&mut radio, a, Kind::Join, "g");
        tell(&mut radio, b, Kind::Join, "g");
        assert_eq!(enough(&mut radio, 2), Ok(()));
        tell(&mut radio, b, Kind::Leave, "g");
        assert_eq!(enough(&mut radio, 2), Err(Refused::WouldBlock));
    }

    #[test]
    fn it_sends_single_frames_and_does_not_receive() {
        let mut radio = radio();
        let peer = radio.connect();
        assert_eq!(radio.send_frame(more("1")), Err(ONE_FRAME));
        radio.say(peer, &["nobody reads this"]);
        assert_eq!(radio.recv(), Err(Refused::NotSupported));
        assert!(!radio.can_recv() && radio.can_send());
    }
}
