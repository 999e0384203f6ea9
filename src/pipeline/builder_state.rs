//! Whose state a build sees in its builder: that of builds of the same repository that are trusted as far.

use std::path::Path;

use super::Delivery;
use super::preflight::Ready;
use crate::buildkit::Error as BuildError;
use crate::buildkit::builder::Builder;
use crate::buildkit::cache::RemoteCache;
use crate::buildkit::endpoint::Address;
use crate::buildkit::namespace::{BuilderCache, Namespace};
use crate::config::Publish;
use crate::dockerfile::Frontend;
use crate::error::Error;
use crate::github::Access;

/// What is built without being published: the change of a pull request, or of whoever caused the event. Nobody's image
/// comes of it, so that all of them share a namespace.
const UNPUBLISHED: &str = "unpublished";

/// Where the engine of a machine listens that GitHub starts for a job. A socket elsewhere may lead to another machine.
const OWN_SOCKET: &str = "/var/run/docker.sock";

/// Whose the builder is.
pub(super) fn owner(delivery: &Delivery, builder: &Builder) -> BuilderCache {
    let build = &delivery.config.build;
    owner_of(build.builder_cache, build.cache.hosted, builder.address())
}

fn owner_of(asked: BuilderCache, hosted: bool, address: &Address) -> BuilderCache {
    let is_own = || hosted && matches!(address, Address::Unix(path) if path == Path::new(OWN_SOCKET));
    match asked {
        BuilderCache::Auto if is_own() => BuilderCache::Own,
        BuilderCache::Auto => BuilderCache::Isolated,
        asked => asked,
    }
}

/// The repository at GitHub by its name; none outside GitHub Actions.
pub(super) fn repository(delivery: &Delivery) -> Option<String> {
    delivery.config.github.as_ref().map(Access::name)
}

/// The namespace of a build; none where the builder's state is shared by choice.
///
/// With a cache that machines share, the results of steps are its environment's on all of them, also for a change that is built
/// to be judged by that environment's rules: it takes what the environment left. The builder is that job's alone then.
pub(super) fn namespace(delivery: &Delivery, ready: &Ready, builder: &Builder, cache: Option<&RemoteCache>) -> Option<Namespace> {
    let config = &delivery.config;
    if config.build.builder_cache == BuilderCache::Shared {
        return None;
    }
    let (known, (repository, level)) = (repository(delivery), trust(delivery, ready));
    // A value that the project gives divides its own namespace, and leads to no other.
    let given = config.build.arguments.iter().rev().find(|(name, _)| name == Namespace::ARGUMENT);
    let given = given.map_or("", |(_, value)| value);
    let namespace = Namespace::of(&["builder state", builder.identity(), &repository, level, given]);
    Some(match cache {
        // Where a source is on a machine that no runner has started is no name of it that another machine has.
        Some(cache) => {
            let of = known.unwrap_or_else(|| cache.name());
            namespace.with_steps_of(&["steps of a cache", &of, cache.environment, given])
        }
        None => namespace,
    })
}

/// The name of the folder for layers that builds of the same repository, trusted as far, have made by this version.
pub(super) fn of_layers(delivery: &Delivery, ready: &Ready) -> String {
    let (repository, level) = trust(delivery, ready);
    Namespace::of(&["layers", env!("CARGO_PKG_VERSION"), &repository, level]).folder()
}

/// Whose a build is: the repository's, and how far it is trusted.
fn trust(delivery: &Delivery, ready: &Ready) -> (String, &'static str) {
    let config = &delivery.config;
    let repository = repository(delivery).unwrap_or_else(|| ready.checkout.root.to_string_lossy().into_owned());
    let level = if config.publish == Publish::Yes { config.environment.name() } else { UNPUBLISHED };
    (repository, level)
}

/// Refuses a Dockerfile whose reader is not known to keep to a namespace: it is a program that hands the builder whatever
/// steps it likes, with the keys of any namespace. Outside GitHub Actions, where nothing blocks, no strangers build.
pub(super) fn admit(delivery: &Delivery, dockerfile: &[u8]) -> Result<(), Error> {
    let config = &delivery.config;
    if config.build.builder_cache == BuilderCache::Shared || (delivery.event.is_none() && !config.environment.is_blocking()) {
        return Ok(());
    }
    match foreign_reader(delivery, dockerfile) {
        Some(Frontend { line, reference }) => Err(BuildError::Frontend { reference, line }.into()),
        None => Ok(()),
    }
}

/// The reader that a Dockerfile, or the build, asks for and that is not known to keep to a namespace.
pub(super) fn foreign_reader(delivery: &Delivery, dockerfile: &[u8]) -> Option<Frontend> {
    let argument = delivery.config.build.arguments.iter().filter(|(name, _)| name == "BUILDKIT_SYNTAX");
    let argument = argument.map(|(_, value)| Frontend { line: 0, reference: value.trim().to_owned() });
    let mut asked = Frontend::asked_for(dockerfile).into_iter().chain(argument);
    asked.find(|frontend| !frontend.keeps_namespaces())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builder_is_a_jobs_own_where_github_has_started_the_machine_and_its_engine_is_used_or_where_that_is_said() {
        let engine: Address = "unix:///var/run/docker.sock".parse().unwrap();
        assert_eq!(owner_of(BuilderCache::Auto, true, &engine), BuilderCache::Own);
        assert_eq!(owner_of(BuilderCache::Auto, false, &engine), BuilderCache::Isolated);
        for elsewhere in ["unix:///tmp/docker.sock", "tcp://127.0.0.1:2375", "tcp://builder.example:1234"] {
            assert_eq!(owner_of(BuilderCache::Auto, true, &elsewhere.parse().unwrap()), BuilderCache::Isolated, "{elsewhere}");
        }
        assert_eq!(owner_of(BuilderCache::Own, false, &engine), BuilderCache::Own);
        assert_eq!(owner_of(BuilderCache::Isolated, true, &engine), BuilderCache::Isolated);
        assert_eq!(owner_of(BuilderCache::Shared, true, &engine), BuilderCache::Shared);
    }
}
