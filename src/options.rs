//! Socket types and socket options: plain data with defaults and the reasons for them.
//!
//! Each layer is handed the sub-struct it needs. A session works on the options as they were when
//! its endpoint was bound or connected; what takes effect at once is said on the setter in
//! `socket/options.rs`. Numbers of options exist only in the C ABI.

use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::endpoint::TcpAddress;
use crate::msg::Msg;
use crate::security::SecurityOptions;

/// The messaging pattern of a socket.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum SocketType {
    /// One peer, both ways. A second connection is refused while the first lives.
    PAIR,
    /// Sends to all subscribers of a topic; never waits for a slow one.
    PUB,
    /// Receives what its subscriptions match.
    SUB,
    /// Asks one peer at a time, in turn: send, receive, send, receive.
    REQ,
    /// Answers: receive, send, receive, send.
    REP,
    /// Sends to its peers in turn and receives from all fairly; no order of calls.
    DEALER,
    /// Names each peer by a routing id in the first frame.
    ROUTER,
    /// Receives from all PUSH peers fairly.
    PULL,
    /// Sends to its PULL peers in turn.
    PUSH,
    /// PUB that also receives its peers' subscriptions.
    XPUB,
    /// SUB whose subscriptions are messages that it sends.
    XSUB,
    /// Raw tcp connections, named as by ROUTER.
    STREAM,
    /// Answers any number of CLIENTs, which it knows by the routing id on each message.
    SERVER,
    /// Talks to its SERVERs in turn, in any order of calls.
    CLIENT,
    /// Sends to all DISHes that joined a message's group; never waits for a slow one.
    RADIO,
    /// Receives the messages of the groups that it joined.
    DISH,
    /// Receives from all SCATTER peers fairly.
    GATHER,
    /// Sends to its GATHER peers in turn.
    SCATTER,
    /// Datagrams over udp. A message is two frames: the address it goes to or comes from, as
    /// `127.0.0.1:5555`, and the datagram. One to what is no address, or that the system does not
    /// take, is dropped. (libzmq puts a NUL behind an address; here one that is sent may have it.)
    DGRAM,
    /// Talks to many PEERs, each known by a routing id: SERVER and CLIENT in one.
    PEER,
    /// PAIR, with messages of one frame.
    CHANNEL,
}

