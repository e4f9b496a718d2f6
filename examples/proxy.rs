//! A proxy: many clients and many services meet in one place, and know nothing of each other. It
//! is steered through a socket, here to end it.

use std::thread;

use ferrozmq::{Ctx, Result, Socket, SocketType, proxy_steerable};

/// Answers until the context ends.
fn serve(number: usize, queue: &Socket) -> Result<()> {
    loop {
        let question = queue.recv_string(0)?;
        queue.send(format!("{question}: yes, says service {number}"), 0)?;
    }
}

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let clients = ctx.socket(SocketType::ROUTER)?;
    let services = ctx.socket(SocketType::DEALER)?;
    let control = ctx.socket(SocketType::PAIR)?;
    clients.bind("tcp://127.0.0.1:*")?;
    services.bind("inproc://services")?;
    control.bind("inproc://control")?;
    for number in 1..=2 {
        let queue = ctx.socket(SocketType::REP)?;
        queue.connect("inproc://services")?;
        thread::spawn(move || serve(number, &queue));
    }
    let client = ctx.socket(SocketType::REQ)?;
    client.connect(&clients.last_endpoint())?;
    let steering = ctx.socket(SocketType::PAIR)?;
    steering.connect("inproc://control")?;

    let proxying = thread::spawn(move || proxy_steerable(&clients, &services, None, &control));
    for question in ["is it raining", "is it cold", "is it late", "is it over"] {
        client.send(question, 0)?;
        println!("{}", client.recv_string(0)?);
    }
    steering.send("TERMINATE", 0)?;
    let moved = proxying.join().expect("the proxy does not panic")?;
    println!("{moved:?}");
    ctx.shutdown(); // the services' calls return an error
    Ok(())
}
