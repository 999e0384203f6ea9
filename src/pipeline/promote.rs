//! An image that a delivery has signed is delivered to another environment, without its source and without a builder.
//!
//! A reference says nothing of what it names, and neither does what the image says of itself. What counts is what somebody
//! whose word counts has signed: a verdict, which says of which commit the image is, and a list of what is in it for each
//! platform. What they say of the image's dangers is not believed: it is fetched, and judged here by today's advisories.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use tokio::sync::OnceCell;

use super::destination;
use super::preflight::{self, Ready};
use super::proven_image::ProvenImage;
use super::signing::{self, Token};
use super::task::Task;
use super::{
    Begun, Delivery, Ending, Wanted, advisories, keys, promoting, proof, reuse, scan_and_publish, shutting_in, since, to_its_end,
};
use crate::attestation::{self, Predicate, PredicateType, Verdict};
use crate::aws::ecr::Mutability;
use crate::cache_writers::CacheWriters;
use crate::config::{Publish, Signing};
use crate::coverage::JudgedBy;
use crate::diagnosis::Diagnosis;
use crate::environment::Gate;
use crate::error::Error;
use crate::evidence::{self, Accepted, Evidence, Pattern, ProvenSource, SignedStatement, Unproven};
use crate::inputs::{self, Problem};
use crate::oci::layout::digest_of;
use crate::oci::reference::Repository;
use crate::oci::registry::{self, Client, Manifest, Store};
use crate::oci::{Digest, Image};
use crate::provenance::{Claim, Parameters};
use crate::publish::{self, ExistingTag, TakenTag, Target};
use crate::record::{Reuse, RunResult, Source, StageLog, StageName};
use crate::scan;
use crate::scan::gitleaks::Leaks;
use crate::scan::syft::Attested;
use crate::scanner::Tool;
use crate::sigstore::{SignedBy, Verifier};
use crate::source::Checkout;
use crate::text::{self, Line};
use crate::verify::Question;

/// How many reasons are named of the same kind.
const NAMED: usize = 3;

/// Delivers an image that is there.
///
/// # Errors
/// What is signed about it does not suffice, or something failed; nothing was published.
pub(crate) async fn promote(delivery: &Arc<Delivery>, from: &Question) -> Result<RunResult, Error> {
    to_its_end(delivery, run(delivery, from)).await
}

async fn run(delivery: &Arc<Delivery>, from: &Question) -> Result<RunResult, Error> {
    let (ready, target) = look(delivery, from).await?;
    let ready = Arc::new(ready);
    let Some(origin) = &ready.origin else { return Err(Error::Cancelled) };
    let moving = match &target {
        Some((target, mutability)) => look_at_tags(delivery, &ready, origin, target, mutability).await?,
        None => Vec::new(),
    };
    let reuse = Reuse::Promoted { from: origin.verdict.environment, judged_by: delivery.config.promote_by };
    delivery.recorder.write(|record| record.reuse = Some(reuse));
    let begun = Begun {
        secrets: source_scan(delivery, &ready),
        image: promoting::image(delivery, &ready, &origin.client, &origin.image),
        database: advisories::database(delivery),
    };
    let proven = attestation::Origin::Proven;
    let wanted = Wanted { tags: &ready.tags, rival: None, origin: proven, cache_writers: origin.cache_writers };
    let target = target.as_ref().map(|(target, _)| target);
    let earlier = since::look(delivery, &ready, target, moving);
    scan_and_publish(delivery, &ready, target, wanted, begun, earlier).await
}

