//! What is signed, with the signature: DSSE (Dead Simple Signing Envelope, version 1.0).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// What is in our envelopes: a statement of in-toto.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A statement and its signature.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope {
    payload: String,
    payload_type: &'static str,
    signatures: [Signature; 1],
}

#[derive(Serialize)]
struct Signature {
    sig: String,
}

impl Envelope {
    /// The envelope of a statement.
    pub(super) fn new(statement: &[u8], signature: &[u8]) -> Self {
        Self {
            payload: STANDARD.encode(statement),
            payload_type: PAYLOAD_TYPE,
            signatures: [Signature { sig: STANDARD.encode(signature) }],
        }
    }
}

/// What is signed of a statement (DSSE's protocol, "Signature Definition": the pre-authentication encoding).
pub(super) fn signed_bytes(statement: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), statement.len());
    [head.as_bytes(), statement].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_says_how_long_its_parts_are() {
        assert_eq!(signed_bytes(b"{}"), b"DSSEv1 28 application/vnd.in-toto+json 2 {}");
        assert_eq!(signed_bytes(b"{}"), sigstore_verify::types::dsse::pae(PAYLOAD_TYPE, b"{}"));
    }
}
