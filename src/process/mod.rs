//! Starting programs: the only place that does.
//!
//! A program gets a cleared environment, no descriptors but its three standard ones, a deadline and caps on what it may
//! say, and nothing that it starts outlives it. It reaches what its [`Reach`] names and nothing else of the machine: there is
//! no run without one, but for an [`Exception`]. Between this process and the program stands a supervisor: a hidden mode of our
//! own binary ([`helper_main`]), which ends the whole tree of processes when the program ends, when it takes too much, when it
//! is told to, and when this process dies.

mod confinement;
mod elf;
mod error;
mod identity;
mod landlock;
mod limits;
mod parts;
mod reach;
mod report;
mod run;
mod sandbox;
mod scratch;
mod script;
mod seccomp;
mod stand_in;
mod supervisor;
#[cfg(test)]
pub(crate) mod testing;
mod turns;
mod watch;
#[cfg(test)]
mod with_parts;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use crate::variables;
use reach::Allowance;

pub(crate) use error::{Error, Stream};
pub(crate) use limits::{Limits, forbid_core_files};
pub(crate) use parts::{Part, Parts};
pub(crate) use reach::{Exception, Reach};
pub(crate) use report::open as open_report;
pub(crate) use run::{Output, Run};
pub(crate) use sandbox::{Demand, Sandbox};
pub(crate) use scratch::flatten;
pub(crate) use stand_in::StandIn;
pub(crate) use supervisor::{die_with_parent, end_children, helper_main, ignores};
use turns::Turns;
#[cfg(test)]
pub(crate) use turns::{FEWEST, MEMORY};

/// Where programs are looked for, by which binary they are supervised, and in what they are shut.
#[derive(Clone, Debug)]
pub(crate) struct Launcher {
    helper: PathBuf,
    folders: Vec<PathBuf>,
    turns: Turns,
    sandbox: Sandbox,
}

impl Launcher {
    /// Looks in the folders of `search_path` (as `PATH` is written), and starts programs through the binary `helper`,
    /// whose `main` calls [`helper_main`] first.
    #[must_use]
    pub(crate) fn new(helper: impl Into<PathBuf>, search_path: &OsStr, demand: Demand) -> Self {
        let helper = helper.into();
        // A relative folder would let the scanned repository supply the scanner.
        let folders = std::env::split_paths(search_path).filter(|folder| folder.is_absolute()).collect();
        Self { sandbox: Sandbox::new(&helper, demand), helper, folders, turns: Turns::of_this_machine() }
    }

    /// Looks in this process's `PATH`, and starts programs through this very binary, also when its file was replaced.
    #[must_use]
    pub(crate) fn of_this_process(demand: Demand) -> Self {
        let launcher = Self::new("/proc/self/exe", &variables::bytes(variables::PATH).unwrap_or_default(), demand);
        Self { sandbox: Sandbox::of_this_process(&launcher.helper, demand), ..launcher }
    }

    /// What programs are shut in.
    #[must_use]
    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Finds a program, once and for all.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub(crate) fn find(&self, name: &str) -> Result<Program, Error> {
        let executable = |path: &PathBuf| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
        let found = self.folders.iter().map(|folder| folder.join(name)).find(executable);
        let path = found.ok_or_else(|| Error::Missing { program: name.to_owned(), searched: self.folders.clone() })?;
        let (helper, sandbox, turns) = (self.helper.clone(), self.sandbox.clone(), self.turns.clone());
        Ok(Program { name: name.to_owned(), path, helper, sandbox, turns })
    }
}

/// A program that was found.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    name: String,
    path: PathBuf,
    helper: PathBuf,
    turns: Turns,
    sandbox: Sandbox,
}

impl Program {
    /// The program's file.
    #[must_use]
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Describes a run of the program, which `output` or `stream` starts: what it may reach, and how long it may take.
    #[must_use]
    pub(crate) fn run(&self, deadline: Duration, reach: Reach) -> Run {
        Run::new(self.clone(), deadline, Allowance::Reach(reach))
    }

    /// Describes a run that no sandbox is for.
    #[must_use]
    pub(crate) fn run_as_exception(&self, deadline: Duration, exception: Exception) -> Run {
        Run::new(self.clone(), deadline, Allowance::Exception(exception))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_folders_of_the_path_are_not_searched() {
        let launcher = Launcher::new("/proc/self/exe", OsStr::new(".::bin:/bin"), Demand::Auto);
        assert_eq!(launcher.folders, [PathBuf::from("/bin")]);
    }

    #[test]
    fn a_missing_program_is_named_with_the_folders() {
        let launcher = Launcher::new("/proc/self/exe", OsStr::new("/nowhere:/dev"), Demand::Auto);
        let Err(Error::Missing { program, searched }) = launcher.find("trivy") else { panic!("found") };
        assert_eq!((program.as_str(), searched.len()), ("trivy", 2));
    }
}
