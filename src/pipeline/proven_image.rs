//! An image that somebody whose word counts has signed.

use jiff::Timestamp;

use crate::attestation::{Provenance, Verdict};
use crate::cache_writers::CacheWriters;
use crate::evidence::SignedStatement;
use crate::oci::Digest;
use crate::oci::registry::{Client, Manifest};
use crate::scan::syft::Attested;

/// An image that is proven, and where it is.
pub(super) struct ProvenImage {
    pub(super) client: Client,
    pub(super) image: Manifest,
    /// What was decided about it, by somebody whose word counts.
    pub(super) verdict: Verdict,
    /// Who may have written the build caches that steps of it were taken from.
    pub(super) cache_writers: CacheWriters,
    /// The commit that it is of, by the certificate of whoever signed that.
    pub(super) commit: String,
    /// Who that was, and when.
    pub(super) signer: String,
    pub(super) at: Option<Timestamp>,
    /// What those whose word counts have said, and of which manifest.
    pub(super) statements: Vec<(Digest, SignedStatement)>,
    /// What is in the image of each platform, by its manifest, where it is judged by that.
    pub(super) sboms: Option<Vec<(Digest, Attested)>>,
    /// How the images that it is made of were built, where it is made of several in this run.
    pub(super) parts: Vec<Provenance>,
}

impl ProvenImage {
    /// What is in the image of a platform, where it is judged by that.
    pub(super) fn sbom(&self, platform: Digest) -> Option<&Attested> {
        self.sboms.iter().flatten().find(|(manifest, _)| *manifest == platform).map(|(_, sbom)| sbom)
    }
}
