//! Base images in repositories of Amazon ECR are pulled with the delivery's own identity at AWS.
//!
//! A Dockerfile is a stranger's text. So a password goes to hosts alone that are exactly registries of Amazon ECR and that the
//! Dockerfile names, and it is that of a session that may pull from the named repositories and nothing else. The build of a
//! change that nobody has accepted has none, nor has a reader of Dockerfiles that is someone else's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;
use tokio::time::{Duration, Instant};

use super::Delivery;
use crate::aws::base_image::{BaseRegistry, session_policy};
use crate::aws::{self, PullFailure, RepositoryArn, Session, Withheld};
use crate::buildkit::builder::Builder;
use crate::buildkit::cache::{Place, RemoteCache};
use crate::buildkit::cache_folder::Use;
use crate::buildkit::contexts::Origin;
use crate::buildkit::endpoint::Address;
use crate::buildkit::error::StepFailure;
use crate::buildkit::session::credentials::Otherwise;
use crate::config::Build;
use crate::dockerfile::Frontend;
use crate::github::Event;
use crate::github::oidc::TokenSource;
use crate::oci::registry::credentials::Password;
use crate::oci::{Platform, Reference};
use crate::source::Definition;
use crate::text;
use crate::variables;

/// A password is asked for anew this long before it expires: a pull that begins with it takes its time.
const MARGIN: Duration = Duration::from_mins(2);

/// What registries say of those whom they don't let in, or who show nothing.
const REFUSALS: [&str; 5] = ["401", "403", "denied", "authoriz", "basic auth"];

/// How builders name the steps in which they pull.
const PULLS: [&str; 2] = ["load metadata for ", "FROM "];

/// The base images of a build in repositories of Amazon ECR, and how they are pulled.
pub(super) struct BaseImages {
    /// By their hosts.
    registries: BTreeMap<String, Registry>,
    identity: Result<aws::Settings, Withheld>,
    event: Option<Event>,
    session: OnceCell<Session>,
    failed: Mutex<BTreeMap<String, Arc<aws::Error>>>,
}

/// A registry, and what is pulled from it.
struct Registry {
    place: BaseRegistry,
    repositories: BTreeSet<String>,
    /// The repository of a build cache that is written to.
    written: Option<String>,
    password: tokio::sync::Mutex<Option<(Password, Instant)>>,
}

impl BaseImages {
    /// Those that a definition names, for a build at `builder`, and the repository of its `cache`.
    pub(super) fn of(
        delivery: &Delivery,
        definition: &Definition,
        builder: &Builder,
        cache: Option<&RemoteCache>,
        purpose: Use,
    ) -> Self {
        let Delivery { config, event, .. } = delivery;
        let mut registries = BTreeMap::<String, Registry>::new();
        for image in named(&config.build, definition, builder) {
            let Some(place) = config.destination.registry_at(image.repository.registry()) else { continue };
            let registry = registries.entry(place.host.clone()).or_insert_with(|| Registry::new(place));
            registry.repositories.insert(image.repository.name().to_owned());
        }
        if let Some(Place::Registry(repository)) = cache.map(|cache| &cache.place)
            && let Some(place) = config.destination.registry_at(repository.registry())
        {
            let registry = registries.entry(place.host.clone()).or_insert_with(|| Registry::new(place));
            registry.repositories.insert(repository.name().to_owned());
            registry.written = (purpose == Use::Write).then(|| repository.name().to_owned());
        }
        let identity = identity(delivery, definition, builder.address());
        let identity = identity.and_then(|identity| narrowed(identity, registries.values()));
        Self { registries, identity, event: event.clone(), session: OnceCell::new(), failed: Mutex::default() }
    }

    /// How they are pulled, for the log; nothing where there are none.
    pub(super) fn line(&self) -> Option<String> {
        let Ok(identity) = self.identity.as_ref() else { return None };
        let hosts: Vec<_> = self.registries.keys().cloned().collect();
        let how = match &identity.role {
            Some(role) => format!("by a session of {role} that may do nothing else"),
            None => "with the credentials that the AWS SDK finds, and all that these may do".to_owned(),
        };
        (!hosts.is_empty()).then(|| format!("base images of {} are pulled {how}", text::list(&hosts)))
    }

    /// A step's failure as that of the pull that it is, where a registry of Amazon ECR did not let the builder in.
    pub(super) fn refusal(&self, step: &StepFailure) -> Option<aws::Error> {
        if !PULLS.iter().any(|words| step.step.contains(words)) {
            return None;
        }
        let said = step.message.to_lowercase();
        let image = step.step.split_whitespace().find_map(|word| word.parse::<Reference>().ok())?;
        let host = image.repository.registry();
        let registry = self.registries.get(host)?;
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).remove(host);
        if failed.is_none() && !REFUSALS.iter().any(|words| said.contains(words)) {
            return None;
        }
        let cause = match (failed, self.session.get(), &self.identity) {
            (Some(error), ..) => PullFailure::Failed(error),
            (None, _, Err(withheld)) => PullFailure::Withheld(*withheld),
            (None, session, Ok(_)) => PullFailure::Denied {
                caller: session.map_or_else(|| "the credentials of `docker login`".to_owned(), |session| session.arn.clone()),
                foreign: session.is_some_and(|session| session.account != registry.place.account),
            },
        };
        let repository = Box::new(registry.place.repository(image.repository.name()));
        let (image, message) = (text::words(&image.to_string()), text::words(&step.message));
        Some(aws::Error::BaseImage { image, repository, message, cause })
    }

    async fn password(&self, registry: &Registry) -> Result<Option<Password>, aws::Error> {
        let Ok(identity) = &self.identity else { return Ok(None) };
        let mut known = registry.password.lock().await;
        let is_good = |(password, at): &&(Password, Instant)| {
            password.good_for.is_none_or(|life| at.elapsed() < life.saturating_sub(MARGIN))
        };
        if let Some((password, _)) = known.as_ref().filter(is_good) {
            return Ok(Some(password.clone()));
        }
        let tokens = || self.event.as_ref().map(|event| TokenSource::find(variables::text, event.fork));
        let session = self.session.get_or_try_init(|| Session::open(identity, tokens)).await?;
        let password = session.pull_password(&registry.place).await?;
        *known = Some((password.clone(), Instant::now()));
        Ok(Some(password))
    }
}

