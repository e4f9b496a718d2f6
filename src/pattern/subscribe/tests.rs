//! XSUB and SUB: what publishers are told, and what the application gets.

use super::*;
use crate::msg::Kind;
use crate::pattern::publish::Publish;
use crate::pattern::testing::Rig;
use crate::routing::testing::{Frames, Link, Peer, frames, more};

fn sub() -> Rig<Subscribe> {
    Rig::new(Subscribe::new(true))
}

fn xsub() -> Rig<Subscribe> {
    Rig::new(Subscribe::new(false))
}

impl Rig<Subscribe> {
    fn subscribe(&mut self, topic: &'static str) {
        self.set(PatternOption::Subscribe(topic.into()));
    }

    fn unsubscribe(&mut self, topic: &'static str) {
        self.set(PatternOption::Unsubscribe(topic.into()));
    }

    /// What a publisher was told: `+topic`, `-topic`, and frames of the application as they are.
    fn told(&mut self, peer: Peer) -> Vec<String> {
        self.deliver();
        let mut told = Vec::new();
        while let Pop::Item(frame) = self.wires.far_end(peer).read() {
            let sign = match frame.kind() {
                Kind::Subscribe => "+",
                Kind::Cancel => "-",
                Kind::Data | Kind::Peer | Kind::Join | Kind::Leave => "",
            };
            told.push(format!("{sign}{}", frame.escape_ascii()));
        }
        self.deliver();
        told
    }

    /// Everything that the application can read now.
    #[track_caller]
    fn received(&mut self) -> Vec<Frames> {
        std::iter::from_fn(|| self.recv().ok()).collect()
    }
}

const NOTHING: [&str; 0] = [];

// ── what publishers are told ─────────────────────────────────────────────────────────────────

#[test]
fn every_publisher_is_told_of_subscriptions() {
    let mut rig = sub();
    let (a, b) = (rig.connect(), rig.connect());
    rig.subscribe("t");
    for peer in [a, b] {
        assert_eq!(rig.told(peer), ["+t"]);
    }
    rig.unsubscribe("t");
    for peer in [a, b] {
        assert_eq!(rig.told(peer), ["-t"]);
    }
}

#[test]
fn subscriptions_are_counted_and_cancelled_with_the_last() {
    let mut rig = sub();
    let peer = rig.connect();
    rig.subscribe("t");
    rig.subscribe("t");
    rig.unsubscribe("t");
    assert_eq!(rig.told(peer), ["+t", "+t"]);
    rig.unsubscribe("t");
    assert_eq!(rig.told(peer), ["-t"]);
}

#[test]
fn unsubscribing_from_what_was_not_subscribed_to_is_nothing() {
    let mut rig = sub();
    let peer = rig.connect();
    rig.unsubscribe("never");
    assert_eq!(rig.told(peer), NOTHING);
}

#[test]
fn verbose_unsubscriptions_are_all_forwarded() {
    let mut rig = sub();
    rig.set(PatternOption::XsubVerboseUnsubscribe(true));
    let peer = rig.connect();
    rig.subscribe("t");
    rig.subscribe("t");
    for _ in 0..3 {
        rig.unsubscribe("t");
    }
    assert_eq!(rig.told(peer), ["+t", "+t", "-t", "-t", "-t"]);
}

#[test]
fn a_late_publisher_is_told_everything_once() {
    let mut rig = sub();
    for topic in ["b", "", "a", "a", "gone"] {
        rig.subscribe(topic);
    }
    rig.unsubscribe("gone");
    let peer = rig.connect();
    let mut told = rig.told(peer);
    told.sort();
    assert_eq!(told, ["+", "+a", "+b"]);
}

#[test]
fn a_publisher_that_comes_back_is_told_again() {
    let mut rig = sub();
    rig.subscribe("t");
    let (back, other) = (rig.connect(), rig.connect());
    rig.told(back);
    rig.told(other);
    rig.wires.far_end(back).hiccup();
    rig.deliver();
    assert_eq!(rig.told(back), ["+t"]);
    assert_eq!(rig.told(other), NOTHING);
}

#[test]
fn no_mark_holds_subscriptions_back() {
    let mut rig = sub();
    let early = rig.connect_hwm(5);
    let topics: Vec<_> = (0..50).map(|n| n.to_string()).collect();
    for topic in &topics {
        rig.set(PatternOption::Subscribe(topic.clone().into()));
    }
    let late = rig.connect_hwm(5);
    assert_eq!(rig.told(early).len(), 50);
    assert_eq!(rig.told(late).len(), 50);
}

#[test]
fn xsub_subscribes_by_sending() {
    let mut rig = xsub();
    let peer = rig.connect();
    assert!(rig.can_send());
    rig.send(&[b"\x01t"]).unwrap();
    rig.send(&[b"\x01t"]).unwrap();
    rig.send(&[b"\x00t"]).unwrap();
    assert_eq!(rig.told(peer), ["+t", "+t"]);
    rig.send(&[b"\x00t"]).unwrap();
    assert_eq!(rig.told(peer), ["-t"]);
    let pipes = &mut rig.wires.pipes;
    let option = PatternOption::Subscribe("t".into());
    assert!(rig.pattern.set(pipes, option).is_err());
}

