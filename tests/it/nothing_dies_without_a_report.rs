//! What gp-deliver holds in confidence is in its memory alone, and whatever ends it leaves a report and nothing else.

use std::any::Any;
use std::fs;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use doubles::github::{Call, Moment};
use doubles::proxy::{ALWAYS, Challenge, Fault, Proxy, rule};
use doubles::registry::{Options, Registry, crane};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc as mpsc_async, watch};

use crate::support::job::{push, repository};
use crate::support::processes::{arguments, children, family, open_to_others, running, signal, wait_until};
use crate::support::{Delivery, Source, engine, part, script, tool};

/// The stages that can be held, each by what it waits for then. The decision takes no time.
const STAGES: [&str; 12] = [
    "preflight",
    "destination",
    "secrets",
    "checks",
    "build",
    "promotion",
    "database",
    "vulnerabilities",
    "sbom",
    "code-scanning",
    "upload",
    "publish",
];

/// A delivery with everything in its environment that must not be read.
struct Stage {
    name: &'static str,
    source: Source,
    delivery: Delivery,
    /// An argument that only a program of this delivery has.
    marker: String,
    arrival: Arrival,
    /// What the delivery speaks to.
    world: Vec<Box<dyn Any>>,
}

/// How it is known that the stage is held.
enum Arrival {
    /// A program with the marker runs.
    Program,
    /// Something was asked.
    Asked(Box<dyn FnOnce()>),
}

/// How long a stage may take to begin.
const PATIENCE: Duration = Duration::from_mins(1);

fn asked(runtime: &Runtime, mut told: mpsc_async::UnboundedReceiver<()>) -> Arrival {
    let runtime = runtime.handle().clone();
    let arrive = move || runtime.block_on(async { tokio::time::timeout(PATIENCE, told.recv()).await }).unwrap().unwrap();
    Arrival::Asked(Box::new(arrive))
}

/// What must not be read, and how it is given.
fn secrets() -> Vec<(&'static str, String)> {
    let names = [
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "ACTIONS_RUNTIME_TOKEN",
        "INPUT_GITHUB-TOKEN",
        "INPUT_LABELS",
        "GITHUB_TOKEN",
        "BUILD_TOKEN",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "REGISTRY_PASSWORD",
        "HTTPS_PROXY",
    ];
    let planted = |name: &str| format!("planted-{}", name.to_lowercase().replace('_', "-"));
    names.into_iter().map(|name| (name, planted(name))).collect()
}

impl Stage {
    /// A delivery that will be held in a stage.
    fn hold(name: &'static str, runtime: &Runtime, number: u32) -> Self {
        let marker = format!("{}{number}", 100_000 + std::process::id() % 100_000);
        let slow = format!("RUN sleep {marker}\n");
        let (check, build) = match name {
            "checks" => (slow.as_str(), ""),
            "build" => ("", slow.as_str()),
            _ => ("", ""),
        };
        let base = "FROM debian:bookworm-slim AS";
        let dockerfile = if check.is_empty() && build.is_empty() {
            "FROM scratch\nCOPY a /\n".to_owned()
        } else {
            format!("{base} lint\n{check}\n{base} image\n{build}COPY a /\n")
        };
        let source = Source::in_git(&[("Dockerfile", &dockerfile), ("a", "1")]);
        let delivery = source.deliver().on(&engine()).flag("--environment", "dev").flag("--tags", "v1");
        let mut stage = Self { name, delivery, source, marker, arrival: Arrival::Program, world: Vec::new() };
        stage.surround();
        match name {
            "preflight" => stage.silent_engine(),
            "checks" => stage.delivery = stage.delivery.flag("--check-targets", "lint"),
            "build" => {}
            "secrets" => stage.slow_scanner("gitleaks", "version"),
            "vulnerabilities" => stage.slow_scanner("trivy", "--version"),
            "sbom" => stage.slow_scanner("syft", "--version"),
            "destination" => stage.slow_registry(runtime, "GET", "/v2/"),
            "promotion" => stage.promote(runtime),
            "upload" => stage.slow_registry(runtime, "POST", "/blobs/uploads/"),
            "publish" => stage.slow_registry(runtime, "PUT", "/manifests/v1"),
            "database" => stage.slow_mirror(runtime),
            "code-scanning" => stage.slow_security_tab(),
            _ => panic!("no such stage"),
        }
        stage
    }

