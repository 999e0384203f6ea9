//! What would fail after minutes fails here, in a second.

use jiff::Timestamp;

use super::{Delivery, Ending};
use crate::buildkit::builder::Builder;
use crate::config::Destination;
use crate::error::Error;
use crate::publish;
use crate::record::StageName;
use crate::source::Checkout;
use crate::tags::{self, PlannedTag, Values};

/// What a delivery knows before it begins its work.
pub(super) struct Ready {
    pub checkout: Checkout,
    pub tags: Vec<PlannedTag>,
    pub builder: Builder,
}

/// The programs that scan.
const PROGRAMS: [&str; 3] = ["gitleaks", "trivy", "syft"];

pub(super) async fn look(delivery: &Delivery) -> Result<Ready, Error> {
    delivery
        .stage(StageName::Preflight, async |stage| {
            for program in PROGRAMS {
                delivery.launcher.find(program).map_err(|error| Error::Scan(error.into()))?;
            }
            let config = &delivery.config;
            let checkout = Checkout::read(&delivery.launcher, &config.build.context, delivery.event.as_ref()).await?;
            delivery.recorder.write(|record| record.source = Some(checkout.source.clone()));
            let tags = plan_tags(delivery, &checkout)?;
            warn(delivery, &checkout);
            let builder = Builder::connect(&config.build.host, &delivery.cleanups).await?;
            stage.line(&format!("builder: {}", builder.description()));
            let names: Vec<_> = tags.iter().map(|planned| planned.tag.as_str()).collect();
            stage.line(&format!(
                "destination: {}, tags: {}",
                config.destination,
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            ));
            let detail = builder.description().to_owned();
            Ok((Ready { checkout, tags, builder }, Ending::Pass(detail)))
        })
        .await
}

fn plan_tags(delivery: &Delivery, checkout: &Checkout) -> Result<Vec<PlannedTag>, Error> {
    let config = &delivery.config;
    let version = config.version.clone().or_else(|| checkout.source.version());
    let values =
        Values { environment: config.environment, source: &checkout.source, version: version.as_ref(), now: Timestamp::now() };
    let planned = tags::plan(&config.tags, &values).map_err(Error::Tags)?;
    // A layout may hold an image without a tag; in a registry nobody would find it.
    if planned.tags.is_empty()
        && config.publish
        && !matches!(config.destination, Destination::Named(publish::Destination::Layout(_)))
    {
        return Err(Error::NoTag(planned.skipped));
    }
    for (template, why) in &planned.skipped {
        delivery.recorder.warn(format!("The tag {template} is skipped: {why}."));
    }
    Ok(planned.tags)
}

fn warn(delivery: &Delivery, checkout: &Checkout) {
    if checkout.source.dirty {
        delivery
            .recorder
            .warn("The working tree has changes that are in no commit: the tags name the commit, the image has the changes.");
    }
    if checkout.shallow {
        delivery.recorder.warn(
            "The clone is shallow: commits that it leaves out are not scanned for secrets. Check out with `fetch-depth: 0` to scan all.",
        );
    }
}
