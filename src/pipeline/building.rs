//! The build: checks and the image, from one session, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;

use super::base_images::{BaseImages, Use};
use super::build_cache::{self, Chosen};
use super::claim::dockerfile_name;
use super::place::Place;
use super::preflight::{Ready, Workshop};
use super::{Delivery, Ending, Task, builder_state, dating, known_layers};
use crate::build_check::BuildCheck;
use crate::buildkit::Error as BuildError;
use crate::buildkit::builder::{Instructions, Product};
use crate::buildkit::cache::RemoteCache;
use crate::buildkit::contexts::Contexts;
use crate::buildkit::namespace::shared_context;
use crate::buildkit::progress::BuildEvent;
use crate::buildkit::session::Session;
use crate::buildkit::session::attachables::{Attachables, METHODS};
use crate::buildkit::session::context::Directory;
use crate::buildkit::session::credentials::{self, Credentials, Otherwise};
use crate::buildkit::session::ssh::{self, Agents};
use crate::buildkit::session::stats::TransferStats;
use crate::buildkit::session::{layouts, silence};
use crate::config::Build;
use crate::dockerfile::Frontend;
use crate::document;
use crate::environment::Environment;
use crate::error::Error;
use crate::materials::Materials;
use crate::oci::annotations::Annotations;
use crate::oci::image::Parts;
use crate::oci::registry::Store;
use crate::oci::{Image, Layout, Platform};
use crate::provenance::Claim;
use crate::record::{BuildCache, CacheReading, ImageRecord, KnownLayers, PlatformRecord, StageLog, StageName};
use crate::scan::gitleaks::Leaks;
use crate::stamp::Stamp;
use crate::text;

/// What is said where a builder can't date files. Its configuration is dated all the same.
const FILES_ARE_NOT_DATED: &str = "this builder can't date the files of new layers by the commit, as a buildkitd does: a step that is \
                                   run anew gives another layer";

/// How long a build may take: as long as a job on GitHub's own machines.
pub(crate) const LONGEST: Duration = Duration::from_hours(6);

/// An image, and what a reader should know of how it came about.
pub(super) struct Built {
    pub(crate) image: Image,
    pub(crate) warnings: Vec<String>,
    /// What the builder's own checks say of the Dockerfile.
    pub(crate) checks: Vec<BuildCheck>,
    /// What was found in the layers of an image that was not built here; those of one that was come from the source.
    pub(crate) leaks: Leaks,
    /// What the image of each platform was built from; none for an image that was not built here.
    pub(crate) materials: BTreeMap<Platform, Materials>,
    /// The layers that were known before; absent where there were none.
    pub(crate) known: Option<KnownLayers>,
    /// The files of the build context that the builder was told of.
    pub(crate) sent: BTreeMap<Box<str>, Stamp>,
    /// What the build cache that machines share has brought; absent where none was asked for.
    pub(crate) cache: Option<BuildCache>,
    /// Whether that cache does not answer.
    pub(crate) is_cache_silent: bool,
    /// What may go to that cache once the image is cleared; absent where nothing may.
    pub(crate) unwritten: Option<Unwritten>,
}

/// A build whose steps may go to the cache that machines share.
pub(super) struct Unwritten {
    pub(super) delivery: Arc<Delivery>,
    ready: Arc<Ready>,
    pub(super) workshop: Workshop,
    pub(super) cache: RemoteCache,
    /// Whether it has steps that are not known to be there.
    pub(super) is_new: bool,
}

/// An open session, and what is built with it.
struct BuildSession<'a> {
    delivery: &'a Arc<Delivery>,
    ready: &'a Ready,
    workshop: &'a Workshop,
    session: Session,
    stats: Arc<TransferStats>,
    bases: Arc<BaseImages>,
    instructions: Instructions,
    chosen: Chosen,
}

