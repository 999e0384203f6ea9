//! Clients of GitHub that know nothing of us: GitHub's own library, and a plain one.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::Repository;
use crate::program::{Installer, program};

/// What GitHub's own library is told: pairs of a route and its parameters.
pub fn octokit(repository: &Repository, calls: &Value) -> Vec<Value> {
    let mut child = Command::new(program(Installer::Validators, "octokit"))
        .args([repository.api(), repository.token()])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(calls.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// An answer as it came.
#[derive(Debug)]
pub struct Said {
    /// The HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub text: String,
}

impl Said {
    /// The answer's document; null where it is none.
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// What a refusal says.
    pub fn message(&self) -> String {
        self.document()["message"].as_str().unwrap_or_default().to_owned()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A plain client of a repository.
pub struct Client {
    address: String,
    token: Option<String>,
    agent: bool,
}

impl Client {
    /// One that speaks to github.com, with Prism between.
    pub fn of(repository: &Repository) -> Self {
        Self::new(&repository.api(), repository)
    }

    /// One that speaks to an enterprise server.
    pub fn enterprise(repository: &Repository) -> Self {
        let variables: std::collections::HashMap<_, _> = repository.enterprise().into_iter().collect();
        Self::new(&variables["GITHUB_API_URL"], repository)
    }

    /// One that speaks to github.com of what is in no repository.
    pub fn outside(repository: &Repository) -> Self {
        Self { address: repository.api(), ..Self::of(repository) }
    }

    fn new(api: &str, repository: &Repository) -> Self {
        Self { address: format!("{api}/repos/{}", repository.slug()), token: Some(repository.token()), agent: true }
    }

    /// With another token, or none.
    pub fn token(mut self, token: Option<&str>) -> Self {
        self.token = token.map(str::to_owned);
        self
    }

    /// Without a name.
    pub fn nameless(mut self) -> Self {
        self.agent = false;
        self
    }

    /// What is answered.
    ///
    /// # Errors
    /// No answer comes, or not all of one.
    pub fn ask(&self, method: &str, path: &str, document: Option<&Value>) -> Result<Said, reqwest::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client.request(method.parse().unwrap(), format!("{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if self.agent {
            request = request.header("user-agent", "a stranger");
        }
        if let Some(document) = document {
            request = request.json(document);
        }
        runtime.block_on(async {
            let answer = request.send().await?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            Ok(Said { status, headers, text: answer.text().await? })
        })
    }

    /// As [`Client::ask`], where an answer has to come.
    pub fn get(&self, path: &str) -> Said {
        self.ask("GET", path, None).unwrap()
    }

    /// As [`Client::ask`], where an answer has to come.
    pub fn post(&self, path: &str, document: &Value) -> Said {
        self.ask("POST", path, Some(document)).unwrap()
    }

    /// As [`Client::ask`], where an answer has to come.
    pub fn patch(&self, path: &str, document: &Value) -> Said {
        self.ask("PATCH", path, Some(document)).unwrap()
    }

    /// Uploads a log, and gives what became of it in the end.
    pub fn upload(&self, commit: &str, reference: &str, log: &Value) -> Value {
        let said = self.post("/code-scanning/sarifs", &delivery(commit, reference, log));
        assert_eq!(said.status, 202, "{said:?}");
        loop {
            let status = self.get(&format!("/code-scanning/sarifs/{}", said.document()["id"].as_str().unwrap())).document();
            if status["processing_status"] != "pending" {
                return status;
            }
        }
    }
}

/// The document of an upload.
pub fn delivery(commit: &str, reference: &str, log: &Value) -> Value {
    json!({"commit_sha": commit, "ref": reference, "sarif": wrapped(log.to_string().as_bytes())})
}

/// Bytes as an upload has them: gzip in base64.
pub fn wrapped(bytes: &[u8]) -> String {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    base64::engine::general_purpose::STANDARD.encode(encoder.finish().unwrap())
}
