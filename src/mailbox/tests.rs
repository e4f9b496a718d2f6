//! The sleep and close protocols, alone and under loom.

use super::*;

#[cfg(not(loom))]
mod plain {
    use super::*;

    /// Counts how often it was given.
    #[derive(Debug, Default)]
    struct Counter(AtomicUsize);

    impl Counter {
        fn count(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Signal for Counter {
        fn signal(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counted<C>() -> (Mailbox<C>, Arc<Counter>) {
        let (mailbox, counter) = (Mailbox::new(), Arc::new(Counter::default()));
        mailbox.retarget(&(counter.clone() as Arc<dyn Signal>));
        (mailbox, counter)
    }

    #[test]
    fn an_owner_that_is_awake_is_not_signalled() {
        let (mailbox, counter) = counted();
        assert!(mailbox.post(1));
        assert!(mailbox.post(2));
        assert_eq!(counter.count(), 0);
        assert!(mailbox.is_pending());
        assert!(!mailbox.may_sleep());
        assert_eq!(mailbox.drain().collect::<Vec<_>>(), [1, 2]);
        assert!(!mailbox.is_pending());
    }

    #[test]
    fn a_small_mailbox_keeps_the_order_and_no_room_after_a_burst() {
        let mailbox = Mailbox::small();
        (0..1000).for_each(|n| assert!(mailbox.post(n)));
        assert!(mailbox.drain().eq(0..1000));
        let Queue::Small(queue) = &mailbox.queue else {
            unreachable!("it is small");
        };
        assert_eq!(queue.lock().capacity(), 0);
        mailbox.post(1);
        mailbox.close();
        assert!(!mailbox.post(2));
        assert_eq!(mailbox.drain().next(), None);
    }

    #[test]
    fn a_sleeping_owner_is_signalled_once() {
        let (mailbox, counter) = counted();
        assert!(mailbox.may_sleep());
        mailbox.post(1);
        mailbox.post(2);
        assert_eq!(counter.count(), 1);
        assert_eq!(mailbox.drain().count(), 2);
        mailbox.post(3);
        assert_eq!(counter.count(), 1);
    }

    #[test]
    fn a_new_signal_is_given_at_once_if_something_is_pending() {
        let (mailbox, _) = counted();
        mailbox.post(1);
        let counter = Arc::new(Counter::default());
        mailbox.retarget(&(counter.clone() as Arc<dyn Signal>));
        assert_eq!(counter.count(), 1);
    }

    #[test]
    fn who_watches_is_told_of_the_first_command_after_a_drain() {
        let (mailbox, signal) = counted();
        let watch = Arc::new(Counter::default());
        mailbox.set_watch(Some(watch.clone()));
        mailbox.post(1);
        mailbox.post(2);
        assert_eq!((watch.count(), signal.count()), (1, 0));
        assert_eq!(mailbox.drain().count(), 2);
        assert!(mailbox.may_sleep());
        assert!(mailbox.may_sleep());
        mailbox.post(3);
        assert_eq!((watch.count(), signal.count()), (2, 1));
        mailbox.set_watch(None);
        assert_eq!(mailbox.drain().count(), 1);
        mailbox.post(4);
        assert_eq!(watch.count(), 2);
    }

    #[test]
    fn a_new_watch_is_told_at_once_if_something_is_pending() {
        let (mailbox, _) = counted();
        mailbox.post(1);
        let watch = Arc::new(Counter::default());
        mailbox.set_watch(Some(watch.clone()));
        assert_eq!(watch.count(), 1);
    }

    #[test]
    fn a_closed_mailbox_drops_what_it_has_and_what_comes() {
        let (mailbox, _) = counted();
        let command = Arc::new(());
        assert!(mailbox.post(command.clone()));
        mailbox.close();
        assert!(!mailbox.post(command.clone()));
        assert_eq!(Arc::strong_count(&command), 1);
    }
}

#[cfg(loom)]
mod under_loom {
    use super::*;

    /// A signal that a loom thread can wait for.
    #[derive(Debug, Default)]
    struct Bell(loom::sync::Mutex<bool>, loom::sync::Condvar);

    impl Signal for Bell {
        fn signal(&self) {
            *self.0.lock().unwrap() = true;
            self.1.notify_one();
        }
    }

    impl Bell {
        fn wait(&self) {
            let mut rung = self.0.lock().unwrap();
            while !*rung {
                rung = self.1.wait(rung).unwrap();
            }
            *rung = false;
        }
    }

    #[test]
    fn a_watch_that_comes_with_a_command_is_told_of_it() {
        loom::model(|| {
            let mailbox = loom::sync::Arc::new(Mailbox::new());
            let bell = Arc::new(Bell::default());
            let poster = loom::thread::spawn({
                let mailbox = mailbox.clone();
                move || assert!(mailbox.post(1))
            });
            mailbox.set_watch(Some(bell.clone()));
            bell.wait();
            assert_eq!(mailbox.drain().count(), 1);
            poster.join().unwrap();
        });
    }

    #[test]
    fn a_sleeping_owner_gets_every_command() {
        loom::model(|| {
            let mailbox = loom::sync::Arc::new(Mailbox::new());
            let bell = Arc::new(Bell::default());
            mailbox.retarget(&(bell.clone() as Arc<dyn Signal>));
            let posters: Vec<_> = (0..2)
                .map(|n| {
                    let mailbox = mailbox.clone();
                    loom::thread::spawn(move || assert!(mailbox.post(n)))
                })
                .collect();
            let mut got = 0;
            while got < 2 {
                if mailbox.may_sleep() {
                    bell.wait();
                    mailbox.awake();
                }
                got += mailbox.drain().count();
            }
            for poster in posters {
                poster.join().unwrap();
            }
        });
    }

    #[test]
    fn retargeting_loses_no_wake_up() {
        loom::model(|| {
            let mailbox = loom::sync::Arc::new(Mailbox::new());
            let poster = {
                let mailbox = mailbox.clone();
                loom::thread::spawn(move || mailbox.post(1))
            };
            let bell = Arc::new(Bell::default());
            mailbox.retarget(&(bell.clone() as Arc<dyn Signal>));
            while mailbox.drain().count() == 0 {
                if mailbox.may_sleep() {
                    bell.wait();
                }
            }
            poster.join().unwrap();
        });
    }

    #[test]
    fn nothing_is_stranded_in_a_closed_mailbox() {
        loom::model(|| {
            let mailbox = loom::sync::Arc::new(Mailbox::new());
            let command = loom::sync::Arc::new(());
            let poster = {
                let (mailbox, command) = (mailbox.clone(), command.clone());
                loom::thread::spawn(move || mailbox.post(command))
            };
            mailbox.close();
            poster.join().unwrap();
            assert_eq!(loom::sync::Arc::strong_count(&command), 1);
        });
    }
}
