//! The report: one table per pattern, and what failed.

use std::fmt::Write;
use std::thread::available_parallelism;

use crate::Result;
use crate::cli::SuiteArgs;
use crate::outcome::Outcome;
use crate::spec::Pattern;
use crate::suite::{Compared, Series};
use crate::table::{Table, short, three_digits};

const STREAM: [&str; 11] = [
    "transport",
    "engine",
    "bytes",
    "msgs/s",
    "spread",
    "MB/s",
    "cpu µs/msg",
    "switches/msg",
    "RSS MiB",
    "ratio",
    "ratio of rounds",
];

const LATENCY: [&str; 11] = [
    "transport",
    "engine",
    "bytes",
    "p50 µs",
    "spread",
    "p99 µs",
    "cpu µs/trip",
    "switches/trip",
    "RSS MiB",
    "ratio",
    "ratio of rounds",
];

/// The whole report, as Markdown.
pub(crate) fn markdown(compared: &[Compared], args: &SuiteArgs) -> String {
    let mut report = preface(args);
    for pattern in &args.patterns {
        let of_pattern = compared.iter().filter(|one| one.cell.pattern == *pattern);
        let table = table(*pattern, of_pattern);
        report += &format!("\n## {pattern}\n\n{table}");
    }
    report += &failures(compared);
    report
}

/// What was measured, and how.
pub(crate) fn preface(args: &SuiteArgs) -> String {
    let cores = available_parallelism().map_or(0, |cores| cores.get());
    let (major, minor, patch) = zmq::version();
    let places = if args.processes {
        "processes"
    } else {
        "threads"
    };
    let pinned = if args.pin { ", pinned" } else { "" };
    format!(
        "# Comparison\n\n\
         {cores} cores; libzmq {major}.{minor}.{patch}; sides are {places}; \
         {} I/O thread(s) per context{pinned}; {} peers where there are many.\n\
         Medians of {} rounds, with the spread from lowest to highest. A ratio above 1 is faster \
         than libzmq: by\nmessages per second, for lat by the median round trip; the last column \
         has the ratios of single rounds.\n",
        args.io_threads, args.peers, args.rounds,
    )
}

/// # Errors
/// If a run failed.
pub(crate) fn check(compared: &[Compared]) -> Result<()> {
    match compared.iter().map(|one| one.failures().count()).sum() {
        0usize => Ok(()),
        failed => Err(format!("{failed} run(s) failed").into()),
    }
}

fn table<'a>(pattern: Pattern, compared: impl Iterator<Item = &'a Compared>) -> Table {
    let header = match pattern {
        Pattern::Lat => &LATENCY,
        Pattern::Thr | Pattern::Fanout | Pattern::Fanin | Pattern::Pubsub => &STREAM,
    };
    let mut table = Table::new(2, header);
    for one in compared {
        for series in &one.series {
            table.push(row(one, series));
        }
    }
    table
}

fn row(one: &Compared, series: &Series) -> Vec<String> {
    let mut row = vec![
        one.cell.transport.to_string(),
        series.engine.to_string(),
        one.cell.size.to_string(),
    ];
    match figures(one, series) {
        Some(figures) => row.extend(figures),
        None => row.push("failed".to_owned()),
    }
    row
}

fn figures(one: &Compared, series: &Series) -> Option<Vec<String>> {
    let median = |figure: fn(&Outcome) -> f64| Some(series.summary(figure)?.median);
    let (main, second) = match one.cell.pattern {
        Pattern::Lat => (series.summary(p50)?, three_digits(median(p99)?)),
        Pattern::Thr | Pattern::Fanout | Pattern::Fanin | Pattern::Pubsub => (
            series.summary(Outcome::per_second)?,
            three_digits(median(Outcome::megabytes_per_second)?),
        ),
    };
    let ratio = one.ratio(series);
    Some(vec![
        short(main.median),
        format!("{:.0}%", main.spread()),
        second,
        three_digits(median(Outcome::cpu_us)?),
        three_digits(median(Outcome::switches)?),
        three_digits(median(Outcome::rss_mib)?),
        ratio.map_or_else(String::new, |ratio| format!("{:.2}", ratio.median)),
        ratio.map_or_else(String::new, |r| format!("{:.2}–{:.2}", r.min, r.max)),
    ])
}

fn p50(outcome: &Outcome) -> f64 {
    outcome.round_trip.map_or(0.0, |trip| trip.p50)
}

fn p99(outcome: &Outcome) -> f64 {
    outcome.round_trip.map_or(0.0, |trip| trip.p99)
}

/// Which runs failed, and why.
pub(crate) fn failures(compared: &[Compared]) -> String {
    let mut text = String::new();
    for one in compared {
        let cell = one.cell;
        for (engine, why) in one.failures() {
            if text.is_empty() {
                text.push_str("\n## Failed\n\n");
            }
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "- {} {} {} {engine}: {why}",
                cell.pattern, cell.transport, cell.size
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::suite;
    use crate::spec::EngineName;
    use crate::suite::tests::{compared, series};

    #[test]
    fn a_row_has_medians_spread_and_ratio() {
        let both = compared(vec![
            series(EngineName::Ferrozmq, &[0.4, 0.5, 0.5]),
            series(EngineName::Libzmq, &[1.0, 1.0, 1.0]),
        ]);
        let row = row(&both, &both.series[0]);
        let expected = [
            "tcp",
            "ferrozmq",
            "100",
            "2.00 M",
            "25%",
            "200",
            "1.00",
            "0.100",
            "2.00",
            "2.00",
            "2.00–2.50",
        ];
        assert_eq!(row, expected);
        assert_eq!(row.len(), STREAM.len());
    }

    #[test]
    fn failures_are_told_with_their_reason() {
        let mut failed = series(EngineName::Libzmq, &[1.0]);
        failed.failure = Some("3 of 5 messages were lost".to_owned());
        let report = markdown(&[compared(vec![failed])], &suite("--patterns thr"));
        assert!(report.contains("| libzmq |   100 | failed |"), "{report}");
        assert!(report.contains("- thr tcp 100 libzmq: 3 of 5 messages were lost"));
    }

    #[test]
    fn there_is_a_table_per_pattern() {
        let report = markdown(&[], &suite("--patterns thr,lat"));
        assert!(report.contains("## thr") && report.contains("## lat"));
        assert!(report.contains("p50 µs") && report.contains("msgs/s"));
        assert!(!report.contains("## Failed"));
    }
}
