//! tcp: addresses, families, options, filters, adoption.

use super::*;

#[test]
fn a_port_left_to_the_system_is_told() {
    for text in ["tcp://127.0.0.1:*", "tcp://127.0.0.1:0"] {
        let bound = bind(text, &options());
        let port = bound.endpoint.strip_prefix("tcp://127.0.0.1:").unwrap();
        assert_ne!(port.parse::<u16>().unwrap(), 0);
        assert!(bound.file.is_none());
    }
}

#[test]
fn a_wildcard_takes_all_ipv4_addresses() {
    let bound = bind("tcp://*:*", &options());
    let port = bound.endpoint.strip_prefix("tcp://0.0.0.0:").unwrap();
    connected(&target(&format!("tcp://127.0.0.1:{port}")), &options());
}

#[test]
fn names_are_resolved() {
    let bound = bind("tcp://localhost:*", &options());
    assert!(bound.endpoint.starts_with("tcp://127.0.0.1:"));
}

#[test]
fn what_cannot_be_bound_says_why() {
    let bound = bind("tcp://127.0.0.1:*", &options());
    assert!(matches!(
        try_bind(&bound.endpoint, &options()),
        Err(Error::AddrInUse)
    ));
    // An address for documentation that no host has.
    assert!(matches!(
        try_bind("tcp://203.0.113.7:*", &options()),
        Err(Error::AddrNotAvailable)
    ));
    let nowhere = format!("tcp://{}:*", "a".repeat(70));
    assert!(matches!(
        try_bind(&nowhere, &options()),
        Err(Error::NoDevice)
    ));
    assert!(matches!(
        try_bind("tcp://[::1]:*", &options()),
        Err(Error::NoDevice)
    ));
}

