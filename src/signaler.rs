//! [`Signal`]: how the owner of a mailbox is told that something lies in it.
//!
//! Each way of waiting has its own: a parked thread a condition variable ([`Signaler`]), an I/O
//! thread its poller's waker, tasks their wakers, the reaper a note on its channel. A mailbox can change its signal
//! while it is in use, because a socket is waited for in different ways in its life. Besides: how a thread
//! gives way, and rests for a moment, without anybody's signal.

use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use atomic_waker::AtomicWaker;
use parking_lot::{Condvar, Mutex};

/// A way to wake somebody. Signals do not count: several may be one wake-up.
pub(crate) trait Signal: fmt::Debug + Send + Sync {
    /// Wakes the waiter, or keeps its next wait from sleeping.
    fn signal(&self);

    /// The same, where nobody else is to do the waiter's work meanwhile.
    fn rouse(&self) {
        self.signal();
    }
}

/// Looking for news before going to sleep, for one thread. Going to sleep and being woken costs far
/// more than a few looks, and so does waking somebody.
///
/// Between looks the core is given away, so that on a busy machine who has the news to make can run.
/// But somebody may take it who does not give it back for long; then it is better to sleep, as
/// sleepers are let in first. So after a long absence the next waits go without looking, more of
/// them each time that it happens again.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    /// How many waits will go without.
    skip: AtomicU32,
    /// How often it was too crowded lately.
    crowded: AtomicU32,
}

impl Spin {
    /// An absence after which it counts as crowded.
    const LONG: Duration = Duration::from_micros(500);
    /// How many waits go without at most, as a power of two.
    const MOST: u32 = 12;

    /// Looks at most `times` times whether there is `news`; whether there was.
    pub(crate) fn spin(&self, times: u32, news: impl FnMut() -> bool) -> bool {
        self.spin_by(Instant::now, times, news)
    }

    /// The same by any clock.
    fn spin_by(
        &self,
        clock: impl Fn() -> Instant,
        times: u32,
        mut news: impl FnMut() -> bool,
    ) -> bool {
        // Relaxed: these are one thread's own numbers.
        let skip = self.skip.load(Ordering::Relaxed);
        if skip > 0 {
            self.skip.store(skip - 1, Ordering::Relaxed);
            return false;
        }
        let mut last = clock();
        for _ in 0..times {
            give_way();
            let now = clock();
            let is_crowded = now - std::mem::replace(&mut last, now) > Self::LONG;
            if is_crowded {
                self.go_without(2);
            }
            if news() {
                if !is_crowded {
                    let crowded = self.crowded.load(Ordering::Relaxed);
                    self.crowded
                        .store(crowded.saturating_sub(1), Ordering::Relaxed);
                }
                return true;
            }
            if is_crowded {
                return false;
            }
        }
        false
    }

    /// As [`Spin::spin`], for a task: while it looks, its thread runs no other, perhaps not even
    /// the one that has the news to make. So having looked in vain counts as crowded, too.
    pub(crate) fn spin_for_task(&self, times: u32, news: impl FnMut() -> bool) -> bool {
        let looks = times > 0 && self.skip.load(Ordering::Relaxed) == 0;
        let found = self.spin(times, news);
        if looks && !found {
            self.go_without(1);
        }
        found
    }

    fn go_without(&self, more: u32) {
        let crowded = (self.crowded.load(Ordering::Relaxed) + more).min(Self::MOST);
        self.crowded.store(crowded, Ordering::Relaxed);
        self.skip.store(1 << crowded, Ordering::Relaxed);
    }
}

/// Lets the messages of a stream gather: gives way to whoever wants the core, or where nobody does waits
/// some microseconds. Looking at once, again and again, would slow down who writes them.
pub(crate) fn let_gather() {
    const GIVEN_AWAY: Duration = Duration::from_micros(2);
    let begun = Instant::now();
    give_way();
    if begun.elapsed() < GIVEN_AWAY {
        for _ in 0..200 {
            std::hint::spin_loop();
        }
    }
}

/// Lets a receiver catch up: sleeps for some 50 microseconds, and mostly twice as long.
pub(crate) fn nap() {
    std::thread::sleep(Duration::from_micros(50));
}

/// Lets the pieces of a stream gather, which come one by one: sleeps.
pub(crate) fn let_drip(pause: Duration) {
    std::thread::sleep(pause);
}

/// Gives the core to other threads that want it, such as those whose messages are waited for.
fn give_way() {
    std::thread::yield_now();
}

/// The signal of a thread that parks.
#[derive(Debug, Default)]
pub(crate) struct Signaler {
    signalled: Mutex<bool>,
    changed: Condvar,
    spin: Spin,
}

impl Signaler {
    /// Looks for the signal a few times before a wait, see [`Spin`]; whether it was given.
    pub(crate) fn spin(&self, times: u32) -> bool {
        self.spin
            .spin(times, || std::mem::take(&mut *self.signalled.lock()))
    }

    /// Waits until signalled, or until the deadline; false if the deadline came first.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut signalled = self.signalled.lock();
        while !*signalled {
            match deadline {
                None => self.changed.wait(&mut signalled),
                Some(deadline) => {
                    if self
                        .changed
                        .wait_until(&mut signalled, deadline)
                        .timed_out()
                    {
                        break;
                    }
                }
            }
        }
        std::mem::take(&mut *signalled)
    }

    /// The calling thread's own signaler: sockets used by one thread share it, so that waiting
    /// for several costs no more than waiting for one.
    pub(crate) fn of_this_thread() -> Arc<Self> {
        thread_local! {
            static OWN: OnceCell<Arc<Signaler>> = const { OnceCell::new() };
        }
        // Without thread-locals, in a destructor of one, a fresh signaler does as well.
        OWN.try_with(|own| own.get_or_init(Arc::default).clone())
            .unwrap_or_default()
    }
}

