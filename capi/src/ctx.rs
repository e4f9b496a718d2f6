//! Contexts and their options.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ferrozmq::Ctx;
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow};
use parking_lot::Mutex;

use crate::abi::Done;
use crate::bell::{Bell, Listeners};
use crate::errno::Errno;
use crate::frees;
use crate::handle::{Handle, kind};

const IO_THREADS: c_int = 1;
const MAX_SOCKETS: c_int = 2;
/// To get; the same number sets the priority.
const SOCKET_LIMIT: c_int = 3;
const THREAD_PRIORITY: c_int = 3;
const THREAD_SCHED_POLICY: c_int = 4;
const MAX_MSGSZ: c_int = 5;
const MSG_T_SIZE: c_int = 6;
const THREAD_AFFINITY_CPU_ADD: c_int = 7;
const THREAD_AFFINITY_CPU_REMOVE: c_int = 8;
const THREAD_NAME_PREFIX: c_int = 9;
const ZERO_COPY_RECV: c_int = 10;
const IPV6: c_int = 42;
const BLOCKY: c_int = 70;

const SOCKETS_LIMIT: c_int = 65_535;
/// The engine has one bit for each thread.
const IO_THREADS_LIMIT: usize = 64;
const NAME_PREFIX_MAX: usize = 16;

/// How long the end of a context is waited for before a thread is started to wait for it.
const SOON: Duration = Duration::from_millis(2);

/// A context, as C sees it.
#[derive(Debug)]
pub(crate) struct Context {
    pub ctx: Ctx,
    process: u32,
    settings: Mutex<Settings>,
    ending: Mutex<Option<Arc<Ending>>>,
}

kind!(Arc<Context>, 0xabad_cafe, Errno::FAULT);

/// What is told back as it was set, and what new threads inherit.
#[derive(Debug)]
struct Settings {
    io_threads: c_int,
    max_msg_size: c_int,
    zero_copy: bool,
    priority: Option<c_int>,
    policy: Option<c_int>,
    cores: Vec<usize>,
    name_prefix: String,
}

/// The end of a context, waited for by a thread of its own, because a signal interrupts whoever
/// called for it.
#[derive(Debug, Default)]
struct Ending {
    is_over: AtomicBool,
    listeners: Arc<Listeners>,
}

impl Context {
    fn new() -> Arc<Self> {
        let ctx = Ctx::new();
        ctx.set_thread_start(frees::give_back_at_once);
        Arc::new(Self {
            ctx,
            process: std::process::id(),
            settings: Mutex::new(Settings {
                io_threads: 1,
                max_msg_size: c_int::MAX,
                zero_copy: true,
                priority: None,
                policy: None,
                cores: Vec::new(),
                name_prefix: String::new(),
            }),
            ending: Mutex::new(None),
        })
    }

    /// Whether this is a child of the process that made it: the context's threads are not here.
    pub(crate) fn is_inherited(&self) -> bool {
        self.process != std::process::id()
    }

    fn end(&self) -> Result<(), Errno> {
        if self.is_inherited() {
            return Err(Errno::INTERRUPTED);
        }
        let mut ending = self.ending.lock();
        if ending.is_none() && self.ctx.term(Some(SOON)).is_ok() {
            return Ok(());
        }
        let ending = ending.get_or_insert_with(|| self.begin_to_end()).clone();
        let bell = Bell::of_this_thread()?;
        let _listening = ending.listeners.listen(&bell);
        while !ending.is_over.load(Ordering::Acquire) {
            bell.wait(None)?;
        }
        Ok(())
    }

    fn begin_to_end(&self) -> Arc<Ending> {
        let ending = Arc::<Ending>::default();
        let (ctx, done) = (self.ctx.clone(), ending.clone());
        with_signals_blocked(|| {
            std::thread::spawn(move || {
                frees::give_back_at_once();
                // Without a time limit there is no error.
                let _ = ctx.term(None);
                done.is_over.store(true, Ordering::Release);
                done.listeners.ring();
            })
        });
        ending
    }

    /// Runs what starts threads of the engine: they leave the program's signals alone, and have
    /// the scheduling that was asked for.
    pub(crate) fn starting_threads<R>(&self, start: impl FnOnce() -> R) -> R {
        let (policy, priority) = {
            let settings = self.settings.lock();
            (settings.policy, settings.priority)
        };
        with_signals_blocked(|| with_scheduling(policy, priority, start))
    }

