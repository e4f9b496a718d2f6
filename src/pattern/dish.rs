//! DISH: receives the messages of the groups that it joined, from all its RADIOs.
//!
//! It owns the list of its groups and sees to it that every RADIO knows them, also one that comes
//! later or comes back. It looks at each message once more, since a RADIO may hear late that a group
//! was left, and datagrams come unasked.

use std::collections::BTreeSet;

use crate::error::Error;
use crate::msg::{GROUP_MAX, Kind, Msg};
use crate::pattern::{Origin, Pattern, PatternOption, Refused, is_peer_gone, no_such_option};
use crate::pipe::Pipes;
use crate::routing::dist::Dist;
use crate::routing::fq::{Fq, Next};
use crate::slab::Key;

/// How many messages that nobody asked for are dropped before the caller gets its turn.
const BUDGET: usize = 1000;

/// DISH, as in the module's text.
#[derive(Debug, Default)]
pub(crate) struct Dish {
    fq: Fq,
    dist: Dist,
    groups: BTreeSet<Box<str>>,
    /// What is received next, if it was read already.
    next: Option<Msg>,
}

impl Dish {
    fn join(&mut self, pipes: &mut Pipes, group: Box<str>) -> Result<(), Error> {
        if group.len() > GROUP_MAX || group.contains('\0') {
            return Err(Error::InvalidArgument(
                "a group has at most 255 bytes, none of them NUL",
            ));
        }
        let record = Msg::copied(group.as_bytes()).of_kind(Kind::Join);
        if !self.groups.insert(group) {
            return Err(Error::InvalidArgument("the group is joined already"));
        }
        self.dist.tell_all(pipes, &record);
        Ok(())
    }

    fn leave(&mut self, pipes: &mut Pipes, group: &str) -> Result<(), Error> {
        if !self.groups.remove(group) {
            return Err(Error::InvalidArgument("the group is not joined"));
        }
        let record = Msg::copied(group.as_bytes()).of_kind(Kind::Leave);
        self.dist.tell_all(pipes, &record);
        Ok(())
    }

    /// Tells one RADIO everything.
    fn tell_groups(&self, pipes: &mut Pipes, key: Key) {
        if let Some(pipe) = pipes.get_mut(key) {
            for group in &self.groups {
                pipe.write_uncounted(Msg::copied(group.as_bytes()).of_kind(Kind::Join));
            }
            pipe.flush();
        }
    }

    /// Reads the next message of a group of ours, and drops what comes before it.
    fn read(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused> {
        for _ in 0..BUDGET {
            match self.fq.recv(pipes, into) {
                Next::Frame(_) if !into.more() && self.groups.contains(into.group()) => {
                    return Ok(());
                }
                Next::Frame(_) => self.fq.skip_message(pipes),
                Next::Ended(key) => self.detach(pipes, key),
                Next::Idle => return Err(Refused::WouldBlock),
            }
        }
        Err(Refused::Yield)
    }
}

impl Pattern for Dish {
    fn attach(&mut self, pipes: &mut Pipes, key: Key, _origin: Origin) {
        self.fq.attach(key);
        self.dist.insert(key);
        self.tell_groups(pipes, key);
        if is_peer_gone(pipes, key) {
            self.on_closed(pipes, key);
        }
    }

    fn detach(&mut self, pipes: &mut Pipes, key: Key) {
        self.fq.detach(pipes, key);
        self.dist.remove(key);
        pipes.remove(key);
    }

    fn on_readable(&mut self, _pipes: &mut Pipes, key: Key) {
        self.fq.activate(key);
    }

    fn on_writable(&mut self, _pipes: &mut Pipes, _key: Key) {}

    fn on_closed(&mut self, pipes: &mut Pipes, key: Key) {
        self.dist.remove(key);
        if self.fq.is_over(pipes, key) {
            self.detach(pipes, key);
        }
    }

    fn on_hiccup(&mut self, pipes: &mut Pipes, key: Key) {
        self.tell_groups(pipes, key);
    }

    fn send(&mut self, _pipes: &mut Pipes, _msg: &mut Msg) -> Result<(), Refused> {
        Err(Refused::NotSupported)
    }

    fn recv(&mut self, pipes: &mut Pipes, into: &mut Msg) -> Result<(), Refused> {
        let Some(next) = self.next.take() else {
            return self.read(pipes, into);
        };
        *into = next;
        Ok(())
    }

    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        false
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        if self.next.is_none() {
            let mut next = Msg::new();
            match self.read(pipes, &mut next) {
                Ok(()) => self.next = Some(next),
                Err(refused) => return refused == Refused::Yield,
            }
        }
        true
    }

