//! A builder: an engine's embedded BuildKit or a standalone `buildkitd`, and what it can do.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as EngineError;
use bollard::query_parameters::RemoveImageOptions;
use bollard_buildkit_proto::moby::buildkit::v1::ListWorkersRequest;
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use bollard_buildkit_proto::pb;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tonic::Code;
use tonic::transport::Channel;

use super::cache::{self, RemoteCache};
use super::contexts::{self, Contexts, Given};
use super::date::{Dating, SourceDate};
use super::endpoint::{Address, connect_buildkitd};
use super::engine::EngineClient;
use super::error::Error;
use super::export::content::{self, Treatment};
use super::export::{docker_archive, pipe};
use super::fleet::Fleet;
use super::id::random_id;
use super::namespace::Namespace;
use super::options::Options;
use super::progress::{BuildEvent, CacheRead, GivenUp, StepSeen};
use super::session::{Session, silence};
use super::solve::{Solve, Solved};
use crate::build_check::BuildCheck;
use crate::layer_store::{KnownLayer, Packing};
use crate::materials::Materials;
use crate::net::{Pace, TransportError, chain};
use crate::oci::image::Parts;
use crate::oci::{Digest, Layout, Platform, bounds};
use crate::text;

/// The API of Docker 20.10, the first whose BuildKit this client can speak to.
const OLDEST_API: (u32, u32) = (1, 41);

/// How long an engine may take before the first piece of an image that it saves: it writes the whole of it to its own disk first.
pub(crate) const FIRST_PIECE: Duration = Duration::from_mins(15);

/// How often an image is exported whose engine lost it in between.
const EXPORTS: usize = 5;
/// How many of these go by the cache. A prune can take a layer away that the record of a step still names, and then no
/// repetition by the cache finds it (Docker 20.10: `layer does not exist`).
const BY_THE_CACHE: usize = 3;
/// The frontend's attribute by which every step is run anew (BuildKit, `frontend/dockerui/config.go`).
const NO_CACHE: &str = "no-cache";

/// How many of the platforms count that a builder names.
const MOST_PLATFORMS: usize = 100;

/// The frontend's attribute that names hosts.
const HOSTS: &str = "add-hosts";

/// Where to look for a builder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// Standalone `buildkitd`s, and the folder with the certificates for all of them where they want some.
    Buildkitd(Fleet, Option<PathBuf>),
    /// A Docker engine at one of these addresses, the first that answers, and the folder with the certificates for TCP with
    /// TLS (`ca.pem`, `cert.pem`, `key.pem`).
    Docker(Vec<Address>, Option<PathBuf>),
}

/// A builder that answers.
pub(crate) struct Builder {
    channel: Channel,
    store: Store,
    description: String,
    /// Whether it is newer than Docker 20.10 (BuildKit 0.8), which passes over limits of steps and named contexts in silence.
    is_newer: bool,
    /// Where it answers.
    address: Address,
    /// What it calls itself, which no build step can see: the engine's ID, or that of buildkitd's workers.
    identity: String,
    /// What it says that it builds for, its own platform first; nothing where it was not asked.
    platforms: Vec<Platform>,
    /// Cleanup tasks, which may outlive the build.
    cleanups: TaskTracker,
}

/// Where the builder keeps images, and thus how they come out.
enum Store {
    /// Unpacked, in the engine's graph driver.
    GraphDriver(Docker),
    /// As blobs.
    Content { is_engine: bool },
}

/// The image of one platform, as it came out of the builder.
#[derive(Debug)]
pub(crate) struct Product {
    /// What it consists of, in the layout.
    pub(crate) parts: Parts,
    /// What the builder's own checks say of the Dockerfile.
    pub(crate) checks: Vec<BuildCheck>,
    /// What it was built from.
    pub(crate) materials: Materials,
    /// The steps of the Dockerfile.
    pub(crate) steps: Vec<StepSeen>,
    /// What became of the caches outside of the builder that were to be read.
    pub(crate) read: Vec<CacheRead>,
}

