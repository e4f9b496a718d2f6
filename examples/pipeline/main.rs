//! Counts the words of many files on all cores: a ventilator reads the files and PUSHes chunks of
//! text to the workers, each PUSHes its counts to a sink, which merges them. In the end the
//! totals are compared with those of a plain single-threaded count.
//!
//!     cargo run --release --example pipeline -- [PATH…] [--workers N]
//!         [--transport inproc|ipc|tcp] [--processes]

mod words;
mod worker;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand, ValueEnum};
use ferrozmq::{Ctx, Socket, SocketType};
use indicatif::{ProgressBar, ProgressStyle};
use words::{Chunks, Counts};
use worker::Stations;

/// How long the others wait for the workers before they give them up.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Parser)]
#[command(
    about = "Counts words on all cores",
    args_conflicts_with_subcommands = true
)]
struct Args {
    /// Files and directories to read; the repository if there are none.
    paths: Vec<PathBuf>,
    /// How many workers; one per core unless given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    workers: Option<u32>,
    /// How they talk.
    #[arg(long, value_enum, default_value = "inproc")]
    transport: Transport,
    /// Run the workers as processes of their own, over ipc or tcp.
    #[arg(long)]
    processes: bool,
    /// The number of I/O threads.
    #[arg(long, default_value_t = 1)]
    io_threads: usize,
    /// About how many bytes a chunk has.
    #[arg(long, default_value_t = 64 * 1024, value_parser = clap::value_parser!(u32).range(1..))]
    chunk: u32,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Transport {
    Inproc,
    Ipc,
    Tcp,
}

#[derive(Subcommand)]
enum Role {
    /// What --processes starts.
    #[command(hide = true)]
    Worker {
        number: u32,
        #[command(flatten)]
        stations: Stations,
    },
}

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let args = Args::parse();
    let ctx = Ctx::new();
    ctx.set_io_threads(args.io_threads)?;
    if let Some(Role::Worker { number, stations }) = &args.role {
        return Ok(worker::run(&ctx, *number, stations)?);
    }
    if args.processes && args.transport == Transport::Inproc {
        return Err("processes cannot talk over inproc: add --transport ipc or tcp".into());
    }
    let files = files_under(&args.paths)?;
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let workers = args.workers.unwrap_or(cores);
    // Three each, and as many here.
    ctx.set_max_sockets(3 * (workers as usize + 1))?;
    let report = count_in_parallel(&ctx, &args, workers, &files)?;
    report.print();
    report.verify(&files)
}

/// What the sink found out.
#[derive(Default)]
struct Report {
    counts: Counts,
    /// Chunks and bytes by worker.
    shares: BTreeMap<u32, (u64, u64)>,
    elapsed: Duration,
}

fn count_in_parallel(ctx: &Ctx, args: &Args, workers: u32, files: &[PathBuf]) -> Outcome<Report> {
    let ventilator = ctx.socket(SocketType::PUSH)?;
    ventilator.set_sndtimeo(Some(PATIENCE))?;
    let sink = ctx.socket(SocketType::PULL)?;
    sink.set_rcvtimeo(Some(PATIENCE))?;
    // An XPUB hears of subscribers: the workers' are the signal that they are there.
    let control = ctx.socket(SocketType::XPUB)?;
    control.set_xpub_verbose(true)?;
    control.set_rcvtimeo(Some(PATIENCE))?;
    let stations = Stations {
        work: bind(&ventilator, args.transport, "work")?,
        sink: bind(&sink, args.transport, "sink")?,
        control: bind(&control, args.transport, "control")?,
    };
    let workers = start_workers(ctx, args, workers, &stations)?;
    for _ in 0..workers.len() {
        control
            .recv_msg(0)
            .map_err(|error| format!("a worker did not come up: {error}"))?;
    }

    let total: u64 = files
        .iter()
        .filter_map(|file| file.metadata().ok())
        .map(|m| m.len())
        .sum();
    let progress = ProgressBar::new(total).with_style(ProgressStyle::with_template(
        "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec}",
    )?);
    let begun = Instant::now();
    let (chunks, mut report) = std::thread::scope(|scope| -> Outcome<_> {
        let (tell, told) = std::sync::mpsc::channel();
        let (files, chunk) = (files, args.chunk as usize);
        let ventilating = scope.spawn(move || {
            let sent = ventilate(&ventilator, files, chunk)?;
            // The sink learns how many chunks there were when the last is sent.
            let _ = tell.send(sent);
            Ok::<_, String>(sent)
        });
        let report = gather(&sink, &told, &progress);
        let chunks = ventilating
            .join()
            .map_err(|_| "the ventilator panicked")??;
        Ok((chunks, report?))
    })?;
    report.elapsed = begun.elapsed();
    progress.finish_and_clear();
    control.send("stop", 0)?;
    for worker in workers {
        worker.join()?;
    }
    let counted: u64 = report.shares.values().map(|(chunks, _)| chunks).sum();
    if counted == chunks {
        Ok(report)
    } else {
        Err("chunks were lost".into())
    }
}