    fn set(&self, option: c_int, value: c_int) -> Result<(), Errno> {
        let count = || usize::try_from(value).map_err(|_| Errno::INVALID);
        let on = || count().map(|count| count != 0);
        let mut settings = self.settings.lock();
        match option {
            IO_THREADS => {
                self.ctx.set_io_threads(count()?.min(IO_THREADS_LIMIT))?;
                settings.io_threads = value;
            }
            MAX_SOCKETS => self.ctx.set_max_sockets(count()?)?,
            THREAD_PRIORITY => settings.priority = Some(natural(value)?),
            THREAD_SCHED_POLICY => settings.policy = Some(natural(value)?),
            MAX_MSGSZ => settings.max_msg_size = natural(value)?,
            THREAD_AFFINITY_CPU_ADD => {
                let core = count()?;
                if !settings.cores.contains(&core) {
                    settings.cores.push(core);
                }
                self.ctx.set_io_thread_cores(&settings.cores);
            }
            THREAD_AFFINITY_CPU_REMOVE => {
                let core = count()?;
                let known = settings.cores.iter().position(|known| *known == core);
                settings.cores.remove(known.ok_or(Errno::INVALID)?);
                self.ctx.set_io_thread_cores(&settings.cores);
            }
            THREAD_NAME_PREFIX => {
                let prefix = natural(value)?.to_string();
                self.ctx.set_thread_name_prefix(&prefix)?;
                settings.name_prefix = prefix;
            }
            ZERO_COPY_RECV => settings.zero_copy = on()?,
            IPV6 => self.ctx.set_ipv6(on()?),
            BLOCKY => self.ctx.set_blocky(on()?),
            _ => return Err(Errno::INVALID),
        }
        Ok(())
    }

    fn get(&self, option: c_int) -> Result<c_int, Errno> {
        let settings = self.settings.lock();
        Ok(match option {
            IO_THREADS => settings.io_threads,
            MAX_SOCKETS => c_int::try_from(self.ctx.max_sockets()).unwrap_or(c_int::MAX),
            SOCKET_LIMIT => SOCKETS_LIMIT,
            THREAD_SCHED_POLICY => settings.policy.unwrap_or(-1),
            MAX_MSGSZ => settings.max_msg_size,
            MSG_T_SIZE => size_of::<crate::msg::zmq_msg_t>() as c_int,
            THREAD_NAME_PREFIX => settings.name_prefix.parse().unwrap_or(0),
            ZERO_COPY_RECV => settings.zero_copy.into(),
            IPV6 => self.ctx.ipv6().into(),
            BLOCKY => self.ctx.blocky().into(),
            _ => return Err(Errno::INVALID),
        })
    }

    fn set_name_prefix(&self, prefix: &[u8]) -> Result<(), Errno> {
        let prefix = prefix.strip_suffix(b"\0").unwrap_or(prefix);
        let prefix = std::str::from_utf8(prefix).map_err(|_| Errno::INVALID)?;
        if prefix.is_empty() || prefix.len() > NAME_PREFIX_MAX {
            return Err(Errno::INVALID);
        }
        self.ctx.set_thread_name_prefix(prefix)?;
        prefix.clone_into(&mut self.settings.lock().name_prefix);
        Ok(())
    }
}

fn natural(value: c_int) -> Result<c_int, Errno> {
    if value < 0 {
        Err(Errno::INVALID)
    } else {
        Ok(value)
    }
}

/// Runs something with all signals blocked: threads that it starts inherit that.
pub(crate) fn with_signals_blocked<R>(run: impl FnOnce() -> R) -> R {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let result = run();
    if let Ok(before) = before {
        // It was in force before.
        let _ = before.thread_set_mask();
    }
    result
}

/// Runs something with another scheduling of the thread: threads that it starts inherit that.
/// What the system does not grant stays as it is.
fn with_scheduling<R>(
    policy: Option<c_int>,
    priority: Option<c_int>,
    run: impl FnOnce() -> R,
) -> R {
    let Some(before) = scheduling().filter(|_| policy.is_some() || priority.is_some()) else {
        return run();
    };
    set_scheduling((policy.unwrap_or(before.0), priority.unwrap_or(before.1)));
    let result = run();
    set_scheduling(before);
    result
}

fn scheduling() -> Option<(c_int, c_int)> {
    let mut policy = 0;
    // SAFETY: a struct of integers.
    let mut about: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: pthread_self has no conditions.
    let thread = unsafe { libc::pthread_self() };
    // SAFETY: both places are ours.
    let failed = unsafe { libc::pthread_getschedparam(thread, &raw mut policy, &raw mut about) };
    (failed == 0).then_some((policy, about.sched_priority))
}

