//! Pub-emitter and sub-emitter: listeners for events of other processes.

use ferrozmq::Ctx;
use ferrozmq_axon::{Event, PubEmitter, Result, SubEmitter};

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let emitter = PubEmitter::new(&ctx)?;
    let mut events = emitter.socket().events()?;
    emitter.socket().bind("tcp://127.0.0.1:0")?;

    let mut listener = SubEmitter::new(&ctx)?;
    listener.on("user:*:*", |event| {
        println!(
            "user {} does {}: {:?}",
            event.captures[0], event.captures[1], event.message
        );
    });
    listener.on("*", |event| println!("something happened: {}", event.topic));
    let address = emitter.socket().address().expect("it is bound");
    listener.socket().connect(address)?;
    events.find(|event| matches!(event, Event::Connect { .. }));

    emitter.emit("user:tobi:login", ("from", "home"))?;
    emitter.emit("shutdown", ())?;
    for _ in 0..2 {
        listener.dispatch()?;
    }
    Ok(())
}
