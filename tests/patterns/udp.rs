//! RADIO, DISH and DGRAM over udp.
//!
//! Datagrams can be lost, but not within a host as long as its buffers have room.

use std::net::UdpSocket;

use ferrozmq::SocketType::{DEALER, DGRAM, DISH, PUB, RADIO, STREAM};
use ferrozmq::{Ctx, DONTWAIT, Error, Msg, POLLIN, POLLOUT, SNDMORE, Socket};

use crate::common::{LIMIT, SHORT, patient, recv, wait_until};

/// A socket of the system that knows no ZeroMQ.
fn plain() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 65536];
    let (len, _) = socket.recv_from(&mut buffer).unwrap();
    buffer[..len].to_vec()
}

fn in_group(group: &str, body: impl Into<Msg>) -> Msg {
    let mut msg = body.into();
    msg.set_group(group).unwrap();
    msg
}

/// A DISH at a port of its own, with a group.
fn dish(ctx: &Ctx, group: &str) -> Socket {
    let dish = patient(ctx, DISH);
    dish.bind("udp://127.0.0.1:*").unwrap();
    dish.join(group).unwrap();
    dish
}

fn radio(ctx: &Ctx, endpoint: &str) -> Socket {
    let radio = patient(ctx, RADIO);
    radio.connect(endpoint).unwrap();
    radio
}

fn is_incompatible(outcome: Result<(), Error>) -> bool {
    matches!(outcome, Err(Error::IncompatibleTransport))
}

#[test]
fn messages_reach_the_dish_that_joined_their_group() {
    let ctx = Ctx::new();
    let dish = dish(&ctx, "wanted");
    let radio = radio(&ctx, &dish.last_endpoint());
    assert_eq!(radio.last_endpoint(), dish.last_endpoint());
    for (group, body) in [("other", "1"), ("wanted", "2"), ("", "3"), ("wanted", "")] {
        radio.send(in_group(group, body), 0).unwrap();
    }
    let msg = dish.recv_msg(0).unwrap();
    assert_eq!((msg.group(), msg.as_str()), ("wanted", Some("2")));
    assert!(dish.recv_msg(0).unwrap().is_empty());
    dish.leave("wanted").unwrap();
    radio.send(in_group("wanted", "left"), 0).unwrap();
    assert_eq!(dish.poll(POLLIN, Some(SHORT)).unwrap(), 0);
}

#[test]
fn a_datagram_is_a_length_a_group_and_a_body() {
    let ctx = Ctx::new();
    let (socket, address) = plain();
    let radio = radio(&ctx, &format!("udp://{address}"));
    radio.send(in_group("news", "body"), 0).unwrap();
    assert_eq!(receive(&socket), b"\x04newsbody");
    radio.send(in_group("", ""), 0).unwrap();
    assert_eq!(receive(&socket), b"\0");
    let longest = "x".repeat(255);
    radio.send(in_group(&longest, "body"), 0).unwrap();
    assert_eq!(
        receive(&socket),
        [&[255][..], longest.as_bytes(), b"body"].concat()
    );
}

#[test]
fn what_no_peer_could_take_is_not_sent() {
    let ctx = Ctx::new();
    let (socket, address) = plain();
    let radio = radio(&ctx, &format!("udp://{address}"));
    for len in [1 << 20, 8191, 8190] {
        radio.send(in_group("g", vec![0; len]), 0).unwrap();
    }
    assert_eq!(receive(&socket).len(), 8192);
    radio.send(in_group("g", "next"), 0).unwrap();
    assert_eq!(receive(&socket), b"\x01gnext");
}

#[test]
fn malformed_datagrams_are_dropped() {
    let ctx = Ctx::new();
    let dish = dish(&ctx, "a");
    let endpoint = dish.last_endpoint();
    let to = endpoint.strip_prefix("udp://").unwrap();
    let (socket, _) = plain();
    for datagram in [
        &b""[..],
        b"\x01",
        b"\xFF",
        b"\x80a",
        b"\x05abcd",
        b"\x01\xFFbody",
        b"\x02a\0body",
        b"\x01abody",
    ] {
        socket.send_to(datagram, to).unwrap();
    }
    assert_eq!(recv(&dish), ["body"]);
    assert!(matches!(dish.recv_msg(DONTWAIT), Err(Error::Again)));
}

#[test]
fn a_dish_takes_nothing_that_is_larger_than_it_wants() {
    let ctx = Ctx::new();
    let dish = patient(&ctx, DISH);
    dish.set_maxmsgsize(Some(4)).unwrap();
    dish.bind("udp://127.0.0.1:*").unwrap();
    dish.join("a").unwrap();
    let radio = radio(&ctx, &dish.last_endpoint());
    for body in ["12345", "1234"] {
        radio.send(in_group("a", body), 0).unwrap();
    }
    assert_eq!(recv(&dish), ["1234"]);
}

