//! How git is run for a scan.

use std::path::Path;

use crate::process::Run;

/// git(1), "Environment Variables": no configuration but the repository's, and that without what could run a program,
/// reach the network, ask a person or show other content than was committed.
pub(super) fn guarded(run: Run, empty: &Path) -> Run {
    let settings = [("safe.directory", "*"), ("core.fsmonitor", "false"), ("log.showSignature", "false"), ("color.ui", "false")];
    let mut run = run.env("LC_ALL", "C").env("HOME", empty);
    // One that is not there: git warns about every one that is.
    run = run.env("GIT_GRAFT_FILE", empty.join("grafts"));
    for (name, value) in [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_ATTR_NOSYSTEM", "1"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
        ("GIT_NO_LAZY_FETCH", "1"),
        ("GIT_ALLOW_PROTOCOL", ""),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("GIT_PAGER", "cat"),
    ] {
        run = run.env(name, value);
    }
    run = run.env("GIT_CONFIG_COUNT", settings.len().to_string());
    for (number, (key, value)) in settings.into_iter().enumerate() {
        run = run.env(format!("GIT_CONFIG_KEY_{number}"), key).env(format!("GIT_CONFIG_VALUE_{number}"), value);
    }
    run
}
