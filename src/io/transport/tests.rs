//! Real sockets on the loopback interface, on ports and paths that the system picks.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll};
use tempfile::TempDir;

use super::*;
use crate::options::SocketType;

mod ipc;
mod tcp;

const PATIENCE: Duration = Duration::from_secs(20);

fn options() -> Options {
    Options::new(SocketType::PAIR)
}

fn with(set: impl FnOnce(&mut Options)) -> Options {
    let mut options = options();
    set(&mut options);
    options
}

fn try_bind(text: &str, options: &Options) -> Result<Bound> {
    listen(&Endpoint::for_bind(text)?, options)
}

#[track_caller]
fn bind(text: &str, options: &Options) -> Bound {
    try_bind(text, options).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What a socket connects to, given the endpoint that a bind resolved.
#[track_caller]
fn target(endpoint: &str) -> Target {
    match Endpoint::for_connect(endpoint).unwrap() {
        Endpoint::Ipc(address) => Target::Ipc(address),
        Endpoint::Tcp(_) => Target::Tcp {
            address: endpoint.strip_prefix("tcp://").unwrap().parse().unwrap(),
            source: None,
        },
        Endpoint::Inproc(_) | Endpoint::Udp(_) => panic!("no connection"),
    }
}

/// Waits until the poller reports `source`.
#[track_caller]
fn wait(source: &mut impl Source, interest: Interest) {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(1);
    let start = Instant::now();
    poll.registry()
        .register(source, Token(0), interest)
        .unwrap();
    while events.is_empty() {
        assert!(start.elapsed() < PATIENCE, "nothing came");
        let result = poll.poll(&mut events, Some(PATIENCE));
        assert!(result.is_ok() || result.is_err_and(|e| e.kind() == io::ErrorKind::Interrupted));
    }
    poll.registry().deregister(source).unwrap();
}

#[track_caller]
fn accept(acceptor: &mut Acceptor, options: &Options) -> Accepted {
    wait(acceptor, Interest::READABLE);
    acceptor.accept(options)
}

#[track_caller]
fn connection(accepted: Accepted) -> Stream {
    match accepted {
        Accepted::Connection(socket, _) => Stream::new(socket).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn connected(target: &Target, options: &Options) -> Stream {
    let (socket, done) = connect(target, options).expect("a connection under way");
    let mut stream = Stream::new(socket).unwrap();
    if !done {
        wait(&mut stream, Interest::WRITABLE);
    }
    assert!(stream.take_error().unwrap().is_none());
    stream
}

/// Two ends of a connection, the accepted one first.
#[track_caller]
fn pair(endpoint: &str, options: &Options) -> (Stream, Stream) {
    let Bound {
        file: _file,
        socket,
        endpoint,
    } = bind(endpoint, options);
    let mut acceptor = Acceptor::new(socket).unwrap();
    let client = connected(&target(&endpoint), options);
    let server = connection(accept(&mut acceptor, options));
    assert!(matches!(acceptor.accept(options), Accepted::Empty));
    (server, client)
}

#[track_caller]
fn check_conversation(endpoint: &str) {
    let (mut server, mut client) = pair(endpoint, &options());
    let slices = [IoSlice::new(b"hel"), IoSlice::new(b"lo")];
    assert_eq!(client.write_vectored(&slices).unwrap(), 5);
    client.shutdown_write().unwrap();

    let mut buffer = [0; 16];
    wait(&mut server, Interest::READABLE);
    assert_eq!(server.read(&mut buffer).unwrap(), 5);
    assert_eq!(&buffer[..5], b"hello");
    wait(&mut server, Interest::READABLE);
    assert_eq!(server.read(&mut buffer).unwrap(), 0);

    let nothing_yet = client.read(&mut buffer).unwrap_err();
    assert_eq!(nothing_yet.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_connection_carries_bytes_and_ends_one_way() {
    let directory = TempDir::new().unwrap();
    check_conversation("tcp://127.0.0.1:*");
    check_conversation(&format!("ipc://{}/x", directory.path().display()));
    check_conversation("ipc://*");
}

#[test]
fn more_slices_than_the_system_takes_are_sent_in_part() {
    let (_server, mut client) = pair("tcp://127.0.0.1:*", &options());
    let slices = [IoSlice::new(b"x"); 2 * MAX_SLICES];
    assert_eq!(client.write_vectored(&slices).unwrap(), MAX_SLICES);
}

#[test]
fn writing_to_a_peer_that_left_is_an_error() {
    for endpoint in ["tcp://127.0.0.1:*", "ipc://*"] {
        let (server, mut client) = pair(endpoint, &options());
        drop(server);
        wait(&mut client, Interest::READABLE);
        // Over tcp the first bytes only make the peer say that it is gone.
        let start = Instant::now();
        let error = loop {
            assert!(start.elapsed() < PATIENCE, "it never failed");
            if let Err(error) = client.write_vectored(&[IoSlice::new(b"x")]) {
                break error;
            }
        };
        let kind = error.kind();
        assert!(
            kind == io::ErrorKind::BrokenPipe || kind == io::ErrorKind::ConnectionReset,
            "{error}"
        );
    }
}

#[test]
fn inproc_has_no_sockets() {
    assert!(matches!(
        try_bind("inproc://x", &options()),
        Err(Error::IncompatibleTransport)
    ));
}

#[test]
fn each_way_in_which_accept_fails_has_its_own_answer() {
    let answer = |errno: Errno| Accepted::from_error(io::Error::from(errno));
    assert!(matches!(answer(Errno::EAGAIN), Accepted::Empty));
    for errno in [Errno::EINTR, Errno::ECONNABORTED, Errno::EPROTO] {
        assert!(matches!(answer(errno), Accepted::Retry));
    }
    for errno in [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM, Errno::ENOBUFS] {
        assert!(matches!(answer(errno), Accepted::Exhausted(_)));
    }
    assert!(matches!(answer(Errno::EINVAL), Accepted::Failed(_)));
}

#[test]
fn buffers_are_set_at_both_ends() {
    let options = with(|options| {
        options.send_buffer = Some(20_000);
        options.recv_buffer = Some(30_000);
    });
    for endpoint in ["tcp://127.0.0.1:*", "ipc://*"] {
        let (server, client) = pair(endpoint, &options);
        for stream in [server, client] {
            // Linux doubles what it is asked for.
            assert!((20_000..=40_000).contains(&stream.socket().send_buffer_size().unwrap()));
            assert!((30_000..=60_000).contains(&stream.socket().recv_buffer_size().unwrap()));
        }
    }
}
