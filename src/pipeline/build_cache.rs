//! Which build cache a build shares with other machines, whether it takes steps from it, and whether it leaves some.
//!
//! A cache says which content a step comes to, and is believed: it is as good as the least of those who may write it. Three
//! rules follow.
//!
//! - A builder keeps what it was given, for others too, so that none is given anything but one that is **this job's alone**
//!   (or one that everybody shares, by choice).
//! - Only **what is published** leaves something: by then it has passed the gates of its environment. A run that publishes
//!   nothing, a pull request above all, leaves nothing that anybody reads.
//! - What **may be published by a blocking environment** takes from a repository or a folder of that environment's own alone.
//!   GitHub's cache is written by each job of a branch, whatever it may do, and read by all of those that come after it. So is
//!   what a runner saves of a folder and restores: of a folder, such an environment takes what gp-deliver has written there
//!   itself (`buildkit::cache_folder`), and nothing that was brought.
//! - What **is signed at an environment that only advises** may be taken by one that blocks. A verdict says who may have
//!   written what was read, and of what such an environment or others may have written nothing is taken there
//!   (`pipeline::proof`); so that `auto` reads no cache for what is signed, and who asks for it by name has it.

use std::collections::BTreeMap;

use super::claim::dockerfile_name;
use super::preflight::{Ready, Workshop};
use super::{Delivery, builder_state};
use crate::buildkit::builder::Builder;
use crate::buildkit::cache::{Backend, Place, RemoteCache, Repositories, Scope};
use crate::buildkit::cache_folder::{CacheFolder, Folders, OPENING, Surroundings, Use};
use crate::buildkit::namespace::BuilderCache;
use crate::buildkit::progress::{CacheRead, GivenUp, StepSeen};
use crate::cache_writers::CacheWriters;
use crate::config::{Cache, Publish, RequestedDestination};
use crate::github::{ActionsCache, Event};
use crate::oci::Platform;
use crate::publish::Destination;
use crate::record::{BuildCache, CacheReading, CachedStep};
use crate::source::project_of;
use crate::text;
use crate::user_cache;

/// The cache of a build, and what is to be said of it.
#[derive(Clone)]
pub(super) struct Chosen {
    /// The cache; absent where the build has none.
    pub(super) cache: Option<RemoteCache>,
    /// Who may have written what is read of it.
    pub(super) writers: CacheWriters,
    /// What a reader should know: why there is none, or why it is not read.
    pub(super) notes: Vec<String>,
}

impl Default for Chosen {
    fn default() -> Self {
        Self { cache: None, writers: CacheWriters::Nobody, notes: Vec::new() }
    }
}

impl Chosen {
    /// None, and why.
    fn none(why: String) -> Self {
        Self { notes: vec![why], ..Self::default() }
    }

    /// What is said of a build by several builders.
    pub(super) fn and(self, other: &Self) -> Self {
        let mut notes = self.notes;
        for note in &other.notes {
            if !notes.contains(note) {
                notes.push(note.clone());
            }
        }
        let writers = self.writers.max(other.writers);
        Self { cache: self.cache.or_else(|| other.cache.clone()), writers, notes }
    }
}

/// Chooses the cache of what is built by a builder.
pub(super) async fn choose(delivery: &Delivery, ready: &Ready, workshop: &Workshop, builder: &Builder) -> Chosen {
    // What everybody's steps have left in it is everybody's to say.
    let of_builder = match builder_state::owner(delivery, builder) {
        BuilderCache::Shared => CacheWriters::Others,
        _ => CacheWriters::Nobody,
    };
    let chosen = chosen(delivery, ready, workshop, builder).await;
    Chosen { writers: chosen.writers.max(of_builder), ..chosen }
}

async fn chosen(delivery: &Delivery, ready: &Ready, workshop: &Workshop, builder: &Builder) -> Chosen {
    match place(delivery, workshop, builder).await {
        Ok(Some(place)) => {
            let Rights { reads, writes, note } = rights(delivery, &place);
            if let Err(why) = is_there(delivery, &place).await {
                return Chosen::none(why);
            }
            let writers = if reads { writers(delivery, &place) } else { CacheWriters::Nobody };
            let scope = delivery.config.build.cache.scope.clone().unwrap_or_else(|| scope(delivery, ready, &place));
            let environment = delivery.config.environment.name();
            let cache = RemoteCache { place, environment, scope, reads, writes };
            Chosen { cache: (reads || writes).then_some(cache), writers, notes: note.into_iter().collect() }
        }
        Ok(None) => Chosen::default(),
        Err(why) => Chosen::none(why),
    }
}

