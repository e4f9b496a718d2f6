//! Round trips between a REQ and a REP on two threads, through the public API.
//!
//! Means; for percentiles and for other engines see `compare/`.

use std::error::Error;
use std::thread;

use criterion::{BenchmarkId, Criterion};
use ferrozmq::{Ctx, Socket, SocketType};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A REQ whose REP sends back what it gets, on a thread that ends with the context.
fn connected(ctx: &Ctx, endpoint: &str) -> Outcome<Socket> {
    let rep = ctx.socket(SocketType::REP)?;
    rep.bind(endpoint)?;
    let req = ctx.socket(SocketType::REQ)?;
    req.connect(&rep.last_endpoint())?;
    thread::spawn(move || {
        while let Ok(request) = rep.recv_msg(0) {
            if rep.send(request, 0).is_err() {
                return;
            }
        }
    });
    Ok(req)
}

fn latency(c: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ipc = format!("ipc://{}/s", directory.path().display());
    for (transport, endpoint) in [
        ("inproc", "inproc://latency"),
        ("ipc", &*ipc),
        ("tcp", "tcp://127.0.0.1:*"),
    ] {
        let mut group = c.benchmark_group(format!("latency/{transport}"));
        for size in [16, 1024, 65536] {
            let ctx = Ctx::new();
            let req = connected(&ctx, endpoint).expect("a connection");
            let body = vec![7; size];
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                b.iter(|| {
                    req.send(&body, 0).expect("the peer is there");
                    assert_eq!(req.recv_msg(0).expect("a reply").len(), size);
                });
            });
            drop(req);
            ctx.term(None).expect("no time limit");
        }
        group.finish();
    }
}

fn main() {
    let mut c = Criterion::default().configure_from_args();
    latency(&mut c);
    c.final_summary();
}