    fn set(&mut self, pipes: &mut Pipes, option: PatternOption) -> Result<(), Error> {
        if let PatternOption::Join(group) = option {
            self.join(pipes, group)
        } else if let PatternOption::Leave(group) = option {
            self.leave(pipes, &group)
        } else {
            Err(no_such_option())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::testing::Rig;
    use crate::routing::testing::Peer;
    use crate::ypipe::Pop;

    fn dish(groups: &[&str]) -> Rig<Dish> {
        let mut dish = Rig::new(Dish::default());
        for group in groups {
            dish.set(PatternOption::Join((*group).into()));
        }
        dish
    }

    fn try_set(dish: &mut Rig<Dish>, option: PatternOption) -> Result<(), Error> {
        dish.pattern.set(&mut dish.wires.pipes, option)
    }

    fn say(dish: &mut Rig<Dish>, peer: Peer, group: &str, body: &str) {
        let mut msg = Msg::from(body);
        msg.set_group(group).unwrap();
        let far = dish.wires.far_end(peer);
        far.write(&mut msg).unwrap();
        far.flush();
        dish.deliver();
    }

    /// What a RADIO is told: `+` and `-` with the group.
    fn told(dish: &mut Rig<Dish>, peer: Peer) -> Vec<String> {
        dish.deliver();
        let far = dish.wires.far_end(peer);
        let records = std::iter::from_fn(|| match far.read() {
            Pop::Item(record) => Some(record),
            Pop::Empty | Pop::Finished => None,
        });
        let text = |record: &Msg| {
            let sign = match record.kind() {
                Kind::Join => '+',
                Kind::Leave => '-',
                other => panic!("{other:?}"),
            };
            format!("{sign}{}", record.as_str().unwrap())
        };
        records.map(|record| text(&record)).collect()
    }

    #[test]
    fn every_radio_is_told_of_every_group_once_more_if_it_comes_back() {
        let mut dish = dish(&["b", "a"]);
        let early = dish.connect();
        assert_eq!(told(&mut dish, early), ["+a", "+b"]);
        dish.set(PatternOption::Join("c".into()));
        dish.set(PatternOption::Leave("a".into()));
        let late = dish.connect();
        assert_eq!(told(&mut dish, early), ["+c", "-a"]);
        assert_eq!(told(&mut dish, late), ["+b", "+c"]);
        dish.wires.far_end(late).hiccup();
        dish.deliver();
        assert_eq!(told(&mut dish, late), ["+b", "+c"]);
        assert!(told(&mut dish, early).is_empty());
    }

    #[test]
    fn a_group_is_joined_once_and_left_only_then() {
        let mut dish = dish(&["a", ""]);
        let long = "x".repeat(256);
        for group in ["a", "", "with\0nul", &long] {
            assert!(try_set(&mut dish, PatternOption::Join(group.into())).is_err());
        }
        assert!(try_set(&mut dish, PatternOption::Join(long[1..].into())).is_ok());
        assert!(try_set(&mut dish, PatternOption::Leave("b".into())).is_err());
        assert!(try_set(&mut dish, PatternOption::Leave("a".into())).is_ok());
        assert!(try_set(&mut dish, PatternOption::Leave("a".into())).is_err());
        assert!(try_set(&mut dish, PatternOption::ProbeRouter(true)).is_err());
    }

    #[test]
    fn what_belongs_to_no_group_of_ours_is_dropped() {
        let mut dish = dish(&["a"]);
        let peer = dish.connect();
        say(&mut dish, peer, "b", "unasked");
        say(&mut dish, peer, "", "unasked");
        assert!(!dish.can_recv());
        dish.say(peer, &["two", "frames"]);
        say(&mut dish, peer, "a", "wanted");
        assert!(dish.can_recv());
        let msg = dish.recv_frame().unwrap();
        assert_eq!((msg.group(), msg.as_str()), ("a", Some("wanted")));
        assert_eq!(dish.recv_frame().unwrap_err(), Refused::WouldBlock);
    }

    #[test]
    fn it_does_not_send() {
        let mut dish = dish(&["a"]);
        dish.connect();
        assert_eq!(dish.send(&["1"]), Err(Refused::NotSupported));
        assert!(!dish.can_send());
    }
}
