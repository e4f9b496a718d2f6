//! XPUB and PUB: who gets what, and what the application hears of it.

use super::*;
use crate::pattern::testing::Rig;
use crate::routing::testing::{Frames, Link, Peer, frames, message, more};

fn xpub() -> Rig<Publish> {
    Rig::new(Publish::new(true))
}

fn publisher() -> Rig<Publish> {
    Rig::new(Publish::new(false))
}

impl Rig<Publish> {
    /// The peer's engine passes on a request.
    fn request(&mut self, peer: Peer, request: Request, topic: &[u8]) {
        let record = upstream::record(request, Msg::copied(topic));
        self.wires.far_end(peer).write_uncounted(record);
        self.wires.far_end(peer).flush();
        self.deliver();
    }

    fn subscribe(&mut self, peer: Peer, topic: impl AsRef<[u8]>) {
        self.request(peer, Request::Subscribe, topic.as_ref());
    }

    fn cancel(&mut self, peer: Peer, topic: impl AsRef<[u8]>) {
        self.request(peer, Request::Cancel, topic.as_ref());
    }

    fn subscriber(&mut self, topic: &str) -> Peer {
        let peer = self.connect();
        self.subscribe(peer, topic);
        peer
    }

    /// Everything that the application can read now.
    #[track_caller]
    fn events(&mut self) -> Vec<Frames> {
        let mut events = Vec::new();
        loop {
            match self.recv() {
                Ok(event) => events.push(event),
                Err(Refused::Yield) => {}
                Err(refused) => {
                    assert_eq!(refused, Refused::WouldBlock);
                    return events;
                }
            }
        }
    }
}

/// Events of one frame each.
fn events(bodies: &[&[u8]]) -> Vec<Frames> {
    bodies.iter().map(|body| frames(&[body])).collect()
}

fn nothing() -> Vec<Frames> {
    Vec::new()
}

// ── who gets what ────────────────────────────────────────────────────────────────────────────

#[test]
fn a_message_goes_to_those_who_subscribed_to_a_prefix_of_its_first_frame() {
    let mut rig = publisher();
    let (a, all, other) = (rig.subscriber("a"), rig.subscriber(""), rig.subscriber("b"));
    rig.send(&["abc", "b"]).unwrap();
    assert_eq!(rig.hear_all(a), [frames(&["abc", "b"])]);
    assert_eq!(rig.hear_all(all), [frames(&["abc", "b"])]);
    assert_eq!(rig.hear_all(other), nothing());
}

#[test]
fn overlapping_subscriptions_bring_one_copy() {
    let mut rig = publisher();
    let peer = rig.subscriber("");
    rig.subscribe(peer, "a");
    rig.subscribe(peer, "ab");
    rig.send(&["abc"]).unwrap();
    assert_eq!(rig.hear_all(peer), [frames(&["abc"])]);
}

#[test]
fn without_subscribers_a_message_is_dropped_with_success() {
    let mut rig = publisher();
    assert!(rig.can_send());
    rig.send(&["nobody", "home"]).unwrap();
    let peer = rig.connect();
    rig.send(&["not subscribed"]).unwrap();
    assert_eq!(rig.hear_all(peer), nothing());
}

#[test]
fn subscriptions_of_old_peers_are_messages() {
    let mut rig = publisher();
    let peer = rig.connect();
    rig.say(peer, &[b"\x01a"]);
    rig.send(&["a1"]).unwrap();
    rig.say(peer, &[b"\x00a"]);
    rig.send(&["a2"]).unwrap();
    assert_eq!(rig.hear_all(peer), [frames(&["a1"])]);
}

#[test]
fn a_subscription_that_was_there_before_the_pipe_counts() {
    let mut rig = publisher();
    let (key, peer) = rig.wires.link(Link::default());
    let record = upstream::record(Request::Subscribe, Msg::from("a"));
    rig.wires.far_end(peer).write_uncounted(record);
    rig.wires.far_end(peer).flush();
    let pipes = &mut rig.wires.pipes;
    rig.pattern.attach(pipes, key, Origin::default());
    rig.send(&["a"]).unwrap();
    assert_eq!(rig.hear_all(peer), [frames(&["a"])]);
}