/// Reads the files and sends them in chunks; returns how many.
fn ventilate(socket: &Socket, files: &[PathBuf], chunk: usize) -> Result<u64, String> {
    let mut sent = 0;
    for path in files {
        let failed = |error| format!("{}: {error}", path.display());
        let file = File::open(path).map_err(failed)?;
        for text in Chunks::new(file, chunk) {
            let text = text.map_err(failed)?;
            socket.send(text, 0).map_err(|error| error.to_string())?;
            sent += 1;
        }
    }
    Ok(sent)
}

/// Merges counts until all chunks are accounted for.
fn gather(
    sink: &Socket,
    told: &std::sync::mpsc::Receiver<u64>,
    progress: &ProgressBar,
) -> Outcome<Report> {
    let mut report = Report::default();
    let (mut received, mut expected) = (0, None);
    loop {
        // Only when nothing is at hand may the last chunk have been counted.
        let frames = match sink.recv_multipart(ferrozmq::DONTWAIT) {
            Err(ferrozmq::Error::Again) => {
                match told.try_recv() {
                    Ok(sent) => expected = Some(sent),
                    Err(TryRecvError::Disconnected) if expected.is_none() => {
                        return Err("the ventilator failed".into());
                    }
                    Err(_) => {}
                }
                if expected == Some(received) {
                    return Ok(report);
                }
                if expected.is_some() {
                    sink.recv_multipart(0)?
                } else {
                    sink.poll(ferrozmq::POLLIN, Some(Duration::from_millis(5)))?;
                    continue;
                }
            }
            frames => frames?,
        };
        let [head, counts] = &frames[..] else {
            return Err("counts of two frames".into());
        };
        let (number, len) = head.split_first_chunk::<4>().ok_or("a short report")?;
        let bytes = u64::from(u32::from_le_bytes(len.try_into()?));
        words::merge(counts, &mut report.counts).ok_or("malformed counts")?;
        let share = report
            .shares
            .entry(u32::from_le_bytes(*number))
            .or_default();
        *share = (share.0 + 1, share.1 + bytes);
        received += 1;
        progress.inc(bytes);
    }
}

impl Report {
    fn print(&self) {
        let mut words: Vec<_> = self.counts.iter().collect();
        words.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        println!("the 20 most frequent of {} words:", words.len());
        for (word, count) in words.iter().take(20) {
            println!("{count:>10}  {}", String::from_utf8_lossy(word));
        }
        let chunks: u64 = self.shares.values().map(|(chunks, _)| chunks).sum();
        let bytes: u64 = self.shares.values().map(|(_, bytes)| bytes).sum();
        println!("shares:");
        for (worker, (chunks, bytes)) in &self.shares {
            println!(
                "    worker {worker}: {chunks} chunks, {:.1} MB",
                *bytes as f64 / 1e6
            );
        }
        let secs = self.elapsed.as_secs_f64();
        // Each chunk is one message to a worker and one to the sink.
        let (messages, megabytes) = (2.0 * chunks as f64, bytes as f64 / 1e6);
        println!(
            "{messages} messages, {megabytes:.1} MB in {secs:.3} s: {:.0} messages/s, {:.1} MB/s",
            messages / secs,
            megabytes / secs,
        );
    }

