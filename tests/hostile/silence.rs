//! Peers that do not speak, speak slowly, or do not listen.

use ferrozmq::{DONTWAIT, Error};

use crate::peer::{MORE, RawPeer, command, frame, greeting, opening};
use crate::*;

const HANDSHAKE_LIMIT: Duration = Duration::from_millis(300);

fn impatient(socket_type: SocketType, endpoint: &str) -> Victim {
    Victim::with(socket_type, endpoint, |socket| {
        socket.set_handshake_ivl(Some(HANDSHAKE_LIMIT)).unwrap();
    })
}

/// What a peer has said when it stops: nothing, part of a greeting, all of it, part of READY.
fn stops() -> Vec<Vec<u8>> {
    let all = opening("PULL", b"");
    [0, 1, 9, 10, 11, 12, 63, 64, 65, 70]
        .map(|n| all[..n].to_vec())
        .to_vec()
}

/// What is sent goes to peers that have shaken hands, and to nobody else.
#[test]
fn peers_that_never_shake_hands_get_no_messages() {
    for socket_type in [PUSH, DEALER] {
        for endpoint in EVERYWHERE {
            let victim = Victim::new(socket_type, endpoint);
            let silent = (0..5).flat_map(|_| stops());
            let _silent: Vec<_> = silent.map(|said| victim.peer_that_sends(&said)).collect();
            let client = patient(&victim.ctx, partner(&victim.socket));
            client.connect(&victim.endpoint).unwrap();
            for n in 0..1000 {
                victim.socket.send(n.to_string(), 0).unwrap();
            }
            for n in 0..1000 {
                assert_eq!(client.recv_string(0).unwrap(), n.to_string());
            }
        }
    }
}

/// Without a peer that has shaken hands there is nobody to send to.
#[test]
fn silent_peers_are_none() {
    let victim = Victim::new(PUSH, TCP);
    let _silent: Vec<_> = stops()
        .iter()
        .map(|said| victim.peer_that_sends(said))
        .collect();
    for _ in stops() {
        victim.event(|kind| matches!(kind, EventKind::Accepted { .. }));
    }
    let failed = victim.socket.send("?", DONTWAIT).unwrap_err();
    assert!(matches!(failed.error, Error::Again));
}

#[test]
fn a_handshake_that_takes_too_long_is_ended() {
    for endpoint in EVERYWHERE {
        let victim = impatient(PULL, endpoint);
        for said in stops() {
            let mut peer = victim.peer_that_sends(&said);
            victim.expect_handshake_failed(Reason::HandshakeTimeout);
            peer.expect_closed();
        }
        victim.still_serves();
    }
}

/// The interval is for the whole handshake: another byte now and then does not prolong it.
#[test]
fn a_handshake_in_drops_is_ended() {
    let victim = impatient(PULL, TCP);
    let mut peer = victim.peer();
    let begun = Instant::now();
    let closed = opening("PUSH", b"").iter().any(|byte| {
        let _ = peer.try_send(&[*byte]);
        peer.is_closed_within(HANDSHAKE_LIMIT / 20)
    });
    assert!(closed && begun.elapsed() >= HANDSHAKE_LIMIT);
    victim.expect_handshake_failed(Reason::HandshakeTimeout);
    victim.still_serves();
}

#[test]
fn hundreds_of_half_open_connections() {
    for endpoint in EVERYWHERE {
        let victim = impatient(ROUTER, endpoint);
        let half_open: Vec<_> = (0..300)
            .map(|_| victim.peer_that_sends(&greeting(3, 1, "NULL")))
            .collect();
        victim.still_serves();
        for _ in &half_open {
            victim.expect_handshake_failed(Reason::HandshakeTimeout);
        }
        for mut peer in half_open {
            peer.expect_closed();
        }
        victim.still_serves();
    }
}

/// A peer that does not read fills its queue and no other.
#[test]
fn a_mute_peer_holds_nobody_up() {
    let victim = Victim::with(PUSH, TCP, |socket| socket.set_sndhwm(10).unwrap());
    let _mute = victim.ready_peer("PULL");
    let body = vec![0; 100_000];
    let client = patient(&victim.ctx, PULL);
    client.connect(&victim.endpoint).unwrap();
    victim.event(|kind| matches!(kind, EventKind::HandshakeSucceeded));
    for _ in 0..1000 {
        victim.socket.send(&body[..], 0).unwrap();
        while client.try_recv().is_ok() {}
    }
}

