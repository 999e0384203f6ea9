//! A delivery from its inputs to its report, whichever way it ends: by itself, by a signal, by a panic.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{env, read_event, refuse};
use crate::buildkit;
use crate::config::{self, Config, Env};
use crate::diagnosis::Diagnosis;
use crate::error::{Cause, Death, Error, Exit};
use crate::github::Event;
use crate::inputs::{self, Inputs};
use crate::keeper::Lifeline;
use crate::pipeline::{self, Delivery};
use crate::process::{self, Launcher};
use crate::record::{GitOpsResult, Record, Recorder, RunResult, Stage, StageOutcome};
use crate::report::{self, RunnerFiles, console};
use crate::sink;
use crate::source;
use crate::staging::Staging;
use crate::verify;

/// How long a cancelled delivery may take to clean up: tags that were set are put back. A runner kills what is left ten
/// seconds after its first signal.
const GRACE: Duration = Duration::from_millis(3500);

/// How long cleaning up in the builder may take.
const CLEANUP: Duration = Duration::from_millis(250);

/// The limit for showing the check run. The summary shows the same.
const ANNOUNCEMENT: Duration = Duration::from_secs(30);

/// What is asked to be delivered.
#[derive(Clone, Copy)]
pub(super) enum Asked<'a> {
    /// What the source comes to.
    Source,
    /// What other jobs have made of it, one a platform.
    Parts,
    /// An image that is there.
    Image(&'a verify::Request),
}

/// What is delivered.
enum Matter {
    /// What the source comes to.
    Source,
    /// The images of the platforms.
    Parts(config::Listed),
    /// An image that is there.
    Image(Box<verify::Question>),
}

/// The configuration of a delivery, of the source, of its parts or of an image.
fn resolve(inputs: &Inputs, asked: Asked<'_>, env: &Env<'_>) -> Result<(Config, Matter), Vec<inputs::Problem>> {
    let from = match asked {
        Asked::Source => return Config::resolve(inputs, env).map(|config| (config, Matter::Source)),
        Asked::Parts => return Config::of_assembly(inputs, env).map(|(config, parts)| (config, Matter::Parts(parts))),
        Asked::Image(from) => from,
    };
    match (Config::of_promotion(inputs, env), from.origin()) {
        (Ok(config), Ok(image)) => Ok((config, Matter::Image(Box::new(image)))),
        (config, image) => Err([config.err(), image.err()].into_iter().flatten().flatten().collect()),
    }
}

pub(super) async fn deliver(inputs: &Inputs, asked: Asked<'_>, lifeline: &Lifeline) -> Exit {
    let (form, runner) = (console::Form::detect(), RunnerFiles::from_environment());
    lifeline.surroundings(form, &runner);
    let console = console::Console::new(form);
    console.greet();
    let recorder = Recorder::begin(console.clone()).kept_by(Arc::new(lifeline.clone()));
    let event = read_event();
    let resolved = resolve(inputs, asked, &env(event.as_ref()));
    let context = PathBuf::from(inputs.text(&inputs::BUILD_CONTEXT));
    let project = source::project_of(&context, event.as_ref().and_then(|event| event.workspace.as_deref()));
    let launcher = Launcher::of_this_process(config::sandbox(inputs));
    let reports = open_reports(&launcher, &config::report_dir(inputs), &project).await;
    if let Ok(reports) = &reports {
        lifeline.reports(reports.path());
    }
    let (mut begun, resolved_inputs) = (None, resolved.is_ok());
    let (result, exit) = match (resolved, &reports) {
        (Err(problems), _) => failed(&recorder, &Error::Inputs(problems)),
        (Ok(_), Err(error)) => failed(&recorder, error),
        (Ok((config, matter)), Ok(_)) => match begin(config, event, recorder.clone(), lifeline) {
            Err(error) => failed(&recorder, &error),
            Ok((delivery, staging)) => {
                // On the heap: each of them is large, and all would have room on the stack at once.
                let work = async {
                    match &matter {
                        Matter::Source => Box::pin(pipeline::deliver(&delivery)).await,
                        Matter::Parts(parts) => Box::pin(pipeline::assemble(&delivery, parts)).await,
                        Matter::Image(image) => Box::pin(pipeline::promote(&delivery, image)).await,
                    }
                };
                let ended = until_its_end(&delivery.recorder, &delivery.cancel, lifeline, work).await;
                delivery.cleanups.close();
                let _ = tokio::time::timeout(CLEANUP, delivery.cleanups.wait()).await;
                drop(staging);
                tokio::select! {
                    () = pipeline::put_metrics(&delivery, ended.0) => (),
                    _ = signalled() => (),
                }
                begun = Some(delivery);
                ended
            }
        },
    };
    let told = resolved_inputs && reports.is_err();
    let record = recorder.end(result);
    let is_behind = record.gitops.as_ref().is_some_and(|gitops| gitops.result == GitOpsResult::Failed);
    let exit = if is_behind && exit == Exit::Done { Exit::GitOps } else { exit };
    let written = written(&record, reports, &runner);
    if let Some(delivery) = begun.filter(|_| result != RunResult::Cancelled) {
        announce(&record, &delivery).await;
    }
    console.finish(&record, written.as_ref().ok());
    match written {
        Ok(_) => exit,
        // The folder that can't be used is what the delivery failed for.
        Err(_) if told => exit,
        // The image stays published, but nobody was told: that is a failure.
        Err(error) => refuse(&Error::Report(error)),
    }
}