/// Begins to build the checks and the image.
pub(super) fn image(delivery: &Arc<Delivery>, ready: &Arc<Ready>, workshop: Workshop) -> Task<Built> {
    let checks = !delivery.config.build.check_targets.is_empty();
    let stages = if checks { &[StageName::Checks, StageName::Build][..] } else { &[StageName::Build] };
    let (owned, ready) = (Arc::clone(delivery), Arc::clone(ready));
    Task::begin(delivery, stages, async move {
        let chosen = build_cache::choose(&owned, &ready, &workshop).await;
        let session = BuildSession::open(&owned, &ready, &workshop, chosen, Use::Read).await?;
        let (mut built, checks_are_new) = tokio::try_join!(session.image(), session.checks())?;
        built.sent = session.stats.take_listed();
        let BuildSession { session, chosen, .. } = session;
        session.close().await;
        let is_new = checks_are_new || built.cache.as_ref().is_some_and(has_news);
        let cache = chosen.cache.filter(|cache| cache.writes && !built.is_cache_silent);
        built.unwritten = cache.map(|cache| Unwritten { delivery: owned, ready, workshop, cache, is_new });
        Ok(built)
    })
}

/// Whether a build has steps that are not known to be in its cache.
fn has_news(cache: &BuildCache) -> bool {
    cache.read != CacheReading::Read || cache.steps.iter().any(|step| !step.cached)
}

impl Unwritten {
    /// Has the builder write them: those of the image and of the check stages, for each platform.
    ///
    /// # Errors
    /// It can't.
    pub(super) async fn write(&self, log: &StageLog) -> Result<(), Error> {
        let build = &self.delivery.config.build;
        let chosen = Chosen { cache: Some(self.cache.clone()), notes: Vec::new() };
        let session = BuildSession::open(&self.delivery, &self.ready, &self.workshop, chosen, Use::Write).await?;
        let platforms = if build.platforms.is_empty() { vec![None] } else { build.platforms.iter().map(Some).collect() };
        let log = log.clone();
        // What the steps print was told when they were run.
        let show = move |event| {
            if let BuildEvent::Status(word) = event {
                log.progress(&text::redacted(&word));
            }
        };
        let images = platforms.iter().map(|platform| (session.instructions.clone(), *platform, None));
        let checks = build.check_targets.iter();
        let checks = checks.map(|target| (session.checking(target), build.platforms.first(), Some(target.as_str())));
        let written = images.chain(checks).map(async |(instructions, platform, check)| {
            self.workshop.builder.write_cache(&session.session, &instructions, platform, check, &show).await
        });
        let written = try_join_all(written).await;
        let BuildSession { session, .. } = session;
        session.close().await;
        Ok(written.map(drop)?)
    }
}

impl<'a> BuildSession<'a> {
    async fn open(
        delivery: &'a Arc<Delivery>,
        ready: &'a Ready,
        workshop: &'a Workshop,
        chosen: Chosen,
        purpose: Use,
    ) -> Result<Self, Error> {
        let build = &delivery.config.build;
        let stats = Arc::new(TransferStats::default());
        let left_out = [&delivery.config.report_dir, &delivery.staging];
        let left_out: Vec<_> = left_out.into_iter().filter_map(|path| path.canonicalize().ok()).collect();
        let Workshop { definition, contexts, date, builder } = workshop;
        builder_state::admit(delivery, &definition.dockerfile)?;
        let place = Place::within(delivery.config.real_context(), &ready.checkout.root, &ready.places);
        let attachables = Attachables {
            context: Directory::within(definition.context.folder()?, &place.context, left_out.clone()),
            folders: contexts.folders(definition, &place, &left_out)?,
            layouts: contexts.layouts.clone(),
            // As bytes that are always new: a builder takes a file of the same size and time for the one it has.
            dockerfile: Directory::files(definition.files()),
            secrets: build.secrets.iter().map(|secret| (secret.id.clone(), secret.source.clone())).collect(),
            stats: Arc::clone(&stats),
        };
        let cache = chosen.cache.as_ref();
        let bases = Arc::new(BaseImages::of(delivery, definition, builder.address(), cache, purpose));
        let otherwise: Arc<dyn Otherwise> = bases.clone();
        let routes = attachables.routes().add_service(Credentials::server(Store::from_env(), otherwise));
        let routes = routes.add_service(Agents::server(build.agents.clone()));
        let methods = METHODS.into_iter().chain(credentials::METHODS).chain(ssh::METHODS).chain(layouts::METHODS);
        let methods: Vec<_> = methods.collect();
        let namespace = builder_state::namespace(delivery, ready, builder, cache);
        // The builder keeps what it received of a context under this key, and asks next time for what changed.
        let named: Vec<_> = ready.places.iter().map(|(name, place)| (name, ready.checkout.root.join(place))).collect();
        let named = named.iter().flat_map(|(name, folder)| [Path::new(name), folder]);
        let folders: Vec<_> = std::iter::once(&*place.whole).chain(named).collect();
        let key = match &namespace {
            Some(namespace) => namespace.context(&folders),
            None => shared_context(&folders),
        };
        let session = Session::open(builder.channel(), routes, &methods, &key).await.map_err(BuildError::from)?;
        if let Some(warning) = build.exposed_at(builder.address()) {
            delivery.recorder.warn(warning);
        }
        let proxies = build.proxies.arguments(&builder.address().to_string(), &build.arguments);
        let (contexts, date) = (contexts.given.clone(), *date);
        let proxies = proxies.into_iter().chain(dating::argument(build, definition, date)).collect();
        let cache = chosen.cache.clone();
        let instructions =
            Instructions { date, contexts, namespace, cache, ..instructions(build, definition.name(), &ready.claim, proxies) };
        Ok(Self { delivery, ready, workshop, session, stats, bases, instructions, chosen })
    }

