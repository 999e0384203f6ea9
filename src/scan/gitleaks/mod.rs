//! gitleaks: secrets in the working tree and in the history of the source.
//!
//! gitleaks lets the scanned repository decide what is a leak (`.gitleaks.toml`, `.gitleaksignore`, `gitleaks:allow`), and keeps
//! quiet about what it let through; it passes over files by their names and first bytes, and what it can't read it tells in
//! words. Here it gets every byte as text from us, and counts them as we do. What the project lets through is counted: gitleaks
//! runs again without it, and what only those runs find is a [`Suppression`].

mod classes;
mod content;
mod defaults;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod history;
pub(crate) mod ignore;
mod lists;
mod names;
mod objects;
mod origin;
mod patch;
mod paths;
mod placing;
mod report;
mod rules;
pub(crate) mod run;
mod stretches;
mod tree;
mod versions;
#[cfg(test)]
mod with_parts;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) use history::{CommitRange, History};
use lists::List;
pub(crate) use lists::Lists;
#[cfg(test)]
pub(crate) use lists::MAX_BYTES as MAX_LIST_BYTES;
use report::Match;
#[cfg(test)]
pub(crate) use rules::MAX_BYTES as MAX_RULES_BYTES;
use rules::Rules;
use run::{Mode, Plan, Scanner};
use tree::Tree;

use super::Error;
use crate::finding::{Leak, Standing, Suppression};
use crate::process::Launcher;
use crate::scanner::Tool;
use crate::stamp::Stamp;
use crate::text;

/// What to scan.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    /// The folder to look through, all of it; with its history where one is asked for.
    pub(crate) root: &'a Path,
    /// How much of the history.
    pub(crate) history: &'a History,
    /// Folders and files that are not the project's (the report's folder, git's own), absolute or relative to the root. They
    /// are told by what they are now, not by their names.
    pub(crate) exclude: &'a [PathBuf],
    /// Files and folders that are not looked at, by their paths from the root. A caller sees to it that nobody gets them.
    pub(crate) unseen: &'a [PathBuf],
    /// The files to look at, relative to the root; all where it is absent.
    pub(crate) only: Option<&'a [PathBuf]>,
    /// The folder, relative to the root, whose files are to be known again: the build context.
    pub(crate) stamped: Option<&'a Path>,
    /// What the project lets through.
    pub(crate) lists: &'a Lists,
    /// The time that each run of gitleaks may take.
    pub(crate) deadline: Duration,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leaks {
    /// The leaks, those of the working tree first.
    pub(crate) findings: Vec<Leak>,
    /// What the project let through, or would have.
    pub(crate) suppressions: Vec<Suppression>,
    /// How many commits were scanned.
    pub(crate) commits: u64,
    /// What a reader should know besides.
    pub(crate) warnings: Vec<String>,
    /// What the files of the folder that was stamped were when they were looked at.
    pub(crate) stamps: HashSet<Stamp>,
}

/// Looks for secrets. The secrets themselves are in nothing that this gives back.
///
/// # Errors
/// A part of the source was not scanned, for whatever reason; see [`Error`].
pub(crate) async fn scan(launcher: &Launcher, request: &Request<'_>) -> Result<Leaks, Error> {
    let root = std::fs::canonicalize(request.root).map_err(Error::io(request.root))?;
    let scanner = Scanner::new(launcher, request.deadline)?;
    let left_out: Vec<_> = request.exclude.iter().cloned().chain([scanner.scratch().to_owned()]).collect();
    let files = Tree::new(&root, &left_out, scanner.names().clone());
    let files = files.without(request.unseen).stamping(request.stamped).only(request.only);
    let files = Mode::Tree(files);
    let tree = look(&scanner, &files, request.lists);
    let place = (scanner.scratch(), scanner.names().word());
    let past = async {
        let Some(repository) = history::open(launcher, &root, request.history, place, request.deadline).await? else {
            return Ok((Outcome::default(), 0));
        };
        let commits = repository.commits;
        let found = look(&scanner, &Mode::History(Box::new(repository)), request.lists).await?;
        Ok((found, commits))
    };
    let (tree, (past, commits)) = tokio::try_join!(tree, past)?;
    let mut warnings: BTreeSet<_> = tree.warnings.into_iter().chain(past.warnings).collect();
    warnings.extend(of_rules(&request.lists.counting()));
    Ok(Leaks {
        suppressions: count(&tree.suppressed, &past.suppressed),
        findings: merge(tree.leaks, &past.leaks),
        commits,
        warnings: warnings.into_iter().collect(),
        stamps: tree.stamps,
    })
}