    /// A job of GitHub Actions, with folders of its own.
    fn surround(&mut self) {
        let mut delivery = self.delivery.clone();
        for (name, value) in secrets() {
            let value = match name {
                "HTTPS_PROXY" => format!("http://user:{value}@127.0.0.1:1"),
                "INPUT_LABELS" => format!("a={value}"),
                _ => value,
            };
            delivery = delivery.variable(name, &value);
        }
        for file in ["github_output", "github_summary"] {
            fs::write(self.source.beside(file), "").unwrap();
        }
        fs::create_dir(self.source.beside("tmp")).unwrap();
        let path = |name: &str| self.source.beside(name).display().to_string();
        let commit = self.source.git(&["rev-parse", "HEAD"]);
        for (name, value) in [
            ("NO_PROXY", "127.0.0.1,localhost"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", &commit),
            ("GITHUB_OUTPUT", &path("github_output")),
            ("GITHUB_STEP_SUMMARY", &path("github_summary")),
            ("TMPDIR", &path("tmp")),
        ] {
            delivery = delivery.variable(name, value);
        }
        let delivery = delivery.flag("--build-secrets", "id=token,env=BUILD_TOKEN");
        self.delivery = delivery.flag("--build-args", "UNUSED=planted-argument");
    }

    fn silent_engine(&mut self) {
        let socket = self.source.beside("silent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (arrived, arrival) = mpsc::channel();
        std::thread::spawn(move || {
            let mut connections = Vec::new();
            for connection in listener.incoming() {
                connections.push(connection);
                // A test that has gone on no longer cares.
                let _ = arrived.send(());
            }
        });
        self.delivery = self.delivery.clone().variable("DOCKER_HOST", &format!("unix://{}", socket.display()));
        self.arrival = Arrival::Asked(Box::new(move || arrival.recv_timeout(PATIENCE).unwrap()));
    }

    fn slow_scanner(&mut self, name: &str, version: &str) {
        let text = format!(
            "#!/bin/sh\n[ \"$1\" = {version} ] && exec {} \"$@\"\nexec /bin/sleep {}\n",
            tool(name).display(),
            self.marker
        );
        script(&self.source.beside("bin").join(name), &text);
        let path = format!("{}:{}:/usr/bin:/bin", self.source.beside("bin").display(), part("TOOLS"));
        self.delivery = self.delivery.clone().path(&path).without_sandbox();
    }

    /// A registry that holds requests; what was asked before passes.
    fn slow_registry(&mut self, runtime: &Runtime, method: &'static str, holds: &str) {
        let registry = Registry::start(Options::default());
        self.slow_line_to(registry, runtime, method, holds);
    }

    fn slow_line_to(&mut self, registry: Registry, runtime: &Runtime, method: &'static str, holds: &str) {
        let (release, held) = watch::channel(false);
        let (tell, told) = mpsc_async::unbounded_channel();
        let rules = vec![rule(method, holds, ALWAYS, Fault::HoldAndTell(held, tell))];
        let proxy = runtime.block_on(Proxy::start(&registry.address, Challenge::Nothing, rules));
        self.delivery = self.delivery.clone().flag("--destination", &format!("{}/team/app", proxy.address));
        self.arrival = asked(runtime, told);
        self.world.extend([Box::new(registry) as Box<dyn Any>, Box::new(release), Box::new(proxy)]);
    }

    /// Another environment has the commit's image, which takes its time to come.
    fn promote(&mut self, runtime: &Runtime) {
        let registry = Registry::start(Options::default());
        let destination = format!("{}/team/app", registry.address);
        self.delivery = self.delivery.clone().flag("--reuse", "claimed").flag("--tags", "{sha},{env}-{sha}");
        self.delivery.clone().flag("--environment", "local").flag("--destination", &destination).ends_with(0);
        for file in ["github_output", "github_summary"] {
            fs::write(self.source.beside(file), "").unwrap();
        }
        // Its configuration is looked at before: what is promoted is the rest.
        let manifest: serde_json::Value =
            serde_json::from_str(&crane(&["manifest", "--insecure", &format!("{destination}:local-{}", self.sha())])).unwrap();
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        self.slow_line_to(registry, runtime, "GET", &format!("/blobs/{layer}"));
    }

    fn sha(&self) -> String {
        self.source.git(&["rev-parse", "HEAD"])[..7].to_owned()
    }

    fn slow_mirror(&mut self, runtime: &Runtime) {
        let (release, held) = watch::channel(false);
        let (tell, told) = mpsc_async::unbounded_channel();
        let rules = vec![rule("GET", "", ALWAYS, Fault::HoldAndTell(held, tell))];
        let proxy = runtime.block_on(Proxy::start("127.0.0.1:1", Challenge::Nothing, rules));
        self.delivery = self.delivery.clone().flag("--trivy-db-repository", &format!("{}/trivy-db:2", proxy.address));
        self.arrival = asked(runtime, told);
        self.world.extend([Box::new(release) as Box<dyn Any>, Box::new(proxy)]);
    }

    fn slow_security_tab(&mut self) {
        let repository = repository(&self.source, doubles::github::Options::default());
        let held = repository.hold(Call::UploadSarif, 1, Moment::Before);
        let github = push(&self.source, &repository, "test").command();
        for (name, value) in github.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?))) {
            if name.starts_with("GITHUB_") || name.starts_with("INPUT_") {
                self.delivery = self.delivery.clone().variable(name, value);
            }
        }
        self.delivery = self.delivery.clone().flag("--environment", "test");
        self.arrival = Arrival::Asked(Box::new(move || {
            held.arrived();
            // It stays held.
            std::mem::forget(held);
        }));
        self.world.push(Box::new(repository));
    }

    /// Starts it, and waits until it is held.
    fn begin(&mut self) -> Running {
        let keeper = self.delivery.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        match std::mem::replace(&mut self.arrival, Arrival::Program) {
            Arrival::Asked(arrive) => arrive(),
            Arrival::Program => wait_until(self.name, || self.program_runs()),
        }
        let worker = worker_of(keeper.id());
        Running { keeper, worker }
    }

    fn program_runs(&self) -> bool {
        running(&format!("sleep\0{}", self.marker)) || running(&format!("sleep {}", self.marker))
    }

    /// That there is a report of a failure that names the stage.
    fn is_reported(&self, running: Running, signal: &str) {
        let output = running.keeper.wait_with_output().unwrap();
        let (log, place) = (String::from_utf8_lossy(&output.stderr).into_owned(), format!("{} {signal}", self.name));
        assert_eq!(output.status.code(), Some(1), "{place}:\n{log}");
        let record = self.source.record();
        assert_eq!(record["result"], "failed", "{place}");
        let what = record["failure"]["what"].as_str().unwrap();
        assert!(what.starts_with("The process of the delivery") && what.contains("during "), "{place}: {what}");
        let stages = record["stages"].as_array().unwrap();
        let stage = stages.iter().find(|stage| stage["name"] == self.name).unwrap_or_else(|| panic!("{place}: {stages:?}"));
        assert_eq!(stage["outcome"]["is"], "failed", "{place}: {stage}");
        assert!(log.contains(&format!("FAILED: {what}")), "{place}:\n{log}");
        let beside = |name: &str| fs::read_to_string(self.source.beside(name)).unwrap();
        let outputs = beside("github_output");
        assert!(outputs.starts_with("result<<") && outputs.lines().nth(1) == Some("failed"), "{place}: {outputs}");
        assert!(beside("github_summary").contains("Failed: The process of the delivery"), "{place}");
        // Of a tag that may be there it is not said that it is not.
        let left = record["leftovers"].as_array().map_or(0, Vec::len);
        assert_eq!(left, usize::from(self.name == "publish"), "{place}");
        assert_eq!(self.source.summary().contains("Nothing was published"), left == 0, "{place}");
    }

    /// That nothing is left of it.
    fn is_gone(&self) {
        let entries = |folder: &Path| -> Vec<_> {
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
        };
        let left: Vec<_> = entries(&self.source.beside("report")).into_iter().filter(|name| name.starts_with('.')).collect();
        assert_eq!(left, [".gitignore"], "{}", self.name);
        assert_eq!(entries(&self.source.beside("tmp")), Vec::<String>::new(), "{}", self.name);
        wait_until("a program or a build step goes on", || !self.program_runs());
    }
}