/// What is built, apart from the platform.
#[derive(Clone, Debug, Default)]
pub(crate) struct Instructions {
    /// The Dockerfile's name in the folder that the session serves as `dockerfile`.
    pub(crate) dockerfile: String,
    /// The stage to build; the last where none is named.
    pub(crate) target: Option<String>,
    /// `ARG` values.
    pub(crate) arguments: Vec<(String, String)>,
    /// What the image is dated by; by when it is built where nothing is named.
    pub(crate) date: Option<SourceDate>,
    /// What its own layers are dated by, where the builder gives them one by one.
    pub(crate) dating: Option<Arc<dyn Dating>>,
    /// Labels of the image.
    pub(crate) labels: Vec<(String, String)>,
    /// What the Dockerfile takes files from by a name.
    pub(crate) contexts: Contexts,
    /// How steps are run.
    pub(crate) options: Options,
    /// Whose state in the builder the steps see and leave; everybody's where none is named.
    pub(crate) namespace: Option<Namespace>,
    /// The cache outside of the builder.
    pub(crate) cache: Option<RemoteCache>,
}

impl Builder {
    /// Connects to a `buildkitd` and finds out what it is, with the certificates in a folder where it wants some.
    ///
    /// # Errors
    /// It does not answer, or a certificate can't be used.
    pub(crate) async fn buildkitd(address: &Address, certificates: Option<&Path>) -> Result<Self, Error> {
        let channel = connect_buildkitd(address, certificates).await?;
        let (identity, platforms) = workers(&channel, address).await?;
        Ok(Self {
            identity,
            platforms,
            channel,
            store: Store::Content { is_engine: false },
            description: format!("buildkitd at {address}"),
            is_newer: true,
            address: address.clone(),
            cleanups: TaskTracker::new(),
        })
    }

    /// Connects to the first Docker engine that answers at one of these addresses and finds out what it is. Cleaning up after a
    /// dropped build is a task of `cleanups`.
    ///
    /// # Errors
    /// None answers, or it is too old.
    pub(crate) async fn docker(
        addresses: &[Address],
        certificates: Option<&Path>,
        cleanups: &TaskTracker,
    ) -> Result<Self, Error> {
        let (mut tried, mut reason) = (Vec::new(), String::new());
        for address in addresses {
            let engine = EngineClient::new(address.clone(), certificates)?;
            match Self::connect_engine(&engine, cleanups).await {
                Err(Error::NoEngine { tried: mut one, reason: said }) => {
                    tried.append(&mut one);
                    reason = said;
                }
                other => return other,
            }
        }
        Err(Error::NoEngine { tried, reason })
    }

    async fn connect_engine(engine: &EngineClient, cleanups: &TaskTracker) -> Result<Self, Error> {
        let docker = engine.rest().map_err(|error| engine.silent(&error))?;
        let version = docker.version().await.map_err(|error| engine.silent(&error))?;
        let api = version.api_version.unwrap_or_default();
        let version = version.version.unwrap_or_default();
        if parse_api(&api) < Some(OLDEST_API) {
            return Err(Error::EngineTooOld { version, api });
        }
        let info = docker.info().await.map_err(|error| engine.silent(&error))?;
        let status = info.driver_status.unwrap_or_default();
        let keeps_blobs = status.iter().flatten().any(|word| word.starts_with("io.containerd.snapshotter"));
        let driver = info.driver.unwrap_or_default();
        let channel = engine.buildkit().await?;
        let description = format!("Docker {version}, {driver}{}", if keeps_blobs { " in containerd" } else { "" });
        let store = if keeps_blobs { Store::Content { is_engine: true } } else { Store::GraphDriver(docker) };
        let (address, identity) = (engine.address().clone(), info.id.unwrap_or_default());
        let is_newer = parse_api(&api) > Some(OLDEST_API);
        let platforms = Vec::new();
        Ok(Self { channel, store, description, is_newer, address, identity, platforms, cleanups: cleanups.clone() })
    }

    /// The builder's name and version, for the log: `Docker 20.10.24, overlay2`.
    #[must_use]
    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// Where it answers: what Docker's client knows it by.
    #[must_use]
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// What it calls itself. No step of a build can see it.
    #[must_use]
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// Whether it says that it runs programs of a platform. That is a word about itself: what it does not run it may still put
    /// together of files.
    #[must_use]
    pub(crate) fn runs(&self, platform: &Platform) -> bool {
        self.platforms.contains(platform)
    }

    /// What it says that it builds for, its own platform first; nothing of an engine.
    #[must_use]
    pub(crate) fn platforms(&self) -> &[Platform] {
        &self.platforms
    }

    /// Whether it does what is asked for, and does not pass over it in silence.
    ///
    /// # Errors
    /// It does: [`Error::NoSuchOption`].
    pub(crate) fn knows(&self, options: &Options, named_contexts: bool) -> Result<(), Error> {
        let input = options.of_limits().or_else(|| named_contexts.then_some("build-contexts"));
        match input {
            Some(input) if !self.is_newer => Err(Error::NoSuchOption { input, builder: self.description.clone() }),
            _ => Ok(()),
        }
    }

