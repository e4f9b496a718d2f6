//! PAIR: two threads that talk to each other and to nobody else, here to hand work on in steps.

use std::thread;

use ferrozmq::{Ctx, Result, SocketType};

/// The middle one of three steps.
fn step(ctx: &Ctx) -> Result<()> {
    let (before, after) = (ctx.socket(SocketType::PAIR)?, ctx.socket(SocketType::PAIR)?);
    // Over inproc it does not matter who comes first, the one who binds or the one who connects.
    before.connect("inproc://step1")?;
    after.connect("inproc://step2")?;
    let text = before.recv_string(0)?;
    println!("step 2 got {text:?}");
    after.send(text.to_uppercase(), 0)?;
    before.send("thank you", 0)?;
    Ok(())
}

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let (first, last) = (ctx.socket(SocketType::PAIR)?, ctx.socket(SocketType::PAIR)?);
    let middle = thread::spawn(move || step(&ctx));
    first.bind("inproc://step1")?;
    last.bind("inproc://step2")?;
    first.send("water", 0)?;
    println!("step 3 got {:?}", last.recv_string(0)?);
    println!("step 1 got {:?}", first.recv_string(0)?);
    middle.join().expect("the middle step does not panic")
}
