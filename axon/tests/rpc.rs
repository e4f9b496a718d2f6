//! Calls of functions in another process: what goes over the wire, and what comes of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use ferrozmq::Ctx;
use ferrozmq_axon::rpc::{CallError, Client, Failure, RemoteError, Server, Serving};
use ferrozmq_axon::{Encoder, Error, Json, Options, Rep, Req};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(20);
/// For what is expected to run into its time limit.
const SHORT: Duration = Duration::from_millis(50);

/// A server of these functions on two threads, and a client of it.
fn serve(expose: impl FnOnce(&Server)) -> (Serving, Client) {
    let ctx = Ctx::new();
    let server = Server::new(&ctx).unwrap();
    expose(&server);
    server.socket().bind("tcp://127.0.0.1:0").unwrap();
    let client = client(&ctx, &server.socket().address().unwrap());
    (server.spawn(2).unwrap(), client)
}

fn client(ctx: &Ctx, address: &str) -> Client {
    let mut client = Client::new(ctx).unwrap();
    client.set_timeout(Some(LIMIT));
    client.socket().connect(address).unwrap();
    client
}

/// A peer that is told by hand what to reply, and a client of it.
fn by_hand() -> (Rep, Client) {
    let ctx = Ctx::new();
    let rep = Rep::new(&ctx).unwrap();
    rep.bind("tcp://127.0.0.1:0").unwrap();
    let client = client(&ctx, &rep.address().unwrap());
    (rep, client)
}

/// What a call comes to if this is the reply to it.
fn outcome_of<R: serde::de::DeserializeOwned>(reply: Value) -> Result<R, CallError> {
    let (rep, client) = by_hand();
    let call = client.start::<R>("anything", ()).unwrap();
    rep.recv_timeout(LIMIT).unwrap().reply(Json(reply)).unwrap();
    call.wait_timeout(LIMIT)
}

fn remote<R: std::fmt::Debug>(outcome: Result<R, CallError>) -> RemoteError {
    match outcome {
        Err(CallError::Remote(error)) => error,
        other => panic!("no error of the peer, but {other:?}"),
    }
}

#[test]
fn functions_are_called_with_what_serde_knows() {
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Point {
        x: i32,
        y: Option<i32>,
    }
    fn named(name: String, greeting: Option<String>) -> String {
        format!("{} {name}", greeting.as_deref().unwrap_or("hello"))
    }
    let (_serving, client) = serve(|server| {
        server.expose("add", |a: i64, b: i64| a + b);
        server.expose("nothing", || ());
        server.expose("mirror", |point: Point| Point {
            x: -point.x,
            y: point.y,
        });
        server.expose("length", |list: Vec<String>| list.len());
        server.expose("named", named);
        server.expose("pair", || (1, "two"));
    });
    assert_eq!(client.call::<i64>("add", (1, 2)).unwrap(), 3);
    assert_eq!(client.call::<i64>("add", [1, 2]).unwrap(), 3);
    assert_eq!(client.call::<i64>("add", vec![1, 2]).unwrap(), 3);
    client.call::<()>("nothing", ()).unwrap();
    let point = Point { x: 1, y: Some(2) };
    let mirrored: Point = client.call("mirror", &point).unwrap();
    assert_eq!((mirrored.x, mirrored.y), (-1, Some(2)));
    assert_eq!(client.call::<usize>("length", (["a", "b"],)).unwrap(), 2);
    assert_eq!(
        client.call::<String>("named", "tobi").unwrap(),
        "hello tobi"
    );
    assert_eq!(
        client.call::<String>("named", ("tobi", "bye")).unwrap(),
        "bye tobi"
    );
    assert_eq!(
        client.call::<(u8, String)>("pair", ()).unwrap(),
        (1, "two".into())
    );
}

