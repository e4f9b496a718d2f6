//! STREAM: bytes of plain tcp connections.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use ferrozmq::SocketType::{ROUTER, STREAM};
use ferrozmq::{Error, POLLOUT, Socket};

use crate::common::{LIMIT, Rig, Transport, recv_from, send_to, wait_until};

fn rig() -> Rig {
    Rig::new(Transport::Tcp)
}

fn address(socket: &Socket) -> String {
    socket
        .last_endpoint()
        .trim_start_matches("tcp://")
        .to_owned()
}

/// A plain connection to a bound socket.
fn plain_client(to: &Socket) -> TcpStream {
    let client = TcpStream::connect(address(to)).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client
}

fn read(plain: &mut TcpStream, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    plain.read_exact(&mut bytes).unwrap();
    bytes
}

/// Receives from one connection until there are as many bytes.
fn recv_bytes(stream: &Socket, id: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < size {
        let frames = stream.recv_multipart(0).unwrap();
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0], *id);
        bytes.extend_from_slice(&frames[1]);
    }
    bytes
}

#[test]
fn no_frame_is_longer_than_what_is_read_at_once() {
    let rig = rig();
    let stream = rig.socket(STREAM);
    stream.set_in_batch_size(Some(100)).unwrap();
    stream.bind("tcp://127.0.0.1:*").unwrap();
    let mut client = plain_client(&stream);
    let (id, _) = recv_from(&stream);
    client.write_all(&[7; 1000]).unwrap();
    let mut received = 0;
    while received < 1000 {
        let frames = stream.recv_multipart(0).unwrap();
        assert_eq!(frames[0], *id);
        assert!((1..=100).contains(&frames[1].len()));
        received += frames[1].len();
    }
    assert_eq!(received, 1000);
}

#[test]
fn a_plain_peer_is_served() {
    let rig = rig();
    let stream = rig.bound(STREAM);
    assert_eq!(stream.get_events().unwrap(), POLLOUT);
    let mut client = plain_client(&stream);
    let (id, opening) = recv_from(&stream);
    assert_eq!((id.len(), id[0]), (5, 0));
    assert_eq!(opening, [""], "an empty message tells of the connection");
    client.write_all(b"GET /").unwrap();
    assert_eq!(recv_bytes(&stream, &id, 5), b"GET /");
    send_to(&stream, &id, &["200 "]);
    send_to(&stream, &id, &["OK"]);
    assert_eq!(read(&mut client, 6), b"200 OK");
    drop(client);
    assert_eq!(recv_from(&stream), (id.clone(), vec![String::new()]));
    wait_until(|| stream.peer_is_writable(&id).is_err());
    let refused = stream
        .send_multipart([&id[..], b"too late"], 0)
        .unwrap_err();
    assert!(matches!(refused.error, Error::HostUnreachable));
}

#[test]
fn an_empty_message_closes_a_connection_after_what_was_sent() {
    let rig = rig();
    let stream = rig.bound(STREAM);
    stream.set_linger(None).unwrap();
    let mut client = plain_client(&stream);
    let (id, _) = recv_from(&stream);
    stream
        .send_multipart([&id[..], &[7; 1_000_000]], 0)
        .unwrap();
    send_to(&stream, &id, &[""]);
    let mut all = Vec::new();
    client.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), 1_000_000);
    assert!(stream.send_multipart([&id[..], b"x"], 0).is_err());
}

#[test]
fn connections_are_told_apart() {
    let rig = rig();
    let stream = rig.bound(STREAM);
    let mut clients: Vec<_> = (0..10_u8)
        .map(|n| {
            let client = plain_client(&stream);
            let (id, _) = recv_from(&stream);
            (n, id, client)
        })
        .collect();
    for (n, _, client) in &mut clients {
        client.write_all(&[*n]).unwrap();
    }
    for _ in 0..10 {
        let frames = stream.recv_multipart(0).unwrap();
        stream.send_multipart([&frames[0], &frames[1]], 0).unwrap();
    }
    for (n, _, client) in &mut clients {
        assert_eq!(read(client, 1), [*n]);
    }
}

