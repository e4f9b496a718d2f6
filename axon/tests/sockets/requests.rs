//! Req and rep: many at once, in any order, with an end for each.

use std::future::Future;
use std::io::{Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};
use ferrozmq::Ctx;
use ferrozmq_axon::{Error, Event, Json, Options, Overflow, Pub, Pull, Push, Rep, Req, Sub, Value};

use futures_lite::future::block_on;
use parking_lot::Mutex;

use crate::common::*;

fn pair(ctx: &Ctx) -> (Req, Rep) {
    let rep = Rep::new(ctx).unwrap();
    rep.bind("tcp://127.0.0.1:0").unwrap();
    let req = Req::new(ctx).unwrap();
    req.connect(rep.address().unwrap()).unwrap();
    (req, rep)
}

#[test]
fn requests_are_answered_whoever_binds() {
    let (ctx, places) = (Ctx::new(), Places::new());
    for rep_binds in [true, false] {
        for place in places.each() {
            let (req, rep) = (Req::new(&ctx).unwrap(), Rep::new(&ctx).unwrap());
            if rep_binds {
                rep.bind(&place).unwrap();
                req.connect(rep.address().unwrap()).unwrap();
            } else {
                req.bind(&place).unwrap();
                rep.connect(req.address().unwrap()).unwrap();
            }
            let reply = req.send(("add", 1, 2)).unwrap();
            let request = rep.recv_timeout(LIMIT).unwrap();
            let (what, a, b): (String, u32, u32) = request.message().parse().unwrap();
            assert_eq!(request.message().len(), 3, "the id is not shown");
            request.reply((what, a + b)).unwrap();
            let reply = reply.wait_timeout(LIMIT).unwrap();
            assert_eq!(reply.parse::<(String, u32)>().unwrap(), ("add".into(), 3));
            assert_eq!(reply.len(), 2);
        }
    }
}

#[test]
fn replies_come_in_any_order_each_to_its_request() {
    let ctx = Ctx::new();
    let (req, rep) = pair(&ctx);
    let replies: Vec<_> = (0..100).map(|n| req.send(n).unwrap()).collect();
    let mut requests: Vec<_> = (0..100).map(|_| rep.recv_timeout(LIMIT).unwrap()).collect();
    requests.reverse();
    for request in &requests {
        request.reply(number(request.message()) * 2).unwrap();
        request.reply("a second reply that nobody hears").unwrap();
    }
    for (n, reply) in (0..).zip(replies) {
        assert_eq!(number(&reply.wait_timeout(LIMIT).unwrap()), n * 2);
    }
}

#[test]
fn threads_share_both_sides() {
    let ctx = Ctx::new();
    let (req, rep) = pair(&ctx);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Ok(request) = rep.recv() {
                    request.reply(number(request.message()) + 1).unwrap();
                }
            });
        }
        let asking: Vec<_> = (0..4)
            .map(|thread| {
                let req = &req;
                scope.spawn(move || {
                    for n in 0..500 {
                        let reply = req.request(thread * 1000 + n, LIMIT).unwrap();
                        assert_eq!(number(&reply), thread * 1000 + n + 1);
                    }
                })
            })
            .collect();
        asking.into_iter().for_each(|thread| thread.join().unwrap());
        ctx.shutdown();
    });
}

#[test]
fn requests_have_their_turns_among_peers_and_each_gets_its_reply_from_its_own() {
    let ctx = Ctx::new();
    let req = Req::new(&ctx).unwrap();
    let mut events = req.events().unwrap();
    req.bind("tcp://127.0.0.1:0").unwrap();
    let reps: Vec<_> = (0..3)
        .map(|_| {
            let rep = Rep::new(&ctx).unwrap();
            rep.connect(req.address().unwrap()).unwrap();
            wait_connected(&mut events, 1);
            rep
        })
        .collect();
    let replies: Vec<_> = (0..6).map(|n| req.send(n).unwrap()).collect();
    for (at, rep) in (0..).zip(&reps) {
        for turn in 0..2 {
            let request = rep.recv_timeout(LIMIT).unwrap();
            assert_eq!(number(request.message()), at + 3 * turn);
            request.reply(at).unwrap();
        }
    }
    for (n, reply) in (0..).zip(replies) {
        assert_eq!(number(&reply.wait_timeout(LIMIT).unwrap()), n % 3);
    }
}

