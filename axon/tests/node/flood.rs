//! Many messages each way: none is lost on a live connection, and none comes out of turn.

use super::*;

const COUNT: u64 = 100_000;

fn every_transport(flood: impl Fn(Setup)) {
    for (at, setup) in Setup::all().enumerate() {
        // Who is bound does not matter here: both, in turn.
        if at % 2 == (at / 2) % 2 {
            flood(setup);
        }
    }
}

/// From us to Node.
fn to_node(types: (&'static str, &'static str)) {
    every_transport(|setup| {
        let Some(mut both) = Both::open(setup, types) else {
            return;
        };
        both.theirs.does(json!({"do": "count", "count": COUNT}));
        let body = Value::from("sixty-four bytes are what most messages have at the most, I hear");
        for number in 0..COUNT {
            both.ours.send(&[body.clone(), Value::from(number)]);
        }
        let counted = both.theirs.expect("counted");
        assert_eq!(
            counted,
            json!({"event": "counted", "count": COUNT}),
            "{setup:?} {types:?}"
        );
    });
}

/// From Node to us.
fn from_node(types: (&'static str, &'static str)) {
    every_transport(|setup| {
        let Some(mut both) = Both::open(setup, types) else {
            return;
        };
        let args = match types.1 {
            "pub-emitter" => json!(["topic:x", "body"]),
            _ => json!(["body"]),
        };
        both.theirs
            .does(json!({"do": "flood", "count": COUNT, "args": args}));
        for number in 0..COUNT {
            let message = both.ours.recv();
            let got: (String, u64) = message.parse().unwrap();
            assert_eq!(got, ("body".to_owned(), number), "{setup:?} {types:?}");
        }
        assert_eq!(both.theirs.expect("flooded")["count"], COUNT);
    });
}

macro_rules! floods {
    ($($name:ident: $flood:ident, $index:literal;)*) => {$(
        #[test]
        fn $name() {
            $flood(TYPES[$index]);
        }
    )*};
}

floods! {
    push_to_pull: to_node, 0;
    pull_from_push: from_node, 1;
    pub_to_sub: to_node, 2;
    sub_from_pub: from_node, 3;
    pub_emitter_to_sub_emitter: to_node, 4;
    sub_emitter_from_pub_emitter: from_node, 5;
}

#[test]
fn req_to_rep() {
    every_transport(|setup| {
        let Some(both) = Both::open(setup, ("req", "rep")) else {
            return;
        };
        let Ours::Req(req) = &both.ours else {
            unreachable!("it was opened as one")
        };
        let mut replies = std::collections::VecDeque::new();
        let mut answered = 0;
        let answer = |reply: ferrozmq_axon::Reply, answered: &mut u64| {
            let got: (String, u64) = reply.wait_timeout(LIMIT).unwrap().parse().unwrap();
            assert_eq!(got, ("number".to_owned(), *answered), "{setup:?}");
            *answered += 1;
        };
        for number in 0..COUNT {
            replies.push_back(req.send(("number", number)).unwrap());
            if replies.len() > 500 {
                answer(replies.pop_front().unwrap(), &mut answered);
            }
        }
        for reply in replies {
            answer(reply, &mut answered);
        }
        assert_eq!(answered, COUNT);
    });
}

#[test]
fn rep_to_req() {
    every_transport(|setup| {
        let Some(mut both) = Both::open(setup, ("rep", "req")) else {
            return;
        };
        let Ours::Rep(rep) = &both.ours else {
            unreachable!("it was opened as one")
        };
        both.theirs.does(json!({"do": "requests", "count": COUNT}));
        for number in 0..COUNT {
            let request = rep.recv_timeout(LIMIT).unwrap();
            let got: (String, u64) = request.message().parse().unwrap();
            assert_eq!(got, ("number".to_owned(), number), "{setup:?}");
            request.reply(request.message()).unwrap();
        }
        let answered = both.theirs.expect("answered");
        assert_eq!(
            answered,
            json!({"event": "answered", "count": COUNT}),
            "{setup:?}"
        );
    });
}
