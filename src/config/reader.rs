//! Inputs, read one by one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use semver::Version;

use super::{Build, BuildSecret, Config, Destination, Problem, Publish, SecretSource, SecretsHistory, World};
use crate::buildkit::builder::Host;
use crate::buildkit::endpoint::Address;
use crate::environment::Environment;
use crate::finding::Severity;
use crate::github::Access;
use crate::inputs::{self, Inputs};
use crate::oci::Compression;
use crate::policy::Threshold;
use crate::publish::{self, InvalidDestination};
use crate::scan::database::Mirror;
use crate::secret::Secret;
use crate::tags::Template;

/// Reads inputs and collects problems: each method yields a value to go on with, right or not, so that all are seen.
pub(super) struct Reader<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) world: &'a World<'a>,
    pub(super) problems: Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn config(&mut self) -> Config {
        let report_dir = PathBuf::from(self.inputs.get("report-dir").unwrap_or(Config::REPORT_DIR));
        Config {
            environment: self.environment(),
            version: self.version(),
            build: self.build(),
            secrets_history: self.secrets_history(),
            threshold: Threshold {
                severity: self
                    .parse("severity-threshold", "HIGH", "CRITICAL, HIGH, MEDIUM, LOW or UNKNOWN")
                    .unwrap_or(Severity::Unknown),
                ignore_unfixed: self.switch("ignore-unfixed", false),
            },
            database_mirrors: self.mirrors("trivy-db-repository", Mirror::DATABASES),
            java_database_mirrors: self.mirrors("trivy-java-db-repository", Mirror::JAVA_DATABASES),
            sbom_formats: self.parse_list("sbom-formats", "spdx-json,cyclonedx-json", "spdx-json or cyclonedx-json"),
            tags: self.tags(),
            destination: self.destination(&report_dir),
            publish: self.publish(),
            rebuild: self.switch("rebuild", false),
            github: self.github(),
            report_dir,
        }
    }

    fn build(&mut self) -> Build {
        let context = PathBuf::from(self.inputs.get("build-context").unwrap_or("."));
        if !context.is_dir() {
            self.problem("build-context", &context.display().to_string(), "a folder is expected, and there is none of that name");
        }
        let given = self.inputs.get("dockerfile-path").map(PathBuf::from);
        let dockerfile = given.unwrap_or_else(|| context.join("Dockerfile"));
        if context.is_dir() && !dockerfile.is_file() {
            self.problem(
                "dockerfile-path",
                &dockerfile.display().to_string(),
                "a Dockerfile is expected, and there is no file of that name",
            );
        }
        Build {
            dockerfile,
            target: self.inputs.get("build-target").map(|target| target.trim().to_owned()),
            arguments: self.arguments(),
            secrets: self.secrets(),
            check_targets: list(self.inputs.get("check-targets").unwrap_or_default()).map(str::to_owned).collect(),
            platforms: self.parse_list("platforms", "", "platforms such as linux/amd64,linux/arm64"),
            labels: self.pairs("labels"),
            annotations: self.pairs("annotations").into_iter().collect(),
            compression: self.parse("compression", "gzip", "gzip or zstd").unwrap_or(Compression::Gzip),
            host: self.host(),
            context,
        }
    }

    pub(super) fn environment(&mut self) -> Environment {
        let name = self.inputs.get("environment").unwrap_or("auto").trim();
        if name != "auto" {
            let expected = "local, dev, test, staging, prod or auto";
            return name.parse().unwrap_or_else(|()| self.problem_and("environment", name, expected, Environment::Prod));
        }
        let Some(event) = self.world.event else { return Environment::Local };
        // A proposal is held to what the branch demands that it is for.
        let (branch, tag) = if event.is_proposal() { (event.base.as_deref(), None) } else { (event.branch(), event.tag()) };
        match (branch, tag) {
            (Some("development"), _) => Environment::Dev,
            (Some("main"), _) => Environment::Prod,
            (_, Some(tag)) if tag.starts_with('v') => Environment::Prod,
            _ => {
                let reference = if event.reference.is_empty() { "an unknown ref" } else { &event.reference };
                let reference = match branch.filter(|_| event.is_proposal()) {
                    Some(base) => format!("a change for the branch {base}"),
                    None => reference.to_owned(),
                };
                let expected = format!(
                    "{reference} maps to no environment: auto knows the branches development (dev) and main (prod) and v* tags \
                     (prod); name an environment, or run on one of those"
                );
                self.problem_and("environment", "auto", &expected, Environment::Prod)
            }
        }
    }

    fn publish(&mut self) -> Publish {
        let asked = self.switch("publish", true);
        match self.world.event {
            _ if !asked => Publish::No("publish is false".to_owned()),
            Some(event) if event.may_publish() => Publish::Yes,
            Some(event) if event.is_proposal() => Publish::No(format!("a {} is never published", event.name.replace('_', " "))),
            Some(event) => Publish::No(format!(
                "the event {:?} may be a stranger's and publishes nothing: use push, workflow_dispatch, release, schedule or \
                 repository_dispatch",
                event.name
            )),
            None => Publish::Yes,
        }
    }

    /// GitHub's API, as far as the runner tells of it and gives a token for it.
    fn github(&self) -> Option<Access> {
        self.world.event?;
        let variable = |name: &str| (self.world.variable)(name).filter(|value| !value.trim().is_empty());
        let repository = variable("GITHUB_REPOSITORY")?;
        let (owner, name) = repository.split_once('/')?;
        Some(Access {
            api: variable("GITHUB_API_URL").unwrap_or_else(|| Access::GITHUB.to_owned()),
            owner: owner.to_owned(),
            repository: name.to_owned(),
            token: variable(&inputs::variable(inputs::TOKEN.name)).map(Secret::new),
        })
    }

    fn version(&mut self) -> Option<Version> {
        let tag = || self.world.event?.tag()?.strip_prefix('v')?.parse().ok();
        let Some(text) = self.inputs.get("version") else { return tag() };
        let version = text.trim().trim_start_matches('v').parse();
        version.map_err(|_| self.problem("version", text, "a semantic version such as 1.2.3 is expected")).ok()
    }

    fn arguments(&mut self) -> Vec<(String, String)> {
        let lines = lines(self.inputs.get("build-args").unwrap_or_default());
        let read = lines.filter_map(|line| match line.split_once('=') {
            Some((name, value)) if is_variable(name) => Some((name.to_owned(), value.to_owned())),
            // Without a value: the caller's own, as `docker build --build-arg NAME` has it; unset there, it is left out.
            None if is_variable(line) => (self.world.variable)(line).map(|value| (line.to_owned(), value)),
            _ => {
                self.problems.push(Problem {
                    input: "build-args",
                    value: line.to_owned(),
                    expected: "NAME=VALUE is expected".to_owned(),
                });
                None
            }
        });
        read.collect()
    }

    fn secrets(&mut self) -> Vec<BuildSecret> {
        let lines = lines(self.inputs.get("build-secrets").unwrap_or_default());
        let mut secrets: Vec<BuildSecret> = Vec::new();
        for line in lines {
            match self.secret(line) {
                Ok(secret) if secrets.iter().any(|other| other.id == secret.id) => {
                    self.problem("build-secrets", line, "an id that is given once only is expected");
                }
                Ok(secret) => secrets.push(secret),
                Err(expected) => self.problem("build-secrets", line, &expected),
            }
        }
        secrets
    }

    fn secret(&self, line: &str) -> Result<BuildSecret, String> {
        let form = || "id=NAME,env=VARIABLE or id=NAME,src=FILE is expected".to_owned();
        let fields: BTreeMap<&str, &str> = line.split(',').filter_map(|field| field.trim().split_once('=')).collect();
        if fields.len() != line.split(',').count() {
            return Err(form());
        }
        let field = |names: &[&str]| names.iter().find_map(|name| fields.get(name).copied()).filter(|value| !value.is_empty());
        let id = field(&["id"]).ok_or_else(form)?.to_owned();
        let source = match (field(&["env"]), field(&["src", "source"])) {
            (Some(name), None) => {
                let value = (self.world.variable)(name).ok_or_else(|| format!("the variable {name} is not set"))?;
                SecretSource::Variable(Secret::new(value))
            }
            (None, Some(path)) if Path::new(path).is_file() => SecretSource::File(path.into()),
            (None, Some(path)) => return Err(format!("there is no file {path}")),
            _ => return Err(form()),
        };
        Ok(BuildSecret { id, source })
    }

    fn host(&mut self) -> Host {
        let certificates = self.inputs.get("buildkit-certificates").map(PathBuf::from);
        if let Some(folder) = certificates.as_deref().filter(|folder| !folder.join("ca.pem").is_file()) {
            self.problem("buildkit-certificates", &folder.display().to_string(), "a folder with ca.pem is expected");
        }
        if let Some(text) = self.inputs.get("buildkit-host") {
            let fallback = Address::Unix("/run/buildkit/buildkitd.sock".into());
            let address = text.trim().parse().unwrap_or_else(|_| {
                self.problem_and("buildkit-host", text, "unix:///PATH or tcp://HOST:PORT is expected", fallback)
            });
            return Host::Buildkitd(address, certificates);
        }
        match (self.world.variable)("DOCKER_HOST").filter(|host| !host.is_empty()) {
            Some(text) => {
                let fallback = Address::Unix("/var/run/docker.sock".into());
                let expected = "the variable DOCKER_HOST has this value, and only unix:///PATH and tcp://HOST:PORT can be used";
                let address = text.parse().unwrap_or_else(|_| self.problem_and("buildkit-host", &text, expected, fallback));
                Host::Docker(vec![address])
            }
            None => Host::Docker(self.usual_sockets()),
        }
    }

    /// Where engines listen: the system's, a rootless one's, Docker Desktop's.
    fn usual_sockets(&self) -> Vec<Address> {
        let under = |variable: &str, path: &str| {
            (self.world.variable)(variable).map(|folder| Address::Unix(Path::new(&folder).join(path)))
        };
        let system = Some(Address::Unix("/var/run/docker.sock".into()));
        let candidates = [system, under("XDG_RUNTIME_DIR", "docker.sock"), under("HOME", ".docker/run/docker.sock")];
        let (first, rest) = (candidates[0].clone(), candidates[1..].iter().flatten().cloned());
        let there = |address: &Address| matches!(address, Address::Unix(path) if path.exists());
        first.into_iter().chain(rest.filter(there)).collect()
    }

    fn secrets_history(&mut self) -> SecretsHistory {
        let push = || self.world.event.and_then(|event| event.before.clone());
        match self.inputs.get("secrets-history").unwrap_or("auto").trim() {
            // A push without a commit before is a new branch or tag: what it brought can't be told, so all is scanned.
            "auto" | "push" => push().map_or(SecretsHistory::Full, SecretsHistory::Push),
            "full" => SecretsHistory::Full,
            "none" => SecretsHistory::None,
            other => self.problem_and("secrets-history", other, "auto, push, full or none is expected", SecretsHistory::Full),
        }
    }

    fn mirrors(&mut self, name: &'static str, defaults: &[&str]) -> Vec<Mirror> {
        let defaults = defaults.join(",");
        self.parse_list(name, &defaults, "HOST[:PORT]/NAME[:TAG] or oci:PATH[:TAG] is expected")
    }

    fn tags(&mut self) -> Vec<Template> {
        let mut templates = Vec::new();
        for text in list(self.inputs.get("tags").unwrap_or("{sha},{env}-{sha}")) {
            match text.parse() {
                Ok(template) => templates.push(template),
                Err(error) => self.problem("tags", text, &format!("{error}")),
            }
        }
        if self.inputs.get("tags").is_none() {
            templates.extend("{version}".parse().map(Template::optional));
        }
        templates
    }

    fn destination(&mut self, report_dir: &Path) -> Destination {
        if let Some(ecr) = self.ecr() {
            return Destination::Ecr(Box::new(ecr));
        }
        let fallback = publish::Destination::Layout(report_dir.join("image"));
        let Some(text) = self.inputs.get("destination") else { return Destination::Named(fallback) };
        Destination::Named(text.trim().parse().unwrap_or_else(|error: InvalidDestination| {
            let suggestion = error.suggestion.map(|suggestion| format!("; write {suggestion}")).unwrap_or_default();
            self.problem_and("destination", text, &format!("{}{suggestion}", error.reason), fallback)
        }))
    }

    fn pairs(&mut self, name: &'static str) -> Vec<(String, String)> {
        let lines = lines(self.inputs.get(name).unwrap_or_default());
        let read = lines.filter_map(|line| match line.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Some((key.trim().to_owned(), value.to_owned())),
            _ => {
                self.problems.push(Problem { input: name, value: line.to_owned(), expected: "KEY=VALUE is expected".to_owned() });
                None
            }
        });
        read.collect()
    }

    pub(super) fn switch(&mut self, name: &'static str, default: bool) -> bool {
        match self.inputs.get(name).map(str::trim) {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(other) => self.problem_and(name, other, "true or false is expected", default),
        }
    }

    pub(super) fn parse<T: FromStr>(&mut self, name: &'static str, default: &str, expected: &str) -> Option<T> {
        let text = self.inputs.get(name).unwrap_or(default).trim();
        text.parse().map_err(|_| self.problem(name, text, &format!("{expected} is expected"))).ok()
    }

    pub(super) fn parse_list<T: FromStr>(&mut self, name: &'static str, default: &str, expected: &str) -> Vec<T> {
        let mut values = Vec::new();
        for text in list(self.inputs.get(name).unwrap_or(default)) {
            match text.parse() {
                Ok(value) => values.push(value),
                Err(_) => self.problem(name, text, expected),
            }
        }
        values
    }

    pub(super) fn problem(&mut self, input: &'static str, value: &str, expected: &str) {
        self.problems.push(Problem { input, value: value.to_owned(), expected: expected.to_owned() });
    }

    pub(super) fn problem_and<T>(&mut self, input: &'static str, value: &str, expected: &str, then: T) -> T {
        self.problem(input, value, expected);
        then
    }
}

/// The entries of a list, separated by commas or line ends.
pub(crate) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty())
}

/// The lines that say something.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_') && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
