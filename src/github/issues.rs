//! Issues: one for a subject, made, brought up to date and closed by the run's own token (GitHub docs, "REST API endpoints for
//! issues").
//!
//! Anyone may write an issue, with any words in it. Ours is one that the job's own token has made, that has our label, which only
//! those can set who may write to the repository, and whose first line names the subject. Nothing else is read of it, and no
//! other issue is touched.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{self, Api, Call};
use crate::net::{self, RetryPolicy};
use crate::sink::Body;
use crate::text::{self, Line};

/// As whom a job's own token writes. No person has a name with brackets.
const AUTHOR: &str = "github-actions[bot]";
/// The label of ours.
const LABEL: &str = "gp-deliver";
/// How many are on a page, at most.
const PER_PAGE: usize = 100;
/// How many pages of issues with our label are read.
const PAGES: usize = 10;
/// The most characters of a title.
pub(crate) const TITLE: usize = 256;
/// The most characters of a body. GitHub takes 65,536, the first line among them.
pub(crate) const BODY: usize = 60_000;

/// What is to be said of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The title, at most [`TITLE`] characters.
    pub(crate) title: String,
    /// The body in Markdown, at most [`BODY`] characters.
    pub(crate) body: String,
}

/// What became of the issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// There is none, and none is needed.
    Absent,
    /// It was made.
    Created(u64),
    /// It says something else now.
    Updated(u64),
    /// It is as it was.
    Unchanged(u64),
    /// It was closed.
    Closed(u64),
}

/// An issue can't be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A call failed.
    #[error(transparent)]
    Api(#[from] api::Error),
    /// What the token has made would not be found again as ours.
    #[error("it is by {author}")]
    NotOurs {
        /// As whom the token writes.
        author: Line,
    },
    /// There are more issues with our label than are looked through.
    #[error("more than {} issues have the label {LABEL}", PAGES * PER_PAGE)]
    TooMany,
}

impl net::Failure for Error {
    fn is_temporary(&self) -> bool {
        match self {
            Self::Api(error) => error.is_temporary(),
            Self::NotOurs { .. } | Self::TooMany => false,
        }
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Api(error) => error.retry_after(),
            Self::NotOurs { .. } | Self::TooMany => None,
        }
    }
}

/// An issue that GitHub has.
#[derive(Clone, Debug, Deserialize)]
struct Known {
    number: u64,
    title: String,
    body: Option<String>,
    state: String,
    user: Option<User>,
    labels: Vec<Label>,
    /// Pull requests are listed among issues.
    pull_request: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
struct User {
    login: String,
    #[serde(rename = "type")]
    kind: String,
}

/// A label; in some answers its name alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Label {
    Name(String),
    Whole { name: Option<String> },
}

/// Sees to it that the issue about `subject` says this, or, where there is nothing to say, that none is open. Where several are
/// about it, since two runs made one each, the first stays and the others are closed.
///
/// # Errors
/// GitHub refuses or can't be reached; 403 where the token may not write issues, 410 where they are switched off.
pub(crate) async fn keep(api: &Api, subject: &str, notice: Option<&Notice>) -> Result<Kept, Error> {
    let marker = marker(subject);
    let notice = notice.map(|Notice { title, body }| Notice { title: title.clone(), body: format!("{marker}\n\n{body}") });
    RetryPolicy::GITHUB_API.run(|| attempt(api, &marker, notice.as_ref())).await
}

/// Sees to it that no issue about `subject` is open: another says what there is to say of it, or nobody has anything to say.
///
/// # Errors
/// As [`keep`].
pub(crate) async fn retire(api: &Api, subject: &str, is_said_elsewhere: bool) -> Result<(), Error> {
    let reason = if is_said_elsewhere { "duplicate" } else { "completed" };
    let marker = marker(subject);
    RetryPolicy::GITHUB_API
        .run(|| async {
            for known in find(api, &marker).await?.iter().filter(|known| known.state == "open") {
                close(api, known.number, reason).await?;
            }
            Ok(())
        })
        .await
}

/// The first line of an issue about a subject, which nobody sees.
fn marker(subject: &str) -> String {
    format!("<!-- gp-deliver watch: {subject} -->")
}

/// An answer that was lost may have made an issue: each try looks first.
async fn attempt(api: &Api, marker: &str, notice: Option<&Notice>) -> Result<Kept, Error> {
    let known = find(api, marker).await?;
    let Some((first, others)) = known.split_first() else {
        return match notice {
            Some(notice) => create(api, marker, notice).await,
            None => Ok(Kept::Absent),
        };
    };
    close_all(api, others).await?;
    let number = first.number;
    match notice {
        None if first.state == "closed" => Ok(Kept::Absent),
        None => close(api, number, "completed").await.map(|()| Kept::Closed(number)),
        Some(notice) if first.says(notice) => Ok(Kept::Unchanged(number)),
        Some(notice) => {
            let body = json!({ "title": notice.title, "body": notice.body, "state": "open" });
            change(api, number, &body).await.map(|_| Kept::Updated(number))
        }
    }
}

