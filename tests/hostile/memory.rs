//! Memory is taken for what peers have sent and somebody may still want, and for nothing else.

use ferrozmq::{Curve, CurveKeyPair, DONTWAIT};

use crate::peer::{
    COMMAND, MORE, RawPeer, address_space_mib, command, frame, greeting, head, opening,
    resident_mib,
};
use crate::*;

/// Allocators do not give everything back at once; a leak is larger than this.
const SLACK_MIB: usize = 32;

/// After it has been done once, doing it again and again takes no more memory.
#[track_caller]
fn stays_flat(rounds: usize, mut act: impl FnMut()) {
    act();
    let before = resident_mib();
    for _ in 0..rounds {
        act();
    }
    let after = resident_mib();
    assert!(after < before + SLACK_MIB, "{before} MiB, then {after}");
}

/// So many peers announce a frame of this size, and send a part of it.
#[track_caller]
fn announce(victim: &Victim, head: &[u8]) -> Vec<RawPeer> {
    let said = [opening("PUSH", b"").as_slice(), head, &[0; 1000]].concat();
    let peers: Vec<_> = (0..100).map(|_| victim.peer_that_sends(&said)).collect();
    for _ in &peers {
        victim.event(|kind| matches!(kind, EventKind::HandshakeSucceeded));
    }
    // When a good one is served, what came before it has been read.
    victim.still_serves();
    peers
}

#[test]
fn frames_that_are_only_announced() {
    in_own_process("memory::frames_that_are_only_announced", || {
        let victim = Victim::new(PULL, TCP);
        victim.still_serves();
        let before = (resident_mib(), address_space_mib());
        let sizes = [1 << 24, 1 << 32, 1 << 40, 1 << 62, (1 << 63) - 1];
        let _peers = sizes.map(|size| announce(&victim, &head(0, size)));
        assert!(resident_mib() < before.0 + SLACK_MIB * 2);
        assert!(address_space_mib() < before.1 + 512);
    });
}

#[test]
fn handshakes_that_are_only_announced() {
    in_own_process("memory::handshakes_that_are_only_announced", || {
        let victim = Victim::new(PULL, TCP);
        let before = resident_mib();
        let said = [greeting(3, 1, "NULL"), head(COMMAND, 64 * 1024)].concat();
        let _peers: Vec<_> = (0..500).map(|_| victim.peer_that_sends(&said)).collect();
        victim.still_serves();
        assert!(resident_mib() < before + SLACK_MIB);
    });
}

/// Neither an announced HELLO nor half of one costs more than its bytes.
#[test]
fn clients_that_never_show_a_key() {
    in_own_process("memory::clients_that_never_show_a_key", || {
        let keys = CurveKeyPair::new().unwrap();
        let victim = Victim::with(PULL, TCP, |socket| {
            socket.set_security(Curve::server(&keys)).unwrap();
        });
        let before = resident_mib();
        let greeting = greeting(3, 1, "CURVE");
        let announced = [&greeting[..], &head(COMMAND, 64 * 1024)].concat();
        let half = [&announced[..], &[0; 10_000]].concat();
        let peers = (0..500).map(|n| victim.peer_that_sends([&announced, &half][n % 2]));
        let _peers: Vec<_> = peers.collect();
        let client = patient(&victim.ctx, PUSH);
        let security = Curve::client(&CurveKeyPair::new().unwrap(), keys.public_key);
        client.set_security(security).unwrap();
        client.connect(&victim.endpoint).unwrap();
        client.send("hello", 0).unwrap();
        assert_eq!(victim.socket.recv_string(0).unwrap(), "hello");
        assert!(resident_mib() < before + SLACK_MIB);
    });
}

/// A message that never ends is dropped with its connection.
#[test]
fn messages_that_never_end() {
    in_own_process("memory::messages_that_never_end", || {
        let victim = Victim::new(PULL, TCP);
        let flood = frame(MORE, b"part of something").repeat(100_000);
        stays_flat(20, || {
            victim.ready_peer("PUSH").send(&flood);
            victim.expect_all_gone(1);
            assert!(victim.socket.try_recv().is_err());
        });
        victim.still_serves();
    });
}