/// Opens the report's folder, and takes an earlier report out of it. One that was ours may have got files of the project since:
/// a pull writes into folders that git ignores.
pub(super) async fn open_reports(
    launcher: &Launcher,
    folder: &Path,
    project: &[PathBuf],
) -> Result<report::Folder, report::Error> {
    let reports = report::open(folder, project)?;
    match source::tracked_in(launcher, folder).await {
        Ok(Some(entry)) => Err(report::Error::Foreign { path: folder.to_owned(), entry }),
        // Where git can't be asked, the delivery does not get far.
        untracked => reports.clear(untracked.is_ok()).map(|()| reports),
    }
}

/// Writes the report where it goes; without a folder of its own, where the runner shows it.
fn written(
    record: &Record,
    reports: Result<report::Folder, report::Error>,
    runner: &RunnerFiles,
) -> Result<report::Written, report::Error> {
    match reports {
        Ok(reports) => report::write(record, &reports, runner),
        Err(error) => report::write_without_folder(record, runner).and(Err(error)),
    }
}

/// Shows the report beside the commit. A failure changes nothing of the delivery.
async fn announce(record: &Record, delivery: &Delivery) {
    let Some(event) = &delivery.event else { return };
    let announcement = tokio::time::timeout(ANNOUNCEMENT, pipeline::announce(record, &delivery.config, event));
    let announced = tokio::select! {
        announced = announcement => announced,
        _ = signalled() => return,
    };
    match announced {
        Ok(Ok(commands)) => {
            sink::command(&commands.unwrap_or_default());
        }
        Ok(Err(error)) => delivery.recorder.warn(Diagnosis::from(&error).in_a_row()),
        Err(_) => delivery.recorder.warn("The check run could not be shown: GitHub took too long to answer."),
    }
}

fn begin(
    config: Config,
    event: Option<Event>,
    recorder: Recorder,
    lifeline: &Lifeline,
) -> Result<(Arc<Delivery>, Staging), Error> {
    recorder.write(|record| {
        record.environment = Some(config.environment);
        record.demands = Some(config.environment.requirements());
        record.severity_threshold = Some(config.threshold.severity);
        record.ignore_unfixed = config.threshold.ignore_unfixed;
        record.destination = Some(config.destination.to_string());
    });
    config.build.know_secrets().into_iter().for_each(|warning| recorder.warn(warning));
    let staging = Staging::create(&config.report_dir).map_err(|source| Error::Io { path: config.report_dir.clone(), source })?;
    lifeline.staging(staging.path());
    let delivery = Delivery {
        event,
        launcher: Launcher::of_this_process(config.sandbox),
        config,
        recorder,
        cancel: CancellationToken::new(),
        tasks: TaskTracker::new(),
        cleanups: TaskTracker::new(),
        at_aws: pipeline::AtAws::default(),
        staging: staging.path().to_owned(),
    };
    Ok((Arc::new(delivery), staging))
}

