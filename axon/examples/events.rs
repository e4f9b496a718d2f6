//! What happens to a socket: a peer that is not there, comes, and goes again.

use std::thread;
use std::time::Duration;

use ferrozmq::Ctx;
use ferrozmq_axon::{Event, Options, Pull, Push, Result};

fn main() -> Result<()> {
    let directory = std::env::temp_dir();
    let path = directory.join(format!("axon-example-events-{}.sock", std::process::id()));
    let ctx = Ctx::new();
    let push = Push::with_options(&ctx, &Options::new().hwm(2))?;
    let mut events = push.events()?;
    push.connect(&path)?;
    for n in 0..3 {
        push.send(("job", n))?; // the third is one too many
    }

    let worker = thread::spawn(move || -> Result<()> {
        thread::sleep(Duration::from_millis(300));
        let pull = Pull::new(&ctx)?;
        pull.bind(&path)?;
        println!("received {:?} and {:?}", pull.recv()?, pull.recv()?);
        Ok(())
    });
    for event in &mut events {
        println!("{event:?}");
        if matches!(event, Event::Disconnect { .. }) {
            break;
        }
    }
    worker.join().expect("the worker does not panic")?;
    drop(push);
    events.for_each(|event| println!("{event:?}"));
    Ok(())
}
