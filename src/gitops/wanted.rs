//! What the files are to name.

use crate::oci::reference::Repository;
use crate::oci::{Digest, Tag};

/// The image that is to be set, and the name by which its places are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// What the files call the image, where that is not its repository: `web` of a `kustomization.yaml`.
    pub(crate) name: Option<String>,
    /// Its repository.
    pub(crate) repository: Repository,
    /// Its tag, for people to read.
    pub(crate) tag: Option<Tag>,
    /// Its digest, which is what counts.
    pub(crate) digest: Option<Digest>,
}

impl Wanted {
    /// Whether a name is that of the image.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.is_repository(name) || self.name.as_deref() == Some(name)
    }

    /// Whether a name is that of its repository.
    pub(super) fn is_repository(&self, name: &str) -> bool {
        name == self.repository.to_string()
    }

    /// Whether a text may name the image at all. One that may not need not be parsed.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        text.contains(self.repository.name()) || self.name.as_ref().is_some_and(|name| text.contains(name))
    }

    /// `NAME:TAG@DIGEST`, as far as they are known.
    pub(super) fn reference(&self) -> String {
        let tag = self.tag.iter().map(|tag| format!(":{tag}"));
        let digest = self.digest.iter().map(|digest| format!("@{digest}"));
        tag.chain(digest).fold(self.repository.to_string(), |text, part| text + &part)
    }

    /// What follows a colon behind the name, by itself: `TAG@DIGEST`. A digest alone can't follow a colon.
    pub(super) fn tag_and_digest(&self) -> Option<String> {
        let tag = self.tag.as_ref()?;
        Some(self.digest.iter().fold(tag.to_string(), |text, digest| format!("{text}@{digest}")))
    }

    /// What belongs at a way that someone gave, by its last key.
    pub(super) fn at_key(&self, key: Option<&str>) -> Option<String> {
        match key {
            Some("tag" | "newTag") => self.tag_and_digest(),
            Some("digest") => self.digest.map(|digest| digest.to_string()),
            Some("repository" | "newName") => Some(self.repository.to_string()),
            _ => Some(self.reference()),
        }
    }
}

/// The name of a reference, and what follows it: a tag, a digest, or both.
pub(super) fn parts(reference: &str) -> (&str, &str) {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    let from = name.rfind('/').map_or(0, |slash| slash + 1);
    let end = name[from..].find(':').map_or(name.len(), |colon| from + colon);
    (&reference[..end], &reference[end..])
}
