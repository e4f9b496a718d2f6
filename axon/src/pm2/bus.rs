//! [`Bus`]: what a daemon tells of its processes.

use std::time::{Duration, SystemTime};

use ferrozmq::Ctx;
use serde_json::Value;

use super::process::{Id, Process, time};
use super::{Error, Home, Result};
use crate::event::Event;
use crate::publish::Sub;
use crate::topic::Pattern;
use crate::value::{Arg, Message};

/// How long a connection to a daemon on this host may take.
const CONNECT: Duration = Duration::from_secs(10);

/// What a daemon and its processes tell, as it comes. It is an iterator that waits.
///
/// A daemon repeats nothing: what happened before is not heard of. When the daemon ends it says
/// [`BusEvent::Kill`]; the bus then waits for the next one in the same place, and goes on.
#[derive(Debug)]
pub struct Bus {
    sub: Sub,
    /// Ends after the socket.
    _ctx: Ctx,
}

/// Something happened.
///
/// Processes can send any topic with any contents. What has not the form that pm2 gives it is
/// [`BusEvent::Other`].
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum BusEvent {
    /// `log:out`, `log:err`, `log:PM2`: something was written.
    Log(Log),
    /// `process:event`: a process was started, has ended and so on.
    Process(ProcessEvent),
    /// `process:msg`: a process has sent a message.
    Message(AppMessage),
    /// `process:exception`: an exception was caught nowhere.
    Exception(Exception),
    /// `pm2:kill`: the daemon ends. This is its last word.
    Kill(Kill),
    /// Anything else.
    Other(Other),
}

/// The process that something comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// What pm2 knows it by; of pm2 itself it is the text `PM2`.
    pub id: Option<Id>,
    /// Its name.
    pub name: String,
    /// The namespace that it is in.
    pub namespace: Option<String>,
}

/// Where something was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogSource {
    /// To the standard output of a process.
    Out,
    /// To the standard error output of a process.
    Err,
    /// To the log of the daemon itself.
    Daemon,
}

/// What was written at once: one line, several, or a part of one.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Log {
    /// Where.
    pub source: LogSource,
    /// By whom.
    pub process: Source,
    /// When.
    pub at: SystemTime,
    /// What, with its ends of lines.
    pub data: String,
}

/// Something happened to a process.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct ProcessEvent {
    /// What: `start`, `online`, `exit`, `restart overlimit`, `restart`, `reload`, `stop`, or whatever a
    /// client announced.
    pub event: String,
    /// Whether somebody wanted it.
    pub manually: bool,
    /// The process, without its environment.
    pub process: Process,
    /// When.
    pub at: SystemTime,
}

/// What a process has sent by `process.send`.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct AppMessage {
    /// By whom.
    pub process: Source,
    /// When.
    pub at: SystemTime,
    /// What.
    pub data: Value,
}

/// An exception that was caught nowhere.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Exception {
    /// Where.
    pub process: Source,
    /// When.
    pub at: SystemTime,
    /// What it says.
    pub message: String,
    /// Where in the program.
    pub stack: Option<String>,
    /// All that is told of it.
    pub data: Value,
}

/// The daemon ends.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Kill {
    /// `killed`.
    pub status: String,
    /// By what.
    pub msg: String,
}

/// What has no form of its own.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Other {
    /// The topic.
    pub topic: String,
    /// What comes with it; of what a process sends, `at`, `data` and `process`.
    pub payload: Value,
}

impl Bus {
    /// Connects to the bus of a daemon, and returns when nothing is missed any more: mostly at once,
    /// after ten seconds at the latest.
    ///
    /// # Errors
    /// [`Error::NotRunning`] if there is no daemon, or it has not taken the connection in that time;
    /// [`Error::Denied`] if its socket may not be used; [`Error::Socket`] if the context is ended or has
    /// no more sockets.
    pub fn connect(ctx: &Ctx, home: &Home) -> Result<Self> {
        home.check()?;
        let sub = Sub::new(ctx)?;
        let mut events = sub.events()?;
        sub.connect(home.bus_socket())?;
        let connected = events.wait_for(CONNECT, |event| matches!(event, Event::Connect { .. }));
        connected.ok_or_else(|| Error::NotRunning(home.path().to_owned()))?;
        Ok(Self {
            sub,
            _ctx: ctx.clone(),
        })
    }

    /// Hears from now on only of topics that match this pattern or another one that was subscribed to.
    pub fn subscribe(&self, pattern: impl Into<Pattern>) {
        self.sub.subscribe(pattern);
    }

    /// Waits for what happens next.
    ///
    /// # Errors
    /// [`Error::Socket`] if the context is ended.
    pub fn recv(&self) -> Result<BusEvent> {
        Ok(BusEvent::of(&self.sub.recv()?))
    }

    /// Waits for what happens next for at most `timeout`.
    ///
    /// # Errors
    /// [`Error::Socket`] with [`Timeout`](crate::Error::Timeout) if nothing did.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<BusEvent> {
        Ok(BusEvent::of(&self.sub.recv_timeout(timeout)?))
    }

    /// What has happened, if that was not told yet.
    ///
    /// # Errors
    /// [`Error::Socket`] with [`Empty`](crate::Error::Empty) if there is nothing.
    pub fn try_recv(&self) -> Result<BusEvent> {
        Ok(BusEvent::of(&self.sub.try_recv()?))
    }
}

