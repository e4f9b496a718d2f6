//! Trouble between the sockets of one process, where there is no handshake to refuse anybody.

use ferrozmq::{DONTWAIT, Error};

use crate::*;

/// Any two types can be connected; what one says that the other does not understand is lost.
#[test]
fn types_that_do_not_fit() {
    let types = [
        PAIR, PUB, SUB, REQ, REP, DEALER, ROUTER, PULL, PUSH, XPUB, XSUB, SERVER, CLIENT, RADIO,
        DISH, GATHER, SCATTER, PEER, CHANNEL,
    ];
    let ctx = Ctx::new();
    for (n, bound_type) in types.into_iter().enumerate() {
        let name = format!("inproc://{n}");
        let bound = patient(&ctx, bound_type);
        bound.bind(&name).unwrap();
        for connected_type in types {
            let connected = patient(&ctx, connected_type);
            connected.connect(&name).unwrap();
            for socket in [&bound, &connected, &bound, &connected] {
                for frames in [&["one frame"][..], &["", "and", "more"], &["\0", "\u{1}x"]] {
                    let _ = socket.send_multipart(frames.iter().copied(), DONTWAIT);
                    let _ = socket.recv_multipart(DONTWAIT);
                    let _ = socket.get_events();
                }
            }
        }
    }
    let (push, pull) = (patient(&ctx, PUSH), patient(&ctx, PULL));
    pull.bind("inproc://good").unwrap();
    push.connect("inproc://good").unwrap();
    push.send("good", 0).unwrap();
    assert_eq!(pull.recv_string(0).unwrap(), "good");
}

/// The same name claimed by the hundred over inproc: the first keeps it.
#[test]
fn the_same_name_by_the_hundred() {
    let ctx = Ctx::new();
    let router = patient(&ctx, ROUTER);
    router.bind("inproc://router").unwrap();
    let dealers: Vec<_> = (0..300)
        .map(|n: usize| {
            let dealer = patient(&ctx, DEALER);
            dealer.set_identity(b"name").unwrap();
            dealer.connect("inproc://router").unwrap();
            let _ = dealer.send(n.to_string(), DONTWAIT);
            dealer
        })
        .collect();
    assert_eq!(router.recv_multipart(0).unwrap()[..], ["name", "0"]);
    assert!(matches!(router.recv_multipart(DONTWAIT), Err(Error::Again)));
    router.send_multipart(["name", "you"], 0).unwrap();
    assert_eq!(dealers[0].recv_string(0).unwrap(), "you");
    for dealer in &dealers[1..] {
        let failed = dealer.send("and me?", DONTWAIT).unwrap_err();
        assert!(matches!(failed.error, Error::Again));
    }
}

/// All sockets that there may be wait for a name that nobody binds, and the context ends.
#[test]
fn the_end_of_a_context_with_connects_that_wait() {
    let ctx = Ctx::new();
    ctx.set_max_sockets(50).unwrap();
    let waiting: Vec<_> = (0..50)
        .map(|n| {
            let socket = patient(&ctx, PUSH);
            socket.connect(&format!("inproc://nobody/{n}")).unwrap();
            socket.send("is anybody there?", 0).unwrap();
            socket
        })
        .collect();
    assert!(matches!(ctx.socket(PUSH), Err(Error::TooManySockets)));
    drop(waiting);
    ctx.term(Some(LIMIT)).unwrap();
}

/// Peers come, say half a message, and go: nothing of it is delivered.
#[test]
fn half_a_message_is_none() {
    let ctx = Ctx::new();
    let pull = patient(&ctx, PULL);
    pull.bind("inproc://pull").unwrap();
    for n in 0..1000 {
        let push = patient(&ctx, PUSH);
        push.connect("inproc://pull").unwrap();
        if n % 100 == 0 {
            push.send("whole", 0).unwrap();
        }
        push.send("half", ferrozmq::SNDMORE).unwrap();
    }
    for _ in 0..10 {
        assert_eq!(pull.recv_multipart(0).unwrap()[..], ["whole"]);
    }
    assert!(matches!(pull.try_recv(), Err(Error::Again)));
}
