//! Names, strangers, namesakes; where messages go and what becomes of those that cannot.

use super::*;
use crate::pattern::testing::Rig;
use crate::routing::testing::{Link, Peer, frames, more};

fn router() -> Rig<Router> {
    Rig::new(Router::new())
}

fn mandatory() -> Rig<Router> {
    let mut router = router();
    router.set(PatternOption::RouterMandatory(true));
    router
}

fn handover() -> Rig<Router> {
    let mut router = mandatory();
    router.set(PatternOption::RouterHandover(true));
    router
}

/// A peer that has not said yet who it is.
fn connect_silently(router: &mut Rig<Router>) -> Peer {
    let link = Link {
        identity: None,
        ..Link::default()
    };
    router.connect_by(link, Origin::default())
}

fn id_of(router: &Rig<Router>, peer: Peer) -> Option<Bytes> {
    let key = router.wires.key_of(peer);
    router.pattern.routing_id_of(key).cloned()
}

#[track_caller]
fn assert_automatic(id: Option<Bytes>) -> Bytes {
    let id = id.expect("the peer has an id");
    assert!(id.len() == 5 && id[0] == 0, "{id:?} is not automatic");
    id
}

// ── names ────────────────────────────────────────────────────────────────────────────────────

#[test]
fn messages_come_and_go_with_the_peers_name() {
    let mut router = router();
    let (a, b) = (router.connect_named("A"), router.connect_named("B"));
    router.say(a, &["1", "2"]);
    router.say(b, &["3"]);
    assert!(router.can_recv());
    assert_eq!(router.recv(), Ok(frames(&["A", "1", "2"])));
    assert_eq!(router.recv(), Ok(frames(&["B", "3"])));
    assert!(!router.can_recv());
    router.send(&["B", "4", "5"]).unwrap();
    assert_eq!(router.hear_all(b), [frames(&["4", "5"])]);
    assert_eq!(router.hear(a), None);
}

#[test]
fn peers_without_a_name_get_one_that_differs_from_all_others() {
    let mut router = router();
    let (a, b) = (router.connect(), router.connect());
    let (id_a, id_b) = (id_of(&router, a), id_of(&router, b));
    let (id_a, id_b) = (assert_automatic(id_a), assert_automatic(id_b));
    assert_ne!(id_a, id_b);
    router.say(b, &["1"]);
    assert_eq!(router.recv(), Ok(frames(&[&id_b[..], b"1"])));
    router.send(&[&id_a[..], b"2"]).unwrap();
    assert_eq!(router.hear(a), Some(frames(&["2"])));
}

#[test]
fn names_that_could_be_automatic_or_are_too_long_are_not_taken() {
    let mut router = router();
    let first = router.connect();
    let first = assert_automatic(id_of(&router, first));
    let next = u32::from_be_bytes([first[1], first[2], first[3], first[4]]).wrapping_add(1);
    let guess = [&[0][..], &next.to_be_bytes()].concat();
    for name in [&guess[..], &[b'x'; 256], b"\0"] {
        let peer = router.connect_named(name);
        let id = assert_automatic(id_of(&router, peer));
        assert_ne!(id, first);
    }
    let innocent = router.connect();
    assert_automatic(id_of(&router, innocent));
    let longest = router.connect_named([b'x'; 255]);
    assert_eq!(id_of(&router, longest), Some(Bytes::from(vec![b'x'; 255])));
}

#[test]
fn the_metadata_of_a_message_is_on_its_id_frame_too() {
    let mut router = router();
    let peer = router.connect_named("A");
    router.say(peer, &["1"]);
    let id = router.recv_frame().unwrap();
    assert_eq!((id.gets("Identity"), id.more()), (Some("A"), true));
    assert_eq!(router.recv_frame().unwrap().gets("Identity"), Some("A"));
}

#[test]
fn a_peer_is_neither_read_nor_written_before_it_says_who_it_is() {
    let mut router = mandatory();
    let peer = connect_silently(&mut router);
    assert!(!router.can_recv());
    assert_eq!(router.send(&["A", "1"]), Err(Refused::HostUnreachable));
    router.wires.introduce(peer, b"A");
    router.deliver();
    router.send(&["A", "1"]).unwrap();
    router.say(peer, &["2"]);
    assert_eq!(router.recv(), Ok(frames(&["A", "2"])));
    assert_eq!(router.hear(peer), Some(frames(&["1"])));
}

#[test]
fn a_peer_that_sends_without_saying_who_it_is_has_no_name() {
    let mut router = router();
    let peer = connect_silently(&mut router);
    router.say(peer, &["1"]);
    let id = assert_automatic(id_of(&router, peer));
    assert_eq!(router.recv(), Ok(frames(&[&id[..], b"1"])));
}

#[test]
fn a_peer_that_goes_without_a_word_leaves_nothing() {
    let mut router = router();
    let peer = connect_silently(&mut router);
    router.hang_up(peer);
    assert!(!router.is_linked(peer));
    assert!(router.pattern.anonymous.is_empty());
}

