//! Bytes without sense, and connections that end anywhere.

use crate::peer::{MORE, command, frame, old_frame, opening};
use crate::*;

/// A generator of noise that is the same in each run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed ^ (mixed >> 27)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// A session that has a bit of everything, in its bytes.
fn session() -> Vec<u8> {
    [
        opening("DEALER", b"somebody"),
        frame(MORE, b""),
        frame(0, b"a request"),
        command("PING", b"\0\x64context"),
        frame(MORE, &[b'x'; 300]),
        frame(0, b""),
        command("SUBSCRIBE", b"topic"),
    ]
    .concat()
}

/// Reads what there is; a flood that is not read would hold itself up.
fn drain(victim: &Victim) {
    while victim.socket.recv_multipart(ferrozmq::DONTWAIT).is_ok() {}
}

#[test]
fn garbage_of_many_lengths() {
    let mut noise = Noise(1);
    for endpoint in EVERYWHERE {
        let victim = Victim::new(ROUTER, endpoint);
        for len in (0..200).chain([255, 256, 1000, 8192, 65_536, 300_000]) {
            let bytes = noise.bytes(len);
            drop(victim.peer_that_sends(&bytes));
            victim.expect_all_gone(1);
            drain(&victim);
        }
        victim.still_serves();
    }
}

/// A proper handshake, and then noise where frames should be.
#[test]
fn garbage_after_the_handshake() {
    let mut noise = Noise(2);
    for socket_type in [ROUTER, XPUB, REP] {
        let partner = if socket_type == XPUB { "SUB" } else { "DEALER" };
        let victim = Victim::new(socket_type, TCP);
        for len in 0..300 {
            let bytes = [opening(partner, b""), noise.bytes(len)].concat();
            drop(victim.peer_that_sends(&bytes));
            victim.expect_all_gone(1);
            if socket_type != REP {
                drain(&victim);
            }
        }
        victim.still_serves();
    }
}

/// A session in which some bytes are not what they were.
#[test]
fn a_session_with_flipped_bytes() {
    let mut noise = Noise(3);
    let victim = Victim::new(ROUTER, TCP);
    for _ in 0..500 {
        let mut bytes = session();
        for _ in 0..=noise.below(4) {
            let at = noise.below(bytes.len());
            bytes[at] = noise.next().to_le_bytes()[0];
        }
        drop(victim.peer_that_sends(&bytes));
        victim.expect_all_gone(1);
        drain(&victim);
    }
    victim.still_serves();
}

/// The peer's system forgets the connection after any byte.
#[test]
fn a_reset_at_every_byte() {
    for endpoint in EVERYWHERE {
        let victim = Victim::new(ROUTER, endpoint);
        for end in 0..=session().len() {
            victim.peer_that_sends(&session()[..end]).reset();
            victim.expect_all_gone(1);
            drain(&victim);
        }
        victim.still_serves();
    }
}

/// The same with somebody who has read what we said first, so that more of the states are met.
#[test]
fn a_reset_at_every_byte_of_a_polite_session() {
    let victim = Victim::new(ROUTER, TCP);
    let shaken = opening("DEALER", b"somebody").len();
    for end in shaken..=session().len() {
        let mut peer = victim.peer_that_sends(&session()[..shaken]);
        peer.expect_opening();
        peer.send(&session()[shaken..end]);
        peer.reset();
        victim.expect_all_gone(1);
        drain(&victim);
    }
    victim.still_serves();
}

/// Only whole messages are delivered, wherever the connection ends.
#[test]
fn half_a_message_is_none() {
    for endpoint in EVERYWHERE {
        let victim = Victim::new(PULL, endpoint);
        let message = [frame(MORE, b"one"), frame(MORE, b"two"), frame(0, b"three")].concat();
        for end in 0..message.len() {
            let bytes = [opening("PUSH", b""), message[..end].to_vec()].concat();
            drop(victim.peer_that_sends(&bytes));
            victim.expect_all_gone(1);
        }
        let _peer = victim.peer_that_sends(&[opening("PUSH", b""), message].concat());
        assert_eq!(
            victim.socket.recv_multipart(0).unwrap()[..],
            ["one", "two", "three"]
        );
    }
}

/// Peers of ZeroMQ 2, which have no greeting, and send large messages in their own form.
#[test]
fn large_messages_of_an_unversioned_peer() {
    let victim = Victim::new(PULL, TCP);
    let bodies = [9000, 8193, 20_000, 254, 253, 252].map(|len| vec![b'x'; len]);
    let frames = bodies.iter().map(|body| old_frame(0, body));
    let bytes: Vec<u8> = std::iter::once(b"\x01\0".to_vec())
        .chain(frames)
        .flatten()
        .collect();
    let _peer = victim.peer_that_sends(&bytes);
    for body in bodies {
        assert_eq!(victim.socket.recv_msg(0).unwrap(), body[..]);
    }
}

/// Programs that speak another protocol, and found the wrong port.
#[test]
fn other_protocols() {
    let victim = Victim::new(PULL, TCP);
    let hellos: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: somebody\r\nAccept: */*\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03",
        b"\n\n\n\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"\0\0\0\x08\x04\xD2\x16\x2F",
    ];
    for hello in hellos {
        drop(victim.peer_that_sends(hello));
        victim.expect_all_gone(1);
    }
    victim.still_serves();
}
