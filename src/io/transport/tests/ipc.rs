//! ipc: files and their owners, abstract names, filters.

use super::super::ipc::is_named;
use super::*;

/// A path for a socket, and the endpoint that names it.
fn place(directory: &TempDir) -> (PathBuf, String) {
    let path = directory.path().join("socket");
    let endpoint = format!("ipc://{}", path.display());
    (path, endpoint)
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

#[test]
fn the_endpoint_is_the_path() {
    let directory = TempDir::new().unwrap();
    let (path, endpoint) = place(&directory);
    let bound = bind(&endpoint, &options());
    assert_eq!(bound.endpoint, endpoint);
    assert!(is_socket(&path));
}

#[test]
fn our_file_goes_with_us() {
    let directory = TempDir::new().unwrap();
    let (path, endpoint) = place(&directory);
    drop(bind(&endpoint, &options()));
    assert!(!path.exists());
}

#[test]
fn a_successors_file_stays() {
    let directory = TempDir::new().unwrap();
    let (path, endpoint) = place(&directory);
    let first = bind(&endpoint, &options());
    fs::remove_file(&path).unwrap();
    let second = bind(&endpoint, &options());
    drop(first);
    assert!(is_socket(&path));
    connected(&target(&second.endpoint), &options());
    drop(second);
    assert!(!path.exists());
}

#[test]
fn a_stale_file_is_taken_over() {
    let directory = TempDir::new().unwrap();
    let (path, endpoint) = place(&directory);
    // The standard library's listener leaves its file behind, as a killed process does.
    drop(StdUnixListener::bind(&path).unwrap());
    assert!(is_socket(&path));
    let bound = bind(&endpoint, &options());
    connected(&target(&bound.endpoint), &options());
}

#[test]
fn any_file_is_taken_over_if_that_is_wanted() {
    let directory = TempDir::new().unwrap();
    let (path, endpoint) = place(&directory);
    fs::write(&path, "precious").unwrap();
    let mut options = options();
    options.ipc_takeover = true;
    let first = bind(&endpoint, &options);
    let second = bind(&endpoint, &options);
    drop(first);
    assert!(is_socket(&path));
    connected(&target(&second.endpoint), &options);
}

#[test]
fn the_file_of_a_live_listener_is_not() {
    let directory = TempDir::new().unwrap();
    let (path, endpoint) = place(&directory);
    let _listener = StdUnixListener::bind(&path).unwrap();
    assert!(matches!(
        try_bind(&endpoint, &options()),
        Err(Error::AddrInUse)
    ));
    connected(&target(&endpoint), &options());
}

#[test]
fn a_live_listener_with_a_full_backlog_is_alive() {
    let directory = TempDir::new().unwrap();
    let (_, endpoint) = place(&directory);
    let _bound = bind(&endpoint, &with(|options| options.backlog = 0));
    let mut clients = Vec::new();
    let full = loop {
        match connect(&target(&endpoint), &options()) {
            Ok(client) => clients.push(client),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    assert!(matches!(
        try_bind(&endpoint, &options()),
        Err(Error::AddrInUse)
    ));
}

#[test]
fn what_is_no_socket_is_never_deleted() {
    let directory = TempDir::new().unwrap();
    let (path, endpoint) = place(&directory);
    fs::write(&path, "precious").unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    for endpoint in [endpoint, format!("ipc://{}", link.display())] {
        assert!(matches!(
            try_bind(&endpoint, &options()),
            Err(Error::AddrInUse)
        ));
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_missing_directory_is_an_error() {
    let directory = TempDir::new().unwrap();
    let endpoint = format!("ipc://{}/no/x", directory.path().display());
    assert!(matches!(try_bind(&endpoint, &options()), Err(Error::Io(_))));
}

#[test]
fn a_wildcard_is_a_file_in_a_directory_of_its_own() {
    let (first, second) = (bind("ipc://*", &options()), bind("ipc://*", &options()));
    assert_ne!(first.endpoint, second.endpoint);
    let path = PathBuf::from(first.endpoint.strip_prefix("ipc://").unwrap());
    let directory = path.parent().unwrap().to_owned();
    assert!(is_socket(&path));
    let mode = fs::metadata(&directory).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    drop(first);
    assert!(!directory.exists());
}

#[test]
fn nobody_listens() {
    let directory = TempDir::new().unwrap();
    let (path, endpoint) = place(&directory);
    let attempt = || connect(&target(&endpoint), &options()).unwrap_err().kind();
    assert_eq!(attempt(), io::ErrorKind::NotFound);
    drop(StdUnixListener::bind(path).unwrap());
    assert_eq!(attempt(), io::ErrorKind::ConnectionRefused);
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_name_has_no_file() {
    let endpoint = format!("ipc://@ferrozmq-test-{:x}", fastrand::u64(..));
    let bound = bind(&endpoint, &options());
    assert_eq!(bound.endpoint, endpoint);
    assert!(bound.file.is_none());
    assert!(matches!(
        try_bind(&endpoint, &options()),
        Err(Error::AddrInUse)
    ));
    connected(&target(&endpoint), &options());
    drop(bound);
    bind(&endpoint, &options());
}

#[cfg(target_os = "linux")]
#[test]
fn both_ends_know_each_other() {
    let directory = TempDir::new().unwrap();
    let (_, endpoint) = place(&directory);
    let (server, client) = pair(&endpoint, &options());
    assert_eq!(server.local_endpoint(), endpoint);
    assert_eq!(client.peer_endpoint(), endpoint);
    assert_eq!(server.peer_endpoint(), "ipc://");
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    let expected = format!(":{uid}:{gid}:{}", std::process::id());
    assert_eq!(server.peer_address(), Some(expected.clone()));
    assert_eq!(client.peer_address(), Some(expected));
}

#[cfg(target_os = "linux")]
#[test]
fn filters_say_who_may_connect() {
    let uid = nix::unistd::getuid().as_raw();
    let gid = nix::unistd::getgid().as_raw();
    let pid = i32::try_from(std::process::id()).unwrap();
    let check = |set: &dyn Fn(&mut Options), admitted: bool| {
        let options = with(set);
        let bound = bind("ipc://*", &options);
        let mut acceptor = Acceptor::new(bound.socket).unwrap();
        let mut client = connected(&target(&bound.endpoint), &options);
        match accept(&mut acceptor, &options) {
            Accepted::Connection(..) => assert!(admitted),
            Accepted::Refused(_) => {
                assert!(!admitted);
                assert_eq!(client.read(&mut [0]).unwrap(), 0, "it was not closed");
            }
            other => panic!("{other:?}"),
        }
    };
    check(&|options| options.ipc.uids = vec![uid], true);
    check(&|options| options.ipc.uids = vec![uid + 1], false);
    check(&|options| options.ipc.gids = vec![gid], true);
    check(&|options| options.ipc.pids = vec![pid], true);
    check(&|options| options.ipc.pids = vec![1, pid + 1], false);
    // One that matches is enough.
    check(
        &|options| {
            options.ipc.uids = vec![uid + 1];
            options.ipc.pids = vec![pid];
        },
        true,
    );
    // A group that does not exist has no members.
    check(&|options| options.ipc.gids = vec![u32::MAX - 1], false);
}

/// A user whom the system lists as a member of a group that is not the user's own.
fn some_member() -> Option<(u32, u32)> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        let gid = fields.get(2)?.parse().ok()?;
        let member = fields.get(3)?.split(',').find(|name| !name.is_empty())?;
        let user = nix::unistd::User::from_name(member).ok()??;
        Some((user.uid.as_raw(), gid))
    })
}

#[test]
fn a_group_filter_lets_listed_members_in() {
    let Some((uid, gid)) = some_member() else {
        println!("skipped: no group of this system lists a member");
        return;
    };
    let peer = |uid| system::Credentials {
        uid,
        gid: u32::MAX - 1,
        pid: 1,
    };
    let filters = with(|options| options.ipc.gids = vec![gid]).ipc;
    assert!(is_named(peer(uid), &filters));
    assert!(!is_named(peer(u32::MAX - 1), &filters));
}

#[test]
fn an_adopted_descriptor_keeps_its_file() {
    let directory = TempDir::new().unwrap();
    let (path, endpoint) = place(&directory);
    let listener = StdUnixListener::bind(&path).unwrap();
    let options = with(|options| options.use_fd = Some(Arc::new(listener.into())));
    let bound = bind(&endpoint, &options);
    assert_eq!(bound.endpoint, endpoint);
    assert!(bound.file.is_none());
    let mut acceptor = Acceptor::new(bound.socket).unwrap();
    let _client = connected(&target(&endpoint), &options);
    connection(accept(&mut acceptor, &options));
    drop(acceptor);
    assert!(is_socket(&path));
}