#[test]
fn what_a_server_cannot_do_it_says_in_the_words_of_node() {
    let (serving, _client) = serve(|server| {
        server.expose("add", |a: i64, b: i64| a + b);
        server.expose("5", || "five");
    });
    let req = Req::new(&Ctx::new()).unwrap();
    req.connect(serving.server().socket().address().unwrap())
        .unwrap();
    for (request, reply) in [
        (
            json!({"type": "call", "args": []}),
            json!({"error": ".method required"}),
        ),
        (
            json!({"type": "call", "method": "", "args": []}),
            json!({"error": ".method required"}),
        ),
        (
            json!({"type": "call", "method": null, "args": []}),
            json!({"error": ".method required"}),
        ),
        (
            json!({"type": "call", "method": "add"}),
            json!({"error": ".args required"}),
        ),
        (
            json!({"type": "call", "method": "add", "args": null}),
            json!({"error": ".args required"}),
        ),
        (
            json!({"type": "call", "method": "add", "args": 5}),
            json!({"error": ".args must be an array"}),
        ),
        (
            json!({"type": "call", "method": "no", "args": []}),
            json!({"error": "method \"no\" does not exist"}),
        ),
        (
            json!({"method": "no"}),
            json!({"error": "method \"no\" does not exist"}),
        ),
        (
            json!({"method": "toString", "args": []}),
            json!({"error": "method \"toString\" does not exist"}),
        ),
        (
            json!({"type": "whatever", "method": "add", "args": [4, 5]}),
            json!({"args": [9]}),
        ),
        (
            json!({"method": "add", "args": [4, 5]}),
            json!({"args": [9]}),
        ),
        (json!({"method": 5, "args": []}), json!({"args": ["five"]})),
        (
            json!({"method": "add", "args": [1, 2, 3]}),
            json!({"error": "there are 3 arguments, and at most 2 are taken"}),
        ),
        (
            json!({"method": "add", "args": [1]}),
            json!({"error": "there are too few arguments"}),
        ),
        (
            json!({"method": "add", "args": [1, "x"]}),
            json!({"error": "argument 2: invalid type: string \"x\", expected i64"}),
        ),
        (json!("text"), json!({"error": ".method required"})),
        (json!(null), json!({"error": ".method required"})),
        (json!([]), json!({"error": ".method required"})),
    ] {
        let replied = req.request(Json(&request), LIMIT).unwrap();
        assert_eq!(
            replied.get(0).unwrap().json::<Value>().unwrap(),
            reply,
            "{request}"
        );
        assert_eq!(replied.len(), 1);
    }
    // Requests that no client sends.
    for odd in [req.request((), LIMIT), req.request(b"\xff\xfe", LIMIT)] {
        let replied: Value = odd.unwrap().get(0).unwrap().json().unwrap();
        assert_eq!(replied, json!({"error": ".method required"}));
    }
}

#[test]
fn functions_fail_with_text_or_with_what_they_like() {
    let (_serving, client) = serve(|server| {
        server.try_expose("text", || Err::<(), _>("it failed"));
        server.try_expose("error", || "x".parse::<u8>());
        server.try_expose("value", || Err::<(), _>(Failure::of(json!({"code": 7}))));
        server.try_expose("stack", || {
            Err::<(), _>(Failure::from("it failed").with_stack("Error: it failed\n    at here"))
        });
        server.try_expose("fine", |a: u8| Ok::<_, String>(a + 1));
    });
    assert_eq!(
        remote(client.call::<()>("text", ())).error,
        json!("it failed")
    );
    let error = remote(client.call::<u8>("error", ()));
    assert_eq!(
        error.to_string(),
        "the peer says: invalid digit found in string"
    );
    let error = remote(client.call::<()>("value", ()));
    assert_eq!(
        (error.message().as_str(), &error.error),
        ("{\"code\":7}", &json!({"code": 7}))
    );
    let error = remote(client.call::<()>("stack", ()));
    assert_eq!(error.stack.unwrap(), "Error: it failed\n    at here");
    assert_eq!(client.call::<u8>("fine", 1).unwrap(), 2);
}

