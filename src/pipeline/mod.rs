//! A delivery from its inputs to its end: the order of things, and nothing else.

mod advisories;
mod after_tags;
mod amazon;
mod announcing;
mod assemble;
mod at_github;
mod base_images;
mod bases;
mod before_tags;
mod besides;
mod build_cache;
pub(crate) mod build_sessions;
mod builder_state;
pub(crate) mod builders;
mod building;
mod cache_repository;
pub(crate) mod caching;
mod check;
mod claim;
mod cleared_history;
mod code_scanning;
pub(crate) mod context;
mod contribution;
mod coverage;
mod dating;
mod destination;
pub(crate) mod doctor;
mod earlier_attempt;
mod fixed_tags;
pub(crate) mod gitops;
mod ground_rules;
mod judging;
mod keys;
mod known_layers;
mod metrics;
mod mirrors;
mod moving;
mod named_contexts;
mod place;
mod preflight;
mod promote;
mod promoting;
mod proof;
mod proven_image;
mod proven_part;
mod publishing;
mod pull_identity;
mod registry_scan;
mod reuse;
mod sbom;
pub(crate) mod scanning;
mod secrets;
mod set_in;
mod showing;
mod shutting_in;
mod signing;
mod since;
mod storage_record;
mod suppressions;
mod task;
mod vulnerabilities;

pub(crate) use announcing::announce;
pub(crate) use assemble::assemble;
pub(crate) use keys::AtAws;
pub(crate) use metrics::put as put_metrics;
pub(crate) use promote::promote;
pub(crate) use showing::show;
pub(crate) use signing::{own_signer, server};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::advisories::Advisories;
use self::building::Built;
use self::destination::ResolvedDestination;
use self::preflight::Ready;
use self::publishing::Content;
use self::reuse::{Course, Rival};
use self::since::Earlier;
use self::task::Task;
use self::vulnerabilities::Vulnerabilities;
use crate::attestation::Origin;
use crate::cache_writers::CacheWriters;
use crate::config::Config;
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::github::Event;
use crate::oci::Digest;
use crate::process::Launcher;
use crate::publish::{self, Listed, Shown, Signed, Target};
use crate::record::{Recorder, Reuse, RunResult, StageLog, StageName, StageOutcome, StageRecorder};
use crate::scan::gitleaks::Leaks;
use crate::scanner::Tool;
use crate::tags::PlannedTag;

/// What a delivery works with.
pub(crate) struct Delivery {
    /// What to do.
    pub(crate) config: Config,
    /// The event of the workflow run; none outside GitHub Actions.
    pub(crate) event: Option<Event>,
    /// Starts programs.
    pub(crate) launcher: Launcher,
    /// Writes down what happens.
    pub(crate) recorder: Recorder,
    /// Ends everything early.
    pub(crate) cancel: CancellationToken,
    /// What runs beside the rest.
    pub(crate) tasks: TaskTracker,
    /// Cleanup tasks, which may outlive what they clean up.
    pub(crate) cleanups: TaskTracker,
    /// What was found out at AWS.
    pub(crate) at_aws: AtAws,
    /// A folder of our own for the image until it is published; whoever made it removes it.
    pub(crate) staging: PathBuf,
}

/// Delivers.
///
/// # Errors
/// Something failed, and nothing was published.
pub(crate) async fn deliver(delivery: &Arc<Delivery>) -> Result<RunResult, Error> {
    to_its_end(delivery, run(delivery)).await
}

/// Does the work of a delivery, and waits for what was begun beside it.
async fn to_its_end(delivery: &Delivery, work: impl Future<Output = Result<RunResult, Error>>) -> Result<RunResult, Error> {
    let ended = work.await;
    // What was begun and is not needed any more ends before the record does.
    delivery.tasks.close();
    delivery.tasks.wait().await;
    ended
}

