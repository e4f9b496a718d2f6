//! The far side of a run as a process of its own: what is posted on one process's board is carried
//! to the other's, a line each, through the far process's standard input and output.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::play::Stage;
use crate::spec::{RunSpec, Side};
use crate::usage::Usage;
use crate::{Result, fail};

const READY: &str = "ready";
const OVER: &str = "over";

/// The far process, seen from the near one.
pub(crate) struct FarProcess {
    child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

impl FarProcess {
    /// Starts the far side, which binds to `endpoint` if it is the one that binds.
    pub(crate) fn start(spec: &RunSpec, endpoint: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("run")
            .args(spec.to_args())
            .args(["--far", endpoint])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = child.stdin.take().ok_or("no pipe to the far side")?;
        let from = child.stdout.take().ok_or("no pipe from the far side")?;
        Ok(Self {
            child,
            to,
            from: BufReader::new(from).lines(),
        })
    }

    /// Carries the news on a thread of its own, which returns what the far side has used.
    pub(crate) fn attend(self, stage: &Arc<Stage>) -> JoinHandle<Result<Usage>> {
        let stage = stage.clone();
        thread::spawn(move || {
            let attended = self.carry(&stage);
            if let Err(error) = &attended {
                fail(&**error);
            }
            attended
        })
    }

    fn carry(mut self, stage: &Stage) -> Result<Usage> {
        if stage.spec.cast(Side::Far).binds {
            stage.board.post_bound(next(&mut self.from)?);
        } else {
            writeln!(self.to, "{}", stage.board.wait_bound())?;
        }
        stage.board.wait_ready();
        writeln!(self.to, "{READY}")?;
        stage.board.wait_over();
        writeln!(self.to, "{OVER}")?;
        let usage = serde_json::from_str(&next(&mut self.from)?)?;
        self.child.wait()?;
        Ok(usage)
    }
}

/// The far process: posts what the near one says, and tells at the end what it has used.
pub(crate) fn obey(stage: &Stage) -> Result<()> {
    let mut from = std::io::stdin().lines();
    if stage.spec.cast(Side::Far).binds {
        println!("{}", stage.board.wait_bound());
    } else {
        stage.board.post_bound(next(&mut from)?);
    }
    expect(&mut from, READY)?;
    stage.board.post_ready();
    expect(&mut from, OVER)?;
    stage.board.post_over();
    let usage = stage.board.wait_over().usage - stage.board.wait_ready().usage;
    println!("{}", serde_json::to_string(&usage)?);
    Ok(())
}

fn next(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Result<String> {
    Ok(lines.next().ok_or("the other process has ended")??)
}

fn expect(lines: &mut impl Iterator<Item = std::io::Result<String>>, what: &str) -> Result<()> {
    let line = next(lines)?;
    if line == what {
        return Ok(());
    }
    Err(format!("the other process says {line:?} instead of {what:?}").into())
}
