//! What a project lets gitleaks pass over, and whose word counts: the change's own, or that of a commit before it.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use super::Error;
use super::ignore::{self, Ignored};
use super::report::Match;
use super::rules::{self, Rules};
use crate::beneath::{self, Kind, Links, Root};
use crate::finding::Standing;
use crate::scan::base::Base;

/// The comment that has gitleaks pass over a line.
pub(super) const COMMENT: &str = "gitleaks:allow";

/// The most bytes of the project's rules, and of its list.
pub(crate) const MAX_BYTES: u64 = 4 << 20;

/// The rules and the list of a project at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct List {
    /// None: gitleaks' own.
    pub(super) rules: Option<Rules>,
    pub(super) ignored: Ignored,
}

/// Whose word counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Change,
    Base,
}

/// What a project lets gitleaks pass over.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    root: PathBuf,
    word: Word,
    /// As the change has it.
    change: List,
    /// As it was before; `None` if there is no commit before it that is known.
    before: Option<(Base, List)>,
    /// Why the rules that do not count can't be compared with those that do, where that is known already.
    uncompared: Option<String>,
}

impl Lists {
    /// The working tree's count; what `base` does not have is new.
    ///
    /// # Errors
    /// A file can't be used.
    pub(crate) async fn of_change(root: &Path, base: Option<Base>) -> Result<Self, Error> {
        let (before, uncompared) = match base {
            Some(base) => {
                let (list, uncompared) = List::of_base(&base).await?.not_counting();
                (Some((base, list)), uncompared)
            }
            None => (None, None),
        };
        let change = List::of_tree(root).counting()?;
        Ok(Self { root: root.to_owned(), word: Word::Change, change, before, uncompared })
    }

    /// Nothing is let through, whatever is looked at.
    #[must_use]
    pub(crate) fn none() -> Self {
        Self { root: PathBuf::new(), word: Word::Base, change: List::default(), before: None, uncompared: None }
    }

    /// Those of `base` count, and none where there is no base; what the working tree has besides is named and does not count.
    ///
    /// # Errors
    /// A file can't be used.
    pub(crate) async fn of_base(root: &Path, base: Option<Base>) -> Result<Self, Error> {
        let before = match base {
            Some(base) => Some((base.clone(), List::of_base(&base).await?.counting()?)),
            None => None,
        };
        let (change, uncompared) = List::of_tree(root).not_counting();
        Ok(Self { root: root.to_owned(), word: Word::Base, change, before, uncompared })
    }

    /// The one that counts.
    pub(super) fn counting(&self) -> List {
        match (self.word, &self.before) {
            (Word::Change, _) => self.change.clone(),
            (Word::Base, Some((_, list))) => list.clone(),
            (Word::Base, None) => List::default(),
        }
    }

    /// The rules that count, told so that no two are told alike.
    pub(crate) fn rules_in_words(&self) -> String {
        format!("{:?}", self.counting().rules)
    }

    /// The one that what counts is compared with.
    pub(super) fn compared(&self) -> Option<List> {
        match self.word {
            Word::Change => self.before.as_ref().map(|(_, list)| list.clone()),
            Word::Base => Some(self.change.clone()),
        }
    }

    /// Why the rules of [`Lists::compared`] can't be compared with those that count, where that is known already.
    pub(super) fn uncompared(&self) -> Option<&str> {
        self.uncompared.as_deref()
    }

    /// How something stands that the list that counts lets through, where the other one does so or does not.
    pub(super) fn standing(&self, compared_too: bool) -> Standing {
        if self.word == Word::Change && self.before.is_some() && !compared_too { Standing::New } else { Standing::Known }
    }

    /// Whether what the list that is compared with lets through, and the one that counts does not, is named.
    pub(super) fn refuses(&self) -> bool {
        self.word == Word::Base
    }

    /// How the comments on the lines of these leaks stand.
    pub(super) async fn comments(&self, marked: &[Match]) -> Result<Vec<Standing>, Error> {
        let unknown = match (self.word, &self.before) {
            (Word::Change, None) => return Ok(vec![Standing::Known; marked.len()]),
            (Word::Change, Some(_)) => Standing::New,
            (Word::Base, _) => Standing::Refused,
        };
        let Some((base, _)) = &self.before else { return Ok(vec![unknown; marked.len()]) };
        let mut known = Known { base, root: &self.root, files: HashMap::new(), commits: HashMap::new() };
        let mut standings = Vec::new();
        for leak in marked {
            standings.push(if known.comment(leak).await? { Standing::Known } else { unknown });
        }
        Ok(standings)
    }
}

