//! gitleaks: secrets in the working tree and in the history of the source.
//!
//! gitleaks lets the scanned repository decide what is a leak (`.gitleaks.toml`, `.gitleaksignore`, `gitleaks:allow`),
//! and keeps quiet about what it let through. Here all that is honoured and counted: gitleaks runs again without the one
//! and the other, and what only those runs find is a [`Suppression`].

mod added;
mod history;
mod ignore;
mod report;
mod rules;
mod run;
#[cfg(test)]
mod with_parts;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

pub(crate) use history::History;
use ignore::Ignored;
use report::Match;
use rules::Rules;
use run::{Mode, Scanner};

use super::Error;
use crate::finding::{Leak, Suppression};
use crate::process::Launcher;
use crate::scanner::Tool;

/// What to scan.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    /// The folder of the source; with its history where one is asked for.
    pub(crate) root: &'a Path,
    /// How much of the history.
    pub(crate) history: &'a History,
    /// Folders and files that are ours and not the project's (the report's folder), absolute or relative to the root;
    /// those outside of it make no difference.
    pub(crate) exclude: &'a [PathBuf],
    /// The time that each run of gitleaks may take.
    pub(crate) deadline: Duration,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leaks {
    /// The leaks, those of the working tree first.
    pub(crate) findings: Vec<Leak>,
    /// What the project let through.
    pub(crate) suppressions: Vec<Suppression>,
    /// How many commits were scanned.
    pub(crate) commits: u64,
    /// What a reader should know besides.
    pub(crate) warnings: Vec<String>,
}

/// Looks for secrets. The secrets themselves are in nothing that this gives back.
///
/// # Errors
/// A part of the source was not scanned, for whatever reason; see [`Error`].
pub(crate) async fn scan(launcher: &Launcher, request: &Request<'_>) -> Result<Leaks, Error> {
    let root = std::fs::canonicalize(request.root).map_err(Error::io(request.root))?;
    let rules = Rules::of_project(&root)?;
    let ignored = Ignored::of_project(&root)?;
    let exclude: Vec<_> = request.exclude.iter().filter_map(|path| inside(&root, path)).collect();
    let scanner = Scanner::new(launcher, &root, rules, &exclude, request.deadline)?;

    let tree = look(&scanner, &Mode::Tree, &ignored);
    let past = async {
        let Some(repository) = history::open(launcher, &root, request.history, scanner.scratch(), request.deadline).await? else {
            return Ok((Outcome::default(), 0));
        };
        let commits = repository.commits;
        let found = look(&scanner, &Mode::History(repository), &ignored).await?;
        Ok((found, commits))
    };
    let (tree, (past, commits)) = tokio::try_join!(tree, past)?;
    let warnings = tree.warnings.into_iter().chain(past.warnings).collect::<BTreeSet<_>>();
    Ok(Leaks {
        suppressions: count(&tree.suppressed, &past.suppressed),
        findings: merge(tree.leaks, &past.leaks),
        commits,
        warnings: warnings.into_iter().collect(),
    })
}

/// The results of one mode's runs.
#[derive(Default)]
struct Outcome {
    leaks: Vec<Match>,
    suppressed: Vec<(&'static str, Match)>,
    warnings: Vec<String>,
}

/// Runs gitleaks as often as it takes to tell what the project let through: once for a clean source without files of
/// gitleaks'.
async fn look(scanner: &Scanner<'_>, mode: &Mode, ignored: &Ignored) -> Result<Outcome, Error> {
    let run::ScanOutput { matches: all, warnings } = scanner.run(mode, run::Plan::AllowedToo).await?;
    let kept = if all.is_empty() { Vec::new() } else { scanner.run(mode, run::Plan::AsConfigured).await?.matches };
    let mut suppressed: Vec<_> = difference(&all, &kept).map(|leak| ("gitleaks:allow", leak)).collect();

    // Over a history gitleaks is kept from reading `.gitleaksignore`. Over a tree it can't be kept from it, but then
    // a run under names that nobody can have listed tells what it would have found.
    let (leaks, listed) = kept.into_iter().partition::<Vec<_>, _>(|leak| !ignored.lists(leak));
    suppressed.extend(listed.into_iter().map(|leak| (".gitleaksignore", leak)));
    if matches!(mode, Mode::Tree) && !ignored.is_empty() {
        let unignored = scanner.run(mode, run::Plan::IgnoredToo).await?.matches;
        let listed = unignored.into_iter().filter(|leak| ignored.lists(leak));
        suppressed.extend(listed.map(|leak| (".gitleaksignore", leak)));
    }
    if scanner.has_rules() {
        let known: BTreeSet<_> = all.iter().chain(suppressed.iter().map(|(_, leak)| leak)).map(Match::place).collect();
        let by_default = scanner.run(mode, run::Plan::DefaultRules).await?.matches;
        let dropped: Vec<_> = by_default.into_iter().filter(|leak| !known.contains(&leak.place())).collect();
        suppressed.extend(dropped.into_iter().map(|leak| (".gitleaks.toml", leak)));
    }
    Ok(Outcome { leaks, suppressed, warnings })
}

/// What is in `all` more often than in `some`.
fn difference<'a>(all: &'a [Match], some: &[Match]) -> impl Iterator<Item = Match> + 'a {
    let mut left: HashMap<Match, usize> = HashMap::new();
    for found in some {
        *left.entry(found.clone()).or_default() += 1;
    }
    all.iter()
        .filter(move |found| left.get_mut(found).is_none_or(|count| count.checked_sub(1).map(|less| *count = less).is_none()))
        .cloned()
}

/// Makes one list: a leak that is in the tree and in a commit is the tree's, with the commit noted.
fn merge(tree: Vec<Match>, past: &[Match]) -> Vec<Leak> {
    let mut commits: HashMap<_, _> = past.iter().map(|leak| (leak.spot(), leak.commit.clone())).collect();
    let tree: BTreeMap<_, _> = tree.into_iter().map(|leak| (leak.spot(), leak)).collect();
    let only_past: BTreeSet<_> =
        past.iter().filter(|leak| !tree.contains_key(&leak.spot())).map(|leak| leak.leak(None)).collect();
    let in_tree = tree.iter().map(|(spot, leak)| leak.leak(commits.remove(spot)));
    in_tree.chain(only_past).collect()
}

/// One suppression for each file or mark and rule. A place that is let through in the tree and in commits counts once.
fn count(tree: &[(&'static str, Match)], past: &[(&'static str, Match)]) -> Vec<Suppression> {
    let places: BTreeSet<_> =
        tree.iter().chain(past).map(|(by, leak)| (*by, leak.rule.as_str(), leak.file.as_str(), leak.start_line)).collect();
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for (by, rule, ..) in places {
        *counts.entry((by, rule)).or_default() += 1;
    }
    let suppression = |((by, rule), count): ((&str, &str), u32)| Suppression {
        tool: Tool::GITLEAKS,
        by: by.to_owned(),
        id: rule.to_owned(),
        reason: None,
        count,
    };
    counts.into_iter().map(suppression).collect()
}

/// A path relative to `root`, if it is in there.
fn inside(root: &Path, path: &Path) -> Option<PathBuf> {
    let path = root.join(path);
    // Not there yet, it can hold nothing, but it may appear while gitleaks looks.
    let path = std::fs::canonicalize(&path).unwrap_or(path);
    let relative = path.strip_prefix(root).ok()?;
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && relative != Path::new("")).then(|| relative.to_owned())
}