#[test]
fn a_panic_is_the_reply_and_the_server_goes_on() {
    let (_serving, client) = serve(|server| {
        server.expose("panics", |what: String| -> u8 { panic!("no {what}") });
        server.expose("odd", || -> u8 { std::panic::panic_any(5) });
        server.expose("fine", || 1);
    });
    for _ in 0..5 {
        let error = remote(client.call::<u8>("panics", "luck"));
        assert_eq!(error.message(), "the function panicked: no luck");
    }
    assert_eq!(
        remote(client.call::<u8>("odd", ())).message(),
        "the function panicked"
    );
    assert_eq!(client.call::<u8>("fine", ()).unwrap(), 1);
}

#[test]
fn a_result_that_is_no_json_is_an_error() {
    let (_serving, client) = serve(|server| {
        server.expose("map", || BTreeMap::from([((1, 2), 3)]));
    });
    let error = remote(client.call::<()>("map", ()));
    assert_eq!(
        error.message(),
        "the result cannot be sent: key must be a string"
    );
    let unwritable = BTreeMap::from([((1, 2), 3)]);
    let refused = client.start::<()>("map", unwritable);
    assert!(matches!(refused, Err(CallError::Args(_))), "{refused:?}");
}

#[test]
fn methods_are_listed_with_names() {
    let (serving, client) = serve(|server| {
        server
            .expose("add", |a: i64, b: i64| a + b)
            .params(["a", "b"]);
        server.expose("some", |_: i64, _: i64| ()).params(["first"]);
        server.expose("none", || ());
    });
    let methods = client.methods().unwrap();
    let params = |name: &str| methods[name].params.join(" ");
    assert_eq!(params("add"), "a b fn");
    assert_eq!(params("some"), "first arg2 fn");
    assert_eq!(params("none"), "fn");
    assert_eq!(methods.len(), 3);
    assert!(methods.iter().all(|(name, method)| *name == method.name));

    assert!(serving.server().withdraw("none") && !serving.server().withdraw("none"));
    serving.server().expose("late", || ());
    let methods = client.methods().unwrap();
    assert_eq!(
        methods.into_keys().collect::<Vec<_>>(),
        ["add", "late", "some"]
    );
}

/// Each waits for the other, so both must be under way at once.
#[test]
fn functions_run_at_once() {
    let (_serving, client) = serve(|server| {
        let both = Barrier::new(2);
        server.expose("meet", move |name: String| {
            both.wait();
            name
        });
    });
    let first = client.start::<String>("meet", "first").unwrap();
    let second = client.start::<String>("meet", "second").unwrap();
    assert_eq!(second.wait_timeout(LIMIT).unwrap(), "second");
    assert_eq!(futures_lite::future::block_on(first).unwrap(), "first");
}

#[test]
fn many_threads_call_through_one_client() {
    let (_serving, client) = serve(|server| {
        server.expose("double", |number: u64| 2 * number);
    });
    thread::scope(|scope| {
        for begin in 0..8 {
            let client = &client;
            scope.spawn(move || {
                for number in begin * 1000..begin * 1000 + 200 {
                    assert_eq!(client.call::<u64>("double", number).unwrap(), 2 * number);
                }
            });
        }
    });
}

#[test]
fn any_json_in_error_is_an_error() {
    for error in [
        json!(""),
        json!(null),
        json!(false),
        json!({"code": 7}),
        json!("text"),
    ] {
        let told = remote(outcome_of::<()>(json!({"error": error, "args": [1]})));
        assert_eq!((told.error, told.stack), (error, None));
    }
    let told = remote(outcome_of::<()>(
        json!({"error": "no", "stack": "Error: no\n at x"}),
    ));
    assert_eq!(told.stack.as_deref(), Some("Error: no\n at x"));
}

#[test]
fn a_reply_that_says_nothing_is_an_error() {
    for reply in [
        json!({}),
        json!(null),
        json!("text"),
        json!([]),
        json!({"args": 5}),
    ] {
        let outcome = outcome_of::<()>(reply.clone());
        assert!(
            matches!(outcome, Err(CallError::NoOutcome)),
            "{reply}: {outcome:?}"
        );
    }
}

