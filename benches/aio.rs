//! Async calls beside blocking ones, senders beside sockets, through the public API.
//!
//! * `aio/throughput`: PUSH to PULL over tcp, both sides blocking, or both in tasks of tokio's
//!   multi-thread runtime; `lent`: with one message on either side that is used again and again.
//! * `aio/latency`: round trips of REQ and REP over tcp, likewise.
//! * `senders`: threads that send through one PUSH over tcp: by a plain socket each, by senders of
//!   one socket, and by one socket in a mutex.

use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use ferrozmq::{Ctx, Msg, Sender, Socket, SocketType};
use parking_lot::Mutex;
use tokio::runtime::Runtime;

/// Messages of one iteration.
const BATCH: u64 = 20_000;

fn bound(ctx: &Ctx, socket_type: SocketType) -> Socket {
    let socket = ctx.socket(socket_type).expect("a socket");
    socket.bind("tcp://127.0.0.1:*").expect("a free port");
    socket
}

fn connected(ctx: &Ctx, socket_type: SocketType, to: &Socket) -> Socket {
    let socket = ctx.socket(socket_type).expect("a socket");
    socket.connect(&to.last_endpoint()).expect("an endpoint");
    socket.wait_connected(None).expect("a peer");
    socket
}

fn pair(bound_type: SocketType, connected_type: SocketType) -> (Socket, Socket) {
    let ctx = Ctx::new();
    let bound = bound(&ctx, bound_type);
    let connected = connected(&ctx, connected_type, &bound);
    (bound, connected)
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).build().expect("a runtime")
}

// ── one pair ─────────────────────────────────────────────────────────────────────────────────────

fn stream_blocking(total: u64, size: usize) -> Duration {
    let (pull, push) = pair(SocketType::PULL, SocketType::PUSH);
    let sending = thread::spawn(move || {
        let body = vec![7; size];
        for _ in 0..total {
            push.send(&body, 0).expect("the receiver is there");
        }
    });
    let begun = Instant::now();
    for _ in 0..total {
        black_box(pull.recv_msg(0).expect("a message"));
    }
    let took = begun.elapsed();
    sending.join().expect("no panic");
    took
}

fn stream_async(runtime: &Runtime, total: u64, size: usize) -> Duration {
    let (pull, push) = pair(SocketType::PULL, SocketType::PUSH);
    let (mut pull, mut push) = (pull.into_async(), push.into_async());
    let sending = runtime.spawn(async move {
        let body = vec![7; size];
        for _ in 0..total {
            push.send(&body).await.expect("the receiver is there");
        }
        push
    });
    let receiving = runtime.spawn(async move {
        let begun = Instant::now();
        for _ in 0..total {
            black_box(pull.recv().await.expect("a message"));
        }
        begun.elapsed()
    });
    let took = runtime.block_on(receiving).expect("no panic");
    drop(runtime.block_on(sending).expect("no panic"));
    took
}

fn stream_blocking_lent(total: u64, size: usize) -> Duration {
    let (pull, push) = pair(SocketType::PULL, SocketType::PUSH);
    let sending = thread::spawn(move || {
        let (body, mut msg) = (vec![7; size], Msg::new());
        for _ in 0..total {
            msg.copy_from(&body);
            push.send_msg(&mut msg, 0).expect("the receiver is there");
        }
    });
    let (begun, mut msg) = (Instant::now(), Msg::new());
    for _ in 0..total {
        pull.recv(&mut msg, 0).expect("a message");
        black_box(&msg);
    }
    let took = begun.elapsed();
    sending.join().expect("no panic");
    took
}

fn stream_async_lent(runtime: &Runtime, total: u64, size: usize) -> Duration {
    let (pull, push) = pair(SocketType::PULL, SocketType::PUSH);
    let (mut pull, mut push) = (pull.into_async(), push.into_async());
    let sending = runtime.spawn(async move {
        let (body, mut msg) = (vec![7; size], Msg::new());
        for _ in 0..total {
            msg.copy_from(&body);
            push.send_msg(&mut msg)
                .await
                .expect("the receiver is there");
        }
        push
    });
    let receiving = runtime.spawn(async move {
        let (begun, mut msg) = (Instant::now(), Msg::new());
        for _ in 0..total {
            pull.recv_msg(&mut msg).await.expect("a message");
            black_box(&msg);
        }
        begun.elapsed()
    });
    let took = runtime.block_on(receiving).expect("no panic");
    drop(runtime.block_on(sending).expect("no panic"));
    took
}

fn throughput(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("aio/throughput");
    group.sample_size(10);
    group.throughput(Throughput::Elements(BATCH));
    for size in [16, 256, 4096] {
        group.bench_function(BenchmarkId::new("blocking", size), |b| {
            b.iter_custom(|rounds| stream_blocking(rounds * BATCH, size));
        });
        group.bench_function(BenchmarkId::new("tokio", size), |b| {
            b.iter_custom(|rounds| stream_async(&runtime, rounds * BATCH, size));
        });
        group.bench_function(BenchmarkId::new("blocking lent", size), |b| {
            b.iter_custom(|rounds| stream_blocking_lent(rounds * BATCH, size));
        });
        group.bench_function(BenchmarkId::new("tokio lent", size), |b| {
            b.iter_custom(|rounds| stream_async_lent(&runtime, rounds * BATCH, size));
        });
    }
    group.finish();
}

