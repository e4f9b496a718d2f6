//! [`Reaper`]: owns closed sockets until the last of their listeners and sessions is gone.
//!
//! With it, closing never waits, whatever the linger and however many the connections.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use crate::census::{Census, SocketId};
use crate::signaler::{Notice, Signal, ThreadStart};
use crate::slab::{Key, Slab};
use crate::socket_base::SocketBase;

/// What the reaper is told.
#[derive(Debug)]
enum ReaperCmd {
    /// A socket was closed.
    Reap(Dying),
    /// One of its sockets has commands.
    Poke(Key),
    Stop,
}

/// A closed socket. Its notice is given last.
#[derive(Debug)]
pub(crate) struct Dying {
    pub socket: Box<SocketBase>,
    pub id: SocketId,
    pub notice: Option<Notice>,
}

/// The handle of the reaper's thread.
#[derive(Clone, Debug)]
pub(crate) struct Reaper(Sender<ReaperCmd>);

impl Reaper {
    /// Starts the reaper.
    ///
    /// # Errors
    /// The system has no more threads.
    pub(crate) fn spawn(
        name: String,
        start: ThreadStart,
        census: Arc<Census>,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let grave = Graveyard {
            dying: Slab::new(),
            census,
            sender: sender.clone(),
        };
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            start.run();
            grave.run(&receiver);
        })?;
        Ok((Self(sender), thread))
    }

    /// Closes a socket. Never waits.
    pub(crate) fn reap(&self, dying: Dying) {
        // Without a reaper the context has ended, and there is nothing to linger for.
        let _ = self.0.send(ReaperCmd::Reap(dying));
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        let _ = self.0.send(ReaperCmd::Stop);
    }
}

/// Pokes the reaper when something comes for a socket that it owns.
#[derive(Debug)]
struct Poke {
    reaper: Sender<ReaperCmd>,
    key: Key,
}

impl Signal for Poke {
    fn signal(&self) {
        let _ = self.reaper.send(ReaperCmd::Poke(self.key));
    }
}

struct Graveyard {
    dying: Slab<Dying>,
    census: Arc<Census>,
    sender: Sender<ReaperCmd>,
}

impl Graveyard {
    fn run(mut self, commands: &Receiver<ReaperCmd>) {
        for command in commands {
            match command {
                ReaperCmd::Reap(dying) => self.reap(dying),
                ReaperCmd::Poke(key) => self.look_after(key),
                ReaperCmd::Stop => return,
            }
        }
    }

    fn reap(&mut self, mut dying: Dying) {
        self.census.set_closed(dying.id);
        dying.socket.close();
        let mailbox = dying.socket.mailbox().clone();
        let key = self.dying.insert(dying);
        let poke: Arc<dyn Signal> = Arc::new(Poke {
            reaper: self.sender.clone(),
            key,
        });
        mailbox.retarget(&poke);
        self.look_after(key);
    }

    /// Lets a dying socket react, until it sleeps or is over.
    fn look_after(&mut self, key: Key) {
        while let Some(Dying { socket, .. }) = self.dying.get_mut(key) {
            // It may have been stopped; that changes nothing any more.
            let _ = socket.process();
            if socket.is_over() {
                break;
            }
            if socket.mailbox().may_sleep() {
                return;
            }
        }
        if let Some(Dying { socket, id, notice }) = self.dying.remove(key) {
            drop(socket);
            self.census.remove(id);
            drop(notice);
        }
    }
}
