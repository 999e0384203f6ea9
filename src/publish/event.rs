//! The events of publishing.

use std::fmt;
use std::sync::Arc;

use crate::oci::registry::Upload;
use crate::oci::{Digest, Tag};
use crate::text;

/// Receives the events.
pub(crate) type Listener = Arc<dyn Fn(PublishEvent) + Send + Sync>;

/// An event of publishing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublishEvent {
    /// How much of the image has arrived, including what was already there.
    Moved {
        /// The bytes that have arrived.
        done: u64,
        /// The bytes in all.
        total: u64,
    },
    /// A blob has arrived.
    Blob {
        /// The blob's digest.
        digest: Digest,
        /// The blob's size, in bytes.
        size: u64,
        /// How it got there.
        upload: Upload,
    },
    /// Another delivery writes to the folder: this one waits.
    Waiting,
    /// A tag names the image now; before, it named nothing or, if moving, another image.
    Tagged(Tag),
    /// A tag named the image already.
    Kept(Tag),
    /// A tag that is meant to stay named another image before: worth a warning.
    Replaced {
        /// The tag.
        tag: Tag,
        /// What it named.
        before: Digest,
    },
    /// A moving tag was set, and names something else by the end: worth a warning.
    MovedOn {
        /// The tag.
        tag: Tag,
        /// What it names; nothing, if it is gone.
        names: Option<Digest>,
    },
}

impl PublishEvent {
    /// Whether the next event of its kind replaces it on a screen.
    #[must_use]
    pub(crate) fn is_progress(&self) -> bool {
        matches!(self, Self::Moved { .. })
    }

    /// Whether the reader of the report should know.
    #[must_use]
    pub(crate) fn is_warning(&self) -> bool {
        matches!(self, Self::Replaced { .. } | Self::MovedOn { .. })
    }
}

impl fmt::Display for PublishEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moved { done, total } => write!(f, "{} of {}", text::size(*done), text::size(*total)),
            Self::Blob { digest, size, upload } => {
                let how = match upload {
                    Upload::Present => "there already",
                    Upload::Mounted => "taken from another repository",
                    Upload::Sent => "sent",
                };
                write!(f, "{} ({}): {how}", digest.short(), text::size(*size))
            }
            Self::Waiting => f.write_str("another delivery writes to this folder: waiting for it"),
            Self::Tagged(tag) => write!(f, "tag {tag}: set"),
            Self::Kept(tag) => write!(f, "tag {tag}: names this image already"),
            Self::MovedOn { tag, names: Some(names) } => {
                write!(f, "The tag {tag} was set, and another delivery has moved it since: it names {names} by now.")
            }
            Self::MovedOn { tag, names: None } => write!(f, "The tag {tag} was set, and has been removed since."),
            Self::Replaced { tag, before } => write!(f, "tag {tag} named another image before ({before})"),
        }
    }
}
