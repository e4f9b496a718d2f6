//! [`Timers`]: callbacks that run at intervals, in the calls of whoever owns them.
//!
//! It owns the callbacks and when they are due. It starts no thread and never waits: a loop asks
//! for [`Timers::timeout`], waits for that long at most in [`poll`](fn@crate::poll), and calls
//! [`Timers::execute`].

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A timer of a [`Timers`]. Never used again for another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimerId(u64);

type Callback<'a> = Box<dyn FnMut(&mut Timers<'a>, TimerId) + 'a>;

struct Timer<'a> {
    interval: Duration,
    /// `None` if the interval reaches beyond all time.
    due: Option<Instant>,
    /// `None` while it runs.
    callback: Option<Callback<'a>>,
}

/// Callbacks that run at intervals (`zmq_timers_new` and what belongs to it).
///
/// ```
/// use std::time::Duration;
/// use ferrozmq::{Ctx, SocketType, Timers, POLLIN, poll};
///
/// # fn main() -> ferrozmq::Result<()> {
/// let ctx = Ctx::new();
/// let (clock, listener) = (ctx.socket(SocketType::PAIR)?, ctx.socket(SocketType::PAIR)?);
/// listener.bind("inproc://ticks")?;
/// clock.connect("inproc://ticks")?;
///
/// let mut ticks = 0;
/// let mut timers = Timers::new();
/// timers.add(Duration::from_millis(1), |timers, id| {
///     ticks += 1;
///     clock.send("tick", 0).expect("the listener is there");
///     if ticks == 3 {
///         timers.cancel(id).expect("it runs");
///     }
/// });
/// let mut heard = 0;
/// while heard < 3 {
///     poll(&mut [listener.as_poll_item(POLLIN)], timers.timeout())?;
///     while listener.try_recv().is_ok() {
///         heard += 1;
///     }
///     timers.execute();
/// }
/// assert_eq!(timers.timeout(), None);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Timers<'a> {
    timers: HashMap<TimerId, Timer<'a>>,
    queue: BTreeSet<(Instant, TimerId)>,
    last_id: u64,
}

impl<'a> Timers<'a> {
    /// No timers yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a timer: `callback` is to run every `interval`, first after one. With an interval of
    /// zero it runs once in each [`Timers::execute`]. It is given the timers, so that it can add
    /// and cancel others and itself.
    pub fn add(
        &mut self,
        interval: Duration,
        callback: impl FnMut(&mut Self, TimerId) + 'a,
    ) -> TimerId {
        self.last_id += 1;
        let id = TimerId(self.last_id);
        let timer = Timer {
            interval,
            due: None,
            callback: Some(Box::new(callback)),
        };
        self.timers.insert(id, timer);
        self.schedule(id, Instant::now());
        id
    }

    /// Removes a timer; its callback does not run any more.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no such timer.
    pub fn cancel(&mut self, id: TimerId) -> Result<()> {
        let timer = self.timers.remove(&id).ok_or_else(unknown)?;
        self.dequeue(id, timer.due);
        Ok(())
    }

    /// Changes a timer's interval; the next one begins now.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no such timer.
    pub fn set_interval(&mut self, id: TimerId, interval: Duration) -> Result<()> {
        self.timers.get_mut(&id).ok_or_else(unknown)?.interval = interval;
        self.schedule(id, Instant::now());
        Ok(())
    }

    /// Begins a timer's interval anew.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no such timer.
    pub fn reset(&mut self, id: TimerId) -> Result<()> {
        if !self.timers.contains_key(&id) {
            return Err(unknown());
        }
        self.schedule(id, Instant::now());
        Ok(())
    }

    /// How long until the next timer is due: zero if one is, `None` if there are none.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        let (due, _) = self.queue.first()?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// Runs the callbacks that are due, each once, and returns how many that were. The next time
    /// for each is its interval from now: what was missed is not made up for.
    pub fn execute(&mut self) -> usize {
        self.execute_at(Instant::now())
    }

    fn execute_at(&mut self, now: Instant) -> usize {
        let due: Vec<_> = self
            .queue
            .range(..=(now, TimerId(u64::MAX)))
            .copied()
            .collect();
        due.into_iter()
            .filter(|(when, id)| self.run(*when, *id, now))
            .count()
    }

    /// Runs a callback, unless one that ran before has put it off or cancelled it.
    fn run(&mut self, when: Instant, id: TimerId, now: Instant) -> bool {
        if !self.queue.contains(&(when, id)) {
            return false;
        }
        self.schedule(id, now);
        let callback = self
            .timers
            .get_mut(&id)
            .and_then(|timer| timer.callback.take());
        let Some(mut callback) = callback else {
            // It runs already, and calls us.
            return false;
        };
        callback(self, id);
        if let Some(timer) = self.timers.get_mut(&id) {
            timer.callback = Some(callback);
        }
        true
    }

    /// Lets a timer be due an interval from `now`.
    fn schedule(&mut self, id: TimerId, now: Instant) {
        let Some(timer) = self.timers.get_mut(&id) else {
            return;
        };
        let due = now.checked_add(timer.interval);
        let before = std::mem::replace(&mut timer.due, due);
        self.dequeue(id, before);
        self.queue.extend(due.map(|due| (due, id)));
    }

    fn dequeue(&mut self, id: TimerId, due: Option<Instant>) {
        if let Some(due) = due {
            self.queue.remove(&(due, id));
        }
    }
}

impl fmt::Debug for Timers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("timers", &self.timers.len())
            .field("timeout", &self.timeout())
            .finish_non_exhaustive()
    }
}

fn unknown() -> Error {
    Error::InvalidArgument("there is no such timer")
}

#[cfg(test)]
mod tests;
