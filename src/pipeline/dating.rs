//! What an image is dated by.
//!
//! Its configuration is dated by the build's own argument, else by the commit. Each of its own layers is dated by the last commit
//! that changed what it is made from, so that another commit leaves the layers as they are that it does not touch, and a builder
//! that has had a layer for longer comes to the one that is built now. Where it can't be told what a layer is made from, or when
//! that was changed, it is dated as the configuration is, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use jiff::Timestamp;
use oci_spec::image::ImageConfiguration;

use super::builder_state::foreign_reader;
use super::claim::dockerfile_name;
use super::preflight::Ready;
use super::{Delivery, context};
use crate::beneath::Root;
use crate::buildkit::builder::Builder;
use crate::buildkit::date::{self, Dating, SourceDate};
use crate::config::Build;
use crate::dockerfile::{Dockerfile, Inputs, Made};
use crate::error::Error;
use crate::oci::dated::Dates;
use crate::ownership::link_on_the_way;
use crate::process::Launcher;
use crate::source::{Checkout, Definition};

/// How many entries of a folder are looked at for links.
const LOOKED_AT: usize = 1000;

/// How often git is asked, since it may have to go through all of the history each time; and how often at once.
const MOST_ASKED: usize = 32;
const AT_ONCE: usize = 2;

/// What an image is dated by: the build's own argument, else the commit.
pub(super) async fn date(delivery: &Delivery, checkout: &Checkout) -> Result<Option<SourceDate>, Error> {
    let build = &delivery.config.build;
    // One that is no number is for the frontend to read.
    if let Some(given) = given(build) {
        return Ok(given.parse().ok().and_then(SourceDate::of));
    }
    if !build.reproducible {
        return Ok(None);
    }
    Ok(checkout.date(&delivery.launcher).await?.and_then(SourceDate::of))
}

/// The argument that a frontend gets besides those of the build: a Dockerfile that declares it asks for it.
pub(super) fn argument(build: &Build, definition: &Definition, date: Option<SourceDate>) -> Option<(String, String)> {
    let date = date.filter(|_| given(build).is_none() && date::is_asked_for(&definition.dockerfile))?;
    Some((date::ARGUMENT.to_owned(), date.seconds()))
}

/// What the build says itself.
fn given(build: &Build) -> Option<&str> {
    build.arguments.iter().rev().find(|(name, _)| name == date::ARGUMENT).map(|(_, value)| value.trim())
}

/// What the image's own layers are dated by, where the image is dated by `date`.
pub(super) fn of_layers(
    delivery: &Delivery,
    ready: &Ready,
    definition: &Definition,
    builder: &Builder,
    date: SourceDate,
) -> Arc<dyn Dating> {
    let dates_all = builder.dates_all_layers() || given(&delivery.config.build).is_some();
    Arc::new(LayerDates { date, dates_all, history: History::of(delivery, ready, definition) })
}

/// The dates of layers.
#[derive(Debug)]
struct LayerDates {
    /// What the image is dated by. No layer has a later date.
    date: SourceDate,
    /// Whether it is the date of what can't be dated otherwise, too. Where a builder leaves that undated, another commit leaves the
    /// layer as it is.
    dates_all: bool,
    /// Absent where it does not say what a layer is made from.
    history: Option<History>,
}

/// What can be asked of when something in the source was changed.
#[derive(Debug)]
struct History {
    launcher: Launcher,
    checkout: Checkout,
    dockerfile: Dockerfile,
    target: Option<String>,
    arguments: BTreeMap<String, String>,
    /// Where the build context is, from the topmost folder.
    context: PathBuf,
    /// What each layer is made from, whatever its instruction reads, from the topmost folder.
    always: BTreeSet<String>,
}

