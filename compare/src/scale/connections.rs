//! Many tcp connections to one ROUTER: what an idle one costs in memory, how long it takes to
//! connect them, and what the ROUTER carries when one in a hundred is active.
//!
//! A connection counts as there when it has carried a message each way. Server and clients are
//! processes of their own, since each end of a connection takes a descriptor, and a client's socket
//! may take another.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::engine::{Engine, Marks, Setup, Socket};
use crate::scale::figures::{Figure, Unit};
use crate::scale::player::{PlayArgs, Player, Role, memory, most_descriptors, tell, told};
use crate::spec::{EngineName, Kind};
use crate::{Result, fail};

/// What a process needs besides its connections.
const SPARE: u64 = 200;

/// libzmq's default limit is 1023, and one is lost to the reaper.
const SOCKETS_PER_CONTEXT: usize = 1000;

/// One in so many connections is active.
const ACTIVE: u32 = 100;

/// Messages on their way over each active connection.
const WINDOW: u32 = 8;

/// Messages that are sent to the ROUTER and back.
const MESSAGES: u32 = 200_000;

const BODY: [u8; 64] = [7; 64];

/// How long the processes rest before their memory is looked at.
const REST: Duration = Duration::from_millis(500);

// ── who measures ─────────────────────────────────────────────────────────────────────────────

pub(crate) fn measure(engine: EngineName, number: u32, own_sockets: bool) -> Result<Vec<Figure>> {
    let most = most_descriptors()?.saturating_sub(SPARE);
    if u64::from(number) > most {
        return Err(format!("a process may open about {most} descriptors only").into());
    }
    let each = if own_sockets { most / 2 } else { most };
    let clients = u64::from(number).div_ceil(each);
    let mut server = Player::start(engine, Role::Server, &[])?;
    let endpoint: String = server.answer()?;
    let mut more = vec![
        "--number".to_owned(),
        (u64::from(number) / clients).to_string(),
    ];
    more.extend(own_sockets.then(|| "--own-sockets".to_owned()));
    let clients = (0..clients).map(|_| Player::start(engine, Role::Client, &more));
    let mut clients = Clients(clients.collect::<Result<_>>()?);
    let number = f64::from(number);

    clients.all::<()>(&endpoint)?;
    let before = total_memory(&mut server, &mut clients)?;
    let begun = Instant::now();
    clients.all::<()>("connect")?;
    let connecting = begun.elapsed().as_secs_f64();
    std::thread::sleep(REST);
    let after = total_memory(&mut server, &mut clients)?;
    let begun = Instant::now();
    let carried: u64 = clients.all::<u64>("talk")?.into_iter().sum();
    let talking = begun.elapsed().as_secs_f64();
    let memory = |sides: [u64; 2], n: usize| sides[n] as f64;
    let server_memory = (memory(after, 0) - memory(before, 0)) / number;
    let client_memory = (memory(after, 1) - memory(before, 1)) / number;
    Ok(vec![
        Figure::new(
            "memory per idle connection, both ends",
            Unit::Bytes,
            server_memory + client_memory,
        ),
        Figure::new("…the ROUTER's end", Unit::Bytes, server_memory),
        Figure::new("…the DEALER's end", Unit::Bytes, client_memory),
        Figure::new("time to connect all", Unit::Seconds, connecting),
        Figure::new(
            "messages there and back, 1 % active",
            Unit::PerSecond,
            carried as f64 / talking,
        ),
    ])
}

struct Clients(Vec<Player>);

impl Clients {
    /// Asks all for the same, at once.
    fn all<T: serde::de::DeserializeOwned>(&mut self, what: &str) -> Result<Vec<T>> {
        for client in &mut self.0 {
            client.ask(what)?;
        }
        self.0.iter_mut().map(Player::answer).collect()
    }
}

/// How much memory the server has, and how much the clients have.
fn total_memory(server: &mut Player, clients: &mut Clients) -> Result<[u64; 2]> {
    server.ask("memory")?;
    let server: u64 = server.answer()?;
    Ok([server, clients.all::<u64>("memory")?.into_iter().sum()])
}

// ── the server ───────────────────────────────────────────────────────────────────────────────

pub(crate) fn serve<E: Engine>() -> Result<()> {
    most_descriptors()?;
    let mut router = context::<E>()?.socket(Kind::Router, Marks::Lifted)?;
    router.set_backlog(4096)?;
    tell(&router.bind("tcp://127.0.0.1:*")?)?;
    std::thread::spawn(|| {
        if let Err(error) = told().try_for_each(|_| tell(&memory()?)) {
            fail(&*error);
        }
        // Who measures has ended.
        std::process::exit(0);
    });
    let (mut id, mut body) = (Vec::new(), Vec::new());
    loop {
        router.recv(|frame| copy(frame, &mut id))?;
        router.recv(|frame| copy(frame, &mut body))?;
        router.send_more(&id)?;
        router.send(&body)?;
    }
}

