//! Annotations of an image, and where in it each goes.

use std::collections::BTreeMap;

use super::Platform;

/// A place in an image that has annotations, by the names that buildx has for them (Docker docs, "Annotations", "Specify
/// annotation level"; moby/buildkit, `exporter/containerimage/exptypes/annotations.go`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// What names the whole image, and each manifest: where no place is named.
    Usual,
    /// The index.
    Index,
    /// The manifest of each platform, or of one.
    Manifest(Option<Platform>),
    /// What names the index: in a layout, its entry in `index.json`.
    IndexDescriptor,
    /// What names the manifest of each platform, or of one: its entry in the index.
    ManifestDescriptor(Option<Platform>),
}

/// An annotation and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Annotation {
    /// The place.
    pub(crate) place: Place,
    /// The key.
    pub(crate) key: String,
    /// The value.
    pub(crate) value: String,
}

/// The annotations of an image. Of two with one key at one place the one that names a platform counts, else the later one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Annotations(Vec<Annotation>);

impl Annotations {
    /// Takes annotations, in the order in which they are given.
    pub(crate) fn new(annotations: impl IntoIterator<Item = Annotation>) -> Self {
        let mut all: Vec<_> = annotations.into_iter().collect();
        // Stable: what is nearer to one place comes after what is for many.
        all.sort_by(|one, other| one.place.cmp(&other.place));
        Self(all)
    }

    /// Annotations for the usual places, which win over those that name one.
    #[must_use]
    pub(crate) fn and_above_all(mut self, properties: impl IntoIterator<Item = (String, String)>) -> Self {
        for (key, value) in properties {
            self.0.retain(|annotation| annotation.key != key);
            self.0.push(Annotation { place: Place::Usual, key, value });
        }
        self
    }

    /// Those of the index.
    pub(crate) fn of_index(&self) -> BTreeMap<String, String> {
        self.at(|place| matches!(place, Place::Usual | Place::Index))
    }

    /// Those of a platform's manifest.
    pub(crate) fn of_manifest(&self, platform: &Platform) -> BTreeMap<String, String> {
        self.at(|place| match place {
            Place::Usual | Place::Manifest(None) => true,
            Place::Manifest(Some(named)) => named == platform,
            _ => false,
        })
    }

    /// Those of what names the index.
    pub(crate) fn of_index_descriptor(&self) -> BTreeMap<String, String> {
        self.at(|place| *place == Place::IndexDescriptor)
    }

    /// Those of what names a platform's manifest.
    pub(crate) fn of_manifest_descriptor(&self, platform: &Platform) -> BTreeMap<String, String> {
        self.at(|place| match place {
            Place::ManifestDescriptor(named) => named.as_ref().is_none_or(|named| named == platform),
            _ => false,
        })
    }

    /// The keys that have no place in an image of these platforms: those of the index where there is one manifest, and those
    /// of a platform that is not built.
    pub(crate) fn homeless(&self, platforms: &[Platform]) -> Vec<&str> {
        let has_place = |annotation: &&Annotation| match &annotation.place {
            Place::Usual | Place::Manifest(None) | Place::ManifestDescriptor(None) => true,
            Place::Index | Place::IndexDescriptor => platforms.len() > 1,
            Place::Manifest(Some(named)) | Place::ManifestDescriptor(Some(named)) => platforms.contains(named),
        };
        let (placed, others): (Vec<_>, Vec<_>) = self.0.iter().partition(has_place);
        let mut keys: Vec<_> = others.into_iter().map(|annotation| annotation.key.as_str()).collect();
        keys.retain(|key| !placed.iter().any(|annotation| annotation.key == *key));
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn at(&self, wanted: impl Fn(&Place) -> bool) -> BTreeMap<String, String> {
        let here = self.0.iter().filter(|annotation| wanted(&annotation.place));
        here.map(|annotation| (annotation.key.clone(), annotation.value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    fn annotation(place: Place, value: &str) -> Annotation {
        Annotation { place, key: "k".to_owned(), value: value.to_owned() }
    }

    #[test]
    fn what_names_a_platform_counts_before_what_names_all() {
        let (amd64, arm64) = (platform("linux/amd64"), platform("linux/arm64"));
        let annotations = Annotations::new([
            annotation(Place::Manifest(Some(arm64.clone())), "arm"),
            annotation(Place::Manifest(None), "all"),
            annotation(Place::Usual, "usual"),
            annotation(Place::Usual, "usual, later"),
        ]);
        assert_eq!(annotations.of_manifest(&amd64)["k"], "all");
        assert_eq!(annotations.of_manifest(&arm64)["k"], "arm");
        assert_eq!(annotations.of_index()["k"], "usual, later");
        assert!(annotations.of_index_descriptor().is_empty() && annotations.of_manifest_descriptor(&amd64).is_empty());
    }

    #[test]
    fn what_a_delivery_says_of_itself_is_said_at_no_place_by_others() {
        let amd64 = platform("linux/amd64");
        let given = Annotations::new([
            annotation(Place::Manifest(Some(amd64.clone())), "planted"),
            annotation(Place::ManifestDescriptor(None), "planted"),
            annotation(Place::Index, "planted"),
        ]);
        let annotations = given.and_above_all([("k".to_owned(), "true".to_owned())]);
        assert_eq!((&*annotations.of_manifest(&amd64)["k"], &*annotations.of_index()["k"]), ("true", "true"));
        assert!(annotations.of_manifest_descriptor(&amd64).is_empty());
    }

    #[test]
    fn a_key_that_has_no_place_in_the_image_is_named() {
        let (amd64, arm64) = (platform("linux/amd64"), platform("linux/arm64"));
        let only = |place| Annotations::new([annotation(place, "v")]);
        assert_eq!(only(Place::Index).homeless(std::slice::from_ref(&amd64)), ["k"]);
        assert_eq!(only(Place::Manifest(Some(arm64.clone()))).homeless(std::slice::from_ref(&amd64)), ["k"]);
        assert!(only(Place::Index).homeless(&[amd64.clone(), arm64]).is_empty());
        let both = Annotations::new([annotation(Place::Index, "v"), annotation(Place::Manifest(None), "v")]);
        assert!(both.homeless(&[amd64]).is_empty(), "it is on the manifest");
    }
}
