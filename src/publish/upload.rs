//! What has been published and can't be seen yet: content without a tag.

use std::fmt;

use oci_spec::image::Descriptor;

use super::Target;
use super::registry::Remote;
use crate::oci::{Digest, Image};

/// An image that is cleared, and whose content is where it goes; no tag names it yet.
///
/// Only [`super::upload`] and [`super::uploaded_before`] make one, and both take a [`crate::policy::Cleared`] for the image.
pub(crate) struct Uploaded {
    pub(super) target: Target,
    pub(super) content: Content,
}

/// Where the content is.
pub(super) enum Content {
    /// It is still in the layout that was scanned: a folder takes content and names in one step.
    Local {
        /// The image.
        image: Image,
        /// What is kept beside it there: manifests that are about it, as an index lists them.
        beside: Vec<Descriptor>,
    },
    /// It is in a registry, by its digest.
    Remote(Remote),
}

/// What readers of a tag rely on, besides the content that it names.
#[derive(Debug)]
pub(crate) struct BeforeTags {
    /// What is in the image.
    pub(crate) listed: Listed,
    /// What was found in it.
    pub(crate) shown: Shown,
    /// What the registry itself makes of it.
    pub(crate) scanned: Scanned,
    /// Who vouches for all that.
    pub(crate) signed: Signed,
}

/// Whether it is written down what is in the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// The SBOM of each platform is written.
    Written,
    /// No SBOM is asked for.
    NotAsked,
    /// The delivery that published the image has seen to it.
    Before,
}

/// Whether the team has been shown what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It is in the Security tab, or on its way there.
    Uploaded,
    /// Neither the environment nor the inputs ask for it, or the inputs forbid it.
    NotAsked,
    /// There is no place to show it, and the delivery may go on without one.
    Nowhere,
    /// The delivery that published the image has seen to it.
    Before,
}

/// Whether the registry's own scan lets the image pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// It found nothing that counts.
    Cleared,
    /// It can't look at the image, which somebody has accepted by name; what it can look at has nothing that counts.
    Accepted,
    /// It found something that counts, or has no result, and the environment only advises.
    Advised,
    /// Nobody asks for it before the tags.
    NotAsked,
}

/// Whether what is known of the image is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    /// It is, and whoever asks for the image's referrers is told of it.
    Written,
    /// Neither the environment nor the inputs ask for it, or there is nobody to sign.
    NotAsked,
    /// It is not, and the environment only advises.
    Failed,
    /// The delivery that published the image has seen to it.
    Before,
}

/// An image that may be tagged: its content is there, and so is all else that a reader of its tags relies on.
pub(crate) struct Ready {
    pub(super) uploaded: Uploaded,
}

impl Ready {
    /// Where it is.
    #[must_use]
    pub(crate) fn target(&self) -> &Target {
        &self.uploaded.target
    }

    /// The digest of the image.
    #[must_use]
    pub(crate) fn digest(&self) -> Digest {
        self.uploaded.digest()
    }
}

impl Uploaded {
    /// Where it is.
    #[must_use]
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The digest of the image.
    #[must_use]
    pub(crate) fn digest(&self) -> Digest {
        match &self.content {
            Content::Local { image, .. } => image.digest,
            Content::Remote(remote) => remote.root.digest,
        }
    }

    /// Has a folder list `beside` together with the image: manifests in the image's own layout, which are about it. A registry lists
    /// them by itself.
    pub(crate) fn list(&mut self, found: Vec<Descriptor>) {
        if let Content::Local { beside, .. } = &mut self.content {
            beside.extend(found);
        }
    }

    /// The leave to tag it, given that all of `before` is there.
    #[must_use]
    pub(crate) fn ready(self, before: &BeforeTags) -> Ready {
        let BeforeTags { listed, shown, scanned, signed } = before;
        tracing::debug!(digest = %self.digest(), ?listed, ?shown, ?scanned, ?signed, "ready for its tags");
        Ready { uploaded: self }
    }
}

impl fmt::Display for Uploaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Content::Local { image, .. } => write!(f, "{} of {}", crate::text::size(image.size()), image.digest.short()),
            Content::Remote(remote) => remote.sent.fmt(f),
        }
    }
}
