//! The configuration: inputs, typed and complete. All problems with them are reported at once, before anything runs.

mod amazon;
mod assembly;
mod build;
mod cache;
mod docker;
mod dockerfile;
mod gitops;
mod leniency;
mod monitoring;
mod proxies;
mod reader;
mod reading;
mod signing;
mod suppressions;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use semver::Version;

pub(crate) use self::amazon::Ecr;
pub(crate) use self::assembly::Listed;
pub(crate) use self::build::Build;
pub(crate) use self::cache::Cache;
pub(crate) use self::monitoring::Metrics;
use self::reader::Reader;
pub(crate) use self::signing::{Signing, SigningKey, Trusted};
pub(crate) use self::suppressions::{SecretsHistory, Suppressions};
use crate::aws;
use crate::coverage::{Acceptance, JudgedBy};
use crate::environment::{Choice, Environment, Gate, Origin};
use crate::github::{self, Access, Credential, Event};
use crate::gitops::Settings;
use crate::inputs::{self, Input, Inputs, Lines, Problem};
use crate::oci::Digest;
use crate::policy::Threshold;
use crate::process::Demand;
use crate::provenance::Trust;
use crate::publish;
use crate::registry_scan::{self, Patience};
use crate::scan::database::{MaxAge, Mirror};
use crate::scan::syft::Format;
use crate::sigstore::Instance;
use crate::tags::{self, Template};
use crate::variables;

/// What a delivery goes by. For the commands that build nothing `B` is `()`: they ask for no Dockerfile.
#[derive(Clone, Debug)]
pub(crate) struct Config<B = Build> {
    /// Where the image is bound for.
    pub(crate) environment: Environment,
    /// The version for tags: the input's, else the `v*` tag's.
    pub(crate) version: Option<Version>,
    /// The build context, which is where the source is: a folder that exists.
    pub(crate) context: PathBuf,
    /// What is built from it.
    pub(crate) build: B,
    /// Which commits are scanned for secrets.
    pub(crate) secrets_history: SecretsHistory,
    /// Whose lists of what is let through count.
    pub(crate) suppressions: Suppressions,
    /// The severity from which a vulnerability counts at the gate.
    pub(crate) threshold: Threshold,
    /// Where the vulnerability database is, in the order of trying.
    pub(crate) database_mirrors: Vec<Mirror>,
    /// Where the database for Java archives is.
    pub(crate) java_database_mirrors: Vec<Mirror>,
    /// The age beyond which a database is refused; absent where an old one is better than none.
    pub(crate) database_max_age: Option<MaxAge>,
    /// What may be in the image without being judged.
    pub(crate) accepted: Vec<Acceptance>,
    /// What programs are shut in.
    pub(crate) sandbox: Demand,
    /// The SBOMs to write.
    pub(crate) sbom_formats: Vec<Format>,
    /// The tags to set.
    pub(crate) tags: Vec<Template>,
    /// Where the image goes.
    pub(crate) destination: RequestedDestination,
    /// Whether the image is published.
    pub(crate) publish: Publish,
    /// Whether findings go to the Security tab.
    pub(crate) code_scanning: github::Demand,
    /// What an image of this commit has to show to be taken instead of built.
    pub(crate) reuse: Trust,
    /// What the image has to be; absent where any will do.
    pub(crate) expected_digest: Option<Digest>,
    /// Whether the image gets no tag: another job assembles it with others.
    pub(crate) untagged: bool,
    /// What an image that is promoted is judged by.
    pub(crate) promote_by: JudgedBy,
    /// The identity at AWS that base images and databases are pulled with; absent where no input names one.
    pub(crate) pulls_as: Option<aws::Settings>,
    /// By what the image is signed.
    pub(crate) signing: Signing,
    /// By what is checked what was signed about an earlier image; absent where nothing is.
    pub(crate) read_by: Option<Box<Instance>>,
    /// Whether what is signed goes to GitHub too.
    pub(crate) github_attestations: github::Demand,
    /// What is done with the registry's own scan of the image.
    pub(crate) registry_scan: registry_scan::Demand,
    /// How long that is waited for.
    pub(crate) registry_scan_wait: Patience,
    /// Where figures of the delivery are put.
    pub(crate) metrics: Metrics,
    /// GitHub's API; absent outside GitHub Actions.
    pub(crate) github: Option<Access>,
    /// What a cluster is brought to; absent where nothing is named.
    pub(crate) gitops: Option<Box<Settings>>,
    /// Where the report goes.
    pub(crate) report_dir: PathBuf,
}

