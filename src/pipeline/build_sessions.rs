//! The sessions of a build: one with each builder that has a part of it, open as long as the build lasts. What dies with its builder
//! is done once more, from the beginning, by the next of its list.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::base_images::BaseImages;
use super::build_cache::{self, Chosen};
use super::builders::Seat;
use super::claim::dockerfile_name;
use super::place::Place;
use super::preflight::{Ready, Workshop};
use super::{Delivery, builder_state, dating};
use crate::build_check::BuildCheck;
use crate::buildkit::Error as BuildError;
use crate::buildkit::builder::{Builder, Instructions};
use crate::buildkit::cache::RemoteCache;
use crate::buildkit::cache_folder::Use;
use crate::buildkit::contexts::Contexts;
use crate::buildkit::error::Untaken;
use crate::buildkit::namespace::shared_context;
use crate::buildkit::session::attachables::{Attachables, METHODS};
use crate::buildkit::session::context::Directory;
use crate::buildkit::session::credentials::{self, Credentials, Otherwise};
use crate::buildkit::session::ssh::{self, Agents};
use crate::buildkit::session::stats::TransferStats;
use crate::buildkit::session::{Session, content, silence};
use crate::config::Build;
use crate::error::Error;
use crate::oci::registry::Store;
use crate::provenance::Claim;
use crate::record::StageLog;
use crate::stamp::Stamp;
use crate::text;

/// What is said where files are not dated. The configuration is all the same.
const CAN_NOT_DATE: &str = "an engine with a graph driver can't date the files of new layers by their commits: a step that is run anew gives another layer";
const DATES_NOTHING: &str = "the files of new layers are not dated, since it can't be told by which commits: a step that is run anew gives \
                             another layer";

/// How long a build may take: as long as a job on GitHub's own machines.
pub(crate) const LONGEST: Duration = Duration::from_hours(6);

/// The caches that a build writes to, by the builders that have its steps.
pub(super) type Caches = BTreeMap<String, RemoteCache>;

/// The sessions of a build, by the addresses of the builders.
pub(super) struct Sessions<'a> {
    delivery: &'a Arc<Delivery>,
    ready: &'a Ready,
    workshop: &'a Workshop,
    /// The caches that the steps go to; absent where they are run.
    written: Option<Caches>,
    open: tokio::sync::Mutex<BTreeMap<String, Arc<OnceCell<Arc<BuildSession<'a>>>>>>,
    /// When it has to be over, whoever builds.
    until: Instant,
    /// What is said once, however many builders it is true of.
    said: Mutex<BTreeSet<String>>,
}

/// An open session, and what is built with it.
pub(super) struct BuildSession<'a> {
    delivery: &'a Arc<Delivery>,
    ready: &'a Ready,
    pub(super) builder: Arc<Builder>,
    pub(super) session: Session,
    stats: Arc<TransferStats>,
    bases: Arc<BaseImages>,
    pub(super) instructions: Instructions,
    pub(super) chosen: Chosen,
}

impl<'a> Sessions<'a> {
    /// Of a build whose steps are run, or go to these caches.
    pub(super) fn new(delivery: &'a Arc<Delivery>, ready: &'a Ready, workshop: &'a Workshop, written: Option<Caches>) -> Self {
        let (open, said) = (tokio::sync::Mutex::default(), Mutex::default());
        Self { delivery, ready, workshop, written, open, until: Instant::now() + LONGEST, said }
    }

