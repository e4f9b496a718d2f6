//! Peers by name: ROUTER, STREAM, and raw ROUTER.

use super::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// A socket that is connected to a listener of the system's, and the accepted connection.
fn raw_peer(socket: &Socket) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    socket
        .connect(&format!("tcp://{}", listener.local_addr().unwrap()))
        .unwrap();
    let (peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer
}

#[test]
fn the_peer_of_a_connect_can_be_given_a_name() {
    let ctx = Ctx::new();
    for immediate in [false, true] {
        let (peer, router) = (
            socket(&ctx, SocketType::DEALER),
            socket(&ctx, SocketType::ROUTER),
        );
        peer.set_identity(b"its own choice").unwrap();
        router.set_immediate(immediate).unwrap();
        router.set_router_mandatory(true).unwrap();
        router.set_connect_routing_id(b"ours").unwrap();
        router.connect(&bound(&peer)).unwrap();
        wait_until("the peer is known", || {
            router.peer_is_writable(b"ours").is_ok()
        });
        router.send_multipart(["ours", "x"], 0).unwrap();
        assert_eq!(frames(&peer), [b"x"]);
    }
}

#[test]
fn a_given_name_is_used_once_and_must_be_free() {
    let ctx = Ctx::new();
    let (a, b) = (
        socket(&ctx, SocketType::DEALER),
        socket(&ctx, SocketType::DEALER),
    );
    let router = socket(&ctx, SocketType::ROUTER);
    router.set_connect_routing_id(b"a").unwrap();
    router.connect(&bound(&a)).unwrap();
    assert_invalid(router.set_connect_routing_id(b"a"));
    for id in [b"".as_slice(), b"\0", &[1; 256]] {
        assert_invalid(router.set_connect_routing_id(id));
    }
    router.connect(&bound(&b)).unwrap();
    b.send("x", 0).unwrap();
    let [id, _] = &frames(&router)[..] else {
        panic!("an id and a body")
    };
    assert_eq!((id[0], id.len()), (0, 5), "an automatic id");
}

#[test]
fn a_mandatory_router_tells_who_is_unknown_or_full() {
    let ctx = Ctx::new();
    let router = socket(&ctx, SocketType::ROUTER);
    router.set_linger(Some(Duration::ZERO)).unwrap();
    router.set_sndhwm(1).unwrap();
    router.send_multipart(["nobody", "x"], 0).unwrap();
    router.set_router_mandatory(true).unwrap();
    let unknown = router
        .send_multipart(["nobody", "x"], 0)
        .map_err(Error::from);
    assert!(
        matches!(unknown, Err(Error::HostUnreachable)),
        "{unknown:?}"
    );
    let unknown = router.peer_is_writable(b"nobody");
    assert!(
        matches!(unknown, Err(Error::HostUnreachable)),
        "{unknown:?}"
    );

    router.set_connect_routing_id(b"absent").unwrap();
    router.connect("inproc://bound-never").unwrap();
    assert!(router.peer_is_writable(b"absent").unwrap());
    router.send_multipart(["absent", "x"], 0).unwrap();
    assert!(!router.peer_is_writable(b"absent").unwrap());
    let full = router.send_multipart(["absent", "x"], ferrozmq::DONTWAIT);
    assert!(matches!(full.map_err(Error::from), Err(Error::Again)));
}

#[test]
fn a_name_is_handed_over_if_the_router_allows() {
    for handover in [false, true] {
        let ctx = Ctx::new();
        let router = socket(&ctx, SocketType::ROUTER);
        router.set_router_handover(handover).unwrap();
        let endpoint = bound(&router);
        let rivals = ["first", "second"].map(|body| {
            let dealer = socket(&ctx, SocketType::DEALER);
            dealer.set_identity(b"name").unwrap();
            dealer.set_linger(Some(Duration::ZERO)).unwrap();
            let monitor = dealer.monitor();
            dealer.connect(&endpoint).unwrap();
            dealer.send(body, 0).unwrap();
            if body == "first" || handover {
                assert_eq!(frames(&router), [b"name", body.as_bytes()]);
            } else {
                // Who is refused is disconnected once the router has heard of it.
                let is_loss = |event: &Event| matches!(event.kind, EventKind::Disconnected { .. });
                wait_until("the rival is refused", || {
                    assert!(router.try_recv().is_err());
                    monitor.try_recv().is_some_and(|event| is_loss(&event))
                });
            }
            dealer
        });
        router.send_multipart(["name", "x"], 0).unwrap();
        assert_eq!(frames(&rivals[usize::from(handover)]), [b"x"]);
    }
}

#[test]
fn a_probe_makes_a_socket_known() {
    let ctx = Ctx::new();
    let (router, dealer) = (
        socket(&ctx, SocketType::ROUTER),
        socket(&ctx, SocketType::DEALER),
    );
    dealer.set_identity(b"me").unwrap();
    dealer.set_probe_router(true).unwrap();
    dealer.connect(&bound(&router)).unwrap();
    assert_eq!(frames(&router), [&b"me"[..], b""]);
}

#[test]
fn a_stream_tells_the_name_of_its_latest_connection() {
    let ctx = Ctx::new();
    let stream = socket(&ctx, SocketType::STREAM);
    assert!(stream.get_identity().unwrap().is_empty());
    let mut peer = raw_peer(&stream);
    let id = stream.get_identity().unwrap();
    assert_eq!(
        frames(&stream),
        [&id[..], b""],
        "the notice of the connection"
    );
    stream.send_multipart([&id[..], b"hello"], 0).unwrap();
    let mut heard = [0; 5];
    peer.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");

    stream.set_connect_routing_id(b"chosen").unwrap();
    let _peer = raw_peer(&stream);
    assert_eq!(stream.get_identity().unwrap(), "chosen");
}

#[test]
fn a_stream_need_not_tell_of_connections() {
    let ctx = Ctx::new();
    let stream = socket(&ctx, SocketType::STREAM);
    stream.set_stream_notify(false).unwrap();
    let mut peer = raw_peer(&stream);
    peer.write_all(b"data").unwrap();
    assert_eq!(frames(&stream)[1], b"data");
}

#[test]
fn a_raw_router_speaks_to_raw_peers_and_keeps_its_options() {
    let ctx = Ctx::new();
    let router = socket(&ctx, SocketType::ROUTER);
    router.set_router_mandatory(true).unwrap();
    router.set_router_raw(true).unwrap();
    let unknown = router
        .send_multipart(["nobody", "x"], 0)
        .map_err(Error::from);
    assert!(
        matches!(unknown, Err(Error::HostUnreachable)),
        "{unknown:?}"
    );
    router.set_stream_notify(false).unwrap();
    let mut peer = raw_peer(&router);
    peer.write_all(b"data").unwrap();
    assert_eq!(frames(&router)[1], b"data");
    assert_invalid(router.set_router_raw(false));
    let inproc = router.bind("inproc://raw");
    assert!(
        matches!(inproc, Err(Error::IncompatibleTransport)),
        "{inproc:?}"
    );
}
