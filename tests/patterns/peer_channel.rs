//! PEER and CHANNEL: SERVER and CLIENT in one, and PAIR with messages of one frame.

use ferrozmq::SocketType::{CHANNEL, CLIENT, PAIR, PEER, SERVER};
use ferrozmq::{DONTWAIT, Error, Msg, POLLOUT, SNDMORE, Socket};

use crate::common::{Rig, SHORT, recv, send, wait_until};
use crate::on_each_transport;

on_each_transport!(
    a_peer_knows_whom_it_connected_to,
    peers_answer_each_other,
    a_peer_can_be_disconnected_from_either_side,
    only_a_peer_connects_to_peers,
    a_channel_is_a_pair_of_single_frames,
    a_channel_has_one_peer,
);

fn to(id: u32, body: &str) -> Msg {
    let mut msg = Msg::from(body);
    msg.set_routing_id(id).unwrap();
    msg
}

#[track_caller]
fn receive(socket: &Socket) -> (u32, String) {
    let msg = socket.recv_msg(0).unwrap();
    (msg.routing_id(), msg.as_str().unwrap().to_owned())
}

fn a_peer_knows_whom_it_connected_to(rig: &Rig) {
    let (a, b) = (rig.bound(PEER), rig.bound(PEER));
    let c = rig.socket(PEER);
    let id_a = c.connect_peer(&a.last_endpoint()).unwrap();
    let id_b = c.connect_peer(&b.last_endpoint()).unwrap();
    assert!(id_a != 0 && id_b != 0 && id_a != id_b);
    c.send(to(id_b, "for b"), 0).unwrap();
    c.send(to(id_a, "for a"), 0).unwrap();
    assert_eq!(receive(&a).1, "for a");
    assert_eq!(receive(&b).1, "for b");
}

fn peers_answer_each_other(rig: &Rig) {
    let (a, b) = (rig.bound(PEER), rig.socket(PEER));
    let id = b.connect_peer(&a.last_endpoint()).unwrap();
    b.send(to(id, "question"), 0).unwrap();
    let (back, question) = receive(&a);
    assert_eq!(question, "question");
    a.send(to(back, "answer"), 0).unwrap();
    assert_eq!(receive(&b), (id, "answer".to_owned()));
    let refused = b.send(to(id, "x"), SNDMORE).unwrap_err();
    assert!(matches!(refused.error, Error::InvalidArgument(_)));
}

fn a_peer_can_be_disconnected_from_either_side(rig: &Rig) {
    let (a, b) = (rig.bound(PEER), rig.socket(PEER));
    let is_gone = |socket: &Socket, id| {
        let outcome = socket.send(to(id, "x"), DONTWAIT);
        matches!(outcome.map_err(Error::from), Err(Error::HostUnreachable))
    };
    for from_a in [true, false] {
        let id = b.connect_peer(&a.last_endpoint()).unwrap();
        b.send(to(id, "hello"), 0).unwrap();
        let (back, _) = receive(&a);
        if from_a {
            a.disconnect_peer(back).unwrap();
            assert!(is_gone(&a, back));
            let again = a.disconnect_peer(back);
            assert!(matches!(again, Err(Error::HostUnreachable)), "{again:?}");
            if !rig.is_inproc() {
                // It comes back as a new peer, since nothing was said of the endpoint.
                b.disconnect_peer(id).unwrap();
            }
        } else {
            b.disconnect_peer(id).unwrap();
        }
        wait_until(|| is_gone(&b, id));
        wait_until(|| is_gone(&a, back));
    }
}

fn only_a_peer_connects_to_peers(rig: &Rig) {
    let endpoint = rig.fresh_endpoint();
    let client = rig.socket(CLIENT);
    for refused in [
        client.connect_peer(&endpoint).map(drop),
        client.disconnect_peer(1),
    ] {
        assert!(matches!(refused, Err(Error::NotSupported)), "{refused:?}");
    }
    let unknown = rig.socket(SERVER).disconnect_peer(1);
    assert!(
        matches!(unknown, Err(Error::HostUnreachable)),
        "{unknown:?}"
    );
    let peer = rig.socket(PEER);
    let (bound, _keeper) = rig.reserved_endpoint();
    peer.set_immediate(true).unwrap();
    let early = peer.connect_peer(&bound);
    assert!(matches!(early, Err(Error::InvalidArgument(_))), "{early:?}");
    peer.set_immediate(false).unwrap();
    peer.connect_peer(&bound).unwrap();
    assert_eq!(peer.get_events().unwrap(), POLLOUT);
}

fn a_channel_is_a_pair_of_single_frames(rig: &Rig) {
    let (a, b) = rig.pair(CHANNEL, CHANNEL);
    for (from, to) in [(&a, &b), (&b, &a), (&a, &b)] {
        send(from, &["x"]);
        assert_eq!(recv(to), ["x"]);
    }
    let refused = a.send("first", SNDMORE).unwrap_err();
    assert!(matches!(refused.error, Error::InvalidArgument(_)));
    if rig.is_inproc() {
        let (channel, pair) = rig.pair(CHANNEL, PAIR);
        send(&pair, &["of", "two"]);
        assert_eq!(channel.poll(ferrozmq::POLLIN, Some(SHORT)).unwrap(), 0);
        send(&pair, &["one"]);
        assert_eq!(recv(&channel), ["one"]);
    }
}

fn a_channel_has_one_peer(rig: &Rig) {
    let (a, first) = rig.pair(CHANNEL, CHANNEL);
    let second = rig.socket(CHANNEL);
    second.connect(&a.last_endpoint()).unwrap();
    let _ = second.try_send("refused");
    send(&first, &["from the first"]);
    assert_eq!(recv(&a), ["from the first"]);
    send(&a, &["to the first"]);
    assert_eq!(recv(&first), ["to the first"]);
    assert!(a.recv_msg(DONTWAIT).is_err());
}
