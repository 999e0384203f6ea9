//! The registry's own scan of the image: waited for and judged before the tags, or told after them.

use futures_util::future::try_join_all;
use jiff::SignedDuration;

use super::preflight::Ready;
use super::vulnerabilities::Vulnerabilities;
use super::{Delivery, Ending, code_scanning, keys, suppressions};
use crate::aws;
use crate::config::{Ecr, RequestedDestination};
use crate::coverage;
use crate::diagnosis::Diagnosis;
use crate::environment::Gate;
use crate::error::Error;
use crate::finding::Vulnerability;
use crate::findings::{self, Judge, Subject};
use crate::oci::Image;
use crate::oci::registry::{Client, Manifest};
use crate::publish::Scanned;
use crate::record::{StageLog, StageName};
use crate::registry_scan::{Demand, RegistryScan};
use crate::scan::trivy::ignore::Lists;
use crate::text;

/// The images of an image's platforms, and what trivy found in them.
pub(super) struct Subjects<'a> {
    images: Vec<Subject>,
    /// Absent where trivy has not looked.
    trivy: Option<&'a [Vulnerability]>,
}

impl<'a> Subjects<'a> {
    /// Those of an image that is here.
    pub(super) fn of(image: &Image, vulnerabilities: Option<&'a Vulnerabilities>) -> Self {
        Self { images: image.into(), trivy: vulnerabilities.map(|found| &*found.findings) }
    }
}

impl Subjects<'_> {
    /// Those of an image that is in the registry alone.
    pub(super) fn there(client: &Client, manifest: &Manifest) -> Result<Self, Error> {
        Ok(Self { images: findings::subjects(client, manifest)?, trivy: None })
    }
}

/// Has the registry's scan decide, where that is asked for. None: it holds the image back. Where vulnerabilities block, the want
/// of a result fails the delivery: nothing is known then of what the gate is to keep out.
pub(super) async fn gate(delivery: &Delivery, ready: &Ready, subjects: &Subjects<'_>) -> Result<Option<Scanned>, Error> {
    let Some(ecr) = asked(delivery, Demand::Gate) else { return Ok(Some(Scanned::NotAsked)) };
    let scanned = delivery
        .stage(StageName::RegistryScan, async |log| {
            let blocks = delivery.config.environment.requirements().vulnerabilities == Gate::Blocking;
            let (scan, failed) = look(delivery, ready, ecr, subjects, &log).await?;
            let (counting, detail) = (scan.counting().len(), said(&scan));
            let images: Vec<_> = scan.unaccepted().map(|(image, why)| (image.to_string(), text::words(why))).collect();
            let unsupported = scan.unaccepted().any(|(image, _)| image.result.is_unsupported());
            let accepted = scan.missing().count() - images.len();
            delivery.recorder.write(|record| record.registry_scan = Some(scan));
            match (blocks, failed) {
                // What was found holds it back, whatever else was not looked at.
                (true, _) if counting > 0 => Ok((None, Ending::Block(detail))),
                (true, Some(error)) => Err(error),
                (true, None) if !images.is_empty() => Err(Error::NotScannedThere { images, unsupported }),
                (false, Some(error)) => {
                    let diagnosis = Diagnosis::from(&error);
                    delivery.recorder.warn(diagnosis.whole_in_a_row());
                    Ok((Some(Scanned::Advised), Ending::Advise(diagnosis.what)))
                }
                (false, None) if counting > 0 || !images.is_empty() => Ok((Some(Scanned::Advised), Ending::Advise(detail))),
                // Somebody has accepted by name that it can't be looked at.
                (_, None) if accepted > 0 => Ok((Some(Scanned::Accepted), Ending::Advise(detail))),
                (_, None) => Ok((Some(Scanned::Cleared), Ending::Pass(detail))),
            }
        })
        .await;
    // The team is told of what holds it back, too.
    code_scanning::show_registry_scan(delivery, ready).await;
    scanned
}

