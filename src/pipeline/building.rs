//! The build: checks and the image, from one session with each builder, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::try_join_all;

use super::build_cache::{self, Chosen};
use super::build_sessions::{BuildSession, Caches, Sessions};
use super::builders::Seat;
use super::preflight::{Ready, Workshop};
use super::{Delivery, Ending, Task, known_layers};
use crate::build_check::BuildCheck;
use crate::buildkit::Error as BuildError;
use crate::buildkit::builder::Product;
use crate::buildkit::progress::{BuildEvent, CacheRead, StepSeen};
use crate::cache_writers::CacheWriters;
use crate::dockerfile::Frontend;
use crate::document;
use crate::environment::Environment;
use crate::error::Error;
use crate::layer_store::Packing;
use crate::materials::Materials;
use crate::oci::annotations::Annotations;
use crate::oci::image::Parts;
use crate::oci::{Image, Layout, Platform};
use crate::provenance::Claim;
use crate::record::{BuildCache, CacheReading, ImageRecord, KnownLayers, PlatformRecord, StageLog, StageName};
use crate::scan::gitleaks::Leaks;
use crate::stamp::Stamp;
use crate::text;

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
    /// Who built the image of each platform, where that is one of several builders.
    pub(crate) builders: BTreeMap<Platform, String>,
    /// The layers that were known before; absent where there were none.
    pub(crate) known: Option<KnownLayers>,
    /// The files of the build context that the builder was told of.
    pub(crate) sent: BTreeMap<Box<str>, Stamp>,
    /// What the build cache that machines share has brought; absent where none was asked for.
    pub(crate) cache: Option<BuildCache>,
    /// Who may have written what its steps were taken from.
    pub(super) cache_writers: CacheWriters,
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
    parts: Vec<Part>,
    caches: Caches,
    /// Whether it has steps that are not known to be there.
    pub(super) is_new: bool,
}

/// Who built a part in the end, and which check stage it is where it is one.
struct Part {
    seat: Seat,
    check: Option<String>,
}

/// A build, and the sessions that it is made with.
struct Making<'a> {
    delivery: &'a Arc<Delivery>,
    ready: &'a Ready,
    workshop: &'a Workshop,
    sessions: Sessions<'a>,
}

/// What was built for a platform, and by whom.
struct Made<'a> {
    product: Product,
    session: Arc<BuildSession<'a>>,
    seat: Seat,
}

/// Begins to build the checks and the image.
pub(super) fn image(delivery: &Arc<Delivery>, ready: &Arc<Ready>, workshop: Workshop) -> Task<Built> {
    let checks = !delivery.config.build.check_targets.is_empty();
    let stages = if checks { &[StageName::Checks, StageName::Build][..] } else { &[StageName::Build] };
    let (owned, ready) = (Arc::clone(delivery), Arc::clone(ready));
    Task::begin(delivery, stages, async move {
        let (mut built, parts, caches, is_new) = make(&owned, &ready, &workshop).await?;
        let may_write = !caches.is_empty() && !built.is_cache_silent;
        let delivery = owned.clone();
        built.unwritten = may_write.then_some(Unwritten { delivery, ready, workshop, parts, caches, is_new });
        Ok(built)
    })
}

/// Builds the checks and the image, and says who built which part, where its steps may go, and whether any of them was run.
async fn make(delivery: &Arc<Delivery>, ready: &Ready, workshop: &Workshop) -> Result<(Built, Vec<Part>, Caches, bool), Error> {
    let making = Making { delivery, ready, workshop, sessions: Sessions::new(delivery, ready, workshop, None) };
    let ((mut built, mut parts), (checked, checks_are_new)) = tokio::try_join!(making.image(), making.checks())?;
    built.sent = making.sessions.take_listed().await;
    let caches = making.caches().await;
    making.sessions.close().await;
    parts.extend(checked);
    let is_new = checks_are_new || built.cache.as_ref().is_some_and(has_news);
    Ok((built, parts, caches, is_new))
}

/// Whether a build has steps that are not known to be in its cache.
fn has_news(cache: &BuildCache) -> bool {
    cache.read != CacheReading::Read || cache.steps.iter().any(|step| !step.cached)
}

impl Unwritten {
    /// Where they go.
    pub(super) fn place(&self) -> String {
        self.caches.values().next().map(ToString::to_string).unwrap_or_default()
    }

