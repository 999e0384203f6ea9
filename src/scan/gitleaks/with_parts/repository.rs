//! A source with a history, made on the spot.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::scan::gitleaks::{History, Lists, Request};

/// A text that gitleaks takes for a key of AWS, told apart by a number. No file of ours holds it whole.
pub(crate) fn secret(number: u8) -> String {
    let letters = b"Z7VRSQ5TJN2XMPLK";
    let mut text: Vec<u8> = letters.iter().copied().cycle().skip(usize::from(number) % 7).take(14).collect();
    text.push(b'A' + number / 6);
    text.push(b'2' + number % 6);
    format!("{}{}", "AKIA", String::from_utf8(text).unwrap())
}

/// A folder with a git repository.
pub(crate) struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    pub(crate) fn new() -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// A scan of all of it, with this part of its history.
    pub(crate) fn request<'a>(&'a self, history: &'a History, exclude: &'a [PathBuf], lists: &'a Lists) -> Request<'a> {
        let deadline = Duration::from_mins(5);
        Request { root: self.root(), history, exclude, unseen: &[], only: None, stamped: None, lists, deadline }
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.root().join(name.as_ref())
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        self.write_bytes(name.as_bytes(), text.as_bytes());
    }

    pub(crate) fn write_bytes(&self, name: &[u8], text: &[u8]) {
        let path = self.path(OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Commits all that is there, and says the commit's id.
    pub(crate) fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "A commit\n\n@@ -1 +1 @@\ndiff --git a/x b/x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Test", "-c", "user.email=test@example.com"]).args(arguments);
        let git = git.current_dir(self.root()).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let output = git.output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}
