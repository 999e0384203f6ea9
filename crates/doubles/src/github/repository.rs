//! What a repository holds, and whom it serves.

use std::sync::Mutex;

use hyper::http::request::Parts;
use serde_json::Value;

use super::app::{self, AppToken};
use super::attestation::{self, Attestation};
use super::call::{Call, Place};
use super::check_run::CheckRun;
use super::checks::{self, Base};
use super::code_scanning::{self, Analysis, Upload};
use super::content::Answer;
use super::environment;
use super::fault::Faults;
use super::git_data;
use super::issue::{self, Issue};
use super::journal::Journal;
use super::options::Options;
use super::pull_request::{self, PullRequest};
use super::refusal::Refusal;
use super::storage_record;

/// A repository.
pub struct Repository {
    /// `owner/name`.
    pub slug: String,
    pub token: String,
    pub options: Options,
    pub uploads: Mutex<Vec<Upload>>,
    pub check_runs: Mutex<Vec<CheckRun>>,
    pub attestations: Mutex<Vec<Attestation>>,
    /// The tokens that its App was given.
    pub app_tokens: Mutex<Vec<AppToken>>,
    pub pull_requests: Mutex<Vec<PullRequest>>,
    /// One moves a branch at a time.
    pub turns: Mutex<()>,
    /// Where artifacts are kept, as it was told.
    pub storage_records: Mutex<Vec<Value>>,
    pub issues: Mutex<Vec<Issue>>,
    pub faults: Faults,
    pub journal: Journal,
    /// What Prism found wrong.
    pub violations: Mutex<Vec<String>>,
}

impl Repository {
    /// One with nothing in it.
    pub fn new(slug: String, token: String, options: Options) -> Self {
        Self {
            slug,
            token,
            options,
            uploads: Mutex::default(),
            check_runs: Mutex::default(),
            attestations: Mutex::default(),
            app_tokens: Mutex::default(),
            pull_requests: Mutex::default(),
            turns: Mutex::default(),
            storage_records: Mutex::default(),
            issues: Mutex::default(),
            faults: Faults::default(),
            journal: Journal::default(),
            violations: Mutex::default(),
        }
    }

    /// Whether it has a commit.
    pub fn has(&self, commit: &str) -> bool {
        self.options.commits.contains(&commit.to_lowercase()) || git_data::has(self, commit)
    }

    /// The commit that a ref, a branch's or tag's name, or a commit itself names.
    pub fn commit_of(&self, reference: &str) -> Option<String> {
        let prefixes = ["", "refs/", "refs/heads/", "refs/tags/"];
        let found = prefixes.iter().find_map(|prefix| self.options.references.get(&format!("{prefix}{reference}")));
        found.cloned().or_else(|| self.has(reference).then(|| reference.to_lowercase()))
    }

    /// What was processed, in order.
    pub fn analyses(&self) -> Vec<Analysis> {
        self.uploads.lock().unwrap().iter().flat_map(Upload::analyses).collect()
    }

    /// Whether its App was given a token.
    pub fn has_given(&self, token: &str) -> bool {
        self.app_tokens.lock().unwrap().iter().any(|given| given.text == token)
    }

    /// Whether its App's installation has this number.
    pub fn is_installation(&self, id: &str) -> bool {
        self.options.app.as_ref().is_some_and(|app| app.installation().to_string() == id)
    }

