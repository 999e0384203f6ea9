//! A run of the program, from its arguments to its exit code.

use std::ffi::OsString;
use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use rustix::process::Signal;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::buildkit;
use crate::cli::{self, Request};
use crate::compare;
use crate::config::{self, Config, Env};
use crate::diagnosis::Diagnosis;
use crate::error::{Cause, Death, Error, Exit};
use crate::findings;
use crate::github::{Event, commands};
use crate::gitops::Course;
use crate::inputs::{self, Inputs};
use crate::keeper::{self, Lifeline, Role};
use crate::matrix::{Known, Matrix};
use crate::pipeline::gitops::Update;
use crate::pipeline::{self, Delivery, context, doctor};
use crate::plan::{self, Plan};
use crate::process::{self, Demand, Launcher};
use crate::pull_secret;
use crate::record::{GitOpsResult, Record, Recorder, RunResult, Stage, StageOutcome};
use crate::redaction;
use crate::report::{self, RunnerFiles, console};
use crate::repository::{self, ImagesRequest, LifecycleRequest, SettingsRequest};
use crate::rollback::{self, Answer};
use crate::scan;
use crate::setup::{self, CacheRepository, PolicyInputs};
use crate::sink::{self, Lines, Redacted, Stream};
use crate::source::{self, Checkout, Definition};
use crate::staging::Staging;
use crate::tags;
use crate::variables;
use crate::verify;
use crate::watch;

/// How long a cancelled delivery may take to clean up: tags that were set are put back. A runner kills what is left ten
/// seconds after its first signal.
const GRACE: Duration = Duration::from_millis(3500);

/// How long cleaning up in the builder may take.
const CLEANUP: Duration = Duration::from_millis(250);

/// The limit for showing the check run. The summary shows the same.
const ANNOUNCEMENT: Duration = Duration::from_secs(30);

