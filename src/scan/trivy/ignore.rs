//! What the project lets through: its `.trivyignore.yaml` or `.trivyignore`, at the source's root and beside what is built.
//!
//! trivy takes one such file, and passes over what it does not know in it: an `expires:` of its own invention never expires.
//! So the files are read here, and trivy is handed the entries that still hold, as one file.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::beneath::{self, Links, Root};
use crate::document::yaml::read_yaml;
use crate::scan::Error;
use crate::text::plain;

/// The names of such files; the one that can give reasons wins.
pub(crate) const FILES: [&str; 2] = [".trivyignore.yaml", ".trivyignore"];

/// The most bytes of such a list.
pub(crate) const MAX_BYTES: u64 = 1 << 20;

/// What a word begins with that means an expiry, though trivy takes only `exp:` for one.
const EXPIRIES: [&str; 7] = ["exp", "expires", "expire", "expiry", "expired", "expired_at", "until"];

/// What stands before an entry's number in what trivy takes for its statement.
const MARK: &str = "gp-deliver:";

/// The entries of all lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lists {
    entries: Vec<Entry>,
    /// The lists, as reports name them.
    names: Vec<String>,
    /// What a reader should know of them.
    pub(crate) warnings: Vec<String>,
}

/// An advisory that may be passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The list that it is of, as reports name it.
    pub(super) list: String,
    /// The reason that the project gives.
    pub(super) reason: Option<String>,
    /// When it no longer holds; absent where it has no end.
    pub(super) expires: Option<Timestamp>,
    rule: Rule,
}

/// The entry as `.trivyignore.yaml` has it (trivy's `result.IgnoreFinding`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    paths: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    purls: Vec<String>,
    #[serde(default, skip_serializing)]
    expired_at: Option<String>,
    #[serde(default)]
    statement: Option<String>,
}

/// The file as a whole (trivy's `result.IgnoreConfig`); what is about other scans is not asked for here.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    vulnerabilities: Option<Vec<Rule>>,
}

impl Lists {
    /// Reads those of the source's root, and those of `folders`, which are what is built.
    ///
    /// # Errors
    /// One of them can't be used.
    pub(crate) fn read(root: &Path, folders: &[&Path]) -> Result<Self, Error> {
        let mut places = vec![root.canonicalize().map_err(Error::io(root))?];
        for folder in folders.iter().filter_map(|folder| folder.canonicalize().ok()) {
            if !places.contains(&folder) {
                places.push(folder);
            }
        }
        let mut lists = Self::default();
        for place in &places {
            let Some((path, text)) = list(place)? else { continue };
            let name = path.strip_prefix(&places[0]).unwrap_or(&path).to_string_lossy().into_owned();
            lists.add(&name, &text, Timestamp::now()).map_err(|reason| Error::IgnoreFile { path: path.clone(), reason })?;
            if FILES.iter().all(|name| place.join(name).exists()) {
                let other = name.trim_end_matches(".yaml");
                lists.warnings.push(format!("{other} was not used, since there is a {name}"));
            }
        }
        Ok(lists)
    }

    /// Reads one list, wherever it is and whatever it is called: with YAML in it if it is called so.
    ///
    /// # Errors
    /// It can't be used.
    pub(crate) fn of_file(path: &Path) -> Result<Self, Error> {
        let unusable = |reason: String| Error::IgnoreFile { path: path.to_owned(), reason };
        let bytes = beneath::read(path, MAX_BYTES).map_err(|error| unusable(error.to_string()))?;
        let bytes = bytes.ok_or_else(|| unusable("there is no such file".to_owned()))?;
        let text = String::from_utf8(bytes).map_err(|_| unusable("it is not UTF-8".to_owned()))?;
        let mut lists = Self::default();
        lists.add(&path.to_string_lossy(), &text, Timestamp::now()).map_err(unusable)?;
        Ok(lists)
    }

    /// Adds the entries of a list that hold at a time.
    ///
    /// # Errors
    /// What is wrong with it.
    fn add(&mut self, name: &str, text: &str, now: Timestamp) -> Result<(), String> {
        let rules = if Path::new(name).extension().is_some_and(|extension| extension == "yaml") {
            structured(text)
        } else {
            plain_rules(text)
        };
        self.names.push(name.to_owned());
        for rule in rules? {
            let expiry = rule.expired_at.as_deref().map(expiry).transpose()?;
            match expiry {
                Some(expiry) if expiry <= now => self.warnings.push(format!(
                    "{name}: the entry for {} expired on {}, and lets nothing through: take it out, or look at it anew.",
                    plain(&rule.id),
                    expiry.strftime("%Y-%m-%d")
                )),
                _ => {
                    let reason = rule.statement.as_deref().map(plain).filter(|reason| !reason.is_empty());
                    self.entries.push(Entry { list: name.to_owned(), reason, expires: expiry, rule });
                }
            }
        }
        Ok(())
    }

