//! The event that started a workflow run, from the variables that the Actions runner sets
//! (GitHub docs, "Variables reference", "Default environment variables").

use std::path::PathBuf;

use serde::Deserialize;

use crate::document;
use crate::variables;

/// The event of this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// `push`, `pull_request`, `workflow_dispatch`, …
    pub(crate) name: String,
    /// The full ref: `refs/heads/main`, `refs/tags/v1.2.3`, `refs/pull/1/merge`.
    pub(crate) reference: String,
    /// The commit.
    pub(crate) sha: String,
    /// Where the repository is checked out.
    pub(crate) workspace: Option<PathBuf>,
    /// The commit that this event's changes come after: on a push what the ref named before, on a proposal the tip of the
    /// branch that it is for. Absent for a new ref, and where the event can't be read.
    pub(crate) before: Option<String>,
    /// On a proposal: the branch that it is for.
    pub(crate) base: Option<String>,
    /// On a pull request: the commit that was pushed. [`Event::sha`] is the one that GitHub made to try the merge.
    pub(crate) head: Option<String>,
    /// The pull request's number.
    pub(crate) number: Option<u64>,
    /// Whether it is the pull request of a fork, or of a repository that is not known.
    pub(crate) fork: bool,
    /// Whether it is known that anyone can read the repository.
    pub(crate) public: bool,
}

/// What is read of the event's file.
#[derive(Default, Deserialize)]
struct Payload {
    before: Option<String>,
    pull_request: Option<PullRequest>,
    merge_group: Option<MergeGroup>,
    repository: Option<Visibility>,
}

/// Who can read the repository. An internal one is private too.
#[derive(Deserialize)]
struct Visibility {
    private: Option<bool>,
    visibility: Option<String>,
}

#[derive(Deserialize)]
struct PullRequest {
    number: Option<u64>,
    head: Side,
    base: Side,
}

impl PullRequest {
    /// Whether its commits are not known to come from the repository that it is for.
    fn is_of_a_fork(&self) -> bool {
        let own = self.base.repo.as_ref();
        own.is_none() || self.head.repo.as_ref() != own
    }
}

/// One side of a pull request; a repository that is gone is null.
#[derive(Deserialize)]
struct Side {
    #[serde(rename = "ref")]
    branch: String,
    sha: String,
    repo: Option<Repository>,
}

/// Pull requests that wait in a queue to be merged together.
#[derive(Deserialize)]
struct MergeGroup {
    base_ref: String,
    base_sha: String,
}

#[derive(Deserialize, PartialEq)]
struct Repository {
    id: u64,
}

impl Event {
    /// Reads the event from the variables of the environment; none outside GitHub Actions.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        if variable(variables::GITHUB_ACTIONS).as_deref() != Some("true") {
            return None;
        }
        let payload = variable(variables::GITHUB_EVENT_PATH).and_then(|path| std::fs::read(path).ok());
        let payload = payload.and_then(|bytes| document::read::<Payload>(&bytes).ok());
        let Payload { before, pull_request, merge_group, repository } = payload.unwrap_or_default();
        let name = variable(variables::GITHUB_EVENT_NAME).unwrap_or_default();
        let fork = pull_request.as_ref().map_or_else(|| name.starts_with("pull_request"), PullRequest::is_of_a_fork);
        let number = pull_request.as_ref().and_then(|request| request.number);
        let (before, base, head) = match (pull_request, merge_group) {
            (Some(PullRequest { head, base, .. }), _) => (Some(base.sha), Some(base.branch), Some(head.sha)),
            (None, Some(group)) => (Some(group.base_sha), Some(group.base_ref), None),
            (None, None) => (before, variable(variables::GITHUB_BASE_REF).filter(|base| !base.is_empty()), None),
        };
        Some(Self {
            name,
            reference: variable(variables::GITHUB_REF).unwrap_or_default(),
            sha: variable(variables::GITHUB_SHA).unwrap_or_default(),
            workspace: variable(variables::GITHUB_WORKSPACE).map(PathBuf::from),
            before: before.filter(|before| is_commit(before) && before.bytes().any(|b| b != b'0')),
            base: base.map(|base| base.strip_prefix("refs/heads/").unwrap_or(&base).to_owned()),
            head: head.filter(|head| is_commit(head)),
            number,
            fork,
            public: repository.is_some_and(|repository| {
                repository.private == Some(false) && repository.visibility.is_none_or(|visibility| visibility == "public")
            }),
        })
    }

    /// Whether it proposes a change that the repository does not have yet. `pull_request_target` does too, though its ref is
    /// that of the branch it is for.
    #[must_use]
    pub(crate) fn is_proposal(&self) -> bool {
        self.name.starts_with("pull_request") || self.name == "merge_group"
    }

    /// Whether its report is shown by a job of its own. The ref is one that the change has to itself, so that what a stranger
    /// may have written is never shown as another's; `pull_request_target` runs for the branch that the change is for.
    #[must_use]
    pub(crate) fn is_shown_by_another_job(&self) -> bool {
        match &*self.name {
            "pull_request" => self.reference.starts_with("refs/pull/"),
            "merge_group" => self.reference.starts_with("refs/heads/gh-readonly-queue/"),
            _ => false,
        }
    }

    /// Whether it was caused by someone who may write to the repository, and meant the ref that the run is of. Nothing is
    /// published for other events: anyone may cause them, and their ref can be the default branch all the same.
    #[must_use]
    pub(crate) fn may_publish(&self) -> bool {
        matches!(&*self.name, "push" | "workflow_dispatch" | "release" | "schedule" | "repository_dispatch")
    }

    /// Whether the run's own identity may be used to read: whoever caused the run may write to the repository. What the change
    /// itself starts gets nothing of it.
    #[must_use]
    pub(crate) fn may_read_as_itself(&self) -> bool {
        self.may_publish() || self.is_shown_by_another_job() && !self.fork
    }

    /// The commit that reports are shown beside.
    #[must_use]
    pub(crate) fn shown_at(&self) -> &str {
        self.head.as_deref().unwrap_or(&self.sha)
    }

    /// The commit and the full ref that an analysis of a checkout is for; `None` if the checkout is of neither the event's
    /// commit nor its pull request's, so that findings are never attributed to another branch.
    #[must_use]
    pub(crate) fn analysed(&self, checkout: Option<&str>) -> Option<(String, String)> {
        let checkout = checkout.unwrap_or(&self.sha);
        if checkout == self.sha && is_commit(checkout) {
            return Some((self.sha.clone(), self.reference.clone()));
        }
        let number = self.number.filter(|_| self.head.as_deref() == Some(checkout))?;
        Some((checkout.to_owned(), format!("refs/pull/{number}/head")))
    }

    /// The branch that was pushed to, where it was a branch.
    #[must_use]
    pub(crate) fn branch(&self) -> Option<&str> {
        self.reference.strip_prefix("refs/heads/")
    }

    /// The tag that was pushed, where it was a tag.
    #[must_use]
    pub(crate) fn tag(&self) -> Option<&str> {
        self.reference.strip_prefix("refs/tags/")
    }
}

