//! Manifests, indexes and configurations, as a registry or a layout has them.

use oci_spec::image::{ImageConfiguration, MediaType};
use serde::Serialize;

use super::go::Node;
use super::input::{can_be_shown, parts, text};
use crate::document;
use crate::oci::bounds;
use crate::oci::image::described;
use crate::oci::manifest::{self, Document};

/// Reads a document that is said to be of a media type.
pub fn manifest(bytes: &[u8]) {
    let [declared, content] = parts(bytes);
    let declared = MediaType::from(&*text(declared));
    match manifest::media_type(content, None) {
        Ok(own) => assert!(!own.as_ref().is_empty()),
        Err(fault) => can_be_shown(&fault),
    }
    match manifest::read(content, &declared) {
        Err(fault) => can_be_shown(&fault),
        Ok(Document::Index(index)) => {
            let (_, size) = (bounds::index(&index), bounds::size(index.manifests()));
            assert!(size.is_err() || index.manifests().iter().all(|manifest| manifest.size() <= bounds::MAX_BYTES));
            names_what_another_reader_sees(content, "manifests", index.manifests());
            reads_back(&*index, &declared, &Document::Index(index.clone()));
        }
        Ok(Document::Manifest(manifest)) => {
            let _ = (bounds::manifest(&manifest), bounds::size(manifest.layers()));
            names_what_another_reader_sees(content, "layers", manifest.layers());
            reads_back(&*manifest, &declared, &Document::Manifest(manifest.clone()));
        }
    }
    configuration(content);
}

/// Whether another reader goes on to the same content.
fn names_what_another_reader_sees(content: &[u8], list: &str, ours: &[oci_spec::image::Descriptor]) {
    let node = serde_json::from_slice::<Node>(content).unwrap_or(Node::Other);
    let listed = node.field(list).map(Node::elements).unwrap_or_default();
    let theirs: Vec<_> = listed.iter().map(|descriptor| descriptor.field("digest").and_then(Node::text)).collect();
    let ours: Vec<_> = ours.iter().map(|descriptor| Some(descriptor.digest().as_ref())).collect();
    assert_eq!(ours, theirs, "another reader sees other content");
}

fn reads_back(written: &impl Serialize, declared: &MediaType, read: &Document) {
    let written = serde_json::to_vec(written).unwrap_or_default();
    assert_eq!(manifest::read(&written, declared).as_ref(), Ok(read), "{}", text(&written));
}

fn configuration(content: &[u8]) {
    let Ok(config) = document::read_shared::<ImageConfiguration>(content) else { return };
    let Ok((platform, diff_ids)) = described(&config) else { return };
    assert_eq!(platform.to_string().parse().as_ref(), Ok(&platform), "a platform has one spelling");
    assert!(!platform.slug().contains('/'));
    assert_eq!(diff_ids.len(), config.rootfs().diff_ids().len());
}
