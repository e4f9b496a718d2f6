//! `axon-rpc` and `pm2-axon-rpc` as clients and as servers.

use std::thread;

use ferrozmq_axon::rpc::{CallError, Client, Failure, Server};

use super::*;

/// Both sides of rpc; ours is a client.
fn clients(test: impl Fn(&Client, Setup)) {
    for setup in Setup::all() {
        let Some(mut peer) = Peer::start(setup.family, "rep") else {
            return;
        };
        peer.does(json!({"do": "serve"}));
        let ctx = Ctx::new();
        let mut client = Client::new(&ctx).unwrap();
        client.set_timeout(Some(LIMIT));
        let place = Place::new(setup.transport);
        if setup.we_bind {
            client.socket().bind(place.endpoint()).unwrap();
            peer.connect(&place.endpoint());
        } else {
            peer.bind(json!(place.endpoint()));
            client.socket().connect(place.endpoint()).unwrap();
        }
        test(&client, setup);
    }
}

#[test]
fn functions_of_node_are_called() {
    clients(|client, setup| {
        let context = format!("{setup:?}");
        assert_eq!(client.call::<i64>("add", (1, 2)).unwrap(), 3, "{context}");
        assert_eq!(client.call::<String>("add", ("a", "b")).unwrap(), "ab");
        client.call::<()>("nothing", ()).unwrap();
        let many: (u8, String, Any) = client.call("many", ()).unwrap();
        assert_eq!(many, (1, "two".into(), json!({"three": 3})));

        let Err(CallError::Remote(error)) = client.call::<()>("fail", ()) else {
            panic!("it fails");
        };
        assert_eq!(error.message(), "it failed");
        let stack = error.stack.unwrap();
        assert!(stack.starts_with("Error: it failed\n    at "), "{stack}");

        match (setup.family, client.call::<()>("failWith", "what")) {
            (Family::Axon, Err(CallError::NoOutcome)) => {}
            (Family::Pm2, Err(CallError::Remote(error))) => assert_eq!(error.error, json!("what")),
            (family, other) => panic!("{family:?}: {other:?}"),
        }

        let Err(CallError::Remote(error)) = client.call::<()>("unknown", ()) else {
            panic!("there is no such function");
        };
        assert_eq!(error.message(), "method \"unknown\" does not exist");

        let never = client.start::<()>("never", ()).unwrap().wait_timeout(SHORT);
        let timeout = ferrozmq_axon::Error::Timeout.to_string();
        assert_eq!(never.unwrap_err().to_string(), timeout);

        let methods = client.methods().unwrap();
        assert_eq!(methods["add"].params, ["a", "b", "fn"]);
        assert_eq!(methods["nothing"].params, ["fn"]);
    });
}

#[test]
fn functions_of_node_are_called_at_once() {
    clients(|client, setup| {
        let first = client.start::<u8>("later", (100, 1)).unwrap();
        let second = client.start::<u8>("later", (0, 2)).unwrap();
        assert_eq!(second.wait_timeout(LIMIT).unwrap(), 2, "{setup:?}");
        assert_eq!(first.wait_timeout(LIMIT).unwrap(), 1);
        thread::scope(|scope| {
            for begin in 0..4 {
                scope.spawn(move || {
                    for number in 0..100 {
                        let sum: i64 = client.call("add", (begin, number)).unwrap();
                        assert_eq!(sum, begin + number);
                    }
                });
            }
        });
    });
}

#[test]
fn node_calls_our_functions() {
    for setup in Setup::all() {
        let Some(mut peer) = Peer::start(setup.family, "req") else {
            return;
        };
        peer.does(json!({"do": "client"}));
        let ctx = Ctx::new();
        let server = Server::new(&ctx).unwrap();
        server
            .expose("add", |a: f64, b: f64| a + b)
            .params(["a", "b"]);
        server.expose("nothing", || ());
        server.expose("panic", || -> u8 { panic!("as it must") });
        server.try_expose("fail", || {
            Err::<(), _>(Failure::from("it failed").with_stack("Error: it failed\n    at rust"))
        });
        let place = Place::new(setup.transport);
        if setup.we_bind {
            server.socket().bind(place.endpoint()).unwrap();
            peer.connect(&place.endpoint());
        } else {
            peer.bind(json!(place.endpoint()));
            server.socket().connect(place.endpoint()).unwrap();
        }
        let _serving = server.spawn(2).unwrap();

        let mut call = |method: &str, args: Any| {
            peer.does(json!({"do": "call", "method": method, "args": args}));
            let told = peer.expect("result");
            (told["error"]["message"].clone(), told["results"].clone())
        };
        assert_eq!(
            call("add", json!([1, 2.5])),
            (Any::Null, json!([3.5])),
            "{setup:?}"
        );
        assert_eq!(call("nothing", json!([])), (Any::Null, json!([null])));
        assert_eq!(call("fail", json!([])).0, json!("it failed"));
        assert_eq!(
            call("panic", json!([])).0,
            json!("the function panicked: as it must")
        );
        assert_eq!(
            call("no", json!([])).0,
            json!("method \"no\" does not exist")
        );
        let refused = "argument 1: invalid type: string \"x\", expected f64";
        assert_eq!(call("add", json!(["x", 1])).0, json!(refused));

        peer.does(json!({"do": "methods"}));
        let methods = &peer.expect("result")["results"][0];
        assert_eq!(
            methods["add"],
            json!({"name": "add", "params": ["a", "b", "fn"]})
        );
    }
}
