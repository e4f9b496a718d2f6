//! CURVE against pyzmq, whose wheel carries libzmq with libsodium: the libzmq that the other tests
//! build has no CURVE. A script of its own plays the part that a test names, on its command line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use ferrozmq::{Curve, CurveKeyPair, EventKind, Socket};

use crate::*;

/// A socket that does what it is told, line by line. Its keys and its peer's are arguments.
const SCRIPT: &str = r#"
import sys, threading, zmq
role, kind, how, endpoint, public, secret, server = sys.argv[1:]
context = zmq.Context()
if role.endswith("+zap"):
    handler = context.socket(zmq.REP)
    handler.bind("inproc://zeromq.zap.01")
    def judge():
        while True:
            request = handler.recv_multipart()
            known = request[6] == zmq.utils.z85.decode(server.encode())
            status = b"200" if known else b"400"
            handler.send_multipart([request[0], request[1], status, b"", b"ann", b""])
    import zmq.utils.z85
    threading.Thread(target=judge, daemon=True).start()
def make():
    socket = context.socket(getattr(zmq, kind))
    socket.linger = 0
    socket.sndhwm = socket.rcvhwm = 0
    socket.reconnect_ivl = 1
    if role.startswith("server"):
        socket.curve_server = True
        socket.curve_secretkey = secret.encode()
    else:
        socket.curve_publickey = public.encode()
        socket.curve_secretkey = secret.encode()
        socket.curve_serverkey = server.encode()
    if kind == "SUB":
        socket.subscribe(b"topic")
    while how == "bind":
        try:
            socket.bind(endpoint)
            break
        except zmq.ZMQError as error:
            # The one before is closed by another thread.
            assert error.errno == zmq.EADDRINUSE, error
    else:
        socket.connect(endpoint)
    return socket
socket = make()
endpoint = socket.last_endpoint.decode().rstrip("\0")
print(endpoint, flush=True)
for line in sys.stdin:
    word, *rest = line.split()
    if word == "echo":
        for _ in range(int(rest[0])):
            socket.send_multipart(socket.recv_multipart())
    elif word == "count":
        for n in range(int(rest[0])):
            body = socket.recv()
            assert body == n.to_bytes(4, "little"), (n, body)
        print("counted", flush=True)
    elif word == "deal":
        for n in range(int(rest[0])):
            socket.send(n.to_bytes(4, "little"))
    elif word == "take":
        print(socket.recv().decode(), flush=True)
    elif word == "user":
        print(socket.recv(copy=False).get("User-Id"), flush=True)
    elif word == "again":
        socket.close()
        socket = make()
        print("again", flush=True)
    elif word == "ask":
        socket.send(b"question")
        print(socket.recv_multipart()[-1].decode(), flush=True)
    elif word == "publish":
        socket.send_multipart([b"topic", b"news"])
context.destroy(0)
"#;

/// A socket of pyzmq's, in a process of its own.
struct Python {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    endpoint: String,
}