/// The program, from its arguments to its exit code: all that this crate has for others.
#[must_use]
pub fn main(arguments: &[OsString]) -> ExitCode {
    // First of all: this process may be a helper of another.
    if let Some(code) = process::helper_main(arguments.iter().cloned()) {
        return code;
    }
    begin_work(arguments).unwrap_or_else(|error| {
        // The program could not begin. Where the words can't be written, the exit code still says it.
        let _ = sink::say(Stream::Error, &format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

/// Leaves nothing secret where others can read it, and works or keeps who works.
fn begin_work(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    match keeper::begin(arguments).context("The program can't start itself")? {
        Role::Kept(code) => Ok(code),
        Role::Work { arguments, lifeline } => {
            let exit = run(arguments, &lifeline);
            lifeline.over(exit.as_ref().map_or(Exit::Failed as u8, |exit| *exit as u8));
            exit.map(Into::into)
        }
    }
}

/// Does what the arguments ask for.
fn run(arguments: impl IntoIterator<Item = OsString>, lifeline: &Lifeline) -> anyhow::Result<Exit> {
    know_the_environment();
    let request = match cli::read(arguments, variables::text) {
        Ok(request) => request,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Inputs } else { Exit::Done };
            let stream = if error.use_stderr() { Stream::Error } else { Stream::Output };
            // Where the words can't be written, the exit code still says it.
            let _ = sink::say(stream, error.render().to_string().trim_end_matches('\n'));
            return Ok(exit);
        }
    };
    tracing_subscriber::fmt().with_env_filter(events()).with_writer(Lines::of_events).init();
    // Only the first call installs one, and this is it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("The program can't start its threads")?;
    let exit = runtime.block_on(async {
        match request {
            Request::Version => version().await,
            Request::Plan(inputs, issuer) => plan(&inputs, issuer).await.unwrap_or_else(|error| refuse(&error)),
            Request::Doctor(inputs, file) => doctor(&inputs, file.as_deref()).await.unwrap_or_else(|error| refuse(&error)),
            Request::Policy(inputs, kind) => policy(&inputs, kind).await.unwrap_or_else(|error| refuse(&error)),
            Request::Verify(request) => verify(&request).await.unwrap_or_else(|error| refuse(&error)),
            Request::Watch(inputs, request) => watch(&inputs, &request).await.unwrap_or_else(|error| refuse(&error)),
            Request::Findings(inputs, request) => findings(&inputs, &request).await.unwrap_or_else(|error| refuse(&error)),
            Request::Compare(request) => compare(&request).await.unwrap_or_else(|error| refuse(&error)),
            Request::Lifecycle(request) => lifecycle(&request).await.unwrap_or_else(|error| refuse(&error)),
            Request::Repository(inputs, request) => settings(&inputs, &request).await.unwrap_or_else(|error| refuse(&error)),
            Request::GitOps(inputs, image) => gitops(&inputs, &image).await.unwrap_or_else(|error| refuse(&error)),
            Request::Rollback(inputs, request) => rollback(&inputs, &request).await.unwrap_or_else(|error| refuse(&error)),
            Request::Repositories(inputs, json) => repositories(&inputs, json).await.unwrap_or_else(|error| refuse(&error)),
            Request::Images(inputs, request) => images(&inputs, request).await.unwrap_or_else(|error| refuse(&error)),
            Request::PullSecret(request) => pull_secret(&request).await.unwrap_or_else(|error| refuse(&error)),
            Request::Show(inputs) => show(&inputs).await.unwrap_or_else(|error| refuse(&error)),
            Request::Deliver(inputs) => Box::pin(deliver(&inputs, Asked::Source, lifeline)).await,
            Request::Assemble(inputs) => Box::pin(deliver(&inputs, Asked::Parts, lifeline)).await,
            Request::Promote(inputs, from) => Box::pin(deliver(&inputs, Asked::Image(&from), lifeline)).await,
        }
    });
    // A thread that still reads from a builder that was let go must not keep the process.
    runtime.shutdown_background();
    Ok(exit)
}

/// What is secret and what everyone knows before anything is read.
fn know_the_environment() {
    let public = [variables::GITHUB_SHA, variables::GITHUB_REPOSITORY, variables::GITHUB_REF];
    public.into_iter().filter_map(variables::text).for_each(|value| redaction::publish(&value));
    for secret in variables::SECRET.into_iter().filter_map(variables::text) {
        redaction::remember(&secret);
    }
}

/// The event of the run. In a job, the runner hears of each secret from here on.
fn read_event() -> Option<Event> {
    let event = Event::read(variables::text)?;
    redaction::tell(commands::mask);
    Some(event)
}

/// The events that `GP_DELIVER_LOG` (a level) asks for: ours alone, since those of the libraries hold credentials.
fn events() -> EnvFilter {
    let level: LevelFilter =
        variables::text(variables::GP_DELIVER_LOG).and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::OFF);
    EnvFilter::new(format!("gp_deliver={level}"))
}

/// Prints an error that happens before there is a delivery to report on.
fn refuse(error: &Error) -> Exit {
    let Diagnosis { what, why, remedy, to_copy, .. } = error.into();
    let lines = [format!("error: {what}"), indented(&why), remedy, indented(&to_copy.join("\n"))];
    let lines: Vec<_> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    // Where the words can't be written, the exit code still says it.
    let _ = sink::say(Stream::Error, &lines.join("\n"));
    Exit::from(error)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// What the inputs are read against in this process.
fn env(event: Option<&Event>) -> Env<'_> {
    Env { variable: &variables::text, event }
}

/// What the other subcommands know of a delivery.
struct Preview<B> {
    event: Option<Event>,
    config: Config<B>,
    checkout: Checkout,
    planned: tags::Planned,
}

impl<B> Preview<B> {
    async fn of(config: Config<B>, definition: Option<&Definition>, event: Option<Event>) -> Result<Self, Error> {
        let launcher = Launcher::of_this_process(config.sandbox);
        let mut checkout = Checkout::read(&launcher, &config.context, definition, event.as_ref()).await?;
        if let Some(definition) = definition {
            checkout.places(definition)?;
            let compared = context::compare(&launcher, &checkout, definition, &[&*config.report_dir]).await;
            checkout.source.dirty = compared.is_dirty();
        }
        let planned = plan::tags(&config, &checkout.source).map_err(Error::Tags)?;
        Ok(Self { event, config, checkout, planned })
    }
}

impl Preview<()> {
    /// For the commands that build nothing.
    async fn without_build(inputs: &Inputs) -> Result<Self, Error> {
        let event = Event::read(variables::text);
        let config = Config::without_build(inputs, &env(event.as_ref())).map_err(Error::Inputs)?;
        Self::of(config, None, event).await
    }

    fn policy_inputs(&self, inputs: &Inputs) -> Result<PolicyInputs<'_>, Error> {
        let repository = setup::find_repository(variables::text, self.checkout.origin());
        let (config, source, tags) = (&self.config, &self.checkout.source, &*self.planned.tags);
        let cache = CacheRepository::find(inputs, config).map_err(Error::Inputs)?;
        Ok(PolicyInputs { config, source, repository, tags, claims: None, cache })
    }
}

