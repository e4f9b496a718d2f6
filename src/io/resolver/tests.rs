//! Lookups with what every host has: literals, the loopback interface, and `localhost`.

use std::time::Instant;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn at(host: Host, port: u16) -> HostPort {
    HostPort { host, port }
}

fn name(text: &str) -> Host {
    Host::Name(text.to_owned())
}

fn loopback_interface() -> String {
    let is_loopback = |address: &SockaddrStorage| {
        to_std(address).is_some_and(|address| address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST))
    };
    getifaddrs()
        .unwrap()
        .find(|found| found.address.as_ref().is_some_and(is_loopback))
        .expect("a loopback interface")
        .interface_name
}

#[track_caller]
fn wait_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it never came true");
        thread::yield_now();
    }
}

/// Looks `host` up and waits for the answer.
#[track_caller]
fn resolve(resolver: &Resolver, host: &str, ipv6: bool) -> Found {
    let (sender, receiver) = unbounded();
    let done = Box::new(move |found| sender.send(found).unwrap());
    resolver.resolve(host, 7, ipv6, done);
    receiver.recv_timeout(PATIENCE).expect("an answer")
}

#[test]
fn literals_need_no_lookup() {
    let v4 = at(Host::V4(Ipv4Addr::LOCALHOST), 1);
    let v6 = at(Host::V6(Ipv6Addr::LOCALHOST, Some("3".into())), 1);
    let is = |found: Option<Found>, text: &str| {
        assert_eq!(found.unwrap().unwrap(), [text.parse().unwrap()]);
    };
    is(immediate(&v4, false), "127.0.0.1:1");
    is(immediate(&v4, true), "127.0.0.1:1");
    is(immediate(&v6, true), "[::1%3]:1");
    assert!(immediate(&v6, false).unwrap().is_err());
    assert!(immediate(&at(Host::Any, 1), false).unwrap().is_err());
    assert!(immediate(&at(name("localhost"), 1), true).is_none());
}

#[test]
fn a_zone_may_be_the_name_of_an_interface() {
    let zone = loopback_interface();
    let index = if_nametoindex(zone.as_str()).unwrap();
    let host = Host::V6("fe80::1".parse().unwrap(), Some(zone));
    let found = immediate(&at(host, 1), true).unwrap().unwrap();
    assert_eq!(found[0].to_string(), format!("[fe80::1%{index}]:1"));

    let host = Host::V6(Ipv6Addr::LOCALHOST, Some("nosuchif0".into()));
    assert!(immediate(&at(host, 1), true).unwrap().is_err());
}

#[test]
fn a_source_has_the_family_of_its_destination() {
    let v4 = "10.0.0.1:5".parse().unwrap();
    let v6 = "[2001:db8::1]:5".parse().unwrap();
    let check = |host: Host, destination, expected: Option<&str>| {
        let found = resolve_source(&at(host, 9), destination).ok();
        assert_eq!(found, expected.map(|text| text.parse().unwrap()));
    };
    check(Host::Any, v4, Some("0.0.0.0:9"));
    check(Host::Any, v6, Some("[::]:9"));
    check(Host::V4(Ipv4Addr::LOCALHOST), v4, Some("127.0.0.1:9"));
    check(Host::V4(Ipv4Addr::LOCALHOST), v6, None);
    check(Host::V6(Ipv6Addr::LOCALHOST, None), v6, Some("[::1]:9"));
    check(name(&loopback_interface()), v4, Some("127.0.0.1:9"));
    check(name("nosuchif0"), v4, None);
}

#[test]
fn a_bind_address_is_a_wildcard_a_literal_an_interface_or_a_name() {
    let check = |host: Host, ipv6, expected: &[&str]| {
        let found = addresses(&at(host, 9), ipv6);
        let expected: Vec<SocketAddr> = expected.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(found, expected);
    };
    let v6 = || Host::V6(Ipv6Addr::LOCALHOST, None);
    check(Host::Any, false, &["0.0.0.0:9"]);
    check(Host::Any, true, &["[::]:9", "0.0.0.0:9"]);
    check(v6(), true, &["[::1]:9"]);
    check(v6(), false, &[]);
    check(name(&loopback_interface()), false, &["127.0.0.1:9"]);
    check(name("localhost"), false, &["127.0.0.1:9"]);
    check(name(&"a".repeat(70)), false, &[]);
}

