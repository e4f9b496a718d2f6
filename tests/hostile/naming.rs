//! Peers that claim names: the same one by the hundred, and one that a ROUTER might give.

use ferrozmq::{DONTWAIT, Error};

use crate::peer::{MORE, RawPeer, frame, opening};
use crate::*;

const CROWD: usize = 300;

fn announce(victim: &Victim, identity: &[u8]) -> RawPeer {
    victim.peer_that_sends(&opening("DEALER", identity))
}

fn send_to(victim: &Victim, id: &[u8], body: &str) {
    victim
        .socket
        .send_multipart([id, body.as_bytes()], 0)
        .unwrap();
}

/// The first keeps the name; all others are told to go, and do not wait for ever.
#[test]
fn the_same_name_by_the_hundred() {
    for endpoint in EVERYWHERE {
        let victim = Victim::new(ROUTER, endpoint);
        let mut first = announce(&victim, b"name");
        first.expect_opening();
        first.send(&frame(0, b"first"));
        assert_eq!(
            victim.socket.recv_multipart(0).unwrap()[..],
            ["name", "first"]
        );
        let crowd: Vec<_> = (0..CROWD).map(|_| announce(&victim, b"name")).collect();
        for _ in &crowd {
            victim.event(|kind| matches!(kind, EventKind::Accepted { .. }));
        }
        for mut peer in crowd {
            peer.expect_opening();
            // The application's next call takes notice of it.
            wait_until(|| {
                victim.socket.get_events().unwrap();
                peer.is_closed_within(Duration::from_millis(1))
            });
            drop(peer);
            victim.expect_disconnected(Reason::LocalClosed);
        }
        send_to(&victim, b"name", "still you");
        assert_eq!(first.read_frame(), (0, b"still you".to_vec()));
        victim.still_serves();
    }
}

/// With handover the last one has it, and those before are closed.
#[test]
fn the_same_name_handed_over_by_the_hundred() {
    let victim = Victim::with(ROUTER, TCP, |socket| {
        socket.set_router_handover(true).unwrap()
    });
    let mut holder = announce(&victim, b"name");
    holder.expect_opening();
    for n in 0..CROWD {
        let mut next = announce(&victim, b"name");
        next.expect_opening();
        next.send(&frame(0, n.to_string().as_bytes()));
        assert_eq!(victim.socket.recv_multipart(0).unwrap()[1], *n.to_string());
        holder.expect_closed();
        drop(holder);
        victim.expect_disconnected(Reason::LocalClosed);
        holder = next;
    }
    send_to(&victim, b"name", "you");
    assert_eq!(holder.read_frame(), (0, b"you".to_vec()));
    victim.still_serves();
}

/// What one peer began to say is not continued by another under its name.
#[test]
fn a_name_handed_over_within_a_message() {
    let victim = Victim::with(ROUTER, TCP, |socket| {
        socket.set_router_handover(true).unwrap()
    });
    let mut old = announce(&victim, b"name");
    old.expect_opening();
    old.send(&[frame(0, b"whole"), frame(MORE, b"half")].concat());
    assert_eq!(
        victim.socket.recv_multipart(0).unwrap()[..],
        ["name", "whole"]
    );
    let mut new = announce(&victim, b"name");
    new.expect_opening();
    new.send(&frame(0, b"new"));
    assert_eq!(
        victim.socket.recv_multipart(0).unwrap()[..],
        ["name", "new"]
    );
    old.expect_closed();
    victim.still_serves();
}

/// The name is free as soon as its holder is gone.
#[test]
fn a_name_that_comes_back() {
    let victim = Victim::new(ROUTER, TCP);
    for n in 0..CROWD {
        let mut peer = announce(&victim, b"name");
        peer.send(&frame(0, n.to_string().as_bytes()));
        assert_eq!(victim.socket.recv_multipart(0).unwrap()[1], *n.to_string());
        drop(peer);
        victim.expect_all_gone(1);
        victim.socket.get_events().unwrap();
    }
    victim.still_serves();
}

