//! A delivery from its inputs to its end: the order of things, and nothing else.

mod building;
mod judging;
mod preflight;
mod publishing;
mod scanning;

use std::path::PathBuf;

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
    let ready = delivery.until_cancelled(preflight::look(delivery)).await?;
    let source = scanning::secrets(delivery, &ready);
    let image = async {
        let (image, database) = tokio::try_join!(building::image(delivery, &ready), scanning::database(delivery))?;
        let (vulnerabilities, ()) =
            tokio::try_join!(scanning::vulnerabilities(delivery, &ready, &image, database), scanning::sboms(delivery, &image))?;
        Ok((image, vulnerabilities))
    };
    let scans = async { tokio::try_join!(source, image) };
    let (secrets, (image, vulnerabilities)) = delivery.until_cancelled(scans).await?;
    match judging::judge(delivery, &image, secrets, vulnerabilities)? {
        Some(cleared) if delivery.config.publish => publishing::publish(delivery, &ready, &image, &cleared).await,
        Some(_) => Ok(publishing::skip(delivery)),
        None => Ok(RunResult::Blocked),
    }
}

/// How a stage ended that did not fail.
enum Ending {
    Pass(String),
    Advise(String),
    Block(String),
    Skip(String),
}

impl Delivery {
    async fn until_cancelled<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.cancel.run_until_cancelled(work).await.unwrap_or(Err(Error::Cancelled))
    }

    /// Runs a stage and records how it ended. Dropped before its end, it is recorded as cancelled.
    async fn stage<T>(
        &self,
        name: StageName,
        work: impl AsyncFnOnce(&StageRecorder) -> Result<(T, Ending), Error>,
    ) -> Result<T, Error> {
        let stage = self.recorder.stage(name);
        match work(&stage).await {
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
