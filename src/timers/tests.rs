//! Timers on a clock of the tests' own, which starts in the present and is moved by hand.

use super::*;
use std::cell::{Cell, RefCell};

const SECOND: Duration = Duration::from_secs(1);

/// The time `seconds` from the start, by when no real clock will have come.
fn at(start: Instant, seconds: u32) -> Instant {
    start + SECOND * seconds + SECOND / 2
}

fn nothing(_: &mut Timers<'_>, _: TimerId) {}

#[track_caller]
fn assert_unknown(outcome: Result<()>) {
    assert!(
        matches!(outcome, Err(Error::InvalidArgument(_))),
        "{outcome:?}"
    );
}

#[test]
fn callbacks_run_when_they_are_due_in_the_order_of_time() {
    let (start, ran) = (Instant::now(), RefCell::new(Vec::new()));
    let mut timers = Timers::new();
    for seconds in [3, 1, 2] {
        timers.add(SECOND * seconds, |_, id| ran.borrow_mut().push(id));
    }
    assert_eq!(timers.execute_at(start), 0);
    assert_eq!(timers.execute_at(at(start, 2)), 2);
    assert_eq!(timers.execute_at(at(start, 2)), 0);
    assert_eq!(timers.execute_at(at(start, 3)), 2);
    assert_eq!(*ran.borrow(), [2, 3, 1, 2].map(TimerId));
}

#[test]
fn the_next_time_is_an_interval_from_now_and_missed_ones_are_not_made_up_for() {
    let (start, ran) = (Instant::now(), Cell::new(0));
    let mut timers = Timers::new();
    timers.add(SECOND, |_, _| ran.set(ran.get() + 1));
    for (seconds, expected) in [(10, 1), (10, 1), (11, 2), (11, 2), (13, 3), (14, 4)] {
        timers.execute_at(at(start, seconds));
        assert_eq!(ran.get(), expected, "after {seconds} seconds");
    }
}

#[test]
fn an_interval_of_zero_runs_once_per_call() {
    let mut timers = Timers::new();
    timers.add(Duration::ZERO, nothing);
    assert_eq!(timers.timeout(), Some(Duration::ZERO));
    assert_eq!(timers.execute(), 1);
    assert_eq!(timers.execute(), 1);
}

#[test]
fn an_interval_beyond_all_time_is_never_over() {
    let mut timers = Timers::new();
    let id = timers.add(Duration::MAX, nothing);
    assert_eq!(timers.timeout(), None);
    assert_eq!(timers.execute(), 0);
    timers.set_interval(id, Duration::ZERO).unwrap();
    assert_eq!(timers.execute(), 1);
}

#[test]
fn the_timeout_is_that_of_the_next_timer() {
    let mut timers = Timers::new();
    assert_eq!(timers.timeout(), None);
    timers.add(SECOND * 1000, nothing);
    let next = timers.add(SECOND * 100, nothing);
    let timeout = timers.timeout().unwrap();
    assert!(
        timeout <= SECOND * 100 && timeout > SECOND * 50,
        "{timeout:?}"
    );
    timers.cancel(next).unwrap();
    assert!(timers.timeout().unwrap() > SECOND * 500);
}

#[test]
fn a_cancelled_timer_does_not_run_and_is_unknown() {
    let mut timers = Timers::new();
    let id = timers.add(Duration::ZERO, |_, _| unreachable!("it is cancelled"));
    timers.cancel(id).unwrap();
    assert_eq!(timers.execute(), 0);
    assert_unknown(timers.cancel(id));
    assert_unknown(timers.reset(id));
    assert_unknown(timers.set_interval(id, SECOND));
    assert_ne!(timers.add(SECOND, nothing), id);
}

#[test]
fn a_reset_begins_the_interval_anew() {
    let start = Instant::now();
    let mut timers = Timers::new();
    let id = timers.add(SECOND, nothing);
    assert_eq!(timers.execute_at(at(start, 5)), 1);
    timers.reset(id).unwrap();
    assert_eq!(
        timers.execute_at(at(start, 1)),
        1,
        "a second from the reset"
    );
}

#[test]
fn a_new_interval_begins_at_once() {
    let start = Instant::now();
    let mut timers = Timers::new();
    let id = timers.add(SECOND, nothing);
    timers.set_interval(id, SECOND * 10).unwrap();
    assert_eq!(timers.execute_at(at(start, 9)), 0);
    assert_eq!(timers.execute_at(at(start, 10)), 1);
}

#[test]
fn a_callback_can_cancel_itself() {
    let mut timers = Timers::new();
    let id = timers.add(Duration::ZERO, |timers, id| timers.cancel(id).unwrap());
    assert_eq!(timers.execute(), 1);
    assert_eq!(timers.execute(), 0);
    assert_unknown(timers.cancel(id));
}

#[test]
fn a_callback_can_cancel_those_that_are_due_with_it() {
    let mut timers = Timers::new();
    for other in [2, 1].map(TimerId) {
        timers.add(Duration::ZERO, move |timers, _| {
            timers.cancel(other).unwrap()
        });
    }
    assert_eq!(timers.execute(), 1);
}

#[test]
fn what_a_callback_adds_runs_in_the_next_call() {
    let ran = Cell::new(false);
    let mut timers = Timers::new();
    timers.add(Duration::ZERO, |timers, id| {
        timers.cancel(id).unwrap();
        timers.add(Duration::ZERO, |_, _| ran.set(true));
    });
    assert_eq!(timers.execute(), 1);
    assert!(!ran.get());
    assert_eq!(timers.execute(), 1);
    assert!(ran.get());
}

#[test]
fn a_callback_may_execute_the_others_but_not_itself() {
    let ran = Cell::new(0);
    let mut timers = Timers::new();
    timers.add(Duration::ZERO, |timers, _| {
        ran.set(ran.get() + 1);
        timers.execute();
    });
    assert_eq!(timers.execute(), 1);
    assert_eq!(ran.get(), 1);
}
