//! [`Pace`]: a sender of large messages does not run far ahead of its receiver.
//!
//! A high-water mark counts messages. A thousand of 64 KiB are more than the caches hold: were they all
//! to wait, each byte would come from main memory several times on its way. So a sender that may wait
//! does so for a moment once more than [`Pace::LEAD`] bytes of bodies are on their way. It is a courtesy and no
//! mark: a receiver that makes little progress meanwhile is not waited for again soon.

use crate::signaler;

/// How one sender waits for its receivers.
#[derive(Default, Debug)]
pub(crate) struct Pace {
    /// How many large messages will go without.
    skip: u32,
    /// How often it was in vain lately.
    vain: u32,
}

impl Pace {
    /// How many bytes the bodies on their way may have, if they are more than a few.
    const LEAD: usize = 2 * 1024 * 1024;
    /// How often to sleep and look again.
    const NAPS: u32 = 20;
    /// How many messages go without at most, as a power of two.
    const MOST: u32 = 12;

    /// How many bodies of `len` bytes may be on their way before anybody waits.
    pub(crate) fn allowed(len: usize) -> usize {
        (Self::LEAD / len).max(4)
    }

    /// After a body of `len` bytes was sent: waits while there are too many of its like on their
    /// way. `lead` says how many there are; if at most so many, it need not be the latest number.
    pub(crate) fn keep(&mut self, len: usize, lead: impl FnMut(usize) -> usize) {
        self.keep_by(len, lead, signaler::nap);
    }

    /// The same with any way to sleep.
    fn keep_by(
        &mut self,
        len: usize,
        mut lead: impl FnMut(usize) -> usize,
        mut sleep: impl FnMut(),
    ) {
        let most = Self::allowed(len);
        let (far, near) = (lead(most), most / 2);
        if far <= most {
            return;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        for _ in 0..Self::NAPS {
            sleep();
            if lead(near) <= near {
                break;
            }
        }
        if far - lead(0) >= near {
            self.vain = 0;
        } else {
            self.vain = (self.vain + 1).min(Self::MOST);
            self.skip = 1 << self.vain;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A receiver that reads so many bodies while a sender sleeps.
    struct Receiver {
        waiting: usize,
        reads: usize,
        naps: usize,
    }

    impl Receiver {
        fn new(reads: usize) -> Self {
            let (waiting, naps) = (0, 0);
            Self {
                waiting,
                reads,
                naps,
            }
        }

        fn is_sent(&mut self, pace: &mut Pace, len: usize) {
            let mut sleeps = 0;
            let (waiting, reads) = (std::cell::Cell::new(self.waiting + 1), self.reads);
            pace.keep_by(
                len,
                |_| waiting.get(),
                || {
                    waiting.set(waiting.get().saturating_sub(reads));
                    sleeps += 1;
                },
            );
            self.waiting = waiting.get();
            self.naps += sleeps;
        }
    }

    const BODY: usize = 64 * 1024;
    const MOST: usize = Pace::LEAD / BODY;

    #[test]
    fn nobody_waits_who_is_near() {
        let (mut pace, mut receiver) = (Pace::default(), Receiver::new(1));
        (0..MOST).for_each(|_| receiver.is_sent(&mut pace, BODY));
        assert_eq!(receiver.naps, 0);
    }

    #[test]
    fn who_is_far_ahead_waits_until_half_of_it_is_read() {
        let (mut pace, mut receiver) = (Pace::default(), Receiver::new(1));
        for _ in 0..1000 {
            receiver.is_sent(&mut pace, BODY);
            assert!(receiver.waiting <= MOST);
        }
        assert!(receiver.naps >= 1000 - MOST);
        let mut large = Receiver::new(1);
        (0..100).for_each(|_| large.is_sent(&mut Pace::default(), 100 * Pace::LEAD));
        assert!(large.waiting <= 4, "some are let wait, however large");
    }

    #[test]
    fn a_receiver_that_reads_nothing_is_hardly_waited_for() {
        let (mut pace, mut receiver) = (Pace::default(), Receiver::new(0));
        (0..1000).for_each(|_| receiver.is_sent(&mut pace, BODY));
        let attempts = receiver.naps / Pace::NAPS as usize;
        assert!((5..=10).contains(&attempts), "{attempts} attempts");
        assert_eq!(receiver.waiting, 1000);
        // It is waited for as before once it reads again.
        receiver.reads = MOST;
        for _ in 0..2 << Pace::MOST {
            receiver.is_sent(&mut pace, BODY);
        }
        assert!(receiver.waiting <= MOST, "however many there were");
    }
}
