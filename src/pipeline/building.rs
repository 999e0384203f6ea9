//! The build: checks and the image, from one session, side by side.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::preflight::Ready;
use super::{Delivery, Ending, Task};
use crate::buildkit::Error as BuildError;
use crate::buildkit::builder::Instructions;
use crate::buildkit::progress::BuildEvent;
use crate::buildkit::session::Session;
use crate::buildkit::session::attachables::{Attachables, METHODS};
use crate::buildkit::session::context::Directory;
use crate::buildkit::session::credentials::{self, Credentials};
use crate::buildkit::session::stats::TransferStats;
use crate::config::Build;
use crate::error::Error;
use crate::oci::registry::Store;
use crate::oci::{Digest, Image, Layout, Platform};
use crate::provenance::Provenance;
use crate::record::{ImageRecord, PlatformRecord, StageLog, StageName};
use crate::stamp::Stamp;
use crate::text;

/// An image, and what a reader should know of how it came about.
pub(super) struct Built {
    pub(crate) image: Image,
    pub(crate) warnings: Vec<String>,
    /// The files of the build context that the builder was told of.
    pub(crate) sent: BTreeMap<Box<str>, Stamp>,
}

/// An open session, and what is built with it.
struct BuildSession<'a> {
    delivery: &'a Delivery,
    ready: &'a Ready,
    session: Session,
    stats: Arc<TransferStats>,
    instructions: Instructions,
}

/// Begins to build the checks and the image.
pub(super) fn image(delivery: &Arc<Delivery>, ready: &Arc<Ready>) -> Task<Built> {
    let checks = !delivery.config.build.check_targets.is_empty();
    let stages = if checks { &[StageName::Checks, StageName::Build][..] } else { &[StageName::Build] };
    let (owned, ready) = (Arc::clone(delivery), Arc::clone(ready));
    Task::begin(delivery, stages, async move {
        let session = BuildSession::open(&owned, &ready).await?;
        let (mut built, ()) = tokio::try_join!(session.image(), session.checks())?;
        built.sent = session.stats.take_listed();
        session.session.close().await;
        Ok(built)
    })
}

impl<'a> BuildSession<'a> {
    async fn open(delivery: &'a Delivery, ready: &'a Ready) -> Result<Self, Error> {
        let build = &delivery.config.build;
        let stats = Arc::new(TransferStats::default());
        let left_out = [&delivery.config.report_dir, &delivery.staging];
        let left_out = left_out.into_iter().filter_map(|path| path.canonicalize().ok()).collect();
        let attachables = Attachables {
            context: Directory::folder(&delivery.config.context, left_out).map_err(BuildError::from)?,
            dockerfile: dockerfile(&build.dockerfile)?,
            secrets: build.secrets.iter().map(|secret| (secret.id.clone(), secret.source.clone())).collect(),
            stats: Arc::clone(&stats),
        };
        let routes = attachables.routes().add_service(Credentials::server(Store::from_env()));
        let methods: Vec<_> = METHODS.into_iter().chain(credentials::METHODS).collect();
        // The builder keeps what it received of a context under this key, and asks next time for what changed.
        let key = delivery.config.context.canonicalize().unwrap_or_else(|_| delivery.config.context.clone());
        let key = Digest::of(key.as_os_str().as_encoded_bytes()).hex();
        let provenance = Provenance::of(&ready.checkout.source, delivery.config.environment).properties();
        let session = Session::open(ready.builder.channel(), routes, &methods, &key).await.map_err(BuildError::from)?;
        Ok(Self { delivery, ready, session, stats, instructions: instructions(build, &provenance) })
    }

    async fn image(&self) -> Result<Built, Error> {
        self.delivery
            .stage(StageName::Build, async |log| {
                let config = &self.delivery.config.build;
                let layout = Layout::create(self.delivery.staging.join("built")).map_err(BuildError::from)?;
                let platforms =
                    if config.platforms.is_empty() { vec![None] } else { config.platforms.iter().map(Some).collect() };
                let several = platforms.len() > 1;
                let builds = platforms.into_iter().map(|platform| {
                    let show = self.show(&log, platform.filter(|_| several));
                    self.ready.builder.build(&self.session, &self.instructions, platform, &layout, config.compression, show)
                });
                let built = try_join_all(builds).await.map_err(|error| self.explained(error))?;
                let (parts, warnings): (Vec<_>, Vec<_>) = built.into_iter().unzip();
                let mut warnings: Vec<_> = warnings.into_iter().flatten().collect();
                warnings.dedup();
                let image = Image::assemble(layout, &parts, &self.annotations()).map_err(BuildError::from)?;
                let detail = extent(&image);
                log.line(&format!(
                    "{} ({detail}; {} of the context sent)",
                    image.digest,
                    text::count(self.stats.files(), "file")
                ));
                Ok((Built { image, warnings, sent: BTreeMap::new() }, Ending::Pass(detail)))
            })
            .await
    }

