//! Environments: which branches and tags may deploy to each.

use serde_json::{Value, json};

use super::content::Answer;
use super::refusal::{Refusal, answer};
use super::repository::Repository;

/// Which branches and tags may deploy to an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Branches {
    /// All, as where GitHub made the environment because a job named it.
    Any,
    /// "Protected branches only".
    Protected,
    /// "Selected branches and tags": each a pattern, and whether it is one of tags.
    Selected(Vec<(String, bool)>),
}

impl Branches {
    /// The rules of an environment.
    fn rules(&self) -> (Value, Value) {
        let rule = json!([{"id": 3736, "node_id": "MDQ6R2F0ZTM3MzY=", "type": "branch_policy"}]);
        match self {
            Self::Any => (json!([]), Value::Null),
            Self::Protected => (rule, json!({"protected_branches": true, "custom_branch_policies": false})),
            Self::Selected(_) => (rule, json!({"protected_branches": false, "custom_branch_policies": true})),
        }
    }
}

/// Get an environment.
pub fn get(repository: &Repository, name: &str, base: &str) -> Result<Answer, Refusal> {
    let branches = find(repository, name)?;
    let (rules, policy) = branches.rules();
    let slug = &repository.slug;
    Ok(answer(
        200,
        &json!({
            "id": 161_088_068, "node_id": "MDExOkVudmlyb25tZW50MTYxMDg4MDY4", "name": name,
            "url": format!("{base}/repos/{slug}/environments/{name}"),
            "html_url": format!("https://github.com/{slug}/deployments/activity_log?environments_filter={name}"),
            "created_at": "2026-11-01T10:00:00Z", "updated_at": "2026-11-01T10:00:00Z",
            "can_admins_bypass": true, "protection_rules": rules, "deployment_branch_policy": policy,
        }),
    ))
}

/// List deployment branch policies.
pub fn policies(repository: &Repository, name: &str, query: &str) -> Result<Answer, Refusal> {
    let Branches::Selected(patterns) = find(repository, name)? else {
        return Err(Refusal::new(404, "Not Found"));
    };
    let asked: std::collections::HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let number = |name: &str, otherwise| asked.get(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (size, page) = (number("per_page", 30).min(100), number("page", 1).max(1));
    let policy = |(index, (name, tags)): (usize, &(String, bool))| {
        let kind = if *tags { "tag" } else { "branch" };
        json!({"id": 361_471 + index, "node_id": "MDE2OkdhdGVCcmFuY2hQb2xpY3kzNjE0NzE=", "name": name, "type": kind})
    };
    let shown: Vec<Value> = patterns.iter().enumerate().skip(size * (page - 1)).take(size).map(policy).collect();
    Ok(answer(200, &json!({"total_count": patterns.len(), "branch_policies": shown})))
}

fn find<'a>(repository: &'a Repository, name: &str) -> Result<&'a Branches, Refusal> {
    // Names are the same in any letter case.
    let mut all = repository.options.environments.iter();
    let found = all.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, branches)| branches);
    found.ok_or_else(|| Refusal::new(404, "Not Found"))
}
