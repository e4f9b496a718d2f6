//! Emitters: topics, captures and listeners.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferrozmq::Ctx;
use ferrozmq_axon::{Error, Options, Pub, PubEmitter, Sub, SubEmitter};

use crate::common::*;

fn pair(ctx: &Ctx) -> (PubEmitter, SubEmitter) {
    let emitter = PubEmitter::new(ctx).unwrap();
    let mut events = emitter.socket().events().unwrap();
    emitter.socket().bind("tcp://127.0.0.1:0").unwrap();
    let listener = SubEmitter::new(ctx).unwrap();
    let address = emitter.socket().address().unwrap();
    listener.socket().connect(address).unwrap();
    wait_connected(&mut events, 1);
    (emitter, listener)
}

#[test]
fn listeners_get_captures_and_arguments_in_their_order() {
    let ctx = Ctx::new();
    let (emitter, mut listener) = pair(&ctx);
    let log = Arc::new(Mutex::new(Vec::new()));
    for pattern in ["user:*:*", "user:login:tobi", "other", "*"] {
        let log = log.clone();
        listener.on(pattern, move |event| {
            let args: Vec<_> = event
                .message
                .iter()
                .map(|arg| arg.topic().into_owned())
                .collect();
            let line = format!("{pattern} {} {:?} {args:?}", event.topic, event.captures);
            log.lock().unwrap().push(line);
        });
    }
    emitter.emit("user:login:tobi", ("at", 9)).unwrap();
    assert_eq!(listener.dispatch_timeout(LIMIT).unwrap(), 3);
    assert_eq!(
        *log.lock().unwrap(),
        [
            r#"user:*:* user:login:tobi ["login", "tobi"] ["at", "9"]"#,
            r#"user:login:tobi user:login:tobi [] ["at", "9"]"#,
            r#"* user:login:tobi ["user:login:tobi"] ["at", "9"]"#,
        ]
    );
    assert!(listener.off("*") && !listener.off("*"));
    emitter.emit("nobody", ()).unwrap();
    assert_eq!(listener.dispatch_timeout(LIMIT).unwrap(), 0);
    let soon = Duration::from_millis(5);
    assert!(matches!(
        listener.dispatch_timeout(soon),
        Err(Error::Timeout)
    ));
}

#[test]
fn an_emitter_is_a_publisher_to_a_plain_subscriber_and_the_other_way_round() {
    let ctx = Ctx::new();
    let (emitter, mut listener) = pair(&ctx);
    let sub = Sub::new(&ctx).unwrap();
    let mut events = emitter.socket().events().unwrap();
    sub.connect(emitter.socket().address().unwrap()).unwrap();
    wait_connected(&mut events, 1);
    emitter.emit("topic", "arg").unwrap();
    let (topic, arg): (String, String) = sub.recv_timeout(LIMIT).unwrap().parse().unwrap();
    assert_eq!((topic.as_str(), arg.as_str()), ("topic", "arg"));
    listener.dispatch_timeout(LIMIT).unwrap();

    let publisher = Pub::with_options(&ctx, &Options::new()).unwrap();
    let mut events = publisher.events().unwrap();
    publisher.bind("tcp://127.0.0.1:0").unwrap();
    listener
        .socket()
        .connect(publisher.address().unwrap())
        .unwrap();
    wait_connected(&mut events, 1);
    listener.on("5", |event| assert_eq!(event.message.len(), 1));
    publisher.send((5, "arg")).unwrap();
    assert_eq!(listener.dispatch_timeout(LIMIT).unwrap(), 1);
}

#[test]
fn a_listener_runs_until_the_context_ends() {
    let ctx = Ctx::new();
    let (emitter, mut listener) = pair(&ctx);
    let (heard, hears) = std::sync::mpsc::channel();
    listener.on("*", move |event| {
        heard.send(event.topic.to_owned()).unwrap()
    });
    let running = std::thread::spawn(move || listener.run());
    emitter.emit("a", ()).unwrap();
    assert_eq!(hears.recv_timeout(LIMIT).unwrap(), "a");
    ctx.shutdown();
    running.join().unwrap().unwrap();
}
