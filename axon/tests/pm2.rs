//! The client of pm2 with daemons of pm2 7 and 6, each in a home directory of its own. Without Node
//! these tests say that they are skipped.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/node.rs"]
mod node;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ferrozmq::Ctx;
use ferrozmq_axon::pm2::{
    App, Bus, BusEvent, Error, ExecMode, Home, Id, LogSource, Pm2, Status, Target,
};
use ferrozmq_axon::rpc::{CallError, Client};
use node::{Killed, LIMIT, Packages};
use serde_json::{Value, json};
use tempfile::TempDir;

const PM2_7: Packages = Packages {
    name: "pm2-7",
    specs: &["pm2@7.0.4"],
};
const PM2_6: Packages = Packages {
    name: "pm2-6",
    specs: &["pm2@6.0.14"],
};

/// A daemon in a home of its own.
#[derive(Debug)]
struct Daemon {
    process: Killed,
    home: Home,
    version: &'static str,
    packages: Packages,
    _directory: TempDir,
}

impl Daemon {
    /// Has each version of pm2 run in turn.
    fn each(test: impl Fn(Self)) {
        for (packages, version) in [(PM2_7, "7.0.4"), (PM2_6, "6.0.14")] {
            let Some(installed) = packages.get() else {
                return;
            };
            let directory = tempfile::tempdir().unwrap();
            let home = Home::at(directory.path());
            for part in ["logs", "pids"] {
                fs::create_dir(home.path().join(part)).unwrap();
            }
            fs::write(home.path().join("module_conf.json"), "{}").unwrap();
            test(Self {
                process: Self::spawn(&installed, &home),
                home,
                version,
                packages,
                _directory: directory,
            });
        }
    }

    fn spawn(installed: &Path, home: &Home) -> Killed {
        let process = Command::new("node")
            .arg(installed.join("node_modules/pm2/lib/Daemon.js"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("PM2_HOME", home.path())
            .env("PM2_DISCRETE_MODE", "true")
            .env("PM2_NO_INTERACTION", "true")
            .env("PM2_DISABLE_VERSION_CHECK", "true")
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let process = Killed(process.unwrap());
        // It says nowhere when it is ready, but a call before waits for it.
        let client = Client::new(&Ctx::new()).unwrap();
        client.socket().connect(home.rpc_socket()).unwrap();
        client.call::<Value>("ping", [json!({})]).unwrap();
        process
    }

    /// Starts another one in the same home.
    fn again(&mut self) {
        let installed = self.packages.get().unwrap();
        self.process = Self::spawn(&installed, &self.home);
    }

    fn client(&self) -> Pm2 {
        let mut pm2 = Pm2::connect(&Ctx::new(), &self.home).unwrap();
        pm2.set_timeout(Some(LIMIT));
        pm2
    }

    fn app(&self) -> App {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/app.js");
        let path = std::env::var("PATH").unwrap_or_default();
        App::new("tiny", script)
            .args(["one", "two"])
            .env_clear()
            .env("PATH", path)
            .env("NAME", "tiny")
    }

    /// Waits until the daemon has ended by itself: until nobody has the other end of its output.
    fn wait_ended(&mut self) {
        let mut output = self.process.0.stdout.take().unwrap();
        let (ended, ends) = crossbeam_channel::bounded(1);
        std::thread::spawn(move || {
            let _ = ended.send(std::io::copy(&mut output, &mut std::io::sink()));
        });
        ends.recv_timeout(LIMIT).expect("the daemon ends").unwrap();
        self.process.0.wait().unwrap();
    }
}

/// The next event of which `wanted` makes something.
fn hear<T>(bus: &Bus, what: &str, mut wanted: impl FnMut(BusEvent) -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    let mut others = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(event) = bus.recv_timeout(left) else {
            panic!("nothing heard of {what}, but {others:?}");
        };
        others.push(format!("{event:?}"));
        if let Some(heard) = wanted(event) {
            return heard;
        }
    }
}

fn hear_log(bus: &Bus, source: LogSource, text: &str) {
    hear(bus, text, |event| match event {
        BusEvent::Log(log) if log.source == source && log.data.contains(text) => {
            assert_eq!(log.process.name, "tiny");
            assert_eq!(log.process.id, Some(Id::Number(0)));
            assert_eq!(log.process.namespace.as_deref(), Some("default"));
            assert!(log.at.elapsed().unwrap() < LIMIT);
            Some(())
        }
        _ => None,
    });
}

fn hear_process(bus: &Bus, what: &str) -> ferrozmq_axon::pm2::ProcessEvent {
    hear(bus, what, |event| match event {
        BusEvent::Process(event) if event.event == what => Some(event),
        _ => None,
    })
}

fn remote<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    match outcome {
        Err(Error::Call(CallError::Remote(error))) => error.message(),
        other => panic!("no error of the daemon, but {other:?}"),
    }
}

