//! Many PUSH sockets connected to one PULL of the same process: what one costs in memory, how long
//! it takes to make and connect them, and what the PULL takes in when they send in turn.

use std::thread;
use std::time::Instant;

use crossbeam_channel::bounded;

use crate::Result;
use crate::engine::{Engine, Marks, Setup, Socket};
use crate::scale::figures::{Figure, Unit};
use crate::scale::player::{Player, Role, memory};
use crate::spec::{EngineName, Kind};

const ENDPOINT: &str = "inproc://hub";

/// Messages of all sockets together.
const MESSAGES: u32 = 1_000_000;

const BODY: [u8; 64] = [7; 64];

pub(crate) fn measure(engine: EngineName, number: u32) -> Result<Vec<Figure>> {
    let more = ["--number".to_owned(), number.to_string()];
    Player::start(engine, Role::Sockets, &more)?.answer()
}

/// Sends and receives in this process.
pub(crate) fn play<E: Engine>(number: u32) -> Result<Vec<Figure>> {
    crate::scale::player::most_descriptors()?;
    let context = E::new(Setup {
        io_threads: 1,
        size: BODY.len() as u32,
    })?;
    let mut hub = context.socket(Kind::Pull, Marks::Default)?;
    hub.bind(ENDPOINT)?;
    let each = MESSAGES / number;
    let (tell, told) = bounded::<()>(0);
    let (before, begun) = (memory()?, Instant::now());
    let sending = thread::spawn(move || -> Result<()> {
        let mut sockets = Vec::new();
        for _ in 0..number {
            let mut socket = context.socket(Kind::Push, Marks::Default)?;
            socket.connect(ENDPOINT)?;
            socket.send(&BODY)?;
            sockets.push(socket);
        }
        told.recv()?;
        for _ in 0..each {
            sockets
                .iter_mut()
                .try_for_each(|socket| socket.send(&BODY))?;
        }
        // They stay as they are to the end.
        std::mem::forget(sockets);
        Ok(())
    });
    let mut take = |messages: u32| {
        (0..messages).try_for_each(|_| {
            hub.recv(|body| match body == BODY {
                true => Ok(()),
                false => Err(format!("a wrong message of {} bytes", body.len()).into()),
            })
        })
    };
    take(number)?;
    let (after, connecting) = (memory()?, begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    tell.send(())?;
    take(each * number)?;
    let sending_all = begun.elapsed().as_secs_f64();
    sending.join().map_err(|_| "the sender panicked")??;
    std::mem::forget(hub);
    Ok(vec![
        Figure::new(
            "memory per socket",
            Unit::Bytes,
            (after as f64 - before as f64) / f64::from(number),
        ),
        Figure::new(
            "time to make and connect all, with a message each",
            Unit::Seconds,
            connecting,
        ),
        Figure::new(
            "messages sent in turn",
            Unit::PerSecond,
            f64::from(each * number) / sending_all,
        ),
    ])
}
