//! Where an image came from: what it says of itself, and whether that is proven.
//!
//! What an image says is a [`Claim`] of whoever pushed it, by the annotations of its manifest and the labels of its
//! configuration. A claim decides what an image is compared with, and, where that is trusted ([`Trust`]), whether it is taken
//! instead of built; never whether it is cleared: that takes scans. A proof is a verdict that this workflow has signed:
//! `pipeline::proof` looks for one.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::document;
use crate::environment::Environment;
use crate::oci::Digest;
use crate::oci::registry::Manifest;
use crate::record::Source;

/// The commit (image-spec, `annotations.md`, "Pre-Defined Annotation Keys").
pub(crate) const REVISION: &str = "org.opencontainers.image.revision";
/// The environment whose delivery built it; an annotation alone, so that what runs is the same for all.
pub(crate) const ENVIRONMENT: &str = "gp-deliver.environment";
/// What of the commit was built: [`Parameters`] as JSON.
pub(crate) const BUILD: &str = "gp-deliver.build";
/// What comes after the commit where the working tree had changes that are in no commit (as `git describe --dirty` has it).
const DIRTY: &str = "-dirty";

/// What tells an image of a commit from another image of the same commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// The values of `ARG`, by name: the digest of them, since they are nobody's business.
    pub(crate) arguments: Digest,
    /// The build context, relative to the source's root.
    pub(crate) context: String,
    /// The named contexts, by their names: a folder relative to the source's root, `docker-image://` with a reference, or
    /// `oci-layout://` with a digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) contexts: BTreeMap<String, String>,
    /// The Dockerfile, relative to the source's root where it is inside.
    pub(crate) dockerfile: String,
    /// The digest of the Dockerfile, which need not be in the commit.
    pub(crate) dockerfile_digest: Digest,
    /// The platforms that were asked for, sorted; none for the builder's own.
    pub(crate) platforms: Vec<String>,
    /// The stage that was asked for; absent for the last.
    pub(crate) target: Option<String>,
    /// How steps were run, by the names of the frontend's options, where it was asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) options: BTreeMap<String, String>,
}

/// What an image says of the delivery that it came from. Whoever may push an image can have it say anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The commit's full id, with `-dirty` after it where that is not the whole truth.
    pub(crate) revision: Option<String>,
    /// The environment whose delivery built it; absent if gp-deliver did not build it.
    pub(crate) environment: Option<Environment>,
    /// What of the commit was built; absent if gp-deliver did not build it.
    pub(crate) parameters: Option<Parameters>,
}

/// What is known of where an image came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provenance {
    /// This workflow itself has signed what was decided about it (`pipeline::proof`).
    Proven,
    /// The image says it, and nobody else.
    Claimed,
}

/// What an image has to show so that it is taken instead of built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// That its claim is proven.
    Proven,
    /// Its claim.
    Claimed,
    /// None is taken.
    Never,
}

impl Claim {
    /// What an image of this source says, built with these parameters for this environment.
    #[must_use]
    pub(crate) fn of(source: &Source, environment: Environment, parameters: Parameters) -> Self {
        let dirty = if source.dirty { DIRTY } else { "" };
        let revision = source.commit.as_ref().map(|commit| format!("{commit}{dirty}"));
        Self { revision, environment: Some(environment), parameters: Some(parameters) }
    }

    /// What labels or annotations say.
    #[must_use]
    pub(crate) fn read(properties: &BTreeMap<String, String>) -> Self {
        Self {
            revision: properties.get(REVISION).cloned(),
            environment: properties.get(ENVIRONMENT).and_then(|name| name.parse().ok()),
            parameters: properties.get(BUILD).and_then(|text| document::read(text.as_bytes()).ok()),
        }
    }