/// A process from its launch to its end.
#[test]
fn a_process_is_launched_restarted_and_deleted() {
    Daemon::each(|daemon| {
        let pm2 = daemon.client();
        let bus = pm2.bus().unwrap();
        pm2.ping().unwrap();
        assert_eq!(pm2.version().unwrap(), daemon.version);
        assert!(pm2.list().unwrap().is_empty());

        let launched = pm2.launch(&daemon.app()).unwrap();
        assert_eq!(launched.len(), 1);
        assert_eq!(hear_process(&bus, "online").process.name(), "tiny");
        hear_log(&bus, LogSource::Out, "hello from tiny one two");

        let process = &pm2.describe("tiny").unwrap()[0];
        let id = process.id().unwrap();
        assert_eq!(
            (&id, process.name(), process.namespace()),
            (&0.into(), "tiny", "default")
        );
        assert_eq!(
            (process.status(), process.mode()),
            (Status::Online, ExecMode::Fork)
        );
        assert_eq!((process.restarts(), process.unstable_restarts()), (0, 0));
        assert!(process.uptime().unwrap() < LIMIT && process.created_at().is_some());
        assert!(process.memory().is_some() && process.cpu().is_some());
        assert!(process.script().unwrap().ends_with("app.js"));
        assert!(process.cwd().unwrap().is_dir() && process.interpreter().unwrap().is_file());
        let written = fs::read_to_string(process.out_log().unwrap()).unwrap();
        assert!(written.contains("hello from tiny"), "{written}");
        assert!(process.err_log().unwrap().is_file() && !process.is_watched());
        assert_eq!(process.env("NAME"), Some(&json!("tiny")));
        let first_pid = process.pid().unwrap();

        pm2.send_line("tiny", "a line").unwrap();
        hear_log(&bus, LogSource::Out, "got a line");
        pm2.send_line(&id, "err").unwrap();
        hear_log(&bus, LogSource::Err, "to stderr");
        pm2.signal("tiny", "SIGHUP").unwrap();
        hear_log(&bus, LogSource::Out, "got SIGHUP");
        pm2.signal_name("tiny", "SIGHUP").unwrap();
        hear_log(&bus, LogSource::Out, "got SIGHUP");
        pm2.send_data("tiny", "news", json!({"n": 1})).unwrap();
        hear_log(&bus, LogSource::Out, "got news {\"n\":1}");

        pm2.restart("tiny").unwrap();
        assert_eq!(hear_process(&bus, "online").process.restarts(), 1);
        hear_log(&bus, LogSource::Out, "hello from tiny");
        let process = &pm2.describe(0).unwrap()[0];
        assert_eq!(process.restarts(), 1);
        assert_ne!(process.pid().unwrap(), first_pid);

        let env = [("NAME".to_owned(), "other".to_owned())].into();
        pm2.restart_with("tiny", &env).unwrap();
        hear_log(&bus, LogSource::Out, "hello from other");
        pm2.reload("tiny").unwrap();
        hear_log(&bus, LogSource::Out, "hello from other");
        pm2.soft_reload("tiny").unwrap();
        hear_log(&bus, LogSource::Out, "hello from other");
        pm2.reset("tiny").unwrap();
        assert_eq!(pm2.describe("tiny").unwrap()[0].restarts(), 0);

        let stopped = &pm2.stop("tiny").unwrap()[0];
        assert_eq!((stopped.status(), stopped.pid()), (Status::Stopped, None));
        assert_eq!(pm2.list().unwrap()[0].status(), Status::Stopped);
        pm2.start("tiny").unwrap();
        hear_log(&bus, LogSource::Out, "hello from other");
        assert!(remote(pm2.start("tiny")).contains("already online"));

        pm2.delete(Target::All).unwrap();
        hear_process(&bus, "exit");
        assert!(pm2.list().unwrap().is_empty());
    });
}

