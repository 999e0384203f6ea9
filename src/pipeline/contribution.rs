//! How what the stages come to goes into the record.

use super::advisories::Advisories;
use super::building::{Built, recorded};
use super::sbom::Sboms;
use super::since::Earlier;
use super::vulnerabilities::Vulnerabilities;
use crate::finding::Finding;
use crate::record::{Contribution, ImageRecord, Publication, Record};
use crate::scan::gitleaks::Leaks;

impl Contribution for Leaks {
    fn enter(&self, record: &mut Record) {
        record.findings.extend(self.findings.iter().cloned().map(Finding::Leak));
        record.suppressions.extend(self.suppressions.iter().cloned());
        record.warnings.extend(self.warnings.iter().cloned());
    }
}

impl Contribution for Advisories {
    fn enter(&self, record: &mut Record) {
        match self {
            Self::Known(database) => {
                record.database = Some(database.record.clone());
                record.warnings.extend(database.warnings.iter().cloned());
            }
            Self::Missing(warning) => record.warnings.push(warning.clone()),
        }
    }
}

impl Contribution for Built {
    fn enter(&self, record: &mut Record) {
        record.image = Some(ImageRecord { known: self.known, ..recorded(&self.image) });
        for platform in record.image.iter_mut().flat_map(|image| &mut image.platforms) {
            platform.materials = self.materials.get(&platform.platform).cloned();
            platform.builder = self.builders.get(&platform.platform).cloned();
        }
        record.build_cache.clone_from(&self.cache);
        record.warnings.extend(self.warnings.iter().cloned());
        record.build_checks.extend(self.checks.iter().cloned());
        self.leaks.enter(record);
    }
}

impl Contribution for Vulnerabilities {
    fn enter(&self, record: &mut Record) {
        record.findings.extend(self.findings.iter().cloned().map(Finding::Vulnerability));
        record.suppressions.extend(self.suppressions.iter().cloned());
        record.warnings.extend(self.warnings.iter().cloned());
    }
}

impl Contribution for Sboms {
    fn enter(&self, record: &mut Record) {
        let platforms = record.image.iter_mut().flat_map(|image| &mut image.platforms);
        for (platform, sbom) in platforms.zip(&self.0) {
            platform.packages = Some(sbom.packages);
            platform.sboms = sbom.files.iter().map(|file| format!("sbom/{file}")).collect();
        }
    }
}

impl Contribution for Earlier {
    // It is compared with first.
    fn enter(&self, _: &mut Record) {}
}

impl Contribution for Publication {
    fn enter(&self, record: &mut Record) {
        (record.publication, record.leftovers) = (Some(self.clone()), Vec::new());
    }
}
