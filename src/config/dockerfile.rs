//! Where the Dockerfile is, and what may have been meant where it is not.

use std::path::{Path, PathBuf};

/// How many names a message has at most.
const NAMED: usize = 3;

/// The Dockerfile of a context: `Dockerfile`, or, where there is none, `dockerfile`, which BuildKit takes too.
pub(super) fn usual(context: &Path) -> PathBuf {
    let usual = context.join("Dockerfile");
    // A file system that knows no letter case finds the first under either name.
    Some(context.join("dockerfile")).filter(|lower| !usual.exists() && lower.is_file()).unwrap_or(usual)
}

/// The files that are nearest to one that is not there: the same path within the context, the same name in other letters,
/// and then whatever is called a Dockerfile in that folder.
pub(super) fn nearest(asked: &Path, context: Option<&Path>) -> Vec<String> {
    let within = context.filter(|_| asked.is_relative()).map(|context| context.join(asked)).filter(|path| path.is_file());
    let folder = if asked.is_dir() { Some(asked) } else { asked.parent() };
    let folder = folder.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let name = asked.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let mut found: Vec<(bool, PathBuf)> = [folder, context]
        .into_iter()
        .flatten()
        .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .filter_map(|path| Some((rank(&path, &name)?, path)))
        .filter(|(_, path)| path.is_file())
        .collect();
    found.sort();
    let mut paths: Vec<_> = within.into_iter().chain(found.into_iter().map(|(_, path)| path)).collect();
    let mut seen = std::collections::BTreeSet::new();
    paths.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    paths.into_iter().take(NAMED).map(|path| path.display().to_string()).collect()
}

/// Whether a file may have been meant, and whether by another name than `name` in other letters.
fn rank(path: &Path, name: &str) -> Option<bool> {
    let found = path.file_name()?.to_str()?.to_lowercase();
    if found == name {
        return Some(false);
    }
    let is_dockerfile = found.contains("dockerfile") || found.contains("containerfile");
    (is_dockerfile && !found.ends_with(".dockerignore")).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "FROM scratch\n").unwrap();
        }
        folder
    }

    fn near(folder: &tempfile::TempDir, asked: &str) -> Vec<String> {
        let root = folder.path().display().to_string();
        let found = nearest(&folder.path().join(asked), Some(folder.path()));
        found.iter().map(|path| path.strip_prefix(&root).unwrap()[1..].to_owned()).collect()
    }

    #[test]
    fn a_dockerfile_in_lower_case_is_taken_where_there_is_no_other() {
        let lower = folder(&["dockerfile"]);
        assert_eq!(usual(lower.path()), lower.path().join("dockerfile"));
        let both = folder(&["dockerfile", "Dockerfile"]);
        assert_eq!(usual(both.path()), both.path().join("Dockerfile"));
        let neither = folder(&["DOCKERFILE"]);
        assert_eq!(usual(neither.path()), neither.path().join("Dockerfile"));
    }

    #[test]
    fn the_nearest_names_are_those_that_are_there() {
        assert_eq!(near(&folder(&["DockerFile", "a", "x.dockerignore"]), "Dockerfile"), ["DockerFile"]);
        assert_eq!(near(&folder(&["Dockerfile.prod", "Containerfile"]), "Dockerfile"), ["Containerfile", "Dockerfile.prod"]);
        assert_eq!(near(&folder(&["app/Dockerfile"]), "app"), ["app/Dockerfile"]);
        assert_eq!(near(&folder(&["Dockerfile"]), "deploy/Dockerfile"), ["Dockerfile"]);
        assert_eq!(near(&folder(&["dockerfile.1", "dockerfile.2", "dockerfile.3", "dockerfile.4"]), "Dockerfile").len(), NAMED);
        assert!(near(&folder(&["Dockerfile.dockerignore"]), "Dockerfile").is_empty());
    }

    #[test]
    fn a_path_that_was_meant_within_the_context_is_named_there() {
        let folder = folder(&["docker/app.txt"]);
        let found = nearest(Path::new("docker/app.txt"), Some(folder.path()));
        assert_eq!(found, [folder.path().join("docker/app.txt").display().to_string()]);
    }
}
