//! trivy: packages in the image with known vulnerabilities.

mod log;
mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Error;
use super::platform::PlatformFolder;
use crate::finding::{Suppression, Vulnerability};
use crate::oci::Image;
use crate::oci::image::PlatformImage;
use crate::process::{Launcher, Output};
use crate::scanner::Tool;
use crate::text;
use log::Log;

/// What trivy says when it meets a jar and has no index of jars (its `javadb.Updater.Update`).
const JAVA_DATABASE_NEEDED: &str = "The first run cannot skip downloading Java DB";

/// The memory, in Go's own notation, beyond which trivy frees what it can rather than take more.
const SOFT_MEMORY_LIMIT: &str = "1GiB";

/// Room for a line about each list of packages in an image, in bytes.
const MAX_STDERR_BYTES: u64 = 16 << 20;

/// How many lists of packages that could not be read a warning names.
const NAMED: usize = 5;

/// What to scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// The image.
    pub(crate) image: &'a Image,
    /// Which of its platforms.
    pub(crate) platform: &'a PlatformImage,
    /// The folder with `trivy.db`.
    pub(crate) database: &'a Path,
    /// The project's folder, which may have a `.trivyignore.yaml` or `.trivyignore`.
    pub(crate) root: &'a Path,
    /// The time that each run of trivy may take.
    pub(crate) deadline: Duration,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vulnerabilities {
    /// The vulnerabilities, worst first.
    pub(crate) findings: Vec<Vulnerability>,
    /// What the project let through.
    pub(crate) suppressions: Vec<Suppression>,
    /// How many packages were judged.
    pub(crate) packages: u32,
    /// What a reader should know besides.
    pub(crate) warnings: Vec<String>,
}

/// Looks for vulnerabilities in the image of one platform. `java` is asked for the folder with `trivy-java.db` if the
/// image turns out to hold jars: trivy names those by their checksums, and only its own analysis tells what is a jar, so
/// it runs without that database (a gigabyte) first.
///
/// # Errors
/// The image was not scanned, or the error of `java`.
pub(crate) async fn scan(
    launcher: &Launcher,
    request: &Request<'_>,
    java: impl AsyncFnOnce() -> Result<PathBuf, Error>,
) -> Result<Vulnerabilities, Error> {
    let run = Scan::new(launcher, request)?;
    let output = run.start(None).await?;
    let output = if output.code != 0 && output.stderr.contains(JAVA_DATABASE_NEEDED) {
        run.start(Some(&java().await?)).await?
    } else {
        output
    };
    run.conclude(&output)
}

struct Scan<'a> {
    launcher: &'a Launcher,
    request: &'a Request<'a>,
    folder: PlatformFolder,
    ignore_file: Option<PathBuf>,
    scratch: tempfile::TempDir,
    report: PathBuf,
}

impl<'a> Scan<'a> {
    fn new(launcher: &'a Launcher, request: &'a Request<'a>) -> Result<Self, Error> {
        let temporary = std::env::temp_dir();
        let scratch = tempfile::Builder::new().prefix("gp-deliver-").tempdir().map_err(Error::io(&temporary))?;
        std::fs::create_dir(scratch.path().join("empty")).map_err(Error::io(scratch.path()))?;
        let folder = PlatformFolder::create(request.image, request.platform)?;
        let ignore_file = ignore_file(request.root)?;
        let report = scratch.path().join("report.json");
        Ok(Self { launcher, request, folder, ignore_file, scratch, report })
    }

