//! A load-balancing broker, ROUTER on both sides: a worker says when it is idle, so a request
//! goes to a worker that has nothing else to do.

use std::collections::VecDeque;
use std::thread;

use ferrozmq::{Ctx, Msg, POLLIN, Result, Socket, SocketType, poll};

/// Takes `[client, empty, request]` and gives `[client, empty, reply]`, until the context ends.
fn work(worker: usize, broker: &Socket) -> Result<()> {
    broker.send("ready", 0)?;
    loop {
        let mut work = broker.recv_multipart(0)?;
        work[2] = format!("{}: worker {worker}", work[2].escape_ascii()).into();
        broker.send_multipart(work, 0)?;
    }
}

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let clients = ctx.socket(SocketType::ROUTER)?;
    let workers = ctx.socket(SocketType::ROUTER)?;
    clients.bind("inproc://clients")?;
    workers.bind("inproc://workers")?;
    for worker in 0..3 {
        let broker = ctx.socket(SocketType::REQ)?;
        broker.connect("inproc://workers")?;
        thread::spawn(move || work(worker, &broker));
    }
    let client = ctx.socket(SocketType::DEALER)?;
    client.connect("inproc://clients")?;
    for request in 0..10 {
        client.send_multipart([Msg::new(), format!("request {request}").into()], 0)?;
    }

    let (mut idle, mut answered) = (VecDeque::new(), 0);
    while answered < 10 {
        // While no worker is idle, requests wait where they are.
        let wanted = if idle.is_empty() { 0 } else { POLLIN };
        let mut items = [workers.as_poll_item(POLLIN), clients.as_poll_item(wanted)];
        poll(&mut items, None)?;
        let [is_worker, is_client] = items.map(|item| item.is_readable());
        if is_worker {
            // [worker, empty, "ready"], or [worker, empty, client, empty, reply].
            let mut frames = workers.recv_multipart(0)?.into_iter();
            idle.extend(frames.next());
            let reply: Vec<_> = frames.skip(1).collect();
            if reply.len() == 3 {
                clients.send_multipart(reply, 0)?;
                println!("{}", client.recv_multipart(0)?[1].escape_ascii());
                answered += 1;
            }
        } else if is_client {
            let envelope = idle.pop_front().into_iter().chain([Msg::new()]);
            workers.send_multipart(envelope.chain(clients.recv_multipart(0)?), 0)?;
        }
    }
    ctx.shutdown(); // the workers' calls return an error
    Ok(())
}