    /// Writes what holds as the one file that trivy takes; `None` where nothing does.
    pub(super) fn write(&self, folder: &Path) -> Result<Option<PathBuf>, Error> {
        if self.entries.is_empty() {
            return Ok(None);
        }
        let numbered =
            |(number, entry): (usize, &Entry)| Rule { statement: Some(format!("{MARK}{number}")), ..entry.rule.clone() };
        let rules: Vec<_> = self.entries.iter().enumerate().map(numbered).collect();
        let path = folder.join("ignore.yaml");
        let json = serde_json::json!({ "vulnerabilities": rules }).to_string();
        fs::write(&path, as_yaml(&json)).map_err(Error::io(&path))?;
        Ok(Some(path))
    }

    /// The entry that trivy took a statement from.
    pub(super) fn entry(&self, statement: &str) -> Option<&Entry> {
        self.entries.get(statement.strip_prefix(MARK)?.parse::<usize>().ok()?)
    }

    /// What lets an advisory through that another scanner than trivy found: the list, and the reason that it gives. Entries for
    /// some paths or packages alone say nothing of it, since only trivy says in their words where it is.
    #[must_use]
    pub(crate) fn lets_through(&self, id: &str) -> Option<(&str, Option<&str>)> {
        let whole = |entry: &&Entry| entry.rule.id == id && entry.rule.paths.is_empty() && entry.rule.purls.is_empty();
        self.entries.iter().find(whole).map(|entry| (entry.list.as_str(), entry.reason.as_deref()))
    }

    /// The lists, for a message.
    pub(super) fn names(&self) -> String {
        crate::text::list(&self.names)
    }
}

/// JSON as YAML: it is (YAML 1.2, section 1.3), but for characters that YAML has only by their numbers (section 5.1) or takes
/// for line breaks, which may stand in JSON's texts as they are.
fn as_yaml(json: &str) -> String {
    let mut yaml = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                // Writing to a string does not fail.
                let _ = write!(yaml, "\\u{:04x}", u32::from(character));
            }
            plain => yaml.push(plain),
        }
    }
    yaml
}

/// The list of a folder, and what is in it. It is no link.
fn list(folder: &Path) -> Result<Option<(PathBuf, String)>, Error> {
    let root = Root::open(folder).map_err(Error::io(folder))?;
    for path in FILES.map(|name| folder.join(name)) {
        let unusable = |reason: String| Error::IgnoreFile { path: path.clone(), reason };
        let name = path.file_name().unwrap_or_default();
        let content = root.read(name.as_ref(), Links::Refused, MAX_BYTES).map_err(|error| unusable(error.to_string()))?;
        if let Some(bytes) = content {
            let text = String::from_utf8(bytes).map_err(|_| unusable("it is not UTF-8".to_owned()))?;
            return Ok(Some((path, text)));
        }
    }
    Ok(None)
}

pub(super) fn structured(text: &str) -> Result<Vec<Rule>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let file: Option<File> = read_yaml(text).map_err(|error| plain(&error.to_string()))?;
    Ok(file.and_then(|file| file.vulnerabilities).unwrap_or_default())
}

/// A line is an ID, and may have `exp:YYYY-MM-DD` behind it (trivy's `parseIgnore`).
pub(super) fn plain_rules(text: &str) -> Result<Vec<Rule>, String> {
    let mut rules = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let mut words = line.split_whitespace().peekable();
        let Some(id) = words.next().filter(|_| !line.starts_with('#')) else { continue };
        let mut expired_at = None;
        while let Some(word) = words.next() {
            match word.strip_prefix("exp:") {
                Some(date) => {
                    expiry(date).map_err(|reason| format!("line {}: {reason}", index + 1))?;
                    expired_at = expired_at.or(Some(date.to_owned()));
                }
                None if is_expiry(word, words.peek().copied()) => {
                    return Err(format!("line {}: {:?} is no expiry to trivy: write exp:YYYY-MM-DD", index + 1, plain(word)));
                }
                None => {}
            }
        }
        rules.push(Rule { id: id.to_owned(), expired_at, ..Rule::default() });
    }
    Ok(rules)
}

/// Whether a word is meant as an expiry, its date being in it or in the next one.
fn is_expiry(word: &str, next: Option<&str>) -> bool {
    let Some((name, date)) = word.split_once([':', '=']) else { return false };
    let date = if date.is_empty() { next.unwrap_or_default() } else { date };
    let name = name.trim_start_matches('#').to_lowercase();
    EXPIRIES.contains(&name.as_str()) && date.starts_with(|character: char| character.is_ascii_digit())
}