/// Finds out what the image is, before anything of it is fetched.
async fn look(delivery: &Delivery, from: &Question) -> Result<(Ready, Option<(Target, Mutability)>), Error> {
    delivery
        .stage(StageName::Preflight, async |log| {
            shutting_in::note(delivery)?;
            scan::find_all(&delivery.launcher).map_err(|error| Error::Scan(error.into()))?;
            keys::look(delivery, &log).await?;
            let target = match delivery.config.publish {
                Publish::Yes => Some(destination::target(delivery, &[], &log).await?),
                Publish::No(_) => None,
            };
            let client = client(&from.image.repository, target.as_ref().and_then(|(target, _)| target.repository())).await?;
            let origin = ProvenImage::find(delivery, from, client).await?;
            log.line(&format!("{} is {}", from.image, origin.image.digest));
            log.line(&format!("its verdict for {} is signed by {}", origin.verdict.environment, text::words(&origin.signer)));
            log.line(&format!("it is of commit {}", text::words(&origin.commit)));
            let folder = delivery.staging.join("source");
            std::fs::create_dir(&folder).map_err(|source| Error::Io { path: folder.clone(), source })?;
            let checkout = Checkout::absent(folder, origin.source());
            let name = preflight::name(delivery, &checkout);
            delivery.recorder.write(|record| (record.source, record.name) = (Some(checkout.source.clone()), Some(name)));
            if let Some(tag) = delivery.event.as_ref().filter(|event| event.sha != origin.commit).and_then(|event| event.tag()) {
                return Err(Unproven::Tag { tag: text::words(tag), commit: text::words(&origin.commit) }.into());
            }
            let detail = format!("{}, signed{}", origin.image.digest.short(), on(origin.at));
            let ready = Ready {
                claim: origin.claim(),
                siblings: vec![origin.client.repository().clone()],
                tags: preflight::plan_tags(delivery, &checkout)?,
                checkout,
                places: BTreeMap::new(),
                unseen: Vec::new(),
                dockerfile: None,
                base: OnceCell::new(),
                leaks: OnceCell::new(),
                origin: Some(origin),
            };
            Ok(((ready, target), Ending::Pass(detail)))
        })
        .await
}

/// A client for where the image is: with the destination's credentials, where that is the same registry.
async fn client(repository: &Repository, destination: Option<&Client>) -> Result<Client, Error> {
    if let Some(client) = destination.filter(|client| client.repository().registry() == repository.registry()) {
        return Ok(client.beside(repository.clone())?);
    }
    let credentials = Store::from_env().find(repository.registry()).await.map_err(registry::Error::from)?;
    Ok(Client::new(repository.clone(), credentials)?)
}

/// Sees to it that each fixed tag names this image or none, and that those which have to move may. What the moving ones name.
pub(super) async fn look_at_tags(
    delivery: &Delivery,
    ready: &Ready,
    origin: &ProvenImage,
    target: &Target,
    mutability: &Mutability,
) -> Result<Vec<ExistingTag>, Error> {
    delivery
        .stage(StageName::Destination, async |log| {
            let (repository, image) = (target.destination().to_string(), origin.image.digest);
            let snapshot = target.snapshot(&ready.tags).await?;
            let named = snapshot.fixed().filter_map(|tag| Some(TakenTag::new(&tag.planned.tag, tag.names.as_ref()?)));
            let taken: Vec<_> = named.filter(|tag| tag.digest != image).collect();
            if !taken.is_empty() {
                let commit = Some(origin.commit.clone());
                return Err(publish::Error::Taken { repository, commit, digest: Some(image), taken }.into());
            }
            reuse::movable(&repository, mutability, Some(image), snapshot.tags.iter())?;
            let there = snapshot.tags.iter().filter(|tag| tag.digest() == Some(image)).count();
            let detail = format!("{repository}: {there} of {} there", text::count(snapshot.tags.len(), "tag"));
            log.line(&detail);
            let moving = snapshot.tags.into_iter().filter(|tag| tag.planned.moving).collect();
            Ok((moving, Ending::Pass(detail)))
        })
        .await
}

/// Takes the word of the image's delivery for the scan of its source, which is not here.
fn source_scan(delivery: &Arc<Delivery>, ready: &Arc<Ready>) -> Task<Leaks> {
    let (owned, ready) = (Arc::clone(delivery), Arc::clone(ready));
    Task::begin(delivery, &[StageName::Secrets], async move {
        let Some(origin) = &ready.origin else { return Err(Error::Cancelled) };
        let Verdict { environment, demands, .. } = origin.verdict;
        owned
            .stage(StageName::Secrets, async |_| {
                let mut leaks = Leaks::default();
                let blocks = owned.is_held_back_by(Tool::GITLEAKS);
                let found = origin.leaks();
                if found != Some(0) {
                    let unproven = Unproven::Source { image: origin.image.digest, environment, leaks: found };
                    if blocks {
                        return Err(unproven.into());
                    }
                    // Nothing was looked at, so that what is signed here counts no leaks either: the word of whoever has looked is
                    // the one that a later promotion goes by.
                    let words = Diagnosis::from(&unproven).what;
                    leaks.warnings.push(format!("{words}."));
                    return Ok((leaks, Ending::Skip(words)));
                }
                if blocks && demands.secrets != Gate::Blocking {
                    leaks.warnings.push(format!(
                        "The source was scanned for secrets by its delivery to {environment}, which may have looked at no more than \
                         the commits of its push. The image's layers are looked through here."
                    ));
                }
                let detail = format!("no leak, by the verdict for {environment}{}", on(origin.at));
                Ok((leaks, Ending::Pass(detail)))
            })
            .await
    })
}

