//! Environments of a repository: who may deploy to one (GitHub docs, "REST API endpoints for deployment environments" and
//! "… for deployment branch policies").

use serde::Deserialize;

use super::api::{Api, Call, Error};
use crate::net::RetryPolicy;

/// The most of a list that an answer has.
const PAGE: usize = 100;
/// The most pages that are read.
const PAGES: usize = 20;

/// Which branches and tags may deploy to an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Branches {
    /// All.
    Any,
    /// The protected branches; all, where no branch is protected.
    Protected,
    /// Those that match one of these.
    Matching(Vec<Pattern>),
}

/// A pattern of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// The pattern: `main`, `v*`.
    pub(crate) name: String,
    /// Whether it is one of tags, not of branches.
    pub(crate) tags: bool,
}

#[derive(Deserialize)]
struct Environment {
    deployment_branch_policy: Option<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    custom_branch_policies: bool,
}

#[derive(Deserialize)]
struct List {
    total_count: usize,
    branch_policies: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Which branches and tags may deploy to an environment; none where there is no such environment.
///
/// # Errors
/// GitHub refuses or can't be reached; 403 where the token may not read it.
pub(crate) async fn branches(api: &Api, environment: &str) -> Result<Option<Branches>, Error> {
    let encoded = percent_encoding::utf8_percent_encode(environment, percent_encoding::NON_ALPHANUMERIC);
    let path = format!("/environments/{encoded}");
    let found = RetryPolicy::GITHUB_API.run(|| api.get::<Environment>(Call::ReadEnvironment, &path, &[])).await;
    let found = match found {
        Err(error) if error.refusal().is_some_and(|status| status.as_u16() == 404) => return Ok(None),
        found => found?,
    };
    Ok(Some(match found.deployment_branch_policy {
        None => Branches::Any,
        Some(Policy { custom_branch_policies: false }) => Branches::Protected,
        Some(Policy { custom_branch_policies: true }) => Branches::Matching(patterns(api, &path).await?),
    }))
}

async fn patterns(api: &Api, environment: &str) -> Result<Vec<Pattern>, Error> {
    let path = format!("{environment}/deployment-branch-policies");
    let mut patterns = Vec::new();
    for page in 1..=PAGES {
        let (size, page) = (PAGE.to_string(), page.to_string());
        let query = [("per_page", &*size), ("page", &*page)];
        let list = RetryPolicy::GITHUB_API.run(|| api.get::<List>(Call::ReadEnvironment, &path, &query)).await?;
        let here = list.branch_policies.len();
        patterns.extend(list.branch_policies.into_iter().map(|entry| Pattern {
            // One that says no name is taken for one that lets all in.
            name: entry.name.unwrap_or_else(|| "*".to_owned()),
            tags: entry.kind.as_deref() == Some("tag"),
        }));
        if here == 0 || patterns.len() >= list.total_count {
            return Ok(patterns);
        }
    }
    Ok(patterns)
}
