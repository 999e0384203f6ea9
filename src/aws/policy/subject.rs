//! The subject of GitHub's token: `sub` (GitHub docs, "`OpenID` Connect reference", "Example subject claims" and "Immutable
//! subject claims").

use std::fmt;

/// What is known of a job without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Whose repository it is.
    pub owner: Account,
    /// The repository.
    pub repository: Account,
    /// What it runs for.
    pub context: Context,
}

/// A name on GitHub, and the id that stays when the name changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// In the letter case in which it was created: subjects have that.
    pub name: String,
    /// Where it is known.
    pub id: Option<u64>,
}

/// What a job runs for: the part of a subject after the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Context {
    /// An environment. Where a job names one, nothing else is in the subject.
    Environment(String),
    /// A pull request.
    PullRequest,
    /// A full ref: `refs/heads/main`.
    Ref(String),
}

/// The subjects that a job's token may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    /// By names alone: repositories that were created before 2026-07-15 and not renamed or transferred since.
    pub by_name: String,
    /// By names and ids: all others. Absent where an id is not known.
    pub immutable: Option<String>,
}

impl Subjects {
    /// The subjects of a job.
    #[must_use]
    pub fn of(job: &Job) -> Self {
        let Job { owner, repository, context } = job;
        let immutable = owner.id.zip(repository.id).map(|(owner_id, repository_id)| {
            format!("repo:{}@{owner_id}/{}@{repository_id}:{context}", owner.name, repository.name)
        });
        Self { by_name: format!("repo:{}/{}:{context}", owner.name, repository.name), immutable }
    }

    /// Both, as far as they are known.
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

/// The parts of a subject, or of a pattern for subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) owner: Name<'a>,
    pub(super) repository: Name<'a>,
    /// What follows the repository.
    pub(super) context: Option<&'a str>,
}

/// A name with its id, if that is written after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    pub(super) text: &'a str,
    pub(super) id: Option<&'a str>,
}

/// What a context is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Environment,
    PullRequest,
    Ref,
}

impl<'a> Parts<'a> {
    /// Takes a subject apart; none where it is not of GitHub's default form.
    pub(super) fn of(subject: &'a str) -> Option<Self> {
        let (owner, rest) = subject.strip_prefix("repo:")?.split_once('/')?;
        let (repository, context) =
            rest.split_once(':').map_or((rest, None), |(repository, context)| (repository, Some(context)));
        // A colon before the slash: the slash belongs to something else.
        (!owner.contains(':')).then_some(Self { owner: Name::of(owner), repository: Name::of(repository), context })
    }

    /// Whether it has ids.
    pub(super) fn is_immutable(&self) -> bool {
        self.owner.id.is_some() || self.repository.id.is_some()
    }

    /// The repository by its names, without ids.
    pub(super) fn by_name(&self) -> String {
        format!("{}/{}", self.owner.text, self.repository.text)
    }

    /// The repository as it is written.
    pub(super) fn in_full(&self) -> String {
        format!("{}/{}", self.owner.in_full(), self.repository.in_full())
    }

    /// What the context is about, where that can be said.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self.context?.split_once(':').map_or((self.context?, ""), |parts| parts) {
            ("environment", _) => Some(Kind::Environment),
            ("pull_request", "") => Some(Kind::PullRequest),
            ("ref", _) => Some(Kind::Ref),
            _ => None,
        }
    }
}

impl<'a> Name<'a> {
    /// Neither owners nor repositories have an `@` in their names.
    fn of(text: &'a str) -> Self {
        text.split_once('@').map_or(Self { text, id: None }, |(text, id)| Self { text, id: Some(id) })
    }

    fn in_full(&self) -> String {
        self.id.map_or_else(|| self.text.to_owned(), |id| format!("{}@{id}", self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(ids: Option<(u64, u64)>, context: Context) -> Job {
        let account = |name: &str, id| Account { name: name.to_owned(), id };
        let (owner, repository) = ids.unzip();
        Job { owner: account("octo-org", owner), repository: account("octo-repo", repository), context }
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

    #[test]
    fn a_subject_is_taken_apart() {
        let parts = Parts::of("repo:octo-org@1/octo-repo@2:ref:refs/heads/a@b").unwrap();
        assert_eq!((parts.by_name().as_str(), parts.owner.id, parts.repository.id), ("octo-org/octo-repo", Some("1"), Some("2")));
        assert_eq!((parts.kind(), parts.is_immutable()), (Some(Kind::Ref), true));
        let pattern = Parts::of("repo:octo-org/*").unwrap();
        assert_eq!((pattern.by_name().as_str(), pattern.context, pattern.kind()), ("octo-org/*", None, None));
        for subject in ["", "repo:", "repo:*", "repository_owner:x", "repo:a:ref:refs/heads/main", "octo-org/octo-repo:ref:x"] {
            assert_eq!(Parts::of(subject), None, "{subject}");
        }
    }
}
