//! The workflows go by what the product goes by: the reusable one for each event as GitHub's own evaluator reads it, the
//! callers by its inputs and permissions, all of them by GitHub's own parser. (`action.yml` is held to the code by `docs`.)

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::validator;

const REUSABLE: &str = ".github/workflows/_build-and-release.yml";
const CALLERS: [&str; 3] = [
    "docs/templates/workflows/delivery.yml",
    "docs/templates/workflows/monorepo.yml",
    "examples/wordpress/.github/workflows/delivery.yml",
];

const WATCH: &str = "docs/templates/workflows/watch.yml";
const PROMOTE: &str = "docs/templates/workflows/promote.yml";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn yaml(name: &str) -> Value {
    serde_yaml::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap_or_else(|| panic!("{value} is no mapping")).keys().map(String::as_str).collect()
}

fn snake(name: &str) -> String {
    name.replace('-', "_")
}

/// The step of the reusable workflow that runs the action.
fn delivering(workflow: &Value) -> &Value {
    let steps = workflow["jobs"]["deliver"]["steps"].as_array().unwrap();
    steps.iter().find(|step| step["id"] == "deliver").unwrap()
}

/// What a workflow says at some paths in some contexts, by GitHub's own parser and evaluator.
fn evaluate(workflow: &str, paths: &[&str], contexts: &[Value]) -> Vec<BTreeMap<String, Option<String>>> {
    ask_evaluator(&json!({ "workflow": text(workflow), "paths": paths, "contexts": contexts }))
}