    /// What the manifests say: where they came from, and what the inputs add.
    fn annotations(&self) -> BTreeMap<String, String> {
        let provenance = Provenance::of(&self.ready.checkout.source, self.delivery.config.environment);
        self.delivery.config.build.annotations.clone().into_iter().chain(provenance.properties()).collect()
    }

    async fn checks(&self) -> Result<(), Error> {
        let config = &self.delivery.config.build;
        if config.check_targets.is_empty() {
            return Ok(());
        }
        self.delivery
            .stage(StageName::Checks, async |log| {
                let checks = config.check_targets.iter().map(async |target| {
                    let instructions = Instructions { target: Some(target.clone()), labels: vec![], ..self.instructions.clone() };
                    let show = self.show(&log, None);
                    let checked = self.ready.builder.check(&self.session, &instructions, config.platforms.first(), &*show).await;
                    checked.map(drop).map_err(|error| self.explained(error))
                });
                try_join_all(checks).await?;
                Ok(((), Ending::Pass(format!("{} passed", config.check_targets.join(", ")))))
            })
            .await
    }

    /// Shows what the builder says, without the build's secrets.
    fn show(&self, log: &StageLog, platform: Option<&Platform>) -> Arc<dyn Fn(BuildEvent) + Send + Sync> {
        let log = log.clone();
        let redaction = self.delivery.redaction.clone();
        let prefix = platform.map(|platform| format!("{platform} ")).unwrap_or_default();
        Arc::new(move |event| match event {
            BuildEvent::Line(line) => log.line(&format!("{prefix}{}", redaction.apply(line))),
            BuildEvent::Status(word) => log.progress(&format!("{prefix}{}", redaction.apply(word))),
        })
    }

    /// The cause of a failure, with the Dockerfile's path as people know it and without the build's secrets.
    fn explained(&self, error: BuildError) -> Error {
        // The error of what could not be served says more than the builder's.
        if let Some(error) = self.stats.take_error() {
            return BuildError::from(error).into();
        }
        let file = dockerfile_name(&self.delivery.config.build.dockerfile, &self.ready.checkout.root);
        let redact = |text: &mut String| *text = self.delivery.redaction.apply(std::mem::take(text));
        Error::Build(match error {
            BuildError::Step(mut step) => {
                step.lines.iter_mut().chain([&mut step.message, &mut step.step]).for_each(redact);
                if let Some(at) = &mut step.at {
                    at.file = file;
                }
                BuildError::Step(step)
            }
            BuildError::Dockerfile { message, at } => {
                BuildError::Dockerfile { message, at: at.map(|at| crate::finding::Instruction { file, ..at }) }
            }
            other => other,
        })
    }
}

/// The Dockerfile as its readers know it: relative to the source's root where it is inside.
pub(super) fn dockerfile_name(dockerfile: &Path, root: &Path) -> String {
    let absolute = dockerfile.canonicalize().ok();
    let inside = absolute.as_deref().and_then(|path| path.strip_prefix(root).ok());
    inside.unwrap_or(dockerfile).to_string_lossy().into_owned()
}

/// The Dockerfile and its own ignore file, as they are now. They are given as bytes that are always new: a builder takes
/// a file of the same size and time for the one it has.
fn dockerfile(path: &Path) -> Result<Directory, Error> {
    let read = |path: &Path| std::fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source });
    let mut files = vec![(file_name(path), Bytes::from(read(path)?))];
    let ignore = path.with_file_name(format!("{}.dockerignore", file_name(path)));
    if ignore.is_file() {
        files.push((file_name(&ignore), Bytes::from(read(&ignore)?)));
    }
    Ok(Directory::files(files))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn instructions(build: &Build, provenance: &[(String, String)]) -> Instructions {
    // Ours come last and win: what an image says of its delivery is not for a label of the project to change.
    let given = build.labels.iter().filter(|(key, _)| !provenance.iter().any(|(ours, _)| ours == key)).cloned();
    Instructions {
        dockerfile: file_name(&build.dockerfile),
        target: build.target.clone(),
        arguments: build.arguments.clone(),
        labels: given.chain(provenance.iter().cloned()).collect(),
    }
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
    });
    ImageRecord { digest: image.digest, size: image.size(), platforms: platforms.collect() }
}
