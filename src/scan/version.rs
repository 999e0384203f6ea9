//! Which scanners there are.

use std::time::Duration;

use crate::process::{self, Launcher};

/// A program says its version in a tenth of a second.
const DEADLINE: Duration = Duration::from_secs(20);

/// The scanners, and how each is asked for its version: gitleaks has no flag for it.
const SCANNERS: [(&str, &str); 3] = [("gitleaks", "version"), ("trivy", "--version"), ("syft", "--version")];

/// The version of each scanner, or why it can't say.
pub(crate) async fn versions(launcher: &Launcher) -> Vec<(&'static str, Result<String, process::Error>)> {
    let asked = SCANNERS.into_iter().map(async |(name, argument)| (name, ask(launcher, name, argument).await));
    futures_util::future::join_all(asked).await
}

async fn ask(launcher: &Launcher, name: &str, argument: &str) -> Result<String, process::Error> {
    let output = launcher.find(name)?.run(DEADLINE).arg(argument).output().await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // `Version: 0.72.0`, `syft 1.52.0`, `8.30.1`.
    Ok(said.lines().next().unwrap_or_default().split_whitespace().last().unwrap_or("unknown").to_owned())
}
