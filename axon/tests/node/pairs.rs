//! Every pair in both roles: messages of everything there is, and what is particular to a pair.

use super::*;

fn every_setup(types: (&'static str, &'static str)) {
    for setup in Setup::all() {
        let Some(mut both) = Both::open(setup, types) else {
            return;
        };
        for args in messages() {
            both.exchange(&args);
        }
    }
}

macro_rules! pairs {
    ($($name:ident: $index:literal;)*) => {$(
        #[test]
        fn $name() {
            every_setup(TYPES[$index]);
        }
    )*};
}

pairs! {
    push_to_pull: 0;
    pull_from_push: 1;
    pub_to_sub: 2;
    sub_from_pub: 3;
    pub_emitter_to_sub_emitter: 4;
    sub_emitter_from_pub_emitter: 5;
    req_to_rep: 6;
    rep_to_req: 7;
}

fn tcp(family: Family) -> Setup {
    Setup {
        family,
        transport: Transport::Tcp,
        we_bind: true,
    }
}

#[test]
fn what_arrives_altered_in_node() {
    for family in Family::BOTH {
        let Some(mut both) = Both::open(tcp(family), ("push", "pull")) else {
            return;
        };
        let Ours::Push(push) = &both.ours else {
            unreachable!("it was opened as one")
        };
        push.send((
            f64::NAN,
            None::<u8>,
            ferrozmq_axon::Raw("s:text"),
            ferrozmq_axon::Json("text"),
        ))
        .unwrap();
        assert_eq!(both.theirs.message(), json!([null, null, "text", "text"]));
        // An empty last argument is there when something follows it.
        push.send(("first", b"")).unwrap();
        push.send("second").unwrap();
        assert_eq!(both.theirs.message(), json!(["first", {"$buffer": ""}]));
        assert_eq!(both.theirs.message(), json!(["second"]));
    }
}