/// What is to be said of the project's rules.
fn of_rules(list: &List) -> Vec<String> {
    let Some(rules) = &list.rules else { return Vec::new() };
    let replaces = rules.replaces_all().then(|| {
        "The project's .gitleaks.toml replaces all of gitleaks' own rules: without `useDefault = true` under [extend] nothing \
         else is looked for."
            .to_owned()
    });
    let unknown = (!rules.unknown.is_empty())
        .then(|| format!("gitleaks knows nothing of these names in the project's .gitleaks.toml: {}.", rules.unknown.join(", ")));
    replaces.into_iter().chain(unknown).collect()
}

/// The results of one mode's runs.
#[derive(Default)]
struct Outcome {
    leaks: Vec<Match>,
    suppressed: Vec<Passed>,
    warnings: Vec<String>,
    stamps: HashSet<Stamp>,
}

/// A leak, what lets it through, and whether that counts.
struct Passed {
    by: &'static str,
    standing: Standing,
    leak: Match,
}

/// Runs gitleaks as often as it takes to tell what the project let through: once for a clean source without rules of its own.
async fn look(scanner: &Scanner, mode: &Mode, lists: &Lists) -> Result<Outcome, Error> {
    let (counting, compared) = (lists.counting(), lists.compared());
    let defaults = Rules::of_gitleaks();
    let rules = counting.rules.as_ref().unwrap_or(&defaults);
    let begun = Instant::now();
    let run::ScanOutput { matches: all, warnings, stamps } = scanner.run(mode, Plan { rules, heeds_comments: false }).await?;
    let taken = begun.elapsed();
    let unmarked =
        if all.is_empty() { Vec::new() } else { scanner.run(mode, Plan { rules, heeds_comments: true }).await?.matches };
    let mut outcome = Outcome { warnings, stamps, ..Outcome::default() };

    let marked: Vec<_> = difference(&all, &unmarked).collect();
    let standings = lists.comments(&marked).await?;
    let mut left = unmarked;
    for (leak, standing) in marked.into_iter().zip(standings) {
        if standing == Standing::Refused {
            left.push(leak.clone());
        }
        outcome.suppressed.push(Passed { by: lists::COMMENT, standing, leak });
    }

    let lists_too = |leak: &Match| compared.as_ref().is_some_and(|list| list.ignored.lists(leak));
    let (leaks, listed) = left.into_iter().partition::<Vec<_>, _>(|leak| !counting.ignored.lists(leak));
    for leak in listed {
        outcome.suppressed.retain(|passed| passed.standing != Standing::Refused || passed.leak != leak);
        outcome.suppressed.push(Passed { by: ignore::FILE, standing: lists.standing(lists_too(&leak)), leak });
    }
    if lists.refuses() {
        let refused = leaks.iter().filter(|leak| lists_too(leak));
        outcome.suppressed.extend(refused.map(|leak| Passed {
            by: ignore::FILE,
            standing: Standing::Refused,
            leak: leak.clone(),
        }));
    }
    outcome.leaks = leaks;
    by_rules(scanner, mode, lists, (&all, taken), &mut outcome).await?;
    Ok(outcome)
}

