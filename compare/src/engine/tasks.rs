//! Where the tasks of asynchronous engines run: one multi-thread tokio runtime, as `#[tokio::main]`
//! makes it. The players call it from their own threads and wait, as the callers of blocking
//! engines do; that costs some 50 ns each time.

use std::sync::LazyLock;

use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().expect("the system has threads and descriptors"));

/// Waits for a future whose tasks run on the shared runtime.
#[inline]
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}
