//! An image in a layout folder: found by the folder's own index, and looked at blob by blob.

use std::collections::BTreeSet;
use std::path::PathBuf;

use oci_spec::image::{Descriptor, ImageManifest, MediaType};

use super::row::Row;
use crate::oci::layout::{self, REF_NAME, digest_of};
use crate::oci::manifest::Document;
use crate::oci::registry::{self, Manifest, Selector};
use crate::oci::{Digest, Image, Layout};
use crate::text;

/// The most that is looked at of what a folder lists.
const MAX_LISTED: usize = 1000;
/// How many images are named where one has to be chosen.
const NAMED: usize = 5;

/// A layout folder, as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    path: PathBuf,
    /// Which of its images; absent where it has one.
    which: Option<Selector>,
}

/// Why there is no image to look at.
pub(super) enum NotFound {
    /// The folder can't be read.
    Layout(layout::Error),
    /// It is not said which, or there is none: what was expected, in words.
    Which(String),
}

impl From<layout::Error> for NotFound {
    fn from(error: layout::Error) -> Self {
        Self::Layout(error)
    }
}

impl Folder {
    /// The folder that a text names: `oci:PATH`, `oci:PATH:TAG`, `oci:PATH@DIGEST`, or a path that begins as one, `./PATH`;
    /// `None` where it names none. The error says what is expected.
    pub(super) fn named(text: &str) -> Option<Result<Self, &'static str>> {
        let path = match text.strip_prefix("oci:") {
            Some(path) => path,
            None if text.starts_with(['.', '/']) => text,
            None => return None,
        };
        let tagged = |path: &str| {
            let (folder, tag) = path.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'))?;
            Some((folder.to_owned(), tag.parse().map(Selector::Tag).map_err(|_| "a tag is expected behind the folder")))
        };
        let by_digest = path
            .rsplit_once('@')
            .and_then(|(folder, digest)| Some((folder.to_owned(), Ok(Selector::Digest(digest.parse().ok()?)))));
        Some(match by_digest.or_else(|| tagged(path)) {
            _ if path.is_empty() => Err("a folder is expected behind oci:"),
            Some((folder, _)) if folder.is_empty() => Err("a folder is expected behind oci:"),
            Some((folder, which)) => which.map(|which| Self { path: folder.into(), which: Some(which) }),
            None => Ok(Self { path: path.into(), which: None }),
        })
    }

    /// Finds the image.
    pub(super) fn find(&self) -> Result<(Layout, Manifest), NotFound> {
        let layout = Layout::open(&self.path)?;
        let index = layout.index()?;
        if index.manifests().len() > MAX_LISTED {
            return Err(NotFound::Which(format!("a folder that lists at most {MAX_LISTED} manifests is expected")));
        }
        let listed: Vec<&Descriptor> = index.manifests().iter().filter(|listed| self.fits(listed)).collect();
        let images = if self.which.is_some() { listed } else { images(&layout, &listed)? };
        let digests = images.iter().map(|image| digest_of(image)).collect::<Result<BTreeSet<Digest>, _>>()?;
        let (Some(image), 1) = (images.first(), digests.len()) else {
            let named: Vec<_> = digests.iter().take(NAMED).map(ToString::to_string).collect();
            return Err(NotFound::Which(match (&self.which, named.is_empty()) {
                (Some(which), true) => format!("an image of the folder is expected, and it has no {which}"),
                (None, true) => "a folder with an image is expected".to_owned(),
                _ => format!("one image is expected, by its digest: {}", text::list(&named)),
            }));
        };
        let (digest, bytes) = (digest_of(image)?, layout.read(image)?);
        let descriptor = layout::descriptor(image.media_type().clone(), digest, image.size());
        Ok((layout, Manifest { descriptor, digest, bytes: bytes.into() }))
    }

    fn fits(&self, listed: &Descriptor) -> bool {
        match &self.which {
            None => true,
            Some(Selector::Digest(digest)) => digest_of(listed).is_ok_and(|found| found == *digest),
            Some(Selector::Tag(tag)) => listed
                .annotations()
                .as_ref()
                .and_then(|annotations| annotations.get(REF_NAME))
                .is_some_and(|name| name == tag.as_str()),
        }
    }

    /// How it is named to people.
    pub(super) fn said(&self, digest: Digest) -> String {
        match &self.which {
            Some(Selector::Tag(tag)) => format!("{tag} is {digest}"),
            _ => digest.to_string(),
        }
    }
}

