//! The image goes out, if it may: its content first, and its tags when all else is there.

use std::sync::Arc;
use std::time::Instant;

use super::reuse::ExistingImage;
use super::{Delivery, Ending, conclude, moving, preflight, promoting};
use crate::config::Publish;
use crate::error::Error;
use crate::oci::{Image, Tag};
use crate::policy::Cleared;
use crate::publish::{self, Ready, Target, Uploaded};
use crate::record::{Publication, RunResult, StageLog, StageName};
use crate::tags::PlannedTag;
use crate::text;

/// What became of an image's content.
pub(super) enum Content {
    /// The gate holds it back.
    Blocked,
    /// Publishing is not asked for.
    NotAsked,
    /// It is where it goes, and no tag names it.
    There {
        /// What may be tagged once all else is there.
        uploaded: Box<Uploaded>,
        /// The gate's leave.
        cleared: Cleared,
        /// Since when.
        since: Instant,
    },
}

/// Sends the content of an image to its destination, if it is cleared and that is asked for.
pub(super) async fn upload(
    delivery: &Delivery,
    source: &preflight::Ready,
    target: Option<&Target>,
    image: &Image,
    cleared: Option<Cleared>,
) -> Result<Content, Error> {
    let Some(cleared) = cleared else { return Ok(Content::Blocked) };
    let Some(target) = target else {
        if let Publish::No(why) = &delivery.config.publish {
            delivery.recorder.skip(StageName::Publish, why);
        }
        return Ok(Content::NotAsked);
    };
    let target = target.clone().with_siblings(source.siblings.clone());
    let uploaded = if target.repository().is_some() {
        delivery
            .stage(StageName::Upload, async |log| {
                if let (Some(origin), Some(there)) =
                    (source.origin.as_ref().filter(|origin| origin.sboms.is_some()), target.repository())
                {
                    promoting::bring(origin, there, image, &log).await?;
                }
                let uploaded =
                    listen(delivery, &log, async |listener| publish::upload(&cleared, image, &target, &listener).await);
                let uploaded = uploaded.await?;
                if let Some(origin) = &source.origin {
                    origin.hand_on(uploaded.target(), image, &log).await?;
                }
                let detail = uploaded.to_string();
                Ok((uploaded, Ending::Pass(detail)))
            })
            .await?
    } else {
        // A folder takes the content and the names in one step.
        publish::upload(&cleared, image, &target, &(Arc::new(|_| ()) as publish::Listener)).await?
    };
    Ok(Content::There { uploaded: Box::new(uploaded), cleared, since: Instant::now() })
}

/// Gives an image its tags, all or none; a moving tag that would go back is left alone. `since` when its content is there.
pub(super) async fn tag(
    delivery: &Delivery,
    source: &preflight::Ready,
    ready: Ready,
    tags: &[PlannedTag],
    since: Instant,
) -> Result<Publication, Error> {
    let stage = delivery.recorder.stage_that_waited(StageName::Publish, since);
    let log = stage.log();
    let tagged = async {
        let settable = moving::settable(delivery, source, ready.target(), ready.digest(), tags);
        let tags = delivery.cancel.run_until_cancelled(settable).await.unwrap_or(Err(Error::Cancelled))?;
        // Until it is known how it ended, each of them may be there, also where this process does not live to know it.
        leave(delivery, tags.iter().map(|planned| planned.tag.clone()).collect());
        // When it is cancelled it ends by itself, after it has put back the tags that are set already.
        let ended = listen(delivery, &log, async |listener| publish::tag(ready, &tags, &delivery.cancel, &listener).await).await;
        // Where it went well, they are taken for published in one step with that.
        let publication = ended.inspect_err(|error| leave(delivery, leftovers(error)))?;
        let tags = match publication.tags.len() {
            0 => "without a tag".to_owned(),
            number => text::count(number, "tag"),
        };
        let detail = format!("{tags} to {}", publication.destination);
        Ok((publication, Ending::Pass(detail)))
    };
    conclude(stage, tagged.await)
}

/// Notes the tags that may name the image although nothing is published.
fn leave(delivery: &Delivery, tags: Vec<Tag>) {
    delivery.recorder.write(|record| record.leftovers = tags);
}

fn leftovers(error: &Error) -> Vec<Tag> {
    match error {
        Error::Publish(publish::Error::LeftOver { leftovers, .. }) => leftovers.iter().map(|left| left.tag.clone()).collect(),
        _ => Vec::new(),
    }
}

/// Records that everything is there already.
pub(super) fn confirm(delivery: &Delivery, existing: &ExistingImage) -> RunResult {
    let publication = Publication {
        destination: existing.target.destination().to_string(),
        digest: existing.manifest.digest,
        tags: existing.tags.iter().map(|planned| planned.tag.clone()).collect(),
        bytes_sent: 0,
        blobs_present: 0,
        blobs_sent: 0,
    };
    delivery.recorder.skip(StageName::Publish, "all its tags are there");
    delivery.recorder.accept(&publication);
    RunResult::Delivered
}

/// Does work that tells how it goes, and passes on what it tells.
async fn listen<T>(
    delivery: &Delivery,
    log: &StageLog,
    work: impl AsyncFnOnce(publish::Listener) -> Result<T, publish::Error>,
) -> Result<T, Error> {
    let (log, recorder) = (log.clone(), delivery.recorder.clone());
    let listener: publish::Listener = Arc::new(move |event| match event {
        event if event.is_progress() => log.progress(&event.to_string()),
        event if event.is_warning() => recorder.warn(event.to_string()),
        event => log.line(&event.to_string()),
    });
    work(listener).await.map_err(|error| match error {
        publish::Error::Cancelled => Error::Cancelled,
        error => error.into(),
    })
}
