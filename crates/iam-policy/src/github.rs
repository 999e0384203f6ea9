//! The subject of GitHub Actions' tokens: the claim `sub` (GitHub docs, "`OpenID` Connect reference", "Example subject
//! claims" and "Immutable subject claims").

mod subject;

use std::fmt;

pub(crate) use subject::{ContextKind, SubjectParts};

/// A job of a workflow, as far as its token's subject tells it from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The repository that the workflow runs in.
    pub repository: Repository,
    /// What the job runs for.
    pub context: Context,
}

/// A repository on GitHub. Names are in the letter case in which they were created: subjects have that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// The name of the user or organization that owns it.
    pub owner: String,
    /// Its own name, without the owner's.
    pub name: String,
    /// The ids of both, where they are known.
    pub ids: Option<RepositoryIds>,
}

/// The ids of a repository and its owner, which stay when names change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepositoryIds {
    /// The owner's.
    pub owner: u64,
    /// The repository's.
    pub repository: u64,
}

/// What a job runs for: the part of a subject after the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Context {
    /// An environment. Where a job names one, the subject has neither ref nor pull request.
    Environment(String),
    /// A pull request, in a job that names no environment.
    PullRequest,
    /// A branch or tag, by its full ref: `refs/heads/main`.
    Ref(String),
}

/// The subjects that a job's token may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    /// By names alone, as for repositories that were created before 2026-07-15 and not renamed or transferred since.
    pub by_name: String,
    /// By names and ids, as for all others. Absent where the ids are not known.
    pub immutable: Option<String>,
}

impl Subjects {
    /// The subjects of a job.
    #[must_use]
    pub fn of(job: &Job) -> Self {
        let Job { repository: Repository { owner, name, ids }, context } = job;
        let immutable = ids.map(|ids| format!("repo:{owner}@{}/{name}@{}:{context}", ids.owner, ids.repository));
        Self { by_name: format!("repo:{owner}/{name}:{context}"), immutable }
    }

    /// Those that are known.
    #[must_use]
    pub fn to_vec(&self) -> Vec<String> {
        std::iter::once(&self.by_name).chain(&self.immutable).cloned().collect()
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // "Filtering for metadata containing `:`".
        let encoded = |value: &str| value.replace(':', "%3A");
        match self {
            Self::Environment(name) => write!(f, "environment:{}", encoded(name)),
            Self::PullRequest => f.write_str("pull_request"),
            Self::Ref(reference) => write!(f, "ref:{}", encoded(reference)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(ids: Option<(u64, u64)>, context: Context) -> Job {
        let ids = ids.map(|(owner, repository)| RepositoryIds { owner, repository });
        Job { repository: Repository { owner: "octo-org".to_owned(), name: "octo-repo".to_owned(), ids }, context }
    }

    #[test]
    fn a_subject_is_as_githubs_documentation_has_it() {
        for (context, by_name, immutable) in [
            (
                Context::Ref("refs/heads/main".to_owned()),
                "repo:octo-org/octo-repo:ref:refs/heads/main",
                "repo:octo-org@123456/octo-repo@456789:ref:refs/heads/main",
            ),
            (
                Context::Environment("Production:V1".to_owned()),
                "repo:octo-org/octo-repo:environment:Production%3AV1",
                "repo:octo-org@123456/octo-repo@456789:environment:Production%3AV1",
            ),
            (Context::PullRequest, "repo:octo-org/octo-repo:pull_request", "repo:octo-org@123456/octo-repo@456789:pull_request"),
        ] {
            let subjects = Subjects::of(&job(Some((123_456, 456_789)), context.clone()));
            assert_eq!(subjects.to_vec(), [by_name, immutable]);
            assert_eq!(Subjects::of(&job(None, context)).to_vec(), [by_name]);
        }
    }
}