impl Dating for LayerDates {
    fn of_layers<'a>(&'a self, config: &'a ImageConfiguration, own: &'a [bool]) -> BoxFuture<'a, Vec<Option<Dates>>> {
        async move {
            let known = match &self.history {
                Some(history) => history.dates(config, own, self.date).await,
                None => None,
            };
            let known = known.unwrap_or_else(|| vec![None; own.len()]);
            // What is not known is dated as BuildKit's exporter does it: what is younger.
            let otherwise = self.date.since_1970().filter(|_| self.dates_all).map(|date| Dates { date, kept: date });
            own.iter().zip(known).map(|(is_own, dates)| dates.or(otherwise).filter(|_| *is_own)).collect()
        }
        .boxed()
    }

    fn is_idle(&self) -> bool {
        self.history.is_none() && !self.dates_all
    }
}

impl History {
    /// Nothing where what is built is not what the commit says, or what reads it may read it otherwise.
    fn of(delivery: &Delivery, ready: &Ready, definition: &Definition) -> Option<Self> {
        let (config, checkout) = (&delivery.config, &ready.checkout);
        let build = &config.build;
        let is_the_commits = checkout.in_git && !checkout.shallow && !checkout.source.dirty && checkout.inner.is_empty();
        // What is below a submodule is no path of a commit.
        let is_one = !checkout.root.join(".gitmodules").exists();
        let is_plain = given(build).is_none() && build.contexts.is_empty();
        // Steps know these without declaring them.
        let has_proxy = build.arguments.iter().any(|(name, _)| name.to_ascii_lowercase().ends_with("_proxy"));
        let is_read_as_here = foreign_reader(delivery, &definition.dockerfile).is_none();
        if !(is_the_commits && is_one && is_plain && is_read_as_here) || has_proxy {
            return None;
        }
        let root = checkout.root.canonicalize().ok()?;
        let context = config.real_context().strip_prefix(&root).ok()?.to_owned();
        let dockerfile = dockerfile_name(&build.dockerfile, &root);
        let ignores = [format!("{dockerfile}.dockerignore"), text_of(&context.join(".dockerignore"))?];
        // Where a link leads is another commit's to change.
        let absolute = |path: &Path| std::path::absolute(path).ok();
        let named = [absolute(&config.context)?, absolute(&build.dockerfile)?];
        let read = ignores.iter().map(|path| root.join(path)).chain(named);
        let leads_elsewhere = read.into_iter().any(|path| link_on_the_way(&path, std::slice::from_ref(&root)).is_some());
        // One that is in no commit has no date.
        let is_inside = Path::new(&dockerfile).is_relative() && root.join(&dockerfile).is_file();
        if leads_elsewhere || !is_inside {
            return None;
        }
        let always = [dockerfile].into_iter().chain(ignores).collect();
        let mut arguments: BTreeMap<_, _> = build.arguments.iter().cloned().collect();
        // A step that asks for the commit's date is given another one by each commit.
        arguments.insert(date::ARGUMENT.to_owned(), String::new());
        let (launcher, checkout, target) = (delivery.launcher.clone(), checkout.clone(), build.target.clone());
        Some(Self { launcher, checkout, dockerfile: ready.dockerfile.clone()?, target, arguments, context, always })
    }

    /// The dates of each layer, where it can be told for all that are the image's own what they are made from.
    async fn dates(&self, config: &ImageConfiguration, own: &[bool], latest: SourceDate) -> Option<Vec<Option<Dates>>> {
        let made = self.dockerfile.inputs(self.target.as_deref(), &self.arguments, config).ok()?;
        let base = base_date(config, own)?;
        if made.len() != own.len() || made.iter().zip(own).any(|(made, own)| made.is_some() != *own) {
            // A base may have left steps that read the context (`ONBUILD`).
            return None;
        }
        let mut asked = BTreeMap::new();
        for inputs in made.iter().flatten().map(|made| &made.inputs) {
            if let (false, Some(paths), true) = (asked.contains_key(inputs), self.paths(inputs), asked.len() < MOST_ASKED) {
                asked.insert(inputs.clone(), paths);
            }
        }
        let asked: Vec<_> = asked.into_iter().map(|(inputs, paths)| self.changed(inputs, paths)).collect();
        let changed: BTreeMap<Inputs, Option<SourceDate>> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
        let dates = |made: &Made| {
            let date = changed.get(&made.inputs).copied().flatten()?.max(base).min(latest);
            // What a step has unpacked may have times of its own, which are no later than what it is made on. The times of a
            // checkout say nothing.
            let kept = if made.is_copied { 0 } else { base.min(date).since_1970().unwrap_or(0) };
            Some(Dates { date: date.since_1970()?, kept })
        };
        Some(made.iter().map(|made| made.as_ref().and_then(dates)).collect())
    }