    /// Whether it may have checks of its own for a Dockerfile (BuildKit 0.15); Docker 20.10 has none, whatever a Dockerfile says.
    #[must_use]
    pub(crate) fn may_check(&self) -> bool {
        self.is_newer
    }

    /// Whether it gives layers one by one, so that they can be dated.
    #[must_use]
    pub(crate) fn gives_layers(&self) -> bool {
        matches!(self.store, Store::Content { .. })
    }

    /// Whether all of an image's own layers are dated, by the commit where nothing better is known. With an engine the others stay as
    /// it has them.
    #[must_use]
    pub(crate) fn dates_all_layers(&self) -> bool {
        matches!(self.store, Store::Content { is_engine: false })
    }

    /// The connection, for a session.
    #[must_use]
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Whether it can write to caches outside of it, other than into an image.
    #[must_use]
    pub(crate) fn may_write_caches(&self) -> bool {
        matches!(self.store, Store::Content { .. })
    }

    /// Builds without exporting an image, for the check stage that the instructions name.
    ///
    /// # Errors
    /// The build failed.
    pub(crate) async fn check(
        &self,
        session: &Session,
        instructions: &Instructions,
        platform: Option<&Platform>,
        show: &(dyn Fn(BuildEvent) + Send + Sync),
    ) -> Result<Solved, Error> {
        let mut attributes = self.attributes(instructions, platform)?;
        let imports = instructions.imports(platform, instructions.target.as_deref()).await;
        attributes.extend(imports.unwrap_or_else(|spoilt| {
            show(unread(&spoilt));
            None
        }));
        loop {
            let solve = instructions.solve(attributes.clone());
            match self.solve(session, solve, show).await {
                Err(error) if error.may_come_of_a_cache() && attributes.remove(cache::IMPORTS).is_some() => {
                    show(without_the_cache(&error));
                }
                ended => return ended,
            }
        }
    }

    /// Builds the image of one platform (the builder's own where none is named) and writes it into `layout`.
    ///
    /// Where a cache outside of the builder may be why that fails, it is built without.
    ///
    /// # Errors
    /// The build failed, or the image could not be exported.
    pub(crate) async fn build(
        &self,
        session: &Session,
        instructions: &Instructions,
        platform: Option<&Platform>,
        layout: &Layout,
        packing: &Packing,
        show: Arc<dyn Fn(BuildEvent) + Send + Sync>,
    ) -> Result<Product, Error> {
        let mut attributes = self.attributes(instructions, platform)?;
        let (mut exports, mut given_up) = (1, Vec::new());
        match instructions.imports(platform, None).await {
            Ok(imports) => attributes.extend(imports),
            Err(error) => given_up.push(CacheRead { error, given_up: None }),
        }
        let (mut parts, solved) = loop {
            match self.export(session, instructions, &attributes, layout, packing, &show).await {
                Err(error) if error.may_come_of_a_cache() && attributes.remove(cache::IMPORTS).is_some() => {
                    show(without_the_cache(&error));
                    // The builder has taken what it was given for its own.
                    if error.is_of_content() {
                        attributes.insert(NO_CACHE.to_owned(), String::new());
                    }
                    let why = if matches!(error, Error::CacheSilent) { GivenUp::Silent } else { GivenUp::Failing };
                    given_up.push(CacheRead { error: error.to_string(), given_up: Some(why) });
                }
                Err(Error::ImageGone { reason }) if exports < EXPORTS => {
                    exports += 1;
                    tracing::debug!(reason, exports, "the builder lost the image before it was read");
                    if exports > BY_THE_CACHE {
                        attributes.insert(NO_CACHE.to_owned(), String::new());
                    }
                }
                ended => break ended?,
            }
        };
        // Engines differ in what they make of one: a graph driver can't even save it.
        if parts.layers.is_empty() {
            return Err(Error::NoLayers);
        }
        if let Some(date) = instructions.date {
            parts.config = date.of_config(parts.config);
        }
        let read = solved.read.into_iter().chain(given_up).collect();
        Ok(Product { parts, checks: solved.checks, materials: solved.materials, steps: solved.steps, read })
    }

