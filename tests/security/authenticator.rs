//! The authenticator of a context: asked by its sockets, changed while they run, and the only
//! judge there is.

use ferrozmq::{Credentials, Curve, CurveKeyPair, Decision, Error, Plain, ProtocolError, Rules};

use super::*;

const HANDLER: &str = "inproc://zeromq.zap.01";

fn plain(password: &str) -> impl FnOnce(&Socket) {
    move |socket| socket.set_security(Plain::client("ann", password)).unwrap()
}

fn plain_server(socket: &Socket) {
    socket.set_security(Plain::server()).unwrap();
}

#[test]
fn passwords_are_judged() {
    let ctx = Ctx::new();
    let rules = Rules::new().allow_password("ann", "secret").unwrap();
    ctx.authenticator().unwrap().set_rules(rules);
    for endpoint in EVERYWHERE {
        let server = Server::at(endpoint, &ctx, PULL, plain_server);
        let client = server.client(PUSH, plain("secret"));
        client.socket.send("hello", 0).unwrap();
        let msg = server.socket.recv_msg(0).unwrap();
        assert_eq!(msg.gets("User-Id"), Some("ann"));
        let stranger = server.client(PUSH, plain("wrong"));
        let refused = Reason::Protocol(ProtocolError::Refused(400));
        assert_eq!(stranger.failure(), refused);
    }
}

#[test]
fn keys_are_judged_by_rules_that_change_while_sockets_run() {
    let ctx = Ctx::new();
    let authenticator = ctx.authenticator().unwrap();
    let [keys, ann] = [(); 2].map(|()| CurveKeyPair::new().unwrap());
    let server = Server::new(&ctx, PULL, |socket| {
        socket.set_security(Curve::server(&keys)).unwrap();
    });
    let curve = || {
        let client = Curve::client(&ann, keys.public_key);
        move |socket: &Socket| socket.set_security(client).unwrap()
    };
    let early = server.client(PUSH, curve());
    assert_eq!(server.failure(), Reason::Denied(400));
    drop(early);

    authenticator.set_rules(Rules::new().allow_key(ann.public_key, "ann"));
    let admitted = server.client(PUSH, curve());
    admitted.socket.send("hello", 0).unwrap();
    let msg = server.socket.recv_msg(0).unwrap();
    assert_eq!(msg.gets("User-Id"), Some("ann"));

    ctx.authenticator().unwrap().set_rules(Rules::new());
    server.await_success();
    let late = server.client(PUSH, curve());
    assert_eq!(server.failure(), Reason::Denied(400));
    assert_eq!(
        late.failure(),
        Reason::Protocol(ProtocolError::Refused(400))
    );
    server.hears(&admitted);
}

#[test]
fn keys_are_read_from_a_directory() {
    let ctx = Ctx::new();
    let directory = tempfile::tempdir().unwrap();
    let [keys, ann] = [(); 2].map(|()| CurveKeyPair::new().unwrap());
    ann.save(directory.path().join("ann.key"), "Ann").unwrap();
    std::fs::write(directory.path().join("readme"), "no certificate").unwrap();
    let rules = Rules::new().allow_keys_in(directory.path()).unwrap();
    ctx.authenticator().unwrap().set_rules(rules);
    let server = Server::new(&ctx, PULL, |socket| {
        socket.set_security(Curve::server(&keys)).unwrap();
    });
    let client = server.client(PUSH, |socket| {
        let client = Curve::client(&ann, keys.public_key);
        socket.set_security(client).unwrap();
    });
    client.socket.send("hello", 0).unwrap();
    let msg = server.socket.recv_msg(0).unwrap();
    assert_eq!(msg.gets("User-Id"), Some("Ann"));
    assert!(Rules::new().allow_keys_in("/no/such/directory").is_err());
}

#[test]
fn addresses_of_null_peers_are_judged_where_there_is_a_domain() {
    let ctx = Ctx::new();
    let rules = Rules::new().deny_address("127.0.0.0/8").unwrap();
    ctx.authenticator().unwrap().set_rules(rules);
    let open = Server::new(&ctx, PULL, |_| ());
    open.hears(&open.client(PUSH, |_| ()));
    let closed = Server::new(&ctx, PULL, |socket| {
        socket.set_zap_domain("global").unwrap();
    });
    let client = closed.client(PUSH, |_| ());
    assert_eq!(closed.failure(), Reason::Denied(400));
    assert_eq!(
        client.failure(),
        Reason::Protocol(ProtocolError::Refused(400))
    );
}

#[test]
fn a_callback_sees_what_a_handler_would() {
    let ctx = Ctx::new();
    let (seen, requests) = crossbeam_channel::unbounded();
    let rules = Rules::new().decide_by(move |request| {
        seen.send(request.clone()).unwrap();
        Decision::Allow("guest".into())
    });
    ctx.authenticator().unwrap().set_rules(rules);
    let server = Server::new(&ctx, PULL, |socket| {
        plain_server(socket);
        socket.set_zap_domain("global").unwrap();
        socket.set_identity(b"server").unwrap();
    });
    server.hears(&server.client(PUSH, plain("anything")));
    let request = requests.recv().unwrap();
    assert_eq!(request.domain, "global");
    assert_eq!(request.address, "127.0.0.1");
    assert_eq!(request.routing_id, &b"server"[..]);
    let Credentials::Plain { username, password } = request.credentials else {
        panic!("{request:?}");
    };
    assert_eq!(
        (&username[..], &password[..]),
        (&b"ann"[..], &b"anything"[..])
    );
}

#[test]
fn a_callback_that_panics_lets_nobody_in_and_ends_nothing() {
    let ctx = Ctx::new();
    let authenticator = ctx.authenticator().unwrap();
    authenticator.set_rules(Rules::new().decide_by(|_| panic!("on purpose")));
    let server = Server::new(&ctx, PULL, plain_server);
    let client = server.client(PUSH, plain("secret"));
    assert_eq!(server.failure(), Reason::Denied(500));
    assert_eq!(
        client.failure(),
        Reason::Protocol(ProtocolError::Refused(500))
    );
    authenticator.set_rules(Rules::new().allow_password("ann", "secret").unwrap());
    server.hears(&server.client(PUSH, plain("secret")));
}

#[test]
fn there_is_one_judge_in_a_context() {
    let ctx = Ctx::new();
    let handler = ctx.socket(REP).unwrap();
    handler.bind(HANDLER).unwrap();
    assert!(matches!(ctx.authenticator(), Err(Error::AddrInUse)));
    handler.unbind(HANDLER).unwrap();
    let _authenticator = ctx.authenticator().unwrap();
    assert!(matches!(handler.bind(HANDLER), Err(Error::AddrInUse)));
    assert!(ctx.authenticator().is_ok(), "it is the same");
    Ctx::new().socket(REP).unwrap().bind(HANDLER).unwrap();
}
