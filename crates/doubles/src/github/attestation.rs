//! Attestations: bundles that GitHub keeps by the digests that they are about.

use base64::Engine as _;
use serde_json::{Value, json};

use super::content::Answer;
use super::refusal::{Refusal, answer};
use super::repository::Repository;
use super::schema::Complaints;

/// A bundle that GitHub keeps.
#[derive(Clone, Debug)]
pub struct Attestation {
    /// By which it is found.
    pub id: u64,
    /// The bundle, as it came.
    pub bundle: Value,
    /// The statement that is signed in it.
    pub statement: Value,
}

/// Create an attestation.
pub fn create(repository: &Repository, document: &Value) -> Result<Answer, Refusal> {
    let bundle = &document["bundle"];
    Complaints::default().required(document, &["bundle"]).object(document, &["bundle"]).refusal()?;
    Complaints::default()
        .text(bundle, &["mediaType"])
        .object(bundle, &["verificationMaterial", "dsseEnvelope"])
        .that(statement(bundle).is_none(), "bundle holds no in-toto statement about a sha256 digest.")
        .refusal()?;
    let mut attestations = repository.attestations.lock().unwrap();
    let id = 3_141_592 + attestations.len() as u64;
    attestations.push(Attestation { id, bundle: bundle.clone(), statement: statement(bundle).unwrap_or_default() });
    Ok(answer(201, &json!({ "id": id })))
}

/// The statement in a bundle, by whose subjects it is found later.
fn statement(bundle: &Value) -> Option<Value> {
    let payload = base64::engine::general_purpose::STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str()?).ok()?;
    let statement: Value = serde_json::from_slice(&payload).ok()?;
    let subjects = statement["subject"].as_array().filter(|subjects| !subjects.is_empty())?;
    subjects.iter().all(|subject| subject["digest"]["sha256"].is_string()).then(|| statement.clone())
}
