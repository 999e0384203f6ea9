//! One solve: a Dockerfile and its options in, an exported result out.
//!
//! The frontend is run through the gateway (`moby.buildkit.v1.frontend.LLBBridge`) while `Control/Solve` waits for what it
//! returns. That is one round more than naming the frontend in `Control/Solve`, but its answer carries the source map:
//! with it the failing step's file and line are known on every builder, old ones too.

use std::collections::HashMap;

use bollard_buildkit_proto::google::rpc;
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use bollard_buildkit_proto::moby::buildkit::v1::frontend::llb_bridge_client::LlbBridgeClient;
use bollard_buildkit_proto::moby::buildkit::v1::frontend::{self, ReturnRequest, StatFileRequest, result};
use bollard_buildkit_proto::moby::buildkit::v1::{CacheOptions, CacheOptionsEntry, Exporter, SolveRequest, StatusRequest};
use bollard_buildkit_proto::pb;
use tokio::time::{Instant, timeout};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::contexts::{self, Contexts, Given};
use super::error::{Error, StepFailure, is_lost};
use super::export::described;
use super::id::random_id;
use super::materials;
use super::progress::{BuildEvent, CacheRead, FailedStep, LOOK, Progress, StepSeen};
use crate::build_check::BuildCheck;
use crate::finding::Instruction;
use crate::materials::Materials;
use crate::oci::{Digest, Platform};

/// What to solve.
#[derive(Clone, Debug, Default)]
pub(crate) struct Solve {
    /// Options of the Dockerfile frontend (`target`, `build-arg:NAME`, `label:KEY`, `platform`, …).
    pub(crate) frontend_attributes: HashMap<String, String>,
    /// What the steps need the builder's permission for.
    pub(crate) entitlements: Vec<String>,
    /// What the Dockerfile takes files from by a name.
    pub(crate) contexts: Contexts,
    /// The exporter's name and options; without one the result is only built.
    pub(crate) exporter: Option<(&'static str, HashMap<String, String>)>,
    /// The caches that its steps go to.
    pub(crate) cache_exports: Vec<CacheOptionsEntry>,
    /// Whether the whole result is to be in the builder: what it takes from a cache or a layout it fetches when somebody looks at it.
    pub(crate) whole: bool,
}

/// The result of a solve.
#[derive(Debug)]
pub(crate) struct Solved {
    /// The exporter's answer (`containerimage.digest`, …).
    pub(crate) response: HashMap<String, String>,
    /// What the builder's own checks say of the Dockerfile.
    pub(crate) checks: Vec<BuildCheck>,
    /// What the result was built from.
    pub(crate) materials: Materials,
    /// The steps of the Dockerfile.
    pub(crate) steps: Vec<StepSeen>,
    /// The caches that were read.
    pub(crate) read: Vec<CacheRead>,
    /// The diff IDs of the image that the result begins with, where the frontend tells of one (BuildKit 0.12).
    pub(crate) base: Option<Vec<Digest>>,
}

/// What the frontend is asked for.
struct Asked<'a> {
    attributes: HashMap<String, String>,
    contexts: &'a Contexts,
    whole: bool,
}

/// What the frontend says beside the result.
#[derive(Default)]
struct Said {
    definitions: Vec<pb::Definition>,
    base: Option<Vec<Digest>>,
}

/// The name under which it tells of that image (BuildKit, `exporter/containerimage/exptypes`).
const BASE: &str = "containerimage.base.config";

