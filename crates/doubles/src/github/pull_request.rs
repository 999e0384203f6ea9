//! Pull requests, as far as whoever opens one by the API sees them.

use serde_json::{Value, json};

use super::content::Answer;
use super::git_data::asked;
use super::refusal::{Refusal, answer};
use super::repository::Repository;
use super::schema::Complaints;

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: usize,
    /// The branch that it is from.
    pub head: String,
    /// The branch that it is for.
    pub base: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// Whether it is open.
    pub open: bool,
}

impl PullRequest {
    fn document(&self, slug: &str, base: &str) -> Value {
        let state = if self.open { "open" } else { "closed" };
        json!({
            "number": self.number, "state": state, "title": self.title, "body": self.body,
            "url": format!("{base}/repos/{slug}/pulls/{}", self.number),
            "html_url": format!("https://github.com/{slug}/pull/{}", self.number),
            "head": {"ref": self.head}, "base": {"ref": self.base},
        })
    }
}

/// List pull requests.
pub fn list(repository: &Repository, query: &str, base: &str) -> Answer {
    let asked = asked(query);
    let owner = repository.slug.split('/').next().unwrap();
    let wanted = |pull: &&PullRequest| {
        asked.get("state").is_none_or(|state| state == "all" || (state == "open") == pull.open)
            && asked.get("head").is_none_or(|head| *head == format!("{owner}:{}", pull.head))
            && asked.get("base").is_none_or(|base| *base == pull.base)
    };
    let pulls = repository.pull_requests.lock().unwrap();
    answer(200, &pulls.iter().filter(wanted).map(|pull| pull.document(&repository.slug, base)).collect())
}

/// Create a pull request.
pub fn create(repository: &Repository, document: &Value, base: &str) -> Result<Answer, Refusal> {
    let names = ["head", "base", "title"];
    Complaints::default().required(document, &names).text(document, &names).refusal()?;
    let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    let mut pulls = repository.pull_requests.lock().unwrap();
    if pulls.iter().any(|pull| pull.open && pull.head == text("head") && pull.base == text("base")) {
        let message = format!("A pull request already exists for {}.", text("head"));
        return Err(Refusal::failed(&json!({"resource": "PullRequest", "code": "custom", "message": message})));
    }
    let number = pulls.len() + 1;
    let pull =
        PullRequest { number, head: text("head"), base: text("base"), title: text("title"), body: text("body"), open: true };
    pulls.push(pull.clone());
    Ok(answer(201, &pull.document(&repository.slug, base)))
}

/// Update a pull request.
pub fn update(repository: &Repository, number: &str, document: &Value, base: &str) -> Result<Answer, Refusal> {
    Complaints::default().member(document, "state", &["open", "closed"]).text(document, &["title", "body", "state"]).refusal()?;
    let mut pulls = repository.pull_requests.lock().unwrap();
    let pull = pulls.iter_mut().find(|pull| pull.number.to_string() == number).ok_or_else(|| Refusal::new(404, "Not Found"))?;
    for (field, name) in [(&mut pull.title, "title"), (&mut pull.body, "body")] {
        if let Some(text) = document[name].as_str() {
            text.clone_into(field);
        }
    }
    pull.open = document["state"].as_str().map_or(pull.open, |state| state == "open");
    Ok(answer(200, &pull.document(&repository.slug, base)))
}
