//! The pieces of the engine, each alone: what a message costs in it.
//!
//!     cargo bench --features bench-internals --bench internals

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use ferrozmq::Msg;
use ferrozmq::bench_support::{EnginePair, Mailbox, Pipe, Routes, Topics, queue};

/// Messages of one iteration.
const BATCH: u64 = 1000;

fn queues(c: &mut Criterion) {
    let mut group = c.benchmark_group("ypipe");
    group.throughput(Throughput::Elements(BATCH));
    for flush_every in [1, BATCH] {
        let id = BenchmarkId::new("one thread, flush every", flush_every);
        group.bench_function(id, |b| {
            let (mut writer, mut reader) = queue();
            b.iter(|| {
                for n in 0..BATCH {
                    writer.push(&n.to_ne_bytes());
                    if (n + 1) % flush_every == 0 {
                        writer.flush();
                    }
                }
                while let Some(value) = reader.pop() {
                    black_box(value);
                }
            });
        });
    }
    group.bench_function("two threads", |b| {
        b.iter_custom(|rounds| {
            let (mut writer, mut reader) = queue();
            let total = rounds * BATCH;
            let begun = Instant::now();
            thread::scope(|scope| {
                scope.spawn(move || {
                    for n in 0..total {
                        writer.push(&n.to_ne_bytes());
                        writer.flush();
                    }
                });
                let mut read = 0;
                while read < total {
                    match reader.pop() {
                        Some(value) => read += u64::from(black_box(value) < total),
                        None => thread::yield_now(),
                    }
                }
            });
            begun.elapsed()
        });
    });
    group.finish();
}

fn mailboxes(c: &mut Criterion) {
    let mut group = c.benchmark_group("mailbox");
    let mailbox = Mailbox::new();
    group.bench_function("look", |b| b.iter(|| mailbox.is_pending()));
    group.throughput(Throughput::Elements(1));
    group.bench_function("post and drain", |b| {
        b.iter(|| {
            mailbox.post(black_box(1u64));
            mailbox.drain()
        });
    });
    group.finish();
}

fn pipes(c: &mut Criterion) {
    let mut group = c.benchmark_group("pipe");
    group.throughput(Throughput::Elements(BATCH));
    for size in [16, 256, 4096, 65536] {
        group.bench_function(BenchmarkId::new("write, flush and read", size), |b| {
            let mut pipe = Pipe::new(Msg::from(vec![7; size]));
            b.iter(|| assert_eq!(pipe.carry(BATCH), BATCH));
        });
    }
    group.finish();
}

/// What the choice of a pipe costs besides.
fn routes(c: &mut Criterion) {
    for pipes in [1, 10, 1000] {
        let mut group = c.benchmark_group(format!("{pipes} pipes"));
        let messages = BATCH.max(pipes);
        group.throughput(Throughput::Elements(messages));
        let msg = Msg::copied(&[7; 16]);
        group.bench_function("lb", |b| {
            let mut routes = Routes::new(pipes as usize);
            b.iter(|| {
                for _ in 0..messages {
                    routes.balance(msg.clone());
                }
                routes.peers_read()
            });
        });
        group.bench_function("fq", |b| {
            let mut routes = Routes::new(pipes as usize);
            b.iter(|| {
                for _ in 0..messages / pipes {
                    routes.peers_write(&msg);
                }
                std::iter::from_fn(|| routes.receive()).count()
            });
        });
        group.bench_function("dist", |b| {
            let mut routes = Routes::new(pipes as usize);
            b.iter(|| {
                for _ in 0..messages / pipes {
                    routes.distribute(msg.clone());
                }
                routes.peers_read()
            });
        });
        group.finish();
    }
}

fn codec(c: &mut Criterion) {
    let mut group = c.benchmark_group("codec");
    for size in [16, 256, 4096, 65536] {
        let body = vec![7; size];
        let times = if size < 4096 { 1000 } else { 50 };
        let mut pair = EnginePair::new(Instant::now()).expect("a handshake");
        group.throughput(Throughput::Elements(times as u64));
        group.bench_function(BenchmarkId::new("encode", size), |b| {
            b.iter(|| pair.encode(black_box(&body), times));
        });
        pair.encode(&body, times);
        group.bench_function(BenchmarkId::new("decode", size), |b| {
            b.iter(|| assert_eq!(pair.decode(), times as u64));
        });
    }
    group.finish();
}

fn topics(c: &mut Criterion) {
    let mut group = c.benchmark_group("trie");
    group.throughput(Throughput::Elements(1));
    for number in [10, 10_000, 1_000_000] {
        let topic = |n: usize| format!("market/{:03}/price/{n}/", n % 1000);
        let mut topics = Topics::new((0..number).map(topic));
        let hit = topic(number / 2) + "a message";
        group.bench_function(BenchmarkId::new("match", number), |b| {
            b.iter(|| assert_eq!(topics.matches(black_box(hit.as_bytes())), 1));
        });
        group.bench_function(BenchmarkId::new("miss", number), |b| {
            b.iter(|| assert_eq!(topics.matches(black_box(b"market/other")), 0));
        });
        group.bench_function(BenchmarkId::new("add and remove", number), |b| {
            b.iter(|| topics.add_and_remove(black_box(hit.as_bytes())));
        });
    }
    group.finish();
}

fn main() {
    let mut c = Criterion::default().configure_from_args();
    queues(&mut c);
    mailboxes(&mut c);
    pipes(&mut c);
    routes(&mut c);
    codec(&mut c);
    topics(&mut c);
    c.final_summary();
}