#[test]
fn processes_are_told_apart() {
    Daemon::each(|daemon| {
        let pm2 = daemon.client();
        pm2.launch(&daemon.app()).unwrap();
        pm2.launch(&daemon.app().namespace("elsewhere")).unwrap();
        pm2.duplicate(0).unwrap();
        let ids = |target: Target| {
            let processes = pm2.describe(target).unwrap();
            processes
                .iter()
                .filter_map(|it| it.id())
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(Target::All), [0.into(), 1.into(), 2.into()]);
        assert_eq!(ids("tiny".into()), [0.into(), 1.into(), 2.into()]);
        assert_eq!(ids(Target::Namespace("elsewhere".into())), [1.into()]);
        assert_eq!(ids(Id::Number(2).into()), [2.into()]);
        for nobody in [
            "other".into(),
            7.into(),
            Target::Namespace("nowhere".into()),
        ] {
            let refused = pm2.describe(nobody);
            assert!(
                matches!(refused, Err(Error::NoSuchProcess(_))),
                "{refused:?}"
            );
        }
        let refused = pm2.stop("other");
        assert!(
            matches!(refused, Err(Error::NoSuchProcess(_))),
            "{refused:?}"
        );
        assert_eq!(remote(pm2.stop(999)), "999 : id unknown");
        assert_eq!(pm2.delete("tiny").unwrap().len(), 3);
    });
}

#[test]
fn the_bus_tells_what_processes_send() {
    Daemon::each(|daemon| {
        let pm2 = daemon.client();
        let bus = pm2.bus().unwrap();
        pm2.launch(&daemon.app()).unwrap();
        hear_log(&bus, LogSource::Out, "hello");
        let message = |line: &str| {
            pm2.send_line("tiny", line).unwrap();
            hear(&bus, line, |event| match event {
                BusEvent::Message(message) => Some((message.process.name, message.data)),
                _ => None,
            })
        };
        assert_eq!(
            message("message"),
            ("tiny".into(), json!({"any": ["thing"]}))
        );
        assert_eq!(message("raw"), ("tiny".into(), json!("a text")));

        let other = |line: &str, topic: &str| {
            pm2.send_line("tiny", line).unwrap();
            hear(&bus, line, |event| match event {
                BusEvent::Other(other) if other.topic == topic => {
                    Some(other.payload["data"].clone())
                }
                _ => None,
            })
        };
        assert_eq!(other("topic", "my:topic"), json!({"n": 1}));
        assert_eq!(other("forged", "log:out"), json!({"not": "text"}));

        pm2.announce("tiny", "my event").unwrap();
        assert!(hear_process(&bus, "my event").manually);
        pm2.send_line("tiny", "exit").unwrap();
        assert_eq!(hear_process(&bus, "exit").process.exit_code(), Some(3));
        hear_log(&bus, LogSource::Out, "hello");

        // Only of what is asked for, from now on.
        bus.subscribe("my:*");
        pm2.send_line("tiny", "one").unwrap();
        pm2.send_line("tiny", "topic").unwrap();
        let event = bus.recv_timeout(LIMIT).unwrap();
        assert!(
            matches!(&event, BusEvent::Other(other) if other.topic == "my:topic"),
            "{event:?}"
        );
    });
}

