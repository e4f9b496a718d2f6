//! [`Outcome`]: what one run gives, as one line of JSON, and what is told of it per message.

use serde::{Deserialize, Serialize};

use crate::usage::Usage;

/// What one run gives.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Messages received, or round trips made.
    pub(crate) messages: u64,
    /// Bytes in the bodies of those.
    pub(crate) bytes: u64,
    /// From when all connections were warm until the last message was there.
    pub(crate) secs: f64,
    /// What the process or the processes of the run used in that time.
    pub(crate) usage: Usage,
    /// Of `lat` only.
    pub(crate) round_trip: Option<RoundTrip>,
}

/// How long whole round trips took, in microseconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct RoundTrip {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Outcome {
    pub(crate) fn per_second(&self) -> f64 {
        self.messages as f64 / self.secs
    }

    pub(crate) fn megabytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.secs / 1e6
    }

    pub(crate) fn cpu_us(&self) -> f64 {
        self.usage.cpu_s * 1e6 / self.messages as f64
    }

    pub(crate) fn switches(&self) -> f64 {
        self.usage.switches as f64 / self.messages as f64
    }

    pub(crate) fn rss_mib(&self) -> f64 {
        self.usage.peak_rss_kib as f64 / 1024.0
    }

    /// What engines are compared by, more being better: round trips per second at the median
    /// latency, otherwise messages per second.
    pub(crate) fn speed(&self) -> f64 {
        self.round_trip
            .map_or_else(|| self.per_second(), |trip| 1e6 / trip.p50)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn outcome(messages: u64, secs: f64) -> Outcome {
        Outcome {
            messages,
            bytes: messages * 100,
            secs,
            usage: Usage {
                cpu_s: 2.0 * secs,
                switches: messages as i64 / 10,
                peak_rss_kib: 2048,
            },
            round_trip: None,
        }
    }

    #[test]
    fn figures_per_message_and_per_second() {
        let outcome = outcome(1_000_000, 0.5);
        assert_eq!(outcome.per_second(), 2e6);
        assert_eq!(outcome.megabytes_per_second(), 200.0);
        assert_eq!(outcome.cpu_us(), 1.0);
        assert_eq!(outcome.switches(), 0.1);
        assert_eq!(outcome.rss_mib(), 2.0);
    }

    #[test]
    fn latency_is_compared_by_its_median() {
        let trip = RoundTrip {
            p50: 20.0,
            p99: 90.0,
        };
        let outcome = Outcome {
            round_trip: Some(trip),
            ..outcome(1000, 1.0)
        };
        assert_eq!(outcome.speed(), 50_000.0);
    }

    #[test]
    fn an_outcome_survives_its_line() {
        let outcome = outcome(7, 0.25);
        let line = serde_json::to_string(&outcome).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Outcome>(&line).unwrap(), outcome);
    }
}