impl ProvenImage {
    /// Looks for what is signed about an image, and finds out what it is.
    async fn find(delivery: &Delivery, from: &Question, client: Client) -> Result<Self, Error> {
        let verifier = verifier(delivery, from).await?;
        let signers = signers(delivery, from).await?;
        let counts = |signed: &SignedStatement| crate::verify::check(&signers, signed).map_err(|why| text::words(&why));
        let image = client.pull_manifest(&from.selector).await?;
        let platforms = platforms(&client, &image)?;
        let manifests: Vec<_> =
            [image.digest].into_iter().chain(platforms.iter().copied()).collect::<BTreeSet<_>>().into_iter().collect();
        let gathered = manifests.iter().map(|digest| evidence::gather(&client, digest, &verifier, &PredicateType::ALL));
        let gathered: Vec<Evidence> = try_join_all(gathered).await?;
        let of = |digest: &Digest| manifests.iter().zip(&gathered).find(|(found, _)| *found == digest).map(|(_, found)| found);
        let Decided { decision, verdict, cache_writers, commit } = decided(delivery, of(&image.digest), image.digest, &counts)?;
        let (signer, at) = (decision.signer.name(), decision.at);
        let lists = |signed: &SignedStatement| {
            counts(signed)?;
            of_the_same(&decision, signed)
        };
        for platform in &platforms {
            let listed = |found: &Evidence| found.of_type(PredicateType::Spdx).any(|signed| lists(signed).is_ok());
            if !of(platform).is_some_and(listed) {
                let reasons = of(platform)
                    .map(|found| reasons(found, NAMED, PredicateType::Spdx, |signed| lists(signed).err()))
                    .unwrap_or_default();
                return Err(Unproven::Sbom { image: *platform, reasons }.into());
            }
        }
        let sboms = match delivery.config.promote_by {
            JudgedBy::Image => None,
            JudgedBy::Sbom if !held_back_leaks(&decision, &verdict) => {
                return Err(Unproven::Leaks { image: image.digest, environment: verdict.environment }.into());
            }
            JudgedBy::Sbom => {
                Some(platforms.iter().map(|platform| attested(of(platform), *platform, &lists)).collect::<Result<_, _>>()?)
            }
        };
        let statements =
            manifests.iter().zip(gathered).flat_map(|(digest, found)| found.statements.into_iter().map(|one| (*digest, one)));
        let statements: Vec<_> = statements.filter(|(_, signed)| counts(signed).is_ok()).collect();
        Ok(Self { client, image, verdict, cache_writers, commit, signer, at, statements, sboms, parts: Vec::new() })
    }

    /// The source, as far as it is proven.
    fn source(&self) -> Source {
        let reference = self.verdict.source.reference.as_deref();
        let under = |prefix: &str| reference.and_then(|reference| reference.strip_prefix(prefix)).map(str::to_owned);
        Source { commit: Some(self.commit.clone()), branch: under("refs/heads/"), tag: under("refs/tags/"), dirty: false }
    }

    /// What the image is, as a delivery of it would say.
    fn claim(&self) -> Claim {
        Claim {
            revision: Some(self.commit.clone()),
            environment: Some(self.verdict.environment),
            parameters: Some(Parameters::from(&self.verdict.build)),
        }
    }

    /// How many leaked secrets the scan of the source found; `None` where there was none.
    fn leaks(&self) -> Option<usize> {
        self.verdict.leaks_in_source()
    }

    /// Puts what is signed about the image beside it where it goes, if that is another repository. What does not hold, and
    /// what strangers say, stays behind; so does what the list said of it, which anyone could write.
    pub(super) async fn hand_on(&self, target: &Target, image: &Image, log: &StageLog) -> Result<(), Error> {
        let Some(there) = target.repository().filter(|there| there.repository() != self.client.repository()) else {
            return Ok(());
        };
        let roots = image.platforms.iter().map(|platform| &platform.manifest).chain([&image.root]);
        let mut handed = BTreeSet::new();
        for beside in roots {
            let subject = digest_of(beside).map_err(registry::Error::from)?;
            let mut artifacts = Vec::new();
            for (_, signed) in self.statements.iter().filter(|(about, _)| *about == subject) {
                // One bundle may be listed many times, in as many wrappings.
                if !handed.insert((subject, signed.bundle.digest().to_string())) {
                    continue;
                }
                let mut bytes = Vec::new();
                self.client.pull_blob(&signed.bundle, &mut bytes, &|_| ()).await?;
                artifacts.push(signing::artifact(&signed.statement, signed.at.unwrap_or_default(), Bytes::from(bytes)));
            }
            there.push_referrers(beside, &artifacts).await?;
        }
        log.line(&format!("{} from {} are beside it", text::count(handed.len(), "statement"), self.client.repository()));
        Ok(())
    }
}