impl SocketType {
    /// The number of the type in libzmq's API.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::PAIR => 0,
            Self::PUB => 1,
            Self::SUB => 2,
            Self::REQ => 3,
            Self::REP => 4,
            Self::DEALER => 5,
            Self::ROUTER => 6,
            Self::PULL => 7,
            Self::PUSH => 8,
            Self::XPUB => 9,
            Self::XSUB => 10,
            Self::STREAM => 11,
            Self::SERVER => 12,
            Self::CLIENT => 13,
            Self::RADIO => 14,
            Self::DISH => 15,
            Self::GATHER => 16,
            Self::SCATTER => 17,
            Self::DGRAM => 18,
            Self::PEER => 19,
            Self::CHANNEL => 20,
        }
    }

    /// The `Socket-Type` of the handshake.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PAIR => "PAIR",
            Self::PUB => "PUB",
            Self::SUB => "SUB",
            Self::REQ => "REQ",
            Self::REP => "REP",
            Self::DEALER => "DEALER",
            Self::ROUTER => "ROUTER",
            Self::PULL => "PULL",
            Self::PUSH => "PUSH",
            Self::XPUB => "XPUB",
            Self::XSUB => "XSUB",
            Self::STREAM => "STREAM",
            Self::SERVER => "SERVER",
            Self::CLIENT => "CLIENT",
            Self::RADIO => "RADIO",
            Self::DISH => "DISH",
            Self::GATHER => "GATHER",
            Self::SCATTER => "SCATTER",
            Self::DGRAM => "DGRAM",
            Self::PEER => "PEER",
            Self::CHANNEL => "CHANNEL",
        }
    }

    /// Whether libzmq lets several threads use a socket of the type at once
    /// (`ZMQ_THREAD_SAFE`). Here a [`SharedSocket`](crate::SharedSocket) does that for all types;
    /// what is left is that messages of these types have one frame each: sending with
    /// [`SNDMORE`](crate::SNDMORE) is refused, and what a peer sends in several is dropped.
    #[must_use]
    pub fn is_thread_safe(self) -> bool {
        use SocketType::{CHANNEL, CLIENT, DISH, GATHER, PEER, RADIO, SCATTER, SERVER};
        matches!(
            self,
            SERVER | CLIENT | RADIO | DISH | GATHER | SCATTER | PEER | CHANNEL
        )
    }

    /// Whether a peer that calls itself `peer` may talk to this type (RFC 23, 28–31, 41, 48–52).
    pub(crate) fn accepts(self, peer: &[u8]) -> bool {
        let accepted: &[&str] = match self {
            Self::PAIR => &["PAIR"],
            Self::PUB | Self::XPUB => &["SUB", "XSUB"],
            Self::SUB | Self::XSUB => &["PUB", "XPUB"],
            Self::REQ => &["REP", "ROUTER"],
            Self::REP => &["REQ", "DEALER"],
            Self::DEALER => &["REP", "DEALER", "ROUTER"],
            Self::ROUTER => &["REQ", "DEALER", "ROUTER"],
            Self::PULL => &["PUSH"],
            Self::PUSH => &["PULL"],
            Self::SERVER => &["CLIENT"],
            Self::CLIENT => &["SERVER"],
            Self::RADIO => &["DISH"],
            Self::DISH => &["RADIO"],
            Self::GATHER => &["SCATTER"],
            Self::SCATTER => &["GATHER"],
            Self::PEER => &["PEER"],
            Self::CHANNEL => &["CHANNEL"],
            Self::STREAM | Self::DGRAM => &[],
        };
        accepted.iter().any(|name| name.as_bytes() == peer)
    }

    /// Whether the handshake carries the socket's routing id (RFC 23: only these types').
    pub(crate) fn announces_identity(self) -> bool {
        matches!(self, Self::REQ | Self::DEALER | Self::ROUTER)
    }

    /// Whether the type publishes: its peers send it subscriptions.
    pub(crate) fn publishes(self) -> bool {
        matches!(self, Self::PUB | Self::XPUB)
    }

    /// Whether the type has any use for what its peers send. What nobody reads must not keep a
    /// session from reading on, or it would not hear of the connection's end.
    pub(crate) fn listens(self) -> bool {
        !matches!(self, Self::PUSH | Self::SCATTER)
    }

    /// Whether the type subscribes: what waits for it in a broken connection's pipe is stale.
    pub(crate) fn subscribes(self) -> bool {
        matches!(self, Self::SUB | Self::XSUB | Self::DISH)
    }

    /// Whether the type greets each new connection with [`Options::hello`].
    fn says_hello(self) -> bool {
        use SocketType::{CLIENT, DEALER, PEER, ROUTER, SERVER};
        matches!(self, CLIENT | DEALER | PEER | ROUTER | SERVER)
    }

    /// Whether the type is told by [`Options::farewell`] that a peer is gone.
    fn hears_farewells(self) -> bool {
        matches!(self, Self::PEER | Self::ROUTER | Self::SERVER)
    }

    /// Whether the type is told by [`Options::hiccup`] that its connection is lost.
    fn hears_hiccups(self) -> bool {
        matches!(self, Self::CLIENT | Self::DEALER | Self::PEER)
    }
}

impl std::fmt::Display for SocketType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a connecting socket gives its endpoint up for good; a set of reasons
/// (`ZMQ_RECONNECT_STOP`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct ReconnectStop {
    /// The peer's host refused the connection.
    pub conn_refused: bool,
    /// The connection was lost during the handshake, or the peer was found incompatible.
    pub handshake_failed: bool,
    /// The endpoint was disconnected while it was not connected.
    pub after_disconnect: bool,
}

/// Of which peers a ROUTER is told by an empty message (`ZMQ_ROUTER_NOTIFY`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct RouterNotify {
    /// Those that connect.
    pub connect: bool,
    /// Those whose connection ends.
    pub disconnect: bool,
}

/// How long a closed socket or endpoint goes on delivering; `None` is for ever.
///
/// A socket shares it with its sessions: what counts is what it is when the end comes.
#[derive(Clone, Debug)]
pub(crate) struct Linger(Arc<AtomicU64>);

impl Linger {
    const FOREVER: u64 = u64::MAX;

    /// How long a closed socket keeps trying to deliver what was sent, unless told otherwise.
    ///
    /// libzmq waits for ever, so that one dead peer hangs the program at exit; others wait not at
    /// all, so that a program that sends and exits loses its messages. Thirty seconds is what a
    /// live peer may take for a handshake. What a subscriber has to say at its end nobody needs to
    /// hear.
    pub(crate) fn of(socket_type: SocketType) -> Self {
        let linger = Self(Arc::default());
        linger.set(Some(if socket_type.subscribes() {
            Duration::ZERO
        } else {
            Duration::from_secs(30)
        }));
        linger
    }