#[test]
fn results_are_none_or_one_or_several() {
    outcome_of::<()>(json!({"args": []})).unwrap();
    assert_eq!(outcome_of::<Option<u8>>(json!({"args": []})).unwrap(), None);
    assert_eq!(
        outcome_of::<Option<u8>>(json!({"args": [null]})).unwrap(),
        None
    );
    assert_eq!(
        outcome_of::<Vec<u8>>(json!({"args": [[1, 2]]})).unwrap(),
        [1, 2]
    );
    let several: (u8, String, Value) =
        outcome_of(json!({"args": [1, "two", {"three": 3}]})).unwrap();
    assert_eq!(several, (1, "two".into(), json!({"three": 3})));
    let other = outcome_of::<u8>(json!({"args": ["x"]}));
    assert!(matches!(other, Err(CallError::Result(_))), "{other:?}");
}

#[test]
fn a_call_has_a_deadline() {
    let (rep, mut client) = by_hand();
    client.set_timeout(Some(SHORT));
    let late = client.call::<()>("never", ());
    assert!(
        matches!(late, Err(CallError::Socket(Error::Timeout))),
        "{late:?}"
    );
    let late = client.methods();
    assert!(
        matches!(late, Err(CallError::Socket(Error::Timeout))),
        "{late:?}"
    );
    let late = client.start::<()>("never", ()).unwrap().wait_timeout(SHORT);
    assert!(
        matches!(late, Err(CallError::Socket(Error::Timeout))),
        "{late:?}"
    );
    // A reply that comes too late is nobody's.
    client.set_timeout(Some(LIMIT));
    let call = client.start::<u8>("now", ()).unwrap();
    for number in 0..4_u8 {
        rep.recv_timeout(LIMIT)
            .unwrap()
            .reply(Json(json!({"args": [number]})))
            .unwrap();
    }
    assert_eq!(call.wait_timeout(LIMIT).unwrap(), 3);
}

#[test]
fn a_call_fails_when_the_server_goes() {
    let (rep, client) = by_hand();
    let call = client.start::<()>("anything", ()).unwrap();
    rep.recv_timeout(LIMIT).unwrap();
    drop(rep);
    let gone = call.wait_timeout(LIMIT);
    assert!(
        matches!(gone, Err(CallError::Socket(Error::PeerGone))),
        "{gone:?}"
    );
}

#[test]
fn nobody_waits_for_a_notification() {
    let (rep, client) = by_hand();
    client.notify("killMe", json!({})).unwrap();
    let request = rep.recv_timeout(LIMIT).unwrap();
    let asked: Value = request.message().get(0).unwrap().json().unwrap();
    assert_eq!(
        asked,
        json!({"type": "call", "method": "killMe", "args": [{}]})
    );
}

/// A client that calls and never reads what comes of it holds nobody else up.
#[test]
fn a_client_that_does_not_read_is_not_waited_for() {
    let ctx = Ctx::new();
    let server = Server::with_options(&ctx, &Options::new().peer_hwm(10)).unwrap();
    let calls = Arc::new(AtomicU32::new(0));
    let called = calls.clone();
    server.expose("large", move || {
        called.fetch_add(1, Ordering::Relaxed);
        "x".repeat(40_000)
    });
    server.socket().bind("tcp://127.0.0.1:0").unwrap();
    let address = server.socket().address().unwrap();
    let _serving = server.spawn(1).unwrap();

    let mut hog = TcpStream::connect(address.strip_prefix("tcp://").unwrap()).unwrap();
    let mut request = Encoder::new();
    request
        .args(&(Json(json!({"method": "large", "args": []})), "id"))
        .unwrap();
    // More than the system takes for it.
    for _ in 0..400 {
        hog.write_all(request.finish().unwrap()).unwrap();
    }
    let client = client(&ctx, &address);
    while calls.load(Ordering::Relaxed) < 400 {
        assert_eq!(client.call::<String>("large", ()).unwrap().len(), 40_000);
    }
}

