//! The archive that a Docker engine with the graph-driver store saves (Engine API, `GET /images/NAME/get`): uncompressed
//! layers in arbitrary order, the manifest last.

use std::collections::HashMap;
use std::io::{self, Read as _};

use oci_spec::image::Descriptor;
use serde::Deserialize;

use super::described;
use crate::buildkit::Error;
use crate::document;
use crate::layer_store::{KnownLayer, Packing};
use crate::oci::archive;
use crate::oci::bounds::{self, TooLarge};
use crate::oci::hashed::Hashed;
use crate::oci::image::Parts;
use crate::oci::{Digest, Layout, layout};

/// Configurations and manifests are smaller; what is larger is a layer.
const MAX_DOCUMENT_BYTES: u64 = 4 << 20;

/// The most bytes of all documents and links together, which are held until the manifest comes.
const MAX_HELD: usize = 64 << 20;

/// One image in `manifest.json` (moby, `image/spec/spec.md`, "Combined Image JSON + Filesystem Changeset Format").
#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "Layers")]
    layers: Vec<String>,
}

/// Where the archives of engines since Docker 25 have their layers, by the digest of what they hold.
const BY_DIGEST: &str = "blobs/sha256/";

/// What the archive holds, by path.
struct Contents<'a> {
    layout: &'a Layout,
    packing: &'a Packing,
    /// The layers that are known, and in the layout.
    known: &'a [KnownLayer],
    documents: HashMap<String, Vec<u8>>,
    layers: HashMap<String, (Descriptor, Digest)>,
    links: HashMap<String, String>,
    /// How many bytes all of these have.
    held: usize,
    is_misjudged: bool,
}

/// What became of an archive.
#[derive(Debug)]
pub(crate) enum Read {
    /// Its image is in the layout.
    Whole(Parts),
    /// A layer that could have been a known one, by its size or its name, is another, and what it holds has gone by.
    Misjudged,
}

/// Reads the one image of `archive` into `layout`; `show` receives the number of bytes read so far. A layer of the size of one
/// of the `known`, which have to be in the layout, is hashed and not compressed.
///
/// # Errors
/// The archive breaks off or is not what it should be, or the layout can't be written.
pub(crate) fn read(
    archive: impl io::Read,
    layout: &Layout,
    packing: &Packing,
    known: &[KnownLayer],
    show: &dyn Fn(u64),
) -> Result<Read, Error> {
    let (documents, layers, links) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut contents = Contents { layout, packing, known, documents, layers, links, held: 0, is_misjudged: false };
    let mut seen = 0_u64;
    archive::for_each(archive, broken, |entry| {
        if contents.is_misjudged {
            return Ok(());
        }
        let path = entry.path().map_err(|error| broken(&error))?.to_string_lossy().into_owned();
        seen = seen.saturating_add(entry.size());
        if seen > bounds::MAX_BYTES {
            return Err(layout::Error::from(TooLarge::Bytes(seen)).into());
        }
        match entry.header().entry_type() {
            tar::EntryType::Regular | tar::EntryType::Continuous => contents.take(&path, entry)?,
            tar::EntryType::Symlink | tar::EntryType::Link => {
                let target =
                    entry.link_name().map_err(|error| broken(&error))?.unwrap_or_default().to_string_lossy().into_owned();
                contents.hold(path.len() + target.len())?;
                contents.links.insert(path, target);
            }
            _ => {}
        }
        show(seen);
        Ok(())
    })?;
    if contents.is_misjudged { Ok(Read::Misjudged) } else { contents.image().map(Read::Whole) }
}

