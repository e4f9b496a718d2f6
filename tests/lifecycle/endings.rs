//! Linger, the end of a context, and what both mean for those who wait.

use std::time::{Duration, Instant};

use ferrozmq::SocketType::{DEALER, PAIR, PULL, PUSH, REQ, SUB};
use ferrozmq::{Ctx, Error, Msg, POLLIN, POLLOUT, PollItem, Socket, poll};

use crate::common::{
    LIMIT, Rig, SHORT, Transport, fill, in_time, link, patient, recv, recv_numbers,
};
use crate::common::{send_numbers, wait_until};
use crate::peer::{RawListener, RawPeer, command, opening};
use crate::{on_each_transport, on_network_transports};

on_each_transport!(
    what_was_sent_is_delivered_after_the_end_of_its_sender,
    what_was_sent_is_delivered_before_the_end_of_its_context,
    large_messages_are_delivered_after_the_end_of_their_sender,
    a_closed_receiver_holds_nothing_up,
    an_open_socket_holds_up_the_end_and_is_named,
    sockets_and_contexts_can_be_dropped_in_any_order,
    nothing_works_after_a_shutdown,
    a_shutdown_wakes_who_waits,
);

on_network_transports!(
    without_linger_nobody_is_waited_for,
    a_bounded_linger_ends_in_time,
    an_endless_linger_ends_when_everything_is_delivered,
    a_full_peer_holds_up_the_end_until_it_reads,
    the_linger_time_that_counts_is_the_last,
);

fn what_was_sent_is_delivered_after_the_end_of_its_sender(rig: &Rig) {
    let pull = rig.bound(PULL);
    // As it comes, with the default linger time.
    let push = rig.ctx.socket(PUSH).unwrap();
    push.connect(&pull.last_endpoint()).unwrap();
    send_numbers(&push, 0..1000);
    drop(push);
    recv_numbers(&pull, 0..1000);
}

fn what_was_sent_is_delivered_before_the_end_of_its_context(rig: &Rig) {
    if rig.is_inproc() {
        return;
    }
    let pull = rig.bound(PULL);
    let endpoint = pull.last_endpoint();
    let sending = std::thread::spawn(move || {
        let push = Ctx::new().socket(PUSH).unwrap();
        push.connect(&endpoint).unwrap();
        send_numbers(&push, 0..1000);
    });
    recv_numbers(&pull, 0..1000);
    sending.join().unwrap();
}

fn large_messages_are_delivered_after_the_end_of_their_sender(rig: &Rig) {
    const SIZE: usize = 20_000_000;
    let pull = rig.bound(PULL);
    let push = rig.ctx.socket(PUSH).unwrap();
    link(&pull, &push);
    for n in 1..4 {
        push.send(vec![n; SIZE], 0).unwrap();
    }
    drop(push);
    for n in 1..4 {
        let body = pull.recv_msg(0).unwrap();
        assert!(body.len() == SIZE && body.iter().all(|byte| *byte == n));
    }
}

fn a_closed_receiver_holds_nothing_up(rig: &Rig) {
    let (push, pull) = rig.pair(PUSH, PULL);
    push.set_linger(None).unwrap();
    send_numbers(&push, 0..100);
    drop(pull);
    wait_until(|| push.get_events().unwrap() == 0);
    drop(push);
    rig.ctx.term(Some(LIMIT)).unwrap();
}

fn an_open_socket_holds_up_the_end_and_is_named(rig: &Rig) {
    let pull = rig.bound(PULL);
    let endpoint = pull.last_endpoint();
    let idle = rig.socket(SUB);
    let left = rig.ctx.term(Some(SHORT)).unwrap_err();
    assert!(left.to_string().contains("2 socket(s)"), "{left}");
    let mut left = left.sockets;
    left.sort_by_key(|socket| socket.endpoints.len());
    assert_eq!(left[0].socket_type, SUB);
    assert_eq!(left[0].endpoints, Vec::<String>::new());
    assert_eq!(left[1].socket_type, PULL);
    assert_eq!(left[1].endpoints, [endpoint]);
    assert!(left.iter().all(|socket| !socket.closed));
    drop((pull, idle));
    rig.ctx.term(Some(LIMIT)).unwrap();
    rig.ctx.term(Some(LIMIT)).unwrap();
}

