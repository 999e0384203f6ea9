//! Lifecycle policies and their previews, which moto does not know or has wrong: it takes what AWS refuses, and refuses what AWS
//! takes. What is refused, and how it is worded, is as the ECR user guide ("Lifecycle policy properties") and those who were
//! refused say. It is written without any of the product's code: the tests hold the one against the other.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::shelf::{ShelfImage, page, seconds_ago};
use super::wildcard::matches_star;

/// The lifecycle side of a repository.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// The policy that is in force.
    pub policy: Option<String>,
    /// The preview that was started last.
    pub preview: Option<Preview>,
}

/// A preview.
#[derive(Clone, Debug)]
pub struct Preview {
    pub policy: String,
    /// How many more requests are told that it is not ready.
    pub pending: usize,
    /// What it found, once it was ready: later changes do not count.
    pub results: Option<Vec<Value>>,
}

/// ECR's code and sentence for a policy that it refuses.
pub fn refusal(text: &str) -> Option<(&'static str, String)> {
    let why = fault(text)?;
    let sentence = format!(
        "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: {why}'"
    );
    Some(("InvalidParameterException", sentence))
}

const NO_SCHEMA: &str = "instance failed to match exactly one schema (matched 0 out of 2)";

fn fault(text: &str) -> Option<String> {
    let length = text.chars().count();
    if !(100..=30_720).contains(&length) {
        return Some(format!("the text has {length} characters"));
    }
    let Ok(policy) = serde_json::from_str::<Value>(text) else { return Some("string is not valid JSON".into()) };
    let rules = policy["rules"].as_array().filter(|rules| !rules.is_empty());
    let Some(rules) = rules.filter(|_| only(&policy, &["rules"])) else { return Some(NO_SCHEMA.into()) };
    rules.iter().find_map(rule_fault).or_else(|| order_fault(rules))
}

fn only(object: &Value, names: &[&str]) -> bool {
    object
        .as_object()
        .is_some_and(|members| members.iter().all(|(name, value)| names.contains(&name.as_str()) && !value.is_null()))
}

fn class(rule: &Value) -> &str {
    rule["selection"]["storageClass"].as_str().unwrap_or("standard")
}

fn rule_fault(rule: &Value) -> Option<String> {
    let (selection, action) = (&rule["selection"], &rule["action"]);
    let members = ["tagStatus", "tagPatternList", "tagPrefixList", "storageClass", "countType", "countUnit", "countNumber"];
    let known = only(rule, &["rulePriority", "description", "selection", "action"])
        && only(selection, &members)
        && only(action, &["type", "targetStorageClass"]);
    let positive = |value: &Value| value.as_i64().is_some_and(|number| (1..=i64::from(i32::MAX)).contains(&number));
    let numbers = positive(&rule["rulePriority"]) && positive(&selection["countNumber"]);
    let days = selection["countUnit"].as_str();
    let archives = action["type"] == "transition" && action["targetStorageClass"] == "archive";
    let deletes = action["type"] == "expire" && action.get("targetStorageClass").is_none();
    let limit = match (class(rule), selection["countType"].as_str(), days) {
        ("standard", Some("imageCountMoreThan"), None) | ("standard", Some("sinceImagePushed"), Some("days")) => {
            archives || deletes
        }
        ("standard", Some("sinceImagePulled"), Some("days")) => archives,
        ("archive", Some("sinceImageTransitioned"), Some("days")) => deletes && selection["countNumber"].as_i64() >= Some(90),
        _ => false,
    };
    if !(known && numbers && limit) {
        return Some(NO_SCHEMA.into());
    }
    let lists = [&selection["tagPrefixList"], &selection["tagPatternList"]];
    let given: Vec<&Value> = lists.into_iter().filter(|list| !list.is_null()).collect();
    let sound = |list: &Value| {
        list.as_array().is_some_and(|list| {
            !list.is_empty() && list.iter().all(|entry| entry.as_str().is_some_and(|entry| !entry.is_empty()))
        })
    };
    match (selection["tagStatus"].as_str(), &given[..]) {
        (Some("any" | "untagged"), []) => None,
        (Some("tagged"), [list]) if sound(list) => {
            let patterns = selection["tagPatternList"].as_array().into_iter().flatten().filter_map(Value::as_str);
            patterns.map(|pattern| pattern.matches('*').count()).any(|stars| stars > 4).then(|| NO_SCHEMA.into())
        }
        (Some("tagged"), _) => Some("Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.".into()),
        _ => Some(NO_SCHEMA.into()),
    }
}

fn order_fault(rules: &[Value]) -> Option<String> {
    let priorities: BTreeSet<_> = rules.iter().map(|rule| rule["rulePriority"].as_i64()).collect();
    if priorities.len() != rules.len() {
        return Some("rulePriority must be unique".into());
    }
    for one in ["standard", "archive"] {
        let rules: Vec<&Value> = rules.iter().filter(|rule| class(rule) == one).collect();
        let status = |rule: &Value, status: &str| rule["selection"]["tagStatus"] == status;
        let last = rules.iter().map(|rule| rule["rulePriority"].as_i64()).max();
        if rules.iter().any(|rule| status(rule, "any") && Some(rule["rulePriority"].as_i64()) != last) {
            return Some("Rule for tagStatus=ANY must have the lowest priority per storage class".into());
        }
        if rules.iter().filter(|rule| status(rule, "untagged")).count() > 1 {
            return Some("Only one rule can select Untagged images per storage class".into());
        }
        let prefixes: Vec<_> = rules.iter().filter_map(|rule| rule["selection"]["tagPrefixList"].as_array()).collect();
        if (1..prefixes.len()).any(|at| prefixes[..at].contains(&prefixes[at])) {
            return Some("tagPrefixList must be unique per storage class".into());
        }
    }
    None
}

