//! The image goes out, if it may.

use std::sync::Arc;

use super::preflight::Ready;
use super::{Delivery, Ending, count};
use crate::error::Error;
use crate::oci::Image;
use crate::policy::Cleared;
use crate::publish;
use crate::record::{RunResult, StageName};

pub(super) async fn publish(delivery: &Delivery, ready: &Ready, image: &Image, cleared: &Cleared) -> Result<RunResult, Error> {
    let Some(target) = &ready.target else { return Ok(skip(delivery)) };
    delivery
        .stage(StageName::Publish, async |stage| {
            let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
            let listener: publish::Listener = Arc::new(move |event| drop(sender.send(event)));
            let work = async {
                // The listener goes with the work, and the events end with the listener.
                publish::publish(cleared, image, target, &ready.tags, &delivery.cancel, &{ listener }).await
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

/// Publishing was not asked for.
pub(super) fn skip(delivery: &Delivery) -> RunResult {
    delivery.recorder.skip(StageName::Publish, "publish is false");
    RunResult::Skipped
}
