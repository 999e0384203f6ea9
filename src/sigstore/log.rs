//! The log of what was signed: Rekor, whose first version most of the world uses, and whose second is taking its place.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::bundle::Material;
use super::envelope::Envelope;
use super::error::Error;
use super::service::Service;
use crate::oci::Digest;

/// A log.
#[derive(Clone, Debug)]
pub(super) enum Log {
    /// Version 1: it takes the whole envelope, so that who reads the log reads the statement.
    One(Service),
    /// Version 2: it takes the hash of what was signed.
    Two(Service),
}

/// What is written into it.
pub(super) struct Entry<'a> {
    /// The statement and its signature.
    pub(super) envelope: &'a Envelope,
    /// What the signature is of.
    pub(super) signed: &'a [u8],
    /// The signature.
    pub(super) signature: &'a [u8],
    /// What checks it.
    pub(super) material: &'a Material,
}

/// An entry, as the first version gives it (`LogEntry` of its `OpenAPI` document).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    body: String,
    integrated_time: i64,
    #[serde(rename = "logID")]
    log_id: String,
    log_index: u64,
    verification: Verification,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verification {
    signed_entry_timestamp: String,
    inclusion_proof: InclusionProof,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InclusionProof {
    checkpoint: String,
    hashes: Vec<String>,
    log_index: u64,
    root_hash: String,
    tree_size: u64,
}

impl Log {
    /// Writes an entry; gives it as a bundle has it (`TransparencyLogEntry` of Sigstore's protobuf specifications).
    pub(super) async fn write(&self, entry: &Entry<'_>) -> Result<Value, Error> {
        match self {
            Self::One(log) => write_to_one(log, entry).await,
            Self::Two(log) => write_to_two(log, entry).await,
        }
    }
}

async fn write_to_one(log: &Service, entry: &Entry<'_>) -> Result<Value, Error> {
    let envelope = serde_json::to_string(entry.envelope).map_err(|_| Error::Key("the envelope can't be written"))?;
    let verifier = STANDARD.encode(entry.material.to_pem());
    let content = json!({ "envelope": envelope, "verifiers": [verifier] });
    let question = json!({ "apiVersion": "0.0.1", "kind": "dsse", "spec": { "proposedContent": content } });
    let answer: std::collections::BTreeMap<String, Written> = log.ask("/api/v1/log/entries", &question).await?;
    let written = answer.into_values().next().ok_or_else(|| log.malformed("entry"))?;
    written.as_in_a_bundle().ok_or_else(|| log.malformed("hash that is one"))
}

async fn write_to_two(log: &Service, entry: &Entry<'_>) -> Result<Value, Error> {
    let digest = Digest::of(entry.signed).bytes();
    let mut verifier = entry.material.verifier();
    verifier["keyDetails"] = json!("PKIX_ECDSA_P256_SHA_256");
    let signature = json!({ "content": STANDARD.encode(entry.signature), "verifier": verifier });
    let question = json!({ "hashedRekordRequestV002": { "digest": STANDARD.encode(digest), "signature": signature } });
    let mut entry = log.ask("/api/v2/log/entries", &question).await?;
    with_indexes(&mut entry);
    Ok(entry)
}

/// The first entry of a log has the index 0, which protobuf's JSON leaves out. Not every verifier takes an entry without
/// (sigstore-python does not).
fn with_indexes(entry: &mut Value) {
    let complete = |object: &mut Value| {
        if let Some(object) = object.as_object_mut() {
            object.entry("logIndex").or_insert_with(|| json!("0"));
        }
    };
    complete(entry);
    if let Some(proof) = entry.get_mut("inclusionProof") {
        complete(proof);
    }
}

impl Written {
    /// The same as a bundle has it: hashes are base64 there, numbers are text.
    fn as_in_a_bundle(&self) -> Option<Value> {
        let proof = &self.verification.inclusion_proof;
        let hashes: Option<Vec<String>> = proof.hashes.iter().map(|hash| base64_of_hex(hash)).collect();
        Some(json!({
            "logIndex": self.log_index.to_string(),
            "logId": { "keyId": base64_of_hex(&self.log_id)? },
            "kindVersion": { "kind": "dsse", "version": "0.0.1" },
            "integratedTime": self.integrated_time.to_string(),
            "inclusionPromise": { "signedEntryTimestamp": self.verification.signed_entry_timestamp },
            "inclusionProof": {
                "logIndex": proof.log_index.to_string(),
                "rootHash": base64_of_hex(&proof.root_hash)?,
                "treeSize": proof.tree_size.to_string(),
                "hashes": hashes?,
                "checkpoint": { "envelope": proof.checkpoint },
            },
            "canonicalizedBody": self.body,
        }))
    }
}

fn base64_of_hex(hex: &str) -> Option<String> {
    let digits = hex.as_bytes().chunks(2);
    let bytes = digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok());
    bytes.collect::<Option<Vec<u8>>>().map(|bytes| STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_entry_of_a_log_says_so() {
        let mut first = json!({ "logId": { "keyId": "" }, "inclusionProof": { "treeSize": "1" } });
        with_indexes(&mut first);
        let said = json!({ "logId": { "keyId": "" }, "logIndex": "0", "inclusionProof": { "logIndex": "0", "treeSize": "1" } });
        assert_eq!(first, said);
        let second = json!({ "logIndex": "1", "inclusionProof": { "logIndex": "1", "treeSize": "2" } });
        let mut entry = second.clone();
        with_indexes(&mut entry);
        assert_eq!(entry, second);
    }

    #[test]
    fn a_hash_in_hexadecimal_becomes_base64_and_nothing_else_does() {
        assert_eq!(base64_of_hex("00ff10").as_deref(), Some("AP8Q"));
        for text in ["0", "0g", "é0", "+1"] {
            assert_eq!(base64_of_hex(text).filter(|_| text != "+1"), None, "{text}");
        }
    }
}
