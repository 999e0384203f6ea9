//! Checks: runs are made, changed and listed.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::check_run::{CheckRun, check};
use super::content::Answer;
use super::refusal::{Refusal, answer};
use super::repository::Repository;

/// Where a repository's addresses begin: of the API and of the pages.
#[derive(Clone, Debug)]
pub struct Base {
    pub api: String,
    pub server: String,
}

/// Create a check run.
pub fn create(repository: &Repository, document: &Value, base: &Base) -> Result<Answer, Refusal> {
    check(document, &["name", "head_sha"], &["title", "summary"])?;
    let commit = document["head_sha"].as_str().unwrap_or_default();
    if !repository.has(commit) {
        return Err(unknown_commit(commit));
    }
    let mut runs = repository.check_runs.lock().unwrap();
    let run = CheckRun::new(runs.len() + 4, document);
    let shown = run.shown(&repository.slug, &base.api, &base.server);
    runs.push(run);
    Ok(answer(201, &shown))
}

/// Update a check run.
pub fn update(repository: &Repository, id: &str, document: &Value, base: &Base) -> Result<Answer, Refusal> {
    let mut runs = repository.check_runs.lock().unwrap();
    let run = runs.iter_mut().find(|run| run.id.to_string() == id).ok_or_else(not_found)?;
    check(document, &[], &["summary"])?;
    run.change(document);
    Ok(answer(200, &run.shown(&repository.slug, &base.api, &base.server)))
}

/// Get a check run.
pub fn get(repository: &Repository, id: &str, base: &Base) -> Result<Answer, Refusal> {
    let runs = repository.check_runs.lock().unwrap();
    let run = runs.iter().find(|run| run.id.to_string() == id).ok_or_else(not_found)?;
    Ok(answer(200, &run.shown(&repository.slug, &base.api, &base.server)))
}

/// List check run annotations.
pub fn annotations(repository: &Repository, id: &str, query: &str, base: &Base) -> Result<Answer, Refusal> {
    let runs = repository.check_runs.lock().unwrap();
    let run = runs.iter().find(|run| run.id.to_string() == id).ok_or_else(not_found)?;
    let shown = run.annotations.iter().map(|annotation| {
        let value = |name: &str| annotation.get(name).cloned().unwrap_or(Value::Null);
        let path = annotation["path"].as_str().unwrap_or_default();
        json!({
            "path": path, "blob_href": format!("{}/{}/blob/{}/{path}", base.server, repository.slug, run.commit),
            "start_line": value("start_line"), "end_line": value("end_line"), "start_column": value("start_column"),
            "end_column": value("end_column"), "annotation_level": value("annotation_level"), "title": value("title"),
            "message": value("message"), "raw_details": value("raw_details"),
        })
    });
    let (shown, _) = page(shown.collect(), &parameters(query));
    Ok(answer(200, &json!(shown)))
}

/// List check runs for a Git reference: the newest first, and of each name the newest unless all are wanted.
pub fn list(repository: &Repository, reference: &str, query: &str, base: &Base) -> Result<Answer, Refusal> {
    let commit = repository.commit_of(reference).ok_or_else(|| unknown_commit(reference))?;
    let asked = parameters(query);
    let wanted = |name: &str, is: &str| asked.get(name).is_none_or(|wanted| wanted == is);
    let all = asked.get("filter").is_some_and(|filter| filter == "all");
    let mut names = BTreeSet::new();
    let runs = repository.check_runs.lock().unwrap();
    let runs = runs.iter().rev().filter(|run| run.commit == commit);
    let runs = runs.filter(|run| all || names.insert(run.name.clone()));
    let runs = runs.filter(|run| wanted("check_name", &run.name) && wanted("status", &run.status));
    let shown: Vec<Value> = runs.map(|run| run.shown(&repository.slug, &base.api, &base.server)).collect();
    let total = shown.len();
    let (shown, more) = page(shown, &asked);
    let mut answer = answer(200, &json!({"total_count": total, "check_runs": shown}));
    if let Some(number) = more {
        let mut query = asked.clone();
        query.insert("page".into(), number.to_string());
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let link = format!("<{}/repos/{}/commits/{reference}/check-runs?{query}>; rel=\"next\"", base.api, repository.slug);
        answer.headers_mut().insert("link", link.parse().unwrap());
    }
    Ok(answer)
}

pub fn parameters(query: &str) -> HashMap<String, String> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// The page that is asked for, and the number of the next where there is one.
pub fn page(all: Vec<Value>, asked: &HashMap<String, String>) -> (Vec<Value>, Option<usize>) {
    let number = |name: &str, otherwise: usize| asked.get(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise).max(1);
    let (length, at) = (number("per_page", 30).min(100), number("page", 1));
    let next = (all.len() > at * length).then_some(at + 1);
    (all.into_iter().skip((at - 1) * length).take(length).collect(), next)
}

fn unknown_commit(commit: &str) -> Refusal {
    Refusal::new(422, format!("No commit found for SHA: {commit}"))
}

fn not_found() -> Refusal {
    Refusal::new(404, "Not Found")
}