#[test]
fn a_mute_subscriber_misses_messages() {
    let victim = Victim::with(PUB, TCP, |socket| socket.set_sndhwm(10).unwrap());
    let mut mute = victim.ready_peer("SUB");
    mute.send(&command("SUBSCRIBE", b""));
    let body = vec![0; 100_000];
    for _ in 0..1000 {
        victim.socket.send(&body[..], DONTWAIT).unwrap();
    }
    victim.expect_none_lost();
    victim.still_serves();
}

/// Who asks and asks and never listens misses answers.
#[test]
fn a_mute_client_gets_what_fits() {
    for mandatory in [false, true] {
        let victim = Victim::with(REP, TCP, |socket| {
            socket.set_sndhwm(1).unwrap();
            // A REP has no such option, but must not be broken by it where it is let have it.
            let _ = socket.set_router_mandatory(mandatory);
        });
        let mut mute = victim.ready_peer("DEALER");
        let body = vec![0; 1_000_000];
        let request = [frame(MORE, b""), frame(0, b"?")].concat();
        for _ in 0..100 {
            mute.send(&request);
            victim.socket.recv_msg(0).unwrap();
            victim.socket.send(&body[..], 0).unwrap();
        }
        victim.still_serves();
    }
}

/// A peer that is not read cannot be heard: that is not its silence.
#[test]
fn a_heartbeat_while_nothing_is_read() {
    let victim = Victim::with(PULL, TCP, |socket| {
        socket.set_rcvhwm(1).unwrap();
        socket
            .set_heartbeat_ivl(Some(Duration::from_millis(20)))
            .unwrap();
        socket
            .set_heartbeat_timeout(Some(Duration::from_millis(40)))
            .unwrap();
    });
    let mut peer = victim.ready_peer("PUSH");
    let messages = frame(0, b"message").repeat(1000);
    peer.send(&messages);
    victim.expect_none_lost();
    for _ in 0..1000 {
        assert_eq!(victim.socket.recv_msg(0).unwrap(), "message");
    }
    victim.expect_disconnected(Reason::HeartbeatTimeout);
    victim.still_serves();
}

/// Questions of a peer that does not read the answers are not all answered.
#[test]
fn a_mute_peer_that_pings() {
    let victim = Victim::new(PULL, TCP);
    let mut mute = victim.ready_peer("PUSH");
    let ping = command("PING", &[0; 18]);
    assert!(mute.flood(&ping, 500_000, LIMIT) > 400_000);
    mute.send(&frame(0, b"still here"));
    assert_eq!(victim.socket.recv_msg(0).unwrap(), "still here");
}

/// A peer that closes only its sending side has said all it wanted, and is closed.
#[test]
fn a_peer_that_closes_in_the_handshake() {
    let victim = Victim::new(PULL, TCP);
    for said in stops() {
        drop(victim.peer_that_sends(&said));
        victim.event(|kind| matches!(kind, EventKind::HandshakeFailed { .. }));
    }
    victim.still_serves();
}

/// The application does not read: the peer is stopped by its own system, and nothing is lost.
#[test]
fn an_application_that_does_not_read() {
    for endpoint in EVERYWHERE {
        let victim = Victim::with(PULL, endpoint, |socket| socket.set_rcvhwm(10).unwrap());
        let mut peer = RawPeer::connect(&victim.endpoint);
        peer.send(&opening("PUSH", b""));
        let body = vec![b'x'; 10_000];
        let sent = peer.flood(&frame(0, &body), 10_000, MOMENT);
        assert!((10..10_000).contains(&sent), "{sent} were taken");
        for _ in 0..sent {
            assert_eq!(victim.socket.recv_msg(0).unwrap(), body[..]);
        }
        victim.still_serves();
    }
}

/// Nor does what it says keep a PUSH from hearing that it has gone.
#[test]
fn a_chatty_worker_that_leaves() {
    for endpoint in EVERYWHERE {
        let victim = Victim::new(PUSH, endpoint);
        let mut peer = victim.ready_peer("PULL");
        peer.send(&frame(0, b"hello").repeat(3000));
        drop(peer);
        victim.expect_all_gone(1);
        victim.still_serves();
    }
}
