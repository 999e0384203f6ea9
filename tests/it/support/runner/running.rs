//! A step while it runs, and what it leaves.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::CommandFiles;
use crate::support::part;

/// How long the runner waits after the first and the second signal (actions/runner, `ProcessInvoker.cs`).
const AFTER_INTERRUPT: Duration = Duration::from_millis(7500);
const AFTER_TERMINATE: Duration = Duration::from_millis(2500);

/// A running step. Its container is gone when this is dropped.
pub struct Running {
    name: String,
    client: Pid,
    files: CommandFiles,
    lines: Receiver<String>,
    log: String,
    exit: Receiver<ExitStatus>,
}

/// What ended a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// It ended without a signal.
    Itself,
    /// It ended in the time that SIGINT leaves.
    Interrupt,
    /// It ended in the time that SIGTERM leaves.
    Terminate,
    /// The client was killed, and the container left behind.
    Kill,
}

/// What a step left.
pub struct Ended {
    pub code: Option<i32>,
    pub by: EndedBy,
    /// Standard output and standard error, line by line.
    pub log: String,
    pub outputs: BTreeMap<String, String>,
    pub summary: String,
}

impl Running {
    pub(super) fn start(mut command: Command, name: String, files: CommandFiles) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let client = Pid::from_child(&child);
        let (sender, lines) = mpsc::channel();
        read(child.stdout.take().unwrap(), sender.clone());
        read(child.stderr.take().unwrap(), sender);
        let (sender, exit) = mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait().unwrap()));
        Self { name, client, files, lines, log: String::new(), exit }
    }

    /// Waits until the log says something.
    #[track_caller]
    pub fn until(&mut self, text: &str) -> &mut Self {
        loop {
            let Ok(line) = self.lines.recv() else { panic!("it ended and never said {text:?}:\n{}", self.log) };
            self.log.push_str(&line);
            if line.contains(text) {
                return self;
            }
        }
    }

    /// Waits for its end.
    pub fn wait(self) -> Ended {
        let status = self.exit.recv().unwrap();
        self.ended(status, EndedBy::Itself)
    }

    /// Cancels it as the runner does. Its signals go to the client, which passes them to PID 1 of the container.
    pub fn cancel(self) -> Ended {
        for (signal, limit, by) in [
            (Signal::INT, AFTER_INTERRUPT, EndedBy::Interrupt),
            (Signal::TERM, AFTER_TERMINATE, EndedBy::Terminate),
            (Signal::KILL, Duration::MAX, EndedBy::Kill),
        ] {
            // It may have ended just now.
            let _ = kill_process(self.client, signal);
            if let Ok(status) = self.exit.recv_timeout(limit) {
                return self.ended(status, by);
            }
        }
        panic!("the client outlived SIGKILL")
    }

    fn ended(mut self, status: ExitStatus, by: EndedBy) -> Ended {
        self.log.extend(self.lines.iter());
        self.files.assert_readable();
        Ended {
            code: status.code(),
            by,
            log: std::mem::take(&mut self.log),
            outputs: self.files.outputs(),
            summary: self.files.summary(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut docker = Command::new("docker");
        docker.env("DOCKER_HOST", part("DOCKER")).args(["rm", "--force", &self.name]);
        let _ = docker.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// Sends what a pipe brings, line by line.
fn read(pipe: impl Read + Send + 'static, lines: Sender<String>) {
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
}
