//! A helper program that holds credentials.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::auth::Auth;
use super::error::Error;
use crate::document;
use crate::process::{self, Exception, Launcher};
use crate::secret::Secret;
use crate::text;
use crate::variables;

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
pub(super) async fn ask(launcher: &Launcher, name: &str, key: &str, config: &Path) -> Result<Option<Auth>, Error> {
    let program = program(name);
    let failed =
        |reason: &str| Error::Helper { program: program.clone(), config: config.to_owned(), reason: text::words(reason) };
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return Err(failed("not the name of a helper"));
    }
    let (success, output) = run(launcher, &program, key).await.map_err(|error| failed(&error.to_string()))?;
    let text = output.expose().trim();
    if !success {
        // The words of docker-credential-helpers, `credentials.NewErrCredentialsNotFound`, which Docker compares too.
        return if text.contains("credentials not found") { Ok(None) } else { Err(failed(text)) };
    }
    let answer: HelperAnswer = document::read(text.as_bytes()).map_err(|_| failed("its answer is not valid"))?;
    let secret = Secret::new(answer.secret);
    Ok(Some(match answer.username.as_str() {
        "<token>" => Auth::IdentityToken(secret),
        _ => Auth::Basic { username: answer.username, password: secret },
    }))
}

/// Runs a helper: whether it succeeded, and what it wrote.
async fn run(launcher: &Launcher, program: &str, input: &str) -> Result<(bool, Secret), process::Error> {
    let run = launcher.find(program)?.run_as_exception(HELPER_DEADLINE, Exception::CredentialHelper);
    let run = run.arg("get").stdin(input).stdout_limit(HELPER_OUTPUT_LIMIT);
    let kept = [variables::PATH, variables::HOME].into_iter().filter_map(|name| Some((name, variables::bytes(name)?)));
    let output = kept.fold(run, |run, (name, value)| run.env(name, value)).output().await?;
    Ok((output.code == 0, Secret::around(String::from_utf8_lossy(&output.stdout))))
}
