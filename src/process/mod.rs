//! Starting programs: the only place that does.
//!
//! A program gets a cleared environment, no descriptors but its three standard ones, a deadline and caps on what it may
//! say, and nothing that it starts outlives it. Between this process and the program stands a supervisor: a hidden mode
//! of our own binary ([`helper_main`]), which is where a sandbox goes and which ends the whole tree of processes when the
//! program ends, when it is told to, and when this process dies.

mod error;
mod run;
mod stand_in;
mod supervisor;
#[cfg(test)]
pub(crate) mod testing;
mod turns;
#[cfg(test)]
mod with_parts;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use crate::variables;

pub(crate) use error::{Error, Stream};
pub(crate) use run::{Output, Run};
pub(crate) use stand_in::StandIn;
pub(crate) use supervisor::{die_with_parent, end_children, helper_main, ignores};
use turns::Turns;
#[cfg(test)]
pub(crate) use turns::{FEWEST, MEMORY};

/// Where programs are looked for, and by which binary they are supervised.
#[derive(Clone, Debug)]
pub(crate) struct Launcher {
    helper: PathBuf,
    folders: Vec<PathBuf>,
    turns: Turns,
}

impl Launcher {
    /// Looks in the folders of `search_path` (as `PATH` is written), and starts programs through the binary `helper`,
    /// whose `main` calls [`helper_main`] first.
    #[must_use]
    pub(crate) fn new(helper: impl Into<PathBuf>, search_path: &OsStr) -> Self {
        // A relative folder would let the scanned repository supply the scanner.
        let folders = std::env::split_paths(search_path).filter(|folder| folder.is_absolute()).collect();
        Self { helper: helper.into(), folders, turns: Turns::of_this_machine() }
    }

    /// Looks in this process's `PATH`, and starts programs through this very binary, also when its file was replaced.
    #[must_use]
    pub(crate) fn of_this_process() -> Self {
        Self::new("/proc/self/exe", &variables::bytes(variables::PATH).unwrap_or_default())
    }

    /// Finds a program, once and for all.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub(crate) fn find(&self, name: &str) -> Result<Program, Error> {
        let executable = |path: &PathBuf| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
        let found = self.folders.iter().map(|folder| folder.join(name)).find(executable);
        let path = found.ok_or_else(|| Error::Missing { program: name.to_owned(), searched: self.folders.clone() })?;
        Ok(Program { name: name.to_owned(), path, helper: self.helper.clone(), turns: self.turns.clone() })
    }
}

/// A program that was found.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    name: String,
    path: PathBuf,
    helper: PathBuf,
    turns: Turns,
}

impl Program {
    /// The program's file.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Describes a run of the program, which `output` or `stream` starts.
    #[must_use]
    pub(crate) fn run(&self, deadline: Duration) -> Run {
        Run::new(self.clone(), deadline)
    }
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
}
