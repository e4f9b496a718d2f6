//! Who may connect.

use super::*;

/// Whether a socket that was given filters lets a peer of this process in.
#[track_caller]
fn lets_in(endpoint: &str, set: impl FnOnce(&Socket)) -> bool {
    let ctx = Ctx::new();
    let (pull, push) = (
        socket(&ctx, SocketType::PULL),
        socket(&ctx, SocketType::PUSH),
    );
    let monitor = pull.monitor();
    set(&pull);
    pull.bind(endpoint).unwrap();
    push.set_linger(Some(Duration::ZERO)).unwrap();
    push.connect(&pull.last_endpoint()).unwrap();
    let is_outcome = |kind: &EventKind| {
        matches!(
            kind,
            EventKind::Accepted { .. } | EventKind::AcceptFailed { .. }
        )
    };
    matches!(event(&monitor, is_outcome).kind, EventKind::Accepted { .. })
}

#[test]
fn tcp_peers_must_come_from_one_of_the_addresses() {
    let lets_in = |filters: &[&str]| {
        lets_in("tcp://127.0.0.1:*", |socket| {
            for filter in filters {
                socket.add_accept_filter(filter).unwrap();
            }
        })
    };
    assert!(lets_in(&[]));
    assert!(lets_in(&["127.0.0.1"]));
    assert!(!lets_in(&["10.0.0.0/8"]));
    assert!(lets_in(&["10.0.0.0/8", "127.0.0.0/8"]));
    assert!(!lets_in(&["::/0"]));
}

#[test]
fn filters_can_be_cleared() {
    assert!(lets_in("tcp://127.0.0.1:*", |socket| {
        socket.add_accept_filter("10.0.0.0/8").unwrap();
        socket.clear_accept_filters().unwrap();
    }));
    assert!(lets_in("ipc://*", |socket| {
        socket.add_ipc_filter_pid(1).unwrap();
        socket.clear_ipc_filters().unwrap();
    }));
}

#[test]
fn what_is_no_address_is_no_filter() {
    let ctx = Ctx::new();
    let socket = socket(&ctx, SocketType::PULL);
    for text in ["", "localhost", "127.0.0.1/33", "127.0.0.1/", "::1/129"] {
        assert_invalid(socket.add_accept_filter(text));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn ipc_peers_must_be_of_one_of_the_users_groups_or_processes() {
    use nix::unistd::{Gid, Uid};
    let (uid, gid) = (Uid::current().as_raw(), Gid::current().as_raw());
    let pid = i32::try_from(std::process::id()).unwrap();
    let nobody = u32::MAX - 1;
    let lets_in = |set: &dyn Fn(&Socket) -> Result<()>| lets_in("ipc://*", |s| set(s).unwrap());
    assert!(lets_in(&|socket| socket.add_ipc_filter_uid(uid)));
    assert!(lets_in(&|socket| socket.add_ipc_filter_gid(gid)));
    assert!(lets_in(&|socket| socket.add_ipc_filter_pid(pid)));
    assert!(!lets_in(&|socket| socket.add_ipc_filter_uid(nobody)));
    assert!(!lets_in(&|socket| socket.add_ipc_filter_gid(nobody)));
    assert!(!lets_in(&|socket| socket.add_ipc_filter_pid(pid + 1)));
    assert!(lets_in(&|socket| {
        socket.add_ipc_filter_uid(nobody)?;
        socket.add_ipc_filter_pid(pid)
    }));
}
