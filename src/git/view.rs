//! A repository as git is shown it: a folder of ours.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::place::Place;
use super::settings::Settings;
use crate::process::Run;

/// What is linked of the files that working trees share. A link to what is not there is as good as none.
const OF_ALL: [&str; 5] = ["objects", "refs", "packed-refs", "reftable", "shallow"];

/// What `index` may lead to, beside it (git-update-index(1), "Split index").
const SHARED_INDEX: &[u8] = b"sharedindex.";

/// A folder that git takes for the repository. It goes when this is dropped.
#[derive(Debug)]
pub(super) struct View(TempDir);

impl View {
    /// A view of the repository at `place`, without a configuration.
    pub(super) fn of(place: &Place) -> io::Result<Self> {
        let view = tempfile::Builder::new().prefix("gp-deliver-git-").tempdir()?;
        let link = |name: &Path, target: PathBuf| symlink(target, view.path().join(name));
        fs::write(view.path().join("HEAD"), place.head().unwrap_or_default())?;
        for name in OF_ALL {
            link(name.as_ref(), place.common.join(name))?;
        }
        link("index".as_ref(), place.own.join("index"))?;
        fs::create_dir(view.path().join("info"))?;
        link("info/sparse-checkout".as_ref(), place.own.join("info/sparse-checkout"))?;
        for entry in fs::read_dir(&place.own)?.flatten() {
            let name = entry.file_name();
            if name.as_bytes().starts_with(SHARED_INDEX) {
                link(name.as_ref(), entry.path())?;
            }
        }
        Ok(Self(view))
    }

    /// Gives it these settings.
    pub(super) fn configure(&self, settings: &Settings) -> io::Result<()> {
        fs::write(self.path().join("config"), settings.configuration())
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Lets a run of git see this and nothing else (git(1), "Environment Variables"; git-config(1)).
    ///
    /// The settings are for the gits that gitleaks starts too, which take no arguments of ours: whatever they find, they start
    /// no program, reach no network, ask nobody and show what was committed.
    pub(super) fn shown_to(&self, run: Run) -> Run {
        let nowhere = self.path().join("nowhere");
        let mut run = run.env("GIT_DIR", self.path()).env("HOME", &nowhere).env("GIT_GRAFT_FILE", &nowhere);
        for (name, value) in [
            ("LC_ALL", "C"),
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
        let settings = [
            // The workspace of a container belongs to another user.
            ("safe.directory", "*"),
            ("safe.bareRepository", "explicit"),
            ("protocol.allow", "never"),
            ("core.fsmonitor", "false"),
            ("core.hooksPath", "/dev/null"),
            ("core.attributesFile", "/dev/null"),
            ("log.showSignature", "false"),
            ("color.ui", "false"),
        ];
        run = run.env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (number, (key, value)) in settings.into_iter().enumerate() {
            run = run.env(format!("GIT_CONFIG_KEY_{number}"), key).env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        run
    }
}
