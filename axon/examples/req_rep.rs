//! Req and rep: many requests under way at once, answered in any order, over a unix socket.

use std::thread;
use std::time::Duration;

use ferrozmq::Ctx;
use ferrozmq_axon::{Error, Rep, Req, Result};

/// Answers requests in pairs, the later one first.
fn serve(rep: &Rep) -> Result<()> {
    loop {
        let first = rep.recv()?;
        let second = rep.recv()?;
        for request in [second, first] {
            let n: u64 = request.message().get(0)?.json()?;
            request.reply((n, n * n))?;
        }
    }
}

fn main() -> Result<()> {
    let directory = std::env::temp_dir();
    let path = directory.join(format!("axon-example-{}.sock", std::process::id()));
    let ctx = Ctx::new();
    let req = Req::new(&ctx)?;
    req.connect(&path)?; // the server may come later

    let server = thread::spawn({
        let ctx = ctx.clone();
        move || {
            let rep = Rep::new(&ctx)?;
            rep.bind(&path)?;
            serve(&rep)
        }
    });

    let replies: Vec<_> = (1..=6).map(|n| req.send(n)).collect::<Result<_>>()?;
    for reply in replies {
        let (n, square): (u64, u64) = reply.wait_timeout(Duration::from_secs(5))?.parse()?;
        println!("{n} squared is {square}");
    }
    ctx.shutdown();
    match server.join().expect("the server does not panic") {
        Err(Error::Closed) => Ok(()),
        outcome => outcome,
    }
}