/// What Node sends and serde_json does not take: half a character, as an escape and as it is.
#[test]
fn unpaired_surrogates_of_node_are_replaced() {
    for family in Family::BOTH {
        let Some(mut both) = Both::open(tcp(family), ("pull", "push")) else {
            return;
        };
        both.theirs
            .does_text(r#"{"do":"send","args":["a\ud800",{"s":"\udc00b"},"end"]}"#);
        let message = both.ours.recv();
        assert_eq!(
            any(&message),
            json!(["a\u{fffd}", {"s": "\u{fffd}b"}, "end"])
        );
    }
}

/// The peer's patterns, with the captures that we would have.
#[test]
fn node_filters_what_we_publish() {
    for family in Family::BOTH {
        let Some(mut peer) = Peer::start(family, "sub") else {
            return;
        };
        peer.does(json!({"do": "subscribe", "pattern": "user:*"}));
        peer.does(json!({"do": "subscribe", "pattern": "5"}));
        let port = peer.bind(json!(0)).unwrap();
        let publisher = Pub::new(&Ctx::new()).unwrap();
        let mut events = publisher.events().unwrap();
        publisher.connect((port, "127.0.0.1")).unwrap();
        events
            .wait_for(LIMIT, |event| matches!(event, Event::Connect { .. }))
            .unwrap();
        peer.expect("connect");
        publisher.send(("user:", 0)).unwrap();
        publisher.send(("user:login", 1)).unwrap();
        publisher.send(("page:view", 2)).unwrap();
        publisher.send((b"user:raw", 3)).unwrap();
        publisher.send((5, 4)).unwrap();
        publisher.send(("user:end", 5)).unwrap();
        let numbers: Vec<_> = (0..4).map(|_| peer.message()[1].clone()).collect();
        assert_eq!(numbers, [json!(1), json!(3), json!(4), json!(5)]);
    }
}

#[test]
fn we_filter_what_node_publishes() {
    for family in Family::BOTH {
        let Some(mut both) = Both::open(tcp(family), ("sub", "pub")) else {
            return;
        };
        let Ours::Sub(sub) = &both.ours else {
            unreachable!("it was opened as one")
        };
        sub.subscribe("user:*");
        sub.subscribe("5");
        for (number, topic) in [
            json!("user:"),
            json!("user:login"),
            json!("x"),
            json!(5),
            json!({}),
            json!("user:end"),
        ]
        .into_iter()
        .enumerate()
        {
            both.theirs.send(json!([topic, number]));
        }
        let numbers: Vec<u8> = (0..3)
            .map(|_| both.ours.recv().get(1).unwrap().json().unwrap())
            .collect();
        assert_eq!(numbers, [1, 3, 5]);
    }
}

/// Node's listeners get the captures that ours would.
#[test]
fn regular_expressions_capture_what_they_do_in_node() {
    const REGEX: &str = r"user:(\d+)(?::(\w+))?";
    let pattern = Pattern::from(Regex::new(REGEX).unwrap());
    for family in Family::BOTH {
        let Some(mut peer) = Peer::start(family, "sub-emitter") else {
            return;
        };
        peer.does(json!({"do": "on", "pattern": REGEX, "regexp": true}));
        let port = peer.bind(json!(0)).unwrap();
        let emitter = PubEmitter::new(&Ctx::new()).unwrap();
        let mut events = emitter.socket().events().unwrap();
        emitter.socket().connect((port, "127.0.0.1")).unwrap();
        events
            .wait_for(LIMIT, |event| matches!(event, Event::Connect { .. }))
            .unwrap();
        peer.expect("connect");
        let topics = [
            "user:7:login",
            "user:",
            "a user:12 of them",
            "page:7",
            "user:0",
        ];
        for topic in topics {
            emitter.emit(topic, 5).unwrap();
        }
        for captures in topics.iter().filter_map(|topic| pattern.captures(topic)) {
            let mut args: Vec<_> = captures
                .into_iter()
                .map(|capture| {
                    if capture.is_empty() {
                        Any::Null
                    } else {
                        json!(capture)
                    }
                })
                .collect();
            args.push(json!(5));
            assert_eq!(peer.expect("call")["args"], json!(args));
        }
    }
}

#[test]
fn we_filter_what_node_publishes_by_regular_expressions() {
    let regex = Regex::new("^(user|page):").unwrap();
    for family in Family::BOTH {
        let Some(mut both) = Both::open(tcp(family), ("sub", "pub")) else {
            return;
        };
        let Ours::Sub(sub) = &both.ours else {
            unreachable!("it was opened as one")
        };
        sub.subscribe(regex.clone());
        assert!(
            !sub.unsubscribe("^(user|page):"),
            "that is no regular expression"
        );
        for (number, topic) in ["user:a", "a user:", "page:", "end", "user:end"]
            .iter()
            .enumerate()
        {
            both.theirs.send(json!([topic, number]));
        }
        let numbers: Vec<u8> = (0..3)
            .map(|_| both.ours.recv().get(1).unwrap().json().unwrap())
            .collect();
        assert_eq!(numbers, [0, 2, 4]);
        let Ours::Sub(sub) = &both.ours else {
            unreachable!("it was opened as one")
        };
        assert!(sub.unsubscribe(regex.clone()) && !sub.has_subscriptions());
    }
}

#[test]
fn replies_of_node_come_in_any_order() {
    for family in Family::BOTH {
        let Some(both) = Both::open(tcp(family), ("req", "rep")) else {
            return;
        };
        let Ours::Req(req) = &both.ours else {
            unreachable!("it was opened as one")
        };
        let never = req.send(("never", 0)).unwrap();
        let late = req.send(("late", 1)).unwrap();
        let soon = req.send(("soon", 2)).unwrap();
        assert_eq!(any(&soon.wait_timeout(LIMIT).unwrap()), json!(["soon", 2]));
        assert_eq!(any(&late.wait_timeout(LIMIT).unwrap()), json!(["late", 1]));
        let timeout = never.wait_timeout(SHORT);
        assert!(
            matches!(timeout, Err(ferrozmq_axon::Error::Timeout)),
            "{timeout:?}"
        );
    }
}

/// With no arguments a reply is `null`, and so Node's callback has one.
#[test]
fn requests_and_replies_without_arguments() {
    for family in Family::BOTH {
        let Some(mut both) = Both::open(tcp(family), ("rep", "req")) else {
            return;
        };
        let Ours::Rep(rep) = &both.ours else {
            unreachable!("it was opened as one")
        };
        both.theirs.does(json!({"do": "request", "args": []}));
        let request = rep.recv_timeout(LIMIT).unwrap();
        assert!(request.message().is_empty());
        request.reply(()).unwrap();
        // Nobody hears a second one.
        request.reply("again").unwrap();
        assert_eq!(both.theirs.expect("reply")["args"], json!([null]));
        both.exchange(&json!(["next"]));
    }
}

/// Several peers of ours, dealt to in turn.
#[test]
fn one_push_to_several_pulls_of_node() {
    for family in Family::BOTH {
        let push = Push::new(&Ctx::new()).unwrap();
        push.bind("tcp://127.0.0.1:0").unwrap();
        let address = push.address().unwrap();
        let mut events = push.events().unwrap();
        let mut peers = Vec::new();
        for _ in 0..3 {
            let Some(mut peer) = Peer::start(family, "pull") else {
                return;
            };
            peer.connect(&address);
            peer.expect("connect");
            events
                .wait_for(LIMIT, |event| matches!(event, Event::Connect { .. }))
                .unwrap();
            peers.push(peer);
        }
        for number in 0..9 {
            push.send(number).unwrap();
        }
        let mut got: Vec<Vec<u64>> = peers
            .iter_mut()
            .map(|peer| {
                (0..3)
                    .map(|_| peer.message()[0].as_u64().unwrap())
                    .collect()
            })
            .collect();
        got.sort();
        assert_eq!(got, [[0, 3, 6], [1, 4, 7], [2, 5, 8]]);
    }
}

#[test]
fn one_pull_from_several_pushes_of_node() {
    for family in Family::BOTH {
        let pull = Pull::new(&Ctx::new()).unwrap();
        let mut peers = Vec::new();
        for name in 0..3 {
            let Some(mut peer) = Peer::start(family, "push") else {
                return;
            };
            let port = peer.bind(json!(0)).unwrap();
            pull.connect((port, "127.0.0.1")).unwrap();
            peer.expect("connect");
            for number in 0..5 {
                peer.send(json!([name, number]));
            }
            peers.push(peer);
        }
        let mut next = [0; 3];
        for _ in 0..15 {
            let (name, number): (usize, u32) = pull.recv_timeout(LIMIT).unwrap().parse().unwrap();
            assert_eq!(number, next[name], "in order from each");
            next[name] += 1;
        }
    }
}

/// What was sent before anybody was there is flushed in order, by either side.
#[test]
fn what_waits_for_the_peer_comes_first() {
    for family in Family::BOTH {
        let ctx = Ctx::new();
        let Some(mut peer) = Peer::start(family, "pull") else {
            return;
        };
        let push = Push::new(&ctx).unwrap();
        push.bind("tcp://127.0.0.1:0").unwrap();
        for number in 0..100 {
            push.send(number).unwrap();
        }
        peer.connect(&push.address().unwrap());
        for number in 0..100 {
            assert_eq!(peer.message(), json!([number]));
        }

        let mut peer = Peer::start(family, "push").unwrap();
        for number in 0..100 {
            peer.send(json!([number]));
        }
        let pull = Pull::new(&ctx).unwrap();
        pull.bind("tcp://127.0.0.1:0").unwrap();
        peer.connect(&pull.address().unwrap());
        for number in 0..100 {
            let (got,): (u32,) = pull.recv_timeout(LIMIT).unwrap().parse().unwrap();
            assert_eq!(got, number);
        }
    }
}
