//! What a scanner found in an image, as cosign has it (`specs/COSIGN_VULN_ATTESTATION_SPEC.md`): the scanner's own report, and
//! with what it was made.
//!
//! The specification's text has a list of `scanners`; cosign itself reads and writes one `scanner` (`pkg/cosign/attestation`),
//! and so do Kyverno's examples. What is written here is what cosign reads.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::predicate_type::PredicateType;
use super::provenance::Run;
use super::verdict::Database;
use super::written::Written;
use crate::changes::Advisory;
use crate::finding::Severity;
use crate::text;

/// What trivy found in the image of one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vulnerabilities {
    /// By what, in what and when.
    pub(crate) scan: Scan,
    /// trivy's report, byte for byte.
    pub(crate) report: Written,
}

/// A scan: with what it was made, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scan {
    invocation: Invocation,
    scanner: Scanner,
    metadata: Metadata,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Invocation {
    #[serde(default)]
    parameters: Option<Vec<String>>,
    #[serde(default)]
    uri: String,
    #[serde(default)]
    event_id: String,
    #[serde(default, rename = "builder.id")]
    builder: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Scanner {
    #[serde(default)]
    uri: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    db: Db,
    /// Read from the bytes.
    #[serde(default, skip_serializing, rename = "result")]
    _result: Ignored,
}

/// A value that is passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "IgnoredAny")]
struct Ignored;

impl From<IgnoredAny> for Ignored {
    fn from(_: IgnoredAny) -> Self {
        Self
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Db {
    #[serde(default)]
    uri: String,
    #[serde(default)]
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_update: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    scan_started_on: Timestamp,
    scan_finished_on: Timestamp,
}

/// As much of trivy's report as is counted (its `types.Report`, schema 2).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    schema_version: u32,
    #[serde(default)]
    results: Option<Vec<Results>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Results {
    #[serde(default)]
    vulnerabilities: Option<Vec<Detected>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Detected {
    #[serde(rename = "VulnerabilityID", default)]
    id: String,
    #[serde(default)]
    pkg_name: String,
    #[serde(default)]
    severity: String,
}

impl Detected {
    fn severity(&self) -> Severity {
        self.severity.parse().unwrap_or(Severity::Unknown)
    }
}

impl Scan {
    /// A scan by trivy, in the run that there may be.
    #[must_use]
    pub(crate) fn by_trivy(version: &str, database: &Database, run: Option<&Run>, times: (Timestamp, Timestamp)) -> Self {
        let word = |word: Option<String>| word.unwrap_or_default();
        Self {
            invocation: Invocation {
                parameters: Some(vec!["--format=json".to_owned()]),
                uri: word(run.map(Run::address)),
                event_id: word(run.map(|run| run.id().to_owned())),
                builder: word(run.map(Run::builder)),
            },
            scanner: Scanner {
                uri: format!("pkg:github/aquasecurity/trivy@v{}", version.trim_start_matches('v')),
                version: version.to_owned(),
                db: Db {
                    uri: format!("pkg:oci/{}@{}", database.name, database.digest.to_string().replace(':', "%3A")),
                    version: database.version.to_string(),
                    last_update: Some(database.updated_at),
                },
                _result: Ignored,
            },
            metadata: Metadata { scan_started_on: times.0, scan_finished_on: times.1 },
        }
    }

    /// The scanner's version.
    #[must_use]
    pub(crate) fn version(&self) -> &str {
        &self.scanner.version
    }

    /// When the advisories were gathered that it looked packages up in; absent where it is not said.
    #[must_use]
    pub(crate) fn database_updated_at(&self) -> Option<Timestamp> {
        self.scanner.db.last_update
    }

    /// When it ended.
    #[must_use]
    pub(crate) fn finished_at(&self) -> Timestamp {
        self.metadata.scan_finished_on
    }
}

impl Vulnerabilities {
    /// Takes trivy's report of the image of one platform.
    ///
    /// # Errors
    /// It has two readings, or is no report of a form that is known.
    pub(crate) fn of(scan: Scan, report: bytes::Bytes) -> Result<Self, Error> {
        let vulnerabilities = Self { scan, report: Written::read(report)? };
        vulnerabilities.counts().map(|_| vulnerabilities)
    }

    /// How many findings the report has of each severity. What the project let through is not among them, and Debian's
    /// packages count once an architecture.
    ///
    /// # Errors
    /// It is no report of a form that is known.
    pub(crate) fn counts(&self) -> Result<BTreeMap<Severity, usize>, Error> {
        let mut counts = BTreeMap::new();
        for found in self.detected()? {
            *counts.entry(found.severity()).or_default() += 1;
        }
        Ok(counts)
    }

    /// What it found: the advisory, the package, and how bad it is.
    ///
    /// # Errors
    /// It is no report of a form that is known.
    pub(crate) fn found(&self) -> Result<Vec<Advisory>, Error> {
        let advisory = |found: &Detected| Advisory {
            id: text::plain(&found.id),
            package: text::plain(&found.pkg_name),
            severity: found.severity(),
        };
        Ok(self.detected()?.iter().map(advisory).collect())
    }

    fn detected(&self) -> Result<Vec<Detected>, Error> {
        let report: Report = self.report.typed(PredicateType::Vulnerabilities)?;
        if report.schema_version != 2 {
            let why = format!("its report has schema {}, not 2", report.schema_version);
            return Err(Error::Predicate { of: PredicateType::Vulnerabilities, why });
        }
        Ok(report.results.into_iter().flatten().flat_map(|result| result.vulnerabilities.unwrap_or_default()).collect())
    }

    pub(super) fn read(document: &Written) -> Result<Self, Error> {
        let scan = document.typed(PredicateType::Vulnerabilities)?;
        let report = document.member("scanner").and_then(|scanner| scanner.member("result"));
        let none = || Error::Predicate { of: PredicateType::Vulnerabilities, why: "it has no report".to_owned() };
        let vulnerabilities = Self { scan, report: report.ok_or_else(none)? };
        vulnerabilities.counts().map(|_| vulnerabilities)
    }

    /// The predicate, with the report in it as it is.
    pub(super) fn document(&self) -> Result<Written, Error> {
        let Scan { invocation, scanner, metadata } = &self.scan;
        let [invocation, scanner, metadata] = [Written::of(invocation)?, Written::of(scanner)?, Written::of(metadata)?];
        let scanner = scanner.bytes().strip_suffix(b"}").unwrap_or_default();
        let report = self.report.bytes();
        let parts = [
            b"{\"invocation\":",
            &invocation.bytes()[..],
            b",\"scanner\":",
            scanner,
            b",\"result\":",
            report,
            b"},\"metadata\":",
            &metadata.bytes()[..],
            b"}",
        ];
        Written::part(parts.concat().into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::super::{Predicate, Statement};
    use super::*;

    /// The example of cosign's specification, whose report is shortened, under the name that cosign itself has for the scanner.
    const COSIGNS: &str = r#"{"invocation":{"parameters":["--format=json"],"uri":"https://github.com/developer-guy/alpine/actions/runs/1071875574","event_id":"1071875574","builder.id":"github actions"},
        "scanner":{"uri":"pkg:github/aquasecurity/trivy@244fd47e07d1004f0aed9","version":"0.19.2","db":{"uri":"pkg:github/aquasecurity/trivy-db/commit/4c76bb580b2736d67751410fa4ab66d2b6b9b27d","version":"v1-2021080612"},
        "result":{"SchemaVersion":2,"ArtifactName":"alpine:3.12","Results":[{"Target":"alpine:3.12 (alpine 3.12.9)","Class":"os-pkgs","Type":"alpine","Vulnerabilities":[{"VulnerabilityID":"CVE-2021-28831","Severity":"HIGH"},{"VulnerabilityID":"CVE-2021-28831","Severity":"HIGH"}]},{"Target":"x"}]}},
        "metadata":{"scanStartedOn":"2021-08-06T17:45:50.52Z","scanFinishedOn":"2021-08-06T17:50:50.52Z"}}"#;

    fn read(predicate: &str) -> Result<Vulnerabilities, Error> {
        Vulnerabilities::read(&Written::read(bytes::Bytes::copy_from_slice(predicate.as_bytes()))?)
    }

    #[test]
    fn cosigns_own_example_is_read() {
        let read = read(COSIGNS).unwrap();
        assert_eq!((read.scan.version(), read.scan.database_updated_at()), ("0.19.2", None));
        assert_eq!(read.scan.finished_at(), "2021-08-06T17:50:50.52Z".parse().unwrap());
        assert_eq!(read.counts().unwrap(), BTreeMap::from([(Severity::High, 2)]));
    }

    #[test]
    fn a_report_comes_out_as_it_went_in() {
        let vulnerabilities = examples::vulnerabilities();
        let statement = examples::statement(Predicate::Vulnerabilities(Box::new(vulnerabilities.clone())));
        let read = Statement::read(&statement.to_bytes().unwrap().into()).unwrap();
        assert_eq!(read, statement);
        let Predicate::Vulnerabilities(read) = read.predicate else { panic!("no report") };
        assert_eq!(read.report.bytes(), vulnerabilities.report.bytes());
        assert_eq!(read.scan.database_updated_at(), Some("2026-08-02T06:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for (from, to) in [
            ("\"SchemaVersion\":2", "\"SchemaVersion\":3"),
            ("\"SchemaVersion\":2,", ""),
            ("\"result\":{", "\"results\":{"),
            ("\"scanner\":", "\"scanners\":"),
            ("\"Results\":[", "\"results\":[],\"Results\":["),
            ("2021-08-06T17:50:50.52Z", "yesterday"),
        ] {
            let spoilt = COSIGNS.replacen(from, to, 1);
            assert!(spoilt != COSIGNS && read(&spoilt).is_err(), "{from}");
        }
        let report = |text: &'static str| Vulnerabilities::of(examples::vulnerabilities().scan, text.as_bytes().into());
        assert!(report("[]").is_err() && report("{}").is_err() && report("{\"SchemaVersion\":2} x").is_err());
        assert_eq!(report("{\"SchemaVersion\":2}").unwrap().counts().unwrap(), BTreeMap::new());
    }
}
