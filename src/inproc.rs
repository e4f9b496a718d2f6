//! [`Registry`]: the names bound by `inproc://` in one context, and who waits for them.
//!
//! A connect before the bind leaves its finished pipe here, with whatever is written to it; the
//! bind takes all of them. The registry moves pipe ends between mailboxes and never looks inside.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::authenticator::Authenticator;
use crate::command::{Answer, Doorkeeper, EndpointId, SocketCmd};
use crate::error::Error;
use crate::mailbox::Mailbox;
use crate::msg::Msg;
use crate::pipe::{self, PipeEnd};
use crate::zap::{self, AuthRequest, Verdict};

type SocketMailbox = Arc<Mailbox<SocketCmd>>;

/// Who has a name.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub mailbox: SocketMailbox,
    pub endpoint: EndpointId,
    /// Its shares in the high-water marks of its pipes: who connects has the room at once, and not
    /// only when the other has noticed.
    pub send_hwm: u32,
    pub recv_hwm: u32,
    pub greeting: Greeting,
}

/// What a socket says to an inproc peer before all messages. Who connects says it for who has bound
/// the name, too, which may be in no call for long.
#[derive(Clone, Debug)]
pub(crate) struct Greeting {
    /// Who it is, in place of a handshake.
    pub introduction: Msg,
    pub hello: Option<Msg>,
}

impl Greeting {
    pub(crate) fn say(&self, end: &mut PipeEnd) {
        end.write_uncounted(self.introduction.clone());
        if let Some(mut hello) = self.hello.clone() {
            // A new pipe has room for a message.
            let _ = end.write(&mut hello);
        }
        end.flush();
    }
}

impl Bound {
    /// Hands over the far end of a pipe.
    fn take(&self, mut end: PipeEnd) {
        end.set_hwm(self.send_hwm, self.recv_hwm);
        end.report(true);
        self.greeting.say(&mut end);
        self.mailbox
            .post(SocketCmd::Bind(Box::new((end, self.endpoint))));
    }
}

/// A pipe whose other end waits for a bind.
#[derive(Debug)]
struct Pending {
    end: PipeEnd,
    /// The mailbox of the socket that connected, and the endpoint.
    owner: SocketMailbox,
    endpoint: EndpointId,
    /// When it is given up, once the owner is closed or has disconnected.
    expires: Option<Instant>,
}

#[derive(Debug, Default)]
struct Names {
    bound: HashMap<String, Bound>,
    pending: HashMap<String, Vec<Pending>>,
    /// Who has the name of the ZAP handler, in place of a socket.
    authenticator: Option<Authenticator>,
}

/// The inproc names of one context.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<Names>);

impl Registry {
    /// Binds a name, and hands over the pipes that wait for it.
    ///
    /// # Errors
    /// [`Error::AddrInUse`] if the name is bound.
    pub(crate) fn bind(&self, name: &str, bound: Bound, now: Instant) -> Result<(), Error> {
        let mut names = self.0.lock();
        let reserved = names.authenticator.is_some() && name == zap::HANDLER;
        if reserved || names.bound.contains_key(name) {
            return Err(Error::AddrInUse);
        }
        names.bound.insert(name.to_owned(), bound.clone());
        let expired = names.purge(now);
        let pending = names.pending.remove(name).unwrap_or_default();
        drop(names);
        drop(expired);
        for Pending { end, .. } in pending {
            bound.take(end);
        }
        Ok(())
    }

    /// The authenticator, which from the first call on has the name of the ZAP handler.
    ///
    /// # Errors
    /// [`Error::AddrInUse`] if a socket has bound that name.
    pub(crate) fn authenticator(&self) -> Result<Authenticator, Error> {
        let mut names = self.0.lock();
        if names.bound.contains_key(zap::HANDLER) {
            return Err(Error::AddrInUse);
        }
        Ok(names.authenticator.get_or_insert_default().clone())
    }

    /// Hands the far end of a new pipe to whoever has bound the name, now or later; the near
    /// end's owner hears [`PipeEvent::Joined`](crate::pipe::PipeEvent::Joined) then.
    pub(crate) fn connect(
        &self,
        name: &str,
        end: PipeEnd,
        (owner, from): (&SocketMailbox, EndpointId),
        now: Instant,
    ) {
        let mut names = self.0.lock();
        match names.bound.get(name) {
            Some(bound) => {
                let bound = bound.clone();
                drop(names);
                bound.take(end);
            }
            None => {
                let expired = names.purge(now);
                let pending = Pending {
                    end,
                    owner: owner.clone(),
                    endpoint: from,
                    expires: None,
                };
                names
                    .pending
                    .entry(name.to_owned())
                    .or_default()
                    .push(pending);
                drop(names);
                drop(expired);
            }
        }
    }

