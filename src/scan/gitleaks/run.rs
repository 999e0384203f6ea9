//! One run of gitleaks, and whether to believe it.
//!
//! gitleaks is started in its `git` mode, and the git that it finds is ours: what it looks at is what we say, all of it, and we
//! know how many bytes that is. Of a project it sees nothing else: no folder, no rules but those that were read, no list.

use std::collections::HashSet;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;

use super::defaults;
use super::history::Repository;
use super::names::{Names, Shown};
use super::paths::Paths;
use super::placing::{self, Given};
use super::report::Match;
use super::rules::Rules;
use super::tree::{Tree, Walked};
use crate::document;
use crate::process::{self, Launcher, Limits, Output, Program, Reach, StandIn};
use crate::scan::Error;
use crate::scanner::Tool;
use crate::stamp::Stamp;
use crate::text;

/// The exit code that we ask for when there are leaks: gitleaks' own default is the code of its failures too.
const LEAKS_FOUND: i32 = 3;
pub(crate) const MAX_REPORT_BYTES: u64 = 64 << 20;
const MAX_STDERR_BYTES: u64 = 8 << 20;
/// Files that an error names; more would bury its point.
const MAX_NAMED_FILES: usize = 10;

/// Where to look.
pub(super) enum Mode {
    /// In the files that are there.
    Tree(Tree),
    /// In what commits added.
    History(Box<Repository>),
}

/// What a run goes by.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) rules: &'a Rules,
    /// Whether a line with the comment `gitleaks:allow` is passed over.
    pub(super) heeds_comments: bool,
}

/// The result of a run.
pub(super) struct ScanOutput {
    pub(super) matches: Vec<Match>,
    pub(super) warnings: Vec<String>,
    /// What the files were that are to be known again.
    pub(super) stamps: HashSet<Stamp>,
}

/// gitleaks, made ready.
pub(super) struct Scanner {
    program: Program,
    names: Names,
    deadline: Duration,
    scratch: tempfile::TempDir,
    /// What gitleaks takes for git.
    stand_in: PathBuf,
}

impl Scanner {
    pub(super) fn new(launcher: &Launcher, deadline: Duration) -> Result<Self, Error> {
        let program = launcher.find(Tool::GITLEAKS.name())?;
        let temporary = std::env::temp_dir();
        let defaults = defaults::rules()?.written_as_defaults();
        let scratch = tempfile::Builder::new().prefix("gp-deliver-").rand_bytes(16).tempdir().map_err(Error::io(&temporary))?;
        let make = || {
            ["empty", "bin"].into_iter().try_for_each(|folder| fs::create_dir(scratch.path().join(folder)))?;
            fs::write(defaults_in(scratch.path()), &defaults)?;
            launcher.put_stand_in(&scratch.path().join("bin"), "git")
        };
        let stand_in = make().map_err(Error::io(scratch.path()))?;
        let names = Names::new(&scratch.path().file_name().unwrap_or_default().to_string_lossy());
        Ok(Self { program, names, deadline, scratch, stand_in })
    }

    pub(super) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The time that each run may take.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Runs gitleaks once.
    pub(super) async fn run(&self, mode: &Mode, plan: Plan<'_>) -> Result<ScanOutput, Error> {
        self.run_within(self.deadline, mode, plan).await
    }

