//! DEALER and ROUTER: an asynchronous server. Clients send as many requests as they like; the
//! server answers in whatever order, and the routing id in front of a message says to whom.

use std::thread;

use ferrozmq::{Ctx, Result, Socket, SocketType};

const CLIENTS: usize = 2;
const REQUESTS: usize = 3;

/// Collects all requests first, and answers the last one first.
fn serve(server: &Socket) -> Result<()> {
    let requests: Result<Vec<_>> = (0..CLIENTS * REQUESTS)
        .map(|_| server.recv_multipart(0))
        .collect();
    for request in requests?.into_iter().rev() {
        let [client, number] = [&request[0], &request[1]];
        server.send_multipart([client.clone(), number.clone(), "done".into()], 0)?;
    }
    Ok(())
}

/// Sends all its requests at once, and then reads the answers as they come.
fn ask(ctx: &Ctx, endpoint: &str, name: &str) -> Result<()> {
    let client = ctx.socket(SocketType::DEALER)?;
    client.set_identity(name.as_bytes())?;
    client.connect(endpoint)?;
    client.send_many((0..REQUESTS).map(|number| number.to_string()))?;
    for _ in 0..REQUESTS {
        let answer = client.recv_multipart(0)?;
        let [number, text] = [&answer[0], &answer[1]].map(|frame| frame.as_str().unwrap_or("?"));
        println!("{name}: request {number} is {text}");
    }
    Ok(())
}

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let server = ctx.socket(SocketType::ROUTER)?;
    server.bind("ipc://*")?; // any free path
    let clients = ["alice", "bob"].map(|name| {
        let (ctx, endpoint) = (ctx.clone(), server.last_endpoint());
        thread::spawn(move || ask(&ctx, &endpoint, name))
    });
    serve(&server)?;
    for client in clients {
        client.join().expect("a client does not panic")?;
    }
    Ok(())
}
