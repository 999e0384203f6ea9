//! Which call of GitHub's API a request is.

use hyper::Method;

/// A call, by what GitHub's documentation names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// Upload an analysis as SARIF data.
    UploadSarif,
    /// Get information about a SARIF upload.
    SarifStatus,
    /// List code scanning analyses for a repository.
    ListAnalyses,
    /// List check runs for a Git reference.
    ListCheckRuns,
    /// Create a check run.
    CreateCheckRun,
    /// Update a check run.
    UpdateCheckRun,
    /// Get a check run.
    GetCheckRun,
    /// List check run annotations.
    ListAnnotations,
    /// Get an environment.
    GetEnvironment,
    /// List deployment branch policies.
    ListBranchPolicies,
    /// Create an attestation.
    CreateAttestation,
    /// Create artifact metadata storage record.
    CreateStorageRecord,
    /// List repository issues.
    ListIssues,
    /// Create an issue.
    CreateIssue,
    /// Update an issue.
    UpdateIssue,
    /// Get a reference.
    GetRef,
    /// Get a commit object.
    GetCommitObject,
    /// Get a tree.
    GetTree,
    /// Get a blob.
    GetBlob,
    /// List commits.
    ListCommits,
    /// Compare two commits.
    CompareCommits,
    /// Create a tree.
    CreateTree,
    /// Create a commit.
    CreateCommit,
    /// Update a reference.
    UpdateRef,
    /// Create a reference.
    CreateRef,
    /// List pull requests.
    ListPulls,
    /// Create a pull request.
    CreatePull,
    /// Update a pull request.
    UpdatePull,
    /// Get a repository installation for the authenticated app.
    GetInstallation,
    /// Create an installation access token for an app.
    CreateAppToken,
    /// Revoke an installation access token.
    RevokeAppToken,
    /// What is not played here.
    Other,
}

/// A request's path, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// `owner/name`; the owner alone, where it is asked of an organisation, and nothing where an App asks.
    pub slug: &'a str,
    pub call: Call,
    /// The upload, the check run, the environment, the ref or the installation.
    pub id: &'a str,
}

impl<'a> Place<'a> {
    /// Reads a path without a query.
    pub fn of(method: &Method, path: &'a str) -> Option<Self> {
        if let Some((owner, rest)) = path.strip_prefix("/orgs/").and_then(|rest| rest.split_once('/')) {
            let is_record = method == Method::POST && rest == "artifacts/metadata/storage-record";
            let call = if is_record { Call::CreateStorageRecord } else { Call::Other };
            return Some(Self { slug: owner, call, id: "" });
        }
        if method == Method::DELETE && path == "/installation/token" {
            return Some(Self { slug: "", call: Call::RevokeAppToken, id: "" });
        }
        if let Some(id) = path.strip_prefix("/app/installations/").and_then(|rest| rest.strip_suffix("/access_tokens")) {
            let call = if method == Method::POST { Call::CreateAppToken } else { Call::Other };
            return Some(Self { slug: "", call, id });
        }
        let rest = path.strip_prefix("/repos/")?;
        let (at, _) = rest.match_indices('/').nth(1)?;
        let (slug, rest) = (&rest[..at], &rest[at + 1..]);
        let (call, id) = match (method.as_str(), rest.split_once('/')) {
            ("GET", None) if rest == "installation" => (Call::GetInstallation, ""),
            ("POST", None) if rest == "check-runs" => (Call::CreateCheckRun, ""),
            ("POST", None) if rest == "attestations" => (Call::CreateAttestation, ""),
            ("GET", None) if rest == "issues" => (Call::ListIssues, ""),
            ("POST", None) if rest == "issues" => (Call::CreateIssue, ""),
            ("PATCH", Some(("issues", number))) => (Call::UpdateIssue, number),
            ("GET", None) if rest == "commits" => (Call::ListCommits, ""),
            ("GET", None) if rest == "pulls" => (Call::ListPulls, ""),
            ("POST", None) if rest == "pulls" => (Call::CreatePull, ""),
            ("PATCH", Some(("pulls", number))) => (Call::UpdatePull, number),
            ("GET", Some(("compare", both))) => (Call::CompareCommits, both),
            (_, Some(("git", rest))) => of_git(method, rest),
            ("POST", Some(("code-scanning", "sarifs"))) => (Call::UploadSarif, ""),
            ("GET", Some(("code-scanning", "analyses"))) => (Call::ListAnalyses, ""),
            ("GET", Some(("code-scanning", rest))) => with_id(Call::SarifStatus, rest.strip_prefix("sarifs/")),
            ("GET", Some(("commits", rest))) => with_id(Call::ListCheckRuns, rest.strip_suffix("/check-runs")),
            ("PATCH", Some(("check-runs", id))) => (Call::UpdateCheckRun, id),
            ("GET", Some(("check-runs", rest))) => match rest.strip_suffix("/annotations") {
                Some(id) => (Call::ListAnnotations, id),
                None => (Call::GetCheckRun, rest),
            },
            ("GET", Some(("environments", rest))) => match rest.strip_suffix("/deployment-branch-policies") {
                Some(name) => (Call::ListBranchPolicies, name),
                None => (Call::GetEnvironment, rest),
            },
            _ => (Call::Other, ""),
        };
        Some(Self { slug, call, id })
    }
}

