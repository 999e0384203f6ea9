//! Storage records: an organisation's page of linked artifacts says where an image is kept that was attested (GitHub docs, "REST
//! API endpoints for artifact metadata", "Create artifact metadata storage record").

use serde::Deserialize;
use serde_json::json;

use super::api::{self, Api, Call};
use crate::net::RetryPolicy;
use crate::oci::Digest;
use crate::oci::reference::Repository;
use crate::sink::Body;

/// The longest name of a repository that it takes, in characters; a longer one is in the artifact's name alone.
const LONGEST: usize = 128;

#[derive(Deserialize)]
struct Receipt {
    #[serde(rename = "total_count")]
    records: u64,
}

/// Notes where an image is kept, for the repositories of the organisation that have attested its digest, and returns how many
/// records that made.
///
/// # Errors
/// The call failed. Of 403 and 404 the token may not write there, or the repository's owner is no organisation.
pub(crate) async fn create(api: &Api, repository: &Repository, digest: Digest) -> Result<u64, api::Error> {
    let body = Body::of(&json!({
        "name": repository.name(),
        "digest": digest.to_string(),
        "registry_url": format!("https://{}", repository.registry()),
        "repository": Some(repository.name()).filter(|name| name.len() <= LONGEST).unwrap_or_default(),
        "status": "active",
        "github_repository": api.repository_name(),
    }));
    let path = "/artifacts/metadata/storage-record";
    let receipt = RetryPolicy::GITHUB_API.run(|| api.post_to_owner::<Receipt>(Call::RecordStorage, path, &body)).await?;
    Ok(receipt.records)
}