#[test]
fn a_request_fails_when_its_peer_goes_and_no_other_does() {
    let ctx = Ctx::new();
    let req = Req::new(&ctx).unwrap();
    let mut events = req.events().unwrap();
    req.bind("tcp://127.0.0.1:0").unwrap();
    let reps: Vec<_> = (0..2)
        .map(|_| {
            let rep = Rep::new(&ctx).unwrap();
            rep.connect(req.address().unwrap()).unwrap();
            wait_connected(&mut events, 1);
            rep
        })
        .collect();
    let mut replies: Vec<_> = (0..4).map(|n| req.send(n).unwrap()).collect();
    let mut reps = reps.into_iter();
    let dying = reps.next().unwrap();
    // One reply comes before the end, and is not lost with it.
    dying.recv_timeout(LIMIT).unwrap().reply("in time").unwrap();
    dying.recv_timeout(LIMIT).unwrap();
    drop(dying);
    let failed = replies.remove(2).wait_timeout(LIMIT);
    assert!(matches!(failed, Err(Error::PeerGone)), "{failed:?}");
    assert!(replies.remove(0).wait_timeout(LIMIT).is_ok());
    let living = reps.next().unwrap();
    for reply in replies {
        living.recv_timeout(LIMIT).unwrap().reply("alive").unwrap();
        assert!(reply.wait_timeout(LIMIT).is_ok());
    }
}

#[test]
fn a_late_reply_hears_that_the_peer_is_gone() {
    let ctx = Ctx::new();
    let (req, rep) = pair(&ctx);
    let mut events = rep.events().unwrap();
    let reply = req.send("question").unwrap();
    let request = rep.recv_timeout(LIMIT).unwrap();
    drop(req);
    assert!(matches!(reply.wait_timeout(LIMIT), Err(Error::Closed)));
    wait_for(&mut events, |event| {
        matches!(event, Event::Disconnect { .. })
    });
    assert!(matches!(request.reply("answer"), Err(Error::PeerGone)));
    drop(rep);
    assert!(matches!(request.reply("answer"), Err(Error::Closed)));
}

#[test]
fn a_request_is_given_up_after_its_time_and_its_late_reply_goes_nowhere() {
    let ctx = Ctx::new();
    let (req, rep) = pair(&ctx);
    let early = req.send("slow").unwrap();
    let request = rep.recv_timeout(LIMIT).unwrap();
    let soon = Duration::from_millis(10);
    assert!(matches!(early.wait_timeout(soon), Err(Error::Timeout)));
    request.reply("late").unwrap();
    let mut next = req.send("quick").unwrap();
    assert!(next.try_take().is_none());
    rep.recv_timeout(LIMIT).unwrap().reply("in time").unwrap();
    assert_eq!(
        next.wait_timeout(LIMIT)
            .unwrap()
            .get(0)
            .unwrap()
            .text()
            .unwrap(),
        "in time"
    );
}

#[test]
fn a_request_whose_reply_nobody_wants_is_sent_all_the_same() {
    let ctx = Ctx::new();
    let (req, rep) = pair(&ctx);
    drop(req.send("no answer please").unwrap());
    let request = rep.recv_timeout(LIMIT).unwrap();
    assert_eq!(
        request.message().get(0).unwrap().text().unwrap(),
        "no answer please"
    );
    request.reply(()).unwrap();
}