/// What runs while the destination is looked at. Nothing of it can be seen outside.
struct Begun {
    secrets: Task<Leaks>,
    image: Task<Built>,
    database: Task<Advisories>,
}

async fn run(delivery: &Arc<Delivery>) -> Result<RunResult, Error> {
    // What would fail after minutes: programs, the source, tags, the builder.
    let (ready, workshop) = preflight::look(delivery).await?;
    let ready = Arc::new(ready);
    // What needs nothing but the source begins at once.
    let begun = Begun {
        secrets: secrets::look(delivery, &ready),
        image: building::image(delivery, &ready, workshop),
        database: advisories::database(delivery),
    };
    // Who we are there, whether it may be written, and what is there of this commit.
    let ResolvedDestination { target, existing, moving } = destination::look(delivery, &ready).await?;
    let (existing, reuse) = match existing.course(judging::judges_what_is_there(delivery)) {
        Course::Take(existing, reuse) => {
            expect(delivery, existing.manifest.digest)?;
            (existing, reuse)
        }
        Course::Build(rival) => {
            let wanted = Wanted::of(&ready, rival.as_ref());
            let earlier = since::look(delivery, &ready, target.as_ref(), moving);
            return scan_and_publish(delivery, &ready, target.as_ref(), wanted, begun, earlier).await;
        }
    };
    delivery.recorder.write(|record| record.reuse = Some(reuse));
    begun.image.call_off("this commit's image is there already").await;
    let cleared = match reuse {
        Reuse::Completed => judging::before(delivery, &existing),
        Reuse::Delivered | Reuse::Promoted { .. } | Reuse::Assembled => None,
    };
    if reuse != Reuse::Delivered && cleared.is_none() {
        let begun = Begun { image: promoting::image(delivery, &ready, &existing.client, &existing.manifest), ..begun };
        // What an image says of itself says nothing of caches.
        let claimed = (Origin::Claimed, CacheWriters::Others);
        let (origin, cache_writers) = existing.proof.as_ref().map_or(claimed, |proof| (Origin::Proven, proof.cache_writers()));
        let wanted = Wanted { tags: &existing.tags, rival: None, origin, cache_writers };
        let earlier = since::look(delivery, &ready, target.as_ref(), moving);
        return scan_and_publish(delivery, &ready, target.as_ref(), wanted, begun, earlier).await;
    }
    let judged_before = "this commit was judged before";
    begun.secrets.call_off(judged_before).await;
    begun.database.call_off(judged_before).await;
    match cleared {
        Some(cleared) => {
            let uploaded = publish::uploaded_before(&cleared, &existing.manifest, &existing.target)?;
            // The delivery that published it has seen to the rest.
            let subjects = registry_scan::Subjects::there(&existing.client, &existing.manifest)?;
            let Some(scanned) = registry_scan::gate(delivery, &ready, &subjects).await? else { return Ok(RunResult::Blocked) };
            let complete = before_tags::complete(uploaded, Listed::Before, Shown::Before, scanned, Signed::Before);
            set_tags(delivery, &ready, complete, &existing.tags, Instant::now(), &subjects).await
        }
        None => {
            let result = publishing::confirm(delivery, &existing);
            after_tags::again(delivery).await;
            Ok(result)
        }
    }
}

/// What an image is to be published as.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    /// The tags.
    tags: &'a [PlannedTag],
    /// The image that some of them name, which it has to be.
    rival: Option<&'a Rival>,
    /// How it is known that it is of the source.
    origin: Origin,
    /// Who may have written the build caches that steps of it were taken from before.
    cache_writers: CacheWriters,
}

impl<'a> Wanted<'a> {
    /// For an image that is built.
    fn of(ready: &'a Ready, rival: Option<&'a Rival>) -> Self {
        Self {
            tags: rival.map_or(&ready.tags, |rival| &rival.image.tags),
            rival,
            origin: Origin::Built,
            cache_writers: CacheWriters::Nobody,
        }
    }
}

