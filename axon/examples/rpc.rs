//! Functions that are called over the network: a server, and a client that calls several at once.
//!
//! ```text
//! cargo run -p ferrozmq-axon --example rpc
//! ```
//!
//! Node's `axon-rpc` and `pm2-axon-rpc` can be either side.

use std::time::Duration;

use ferrozmq::Ctx;
use ferrozmq_axon::rpc::{CallError, Client, Server};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Debug)]
struct Point {
    x: f64,
    y: f64,
}

/// A function like any other: whatever serde knows goes in and comes out.
fn middle(a: Point, b: Point) -> Point {
    Point {
        x: (a.x + b.x) / 2.0,
        y: (a.y + b.y) / 2.0,
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ctx = Ctx::new();

    let server = Server::new(&ctx)?;
    server
        .expose("add", |a: i64, b: i64| a + b)
        .params(["a", "b"]);
    server.expose("middle", middle).params(["a", "b"]);
    server
        .try_expose("parse", |text: String| text.parse::<u32>())
        .params(["text"]);
    server.socket().bind("tcp://127.0.0.1:0")?;
    let address = server.socket().address().ok_or("it is bound")?;
    let _serving = server.spawn(2)?;

    let mut client = Client::new(&ctx)?;
    client.set_timeout(Some(Duration::from_secs(5)));
    client.socket().connect(address)?;

    println!("1 + 2 = {}", client.call::<i64>("add", (1, 2))?);
    let (a, b) = (Point { x: 0.0, y: 0.0 }, Point { x: 4.0, y: 2.0 });
    println!(
        "in the middle: {:?}",
        client.call::<Point>("middle", (a, b))?
    );

    // Several at once, of which one fails.
    let calls = ["17", "xvii", "4"].map(|text| (text, client.start::<u32>("parse", text)));
    for (text, call) in calls {
        match call?.wait() {
            Ok(number) => println!("{text} is {number}"),
            Err(CallError::Remote(error)) => println!("{text}: {}", error.message()),
            Err(error) => return Err(error.into()),
        }
    }

    for method in client.methods()?.values() {
        println!("{}({})", method.name, method.params.join(", "));
    }
    Ok(())
}
