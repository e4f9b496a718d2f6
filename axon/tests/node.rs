//! Sockets of Node's `axon` and `pm2-axon` as peers: every pair, either side of it in Rust, either side
//! bound, over tcp and unix sockets, with either side restarted, and many messages.
//!
//! Node's side is `node/peer.js`, with the packages of npm. Without Node these tests say that they are
//! skipped.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/node.rs"]
mod node;

#[path = "node/flood.rs"]
mod flood;
#[path = "node/pairs.rs"]
mod pairs;
#[path = "node/restart.rs"]
mod restart;
#[path = "node/rpc.rs"]
mod rpc;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use ferrozmq::Ctx;
use ferrozmq_axon::{
    Event, Events, Message, Options, Overflow, Pattern, Pub, PubEmitter, Pull, Push, Regex, Rep,
    Req, Sub, SubEmitter, Value,
};
use node::{Family, LIMIT, Peer};
use serde_json::{Value as Any, json};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

/// How the two sides talk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Transport {
    Tcp,
    Unix,
}

/// One way to set up a test.
#[derive(Clone, Copy, Debug)]
struct Setup {
    family: Family,
    transport: Transport,
    /// Whether our side is the one that is bound.
    we_bind: bool,
}

impl Setup {
    fn all() -> impl Iterator<Item = Self> {
        let transports = [Transport::Tcp, Transport::Unix];
        Family::BOTH.into_iter().flat_map(move |family| {
            transports.into_iter().flat_map(move |transport| {
                [true, false].map(|we_bind| Self {
                    family,
                    transport,
                    we_bind,
                })
            })
        })
    }
}

/// Where the sides meet: a port or a path.
#[derive(Debug)]
struct Place {
    transport: Transport,
    /// Has the port and does not listen, so that nobody else is given it while neither side is bound.
    held: Socket,
    directory: TempDir,
}

impl Place {
    fn new(transport: Transport) -> Self {
        let held = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        held.set_reuse_address(true).unwrap();
        let any_port: SocketAddr = "127.0.0.1:0".parse().unwrap();
        held.bind(&any_port.into()).unwrap();
        Self {
            transport,
            held,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("axon.sock")
    }

    fn endpoint(&self) -> String {
        match self.transport {
            Transport::Tcp => {
                let address = self.held.local_addr().unwrap().as_socket().unwrap();
                format!("tcp://{address}")
            }
            Transport::Unix => format!("unix://{}", self.path().display()),
        }
    }
}

/// The socket types on our side, and what is on the other.
const TYPES: [(&str, &str); 8] = [
    ("push", "pull"),
    ("pull", "push"),
    ("pub", "sub"),
    ("sub", "pub"),
    ("pub-emitter", "sub-emitter"),
    ("sub-emitter", "pub-emitter"),
    ("req", "rep"),
    ("rep", "req"),
];

/// A socket of ours of any type.
#[derive(Debug)]
enum Ours {
    Push(Push),
    Pull(Pull),
    Pub(Pub),
    Sub(Sub),
    PubEmitter(PubEmitter),
    SubEmitter(SubEmitter, Receiver<Message>),
    Req(Req),
    Rep(Rep),
}

macro_rules! each {
    ($ours:expr, $socket:ident => $act:expr) => {
        match $ours {
            Ours::Push($socket) => $act,
            Ours::Pull($socket) => $act,
            Ours::Pub($socket) => $act,
            Ours::Sub($socket) => $act,
            Ours::PubEmitter(emitter) => {
                let $socket = emitter.socket();
                $act
            }
            Ours::SubEmitter(emitter, _) => {
                let $socket = emitter.socket();
                $act
            }
            Ours::Req($socket) => $act,
            Ours::Rep($socket) => $act,
        }
    };
}

impl Ours {
    fn open(ctx: &Ctx, socket_type: &str) -> Self {
        // A publisher loses nothing while it waits for its subscribers.
        let options = &Options::new().overflow(match socket_type {
            "pub" | "pub-emitter" => Overflow::Wait,
            _ => Overflow::default(),
        });
        match socket_type {
            "push" => Self::Push(Push::with_options(ctx, options).unwrap()),
            "pull" => Self::Pull(Pull::with_options(ctx, options).unwrap()),
            "pub" => Self::Pub(Pub::with_options(ctx, options).unwrap()),
            "sub" => Self::Sub(Sub::with_options(ctx, options).unwrap()),
            "pub-emitter" => Self::PubEmitter(PubEmitter::with_options(ctx, options).unwrap()),
            "sub-emitter" => {
                let mut emitter = SubEmitter::with_options(ctx, options).unwrap();
                let (heard, hears): (Sender<Message>, _) = crossbeam_channel::unbounded();
                emitter.on("topic:*", move |event| {
                    assert_eq!(event.captures, ["x"]);
                    heard.send(event.message.clone()).unwrap();
                });
                Self::SubEmitter(emitter, hears)
            }
            "req" => Self::Req(Req::with_options(ctx, options).unwrap()),
            "rep" => Self::Rep(Rep::with_options(ctx, options).unwrap()),
            other => panic!("nobody knows {other}"),
        }
    }