    /// Answers a call.
    pub fn answer(&self, head: &Parts, place: &Place, document: &[u8], base: &Base) -> Result<Answer, Refusal> {
        match place.call {
            // An App shows who it is in its own way.
            Call::GetInstallation => return app::installation(self, head, base),
            Call::CreateAppToken => return app::create_token(self, head, &read(document)?),
            Call::RevokeAppToken => return app::revoke(self, head),
            _ => self.admit(head, place.call)?,
        }
        let query = head.uri.query().unwrap_or_default();
        match place.call {
            Call::UploadSarif => code_scanning::upload(self, &read(document)?, &base.api),
            Call::SarifStatus => code_scanning::status(self, place.id, &base.api),
            Call::ListAnalyses => Ok(code_scanning::list(self, query, &base.api)),
            Call::CreateCheckRun => checks::create(self, &read(document)?, base),
            Call::UpdateCheckRun => checks::update(self, place.id, &read(document)?, base),
            Call::ListCheckRuns => {
                let reference = percent_encoding::percent_decode_str(place.id).decode_utf8_lossy();
                checks::list(self, &reference, query, base)
            }
            Call::GetCheckRun => checks::get(self, place.id, base),
            Call::ListAnnotations => checks::annotations(self, place.id, query, base),
            Call::GetEnvironment => environment::get(self, place.id, &base.api),
            Call::ListBranchPolicies => environment::policies(self, place.id, query),
            Call::CreateAttestation => attestation::create(self, &read(document)?),
            Call::CreateStorageRecord => storage_record::create(self, &read(document)?),
            Call::ListIssues => Ok(issue::list(self, query, base)),
            Call::CreateIssue => issue::create(self, &read(document)?, base),
            Call::UpdateIssue => issue::update(self, place.id, &read(document)?, base),
            Call::GetRef => git_data::reference(self, place.id, &base.api),
            Call::GetCommitObject => git_data::commit(self, place.id, &base.api),
            Call::GetTree => git_data::tree(self, place.id, query, &base.api),
            Call::GetBlob => git_data::blob(self, place.id, &base.api),
            Call::ListCommits => git_data::commits(self, query, &base.api),
            Call::CompareCommits => git_data::compare(self, place.id, &base.api),
            Call::CreateTree => git_data::create_tree(self, &read(document)?, &base.api),
            Call::CreateCommit => git_data::create_commit(self, &read(document)?, &base.api),
            Call::UpdateRef => git_data::update(self, place.id, &read(document)?, &base.api),
            Call::CreateRef => git_data::create(self, &read(document)?, &base.api),
            Call::ListPulls => Ok(pull_request::list(self, query, &base.api)),
            Call::CreatePull => pull_request::create(self, &read(document)?, &base.api),
            Call::UpdatePull => pull_request::update(self, place.id, &read(document)?, &base.api),
            Call::GetInstallation | Call::CreateAppToken | Call::RevokeAppToken | Call::Other => {
                Err(Refusal::new(404, "Not Found"))
            }
        }
    }

    fn admit(&self, head: &Parts, call: Call) -> Result<(), Refusal> {
        let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (scheme, token) = authorization.split_once(' ').unwrap_or_default();
        if !["bearer", "token"].contains(&scheme.to_lowercase().as_str()) {
            return Err(Refusal::new(401, "Requires authentication"));
        }
        let of_app = app::permits(self, token);
        if token != self.token && of_app.is_none() {
            return Err(Refusal::new(401, "Bad credentials"));
        }
        if !self.options.visible {
            return Err(Refusal::new(404, "Not Found"));
        }
        let Some((permission, writes)) = call.permission() else { return Ok(()) };
        if !permits(of_app.as_ref().unwrap_or(&self.options.permissions), permission, writes) {
            return Err(Refusal::not_permitted(permission, writes));
        }
        if writes && self.options.archived {
            return Err(Refusal::new(403, "Repository was archived so is read-only."));
        }
        code_scanning::refuses(self, call)
    }
}

fn permits(given: &[String], permission: &str, writes: bool) -> bool {
    let levels: &[&str] = if writes { &["write"] } else { &["write", "read"] };
    let mut given = given.iter().filter_map(|given| given.split_once(':'));
    given.any(|(name, level)| name.trim() == permission && levels.contains(&level.trim()))
}

fn read(document: &[u8]) -> Result<Value, Refusal> {
    let document: Value = serde_json::from_slice(document).map_err(|_| Refusal::new(400, "Problems parsing JSON"))?;
    if document.is_object() { Ok(document) } else { Err(Refusal::new(400, "Body should be a JSON object")) }
}
