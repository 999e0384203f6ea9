//! The keeper's time with its worker: it passes on signals, listens, and takes over when the worker is gone.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, set_child_subreaper, wait};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::lifeline::{self, Kind};
use super::obituary::Known;
use super::scratch::Scratch;
use super::{WORK, itself};
use crate::error::{Cause, Exit};
use crate::process;

/// How long the worker may take to end after a signal or a panic: it puts tags back and writes its report in less. A runner
/// gives up ten seconds after its first signal.
const PATIENCE: Duration = Duration::from_secs(6);

/// How long what a dead worker has said may take to arrive: it is in the kernel's hands already.
const ECHO: Duration = Duration::from_secs(2);

/// Messages that wait to be taken. Each is bounded too.
const WAITING: usize = 4;

/// Starts the worker, hands it `handed`, and stays until all is over.
pub(super) fn keep(handed: &OwnedFd) -> io::Result<ExitCode> {
    if !File::from(handed.try_clone()?).metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this mode is for the program itself"));
    }
    // What the worker's children leave behind becomes a child of this process.
    set_child_subreaper(Some(getpid()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(watch(handed)).map(ExitCode::from)
}

async fn watch(handed: &OwnedFd) -> io::Result<u8> {
    let mut signals = signals()?;
    let mut children = signal(SignalKind::child())?;
    // Where none can be made, the worker and its children find out themselves.
    let scratch = Scratch::create().ok();
    let (near, far) = UnixStream::pair()?;
    lifeline::hand(&near, handed)?;
    let worker = start(far, scratch.as_ref())?;
    let mut messages = listen(near)?;
    let (mut known, mut told, mut limit, mut speaks) = (Known::new(), None, None, true);
    let status = loop {
        tokio::select! {
            message = messages.recv(), if speaks => match message {
                Some((Kind::Panic, words)) => {
                    known.take(Kind::Panic, words);
                    limit.get_or_insert_with(|| Instant::now() + PATIENCE);
                }
                Some((kind, bytes)) => known.take(kind, bytes),
                None => speaks = false,
            },
            Some((given, exit)) = signals.recv() => {
                let _ = kill_process(worker, given);
                told = told.or(exit);
                limit.get_or_insert_with(|| Instant::now() + PATIENCE);
            }
            _ = children.recv() => if let Some(status) = reap(worker) {
                break status;
            },
            () = sleep_until(limit.unwrap_or_else(Instant::now)), if limit.is_some() => {
                let _ = kill_process(worker, Signal::KILL);
                limit = None;
            }
        }
    };
    process::end_children(None);
    let rest = async {
        while let Some((kind, bytes)) = messages.recv().await {
            known.take(kind, bytes);
        }
    };
    let _ = timeout(ECHO, rest).await;
    known.remove_staging();
    drop(scratch);
    Ok(known.over().unwrap_or_else(|| known.tell(cause(status), told) as u8))
}

/// The signals that are passed on, each with the exit code of a delivery that it cancels. The others end the worker at once.
fn signals() -> io::Result<mpsc::Receiver<(Signal, Option<Exit>)>> {
    let (sender, signals) = mpsc::channel(1);
    for (kind, number, exit) in [
        (SignalKind::interrupt(), Signal::INT, Some(Exit::Interrupted)),
        (SignalKind::terminate(), Signal::TERM, Some(Exit::Terminated)),
        (SignalKind::hangup(), Signal::HUP, Some(Exit::HungUp)),
        (SignalKind::quit(), Signal::QUIT, None),
        (SignalKind::alarm(), Signal::ALARM, None),
        (SignalKind::user_defined1(), Signal::USR1, None),
        (SignalKind::user_defined2(), Signal::USR2, None),
    ] {
        // Whoever has one ignored, as `nohup` has SIGHUP, wants it to stay so. Shells have SIGINT ignored by all that they start
        // in the background, and a runner sends it to whatever it has started.
        if !matches!(number, Signal::INT | Signal::TERM) && process::ignores(number) {
            continue;
        }
        let (mut given, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move { while given.recv().await.is_some() && sender.send((number, exit)).await.is_ok() {} });
    }
    Ok(signals)
}

fn start(socket: UnixStream, scratch: Option<&Scratch>) -> io::Result<Pid> {
    let mut command = itself(WORK);
    command.arg(std::process::id().to_string()).stdin(Stdio::from(OwnedFd::from(socket)));
    if let Some(scratch) = scratch {
        command.env("TMPDIR", scratch.path());
    }
    let worker = command.spawn()?.id();
    i32::try_from(worker).ok().and_then(Pid::from_raw).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Reads what the worker says, on a thread: it may be long.
fn listen(mut socket: UnixStream) -> io::Result<mpsc::Receiver<(Kind, Vec<u8>)>> {
    let (sender, messages) = mpsc::channel(WAITING);
    let read = move || {
        // What makes no sense ends it: the worker finds nobody to talk to, and goes on.
        while let Ok(Some(message)) = lifeline::next(&mut socket) {
            if sender.blocking_send(message).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("lifeline".to_owned()).spawn(read)?;
    Ok(messages)
}

/// Reaps what has ended, and says how the worker did, once it has.
fn reap(worker: Pid) -> Option<WaitStatus> {
    let mut ended = None;
    while let Ok(Some((child, status))) = wait(WaitOptions::NOHANG) {
        if child == worker {
            ended = Some(status);
        }
    }
    ended
}

fn cause(status: WaitStatus) -> Cause {
    match status.terminating_signal() {
        Some(signal) => Cause::Signal(signal),
        None => Cause::Code(status.exit_status().unwrap_or_default()),
    }
}