fn ask_evaluator(request: &Value) -> Vec<BTreeMap<String, Option<String>>> {
    let mut child = Command::new(validator("evaluate-expressions"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// An event, the environment that was chosen for it, and what follows.
struct Case {
    event: &'static str,
    /// The payload, in fixtures/events.
    payload: &'static str,
    reference: &'static str,
    chosen: &'static str,
    /// The job's environment; empty where it has none.
    environment: &'static str,
    /// What it waits for others in.
    scope: &'static str,
    /// Whether it gives way to its next.
    cancels: bool,
}

const fn case(
    event: &'static str,
    payload: &'static str,
    reference: &'static str,
    chosen: &'static str,
    environment: &'static str,
    scope: &'static str,
) -> Case {
    Case { event, payload, reference, chosen, environment, scope, cancels: false }
}

const MAIN: &str = "refs/heads/main";
const DEVELOPMENT: &str = "refs/heads/development";
const FEATURE: &str = "refs/heads/feature/greet-in-german";
const TAG: &str = "refs/tags/v1.2.3";
const QUEUE: &str = "refs/heads/gh-readonly-queue/main/pr-7-6113728f27ae82c7b1a177c8d03f9e96e0adf246";

const CASES: &[Case] = &[
    case("push", "push-main", MAIN, "auto", "prod", "prod"),
    case("push", "push-development", DEVELOPMENT, "auto", "dev", "dev"),
    case("push", "push-tag", TAG, "auto", "prod", "prod"),
    case("push", "push-feature", FEATURE, "auto", "", "push refs/heads/feature/greet-in-german"),
    // A tag that only ends so, and a branch that only begins so.
    case("push", "push-feature", "refs/tags/dev1.2.3", "auto", "", "push refs/tags/dev1.2.3"),
    case("push", "push-feature", "refs/heads/main-2", "auto", "", "push refs/heads/main-2"),
    case("push", "push-main", MAIN, "staging", "staging", "staging"),
    case("push", "push-feature", FEATURE, "test", "test", "test"),
    // What an empty input of a caller comes as.
    case("push", "push-main", MAIN, "", "prod", "prod"),
    case("workflow_dispatch", "workflow-dispatch", MAIN, "staging", "staging", "staging"),
    case("workflow_dispatch", "workflow-dispatch", MAIN, "auto", "prod", "prod"),
    case("workflow_dispatch", "workflow-dispatch", DEVELOPMENT, "auto", "dev", "dev"),
    case("workflow_dispatch", "workflow-dispatch", FEATURE, "prod", "prod", "prod"),
    case("release", "release", TAG, "auto", "prod", "prod"),
    case("schedule", "schedule", MAIN, "auto", "prod", "prod"),
    case("repository_dispatch", "schedule", DEVELOPMENT, "auto", "dev", "dev"),
    case("pull_request", "pull-request", "refs/pull/7/merge", "auto", "", "pull_request 7").cancelling(),
    case("pull_request", "pull-request", "refs/pull/7/merge", "prod", "", "pull_request 7").cancelling(),
    case("pull_request", "pull-request-fork", "refs/pull/12/merge", "auto", "", "pull_request 12").cancelling(),
    // Its ref is the base's: as powerful as a push to it, were it to count.
    case("pull_request_target", "pull-request-fork", MAIN, "auto", "", "pull_request_target 12").cancelling(),
    case("pull_request_target", "pull-request-fork", MAIN, "prod", "", "pull_request_target 12").cancelling(),
    case(
        "merge_group",
        "merge-group",
        QUEUE,
        "auto",
        "",
        "merge_group refs/heads/gh-readonly-queue/main/pr-7-6113728f27ae82c7b1a177c8d03f9e96e0adf246",
    ),
    case("workflow_run", "schedule", MAIN, "prod", "", "workflow_run refs/heads/main"),
    case("issue_comment", "schedule", MAIN, "auto", "", "issue_comment refs/heads/main"),
];

impl Case {
    const fn cancelling(mut self) -> Self {
        self.cancels = true;
        self
    }

    fn contexts(&self, inputs: &Value) -> Value {
        let payload: Value = serde_json::from_str(&text(&format!("fixtures/events/{}.json", self.payload))).unwrap();
        let mut inputs = inputs.clone();
        inputs["environment"] = self.chosen.into();
        let (event, reference) = (self.event, self.reference);
        let github = json!({ "event_name": event, "ref": reference, "repository": "acme/app", "run_id": "77", "event": payload });
        // What the job before has come to, where one asks for it.
        let judge = json!({ "result": "success", "outputs": { "record_path": "gp-deliver-report/record.json" } });
        let spread = json!({ "result": "success", "outputs": { "matrix": "{\"include\":[]}" } });
        let needs = json!({ "judge": judge, "spread": spread, "judge-platform": { "result": "failure" } });
        json!({ "github": github, "inputs": inputs, "vars": {}, "needs": needs, "matrix": { "platform": "linux/arm64" } })
    }

    fn name(&self) -> String {
        format!("{} of {} for {:?}", self.event, self.reference, self.chosen)
    }
}

/// The jobs that run for an event.
fn jobs(found: &BTreeMap<String, Option<String>>) -> Vec<&str> {
    let runs = |job: &&str| found[&format!("jobs.{job}.if")].as_deref() == Some("true");
    ["judge", "deliver", "show", "spread"].into_iter().filter(runs).collect()
}

const IFS: [&str; 4] = ["jobs.judge.if", "jobs.deliver.if", "jobs.show.if", "jobs.spread.if"];

#[test]
fn what_publishes_and_what_is_only_judged_have_jobs_of_their_own_and_only_the_one_has_an_environment() {
    let contexts: Vec<_> = CASES.iter().map(|case| case.contexts(&json!({}))).collect();
    let paths = [&IFS[..], &["jobs.deliver.environment"]].concat();
    let found = evaluate(REUSABLE, &paths, &contexts);
    let publishing = ["push", "workflow_dispatch", "release", "schedule", "repository_dispatch"];
    for (case, found) in CASES.iter().zip(found) {
        if publishing.contains(&case.event) {
            assert_eq!(jobs(&found), ["deliver"], "{}", case.name());
            assert_eq!(found["jobs.deliver.environment"].as_deref(), Some(case.environment), "{}", case.name());
        } else {
            assert_eq!((jobs(&found)[0], case.environment), ("judge", ""), "{}", case.name());
        }
    }
    assert_eq!(yaml(REUSABLE)["jobs"]["judge"]["environment"], Value::Null);
    assert_eq!(yaml(REUSABLE)["jobs"]["show"]["environment"], Value::Null);
}

/// What a job runs for, with a runner for each platform.
const SPREAD: [&str; 4] = ["jobs.judge-platform.if", "jobs.platform.if", "jobs.assemble.if", "jobs.show-platform.if"];

#[test]
fn with_a_runner_for_each_platform_each_has_a_job_and_a_change_is_judged_by_all_of_them_and_assembled_by_none() {
    let inputs = json!({ "runners": "linux/arm64=ubuntu-24.04-arm", "publish": true });
    let contexts: Vec<_> = CASES.iter().map(|case| case.contexts(&inputs)).collect();
    let environments = ["jobs.deliver.environment", "jobs.platform.environment", "jobs.assemble.environment"];
    let paths = [&IFS[..], &SPREAD, &environments].concat();
    let publishing = ["push", "workflow_dispatch", "release", "schedule", "repository_dispatch"];
    for (case, found) in CASES.iter().zip(evaluate(REUSABLE, &paths, &contexts)) {
        let runs = |path: &str| found[path].as_deref() == Some("true");
        let publishes = publishing.contains(&case.event);
        assert!(runs("jobs.spread.if") && !runs("jobs.deliver.if"), "{}", case.name());
        // What is required of a change is the job of the same name, whatever judges it.
        assert_eq!((runs("jobs.judge.if"), runs("jobs.judge-platform.if")), (!publishes, !publishes), "{}", case.name());
        assert_eq!(runs("jobs.platform.if"), publishes, "{}", case.name());
        let shown = case.event == "merge_group" || case.event == "pull_request" && !case.payload.ends_with("-fork");
        assert_eq!(runs("jobs.show-platform.if"), shown, "{}", case.name());
        for path in environments {
            assert_eq!(found[path], found["jobs.deliver.environment"], "{path} of {}", case.name());
        }
    }
    let unpublished = json!({ "runners": "linux/arm64=ubuntu-24.04-arm", "publish": false });
    let found = evaluate(REUSABLE, &SPREAD, &[CASES[0].contexts(&unpublished)]);
    assert_eq!(found[0]["jobs.assemble.if"].as_deref(), Some("false"));
    let jobs = &yaml(REUSABLE)["jobs"];
    // The last one runs where all before it have succeeded: GitHub's own rule where a condition says nothing else.
    assert_eq!(jobs["assemble"]["needs"], json!(["spread", "platform"]));
    assert!(!jobs["assemble"]["if"].as_str().unwrap().contains("()"));
    assert_eq!(jobs["judge"]["needs"], json!(["spread", "judge-platform"]));
    for job in ["judge", "judge-platform", "platform", "assemble"] {
        assert_eq!(jobs[job]["steps"], jobs["deliver"]["steps"], "{job}");
    }
    assert_eq!(
        (&jobs["spread"]["permissions"], &jobs["judge-platform"]["permissions"]),
        (&json!({}), &json!({ "contents": "read" }))
    );
    for job in ["platform", "assemble"] {
        assert_eq!(jobs[job]["permissions"], jobs["deliver"]["permissions"], "{job}");
    }
    // What shows a platform's report is as what shows the one of all: nothing of the change runs there.
    let (show, of_platform) = (&jobs["show"], &jobs["show-platform"]);
    assert_eq!((&of_platform["permissions"], &of_platform["environment"]), (&show["permissions"], &Value::Null));
    let uses = |job: &Value| -> Vec<Value> { job["steps"].as_array().unwrap().iter().map(|step| step["uses"].clone()).collect() };
    assert_eq!(uses(of_platform), uses(show));
    for input in keys(&show["steps"][1]["with"]) {
        let (one, all) = (&of_platform["steps"][1]["with"][input], &show["steps"][1]["with"][input]);
        assert!(one == all || input == "job-result" && one == "${{ needs.judge-platform.result }}", "{input}");
    }
    // Whether one platform's image gets tags says the job, and no caller.
    for (job, untagged) in
        [("judge-platform", json!("true")), ("platform", json!("true")), ("assemble", Value::Null), ("deliver", Value::Null)]
    {
        assert_eq!(jobs[job]["env"]["UNTAGGED"], untagged, "{job}");
    }
}

/// The outputs of the step that reads the runners, and whether it takes them.
fn spread(runners: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let outputs = folder.path().join("outputs");
    fs::write(&outputs, "").unwrap();
    let workflow = yaml(REUSABLE);
    let script = workflow["jobs"]["spread"]["steps"][0]["run"].as_str().unwrap();
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
        .envs([("RUNNERS", runners), ("NOT_WITH_IT", ""), ("COMMAND", "deliver"), ("IMAGE", "prod team/app .  ")])
        .envs(variables.iter().copied())
        .env("GITHUB_OUTPUT", &outputs)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.success(), !said.contains("::error"), "{said}");
    (output.status.success(), fs::read_to_string(outputs).unwrap())
}

#[test]
fn each_line_of_runners_is_a_job_and_what_is_none_ends_the_run() {
    let (taken, outputs) = spread(" linux/amd64 = ubuntu-latest\n\nlinux/arm/v7=my.arm_runner-1\n", &[]);
    assert!(taken);
    let outputs: BTreeMap<_, _> = outputs.lines().filter_map(|line| line.split_once('=')).collect();
    let include = json!([
        { "platform": "linux/amd64", "slug": "linux-amd64", "runner": "ubuntu-latest" },
        { "platform": "linux/arm/v7", "slug": "linux-arm-v7", "runner": "my.arm_runner-1" },
    ]);
    assert_eq!(serde_json::from_str::<Value>(outputs["matrix"]).unwrap(), json!({ "include": include }));
    assert_eq!(outputs["platforms"], "linux/amd64,linux/arm/v7");
    let key = |image: &str| spread("linux/amd64=a", &[("IMAGE", image)]).1;
    assert_ne!(key("prod team/app .  "), key("dev team/app .  "));
    for wrong in [
        "",
        "\n \n",
        "linux/amd64",
        "linux=a",
        "linux/amd64=",
        "linux/amd64=a\nlinux/amd64=b",
        "linux/amd64=\"},{\"platform\":\"x",
        "linux/amd64=a;b",
        "../x/y=a",
        "linux/..=a",
    ] {
        assert!(!spread(wrong, &[]).0, "{wrong:?}");
    }
    let with = |name, value| spread("linux/amd64=a", &[(name, value)]).0;
    assert!(!with("NOT_WITH_IT", "linux/amd64") && !with("COMMAND", "promote") && with("COMMAND", "deliver\n"));
}

#[test]
fn the_runners_of_the_readme_are_taken_as_they_stand_there() {
    let readme = text("README.md");
    let (_, sample) = readme.split_once("<!-- runners -->\n```yaml\n").unwrap();
    let sample: Value = serde_yaml::from_str(sample.split_once("```").unwrap().0).unwrap();
    let workflow = yaml(REUSABLE);
    let unknown: Vec<_> = keys(&sample["with"]).difference(&keys(&workflow["on"]["workflow_call"]["inputs"])).copied().collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let (taken, outputs) = spread(sample["with"]["runners"].as_str().unwrap(), &[]);
    assert!(taken && outputs.contains("platforms=linux/amd64,linux/arm64\n"), "{outputs}");
}

#[test]
fn a_digest_that_is_none_is_that_of_a_platform_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let digests = folder.path().join("digests");
    fs::create_dir(&digests).unwrap();
    let digest = format!("sha256:{}", "1a".repeat(32));
    fs::write(digests.join("linux-amd64"), format!("{digest}\nlinux/arm64={digest}\n")).unwrap();
    fs::write(digests.join("linux-arm64"), format!("sha256:\nlines\nimages=linux/arm64={digest}")).unwrap();
    fs::write(digests.join("linux-s390x"), digest.replace('1', "2")).unwrap();
    let outputs = folder.path().join("outputs");
    fs::write(&outputs, "").unwrap();
    let workflow = yaml(REUSABLE);
    let step = workflow["jobs"]["assemble"]["steps"].as_array().unwrap().iter().find(|step| step["id"] == "images").unwrap();
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()])
        .envs([("PLATFORMS", "linux/amd64,linux/arm64,linux/arm/v7")])
        .env("DIGESTS", &digests)
        .env("GITHUB_OUTPUT", &outputs)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = format!("images<<lines\nlinux/amd64={digest}\nlinux/arm64=\nlinux/arm/v7=\nlines\n");
    assert_eq!(fs::read_to_string(outputs).unwrap(), expected);
}

