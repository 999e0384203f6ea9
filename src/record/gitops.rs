//! What became of the repository that a cluster is brought to.

use serde::{Deserialize, Serialize};

use super::Diagnosis;

/// The update of a repository that a cluster is brought to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct GitOps {
    /// The repository, `OWNER/NAME`.
    pub(crate) repository: String,
    /// The branch.
    pub(crate) branch: String,
    /// How it ended.
    pub(crate) result: GitOpsResult,
    /// The commit that was made, the address of the pull request, or the commit of the delivery that is there and stays; empty where there is none.
    pub(crate) detail: String,
    /// Why it failed; absent unless it did. What was published stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<Diagnosis>,
}

/// How an update ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum GitOpsResult {
    /// The branch has a commit that names the image.
    Updated,
    /// The branch named the image already.
    Unchanged,
    /// A pull request would have it name the image.
    PullRequest,
    /// It failed.
    Failed,
    /// A newer delivery is there, a rollback has taken this one back, or nothing was published.
    Skipped,
}

impl GitOpsResult {
    /// The word for it in reports and outputs.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::PullRequest => "pull-request",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}
