//! [`Pm2`]: calls of a daemon.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ferrozmq::Ctx;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::process::time;
use super::{App, Bus, Error, Home, Id, Process, Result};
use crate::event::{Event, Events};
use crate::options::{Options, Overflow};
use crate::rpc::{CallError, Client, Methods};

/// A daemon of pm2, which is asked about its processes and told what to do with them.
///
/// It can be used by several threads at once. When the daemon goes, calls fail, and they work again as
/// soon as another one runs in the same place. No call waits for a daemon that does not run: it could
/// be carried out by another one later, whose processes are others.
#[derive(Debug)]
pub struct Pm2 {
    client: Client,
    /// What the daemon has, once it was asked; forgotten when a call shows that it is gone.
    methods: Mutex<Option<Arc<Methods>>>,
    /// What happens to the connection.
    events: Mutex<Events>,
    home: Home,
    ctx: Ctx,
}

/// Which processes are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Target {
    /// All of them.
    All,
    /// That of this id.
    Id(Id),
    /// All that have this name.
    Name(String),
    /// All in this namespace.
    Namespace(String),
}

impl From<u64> for Target {
    fn from(id: u64) -> Self {
        Self::Id(id.into())
    }
}

impl From<Id> for Target {
    fn from(id: Id) -> Self {
        Self::Id(id)
    }
}

impl From<&Id> for Target {
    fn from(id: &Id) -> Self {
        Self::Id(id.clone())
    }
}

impl From<&str> for Target {
    /// A name.
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl Target {
    fn is(&self, process: &Process) -> bool {
        match self {
            Self::All => true,
            Self::Id(id) => process.id().as_ref() == Some(id),
            Self::Name(name) => process.name() == name,
            Self::Namespace(namespace) => process.namespace() == namespace,
        }
    }
}

/// What a daemon tells of itself.
#[derive(Clone, PartialEq, Deserialize, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The version of pm2.
    pub pm2_version: String,
    /// The version of Node that runs it.
    #[serde(default)]
    pub node_version: String,
    /// Everything else.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl Report {
    /// When it was started.
    #[must_use]
    pub fn started_at(&self) -> Option<SystemTime> {
        time(self.others.get("started_at")?)
    }
}

/// Something that a daemon measures of the system.
#[derive(Clone, PartialEq, Deserialize, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// What it is now.
    pub value: Value,
    /// In what.
    #[serde(default)]
    pub unit: Option<String>,
}

/// How long a connection is waited for before it is looked again whether a daemon runs.
const AGAIN: Duration = Duration::from_millis(100);

/// An argument that a method takes without a use for it.
fn nothing() -> Value {
    json!({})
}

impl Pm2 {
    /// Connects to the daemon that the commands of pm2 use ([`Home::find`]).
    ///
    /// # Errors
    /// As for [`Pm2::connect`].
    pub fn open() -> Result<Self> {
        Self::connect(&Ctx::new(), &Home::find())
    }

    /// Connects to the daemon in a home directory.
    ///
    /// # Errors
    /// [`Error::NotRunning`], [`Error::Denied`]; [`Error::Socket`] if the context has no sockets left.
    pub fn connect(ctx: &Ctx, home: &Home) -> Result<Self> {
        home.check()?;
        // What a daemon has not read when nobody is interested any more need not wait for another one.
        let options = Options::new().linger(Some(Duration::ZERO));
        let options = options.hwm(0).overflow(Overflow::Error);
        let client = Client::with_options(ctx, &options)?;
        let events = Mutex::new(client.socket().events()?);
        client.socket().connect(home.rpc_socket())?;
        Ok(Self {
            client,
            methods: Mutex::default(),
            events,
            home: home.clone(),
            ctx: ctx.clone(),
        })
    }

