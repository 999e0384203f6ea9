//! The two hidden modes of our own binary through which programs are started; a third is [`super::stand_in`].
//!
//! `__supervise` is the parent of a program. It is a child subreaper (`PR_SET_CHILD_SUBREAPER(2const)`), so everything
//! that the program starts, daemons included, ends up as its child and is killed and reaped by it: when the program has
//! ended, on SIGTERM, and when the process that wanted the program dies. `__execute` makes itself ready and becomes the
//! program. Both hold only safe code: a process of our own needs no work between fork and exec.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::process::{CommandExt as _, parent_id};
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::io::Errno;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getpid, getrlimit, kill_process, set_child_subreaper,
    set_parent_process_death_signal, setrlimit, setsid, wait,
};
use tokio::signal::unix::{SignalKind, signal};

use super::stand_in;

const SUPERVISE: &str = "__supervise";
const EXECUTE: &str = "__execute";

/// The exit code of a helper that could not become the program, as shells have it.
pub(super) const NOT_STARTED: u8 = 127;
/// What it then says before the reason.
pub(super) const NOT_STARTED_MARK: &str = "gp-deliver can't start the program: ";

/// Descriptors that a program may have open: scanners need few, and the machine's limit may be a million.
const MAX_OPEN_FILES: u64 = 4096;

/// The first arguments of a supervisor for `program`, to be followed by the program's own.
pub(super) fn arguments(program: &Path) -> [OsString; 3] {
    [SUPERVISE.into(), std::process::id().to_string().into(), program.into()]
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let status = runtime.block_on(watch(arguments))?;
    end_children();
    Ok(report(status))
}

/// Starts the program and waits for its end, or for the word to end it.
async fn watch(arguments: impl Iterator<Item = OsString>) -> io::Result<Option<WaitStatus>> {
    let mut told = signal(SignalKind::terminate())?;
    let mut changed = signal(SignalKind::child())?;
    let mut helper = Command::new("/proc/self/exe");
    helper.arg0("gp-deliver").arg(EXECUTE).arg(std::process::id().to_string()).args(arguments);
    let program = helper.spawn()?.id();
    loop {
        tokio::select! {
            _ = told.recv() => return Ok(None),
            _ = changed.recv() => {}
        }
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid.as_raw_nonzero().get().cast_unsigned() == program {
                return Ok(Some(status));
            }
        }
    }
}

/// Passes on how the program ended: its code, or its signal.
fn report(status: Option<WaitStatus>) -> ExitCode {
    let Some(status) = status else { return ExitCode::FAILURE };
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
/// subreaper.
pub(crate) fn end_children() {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => {
                for child in children() {
                    let _ = kill_process(child, Signal::KILL);
                }
                std::thread::yield_now();
            }
            Err(_) => return,
        }
    }
}

/// The processes whose parent is this one, from `/proc/PID/stat` (`proc_pid_stat(5)`): it exists on every kernel, which
/// `/proc/PID/task/TID/children` does not.
fn children() -> Vec<Pid> {
    let own = std::process::id();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |pid: &i32| {
        let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name may hold anything, brackets and spaces too; what follows the last bracket is plain.
        let fields = stat.rsplit(|byte| *byte == b')').next().unwrap_or_default();
        String::from_utf8_lossy(fields).split_whitespace().nth(1) == Some(&own.to_string())
    };
    pids.filter(is_child).filter_map(Pid::from_raw).collect()
}

fn execute(mut arguments: impl Iterator<Item = OsString>) -> io::Result<ExitCode> {
    setsid()?;
    die_with_parent(arguments.next(), Signal::KILL)?;
    // What a careless ancestor left open is not the program's.
    close_fds::set_fds_cloexec(3, &[]);
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, MAX_OPEN_FILES)?;
    // When memory runs out, a scanner is to die before the delivery does. Refused on some systems, and then as it was.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    rustix::thread::set_no_new_privs(true)?;
    // Here, after everything that needs rights and right before the program, is the place for Landlock and seccomp.
    let program = arguments.next().ok_or(io::ErrorKind::InvalidInput)?;
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

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let hard = getrlimit(resource).maximum.map_or(most, |hard| hard.min(most));
    Ok(setrlimit(resource, Rlimit { current: Some(hard), maximum: Some(hard) })?)
}
