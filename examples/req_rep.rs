//! REQ and REP: a client asks, a server answers, in strict turns.

use std::thread;

use ferrozmq::{Ctx, Result, Socket, SocketType};

/// Answers as many requests as it is told to.
fn serve(server: &Socket, requests: usize) -> Result<()> {
    for _ in 0..requests {
        let name = server.recv_string(0)?;
        server.send(format!("hello, {name}"), 0)?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let names = ["Ada", "Grace", "Barbara"];
    let ctx = Ctx::new();
    let server = ctx.socket(SocketType::REP)?;
    server.bind("tcp://127.0.0.1:*")?; // any free port
    let client = ctx.socket(SocketType::REQ)?;
    client.connect(&server.last_endpoint())?;

    let server = thread::spawn(move || serve(&server, names.len()));
    for name in names {
        client.send(name, 0)?;
        println!("{}", client.recv_string(0)?);
    }
    server.join().expect("the server does not panic")
}
