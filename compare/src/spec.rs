//! What one run is: [`RunSpec`], and the parts that its two sides play.
//!
//! Plain data and its command line; nothing here runs anything.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::engine::Setup;

/// What travels between whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Pattern {
    /// Throughput: one PUSH to one PULL.
    Thr,
    /// Latency: one REQ asks one REP.
    Lat,
    /// One PUSH to many PULLs.
    Fanout,
    /// Many PUSHes to one PULL.
    Fanin,
    /// One PUB to many SUBs.
    Pubsub,
}

/// Over what it travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Transport {
    Inproc,
    Ipc,
    Tcp,
}

/// Who carries it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize, Deserialize)]
pub(crate) enum EngineName {
    Ferrozmq,
    Libzmq,
    /// Blocking sockets of the system without an engine: the machine's limit.
    Raw,
    /// Of `--others`, as all below.
    Omq,
    Rzmq,
    /// zmq.rs, the crate `zeromq`.
    Zmqrs,
    /// Its sockets are driven by whoever calls them; one connection each.
    Monocoque,
}

macro_rules! named_by_its_value {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let value = self.to_possible_value();
                f.pad(value.as_ref().map_or("?", |value| value.get_name()))
            }
        }
    )*};
}

named_by_its_value!(Pattern, Transport, EngineName);

impl EngineName {
    /// The engines of `--others`.
    pub(crate) const OTHERS: [Self; 4] = [Self::Omq, Self::Rzmq, Self::Zmqrs, Self::Monocoque];

    /// Whether the engine can play this at all.
    pub(crate) fn can(self, pattern: Pattern, transport: Transport) -> bool {
        let inproc = transport == Transport::Inproc;
        match self {
            Self::Ferrozmq | Self::Libzmq | Self::Omq | Self::Rzmq => true,
            Self::Zmqrs => !inproc,
            Self::Raw | Self::Monocoque => {
                matches!(pattern, Pattern::Thr | Pattern::Lat) && !inproc
            }
        }
    }
}

/// One run of one engine.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub(crate) struct RunSpec {
    #[arg(long, value_enum)]
    pub(crate) engine: EngineName,
    #[arg(long, value_enum)]
    pub(crate) pattern: Pattern,
    #[arg(long, value_enum)]
    pub(crate) transport: Transport,
    /// Bytes of a message.
    #[arg(long, value_parser = clap::value_parser!(u32).range(8..))]
    pub(crate) size: u32,
    /// Messages that are sent, or round trips.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: u64,
    /// Connections of fanout, fanin and pubsub.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) peers: u32,
    /// I/O threads of each context.
    #[arg(long, default_value_t = 1)]
    pub(crate) io_threads: u32,
    /// Pin the I/O threads to cores.
    #[arg(long)]
    pub(crate) pin: bool,
    /// Play the two sides in two processes.
    #[arg(long)]
    pub(crate) processes: bool,
}

/// The side that measures, and the other one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// Receives, or asks.
    Near,
    /// Sends, or answers.
    Far,
}

/// The sockets that are played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Push,
    Pull,
    Pub,
    Sub,
    Req,
    Rep,
    /// Of `scale` only, as the next.
    Dealer,
    Router,
}

/// The players of one side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cast {
    pub(crate) kind: Kind,
    pub(crate) players: u32,
    /// Whether the side binds; the other then connects.
    pub(crate) binds: bool,
}

impl RunSpec {
    /// What the engines are told.
    pub(crate) fn setup(&self) -> Setup {
        Setup {
            io_threads: self.io_threads,
            size: self.size,
        }
    }

    /// Who plays a side.
    pub(crate) fn cast(&self, side: Side) -> Cast {
        let (near, far) = match self.pattern {
            Pattern::Thr => ((Kind::Pull, 1), (Kind::Push, 1)),
            Pattern::Lat => ((Kind::Req, 1), (Kind::Rep, 1)),
            Pattern::Fanout => ((Kind::Pull, self.peers), (Kind::Push, 1)),
            Pattern::Fanin => ((Kind::Pull, 1), (Kind::Push, self.peers)),
            Pattern::Pubsub => ((Kind::Sub, self.peers), (Kind::Pub, 1)),
        };
        let near_binds = matches!(self.pattern, Pattern::Thr | Pattern::Fanin);
        let ((kind, players), binds) = match side {
            Side::Near => (near, near_binds),
            Side::Far => (far, !near_binds),
        };
        Cast {
            kind,
            players,
            binds,
        }
    }

    /// How many messages each sender sends.
    pub(crate) fn messages_per_sender(&self) -> u64 {
        let senders = self.cast(Side::Far).players;
        (self.count / u64::from(senders)).max(1)
    }

    /// How many messages must arrive; for `lat`, how many round trips are made.
    pub(crate) fn deliveries(&self) -> u64 {
        match self.pattern {
            Pattern::Thr | Pattern::Lat | Pattern::Fanout => self.count,
            Pattern::Fanin => self.messages_per_sender() * u64::from(self.peers),
            Pattern::Pubsub => self.count * u64::from(self.peers),
        }
    }

    /// The command line that gives this specification.
    pub(crate) fn to_args(&self) -> Vec<String> {
        let mut args: Vec<String> = [
            ("--engine", self.engine.to_string()),
            ("--pattern", self.pattern.to_string()),
            ("--transport", self.transport.to_string()),
            ("--size", self.size.to_string()),
            ("--count", self.count.to_string()),
            ("--peers", self.peers.to_string()),
            ("--io-threads", self.io_threads.to_string()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect();
        for (flag, given) in [("--pin", self.pin), ("--processes", self.processes)] {
            args.extend(given.then(|| flag.to_owned()));
        }
        args
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        spec: RunSpec,
    }

    pub(crate) fn spec(pattern: Pattern, count: u64) -> RunSpec {
        RunSpec {
            engine: EngineName::Ferrozmq,
            pattern,
            transport: Transport::Inproc,
            size: 16,
            count,
            peers: 3,
            io_threads: 1,
            pin: false,
            processes: false,
        }
    }

    #[test]
    fn a_spec_survives_its_command_line() {
        let mut spec = spec(Pattern::Fanout, 5);
        spec.pin = true;
        let args = std::iter::once("run".to_owned()).chain(spec.to_args());
        assert_eq!(Line::parse_from(args).spec, spec);
    }

    #[test]
    fn one_side_binds() {
        for pattern in Pattern::value_variants() {
            let spec = spec(*pattern, 5);
            assert_ne!(spec.cast(Side::Near).binds, spec.cast(Side::Far).binds);
        }
    }

    #[test]
    fn deliveries_count_what_each_pattern_delivers() {
        assert_eq!(spec(Pattern::Thr, 100).deliveries(), 100);
        assert_eq!(spec(Pattern::Fanout, 100).deliveries(), 100);
        assert_eq!(spec(Pattern::Fanin, 100).deliveries(), 99);
        assert_eq!(spec(Pattern::Fanin, 1).deliveries(), 3);
        assert_eq!(spec(Pattern::Pubsub, 100).deliveries(), 300);
    }

    #[test]
    fn raw_has_no_patterns_of_many() {
        assert!(EngineName::Raw.can(Pattern::Thr, Transport::Tcp));
        assert!(!EngineName::Raw.can(Pattern::Thr, Transport::Inproc));
        assert!(!EngineName::Raw.can(Pattern::Pubsub, Transport::Tcp));
    }
}