/// A project's two files as they are found: whether they can be used matters where they count.
struct Files {
    rules: Result<Option<Rules>, Error>,
    ignored: Result<Option<Vec<u8>>, Error>,
}

impl Files {
    fn counting(self) -> Result<List, Error> {
        let ignored = self.ignored?.map(|bytes| Ignored::read(&bytes)).unwrap_or_default();
        Ok(List { rules: self.rules?, ignored })
    }

    /// The list, and why its rules are not in it.
    fn not_counting(self) -> (List, Option<String>) {
        let ignored = self.ignored.ok().flatten().map(|bytes| Ignored::read(&bytes)).unwrap_or_default();
        match self.rules {
            Ok(rules) => (List { rules, ignored }, None),
            Err(error) => (List { rules: None, ignored }, Some(error.to_string())),
        }
    }
}

impl List {
    fn of_tree(root: &Path) -> Files {
        let rules = read(root, rules::FILE).and_then(|bytes| bytes.map(|bytes| Rules::read(&bytes)).transpose());
        Files { rules, ignored: read(root, ignore::FILE) }
    }

    async fn of_base(base: &Base) -> Result<Files, Error> {
        let rules = base.file(rules::FILE).await?.map(|bytes| Rules::read(&bytes)).transpose();
        Ok(Files { rules, ignored: Ok(base.file(ignore::FILE).await?) })
    }
}

/// The project's file, which is no link; there may be none.
fn read(root: &Path, name: &str) -> Result<Option<Vec<u8>>, Error> {
    let opened = Root::open(root).map_err(beneath::Error::Io);
    match opened.and_then(|root| root.read(name.as_ref(), Links::Refused, MAX_BYTES)) {
        Ok(content) => Ok(content),
        // As gitleaks has it: a folder of that name is no list.
        Err(beneath::Error::Kind(Kind::Folder)) if name != rules::FILE => Ok(None),
        Err(error) if name == rules::FILE => Err(Error::LeakRules { reason: error.to_string() }),
        Err(error) => Err(Error::IgnoreFile { path: name.into(), reason: error.to_string() }),
    }
}

/// What the base has of lines with comments.
struct Known<'a> {
    base: &'a Base,
    root: &'a Path,
    /// The lines with comments of each file in the base.
    files: HashMap<String, HashSet<Vec<u8>>>,
    commits: HashMap<String, bool>,
}

impl Known<'_> {
    async fn comment(&mut self, leak: &Match) -> Result<bool, Error> {
        if !leak.commit.is_empty() {
            if !self.commits.contains_key(&leak.commit) {
                let known = self.base.has(&leak.commit).await?;
                self.commits.insert(leak.commit.clone(), known);
            }
            return Ok(self.commits.get(&leak.commit).copied().unwrap_or_default());
        }
        if !self.files.contains_key(&leak.file) {
            let text = self.base.file(&leak.file).await?.unwrap_or_default();
            let lines = text.split(|byte| *byte == b'\n').filter(|line| has_comment(line)).map(<[u8]>::to_vec);
            self.files.insert(leak.file.clone(), lines.collect());
        }
        let Some(before) = self.files.get(&leak.file).filter(|lines| !lines.is_empty()) else { return Ok(false) };
        // A file that can't be read by now has no line that is known.
        let file = Root::open(self.root).and_then(|root| root.file(leak.file.as_ref()));
        let Ok(file) = file else { return Ok(false) };
        let first = usize::try_from(leak.start_line.saturating_sub(1)).unwrap_or(usize::MAX);
        let count = usize::try_from(leak.end_line.saturating_sub(leak.start_line)).unwrap_or_default().saturating_add(1);
        let lines = BufReader::new(file).split(b'\n').map_while(Result::ok).skip(first).take(count);
        let mut marked = lines.filter(|line| has_comment(line)).peekable();
        Ok(marked.peek().is_some() && marked.all(|line| before.contains(&line)))
    }
}

fn has_comment(line: &[u8]) -> bool {
    line.windows(COMMENT.len()).any(|window| window == COMMENT.as_bytes())
}
