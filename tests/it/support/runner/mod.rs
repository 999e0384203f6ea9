//! A job on a runner, as far as a Docker container action sees it: folders, mounts, variables, command files and signals
//! are those of actions/runner 2.336 (`ContainerActionHandler.cs`, `DockerCommandManager.cs`, `FileCommandManager.cs`).
//!
//! One thing differs: containers use the host's network, for the tests' servers listen on 127.0.0.1.

mod action;
mod command_files;
mod invocation;
mod running;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use action::Action;
pub use command_files::CommandFiles;
pub use invocation::Invocation;
pub use running::{Ended, EndedBy, Running};
use serde_json::{Value, json};

use crate::support::run;

/// Whom a hosted runner's files belong to. The action itself is root.
pub const RUNNER_USER: u32 = 1001;

const OWNER: &str = "octo-org";
const REPOSITORY: &str = "octo-repo";

/// A job whose repository is checked out; gone when dropped.
pub struct Job {
    folder: PathBuf,
    payload: Option<Value>,
    variables: BTreeMap<String, String>,
}

impl Job {
    /// A job for a push to `main` of a repository with these files in one commit.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("gp-deliver-runner-").tempdir().unwrap().keep();
        let job = Self { folder, payload: None, variables: BTreeMap::new() };
        fs::create_dir_all(job.workspace()).unwrap();
        // The runner makes these before the first step.
        for name in ["_runner_file_commands", "_github_workflow", "_github_home"] {
            fs::create_dir_all(job.temp().join(name)).unwrap();
        }
        for (path, text) in files {
            job.write(path, text);
        }
        job.git(&["init", "--quiet", "--initial-branch=main"]);
        job.commit("first");
        job.set("EVENT_NAME", "push").reference("refs/heads/main")
    }

    /// The repository's checkout, on the host.
    pub fn workspace(&self) -> PathBuf {
        self.folder.join("work").join(REPOSITORY).join(REPOSITORY)
    }

    /// `RUNNER_TEMP`, on the host.
    pub fn temp(&self) -> PathBuf {
        self.folder.join("work/_temp")
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.workspace().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits everything, as the runner's user, and says the commit.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.give_to_runner();
        self.git(&["rev-parse", "HEAD"])
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        // By an author of its own, a commit is no other test's, and so is an image that is labelled with it.
        let author = self.folder.file_name().unwrap().to_string_lossy();
        git.args(["-c", &format!("user.name={author}"), "-c", "user.email=a@example.invalid"]).args(arguments);
        git.current_dir(self.workspace()).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        // The files are another user's. git believes a variable in this, and not its command line.
        git.envs([("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "safe.directory"), ("GIT_CONFIG_VALUE_0", "*")]);
        run(&mut git).trim().to_owned()
    }

    /// The event that started the workflow, with its payload, in place of a push that made the branch.
    pub fn event(mut self, name: &str, payload: Value) -> Self {
        self.payload = Some(payload);
        self.set("EVENT_NAME", name)
    }

    /// The ref that the workflow runs for, in full.
    pub fn reference(self, reference: &str) -> Self {
        let (kind, name) = match reference.split_once('/').and_then(|(_, rest)| rest.split_once('/')) {
            Some(("tags", name)) => ("tag", name),
            Some(("heads" | "pull", name)) => ("branch", name),
            _ => panic!("not a ref in full: {reference}"),
        };
        self.set("REF", reference).set("REF_TYPE", kind).set("REF_NAME", name)
    }

    /// Sets `GITHUB_NAME` for all steps.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(format!("GITHUB_{name}"), value.to_owned());
        self
    }

    /// A step that uses the action.
    pub fn step(&self, action: &Action) -> Invocation<'_> {
        Invocation::new(self, action.clone())
    }

    /// The runner's user owns its folders. Where the tests don't run as root, that is whoever runs them.
    pub(super) fn give_to_runner(&self) {
        if rustix::process::geteuid().is_root() {
            run(Command::new("chown").args(["--recursive", &format!("{RUNNER_USER}:{RUNNER_USER}")]).arg(&self.folder));
        }
    }

    /// The variables that a step of this job has from the runner, with the host's paths.
    pub(super) fn runner_variables(&self) -> BTreeMap<String, String> {
        let path = |path: PathBuf| path.display().to_string();
        let sha = self.git(&["rev-parse", "HEAD"]);
        let full_name = format!("{OWNER}/{REPOSITORY}");
        let reference = self.variables["GITHUB_REF"].clone();
        let pairs = [
            ("GITHUB_ACTION", "__octo-org_gp-deliver".to_owned()),
            ("GITHUB_ACTION_REF", "v1".to_owned()),
            ("GITHUB_ACTION_REPOSITORY", "octo-org/gp-deliver".to_owned()),
            ("GITHUB_ACTOR", "octocat".to_owned()),
            ("GITHUB_ACTOR_ID", "583231".to_owned()),
            ("GITHUB_API_URL", "https://api.github.com".to_owned()),
            ("GITHUB_BASE_REF", String::new()),
            ("GITHUB_EVENT_PATH", path(self.temp().join("_github_workflow/event.json"))),
            ("GITHUB_GRAPHQL_URL", "https://api.github.com/graphql".to_owned()),
            ("GITHUB_HEAD_REF", String::new()),
            ("GITHUB_JOB", "deliver".to_owned()),
            ("GITHUB_REF_PROTECTED", "false".to_owned()),
            ("GITHUB_REPOSITORY", full_name.clone()),
            ("GITHUB_REPOSITORY_ID", "74".to_owned()),
            ("GITHUB_REPOSITORY_OWNER", OWNER.to_owned()),
            ("GITHUB_REPOSITORY_OWNER_ID", "65".to_owned()),
            ("GITHUB_RETENTION_DAYS", "90".to_owned()),
            ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
            ("GITHUB_RUN_ID", "1602018110".to_owned()),
            ("GITHUB_RUN_NUMBER", "12".to_owned()),
            ("GITHUB_SERVER_URL", "https://github.com".to_owned()),
            ("GITHUB_SHA", sha.clone()),
            ("GITHUB_TRIGGERING_ACTOR", "octocat".to_owned()),
            ("GITHUB_WORKFLOW", "Deliver".to_owned()),
            ("GITHUB_WORKFLOW_REF", format!("{full_name}/.github/workflows/deliver.yml@{reference}")),
            ("GITHUB_WORKFLOW_SHA", sha),
            ("GITHUB_WORKSPACE", path(self.workspace())),
            ("RUNNER_ARCH", "X64".to_owned()),
            ("RUNNER_ENVIRONMENT", "github-hosted".to_owned()),
            ("RUNNER_NAME", "GitHub Actions 2".to_owned()),
            ("RUNNER_OS", "Linux".to_owned()),
            ("RUNNER_TEMP", path(self.temp())),
            ("RUNNER_TOOL_CACHE", "/opt/hostedtoolcache".to_owned()),
            ("RUNNER_WORKSPACE", path(self.folder.join("work").join(REPOSITORY))),
            ("ACTIONS_CACHE_URL", "http://127.0.0.1:9/".to_owned()),
            ("ACTIONS_RESULTS_URL", "http://127.0.0.1:9/".to_owned()),
            ("ACTIONS_RUNTIME_TOKEN", "runtime-token".to_owned()),
            ("ACTIONS_RUNTIME_URL", "http://127.0.0.1:9/".to_owned()),
        ];
        let variables = pairs.into_iter().map(|(name, value)| (name.to_owned(), value));
        variables.chain(self.variables.clone()).collect()
    }

    pub(super) fn payload(&self) -> Value {
        let sha = || self.git(&["rev-parse", "HEAD"]);
        self.payload.clone().unwrap_or_else(|| push_payload(&self.variables["GITHUB_REF"], &sha()))
    }
}

impl Drop for Job {
    /// The action's files are root's, so an ordinary user's own `rm` does not do.
    fn drop(&mut self) {
        let as_root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/as-root");
        let _ = Command::new(as_root).args(["rm", "-rf"]).arg(&self.folder).status();
    }
}

/// The payload of a push that made a branch or tag.
fn push_payload(reference: &str, sha: &str) -> Value {
    json!({
        "ref": reference, "before": "0".repeat(40), "after": sha, "created": true, "deleted": false, "forced": false,
        "repository": {"id": 74, "name": REPOSITORY, "full_name": format!("{OWNER}/{REPOSITORY}"),
            "default_branch": "main", "owner": {"login": OWNER, "id": 65}},
        "pusher": {"name": "octocat"}, "sender": {"login": "octocat", "id": 583_231},
    })
}