#[test]
fn a_dish_that_does_not_read_holds_nobody_up() {
    let ctx = Ctx::new();
    let dish = patient(&ctx, DISH);
    dish.set_rcvhwm(2).unwrap();
    dish.set_rcvbuf(Some(4096)).unwrap();
    dish.bind("udp://127.0.0.1:*").unwrap();
    dish.join("a").unwrap();
    let radio = radio(&ctx, &dish.last_endpoint());
    for _ in 0..5000 {
        radio.send(in_group("a", vec![b'x'; 1000]), 0).unwrap();
    }
    // What had room arrives, and then what is sent later, once there is room again.
    wait_until(|| {
        radio.send(in_group("a", "later"), 0).unwrap();
        while dish.poll(POLLIN, Some(SHORT)).unwrap() == POLLIN {
            let msg = dish.recv_msg(0).unwrap();
            if msg == "later" {
                return true;
            }
            assert_eq!(msg.len(), 1000);
        }
        false
    });
}

#[test]
fn a_multicast_group_has_many_dishes() {
    let ctx = Ctx::new();
    let dishes = [patient(&ctx, DISH), patient(&ctx, DISH)];
    let (_keeper, address) = plain();
    let port = address.rsplit_once(':').unwrap().1;
    let endpoint = format!(
        "udp://127.0.0.1;239.255.77.{}:{port}",
        std::process::id() % 200
    );
    for dish in &dishes {
        dish.bind(&endpoint).unwrap();
        dish.join("a").unwrap();
    }
    let radio = patient(&ctx, RADIO);
    radio.set_multicast_hops(3).unwrap();
    radio.connect(&endpoint).unwrap();
    radio.send(in_group("a", "for all"), 0).unwrap();
    for dish in &dishes {
        assert_eq!(recv(dish), ["for all"]);
    }
}

/// Where the host has IPv6.
#[test]
fn messages_travel_over_ipv6_too() {
    let ctx = Ctx::new();
    let dish = patient(&ctx, DISH);
    dish.set_ipv6(true).unwrap();
    dish.join("a").unwrap();
    if let Err(Error::AddrNotAvailable | Error::NoDevice) = dish.bind("udp://[::1]:*") {
        return;
    }
    let radio = patient(&ctx, RADIO);
    let refused = radio.connect(&dish.last_endpoint());
    assert!(matches!(refused, Err(Error::NoDevice)), "IPv6 is off");
    radio.set_ipv6(true).unwrap();
    radio.connect(&dish.last_endpoint()).unwrap();
    radio.send(in_group("a", "six"), 0).unwrap();
    assert_eq!(recv(&dish), ["six"]);

    let both = patient(&ctx, DGRAM);
    both.set_ipv6(true).unwrap();
    both.bind("udp://*:*").unwrap();
    let port = both.last_endpoint().rsplit_once(':').unwrap().1.to_owned();
    let (plain, address) = plain();
    plain.send_to(b"four", format!("127.0.0.1:{port}")).unwrap();
    assert_eq!(recv(&both), [&*address, "four"]);
    both.send_multipart([&*address, "back"], 0).unwrap();
    assert_eq!(receive(&plain), b"back");
}

#[test]
fn a_dgram_names_who_sent_and_who_is_to_receive() {
    let ctx = Ctx::new();
    let (a, b) = (patient(&ctx, DGRAM), patient(&ctx, DGRAM));
    assert_eq!(a.get_events().unwrap(), 0);
    for socket in [&a, &b] {
        socket.bind("udp://127.0.0.1:*").unwrap();
        assert_eq!(socket.get_events().unwrap(), POLLOUT);
    }
    let address = |socket: &Socket| {
        let endpoint = socket.last_endpoint();
        endpoint.strip_prefix("udp://").unwrap().to_owned()
    };
    let large = "x".repeat(60_000);
    for body in ["hello", "", &large] {
        a.send_multipart([&*address(&b), body], 0).unwrap();
        assert_eq!(recv(&b), [&*address(&a), body]);
    }
    // As libzmq writes it.
    let with_nul = format!("{}\0", address(&a));
    b.send_multipart([&*with_nul, "back"], 0).unwrap();
    assert_eq!(recv(&a), [&*address(&b), "back"]);

    let (plain, address_of_plain) = plain();
    a.send_multipart([&*address_of_plain, "raw"], 0).unwrap();
    assert_eq!(receive(&plain), b"raw");
}

