//! Node in tests: packages from npm, and programs that run with them.
//!
//! Where there is no `node` or no `npm` a test says that it is skipped, unless the environment
//! variable `AXON_NODE` is `required`.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use nix::fcntl::{Flock, FlockArg};
use serde_json::{Value, json};

/// What takes longer than this has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Packages with their exact versions, installed once in a directory of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packages {
    /// The name of the directory.
    pub(crate) name: &'static str,
    pub(crate) specs: &'static [&'static str],
}

/// The packages that speak axon.
pub(crate) const AXON: Packages = Packages {
    name: "axon",
    specs: &[
        "axon@2.0.3",
        "axon-rpc@0.0.3",
        "pm2-axon@4.0.1",
        "pm2-axon-rpc@0.7.1",
    ],
};

/// Whether there is a program. Tells that the test is skipped if not, or fails where it may not be.
fn has(program: &str) -> bool {
    let version = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let has = version.is_ok_and(|status| status.success());
    if !has {
        let required = std::env::var_os("AXON_NODE").is_some_and(|it| it == "required");
        assert!(!required, "there is no {program}, and it is required");
        // Past the test harness, which keeps what a passing test prints to itself.
        let _ = writeln!(std::io::stderr(), "skipped: there is no {program}");
    }
    has
}

impl Packages {
    /// The directory that has the packages; `None` if there is no Node to use them.
    ///
    /// The first that asks installs them, without running any script of theirs; others wait.
    pub(crate) fn get(self) -> Option<PathBuf> {
        static NODE: OnceLock<bool> = OnceLock::new();
        if !NODE.get_or_init(|| has("node")) {
            return None;
        }
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("node")
            .join(self.name);
        fs::create_dir_all(&directory).unwrap();
        let lock = File::create(directory.join("lock")).unwrap();
        let _lock = Flock::lock(lock, FlockArg::LockExclusive)
            .map_err(|(_, error)| error)
            .unwrap();
        let installed = directory.join("installed");
        let specs = self.specs.join("\n");
        if fs::read_to_string(&installed).is_ok_and(|found| found == specs) {
            return Some(directory);
        }
        if !has("npm") {
            return None;
        }
        let output = Command::new("npm")
            .args([
                "install",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--no-package-lock",
            ])
            .args(["--save-exact", "--prefix"])
            .arg(&directory)
            .args(self.specs)
            .current_dir(&directory)
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "npm cannot install {self:?}: {log}"
        );
        fs::write(installed, specs).unwrap();
        Some(directory)
    }
}

/// A process that does not outlive its test.
#[derive(Debug)]
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Which of Node's two families of packages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Family {
    Axon,
    Pm2,
}

impl Family {
    pub(crate) const BOTH: [Self; 2] = [Self::Axon, Self::Pm2];

    fn packages(self) -> [&'static str; 2] {
        match self {
            Self::Axon => ["axon", "axon-rpc"],
            Self::Pm2 => ["pm2-axon", "pm2-axon-rpc"],
        }
    }
}

/// A socket in a process of Node (`node/peer.js`).
#[derive(Debug)]
pub(crate) struct Peer {
    socket: String,
    stdin: ChildStdin,
    told: Receiver<Value>,
    /// What was told while something else was waited for.
    kept: Vec<Value>,
    process: Killed,
}

impl Peer {
    /// Starts one with a socket of this type; `None` if there is no Node.
    pub(crate) fn start(family: Family, socket: &str) -> Option<Self> {
        let directory = AXON.get()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/peer.js");
        let mut process = Command::new("node")
            .arg(script)
            .arg(directory)
            .args(family.packages())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        let stdout = process.stdout.take().unwrap();
        let (tell, told) = crossbeam_channel::unbounded();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).expect("a line is JSON");
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        let mut peer = Self {
            socket: socket.to_owned(),
            stdin,
            told,
            kept: Vec::new(),
            process: Killed(process),
        };
        peer.does(json!({"do": "socket", "type": socket}));
        Some(peer)
    }

    /// The type of its socket.
    pub(crate) fn socket(&self) -> &str {
        &self.socket
    }

    /// Has it do something, and waits until it has.
    pub(crate) fn does(&mut self, command: Value) {
        self.does_text(&command.to_string());
    }

    /// As [`Peer::does`], with JSON that serde_json does not write.
    pub(crate) fn does_text(&mut self, command: &str) {
        writeln!(self.stdin, "{command}").expect("the peer reads");
        self.expect("done");
    }

    /// Has it listen, and waits until it does. Returns where, if that is a port.
    pub(crate) fn bind(&mut self, at: Value) -> Option<u16> {
        self.does(json!({"do": "bind", "at": at}));
        let bound = self.expect("bind");
        bound["address"]["port"]
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
    }

    pub(crate) fn connect(&mut self, at: &str) {
        self.does(json!({"do": "connect", "at": at}));
    }

    pub(crate) fn send(&mut self, args: Value) {
        self.does(json!({"do": "send", "args": args}));
    }

    /// The next event of this name; others are kept.
    pub(crate) fn expect(&mut self, event: &str) -> Value {
        let is_it = |told: &Value| told["event"] == *event;
        if let Some(at) = self.kept.iter().position(is_it) {
            return self.kept.remove(at);
        }
        let deadline = Instant::now() + LIMIT;
        loop {
            match self
                .told
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(told) if is_it(&told) => return told,
                Ok(told) => self.kept.push(told),
                Err(RecvTimeoutError::Timeout) => {
                    panic!("no {event} in time, but {:?}", self.kept)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!(
                        "the peer has ended without {event}; it told {:?}",
                        self.kept
                    )
                }
            }
        }
    }

    /// The arguments of the next message.
    pub(crate) fn message(&mut self) -> Value {
        self.expect("message")["args"].take()
    }

    /// Kills it, and waits until it is gone.
    pub(crate) fn kill(self) {
        drop(self.process);
    }
}
