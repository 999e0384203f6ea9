//! Whose state a build sees in its builder: that of builds of the same repository that are trusted as far.

use super::Delivery;
use super::preflight::Ready;
use crate::buildkit::Error as BuildError;
use crate::buildkit::builder::Builder;
use crate::buildkit::namespace::{BuilderCache, Namespace};
use crate::config::Publish;
use crate::dockerfile::Frontend;
use crate::error::Error;

/// What is built without being published: the change of a pull request, or of whoever caused the event. Nobody's image
/// comes of it, so that all of them share a namespace.
const UNPUBLISHED: &str = "unpublished";

/// The namespace of a build; none where the builder's state is shared by choice.
pub(super) fn namespace(delivery: &Delivery, ready: &Ready, builder: &Builder) -> Option<Namespace> {
    let config = &delivery.config;
    if config.build.cache == BuilderCache::Shared {
        return None;
    }
    let repository = config.github.as_ref().map_or_else(
        || ready.checkout.root.to_string_lossy().into_owned(),
        |github| format!("{}/{}/{}", github.api, github.owner, github.repository),
    );
    let level = if config.publish == Publish::Yes { config.environment.name() } else { UNPUBLISHED };
    // A value that the project gives divides its own namespace, and leads to no other.
    let given = config.build.arguments.iter().rev().find(|(name, _)| name == Namespace::ARGUMENT);
    let given = given.map_or("", |(_, value)| value);
    Some(Namespace::of(&["builder state", builder.identity(), &repository, level, given]))
}

/// Refuses a Dockerfile whose reader is not known to keep to a namespace: it is a program that hands the builder whatever
/// steps it likes, with the keys of any namespace. Outside GitHub Actions, where nothing blocks, no strangers build.
pub(super) fn admit(delivery: &Delivery, dockerfile: &[u8]) -> Result<(), Error> {
    let config = &delivery.config;
    if config.build.cache == BuilderCache::Shared || (delivery.event.is_none() && !config.environment.is_blocking()) {
        return Ok(());
    }
    let argument = config.build.arguments.iter().filter(|(name, _)| name == "BUILDKIT_SYNTAX");
    let argument = argument.map(|(_, value)| Frontend { line: 0, reference: value.trim().to_owned() });
    let asked = Frontend::asked_for(dockerfile).into_iter().chain(argument);
    match asked.into_iter().find(|frontend| !frontend.keeps_namespaces()) {
        Some(Frontend { line, reference }) => Err(BuildError::Frontend { reference, line }.into()),
        None => Ok(()),
    }
}
