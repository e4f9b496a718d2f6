//! The programs of `tests/c`: compiled with the C compiler against our header and library, and
//! run. Each is silent and returns 0, or says where it failed.
//!
//! With `CAPI_VALGRIND=1` in the environment they are run under valgrind, and neither a bad access nor
//! a leak is let pass.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where cargo has put the library: beside this program.
fn library() -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    let library = own.with_file_name("libzmq.so");
    assert!(library.exists(), "{} is not built", library.display());
    library
}

/// Compiles a program, with what else the compiler is told.
fn compile(program: &str, directory: &Path, arguments: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let compiler = if program.ends_with(".cpp") {
        "c++"
    } else {
        "cc"
    };
    std::os::unix::fs::symlink(library(), directory.join("libzmq.so.5"))
        .expect("a fresh directory");
    let output = directory.join("program");
    let status = Command::new(compiler)
        .args(["-g", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-I"])
        .arg(root.join("include"))
        .args(arguments)
        .arg("-o")
        .arg(&output)
        .arg(root.join("tests/c").join(program))
        .arg(directory.join("libzmq.so.5"))
        .arg("-Wl,-rpath,$ORIGIN")
        .status()
        .expect("there is a C compiler");
    assert!(status.success(), "{program} does not compile");
    output
}

/// What runs a program.
fn runner(program: &Path) -> Command {
    if std::env::var_os("CAPI_VALGRIND").is_none() {
        return Command::new(program);
    }
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["-q", "--error-exitcode=9", "--fair-sched=yes"])
        .args(["--child-silent-after-fork=yes", "--leak-check=full"])
        .arg("--errors-for-leak-kinds=definite,indirect")
        .arg(program);
    valgrind
}

#[track_caller]
fn run(program: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = compile(program, directory.path(), &["-DZMQ_BUILD_DRAFT_API"]);
    let result = runner(&output)
        .current_dir(directory.path())
        .output()
        .expect("it can be run");
    let said = String::from_utf8_lossy(&result.stderr);
    assert!(result.status.success(), "{}: {said}", result.status);
}

macro_rules! programs {
    ($($name:ident: $program:literal;)*) => {$(
        #[test]
        fn $name() {
            run($program);
        }
    )*};
}

programs! {
    contexts: "ctx.c";
    messages: "msg.c";
    sockets: "socket.c";
    socket_options: "sockopt.c";
    patterns: "patterns.c";
    polling: "poll.c";
    pollers: "poller.c";
    timers: "timers.c";
    proxies: "proxy.c";
    monitors: "monitor.c";
    signals: "signal.c";
    forks: "fork.c";
    memory_given_for_messages: "free.c";
    helpers: "util.c";
    descriptors_of_sockets: "fd.c";
    bad_handles: "handles.c";
    sockets_shared_by_threads: "threads.c";
    draft_types: "draft.c";
    security: "security.c";
    from_cpp: "header.cpp";
}

#[test]
fn the_header_needs_no_drafts() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    compile("header.cpp", directory.path(), &[]);
}

/// The functions that `zmq.h` declares.
fn declared() -> Vec<String> {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/zmq.h");
    let header = std::fs::read_to_string(header).expect("the header can be read");
    let declarations = header.split("ZMQ_EXPORT").skip(1);
    let names = declarations.filter_map(|text| {
        let name = text.split('(').next()?.split_whitespace().next_back()?;
        let name = name.trim_start_matches('*');
        name.starts_with("zmq_").then(|| name.to_owned())
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// The functions that the library has for programs.
fn exported() -> Vec<String> {
    let output = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(library())
        .output()
        .expect("there is nm");
    let text = String::from_utf8(output.stdout).expect("names are text");
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2));
    let mut names: Vec<_> = names.map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn the_library_has_what_the_header_declares_and_nothing_else() {
    let declared = declared();
    assert_eq!(declared.len(), 97);
    assert_eq!(exported(), declared);
}

#[test]
fn programs_find_the_library_by_its_name() {
    let output = Command::new("readelf")
        .arg("-d")
        .arg(library())
        .output()
        .expect("there is readelf");
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.contains("SONAME"));
    assert!(
        line.is_some_and(|line| line.contains("[libzmq.so.5]")),
        "{line:?}"
    );
}
