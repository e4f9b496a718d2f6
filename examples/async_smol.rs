//! smol: many tasks send through one socket; a stream collects; the socket's events are another.

use ferrozmq::{Ctx, EventKind, Result, Sender, SocketType};
use futures_util::StreamExt;

const TASKS: usize = 20;
const EACH: usize = 50;

/// Sends numbers through a socket that other tasks use as well.
async fn produce(sender: Sender) -> Result<()> {
    for number in 1..=EACH {
        sender.send_async(number.to_string()).await?;
    }
    Ok(())
}

fn main() -> Result<()> {
    smol::block_on(async {
        let ctx = Ctx::new();
        let mut pull = ctx.async_socket(SocketType::PULL)?;
        pull.bind("tcp://127.0.0.1:*")?;
        let events = pull.get_ref().monitor();
        let push = ctx.socket(SocketType::PUSH)?;
        push.connect(&pull.last_endpoint())?;
        // The socket lives as long as there are senders.
        let sender = push.into_sender()?;
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| smol::spawn(produce(sender.clone())))
            .collect();
        drop(sender);

        let mut numbers = pull.by_ref().take(TASKS * EACH);
        let mut sum = 0;
        while let Some(message) = numbers.next().await {
            sum += message?[0]
                .as_str()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
        }
        for task in tasks {
            task.await?;
        }
        pull.closed().await;
        let accepted = |event: &ferrozmq::Event| matches!(event.kind, EventKind::Accepted { .. });
        let connections = events
            .filter(|event| std::future::ready(accepted(event)))
            .count()
            .await;
        println!("{TASKS} tasks sent {sum} in all, through {connections} connection");
        assert_eq!((sum, connections), (TASKS * EACH * (EACH + 1) / 2, 1));
        Ok(())
    })
}
