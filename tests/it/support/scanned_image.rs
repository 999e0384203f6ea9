//! Small images with packages that are known to trivy and syft, and the databases that know about them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use gp_deliver::oci::{Digest, Image, Layout, layout};
use oci_spec::image::{Descriptor, MediaType};
use serde_json::json;

/// A file of an image: where, and what.
pub type File = (&'static str, Vec<u8>);

/// What makes an image one of this version of Debian, with one package.
pub fn debian(version: &str) -> Vec<File> {
    let release = format!("ID=debian\nVERSION_ID=\"{version}\"\n");
    let status = "Package: tar\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.34+dfsg-1.2\nMaintainer: x\n\n";
    vec![
        ("etc/os-release", release.into_bytes()),
        ("etc/debian_version", format!("{version}.1\n").into_bytes()),
        ("var/lib/dpkg/status", status.as_bytes().to_vec()),
    ]
}

/// A Python package with a critical advisory.
pub fn pyyaml() -> Vec<File> {
    let metadata = "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\nLicense: MIT\n";
    vec![("app/PyYAML-5.3.dist-info/METADATA", metadata.as_bytes().to_vec())]
}

/// A jar that can be told by its checksum alone: an empty archive (APPNOTE.TXT, "End of central directory record").
pub fn jar() -> Vec<File> {
    let mut empty = b"PK\x05\x06".to_vec();
    empty.resize(22, 0);
    vec![("app/log4j-core-2.14.1.jar", empty)]
}

/// Writes an image into the folder `at`, each of its platforms with these layers, and an index where there are several.
pub fn image(at: &Path, architectures: &[&str], layers: &[Vec<File>]) -> Image {
    let layout = Layout::create(at).unwrap();
    let manifests: Vec<_> = architectures.iter().map(|one| manifest(&layout, one, layers)).collect();
    let root = match manifests.as_slice() {
        [one] => one.clone(),
        several => {
            let index = layout::index_of(several.to_vec()).unwrap();
            layout.write_document(MediaType::ImageIndex, &index).unwrap()
        }
    };
    Image::open(layout, root).unwrap()
}

fn manifest(layout: &Layout, architecture: &str, layers: &[Vec<File>]) -> Descriptor {
    let layers: Vec<_> = layers.iter().map(|files| layer(layout, files)).collect();
    let diff_ids: Vec<_> = layers.iter().map(|(_, diff_id)| diff_id.to_string()).collect();
    let config =
        json!({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}, "config": {}});
    let config = layout.write_document(MediaType::ImageConfig, &config).unwrap();
    let layers: Vec<_> = layers.into_iter().map(|(descriptor, _)| descriptor).collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::ImageManifest, "config": config, "layers": layers});
    layout.write_document(MediaType::ImageManifest, &manifest).unwrap()
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
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&archive).unwrap();
    (layout.write(MediaType::ImageLayerGzip, &packed.finish().unwrap()).unwrap(), Digest::of(&archive))
}

/// The two databases, as layouts in `folder`, from the advisories of `fixtures`.
pub fn databases(tool: &Path, folder: &Path) -> (PathBuf, PathBuf) {
    let advisories = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join("advisories");
    let (vulnerabilities, java) = (folder.join("trivy-db"), folder.join("trivy-java-db"));
    let mut make = Command::new(tool);
    make.arg("--advisories").arg(advisories).arg("--output").arg(&vulnerabilities).arg("--java-output").arg(&java);
    assert!(make.status().unwrap().success());
    (vulnerabilities, java)
}
