//! Where the build contexts are in the source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the build contexts are.
pub(super) struct Place {
    /// The folder in the source that has all of them; absent where the build context is outside, and then is the only one.
    pub(super) folder: Option<PathBuf>,
    /// The build context, without links.
    pub(super) whole: PathBuf,
    /// The build context, from that folder.
    pub(super) context: PathBuf,
    /// The named ones, from that folder.
    pub(super) named: BTreeMap<String, PathBuf>,
}

impl Place {
    /// Of the build context `whole`, a path without links, and of the named ones, by their paths in the source `root`.
    pub(super) fn within(whole: PathBuf, root: &Path, named: &BTreeMap<String, PathBuf>) -> Self {
        let Ok(context) = whole.strip_prefix(root).map(Path::to_owned) else {
            return Self { folder: None, context: PathBuf::new(), named: BTreeMap::new(), whole };
        };
        let folder = named.values().fold(context.clone(), |folder, other| common(&folder, other));
        let from = |place: &Path| place.strip_prefix(&folder).unwrap_or(place).to_owned();
        let named = named.iter().map(|(name, place)| (name.clone(), from(place))).collect();
        Self { context: from(&context), named, folder: Some(folder), whole }
    }

    /// Whether a file, by its path from the folder, is git's own in one of them.
    pub(super) fn is_gits(&self, file: &Path) -> bool {
        self.named.values().chain([&self.context]).any(|context| file.starts_with(context.join(".git")))
    }
}

/// The folder that has both.
fn common(one: &Path, other: &Path) -> PathBuf {
    one.components().zip(other.components()).take_while(|(one, other)| one == other).map(|(part, _)| part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_context_is_found_from_the_folder_that_has_all() {
        let root = Path::new("/repo");
        let place = |context: &str, named: &[&str]| {
            let named = named.iter().map(|place| ((*place).to_owned(), PathBuf::from(place))).collect();
            let place = Place::within(root.join(context), root, &named);
            let named: Vec<_> = place.named.into_values().map(|place| place.to_string_lossy().into_owned()).collect();
            (place.folder.unwrap().to_string_lossy().into_owned(), place.context.to_string_lossy().into_owned(), named)
        };
        let all = |folder: &str, context: &str, named: &[&str]| {
            (folder.to_owned(), context.to_owned(), named.iter().map(|place| (*place).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(place("services/api", &[]), all("services/api", "", &[]));
        assert_eq!(place("services/api", &["services/lib"]), all("services", "api", &["lib"]));
        assert_eq!(place("services/api", &["services/api/lib"]), all("services/api", "", &["lib"]));
        assert_eq!(place("services/api", &["lib", "services/web"]), all("", "services/api", &["lib", "services/web"]));
        assert_eq!(place("", &["lib"]), all("", "", &["lib"]));
        assert_eq!(place("api", &["api-v2"]), all("", "api", &["api-v2"]), "a name is whole");
        assert!(Place::within("/other".into(), root, &BTreeMap::new()).folder.is_none());
    }

    #[test]
    fn gits_own_folder_is_known_in_each() {
        let named = BTreeMap::from([("lib".to_owned(), PathBuf::from("lib"))]);
        let place = Place::within("/repo/api".into(), Path::new("/repo"), &named);
        for (file, is_gits) in
            [("api/.git/config", true), ("lib/.git", true), (".git/config", false), ("api/x/.git/config", false)]
        {
            assert_eq!(place.is_gits(Path::new(file)), is_gits, "{file}");
        }
    }
}