    /// Has each builder write what it has: the steps of the image of each platform, and of the check stages.
    ///
    /// # Errors
    /// It can't.
    pub(super) async fn write(&self, log: &StageLog) -> Result<(), Error> {
        let sessions = Sessions::new(&self.delivery, &self.ready, &self.workshop, Some(self.caches.clone()));
        let log = log.clone();
        // What the steps print was told when they were run.
        let show = move |event| {
            if let BuildEvent::Status(word) = event {
                log.progress(&text::redacted(&word));
            }
        };
        let written = self.parts.iter().map(async |Part { seat, check }| {
            let session = sessions.with(&seat.builder).await?;
            let instructions = match check {
                Some(target) => session.checking(target),
                None => session.instructions.clone(),
            };
            let (platform, check) = (seat.platform.as_ref(), check.as_deref());
            let written = seat.builder.write_cache(&session.session, &instructions, platform, check, &show).await;
            written.map_err(Error::from)
        });
        let written = try_join_all(written).await;
        sessions.close().await;
        for cache in self.caches.values() {
            cache.leave().await;
        }
        written.map(drop)
    }
}

impl<'a> Making<'a> {
    /// Builds the image, and says who built which part of it.
    async fn image(&self) -> Result<(Built, Vec<Part>), Error> {
        self.delivery
            .stage(StageName::Build, async |log| {
                let layout = Layout::create(self.delivery.staging.join("built")).map_err(BuildError::from)?;
                let packing = known_layers::packing(self.delivery, self.ready, &log);
                let seats = self.workshop.builders.seats();
                let making = seats.iter().map(|seat| self.platform(seat, &layout, &packing, &log));
                let made = try_join_all(making).await?;
                let parts = made.iter().map(|made| Part { seat: made.seat.clone(), check: None }).collect();
                let (built, detail) = self.put_together(made, layout, packing, &log).await?;
                Ok(((built, parts), Ending::Pass(detail)))
            })
            .await
    }