/// Whose word counts: of those who are named, or of the run's own workflow for its own repository.
async fn signers(delivery: &Delivery, from: &Question) -> Result<Vec<Accepted>, Error> {
    if !from.criteria.wanted.signers.is_empty() {
        return from.criteria.wanted.signers.iter().cloned().map(|named| of_a_repository(delivery, named)).collect();
    }
    let nobody = || {
        let expected =
            "whoever may push can sign by a name of their own: outside of a workflow's job, say whose signature counts";
        Error::Inputs(vec![Problem { input: inputs::IDENTITY.name, value: String::new(), expected: expected.to_owned() }])
    };
    if let Signing::Key(signing) = &delivery.config.signing {
        let run = signing::run(delivery).await?;
        let rules = keys::of(delivery, signing).await?.rules(run.map(|run| run.repository()).as_deref());
        return Ok(rules.into_iter().map(Accepted::from).collect());
    }
    if delivery.event.is_none() {
        return Err(nobody());
    }
    let Token { run, issuer, .. } = signing::token(delivery, signing::AUDIENCE).await?;
    run.map(|run| vec![signing::own_rule(&run, &issuer).into()]).ok_or_else(nobody)
}

/// Anyone may call a reusable workflow, in a repository of their own: who is named counts for one repository, the run's own where
/// nothing else is said.
fn of_a_repository(delivery: &Delivery, named: Accepted) -> Result<Accepted, Error> {
    let Accepted::Identity(mut rule) = named else { return Ok(named) };
    if rule.repository.is_none() && rule.repository_id.is_none() {
        let Some(github) = &delivery.config.github else {
            let expected = "anyone may call a reusable workflow: say of which repository its run was, by repository or as OWNER/NAME=IDENTITY";
            return Err(Error::Inputs(vec![Problem {
                input: inputs::IDENTITY.name,
                value: rule.identity.to_string(),
                expected: expected.to_owned(),
            }]));
        };
        rule.repository = Some(Pattern::exactly(format!("{}/{}/{}", signing::server(), github.owner, github.repository)));
    }
    Ok(Accepted::Identity(rule))
}

/// Whoever checks what is signed about the image: by the keys of this delivery, or by what the command line names.
async fn verifier(delivery: &Delivery, from: &Question) -> Result<Verifier, Error> {
    let (root, demands_time) = match &delivery.config.signing {
        Signing::Keyless(instance) => (instance.root(), from.criteria.demands_time),
        Signing::Key(signing) if from.criteria.wanted.signers.is_empty() => {
            return Ok(keys::of(delivery, signing).await?.verifier()?);
        }
        Signing::Key(_) | Signing::No(_) => (&from.criteria.root, from.criteria.demands_time),
    };
    Ok(Verifier::new(root)?.with_keys(from.criteria.keys.clone(), demands_time))
}

/// Whether leaks were held back, by a verdict. What a key's verdict demanded is the word of whoever may use the key, so it has to
/// be the key of an environment that blocks.
fn held_back_leaks(decision: &SignedStatement, verdict: &Verdict) -> bool {
    let by_certificate = decision.signer.identity().is_some();
    verdict.demands.secrets == Gate::Blocking && (by_certificate || verdict.environment.is_blocking())
}

/// Whether a list is by whoever has decided about the image, as far as keys go: each is bound to an environment, and a list says
/// of none.
pub(super) fn of_the_same(decision: &SignedStatement, list: &SignedStatement) -> Result<(), Line> {
    match (&decision.signer, &list.signer) {
        (SignedBy::Identity(_), SignedBy::Identity(_)) => Ok(()),
        (one, other) if one == other => Ok(()),
        (one, _) => Err(text::words(&format!("the verdict that counts is by {}", one.name()))),
    }
}

