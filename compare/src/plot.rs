//! Bar charts as SVG: one per pattern and transport, a group of bars per size of message.

use std::fs;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::Result;
use crate::outcome::Outcome;
use crate::spec::{EngineName, Pattern, Transport};
use crate::suite::{Cell, Compared, Series};
use crate::table::short;

const SIZE: (u32, u32) = (900, 500);

/// The share of a group's width that its bars take.
const FILLED: f64 = 0.8;

/// Draws all charts into a directory, which is made if it is not there.
pub(crate) fn charts(compared: &[Compared], directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut rest = compared;
    while let Some(first) = rest.first() {
        let same = |one: &Compared| key(one.cell) == key(first.cell);
        let end = rest.iter().position(|one| !same(one)).unwrap_or(rest.len());
        let (groups, others) = rest.split_at(end);
        let (pattern, transport) = key(first.cell);
        let file = directory.join(format!("{pattern}-{transport}.svg"));
        let area = SVGBackend::new(&file, SIZE).into_drawing_area();
        draw(&area, groups)?;
        area.present()?;
        rest = others;
    }
    Ok(())
}

fn key(cell: Cell) -> (Pattern, Transport) {
    (cell.pattern, cell.transport)
}

/// One bar.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Bar {
    engine: EngineName,
    left: f64,
    right: f64,
    height: f64,
}

/// The bars of groups of width 1, the first group beginning at 0.
fn bars(groups: &[Compared]) -> Vec<Bar> {
    let mut bars = Vec::new();
    for (group, one) in groups.iter().enumerate() {
        let width = FILLED / one.series.len().max(1) as f64;
        for (n, series) in one.series.iter().enumerate() {
            let left = group as f64 + (1.0 - FILLED) / 2.0 + n as f64 * width;
            bars.extend(height(one.cell, series).map(|height| Bar {
                engine: series.engine,
                left,
                right: left + width,
                height,
            }));
        }
    }
    bars
}

fn height(cell: Cell, series: &Series) -> Option<f64> {
    let summary = match cell.pattern {
        Pattern::Lat => series.summary(|outcome| 1e6 / outcome.speed()),
        Pattern::Thr | Pattern::Fanout | Pattern::Fanin | Pattern::Pubsub => {
            series.summary(Outcome::per_second)
        }
    };
    Some(summary?.median)
}

fn draw<B: DrawingBackend>(area: &DrawingArea<B, Shift>, groups: &[Compared]) -> Result<()>
where
    B::ErrorType: 'static,
{
    let bars = bars(groups);
    let Some(cell) = groups.first().map(|one| one.cell) else {
        return Ok(());
    };
    let highest = bars.iter().fold(1.0, |high, bar| bar.height.max(high));
    let lowest = bars.iter().fold(highest, |low, bar| bar.height.min(low));
    let floor = 10f64.powf((lowest / 2.0).log10().floor());
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .caption(title(cell), ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(80)
        .build_cartesian_2d(
            (0.0..groups.len() as f64).step(0.5),
            (floor..highest * 1.5).log_scale(),
        )?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .x_labels(groups.len() * 2 + 1)
        .x_label_formatter(&|x| group_label(groups, *x))
        .y_label_formatter(&|y| short(*y))
        .x_desc("bytes")
        .draw()?;
    for engine in engines(&bars) {
        let own = bars.iter().filter(|bar| bar.engine == engine);
        let rectangle = |bar: &Bar| {
            let corners = [(bar.left, floor), (bar.right, bar.height)];
            Rectangle::new(corners, color(engine).filled())
        };
        chart
            .draw_series(own.map(rectangle))?
            .label(engine.to_string())
            .legend(move |(x, y)| {
                Rectangle::new([(x, y - 5), (x + 12, y + 5)], color(engine).filled())
            });
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

fn title(cell: Cell) -> String {
    let what = match cell.pattern {
        Pattern::Lat => "median round trip in µs, lower is better",
        Pattern::Thr | Pattern::Fanout | Pattern::Fanin | Pattern::Pubsub => {
            "messages per second, higher is better"
        }
    };
    format!("{} over {}: {what}", cell.pattern, cell.transport)
}

/// The size of a group's messages in the middle of the group, nothing elsewhere.
fn group_label(groups: &[Compared], x: f64) -> String {
    let in_the_middle = (x.fract() - 0.5).abs() < 1e-6;
    match groups.get(x as usize) {
        Some(one) if in_the_middle => one.cell.size.to_string(),
        Some(_) | None => String::new(),
    }
}

/// The engines that have bars, in the order of their first.
fn engines(bars: &[Bar]) -> Vec<EngineName> {
    let mut engines = Vec::new();
    for bar in bars {
        if !engines.contains(&bar.engine) {
            engines.push(bar.engine);
        }
    }
    engines
}

fn color(engine: EngineName) -> RGBColor {
    match engine {
        EngineName::Ferrozmq => RGBColor(183, 65, 14),
        EngineName::Libzmq => RGBColor(70, 110, 160),
        EngineName::Raw => RGBColor(160, 160, 160),
        EngineName::Omq => RGBColor(90, 150, 90),
        EngineName::Rzmq => RGBColor(200, 160, 60),
        EngineName::Zmqrs => RGBColor(130, 90, 150),
        EngineName::Monocoque => RGBColor(80, 160, 170),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::tests::{compared, series};

    fn both() -> Compared {
        compared(vec![
            series(EngineName::Ferrozmq, &[0.5]),
            series(EngineName::Libzmq, &[1.0]),
        ])
    }

    #[test]
    fn bars_of_a_group_stand_side_by_side() {
        let bars = bars(&[both(), both()]);
        assert_eq!(bars.len(), 4);
        assert_eq!(bars[0].height, 2e6);
        assert_eq!(bars[0].right, bars[1].left);
        assert!(bars[1].right < 1.0 && bars[2].left > 1.0);
    }

    #[test]
    fn a_failed_series_has_no_bar() {
        let mut one = both();
        one.series[0].failure = Some("lost".to_owned());
        assert_eq!(engines(&bars(&[one])), [EngineName::Libzmq]);
    }

    #[test]
    fn a_chart_is_drawn_per_pattern_and_transport() {
        let directory = tempfile::tempdir().unwrap();
        let mut other = both();
        other.cell.transport = Transport::Ipc;
        charts(&[both(), both(), other], directory.path()).unwrap();
        let chart = fs::read_to_string(directory.path().join("thr-tcp.svg")).unwrap();
        assert!(chart.contains("ferrozmq") && chart.contains("messages per second"));
        assert!(directory.path().join("thr-ipc.svg").exists());
    }
}