/// Where it is; nowhere where none is asked for.
///
/// # Errors
/// One is asked for, and this is why there is none.
async fn place(delivery: &Delivery, workshop: &Workshop, builder: &Builder) -> Result<Option<Place>, String> {
    let settings = &delivery.config.build.cache;
    let Some((backend, asked)) = backend(settings, builder)? else { return Ok(None) };
    if let Some(why) = withheld(delivery, workshop, builder) {
        // Who asks for nothing is told nothing.
        return if asked { Err(why.to_owned()) } else { Ok(None) };
    }
    let environment = delivery.config.environment.name();
    match backend {
        Backend::Local => folder(delivery).await.map(Place::Folder).map(Some),
        Backend::Registry => Ok(settings.repositories.as_ref().and_then(|named| named.of(environment)).map(Place::Registry)),
        Backend::GitHub | Backend::Auto | Backend::Off => {
            let github = |ActionsCache { url, token }| Place::GitHub { url: url.url().to_string(), token };
            Ok(settings.actions.clone().map(github))
        }
    }
}

/// The kind of cache, and whether one is asked for.
///
/// # Errors
/// One is asked for, and this is why there is none.
fn backend(settings: &Cache, builder: &Builder) -> Result<Option<(Backend, bool)>, String> {
    let has_repository = settings.repositories.is_some();
    let has_folder = settings.folders.is_some();
    let asked = has_repository || has_folder;
    Ok(match settings.backend {
        Backend::Registry | Backend::Local => Some((settings.backend, true)),
        Backend::GitHub if settings.actions.is_none() => {
            return Err("there is no cache of GitHub Actions here: the runner names none".to_owned());
        }
        Backend::GitHub if !builder.may_write_caches() => return Err(cannot(builder.description())),
        Backend::GitHub => Some((Backend::GitHub, true)),
        Backend::Auto if settings.actions.is_some() && builder.may_write_caches() => Some((Backend::GitHub, asked)),
        Backend::Auto if has_repository => Some((Backend::Registry, true)),
        Backend::Auto if has_folder => Some((Backend::Local, true)),
        Backend::Off | Backend::Auto => None,
    })
}

/// Why a builder is told of no cache; nothing where it may be.
fn withheld(delivery: &Delivery, workshop: &Workshop, builder: &Builder) -> Option<&'static str> {
    if !matches!(builder_state::owner(delivery, builder), BuilderCache::Own | BuilderCache::Shared) {
        return Some(
            "the builder is not known to be this job's alone, and would keep what the cache gives it for the builds of others; \
             set `builder-cache: own` where it ends with the job",
        );
    }
    if builder_state::foreign_reader(delivery, &workshop.definition.dockerfile).is_some() {
        return Some("the Dockerfile's reader is not Docker's own, and would be told of the cache and of its token");
    }
    if delivery.config.publish != Publish::Yes && may_publish(delivery) {
        return Some("the job could publish what this run leaves in its builder, and this run publishes nothing");
    }
    None
}

/// The folder of this machine, which is made where something goes there.
///
/// # Errors
/// It can't be used.
async fn folder(delivery: &Delivery) -> Result<CacheFolder, String> {
    let config = &delivery.config;
    let environment = config.environment.name();
    let own = || user_cache::folder().map(|cache| cache.join("build-cache").join(environment));
    let path = config.build.cache.folders.as_ref().map(|folders| folders.of(environment)).or_else(own);
    let path = path.ok_or("this user has no folder for caches, and `cache-folder` names none")?;
    let purpose = if config.publish == Publish::Yes { Use::Write } else { Use::Read };
    let workspace = delivery.event.as_ref().and_then(|event| event.workspace.as_deref());
    let image = match &config.destination {
        RequestedDestination::Named(Destination::Layout(path)) => Some(path.clone()),
        RequestedDestination::Named(_) | RequestedDestination::Ecr(_) => None,
    };
    let outputs = [config.report_dir.clone()].into_iter().chain(image).collect();
    let around = Surroundings { project: project_of(&config.context, workspace), outputs };
    let opening = tokio::task::spawn_blocking(move || CacheFolder::open(&path, &around, purpose));
    let opened = match tokio::time::timeout(OPENING, opening).await {
        Ok(opened) => opened.unwrap_or_else(|error| Err(error.to_string())),
        Err(_) => Err(format!("its disk has not answered for {}", text::span(OPENING))),
    };
    opened.map_err(|why| format!("the cache's folder is not used: {}", text::words(&why)))
}

