//! Strict turns, envelopes, stale and malformed replies, the relaxed and numbered forms.

use super::*;
use crate::pattern::testing::Rig;
use crate::routing::testing::{Frames, Peer, frames, more};

fn req() -> Rig<Req> {
    Rig::new(Req::new())
}

/// A request's number and body, as its peer sees them.
#[track_caller]
fn hear_numbered(req: &mut Rig<Req>, peer: Peer) -> (Vec<u8>, Frames) {
    let mut heard = req.hear(peer).expect("a request");
    let body = heard.split_off(2);
    assert_eq!(heard[1], b"");
    (heard.swap_remove(0), body)
}

#[test]
fn a_request_has_a_delimiter_in_front_and_so_has_its_reply() {
    let mut req = req();
    let peer = req.connect();
    req.send(&["question", "details"]).unwrap();
    assert_eq!(req.hear(peer), Some(frames(&["", "question", "details"])));
    req.say(peer, &["", "answer", "more of it"]);
    assert_eq!(req.recv(), Ok(frames(&["answer", "more of it"])));
}

#[test]
fn send_and_receive_take_turns() {
    let mut req = req();
    let peer = req.connect();
    for _ in 0..2 {
        assert!(req.can_send() && !req.can_recv());
        assert_eq!(req.recv(), Err(Refused::Fsm));
        req.send(&["question"]).unwrap();
        assert!(!req.can_send());
        assert_eq!(req.send(&["another"]), Err(Refused::Fsm));
        assert_eq!(req.recv(), Err(Refused::WouldBlock));
        req.say(peer, &["", "answer"]);
        assert!(req.can_recv() && !req.can_send());
        assert_eq!(req.send(&["another"]), Err(Refused::Fsm));
        assert_eq!(req.recv(), Ok(frames(&["answer"])));
    }
}

#[test]
fn nothing_is_received_in_the_middle_of_a_request() {
    let mut req = req();
    req.connect();
    req.send_frame(more("half")).unwrap();
    assert!(req.can_send() && !req.can_recv());
    assert_eq!(req.recv(), Err(Refused::Fsm));
}

#[test]
fn nothing_is_sent_in_the_middle_of_a_reply() {
    let mut req = req();
    let peer = req.connect();
    req.send(&["question"]).unwrap();
    req.say(peer, &["", "1", "2"]);
    assert_eq!(req.recv_frame().unwrap(), "1");
    assert!(req.can_recv() && !req.can_send());
    assert_eq!(req.send(&["another"]), Err(Refused::Fsm));
    assert_eq!(req.recv_frame().unwrap(), "2");
    assert!(req.can_send());
}

#[test]
fn without_a_peer_with_room_it_waits() {
    let mut req = req();
    assert!(!req.can_send());
    let refused = req.refuse("question".into());
    assert_eq!(refused, (Refused::WouldBlock, "question".into()));
    req.connect();
    req.send(&["question"]).unwrap();
}

#[test]
fn requests_go_to_the_peers_in_turn() {
    let mut req = req();
    let peers = [req.connect(), req.connect()];
    for peer in [peers[0], peers[1], peers[0]] {
        req.send(&["question"]).unwrap();
        assert_eq!(req.hear(peer), Some(frames(&["", "question"])));
        req.say(peer, &["", "answer"]);
        assert_eq!(req.recv(), Ok(frames(&["answer"])));
    }
}

#[test]
fn only_the_peer_that_was_asked_can_answer() {
    let mut req = req();
    let (asked, other) = (req.connect(), req.connect());
    req.say(other, &["", "forged"]);
    req.send(&["question"]).unwrap();
    req.say(other, &["", "forged", "again"]);
    assert!(!req.can_recv());
    req.say(asked, &["", "answer"]);
    assert_eq!(req.recv(), Ok(frames(&["answer"])));
}

#[test]
fn malformed_replies_are_skipped() {
    let mut req = req();
    let peer = req.connect();
    req.send(&["question"]).unwrap();
    req.say(peer, &["no delimiter"]);
    req.say(peer, &["no delimiter", "", "here"]);
    req.say(peer, &[""]);
    req.say(peer, &["\0\0\0\0", "", "number that nobody asked for"]);
    assert!(!req.can_recv());
    assert_eq!(req.recv(), Err(Refused::WouldBlock));
    req.say(peer, &["", "", "the delimiter is the first empty frame"]);
    assert_eq!(
        req.recv(),
        Ok(frames(&["", "the delimiter is the first empty frame"]))
    );
}

