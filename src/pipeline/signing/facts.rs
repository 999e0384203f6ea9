//! What is said of an image: the statements, each with what it is kept beside.

use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use oci_spec::image::Descriptor;

use super::{Known, Planned};
use crate::attestation::{
    Database, Lists, ListsOf, Predicate, PredicateType, Program, Provenance, ProvenanceFacts, Run, Scan, Statement, Subject,
    Verdict, VerdictFacts,
};
use crate::config::Suppressions;
use crate::error::Error;
use crate::oci::{Digest, Platform};
use crate::pipeline::Delivery;
use crate::pipeline::preflight::Ready;
use crate::process;
use crate::provenance::Parameters;
use crate::record::{Record, Reuse};
use crate::report::SignedRecord;
use crate::scan;

/// The most that is read of an SBOM, in bytes.
const MAX_SBOM: u64 = 128 << 20;

/// What the statements are made of.
pub(super) struct Facts<'a> {
    delivery: &'a Delivery,
    ready: &'a Ready,
    known: &'a Known<'a>,
    run: Option<&'a Run>,
    tools: Vec<Program>,
    record: Record,
    /// The same in the bytes that the verdict names.
    signed: SignedRecord,
}

impl<'a> Facts<'a> {
    /// Writes the record that a verdict among the statements names, so that it is there before the verdict is; gives its digest.
    pub(super) fn written(&self, missing: &[Planned], delivery: &Delivery) -> Result<Option<Digest>, Error> {
        if !missing.iter().any(|planned| matches!(planned.statement.predicate, Predicate::Verdict(_))) {
            return Ok(None);
        }
        self.signed.write(&delivery.config.report_dir)?;
        Ok(Some(self.signed.digest()))
    }

    pub(super) async fn of(
        delivery: &'a Delivery,
        ready: &'a Ready,
        known: &'a Known<'a>,
        run: Option<&'a Run>,
    ) -> Result<Self, Error> {
        let versions = scan::versions(&delivery.launcher).await.into_iter();
        let tools = versions.filter_map(|(name, version)| Some(Program { name: name.to_owned(), version: version.ok()? }));
        let record = delivery.recorder.write(|record| record.clone());
        let signed = SignedRecord::of(&record);
        Ok(Self { delivery, ready, known, run, tools: tools.collect(), record, signed })
    }

    /// All that is said, each with what it is kept beside.
    pub(super) fn statements(&self, name: &str) -> Result<Vec<Planned>, Error> {
        let image = self.known.image;
        let of = |beside: &Descriptor, digest: Digest, predicate: Predicate| Planned {
            beside: beside.clone(),
            statement: Statement { subjects: vec![Subject { name: Some(name.to_owned()), digest }], predicate },
        };
        let parameters =
            self.ready.claim.parameters.as_ref().ok_or_else(|| Error::Statement("it is not known what was built".to_owned()))?;
        let mut planned = vec![
            of(&image.root, image.digest, Predicate::Signature),
            of(&image.root, image.digest, Predicate::Verdict(Box::new(self.verdict(parameters)?))),
        ];
        // Whoever takes an image that another run has built has not seen where it came from: its builder has said that.
        if self.built_here() {
            let provenance = self.provenance(parameters).map(|provenance| Predicate::Provenance(Box::new(provenance)));
            planned.extend(provenance.map(|provenance| of(&image.root, image.digest, provenance)));
        }
        for platform in &image.platforms {
            if platform.digest != image.digest {
                planned.push(of(&platform.manifest, platform.digest, Predicate::Signature));
            }
            for sbom in self.sboms(&platform.platform)? {
                planned.push(of(&platform.manifest, platform.digest, sbom));
            }
            if let Some(report) = self.report(&platform.platform)? {
                planned.push(of(&platform.manifest, platform.digest, report));
            }
        }
        Ok(planned)
    }

    fn built_here(&self) -> bool {
        matches!(self.record.reuse, None | Some(Reuse::Assembled))
    }

