//! The programs that tests start.

use std::ffi::OsString;

use gp_deliver::process::Launcher;

/// Starts programs as gp-deliver does, scanners from `GP_DELIVER_TEST_TOOLS` where that is set. A scanner that is missing
/// fails the test.
pub fn launcher() -> Launcher {
    let path = std::env::var_os("PATH").unwrap();
    let folders = std::env::var_os("GP_DELIVER_TEST_TOOLS").into_iter().map(Into::into).chain(std::env::split_paths(&path));
    launcher_in(&std::env::join_paths(folders).unwrap())
}

/// The same, with programs from these folders.
pub fn launcher_in(path: &OsString) -> Launcher {
    Launcher::new(env!("CARGO_BIN_EXE_gp-deliver"), path)
}