/// Prints the versions of the program and of the scanners. Without one of these nothing can be delivered: the exit code says so.
async fn version() -> Exit {
    let versions = scan::versions(&Launcher::of_this_process(Demand::Auto)).await;
    let complete = versions.iter().all(|(_, version)| version.is_ok());
    let scanners = versions.iter().map(|(program, version)| match version {
        Ok(version) => format!("{program} {version}"),
        Err(reason) => format!("{program}: {reason}"),
    });
    let lines: Vec<_> = [format!("gp-deliver {}", env!("CARGO_PKG_VERSION"))].into_iter().chain(scanners).collect();
    match tell(&lines.join("\n")) {
        Ok(()) if complete => Exit::Done,
        Ok(()) => Exit::Failed,
        Err(error) => refuse(&error),
    }
}

async fn plan(inputs: &Inputs, issuer: Option<String>) -> Result<Exit, Error> {
    let event = Event::read(variables::text);
    let folders = inputs.get(&inputs::MATRIX).map_err(Error::Inputs)?;
    if !folders.is_empty() {
        return matrix(inputs, &folders, issuer, event.as_ref()).await;
    }
    let config = Config::resolve(inputs, &env(event.as_ref())).map_err(Error::Inputs)?;
    let build = &config.build;
    let definition = Definition::read(&config.context, &build.dockerfile, event.as_ref(), &build.arguments, build.folders())?;
    let preview = Preview::of(config, Some(&definition), event).await?;
    let builders = pipeline::builders::planned(&preview.config, &preview.checkout.root);
    let plan = Plan::new(&preview.config, &preview.checkout.source, &preview.planned, builders);
    answer(&Redacted::json(&plan)).map(|()| Exit::Done)
}

async fn matrix(inputs: &Inputs, folders: &[String], issuer: Option<String>, event: Option<&Event>) -> Result<Exit, Error> {
    let environment = config::environment(inputs, &env(event)).map_err(Error::Inputs)?;
    let root = std::env::current_dir().map_err(|source| Error::Io { path: PathBuf::from("."), source })?;
    let known = Known {
        cleared: inputs.get(&inputs::MATRIX_CLEARED).map_err(Error::Inputs)?,
        identities: inputs.get(&inputs::IDENTITY).map_err(Error::Inputs)?,
        issuer,
        repository: variables::text(variables::GITHUB_REPOSITORY).filter(|name| !name.is_empty()),
        root: inputs.given(&inputs::SIGSTORE_TRUSTED_ROOT).map(str::to_owned),
    };
    let inputs::Lines(contexts) = inputs.get(&inputs::BUILD_CONTEXTS).map_err(Error::Inputs)?;
    let matrix = Matrix::find(&root, folders, environment).map_err(Error::Inputs)?;
    let launcher = Launcher::of_this_process(config::sandbox(inputs));
    let planned = matrix.narrowed(&launcher, &root, &known, &contexts, event).await;
    let planned = planned.map_err(|problem| Error::Inputs(vec![problem]))?;
    let matrix = serde_json::to_string(&planned.matrix).unwrap_or_default();
    let runner = RunnerFiles::from_environment();
    report::add_outputs(&vec![("matrix", matrix.clone())], &runner)?;
    report::add_summary(&planned.summary(), &runner)?;
    beside(&planned.lines())?;
    answer(&Redacted::of_json(format!("{matrix}\n").as_bytes())).map(|()| Exit::Done)
}

async fn doctor(inputs: &Inputs, trust_policy: Option<&Path>) -> Result<Exit, Error> {
    let preview = Preview::without_build(inputs).await?;
    let policy_inputs = preview.policy_inputs(inputs)?;
    let builders = (inputs.get(&inputs::BUILDKIT_HOST), inputs.get(&inputs::BUILDKIT_CERTIFICATES));
    let (fleet, certificates) = (builders.0.map_err(Error::Inputs)?, builders.1.map_err(Error::Inputs)?);
    let builders = (fleet.as_ref(), certificates.as_deref());
    let tags = &preview.planned.tags;
    let report = doctor::examine(&policy_inputs, preview.event.as_ref(), trust_policy, tags, builders).await;
    tell(report.to_string().trim_end())?;
    Ok(if report.is_well() { Exit::Done } else { Exit::Failed })
}

