//! The rules to scan by: the project's `.gitleaks.toml`, or gitleaks' own.

use std::fs;
use std::path::Path;

use super::Error;

/// The project's file.
pub(super) const FILE: &str = ".gitleaks.toml";

/// More than any project's rules have.
const MAX_BYTES: u64 = 4 << 20;

/// Whose rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// gitleaks'.
    Default,
    /// The project's.
    Project,
}

impl Rules {
    /// Looks at the project's file, which may not lead gitleaks out of the source.
    pub(super) fn of_project(root: &Path) -> Result<Self, Error> {
        let path = root.join(FILE);
        let unusable = |reason: String| Error::LeakRules { reason };
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::Default),
            Err(error) => return Err(unusable(error.to_string())),
        };
        if !metadata.is_file() {
            return Err(unusable("it is not a regular file".to_owned()));
        }
        if metadata.len() > MAX_BYTES {
            return Err(unusable(format!("it has more than {MAX_BYTES} bytes")));
        }
        let text = fs::read_to_string(&path).map_err(|error| unusable(error.to_string()))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| unusable(error.message().to_owned()))?;
        // gitleaks reads names in any letter case.
        let entry = |table: &toml::Table, name: &str| {
            table.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        let extend = entry(&table, "extend");
        let extended = extend.as_ref().and_then(toml::Value::as_table).and_then(|table| entry(table, "path"));
        match extended {
            Some(toml::Value::String(path)) if path.is_empty() => Ok(Self::Project),
            Some(path) => {
                let path = path.as_str().unwrap_or_default();
                Err(unusable(format!("it extends another file, {path:?}")))
            }
            None => Ok(Self::Project),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Rules, Error> {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(FILE), text).unwrap();
        Rules::of_project(root.path())
    }

    #[test]
    fn rules_that_lead_to_another_file_are_refused_in_any_spelling() {
        for text in ["[extend]\npath = 'x.toml'", "[Extend]\nPATH = 'x'", "extend.path = 'x'", "extend = { path = 'x' }"] {
            assert!(matches!(of(text), Err(Error::LeakRules { .. })), "{text}");
        }
        assert_eq!(of("[extend]\nuseDefault = true").unwrap(), Rules::Project);
    }

    #[test]
    fn rules_that_are_no_toml_or_no_file_are_refused() {
        assert!(matches!(of("[[rules"), Err(Error::LeakRules { .. })));
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.path().join(FILE)).unwrap();
        assert!(matches!(Rules::of_project(root.path()), Err(Error::LeakRules { .. })));
    }

    #[test]
    fn a_project_without_rules_is_scanned_by_the_default_ones() {
        assert_eq!(Rules::of_project(tempfile::tempdir().unwrap().path()).unwrap(), Rules::Default);
    }
}