    async fn start(&self, java: Option<&Path>) -> Result<Output, Error> {
        let scratch = self.scratch.path();
        let cache = scratch.join("cache");
        let _ = std::fs::remove_dir_all(&cache);
        let fill = || {
            std::fs::create_dir(&cache)?;
            link(self.request.database, &cache.join("db"))?;
            java.map_or(Ok(()), |java| link(java, &cache.join("java-db")))
        };
        fill().map_err(Error::io(&cache))?;
        let run = self.launcher.find(Tool::TRIVY.name())?.run(self.request.deadline);
        // Its own limit is five minutes; ours is the one that counts.
        let run = run.arg(format!("--timeout={}s", self.request.deadline.as_secs().saturating_add(60)));
        // It reports a list of packages that it can't read only at the debug level.
        let run = run.arg("--debug").stderr_limit(MAX_STDERR_BYTES);
        // Either of the last two switches by itself still lets trivy ask its maker's servers.
        let run = run.args(["image", "--cache-backend=memory", "--skip-db-update", "--skip-java-db-update", "--offline-scan"]);
        let run = run.args(["--scanners=vuln", "--format=json", "--show-suppressed", "--list-all-pkgs", "--no-progress"]);
        let run = run.args(["--skip-version-check", "--disable-telemetry", "--input"]).arg(self.folder.path());
        let mut run = run.arg("--cache-dir").arg(&cache).arg("--output").arg(&self.report);
        if let Some(path) = &self.ignore_file {
            run = run.arg("--ignorefile").arg(path);
        }
        // Not in the project's folder, where trivy would find configuration.
        let run = run.folder(scratch.join("empty")).env("TMPDIR", scratch).env("HOME", scratch.join("empty"));
        Ok(run.env("GOMEMLIMIT", SOFT_MEMORY_LIMIT).output().await?)
    }

    fn conclude(&self, output: &Output) -> Result<Vulnerabilities, Error> {
        if output.code != 0 {
            return Err(self.failure(output));
        }
        let report = report::Report::read(&self.report).map_err(|reason| Error::invalid_output(Tool::TRIVY, reason, output))?;
        report.check(self.request.platform).map_err(|reason| Error::invalid_output(Tool::TRIVY, reason, output))?;
        let mut found = report.into_vulnerabilities(&self.request.platform.platform);
        found.warnings.extend(self.words(&Log::of(output)));
        if self.ignore_file.is_some() && both_ignore_files(self.request.root) {
            found.warnings.push(".trivyignore was not used, since there is a .trivyignore.yaml".to_owned());
        }
        Ok(found)
    }

    /// What trivy says besides its report, and does not say in its exit code.
    fn words(&self, log: &Log<'_>) -> Vec<String> {
        let platform = &self.request.platform.platform;
        let mut warnings: Vec<_> = log.warnings().into_iter().map(|warning| format!("{platform}: trivy: {warning}")).collect();
        let unread: Vec<_> = log.unread().into_iter().collect();
        if !unread.is_empty() {
            let named = unread[..unread.len().min(NAMED)].join(", ");
            let more = if unread.len() > NAMED { format!(" and {} more", unread.len() - NAMED) } else { String::new() };
            warnings
                .push(format!("{platform}: trivy can't read some lists of packages, so those were not judged: {named}{more}"));
        }
        warnings
    }

    fn failure(&self, output: &Output) -> Error {
        let Some(reason) = Log::of(output).fatal() else { return Error::failed(Tool::TRIVY, output) };
        let reason = String::from(text::line(&reason, text::WORDS));
        match self.ignore_file.as_ref().filter(|path| reason.contains(&*path.to_string_lossy())) {
            Some(path) => Error::IgnoreFile { path: path.clone(), reason },
            None => Error::Failed { tool: Tool::TRIVY, code: output.code, last: vec![reason] },
        }
    }
}

fn link(folder: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(std::fs::canonicalize(folder)?, link)
}

/// The names of the project's lists.
pub(crate) const IGNORE_FILES: [&str; 2] = [".trivyignore.yaml", ".trivyignore"];

/// The project's list of vulnerabilities to pass over; the one that can give reasons wins.
fn ignore_file(root: &Path) -> Result<Option<PathBuf>, Error> {
    let root = std::fs::canonicalize(root).map_err(Error::io(root))?;
    let there = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok();
    let Some(path) = IGNORE_FILES.map(|name| root.join(name)).into_iter().find(there) else { return Ok(None) };
    if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(Error::IgnoreFile { path, reason: "it is not a regular file".to_owned() });
    }
    Ok(Some(path))
}

fn both_ignore_files(root: &Path) -> bool {
    IGNORE_FILES.iter().all(|name| root.join(name).exists())
}

#[cfg(test)]
mod with_parts;