fn of_git<'a>(method: &Method, rest: &'a str) -> (Call, &'a str) {
    match (method.as_str(), rest.split_once('/')) {
        ("GET", Some(("ref", name))) => (Call::GetRef, name),
        ("GET", Some(("commits", sha))) => (Call::GetCommitObject, sha),
        ("GET", Some(("trees", sha))) => (Call::GetTree, sha),
        ("GET", Some(("blobs", sha))) => (Call::GetBlob, sha),
        ("POST", None) if rest == "trees" => (Call::CreateTree, ""),
        ("POST", None) if rest == "commits" => (Call::CreateCommit, ""),
        ("POST", None) if rest == "refs" => (Call::CreateRef, ""),
        ("PATCH", Some(("refs", name))) => (Call::UpdateRef, name),
        _ => (Call::Other, ""),
    }
}

fn with_id(call: Call, id: Option<&str>) -> (Call, &str) {
    id.map_or((Call::Other, ""), |id| (call, id))
}

impl Call {
    /// The permission of a job's token that it needs, and whether to write.
    pub fn permission(self) -> Option<(&'static str, bool)> {
        match self {
            Self::UploadSarif => Some(("security-events", true)),
            Self::SarifStatus | Self::ListAnalyses => Some(("security-events", false)),
            Self::CreateCheckRun | Self::UpdateCheckRun => Some(("checks", true)),
            Self::ListCheckRuns | Self::GetCheckRun | Self::ListAnnotations => Some(("checks", false)),
            Self::GetEnvironment | Self::ListBranchPolicies => Some(("actions", false)),
            Self::CreateAttestation => Some(("attestations", true)),
            Self::CreateStorageRecord => Some(("artifact-metadata", true)),
            Self::CreateIssue | Self::UpdateIssue => Some(("issues", true)),
            // Anyone may read those of a public repository.
            Self::ListIssues | Self::GetInstallation | Self::CreateAppToken | Self::RevokeAppToken | Self::Other => None,
            Self::GetRef | Self::GetCommitObject | Self::GetTree | Self::GetBlob | Self::ListCommits | Self::CompareCommits => {
                Some(("contents", false))
            }
            Self::CreateTree | Self::CreateCommit | Self::UpdateRef | Self::CreateRef => Some(("contents", true)),
            Self::ListPulls => Some(("pull-requests", false)),
            Self::CreatePull | Self::UpdatePull => Some(("pull-requests", true)),
        }
    }

    /// Whether it is about code scanning.
    pub fn scans(self) -> bool {
        matches!(self, Self::UploadSarif | Self::SarifStatus | Self::ListAnalyses)
    }

    /// What its refusals name as `documentation_url`.
    pub fn documentation(self) -> String {
        let page = match self {
            Self::UploadSarif => "/code-scanning/code-scanning#upload-an-analysis-as-sarif-data",
            Self::SarifStatus => "/code-scanning/code-scanning#get-information-about-a-sarif-upload",
            Self::ListAnalyses => "/code-scanning/code-scanning#list-code-scanning-analyses-for-a-repository",
            Self::ListCheckRuns => "/checks/runs#list-check-runs-for-a-git-reference",
            Self::CreateCheckRun => "/checks/runs#create-a-check-run",
            Self::UpdateCheckRun => "/checks/runs#update-a-check-run",
            Self::GetCheckRun => "/checks/runs#get-a-check-run",
            Self::ListAnnotations => "/checks/runs#list-check-run-annotations",
            Self::GetEnvironment => "/deployments/environments#get-an-environment",
            Self::ListBranchPolicies => "/deployments/branch-policies#list-deployment-branch-policies",
            Self::CreateAttestation => "/repos/attestations#create-an-attestation",
            Self::CreateStorageRecord => "/orgs/artifact-metadata#create-artifact-metadata-storage-record",
            Self::ListIssues => "/issues/issues#list-repository-issues",
            Self::CreateIssue => "/issues/issues#create-an-issue",
            Self::UpdateIssue => "/issues/issues#update-an-issue",
            Self::GetRef => "/git/refs#get-a-reference",
            Self::GetCommitObject => "/git/commits#get-a-commit-object",
            Self::GetTree => "/git/trees#get-a-tree",
            Self::GetBlob => "/git/blobs#get-a-blob",
            Self::ListCommits => "/commits/commits#list-commits",
            Self::CompareCommits => "/commits/commits#compare-two-commits",
            Self::CreateTree => "/git/trees#create-a-tree",
            Self::CreateCommit => "/git/commits#create-a-commit",
            Self::UpdateRef => "/git/refs#update-a-reference",
            Self::CreateRef => "/git/refs#create-a-reference",
            Self::ListPulls => "/pulls/pulls#list-pull-requests",
            Self::CreatePull => "/pulls/pulls#create-a-pull-request",
            Self::UpdatePull => "/pulls/pulls#update-a-pull-request",
            Self::GetInstallation => "/apps/apps#get-a-repository-installation-for-the-authenticated-app",
            Self::CreateAppToken => "/apps/apps#create-an-installation-access-token-for-an-app",
            Self::RevokeAppToken => "/apps/installations#revoke-an-installation-access-token",
            Self::Other => "",
        };
        format!("https://docs.github.com/rest{page}")
    }
}