/// Whether a cache is at work, as far as that has to be known before a builder is told of it.
///
/// # Errors
/// It is not, and this is why.
async fn is_there(delivery: &Delivery, place: &Place) -> Result<(), String> {
    match (place, &delivery.config.build.cache.actions) {
        (Place::GitHub { .. }, Some(actions)) => {
            actions.look().await.map_err(|why| format!("the cache of GitHub Actions is not used: {why}"))
        }
        _ => Ok(()),
    }
}

/// What a build may do with a cache.
struct Rights {
    reads: bool,
    writes: bool,
    /// What is to be said of that.
    note: Option<String>,
}

fn rights(delivery: &Delivery, place: &Place) -> Rights {
    let config = &delivery.config;
    // What is cached for a tag is read by runs of that tag alone.
    let is_tag = delivery.event.as_ref().is_some_and(|event| event.tag().is_some());
    let writes = config.publish == Publish::Yes && !(is_tag && matches!(place, Place::GitHub { .. }));
    let is_others = writers(delivery, place) == CacheWriters::Others;
    let is_unasked = config.signing.is_on() && config.build.cache.backend == Backend::Auto;
    let note = match may_publish(delivery).then_some(config.environment.is_blocking()) {
        Some(true) if is_others => Some(unread(delivery, place)),
        Some(false) if is_unasked => Some(unread_where_signed(place)),
        _ => None,
    };
    Rights { reads: note.is_none(), writes, note }
}

/// Who may have written what is in a cache.
fn writers(delivery: &Delivery, place: &Place) -> CacheWriters {
    let settings = &delivery.config.build.cache;
    let is_own = match place {
        Place::Registry(_) => settings.repositories.as_ref().is_some_and(Repositories::are_apart),
        Place::Folder(folder) => settings.folders.as_ref().is_some_and(Folders::are_apart) && folder.is_own(),
        Place::GitHub { .. } => false,
    };
    if is_own { CacheWriters::Environment } else { CacheWriters::Others }
}

/// Why an environment whose findings block takes nothing from a cache.
fn unread(delivery: &Delivery, place: &Place) -> String {
    let environment = delivery.config.environment.name();
    match place {
        Place::Registry(_) => format!(
            "`cache-repository` is one for all environments, so that {environment} writes to it and takes nothing from it; with {{env}} \
             in its name, {environment} has its own, which only its role should be able to push to"
        ),
        Place::GitHub { .. } => format!(
            "each job of a branch may write to the cache of GitHub Actions, so that {environment} takes nothing from it; a repository \
             of its own (`cache: registry`, and a `cache-repository` with {{env}} in its name) is read"
        ),
        Place::Folder(folder) => unread_folder(folder, delivery.config.build.cache.folders.as_ref(), environment),
    }
}

/// Why a delivery that is signed takes nothing from a cache that nobody has asked for by name.
fn unread_where_signed(place: &Place) -> String {
    let (whose, name) = match place {
        Place::Registry(_) => ("whoever delivers here, from whatever branch, writes to the cache's repository", "registry"),
        Place::GitHub { .. } => ("each job of a branch may write to the cache of GitHub Actions", "gha"),
        Place::Folder(_) => ("whoever delivers here, from whatever branch, writes to the cache's folder", "local"),
    };
    format!(
        "{whose}, and what is signed here may be taken by environments that block: nothing is taken from it. With `cache: {name}` it \
         is, and those environments take no such image"
    )
}

/// The same of a folder.
fn unread_folder(folder: &CacheFolder, folders: Option<&Folders>, environment: &str) -> String {
    if !folders.is_some_and(Folders::are_apart) {
        return format!(
            "no `cache-folder` with {{env}} in it says that {environment} has its own, so that {environment} writes to the folder and \
             takes nothing from it; with one, only {environment}'s jobs should be able to write there"
        );
    }
    format!(
        "what is in {} was not written there by gp-deliver, or has been changed since (restored from an archive or a runner's cache, \
         or on a file system without extended attributes), so that {environment} takes nothing from it",
        text::words(&folder.path().display().to_string())
    )
}

/// Whether anything that this job builds may be published.
fn may_publish(delivery: &Delivery) -> bool {
    delivery.event.as_ref().is_none_or(Event::may_publish)
}