    /// Writes the steps of a build that has been done, of the stage `check` where one is named, to the cache of its
    /// instructions. It is a build once more, of which each step is in the builder.
    ///
    /// # Errors
    /// The builder knows no such cache, or can't write to it.
    pub(crate) async fn write_cache(
        &self,
        session: &Session,
        instructions: &Instructions,
        platform: Option<&Platform>,
        check: Option<&str>,
        show: &(dyn Fn(BuildEvent) + Send + Sync),
    ) -> Result<(), Error> {
        let Some(cache) = &instructions.cache else { return Ok(()) };
        let mut frontend_attributes = self.attributes(instructions, platform)?;
        frontend_attributes.remove(NO_CACHE);
        // What was taken from it is not fetched as long as nobody needs it, and is nowhere else.
        frontend_attributes.extend(instructions.imports(platform, check).await.ok().flatten());
        let solve = Solve { cache_exports: vec![cache.export(platform, check)], ..instructions.solve(frontend_attributes) };
        let solved = self.solve(session, solve, show).await.map_err(Error::or_no_cache_export)?;
        cache.written(&solved.response, platform, check).await
    }
}

/// What is said where a cache is spoilt.
fn unread(why: &str) -> BuildEvent {
    BuildEvent::Line(format!("the build is done without the cache, which is spoilt: {why}"))
}

/// What is said where a build is done once more, without a cache.
fn without_the_cache(error: &Error) -> BuildEvent {
    BuildEvent::Line(format!("the build is done without the cache, which may be why it failed: {error}"))
}

impl Builder {
    /// Ends when the builder has left a question without an answer for as long as nobody there leaves one. It asks its client
    /// too ([`silence::silence`]), but not in the first seconds, and one may hang in these.
    pub(crate) async fn silence(&self) {
        let mut control = ControlClient::new(self.channel.clone()).max_decoding_message_size(64 << 20);
        loop {
            sleep(silence::LOOK).await;
            // What it says is of no interest. Where the connection has ended, the build says so.
            if timeout(silence::SILENCE, control.list_workers(ListWorkersRequest::default())).await.is_err() {
                return;
            }
        }
    }

    /// Builds an image and reads it out of the builder's store.
    ///
    /// A graph driver keeps equal images as one, so that another build of the same image, which takes its own name away when
    /// it has saved it, takes the image away as long as this one's name is not on it yet. In a content store nothing keeps an
    /// image without a name from being collected once its solve is over. Both are [`Error::ImageGone`], and each step is in the
    /// cache when it is built once more.
    async fn export(
        &self,
        session: &Session,
        instructions: &Instructions,
        frontend_attributes: &HashMap<String, String>,
        layout: &Layout,
        packing: &Packing,
        show: &Arc<dyn Fn(BuildEvent) + Send + Sync>,
    ) -> Result<(Parts, Solved), Error> {
        let solve = instructions.solve(frontend_attributes.clone());
        let received = {
            let show = show.clone();
            move |bytes: u64| show(BuildEvent::Status(format!("image {}", text::size(bytes))))
        };
        match &self.store {
            Store::GraphDriver(docker) => {
                let name = format!("gp-deliver.invalid/export:{}", random_id());
                let _cleanup = Cleanup { docker: docker.clone(), name: name.clone(), tasks: self.cleanups.clone() };
                let exporter = Some(("moby", HashMap::from([("name".to_owned(), name.clone())])));
                let solve = Solve { exporter, ..solve };
                let solved = self.solve(session, solve, &**show).await.map_err(Error::or_gone)?;
                Ok((save(docker, &name, layout, packing, received).await?, solved))
            }
            Store::Content { .. } => {
                let attributes =
                    [("push", "false"), ("store", "true"), ("oci-mediatypes", "true"), ("compression", "uncompressed")];
                let attributes = attributes.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
                let is_late = |given: &Given| matches!(given, Given::Layout(_));
                let whole = frontend_attributes.contains_key(cache::IMPORTS) || solve.contexts.values().any(is_late);
                let solve = Solve { exporter: Some(("image", attributes)), whole, ..solve };
                let solved = self.solve(session, solve, &**show).await?;
                let manifest = solved.response.get("containerimage.digest").and_then(|digest| digest.parse::<Digest>().ok());
                let manifest = manifest.ok_or_else(|| Error::Protocol("the builder names no image digest".to_owned()))?;
                let treatment = Treatment { base: solved.base.as_deref(), dating: instructions.dating.as_deref() };
                Ok((content::read(&self.channel, manifest, treatment, layout, packing, &received).await?, solved))
            }
        }
    }