/// Whether the image goes to its destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Publish {
    /// Yes, if it is cleared.
    Yes,
    /// No, for this reason.
    No(String),
}

/// Where the image goes, as far as it is known before the network is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestedDestination {
    /// A folder, or a registry by its address.
    Named(publish::Destination),
    /// A repository of Amazon ECR, whose registry's address comes with its password.
    Ecr(Box<Ecr>),
}

impl RequestedDestination {
    /// Whether it is a registry, which takes content before tags; a folder takes both in one step.
    #[must_use]
    pub(crate) fn is_a_registry(&self) -> bool {
        !matches!(self, Self::Named(publish::Destination::Layout(_)))
    }
}

impl fmt::Display for RequestedDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(destination) => destination.fmt(f),
            Self::Ecr(ecr) => match &ecr.host {
                Some(host) => write!(f, "{host}/{}", ecr.name),
                None => write!(f, "ecr:{}", ecr.name),
            },
        }
    }
}

/// The environment that the inputs are read in.
pub(crate) struct Env<'a> {
    /// The variables of the environment.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    /// The event of the workflow run; none outside GitHub Actions.
    pub(crate) event: Option<&'a Event>,
}

impl<B> Config<B> {
    /// Where the build context is, by a path without links; as it was given where it can't be looked at.
    #[must_use]
    pub(crate) fn real_context(&self) -> PathBuf {
        self.context.canonicalize().unwrap_or_else(|_| self.context.clone())
    }
}

impl Config {
    /// Reads and checks the inputs.
    ///
    /// # Errors
    /// All that is wrong with them, in the order of [`crate::inputs::ALL`].
    pub(crate) fn resolve(inputs: &Inputs, env: &Env<'_>) -> Result<Self, Vec<Problem>> {
        Reader::read(inputs, env, |reader| reader.config(Reader::build))?.for_a_cluster(inputs)?.for_assembly(inputs)
    }

    /// Reads and checks the inputs of a promotion, which builds nothing, has no source whose lists could count, and goes to a
    /// registry.
    ///
    /// # Errors
    /// All that is wrong with them, in the order of [`crate::inputs::ALL`].
    pub(crate) fn of_promotion(inputs: &Inputs, env: &Env<'_>) -> Result<Self, Vec<Problem>> {
        let config = Reader::read(inputs, env, |reader| reader.config(|_, _| Some(Build::nothing())))?;
        if !config.destination.is_a_registry() {
            let expected =
                "a repository of a registry is expected, or ecr-repository: what is signed about an image is kept there";
            return Err(vec![inputs::DESTINATION.problem(inputs.text(&inputs::DESTINATION), expected)]);
        }
        config.is_tagged(inputs)?;
        Self { suppressions: Suppressions::Unproven, ..config }.for_a_cluster(inputs)
    }
}

impl Config<()> {
    /// Makes sense of the inputs that are not about the build.
    ///
    /// # Errors
    /// All that is wrong with them, in the order of [`crate::inputs::ALL`].
    pub(crate) fn without_build(inputs: &Inputs, env: &Env<'_>) -> Result<Self, Vec<Problem>> {
        Reader::read(inputs, env, |reader| reader.config(|_, _| Some(())))
    }
}