/// The scope of builds of the same contexts, Dockerfile and stage of a repository.
fn scope(delivery: &Delivery, ready: &Ready, place: &Place) -> Scope {
    let config = &delivery.config;
    let context = config.real_context();
    let context = context.strip_prefix(&ready.checkout.root).unwrap_or(&context).to_string_lossy();
    let dockerfile = dockerfile_name(&config.build.dockerfile, &ready.checkout.root);
    // A repository of a registry is for one project; a folder of this machine may be for all checkouts on it.
    let checkout = || match place {
        Place::Folder(_) => ready.checkout.root.to_string_lossy().into_owned(),
        Place::Registry(_) | Place::GitHub { .. } => String::new(),
    };
    let repository = builder_state::repository(delivery).unwrap_or_else(checkout);
    let target = config.build.target.as_deref().unwrap_or_default();
    let named = config.build.contexts.iter().map(|named| (named.name.to_string(), named.origin.to_string()));
    let named: Vec<_> = named.collect();
    let named = named.iter().flat_map(|(name, origin)| [name.as_str(), origin]);
    Scope::of(&[&repository, &*context, &dockerfile, target].into_iter().chain(named).collect::<Vec<_>>())
}

/// What is said where a builder can't write to a cache.
pub(super) fn cannot(builder: &str) -> String {
    format!("{builder} can't write to such a cache: that takes a buildkitd, or Docker with the containerd image store")
}

/// What a build has found in its cache, for the record; nothing where none was asked for.
///
/// Of several builders each has its own word on whether it takes from the cache; what one of them does is said of all.
pub(super) fn found(chosen: &Chosen, builds: &BTreeMap<Platform, (Vec<StepSeen>, Vec<CacheRead>)>) -> Option<BuildCache> {
    if chosen.cache.is_none() && chosen.notes.is_empty() {
        return None;
    }
    let mut notes = chosen.notes.clone();
    let mut readings = Vec::new();
    for read in builds.values().flat_map(|(_, read)| read) {
        let error = &read.error;
        readings.push(reading(read));
        let unwritten = if is_silent(read) { "; nothing was written to it either" } else { "" };
        let note = format!("the cache could not be read, and the image was built without: {}{unwritten}", text::words(error));
        if reading(read) == CacheReading::Failed && !notes.contains(&note) {
            notes.push(note);
        }
    }
    let has = |what: CacheReading| readings.contains(&what);
    let read = match &chosen.cache {
        Some(cache) if cache.reads => [CacheReading::Failed, CacheReading::Read].into_iter().find(|what| has(*what)),
        _ => Some(CacheReading::Withheld),
    };
    let steps = builds.iter().flat_map(|(platform, (steps, _))| {
        let step =
            |StepSeen { name, cached }: &StepSeen| CachedStep { platform: platform.clone(), name: name.clone(), cached: *cached };
        steps.iter().map(step)
    });
    Some(BuildCache {
        place: chosen.cache.as_ref().map(RemoteCache::name),
        read: read.unwrap_or(CacheReading::Empty),
        writers: chosen.writers,
        steps: steps.collect(),
        written: None,
        notes,
    })
}

/// What it has brought, for the log; nothing where none was to be read.
pub(super) fn line(found: &BuildCache) -> Option<String> {
    let place = found.place.as_ref()?;
    let (there, all) = found.hits();
    match found.read {
        CacheReading::Read => Some(format!("build cache: {there} of {} there, with what {place} has", text::count(all, "step"))),
        CacheReading::Empty => Some(format!("build cache: {place} has nothing of this build yet")),
        CacheReading::Failed => found.notes.last().map(|note| format!("build cache: {note}")),
        CacheReading::Withheld => None,
    }
}

/// Whether a cache does not answer, so that nothing is to be written to it either.
pub(super) fn is_silent(read: &CacheRead) -> bool {
    read.given_up == Some(GivenUp::Silent)
}

/// What a builder's word on a cache means. Where there is none yet, registries say so in these words.
fn reading(read: &CacheRead) -> CacheReading {
    const ABSENT: [&str; 3] = ["not found", "manifest unknown", "name unknown"];
    match read.error.to_lowercase() {
        _ if read.given_up.is_some() => CacheReading::Failed,
        said if said.is_empty() => CacheReading::Read,
        said if ABSENT.iter().any(|words| said.contains(words)) => CacheReading::Empty,
        _ => CacheReading::Failed,
    }
}