    /// The labels that say it.
    #[must_use]
    pub(crate) fn labels(&self) -> Vec<(String, String)> {
        let revision = self.revision.iter().map(|revision| (REVISION.to_owned(), revision.clone()));
        let parameters = self.parameters.iter().filter_map(|parameters| serde_json::to_string(parameters).ok());
        revision.chain(parameters.map(|parameters| (BUILD.to_owned(), parameters))).collect()
    }

    /// The annotations that say it.
    #[must_use]
    pub(crate) fn annotations(&self) -> Vec<(String, String)> {
        let environment = self.environment.iter().map(|environment| (ENVIRONMENT.to_owned(), environment.name().to_owned()));
        self.labels().into_iter().chain(environment).collect()
    }

    /// Whether a label or an annotation is one that says where an image came from.
    #[must_use]
    pub(crate) fn is_said_by(&self, key: &str) -> bool {
        key == ENVIRONMENT || self.labels().iter().any(|(ours, _)| ours == key)
    }

    /// Whether labels say the same as these annotations. They may leave the environment out.
    #[must_use]
    pub(crate) fn agrees_with(&self, labels: &Self) -> bool {
        let environment = labels.environment.is_none() || labels.environment == self.environment;
        environment && self.revision == labels.revision && self.parameters == labels.parameters
    }

    /// The environment whose delivery of the same commit, and of the same part of it, the image came from.
    #[must_use]
    pub(crate) fn delivery_of(&self, ours: &Self) -> Option<Environment> {
        let same = self.is_of_commit(ours) && self.parameters.is_some() && self.parameters == ours.parameters;
        self.environment.filter(|_| same)
    }

    /// Whether the image is of the same commit, and of nothing besides.
    #[must_use]
    pub(crate) fn is_of_commit(&self, ours: &Self) -> bool {
        let clean = |revision: &&String| !revision.ends_with(DIRTY);
        self.revision.as_ref().filter(clean).is_some_and(|revision| Some(revision) == ours.revision.as_ref())
    }
}

impl Provenance {
    /// What a manifest or index says by its annotations.
    #[must_use]
    pub(crate) fn annotated(manifest: &Manifest) -> Claim {
        #[derive(Default, serde::Deserialize)]
        struct Annotated {
            #[serde(default)]
            annotations: BTreeMap<String, String>,
        }
        Claim::read(&document::read_shared::<Annotated>(&manifest.bytes).unwrap_or_default().annotations)
    }

    /// Whether the image may be taken instead of built.
    #[must_use]
    pub(crate) fn suffices(self, trust: Trust) -> bool {
        match self {
            Self::Proven => trust != Trust::Never,
            Self::Claimed => trust == Trust::Claimed,
        }
    }
}

impl Trust {
    /// What is expected where nothing is said.
    #[must_use]
    pub(crate) fn usual(environment: Environment) -> Self {
        if environment.is_blocking() { Self::Proven } else { Self::Claimed }
    }
}

impl FromStr for Trust {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "proven" => Ok(Self::Proven),
            "claimed" => Ok(Self::Claimed),
            "never" => Ok(Self::Never),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(dirty: bool) -> Source {
        Source { commit: Some("a1b2c3d".to_owned()), branch: None, tag: None, dirty }
    }

    fn parameters(context: &str) -> Parameters {
        Parameters {
            arguments: Digest::of(b"{}"),
            context: context.to_owned(),
            contexts: BTreeMap::new(),
            dockerfile: "Dockerfile".to_owned(),
            dockerfile_digest: Digest::of(b"FROM scratch\n"),
            platforms: Vec::new(),
            target: None,
            options: BTreeMap::new(),
        }
    }

    fn claim(dirty: bool, environment: Environment) -> Claim {
        Claim::of(&source(dirty), environment, parameters("."))
    }

    fn read(properties: Vec<(String, String)>) -> Claim {
        Claim::read(&properties.into_iter().collect())
    }