    fn bind(&self, place: &Place) {
        each!(self, socket => socket.bind(place.endpoint()).unwrap());
    }

    fn connect(&self, place: &Place) {
        each!(self, socket => socket.connect(place.endpoint()).unwrap());
    }

    fn events(&self) -> Events {
        each!(self, socket => socket.events().unwrap())
    }

    /// Sends a message, without waiting for what comes of it.
    fn send(&self, args: &[Value]) {
        match self {
            Self::Push(push) => push.send(args).unwrap(),
            Self::Pub(publisher) => publisher.send(args).unwrap(),
            Self::PubEmitter(emitter) => emitter.emit("topic:x", args).unwrap(),
            other => panic!("{other:?} does not send"),
        }
    }

    /// The next message.
    fn recv(&mut self) -> Message {
        match self {
            Self::Pull(pull) => pull.recv_timeout(LIMIT).unwrap(),
            Self::Sub(sub) => sub.recv_timeout(LIMIT).unwrap(),
            Self::SubEmitter(emitter, heard) => {
                assert_eq!(emitter.dispatch_timeout(LIMIT).unwrap(), 1);
                heard.try_recv().unwrap()
            }
            other => panic!("{other:?} does not receive"),
        }
    }
}

/// Both sides of a connection.
#[derive(Debug)]
struct Both {
    ours: Ours,
    events: Events,
    theirs: Peer,
    place: Place,
    setup: Setup,
    types: (&'static str, &'static str),
    /// Ends after our socket.
    _ctx: Ctx,
}

impl Both {
    /// Opens both sides, bound and connected; `None` without Node.
    fn open(setup: Setup, types: (&'static str, &'static str)) -> Option<Self> {
        let theirs = Self::peer(setup, types)?;
        let ctx = Ctx::new();
        let ours = Ours::open(&ctx, types.0);
        let mut both = Self {
            events: ours.events(),
            ours,
            theirs,
            place: Place::new(setup.transport),
            setup,
            types,
            _ctx: ctx,
        };
        if setup.we_bind {
            both.ours.bind(&both.place);
            both.theirs.connect(&both.place.endpoint());
        } else {
            both.bind_peer();
            both.ours.connect(&both.place);
        }
        both.wait_connected();
        Some(both)
    }

    fn peer(setup: Setup, types: (&str, &str)) -> Option<Peer> {
        let mut peer = Peer::start(setup.family, types.1)?;
        if types.1 == "sub-emitter" {
            peer.does(json!({"do": "on", "pattern": "topic:*"}));
        }
        Some(peer)
    }

    fn bind_peer(&mut self) {
        self.theirs.bind(json!(self.place.endpoint()));
    }

    /// Waits until each side knows the other.
    fn wait_connected(&mut self) {
        let connected = |event: &Event| matches!(event, Event::Connect { .. });
        self.event("connect", connected);
        self.theirs.expect("connect");
    }

    fn wait_disconnected(&mut self) {
        self.event("disconnect", |event| {
            matches!(event, Event::Disconnect { .. })
        });
    }

    fn event(&mut self, name: &str, is_it: impl Fn(&Event) -> bool) -> Event {
        let found = self.events.wait_for(LIMIT, is_it);
        found.unwrap_or_else(|| panic!("no {name} with {:?} and {:?}", self.setup, self.types))
    }

    /// Kills the peer and starts another one. `meanwhile` is done when we know that it is gone.
    fn restart_peer(&mut self, meanwhile: impl FnOnce(&mut Self)) {
        let theirs = Self::peer(self.setup, self.types).unwrap();
        std::mem::replace(&mut self.theirs, theirs).kill();
        self.wait_disconnected();
        meanwhile(self);
        if self.setup.we_bind {
            let at = self.place.endpoint();
            self.theirs.connect(&at);
        } else {
            if self.setup.family == Family::Axon && self.setup.transport == Transport::Unix {
                // It cannot take over the file of the one that was killed.
                std::fs::remove_file(self.place.path()).unwrap();
            }
            self.bind_peer();
        }
        self.wait_connected();
    }