    pub(crate) fn get(&self) -> Option<Duration> {
        // Relaxed: a time is a number, and nothing else is read on the strength of it.
        match self.0.load(Ordering::Relaxed) {
            Self::FOREVER => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    pub(crate) fn set(&self, limit: Option<Duration>) {
        let nanos = limit.map(|limit| u64::try_from(limit.as_nanos()));
        let nanos = nanos.and_then(Result::ok).unwrap_or(Self::FOREVER);
        self.0.store(nanos, Ordering::Relaxed);
    }
}

/// How the waits between attempts to connect grow.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Growth {
    /// As libzmq's: doubling up to the longest. Where that is not above the first, all are the
    /// first and a random share of it.
    Doubling,
    /// By a factor up to the longest, in whole milliseconds, and never by chance.
    #[cfg_attr(
        not(feature = "protocols"),
        allow(dead_code, reason = "only other protocols ask for it")
    )]
    Steady(f64),
}

/// When and how often a lost connection is tried again.
#[derive(Clone, Debug)]
pub(crate) struct Reconnect {
    /// The first wait; `None` never reconnects.
    pub interval: Option<Duration>,
    /// The longest wait.
    pub max: Duration,
    pub growth: Growth,
    pub stop: ReconnectStop,
    /// Whether a peer that breaks the protocol is given up, as libzmq does without a word.
    pub stop_on_protocol_error: bool,
}

/// ZMTP heartbeats (RFC 37).
#[derive(Clone, Debug, Default)]
pub(crate) struct Heartbeat {
    /// How often to send PING; `None` is never.
    pub interval: Option<Duration>,
    /// How long the peer should wait for traffic from us; sent in PING, in tenths of a second.
    pub ttl: Duration,
    /// How long to wait for any traffic after a PING; `None` is the interval.
    pub timeout: Option<Duration>,
}

/// What is set on tcp sockets; `None` leaves the system's default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tcp {
    pub ipv6: bool,
    pub keepalive: Option<bool>,
    pub keepalive_count: Option<u32>,
    pub keepalive_idle: Option<Duration>,
    pub keepalive_interval: Option<Duration>,
    pub max_retransmit: Option<Duration>,
    pub tos: u32,
    pub bind_to_device: Option<String>,
    /// Accepted connections must come from one of these, unless there are none.
    pub accept_filters: Vec<Subnet>,
    pub socks: Socks,
}

/// The SOCKS5 proxy that connections are made through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Socks {
    /// Where it is, and the same as the application wrote it.
    pub proxy: Option<(TcpAddress, String)>,
    /// Who we are to it; nobody, if the name is empty.
    pub username: String,
    pub password: String,
}

/// What the application set on its socket's pattern, for those who ask. The pattern has its own
/// copy, by which it acts.
#[derive(Clone, Debug, Default)]
pub(crate) struct PatternFlags {
    pub router_mandatory: bool,
    pub router_handover: bool,
    pub probe_router: bool,
    pub req_correlate: bool,
    pub req_relaxed: bool,
    pub xpub_verbose: bool,
    pub xpub_verboser: bool,
    pub xpub_manual: bool,
    pub xpub_manual_last_value: bool,
    pub xpub_nodrop: bool,
    pub invert_matching: bool,
    pub only_first_subscribe: bool,
    pub xsub_verbose_unsubscribe: bool,
}

/// Messages that the engine makes by itself; an empty one is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Automatic {
    pub hello: Bytes,
    pub disconnect: Bytes,
    pub hiccup: Bytes,
}

/// How far datagrams to a multicast group go.
#[derive(Clone, Debug)]
pub(crate) struct Multicast {
    /// How many routers they may pass, with this host as the first.
    pub hops: u32,
    /// Whether receivers on this host get them.
    pub to_self: bool,
}

/// Who may connect to an ipc listener; empty lists let everybody in.
#[derive(Clone, Debug, Default)]
pub(crate) struct IpcFilters {
    pub uids: Vec<u32>,
    pub gids: Vec<u32>,
    pub pids: Vec<i32>,
}

/// A range of addresses in CIDR form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Subnet {
    pub address: IpAddr,
    pub prefix: u8,
}