/// Waits for each. Ends when the context does.
impl Iterator for Bus {
    type Item = BusEvent;

    fn next(&mut self) -> Option<BusEvent> {
        self.recv().ok()
    }
}

impl BusEvent {
    /// What a message says.
    pub(super) fn of(message: &Message) -> Self {
        let topic = message
            .get(0)
            .map(|topic| topic.topic().into_owned())
            .unwrap_or_default();
        let payload = message
            .get(1)
            .and_then(Arg::json::<Value>)
            .unwrap_or_default();
        Self::known(&topic, &payload).unwrap_or(Self::Other(Other { topic, payload }))
    }

    fn known(topic: &str, payload: &Value) -> Option<Self> {
        let text = |name| Some(payload.get(name)?.as_str()?.to_owned());
        let log = |source| {
            Some(Self::Log(Log {
                source,
                process: Source::of(payload)?,
                at: time(&payload["at"])?,
                data: text("data")?,
            }))
        };
        match topic {
            "log:out" => log(LogSource::Out),
            "log:err" => log(LogSource::Err),
            "log:PM2" => log(LogSource::Daemon),
            "process:event" => Some(Self::Process(ProcessEvent {
                event: text("event")?,
                manually: payload["manually"].as_bool().unwrap_or(false),
                process: Process::of_env(payload.get("process")?.clone()),
                at: time(&payload["at"])?,
            })),
            "process:msg" => Some(Self::Message(AppMessage {
                process: Source::of(payload)?,
                at: time(&payload["at"])?,
                data: payload.get("raw").or_else(|| payload.get("data"))?.clone(),
            })),
            "process:exception" => {
                let data = payload.get("data")?;
                Some(Self::Exception(Exception {
                    process: Source::of(payload)?,
                    at: time(&payload["at"])?,
                    message: data.get("message")?.as_str()?.to_owned(),
                    stack: data["stack"].as_str().map(str::to_owned),
                    data: data.clone(),
                }))
            }
            "pm2:kill" => Some(Self::Kill(Kill {
                status: text("status")?,
                msg: text("msg")?,
            })),
            _ => None,
        }
    }
}

impl Source {
    fn of(payload: &Value) -> Option<Self> {
        let process = Process::of_env(payload.get("process")?.clone());
        Some(Self {
            id: process.id(),
            name: process.name().to_owned(),
            namespace: process
                .env("namespace")
                .and_then(Value::as_str)
                .map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::value::Json;

    fn event(topic: &str, payload: Value) -> BusEvent {
        BusEvent::of(&Message::new(&(topic, Json(payload))).unwrap())
    }

    /// What daemons of pm2 6 and 7 have sent.
    #[test]
    fn the_vectors_are_understood() {
        let vectors: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/vectors/axon_vectors.json")).unwrap();
        let mut heard = Vec::new();
        for vector in vectors.iter().filter(|vector| vector["group"] == "pm2-bus") {
            let hex = vector["hex"].as_str().unwrap();
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
            let event = BusEvent::of(&Message::from_bytes(bytes).unwrap());
            heard.push(match event {
                BusEvent::Log(log) => {
                    assert!(!log.process.name.is_empty() && log.data.ends_with('\n'));
                    format!("{:?}", log.source)
                }
                BusEvent::Process(event) => {
                    assert!(event.process.id().is_some() && !event.process.name().is_empty());
                    event.event
                }
                BusEvent::Message(message) => {
                    assert!(!message.data.is_null());
                    "message".to_owned()
                }
                BusEvent::Exception(exception) => {
                    assert!(exception.stack.is_some());
                    "exception".to_owned()
                }
                BusEvent::Kill(kill) => kill.status,
                BusEvent::Other(other) => other.topic,
            });
        }
        assert_eq!(heard.len(), 12);
        for expected in ["Out", "Err", "Daemon", "message", "custom:topic", "killed"] {
            assert!(
                heard.iter().any(|heard| heard == expected),
                "{expected} of {heard:?}"
            );
        }
    }

    #[test]
    fn forged_events_are_something_else() {
        for (topic, payload) in [
            (
                "log:out",
                json!({"at": 1, "data": {"not": "text"}, "process": {"name": "x"}}),
            ),
            ("log:out", json!("text")),
            ("process:event", json!({})),
            ("pm2:kill", json!(null)),
            (
                "process:exception",
                json!({"data": "x", "at": 1, "process": {}}),
            ),
            ("", json!(null)),
        ] {
            let other = Other {
                topic: topic.to_owned(),
                payload: payload.clone(),
            };
            assert_eq!(event(topic, payload), BusEvent::Other(other));
        }
        let bytes = Message::new(&("log:out", b"bytes")).unwrap();
        assert!(matches!(BusEvent::of(&bytes), BusEvent::Other(_)));
    }
}
