//! The rules that keep the house in order, checked on the text of `src`: one direction of
//! imports, who must not see whom, where `unsafe`, threads, clocks and locks may be, and that
//! ARCHITECTURE.md lists every file. Each violation is reported as a sentence.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Who must never see whom, beyond the order of the layers.
const BLIND: &[(&str, &[&str], &str)] = &[
    (
        "pipe",
        &["mailbox", "signaler"],
        "a pipe posts through the trait PipePeer",
    ),
    ("engine", &THREADS, "an engine is sans-IO"),
    ("raw", &THREADS, "an engine is sans-IO"),
    ("socks", &THREADS, "an engine is sans-IO"),
    ("datagram", &THREADS, "the wire is sans-IO"),
    ("zmtp", &THREADS, "an engine is sans-IO"),
    (
        "routing",
        &["sync", "signaler", "mailbox", "engine", "raw", "zmtp"],
        "it knows pipes only",
    ),
    (
        "pattern",
        &["sync", "signaler", "mailbox", "engine", "raw", "zmtp"],
        "it knows pipes only",
    ),
    (
        "io",
        &["routing", "pattern", "inproc", "census"],
        "a session knows no socket types",
    ),
    (
        "socket_base",
        &["engine", "raw", "zmtp"],
        "it meets the wire in pipe.rs and command.rs",
    ),
    (
        "poll",
        &["io", "socket_base", "pipe", "routing", "pattern"],
        "it asks sockets",
    ),
];

const THREADS: [&str; 6] = ["sync", "ypipe", "signaler", "mailbox", "pipe", "monitor"];

/// What must not be written outside tests, and where it may be, with the reason.
const BANNED: &[(&str, &[(&str, &str)])] = &[
    (
        "unsafe {",
        &[("ypipe.rs", "the slots: invariants Y1 to Y5")],
    ),
    (
        "unsafe impl",
        &[(
            "ypipe.rs",
            "a chunk is shared by one writer and one reader: Y5",
        )],
    ),
    (
        "unsafe fn",
        &[("ypipe.rs", "what a chunk asks of its two users")],
    ),
    (
        "Instant::now",
        &[
            ("io/poller.rs", "the one clock below the API"),
            ("ctx.rs", "term takes a time limit"),
            ("socket.rs", "the API takes time limits"),
            ("shared.rs", "the API takes time limits"),
            ("attended.rs", "the API takes time limits"),
            ("socket/waiting.rs", "the API takes time limits"),
            ("sender.rs", "the API takes time limits"),
            ("poll.rs", "the API takes time limits"),
            ("timers.rs", "timers are about the time"),
            ("fuzzing.rs", "where a run's virtual time begins"),
            ("signaler.rs", "how long a thread that gave way was away"),
        ],
    ),
    (
        "thread::Builder",
        &[
            ("io/thread.rs", "the I/O threads"),
            ("io/resolver.rs", "getaddrinfo blocks"),
            ("reaper.rs", "the reaper"),
        ],
    ),
    ("thread::spawn(", &[]),
    (
        "Mutex<",
        &[
            (
                "io/thread.rs",
                "the core, which a poster may run while its thread sleeps",
            ),
            (
                "io/transport/ipc.rs",
                "files, which one listener removes and another makes",
            ),
            ("sync.rs", "loom's"),
            (
                "ypipe.rs",
                "the used chunk on its way back, and values in batches",
            ),
            ("signaler.rs", "a condition variable needs one"),
            ("msg/memory.rs", "memory goes from thread to thread"),
            ("mailbox.rs", "the signal, which can change"),
            (
                "pipe.rs",
                "the marks, and the one message of a conflating pipe",
            ),
            ("monitor.rs", "the monitor, which can change"),
            ("inproc.rs", "the names of a context"),
            ("census.rs", "the sockets of a context"),
            ("roster.rs", "the children of a socket"),
            ("ctx.rs", "the context's options and threads"),
            ("shared.rs", "a socket that several threads use"),
            (
                "attended.rs",
                "a socket that several threads and its attendant use",
            ),
            (
                "sender.rs",
                "a sender's end of its pipe, which may be shared",
            ),
        ],
    ),
    (
        "RefCell<",
        &[
            (
                "socket.rs",
                "the API takes &self; the only one around state",
            ),
            ("signaler.rs", "a slot of a thread-local"),
        ],
    ),
    ("Rc<", &[]),
    ("static mut", &[]),
    (
        "thread::sleep",
        &[(
            "signaler.rs",
            "what comes is let gather, or a receiver catch up",
        )],
    ),
    (
        "spin_loop",
        &[("signaler.rs", "the messages of a stream gather")],
    ),
    (
        "yield_now",
        &[("signaler.rs", "a thread gives way before it sleeps")],
    ),
    ("println!", &[]),
    ("eprintln!", &[]),
    ("dbg!", &[]),
    ("todo!", &[]),
    ("unimplemented!", &[]),
    ("panic!(", &[]),
    (".unwrap()", &[]),
    ("std::sync::mpsc", &[]),
    ("loom::", &[("sync.rs", "the one switch")]),
    ("mio::", &[("io/", "only I/O threads poll")]),
    (
        "core_affinity::",
        &[("io/thread.rs", "the I/O threads are pinned")],
    ),
];

/// The files of `src` by their path in it.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut left) = (BTreeMap::new(), vec![root.clone()]);
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(&root).expect("it is in src");
                let name = name.to_string_lossy().replace('\\', "/");
                found.insert(name, fs::read_to_string(path).expect("a file of text"));
            }
        }
    }
    found
}

fn is_test(file: &str) -> bool {
    ["tests.rs", "testing.rs"]
        .iter()
        .any(|end| file.ends_with(end))
        || file.contains("/tests/")
}

