//! The image goes out, if it may.

use std::sync::Arc;

use tokio::sync::watch;

use super::reuse::Found;
use super::{Delivery, Ending, count};
use crate::config::{Build, Publish};
use crate::dockerfile::{Base, Dockerfile};
use crate::error::Error;
use crate::oci::reference::Repository;
use crate::oci::{Image, Reference};
use crate::policy::Cleared;
use crate::publish::{self, Target};
use crate::record::{Publication, RunResult, StageName};
use crate::tags::PlannedTag;

/// Publishes a cleared image where that is asked for. Its content goes out at once, its tags when `release` says so.
pub(super) async fn publish(
    delivery: &Delivery,
    target: Option<&Target>,
    tags: &[PlannedTag],
    image: &Image,
    cleared: &Cleared,
    release: watch::Receiver<bool>,
) -> Result<RunResult, Error> {
    let Some(target) = target else {
        if let Publish::No(why) = &delivery.config.publish {
            delivery.recorder.skip(StageName::Publish, why);
        }
        return Ok(RunResult::Skipped);
    };
    let target = target.clone().with_siblings(bases(&delivery.config.build)).with_hold(release);
    run(delivery, async |listener| publish::publish(cleared, image, &target, tags, &delivery.cancel, &listener).await).await
}

/// Sets the tags of an image that is there already.
pub(super) async fn complete(delivery: &Delivery, found: &Found, cleared: &Cleared) -> Result<RunResult, Error> {
    let work = async |listener| {
        publish::complete(cleared, &found.manifest, &found.target, &found.tags, &delivery.cancel, &listener).await
    };
    run(delivery, work).await
}

/// Notes that all is there.
pub(super) fn confirm(delivery: &Delivery, found: &Found) -> RunResult {
    let publication = Publication {
        destination: found.target.destination().to_string(),
        digest: found.manifest.digest,
        tags: found.tags.iter().map(|planned| planned.tag.clone()).collect(),
        bytes_sent: 0,
        blobs_present: 0,
        blobs_sent: 0,
    };
    delivery.recorder.skip(StageName::Publish, "all its tags are there");
    delivery.recorder.write(|record| record.publication = Some(publication));
    RunResult::Delivered
}

/// Publishes as a stage, and tells how it goes on.
async fn run(
    delivery: &Delivery,
    work: impl AsyncFnOnce(publish::Listener) -> Result<Publication, publish::Error>,
) -> Result<RunResult, Error> {
    delivery
        .stage(StageName::Publish, async |stage| {
            let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
            // The listener goes with the work, and the events end with the listener.
            let work = work(Arc::new(move |event| drop(sender.send(event))));
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