    /// Builds the image of a platform with its builder.
    async fn platform(&self, seat: &Seat, layout: &Layout, packing: &Packing, log: &StageLog) -> Result<Made<'a>, Error> {
        let building = self.sessions.at(seat, log, move |session: Arc<BuildSession<'a>>| async move {
            self.sessions.introduce(&session, log);
            let show = self.show(log, seat, &session);
            let BuildSession { builder, session, instructions, .. } = &*session;
            builder.build(session, instructions, seat.platform.as_ref(), layout, packing, show).await
        });
        let (product, session) = building.await?;
        let seat = seat.taken_by(&session.builder);
        self.answers(&seat, &product.parts.platform)?;
        Ok(Made { product, session, seat })
    }

    /// Sees to it that a builder answers for its own platform and for no other's. Variants are compared where another builder
    /// has the one that it answers for: an older base image may have none in its configuration.
    ///
    /// # Errors
    /// It does.
    fn answers(&self, seat: &Seat, answered: &Platform) -> Result<(), BuildError> {
        let Some(platform) = seat.platform.as_ref().filter(|platform| seat.is_listed && *platform != answered) else {
            return Ok(());
        };
        let same = (&platform.os, &platform.architecture) == (&answered.os, &answered.architecture);
        if same && !self.delivery.config.build.platforms.contains(answered) {
            return Ok(());
        }
        let builder = seat.builder.description().to_owned();
        let (platform, answered) = (Box::new(platform.clone()), Box::new(answered.clone()));
        Err(BuildError::OtherPlatform { builder, platform, answered })
    }

    /// Puts the image together of what was built for each platform, and says what it is.
    async fn put_together(
        &self,
        made: Vec<Made<'a>>,
        layout: Layout,
        packing: Packing,
        log: &StageLog,
    ) -> Result<(Built, String), Error> {
        let (mut parts, mut checks, mut materials) = (Vec::new(), BTreeSet::new(), BTreeMap::new());
        let (mut found, mut builders, mut chosen) =
            (BTreeMap::<Platform, (Vec<StepSeen>, Vec<CacheRead>)>::new(), BTreeMap::new(), Chosen::default());
        for Made { product: Product { parts: one, checks: said, materials: named, steps, read }, session, seat } in made {
            materials.insert(one.platform.clone(), self.with_reader(named));
            found.insert(one.platform.clone(), (steps, read));
            builders.extend(seat.is_listed.then(|| (one.platform.clone(), seat.builder.address().to_string())));
            parts.push(one);
            checks.extend(session.placed(said));
            chosen = chosen.and(&session.chosen);
        }
        self.holds_no_proxy(&parts)?;
        let warnings = checks.iter().map(ToString::to_string).chain(self.homeless(&parts)).collect();
        let checks = checks.into_iter().collect();
        let annotations = annotations(self.delivery, &self.ready.claim);
        let image = Image::assemble(layout, &parts, &annotations).map_err(BuildError::from)?;
        let known = known_layers::account(&packing.known, log);
        known_layers::keep(self.delivery, packing.known, image.layout.clone());
        let mut detail = extent(&image);
        if let Some(KnownLayers { layers, bytes }) = known {
            detail = format!("{detail}, {layers} of them known ({})", text::size(bytes));
        }
        let files = self.sessions.files().await;
        log.line(&format!("{} ({detail}; {} of the context sent)", image.digest, text::count(files, "file")));
        let (cache, cache_writers) = (build_cache::found(&chosen, &found), chosen.writers);
        if let Some(line) = cache.as_ref().and_then(build_cache::line) {
            log.line(&line);
        }
        let is_cache_silent = found.values().flat_map(|(_, read)| read).any(build_cache::is_silent);
        let (leaks, sent, unwritten) = (Leaks::default(), BTreeMap::new(), None);
        let built = Built {
            image,
            warnings,
            checks,
            leaks,
            materials,
            builders,
            known,
            sent,
            cache,
            cache_writers,
            is_cache_silent,
            unwritten,
        };
        Ok((built, detail))
    }

    /// The caches that steps may go to, by the builders that have these.
    async fn caches(&self) -> Caches {
        let caches = self.sessions.all().await.into_iter().filter_map(|session| {
            let cache = session.chosen.cache.clone().filter(|cache| cache.writes)?;
            Some((session.builder.address().canonical(), cache))
        });
        caches.collect()
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

    /// Builds the check stages with the builder of the first platform, and says who built which, and whether a step of them was
    /// run.
    async fn checks(&self) -> Result<(Vec<Part>, bool), Error> {
        let config = &self.delivery.config.build;
        let Some(first) = self.workshop.builders.seats().first().filter(|_| !config.check_targets.is_empty()) else {
            return Ok((Vec::new(), false));
        };
        self.delivery
            .stage(StageName::Checks, async |log| {
                let checks = config.check_targets.iter().map(|target| self.check(first, target, &log));
                let (parts, new): (Vec<_>, Vec<_>) = try_join_all(checks).await?.into_iter().unzip();
                let is_new = new.into_iter().any(|is_new| is_new);
                Ok(((parts, is_new), Ending::Pass(format!("{} passed", config.check_targets.join(", ")))))
            })
            .await
    }

    /// Builds a check stage, and says whether a step of it was run.
    async fn check(&self, seat: &Seat, target: &str, log: &StageLog) -> Result<(Part, bool), Error> {
        let checking = self.sessions.at(seat, log, move |session: Arc<BuildSession<'a>>| async move {
            let (show, instructions) = (Self::shown(log, String::new()), session.checking(target));
            session.builder.check(&session.session, &instructions, seat.platform.as_ref(), &*show).await
        });
        let (solved, session) = checking.await?;
        let seat = seat.taken_by(&session.builder);
        let is_new = solved.steps.iter().any(|step| !step.cached);
        Ok((Part { seat, check: Some(target.to_owned()) }, is_new))
    }

    /// Shows what the builder of a platform says: of which platform where there are several, and by whom where there are several
    /// builders.
    fn show(&self, log: &StageLog, seat: &Seat, session: &BuildSession<'_>) -> Arc<dyn Fn(BuildEvent) + Send + Sync> {
        let builders = &self.workshop.builders;
        let platform = seat.platform.as_ref().filter(|_| builders.seats().len() > 1);
        let prefix = platform.map(|platform| match builders.distinct().len() {
            1 => format!("{platform} "),
            _ => format!("{platform} at {} ", session.builder.address()),
        });
        Self::shown(log, prefix.unwrap_or_default())
    }

    fn shown(log: &StageLog, prefix: String) -> Arc<dyn Fn(BuildEvent) + Send + Sync> {
        let log = log.clone();
        Arc::new(move |event| match event {
            // A name or a message may have several lines, and a secret go over them; one line is looked at when it is shown.
            BuildEvent::Line(line) if line.contains('\n') => log.line(&format!("{prefix}{}", text::redacted(&line))),
            BuildEvent::Line(line) => log.line(&format!("{prefix}{line}")),
            BuildEvent::Status(word) => log.progress(&format!("{prefix}{}", text::redacted(&word))),
        })
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
        builder: None,
    });
    ImageRecord { digest: image.digest, size: image.size(), platforms: platforms.collect(), known: None }
}