#[test]
fn messages_from_before_the_request_are_dropped() {
    let mut req = req();
    let peer = req.connect();
    req.say(peer, &["", "nobody asked", "for this"]);
    req.say(peer, &["", "nor this"]);
    req.send(&["question"]).unwrap();
    assert!(!req.can_recv());
    req.say(peer, &["", "answer"]);
    assert_eq!(req.recv(), Ok(frames(&["answer"])));
}

#[test]
fn when_the_asked_peer_is_gone_the_wait_goes_on() {
    let mut req = req();
    let (asked, other) = (req.connect(), req.connect());
    req.send(&["question"]).unwrap();
    req.hang_up(asked);
    assert!(!req.is_linked(asked));
    req.say(other, &["", "forged"]);
    assert!(!req.can_recv() && !req.can_send());
    assert_eq!(req.recv(), Err(Refused::WouldBlock));
    assert_eq!(req.send(&["again"]), Err(Refused::Fsm));
}

#[test]
fn an_answer_can_be_read_after_its_sender_went() {
    let mut req = req();
    let peer = req.connect();
    req.send(&["question"]).unwrap();
    req.say(peer, &["", "answer"]);
    req.hang_up(peer);
    assert_eq!(req.recv(), Ok(frames(&["answer"])));
    assert!(!req.can_send());
    assert!(!req.is_linked(peer) || req.send(&["question"]).is_err());
}

#[test]
fn a_request_whose_peer_dies_halfway_is_lost_whole() {
    let mut req = req();
    let (dying, other) = (req.connect(), req.connect());
    req.send_frame(more("1")).unwrap();
    req.hang_up(dying);
    req.send(&["2"]).unwrap();
    assert_eq!(req.hear(other), None);
    assert_eq!(req.recv(), Err(Refused::WouldBlock));
}

#[test]
fn relaxed_asks_again_without_an_answer() {
    let mut req = req();
    req.set(PatternOption::ReqRelaxed(true));
    let (first, second) = (req.connect(), req.connect());
    req.send(&["1"]).unwrap();
    assert!(req.can_send());
    req.send(&["2"]).unwrap();
    req.say(first, &["", "late"]);
    assert!(!req.can_recv(), "the first peer's request is forgotten");
    req.say(second, &["", "answer"]);
    assert_eq!(req.recv(), Ok(frames(&["answer"])));
}

#[test]
fn relaxed_gets_over_a_peer_that_went() {
    let mut req = req();
    req.set(PatternOption::ReqRelaxed(true));
    let first = req.connect();
    req.send(&["1"]).unwrap();
    req.hang_up(first);
    assert!(!req.can_send());
    let second = req.connect();
    req.send(&["2"]).unwrap();
    req.say(second, &["", "answer"]);
    assert_eq!(req.recv(), Ok(frames(&["answer"])));
}

#[test]
fn relaxed_drops_the_answer_that_it_was_in_the_middle_of() {
    let mut req = req();
    req.set(PatternOption::ReqRelaxed(true));
    let peer = req.connect();
    req.send(&["1"]).unwrap();
    req.say(peer, &["", "old 1", "old 2", "old 3"]);
    assert_eq!(req.recv_frame().unwrap(), "old 1");
    req.send(&["2"]).unwrap();
    assert!(!req.can_recv());
    req.say(peer, &["", "new"]);
    assert_eq!(req.recv(), Ok(frames(&["new"])));
}

#[test]
fn numbered_requests_take_only_the_answer_of_that_number() {
    let mut req = req();
    req.set(PatternOption::ReqRelaxed(true));
    req.set(PatternOption::ReqCorrelate(true));
    let peer = req.connect();
    req.send(&["1"]).unwrap();
    let (first, body) = hear_numbered(&mut req, peer);
    assert_eq!((first.len(), body), (4, frames(&["1"])));
    req.send(&["2", "3"]).unwrap();
    let (second, body) = hear_numbered(&mut req, peer);
    assert_eq!((second.len(), body), (4, frames(&["2", "3"])));
    assert_ne!(first, second);
    req.say(peer, &[&first[..], b"", b"late"]);
    req.say(peer, &[&b""[..], b"not numbered"]);
    req.say(peer, &[&second[..]]);
    req.say(peer, &[&second[..], b"no delimiter"]);
    req.say(peer, &[&second[..], b""]);
    assert!(!req.can_recv());
    req.say(peer, &[&second[..], b"", b"answer"]);
    assert_eq!(req.recv(), Ok(frames(&["answer"])));
}

#[test]
fn a_router_can_be_greeted() {
    let mut req = req();
    req.set(PatternOption::ProbeRouter(true));
    let peer = req.connect();
    assert_eq!(req.hear(peer), Some(frames(&[""])));
}
