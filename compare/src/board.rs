//! [`Board`]: the few things that the players of a run tell each other beside their messages.
//!
//! Each is posted once: where the binding side can be reached, that every connection has carried a
//! message, and that everything has arrived. The last two take the time and what the process has
//! used so far: a run is what lies between them.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::usage::Usage;

/// A moment of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) at: Instant,
    pub(crate) usage: Usage,
}

impl Mark {
    fn now() -> Self {
        Self {
            at: Instant::now(),
            usage: Usage::now(),
        }
    }
}

#[derive(Debug, Default)]
struct News {
    endpoint: Option<String>,
    /// How many receivers all of whose connections have carried a message.
    warm: u32,
    ready: Option<Mark>,
    over: Option<Mark>,
}

/// One process's board; in a run of two processes, what is posted on one is carried to the other.
#[derive(Debug, Default)]
pub(crate) struct Board {
    news: Mutex<News>,
    changed: Condvar,
}

impl Board {
    /// The binding side is bound, and can be connected to at `endpoint`.
    pub(crate) fn post_bound(&self, endpoint: String) {
        self.post(|news| news.endpoint = Some(endpoint));
    }

    /// One of `receivers` is warm; the last of them makes the run ready.
    pub(crate) fn post_warm(&self, receivers: u32) {
        self.post(|news| {
            news.warm += 1;
            if news.warm == receivers {
                news.ready = Some(Mark::now());
            }
        });
    }

    /// The data may be sent.
    pub(crate) fn post_ready(&self) {
        self.post(|news| news.ready = Some(Mark::now()));
    }

    /// The data has been received.
    pub(crate) fn post_over(&self) {
        self.post(|news| news.over = Some(Mark::now()));
    }

    pub(crate) fn wait_bound(&self) -> String {
        self.wait(|news| news.endpoint.clone())
    }

    pub(crate) fn wait_ready(&self) -> Mark {
        self.wait(|news| news.ready)
    }

    pub(crate) fn wait_over(&self) -> Mark {
        self.wait(|news| news.over)
    }

    /// Waits a moment; true if the run is ready.
    pub(crate) fn is_ready_within(&self, moment: Duration) -> bool {
        self.wait_a_moment(moment, |news| news.ready.is_some())
    }

    /// Waits a moment; true if the run is over.
    pub(crate) fn is_over_within(&self, moment: Duration) -> bool {
        self.wait_a_moment(moment, |news| news.over.is_some())
    }

    fn post(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.news.lock());
        self.changed.notify_all();
    }

    fn wait<T>(&self, look: impl Fn(&News) -> Option<T>) -> T {
        let mut news = self.news.lock();
        loop {
            if let Some(found) = look(&news) {
                return found;
            }
            self.changed.wait(&mut news);
        }
    }

    fn wait_a_moment(&self, moment: Duration, look: impl Fn(&News) -> bool) -> bool {
        let mut news: MutexGuard<'_, News> = self.news.lock();
        let waiting = |news: &mut News| !look(news);
        !self
            .changed
            .wait_while_for(&mut news, waiting, moment)
            .timed_out()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_receiver_makes_the_run_ready() {
        let board = Board::default();
        board.post_warm(2);
        assert!(!board.is_ready_within(Duration::ZERO));
        board.post_warm(2);
        assert!(board.is_ready_within(Duration::ZERO));
    }

    #[test]
    fn a_waiter_sees_what_was_posted_before_and_after() {
        let board = Board::default();
        board.post_bound("tcp://somewhere:1".to_owned());
        assert_eq!(board.wait_bound(), "tcp://somewhere:1");
        std::thread::scope(|scope| {
            scope.spawn(|| board.post_over());
            let over = board.wait_over();
            assert!(over.at >= board.news.lock().over.unwrap().at);
        });
    }
}
