//! Why what is signed about an image does not suffice to take it.

use crate::environment::Environment;
use crate::oci::{Digest, Platform};
use crate::text::Line;

/// What is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unproven {
    /// Nobody whose word counts has said what was decided about it.
    #[error("{image} has no verdict that counts")]
    Verdict {
        /// The image.
        image: Digest,
        /// Why what is there does not count.
        reasons: Vec<Line>,
    },
    /// Nobody whose word counts has cleared it in this run, for this platform.
    #[error("{image} is not proven to be this run's for {platform}")]
    Part {
        /// The image.
        image: Digest,
        /// The platform that it is to be of.
        platform: Box<Platform>,
        /// Why what is there does not count.
        reasons: Vec<Line>,
    },
    /// It is not the image of one platform, or of another one.
    #[error("{image} is no image of {platform}: {why}")]
    Platform {
        /// The image.
        image: Digest,
        /// The platform that it is to be of.
        platform: Box<Platform>,
        /// What it is.
        why: Line,
    },
    /// The scan of its source found more than this one does.
    #[error("{image} was delivered with {leaks} leaks, and {found} are found")]
    FewerLeaks {
        /// The image.
        image: Digest,
        /// How many its delivery found.
        leaks: usize,
        /// How many are found here.
        found: usize,
    },
    /// Its verdicts are of different commits.
    #[error("{image} has verdicts of {} commits", commits.len())]
    Commits {
        /// The image.
        image: Digest,
        /// The commits.
        commits: Vec<Line>,
    },
    /// Nobody whose word counts has said what is in it.
    #[error("{image} has no SBOM that counts")]
    Sbom {
        /// The image of a platform.
        image: Digest,
        /// Why what is there does not count.
        reasons: Vec<Line>,
    },
    /// Its source was not found free of secrets.
    #[error("the source of {image} holds {leaks:?} secrets")]
    Source {
        /// The image.
        image: Digest,
        /// The environment whose delivery has looked.
        environment: Environment,
        /// How many it found; absent where it did not look.
        leaks: Option<usize>,
    },
    /// It is to be judged by its SBOM, and whoever delivered it may not have looked at all that leaks.
    #[error("leaks in {image} were not held back by its delivery to {environment}")]
    Leaks {
        /// The image.
        image: Digest,
        /// The environment whose delivery has looked.
        environment: Environment,
    },
    /// The run is of a git tag, and the image of another commit.
    #[error("the run is of the tag {tag}, and the image of commit {commit}")]
    Tag {
        /// The run's tag.
        tag: Line,
        /// The image's commit.
        commit: Line,
    },
}