/// Scans an image, judges it, and publishes it if it may be.
async fn scan_and_publish(
    delivery: &Delivery,
    ready: &Ready,
    target: Option<&Target>,
    wanted: Wanted<'_>,
    begun: Begun,
    earlier: Task<Earlier>,
) -> Result<RunResult, Error> {
    let Begun { mut secrets, image, database } = begun;
    let by_sbom = ready.origin.as_ref().is_some_and(|origin| origin.sboms.is_some());
    let built = async { tokio::try_join!(image.accept(), database.accept()) };
    let (Built { image, leaks: in_layers, sent, cache_writers, unwritten, .. }, database) =
        secrets.unless_it_fails(built).await?;
    let image = match wanted.rival {
        Some(rival) => reuse::compared(delivery, ready, image, rival)?,
        None => image,
    };
    expect(delivery, image.digest)?;
    // What is in the image: the tags alone wait for it.
    let (lists, listing) = coverage::lists();
    let listed = async {
        if by_sbom {
            // Nobody lists it again, and what trivy did not judge of the list it has said.
            drop(lists);
            delivery.recorder.skip(StageName::Sbom, "the image is judged by the SBOM that is signed");
            return Ok(Listed::Before);
        }
        sbom::list(delivery, ready, &image, lists).await
    };
    let judged = async {
        // What is wrong with it, and with the source.
        let vulnerabilities = vulnerabilities::find(delivery, ready, &image, &database);
        let leaks = async { secrets::sent(delivery, ready, &sent, secrets.accept().await?).await };
        let (mut leaks, mut vulnerabilities) = tokio::try_join!(leaks, vulnerabilities)?;
        leaks.findings.extend(in_layers.findings);
        // What of it was judged. Where that holds nothing back, it is told while the content travels.
        let find = async |found: Option<&Vulnerabilities>| {
            coverage::find(delivery, ready, &image, found.map(|found| (found, &database)), listing).await
        };
        let counts = coverage::counts(delivery);
        let (judged, later) = if counts { (find(vulnerabilities.as_ref()).await?, None) } else { (None, Some(find)) };
        if let (Some(found), Some(judged)) = (&mut vulnerabilities, &judged) {
            found.findings.extend(judged.findings.iter().cloned());
        }
        let coverage = judged.as_ref().map(|judged| &judged.coverage);
        // Whether that lets it pass.
        let cleared = judging::judge(delivery, &image, &leaks, vulnerabilities.as_ref().map(|found| (found, coverage))).await?;
        let decided_at = Timestamp::now();
        // The team is told either way; only what is cleared leaves the machine.
        let is_cleared = cleared.is_some();
        let shown = async {
            if let Some(find) = later {
                find(vulnerabilities.as_ref()).await?;
            }
            code_scanning::upload(delivery, ready, is_cleared).await
        };
        if let Some(rival) = wanted.rival.filter(|rival| is_cleared && rival.image.manifest.digest != image.digest) {
            shown.await?;
            return Err(rival.differs(&ready.claim, image.digest));
        }
        let (shown, content) = tokio::try_join!(shown, publishing::upload(delivery, ready, target, &image, cleared))?;
        Ok((shown, content, vulnerabilities, judged, decided_at))
    };
    let (listed, (shown, content, vulnerabilities, judged, decided_at)) = tokio::try_join!(listed, judged)?;
    let vulnerabilities = vulnerabilities.as_ref();
    let result = match content {
        Content::Blocked => RunResult::Blocked,
        Content::NotAsked => RunResult::Skipped,
        Content::There { mut uploaded, cleared, since } => {
            let subjects = registry_scan::Subjects::of(&image, vulnerabilities);
            // What is cleared may be read by others; nothing waits for that but the end.
            let caching = unwritten.map(caching::begin);
            // Before anything is signed: a signed verdict says that the image may go out.
            match registry_scan::gate(delivery, ready, &subjects).await? {
                None => {
                    if let Some(caching) = caching {
                        caching.call_off("the image is held back").await;
                    }
                    RunResult::Blocked
                }
                Some(scanned) => {
                    let coverage = judged.as_ref().map(|judged| &judged.coverage);
                    let (origin, cleared) = (wanted.origin, &cleared);
                    let cache_writers = cache_writers.max(wanted.cache_writers);
                    let image = &image;
                    let known = signing::Known { image, origin, cache_writers, cleared, vulnerabilities, coverage, decided_at };
                    let signed = signing::sign(delivery, ready, &mut uploaded, &known).await?;
                    let complete = before_tags::complete(*uploaded, listed, shown, scanned, signed);
                    let result = set_tags(delivery, ready, complete, wanted.tags, since, &subjects).await?;
                    if let Some(caching) = caching {
                        // A cancel is noted by the stage: the image is out.
                        let _ = caching.accept().await;
                    }
                    result
                }
            }
        }
    };
    // What changed is told last: nothing waits for it.
    let found = vulnerabilities.map(|found| (found, judged.as_ref().map_or(&[][..], |judged| &judged.findings)));
    since::tell(delivery, earlier, &image, found).await;
    Ok(result)
}