impl Subnet {
    /// Whether `address` lies in the range. An IPv4 address mapped into IPv6 counts as IPv4.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let bits = 32 - u32::from(self.prefix.min(32));
                (net.to_bits() ^ address.to_bits())
                    .checked_shr(bits)
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let bits = 128 - u32::from(self.prefix.min(128));
                (net.to_bits() ^ address.to_bits())
                    .checked_shr(bits)
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl std::str::FromStr for Subnet {
    type Err = ();

    /// `address` or `address/prefix`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| ())?,
            None => longest,
        };
        if prefix > longest {
            Err(())
        } else {
            Ok(Self { address, prefix })
        }
    }
}

/// Everything a socket's sessions, listeners and pipes are configured by.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub socket_type: SocketType,
    pub routing_id: Bytes,
    /// High-water marks in messages; 0 is no limit.
    pub send_hwm: u32,
    pub recv_hwm: u32,
    pub conflate: bool,
    pub immediate: bool,
    /// Which I/O threads may be used: bit n is thread n; 0 is all.
    pub affinity: u64,
    /// How long calls wait; `None` is for ever.
    pub send_timeout: Option<Duration>,
    pub recv_timeout: Option<Duration>,
    pub reconnect: Reconnect,
    pub connect_timeout: Option<Duration>,
    pub handshake_interval: Option<Duration>,
    pub heartbeat: Heartbeat,
    /// The largest frame accepted; `None` is no limit.
    pub max_msg_size: Option<u64>,
    /// The same for all frames of a message together, with their heads.
    pub max_multipart_size: Option<u64>,
    /// How often a thread that waits gives way to others before it sleeps.
    pub spin: u32,
    pub backlog: i32,
    pub send_buffer: Option<usize>,
    /// At most so many bytes are read, or gathered to be written, at once.
    pub in_batch_size: Option<usize>,
    pub out_batch_size: Option<usize>,
    pub recv_buffer: Option<usize>,
    pub priority: u32,
    /// For how many microseconds the system polls the device before it waits; 0 leaves it alone.
    pub busy_poll: u32,
    pub tcp: Tcp,
    pub ipc: IpcFilters,
    /// What the file of an ipc listener may be used for, and by whom; `None` leaves it to the umask.
    pub ipc_mode: Option<u32>,
    /// A bind to an ipc path removes the file that is there, whosever it is.
    pub ipc_takeover: bool,
    /// A listening descriptor that the next bind adopts.
    pub use_fd: Option<Arc<OwnedFd>>,
    /// Connections carry bytes and not ZMTP: STREAM, and ROUTER with `router_raw`.
    pub raw: bool,
    /// On raw connections: an empty message tells of each connect and disconnect.
    pub stream_notify: bool,
    /// Application properties for the handshake, each `X-…`.
    pub metadata: Vec<(String, Bytes)>,
    pub pattern: PatternFlags,
    pub automatic: Automatic,
    pub router_notify: RouterNotify,
    pub multicast: Multicast,
    pub security: SecurityOptions,
}

impl Options {
    pub(crate) fn new(socket_type: SocketType) -> Self {
        Self {
            socket_type,
            routing_id: Bytes::new(),
            send_hwm: 1000,
            recv_hwm: 1000,
            conflate: false,
            immediate: false,
            affinity: 0,
            send_timeout: None,
            recv_timeout: None,
            reconnect: Reconnect {
                interval: Some(Duration::from_millis(100)),
                max: Duration::ZERO,
                growth: Growth::Doubling,
                stop: ReconnectStop::default(),
                stop_on_protocol_error: false,
            },
            connect_timeout: None,
            handshake_interval: Some(Duration::from_secs(30)),
            heartbeat: Heartbeat::default(),
            max_msg_size: None,
            max_multipart_size: None,
            spin: DEFAULT_SPIN,
            backlog: 100,
            send_buffer: None,
            in_batch_size: None,
            out_batch_size: None,
            recv_buffer: None,
            priority: 0,
            busy_poll: 0,
            tcp: Tcp::default(),
            ipc: IpcFilters::default(),
            ipc_mode: None,
            ipc_takeover: false,
            use_fd: None,
            raw: socket_type == SocketType::STREAM,
            stream_notify: true,
            metadata: Vec::new(),
            pattern: PatternFlags::default(),
            automatic: Automatic::default(),
            router_notify: RouterNotify::default(),
            multicast: Multicast {
                hops: 1,
                to_self: true,
            },
            security: SecurityOptions::default(),
        }
    }

    // ── messages that the engine makes ───────────────────────────────────────────────────────