    /// The frontend's attributes for one platform.
    ///
    /// # Errors
    /// The builder would pass over one in silence.
    fn attributes(&self, instructions: &Instructions, platform: Option<&Platform>) -> Result<HashMap<String, String>, Error> {
        self.knows(&instructions.options, !instructions.contexts.is_empty())?;
        Ok(instructions.attributes(platform))
    }

    async fn solve(&self, session: &Session, what: Solve, show: &(dyn Fn(BuildEvent) + Send + Sync)) -> Result<Solved, Error> {
        super::solve::solve(&self.channel, session.id(), what, show).await
    }
}

/// What the workers of a `buildkitd` are called, and the platforms that they run.
async fn workers(channel: &Channel, address: &Address) -> Result<(String, Vec<Platform>), Error> {
    let mut control = ControlClient::new(channel.clone()).max_decoding_message_size(64 << 20);
    let no_engine = |reason: String| Error::NoEngine { tried: vec![format!("buildkitd at {address}")], reason };
    let listed = timeout(silence::ANSWER, control.list_workers(ListWorkersRequest::default())).await;
    let listed = listed.map_err(|_| no_engine(format!("it did not answer within {}", text::span(silence::ANSWER))))?.map_err(
        |status| match status.code() {
            // The first call: a daemon that wants a certificate refuses it once the client has shown none.
            Code::Unavailable | Code::Cancelled | Code::Unknown => no_engine(status.message().to_owned()),
            _ => Error::call("list its workers", &status),
        },
    )?;
    let workers = listed.into_inner().record;
    let platform = |platform: &pb::Platform| {
        let pb::Platform { os, architecture, variant, .. } = platform;
        let variant = if variant.is_empty() { String::new() } else { format!("/{variant}") };
        format!("{os}/{architecture}{variant}").parse().ok()
    };
    let platforms = workers.iter().flat_map(|worker| &worker.platforms).take(MOST_PLATFORMS).filter_map(platform).collect();
    let mut names: Vec<_> = workers.into_iter().map(|worker| worker.id).collect();
    names.sort_unstable();
    Ok((names.join(","), platforms))
}

/// Exports an image from a graph driver.
async fn save(
    docker: &Docker,
    name: &str,
    layout: &Layout,
    packing: &Packing,
    received: impl Fn(u64) + Send + Clone + 'static,
) -> Result<Parts, Error> {
    let known = known(docker, name, layout, packing);
    match save_beside(docker, name, layout, packing, known, received.clone()).await? {
        docker_archive::Read::Whole(parts) => Ok(parts),
        docker_archive::Read::Misjudged => {
            match save_beside(docker, name, layout, packing, std::future::ready(Vec::new()), received).await? {
                docker_archive::Read::Whole(parts) => Ok(parts),
                docker_archive::Read::Misjudged => {
                    Err(Error::Protocol("a layer that nothing is known of was misjudged".to_owned()))
                }
            }
        }
    }
}

/// Those layers of an image that are known, in the layout. What the engine says of the image is a hint: the archive has to have
/// the same layers.
async fn known(docker: &Docker, name: &str, layout: &Layout, packing: &Packing) -> Vec<KnownLayer> {
    if packing.known.is_off() {
        return Vec::new();
    }
    let inspected = timeout(silence::ANSWER, docker.inspect_image(name)).await;
    let layers = inspected.ok().and_then(Result::ok).and_then(|image| image.root_fs).and_then(|files| files.layers);
    let diff_ids = layers.unwrap_or_default().into_iter().take(bounds::MAX_LAYERS).filter_map(|layer| layer.parse().ok());
    let looking: Vec<_> = diff_ids
        .map(|diff_id: Digest| {
            let (packing, layout) = (packing.clone(), layout.clone());
            tokio::task::spawn_blocking(move || packing.known.layer(diff_id, packing.compression, &layout))
        })
        .collect();
    join_all(looking).await.into_iter().filter_map(|found| found.ok().flatten()).collect()
}

