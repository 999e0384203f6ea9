//! What is different in an image since another one: packages, findings, layers and what it was built from.
//!
//! Both images are known by what was written down of them, so nothing of either has to be fetched: their SBOMs, what a scan
//! found in each, the layers of their manifests.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::document;
use crate::finding::{Severity, Vulnerability};
use crate::oci::{Digest, Platform, Tag};

/// What is different in an image since an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Since {
    /// The earlier image; absent where none is known.
    pub(crate) image: Option<Earlier>,
    /// The image of each platform that both have.
    pub(crate) platforms: Vec<Changes>,
    /// What it was built from and is another now, by its name; absent where that is not known of both.
    pub(crate) sources: Option<BTreeMap<String, SourceChange>>,
    /// What is not known, and why.
    pub(crate) unknown: Vec<String>,
}

/// An image of before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Earlier {
    /// The tag that named it.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) tag: Tag,
    /// Its digest.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) digest: Digest,
    /// Who has signed what is said of its packages, its findings and what it was built from.
    pub(crate) by: BTreeSet<String>,
    /// When the advisories were gathered that its findings are by, the oldest.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) advisories_of: Option<Timestamp>,
}

/// What is different in the image of one platform. What is absent is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Changes {
    /// The platform.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) platform: Platform,
    /// The packages.
    pub(crate) packages: Option<PackageChanges>,
    /// The findings.
    pub(crate) findings: Option<FindingChanges>,
    /// The layers.
    pub(crate) layers: LayerChanges,
}

impl Since {
    /// Takes what is over `most` out of each list, and says how much that was.
    pub(crate) fn cut(&mut self, most: usize) -> usize {
        let mut left_out = 0;
        for platform in &mut self.platforms {
            if let Some(PackageChanges { added, removed, changed }) = &mut platform.packages {
                left_out += cut(added, most) + cut(removed, most) + cut(changed, most);
            }
            if let Some(FindingChanges { new, gone }) = &mut platform.findings {
                for list in [new, gone] {
                    left_out += list.len().saturating_sub(most);
                    list.truncate(most);
                }
            }
        }
        if let Some(sources) = &mut self.sources {
            while sources.len() > most {
                sources.pop_last();
                left_out += 1;
            }
        }
        left_out
    }
}

fn cut<T: Ord>(list: &mut BTreeSet<T>, most: usize) -> usize {
    let whole = list.len();
    while list.len() > most {
        list.pop_last();
    }
    whole - list.len()
}

/// The packages that are different.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PackageChanges {
    /// Those that were not there in any version.
    pub(crate) added: BTreeSet<Package>,
    /// Those that are not there in any version.
    pub(crate) removed: BTreeSet<Package>,
    /// Those that are there in another version. Which one is newer is for each kind of package to say.
    pub(crate) changed: BTreeSet<ChangedPackage>,
}

/// A package in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Package {
    /// Its kind and its name, as package URLs have them: `deb/debian/libssl3`, `pypi/pyyaml`.
    pub(crate) name: String,
    /// Its version; empty where none is known.
    pub(crate) version: String,
}

/// A package in another version than before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ChangedPackage {
    /// Its kind and its name.
    pub(crate) name: String,
    /// The versions that are gone; none where another one came beside those that stay.
    pub(crate) from: BTreeSet<String>,
    /// The versions that came; none where one of several is gone.
    pub(crate) to: BTreeSet<String>,
}

/// The findings that are different.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct FindingChanges {
    /// Those that were not there, worst first.
    pub(crate) new: Vec<Advisory>,
    /// Those that are gone, worst first.
    pub(crate) gone: Vec<Advisory>,
}

/// An advisory for a package, in whichever version. An upgrade that does not help makes no new one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Advisory {
    /// Its ID.
    pub(crate) id: String,
    /// The package.
    pub(crate) package: String,
    /// How bad it is.
    pub(crate) severity: Severity,
}

/// The layers that are different.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct LayerChanges {
    /// How many both have in common, from the first on.
    pub(crate) common: usize,
    /// Those that came in place of others, in their order.
    pub(crate) added: Vec<Layer>,
    /// Those whose place they took.
    pub(crate) removed: Vec<Layer>,
    /// The size of all layers before, in bytes, as they are stored.
    pub(crate) size_before: u64,
    /// Their size now.
    pub(crate) size: u64,
}

/// A layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Layer {
    /// The digest of what is in it, uncompressed: how it is stored is another matter.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) diff_id: Digest,
    /// Its size in bytes, as it is stored.
    pub(crate) size: u64,
}

/// Something that an image was built from, before and now; absent where it was not, or where its digest is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SourceChange {
    /// Its digest before.
    pub(crate) from: Option<String>,
    /// Its digest now.
    pub(crate) to: Option<String>,
}

