//! pyzmq, where it is installed: a script of its own at the other end.

use std::process::{Child, Command, Stdio};

use crate::*;

/// Answers requests until it is asked to stop, connected to the endpoint it is given.
const SERVER: &str = "
import sys, zmq
socket = zmq.Context().socket(zmq.REP)
socket.connect(sys.argv[1])
while True:
    message = socket.recv_multipart()
    socket.send_multipart(message[::-1])
    if message == [b'stop']:
        break
socket.close()
";

fn start(script: &str, endpoint: &str) -> Option<Child> {
    let probe = Command::new("python3")
        .args(["-c", "import zmq"])
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        println!("skipped: there is no pyzmq");
        return None;
    }
    let child = Command::new("python3")
        .args(["-c", script, endpoint])
        .spawn();
    Some(child.unwrap())
}

#[test]
fn a_server_in_python() {
    for wildcard in [TCP, IPC] {
        let link = Link::new(Library::Ours, wildcard);
        let req = link.bound(REQ);
        let Some(mut server) = start(SERVER, &req.endpoint()) else {
            return;
        };
        for message in [&["one"][..], &["one", "", "three"], &["stop"]] {
            req.send(message);
            let reversed: Vec<_> = message.iter().rev().collect();
            req.expect(&reversed);
        }
        assert!(server.wait().unwrap().success());
    }
}
