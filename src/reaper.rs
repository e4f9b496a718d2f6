//! [`Reaper`]: owns closed sockets until the last of their listeners and sessions is gone.
//!
//! With it, closing never waits, whatever the linger and however many the connections.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use crate::census::{Census, SocketId};
use crate::signaler::Signal;
use crate::slab::{Key, Slab};
use crate::socket_base::SocketBase;

/// What the reaper is told.
#[derive(Debug)]
enum ReaperCmd {
    /// A socket was closed.
    Reap(Box<SocketBase>, SocketId),
    /// One of its sockets has commands.
    Poke(Key),
    Stop,
}

/// The handle of the reaper's thread.
#[derive(Clone, Debug)]
pub(crate) struct Reaper(Sender<ReaperCmd>);

impl Reaper {
    /// Starts the reaper.
    ///
    /// # Errors
    /// The system has no more threads.
    pub(crate) fn spawn(name: String, census: Arc<Census>) -> io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let grave = Graveyard {
            dying: Slab::new(),
            census,
            sender: sender.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || grave.run(&receiver))?;
        Ok((Self(sender), thread))
    }

    /// Closes a socket. Never waits.
    pub(crate) fn reap(&self, socket: Box<SocketBase>, id: SocketId) {
        // Without a reaper the context has ended, and there is nothing to linger for.
        let _ = self.0.send(ReaperCmd::Reap(socket, id));
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
    dying: Slab<(Box<SocketBase>, SocketId)>,
    census: Arc<Census>,
    sender: Sender<ReaperCmd>,
}

impl Graveyard {
    fn run(mut self, commands: &Receiver<ReaperCmd>) {
        for command in commands {
            match command {
                ReaperCmd::Reap(socket, id) => self.reap(socket, id),
                ReaperCmd::Poke(key) => self.look_after(key),
                ReaperCmd::Stop => return,
            }
        }
    }

    fn reap(&mut self, mut socket: Box<SocketBase>, id: SocketId) {
        self.census.set_closed(id);
        socket.close();
        let mailbox = socket.mailbox().clone();
        let key = self.dying.insert((socket, id));
        let poke: Arc<dyn Signal> = Arc::new(Poke {
            reaper: self.sender.clone(),
            key,
        });
        mailbox.retarget(&poke);
        self.look_after(key);
    }

    /// Lets a dying socket react, until it sleeps or is over.
    fn look_after(&mut self, key: Key) {
        while let Some((socket, _)) = self.dying.get_mut(key) {
            // It may have been stopped; that changes nothing any more.
            let _ = socket.process();
            if socket.is_over() {
                break;
            }
            if socket.mailbox().may_sleep() {
                return;
            }
        }
        if let Some((socket, id)) = self.dying.remove(key) {
            drop(socket);
            self.census.remove(id);
        }
    }
}