/// Works to the end, which a signal or a panic may bring about.
async fn until_its_end(
    recorder: &Recorder,
    cancel: &CancellationToken,
    lifeline: &Lifeline,
    work: impl Future<Output = Result<RunResult, Error>>,
) -> (RunResult, Exit) {
    // A panic comes out here, wherever in the work it was; what it said is told by the lifeline.
    let work = AssertUnwindSafe(work).catch_unwind().map(|ended| ended.unwrap_or(Err(Error::Cancelled)));
    tokio::pin!(work);
    let (ended, exit) = tokio::select! {
        biased;
        () = lifeline.panicked() => (wind_up(cancel, &mut work).await, Exit::Failed),
        ended = &mut work => (ended, Exit::Failed),
        exit = signalled() => (wind_up(cancel, &mut work).await, exit),
    };
    match (lifeline.last_words(), ended) {
        (Some(words), _) => failed(recorder, &died(recorder, words)),
        (None, Ok(result)) => (result, Exit::from(result)),
        (None, Err(Error::Cancelled)) => (RunResult::Cancelled, exit),
        (None, Err(error)) => {
            // What failed the build is shown at its lines, although there is no image that it was said of.
            if let Error::Build(buildkit::Error::Checks { checks, .. }) = &error {
                recorder.write(|record| record.build_checks.clone_from(checks));
            }
            failed(recorder, &error)
        }
    }
}

/// Has the work end early. It ends by itself, and puts tags back if it was among them.
async fn wind_up(cancel: &CancellationToken, work: impl Future<Output = Result<RunResult, Error>>) -> Result<RunResult, Error> {
    cancel.cancel();
    tokio::time::timeout(GRACE, work).await.unwrap_or(Err(Error::Cancelled))
}

/// What a panic means for the delivery.
fn died(recorder: &Recorder, words: &str) -> Error {
    let stages = recorder.snapshot().stages.into_iter();
    // It has called them all off.
    let interrupted = |stage: &Stage| matches!(stage.outcome, StageOutcome::Running | StageOutcome::Cancelled);
    let during = stages.filter(interrupted).map(|stage| stage.name).collect();
    Error::Died(Death { cause: Cause::Panic(words.to_owned()), during })
}

/// Waits for SIGINT, SIGTERM or SIGHUP, and says with which code to exit then.
async fn signalled() -> Exit {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return std::future::pending().await;
    };
    // `nohup` has it ignored, and so it stays.
    let hung_up = async {
        if process::ignores(Signal::HUP) {
            return std::future::pending().await;
        }
        match signal(SignalKind::hangup()) {
            Ok(mut hangup) => hangup.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupt.recv() => Exit::Interrupted,
        _ = terminate.recv() => Exit::Terminated,
        _ = hung_up => Exit::HungUp,
    }
}

fn failed<'a, E>(recorder: &Recorder, error: &'a E) -> (RunResult, Exit)
where
    Diagnosis: From<&'a E>,
    Exit: From<&'a E>,
{
    recorder.write(|record| record.failure = Some(Diagnosis::from(error)));
    (RunResult::Failed, Exit::from(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::StageName;

    /// How work ends in whose stage something panics.
    async fn end_of<F: Future<Output = Result<RunResult, Error>>>(work: impl FnOnce(Recorder, CancellationToken) -> F) -> Record {
        let (recorder, cancel, lifeline) = (Recorder::begin(Arc::new(())), CancellationToken::new(), Lifeline::to_nobody());
        let panicking = lifeline.clone();
        let work = work(recorder.clone(), cancel.clone());
        let work = async move {
            panicking.tell_panic("all is lost");
            work.await
        };
        let (result, exit) = until_its_end(&recorder, &cancel, &lifeline, work).await;
        assert_eq!((result, exit), (RunResult::Failed, Exit::Failed));
        recorder.end(result)
    }

    #[tokio::test]
    async fn a_panic_anywhere_ends_the_delivery_as_failed_and_says_what_was_running() {
        // In a task beside the work, which ends as it is told to; one that does not; and in the work itself.
        let told = end_of(async |recorder, cancel| {
            let _stage = recorder.stage(StageName::Build);
            cancel.cancelled().await;
            Err(Error::Cancelled)
        });
        let deaf = end_of(async |recorder, _| {
            let _stage = recorder.stage(StageName::Build);
            std::future::pending().await
        });
        let itself = end_of(async |recorder, _| -> Result<RunResult, Error> {
            let _stage = recorder.stage(StageName::Build);
            std::panic::resume_unwind(Box::new("all is lost"))
        });
        for record in <[Record; 3]>::from(tokio::join!(told, deaf, itself)) {
            let failure = record.failure.unwrap();
            assert_eq!((&*failure.what, &*failure.why), ("gp-deliver broke during build", "It panicked: all is lost."));
        }
    }
}
