//! What the store says of a blob, which is a claim.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::oci::dated::{Changes, Dates};
use crate::oci::{Compression, Digest};

/// What a blob is looked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The content of a layer, and what compressed it here.
    Content(Digest, Compression),
    /// The same of content whose files are then dated.
    Dated(Digest, Dates, Compression),
    /// Its own digest.
    Blob(Digest),
}

impl Key {
    /// The name of the file that has the claim.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Content(diff_id, compression) => format!("{}.{compression}", diff_id.hex()),
            Self::Dated(diff_id, Dates { date, kept }, compression) => format!("{}.{date}.{kept}.{compression}", diff_id.hex()),
            Self::Blob(digest) => format!("{}.blob", digest.hex()),
        }
    }
}

/// A blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Its digest.
    pub(super) digest: Digest,
    /// Its size in bytes.
    pub(super) size: u64,
    /// What it unpacks to, where it was compressed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Content>,
    /// What undoes the dating of that, in base64, where it was dated ([`Changes::to_bytes`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) changes: Option<String>,
}

/// Changes as an entry has them.
pub(super) fn encoded(changes: &Changes) -> String {
    STANDARD.encode(changes.to_bytes())
}

/// The content of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    /// Its digest.
    pub(super) diff_id: Digest,
    /// Its size in bytes.
    pub(super) size: u64,
}

impl Entry {
    /// What undoes the dating.
    pub(super) fn changes(&self) -> Option<Changes> {
        Changes::of_bytes(&STANDARD.decode(self.changes.as_ref()?).ok()?)
    }

    /// Whether it is a claim about what is looked for.
    pub(super) fn answers(&self, key: &Key) -> bool {
        match key {
            Key::Content(diff_id, _) => self.content.is_some_and(|content| content.diff_id == *diff_id),
            Key::Dated(..) => self.content.is_some() && self.changes.is_some(),
            Key::Blob(digest) => self.digest == *digest,
        }
    }
}
