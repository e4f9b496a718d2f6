//! tokio: a service with many clients, a task each; and reports of which none is missed.

use ferrozmq::{AsyncSocket, Ctx, Msg, Result, SocketType};
use tokio::sync::oneshot;

/// Answers questions until it is told to stop, and reports each.
async fn serve(
    (mut router, mut reports): (AsyncSocket, AsyncSocket),
    mut stop: oneshot::Receiver<()>,
) -> Result<()> {
    for answered in 1.. {
        // A call that is dropped, as here when the other branch wins, loses no message.
        let mut frames = tokio::select! {
            request = router.recv_multipart() => request?,
            _ = &mut stop => break,
        };
        if let Some(question) = frames.last_mut() {
            *question = Msg::from(question.to_ascii_uppercase());
        }
        router.send_multipart(frames).await?;
        reports.send(format!("answered {answered}")).await?;
    }
    Ok(())
}

async fn ask(mut req: AsyncSocket) -> Result<()> {
    req.send("a question").await?;
    assert_eq!(req.recv().await?, "A QUESTION");
    Ok(())
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let ctx = Ctx::new();
    let mut reports = ctx.async_socket(SocketType::PUB)?;
    reports.bind("tcp://127.0.0.1:*")?;
    let mut reader = ctx.async_socket(SocketType::SUB)?;
    reader.get_ref().set_subscribe(b"answered")?;
    reader.connect(&reports.last_endpoint())?;
    // Nothing is published before somebody listens.
    reports.subscribers(1).await?;

    let router = ctx.async_socket(SocketType::ROUTER)?;
    router.bind("tcp://127.0.0.1:*")?;
    let endpoint = router.last_endpoint();
    let (stop, stopped) = oneshot::channel();
    let service = tokio::spawn(serve((router, reports), stopped));
    for _ in 0..10 {
        let req = ctx.async_socket(SocketType::REQ)?;
        req.connect(&endpoint)?;
        tokio::spawn(ask(req));
    }
    for n in 1..=10 {
        assert_eq!(reader.recv().await?, format!("answered {n}").as_str());
    }
    println!("ten questions were answered, and reported");
    drop(stop);
    Ok(service.await??)
}
