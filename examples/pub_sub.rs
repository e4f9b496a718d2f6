//! PUB and SUB: everybody who subscribed to a topic gets what is published under it, from then on.

use std::thread;
use std::time::Duration;

use ferrozmq::{Ctx, Result, SocketType};

/// Prints the first three reports of a place.
fn listen(ctx: &Ctx, endpoint: &str, place: &str) -> Result<()> {
    let weather = ctx.socket(SocketType::SUB)?;
    weather.connect(endpoint)?;
    weather.set_subscribe(place.as_bytes())?;
    for _ in 0..3 {
        let report = weather.recv_multipart(0)?;
        let [place, degrees] = [&report[0], &report[1]].map(|frame| frame.as_str().unwrap_or("?"));
        println!("{place}: {degrees} degrees");
    }
    Ok(())
}

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let station = ctx.socket(SocketType::PUB)?;
    station.bind("tcp://127.0.0.1:*")?;
    let listeners = ["Oslo", "Rome"].map(|place| {
        let (ctx, endpoint) = (ctx.clone(), station.last_endpoint());
        thread::spawn(move || listen(&ctx, &endpoint, place))
    });

    // A publisher waits for nobody: what is said before a subscriber is there, it misses.
    let mut hour = 0;
    while !listeners.iter().all(|listener| listener.is_finished()) {
        for (place, degrees) in [("Oslo", 4), ("Rome", 21), ("Lima", 17)] {
            station.send_multipart([place, &(degrees + hour % 5).to_string()], 0)?;
        }
        hour += 1;
        thread::sleep(Duration::from_millis(10));
    }
    for listener in listeners {
        listener.join().expect("a listener does not panic")?;
    }
    Ok(())
}
