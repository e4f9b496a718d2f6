//! Many subscriptions of one SUB to one PUB, with long common prefixes: what one costs in memory on
//! both sides, how long it takes until the publisher knows all, and what a message costs that one
//! of them matches, or that none does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crossbeam_channel::bounded;

use crate::Result;
use crate::engine::{Engine, Marks, Setup, Socket};
use crate::scale::figures::{Figure, Unit};
use crate::scale::player::{Player, Role, memory};
use crate::spec::{EngineName, Kind};

/// Messages of each kind.
const MESSAGES: u32 = 200_000;

/// So that neighbours in time are none in the tree.
const STRIDE: u64 = 7919;

pub(crate) fn measure(engine: EngineName, number: u32) -> Result<Vec<Figure>> {
    let more = ["--number".to_owned(), number.to_string()];
    Player::start(engine, Role::Topics, &more)?.answer()
}

fn topic(n: u64) -> String {
    format!("market/europe/frankfurt/equities/prices/last/{n:08}/")
}

/// Publishes and subscribes in this process.
pub(crate) fn play<E: Engine>(number: u32) -> Result<Vec<Figure>> {
    let setup = Setup {
        io_threads: 1,
        size: 64,
    };
    let number = u64::from(number);
    let mut publisher = E::new(setup)?.socket(Kind::Pub, Marks::Lifted)?;
    let endpoint = publisher.bind("tcp://127.0.0.1:*")?;
    let (tell, told) = bounded(1);
    let subscribing = thread::spawn(move || -> Result<()> {
        let mut subscriber = E::new(setup)?.socket(Kind::Sub, Marks::Lifted)?;
        subscriber.connect(&endpoint)?;
        subscriber.subscribe(b"begin")?;
        drain(&mut subscriber, b"begin")?;
        tell.send(())?;
        for n in 0..number {
            subscriber.subscribe(topic(n).as_bytes())?;
        }
        subscriber.subscribe(b"known")?;
        drain(&mut subscriber, b"known")?;
        tell.send(())?;
        // The messages that match, and then the last after those that do not.
        for message in 0..u64::from(MESSAGES) {
            let expected = topic(message * STRIDE % number);
            drain(&mut subscriber, expected.as_bytes())?;
        }
        tell.send(())?;
        subscriber.subscribe(b"end")?;
        drain(&mut subscriber, b"end")?;
        tell.send(())?;
        // Both sides stay as they are to the end.
        std::mem::forget(subscriber);
        Ok(())
    });
    let heard = AtomicBool::new(false);
    let publish_until_heard = |publisher: &mut E::Socket, topic: &[u8]| -> Result<()> {
        heard.store(false, Ordering::Relaxed);
        while told.try_recv().is_err() {
            if subscribing.is_finished() {
                return Err("the subscriber has ended early".into());
            }
            publisher.send(topic)?;
            thread::yield_now();
        }
        Ok(())
    };
    publish_until_heard(&mut publisher, b"begin")?;
    let (before, begun) = (memory()?, Instant::now());
    publish_until_heard(&mut publisher, b"known")?;
    let (after, knowing) = (memory()?, begun.elapsed().as_secs_f64());

    let begun = Instant::now();
    for message in 0..u64::from(MESSAGES) {
        let mut text = topic(message * STRIDE % number);
        text.push_str("12.25");
        publisher.send(text.as_bytes())?;
    }
    told.recv()?;
    let matching = begun.elapsed().as_secs_f64();

    let begun = Instant::now();
    for message in 0..u64::from(MESSAGES) {
        let mut text = topic(message * STRIDE % number);
        text.replace_range(text.len() - 1.., "-12.25");
        publisher.send(text.as_bytes())?;
    }
    let missing = begun.elapsed().as_secs_f64();
    publish_until_heard(&mut publisher, b"end")?;
    subscribing
        .join()
        .map_err(|_| "the subscriber panicked")??;
    std::mem::forget(publisher);
    Ok(vec![
        Figure::new(
            "memory per subscription, both sides",
            Unit::Bytes,
            (after as f64 - before as f64) / number as f64,
        ),
        Figure::new("time until all are known", Unit::Seconds, knowing),
        Figure::new(
            "time per message that one matches, received",
            Unit::Seconds,
            matching / f64::from(MESSAGES),
        ),
        Figure::new(
            "time per message that none matches, sent",
            Unit::Seconds,
            missing / f64::from(MESSAGES),
        ),
    ])
}

/// Receives until a message of the topic comes; of those before, only signals may be left.
fn drain(subscriber: &mut impl Socket, topic: &[u8]) -> Result<()> {
    loop {
        let found = subscriber.recv(|body| {
            if body.starts_with(topic) {
                Ok(true)
            } else if body == b"begin" || body == b"known" {
                Ok(false)
            } else {
                Err("a message came that is not the next one".into())
            }
        })?;
        if found {
            return Ok(());
        }
    }
}