fn ask_blocking(rounds: u64) -> Duration {
    let (rep, req) = pair(SocketType::REP, SocketType::REQ);
    let answering = thread::spawn(move || {
        for _ in 0..rounds {
            let request = rep.recv_msg(0).expect("a request");
            rep.send(request, 0).expect("a peer");
        }
        rep
    });
    let begun = Instant::now();
    for _ in 0..rounds {
        req.send("a question of 24 bytes..", 0).expect("a peer");
        black_box(req.recv_msg(0).expect("an answer"));
    }
    let took = begun.elapsed();
    drop(answering.join().expect("no panic"));
    took
}

fn ask_async(runtime: &Runtime, rounds: u64) -> Duration {
    let (rep, req) = pair(SocketType::REP, SocketType::REQ);
    let (mut rep, mut req) = (rep.into_async(), req.into_async());
    let answering = runtime.spawn(async move {
        for _ in 0..rounds {
            let request = rep.recv().await.expect("a request");
            rep.send(request).await.expect("a peer");
        }
        rep
    });
    let asking = runtime.spawn(async move {
        let begun = Instant::now();
        for _ in 0..rounds {
            req.send("a question of 24 bytes..").await.expect("a peer");
            black_box(req.recv().await.expect("an answer"));
        }
        begun.elapsed()
    });
    let took = runtime.block_on(asking).expect("no panic");
    drop(runtime.block_on(answering).expect("no panic"));
    took
}

fn latency(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("aio/latency");
    group.sample_size(10);
    group.bench_function("blocking", |b| b.iter_custom(ask_blocking));
    group.bench_function("tokio", |b| {
        b.iter_custom(|rounds| ask_async(&runtime, rounds));
    });
    group.finish();
}

// ── many senders ─────────────────────────────────────────────────────────────────────────────────

/// Has `threads` threads send `total` messages, each by what `make` made for it.
fn feed<S: Send + 'static>(
    threads: u64,
    total: u64,
    mut make: impl FnMut(&Ctx, &Socket) -> S,
    send: fn(&S, Msg),
) -> Duration {
    let ctx = Ctx::new();
    let pull = bound(&ctx, SocketType::PULL);
    let each = total / threads;
    let outlets: Vec<S> = (0..threads).map(|_| make(&ctx, &pull)).collect();
    let begun = Instant::now();
    let senders = outlets.into_iter().map(|outlet| {
        thread::spawn(move || {
            for _ in 0..each {
                send(&outlet, Msg::from([7; 16]));
            }
            outlet
        })
    });
    let senders: Vec<_> = senders.collect();
    for _ in 0..each * threads {
        black_box(pull.recv_msg(0).expect("a message"));
    }
    let took = begun.elapsed();
    for sender in senders {
        drop(sender.join().expect("no panic"));
    }
    took
}

fn senders(c: &mut Criterion) {
    let mut group = c.benchmark_group("senders");
    group.sample_size(10);
    group.throughput(Throughput::Elements(BATCH));
    for threads in [1, 4] {
        group.bench_function(BenchmarkId::new("socket each", threads), |b| {
            let make = |ctx: &Ctx, pull: &Socket| connected(ctx, SocketType::PUSH, pull);
            let send = |socket: &Socket, msg| socket.send(msg, 0).expect("a peer");
            b.iter_custom(|rounds| feed(threads, rounds * BATCH, make, send));
        });
        group.bench_function(BenchmarkId::new("senders of one socket", threads), |b| {
            let send = |sender: &Sender, msg| sender.send(msg, 0).expect("a peer");
            b.iter_custom(|rounds| {
                let mut one = None;
                let make = |ctx: &Ctx, pull: &Socket| {
                    let socket = || connected(ctx, SocketType::PUSH, pull).into_sender();
                    one.get_or_insert_with(|| socket().expect("a sender"))
                        .clone()
                };
                feed(threads, rounds * BATCH, make, send)
            });
        });
        group.bench_function(BenchmarkId::new("mutex around one socket", threads), |b| {
            let send = |socket: &Arc<Mutex<Socket>>, msg| {
                socket.lock().send(msg, 0).expect("a peer");
            };
            b.iter_custom(|rounds| {
                let mut one = None;
                let make = |ctx: &Ctx, pull: &Socket| {
                    let socket = || Arc::new(Mutex::new(connected(ctx, SocketType::PUSH, pull)));
                    one.get_or_insert_with(socket).clone()
                };
                feed(threads, rounds * BATCH, make, send)
            });
        });
    }
    group.finish();
}

fn main() {
    let mut c = Criterion::default().configure_from_args();
    throughput(&mut c);
    latency(&mut c);
    senders(&mut c);
    c.final_summary();
}
