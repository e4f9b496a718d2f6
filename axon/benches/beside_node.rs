//! Messages and round trips per second beside Node's axon: each side of each pair once from here and
//! once from Node, in turn, over tcp and unix sockets; medians of some rounds. Beside it the processor
//! time of each side for a message, which other load on the machine does not change as much.
//!
//! `cargo bench -p ferrozmq-axon --bench beside_node -- [--rounds 3] [--seconds 1] [--package axon]`
//! takes `node` and `npm`; each side is a process of its own. A message counts when the application
//! has it. Senders keep to what is taken: Node's wait for the drain of their stream, ours for room
//! in the pipe; so nothing is dropped and nothing heaps up.
//!
//! `-- --backlog <messages> <bytes>` sends and receives so many in one process, and nothing else: for
//! counting instructions, under `valgrind --tool=callgrind`.

use std::error::Error;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use ferrozmq::Ctx;
use ferrozmq_axon::{Message, Options, Overflow, Pub, Pull, Push, Rep, Req, Sub};

type Outcome<T> = Result<T, Box<dyn Error>>;

const WARM_UP: Duration = Duration::from_millis(500);

// ── a peer ───────────────────────────────────────────────────────────────────────────────────

/// Counts what comes, and says how much that is per second when the time is over.
struct Meter {
    begun: Option<Instant>,
    since: Option<Instant>,
    count: u64,
    time: Duration,
}

impl Meter {
    fn new(time: Duration) -> Self {
        Self {
            begun: None,
            since: None,
            count: 0,
            time,
        }
    }

    #[inline]
    fn count(&mut self) -> Option<(f64, u64)> {
        self.count += 1;
        if self.count % 256 != 1 {
            return None;
        }
        let now = Instant::now();
        let begun = *self.begun.get_or_insert(now);
        match self.since {
            None if now - begun >= WARM_UP => {
                self.since = Some(now);
                self.count = 1;
                println!("begun");
                None
            }
            Some(since) if now - since >= self.time => {
                let count = self.count - 1;
                Some((count as f64 / (now - since).as_secs_f64(), count))
            }
            _ => None,
        }
    }
}

fn measure(time: Duration, mut next: impl FnMut() -> ferrozmq_axon::Result<()>) -> Outcome<()> {
    let mut meter = Meter::new(time);
    loop {
        next()?;
        if let Some((rate, count)) = meter.count() {
            println!("rate {rate:.0} {count}");
            // There is nothing to be delivered any more.
            std::process::exit(0);
        }
    }
}

/// Plays a role, as `peer.js` does.
fn play(role: &str, address: &str, size: usize, time: Duration) -> Outcome<()> {
    let ctx = Ctx::new();
    // As many for each peer as ZeroMQ has by default: what waits stays in the processor's caches.
    let paced = Options::new()
        .hwm(0)
        .peer_hwm(1000)
        .overflow(Overflow::Wait);
    let payload = vec![7_u8; size];
    macro_rules! bound {
        ($socket:ident) => {{
            let socket = $socket::new(&ctx)?;
            socket.bind(address)?;
            println!("ready {}", socket.address().unwrap_or_default());
            socket
        }};
    }
    let mut message = Message::default();
    match role {
        "pull" => {
            let pull = bound!(Pull);
            measure(time, || pull.recv_into(&mut message))
        }
        "sub" => {
            let sub = bound!(Sub);
            measure(time, || sub.recv_into(&mut message))
        }
        "push" => {
            let push = Push::with_options(&ctx, &paced)?;
            push.connect(address)?;
            loop {
                push.send(&payload[..])?;
            }
        }
        "pub" => {
            let publisher = Pub::with_options(&ctx, &paced)?;
            let mut events = publisher.events()?;
            publisher.connect(address)?;
            events.find(|event| matches!(event, ferrozmq_axon::Event::Connect { .. }));
            loop {
                publisher.send(&payload[..])?;
            }
        }
        "rep" => {
            let rep = bound!(Rep);
            loop {
                let request = rep.recv()?;
                request.reply(request.message().get(0)?)?;
            }
        }
        "req" => {
            let req = Req::new(&ctx)?;
            req.connect(address)?;
            measure(time, || req.send(&payload[..])?.wait().map(drop))
        }
        other => Err(format!("no such role: {other}").into()),
    }
}