#[test]
fn the_recipients_are_chosen_once_for_all_frames() {
    let mut rig = publisher();
    let (early, late) = (rig.subscriber("a"), rig.connect());
    rig.send_frame(more("a1")).unwrap();
    rig.cancel(early, "a");
    rig.subscribe(late, "a");
    rig.send(&["a2"]).unwrap();
    assert_eq!(rig.hear_all(early), [frames(&["a1", "a2"])]);
    assert_eq!(rig.hear_all(late), nothing());
}

#[test]
fn a_slow_subscriber_misses_whole_messages_and_the_others_none() {
    let mut rig = publisher();
    let slow = rig.connect_hwm(1);
    rig.subscribe(slow, "");
    let fast = rig.subscriber("");
    for n in 0..3 {
        rig.send(&[n.to_string(), n.to_string()]).unwrap();
    }
    assert_eq!(rig.hear_all(slow), [frames(&["0", "0"])]);
    assert_eq!(rig.hear_all(fast).len(), 3);
    rig.send(&["again"]).unwrap();
    assert_eq!(rig.hear_all(slow), [frames(&["again"])]);
}

#[test]
fn nodrop_refuses_what_a_matching_subscriber_has_no_room_for() {
    let mut rig = xpub();
    rig.set(PatternOption::XpubNodrop(true));
    let slow = rig.connect_hwm(1);
    rig.subscribe(slow, "a");
    let fast = rig.subscriber("a");
    rig.send(&["a1", "end"]).unwrap();
    assert_eq!(rig.send(&["a2"]), Err(Refused::WouldBlock));
    assert!(rig.can_send());
    rig.send(&["b"]).expect("it matches nobody");
    assert_eq!(rig.hear_all(slow), [frames(&["a1", "end"])]);
    rig.send(&["a2"]).unwrap();
    let all = [frames(&["a1", "end"]), frames(&["a2"])];
    assert_eq!(rig.hear_all(fast), all);
    assert_eq!(rig.hear_all(slow), [frames(&["a2"])]);
}

#[test]
fn nodrop_refuses_once_where_a_subscriber_was_a_mark_behind() {
    let mut rig = xpub();
    rig.set(PatternOption::XpubNodrop(true));
    let slow = rig.connect_hwm(1);
    rig.subscribe(slow, "");
    rig.send(&["1"]).unwrap();
    assert_eq!(rig.hear_all(slow), [frames(&["1"])]);
    assert_eq!(rig.send(&["2"]), Err(Refused::WouldBlock));
    rig.send(&["2"]).unwrap();
    assert_eq!(rig.hear_all(slow), [frames(&["2"])]);
}

#[test]
fn nodrop_does_not_wait_for_the_dead() {
    let mut rig = xpub();
    rig.set(PatternOption::XpubNodrop(true));
    let slow = rig.connect_hwm(1);
    rig.subscribe(slow, "");
    rig.send(&["1"]).unwrap();
    assert_eq!(rig.send(&["2"]), Err(Refused::WouldBlock));
    rig.hang_up(slow);
    rig.send(&["2"]).unwrap();
}

#[test]
fn inverted_a_message_goes_to_those_whom_it_does_not_match() {
    let mut rig = publisher();
    rig.set(PatternOption::InvertMatching(true));
    let (a, none) = (rig.subscriber("a"), rig.connect());
    rig.send(&["a"]).unwrap();
    rig.send(&["b"]).unwrap();
    assert_eq!(rig.hear_all(a), [frames(&["b"])]);
    assert_eq!(rig.hear_all(none), [frames(&["a"]), frames(&["b"])]);
}

