//! A check run: what it is told, and how it is shown.

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::schema::Complaints;

/// How many annotations a request may bring.
const ANNOTATIONS: usize = 50;
/// How long a summary and a text may be: in characters by the schema, and in bytes by what follows it.
const LONGEST: usize = 65_535;
/// How long an annotation's message and details may be, in bytes ("Create a check run": 64 KB).
const LONGEST_MESSAGE: usize = 64 * 1024;
/// How long an annotation's title may be, in characters.
const LONGEST_TITLE: usize = 255;

const CONCLUSIONS: [&str; 8] = ["success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required", "stale"];

/// A check run as it is kept.
#[derive(Clone, Debug)]
pub struct CheckRun {
    /// Its number, counted from one.
    pub id: usize,
    /// `name`.
    pub name: String,
    /// `head_sha`.
    pub commit: String,
    /// `queued`, `in_progress` or `completed`.
    pub status: String,
    /// What it came to; none until it is completed.
    pub conclusion: Option<String>,
    /// `output.title`.
    pub title: Option<String>,
    /// `output.summary`, in Markdown.
    pub summary: Option<String>,
    /// `output.text`, in Markdown.
    pub text: Option<String>,
    /// All that were sent, in order.
    pub annotations: Vec<Value>,
    /// Where its details are.
    pub details_url: Option<String>,
    /// What the one who made it calls it.
    pub external_id: Option<String>,
    /// When it began (RFC 3339).
    pub started_at: Option<String>,
    /// When it ended (RFC 3339).
    pub completed_at: Option<String>,
}

/// What is wrong with a document that makes or changes a check run.
pub fn check(document: &Value, required: &[&str], of_output: &[&str]) -> Result<(), Refusal> {
    let mut complaints = Complaints::default();
    let texts = ["name", "head_sha", "details_url", "external_id", "status", "started_at", "conclusion", "completed_at"];
    complaints.required(document, required).text(document, &texts).object(document, &["output"]);
    complaints.member(document, "status", &["queued", "in_progress", "completed", "waiting", "requested", "pending"]);
    complaints.member(document, "conclusion", &CONCLUSIONS);
    let lonely = document["status"] == "completed" && document.get("conclusion").is_none();
    complaints.that(lonely, "No subschema in \"anyOf\" matched.");
    if let Some(output) = document.get("output").filter(|output| output.is_object()) {
        complaints.required(output, of_output).text(output, &["title", "summary", "text"]).list(output, &["annotations"]);
        complaints.longest(output, "summary", LONGEST).longest(output, "text", LONGEST);
        complaints.most(output, "annotations", ANNOTATIONS);
        for annotation in annotations(output) {
            complaints
                .required(annotation, &["path", "start_line", "end_line", "annotation_level", "message"])
                .text(annotation, &["path", "annotation_level", "message", "title", "raw_details"])
                .integer(annotation, &["start_line", "end_line", "start_column", "end_column"])
                .member(annotation, "annotation_level", &["notice", "warning", "failure"]);
        }
    }
    complaints.refusal()?;
    make_sense(document)
}

fn annotations(output: &Value) -> &[Value] {
    output["annotations"].as_array().map_or(&[], Vec::as_slice)
}

fn make_sense(document: &Value) -> Result<(), Refusal> {
    let output = &document["output"];
    for name in ["summary", "text"] {
        if output[name].as_str().is_some_and(|text| text.len() > LONGEST) {
            let message = format!("{name} exceeds a maximum bytesize of {LONGEST}");
            let error = json!({"resource": "CheckRun", "code": "custom", "field": name, "message": message});
            return Err(Refusal::failed(&error));
        }
    }
    if annotations(output).iter().any(senseless) {
        return Err(Refusal::failed(&json!({"resource": "CheckRun", "code": "invalid", "field": "annotations"})));
    }
    Ok(())
}

