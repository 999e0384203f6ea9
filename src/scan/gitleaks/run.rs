//! One run of gitleaks, and whether to believe it.

use std::ffi::OsString;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::history::Repository;
use super::report::Match;
use super::rules::{self, Rules};
use crate::document;
use crate::process::{Launcher, Output, Program};
use crate::scan::Error;
use crate::scanner::Tool;
use crate::text;

/// The exit code that we ask for when there are leaks: gitleaks' own default is the code of its failures too.
const LEAKS_FOUND: i32 = 3;
const MAX_REPORT_BYTES: u64 = 64 << 20;
const MAX_STDERR_BYTES: u64 = 8 << 20;
/// Files that an error names; more would bury its point.
const MAX_NAMED_FILES: usize = 10;

/// Where to look.
pub(super) enum Mode {
    /// In the files that are there.
    Tree,
    /// In what commits added.
    History(Repository),
}

/// How much a run follows the project's own settings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Entirely.
    AsConfigured,
    /// `gitleaks:allow` is ignored.
    AllowedToo,
    /// `gitleaks:allow` and `.gitleaksignore` are ignored.
    IgnoredToo,
    /// All of them are ignored, `.gitleaks.toml` too.
    DefaultRules,
}

/// The result of a run.
pub(super) struct ScanOutput {
    pub(super) matches: Vec<Match>,
    pub(super) warnings: Vec<String>,
}

/// gitleaks, made ready for one source.
pub(super) struct Scanner<'a> {
    program: Program,
    root: &'a Path,
    rules: Rules,
    exclude: &'a [PathBuf],
    deadline: Duration,
    scratch: tempfile::TempDir,
    alias: String,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(
        launcher: &Launcher,
        root: &'a Path,
        rules: Rules,
        exclude: &'a [PathBuf],
        deadline: Duration,
    ) -> Result<Self, Error> {
        let program = launcher.find(Tool::GITLEAKS.name())?;
        let temporary = std::env::temp_dir();
        let scratch = tempfile::Builder::new().prefix("gp-deliver-").rand_bytes(16).tempdir().map_err(Error::io(&temporary))?;
        let alias = scratch.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let make = || {
            fs::create_dir(scratch.path().join("empty"))?;
            fs::create_dir(scratch.path().join("objects"))?;
            fs::write(scratch.path().join("default.toml"), "[extend]\nuseDefault = true\n")?;
            std::os::unix::fs::symlink(root, scratch.path().join(&alias))
        };
        make().map_err(Error::io(scratch.path()))?;
        Ok(Self { program, root, rules, exclude, deadline, scratch, alias })
    }

    pub(super) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    pub(super) fn has_rules(&self) -> bool {
        self.rules == Rules::Project
    }

    /// Runs gitleaks once.
    pub(super) async fn run(&self, mode: &Mode, plan: Plan) -> Result<ScanOutput, Error> {
        let report = tempfile::Builder::new().prefix("report-").suffix(".json").tempfile_in(self.scratch());
        let report = report.map_err(Error::io(self.scratch()))?.into_temp_path();
        let ready = self.arguments(mode, plan, &report);
        let output = match mode {
            Mode::Tree => ready.output().await?,
            Mode::History(repository) => {
                // git counts what gitleaks should see, at the same time and from the same commits.
                let scanned = async { ready.output().await.map_err(Error::from) };
                let (output, expected) = tokio::try_join!(scanned, repository.added_bytes())?;
                let words = self.words(&output)?;
                if words.scanned_bytes != Some(expected) {
                    let scanned = words.scanned_bytes.unwrap_or_default();
                    return Err(Error::PartialHistory { scanned, expected, last: output.last_lines() });
                }
                output
            }
        };
        let words = self.words(&output)?;
        let matches = read(&report, &output)?;
        if words.leaks != matches.len() as u64 || (output.code == LEAKS_FOUND) == matches.is_empty() {
            let reason = format!("its report has {} entries, its log says {}", matches.len(), words.leaks);
            return Err(Error::invalid_output(Tool::GITLEAKS, reason, &output));
        }
        let matches = matches.into_iter().map(|found| self.normal(mode, found)).filter(|found| !self.is_ours(mode, &found.file));
        Ok(ScanOutput { matches: matches.collect(), warnings: words.warnings })
    }

    fn arguments(&self, mode: &Mode, plan: Plan, report: &Path) -> crate::process::Run {
        let aliased = matches!(mode, Mode::Tree) && matches!(plan, Plan::IgnoredToo | Plan::DefaultRules);
        let rules: OsString = match self.rules {
            Rules::Project if plan == Plan::DefaultRules => self.scratch().join("default.toml").into(),
            Rules::Default => self.scratch().join("default.toml").into(),
            Rules::Project if aliased => self.root.join(rules::FILE).into(),
            // By this very name, gitleaks knows the file as its own and does not look for leaks in it.
            Rules::Project => rules::FILE.into(),
        };
        let empty = self.scratch().join("empty");
        let mut run = self.program.run(self.deadline).stderr_limit(MAX_STDERR_BYTES);
        run = run.args(["--no-banner", "--no-color", "--redact=100", "--report-format=json", "--exit-code=3"]);
        run = run.arg("--report-path").arg(report).arg("--config").arg(rules).arg("--gitleaks-ignore-path").arg(&empty);
        run = run.env("TMPDIR", self.scratch()).env("HOME", &empty);
        if plan != Plan::AsConfigured {
            run = run.arg("--ignore-gitleaks-allow");
        }
        match mode {
            // Names in the report begin with this name, which nobody can have listed in `.gitleaksignore`.
            Mode::Tree if aliased => run.folder(self.scratch()).arg("dir").arg(format!("{}/.", self.alias)),
            // Relative, for the project's rules may have patterns that begin at the root.
            Mode::Tree => run.folder(self.root).arg("dir").arg("."),
            Mode::History(repository) => {
                let run = run.folder(self.root).arg("git").arg("--platform=none").arg("--log-opts").arg(repository.log_options());
                repository.environment(run).arg(empty)
            }
        }
    }

    /// What gitleaks says on standard error, or the error that it tells of. It writes `TIME LEVEL MESSAGE FIELDS`.
    fn words(&self, output: &Output) -> Result<Words, Error> {
        let mut words = Words::default();
        let mut unread = Vec::new();
        let mut broken = !matches!(output.code, 0 | LEAKS_FOUND);
        for line in output.stderr.lines().map(text::plain) {
            let (level, message) = line.split_once(' ').and_then(|(_, rest)| rest.split_once(' ')).unwrap_or_default();
            match level {
                "INF" => words.inform(message),
                "WRN" => match self.warned(message) {
                    Warned::Known => {}
                    Warned::Leaks(count) => words.leaks = count,
                    Warned::Unread(file) => unread.push(file),
                    Warned::Other => words.warnings.push(format!("gitleaks: {}", text::words(message))),
                },
                "ERR" | "FTL" | "PNC" => broken = true,
                _ => {}
            }
        }
        if broken {
            return Err(failure(output));
        }
        if !unread.is_empty() {
            unread.sort();
            return Err(Error::Unread(unread));
        }
        Ok(words)
    }

    fn warned(&self, message: &str) -> Warned {
        if let Some(count) = message.strip_prefix("leaks found: ").and_then(|count| count.parse().ok()) {
            return Warned::Leaks(count);
        }
        let file = message.rsplit_once(" path=").map_or(message, |(_, file)| file);
        let file = document::read(file.as_bytes()).unwrap_or_else(|_| file.to_owned());
        let is_unread = ["skipping", "issue reading", "partial"].iter().any(|word| message.contains(word));
        // What is gone when its turn comes holds no secret; what git says about renames changes nothing that is added.
        let is_harmless = message.contains("no such file or directory") || message.contains("rename");
        match (is_unread, is_harmless) {
            (_, true) => Warned::Known,
            (true, _) if self.is_ours(&Mode::Tree, &file) => Warned::Known,
            (true, _) => Warned::Unread(file),
            (false, _) => Warned::Other,
        }
    }

    /// Names as the project has them.
    fn normal(&self, mode: &Mode, mut found: Match) -> Match {
        let prefix = match mode {
            Mode::Tree => format!("{}/", self.alias),
            Mode::History(_) => format!("{}/", super::history::PREFIX),
        };
        if found.file.starts_with(&prefix) {
            found.file.drain(..prefix.len());
        }
        found
    }

    /// Whether a file of the tree belongs to us or to git, and not to the project. git admits no `.git` into a tree.
    fn is_ours(&self, mode: &Mode, file: &str) -> bool {
        let file = Path::new(file.strip_prefix(&format!("{}/", self.alias)).unwrap_or(file));
        matches!(mode, Mode::Tree)
            && (self.exclude.iter().any(|ours| file.starts_with(ours))
                || file.components().any(|part| part.as_os_str() == ".git"))
    }
}

