//! Who has signed, as whoever checks it finds.

use super::identity::Identity;
use crate::oci::Digest;

/// Who has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SignedBy {
    /// Whom a certificate names.
    Identity(Box<Identity>),
    /// Whoever may use a key: its fingerprint. Nothing else is known of them.
    Key(Digest),
}

impl SignedBy {
    /// Whom a certificate names.
    #[must_use]
    pub(crate) fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Identity(identity) => Some(identity),
            Self::Key(_) => None,
        }
    }

    /// The name for it, for people.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Identity(identity) => identity.subject.clone(),
            Self::Key(fingerprint) => format!("the key {fingerprint}"),
        }
    }
}