fn sockets_and_contexts_can_be_dropped_in_any_order(rig: &Rig) {
    for order in 0..6 {
        let ctx = Ctx::new();
        let [a, b] = [(); 2].map(|()| patient(&ctx, PAIR));
        a.bind(&rig.fresh_endpoint()).unwrap();
        link(&a, &b);
        let other_thread = move |last: Socket| std::thread::spawn(move || drop(last));
        in_time(move || match order {
            0 => drop((a, b, ctx)),
            1 => drop((b, a, ctx)),
            2 => drop((ctx, a, b)),
            3 => drop((a, ctx, b)),
            4 => {
                drop(ctx);
                other_thread(a).join().unwrap();
                other_thread(b).join().unwrap();
            }
            _ => {
                let threads = [other_thread(a), other_thread(b)];
                drop(ctx);
                threads
                    .into_iter()
                    .for_each(|thread| thread.join().unwrap());
            }
        });
    }
}

fn nothing_works_after_a_shutdown(rig: &Rig) {
    let (push, pull) = rig.pair(PUSH, PULL);
    rig.ctx.shutdown();
    rig.ctx.shutdown();
    let is_term = |error: Error| matches!(error, Error::Term);
    let refused = push.send("given back", 0).unwrap_err();
    assert_eq!(refused.message, "given back");
    assert!(is_term(refused.error));
    assert!(is_term(pull.recv_msg(0).unwrap_err()));
    assert!(is_term(pull.recv_multipart(0).unwrap_err()));
    assert!(is_term(pull.get_events().unwrap_err()));
    assert!(is_term(pull.poll(POLLIN, None).unwrap_err()));
    assert!(is_term(push.bind("inproc://late").unwrap_err()));
    assert!(is_term(push.connect("inproc://late").unwrap_err()));
    assert!(is_term(push.disconnect("inproc://late").unwrap_err()));
    assert!(is_term(pull.unbind(&pull.last_endpoint()).unwrap_err()));
    assert!(is_term(push.set_sndhwm(1).unwrap_err()));
    assert!(is_term(rig.ctx.socket(PULL).unwrap_err()));
    drop((push, pull));
    rig.ctx.term(Some(LIMIT)).unwrap();
}

fn a_shutdown_wakes_who_waits(rig: &Rig) {
    fn forever(rig: &Rig, socket_type: ferrozmq::SocketType) -> Socket {
        let socket = rig.bound(socket_type);
        socket.set_rcvtimeo(None).unwrap();
        socket.set_sndtimeo(None).unwrap();
        socket
    }
    type Wait = fn(&Socket) -> Result<(), Error>;
    let waits: [(ferrozmq::SocketType, Wait); 6] = [
        (PULL, |socket| socket.recv_msg(0).map(drop)),
        (PUSH, |socket| Ok(socket.send("x", 0)?)),
        (DEALER, |socket| Ok(socket.send_multipart(["x", "y"], 0)?)),
        (REQ, |socket| socket.poll(POLLIN | POLLOUT, None).map(drop)),
        (SUB, |socket| {
            poll(&mut [socket.as_poll_item(POLLIN)], None).map(drop)
        }),
        (PAIR, |socket| {
            let (_open, quiet) = std::os::unix::net::UnixStream::pair()?;
            let quiet = PollItem::from_fd(std::os::fd::AsFd::as_fd(&quiet), POLLIN);
            poll(&mut [quiet, socket.as_poll_item(POLLIN)], None).map(drop)
        }),
    ];
    let (about_to_wait, waiting) = crossbeam_channel::unbounded();
    let threads = waits.map(|(socket_type, wait)| {
        let socket = forever(rig, socket_type);
        let about_to_wait = about_to_wait.clone();
        std::thread::spawn(move || {
            about_to_wait.send(()).unwrap();
            wait(&socket)
        })
    });
    for _ in &threads {
        waiting.recv().unwrap();
    }
    rig.ctx.shutdown();
    for thread in threads {
        let outcome = in_time(|| thread.join().unwrap());
        assert!(matches!(outcome, Err(Error::Term)), "{outcome:?}");
    }
    rig.ctx.term(Some(LIMIT)).unwrap();
}

/// A context of its own with a PUSH that has something to say to nobody.
fn unheard(endpoint: &str, linger: Option<Duration>) -> (Ctx, Socket) {
    let ctx = Ctx::new();
    let push = ctx.socket(PUSH).unwrap();
    push.set_linger(linger).unwrap();
    push.connect(endpoint).unwrap();
    send_numbers(&push, 0..10);
    (ctx, push)
}