#[test]
fn xsub_sends_other_messages_to_all_publishers() {
    let mut rig = xsub();
    rig.send(&["nobody there"]).unwrap();
    let (a, b) = (rig.connect(), rig.connect());
    rig.send(&["user", "message"]).unwrap();
    for peer in [a, b] {
        assert_eq!(rig.hear_all(peer), [frames(&["user", "message"])]);
    }
}

#[test]
fn several_subscriptions_can_be_one_message() {
    let mut rig = xsub();
    let peer = rig.connect();
    rig.send(&[&b"\x01a"[..], b"\x01b", b"user"]).unwrap();
    assert_eq!(rig.told(peer), ["+a", "+b", "user"]);
}

#[test]
fn a_subscription_within_a_message_stays_in_it() {
    let mut rig = xsub();
    let peer = rig.connect();
    rig.send(&[&b"user"[..], b"\x01t", b"end"]).unwrap();
    rig.send(&[b"\x01t"]).unwrap();
    assert_eq!(rig.told(peer), ["user", "\\x01t", "end", "+t"]);
    rig.send(&[&b"user"[..], b"\x00t"]).unwrap();
    assert_eq!(rig.told(peer), ["user", ""], "one subscription is left");
    rig.send(&[&b"user"[..], b"\x00t"]).unwrap();
    assert_eq!(rig.told(peer), ["user", "\\x00t"]);
}

#[test]
fn only_first_subscribe_leaves_later_frames_alone() {
    let mut rig = xsub();
    rig.set(PatternOption::OnlyFirstSubscribe(true));
    rig.send(&[&b"user"[..], b"\x01t"]).unwrap();
    rig.send(&[b"\x01s"]).unwrap();
    let late = rig.connect();
    assert_eq!(rig.told(late), ["+s"]);
}

#[test]
fn a_connection_lost_within_a_message_loses_the_message_only() {
    let mut rig = xsub();
    rig.send(&[b"\x01t"]).unwrap();
    let (lost, other) = (rig.connect(), rig.connect());
    rig.told(lost);
    rig.told(other);
    rig.send_frame(more("user")).unwrap();
    rig.wires.far_end(lost).hiccup();
    rig.deliver();
    rig.send(&["message"]).unwrap();
    rig.send(&["next"]).unwrap();
    assert_eq!(rig.told(lost), ["+t", "next"]);
    assert_eq!(rig.told(other), ["user", "message", "next"]);
}

#[test]
fn sub_cannot_send() {
    let mut rig = sub();
    rig.connect();
    assert!(!rig.can_send());
    assert_eq!(rig.send(&["x"]), Err(Refused::NotSupported));
}

#[test]
fn options_of_other_socket_types_are_refused() {
    let mut rig = sub();
    let pipes = &mut rig.wires.pipes;
    assert!(
        rig.pattern
            .set(pipes, PatternOption::XpubManual(true))
            .is_err()
    );
}

// ── what the application gets ────────────────────────────────────────────────────────────────

#[test]
fn sub_gets_what_matches_by_the_first_frame() {
    let mut rig = sub();
    rig.subscribe("a");
    let peer = rig.connect();
    for message in [&["b", "a"][..], &["a1", "b"], &["", "a"], &["a2"]] {
        rig.say(peer, message);
    }
    assert_eq!(rig.received(), [frames(&["a1", "b"]), frames(&["a2"])]);
}

#[test]
fn sub_without_subscriptions_gets_nothing_and_xsub_everything() {
    for (mut rig, expected) in [(sub(), 0), (xsub(), 1)] {
        let peer = rig.connect();
        rig.say(peer, &["x"]);
        assert_eq!(rig.can_recv(), expected == 1);
        assert_eq!(rig.received().len(), expected);
    }
}

#[test]
fn inverted_sub_gets_what_does_not_match() {
    let mut rig = sub();
    rig.set(PatternOption::InvertMatching(true));
    rig.subscribe("a");
    let peer = rig.connect();
    rig.say(peer, &["a"]);
    rig.say(peer, &["b"]);
    assert_eq!(rig.received(), [frames(&["b"])]);
}

#[test]
fn an_unsubscription_takes_effect_at_once() {
    let mut rig = sub();
    rig.subscribe("a");
    let peer = rig.connect();
    rig.say(peer, &["a"]);
    rig.unsubscribe("a");
    assert_eq!(rig.received(), Vec::<Frames>::new());
}

#[test]
fn publishers_are_read_in_turn_and_never_mixed() {
    let mut rig = sub();
    rig.subscribe("");
    let (a, b) = (rig.connect(), rig.connect());
    for peer in [a, a, b, b] {
        let name = if peer == a { "a" } else { "b" };
        rig.say(peer, &[name, name]);
    }
    let (a, b) = (frames(&["a", "a"]), frames(&["b", "b"]));
    assert_eq!(rig.received(), [a.clone(), b.clone(), a, b]);
}

