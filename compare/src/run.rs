//! One run in this process: opens the sockets, lets the players play, and tells the outcome.
//!
//! This process is the run's alone: who fails ends it, and its end is what closes the sockets.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use tempfile::TempDir;

use crate::backlog;
use crate::engine::{self, Engine, Marks, Socket};
use crate::far::FarProcess;
use crate::message::Tally;
use crate::outcome::{Outcome, RoundTrip};
use crate::pin;
use crate::play::{Finding, Stage};
use crate::spec::{Cast, EngineName, Kind, Pattern, RunSpec, Side, Transport};
use crate::stats::percentile;
use crate::usage::Usage;
use crate::{Result, fail};

/// How often the shares of a fan-out are added up.
const LOOK: Duration = Duration::from_millis(1);

/// Measures; with two processes, the other is started from here.
pub(crate) fn near(spec: &RunSpec) -> Result<Outcome> {
    with_engine(spec, Play::Near)?.ok_or_else(|| "no outcome".into())
}

/// Plays the far side of a run that another process measures.
pub(crate) fn far(spec: &RunSpec, endpoint: &str) -> Result<()> {
    with_engine(spec, Play::Far(endpoint)).map(|_| ())
}

/// Sends everything before anything is received, see [`backlog`].
pub(crate) fn all_at_once(spec: &RunSpec) -> Result<()> {
    with_engine(spec, Play::AllAtOnce).map(|_| ())
}

enum Play<'a> {
    Near,
    Far(&'a str),
    AllAtOnce,
}

fn with_engine(spec: &RunSpec, play: Play<'_>) -> Result<Option<Outcome>> {
    match spec.engine {
        EngineName::Ferrozmq => play.with::<engine::ferrozmq::Engine>(spec),
        EngineName::Libzmq => play.with::<engine::libzmq::Engine>(spec),
        EngineName::Raw => play.with::<engine::raw::Engine>(spec),
        #[cfg(feature = "others")]
        EngineName::Omq => play.with::<engine::omq::Engine>(spec),
        #[cfg(feature = "others")]
        EngineName::Rzmq => play.with::<engine::rzmq::Engine>(spec),
        #[cfg(feature = "others")]
        EngineName::Zmqrs => play.with::<engine::zmqrs::Engine>(spec),
        #[cfg(feature = "others")]
        EngineName::Monocoque => play.with::<engine::monocoque::Engine>(spec),
        #[cfg(not(feature = "others"))]
        other => Err(format!("{other} is not built in: add --features others to cargo's").into()),
    }
}

impl Play<'_> {
    fn with<E: Engine>(self, spec: &RunSpec) -> Result<Option<Outcome>> {
        match self {
            Play::Near => Theatre::<E>::new(spec)?.measure().map(Some),
            Play::Far(endpoint) => Theatre::<E>::new(spec)?.serve(endpoint).map(|()| None),
            Play::AllAtOnce => backlog::run::<E>(spec).map(|()| None),
        }
    }
}

/// Where a run takes place.
struct Theatre<E> {
    stage: Arc<Stage>,
    /// Over inproc, the context of all sockets; otherwise each has its own, as peers have.
    shared: Option<E>,
}

impl<E: Engine> Theatre<E> {
    fn new(spec: &RunSpec) -> Result<Self> {
        let inproc = spec.transport == Transport::Inproc;
        Ok(Self {
            stage: Arc::new(Stage::new(spec)),
            shared: inproc.then(|| E::new(spec.setup())).transpose()?,
        })
    }

    fn measure(self) -> Result<Outcome> {
        let spec = &self.stage.spec;
        let directory = TempDir::new()?;
        let endpoint = endpoint(spec.transport, &directory)?;
        let (tell, told) = unbounded();
        self.start_near(&endpoint, &tell);
        let far = if spec.processes {
            Some(FarProcess::start(spec, &endpoint)?.attend(&self.stage))
        } else {
            self.start_far(&endpoint);
            None
        };
        let findings = gather(&self.stage, &told)?;
        self.stage.board.post_over();
        let far_usage = match far {
            Some(attending) => attending
                .join()
                .map_err(|_| "the far side's thread panicked")??,
            None => Usage::default(),
        };
        outcome(&self.stage, &findings, far_usage)
    }

