//! What getters return: the defaults, and what was set, within its range.

use super::*;
use ferrozmq::ReconnectStop;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
const TOO_LONG: Duration = Duration::from_nanos(i32::MAX as u64 * 1_000_000 + 1);

/// Checks a default, values that are returned as they were set, and values that are refused and
/// change nothing.
macro_rules! check {
    ($type:ident, $get:ident == $default:expr, $set:ident: $valid:expr, not $invalid:expr) => {{
        let socket = Ctx::new().socket(SocketType::$type).unwrap();
        assert_eq!(socket.$get().unwrap(), $default, stringify!($get));
        let mut last = $default;
        for value in $valid {
            socket.$set(value).unwrap();
            assert_eq!(socket.$get().unwrap(), value, stringify!($set));
            last = value;
        }
        for value in $invalid {
            assert_invalid(socket.$set(value));
            assert_eq!(socket.$get().unwrap(), last, stringify!($set));
        }
    }};
    ($type:ident, $get:ident == $default:expr, $set:ident: $valid:expr) => {
        check!($type, $get == $default, $set: $valid, not [$default; 0])
    };
}

#[test]
fn queues_and_waits() {
    check!(PUSH, get_sndhwm == 1000, set_sndhwm: [0, 1, u32::MAX]);
    check!(PUSH, get_rcvhwm == 1000, set_rcvhwm: [0, 1, u32::MAX]);
    check!(PUSH, is_conflate == false, set_conflate: [true, false]);
    let times = [Some(Duration::ZERO), Some(LONGEST), None];
    let invalid = [Some(TOO_LONG), Some(Duration::MAX)];
    check!(PUSH, get_sndtimeo == None, set_sndtimeo: times, not invalid);
    check!(PUSH, get_rcvtimeo == None, set_rcvtimeo: times, not invalid);
    check!(PUSH, get_linger == Some(30 * SECOND), set_linger: times, not invalid);
    check!(SUB, get_linger == Some(Duration::ZERO), set_linger: times, not invalid);
    check!(XSUB, get_linger == Some(Duration::ZERO), set_linger: times);
    check!(DISH, get_linger == Some(Duration::ZERO), set_linger: times);
    check!(PUSH, get_affinity == 0, set_affinity: [1, u64::MAX]);
}

#[test]
fn connecting() {
    let times = [None, Some(MILLISECOND), Some(LONGEST)];
    let invalid = [Some(TOO_LONG)];
    check!(PUSH, is_immediate == false, set_immediate: [true, false]);
    check!(
        PUSH,
        get_reconnect_ivl == Some(100 * MILLISECOND),
        set_reconnect_ivl: times, not invalid
    );
    check!(
        PUSH,
        get_reconnect_ivl_max == Duration::ZERO,
        set_reconnect_ivl_max: [SECOND, LONGEST, Duration::ZERO], not [TOO_LONG]
    );
    check!(PUSH, get_connect_timeout == None, set_connect_timeout: times, not invalid);
    check!(PUSH, is_reconnect_on_protocol_error == true, set_reconnect_on_protocol_error: [false, true]);
    let mut stop = ReconnectStop::default();
    stop.conn_refused = true;
    check!(PUSH, get_reconnect_stop == ReconnectStop::default(), set_reconnect_stop: [stop]);
}

#[test]
fn handshakes_and_heartbeats() {
    let times = [None, Some(MILLISECOND), Some(LONGEST)];
    let invalid = [Some(TOO_LONG)];
    check!(PUSH, get_handshake_ivl == Some(30 * SECOND), set_handshake_ivl: times, not invalid);
    check!(PUSH, get_heartbeat_ivl == None, set_heartbeat_ivl: times, not invalid);
    check!(
        PUSH,
        get_heartbeat_timeout == None,
        set_heartbeat_timeout: [Some(Duration::ZERO), Some(SECOND), None], not invalid
    );
    check!(
        PUSH,
        get_heartbeat_ttl == Duration::ZERO,
        set_heartbeat_ttl: [100 * MILLISECOND, 6_553_500 * MILLISECOND],
        not [6_553_600 * MILLISECOND, Duration::MAX]
    );
    check!(PUSH, get_maxmsgsize == None, set_maxmsgsize: [Some(0), Some(u64::MAX), None]);
    check!(
        PUSH,
        get_max_multipart_size == None,
        set_max_multipart_size: [Some(0), Some(u64::MAX), None]
    );
}

#[test]
fn a_time_of_zero_turns_limits_off() {
    let socket = Ctx::new().socket(SocketType::PUSH).unwrap();
    let zero = Some(Duration::ZERO);
    socket.set_reconnect_ivl(zero).unwrap();
    socket.set_connect_timeout(zero).unwrap();
    socket.set_handshake_ivl(zero).unwrap();
    socket.set_heartbeat_ivl(zero).unwrap();
    socket.set_tcp_maxrt(zero).unwrap();
    assert_eq!(socket.get_reconnect_ivl().unwrap(), None);
    assert_eq!(socket.get_connect_timeout().unwrap(), None);
    assert_eq!(socket.get_handshake_ivl().unwrap(), None);
    assert_eq!(socket.get_heartbeat_ivl().unwrap(), None);
    assert_eq!(socket.get_tcp_maxrt().unwrap(), None);
}

