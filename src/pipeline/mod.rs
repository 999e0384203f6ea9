//! A delivery from its inputs to its end: the order of things, and nothing else.

mod amazon;
mod announcing;
mod building;
mod code_scanning;
mod destination;
pub mod doctor;
mod judging;
mod preflight;
mod promoting;
mod publishing;
mod reuse;
mod scanning;

pub use announcing::announce;

use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::{Pin, pin};

use futures_util::future::{MaybeDone, maybe_done};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::code_scanning::Verdict;
use self::destination::Landing;
use self::preflight::Ready;
use crate::config::Config;
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::github::Event;
use crate::oci::Image;
use crate::policy::Scan;
use crate::process::Launcher;
use crate::publish::Target;
use crate::record::{Recorder, Reuse, RunResult, StageName, StageRecorder};
use crate::scan::database::Database;
use crate::secret::Redaction;
use crate::tags::PlannedTag;

/// What a delivery works with.
pub struct Delivery {
    /// What to do.
    pub config: Config,
    /// The event of the workflow run; none outside GitHub Actions.
    pub event: Option<Event>,
    /// Starts programs.
    pub launcher: Launcher,
    /// Writes down what happens.
    pub recorder: Recorder,
    /// Takes the build's secrets out of what others print.
    pub redaction: Redaction,
    /// Ends everything early.
    pub cancel: CancellationToken,
    /// Cleaning up that goes on after what it cleans up.
    pub cleanups: TaskTracker,
    /// A folder of our own for the image until it is published; whoever made it removes it.
    pub staging: PathBuf,
}

/// Delivers: what has no order here runs at the same time.
///
/// # Errors
/// Something failed, and nothing was published.
pub async fn deliver(delivery: &Delivery) -> Result<RunResult, Error> {
    let ready = preflight::look(delivery).await?;
    // All this begins at once; what the destination says meanwhile may end it, or make it unnecessary.
    let mut secrets = pin!(maybe_done(scanning::secrets(delivery, &ready)));
    let mut build = pin!(maybe_done(building::image(delivery, &ready)));
    let mut database = pin!(maybe_done(scanning::database(delivery)));
    let begun = async {
        tokio::join!(secrets.as_mut(), build.as_mut(), database.as_mut());
        std::future::pending::<Infallible>().await
    };
    let Landing { target, existing } = tokio::select! {
        landing = destination::look(delivery, &ready) => landing?,
        never = begun => match never {},
    };
    let Some((found, reuse)) = existing.image() else {
        return judged(delivery, &ready, target.as_ref(), &ready.tags, outcome(build), outcome(secrets), outcome(database)).await;
    };
    delivery.recorder.write(|record| (record.reuse, record.image) = (Some(reuse), None));
    let why = "this commit's image is there already";
    delivery.recorder.call_off(&[StageName::Checks, StageName::Build], why, || build.set(MaybeDone::Gone));
    let cleared = match reuse {
        Reuse::Completed => judging::without_scans(delivery, found.manifest.digest),
        Reuse::Delivered | Reuse::Promoted { .. } => None,
    };
    if reuse != Reuse::Delivered && cleared.is_none() {
        let image = promoting::fetch(delivery, &found);
        return judged(delivery, &ready, target.as_ref(), &found.tags, image, outcome(secrets), outcome(database)).await;
    }
    delivery.recorder.call_off(&[StageName::Secrets, StageName::Database], "this commit was judged before", || {
        secrets.set(MaybeDone::Gone);
        database.set(MaybeDone::Gone);
    });
    match cleared {
        Some(cleared) => publishing::complete(delivery, &found, &cleared).await,
        None => Ok(publishing::confirm(delivery, &found)),
    }
}

/// Scans an image, judges it, and publishes it if it may be.
async fn judged(
    delivery: &Delivery,
    ready: &Ready,
    target: Option<&Target>,
    tags: &[PlannedTag],
    image: impl Future<Output = Result<Image, Error>>,
    secrets: impl Future<Output = Result<Scan, Error>>,
    database: impl Future<Output = Result<Option<Database>, Error>>,
) -> Result<RunResult, Error> {
    let (scanned, secrets_scan) = oneshot::channel();
    let source = async {
        // The judge is gone only where something else has failed.
        let _ = scanned.send(secrets.await?);
        Ok::<_, Error>(())
    };
    let image = async {
        let (image, database) = tokio::try_join!(image, database)?;
        let (reported, release) = watch::channel(false);
        let (judged, verdict) = oneshot::channel();
        // The tags wait for both.
        let report = async {
            tokio::try_join!(scanning::sboms(delivery, &image), code_scanning::upload(delivery, ready, verdict))?;
            reported.send_replace(true);
            Ok::<_, Error>(())
        };
        let judge = async {
            let vulnerabilities = scanning::vulnerabilities(delivery, ready, &image, database).await?;
            let secrets = secrets_scan.await.map_err(|_| Error::Cancelled)?;
            let cleared = judging::judge(delivery, &image, secrets, vulnerabilities).await?;
            // Nobody hears it where there is no upload.
            let _ = judged.send(if cleared.is_some() { Verdict::Cleared } else { Verdict::Blocked });
            match cleared {
                Some(cleared) => publishing::publish(delivery, target, tags, &image, &cleared, release).await,
                None => Ok(RunResult::Blocked),
            }
        };
        let ((), result) = tokio::try_join!(report, judge)?;
        Ok(result)
    };
    let ((), result) = tokio::try_join!(source, image)?;
    Ok(result)
}

/// What became of something that began before.
async fn outcome<T>(mut work: Pin<&mut MaybeDone<impl Future<Output = Result<T, Error>>>>) -> Result<T, Error> {
    work.as_mut().await;
    work.take_output().unwrap_or(Err(Error::Cancelled))
}

/// How a stage ended that did not fail.
enum Ending {
    Pass(String),
    Advise(String),
    Block(String),
    Skip(String),
}

impl Delivery {
    /// Runs a stage until it is cancelled, and records how it ended. Dropped before its end, it is recorded as cancelled.
    async fn stage<T>(
        &self,
        name: StageName,
        work: impl AsyncFnOnce(&StageRecorder) -> Result<(T, Ending), Error>,
    ) -> Result<T, Error> {
        let stage = self.recorder.stage(name);
        let work = work(&stage);
        let ended = match name {
            // It ends by itself when it is cancelled: tags that are set already are put back.
            StageName::Publish => work.await,
            _ => self.cancel.run_until_cancelled(work).await.unwrap_or(Err(Error::Cancelled)),
        };
        match ended {
            Ok((value, ending)) => {
                match ending {
                    Ending::Pass(detail) => stage.pass(detail),
                    Ending::Advise(detail) => stage.advise(detail),
                    Ending::Block(detail) => stage.block(detail),
                    Ending::Skip(why) => stage.skip(why),
                }
                Ok(value)
            }
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(error) => {
                stage.fail(Diagnosis::from(&error).what);
                Err(error)
            }
        }
    }
}

/// `1 leak`, `2 leaks`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