    /// Runs gitleaks once, and has it end within `deadline` of its start: it may have to wait for its turn.
    pub(super) async fn run_within(&self, deadline: Duration, mode: &Mode, plan: Plan<'_>) -> Result<ScanOutput, Error> {
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in(self.scratch()).map_err(Error::io(self.scratch()))?;
        let report = folder.path().join("report.json");
        let says = self.prepare(folder.path(), plan).map_err(Error::io(folder.path()))?;
        let mut gitleaks = pin!(self.command(deadline, folder.path(), &report, plan).output());
        let mut said = pin!(self.say(mode, says, plan.rules));
        let (output, said) = tokio::select! {
            // What is said to its end is known to be so before the end of gitleaks is looked at.
            biased;
            said = &mut said => {
                // The pipe stays open until gitleaks has ended.
                let (walked, _pipe) = said?;
                (gitleaks.await?, Some(walked))
            }
            output = &mut gitleaks => (output?, None),
        };
        let words = words(&output)?;
        let (expected, walked) = said.map_or_else(|| (None, Walked::default()), |walked| (Some(walked.added), walked));
        if expected.is_none() || words.scanned_bytes != expected {
            let (scanned, last) = (words.scanned_bytes.unwrap_or_default(), output.last_lines());
            return Err(match mode {
                Mode::Tree(_) => Error::PartialTree { scanned, expected, last },
                Mode::History(_) => Error::PartialHistory { scanned, expected, last },
            });
        }
        let matches = read(&report, &output)?;
        if words.leaks != matches.len() as u64 || (output.code == LEAKS_FOUND) == matches.is_empty() {
            let reason = format!("its report has {} entries, its log says {}", matches.len(), words.leaks);
            return Err(Error::invalid_output(Tool::GITLEAKS, reason, &output));
        }
        let matches = match mode {
            Mode::Tree(_) => self.in_files(matches, &walked.paths)?,
            Mode::History(repository) => {
                let given = Given { names: &self.names, rules: plan.rules, paths: &walked.paths };
                repository.place(matches, given).await?
            }
        };
        Ok(ScanOutput { matches, warnings: words.warnings, stamps: walked.stamps })
    }

    /// The matches in the files that are there, by their paths.
    fn in_files(&self, matches: Vec<Match>, paths: &Paths) -> Result<Vec<Match>, Error> {
        let placed = |found: Match| match self.names.meant(&found.file) {
            Shown::File(path) => Ok(Match { file: String::from_utf8_lossy(&path).into_owned(), ..found }),
            Shown::Listing(page) => {
                let (path, _) = paths.at(page, found.start_line).ok_or_else(|| placing::not_given(&found))?;
                Ok(placing::in_name(found, path, String::new()))
            }
        };
        matches.into_iter().map(placed).collect()
    }

    fn prepare(&self, folder: &Path, plan: Plan<'_>) -> std::io::Result<StandIn> {
        fs::write(rules_in(folder), plan.rules.written(&self.names.no_guesses(), &defaults_in(self.scratch())))?;
        StandIn::create(folder)
    }

    fn command(&self, deadline: Duration, folder: &Path, report: &Path, plan: Plan<'_>) -> crate::process::Run {
        let reach = Reach::nothing(Limits::GITLEAKS).writes(folder).reads(self.scratch().join("empty"));
        let reach = reach.reads(defaults_in(self.scratch())).executes(&self.stand_in);
        let mut run = self.program.run(deadline, reach).in_turn().stderr_limit(MAX_STDERR_BYTES);
        run = run.folder(self.scratch().join("empty")).env("GOMEMLIMIT", Limits::GITLEAKS.for_go());
        run = run.env("TMPDIR", folder).env("HOME", self.scratch().join("empty")).env("PATH", self.scratch().join("bin"));
        run = run.args(["--no-banner", "--no-color", "--redact=100", "--report-format=json", "--exit-code=3"]);
        run = run.arg("--report-path").arg(report).arg("--config").arg(rules_in(folder));
        run = run.arg("--gitleaks-ignore-path").arg(self.scratch().join("empty"));
        if !plan.heeds_comments {
            run = run.arg("--ignore-gitleaks-allow");
        }
        run.arg("git").arg("--platform=none").arg(format!("--log-opts={}", StandIn::ARGUMENT)).arg(folder)
    }

