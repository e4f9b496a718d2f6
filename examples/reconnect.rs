//! A server goes away and comes back; its client notices, connects again by itself, and what was
//! sent in between arrives. Heartbeats would tell of a peer that is silent but not gone.

use std::time::{Duration, Instant};

use ferrozmq::{Ctx, EventKind, Result, Socket, SocketType};

fn echo(server: &Socket) -> Result<()> {
    let message = server.recv_multipart(0)?;
    Ok(server.send_multipart(message, 0)?)
}

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let server = ctx.socket(SocketType::ROUTER)?;
    server.bind("tcp://127.0.0.1:*")?;
    let endpoint = server.last_endpoint();

    let client = ctx.socket(SocketType::DEALER)?;
    client.set_reconnect_ivl(Some(Duration::from_millis(10)))?;
    client.set_heartbeat_ivl(Some(Duration::from_millis(100)))?;
    client.set_heartbeat_timeout(Some(Duration::from_millis(300)))?;
    let monitor = client.monitor();
    client.connect(&endpoint)?;
    client.send("one", 0)?;
    echo(&server)?;
    println!("answered: {}", client.recv_string(0)?);

    // The address is free when unbind returns; the connection made through it is closed as well.
    server.unbind(&endpoint)?;
    let deadline = Instant::now() + Duration::from_secs(5);
    let lost = monitor.wait_for(deadline, |event| {
        println!("{event}");
        matches!(event.kind, EventKind::ConnectRetried { .. })
    });
    assert!(lost.is_some(), "the client noticed");
    client.send("two", 0)?; // waits in the client's queue

    server.bind(&endpoint)?;
    echo(&server)?;
    println!("answered: {}", client.recv_string(0)?);
    Ok(())
}
