//! A run without a race: all messages are sent before there is anybody to receive them, and then
//! received.
//!
//! It says nothing of time. But every queue and every batch is as full as it gets, however fast
//! the machine and whatever watches the run, so that the instructions of one message can be
//! counted.

use std::net::TcpListener;

use tempfile::TempDir;

use crate::Result;
use crate::engine::{Engine, Marks, Socket};
use crate::message::{Payload, Tally};
use crate::spec::{Kind, RunSpec, Transport};

/// Sends from a PUSH to a PULL.
pub(crate) fn run<E: Engine>(spec: &RunSpec) -> Result<()> {
    let directory = TempDir::new()?;
    let endpoint = free_endpoint(spec.transport, &directory)?;
    let engine = E::new(spec.setup())?;
    let mut push = engine.socket(Kind::Push, Marks::Lifted)?;
    push.connect(&endpoint)?;
    let mut payload = Payload::new(spec.size);
    for _ in 0..spec.count {
        push.send(payload.next())?;
    }
    let mut pull = engine.socket(Kind::Pull, Marks::Lifted)?;
    pull.bind(&endpoint)?;
    let mut tally = Tally::default();
    while tally.count < spec.count {
        pull.recv(|body| tally.take(body, spec.size))?;
    }
    if tally == Tally::expected(1, spec.count) {
        return Ok(());
    }
    Err("messages came that were not sent, or came twice".into())
}

/// An endpoint that can be connected to before it is bound.
fn free_endpoint(transport: Transport, directory: &TempDir) -> Result<String> {
    Ok(match transport {
        Transport::Inproc => "inproc://backlog".to_owned(),
        Transport::Ipc => format!("ipc://{}/s", directory.path().display()),
        Transport::Tcp => {
            // Free again as soon as the listener is dropped.
            format!("tcp://{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{ferrozmq, libzmq};
    use crate::spec::Pattern;
    use crate::spec::tests::spec;

    #[test]
    fn what_was_sent_before_anybody_received_arrives() {
        for transport in [Transport::Inproc, Transport::Ipc, Transport::Tcp] {
            let spec = RunSpec {
                transport,
                ..spec(Pattern::Thr, 5000)
            };
            run::<ferrozmq::Engine>(&spec).expect("all messages");
            run::<libzmq::Engine>(&spec).expect("all messages");
        }
    }
}
