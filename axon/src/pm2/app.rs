//! What pm2 is told to run.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Home;

/// A program for pm2 to run, made like a [`Command`](std::process::Command).
///
/// By default it is a script for Node, run in its own directory, once, with the environment of this
/// process, and it is started again when it ends. Its output goes to the directory `logs` of the
/// daemon's home.
///
/// ```
/// use ferrozmq_axon::pm2::App;
///
/// let app = App::new("worker", "/srv/worker.js")
///     .args(["--queue", "mail"])
///     .env("NODE_ENV", "production")
///     .max_restarts(5);
/// let binary = App::new("server", "/usr/local/bin/server").interpreter("none");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct App {
    name: String,
    script: PathBuf,
    cwd: Option<PathBuf>,
    interpreter: Option<PathBuf>,
    interpreter_args: Vec<String>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    /// Whatever else pm2 knows, by its names.
    others: BTreeMap<String, Value>,
}

impl App {
    /// An app of this name that runs the script or program at this path, which is best absolute: the
    /// daemon has a directory of its own.
    pub fn new(name: impl Into<String>, script: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            script: script.into(),
            cwd: None,
            interpreter: None,
            interpreter_args: Vec::new(),
            args: Vec::new(),
            // What is no Unicode cannot be said in JSON.
            env: env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            others: BTreeMap::new(),
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The directory that it runs in.
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// The program that runs the script; `none` runs it as it is. Default: `node`, as it is found in the
    /// `PATH` of this process.
    pub fn interpreter(mut self, program: impl Into<PathBuf>) -> Self {
        self.interpreter = Some(program.into());
        self
    }

    /// Adds an argument of the interpreter.
    pub fn interpreter_arg(mut self, arg: impl Into<String>) -> Self {
        self.interpreter_args.push(arg.into());
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Empties its environment.
    pub fn env_clear(mut self) -> Self {
        self.env.clear();
        self
    }

    /// How many processes are to run.
    pub fn instances(self, instances: u32) -> Self {
        self.set("instances", instances)
    }

    /// Runs it by Node's `cluster` module, so that its instances share their ports.
    pub fn cluster(self) -> Self {
        self.set("exec_mode", "cluster_mode")
    }

    /// Whether it is started again when it ends. Default: true.
    pub fn autorestart(self, yes: bool) -> Self {
        self.set("autorestart", yes)
    }

    /// How often it may end too early before it is not started any more.
    pub fn max_restarts(self, times: u32) -> Self {
        self.set("max_restarts", times)
    }

    /// The namespace that it is in. Default: `default`.
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        self.set("namespace", namespace.into())
    }

    /// Sets anything that the daemon understands, by the name that it has in `pm2_env`.
    pub fn set(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.others.insert(name.into(), value.into());
        self
    }

    /// The app as the daemon wants it.
    pub(super) fn to_json(&self, home: &Home) -> Value {
        let parent = self.script.parent().unwrap_or(Path::new("/"));
        let interpreter = self.interpreter.clone().unwrap_or_else(find_node);
        let log = |kind| {
            home.path()
                .join("logs")
                .join(format!("{}-{kind}.log", self.name))
        };
        let pid_file = home.path().join("pids").join(format!("{}.pid", self.name));
        let mut app = json!({
            "name": self.name,
            "namespace": "default",
            "pm_exec_path": self.script,
            "pm_cwd": self.cwd.as_deref().unwrap_or(parent),
            "exec_interpreter": interpreter,
            "exec_mode": "fork_mode",
            "node_args": self.interpreter_args,
            "args": self.args,
            "env": self.env,
            "autorestart": true,
            "autostart": true,
            "vizion": false,
            "pmx": false,
            "merge_logs": true,
            "treekill": true,
            "windowsHide": true,
            "kill_retry_time": 100,
            "instance_var": "NODE_APP_INSTANCE",
            "username": self.env.get("USER").map_or("", String::as_str),
            "pm_out_log_path": log("out"),
            "pm_err_log_path": log("error"),
            "pm_pid_path": pid_file,
        });
        for (name, value) in &self.others {
            app[name] = value.clone();
        }
        app
    }
}

/// Where `node` is; the bare name if it is nowhere, so that the daemon says so.
fn find_node() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|directory| directory.join("node"));
    found
        .into_iter()
        .find(|node| node.is_file())
        .unwrap_or_else(|| PathBuf::from("node"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_has_what_the_daemon_needs() {
        let app = App::new("worker", "/srv/worker.js")
            .arg("a")
            .args(["b", "c"])
            .env_clear()
            .env("X", "y")
            .instances(2)
            .autorestart(false);
        let json = app.to_json(&Home::at("/home/me/.pm2"));
        assert_eq!(json["pm_cwd"], "/srv");
        assert_eq!(json["args"], json!(["a", "b", "c"]));
        assert_eq!(json["env"], json!({"X": "y"}));
        assert_eq!(json["instances"], 2);
        assert_eq!(json["autorestart"], false);
        assert_eq!(json["pm_out_log_path"], "/home/me/.pm2/logs/worker-out.log");
        assert_eq!(json["pm_pid_path"], "/home/me/.pm2/pids/worker.pid");
    }
}
