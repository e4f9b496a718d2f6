//! [`Client`]: calls functions of a server.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ferrozmq::Ctx;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Asked, CallError, Methods, remote_error};
use crate::error::Error;
use crate::options::Options;
use crate::req::{Reply, Req};
use crate::value::{Json, Message};

/// Calls functions of a server, any number of them at once, from any number of threads.
///
/// What to call with is whatever serde can write: a tuple, an array or a `Vec` is the list of the
/// arguments, what is written as `null` is none (`()`, but `None` too), and anything else is the only
/// one. A list or a `null` that is one argument stands in a tuple of one: `(list,)`, `(None::<u32>,)`.
///
/// A function can have no result, which is read as `()` or any other `null`, one, or several, which are
/// read as a tuple.
#[derive(Debug)]
pub struct Client {
    req: Req,
    timeout: Option<Duration>,
}

/// How long a call takes at most, unless it is said otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

impl Client {
    /// A client with the default options.
    ///
    /// # Errors
    /// As for [`Req::new`].
    pub fn new(ctx: &Ctx) -> crate::Result<Self> {
        Self::with_options(ctx, &Options::new())
    }

    /// A client.
    ///
    /// # Errors
    /// As for [`Req::with_options`].
    pub fn with_options(ctx: &Ctx, options: &Options) -> crate::Result<Self> {
        Ok(Self::from(Req::with_options(ctx, options)?))
    }

    /// How long [`Client::call`] and [`Client::methods`] wait for a reply; `None` is for ever. Default
    /// 30 s.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// Its socket: to bind and connect it, and for its events.
    #[must_use]
    pub fn socket(&self) -> &Req {
        &self.req
    }

    /// Calls a function and waits for what comes of it. A call before the server is there waits for
    /// it in the queue of the socket, and there it stays when its time is over: the server may see it
    /// later.
    ///
    /// # Errors
    /// Whatever [`CallError`] says, and [`Error::Timeout`] in it.
    pub fn call<R: DeserializeOwned>(
        &self,
        method: &str,
        args: impl Serialize,
    ) -> Result<R, CallError> {
        self.start(method, args)?.wait_until(self.deadline())
    }

    /// Calls a function and does not wait. What is returned is a future too.
    ///
    /// # Errors
    /// [`CallError::Args`], and [`CallError::Socket`] for what [`Req::send`] fails with.
    ///
    /// ```
    /// # use ferrozmq_axon::rpc::{CallError, Client};
    /// # fn both(client: &Client) -> Result<(), CallError> {
    /// let first = client.start::<u32>("slow", 1)?;
    /// let second = client.start::<u32>("slow", 2)?;
    /// println!("{} {}", first.wait()?, second.wait()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn start<R: DeserializeOwned>(
        &self,
        method: &str,
        args: impl Serialize,
    ) -> Result<Call<R>, CallError> {
        let args = match serde_json::to_value(args).map_err(CallError::Args)? {
            Value::Array(args) => args,
            Value::Null => Vec::new(),
            only => vec![only],
        };
        Ok(Call {
            reply: self.req.send(Json(Asked::Call { method, args }))?,
            result: PhantomData,
        })
    }

    /// Calls a function whose result nobody waits for.
    ///
    /// # Errors
    /// As for [`Client::start`].
    pub fn notify(&self, method: &str, args: impl Serialize) -> Result<(), CallError> {
        self.start::<()>(method, args).map(drop)
    }

    /// The functions that the server has. Servers in Node cannot say that if one of them is an arrow
    /// function, and then never reply.
    ///
    /// # Errors
    /// Whatever [`CallError`] says, and [`Error::Timeout`] in it.
    pub fn methods(&self) -> Result<Methods, CallError> {
        #[derive(Deserialize)]
        struct Listed {
            methods: Methods,
        }
        let reply = self.req.send(Json(Asked::Methods))?;
        let reply = only(&reply.wait_until(self.deadline())?)?;
        if let Some(error) = remote_error(&reply) {
            return Err(error.into());
        }
        let listed = Listed::deserialize(reply).map_err(CallError::Result)?;
        Ok(listed.methods)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timeout
            .and_then(|timeout| Instant::now().checked_add(timeout))
    }
}

/// A client of a socket that is there already.
impl From<Req> for Client {
    fn from(req: Req) -> Self {
        Self {
            req,
            timeout: Some(TIMEOUT),
        }
    }
}

/// A call under way. It is a future as well. Who drops it does not hear what came of it; the function
/// is called all the same.
#[derive(Debug)]
#[must_use = "a call that is dropped is not heard of"]
pub struct Call<R> {
    reply: Reply,
    result: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> Call<R> {
    /// Waits for what comes of it, however long that takes.
    ///
    /// # Errors
    /// Whatever [`CallError`] says.
    pub fn wait(self) -> Result<R, CallError> {
        self.wait_until(None)
    }

    /// Waits for what comes of it for at most `timeout`.
    ///
    /// # Errors
    /// Whatever [`CallError`] says, and [`Error::Timeout`] in it.
    pub fn wait_timeout(self, timeout: Duration) -> Result<R, CallError> {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    /// Waits until the deadline; `None` is never.
    ///
    /// # Errors
    /// Whatever [`CallError`] says, and [`Error::Timeout`] in it.
    pub fn wait_until(self, deadline: Option<Instant>) -> Result<R, CallError> {
        outcome(self.reply.wait_until(deadline))
    }
}

impl<R: DeserializeOwned> Future for Call<R> {
    type Output = Result<R, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.reply).poll(cx).map(outcome)
    }
}

/// What a reply says.
fn outcome<R: DeserializeOwned>(reply: Result<Message, Error>) -> Result<R, CallError> {
    let mut reply = only(&reply?)?;
    if let Some(error) = remote_error(&reply) {
        return Err(error.into());
    }
    let Some(Value::Array(mut results)) = reply.get_mut("args").map(Value::take) else {
        return Err(CallError::NoOutcome);
    };
    let result = match results.len() {
        0 => Value::Null,
        1 => results.remove(0),
        _ => Value::Array(results),
    };
    R::deserialize(result).map_err(CallError::Result)
}

/// The one argument of a reply.
fn only(reply: &Message) -> Result<Value, CallError> {
    let only = reply.get(0).and_then(|arg| arg.json());
    only.map_err(|error| CallError::Socket(error.into()))
}
