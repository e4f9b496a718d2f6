//! `compare scale`: what many of something cost. Connections to one ROUTER, subscriptions of one
//! SUB, sockets of one process, bytes of one message.
//!
//! Each figure is measured in processes of its own, see [`player`], for one engine after the other.

mod connections;
mod figures;
pub(crate) mod player;
mod sockets;
mod topics;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use crate::Result;
use crate::outcome::Outcome;
use crate::scale::figures::{Figure, Unit, table};
use crate::spec::{EngineName, Pattern, RunSpec, Transport};
use crate::suite;

#[derive(Debug, clap::Args)]
pub(crate) struct ScaleArgs {
    /// What there are many of.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "connections,topics,sockets,large"
    )]
    parts: Vec<Part>,
    /// Who is compared.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "ferrozmq,libzmq"
    )]
    engines: Vec<EngineName>,
    /// How many tcp connections to one ROUTER. The limit of open descriptors is raised as far as
    /// the system allows; the ROUTER needs one for each.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000",
          value_parser = clap::value_parser!(u32).range(100..))]
    connections: Vec<u32>,
    /// How many topics one SUB subscribes to.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    topics: u32,
    /// How many sockets are connected to one of the same process.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1000))]
    sockets: u32,
    /// Bytes of a large message, of which two are sent. Memory for about six is needed.
    #[arg(long, default_value_t = 1 << 30, value_parser = clap::value_parser!(u32).range(8..))]
    large: u32,
    /// How often each is measured.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Write the tables to this file too.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Part {
    /// tcp connections to one ROUTER, idle and with some of them active.
    Connections,
    /// Subscriptions with long common prefixes.
    Topics,
    /// PUSH sockets connected to one PULL over inproc.
    Sockets,
    /// Messages of a gigabyte.
    Large,
}

/// One table.
#[derive(Clone, Copy, Debug)]
enum Case {
    /// With a socket for each connection, or with one for nearly all of them.
    Connections {
        number: u32,
        own_sockets: bool,
    },
    Topics(u32),
    Sockets(u32),
    Large {
        size: u32,
        transport: Transport,
    },
}

impl Case {
    fn title(self) -> String {
        match self {
            Self::Connections {
                number,
                own_sockets: true,
            } => format!("{number} tcp connections to one ROUTER, each of a DEALER of its own"),
            Self::Connections { number, .. } => {
                format!("{number} tcp connections to one ROUTER, 99 % of them of one DEALER")
            }
            Self::Topics(number) => format!("{number} subscriptions of one SUB to one PUB, tcp"),
            Self::Sockets(number) => format!("{number} PUSH sockets to one PULL, inproc"),
            Self::Large { size, transport } => {
                format!(
                    "messages of {} MiB, {transport}",
                    f64::from(size) / f64::from(1 << 20)
                )
            }
        }
    }

    fn measure(self, engine: EngineName) -> Result<Vec<Figure>> {
        match self {
            Self::Connections {
                number,
                own_sockets,
            } => connections::measure(engine, number, own_sockets),
            Self::Topics(number) => topics::measure(engine, number),
            Self::Sockets(number) => sockets::measure(engine, number),
            Self::Large { size, transport } => large(engine, size, transport),
        }
    }
}

impl ScaleArgs {
    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for part in &self.parts {
            match part {
                Part::Connections => {
                    for &number in &self.connections {
                        cases.extend([true, false].map(|own_sockets| Case::Connections {
                            number,
                            own_sockets,
                        }));
                    }
                }
                Part::Topics => cases.push(Case::Topics(self.topics)),
                Part::Sockets => cases.push(Case::Sockets(self.sockets)),
                Part::Large => {
                    cases.extend([Transport::Inproc, Transport::Ipc, Transport::Tcp].map(
                        |transport| Case::Large {
                            size: self.large,
                            transport,
                        },
                    ))
                }
            }
        }
        cases
    }
}

/// Measures what the arguments ask for, and prints a table for each.
///
/// # Errors
/// At the end, if something could not be measured; why is in the tables.
pub(crate) fn run(args: &ScaleArgs) -> Result<()> {
    let cases = args.cases();
    let runs = cases.len() as u64 * u64::from(args.rounds) * args.engines.len() as u64;
    let progress = ProgressBar::new(runs).with_style(ProgressStyle::with_template(
        "{wide_bar} {pos}/{len} {msg:<50} {eta:>5}",
    )?);
    let mut report = String::from("# Scale\n");
    let mut failures = 0;
    for case in cases {
        let mut columns = vec![(Vec::new(), None); args.engines.len()];
        for _ in 0..args.rounds {
            for (engine, (rounds, failure)) in args.engines.iter().zip(&mut columns) {
                progress.set_message(format!("{engine}: {}", case.title()));
                match case.measure(*engine) {
                    Ok(figures) => rounds.push(figures),
                    Err(error) => *failure = Some(error.to_string()),
                }
                progress.inc(1);
            }
        }
        let title = case.title();
        let (text, failed) = table(&title, &args.engines, &columns);
        progress.suspend(|| println!("{text}"));
        report += &text;
        failures += failed;
    }
    progress.finish_and_clear();
    if let Some(file) = &args.markdown {
        std::fs::write(file, &report).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    match failures {
        0 => Ok(()),
        failures => Err(format!("{failures} measurement(s) failed").into()),
    }
}

/// One message to become warm, and two that are measured.
fn large(engine: EngineName, size: u32, transport: Transport) -> Result<Vec<Figure>> {
    let spec = RunSpec {
        engine,
        pattern: Pattern::Thr,
        transport,
        size,
        count: 2,
        peers: 1,
        io_threads: 1,
        pin: false,
        processes: false,
    };
    let outcome = suite::one_run(&spec, Duration::from_secs(300))?;
    Ok(vec![
        Figure::new(
            "bytes per second",
            Unit::PerSecond,
            outcome.bytes as f64 / outcome.secs,
        ),
        Figure::new(
            "processor time per message",
            Unit::Seconds,
            Outcome::cpu_us(&outcome) / 1e6,
        ),
        Figure::new(
            "memory at its peak, in messages",
            Unit::Number,
            outcome.rss_mib() * f64::from(1 << 20) / f64::from(size),
        ),
    ])
}
