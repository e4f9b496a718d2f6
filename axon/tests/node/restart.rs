//! Either side ends in the middle and is there again: the other one finds it, what was sent meanwhile
//! waits, and a request that was under way fails.

use super::*;

/// axon loses its mind when it reconnects over a unix socket.
fn can_reconnect(setup: Setup) -> bool {
    setup.family == Family::Pm2 || setup.transport == Transport::Tcp
}

fn node_restarts(types: (&'static str, &'static str)) {
    for setup in Setup::all() {
        let Some(mut both) = Both::open(setup, types) else {
            return;
        };
        both.exchange(&json!(["before"]));
        match types.0 {
            // They queue what nobody is there for.
            "push" => {
                both.restart_peer(|both| {
                    for number in 0..100 {
                        both.ours.send(&[Value::from(number)]);
                    }
                });
                for number in 0..100 {
                    assert_eq!(both.theirs.message(), json!([number]), "{setup:?}");
                }
            }
            "req" => {
                let Ours::Req(req) = &both.ours else {
                    unreachable!("it was opened as one")
                };
                let pending = req.send("never").unwrap();
                let mut queued = None;
                both.restart_peer(|both| {
                    let Ours::Req(req) = &both.ours else {
                        unreachable!("it was opened as one")
                    };
                    queued = Some(req.send("queued").unwrap());
                });
                let gone = pending.wait_timeout(LIMIT);
                assert!(
                    matches!(gone, Err(ferrozmq_axon::Error::PeerGone)),
                    "{gone:?}"
                );
                let reply = queued.unwrap().wait_timeout(LIMIT).unwrap();
                assert_eq!(any(&reply), json!(["queued"]), "{setup:?}");
            }
            // They send to nobody.
            "pub" => both.restart_peer(|both| both.ours.send(&[Value::from("lost")])),
            "rep" => {
                let Ours::Rep(rep) = &both.ours else {
                    unreachable!("it was opened as one")
                };
                both.theirs
                    .does(json!({"do": "request", "args": ["never"]}));
                let request = rep.recv_timeout(LIMIT).unwrap();
                both.restart_peer(|_| ());
                let late = request.reply("late");
                assert!(
                    matches!(late, Err(ferrozmq_axon::Error::PeerGone)),
                    "{late:?}"
                );
            }
            _ => both.restart_peer(|_| ()),
        }
        both.exchange(&json!(["after"]));
        both.exchange(&json!(["again", {"n": 1}]));
    }
}

fn we_restart(types: (&'static str, &'static str)) {
    for setup in Setup::all() {
        if setup.we_bind && !can_reconnect(setup) {
            continue;
        }
        let Some(mut both) = Both::open(setup, types) else {
            return;
        };
        both.exchange(&json!(["before"]));
        if types.1 == "push" {
            both.restart_us(|both| {
                for number in 0..100 {
                    both.theirs.send(json!([number]));
                }
            });
            for number in 0..100 {
                assert_eq!(any(&both.ours.recv()), json!([number]), "{setup:?}");
            }
        } else {
            both.restart_us(|_| ());
        }
        both.exchange(&json!(["after"]));
        both.exchange(&json!(["again", {"n": 1}]));
    }
}

macro_rules! restarts {
    ($($name:ident: $restart:ident, $index:literal;)*) => {$(
        #[test]
        fn $name() {
            $restart(TYPES[$index]);
        }
    )*};
}

restarts! {
    node_restarts_pull: node_restarts, 0;
    node_restarts_push: node_restarts, 1;
    node_restarts_sub: node_restarts, 2;
    node_restarts_pub: node_restarts, 3;
    node_restarts_sub_emitter: node_restarts, 4;
    node_restarts_pub_emitter: node_restarts, 5;
    node_restarts_rep: node_restarts, 6;
    node_restarts_req: node_restarts, 7;
    we_restart_push: we_restart, 0;
    we_restart_pull: we_restart, 1;
    we_restart_pub: we_restart, 2;
    we_restart_sub: we_restart, 3;
    we_restart_pub_emitter: we_restart, 4;
    we_restart_sub_emitter: we_restart, 5;
    we_restart_req: we_restart, 6;
    we_restart_rep: we_restart, 7;
}
