//! The project's `.gitleaksignore`, read as gitleaks reads it (its `detect.AddGitleaksIgnore`).

use std::collections::HashSet;

use super::report::Match;

/// The project's file.
pub(crate) const FILE: &str = ".gitleaksignore";

/// The leaks that the project lists as known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ignored(HashSet<String>);

impl Ignored {
    /// Reads the list.
    pub(super) fn read(bytes: &[u8]) -> Self {
        Self::parse(&String::from_utf8_lossy(bytes))
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        // Windows' separators, in the path alone.
        let normal = |line: &str| {
            let mut parts: Vec<_> = line.split(':').map(str::to_owned).collect();
            let path = parts.len().saturating_sub(3);
            if let Some(path) = parts.get_mut(path).filter(|_| path < 2) {
                *path = path.replace('\\', "/");
            }
            parts.join(":")
        };
        Self(lines.map(normal).collect())
    }

    /// Whether a leak is on the list, for its commit or for all.
    pub(super) fn lists(&self, leak: &Match) -> bool {
        self.0.contains(&leak.fingerprint()) || self.0.contains(&leak.place_in_file())
    }
}

/// The lines of such a list that let leaks of a rule through, counted from 0.
#[must_use]
pub(crate) fn lines_of(text: &str, rule: &str) -> Vec<usize> {
    let is_of = |line: &str| !line.trim().starts_with('#') && line.trim().rsplit(':').nth(1) == Some(rule);
    text.lines().enumerate().filter(|(_, line)| is_of(line)).map(|(number, _)| number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_is_listed_for_one_commit_or_for_all() {
        let leak = Match { file: "a/b.txt".into(), rule: "r".into(), start_line: 3, commit: "c0ffee".into(), ..Match::default() };
        for (text, listed) in [
            ("a/b.txt:r:3", true),
            ("  a\\b.txt:r:3  ", true),
            ("c0ffee:a/b.txt:r:3", true),
            ("# a/b.txt:r:3", false),
            ("a/b.txt:r:4", false),
            ("beef:a/b.txt:r:3", false),
            ("", false),
        ] {
            assert_eq!(Ignored::parse(text).lists(&leak), listed, "{text}");
        }
    }
}
