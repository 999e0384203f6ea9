//! trivy's JSON report (its `types.Report`, schema 2), as far as it is needed.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Vulnerabilities;
use crate::finding::{Severity, Standing, Suppression, Vulnerability};
use crate::oci::Platform;
use crate::oci::image::PlatformImage;
use crate::oci::layout::digest_of;
use crate::scanner::Tool;
use crate::text::plain;

const SCHEMA_VERSION: u32 = 2;
const MAX_BYTES: u64 = 1 << 30;

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
struct Os {
    #[serde(default)]
    family: String,
    #[serde(default)]
    name: String,
    #[serde(rename = "EOSL", default)]
    end_of_life: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScanResult {
    #[serde(default)]
    target: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    packages: Vec<IgnoredAny>,
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
    #[serde(default)]
    source: String,
    finding: SuppressedFinding,
}

#[derive(Debug, Deserialize)]
struct SuppressedFinding {
    #[serde(rename = "VulnerabilityID")]
    id: String,
}

impl Report {
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let metadata = fs::symlink_metadata(path).map_err(|error| format!("no report: {error}"))?;
        if !metadata.is_file() || metadata.len() > MAX_BYTES {
            return Err(format!("its report is not a file of at most {MAX_BYTES} bytes"));
        }
        let file = fs::File::open(path).map_err(|error| error.to_string())?;
        let report = serde_json::from_reader(BufReader::new(file));
        report.map_err(|error| format!("its report is not understood: {error}"))
    }

    /// Whether the report is about this very image.
    pub(super) fn check(&self, platform: &PlatformImage) -> Result<(), String> {
        if self.schema_version != SCHEMA_VERSION {
            return Err(format!("its report has schema {}, not {SCHEMA_VERSION}", self.schema_version));
        }
        let config = digest_of(&platform.config_descriptor).map_err(|error| error.to_string())?.to_string();
        let layers: Vec<_> = platform.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
        if self.metadata.image_id != config || self.metadata.diff_ids != layers {
            return Err(format!("its report is about another image, {:?}", self.metadata.image_id));
        }
        Ok(())
    }

    pub(super) fn into_vulnerabilities(self, platform: &Platform) -> Vulnerabilities {
        let Self { metadata: Metadata { os, .. }, results, .. } = self;
        let distribution = os.as_ref().map(|os| plain(format!("{} {}", os.family, os.name).trim()));
        let packages = results.iter().map(|result| result.packages.len()).sum::<usize>();
        let packages = u32::try_from(packages).unwrap_or(u32::MAX);
        let warnings = warnings(os.as_ref(), &results, packages, platform);
        let mut findings = Vec::new();
        let mut suppressed: BTreeMap<(String, String, Option<String>), u32> = BTreeMap::new();
        for result in results {
            let of_distribution = distribution.clone().filter(|_| result.class == "os-pkgs");
            let target = of_distribution.unwrap_or_else(|| plain(&result.target));
            findings.extend(result.vulnerabilities.into_iter().map(|detected| detected.vulnerability(&target, platform)));
            for Suppressed { statement, source, finding } in result.suppressed {
                let by = Path::new(&source).file_name().unwrap_or_default().to_string_lossy().into_owned();
                let reason = Some(plain(&statement)).filter(|reason| !reason.is_empty());
                *suppressed.entry((by, plain(&finding.id), reason)).or_default() += 1;
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
        let suppression =
            |((by, id, reason), count)| Suppression { tool: Tool::TRIVY, by, id, reason, count, standing: Standing::default() };
        Vulnerabilities { findings, suppressions: suppressed.into_iter().map(suppression).collect(), packages, warnings }
    }
}

/// What trivy could not judge, and does not say in its exit code.
fn warnings(os: Option<&Os>, results: &[ScanResult], packages: u32, platform: &Platform) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(os) = os {
        let name = plain(format!("{} {}", os.family, os.name).trim());
        if os.end_of_life {
            warnings.push(format!("{platform}: {name} no longer gets security updates, so vulnerabilities in it may be unknown"));
        }
        if !results.iter().any(|result| result.class == "os-pkgs") {
            warnings.push(format!("{platform}: trivy knows no advisories for {name}, so its packages were not judged"));
        }
    }
    if packages == 0 {
        warnings.push(format!("{platform}: trivy found no packages in the image, so there was nothing to judge"));
    }
    warnings
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
