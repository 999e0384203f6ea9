//! Inputs, read one by one.

use std::path::{Path, PathBuf};

use semver::Version;

use super::{Build, BuildSecret, Config, Destination, Env, Problem, Publish, SecretSource, SecretsHistory};
use crate::buildkit::builder::Host;
use crate::buildkit::endpoint::Address;
use crate::environment::{Choice, Environment, Origin};
use crate::github::{Access, Event};
use crate::inputs::{self, About, Argument, History, Input, Inputs, Lines, Property, SecretLine, SecretPlace, Value};
use crate::policy::Threshold;
use crate::publish;
use crate::scan::database::Mirror;
use crate::secret::Secret;
use crate::tags::{self, Template};
use crate::variables;

/// Reads inputs and collects problems. Where a method gives nothing, its problem is among them, and the reading goes on, so
/// that all are seen.
pub(super) struct Reader<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) env: &'a Env<'a>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Reads by `what`.
    ///
    /// # Errors
    /// All problems, in the order of [`inputs::ALL`].
    pub(super) fn read<T>(
        inputs: &'a Inputs,
        env: &'a Env<'a>,
        what: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Result<T, Vec<Problem>> {
        let mut reader = Self { inputs, env, problems: Vec::new() };
        match what(&mut reader) {
            Some(value) if reader.problems.is_empty() => Ok(value),
            _ => {
                let mut problems = reader.problems;
                problems.sort_by_key(|problem| inputs::ALL.iter().position(|input| input.name == problem.input));
                Err(problems)
            }
        }
    }

    /// All that a delivery goes by; `build` reads what is built from the context.
    pub(super) fn config<B>(&mut self, build: impl FnOnce(&mut Self, Option<&Path>) -> Option<B>) -> Option<Config<B>> {
        let environment = self.environment();
        let version = self.get(&inputs::VERSION);
        let context = self.context();
        let build = build(self, context.as_deref());
        let secrets_history = self.secrets_history();
        let severity = self.get(&inputs::SEVERITY_THRESHOLD);
        let ignore_unfixed = self.get(&inputs::IGNORE_UNFIXED);
        let database_mirrors = self.mirrors(&inputs::TRIVY_DB_REPOSITORY, Mirror::DATABASES);
        let java_database_mirrors = self.mirrors(&inputs::TRIVY_JAVA_DB_REPOSITORY, Mirror::JAVA_DATABASES);
        let sbom_formats = self.get(&inputs::SBOM_FORMATS);
        let tags = self.tags();
        let report_dir = self.get(&inputs::REPORT_DIR);
        let destination = self.destination(report_dir.as_deref());
        let publish = self.publish();
        let rebuild = self.get(&inputs::REBUILD);
        Some(Config {
            environment: environment?,
            version: version?.or_else(|| self.version_of_tag()),
            context: context?,
            build: build?,
            secrets_history: secrets_history?,
            threshold: Threshold { severity: severity?, ignore_unfixed: ignore_unfixed? },
            database_mirrors: database_mirrors?,
            java_database_mirrors: java_database_mirrors?,
            sbom_formats: sbom_formats?,
            tags: tags?,
            destination: destination?,
            publish: publish?,
            rebuild: rebuild?,
            github: self.github(),
            report_dir: report_dir?,
        })
    }

    pub(super) fn build(&mut self, context: Option<&Path>) -> Option<Build> {
        let dockerfile = self.dockerfile(context);
        let target = self.get(&inputs::BUILD_TARGET);
        let arguments = self.arguments();
        let secrets = self.secrets();
        let check_targets = self.get(&inputs::CHECK_TARGETS);
        let platforms = self.get(&inputs::PLATFORMS);
        let labels = self.properties(&inputs::LABELS);
        let annotations = self.properties(&inputs::ANNOTATIONS);
        let compression = self.get(&inputs::COMPRESSION);
        let host = self.host();
        Some(Build {
            dockerfile: dockerfile?,
            target: target?,
            arguments: arguments?,
            secrets: secrets?,
            check_targets: check_targets?,
            platforms: platforms?,
            labels: labels?,
            annotations: annotations?.into_iter().collect(),
            compression: compression?,
            host: host?,
        })
    }

    fn context(&mut self) -> Option<PathBuf> {
        let context = self.get(&inputs::BUILD_CONTEXT)?;
        if context.is_dir() {
            return Some(context);
        }
        let expected = "a folder is expected, and there is none of that name";
        self.problem(&inputs::BUILD_CONTEXT, context.display().to_string(), expected);
        None
    }

    fn dockerfile(&mut self, context: Option<&Path>) -> Option<PathBuf> {
        let given = self.get(&inputs::DOCKERFILE_PATH)?;
        let dockerfile = given.unwrap_or(context?.join("Dockerfile"));
        if dockerfile.is_file() {
            return Some(dockerfile);
        }
        let expected = "a Dockerfile is expected, and there is no file of that name";
        self.problem(&inputs::DOCKERFILE_PATH, dockerfile.display().to_string(), expected);
        None
    }

    pub(super) fn environment(&mut self) -> Option<Environment> {
        match self.get(&inputs::ENVIRONMENT)? {
            Choice::Named(environment) => Some(environment),
            Choice::Auto => self.environment_of_event(),
        }
    }

    fn environment_of_event(&mut self) -> Option<Environment> {
        let origin = match self.env.event {
            None => Some(Origin::Outside),
            // A proposal is held to what the branch requires that it is for.
            Some(event) if event.is_proposal() => event.base.as_deref().map(Origin::Branch),
            Some(event) => event.branch().map(Origin::Branch).or_else(|| event.tag().map(Origin::Tag)),
        };
        let environment = origin.and_then(Environment::of);
        if environment.is_none() {
            let expected = format!(
                "{} maps to no environment: auto knows {}; name an environment, or run on one of those",
                self.env.event.map(subject).unwrap_or_default(),
                Environment::known_triggers()
            );
            self.problem(&inputs::ENVIRONMENT, Choice::AUTO, expected);
        }
        environment
    }

    fn publish(&mut self) -> Option<Publish> {
        let asked = self.get(&inputs::PUBLISH)?;
        Some(match self.env.event {
            _ if !asked => Publish::No("publish is false".to_owned()),
            Some(event) if event.may_publish() => Publish::Yes,
            Some(event) if event.is_proposal() => Publish::No(format!("a {} is never published", event.name.replace('_', " "))),
            Some(event) => Publish::No(format!(
                "the event {:?} may be a stranger's and publishes nothing: use push, workflow_dispatch, release, schedule or \
                 repository_dispatch",
                event.name
            )),
            None => Publish::Yes,
        })
    }

    /// GitHub's API, as far as the runner tells of it and gives a token for it.
    fn github(&self) -> Option<Access> {
        self.env.event?;
        let variable = |name: &str| (self.env.variable)(name).filter(|value| !value.trim().is_empty());
        let repository = variable(variables::GITHUB_REPOSITORY)?;
        let (owner, name) = repository.split_once('/')?;
        Some(Access {
            api: variable(variables::GITHUB_API_URL).unwrap_or_else(|| Access::GITHUB.to_owned()),
            owner: owner.to_owned(),
            repository: name.to_owned(),
            token: variable(&inputs::TOKEN.variable()).and_then(|token| inputs::TOKEN.read(&token).ok()),
        })
    }

    fn version_of_tag(&self) -> Option<Version> {
        self.env.event?.tag()?.strip_prefix('v')?.parse().ok()
    }

    fn arguments(&mut self) -> Option<Vec<(String, String)>> {
        let Lines(lines) = self.get(&inputs::BUILD_ARGS)?;
        let value = |line| match line {
            Argument::Given(name, value) => Some((name, value)),
            // As `docker build --build-arg NAME` has it: what is not set here is left out.
            Argument::Inherited(name) => (self.env.variable)(&name).map(|value| (name, value)),
        };
        Some(lines.into_iter().filter_map(value).collect())
    }

    fn secrets(&mut self) -> Option<Vec<BuildSecret>> {
        let Lines(lines) = self.get(&inputs::BUILD_SECRETS)?;
        let mut secrets: Vec<BuildSecret> = Vec::new();
        for SecretLine { text, id, place } in lines {
            if secrets.iter().any(|other| other.id == id) {
                self.problem(&inputs::BUILD_SECRETS, text, "an id that is given once only is expected");
                continue;
            }
            match self.secret_source(place) {
                Ok(source) => secrets.push(BuildSecret { id, source }),
                Err(expected) => self.problem(&inputs::BUILD_SECRETS, text, expected),
            }
        }
        Some(secrets)
    }

    fn secret_source(&self, place: SecretPlace) -> Result<SecretSource, String> {
        match place {
            SecretPlace::Variable(name) => {
                let value = (self.env.variable)(&name).ok_or_else(|| format!("the variable {name} is not set"))?;
                Ok(SecretSource::Variable(Secret::new(value)))
            }
            SecretPlace::File(path) if path.is_file() => Ok(SecretSource::File(path)),
            SecretPlace::File(path) => Err(format!("there is no file {}", path.display())),
        }
    }

    fn host(&mut self) -> Option<Host> {
        let certificates = self.get(&inputs::BUILDKIT_CERTIFICATES);
        if let Some(folder) = certificates.iter().flatten().find(|folder| !folder.join("ca.pem").is_file()) {
            self.problem(&inputs::BUILDKIT_CERTIFICATES, folder.display().to_string(), "a folder with ca.pem is expected");
        }
        if let Some(address) = self.get(&inputs::BUILDKIT_HOST)? {
            return Some(Host::Buildkitd(address, certificates?));
        }
        let Some(text) = (self.env.variable)(variables::DOCKER_HOST).filter(|host| !host.is_empty()) else {
            return Some(Host::Docker(self.usual_sockets()));
        };
        match text.parse() {
            Ok(address) => Some(Host::Docker(vec![address])),
            Err(_) => {
                let expected = "the variable DOCKER_HOST has this value, and only unix:///PATH and tcp://HOST:PORT can be used";
                self.problem(&inputs::BUILDKIT_HOST, text, expected);
                None
            }
        }
    }

    /// Where engines listen: the system's, a rootless one's, Docker Desktop's.
    fn usual_sockets(&self) -> Vec<Address> {
        let under =
            |variable: &str, path: &str| (self.env.variable)(variable).map(|folder| Address::Unix(Path::new(&folder).join(path)));
        let rootless = under(variables::XDG_RUNTIME_DIR, "docker.sock");
        let desktop = under(variables::HOME, ".docker/run/docker.sock");
        let there = |address: &Address| matches!(address, Address::Unix(path) if path.exists());
        let system = Address::Unix("/var/run/docker.sock".into());
        [system].into_iter().chain([rootless, desktop].into_iter().flatten().filter(there)).collect()
    }

    fn secrets_history(&mut self) -> Option<SecretsHistory> {
        Some(match self.get(&inputs::SECRETS_HISTORY)? {
            // A push without a commit before is a new branch or tag: what it brought can't be told, so all is scanned.
            History::Auto | History::Push => {
                let before = self.env.event.and_then(|event| event.before.clone());
                before.map_or(SecretsHistory::Full, SecretsHistory::Push)
            }
            History::Full => SecretsHistory::Full,
            History::None => SecretsHistory::None,
        })
    }

    fn mirrors(&mut self, input: &Input<Vec<Mirror>>, usual: &[&str]) -> Option<Vec<Mirror>> {
        let given = self.get(input)?;
        Some(if given.is_empty() { usual.iter().filter_map(|text| text.parse().ok()).collect() } else { given })
    }

    fn tags(&mut self) -> Option<Vec<Template>> {
        Some(self.get(&inputs::TAGS)?.unwrap_or_else(tags::usual))
    }

    fn destination(&mut self, report_dir: Option<&Path>) -> Option<Destination> {
        if self.inputs.given(&inputs::ECR_REPOSITORY).is_some() {
            return self.ecr().map(|ecr| Destination::Ecr(Box::new(ecr)));
        }
        self.miss_repository();
        let in_report = || Some(publish::Destination::Layout(report_dir?.join("image")));
        self.get(&inputs::DESTINATION)?.or_else(in_report).map(Destination::Named)
    }

    fn properties(&mut self, input: &Input<Lines<Property>>) -> Option<Vec<(String, String)>> {
        let Lines(properties) = self.get(input)?;
        Some(properties.into_iter().map(|Property(key, value)| (key, value)).collect())
    }

    /// Reads one input.
    pub(super) fn get<T: Value>(&mut self, input: &Input<T>) -> Option<T> {
        self.inputs.get(input).map_err(|problems| self.problems.extend(problems)).ok()
    }

    pub(super) fn problem(&mut self, input: &About, value: impl Into<String>, expected: impl Into<String>) {
        self.problems.push(Problem::new(input, value, expected));
    }
}

/// What an event is of, for people.
fn subject(event: &Event) -> String {
    match &event.base {
        Some(base) if event.is_proposal() => format!("a change for the branch {base}"),
        _ if event.reference.is_empty() => "an unknown ref".to_owned(),
        _ => event.reference.clone(),
    }
}
