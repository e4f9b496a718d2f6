//! What pm2 tells of a process.

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What pm2 knows a process by: a number, or a text while it is replaced in a reload.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
#[serde(untagged)]
pub enum Id {
    /// A number.
    Number(u64),
    /// Something like `_old_0`.
    Text(String),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

/// What a process is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Status {
    /// `online`
    Online,
    /// `stopping`
    Stopping,
    /// `stopped`
    Stopped,
    /// `launching`
    Launching,
    /// `errored`: it ended too often, and is not started again.
    Errored,
    /// `waiting restart`
    WaitingRestart,
    /// `one-launch-status`
    OneLaunch,
    /// Any other text.
    Other(String),
}

impl Status {
    /// The word of pm2.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Online => "online",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Launching => "launching",
            Self::Errored => "errored",
            Self::WaitingRestart => "waiting restart",
            Self::OneLaunch => "one-launch-status",
            Self::Other(text) => text,
        }
    }
}

impl From<&str> for Status {
    fn from(text: &str) -> Self {
        let known = [
            Self::Online,
            Self::Stopping,
            Self::Stopped,
            Self::Launching,
            Self::Errored,
            Self::WaitingRestart,
            Self::OneLaunch,
        ];
        let other = || Self::Other(text.to_owned());
        known
            .into_iter()
            .find(|status| status.as_str() == text)
            .unwrap_or_else(other)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a process is run.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ExecMode {
    /// `fork_mode`: a process of its own.
    Fork,
    /// `cluster_mode`: one of several that share their ports.
    Cluster,
    /// Any other text.
    Other(String),
}

/// A process as pm2 tells of it.
///
/// Versions of pm2 and configurations differ in what they tell, so everything may be missing, and is
/// then empty, zero or `None`. What is not here by name is in [`Process::env`] and
/// [`Process::as_json`].
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Process {
    json: Value,
}

impl Process {
    /// A process of which only its `pm2_env` is told.
    pub(super) fn of_env(env: Value) -> Self {
        let mut json = Map::new();
        json.insert("pm2_env".to_owned(), env);
        Self { json: json.into() }
    }

    /// All that was told.
    #[must_use]
    pub fn as_json(&self) -> &Value {
        &self.json
    }

    /// A member of `pm2_env`: a setting of the process, something that pm2 knows of it, or a variable of
    /// its environment.
    #[must_use]
    pub fn env(&self, name: &str) -> Option<&Value> {
        self.json["pm2_env"].get(name)
    }

    /// A member that is told outside of `pm2_env`, inside, or both.
    fn either(&self, name: &str) -> Option<&Value> {
        self.json.get(name).or_else(|| self.env(name))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.env(name)?.as_str()
    }

    fn number(&self, name: &str) -> u64 {
        self.env(name).and_then(unsigned).unwrap_or(0)
    }

    fn path(&self, name: &str) -> Option<&Path> {
        self.text(name).map(Path::new)
    }

    /// `pm_id`: what pm2 knows it by.
    #[must_use]
    pub fn id(&self) -> Option<Id> {
        Id::deserialize(self.either("pm_id")?).ok()
    }

    /// Its name, which others may have as well.
    #[must_use]
    pub fn name(&self) -> &str {
        self.either("name").and_then(Value::as_str).unwrap_or("")
    }

    /// The namespace that it is in.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.text("namespace").unwrap_or("default")
    }

    /// The id of its process in the system, while there is one.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let pid = self
            .json
            .get("pid")
            .or_else(|| self.json["process"].get("pid"))?;
        let pid = u32::try_from(pid.as_u64()?).ok()?;
        (pid != 0).then_some(pid)
    }