#[test]
fn exceptions_of_a_cluster_are_told() {
    Daemon::each(|daemon| {
        let pm2 = daemon.client();
        let bus = pm2.bus().unwrap();
        let launched = pm2
            .launch(&daemon.app().cluster().instances(2).arg("throw"))
            .unwrap();
        assert_eq!(launched.len(), 2);
        let modes: Vec<_> = pm2.list().unwrap().iter().map(|it| it.mode()).collect();
        assert_eq!(modes, [ExecMode::Cluster, ExecMode::Cluster]);
        // An app listens to messages before it greets.
        hear(&bus, "the first app", |event| match event {
            BusEvent::Log(log) if log.source == LogSource::Out => {
                (log.process.id == Some(Id::Number(0))).then_some(())
            }
            _ => None,
        });
        pm2.send_data(0, "throw", ()).unwrap();
        let exception = hear(&bus, "the exception", |event| match event {
            BusEvent::Exception(exception) => Some(exception),
            _ => None,
        });
        assert_eq!(exception.message, "as it must");
        assert_eq!(exception.process.name, "tiny");
        assert!(exception.stack.unwrap().contains("app.js"));
    });
}

/// A daemon would end of each of these calls.
#[test]
fn a_wrong_number_of_arguments_is_not_sent() {
    Daemon::each(|daemon| {
        let pm2 = daemon.client();
        for (method, args, takes) in [
            ("ping", vec![], 1),
            ("ping", vec![json!({}), json!({})], 1),
            ("getMonitorData", vec![], 1),
            ("startWatch", vec![json!({})], 2),
            ("killMe", vec![], 1),
            ("notifyKillPM2", vec![], 1),
        ] {
            let given = args.len();
            match pm2.call::<Value>(method, args) {
                Err(Error::Arguments {
                    method: told,
                    takes: expected,
                    given: were,
                }) => assert_eq!((told.as_str(), expected, were), (method, takes, given)),
                other => panic!("{method} is not refused: {other:?}"),
            }
        }
        let unknown = pm2.call::<Value>("noSuchMethod", vec![json!({})]);
        assert!(
            matches!(unknown, Err(Error::NoSuchMethod(_))),
            "{unknown:?}"
        );
        pm2.ping().unwrap();

        let methods = pm2.methods().unwrap();
        let system = pm2.system();
        if daemon.version.starts_with('7') {
            assert_eq!(methods.len(), 30);
            // It may not have measured yet.
            system.unwrap();
        } else {
            assert_eq!(methods.len(), 29);
            assert!(matches!(system, Err(Error::NoSuchMethod(_))), "{system:?}");
        }
    });
}

#[test]
fn the_rest_of_what_a_daemon_does() {
    Daemon::each(|daemon| {
        let pm2 = daemon.client();
        pm2.launch(&daemon.app()).unwrap();
        let report = pm2.report().unwrap();
        assert_eq!(report.pm2_version, daemon.version);
        assert!(!report.node_version.is_empty());
        assert!(report.started_at().unwrap().elapsed().unwrap() < 2 * LIMIT);
        pm2.reload_logs().unwrap();
        pm2.monitor("tiny", true).unwrap();
        pm2.monitor("tiny", false).unwrap();
        pm2.watch("tiny", true).unwrap();
        assert!(pm2.describe("tiny").unwrap()[0].is_watched());
        pm2.watch("tiny", false).unwrap();
        assert!(!pm2.describe("tiny").unwrap()[0].is_watched());
        pm2.toggle_watch("tiny").unwrap();
        assert!(pm2.describe("tiny").unwrap()[0].is_watched());
        let refused = remote(pm2.trigger("tiny", "nope", &Value::Null));
        assert!(refused.contains("nope"), "{refused}");
        let file = daemon.home.path().join("cpu.cpuprofile");
        assert_eq!(
            pm2.profile_cpu(&file, Duration::from_millis(50)).unwrap(),
            file
        );
        assert!(file.metadata().unwrap().len() > 0);
        let file = daemon.home.path().join("memory.heapprofile");
        assert_eq!(pm2.profile_memory(&file).unwrap(), file);
        pm2.ping().unwrap();
    });
}