/// What the project's rules let through. `taken` is the time of a run by those that count.
async fn by_rules(
    scanner: &Scanner,
    mode: &Mode,
    lists: &Lists,
    (all, taken): (&[Match], Duration),
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let counting = lists.counting();
    let places = |leaks: &[Match]| leaks.iter().map(Match::place).collect::<BTreeSet<_>>();
    let compared = compared(scanner, mode, lists, taken).await;
    if counting.rules.is_some() {
        let known = places(all);
        let defaults = Rules::of_gitleaks();
        let by_default = scanner.run(mode, Plan { rules: &defaults, heeds_comments: false }).await?.matches;
        for leak in by_default.into_iter().filter(|leak| !known.contains(&leak.place())) {
            let compared_too = match &compared {
                Compared::Same => true,
                Compared::Found(found) => !places(found).contains(&leak.place()),
                Compared::Unknown(_) => false,
            };
            outcome.suppressed.push(Passed { by: rules::FILE, standing: lists.standing(compared_too), leak });
        }
    }
    match compared {
        Compared::Found(found) if lists.refuses() => {
            let found = places(&found);
            let refused = outcome.leaks.iter().filter(|leak| !found.contains(&leak.place()));
            let refused = refused.map(|leak| Passed { by: rules::FILE, standing: Standing::Refused, leak: leak.clone() });
            outcome.suppressed.extend(refused.collect::<Vec<_>>());
        }
        Compared::Unknown(why) => outcome.warnings.push(uncompared(lists, &why)),
        Compared::Found(_) | Compared::Same => {}
    }
    Ok(())
}

/// What the rules find that do not count.
enum Compared {
    /// They are those that count, or there are none.
    Same,
    Found(Vec<Match>),
    /// They could not be run, for this reason.
    Unknown(String),
}

/// More rules, or bytes of patterns, than a project's own have. gitleaks makes all of them ready before it begins.
const MAX_COMPARED: (usize, usize) = (1000, 256 << 10);
/// A run by rules that do not count, which may be a stranger's, may take twice as long as one by those that do, and so much of
/// the time that any run has.
const COMPARED_WITHIN: u32 = 30;

/// Runs gitleaks by the rules that do not count. Whatever comes of it, the scan goes on without.
async fn compared(scanner: &Scanner, mode: &Mode, lists: &Lists, taken: Duration) -> Compared {
    if let Some(reason) = lists.uncompared() {
        return Compared::Unknown(reason.to_owned());
    }
    let list = match lists.compared() {
        Some(list) if list.rules != lists.counting().rules => list,
        _ => return Compared::Same,
    };
    let defaults = Rules::of_gitleaks();
    let rules = list.rules.as_ref().unwrap_or(&defaults);
    let (count, bytes) = rules.size();
    if count > MAX_COMPARED.0 || bytes > MAX_COMPARED.1 {
        return Compared::Unknown(format!("it has {count} rules and {bytes} bytes of patterns"));
    }
    match scanner.run_within(2 * taken + scanner.deadline() / COMPARED_WITHIN, mode, Plan { rules, heeds_comments: false }).await
    {
        Ok(output) => Compared::Found(output.matches),
        Err(error) => Compared::Unknown(error.to_string()),
    }
}

/// What is said where rules could not be compared.
fn uncompared(lists: &Lists, why: &str) -> String {
    let why = text::words(why);
    if lists.refuses() {
        format!(
            "The .gitleaks.toml that came with the change could not be compared with the one that counts: {why}. It does not \
             count, and what it would let through is not named."
        )
    } else {
        format!(
            "The .gitleaks.toml from before the change could not be compared with the one that counts: {why}. What the one that \
             counts lets through is taken for new."
        )
    }
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

/// One suppression for each file or mark, rule and standing. A place that is let through in the tree and in commits counts
/// once.
fn count(tree: &[Passed], past: &[Passed]) -> Vec<Suppression> {
    let place = |passed: &Passed| {
        let leak = &passed.leak;
        (passed.by, leak.rule.clone(), passed.standing, leak.file.clone(), leak.start_line)
    };
    let places: BTreeSet<_> = tree.iter().chain(past).map(place).collect();
    let mut counts: BTreeMap<(&str, String, Standing), u32> = BTreeMap::new();
    for (by, rule, standing, ..) in places {
        *counts.entry((by, rule, standing)).or_default() += 1;
    }
    let suppression = |((by, rule, standing), count): ((&str, String, Standing), u32)| Suppression {
        tool: Tool::GITLEAKS,
        by: by.to_owned(),
        id: rule,
        reason: None,
        count,
        standing,
        set_in: None,
        expires: None,
    };
    counts.into_iter().map(suppression).collect()
}
