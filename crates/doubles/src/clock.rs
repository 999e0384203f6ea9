//! A clock that jumps, for one program and what it starts: a library that is loaded before the C library (`clock.c`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A clock; it goes right until it is told to jump.
pub struct Clock {
    folder: PathBuf,
}

impl Clock {
    /// Makes one in an empty folder, with the C compiler that Rust links with.
    ///
    /// # Panics
    /// Where there is none.
    pub fn in_folder(folder: &Path) -> Self {
        let folder = folder.canonicalize().unwrap();
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/clock.c");
        let jump = format!("-DJUMP=\"{}\"", folder.join("jump").display());
        let library = folder.join("clock.so");
        let mut command = Command::new(&compiler);
        command.args(["-shared", "-fPIC", "-O1"]).arg(jump).arg("-o").arg(&library).arg(&source);
        assert!(command.status().unwrap().success(), "{compiler} does not build {}", source.display());
        Self { folder }
    }

    /// The library, for `/etc/ld.so.preload` (ld.so(8)).
    pub fn library(&self) -> PathBuf {
        self.folder.join("clock.so")
    }

    /// Jumps by so many seconds.
    pub fn jump(&self, seconds: i64) {
        let (new, place) = (self.folder.join("new"), self.folder.join("jump"));
        fs::write(&new, seconds.to_string()).unwrap();
        fs::rename(new, place).unwrap();
    }
}
