//! Memory that C gave for messages, and when it gives it back.
//!
//! The function that takes it back may call the library again, even with the socket that just
//! dropped the message. So what is dropped on the program's threads, which is in calls of the
//! library, is put aside, and given back at the end of the call, when no lock is held any more. On
//! threads of the engine it is given back at once.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::abi::{FreeFn, Opaque};

/// How much is put aside on all threads together: a call that finds nothing here need not look for
/// what its thread has, which costs more.
static PUT_ASIDE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OWN: Own = const {
        Own {
            at_once: Cell::new(false),
            giving_back: Cell::new(false),
            aside: RefCell::new(VecDeque::new()),
        }
    };
}

/// What a thread has.
#[derive(Debug)]
struct Own {
    at_once: Cell<bool>,
    giving_back: Cell<bool>,
    aside: RefCell<VecDeque<Release>>,
}

impl Own {
    /// Gives back what is put aside; what is put aside by that, too, and not in the midst of it.
    fn give_back(&self) {
        if self.giving_back.replace(true) {
            return;
        }
        let next = || self.aside.borrow_mut().pop_front();
        while let Some(release) = next() {
            PUT_ASIDE.fetch_sub(1, Ordering::Relaxed);
            release.run();
        }
        self.giving_back.set(false);
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Runs a call of the library, and then gives back what it dropped.
#[inline(always)]
pub(crate) fn during<R>(call: impl FnOnce() -> R) -> R {
    let result = call();
    settle();
    result
}

/// Gives back what was put aside. For calls that are about to wait, and hold nothing.
#[inline(always)]
pub(crate) fn settle() {
    if PUT_ASIDE.load(Ordering::Relaxed) != 0 {
        settle_own();
    }
}

#[cold]
fn settle_own() {
    let _ = OWN.try_with(Own::give_back);
}

/// On this thread nothing of the library is in the way of what gives memory back.
pub(crate) fn give_back_at_once() {
    let _ = OWN.try_with(|own| own.at_once.set(true));
}

/// How memory is given back.
#[derive(Debug)]
struct Release {
    free: FreeFn,
    data: Opaque,
    hint: Opaque,
}

impl Release {
    fn run(self) {
        if let Some(free) = self.free {
            // SAFETY: A4; it is called once, as `self` is used up.
            unsafe { free(self.data.0, self.hint.0) };
        }
    }

    fn run_when_safe(self) {
        let mut release = Some(self);
        // The thread may be at its end already.
        let _ = OWN.try_with(|own| {
            if !own.at_once.get() {
                own.aside.borrow_mut().extend(release.take());
                PUT_ASIDE.fetch_add(1, Ordering::Relaxed);
            }
        });
        if let Some(release) = release {
            release.run();
        }
    }
}

/// The memory under a message that C gave.
#[derive(Debug)]
pub(crate) struct Foreign {
    data: Opaque,
    len: usize,
    free: FreeFn,
    hint: Opaque,
}

impl Foreign {
    pub(crate) fn new(data: Opaque, len: usize, free: FreeFn, hint: Opaque) -> Self {
        Self {
            data,
            len,
            free,
            hint,
        }
    }
}

impl AsRef<[u8]> for Foreign {
    fn as_ref(&self) -> &[u8] {
        if self.data.0.is_null() {
            return &[];
        }
        // SAFETY: A4.
        unsafe { std::slice::from_raw_parts(self.data.0.cast(), self.len) }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let release = Release {
            free: self.free,
            data: self.data,
            hint: self.hint,
        };
        release.run_when_safe();
    }
}