    /// That with a builder.
    pub(super) async fn with(&self, builder: &Arc<Builder>) -> Result<Arc<BuildSession<'a>>, Error> {
        let address = builder.address().canonical();
        let cell = self.open.lock().await.entry(address.clone()).or_default().clone();
        let open = cell.get_or_try_init(|| async {
            let (chosen, purpose) = match &self.written {
                Some(caches) => (Chosen { cache: caches.get(&address).cloned(), ..Chosen::default() }, Use::Write),
                None => (build_cache::choose(self.delivery, self.ready, self.workshop, builder).await, Use::Read),
            };
            BuildSession::open(self.delivery, self.ready, self.workshop, builder, chosen, purpose).await.map(Arc::new)
        });
        open.await.cloned()
    }

    /// All that are open.
    pub(super) async fn all(&self) -> Vec<Arc<BuildSession<'a>>> {
        self.open.lock().await.values().filter_map(|cell| cell.get().cloned()).collect()
    }

    /// Does work with the builder of a platform. Where that dies, the work is done once more, from the beginning, with the next of
    /// its list, and no third time. A step that fails is no death, nor is a build that takes too long.
    pub(super) async fn at<T, W: Future<Output = Result<T, BuildError>>>(
        &self,
        seat: &Seat,
        log: &StageLog,
        work: impl Fn(Arc<BuildSession<'a>>) -> W,
    ) -> Result<(T, Arc<BuildSession<'a>>), Error> {
        let dead = match self.attempt(seat, &work).await {
            Err(Error::Build(error)) if seat.is_listed && error.is_of_a_dead_builder() => untaken(seat, error)?,
            ended => return ended,
        };
        let platform = seat.platform.clone().map(Box::new);
        let next = match self.workshop.builders.next(seat, log).await? {
            Ok(next) => next,
            Err(rest) => return Err(BuildError::Died { platform, died: vec![dead], rest }.into()),
        };
        self.delivery.recorder.warn(format!(
            "buildkitd at {} died while it built{} ({}). It is built once more, from the beginning, by {}.",
            dead.address,
            platform.as_ref().map(|platform| format!(" {platform}")).unwrap_or_default(),
            dead.reason,
            next.builder.description()
        ));
        match self.attempt(&next, &work).await {
            Err(Error::Build(error)) if error.is_of_a_dead_builder() => {
                let died = vec![dead, untaken(&next, error)?];
                Err(BuildError::Died { platform, died, rest: Vec::new() }.into())
            }
            ended => ended,
        }
    }

    async fn attempt<T, W: Future<Output = Result<T, BuildError>>>(
        &self,
        seat: &Seat,
        work: impl Fn(Arc<BuildSession<'a>>) -> W,
    ) -> Result<(T, Arc<BuildSession<'a>>), Error> {
        let session = self.with(&seat.builder).await?;
        let done = session.in_time(self.until, work(session.clone())).await.map_err(|error| session.explained(error))?;
        Ok((done, session))
    }

    /// Says what a reader should know of a session before something is built with it, each thing once.
    pub(super) fn introduce(&self, session: &BuildSession<'_>, log: &StageLog) {
        let undated = session.undated().map(str::to_owned);
        let notes = session.chosen.notes.iter().map(|note| format!("build cache: {note}"));
        for line in undated.into_iter().chain(session.bases.line()).chain(notes) {
            if self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
                log.line(&line);
            }
        }
    }

    /// The number of files that were sent, to whichever builder.
    pub(super) async fn files(&self) -> u64 {
        self.all().await.iter().map(|session| session.stats.files()).sum()
    }

    /// The files of the build context that a builder was told of.
    pub(super) async fn take_listed(&self) -> BTreeMap<Box<str>, Stamp> {
        self.all().await.iter().flat_map(|session| session.stats.take_listed()).collect()
    }

    /// Ends all of them.
    pub(super) async fn close(self) {
        for cell in self.open.into_inner().into_values().filter_map(Arc::into_inner) {
            if let Some(session) = cell.into_inner().and_then(Arc::into_inner) {
                session.session.close().await;
            }
        }
    }
}

/// The builder of a seat as one that is not there any more.
///
/// # Errors
/// That is not why it is not.
fn untaken(seat: &Seat, error: BuildError) -> Result<Untaken, BuildError> {
    let reason = text::words(&error.into_reason()?).to_string();
    Ok(Untaken { address: seat.builder.address().to_string(), reason })
}

