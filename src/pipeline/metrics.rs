//! Figures of a delivery are put where they are watched, however it ended.

use std::time::Duration;

use jiff::Timestamp;

use super::{Delivery, keys};
use crate::aws::cloudwatch;
use crate::config::{Metrics, Publish};
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::metrics::{Figures, NAMESPACE};
use crate::record::{RunResult, StageName, StageOutcome};
use crate::report;
use crate::text;

/// How long that may take. Nobody waits for a figure.
const DEADLINE: Duration = Duration::from_secs(15);

/// Puts them, where that is asked for. What can't be put is a warning.
pub(crate) async fn put(delivery: &Delivery, result: RunResult) {
    let metrics = &delivery.config.metrics;
    if *metrics == Metrics::Off || result == RunResult::Cancelled {
        return;
    }
    if let Publish::No(why) = &delivery.config.publish {
        delivery.recorder.skip(StageName::Metrics, why.as_str());
        return;
    }
    let stage = delivery.recorder.stage(StageName::Metrics);
    let figures = Figures::of(&delivery.recorder.snapshot(), result, Timestamp::now());
    let put = tokio::time::timeout(DEADLINE, send(delivery, metrics, &figures)).await;
    let number = text::count(figures.values.len(), "figure");
    match put {
        Ok(Ok(place)) => stage.end(StageOutcome::Passed, format!("{number} {place}")),
        Ok(Err(error)) => {
            let diagnosis = Diagnosis::from(&error);
            delivery.recorder.warn(diagnosis.whole_in_a_row());
            stage.end(StageOutcome::Skipped(diagnosis.what), "");
        }
        Err(_) => {
            let why = "Amazon CloudWatch took too long to answer";
            delivery.recorder.warn(format!("The figures of this delivery are not in Amazon CloudWatch. {why}."));
            stage.end(StageOutcome::Skipped(why.to_owned()), "");
        }
    }
}

async fn send(delivery: &Delivery, metrics: &Metrics, figures: &Figures) -> Result<&'static str, Error> {
    match metrics {
        Metrics::Off => Ok(""),
        Metrics::Emf => {
            report::write_metrics(&figures.to_emf(), &delivery.config.report_dir)?;
            Ok("in metrics.jsonl")
        }
        Metrics::CloudWatch(identity) => {
            let session = keys::session(delivery, identity).await?;
            let data: Vec<_> = figures.values.iter().map(|figure| (figure.name, figure.unit, figure.value)).collect();
            cloudwatch::put(session, NAMESPACE, (figures.at, &figures.dimensions), &data).await?;
            Ok("to Amazon CloudWatch")
        }
    }
}
