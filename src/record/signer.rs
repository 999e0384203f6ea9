//! By whom what is known of an image was signed, as far as it takes that to check it.

use serde::{Deserialize, Serialize};

use crate::oci::Digest;

/// Who has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(crate) enum Signer {
    /// Whom certificates name.
    Certificate(Certified),
    /// Whoever may use a key.
    Key(KeySigner),
}

/// A key that has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct KeySigner {
    /// Its fingerprint: the SHA-256 of its public half, as `SubjectPublicKeyInfo` in DER.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) key: Digest,
    /// Where it is: an ARN of AWS KMS, or the file that the inputs name; absent where it is only known itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    /// Whether its signatures have times by a timestamp authority.
    pub(crate) timestamps: bool,
    /// The file with the trusted root of that, as the input names it; absent where there is no such file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trusted_root: Option<String>,
}

/// Whom certificates name, and by which Sigstore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Certified {
    /// Whom the certificates name: for a job the workflow that it is of, with its ref.
    pub(crate) identity: String,
    /// Who has vouched for that, by address.
    pub(crate) issuer: String,
    /// Whose services have signed.
    pub(crate) sigstore: Sigstore,
    /// The host of the log that has the signatures; absent where there is none.
    pub(crate) log: Option<String>,
    /// Whether the certificates are in a log of their own.
    pub(crate) certificate_log: bool,
    /// The file with the trusted root, as the input names it; absent where there is no such file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trusted_root: Option<String>,
}

/// An instance of Sigstore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sigstore {
    /// sigstore.dev, whose log anyone can read.
    Public,
    /// GitHub's own.
    GitHub,
    /// One that the inputs name.
    Private,
}
