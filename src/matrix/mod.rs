//! A matrix of jobs: one for each folder of a repository that has an image of its own.

mod base;
mod declaration;
mod named;
mod plan;
mod touch;

pub(crate) use base::Known;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::beneath::{Links, Root};
use crate::dockerfile::bounds::MAX_BYTES;
use crate::environment::Environment;
use crate::inputs::{MATRIX, Problem};

/// What can't be told of a repository, so that all of its images are delivered.
type Untold = String;

/// A matrix in the form that a workflow's `strategy.matrix` takes by `fromJSON` (GitHub docs, "Running variations of jobs in
/// a workflow", "Using contexts to create matrices").
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Matrix {
    include: Vec<Entry>,
}

/// A job: the inputs of the reusable workflow that differ.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Entry {
    /// The folder's own name; with its parents where another has the same.
    name: String,
    build_context: String,
    environment: Environment,
}

impl Matrix {
    /// The matrix of the folders below `root` that `patterns` name (`services/*`) and that have
    /// a Dockerfile.
    ///
    /// # Errors
    /// A pattern is not valid, leaves `root`, or matches no such folder.
    pub(crate) fn find(root: &Path, patterns: &[String], environment: Environment) -> Result<Self, Vec<Problem>> {
        let mut folders = BTreeSet::new();
        let mut problems = Vec::new();
        for pattern in patterns {
            let mut problem = |expected: &str| problems.push(MATRIX.problem(pattern, expected));
            match expand(root, pattern) {
                None => problem("a folder inside the repository is expected, or a pattern such as services/*"),
                Some(found) if found.is_empty() => problem("no folder of that name has a Dockerfile"),
                Some(found) => folders.extend(found),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let entries = folders.iter().map(|folder| Entry {
            name: name(folder, &folders),
            build_context: folder.to_string_lossy().into_owned(),
            environment,
        });
        Ok(Self { include: entries.collect() })
    }
}

/// The folders that a pattern matches, relative to `root`; `None` if it is not valid or leaves `root`.
fn expand(root: &Path, pattern: &str) -> Option<Vec<PathBuf>> {
    if pattern.starts_with('/') || pattern.split('/').any(|part| part == "..") {
        return None;
    }
    let below = Path::new(&glob::Pattern::escape(root.to_str()?)).join(pattern.trim_start_matches("./"));
    let options = glob::MatchOptions { require_literal_separator: true, require_literal_leading_dot: true, case_sensitive: true };
    let found = glob::glob_with(below.to_str()?, options).ok()?.flatten();
    let beneath = Root::open(root).ok()?;
    let folders = found.filter_map(|folder| folder.strip_prefix(root).ok().map(Path::to_owned));
    Some(folders.filter(|folder| has_dockerfile(&beneath, folder)).collect())
}

/// Whether a folder has a Dockerfile, and neither leads out of the repository.
fn has_dockerfile(root: &Root, folder: &Path) -> bool {
    matches!(root.read(&folder.join("Dockerfile"), Links::Inside, MAX_BYTES), Ok(Some(_)))
}

/// The name of a job.
fn name(folder: &Path, all: &BTreeSet<PathBuf>) -> String {
    let last = folder.file_name();
    let alone = all.iter().filter(|other| other.file_name() == last).count() == 1;
    match last.filter(|_| alone) {
        Some(last) => last.to_string_lossy().into_owned(),
        None => folder.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(folders: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in folders {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
            std::fs::write(root.path().join(folder).join("Dockerfile"), "FROM scratch\n").unwrap();
        }
        std::fs::create_dir_all(root.path().join("services/docs")).unwrap();
        root
    }

    fn find(root: &Path, patterns: &str) -> Result<Matrix, Vec<Problem>> {
        Matrix::find(root, &MATRIX.read(patterns).unwrap(), Environment::Dev)
    }

    fn names(matrix: &Matrix) -> Vec<(&str, &str)> {
        matrix.include.iter().map(|entry| (entry.name.as_str(), entry.build_context.as_str())).collect()
    }

    #[test]
    fn each_folder_with_a_dockerfile_is_a_job() {
        let root = repository(&["services/api", "services/web", "tools/api", "web"]);
        let matrix = find(root.path(), "services/*\ntools/*, web").unwrap();
        let expected = [("services-api", "services/api"), ("services-web", "services/web"), ("tools-api", "tools/api")];
        assert_eq!(names(&matrix)[..3], expected);
        let json = serde_json::to_string(&find(root.path(), "tools/*").unwrap()).unwrap();
        assert_eq!(json, r#"{"include":[{"name":"api","build_context":"tools/api","environment":"dev"}]}"#);
    }

    #[test]
    fn what_leads_out_of_the_repository_is_no_folder_of_it() {
        let root = repository(&["services/api"]);
        let outside = repository(&["x"]);
        let link =
            |target: &Path, name: &str| std::os::unix::fs::symlink(target, root.path().join("services").join(name)).unwrap();
        link(&outside.path().join("x"), "out");
        link(Path::new("/proc/self"), "process");
        link(Path::new("api"), "same");
        std::fs::create_dir(root.path().join("services/file")).unwrap();
        link(&outside.path().join("x/Dockerfile"), "file/Dockerfile");
        std::fs::create_dir(root.path().join("services/pipe")).unwrap();
        let pipe = root.path().join("services/pipe/Dockerfile");
        rustix::fs::mkfifoat(rustix::fs::CWD, pipe, rustix::fs::Mode::RUSR).unwrap();
        let matrix = find(root.path(), "services/*").unwrap();
        assert_eq!(names(&matrix), [("api", "services/api"), ("same", "services/same")]);
    }

    #[test]
    fn what_names_no_image_is_an_error_and_not_an_empty_matrix() {
        let root = repository(&["services/api"]);
        for pattern in ["service/*", "services/docs", "../*", "/etc/*", "services/***"] {
            assert_eq!(find(root.path(), pattern).unwrap_err().len(), 1, "{pattern}");
        }
    }
}