    fn verdict(&self, parameters: &Parameters) -> Result<Verdict, Error> {
        // Of an image that is promoted the run is another's: who delivered it has said what it is of.
        let (repository, reference) = match &self.ready.origin {
            Some(origin) => (origin.verdict.source.repository.clone(), origin.verdict.source.reference.clone()),
            None => (self.run.map(Run::repository), self.run.map(|run| run.reference().to_owned())),
        };
        let facts = VerdictFacts {
            decided_at: self.known.decided_at,
            repository,
            reference,
            parameters,
            origin: self.known.origin,
            cache_writers: self.known.cache_writers,
            builder: self.delivery.config.builder(),
            tools: self.tools.clone(),
            databases: self.database().into_iter().collect(),
            lists: lists(&self.delivery.config.suppressions),
            inputs: self.delivery.config.leniency(),
            coverage: self.known.coverage,
            record_digest: self.signed.digest(),
        };
        Verdict::of(self.known.cleared, &self.record, facts).map_err(|error| Error::Statement(error.to_string()))
    }

    fn provenance(&self, parameters: &Parameters) -> Option<Provenance> {
        let materials: Vec<_> =
            self.record.image.iter().flat_map(|image| &image.platforms).filter_map(|one| one.materials.clone()).collect();
        let facts = ProvenanceFacts {
            run: self.run,
            source: self.record.source.as_ref()?,
            environment: self.delivery.config.environment,
            parameters,
            materials: &materials,
            started_on: self.record.started_at,
            finished_on: self.known.decided_at,
        };
        let parts = self.ready.origin.as_ref().map(|origin| &*origin.parts).filter(|parts| !parts.is_empty());
        Some(parts.map_or_else(|| Provenance::of(&facts), |parts| Provenance::of_parts(&facts, parts)))
    }

    /// The lists of what is in the image of a platform.
    fn sboms(&self, platform: &Platform) -> Result<Vec<Predicate>, Error> {
        let recorded = self.record.image.iter().flat_map(|image| &image.platforms);
        let files = recorded.filter(|recorded| recorded.platform == *platform).flat_map(|recorded| &recorded.sboms);
        let read = files.filter_map(|file| {
            let of = format_of(file)?;
            let path = self.delivery.config.report_dir.join(file);
            Some(sbom(of, &path))
        });
        read.collect()
    }

    /// What trivy has found in the image of a platform.
    fn report(&self, platform: &Platform) -> Result<Option<Predicate>, Error> {
        let scanned = self.known.vulnerabilities.and_then(|found| found.platforms.iter().find(|one| one.platform == *platform));
        let (Some(scanned), Some(database)) = (scanned, self.database()) else { return Ok(None) };
        let version = self.tools.iter().find(|tool| tool.name == "trivy").map_or("", |tool| &tool.version);
        let scan = Scan::by_trivy(version, &database, self.run, scanned.times);
        let report = crate::attestation::Vulnerabilities::of(scan, scanned.report.clone());
        let report = report.map_err(|error| Error::Statement(error.to_string()))?;
        Ok(Some(Predicate::Vulnerabilities(Box::new(report))))
    }

    fn database(&self) -> Option<Database> {
        let database = self.record.database.as_ref()?;
        Some(Database {
            name: "trivy-db".to_owned(),
            version: 2,
            repository: database.repository.clone(),
            digest: database.digest,
            updated_at: database.updated_at,
        })
    }
}

/// Which list a file of the report is.
fn format_of(file: &str) -> Option<PredicateType> {
    if file.ends_with(".spdx.json") {
        Some(PredicateType::Spdx)
    } else {
        file.ends_with(".cdx.json").then_some(PredicateType::CycloneDx)
    }
}

fn sbom(of: PredicateType, path: &Path) -> Result<Predicate, Error> {
    let mut bytes = Vec::new();
    let read = process::open_report(path, MAX_SBOM).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_err(|source| Error::Io { path: path.to_owned(), source })?;
    Predicate::sbom(of, Bytes::from(bytes)).map_err(|error| Error::Statement(error.to_string()))
}

fn lists(suppressions: &Suppressions) -> Lists {
    match suppressions {
        Suppressions::Head(commit) => Lists { of: ListsOf::Head, commit: commit.clone() },
        Suppressions::Base(commit) => Lists { of: ListsOf::Base, commit: Some(commit.clone()) },
        Suppressions::Unproven => Lists { of: ListsOf::Nobody, commit: None },
    }
}
