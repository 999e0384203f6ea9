//! One use of the action in a job.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::action::variable;
use super::{Action, CommandFiles, Ended, Job, Running};
use crate::support::part;

/// A step, before it is run.
#[derive(Clone)]
pub struct Invocation<'job> {
    job: &'job Job,
    action: Action,
    image: String,
    inputs: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
    programs: Vec<(PathBuf, String)>,
    profile: Option<PathBuf>,
    token: String,
}

impl<'job> Invocation<'job> {
    pub(super) fn new(job: &'job Job, action: Action) -> Self {
        Self {
            job,
            action,
            image: part("IMAGE"),
            inputs: BTreeMap::new(),
            variables: BTreeMap::new(),
            programs: Vec::new(),
            profile: None,
            token: "a token".to_owned(),
        }
    }

    /// `with:`.
    pub fn input(mut self, name: &str, value: &str) -> Self {
        self.inputs.insert(name.to_owned(), value.to_owned());
        self
    }

    /// `env:`, or what the service gives a job, such as the variables of `id-token: write`. It wins over the runner's own.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Several of those.
    pub fn variables(self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        variables.into_iter().fold(self, |step, (name, value)| step.variable(&name, &value))
    }

    /// Puts another program into the place of one of the image's, as if the image had been made so.
    pub fn program(mut self, file: &Path, place: &str) -> Self {
        self.programs.push((file.to_owned(), place.to_owned()));
        self
    }

    /// Has the engine hold the container to another seccomp profile than its own, such as that of an older engine.
    pub fn seccomp_profile(self, file: &Path) -> Self {
        Self { profile: Some(file.to_owned()), ..self }
    }

    /// What `${{ github.token }}` is.
    pub fn token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// Runs it to its end.
    pub fn run(&self) -> Ended {
        self.start().wait()
    }

    /// Runs it and asserts the exit code.
    #[track_caller]
    pub fn ends_with(&self, code: i32) -> Ended {
        let ended = self.run();
        assert_eq!(ended.code, Some(code), "{}", ended.log);
        ended
    }

    /// Starts it.
    pub fn start(&self) -> Running {
        let temp = self.job.temp();
        let files = CommandFiles::create(&temp.join("_runner_file_commands"));
        let payload = serde_json::to_vec(&self.job.payload()).unwrap();
        fs::write(temp.join("_github_workflow/event.json"), payload).unwrap();
        self.job.give_to_runner();

        let github = BTreeMap::from([("token".to_owned(), self.token.clone())]);
        let inputs = self.action.inputs(&self.inputs, &github);
        let mut variables = self.action.environment(&inputs);
        variables.extend(self.job.runner_variables());
        variables.extend(self.variables.clone());
        variables.extend(inputs.iter().map(|(name, value)| (variable(name), value.clone())));
        variables.extend(files.variables());
        variables.insert("HOME".to_owned(), temp.join("_github_home").display().to_string());

        let name = format!("gpdelivertest_{:06x}", rand::random::<u32>() & 0xff_ffff);
        let mut command = self.docker_run(&name, &variables);
        command.args(self.action.arguments(&inputs));
        Running::start(command, name, files)
    }

    /// `docker run` up to the image's name.
    fn docker_run(&self, name: &str, variables: &BTreeMap<String, String>) -> Command {
        let engine = part("DOCKER");
        let mounts = self.mounts(engine.trim_start_matches("unix://"));
        let mut docker = Command::new("docker");
        docker.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("DOCKER_HOST", &engine);
        docker.current_dir(self.job.workspace()).stdin(Stdio::null());
        docker.args(["run", "--name", name, "--label", "a57b2e", "--workdir", "/github/workspace", "--rm"]);
        for (variable, value) in variables {
            // Names alone: the values are in the client's environment, where no list of processes shows them.
            docker.args(["-e", variable]).env(variable, in_container(value, &mounts));
        }
        docker.args(["-e", "GITHUB_ACTIONS=true"]);
        if !variables.contains_key("CI") {
            docker.args(["-e", "CI=true"]);
        }
        if let Some(entrypoint) = self.action.entrypoint() {
            docker.args(["--entrypoint", entrypoint]);
        }
        // The runner has a network here only in jobs with services; the tests' servers listen on the host's 127.0.0.1.
        docker.args(["--network", "host"]);
        for (host, container) in &mounts {
            let mut volume = OsString::from(host);
            volume.push(":");
            volume.push(container);
            docker.arg("-v").arg(volume);
        }
        if let Some(profile) = &self.profile {
            docker.arg("--security-opt").arg(format!("seccomp={}", profile.display()));
        }
        for (file, place) in &self.programs {
            docker.arg("-v").arg(format!("{}:{place}:ro", file.display()));
        }
        docker.arg(&self.image);
        docker
    }

    fn mounts(&self, socket: &str) -> Vec<(PathBuf, &'static str)> {
        let temp = self.job.temp();
        vec![
            (PathBuf::from(socket), "/var/run/docker.sock"),
            (temp.clone(), "/github/runner_temp"),
            (temp.join("_github_home"), "/github/home"),
            (temp.join("_github_workflow"), "/github/workflow"),
            (temp.join("_runner_file_commands"), "/github/file_commands"),
            (self.job.workspace(), "/github/workspace"),
        ]
    }
}

/// A value that is a path of the host, as the container sees it. The mount that was added last is tried first.
fn in_container(value: &str, mounts: &[(PathBuf, &'static str)]) -> String {
    let translated = mounts.iter().skip(1).rev().find_map(|(host, container)| {
        let rest = value.strip_prefix(&*host.to_string_lossy())?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{container}{rest}"))
    });
    translated.unwrap_or_else(|| value.to_owned())
}