    fn verify(&self, files: &[PathBuf]) -> Outcome<()> {
        let mut plain = Counts::new();
        for file in files {
            words::count_plainly(BufReader::new(File::open(file)?), &mut plain)?;
        }
        if plain != self.counts {
            return Err("the totals DIFFER from a single-threaded count".into());
        }
        println!("the totals equal a single-threaded count");
        Ok(())
    }
}

/// A worker that can be waited for.
enum Worker {
    Thread(std::thread::JoinHandle<ferrozmq::Result<()>>),
    Process(Process),
}

/// Does not outlive us.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Worker {
    fn join(self) -> Outcome<()> {
        match self {
            Self::Thread(thread) => Ok(thread.join().map_err(|_| "a worker panicked")??),
            Self::Process(mut child) => match child.0.wait()? {
                status if status.success() => Ok(()),
                status => Err(format!("a worker failed: {status}").into()),
            },
        }
    }
}

fn start_workers(ctx: &Ctx, args: &Args, count: u32, stations: &Stations) -> Outcome<Vec<Worker>> {
    let start = |number: u32| -> Outcome<Worker> {
        if args.processes {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["worker", &number.to_string(), "--work", &stations.work]);
            command.args(["--sink", &stations.sink, "--control", &stations.control]);
            return Ok(Worker::Process(Process(command.spawn()?)));
        }
        let (ctx, stations) = (ctx.clone(), stations.clone());
        Ok(Worker::Thread(std::thread::spawn(move || {
            worker::run(&ctx, number, &stations)
        })))
    };
    (0..count).map(start).collect()
}

/// Binds to an endpoint of the transport, and tells which it is.
fn bind(socket: &Socket, transport: Transport, name: &str) -> ferrozmq::Result<String> {
    socket.bind(&match transport {
        Transport::Inproc => format!("inproc://{name}"),
        Transport::Ipc => "ipc://*".to_owned(),
        Transport::Tcp => "tcp://127.0.0.1:*".to_owned(),
    })?;
    Ok(socket.last_endpoint())
}

/// The files under the paths that can be read, but for hidden ones and what cargo builds.
fn files_under(paths: &[PathBuf]) -> Outcome<Vec<PathBuf>> {
    let here = [PathBuf::from(env!("CARGO_MANIFEST_DIR"))];
    let mut files = Vec::new();
    for path in if paths.is_empty() { &here[..] } else { paths } {
        let kind = path.metadata().map(|found| found.file_type());
        match kind.map_err(|error| format!("{}: {error}", path.display()))? {
            kind if kind.is_dir() => walk(path, &mut files),
            kind if kind.is_file() => files.push(path.clone()),
            _ => return Err(format!("{}: neither a file nor a directory", path.display()).into()),
        }
    }
    files.retain(|file| readable(file, File::open(file)).is_some());
    files.sort();
    Ok(files)
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
    let Some(entries) = readable(directory, std::fs::read_dir(directory)) else {
        return;
    };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let Some(kind) = readable(&path, entry.file_type()) else {
            continue;
        };
        if name == "target" || name.to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            walk(&path, files);
        } else if kind.is_file() {
            files.push(path);
        }
    }
}

/// What was to be read, or a note that it is left out.
fn readable<T>(path: &Path, outcome: std::io::Result<T>) -> Option<T> {
    outcome
        .inspect_err(|error| eprintln!("{}: left out: {error}", path.display()))
        .ok()
}
