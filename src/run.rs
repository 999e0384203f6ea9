//! A run of the program, from its arguments to its exit code.

mod answers;
mod delivery;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use self::delivery::Asked;
use crate::cli::{self, Request};
use crate::config::Env;
use crate::diagnosis::Diagnosis;
use crate::error::{Error, Exit};
use crate::github::{Event, commands};
use crate::keeper::{self, Lifeline, Role};
use crate::process;
use crate::redaction;
use crate::sink::{self, Lines, Stream};
use crate::variables;

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
            Request::Version => answers::version().await,
            Request::Plan(inputs, issuer) => answers::plan(&inputs, issuer).await.unwrap_or_else(|error| refuse(&error)),
            Request::Doctor(inputs, file) => {
                answers::doctor(&inputs, file.as_deref()).await.unwrap_or_else(|error| refuse(&error))
            }
            Request::Policy(inputs, kind) => answers::policy(&inputs, kind).await.unwrap_or_else(|error| refuse(&error)),
            Request::Verify(request) => answers::verify(&request).await.unwrap_or_else(|error| refuse(&error)),
            Request::Watch(inputs, request) => answers::watch(&inputs, &request).await.unwrap_or_else(|error| refuse(&error)),
            Request::Findings(inputs, request) => {
                answers::findings(&inputs, &request).await.unwrap_or_else(|error| refuse(&error))
            }
            Request::Compare(request) => answers::compare(&request).await.unwrap_or_else(|error| refuse(&error)),
            Request::Lifecycle(request) => answers::lifecycle(&request).await.unwrap_or_else(|error| refuse(&error)),
            Request::Repository(inputs, request) => {
                answers::settings(&inputs, &request).await.unwrap_or_else(|error| refuse(&error))
            }
            Request::GitOps(inputs, image) => answers::gitops(&inputs, &image).await.unwrap_or_else(|error| refuse(&error)),
            Request::Rollback(inputs, request) => {
                answers::rollback(&inputs, &request).await.unwrap_or_else(|error| refuse(&error))
            }
            Request::Repositories(inputs, json) => {
                answers::repositories(&inputs, json).await.unwrap_or_else(|error| refuse(&error))
            }
            Request::Images(inputs, request) => answers::images(&inputs, request).await.unwrap_or_else(|error| refuse(&error)),
            Request::PullSecret(request) => answers::pull_secret(&request).await.unwrap_or_else(|error| refuse(&error)),
            Request::Show(inputs) => answers::show(&inputs).await.unwrap_or_else(|error| refuse(&error)),
            Request::Deliver(inputs) => Box::pin(delivery::deliver(&inputs, Asked::Source, lifeline)).await,
            Request::Assemble(inputs) => Box::pin(delivery::deliver(&inputs, Asked::Parts, lifeline)).await,
            Request::Promote(inputs, from) => Box::pin(delivery::deliver(&inputs, Asked::Image(&from), lifeline)).await,
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