#[test]
fn much_arrives_complete_and_in_order() {
    const SIZE: usize = 5_000_000;
    let rig = rig();
    let stream = rig.bound(STREAM);
    let mut client = plain_client(&stream);
    let (id, _) = recv_from(&stream);
    let data: Vec<u8> = (0..SIZE).map(|n| (n / 7 % 251) as u8).collect();
    let mut writer = client.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&data).unwrap());
        assert!(recv_bytes(&stream, &id, SIZE) == data);
        scope.spawn(|| {
            let stream = stream;
            for chunk in data.chunks(100_000) {
                // A full connection refuses instead of waiting for the others.
                wait_until(|| stream.send_multipart([&id[..], chunk], 0).is_ok());
            }
            stream.set_linger(None).unwrap();
        });
        assert!(read(&mut client, SIZE) == data);
    });
}

#[test]
fn it_can_connect_to_a_plain_listener() {
    let rig = rig();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = rig.socket(STREAM);
    stream
        .connect(&format!("tcp://{}", listener.local_addr().unwrap()))
        .unwrap();
    let (mut plain, _) = listener.accept().unwrap();
    let (id, opening) = recv_from(&stream);
    assert_eq!(opening, [""]);
    assert_eq!(
        stream.get_identity().unwrap(),
        id,
        "the id of the last connection"
    );
    send_to(&stream, &id, &["hello"]);
    assert_eq!(read(&mut plain, 5), b"hello");
    plain.write_all(b"back").unwrap();
    assert_eq!(recv_bytes(&stream, &id, 4), b"back");
    // It connects again, under the same id, and tells of both.
    drop(plain);
    let (mut plain, _) = listener.accept().unwrap();
    for _ in 0..2 {
        assert_eq!(recv_from(&stream), (id.clone(), vec![String::new()]));
    }
    send_to(&stream, &id, &["again"]);
    assert_eq!(read(&mut plain, 5), b"again");
}

#[test]
fn the_id_of_a_connection_can_be_chosen() {
    let rig = rig();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = rig.socket(STREAM);
    stream.set_connect_routing_id(b"mine").unwrap();
    stream
        .connect(&format!("tcp://{}", listener.local_addr().unwrap()))
        .unwrap();
    send_to(&stream, b"mine", &["hello"]);
    let (mut plain, _) = listener.accept().unwrap();
    assert_eq!(read(&mut plain, 5), b"hello");
}

#[test]
fn notification_can_be_left_out() {
    let rig = rig();
    let stream = rig.socket(STREAM);
    stream.set_stream_notify(false).unwrap();
    stream.bind(&rig.fresh_endpoint()).unwrap();
    let mut client = plain_client(&stream);
    client.write_all(b"x").unwrap();
    let (_, first) = recv_from(&stream);
    assert_eq!(first, ["x"]);
}

#[test]
fn two_of_them_can_talk() {
    let rig = rig();
    let (server, client) = (rig.bound(STREAM), rig.socket(STREAM));
    client.connect(&server.last_endpoint()).unwrap();
    let ((at_server, _), (at_client, _)) = (recv_from(&server), recv_from(&client));
    send_to(&client, &at_client, &["there"]);
    assert_eq!(recv_bytes(&server, &at_server, 5), b"there");
    send_to(&server, &at_server, &["and back"]);
    assert_eq!(recv_bytes(&client, &at_client, 8), b"and back");
}

#[test]
fn it_takes_an_id_and_data_and_network_transports() {
    let rig = rig();
    let stream = rig.bound(STREAM);
    let refused = stream.send_multipart(["nobody", "x"], 0).unwrap_err();
    assert!(matches!(refused.error, Error::HostUnreachable));
    assert!(matches!(
        stream.bind("inproc://x"),
        Err(Error::IncompatibleTransport)
    ));
    assert!(matches!(
        stream.connect("inproc://x"),
        Err(Error::IncompatibleTransport)
    ));
}

#[test]
fn a_raw_router_is_a_stream_that_drops() {
    let rig = rig();
    let router = rig.socket(ROUTER);
    router.set_router_raw(true).unwrap();
    router.bind(&rig.fresh_endpoint()).unwrap();
    let mut client = plain_client(&router);
    client.write_all(b"question").unwrap();
    let (id, first) = recv_from(&router);
    if first == [""] {
        assert_eq!(recv_bytes(&router, &id, 8), b"question");
    } else {
        assert_eq!(first, ["question"]);
    }
    send_to(&router, b"nobody", &["dropped"]);
    send_to(&router, &id, &["answer"]);
    assert_eq!(read(&mut client, 6), b"answer");
}
