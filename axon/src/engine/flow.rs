//! [`Flow`]: tells a stream of messages that come one by one.
//!
//! A program in Node writes each message by itself. Whoever reads each as it comes has tcp acknowledge
//! each, which the sender's processor has to take. A receiver in Node is slow enough for some to gather
//! meanwhile; we have to wait for that.

use std::time::{Duration, Instant};

/// What has come of one connection.
#[derive(Default, Debug)]
pub(crate) struct Flow {
    /// The last read, and the time between the one before and it.
    last: Option<Instant>,
    pause: Duration,
    /// What it brought.
    messages: u64,
    bytes: usize,
    /// How many reads before it came one soon after the other.
    quick: u32,
}

impl Flow {
    /// Messages that come faster than one in this time are a stream,
    const EACH: Duration = Duration::from_micros(16);
    /// after so many reads;
    const STREAM: u32 = 32;
    /// of which about this much should gather, but for no longer than that; and if it takes less than
    /// the other, there are few reads anyway.
    const ENOUGH: f64 = 24.0 * 1024.0;
    const LONGEST: Duration = Duration::from_micros(300);
    const SHORTEST: Duration = Duration::from_micros(40);

    /// Messages came with the read at `now`.
    pub(crate) fn came(&mut self, messages: u64, bytes: usize, now: Instant) {
        if self.last != Some(now) {
            self.quick = if self.is_quick() {
                self.quick.saturating_add(1)
            } else {
                0
            };
            let last = self.last.replace(now);
            self.pause = last.map_or(Duration::MAX, |last| now.saturating_duration_since(last));
            (self.messages, self.bytes) = (0, 0);
        }
        self.messages += messages;
        self.bytes += bytes;
    }

    /// Something is sent to the peer: it is a conversation and no stream.
    pub(crate) fn answered(&mut self) {
        self.quick = 0;
    }

    /// For how long what comes should gather, if it is such a stream.
    pub(crate) fn gathers(&self) -> Option<Duration> {
        if self.quick < Self::STREAM || !self.is_quick() {
            return None;
        }
        let pause = self.pause.mul_f64(Self::ENOUGH / self.bytes as f64);
        (pause >= Self::SHORTEST).then(|| pause.min(Self::LONGEST))
    }

    /// Whether the last read brought messages of a stream.
    fn is_quick(&self) -> bool {
        let messages = u32::try_from(self.messages).unwrap_or(u32::MAX);
        self.bytes > 0 && self.pause < Self::EACH.saturating_mul(messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flow with reads of so many messages of 100 bytes, each of them so long after the one before.
    fn flow(reads: impl IntoIterator<Item = (u64, u64)>) -> Flow {
        let (mut flow, mut now) = (Flow::default(), Instant::now());
        for (messages, micros) in reads {
            now += Duration::from_micros(micros);
            (0..messages).for_each(|_| flow.came(1, 100, now));
        }
        flow
    }

    fn repeated(read: (u64, u64), times: usize) -> impl Iterator<Item = (u64, u64)> {
        std::iter::repeat_n(read, times)
    }

    #[test]
    fn messages_that_come_fast_and_one_by_one_are_a_stream() {
        assert_eq!(flow(repeated((1, 10), 20)).gathers(), None, "not yet");
        let longest = Some(Flow::LONGEST);
        assert_eq!(flow(repeated((1, 10), 50)).gathers(), longest);
        let gathered = repeated((1, 10), 50).chain(repeated((25, 250), 10));
        assert_eq!(flow(gathered).gathers(), longest, "after a pause too");
    }

    #[test]
    fn slow_messages_are_none() {
        assert_eq!(flow(repeated((1, 20), 1000)).gathers(), None);
        let slower = repeated((1, 10), 50).chain([(1, 30)]);
        assert_eq!(flow(slower).gathers(), None);
    }

    #[test]
    fn the_more_comes_the_shorter_it_gathers() {
        let pause = flow(repeated((40, 10), 50)).gathers().unwrap();
        let expected = Duration::from_secs_f64(10e-6 * Flow::ENOUGH / 4000.0);
        assert!(pause.abs_diff(expected) < Duration::from_micros(1));
        assert_eq!(flow(repeated((200, 10), 1000)).gathers(), None);
    }

    #[test]
    fn a_conversation_is_none() {
        let mut flow = flow(repeated((1, 10), 50));
        flow.answered();
        assert_eq!(flow.gathers(), None);
    }
}