#[test]
fn requests_wait_for_a_peer_and_those_beyond_the_mark_fail() {
    let ctx = Ctx::new();
    for (overflow, dropped) in [(Overflow::DropNewest, 2), (Overflow::DropOldest, 0)] {
        let options = Options::new().hwm(2).overflow(overflow);
        let req = Req::with_options(&ctx, &options).unwrap();
        let mut events = req.events().unwrap();
        req.bind("tcp://127.0.0.1:0").unwrap();
        let replies: Vec<_> = (0..3).map(|n| req.send(n).unwrap()).collect();
        let rep = Rep::new(&ctx).unwrap();
        rep.connect(req.address().unwrap()).unwrap();
        for _ in 0..2 {
            rep.recv_timeout(LIMIT).unwrap().reply("yes").unwrap();
        }
        for (n, reply) in (0..).zip(replies) {
            match reply.wait_timeout(LIMIT) {
                Ok(_) => assert_ne!(n, dropped),
                Err(Error::Dropped) => assert_eq!(n, dropped),
                Err(error) => panic!("{error}"),
            }
        }
        wait_for(&mut events, |event| matches!(event, Event::Drop(_)));
    }
}

#[test]
fn requests_go_on_after_a_restart() {
    let (ctx, places) = (Ctx::new(), Places::new());
    let place = places.unix("restarts");
    let req = Req::new(&ctx).unwrap();
    let mut events = req.events().unwrap();
    req.connect(&place).unwrap();
    for round in 0..3 {
        let rep = Rep::new(&ctx).unwrap();
        rep.bind(&place).unwrap();
        let mut end = rep.events().unwrap();
        let reply = req.send(round).unwrap();
        let request = rep.recv_timeout(LIMIT).unwrap();
        assert_eq!(number(request.message()), round);
        request.reply(round).unwrap();
        assert_eq!(number(&reply.wait_timeout(LIMIT).unwrap()), round);
        drop(rep);
        wait_for(&mut end, |event| {
            matches!(event, Event::Close { endpoint: None })
        });
        wait_for(&mut events, |event| {
            matches!(event, Event::Disconnect { .. })
        });
    }
}

#[test]
fn arguments_are_none_to_fourteen() {
    let ctx = Ctx::new();
    let (req, rep) = pair(&ctx);
    for count in [0, 14] {
        let args = vec![Value::NULL; count];
        let reply = req.send(&args[..]).unwrap();
        let request = rep.recv_timeout(LIMIT).unwrap();
        assert_eq!(request.message().len(), count);
        request.reply(args).unwrap();
        // None is null, as in axon.
        assert_eq!(reply.wait_timeout(LIMIT).unwrap().len(), count.max(1));
    }
    assert!(matches!(
        req.send(vec![Value::NULL; 15]),
        Err(Error::Encode(_))
    ));
    let reply = req.send("last").unwrap();
    let request = rep.recv_timeout(LIMIT).unwrap();
    assert!(matches!(
        request.reply(vec![Value::NULL; 15]),
        Err(Error::Encode(_))
    ));
    request.reply("good").unwrap();
    assert!(reply.wait_timeout(LIMIT).is_ok());
}

#[test]
fn ids_are_the_identity_and_a_number() {
    let ctx = Ctx::new();
    let options = Options::new().identity("me");
    let req = Req::with_options(&ctx, &options).unwrap();
    req.bind("tcp://127.0.0.1:0").unwrap();
    let reply = req.send("hello").unwrap();
    let other = req.send(()).unwrap();
    let mut peer = raw(&req.address().unwrap());
    hear(&mut peer, &[b"s:hello", b"s:me:0"]);
    hear(&mut peer, &[b"s:me:1"]);
    // What is no id of ours is passed over.
    for id in [
        &b"s:me:2"[..],
        b"s:me:",
        b"s:you:1",
        b"me:1",
        b"j:1",
        b"s:xme:1",
        b"s:s:me:1",
    ] {
        say(&mut peer, &[b"s:nobody", id]);
    }
    say(&mut peer, &[]);
    say(&mut peer, &[b"s:second", b"s:me:1"]);
    say(&mut peer, &[b"s:first", b"j:1", b"s:me:0"]);
    assert_eq!(
        other
            .wait_timeout(LIMIT)
            .unwrap()
            .get(0)
            .unwrap()
            .text()
            .unwrap(),
        "second"
    );
    assert_eq!(reply.wait_timeout(LIMIT).unwrap().len(), 2);
}

