//! Two frames each way, closing, connections that are unknown, full or gone.

use super::*;
use crate::pattern::testing::Rig;
use crate::routing::testing::{Peer, frames, more};

fn stream() -> Rig<Stream> {
    Rig::new(Stream::new())
}

fn id_of(rig: &Rig<Stream>, peer: Peer) -> Bytes {
    let id = rig.pattern.routing_id_of(rig.wires.key_of(peer));
    id.expect("the connection has an id").clone()
}

#[test]
fn connections_have_ids_of_five_bytes_that_all_differ() {
    let mut stream = stream();
    let (a, b) = (stream.connect(), stream.connect());
    let (a, b) = (id_of(&stream, a), id_of(&stream, b));
    assert_ne!(a, b);
    assert!([a, b].iter().all(|id| id.len() == 5 && id[0] == 0));
}

#[test]
fn the_application_can_name_a_connection_before_it_is_up() {
    let mut stream = stream();
    let origin = Origin {
        routing_id: Some(Bytes::from_static(b"server")),
        ..Origin::default()
    };
    let peer = stream.connect_by(Default::default(), origin.clone());
    assert_eq!(id_of(&stream, peer), "server");
    stream.send(&["server", "GET /"]).unwrap();
    assert_eq!(stream.hear(peer), Some(frames(&["GET /"])));
    let second = stream.connect_by(Default::default(), origin);
    assert_eq!(id_of(&stream, second).len(), 5);
}

#[test]
fn data_comes_with_its_connection() {
    let mut stream = stream();
    let (a, b) = (stream.connect(), stream.connect());
    let (id_a, id_b) = (id_of(&stream, a), id_of(&stream, b));
    stream.say(a, &["1"]);
    stream.say(b, &[""]);
    assert!(stream.can_recv());
    assert_eq!(stream.recv(), Ok(frames(&[&id_a[..], b"1"])));
    assert_eq!(stream.recv(), Ok(frames(&[&id_b[..], b""])));
    assert!(!stream.can_recv());
    assert_eq!(stream.recv(), Err(Refused::WouldBlock));
}

#[test]
fn data_goes_to_its_connection_as_a_single_frame() {
    let mut stream = stream();
    let (a, b) = (stream.connect(), stream.connect());
    let id = id_of(&stream, b);
    stream.send_frame(more(&id)).unwrap();
    stream.send_frame(more("1")).unwrap();
    stream.send(&[&id[..], b"2"]).unwrap();
    assert_eq!(stream.hear_all(b), [frames(&["1"]), frames(&["2"])]);
    assert_eq!(stream.hear(a), None);
}

#[test]
fn empty_data_closes_the_connection_behind_what_was_sent() {
    let mut stream = stream();
    let peer = stream.connect();
    let id = id_of(&stream, peer);
    stream.send_frame(more(&id)).unwrap();
    stream.send_frame("last".into()).unwrap();
    stream.send(&[&id[..], b""]).unwrap();
    assert!(!stream.is_linked(peer));
    assert_eq!(stream.hear(peer), Some(frames(&["last"])));
    assert!(stream.wires.far_end(peer).is_peer_gone());
    assert_eq!(stream.send(&[&id[..], b"1"]), Err(Refused::HostUnreachable));
}

#[test]
fn an_unknown_connection_is_reported() {
    let mut stream = stream();
    let refused = stream.refuse(more("nobody"));
    assert_eq!(refused, (Refused::HostUnreachable, more("nobody")));
    assert!(stream.can_send());
}

#[test]
fn a_full_connection_is_reported() {
    let mut stream = stream();
    let peer = stream.connect_hwm(1);
    let id = id_of(&stream, peer);
    stream.send(&[&id[..], b"1"]).unwrap();
    assert_eq!(stream.send(&[&id[..], b"2"]), Err(Refused::WouldBlock));
    let writable = |s: &mut Rig<Stream>| s.pattern.peer_is_writable(&mut s.wires.pipes, &id);
    assert_eq!(writable(&mut stream), Ok(false));
    stream.hear(peer);
    assert_eq!(writable(&mut stream), Ok(true));
    stream.send(&[&id[..], b"2"]).unwrap();
}

#[test]
fn an_id_without_data_is_an_error_and_spoils_nothing() {
    let mut stream = stream();
    let peer = stream.connect();
    let id = id_of(&stream, peer);
    assert!(matches!(stream.send(&[&id[..]]), Err(Refused::Invalid(_))));
    stream.send(&[&id[..], b"1"]).unwrap();
    assert_eq!(stream.hear(peer), Some(frames(&["1"])));
}

#[test]
fn data_for_a_connection_that_went_after_its_id_was_taken_is_dropped() {
    let mut stream = stream();
    let (gone, other) = (stream.connect(), stream.connect());
    let (id_gone, id) = (id_of(&stream, gone), id_of(&stream, other));
    stream.send_frame(more(&id_gone)).unwrap();
    stream.hang_up(gone);
    stream.send(&["dropped"]).unwrap();
    stream.send(&[&id[..], b"1"]).unwrap();
    assert_eq!(stream.hear_all(other), [frames(&["1"])]);
}

#[test]
fn a_connection_that_is_gone_is_read_to_its_end_under_its_id() {
    let mut stream = stream();
    let peer = stream.connect();
    let id = id_of(&stream, peer);
    stream.say(peer, &["last"]);
    stream.hang_up(peer);
    assert_eq!(stream.send(&[&id[..], b"1"]), Err(Refused::HostUnreachable));
    assert_eq!(stream.recv(), Ok(frames(&[&id[..], b"last"])));
    assert!(!stream.can_recv() && !stream.is_linked(peer));
}

#[test]
fn a_raw_router_drops_what_it_cannot_deliver_unless_told_otherwise() {
    let mut raw = Rig::new(Stream::raw_router());
    raw.send(&["nobody", "1"]).unwrap();
    raw.set(PatternOption::RouterHandover(true));
    raw.set(PatternOption::RouterMandatory(true));
    assert_eq!(raw.send(&["nobody", "1"]), Err(Refused::HostUnreachable));
}

#[test]
fn a_stream_has_no_options() {
    let mut stream = stream();
    let pipes = &mut stream.wires.pipes;
    let outcome = stream
        .pattern
        .set(pipes, PatternOption::RouterMandatory(true));
    assert!(outcome.is_err());
}