    /// Ends our side and opens another. `meanwhile` is done when the peer knows that we are gone.
    fn restart_us(&mut self, meanwhile: impl FnOnce(&mut Self)) {
        let ctx = Ctx::new();
        let ours = Ours::open(&ctx, self.types.0);
        self.events = ours.events();
        drop(std::mem::replace(&mut self.ours, ours));
        // Waits for the end of the socket: the address is free then.
        drop(std::mem::replace(&mut self._ctx, ctx));
        let lost = if self.setup.we_bind {
            "reconnect attempt"
        } else {
            "disconnect"
        };
        self.theirs.expect(lost);
        meanwhile(self);
        if self.setup.we_bind {
            self.ours.bind(&self.place);
        } else {
            self.ours.connect(&self.place);
        }
        self.wait_connected();
    }

    /// One message in the direction of the pair, and a reply to it if there are any.
    fn exchange(&mut self, args: &Any) {
        let values: Vec<Value> = args.as_array().unwrap().iter().map(value).collect();
        let context = format!("{:?} {:?}", self.setup, self.types);
        match &mut self.ours {
            Ours::Req(req) => {
                let reply = req.request(values.as_slice(), LIMIT).unwrap();
                let mut args = args.clone();
                // Node replies so where the first argument is what it takes for false.
                if args[0] == "" {
                    args[0] = Any::Null;
                }
                assert_eq!(any(&reply), args, "{context}");
            }
            Ours::Rep(rep) => {
                self.theirs.does(json!({"do": "request", "args": args}));
                let request = rep.recv_timeout(LIMIT).unwrap();
                assert_eq!(any(request.message()), *args, "{context}");
                request.reply(request.message()).unwrap();
                assert_eq!(self.theirs.expect("reply")["args"], *args, "{context}");
            }
            ours @ (Ours::Push(_) | Ours::Pub(_) | Ours::PubEmitter(_)) => {
                ours.send(&values);
                assert_eq!(received(&mut self.theirs), *args, "{context}");
            }
            ours => {
                send(&mut self.theirs, args);
                assert_eq!(any(&ours.recv()), *args, "{context}");
            }
        }
    }
}

/// Has the peer send a message of its type.
fn send(peer: &mut Peer, args: &Any) {
    let mut args = args.clone();
    if peer.socket() == "pub-emitter" {
        args.as_array_mut().unwrap().insert(0, json!("topic:x"));
    }
    peer.send(args);
}

/// The next message that the peer has received.
fn received(peer: &mut Peer) -> Any {
    if peer.socket() != "sub-emitter" {
        return peer.message();
    }
    let mut args = peer.expect("call")["args"].take();
    assert_eq!(
        args.as_array_mut().unwrap().remove(0),
        json!("x"),
        "what the star stands for"
    );
    args
}

/// A value as it is told to the peer.
fn value(any: &Any) -> Value {
    match any.get("$buffer").and_then(Any::as_str) {
        Some(hex) => {
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            Value::from((0..hex.len()).step_by(2).map(byte).collect::<Vec<_>>())
        }
        None => Value::from(any.clone()),
    }
}

/// A message as the peer would tell of it.
fn any(message: &Message) -> Any {
    let args = message
        .to_values()
        .unwrap()
        .into_iter()
        .map(|value| match value {
            Value::Str(text) => json!(text),
            Value::Json(json) => json,
            Value::Bytes(bytes) => {
                let hex = bytes.iter().map(|byte| format!("{byte:02x}"));
                json!({"$buffer": hex.collect::<String>()})
            }
        });
    args.collect()
}

/// Messages of everything there is.
fn messages() -> Vec<Any> {
    vec![
        json!(["hello"]),
        json!(["", "é🚀\u{2028}\n\"\\\u{0}"]),
        json!([1, 0, -7, 1.5, 1e21, true, false, null]),
        json!(["x", {"a": [1, {"b": null}], "ä": "\u{1}"}, []]),
        json!([{"$buffer": "000102ff"}, "behind"]),
        json!(["before", {"$buffer": ""}, "behind"]),
        json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14][..13]),
        json!(["x".repeat(300_000), {"$buffer": "ab".repeat(100_000)}, "end"]),
        json!(["end"]),
    ]
}

/// How long what is not to happen is waited for.
const SHORT: Duration = Duration::from_millis(100);