#[test]
fn an_id_of_any_kind_comes_back_as_it_was() {
    let ctx = Ctx::new();
    let rep = Rep::new(&ctx).unwrap();
    rep.bind("tcp://127.0.0.1:0").unwrap();
    let mut peer = raw(&rep.address().unwrap());
    for id in [&b"s:1:0"[..], b"j:{\"a\":1}", b"\x01\x02", b"s:", b""] {
        say(&mut peer, &[b"s:x", id]);
        rep.recv_timeout(LIMIT).unwrap().reply(Json([1])).unwrap();
        hear(&mut peer, &[b"j:[1]", id]);
    }
    // A message without arguments has no id, and is no request.
    say(&mut peer, &[]);
    say(&mut peer, &[b"s:the id alone"]);
    let request = rep.recv_timeout(LIMIT).unwrap();
    assert!(request.message().is_empty());
    request.reply(()).unwrap();
    hear(&mut peer, &[b"j:null", b"s:the id alone"]);
}

#[test]
fn a_peer_that_does_not_read_its_replies_holds_nobody_up() {
    let ctx = Ctx::new();
    let options = Options::new().peer_hwm(10);
    let rep = Rep::with_options(&ctx, &options).unwrap();
    rep.bind("tcp://127.0.0.1:0").unwrap();
    let mut peer = raw(&rep.address().unwrap());
    say(&mut peer, &[b"s:x", b"s:1:0"]);
    let request = rep.recv_timeout(LIMIT).unwrap();
    let large = vec![7; 100_000];
    let refused = std::iter::repeat_with(|| request.reply(&large)).find_map(Result::err);
    assert!(matches!(refused, Some(Error::Full)), "{refused:?}");
}

#[test]
fn a_reply_can_be_awaited() {
    let ctx = Ctx::new();
    let (req, rep) = pair(&ctx);
    let serving = std::thread::spawn(move || {
        for _ in 0..2 {
            let request = rep.recv_timeout(LIMIT).unwrap();
            request.reply(number(request.message()) + 1).unwrap();
        }
        rep
    });
    let replies = block_on(async {
        let (first, second) = (req.send(1).unwrap(), req.send(10).unwrap());
        (second.await.unwrap(), first.await.unwrap())
    });
    assert_eq!((number(&replies.0), number(&replies.1)), (11, 2));
    drop(serving.join().unwrap());
}

#[test]
fn who_waits_for_a_reply_is_woken_by_the_end_of_the_context() {
    let ctx = Ctx::new();
    let (req, _rep) = pair(&ctx);
    let reply = req.send("nobody answers").unwrap();
    let waiting = std::thread::spawn(move || reply.wait());
    ctx.shutdown();
    assert!(matches!(waiting.join().unwrap(), Err(Error::Closed)));
}

