//! [`Figure`]: one thing that was measured; and the table of all figures of a case.

use serde::{Deserialize, Serialize};

use crate::spec::EngineName;
use crate::stats::Summary;
use crate::table::{Table, short, three_digits};

/// What a figure counts, and whether more of it is better.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Unit {
    /// Of memory.
    Bytes,
    Seconds,
    /// More is better.
    PerSecond,
    /// Without a unit of its own; less is better.
    Number,
}

/// One thing that was measured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    what: String,
    unit: Unit,
    value: f64,
}

impl Figure {
    pub(crate) fn new(what: &str, unit: Unit, value: f64) -> Self {
        Self {
            what: what.to_owned(),
            unit,
            value,
        }
    }
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Self::Bytes if value >= 1024.0 * 1024.0 => {
                format!("{} MiB", three_digits(value / 1024.0 / 1024.0))
            }
            Self::Bytes if value >= 1024.0 => format!("{} KiB", three_digits(value / 1024.0)),
            Self::Bytes => format!("{value:.0} B"),
            Self::Seconds if value >= 1.0 => format!("{} s", three_digits(value)),
            Self::Seconds if value >= 1e-3 => format!("{} ms", three_digits(value * 1e3)),
            Self::Seconds => format!("{} µs", three_digits(value * 1e6)),
            Self::PerSecond => format!("{}/s", short(value)),
            Self::Number => three_digits(value),
        }
    }

    /// How much better `ours` is than `theirs`.
    fn ratio(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Self::PerSecond => ours / theirs,
            Self::Bytes | Self::Seconds | Self::Number => theirs / ours,
        }
    }
}

/// The rounds of one engine, and why one of them failed.
pub(crate) type Column = (Vec<Vec<Figure>>, Option<String>);

/// A table with the medians of all rounds under its title, and how many engines failed.
///
/// The last column tells how much better the first engine is than libzmq.
pub(crate) fn table(title: &str, engines: &[EngineName], columns: &[Column]) -> (String, usize) {
    let names: Vec<String> = engines.iter().map(ToString::to_string).collect();
    let mut header = vec!["medians"];
    header.extend(names.iter().map(String::as_str));
    header.push("ratio");
    let mut table = Table::new(1, &header);
    let base = engines.iter().position(|name| *name == EngineName::Libzmq);
    let rows = columns.iter().find_map(|(rounds, _)| rounds.first());
    for (row, figure) in rows.into_iter().flatten().enumerate() {
        let medians: Vec<Option<f64>> = columns.iter().map(|column| median(column, row)).collect();
        let shown = medians.iter().map(|median| {
            median.map_or_else(|| "failed".to_owned(), |value| figure.unit.text(value))
        });
        let ours = medians.first().copied().flatten();
        let theirs = base.filter(|base| *base > 0).and_then(|base| medians[base]);
        let ratio = ours
            .zip(theirs)
            .map(|(ours, theirs)| figure.unit.ratio(ours, theirs));
        let ratio = ratio.map_or_else(String::new, |ratio| format!("× {}", three_digits(ratio)));
        table.push(
            [figure.what.clone()]
                .into_iter()
                .chain(shown)
                .chain([ratio]),
        );
    }
    let mut text = format!("\n## {title}\n\n{table}");
    let failures = names.iter().zip(columns);
    let failures: Vec<_> = failures
        .filter_map(|(name, (_, failure))| Some((name, failure.as_ref()?)))
        .collect();
    for (name, why) in &failures {
        text += &format!("\n{name} failed: {why}\n");
    }
    (text, failures.len())
}

fn median((rounds, failure): &Column, row: usize) -> Option<f64> {
    let values = rounds
        .iter()
        .filter_map(|figures| Some(figures.get(row)?.value));
    match failure {
        Some(_) => None,
        None => Some(Summary::of(values)?.median),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_medians_and_tells_how_much_better_the_first_is() {
        let round = |bytes, rate| {
            vec![
                Figure::new("memory", Unit::Bytes, bytes),
                Figure::new("messages", Unit::PerSecond, rate),
            ]
        };
        let engines = [EngineName::Ferrozmq, EngineName::Libzmq];
        let ours = (
            vec![round(4096.0, 2e6), round(8192.0, 2e6), round(4096.0, 1e6)],
            None,
        );
        let theirs = (vec![round(32768.0, 1e6)], None);
        let (text, failed) = table("many", &engines, &[ours.clone(), theirs]);
        assert_eq!(failed, 0);
        assert!(text.contains("## many"), "{text}");
        assert!(
            text.contains("| memory   | 4.00 KiB | 32.0 KiB | × 8.00 |"),
            "{text}"
        );
        assert!(
            text.contains("| messages | 2.00 M/s | 1.00 M/s | × 2.00 |"),
            "{text}"
        );

        let broken = (Vec::new(), Some("no descriptors".to_owned()));
        let (text, failed) = table("many", &engines, &[ours, broken]);
        assert_eq!(failed, 1);
        assert!(text.contains("libzmq failed: no descriptors"), "{text}");
    }

    #[test]
    fn units_are_readable() {
        assert_eq!(Unit::Bytes.text(512.0), "512 B");
        assert_eq!(Unit::Bytes.text(3.0 * 1024.0 * 1024.0), "3.00 MiB");
        assert_eq!(Unit::Seconds.text(0.0000125), "12.5 µs");
        assert_eq!(Unit::Seconds.text(0.25), "250 ms");
        assert_eq!(Unit::PerSecond.text(1.5e6), "1.50 M/s");
    }
}
