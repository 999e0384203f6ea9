//! trivy: packages in the image with known vulnerabilities.

mod analyses;
mod by_sbom;
mod distribution;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub(crate) mod ignore;
mod listed;
mod log;
pub(crate) mod placed;
pub(crate) mod report;
mod unseen;

pub(crate) use analyses::Analyses;
pub(crate) use by_sbom::{SbomRequest, judge_sbom};
pub(crate) use unseen::unseen;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::Error;
use super::packages::Packages;
use super::platform::PlatformFolder;
use crate::coverage::Gap;
use crate::finding::{Suppression, Vulnerability};
use crate::oci::image::PlatformImage;
use crate::oci::{Image, Platform};
use crate::process::{Launcher, Limits, Output, Reach};
use crate::scanner::Tool;
use crate::text;
use ignore::Lists;
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
    /// What the project lets through.
    pub(crate) ignored: &'a Lists,
    /// The time that each run of trivy may take.
    pub(crate) deadline: Duration,
    /// Whether its report is kept as it is.
    pub(crate) keep: bool,
    /// What was read in layers before, where that counts.
    pub(crate) analyses: Option<&'a Analyses>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vulnerabilities {
    /// The vulnerabilities, worst first.
    pub(crate) findings: Vec<Vulnerability>,
    /// What the project let through.
    pub(crate) suppressions: Vec<Suppression>,
    /// How many packages were judged.
    pub(crate) packages: u32,
    /// The packages that trivy has looked up.
    pub(crate) list: Packages,
    /// What it did not judge, as far as it says so itself.
    pub(crate) gaps: Vec<Gap>,
    /// What a reader should know besides.
    pub(crate) warnings: Vec<String>,
    /// Trivy's report, as it wrote it; empty unless it is to be kept.
    pub(crate) report: Bytes,
    /// When it began, and when it ended.
    pub(crate) times: (Timestamp, Timestamp),
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
    let folder = PlatformFolder::create(request.image, request.platform)?;
    let run = Scan::new(launcher, request.means(), About::image(request.platform), Subject::Image(folder))?;
    // What goes wrong may be what a file of earlier scans does to it.
    let forget = || request.analyses.into_iter().for_each(Analyses::forget);
    let mut output = run.start(None, request.analyses).await.inspect_err(|_| forget())?;
    let asks_for_java = |output: &Output| output.code != 0 && output.stderr.contains(JAVA_DATABASE_NEEDED);
    if output.code != 0 && request.analyses.is_some() && !asks_for_java(&output) {
        forget();
        output = run.start(None, None).await?;
    }
    if asks_for_java(&output) {
        output = run.start(Some(&java().await?), None).await?;
    } else if output.code == 0 && Log::of(&output).says_nothing() {
        request.analyses.into_iter().for_each(|analyses| analyses.keep(&run.cache()));
    }
    run.conclude(&output)
}

/// Looks for vulnerabilities in packages of the image that are known by name alone: those that the SBOM lists and [`scan`]
/// has not seen. What it has looked up is in the list.
///
/// # Errors
/// The packages were not looked up.
pub(crate) async fn judge(launcher: &Launcher, request: &Request<'_>, packages: &Packages) -> Result<Vulnerabilities, Error> {
    let run = Scan::new(launcher, request.means(), About::list_in(request.platform), Subject::List)?;
    let path = run.list();
    listed::write(&path, &run.about, packages, None).map_err(Error::io(&path))?;
    let output = run.start(None, None).await?;
    run.conclude(&output)
}

impl<'a> Request<'a> {
    fn means(&self) -> Means<'a> {
        Means { database: self.database, ignored: self.ignored, deadline: self.deadline, keep: self.keep }
    }
}

/// What it is judged by.
#[derive(Clone, Copy)]
struct Means<'a> {
    database: &'a Path,
    ignored: &'a Lists,
    deadline: Duration,
    keep: bool,
}

/// Which image a report has to be about.
struct About {
    platform: Platform,
    image_id: String,
    diff_ids: Vec<String>,
    /// By which part of trivy a distribution's packages would have been read, where they are handed over in a list.
    analyzer: Option<&'static str>,
}

impl About {
    fn image(image: &PlatformImage) -> Self {
        Self {
            platform: image.platform.clone(),
            image_id: image.config_descriptor.digest().to_string(),
            diff_ids: image.layers.iter().map(|layer| layer.diff_id.to_string()).collect(),
            analyzer: None,
        }
    }

    /// A list of packages in an image. Which image that is, its configuration says alone: of layers trivy gives an order of its
    /// own back.
    fn list_in(image: &PlatformImage) -> Self {
        Self { diff_ids: Vec::new(), ..Self::image(image) }
    }
}

/// What trivy is shown.
enum Subject {
    /// The image.
    Image(PlatformFolder),
    /// A list of packages in it.
    List,
}

struct Scan<'a> {
    launcher: &'a Launcher,
    means: Means<'a>,
    about: About,
    subject: Subject,
    ignore_file: Option<PathBuf>,
    scratch: tempfile::TempDir,
    report: PathBuf,
    began: Timestamp,
}

impl<'a> Scan<'a> {
    fn new(launcher: &'a Launcher, means: Means<'a>, about: About, subject: Subject) -> Result<Self, Error> {
        let temporary = std::env::temp_dir();
        let scratch = tempfile::Builder::new().prefix("gp-deliver-").tempdir().map_err(Error::io(&temporary))?;
        std::fs::create_dir(scratch.path().join("empty")).map_err(Error::io(scratch.path()))?;
        let ignore_file = means.ignored.write(scratch.path())?;
        let report = scratch.path().join("report.json");
        Ok(Self { launcher, means, about, subject, ignore_file, scratch, report, began: Timestamp::now() })
    }

