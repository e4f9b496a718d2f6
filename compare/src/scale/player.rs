//! The processes of a measurement. Who measures starts them, and tells and asks them things, a line
//! each, through their standard input and output; they end when that ends.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use clap::ValueEnum;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Result;
use crate::engine::{self, Engine};
use crate::scale::{connections, sockets, topics};
use crate::spec::EngineName;

/// How long a player may take for all it does.
const LIMIT: u64 = 300;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PlayArgs {
    #[arg(long, value_enum)]
    engine: EngineName,
    #[arg(long, value_enum)]
    role: Role,
    /// How many there are of what the role is about.
    #[arg(long, default_value_t = 0)]
    pub(crate) number: u32,
    /// Of clients: each connection has a socket of its own.
    #[arg(long)]
    pub(crate) own_sockets: bool,
    /// Give up after so many seconds.
    #[arg(long, default_value_t = LIMIT)]
    pub(crate) limit: u64,
}

/// What a process plays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Role {
    /// A ROUTER that sends back what it gets.
    Server,
    /// DEALERs.
    Client,
    /// A PUB and a SUB.
    Topics,
    /// A PULL and PUSHes.
    Sockets,
}

impl Role {
    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Plays a role in this process.
pub(crate) fn play(args: &PlayArgs) -> Result<()> {
    match args.engine {
        EngineName::Ferrozmq => with::<engine::ferrozmq::Engine>(args),
        EngineName::Libzmq => with::<engine::libzmq::Engine>(args),
        #[cfg(feature = "others")]
        EngineName::Omq => with::<engine::omq::Engine>(args),
        other => Err(format!("{other} is not asked for what it does at scale").into()),
    }
}

fn with<E: Engine>(args: &PlayArgs) -> Result<()> {
    match args.role {
        Role::Server => connections::serve::<E>(),
        Role::Client => connections::connect::<E>(args),
        Role::Topics => tell(&topics::play::<E>(args.number)?),
        Role::Sockets => tell(&sockets::play::<E>(args.number)?),
    }
}

/// Tells whoever measures.
pub(crate) fn tell(what: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(what)?);
    Ok(())
}

/// What is told by whoever measures, a line each.
pub(crate) fn told() -> impl Iterator<Item = std::io::Result<String>> {
    std::io::stdin().lines()
}

/// A process, seen by whoever measures. Dropping it ends it.
pub(crate) struct Player {
    child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

impl Player {
    pub(crate) fn start(engine: EngineName, role: Role, more: &[String]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("scale-play")
            .args(["--engine", &engine.to_string(), "--role", &role.name()])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = child.stdin.take().ok_or("no pipe to a player")?;
        let from = child.stdout.take().ok_or("no pipe from a player")?;
        Ok(Self {
            child,
            to,
            from: BufReader::new(from).lines(),
        })
    }

    pub(crate) fn ask(&mut self, what: &str) -> Result<()> {
        Ok(writeln!(self.to, "{what}")?)
    }

    /// What it tells next.
    pub(crate) fn answer<T: DeserializeOwned>(&mut self) -> Result<T> {
        let line = self.from.next().ok_or("a player has ended early")??;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // Its end is what closes its sockets; there is nothing to be done about an error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many descriptors a process may open, after having that raised as far as is allowed.
pub(crate) fn most_descriptors() -> Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

/// How much memory of its own the process has, in bytes.
pub(crate) fn memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next());
    let kib: u64 = kib
        .ok_or("the system does not tell how much memory is used")?
        .parse()?;
    Ok(kib * 1024)
}
