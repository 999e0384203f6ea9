//! What changed since the image of before: a help to whoever reads the report, and never a gate.
//!
//! The image of before is the one that a moving tag of the environment names; where it has none, the one of the last commit before
//! this one that was delivered there. Its layers are by its own manifest, which is what the tag names, and nothing of them is
//! fetched. Its packages, its findings and what it was built from are taken from what this workflow itself has signed about it:
//! whoever may push could put any list beside an image, and a list that nobody knows says nothing here.
//!
//! It is looked up beside the other work, and compared once the tags are set. What fails is a note.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use oci_spec::image::ImageManifest;

use super::preflight::Ready;
use super::signing::{self, Token};
use super::task::Task;
use super::vulnerabilities::Vulnerabilities;
use super::{Delivery, amazon, keys, reuse};
use crate::attestation::{self, Predicate, PredicateType};
use crate::aws;
use crate::changes::{self, Advisory, Changes, Contents, Layer, Since};
use crate::config::{Publish, RequestedDestination, Signing};
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::evidence::{self, Accepted, Evidence, SignedStatement};
use crate::finding::Vulnerability;
use crate::github::Event;
use crate::github::event::is_commit;
use crate::github::oidc;
use crate::oci::image::described;
use crate::oci::reference::Repository;
use crate::oci::registry::{self, Client, Manifest, Selector, Store};
use crate::oci::{Digest, Image, Platform, Tag, bounds};
use crate::plan;
use crate::process;
use crate::publish::{Destination, ExistingTag, Target};
use crate::record::Source;
use crate::scanner::Tool;
use crate::sigstore::Verifier;

/// How long all of it may be looked up. It runs beside a build and its scans, which take longer.
const DEADLINE: Duration = Duration::from_mins(1);
/// How long a delivery that is over waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many commits back an image is looked for.
const COMMITS: usize = 10;
/// How many of them at once.
const PARALLEL: usize = 5;
/// How many platforms are looked at.
const PLATFORMS: usize = 8;
/// The most that is read of an SBOM, in bytes.
const MAX_SBOM: u64 = 128 << 20;
/// What is said where nobody is known there.
const ECR_IS_NOT_ASKED: &str = "Amazon ECR is not asked, for the run has no identity at AWS";
/// The statements that it goes by.
const WANTED: [PredicateType; 4] =
    [PredicateType::Provenance, PredicateType::Spdx, PredicateType::CycloneDx, PredicateType::Vulnerabilities];

/// The image of before, as far as it is known.
#[derive(Default)]
pub(super) struct Earlier {
    image: Option<changes::Earlier>,
    platforms: Vec<OfPlatform>,
    sources: Option<Sources>,
    unknown: Vec<String>,
}

type Sources = BTreeMap<String, Option<String>>;

/// The image of before for one platform.
struct OfPlatform {
    platform: Platform,
    layers: Vec<Layer>,
    packages: Option<Contents>,
    found: Option<Vec<Advisory>>,
}

/// An image of before, and where it is.
struct Named {
    client: Client,
    tag: Tag,
    manifest: Manifest,
}

/// Where the image of this delivery goes.
enum Place {
    Registry(Client),
    Folder,
    /// It is not published.
    Nowhere,
}

/// Whose word counts, and how it is checked.
struct Voice {
    verifier: Verifier,
    accepted: Accepted,
}

/// Begins to look up the image of before; `moving` is what the moving tags named when the destination was looked at.
pub(super) fn look(
    delivery: &Arc<Delivery>,
    ready: &Arc<Ready>,
    target: Option<&Target>,
    moving: Vec<ExistingTag>,
) -> Task<Earlier> {
    let (owned, ready) = (Arc::clone(delivery), Arc::clone(ready));
    let place = match target.map(Target::repository) {
        Some(Some(client)) => Place::Registry(client.clone()),
        Some(None) => Place::Folder,
        None => Place::Nowhere,
    };
    Task::begin(delivery, &[], async move {
        let found = tokio::time::timeout(DEADLINE, find(&owned, &ready, place, moving)).await;
        Ok(match found {
            Ok(Ok(earlier)) => earlier,
            Ok(Err(error)) => Earlier::not_known(Diagnosis::from(&error).what),
            Err(_) => Earlier::not_known("the registry took more than a minute to answer".to_owned()),
        })
    })
}