fn without_linger_nobody_is_waited_for(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let (ctx, push) = unheard(&endpoint, Some(Duration::ZERO));
    drop(push);
    ctx.term(Some(LIMIT)).unwrap();
}

fn a_bounded_linger_ends_in_time(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let (ctx, push) = unheard(&endpoint, Some(SHORT));
    let begin = Instant::now();
    drop(push);
    in_time(move || drop(ctx));
    assert!(begin.elapsed() >= SHORT);
}

fn an_endless_linger_ends_when_everything_is_delivered(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let (ctx, push) = unheard(&endpoint, None);
    drop(push);
    let left = ctx.term(Some(SHORT)).unwrap_err().sockets;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].socket_type, PUSH);
    assert_eq!(left[0].endpoints, [endpoint.as_str()]);
    assert!(left[0].closed);
    let pull = rig.socket(PULL);
    pull.bind(&endpoint).unwrap();
    recv_numbers(&pull, 0..10);
    ctx.term(Some(LIMIT)).unwrap();
}

fn a_full_peer_holds_up_the_end_until_it_reads(rig: &Rig) {
    const SIZE: usize = 1_000_000;
    let pull = rig.socket(PULL);
    pull.set_rcvhwm(1).unwrap();
    pull.bind(&rig.fresh_endpoint()).unwrap();
    let ctx = Ctx::new();
    let push = patient(&ctx, PUSH);
    push.set_linger(None).unwrap();
    link(&pull, &push);
    for _ in 0..50 {
        push.send(vec![0; SIZE], 0).unwrap();
    }
    drop(push);
    assert_eq!(ctx.term(Some(SHORT)).unwrap_err().sockets.len(), 1);
    for _ in 0..50 {
        assert_eq!(pull.recv_msg(0).unwrap().len(), SIZE);
    }
    ctx.term(Some(LIMIT)).unwrap();
}

fn the_linger_time_that_counts_is_the_last(rig: &Rig) {
    let (endpoint, _keeper) = rig.reserved_endpoint();
    let (ctx, push) = unheard(&endpoint, None);
    push.set_linger(Some(Duration::ZERO)).unwrap();
    drop(push);
    ctx.term(Some(LIMIT)).unwrap();
}

#[test]
fn a_closed_socket_soon_makes_place_for_another() {
    let ctx = Ctx::new();
    ctx.set_max_sockets(2).unwrap();
    let _kept = ctx.socket(PULL).unwrap();
    for _ in 0..1000 {
        drop(ctx.socket(PUSH).unwrap());
    }
    let _other = ctx.socket(PUSH).unwrap();
    let refused = ctx.socket(PUSH);
    assert!(matches!(refused, Err(Error::TooManySockets)), "{refused:?}");
}

#[test]
fn a_connect_that_waits_for_a_bind_in_the_process_does_not_hold_up_the_end() {
    let rig = Rig::new(Transport::Inproc);
    let (ctx, push) = unheard(&rig.fresh_endpoint(), None);
    drop(push);
    ctx.term(Some(LIMIT)).unwrap();
}

#[test]
fn what_waits_for_a_bind_in_the_process_outlives_its_sender() {
    let rig = Rig::new(Transport::Inproc);
    let push = rig.ctx.socket(PUSH).unwrap();
    let endpoint = rig.fresh_endpoint();
    push.connect(&endpoint).unwrap();
    send_numbers(&push, 0..10);
    drop(push);
    let pull = rig.socket(PULL);
    pull.bind(&endpoint).unwrap();
    recv_numbers(&pull, 0..10);
}

#[test]
fn a_closed_socket_takes_no_new_peers_while_it_lingers() {
    let rig = Rig::new(Transport::Inproc);
    let (nowhere, _keeper) = Rig::new(Transport::Tcp).reserved_endpoint();
    let (name, closed) = (rig.fresh_endpoint(), rig.socket(DEALER));
    closed.bind(&name).unwrap();
    closed.set_linger(Some(2 * LIMIT)).unwrap();
    closed.connect(&nowhere).unwrap();
    closed.send("lingers", 0).unwrap();
    let peer = rig.socket(DEALER);
    peer.connect(&name).unwrap();
    drop(closed);
    wait_until(|| peer.get_events().unwrap() == 0);
    let late = rig.socket(DEALER);
    late.bind(&nowhere).unwrap();
    assert_eq!(recv(&late), ["lingers"]);
}

/// A body that uses the library when it is dropped; too large to be copied as it is sent.
struct Witness(Ctx);