impl<'a> BuildSession<'a> {
    async fn open(
        delivery: &'a Arc<Delivery>,
        ready: &'a Ready,
        workshop: &'a Workshop,
        builder: &Arc<Builder>,
        chosen: Chosen,
        purpose: Use,
    ) -> Result<Self, Error> {
        let build = &delivery.config.build;
        let cache = chosen.cache.as_ref();
        let stats = Arc::new(TransferStats::default());
        let left_out = [&delivery.config.report_dir, &delivery.staging];
        let left_out: Vec<_> = left_out.into_iter().filter_map(|path| path.canonicalize().ok()).collect();
        let Workshop { definition, contexts, date, .. } = workshop;
        builder_state::admit(delivery, &definition.dockerfile)?;
        let place = Place::within(delivery.config.real_context(), &ready.checkout.root, &ready.places);
        let attachables = Attachables {
            context: Directory::within(definition.context.folder()?, &place.context, left_out.clone()),
            folders: contexts.folders(definition, &place, &left_out)?,
            layouts: contexts.layouts.clone(),
            cache: cache.and_then(|cache| cache.store(purpose)),
            // As bytes that are always new: a builder takes a file of the same size and time for the one it has.
            dockerfile: Directory::files(definition.files()),
            secrets: build.secrets.iter().map(|secret| (secret.id.clone(), secret.source.clone())).collect(),
            stats: Arc::clone(&stats),
        };
        let bases = Arc::new(BaseImages::of(delivery, definition, builder, cache, purpose));
        let otherwise: Arc<dyn Otherwise> = bases.clone();
        let routes = attachables.routes().add_service(Credentials::server(Store::from_env(), otherwise));
        let routes = routes.add_service(Agents::server(build.agents.clone()));
        let methods = METHODS.into_iter().chain(credentials::METHODS).chain(ssh::METHODS).chain(content::METHODS);
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
        let dating = date.map(|date| dating::of_layers(delivery, ready, definition, builder, date));
        let instructions = Instructions {
            date,
            dating,
            contexts,
            namespace,
            cache,
            ..instructions(build, definition.name(), &ready.claim, proxies)
        };
        Ok(Self { delivery, ready, builder: builder.clone(), session, stats, bases, instructions, chosen })
    }

    /// Why the files of new layers are not dated, where the image is; nothing where some are.
    fn undated(&self) -> Option<&'static str> {
        let dating = self.instructions.dating.as_ref()?;
        if self.builder.gives_layers() { dating.is_idle().then_some(DATES_NOTHING) } else { Some(CAN_NOT_DATE) }
    }

    /// The instructions for a check stage.
    pub(super) fn checking(&self, target: &str) -> Instructions {
        Instructions { target: Some(target.to_owned()), labels: vec![], ..self.instructions.clone() }
    }

    /// Builds, as long as the builder is there, and no longer than any job lasts.
    async fn in_time<T>(&self, until: Instant, work: impl Future<Output = Result<T, BuildError>>) -> Result<T, BuildError> {
        tokio::select! {
            ended = tokio::time::timeout_at(until, work) => ended.unwrap_or(Err(BuildError::TooLong { after: LONGEST })),
            () = silence::silence(&self.stats) => Err(BuildError::Silent { after: silence::SILENCE }),
            () = self.builder.silence() => Err(BuildError::Silent { after: silence::SILENCE }),
        }
    }

    /// Checks of the Dockerfile by its path as people know it.
    pub(super) fn placed(&self, checks: Vec<BuildCheck>) -> impl Iterator<Item = BuildCheck> + use<> {
        let file = dockerfile_name(&self.delivery.config.build.dockerfile, &self.ready.checkout.root);
        let redacted = |text: &str| text::redacted(text).into_owned();
        checks.into_iter().map(move |check| BuildCheck { file: file.clone(), message: redacted(&check.message), ..check })
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
        dating: None,
        options: build.options.clone(),
        namespace: None,
        cache: None,
    }
}