#[test]
fn each_new_subscriber_is_welcomed_first() {
    let mut rig = xpub();
    rig.set(PatternOption::XpubWelcome(Some(more("W"))));
    let peer = rig.connect();
    assert_eq!(rig.hear_all(peer), [frames(&["W"])]);
    rig.set(PatternOption::XpubWelcome(Some(Msg::new())));
    let peer = rig.connect();
    assert_eq!(rig.hear_all(peer), nothing());
}

// ── what the application hears ───────────────────────────────────────────────────────────────

#[test]
fn the_first_subscription_and_the_last_cancellation_are_reported() {
    let mut rig = xpub();
    let (a, b) = (rig.subscriber("t"), rig.subscriber("t"));
    rig.subscribe(a, "t");
    assert_eq!(rig.events(), events(&[b"\x01t"]));
    rig.cancel(a, "t");
    assert!(!rig.can_recv());
    rig.cancel(b, "t");
    assert!(rig.can_recv());
    assert_eq!(rig.events(), events(&[b"\x00t"]));
}

#[test]
fn the_cancellation_of_an_unknown_topic_is_reported() {
    let mut rig = xpub();
    let peer = rig.connect();
    rig.cancel(peer, "never");
    assert_eq!(rig.events(), events(&[b"\x00never"]));
}

#[test]
fn nobody_can_cancel_what_another_subscribed_to() {
    let mut rig = xpub();
    let (mine, stranger) = (rig.subscriber("t"), rig.connect());
    rig.cancel(stranger, "t");
    assert_eq!(rig.events(), events(&[b"\x01t"]));
    rig.send(&["t"]).unwrap();
    assert_eq!(rig.hear_all(mine), [frames(&["t"])]);
}

#[test]
fn verbose_reports_repeated_subscriptions() {
    let mut rig = xpub();
    rig.set(PatternOption::XpubVerbose(true));
    let (a, b) = (rig.subscriber("t"), rig.subscriber("t"));
    rig.cancel(a, "t");
    rig.cancel(b, "t");
    assert_eq!(rig.events(), events(&[b"\x01t", b"\x01t", b"\x00t"]));
}

#[test]
fn verboser_reports_repeated_cancellations_too() {
    let mut rig = xpub();
    rig.set(PatternOption::XpubVerboser(true));
    let (a, b) = (rig.subscriber("t"), rig.subscriber("t"));
    rig.cancel(a, "t");
    rig.hang_up(b);
    let all = events(&[b"\x01t", b"\x01t", b"\x00t", b"\x00t"]);
    assert_eq!(rig.events(), all);
    rig.set(PatternOption::XpubVerbose(false));
    rig.subscriber("t");
    rig.subscriber("t");
    assert_eq!(rig.events(), events(&[b"\x01t"]));
}

#[test]
fn a_peer_that_goes_cancels_what_only_it_wanted() {
    for hangs_up in [true, false] {
        let mut rig = xpub();
        let (goes, stays) = (rig.subscriber("ours"), rig.subscriber("ours"));
        rig.subscribe(goes, "mine");
        rig.events();
        if hangs_up {
            rig.hang_up(goes);
        } else {
            rig.disconnect(goes);
        }
        assert!(!rig.is_linked(goes));
        assert_eq!(rig.events(), events(&[b"\x00mine"]));
        rig.send(&["ours"]).unwrap();
        assert_eq!(rig.hear_all(stays), [frames(&["ours"])]);
    }
}

#[test]
fn last_words_are_read() {
    let mut rig = xpub();
    let peer = rig.connect();
    rig.wires.say(peer, &["bye", "bye"]);
    rig.hang_up(peer);
    assert_eq!(rig.events(), [frames(&["bye", "bye"])]);
    assert!(!rig.is_linked(peer));
}

#[test]
fn a_pipe_whose_peer_was_gone_from_the_start_is_let_go() {
    let mut rig = xpub();
    let (key, peer) = rig.wires.link(Link::default());
    rig.wires.hang_up(peer);
    rig.wires.deliver();
    let pipes = &mut rig.wires.pipes;
    rig.pattern.attach(pipes, key, Origin::default());
    assert!(!rig.is_linked(peer));
}