    /// Where the list of packages stands.
    fn list(&self) -> PathBuf {
        self.scratch.path().join("packages.cdx.json")
    }

    /// The cache folder that trivy is given.
    fn cache(&self) -> PathBuf {
        self.scratch.path().join("cache")
    }

    /// Starts it with the index of jars, and with what was read in layers before.
    async fn start(&self, java: Option<&Path>, analyses: Option<&Analyses>) -> Result<Output, Error> {
        let (scratch, cache) = (self.scratch.path(), self.cache());
        let _ = std::fs::remove_dir_all(&cache);
        let fill = || {
            std::fs::create_dir(&cache)?;
            link(self.means.database, &cache.join("db"))?;
            java.map_or(Ok(()), |java| link(java, &cache.join("java-db")))?;
            analyses.map_or(Ok(()), |analyses| analyses.lay_into(&cache))
        };
        fill().map_err(Error::io(&cache))?;
        let reach = Reach::nothing(Limits::TRIVY).writes(scratch).reads(self.means.database);
        let reach = match &self.subject {
            Subject::Image(folder) => folder.readable(reach),
            Subject::List => reach,
        };
        let reach = java.into_iter().fold(reach, Reach::reads);
        let run = self.launcher.find(Tool::TRIVY.name())?.run(self.means.deadline, reach).in_turn();
        // Its own limit is five minutes; ours is the one that counts.
        let run = run.arg(format!("--timeout={}s", self.means.deadline.as_secs().saturating_add(60)));
        // It reports a list of packages that it can't read only at the debug level.
        let run = run.arg("--debug").stderr_limit(MAX_STDERR_BYTES);
        // Either of the last two switches by itself still lets trivy ask its maker's servers.
        let run = match &self.subject {
            Subject::Image(folder) => run.args(["image", "--input"]).arg(folder.path()),
            Subject::List => run.arg("sbom").arg(self.list()),
        };
        let run = run.arg(if analyses.is_some() { "--cache-backend=fs" } else { "--cache-backend=memory" });
        let run = run.args(["--skip-db-update", "--skip-java-db-update", "--offline-scan"]);
        let run = run.args(["--scanners=vuln", "--format=json", "--show-suppressed", "--list-all-pkgs", "--no-progress"]);
        let run = run.args(["--skip-version-check", "--disable-telemetry"]);
        let mut run = run.arg("--cache-dir").arg(&cache).arg("--output").arg(&self.report);
        if let Some(path) = &self.ignore_file {
            run = run.arg("--ignorefile").arg(path);
        }
        // Not in the project's folder, where trivy would find configuration.
        let run = run.folder(scratch.join("empty")).env("TMPDIR", scratch).env("HOME", scratch.join("empty"));
        Ok(run.env("GOMEMLIMIT", SOFT_MEMORY_LIMIT).env("GOGC", Limits::GROWTH).output().await?)
    }

    fn conclude(&self, output: &Output) -> Result<Vulnerabilities, Error> {
        if output.code != 0 {
            return Err(self.failure(output));
        }
        let mut report =
            report::Report::read(&self.report).map_err(|reason| Error::invalid_output(Tool::TRIVY, reason, output))?;
        report.check(&self.about).map_err(|reason| Error::invalid_output(Tool::TRIVY, reason, output))?;
        if let Some(analyzer) = self.about.analyzer {
            report.read_by(analyzer);
        }
        let log = Log::of(output);
        let mut found = report.into_vulnerabilities(&self.about.platform, self.means.ignored, &log);
        found.warnings.extend(self.words(&log));
        if self.means.keep {
            let kept = report::bytes(&self.report);
            found.report = kept.map_err(|reason| Error::invalid_output(Tool::TRIVY, reason, output))?;
        }
        found.times.0 = self.began;
        Ok(found)
    }

    /// What trivy says besides its report, and is no gap in what it judged.
    fn words(&self, log: &Log<'_>) -> Vec<String> {
        let platform = &self.about.platform;
        let mut warnings: Vec<_> = log.warnings().into_iter().map(|warning| format!("{platform}: trivy: {warning}")).collect();
        let brought: Vec<_> = log.unread().into_iter().filter(|unread| !unread.is_installed).map(|unread| unread.name).collect();
        if !brought.is_empty() {
            let named = brought[..brought.len().min(NAMED)].join(", ");
            let more = if brought.len() > NAMED { format!(" and {} more", brought.len() - NAMED) } else { String::new() };
            warnings.push(format!(
                "{platform}: trivy can't read what looks like lists of packages and is where no package manager puts one: {named}{more}"
            ));
        }
        warnings
    }

    fn failure(&self, output: &Output) -> Error {
        let Some(reason) = Log::of(output).fatal() else { return Error::failed(Tool::TRIVY, output) };
        let reason = String::from(text::line(&reason, text::WORDS));
        match self.ignore_file.as_ref().filter(|path| reason.contains(&*path.to_string_lossy())) {
            Some(_) => Error::IgnoreFile { path: self.means.ignored.names().into(), reason },
            None => Error::Failed { tool: Tool::TRIVY, code: output.code, last: vec![reason] },
        }
    }
}

fn link(folder: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(std::fs::canonicalize(folder)?, link)
}

#[cfg(test)]
mod with_parts;
