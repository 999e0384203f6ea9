//! Repositories of every shape, made by git as people make them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::support::run;

/// Runs git in a folder, as a user without any configuration of their own, and says what it says.
pub fn git<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(["-c", "protocol.file.allow=always"]).args(arguments);
    git.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs([
        ("HOME", "/nonexistent"),
        ("GIT_AUTHOR_NAME", "a"),
        ("GIT_AUTHOR_EMAIL", "a@example.invalid"),
        ("GIT_COMMITTER_NAME", "a"),
        ("GIT_COMMITTER_EMAIL", "a@example.invalid"),
    ]);
    run(&mut git).trim_end_matches('\n').to_owned()
}

/// Makes a repository of all that is in a folder, and says its commit.
pub fn repository(folder: &Path) -> String {
    git(folder, ["init", "--quiet", "--initial-branch=main"]);
    commit(folder)
}

/// Commits all that is in a folder, and says the commit.
pub fn commit(folder: &Path) -> String {
    git(folder, ["add", "--all"]);
    let message = folder.to_string_lossy();
    git(folder, ["commit", "--quiet", "--allow-empty", "--message", &message]);
    head(folder)
}

/// The commit that is checked out.
pub fn head(folder: &Path) -> String {
    git(folder, ["rev-parse", "HEAD"])
}