async fn policy(inputs: &Inputs, kind: Option<setup::Kind>) -> Result<Exit, Error> {
    let preview = Preview::without_build(inputs).await?;
    let text = preview.policy_inputs(inputs)?.text(kind).map_err(Error::Inputs)?;
    tell(&text).map(|()| Exit::Done)
}

async fn verify(request: &verify::Request) -> Result<Exit, Error> {
    let table = verify::verify(request).await?;
    present(&table, request.json)?;
    Ok(if table.holds { Exit::Done } else { Exit::Blocked })
}

async fn watch(inputs: &Inputs, request: &watch::Request) -> Result<Exit, Error> {
    let event = read_event();
    let scopes = watch::Scopes::of(inputs, &env(event.as_ref()), request)?;
    let config = &scopes.config;
    let project = source::project_of(&config.context, event.as_ref().and_then(|event| event.workspace.as_deref()));
    let reports = open_reports(&Launcher::of_this_process(config.sandbox), &config.report_dir, &project).await?;
    let report = watch::watch(&scopes, inputs, event.as_ref()).await?;
    watch::write(&report, &reports, &RunnerFiles::from_environment())?;
    present(&report, request.json)?;
    beside(&report.warnings)?;
    Ok(report.exit())
}

async fn compare(request: &compare::Request) -> Result<Exit, Error> {
    let comparison = compare::compare(request).await?;
    present(&comparison, request.json)?;
    Ok(if comparison.equal { Exit::Done } else { Exit::Blocked })
}

async fn findings(inputs: &Inputs, request: &findings::Request) -> Result<Exit, Error> {
    let event = Event::read(variables::text);
    let found = findings::find(inputs, event.as_ref(), request).await?;
    present(&found, request.json)?;
    Ok(match (found.is_exceeded(), found.is_unknown()) {
        (true, _) => Exit::Blocked,
        (false, true) => Exit::Failed,
        (false, false) => Exit::Done,
    })
}

async fn lifecycle(request: &LifecycleRequest) -> Result<Exit, Error> {
    match request {
        LifecycleRequest::Preview(inputs, request) => {
            let event = Event::read(variables::text);
            let config = Config::without_build(inputs, &env(event.as_ref())).map_err(Error::Inputs)?;
            let preview = repository::preview(&config, event.as_ref(), request).await?;
            present(&preview, request.json)?;
            Ok(if preview.is_refused() { Exit::Blocked } else { Exit::Done })
        }
        LifecycleRequest::Check { file, ordered } => {
            let repository::Checked { text, warnings } = repository::check(file)?;
            beside(&warnings)?;
            let says = format!("{}: AWS takes it as a lifecycle policy", file.display());
            tell(if *ordered { &text } else { &says }).map(|()| Exit::Done)
        }
        LifecycleRequest::Presets(None) => tell(&repository::presets()).map(|()| Exit::Done),
        LifecycleRequest::Presets(Some(name)) => {
            let preset = repository::preset(name)?;
            beside(&repository::preset_warnings(preset))?;
            tell(preset.text().trim_end()).map(|()| Exit::Done)
        }
    }
}

async fn settings(inputs: &Inputs, request: &SettingsRequest) -> Result<Exit, Error> {
    let event = Event::read(variables::text);
    let config = Config::without_build(inputs, &env(event.as_ref())).map_err(Error::Inputs)?;
    let report = repository::settings(&config, event.as_ref(), request).await?;
    present(&report, request.json)?;
    Ok(match (report.is_different(), report.is_unseen()) {
        // What could not be looked at is not all that is different.
        (_, true) => Exit::Failed,
        (true, false) => Exit::Blocked,
        (false, false) => Exit::Done,
    })
}

async fn repositories(inputs: &Inputs, json: bool) -> Result<Exit, Error> {
    let event = Event::read(variables::text);
    let config = Config::without_build(inputs, &env(event.as_ref())).map_err(Error::Inputs)?;
    let all = repository::all(&config, event.as_ref()).await?;
    present(&all, json).map(|()| Exit::Done)
}

async fn images(inputs: &Inputs, request: ImagesRequest) -> Result<Exit, Error> {
    let event = Event::read(variables::text);
    let config = Config::without_build(inputs, &env(event.as_ref())).map_err(Error::Inputs)?;
    let images = repository::images(&config, event.as_ref(), request).await?;
    present(&images, request.json)?;
    Ok(if images.is_unseen() { Exit::Failed } else { Exit::Done })
}

async fn pull_secret(request: &pull_secret::Request) -> Result<Exit, Error> {
    let report = pull_secret::keep(request).await?;
    tell(report.to_string().trim_end()).map(|()| Exit::Done)
}