    /// When one of these paths was changed last; nothing where no commit did, or git can't tell.
    async fn changed(&self, inputs: Inputs, paths: BTreeSet<String>) -> (Inputs, Option<SourceDate>) {
        let date = self.checkout.date_of(&self.launcher, &paths).await;
        let date = date.inspect_err(|error| tracing::warn!(%error, "it is not known when a layer was changed"));
        (inputs, date.ok().flatten().and_then(SourceDate::of))
    }

    /// The paths from the topmost folder of what a layer is made from; `None` where it is made from more.
    fn paths(&self, inputs: &Inputs) -> Option<BTreeSet<String>> {
        let Inputs::Paths(paths) = inputs else { return None };
        let (mut all, context) = (self.always.clone(), Root::open(self.checkout.root.join(&self.context)).ok()?);
        for path in paths {
            let is_plain = path.is_empty() || context::has_no_link(&context, Path::new(path), LOOKED_AT);
            let path = self.context.join(if is_plain { path } else { "" });
            // They say how a file is checked out.
            all.extend(path.ancestors().skip(1).filter_map(|folder| text_of(&folder.join(".gitattributes"))));
            all.insert(text_of(&path)?);
        }
        Some(all)
    }
}

/// The time of the youngest layer of the base image: what is made on another base is another thing. The earliest time where there is
/// no base, and nothing where it does not say.
fn base_date(config: &ImageConfiguration, own: &[bool]) -> Option<SourceDate> {
    let history = config.history().as_deref().unwrap_or_default();
    let made = history.iter().filter(|entry| entry.empty_layer() != Some(true)).zip(own);
    let of_base = made.filter(|(_, own)| !**own).map(|(entry, _)| entry.created().as_deref()?.parse::<Timestamp>().ok());
    let times = of_base.map(|time| time.and_then(|time| SourceDate::of(time.as_second()))).collect::<Option<Vec<_>>>()?;
    times.into_iter().max().or_else(|| SourceDate::of(0))
}

/// A path as git is told of it; `None` where it is no text.
fn text_of(path: &Path) -> Option<String> {
    path.to_str().map(|path| path.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn base_date_of(history: &serde_json::Value, own: &[bool]) -> Option<String> {
        let config = json!({
            "architecture": "amd64", "os": "linux", "history": history,
            "rootfs": { "type": "layers", "diff_ids": vec!["sha256:0"; own.len()] },
        });
        base_date(&serde_json::from_value(config).unwrap(), own).map(SourceDate::seconds)
    }

    #[test]
    fn a_base_is_as_old_as_its_youngest_layer_and_of_no_known_age_where_one_does_not_say() {
        let made = |second: u32| json!({ "created": format!("1970-01-01T00:00:{second:02}.5Z") });
        let empty = json!({ "created": "2026-01-01T00:00:00Z", "empty_layer": true });
        let history = json!([made(3), empty, made(7), made(9)]);
        assert_eq!(base_date_of(&history, &[false, false, true]).as_deref(), Some("7"));
        assert_eq!(base_date_of(&history, &[true, true, true]).as_deref(), Some("0"), "there is none");
        for unsaid in [json!({}), json!({ "created": "soon" })] {
            assert_eq!(base_date_of(&json!([made(3), unsaid, made(9)]), &[false, false, true]), None);
        }
    }
}