    /// The instructions for a check stage.
    fn checking(&self, target: &str) -> Instructions {
        Instructions { target: Some(target.to_owned()), labels: vec![], ..self.instructions.clone() }
    }

    async fn image(&self) -> Result<Built, Error> {
        self.delivery
            .stage(StageName::Build, async |log| {
                let config = &self.delivery.config.build;
                if self.instructions.date.is_some() && !self.workshop.builder.dates_files() {
                    log.line(FILES_ARE_NOT_DATED);
                }
                if let Some(line) = self.bases.line() {
                    log.line(&line);
                }
                self.chosen.notes.iter().for_each(|note| log.line(&format!("build cache: {note}")));
                let layout = Layout::create(self.delivery.staging.join("built")).map_err(BuildError::from)?;
                let platforms =
                    if config.platforms.is_empty() { vec![None] } else { config.platforms.iter().map(Some).collect() };
                let several = platforms.len() > 1;
                let packing = known_layers::packing(self.delivery, self.ready, &log);
                let builds = platforms.into_iter().map(|platform| {
                    let show = Self::show(&log, platform.filter(|_| several));
                    self.workshop.builder.build(&self.session, &self.instructions, platform, &layout, &packing, show)
                });
                let built = self.in_time(try_join_all(builds)).await.map_err(|error| self.explained(error))?;
                let (mut parts, mut checks, mut materials) = (Vec::new(), BTreeSet::new(), BTreeMap::new());
                let mut found = BTreeMap::new();
                for Product { parts: one, checks: said, materials: named, steps, read } in built {
                    materials.insert(one.platform.clone(), self.with_reader(named));
                    found.insert(one.platform.clone(), (steps, read));
                    parts.push(one);
                    checks.extend(self.placed(said));
                }
                self.holds_no_proxy(&parts)?;
                let warnings = checks.iter().map(ToString::to_string).chain(self.homeless(&parts)).collect();
                let checks = checks.into_iter().collect();
                let annotations = annotations(self.delivery, &self.ready.claim);
                let image = Image::assemble(layout, &parts, &annotations).map_err(BuildError::from)?;
                let known = known_layers::account(&packing.known, &log);
                known_layers::keep(self.delivery, packing.known, image.layout.clone());
                let mut detail = extent(&image);
                if let Some(KnownLayers { layers, bytes }) = known {
                    detail = format!("{detail}, {layers} of them known ({})", text::size(bytes));
                }
                log.line(&format!(
                    "{} ({detail}; {} of the context sent)",
                    image.digest,
                    text::count(self.stats.files(), "file")
                ));
                let cache = build_cache::found(&self.chosen, &found);
                if let Some(line) = cache.as_ref().and_then(build_cache::line) {
                    log.line(&line);
                }
                let is_cache_silent = found.values().flat_map(|(_, read)| read).any(build_cache::is_silent);
                let (leaks, sent, unwritten) = (Leaks::default(), BTreeMap::new(), None);
                let built = Built { image, warnings, checks, leaks, materials, known, sent, cache, is_cache_silent, unwritten };
                Ok((built, Ending::Pass(detail)))
            })
            .await
    }