/// Nor is one kept whose connection ends while its sender is displaced or refused.
#[test]
fn messages_that_never_end_under_one_name() {
    in_own_process("memory::messages_that_never_end_under_one_name", || {
        let victim = Victim::with(ROUTER, TCP, |socket| {
            socket.set_router_handover(true).unwrap();
        });
        let flood = frame(MORE, b"part of something").repeat(100_000);
        stays_flat(20, || {
            let mut peer = RawPeer::shake_hands(&victim.endpoint, "DEALER", b"name");
            peer.send(&flood);
            peer.reset();
            victim.expect_all_gone(1);
            assert!(victim.socket.try_recv().is_err());
        });
        victim.still_serves();
    });
}

#[test]
fn messages_to_a_publisher() {
    in_own_process("memory::messages_to_a_publisher", || {
        let victim = Victim::new(PUB, TCP);
        let mut peer = victim.ready_peer("SUB");
        let message = [frame(MORE, b"user"), frame(0, &[b'x'; 1000])].concat();
        let round = message.repeat(500);
        stays_flat(200, || victim.attend(|| peer.send(&round)));
        victim.still_serves();
    });
}

/// Subscriptions take memory as long as their subscriber is there.
#[test]
fn subscriptions() {
    in_own_process("memory::subscriptions", || {
        let victim = Victim::new(PUB, TCP);
        let topics = (0..50_000).map(|n| command("SUBSCRIBE", format!("{n} is it").as_bytes()));
        let topics: Vec<u8> = topics.flatten().collect();
        stays_flat(5, || {
            let mut peer = victim.ready_peer("SUB");
            victim.attend(|| peer.send(&topics));
            drop(peer);
            victim.attend_to_the_end();
            victim.still_serves();
        });
    });
}

/// A connection leaves nothing behind, however it went, and whether or not anybody reads events.
#[test]
fn connections_that_come_and_go() {
    in_own_process("memory::connections_that_come_and_go", || {
        let victim = Victim::new(ROUTER, TCP);
        let name = [opening("DEALER", b"name"), frame(0, b"hello")].concat();
        let garbage = greeting(3, 1, "NONE");
        stays_flat(10, || {
            for _ in 0..200 {
                let _named = victim.peer_that_sends(&name);
                let _same = victim.peer_that_sends(&name);
                victim.peer_that_sends(&garbage).expect_closed();
                victim.peer().reset();
            }
            while victim.socket.recv_multipart(DONTWAIT).is_ok() {}
        });
        assert!(victim.monitor.dropped() > 0, "the events were not read");
        victim.still_serves();
    });
}

/// As long as the application does not notice who comes and goes, not everybody is let in; and of
/// those who were, nothing is lost.
#[test]
fn connections_that_nobody_notices() {
    const MANY: usize = 3000;
    in_own_process("memory::connections_that_nobody_notices", || {
        let victim = Victim::new(PULL, TCP);
        let said = [opening("PUSH", b""), frame(0, b"hello")].concat();
        let is_let_in = || victim.peer_that_sends(&said).hears_within(2 * MOMENT);
        let let_in = (0..MANY).take_while(|_| is_let_in()).count();
        assert!(let_in < MANY, "there is no end of it");
        for _ in 0..let_in {
            assert_eq!(victim.socket.recv_string(0).unwrap(), "hello");
        }
        victim.still_serves();
    });
}

#[test]
fn an_application_that_does_not_read() {
    in_own_process("memory::an_application_that_does_not_read", || {
        let victim = Victim::with(PULL, TCP, |socket| socket.set_rcvhwm(5).unwrap());
        let mut peer = victim.ready_peer("PUSH");
        let before = resident_mib();
        let sent = peer.flood(&frame(0, &[1; 1 << 20]), 1000, MOMENT);
        assert!(sent < 100 && resident_mib() < before + SLACK_MIB);
    });
}

#[test]
fn subscribers_that_do_not_read() {
    in_own_process("memory::subscribers_that_do_not_read", || {
        let victim = Victim::with(PUB, TCP, |socket| socket.set_sndhwm(10).unwrap());
        let mut mute = victim.ready_peer("SUB");
        mute.send(&command("SUBSCRIBE", b""));
        stays_flat(2000, || victim.socket.send(vec![1; 100_000], 0).unwrap());
        victim.still_serves();
    });
}

/// Whoever asks and does not listen is not answered any more.
#[test]
fn questions_of_a_peer_that_does_not_read() {
    in_own_process("memory::questions_of_a_peer_that_does_not_read", || {
        let victim = Victim::new(PULL, TCP);
        let mut mute = victim.ready_peer("PUSH");
        let ping = command("PING", &[0; 18]);
        stays_flat(100, || assert!(mute.flood(&ping, 20_000, LIMIT) > 10_000));
        victim.still_serves();
    });
}