/// A socket with a port of its own, on which it does not listen.
fn deaf() -> (Socket, SocketAddr) {
    let socket = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

#[test]
fn a_refused_connection_is_an_error_of_the_attempt() {
    let (_deaf, address) = deaf();
    let source = None;
    let error = match connect(&Target::Tcp { address, source }, &options()) {
        Err(error) => error,
        Ok((socket, _)) => {
            let mut stream = Stream::new(socket).unwrap();
            wait(&mut stream, Interest::WRITABLE);
            stream.take_error().unwrap().expect("a refusal")
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn both_ends_know_each_other() {
    let (server, client) = pair("tcp://127.0.0.1:*", &options());
    assert_eq!(server.local_endpoint(), client.peer_endpoint());
    assert_eq!(server.peer_endpoint(), client.local_endpoint());
    assert!(server.local_endpoint().starts_with("tcp://127.0.0.1:"));
    assert_eq!(server.peer_address().as_deref(), Some("127.0.0.1"));
    assert_eq!(client.peer_address().as_deref(), Some("127.0.0.1"));
    assert!(!server.is_own_peer());
}

#[test]
fn a_socket_may_connect_to_itself_and_knows() {
    let (socket, address) = deaf();
    socket.connect(&address.into()).unwrap();
    assert!(Stream::new(socket).unwrap().is_own_peer());
}

#[test]
fn a_source_is_the_local_end() {
    let bound = bind("tcp://127.0.0.1:*", &options());
    let address = bound.socket.local_addr().unwrap().as_socket();
    let target = Target::Tcp {
        address: address.unwrap(),
        source: Some("127.0.0.2:0".parse().unwrap()),
    };
    let mut acceptor = Acceptor::new(bound.socket).unwrap();
    let client = connected(&target, &options());
    let server = connection(accept(&mut acceptor, &options()));
    assert!(client.local_endpoint().starts_with("tcp://127.0.0.2:"));
    assert_eq!(server.peer_address().as_deref(), Some("127.0.0.2"));
}

#[test]
fn a_source_that_is_not_ours_is_an_error() {
    let bound = bind("tcp://127.0.0.1:*", &options());
    let target = Target::Tcp {
        address: bound.socket.local_addr().unwrap().as_socket().unwrap(),
        source: Some("203.0.113.7:0".parse().unwrap()),
    };
    let error = connect(&target, &options()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
}

#[test]
fn filters_say_who_may_connect() {
    let check = |filters: &[&str], admitted: bool| {
        let options = with(|options| {
            options.tcp.accept_filters = filters.iter().map(|text| text.parse().unwrap()).collect();
        });
        let bound = bind("tcp://127.0.0.1:*", &options);
        let target = target(&bound.endpoint);
        let mut acceptor = Acceptor::new(bound.socket).unwrap();
        let mut client = connected(&target, &options);
        match accept(&mut acceptor, &options) {
            Accepted::Connection(_, peer) => {
                assert!(admitted, "{filters:?}");
                assert_eq!(peer, client.local_endpoint());
            }
            Accepted::Refused(peer) => {
                assert!(!admitted, "{filters:?}");
                assert_eq!(peer, client.local_endpoint());
                wait(&mut client, Interest::READABLE);
                assert_eq!(client.read(&mut [0]).unwrap(), 0, "it was not closed");
            }
            other => panic!("{other:?}"),
        }
    };
    check(&[], true);
    check(&["127.0.0.1"], true);
    check(&["10.0.0.0/8"], false);
    check(&["10.0.0.0/8", "127.0.0.0/8"], true);
    check(&["::/0"], false);
}

#[test]
fn options_are_set_at_both_ends() {
    let options = with(|options| {
        options.priority = 3;
        options.tcp.tos = 0x28;
        options.tcp.keepalive = Some(true);
        options.tcp.keepalive_count = Some(4);
        options.tcp.keepalive_idle = Some(Duration::from_secs(50));
        options.tcp.keepalive_interval = Some(Duration::from_secs(6));
        options.tcp.max_retransmit = Some(Duration::from_millis(7000));
    });
    let (server, client) = pair("tcp://127.0.0.1:*", &options);
    for stream in [server, client] {
        let socket = stream.socket();
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 4);
        let seconds = Duration::from_secs;
        assert_eq!(socket.tcp_keepalive_time().unwrap(), seconds(50));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), seconds(6));
        assert_eq!(socket.tos_v4().unwrap(), 0x28);
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.priority().unwrap(), 3);
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(seconds(7)));
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_device_is_polled_if_that_is_permitted() {
    let options = with(|options| options.busy_poll = 50);
    if let Err(error) = try_bind("tcp://127.0.0.1:*", &options) {
        assert_eq!(error.errno(), nix::libc::EPERM, "{error}");
        return;
    }
    let (server, client) = pair("tcp://127.0.0.1:*", &options);
    for stream in [server, client] {
        assert_eq!(stream.socket().busy_poll().unwrap(), 50);
    }
}

#[test]
fn an_option_that_the_system_refuses_is_an_error_of_the_attempt() {
    let refused = with(|options| options.tcp.bind_to_device = Some("nosuchif0".into()));
    assert!(matches!(
        try_bind("tcp://127.0.0.1:*", &refused),
        Err(Error::Io(_))
    ));
    let bound = bind("tcp://127.0.0.1:*", &options());
    assert!(connect(&target(&bound.endpoint), &refused).is_err());

    // More seconds than keepalive knows: that connection is lost, the listener is not.
    let refused = with(|options| {
        options.tcp.keepalive = Some(true);
        options.tcp.keepalive_idle = Some(Duration::from_secs(1 << 20));
    });
    let target = target(&bound.endpoint);
    let mut acceptor = Acceptor::new(bound.socket).unwrap();
    for expected in [false, true] {
        let _client = connected(&target, &options());
        let used = if expected { &options() } else { &refused };
        match accept(&mut acceptor, used) {
            Accepted::Retry => assert!(!expected),
            other => assert!(expected, "{other:?}"),
        }
    }
}

#[test]
fn ipv6_takes_both_families_in() {
    let options = with(|options| {
        options.tcp.ipv6 = true;
        options.tcp.tos = 0x28;
    });
    let Ok(bound) = try_bind("tcp://[::1]:*", &options) else {
        println!("skipped: this host has no IPv6 loopback address");
        return;
    };
    assert!(bound.endpoint.starts_with("tcp://[::1]:"));

    let bound = bind("tcp://*:*", &options);
    let port = bound.endpoint.strip_prefix("tcp://[::]:").unwrap();
    let mut acceptor = Acceptor::new(bound.socket).unwrap();
    for host in ["127.0.0.1", "[::1]"] {
        let client = connected(&target(&format!("tcp://{host}:{port}")), &options);
        let server = connection(accept(&mut acceptor, &options));
        let plain = host.trim_matches(['[', ']']);
        assert_eq!(server.peer_address().as_deref(), Some(plain));
        assert_eq!(server.peer_endpoint(), client.local_endpoint());
        assert_eq!(client.peer_endpoint(), format!("tcp://{host}:{port}"));
        assert_eq!(server.socket().tclass_v6().unwrap(), 0x28);
    }
}

#[test]
fn an_ipv4_address_is_bound_with_ipv6_allowed_too() {
    let options = with(|options| options.tcp.ipv6 = true);
    let bound = bind("tcp://127.0.0.1:*", &options);
    assert!(bound.endpoint.starts_with("tcp://127.0.0.1:"));
}

#[test]
fn a_listening_descriptor_is_adopted() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let options = with(|options| options.use_fd = Some(Arc::new(listener.into())));
    let bound = bind("tcp://*:*", &options);
    assert_eq!(bound.endpoint, format!("tcp://{address}"));
    assert!(bound.socket.nonblocking().unwrap());
    let mut acceptor = Acceptor::new(bound.socket).unwrap();
    let _client = connected(&target(&bound.endpoint), &options);
    connection(accept(&mut acceptor, &options));
}

#[test]
fn a_descriptor_of_another_kind_is_not_adopted() {
    let check = |fd: OwnedFd| {
        let options = with(|options| options.use_fd = Some(Arc::new(fd)));
        assert!(try_bind("tcp://*:*", &options).is_err());
    };
    let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    check(one.into());
    check(fs::File::open("/dev/null").unwrap().into());
    #[cfg(target_os = "linux")]
    check(deaf().0.into());
}
