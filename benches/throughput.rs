//! Messages per second from a PUSH to a PULL on two threads, through the public API.
//!
//! An iteration sends a batch over a connection that stays, so that figures are of the steady
//! state. Comparisons with other engines are in `compare/`.

use std::error::Error;
use std::thread;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use crossbeam_channel::{Sender, unbounded};
use ferrozmq::{Ctx, Socket, SocketType};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Bytes of one iteration, and the most messages.
const BATCH: (usize, usize) = (16 << 20, 20_000);

/// A PULL, and a thread with a PUSH that sends as many messages as it is told.
fn connected(endpoint: &str, size: usize) -> Outcome<(Socket, Sender<u64>)> {
    let ctx = Ctx::new();
    let pull = ctx.socket(SocketType::PULL)?;
    pull.bind(endpoint)?;
    let push = ctx.socket(SocketType::PUSH)?;
    push.connect(&pull.last_endpoint())?;
    let (order, orders) = unbounded::<u64>();
    thread::spawn(move || {
        let body = vec![7; size];
        for count in orders {
            for _ in 0..count {
                push.send(&body, 0).expect("the receiver is there");
            }
        }
    });
    Ok((pull, order))
}

fn throughput(c: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ipc = format!("ipc://{}/s", directory.path().display());
    for (transport, endpoint) in [
        ("inproc", "inproc://throughput"),
        ("ipc", &*ipc),
        ("tcp", "tcp://127.0.0.1:*"),
    ] {
        let mut group = c.benchmark_group(format!("throughput/{transport}"));
        group.sample_size(20);
        for size in [16, 64, 256, 1024, 4096, 65536] {
            let (pull, order) = connected(endpoint, size).expect("a connection");
            let batch = (BATCH.0 / size).min(BATCH.1) as u64;
            group.throughput(Throughput::Elements(batch));
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                b.iter_custom(|rounds| {
                    let total = rounds * batch;
                    let begun = Instant::now();
                    order.send(total).expect("the sender is there");
                    for _ in 0..total {
                        pull.recv_msg(0).expect("a message");
                    }
                    begun.elapsed()
                });
            });
        }
        group.finish();
    }
}

fn main() {
    let mut c = Criterion::default().configure_from_args();
    throughput(&mut c);
    c.final_summary();
}
