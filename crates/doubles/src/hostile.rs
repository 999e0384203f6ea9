//! A scanner that was replaced: a program that tries to get out of where it was started, in every way that is known
//! (`hostile.c`, which has the table of them).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::program::workspace;

/// The program, built by the C compiler that Rust links with.
///
/// # Panics
/// Where there is none.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = workspace().join("target/test/hostile");
        fs::create_dir_all(&folder).unwrap();
        // Several test programs build it at once; each puts a whole one there.
        let (built, program) = (folder.join(format!("hostile.{}", std::process::id())), folder.join("hostile"));
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/hostile.c");
        let compile = |arguments: &[&str]| {
            Command::new(&compiler).args(arguments).arg("-O1").arg("-o").arg(&built).arg(&source).status().unwrap().success()
        };
        // Without libraries it runs in any image; not every system has the C library to link so.
        assert!(compile(&["-static"]) || compile(&[]), "{compiler} does not build {}", source.display());
        fs::rename(&built, &program).unwrap();
        program
    })
}

/// What is not its business, each with something in it.
pub const OUTSIDE: [&str; 11] = [
    "secret",
    "docker/config.json",
    "github_output",
    "removable",
    "empty/",
    "movable",
    "exchangeable",
    "long",
    "mode",
    "owner",
    "other",
];

/// What it may read.
pub const INPUT: [&str; 3] = ["file", "removable", "mode"];

/// Puts files into a folder, which everybody may read and write as far as modes go.
pub fn put(folder: &Path, names: &[&str]) {
    for name in names {
        let path = folder.join(name);
        fs::create_dir_all(if name.ends_with('/') { &path } else { path.parent().unwrap() }).unwrap();
        if !name.ends_with('/') {
            fs::write(&path, "something\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        }
    }
    for folder in [folder.to_owned(), folder.join("empty"), folder.join("docker")] {
        // Not every folder has these.
        let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o777));
    }
}