    /// How long a call may take; `None` is for ever. Default 30 s.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.client.set_timeout(timeout);
    }

    /// Where the daemon lives.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// What happens from now on.
    ///
    /// # Errors
    /// [`Error::NotRunning`], [`Error::Denied`], [`Error::Socket`].
    pub fn bus(&self) -> Result<Bus> {
        Bus::connect(&self.ctx, &self.home)
    }

    // ── any call ─────────────────────────────────────────────────────────────────────────────

    /// The methods that the daemon has.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub fn methods(&self) -> Result<Arc<Methods>> {
        self.once_connected(|| self.known_methods())
    }

    fn known_methods(&self) -> Result<Arc<Methods>> {
        if let Some(known) = &*self.methods.lock() {
            return Ok(known.clone());
        }
        let methods = Arc::new(self.client.methods()?);
        *self.methods.lock() = Some(methods.clone());
        Ok(methods)
    }

    /// Calls any method of the daemon, with exactly as many arguments as it takes; one that needs none
    /// is given an empty object.
    ///
    /// # Errors
    /// [`Error::NoSuchMethod`] and [`Error::Arguments`], before anything is sent; [`Error::Call`].
    pub fn call<R: DeserializeOwned>(&self, method: &str, args: Vec<Value>) -> Result<R> {
        self.once_connected(|| {
            self.check_arguments(method, args.len())?;
            Ok(self.client.call(method, &args)?)
        })
    }

    /// Does what nothing is sent for while there is no connection, which may be about to come if a
    /// daemon runs. After a failure that may be another one.
    fn once_connected<R>(&self, act: impl Fn() -> Result<R>) -> Result<R> {
        let deadline = self.client.deadline();
        loop {
            let outcome = act();
            let Err(Error::Call(CallError::Socket(error))) = &outcome else {
                return outcome;
            };
            *self.methods.lock() = None;
            let is_late = deadline.is_some_and(|deadline| deadline <= Instant::now());
            if is_late || !matches!(error, crate::Error::Full) {
                return outcome;
            }
            self.home.check()?;
            let is_connected = |event: &Event| matches!(event, Event::Connect { .. });
            self.events.lock().wait_for(AGAIN, is_connected);
        }
    }

    fn check_arguments(&self, name: &str, given: usize) -> Result<()> {
        let methods = self.known_methods()?;
        let method = methods.get(name);
        let method = method.ok_or_else(|| Error::NoSuchMethod(name.to_owned()))?;
        // The last parameter is the callback. Where there is none, the function was bound, and takes
        // options.
        let takes = method.params.len().checked_sub(1).unwrap_or(1);
        if takes != given {
            return Err(Error::Arguments {
                method: name.to_owned(),
                takes,
                given,
            });
        }
        Ok(())
    }

    // ── the daemon ───────────────────────────────────────────────────────────────────────────

    /// Asks the daemon for a sign of life.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub fn ping(&self) -> Result<()> {
        self.call::<Value>("ping", vec![nothing()]).map(drop)
    }

    /// The version of the daemon.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub fn version(&self) -> Result<String> {
        self.call("getVersion", vec![nothing()])
    }

    /// What the daemon tells of itself.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub fn report(&self) -> Result<Report> {
        self.call("getReport", vec![nothing()])
    }

    /// What the daemon measures of the system, by name; from pm2 7 on.
    ///
    /// # Errors
    /// [`Error::NoSuchMethod`] before pm2 7, [`Error::Call`].
    pub fn system(&self) -> Result<BTreeMap<String, Metric>> {
        self.call("getSystemData", vec![nothing()])
    }

    /// Has all log files opened anew, after they were moved.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub fn reload_logs(&self) -> Result<()> {
        self.call::<Value>("reloadLogs", vec![nothing()]).map(drop)
    }

    /// Ends all processes and the daemon, as `pm2 kill` does, and returns when it is gone.
    ///
    /// # Errors
    /// [`Error::Call`], with [`Timeout`](crate::Error::Timeout) if it is still there.
    pub fn kill(&self) -> Result<()> {
        // A daemon replies to neither: the first has no reply, and the second is its last.
        self.once_connected(|| {
            self.check_arguments("notifyKillPM2", 1)?;
            Ok(self.client.notify("notifyKillPM2", [nothing()])?)
        })?;
        for id in self.ids(Target::All)? {
            match self.call::<Value>("deleteProcessId", vec![json!(id)]) {
                // One that has ended by itself meanwhile is no reason to leave the others.
                Ok(_) | Err(Error::Call(CallError::Remote(_))) => {}
                Err(error) => return Err(error),
            }
        }
        match self.call::<Value>("killMe", vec![nothing()]) {
            Ok(_)
            | Err(Error::Call(CallError::Socket(crate::Error::PeerGone)) | Error::NotRunning(_)) => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    // ── processes ────────────────────────────────────────────────────────────────────────────

    /// All processes, with the memory and the processor time they use.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub fn list(&self) -> Result<Vec<Process>> {
        self.call("getMonitorData", vec![nothing()])
    }

    /// These processes, with the memory and the processor time they use.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`] if there are none of that id, name or namespace; [`Error::Call`].
    pub fn describe(&self, target: impl Into<Target>) -> Result<Vec<Process>> {
        let target = target.into();
        let mut processes = self.list()?;
        processes.retain(|process| target.is(process));
        match &target {
            Target::All => {}
            _ if !processes.is_empty() => {}
            Target::Id(id) => return Err(Error::NoSuchProcess(id.to_string())),
            Target::Name(name) | Target::Namespace(name) => {
                return Err(Error::NoSuchProcess(name.clone()));
            }
        }
        Ok(processes)
    }

    /// Has a new app run. Returns its processes.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub fn launch(&self, app: &App) -> Result<Vec<Process>> {
        self.call("prepare", vec![app.to_json(&self.home)])
    }

    /// The ids of these processes. One that is told by its id need not be looked for.
    fn ids(&self, target: Target) -> Result<Vec<Id>> {
        if let Target::Id(id) = target {
            return Ok(vec![id]);
        }
        let processes = self.describe(target)?;
        Ok(processes.iter().filter_map(Process::id).collect())
    }

    /// Calls a method for each of these processes.
    fn for_each<R: DeserializeOwned>(
        &self,
        target: impl Into<Target>,
        method: &str,
        arg: impl Fn(&Id) -> Value,
    ) -> Result<Vec<R>> {
        let ids = self.ids(target.into())?;
        ids.iter()
            .map(|id| self.call(method, vec![arg(id)]))
            .collect()
    }

    /// Starts processes that were stopped.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`]; [`Error::Call`], with
    /// [`Remote`](CallError::Remote) in it if one is running, or the id is unknown.
    pub fn start(&self, target: impl Into<Target>) -> Result<Vec<Process>> {
        self.for_each(target, "startProcessId", |id| json!(id))
    }

    /// Stops processes. They stay in the list.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Call`].
    pub fn stop(&self, target: impl Into<Target>) -> Result<Vec<Process>> {
        self.for_each(target, "stopProcessId", |id| json!(id))
    }

    /// Restarts processes, whether they are running or not.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Call`].
    pub fn restart(&self, target: impl Into<Target>) -> Result<Vec<Process>> {
        self.for_each(
            target,
            "restartProcessId",
            |id| json!({ "id": id, "env": {} }),
        )
    }

    /// Restarts processes, with these variables added to their environment.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Call`].
    pub fn restart_with(
        &self,
        target: impl Into<Target>,
        env: &BTreeMap<String, String>,
    ) -> Result<Vec<Process>> {
        self.for_each(
            target,
            "restartProcessId",
            |id| json!({ "id": id, "env": env }),
        )
    }

    /// Reloads processes: those of a cluster one by one, so that there is always one.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Call`].
    pub fn reload(&self, target: impl Into<Target>) -> Result<Vec<Process>> {
        self.for_each(
            target,
            "reloadProcessId",
            |id| json!({ "id": id, "env": {} }),
        )
    }

    /// As [`Pm2::reload`], of processes that are told to end by themselves first.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Call`].
    pub fn soft_reload(&self, target: impl Into<Target>) -> Result<Vec<Process>> {
        self.for_each(
            target,
            "softReloadProcessId",
            |id| json!({ "id": id, "env": {} }),
        )
    }

    /// Ends processes and takes them off the list.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Call`].
    pub fn delete(&self, target: impl Into<Target>) -> Result<Vec<Process>> {
        self.for_each(target, "deleteProcessId", |id| json!(id))
    }

    /// Has one more of each of these processes run.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Call`].
    pub fn duplicate(&self, target: impl Into<Target>) -> Result<Vec<Process>> {
        self.for_each(target, "duplicateProcessId", |id| json!(id))
    }

    /// Sets the count of restarts of these processes to zero.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Call`].
    pub fn reset(&self, target: impl Into<Target>) -> Result<()> {
        self.for_each::<Value>(target, "resetMetaProcessId", |id| json!(id))
            .map(drop)
    }

    /// Writes a line to the standard input of processes, which must not be in cluster mode. An end of
    /// line is added if there is none.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Call`].
    pub fn send_line(&self, target: impl Into<Target>, line: &str) -> Result<()> {
        let end = if line.ends_with('\n') { "" } else { "\n" };
        let line = format!("{line}{end}");
        let arg = |id: &Id| json!({ "pm_id": id, "line": line });
        self.for_each::<Value>(target, "sendLineToStdin", arg)
            .map(drop)
    }

    /// Sends data to processes of Node, where it comes as a message of `process`, with its topic.
    ///
    /// # Errors
    /// [`Error::Call`], among others with [`Args`](CallError::Args) if the data is no JSON;
    /// [`Error::NoSuchProcess`].
    pub fn send_data(
        &self,
        target: impl Into<Target>,
        topic: &str,
        data: impl Serialize,
    ) -> Result<()> {
        let data = serde_json::to_value(data).map_err(CallError::Args)?;
        let arg =
            |id: &Id| json!({ "id": id, "type": "process:msg", "topic": topic, "data": data });
        self.for_each::<Value>(target, "sendDataToProcessId", arg)
            .map(drop)
    }

    /// Triggers an action that the processes offer through pm2's monitoring module. What comes of it
    /// is told on the bus, as [`BusEvent::Other`](super::BusEvent::Other) with the topic `axm:reply`.
    ///
    /// # Errors
    /// [`Error::Call`], with [`Remote`](CallError::Remote) in it if there is no such action;
    /// [`Error::NoSuchProcess`].
    pub fn trigger(&self, target: impl Into<Target>, action: &str, options: &Value) -> Result<()> {
        let arg = |id: &Id| match options {
            Value::Null => json!({ "id": id, "msg": action }),
            options => json!({ "id": id, "msg": action, "opts": options }),
        };
        self.for_each::<Value>(target, "msgProcess", arg).map(drop)
    }

    /// Sends a signal, such as `SIGHUP`, to processes.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Call`].
    pub fn signal(&self, target: impl Into<Target>, signal: &str) -> Result<()> {
        let arg = |id: &Id| json!({ "process_id": id, "signal": signal });
        self.for_each::<Value>(target, "sendSignalToProcessId", arg)
            .map(drop)
    }

    /// Sends a signal to all processes of this name. It takes the daemon a fifth of a second for each.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub fn signal_name(&self, name: &str, signal: &str) -> Result<()> {
        let arg = json!({ "process_name": name, "signal": signal });
        self.call::<Value>("sendSignalToProcessName", vec![arg])
            .map(drop)
    }

    /// Has the daemon tell on its bus that something happened to processes.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Call`].
    pub fn announce(&self, target: impl Into<Target>, event: &str) -> Result<()> {
        let arg = |id: &Id| json!({ "id": id, "action_name": event, "manually": true });
        self.for_each::<Value>(target, "notifyByProcessId", arg)
            .map(drop)
    }

    /// Has processes restarted when their files change, or not any more.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Call`].
    pub fn watch(&self, target: impl Into<Target>, watches: bool) -> Result<()> {
        for id in self.ids(target.into())? {
            let (method, value) = if watches {
                ("startWatch", json!({ "id": id }))
            } else {
                ("stopWatch", json!(id))
            };
            self.call::<Value>(method, vec![json!("restartProcessId"), value])?;
        }
        Ok(())
    }

    /// Has processes watched that are not, and the other way round.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Call`].
    pub fn toggle_watch(&self, target: impl Into<Target>) -> Result<()> {
        for id in self.ids(target.into())? {
            let args = vec![json!("restartProcessId"), json!({ "id": id })];
            self.call::<Value>("toggleWatch", args)?;
        }
        Ok(())
    }

    /// Has the agent of pm2's service look after processes, or not any more.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], [`Error::Call`].
    pub fn monitor(&self, target: impl Into<Target>, monitors: bool) -> Result<()> {
        let method = if monitors { "monitor" } else { "unmonitor" };
        self.for_each::<Value>(target, method, |id| json!(id))
            .map(drop)
    }

    /// Measures for so long what the daemon itself does, and writes that to a file.
    ///
    /// # Errors
    /// [`Error::Call`], with [`Timeout`](crate::Error::Timeout) if the limit of calls is shorter.
    pub fn profile_cpu(&self, file: &Path, length: Duration) -> Result<PathBuf> {
        self.profile("profileCPU", file, length)
    }

    /// Writes to a file what is in the memory of the daemon itself.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub fn profile_memory(&self, file: &Path) -> Result<PathBuf> {
        self.profile("profileMEM", file, Duration::ZERO)
    }

    fn profile(&self, method: &str, file: &Path, length: Duration) -> Result<PathBuf> {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Written {
            File(PathBuf),
            Error(Value),
        }
        let arg = json!({ "pwd": file, "timeout": length.as_millis() as u64 });
        match self.call(method, vec![arg])? {
            Written::File(file) => Ok(file),
            Written::Error(error) => {
                let remote = crate::rpc::RemoteError { error, stack: None };
                Err(Error::Call(remote.into()))
            }
        }
    }
}