/// A delivery that is held.
struct Running {
    keeper: Child,
    worker: u32,
}

/// The process that does the work.
fn worker_of(keeper: u32) -> u32 {
    let workers: Vec<_> =
        children(keeper).into_iter().filter(|child| arguments(*child).iter().any(|word| word == "__work")).collect();
    let [worker] = workers[..] else { panic!("{workers:?}") };
    worker
}

/// Ends the worker by a signal in each stage, after a look.
fn die_in_each_stage(number: u32, signal_name: &str, look: impl Fn(&Running)) {
    let runtime = Runtime::new().unwrap();
    for (index, name) in (0..).zip(STAGES) {
        let mut stage = Stage::hold(name, &runtime, 100 * number + index);
        let running = stage.begin();
        look(&running);
        signal(running.worker, signal_name);
        // The standard library takes the first SIGSEGV for an overflow of the stack, and looks whether it is.
        wait_until("the worker lives", || {
            let _ = Command::new("kill")
                .args([&format!("-{signal_name}"), &running.worker.to_string()])
                .stderr(Stdio::null())
                .status();
            !Path::new(&format!("/proc/{}", running.worker)).exists()
        });
        stage.is_reported(running, signal_name);
        stage.is_gone();
    }
}

#[test]
fn nothing_secret_can_be_read_of_any_process_in_any_stage_and_one_that_is_killed_leaves_a_report() {
    die_in_each_stage(1, "KILL", |running| {
        let processes = family(running.keeper.id());
        assert!(processes.len() >= 2, "{processes:?}");
        for (place, content) in processes.iter().flat_map(|process| open_to_others(*process)) {
            let content = String::from_utf8_lossy(&content);
            assert!(!content.contains("planted-"), "{place}: {content}");
        }
        for process in [running.keeper.id(), running.worker] {
            let environment = fs::read(format!("/proc/{process}/environ")).unwrap();
            assert!(environment.starts_with(b"PATH=") || environment.windows(6).any(|word| word == b"\0PATH="), "it can be read");
        }
    });
}

