//! A bundle: a signed statement with all that it takes to check it (Sigstore bundle specification, version 0.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use sigstore_verify::types::DerCertificate;

use super::envelope::Envelope;
use super::public_key::PublicKey;
use super::signed_by::SignedBy;

/// The media type of a bundle, which is the type of the artifact that a registry keeps it in, too.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// What a signature is checked with.
#[derive(Clone, Debug)]
pub(super) enum Material {
    /// A certificate, which names the signer.
    Certificate(DerCertificate),
    /// A key, which names nobody.
    Key(PublicKey),
}

/// A bundle as it is kept: one that was made here, and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// Its bytes.
    pub(crate) bytes: Bytes,
    /// Who has signed it, as whoever checks it finds.
    pub(crate) by: SignedBy,
}

impl Material {
    /// As the first version of the log takes it.
    pub(super) fn to_pem(&self) -> String {
        match self {
            Self::Certificate(certificate) => certificate.to_pem(),
            Self::Key(key) => key.der().to_pem(),
        }
    }

    /// As the second version of the log takes it.
    pub(super) fn verifier(&self) -> Value {
        match self {
            Self::Certificate(certificate) => json!({ "x509Certificate": { "rawBytes": certificate.to_base64() } }),
            Self::Key(key) => json!({ "publicKey": { "rawBytes": key.der().to_base64() } }),
        }
    }

    /// As a bundle has it.
    fn of_bundle(&self) -> (&'static str, Value) {
        match self {
            Self::Certificate(certificate) => ("certificate", json!({ "rawBytes": certificate.to_base64() })),
            Self::Key(key) => ("publicKey", json!({ "hint": key.hint() })),
        }
    }
}

/// Puts a bundle together.
pub(super) fn assemble(envelope: &Envelope, material: &Material, entry: Option<Value>, stamp: Option<&[u8]>) -> Bytes {
    let (kind, material) = material.of_bundle();
    let entries: Vec<Value> = entry.into_iter().collect();
    let stamps = stamp.iter().map(|stamp| json!({ "signedTimestamp": STANDARD.encode(stamp) }));
    let bundle = json!({
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {
            kind: material,
            "tlogEntries": entries,
            "timestampVerificationData": { "rfc3161Timestamps": stamps.collect::<Vec<_>>() },
        },
        "dsseEnvelope": envelope,
    });
    Bytes::from(bundle.to_string())
}
