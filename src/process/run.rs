//! A run of a program, from its start to its end.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc as mpsc_async, oneshot};

use super::reach::Allowance;
use super::{Error, Program, Stream, scratch, script, supervisor};
use crate::text;

/// How long a supervisor may take to end what it watches, before it is killed itself.
const GRACE: Duration = Duration::from_secs(5);
/// How many of a program's last lines an error carries, and how many characters of each.
const LAST_LINES: usize = 12;
const LAST_LINE_LENGTH: usize = 400;

/// A run of a program: in the folder `/`, without any environment and with 1 MiB for each output unless told otherwise.
#[derive(Debug)]
pub(crate) struct Run {
    program: Program,
    allowance: Allowance,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    folder: PathBuf,
    deadline: Duration,
    stdin: Vec<u8>,
    stdout_limit: u64,
    stderr_limit: u64,
    in_turn: bool,
}

/// What a program that ended by itself produced.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Its exit code.
    pub(crate) code: i32,
    /// What it wrote to standard output; empty where that was streamed.
    pub(crate) stdout: Vec<u8>,
    /// What it wrote to standard error; invalid UTF-8 is replaced.
    pub(crate) stderr: String,
}

impl Output {
    /// The last lines of standard error, fit to be shown.
    #[must_use]
    pub(crate) fn last_lines(&self) -> Vec<String> {
        last_lines(&self.stderr)
    }
}

impl Run {
    pub(super) fn new(program: Program, deadline: Duration, allowance: Allowance) -> Self {
        Self {
            program,
            allowance,
            args: Vec::new(),
            env: Vec::new(),
            folder: PathBuf::from("/"),
            deadline,
            stdin: Vec::new(),
            stdout_limit: 1 << 20,
            stderr_limit: 1 << 20,
            in_turn: false,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub(crate) fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds a variable to the environment.
    #[must_use]
    pub(crate) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts it in `folder`.
    #[must_use]
    pub(crate) fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Gives it something to read; otherwise its standard input is empty.
    #[must_use]
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Caps standard output, in bytes.
    #[must_use]
    pub(crate) fn stdout_limit(mut self, bytes: u64) -> Self {
        self.stdout_limit = bytes;
        self
    }

    /// Caps standard error, in bytes.
    #[must_use]
    pub(crate) fn stderr_limit(mut self, bytes: u64) -> Self {
        self.stderr_limit = bytes;
        self
    }

    /// Starts it once there is room for it beside the other large programs of the run, which is no part of its time; and tells
    /// it, if it is written in Go, how many processors it may use: not all find out in a container.
    #[must_use]
    pub(crate) fn in_turn(self) -> Self {
        let processors = self.program.turns.processors().to_string();
        Self { in_turn: true, ..self }.env("GOMAXPROCS", processors)
    }

    /// Runs it to its end, with its standard output in memory. Dropping the future ends the program and all it started.
    ///
    /// # Errors
    /// See [`Error`]. An exit code other than 0 is not an error here: its meaning is up to the caller.
    pub(crate) async fn output(self) -> Result<Output, Error> {
        let mut stdout = Vec::new();
        let output = self.stream(|bytes| stdout.extend_from_slice(bytes)).await?;
        Ok(Output { stdout, ..output })
    }

    /// As [`Run::output`], with standard output passed on piece by piece as it comes.
    ///
    /// # Errors
    /// As [`Run::output`].
    pub(crate) async fn stream(self, mut stdout: impl FnMut(&[u8]) + Send) -> Result<Output, Error> {
        self.finish(Sink::Call(&mut stdout)).await
    }

    /// As [`Run::output`], with standard output sent on piece by piece, as fast as it is received there.
    ///
    /// # Errors
    /// As [`Run::output`]; and nobody receives it.
    pub(crate) async fn send(self, stdout: mpsc_async::Sender<Bytes>) -> Result<Output, Error> {
        self.finish(Sink::Channel(stdout)).await
    }

    async fn finish(self, stdout: Sink<'_>) -> Result<Output, Error> {
        let name = self.program.name.clone();
        let _turn = if self.in_turn { self.program.turns.next().await } else { None };
        let mut running = Running(self.spawn().await?);
        let mut stderr = Vec::new();
        let ending = tokio::time::timeout(self.deadline, self.follow(&mut running.0, stdout, &mut stderr)).await;
        if !matches!(ending, Ok(Ok(_))) {
            running.end().await;
        }
        if let Allowance::Reach(reach) = &self.allowance {
            let folders = reach.writes.clone();
            // Whoever removes them may go on even if this could not be done.
            let _ = tokio::task::spawn_blocking(move || folders.iter().for_each(|folder| scratch::flatten(folder))).await;
        }
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        let last = || last_lines(&stderr);
        match ending {
            Err(_) => Err(Error::Deadline { program: name, after: self.deadline, last: last() }),
            Ok(Err(Interruption::TooLarge(stream, limit))) => {
                Err(Error::OutputTooLarge { program: name, stream, limit, last: last() })
            }
            Ok(Err(Interruption::Io(source))) => Err(Error::Io { program: name, source }),
            Ok(Ok(status)) => self.judge(status, stderr),
        }
    }

    fn judge(self, status: ExitStatus, stderr: String) -> Result<Output, Error> {
        let is_shut_in = matches!(self.allowance, Allowance::Reach(_)) && self.program.sandbox.keeps_files_shut();
        let Program { name: program, path, .. } = self.program;
        let interpreter = is_shut_in.then(|| script::interpreters(&path).next()).flatten();
        match status.code() {
            Some(code) if code == i32::from(supervisor::NOT_STARTED) && stderr.contains(supervisor::NOT_STARTED_MARK) => {
                let reason = stderr.rsplit(supervisor::NOT_STARTED_MARK).next().unwrap_or_default().trim();
                Err(Error::Spawn { program, path, reason: text::words(reason).into() })
            }
            Some(code) if code == i32::from(supervisor::ENDED) && stderr.contains(supervisor::ENDED_MARK) => {
                let (said, reason) = stderr.rsplit_once(supervisor::ENDED_MARK).unwrap_or_default();
                Err(Error::Breach { program, reason: text::words(reason.trim()).into(), last: last_lines(said) })
            }
            // A shell's words for what it may not start, and for what it does not find (POSIX, "Exit Status for Commands").
            Some(code @ (126 | 127)) if let Some(interpreter) = interpreter => {
                Err(Error::Script { program, path, interpreter, code, last: last_lines(&stderr) })
            }
            Some(code) => Ok(Output { code, stdout: Vec::new(), stderr }),
            None => {
                let signal = std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or_default();
                Err(Error::Signal { program, signal, last: last_lines(&stderr) })
            }
        }
    }

    async fn follow(&self, child: &mut Child, stdout: Sink<'_>, stderr: &mut Vec<u8>) -> Result<ExitStatus, Interruption> {
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(out), Some(err)) = pipes else {
            return Err(Interruption::Io(io::ErrorKind::BrokenPipe.into()));
        };
        let feed = async move {
            // A program may end without reading all of it.
            let _ = stdin.write_all(&self.stdin).await;
            drop(stdin);
            Ok(())
        };
        let out = drain(out, Stream::Stdout, self.stdout_limit, stdout);
        let mut note = |bytes: &[u8]| stderr.extend_from_slice(bytes);
        let err = drain(err, Stream::Stderr, self.stderr_limit, Sink::Call(&mut note));
        tokio::try_join!(feed, out, err)?;
        child.wait().await.map_err(Interruption::Io)
    }

    async fn spawn(&self) -> Result<Child, Error> {
        let confinement = self.program.sandbox.confine(&self.program.path, &self.allowance)?;
        let mut command = Command::new(&self.program.helper);
        command.args(supervisor::arguments(&self.program.path, &confinement)).args(&self.args);
        command.env_clear().envs(self.env.iter().map(|(name, value)| (name, value))).current_dir(&self.folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (reply, answer) = oneshot::channel();
        let order = Order { command, runtime: tokio::runtime::Handle::current(), reply };
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        let spawned = match SPAWNER.send(order).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe)) {
            Ok(()) => answer.await.map_err(gone).flatten(),
            Err(error) => Err(error),
        };
        spawned.map_err(|source| Error::Spawn {
            program: self.program.name.clone(),
            path: self.program.path.clone(),
            reason: source.to_string(),
        })
    }
}

