//! Routing ids: chosen, given, and announced by a probe.

use crate::*;

both_ways!(
    chosen_by_the_peer,
    given_by_the_router,
    a_hundred_peers,
    probes,
    probes_of_routers,
    nobody_of_that_name,
    through_a_device,
);

fn chosen_by_the_peer(link: &Link) {
    for id in [&b"x"[..], b"somebody", &[0xFF; 255]] {
        let router = link.bound(ROUTER);
        let dealer = link.connecting(DEALER);
        dealer.set_identity(id);
        dealer.connect(&router.endpoint());
        dealer.send(&["hello"]);
        router.expect(&[id, b"hello"]);
        router.send(&[id, b"and to you"]);
        dealer.expect(&["and to you"]);
    }
}

fn given_by_the_router(link: &Link) {
    let router = link.bound(ROUTER);
    let dealer = link.connected(DEALER, &router);
    dealer.send(&["hello"]);
    let message = router.recv();
    assert!(
        message[0].0.len() == 5 && message[0].0[0] == 0,
        "{message:?}"
    );
    router.send(&[message[0].as_ref(), b"and to you"]);
    dealer.expect(&["and to you"]);
}

fn a_hundred_peers(link: &Link) {
    let router = link.bound(ROUTER);
    let dealers: Vec<_> = (0..100)
        .map(|n| {
            let dealer = link.connecting(DEALER);
            dealer.set_identity(format!("peer {n}").as_bytes());
            dealer.connect(&router.endpoint());
            dealer.send(&["hello"]);
            dealer
        })
        .collect();
    for _ in &dealers {
        let message = router.recv();
        router.send(&[message[0].as_ref(), b"you are", message[0].as_ref()]);
    }
    for (n, dealer) in dealers.iter().enumerate() {
        dealer.expect(&["you are", &format!("peer {n}")]);
    }
}

fn probes(link: &Link) {
    let router = link.bound(ROUTER);
    let dealer = link.connecting(DEALER);
    dealer.set_identity(b"prober");
    dealer.set_probe();
    dealer.connect(&router.endpoint());
    router.expect(&["prober", ""]);
    router.send(&["prober", "first word"]);
    dealer.expect(&["first word"]);
}

fn probes_of_routers(link: &Link) {
    let bound = link.bound(ROUTER);
    let connected = link.connecting(ROUTER);
    connected.set_identity(b"prober");
    connected.set_probe();
    connected.connect(&bound.endpoint());
    bound.expect(&["prober", ""]);
    bound.send(&["prober", "hello"]);
    assert_eq!(connected.recv()[1..], ["hello"]);
}

fn nobody_of_that_name(link: &Link) {
    let router = link.bound(ROUTER);
    router.set_mandatory();
    assert!(!router.try_send(&["nobody", "hello"]));
    let dealer = link.connecting(DEALER);
    dealer.set_identity(b"somebody");
    dealer.connect(&router.endpoint());
    wait_until(|| router.try_send(&["somebody", "hello"]));
    dealer.expect(&["hello"]);
}

/// A request through a ROUTER and a DEALER of one library, to and from the other's REQ and REP.
fn through_a_device(link: &Link) {
    let (front, back) = (link.bound(ROUTER), link.bound(DEALER));
    let (req, rep) = (link.connected(REQ, &front), link.connected(REP, &back));
    for n in 0..10 {
        let n = n.to_string();
        req.send(&["what is", &n]);
        back.send(&front.recv());
        rep.expect(&["what is", &n]);
        rep.send(&["it is", &n]);
        front.send(&back.recv());
        req.expect(&["it is", &n]);
    }
}
