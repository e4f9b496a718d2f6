//! A monitor: what happens to the connections of a socket, and to whom they lead.

use std::time::{Duration, Instant};

use ferrozmq::{Ctx, Event, EventKind, Result, SocketType};

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let server = ctx.socket(SocketType::ROUTER)?;
    let monitor = server.monitor();
    server.bind("tcp://127.0.0.1:*")?;
    let client = ctx.socket(SocketType::DEALER)?;
    client.set_identity(b"client-1")?;
    client.connect(&server.last_endpoint())?;

    let deadline = Instant::now() + Duration::from_secs(5);
    let print_until = |wanted: fn(&EventKind) -> bool| -> Option<Event> {
        monitor.wait_for(deadline, |event| {
            println!("{event}");
            wanted(&event.kind)
        })
    };
    let ready = print_until(|kind| matches!(kind, EventKind::HandshakeSucceeded));
    let peer = ready
        .and_then(|event| event.peer)
        .expect("the client is there");
    let identity = peer.identity().unwrap_or_default();
    println!(
        "the peer is {}, with properties {peer:?}",
        identity.escape_ascii()
    );

    drop(client);
    let gone = print_until(|kind| matches!(kind, EventKind::Disconnected { .. }));
    assert!(gone.is_some(), "the client has gone");
    Ok(())
}