    fn serve(self, endpoint: &str) -> Result<()> {
        self.start_far(endpoint);
        crate::far::obey(&self.stage)
    }

    fn start_near(&self, endpoint: &str, tell: &Sender<Finding>) {
        for n in 0..self.stage.spec.cast(Side::Near).players as usize {
            let tell = tell.clone();
            self.start(Side::Near, endpoint, move |stage, socket| {
                // Nobody listens any more where the process is about to end.
                let _ = tell.send(stage.play_near(socket, n)?);
                Ok(())
            });
        }
    }

    fn start_far(&self, endpoint: &str) {
        for _ in 0..self.stage.spec.cast(Side::Far).players {
            self.start(Side::Far, endpoint, |stage, socket| stage.play_far(socket));
        }
    }

    fn start(
        &self,
        side: Side,
        endpoint: &str,
        play: impl FnOnce(&Stage, &mut E::Socket) -> Result<()> + Send + 'static,
    ) {
        let (stage, shared) = (self.stage.clone(), self.shared.clone());
        let endpoint = endpoint.to_owned();
        thread::spawn(move || {
            let played = open(&stage, shared, side, &endpoint).and_then(|mut socket| {
                play(&stage, &mut socket)?;
                // What was sent may still be on its way: the socket stays open to the end.
                std::mem::forget(socket);
                Ok(())
            });
            if let Err(error) = played {
                fail(&*error);
            }
        });
    }
}

fn open<E: Engine>(
    stage: &Stage,
    shared: Option<E>,
    side: Side,
    endpoint: &str,
) -> Result<E::Socket> {
    let cast = stage.spec.cast(side);
    if cast.binds {
        let mut socket = create(stage, shared, side, cast)?;
        stage.board.post_bound(socket.bind(endpoint)?);
        return Ok(socket);
    }
    let endpoint = stage.board.wait_bound();
    let mut socket = create(stage, shared, side, cast)?;
    socket.connect(&endpoint)?;
    Ok(socket)
}

/// A socket; the first of a context starts the context's I/O threads.
fn create<E: Engine>(
    stage: &Stage,
    shared: Option<E>,
    side: Side,
    cast: Cast,
) -> Result<E::Socket> {
    let spec = &stage.spec;
    let start = || {
        let engine = shared.map_or_else(|| E::new(spec.setup()), Ok)?;
        let mut socket = engine.socket(cast.kind, marks(spec.pattern))?;
        if cast.kind == Kind::Sub {
            socket.subscribe(b"")?;
        }
        Ok(socket)
    };
    if !spec.pin {
        return start();
    }
    let number = spec.io_threads as usize;
    let first = match side {
        Side::Near => 0,
        Side::Far => number,
    };
    pin::started_on(first, number, start)
}

/// A publisher drops what is beyond its marks; everything else waits.
fn marks(pattern: Pattern) -> Marks {
    match pattern {
        Pattern::Pubsub => Marks::Lifted,
        Pattern::Thr | Pattern::Lat | Pattern::Fanout | Pattern::Fanin => Marks::Default,
    }
}

fn endpoint(transport: Transport, directory: &TempDir) -> Result<String> {
    let path = directory.path().join("s");
    let path = path
        .to_str()
        .ok_or("the temporary directory's name is no text")?;
    Ok(match transport {
        Transport::Inproc => "inproc://compare".to_owned(),
        Transport::Ipc => format!("ipc://{path}"),
        Transport::Tcp => "tcp://127.0.0.1:*".to_owned(),
    })
}

/// Waits until everything has been received.
fn gather(stage: &Stage, told: &Receiver<Finding>) -> Result<Vec<Finding>> {
    if stage.spec.pattern == Pattern::Fanout {
        return gather_shares(stage, told);
    }
    let players = stage.spec.cast(Side::Near).players;
    (0..players).map(|_| Ok(told.recv()?)).collect()
}

