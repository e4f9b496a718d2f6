//! XPUB and XSUB: a cache of last values. It passes messages on from publishers to subscribers;
//! and since an XPUB hears of subscriptions, who subscribes gets the last value at once.

use std::collections::HashMap;
use std::thread;

use ferrozmq::{Ctx, DONTWAIT, Msg, POLLIN, Result, Socket, SocketType, poll};

/// Serves as many subscriptions as it is told to, and then ends.
fn cache(publishers: &Socket, subscribers: &Socket, mut subscriptions: usize) -> Result<()> {
    let mut last: HashMap<Vec<u8>, Msg> = HashMap::new();
    while subscriptions > 0 {
        let mut items = [publishers, subscribers].map(|socket| socket.as_poll_item(POLLIN));
        poll(&mut items, None)?;
        let is_event = items[1].is_readable();
        // All news first, so that a subscriber gets the newest.
        while let Ok(message) = publishers.recv_multipart(DONTWAIT) {
            last.insert(message[0].to_vec(), message[1].clone());
            subscribers.send_multipart(message, 0)?;
        }
        if is_event {
            // A 1 and the topic; or a 0, and somebody has gone.
            let event = subscribers.recv_msg(0)?;
            if let Some((1, topic)) = event.split_first() {
                if let Some(value) = last.get(topic) {
                    subscribers.send_multipart([topic.into(), value.clone()], 0)?;
                }
                subscriptions -= 1;
            }
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let ctx = Ctx::new();
    let source = ctx.socket(SocketType::PUB)?;
    source.bind("inproc://source")?;
    let publishers = ctx.socket(SocketType::XSUB)?;
    publishers.connect("inproc://source")?;
    publishers.send(b"\x01", 0)?; // the cache subscribes to all topics
    let subscribers = ctx.socket(SocketType::XPUB)?;
    subscribers.bind("inproc://subscribers")?;
    for (topic, value) in [("gold", "1812"), ("tin", "24"), ("silver", "31")] {
        source.send_multipart([topic, value], 0)?;
    }

    let cache = thread::spawn(move || cache(&publishers, &subscribers, 2));
    for topic in ["gold", "tin"] {
        // The value was published before this subscriber existed.
        let late = ctx.socket(SocketType::SUB)?;
        late.connect("inproc://subscribers")?;
        late.set_subscribe(topic.as_bytes())?;
        let message = late.recv_multipart(0)?;
        println!("{topic} is at {}", message[1].escape_ascii());
    }
    cache.join().expect("the cache does not panic")
}