/// Has an image saved, and looks meanwhile for what of it is known.
async fn save_beside(
    docker: &Docker,
    name: &str,
    layout: &Layout,
    packing: &Packing,
    known: impl Future<Output = Vec<KnownLayer>>,
    received: impl Fn(u64) + Send + 'static,
) -> Result<docker_archive::Read, Error> {
    let mut archive = docker.clone().with_timeout(FIRST_PIECE).export_image(name).boxed();
    let slow = |error: TransportError| Error::slow("the image that it saves", &error);
    // The engine writes all of the image to its disk before the first piece.
    let (first, known) = tokio::join!(timeout(FIRST_PIECE, archive.next()), known);
    let mut next = first.map_err(|_| slow(TransportError::Stalled(FIRST_PIECE)))?;
    let (mut sender, reader) = pipe();
    let (layout, packing) = (layout.clone(), packing.clone());
    let reading = tokio::task::spawn_blocking(move || docker_archive::read(reader, &layout, &packing, &known, &received));
    // How much will come is not known before the end.
    let mut watch = Pace::BUILDER.watch(bounds::MAX_BYTES);
    while let Some(piece) = next {
        let piece = piece.map_err(|error| not_saved(&error))?;
        if sender.send(piece).await.is_err() {
            break; // The reader stopped; its error is the one to tell.
        }
        let size = |piece: &Option<Result<Bytes, EngineError>>| match piece {
            Some(Ok(piece)) => piece.len() as u64,
            Some(Err(_)) | None => 0,
        };
        next = watch.next(archive.next(), size).await.map_err(slow)?;
    }
    let _ = sender.end().await;
    reading.await.map_err(|error| Error::Protocol(error.to_string()))?
}

/// Why an engine does not save an image.
fn not_saved(error: &EngineError) -> Error {
    match error {
        EngineError::DockerResponseServerError { message, .. } if message.contains("empty export") => Error::NoLayers,
        EngineError::DockerResponseServerError { status_code: 404, message } => Error::ImageGone { reason: message.clone() },
        EngineError::DockerResponseServerError { message, .. } => {
            Error::Call { call: "save the image", message: message.clone() }.or_gone()
        }
        other => Error::Lost { reason: chain(other).into() },
    }
}

/// Removes the temporary name of an exported image, however the export ended; the builder's cache keeps the layers.
struct Cleanup {
    docker: Docker,
    name: String,
    tasks: TaskTracker,
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let (docker, name) = (self.docker.clone(), std::mem::take(&mut self.name));
        self.tasks.spawn(async move {
            if let Err(error) = docker.remove_image(&name, None::<RemoveImageOptions>, None).await {
                tracing::debug!(%error, name, "the export's name could not be removed");
            }
        });
    }
}

impl Instructions {
    /// A solve of them without an export.
    fn solve(&self, frontend_attributes: HashMap<String, String>) -> Solve {
        let (entitlements, contexts) = (self.options.entitlements(), self.contexts.clone());
        Solve { frontend_attributes, entitlements, contexts, ..Solve::default() }
    }

    fn attributes(&self, platform: Option<&Platform>) -> HashMap<String, String> {
        let pairs = |prefix: &'static str, pairs: &[(String, String)]| {
            pairs.iter().map(|(key, value)| (format!("{prefix}:{key}"), value.clone())).collect::<Vec<_>>()
        };
        let mut attributes: HashMap<_, _> = pairs("build-arg", &self.arguments).into_iter().collect();
        attributes.extend(pairs("label", &self.labels));
        attributes.insert("filename".to_owned(), self.dockerfile.clone());
        attributes.extend(self.target.clone().map(|target| ("target".to_owned(), target)));
        attributes.extend(platform.map(|platform| ("platform".to_owned(), platform.to_string())));
        attributes.extend(self.options.attributes());
        attributes.extend(contexts::attributes(&self.contexts));
        // It comes last, so that no argument of the build takes its place.
        for (name, value) in self.namespace.iter().flat_map(Namespace::attributes) {
            let hosts = attributes.remove(&name).filter(|_| name == HOSTS).map(|given| format!("{given},{value}"));
            attributes.insert(name, hosts.unwrap_or(value));
        }
        attributes
    }

    /// The attribute that names the caches to read, where there are some.
    ///
    /// # Errors
    /// One is spoilt, and no builder should see it; in words.
    async fn imports(&self, platform: Option<&Platform>, check: Option<&str>) -> Result<Option<(String, String)>, String> {
        let cache = self.cache.as_ref().filter(|cache| cache.reads && !self.options.no_cache);
        let Some(cache) = cache else { return Ok(None) };
        Ok(cache.imports(platform, check).await?.map(|imports| (cache::IMPORTS.to_owned(), imports)))
    }
}

fn parse_api(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_versions_compare_as_numbers() {
        assert!(parse_api("1.100") > Some(OLDEST_API));
        assert!(parse_api("1.9") < Some(OLDEST_API));
        assert!(parse_api("") < Some(OLDEST_API));
    }
}
