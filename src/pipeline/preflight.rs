//! What would fail after minutes fails here, in a second.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::sync::OnceCell;

use super::builders::Builders;
use super::named_contexts::{self, NamedContexts};
use super::proven_image::ProvenImage;
use super::{Delivery, Ending, bases, claim, context, dating, keys, shutting_in};
use crate::buildkit::date::SourceDate;
use crate::config::{Publish, RequestedDestination, SecretsHistory};
use crate::dockerfile::{Dockerfile, asks_for_checks};
use crate::error::Error;
use crate::oci::Platform;
use crate::oci::reference::Repository;
use crate::plan;
use crate::provenance::Claim;
use crate::publish;
use crate::record::{StageLog, StageName};
use crate::scan;
use crate::scan::base::Base;
use crate::scan::gitleaks::Lists;
use crate::scanner::Tool;
use crate::source::{Checkout, Comparison, Definition, Failed, Paths};
use crate::tags::PlannedTag;
use crate::text;

/// What a delivery knows before it begins its work.
pub(super) struct Ready {
    pub(crate) checkout: Checkout,
    /// Where the named contexts that are folders are in the source, by their names.
    pub(crate) places: BTreeMap<String, PathBuf>,
    /// Files and folders of the checkout that git ignores and the builder is offered nothing of, by their paths from its topmost
    /// folder, where it is somebody's own and no run's.
    pub(crate) unseen: Vec<PathBuf>,
    /// What the Dockerfile says, where there is one and it can be told.
    pub(crate) dockerfile: Option<Dockerfile>,
    /// What an image of this delivery says of itself; of one that is promoted, what is proven of it.
    pub(crate) claim: Claim,
    pub(crate) tags: Vec<PlannedTag>,
    /// Repositories that have much of the image already, where the destination's registry has them.
    pub(crate) siblings: Vec<Repository>,
    /// The commit before the change, once somebody has asked for it.
    pub(crate) base: OnceCell<Option<Base>>,
    /// What the project lets through of leaks that counts, and what is to be said where that is nothing, once somebody has
    /// asked: the lists are read once, whatever changes meanwhile.
    pub(crate) leaks: OnceCell<(Lists, Option<String>)>,
    /// The image that is promoted; absent for one of the source.
    pub(crate) origin: Option<ProvenImage>,
}

/// What an image is built from, and who builds it.
pub(super) struct Workshop {
    pub(crate) definition: Definition,
    pub(crate) contexts: NamedContexts,
    /// What the image is dated by.
    pub(crate) date: Option<SourceDate>,
    pub(crate) builders: Builders,
}

/// What is built, and what is known of its source.
pub(super) struct Found {
    pub(crate) ready: Ready,
    pub(crate) definition: Definition,
    pub(crate) contexts: NamedContexts,
    pub(crate) date: Option<SourceDate>,
}

pub(super) async fn look(delivery: &Delivery) -> Result<(Ready, Workshop), Error> {
    delivery
        .stage(StageName::Preflight, async |log| {
            // Whether AWS lets it sign is not asked of the source, and takes longer than the source does. Where neither will do, the
            // source is told.
            let (found, may_sign) = tokio::join!(find(delivery, &log), keys::look(delivery, &log));
            let Found { ready, definition, contexts, date } = found?;
            may_sign?;
            let config = &delivery.config;
            let builders = Builders::find(delivery, &ready.checkout.root, &log).await?;
            builders.lines().iter().for_each(|line| log.line(line));
            let distinct = builders.distinct();
            distinct.iter().try_for_each(|builder| named_contexts::admit(&config.build, &definition, builder))?;
            if !distinct.iter().all(|builder| builder.may_check()) && asks_for_checks(&definition.dockerfile) {
                delivery
                    .recorder
                    .warn("This builder knows no build checks: what the Dockerfile's `# check=` asks for was not looked at.");
            }
            let detail = builders.detail();
            Ok(((ready, Workshop { definition, contexts, date, builders }), Ending::Pass(detail)))
        })
        .await
}

/// Finds the programs and the source, and what a delivery of it is called.
pub(super) async fn find(delivery: &Delivery, log: &StageLog) -> Result<Found, Error> {
    shutting_in::note(delivery)?;
    scan::find_all(&delivery.launcher).map_err(|error| Error::Scan(error.into()))?;
    let config = &delivery.config;
    let dockerfile = &config.build.dockerfile;
    let (event, build) = (delivery.event.as_ref(), &config.build);
    let definition = Definition::read(&config.context, dockerfile, event, &build.arguments, build.folders())?;
    let mut checkout = Checkout::read(&delivery.launcher, &config.context, Some(&definition), event).await?;
    log.line(&source_line(&checkout));
    identify(delivery, &checkout).await?;
    let places = checkout.places(&definition)?;
    let contexts = NamedContexts::open(delivery)?;
    let left_out = [&*config.report_dir, &*delivery.staging];
    let unseen = async {
        // A run's checkout has what its commit has, and what steps have made for the image.
        let ignored = if event.is_none() { checkout.ignored(&delivery.launcher).await } else { Vec::new() };
        context::unseen(&checkout.root, &definition, ignored)
    };
    let compared = context::compare(&delivery.launcher, &checkout, &definition, &left_out);
    // Side by side: each start of git takes longer than what it is asked.
    let (date, unseen, compared) = tokio::join!(dating::date(delivery, &checkout), unseen, compared);
    let date = date?;
    checkout.source.dirty = compared.is_dirty();
    let name = name(delivery, &checkout);
    delivery.recorder.write(|record| (record.source, record.name) = (Some(checkout.source.clone()), Some(name)));
    let tags = plan_tags(delivery, &checkout)?;
    warn(delivery, &checkout, &compared);
    for name in contexts.idle(&config.build, &definition) {
        delivery
            .recorder
            .warn(format!("Nothing in the Dockerfile is called {name}, so the build context of this name is not used."));
    }
    let names: Vec<_> = tags.iter().map(|planned| planned.tag.as_str()).collect();
    log.line(&format!(
        "destination: {}, tags: {}",
        config.destination,
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    ));
    let dockerfile = definition.parsed.clone();
    let ready = Ready {
        claim: claim::claim(config, &checkout, &definition.dockerfile, contexts.parameters(&places)),
        places,
        unseen,
        siblings: bases::repositories(&config.build, dockerfile.as_ref()),
        checkout,
        dockerfile,
        tags,
        base: OnceCell::new(),
        leaks: OnceCell::new(),
        origin: None,
    };
    Ok(Found { ready, definition, contexts, date })
}