/// Takes it into the record, compared with the image of this delivery. `found` is what trivy has found in this one, and what of
/// that was looked up by the SBOM alone, which no earlier report has.
pub(super) async fn tell(
    delivery: &Delivery,
    earlier: Task<Earlier>,
    image: &Image,
    found: Option<(&Vulnerabilities, &[Vulnerability])>,
) {
    let earlier = tokio::time::timeout(PATIENCE, delivery.cancel.run_until_cancelled(earlier.accept())).await;
    let earlier = match earlier {
        Ok(Some(Ok(earlier))) => earlier,
        // The run is over.
        Ok(None | Some(Err(_))) => return,
        Err(_) => Earlier::not_known("it was not there in time".to_owned()),
    };
    if let Some(since) = earlier.compared(delivery, image, found) {
        delivery.recorder.write(|record| record.since = Some(since));
    }
}

async fn find(delivery: &Delivery, ready: &Ready, place: Place, moving: Vec<ExistingTag>) -> Result<Earlier, Error> {
    let client = match place {
        // It has no image of before.
        Place::Folder => return Ok(Earlier::default()),
        Place::Registry(client) => client,
        Place::Nowhere => match read_only(delivery).await? {
            Ok(client) => client,
            Err(Some(why)) => return Ok(Earlier::not_known(why)),
            Err(None) => return Ok(Earlier::default()),
        },
    };
    let Some(named) = named(delivery, ready, client, moving).await? else {
        return Ok(Earlier::default());
    };
    let mut earlier = Earlier::default();
    let voice = match voice(delivery).await {
        Ok(voice) => Some(voice),
        Err(why) => {
            earlier.unknown.push(why);
            None
        }
    };
    earlier.read(&named, voice.as_ref()).await?;
    Ok(earlier)
}

/// The registry, for a run that publishes nothing, or why it is not asked. A change needs nothing of AWS to be judged: so Amazon ECR
/// is asked where the run has an identity there, and what that lacks is a line.
async fn read_only(delivery: &Delivery) -> Result<Result<Client, Option<String>>, Error> {
    let proposes = delivery.event.as_ref().is_some_and(Event::is_proposal);
    if !matches!(delivery.config.publish, Publish::No(_)) || !proposes {
        return Ok(Err(None));
    }
    let repository: Repository = match &delivery.config.destination {
        RequestedDestination::Named(Destination::Registry(repository)) => repository.clone(),
        RequestedDestination::Named(Destination::Layout(_)) => return Ok(Err(None)),
        RequestedDestination::Ecr(ecr) => {
            let not_asked = |why: &str| Ok(Err(Some(format!("{ECR_IS_NOT_ASKED}: {why}"))));
            // Where a stranger may have caused the run, its identity is used for nothing.
            if !delivery.event.as_ref().is_some_and(Event::may_read_as_itself) {
                return not_asked("a run that a stranger may cause uses none");
            }
            return match keys::session(delivery, &ecr.identity).await {
                Ok(session) => amazon::reader(ecr, session).await.map(Ok),
                Err(aws::Error::Token(oidc::Error::NotGranted { .. })) => not_asked("the job has no `id-token: write`"),
                Err(error) => not_asked(&Diagnosis::from(&error).what),
            };
        }
    };
    let credentials = Store::from_env().find(repository.registry()).await.map_err(registry::Error::from)?;
    Ok(Ok(Client::new(repository, credentials)?))
}