impl Contents<'_> {
    fn take(&mut self, path: &str, entry: &mut impl Entry) -> Result<(), Error> {
        let mut start = Vec::new();
        if entry.length() <= MAX_DOCUMENT_BYTES {
            entry.read_to_end(&mut start).map_err(|error| broken(&error))?;
            // A layer is a tar archive, and no tar archive is JSON: it ends in zeros.
            if document::is_json(&start) {
                self.hold(path.len() + start.len())?;
                return match self.documents.insert(path.to_owned(), start) {
                    None => Ok(()),
                    Some(_) => Err(protocol(format!("{path} is there twice"))),
                };
            }
            if start.len() < 1024 {
                return Ok(()); // `VERSION`: less than the two zero blocks that end the smallest tar archive.
            }
        }
        if self.layers.len() >= bounds::MAX_LAYERS {
            return Err(layout::Error::from(TooLarge::Layers(self.layers.len() + 1)).into());
        }
        let Some(layer) = self.layer_of(path, &start, entry)? else { return Ok(()) };
        match self.layers.insert(path.to_owned(), layer) {
            None => Ok(()),
            Some(_) => Err(protocol(format!("{path} is there twice"))),
        }
    }

    /// A layer, in the layout: as it is known, else compressed. None where it can't be had any more.
    fn layer_of(&mut self, path: &str, start: &[u8], entry: &mut impl Entry) -> Result<Option<(Descriptor, Digest)>, Error> {
        let found = |diff_id: Digest| {
            let layer = self.known.iter().find(|layer| layer.diff_id == diff_id)?;
            Some((layer.descriptor.clone(), diff_id))
        };
        if entry.length() <= MAX_DOCUMENT_BYTES {
            if let Some(layer) = (!self.known.is_empty()).then(|| found(Digest::of(start))).flatten() {
                return Ok(Some(layer));
            }
        } else if self.known.iter().any(|layer| may_be(layer, path, entry.length())) {
            let layer = found(hashed(entry)?);
            self.is_misjudged = layer.is_none();
            return Ok(layer);
        }
        Ok(Some(self.packing.write_layer(start.chain(entry), self.layout)?))
    }

    fn hold(&mut self, bytes: usize) -> Result<(), Error> {
        self.held = self.held.saturating_add(bytes);
        if self.held <= MAX_HELD { Ok(()) } else { Err(protocol(format!("documents and links of more than {MAX_HELD} bytes"))) }
    }

    fn image(mut self) -> Result<Parts, Error> {
        let manifest = self.documents.get("manifest.json").ok_or_else(|| protocol("no manifest.json"))?;
        let manifests: Vec<Manifest> =
            document::read_shared(manifest).map_err(|error| protocol(format!("manifest.json: {error}")))?;
        let [manifest] =
            <[Manifest; 1]>::try_from(manifests).map_err(|all| protocol(format!("{} images instead of one", all.len())))?;
        let config = self.documents.remove(&manifest.config).ok_or_else(|| protocol(format!("no {}", manifest.config)))?;
        let (platform, diff_ids) = described(&config)?;
        if diff_ids.len() != manifest.layers.len() {
            return Err(protocol(format!("{} layers for {} diff ids", manifest.layers.len(), diff_ids.len())));
        }
        let layers = manifest.layers.iter().zip(diff_ids);
        let layers = layers.map(|(path, expected)| {
            let (descriptor, actual) = self.layer(path).ok_or_else(|| protocol(format!("no layer {path}")))?;
            if *actual == expected { Ok(descriptor.clone()) } else { Err(Error::LayerMismatch { expected, actual: *actual }) }
        });
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        let is_known = |layer: &&Descriptor| self.known.iter().any(|known| known.descriptor == **layer);
        layers.iter().filter(is_known).for_each(|layer| self.packing.known.used(layer));
        Ok(Parts { platform, config, layers })
    }

    /// The layer at `path`; the engine saves equal layers once and links to them.
    fn layer(&self, path: &str) -> Option<&(Descriptor, Digest)> {
        self.layers.get(path).or_else(|| {
            let target = self.links.get(path)?;
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let from_root = target.strip_prefix("../").map_or_else(|| format!("{folder}/{target}"), str::to_owned);
            self.layers.get(&from_root).or_else(|| self.layers.get(target))
        })
    }
}

/// Whether a file of the archive can be a layer, by its size and, where that says it, by its name.
fn may_be(layer: &KnownLayer, path: &str, length: u64) -> bool {
    let named = path.strip_prefix(BY_DIGEST);
    layer.size == length && named.is_none_or(|name| name == layer.diff_id.hex())
}

/// The digest of what is left of a file.
fn hashed(content: impl io::Read) -> Result<Digest, Error> {
    Hashed::new(content).finish().map(|(digest, _)| digest).map_err(|error| broken(&error))
}

trait Entry: io::Read {
    fn length(&self) -> u64;
}

impl<R: io::Read> Entry for tar::Entry<'_, R> {
    fn length(&self) -> u64 {
        self.size()
    }
}

fn broken(error: &io::Error) -> Error {
    Error::Lost { reason: format!("the engine's image archive: {error}") }
}

