//! What a repository says of its images: what goes into one besides its own folder, and what goes into none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::document::yaml;
use crate::inputs::{MATRIX, Problem};

/// Where it is said.
pub(super) const FILE: &str = ".gp-deliver/matrix.yaml";

/// The file, as it is in the commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declaration {
    /// By the folder of an image: what else it is made of, or judged by.
    #[serde(default)]
    inputs: BTreeMap<String, Vec<Paths>>,
    /// What belongs to no image.
    #[serde(default)]
    unrelated: Vec<Paths>,
}

/// Paths from the top of the repository: a file, a folder with all below it, or a pattern of either (`docs/**`, `*.md`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Paths(glob::Pattern);

impl TryFrom<String> for Paths {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let inside = !text.starts_with('/') && !text.split('/').any(|part| matches!(part, "" | "." | ".."));
        let pattern = glob::Pattern::new(&text).ok().filter(|_| inside);
        pattern.map(Self).ok_or_else(|| format!("{text:?} is no path from the top of the repository, and no pattern of one"))
    }
}

impl Paths {
    fn have(&self, path: &Path) -> bool {
        let options =
            glob::MatchOptions { require_literal_separator: true, require_literal_leading_dot: true, case_sensitive: true };
        path.ancestors().filter(|part| !part.as_os_str().is_empty()).any(|part| self.0.matches_path_with(part, options))
    }
}

impl Declaration {
    /// Reads it.
    ///
    /// # Errors
    /// It is refused, or names a folder that is none of these.
    pub(super) fn read(text: &str, folders: &[PathBuf]) -> Result<Self, Problem> {
        let refused = |why: String| MATRIX.problem(FILE, &why);
        let read: Self = yaml::read_yaml(text).map_err(|error| refused(error.to_string()))?;
        match read.inputs.keys().find(|name| !folders.iter().any(|folder| folder == Path::new(name))) {
            Some(name) => Err(refused(format!("the folder of an image is expected, and {name:?} is none"))),
            None => Ok(read),
        }
    }

    /// Whether a path is said to go into the image of a folder.
    pub(super) fn goes_into(&self, folder: &Path, path: &Path) -> bool {
        let inputs = self.inputs.iter().filter(|(name, _)| Path::new(name) == folder);
        inputs.flat_map(|(_, inputs)| inputs).any(|paths| paths.have(path))
    }

    /// Whether a path is said to go into an image, or into none.
    pub(super) fn knows(&self, path: &Path) -> bool {
        self.inputs.values().flatten().chain(&self.unrelated).any(|paths| paths.have(path))
    }
}