/// The other way round too: the server connects to its clients.
#[test]
fn over_unix_sockets_and_with_the_server_connecting() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rpc.sock");
    let ctx = Ctx::new();
    let mut client = Client::with_options(&ctx, &Options::new().identity("me")).unwrap();
    client.set_timeout(Some(LIMIT));
    client.socket().bind(&path).unwrap();
    let server = Server::new(&ctx).unwrap();
    server.expose("add", |a: i64, b: i64| a + b);
    server.socket().connect(&path).unwrap();
    let _serving = server.spawn(1).unwrap();
    assert_eq!(client.call::<i64>("add", (1, 2)).unwrap(), 3);
}

#[test]
fn a_server_that_stops_replies_to_what_it_took() {
    let (began, begun) = crossbeam_channel::bounded(1);
    let (go, gone) = crossbeam_channel::bounded::<()>(1);
    let (serving, client) = serve(|server| {
        server.expose("slow", move || {
            began.send(()).unwrap();
            gone.recv_timeout(LIMIT).unwrap();
            "done"
        });
    });
    let call = client.start::<String>("slow", ()).unwrap();
    begun.recv_timeout(LIMIT).unwrap();
    serving.server().stop();
    go.send(()).unwrap();
    serving.wait().unwrap();
    assert_eq!(call.wait_timeout(LIMIT).unwrap(), "done");
}

#[test]
fn a_server_ends_with_its_context() {
    let ctx = Ctx::new();
    let server = Server::new(&ctx).unwrap();
    let serving = server.spawn(3).unwrap();
    ctx.shutdown();
    serving.wait().unwrap();
}

/// The very bytes of Node's clients and servers.
#[test]
fn calls_are_the_bytes_of_node() {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("vectors/axon_vectors.json")).unwrap();
    let of = |name: &str| {
        let is_it = |it: &&Value| it["name"] == name && it["package"] == "pm2-axon-rpc";
        let args = &vectors.iter().find(is_it).unwrap()["args_json"];
        args[0].to_string()
    };
    let (rep, client) = by_hand();
    let asked = |send: &dyn Fn()| {
        send();
        let request = rep.recv_timeout(LIMIT).unwrap();
        let text = request.message().get(0).unwrap().as_bytes().to_vec();
        String::from_utf8(text).unwrap()
    };
    let add = asked(&|| client.notify("add", (1, 2)).unwrap());
    assert_eq!(add, of("rpc-call-add-request"));
    let none = asked(&|| client.notify("none", ()).unwrap());
    assert_eq!(none, of("rpc-call-no-result-request"));

    let (serving, _client) = serve(|server| {
        server.expose("add", |a: i64, b: i64| a + b);
        server.try_expose("boom", || {
            Err::<(), _>(
                Failure::from("boom").with_stack("Error: boom\n    at vector (file.js:1:1)"),
            )
        });
    });
    let req = Req::new(&Ctx::new()).unwrap();
    req.connect(serving.server().socket().address().unwrap())
        .unwrap();
    for (request, reply) in [
        ("rpc-call-add-request", "rpc-call-add-reply"),
        ("rpc-call-error-request", "rpc-call-error-reply"),
        (
            "rpc-call-unknown-method-request",
            "rpc-call-unknown-method-reply",
        ),
        ("rpc-raw-no-method-request", "rpc-raw-no-method-reply"),
        ("rpc-raw-no-args-request", "rpc-raw-no-args-reply"),
        ("rpc-raw-type-ignored-request", "rpc-raw-type-ignored-reply"),
        ("rpc-raw-no-type-request", "rpc-raw-no-type-reply"),
    ] {
        let asked: Value = serde_json::from_str(&of(request)).unwrap();
        let replied = req.request(Json(asked), LIMIT).unwrap();
        let text = String::from_utf8(replied.get(0).unwrap().as_bytes().to_vec()).unwrap();
        assert_eq!(text, of(reply), "{request}");
    }
}
