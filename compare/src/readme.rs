//! `compare readme`: measures what the README shows, draws its charts and prints its tables.
//!
//! The rows, sizes and times are fixed, so that one README can be compared with the next, and all of
//! it takes some minutes.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Parser;

use crate::Result;
use crate::cli::{Cli, SuiteArgs};
use crate::outcome::Outcome;
use crate::plot;
use crate::report;
use crate::spec::{EngineName, Pattern, Transport};
use crate::suite::{self, Cell, Compared};
use crate::table::{Table, three_digits};

/// Where the README's charts are, from the root of the repository.
const CHARTS: &str = "compare/charts";

const SIZES: [u32; 6] = [16, 64, 256, 1024, 4096, 65536];

const ROWS: [(&str, Pattern, Transport); 10] = [
    ("PUSH to PULL, tcp", Pattern::Thr, Transport::Tcp),
    ("…ipc", Pattern::Thr, Transport::Ipc),
    ("…inproc", Pattern::Thr, Transport::Inproc),
    ("PUSH to 4 PULLs, tcp", Pattern::Fanout, Transport::Tcp),
    ("4 PUSHes to a PULL, tcp", Pattern::Fanin, Transport::Tcp),
    ("PUB to 4 SUBs, tcp", Pattern::Pubsub, Transport::Tcp),
    ("…inproc", Pattern::Pubsub, Transport::Inproc),
    (
        "round trip, tcp: times as fast",
        Pattern::Lat,
        Transport::Tcp,
    ),
    ("…ipc", Pattern::Lat, Transport::Ipc),
    ("…inproc", Pattern::Lat, Transport::Inproc),
];

#[derive(Debug, clap::Args)]
pub(crate) struct ReadmeArgs {
    /// How often each engine is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// About how long a run takes.
    #[arg(long, default_value_t = 0.4)]
    seconds: f64,
    /// Draw the charts into this directory.
    #[arg(long, value_name = "DIR", default_value = CHARTS)]
    plot: PathBuf,
}

/// Measures, draws and prints.
///
/// # Errors
/// At the end, if a run failed.
pub(crate) fn run(args: &ReadmeArgs) -> Result<()> {
    let line = [
        "compare".to_owned(),
        "--rounds".to_owned(),
        args.rounds.to_string(),
    ];
    let seconds = ["--seconds".to_owned(), args.seconds.to_string()];
    let suite = Cli::try_parse_from(line.into_iter().chain(seconds))?.suite;
    let compared = suite::run(cells(), &suite)?;
    let charts = compared.iter().filter(|one| is_shown(one.cell));
    plot::charts(&charts.cloned().collect::<Vec<_>>(), &args.plot)?;
    println!("{}", tables(&compared, &suite));
    report::check(&compared)
}

fn cells() -> Vec<Cell> {
    let cell = |(_, pattern, transport): (_, _, _)| {
        SIZES.map(|size| Cell {
            pattern,
            transport,
            size,
        })
    };
    ROWS.into_iter().flat_map(cell).collect()
}

/// Whether the README has a chart of it.
fn is_shown(cell: Cell) -> bool {
    use Pattern::{Lat, Pubsub, Thr};
    cell.transport == Transport::Tcp && matches!(cell.pattern, Thr | Lat | Pubsub)
}

/// The ratios to libzmq's speed and to its processor time.
fn tables(compared: &[Compared], args: &SuiteArgs) -> String {
    let speed = table(compared, |one| {
        let ours = one.of(EngineName::Ferrozmq)?;
        Some(format!("× {}", two_digits(one.ratio(ours)?.median)))
    });
    let usage = table(compared, |one| {
        let cpu = |name| Some(one.of(name)?.summary(Outcome::cpu_us)?.median);
        let share = cpu(EngineName::Ferrozmq)? / cpu(EngineName::Libzmq)?;
        Some(two_digits(share))
    });
    let mut text = report::preface(args);
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\nTimes as fast as libzmq:\n\n{speed}\nProcessor time, as a share of libzmq's:\n\n{usage}"
    );
    text += &report::failures(compared);
    text
}

fn table(compared: &[Compared], figure: impl Fn(&Compared) -> Option<String>) -> Table {
    let sizes = SIZES.map(|size| match size {
        1024.. => format!("{} KiB", size / 1024),
        _ => format!("{size} B"),
    });
    let header: Vec<&str> = [""]
        .into_iter()
        .chain(sizes.iter().map(String::as_str))
        .collect();
    let mut table = Table::new(1, &header);
    for (name, pattern, transport) in ROWS {
        let row = SIZES.map(|size| {
            let cell = Cell {
                pattern,
                transport,
                size,
            };
            let found = compared.iter().find(|one| one.cell == cell);
            found.and_then(&figure).unwrap_or_else(|| "–".to_owned())
        });
        table.push([name.to_owned()].into_iter().chain(row));
    }
    table
}

/// A ratio, of which more digits would say nothing.
fn two_digits(ratio: f64) -> String {
    match ratio {
        10.0.. => format!("{ratio:.0}"),
        1.0.. => format!("{ratio:.1}"),
        0.095.. => format!("{ratio:.2}"),
        _ => three_digits(ratio),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::suite;
    use crate::suite::tests::{compared, series};

    #[test]
    fn rows_have_the_form_of_the_readme() {
        let mut one = compared(vec![
            series(EngineName::Ferrozmq, &[0.25]),
            series(EngineName::Libzmq, &[1.0]),
        ]);
        one.cell.size = 64;
        let text = tables(&[one], &suite(""));
        let row = |name: &str| {
            let row = text
                .lines()
                .find(|line| line.contains(name))
                .unwrap_or_default();
            row.split('|').map(str::trim).collect::<Vec<_>>().join("|")
        };
        assert_eq!(row("16 B"), "||16 B|64 B|256 B|1 KiB|4 KiB|64 KiB|");
        assert_eq!(row("PUSH to PULL"), "|PUSH to PULL, tcp|–|× 4.0|–|–|–|–|");
    }

    #[test]
    fn each_chart_of_the_readme_is_drawn() {
        let shown: Vec<_> = cells().into_iter().filter(|cell| is_shown(*cell)).collect();
        assert_eq!(shown.len(), 3 * SIZES.len());
        assert_eq!(cells().len(), ROWS.len() * SIZES.len());
    }
}
