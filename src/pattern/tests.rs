//! What holds for every pattern, whatever its peers and its application do.

use super::*;
use crate::routing::testing::{Frames, Link, Peer};
use proptest::prelude::*;
use testing::Rig;

#[derive(Clone, Debug)]
enum Op {
    Connect(u8, u32),
    Say(usize, Frames),
    HearAll(usize),
    HangUp(usize),
    Disconnect(usize),
    Send(Vec<u8>, bool),
    Recv,
}

/// Bodies that mean something: delimiters, names, automatic names.
fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(vec![]),
        Just(vec![b'A']),
        Just(vec![b'B']),
        Just(vec![0, 0, 0, 0, 1]),
        Just(b"body".to_vec()),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (0..4u8, 1..4u32).prop_map(|(name, hwm)| Op::Connect(name, hwm)),
        6 => (0..9usize, prop::collection::vec(body(), 1..5)).prop_map(|(n, m)| Op::Say(n, m)),
        2 => (0..9usize).prop_map(Op::HearAll),
        1 => (0..9usize).prop_map(Op::HangUp),
        1 => (0..9usize).prop_map(Op::Disconnect),
        6 => (body(), any::<bool>()).prop_map(|(body, more)| Op::Send(body, more)),
        6 => Just(Op::Recv),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 0..80)
}

const NAMES: [Option<&[u8]>; 4] = [None, Some(b""), Some(b"A"), Some(b"\0\0\0\0\x01")];

struct Life<P> {
    rig: Rig<P>,
    peers: Vec<Peer>,
    /// Whether the last frame received, or sent, has others behind it.
    receiving: bool,
    sending: bool,
    /// Whether to send is to give up what is being received.
    relaxed: bool,
}

impl<P: Pattern> Life<P> {
    fn new(pattern: P) -> Self {
        Self {
            rig: Rig::new(pattern),
            peers: Vec::new(),
            receiving: false,
            sending: false,
            relaxed: false,
        }
    }

    fn connect(&mut self, name: u8, hwm: u32) {
        let link = Link {
            hwm: (hwm, 1000),
            identity: NAMES[usize::from(name)],
            ..Link::default()
        };
        let peer = self.rig.connect_by(link, Origin::default());
        self.peers.push(peer);
    }

    fn recv(&mut self) {
        let expected = self.rig.can_recv();
        let received = self.rig.recv_frame();
        assert_eq!(expected, received.is_ok());
        assert!(expected || !self.receiving, "half a message was received");
        self.receiving = received.is_ok_and(|frame| frame.more());
        self.rig.deliver();
    }

    /// A frame that cannot be sent is given back, and never when its message has been begun.
    fn send(&mut self, body: &[u8], more: bool) {
        let mut frame = Msg::copied(body);
        frame.set_more(more);
        let possible = self.rig.can_send();
        assert!(possible || !self.sending, "half a message was sent");
        let pipes = &mut self.rig.wires.pipes;
        match self.rig.pattern.send(pipes, &mut frame) {
            Ok(()) => {
                assert!(possible);
                self.sending = more;
                self.receiving &= !self.relaxed;
            }
            Err(_) => {
                assert!(!self.sending, "half a message was sent");
                assert!(frame == *body && frame.more() == more);
            }
        }
        self.rig.deliver();
    }

    fn with_peer(&mut self, n: usize, act: impl FnOnce(&mut Rig<P>, Peer)) {
        if !self.peers.is_empty() {
            act(&mut self.rig, self.peers[n % self.peers.len()]);
        }
    }

    fn act(&mut self, op: Op) {
        match op {
            Op::Connect(name, hwm) => self.connect(name, hwm),
            Op::Recv => self.recv(),
            Op::Send(body, more) => self.send(&body, more),
            Op::Disconnect(n) => self.with_peer(n, |rig, peer| rig.disconnect(peer)),
            Op::HearAll(n) => self.with_peer(n, |rig, peer| {
                rig.hear_all(peer);
            }),
            Op::Say(n, message) => self.with_peer(n, |rig, peer| rig.try_say(peer, &message)),
            Op::HangUp(n) => self.with_peer(n, Rig::hang_up),
        }
    }

