//! The hidden modes of our own binary through which programs are started; one more is [`super::stand_in`].
//!
//! `__supervise` is the parent of a program. It is a child subreaper (`PR_SET_CHILD_SUBREAPER(2const)`), so everything
//! that the program starts, daemons included, ends up as its child and is killed and reaped by it: when the program has
//! ended, on SIGTERM, and when the process that wanted the program dies. It ends the program, too, when all that it does together
//! is more than it may ([`super::watch`]). `__execute` shuts itself in as its [`Confinement`] says and becomes the program.
//! `__try` tells which parts of the sandbox there are. All hold only safe code: a process of our own needs no work between fork
//! and exec.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::process::{CommandExt as _, parent_id};
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, set_child_subreaper, set_parent_process_death_signal, setsid,
    wait,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::confinement::Confinement;
use super::watch::{self, Watch};
use super::{identity, parts, stand_in};

const SUPERVISE: &str = "__supervise";
const EXECUTE: &str = "__execute";
pub(super) const TRY: &str = "__try";

/// The exit code of a helper that could not become the program, as shells have it.
pub(super) const NOT_STARTED: u8 = 127;
/// What it then says before the reason.
pub(super) const NOT_STARTED_MARK: &str = "gp-deliver can't start the program: ";

/// The exit code of a supervisor that ended the program, as timeout(1) has it.
pub(super) const ENDED: u8 = 124;
/// What it then says before the reason.
pub(super) const ENDED_MARK: &str = "gp-deliver ended the program: ";

/// The first arguments of a supervisor for `program`, to be followed by the program's own.
pub(super) fn arguments(program: &Path, confinement: &Confinement) -> Vec<OsString> {
    let mut arguments = vec![SUPERVISE.into(), std::process::id().to_string().into()];
    arguments.extend(confinement.arguments());
    arguments.push(program.into());
    arguments
}

/// Acts as a supervisor or becomes a program, if that is what the arguments of this process say; to be called first in
/// `main`. `None` if this is an ordinary process.
#[must_use]
pub(crate) fn helper_main(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    let mode = arguments.next()?;
    if mode == "-C" {
        let all: Vec<_> = std::iter::once(mode).chain(arguments).collect();
        let said = stand_in::speak(&stand_in::folder(&all)?);
        return Some(said.unwrap_or_else(|error| {
            let _ = writeln!(io::stderr(), "gp-deliver can't say what it should: {error}");
            ExitCode::FAILURE
        }));
    }
    let ended = match mode.to_str()? {
        SUPERVISE => supervise(arguments),
        EXECUTE => execute(arguments),
        TRY => parts::say(io::stdout()).map(|()| ExitCode::SUCCESS),
        _ => return None,
    };
    Some(ended.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "{NOT_STARTED_MARK}{error}");
        ExitCode::from(NOT_STARTED)
    }))
}

fn supervise(mut arguments: impl Iterator<Item = OsString>) -> io::Result<ExitCode> {
    // Its own session: a terminal's Ctrl-C is for the process above, which then tells this one.
    setsid()?;
    set_child_subreaper(Some(getpid()))?;
    die_with_parent(arguments.next(), Signal::TERM)?;
    let confinement = Confinement::read(&mut arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ending = runtime.block_on(watch(&confinement, arguments))?;
    // No thread of its own is left when the process becomes another user's.
    drop(runtime);
    end_children(confinement.user());
    Ok(report(ending))
}

/// How a run came to its end.
enum Ending {
    /// By itself.
    Ended(WaitStatus),
    /// By the word of the process that wanted it.
    Told,
    /// By ours.
    Breach(String),
}

/// Starts the program and waits for its end, or for the word to end it.
async fn watch(confinement: &Confinement, arguments: impl Iterator<Item = OsString>) -> io::Result<Ending> {
    let mut told = signal(SignalKind::terminate())?;
    let mut changed = signal(SignalKind::child())?;
    let mut helper = Command::new("/proc/self/exe");
    helper.arg0("gp-deliver").arg(EXECUTE).arg(std::process::id().to_string());
    let program = helper.args(confinement.arguments()).args(arguments).spawn()?.id();
    let watch = Watch::over(confinement);
    let mut looks = tokio::time::interval(watch::EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks.reset();
    loop {
        tokio::select! {
            _ = told.recv() => return Ok(Ending::Told),
            _ = changed.recv() => {}
            _ = looks.tick() => {
                let breach = watch.as_ref().and_then(|watch| watch.breach(&children_of(std::process::id())));
                if let Some(reason) = breach {
                    return Ok(Ending::Breach(reason));
                }
            }
        }
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid.as_raw_nonzero().get().cast_unsigned() == program {
                return Ok(Ending::Ended(status));
            }
        }
    }
}

/// Passes on how the program ended: its code, or its signal.
fn report(ending: Ending) -> ExitCode {
    let status = match ending {
        Ending::Ended(status) => status,
        Ending::Told => return ExitCode::FAILURE,
        Ending::Breach(reason) => {
            let _ = writeln!(io::stderr(), "\n{ENDED_MARK}{reason}");
            return ExitCode::from(ENDED);
        }
    };
    if let Some(signal) = status.terminating_signal() {
        // Twice, since the standard library's own handler takes the first SIGSEGV and SIGBUS.
        for _ in 0..2 {
            let _ = Signal::from_named_raw(signal).map(|signal| kill_process(getpid(), signal));
        }
        // A signal that does not end this process: as shells have it.
        return ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX));
    }
    ExitCode::from(status.exit_status().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}