async fn show(inputs: &Inputs) -> Result<Exit, Error> {
    let event = read_event();
    let config = Config::without_build(inputs, &env(event.as_ref())).map_err(Error::Inputs)?;
    let job = inputs.get(&inputs::JOB_RESULT).map_err(Error::Inputs)?;
    let platforms = inputs.get(&inputs::PLATFORMS).map_err(Error::Inputs)?;
    let platform = platforms.first().filter(|_| config.untagged);
    let shown = pipeline::show(&config, event.as_ref(), job, platform).await?;
    tell(&shown.join("\n")).map(|()| Exit::Done)
}

/// Has the repository that a cluster is brought to name an image that is out.
async fn gitops(inputs: &Inputs, image: &str) -> Result<Exit, Error> {
    let event = read_event();
    let config = Config::without_build(inputs, &env(event.as_ref())).map_err(Error::Inputs)?;
    let asked = cli::image_by_digest(image).map_err(|problem| Error::Inputs(vec![problem]))?;
    if config.gitops.is_none() {
        let expected = "the repository that a cluster is brought to is expected";
        return Err(Error::Inputs(vec![inputs::GITOPS_REPOSITORY.problem("", expected)]));
    }
    if let config::Publish::No(why) = &config.publish {
        return Err(Error::Inputs(vec![pipeline::gitops::not_here(why)]));
    }
    let launcher = Launcher::of_this_process(config.sandbox);
    let checkout = Checkout::read(&launcher, &config.context, None, event.as_ref()).await?;
    let (repository, tag, digest) = asked;
    let commit = pipeline::gitops::own_commit(&config, checkout.source.commit);
    let update = Update { repository, tag, digest, commit, course: Course::Onward, mode: None };
    let ended = pipeline::gitops::by_itself(&config, update).await;
    let result = ended.as_ref().map_or(GitOpsResult::Failed, |(result, _)| *result);
    report::add_outputs(&vec![("gitops-result", result.name().to_owned())], &RunnerFiles::from_environment())?;
    tell(&ended?.1).map(|()| Exit::Done)
}

/// Lists the deliveries to an environment, or has the repository that a cluster is brought to name one of them again.
async fn rollback(inputs: &Inputs, request: &rollback::Request) -> Result<Exit, Error> {
    let event = read_event();
    let config = Config::without_build(inputs, &env(event.as_ref())).map_err(Error::Inputs)?;
    let ended = rollback::rollback(&config, inputs, event.as_ref(), request).await;
    if request.choice.is_some() {
        let result = match &ended {
            Ok(Answer::Done(done)) => done.result,
            _ => GitOpsResult::Failed,
        };
        report::add_outputs(&vec![("gitops-result", result.name().to_owned())], &RunnerFiles::from_environment())?;
    }
    match ended? {
        Answer::Listed(all, warnings) => {
            beside(&warnings)?;
            present(&all, request.json).map(|()| Exit::Done)
        }
        Answer::Refused(table) => present(&*table, request.json).map(|()| Exit::Blocked),
        Answer::Done(done) => {
            beside(&done.warnings)?;
            if request.json { answer(&Redacted::json(&done)) } else { tell(&format!("{}: {}", done.image, done.says)) }
                .map(|()| Exit::Done)
        }
    }
}

/// Says beside the answer what is to be looked at.
fn beside(warnings: &[String]) -> Result<(), Error> {
    if warnings.is_empty() { Ok(()) } else { printed(sink::say(Stream::Error, &warnings.join("\n"))) }
}

/// Gives what was asked for: as JSON, or for people.
fn present(document: &(impl Serialize + Display), json: bool) -> Result<(), Error> {
    if json { answer(&Redacted::json(document)) } else { tell(document.to_string().trim_end()) }
}

fn tell(text: &str) -> Result<(), Error> {
    printed(sink::say(Stream::Output, text))
}

fn answer(document: &Redacted) -> Result<(), Error> {
    printed(sink::answer(document))
}

fn printed(written: std::io::Result<()>) -> Result<(), Error> {
    written.map_err(|source| Error::Io { path: PathBuf::from("standard output"), source })
}

/// What is asked to be delivered.
#[derive(Clone, Copy)]
enum Asked<'a> {
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

async fn deliver(inputs: &Inputs, asked: Asked<'_>, lifeline: &Lifeline) -> Exit {
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
async fn open_reports(launcher: &Launcher, folder: &Path, project: &[PathBuf]) -> Result<report::Folder, report::Error> {
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
