//! A helper program that holds credentials.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::error::clean;
use super::{Error, Proof};
use crate::secret::Secret;

/// How long a helper may take; some ask a person to unlock a key ring.
const HELPER_DEADLINE: Duration = Duration::from_mins(1);
/// The most that is read of a helper's answer, in bytes.
const HELPER_OUTPUT_LIMIT: u64 = 64 << 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// The name of the program.
pub(super) fn program(name: &str) -> String {
    format!("docker-credential-{name}")
}

/// Asks a helper for the credentials of `key`; it may have none.
pub(super) async fn ask(name: &str, key: &str, config: &Path) -> Result<Option<Proof>, Error> {
    let program = program(name);
    let failed = |reason: String| Error::Helper { program: program.clone(), config: config.to_owned(), reason: clean(&reason) };
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return Err(failed("not the name of a helper".to_owned()));
    }
    let answer = tokio::time::timeout(HELPER_DEADLINE, run(&program, key)).await;
    let (success, output) = answer
        .map_err(|_| failed(format!("no answer in {} s", HELPER_DEADLINE.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    let text = output.expose().trim();
    if !success {
        // The words of docker-credential-helpers, `credentials.NewErrCredentialsNotFound`, which Docker compares too.
        return if text.contains("credentials not found") { Ok(None) } else { Err(failed(text.to_owned())) };
    }
    let answer: HelperAnswer = serde_json::from_str(text).map_err(|_| failed("its answer is not valid".to_owned()))?;
    let secret = Secret::new(answer.secret);
    Ok(Some(match answer.username.as_str() {
        "<token>" => Proof::IdentityToken(secret),
        _ => Proof::Basic { username: answer.username, password: secret },
    }))
}

/// Runs a helper: whether it succeeded, and what it wrote.
async fn run(program: &str, input: &str) -> io::Result<(bool, Secret)> {
    let kept = ["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut child = tokio::process::Command::new(program)
        .arg("get")
        .env_clear()
        .envs(kept)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).await?;
    }
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(HELPER_OUTPUT_LIMIT).read_to_end(&mut output).await?;
    }
    let status = child.wait().await?;
    Ok((status.success(), Secret::new(String::from_utf8_lossy(&output))))
}