#[test]
fn messages_of_a_subscriber_reach_the_application_whole() {
    let mut rig = xpub();
    let peer = rig.connect();
    rig.say(peer, &["user", "message"]);
    assert_eq!(rig.events(), [frames(&["user", "message"])]);
}

#[test]
fn a_later_frame_can_be_a_subscription_and_stays_in_its_message() {
    let mut rig = xpub();
    let peer = rig.connect();
    rig.say(peer, &[&b"user"[..], b"\x01t", b"end"]);
    assert_eq!(rig.events(), [frames(&[&b"user"[..], b"\x01t", b"end"])]);
    rig.send(&["t"]).unwrap();
    assert_eq!(rig.hear_all(peer), [frames(&["t"])]);
}

#[test]
fn what_stays_in_a_message_is_data_to_whoever_passes_it_on() {
    let mut rig = xpub();
    let peer = rig.connect();
    rig.wires.say_frame(peer, more("user"));
    rig.wires
        .say_frame(peer, Msg::from("t").of_kind(Kind::Subscribe));
    rig.wires.far_end(peer).flush();
    rig.deliver();
    for expected in ["user", "t"] {
        let frame = rig.recv_frame().unwrap();
        assert_eq!((frame.kind(), frame.as_str()), (Kind::Data, Some(expected)));
    }
}

#[test]
fn subscriptions_in_one_message_are_events_of_their_own() {
    let mut rig = xpub();
    let peer = rig.connect();
    rig.say(peer, &[&b"\x01a"[..], b"\x01b", b"user", b"data"]);
    let mut expected = events(&[b"\x01a", b"\x01b"]);
    expected.push(frames(&["user", "data"]));
    assert_eq!(rig.events(), expected);
}

#[test]
fn only_first_subscribe_leaves_later_frames_alone() {
    let mut rig = xpub();
    rig.set(PatternOption::OnlyFirstSubscribe(true));
    let peer = rig.connect();
    rig.say(peer, &[&b"user"[..], b"\x01t"]);
    assert_eq!(rig.events(), [frames(&[&b"user"[..], b"\x01t"])]);
    rig.send(&["t"]).unwrap();
    assert_eq!(rig.hear_all(peer), nothing());
}

#[test]
fn events_say_who_asked() {
    let mut rig = xpub();
    let peer = rig.connect_named("me");
    rig.subscribe(peer, "t");
    assert_eq!(rig.recv_frame().unwrap().gets("Identity"), Some("me"));
}

#[test]
fn a_topic_may_be_a_mebibyte() {
    let mut rig = xpub();
    let peer = rig.connect();
    let long = vec![b'x'; 1 << 20];
    rig.subscribe(peer, &long);
    rig.send(&[&long]).unwrap();
    assert_eq!(rig.hear_all(peer), [frames(&[&long])]);
    rig.hang_up(peer);
    assert_eq!(rig.events().len(), 2);
}

// ── manual mode ──────────────────────────────────────────────────────────────────────────────

fn subscribe(topic: &'static str) -> PatternOption {
    PatternOption::Subscribe(topic.into())
}

fn unsubscribe(topic: &'static str) -> PatternOption {
    PatternOption::Unsubscribe(topic.into())
}

#[test]
fn in_manual_mode_the_application_subscribes_the_peer_of_the_last_event() {
    let mut rig = xpub();
    rig.set(PatternOption::XpubManual(true));
    let (a, b) = (rig.subscriber("A"), rig.subscriber("B"));
    assert_eq!(rig.recv(), Ok(frames(&[b"\x01A"])));
    rig.set(subscribe("XA"));
    assert_eq!(rig.recv(), Ok(frames(&[b"\x01B"])));
    rig.set(subscribe("XB"));
    for topic in ["A", "B", "XA", "XB"] {
        rig.send(&[topic]).unwrap();
    }
    assert_eq!(rig.hear_all(a), [frames(&["XA"])]);
    assert_eq!(rig.hear_all(b), [frames(&["XB"])]);
    rig.cancel(a, "A");
    assert_eq!(rig.recv(), Ok(frames(&[b"\x00A"])));
    rig.set(unsubscribe("XA"));
    rig.send(&["XA"]).unwrap();
    assert_eq!(rig.hear_all(a), nothing());
}