/// What the image is called: its repository without a registry, which a pull request does not know yet; else the source, and
/// the folder in it that is built.
pub(super) fn name(delivery: &Delivery, checkout: &Checkout) -> String {
    let platform = delivery.config.build.platforms.first().filter(|_| delivery.config.untagged);
    of_platform(whole_name(delivery, checkout), platform)
}

/// What the image of one platform is called, where others are delivered by themselves: what is found in it is kept apart from what
/// is found in those.
pub(super) fn of_platform(name: String, platform: Option<&Platform>) -> String {
    platform.map(|platform| format!("{name}/{}", platform.slug())).unwrap_or(name)
}

fn whole_name(delivery: &Delivery, checkout: &Checkout) -> String {
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

pub(super) fn plan_tags(delivery: &Delivery, checkout: &Checkout) -> Result<Vec<PlannedTag>, Error> {
    let config = &delivery.config;
    if config.untagged {
        return Ok(Vec::new());
    }
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

/// What is delivered: the folder, and the commit that it is at.
fn source_line(checkout: &Checkout) -> String {
    let root = text::words(&checkout.root.to_string_lossy());
    let commit = match (&checkout.source.commit, checkout.in_git) {
        (Some(commit), true) => format!("commit {commit} of {root}"),
        (Some(commit), false) => format!("{root}, which is in no git repository; the run is of commit {commit}"),
        (None, true) => format!("{root}, which has no commit yet"),
        (None, false) => format!("{root}, which is in no git repository"),
    };
    let inner: Vec<_> = checkout.inner.iter().map(|top| text::words(&top.to_string_lossy())).collect();
    match inner.len() {
        0 => format!("source: {commit}"),
        1 => format!(
            "source: {commit}; {} is a repository inside of it, and its commit is not the one that is delivered",
            inner[0]
        ),
        _ => format!(
            "source: {commit}; {} are repositories inside of it, and their commits are not the one that is delivered",
            text::list(&inner)
        ),
    }
}

/// Holds what is published to the commit that the run is of, whatever the environment, and a blocking one to what can be
/// judged there: a commit, with its history.
async fn identify(delivery: &Delivery, checkout: &Checkout) -> Result<(), Error> {
    let Delivery { config, launcher, event, .. } = delivery;
    if delivery.is_held_back_by(Tool::GITLEAKS) {
        checkout.is_of_a_commit(&config.context)?;
    }
    if config.publish == Publish::Yes {
        checkout.is_of_the_run(launcher, event.as_ref()).await?;
    }
    if config.secrets_history != SecretsHistory::None {
        checkout.has_all_objects(launcher).await?;
    }
    Ok(())
}

fn warn(delivery: &Delivery, checkout: &Checkout, compared: &Comparison) {
    let Comparison { changed, unknown, failed } = compared;
    if changed.count > 0 {
        delivery.recorder.warn(format!(
            "The build context has changes that are in no commit ({}): the tags name the commit, the image may have the changes. \
             Commit them, or leave them out by `.dockerignore`.",
            named(changed)
        ));
    }
    if unknown.count > 0 {
        delivery.recorder.warn(format!(
            "{} of the build context passed through a filter that `.gitattributes` names ({}). gp-deliver runs no filter, so it \
             is not known whether they are as in the commit.",
            text::count(unknown.count, "file"),
            named(unknown)
        ));
    }
    match failed {
        // Where there is no commit, nothing claims to be of one.
        None | Some(Failed::NoCommit) => {}
        Some(Failed::Words(words)) => delivery.recorder.warn(format!(
            "It is not known whether the build context is as in the commit, so the image is marked as one with changes: {}.",
            text::words(words)
        )),
    }
    if checkout.is_sparse() {
        delivery.recorder.warn(
            "The checkout is sparse: files of the commit that `sparse-checkout` leaves out are not in the build context, and are \
             scanned for secrets in the history alone.",
        );
    }
    if !checkout.in_git && !checkout.strays.is_empty() {
        let strays: Vec<_> = checkout.strays.iter().map(|folder| text::words(&folder.to_string_lossy())).collect();
        delivery.recorder.warn(format!(
            "{} has a .git that leads to no repository: the commit is not known, and no history is scanned for secrets.",
            text::list(&strays)
        ));
    }
    if checkout.shallow {
        delivery.recorder.warn(
            "The clone is shallow: commits that it leaves out are not scanned for secrets. Check out with `fetch-depth: 0` to scan all.",
        );
    }
}

/// Some paths: `a, b and 3 more`.
fn named(paths: &Paths) -> String {
    let first = paths.first.iter().map(|path| text::words(&path.to_string_lossy()).to_string());
    let more = paths.count.saturating_sub(paths.first.len());
    text::list(&first.chain((more > 0).then(|| format!("{more} more"))).collect::<Vec<_>>())
}