/// The environment alone, for inputs that several deliveries share.
///
/// # Errors
/// The problems with it.
pub(crate) fn environment(inputs: &Inputs, env: &Env<'_>) -> Result<Environment, Vec<Problem>> {
    Reader::read(inputs, env, Reader::environment)
}

/// Where the report goes, which is told of inputs that are wrong too.
pub(crate) fn report_dir(inputs: &Inputs) -> PathBuf {
    PathBuf::from(inputs.text(&inputs::REPORT_DIR))
}

/// What programs are shut in, also where another input is wrong: then as if nothing had been said.
pub(crate) fn sandbox(inputs: &Inputs) -> Demand {
    inputs.get(&inputs::SANDBOX).unwrap_or(Demand::Auto)
}

impl Reader<'_> {
    /// All that a delivery goes by; `build` reads what is built from the context.
    fn config<B>(&mut self, build: impl FnOnce(&mut Self, Option<&Path>) -> Option<B>) -> Option<Config<B>> {
        let environment = self.environment();
        let version = self.get(&inputs::VERSION);
        let context = self.context();
        let build = build(self, context.as_deref());
        let secrets_history = self.secrets_history(environment);
        let suppressions = self.suppressions(environment);
        let severity = self.get(&inputs::SEVERITY_THRESHOLD);
        let ignore_unfixed = self.get(&inputs::IGNORE_UNFIXED);
        let database_mirrors = self.mirrors(&inputs::TRIVY_DB_REPOSITORY, Mirror::DATABASES);
        let java_database_mirrors = self.mirrors(&inputs::TRIVY_JAVA_DB_REPOSITORY, Mirror::JAVA_DATABASES);
        let database_max_age = self.get(&inputs::DATABASE_MAX_AGE);
        let accepted = self.get(&inputs::ACCEPT_UNSCANNED);
        let sandbox = self.get(&inputs::SANDBOX);
        let sbom_formats = self.get(&inputs::SBOM_FORMATS);
        let tags = self.tags();
        let report_dir = self.get(&inputs::REPORT_DIR);
        let destination = self.destination(report_dir.as_deref());
        let publish = self.publish();
        let code_scanning = self.get(&inputs::CODE_SCANNING);
        let promote_by = self.get(&inputs::PROMOTE_BY);
        let signing = self.signing(environment, publish.as_ref(), destination.as_ref());
        let pulls_as = self.pulls_as(destination.as_ref(), signing.as_ref());
        let read_by = self.read_by(signing.as_ref(), publish.as_ref());
        let github_attestations = self.get(&inputs::GITHUB_ATTESTATIONS);
        let reuse = self.get(&inputs::REUSE);
        let expected_digest = self.get(&inputs::EXPECTED_DIGEST);
        let untagged = self.get(&inputs::UNTAGGED);
        let registry_scan = self.registry_scan(publish.as_ref(), destination.as_ref());
        let registry_scan_wait = self.get(&inputs::ECR_SCAN_WAIT);
        let metrics = self.metrics(destination.as_ref());
        let gitops = self.gitops();
        self.refuse_rebuild();
        Some(Config {
            environment: environment?,
            version: version?.or_else(|| self.version_of_tag()),
            context: context?,
            build: build?,
            secrets_history: secrets_history?,
            suppressions: suppressions?,
            threshold: Threshold { severity: severity?, ignore_unfixed: ignore_unfixed? },
            database_mirrors: database_mirrors?,
            java_database_mirrors: java_database_mirrors?,
            database_max_age: database_max_age?.or_else(|| usual_max_age(environment?)),
            accepted: accepted.map(|Lines(accepted)| accepted)?,
            sandbox: sandbox?,
            sbom_formats: sbom_formats?,
            tags: tags?,
            destination: destination?,
            publish: publish?,
            code_scanning: code_scanning?,
            promote_by: promote_by?,
            reuse: reuse?.unwrap_or(Trust::usual(environment?)),
            expected_digest: expected_digest?,
            untagged: untagged?,
            pulls_as,
            signing: signing?,
            read_by,
            github_attestations: github_attestations?,
            registry_scan: registry_scan?,
            registry_scan_wait: registry_scan_wait?,
            metrics: metrics?,
            github: self.github(),
            gitops,
            report_dir: report_dir?,
        })
    }

    fn context(&mut self) -> Option<PathBuf> {
        let context = self.get(&inputs::BUILD_CONTEXT)?;
        if context.is_dir() {
            return Some(context);
        }
        let expected = "a folder is expected, and there is no folder of that name";
        self.problem(&inputs::BUILD_CONTEXT, context.display().to_string(), expected);
        None
    }

    fn environment(&mut self) -> Option<Environment> {
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
                "the event {:?} can be caused by anyone, so it publishes nothing: use push, workflow_dispatch, release, schedule or \
                 repository_dispatch",
                event.name
            )),
            None => Publish::Yes,
        })
    }

    /// Tells a workflow of before what took the place of `rebuild`. On the command line it is no flag any more.
    fn refuse_rebuild(&mut self) {
        let given = self.env.event.and_then(|_| (self.env.variable)(&inputs::REBUILD.variable()));
        if let Some(given) = given.filter(|given| !matches!(given.trim(), "" | "false")) {
            let expected = "reuse: never has taken its place; a fixed tag that names another image stays, until you remove it";
            self.problem(&inputs::REBUILD, given, expected);
        }
    }

    /// GitHub's API, if the runner names it.
    fn github(&self) -> Option<Access> {
        self.env.event?;
        let variable = |name: &str| (self.env.variable)(name).filter(|value| !value.trim().is_empty());
        let repository = variable(variables::GITHUB_REPOSITORY)?;
        let (owner, name) = repository.split_once('/')?;
        Some(Access {
            api: variable(variables::GITHUB_API_URL).unwrap_or_else(|| Access::GITHUB.to_owned()),
            owner: owner.to_owned(),
            repository: name.to_owned(),
            credential: variable(&inputs::TOKEN.variable())
                .and_then(|token| inputs::TOKEN.read(&token).ok())
                .map(Credential::Token),
        })
    }

    fn version_of_tag(&self) -> Option<Version> {
        self.env.event?.tag()?.strip_prefix('v')?.parse().ok()
    }

    fn mirrors(&mut self, input: &Input<Vec<Mirror>>, usual: &[&str]) -> Option<Vec<Mirror>> {
        let given = self.get(input)?;
        Some(if given.is_empty() { usual.iter().filter_map(|text| text.parse().ok()).collect() } else { given })
    }

    fn tags(&mut self) -> Option<Vec<Template>> {
        Some(self.get(&inputs::TAGS)?.unwrap_or_else(tags::usual))
    }

    fn destination(&mut self, report_dir: Option<&Path>) -> Option<RequestedDestination> {
        if self.inputs.given(&inputs::ECR_REPOSITORY).is_some() {
            return self.ecr().map(|ecr| RequestedDestination::Ecr(Box::new(ecr)));
        }
        self.miss_repository();
        let in_report = || Some(publish::Destination::Layout(report_dir?.join("image")));
        self.get(&inputs::DESTINATION)?.or_else(in_report).map(RequestedDestination::Named)
    }
}

/// How old a database may be where nothing is said of it.
fn usual_max_age(environment: Environment) -> Option<MaxAge> {
    (environment.requirements().vulnerabilities == Gate::Blocking).then_some(MaxAge::BLOCKING)
}

/// What an event is of, for people.
fn subject(event: &Event) -> String {
    match &event.base {
        Some(base) if event.is_proposal() => format!("a change for the branch {base}"),
        _ if event.reference.is_empty() => "an unknown ref".to_owned(),
        _ => event.reference.clone(),
    }
}
