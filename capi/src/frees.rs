//! Memory that C gave for messages, and when it gives it back.
//!
//! The function that takes it back may call the library again, even with the socket that just
//! dropped the message. So while a call is under way on a thread, what it drops is put aside, and
//! given back when nothing of the library is on that thread's stack any more, nor any lock held.
//! On threads of the engine it is given back at once.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::abi::{FreeFn, Opaque};

thread_local! {
    /// Twice the depth of calls, plus one if something is put aside. A place of its own, so that
    /// a call that puts nothing aside costs little.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static ASIDE: RefCell<VecDeque<Release>> = const { RefCell::new(VecDeque::new()) };
}

const CALL: usize = 2;
const ANY: usize = 1;

/// Runs a call of the library, and then gives back what it dropped.
#[inline(always)]
pub(crate) fn during<R>(call: impl FnOnce() -> R) -> R {
    DEPTH.with(|depth| {
        depth.set(depth.get() + CALL);
        let result = call();
        depth.set(depth.get() - CALL);
        if depth.get() == ANY {
            give_back_all(depth);
        }
        result
    })
}

/// Gives back what was put aside. For calls that are about to wait, and hold nothing.
pub(crate) fn settle() {
    DEPTH.with(|depth| {
        if depth.get() & ANY != 0 {
            give_back_all(depth);
        }
    });
}

#[cold]
fn give_back_all(depth: &Cell<usize>) {
    depth.set(depth.get() & !ANY);
    let next = || ASIDE.with(|aside| aside.borrow_mut().pop_front());
    while let Some(release) = next() {
        release.run();
    }
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
        let depth = DEPTH.get();
        if depth < CALL {
            return self.run();
        }
        let mut release = Some(self);
        // The list may be gone already, at the end of the thread.
        let kept = ASIDE.try_with(|aside| aside.borrow_mut().extend(release.take()));
        match (kept, release) {
            (Err(_), Some(release)) => release.run(),
            _ => DEPTH.set(depth | ANY),
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