/// Whether an annotation names no place. Columns are for a single line.
fn senseless(annotation: &Value) -> bool {
    let number = |name: &str| annotation[name].as_i64();
    let text = |name: &str| annotation[name].as_str().unwrap_or_default();
    let (first, last) = (number("start_line").unwrap_or(0), number("end_line").unwrap_or(0));
    let columns = (number("start_column"), number("end_column"));
    let misplaced = match columns {
        (None, None) => false,
        (Some(start), Some(end)) => first != last || start < 1 || end < start,
        (Some(only), None) | (None, Some(only)) => first != last || only < 1,
    };
    first < 1
        || last < first
        || misplaced
        || text("path").is_empty()
        || text("title").chars().count() > LONGEST_TITLE
        || [text("message"), text("raw_details")].iter().any(|text| text.len() > LONGEST_MESSAGE)
}

impl CheckRun {
    /// A new one.
    pub fn new(id: usize, document: &Value) -> Self {
        let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
        let mut run = Self {
            id,
            name: text("name"),
            commit: text("head_sha").to_lowercase(),
            status: "queued".into(),
            conclusion: None,
            title: None,
            summary: None,
            text: None,
            annotations: vec![],
            details_url: None,
            external_id: None,
            started_at: Some(now()),
            completed_at: None,
        };
        run.change(document);
        run
    }

    /// Takes over what a document says; annotations are added to those that are there.
    pub fn change(&mut self, document: &Value) {
        let text = |name: &str| document[name].as_str().map(str::to_owned);
        if let Some(name) = text("name") {
            self.name = name;
        }
        if let Some(status) = text("status") {
            self.status = status;
        }
        if let Some(conclusion) = text("conclusion") {
            self.conclusion = Some(conclusion);
            "completed".clone_into(&mut self.status);
            self.completed_at = text("completed_at").or_else(|| Some(now()));
        }
        let output = |name: &str| document["output"][name].as_str().map(str::to_owned);
        for (field, said) in [
            (&mut self.details_url, text("details_url")),
            (&mut self.external_id, text("external_id")),
            (&mut self.started_at, text("started_at")),
            (&mut self.title, output("title")),
            (&mut self.summary, output("summary")),
            (&mut self.text, output("text")),
        ] {
            if said.is_some() {
                *field = said;
            }
        }
        self.annotations.extend_from_slice(annotations(&document["output"]));
    }

    /// As GitHub shows it.
    pub fn shown(&self, slug: &str, base: &str, server: &str) -> Value {
        let url = format!("{base}/repos/{slug}/check-runs/{}", self.id);
        json!({
            "id": self.id, "node_id": format!("CR_{}", self.id), "name": self.name, "head_sha": self.commit,
            "external_id": self.external_id.clone().unwrap_or_default(), "url": url,
            "html_url": format!("{server}/{slug}/runs/{}", self.id),
            "details_url": self.details_url.clone().unwrap_or_else(|| format!("{server}/{slug}/runs/{}", self.id)),
            "status": self.status, "conclusion": self.conclusion,
            "started_at": self.started_at, "completed_at": self.completed_at,
            "output": {
                "title": self.title, "summary": self.summary, "text": self.text,
                "annotations_count": self.annotations.len(), "annotations_url": format!("{url}/annotations"),
            },
            "check_suite": {"id": 5},
            "app": {
                "id": 15368, "node_id": "MDM6QXBwMTUzNjg=", "client_id": "Iv1.05c79e9ad1f6bdfa", "slug": "github-actions",
                "name": "GitHub Actions", "description": "Automate your workflow from idea to production",
                "external_url": "https://help.github.com/en/actions", "html_url": format!("{server}/apps/github-actions"),
                "created_at": "2018-07-30T09:30:17Z", "updated_at": "2025-03-07T16:35:00Z",
                "permissions": {"checks": "write"}, "events": [],
                "owner": {"login": "github", "id": 9919, "slug": "github", "name": "GitHub", "node_id": "MDEyOk9yZ2FuaXphdGlvbjk5MTk=",
                    "created_at": "2008-05-11T04:37:31Z", "updated_at": "2025-03-07T16:35:00Z", "html_url": format!("{server}/github"),
                    "website_url": null, "avatar_url": "https://avatars.githubusercontent.com/u/9919?v=4", "description": null},
            },
            "pull_requests": [],
        })
    }
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