/// The image of before: what a moving tag names, the environment's own first; or else the last commit's that has one.
async fn named(delivery: &Delivery, ready: &Ready, client: Client, moving: Vec<ExistingTag>) -> Result<Option<Named>, Error> {
    let mut tags: Vec<_> = ready.tags.iter().filter(|planned| planned.moving).cloned().collect();
    tags.sort_by_key(|planned| !planned.of_environment);
    for planned in tags {
        // What it named when the destination was looked at: by now it may be another delivery's.
        let known = moving.iter().find(|tag| tag.planned.tag == planned.tag);
        let names = match known {
            Some(tag) => tag.names.clone(),
            None => client.find_manifest(&Selector::from(&planned.tag)).await?,
        };
        if let Some(manifest) = names {
            return Ok(Some(Named { client, tag: planned.tag, manifest }));
        }
    }
    let tags = tags_of_before(delivery, ready).await?;
    let looks = stream::iter(tags).map(|tag| {
        let client = &client;
        async move { (client.find_manifest(&Selector::from(&tag)).await, tag) }
    });
    let mut looks = Box::pin(looks.buffered(PARALLEL));
    while let Some((names, tag)) = looks.next().await {
        if let Some(manifest) = names? {
            drop(looks);
            return Ok(Some(Named { client, tag, manifest }));
        }
    }
    Ok(None)
}

/// The fixed tags of the commits before this one, the latest first.
async fn tags_of_before(delivery: &Delivery, ready: &Ready) -> Result<Vec<Tag>, Error> {
    let pushed = delivery.event.as_ref().and_then(|event| event.before.clone());
    let line = ready.checkout.before(&delivery.launcher, COMMITS).await?;
    let mut tags: Vec<Tag> = Vec::new();
    for commit in pushed.into_iter().filter(|id| is_commit(id)).chain(line) {
        let of_before = Source { commit: Some(commit), branch: None, tag: None, dirty: false };
        let Ok(planned) = plan::tags(&delivery.config, &of_before) else { continue };
        let fixed = planned.tags.into_iter().filter(|planned| !planned.moving && !is_ours(ready, &planned.tag));
        // A tag of the environment's says that the image was delivered there.
        let best = fixed.max_by_key(|planned| planned.of_environment).map(|planned| planned.tag);
        tags.extend(best.filter(|tag| !tags.contains(tag)));
    }
    Ok(tags)
}

fn is_ours(ready: &Ready, tag: &Tag) -> bool {
    ready.tags.iter().any(|planned| planned.tag == *tag)
}

/// Whose word counts: this workflow's own, for this repository, or that of whoever may use this environment's key. Or why
/// nobody's does.
async fn voice(delivery: &Delivery) -> Result<Voice, String> {
    let unread = |error: Error| Diagnosis::from(&error).what;
    if let Signing::Key(signing) = &delivery.config.signing {
        let keys = keys::of(delivery, signing).await.map_err(unread)?;
        let verifier = keys.verifier().map_err(Error::from).map_err(unread)?;
        return Ok(Voice { verifier, accepted: keys.own_rule().into() });
    }
    let Some(instance) = &delivery.config.read_by else {
        return Err("nothing is signed here, so nobody's word for the earlier image's packages and findings counts".to_owned());
    };
    let verifier = Verifier::new(instance.root()).map_err(Error::from).map_err(unread)?;
    let no_token = "the job has no token that says which workflow it is of, so nobody's word for the earlier image's packages and \
                    findings counts";
    match signing::token(delivery, signing::AUDIENCE).await {
        Ok(Token { run: Some(run), issuer, .. }) => {
            let base = delivery.event.as_ref().filter(|event| event.is_proposal()).and_then(|event| event.base.as_deref());
            Ok(Voice { verifier, accepted: signing::rule_of_before(&run, &issuer, base).into() })
        }
        _ => Err(no_token.to_owned()),
    }
}

impl Earlier {
    fn not_known(why: String) -> Self {
        Self { unknown: vec![why], ..Self::default() }
    }

