//! Base images in repositories of Amazon ECR are pulled with the delivery's own identity at AWS.
//!
//! A Dockerfile is a stranger's text. So a password goes to hosts alone that are exactly registries of Amazon ECR and that the
//! Dockerfile names, and it is that of a session that may pull from the named repositories and nothing else. The build of a
//! change that nobody has accepted has none, nor has a reader of Dockerfiles that is someone else's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;

use super::Delivery;
use super::pull_identity::{self, PullIdentity, Wanted};
use crate::aws::{self, PullFailure, Pulled, Withheld};
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
use crate::oci::reference::Repository;
use crate::oci::registry::credentials::Password;
use crate::oci::{Platform, Reference};
use crate::source::Definition;
use crate::text;

/// What registries say of those whom they don't let in, or who show nothing.
const REFUSALS: [&str; 5] = ["401", "403", "denied", "authoriz", "basic auth"];

/// How builders name the steps in which they pull.
const PULLS: [&str; 2] = ["load metadata for ", "FROM "];

/// The base images of a build in repositories of Amazon ECR, and how they are pulled.
pub(super) struct BaseImages {
    identity: PullIdentity,
    failed: Mutex<BTreeMap<String, PullFailure>>,
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
        let wanted = |repository: &Repository, written: bool| {
            let registry = delivery.config.ecr_registry(repository.registry())?;
            Some(Wanted { registry, name: repository.name().to_owned(), written })
        };
        let images = named(&delivery.config.build, definition, builder);
        let cache = cache.and_then(|cache| match &cache.place {
            Place::Registry(repository) => wanted(repository, purpose == Use::Write),
            Place::GitHub { .. } | Place::Folder(_) => None,
        });
        let wanted = images.iter().filter_map(|image| wanted(&image.repository, false)).chain(cache).collect();
        let identity = identity(delivery, definition, builder.address());
        let identity = PullIdentity::new(identity, delivery.event.as_ref(), wanted);
        Self { identity, failed: Mutex::default() }
    }

    /// How they are pulled, for the log; nothing where there are none.
    pub(super) fn line(&self) -> Option<String> {
        self.identity.line("base images")
    }

    /// A step's failure as that of the pull that it is, where a registry of Amazon ECR did not let the builder in.
    pub(super) fn refusal(&self, step: &StepFailure) -> Option<aws::Error> {
        if !PULLS.iter().any(|words| step.step.contains(words)) {
            return None;
        }
        let said = step.message.to_lowercase();
        let image = step.step.split_whitespace().find_map(|word| word.parse::<Reference>().ok())?;
        let host = image.repository.registry();
        let registry = self.identity.registry(host)?;
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).remove(host);
        if failed.is_none() && !REFUSALS.iter().any(|words| said.contains(words)) {
            return None;
        }
        let cause = failed.unwrap_or_else(|| self.identity.refused(registry));
        let repository = Box::new(registry.repository(image.repository.name()));
        let (name, message) = (text::words(&image.to_string()), text::words(&step.message));
        Some(aws::Error::Pull { what: Pulled::BaseImage, name, repository, message, cause })
    }
}

impl Otherwise for BaseImages {
    fn find<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Option<Password>> {
        Box::pin(async move {
            let password = self.identity.password(host).ok().flatten()?;
            match password.current().await {
                Ok(password) => Some(password),
                Err(error) => {
                    // The registry refuses who shows nothing; then this is why. What the builder has already needs no password.
                    tracing::debug!(%error, host, "there is no password for base images");
                    let failed = pull_identity::failed(error)?;
                    self.failed.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), failed);
                    None
                }
            }
        })
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