#[test]
fn a_name_is_looked_up_on_another_thread() {
    let resolver = Resolver::new("test/dns", ThreadStart::default());
    let found = resolve(&resolver, "localhost", false).unwrap();
    assert_eq!(found, ["127.0.0.1:7".parse().unwrap()]);
    let found = resolve(&resolver, "localhost", true).unwrap();
    assert!(found.iter().all(|address| address.ip().is_loopback()));
}

#[test]
fn a_name_that_does_not_exist_is_an_error() {
    let resolver = Resolver::new("test/dns", ThreadStart::default());
    assert!(resolve(&resolver, &"a".repeat(70), true).is_err());
    assert!(resolve(&resolver, "", true).is_err());
}

#[test]
fn four_lookups_run_at_once_and_the_others_follow() {
    let resolver = Resolver::new("test/dns", ThreadStart::default());
    let (entered, entries) = unbounded();
    let (release, released) = unbounded::<()>();
    for _ in 0..6 {
        let (entered, released) = (entered.clone(), released.clone());
        let done = Box::new(move |_| {
            entered.send(thread::current().id()).unwrap();
            released.recv().unwrap();
        });
        resolver.resolve("localhost", 1, false, done);
    }
    let mut threads: Vec<_> = (0..4)
        .map(|_| entries.recv_timeout(PATIENCE).expect("a lookup"))
        .collect();
    assert_eq!(resolver.pool.threads.load(Ordering::SeqCst), 4);
    assert!(entries.is_empty());
    threads.dedup();
    assert_eq!(threads.len(), 4);
    for _ in 0..6 {
        release.send(()).unwrap();
    }
    for _ in 0..2 {
        entries.recv_timeout(PATIENCE).expect("a later lookup");
    }
}

#[test]
fn lookups_one_after_another_share_a_thread() {
    let resolver = Resolver::new("test/dns", ThreadStart::default());
    for _ in 0..20 {
        resolve(&resolver, "127.1", false).unwrap();
    }
    // Two, if a lookup was asked for before the thread of the last one could ask for more.
    assert!(resolver.pool.threads.load(Ordering::SeqCst) <= 2);
}

#[test]
fn idle_threads_end_and_a_later_lookup_starts_another() {
    let resolver = Resolver::with_idle(
        "test/dns".into(),
        ThreadStart::default(),
        Duration::from_millis(1),
    );
    for _ in 0..50 {
        resolve(&resolver, "127.1", false).unwrap();
    }
    wait_until(|| resolver.pool.threads.load(Ordering::SeqCst) == 0);
    resolve(&resolver, "127.1", false).unwrap();
}

#[test]
fn threads_end_with_the_last_handle() {
    let resolver = Resolver::with_idle("test/dns".into(), ThreadStart::default(), PATIENCE * 100);
    let clone = resolver.clone();
    resolve(&resolver, "127.1", false).unwrap();
    drop(resolver);
    resolve(&clone, "127.1", false).unwrap();
    let pool = Arc::clone(&clone.pool);
    drop(clone);
    wait_until(|| pool.threads.load(Ordering::SeqCst) == 0);
}

#[test]
fn what_no_thread_can_serve_is_answered_with_the_error() {
    let resolver = Resolver::new("test/dns", ThreadStart::default());
    let (sender, receiver) = unbounded();
    let job = Job {
        host: "localhost".into(),
        port: 1,
        ipv6: false,
        done: Box::new(move |found| sender.send(found).unwrap()),
    };
    resolver.pool.unfinished.fetch_add(1, Ordering::SeqCst);
    resolver.jobs.send(job).unwrap();
    assert!(resolver.pool.enter(1));
    resolver.pool.on_no_thread(&io::Error::other("no memory"));
    assert_eq!(
        receiver.recv().unwrap().unwrap_err().to_string(),
        "no memory"
    );
}
