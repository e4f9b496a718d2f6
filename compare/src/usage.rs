//! [`Usage`]: what a process has used of the machine.

use std::ops::{Add, Sub};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

/// The system tells the peak in bytes on Apple's systems, in KiB elsewhere.
const RSS_UNITS_PER_KIB: i64 = if cfg!(target_vendor = "apple") {
    1024
} else {
    1
};

/// What the present process has used so far, or between two such moments.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Processor time of all threads, in seconds.
    pub(crate) cpu_s: f64,
    /// Context switches, given up or taken away.
    pub(crate) switches: i64,
    /// The most memory that was resident at once.
    pub(crate) peak_rss_kib: i64,
}

impl Usage {
    pub(crate) fn now() -> Self {
        Self::of(UsageWho::RUSAGE_SELF)
    }

    /// What the present thread has used; where the system does not tell, what the process has.
    pub(crate) fn of_thread() -> Self {
        #[cfg(target_os = "linux")]
        let who = UsageWho::RUSAGE_THREAD;
        #[cfg(not(target_os = "linux"))]
        let who = UsageWho::RUSAGE_SELF;
        Self::of(who)
    }

    fn of(who: UsageWho) -> Self {
        let Ok(usage) = getrusage(who) else {
            return Self::default();
        };
        let cpu = usage.user_time() + usage.system_time();
        Self {
            cpu_s: cpu.num_microseconds() as f64 / 1e6,
            switches: usage.voluntary_context_switches() + usage.involuntary_context_switches(),
            peak_rss_kib: usage.max_rss() / RSS_UNITS_PER_KIB,
        }
    }
}

/// From an earlier moment to a later one; the peak is the later's.
impl Sub for Usage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            cpu_s: self.cpu_s - earlier.cpu_s,
            switches: self.switches - earlier.switches,
            peak_rss_kib: self.peak_rss_kib,
        }
    }
}

/// Two processes together.
impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cpu_s: self.cpu_s + other.cpu_s,
            switches: self.switches + other.switches,
            peak_rss_kib: self.peak_rss_kib + other.peak_rss_kib,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_grows_and_differences_keep_the_peak() {
        let before = Usage::now();
        let after = Usage::now();
        let used = after - before;
        assert!(used.cpu_s >= 0.0 && used.switches >= 0);
        assert_eq!(used.peak_rss_kib, after.peak_rss_kib);
        assert!(after.peak_rss_kib > 0);
    }
}