    /// What the peer of each new connection gets first (`ZMQ_HELLO_MSG`).
    pub(crate) fn hello(&self) -> Option<Msg> {
        let applies = self.socket_type.says_hello() && !self.raw;
        automatic(applies, &self.automatic.hello)
    }

    /// What the application reads first of a new connection.
    pub(crate) fn coming(&self) -> impl Iterator<Item = Msg> + use<> {
        let told = self.tells_of_peers() && self.router_notify.connect;
        told.then(Msg::new).into_iter()
    }

    /// What the application reads last of a connection that is lost: one that was accepted, or one
    /// that is made again.
    pub(crate) fn going(&self, accepted: bool) -> impl Iterator<Item = Msg> + use<> {
        let told = self.tells_of_peers() && self.router_notify.disconnect;
        let notice = (told || (self.raw && self.stream_notify)).then(Msg::new);
        let message = if accepted {
            self.farewell()
        } else {
            self.hiccup()
        };
        notice.into_iter().chain(message.filter(|_| !self.raw))
    }

    fn tells_of_peers(&self) -> bool {
        self.socket_type == SocketType::ROUTER && !self.raw
    }

    /// What the application reads at the end of a peer that connected to us, or that is in this
    /// process (`ZMQ_DISCONNECT_MSG`).
    pub(crate) fn farewell(&self) -> Option<Msg> {
        automatic(
            self.socket_type.hears_farewells(),
            &self.automatic.disconnect,
        )
    }

    /// What the application reads when a connection that we made is lost (`ZMQ_HICCUP_MSG`).
    fn hiccup(&self) -> Option<Msg> {
        automatic(self.socket_type.hears_hiccups(), &self.automatic.hiccup)
    }
}

fn automatic(applies: bool, body: &Bytes) -> Option<Msg> {
    (applies && !body.is_empty()).then(|| Msg::copied(body))
}

/// Long enough for an answer from another thread of the process, and for a stream not to be put to
/// sleep by each short gap; some ten microseconds, if nobody else wants the core.
pub(crate) const DEFAULT_SPIN: u32 = 20;

/// The options of a socket, which it shares until the next change with its sessions, each of which
/// keeps what they were when it was made, and with sockets that were never told anything else.
#[derive(Clone, Debug)]
pub(crate) struct SharedOptions {
    options: Arc<Options>,
    /// The socket's own, and its sessions'.
    pub linger: Linger,
}

impl SharedOptions {
    pub(crate) fn new(options: Arc<Options>) -> Self {
        let linger = Linger::of(options.socket_type);
        Self { options, linger }
    }
}

impl Deref for SharedOptions {
    type Target = Options;

    fn deref(&self) -> &Options {
        &self.options
    }
}

impl DerefMut for SharedOptions {
    fn deref_mut(&mut self) -> &mut Options {
        Arc::make_mut(&mut self.options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_linger_time() {
        let options = SharedOptions::new(Arc::new(Options::new(SocketType::PUSH)));
        let session = options.clone();
        for limit in [None, Some(Duration::ZERO), Some(Duration::from_millis(5))] {
            options.linger.set(limit);
            assert_eq!(session.linger.get(), limit);
        }
    }

    #[track_caller]
    fn subnet(text: &str) -> Subnet {
        text.parse().expect("a subnet")
    }

    #[test]
    fn subnets_match_by_prefix() {
        let cases = [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("fe80::/10", "fe80::1", true),
            ("::/0", "2001:db8::1", true),
            ("fe80::/10", "2001:db8::1", false),
            ("::/0", "1.2.3.4", false),
        ];
        for (net, address, expected) in cases {
            let address = address.parse().unwrap();
            assert_eq!(subnet(net).contains(address), expected, "{net} {address}");
        }
    }

    #[test]
    fn bad_subnets_are_refused() {
        for text in [
            "",
            "x",
            "1.2.3.4/33",
            "::1/129",
            "1.2.3.4/",
            "1.2.3.4/-1",
            "/8",
        ] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }

    #[test]
    fn compatibility_is_mutual() {
        use SocketType::*;
        let all = [
            PAIR, PUB, SUB, REQ, REP, DEALER, ROUTER, PULL, PUSH, XPUB, XSUB, STREAM, SERVER,
            CLIENT, RADIO, DISH, GATHER, SCATTER, DGRAM, PEER, CHANNEL,
        ];
        for a in all {
            for b in all {
                assert_eq!(
                    a.accepts(b.name().as_bytes()),
                    b.accepts(a.name().as_bytes()),
                    "{a} {b}"
                );
            }
        }
    }
}