/// What is in an image: each package's versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents(BTreeMap<String, BTreeSet<String>>);

/// An SBOM of either format; what it is, it says itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sbom {
    #[serde(default)]
    spdx_version: Option<String>,
    #[serde(default)]
    bom_format: Option<String>,
    #[serde(default)]
    packages: Vec<SpdxPackage>,
    #[serde(default)]
    components: Vec<Component>,
}

/// SPDX 2.3, "Package Information".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpdxPackage {
    #[serde(default)]
    external_refs: Vec<ExternalRef>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_type: String,
    reference_locator: String,
}

/// A component of `CycloneDX` 1.6, which may have others in it.
#[derive(Deserialize)]
struct Component {
    #[serde(default)]
    purl: Option<String>,
    #[serde(default)]
    components: Vec<Component>,
}

/// An SBOM can't be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// It has two readings, or is no SBOM.
    #[error("the SBOM is refused: {0}")]
    Document(document::Error),
    /// It is of no format that is known, or of two.
    #[error("the SBOM is neither an SPDX nor a CycloneDX document")]
    Format,
}

impl Contents {
    /// What an SBOM lists, in either format: packages are known by their package URLs, which both have. What has none, a file
    /// or the distribution itself, is no package; neither is the image.
    ///
    /// # Errors
    /// It is no SBOM with one reading.
    pub(crate) fn of_sbom(sbom: &[u8]) -> Result<Self, Error> {
        let sbom: Sbom = document::read_shared(sbom).map_err(Error::Document)?;
        let mut contents = Self::default();
        match (sbom.spdx_version, sbom.bom_format) {
            (Some(_), None) => {
                let references = sbom.packages.into_iter().flat_map(|package| package.external_refs);
                references.filter(|one| one.reference_type == "purl").for_each(|one| contents.add(&one.reference_locator));
            }
            (None, Some(format)) if format == "CycloneDX" => contents.add_components(sbom.components),
            _ => return Err(Error::Format),
        }
        Ok(contents)
    }

    fn add_components(&mut self, components: Vec<Component>) {
        for Component { purl, components } in components {
            purl.iter().for_each(|purl| self.add(purl));
            self.add_components(components);
        }
    }

    /// Adds a package by its URL (purl-spec, "Rules for each purl component").
    fn add(&mut self, url: &str) {
        let Some(rest) = url.strip_prefix("pkg:") else { return };
        let rest = rest.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
        if ["oci/", "docker/"].iter().any(|image| rest.starts_with(image)) {
            return;
        }
        // An `@` in a name is written %40.
        let (name, version) = rest.rsplit_once('@').unwrap_or((rest, ""));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        self.0.entry(decoded(name)).or_default().insert(decoded(version));
    }

    /// The packages that are different from those of `before`.
    #[must_use]
    pub(crate) fn since(&self, before: &Self) -> PackageChanges {
        let mut changes = PackageChanges::default();
        let names: BTreeSet<_> = before.0.keys().chain(self.0.keys()).collect();
        for name in names {
            let all = |versions: &BTreeSet<String>| {
                let package = |version: &String| Package { name: name.clone(), version: version.clone() };
                versions.iter().map(package).collect::<Vec<_>>()
            };
            match (before.0.get(name), self.0.get(name)) {
                (None, Some(now)) => changes.added.extend(all(now)),
                (Some(before), None) => changes.removed.extend(all(before)),
                (Some(before), Some(now)) if before != now => {
                    let (from, to) = (before - now, now - before);
                    changes.changed.insert(ChangedPackage { name: name.clone(), from, to });
                }
                _ => {}
            }
        }
        changes
    }
}

impl From<&Vulnerability> for Advisory {
    fn from(found: &Vulnerability) -> Self {
        Self { id: found.id.clone(), package: found.package.clone(), severity: found.severity }
    }
}

/// The findings that are different. Those before are best looked up on the same day, or what is new may be the database's.
#[must_use]
pub(crate) fn findings(before: &[Advisory], now: &[Advisory]) -> FindingChanges {
    let known = |findings: &[Advisory]| -> BTreeMap<(String, String), Severity> {
        // Of several severities, the worst.
        let mut known = BTreeMap::new();
        for Advisory { id, package, severity } in findings {
            let worst = known.entry((id.clone(), package.clone())).or_insert(*severity);
            *worst = (*worst).max(*severity);
        }
        known
    };
    let (before, now) = (known(before), known(now));
    let without = |these: &BTreeMap<(String, String), Severity>, those: &BTreeMap<(String, String), Severity>| {
        let only = these.iter().filter(|(key, _)| !those.contains_key(*key));
        let mut only: Vec<_> = only
            .map(|((id, package), severity)| Advisory { id: id.clone(), package: package.clone(), severity: *severity })
            .collect();
        only.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.cmp(other)));
        only
    };
    FindingChanges { new: without(&now, &before), gone: without(&before, &now) }
}

