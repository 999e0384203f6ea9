//! The scanners' versions.

use std::time::Duration;

use crate::process::{self, Launcher, Limits, Reach};
use crate::scanner::Tool;

/// A program says its version in a tenth of a second.
const DEADLINE: Duration = Duration::from_secs(20);

/// Whether every scanner is there, before one is needed.
///
/// # Errors
/// The first that is not.
pub(crate) fn find_all(launcher: &Launcher) -> Result<(), process::Error> {
    Tool::all().try_for_each(|tool| launcher.find(tool.name()).map(drop))
}

/// The version of each scanner, or why it is not known.
pub(crate) async fn versions(launcher: &Launcher) -> Vec<(&'static str, Result<String, process::Error>)> {
    let asked = Tool::all().map(async |tool| (tool.name(), ask(launcher, tool).await));
    futures_util::future::join_all(asked).await
}

async fn ask(launcher: &Launcher, tool: Tool) -> Result<String, process::Error> {
    let output =
        launcher.find(tool.name())?.run(DEADLINE, Reach::nothing(Limits::VERSION)).arg(tool.version_argument).output().await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // `Version: 0.72.0`, `syft 1.52.0`, `8.30.1`.
    Ok(said.lines().next().unwrap_or_default().split_whitespace().last().unwrap_or("unknown").to_owned())
}
