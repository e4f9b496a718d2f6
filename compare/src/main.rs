//! Compares ferrozmq with libzmq, side by side in one run of this program.
//!
//!     cargo run --release -p compare -- --patterns thr,lat --transports tcp
//!
//! Each run of an engine is a process of its own (the hidden command `run`), so that what it uses
//! of the machine is its alone; runs of the engines alternate, so that a machine that slows down
//! slows all of them. Run it on an idle machine.

mod backlog;
mod board;
mod cli;
mod engine;
mod far;
mod message;
mod outcome;
mod pin;
mod play;
mod plot;
mod readme;
mod report;
mod run;
mod scale;
mod spec;
mod stats;
mod suite;
mod table;
mod usage;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::cli::{Cli, Command, RunArgs, SuiteArgs};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Some(Command::Run(args)) => run_one(args),
        Some(Command::Backlog(spec)) => run::all_at_once(spec),
        Some(Command::Readme(args)) => readme::run(args),
        Some(Command::Scale(args)) => scale::run(args),
        Some(Command::ScalePlay(args)) => {
            limit(Duration::from_secs(args.limit));
            exit_when_a_thread_panics();
            scale::player::play(args)
        }
        None => compare(&cli.suite),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Ends the process with an error, from any of its threads.
pub(crate) fn fail(error: &(dyn Error + Send + Sync)) -> ! {
    eprintln!("error: {error}");
    std::process::exit(1)
}

fn run_one(args: &RunArgs) -> Result<()> {
    limit(Duration::from_secs(args.limit));
    exit_when_a_thread_panics();
    if let Some(endpoint) = &args.far {
        return run::far(&args.spec, endpoint);
    }
    let outcome = run::near(&args.spec)?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

/// A run that lost a message would wait for it for ever.
fn limit(limit: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        let error = format!("not done within {} s: messages lost?", limit.as_secs());
        fail(&*Box::<dyn Error + Send + Sync>::from(error));
    });
}

fn exit_when_a_thread_panics() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(1);
    }));
}

fn compare(args: &SuiteArgs) -> Result<()> {
    let compared = suite::run(suite::cells(args)?, args)?;
    let report = report::markdown(&compared, args);
    println!("{report}");
    if let Some(file) = &args.markdown {
        std::fs::write(file, &report).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if let Some(directory) = &args.plot {
        plot::charts(&compared, directory)?;
    }
    report::check(&compared)
}
