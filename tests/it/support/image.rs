//! Small images in layouts, and the leave to publish them.

use std::io::Write as _;
use std::path::Path;

use gp_deliver::environment::Environment;
use gp_deliver::finding::Severity;
use gp_deliver::oci::{Digest, Image, Layout, Tag, layout};
use gp_deliver::policy::{self, Cleared, Decision, Evidence, Threshold};
use gp_deliver::scanner::Tool;
use gp_deliver::tags::PlannedTag;
use oci_spec::image::{Descriptor, MediaType};
use serde_json::json;

/// Writes an image into the folder `at`: two small layers and one of `size` random bytes, the same for the same `seed`.
/// With several architectures it is an index.
pub fn image(at: &Path, seed: u8, architectures: &[&str], size: usize) -> Image {
    let layout = Layout::create(at).unwrap();
    let manifests: Vec<Descriptor> = architectures.iter().map(|one| manifest(&layout, seed, one, size)).collect();
    let root = match manifests.as_slice() {
        [one] => one.clone(),
        several => {
            let index = layout::index_of(several.to_vec()).unwrap();
            layout.write_document(MediaType::ImageIndex, &index).unwrap()
        }
    };
    Image::open(layout, root).unwrap()
}

fn manifest(layout: &Layout, seed: u8, architecture: &str, size: usize) -> Descriptor {
    let mut state = u64::from(seed) + 1;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(size)
    .collect();
    // The first is every image's, the second every platform's of this image, the third is one platform's own.
    let files = [("base", b"base".to_vec()), ("noise", noise), ("architecture", format!("{architecture}{seed}").into_bytes())];
    let layers = files.map(|(name, content)| layer(layout, name, &content));
    let diff_ids: Vec<String> = layers.iter().map(|(_, diff_id)| diff_id.to_string()).collect();
    let config = json!({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}});
    let config = layout.write_document(MediaType::ImageConfig, &config).unwrap();
    let layers: Vec<&Descriptor> = layers.iter().map(|(descriptor, _)| descriptor).collect();
    let media_type = MediaType::ImageManifest;
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers});
    let mut descriptor = layout.write_document(media_type, &manifest).unwrap();
    let platform = json!({"architecture": architecture, "os": "linux"});
    descriptor.set_platform(serde_json::from_value(platform).unwrap());
    descriptor
}

fn layer(layout: &Layout, name: &str, content: &[u8]) -> (Descriptor, Digest) {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, content).unwrap();
    let archive = archive.into_inner().unwrap();
    let mut compressed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    compressed.write_all(&archive).unwrap();
    (layout.write(MediaType::ImageLayerGzip, &compressed.finish().unwrap()).unwrap(), Digest::of(&archive))
}

/// The leave to publish, as the policy gives it for a clean image.
pub fn cleared(image: &Image) -> Cleared {
    let threshold = Threshold { severity: Severity::High, ignore_unfixed: false };
    let evidence = Evidence { image: image.digest, complete: &[Tool::GITLEAKS, Tool::TRIVY], findings: &[] };
    match policy::decide(Environment::Prod.requirements(), threshold, &evidence) {
        Decision::Cleared(cleared) => cleared,
        other => panic!("{other:?}"),
    }
}

/// Tags to set; the one called `latest`, and those that end so, move.
pub fn tags(names: &[&str]) -> Vec<PlannedTag> {
    let tag =
        |name: &&str| PlannedTag { tag: name.parse::<Tag>().unwrap(), moving: name.ends_with("latest"), of_environment: false };
    names.iter().map(tag).collect()
}
