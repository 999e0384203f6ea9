//! What can go wrong while an image is published.

use std::io;
use std::path::PathBuf;

use crate::oci::registry::Manifest;
use crate::oci::{Digest, Tag, layout, registry};
use crate::provenance::{Parameters, Provenance};

/// An image was not published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The image is not the one that was cleared.
    #[error("{cleared} was cleared, not {image}")]
    NotCleared {
        /// The image that was cleared.
        cleared: Digest,
        /// The image at hand.
        image: Digest,
    },
    /// The registry refused, or could not be used.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The image, or the folder that it goes to, can't be read or written, or is corrupt.
    #[error(transparent)]
    Layout(#[from] layout::Error),
    /// The folder holds something other than an image layout.
    #[error("{} is not an image layout", path.display())]
    NotALayout {
        /// The folder, or a file in its place.
        path: PathBuf,
    },
    /// The folder holds an image layout, and nothing says that gp-deliver made it.
    #[error("{} is an image layout that is not gp-deliver's own", path.display())]
    ForeignLayout {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds a layout of gp-deliver's, and someone else has written into it since.
    #[error("{} was changed by someone else", path.display())]
    Changed {
        /// The folder.
        path: PathBuf,
    },
    /// A link that may be the project's is on the way to the folder.
    #[error("{} is a link on the way to {}", link.display(), path.display())]
    Linked {
        /// The folder.
        path: PathBuf,
        /// The link.
        link: PathBuf,
    },
    /// The folder can't be made or written.
    #[error("{}: {source}", path.display())]
    Unwritable {
        /// The folder, or the one above it that is in the way.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another delivery to the folder does not end.
    #[error("{} is locked by another delivery", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The registry took a tag, and reads it back as something else.
    #[error("{repository}:{tag} reads back as {actual:?}, not {expected}")]
    ReadBack {
        /// The repository.
        repository: String,
        /// The tag.
        tag: Tag,
        /// What it was set to.
        expected: Digest,
        /// What it names; nothing, if absent.
        actual: Option<Digest>,
    },
    /// Another delivery gave fixed tags to another image while this one set them.
    #[error("{} tags of {repository} were given to other images", tags.len())]
    Overtaken {
        /// The repository.
        repository: String,
        /// What this delivery set them to.
        digest: Digest,
        /// The tags, each with what it names by now; nothing, if it is gone.
        tags: Vec<(Tag, Option<Digest>)>,
    },
    /// Fixed tags name other images: what they name stays.
    #[error("{} tags of {repository} name other images", taken.len())]
    Taken {
        /// The repository.
        repository: String,
        /// The commit that is delivered; absent outside git.
        commit: Option<String>,
        /// The digest that is delivered, once there is one.
        digest: Option<Digest>,
        /// The tags.
        taken: Vec<TakenTag>,
    },
    /// Fixed tags name an image of the same commit that was built from another part of it, or otherwise.
    #[error("{} tags of {repository} name another image of the commit", taken.len())]
    OtherBuild {
        /// The repository.
        repository: String,
        /// The tags.
        taken: Vec<TakenTag>,
        /// What this delivery builds.
        ours: Box<Parameters>,
        /// What they say was built.
        theirs: Box<Parameters>,
    },
    /// Tags name other images, and the repository does not let them move.
    #[error("{} tags of {repository} can't move", tags.len())]
    Immovable {
        /// The repository.
        repository: String,
        /// The tags, each with what it names.
        tags: Vec<(Tag, Digest)>,
    },
    /// Something failed among the tags, and some of them could not be put back.
    #[error("{cause}; {} tags of {repository} could not be put back", leftovers.len())]
    LeftOver {
        /// What failed.
        cause: Box<Error>,
        /// The repository.
        repository: String,
        /// The digest that the tags were set to.
        digest: Digest,
        /// The tags that may still name it.
        leftovers: Vec<Leftover>,
    },
    /// It was asked to end before it was done. Nothing is published.
    #[error("cancelled")]
    Cancelled,
    /// The task that sets the tags stopped unexpectedly.
    #[error("setting the tags: {0}")]
    Broken(String),
}

/// A tag that could not be put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leftover {
    /// The tag.
    pub(crate) tag: Tag,
    /// What it named before; absent if it is new.
    pub(crate) before: Option<Digest>,
    /// The command that removes it, where the registry has one of its own.
    pub(crate) command: Option<String>,
    /// Whether it was not there when it was last looked at, and may come yet: the request that sets it has no answer.
    pub(crate) pending: bool,
}

/// A fixed tag that names another image than the one that is to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TakenTag {
    /// The tag.
    pub(crate) tag: Tag,
    /// What it names.
    pub(crate) digest: Digest,
    /// The commit that image says it is of.
    pub(crate) revision: Option<String>,
}

impl TakenTag {
    /// A tag, and the image that it names.
    #[must_use]
    pub(crate) fn new(tag: &Tag, names: &Manifest) -> Self {
        Self { tag: tag.clone(), digest: names.digest, revision: Provenance::annotated(names).revision }
    }
}
