//! What the registry's own scan came to, in clauses for the result's line.

use super::catalogue;
use crate::environment::Gate;
use crate::finding::Severity;
use crate::record::Record;
use crate::registry_scan::{Demand, RegistryScan};
use crate::scanner::Tool;
use crate::text;

/// What counts at the gate, where the gate goes by it and blocks.
#[must_use]
pub(crate) fn counted(record: &Record) -> Option<String> {
    let blocks = record.demands.is_some_and(|demands| demands.vulnerabilities == Gate::Blocking);
    let scan = record.registry_scan.as_ref().filter(|scan| blocks && scan.demand == Demand::Gate)?;
    found(record, scan)
}

/// What is to be said of it where it does not hold the image back.
#[must_use]
pub(crate) fn remarks(record: &Record) -> Vec<String> {
    let Some(scan) = &record.registry_scan else { return Vec::new() };
    let (missing, open) = (scan.missing().count(), scan.unaccepted().count());
    let accepted = match missing - open {
        0 => String::new(),
        accepted if open == 0 && accepted > 0 => ", which `accept-unscanned` accepts".to_owned(),
        accepted => format!(", of which `accept-unscanned` accepts {accepted}"),
    };
    let images = text::count(missing, "image");
    let missing = (missing > 0).then(|| format!("Amazon ECR's scan has no result for {images}{accepted}"));
    let elsewhere = text::list(&catalogue::blocking_environments(&[Tool::TRIVY]));
    let found = found(record, scan).map(|found| match scan.demand {
        Demand::Gate => format!("{found} would block it at {elsewhere}"),
        Demand::Report | Demand::Off => format!("{found} would block it with `ecr-scan: gate`"),
    });
    found.into_iter().chain(missing).collect()
}

fn found(record: &Record, scan: &RegistryScan) -> Option<String> {
    let counting = scan.counting().len();
    let threshold = catalogue::threshold(record).severity;
    let over = if threshold == Severity::Critical { threshold.to_string() } else { format!("{threshold} or worse") };
    (counting > 0).then(|| format!("{} rated {over} by Amazon ECR's scan", text::count(counting, "vulnerability")))
}
