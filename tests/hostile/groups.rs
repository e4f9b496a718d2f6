//! RADIO and its kin, and peers that want too much or speak out of turn.

use crate::peer::{COMMAND, MORE, RawPeer, command, frame};
use crate::*;
use ferrozmq::Msg;

fn in_group(group: &str) -> Msg {
    let mut msg = Msg::from("body");
    msg.set_group(group).unwrap();
    msg
}

/// Sends to a group until the peer has something to read.
#[track_caller]
fn await_join(radio: &Socket, peer: &mut RawPeer, group: &str) {
    let deadline = Instant::now() + LIMIT;
    while !peer.hears_within(Duration::from_millis(1)) {
        assert!(Instant::now() < deadline, "the group is not joined");
        radio.send(in_group(group), 0).unwrap();
    }
    assert_eq!(peer.read_frame(), (MORE, group.as_bytes().to_vec()));
    assert_eq!(peer.read_frame(), (0, b"body".to_vec()));
}

/// Groups by the ten thousand, joined, left, never joined and joined again. The RADIO looks at none
/// before it sends.
#[test]
fn a_flood_of_groups() {
    let ctx = Ctx::new();
    let radio = patient(&ctx, RADIO);
    radio.set_rcvhwm(0).unwrap();
    for endpoint in ["tcp://127.0.0.1:*", "ipc://*"] {
        radio.bind(endpoint).unwrap();
        let mut peer = RawPeer::shake_hands(&radio.last_endpoint(), "DISH", b"");
        for round in 0..10_000 {
            let group = format!("{round}").repeat(20);
            peer.send(&command("JOIN", group.as_bytes()));
            peer.send(&command("JOIN", group.as_bytes()));
            peer.send(&command("LEAVE", &[b'x'; 255]));
            if round % 2 == 0 {
                peer.send(&command("LEAVE", group.as_bytes()));
            }
        }
        peer.send(&command("JOIN", b"last"));
        await_join(&radio, &mut peer, "last");
    }
}

/// What a DISH cannot say: messages, subscriptions, groups that are none, half commands.
#[test]
fn a_dish_that_speaks_out_of_turn() {
    let ctx = Ctx::new();
    let radio = patient(&ctx, RADIO);
    radio.bind("tcp://127.0.0.1:*").unwrap();
    let mut peer = RawPeer::shake_hands(&radio.last_endpoint(), "DISH", b"");
    for bytes in [
        frame(0, b"a message"),
        [frame(MORE, b"of"), frame(0, b"two")].concat(),
        command("SUBSCRIBE", b"topic"),
        command("JOIN", &[0xFF; 256]),
        command("JOI", b"N"),
        frame(COMMAND, b"\x04JO"),
        frame(COMMAND, b""),
        command("JOIN", b"group"),
    ] {
        peer.send(&bytes);
    }
    await_join(&radio, &mut peer, "group");
}

/// Clients that come and go by the thousand leave no routing id behind.
#[test]
fn clients_by_the_thousand() {
    let ctx = Ctx::new();
    let server = patient(&ctx, SERVER);
    server.bind("inproc://server").unwrap();
    let mut last = 0;
    for _ in 0..2000 {
        let client = patient(&ctx, CLIENT);
        client.connect("inproc://server").unwrap();
        client.send("x", 0).unwrap();
        let id = server.recv_msg(0).unwrap().routing_id();
        assert!(id != 0 && id != last);
        last = id;
    }
    let mut late = Msg::from("late");
    late.set_routing_id(last).unwrap();
    let deadline = Instant::now() + LIMIT;
    while server.try_send(late.clone()).is_ok() {
        assert!(Instant::now() < deadline, "it is gone");
    }
}