/// The latest list of what is in the image of a platform that counts.
pub(super) fn attested(
    found: Option<&Evidence>,
    image: Digest,
    counts: &impl Fn(&SignedStatement) -> Result<(), Line>,
) -> Result<(Digest, Attested), Unproven> {
    let listed = found.into_iter().flat_map(|found| found.of_type(PredicateType::Spdx));
    let latest = listed.filter(|signed| counts(signed).is_ok()).max_by_key(|signed| signed.at);
    let unread = |why: String| Unproven::Sbom { image, reasons: vec![text::words(&why)] };
    match latest.map(|signed| &signed.statement.predicate) {
        Some(Predicate::Spdx(sbom)) => Attested::read(sbom.bytes()).map(|sbom| (image, sbom)).map_err(unread),
        _ => Err(Unproven::Sbom { image, reasons: Vec::new() }),
    }
}

/// What counts of what was decided about an image.
struct Decided {
    decision: SignedStatement,
    verdict: Verdict,
    /// Who may have written the build cache of any build that came to it.
    cache_writers: CacheWriters,
    commit: String,
}

/// The latest verdict that counts and says of which commit the image is. If several name several commits, none is believed.
fn decided(
    delivery: &Delivery,
    found: Option<&Evidence>,
    image: Digest,
    counts: &impl Fn(&SignedStatement) -> Result<(), Line>,
) -> Result<Decided, Unproven> {
    let Some(found) = found else { return Err(Unproven::Verdict { image, reasons: Vec::new() }) };
    let verdicts: Vec<_> = found.of_type(PredicateType::Verdict).filter_map(|signed| of_commit(signed, counts).ok()).collect();
    let commits: BTreeSet<_> = verdicts.iter().map(|(_, _, commit)| *commit).collect();
    if commits.len() > 1 {
        let commits = commits.into_iter().map(text::words).take(NAMED).collect();
        return Err(Unproven::Commits { image, commits });
    }
    let said = || verdicts.iter().map(|(_, verdict, _)| *verdict);
    if let Err(why) = proof::by_no_strangers_cache(delivery, said()) {
        return Err(Unproven::Verdict { image, reasons: vec![why.into()] });
    }
    let cache_writers = proof::fewest_writers(said());
    let latest = verdicts.into_iter().max_by_key(|(signed, verdict, _)| {
        // Whoever may speak for an environment that only advises can't take the word of one that blocks away by a later one. Who
        // has scanned the source says more than who has not; a leak that was found later is not undone by what was said before.
        (verdict.environment.is_blocking(), verdict.leaks_in_source().is_some(), signed.at)
    });
    let missing = || Unproven::Verdict {
        image,
        reasons: reasons(found, NAMED, PredicateType::Verdict, |signed| of_commit(signed, counts).err()),
    };
    let (signed, verdict, commit) = latest.ok_or_else(missing)?;
    Ok(Decided { decision: signed.clone(), verdict: verdict.clone(), cache_writers, commit: commit.to_owned() })
}

/// A verdict that says of which commit the image is, and the commit.
fn of_commit<'a>(
    signed: &'a SignedStatement,
    counts: &impl Fn(&SignedStatement) -> Result<(), Line>,
) -> Result<(&'a SignedStatement, &'a Verdict, &'a str), Line> {
    counts(signed)?;
    let ProvenSource { verdict, commit, .. } = ProvenSource::of(signed)?;
    Ok((signed, verdict, commit))
}

/// Why what is there of a type does not count, in at most so many lines; `why` says it of one statement.
pub(super) fn reasons(
    found: &Evidence,
    most: usize,
    of: PredicateType,
    why: impl Fn(&SignedStatement) -> Option<Line>,
) -> Vec<Line> {
    let strangers = found.of_type(of).filter_map(|signed| {
        let why = why(signed)?;
        Some(text::words(&format!("one is signed by {}: {why}", signed.signer.name())))
    });
    let rejected = found
        .rejected
        .iter()
        .map(|rejected| text::words(&format!("{} does not hold: {}", rejected.referrer.short(), rejected.why)));
    let unread =
        (found.unread > 0).then(|| text::words(&format!("{} were not looked at", text::count(found.unread, "statement"))));
    strangers.chain(rejected).take(most).chain(unread).collect()
}

/// The digests of the platforms' images; the image's own where it has one.
fn platforms(client: &Client, image: &Manifest) -> Result<Vec<Digest>, Error> {
    let Some(listed) = evidence::listed_manifests(client, image)? else { return Ok(vec![image.digest]) };
    Ok(listed.iter().map(digest_of).collect::<Result<_, _>>().map_err(registry::Error::from)?)
}

pub(super) fn on(at: Option<Timestamp>) -> String {
    at.map(|at| format!(" on {}", text::time(at))).unwrap_or_default()
}