#[test]
fn readiness_is_that_of_a_matching_message() {
    let mut rig = sub();
    rig.subscribe("a");
    let peer = rig.connect();
    assert!(!rig.can_recv());
    rig.say(peer, &["b", "a"]);
    assert!(!rig.can_recv());
    rig.say(peer, &["b", "a"]);
    rig.say(peer, &["a", "b"]);
    assert!(rig.can_recv());
    assert_eq!(rig.recv_frame().unwrap(), *"a");
    assert!(rig.can_recv(), "the rest of the message");
    assert_eq!(rig.recv_frame().unwrap(), *"b");
    assert!(!rig.can_recv());
}

#[test]
fn what_a_publisher_sent_before_it_went_is_read() {
    let mut rig = sub();
    rig.subscribe("");
    let peer = rig.connect();
    rig.wires.say(peer, &["bye"]);
    rig.hang_up(peer);
    assert!(rig.is_linked(peer));
    assert_eq!(rig.received(), [frames(&["bye"])]);
    assert!(!rig.is_linked(peer));
}

#[test]
fn a_publisher_that_goes_with_nothing_to_say_is_let_go() {
    let mut rig = sub();
    let peer = rig.connect();
    rig.hang_up(peer);
    assert!(!rig.is_linked(peer));
    rig.subscribe("nobody hears it");
}

#[test]
fn a_pipe_whose_peer_was_gone_from_the_start_is_let_go() {
    let mut rig = sub();
    let (key, peer) = rig.wires.link(Link {
        identity: None,
        ..Link::default()
    });
    rig.wires.hang_up(peer);
    rig.wires.deliver();
    let pipes = &mut rig.wires.pipes;
    rig.pattern.attach(pipes, key, Origin::default());
    assert!(!rig.is_linked(peer));
}

#[test]
fn a_message_whose_pipe_is_detached_does_not_let_the_next_one_slip_through() {
    let mut rig = sub();
    rig.subscribe("a");
    let (first, other) = (rig.connect(), rig.connect());
    rig.say(first, &["a", "rest"]);
    assert_eq!(rig.recv_frame().unwrap(), *"a");
    rig.disconnect(first);
    rig.say(other, &["b"]);
    assert_eq!(rig.received(), [frames(&["rest"])]);
}

#[test]
fn subscriptions_from_the_wrong_side_are_no_messages() {
    let mut rig = xsub();
    let peer = rig.connect();
    let record = upstream::record(Request::Subscribe, "t".into());
    rig.wires.far_end(peer).write_uncounted(record);
    rig.say(peer, &["data"]);
    assert_eq!(rig.received(), [frames(&["data"])]);
}

#[test]
fn a_flood_of_what_nobody_wants_does_not_keep_the_caller_from_its_clock() {
    let mut rig = sub();
    rig.subscribe("a");
    let peer = rig.connect_hwm(0);
    for _ in 0..2 * BUDGET + 1 {
        rig.wires.say(peer, &["b", "b"]);
    }
    rig.say(peer, &["a"]);
    assert_eq!(rig.recv(), Err(Refused::Yield));
    assert!(rig.can_recv(), "there may be a message behind the flood");
    assert_eq!(rig.recv(), Ok(frames(&["a"])));
    assert!(!rig.can_recv());
}

// ── both sides ───────────────────────────────────────────────────────────────────────────────

/// A publisher, and a subscriber to it, with the wires between them.
struct Line {
    publisher: Rig<Publish>,
    subscriber: Rig<Subscribe>,
    at_publisher: Peer,
    at_subscriber: Peer,
}

impl Line {
    fn new() -> Self {
        let (mut publisher, mut subscriber) = (Rig::new(Publish::new(true)), sub());
        Self {
            at_publisher: publisher.connect(),
            at_subscriber: subscriber.connect(),
            publisher,
            subscriber,
        }
    }

    /// Carries everything both ways.
    fn carry(&mut self) {
        let up = self.subscriber.wires.far_end(self.at_subscriber);
        let down = self.publisher.wires.far_end(self.at_publisher);
        while let Pop::Item(mut frame) = up.read() {
            down.write(&mut frame).expect("the pipe has room");
        }
        while let Pop::Item(mut frame) = down.read() {
            up.write(&mut frame).expect("the pipe has room");
        }
        up.flush();
        down.flush();
        self.publisher.deliver();
        self.subscriber.deliver();
    }
}

#[test]
fn what_is_subscribed_to_arrives() {
    let mut line = Line::new();
    line.subscriber.subscribe("a");
    line.carry();
    assert_eq!(line.publisher.recv(), Ok(frames(&[b"\x01a"])));
    for topic in ["a", "b", "ab"] {
        line.publisher.send(&[topic, "body"]).unwrap();
    }
    line.carry();
    let all = [frames(&["a", "body"]), frames(&["ab", "body"])];
    assert_eq!(line.subscriber.received(), all);
}