#[test]
fn a_dgram_drops_what_has_no_address_or_no_way() {
    let ctx = Ctx::new();
    let dgram = patient(&ctx, DGRAM);
    dgram.bind("udp://127.0.0.1:*").unwrap();
    let (plain, address) = plain();
    let huge = "x".repeat(70_000);
    for (to, body) in [
        ("nowhere", "1"),
        ("", "2"),
        ("[::1]:5555", "3"),
        ("127.0.0.1:0", "4"),
        (&*address, &*huge),
        (&*address, "arrives"),
    ] {
        dgram.send_multipart([to, body], 0).unwrap();
    }
    assert_eq!(receive(&plain), b"arrives");
}

#[test]
fn a_dgram_has_two_frames() {
    let ctx = Ctx::new();
    let dgram = patient(&ctx, DGRAM);
    dgram.bind("udp://127.0.0.1:*").unwrap();
    let (plain, address) = plain();
    let alone = dgram.send(&address, 0).unwrap_err();
    assert!(matches!(alone.error, Error::InvalidArgument(_)));
    dgram.send(&address, SNDMORE).unwrap();
    let third = dgram.send("not the last", SNDMORE).unwrap_err();
    assert!(matches!(third.error, Error::InvalidArgument(_)));
    dgram.send("the last", 0).unwrap();
    assert_eq!(receive(&plain), b"the last");
}

#[test]
fn an_address_is_free_when_unbind_returns() {
    let ctx = Ctx::new();
    let dgram = patient(&ctx, DGRAM);
    dgram.bind("udp://127.0.0.1:*").unwrap();
    let endpoint = dgram.last_endpoint();
    let taken = patient(&ctx, DISH).bind(&endpoint);
    assert!(matches!(taken, Err(Error::AddrInUse)), "{taken:?}");
    dgram.unbind(&endpoint).unwrap();
    assert_eq!(dgram.get_events().unwrap(), 0);
    let dish = patient(&ctx, DISH);
    dish.bind(&endpoint).unwrap();
    dish.join("a").unwrap();
    let radio = radio(&ctx, &endpoint);
    radio.send(in_group("a", "1"), 0).unwrap();
    assert_eq!(recv(&dish), ["1"]);
    radio.disconnect(&endpoint).unwrap();
    radio.send(in_group("a", "to nobody"), 0).unwrap();
    assert_eq!(dish.poll(POLLIN, Some(SHORT)).unwrap(), 0);
}

#[test]
fn what_was_sent_leaves_before_a_closed_socket_is_gone() {
    let ctx = Ctx::new();
    let (plain, address) = plain();
    let radio = ctx.socket(RADIO).unwrap();
    radio.connect(&format!("udp://{address}")).unwrap();
    for n in 0..100 {
        radio.send(in_group("a", n.to_string()), 0).unwrap();
    }
    drop(radio);
    ctx.term(Some(LIMIT)).unwrap();
    for n in 0..100 {
        assert_eq!(receive(&plain), format!("\x01a{n}").as_bytes());
    }
}

#[test]
fn only_some_types_use_udp_and_only_in_their_direction() {
    let ctx = Ctx::new();
    let bind = |socket_type, endpoint| patient(&ctx, socket_type).bind(endpoint);
    let connect = |socket_type, endpoint| patient(&ctx, socket_type).connect(endpoint);
    for other in [DEALER, PUB, STREAM] {
        assert!(is_incompatible(bind(other, "udp://127.0.0.1:*")));
        assert!(is_incompatible(connect(other, "udp://127.0.0.1:5555")));
    }
    assert!(is_incompatible(bind(RADIO, "udp://127.0.0.1:*")));
    for other in [DISH, DGRAM] {
        assert!(is_incompatible(connect(other, "udp://127.0.0.1:5555")));
    }
    for endpoint in ["tcp://127.0.0.1:*", "ipc://*", "inproc://dgram"] {
        assert!(is_incompatible(bind(DGRAM, endpoint)));
    }
    assert!(is_incompatible(connect(DGRAM, "tcp://127.0.0.1:5555")));
}

#[test]
fn endpoints_that_cannot_be_are_refused() {
    let ctx = Ctx::new();
    let invalid = |outcome: Result<(), Error>| outcome.is_err_and(|error| error.errno() == 22);
    let radio = patient(&ctx, RADIO);
    for endpoint in [
        "udp://127.0.0.1",
        "udp://127.0.0.1:0",
        "udp://*:5555",
        "udp://127.0.0.1:x",
        "udp://lo;127.0.0.1:5555",
    ] {
        assert!(invalid(radio.connect(endpoint)), "{endpoint}");
    }
    let dish = patient(&ctx, DISH);
    assert!(invalid(dish.bind("udp://lo;127.0.0.1:*")));
    for absent in ["udp://no-such-nic;239.0.0.1:5555", "udp://no-such-nic:5555"] {
        let outcome = dish.bind(absent);
        assert!(
            matches!(outcome, Err(Error::NoDevice)),
            "{absent} {outcome:?}"
        );
    }
    assert!(dish.last_endpoint().is_empty(), "nothing of it is left");
}
