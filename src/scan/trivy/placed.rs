//! Where the entry of an advisory stands in a list, so that it can be told who wrote it there.

use std::ops::Range;
use std::path::Path;

use super::ignore::{Rule, plain_rules, structured};

/// The most places that are looked at for an entry: each takes reading the whole list.
const MOST: usize = 4;

/// The one entry of a list that is for an advisory, and its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// What it lets through, and why.
    rule: Rule,
    /// Its lines, counted from 0.
    pub(crate) lines: Range<usize>,
}

impl Placed {
    /// Finds it in the text of the list at `path`. `None` if there is none, or several, or if it has no lines of its own: lines
    /// without which all the other entries are as they are.
    #[must_use]
    pub(crate) fn find(path: &str, text: &str, id: &str) -> Option<Self> {
        let is_yaml = Path::new(path).extension().is_some_and(|extension| extension == "yaml");
        let read = |text: &str| if is_yaml { structured(text) } else { plain_rules(text) }.ok();
        let all = read(text)?;
        let (mut of_id, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|rule| rule.id == id);
        let rule = of_id.pop().filter(|_| of_id.is_empty())?;
        let lines: Vec<_> = text.lines().collect();
        let places = (0..lines.len()).filter_map(|first| {
            let last = if is_yaml { last_of_item(&lines, first)? } else { first };
            Some(first..last + 1)
        });
        // The ID may be written otherwise (`"\u0043VE-1"`): such an entry has nobody who is known.
        let places = places.filter(|place| lines[place.clone()].iter().any(|line| line.contains(id))).take(MOST);
        let mut own = places.filter(|place| {
            let rest: Vec<_> = lines[..place.start].iter().chain(&lines[place.end..]).copied().collect();
            read(&rest.join("\n")).is_some_and(|rest| rest == others)
        });
        let lines = own.next()?;
        Some(Self { rule, lines })
    }

    /// Whether another one lets the same through, for the same reason.
    #[must_use]
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        self.rule == other.rule
    }
}

/// The last line of the item of a YAML sequence that begins in a line; `None` where none does.
fn last_of_item(lines: &[&str], first: usize) -> Option<usize> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    lines[first].trim_start().strip_prefix("- ")?;
    let inside = |line: &&&str| line.trim().is_empty() || indent(line) > indent(lines[first]);
    Some(first + lines[first + 1..].iter().take_while(inside).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str =
        "vulnerabilities:\n  - id: CVE-1\n    statement: like CVE-2\n  - id: CVE-2\n    paths:\n      - a\n\n  - id: CVE-3\n";

    fn lines(path: &str, text: &str, id: &str) -> Option<Range<usize>> {
        Placed::find(path, text, id).map(|placed| placed.lines)
    }

    #[test]
    fn an_entry_has_its_own_lines_in_either_form() {
        for (id, expected) in [("CVE-1", Some(1..3)), ("CVE-2", Some(3..7)), ("CVE-3", Some(7..8)), ("CVE-4", None)] {
            assert_eq!(lines("app/.trivyignore.yaml", YAML, id), expected, "{id}");
        }
        let plain = "# CVE-2\nCVE-1\n CVE-2 exp:2100-01-01\n";
        assert_eq!(lines(".trivyignore", plain, "CVE-1"), Some(1..2));
        assert_eq!(lines(".trivyignore", plain, "CVE-2"), Some(2..3));
    }

    #[test]
    fn what_only_looks_like_an_entry_is_nobodys() {
        for text in [
            // Two, of which nobody can say which one it was.
            "vulnerabilities:\n  - id: CVE-1\n  - id: CVE-1\n    paths: [a]\n",
            // Lines of a text, and the entry in a line that is not its own.
            "vulnerabilities: [{id: \"CVE-1\", statement: \"\n  - id: CVE-1\n\"}, {id: CVE-2}]\n",
            // Written otherwise.
            "vulnerabilities:\n  - id: \"CVE\\u002D1\"\n",
            // Of another section.
            "secrets:\n  - id: CVE-1\n",
        ] {
            assert_eq!(lines(".trivyignore.yaml", text, "CVE-1"), None, "{text}");
        }
        assert_eq!(lines(".trivyignore", "CVE-1\nCVE-1 exp:2100-01-01\n", "CVE-1"), None);
    }

    #[test]
    fn an_entry_that_lets_more_through_is_another() {
        let find = |text: &str| Placed::find(".trivyignore.yaml", text, "CVE-2").unwrap();
        assert!(find(YAML).says_the_same(&find(&YAML.replace("CVE-1", "CVE-9"))));
        assert!(!find(YAML).says_the_same(&find(&YAML.replace("    paths:\n      - a\n", ""))));
    }
}