    /// What it is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::from(self.text("status").unwrap_or(""))
    }

    /// How it is run.
    #[must_use]
    pub fn mode(&self) -> ExecMode {
        match self.text("exec_mode").unwrap_or("") {
            "fork_mode" => ExecMode::Fork,
            "cluster_mode" => ExecMode::Cluster,
            other => ExecMode::Other(other.to_owned()),
        }
    }

    /// How much memory it has in use, in bytes; only in a list.
    #[must_use]
    pub fn memory(&self) -> Option<u64> {
        unsigned(self.json["monit"].get("memory")?)
    }

    /// How much it has a processor work, in percent of one; only in a list.
    #[must_use]
    pub fn cpu(&self) -> Option<f64> {
        self.json["monit"].get("cpu")?.as_f64()
    }

    /// How often it was started again.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.number("restart_time")
    }

    /// How often it ended too early of late.
    #[must_use]
    pub fn unstable_restarts(&self) -> u64 {
        self.number("unstable_restarts")
    }

    /// When it was started last.
    #[must_use]
    pub fn started_at(&self) -> Option<SystemTime> {
        time(self.env("pm_uptime")?)
    }

    /// When pm2 was first told of it.
    #[must_use]
    pub fn created_at(&self) -> Option<SystemTime> {
        time(self.env("created_at")?)
    }

    /// How long it has been running, if it is.
    #[must_use]
    pub fn uptime(&self) -> Option<Duration> {
        if self.status() != Status::Online {
            return None;
        }
        self.started_at()?.elapsed().ok()
    }

    /// With which code it ended last.
    #[must_use]
    pub fn exit_code(&self) -> Option<i64> {
        self.env("exit_code")?.as_i64()
    }

    /// The program or script.
    #[must_use]
    pub fn script(&self) -> Option<&Path> {
        self.path("pm_exec_path")
    }

    /// The directory that it runs in.
    #[must_use]
    pub fn cwd(&self) -> Option<&Path> {
        self.path("pm_cwd")
    }

    /// What runs its script.
    #[must_use]
    pub fn interpreter(&self) -> Option<&Path> {
        self.path("exec_interpreter")
    }

    /// The file of what it writes to its standard output.
    #[must_use]
    pub fn out_log(&self) -> Option<&Path> {
        self.path("pm_out_log_path")
    }

    /// The file of what it writes to its standard error output.
    #[must_use]
    pub fn err_log(&self) -> Option<&Path> {
        self.path("pm_err_log_path")
    }

    /// Its version, as its `package.json` has it.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.text("version")
    }

    /// The version of Node that runs it.
    #[must_use]
    pub fn node_version(&self) -> Option<&str> {
        self.text("node_version")
    }

    /// Whether it is restarted when its files change.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        !matches!(
            self.env("watch"),
            None | Some(Value::Null | Value::Bool(false))
        )
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("pid", &self.pid())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// A number that is not negative, whether it has a fraction or not.
fn unsigned(value: &Value) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast of a float saturates"
    )]
    #[expect(clippy::cast_sign_loss, reason = "a cast of a float saturates")]
    value
        .as_u64()
        .or_else(|| value.as_f64().map(|number| number as u64))
}

/// Milliseconds since 1970.
pub(super) fn time(value: &Value) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(unsigned(value)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_process_of_which_nothing_is_told() {
        for json in [
            json!({}),
            json!(null),
            json!([1]),
            json!({"pm2_env": 5, "monit": "x"}),
        ] {
            let process = Process { json };
            assert_eq!(
                (process.name(), process.id(), process.pid()),
                ("", None, None)
            );
            assert_eq!(
                (process.status(), process.restarts()),
                (Status::Other(String::new()), 0)
            );
            assert_eq!(
                (process.memory(), process.cpu(), process.uptime()),
                (None, None, None)
            );
            assert!(!process.is_watched());
        }
    }

    #[test]
    fn ids_and_pids_come_in_several_places() {
        let of = |json| Process { json };
        let listed = of(json!({"pid": 7, "name": "a", "pm_id": 0, "pm2_env": {"name": "b"}}));
        assert_eq!(
            (listed.name(), listed.id(), listed.pid()),
            ("a", Some(Id::Number(0)), Some(7))
        );
        let started =
            of(json!({"process": {"pid": 8}, "pm2_env": {"name": "b", "pm_id": "_old_0"}}));
        assert_eq!((started.name(), started.pid()), ("b", Some(8)));
        assert_eq!(started.id().unwrap().to_string(), "_old_0");
        assert_eq!(of(json!({"pid": 0})).pid(), None);
    }

    #[test]
    fn statuses_have_the_words_of_pm2() {
        for word in [
            "online",
            "stopped",
            "errored",
            "waiting restart",
            "something new",
        ] {
            assert_eq!(Status::from(word).as_str(), word);
        }
        assert_eq!(format!("{:>8}", Status::Online), "  online");
    }
}
