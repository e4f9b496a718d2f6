//! What a session does with its pipe, seen from the socket's end; nothing is connected.

use super::*;
use crate::command::EndpointId;
use crate::io::poller::Poller;
use crate::monitor::EventSink;
use crate::options::{SharedOptions, SocketType};
use crate::signaler::ThreadStart;
use crate::slab::{Key, Slab};

fn context() -> IoContext {
    IoContext {
        thread: 0,
        registry: Poller::new().and_then(|poller| poller.registry()).unwrap(),
        mailbox: Arc::new(Mailbox::new()),
        resolver: Resolver::new("unused", ThreadStart::default()),
        input: Input::new(),
        now: poller::now(),
    }
}

fn key() -> Key {
    Slab::new().insert(())
}

/// A session that connects, and the socket's end of its pipe.
fn session(socket_type: SocketType) -> (SessionBase, PipeEnd) {
    let (mut ours, theirs) = pipe::pair(false);
    ours.set_hwm(1, 1);
    let parent = Parent {
        mailbox: Arc::new(Mailbox::new()),
        endpoint: EndpointId(1),
        options: SharedOptions::new(Arc::new(Options::new(socket_type))),
        events: EventSink::default(),
        doorkeeper: Arc::new(crate::command::Nobody),
        roster: Arc::default(),
        protocol: None,
    };
    let endpoint = Endpoint::for_connect("tcp://127.0.0.1:1").unwrap();
    let spec = SessionSpec {
        parent,
        link: LinkSpec::Connect(endpoint),
        pipe: Some(theirs),
    };
    let me = ChildId {
        thread: 0,
        key: key(),
    };
    (SessionBase::new(spec, me, &context()).0, ours)
}

fn named(identity: &'static str) -> Arc<Metadata> {
    let mut metadata = Metadata::new();
    metadata.insert(Metadata::IDENTITY, identity.as_bytes());
    Arc::new(metadata)
}

#[test]
fn a_peer_that_comes_back_is_not_introduced_again() {
    let (mut session, mut socket) = session(SocketType::DEALER);
    for _ in 0..3 {
        session.introduce(named("a"));
    }
    assert_eq!(socket.unread(), 1);
}

#[test]
fn a_successor_is_introduced_when_it_says_something() {
    let (mut session, mut socket) = session(SocketType::DEALER);
    for name in ["a", "b", "c"] {
        session.introduce(named(name));
        assert_eq!(socket.unread(), 1);
    }
    session.deliver("hello".into());
    session.flush_pipe();
    let Pop::Item(message) = socket.read() else {
        panic!("nothing was delivered");
    };
    assert_eq!(message.gets("Identity"), Some("c"));
    session.introduce(named("c"));
    session.deliver("again".into());
    session.flush_pipe();
    assert_eq!(socket.unread(), 2 + "again".len());
}

#[test]
fn who_receives_nothing_is_given_nothing() {
    let (mut session, mut socket) = session(SocketType::PUSH);
    session.introduce(named("a"));
    session.deliver("hello".into());
    session.flush_pipe();
    assert_eq!(socket.unread(), 1);
}
