//! The rules to scan by: the project's `.gitleaks.toml`, or gitleaks' own (`defaults`).
//!
//! gitleaks reads its rules by viper, which knows no letter case, splits names at dots wherever they stand, and lets a file
//! name another file. So the project's file is read here, strictly, and gitleaks gets what was understood of it, written anew:
//! nothing in it means one thing here and another there.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use toml::{Table, Value};

use super::Error;
use super::names::GUESSES;

/// The project's file.
pub(super) const FILE: &str = ".gitleaks.toml";

/// More than any project's rules have: gitleaks' own have a tenth of it.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// What makes one list of rules of the project's.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rules {
    title: Option<String>,
    minimum_version: Option<String>,
    /// Whether gitleaks' own rules count too.
    extends: bool,
    disabled: Vec<String>,
    pub(super) own: Vec<Rule>,
    pub(super) allowed: Vec<Allowed>,
    /// What is in the file and means nothing to gitleaks.
    pub(super) unknown: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rule {
    /// `id`, `description`, `path`, `regex`.
    pub(super) texts: Vec<(&'static str, String)>,
    /// `secretGroup`, `entropy`, `skipReport`.
    plain: Vec<(&'static str, String)>,
    keywords: Vec<String>,
    tags: Vec<String>,
    pub(super) allowed: Vec<Allowed>,
    required: Vec<Vec<(&'static str, String)>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Allowed {
    /// `description`, `condition`, `regexTarget`.
    pub(super) texts: Vec<(&'static str, String)>,
    /// `targetRules`, `commits`, `paths`, `regexes`, `stopWords`.
    pub(super) lists: Vec<(&'static str, Vec<String>)>,
}

impl Rules {
    /// gitleaks' own rules, as a project may have them.
    pub(super) fn of_gitleaks() -> Self {
        Self { extends: true, ..Self::default() }
    }

    /// Reads the project's file.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_BYTES {
            return Err(unusable(format!("it has more than {MAX_BYTES} bytes")));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| unusable(error.to_string()))?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| unusable(error.message().to_owned()))?;
        let mut table = Entries::new("", table)?;
        let mut rules = Self { title: table.text("title")?, minimum_version: table.text("minversion")?, ..Self::default() };
        table.text("description")?;
        if let Some(mut extend) = table.table("extend")? {
            if let Some(path) = extend.text("path")?.filter(|path| !path.is_empty()) {
                return Err(unusable(format!("it extends another file, {path:?}")));
            }
            extend.text("url")?;
            rules.extends = extend.flag("usedefault")?;
            rules.disabled = extend.texts("disabledrules")?.unwrap_or_default();
            rules.unknown.extend(extend.rest());
        }
        for rule in table.tables("rules")? {
            let rule = Rule::read(rule, &mut rules.unknown)?;
            rules.own.push(rule);
        }
        rules.allowed = allowed(&mut table, true, &mut rules.unknown)?;
        rules.unknown.extend(table.rest());
        Ok(rules)
    }

    /// Whether gitleaks' own rules do not count.
    pub(super) fn replaces_all(&self) -> bool {
        !self.extends
    }

    /// Whether gitleaks' own rules count too.
    pub(super) fn extends(&self) -> bool {
        self.extends
    }

    /// Whether there are rules of the project's own about what a file holds.
    pub(super) fn have_own(&self) -> bool {
        self.own.iter().any(|rule| rule.texts.iter().any(|(key, _)| *key == "regex"))
    }

    /// The patterns by which a name decides what is found in a file.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let asked = self.own.iter().flat_map(|rule| &rule.texts).filter(|(key, _)| *key == "path").map(|(_, path)| path);
        asked.chain(self.listed("paths")).map(String::as_str)
    }

    /// The commits in which something is let through, as gitleaks compares them.
    pub(super) fn commits(&self) -> BTreeSet<String> {
        self.listed("commits").map(|commit| commit.trim().to_lowercase()).collect()
    }

    fn listed(&self, wanted: &str) -> impl Iterator<Item = &String> {
        let allowed = self.own.iter().flat_map(|rule| &rule.allowed).chain(&self.allowed);
        allowed.flat_map(|allowed| &allowed.lists).filter(move |(key, _)| *key == wanted).flat_map(|(_, list)| list)
    }

    /// How much gitleaks has to make of it before it can begin: the number of rules, and the bytes of all patterns.
    pub(super) fn size(&self) -> (usize, usize) {
        let patterns = self.own.iter().flat_map(|rule| &rule.texts).map(|(_, text)| text);
        let lists = ["paths", "regexes", "stopWords"].into_iter().flat_map(|key| self.listed(key));
        (self.own.len(), patterns.chain(lists).map(String::len).sum())
    }

    /// The file for gitleaks, which finds its own rules in the file `defaults`. Rules that guess pass over files whose names
    /// match one of `no_guesses`.
    pub(super) fn written(&self, no_guesses: &[String], defaults: &Path) -> String {
        let mut file = Written::default();
        file.texts(
            [("title", &self.title), ("minVersion", &self.minimum_version)]
                .into_iter()
                .filter_map(|(k, v)| Some((k, v.as_deref()?))),
        );
        if self.extends {
            file.head("[extend]");
            file.plain("path", &quoted(&defaults.to_string_lossy()));
            if !self.disabled.is_empty() {
                file.list("disabledRules", &self.disabled);
            }
        }
        self.write(&mut file);
        let guesses: Vec<_> = GUESSES.into_iter().filter(|id| self.has(id)).map(str::to_owned).collect();
        if !guesses.is_empty() {
            file.head("[[allowlists]]");
            file.list("targetRules", &guesses);
            file.list("paths", no_guesses);
        }
        file.0
    }

    /// The same as a file of gitleaks' own rules, which others extend.
    pub(super) fn written_as_defaults(&self) -> String {
        let mut file = Written::default();
        self.write(&mut file);
        file.0
    }

    fn write(&self, file: &mut Written) {
        for rule in &self.own {
            rule.write(file);
        }
        for allowed in &self.allowed {
            file.head("[[allowlists]]");
            allowed.write(file);
        }
    }

    fn has(&self, id: &str) -> bool {
        let own = self.own.iter().any(|rule| rule.texts.iter().any(|(key, value)| *key == "id" && value == id));
        own || self.extends && !self.disabled.iter().any(|disabled| disabled == id)
    }
}

impl Rule {
    fn read(mut table: Entries, unknown: &mut Vec<String>) -> Result<Self, Error> {
        let mut rule = Self::default();
        for key in ["id", "description", "path", "regex"] {
            rule.texts.extend(table.text(key)?.map(|text| (key, text)));
        }
        rule.plain.extend(table.number("secretgroup")?.map(|number| ("secretGroup", number)));
        rule.plain.extend(table.number("entropy")?.map(|number| ("entropy", number)));
        if table.flag("skipreport")? {
            rule.plain.push(("skipReport", "true".to_owned()));
        }
        rule.keywords = table.texts("keywords")?.unwrap_or_default();
        rule.tags = table.texts("tags")?.unwrap_or_default();
        rule.allowed = allowed(&mut table, false, unknown)?;
        for mut required in table.tables("required")? {
            let id = required.text("id")?.unwrap_or_default();
            let mut entry = vec![("id", quoted(&id))];
            for (key, name) in [("withinlines", "withinLines"), ("withincolumns", "withinColumns")] {
                entry.extend(required.number(key)?.map(|number| (name, number)));
            }
            unknown.extend(required.rest());
            rule.required.push(entry);
        }
        unknown.extend(table.rest());
        Ok(rule)
    }

    fn write(&self, file: &mut Written) {
        file.head("[[rules]]");
        file.texts(self.texts.iter().map(|(key, text)| (*key, text.as_str())));
        self.plain.iter().for_each(|(key, value)| file.plain(key, value));
        for (key, list) in [("keywords", &self.keywords), ("tags", &self.tags)] {
            if !list.is_empty() {
                file.list(key, list);
            }
        }
        for allowed in &self.allowed {
            file.head("[[rules.allowlists]]");
            allowed.write(file);
        }
        for required in &self.required {
            file.head("[[rules.required]]");
            required.iter().for_each(|(key, value)| file.plain(key, value));
        }
    }
}

impl Allowed {
    fn read(mut table: Entries, targeted: bool, unknown: &mut Vec<String>) -> Result<Self, Error> {
        let mut allowed = Self::default();
        for (key, name) in [("description", "description"), ("condition", "condition"), ("regextarget", "regexTarget")] {
            allowed.texts.extend(table.text(key)?.map(|text| (name, text)));
        }
        let lists = [("commits", "commits"), ("paths", "paths"), ("regexes", "regexes"), ("stopwords", "stopWords")];
        let target = targeted.then_some(("targetrules", "targetRules"));
        for (key, name) in lists.into_iter().chain(target) {
            allowed.lists.extend(table.texts(key)?.map(|list| (name, list)));
        }
        unknown.extend(table.rest());
        Ok(allowed)
    }

    fn write(&self, file: &mut Written) {
        file.texts(self.texts.iter().map(|(key, text)| (*key, text.as_str())));
        self.lists.iter().for_each(|(key, list)| file.list(key, list));
    }
}

/// Both forms that gitleaks takes; it refuses a file that has both.
fn allowed(table: &mut Entries, targeted: bool, unknown: &mut Vec<String>) -> Result<Vec<Allowed>, Error> {
    let one = table.table("allowlist")?;
    let many = table.tables("allowlists")?;
    if one.is_some() && !many.is_empty() {
        return Err(unusable("it has both allowlist and allowlists".to_owned()));
    }
    one.into_iter().chain(many).map(|entry| Allowed::read(entry, targeted, unknown)).collect()
}

/// The entries of a table, taken out one by one, their names in lower case.
struct Entries {
    place: String,
    table: Table,
}

impl Entries {
    fn new(place: &str, table: Table) -> Result<Self, Error> {
        let mut folded = Table::new();
        for (key, value) in table {
            // viper splits it, and takes the parts for tables in each other.
            if key.contains('.') {
                return Err(unusable(format!("the name {key:?} has a dot in it")));
            }
            let key = key.to_lowercase();
            if folded.insert(key.clone(), value).is_some() {
                return Err(unusable(format!("{place}{key} is given twice, in letters of another case")));
            }
        }
        Ok(Self { place: place.to_owned(), table: folded })
    }

    fn wrong(&self, key: &str, expected: &str) -> Error {
        unusable(format!("{}{key}: {expected} is expected", self.place))
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, Error> {
        match self.table.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, "a text")),
        }
    }

    fn number(&mut self, key: &str) -> Result<Option<String>, Error> {
        match self.table.remove(key) {
            None => Ok(None),
            Some(Value::Integer(number)) => Ok(Some(number.to_string())),
            // With its point, for a reader of TOML tells the two apart.
            Some(Value::Float(number)) if number.is_finite() => Ok(Some(format!("{number:?}"))),
            Some(_) => Err(self.wrong(key, "a number")),
        }
    }

    fn flag(&mut self, key: &str) -> Result<bool, Error> {
        match self.table.remove(key) {
            None => Ok(false),
            Some(Value::Boolean(flag)) => Ok(flag),
            Some(_) => Err(self.wrong(key, "true or false")),
        }
    }

    fn texts(&mut self, key: &str) -> Result<Option<Vec<String>>, Error> {
        let Some(value) = self.table.remove(key) else { return Ok(None) };
        let Value::Array(list) = value else { return Err(self.wrong(key, "a list of texts")) };
        let text = |value| match value {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong(key, "a list of texts")),
        };
        list.into_iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    fn table(&mut self, key: &str) -> Result<Option<Self>, Error> {
        match self.table.remove(key) {
            None => Ok(None),
            Some(Value::Table(table)) => Self::new(&format!("{}{key}.", self.place), table).map(Some),
            Some(_) => Err(self.wrong(key, "a table")),
        }
    }

    fn tables(&mut self, key: &str) -> Result<Vec<Self>, Error> {
        let Some(value) = self.table.remove(key) else { return Ok(Vec::new()) };
        let Value::Array(list) = value else { return Err(self.wrong(key, "a list of tables")) };
        let place = format!("{}{key}.", self.place);
        let table = |value| match value {
            Value::Table(table) => Self::new(&place, table),
            _ => Err(self.wrong(key, "a list of tables")),
        };
        list.into_iter().map(table).collect()
    }

    /// What nobody asked for.
    fn rest(self) -> impl Iterator<Item = String> {
        let place = self.place;
        self.table.into_iter().map(move |(key, _)| format!("{place}{key}"))
    }
}

