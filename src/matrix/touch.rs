//! Which images a change touches. What is not known to belong to some images touches all of them.

use std::path::{Path, PathBuf};

use super::declaration::Declaration;

/// Folders that say how images are delivered, and what goes into which.
const OF_ALL: [&str; 2] = [".github", ".gp-deliver"];

/// Files at the top by which every image is judged, or its files are made.
const AT_TOP: [&str; 6] =
    [".gitleaks.toml", ".gitleaksignore", ".trivyignore", ".trivyignore.yaml", ".gitattributes", ".gitmodules"];

/// The first of these paths that touches the image of a folder, where `folders` are those of all images, and `named` what all
/// are built with besides.
pub(super) fn touches<'a>(
    changed: &'a [PathBuf],
    folder: &Path,
    folders: &[PathBuf],
    named: &[PathBuf],
    said: &Declaration,
) -> Option<&'a Path> {
    let concerns = |path: &Path| {
        if path.starts_with(folder)
            || named.iter().any(|named| path.starts_with(named))
            || said.goes_into(folder, path)
            || concerns_all(path)
        {
            return true;
        }
        let is_of_others = folders.iter().any(|other| path.starts_with(other));
        !is_of_others && !said.knows(path)
    };
    changed.iter().map(PathBuf::as_path).find(|path| concerns(path))
}

fn concerns_all(path: &Path) -> bool {
    OF_ALL.iter().any(|folder| path.starts_with(folder)) || AT_TOP.iter().any(|file| path == Path::new(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders() -> Vec<PathBuf> {
        ["services/api", "services/api-v2", "services/web", "services/web/admin"].map(PathBuf::from).to_vec()
    }

    fn said(text: &str) -> Declaration {
        Declaration::read(text, &folders()).unwrap()
    }

    /// The images that a path touches.
    fn touched(path: &str, said: &Declaration) -> Vec<String> {
        touched_with(path, &[], said)
    }

    fn touched_with(path: &str, named: &[PathBuf], said: &Declaration) -> Vec<String> {
        let (changed, folders) = ([PathBuf::from(path)], folders());
        let touched = folders.iter().filter(|folder| touches(&changed, folder, &folders, named, said).is_some());
        touched.map(|folder| folder.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    const ALL: [&str; 4] = ["api", "api-v2", "web", "admin"];

    #[test]
    fn what_is_not_known_to_belong_to_some_touches_all() {
        let nothing = Declaration::default();
        assert_eq!(touched("services/api/main.rs", &nothing), ["api"]);
        assert_eq!(touched("services/web/admin/x", &nothing), ["web", "admin"], "a folder in a folder is in both contexts");
        for path in
            ["README.md", "libs/common/x", "services/README.md", "services/gone/Dockerfile", "services/apix", "Services/api/x"]
        {
            assert_eq!(touched(path, &nothing), ALL, "{path}");
        }
        let said = said("inputs:\n  services/api: [libs/common, 'proto/*.proto']\nunrelated: [docs, '*.md', libs/old/**]\n");
        for path in ["libs/common/x", "libs/common", "proto/a.proto"] {
            assert_eq!(touched(path, &said), ["api"], "{path}");
        }
        for path in ["docs/a/b", "README.md", "libs/old/x"] {
            assert!(touched(path, &said).is_empty(), "{path}");
        }
        for path in ["libs/common2", "proto/a/b.proto", "x/README.md", ".hidden.md", "Docs/a"] {
            assert_eq!(touched(path, &said), ALL, "{path}");
        }
    }

    #[test]
    fn what_is_in_a_named_context_touches_all_whosever_it_is_besides() {
        let said = said("unrelated: [docs]\n");
        let named = ["services/web", "docs"].map(PathBuf::from);
        for path in ["services/web/x", "docs/x"] {
            assert_eq!(touched_with(path, &named, &said), ALL, "{path}");
        }
        assert_eq!(touched_with("services/api/x", &named, &said), ["api"]);
        assert_eq!(touched_with("services/api/x", &[PathBuf::new()], &said), ALL, "the whole repository");
    }

    #[test]
    fn what_says_how_images_are_delivered_touches_all_whatever_is_said_of_it() {
        let said = said("unrelated: ['**', '.*', '.*/**', .github, .gp-deliver, .trivyignore]\n");
        for path in [".github/workflows/x.yml", ".gp-deliver/matrix.yaml", ".trivyignore", ".gitleaks.toml", ".gitmodules"] {
            assert_eq!(touched(path, &said), ALL, "{path}");
        }
        assert_eq!(touched("services/api/README.md", &said), ["api"], "what is in a context is its image's");
    }

    #[test]
    fn what_is_said_of_no_image_is_refused() {
        for text in [
            "inputs: {services/none: [a]}",
            "inputs: {services/api: [../a]}",
            "inputs: {services/api: [/a]}",
            "unrelated: ['']",
            "unrelated: ['[']",
            "input: {}",
            "unrelated: [a]\nunrelated: [b]",
            "- a",
        ] {
            assert!(Declaration::read(text, &folders()).is_err(), "{text}");
        }
    }
}