/// What another builder has come to is what this image has to be, whoever built it.
fn expect(delivery: &Delivery, digest: Digest) -> Result<(), Error> {
    match delivery.config.expected_digest {
        Some(expected) if expected != digest => Err(Error::Unexpected { digest, expected }),
        _ => Ok(()),
    }
}

/// Sets the tags of an image, and does what follows them. `since` when its content is there.
async fn set_tags(
    delivery: &Delivery,
    ready: &Ready,
    complete: publish::Ready,
    tags: &[PlannedTag],
    since: Instant,
    subjects: &registry_scan::Subjects<'_>,
) -> Result<RunResult, Error> {
    let publication = publishing::tag(delivery, ready, complete, tags, since).await?;
    if delivery.config.untagged {
        // What follows tags follows those that another job sets.
        delivery.recorder.accept(&publication);
    } else {
        after_tags::run(delivery, &publication).await;
    }
    // Last of all: it may wait for minutes.
    registry_scan::report(delivery, ready, subjects).await;
    Ok(RunResult::Delivered)
}

/// How a stage ended that did not fail.
enum Ending {
    Pass(String),
    Advise(String),
    Block(String),
    Skip(String),
}

impl Delivery {
    /// Whether findings of a scanner end it.
    fn is_held_back_by(&self, tool: Tool) -> bool {
        tool.blocks(self.config.environment.requirements())
    }

    /// Runs a stage until it is cancelled, and records how it ended. Dropped before its end, it is recorded as cancelled.
    async fn stage<T>(
        &self,
        name: StageName,
        work: impl AsyncFnOnce(StageLog) -> Result<(T, Ending), Error>,
    ) -> Result<T, Error> {
        let stage = self.recorder.stage(name);
        let work = self.cancel.run_until_cancelled(work(stage.log()));
        conclude(stage, work.await.unwrap_or(Err(Error::Cancelled)))
    }
}

/// Records how a stage ended.
fn conclude<T>(stage: StageRecorder, ended: Result<(T, Ending), Error>) -> Result<T, Error> {
    match ended {
        Ok((value, ending)) => {
            match ending {
                Ending::Pass(detail) => stage.end(StageOutcome::Passed, detail),
                Ending::Advise(detail) => stage.end(StageOutcome::Advised, detail),
                Ending::Block(detail) => stage.end(StageOutcome::Blocked, detail),
                Ending::Skip(why) => stage.end(StageOutcome::Skipped(why), ""),
            }
            Ok(value)
        }
        Err(Error::Cancelled) => Err(Error::Cancelled),
        Err(error) => {
            stage.end(StageOutcome::Failed(Diagnosis::from(&error).what), "");
            Err(error)
        }
    }
}