/// A commit's full id, SHA-1 or SHA-256.
pub(crate) fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(pairs: &[(&str, &str)]) -> Option<Event> {
        let pairs: std::collections::HashMap<String, String> =
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Event::read(|name| pairs.get(name).cloned())
    }

    #[test]
    fn outside_actions_there_is_no_event() {
        assert_eq!(event(&[("GITHUB_REF", "refs/heads/main")]), None);
    }

    #[test]
    fn only_events_of_those_who_may_write_publish() {
        let named = |name: &str| event(&[("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", name)]).unwrap();
        for name in ["push", "workflow_dispatch", "release", "schedule", "repository_dispatch"] {
            assert!(named(name).may_publish() && !named(name).is_proposal(), "{name}");
        }
        for name in ["pull_request", "pull_request_target", "pull_request_review", "merge_group"] {
            assert!(!named(name).may_publish() && named(name).is_proposal(), "{name}");
        }
        for name in ["workflow_run", "issue_comment", "deployment", "", "Push"] {
            assert!(!named(name).may_publish(), "{name}");
        }
    }

    #[test]
    fn a_pull_request_is_a_forks_unless_the_event_says_that_it_comes_from_the_repository_itself() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let side = |repo: &str| format!(r#"{{"ref":"main","sha":"{}","repo":{repo}}}"#, "a".repeat(40));
        let request = |head: &str, base: &str| format!(r#"{{"pull_request":{{"head":{},"base":{}}}}}"#, side(head), side(base));
        let (one, other) = (r#"{"id":1}"#, r#"{"id":2}"#);
        for (name, payload, fork) in [
            ("pull_request", request(one, one), false),
            ("pull_request", request(other, one), true),
            ("pull_request", request("null", one), true),
            ("pull_request", request("null", "null"), true),
            ("pull_request", "{}".to_owned(), true),
            ("pull_request", "{".to_owned(), true),
            ("pull_request_target", "{".to_owned(), true),
            ("push", "{".to_owned(), false),
        ] {
            std::fs::write(path, &payload).unwrap();
            let event = event(&[("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_PATH", path), ("GITHUB_EVENT_NAME", name)]).unwrap();
            assert_eq!(event.fork, fork, "{name} {payload}");
            assert!(!(event.fork && event.may_read_as_itself()), "{name} {payload}");
        }
    }

    #[test]
    fn a_new_branch_has_no_commit_before() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        for (before, expected) in
            [("0".repeat(40), None), ("a".repeat(40), Some("a".repeat(40))), ("--upload-pack=x".to_owned(), None)]
        {
            std::fs::write(path, format!(r#"{{"before":"{before}"}}"#)).unwrap();
            let event =
                event(&[("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_PATH", path), ("GITHUB_REF", "refs/heads/main")]).unwrap();
            assert_eq!(event.before, expected);
            assert_eq!(event.branch(), Some("main"));
        }
    }
}
