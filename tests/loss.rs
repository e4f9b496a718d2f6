//! Many numbered messages: none lost or out of order while connections last, and when connections
//! are cut, none torn, repeated or out of order, and no more missing than were on the way.
//!
//! `FERROZMQ_LOSS_MESSAGES` sets how many; the default is a million.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "loss/relay.rs"]
mod relay;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ferrozmq::SocketType::{PULL, PUSH};
use ferrozmq::{DONTWAIT, Msg, Multipart, Socket};

use crate::common::{Rig, wait_until};
use crate::relay::Relay;

on_each_transport!(nothing_is_lost_or_reordered);
on_network_transports!(cut_connections_lose_only_what_was_on_the_way);

fn messages() -> u64 {
    let wanted = std::env::var("FERROZMQ_LOSS_MESSAGES").ok();
    wanted.map_or(1_000_000, |count| count.parse().unwrap())
}

fn nothing_is_lost_or_reordered(rig: &Rig) {
    let (pull, push) = rig.pair(PULL, PUSH);
    let count = messages();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let push = push;
            for n in 0..count {
                push.send(&n.to_le_bytes()[..], 0).unwrap();
            }
            push.set_linger(None).unwrap();
        });
        for n in 0..count {
            let got = pull.recv_msg(0).unwrap();
            assert_eq!(got, n.to_le_bytes()[..]);
        }
    });
}

/// How often the connection is cut.
const CUTS: usize = 100;

/// The size of the system's buffers that is asked for; it may take twice that.
const BUFFER: usize = 16 * 1024;

/// The most that can be lost with one connection: what the sender has encoded and the message
/// beyond that, what lies in the system's buffers and in the relay, and the message that was torn.
const ON_THE_WAY: usize = 256 * 1024 + 4 * BUFFER + relay::CHUNK + 2 * BODY_MAX;

/// The size of the largest bodies.
const BODY_MAX: usize = 100_000;

/// The size of a message's body: mostly small, sometimes beyond what is copied into a batch.
fn body_size(n: u64) -> usize {
    match n % 97 {
        0 => BODY_MAX - (n % 1000) as usize,
        1..10 => (n % 5000) as usize,
        _ => (n % 64) as usize,
    }
}

fn body(n: u64) -> Vec<u8> {
    vec![n as u8; body_size(n)]
}

/// A message of three frames, from which it can be seen whether it is whole.
fn message(n: u64) -> [Vec<u8>; 3] {
    let number = n.to_le_bytes().to_vec();
    [number.clone(), body(n), number]
}

#[track_caller]
fn number(frames: &Multipart) -> u64 {
    let bodies: Vec<&[u8]> = frames.iter().map(Msg::as_bytes).collect();
    let n = u64::from_le_bytes(bodies[0].try_into().unwrap());
    assert!(bodies == message(n), "message {n} is not whole");
    n
}

fn cut_connections_lose_only_what_was_on_the_way(rig: &Rig) {
    let pull = rig.bound(PULL);
    let relay = Relay::start(&rig.fresh_endpoint(), &pull.last_endpoint(), CUTS, BUFFER);
    let push = rig.socket(PUSH);
    push.set_sndbuf(Some(BUFFER)).unwrap();
    push.set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    push.connect(relay.endpoint()).unwrap();

    let sent = AtomicU64::new(u64::MAX);
    let mut missing = Missing::default();
    std::thread::scope(|scope| {
        scope.spawn(|| send_until_healed(push, &relay, &sent));
        wait_until(|| {
            let cuts = relay.cuts();
            while let Ok(frames) = pull.recv_multipart(DONTWAIT) {
                missing.saw(number(&frames));
            }
            relay.set_read(cuts);
            sent.load(Ordering::Acquire) == missing.next
        });
    });
    assert_eq!(relay.cuts(), CUTS);
    assert!(missing.bytes <= CUTS * ON_THE_WAY, "{missing:?}");
    println!("{missing:?}");
}

/// Sends numbered messages until the connection that lasts is up and some went over it; then says
/// how many they were.
fn send_until_healed(push: Socket, relay: &Relay, sent: &AtomicU64) {
    let mut n = 0;
    let mut rest = 1000;
    while rest > 0 {
        if relay.is_healed() {
            rest -= 1;
        }
        push.send_multipart(message(n), 0).unwrap();
        n += 1;
    }
    // The number is known before the last one comes.
    sent.store(n + 1, Ordering::Release);
    push.send_multipart(message(n), 0).unwrap();
    push.set_linger(None).unwrap();
}

/// What did not arrive.
#[derive(Default, Debug)]
struct Missing {
    next: u64,
    messages: u64,
    bytes: usize,
}

impl Missing {
    /// Takes note of what came, which must be later than all that came before.
    #[track_caller]
    fn saw(&mut self, n: u64) {
        assert!(n >= self.next, "{n} after {}", self.next - 1);
        self.messages += n - self.next;
        self.bytes += (self.next..n).map(|n| body_size(n) + 22).sum::<usize>();
        self.next = n + 1;
    }
}
