//! What a delivery's image says of itself.

use std::collections::BTreeMap;
use std::path::Path;

use super::named_contexts::folder;
use crate::config::Config;
use crate::oci::Digest;
use crate::provenance::{Claim, Parameters};
use crate::source::Checkout;

/// What the image of this delivery says of itself.
pub(super) fn claim(config: &Config, checkout: &Checkout, dockerfile: &[u8], contexts: BTreeMap<String, String>) -> Claim {
    let (build, root) = (&config.build, &checkout.root);
    let context = config.real_context();
    let context = context.strip_prefix(root).unwrap_or(&context);
    // The last value of a name counts, as for the builder.
    let arguments: BTreeMap<_, _> = build.arguments.iter().map(|(name, value)| (name, value)).collect();
    let mut platforms: Vec<_> = build.platforms.iter().map(ToString::to_string).collect();
    platforms.sort();
    let parameters = Parameters {
        arguments: Digest::of(&serde_json::to_vec(&arguments).unwrap_or_default()),
        context: folder(context),
        contexts,
        dockerfile: dockerfile_name(&build.dockerfile, root),
        dockerfile_digest: Digest::of(dockerfile),
        platforms,
        target: build.target.clone(),
        options: build.options.decisive().into_iter().chain(build.reproducible.then(reproducible)).collect(),
    };
    Claim::of(&checkout.source, config.environment, parameters)
}

/// That an image is dated by its commit is one thing more that tells it from another of the commit.
fn reproducible() -> (String, String) {
    ("reproducible".to_owned(), "true".to_owned())
}

/// The Dockerfile as its readers know it: relative to the source's root where it is inside.
pub(super) fn dockerfile_name(dockerfile: &Path, root: &Path) -> String {
    let absolute = dockerfile.canonicalize().ok();
    let inside = absolute.as_deref().and_then(|path| path.strip_prefix(root).ok());
    inside.unwrap_or(dockerfile).to_string_lossy().into_owned()
}
