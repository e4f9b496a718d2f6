//! The process has no descriptors left: nothing spins, nothing dies, and all is well when there
//! are some again.

use std::fs::File;

use ferrozmq::{PollItem, poll};
use nix::libc;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike;

use crate::peer::{RawPeer, opening};
use crate::*;

/// How long the shortage lasts.
const SHORTAGE: Duration = Duration::from_secs(1);

/// Descriptors that are there to be missed by others.
struct Hoard(Vec<File>);

impl Hoard {
    /// Takes all descriptors that the process may have.
    fn take_all() -> Self {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, 100, hard).unwrap();
        let files = std::iter::repeat_with(|| File::open("/dev/null"));
        Self(files.map_while(Result::ok).collect())
    }

    fn give(&mut self, count: usize) {
        self.0.truncate(self.0.len() - count);
    }
}

fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(micros.unsigned_abs())
}

/// How many such events come while descriptors are short; that may not keep the process busy.
#[track_caller]
fn count_during_shortage(monitor: &Monitor, wanted: impl Fn(&EventKind) -> bool) -> usize {
    let (deadline, before) = (Instant::now() + SHORTAGE, processor_time());
    let events = std::iter::from_fn(|| monitor.wait_for(deadline, |event| wanted(&event.kind)));
    let count = events.count();
    let busy = processor_time().saturating_sub(before);
    assert!(busy < SHORTAGE / 4, "busy for {busy:?}");
    count
}

fn is_exhausted(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::AcceptFailed {
            errno: libc::EMFILE
        }
    )
}

fn nobody_can_be_accepted(endpoint: &str) {
    let victim = Victim::new(PULL, endpoint);
    let mut hoard = Hoard::take_all();
    hoard.give(1);
    // It has the last descriptor, so that none is left for the other end of its connection.
    let mut waiting = RawPeer::connect(&victim.endpoint);
    victim.event(is_exhausted);
    let failures = count_during_shortage(&victim.monitor, is_exhausted);
    assert!((1..=20).contains(&failures), "{failures} failures");
    drop(hoard);
    victim.event(|kind| matches!(kind, EventKind::Accepted { .. }));
    waiting.send(&opening("PUSH", b""));
    waiting.expect_opening();
    victim.still_serves();
}

#[test]
fn nobody_can_be_accepted_over_tcp() {
    in_own_process("descriptors::nobody_can_be_accepted_over_tcp", || {
        nobody_can_be_accepted(EVERYWHERE[0]);
    });
}

#[test]
fn nobody_can_be_accepted_over_ipc() {
    in_own_process("descriptors::nobody_can_be_accepted_over_ipc", || {
        nobody_can_be_accepted(EVERYWHERE[1]);
    });
}

#[test]
fn nobody_can_be_connected_to() {
    in_own_process("descriptors::nobody_can_be_connected_to", || {
        let victim = Victim::new(PULL, TCP);
        let client = patient(&victim.ctx, PUSH);
        let monitor = client.monitor();
        let hoard = Hoard::take_all();
        client.connect(&victim.endpoint).unwrap();
        let is_retry = |kind: &EventKind| matches!(kind, EventKind::ConnectRetried { .. });
        let retry = await_event(&monitor, is_retry);
        let EventKind::ConnectRetried { reason, .. } = retry.kind else {
            return;
        };
        assert_eq!(reason, Reason::System(libc::EMFILE));
        let retries = count_during_shortage(&monitor, is_retry);
        assert!((1..=20).contains(&retries), "{retries} retries");
        drop(hoard);
        client.send("at last", 0).unwrap();
        victim.receive("at last");
    });
}

/// What cannot be opened now is an error of the call, and the next one may succeed.
#[test]
fn nothing_can_be_bound() {
    in_own_process("descriptors::nothing_can_be_bound", || {
        let victim = Victim::new(PULL, TCP);
        let hoard = Hoard::take_all();
        for endpoint in EVERYWHERE {
            let error = victim.socket.bind(endpoint).unwrap_err();
            assert_eq!(error.errno(), libc::EMFILE, "{error}");
        }
        assert!(Ctx::new().socket(PULL).is_err());
        drop(hoard);
        for endpoint in EVERYWHERE {
            victim.socket.bind(endpoint).unwrap();
        }
        victim.still_serves();
    });
}

/// Who is connected goes on talking; only what takes a descriptor fails, with an error.
#[test]
fn messages_need_no_descriptors() {
    in_own_process("descriptors::messages_need_no_descriptors", || {
        let victim = Victim::new(PULL, TCP);
        let client = patient(&victim.ctx, PUSH);
        client.connect(&victim.endpoint).unwrap();
        client.wait_connected(Some(LIMIT)).unwrap();
        let inlet = client.sender().unwrap();
        let quiet = File::open("/dev/null").unwrap();
        let _hoard = Hoard::take_all();
        for n in 0..100 {
            let body = vec![b'x'; n * 1000];
            client.send(body.clone(), 0).unwrap();
            assert_eq!(victim.socket.recv_msg(0).unwrap(), body[..]);
        }
        inlet.send("by a sender", 0).unwrap();
        client.get_events().unwrap();
        assert_eq!(victim.socket.recv_string(0).unwrap(), "by a sender");
        client.send("found by polling", 0).unwrap();
        let mut items = [victim.socket.as_poll_item(POLLIN)];
        assert_eq!(poll(&mut items, Some(LIMIT)).unwrap(), 1);
        let fd = std::os::fd::AsFd::as_fd(&quiet);
        let mut items = [items[0], PollItem::from_fd(fd, POLLIN)];
        let error = poll(&mut items, Some(LIMIT)).unwrap_err();
        assert_eq!(error.errno(), libc::EMFILE, "{error}");
        victim.receive("found by polling");
    });
}
