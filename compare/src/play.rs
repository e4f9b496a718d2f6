//! The parts that the players of a run play, over any engine's socket.
//!
//! A receiver is warm when each of its connections has carried a message; nothing is measured
//! before all receivers are. Who sends does so without looking at a clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Result;
use crate::board::Board;
use crate::engine::Socket;
use crate::message::{Kind, Payload, Tally};
use crate::spec::{Pattern, RunSpec, Side};

/// How long a sender waits between two messages to receivers that are not there yet.
const MOMENT: Duration = Duration::from_millis(1);

/// What the receiver of one part of a fan-out has got so far; on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Share {
    count: AtomicU64,
    sum: AtomicU64,
}

impl Share {
    #[inline]
    fn show(&self, tally: Tally) {
        // The sum first: who sees the count sees the sum too.
        self.sum.store(tally.sum, Ordering::Relaxed);
        self.count.store(tally.count, Ordering::Release);
    }

    pub(crate) fn tally(&self) -> Tally {
        let count = self.count.load(Ordering::Acquire);
        let sum = self.sum.load(Ordering::Relaxed);
        Tally { count, sum }
    }
}

/// What all players of a process share.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) spec: RunSpec,
    pub(crate) board: Board,
    pub(crate) shares: Vec<Share>,
}

/// What a player of the near side found out.
#[derive(Debug, Default)]
pub(crate) struct Finding {
    pub(crate) tally: Tally,
    /// In nanoseconds; of `lat` only.
    pub(crate) round_trips: Vec<u64>,
}

impl Stage {
    pub(crate) fn new(spec: &RunSpec) -> Self {
        let receivers = spec.cast(Side::Near).players;
        Self {
            spec: spec.clone(),
            board: Board::default(),
            shares: (0..receivers).map(|_| Share::default()).collect(),
        }
    }

    /// Plays part `n` of the near side.
    pub(crate) fn play_near(&self, socket: &mut impl Socket, n: usize) -> Result<Finding> {
        match self.spec.pattern {
            Pattern::Lat => self.ask(socket),
            Pattern::Fanout => self.take_part(socket, &self.shares[n]),
            Pattern::Thr | Pattern::Fanin | Pattern::Pubsub => self.take_all(socket),
        }
    }

    /// Plays a part of the far side.
    pub(crate) fn play_far(&self, socket: &mut impl Socket) -> Result<()> {
        match self.spec.pattern {
            Pattern::Thr | Pattern::Fanin => self.supply(socket),
            Pattern::Lat => self.answer(socket),
            Pattern::Fanout | Pattern::Pubsub => self.distribute(socket),
        }
    }

    /// A PUSH that connects: its only message of warm-up waits for the connection.
    fn supply(&self, socket: &mut impl Socket) -> Result<()> {
        let mut payload = Payload::new(self.spec.size);
        socket.send(payload.sync())?;
        socket.flush()?;
        self.board.wait_ready();
        self.send_data(socket, &mut payload)
    }

    /// A PUSH or PUB that binds: it greets its receivers until all have heard it.
    fn distribute(&self, socket: &mut impl Socket) -> Result<()> {
        let mut payload = Payload::new(self.spec.size);
        while !self.board.is_ready_within(MOMENT) {
            socket.send(payload.sync())?;
        }
        self.send_data(socket, &mut payload)?;
        if self.spec.pattern == Pattern::Pubsub {
            // A subscriber that has lost data learns from this that no more will come.
            while !self.board.is_over_within(MOMENT) {
                socket.send(payload.end())?;
            }
        }
        Ok(())
    }

    fn send_data(&self, socket: &mut impl Socket, payload: &mut Payload) -> Result<()> {
        for _ in 0..self.spec.messages_per_sender() {
            socket.send(payload.next())?;
        }
        socket.flush()
    }

    /// Receives a known number of messages; fewer if the sender says that it has ended.
    fn take_all(&self, socket: &mut impl Socket) -> Result<Finding> {
        let expected = match self.spec.pattern {
            Pattern::Pubsub => self.spec.count,
            Pattern::Thr | Pattern::Lat | Pattern::Fanout | Pattern::Fanin => {
                self.spec.deliveries()
            }
        };
        let mut tally = Tally::default();
        self.warm_up(socket, &mut tally)?;
        while tally.count < expected {
            if self.take(socket, &mut tally)? == Kind::End {
                break;
            }
        }
        Ok(Finding {
            tally,
            ..Finding::default()
        })
    }

    /// Receives what comes, and shows how much: how the load is spread is the engine's choice.
    fn take_part(&self, socket: &mut impl Socket, share: &Share) -> Result<Finding> {
        let mut tally = Tally::default();
        self.warm_up(socket, &mut tally)?;
        loop {
            self.take(socket, &mut tally)?;
            share.show(tally);
        }
    }

    /// Receives until every connection of this receiver has carried a message.
    fn warm_up(&self, socket: &mut impl Socket, tally: &mut Tally) -> Result<()> {
        let near = self.spec.cast(Side::Near).players;
        for _ in 0..self.spec.cast(Side::Far).players {
            if self.take(socket, tally)? != Kind::Sync {
                return Err("data came before the warm-up was over".into());
            }
        }
        self.board.post_warm(near);
        Ok(())
    }

    #[inline]
    fn take(&self, socket: &mut impl Socket, tally: &mut Tally) -> Result<Kind> {
        socket.recv(|body| tally.take(body, self.spec.size))
    }

    /// A REP. Ends with the process.
    fn answer(&self, socket: &mut impl Socket) -> Result<()> {
        let mut body = Vec::new();
        loop {
            socket.recv(|request| {
                body.clear();
                body.extend_from_slice(request);
                Ok(())
            })?;
            socket.send(&body)?;
            socket.flush()?;
        }
    }

    fn ask(&self, socket: &mut impl Socket) -> Result<Finding> {
        let mut payload = Payload::new(self.spec.size);
        let mut tally = Tally::default();
        for _ in 0..self.spec.count.div_ceil(10).min(1000) {
            self.round_trip(socket, payload.sync(), &mut tally)?;
        }
        self.board.post_ready();
        let mut round_trips = Vec::with_capacity(self.spec.count as usize);
        let mut before = Instant::now();
        for _ in 0..self.spec.count {
            self.round_trip(socket, payload.next(), &mut tally)?;
            let now = Instant::now();
            round_trips.push((now - before).as_nanos() as u64);
            before = now;
        }
        Ok(Finding { tally, round_trips })
    }

    fn round_trip(&self, socket: &mut impl Socket, body: &[u8], tally: &mut Tally) -> Result<()> {
        socket.send(body)?;
        socket.flush()?;
        self.take(socket, tally)?;
        Ok(())
    }
}
