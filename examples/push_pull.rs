//! PUSH and PULL: a ventilator deals work out to workers, and a sink collects what they made.

use std::thread;

use ferrozmq::{Ctx, Result, Socket, SocketType};

const WORK: &str = "inproc://work";
const RESULTS: &str = "inproc://results";

/// Squares numbers until it is told that there are no more.
fn work(worker: usize, tasks: &Socket, results: &Socket) -> Result<()> {
    while let Ok(number) = tasks.recv_string(0)?.parse::<usize>() {
        let report = [worker.to_string(), (number * number).to_string()];
        results.send_multipart(report, 0)?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let (ventilator, sink) = (ctx.socket(SocketType::PUSH)?, ctx.socket(SocketType::PULL)?);
    ventilator.bind(WORK)?;
    sink.bind(RESULTS)?;
    let mut threads = Vec::new();
    for worker in 0..3 {
        let (tasks, results) = (ctx.socket(SocketType::PULL)?, ctx.socket(SocketType::PUSH)?);
        tasks.connect(WORK)?;
        results.connect(RESULTS)?;
        threads.push(thread::spawn(move || work(worker, &tasks, &results)));
    }
    threads.push(thread::spawn(move || {
        ventilator.send_many((1..=1000).map(|number| number.to_string()))?;
        // The workers take turns, so each gets one of these.
        ventilator.send_many(["stop"; 3])?;
        Ok(())
    }));

    let (mut sum, mut shares) = (0, [0; 3]);
    for _ in 0..1000 {
        let report = sink.recv_multipart(0)?;
        let number = |frame: usize| report[frame].as_str()?.parse::<usize>().ok();
        if let (Some(worker), Some(square)) = (number(0), number(1)) {
            shares[worker] += 1;
            sum += square;
        }
    }
    println!("the sum of the squares up to 1000 is {sum}; the workers' shares are {shares:?}");
    assert_eq!(sum, 333_833_500);
    let results = threads
        .into_iter()
        .map(|thread| thread.join().expect("no thread panics"));
    results.collect()
}
