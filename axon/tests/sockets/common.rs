//! What the tests share: places to bind to, and time limits instead of sleeps.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ferrozmq_axon::{Event, Events, Message};
use tempfile::TempDir;

/// Longer than anything takes that works.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Places to bind to, each used once, and gone with this.
pub struct Places {
    directory: TempDir,
    given: Cell<u32>,
}

impl Places {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self {
            directory,
            given: Cell::new(0),
        }
    }

    pub fn unix(&self, name: &str) -> String {
        let path = self.directory.path().join(name);
        path.to_str().expect("the path is text").to_owned()
    }

    /// One of tcp and one of unix.
    pub fn each(&self) -> [String; 2] {
        self.given.set(self.given.get() + 1);
        let name = format!("socket {}", self.given.get());
        ["tcp://127.0.0.1:0".into(), self.unix(&name)]
    }
}

/// Waits for an event.
#[track_caller]
pub fn wait_for(events: &mut Events, wanted: impl FnMut(&Event) -> bool) -> Event {
    events
        .wait_for(LIMIT, wanted)
        .expect("the event comes in time")
}

#[track_caller]
pub fn wait_connected(events: &mut Events, peers: usize) {
    for _ in 0..peers {
        wait_for(events, |event| matches!(event, Event::Connect { .. }));
    }
}

/// The first argument of a message, as a number.
#[track_caller]
pub fn number(message: &Message) -> u32 {
    message.get(0).and_then(|arg| arg.json()).expect("a number")
}

/// A peer that is made by hand.
pub fn raw(address: &str) -> TcpStream {
    let address = address.strip_prefix("tcp://").expect("an address of tcp");
    let stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// A message as it is on the wire.
pub fn wire(args: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0x10 | u8::try_from(args.len()).expect("few arguments")];
    for arg in args {
        let length = u32::try_from(arg.len()).expect("not much");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(arg);
    }
    bytes
}

pub fn say(stream: &mut TcpStream, args: &[&[u8]]) {
    stream.write_all(&wire(args)).expect("it is taken");
}

/// Reads exactly the message that is expected.
#[track_caller]
pub fn hear(stream: &mut TcpStream, args: &[&[u8]]) {
    let expected = wire(args);
    let mut heard = vec![0; expected.len()];
    stream
        .read_exact(&mut heard)
        .expect("a message comes in time");
    assert_eq!(
        heard.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
}

/// Waits until the peer has closed, and drops what it still says.
#[track_caller]
pub fn wait_closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut rest).map_err(|error| {
        assert_ne!(
            error.kind(),
            std::io::ErrorKind::WouldBlock,
            "it stays open"
        );
    });
}
