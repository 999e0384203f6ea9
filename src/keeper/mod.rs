//! Who holds the secrets, and who is left when that process dies.
//!
//! Three things happen before anything else, each in the one process that was started or in a child of its own:
//!
//! 1. It takes its arguments and its whole environment into a file in memory ([`handover`]) and starts itself anew, in the
//!    same process, without them: the kernel shows `/proc/PID/environ` and `cmdline` as they were when a program started, so
//!    what was cleared by the program itself would still stand there.
//! 2. What comes of that is the *keeper*. It never reads the file. It starts the *worker*, hands it the file, and waits.
//! 3. The worker reads the file, empties it, and does the work. It tells the keeper how far it is ([`lifeline`]).
//!
//! Neither can be dumped, so that no process of the same user reads their memory, and neither leaves a core file. When the
//! worker ends in a way that it did not announce (a signal, an abort, no memory), the keeper ends what is left of it, removes
//! its scratch folders and writes the report ([`obituary`]). The keeper's own end ends the worker.

mod handover;
mod lifeline;
mod obituary;
mod scratch;
mod vigil;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, stdin};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};

use rustix::process::{DumpableBehavior, Signal, set_dumpable_behavior};

use crate::process;
use crate::variables;
use handover::Handover;
pub(crate) use lifeline::Lifeline;

/// The first argument of the process that keeps, and of the one that works.
const KEEP: &str = "__keep";
const WORK: &str = "__work";

/// What this process is.
pub(crate) enum Role {
    /// It kept another, which has ended with this exit code.
    Kept(ExitCode),
    /// It does the work.
    Work {
        /// The arguments that the program was started with.
        arguments: Vec<OsString>,
        /// The way to tell the keeper how far it is.
        lifeline: Lifeline,
    },
}

/// Finds out what this process is, and becomes it. To be called before there is a second thread.
///
/// # Errors
/// The system lets no program start itself, or the worker was not started by a keeper.
pub(crate) fn begin(arguments: &[OsString]) -> io::Result<Role> {
    harden()?;
    match arguments.get(1).and_then(|mode| mode.to_str()) {
        Some(KEEP) => vigil::keep(&replace_stdin()?).map(Role::Kept),
        Some(WORK) => work(arguments.get(2)),
        _ => Err(restart(arguments)),
    }
}

/// The command by which this very program starts in another role, with nothing in its environment that is secret.
fn itself(role: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("gp-deliver").arg(role).env_clear().envs(variables::harmless());
    command
}

/// Starts this program anew in this process. Returns where that fails alone.
fn restart(arguments: &[OsString]) -> io::Error {
    let handover = Handover { arguments: arguments.to_vec(), variables: variables::of_this_process() };
    match handover.write() {
        Ok(file) => itself(KEEP).stdin(Stdio::from(file)).exec(),
        Err(error) => error,
    }
}

fn work(keeper: Option<&OsString>) -> io::Result<Role> {
    process::die_with_parent(keeper.cloned(), Signal::KILL)?;
    let (lifeline, handed) = Lifeline::to_keeper(replace_stdin()?)?;
    let Handover { arguments, variables } = Handover::read(handed)?;
    variables::remember(variables);
    lifeline.tell_of_panics();
    Ok(Role::Work { arguments, lifeline })
}

/// Takes what this process was given as its standard input, and has nothing there.
fn replace_stdin() -> io::Result<OwnedFd> {
    let given = stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(given)
}

/// Has the kernel keep this process's memory from others of the same user (`PR_SET_DUMPABLE(2const)`; `ptrace(2)`, "Ptrace
/// access mode checking"), which the next start of a program undoes, and write none of it to a core file.
fn harden() -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    process::forbid_core_files()
}
