//! One side goes and comes back, and the other finds it again.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

use crate::*;

both_ways!(
    the_one_that_binds_comes_back,
    the_one_that_connects_comes_back,
    a_publisher_comes_back,
    a_server_comes_back,
    a_router_comes_back,
    again_and_again,
    connected_before_it_is_bound,
    messages_that_wait_are_delivered_at_the_end,
);

const QUICKLY: Duration = Duration::from_millis(20);

/// An endpoint to which sockets can be bound one after the other, and no other test's in between.
struct Place {
    endpoint: String,
    /// What keeps it ours: a port that is bound and not listened on, or a directory.
    _reserved: Box<dyn std::any::Any>,
}

impl Place {
    fn new(link: &Link) -> Self {
        if link.wildcard == TCP {
            Self::port()
        } else {
            Self::file()
        }
    }

    fn port() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self {
            endpoint: format!("tcp://{address}"),
            _reserved: Box::new(socket),
        }
    }

    fn file() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            endpoint: format!("ipc://{}", directory.path().join("socket").display()),
            _reserved: Box::new(directory),
        }
    }
}

#[track_caller]
fn bound_at(link: &Link, socket_type: SocketType, endpoint: &str) -> End {
    let end = link.binding(socket_type);
    end.bind(endpoint);
    end
}

#[track_caller]
fn connected_to(link: &Link, socket_type: SocketType, endpoint: &str) -> End {
    let end = link.connecting(socket_type);
    end.set_reconnect(QUICKLY);
    end.connect(endpoint);
    end
}

/// Sends until one arrives; some may be lost with the connection that carried them.
#[track_caller]
fn get_through(sender: &End, receiver: &End, text: &str) {
    wait_until(|| {
        sender.try_send(&[text]);
        receiver.is_readable_within(Duration::from_millis(5))
    });
    receiver.expect(&[text]);
}

fn the_one_that_binds_comes_back(link: &Link) {
    let place = Place::new(link);
    let pull = bound_at(link, PULL, &place.endpoint);
    let push = connected_to(link, PUSH, &place.endpoint);
    push.send(&["before"]);
    pull.expect(&["before"]);
    drop(pull);
    let pull = bound_at(link, PULL, &place.endpoint);
    get_through(&push, &pull, "after");
}

fn the_one_that_connects_comes_back(link: &Link) {
    let push = link.bound(PUSH);
    for text in ["before", "after", "and again"] {
        let pull = link.connected(PULL, &push);
        get_through(&push, &pull, text);
    }
}

/// Its subscribers subscribe again, without being asked.
fn a_publisher_comes_back(link: &Link) {
    let place = Place::new(link);
    let publisher = bound_at(link, XPUB, &place.endpoint);
    let subscriber = connected_to(link, SUB, &place.endpoint);
    for topic in ["one", "two"] {
        subscriber.subscribe(topic);
        publisher.recv();
    }
    subscriber.unsubscribe("one");
    publisher.expect(&["\0one"]);
    drop(publisher);
    let publisher = bound_at(link, XPUB, &place.endpoint);
    wait_until(|| {
        subscriber.is_readable_within(Duration::ZERO);
        publisher.is_readable_within(Duration::from_millis(5))
    });
    publisher.expect(&["\x01two"]);
    publisher.send(&["one"]);
    publisher.send(&["two"]);
    subscriber.expect(&["two"]);
}

fn a_server_comes_back(link: &Link) {
    let place = Place::new(link);
    let rep = bound_at(link, REP, &place.endpoint);
    let req = connected_to(link, REQ, &place.endpoint);
    req.send(&["?"]);
    rep.expect(&["?"]);
    rep.send(&["!"]);
    req.expect(&["!"]);
    drop(rep);
    // A request that is sent into the old connection has no answer; one to the new one has.
    let rep = bound_at(link, REP, &place.endpoint);
    let second = connected_to(link, REQ, &place.endpoint);
    second.send(&["??"]);
    rep.expect(&["??"]);
    rep.send(&["!!"]);
    second.expect(&["!!"]);
}

/// A peer is known again by the id it chose.
fn a_router_comes_back(link: &Link) {
    let place = Place::new(link);
    let router = bound_at(link, ROUTER, &place.endpoint);
    let dealer = link.connecting(DEALER);
    dealer.set_identity(b"somebody");
    dealer.set_reconnect(QUICKLY);
    dealer.connect(&place.endpoint);
    dealer.send(&["hello"]);
    router.expect(&["somebody", "hello"]);
    drop(router);
    let router = bound_at(link, ROUTER, &place.endpoint);
    router.set_mandatory();
    wait_until(|| router.try_send(&["somebody", "are you there?"]));
    dealer.expect(&["are you there?"]);
}

fn again_and_again(link: &Link) {
    let place = Place::new(link);
    let pair = connected_to(link, PAIR, &place.endpoint);
    for n in 0..10 {
        let bound = bound_at(link, PAIR, &place.endpoint);
        get_through(&bound, &pair, &format!("round {n}"));
        get_through(&pair, &bound, &format!("round {n}"));
        // What was sent more than once.
        while pair.is_readable_within(QUICKLY) {
            pair.recv();
        }
    }
}

fn connected_before_it_is_bound(link: &Link) {
    let place = Place::new(link);
    let push = connected_to(link, PUSH, &place.endpoint);
    for n in 0..100 {
        push.send(&[n.to_string()]);
    }
    let pull = bound_at(link, PULL, &place.endpoint);
    for n in 0..100 {
        pull.expect(&[n.to_string()]);
    }
}

/// A socket that is closed delivers what it was given, within its linger time.
fn messages_that_wait_are_delivered_at_the_end(link: &Link) {
    let (pull, push) = link.pair(PULL, PUSH);
    push.set_linger(LIMIT);
    for n in 0..500 {
        push.send(&[n.to_string().repeat(1000)]);
    }
    drop(push);
    for n in 0..500 {
        pull.expect(&[n.to_string().repeat(1000)]);
    }
}
