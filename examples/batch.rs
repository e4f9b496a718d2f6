//! Many messages in one call: `send_many` wakes the receiver once, `recv_many` takes what is there.

use std::thread;

use ferrozmq::{Ctx, Result, SocketType};

const COUNT: usize = 100_000;

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let source = ctx.socket(SocketType::PUSH)?;
    source.bind("ipc://*")?;
    let sink = ctx.socket(SocketType::PULL)?;
    sink.connect(&source.last_endpoint())?;

    let sending = thread::spawn(move || -> Result<()> {
        for batch in 0..COUNT / 100 {
            let numbers = (batch * 100..).take(100);
            source.send_many(numbers.map(|number| number.to_le_bytes()))?;
        }
        Ok(())
    });

    let (mut messages, mut received, mut calls) = (Vec::new(), 0, 0);
    while received < COUNT {
        calls += 1;
        messages.clear();
        sink.recv_many(&mut messages, 1000)?;
        for message in &messages {
            assert_eq!(message, &received.to_le_bytes(), "in order and complete");
            received += 1;
        }
    }
    println!("{received} messages were received by {calls} calls");
    sending.join().expect("the source does not panic")
}