    /// Reads what is known of an image, without any of its layers.
    async fn read(&mut self, named: &Named, voice: Option<&Voice>) -> Result<(), Error> {
        let Named { client, tag, manifest } = named;
        let manifests = match evidence::listed_manifests(client, manifest)? {
            None => vec![manifest.clone()],
            Some(listed) => {
                // What a builder adds has no platform.
                let images =
                    listed.iter().filter(|listed| listed.platform().as_ref().is_some_and(|of| of.os().to_string() != "unknown"));
                try_join_all(images.take(PLATFORMS).map(|listed| client.pull_listed(listed))).await?
            }
        };
        let mut by = BTreeSet::new();
        let mut advisories_of: Option<Timestamp> = None;
        let evidence = self.gather(client, manifest, &manifests, voice).await?;
        for manifest in &manifests {
            let (platform, layers) = layers(client, &client.manifest(manifest)?).await?;
            let mut of_platform = OfPlatform { platform, layers, packages: None, found: None };
            let counts = |of| evidence.get(&manifest.digest).and_then(|found| latest(found, voice, of));
            let sbom = counts(PredicateType::Spdx).or_else(|| counts(PredicateType::CycloneDx));
            if let Some(SignedStatement { statement, signer, .. }) = sbom
                && let Predicate::Spdx(list) | Predicate::CycloneDx(list) = &statement.predicate
            {
                of_platform.packages = Contents::of_sbom(list.bytes()).ok();
                by.insert(signer.name());
            }
            if let Some(SignedStatement { statement, signer, .. }) = counts(PredicateType::Vulnerabilities)
                && let Predicate::Vulnerabilities(found) = &statement.predicate
            {
                of_platform.found = found.found().ok();
                by.insert(signer.name());
                advisories_of = advisories_of.into_iter().chain(found.scan.database_updated_at()).min();
            }
            self.platforms.push(of_platform);
        }
        let provenance = evidence.get(&manifest.digest).and_then(|found| latest(found, voice, PredicateType::Provenance));
        if let Some((Predicate::Provenance(provenance), signer)) = provenance.map(|one| (&one.statement.predicate, &one.signer)) {
            self.sources = Some(provenance.sources());
            by.insert(signer.name());
        }
        self.image = Some(changes::Earlier { tag: tag.clone(), digest: manifest.digest, by, advisories_of });
        Ok(())
    }

    /// What is signed about an image and the images of its platforms.
    async fn gather(
        &self,
        client: &Client,
        manifest: &Manifest,
        manifests: &[Manifest],
        voice: Option<&Voice>,
    ) -> Result<BTreeMap<Digest, Evidence>, Error> {
        let Some(voice) = voice else { return Ok(BTreeMap::new()) };
        let subjects: BTreeSet<_> = manifests.iter().map(|one| one.digest).chain([manifest.digest]).collect();
        let mut found = BTreeMap::new();
        // One after the other: each may take much memory, and nothing waits for it.
        for subject in subjects {
            found.insert(subject, evidence::gather(client, &subject, &voice.verifier, &WANTED).await?);
        }
        Ok(found)
    }

