//! The images of several platforms, each delivered without a tag by a job of its own, become one image: an index, signed and
//! tagged.
//!
//! Which images these are is what the other jobs' outputs say, and whoever can write there, or to the repository, can name any.
//! So a digest is no more than where to look: an image is taken by what is signed about it in this very run
//! ([`ProvenPart`]), and all of it is judged once more, by the signed lists of what is in it. The source is checked out here too:
//! what was to be built is read from it and not believed, and it is scanned for secrets as in any delivery.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;

use super::building::annotations;
use super::destination;
use super::earlier_attempt;
use super::preflight::{self, Found, Ready};
use super::promote::{look_at_tags, on};
use super::proven_image::ProvenImage;
use super::proven_part::{Assembler, ProvenPart};
use super::task::Task;
use super::{Begun, Delivery, Ending, Wanted, advisories, keys, promoting, scan_and_publish, secrets, since, to_its_end};
use crate::attestation;
use crate::aws::ecr::Mutability;
use crate::cache_writers::CacheWriters;
use crate::config::Listed;
use crate::error::Error;
use crate::evidence::Unproven;
use crate::oci::Digest;
use crate::oci::image::{index, listed};
use crate::oci::registry::{Client, Manifest};
use crate::publish::{self, Target};
use crate::record::{Reuse, RunResult, StageLog, StageName};
use crate::scan::gitleaks::Leaks;
use crate::text;

/// Delivers the image of these platforms' images.
///
/// # Errors
/// It is not proven of one that it is this run's, or something failed; no tag is set.
pub(crate) async fn assemble(delivery: &Arc<Delivery>, images: &Listed) -> Result<RunResult, Error> {
    to_its_end(delivery, run(delivery, images)).await
}

async fn run(delivery: &Arc<Delivery>, images: &Listed) -> Result<RunResult, Error> {
    let (ready, (target, mutability)) = look(delivery, images).await?;
    let ready = Arc::new(ready);
    let Some(origin) = &ready.origin else { return Err(Error::Cancelled) };
    let moving = look_at_tags(delivery, &ready, origin, &target, &mutability).await?;
    delivery.recorder.write(|record| record.reuse = Some(Reuse::Assembled));
    let begun = Begun {
        secrets: source_scan(delivery, &ready),
        image: promoting::image(delivery, &ready, &origin.client, &origin.image),
        database: advisories::database(delivery),
    };
    let cache_writers = ready.origin.as_ref().map_or(CacheWriters::Others, |origin| origin.cache_writers);
    let wanted = Wanted { tags: &ready.tags, rival: None, origin: attestation::Origin::Proven, cache_writers };
    let earlier = since::look(delivery, &ready, Some(&target), moving);
    scan_and_publish(delivery, &ready, Some(&target), wanted, begun, earlier).await
}

/// Finds the source and the images, before anything of them is fetched.
async fn look(delivery: &Delivery, Listed(images): &Listed) -> Result<(Ready, (Target, Mutability)), Error> {
    delivery
        .stage(StageName::Preflight, async |log| {
            let Found { mut ready, .. } = preflight::find(delivery, &log).await?;
            keys::look(delivery, &log).await?;
            let project = [ready.checkout.root.clone(), delivery.config.context.clone()];
            let (target, mutability) = destination::target(delivery, &project, &log).await?;
            let client =
                target.repository().ok_or_else(|| publish::Error::Broken("a folder has no image to assemble".to_owned()))?;
            let assembler = Assembler::of(delivery, &ready, client).await?;
            let parts = images.iter().map(|(platform, digest)| assembler.prove(platform, *digest));
            // Of several that are refused the first is told, whichever is looked at first.
            let parts = join_all(parts).await.into_iter().collect::<Result<Vec<ProvenPart>, _>>()?;
            let parts = of_the_commit(&assembler, client, &ready, parts, &log).await?;
            for part in &parts {
                let ProvenPart { platform, manifest, signer, at, .. } = part;
                log.line(&format!("{platform} is {}, cleared and signed by {}{}", manifest.digest, text::words(signer), on(*at)));
            }
            let detail = text::list(&parts.iter().map(|part| part.platform.to_string()).collect::<Vec<_>>());
            ready.origin = Some(whole(delivery, &ready, client, parts)?);
            Ok(((ready, (target, mutability)), Ending::Pass(format!("{detail}, each cleared by this run"))))
        })
        .await
}

/// These images; where an earlier attempt of this run has set tags to others of its own, those.
async fn of_the_commit(
    assembler: &Assembler<'_>,
    client: &Client,
    ready: &Ready,
    parts: Vec<ProvenPart>,
    log: &StageLog,
) -> Result<Vec<ProvenPart>, Error> {
    let platforms: Vec<_> = parts.iter().map(|part| &part.platform).collect();
    let digests = |parts: &[ProvenPart]| parts.iter().map(|part| part.manifest.digest).collect::<Vec<_>>();
    match earlier_attempt::parts(assembler, client, &ready.tags, &platforms).await? {
        Some((tag, earlier)) if digests(&earlier) != digests(&parts) => {
            log.line(&format!("{tag} names other images, which an earlier attempt of this run has built and cleared; they stay"));
            Ok(earlier)
        }
        _ => Ok(parts),
    }
}

/// The image that they are together. One alone is that already.
fn whole(delivery: &Delivery, ready: &Ready, client: &Client, parts: Vec<ProvenPart>) -> Result<ProvenImage, Error> {
    let annotations = annotations(delivery, &ready.claim);
    let image = match &*parts {
        [one] => one.manifest.clone(),
        several => {
            let manifests = several.iter().map(|part| listed(part.manifest.descriptor.clone(), &part.platform, &annotations));
            let manifests = manifests.collect::<Result<_, _>>().map_err(publish::Error::from)?;
            let (bytes, descriptor) = index(manifests, &annotations).map_err(publish::Error::from)?;
            Manifest { descriptor, digest: Digest::of(&bytes), bytes: Bytes::from(bytes) }
        }
    };
    let sboms = parts.iter().map(|part| (part.manifest.digest, part.sbom.clone())).collect();
    let provenances = parts.iter().map(|part| part.provenance.clone()).collect();
    let cache_writers = parts.iter().map(|part| part.verdict.cache_writers).max().unwrap_or(CacheWriters::Others);
    // Whose source has the most leaks speaks for all.
    let worst = parts.into_iter().max_by_key(|part| part.leaks);
    let ProvenPart { verdict, commit, signer, at, .. } =
        worst.ok_or_else(|| publish::Error::Broken("there is no image to assemble".to_owned()))?;
    let (client, statements) = (client.clone(), Vec::new());
    Ok(ProvenImage {
        client,
        image,
        verdict,
        cache_writers,
        commit,
        signer,
        at,
        statements,
        sboms: Some(sboms),
        parts: provenances,
    })
}

/// Looks for secrets in the source: no fewer than the images' deliveries have found, who saw what their builders were sent.
fn source_scan(delivery: &Arc<Delivery>, ready: &Arc<Ready>) -> Task<Leaks> {
    let (owned, ready) = (Arc::clone(delivery), Arc::clone(ready));
    Task::begin(delivery, &[StageName::Secrets], async move {
        let leaks = secrets::leaks(&owned, &ready).await?;
        let Some(origin) = &ready.origin else { return Err(Error::Cancelled) };
        let (image, found) = (origin.image.digest, leaks.findings.len());
        match origin.verdict.leaks_in_source() {
            Some(before) if before <= found => Ok(leaks),
            before => Err(Unproven::FewerLeaks { image, leaks: before.unwrap_or_default(), found }.into()),
        }
    })
}
