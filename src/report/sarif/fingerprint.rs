//! What makes a finding the same one as that of an earlier delivery.

use std::collections::{BTreeMap, HashMap};

use crate::oci::digest::Hasher;

/// Numbers findings that are equal in all that identifies them, and names each.
///
/// A fingerprint is the SHA-256 of the identifying parts, each after its length in bytes as eight bytes, and the number
/// among equals. Lines are no part of it, nor are commits, installed versions and platforms: a finding that moves stays the same
/// alert. GitHub reads `primaryLocationLineHash` and no other key (GitHub Docs, "SARIF support for code scanning",
/// "Fingerprint generation"), in `CodeQL`'s form of a hash, a colon and a number.
#[derive(Default)]
pub(crate) struct Fingerprints {
    seen: HashMap<String, u32>,
}

impl Fingerprints {
    /// The `partialFingerprints` of the next finding with these identifying parts.
    pub(crate) fn next(&mut self, parts: &[&str]) -> BTreeMap<String, String> {
        let mut hasher = Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        let hash = hasher.finish().hex()[..32].to_owned();
        let number = self.seen.entry(hash.clone()).or_default();
        *number += 1;
        BTreeMap::from([("primaryLocationLineHash".to_owned(), format!("{hash}:{number}"))])
    }
}
