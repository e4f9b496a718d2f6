//! The runtimes that async tests run on, and tasks polled by hand.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

use ferrozmq::{AsyncSocket, SocketType};

use crate::common::{LIMIT, Rig, in_time, link};

/// Makes a test of each async function for each of the runtimes, over tcp.
#[macro_export]
macro_rules! on_each_runtime {
    ($($check:ident),+ $(,)?) => {
        $crate::tests_on!(tokio_multi_thread, $($check),+);
        $crate::tests_on!(tokio_current_thread, $($check),+);
        $crate::tests_on!(smol, $($check),+);
        $crate::tests_on!(block_on, $($check),+);
    };
}

/// Makes a test of each async function for one runtime.
#[macro_export]
macro_rules! tests_on {
    ($runtime:ident, $($check:ident),+) => {
        mod $runtime {
            use $crate::common::{Rig, Transport};
            $(#[test] fn $check() {
                $crate::runtime::$runtime(super::$check(Rig::new(Transport::Tcp)));
            })+
        }
    };
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

fn on_tokio(mut builder: tokio::runtime::Builder, task: Task) {
    in_time(move || {
        let runtime = builder.build().unwrap();
        runtime.block_on(async { tokio::spawn(task).await.unwrap() });
    });
}

pub(crate) fn tokio_multi_thread(task: impl Future<Output = ()> + Send + 'static) {
    on_tokio(tokio::runtime::Builder::new_multi_thread(), Box::pin(task));
}

pub(crate) fn tokio_current_thread(task: impl Future<Output = ()> + Send + 'static) {
    on_tokio(
        tokio::runtime::Builder::new_current_thread(),
        Box::pin(task),
    );
}

pub(crate) fn smol(task: impl Future<Output = ()> + Send + 'static) {
    in_time(move || smol::block_on(smol::spawn(task)));
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A runtime of a few lines: polls a future when it is woken, and fails if it takes too long.
#[track_caller]
pub(crate) fn block_on<T>(task: impl Future<Output = T>) -> T {
    let mut task = pin!(task);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Poll::Ready(output) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "it does not end");
        std::thread::park_timeout(left);
    }
}

/// A waker that counts how often it is woken.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let count = Arc::<Self>::default();
        (count.clone(), Waker::from(count))
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// Polls a future once.
pub(crate) fn poll_once<T>(future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls a future that has to wait until it is woken, and then drops it without another poll.
#[track_caller]
pub(crate) fn drop_when_woken<T>(future: impl Future<Output = T>, what_wakes_it: impl FnOnce()) {
    let (count, waker) = Count::new();
    let mut future = pin!(future);
    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending(), "it does not have to wait");
    what_wakes_it();
    crate::common::wait_until(|| count.get() > 0);
}

impl Rig {
    /// Async sockets of which the first is bound and the second connected to it.
    pub(crate) fn async_pair(
        &self,
        bound: SocketType,
        connected: SocketType,
    ) -> (AsyncSocket, AsyncSocket) {
        let (bound, connected) = (self.async_bound(bound), self.socket(connected));
        link(bound.get_ref(), &connected);
        (bound, connected.into_async())
    }

    pub(crate) fn async_bound(&self, socket_type: SocketType) -> AsyncSocket {
        self.bound(socket_type).into_async()
    }
}
