//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::Result;
use crate::readme::ReadmeArgs;
use crate::scale::ScaleArgs;
use crate::scale::player::PlayArgs;
use crate::spec::{EngineName, Pattern, RunSpec, Transport};

#[derive(Debug, Parser)]
#[command(
    about = "Compares ferrozmq with libzmq: interleaved runs, medians, ratios",
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) suite: SuiteArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measures what the README shows, draws its charts and prints its tables.
    Readme(ReadmeArgs),
    /// What many of something cost: connections, subscriptions, sockets, bytes of a message.
    Scale(ScaleArgs),
    /// One process of a measurement of `scale`.
    #[command(hide = true)]
    ScalePlay(PlayArgs),
    /// One run of one engine, told as a line of JSON.
    #[command(hide = true)]
    Run(RunArgs),
    /// What instructions are counted of: sends all messages, and then receives them.
    #[command(hide = true)]
    Backlog(RunSpec),
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) spec: RunSpec,
    /// Play the side that does not measure, and bind here if it is the one that binds.
    #[arg(long)]
    pub(crate) far: Option<String>,
    /// Give up after so many seconds.
    #[arg(long, default_value_t = 60)]
    pub(crate) limit: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SuiteArgs {
    /// What travels between whom.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "thr,lat,fanout,fanin,pubsub"
    )]
    pub(crate) patterns: Vec<Pattern>,
    /// Over what [default: inproc,ipc,tcp; with --processes ipc,tcp].
    #[arg(long, value_enum, value_delimiter = ',')]
    transports: Vec<Transport>,
    /// Bytes of a message, at least 8.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "16,64,256,1024,4096,65536",
        value_parser = clap::value_parser!(u32).range(8..)
    )]
    pub(crate) sizes: Vec<u32>,
    /// Who is compared; ratios are to libzmq.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "ferrozmq,libzmq"
    )]
    engines: Vec<EngineName>,
    /// Add the other Rust engines; needs `--features others` of cargo.
    #[arg(long)]
    others: bool,
    /// How often each engine is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// About how long a run takes; its number of messages is found by trial.
    #[arg(long, default_value_t = 1.0, conflicts_with = "count")]
    pub(crate) seconds: f64,
    /// Messages, or round trips, of a run.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Connections of fanout, fanin and pubsub.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) peers: u32,
    /// I/O threads of each context.
    #[arg(long, default_value_t = 1)]
    pub(crate) io_threads: u32,
    /// Pin the I/O threads to cores.
    #[arg(long)]
    pub(crate) pin: bool,
    /// Play sender and receiver in processes of their own; otherwise each is a thread.
    #[arg(long)]
    pub(crate) processes: bool,
    /// Draw charts into this directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) plot: Option<PathBuf>,
    /// Write the tables to this file too.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}

impl SuiteArgs {
    /// Over what is compared.
    pub(crate) fn transports(&self) -> Result<Vec<Transport>> {
        if self.processes && self.transports.contains(&Transport::Inproc) {
            return Err("processes cannot talk over inproc: leave out one of the two".into());
        }
        Ok(match (self.transports.is_empty(), self.processes) {
            (false, _) => self.transports.clone(),
            (true, true) => vec![Transport::Ipc, Transport::Tcp],
            (true, false) => vec![Transport::Inproc, Transport::Ipc, Transport::Tcp],
        })
    }

    /// Who is compared, in the order of their runs.
    pub(crate) fn engines(&self) -> Vec<EngineName> {
        let others = EngineName::OTHERS.into_iter().filter(|_| self.others);
        let mut engines = self.engines.clone();
        engines.extend(others.filter(|other| !self.engines.contains(other)));
        engines
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn suite(line: &str) -> SuiteArgs {
        let line = std::iter::once("compare").chain(line.split_whitespace());
        Cli::try_parse_from(line).unwrap().suite
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let args = suite("--patterns thr,lat --sizes 16,64 --transports tcp");
        assert_eq!(args.patterns, [Pattern::Thr, Pattern::Lat]);
        assert_eq!(args.sizes, [16, 64]);
        assert_eq!(args.transports().unwrap(), [Transport::Tcp]);
    }

    #[test]
    fn everything_is_compared_unless_told_otherwise() {
        let args = suite("");
        assert_eq!(args.patterns.len(), 5);
        assert_eq!(args.transports().unwrap().len(), 3);
        assert_eq!(args.engines(), [EngineName::Ferrozmq, EngineName::Libzmq]);
    }

    #[test]
    fn processes_leave_inproc_out() {
        assert!(
            !suite("--processes")
                .transports()
                .unwrap()
                .contains(&Transport::Inproc)
        );
        assert!(
            suite("--processes --transports inproc")
                .transports()
                .is_err()
        );
    }

    #[test]
    fn a_message_has_room_for_its_number() {
        assert!(Cli::try_parse_from(["compare", "--sizes", "7"]).is_err());
    }

    #[test]
    fn the_scale_is_given_in_one_way() {
        let line = ["compare", "--seconds", "2", "--count", "5"];
        assert!(Cli::try_parse_from(line).is_err());
    }
}