async fn create(api: &Api, marker: &str, notice: &Notice) -> Result<Kept, Error> {
    let body = json!({ "title": notice.title, "body": notice.body, "labels": [LABEL] });
    let created: Known = api.post(Call::WriteIssue, "/issues", &Body::of(&body)).await?;
    let number = created.number;
    if !created.is_ours(marker) {
        // The next run would not find it, and make another.
        close(api, number, "not_planned").await?;
        let author = created.user.map(|user| text::words(&user.login)).unwrap_or_default();
        return Err(Error::NotOurs { author });
    }
    // Another run may have made one at the same moment. Both see both now, or the later one does.
    let mut known: BTreeMap<u64, Known> = find(api, marker).await?.into_iter().map(|known| (known.number, known)).collect();
    known.insert(number, created);
    let others: Vec<_> = known.into_values().skip(1).collect();
    close_all(api, &others).await?;
    Ok(Kept::Created(number))
}

/// Ours about a subject, open or closed, the first of them first.
async fn find(api: &Api, marker: &str) -> Result<Vec<Known>, Error> {
    let mut ours = Vec::new();
    for page in 1..=PAGES {
        let (page, size) = (page.to_string(), PER_PAGE.to_string());
        let query = [("labels", LABEL), ("state", "all"), ("per_page", &*size), ("page", &*page)];
        let known: Vec<Known> = api.get(Call::FindIssue, "/issues", &query).await?;
        let is_last = known.len() < PER_PAGE;
        ours.extend(known.into_iter().filter(|known| known.is_ours(marker)));
        if is_last {
            ours.sort_by_key(|known| known.number);
            return Ok(ours);
        }
    }
    // One that is not seen may be about it: another would be one too many.
    Err(Error::TooMany)
}

async fn close_all(api: &Api, others: &[Known]) -> Result<(), Error> {
    for other in others.iter().filter(|other| other.state == "open") {
        close(api, other.number, "duplicate").await?;
    }
    Ok(())
}

async fn close(api: &Api, number: u64, reason: &str) -> Result<(), Error> {
    change(api, number, &json!({ "state": "closed", "state_reason": reason })).await.map(drop)
}

async fn change(api: &Api, number: u64, body: &Value) -> Result<Known, Error> {
    Ok(api.patch(Call::WriteIssue, &format!("/issues/{number}"), &Body::of(body)).await?)
}

impl Known {
    /// Whether the job's own token has made it about the subject.
    fn is_ours(&self, marker: &str) -> bool {
        let by_us = self.user.as_ref().is_some_and(|user| user.login == AUTHOR && user.kind == "Bot");
        let name = |label: &Label| match label {
            Label::Name(name) => Some(name.clone()),
            Label::Whole { name } => name.clone(),
        };
        // Names of labels are the same in any letter case.
        let is_labelled = self.labels.iter().filter_map(name).any(|name| name.eq_ignore_ascii_case(LABEL));
        let first = self.body.as_deref().and_then(|body| body.lines().next());
        self.pull_request.is_none() && by_us && is_labelled && first == Some(marker)
    }

    /// Whether it is open and says this already. GitHub ends lines as it likes.
    fn says(&self, notice: &Notice) -> bool {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let body = self.body.as_deref().unwrap_or_default();
        self.state == "open" && self.title == notice.title && lines(body) == lines(&notice.body)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no issue is open"),
            Self::Created(number) => write!(f, "issue #{number} is new"),
            Self::Updated(number) => write!(f, "issue #{number} is up to date"),
            Self::Unchanged(number) => write!(f, "issue #{number} says it already"),
            Self::Closed(number) => write!(f, "issue #{number} is closed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(author: &str, kind: &str, label: &str, body: &str) -> Known {
        let issue = json!({
            "number": 7, "title": "t", "body": body, "state": "open", "user": { "login": author, "type": kind },
            "labels": [{ "name": label }], "pull_request": null,
        });
        serde_json::from_value(issue).unwrap()
    }

    #[test]
    fn only_what_our_token_has_made_and_labelled_about_the_subject_is_ours() {
        let marker = marker("r.example/team/app:prod");
        let whole = format!("{marker}\r\n\r\nwords");
        assert!(issue(AUTHOR, "Bot", "GP-Deliver", &whole).is_ours(&marker));
        for (author, kind, label, body) in [
            ("octocat", "User", LABEL, &*whole),
            ("github-actions", "User", LABEL, &whole),
            (AUTHOR, "User", LABEL, &whole),
            ("other-app[bot]", "Bot", LABEL, &whole),
            (AUTHOR, "Bot", "bug", &whole),
            (AUTHOR, "Bot", LABEL, &format!("words\n{marker}")),
            (AUTHOR, "Bot", LABEL, &format!("{marker} ")),
            (AUTHOR, "Bot", LABEL, "<!-- gp-deliver watch: r.example/team/app:prod2 -->"),
            (AUTHOR, "Bot", LABEL, ""),
        ] {
            assert!(!issue(author, kind, label, body).is_ours(&marker), "{author} {kind} {label} {body}");
        }
        let pull_request = Known { pull_request: Some(json!({})), ..issue(AUTHOR, "Bot", LABEL, &whole) };
        assert!(!pull_request.is_ours(&marker));
    }
}
