//! Calls of functions in another process, as `axon-rpc` and `pm2-axon-rpc` have them.
//!
//! A call is a request whose one argument says which function and with which arguments; its reply says
//! what came of it. So a [`Client`] is a [`Req`](crate::Req) and a [`Server`] a [`Rep`](crate::Rep),
//! and each can bind or connect, to one endpoint or several, over tcp or unix sockets.
//!
//! ```
//! use ferrozmq::Ctx;
//! use ferrozmq_axon::rpc::{Client, Server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ctx = Ctx::new();
//! let server = Server::new(&ctx)?;
//! server.expose("add", |a: i64, b: i64| a + b).params(["a", "b"]);
//! server.try_expose("divide", |a: i64, b: i64| a.checked_div(b).ok_or("not by that"));
//! server.socket().bind("tcp://127.0.0.1:0")?;
//! let _serving = server.spawn(2)?;
//!
//! let client = Client::new(&ctx)?;
//! # let server_address = _serving.server().socket().address().unwrap();
//! client.socket().connect(server_address)?;
//! assert_eq!(client.call::<i64>("add", (1, 2))?, 3);
//! let refused = client.call::<i64>("divide", (1, 0)).unwrap_err();
//! assert_eq!(refused.to_string(), "the peer says: not by that");
//! # Ok(())
//! # }
//! ```

mod client;
mod server;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use client::{Call, Client};
pub use server::{Exposed, Failure, Handler, Server, Serving};

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The function failed, or the peer has none of that name, or did not understand the call.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The peer's reply says neither a result nor an error. Servers of the package `axon-rpc` reply
    /// so where a function fails with what is no `Error`.
    #[error("the reply says neither a result nor an error")]
    NoOutcome,
    /// The arguments cannot be written as JSON.
    #[error("the arguments cannot be sent: {0}")]
    Args(#[source] serde_json::Error),
    /// There are results, but of another type.
    #[error("the result is not of the type that was asked for: {0}")]
    Result(#[source] serde_json::Error),
    /// Nothing came of the request: [`Error::Timeout`](crate::Error::Timeout),
    /// [`Error::PeerGone`](crate::Error::PeerGone) and so on.
    #[error(transparent)]
    Socket(#[from] crate::Error),
}

/// What a peer says went wrong there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteError {
    /// What the function failed with: the message of an `Error`, or any other value that it used as an
    /// error.
    pub error: Value,
    /// Where it failed, if that was told: the lines that JavaScript prints.
    pub stack: Option<String>,
}

impl RemoteError {
    /// What went wrong, as text.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.error {
            Value::String(message) => message.clone(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the peer says: {}", self.message())
    }
}

impl std::error::Error for RemoteError {}

/// A function that a server has.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// The names of its parameters. Servers in Node take them from the source, and there the last one
    /// is the callback; a function that was bound has none.
    #[serde(default)]
    pub params: Vec<String>,
}

/// The functions that a server has, by name.
pub type Methods = BTreeMap<String, Method>;

/// What stands in a request.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Asked<'a> {
    Methods,
    Call { method: &'a str, args: Vec<Value> },
}

/// The error in a reply. That there is one makes an error of the reply, whatever it is.
fn remote_error(reply: &Value) -> Option<RemoteError> {
    let stack = reply.get("stack").and_then(Value::as_str);
    Some(RemoteError {
        error: reply.get("error")?.clone(),
        stack: stack.map(str::to_owned),
    })
}