impl Python {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn tell(&mut self, order: &str) {
        writeln!(self.input, "{order}").unwrap();
        self.input.flush().unwrap();
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_there() -> bool {
    let probe = Command::new("python3")
        .args(["-c", "import sys, zmq; sys.exit(not zmq.has('curve'))"])
        .stderr(Stdio::null())
        .status();
    let there = probe.is_ok_and(|status| status.success());
    if !there {
        println!("skipped: there is no pyzmq with CURVE");
    }
    there
}

/// Who is the server, and who binds, to what.
#[derive(Clone, Copy, Debug)]
struct Case {
    we_serve: bool,
    we_bind: bool,
    wildcard: &'static str,
}

/// A socket of ours and one of pyzmq's that talk to each other by CURVE.
struct Talk {
    ours: Socket,
    python: Python,
    _directory: TempDir,
}

impl Talk {
    fn new(case: Case, ours: SocketType, theirs: SocketType, role_suffix: &str) -> Self {
        let [server, client] = [(); 2].map(|()| CurveKeyPair::new().unwrap());
        let socket = Library::Ours.socket(&Link::new(Library::Ours, case.wildcard), ours);
        let End::Ours(socket) = socket else {
            unreachable!()
        };
        socket.set_sndhwm(0).unwrap();
        socket.set_rcvhwm(0).unwrap();
        socket
            .set_reconnect_ivl(Some(Duration::from_millis(1)))
            .unwrap();
        let (security, role, keys, other) = if case.we_serve {
            (Curve::server(&server), "client", &client, &server)
        } else {
            let security = Curve::client(&client, server.public_key);
            (security, "server", &server, &client)
        };
        socket.set_security(security).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let address = match case.wildcard {
            TCP => TCP.to_owned(),
            _ => format!("ipc://{}/socket", directory.path().display()),
        };
        let (how, endpoint) = if case.we_bind {
            socket.bind(&address).unwrap();
            ("connect", socket.last_endpoint())
        } else {
            ("bind", address)
        };
        let mut child = Command::new("python3")
            .args(["-c", SCRIPT])
            .args([
                &format!("{role}{role_suffix}"),
                theirs.name(),
                how,
                &endpoint,
            ])
            .args([
                keys.public_key.to_string(),
                keys.secret_key.to_z85().to_string(),
            ])
            .arg(other.public_key.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut python = Python {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            endpoint: String::new(),
        };
        python.endpoint = python.line();
        if !case.we_bind {
            socket.connect(&python.endpoint).unwrap();
        }
        Self {
            ours: socket,
            python,
            _directory: directory,
        }
    }
}

fn cases() -> Vec<Case> {
    if !is_there() {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for we_serve in [true, false] {
        for we_bind in [true, false] {
            for wildcard in [TCP, IPC] {
                cases.push(Case {
                    we_serve,
                    we_bind,
                    wildcard,
                });
            }
        }
    }
    cases
}

#[test]
fn messages_of_all_sizes_go_both_ways() {
    for case in cases() {
        for (ours, theirs) in [(REQ, REP), (DEALER, DEALER), (PAIR, PAIR), (DEALER, ROUTER)] {
            let mut talk = Talk::new(case, ours, theirs, "");
            let sizes = [0, 1, 38, 39, 221, 222, 255, 256, 8192, 70_000];
            talk.python.tell(&format!("echo {}", sizes.len()));
            for size in sizes {
                let body = vec![7; size];
                talk.ours.send_multipart([&b"head"[..], &body], 0).unwrap();
                let frames = talk.ours.recv_multipart(0).unwrap();
                assert_eq!(frames.len(), 2);
                assert!(
                    frames[0] == "head" && frames[1] == body[..],
                    "{case:?} {size}"
                );
            }
        }
    }
}

#[test]
fn topics_are_subscribed_to_and_published() {
    for case in cases() {
        let mut talk = Talk::new(case, SUB, PUB, "");
        talk.ours.set_subscribe(b"topic").unwrap();
        wait_until(|| {
            talk.python.tell("publish");
            talk.ours.poll(ferrozmq::POLLIN, Some(MOMENT / 10)).unwrap() != 0
        });
        assert_eq!(talk.ours.recv_multipart(0).unwrap()[1], "news");

        let mut talk = Talk::new(case, XPUB, SUB, "");
        // A SUB of libzmq's that is bound says what it wants only in a call.
        talk.python.tell("take");
        assert_eq!(talk.ours.recv_string(0).unwrap(), "\x01topic");
        talk.ours.send("other", 0).unwrap();
        talk.ours.send("topic", 0).unwrap();
        assert_eq!(talk.python.line(), "topic");
    }
}

#[test]
fn either_side_of_each_pattern_is_ours() {
    for case in cases() {
        for (ours, theirs) in [(REP, REQ), (ROUTER, REQ), (ROUTER, DEALER)] {
            let mut talk = Talk::new(case, ours, theirs, "");
            talk.python.tell("ask");
            let mut frames = talk.ours.recv_multipart(0).unwrap();
            assert_eq!(*frames.last().unwrap(), "question", "{case:?} {ours:?}");
            *frames.last_mut().unwrap() = "answer".into();
            talk.ours.send_multipart(frames, 0).unwrap();
            assert_eq!(talk.python.line(), "answer", "{case:?} {ours:?}");
        }

        let mut talk = Talk::new(case, PUB, SUB, "");
        talk.python.tell("take");
        talk.ours.wait_subscribers(1, Some(LIMIT)).unwrap();
        talk.ours.send("other", 0).unwrap();
        talk.ours.send("topic", 0).unwrap();
        assert_eq!(talk.python.line(), "topic");

        let mut talk = Talk::new(case, XSUB, PUB, "");
        talk.ours.send("\x01topic", 0).unwrap();
        wait_until(|| {
            talk.python.tell("publish");
            talk.ours.poll(ferrozmq::POLLIN, Some(MOMENT / 10)).unwrap() != 0
        });
        assert_eq!(talk.ours.recv_multipart(0).unwrap()[1], "news");
    }
}

#[test]
fn many_messages_arrive_in_order() {
    // A million each way, in all cases together.
    const COUNT: u32 = 250_000;
    for case in cases().into_iter().filter(|case| case.wildcard == TCP) {
        let mut talk = Talk::new(case, PUSH, PULL, "");
        talk.python.tell(&format!("count {COUNT}"));
        for n in 0..COUNT {
            talk.ours.send(n.to_le_bytes(), 0).unwrap();
        }
        assert_eq!(talk.python.line(), "counted");

        let mut talk = Talk::new(case, PULL, PUSH, "");
        talk.python.tell(&format!("deal {COUNT}"));
        for n in 0..COUNT {
            assert_eq!(talk.ours.recv_msg(0).unwrap(), n.to_le_bytes());
        }
    }
}

#[test]
fn their_handler_knows_our_key() {
    for case in cases().into_iter().filter(|case| !case.we_serve) {
        let mut talk = Talk::new(case, PUSH, PULL, "+zap");
        talk.ours.send("hello", 0).unwrap();
        talk.python.tell("user");
        assert_eq!(talk.python.line(), "ann");
    }
}

#[test]
fn a_lost_connection_is_sealed_again() {
    for case in cases() {
        let mut talk = Talk::new(case, DEALER, DEALER, "");
        for _ in 0..3 {
            talk.python.tell("echo 500");
            for n in 0..500 {
                talk.ours.send(n.to_string(), 0).unwrap();
            }
            for n in 0..500 {
                assert_eq!(talk.ours.recv_string(0).unwrap(), n.to_string());
            }
            let monitor = talk.ours.monitor();
            talk.python.tell("again");
            assert_eq!(talk.python.line(), "again");
            let (mut lost, mut came) = (false, false);
            while !(lost && came) {
                let event = monitor.recv_timeout(LIMIT).expect("it comes back");
                lost |= matches!(event.kind, EventKind::Disconnected { .. });
                came |= matches!(event.kind, EventKind::HandshakeSucceeded);
            }
        }
    }
}