impl Otherwise for BaseImages {
    fn find<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Option<Password>> {
        Box::pin(async move {
            let registry = self.registries.get(host)?;
            match self.password(registry).await {
                Ok(password) => password,
                Err(error) => {
                    // The registry refuses who shows nothing; then this is why. What the builder has already needs no password.
                    tracing::debug!(%error, host, "there is no password for base images");
                    self.failed.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), Arc::new(error));
                    None
                }
            }
        })
    }
}

impl Registry {
    fn new(place: BaseRegistry) -> Self {
        Self { place, repositories: BTreeSet::new(), written: None, password: tokio::sync::Mutex::default() }
    }

    fn arns(&self) -> impl Iterator<Item = RepositoryArn> {
        self.repositories.iter().map(|name| self.place.repository(name))
    }
}

/// The images that a definition and named contexts name, for each platform.
fn named(build: &Build, definition: &Definition, builder: &Builder) -> Vec<Reference> {
    let contexts = build.contexts.iter().filter_map(|context| match &context.origin {
        Origin::Image(reference) => reference.parse().ok(),
        Origin::Folder(_) | Origin::Layout { .. } => None,
    });
    let Some(dockerfile) = &definition.parsed else { return contexts.collect() };
    // A builder builds for its own machine where nobody says otherwise; that is mostly one like this.
    let own = || Platform::of_this_machine().into_iter().collect();
    let platforms = if build.platforms.is_empty() { own() } else { build.platforms.clone() };
    // One that says that it is another machine is believed as far as the delivery itself names that platform.
    let native = builder.platforms().first().filter(|native| build.platforms.contains(native)).cloned();
    let machines = BTreeSet::from([Platform::of_this_machine(), native.or_else(Platform::of_this_machine)]);
    let images = platforms.iter().flat_map(|platform| {
        machines.iter().filter_map(|machine| dockerfile.images(&arguments(build, platform, machine.as_ref())).ok())
    });
    images.flatten().filter_map(|image| image.parse().ok()).chain(contexts).collect()
}

/// The arguments of the build, and those that BuildKit sets by itself.
fn arguments(build: &Build, platform: &Platform, machine: Option<&Platform>) -> BTreeMap<String, String> {
    let automatic = [("TARGET", Some(platform)), ("BUILD", machine)].into_iter().flat_map(|(side, platform)| {
        let values = platform.map(|platform| {
            let variant = platform.variant.clone().unwrap_or_default();
            let (os, architecture) = (platform.os.clone(), platform.architecture.clone());
            [("PLATFORM", platform.to_string()), ("OS", os), ("ARCH", architecture), ("VARIANT", variant)]
        });
        values.into_iter().flatten().map(move |(name, value)| (format!("{side}{name}"), value))
    });
    automatic.chain(build.arguments.iter().cloned()).collect()
}

/// The identity that a build may use.
fn identity(delivery: &Delivery, definition: &Definition, builder: &Address) -> Result<aws::Settings, Withheld> {
    let Delivery { config, event, .. } = delivery;
    if !event.as_ref().is_none_or(Event::may_publish) {
        return Err(Withheld::Event);
    }
    let identity = config.pulls_as.clone().ok_or(Withheld::NoIdentity)?;
    let argument = config.build.arguments.iter().any(|(name, _)| name == "BUILDKIT_SYNTAX");
    if argument || Frontend::asked_for(&definition.dockerfile).iter().any(|reader| !reader.keeps_namespaces()) {
        return Err(Withheld::Frontend);
    }
    if config.build.is_heard_on_the_way(builder) { Err(Withheld::Exposed) } else { Ok(identity) }
}

/// An identity that may pull from these registries, push to the build cache where that is written, and do nothing else. Credentials that the SDK finds can't be narrowed.
fn narrowed<'a>(
    identity: aws::Settings,
    registries: impl Iterator<Item = &'a Registry> + Clone,
) -> Result<aws::Settings, Withheld> {
    let repositories: Vec<_> = registries.clone().flat_map(Registry::arns).collect();
    let written: Vec<_> = registries.filter_map(|one| Some(one.place.repository(one.written.as_deref()?))).collect();
    let Some(first) = repositories.first() else { return Ok(identity) };
    let policy =
        session_policy(identity.session_policy.as_deref(), &repositories, &written).map_err(|_| Withheld::SessionPolicy)?;
    let region = identity.region.clone().or_else(|| Some(first.region.clone()));
    Ok(aws::Settings { region, session_policy: Some(policy), ..identity })
}
