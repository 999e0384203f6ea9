//! A job of a workflow, as GitHub speaks of it in a token.

use serde_json::{Map, Value, json};

/// A job.
#[derive(Clone, Debug)]
pub struct Job {
    pub owner: String,
    pub owner_id: String,
    pub repository: String,
    pub repository_id: String,
    /// `GITHUB_REF`.
    pub reference: String,
    /// The deployment environment.
    pub environment: Option<String>,
    /// `GITHUB_EVENT_NAME`.
    pub event: String,
    /// Whether `sub` holds ids, as for repositories made, renamed or moved after 2026-07-15.
    pub immutable_subject: bool,
    /// Claims that are others.
    pub claims: Map<String, Value>,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            owner: "octo-org".into(),
            owner_id: "65".into(),
            repository: "octo-repo".into(),
            repository_id: "74".into(),
            reference: "refs/heads/main".into(),
            environment: None,
            event: "push".into(),
            immutable_subject: false,
            claims: Map::new(),
        }
    }
}

impl Job {
    /// `GITHUB_REPOSITORY`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.repository)
    }

    /// Whom the token speaks of. An environment goes before everything else.
    pub fn subject(&self) -> String {
        if let Some(subject) = self.claims.get("sub").and_then(Value::as_str) {
            return subject.to_owned();
        }
        let repository = if self.immutable_subject {
            format!("{}@{}/{}@{}", self.owner, self.owner_id, self.repository, self.repository_id)
        } else {
            self.full_name()
        };
        let context = match &self.environment {
            Some(environment) => format!("environment:{}", environment.replace(':', "%3A")),
            None if self.event.starts_with("pull_request") => "pull_request".to_owned(),
            None => format!("ref:{}", self.reference),
        };
        format!("repo:{repository}:{context}")
    }

    /// Its claims, those of time and audience left out. Ids are texts.
    pub fn claims(&self) -> Map<String, Value> {
        let (name, reference) = (self.full_name(), &self.reference);
        let workflow = format!("{name}/.github/workflows/deliver.yml@{reference}");
        let kind = if reference.starts_with("refs/tags/") { "tag" } else { "branch" };
        let claims = json!({
            "sub": self.subject(),
            "ref": reference,
            "ref_type": kind,
            "ref_protected": "false",
            "sha": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            "repository": name,
            "repository_id": self.repository_id,
            "repository_owner": self.owner,
            "repository_owner_id": self.owner_id,
            "repository_visibility": "private",
            "run_id": "1602018110",
            "run_number": "10",
            "run_attempt": "2",
            "runner_environment": "github-hosted",
            "actor": "octocat",
            "actor_id": "12",
            "workflow": "Deliver",
            "workflow_ref": workflow,
            "workflow_sha": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            "job_workflow_ref": workflow,
            "job_workflow_sha": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            "head_ref": "",
            "base_ref": "",
            "event_name": self.event,
        });
        let Value::Object(mut claims) = claims else { unreachable!() };
        if let Some(environment) = &self.environment {
            claims.insert("environment".into(), environment.as_str().into());
        }
        claims.extend(self.claims.clone());
        claims
    }
}
