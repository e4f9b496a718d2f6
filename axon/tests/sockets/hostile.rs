//! Peers that break the rules: their connection is closed, an event says why, and others go on.

use std::io::{Read, Write};
use std::net::TcpStream;

use ferrozmq::{Ctx, ProtocolError, Reason};
use ferrozmq_axon::amp::Limits;
use ferrozmq_axon::{Error, Event, Options, Pub, Pull, Push, Req};

use crate::common::*;

#[test]
fn a_peer_that_announces_too_much_is_closed_and_told_of() {
    let ctx = Ctx::new();
    let limits = Limits {
        arg: 1000,
        message: 1500,
    };
    let pull = Pull::with_options(&ctx, &Options::new().limits(limits)).unwrap();
    let mut events = pull.events().unwrap();
    pull.bind("tcp://127.0.0.1:0").unwrap();
    let address = pull.address().unwrap();
    let push = Push::new(&ctx).unwrap();
    push.connect(&address).unwrap();
    for bad in [
        &[0x11, 0, 0, 3, 0xE9][..],
        &[0x1F, 0xFF, 0xFF, 0xFF, 0xFF],
        &wire(&[&[7; 800], &[7; 800]]),
    ] {
        let mut peer = raw(&address);
        say(&mut peer, &[b"s:good"]);
        let message = pull.recv_timeout(LIMIT).unwrap();
        assert_eq!(message.get(0).unwrap().text().unwrap(), "good");
        peer.write_all(bad).unwrap();
        let error = wait_for(&mut events, |event| matches!(event, Event::Error { .. }));
        let too_large = Reason::Protocol(ProtocolError::MessageTooLarge);
        assert!(matches!(error, Event::Error { reason, .. } if reason == too_large));
        wait_closed(peer);
    }
    push.send(1).unwrap();
    assert_eq!(number(&pull.recv_timeout(LIMIT).unwrap()), 1);
}

#[test]
fn half_a_message_is_nothing() {
    let ctx = Ctx::new();
    let pull = Pull::new(&ctx).unwrap();
    let mut events = pull.events().unwrap();
    pull.bind("tcp://127.0.0.1:0").unwrap();
    let whole = wire(&[b"s:never", &[7; 5000]]);
    for end in [1, 4, 8, 100, whole.len() - 1] {
        let mut peer = raw(&pull.address().unwrap());
        peer.write_all(&whole[..end]).unwrap();
        drop(peer);
        wait_for(&mut events, |event| {
            matches!(event, Event::Disconnect { .. })
        });
    }
    assert!(pull.try_recv().is_err());
}

#[test]
fn messages_that_node_would_not_understand_are_understood() {
    let ctx = Ctx::new();
    let pull = Pull::new(&ctx).unwrap();
    pull.bind("tcp://127.0.0.1:0").unwrap();
    let mut peer = raw(&pull.address().unwrap());
    // No arguments, an empty last argument, and JSON that is none.
    say(&mut peer, &[]);
    say(&mut peer, &[b"s:x", b""]);
    say(&mut peer, &[b"j:{", b"s:\xFF"]);
    assert!(pull.recv_timeout(LIMIT).unwrap().is_empty());
    assert_eq!(pull.recv_timeout(LIMIT).unwrap().len(), 2);
    let broken = pull.recv_timeout(LIMIT).unwrap();
    assert!(broken.get(0).unwrap().json::<serde_json::Value>().is_err());
    assert_eq!(broken.get(1).unwrap().text().unwrap(), "\u{FFFD}");
}

#[test]
fn who_talks_to_a_sender_is_not_read_and_does_no_harm() {
    let ctx = Ctx::new();
    let options = Options::new().peer_hwm(10);
    let (push, publisher) = (
        Push::with_options(&ctx, &options).unwrap(),
        Pub::with_options(&ctx, &options).unwrap(),
    );
    push.bind("tcp://127.0.0.1:0").unwrap();
    publisher.bind("tcp://127.0.0.1:0").unwrap();
    let mut events = publisher.events().unwrap();
    let mut to_push = raw(&push.address().unwrap());
    let mut to_pub = raw(&publisher.address().unwrap());
    wait_connected(&mut events, 1);
    for _ in 0..100 {
        say(&mut to_push, &[b"s:chatter"]);
        say(&mut to_pub, &[b"s:chatter"]);
    }
    push.send("work").unwrap();
    publisher.send("news").unwrap();
    hear(&mut to_push, &[b"s:work"]);
    hear(&mut to_pub, &[b"s:news"]);
}

/// Reads a message and returns its last argument: of a request its id.
fn hear_id(stream: &mut TcpStream) -> Vec<u8> {
    let mut meta = [0];
    stream.read_exact(&mut meta).unwrap();
    let mut last = Vec::new();
    for _ in 0..meta[0] & 0x0F {
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        last = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut last).unwrap();
    }
    last
}

#[test]
fn a_reply_from_whom_nobody_asked_is_nothing() {
    let ctx = Ctx::new();
    let req = Req::new(&ctx).unwrap();
    let mut events = req.events().unwrap();
    req.bind("tcp://127.0.0.1:0").unwrap();
    let address = req.address().unwrap();
    let mut asked = raw(&address);
    wait_connected(&mut events, 1);
    let replies = [req.send("one").unwrap(), req.send("two").unwrap()];
    let ids = [hear_id(&mut asked), hear_id(&mut asked)];

    let mut liar = raw(&address);
    wait_connected(&mut events, 1);
    for id in &ids {
        say(&mut liar, &[b"s:a lie", id]);
    }
    // Of two requests one goes to each; what the liar said before its answer was heard before it.
    let honest = [req.send("three").unwrap(), req.send("four").unwrap()];
    for peer in [&mut asked, &mut liar] {
        let id = hear_id(peer);
        say(peer, &[b"j:1", &id]);
    }
    for reply in honest {
        assert_eq!(number(&reply.wait_timeout(LIMIT).unwrap()), 1);
    }

    let [first, second] = replies;
    say(&mut asked, &[b"j:2", &ids[0]]);
    assert_eq!(number(&first.wait_timeout(LIMIT).unwrap()), 2);
    drop(asked);
    let gone = second.wait_timeout(LIMIT);
    assert!(matches!(gone, Err(Error::PeerGone)), "{gone:?}");
}