/// A file of TOML in the making.
#[derive(Default)]
struct Written(String);

impl Written {
    fn head(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn plain(&mut self, key: &str, value: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{key} = {value}");
    }

    fn texts<'a>(&mut self, texts: impl Iterator<Item = (&'a str, &'a str)>) {
        texts.for_each(|(key, text)| self.plain(key, &quoted(text)));
    }

    fn list(&mut self, key: &str, list: &[String]) {
        let list: Vec<_> = list.iter().map(|text| quoted(text)).collect();
        self.plain(key, &format!("[{}]", list.join(", ")));
    }
}

/// A basic string (TOML v1.0.0, "String").
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

fn unusable(reason: String) -> Error {
    Error::LeakRules { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> bool {
        matches!(Rules::read(text.as_bytes()), Err(Error::LeakRules { .. }))
    }

    #[test]
    fn rules_that_lead_to_another_file_are_refused_in_any_spelling() {
        for text in [
            "[extend]\npath = 'x.toml'",
            "[Extend]\nPATH = 'x'",
            "extend.path = 'x'",
            "extend = { path = 'x' }",
            "\"extend.path\" = 'x'",
            "\"Extend.Path\" = 'x'",
            "\"extend\".path = 'x'",
            "'extend'.\"pa\\u0074h\" = 'x'",
            "[extend]\nuseDefault = true\n[EXTEND]\npath = 'x'",
            "[extend]\n\"a.path\" = 'x'",
        ] {
            assert!(refused(text), "{text}");
        }
        assert!(!Rules::read(b"[extend]\nuseDefault = true\npath = ''").unwrap().replaces_all());
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        for text in ["[[rules", "rules = 1", "rules = [1]", "[extend]\nuseDefault = 'true'", "[[allowlists]]\npaths = 'x'"] {
            assert!(refused(text), "{text}");
        }
        assert!(refused("[allowlist]\npaths = ['a']\n[[allowlists]]\npaths = ['b']"));
        assert!(matches!(Rules::read(b"title = '\xff'"), Err(Error::LeakRules { .. })));
    }

    #[test]
    fn rules_that_are_deep_are_refused_and_overflow_no_stack() {
        let depth = 1 << 20;
        let read = move || {
            for text in [
                format!("a = {}", "[".repeat(depth)),
                format!("a = {}", "{a=".repeat(depth)),
                format!("{}a = 1", "a.".repeat(depth)),
                format!("[{}a]", "a.".repeat(depth)),
                format!("a = [{}]", "[],".repeat(depth)).replace("[],", "[[]],") + &"[".repeat(depth),
                "[[a]]\n".repeat(100) + &"[a.a]\n".repeat(depth / 10),
            ] {
                assert!(refused(&text[..text.len().min(MAX_BYTES)]), "{text:.40}");
            }
        };
        std::thread::Builder::new().stack_size(2 << 20).spawn(read).unwrap().join().unwrap();
    }

    #[test]
    fn what_was_understood_is_written_anew_and_read_as_the_same() {
        let text = "title = 'a \"title\"\\'\nminVersion = 'v8.25.0'\nSeverity = 1\n[extend]\nuseDefault = true\ndisabledRules = ['a', 'jwt']\n\
            [[rules]]\nid = 'own'\ndescription = 'd\u{e9}'\nregex = '''\\bx\"[0-9]{3}\n'''\npath = '\\.txt$'\nentropy = 3\nsecretGroup = 1\n\
            keywords = ['X']\ntags = ['t']\nskipReport = true\n[rules.allowlist]\nregexes = ['y']\nregexTarget = 'line'\n\
            [[rules.required]]\nid = 'other'\nwithinLines = 5\n[[rules]]\nid = 'other'\nregex = 'z'\nentropy = 3.5\n\
            [Allowlist]\nPaths = ['^docs/']\nstopwords = ['w']\ncommits = ['c']\ncondition = 'and'\ndescription = 'why'\n";
        let rules = Rules::read(text.as_bytes()).unwrap();
        assert_eq!(rules.unknown, ["severity"]);
        let written = rules.written(&["^N/".to_owned()], Path::new("/scratch/defaults.toml"));
        assert!(written.contains("[extend]\npath = \"/scratch/defaults.toml\"\n"), "{written}");
        let written = written.replace("path = \"/scratch/defaults.toml\"", "useDefault = true");
        let again = Rules::read(written.as_bytes()).unwrap();
        let without_guesses = |mut rules: Rules| {
            rules.unknown.clear();
            rules.allowed.retain(|allowed| !allowed.lists.iter().any(|(key, _)| *key == "targetRules"));
            rules
        };
        assert_eq!(without_guesses(again), without_guesses(rules), "{written}");
    }

    #[test]
    fn only_rules_that_are_there_are_kept_from_guessing() {
        let guesses = |text: &str| {
            Rules::read(text.as_bytes()).unwrap().written(&["^N/".to_owned()], Path::new("d")).contains("targetRules")
        };
        assert!(guesses("[extend]\nuseDefault = true"));
        assert!(guesses("[[rules]]\nid = 'generic-api-key'\nregex = 'x'"));
        assert!(!guesses("[[rules]]\nid = 'x'\nregex = 'x'"));
        assert!(!guesses("[extend]\nuseDefault = true\ndisabledRules = ['generic-api-key']"));
    }
}
