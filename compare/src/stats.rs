//! Medians, spreads and percentiles of small samples.

/// A sample in one figure, and how far it spreads.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Summary {
    /// `None` of no figures.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        Some(Self {
            median: median(&figures)?,
            min: *figures.first()?,
            max: *figures.last()?,
        })
    }

    /// From the lowest to the highest, in percent of the median.
    pub(crate) fn spread(&self) -> f64 {
        if self.median == 0.0 {
            return 0.0;
        }
        (self.max - self.min) / self.median * 100.0
    }
}

/// The middle of ascending figures, the mean of the two in the middle of an even number.
fn median(ascending: &[f64]) -> Option<f64> {
    let upper = ascending.len() / 2;
    let lower = ascending.len().checked_sub(1)? / 2;
    Some((ascending[lower] + ascending[upper]) / 2.0)
}

/// The smallest of ascending figures that the share `q` of them does not exceed.
pub(crate) fn percentile(ascending: &[u64], q: f64) -> Option<u64> {
    let rank = (ascending.len() as f64 * q).ceil() as usize;
    ascending.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        let median = |figures: &[f64]| Summary::of(figures.iter().copied()).unwrap().median;
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
    }

    #[test]
    fn nothing_has_no_summary() {
        assert_eq!(Summary::of([]), None);
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn the_spread_is_in_percent_of_the_median() {
        assert_eq!(Summary::of([90.0, 100.0, 120.0]).unwrap().spread(), 30.0);
        assert_eq!(Summary::of([5.0]).unwrap().spread(), 0.0);
        assert_eq!(Summary::of([0.0, 0.0]).unwrap().spread(), 0.0);
    }

    #[test]
    fn percentiles_are_figures_of_the_sample() {
        let figures: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&figures, 0.5), Some(50));
        assert_eq!(percentile(&figures, 0.99), Some(99));
        assert_eq!(percentile(&figures, 1.0), Some(100));
        assert_eq!(percentile(&figures, 0.0), Some(1));
        assert_eq!(percentile(&[7], 0.99), Some(7));
    }
}