/// Names that a ROUTER gives begin with zero; nobody can take one of them beforehand.
#[test]
fn the_name_that_would_come_next() {
    let victim = Victim::new(ROUTER, TCP);
    let mut anonymous = announce(&victim, b"");
    anonymous.send(&frame(0, b"who am I?"));
    let id = victim.socket.recv_multipart(0).unwrap()[0].to_vec();
    let number = u32::from_be_bytes(id[1..].try_into().unwrap());
    for ahead in 1..=10 {
        let next = [&[0][..], &number.wrapping_add(ahead).to_be_bytes()].concat();
        announce(&victim, &next).expect_closed();
        victim.expect_refused(ProtocolError::InvalidRoutingId);
    }
    victim.still_serves();
}

/// Nor can it be guessed: two sockets do not begin with the same name.
#[test]
fn names_are_not_the_same_in_each_process() {
    let first_id = || {
        let victim = Victim::new(ROUTER, TCP);
        let mut peer = announce(&victim, b"");
        peer.send(&frame(0, b"?"));
        victim.socket.recv_multipart(0).unwrap()[0].to_vec()
    };
    let ids = [first_id(), first_id(), first_id()];
    assert!(ids[0] != ids[1] || ids[1] != ids[2], "{ids:?}");
}

/// A name of 255 bytes, of any bytes but a first zero, is a name.
#[test]
fn the_longest_name() {
    let victim = Victim::new(ROUTER, TCP);
    let name: Vec<u8> = (0..255).rev().collect();
    let mut peer = announce(&victim, &name);
    peer.send(&frame(0, b"long"));
    assert_eq!(victim.socket.recv_multipart(0).unwrap()[0], name[..]);
    send_to(&victim, &name, "yes");
    peer.expect_opening();
    assert_eq!(peer.read_frame(), (0, b"yes".to_vec()));
}

/// The application itself wants two connections to have one name: it is told.
#[test]
fn two_connections_with_one_name() {
    let ctx = Ctx::new();
    let router = patient(&ctx, ROUTER);
    let peer = patient(&ctx, DEALER);
    peer.bind(TCP).unwrap();
    router.set_connect_routing_id(b"same").unwrap();
    router.connect(&peer.last_endpoint()).unwrap();
    let again = router.set_connect_routing_id(b"same");
    assert!(matches!(again, Err(Error::InvalidArgument(_))));
    router.connect("tcp://127.0.0.1:1").unwrap();
    router.send_multipart(["same", "hello"], 0).unwrap();
    assert_eq!(peer.recv_string(0).unwrap(), "hello");
}

/// Or wants a name that a peer brings along: the peer is refused.
#[test]
fn a_connection_with_the_name_of_a_peer() {
    let victim = Victim::new(ROUTER, TCP);
    let peer = patient(&victim.ctx, DEALER);
    peer.bind(TCP).unwrap();
    victim.socket.set_connect_routing_id(b"name").unwrap();
    victim.socket.connect(&peer.last_endpoint()).unwrap();
    let mut other = announce(&victim, b"name");
    other.expect_opening();
    wait_until(|| {
        victim.socket.get_events().unwrap();
        other.is_closed_within(Duration::from_millis(1))
    });
    send_to(&victim, b"name", "hello");
    assert_eq!(peer.recv_string(0).unwrap(), "hello");
}

/// Messages for nobody, and for peers that have just left, are dropped or refused.
#[test]
fn messages_for_peers_that_are_gone() {
    for mandatory in [false, true] {
        let victim = Victim::with(ROUTER, TCP, |socket| {
            socket.set_router_mandatory(mandatory).unwrap();
        });
        let mut peer = announce(&victim, b"name");
        peer.send(&frame(0, b"hello and goodbye"));
        victim.socket.recv_multipart(0).unwrap();
        peer.reset();
        victim.expect_all_gone(1);
        for _ in 0..1000 {
            let sent = victim
                .socket
                .send_multipart(["name", "where are you?"], DONTWAIT);
            match sent.map_err(|failed| failed.error) {
                Ok(()) => assert!(!mandatory),
                Err(error) => assert!(mandatory && matches!(error, Error::HostUnreachable)),
            }
        }
        victim.still_serves();
    }
}
