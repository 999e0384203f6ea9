//! Issues: made, changed and listed, by the job's own token and by others.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::checks::{Base, page, parameters};
use super::content::Answer;
use super::refusal::{Refusal, answer};
use super::repository::Repository;
use super::schema::Complaints;

/// As whom a job's own token acts.
pub const JOB: &str = "github-actions[bot]";
/// How long a title may be, in characters.
const LONGEST_TITLE: usize = 256;
/// How long a body may be, in characters.
const LONGEST_BODY: usize = 65_536;

/// An issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Its number, counted from one.
    pub number: usize,
    /// The title.
    pub title: String,
    /// The body, in Markdown.
    pub body: String,
    /// The login of whoever wrote it.
    pub author: String,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// `open` or `closed`.
    pub state: String,
    /// `completed`, `not_planned`, `duplicate` or `reopened`; none where it was never changed.
    pub reason: Option<String>,
}

/// Create an issue.
pub fn create(repository: &Repository, document: &Value, base: &Base) -> Result<Answer, Refusal> {
    is_on(repository)?;
    Complaints::default().required(document, &["title"]).refusal()?;
    check(document)?;
    let mut issues = repository.issues.lock().unwrap();
    let number = issues.len() + 1;
    let author = repository.options.author.clone();
    let mut issue =
        Issue { number, title: String::new(), body: String::new(), author, labels: vec![], state: "open".into(), reason: None };
    issue.change(document);
    let shown = issue.shown(&repository.slug, base);
    issues.push(issue);
    Ok(answer(201, &shown))
}

/// Update an issue.
pub fn update(repository: &Repository, number: &str, document: &Value, base: &Base) -> Result<Answer, Refusal> {
    is_on(repository)?;
    check(document)?;
    let mut issues = repository.issues.lock().unwrap();
    let issue = issues.iter_mut().find(|issue| issue.number.to_string() == number);
    let issue = issue.ok_or_else(|| Refusal::new(404, "Not Found"))?;
    issue.change(document);
    Ok(answer(200, &issue.shown(&repository.slug, base)))
}

/// List repository issues: the newest first. They can be listed where they are switched off.
pub fn list(repository: &Repository, query: &str, base: &Base) -> Answer {
    let asked: HashMap<String, String> = parameters(query);
    let state = asked.get("state").map_or("open", String::as_str);
    let labels: Vec<&str> = asked.get("labels").map(|labels| labels.split(',').collect()).unwrap_or_default();
    let fits = |issue: &&Issue| {
        let has = |label: &&str| issue.labels.iter().any(|one| one.eq_ignore_ascii_case(label));
        (state == "all" || issue.state == state)
            && asked.get("creator").is_none_or(|creator| *creator == issue.author)
            && labels.iter().all(has)
    };
    let issues = repository.issues.lock().unwrap();
    let shown: Vec<Value> = issues.iter().rev().filter(fits).map(|issue| issue.shown(&repository.slug, base)).collect();
    let (shown, _) = page(shown, &asked);
    answer(200, &json!(shown))
}

/// Where issues are switched off, none can be written.
fn is_on(repository: &Repository) -> Result<(), Refusal> {
    if repository.options.issues { Ok(()) } else { Err(Refusal::new(410, "Issues are disabled for this repo")) }
}

fn check(document: &Value) -> Result<(), Refusal> {
    Complaints::default()
        .text(document, &["title", "body", "state", "state_reason"])
        .list(document, &["labels"])
        .member(document, "state", &["open", "closed"])
        .member(document, "state_reason", &["completed", "not_planned", "duplicate", "reopened"])
        .refusal()?;
    let length = |name: &str| document[name].as_str().map_or(0, |text| text.chars().count());
    let invalid = |field: &str, message: &str| {
        Err(Refusal::failed(&json!({"resource": "Issue", "code": "custom", "field": field, "message": message})))
    };
    if length("title") > LONGEST_TITLE {
        return invalid("title", "title is too long (maximum is 256 characters)");
    }
    if document.get("title").is_some() && length("title") == 0 {
        return Err(Refusal::failed(&json!({"resource": "Issue", "code": "missing_field", "field": "title"})));
    }
    if length("body") > LONGEST_BODY {
        return invalid("body", "body is too long (maximum is 65536 characters)");
    }
    Ok(())
}

impl Issue {
    fn change(&mut self, document: &Value) {
        let text = |name: &str| document[name].as_str().map(str::to_owned);
        self.title = text("title").unwrap_or(std::mem::take(&mut self.title));
        self.body = text("body").unwrap_or(std::mem::take(&mut self.body));
        if let Some(labels) = document["labels"].as_array() {
            self.labels = labels.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        if let Some(state) = text("state").filter(|state| *state != self.state) {
            let usual = if state == "closed" { "completed" } else { "reopened" };
            self.reason = Some(text("state_reason").unwrap_or_else(|| usual.to_owned()));
            self.state = state;
        }
    }

    fn shown(&self, slug: &str, base: &Base) -> Value {
        let (api, number) = (format!("{}/repos/{slug}", base.api), self.number);
        let url = format!("{api}/issues/{number}");
        let labels = self.labels.iter().map(|name| {
            json!({
                "id": 208_045_946, "node_id": "MDU6TGFiZWwyMDgwNDU5NDY=", "url": format!("{api}/labels/{name}"), "name": name,
                "description": null, "color": "ededed", "default": false,
            })
        });
        json!({
            "id": 3_000_000_000_u64 + number as u64, "node_id": format!("I_{number}"), "number": number, "url": url,
            "repository_url": api, "labels_url": format!("{url}/labels{{/name}}"), "comments_url": format!("{url}/comments"),
            "events_url": format!("{url}/events"), "html_url": format!("{}/{slug}/issues/{number}", base.server),
            "state": self.state, "state_reason": self.reason, "title": self.title, "body": self.body, "user": user(&self.author, base),
            "labels": labels.collect::<Vec<_>>(), "assignee": null, "assignees": [], "milestone": null, "locked": false,
            "active_lock_reason": null, "comments": 0, "created_at": "2026-11-27T10:00:00Z", "updated_at": "2026-11-27T10:00:00Z",
            "closed_at": (self.state == "closed").then_some("2026-11-27T10:00:00Z"), "author_association": "NONE",
        })
    }
}

/// A user, or an app.
/// A user of GitHub.
pub fn user(login: &str, base: &Base) -> Value {
    let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
    let url = format!("{}/users/{login}", base.api);
    let below = |path: &str| format!("{url}/{path}");
    json!({
        "login": login, "id": 41_898_282, "node_id": "MDM6Qm90NDE4OTgyODI=", "avatar_url": "https://avatars.githubusercontent.com/in/15368?v=4",
        "gravatar_id": "", "url": url, "html_url": format!("{}/apps/{login}", base.server), "followers_url": below("followers"),
        "following_url": below("following{/other_user}"), "gists_url": below("gists{/gist_id}"),
        "starred_url": below("starred{/owner}{/repo}"), "subscriptions_url": below("subscriptions"),
        "organizations_url": below("orgs"), "repos_url": below("repos"), "events_url": below("events{/privacy}"),
        "received_events_url": below("received_events"), "type": kind, "site_admin": false,
    })
}