    /// Builds, as long as the builder is there, and no longer than any job lasts.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, BuildError>>) -> Result<T, BuildError> {
        tokio::select! {
            ended = tokio::time::timeout(LONGEST, work) => ended.unwrap_or(Err(BuildError::TooLong { after: LONGEST })),
            () = silence::silence(&self.stats) => Err(BuildError::Silent { after: silence::SILENCE }),
            () = self.workshop.builder.silence() => Err(BuildError::Silent { after: silence::SILENCE }),
        }
    }

    /// Checks of the Dockerfile by its path as people know it.
    fn placed(&self, checks: Vec<BuildCheck>) -> impl Iterator<Item = BuildCheck> {
        let file = dockerfile_name(&self.delivery.config.build.dockerfile, &self.ready.checkout.root);
        let redacted = |text: &str| text::redacted(text).into_owned();
        checks.into_iter().map(move |check| BuildCheck { file: file.clone(), message: redacted(&check.message), ..check })
    }

    /// Says which annotations the image has no place for.
    fn homeless(&self, parts: &[Parts]) -> Option<String> {
        let platforms: Vec<_> = parts.iter().map(|parts| parts.platform.clone()).collect();
        let homeless = self.delivery.config.build.annotations.homeless(&platforms);
        (!homeless.is_empty()).then(|| {
            format!(
                "The image has no place for these annotations: {}. An image of one platform has no index, and a platform in \
                 brackets has to be one of `platforms`.",
                text::list(&homeless)
            )
        })
    }

    /// Sees to it that no password of a proxy is published: steps have it, and a Dockerfile that declares the argument makes
    /// it a part of the image's history.
    fn holds_no_proxy(&self, parts: &[Parts]) -> Result<(), Error> {
        let credentials = self.delivery.config.build.proxies.credentials();
        // Written anew, since builders write some characters as escapes.
        let texts = parts.iter().filter_map(|parts| document::read_shared::<serde_json::Value>(&parts.config).ok());
        let holds = |text: &str| credentials.iter().any(|secret| text.contains(secret.expose()));
        if texts.into_iter().any(|text| holds(&text.to_string())) { Err(BuildError::ProxyInImage.into()) } else { Ok(()) }
    }

    /// What an image was built from, where the Dockerfile may have had a reader that it names itself.
    fn with_reader(&self, mut materials: Materials) -> Materials {
        let argument = self.delivery.config.build.arguments.iter().filter(|(name, _)| name == "BUILDKIT_SYNTAX");
        let argument = argument.map(|(_, value)| Frontend { line: 0, reference: value.trim().to_owned() });
        for reader in Frontend::asked_for(&self.workshop.definition.dockerfile).into_iter().chain(argument) {
            let name = &reader.reference;
            if !materials.named.iter().any(|material| material.is_image(name)) {
                materials
                    .unknown
                    .insert(format!("the builder did not say which image it took for {name}, which reads the Dockerfile"));
            }
            if !reader.keeps_namespaces() {
                materials.unknown.insert(format!("{name} reads the Dockerfile, and may take what the build does not name"));
            }
        }
        materials
    }

    /// Builds the check stages, and says whether a step of them was run.
    async fn checks(&self) -> Result<bool, Error> {
        let config = &self.delivery.config.build;
        if config.check_targets.is_empty() {
            return Ok(false);
        }
        self.delivery
            .stage(StageName::Checks, async |log| {
                let checks = config.check_targets.iter().map(async |target| {
                    let instructions = self.checking(target);
                    let show = Self::show(&log, None);
                    let check = self.workshop.builder.check(&self.session, &instructions, config.platforms.first(), &*show);
                    let checked = self.in_time(check).await;
                    checked.map_err(|error| self.explained(error))
                });
                let checked = try_join_all(checks).await?;
                let is_new = checked.iter().flat_map(|solved| &solved.steps).any(|step| !step.cached);
                Ok((is_new, Ending::Pass(format!("{} passed", config.check_targets.join(", ")))))
            })
            .await
    }

    /// Shows what the builder says.
    fn show(log: &StageLog, platform: Option<&Platform>) -> Arc<dyn Fn(BuildEvent) + Send + Sync> {
        let log = log.clone();
        let prefix = platform.map(|platform| format!("{platform} ")).unwrap_or_default();
        Arc::new(move |event| match event {
            // A name or a message may have several lines, and a secret go over them; one line is looked at when it is shown.
            BuildEvent::Line(line) if line.contains('\n') => log.line(&format!("{prefix}{}", text::redacted(&line))),
            BuildEvent::Line(line) => log.line(&format!("{prefix}{line}")),
            BuildEvent::Status(word) => log.progress(&format!("{prefix}{}", text::redacted(&word))),
        })
    }

    /// The cause of a failure, with the Dockerfile's path as people know it and without the build's secrets.
    fn explained(&self, error: BuildError) -> Error {
        // The error of what could not be served says more than the builder's.
        if let Some(error) = self.stats.take_error() {
            return BuildError::from(error).into();
        }
        if let BuildError::Step(step) = &error
            && let Some(refusal) = self.bases.refusal(step)
        {
            return refusal.into();
        }
        let file = dockerfile_name(&self.delivery.config.build.dockerfile, &self.ready.checkout.root);
        let redact = |text: &mut String| *text = text::redacted(text).into_owned();
        Error::Build(match error {
            BuildError::Step(mut step) => {
                step.lines.iter_mut().chain([&mut step.message, &mut step.step]).for_each(redact);
                if let Some(at) = &mut step.at {
                    at.file = file;
                }
                BuildError::Step(step)
            }
            BuildError::Checks { rules, checks } => BuildError::Checks { rules, checks: self.placed(checks).collect() },
            BuildError::Dockerfile { message, at } => {
                BuildError::Dockerfile { message, at: at.map(|at| crate::finding::Instruction { file, ..at }) }
            }
            other => other,
        })
    }
}

