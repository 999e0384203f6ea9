//! Which paths are the same to the rules: the same content needs to be looked at once for all of these.

use regex::bytes::RegexSet;

use super::names;
use super::rules::Rules;

/// What has one meaning in a pattern of Go's and another one in a pattern of ours.
const AMBIGUOUS: [&str; 8] = ["&&", "--", "~~", "[[", r"\<", r"\>", r"\b{", "{,"];

/// The classes that some rules make of paths.
pub(super) struct Classes {
    /// None where nobody can tell: each path is one of its own.
    set: Option<RegexSet>,
}

/// A class of paths.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    /// Those that match the same patterns.
    Matching(Vec<usize>),
    /// This path alone.
    Alone(Vec<u8>),
}

impl Classes {
    /// The classes that `rules` make, with `defaults` where these count.
    pub(super) fn of(rules: &Rules, defaults: &Rules) -> Self {
        let defaults = Some(defaults).filter(|_| rules.extends());
        let patterns: Vec<&str> = rules.paths().chain(defaults.into_iter().flat_map(Rules::paths)).collect();
        let is_clear = |pattern: &&str| !AMBIGUOUS.iter().any(|part| pattern.contains(part));
        let is_clear = patterns.iter().all(is_clear);
        let all: Vec<&str> = patterns.into_iter().chain(names::patterns()).collect();
        Self { set: is_clear.then(|| names::set(all)).flatten() }
    }

    /// The class of a path.
    pub(super) fn class(&self, path: &[u8]) -> Class {
        match &self.set {
            Some(set) if names::can_be_said(path) => Class::Matching(set.matches(path).into_iter().collect()),
            _ => Class::Alone(path.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::gitleaks::defaults;

    fn are_same(rules: &str, one: &str, other: &str) -> bool {
        let rules = Rules::read(rules.as_bytes()).unwrap();
        let classes = Classes::of(&rules, defaults::rules().unwrap());
        classes.class(one.as_bytes()) == classes.class(other.as_bytes())
    }

    #[test]
    fn paths_are_the_same_unless_a_rule_tells_them_apart() {
        let plain = "[extend]\nuseDefault = true\n";
        assert!(are_same(plain, "a/b.rs", "c.txt"));
        for (one, other) in
            [("a.rs", "a.php"), ("a.rs", "a.tf"), ("a", "yarn.lock"), ("a", "x.p12"), ("a", "x.png"), ("a", "\u{e9}")]
        {
            assert!(!are_same(plain, one, other), "{one} {other}");
        }
        let own = format!("{plain}[[allowlists]]\npaths = ['^docs/']\n");
        assert!(are_same(&own, "docs/a", "docs/b") && !are_same(&own, "docs/a", "src/docs/a"));
    }

    #[test]
    fn a_pattern_that_can_be_read_in_two_ways_leaves_each_path_alone() {
        for pattern in [r"[a&&b]", r"x\<", "a{,3}", r"\pN", r"\Qa\E"] {
            let rules = format!("[[rules]]\nid = 'x'\nregex = 'x'\npath = '''{pattern}'''\n");
            assert!(!are_same(&rules, "a/b.rs", "c.txt"), "{pattern}");
        }
    }
}