/// When an entry no longer holds: at the beginning of a day in UTC, or at a time.
fn expiry(text: &str) -> Result<Timestamp, String> {
    let of_date = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let date = text.parse::<Date>().ok().filter(|_| text.len() == "2026-01-31".len()).and_then(of_date);
    date.or_else(|| text.parse().ok()).ok_or_else(|| format!("{:?} is no date: write YYYY-MM-DD", plain(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(name: &str, text: &str) -> Result<Lists, String> {
        let mut lists = Lists::default();
        lists.add(name, text, "2026-11-27T12:00:00Z".parse().unwrap())?;
        Ok(lists)
    }

    fn ids(name: &str, text: &str) -> Vec<String> {
        lists(name, text).unwrap().entries.into_iter().map(|entry| entry.rule.id).collect()
    }

    #[test]
    fn an_entry_holds_until_its_day_comes() {
        let text = "# known\n\nCVE-1 exp:2026-11-27\nCVE-2 exp:2026-11-28\n CVE-3 # no expiry: it is known\nCVE-4\n";
        assert_eq!(ids(".trivyignore", text), ["CVE-2", "CVE-3", "CVE-4"]);
        let yaml = "vulnerabilities:\n  - id: CVE-1\n    expired_at: 2026-11-27\n  - id: CVE-2\n    expired_at: 2026-11-28\n    \
                    statement: known\n  - id: CVE-3\n    expired_at: 2026-11-27T11:00:00Z\nmisconfigurations:\n  - id: X\n";
        assert_eq!(ids(".trivyignore.yaml", yaml), ["CVE-2"]);
        let told = lists(".trivyignore.yaml", yaml).unwrap().warnings;
        assert!(told.len() == 2 && told[0].contains("CVE-1 expired on 2026-11-27"), "{told:?}");
    }

    #[test]
    fn what_another_scanner_found_is_let_through_by_entries_for_everything_alone() {
        let yaml = "vulnerabilities:\n  - id: CVE-1\n    statement: known\n  - id: CVE-2\n    paths: [usr/lib/*]\n  - id: CVE-3\n    \
                    purls: ['pkg:deb/debian/x']\n  - id: CVE-4\n    expired_at: 2026-11-27\n";
        let lists = lists(".trivyignore.yaml", yaml).unwrap();
        assert_eq!(lists.lets_through("CVE-1"), Some((".trivyignore.yaml", Some("known"))));
        for id in ["CVE-2", "CVE-3", "CVE-4", "CVE-11", "cve-1", ""] {
            assert_eq!(lists.lets_through(id), None, "{id}");
        }
    }

    #[test]
    fn a_list_of_brackets_in_brackets_is_refused_before_a_parser_takes_hours_over_it() {
        let deep = "[".repeat(4 << 20);
        assert!(lists(".trivyignore.yaml", &deep).unwrap_err().contains("nests"));
        let flat = format!("vulnerabilities: [{}]", "{id: CVE-1},".repeat(1000));
        assert!(lists(".trivyignore.yaml", &flat).is_ok());
    }

    #[test]
    fn what_trivy_is_handed_is_yaml_whatever_stands_in_an_entry() {
        let folder = tempfile::tempdir().unwrap();
        for odd in ["\0", "\u{7f}", "\u{85}", "\u{9b}", "a\u{2028}b", "\u{feff}", "\u{ffff}", "\u{1f600}", "\\\"'#: - [{"] {
            let id = format!("CVE-1{odd}");
            let rule = Rule { id: id.clone(), ..Rule::default() };
            let entry = Entry { list: String::new(), reason: None, expires: None, rule };
            let path = Lists { entries: vec![entry], ..Lists::default() }.write(folder.path()).unwrap().unwrap();
            let read: File = serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
            assert_eq!(read.vulnerabilities.unwrap()[0].id, id);
        }
    }

    #[test]
    fn an_expiry_that_trivy_would_pass_over_is_an_error() {
        for text in [
            "CVE-1 exp:2026-13-01",
            "CVE-1 exp:",
            "CVE-1 EXP:2020-01-01",
            "CVE-1 expires=2020-01-01",
            "CVE-1 #until:2020-01-01",
            "CVE-1 expires: 2020-01-01",
        ] {
            assert!(lists(".trivyignore", text).unwrap_err().starts_with("line 1: "), "{text}");
        }
        for text in ["expires: 2020-01-01", "expired_at: soon", "expiredAt: 2020-01-01"] {
            let yaml = format!("vulnerabilities:\n  - id: CVE-1\n    {text}\n");
            assert!(lists(".trivyignore.yaml", &yaml).is_err(), "{text}");
        }
        assert!(lists(".trivyignore.yaml", "vulnerabilities: [").is_err());
        assert_eq!(ids(".trivyignore.yaml", "vulnerabilities:\n"), [""; 0]);
        assert_eq!(ids(".trivyignore.yaml", "# nothing\n"), [""; 0]);
    }

    #[test]
    fn a_service_has_a_list_of_its_own_beside_that_of_the_root() {
        let root = tempfile::tempdir().unwrap();
        let service = root.path().join("services/app");
        fs::create_dir_all(&service).unwrap();
        fs::write(root.path().join(".trivyignore"), "CVE-1\n").unwrap();
        fs::write(service.join(".trivyignore"), "CVE-2\n").unwrap();
        let lists = Lists::read(root.path(), &[&service, root.path(), &service]).unwrap();
        let names: Vec<_> = lists.entries.iter().map(|entry| (entry.list.as_str(), entry.rule.id.as_str())).collect();
        assert_eq!(names, [(".trivyignore", "CVE-1"), ("services/app/.trivyignore", "CVE-2")]);
        std::os::unix::fs::symlink("/etc/passwd", service.join(".trivyignore.yaml")).unwrap();
        assert!(matches!(Lists::read(root.path(), &[&service]), Err(Error::IgnoreFile { .. })));
    }
}
