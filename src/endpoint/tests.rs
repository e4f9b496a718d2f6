//! Tables of good and bad endpoints, and what holds for every string.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn bind(text: &str) -> Endpoint {
    Endpoint::for_bind(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn connect(text: &str) -> Endpoint {
    Endpoint::for_connect(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn at(host: Host, port: u16) -> HostPort {
    HostPort { host, port }
}

fn tcp(host: Host, port: u16) -> Endpoint {
    Endpoint::Tcp(TcpAddress {
        source: None,
        target: at(host, port),
    })
}

fn v6(address: &str, zone: Option<&str>) -> Host {
    Host::V6(address.parse().unwrap(), zone.map(str::to_owned))
}

fn name(text: &str) -> Host {
    Host::Name(text.to_owned())
}

fn is_invalid(result: Result<Endpoint>) -> bool {
    matches!(result, Err(Error::InvalidEndpoint { .. }))
}

#[test]
fn tcp_endpoints_to_bind() {
    let loopback = Host::V4(Ipv4Addr::LOCALHOST);
    let cases = [
        ("tcp://*:5555", tcp(Host::Any, 5555)),
        ("tcp://*:*", tcp(Host::Any, 0)),
        ("tcp://127.0.0.1:0", tcp(loopback.clone(), 0)),
        ("tcp://127.0.0.1:65535", tcp(loopback.clone(), 65535)),
        ("tcp://127.0.0.1:00080", tcp(loopback, 80)),
        ("tcp://[::1]:1", tcp(v6("::1", None), 1)),
        ("tcp://::1:5555", tcp(v6("::1", None), 5555)),
        ("tcp://:::5555", tcp(v6("::", None), 5555)),
        (
            "tcp://[fe80::1%eth0]:1",
            tcp(v6("fe80::1", Some("eth0")), 1),
        ),
        ("tcp://fe80::1%2:*", tcp(v6("fe80::1", Some("2")), 0)),
        ("tcp://eth0.100:1", tcp(name("eth0.100"), 1)),
        ("tcp://my-host.example:1", tcp(name("my-host.example"), 1)),
        ("tcp://_srv:1", tcp(name("_srv"), 1)),
    ];
    for (text, expected) in cases {
        assert_eq!(bind(text), expected, "{text}");
    }
}

#[test]
fn tcp_endpoints_to_connect() {
    let source = |host, port| {
        Endpoint::Tcp(TcpAddress {
            source: Some(at(host, port)),
            target: at(name("host"), 1),
        })
    };
    let cases = [
        ("tcp://host:1", tcp(name("host"), 1)),
        ("tcp://10.0.0.1:65535", {
            tcp(Host::V4(Ipv4Addr::new(10, 0, 0, 1)), 65535)
        }),
        (
            "tcp://10.0.0.1:7;host:1",
            source(Host::V4(Ipv4Addr::new(10, 0, 0, 1)), 7),
        ),
        ("tcp://*:0;host:1", source(Host::Any, 0)),
        ("tcp://eth0:*;host:1", source(name("eth0"), 0)),
        ("tcp://[::1]:9;host:1", source(v6("::1", None), 9)),
    ];
    for (text, expected) in cases {
        assert_eq!(connect(text), expected, "{text}");
    }
}

#[test]
fn bad_tcp_endpoints() {
    let bad = [
        "tcp://",
        "tcp://:",
        "tcp://*",
        "tcp://:5555",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:",
        "tcp://127.0.0.1:70000",
        "tcp://127.0.0.1:65536",
        "tcp://127.0.0.1:12ab",
        "tcp://127.0.0.1:+80",
        "tcp://127.0.0.1:-1",
        "tcp://127.0.0.1: 80",
        "tcp://127.0.0.1:http",
        "tcp://127.0.0.1:80/path",
        "tcp://[127.0.0.1]:80",
        "tcp://[::1:80",
        "tcp://::1]:80",
        "tcp://[::1]",
        "tcp://[]:80",
        "tcp://[::1%]:80",
        "tcp://[::1%a b]:80",
        "tcp://[::g]:80",
        "tcp://local host:80",
        "tcp://-host:80",
        "tcp://höst:80",
        "tcp://host:80:90",
        "tcp://a;b;c:1",
        "tcp://a:1;b:1;c",
        "tcp://;host:1",
    ];
    for text in bad {
        assert!(is_invalid(Endpoint::for_bind(text)), "bind {text}");
        assert!(is_invalid(Endpoint::for_connect(text)), "connect {text}");
    }
    let long = format!("tcp://{}:1", "a".repeat(256));
    assert!(is_invalid(Endpoint::for_connect(&long)));
}

#[test]
fn tcp_endpoints_of_the_other_role() {
    for text in ["tcp://*:80", "tcp://host:0", "tcp://host:*"] {
        bind(text);
        assert!(is_invalid(Endpoint::for_connect(text)), "{text}");
    }
    connect("tcp://*:*;host:80");
    assert!(is_invalid(Endpoint::for_bind("tcp://*:*;host:80")));
}

#[test]
fn ipc_endpoints() {
    let cases = [
        ("ipc:///tmp/x", IpcAddress::Path("/tmp/x".into())),
        ("ipc://x y:*", IpcAddress::Path("x y:*".into())),
        ("ipc://./@x", IpcAddress::Path("./@x".into())),
        ("ipc://@x", IpcAddress::Abstract("x".into())),
        ("ipc://@*", IpcAddress::Abstract("*".into())),
    ];
    for (text, expected) in cases {
        assert_eq!(bind(text), Endpoint::Ipc(expected.clone()), "{text}");
        assert_eq!(connect(text), Endpoint::Ipc(expected), "{text}");
    }
    assert_eq!(bind("ipc://*"), Endpoint::Ipc(IpcAddress::Wildcard));
    assert!(is_invalid(Endpoint::for_connect("ipc://*")));
    for text in ["ipc://", "ipc://@", "ipc://a\0b", "ipc://@a\0b"] {
        assert!(is_invalid(Endpoint::for_bind(text)), "{text:?}");
        assert!(is_invalid(Endpoint::for_connect(text)), "{text:?}");
    }
}

#[test]
fn an_ipc_name_must_fit_into_a_socket_address() {
    let fits = format!("ipc://{}", "a".repeat(107));
    let long = format!("ipc://{}", "a".repeat(108));
    connect(&fits);
    assert!(matches!(Endpoint::for_bind(&long), Err(Error::NameTooLong)));
}

#[test]
fn inproc_endpoints() {
    assert_eq!(bind("inproc://a b*"), Endpoint::Inproc("a b*".into()));
    connect(&format!("inproc://{}", "a".repeat(256)));
    assert!(is_invalid(Endpoint::for_connect("inproc://")));
    let long = format!("inproc://{}", "a".repeat(257));
    assert!(is_invalid(Endpoint::for_connect(&long)));
}

#[test]
fn schemes() {
    for text in ["", "tcp", "tcp:", "tcp:/x", "://x:1", "127.0.0.1:1"] {
        assert!(is_invalid(Endpoint::for_bind(text)), "{text}");
    }
    for text in ["TCP://x:1", "UDP://x:1", "ws://x:1", " tcp://x:1"] {
        assert!(
            matches!(
                Endpoint::for_bind(text),
                Err(Error::ProtocolNotSupported(_))
            ),
            "{text}"
        );
    }
}

#[test]
fn canonical_text() {
    let cases = [
        ("tcp://*:0", "tcp://*:*"),
        ("tcp://::1:080", "tcp://[::1]:80"),
        ("tcp://[0:0::1%eth0]:1", "tcp://[::1%eth0]:1"),
        ("ipc://@x", "ipc://@x"),
        ("ipc://*", "ipc://*"),
        ("inproc://x", "inproc://x"),
    ];
    for (text, expected) in cases {
        assert_eq!(bind(text).to_string(), expected);
    }
    assert_eq!(connect("tcp://*:0;::1:1").to_string(), "tcp://*:*;[::1]:1");
    let groups = ["udp://eth0;239.0.0.1:5555", "udp://[ff02::1]:5555"];
    for text in groups {
        assert_eq!(bind(text), connect(text));
        assert_eq!(bind(text).to_string(), text);
    }
}

#[test]
fn udp_endpoints() {
    let udp = |interface, host, port| {
        Endpoint::Udp(UdpAddress {
            interface,
            target: at(host, port),
        })
    };
    let group = Host::V4([239, 0, 0, 1].into());
    let cases = [
        ("udp://*:*", udp(None, Host::Any, 0)),
        ("udp://239.0.0.1:1", udp(None, group.clone(), 1)),
        (
            "udp://*;239.0.0.1:1",
            udp(Some(Host::Any), group.clone(), 1),
        ),
        ("udp://eth0;239.0.0.1:0", udp(Some(name("eth0")), group, 0)),
    ];
    for (text, expected) in cases {
        assert_eq!(bind(text), expected, "{text}");
    }
    for text in [
        "udp://*:1",
        "udp://h:0",
        "udp://h",
        "udp://;h:1",
        "udp://a b;h:1",
    ] {
        assert!(is_invalid(Endpoint::for_connect(text)), "{text}");
    }
}

#[track_caller]
fn check_round_trip(text: &str) {
    if let Ok(endpoint) = Endpoint::for_bind(text) {
        assert_eq!(bind(&endpoint.to_string()), endpoint);
    }
    if let Ok(endpoint) = Endpoint::for_connect(text) {
        assert_eq!(connect(&endpoint.to_string()), endpoint);
    }
}

proptest! {
    #[test]
    fn any_string_is_read_or_refused(text in ".*") {
        check_round_trip(&text);
    }

    #[test]
    fn near_endpoints_are_read_or_refused(
        text in "(tcp|ipc|inproc)://[a-z0-9:.*%@;\\[\\]_-]{0,40}"
    ) {
        check_round_trip(&text);
    }

    #[test]
    fn addresses_survive_being_written(
        bits in any::<u128>(),
        zone in proptest::option::of("[a-z][a-z0-9]{0,8}"),
        port in 1u16..,
    ) {
        let host = Host::V6(Ipv6Addr::from(bits), zone);
        let endpoint = tcp(host, port);
        prop_assert_eq!(connect(&endpoint.to_string()), endpoint);
    }
}