fn gather_shares(stage: &Stage, told: &Receiver<Finding>) -> Result<Vec<Finding>> {
    let expected = stage.spec.deliveries();
    loop {
        let tally = total(stage.shares.iter().map(|share| share.tally()));
        if tally.count >= expected {
            return Ok(vec![Finding {
                tally,
                ..Finding::default()
            }]);
        }
        match told.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(_) | Err(RecvTimeoutError::Disconnected) => {
                return Err("a receiver of the fan-out has ended".into());
            }
        }
    }
}

fn total(tallies: impl Iterator<Item = Tally>) -> Tally {
    tallies.fold(Tally::default(), Tally::plus)
}

fn outcome(stage: &Stage, findings: &[Finding], far_usage: Usage) -> Result<Outcome> {
    let spec = &stage.spec;
    let received = total(findings.iter().map(|finding| finding.tally));
    check(spec, received)?;
    let (ready, over) = (stage.board.wait_ready(), stage.board.wait_over());
    let round_trips = findings.iter().flat_map(|finding| &finding.round_trips);
    Ok(Outcome {
        messages: received.count,
        bytes: received.count * u64::from(spec.size),
        secs: (over.at - ready.at).as_secs_f64(),
        usage: over.usage - ready.usage + far_usage,
        round_trip: round_trip(round_trips.copied().collect()),
    })
}

/// Every message must have come, once.
fn check(spec: &RunSpec, received: Tally) -> Result<()> {
    let far = u64::from(spec.cast(Side::Far).players);
    let sent = Tally::expected(far, spec.messages_per_sender());
    let copies = spec.deliveries() / sent.count;
    let expected = Tally {
        count: sent.count * copies,
        sum: sent.sum.wrapping_mul(copies),
    };
    if received.count < expected.count {
        let lost = expected.count - received.count;
        return Err(format!("{lost} of {} messages were lost", expected.count).into());
    }
    if received != expected {
        return Err("messages came that were not sent, or came twice".into());
    }
    Ok(())
}

fn round_trip(mut nanoseconds: Vec<u64>) -> Option<RoundTrip> {
    nanoseconds.sort_unstable();
    let microseconds = |q| percentile(&nanoseconds, q).map(|ns| ns as f64 / 1e3);
    Some(RoundTrip {
        p50: microseconds(0.5)?,
        p99: microseconds(0.99)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::spec;

    #[test]
    fn every_message_must_have_come() {
        let subscribed = spec(Pattern::Pubsub, 10);
        let each = Tally::expected(1, 10);
        assert!(check(&subscribed, each.plus(each).plus(each)).is_ok());
        let error = check(&subscribed, each.plus(each)).unwrap_err();
        assert_eq!(error.to_string(), "10 of 30 messages were lost");
    }

    #[test]
    fn one_that_came_twice_for_another_is_noticed() {
        let mut received = Tally::expected(1, 10);
        received.sum += 1;
        assert!(check(&spec(Pattern::Thr, 10), received).is_err());
    }

    #[test]
    fn a_small_run_of_each_pattern_is_complete() {
        for engine in [EngineName::Ferrozmq, EngineName::Libzmq] {
            for pattern in [
                Pattern::Thr,
                Pattern::Lat,
                Pattern::Fanout,
                Pattern::Fanin,
                Pattern::Pubsub,
            ] {
                let spec = RunSpec {
                    engine,
                    transport: Transport::Tcp,
                    ..spec(pattern, 300)
                };
                let outcome = near(&spec).expect("the run succeeds");
                assert_eq!(outcome.messages, spec.deliveries(), "{engine} {pattern}");
                assert_eq!(outcome.round_trip.is_some(), pattern == Pattern::Lat);
            }
        }
    }

    #[test]
    fn raw_sockets_play_throughput_and_latency() {
        for pattern in [Pattern::Thr, Pattern::Lat] {
            for transport in [Transport::Tcp, Transport::Ipc] {
                let spec = RunSpec {
                    engine: EngineName::Raw,
                    transport,
                    ..spec(pattern, 300)
                };
                assert_eq!(near(&spec).expect("the run succeeds").messages, 300);
            }
        }
    }
}