    /// What is different in the image of this delivery; `None` where no image of before is known, or it is the same.
    fn compared(self, delivery: &Delivery, image: &Image, found: Option<(&Vulnerabilities, &[Vulnerability])>) -> Option<Since> {
        let Self { image: earlier, platforms, sources, mut unknown } = self;
        if earlier.as_ref().is_some_and(|earlier| earlier.digest == image.digest) || (earlier.is_none() && unknown.is_empty()) {
            return None;
        }
        let mut told = Vec::new();
        for ours in image.platforms.iter().filter(|_| earlier.is_some()) {
            let Some(theirs) = platforms.iter().find(|theirs| theirs.platform == ours.platform) else {
                unknown.push(format!("the earlier image has none for {}", ours.platform));
                continue;
            };
            let packages =
                theirs.packages.as_ref().zip(packages(delivery, &ours.platform)).map(|(before, now)| now.since(before));
            let findings = theirs.found.as_ref().zip(found).map(|(before, (found, besides))| {
                let now: Vec<_> = of_platform(found, besides, &ours.platform).map(Advisory::from).collect();
                let mut changes = changes::findings(before, &now);
                // What the project lets through is not gone.
                let passed = |id: &str| found.suppressions.iter().any(|passed| passed.tool == Tool::TRIVY && passed.id == id);
                changes.gone.retain(|gone| !passed(&gone.id));
                changes
            });
            for (what, known) in [("packages", packages.is_some()), ("findings", findings.is_some())] {
                if !known && unknown.is_empty() {
                    unknown.push(format!(
                        "of the {what} of {} there is no list of both that this workflow has signed or made",
                        ours.platform
                    ));
                }
            }
            let layers = changes::layers(&theirs.layers, &ours.layers.iter().map(layer).collect::<Vec<_>>());
            told.push(Changes { platform: ours.platform.clone(), packages, findings, layers });
        }
        let sources = sources.zip(ours(delivery)).map(|(before, now)| changes::sources(&before, &now));
        Some(Since { image: earlier, platforms: told, sources, unknown })
    }
}

/// The latest statement of a type by one whose word counts.
fn latest<'a>(evidence: &'a Evidence, voice: Option<&Voice>, of: PredicateType) -> Option<&'a SignedStatement> {
    let voice = voice?;
    evidence.of_type(of).filter(|signed| voice.accepted.check(signed).is_ok()).max_by_key(|signed| signed.at)
}

/// The platform of an image, and its layers, by its configuration.
async fn layers(client: &Client, manifest: &ImageManifest) -> Result<(Platform, Vec<Layer>), Error> {
    let malformed = |reason: String| registry::Error::Malformed {
        host: client.repository().registry().to_owned(),
        subject: registry::Subject::Manifest("of the earlier image".to_owned()),
        reason,
    };
    bounds::manifest(manifest).map_err(|error| malformed(error.to_string()))?;
    if manifest.config().size() > reuse::MAX_CONFIG {
        return Err(malformed("a configuration that is too large".to_owned()).into());
    }
    let config = client.pull_config(manifest.config()).await?;
    let (platform, diff_ids) = described(&config).map_err(malformed)?;
    let layers = diff_ids.into_iter().zip(manifest.layers()).map(|(diff_id, layer)| Layer { diff_id, size: layer.size() });
    Ok((platform, layers.collect()))
}

fn layer(layer: &crate::oci::image::Layer) -> Layer {
    Layer { diff_id: layer.diff_id, size: layer.descriptor.size() }
}

/// What trivy has found in the image of a platform, as its report has it.
fn of_platform<'a>(
    found: &'a Vulnerabilities,
    besides: &'a [Vulnerability],
    platform: &'a Platform,
) -> impl Iterator<Item = &'a Vulnerability> {
    found.findings.iter().filter(move |one| one.platform == *platform && !besides.contains(one))
}

/// What this delivery lists for a platform.
fn packages(delivery: &Delivery, platform: &Platform) -> Option<Contents> {
    let record = delivery.recorder.write(|record| record.image.clone())?;
    let recorded = record.platforms.into_iter().find(|recorded| recorded.platform == *platform)?;
    let file = recorded.sboms.iter().find(|file| file.ends_with(".spdx.json")).or(recorded.sboms.first())?;
    read(&delivery.config.report_dir.join(file))
}

fn read(path: &Path) -> Option<Contents> {
    let mut bytes = Vec::new();
    process::open_report(path, MAX_SBOM).and_then(|mut file| file.read_to_end(&mut bytes)).ok()?;
    Contents::of_sbom(&bytes).ok()
}

/// What this delivery has built from; `None` where it has not built.
fn ours(delivery: &Delivery) -> Option<Sources> {
    let record = delivery.recorder.write(|record| record.image.clone())?;
    let materials: Option<Vec<_>> = record.platforms.into_iter().map(|platform| platform.materials).collect();
    materials.map(|materials| attestation::sources(&materials))
}
