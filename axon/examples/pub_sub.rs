//! Pub and sub: every message to all, who pick what they want by pattern.

use ferrozmq::Ctx;
use ferrozmq_axon::{Event, Pub, Result, Sub};

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let publisher = Pub::new(&ctx)?;
    let mut events = publisher.events()?;
    publisher.bind("tcp://127.0.0.1:0")?;

    let (logins, all) = (Sub::new(&ctx)?, Sub::new(&ctx)?);
    logins.subscribe("user:login:*");
    for sub in [&logins, &all] {
        sub.connect(publisher.address().expect("it is bound"))?;
        // What is published before a peer is there, it misses.
        events.find(|event| matches!(event, Event::Connect { .. }));
    }

    publisher.send(("user:logout:tobi", 1))?;
    publisher.send(("user:login:loki", 2))?;

    println!("logins: {:?}", logins.recv()?);
    println!("all: {:?}", all.recv()?);
    println!("all: {:?}", all.recv()?);
    Ok(())
}
