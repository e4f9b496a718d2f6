//! PLAIN, and NULL with a domain: each library judges the other by its own ZAP handler.

use std::thread::JoinHandle;

use crate::*;

both_ways!(
    a_password_lets_in,
    a_wrong_password_keeps_out,
    every_pattern_is_secured,
    null_peers_are_judged_by_their_address,
    a_lost_connection_is_secured_again,
    many_messages_are_secured,
);

const HANDLER: &str = "inproc://zeromq.zap.01";

/// What a handler thinks of a request, whose first frame is the version.
fn reply(request: &[Vec<u8>]) -> [&'static str; 6] {
    let known = match &request[5..] {
        [plain, username, password] => {
            plain == b"PLAIN" && username == b"admin" && password == b"secret"
        }
        [null] => null == b"NULL",
        _ => false,
    };
    let status = if known { "200" } else { "400" };
    ["1.0", "1", status, "text", "admin", ""]
}

/// A handler in the context of each library, until it is dropped.
struct Judges {
    stop: [Box<dyn Fn()>; 2],
    threads: Vec<JoinHandle<()>>,
}

impl Judges {
    fn new(link: &Link) -> Self {
        let ours = link.ours.socket(REP).unwrap();
        ours.bind(HANDLER).unwrap();
        let our_thread = std::thread::spawn(move || {
            while let Ok(request) = ours.recv_multipart(0) {
                let request: Vec<_> = request.iter().map(|frame| frame.to_vec()).collect();
                ours.send_multipart(reply(&request), 0).unwrap();
            }
        });
        let theirs = link.theirs.socket(zmq::REP).unwrap();
        theirs.bind(HANDLER).unwrap();
        let their_thread = std::thread::spawn(move || {
            loop {
                let request = theirs.recv_multipart(0).unwrap();
                if request.len() == 1 {
                    return;
                }
                theirs.send_multipart(reply(&request), 0).unwrap();
            }
        });
        let stopper = link.theirs.socket(zmq::REQ).unwrap();
        stopper.connect(HANDLER).unwrap();
        let ctx = link.ours.clone();
        Self {
            stop: [
                Box::new(move || ctx.shutdown()),
                Box::new(move || stopper.send("stop", 0).unwrap()),
            ],
            threads: vec![our_thread, their_thread],
        }
    }
}

impl Drop for Judges {
    fn drop(&mut self) {
        for stop in &self.stop {
            stop();
        }
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "it panics");
        }
    }
}

/// A server that is bound, and a client with this password.
fn pair(link: &Link, types: [SocketType; 2], password: &str) -> (End, End) {
    let server = link.binding(types[0]);
    server.set_plain_server();
    server.bind(&link.address());
    let client = link.connecting(types[1]);
    client.set_plain_client("admin", password);
    client.connect(&server.endpoint());
    (server, client)
}

fn a_password_lets_in(link: &Link) {
    let _judges = Judges::new(link);
    let (server, client) = pair(link, [PULL, PUSH], "secret");
    client.send(&["hello"]);
    let user_id = server.recv_property("User-Id");
    assert_eq!(user_id.as_deref(), Some("admin"));
}

fn a_wrong_password_keeps_out(link: &Link) {
    let _judges = Judges::new(link);
    let (server, client) = pair(link, [PULL, PUSH], "wrong");
    client.try_send(&["hello"]);
    assert!(!server.is_readable_within(MOMENT));
}

fn every_pattern_is_secured(link: &Link) {
    let _judges = Judges::new(link);
    let (rep, req) = pair(link, [REP, REQ], "secret");
    req.send(&["question"]);
    rep.expect(&["question"]);
    rep.send(&["answer"]);
    req.expect(&["answer"]);

    let (publisher, subscriber) = pair(link, [XPUB, SUB], "secret");
    subscriber.subscribe("topic");
    publisher.expect(&["\x01topic"]);
    publisher.send(&["topic", "news"]);
    subscriber.expect(&["topic", "news"]);

    let (publisher, subscriber) = pair(link, [PUB, XSUB], "secret");
    subscriber.send(&["\x01topic"]);
    offer(&publisher, &subscriber, &["topic", "news"]);

    let (router, dealer) = pair(link, [ROUTER, DEALER], "secret");
    dealer.send(&["one", "two"]);
    let message = router.recv();
    assert_eq!(message[1..], ["one", "two"]);
    router.send(&message);
    dealer.expect(&["one", "two"]);

    let (one, other) = pair(link, [PAIR, PAIR], "secret");
    other.send(&["hello"]);
    one.expect(&["hello"]);
}

fn null_peers_are_judged_by_their_address(link: &Link) {
    let _judges = Judges::new(link);
    let server = link.binding(PULL);
    server.set_zap_domain("global");
    server.bind(&link.address());
    let client = link.connected(PUSH, &server);
    client.send(&["hello"]);
    let user_id = server.recv_property("User-Id");
    assert_eq!(user_id.as_deref(), Some("admin"));
}

fn a_lost_connection_is_secured_again(link: &Link) {
    let _judges = Judges::new(link);
    let (server, client) = pair(link, [PULL, PUSH], "secret");
    client.send(&["before"]);
    server.expect(&["before"]);
    let endpoint = server.endpoint();
    drop(server);
    let server = link.binding(PULL);
    server.set_plain_server();
    server.bind(&endpoint);
    offer(&client, &server, &["after"]);
}

fn many_messages_are_secured(link: &Link) {
    // A million with each mechanism, in all cases together.
    const COUNT: u32 = 250_000;
    let _judges = Judges::new(link);
    let (plain, with_password) = pair(link, [PULL, PUSH], "secret");
    let null = link.binding(PULL);
    null.set_zap_domain("global");
    null.bind(&link.address());
    let without = link.connected(PUSH, &null);
    for (server, client) in [(plain, with_password), (null, without)] {
        let sending = std::thread::spawn(move || {
            for n in 0..COUNT {
                client.send(&[&n.to_string()]);
            }
            client
        });
        for n in 0..COUNT {
            server.expect(&[&n.to_string()]);
        }
        sending.join().unwrap();
    }
}
