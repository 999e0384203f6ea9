//! A certificate that says whose a key is (Fulcio's API, version 2, `CreateSigningCertificate`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use sigstore_verify::types::DerCertificate;

use super::error::Error;
use super::key::Key;
use super::service::Service;
use crate::secret::Secret;

/// An answer: with proof in the certificate that a log has it, or beside it, or, where there is no such log, with none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    signed_certificate_embedded_sct: Option<Signed>,
    signed_certificate_detached_sct: Option<Signed>,
}

#[derive(Deserialize)]
struct Signed {
    chain: Chain,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<String>,
}

/// Asks for a certificate for `key`, which `token` is shown for; `subject` is whom that token is of, and is signed to show that
/// whoever has the token has the key.
pub(super) async fn certify(authority: &Service, key: &Key, token: &Secret, subject: &str) -> Result<DerCertificate, Error> {
    let proof = STANDARD.encode(key.sign(subject.as_bytes())?);
    let question = json!({
        "credentials": { "oidcIdentityToken": token.expose() },
        "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": key.public()?.to_pem() },
            "proofOfPossession": proof,
        },
    });
    let Answer { signed_certificate_embedded_sct: embedded, signed_certificate_detached_sct: detached } =
        authority.ask("/api/v2/signingCert", &question).await?;
    let chain = embedded.or(detached).map(|signed| signed.chain.certificates).unwrap_or_default();
    let leaf = chain.first().and_then(|pem| DerCertificate::from_pem(pem).ok());
    leaf.ok_or_else(|| authority.malformed("certificate"))
}
