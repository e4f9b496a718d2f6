//! [`Backoff`]: when to try again. Dialling itself is a state of the session, not an object.

use std::time::Duration;

use crate::options::{Growth, Reconnect};

/// The waits between attempts to connect.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Option<Duration>,
    max: Duration,
    growth: Growth,
    /// The wait before the one that comes next; zero before the first.
    last: Duration,
}

impl Backoff {
    pub(crate) fn new(reconnect: &Reconnect) -> Self {
        Self {
            first: reconnect.interval,
            max: reconnect.max,
            growth: reconnect.growth,
            last: Duration::ZERO,
        }
    }

    /// The next wait; `None` if there is to be no further attempt. `random` is in `0.0..1.0`.
    ///
    /// Without a maximum it is mostly the interval plus a random share of it, so that a thousand
    /// peers of a restarted server do not come back in one moment. With one it grows up to it.
    pub(crate) fn next(&mut self, random: f64) -> Option<Duration> {
        let first = self.first?;
        if self.growth == Growth::Doubling && self.max <= first {
            return Some(first + first.mul_f64(random));
        }
        let grown = match self.growth {
            _ if self.last.is_zero() => first,
            Growth::Doubling => self.last.saturating_mul(2).min(self.max),
            Growth::Steady(factor) => whole_millis(self.last, factor).min(self.max),
        };
        self.last = grown;
        Some(self.last)
    }

    /// A connection came up, handshake and all: the next wait is the first again.
    pub(crate) fn reset(&mut self) {
        self.last = Duration::ZERO;
    }
}

/// The wait times the factor, to the nearest millisecond.
fn whole_millis(wait: Duration, factor: f64) -> Duration {
    let micros = Duration::try_from_secs_f64(wait.as_secs_f64() * factor)
        .unwrap_or(Duration::MAX)
        .as_micros();
    let millis = micros.saturating_add(500) / 1000;
    u64::try_from(millis).map_or(Duration::MAX, Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Options, SocketType};

    fn backoff(interval: Option<u64>, max: u64) -> Backoff {
        let mut reconnect = Options::new(SocketType::PUSH).reconnect;
        reconnect.interval = interval.map(Duration::from_millis);
        reconnect.max = Duration::from_millis(max);
        Backoff::new(&reconnect)
    }

    fn millis(backoff: &mut Backoff, random: f64) -> Option<u128> {
        backoff.next(random).map(|wait| wait.as_millis())
    }

    #[test]
    fn without_a_maximum_the_wait_is_the_interval_and_a_random_share() {
        let mut backoff = backoff(Some(100), 0);
        assert_eq!(millis(&mut backoff, 0.0), Some(100));
        assert_eq!(millis(&mut backoff, 0.5), Some(150));
        assert_eq!(millis(&mut backoff, 0.0), Some(100));
    }

    #[test]
    fn with_a_maximum_the_wait_doubles_up_to_it_until_reset() {
        let mut backoff = backoff(Some(100), 500);
        let waits: Vec<_> = (0..5).filter_map(|_| millis(&mut backoff, 0.9)).collect();
        assert_eq!(waits, [100, 200, 400, 500, 500]);
        backoff.reset();
        assert_eq!(millis(&mut backoff, 0.9), Some(100));
    }

    #[test]
    fn steady_growth_is_in_whole_milliseconds_and_never_by_chance() {
        let mut backoff = backoff(Some(100), 5000);
        backoff.growth = Growth::Steady(1.5);
        let waits: Vec<_> = (0..12).filter_map(|_| millis(&mut backoff, 0.9)).collect();
        let expected = [
            100, 150, 225, 338, 507, 761, 1142, 1713, 2570, 3855, 5000, 5000,
        ];
        assert_eq!(waits, expected);
        backoff.max = Duration::from_millis(60);
        backoff.reset();
        assert_eq!(millis(&mut backoff, 0.9), Some(100));
        assert_eq!(millis(&mut backoff, 0.9), Some(60));
    }

    #[test]
    fn without_an_interval_there_is_no_second_attempt() {
        assert_eq!(millis(&mut backoff(None, 500), 0.5), None);
    }
}
