//! Pull requests (GitHub docs, "REST API endpoints for pull requests").

use serde::Deserialize;
use serde_json::json;

use super::api::{Api, Call, Error};
use crate::net::RetryPolicy;
use crate::sink::Body;

/// A pull request.
#[derive(Debug, Deserialize)]
pub(crate) struct PullRequest {
    /// Its number.
    pub(crate) number: u64,
    /// Its address.
    pub(crate) html_url: String,
}

/// The open one from one branch of the repository to another.
///
/// # Errors
/// GitHub refuses or can't be reached.
pub(crate) async fn open(api: &Api, from: &str, to: &str) -> Result<Option<PullRequest>, Error> {
    let head = format!("{}:{from}", api.owner_name());
    let query = [("state", "open"), ("head", &*head), ("base", to)];
    let found: Vec<PullRequest> = RetryPolicy::GITHUB_API.run(|| api.get(Call::PullRequest, "/pulls", &query)).await?;
    Ok(found.into_iter().next())
}

/// Opens one.
///
/// # Errors
/// GitHub refuses or can't be reached; 422 where there is one already.
pub(crate) async fn create(api: &Api, from: &str, to: &str, title: &str, body: &str) -> Result<PullRequest, Error> {
    let body = Body::of(&json!({"title": title, "body": body, "head": from, "base": to}));
    RetryPolicy::GITHUB_API.run(|| api.post(Call::PullRequest, "/pulls", &body)).await
}

/// Gives one another title and text.
///
/// # Errors
/// GitHub refuses or can't be reached.
pub(crate) async fn describe(api: &Api, number: u64, title: &str, body: &str) -> Result<PullRequest, Error> {
    let (path, body) = (format!("/pulls/{number}"), Body::of(&json!({"title": title, "body": body})));
    RetryPolicy::GITHUB_API.run(|| api.patch(Call::PullRequest, &path, &body)).await
}

/// Closes one.
///
/// # Errors
/// GitHub refuses or can't be reached.
pub(crate) async fn close(api: &Api, number: u64) -> Result<(), Error> {
    let (path, body) = (format!("/pulls/{number}"), Body::of(&json!({"state": "closed"})));
    RetryPolicy::GITHUB_API.run(|| api.patch::<PullRequest>(Call::PullRequest, &path, &body)).await.map(|_| ())
}
