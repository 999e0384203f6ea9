//! What an image says of the delivery that it came from: the labels of its configuration and the annotations of its manifest
//! say the same.
//!
//! What it says is a claim of whoever pushed it. It decides whether an image is looked at instead of built, never whether it
//! is cleared: that takes a scan. A signature will be checked here.

use std::collections::BTreeMap;

use crate::document;
use crate::environment::Environment;
use crate::oci::registry::Manifest;
use crate::record::Source;

/// The commit (image-spec, `annotations.md`, "Pre-Defined Annotation Keys").
pub(crate) const REVISION: &str = "org.opencontainers.image.revision";
/// The environment whose delivery built it.
pub(crate) const ENVIRONMENT: &str = "gp-deliver.environment";
/// What comes after the commit where the working tree had changes that are in no commit (as `git describe --dirty` has it).
const DIRTY: &str = "-dirty";

/// Where an image came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Provenance {
    /// The commit's full id, with `-dirty` after it where that is not the whole truth.
    pub(crate) revision: Option<String>,
    /// The environment whose delivery built it; absent if gp-deliver did not build it.
    pub(crate) environment: Option<Environment>,
}

impl Provenance {
    /// What an image of this source says, built for this environment.
    #[must_use]
    pub(crate) fn of(source: &Source, environment: Environment) -> Self {
        let dirty = if source.dirty { DIRTY } else { "" };
        let revision = source.commit.as_ref().map(|commit| format!("{commit}{dirty}"));
        Self { revision, environment: Some(environment) }
    }

    /// What labels or annotations say.
    #[must_use]
    pub(crate) fn read(properties: &BTreeMap<String, String>) -> Self {
        Self {
            revision: properties.get(REVISION).cloned(),
            environment: properties.get(ENVIRONMENT).and_then(|name| name.parse().ok()),
        }
    }

    /// What a manifest or index says by its annotations.
    #[must_use]
    pub(crate) fn annotated(manifest: &Manifest) -> Self {
        #[derive(Default, serde::Deserialize)]
        struct Annotated {
            #[serde(default)]
            annotations: BTreeMap<String, String>,
        }
        Self::read(&document::read_shared::<Annotated>(&manifest.bytes).unwrap_or_default().annotations)
    }

    /// The labels or annotations that say it.
    #[must_use]
    pub(crate) fn properties(&self) -> Vec<(String, String)> {
        let revision = self.revision.iter().map(|revision| (REVISION.to_owned(), revision.clone()));
        let environment = self.environment.iter().map(|environment| (ENVIRONMENT.to_owned(), environment.name().to_owned()));
        revision.chain(environment).collect()
    }

    /// The environment whose delivery of `commit`, and of nothing else, the image came from.
    #[must_use]
    pub(crate) fn delivery_of(&self, commit: &str) -> Option<Environment> {
        self.environment.filter(|_| self.revision.as_deref() == Some(commit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(dirty: bool) -> Source {
        Source { commit: Some("a1b2c3d".to_owned()), branch: None, tag: None, dirty }
    }

    #[test]
    fn what_is_written_is_read() {
        let provenance = Provenance::of(&source(false), Environment::Test);
        assert_eq!(Provenance::read(&provenance.properties().into_iter().collect()), provenance);
        assert_eq!(provenance.delivery_of("a1b2c3d"), Some(Environment::Test));
    }

    #[test]
    fn an_image_with_changes_that_are_in_no_commit_is_no_delivery_of_the_commit() {
        assert_eq!(Provenance::of(&source(true), Environment::Dev).delivery_of("a1b2c3d"), None);
    }

    #[test]
    fn an_image_of_another_builder_is_no_delivery() {
        let properties = BTreeMap::from([(REVISION.to_owned(), "a1b2c3d".to_owned())]);
        assert_eq!(Provenance::read(&properties).delivery_of("a1b2c3d"), None);
        let properties = BTreeMap::from([(ENVIRONMENT.to_owned(), "production".to_owned())]);
        assert_eq!(Provenance::read(&properties).environment, None);
    }
}
