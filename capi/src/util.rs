//! Counters, clocks and threads: small helpers for programs in C.

use std::ffi::{c_int, c_ulong, c_void};
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::abi::{Answer, Opaque, ThreadFn};
use crate::ctx::with_signals_blocked;
use crate::errno::Errno;

/// Gives a value to C.
fn give<T>(value: T) -> *mut c_void {
    Box::into_raw(Box::new(value)).cast()
}

/// Takes a value back that was given to C.
fn take<T>(place: Opaque) -> Option<Box<T>> {
    if place.0.is_null() {
        return None;
    }
    // SAFETY: A1: it came from `give`, and C is done with it.
    Some(unsafe { Box::from_raw(place.0.cast()) })
}

/// Microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Micros(Duration);

impl Answer for Micros {
    type C = c_ulong;

    fn into_c(self) -> c_ulong {
        c_ulong::try_from(self.0.as_micros()).unwrap_or(c_ulong::MAX)
    }

    fn failure() -> c_ulong {
        0
    }
}

/// What counters do when there is none: nothing.
fn counter(place: &In<AtomicI32>) -> Result<&AtomicI32, Errno> {
    place.get().ok_or(Errno::FAULT)
}

abi! {
    /// A new counter, at 0.
    fn zmq_atomic_counter_new() -> *mut c_void {
        give(AtomicI32::new(0))
    }

    /// Sets a counter.
    fn zmq_atomic_counter_set(place: In<AtomicI32>, value: c_int) -> () {
        if let Some(counter) = place.get() {
            counter.store(value, Ordering::SeqCst);
        }
    }

    /// Counts up, and returns what it was before.
    fn zmq_atomic_counter_inc(place: In<AtomicI32>) -> Result<c_int, Errno> {
        Ok(counter(&place)?.fetch_add(1, Ordering::SeqCst))
    }

    /// Counts down; 0 once it has come to 0, and 1 before.
    fn zmq_atomic_counter_dec(place: In<AtomicI32>) -> Result<c_int, Errno> {
        let before = counter(&place)?.fetch_sub(1, Ordering::SeqCst);
        Ok((before != 1).into())
    }

    /// What it is at.
    fn zmq_atomic_counter_value(place: In<AtomicI32>) -> Result<c_int, Errno> {
        Ok(counter(&place)?.load(Ordering::SeqCst))
    }

    /// Gives a counter up.
    fn zmq_atomic_counter_destroy(place: Out<*mut c_void>) -> () {
        if let Some(place) = place.get() {
            drop(take::<AtomicI32>(Opaque(std::mem::replace(place, std::ptr::null_mut()))));
        }
    }

    /// Starts a stopwatch.
    fn zmq_stopwatch_start() -> *mut c_void {
        give(Instant::now())
    }

    /// How many microseconds it has run.
    fn zmq_stopwatch_intermediate(watch: In<Instant>) -> Result<Micros, Errno> {
        Ok(Micros(watch.get().ok_or(Errno::FAULT)?.elapsed()))
    }

    /// How many microseconds it has run; it is given up.
    fn zmq_stopwatch_stop(watch: Opaque) -> Result<Micros, Errno> {
        let watch = take::<Instant>(watch).ok_or(Errno::FAULT)?;
        Ok(Micros(watch.elapsed()))
    }

    /// Waits for so many seconds.
    fn zmq_sleep(seconds: c_int) -> () {
        std::thread::sleep(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    }

    /// Runs a function on a thread of its own, which leaves the program's signals alone.
    fn zmq_threadstart(run: ThreadFn, arg: Opaque) -> *mut c_void {
        let body = move || {
            let arg = arg;
            if let Some(run) = run {
                // SAFETY: A4.
                unsafe { run(arg.0) };
            }
        };
        give(with_signals_blocked(|| std::thread::spawn(body)))
    }

    /// Waits until a thread has ended.
    fn zmq_threadclose(thread: Opaque) -> () {
        if let Some(thread) = take::<JoinHandle<()>>(thread) {
            // It cannot have panicked: its function is not Rust's.
            let _ = thread.join();
        }
    }
}