#[test]
fn a_change_of_the_repository_is_shown_by_a_second_job_and_no_strangers_is() {
    let contexts: Vec<_> = CASES.iter().map(|case| case.contexts(&json!({ "code_scanning": "auto" }))).collect();
    let mut with_token = contexts.clone();
    for context in &mut with_token {
        context["github"]["token"] = "ghs_x".into();
    }
    for (case, (found, context)) in CASES.iter().zip(evaluate(REUSABLE, &IFS, &contexts).into_iter().zip(with_token)) {
        let shown = case.event == "merge_group" || case.event == "pull_request" && !case.payload.ends_with("-fork");
        assert_eq!(jobs(&found).contains(&"show"), shown, "{}", case.name());
        // Whoever is shown shows nothing itself, and has no token to do it with.
        for (job, input, alone) in [("judge", "code-scanning", "auto"), ("judge", "github-token", "ghs_x")] {
            let value = value_of(&yaml(REUSABLE), job, input, &context);
            let expected = match input {
                _ if !shown => alone,
                "code-scanning" => "off",
                _ => "",
            };
            assert_eq!(value, expected, "{input} of {}", case.name());
        }
    }
}

/// The value of an input of the step that delivers, by GitHub's own evaluator.
fn value_of(workflow: &Value, job: &str, input: &str, context: &Value) -> String {
    let expression = &workflow["jobs"][job]["steps"].as_array().unwrap();
    let step = expression.iter().find(|step| step["id"] == "deliver").unwrap();
    // A job's environment takes the same contexts as a step's inputs, where the evaluator finds it by a path.
    let probe = json!({ "on": "push", "jobs": { "a": { "runs-on": "x", "environment": step["with"][input], "steps": [{ "run": "x" }] } } });
    let request = json!({ "workflow": probe.to_string(), "paths": ["jobs.a.environment"], "contexts": [context] });
    ask_evaluator(&request)[0]["jobs.a.environment"].clone().unwrap_or_default()
}