fn set_scheduling((policy, priority): (c_int, c_int)) {
    // SAFETY: a struct of integers.
    let mut about: libc::sched_param = unsafe { std::mem::zeroed() };
    about.sched_priority = priority;
    // SAFETY: pthread_self has no conditions.
    let thread = unsafe { libc::pthread_self() };
    // SAFETY: the place is ours.
    let failed = unsafe { libc::pthread_setschedparam(thread, policy, &raw const about) };
    if failed != 0 {
        log::warn!(target: "ferrozmq", "threads cannot have policy {policy}, priority {priority}");
    }
}

/// The context at a place.
pub(crate) fn context(place: In<c_void>) -> Result<Arc<Context>, Errno> {
    Ok(Handle::<Arc<Context>>::find(place)?.lock()?.clone())
}

fn terminate(place: In<c_void>) -> Result<Done, Errno> {
    let handle = Handle::<Arc<Context>>::find(place)?;
    let context = handle.lock()?.clone();
    context.end()?;
    drop(handle.close()?);
    Ok(Done)
}

abi! {
    /// A new context.
    fn zmq_ctx_new() -> *mut c_void {
        Handle::open(Context::new()).as_ptr()
    }

    /// Ends a context: all calls on its sockets fail with `ETERM`; waits until they are closed and
    /// have delivered what was sent. `EINTR` if a signal came: call again.
    fn zmq_ctx_term(context: In<c_void>) -> Result<Done, Errno> {
        terminate(context)
    }

    /// As `zmq_ctx_term`.
    fn zmq_ctx_destroy(context: In<c_void>) -> Result<Done, Errno> {
        terminate(context)
    }

    /// As `zmq_ctx_term`.
    fn zmq_term(context: In<c_void>) -> Result<Done, Errno> {
        terminate(context)
    }

    /// Makes all calls on the context's sockets fail with `ETERM`. Does not wait.
    fn zmq_ctx_shutdown(place: In<c_void>) -> Result<Done, Errno> {
        let context = context(place)?;
        if !context.is_inherited() {
            context.ctx.shutdown();
        }
        Ok(Done)
    }

    /// Sets an option of a context.
    fn zmq_ctx_set(place: In<c_void>, option: c_int, value: c_int) -> Result<Done, Errno> {
        context(place)?.set(option, value).map(|()| Done)
    }

    /// An option of a context.
    fn zmq_ctx_get(place: In<c_void>, option: c_int) -> Result<c_int, Errno> {
        context(place)?.get(option)
    }

    /// Sets an option that may be no number.
    fn zmq_ctx_set_ext(
        place: In<c_void>,
        option: c_int,
        value: In<c_void>,
        len: usize,
    ) -> Result<Done, Errno> {
        let context = context(place)?;
        let value = value.bytes(len).ok_or(Errno::INVALID)?;
        match <[u8; size_of::<c_int>()]>::try_from(value) {
            Ok(number) if option != THREAD_NAME_PREFIX || is_small(number) => {
                context.set(option, c_int::from_ne_bytes(number))?;
            }
            _ if option == THREAD_NAME_PREFIX => context.set_name_prefix(value)?,
            _ => return Err(Errno::INVALID),
        }
        Ok(Done)
    }

    /// An option that may be no number.
    fn zmq_ctx_get_ext(
        place: In<c_void>,
        option: c_int,
        value: Out<c_void>,
        len: Out<usize>,
    ) -> Result<Done, Errno> {
        let context = context(place)?;
        let len = len.get().ok_or(Errno::INVALID)?;
        let is_text = option == THREAD_NAME_PREFIX;
        let found = if is_text {
            let mut prefix = context.settings.lock().name_prefix.clone().into_bytes();
            prefix.push(0);
            prefix
        } else {
            context.get(option)?.to_ne_bytes().to_vec()
        };
        let fits = *len == found.len() || (is_text && *len > found.len());
        if !fits || !value.copy(&found) {
            return Err(Errno::INVALID);
        }
        *len = found.len();
        Ok(Done)
    }

    /// A new context with so many I/O threads.
    fn zmq_init(io_threads: c_int) -> Result<*mut c_void, Errno> {
        let context = Context::new();
        context.set(IO_THREADS, io_threads)?;
        Ok(Handle::open(context).as_ptr())
    }
}

/// Whether four bytes are rather a small number than four letters.
fn is_small(number: [u8; size_of::<c_int>()]) -> bool {
    (0..=0xffff).contains(&c_int::from_ne_bytes(number))
}
