//! A delivery from its inputs to its end: the order of things, and nothing else.

mod building;
mod judging;
mod preflight;
mod publishing;
mod scanning;

use std::path::PathBuf;

use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::github::Event;
use crate::process::Launcher;
use crate::record::{Recorder, RunResult, StageName, StageRecorder};
use crate::secret::Redaction;

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
    let (scanned, secrets) = oneshot::channel();
    let source = async {
        // The judge is gone only where something else has failed.
        let _ = scanned.send(scanning::secrets(delivery, &ready).await?);
        Ok::<_, Error>(())
    };
    let image = async {
        let (image, database) = tokio::try_join!(building::image(delivery, &ready), scanning::database(delivery))?;
        let (listed, release) = watch::channel(false);
        let list = async {
            scanning::sboms(delivery, &ready, &image).await?;
            listed.send_replace(true);
            Ok::<_, Error>(())
        };
        let judge = async {
            let vulnerabilities = scanning::vulnerabilities(delivery, &ready, &image, database).await?;
            let secrets = secrets.await.map_err(|_| Error::Cancelled)?;
            match judging::judge(delivery, &image, secrets, vulnerabilities).await? {
                Some(cleared) => publishing::publish(delivery, &ready, &image, &cleared, release).await,
                None => Ok(RunResult::Blocked),
            }
        };
        let ((), result) = tokio::try_join!(list, judge)?;
        Ok(result)
    };
    let ((), result) = tokio::try_join!(source, image)?;
    Ok(result)
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
