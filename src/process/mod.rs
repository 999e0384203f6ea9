//! Starting programs: the only place that does.
//!
//! A program gets a cleared environment, no descriptors but its three standard ones, a deadline and caps on what it may
//! say, and nothing that it starts outlives it. Between this process and the program stands a supervisor: a hidden mode
//! of our own binary ([`helper_main`]), which is where a sandbox goes and which ends the whole tree of processes when the
//! program ends, when it is told to, and when this process dies.

mod supervisor;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

pub use supervisor::helper_main;

/// How long a supervisor may take to end what it watches, before it is killed itself.
const GRACE: Duration = Duration::from_secs(5);

/// How many of a program's last lines an error carries, and how many characters of each.
const LAST_LINES: usize = 12;
const LAST_LINE_LENGTH: usize = 400;

/// A program could not be started, or did not end as programs should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is in none of the folders where programs are looked for.
    #[error("{program} is not in any of {searched:?}")]
    Missing {
        /// Its name.
        program: String,
        /// The folders, in order.
        searched: Vec<PathBuf>,
    },
    /// The system refused to start it.
    #[error("{} does not start: {reason}", path.display())]
    Spawn {
        /// Its name.
        program: String,
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// It took too long, and was ended.
    #[error("{program} did not end within {} s", after.as_secs())]
    Deadline {
        /// Its name.
        program: String,
        /// The time it had.
        after: Duration,
        /// The last lines of its standard error.
        last: Vec<String>,
    },
    /// It said more than it may, and was ended.
    #[error("{program} wrote more than {limit} bytes to {}", stream.name())]
    OutputTooLarge {
        /// Its name.
        program: String,
        /// Where to.
        stream: Stream,
        /// In bytes.
        limit: u64,
        /// The last lines of its standard error.
        last: Vec<String>,
    },
    /// A signal ended it: a crash, or the kernel out of memory.
    #[error("signal {signal} ended {program}")]
    Signal {
        /// Its name.
        program: String,
        /// The signal's number (signal(7)).
        signal: i32,
        /// The last lines of its standard error.
        last: Vec<String>,
    },
    /// Its output could not be read.
    #[error("{program}: {source}")]
    Io {
        /// Its name.
        program: String,
        /// Why.
        source: io::Error,
    },
}

/// One of a program's two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The name in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "standard output",
            Self::Stderr => "standard error",
        }
    }
}

/// Where programs are looked for, and by which binary they are supervised.
#[derive(Clone, Debug)]
pub struct Launcher {
    helper: PathBuf,
    folders: Vec<PathBuf>,
}

impl Launcher {
    /// Looks in the folders of `search_path` (as `PATH` is written), and starts programs through the binary `helper`,
    /// whose `main` calls [`helper_main`] first.
    #[must_use]
    pub fn new(helper: impl Into<PathBuf>, search_path: &OsStr) -> Self {
        // A relative folder would let the scanned repository supply the scanner.
        let folders = std::env::split_paths(search_path).filter(|folder| folder.is_absolute()).collect();
        Self { helper: helper.into(), folders }
    }

    /// Looks in this process's `PATH`, and starts programs through this very binary, also when its file was replaced.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::new("/proc/self/exe", &std::env::var_os("PATH").unwrap_or_default())
    }

    /// Finds a program, once and for all.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub fn find(&self, name: &str) -> Result<Program, Error> {
        let executable = |path: &PathBuf| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
        let found = self.folders.iter().map(|folder| folder.join(name)).find(executable);
        let path = found.ok_or_else(|| Error::Missing { program: name.to_owned(), searched: self.folders.clone() })?;
        Ok(Program { name: name.to_owned(), path, helper: self.helper.clone() })
    }
}

/// A program that is there.
#[derive(Clone, Debug)]
pub struct Program {
    name: String,
    path: PathBuf,
    helper: PathBuf,
}

impl Program {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A run of it, to be described and started.
    #[must_use]
    pub fn run(&self, deadline: Duration) -> Run {
        Run {
            program: self.clone(),
            args: Vec::new(),
            env: Vec::new(),
            folder: PathBuf::from("/"),
            deadline,
            stdin: Vec::new(),
            stdout_limit: 1 << 20,
            stderr_limit: 1 << 20,
        }
    }
}

/// A run of a program: in the folder `/`, without any environment and with 1 MiB for each output unless told otherwise.
#[derive(Debug)]
pub struct Run {
    program: Program,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    folder: PathBuf,
    deadline: Duration,
    stdin: Vec<u8>,
    stdout_limit: u64,
    stderr_limit: u64,
}

/// What a program that ended by itself left.
#[derive(Debug)]
pub struct Output {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to standard output; empty where that was streamed.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error; invalid UTF-8 is replaced.
    pub stderr: String,
}

impl Output {
    /// The last lines of standard error, fit to be shown.
    #[must_use]
    pub fn last_lines(&self) -> Vec<String> {
        last_lines(&self.stderr)
    }
}

