//! Connections through a SOCKS5 proxy.

use super::*;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use ferrozmq::Reason;

/// How a proxy treats who comes.
#[derive(Clone, Copy)]
enum Manner {
    /// Connects everybody.
    Open,
    /// Asks for a name and a password, of two and three letters.
    Asks,
    /// Answers a request with this code.
    Refuses(u8),
    /// Says nothing.
    Silent,
}

fn read<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Serves one connection up to its end. Returns the host that was asked for. It is no error of the
/// proxy's that a client leaves.
fn serve(mut client: TcpStream, manner: Manner) -> io::Result<Option<String>> {
    let [version, count] = read(&mut client)?;
    let mut methods = vec![0; count.into()];
    client.read_exact(&mut methods)?;
    assert_eq!(version, 5);
    match manner {
        Manner::Silent => {
            let _ = client.read(&mut [0]);
            return Ok(None);
        }
        Manner::Asks => {
            assert!(methods.contains(&2));
            client.write_all(&[5, 2])?;
            let login: [u8; 8] = read(&mut client)?;
            let known = login == *b"\x01\x02me\x03key";
            client.write_all(&[1, u8::from(!known)])?;
            if !known {
                return Ok(None);
            }
        }
        Manner::Open | Manner::Refuses(_) => client.write_all(&[5, 0])?,
    }
    let [5, 1, 0, 3, len] = read(&mut client)? else {
        panic!("a request for a host by name");
    };
    let mut host = vec![0; len.into()];
    client.read_exact(&mut host)?;
    let port = u16::from_be_bytes(read(&mut client)?);
    let host = String::from_utf8(host).unwrap();
    if let Manner::Refuses(code) = manner {
        client.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0])?;
        return Ok(Some(host));
    }
    // The name is known to the proxy only.
    let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"\x05\0\0\x03\x04host\0\x50")?;
    let (mut from_server, mut to_client) =
        (server.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || io::copy(&mut from_server, &mut to_client));
    let _ = io::copy(&mut client, &mut server);
    Ok(Some(host))
}

/// A proxy, where it is, and what it was asked for.
fn proxy(manner: Manner) -> (String, crossbeam_channel::Receiver<Option<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, asked) = crossbeam_channel::unbounded();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            if let Ok(host) = serve(client.unwrap(), manner) {
                let _ = sender.send(host);
            }
        }
    });
    (address, asked)
}

/// A PULL and its endpoint, under a name that only a proxy understands.
fn hidden(ctx: &Ctx) -> (Socket, String) {
    let pull = socket(ctx, SocketType::PULL);
    let endpoint = bound(&pull);
    let port = endpoint.rsplit_once(':').unwrap().1;
    let endpoint = format!("tcp://behind.the.proxy.invalid:{port}");
    (pull, endpoint)
}

/// A PUSH that goes through a proxy, and does not linger.
fn push(ctx: &Ctx, proxy: &str) -> Socket {
    let push = socket(ctx, SocketType::PUSH);
    push.set_linger(Some(Duration::ZERO)).unwrap();
    push.set_reconnect_ivl(Some(Duration::from_millis(1)))
        .unwrap();
    push.set_socks_proxy(Some(proxy)).unwrap();
    push
}

#[test]
fn messages_go_through_the_proxy() {
    let ctx = Ctx::new();
    let (pull, endpoint) = hidden(&ctx);
    let (proxy, asked) = proxy(Manner::Open);
    let push = push(&ctx, &proxy);
    push.connect(&endpoint).unwrap();
    for body in ["1", "2"] {
        push.send(body, 0).unwrap();
        assert_eq!(frames(&pull), [body.as_bytes()]);
    }
    drop(push);
    let host = asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(host.as_deref(), Some("behind.the.proxy.invalid"));
}

