//! How a repository is set up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::app::App;
use super::environment::Branches;

/// How a repository is set up. Unless told otherwise: it is public, its token may upload analyses and write checks, and what
/// is uploaded is processed at once. It knows no commit.
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) name: String,
    pub(super) token: Option<String>,
    pub(super) permissions: Vec<String>,
    pub(super) code_scanning: CodeScanning,
    pub(super) visible: bool,
    pub(super) archived: bool,
    pub(super) pending: usize,
    /// Which commit each ref names.
    pub(super) references: BTreeMap<String, String>,
    pub(super) commits: Vec<String>,
    pub(super) environments: BTreeMap<String, Branches>,
    /// Whether issues are switched on.
    pub(super) issues: bool,
    /// As whom the token writes.
    pub(super) author: String,
    /// Where git keeps what is in it.
    pub(super) git: Option<PathBuf>,
    /// The branches that take no commit but by a pull request.
    pub(super) protected: Vec<String>,
    /// The most entries that a list of files has.
    pub(super) largest_tree: usize,
    /// The App that may be installed in it.
    pub(super) app: Option<App>,
    /// How long each answer is on its way.
    pub(super) delay: Duration,
}

/// Whether analyses may be uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeScanning {
    /// They may.
    On,
    /// A private repository without GitHub Code Security, as it is sold since April 2025.
    WithoutCodeSecurity,
    /// A private repository without GitHub Advanced Security, as on older plans and servers.
    WithoutAdvancedSecurity,
    /// Switched off in the settings.
    Off,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: "app".into(),
            token: None,
            permissions: ["security-events: write", "checks: write"].map(str::to_owned).to_vec(),
            code_scanning: CodeScanning::On,
            visible: true,
            archived: false,
            pending: 0,
            references: BTreeMap::new(),
            commits: vec![],
            environments: BTreeMap::new(),
            issues: true,
            author: super::issue::JOB.to_owned(),
            git: None,
            protected: vec![],
            largest_tree: 100_000,
            app: None,
            delay: Duration::ZERO,
        }
    }
}

impl Options {
    /// What its name begins with; a number follows.
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// The one token that is accepted; otherwise one is made up.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.into());
        self
    }

    /// What the token may do, as a workflow's `permissions` say it: `checks: write`.
    pub fn permissions(mut self, permissions: &[&str]) -> Self {
        self.permissions = permissions.iter().map(|&permission| permission.into()).collect();
        self
    }

    /// Whether analyses may be uploaded.
    pub fn code_scanning(mut self, code_scanning: CodeScanning) -> Self {
        self.code_scanning = code_scanning;
        self
    }

    /// The token may not even see it.
    pub fn invisible(mut self) -> Self {
        self.visible = false;
        self
    }

    /// It is archived.
    pub fn archived(mut self) -> Self {
        self.archived = true;
        self
    }

    /// Issues are switched off.
    pub fn without_issues(mut self) -> Self {
        self.issues = false;
        self
    }

    /// The token is not the job's own, but that of somebody of this login.
    pub fn author(mut self, login: &str) -> Self {
        self.author = login.into();
        self
    }

    /// An upload is `pending` for so many polls.
    pub fn pending(mut self, polls: usize) -> Self {
        self.pending = polls;
        self
    }

    /// An upload is `pending` for good.
    pub fn pending_forever(self) -> Self {
        self.pending(usize::MAX)
    }

    /// It has an environment, to which these branches and tags may deploy.
    pub fn environment(mut self, name: &str, branches: Branches) -> Self {
        self.environments.insert(name.to_owned(), branches);
        self
    }

    /// What is in it is what this repository of git has, and its token may write that.
    pub fn git(mut self, folder: &Path) -> Self {
        self.git = Some(folder.to_owned());
        self.permissions.extend(["contents: write", "pull-requests: write"].map(str::to_owned));
        self
    }

    /// A branch takes no commit but by a pull request.
    pub fn protected(mut self, branch: &str) -> Self {
        self.protected.push(branch.to_owned());
        self
    }

    /// The most entries that a list of files has.
    pub fn largest_tree(mut self, entries: usize) -> Self {
        self.largest_tree = entries;
        self
    }

    /// Each answer is on its way for so long: for figures, and never for a promise.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// An App is installed in it, or is not.
    pub fn app(mut self, app: &App) -> Self {
        self.app = Some(app.clone());
        self
    }

    /// It has this commit.
    pub fn commit(mut self, sha: &str) -> Self {
        self.commits.push(sha.to_lowercase());
        self
    }

    /// A branch names this commit.
    pub fn branch(mut self, name: &str, sha: &str) -> Self {
        self.references.insert(format!("refs/heads/{name}"), sha.to_lowercase());
        self.commit(sha)
    }
}
