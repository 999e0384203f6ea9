//! A delivery by the real binary, while a call to the outside meets a fault. `docs/faults.md` is the table; the rows here are data,
//! and one place ([`Scene::holds`]) has what no fault may change: no tag can be seen that was not cleared, the report and the exit
//! code say what happened, nothing is left behind, and the next delivery leaves all as it should be.
//!
//! What takes minutes, since a silence is given up after minutes, is ignored here, and run by `make faults`.

mod agent;
mod figures;
mod gitops;
mod kms;
mod line;
pub mod namespace;
mod registry_scan;
mod scene;
mod signing;
mod verification;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use doubles::aws::{self, Call, Times, World};
use doubles::clock::Clock;
use doubles::github;
use doubles::github::{Moment, Options};

use self::agent::{Agent, Manner};
use self::line::{Line, Now, Spoilt};
use self::scene::{Case, Comes, Scene, Template, case, ended_by, try_all};
use crate::support::processes::{arguments, children, running, signal, wait_until};
use crate::support::{Delivery, Ended, engines, job, part, released, script, tool};
use Comes::{Cancelled, Fails, Killed, Overcome};

/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;

// What is asked, as `docs/faults.md` has it.
const TOKENS: &str = "the run's token service";
const AWS: &str = "AWS STS and Amazon ECR";
const REGISTRY: &str = "a registry and its token server";
const GITHUB: &str = "GitHub's API";
const SCANNERS: &str = "gitleaks, trivy, syft, git and credential helpers";
const BUILDER: &str = "a Docker engine or a buildkitd";
const AGENT: &str = "an SSH agent";
const KEEPER: &str = "the process that does the work, gp-deliver's own";

