//! Workflows run by act, a stranger's reading of GitHub Actions (<https://nektosact.com>).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{part, tool};

/// The labels of runners that jobs ask for. act leaves out a job with another label and calls that a success.
const LABELS: [&str; 4] = ["ubuntu-latest", "ubuntu-24.04", "ubuntu-24.04-arm", "ubuntu-22.04"];

/// A run of a workflow of a repository in a folder.
pub struct Act {
    repository: PathBuf,
    workflow: String,
    event: String,
    folder: tempfile::TempDir,
    arguments: Vec<String>,
    secrets: BTreeMap<String, String>,
}

/// What a run said.
pub struct Ran {
    pub code: Option<i32>,
    lines: Vec<Value>,
    rest: String,
}

impl Act {
    /// A run on push, of a workflow by its path in the repository. The commit and `github.repository` are those of git's
    /// HEAD and of its remote `origin`.
    pub fn new(repository: &Path, workflow: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            workflow: workflow.to_owned(),
            event: "push".to_owned(),
            folder: tempfile::Builder::new().prefix("gp-deliver-act-").tempdir().unwrap(),
            arguments: vec![],
            secrets: BTreeMap::new(),
        }
    }

    /// The event and its payload.
    pub fn event(mut self, name: &str, payload: &Value) -> Self {
        let file = self.folder.path().join("event.json");
        fs::write(&file, serde_json::to_vec(payload).unwrap()).unwrap();
        name.clone_into(&mut self.event);
        self.argument("--eventpath", &file.to_string_lossy())
    }

    /// An input of `workflow_dispatch`.
    pub fn input(self, name: &str, value: &str) -> Self {
        self.argument("--input", &format!("{name}={value}"))
    }

    /// A variable of the repository: `vars.NAME`.
    pub fn var(self, name: &str, value: &str) -> Self {
        self.argument("--var", &format!("{name}={value}"))
    }

    /// A secret of the repository: `secrets.NAME`.
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.insert(name.to_owned(), value.to_owned());
        self.argument("--secret", name)
    }

    /// A variable of the environment of every step, such as those that a job with `id-token: write` has.
    pub fn variable(self, name: &str, value: &str) -> Self {
        self.argument("--env", &format!("{name}={value}"))
    }

    /// Several of those.
    pub fn variables(self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        variables.into_iter().fold(self, |act, (name, value)| act.variable(&name, &value))
    }

    /// The folder that is `OWNER/REPOSITORY@REF`, for actions and for reusable workflows.
    pub fn provide(self, reference: &str, folder: &Path) -> Self {
        self.argument("--local-repository", &format!("{reference}={}", folder.display()))
    }

    /// An action in the place of a foreign one. It says its inputs in the log, `NAME=VALUE` on a line each, and runs the
    /// script, which has them as `INPUT_NAME`.
    pub fn stand_in(self, reference: &str, inputs: &[&str], script: &str) -> Self {
        let folder = self.folder.path().join(reference.replace(['/', '@'], "-"));
        let mut text = "name: stand-in\ninputs:\n".to_owned();
        for input in inputs {
            writeln!(text, "  {input}: {{ default: '' }}").unwrap();
        }
        text.push_str("runs:\n  using: composite\n  steps:\n    - shell: bash\n      env:\n");
        let variable = |input: &str| format!("INPUT_{}", input.replace('-', "_").to_uppercase());
        for input in inputs {
            writeln!(text, "        {}: ${{{{ inputs.{input} }}}}", variable(input)).unwrap();
        }
        text.push_str("      run: |\n");
        for input in inputs {
            writeln!(text, "        echo \"{input}=${}\"", variable(input)).unwrap();
        }
        for line in script.lines() {
            writeln!(text, "        {line}").unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("action.yml"), text).unwrap();
        self.provide(reference, &folder)
    }

    /// Runs it to its end.
    pub fn run(&self) -> Ran {
        // Two runs of a workflow, of whatever clone, would share containers by their names.
        let lock = File::create(std::env::temp_dir().join("gp-deliver-act.lock")).unwrap();
        lock.lock().unwrap();
        let output = self.command().output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let (mut lines, mut rest) = (vec![], String::new());
        for line in said.lines() {
            match serde_json::from_str::<Value>(line) {
                Ok(line) if line.is_object() => lines.push(line),
                _ => writeln!(rest, "{line}").unwrap(),
            }
        }
        Ran { code: output.status.code(), lines, rest }
    }

    /// Runs it and asserts that jobs ran and succeeded. act's exit code alone says nothing of a job that was left out.
    #[track_caller]
    pub fn succeeds(&self) -> Ran {
        let ran = self.run();
        let results = ran.job_results();
        assert!(ran.code == Some(0) && !results.is_empty() && results.iter().all(|one| one == "success"), "{}", ran.log());
        ran
    }

    fn argument(mut self, flag: &str, value: &str) -> Self {
        self.arguments.extend([flag.to_owned(), value.to_owned()]);
        self
    }

    fn command(&self) -> Command {
        let mut act = Command::new(tool("act"));
        act.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("DOCKER_HOST", part("DOCKER"));
        act.env("HOME", self.folder.path()).envs(&self.secrets).current_dir(&self.repository).stdin(Stdio::null());
        act.args([&self.event, "--json", "--pull=false", "--rm", "--no-cache-server", "--workflows", &self.workflow]);
        // Not from files that happen to be in the repository.
        for flag in ["--env-file", "--input-file", "--secret-file", "--var-file"] {
            act.args([flag, "/dev/null"]);
        }
        for label in LABELS {
            act.args(["--platform", &format!("{label}=debian:bookworm-slim")]);
        }
        act.args(&self.arguments);
        act
    }
}

impl Ran {
    /// How each job ended: `success` or `failure`.
    pub fn job_results(&self) -> Vec<String> {
        self.results("jobResult").map(|(_, result)| result).collect()
    }

    /// How the steps ended, by their names: `success`, `failure` or `skipped`.
    pub fn steps(&self) -> BTreeMap<String, String> {
        let main = self.lines.iter().filter(|line| line["stage"] == "Main");
        let step = |line: &Value| Some((line["step"].as_str()?.to_owned(), line["stepResult"].as_str()?.to_owned()));
        main.filter_map(step).collect()
    }

    /// Everything, by job and step.
    pub fn log(&self) -> String {
        let mut log = format!("exit code {:?}\n{}", self.code, self.rest);
        for line in &self.lines {
            let text = |name: &str| line[name].as_str().unwrap_or_default().trim_end();
            writeln!(log, "[{}] {}: {}", text("job"), text("step"), text("msg")).unwrap();
        }
        log
    }

    /// Asserts that a step wrote something, or that act said it.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        let log = self.log();
        assert!(log.contains(text), "does not say {text:?}:\n{log}");
        self
    }

    fn results(&self, kind: &'static str) -> impl Iterator<Item = (String, String)> {
        self.lines.iter().filter_map(move |line| {
            let job = line["job"].as_str().unwrap_or_default().to_owned();
            Some((job, line[kind].as_str()?.to_owned()))
        })
    }
}