#[test]
fn what_a_change_may_cause_finds_no_right_to_write_where_it_runs() {
    let workflow = yaml(REUSABLE);
    assert_eq!(workflow["permissions"], json!({}));
    assert_eq!(workflow["jobs"]["judge"]["permissions"], json!({ "contents": "read" }));
    let show = &workflow["jobs"]["show"];
    assert_eq!(show["permissions"], json!({ "security-events": "write", "checks": "write" }));
    // Nothing of the change runs there: no checkout, no script, nothing but the fetched report and the action.
    let steps = show["steps"].as_array().unwrap();
    let used: Vec<_> = steps.iter().map(|step| step["uses"].as_str().unwrap().split('@').next().unwrap()).collect();
    assert_eq!(used, ["actions/download-artifact", "org/gp-deliver"]);
    assert!(steps.iter().all(|step| step["run"].is_null()));
    assert_eq!(steps[1]["with"]["command"], "show");
    // By whose rules it is judged says the caller, not the report.
    for input in ["environment", "severity-threshold", "ignore-unfixed", "code-scanning", "destination", "ecr-repository"] {
        assert_eq!(steps[1]["with"][input], format!("${{{{ inputs.{} }}}}", snake(input)), "{input}");
    }
    assert_eq!(steps[1]["with"]["job-result"], "${{ needs.judge.result }}");
    // The two jobs do the same work.
    assert_eq!(workflow["jobs"]["judge"]["steps"], workflow["jobs"]["deliver"]["steps"]);
    assert_eq!(workflow["jobs"]["judge"]["outputs"], workflow["jobs"]["deliver"]["outputs"]);
}

