//! ECR's own scans of images, whose states and whose enhanced findings moto does not know. They are of whatever image the
//! registry has; an index is none.

use std::collections::HashMap;
use std::time::SystemTime;

use hyper::Request;
use serde_json::{Value, json};

use super::content::{collected, forward, full};
use super::server::Server;

/// What the scan of each image comes to.
#[derive(Clone, Debug)]
pub struct ImageScan {
    status: String,
    enhanced: bool,
    unknown: usize,
    pending: usize,
    findings: Vec<Value>,
    page: usize,
    at: u64,
    ended: bool,
    counted: Option<usize>,
    other_image: bool,
}

/// What is said, or ECR's code and sentence.
type Said = Result<Value, (&'static str, String)>;

/// The scans of a world.
#[derive(Debug, Default)]
pub struct Scans {
    scan: Option<ImageScan>,
    asked: HashMap<String, usize>,
}

impl ImageScan {
    /// A basic scan that has found nothing.
    pub fn basic() -> Self {
        Self {
            status: "COMPLETE".into(),
            enhanced: false,
            unknown: 0,
            pending: 0,
            findings: vec![],
            page: usize::MAX,
            at: seconds_now(),
            ended: true,
            counted: None,
            other_image: false,
        }
    }

    /// One of Amazon Inspector's that has found nothing.
    pub fn enhanced() -> Self {
        Self { status: "ACTIVE".into(), enhanced: true, ..Self::basic() }
    }

    /// Its state.
    pub fn status(mut self, status: &str) -> Self {
        self.status = status.into();
        self
    }

    /// Each image is unknown so many times, and then the scan is on its way so many times more.
    pub fn after(mut self, unknown: usize, pending: usize) -> Self {
        (self.unknown, self.pending) = (unknown, pending);
        self
    }

    /// It found this in a package.
    pub fn finds(self, id: &str, severity: &str, package: &str) -> Self {
        self.finds_with(id, severity, package, &json!({}))
    }

    /// As [`Self::finds`], with more that Amazon Inspector says of it.
    pub fn finds_with(mut self, id: &str, severity: &str, package: &str, more: &Value) -> Self {
        let mut finding = if self.enhanced {
            json!({
                "severity": severity, "status": "ACTIVE", "title": format!("{id} - {package}"),
                "packageVulnerabilityDetails": {
                    "vulnerabilityId": id, "sourceUrl": format!("https://nvd.nist.gov/vuln/detail/{id}"),
                    "vulnerablePackages": [{"name": package, "version": "1.0", "fixedInVersion": "NotAvailable"}],
                },
            })
        } else {
            json!({
                "name": id, "severity": severity, "uri": format!("https://nvd.nist.gov/vuln/detail/{id}"),
                "attributes": [{"key": "package_name", "value": package}, {"key": "package_version", "value": "1.0"}],
            })
        };
        for (key, value) in more.as_object().into_iter().flatten() {
            finding[key] = value.clone();
        }
        self.findings.push(finding);
        self
    }

    /// So many findings are on a page.
    pub fn pages_of(mut self, findings: usize) -> Self {
        self.page = findings;
        self
    }

    /// It ended so many days ago.
    pub fn days_ago(mut self, days: u64) -> Self {
        self.at = seconds_now() - days * 86_400;
        self
    }

    /// It has never ended.
    pub fn unended(mut self) -> Self {
        self.ended = false;
        self
    }

    /// It counts so many findings, whatever it lists.
    pub fn counts(mut self, findings: usize) -> Self {
        self.counted = Some(findings);
        self
    }

    /// It says that it is of another image.
    pub fn of_another(mut self) -> Self {
        self.other_image = true;
        self
    }

    fn page(&self, digest: &str, from: usize) -> Value {
        let to = from.saturating_add(self.page).min(self.findings.len());
        let named = if self.other_image { format!("sha256:{}", "0".repeat(64)) } else { digest.to_owned() };
        let list = if self.enhanced { "enhancedFindings" } else { "findings" };
        let counts = self.counted.unwrap_or(self.findings.len());
        let mut found = json!({ list: self.findings[from..to], "findingSeverityCounts": {"HIGH": counts} });
        if self.ended {
            found["imageScanCompletedAt"] = json!(self.at);
        }
        let mut said = json!({
            "imageId": {"imageDigest": named},
            "imageScanStatus": {"status": self.status, "description": "as the test has it"},
            "imageScanFindings": found,
        });
        if to < self.findings.len() {
            said["nextToken"] = to.to_string().into();
        }
        said
    }
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

impl Scans {
    /// What the scan of each image comes to from now on.
    pub fn set(&mut self, scan: ImageScan) {
        *self = Self { scan: Some(scan), asked: HashMap::new() };
    }

    fn say(&mut self, digest: &str, token: Option<&str>) -> Said {
        let unknown = || ("ScanNotFoundException", format!("Image scan does not exist for the image with '{digest}'"));
        let scan = self.scan.clone().ok_or_else(unknown)?;
        let asked = self.asked.entry(digest.to_owned()).or_default();
        *asked += usize::from(token.is_none());
        let on_its_way = scan.unknown + scan.pending;
        match *asked {
            early if early <= scan.unknown => Err(unknown()),
            early if early <= on_its_way => {
                let status = if scan.enhanced { "PENDING" } else { "IN_PROGRESS" };
                Ok(json!({"imageId": {"imageDigest": digest}, "imageScanStatus": {"status": status}}))
            }
            _ => Ok(scan.page(digest, token.and_then(|token| token.parse().ok()).unwrap_or(0))),
        }
    }
}

impl Server {
    /// `DescribeImageScanFindings`, where the test has said what scans come to.
    pub async fn scan_findings(&self, parameters: &Value) -> std::io::Result<Option<Said>> {
        if self.scans.lock().unwrap().scan.is_none() {
            return Ok(None);
        }
        let name = parameters["repositoryName"].as_str().unwrap_or_default();
        let digest = parameters["imageId"]["imageDigest"].as_str().unwrap_or_default();
        let Some(manifest) = self.manifest(name, digest).await? else {
            let sentence = format!(
                "The image with imageId {{imageDigest:'{digest}'}} does not exist within the repository with name '{name}'"
            );
            return Ok(Some(Err(("ImageNotFoundException", sentence))));
        };
        if manifest["manifests"].is_array() {
            return Ok(Some(Err(("ScanNotFoundException", format!("Image scan does not exist for the image with '{digest}'")))));
        }
        Ok(Some(self.scans.lock().unwrap().say(digest, parameters["nextToken"].as_str())))
    }

    /// The manifest under a digest, of the shelf or of the registry behind.
    async fn manifest(&self, repository: &str, digest: &str) -> std::io::Result<Option<Value>> {
        let shelved = self.account.content().repositories.get(repository).and_then(|repository| {
            let image = repository.images.iter().find(|image| image.digest() == digest)?;
            Some(image.manifest.clone())
        });
        let bytes = match shelved {
            Some(manifest) => manifest.into_bytes(),
            None => {
                let request = Request::get(format!("/v2/{repository}/manifests/{digest}")).header("host", &self.host);
                let request = request.header("accept", super::distribution::MANIFESTS).body(full("")).unwrap();
                let answer = forward(&self.registry, request).await?;
                if answer.status() != 200 {
                    return Ok(None);
                }
                collected(answer.into_body()).await?.to_vec()
            }
        };
        Ok(Some(serde_json::from_slice(&bytes).unwrap_or_default()))
    }
}
