//! What would fail after minutes fails here, in a second.

use super::{Delivery, Ending};
use crate::buildkit::builder::Builder;
use crate::config::{Publish, RequestedDestination};
use crate::error::Error;
use crate::plan;
use crate::publish;
use crate::record::StageName;
use crate::scan;
use crate::source::Checkout;
use crate::tags::PlannedTag;

/// What a delivery knows before it begins its work.
pub(super) struct Ready {
    pub(crate) checkout: Checkout,
    pub(crate) tags: Vec<PlannedTag>,
    pub(crate) builder: Builder,
}

pub(super) async fn look(delivery: &Delivery) -> Result<Ready, Error> {
    delivery
        .stage(StageName::Preflight, async |log| {
            scan::find_all(&delivery.launcher).map_err(|error| Error::Scan(error.into()))?;
            let config = &delivery.config;
            let checkout = Checkout::read(&delivery.launcher, &config.context, delivery.event.as_ref()).await?;
            let name = name(delivery, &checkout);
            delivery.recorder.write(|record| (record.source, record.name) = (Some(checkout.source.clone()), Some(name)));
            let tags = plan_tags(delivery, &checkout)?;
            warn(delivery, &checkout);
            let builder = Builder::connect(&config.build.host, &delivery.cleanups).await?;
            log.line(&format!("builder: {}", builder.description()));
            let names: Vec<_> = tags.iter().map(|planned| planned.tag.as_str()).collect();
            log.line(&format!(
                "destination: {}, tags: {}",
                config.destination,
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            ));
            let detail = builder.description().to_owned();
            Ok((Ready { checkout, tags, builder }, Ending::Pass(detail)))
        })
        .await
}

/// What the image is called: its repository without a registry, which a pull request does not know yet; else the source, and
/// the folder in it that is built.
fn name(delivery: &Delivery, checkout: &Checkout) -> String {
    let config = &delivery.config;
    match &config.destination {
        RequestedDestination::Named(publish::Destination::Registry(repository)) => repository.name().to_owned(),
        RequestedDestination::Ecr(ecr) => ecr.name.clone(),
        RequestedDestination::Named(publish::Destination::Layout(_)) => {
            let root = checkout.root.file_name().unwrap_or_default().to_string_lossy();
            let source = config.github.as_ref().map_or(&*root, |github| &github.repository);
            let context = config.context.canonicalize().ok();
            let folder = context.as_deref().and_then(|context| context.strip_prefix(&checkout.root).ok());
            let folders = folder.iter().flat_map(|folder| folder.iter()).map(|part| part.to_string_lossy());
            [source.into()].into_iter().chain(folders).collect::<Vec<_>>().join("/")
        }
    }
}

fn plan_tags(delivery: &Delivery, checkout: &Checkout) -> Result<Vec<PlannedTag>, Error> {
    let config = &delivery.config;
    let planned = plan::tags(config, &checkout.source).map_err(Error::Tags)?;
    // A layout may hold an image without a tag; in a registry nobody would find it.
    if planned.tags.is_empty()
        && config.publish == Publish::Yes
        && !matches!(config.destination, RequestedDestination::Named(publish::Destination::Layout(_)))
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
