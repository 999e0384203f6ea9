//! The commands that deliver nothing: each asks, and gives its answer.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::delivery::open_reports;
use super::{env, read_event, refuse};
use crate::cli;
use crate::compare;
use crate::config::{self, Config};
use crate::error::{Error, Exit};
use crate::findings;
use crate::github::Event;
use crate::gitops::Course;
use crate::inputs::{self, Inputs};
use crate::matrix::{Known, Matrix};
use crate::pipeline::gitops::Update;
use crate::pipeline::{self, context, doctor};
use crate::plan::{self, Plan};
use crate::process::{Demand, Launcher};
use crate::pull_secret;
use crate::record::GitOpsResult;
use crate::report::{self, RunnerFiles};
use crate::repository::{self, ImagesRequest, LifecycleRequest, SettingsRequest};
use crate::rollback::{self, Answer};
use crate::scan;
use crate::setup::{self, CacheRepository, PolicyInputs};
use crate::sink::{self, Redacted, Stream};
use crate::source::{self, Checkout, Definition};
use crate::tags;
use crate::variables;
use crate::verify;
use crate::watch;

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
pub(super) async fn version() -> Exit {
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

pub(super) async fn plan(inputs: &Inputs, issuer: Option<String>) -> Result<Exit, Error> {
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

pub(super) async fn doctor(inputs: &Inputs, trust_policy: Option<&Path>) -> Result<Exit, Error> {
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

pub(super) async fn policy(inputs: &Inputs, kind: Option<setup::Kind>) -> Result<Exit, Error> {
    let preview = Preview::without_build(inputs).await?;
    let text = preview.policy_inputs(inputs)?.text(kind).map_err(Error::Inputs)?;
    tell(&text).map(|()| Exit::Done)
}

pub(super) async fn verify(request: &verify::Request) -> Result<Exit, Error> {
    let table = verify::verify(request).await?;
    present(&table, request.json)?;
    Ok(if table.holds { Exit::Done } else { Exit::Blocked })
}

pub(super) async fn watch(inputs: &Inputs, request: &watch::Request) -> Result<Exit, Error> {
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

pub(super) async fn compare(request: &compare::Request) -> Result<Exit, Error> {
    let comparison = compare::compare(request).await?;
    present(&comparison, request.json)?;
    Ok(if comparison.equal { Exit::Done } else { Exit::Blocked })
}

pub(super) async fn findings(inputs: &Inputs, request: &findings::Request) -> Result<Exit, Error> {
    let event = Event::read(variables::text);
    let found = findings::find(inputs, event.as_ref(), request).await?;
    present(&found, request.json)?;
    Ok(match (found.is_exceeded(), found.is_unknown()) {
        (true, _) => Exit::Blocked,
        (false, true) => Exit::Failed,
        (false, false) => Exit::Done,
    })
}

pub(super) async fn lifecycle(request: &LifecycleRequest) -> Result<Exit, Error> {
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

pub(super) async fn settings(inputs: &Inputs, request: &SettingsRequest) -> Result<Exit, Error> {
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

pub(super) async fn repositories(inputs: &Inputs, json: bool) -> Result<Exit, Error> {
    let event = Event::read(variables::text);
    let config = Config::without_build(inputs, &env(event.as_ref())).map_err(Error::Inputs)?;
    let all = repository::all(&config, event.as_ref()).await?;
    present(&all, json).map(|()| Exit::Done)
}

pub(super) async fn images(inputs: &Inputs, request: ImagesRequest) -> Result<Exit, Error> {
    let event = Event::read(variables::text);
    let config = Config::without_build(inputs, &env(event.as_ref())).map_err(Error::Inputs)?;
    let images = repository::images(&config, event.as_ref(), request).await?;
    present(&images, request.json)?;
    Ok(if images.is_unseen() { Exit::Failed } else { Exit::Done })
}

pub(super) async fn pull_secret(request: &pull_secret::Request) -> Result<Exit, Error> {
    let report = pull_secret::keep(request).await?;
    tell(report.to_string().trim_end()).map(|()| Exit::Done)
}

pub(super) async fn show(inputs: &Inputs) -> Result<Exit, Error> {
    let event = read_event();
    let config = Config::without_build(inputs, &env(event.as_ref())).map_err(Error::Inputs)?;
    let job = inputs.get(&inputs::JOB_RESULT).map_err(Error::Inputs)?;
    let platforms = inputs.get(&inputs::PLATFORMS).map_err(Error::Inputs)?;
    let platform = platforms.first().filter(|_| config.untagged);
    let shown = pipeline::show(&config, event.as_ref(), job, platform).await?;
    tell(&shown.join("\n")).map(|()| Exit::Done)
}

/// Has the repository that a cluster is brought to name an image that is out.
pub(super) async fn gitops(inputs: &Inputs, image: &str) -> Result<Exit, Error> {
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
pub(super) async fn rollback(inputs: &Inputs, request: &rollback::Request) -> Result<Exit, Error> {
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