#[test]
fn a_process_that_crashes_leaves_a_report_in_any_stage() {
    die_in_each_stage(2, "SEGV", |_| ());
}

#[test]
fn a_process_that_aborts_leaves_a_report_in_any_stage() {
    die_in_each_stage(3, "ABRT", |_| ());
}

#[test]
fn what_kills_the_keeper_kills_all() {
    let runtime = Runtime::new().unwrap();
    for (index, name) in (0..).zip(["build", "secrets"]) {
        let mut stage = Stage::hold(name, &runtime, 400 + index);
        let mut running = stage.begin();
        let family = family(running.keeper.id());
        signal(running.keeper.id(), "KILL");
        running.keeper.wait().unwrap();
        let lives = |process: &u32| fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        wait_until("a process goes on", || !family.iter().any(lives));
        wait_until("a build step goes on", || !stage.program_runs());
    }
}

#[test]
fn a_signal_to_the_process_that_was_started_ends_the_delivery() {
    let runtime = Runtime::new().unwrap();
    for (index, (name, code)) in (0..).zip([("INT", 130), ("TERM", 143), ("HUP", 129)]) {
        let mut stage = Stage::hold("secrets", &runtime, 500 + index);
        let running = stage.begin();
        signal(running.keeper.id(), name);
        let output = running.keeper.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(stage.source.record()["result"], "cancelled");
        stage.is_gone();
    }
}

#[test]
fn a_process_of_the_same_user_reads_neither_the_environment_nor_the_memory() {
    // Some user but root, who may read all.
    let user = 64_123;
    let as_user = |mut command: Command| {
        command.uid(user).gid(user);
        command
    };
    let runtime = Runtime::new().unwrap();
    let mut stage = Stage::hold("preflight", &runtime, 600);
    let binary = stage.source.beside("gp-deliver");
    fs::copy(env!("CARGO_BIN_EXE_gp-deliver"), &binary).unwrap();
    crate::support::run(Command::new("chown").args(["-R", &format!("{user}:{user}")]).arg(stage.source.beside("")));
    let prepared = stage.delivery.command();
    let mut command = Command::new(&binary);
    command.args(prepared.get_args()).current_dir(stage.source.beside("")).env_clear();
    command.envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut command = as_user(command);
    let mut keeper = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    match std::mem::replace(&mut stage.arrival, Arrival::Program) {
        Arrival::Asked(arrive) => arrive(),
        Arrival::Program => panic!("the engine is asked"),
    }
    // What this user can read is read: of a process of its own.
    let mut own = as_user(Command::new("sleep")).arg("60").env("SEEN", "planted-nothing").spawn().unwrap();
    let read = |process: u32, name: &str| {
        let mut read = as_user(Command::new("head"));
        read.args(["-c", "1"]).arg(format!("/proc/{process}/{name}")).output().unwrap()
    };
    assert!(read(own.id(), "environ").status.success());
    for process in [keeper.id(), worker_of(keeper.id())] {
        for name in ["environ", "mem", "maps", "fd/0", "auxv", "io"] {
            let output = read(process, name);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && said.contains("Permission denied"), "{name}: {output:?}");
        }
        let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().rev().take(3).collect::<Vec<_>>(), ["bytes", "0", "0"], "{core}");
    }
    signal(keeper.id(), "TERM");
    assert_eq!(keeper.wait().unwrap().code(), Some(143));
    own.kill().unwrap();
    own.wait().unwrap();
}