#[test]
fn everything_that_is_received_can_be_awaited() {
    let ctx = Ctx::new();
    let (req, rep) = pair(&ctx);
    let publisher = Pub::new(&ctx).unwrap();
    let mut events = publisher.events().unwrap();
    publisher.bind("tcp://127.0.0.1:0").unwrap();
    let mut sub = Sub::new(&ctx).unwrap().into_async();
    sub.subscribe("wanted");
    sub.connect(publisher.address().unwrap()).unwrap();
    wait_connected(&mut events, 1);
    let mut pull = Pull::new(&ctx).unwrap().into_async();
    pull.bind("tcp://127.0.0.1:0").unwrap();
    let push = Push::new(&ctx).unwrap();
    push.connect(pull.address().unwrap()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let reply = req.send(1).unwrap();
            assert_eq!(number(&reply.wait_timeout(LIMIT).unwrap()), 2);
            publisher.send("unwanted").unwrap();
            publisher.send("wanted").unwrap();
            push.send(3).unwrap();
        });
        block_on(async {
            rep.recv_async().await.unwrap().reply(2).unwrap();
            let topic = sub.recv().await.unwrap();
            assert_eq!(topic.get(0).unwrap().text().unwrap(), "wanted");
            assert_eq!(number(&pull.recv().await.unwrap()), 3);
        });
    });
    ctx.shutdown();
    assert!(matches!(block_on(pull.recv()), Err(Error::Closed)));
    assert!(matches!(block_on(rep.recv_async()), Err(Error::Closed)));
}

/// A task that owns its socket, and is dropped by being woken: nobody else holds it.
struct LastOwner(Mutex<Option<Req>>, Sender<()>);

impl Wake for LastOwner {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().take());
        self.1.send(()).unwrap();
    }
}

#[test]
fn a_task_may_drop_its_socket_when_it_is_woken() {
    let ctx = Ctx::new();
    let (req, rep) = pair(&ctx);
    let mut reply = pin!(req.send("x").unwrap());
    let request = rep.recv_timeout(LIMIT).unwrap();
    let (dropped, was_dropped) = unbounded();
    let waker = Waker::from(Arc::new(LastOwner(Some(req).into(), dropped)));
    assert!(
        reply
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    request.reply("y").unwrap();
    was_dropped.recv_timeout(LIMIT).unwrap();
    let Poll::Ready(Ok(reply)) = reply.poll(&mut Context::from_waker(&waker)) else {
        panic!("it has been replied to");
    };
    assert_eq!(reply.get(0).unwrap().text().unwrap(), "y");
}

#[test]
fn all_replies_are_heard_however_many_come_at_once() {
    const COUNT: u32 = 5000;
    let ctx = Ctx::new();
    let req = Req::with_options(&ctx, &Options::new().identity("me")).unwrap();
    req.bind("tcp://127.0.0.1:0").unwrap();
    let mut peer = raw(&req.address().unwrap());
    let replies: Vec<_> = (0..COUNT).map(|n| req.send(n).unwrap()).collect();
    let bytes: Vec<u8> = (0..COUNT)
        .flat_map(|n| wire(&[format!("j:{n}").as_bytes(), format!("s:me:{n}").as_bytes()]))
        .collect();
    // A request is replied to after it has come.
    let last = wire(&[
        format!("j:{}", COUNT - 1).as_bytes(),
        format!("s:me:{}", COUNT - 1).as_bytes(),
    ]);
    let mut heard = Vec::new();
    while !heard.ends_with(&last) {
        let mut piece = [0; 4096];
        let n = peer.read(&mut piece).unwrap();
        heard.extend_from_slice(&piece[..n]);
    }
    peer.write_all(&bytes).unwrap();
    for (n, reply) in (0..).zip(replies) {
        assert_eq!(number(&reply.wait_timeout(LIMIT).unwrap()), n);
    }
}

#[test]
fn messages_that_are_no_requests_do_not_hold_a_call_up() {
    let ctx = Ctx::new();
    let rep = Rep::new(&ctx).unwrap();
    rep.bind("tcp://127.0.0.1:0").unwrap();
    let mut peer = raw(&rep.address().unwrap());
    std::thread::scope(|scope| {
        // It goes on until nobody listens any more.
        scope.spawn(move || while peer.write_all(&[0x10; 4096]).is_ok() {});
        for _ in 0..20 {
            assert!(matches!(rep.try_recv(), Err(Error::Empty)));
            let soon = Duration::from_millis(1);
            assert!(matches!(rep.recv_timeout(soon), Err(Error::Timeout)));
        }
        drop(rep);
    });
}