fn protocol(reason: impl Into<String>) -> Error {
    Error::Protocol(format!("the engine's image archive: {}", reason.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Compression;
    use crate::oci::layout::descriptor;

    const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[DIFF]}}"#;
    const MANIFEST: &str = r#"[{"Config":"config.json","RepoTags":null,"Layers":["layer.tar"]}]"#;

    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, name, *content).unwrap();
        }
        archive.into_inner().unwrap()
    }

    /// What becomes of an engine's archive with this configuration and this manifest, and with these entries after them.
    fn read_with(config: &str, manifest: &str, more: &[(&str, &[u8])]) -> Result<Parts, Error> {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path()).unwrap();
        let layer = archive(&[("app", b"scanned")]);
        let config = config.replace("DIFF", &format!("\"{}\"", Digest::of(&layer)));
        let entries = [("layer.tar", &*layer), ("config.json", config.as_bytes()), ("manifest.json", manifest.as_bytes())];
        let read = read(&*archive(&[&entries, more].concat()), &layout, &Packing::alone(Compression::Gzip), &[], &|_| {});
        read.map(|read| match read {
            Read::Whole(parts) => parts,
            Read::Misjudged => panic!("nothing is known"),
        })
    }

    #[test]
    fn an_archive_has_one_reading_or_is_refused() {
        assert_eq!(read_with(CONFIG, MANIFEST, &[]).unwrap().layers.len(), 1);
        for (config, manifest) in [
            (CONFIG, r#"[{"Config":"config.json","config":"other.json","Layers":["layer.tar"]}]"#),
            (CONFIG, r#"[{"Config":"config.json","Config":"config.json","Layers":["layer.tar"]}]"#),
            (CONFIG, r#"[{"Config":"config.json","Layers":["layer.tar"],"layers":[]}]"#),
            (CONFIG, r#"[{"Config":"config.json","Layers":["layer.tar"]}] []"#),
            (r#"{"architecture":"amd64","os":"linux","OS":"x","rootfs":{"type":"layers","diff_ids":[DIFF]}}"#, MANIFEST),
            (r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[DIFF],"diff_ids":[DIFF]}}"#, MANIFEST),
            (r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[DIFF],"Diff_Ids":[]}}"#, MANIFEST),
        ] {
            let read = read_with(config, manifest, &[]);
            assert!(matches!(read, Err(Error::Protocol(_))), "{config} {manifest}: {read:?}");
        }
    }

    #[test]
    fn an_archive_has_each_file_once_or_is_refused() {
        let layer = archive(&[("app", b"never scanned")]);
        for twice in [("manifest.json", MANIFEST.as_bytes()), ("config.json", b"{}"), ("layer.tar", &layer)] {
            let read = read_with(CONFIG, MANIFEST, &[twice]);
            assert!(matches!(&read, Err(Error::Protocol(reason)) if reason.contains("twice")), "{}: {read:?}", twice.0);
        }
    }

    /// An archive of two layers that are too large to be held, one of them known, as engines have them: by names of their own,
    /// and by their digests.
    #[test]
    fn a_layer_that_is_known_is_hashed_and_no_other_is_taken_for_it() {
        let packing = Packing::alone(Compression::Gzip);
        let content = |byte| archive(&[("app", &vec![byte; 5 << 20])]);
        let (known, other) = (content(1), content(2));
        let (known_id, other_id) = (Digest::of(&known), Digest::of(&other));
        let config = CONFIG.replace("DIFF", &format!("\"{known_id}\",\"{other_id}\""));
        let blob = |digest: Digest| format!("{BY_DIGEST}{}", digest.hex());
        for (names, is_misjudged) in
            [(["1/layer.tar".to_owned(), "2/layer.tar".to_owned()], true), ([known_id, other_id].map(blob), false)]
        {
            let manifest = format!(r#"[{{"Config":"config.json","Layers":["{}","{}"]}}]"#, names[0], names[1]);
            let (folder, size) = (tempfile::tempdir().unwrap(), known.len() as u64);
            let layout = Layout::create(folder.path()).unwrap();
            let entries = [
                (&*names[0], &*known),
                (&*names[1], &*other),
                ("config.json", config.as_bytes()),
                ("manifest.json", manifest.as_bytes()),
            ];
            let layer = |diff_id| KnownLayer {
                descriptor: descriptor(oci_spec::image::MediaType::ImageLayerGzip, Digest::of(b"known"), 5),
                diff_id,
                size,
            };
            let saved = archive(&entries);
            let read = |known: &[KnownLayer]| read(&*saved, &layout, &packing, known, &|_| {}).unwrap();
            match read(&[layer(known_id)]) {
                Read::Whole(parts) => {
                    assert!(!is_misjudged);
                    assert_eq!(parts.layers[0], layer(known_id).descriptor);
                    layout.verify(&parts.layers[1]).unwrap();
                }
                // The other has the same size, and no name that says which it is.
                Read::Misjudged => assert!(is_misjudged),
            }
            let Read::Whole(parts) = read(&[]) else { panic!("nothing is known") };
            parts.layers.iter().for_each(|layer| layout.verify(layer).unwrap());
            let of_another_size = KnownLayer { size: size + 1, ..layer(known_id) };
            assert!(
                matches!(read(&[of_another_size]), Read::Whole(parts) if parts.layers.iter().all(|layer| layout.verify(layer).is_ok()))
            );
        }
    }

    #[test]
    fn no_number_of_links_takes_more_memory_than_there_is_for_them() {
        let (folder, target) = (tempfile::tempdir().unwrap(), "x".repeat(1_000_000));
        let layout = Layout::create(folder.path()).unwrap();
        let mut archive = tar::Builder::new(Vec::new());
        for number in 0..70 {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            archive.append_link(&mut header, number.to_string(), &target).unwrap();
        }
        let read = read(&*archive.into_inner().unwrap(), &layout, &Packing::alone(Compression::Gzip), &[], &|_| {});
        assert!(matches!(&read, Err(Error::Protocol(reason)) if reason.contains("links")), "{read:?}");
    }
}