impl Wake for Signaler {
    fn wake(self: Arc<Self>) {
        self.signal();
    }
}

impl Signal for Signaler {
    fn signal(&self) {
        *self.signalled.lock() = true;
        self.changed.notify_one();
    }
}

/// The signal of a thread that waits in the system's `poll`.
#[derive(Debug)]
pub(crate) struct FdSignaler {
    sender: UnixStream,
    receiver: UnixStream,
}

impl FdSignaler {
    fn new() -> io::Result<Self> {
        let (sender, receiver) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(Self { sender, receiver })
    }

    /// The calling thread's own.
    ///
    /// # Errors
    /// The system has no descriptors left.
    pub(crate) fn of_this_thread() -> io::Result<Arc<Self>> {
        thread_local! {
            static OWN: RefCell<Option<Arc<FdSignaler>>> = const { RefCell::new(None) };
        }
        let own = OWN.try_with(|own| own.borrow().clone()).unwrap_or(None);
        if let Some(own) = own {
            return Ok(own);
        }
        let new = Arc::new(Self::new()?);
        let _ = OWN.try_with(|own| *own.borrow_mut() = Some(new.clone()));
        Ok(new)
    }

    /// Forgets the signals given so far.
    pub(crate) fn clear(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.receiver).read(&mut bytes), Ok(n) if n == bytes.len()) {}
    }
}

impl AsFd for FdSignaler {
    /// The descriptor that is readable once the signal is given.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

impl Signal for FdSignaler {
    fn signal(&self) {
        // A full buffer is signal enough.
        let _ = (&self.sender).write(&[1]);
    }
}

/// A signal that calls a function of the application's.
pub(crate) struct Callback(pub Box<dyn Fn() + Send + Sync>);

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

impl Signal for Callback {
    fn signal(&self) {
        (self.0)();
    }
}

/// What each thread of a context does first.
#[derive(Clone, Debug, Default)]
pub(crate) struct ThreadStart(Option<Arc<Callback>>);

impl ThreadStart {
    pub(crate) fn new(start: Box<dyn Fn() + Send + Sync>) -> Self {
        Self(Some(Arc::new(Callback(start))))
    }

    pub(crate) fn run(&self) {
        if let Some(start) = &self.0 {
            (start.0)();
        }
    }
}

/// The signal of tasks, which wakes all that wait. Each of `N` ways to wait has a place for one.
#[derive(Debug)]
pub(crate) struct TaskSignal<const N: usize>([AtomicWaker; N]);

impl<const N: usize> TaskSignal<N> {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicWaker::new()))
    }

    /// Has `waker` woken, in place of who waited in this place before.
    pub(crate) fn register(&self, place: usize, waker: &Waker) {
        self.0[place].register(waker);
    }

    /// Wakes who waits in this place.
    pub(crate) fn wake(&self, place: usize) {
        self.0[place].wake();
    }
}

impl<const N: usize> Signal for TaskSignal<N> {
    fn signal(&self) {
        for waker in &self.0 {
            waker.wake();
        }
    }
}

/// Tells that something is over, by being dropped with it.
#[derive(Debug)]
pub(crate) struct Notice {
    over: Arc<AtomicBool>,
    signal: Arc<dyn Signal>,
}

impl Notice {
    /// A notice, and where it is put down before the signal is given.
    pub(crate) fn new(signal: Arc<dyn Signal>) -> (Self, Arc<AtomicBool>) {
        let over = Arc::<AtomicBool>::default();
        let notice = Self {
            over: over.clone(),
            signal,
        };
        (notice, over)
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        // Release: partner of the Acquire load of whoever waits.
        self.over.store(true, Ordering::Release);
        self.signal.signal();
    }
}

/// The signal of a mailbox that nobody waits for yet.
#[derive(Debug)]
pub(crate) struct NoSignal;

impl Signal for NoSignal {
    fn signal(&self) {}
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_signal_given_before_the_wait_is_not_lost() {
        let signaler = Signaler::default();
        signaler.signal();
        signaler.signal();
        assert!(signaler.wait(None));
        assert!(!signaler.wait(Some(Instant::now() + Duration::from_millis(1))));
    }

    #[test]
    fn after_a_long_absence_the_next_waits_go_without_looking() {
        let (spin, time) = (Spin::default(), Cell::new(Instant::now()));
        let mut looks = 0;
        let is_late = || {
            looks += 1;
            time.set(time.get() + 2 * Spin::LONG);
            false
        };
        let clock = || time.get();
        assert!(!spin.spin_by(clock, 10, is_late));
        assert_eq!(looks, 2, "the second came late");
        for _ in 0..4 {
            assert!(!spin.spin_by(clock, 10, || unreachable!("it goes without")));
        }
        assert!(spin.spin_by(clock, 10, || true));
        assert!(spin.spin_by(clock, 10, || true));
    }

    #[test]
    fn a_task_that_looked_in_vain_goes_without_next_time() {
        let spin = Spin::default();
        let mut looks = 0;
        for _ in 0..1000 {
            spin.spin_for_task(1, || {
                looks += 1;
                false
            });
        }
        assert!((2..20).contains(&looks), "{looks} looks");
        while !spin.spin_for_task(1, || true) {}
        assert!(spin.spin_for_task(1, || true));
    }

    #[test]
    fn a_waiting_thread_is_woken() {
        let signaler = Arc::new(Signaler::default());
        let waiter = std::thread::spawn({
            let signaler = signaler.clone();
            move || signaler.wait(None)
        });
        signaler.signal();
        assert!(waiter.join().unwrap());
    }
}