/// Solves with the files of session `session`; `show` receives the progress. Dropping the future cancels the solve: the
/// builder kills the running step.
///
/// # Errors
/// The build failed, or the connection to the builder was lost.
pub(crate) async fn solve(
    channel: &Channel,
    session: &str,
    solve: Solve,
    show: &(dyn Fn(BuildEvent) + Send + Sync),
) -> Result<Solved, Error> {
    let reference = random_id();
    let mut control = ControlClient::new(channel.clone()).max_decoding_message_size(64 << 20);
    let (exporter, exporter_attributes) =
        solve.exporter.map_or((String::new(), HashMap::new()), |(name, attributes)| (name.to_owned(), attributes));
    let request = SolveRequest {
        r#ref: reference.clone(),
        session: session.to_owned(),
        // Builders before 0.13 know only the deprecated fields, and later ones read either.
        exporters: if exporter.is_empty() {
            vec![]
        } else {
            vec![Exporter { r#type: exporter.clone(), attrs: exporter_attributes.clone() }]
        },
        exporter_deprecated: exporter,
        exporter_attrs_deprecated: exporter_attributes,
        // By it an exporter tells whether the image is for the platform that was asked for.
        frontend_attrs: solve
            .frontend_attributes
            .get("platform")
            .map(|platform| ("platform".to_owned(), platform.clone()))
            .into_iter()
            .collect(),
        entitlements: solve.entitlements,
        cache: Some(CacheOptions { exports: solve.cache_exports, ..CacheOptions::default() }),
        ..SolveRequest::default()
    };
    let mut progress = Progress::default();
    let mut said = Said::default();
    let outcome = {
        let watch = watch(channel, &reference, &mut progress, show);
        let what = Asked { attributes: solve.frontend_attributes, contexts: &solve.contexts, whole: solve.whole };
        let gateway = gateway(channel, &reference, what, &mut said);
        let solved = control.solve(request);
        let work = async { tokio::join!(solved, gateway) };
        tokio::pin!(watch, work);
        tokio::select! {
            outcome = &mut work => {
                // The last messages may still be in the stream. A rejected solve never had one: the limit ends its watch.
                let _ = timeout(std::time::Duration::from_millis(300), watch).await;
                outcome
            }
            watched = &mut watch => match watched {
                Watched::Over => work.await,
                // What is dropped is cancelled.
                Watched::Waiting => return Err(Error::CacheSilent),
            },
        }
    };
    match outcome {
        (Ok(response), _) => {
            let (checks, materials) = (progress.checks().to_vec(), materials::of(&said.definitions, &progress, &solve.contexts));
            let (steps, read) = (progress.steps_seen(), progress.caches_read());
            Ok(Solved { response: response.into_inner().exporter_response, checks, materials, steps, read, base: said.base })
        }
        // A build that the builder has not even begun is one that the frontend does not find.
        (Err(status), Err(frontend)) if !frontend.message().contains("no such job") => {
            Err(failure(&frontend, &status, &progress, said.definitions.first()))
        }
        (Err(status), _) => Err(failure(&status, &status, &progress, said.definitions.first())),
    }
}

/// Why the progress is followed no more.
enum Watched {
    /// There is no more of it.
    Over,
    /// A cache is waited for in vain.
    Waiting,
}

/// Follows the status stream until it ends.
async fn watch(
    channel: &Channel,
    reference: &str,
    progress: &mut Progress,
    show: &(dyn Fn(BuildEvent) + Send + Sync),
) -> Watched {
    let mut control = ControlClient::new(channel.clone()).max_decoding_message_size(64 << 20);
    let Ok(response) = control.status(StatusRequest { r#ref: reference.to_owned() }).await else { return Watched::Over };
    let mut stream = response.into_inner();
    loop {
        match timeout(LOOK, stream.message()).await {
            Ok(Ok(Some(response))) => progress.update(response).into_iter().for_each(show),
            Ok(_) => return Watched::Over,
            Err(_) => {}
        }
        if progress.waits_for_a_cache(Instant::now()) {
            return Watched::Waiting;
        }
    }
}

/// Runs the Dockerfile frontend and hands its result to the waiting solve.
async fn gateway(channel: &Channel, reference: &str, asked: Asked<'_>, said: &mut Said) -> Result<(), Status> {
    let Asked { mut attributes, contexts, whole } = asked;
    let mut bridge = LlbBridgeClient::new(channel.clone()).max_decoding_message_size(64 << 20);
    pin(&mut bridge, reference, &mut attributes, contexts).await?;
    let request = frontend::SolveRequest {
        frontend: "dockerfile.v0".to_owned(),
        frontend_opt: attributes,
        allow_result_return: true,
        allow_result_array_ref: true,
        ..frontend::SolveRequest::default()
    };
    let mut solved = bridge.solve(for_build(request, reference)?).await;
    if whole && let Ok(response) = &solved {
        let roots: Vec<_> = response.get_ref().result.iter().flat_map(references).map(|root| root.id.clone()).collect();
        for r#ref in roots.into_iter().filter(|id| !id.is_empty()) {
            let request = StatFileRequest { r#ref, path: "/".to_owned(), ..StatFileRequest::default() };
            if let Err(status) = bridge.stat_file(for_build(request, reference)?).await {
                solved = Err(status);
                break;
            }
        }
    }
    let answer = match solved {
        Ok(response) => {
            let result = response.into_inner().result;
            said.definitions = result.as_ref().map(definitions_of).unwrap_or_default();
            let base = result.as_ref().and_then(|result| result.metadata.get(BASE));
            said.base = base.and_then(|config| described(config).ok()).map(|(_, diff_ids)| diff_ids);
            ReturnRequest { result, error: None }
        }
        Err(status) => {
            let error = rpc::Status { code: Code::Unknown as i32, message: status.message().to_owned(), details: vec![] };
            // The waiting solve must end too; its own answer to this is of no interest.
            let _ = bridge.r#return(for_build(ReturnRequest { result: None, error: Some(error) }, reference)?).await;
            return Err(status);
        }
    };
    bridge.r#return(for_build(answer, reference)?).await.map(|_| ())
}

/// Has each image that is a named context be taken by the digest that its name is resolved to now, as a frontend takes the images
/// of `FROM`: a definition names it otherwise by its tag alone. One that can't be resolved is for the frontend to fail on.
async fn pin(
    bridge: &mut LlbBridgeClient<Channel>,
    reference: &str,
    attributes: &mut HashMap<String, String>,
    contexts: &Contexts,
) -> Result<(), Status> {
    for (name, given) in contexts {
        let Given::Image(image) = given else { continue };
        let Some(image) = contexts::unpinned(image) else { continue };
        let platform = attributes.get("platform").and_then(|platform| platform.parse::<Platform>().ok());
        let request = frontend::ResolveImageConfigRequest {
            r#ref: image.clone(),
            platform: platform.map(|platform| pb::Platform {
                architecture: platform.architecture,
                os: platform.os,
                variant: platform.variant.unwrap_or_default(),
                ..pb::Platform::default()
            }),
            resolve_mode: attributes.get("image-resolve-mode").cloned().unwrap_or_default(),
            log_name: format!("[context {name}] load metadata for {image}"),
            ..frontend::ResolveImageConfigRequest::default()
        };
        if let Ok(resolved) = bridge.resolve_image_config(for_build(request, reference)?).await
            && let Ok(digest) = resolved.into_inner().digest.parse::<Digest>()
        {
            attributes.insert(format!("context:{name}"), format!("docker-image://{image}@{digest}"));
        }
    }
    Ok(())
}

fn for_build<T>(message: T, reference: &str) -> Result<Request<T>, Status> {
    let mut request = Request::new(message);
    let value = reference.parse().map_err(|_| Status::internal("build reference"))?;
    request.metadata_mut().insert("buildkit-controlapi-buildid", value);
    Ok(request)
}

fn definitions_of(result: &frontend::Result) -> Vec<pb::Definition> {
    references(result).into_iter().filter_map(|one| one.def.clone()).collect()
}

fn references(result: &frontend::Result) -> Vec<&frontend::Ref> {
    match &result.result {
        Some(result::Result::Ref(reference)) => vec![reference],
        Some(result::Result::Refs(references)) => references.refs.values().collect(),
        _ => Vec::new(),
    }
}

fn failure(status: &Status, other: &Status, progress: &Progress, definition: Option<&pb::Definition>) -> Error {
    if let Some(error) = failed_checks(status.message(), progress.checks()) {
        return error;
    }
    if is_called_off(status) && (is_called_off(other) || is_lost(other)) {
        return Error::Lost { reason: format!("the builder called the build off: {}", status.message()) };
    }
    // A step that failed says more than the solve that failed because of it.
    if let Some(step) = progress.failed() {
        let at = definition.and_then(|definition| locate(definition, &step.digest));
        if at.is_none()
            && let Some(error) = dockerfile_error(status.message())
        {
            return error;
        }
        return Error::Step(Box::new(step_failure(step, status, at)));
    }
    if is_lost(status) || is_lost(other) {
        return Error::Lost { reason: status.message().to_owned() };
    }
    dockerfile_error(status.message()).unwrap_or_else(|| Error::call("build", status))
}

/// Whether a builder says that somebody called the build off. Nobody here did, who would not wait for the answer: it does so when
/// it is told to end. What a step is called stands before that.
fn is_called_off(status: &Status) -> bool {
    status.code() == Code::Cancelled || status.message().ends_with("context canceled")
}

fn step_failure(step: FailedStep, status: &Status, at: Option<Instruction>) -> StepFailure {
    let message = if step.error.is_empty() { status.message().to_owned() } else { step.error };
    StepFailure { step: step.name, message, at, lines: step.lines }
}

/// Where the vertex `digest` stands in the Dockerfile.
fn locate(definition: &pb::Definition, digest: &str) -> Option<Instruction> {
    let source = definition.source.as_ref()?;
    let location = source.locations.get(digest)?.locations.first()?;
    let info = source.infos.get(usize::try_from(location.source_index).ok()?)?;
    let lines = || location.ranges.iter().filter_map(|range| Some((range.start?.line, range.end?.line)));
    let first = u32::try_from(lines().map(|(start, _)| start).min()?).ok()?;
    let last = u32::try_from(lines().map(|(_, end)| end).max()?).ok()?;
    let text = String::from_utf8_lossy(&info.data);
    let text = text.lines().nth(usize::try_from(first).ok()?.checked_sub(1)?)?.to_owned();
    Some(Instruction { file: info.filename.clone(), line: first, end_line: last.max(first), text })
}

/// What a frontend says of a Dockerfile that is to fail on its checks (BuildKit, `frontend/dockerfile/linter`).
const VIOLATION: &str = "lint violation found for rules: ";

/// The checks that a Dockerfile does not pass and asks to fail on (`# check=error=true`).
fn failed_checks(message: &str, checks: &[BuildCheck]) -> Option<Error> {
    let rules = message.split_once(VIOLATION)?.1;
    let checks = checks.iter().map(|check| BuildCheck { fails: true, ..check.clone() }).collect();
    Some(Error::Checks { rules: rules.to_owned(), checks })
}

/// An error of the Dockerfile itself: `dockerfile parse error line 3: unknown instruction: FOO` (BuildKit 0.8), `… on line
/// 3: …` (later).
fn dockerfile_error(message: &str) -> Option<Error> {
    let start = message.find("dockerfile parse error").or_else(|| message.find("Dockerfile parse error"))?;
    let message = &message[start..];
    let after = message.split_once("line ").map(|(_, after)| after);
    let line = after.and_then(|after| after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
    let at = line.map(|line| Instruction { file: String::new(), line, end_line: line, text: String::new() });
    Some(Error::Dockerfile { message: message.to_owned(), at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dockerfile_that_is_to_fail_on_its_checks_fails_with_what_they_say() {
        let check = BuildCheck::read("FromAsCasing: x (line 1)", (1, 1), "");
        let said = "failed to solve: lint violation found for rules: FromAsCasing";
        let Some(Error::Checks { rules, checks }) = failed_checks(said, std::slice::from_ref(&check)) else { panic!("{said}") };
        assert_eq!((&*rules, checks), ("FromAsCasing", vec![BuildCheck { fails: true, ..check }]));
        assert!(failed_checks("exit code: 1", &[]).is_none());
    }

    #[test]
    fn a_builder_that_is_told_to_end_is_gone_and_a_step_that_fails_is_not_whatever_it_is_called() {
        let failed =
            |message: &str, other: &str| failure(&Status::unknown(message), &Status::unknown(other), &Progress::default(), None);
        let killed = "process \"/bin/sh -c make\" did not complete successfully: exit code: 137: context canceled";
        assert!(matches!(failed(killed, killed), Error::Lost { .. }));
        assert!(matches!(
            failure(&Status::cancelled("x"), &Status::unavailable("y"), &Progress::default(), None),
            Error::Lost { .. }
        ));
        let named = "process \"/bin/sh -c false # context canceled\" did not complete successfully: exit code: 1";
        assert!(matches!(failed(named, named), Error::Call { .. }));
        // The frontend is called off where something else has failed.
        assert!(matches!(failed("context canceled", "no space left on device"), Error::Call { .. }));
    }

    #[test]
    fn a_parse_error_of_either_generation_gives_its_line() {
        for message in [
            "dockerfile parse error line 3: unknown instruction: FOO",
            "failed to solve: dockerfile parse error on line 3: unknown instruction: FOO",
        ] {
            let Some(Error::Dockerfile { at: Some(at), .. }) = dockerfile_error(message) else { panic!("{message}") };
            assert_eq!(at.line, 3);
        }
        assert!(dockerfile_error("failed to solve: exit code: 1").is_none());
    }
}