#[test]
fn deliveries_to_an_environment_queue_up_and_only_a_pull_request_cancels_what_is_its_own() {
    let inputs = json!({ "ecr_repository": "team/app", "build_context": "services/api" });
    let contexts: Vec<_> = CASES.iter().map(|case| case.contexts(&inputs)).collect();
    let of = |job: &str| ["group", "cancel-in-progress", "queue"].map(|key| format!("jobs.{job}.concurrency.{key}"));
    let keys = [of("judge"), of("deliver")].concat();
    let paths: Vec<&str> = IFS.into_iter().chain(keys.iter().map(String::as_str)).collect();
    let found = evaluate(REUSABLE, &paths, &contexts);
    for (case, found) in CASES.iter().zip(found) {
        let [group, cancel, queue] = of(jobs(&found)[0]);
        let expected = format!("gp-deliver acme/app {} team/app services/api  ", case.scope);
        assert_eq!(found[&group].as_deref(), Some(&*expected), "{}", case.name());
        assert_eq!(found[&cancel].as_deref(), Some(if case.cancels { "true" } else { "false" }), "{}", case.name());
        // GitHub refuses `max` where running jobs are cancelled.
        assert_eq!(found[&queue].as_deref(), Some(if case.cancels { "single" } else { "max" }), "{}", case.name());
        assert!(!case.cancels || case.environment.is_empty(), "{}: what may publish is never cancelled", case.name());
    }
}

#[test]
fn jobs_of_a_matrix_do_not_wait_for_each_other() {
    let inputs = [
        json!({ "ecr_repository": "team/api", "build_context": "." }),
        json!({ "ecr_repository": "team/web", "build_context": "." }),
        json!({ "destination": "ghcr.io/acme/api", "build_context": "." }),
        json!({ "ecr_repository": "team/api", "build_context": "services/api" }),
        json!({ "ecr_repository": "team/api", "build_context": ".", "dockerfile_path": "api.Dockerfile" }),
        json!({ "ecr_repository": "team/api", "build_context": ".", "build_target": "worker" }),
    ];
    let contexts: Vec<_> = CASES.iter().flat_map(|case| inputs.iter().map(|inputs| case.contexts(inputs))).collect();
    for job in ["judge", "deliver", "show", "spread", "judge-platform", "platform", "assemble", "show-platform"] {
        let found = evaluate(REUSABLE, &[&format!("jobs.{job}.concurrency.group")], &contexts);
        for (case, found) in CASES.iter().zip(found.chunks(inputs.len())) {
            let groups: BTreeSet<_> = found.iter().flat_map(BTreeMap::values).collect();
            assert_eq!(groups.len(), inputs.len(), "{job}, {}: {groups:?}", case.name());
        }
    }
}

#[test]
fn the_jobs_environment_is_the_one_that_the_action_goes_by() {
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    for case in CASES.iter().filter(|case| ["push", "workflow_dispatch", "release", "schedule"].contains(&case.event)) {
        let output = Command::new(env!("CARGO_BIN_EXE_gp-deliver"))
            .args(["plan", "--environment", case.chosen])
            .current_dir(source.path())
            .env_clear()
            .envs([("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", case.event), ("GITHUB_REF", case.reference)])
            .envs([("GITHUB_SHA", "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c"), ("GITHUB_REPOSITORY", "acme/app")])
            .env("GITHUB_WORKSPACE", source.path())
            .env("GITHUB_EVENT_PATH", path(&format!("fixtures/events/{}.json", case.payload)))
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        if case.environment.is_empty() {
            assert_eq!(output.status.code(), Some(2), "{}: {stderr}", case.name());
        } else {
            assert!(output.status.success(), "{}: {stderr}", case.name());
            let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(plan["environment"], case.environment, "{}", case.name());
        }
    }
}