#[test]
fn a_peer_that_says_all_and_goes_is_heard() {
    let mut router = router();
    let peer = connect_silently(&mut router);
    router.wires.introduce(peer, b"A");
    router.wires.say(peer, &["1"]);
    router.hang_up(peer);
    assert_eq!(router.recv(), Ok(frames(&["A", "1"])));
    assert_eq!(router.recv(), Err(Refused::WouldBlock));
    assert!(!router.is_linked(peer));
}

#[test]
fn a_peer_that_reconnects_keeps_its_first_name() {
    let mut router = router();
    let peer = router.connect_named("A");
    router.wires.introduce(peer, b"B");
    router.say(peer, &["1"]);
    assert_eq!(router.recv(), Ok(frames(&["A", "1"])));
}

#[test]
fn the_application_can_name_a_peer_before_it_is_there() {
    let mut router = mandatory();
    let link = Link {
        identity: None,
        ..Link::default()
    };
    let origin = Origin {
        routing_id: Some(Bytes::from_static(b"mine")),
        ..Origin::default()
    };
    let peer = router.connect_by(link, origin);
    router.send(&["mine", "1"]).unwrap();
    assert_eq!(router.hear(peer), Some(frames(&["1"])));
    router.wires.introduce(peer, b"its own");
    router.say(peer, &["2"]);
    assert_eq!(router.recv(), Ok(frames(&["mine", "2"])));
}

#[test]
fn a_name_of_the_applications_that_is_taken_becomes_automatic() {
    let mut router = router();
    let (first, second) = (router.connect_as("A"), router.connect_as("A"));
    assert_eq!(id_of(&router, first), Some(Bytes::from_static(b"A")));
    assert_automatic(id_of(&router, second));
    assert!(router.is_linked(second));
}

#[test]
fn an_automatic_name_avoids_those_of_the_application() {
    let mut router = router();
    let first = router.connect();
    let first = assert_automatic(id_of(&router, first));
    let next = u32::from_be_bytes([first[1], first[2], first[3], first[4]]).wrapping_add(1);
    let chosen = router.connect_as([&[0][..], &next.to_be_bytes()].concat());
    let other = router.connect();
    assert_ne!(id_of(&router, chosen), id_of(&router, other));
}

// ── namesakes ────────────────────────────────────────────────────────────────────────────────

#[test]
fn without_handover_a_namesake_is_refused() {
    let mut router = router();
    let (first, second) = (router.connect_named("A"), router.connect_named("A"));
    assert!(router.is_linked(first) && !router.is_linked(second));
    assert!(router.wires.far_end(second).is_peer_gone());
    router.send(&["A", "1"]).unwrap();
    assert_eq!(router.hear(first), Some(frames(&["1"])));
}

#[test]
fn a_namesake_that_introduces_itself_later_is_refused_too() {
    let mut router = router();
    let first = router.connect_named("A");
    let second = connect_silently(&mut router);
    router.wires.introduce(second, b"A");
    router.wires.say(second, &["forged"]);
    router.deliver();
    assert!(router.is_linked(first) && !router.is_linked(second));
    assert!(!router.can_recv());
}

#[test]
fn a_name_is_free_as_soon_as_its_peer_is_gone() {
    let mut router = mandatory();
    let first = router.connect_named("A");
    router.say(first, &["old"]);
    router.hang_up(first);
    let second = router.connect_named("A");
    router.send(&["A", "1"]).unwrap();
    assert_eq!(router.hear(second), Some(frames(&["1"])));
    assert_eq!(router.recv(), Ok(frames(&["A", "old"])));
    assert!(!router.can_recv() && !router.is_linked(first));
    assert_eq!(id_of(&router, second), Some(Bytes::from_static(b"A")));
    router.send(&["A", "2"]).unwrap();
}

#[test]
fn with_handover_a_namesake_takes_the_name_and_the_old_peer_is_removed() {
    let mut router = handover();
    let (first, second) = (router.connect_named("A"), router.connect_named("A"));
    assert!(!router.is_linked(first) && router.is_linked(second));
    router.send(&["A", "1"]).unwrap();
    assert_eq!(router.hear(second), Some(frames(&["1"])));
}

#[test]
fn with_handover_what_the_old_peer_had_sent_is_still_delivered() {
    let mut router = handover();
    let first = router.connect_named("A");
    router.say(first, &["1", "2"]);
    router.say(first, &["3"]);
    assert_eq!(router.recv_frame().unwrap(), "A");
    assert_eq!(router.recv_frame().unwrap(), "1");
    let second = router.connect_named("A");
    router.say(second, &["4"]);
    assert_eq!(router.recv_frame().unwrap(), "2");
    assert_eq!(router.recv(), Ok(frames(&["A", "4"])));
    let renamed = assert_automatic(id_of(&router, first));
    assert_eq!(
        router.send(&[&renamed[..], b"5"]),
        Err(Refused::HostUnreachable)
    );
    assert_eq!(router.recv(), Ok(frames(&[&renamed[..], b"3"])));
    assert!(!router.is_linked(first));
    assert!(router.pattern.displaced.is_empty());
}