    /// In the end nobody is left, and nothing.
    fn end(mut self) {
        for peer in self.peers.clone() {
            self.rig.hang_up(peer);
        }
        while self.rig.can_recv() {
            self.recv();
        }
        for key in self.rig.wires.pipes.keys() {
            self.rig.pattern.detach(&mut self.rig.wires.pipes, key);
        }
        assert!(self.rig.wires.pipes.is_empty());
        assert!(!self.rig.can_recv() && !self.receiving);
    }
}

fn live<P: Pattern>(pattern: P, options: Vec<PatternOption>, ops: Vec<Op>) {
    let mut life = Life::new(pattern);
    life.relaxed = matches!(options[..], [PatternOption::ReqRelaxed(true), ..]);
    options.into_iter().for_each(|option| life.rig.set(option));
    ops.into_iter().for_each(|op| life.act(op));
    life.end();
}

#[test]
fn without_peers_only_those_that_may_drop_can_send() {
    for (socket_type, can_send) in [
        (SocketType::PAIR, false),
        (SocketType::REQ, false),
        (SocketType::REP, false),
        (SocketType::DEALER, false),
        (SocketType::ROUTER, true),
        (SocketType::PULL, false),
        (SocketType::PUSH, false),
        (SocketType::STREAM, true),
        (SocketType::SERVER, true),
        (SocketType::CLIENT, false),
        (SocketType::RADIO, true),
        (SocketType::DISH, false),
        (SocketType::GATHER, false),
        (SocketType::SCATTER, false),
        (SocketType::DGRAM, false),
        (SocketType::PEER, true),
        (SocketType::CHANNEL, false),
    ] {
        let (mut pattern, mut pipes) = (for_type(socket_type), Pipes::new());
        assert_eq!(pattern.can_send(&mut pipes), can_send, "{socket_type:?}");
        assert!(!pattern.can_recv(&mut pipes), "{socket_type:?}");
    }
    assert!(raw_router().can_send(&mut Pipes::new()));
}

proptest! {
    #[test]
    fn pair_keeps_its_word(ops in ops()) {
        live(pair::Pair::default(), vec![], ops);
    }

    #[test]
    fn push_keeps_its_word(ops in ops()) {
        live(pipeline::Push::default(), vec![], ops);
    }

    #[test]
    fn pull_keeps_its_word(ops in ops()) {
        live(pipeline::Pull::default(), vec![], ops);
    }

    #[test]
    fn dealer_keeps_its_word(probe in any::<bool>(), ops in ops()) {
        live(dealer::Dealer::default(), vec![PatternOption::ProbeRouter(probe)], ops);
    }

    #[test]
    fn router_keeps_its_word(mandatory in any::<bool>(), handover in any::<bool>(), ops in ops()) {
        let options = vec![
            PatternOption::RouterMandatory(mandatory),
            PatternOption::RouterHandover(handover),
        ];
        live(router::Router::new(), options, ops);
    }

    #[test]
    fn stream_keeps_its_word(ops in ops()) {
        live(stream::Stream::new(), vec![], ops);
    }

    #[test]
    fn req_keeps_its_word(relaxed in any::<bool>(), correlate in any::<bool>(), ops in ops()) {
        let options = vec![
            PatternOption::ReqRelaxed(relaxed),
            PatternOption::ReqCorrelate(correlate),
        ];
        live(req::Req::new(), options, ops);
    }

    #[test]
    fn client_keeps_its_word(ops in ops()) {
        live(Single::new(dealer::Dealer::default()), vec![], ops);
    }

    #[test]
    fn channel_keeps_its_word(ops in ops()) {
        live(Single::new(pair::Pair::default()), vec![], ops);
    }

    #[test]
    fn scatter_and_gather_keep_their_word(ops in ops()) {
        live(Single::new(pipeline::Push::default()), vec![], ops.clone());
        live(Single::new(pipeline::Pull::default()), vec![], ops);
    }

    #[test]
    fn server_keeps_its_word(ops in ops()) {
        live(Single::new(server::Server::new()), vec![], ops);
    }

    #[test]
    fn radio_and_dish_keep_their_word(nodrop in any::<bool>(), ops in ops()) {
        live(radio::Radio::default(), vec![PatternOption::XpubNodrop(nodrop)], ops.clone());
        live(dish::Dish::default(), vec![PatternOption::Join("".into())], ops);
    }

    #[test]
    fn rep_keeps_its_word(ops in ops()) {
        live(rep::Rep::default(), vec![], ops);
    }
}
