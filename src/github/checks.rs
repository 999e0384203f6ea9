//! Check runs: how a delivery ended, beside the commit, with remarks on its lines (GitHub docs, "REST API endpoints for check
//! runs").

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Api, Call, Error};
use crate::annotation::{Annotation, Level};
use crate::net::RetryPolicy;
use crate::oci::Digest;
use crate::sink::Body;

/// The most annotations that a request may have; each further request adds to them.
const BATCH: usize = 50;
/// The most characters of a summary.
pub(crate) const SUMMARY: usize = 65_535;

/// What is shown beside the commit.
#[derive(Clone, Debug)]
pub(crate) struct CheckRun {
    /// Its name; of several with the same name, the newest counts.
    pub(crate) name: String,
    /// The commit.
    pub(crate) commit: String,
    /// How it ended.
    pub(crate) conclusion: Conclusion,
    /// The ending in one line.
    pub(crate) title: String,
    /// The report, in Markdown, at most [`SUMMARY`] characters.
    pub(crate) summary: String,
    /// Remarks on lines.
    pub(crate) annotations: Vec<Annotation>,
}

/// How a check run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Conclusion {
    /// Nothing to look at.
    Success,
    /// There is something to look at, and nothing is held back.
    Neutral,
    /// The delivery failed or was blocked.
    Failure,
}

#[derive(Deserialize)]
struct List {
    check_runs: Vec<Known>,
}

/// A check run that GitHub has.
#[derive(Deserialize)]
struct Known {
    id: u64,
    external_id: Option<String>,
    status: String,
    output: Output,
}

#[derive(Deserialize)]
struct Output {
    annotations_count: usize,
}

/// Creates a check run. One that is there already with the same content is left as it is, and one that was interrupted is
/// continued: a job that runs again, or an answer that is lost, shows nothing twice.
///
/// # Errors
/// GitHub refuses or can't be reached; 403 where the token may not write checks.
pub(crate) async fn show(api: &Api, check: &CheckRun) -> Result<(), Error> {
    let identity = check.identity();
    RetryPolicy::GITHUB_API.run(|| attempt(api, check, &identity)).await
}

async fn attempt(api: &Api, check: &CheckRun, identity: &str) -> Result<(), Error> {
    let list = format!("/commits/{}/check-runs", check.commit);
    let known: List = api.get(Call::FindCheckRun, &list, &[("check_name", &check.name), ("filter", "latest")]).await?;
    let known = known.check_runs.into_iter().find(|known| known.external_id.as_deref() == Some(identity));
    let known = match known {
        Some(known) if known.status == "completed" => return Ok(()),
        Some(known) => known,
        None => api.post(Call::WriteCheckRun, "/check-runs", &Body::of(&check.beginning(identity))).await?,
    };
    let path = format!("/check-runs/{}", known.id);
    let mut written = known.output.annotations_count;
    let mut completed = known.status == "completed";
    while !completed {
        let rest = check.annotations.get(written..).unwrap_or_default();
        let batch = &rest[..rest.len().min(BATCH)];
        written += batch.len();
        completed = written >= check.annotations.len();
        let mut body = json!({ "output": check.output(batch) });
        if completed {
            check.complete(&mut body);
        }
        api.patch::<Known>(Call::WriteCheckRun, &path, &Body::of(&body)).await?;
    }
    Ok(())
}

impl CheckRun {
    /// What identifies it among check runs of its name on the same commit. The summary is left out: it has times in it, and a
    /// job that runs again with the same result has nothing new to show.
    fn identity(&self) -> String {
        let Self { name, commit, conclusion, title, summary: _, annotations } = self;
        Digest::of(format!("{name:?}{commit:?}{conclusion:?}{title:?}{annotations:?}").as_bytes()).hex()
    }

    fn beginning(&self, identity: &str) -> Value {
        let first = &self.annotations[..self.annotations.len().min(BATCH)];
        let mut body = json!({
            "name": self.name,
            "head_sha": self.commit,
            "external_id": identity,
            "status": "in_progress",
            "output": self.output(first),
        });
        if first.len() == self.annotations.len() {
            self.complete(&mut body);
        }
        body
    }

    fn complete(&self, body: &mut Value) {
        body["status"] = json!("completed");
        body["conclusion"] = json!(self.conclusion);
    }

    fn output(&self, annotations: &[Annotation]) -> Value {
        let annotations: Vec<_> = annotations.iter().map(annotation).collect();
        json!({ "title": self.title, "summary": self.summary, "annotations": annotations })
    }
}

fn annotation(annotation: &Annotation) -> Value {
    let level = match annotation.level {
        Level::Failure => "failure",
        Level::Warning => "warning",
    };
    json!({
        "path": annotation.file,
        "start_line": annotation.line,
        "end_line": annotation.end_line,
        "annotation_level": level,
        "title": annotation.title,
        "message": annotation.message,
    })
}