fn instructions(build: &Build, dockerfile: String, claim: &Claim, proxies: Vec<(String, String)>) -> Instructions {
    // Ours come last and win: what an image says of its delivery is not for a label of the project to change.
    let given = build.labels.iter().filter(|(key, _)| !claim.is_said_by(key)).cloned();
    Instructions {
        dockerfile,
        target: build.target.clone(),
        arguments: build.arguments.iter().cloned().chain(proxies).collect(),
        labels: given.chain(claim.labels()).collect(),
        contexts: Contexts::new(),
        date: None,
        options: build.options.clone(),
        namespace: None,
        cache: None,
    }
}

/// What the manifests say: where they came from, and what the inputs add.
pub(super) fn annotations(delivery: &Delivery, claim: &Claim) -> Annotations {
    delivery.config.build.annotations.clone().and_above_all(claim.annotations())
}

/// The image as another environment's delivery would have put it together: what runs is the same, and the manifest says who
/// built it first.
///
/// # Errors
/// A document can't be read or written.
pub(super) fn as_from(delivery: &Delivery, ready: &Ready, image: &Image, environment: Environment) -> Result<Image, Error> {
    let claim = Claim { environment: Some(environment), ..ready.claim.clone() };
    let parts = image.parts().map_err(BuildError::from)?;
    let annotations = annotations(delivery, &claim);
    Ok(Image::assemble(image.layout.clone(), &parts, &annotations).map_err(BuildError::from)?)
}

/// How large an image is: `5 layers of 48.2 MB`.
pub(super) fn extent(image: &Image) -> String {
    format!("{} of {}", text::count(image.platforms[0].layers.len(), "layer"), text::size(image.size()))
}

pub(super) fn recorded(image: &Image) -> ImageRecord {
    let platforms = image.platforms.iter().map(|platform| PlatformRecord {
        platform: platform.platform.clone(),
        digest: platform.digest,
        layers: u32::try_from(platform.layers.len()).unwrap_or(u32::MAX),
        packages: None,
        sboms: Vec::new(),
        materials: None,
    });
    ImageRecord { digest: image.digest, size: image.size(), platforms: platforms.collect(), known: None }
}