/// The last lines of a program's words, fit to be shown.
fn last_lines(text: &str) -> Vec<String> {
    text::last_lines(text, LAST_LINES, LAST_LINE_LENGTH).into_iter().map(String::from).collect()
}

enum Interruption {
    TooLarge(Stream, u64),
    Io(io::Error),
}

async fn drain(mut pipe: impl AsyncRead + Unpin, stream: Stream, limit: u64, mut sink: Sink<'_>) -> Result<(), Interruption> {
    let mut buffer = vec![0; 64 << 10];
    let mut total = 0;
    loop {
        let count = pipe.read(&mut buffer).await.map_err(Interruption::Io)?;
        if count == 0 {
            return Ok(());
        }
        total += count as u64;
        if total > limit {
            return Err(Interruption::TooLarge(stream, limit));
        }
        sink.take(&buffer[..count]).await.map_err(Interruption::Io)?;
    }
}

/// What becomes of a program's output.
enum Sink<'a> {
    Call(&'a mut (dyn FnMut(&[u8]) + Send)),
    /// The program waits while the channel is full.
    Channel(mpsc_async::Sender<Bytes>),
}

impl Sink<'_> {
    async fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Call(call) => call(bytes),
            Self::Channel(channel) => {
                let sent = channel.send(Bytes::copy_from_slice(bytes)).await;
                sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            }
        }
        Ok(())
    }
}

/// A supervisor at work. Dropped, it is told to end all; it does so by itself, whatever becomes of this process.
struct Running(Child);

impl Running {
    async fn end(&mut self) {
        self.tell();
        if tokio::time::timeout(GRACE, self.0.wait()).await.is_err() {
            let _ = self.0.kill().await;
        }
    }

    fn tell(&self) {
        // There is no id once it is reaped, so this can't hit another process.
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell();
    }
}

struct Order {
    command: Command,
    runtime: tokio::runtime::Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// The one thread that starts programs. Linux sends the "parent died" signal when the *thread* that started a process
/// ends (`PR_SET_PDEATHSIG(2const)`), and the runtime's threads may end at any time.
static SPAWNER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
    let (orders, inbox) = mpsc::channel::<Order>();
    let spawn = move || {
        for Order { mut command, runtime, reply } in inbox {
            let _runtime = runtime.enter();
            if let Err(Ok(unwanted)) = reply.send(command.spawn()) {
                drop(Running(unwanted));
            }
        }
    };
    // Without the thread, every order is answered with a broken pipe.
    let _ = std::thread::Builder::new().name("programs".to_owned()).spawn(spawn);
    orders
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept() {
        let text = (0..100).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n\n");
        let lines = last_lines(&text);
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (LAST_LINES, Some("line 99")));
    }

    #[test]
    fn escape_sequences_do_not_reach_a_reader() {
        assert_eq!(last_lines("\u{1b}[31mred\u{1b}[0m\u{7}\r"), ["red"]);
        let long = last_lines(&"x".repeat(1000)).remove(0);
        assert_eq!(long.chars().filter(|character| *character == 'x').count(), LAST_LINE_LENGTH);
    }
}