/// Sends messages before there is who receives them, so that all batches are full, then receives them.
fn backlog(count: u64, size: usize) -> Outcome<()> {
    let ctx = Ctx::new();
    let unlimited = Options::new().peer_hwm(0);
    let push = Push::with_options(&ctx, &unlimited)?;
    let mut events = push.events()?;
    push.bind("tcp://127.0.0.1:0")?;
    let pull = Pull::with_options(&ctx, &unlimited)?;
    pull.connect(push.address().unwrap_or_default())?;
    events.find(|event| matches!(event, ferrozmq_axon::Event::Connect { .. }));
    let payload = vec![7_u8; size];
    for _ in 0..count {
        push.send(&payload[..])?;
    }
    let mut message = Message::default();
    for _ in 0..count {
        pull.recv_into(&mut message)?;
    }
    Ok(())
}

// ── the runs ─────────────────────────────────────────────────────────────────────────────────

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Here,
    Node,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Here => "ferrozmq",
            Self::Node => "node",
        }
    }
}

struct Bench {
    node_modules: PathBuf,
    package: String,
    seconds: f64,
    rounds: usize,
}

/// What a run has come to.
#[derive(Clone, Copy)]
struct Rate {
    per_second: f64,
    /// The processor time of each side for a message, in microseconds.
    client: f64,
    server: f64,
}