#[test]
fn the_way_to_the_proxy_may_begin_at_a_certain_address() {
    let ctx = Ctx::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap();
    for (source, endpoint, expected) in [
        ("127.0.0.2:0;", "tcp://host:1", "127.0.0.2"),
        ("", "tcp://127.0.0.3:*;host:1", "127.0.0.3"),
        ("127.0.0.2:*;", "tcp://127.0.0.3:*;host:1", "127.0.0.2"),
    ] {
        let push = push(&ctx, &format!("{source}{proxy}"));
        push.connect(endpoint).unwrap();
        let (_client, from) = listener.accept().unwrap();
        assert_eq!(from.ip().to_string(), expected);
    }
}

#[test]
fn the_proxy_may_want_to_know_who_we_are() {
    let ctx = Ctx::new();
    let (pull, endpoint) = hidden(&ctx);
    let (proxy, _asked) = proxy(Manner::Asks);
    let push = push(&ctx, &proxy);
    push.set_socks_username("me").unwrap();
    push.set_socks_password("bad").unwrap();
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    let retried = |reason| move |kind: &EventKind| matches!(kind, EventKind::ConnectRetried { reason: found, .. } if *found == reason);
    event(&monitor, retried(Reason::Proxy(1)));
    push.disconnect(&endpoint).unwrap();
    push.set_socks_password("key").unwrap();
    push.connect(&endpoint).unwrap();
    push.send("known", 0).unwrap();
    assert_eq!(frames(&pull), [b"known"]);
}

#[test]
fn a_proxy_that_refuses_is_asked_again() {
    let ctx = Ctx::new();
    let (_pull, endpoint) = hidden(&ctx);
    let (proxy, asked) = proxy(Manner::Refuses(5));
    let push = push(&ctx, &proxy);
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    for _ in 0..3 {
        let lost = event(&monitor, |kind| {
            matches!(kind, EventKind::HandshakeFailed { .. })
        });
        assert!(lost.to_string().contains("connection refused"), "{lost}");
        asked.recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn a_proxy_that_says_nothing_is_given_up_with_the_handshake() {
    let ctx = Ctx::new();
    let (_pull, endpoint) = hidden(&ctx);
    let (proxy, _asked) = proxy(Manner::Silent);
    let push = push(&ctx, &proxy);
    push.set_handshake_ivl(Some(Duration::from_millis(20)))
        .unwrap();
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    let lost = event(&monitor, |kind| {
        matches!(kind, EventKind::HandshakeFailed { .. })
    });
    let EventKind::HandshakeFailed { reason } = lost.kind else {
        panic!("{lost}");
    };
    assert_eq!(reason, Reason::HandshakeTimeout);
}

#[test]
fn what_was_set_can_be_asked_for() {
    let ctx = Ctx::new();
    let push = socket(&ctx, SocketType::PUSH);
    assert_eq!(push.get_socks_proxy().unwrap(), None);
    for invalid in [
        "",
        "host:0",
        "host:",
        "*",
        "*:1",
        "host:70000",
        "a b",
        "a b:1",
        "[::1",
    ] {
        assert_invalid(push.set_socks_proxy(Some(invalid)));
    }
    for valid in ["proxy:1081", "proxy", "127.0.0.1", "[::1]", "[::1]:1080"] {
        push.set_socks_proxy(Some(valid)).unwrap();
        assert_eq!(push.get_socks_proxy().unwrap().unwrap(), valid);
    }
    push.set_socks_proxy(None).unwrap();
    assert_eq!(push.get_socks_proxy().unwrap(), None);
    let longest = "x".repeat(255);
    push.set_socks_username(&longest).unwrap();
    push.set_socks_password(&longest).unwrap();
    assert_invalid(push.set_socks_username(&"x".repeat(256)));
    assert_invalid(push.set_socks_password(&"x".repeat(256)));
    assert_eq!(push.get_socks_username().unwrap(), longest);
    assert_eq!(push.get_socks_password().unwrap(), longest);
}