impl Run {
    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds a variable to the environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts it in `folder`.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Gives it something to read; otherwise its standard input is empty.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Caps standard output, in bytes.
    #[must_use]
    pub fn stdout_limit(mut self, bytes: u64) -> Self {
        self.stdout_limit = bytes;
        self
    }

    /// Caps standard error, in bytes.
    #[must_use]
    pub fn stderr_limit(mut self, bytes: u64) -> Self {
        self.stderr_limit = bytes;
        self
    }

    /// Runs it to its end, with its standard output in memory. Dropping the future ends the program and all it started.
    ///
    /// # Errors
    /// See [`Error`]. An exit code other than 0 is none: what it means is the caller's to say.
    pub async fn output(self) -> Result<Output, Error> {
        let mut stdout = Vec::new();
        let output = self.stream(|bytes| stdout.extend_from_slice(bytes)).await?;
        Ok(Output { stdout, ..output })
    }

    /// As [`Run::output`], with standard output given away piece by piece as it comes.
    ///
    /// # Errors
    /// As [`Run::output`].
    pub async fn stream(self, stdout: impl FnMut(&[u8]) + Send) -> Result<Output, Error> {
        let name = self.program.name.clone();
        let mut running = Running(self.spawn().await?);
        let mut stderr = Vec::new();
        let ending = tokio::time::timeout(self.deadline, self.follow(&mut running.0, stdout, &mut stderr)).await;
        if !matches!(ending, Ok(Ok(_))) {
            running.end().await;
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
        let Program { name: program, path, .. } = self.program;
        match status.code() {
            Some(code) if code == i32::from(supervisor::NOT_STARTED) && stderr.contains(supervisor::NOT_STARTED_MARK) => {
                let reason = stderr.rsplit(supervisor::NOT_STARTED_MARK).next().unwrap_or_default().trim();
                Err(Error::Spawn { program, path, reason: readable(reason) })
            }
            Some(code) => Ok(Output { code, stdout: Vec::new(), stderr }),
            None => {
                let signal = std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or_default();
                Err(Error::Signal { program, signal, last: last_lines(&stderr) })
            }
        }
    }

    async fn follow(
        &self,
        child: &mut Child,
        stdout: impl FnMut(&[u8]),
        stderr: &mut Vec<u8>,
    ) -> Result<ExitStatus, Interruption> {
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
        let err = drain(err, Stream::Stderr, self.stderr_limit, |bytes| stderr.extend_from_slice(bytes));
        tokio::try_join!(feed, out, err)?;
        child.wait().await.map_err(Interruption::Io)
    }

    async fn spawn(&self) -> Result<Child, Error> {
        let mut command = Command::new(&self.program.helper);
        command.args(supervisor::arguments(&self.program.path)).args(&self.args);
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

enum Interruption {
    TooLarge(Stream, u64),
    Io(io::Error),
}

async fn drain(
    mut pipe: impl AsyncRead + Unpin,
    stream: Stream,
    limit: u64,
    mut sink: impl FnMut(&[u8]),
) -> Result<(), Interruption> {
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
        sink(&buffer[..count]);
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

/// The last lines of a program's words, without what could steer a terminal.
fn last_lines(text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().map(readable).filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].to_vec()
}

/// A line of a program's words, fit to be shown: [`plain`], and not endless.
#[must_use]
pub fn readable(line: &str) -> String {
    let clean = plain(line);
    if clean.chars().count() <= LAST_LINE_LENGTH {
        return clean;
    }
    clean.chars().take(LAST_LINE_LENGTH).chain(['…']).collect()
}

/// A text without control characters and escape sequences.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut clean = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            // ECMA-48, "Control sequences": ESC [ parameters, up to a final byte.
            '\u{1b}' => drop(characters.by_ref().find(char::is_ascii_alphabetic)),
            '\t' => clean.push(' '),
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_folders_of_the_path_are_not_searched() {
        let launcher = Launcher::new("/proc/self/exe", OsStr::new(".::bin:/bin"));
        assert_eq!(launcher.folders, [PathBuf::from("/bin")]);
    }

    #[test]
    fn a_missing_program_is_named_with_the_folders() {
        let launcher = Launcher::new("/proc/self/exe", OsStr::new("/nowhere:/dev"));
        let Err(Error::Missing { program, searched }) = launcher.find("trivy") else { panic!("found") };
        assert_eq!((program.as_str(), searched.len()), ("trivy", 2));
    }

    #[test]
    fn escape_sequences_do_not_reach_a_reader() {
        assert_eq!(readable("\u{1b}[31mred\u{1b}[0m\u{7}\r"), "red");
        assert_eq!(readable(&"x".repeat(1000)).chars().count(), LAST_LINE_LENGTH + 1);
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let text = (0..100).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n\n");
        let lines = last_lines(&text);
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (LAST_LINES, Some("line 99")));
    }
}
