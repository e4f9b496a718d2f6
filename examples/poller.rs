//! A poller: one thread waits for several sockets and for descriptors of the system at once.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use ferrozmq::{Ctx, POLLIN, Poller, SocketType};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Source {
    Tasks,
    Weather,
    Keyboard,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ctx = Ctx::new();
    let [boss, tasks] = [ctx.socket(SocketType::PUSH)?, ctx.socket(SocketType::PULL)?];
    tasks.bind("inproc://tasks")?;
    boss.connect("inproc://tasks")?;
    let [station, weather] = [ctx.socket(SocketType::PUB)?, ctx.socket(SocketType::SUB)?];
    station.bind("inproc://weather")?;
    weather.connect("inproc://weather")?;
    weather.set_subscribe(b"")?;
    // Any descriptor will do; this one stands for a terminal.
    let (mut keyboard, mut user) = UnixStream::pair()?;

    let others = thread::spawn(move || -> ferrozmq::Result<()> {
        boss.send("wash up", 0)?;
        station.send("rain", 0)?;
        Ok(user.write_all(b"hello")?)
    });

    let descriptor = keyboard.try_clone()?;
    let mut poller = Poller::new();
    poller.add(&tasks, Source::Tasks, POLLIN)?;
    poller.add(&weather, Source::Weather, POLLIN)?;
    poller.add_fd(descriptor.as_fd(), Source::Keyboard, POLLIN)?;
    while !poller.is_empty() {
        for event in poller.wait(Some(Duration::from_secs(5)))? {
            let text = match event.data {
                Source::Tasks => tasks.recv_string(0)?,
                Source::Weather => weather.recv_string(0)?,
                Source::Keyboard => {
                    let mut bytes = [0; 64];
                    let n = keyboard.read(&mut bytes)?;
                    bytes[..n].escape_ascii().to_string()
                }
            };
            println!("{:?}: {text}", event.data);
            poller.remove(&event.data)?;
        }
    }
    Ok(others.join().expect("the others do not panic")?)
}
