//! The image goes out, if it may.

use std::sync::Arc;

use tokio::sync::watch;

use super::preflight::Ready;
use super::{Delivery, Ending, count};
use crate::config::Build;
use crate::dockerfile::{Base, Dockerfile};
use crate::error::Error;
use crate::oci::reference::Repository;
use crate::oci::{Image, Reference};
use crate::policy::Cleared;
use crate::publish;
use crate::record::{RunResult, StageName};

/// Publishes a cleared image where that is asked for. Its content goes out at once, its tags when `release` says so.
pub(super) async fn publish(
    delivery: &Delivery,
    ready: &Ready,
    image: &Image,
    cleared: &Cleared,
    release: watch::Receiver<bool>,
) -> Result<RunResult, Error> {
    let Some(target) = &ready.target else {
        delivery.recorder.skip(StageName::Publish, "publish is false");
        return Ok(RunResult::Skipped);
    };
    let target = target.clone().with_siblings(bases(&delivery.config.build)).with_hold(release);
    delivery
        .stage(StageName::Publish, async |stage| {
            let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
            let listener: publish::Listener = Arc::new(move |event| drop(sender.send(event)));
            let work = async {
                // The listener goes with the work, and the events end with the listener.
                publish::publish(cleared, image, &target, &ready.tags, &delivery.cancel, &{ listener }).await
            };
            let hear = async {
                while let Some(event) = events.recv().await {
                    match event {
                        event if event.is_progress() => stage.progress(&event.to_string()),
                        event if event.is_warning() => delivery.recorder.warn(event.to_string()),
                        event => stage.line(&event.to_string()),
                    }
                }
            };
            let (published, ()) = tokio::join!(work, hear);
            let publication = published.map_err(|error| match error {
                publish::Error::Cancelled => Error::Cancelled,
                error => error.into(),
            })?;
            let detail = format!("{} to {}", count(publication.tags.len(), "tag"), publication.destination);
            delivery.recorder.write(|record| record.publication = Some(publication));
            Ok((RunResult::Delivered, Ending::Pass(detail)))
        })
        .await
}

/// The repositories of the base images: where the destination's registry has them, their layers need not be sent.
fn bases(build: &Build) -> Vec<Repository> {
    let text = std::fs::read_to_string(&build.dockerfile).unwrap_or_default();
    let Ok(dockerfile) = Dockerfile::parse(&text) else { return Vec::new() };
    let arguments = build.arguments.iter().cloned().collect();
    let bases = (0..dockerfile.stages.len()).filter_map(|stage| match dockerfile.base(stage, &arguments)? {
        Base::Image(name) => name.parse::<Reference>().ok(),
        Base::Stage(_) => None,
    });
    bases.map(|reference| reference.repository).collect()
}
