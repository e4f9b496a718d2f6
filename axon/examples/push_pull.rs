//! Push and pull: work dealt out to two workers in turn, which may come after the work.

use std::thread;
use std::time::Duration;

use ferrozmq::Ctx;
use ferrozmq_axon::{Error, Json, Pull, Push, Result};

#[derive(serde::Serialize, serde::Deserialize)]
struct Job {
    width: u32,
    height: u32,
}

/// Works until nothing has come for a while.
fn work(name: &str, pull: &Pull) -> Result<()> {
    loop {
        let message = match pull.recv_timeout(Duration::from_millis(500)) {
            Err(Error::Timeout) => return Ok(()),
            message => message?,
        };
        let (file, job): (String, Job) = message.parse()?;
        println!("{name} resizes {file} to {} x {}", job.width, job.height);
    }
}

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let push = Push::new(&ctx)?;
    push.bind("tcp://127.0.0.1:0")?;
    // Nobody is there yet: these wait.
    for n in 0..4 {
        let (width, height) = (640, 480);
        push.send((format!("{n}.png"), Json(Job { width, height })))?;
    }
    let address = push.address().expect("it is bound");
    let workers = ["ann", "bob"].map(|name| {
        let (ctx, address) = (ctx.clone(), address.clone());
        thread::spawn(move || {
            let pull = Pull::new(&ctx)?;
            pull.connect(address)?;
            work(name, &pull)
        })
    });
    for n in 4..8 {
        let (width, height) = (1024, 768);
        push.send((format!("{n}.png"), Json(Job { width, height })))?;
        thread::sleep(Duration::from_millis(10));
    }
    for worker in workers {
        worker.join().expect("a worker does not panic")?;
    }
    Ok(())
}
