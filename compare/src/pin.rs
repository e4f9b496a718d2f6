//! Pins an engine's I/O threads to cores, without asking the engine: threads inherit the cores of
//! the thread that starts them.

#[cfg(target_os = "linux")]
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
#[cfg(target_os = "linux")]
use nix::unistd::Pid;

use crate::Result;

/// Here threads cannot be pinned this way.
#[cfg(not(target_os = "linux"))]
pub(crate) fn started_on<T>(
    _first: usize,
    _number: usize,
    _start: impl FnOnce() -> Result<T>,
) -> Result<T> {
    Err("--pin works on Linux only".into())
}

/// Runs `start` on cores `first..first + number` (counted round the machine's), and then returns
/// the thread to where it was. Threads started meanwhile stay there.
#[cfg(target_os = "linux")]
pub(crate) fn started_on<T>(
    first: usize,
    number: usize,
    start: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let this_thread = Pid::from_raw(0);
    let before = sched_getaffinity(this_thread)?;
    let usable: Vec<usize> = (0..CpuSet::count())
        .filter(|core| before.is_set(*core).unwrap_or(false))
        .collect();
    let mut cores = CpuSet::new();
    for n in first..first + number.max(1) {
        cores.set(usable[n % usable.len()])?;
    }
    sched_setaffinity(this_thread, &cores)?;
    let started = start();
    sched_setaffinity(this_thread, &before)?;
    started
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn cores_of_this_thread() -> CpuSet {
        sched_getaffinity(Pid::from_raw(0)).expect("the cores of this process")
    }

    fn number_of(set: &CpuSet) -> usize {
        (0..CpuSet::count())
            .filter(|core| set.is_set(*core).expect("a core that exists"))
            .count()
    }

    #[test]
    fn threads_started_meanwhile_stay_and_the_starter_returns() {
        let before = cores_of_this_thread();
        let inherited = started_on(7, 1, || {
            Ok(std::thread::spawn(cores_of_this_thread).join().unwrap())
        });
        assert_eq!(number_of(&inherited.unwrap()), 1);
        assert_eq!(cores_of_this_thread(), before);
    }
}