impl AsRef<[u8]> for Witness {
    fn as_ref(&self) -> &[u8] {
        &[0; 10_000]
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let pull = patient(&self.0, PULL);
        pull.bind("inproc://dropped").unwrap();
    }
}

#[test]
fn what_waits_for_a_bind_in_vain_may_use_the_library_as_it_goes() {
    let ctx = Ctx::new();
    let push = patient(&ctx, PUSH);
    push.connect("inproc://never").unwrap();
    push.send(Msg::from_owner(Witness(ctx.clone())), 0).unwrap();
    in_time(move || {
        let heir = patient(&ctx, PUSH);
        heir.connect("inproc://dropped").unwrap();
        push.set_linger(Some(Duration::from_millis(1))).unwrap();
        drop(push);
        wait_until(|| {
            // Whoever comes finds out that its time is over.
            patient(&ctx, PUSH).connect("inproc://other").unwrap();
            heir.get_events().unwrap() == 0
        });
    });
}

#[test]
fn a_context_that_was_never_used_ends_at_once() {
    let ctx = Ctx::new();
    ctx.term(Some(LIMIT)).unwrap();
    assert!(matches!(ctx.socket(PULL), Err(Error::Term)));
    Ctx::new().shutdown();
}

#[test]
fn clones_are_the_same_context() {
    let ctx = Ctx::new();
    let clone = ctx.clone();
    let pull = patient(&ctx, PULL);
    pull.bind("inproc://shared").unwrap();
    let push = patient(&clone, PUSH);
    link(&pull, &push);
    clone.shutdown();
    assert!(matches!(pull.recv_msg(0), Err(Error::Term)));
    drop((pull, push));
    drop(clone);
    ctx.term(Some(LIMIT)).unwrap();
}

#[test]
fn the_default_is_to_linger_for_a_while_but_not_for_ever() {
    let ctx = Ctx::new();
    let linger = |socket_type| ctx.socket(socket_type).unwrap().get_linger().unwrap();
    assert_eq!(linger(PUSH), Some(Duration::from_secs(30)));
    assert_eq!(linger(SUB), Some(Duration::ZERO));
    let hasty = Ctx::new();
    hasty.set_blocky(false);
    let socket = hasty.socket(PUSH).unwrap();
    assert_eq!(socket.get_linger().unwrap(), Some(Duration::ZERO));
}

/// What lies unread in a receiver is lost with it; who sent it goes on.
#[test]
fn a_full_receiver_can_be_closed() {
    for transport in [Transport::Inproc, Transport::Ipc, Transport::Tcp] {
        let rig = Rig::new(transport);
        let (pull, push) = rig.pair(PULL, PUSH);
        fill(&push);
        drop(pull);
        drop(push);
        rig.ctx.term(Some(LIMIT)).unwrap();
    }
}

/// A context whose only socket has sent a megabyte to a peer and is closed, for which it lingers
/// without end.
fn said_to(listener: &RawListener) -> (Ctx, RawPeer) {
    let ctx = Ctx::new();
    let push = ctx.socket(PUSH).unwrap();
    push.set_linger(None).unwrap();
    push.connect(&listener.endpoint()).unwrap();
    let mut peer = listener.accept();
    peer.send(&opening("PULL", b""));
    peer.expect_opening();
    for n in 0..1000 {
        push.send(vec![n as u8; 1000], 0).unwrap();
    }
    drop(push);
    (ctx, peer)
}

fn hear_all(peer: &mut RawPeer) {
    for n in 0..1000 {
        assert_eq!(peer.read_frame(), (0, vec![n as u8; 1000]));
    }
}

/// What it has no room for is nobody's but ours, and lost if it speaks to a closed connection.
#[test]
fn a_peer_that_reads_late_gets_everything() {
    let listener = RawListener::tcp();
    let (ctx, mut peer) = said_to(&listener);
    let while_it_does_not_read = Duration::from_millis(1500);
    let left = ctx.term(Some(while_it_does_not_read)).unwrap_err();
    assert_eq!(left.sockets.len(), 1);
    peer.send(&command("PING", b"\0\0"));
    hear_all(&mut peer);
    ctx.term(Some(LIMIT)).unwrap();
}

#[test]
fn a_peer_that_has_everything_and_stays_does_not_hold_up_the_end() {
    for listener in [RawListener::tcp(), RawListener::ipc()] {
        let (ctx, mut peer) = said_to(&listener);
        hear_all(&mut peer);
        ctx.term(Some(LIMIT)).unwrap();
    }
}
