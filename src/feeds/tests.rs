//! Feeds and a pattern on one thread; the test delivers the commands.

use super::*;
use crate::options::SocketType::{self, PUB, PUSH};
use crate::pattern::{Origin, PatternOption, for_type};
use crate::pipe;
use crate::routing::testing::{Link, Peer, Wires, frames, message};

/// What a socket has of this.
struct Fed {
    feeds: Feeds,
    mailbox: Arc<Mailbox<SocketCmd>>,
    pattern: Box<dyn Pattern>,
    wires: Wires,
}

/// A sender's side of a feed hears nothing here: the test looks for itself.
#[derive(Debug)]
struct Deaf;

impl PipePeer for Deaf {
    fn post(&self, _to: Key, _event: PipeEvent) {}
}

impl Fed {
    fn new(socket_type: SocketType) -> Self {
        Self {
            feeds: Feeds::new(),
            mailbox: Arc::new(Mailbox::new()),
            pattern: for_type(socket_type),
            wires: Wires::new(),
        }
    }

    fn connect_hwm(&mut self, hwm: u32) -> Peer {
        let (key, peer) = self.wires.link(Link {
            hwm: (hwm, hwm),
            ..Link::default()
        });
        let origin = Origin::default();
        self.pattern.attach(&mut self.wires.pipes, key, origin);
        self.deliver();
        peer
    }

    /// A sender's end of a new feed.
    fn sender(&mut self) -> PipeEnd {
        let (mut ours, theirs) = pipe::pair(false);
        ours.set_hwm(0, 0);
        ours.attach(Arc::new(Deaf), Key::from_bits(0));
        self.feeds.add(theirs, &self.mailbox);
        ours
    }

    /// What the socket does when it reacts to commands.
    fn deliver(&mut self) {
        for (key, event) in self.wires.deliver() {
            let pipes = &mut self.wires.pipes;
            match event {
                PipeEvent::Readable => self.pattern.on_readable(pipes, key),
                PipeEvent::Writable => self.pattern.on_writable(pipes, key),
                _ => {}
            }
        }
        for command in self.mailbox.clone().drain() {
            if let SocketCmd::Feed(key, event) = command {
                self.feeds.on_event(key, event);
            }
        }
    }

    fn pump(&mut self) -> bool {
        self.deliver();
        self.feeds.pump(&mut *self.pattern, &mut self.wires.pipes)
    }

    fn hear(&mut self, peer: Peer) -> Option<Vec<Vec<u8>>> {
        self.deliver();
        let heard = self.wires.hear(peer);
        self.deliver();
        heard
    }
}

fn send(sender: &mut PipeEnd, bodies: &[&str]) {
    for mut frame in message(bodies) {
        sender.write(&mut frame).expect("there is no limit");
    }
    sender.flush();
}

#[test]
fn whole_messages_are_moved_from_each_feed_in_turn() {
    let mut push = Fed::new(PUSH);
    let peer = push.connect_hwm(0);
    let (mut a, mut b) = (push.sender(), push.sender());
    send(&mut a, &["1", "of a"]);
    send(&mut a, &["2", "of a"]);
    send(&mut b, &["1", "of b"]);
    assert!(!push.pump());
    for expected in [["1", "of a"], ["1", "of b"], ["2", "of a"]] {
        assert_eq!(push.hear(peer), Some(frames(&expected)));
    }
}

#[test]
fn what_finds_no_room_stays_in_the_feed() {
    let mut push = Fed::new(PUSH);
    let mut sender = push.sender();
    send(&mut sender, &["1"]);
    send(&mut sender, &["2"]);
    assert!(!push.pump());
    let peer = push.connect_hwm(1);
    push.pump();
    assert_eq!(push.hear(peer), Some(frames(&["1"])));
    assert_eq!(push.hear(peer), None);
    push.pump();
    assert_eq!(push.hear(peer), Some(frames(&["2"])));
}

#[test]
fn a_refused_message_outlives_its_sender() {
    let mut publisher = Fed::new(PUB);
    let pipes = &mut publisher.wires.pipes;
    let nodrop = PatternOption::XpubNodrop(true);
    publisher.pattern.set(pipes, nodrop).unwrap();
    let inverted = PatternOption::InvertMatching(true);
    publisher
        .pattern
        .set(&mut publisher.wires.pipes, inverted)
        .unwrap();
    let peer = publisher.connect_hwm(1);
    let mut sender = publisher.sender();
    send(&mut sender, &["1"]);
    send(&mut sender, &["2"]);
    publisher.pump();
    drop(sender);
    assert!(!publisher.pump());
    assert!(!publisher.feeds.are_empty(), "one message was refused");
    assert_eq!(publisher.hear(peer), Some(frames(&["1"])));
    publisher.pump();
    assert_eq!(publisher.hear(peer), Some(frames(&["2"])));
    assert!(publisher.feeds.are_empty());
}

#[test]
fn a_sender_that_leaves_nothing_is_not_waited_for() {
    let mut push = Fed::new(PUSH);
    let inlet = push.feeds.inlet(&push.mailbox.clone());
    let mut sender = push.sender();
    let unused = push.sender();
    drop((unused, inlet));
    push.pump();
    assert!(!push.feeds.are_empty());
    send(&mut sender, &["x"]);
    drop(sender);
    push.pump();
    assert!(!push.feeds.are_empty(), "there is no peer to send it to");
    let peer = push.connect_hwm(1);
    push.pump();
    assert_eq!(push.hear(peer), Some(frames(&["x"])));
    push.pump();
    assert!(push.feeds.are_empty());
}

#[test]
fn the_owner_gets_its_turn() {
    let mut push = Fed::new(PUSH);
    push.connect_hwm(0);
    let mut sender = push.sender();
    for _ in 0..2 * BUDGET - 1 {
        send(&mut sender, &["x"]);
    }
    assert!(push.pump());
    assert!(!push.pump());
}

#[test]
fn the_socket_hears_when_its_last_sender_is_gone() {
    let mut push = Fed::new(PUSH);
    let mailbox = push.mailbox.clone();
    let (first, second) = (push.feeds.inlet(&mailbox), push.feeds.inlet(&mailbox));
    drop(first);
    assert!(push.feeds.have_senders());
    assert!(!mailbox.is_pending());
    drop(second);
    assert!(!push.feeds.have_senders());
    assert!(mailbox.is_pending());
}
