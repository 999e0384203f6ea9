//! How unit tests start programs: as gp-deliver does, through its own binary.
//!
//! Tests that need that, or parts from outside (scanners, git, a registry, what the doubles are made of), are in modules called
//! `with_parts`, so that a quick run can leave them out and say so: `cargo test --lib -- --skip with_parts` counts them as
//! filtered out. Without its part such a test fails, and names it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use doubles::program::{Installer, program};

use super::{Demand, Launcher};

/// The binary. cargo puts it beside the folder of this program; `cargo test` builds it before any test runs, and
/// `cargo test --lib` alone does not.
pub(crate) fn binary() -> PathBuf {
    let folder = std::env::current_exe().unwrap();
    let binary = folder.parent().unwrap().with_file_name("gp-deliver");
    assert!(binary.exists(), "{} is not there: cargo build makes it", binary.display());
    binary
}

/// Starts the scanners and the system's programs, in the sandbox.
pub(crate) fn launcher() -> Launcher {
    Launcher::new(binary(), &path_before(Path::new("/nowhere")), Demand::Require)
}

/// The same without the sandbox, with the programs of `folder` before them: scripts, which start programs.
pub(crate) fn launcher_before(folder: &Path) -> Launcher {
    launcher_in(path_before(folder))
}

/// Starts programs of these folders alone, written as `PATH` is, without the sandbox.
pub(crate) fn launcher_in(folders: impl AsRef<OsStr>) -> Launcher {
    Launcher::new(binary(), folders.as_ref(), Demand::Off)
}

fn path_before(folder: &Path) -> OsString {
    let scanners = program(Installer::Tools, "gitleaks").parent().map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap();
    let folders = [folder.to_owned()].into_iter().chain(scanners).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).unwrap()
}
