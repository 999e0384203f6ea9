//! The files through which a step speaks to the runner, new for each step.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The largest summary that is shown; of a larger one nothing is.
const SUMMARY_LIMIT: usize = 1024 * 1024;

/// A step's files.
#[derive(Debug)]
pub struct CommandFiles {
    files: BTreeMap<&'static str, PathBuf>,
}

impl CommandFiles {
    /// Makes them, under names that no step before had.
    pub fn create(folder: &Path) -> Self {
        let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
        let kinds = [
            ("GITHUB_PATH", "add_path_"),
            ("GITHUB_ENV", "set_env_"),
            ("GITHUB_STEP_SUMMARY", "step_summary_"),
            ("GITHUB_STATE", "save_state_"),
            ("GITHUB_OUTPUT", "set_output_"),
            ("GITHUB_ARTIFACTS", "artifacts_"),
        ];
        let files = kinds.map(|(variable, prefix)| (variable, folder.join(format!("{prefix}{}", uuid.trim()))));
        for (_, path) in &files {
            fs::write(path, "").unwrap();
        }
        Self { files: files.into() }
    }

    /// The variables that name them.
    pub fn variables(&self) -> impl Iterator<Item = (String, String)> {
        self.files.iter().map(|(variable, path)| ((*variable).to_owned(), path.display().to_string()))
    }

    /// The step's outputs.
    pub fn outputs(&self) -> BTreeMap<String, String> {
        pairs(&self.text("GITHUB_OUTPUT"))
    }

    /// Asserts that the runner could read those that no test looks at.
    pub fn assert_readable(&self) {
        for variable in ["GITHUB_ENV", "GITHUB_STATE"] {
            pairs(&self.text(variable));
        }
    }

    /// The summary that GitHub shows.
    pub fn summary(&self) -> String {
        let summary = self.text("GITHUB_STEP_SUMMARY");
        if summary.len() > SUMMARY_LIMIT { String::new() } else { summary }
    }

    fn text(&self, variable: &str) -> String {
        fs::read_to_string(&self.files[variable]).unwrap()
    }
}

/// Reads `NAME=VALUE` and `NAME<<WORD`, lines, `WORD`. The runner fails a step whose file it can't read.
fn pairs(text: &str) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        let is_heredoc = heredoc.is_some_and(|heredoc| equals.is_none_or(|equals| heredoc < equals));
        let (name, value) = if is_heredoc {
            let (name, delimiter) = line.split_once("<<").unwrap();
            assert!(!name.is_empty() && !delimiter.is_empty(), "Invalid format '{line}'");
            let mut value = Vec::new();
            loop {
                match lines.next() {
                    Some(line) if line == delimiter => break,
                    Some(line) => value.push(line),
                    None => panic!("Matching delimiter not found '{delimiter}'"),
                }
            }
            (name, value.join("\n"))
        } else {
            let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("Invalid format '{line}'"));
            assert!(!name.is_empty(), "Invalid format '{line}'");
            (name, value.to_owned())
        };
        pairs.insert(name.to_owned(), value);
    }
    pairs
}