#[test]
fn with_handover_a_message_whose_label_is_out_keeps_its_body() {
    let mut router = handover();
    let first = router.connect_named("A");
    router.say(first, &["1"]);
    assert_eq!(router.recv_frame().unwrap(), "A");
    router.connect_named("A");
    assert!(!router.is_linked(first) && router.can_recv());
    assert_eq!(router.recv_frame().unwrap(), "1");
    assert!(!router.can_recv());
}

#[test]
fn with_handover_half_a_message_reaches_neither_peer() {
    let mut router = handover();
    let first = router.connect_named("A");
    router.say(first, &["unread"]);
    router.send_frame(more("A")).unwrap();
    router.send_frame(more("half")).unwrap();
    let second = router.connect_named("A");
    router.send(&["other half"]).unwrap();
    router.send(&["A", "whole"]).unwrap();
    assert_eq!(router.hear(first), None);
    assert_eq!(router.hear_all(second), [frames(&["whole"])]);
}

// ── sending ──────────────────────────────────────────────────────────────────────────────────

#[test]
fn an_id_alone_is_discarded() {
    let mut router = mandatory();
    let peer = router.connect_named("A");
    router.send(&["A"]).unwrap();
    router.send(&["nobody"]).unwrap();
    router.send(&["A", "1"]).unwrap();
    assert_eq!(router.hear_all(peer), [frames(&["1"])]);
}

#[test]
fn a_message_for_nobody_is_dropped_whole() {
    let mut router = router();
    let peer = router.connect_named("A");
    assert!(router.can_send());
    router.send(&["nobody", "1", "2"]).unwrap();
    router.send(&["A", "3"]).unwrap();
    assert_eq!(router.hear_all(peer), [frames(&["3"])]);
}

#[test]
fn a_message_for_a_full_peer_is_dropped_whole() {
    let mut router = router();
    let peer = router.connect_hwm(1);
    let id = assert_automatic(id_of(&router, peer));
    for body in [b"1", b"2"] {
        router.send(&[&id[..], body, b"rest"]).unwrap();
    }
    assert_eq!(router.hear_all(peer), [frames(&["1", "rest"])]);
    router.send(&[&id[..], b"3"]).unwrap();
    assert_eq!(router.hear_all(peer), [frames(&["3"])]);
}

#[test]
fn mandatory_reports_a_message_for_nobody_and_leaves_it() {
    let mut router = mandatory();
    let (refused, id) = router.refuse(more("nobody"));
    assert_eq!(refused, Refused::HostUnreachable);
    assert!(id == *"nobody" && id.more());
}

#[test]
fn mandatory_waits_for_room() {
    let mut router = mandatory();
    let peer = router.connect_hwm(1);
    let id = assert_automatic(id_of(&router, peer));
    router.send(&[&id[..], b"1"]).unwrap();
    assert_eq!(router.send(&[&id[..], b"2"]), Err(Refused::WouldBlock));
    router.hear(peer);
    router.send(&[&id[..], b"2"]).unwrap();
    assert_eq!(router.hear(peer), Some(frames(&["2"])));
}

#[test]
fn mandatory_takes_a_peer_that_is_gone_for_nobody() {
    let mut router = mandatory();
    let peer = router.connect_named("A");
    router.say(peer, &["unread"]);
    router.hang_up(peer);
    assert_eq!(router.send(&["A", "1"]), Err(Refused::HostUnreachable));
}

#[test]
fn the_rest_of_a_message_whose_peer_went_is_dropped() {
    let mut router = mandatory();
    let (gone, other) = (router.connect_named("A"), router.connect_named("B"));
    router.send_frame(more("A")).unwrap();
    router.send_frame(more("1")).unwrap();
    router.hang_up(gone);
    router.send(&["2", "3"]).unwrap();
    router.send(&["B", "4"]).unwrap();
    assert_eq!(router.hear_all(other), [frames(&["4"])]);
}

#[test]
fn one_can_ask_whether_a_peer_has_room() {
    let mut router = router();
    let peer = router.connect_hwm(1);
    let id = assert_automatic(id_of(&router, peer));
    let ask = |r: &mut Rig<Router>, id: &[u8]| r.pattern.peer_is_writable(&mut r.wires.pipes, id);
    assert_eq!(ask(&mut router, &id), Ok(true));
    router.send(&[&id[..], b"1"]).unwrap();
    assert_eq!(ask(&mut router, &id), Ok(false));
    assert_eq!(ask(&mut router, b"nobody"), Err(Refused::HostUnreachable));
}

#[test]
fn a_router_can_be_greeted() {
    let mut router = router();
    router.set(PatternOption::ProbeRouter(true));
    let peer = connect_silently(&mut router);
    assert_eq!(router.hear(peer), Some(frames(&[""])));
}

#[test]
fn a_detached_peer_is_forgotten() {
    let mut router = mandatory();
    let peer = router.connect_named("A");
    router.say(peer, &["unread"]);
    router.disconnect(peer);
    assert!(!router.can_recv());
    assert_eq!(id_of(&router, peer), None);
    assert_eq!(router.send(&["A", "1"]), Err(Refused::HostUnreachable));
}
