//! What is built, and where.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::docker::ClientConfig;
use super::dockerfile;
use super::proxies::Proxies;
use super::reader::Reader;
use crate::buildkit::builder::Host;
use crate::buildkit::contexts::{NamedContext, Origin};
use crate::buildkit::endpoint::{self, Address};
use crate::buildkit::fleet::Fleet;
use crate::buildkit::namespace::BuilderCache;
use crate::buildkit::options::Options;
use crate::buildkit::session::secrets::{self, SecretSource};
use crate::inputs::{self, AnnotationLine, Argument, Lines, Property, SecretLine, SecretPlace, SshLine};
use crate::oci::annotations::Annotations;
use crate::oci::{Compression, Platform};
use crate::redaction::{self, Known};
use crate::secret::Secret;
use crate::variables;

/// What is built, and where.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    /// The Dockerfile: a file that exists.
    pub(crate) dockerfile: PathBuf,
    /// What the Dockerfile takes files from by a name.
    pub(crate) contexts: Vec<NamedContext>,
    /// The stage to build; the last where none is named.
    pub(crate) target: Option<String>,
    /// Values for `ARG`.
    pub(crate) arguments: Vec<(String, String)>,
    /// Secrets for build steps.
    pub(crate) secrets: Vec<BuildSecret>,
    /// SSH agents for build steps: the sockets, by the names that `RUN --mount=type=ssh,id=…` asks for.
    pub(crate) agents: BTreeMap<String, PathBuf>,
    /// Proxies for build steps.
    pub(crate) proxies: Proxies,
    /// How steps are run.
    pub(crate) options: Options,
    /// Whether the image is dated by its commit.
    pub(crate) reproducible: bool,
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
    /// Who sees what this build leaves in the builder.
    pub(crate) builder_cache: BuilderCache,
    /// The build cache that other machines share.
    pub(crate) cache: Cache,
}

impl Build {
    /// Of an image that is taken as it is.
    pub(super) fn nothing() -> Self {
        Self {
            dockerfile: PathBuf::new(),
            contexts: Vec::new(),
            target: None,
            arguments: Vec::new(),
            secrets: Vec::new(),
            agents: BTreeMap::new(),
            proxies: Proxies::default(),
            options: Options::default(),
            reproducible: false,
            check_targets: Vec::new(),
            platforms: Vec::new(),
            labels: Vec::new(),
            annotations: Annotations::default(),
            compression: Compression::Gzip,
            host: Host::Docker(Vec::new(), None),
            builder_cache: BuilderCache::Isolated,
            cache: Cache::nothing(),
        }
    }

    /// The named contexts that are folders of the source.
    pub(crate) fn folders(&self) -> impl Iterator<Item = (String, PathBuf)> {
        self.contexts.iter().filter_map(|context| match &context.origin {
            Origin::Folder(folder) => Some((context.name.to_string(), folder.clone())),
            Origin::Image(_) | Origin::Layout { .. } => None,
        })
    }

    /// What is wrong with sending the build's secrets to the builder at `address`, if anything is.
    pub(crate) fn exposed_at(&self, address: &Address) -> Option<String> {
        let has_secrets = !self.secrets.is_empty() || !self.agents.is_empty();
        (has_secrets && self.is_heard_on_the_way(address)).then(|| {
            format!(
                "The build's secrets go to {address} without TLS: whoever listens on the way can read them, and whoever \
                 reaches that port can read them out of the builder. Use a socket, or TLS (`buildkit-certificates`, \
                 DOCKER_TLS_VERIFY)."
            )
        })
    }

    /// Whether what goes to the builder at `address` can be read on the way.
    pub(crate) fn is_heard_on_the_way(&self, address: &Address) -> bool {
        let (Host::Docker(_, certificates) | Host::Buildkitd(_, certificates)) = &self.host;
        certificates.is_none() && !address.is_on_this_machine()
    }