/// What happens at a call of AWS, of the registry behind it, or of the token service.
#[derive(Debug)]
enum AtAws {
    /// Nobody listens where this variable says.
    Nobody(&'static str),
    /// The service does this.
    Answers(Call, Times, aws::Fault),
    /// The process that was started gets a signal during this request, counted from one and from the world's beginning.
    Signal(Call, usize, &'static str),
    /// The clock jumps by so many seconds during this request, counted as that.
    Jump(Call, usize, i64),
}

fn aws_cases() -> Vec<Case<AtAws>> {
    use AtAws::{Answers, Jump, Nobody, Signal};
    use Call::{AssumeRole, DescribeRepositories, GetAuthorizationToken, IdToken, ManifestPutTag, UploadPut};
    use Times::{Always, Once};
    use aws::Fault::{Expired, Hang, Refused, SessionEnds, ThrottleFor, Wrong};
    vec![
        // What is waited for longest comes first.
        case(TOKENS, "hung", Answers(IdToken, Always, Hang), Fails),
        case(AWS, "hung", Answers(AssumeRole, Always, Hang), Fails),
        case(AWS, "hung", Answers(GetAuthorizationToken, Always, Hang), Fails),
        case(AWS, "hung", Answers(DescribeRepositories, Always, Hang), Fails),
        case(TOKENS, "hung", Answers(IdToken, Once, Hang), Overcome),
        case(AWS, "hung", Answers(AssumeRole, Once, Hang), Overcome),
        case(TOKENS, "refused", Nobody("ACTIONS_ID_TOKEN_REQUEST_URL"), Fails),
        case(TOKENS, "refused", Answers(IdToken, Once, Refused), Overcome),
        case(TOKENS, "429", Answers(IdToken, Once, ThrottleFor(1)), Overcome),
        case(TOKENS, "wrong", Answers(IdToken, Always, Wrong), Fails),
        case(TOKENS, "expired", Answers(IdToken, Always, Expired), Fails),
        case(TOKENS, "SIGTERM", Signal(IdToken, 1, "TERM"), Cancelled),
        case(TOKENS, "SIGKILL", Signal(IdToken, 1, "KILL"), Killed),
        case(TOKENS, "clock", Jump(IdToken, 1, DAY), Overcome),
        case(TOKENS, "clock", Jump(IdToken, 1, -DAY), Overcome),
        case(AWS, "refused", Nobody("AWS_ENDPOINT_URL"), Fails),
        case(AWS, "refused", Answers(GetAuthorizationToken, Once, Refused), Overcome),
        case(AWS, "wrong", Answers(AssumeRole, Always, Wrong), Fails),
        case(AWS, "wrong", Answers(GetAuthorizationToken, Always, Wrong), Fails),
        case(AWS, "wrong", Answers(DescribeRepositories, Always, Wrong), Fails),
        case(AWS, "expired", Answers(AssumeRole, Always, Expired), Fails),
        case(AWS, "expired", Answers(GetAuthorizationToken, Always, Expired), Fails),
        case(AWS, "expired", Answers(GetAuthorizationToken, Once, SessionEnds), Overcome),
        case(AWS, "expired", Answers(DescribeRepositories, Once, SessionEnds), Overcome),
        case(AWS, "expired", Answers(DescribeRepositories, Always, SessionEnds), Fails),
        case(AWS, "SIGTERM", Signal(AssumeRole, 1, "TERM"), Cancelled),
        case(AWS, "SIGTERM", Signal(GetAuthorizationToken, 1, "TERM"), Cancelled),
        case(AWS, "SIGTERM", Signal(DescribeRepositories, 1, "TERM"), Cancelled),
        case(AWS, "SIGKILL", Signal(DescribeRepositories, 1, "KILL"), Killed),
        case(AWS, "clock", Jump(AssumeRole, 1, DAY), Overcome),
        case(AWS, "clock", Jump(GetAuthorizationToken, 1, -DAY), Overcome),
        case(REGISTRY, "clock", Jump(UploadPut, 1, DAY), Overcome),
        case(REGISTRY, "clock", Jump(ManifestPutTag, 1, -DAY), Overcome),
        case(REGISTRY, "wrong", Answers(UploadPut, Always, Wrong), Fails),
        case(REGISTRY, "429", Answers(ManifestPutTag, Once, ThrottleFor(1)), Overcome),
        case(REGISTRY, "SIGTERM", Signal(UploadPut, 1, "TERM"), Cancelled),
    ]
}

#[test]
fn no_fault_of_aws_shows_what_was_not_cleared_or_leaves_anything() {
    let template = Template::plain();
    try_all("AWS, its registry and the token service", &aws_cases(), |case| {
        let scene = Scene::in_world(&template);
        let ended = case.trouble.happens(&scene, scene.world());
        scene.holds(case.comes, &ended);
    });
}

impl AtAws {
    /// The scene's delivery, while this happens in a world.
    fn happens(&self, scene: &Scene, world: &World) -> Ended {
        match *self {
            Self::Nobody(variable) => scene.delivery.clone().variable(variable, "http://127.0.0.1:1/?a=b").output(),
            Self::Answers(call, times, fault) => {
                world.fail(call, times, fault);
                let ended = scene.delivery.output();
                world.mend(call);
                ended
            }
            Self::Signal(call, nth, name) => {
                let held = world.hold(call, nth);
                let ended = ended_by(&scene.delivery, || held.arrived(), name);
                held.gone();
                ended
            }
            Self::Jump(call, nth, seconds) => {
                let held = world.hold(call, nth);
                jumped(scene, &scene.delivery, |clock| {
                    held.arrived();
                    clock.jump(seconds);
                    held.release();
                })
            }
        }
    }
}

/// A delivery with a clock that may jump meanwhile.
fn jumped(scene: &Scene, delivery: &Delivery, meanwhile: impl FnOnce(&Clock)) -> Ended {
    let (mut command, clock) = namespace::with_clock(&scene.source, delivery);
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    meanwhile(&clock);
    running.wait_with_output().unwrap().into()
}

/// What happens at a call of GitHub's API.
#[derive(Debug)]
enum AtGitHub {
    /// GitHub does this.
    Answers(github::Call, github::Times, github::Fault),
    /// The process that was started gets a signal meanwhile.
    Signal(&'static str),
    /// The clock jumps by so many seconds meanwhile.
    Jump(i64),
}

fn github_cases() -> Vec<Case<AtGitHub>> {
    use AtGitHub::{Answers, Jump, Signal};
    use github::Call::{SarifStatus, UploadSarif};
    use github::Fault::{Expired, Hang, Wrong};
    use github::Times::{Always, First};
    vec![
        case(GITHUB, "hung", Answers(UploadSarif, First(1), Hang), Overcome),
        case(GITHUB, "wrong", Answers(UploadSarif, First(1), Wrong), Overcome),
        case(GITHUB, "wrong", Answers(UploadSarif, Always, Wrong), Fails),
        case(GITHUB, "wrong", Answers(SarifStatus, Always, Wrong), Fails),
        case(GITHUB, "expired", Answers(UploadSarif, Always, Expired), Fails),
        case(GITHUB, "SIGTERM", Signal("TERM"), Cancelled),
        case(GITHUB, "SIGKILL", Signal("KILL"), Killed),
        case(GITHUB, "clock", Jump(DAY), Overcome),
        case(GITHUB, "clock", Jump(-DAY), Overcome),
    ]
}

/// Those that take minutes.
fn slow_github_cases() -> Vec<Case<AtGitHub>> {
    let always = |call| AtGitHub::Answers(call, github::Times::Always, github::Fault::Hang);
    vec![
        case(GITHUB, "hung", always(github::Call::UploadSarif), Fails),
        case(GITHUB, "hung", always(github::Call::SarifStatus), Fails),
    ]
}

fn try_github(cases: &[Case<AtGitHub>]) {
    let template = Template::plain();
    try_all(GITHUB, cases, |case| {
        let mut scene = Scene::in_registry(&template);
        let repository = job::repository(&scene.source, Options::default());
        let own = [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_EVENT_NAME", "push".to_owned()),
            ("GITHUB_REF", "refs/heads/main".to_owned()),
            ("GITHUB_SHA", job::commit(&scene.source)),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        scene.delivery = own.into_iter().chain(repository.environment()).fold(
            // Below `test` nothing goes to GitHub's Security tab.
            scene.delivery.flag("--environment", "test"),
            |delivery, (name, value)| delivery.variable(&name, &value),
        );
        let ended = match case.trouble {
            AtGitHub::Answers(call, times, fault) => {
                repository.fail(call, times, fault);
                let ended = scene.delivery.output();
                repository.mend(call);
                ended
            }
            AtGitHub::Signal(name) => {
                let held = repository.hold(github::Call::UploadSarif, 1, Moment::Before);
                ended_by(&scene.delivery, || held.arrived(), name)
            }
            AtGitHub::Jump(seconds) => {
                let held = repository.hold(github::Call::UploadSarif, 1, Moment::Before);
                jumped(&scene, &scene.delivery, |clock| {
                    held.arrived();
                    clock.jump(seconds);
                    held.release();
                })
            }
        };
        scene.holds(case.comes, &ended);
    });
}

#[test]
fn no_fault_of_github_shows_what_was_not_cleared_or_leaves_anything() {
    try_github(&github_cases());
}

#[test]
#[ignore = "takes minutes: make faults"]
fn a_github_that_hangs_is_given_up() {
    try_github(&slow_github_cases());
}

/// What happens while gitleaks, trivy, syft or git runs.
#[derive(Debug)]
enum AtScanner {
    /// The kernel ends it, as it does with what takes too much memory.
    Ended,
    /// What it wrote is cut in the middle.
    Truncated,
    /// The process that was started gets a signal meanwhile.
    Signal(&'static str),
    /// The clock jumps by so many seconds when it begins.
    Jump(i64),
    /// The disk for what is kept for a moment is full.
    FullDisk,
}

fn scanner_cases() -> Vec<Case<(&'static str, AtScanner)>> {
    use AtScanner::{Ended, FullDisk, Jump, Signal, Truncated};
    let mut cases = vec![
        case(SCANNERS, "memory", ("git", Ended), Fails),
        case(SCANNERS, "disk", ("trivy", FullDisk), Fails),
        case(SCANNERS, "clock", ("gitleaks", Jump(DAY)), Overcome),
        case(SCANNERS, "clock", ("trivy", Jump(-DAY)), Overcome),
    ];
    for name in ["gitleaks", "trivy", "syft"] {
        cases.extend([
            case(SCANNERS, "memory", (name, Ended), Fails),
            case(SCANNERS, "truncated", (name, Truncated), Fails),
            case(SCANNERS, "SIGTERM", (name, Signal("TERM")), Cancelled),
            case(SCANNERS, "SIGKILL", (name, Signal("KILL")), Killed),
        ]);
    }
    cases
}

/// Cuts the reports that a scanner has written, as its arguments name them.
const TRUNCATE: &str = r#"REAL "$@"
code=$? words=("$@")
for ((at = 0; at < $#; at++)); do
  case ${words[at]} in
    --report-path | --output) file=${words[at + 1]} ;;
    --output=*=*) file=${words[at]##*=} ;;
    *) continue ;;
  esac
  /usr/bin/truncate --size=$(($(/usr/bin/stat --format=%s "$file") / 2)) "$file"
done
exit $code"#;

/// A delivery that finds a script in place of a program; of the program itself the script knows as `REAL`.
fn with_scanner(scene: &Scene, name: &str, text: &str) -> Delivery {
    let real = if name == "git" { "/usr/bin/git".into() } else { tool(name) };
    let text = text.replace("REAL", &real.display().to_string());
    let versions = r#"case $1 in version | --version) exec REAL "$@" ;; esac"#.replace("REAL", &real.display().to_string());
    script(&scene.source.beside("bin").join(name), &format!("#!/bin/bash\n{versions}\n{text}\n"));
    let bin = scene.source.beside("bin");
    scene.delivery.clone().without_sandbox().path(&format!("{}:{}", bin.display(), released()))
}

#[test]
fn no_fault_of_a_scanner_shows_what_was_not_cleared_or_leaves_anything() {
    let template = Template::plain();
    try_all("gitleaks, trivy, syft and git", &scanner_cases(), |case| {
        let scene = Scene::in_registry(&template);
        let (name, happens) = &case.trouble;
        let ended = match happens {
            AtScanner::Ended => with_scanner(&scene, name, "kill -KILL $$").output(),
            AtScanner::Truncated => with_scanner(&scene, name, TRUNCATE).output(),
            AtScanner::Signal(signal) => {
                let delivery = with_scanner(&scene, name, &format!("exec /bin/sleep {}", scene.marker));
                let sleeps = || running(&format!("sleep\0{}", scene.marker));
                ended_by(&delivery, || wait_until("the scanner begins", sleeps), signal)
            }
            AtScanner::Jump(seconds) => {
                let jump = scene.source.beside("clock/jump");
                let text = format!("echo {seconds} >'{}'\nexec REAL \"$@\"", jump.display());
                let ended = jumped(&scene, &with_scanner(&scene, name, &text), |_| ());
                assert!(jump.exists(), "the clock has jumped");
                ended
            }
            AtScanner::FullDisk => {
                scene.rewrite("FROM debian:bookworm-slim\nCOPY file /\n");
                namespace::with_small_disk(&scene.source, &scene.delivery, "tmp", 4)
            }
        };
        scene.holds(case.comes, &ended);
    });
}

#[test]
fn a_disk_that_is_full_while_an_image_is_fetched_shows_nothing_and_leaves_nothing() {
    let letters = rand::distr::SampleString::sample_string(&rand::distr::Alphanumeric, &mut rand::rng(), 2_000_000);
    let template = Template::of(&[("Dockerfile", "FROM scratch\nCOPY file /\n"), ("file", &letters)]);
    let cases = [case(REGISTRY, "disk", (), Fails)];
    try_all("a disk that is full", &cases, |case| {
        let scene = Scene::of_a_promotion(&template);
        let ended = namespace::with_small_disk(&scene.source, &scene.delivery, "report", 1);
        ended.says("The disk is full");
        scene.is_kept(case.comes, &ended);
        // What was copied out of the full disk is no report folder of gp-deliver's own.
        fs::remove_dir_all(scene.source.beside("report")).unwrap();
        scene.is_made_whole();
    });
}

/// What happens on the way to a builder.
#[derive(Debug)]
enum AtBuilder {
    /// This becomes of requests whose first line holds the text.
    Spoilt(&'static str, Spoilt),
    /// This becomes of all connections while a step runs.
    Becomes(Now),
    /// The process that was started gets a signal while a step runs.
    Signal(&'static str),
    /// The clock jumps by so many seconds while a step runs.
    Jump(i64),
}

/// The two ways to speak to a builder: the engine's API, with BuildKit behind an upgrade, and BuildKit's own.
#[derive(Clone, Copy, Debug)]
enum Builder {
    Docker,
    Buildkitd,
}

const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n{\"message\":\"it is broken: 1\"}";
const FULL: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 37\r\n\r\n{\"message\":\"no space left on device\"} ";
const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 22\r\n\r\n<!DOCTYPE html>Welcome";

fn builder_cases() -> Vec<Case<(Builder, AtBuilder)>> {
    use AtBuilder::{Becomes, Jump, Signal, Spoilt as Of};
    use Builder::{Buildkitd, Docker};
    use Spoilt::{Answered, Cut, CutAfter};
    let (version, save, upgrade) = ("/version", "/get ", "POST /grpc");
    vec![
        case(BUILDER, "cut", (Docker, Of(version, Cut)), Fails),
        case(BUILDER, "cut", (Docker, Of(upgrade, Cut)), Fails),
        case(BUILDER, "cut", (Buildkitd, Of("PRI ", Cut)), Fails),
        case(BUILDER, "cut", (Docker, Becomes(Now::Cut)), Fails),
        case(BUILDER, "cut", (Buildkitd, Becomes(Now::Cut)), Fails),
        case(BUILDER, "5xx", (Docker, Of(version, Answered(BROKEN))), Fails),
        case(BUILDER, "5xx", (Docker, Of("/info", Answered(BROKEN))), Fails),
        case(BUILDER, "5xx", (Docker, Of(upgrade, Answered(BROKEN))), Fails),
        case(BUILDER, "5xx", (Docker, Of(save, Answered(BROKEN))), Fails),
        case(BUILDER, "disk", (Docker, Of(save, Answered(FULL))), Fails),
        case(BUILDER, "wrong", (Docker, Of(version, Answered(PAGE))), Fails),
        case(BUILDER, "wrong", (Docker, Of(upgrade, Answered(PAGE))), Fails),
        case(BUILDER, "wrong", (Docker, Of(save, Answered(PAGE))), Fails),
        case(BUILDER, "wrong", (Buildkitd, Of("PRI ", Answered(PAGE))), Fails),
        case(BUILDER, "wrong", (Docker, Becomes(Now::Garbled)), Fails),
        case(BUILDER, "wrong", (Buildkitd, Becomes(Now::Garbled)), Fails),
        case(BUILDER, "truncated", (Docker, Of(version, CutAfter(300))), Fails),
        case(BUILDER, "truncated", (Docker, Of(save, CutAfter(1500))), Fails),
        case(BUILDER, "SIGTERM", (Docker, Signal("TERM")), Cancelled),
        case(BUILDER, "SIGKILL", (Docker, Signal("KILL")), Killed),
        case(BUILDER, "SIGTERM", (Buildkitd, Signal("TERM")), Cancelled),
        case(BUILDER, "SIGKILL", (Buildkitd, Signal("KILL")), Killed),
        case(BUILDER, "clock", (Docker, Jump(DAY)), Overcome),
        case(BUILDER, "clock", (Buildkitd, Jump(-DAY)), Overcome),
    ]
}

/// Those that take minutes.
fn slow_builder_cases() -> Vec<Case<(Builder, AtBuilder)>> {
    use AtBuilder::{Becomes, Spoilt as Of};
    use Builder::{Buildkitd, Docker};
    use Spoilt::Hung;
    vec![
        case(BUILDER, "hung", (Docker, Becomes(Now::Hung)), Fails),
        case(BUILDER, "hung", (Buildkitd, Becomes(Now::Hung)), Fails),
        case(BUILDER, "hung", (Docker, Of("/version", Hung)), Fails),
        case(BUILDER, "hung", (Docker, Of("POST /grpc", Hung)), Fails),
        case(BUILDER, "hung", (Buildkitd, Of("PRI ", Hung)), Fails),
    ]
}

const STEP: &str = "FROM debian:bookworm-slim AS build\nARG SECONDS=0\nRUN echo begun && sleep $SECONDS && echo 1 >/o\n\
                    FROM scratch\nCOPY file /\nCOPY --from=build /o /\n";

fn try_builder(cases: &[Case<(Builder, AtBuilder)>]) {
    let template = Template::plain();
    try_all(BUILDER, cases, |case| {
        let (builder, happens) = &case.trouble;
        let mut scene = Scene::in_registry(&template);
        scene.rewrite(STEP);
        let spoilt = if let AtBuilder::Spoilt(holds, spoilt) = happens { Some((*holds, *spoilt)) } else { None };
        let (line, delivery) = match builder {
            Builder::Docker => {
                let line = Line::to(&part("DOCKER"), spoilt);
                let delivery = scene.delivery.clone().variable("DOCKER_HOST", &line.address);
                (line, delivery)
            }
            Builder::Buildkitd => {
                let line = Line::to(&part("BUILDKITD"), spoilt);
                scene.delivery = scene.delivery.on(&engines()[2]);
                let delivery = scene.delivery.clone().flag("--buildkit-host", &line.address);
                (line, delivery)
            }
        };
        let slow = |seconds: &str| delivery.clone().flag("--build-args", &format!("SECONDS={seconds}"));
        let ended = match happens {
            AtBuilder::Spoilt(..) => delivery.output(),
            AtBuilder::Becomes(now) => begun(&mut slow(&scene.marker).command(), |_| line.is(*now)),
            AtBuilder::Signal(name) => begun(&mut slow(&scene.marker).command(), |process| signal(process, name)),
            AtBuilder::Jump(seconds) => {
                // No other build has a step of just this length in its cache.
                let delivery = slow(&format!("2.{}", scene.marker));
                let (mut command, clock) = namespace::with_clock(&scene.source, &delivery);
                begun(&mut command, |_| clock.jump(*seconds))
            }
        };
        line.is_left();
        scene.holds(case.comes, &ended);
    });
}

/// A delivery to which something happens while its build has a step that says that it has begun.
fn begun(command: &mut Command, happens: impl FnOnce(u32)) -> Ended {
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(running.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains(" begun\n") {
        assert!(log.read_line(&mut said).unwrap() > 0, "{said}");
    }
    happens(running.id());
    log.read_to_string(&mut said).unwrap();
    Ended { code: running.wait().unwrap().code(), stdout: String::new(), stderr: said }
}

#[test]
fn no_fault_of_a_builder_shows_what_was_not_cleared_or_leaves_anything() {
    try_builder(&builder_cases());
}

#[test]
#[ignore = "takes minutes: make faults"]
fn a_builder_that_hangs_is_given_up() {
    try_builder(&slow_builder_cases());
}

/// What happens to an SSH agent that a step asks.
#[derive(Debug)]
enum AtAgent {
    /// It answers so.
    Answers(Manner),
    /// The process that was started gets a signal while the agent is asked.
    Signal(&'static str),
}

fn agent_cases() -> Vec<Case<AtAgent>> {
    use AtAgent::{Answers, Signal};
    vec![
        case(AGENT, "refused", Answers(Manner::Refused), Fails),
        case(AGENT, "cut", Answers(Manner::Cut), Fails),
        case(AGENT, "wrong", Answers(Manner::Wrong), Fails),
        case(AGENT, "truncated", Answers(Manner::Truncated), Fails),
        case(AGENT, "SIGTERM", Signal("TERM"), Cancelled),
        case(AGENT, "SIGKILL", Signal("KILL"), Killed),
    ]
}

/// A step that can't do without the agent's keys.
const ASKING: &str = r#"perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new($ENV{SSH_AUTH_SOCK}) or die "no agent"; syswrite $s, pack("NC", 1, 11); read($s, $b, 9) == 9 && unpack("x4C", $b) == 12 or die "no answer"'"#;

fn try_agent(cases: &[Case<AtAgent>]) {
    let template = Template::plain();
    try_all(AGENT, cases, |case| {
        let mut scene = Scene::in_registry(&template);
        let mount = "--mount=type=ssh,id=keys,required=true";
        scene.rewrite(&format!(
            "FROM debian:bookworm-slim AS build\nARG MARKER\nRUN {mount} {ASKING} $MARKER && echo 1 >/o\nFROM scratch\nCOPY file /\n\
             COPY --from=build /o /\n"
        ));
        scene.delivery = scene.delivery.flag("--build-args", &format!("MARKER={}", scene.marker));
        let at = |manner| {
            let socket = scene.source.beside(&format!("{manner:?}"));
            (Agent::at(&socket, manner), scene.delivery.clone().flag("--ssh", &format!("keys={}", socket.display())))
        };
        let ended = match case.trouble {
            AtAgent::Answers(manner) => {
                let (_agent, delivery) = at(manner);
                delivery.output()
            }
            AtAgent::Signal(name) => {
                let (agent, delivery) = at(Manner::Hung);
                ended_by(&delivery, || agent.is_asked(), name)
            }
        };
        let (_agent, delivery) = at(Manner::Well);
        scene.delivery = delivery;
        scene.holds(case.comes, &ended);
    });
}

#[test]
fn no_fault_of_an_ssh_agent_shows_what_was_not_cleared_or_leaves_anything() {
    try_agent(&agent_cases());
}

fn slow_agent_cases() -> Vec<Case<AtAgent>> {
    vec![case(AGENT, "hung", AtAgent::Answers(Manner::Hung), Fails)]
}

#[test]
#[ignore = "takes minutes: make faults"]
fn an_agent_that_hangs_is_given_up() {
    try_agent(&slow_agent_cases());
}

/// The signals that the process gets which does the work, and then those of the one that was started.
fn keeper_cases() -> Vec<Case<(&'static [&'static str], &'static [&'static str])>> {
    vec![
        case(KEEPER, "hung", (&["STOP"][..], &["TERM"][..]), Cancelled),
        case(KEEPER, "SIGKILL", (&["KILL"], &[]), Fails),
        case(KEEPER, "SIGKILL", (&[], &["KILL"]), Killed),
        case(KEEPER, "SIGTERM", (&["TERM"], &[]), Cancelled),
    ]
}

#[test]
fn no_fault_of_the_process_that_works_shows_what_was_not_cleared_or_leaves_anything() {
    let template = Template::plain();
    try_all("the process that does the work", &keeper_cases(), |case| {
        let scene = Scene::in_registry(&template);
        // The scanner that begins once there is an image: one that a graph driver's engine still gives stays there when the worker
        // is gone.
        let delivery = with_scanner(&scene, "trivy", &format!("exec /bin/sleep {}", scene.marker));
        let (to_worker, to_keeper) = case.trouble;
        let keeper = delivery.spawn();
        wait_until("the scanner begins", || running(&format!("sleep\0{}", scene.marker)));
        scene.leaves_no_image();
        let worker = children(keeper.id()).into_iter().find(|child| arguments(*child).iter().any(|word| word == "__work"));
        to_worker.iter().for_each(|name| signal(worker.unwrap(), name));
        to_keeper.iter().for_each(|name| signal(keeper.id(), name));
        scene.holds(case.comes, &keeper.wait_with_output().unwrap().into());
    });
}

fn cells<Trouble>(cases: Vec<Case<Trouble>>) -> Vec<(&'static str, &'static str)> {
    cases.into_iter().map(|case| case.cell).collect()
}

#[test]
fn the_table_says_of_each_case_that_it_is_tried() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md")).unwrap();
    let rows: Vec<Vec<&str>> = page.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
    let is_tried = |(asked, fault): (&str, &str)| {
        rows.iter().any(|cells| cells.len() == 8 && cells[2] == asked && cells[3].split(", ").any(|one| one == fault))
    };
    let cells = [
        cells(aws_cases()),
        cells(github_cases()),
        cells(slow_github_cases()),
        cells(scanner_cases()),
        cells(builder_cases()),
        cells(slow_builder_cases()),
        cells(agent_cases()),
        cells(slow_agent_cases()),
        cells(keeper_cases()),
        signing::cells(),
        gitops::cells(),
        kms::cells(),
        verification::cells(),
        registry_scan::cells(),
        figures::cells(),
        vec![(REGISTRY, "disk")],
    ];
    let missing: Vec<_> = cells.concat().into_iter().filter(|cell| !is_tried(*cell)).collect();
    assert_eq!(missing, [("", ""); 0]);
}