/// The files that are no tests, without their comments and the tests in them.
fn code() -> BTreeMap<String, String> {
    let without_tests = |text: &str| {
        let lines = text
            .lines()
            .take_while(|line| !line.starts_with("mod tests {"));
        let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
        lines.flat_map(|line| [line, "\n"]).collect::<String>()
    };
    let sources = sources().into_iter().filter(|(file, _)| !is_test(file));
    sources
        .map(|(file, text)| (file, without_tests(&text)))
        .collect()
}

/// `io/transport/tcp.rs` is `["io", "transport", "tcp"]`; so is what `mod.rs` and `lib.rs` stand
/// for.
fn module_of(file: &str) -> Vec<&str> {
    let path = file.trim_end_matches(".rs").trim_end_matches("mod");
    path.split('/')
        .filter(|part| !part.is_empty() && *part != "lib")
        .collect()
}

/// The modules that each module declares, in the order in which they may see each other.
fn declared(code: &BTreeMap<String, String>) -> BTreeMap<Vec<&str>, Vec<&str>> {
    let name = |line: &str| -> Option<usize> { line.find("mod ").map(|at| at + 4) };
    let mods = |text| -> Vec<&str> {
        let lines = str::lines(text).filter(|line| line.ends_with(';') && !line.starts_with(' '));
        let begins = ["mod ", "pub(crate) mod ", "pub mod "];
        let lines = lines.filter(|line| begins.iter().any(|begin| line.starts_with(begin)));
        lines
            .filter_map(|line| Some(line[name(line)?..].trim_end_matches(';')))
            .collect()
    };
    code.iter()
        .map(|(file, text)| (module_of(file), mods(text)))
        .collect()
}

/// The paths after each `crate::`, groups in braces taken apart.
fn imports(text: &str) -> Vec<Vec<&str>> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let (mut path, mut rest) = (Vec::new(), &text[at + 7..]);
        loop {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            path.extend(Some(&rest[..end]).filter(|name| !name.is_empty()));
            match rest[end..].strip_prefix("::") {
                Some(more) => rest = more,
                None => break,
            }
        }
        if let Some(group) = rest.strip_prefix('{') {
            let members = group[..group.find('}').expect("a closed group")].split(',');
            for member in members {
                let first = member.trim().split("::").next();
                found.push(path.iter().copied().chain(first).collect());
            }
        } else {
            found.push(path);
        }
    }
    found
}

#[track_caller]
fn report(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

#[test]
fn files_import_only_from_above() {
    let code = code();
    let declared = declared(&code);
    let mut complaints = Vec::new();
    for (file, text) in code.iter().filter(|(file, _)| *file != "lib.rs") {
        let own = module_of(file);
        for path in imports(text) {
            // Where the ways to the two files part, the order of the `mod` lines decides; a
            // module and its own parts see each other.
            let common = own.iter().zip(&path).take_while(|(a, b)| a == b).count();
            let (Some(from), Some(to)) = (own.get(common), path.get(common)) else {
                continue;
            };
            let order = &declared[&own[..common].to_vec()];
            let place = |name: &&str| order.iter().position(|known| known == name);
            if place(to) > place(from) {
                complaints.push(format!(
                    "{file} uses {}, which is below it",
                    path.join("::")
                ));
            }
        }
    }
    report(&complaints);
}

#[test]
fn nobody_sees_what_it_must_not() {
    let mut complaints = Vec::new();
    for (file, text) in code() {
        let rules = BLIND
            .iter()
            .filter(|(who, _, _)| module_of(&file).first() == Some(who));
        for (who, hidden, why) in rules {
            for path in imports(&text)
                .iter()
                .filter(|path| hidden.contains(&path[0]))
            {
                complaints.push(format!(
                    "{file} uses {}, but {who} must not: {why}",
                    path[0]
                ));
            }
        }
    }
    report(&complaints);
}

#[test]
fn what_is_banned_is_only_where_it_is_allowed() {
    let code = code();
    let mut complaints = Vec::new();
    for (what, allowed) in BANNED {
        let users = || {
            code.iter()
                .filter(|(_, text)| text.contains(what))
                .map(|(file, _)| file)
        };
        for file in users().filter(|file| !allowed.iter().any(|(place, _)| file.starts_with(place)))
        {
            complaints.push(format!("{file} has {what}, which is not allowed there"));
        }
        for (place, _) in allowed
            .iter()
            .filter(|(place, _)| !users().any(|f| f.starts_with(place)))
        {
            complaints.push(format!(
                "{place} may have {what} and has not: take the exception back"
            ));
        }
    }
    report(&complaints);
}

#[test]
fn every_file_says_what_it_is() {
    let bare = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "));
    let complaints: Vec<_> = bare
        .map(|(file, _)| format!("{file} has no //! header"))
        .collect();
    report(&complaints);
}

#[test]
fn the_code_map_lists_every_file() {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = fs::read_to_string(text).unwrap();
    let map = text
        .split("\n## ")
        .find(|part| part.starts_with("Code map"))
        .unwrap();
    let rows = map
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let listed: Vec<_> = rows.collect();
    let sources = sources();
    let exists = |file: &&str| sources.contains_key(*file);
    let is_missing = |file: &str| !is_test(file) && !listed.contains(&file);
    let missing = sources.keys().filter(|file| is_missing(file));
    let missing = missing.map(|file| format!("{file} is missing from the code map"));
    let extra = listed.iter().filter(|file| !exists(file));
    let extra = extra.map(|file| format!("{file} is in the code map and does not exist"));
    report(&missing.chain(extra).collect::<Vec<_>>());
}
