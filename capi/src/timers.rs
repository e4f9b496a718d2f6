//! `zmq_timers_*`: functions that run at intervals, in the calls of whoever owns them.
//!
//! Nothing is held while one runs, so that it can add and cancel timers, itself too.

use std::collections::BTreeMap;
use std::ffi::{c_int, c_long, c_void};
use std::time::{Duration, Instant};

use crate::abi::{Done, Opaque, TimerFn};
use crate::errno::Errno;
use crate::handle::{Handle, kind};

/// A set of timers.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    timers: BTreeMap<c_int, Timer>,
    last_id: c_int,
}

kind!(Timers, 0xcafe_dada, Errno::FAULT);

#[derive(Clone, Copy, Debug)]
struct Timer {
    interval: Duration,
    due: Instant,
    run: TimerFn,
    arg: Opaque,
}

impl Timers {
    fn add(&mut self, interval: Duration, run: TimerFn, arg: Opaque) -> c_int {
        self.last_id += 1;
        let due = Instant::now() + interval;
        let timer = Timer {
            interval,
            due,
            run,
            arg,
        };
        self.timers.insert(self.last_id, timer);
        self.last_id
    }

    fn get(&mut self, id: c_int) -> Result<&mut Timer, Errno> {
        self.timers.get_mut(&id).ok_or(Errno::INVALID)
    }

    /// The next time that any is due.
    fn due(&self) -> Option<Instant> {
        self.timers.values().map(|timer| timer.due).min()
    }

    /// The timers that are due, in the order of their times.
    fn all_due(&self, now: Instant) -> Vec<(Instant, c_int)> {
        let due = self.timers.iter().filter(|(_, timer)| timer.due <= now);
        let mut due: Vec<_> = due.map(|(id, timer)| (timer.due, *id)).collect();
        due.sort_unstable();
        due
    }

    /// Takes up a timer that was due at a time, unless it was cancelled or put off since.
    fn take_up(&mut self, id: c_int, due: Instant, now: Instant) -> Option<Timer> {
        let timer = self.timers.get_mut(&id).filter(|timer| timer.due == due)?;
        timer.due = now + timer.interval;
        Some(*timer)
    }
}

type TimersHandle = Handle<Timers>;

fn execute(handle: &'static TimersHandle) -> Result<Done, Errno> {
    let now = Instant::now();
    let due = handle.lock()?.all_due(now);
    for (due, id) in due {
        // The handle may be given up by a function.
        let timer = handle.lock()?.take_up(id, due, now);
        if let Some(Timer {
            run: Some(run),
            arg,
            ..
        }) = timer
        {
            // SAFETY: A4.
            unsafe { run(id, arg.0) };
        }
    }
    Ok(Done)
}

abi! {
    /// No timers yet.
    fn zmq_timers_new() -> *mut c_void {
        Handle::open(Timers::default()).as_ptr()
    }

    /// Gives timers up.
    fn zmq_timers_destroy(place: Out<Opaque>) -> Result<Done, Errno> {
        let place = place.get().ok_or(Errno::FAULT)?;
        TimersHandle::find(place.as_in())?.close()?;
        place.0 = std::ptr::null_mut();
        Ok(Done)
    }

    /// Adds a timer, of so many milliseconds; returns its number.
    fn zmq_timers_add(
        place: In<c_void>,
        interval: usize,
        run: TimerFn,
        arg: Opaque,
    ) -> Result<c_int, Errno> {
        let handle = TimersHandle::find(place)?;
        if run.is_none() {
            return Err(Errno::FAULT);
        }
        Ok(handle.lock()?.add(millis(interval), run, arg))
    }

    /// Removes a timer.
    fn zmq_timers_cancel(place: In<c_void>, id: c_int) -> Result<Done, Errno> {
        let removed = TimersHandle::find(place)?.lock()?.timers.remove(&id);
        removed.map(|_| Done).ok_or(Errno::INVALID)
    }

    /// Changes a timer's interval; the next one begins now.
    fn zmq_timers_set_interval(
        place: In<c_void>,
        id: c_int,
        interval: usize,
    ) -> Result<Done, Errno> {
        let mut timers = TimersHandle::find(place)?.lock()?;
        let timer = timers.get(id)?;
        timer.interval = millis(interval);
        timer.due = Instant::now() + timer.interval;
        Ok(Done)
    }

    /// Begins a timer's interval anew.
    fn zmq_timers_reset(place: In<c_void>, id: c_int) -> Result<Done, Errno> {
        let mut timers = TimersHandle::find(place)?.lock()?;
        let timer = timers.get(id)?;
        timer.due = Instant::now() + timer.interval;
        Ok(Done)
    }

    /// The milliseconds until the next timer is due; -1 if there is none.
    fn zmq_timers_timeout(place: In<c_void>) -> Result<c_long, Errno> {
        let due = TimersHandle::find(place)?.lock()?.due();
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        // Rounded up: who comes early must wait again.
        let millis = left.map(|left| left.as_nanos().div_ceil(1_000_000));
        Ok(millis.map_or(-1, |millis| c_long::try_from(millis).unwrap_or(c_long::MAX)))
    }

    /// Runs what is due, each once.
    fn zmq_timers_execute(place: In<c_void>) -> Result<Done, Errno> {
        execute(TimersHandle::find(place)?)
    }
}

/// An interval of at most a hundred years.
fn millis(millis: usize) -> Duration {
    Duration::from_millis(millis as u64).min(Duration::from_secs(100 * 365 * 86_400))
}
