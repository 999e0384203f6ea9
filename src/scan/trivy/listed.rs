//! Packages that the SBOM lists and trivy does not see in the image, as a document that it takes: `CycloneDX` 1.6, "JSON
//! Reference", with the properties that trivy reads (its `core.Property…`).

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::oci::image::PlatformImage;
use crate::scan::packages::{Package, Packages};

/// More than any image has of packages that trivy does not see; its time grows with the square of their number. What is
/// beyond is not taken, and so not judged.
const MAX_COMPONENTS: usize = 20_000;

/// What a part of a package URL may have as it is (purl-spec, "Character encoding").
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    bom_format: &'static str,
    spec_version: &'static str,
    version: u32,
    metadata: Metadata,
    components: Vec<Component<'a>>,
}

#[derive(Serialize)]
struct Metadata {
    component: Component<'static>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Component<'a> {
    #[serde(rename = "bom-ref")]
    reference: String,
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    purl: String,
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

/// Writes the document of some packages. It says which image it is about, so that trivy's report does too.
///
/// # Errors
/// The file can't be written.
pub(super) fn write(path: &Path, platform: &PlatformImage, packages: &Packages) -> std::io::Result<()> {
    let image_id = Property { name: "aquasecurity:trivy:ImageID", value: platform.config_descriptor.digest().to_string() };
    let diff_id = |diff_id: String| Property { name: "aquasecurity:trivy:DiffID", value: diff_id };
    let diff_ids = platform.layers.iter().map(|layer| diff_id(layer.diff_id.to_string()));
    let image = Component {
        reference: "image".to_owned(),
        kind: "container",
        name: "image".to_owned(),
        version: "",
        purl: String::new(),
        properties: [image_id].into_iter().chain(diff_ids).collect(),
    };
    let names = packages.iter().flat_map(|package| package.names().into_iter().map(move |name| (package, name)));
    let components = names.take(MAX_COMPONENTS).enumerate().map(|(index, (package, name))| component(index, package, name));
    let document = Document {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        version: 1,
        metadata: Metadata { component: image },
        components: components.collect(),
    };
    let mut file = BufWriter::new(fs::File::create(path)?);
    serde_json::to_writer(&mut file, &document)?;
    file.flush()
}

fn component(index: usize, package: &Package, name: String) -> Component<'_> {
    let file = package.file().map(|file| Property { name: "aquasecurity:trivy:FilePath", value: file.to_owned() });
    let version = package.version();
    Component {
        reference: index.to_string(),
        kind: "library",
        purl: url(package.kind(), &name, version),
        name,
        version,
        properties: file.into_iter().collect(),
    }
}

/// The package URL of a name and a version, whatever is in them.
fn url(kind: &str, name: &str, version: &str) -> String {
    let encoded = |part: &str| utf8_percent_encode(part, &ENCODED).to_string();
    // The group of a Maven package is its namespace.
    let path = if kind == "maven" { name.replacen(':', "/", 1) } else { name.to_owned() };
    let path: Vec<_> = path.split('/').map(encoded).collect();
    format!("pkg:{kind}/{}@{}", path.join("/"), encoded(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_one_reading_whatever_is_in_the_name() {
        for (kind, name, version, expected) in [
            ("pypi", "PyYAML", "5.3", "pkg:pypi/PyYAML@5.3"),
            ("npm", "@angular/core", "1.0.0", "pkg:npm/%40angular/core@1.0.0"),
            ("maven", "org.a:b", "1", "pkg:maven/org.a/b@1"),
            ("golang", "github.com/Foo/bar", "v1.2.3+incompatible", "pkg:golang/github.com/Foo/bar@v1.2.3%2Bincompatible"),
            ("pypi", "a@1?b=c#d", "2@3?e#f", "pkg:pypi/a%401%3Fb%3Dc%23d@2%403%3Fe%23f"),
        ] {
            assert_eq!(url(kind, name, version), expected);
        }
    }
}
