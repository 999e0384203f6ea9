//! trivy's JSON report (its `types.Report`, schema 2), as far as it is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read as _};
use std::path::Path;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;

use super::distribution::{Distribution, Os, Packaged};
use super::ignore::Lists;
use super::log::Log;
use super::{About, Vulnerabilities};
use crate::coverage::{Gap, GapKind};
use crate::document;
use crate::finding::{Severity, Standing, Suppression, Vulnerability};
use crate::oci::Platform;
use crate::process;
use crate::scan::packages::{Package, Packages};
use crate::scanner::Tool;
use crate::text::plain;

const SCHEMA_VERSION: u32 = 2;
pub(crate) const MAX_BYTES: u64 = 1 << 30;

/// The class of a distribution's packages (trivy's `types.ClassOSPkg`).
const OF_DISTRIBUTION: &str = "os-pkgs";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Report {
    schema_version: u32,
    metadata: Metadata,
    #[serde(default)]
    results: Vec<ScanResult>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    #[serde(rename = "OS")]
    os: Option<Os>,
    #[serde(rename = "ImageID", default)]
    image_id: String,
    #[serde(rename = "DiffIDs", default)]
    diff_ids: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScanResult {
    #[serde(default)]
    target: String,
    #[serde(default)]
    class: String,
    /// Whose advisories its packages are looked up in: `python-pkg`, `debian`.
    #[serde(rename = "Type", default)]
    ecosystem: String,
    #[serde(default)]
    packages: Vec<Packaged>,
    #[serde(default)]
    vulnerabilities: Vec<Detected>,
    #[serde(rename = "ExperimentalModifiedFindings", default)]
    suppressed: Vec<Suppressed>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Detected {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    pkg_name: String,
    #[serde(default)]
    pkg_path: String,
    #[serde(default)]
    installed_version: String,
    #[serde(default)]
    fixed_version: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    title: String,
    #[serde(rename = "PrimaryURL", default)]
    url: String,
    #[serde(default)]
    layer: Layer,
}

#[derive(Debug, Default, Deserialize)]
struct Layer {
    #[serde(rename = "DiffID", default)]
    diff_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Suppressed {
    #[serde(default)]
    statement: String,
    finding: SuppressedFinding,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SuppressedFinding {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    #[serde(default)]
    pkg_name: String,
    #[serde(default)]
    pkg_path: String,
    #[serde(default)]
    installed_version: String,
}

/// A report as it was written.
pub(super) fn bytes(path: &Path) -> Result<Bytes, String> {
    let mut bytes = Vec::new();
    let read = process::open_report(path, MAX_BYTES).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map(|_| bytes.into()).map_err(|error| format!("no report: {error}"))
}

impl Report {
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let file = process::open_report(path, MAX_BYTES).map_err(|error| format!("no report: {error}"))?;
        let report = document::stream(BufReader::new(file));
        report.map_err(|error| format!("its report is not understood: {error}"))
    }

    /// Whether the report is about this very image.
    pub(super) fn check(&self, about: &About) -> Result<(), String> {
        if self.schema_version != SCHEMA_VERSION {
            return Err(format!("its report has schema {}, not {SCHEMA_VERSION}", self.schema_version));
        }
        if self.metadata.image_id != about.image_id || self.metadata.diff_ids != about.diff_ids {
            return Err(format!("its report is about another image, {:?}", self.metadata.image_id));
        }
        Ok(())
    }

    /// Says of the packages of a distribution that were handed over in a list on whose they are: no part of trivy has read that.
    pub(super) fn read_by(&mut self, analyzer: &str) {
        for result in self.results.iter_mut().filter(|result| result.class == OF_DISTRIBUTION) {
            for package in result.packages.iter_mut().filter(|package| package.analyzed_by.is_empty()) {
                analyzer.clone_into(&mut package.analyzed_by);
            }
        }
    }

    pub(super) fn into_vulnerabilities(self, platform: &Platform, ignored: &Lists, log: &Log<'_>) -> Vulnerabilities {
        let gaps = self.gaps(platform, log);
        let Self { metadata: Metadata { os, .. }, results, .. } = self;
        let distribution = os.as_ref().map(|os| plain(format!("{} {}", os.family, os.name).trim()));
        let packages = results.iter().map(|result| result.packages.len()).sum::<usize>();
        let packages = u32::try_from(packages).unwrap_or(u32::MAX);
        let mut list = Packages::default();
        for package in results.iter().flat_map(ScanResult::looked_up) {
            list.add(package);
        }
        let mut findings = Vec::new();
        let mut suppressed: BTreeMap<(String, String, Option<String>, Option<Timestamp>), u32> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for result in results {
            let of_distribution = distribution.clone().filter(|_| result.class == OF_DISTRIBUTION);
            let target = of_distribution.unwrap_or_else(|| plain(&result.target));
            findings.extend(result.vulnerabilities.into_iter().map(|detected| detected.vulnerability(&target, platform)));
            for Suppressed { statement, finding } in result.suppressed {
                // Debian's packages come once an architecture.
                if !seen.insert((
                    finding.id.clone(),
                    finding.pkg_name,
                    target.clone(),
                    finding.pkg_path,
                    finding.installed_version,
                )) {
                    continue;
                }
                let (by, reason, expires) = match ignored.entry(&statement) {
                    Some(entry) => (entry.list.clone(), entry.reason.clone(), entry.expires),
                    None => (String::new(), Some(plain(&statement)), None),
                };
                *suppressed.entry((by, plain(&finding.id), reason, expires)).or_default() += 1;
            }
        }
        findings.sort_by(|one, other| {
            let key =
                |found: &Vulnerability| (found.id.clone(), found.package.clone(), found.target.clone(), found.installed.clone());
            other.severity.cmp(&one.severity).then_with(|| key(one).cmp(&key(other)))
        });
        // Debian's packages come once an architecture.
        findings.dedup_by(|one, other| {
            (&one.id, &one.package, &one.target, &one.installed) == (&other.id, &other.package, &other.target, &other.installed)
        });
        let suppression = |((by, id, reason, expires), count)| Suppression {
            tool: Tool::TRIVY,
            by,
            id,
            reason,
            count,
            standing: Standing::default(),
            set_in: None,
            expires,
        };
        let suppressions = suppressed.into_iter().map(suppression).collect();
        let now = Timestamp::now();
        let (report, times, warnings) = (Bytes::new(), (now, now), Vec::new());
        Vulnerabilities { findings, suppressions, packages, list, gaps, warnings, report, times }
    }

    /// What trivy could not judge, and does not say in its exit code.
    fn gaps(&self, platform: &Platform, log: &Log<'_>) -> Vec<Gap> {
        let gap = |kind: GapKind, name: String, why: String| Gap {
            tool: Tool::TRIVY,
            kind,
            name,
            why,
            platform: platform.clone(),
            accepted: None,
        };
        let unread: Vec<_> = log.unread().into_iter().filter(|unread| unread.is_installed).collect();
        let distribution = self.metadata.os.as_ref().map(|os| {
            let of_distribution = self.results.iter().find(|result| result.class == OF_DISTRIBUTION);
            let judged = of_distribution.map(|result| result.packages.as_slice());
            Distribution { os, judged, is_of_unknown_version: log.is_of_unknown_version(), has_unread: !unread.is_empty() }
        });
        let of_distribution = distribution.and_then(|distribution| {
            let reasons = distribution.reasons();
            (!reasons.is_empty()).then(|| gap(GapKind::Distribution, distribution.name(), reasons.join("; ")))
        });
        let lists = unread.into_iter().map(|unread| gap(GapKind::List, unread.name, unread.why));
        let incomparable = self.incomparable(log).into_iter().map(|(name, why)| gap(GapKind::Packages, name, why));
        lists.chain(of_distribution).chain(incomparable).collect()
    }

    /// The packages that there are advisories for, and whose version trivy can't compare with those of the advisories. It
    /// names the version alone.
    fn incomparable(&self, log: &Log<'_>) -> BTreeMap<String, String> {
        let mut gaps = BTreeMap::new();
        for version in log.incomparable_versions() {
            let why = format!("trivy can't compare its version with those of the advisories, {version:?}");
            let mut packages = Packages::default();
            let looked_up = self.results.iter().flat_map(ScanResult::looked_up);
            looked_up.filter(|package| package.version() == version).for_each(|package| packages.add(package));
            if packages.is_empty() {
                gaps.insert(format!("version {version}"), why.clone());
            }
            gaps.extend(packages.iter().map(|package| (format!("{} {package}", package.kind()), why.clone())));
        }
        gaps
    }
}

impl ScanResult {
    /// The packages as they were looked up. What an SBOM in the image has of a distribution's packages is left out: it
    /// says itself what they were built from, and that is what their advisories go by.
    fn looked_up(&self) -> impl Iterator<Item = Package> {
        let kind_of = |package: &Packaged| match self.class.as_str() {
            OF_DISTRIBUTION => package.kind_of_distribution(),
            _ => ecosystem(&self.ecosystem),
        };
        self.packages
            .iter()
            .filter_map(move |package| Package::looked_up(kind_of(package)?, &package.name, &package.full_version()))
    }
}

/// The type of package URL of what trivy looks up in the advisories of an ecosystem (its `library.NewDriver` and
/// `purl.purlType`); `None` where it looks nothing up.
fn ecosystem(name: &str) -> Option<&'static str> {
    Some(match name {
        "python-pkg" | "pip" | "pipenv" | "poetry" | "uv" | "pylock" => "pypi",
        "node-pkg" | "npm" | "yarn" | "pnpm" | "bun" | "javascript" => "npm",
        "jar" | "pom" | "gradle" | "sbt" => "maven",
        "gobinary" | "gomod" => "golang",
        "rustbinary" | "cargo" => "cargo",
        "gemspec" | "bundler" => "gem",
        "composer" | "composer-vendor" => "composer",
        "nuget" | "dotnet-core" | "packages-props" => "nuget",
        "conan" => "conan",
        "swift" => "swift",
        "cocoapods" => "cocoapods",
        "hex" => "hex",
        "pub" => "pub",
        "bitnami" => "bitnami",
        _ => return None,
    })
}

impl Detected {
    fn vulnerability(self, target: &str, platform: &Platform) -> Vulnerability {
        let present = |text: &str| Some(plain(text)).filter(|text| !text.is_empty());
        Vulnerability {
            id: plain(&self.id),
            severity: self.severity.parse().unwrap_or(Severity::Unknown),
            title: plain(&self.title),
            package: plain(&self.pkg_name),
            installed: plain(&self.installed_version),
            fixed: present(&self.fixed_version),
            target: present(&self.pkg_path).unwrap_or_else(|| target.to_owned()),
            url: present(&self.url),
            platform: platform.clone(),
            layer: self.layer.diff_id.parse().ok(),
            instruction: None,
            tool: Tool::TRIVY,
        }
    }
}