/// A process that ends with this.
struct Peer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// The rest of the next line that begins with `word`.
    fn hear(&mut self, word: &str) -> Outcome<String> {
        for line in self.lines.by_ref() {
            if let Some(rest) = line?.strip_prefix(word) {
                return Ok(rest.trim().to_owned());
            }
        }
        Err(format!("the peer ended before it said {word:?}").into())
    }

    /// How much processor time it has had, in microseconds.
    fn cpu(&self) -> Outcome<f64> {
        /// Linux counts in hundredths of a second.
        const TICK: f64 = 10_000.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let behind_name = stat.rsplit(')').next().unwrap_or_default();
        let mut fields = behind_name.split_whitespace().skip(11);
        let mut next = || -> Outcome<f64> { Ok(fields.next().ok_or("too short")?.parse()?) };
        Ok((next()? + next()?) * TICK)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bench {
    fn peer(&self, side: Side, role: &str, address: &str, size: usize) -> Outcome<Peer> {
        let mut command = match side {
            Side::Here => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("--peer");
                command
            }
            Side::Node => {
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer.js");
                let mut command = Command::new("node");
                command
                    .arg(script)
                    .arg(self.node_modules.join(&self.package));
                command
            }
        };
        command
            .args([role, address, &size.to_string(), &self.seconds.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or("no output")?;
        let lines = BufReader::new(stdout).lines();
        Ok(Peer { child, lines })
    }

    /// What `roles.0`, who binds, and `roles.1` reach.
    fn rate(
        &self,
        roles: (&str, &str),
        sides: (Side, Side),
        place: &str,
        size: usize,
    ) -> Outcome<Rate> {
        let mut server = self.peer(sides.0, roles.0, place, size)?;
        let mut address = server.hear("ready")?;
        if address.starts_with('/') {
            // The form that all of them understand.
            address = format!("unix://{address}");
        }
        let mut client = self.peer(sides.1, roles.1, &address, size)?;
        let is_measured_by_client = roles.0 == "rep";
        let mut hear = |word| {
            let measured = if is_measured_by_client {
                &mut client
            } else {
                &mut server
            };
            let rest = measured.hear(word)?;
            Ok::<_, Box<dyn Error>>((rest, client.cpu()?, server.cpu()?))
        };
        let (_, client_before, server_before) = hear("begun")?;
        let (rest, client_after, server_after) = hear("rate")?;
        let (rate, count) = rest.split_once(' ').ok_or("a rate and a count")?;
        let count: f64 = count.parse()?;
        Ok(Rate {
            per_second: rate.parse()?,
            client: (client_after - client_before) / count,
            server: (server_after - server_before) / count,
        })
    }

    fn run(&self) -> Outcome<()> {
        println!(
            "median of {} rounds of {} s, node with {}",
            self.rounds, self.seconds, self.package
        );
        println!(
            "{:10} {:5} {:>6}  {:24} {:>12} {:>10} {:>10}",
            "pair", "over", "bytes", "from → to", "per second", "µs from", "µs to"
        );
        for roles in [("pull", "push"), ("sub", "pub"), ("rep", "req")] {
            for transport in ["tcp", "unix"] {
                for size in [64, 1024] {
                    self.compare(roles, transport, size)?;
                }
            }
        }
        Ok(())
    }

    fn compare(&self, roles: (&str, &str), transport: &str, size: usize) -> Outcome<()> {
        use Side::{Here, Node};
        let directory = std::env::temp_dir();
        let all = [(Here, Here), (Node, Node), (Node, Here), (Here, Node)];
        let mut rates = vec![Vec::new(); all.len()];
        for round in 0..self.rounds {
            for (at, sides) in all.into_iter().enumerate() {
                let place = if transport == "tcp" {
                    "tcp://127.0.0.1:0".to_owned()
                } else {
                    let name = format!("axon-bench-{}-{round}-{at}", std::process::id());
                    format!("unix://{}", directory.join(name).display())
                };
                rates[at].push(self.rate(roles, sides, &place, size)?);
                let _ = std::fs::remove_file(place.trim_start_matches("unix://"));
            }
        }
        for ((server, client), mut rates) in all.into_iter().zip(rates) {
            let mut median = |of: fn(&Rate) -> f64| {
                rates.sort_unstable_by(|a, b| of(a).total_cmp(&of(b)));
                of(&rates[rates.len() / 2])
            };
            println!(
                "{:10} {transport:5} {size:6}  {:24} {:12.0} {:10.2} {:10.2}",
                format!("{}/{}", roles.1, roles.0),
                format!("{} → {}", client.name(), server.name()),
                median(|rate| rate.per_second),
                median(|rate| rate.client),
                median(|rate| rate.server),
            );
        }
        Ok(())
    }
}

/// Gets the packages from the registry, once.
fn installed(package: &str) -> Outcome<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axon-bench");
    let modules = directory.join("node_modules");
    if !modules.join(package).exists() {
        std::fs::create_dir_all(&directory)?;
        let flags = [
            "install",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--prefix",
        ];
        let mut npm = Command::new("npm");
        npm.args(flags)
            .arg(&directory)
            .arg(package)
            .stdout(Stdio::null());
        if !npm.status()?.success() {
            return Err("npm cannot install the package".into());
        }
    }
    Ok(modules)
}

fn main() -> Outcome<()> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if let [peer, role, address, size, seconds] = &args[..] {
        if peer == "--peer" {
            let time = Duration::from_secs_f64(seconds.parse()?);
            return play(role, address, size.parse()?, time);
        }
    }
    if let [mode, count, size] = &args[..] {
        if mode == "--backlog" {
            return backlog(count.parse()?, size.parse()?);
        }
    }
    let option = |name: &str, default: &str| {
        let at = args.iter().position(|arg| arg == name);
        let value = at.and_then(|at| args.get(at + 1));
        value.map_or(default, String::as_str).to_owned()
    };
    if Command::new("node").arg("--version").output().is_err() {
        println!("node is not there: nothing to compare with");
        return Ok(());
    }
    let package = option("--package", "axon");
    Bench {
        node_modules: installed(&package)?,
        package,
        seconds: option("--seconds", "1").parse()?,
        rounds: option("--rounds", "3").parse()?,
    }
    .run()
}