    /// Frees one name; its pipes live on.
    pub(crate) fn unbind(&self, endpoint: EndpointId, mailbox: &SocketMailbox) {
        self.0
            .lock()
            .bound
            .retain(|_, bound| bound.endpoint != endpoint || !Arc::ptr_eq(&bound.mailbox, mailbox));
    }

    /// A socket has disconnected: what it wrote to a pipe that still waits for a bind can be had
    /// until `expires` (`None`: as long as the context lives).
    pub(crate) fn disconnect(
        &self,
        (owner, from): (&SocketMailbox, EndpointId),
        now: Instant,
        expires: Option<Instant>,
    ) {
        let mut names = self.0.lock();
        for pending in names.pending.values_mut().flatten() {
            if pending.endpoint == from && Arc::ptr_eq(&pending.owner, owner) {
                pending.expires = expires;
            }
        }
        let expired = names.purge(now);
        drop(names);
        drop(expired);
    }

    /// A socket is closed: frees its names. What it wrote to pipes that still wait for a bind can
    /// be had until `expires` (`None`: as long as the context lives).
    pub(crate) fn forget(&self, mailbox: &SocketMailbox, now: Instant, expires: Option<Instant>) {
        let mut names = self.0.lock();
        names
            .bound
            .retain(|_, bound| !Arc::ptr_eq(&bound.mailbox, mailbox));
        for pending in names.pending.values_mut().flatten() {
            if pending.expires.is_none() && Arc::ptr_eq(&pending.owner, mailbox) {
                pending.expires = expires;
            }
        }
        let expired = names.purge(now);
        drop(names);
        drop(expired);
    }

    /// Drops everything; the context ends.
    pub(crate) fn clear(&self) {
        let names = std::mem::take(&mut *self.0.lock());
        drop(names);
    }
}

impl Doorkeeper for Registry {
    fn ask(&self, request: &AuthRequest) -> Answer {
        let names = self.0.lock();
        if let Some(authenticator) = names.authenticator.clone() {
            drop(names);
            return Answer::Verdict(authenticator.judge(request));
        }
        let Some(bound) = names.bound.get(zap::HANDLER).cloned() else {
            return Answer::Verdict(Verdict::NobodyThere);
        };
        drop(names);
        let (ours, mut theirs) = pipe::pair(false);
        theirs.write_uncounted(bound.greeting.introduction);
        theirs.flush();
        let command = SocketCmd::Bind(Box::new((theirs, bound.endpoint)));
        bound.mailbox.post(command);
        Answer::Handler(Box::new(ours))
    }
}

impl Names {
    /// Takes out what is to be given up; to be dropped outside the lock, for what the application
    /// sent is dropped with it and may use the library as it goes.
    #[must_use]
    fn purge(&mut self, now: Instant) -> Vec<Pending> {
        let is_over = |pending: &Pending| pending.expires.is_some_and(|expires| expires <= now);
        let mut expired = Vec::new();
        let all = self.pending.values_mut();
        for waiting in all.filter(|waiting| waiting.iter().any(is_over)) {
            let (over, left): (Vec<_>, _) = std::mem::take(waiting).into_iter().partition(is_over);
            expired.extend(over);
            *waiting = left;
        }
        self.pending.retain(|_, waiting| !waiting.is_empty());
        expired
    }
}

#[cfg(test)]
mod tests {
    use crate::ctx::Ctx;
    use crate::options::SocketType;
    use std::time::Duration;

    fn waiting(ctx: &Ctx) -> usize {
        ctx.registry().0.lock().pending.values().flatten().count()
    }

    #[test]
    fn who_disconnects_before_a_bind_leaves_only_what_it_said() {
        let ctx = Ctx::new();
        let push = ctx.socket(SocketType::PUSH).unwrap();
        let connect = || {
            for _ in 0..10 {
                push.connect("inproc://later").unwrap();
            }
        };
        let disconnect = || {
            for _ in 0..10 {
                push.disconnect("inproc://later").unwrap();
            }
        };
        connect();
        assert_eq!(waiting(&ctx), 10);
        disconnect();
        assert_eq!(waiting(&ctx), 0);

        connect();
        push.send("words", 0).unwrap();
        disconnect();
        assert_eq!(waiting(&ctx), 1);
        let pull = ctx.socket(SocketType::PULL).unwrap();
        pull.bind("inproc://later").unwrap();
        assert_eq!(pull.recv_string(0).unwrap(), "words");
        pull.unbind("inproc://later").unwrap();

        push.set_linger(Some(Duration::ZERO)).unwrap();
        connect();
        push.send("dropped", 0).unwrap();
        disconnect();
        assert_eq!(waiting(&ctx), 0);
    }
}