    /// Says all that there is to look at.
    async fn say(&self, mode: &Mode, mut says: StandIn, rules: &Rules) -> Result<(Walked, StandIn), Error> {
        let walked = match mode {
            Mode::Tree(tree) => say_tree(tree.clone(), &mut says).await?,
            Mode::History(repository) => {
                let (added, paths) = repository.say(&mut says, &self.names, rules).await?;
                Walked { added, paths, ..Walked::default() }
            }
        };
        Ok((walked, says.end().await.map_err(Error::io(self.scratch()))?))
    }
}

async fn say_tree(tree: Tree, says: &mut StandIn) -> Result<Walked, Error> {
    let (found, mut finds) = mpsc::channel(4);
    let root = tree.root().to_owned();
    let walk = tokio::task::spawn_blocking(move || tree.walk(|bytes| found.blocking_send(bytes).is_ok()));
    while let Some(bytes) = finds.recv().await {
        says.say(&bytes).await.map_err(Error::io(&root))?;
    }
    let mut walked = walk.await.map_err(|error| Error::Io { path: root, source: std::io::Error::other(error) })?;
    if walked.unread.is_empty() {
        return Ok(walked);
    }
    walked.unread.sort();
    Err(Error::Unread(walked.unread))
}

/// gitleaks' own rules, which those of a run extend.
fn defaults_in(scratch: &Path) -> PathBuf {
    scratch.join("defaults.toml")
}

fn rules_in(folder: &Path) -> PathBuf {
    folder.join("rules.toml")
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

    /// Whether it goes on as it should. What it leaves out is told by how the message begins: its end may be a file's name.
    fn warn(&mut self, message: &str) -> bool {
        if let Some(count) = message.strip_prefix("leaks found: ").and_then(|count| count.parse().ok()) {
            self.leaks = count;
            return true;
        }
        self.warnings.push(format!("gitleaks: {}", text::words(message)));
        !["skipping", "issue reading", "partial scan"].iter().any(|words| message.starts_with(words))
    }
}

/// What gitleaks says on standard error, or the error that it tells of. It writes `TIME LEVEL MESSAGE FIELDS`.
fn words(output: &Output) -> Result<Words, Error> {
    let mut words = Words::default();
    let mut broken = !matches!(output.code, 0 | LEAKS_FOUND);
    for line in output.stderr.lines().map(text::plain) {
        let (level, message) = line.split_once(' ').and_then(|(_, rest)| rest.split_once(' ')).unwrap_or_default();
        match level {
            "INF" => words.inform(message),
            "WRN" => broken |= !words.warn(message),
            "ERR" | "FTL" | "PNC" => broken = true,
            _ => {}
        }
    }
    if broken { Err(failure(output)) } else { Ok(words) }
}

fn failure(output: &Output) -> Error {
    let lines: Vec<String> = text::lines(&output.stderr, text::WORDS).map(String::from).collect();
    let of_rules = ["gitleaks config", "Failed to load config", "regexp: Compile", "regexp.MustCompile"];
    if let Some(line) = lines.iter().find(|line| of_rules.iter().any(|words| line.contains(words))) {
        return Error::LeakRules { reason: line.clone() };
    }
    let levels = [" WRN skipping", " ERR ", " FTL ", " PNC "];
    let telling: Vec<_> = lines.into_iter().filter(|line| levels.iter().any(|level| line.contains(level))).collect();
    let last = if telling.is_empty() { output.last_lines() } else { telling.into_iter().take(MAX_NAMED_FILES).collect() };
    Error::Failed { tool: Tool::GITLEAKS, code: output.code, last }
}

fn read(report: &Path, output: &Output) -> Result<Vec<Match>, Error> {
    let invalid_output = |reason: String| Error::invalid_output(Tool::GITLEAKS, reason, output);
    let file = process::open_report(report, MAX_REPORT_BYTES).map_err(|error| invalid_output(format!("no report: {error}")))?;
    document::stream(BufReader::new(file)).map_err(|error| invalid_output(format!("its report is not understood: {error}")))
}