#[test]
fn a_time_to_live_is_rounded_down_to_tenths_of_a_second() {
    let socket = Ctx::new().socket(SocketType::PUSH).unwrap();
    for (set, expected) in [(99, 0), (100, 100), (199, 100), (6_553_599, 6_553_500)] {
        socket.set_heartbeat_ttl(set * MILLISECOND).unwrap();
        assert_eq!(socket.get_heartbeat_ttl().unwrap(), expected * MILLISECOND);
    }
}

#[test]
fn system_sockets() {
    let sizes = [Some(0), Some(1 << 20), None];
    let too_large = [Some(1 << 31)];
    check!(PUSH, get_sndbuf == None, set_sndbuf: sizes, not too_large);
    check!(PUSH, get_rcvbuf == None, set_rcvbuf: sizes, not too_large);
    let batches = [Some(1), Some(i32::MAX as usize), None];
    let no_batches = [Some(0), Some(1 << 31)];
    check!(PUSH, get_in_batch_size == None, set_in_batch_size: batches, not no_batches);
    check!(PUSH, get_out_batch_size == None, set_out_batch_size: batches, not no_batches);
    check!(PUSH, is_ipv6 == false, set_ipv6: [true, false]);
    check!(PUSH, is_ipc_takeover == false, set_ipc_takeover: [true, false]);
    check!(PUSH, get_backlog == 100, set_backlog: [0, i32::MAX as u32], not [1 << 31]);
    check!(PUSH, get_tos == 0, set_tos: [255, 0], not [256]);
    check!(PUSH, get_busy_poll == 0, set_busy_poll: [50, i32::MAX as u32], not [1 << 31]);
    check!(RADIO, get_multicast_hops == 1, set_multicast_hops: [255, 2], not [0, 256]);
    check!(RADIO, is_multicast_loop == true, set_multicast_loop: [false, true]);
    check!(PUSH, get_priority == 0, set_priority: [6, i32::MAX as u32], not [1 << 31]);
    check!(PUSH, get_tcp_keepalive == None, set_tcp_keepalive: [Some(true), Some(false), None]);
    check!(
        PUSH,
        get_tcp_keepalive_cnt == None,
        set_tcp_keepalive_cnt: [Some(1), Some(127), None], not [Some(0), Some(128)]
    );
    let (times, invalid) = ([SECOND, 32_767 * SECOND], [MILLISECOND, 32_768 * SECOND]);
    let (times, invalid) = (times.map(Some), invalid.map(Some));
    check!(PUSH, get_tcp_keepalive_idle == None, set_tcp_keepalive_idle: times, not invalid);
    check!(PUSH, get_tcp_keepalive_intvl == None, set_tcp_keepalive_intvl: times, not invalid);
    check!(
        PUSH,
        get_tcp_maxrt == None,
        set_tcp_maxrt: [Some(SECOND), None], not [Some(TOO_LONG)]
    );
}

#[test]
fn devices() {
    let socket = Ctx::new().socket(SocketType::PUSH).unwrap();
    assert_eq!(socket.get_bindtodevice().unwrap(), None);
    socket.set_bindtodevice(Some("lo")).unwrap();
    for name in ["", "sixteen-bytes-00", "a\0b"] {
        assert_invalid(socket.set_bindtodevice(Some(name)));
    }
    assert_eq!(socket.get_bindtodevice().unwrap().unwrap(), "lo");
    socket.set_bindtodevice(None).unwrap();
    assert_eq!(socket.get_bindtodevice().unwrap(), None);
}

#[test]
fn routing_ids() {
    let ctx = Ctx::new();
    let socket = ctx.socket(SocketType::DEALER).unwrap();
    assert!(socket.get_identity().unwrap().is_empty());
    let longest = [b'x'; 255];
    for id in [b"a".as_slice(), &longest] {
        socket.set_identity(id).unwrap();
        assert_eq!(socket.get_routing_id().unwrap(), id);
    }
    socket.set_routing_id(b"newer").unwrap();
    for id in [b"".as_slice(), b"\0ours", &[b'x'; 256]] {
        assert_invalid(socket.set_identity(id));
    }
    assert_eq!(socket.get_identity().unwrap(), "newer");
    assert_invalid(ctx.socket(SocketType::STREAM).unwrap().set_identity(b"a"));
}