/// What a policy does to images, as `GetLifecyclePolicyPreview` lists it.
pub fn preview(policy: &str, images: &[ShelfImage]) -> Vec<Value> {
    let policy: Value = serde_json::from_str(policy).unwrap();
    let mut rules = policy["rules"].as_array().unwrap().clone();
    rules.sort_by_key(|rule| rule["rulePriority"].as_i64());
    let children: BTreeSet<&String> = images.iter().flat_map(|index| &index.children).collect();
    let counted: Vec<&ShelfImage> =
        images.iter().filter(|image| image.subject.is_none() && !children.contains(&image.digest())).collect();
    let mut owned = BTreeSet::new();
    let mut results = Vec::new();
    for rule in &rules {
        let mut selected: Vec<&ShelfImage> = counted.iter().copied().filter(|image| selects(rule, image)).collect();
        selected.sort_by(|one, other| age(rule, one).total_cmp(&age(rule, other)));
        let number = rule["selection"]["countNumber"].as_u64().unwrap();
        let counts = rule["selection"]["countType"] == "imageCountMoreThan";
        for (place, image) in selected.iter().enumerate() {
            #[allow(clippy::cast_precision_loss, reason = "a few days")]
            let over = if counts { place as u64 >= number } else { age(rule, image) > number as f64 };
            if over && !owned.contains(&image.digest()) {
                let kind = if rule["action"]["type"] == "expire" { "EXPIRE" } else { "TRANSITION" };
                results.push(json!({
                    "imageTags": image.tags, "imageDigest": image.digest(), "imagePushedAt": seconds_ago(image.pushed),
                    "action": {"type": kind}, "appliedRulePriority": rule["rulePriority"],
                }));
            }
        }
        owned.extend(selected.iter().map(|image| image.digest()));
    }
    results
}

fn selects(rule: &Value, image: &ShelfImage) -> bool {
    let stored = if image.archived.is_some() { "archive" } else { "standard" };
    if class(rule) != stored {
        return false;
    }
    let selection = &rule["selection"];
    let every = |list: &Value, meets: fn(&str, &str) -> bool| {
        let entries = list.as_array().into_iter().flatten().filter_map(Value::as_str);
        entries.into_iter().all(|entry| image.tags.iter().any(|tag| meets(entry, tag)))
    };
    match selection["tagStatus"].as_str() {
        Some("any") => true,
        Some("untagged") => image.tags.is_empty(),
        _ => {
            every(&selection["tagPrefixList"], |prefix, tag| tag.starts_with(prefix))
                && every(&selection["tagPatternList"], matches_star)
        }
    }
}

fn age(rule: &Value, image: &ShelfImage) -> f64 {
    let renewed = image.restored.unwrap_or(image.pushed);
    match rule["selection"]["countType"].as_str() {
        Some("sinceImagePulled") => image.pulled.map_or(renewed, |pulled| image.restored.map_or(pulled, |at| at.min(pulled))),
        Some("sinceImageTransitioned") => image.archived.unwrap_or_default(),
        _ => renewed,
    }
}

impl Lifecycle {
    /// Starts a preview of this policy, or of the one that is in force; the error is what ECR says instead.
    pub fn start(&mut self, given: Option<&str>, pending: usize) -> Result<String, (&'static str, String)> {
        let policy = given.map(str::to_owned).or_else(|| self.policy.clone());
        let Some(policy) = policy else {
            return Err(("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist".into()));
        };
        if let Some(refusal) = refusal(&policy) {
            return Err(refusal);
        }
        if let Some(preview) = self.preview.as_mut().filter(|preview| preview.pending > 0) {
            preview.pending -= 1;
            let sentence = "Lifecycle policy preview is already in progress for the repository";
            return Err(("LifecyclePolicyPreviewInProgressException", sentence.into()));
        }
        self.preview = Some(Preview { policy: policy.clone(), pending, results: None });
        Ok(policy)
    }

    /// A page of the preview; the error is what ECR says instead.
    pub fn show(&mut self, images: &[ShelfImage], parameters: &Value) -> Result<Value, (&'static str, String)> {
        let Some(preview) = &mut self.preview else {
            return Err(("LifecyclePolicyPreviewNotFoundException", "Lifecycle policy preview does not exist".into()));
        };
        let policy = preview.policy.clone();
        if preview.pending > 0 {
            preview.pending -= 1;
            return Ok(json!({"status": "IN_PROGRESS", "lifecyclePolicyText": policy}));
        }
        let results = preview.results.get_or_insert_with(|| self::preview(&policy, images));
        let mut said = page(results, parameters, "previewResults", 100);
        let expiring = results.iter().filter(|result| result["action"]["type"] == "EXPIRE").count();
        said["status"] = "COMPLETE".into();
        said["lifecyclePolicyText"] = policy.into();
        said["summary"] = json!({"expiringImageTotalCount": expiring});
        Ok(said)
    }
}