#[test]
fn in_manual_mode_every_request_is_reported_and_every_end() {
    let mut rig = xpub();
    rig.set(PatternOption::XpubManual(true));
    let (a, b) = (rig.subscriber("t"), rig.subscriber("t"));
    rig.set(subscribe("before any event"));
    assert_eq!(rig.events(), events(&[b"\x01t", b"\x01t"]));
    rig.set(subscribe("applied"));
    rig.hang_up(b);
    rig.cancel(a, "t");
    assert_eq!(rig.events(), events(&[b"\x00t", b"\x00t"]));
    assert_eq!(rig.pattern.subscribers.len(), 0);
}

#[test]
fn a_manual_subscription_of_a_peer_that_is_gone_is_nothing() {
    let mut rig = xpub();
    rig.set(PatternOption::XpubManual(true));
    let peer = rig.subscriber("t");
    assert_eq!(rig.recv(), Ok(frames(&[b"\x01t"])));
    rig.hang_up(peer);
    rig.set(subscribe("t"));
    rig.set(unsubscribe("t"));
    assert_eq!(rig.pattern.subscribers.len(), 0);
}

#[test]
fn without_manual_mode_the_application_cannot_subscribe() {
    let mut rig = xpub();
    let pipes = &mut rig.wires.pipes;
    assert!(rig.pattern.set(pipes, subscribe("t")).is_err());
    assert!(rig.pattern.set(pipes, unsubscribe("t")).is_err());
}

// ── PUB, and floods ──────────────────────────────────────────────────────────────────────────

#[test]
fn pub_gives_the_application_nothing_and_keeps_nothing() {
    let mut rig = publisher();
    for manual in [false, true] {
        rig.set(PatternOption::XpubManual(manual));
        let peer = rig.subscriber("t");
        rig.say(peer, &["user", "message"]);
        rig.hang_up(peer);
        assert_eq!(rig.recv(), Err(Refused::NotSupported));
        assert!(!rig.can_recv());
        assert!(rig.pattern.events.is_empty());
        assert_eq!(rig.pattern.requested.len(), 0);
    }
}

#[test]
fn options_of_other_socket_types_are_refused() {
    let mut rig = publisher();
    let pipes = &mut rig.wires.pipes;
    assert!(
        rig.pattern
            .set(pipes, PatternOption::ReqRelaxed(true))
            .is_err()
    );
}

#[test]
fn a_flood_of_requests_stays_with_its_peer_until_the_application_reads() {
    const FLOOD: usize = 3 * MAX_EVENTS;
    let mut rig = xpub();
    let peer = rig.connect();
    for n in 0..FLOOD {
        let record = upstream::record(Request::Subscribe, n.to_string().as_str().into());
        rig.wires.far_end(peer).write_uncounted(record);
    }
    rig.wires.far_end(peer).flush();
    rig.deliver();
    assert_eq!(rig.pattern.events.len(), MAX_EVENTS);
    let all: Vec<_> = (0..FLOOD).map(|n| frames(&[format!("\x01{n}")])).collect();
    assert_eq!(rig.events(), all);
    rig.subscribe(peer, "more");
    assert_eq!(rig.events(), events(&[b"\x01more"]));
}

