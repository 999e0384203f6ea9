//! Prism, which stands before the server and knows GitHub's own description of its API. One process serves a test process.

use std::io::{BufRead as _, BufReader};
use std::process::{ChildStdin, Command, Stdio};

use hyper::Request;
use serde_json::Value;

use super::content::{Answer, Content, collected, forward, full};
use super::refusal::REQUEST_ID;
use crate::program::{Installer, program};

/// The process; it ends with ours, for its standard input does.
pub struct Prism {
    /// `127.0.0.1:PORT`.
    address: String,
    _input: ChildStdin,
}

/// Bodies over this, in bytes, are too large for Prism.
pub const LARGEST: usize = 10 * 1024 * 1024;

impl Prism {
    /// Starts one before a server.
    pub fn start(upstream: &str) -> Self {
        // Nobody waits for it: it ends when we do.
        #[allow(clippy::zombie_processes, reason = "it ends after us")]
        let mut child = Command::new(program(Installer::Validators, "prism"))
            .arg(format!("http://{upstream}"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("prism starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap_or_else(|| panic!("prism did not start: {line:?}"));
        Self { address: address.to_owned(), _input: child.stdin.take().unwrap() }
    }

    /// Asks through it, and tells what it found wrong.
    pub async fn ask(&self, request: Request<Content>) -> (Answer, Vec<String>) {
        let asked = format!("{} {}", request.method(), request.uri());
        let answer = match forward(&self.address, request).await {
            Ok(answer) => answer,
            Err(error) => return (gone(), vec![format!("{asked}: prism: {error}")]),
        };
        let (mut head, content) = answer.into_parts();
        let Ok(bytes) = collected(content).await else { return (gone(), vec![format!("{asked}: prism cut its answer")]) };
        // An answer that is not GitHub's is Prism's own, and says what is wrong. What it found out about an answer that it
        // lets pass is a status that GitHub does not describe, of which there are many.
        let violations = if head.headers.contains_key(REQUEST_ID) {
            head.headers.remove("sl-violations");
            vec![]
        } else {
            vec![format!("{asked}: {} {}", head.status.as_u16(), told(&bytes))]
        };
        // Prism may have written the document in another way.
        head.headers.remove("transfer-encoding");
        head.headers.insert("content-length", bytes.len().into());
        (Answer::from_parts(head, full(bytes)), violations)
    }
}

fn told(bytes: &[u8]) -> String {
    let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let findings = document["validation"].as_array().filter(|findings| !findings.is_empty());
    let found = |finding: &Value| format!("{}: {}", finding["location"], finding["message"]);
    findings.map_or_else(
        || String::from_utf8_lossy(bytes).into_owned(),
        |findings| findings.iter().map(found).collect::<Vec<_>>().join("; "),
    )
}

fn gone() -> Answer {
    hyper::Response::builder().status(599).body(full("")).unwrap()
}
