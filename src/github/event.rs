//! The event that started a workflow run, from the variables that the Actions runner sets
//! (GitHub docs, "Variables reference", "Default environment variables").

use std::path::PathBuf;

use serde::Deserialize;

/// The event of this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `push`, `pull_request`, `workflow_dispatch`, …
    pub name: String,
    /// The full ref: `refs/heads/main`, `refs/tags/v1.2.3`, `refs/pull/1/merge`.
    pub reference: String,
    /// The commit.
    pub sha: String,
    /// Where the repository is checked out.
    pub workspace: Option<PathBuf>,
    /// On a push: what the ref named before. Absent for a new ref, and where the event can't be read.
    pub before: Option<String>,
    /// Whether it is the pull request of a fork.
    pub fork: bool,
}

/// What is read of the event's file.
#[derive(Default, Deserialize)]
struct Payload {
    before: Option<String>,
    pull_request: Option<PullRequest>,
}

#[derive(Deserialize)]
struct PullRequest {
    head: Side,
    base: Side,
}

/// One side of a pull request; a repository that is gone is null.
#[derive(Deserialize)]
struct Side {
    repo: Option<Repository>,
}

#[derive(Deserialize, PartialEq)]
struct Repository {
    id: u64,
}

impl Event {
    /// Reads the event from the variables of the environment; none outside GitHub Actions.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        if variable("GITHUB_ACTIONS").as_deref() != Some("true") {
            return None;
        }
        let payload = variable("GITHUB_EVENT_PATH").and_then(|path| std::fs::read(path).ok());
        let payload = payload.and_then(|bytes| serde_json::from_slice::<Payload>(&bytes).ok());
        let Payload { before, pull_request } = payload.unwrap_or_default();
        let before = before.filter(|before| before.bytes().any(|b| b != b'0'));
        Some(Self {
            name: variable("GITHUB_EVENT_NAME").unwrap_or_default(),
            reference: variable("GITHUB_REF").unwrap_or_default(),
            sha: variable("GITHUB_SHA").unwrap_or_default(),
            workspace: variable("GITHUB_WORKSPACE").map(PathBuf::from),
            before: before.filter(|before| is_commit(before)),
            fork: pull_request.is_some_and(|request| request.head.repo != request.base.repo),
        })
    }

    /// The branch that was pushed to, where it was a branch.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.reference.strip_prefix("refs/heads/")
    }

    /// The tag that was pushed, where it was a tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
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
