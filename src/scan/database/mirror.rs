//! A place that has a database.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use oci_spec::image::{Descriptor, ImageManifest};

use super::digests::Digests;
use super::{Keys, Kind, archive, arriving};
use crate::oci::layout::digest_of;
use crate::oci::manifest::Document;
use crate::oci::reference::Repository;
use crate::oci::registry::{Client, Selector};
use crate::oci::{Digest, Layout, Reference, Tag};
use crate::text;

/// More than either database has, packed.
pub(crate) const MAX_ARCHIVE_BYTES: u64 = 4 << 30;

/// More than the configuration of either has, which says nothing.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// How long a mirror may take to say what it has. There are others to ask.
pub(crate) const ANSWER: Duration = Duration::from_secs(45);

/// Where a database can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mirror {
    /// A layout folder: `oci:PATH` or `oci:PATH:TAG`.
    Folder {
        /// The folder.
        path: PathBuf,
        /// The tag; where there is none, that of the database's schema.
        tag: Option<Tag>,
    },
    /// A registry: `HOST[:PORT]/NAME[:TAG]`, the tag being that of the schema where there is none.
    Registry(Reference),
}

/// The text is not a mirror.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the place of a database: {reason}")]
pub(crate) struct InvalidMirror {
    /// What was given.
    pub(crate) text: String,
    /// What is wrong with it.
    pub(crate) reason: &'static str,
}

impl FromStr for Mirror {
    type Err = InvalidMirror;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason| InvalidMirror { text: text.to_owned(), reason };
        let Some(rest) = text.strip_prefix("oci:") else {
            return text
                .parse()
                .map(Self::Registry)
                .map_err(|error: crate::oci::reference::InvalidReference| invalid(error.reason));
        };
        let tagged = rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
        let (path, tag) = match tagged {
            Some((path, tag)) => (path, Some(tag.parse().map_err(|_| invalid("what follows the last ':' is not a tag"))?)),
            None => (rest, None),
        };
        if path.is_empty() {
            return Err(invalid("a folder is expected after oci:"));
        }
        Ok(Self::Folder { path: path.into(), tag })
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { path, tag } => {
                write!(f, "oci:{}", path.display())?;
                tag.iter().try_for_each(|tag| write!(f, ":{tag}"))
            }
            Self::Registry(reference) => reference.fmt(f),
        }
    }
}

/// A database at a mirror, before it is fetched.
pub(super) struct Source {
    pub(super) digest: Digest,
    config: Descriptor,
    layer: Descriptor,
    place: Place,
}

enum Place {
    Folder(Layout),
    Registry(Client, Reference),
}

impl Mirror {
    /// Where the vulnerability database is published: where trivy itself asks, in its order (its
    /// `db.DefaultGCRRepository`, `db.DefaultGHCRRepository`), and Amazon's copy.
    pub(crate) const DATABASES: &[&str] =
        &["mirror.gcr.io/aquasec/trivy-db:2", "ghcr.io/aquasecurity/trivy-db:2", "public.ecr.aws/aquasecurity/trivy-db:2"];

    /// Where the Java database is.
    pub(crate) const JAVA_DATABASES: &[&str] = &[
        "mirror.gcr.io/aquasec/trivy-java-db:1",
        "ghcr.io/aquasecurity/trivy-java-db:1",
        "public.ecr.aws/aquasecurity/trivy-java-db:1",
    ];

    /// The repository that it is, where it is one of a registry.
    #[must_use]
    pub(crate) fn repository(&self) -> Option<&Repository> {
        match self {
            Self::Folder { .. } => None,
            Self::Registry(reference) => Some(&reference.repository),
        }
    }

    /// Asks what the mirror has.
    pub(super) async fn open(&self, kind: Kind, keys: Keys<'_>) -> Result<Source, String> {
        in_time(self.ask(kind, keys)).await
    }

    async fn ask(&self, kind: Kind, keys: Keys<'_>) -> Result<Source, String> {
        let schema: Tag = kind.schema().to_string().parse().map_err(|_| String::new())?;
        match self {
            Self::Folder { path, tag } => {
                let layout = Layout::open(path).map_err(|error| error.to_string())?;
                let tag = tag.as_ref().unwrap_or(&schema);
                let tags = layout.tags().map_err(|error| error.to_string())?;
                let root = tags.get(tag).ok_or_else(|| format!("it has no tag {tag}"))?;
                let manifest = layout.read_manifest(root).map_err(|error| error.to_string())?;
                let manifest = manifest.manifest().map_err(|fault| fault.to_string())?;
                let digest = digest_of(root).map_err(|error| error.to_string())?;
                Source::of(digest, &manifest, kind, Place::Folder(layout))
            }
            Self::Registry(reference) => {
                let client = keys.client(&reference.repository).await?;
                let which = Selector::of(reference).unwrap_or(Selector::Tag(schema));
                let manifest = client.pull_manifest(&which).await.map_err(|error| keys.words(reference, error))?;
                let parsed = manifest.document().and_then(Document::manifest);
                let parsed = parsed.map_err(|fault| format!("its manifest is not valid: {fault}"))?;
                Source::of(manifest.digest, &parsed, kind, Place::Registry(client, reference.clone()))
            }
        }
    }
}

