//! What is built, and where.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::reader::Reader;
use crate::buildkit::builder::Host;
use crate::buildkit::endpoint::Address;
use crate::buildkit::session::secrets::SecretSource;
use crate::inputs::{self, AnnotationLine, Argument, Lines, Property, SecretLine, SecretPlace};
use crate::oci::annotations::Annotations;
use crate::oci::{Compression, Platform};
use crate::secret::{Redaction, Secret};
use crate::variables;

/// What is built, and where.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    /// The Dockerfile: a file that exists.
    pub(crate) dockerfile: PathBuf,
    /// The stage to build; the last where none is named.
    pub(crate) target: Option<String>,
    /// Values for `ARG`.
    pub(crate) arguments: Vec<(String, String)>,
    /// Secrets for build steps.
    pub(crate) secrets: Vec<BuildSecret>,
    /// Stages that must build too.
    pub(crate) check_targets: Vec<String>,
    /// Platforms; the builder's own where none is named.
    pub(crate) platforms: Vec<Platform>,
    /// Labels of the image.
    pub(crate) labels: Vec<(String, String)>,
    /// Annotations of the manifests.
    pub(crate) annotations: Annotations,
    /// How new layers are compressed.
    pub(crate) compression: Compression,
    /// The builder, or where to look for one.
    pub(crate) host: Host,
}

impl Build {
    /// Removes the build's secrets from text. A file that can't be read now is left out here: the step that asks for it
    /// fails.
    #[must_use]
    pub(crate) fn redaction(&self) -> Redaction {
        let values = self.secrets.iter().filter_map(|secret| match &secret.source {
            SecretSource::Value(value) => Some(value.clone()),
            SecretSource::File(path) => std::fs::read_to_string(path).ok().map(Secret::new),
        });
        Redaction::of(&values.collect::<Vec<_>>())
    }
}

/// A secret for build steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildSecret {
    /// The name that `RUN --mount=type=secret,id=…` asks for.
    pub(crate) id: String,
    /// Where the value is.
    pub(crate) source: SecretSource,
}

impl Reader<'_> {
    /// What is built from a context; absent where that is.
    pub(super) fn build(&mut self, context: Option<&Path>) -> Option<Build> {
        let dockerfile = self.dockerfile(context);
        let target = self.get(&inputs::BUILD_TARGET);
        let arguments = self.arguments();
        let secrets = self.secrets();
        let check_targets = self.get(&inputs::CHECK_TARGETS);
        let platforms = self.platforms();
        let labels = self.labels();
        let annotations = self.annotations();
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
            annotations: annotations?,
            compression: compression?,
            host: host?,
        })
    }

    /// Each platform once, however often and under whichever of its names it is given.
    fn platforms(&mut self) -> Option<Vec<Platform>> {
        let mut platforms = self.get(&inputs::PLATFORMS)?;
        let mut seen = HashSet::new();
        platforms.retain(|platform| seen.insert(platform.clone()));
        Some(platforms)
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
                self.problem(&inputs::BUILD_SECRETS, text, "each id may be given only once");
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
                Ok(SecretSource::Value(Secret::new(value)))
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
                let expected = "this is the value of DOCKER_HOST; only unix:///PATH and tcp://HOST:PORT are supported";
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

    fn labels(&mut self) -> Option<Vec<(String, String)>> {
        let Lines(properties) = self.get(&inputs::LABELS)?;
        Some(properties.into_iter().map(|Property(key, value)| (key, value)).collect())
    }

    fn annotations(&mut self) -> Option<Annotations> {
        let Lines(lines) = self.get(&inputs::ANNOTATIONS)?;
        Some(Annotations::new(lines.into_iter().flat_map(|AnnotationLine(annotations)| annotations)))
    }
}
