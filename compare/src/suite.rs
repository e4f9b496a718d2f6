//! The whole comparison: for each pattern, transport and size, rounds in which the engines take
//! turns, each run a process of its own.

use std::process::{Command, Stdio};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::Result;
use crate::cli::SuiteArgs;
use crate::outcome::Outcome;
use crate::spec::{EngineName, Pattern, RunSpec, Transport};
use crate::stats::Summary;

/// Messages of the first trial run.
const FIRST_TRIAL: u64 = 2_000;

/// A trial run tells the rate well enough if it takes this share of a run's time.
const TRIAL: f64 = 0.1;

/// No trial is larger than the one before by more than this.
const GROWTH: u64 = 50;

/// What a PUB without a high-water mark may have waiting in memory, in messages and in bytes.
const BACKLOG: (u64, u64) = (1_000_000, 256 << 20);

/// What is compared: one row of a table per engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    pub(crate) pattern: Pattern,
    pub(crate) transport: Transport,
    pub(crate) size: u32,
}

/// The runs of one engine in one cell.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) engine: EngineName,
    /// One per round, unless a run failed.
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) failure: Option<String>,
}

/// A cell with what came out.
#[derive(Clone, Debug)]
pub(crate) struct Compared {
    pub(crate) cell: Cell,
    pub(crate) series: Vec<Series>,
}

impl Series {
    /// A figure of all runs; `None` if there is none, or one failed.
    pub(crate) fn summary(&self, figure: impl Fn(&Outcome) -> f64) -> Option<Summary> {
        match self.failure {
            Some(_) => None,
            None => Summary::of(self.outcomes.iter().map(figure)),
        }
    }
}

impl Compared {
    /// How much faster an engine is than libzmq, round by round.
    pub(crate) fn ratio(&self, series: &Series) -> Option<Summary> {
        let base = self.of(EngineName::Libzmq)?;
        if series.engine == base.engine || series.failure.is_some() || base.failure.is_some() {
            return None;
        }
        let pairs = series.outcomes.iter().zip(&base.outcomes);
        Summary::of(pairs.map(|(one, base)| one.speed() / base.speed()))
    }

    /// The failed series, and why.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (EngineName, &str)> {
        self.series
            .iter()
            .filter_map(|series| Some((series.engine, series.failure.as_deref()?)))
    }

    pub(crate) fn of(&self, engine: EngineName) -> Option<&Series> {
        self.series.iter().find(|series| series.engine == engine)
    }
}

/// Runs each cell as the arguments say.
pub(crate) fn run(cells: Vec<Cell>, args: &SuiteArgs) -> Result<Vec<Compared>> {
    let engines = args.engines();
    let can = |cell: &Cell| {
        let can = |engine: &&EngineName| engine.can(cell.pattern, cell.transport);
        engines.iter().filter(can).count() as u64
    };
    let runs = cells.iter().map(can).sum::<u64>() * (u64::from(args.rounds) + 1);
    let progress = ProgressBar::new(runs).with_style(ProgressStyle::with_template(
        "{wide_bar} {pos}/{len} {msg:<32} {eta:>5}",
    )?);
    let compared = cells.iter().map(|cell| compare(*cell, args, &progress));
    let compared = compared.collect();
    progress.finish_and_clear();
    Ok(compared)
}

/// All that the arguments ask for.
pub(crate) fn cells(args: &SuiteArgs) -> Result<Vec<Cell>> {
    let transports = args.transports()?;
    let mut cells = Vec::new();
    for &pattern in &args.patterns {
        for &transport in &transports {
            cells.extend(args.sizes.iter().map(|&size| Cell {
                pattern,
                transport,
                size,
            }));
        }
    }
    Ok(cells)
}

fn compare(cell: Cell, args: &SuiteArgs, progress: &ProgressBar) -> Compared {
    let mut specs = Vec::new();
    let mut series = Vec::new();
    for engine in args.engines() {
        if engine.can(cell.pattern, cell.transport) {
            announce(progress, cell, engine);
            let (spec, failure) = match scaled(spec(cell, engine, args), args) {
                Ok(spec) => (Some(spec), None),
                Err(error) => (None, Some(error.to_string())),
            };
            specs.push(spec);
            series.push(Series {
                engine,
                outcomes: Vec::new(),
                failure,
            });
            progress.inc(1);
        }
    }
    for _ in 0..args.rounds {
        for (spec, series) in specs.iter().zip(&mut series) {
            announce(progress, cell, series.engine);
            if let (Some(spec), None) = (spec, &series.failure) {
                match one_run(spec, limit(args.seconds)) {
                    Ok(outcome) => series.outcomes.push(outcome),
                    Err(error) => series.failure = Some(error.to_string()),
                }
            }
            progress.inc(1);
        }
    }
    Compared { cell, series }
}