#[test]
fn patterns() {
    check!(ROUTER, is_router_mandatory == false, set_router_mandatory: [true, false]);
    check!(ROUTER, is_router_handover == false, set_router_handover: [true, false]);
    check!(ROUTER, is_router_raw == false, set_router_raw: [true, false]);
    check!(DEALER, is_probe_router == false, set_probe_router: [true, false]);
    check!(REQ, is_req_correlate == false, set_req_correlate: [true, false]);
    check!(REQ, is_req_relaxed == false, set_req_relaxed: [true, false]);
    check!(XPUB, is_xpub_verbose == false, set_xpub_verbose: [true, false]);
    check!(XPUB, is_xpub_verboser == false, set_xpub_verboser: [true, false]);
    check!(XPUB, is_xpub_manual_last_value == false, set_xpub_manual_last_value: [true, false]);
    check!(RADIO, is_xpub_nodrop == false, set_xpub_nodrop: [true, false]);
    check!(XPUB, is_xpub_manual == false, set_xpub_manual: [true, false]);
    check!(PUB, is_xpub_nodrop == false, set_xpub_nodrop: [true, false]);
    check!(SUB, is_invert_matching == false, set_invert_matching: [true, false]);
    check!(XSUB, is_only_first_subscribe == false, set_only_first_subscribe: [true, false]);
    check!(XSUB, is_xsub_verbose_unsubscribe == false, set_xsub_verbose_unsubscribe: [true, false]);
    check!(STREAM, is_stream_notify == true, set_stream_notify: [false, true]);
}

#[test]
fn verboser_includes_verbose_and_verbose_ends_it() {
    let socket = Ctx::new().socket(SocketType::XPUB).unwrap();
    let both = || {
        (
            socket.is_xpub_verbose().unwrap(),
            socket.is_xpub_verboser().unwrap(),
        )
    };
    socket.set_xpub_verboser(true).unwrap();
    assert_eq!(both(), (true, true));
    socket.set_xpub_verbose(true).unwrap();
    assert_eq!(both(), (true, false));
}

#[test]
fn options_of_other_types_are_refused() {
    let ctx = Ctx::new();
    let pair = ctx.socket(SocketType::PAIR).unwrap();
    assert_invalid(pair.set_conflate(true));
    assert_invalid(pair.set_subscribe(b""));
    assert_invalid(pair.set_unsubscribe(b""));
    assert_invalid(pair.set_connect_routing_id(b"a"));
    assert_invalid(pair.set_router_mandatory(true));
    assert_invalid(pair.set_router_raw(true));
    assert_invalid(pair.set_req_relaxed(true));
    assert_invalid(pair.set_xpub_verbose(true));
    assert_invalid(pair.set_xpub_welcome_msg(b"hello"));
    assert_invalid(pair.set_stream_notify(false));
    assert!(!pair.is_router_mandatory().unwrap());
    let peer = pair.peer_is_writable(b"a");
    assert!(matches!(peer, Err(Error::NotSupported)), "{peer:?}");
    let xpub = ctx.socket(SocketType::XPUB).unwrap();
    assert_invalid(xpub.set_subscribe(b"only in manual mode"));
}

#[test]
fn what_can_only_be_read() {
    let ctx = Ctx::new();
    let socket = ctx.socket(SocketType::REP).unwrap();
    assert_eq!(socket.get_socket_type().unwrap(), SocketType::REP);
    assert_eq!(socket.get_last_endpoint().unwrap(), "");
    let endpoint = bound(&socket);
    assert_eq!(socket.get_last_endpoint().unwrap(), endpoint);
    assert!(!endpoint.contains('*'), "{endpoint}");
}

#[test]
fn new_sockets_begin_with_the_options_of_the_context() {
    let ctx = Ctx::new();
    ctx.set_ipv6(true);
    ctx.set_blocky(false);
    ctx.set_max_msg_size(Some(10));
    assert_eq!(ctx.spin(), 20);
    ctx.set_spin(0);
    assert_eq!(ctx.spin(), 0);
    let socket = ctx.socket(SocketType::PUSH).unwrap();
    assert!(socket.is_ipv6().unwrap());
    assert_eq!(socket.get_linger().unwrap(), Some(Duration::ZERO));
    assert_eq!(socket.get_maxmsgsize().unwrap(), Some(10));
}

#[test]
fn after_the_end_of_the_context_nothing_is_set_or_got() {
    let ctx = Ctx::new();
    let socket = ctx.socket(SocketType::ROUTER).unwrap();
    ctx.shutdown();
    let outcomes = [
        socket.set_sndhwm(1),
        socket.set_linger(None),
        socket.set_tos(1),
        socket.set_tos(1000),
        socket.set_router_mandatory(true),
        socket.set_connect_routing_id(b""),
        socket.add_accept_filter("nonsense"),
        socket.get_sndhwm().map(drop),
        socket.is_ipv6().map(drop),
        socket.get_rcvmore().map(drop),
        socket.get_identity().map(drop),
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(Error::Term)), "{outcome:?}");
    }
}