/// Kills and reaps until there is no child left. What a killed child leaves behind becomes a child of this process, if it is a
/// subreaper. Where the program had a user of its own, all that is the user's goes in one step.
pub(crate) fn end_children(user: Option<u32>) {
    let mut user = user;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => {
                // All, and not the children alone: a tree that grows is faster than one that is cut at its root.
                for process in descendants(std::process::id()) {
                    let _ = kill_process(process, Signal::KILL);
                }
                // Only now: a helper that was not the user's yet could not be killed as the user.
                if let Some(user) = user.take() {
                    let _ = identity::end_all_of(user);
                }
                std::thread::yield_now();
            }
            Err(_) => return,
        }
    }
}

/// What a process started, and what that started, by `/proc/PID/task/TID/children` (`proc_pid_task_children(5)`), which not
/// every kernel has.
fn children_of(process: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut asked = vec![process];
    while let Some(parent) = asked.pop() {
        for thread in fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            let children: Vec<u32> = children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
            found.extend(&children);
            asked.extend(children);
        }
    }
    found
}

/// The same, from `/proc/PID/stat` (`proc_pid_stat(5)`), which every kernel has.
fn descendants(process: u32) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in pids {
        let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name may hold anything, brackets and spaces too; what follows the last bracket is plain.
        let fields = stat.rsplit(|byte| *byte == b')').next().unwrap_or_default();
        let parent = String::from_utf8_lossy(fields).split_whitespace().nth(1).and_then(|parent| parent.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut asked = vec![process];
    while let Some(parent) = asked.pop() {
        let of_it = children.remove(&parent).unwrap_or_default();
        found.extend(of_it.iter().filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?)));
        asked.extend(of_it);
    }
    found
}

fn execute(mut arguments: impl Iterator<Item = OsString>) -> io::Result<ExitCode> {
    let parent = arguments.next();
    let confinement = Confinement::read(&mut arguments)?;
    let program = arguments.next().ok_or(io::ErrorKind::InvalidInput)?;
    setsid()?;
    // What a careless ancestor left open is not the program's.
    close_fds::set_fds_cloexec(3, &[]);
    confinement.limit()?;
    // When memory runs out, a scanner is to die before the delivery does. Refused on some systems, and then as it was.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    confinement.become_user()?;
    // Another user's process is asked for it anew.
    die_with_parent(parent, Signal::KILL)?;
    rustix::thread::set_no_new_privs(true)?;
    confinement.enter()?;
    Err(Command::new(program).args(arguments).exec())
}

/// Has the kernel send `signal` to this process when its parent dies, also when it has died already.
pub(crate) fn die_with_parent(parent: Option<OsString>, signal: Signal) -> io::Result<()> {
    set_parent_process_death_signal(Some(signal))?;
    let expected = parent.and_then(|text| text.to_str()?.parse().ok());
    if expected == Some(parent_id()) { Ok(()) } else { Err(io::Error::other("its parent is gone")) }
}

/// Whether this process ignores a signal, as its parent wished (`proc_pid_status(5)`).
pub(crate) fn ignores(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (signal.as_raw() - 1)) != 0
}
