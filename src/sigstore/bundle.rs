//! A bundle: a signed statement with all that it takes to check it (Sigstore bundle specification, version 0.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use sigstore_verify::types::DerCertificate;

use super::envelope::Envelope;

/// The media type of a bundle, which is the type of the artifact that a registry keeps it in, too.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// What a signature is checked with.
#[derive(Clone, Debug)]
pub(super) enum Material {
    /// A certificate, which names the signer.
    Certificate(DerCertificate),
}

impl Material {
    /// As the first version of the log takes it.
    pub(super) fn to_pem(&self) -> String {
        match self {
            Self::Certificate(certificate) => certificate.to_pem(),
        }
    }

    /// As the second version of the log takes it.
    pub(super) fn verifier(&self) -> Value {
        match self {
            Self::Certificate(certificate) => json!({ "x509Certificate": { "rawBytes": certificate.to_base64() } }),
        }
    }

    /// As a bundle has it.
    fn of_bundle(&self) -> (&'static str, Value) {
        match self {
            Self::Certificate(certificate) => ("certificate", json!({ "rawBytes": certificate.to_base64() })),
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