#[test]
fn a_flood_of_one_peer_is_nothing_to_the_others() {
    let mut rig = xpub();
    let flooder = rig.connect_hwm(0);
    for _ in 0..2 * MAX_EVENTS {
        rig.wires.say_frame(flooder, "data".into());
    }
    rig.wires.far_end(flooder).flush();
    rig.deliver();
    let other = rig.connect();
    rig.subscribe(other, "t");
    rig.send(&["topic"]).unwrap();
    assert_eq!(rig.hear_all(other), [frames(&["topic"])]);
    assert_eq!(rig.events().len(), 2 * MAX_EVENTS + 1);
}

#[test]
fn a_peer_that_goes_after_a_flood_is_read_to_the_end() {
    let mut rig = xpub();
    let peer = rig.connect_hwm(0);
    for _ in 0..2 * MAX_EVENTS {
        for frame in message(&["user", "message"]) {
            rig.wires.say_frame(peer, frame);
        }
    }
    rig.wires.far_end(peer).flush();
    rig.hang_up(peer);
    assert_eq!(rig.events().len(), 2 * MAX_EVENTS);
    assert!(!rig.is_linked(peer));
}

#[test]
fn a_flood_does_not_keep_the_application_from_its_turn() {
    let mut rig = xpub();
    let peer = rig.subscriber("t");
    rig.events();
    for _ in 0..3 * BUDGET {
        let record = upstream::record(Request::Subscribe, "t".into());
        rig.wires.far_end(peer).write_uncounted(record);
    }
    rig.wires.far_end(peer).flush();
    rig.deliver();
    assert_eq!(rig.recv(), Err(Refused::Yield));
    assert!(rig.can_recv(), "there may be more");
    assert_eq!(rig.events(), nothing());
    assert!(!rig.can_recv());
}

#[test]
fn pub_reads_on_while_it_sends() {
    let mut rig = publisher();
    let peer = rig.connect();
    for n in 0..3 * BUDGET {
        let record = upstream::record(Request::Subscribe, n.to_string().as_str().into());
        rig.wires.far_end(peer).write_uncounted(record);
    }
    rig.wires.far_end(peer).flush();
    rig.deliver();
    for _ in 0..3 {
        rig.send(&["x"]).unwrap();
    }
    rig.send(&[(3 * BUDGET - 1).to_string()]).unwrap();
    assert_eq!(rig.hear_all(peer).len(), 1);
}

#[test]
fn who_waits_for_subscribers_reads_on_but_not_for_who_is_behind() {
    let mut rig = xpub();
    let flooder = rig.connect_hwm(0);
    let quiet = rig.connect();
    for _ in 0..2 * MAX_EVENTS {
        rig.wires.say_frame(flooder, "data".into());
    }
    rig.wires.far_end(flooder).flush();
    rig.deliver();
    let wait =
        |rig: &mut Rig<Publish>, peers| rig.pattern.has_subscribers(&mut rig.wires.pipes, peers);
    assert_eq!(wait(&mut rig, 1), Err(Refused::WouldBlock));
    rig.recv().unwrap();
    assert_eq!(
        wait(&mut rig, 1),
        Err(Refused::WouldBlock),
        "read up to the mark again"
    );
    rig.subscribe(quiet, "t");
    assert_eq!(wait(&mut rig, 1), Ok(()));
}

#[test]
fn who_waits_for_subscribers_looks_again_while_there_is_more_to_read() {
    let mut rig = publisher();
    let peer = rig.connect_hwm(0);
    for _ in 0..2 * BUDGET {
        rig.wires.say_frame(peer, "data".into());
    }
    rig.wires.far_end(peer).flush();
    rig.deliver();
    let record = upstream::record(Request::Subscribe, "t".into());
    rig.wires.far_end(peer).write_uncounted(record);
    rig.wires.far_end(peer).flush();
    let looks = (0..).take_while(|_| {
        let waited = rig.pattern.has_subscribers(&mut rig.wires.pipes, 1);
        assert_ne!(waited, Err(Refused::WouldBlock), "no event would come");
        waited == Err(Refused::Yield)
    });
    assert!(looks.count() >= 1);
}