impl std::fmt::Display for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "oci:{}", self.path.display())?;
        match &self.which {
            Some(Selector::Tag(tag)) => write!(f, ":{tag}"),
            Some(Selector::Digest(digest)) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// The images among what is listed: neither what is about another, nor a part of another. Some programs list all manifests.
fn images<'a>(layout: &Layout, listed: &[&'a Descriptor]) -> Result<Vec<&'a Descriptor>, layout::Error> {
    let (mut images, mut parts) = (Vec::new(), BTreeSet::new());
    for listed in listed {
        if !matches!(listed.media_type(), MediaType::ImageManifest | MediaType::ImageIndex) {
            images.push(*listed);
            continue;
        }
        match layout.read_manifest(listed)? {
            // Engines run an image whatever it says that it is about.
            Document::Manifest(manifest) if manifest.subject().is_some() && !is_image(&manifest) => {}
            Document::Manifest(_) => images.push(*listed),
            Document::Index(index) => {
                parts.extend(index.manifests().iter().filter_map(|part| digest_of(part).ok()));
                images.push(*listed);
            }
        }
    }
    images.retain(|image| digest_of(image).is_ok_and(|digest| !parts.contains(&digest)));
    Ok(images)
}

/// Whether a manifest is one of an image, by its configuration.
fn is_image(manifest: &ImageManifest) -> bool {
    let of_docker = "application/vnd.docker.container.image.v1+json";
    let of = manifest.config().media_type();
    *of == MediaType::ImageConfig || of.as_ref() == of_docker
}

/// Whether each blob of the image is what its digest says.
pub(super) fn content(layout: &Layout, root: &Manifest) -> Row {
    let looked = || {
        let image = Image::open(layout.clone(), root.descriptor.clone())?;
        let blobs = image.descriptors();
        blobs.iter().try_for_each(|blob| layout.verify(blob)).map(|()| (blobs.len(), image.size()))
    };
    match looked() {
        Ok((blobs, bytes)) => {
            Row::holds("content", format!("{} of {} are what their digests say", text::count(blobs, "blob"), text::size(bytes)))
        }
        Err(error) => Row::fails("content", text::words(&error.to_string()).to_string()),
    }
}

/// The error of a folder that can't be read.
pub(super) fn unreadable(error: layout::Error) -> registry::Error {
    error.into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::oci::sample;

    #[test]
    fn an_image_that_says_it_is_about_another_is_an_image_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let image = sample::random(folder.path(), 1, &["amd64"], 10);
        let other = sample::random(folder.path(), 2, &["amd64"], 10);
        let document: Value = serde_json::from_slice(&other.layout.read(&other.root).unwrap()).unwrap();
        let about = |change: &dyn Fn(&mut Value)| {
            let mut document = document.clone();
            document["subject"] = serde_json::to_value(&image.root).unwrap();
            change(&mut document);
            image.layout.write_document(MediaType::ImageManifest, &document).unwrap()
        };
        let found = |beside: Descriptor| {
            image.layout.set_index(&layout::index_of(vec![image.root.clone(), beside]).unwrap()).unwrap();
            let folder = Folder::named(&format!("oci:{}", folder.path().display())).unwrap().unwrap();
            folder.find().ok().map(|(_, manifest)| manifest.digest)
        };
        assert_eq!(found(about(&|_| ())), None, "which of them is meant has to be said");
        assert_eq!(found(about(&|it| it["artifactType"] = json!("application/x"))), None);
        let empty = image.layout.write(MediaType::EmptyJSON, b"{}").unwrap();
        let statement = about(&|it| it["config"] = serde_json::to_value(&empty).unwrap());
        assert_eq!(found(statement), Some(image.digest));
    }

    #[test]
    fn a_folder_is_named_by_a_path_and_a_registry_is_not() {
        let named = |text: &str| Folder::named(text).map(|folder| folder.map(|folder| (folder.path, folder.which)));
        let tag = |tag: &str| Some(Selector::Tag(tag.parse().unwrap()));
        assert_eq!(named("oci:out/image"), Some(Ok(("out/image".into(), None))));
        assert_eq!(named("./image:v1"), Some(Ok(("./image".into(), tag("v1")))));
        assert_eq!(named("/srv/a:b/image"), Some(Ok(("/srv/a:b/image".into(), None))));
        let digest = Digest::of(b"image");
        assert_eq!(named(&format!("oci:x@{digest}")), Some(Ok(("x".into(), Some(Selector::Digest(digest))))));
        for text in ["oci:", "oci::v1", "oci:x:", "oci:x:a b"] {
            assert!(named(text).unwrap().is_err(), "{text}");
        }
        for text in ["localhost:5000/team/app:v1", "r.example/app@sha256:0", "team/app"] {
            assert_eq!(named(text), None, "{text}");
        }
    }
}