/// The layers that are different.
#[must_use]
pub(crate) fn layers(before: &[Layer], now: &[Layer]) -> LayerChanges {
    let common = before.iter().zip(now).take_while(|(one, other)| one.diff_id == other.diff_id).count();
    let size = |layers: &[Layer]| layers.iter().fold(0_u64, |sum, layer| sum.saturating_add(layer.size));
    LayerChanges {
        common,
        added: now[common..].to_vec(),
        removed: before[common..].to_vec(),
        size_before: size(before),
        size: size(now),
    }
}

/// What an image was built from and is another now, from what names each thing and its digest.
#[must_use]
pub(crate) fn sources(
    before: &BTreeMap<String, Option<String>>,
    now: &BTreeMap<String, Option<String>>,
) -> BTreeMap<String, SourceChange> {
    let names = before.keys().chain(now.keys()).filter(|name| before.get(*name) != now.get(*name));
    let change = |name: &String| {
        let digest = |of: &BTreeMap<String, Option<String>>| of.get(name).cloned().flatten();
        (name.clone(), SourceChange { from: digest(before), to: digest(now) })
    };
    names.map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spdx(urls: &[&str]) -> Contents {
        let package = |url: &&str| {
            format!(
                r#"{{"name":"x","externalRefs":[{{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"{url}"}},{{"referenceCategory":"SECURITY","referenceType":"cpe23Type","referenceLocator":"cpe:2.3:a"}}]}}"#
            )
        };
        let packages = urls.iter().map(package).collect::<Vec<_>>().join(",");
        Contents::of_sbom(format!(r#"{{"spdxVersion":"SPDX-2.3","packages":[{packages}]}}"#).as_bytes()).unwrap()
    }

    fn cyclone_dx(urls: &[&str]) -> Contents {
        let components = urls.iter().map(|url| format!(r#"{{"type":"library","purl":"{url}"}}"#)).collect::<Vec<_>>().join(",");
        let nested = format!(r#"{{"type":"operating-system","name":"debian","components":[{components}]}}"#);
        Contents::of_sbom(format!(r#"{{"bomFormat":"CycloneDX","components":[{nested}]}}"#).as_bytes()).unwrap()
    }

    fn package(name: &str, version: &str) -> Package {
        Package { name: name.to_owned(), version: version.to_owned() }
    }

    fn versions(versions: &[&str]) -> BTreeSet<String> {
        versions.iter().map(|version| (*version).to_owned()).collect()
    }

    const BEFORE: [&str; 5] = [
        "pkg:oci/app@sha256%3Aaa?arch=amd64",
        "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12",
        "pkg:deb/debian/tar@1.34%2Bdfsg-1.2",
        "pkg:npm/%40angular/core@1.0.0",
        "pkg:golang/example.com/x@v1.0.0#sub",
    ];

    #[test]
    fn the_same_packages_are_the_same_in_either_format() {
        assert_eq!(spdx(&BEFORE), cyclone_dx(&BEFORE));
        assert_eq!(spdx(&BEFORE).since(&cyclone_dx(&BEFORE)), PackageChanges::default());
        assert!(spdx(&BEFORE).0.contains_key("npm/@angular/core") && !spdx(&BEFORE).0.keys().any(|name| name.starts_with("oci")));
    }

    #[test]
    fn a_package_is_added_removed_or_there_in_another_version() {
        let now = [
            "pkg:deb/debian/libssl3@3.0.15-1?arch=amd64",
            "pkg:deb/debian/tar@1.34%2Bdfsg-1.2",
            "pkg:golang/example.com/x@v1.0.0",
            "pkg:golang/example.com/x@v1.1.0",
            "pkg:pypi/pyyaml@6.0",
        ];
        let changes = spdx(&now).since(&spdx(&BEFORE));
        assert_eq!(changes.added, BTreeSet::from([package("pypi/pyyaml", "6.0")]));
        assert_eq!(changes.removed, BTreeSet::from([package("npm/@angular/core", "1.0.0")]));
        let other = |name: &str, from: &[&str], to: &[&str]| ChangedPackage {
            name: name.to_owned(),
            from: versions(from),
            to: versions(to),
        };
        let expected =
            [other("deb/debian/libssl3", &["3.0.11-1"], &["3.0.15-1"]), other("golang/example.com/x", &[], &["v1.1.0"])];
        assert_eq!(changes.changed, BTreeSet::from(expected));
        // The other way round it is the opposite.
        let back = spdx(&BEFORE).since(&spdx(&now));
        assert_eq!((back.added, back.removed), (changes.removed, changes.added));
    }

    #[test]
    fn what_is_no_sbom_with_one_reading_has_no_contents() {
        for text in [
            "{}",
            "[]",
            r#"{"spdxVersion":"SPDX-2.3","bomFormat":"CycloneDX"}"#,
            r#"{"bomFormat":"Other"}"#,
            r#"{"spdxVersion":"SPDX-2.3","packages":[],"packages":[]}"#,
            r#"{"spdxVersion":"SPDX-2.3","packages":[],"Packages":[]}"#,
        ] {
            assert!(Contents::of_sbom(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_finding_is_new_or_gone_by_its_advisory_and_its_package_and_not_by_its_version() {
        let before = [
            Vulnerability::example("CVE-1", "a", "1", Severity::High),
            Vulnerability::example("CVE-2", "b", "1", Severity::Critical),
            Vulnerability::example("CVE-3", "c", "1", Severity::Low),
        ];
        let now = [
            Vulnerability::example("CVE-1", "a", "2", Severity::Medium),
            Vulnerability::example("CVE-1", "d", "1", Severity::Low),
            Vulnerability::example("CVE-4", "a", "2", Severity::Medium),
            Vulnerability::example("CVE-4", "a", "3", Severity::Critical),
        ];
        let advisories = |found: &[Vulnerability]| found.iter().map(Advisory::from).collect::<Vec<_>>();
        let changes = findings(&advisories(&before), &advisories(&now));
        let ids = |found: &[Advisory]| {
            found.iter().map(|one| format!("{} {} {}", one.id, one.package, one.severity)).collect::<Vec<_>>()
        };
        assert_eq!(ids(&changes.new), ["CVE-4 a CRITICAL", "CVE-1 d LOW"]);
        assert_eq!(ids(&changes.gone), ["CVE-2 b CRITICAL", "CVE-3 c LOW"]);
    }

    #[test]
    fn layers_are_common_from_the_first_on_and_the_rest_is_counted() {
        let layer = |content: &str, size: u64| Layer { diff_id: Digest::of(content.as_bytes()), size };
        let before = [layer("base", 100), layer("app", 20), layer("end", 1)];
        // Another compression makes no other layer.
        let now = [layer("base", 90), layer("app 2", 30), layer("end", 1)];
        let changes = layers(&before, &now);
        assert_eq!((changes.common, changes.size_before, changes.size), (1, 121, 121));
        assert_eq!((&changes.added[..], &changes.removed[..]), (&now[1..], &before[1..]));
        assert_eq!(layers(&before, &before).added, []);
        assert_eq!(layers(&[], &now).added, now);
    }

    #[test]
    fn what_is_cut_is_counted_and_the_worst_findings_stay() {
        let advisory = |id: &str, severity| Advisory { id: id.to_owned(), package: "a".to_owned(), severity };
        let new = vec![advisory("CVE-1", Severity::Critical), advisory("CVE-2", Severity::Low)];
        let packages = PackageChanges { added: BTreeSet::from([package("a", "1"), package("b", "1")]), ..Default::default() };
        let changes = Changes {
            platform: "linux/amd64".parse().unwrap(),
            packages: Some(packages),
            findings: Some(FindingChanges { new, gone: Vec::new() }),
            layers: LayerChanges::default(),
        };
        let mut since = Since { platforms: vec![changes], ..Since::default() };
        assert_eq!((since.cut(1), since.cut(1)), (2, 0));
        assert_eq!(since.platforms[0].findings.as_ref().unwrap().new[0].id, "CVE-1");
    }

    #[test]
    fn a_base_of_the_same_name_with_other_bytes_is_another() {
        let of = |pairs: &[(&str, Option<&str>)]| {
            pairs.iter().map(|(name, digest)| ((*name).to_owned(), digest.map(str::to_owned))).collect::<BTreeMap<_, _>>()
        };
        let before = of(&[("debian:12", Some("aa")), ("same", Some("x")), ("gone", Some("g")), ("unknown", None)]);
        let now = of(&[("debian:12", Some("bb")), ("same", Some("x")), ("came", Some("c")), ("unknown", None)]);
        let changes = sources(&before, &now);
        let names: Vec<_> = changes.keys().map(String::as_str).collect();
        assert_eq!(names, ["came", "debian:12", "gone"]);
        let debian = SourceChange { from: Some("aa".to_owned()), to: Some("bb".to_owned()) };
        assert_eq!((&changes["debian:12"], &changes["came"].from, &changes["gone"].to), (&debian, &None, &None));
    }
}
