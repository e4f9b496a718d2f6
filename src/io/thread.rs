//! [`IoThread`]: a thread that waits in its poller and drives its [`IoCore`].
//!
//! The core is in a lock that the thread gives up only while it waits. So whoever posts a command
//! to a sleeping thread can do the thread's work at once, on the same value by the same functions,
//! and a lone message costs one wake-up less. Connecting and binding are left to the thread. Nobody ever
//! waits for that lock but the thread.

use std::io;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::command::IoHandle;
use crate::io::connection::Input;
use crate::io::core::IoCore;
use crate::io::poller::{self, Poller};
use crate::io::resolver::Resolver;
use crate::io::session_base::IoContext;
use crate::signaler::{self, Signal, ThreadStart};

/// No core has this number or a higher one.
const CORES_MAX: usize = 1024;

/// An I/O thread before it runs.
#[derive(Debug)]
pub(crate) struct IoThread {
    poller: Poller,
    core: Arc<Mutex<IoCore>>,
}

/// The signal of an I/O thread's mailbox: has the core run by the poster, or wakes the thread.
#[derive(Debug)]
struct CoreSignal {
    core: Weak<Mutex<IoCore>>,
    thread: Arc<dyn Signal>,
}

impl Signal for CoreSignal {
    fn signal(&self) {
        let core = self.core.upgrade();
        let helped = core
            .as_ref()
            .and_then(|core| core.try_lock())
            .is_some_and(|mut core| core.help());
        if !helped {
            self.thread.signal();
        }
    }

    fn rouse(&self) {
        self.thread.signal();
    }
}

impl IoThread {
    /// The thread number `thread` of those in `threads`.
    ///
    /// # Errors
    /// What the system answers when it has no descriptors left.
    pub(crate) fn new(
        thread: usize,
        threads: Arc<[IoHandle]>,
        resolver: Resolver,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        let mailbox = threads[thread].mailbox.clone();
        let cx = IoContext {
            thread,
            registry: poller.registry()?,
            mailbox: mailbox.clone(),
            resolver,
            input: Input::new(),
            now: poller::now(),
        };
        let core = Arc::new(Mutex::new(IoCore::new(cx, threads)));
        let signal: Arc<dyn Signal> = Arc::new(CoreSignal {
            core: Arc::downgrade(&core),
            thread: poller.signal()?,
        });
        mailbox.retarget(&signal);
        Ok(Self { poller, core })
    }

    /// Waits and works until the context ends the thread.
    fn run(mut self, spin: u32) {
        let core = self.core.clone();
        let mut core = core.lock();
        while !core.is_done() {
            let (dozes, timeout, gathers) = (core.dozes(), core.fall_asleep(), core.gathers());
            parking_lot::MutexGuard::unlocked(&mut core, || {
                if dozes {
                    signaler::let_gather();
                } else if let Some(pause) = gathers {
                    signaler::let_drip(pause);
                }
                self.poller.wait(timeout, spin);
            });
            core.wake_up(self.poller.events());
        }
    }

    /// Starts the thread, pinned to the core `pin` if there is one. It looks `spin` times for events
    /// before it sleeps.
    ///
    /// # Errors
    /// The system has no more threads.
    pub(crate) fn spawn(
        self,
        name: String,
        start: ThreadStart,
        pin: Option<usize>,
        spin: u32,
    ) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name(name).spawn(move || {
            start.run();
            if let Some(id) = pin {
                // The set of cores that the system takes has no place for others.
                let exists = id < CORES_MAX;
                if !(exists && core_affinity::set_for_current(core_affinity::CoreId { id })) {
                    log::warn!(target: "ferrozmq", "an I/O thread cannot be pinned to core {id}");
                }
            }
            self.run(spin);
        })
    }
}
