//! Inputs made sense of: typed, complete, final. All that is wrong with them is said at once, before anything runs.

mod amazon;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use semver::Version;
use serde::Serialize;

use reader::Reader;

pub use crate::inputs::Problem;

use crate::aws::{self, AccountId};
use crate::buildkit::builder::Host;
use crate::environment::Environment;
use crate::github::{Access, Event};
use crate::inputs::{Inputs, REPORT_DIR};
use crate::oci::{Compression, Platform};
use crate::policy::Threshold;
use crate::publish;
use crate::scan::database::Mirror;
use crate::scan::syft::Format;
use crate::secret::{Redaction, Secret};
use crate::tags::Template;

/// What a delivery goes by. For the commands that build nothing `B` is `()`: they ask for no Dockerfile.
#[derive(Clone, Debug)]
pub struct Config<B = Build> {
    /// Where the image is bound for.
    pub environment: Environment,
    /// The version for tags: the input's, else the `v*` tag's.
    pub version: Option<Version>,
    /// The build context, which is where the source is: a folder that exists.
    pub context: PathBuf,
    /// What is built from it.
    pub build: B,
    /// Which commits are scanned for secrets.
    pub secrets_history: SecretsHistory,
    /// Which vulnerabilities count.
    pub threshold: Threshold,
    /// Where the vulnerability database is, in the order of trying.
    pub database_mirrors: Vec<Mirror>,
    /// Where the database for Java archives is.
    pub java_database_mirrors: Vec<Mirror>,
    /// The SBOMs to write.
    pub sbom_formats: Vec<Format>,
    /// The tags to set.
    pub tags: Vec<Template>,
    /// Where the image goes.
    pub destination: Destination,
    /// Whether it goes there.
    pub publish: Publish,
    /// Whether an image of this commit that is there already is built anew.
    pub rebuild: bool,
    /// GitHub's API; absent outside GitHub Actions.
    pub github: Option<Access>,
    /// Where the report goes.
    pub report_dir: PathBuf,
}

/// Whether the image goes to its destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publish {
    /// If it is cleared.
    Yes,
    /// Not in any case, and this is why.
    No(String),
}

/// Where the image goes, as far as that is known before anyone is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A folder, or a registry by its address.
    Named(publish::Destination),
    /// A repository of Amazon ECR, whose registry's address comes with its password.
    Ecr(Box<Ecr>),
}

/// A repository of Amazon ECR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ecr {
    /// The registry's address, where it was named.
    pub host: Option<String>,
    /// The repository's name.
    pub name: String,
    /// Whose it is; else that of the credentials.
    pub account: Option<AccountId>,
    /// Whether it is created if it is not there.
    pub create: bool,
    /// As whom we go there.
    pub identity: aws::Settings,
}

impl fmt::Display for Destination {
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

/// What is built, and where.
#[derive(Clone, Debug)]
pub struct Build {
    /// The Dockerfile: a file that exists.
    pub dockerfile: PathBuf,
    /// The stage to build; the last where none is named.
    pub target: Option<String>,
    /// Values for `ARG`.
    pub arguments: Vec<(String, String)>,
    /// Secrets for build steps.
    pub secrets: Vec<BuildSecret>,
    /// Stages that must build too.
    pub check_targets: Vec<String>,
    /// Platforms; the builder's own where none is named.
    pub platforms: Vec<Platform>,
    /// Labels of the image.
    pub labels: Vec<(String, String)>,
    /// Annotations of the manifests.
    pub annotations: BTreeMap<String, String>,
    /// How new layers are compressed.
    pub compression: Compression,
    /// Who builds.
    pub host: Host,
}

impl Build {
    /// Takes the build's secrets out of text. A file that can't be read now gives nothing to take out: the step that asks for
    /// it fails.
    #[must_use]
    pub fn redaction(&self) -> Redaction {
        let values = self.secrets.iter().filter_map(|secret| match &secret.source {
            SecretSource::Variable(value) => Some(value.clone()),
            SecretSource::File(path) => std::fs::read_to_string(path).ok().map(Secret::new),
        });
        Redaction::of(&values.collect::<Vec<_>>())
    }
}

/// A secret for build steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildSecret {
    /// The name that `RUN --mount=type=secret,id=…` asks for.
    pub id: String,
    /// Where the value is.
    pub source: SecretSource,
}

/// Where a build secret's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// It was in a variable.
    Variable(Secret),
    /// It is in a file, read when a step asks for it.
    File(PathBuf),
}

/// Which commits are scanned for secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretsHistory {
    /// Those after the given commit, up to the delivered one: what a push brought.
    Push(String),
    /// All that git has.
    Full,
    /// None: the working tree alone.
    None,
}

/// What the inputs are read against.
pub struct Env<'a> {
    /// The variables of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The event of the workflow run; none outside GitHub Actions.
    pub event: Option<&'a Event>,
}

impl Config {
    /// Makes sense of inputs.
    ///
    /// # Errors
    /// All that is wrong with them, in the order of [`crate::inputs::ALL`].
    pub fn resolve(inputs: &Inputs, env: &Env<'_>) -> Result<Self, Vec<Problem>> {
        Reader::read(inputs, env, |reader| reader.config(Reader::build))
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

/// The environment alone, of inputs that serve several deliveries.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn environment(inputs: &Inputs, env: &Env<'_>) -> Result<Environment, Vec<Problem>> {
    Reader::read(inputs, env, Reader::environment)
}

/// Where the report goes, which is told of inputs that are wrong too.
pub(crate) fn report_dir(inputs: &Inputs) -> PathBuf {
    PathBuf::from(inputs.text(&REPORT_DIR))
}
