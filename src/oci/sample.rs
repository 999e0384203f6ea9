//! Small images for tests.

use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use oci_spec::image::{Descriptor, MediaType};
use serde_json::{Value, json};

use super::{Digest, Image, Layout, layout};

/// A file of an image: where, and what.
pub(crate) type File = (&'static str, Vec<u8>);

/// Writes an image into the folder `at`, each of its platforms with these layers, and an index where there are several.
pub(crate) fn image(at: &Path, architectures: &[&str], layers: &[Vec<File>]) -> Image {
    write(at, architectures, |_| layers.to_vec())
}

/// Writes an image of one platform into the folder `at`, with what its configuration says of how it is run.
pub(crate) fn with_config(at: &Path, layers: &[Vec<File>], config: &Value) -> Image {
    let layout = Layout::create(at).unwrap();
    let root = manifest(&layout, "amd64", layers, config);
    Image::open(layout, root).unwrap()
}

/// Writes an image into the folder `at`: two small layers and one of `size` random bytes, the same for the same `seed`.
/// With several architectures it is an index.
pub(crate) fn random(at: &Path, seed: u8, architectures: &[&str], size: usize) -> Image {
    let mut state = u64::from(seed) + 1;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(size)
    .collect();
    // The first is every image's, the second every platform's of this image, the third is one platform's own.
    write(at, architectures, |architecture| {
        let own = format!("{architecture}{seed}").into_bytes();
        vec![vec![("base", b"base".to_vec())], vec![("noise", noise.clone())], vec![("architecture", own)]]
    })
}

fn write(at: &Path, architectures: &[&str], layers: impl Fn(&str) -> Vec<Vec<File>>) -> Image {
    let layout = Layout::create(at).unwrap();
    let manifests: Vec<Descriptor> = architectures.iter().map(|one| manifest(&layout, one, &layers(one), &json!({}))).collect();
    let root = match manifests.as_slice() {
        [one] => one.clone(),
        several => {
            let index = layout::index_of(several.to_vec()).unwrap();
            layout.write_document(MediaType::ImageIndex, &index).unwrap()
        }
    };
    Image::open(layout, root).unwrap()
}

fn manifest(layout: &Layout, architecture: &str, layers: &[Vec<File>], config: &Value) -> Descriptor {
    let layers: Vec<(Descriptor, Digest)> = layers.iter().map(|files| layer(layout, files)).collect();
    let diff_ids: Vec<String> = layers.iter().map(|(_, diff_id)| diff_id.to_string()).collect();
    let rootfs = json!({"type": "layers", "diff_ids": diff_ids});
    let config = json!({"architecture": architecture, "os": "linux", "rootfs": rootfs, "config": config});
    let config = layout.write_document(MediaType::ImageConfig, &config).unwrap();
    let layers: Vec<&Descriptor> = layers.iter().map(|(descriptor, _)| descriptor).collect();
    let media_type = MediaType::ImageManifest;
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers});
    let mut descriptor = layout.write_document(media_type, &manifest).unwrap();
    let platform = json!({"architecture": architecture, "os": "linux"});
    descriptor.set_platform(serde_json::from_value(platform).unwrap());
    descriptor
}

fn layer(layout: &Layout, files: &[File]) -> (Descriptor, Digest) {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    let archive = archive.into_inner().unwrap();
    let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
    compressed.write_all(&archive).unwrap();
    (layout.write(MediaType::ImageLayerGzip, &compressed.finish().unwrap()).unwrap(), Digest::of(&archive))
}

/// What makes an image one of this version of Debian, with one package.
pub(crate) fn debian(version: &str) -> Vec<File> {
    let release = format!("ID=debian\nVERSION_ID=\"{version}\"\n");
    let status = "Package: tar\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.34+dfsg-1.2\nMaintainer: x\n\n";
    vec![
        ("etc/os-release", release.into_bytes()),
        ("etc/debian_version", format!("{version}.1\n").into_bytes()),
        ("var/lib/dpkg/status", status.as_bytes().to_vec()),
    ]
}

/// A Python package with a critical advisory.
pub(crate) fn pyyaml() -> Vec<File> {
    let metadata = "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\nLicense: MIT\n";
    vec![("app/PyYAML-5.3.dist-info/METADATA", metadata.as_bytes().to_vec())]
}

/// A jar that can be told by its checksum alone: an empty archive (APPNOTE.TXT, "End of central directory record").
pub(crate) fn jar() -> Vec<File> {
    let mut empty = b"PK\x05\x06".to_vec();
    empty.resize(22, 0);
    vec![("app/log4j-core-2.14.1.jar", empty)]
}