fn copy(frame: &[u8], to: &mut Vec<u8>) -> Result<()> {
    to.clear();
    to.extend_from_slice(frame);
    Ok(())
}

fn context<E: Engine>() -> Result<E> {
    E::new(Setup {
        io_threads: 1,
        size: BODY.len() as u32,
    })
}

// ── a client ─────────────────────────────────────────────────────────────────────────────────

pub(crate) fn connect<E: Engine>(args: &PlayArgs) -> Result<()> {
    most_descriptors()?;
    let mut orders = told();
    let endpoint = orders.next().ok_or("no endpoint")??;
    let mut fleet = Fleet::<E>::new(&endpoint)?;
    // Whatever comes with the first of a kind is no matter of the number.
    fleet.add_sockets(1)?;
    fleet.add_connections(1)?;
    tell(&())?;
    for order in orders {
        match &*order? {
            "memory" => tell(&memory()?)?,
            "connect" => {
                let own = if args.own_sockets {
                    args.number
                } else {
                    args.number.div_ceil(ACTIVE)
                };
                fleet.add_sockets(own)?;
                fleet.add_connections(args.number - own)?;
                tell(&())?;
            }
            "talk" => tell(&fleet.talk(args.number.div_ceil(ACTIVE))?)?,
            other => return Err(format!("what is {other:?}?").into()),
        }
    }
    std::process::exit(0);
}

/// The sockets of a client.
struct Fleet<E: Engine> {
    endpoint: String,
    /// As many as a context has room for, and the next one.
    contexts: Vec<E>,
    /// Those with one connection each.
    single: Vec<E::Socket>,
    /// The one with all the others, and how many.
    shared: E::Socket,
    connections: u32,
}

impl<E: Engine> Fleet<E> {
    fn new(endpoint: &str) -> Result<Self> {
        let first = context::<E>()?;
        Ok(Self {
            endpoint: endpoint.to_owned(),
            shared: first.socket(Kind::Dealer, Marks::Lifted)?,
            contexts: Vec::new(),
            single: Vec::new(),
            connections: 0,
        })
    }

    /// Adds sockets with a connection each.
    fn add_sockets(&mut self, number: u32) -> Result<()> {
        let before = self.single.len();
        for _ in 0..number {
            if self.single.len().is_multiple_of(SOCKETS_PER_CONTEXT) {
                self.contexts.push(context::<E>()?);
            }
            let context = self.contexts.last().ok_or("no context")?;
            let mut socket = context.socket(Kind::Dealer, Marks::Default)?;
            socket.connect(&self.endpoint)?;
            socket.send(&BODY)?;
            self.single.push(socket);
        }
        self.single[before..].iter_mut().try_for_each(take)
    }

    /// Adds connections to the socket that has many. To be several, they come from addresses of
    /// their own: a DEALER connects to a place once.
    fn add_connections(&mut self, number: u32) -> Result<()> {
        for n in self.connections..self.connections + number {
            let [_, a, b, c] = (n + 0x0001_0001).to_be_bytes();
            let target = self
                .endpoint
                .replace("tcp://", &format!("tcp://127.{a}.{b}.{c}:0;"));
            self.shared.connect(&target)?;
        }
        self.connections += number;
        // One for each, in turn.
        for _ in 0..self.connections {
            self.shared.send(&BODY)?;
        }
        (0..self.connections).try_for_each(|_| take(&mut self.shared))
    }

    /// Sends messages over some connections, and has them back; returns how many.
    fn talk(&mut self, active: u32) -> Result<u64> {
        let active = self.single.len().min(active as usize);
        let each = (MESSAGES / active as u32).max(WINDOW);
        let mut waiting: VecDeque<_> = self.single[..active]
            .iter_mut()
            .map(|s| (s, each))
            .collect();
        for (socket, _) in &mut waiting {
            (0..WINDOW).try_for_each(|_| socket.send(&BODY))?;
        }
        while let Some((socket, left)) = waiting.pop_front() {
            take(socket)?;
            if left > WINDOW {
                socket.send(&BODY)?;
            }
            if left > 1 {
                waiting.push_back((socket, left - 1));
            }
        }
        Ok(u64::from(each) * active as u64)
    }
}

/// Receives a message and looks whether it is the right one.
fn take(socket: &mut impl Socket) -> Result<()> {
    socket.recv(|body| match body == BODY {
        true => Ok(()),
        false => Err(format!("a wrong message of {} bytes", body.len()).into()),
    })
}
