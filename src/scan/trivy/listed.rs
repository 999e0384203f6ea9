//! Packages that the SBOM lists and trivy does not see in the image, as a document that it takes: `CycloneDX` 1.6, "JSON
//! Reference", with the properties that trivy reads (its `core.Property…`).

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::About;
use crate::scan::packages::{Package, Packages};
use crate::scan::syft::{Distribution, Installed};

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
    name: String,
    value: String,
}

/// Writes the document of some packages, and of those of a distribution. It says which image it is about, so that trivy's
/// report does too.
///
/// # Errors
/// The file can't be written.
pub(super) fn write(path: &Path, about: &About, packages: &Packages, distribution: Option<&Distribution>) -> std::io::Result<()> {
    let image = Component {
        reference: "image".to_owned(),
        kind: "container",
        name: "image".to_owned(),
        version: "",
        purl: String::new(),
        properties: vec![property("ImageID", &about.image_id)],
    };
    let names = packages.iter().flat_map(|package| package.names().into_iter().map(move |name| (package, name)));
    let by_name = names.take(MAX_COMPONENTS).enumerate().map(|(index, (package, name))| component(index, package, name));
    let document = Document {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        version: 1,
        metadata: Metadata { component: image },
        components: distribution.map(of_distribution).unwrap_or_default().into_iter().chain(by_name).collect(),
    };
    let mut file = BufWriter::new(fs::File::create(path)?);
    serde_json::to_writer(&mut file, &document)?;
    file.flush()
}

fn property(name: &str, value: &str) -> Property {
    Property { name: format!("aquasecurity:trivy:{name}"), value: value.to_owned() }
}

/// A distribution and its packages, each with what it was built from: trivy looks many of them up by that, and takes it from
/// its own properties alone (its `sbom/io.Decoder`).
fn of_distribution(distribution: &Distribution) -> Vec<Component<'_>> {
    let itself = Component {
        reference: "distribution".to_owned(),
        kind: "operating-system",
        name: distribution.family().to_owned(),
        version: &distribution.version,
        purl: String::new(),
        properties: Vec::new(),
    };
    let packages = distribution.packages.iter().take(MAX_COMPONENTS).enumerate().map(|(index, package)| {
        let qualifiers = [("arch", &package.architecture), ("epoch", &package.epoch)];
        let qualifiers = qualifiers.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", encoded(value.as_ref()?))));
        let qualifiers: Vec<_> = qualifiers.collect();
        let url = url(distribution.kind, &package.name, &package.version);
        Component {
            reference: format!("installed-{index}"),
            kind: "library",
            name: package.name.clone(),
            version: &package.version,
            purl: if qualifiers.is_empty() { url } else { format!("{url}?{}", qualifiers.join("&")) },
            properties: sources(distribution.kind, package),
        }
    });
    [itself].into_iter().chain(packages).collect()
}

/// What says from what a package was built.
fn sources(kind: &str, package: &Installed) -> Vec<Property> {
    let Some((name, version)) = &package.source else { return Vec::new() };
    let mut properties = vec![property("SrcName", name)];
    match version.as_deref().map(|version| (version, version.rsplit_once('-'))) {
        Some((_, Some((version, release)))) if kind == "rpm" => {
            properties.extend([property("SrcVersion", version), property("SrcRelease", release)]);
        }
        Some((version, _)) => properties.push(property("SrcVersion", version)),
        None => {}
    }
    properties
}

fn component(index: usize, package: &Package, name: String) -> Component<'_> {
    let file = package.file().map(|file| property("FilePath", file));
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
    // The group of a Maven package is its namespace.
    let path = if kind == "maven" { name.replacen(':', "/", 1) } else { name.to_owned() };
    let path: Vec<_> = path.split('/').map(encoded).collect();
    format!("pkg:{kind}/{}@{}", path.join("/"), encoded(version))
}

fn encoded(part: &str) -> String {
    utf8_percent_encode(part, &ENCODED).to_string()
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