    /// Has the build's secrets, and the credentials of its proxies, kept out of all text from now on, and says which can't
    /// be. A file that can't be read now is left out here: the step that asks for it fails.
    pub(crate) fn know_secrets(&self) -> Vec<String> {
        // Made a secret, each is known.
        drop(self.proxies.credentials());
        let mut warnings = Vec::new();
        for BuildSecret { id, source } in &self.secrets {
            let bytes = match source {
                SecretSource::Value(value) => value.expose().as_bytes().to_vec(),
                SecretSource::File(path) => secrets::read_file(path).unwrap_or_default(),
            };
            match redaction::remember_structured(&bytes) {
                Known::TooShort if !bytes.trim_ascii().is_empty() => warnings.push(format!(
                    "The build secret {id} has fewer than 4 characters, and can't be told from parts of other words: it is \
                     not masked in the log and in reports."
                )),
                Known::Public => warnings.push(format!(
                    "The build secret {id} is what everyone knows of this run (its commit, repository or ref): it is not \
                     masked in the log and in reports."
                )),
                Known::TooShort | Known::Masked => {}
            }
        }
        warnings
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
        let contexts = self.contexts();
        let target = self.get(&inputs::BUILD_TARGET);
        let arguments = self.arguments();
        let secrets = self.secrets();
        let agents = self.agents();
        let options = self.options();
        let reproducible = self.get(&inputs::REPRODUCIBLE);
        let check_targets = self.get(&inputs::CHECK_TARGETS);
        let platforms = self.platforms();
        let labels = self.labels();
        let annotations = self.annotations();
        let compression = self.get(&inputs::COMPRESSION);
        let client = self.docker_client();
        let host = self.host(client.as_ref(), platforms.as_deref());
        let builder_cache = self.get(&inputs::BUILDER_CACHE);
        let cache = self.cache();
        Some(Build {
            dockerfile: dockerfile?,
            contexts: contexts?,
            target: target?,
            arguments: arguments?,
            secrets: secrets?,
            agents: agents?,
            proxies: client?.proxies,
            options: options?,
            reproducible: reproducible?,
            check_targets: check_targets?,
            platforms: platforms?,
            labels: labels?,
            annotations: annotations?,
            compression: compression?,
            host: host?,
            builder_cache: builder_cache?,
            cache: cache?,
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
        let asked = match &given {
            Some(given) => given.clone(),
            None => dockerfile::usual(context?),
        };
        if asked.is_file() {
            return Some(asked);
        }
        let expected = match dockerfile::nearest(&asked, context).as_slice() {
            [] => "a Dockerfile is expected, and there is no file of that name".to_owned(),
            near => format!("a Dockerfile is expected, and there is no file of that name; there is {}", near.join(", ")),
        };
        self.problem(&inputs::DOCKERFILE_PATH, asked.display().to_string(), expected);
        None
    }

    fn contexts(&mut self) -> Option<Vec<NamedContext>> {
        let Lines(lines) = self.get(&inputs::BUILD_CONTEXTS)?;
        let mut contexts: Vec<NamedContext> = Vec::new();
        for context in lines {
            let folder = context.origin.folder().filter(|folder| !folder.is_dir());
            if contexts.iter().any(|other| other.name == context.name) {
                self.problem(&inputs::BUILD_CONTEXTS, context.name.to_string(), "each name may be given only once");
            } else if let Some(folder) = folder {
                let expected = format!("a folder is expected for {}, and there is none", context.name);
                self.problem(&inputs::BUILD_CONTEXTS, folder.display().to_string(), expected);
            } else {
                contexts.push(context);
            }
        }
        Some(contexts)
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

    fn agents(&mut self) -> Option<BTreeMap<String, PathBuf>> {
        let Lines(lines) = self.get(&inputs::SSH)?;
        let mut agents = BTreeMap::new();
        for SshLine { text, id, socket } in lines {
            match self.agent(socket) {
                Ok(_) if agents.contains_key(&id) => self.problem(&inputs::SSH, text, "each ID may be given only once"),
                Ok(socket) => drop(agents.insert(id, socket)),
                Err(expected) => self.problem(&inputs::SSH, text, expected),
            }
        }
        Some(agents)
    }

    /// How steps are run.
    fn options(&mut self) -> Option<Options> {
        let (no_cache, pull) = (self.get(&inputs::NO_CACHE), self.get(&inputs::PULL));
        let (hosts, network) = (self.get(&inputs::ADD_HOSTS), self.get(&inputs::NETWORK));
        let (shm_size, limits) = (self.get(&inputs::SHM_SIZE), self.get(&inputs::ULIMIT));
        Some(Options { no_cache: no_cache?, pull: pull?, hosts: hosts?, network: network?, shm_size: shm_size?, limits: limits? })
    }

    /// The socket of an SSH agent: the given one, else the environment's.
    fn agent(&self, socket: Option<PathBuf>) -> Result<PathBuf, String> {
        let from_variable = || (self.env.variable)(variables::SSH_AUTH_SOCK).filter(|path| !path.is_empty()).map(PathBuf::from);
        let socket = socket.or_else(from_variable);
        let socket =
            socket.ok_or("no SSH agent runs here: SSH_AUTH_SOCK is not set; start one (`ssh-agent`), or give ID=SOCKET")?;
        match std::fs::metadata(&socket) {
            Ok(metadata) if metadata.file_type().is_socket() => Ok(socket),
            Ok(_) => {
                Err(format!("{} is not an agent's socket; add a key to an agent (`ssh-add`), and give that", socket.display()))
            }
            Err(error) => Err(format!("the agent's socket {} can't be used: {error}", socket.display())),
        }
    }

    /// What Docker's client is told here.
    fn docker_client(&mut self) -> Option<ClientConfig> {
        let set = |name: &str| (self.env.variable)(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = set(variables::DOCKER_CONFIG).or_else(|| set(variables::HOME).map(|home| home.join(".docker")));
        let Some(folder) = folder else { return Some(ClientConfig::default()) };
        ClientConfig::read(folder).map_err(|(value, expected)| self.problem(&inputs::BUILDKIT_HOST, value, expected)).ok()
    }

    /// Who builds, in the order in which Docker's client looks: `DOCKER_HOST`, the context, the usual sockets.
    fn host(&mut self, client: Option<&ClientConfig>, platforms: Option<&[Platform]>) -> Option<Host> {
        let certificates = self.get(&inputs::BUILDKIT_CERTIFICATES);
        if let Some(folder) = certificates.iter().flatten().find(|folder| !folder.join("ca.pem").is_file()) {
            self.problem(&inputs::BUILDKIT_CERTIFICATES, folder.display().to_string(), "a folder with ca.pem is expected");
        }
        if let Some(fleet) = self.get(&inputs::BUILDKIT_HOST)? {
            self.has_builders(&fleet, platforms?);
            return Some(Host::Buildkitd(fleet, certificates?));
        }
        let set = |name: &str| (self.env.variable)(name).filter(|value| !value.is_empty());
        if let Some(host) = set(variables::DOCKER_HOST) {
            let folder = set(variables::DOCKER_CERT_PATH).map(PathBuf::from);
            let folder = folder.or_else(|| client.map(|client| client.folder().to_owned()));
            let certificates = folder.filter(|_| set(variables::DOCKER_TLS_VERIFY).is_some());
            return self.engine(&host, "the value of DOCKER_HOST", certificates);
        }
        let chosen = set(variables::DOCKER_CONTEXT);
        let client = client?;
        match client.context(chosen.as_deref()).map(|name| (client.target(&name), name)) {
            None => Some(Host::Docker(self.usual_sockets(), None)),
            Some((Ok(target), name)) => {
                self.engine(&target.host, &format!("where the Docker context {name} leads"), target.certificates)
            }
            Some((Err((value, expected)), _)) => {
                self.problem(&inputs::BUILDKIT_HOST, value, expected);
                None
            }
        }
    }

    /// Sees to it that each platform has a builder. Of several builders none is asked what its own platform is: the image would
    /// be another one by whichever answers.
    fn has_builders(&mut self, fleet: &Fleet, platforms: &[Platform]) {
        if platforms.is_empty() && fleet.only().is_none() {
            self.problem(&inputs::PLATFORMS, "", "the platforms are expected where `buildkit-host` has more than one address");
        }
        for platform in platforms.iter().filter(|platform| !fleet.has_some_for(platform)) {
            let expected = "`buildkit-host` has a line for other platforms, and none for this one or for all";
            self.problem(&inputs::PLATFORMS, platform.to_string(), expected);
        }
    }

    /// The engine at `host`, which is `what`.
    fn engine(&mut self, host: &str, what: &str, certificates: Option<PathBuf>) -> Option<Host> {
        if let Ok(address) = with_port(host, certificates.is_some()).parse() {
            return Some(Host::Docker(vec![address], certificates));
        }
        let expected = if host.starts_with("ssh://") {
            "an engine over SSH is not supported: forward its socket (`ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST`) \
             and set DOCKER_HOST to unix:///tmp/docker.sock"
        } else {
            "only unix:///PATH and tcp://HOST:PORT are supported"
        };
        self.problem(&inputs::BUILDKIT_HOST, endpoint::shown(host), format!("this is {what}; {expected}"));
        None
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

/// The address with the port that Docker's client adds where there is none.
fn with_port(host: &str, tls: bool) -> String {
    match host.strip_prefix("tcp://") {
        Some(name) if !name.is_empty() && !name.contains([':', '/']) => format!("{host}:{}", if tls { 2376 } else { 2375 }),
        _ => host.to_owned(),
    }
}