/// Two calls of it are never replied to, and it is known that it is gone.
#[test]
fn a_daemon_is_killed() {
    Daemon::each(|mut daemon| {
        let pm2 = daemon.client();
        let bus = pm2.bus().unwrap();
        pm2.launch(&daemon.app()).unwrap();
        let pid = pm2.list().unwrap()[0].pid().unwrap();
        pm2.kill().unwrap();
        let kill = hear(&bus, "the kill", |event| match event {
            BusEvent::Kill(kill) => Some(kill),
            _ => None,
        });
        assert_eq!(kill.status, "killed");
        daemon.wait_ended();
        let gone = daemon.home.check();
        assert!(matches!(gone, Err(Error::NotRunning(_))), "{gone:?}");
        assert!(
            !Path::new(&format!("/proc/{pid}/cmdline")).exists() || cfg!(not(target_os = "linux"))
        );
        let refused = Pm2::connect(&Ctx::new(), &daemon.home);
        assert!(matches!(refused, Err(Error::NotRunning(_))), "{refused:?}");
    });
}

/// A daemon that dies, and another one in its place: calls under way fail, and then all goes on.
#[test]
fn a_daemon_dies_and_another_one_is_there() {
    Daemon::each(|mut daemon| {
        let pm2 = daemon.client();
        let bus = pm2.bus().unwrap();
        pm2.ping().unwrap();
        let client = Client::new(&Ctx::new()).unwrap();
        client.socket().connect(daemon.home.rpc_socket()).unwrap();
        // It takes a minute, and was taken when the call behind it is answered.
        let profile = json!({"pwd": daemon.home.path().join("profile"), "timeout": 60_000});
        let under_way = client.start::<Value>("profileCPU", [profile]).unwrap();
        client.call::<Value>("ping", [json!({})]).unwrap();
        daemon.process.0.kill().unwrap();
        let gone = under_way.wait_timeout(LIMIT);
        let is_gone = matches!(gone, Err(CallError::Socket(ferrozmq_axon::Error::PeerGone)));
        assert!(is_gone, "{gone:?}");
        daemon.wait_ended();
        daemon.again();
        pm2.ping().unwrap();
        pm2.launch(&daemon.app()).unwrap();
        // The bus is there again in time for the second line at least.
        pm2.send_line("tiny", "again").unwrap();
        let deadline = Instant::now() + LIMIT;
        while bus.recv_timeout(Duration::from_millis(200)).is_err() {
            assert!(Instant::now() < deadline, "the bus does not come back");
            pm2.send_line("tiny", "again").unwrap();
        }
    });
}

/// The example, where its output is no terminal.
#[test]
fn pm2_top_prints_one_frame() {
    Daemon::each(|daemon| {
        let pm2 = daemon.client();
        let bus = pm2.bus().unwrap();
        pm2.launch(&daemon.app()).unwrap();
        hear_log(&bus, LogSource::Out, "hello");
        let output = Command::new(env!("CARGO"))
            .args([
                "run",
                "--quiet",
                "--package",
                "ferrozmq-axon",
                "--example",
                "pm2_top",
            ])
            .args(["--", "--home"])
            .arg(daemon.home.path())
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let row = printed
            .lines()
            .find(|line| line.contains("tiny"))
            .expect("a row for it");
        for cell in ["0", "tiny", "online", "%", "iB", "hello from tiny one two"] {
            assert!(row.contains(cell), "{cell} in {printed}");
        }
        assert!(
            !printed.contains('\x1b'),
            "nothing for terminals in {printed:?}"
        );
    });
}

#[test]
fn without_a_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::at(directory.path());
    assert!(!home.is_alive());
    let refused = Pm2::connect(&Ctx::new(), &home).unwrap_err();
    let text = format!("no pm2 runs in {}", directory.path().display());
    assert_eq!(refused.to_string(), text);
    let refused = Bus::connect(&Ctx::new(), &home);
    assert!(matches!(refused, Err(Error::NotRunning(_))), "{refused:?}");
    // A file that a daemon has left behind.
    drop(std::os::unix::net::UnixListener::bind(home.rpc_socket()).unwrap());
    assert!(matches!(home.check(), Err(Error::NotRunning(_))));
}