#[test]
fn a_runner_is_a_label_or_a_list_of_labels() {
    let contexts = |runs_on: &str| json!({ "github": {}, "inputs": { "runs_on": runs_on }, "vars": {} });
    let labels =
        [("ubuntu-latest", "ubuntu-latest"), ("", "ubuntu-latest"), (r#"["self-hosted","arm64"]"#, r#"["self-hosted","arm64"]"#)];
    let contexts: Vec<_> = labels.iter().map(|(given, _)| contexts(given)).collect();
    for path in ["judge", "deliver", "show", "spread", "assemble", "show-platform"].map(|job| format!("jobs.{job}.runs-on")) {
        for (found, (given, expected)) in evaluate(REUSABLE, &[&path], &contexts).iter().zip(labels) {
            let found = found[&path].as_deref().unwrap();
            let compact = serde_json::from_str::<Value>(found).map_or_else(|_| found.to_owned(), |list| list.to_string());
            assert_eq!(compact, expected, "{path}: {given}");
        }
    }
}

/// Inputs of the action that are not the workflow's to set: it delivers what is built, with the job's own token.
const NOT_OF_THE_WORKFLOW: [&str; 12] = [
    // The action runs in a container, which sees no folder of the runner's machine that outlives the job.
    "cache-folder",
    "environments",
    "github-token",
    "gitops-app-private-key",
    "gitops-token",
    "image",
    "images",
    "issues",
    "job-result",
    "matrix",
    "matrix-cleared",
    "untagged",
];

#[test]
fn every_input_of_the_action_is_one_of_the_workflow_with_the_same_default_and_is_passed_on() {
    let (workflow, action) = (yaml(REUSABLE), yaml("action.yml"));
    let (declared, passed) = (&workflow["on"]["workflow_call"]["inputs"], &delivering(&workflow)["with"]);
    let inputs = &action["inputs"];
    let names: BTreeSet<_> = keys(inputs).into_iter().filter(|name| !NOT_OF_THE_WORKFLOW.contains(name)).collect();
    for name in &names {
        let (input, found) = (&inputs[*name], &declared[&snake(name)]);
        assert!(found.is_object(), "{name} is no input of {REUSABLE}");
        // A default that is another input's value is the action's to know.
        let expected = input["default"].as_str().filter(|default| !names.contains(default)).unwrap_or_default();
        let default = match &found["default"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        assert_eq!(default, expected, "the default of {name}");
        // The words of a switch, by which `docs` writes it.
        let switch = input["description"].as_str().unwrap().contains(": true or false");
        assert_eq!(found["type"] == "boolean", switch, "the type of {name}");
        let value = passed[*name].as_str().unwrap_or_else(|| panic!("{name} is not passed on"));
        let alone = format!("${{{{ inputs.{} }}}}", snake(name));
        let with_variable = format!("${{{{ inputs.{} || vars.", snake(name));
        // What a change shows is not for the job that builds it.
        let unless_shown = format!("&& 'off' || inputs.{} }}}}", snake(name));
        // What is of the whole image is for the job that has it.
        let of_the_whole = format!("${{{{ !env.UNTAGGED && inputs.{} || '' }}}}", snake(name));
        let passed = value == alone
            || value == of_the_whole
            || *name == "platforms" && value == "${{ env.PLATFORMS || inputs.platforms }}"
            || value.starts_with(&with_variable)
            || *name == "code-scanning" && value.ends_with(&unless_shown)
            || *name == "command" && value.ends_with("&& inputs.command || 'deliver' }}");
        assert!(passed, "{name}: {value}");
    }
    let ours = ["runners", "runs_on", "timeout_minutes"].map(str::to_owned).into_iter();
    let expected: BTreeSet<_> = names.iter().map(|name| snake(name)).chain(ours).collect();
    assert_eq!(keys(declared).into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
    let unknown: Vec<_> = keys(passed).difference(&keys(inputs)).copied().collect();
    assert!(unknown.is_empty(), "the action has no input {unknown:?}");
}

#[test]
fn what_is_asked_for_by_hand_is_an_input_of_the_workflow_with_the_same_default() {
    let workflow = yaml(REUSABLE);
    let (called, asked) = (&workflow["on"]["workflow_call"]["inputs"], &workflow["on"]["workflow_dispatch"]["inputs"]);
    for name in keys(asked) {
        assert_eq!(asked[name]["default"], called[name]["default"], "{name}");
    }
}

#[test]
fn every_output_of_the_action_is_one_of_the_workflow() {
    let (workflow, action) = (yaml(REUSABLE), yaml("action.yml"));
    let (declared, of_job) = (&workflow["on"]["workflow_call"]["outputs"], &workflow["jobs"]["deliver"]["outputs"]);
    for name in keys(&action["outputs"]) {
        // The output of `command: plan`, which the workflow does not run.
        if name == "matrix" {
            continue;
        }
        let snake = snake(name);
        assert_eq!(of_job[&snake], format!("${{{{ steps.deliver.outputs.{name} }}}}"), "{name}");
        let of_either =
            format!("${{{{ jobs.deliver.outputs.{snake} || jobs.assemble.outputs.{snake} || jobs.judge.outputs.{snake} }}}}");
        assert_eq!(declared[&snake]["value"], of_either, "{name}");
    }
    let known: BTreeSet<_> = keys(&action["outputs"]).into_iter().map(snake).chain(["artifact".to_owned()]).collect();
    let unknown: Vec<_> = keys(declared).into_iter().filter(|name| !known.contains(*name)).collect();
    assert!(unknown.is_empty(), "the action has no output {unknown:?}");
}

#[test]
fn the_callers_pass_inputs_that_there_are_and_grant_what_the_job_asks_for() {
    let workflow = yaml(REUSABLE);
    let inputs = keys(&workflow["on"]["workflow_call"]["inputs"]);
    for caller in CALLERS {
        let caller_yaml = yaml(caller);
        let job = &caller_yaml["jobs"]["deliver"];
        assert_eq!(job["uses"], format!("org/gp-deliver/{REUSABLE}@v1"), "{caller}");
        let unknown: Vec<_> = keys(&job["with"]).difference(&inputs).copied().collect();
        assert!(unknown.is_empty(), "{caller} passes {unknown:?}");
        assert_eq!(job["permissions"], workflow["jobs"]["deliver"]["permissions"], "{caller}");
        let choice = &caller_yaml["on"]["workflow_dispatch"]["inputs"]["environment"]["options"];
        assert_eq!(choice, &workflow["on"]["workflow_dispatch"]["inputs"]["environment"]["options"], "{caller}");
    }
}

#[test]
fn what_is_done_by_hand_is_the_reusable_workflows_with_inputs_that_there_are_and_a_change_is_judged_whatever_is_asked() {
    let (workflow, by_hand) = (yaml(REUSABLE), yaml(PROMOTE));
    let job = &by_hand["jobs"]["deliver"];
    assert_eq!(job["uses"], format!("org/gp-deliver/{REUSABLE}@v1"));
    assert_eq!(job["permissions"], workflow["jobs"]["deliver"]["permissions"]);
    let inputs = keys(&workflow["on"]["workflow_call"]["inputs"]);
    let unknown: Vec<_> = keys(&job["with"]).difference(&inputs).copied().collect();
    assert!(unknown.is_empty(), "it passes {unknown:?}");
    assert_eq!(keys(&by_hand["on"]), ["workflow_dispatch"].into());
    for case in CASES {
        let context = case.contexts(&json!({ "command": "rollback" }));
        let publishes = ["push", "workflow_dispatch", "release", "schedule", "repository_dispatch"].contains(&case.event);
        let (job, expected) = if publishes { ("deliver", "rollback") } else { ("judge", "deliver") };
        assert_eq!(value_of(&workflow, job, "command", &context), expected, "{}", case.name());
    }
}

#[test]
fn the_scheduled_look_has_no_right_but_those_it_needs_and_runs_nothing_of_the_repository() {
    let (workflow, action) = (yaml(WATCH), yaml("action.yml"));
    assert_eq!(workflow["permissions"], json!({}));
    let job = &workflow["jobs"]["watch"];
    assert_eq!(job["permissions"], json!({ "id-token": "write", "security-events": "write", "issues": "write" }));
    let steps = job["steps"].as_array().unwrap();
    assert_eq!((steps.len(), &steps[0]["uses"]), (1, &json!("org/gp-deliver@v1")));
    let unknown: Vec<_> = keys(&steps[0]["with"]).difference(&keys(&action["inputs"])).copied().collect();
    assert!(unknown.is_empty(), "the action has no input {unknown:?}");
    assert_eq!(keys(&workflow["on"]), ["schedule", "workflow_dispatch"].into());
    assert_eq!(job["concurrency"]["cancel-in-progress"], false);
}

#[test]
fn githubs_own_parser_finds_nothing_wrong_with_any_workflow() {
    let ours = fs::read_dir(path(".github/workflows")).unwrap().map(|entry| entry.unwrap().path());
    let ours = ours.map(|path| format!(".github/workflows/{}", path.file_name().unwrap().to_str().unwrap()));
    for workflow in ours.chain(CALLERS.map(str::to_owned)).chain([WATCH, PROMOTE].map(str::to_owned)) {
        evaluate(&workflow, &[], &[]);
    }
}

#[test]
fn what_is_released_is_built_without_rights_and_by_a_second_job_that_signs_the_same_digest_alone() {
    let jobs = &yaml(".github/workflows/release.yml")["jobs"];
    assert_eq!(jobs["build"]["permissions"], json!({ "contents": "read" }));
    assert!(jobs["build"]["environment"].is_null(), "no secret of the environment is there");
    let signs = |(_, job): &(&String, &Value)| !job["permissions"]["id-token"].is_null();
    let signing: Vec<_> = jobs.as_object().unwrap().iter().filter(signs).map(|(name, _)| name.as_str()).collect();
    assert_eq!(signing, ["image"]);
    let scripts_of = |job: &str| {
        let steps = jobs[job]["steps"].as_array().unwrap();
        steps.iter().filter_map(|step| Some(step["run"].as_str()?.to_owned())).collect::<Vec<_>>()
    };
    // It compiles nothing, and what it runs is compared before it is unpacked.
    let scripts = scripts_of("image");
    assert!(scripts.iter().all(|script| !script.contains("cargo") && !script.contains("docker build")), "{scripts:?}");
    let at = |words: &str| scripts.iter().position(|script| script.contains(words)).unwrap_or_else(|| panic!("{words}"));
    assert!(scripts[at("sha256sum")].starts_with("[[ $(sha256sum <\"$RUNNER_TEMP/programs.tar\") == \"$PROGRAMS\" ]]\n"));
    assert!(at("sha256sum") < at("gp-deliver deliver"));
    // Both jobs ask for the same image, and the second for the digest of the first.
    let asked = |job: &str| -> BTreeSet<String> {
        let scripts = scripts_of(job);
        let deliver = scripts.iter().find(|script| script.contains("gp-deliver deliver")).unwrap();
        let lines = deliver.lines().map(|line| line.trim().trim_end_matches(" \\").to_owned());
        lines.filter(|line| line.starts_with("--")).collect()
    };
    let (built, signed) = (asked("build"), asked("image"));
    let differ: Vec<_> = signed.symmetric_difference(&built).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(
        differ,
        ["--code-scanning", "--destination", "--destination", "--expected-digest", "--github-attestations", "--sign"]
    );
    assert!(signed.contains("--expected-digest \"$DIGEST\"") && signed.contains("--sign keyless"));
    assert!(scripts[at("gp-deliver deliver")].starts_with("[[ $DIGEST == sha256:* ]]"), "no digest is no leave");
    assert_eq!(jobs["image"]["steps"][0]["with"]["persist-credentials"], false);
    // What was just built looks at itself, and may write nothing; without that, and without the word of others, no tags.
    let verify = &jobs["verify"];
    assert_eq!(verify["permissions"], json!({ "packages": "read", "attestations": "read" }));
    assert!(verify["environment"].is_null());
    for words in ["\"$IMAGE\" verify \"$IMAGE\" --environment prod", "cosign verify \"$IMAGE\"", "gh attestation verify"] {
        assert!(scripts_of("verify").iter().any(|script| script.contains(words)), "{words}");
    }
    assert_eq!(jobs["release"]["needs"], json!(["image", "verify"]));
}

#[test]
fn dependabot_watches_every_module_under_tools() {
    let updates = yaml(".github/dependabot.yml");
    let watched = |ecosystem: &str| -> BTreeSet<String> {
        let update =
            updates["updates"].as_array().unwrap().iter().find(|update| update["package-ecosystem"] == ecosystem).unwrap();
        let folders = update["directories"].as_array().cloned().unwrap_or_else(|| vec![update["directory"].clone()]);
        folders.iter().map(|folder| folder.as_str().unwrap().to_owned()).collect()
    };
    for (ecosystem, file) in [("gomod", "go.mod"), ("npm", "package.json"), ("pip", "requirements.txt")] {
        let folders = fs::read_dir(path("tools")).unwrap().map(|entry| entry.unwrap().path());
        let with_file = folders.filter(|folder| folder.join(file).exists());
        let expected: BTreeSet<_> =
            with_file.map(|folder| format!("/tools/{}", folder.file_name().unwrap().to_str().unwrap())).collect();
        assert_eq!(watched(ecosystem), expected, "{ecosystem}");
    }
}