fn announce(progress: &ProgressBar, cell: Cell, engine: EngineName) {
    let Cell {
        pattern,
        transport,
        size,
    } = cell;
    progress.set_message(format!("{pattern} {transport} {size} {engine}"));
}

fn spec(cell: Cell, engine: EngineName, args: &SuiteArgs) -> RunSpec {
    RunSpec {
        engine,
        pattern: cell.pattern,
        transport: cell.transport,
        size: cell.size,
        count: args.count.unwrap_or(FIRST_TRIAL),
        peers: args.peers,
        io_threads: args.io_threads,
        pin: args.pin,
        processes: args.processes,
    }
}

/// The specification with as many messages as a run of the wanted time takes.
fn scaled(mut spec: RunSpec, args: &SuiteArgs) -> Result<RunSpec> {
    if args.count.is_some() {
        return Ok(spec);
    }
    let most = most_messages(&spec);
    spec.count = spec.count.min(most);
    loop {
        let secs = one_run(&spec, limit(args.seconds))?.secs;
        let wanted = |seconds: f64| (spec.count as f64 * seconds / secs) as u64;
        if secs >= args.seconds * TRIAL || spec.count == most {
            spec.count = wanted(args.seconds).clamp(1, most);
            return Ok(spec);
        }
        let next = wanted(args.seconds * TRIAL * 2.0);
        spec.count = next.clamp(1, spec.count * GROWTH).min(most);
    }
}

/// How many messages a run may have at most.
fn most_messages(spec: &RunSpec) -> u64 {
    let (messages, bytes) = BACKLOG;
    match spec.pattern {
        Pattern::Pubsub => messages.min(bytes / u64::from(spec.size)).max(1),
        Pattern::Thr | Pattern::Lat | Pattern::Fanout | Pattern::Fanin => u64::MAX / GROWTH,
    }
}

/// The most time that a run may take which is to take about so many seconds.
fn limit(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds * 20.0 + 60.0)
}

/// One run in a process of its own.
///
/// # Errors
/// It failed, or took longer than `limit`.
pub(crate) fn one_run(spec: &RunSpec, limit: Duration) -> Result<Outcome> {
    let output = Command::new(std::env::current_exe()?)
        .arg("run")
        .args(spec.to_args())
        .args(["--limit", &limit.as_secs().to_string()])
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout)?);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.trim().trim_start_matches("error: ");
    Err(match complaint {
        "" => output.status.to_string(),
        complaint => complaint.replace('\n', "; "),
    }
    .into())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cli::tests::suite;
    use crate::outcome::tests::outcome;

    pub(crate) fn series(engine: EngineName, secs: &[f64]) -> Series {
        Series {
            engine,
            outcomes: secs.iter().map(|secs| outcome(1_000_000, *secs)).collect(),
            failure: None,
        }
    }

    pub(crate) fn compared(series: Vec<Series>) -> Compared {
        let cell = Cell {
            pattern: Pattern::Thr,
            transport: Transport::Tcp,
            size: 100,
        };
        Compared { cell, series }
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let both = compared(vec![
            series(EngineName::Ferrozmq, &[1.0, 2.0, 4.0]),
            series(EngineName::Libzmq, &[3.0, 6.0, 8.0]),
        ]);
        let ratio = both.ratio(&both.series[0]).unwrap();
        assert_eq!((ratio.median, ratio.min, ratio.max), (3.0, 2.0, 3.0));
        assert!(both.ratio(&both.series[1]).is_none(), "libzmq to itself");
    }

    #[test]
    fn a_failed_run_has_no_figures() {
        let mut failed = series(EngineName::Ferrozmq, &[1.0]);
        failed.failure = Some("lost".to_owned());
        let both = compared(vec![failed, series(EngineName::Libzmq, &[1.0])]);
        assert!(both.series[0].summary(Outcome::speed).is_none());
        assert!(both.ratio(&both.series[0]).is_none());
        assert_eq!(
            both.failures().collect::<Vec<_>>(),
            [(EngineName::Ferrozmq, "lost")]
        );
    }

    #[test]
    fn cells_are_all_combinations() {
        let args = suite("--patterns thr,lat --transports ipc,tcp --sizes 16,64,256");
        assert_eq!(cells(&args).unwrap().len(), 12);
    }

    #[test]
    fn a_publisher_may_not_fill_the_memory() {
        let mut spec = crate::spec::tests::spec(Pattern::Pubsub, 1);
        assert_eq!(most_messages(&spec), 1_000_000);
        spec.size = 65536;
        assert_eq!(most_messages(&spec), 4096);
    }
}