enum Warned {
    Known,
    Leaks(u64),
    Unread(String),
    Other,
}

/// What gitleaks says about a run.
#[derive(Default)]
struct Words {
    leaks: u64,
    scanned_bytes: Option<u64>,
    warnings: Vec<String>,
}

impl Words {
    fn inform(&mut self, message: &str) {
        let bytes = message.strip_prefix("scanned ~").and_then(|rest| rest.split_once(' '));
        if let Some(bytes) = bytes.and_then(|(bytes, _)| bytes.parse().ok()) {
            self.scanned_bytes = Some(bytes);
        }
    }
}

fn failure(output: &Output) -> Error {
    let lines: Vec<String> = text::lines(&output.stderr, text::WORDS).map(String::from).collect();
    let of_rules = ["gitleaks config", "Failed to load config", "regexp: Compile", "regexp.MustCompile"];
    if let Some(line) = lines.iter().find(|line| of_rules.iter().any(|words| line.contains(words))) {
        return Error::LeakRules { reason: line.clone() };
    }
    let telling: Vec<_> =
        lines.into_iter().filter(|line| [" ERR ", " FTL ", " PNC "].iter().any(|level| line.contains(level))).collect();
    let last = if telling.is_empty() { output.last_lines() } else { telling.into_iter().take(MAX_NAMED_FILES).collect() };
    Error::Failed { tool: Tool::GITLEAKS, code: output.code, last }
}

fn read(report: &Path, output: &Output) -> Result<Vec<Match>, Error> {
    let invalid_output = |reason: String| Error::invalid_output(Tool::GITLEAKS, reason, output);
    let metadata = fs::symlink_metadata(report).map_err(|error| invalid_output(format!("no report: {error}")))?;
    if !metadata.is_file() || metadata.len() > MAX_REPORT_BYTES {
        return Err(invalid_output(format!("its report is not a file of at most {MAX_REPORT_BYTES} bytes")));
    }
    let file = fs::File::open(report).map_err(|error| invalid_output(error.to_string()))?;
    document::stream(BufReader::new(file)).map_err(|error| invalid_output(format!("its report is not understood: {error}")))
}
