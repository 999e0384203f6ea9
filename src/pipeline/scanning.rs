//! The scans, and what they leave in the record.

use std::time::Duration;

use super::preflight::Ready;
use super::{Delivery, Ending, count};
use crate::config::SecretsHistory;
use crate::environment::Gate;
use crate::error::Error;
use crate::finding::Finding;
use crate::policy::Scan;
use crate::record::StageName;
use crate::scan::gitleaks::{self, History};

/// Scanners take seconds; one that takes this long hangs.
const DEADLINE: Duration = Duration::from_mins(15);

pub(super) async fn secrets(delivery: &Delivery, ready: &Ready) -> Result<Scan, Error> {
    delivery
        .stage(StageName::Secrets, async |stage| {
            let history = history(delivery, ready).await?;
            let config = &delivery.config;
            let exclude = [config.report_dir.clone(), delivery.staging.clone()];
            let request =
                gitleaks::Request { root: &ready.checkout.root, history: &history, exclude: &exclude, deadline: DEADLINE };
            let leaks = gitleaks::scan(&delivery.launcher, &request).await?;
            leaks.warnings.into_iter().for_each(|warning| delivery.recorder.warn(warning));
            let suppressed: u32 = leaks.suppressions.iter().map(|suppression| suppression.count).sum();
            let found = leaks.findings.len();
            delivery.recorder.write(|record| {
                record.suppressions.extend(leaks.suppressions);
                record.findings.extend(leaks.findings.into_iter().map(Finding::Leak));
            });
            let mut detail = format!(
                "{} in the working tree and {}",
                count(found, "leak"),
                count(usize::try_from(leaks.commits).unwrap_or(usize::MAX), "commit")
            );
            if suppressed > 0 {
                detail = format!("{detail}; {suppressed} suppressed by the project");
            }
            stage.line(&detail);
            Ok((Scan::Complete, ending(found, config.environment.demands().secrets, detail)))
        })
        .await
}

/// The part of the history to scan.
async fn history(delivery: &Delivery, ready: &Ready) -> Result<History, Error> {
    if !ready.checkout.in_git {
        return Ok(History::None);
    }
    match (&delivery.config.secrets_history, &ready.checkout.source.commit) {
        (SecretsHistory::None, _) | (_, None) => Ok(History::None),
        (SecretsHistory::Push(before), Some(head)) if ready.checkout.has(&delivery.launcher, before).await? => {
            Ok(format!("{before}..{head}").parse().map_or(History::Full, History::Commits))
        }
        (SecretsHistory::Push(before), Some(_)) => {
            delivery.recorder.warn(format!(
                "The commit before this push ({before}) is not in the clone: all commits that are there are scanned."
            ));
            Ok(History::Full)
        }
        (SecretsHistory::Full, Some(_)) => Ok(History::Full),
    }
}

fn ending(counting: usize, gate: Gate, detail: String) -> Ending {
    match (counting, gate) {
        (0, _) => Ending::Pass(detail),
        (_, Gate::Advisory) => Ending::Advise(detail),
        (_, Gate::Blocking) => Ending::Block(detail),
    }
}

pub(super) async fn database(_: &Delivery) -> Result<(), Error> {
    Ok(())
}
pub(super) async fn vulnerabilities(_: &Delivery, _: &Ready, _: &crate::oci::Image, _: ()) -> Result<Scan, Error> {
    Ok(Scan::Missing)
}
pub(super) async fn sboms(_: &Delivery, _: &crate::oci::Image) -> Result<(), Error> {
    Ok(())
}