    /// Each change of one parameter.
    fn others() -> Vec<Parameters> {
        let ours = || parameters(".");
        vec![
            parameters("api"),
            Parameters { dockerfile: "web/Dockerfile".to_owned(), ..ours() },
            Parameters { dockerfile_digest: Digest::of(b"FROM alpine\n"), ..ours() },
            Parameters { arguments: Digest::of(b"{\"A\":\"1\"}"), ..ours() },
            Parameters { target: Some("web".to_owned()), ..ours() },
            Parameters { contexts: BTreeMap::from([("libs".to_owned(), "libs".to_owned())]), ..ours() },
            Parameters { platforms: vec!["linux/arm64".to_owned()], ..ours() },
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        let claim = claim(false, Environment::Test);
        assert_eq!(read(claim.annotations()), claim);
        assert_eq!(read(claim.labels()), Claim { environment: None, ..claim.clone() });
        assert!(claim.agrees_with(&read(claim.labels())) && claim.agrees_with(&claim));
        assert_eq!(claim.delivery_of(&self::claim(false, Environment::Prod)), Some(Environment::Test));
    }

    #[test]
    fn labels_that_say_something_else_than_the_annotations_do_not_agree_with_them() {
        let ours = claim(false, Environment::Dev);
        assert!(!ours.agrees_with(&claim(false, Environment::Prod)));
        assert!(!ours.agrees_with(&claim(true, Environment::Dev)));
        assert!(!ours.agrees_with(&Claim::default()));
        assert!(!ours.agrees_with(&Claim { parameters: Some(parameters("api")), ..ours.clone() }));
    }

    #[test]
    fn an_image_with_changes_that_are_in_no_commit_is_no_delivery_of_the_commit() {
        let ours = claim(false, Environment::Dev);
        assert_eq!(claim(true, Environment::Dev).delivery_of(&ours), None);
        assert_eq!(claim(true, Environment::Dev).delivery_of(&claim(true, Environment::Dev)), None);
    }

    #[test]
    fn an_image_of_another_builder_is_no_delivery() {
        let ours = claim(false, Environment::Dev);
        assert_eq!(read(vec![(REVISION.to_owned(), "a1b2c3d".to_owned())]).delivery_of(&ours), None);
        assert_eq!(Claim { parameters: None, ..ours.clone() }.delivery_of(&ours), None);
        assert_eq!(read(vec![(ENVIRONMENT.to_owned(), "production".to_owned())]).environment, None);
    }

    #[test]
    fn an_image_of_another_part_of_the_commit_is_no_delivery() {
        let ours = claim(false, Environment::Dev);
        for other in others() {
            let other = Claim { parameters: Some(other), ..ours.clone() };
            assert!(other.is_of_commit(&ours) && other.delivery_of(&ours).is_none(), "{other:?}");
        }
    }

    #[test]
    fn parameters_with_more_than_is_known_or_twice_the_same_are_none() {
        let text = |more: &str| serde_json::to_string(&parameters(".")).unwrap().replace('{', &format!("{{{more}"));
        let read = |text: String| read(vec![(BUILD.to_owned(), text)]).parameters;
        assert_eq!(read(text("")), Some(parameters(".")));
        assert_eq!(read(text("\"more\":1,")), None);
        assert_eq!(read(text("\"context\":\"api\",")), None);
    }

    #[test]
    fn a_claim_is_taken_only_where_claims_are_and_a_blocking_environment_takes_none_by_itself() {
        let provenance = Provenance::Claimed;
        let taken = [Trust::Proven, Trust::Claimed, Trust::Never].map(|trust| provenance.suffices(trust));
        assert_eq!(taken, [false, true, false]);
        let usual = Environment::ALL.map(|environment| provenance.suffices(Trust::usual(environment)));
        assert_eq!(usual, Environment::ALL.map(|environment| !environment.is_blocking()));
        let proven = [Trust::Proven, Trust::Claimed, Trust::Never].map(|trust| Provenance::Proven.suffices(trust));
        assert_eq!(proven, [true, true, false]);
    }
}
