//! Strict turns, the way back through routers, requesters that are gone or do not read.

use super::*;
use crate::pattern::testing::Rig;
use crate::routing::testing::{frames, more};

fn rep() -> Rig<Rep> {
    Rig::new(Rep::default())
}

#[test]
fn the_reply_goes_back_the_way_that_the_request_came() {
    let mut rep = rep();
    let (other, peer) = (rep.connect(), rep.connect());
    rep.say(peer, &["hop 2", "hop 1", "", "question", "", "details"]);
    assert!(rep.can_recv());
    assert_eq!(rep.recv(), Ok(frames(&["question", "", "details"])));
    rep.send(&["answer", "details"]).unwrap();
    assert_eq!(
        rep.hear_all(peer),
        [frames(&["hop 2", "hop 1", "", "answer", "details"])]
    );
    assert_eq!(rep.hear(other), None);
}

#[test]
fn receive_and_send_take_turns() {
    let mut rep = rep();
    let peer = rep.connect();
    for _ in 0..2 {
        assert!(!rep.can_send() && !rep.can_recv());
        assert_eq!(rep.send(&["answer"]), Err(Refused::Fsm));
        assert_eq!(rep.recv(), Err(Refused::WouldBlock));
        rep.say(peer, &["", "1", "2"]);
        assert_eq!(rep.recv_frame().unwrap(), "1");
        assert!(rep.can_recv() && !rep.can_send());
        assert_eq!(rep.send(&["too early"]), Err(Refused::Fsm));
        assert_eq!(rep.recv_frame().unwrap(), "2");
        assert!(rep.can_send() && !rep.can_recv());
        assert_eq!(rep.recv(), Err(Refused::Fsm));
        rep.send_frame(more("3")).unwrap();
        assert!(rep.can_send());
        assert_eq!(rep.recv(), Err(Refused::Fsm));
        rep.send(&["4"]).unwrap();
        assert_eq!(rep.hear(peer), Some(frames(&["", "3", "4"])));
    }
}

#[test]
fn requests_are_taken_fairly() {
    let mut rep = rep();
    let (a, b) = (rep.connect(), rep.connect());
    rep.say(a, &["", "a1"]);
    rep.say(a, &["", "a2"]);
    rep.say(b, &["", "b1"]);
    for body in ["a1", "b1", "a2"] {
        assert_eq!(rep.recv(), Ok(frames(&[body])));
        rep.send(&[body]).unwrap();
    }
    assert_eq!(rep.hear_all(a), [frames(&["", "a1"]), frames(&["", "a2"])]);
    assert_eq!(rep.hear_all(b), [frames(&["", "b1"])]);
}

#[test]
fn a_message_without_a_delimiter_is_dropped_whole() {
    let mut rep = rep();
    let peer = rep.connect();
    rep.say(peer, &["no delimiter"]);
    rep.say(peer, &["no", "delimiter"]);
    rep.say(peer, &[""]);
    rep.say(peer, &["hop", ""]);
    assert!(!rep.can_recv());
    assert_eq!(rep.recv(), Err(Refused::WouldBlock));
    rep.say(peer, &["", "question"]);
    assert_eq!(rep.recv(), Ok(frames(&["question"])));
    rep.send(&["answer"]).unwrap();
    assert_eq!(rep.hear_all(peer), [frames(&["", "answer"])]);
}

#[test]
fn a_message_with_an_endless_envelope_is_dropped_whole() {
    let mut rep = rep();
    let peer = rep.connect();
    let envelope = |hops| {
        let mut message = vec!["hop"; hops];
        message.extend(["", "question"]);
        message
    };
    rep.say(peer, &envelope(ENVELOPE_MAX));
    assert!(!rep.can_recv());
    rep.say(peer, &envelope(ENVELOPE_MAX - 1));
    assert_eq!(rep.recv(), Ok(frames(&["question"])));
}

#[test]
fn a_reply_to_a_peer_that_is_gone_is_dropped() {
    let mut rep = rep();
    let (gone, other) = (rep.connect(), rep.connect());
    rep.say(gone, &["", "question"]);
    rep.hang_up(gone);
    assert_eq!(rep.recv(), Ok(frames(&["question"])));
    assert!(rep.can_send());
    rep.send(&["1", "2", "3"]).unwrap();
    rep.say(other, &["", "next"]);
    assert_eq!(rep.recv(), Ok(frames(&["next"])));
    rep.send(&["answer"]).unwrap();
    assert!(!rep.can_recv() && !rep.is_linked(gone));
}

#[test]
fn a_reply_whose_peer_goes_halfway_is_dropped() {
    let mut rep = rep();
    let (gone, other) = (rep.connect(), rep.connect());
    rep.say(gone, &["", "question"]);
    rep.recv().unwrap();
    rep.send_frame(more("1")).unwrap();
    rep.hang_up(gone);
    rep.send(&["2", "3"]).unwrap();
    rep.say(other, &["", "next"]);
    assert_eq!(rep.recv(), Ok(frames(&["next"])));
}

#[test]
fn a_reply_to_a_peer_that_does_not_read_is_dropped() {
    let mut rep = rep();
    let peer = rep.connect_hwm(1);
    for n in ["1", "2"] {
        rep.say(peer, &["", "question"]);
        rep.recv().unwrap();
        rep.send(&[n, "rest"]).unwrap();
    }
    assert_eq!(rep.hear_all(peer), [frames(&["", "1", "rest"])]);
}

#[test]
fn a_peer_that_left_nothing_is_dropped_at_once() {
    let mut rep = rep();
    let peer = rep.connect();
    rep.hang_up(peer);
    assert!(!rep.is_linked(peer));
}

#[test]
fn a_request_being_received_is_whole_though_its_pipe_is_detached() {
    let mut rep = rep();
    let peer = rep.connect();
    rep.say(peer, &["", "1", "2"]);
    assert!(rep.can_recv());
    rep.disconnect(peer);
    assert_eq!(rep.recv(), Ok(frames(&["1", "2"])));
    rep.send(&["answer"]).unwrap();
    assert!(!rep.can_recv());
}
