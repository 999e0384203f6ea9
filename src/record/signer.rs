//! By whom what is known of an image was signed, as far as it takes that to check it.

use serde::{Deserialize, Serialize};

/// Who has signed, and by which Sigstore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Signer {
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
