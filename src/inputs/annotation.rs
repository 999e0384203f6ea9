//! A line of `annotations`.

use super::value::{Fault, Value};
use crate::oci::Platform;
use crate::oci::annotations::{Annotation, Place};

/// `KEY=VALUE`, or `PLACE:KEY=VALUE` as buildx reads it and docker/metadata-action writes it: `manifest`, `index`,
/// `manifest-descriptor` or `index-descriptor`, a manifest's with a platform in brackets, several separated by commas
/// (docker/buildx, `util/buildflags/export.go`).
pub(crate) struct AnnotationLine(pub(crate) Vec<Annotation>);

const EXPECTED: &str = "KEY=VALUE or PLACE:KEY=VALUE is expected, where PLACE is index, index-descriptor, manifest or \
                        manifest-descriptor, the last two also as manifest[linux/amd64]";

impl Value for AnnotationLine {
    fn read(line: &str) -> Result<Self, Vec<Fault>> {
        let (name, value) = line.split_once('=').ok_or_else(|| Fault::new(line, EXPECTED))?;
        let (places, key) = name.split_once(':').map_or((None, name), |(places, key)| (Some(places), key));
        let key = key.trim();
        if key.is_empty() {
            return Err(Fault::new(line, EXPECTED));
        }
        let places = match places {
            None => vec![Place::Usual],
            Some(places) => {
                let places: Option<Vec<_>> = places.split(',').map(|text| place(text.trim())).collect();
                places.ok_or_else(|| Fault::new(line, EXPECTED))?
            }
        };
        if places.iter().any(is_of_descriptor) && is_reserved(key) {
            return Err(Fault::new(line, "another key is expected: programs that read images go by this one"));
        }
        let annotation = |place| Annotation { place, key: key.to_owned(), value: value.to_owned() };
        Ok(Self(places.into_iter().map(annotation).collect()))
    }
}

fn place(text: &str) -> Option<Place> {
    let (name, platform) = match text.split_once('[') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(']')?.parse::<Platform>().ok()?)),
        None => (text, None),
    };
    match (name, platform) {
        ("index", None) => Some(Place::Index),
        ("index-descriptor", None) => Some(Place::IndexDescriptor),
        ("manifest", platform) => Some(Place::Manifest(platform)),
        ("manifest-descriptor", platform) => Some(Place::ManifestDescriptor(platform)),
        _ => None,
    }
}

fn is_of_descriptor(place: &Place) -> bool {
    matches!(place, Place::IndexDescriptor | Place::ManifestDescriptor(_))
}

/// What a descriptor's annotations mean to others: a name of the image (image-spec, `annotations.md`; containerd), or that a
/// manifest is not an image but says something of one (moby/buildkit, `docs/attestations/attestation-storage.md`).
fn is_reserved(key: &str) -> bool {
    ["org.opencontainers.image.ref.name", "io.containerd.image.name"].contains(&key) || key.starts_with("vnd.docker.reference.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(line: &str) -> Vec<Place> {
        AnnotationLine::read(line).unwrap().0.into_iter().map(|annotation| annotation.place).collect()
    }

    #[test]
    fn a_place_before_the_key_is_no_part_of_it() {
        let amd64 = || Some("linux/amd64".parse().unwrap());
        for (line, expected) in [
            ("k=a:b=c", vec![Place::Usual]),
            ("manifest:k=a:b=c", vec![Place::Manifest(None)]),
            ("manifest,index:k=a:b=c", vec![Place::Manifest(None), Place::Index]),
            ("manifest[linux/amd64],index-descriptor:k=a:b=c", vec![Place::Manifest(amd64()), Place::IndexDescriptor]),
            ("manifest-descriptor[linux/amd64]:k=a:b=c", vec![Place::ManifestDescriptor(amd64())]),
            ("manifest[linux/arm64/v8]:k=a:b=c", vec![Place::Manifest(Some("linux/arm64".parse().unwrap()))]),
        ] {
            assert_eq!(places(line), expected, "{line}");
            let AnnotationLine(read) = AnnotationLine::read(line).unwrap();
            assert!(read.iter().all(|annotation| (&*annotation.key, &*annotation.value) == ("k", "a:b=c")), "{line}");
        }
    }

    #[test]
    fn what_buildx_would_not_take_is_refused() {
        for line in [
            "k",
            "=v",
            "manifest:=v",
            ":k=v",
            "layer:k=v",
            "Manifest:k=v",
            "manifest,:k=v",
            "manifest[linux/amd64:k=v",
            "manifest[linux]:k=v",
            "index[linux/amd64]:k=v",
            "index-descriptor[linux/amd64]:k=v",
            "manifest-descriptor:org.opencontainers.image.ref.name=latest",
            "index-descriptor:vnd.docker.reference.type=attestation-manifest",
        ] {
            assert!(AnnotationLine::read(line).is_err(), "{line}");
        }
        assert_eq!(places("manifest:org.opencontainers.image.ref.name=x"), [Place::Manifest(None)]);
    }
}