/// Tells what the registry's scan found, where that is asked for. The tags are there by then: nothing fails the delivery.
pub(super) async fn report(delivery: &Delivery, ready: &Ready, subjects: &Subjects<'_>) {
    let Some(ecr) = asked(delivery, Demand::Report) else { return };
    let told = delivery.stage(StageName::RegistryScan, async |log| {
        let (scan, failed) = look(delivery, ready, ecr, subjects, &log).await?;
        let (clean, detail) = (scan.counting().is_empty() && scan.is_complete(), said(&scan));
        delivery.recorder.write(|record| record.registry_scan = Some(scan));
        if let Some(error) = failed {
            let diagnosis = Diagnosis::from(&error);
            delivery.recorder.warn(diagnosis.whole_in_a_row());
            return Ok(((), Ending::Skip(diagnosis.what)));
        }
        Ok(((), if clean { Ending::Pass(detail) } else { Ending::Advise(detail) }))
    });
    if let Err(error) = told.await
        && !matches!(error, Error::Cancelled)
    {
        delivery.recorder.warn(Diagnosis::from(&error).in_a_row());
    }
    code_scanning::show_registry_scan(delivery, ready).await;
}

/// The repository, where its scan is asked for in this way.
fn asked(delivery: &Delivery, demand: Demand) -> Option<&Ecr> {
    match &delivery.config.destination {
        RequestedDestination::Ecr(ecr) if delivery.config.registry_scan == demand => Some(ecr),
        _ => None,
    }
}

/// What the scan came to. Where AWS can't be asked, that is beside it, and no image has a result.
async fn look(
    delivery: &Delivery,
    ready: &Ready,
    ecr: &Ecr,
    subjects: &Subjects<'_>,
    log: &StageLog,
) -> Result<(RegistryScan, Option<Error>), Error> {
    let demand = delivery.config.registry_scan;
    // The same lists as trivy's. What is to be said of them is said where that is.
    let (lists, _) = suppressions::of_vulnerabilities(delivery, ready).await?;
    let looked = match wait(delivery, ecr, subjects, log).await {
        Ok(looked) => looked,
        Err(error) => {
            let error = Error::from(error);
            let scan = findings::unread(demand, &subjects.images, &Diagnosis::from(&error).what);
            return Ok((scan, Some(error)));
        }
    };
    let lets_through = |id: &str| by_list(&lists, id);
    let accepted = coverage::without_registry_scan(&delivery.config.accepted);
    let judge = Judge { trivy: subjects.trivy, threshold: delivery.config.threshold, lets_through: &lets_through, accepted };
    let scan = findings::merged(demand, looked, &judge);
    if accepted.is_some() && scan.is_complete() {
        delivery.recorder.warn("`accept-unscanned` names ecr-scan, and Amazon ECR can scan the image: take the line out.");
    }
    Ok((scan, None))
}

async fn wait(
    delivery: &Delivery,
    ecr: &Ecr,
    subjects: &Subjects<'_>,
    log: &StageLog,
) -> Result<Vec<(Subject, findings::Looked)>, aws::Error> {
    let session = keys::session(delivery, &ecr.identity).await?;
    let repository = ecr.repository(session.clone());
    let (patience, limit) =
        (delivery.config.registry_scan_wait.into(), delivery.config.database_max_age.map(SignedDuration::from));
    let waits = subjects.images.iter().map(async |subject| {
        let looked = findings::wait(&repository, subject.digest, patience, limit, |state| log.progress(state)).await?;
        Ok::<_, aws::Error>((subject.clone(), looked))
    });
    try_join_all(waits).await
}

/// The project's list that lets an advisory through, and why.
fn by_list(lists: &Lists, id: &str) -> Option<String> {
    let (list, reason) = lists.lets_through(id)?;
    Some(reason.map_or_else(|| list.to_owned(), |reason| format!("{list}: {reason}")))
}

/// What it came to, in one line.
fn said(scan: &RegistryScan) -> String {
    let found = text::count(scan.findings.len(), "finding");
    let alone = scan.findings.iter().filter(|finding| finding.by_trivy == Some(false)).count();
    let alone = if alone > 0 { format!(", {alone} of them unknown to trivy") } else { String::new() };
    let missing = scan.missing().count();
    let accepted = if scan.unaccepted().next().is_none() { ", which `accept-unscanned` accepts" } else { "" };
    match scan.images.len() - missing {
        0 => format!("no result{accepted}"),
        looked_at => {
            let missing = if missing > 0 { format!("; no result for {missing} more{accepted}") } else { String::new() };
            let counting = scan.counting().len();
            format!("{found} in {}{alone}; {counting} counted at the gate{missing}", text::count(looked_at, "image"))
        }
    }
}
