//! Code scanning: analyses are uploaded, and processed while the uploader polls.

use std::io::Read as _;

use base64::Engine as _;
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::call::Call;
use super::content::Answer;
use super::options::CodeScanning;
use super::refusal::{Refusal, answer};
use super::repository::Repository;
use super::sarif;
use super::schema::Complaints;

/// How large a log may be, compressed: 10 MB, of whichever kind is smaller.
const LARGEST: usize = 10_000_000;

/// What was uploaded.
#[derive(Clone, Debug)]
pub struct Upload {
    /// By which its state is asked for.
    pub id: String,
    /// `commit_sha`, `ref` and the others, without `sarif`.
    pub parameters: Value,
    /// The log; null where it is not JSON.
    pub log: Value,
    /// Why it is not processed; empty where it is.
    pub errors: Vec<String>,
    /// How many polls still say `pending`.
    pub(super) pending: usize,
}

/// One run of a log that was processed.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The upload's.
    pub sarif_id: String,
    /// The whole log.
    pub sarif: Value,
    /// The run.
    pub run: Value,
    /// `commit_sha` of the upload.
    pub commit: String,
    /// `ref` of the upload: `refs/heads/main`.
    pub reference: String,
    /// The run's `automationDetails.id` up to its last `/`.
    pub category: String,
    /// `tool.driver.name`.
    pub tool: String,
    /// When it was uploaded (RFC 3339).
    pub created_at: String,
}

impl Upload {
    /// What its runs become.
    pub fn analyses(&self) -> Vec<Analysis> {
        let text = |name: &str| self.parameters[name].as_str().unwrap_or_default().to_owned();
        let runs = if self.errors.is_empty() { sarif::list(&self.log, "/runs") } else { &[] };
        let analysis = |run: &Value| Analysis {
            sarif_id: self.id.clone(),
            sarif: self.log.clone(),
            run: run.clone(),
            commit: text("commit_sha").to_lowercase(),
            reference: text("ref"),
            category: sarif::category(run),
            tool: sarif::tool(run),
            created_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        };
        runs.iter().map(analysis).collect()
    }
}

/// What a repository says where its code is not scanned.
pub fn enabled(code_scanning: CodeScanning) -> Result<(), Refusal> {
    let sentence = match code_scanning {
        CodeScanning::On => return Ok(()),
        CodeScanning::WithoutCodeSecurity => "Code Security must be enabled for this repository to use code scanning.",
        CodeScanning::WithoutAdvancedSecurity => "Advanced Security must be enabled for this repository to use code scanning.",
        CodeScanning::Off => {
            "Code scanning is not enabled for this repository. Please enable code scanning in the repository settings."
        }
    };
    Err(Refusal::new(403, sentence))
}

/// Upload an analysis as SARIF data.
pub fn upload(repository: &Repository, document: &Value, base: &str) -> Result<Answer, Refusal> {
    check(document)?;
    if !repository.has(document["commit_sha"].as_str().unwrap_or_default()) {
        return Err(Refusal::new(404, "commit not found"));
    }
    let log = decoded(document["sarif"].as_str().unwrap_or_default())?;
    let log: Value = serde_json::from_slice(&log).unwrap_or_default();
    let errors = sarif::errors(&log);
    // "Whether the SARIF file will be validated": what processing would find is told at once.
    if document["validate"] == true && !errors.is_empty() {
        return Err(Refusal::new(400, errors.join("\n")));
    }
    let mut parameters = document.clone();
    parameters.as_object_mut().unwrap().remove("sarif");
    let id = uuid();
    let url = format!("{base}/repos/{}/code-scanning/sarifs/{id}", repository.slug);
    let pending = repository.options.pending;
    repository.uploads.lock().unwrap().push(Upload { id: id.clone(), parameters, log, errors, pending });
    Ok(answer(202, &json!({"id": id, "url": url})))
}

fn check(document: &Value) -> Result<(), Refusal> {
    let names = ["commit_sha", "ref", "sarif", "checkout_uri", "started_at", "tool_name", "validate"];
    Complaints::default()
        .only(document, &names)
        .required(document, &["commit_sha", "ref", "sarif"])
        .text(document, &names[..6])
        .shortest(document, "commit_sha", 40)
        .pattern(document, "commit_sha", "^([0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?)$")
        .pattern(document, "ref", "^refs/(heads|tags|pull)/.*$")
        .refusal()
}

/// The log out of its wrapping ("400: Bad Request if the sarif field is invalid" in "SARIF file is invalid").
fn decoded(text: &str) -> Result<Vec<u8>, Refusal> {
    let invalid = || Refusal::new(400, "SARIF ZIP upload is invalid");
    let compressed = base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| invalid())?;
    if compressed.len() > LARGEST {
        return Err(Refusal::new(413, "Payload Too Large"));
    }
    let mut log = Vec::new();
    GzDecoder::new(&*compressed).read_to_end(&mut log).map_err(|_| invalid())?;
    Ok(log)
}

/// Get information about a SARIF upload.
pub fn status(repository: &Repository, id: &str, base: &str) -> Result<Answer, Refusal> {
    let mut uploads = repository.uploads.lock().unwrap();
    let upload = uploads.iter_mut().find(|upload| upload.id == id).ok_or_else(|| Refusal::new(404, "Not Found"))?;
    if upload.pending > 0 {
        upload.pending -= 1;
        return Ok(answer(200, &json!({"processing_status": "pending", "analyses_url": null, "errors": null})));
    }
    let url = format!("{base}/repos/{}/code-scanning/analyses?sarif_id={id}", repository.slug);
    let status = if upload.errors.is_empty() { "complete" } else { "failed" };
    let errors = if upload.errors.is_empty() { Value::Null } else { json!(upload.errors) };
    Ok(answer(200, &json!({"processing_status": status, "analyses_url": url, "errors": errors})))
}

/// List code scanning analyses for a repository: the newest first.
pub fn list(repository: &Repository, query: &str, base: &str) -> Answer {
    let asked: std::collections::HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let wanted = |name: &str, is: &str| asked.get(name).is_none_or(|wanted| wanted == is);
    let analyses = repository.analyses();
    let fits = |analysis: &Analysis| wanted("sarif_id", &analysis.sarif_id) && wanted("ref", &analysis.reference);
    let shown = analyses.iter().enumerate().rev().filter(|(_, analysis)| fits(analysis));
    let shown: Vec<Value> = shown.map(|(at, analysis)| described(repository, at + 1, analysis, base)).collect();
    answer(200, &json!(shown))
}

fn described(repository: &Repository, id: usize, analysis: &Analysis, base: &str) -> Value {
    json!({
        "id": id, "ref": analysis.reference, "commit_sha": analysis.commit, "analysis_key": "(default)", "environment": "{}",
        "category": analysis.category, "error": "", "warning": "", "created_at": analysis.created_at,
        "results_count": sarif::list(&analysis.run, "/results").len().min(5_000),
        "rules_count": sarif::rules(&analysis.run).len(),
        "url": format!("{base}/repos/{}/code-scanning/analyses/{id}", repository.slug),
        "sarif_id": analysis.sarif_id, "deletable": true,
        "tool": {"name": analysis.tool, "guid": null, "version": analysis.run.pointer("/tool/driver/version")},
    })
}

/// Whether a repository without code scanning refuses a call.
pub fn refuses(repository: &Repository, call: Call) -> Result<(), Refusal> {
    if call.scans() { enabled(repository.options.code_scanning) } else { Ok(()) }
}

fn uuid() -> String {
    let digits = format!("{:032x}", rand::random::<u128>());
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}
