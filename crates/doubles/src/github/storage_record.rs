//! Storage records: where an organisation's artifacts are kept.

use serde_json::{Value, json};

use super::content::Answer;
use super::refusal::{Refusal, answer};
use super::repository::Repository;
use super::schema::Complaints;

/// Create artifact metadata storage record.
pub fn create(repository: &Repository, document: &Value) -> Result<Answer, Refusal> {
    Complaints::default()
        .required(document, &["name", "digest", "registry_url"])
        .text(
            document,
            &["name", "digest", "registry_url", "repository", "github_repository", "status", "version", "artifact_url"],
        )
        .pattern(document, "digest", "^sha256:[a-f0-9]{64}$")
        .pattern(document, "registry_url", "^https://")
        .member(document, "status", &["active", "eol", "deleted"])
        .refusal()?;
    let mut records = repository.storage_records.lock().unwrap();
    let mut record = document.clone();
    record["id"] = (271_828 + records.len()).into();
    records.push(record.clone());
    Ok(answer(200, &json!({ "total_count": 1, "storage_records": [record] })))
}
