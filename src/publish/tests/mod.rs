//! A cleared image is published as a whole or not at all, to folders (`folder`) and to registries (`with_parts`).

mod folder;
mod simulation;
mod with_parts;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    BeforeTags, Destination, Error, Listed, Listener, PublishEvent, Scanned, Shown, Signed, Target, preflight, tag, upload,
};
use crate::coverage::Coverage;
use crate::environment::Environment;
use crate::finding::Severity;
use crate::oci::Image;
use crate::oci::registry::Store;
use crate::policy::{self, Cleared, Decision, Evidence, Scan, Threshold};
use crate::record::Publication;
use crate::scanner::Tool;
use crate::tags::PlannedTag;

/// The leave to publish, as the policy gives it for a clean image.
fn cleared(image: &Image) -> Cleared {
    let threshold = Threshold { severity: Severity::High, ignore_unfixed: false };
    let scans: Vec<_> = Tool::all().map(|tool| Scan { tool, coverage: &Coverage::Complete }).collect();
    let evidence = Evidence { image: image.digest, scans: &scans, findings: &[] };
    match policy::decide(Environment::Prod.requirements(), threshold, &evidence) {
        Decision::Cleared(cleared) => cleared,
        other => panic!("{other:?}"),
    }
}

/// Tags to set; the one called `latest`, and those that end so, move.
fn tags(names: &[&str]) -> Vec<PlannedTag> {
    let planned = |name: &&str| PlannedTag {
        tag: name.parse().unwrap(),
        moving: name.ends_with("latest"),
        of_version: false,
        of_environment: false,
    };
    names.iter().map(planned).collect()
}

fn silent() -> Listener {
    Arc::new(|_: PublishEvent| {})
}

/// Publishes as a delivery does. All tests do it through this.
async fn publish(
    cleared: &Cleared,
    image: &Image,
    target: &Target,
    names: &[&str],
    cancel: &CancellationToken,
    listener: &Listener,
) -> Result<Publication, Error> {
    let upload = cancel.run_until_cancelled(upload(cleared, image, target, listener));
    let uploaded = upload.await.unwrap_or(Err(Error::Cancelled))?;
    let ready = uploaded.ready(&BeforeTags {
        listed: Listed::NotAsked,
        shown: Shown::NotAsked,
        scanned: Scanned::NotAsked,
        signed: Signed::NotAsked,
    });
    tag(ready, &tags(names), cancel, listener).await
}

/// Looks at a destination as a delivery does, without credentials.
async fn look(destination: &str) -> Result<Target, Error> {
    preflight(&destination.parse().unwrap(), &Store::at("/nowhere"), &[]).await
}

async fn deliver(destination: &str, image: &Image, names: &[&str]) -> Result<Publication, Error> {
    let target = look(destination).await?;
    publish(&cleared(image), image, &target, names, &CancellationToken::new(), &silent()).await
}