impl Source {
    fn of(digest: Digest, manifest: &ImageManifest, kind: Kind, place: Place) -> Result<Self, String> {
        Ok(Self { digest, config: manifest.config().clone(), layer: layer(manifest, kind)?, place })
    }

    /// Whether contents may be read too, and not the manifest alone: by the smallest.
    pub(super) async fn probe(&self, keys: Keys<'_>) -> Result<(), String> {
        let Place::Registry(client, reference) = &self.place else { return Ok(()) };
        if self.config.size() > MAX_CONFIG_BYTES {
            return Err(format!("its configuration has {} bytes", self.config.size()));
        }
        let mut content = Vec::new();
        in_time(async {
            client.pull_blob(&self.config, &mut content, &|_| ()).await.map_err(|error| keys.words(reference, error))
        })
        .await
    }

    /// Unpacks the database into [`archive::FOLDER`] of `folder`, and says what its files hash to. The archive is what its digest
    /// says if this succeeds: one that has to be fetched is unpacked while it arrives.
    pub(super) async fn unpack(
        &self,
        kind: Kind,
        folder: &Path,
        keys: Keys<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Digests, String> {
        let (size, unpacked) = (self.layer.size(), folder.join(archive::FOLDER));
        match &self.place {
            Place::Folder(layout) => {
                let (layout, layer) = (layout.clone(), self.layer.clone());
                blocking(move || {
                    layout.verify(&layer).map_err(|error| error.to_string())?;
                    let blob = layout.blob(&digest_of(&layer).map_err(|error| error.to_string())?);
                    let blob = File::open(blob).map_err(|error| error.to_string())?;
                    archive::unpack(blob, size, &unpacked, kind)
                })
                .await
            }
            Place::Registry(client, reference) => {
                let (mut writing, reading) = arriving::file(&folder.join("archive")).map_err(|error| error.to_string())?;
                let fetch = async move {
                    let pulled = client.pull_blob(&self.layer, &mut writing, progress).await;
                    pulled.map_err(|error| keys.words(reference, error))?;
                    writing.finish();
                    Ok(())
                };
                // That it is another than its digest says tells more than where it could not be unpacked.
                let (fetched, unpacked) = tokio::join!(fetch, blocking(move || archive::unpack(reading, size, &unpacked, kind)));
                fetched.and(unpacked)
            }
        }
    }
}

/// What a mirror says in time.
async fn in_time<T>(asked: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let answered = tokio::time::timeout(ANSWER, asked).await;
    answered.unwrap_or_else(|_| Err(format!("it did not say within {} what it has", text::span(ANSWER))))
}

/// Does what takes a processor beside the rest.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string()).flatten()
}

/// The one layer of the artifact.
fn layer(manifest: &ImageManifest, kind: Kind) -> Result<Descriptor, String> {
    let [layer] = manifest.layers().as_slice() else {
        return Err(format!("it has {} layers where a {} has one", manifest.layers().len(), kind.name()));
    };
    if layer.media_type().to_string() != kind.media_type() {
        return Err(format!("it is not a {}: its media type is {}", kind.name(), layer.media_type()));
    }
    if layer.size() > MAX_ARCHIVE_BYTES {
        return Err(format!("it has {} bytes, more than a {} has", layer.size(), kind.name()));
    }
    Ok(layer.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_a_folder_or_a_registry() {
        for text in ["oci:target/trivy-db", "oci:/a:b/c", "oci:a:2", "ghcr.io/aquasecurity/trivy-db:2", "localhost:5000/db"] {
            assert_eq!(text.parse::<Mirror>().unwrap().to_string(), text);
        }
        assert!(matches!("oci:/a:b/c".parse(), Ok(Mirror::Folder { tag: None, .. })));
        assert!(matches!("oci:a:2".parse(), Ok(Mirror::Folder { tag: Some(_), .. })));
        for text in ["", "oci:", "oci::2", "oci:a:-", "trivy-db", "https://ghcr.io/x"] {
            assert!(text.parse::<Mirror>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_default_mirrors_are_mirrors() {
        for mirror in Mirror::DATABASES.iter().chain(Mirror::JAVA_DATABASES) {
            assert!(matches!(mirror.parse(), Ok(Mirror::Registry(_))), "{mirror}");
        }
    }
}
