//! gitleaks, trivy, syft and git reach what they need and nothing else: in the action as the runner starts it, and on a laptop.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use doubles::hostile;
use serde_json::Value;
use walkdir::WalkDir;

use crate::support::job::clean;
use crate::support::runner::{Action, Ended, Invocation, Job, RUNNER_USER};
use crate::support::{self, Delivery, Source, part, read_json, released, run, secret};

const FILES: [(&str, &str); 2] = [("Dockerfile", "FROM scratch\nCOPY file /file\n"), ("file", "1\n")];

fn step(job: &Job) -> Invocation<'_> {
    run(Command::new("cp").arg("--recursive").arg(part("TRIVY_DB")).arg(job.temp().join("trivy-db")));
    let action = Action::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml"));
    let step = job.step(&action).token("").input("destination", "oci:image");
    step.input("trivy-db-repository", "oci:/github/runner_temp/trivy-db:2")
}

fn record(job: &Job) -> Value {
    read_json(&job.workspace().join("gp-deliver-report/record.json"))
}

/// What the hostile program says of itself.
#[track_caller]
fn gets_nowhere(said: &str) {
    let line = said.lines().find_map(|line| line.find("escapes: ").map(|at| &line[at..])).unwrap_or_else(|| panic!("{said}"));
    let tries: u32 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(tries >= 130, "{line}");
    assert!(line.contains(" tries, 0 got out:"), "{line}");
}

#[test]
fn the_action_shuts_all_of_them_in_with_what_the_runner_gives_it() {
    let job = Job::new(&FILES).reference("refs/heads/development");
    let ended = step(&job).input("sandbox", "require").ends_with(0);
    let sandbox = &record(&job)["sandbox"];
    assert_eq!((&sandbox["seccomp"], &sandbox["own_user"]), (&true.into(), &true.into()), "{sandbox}");
    assert!(sandbox["landlock"].as_u64().unwrap() >= 1 && sandbox["missing"].as_array().unwrap().is_empty(), "{sandbox}");
    assert!(ended.summary.contains("Landlock"), "{}", ended.summary);
}

#[test]
fn a_replaced_scanner_gets_nowhere_in_the_action() {
    let job = Job::new(&FILES).reference("refs/heads/development");
    hostile::put(&job.workspace(), &hostile::OUTSIDE);
    let ended = step(&job).program(hostile::program(), "/usr/local/bin/gitleaks").ends_with(1);
    gets_nowhere(&ended.log);
    assert_eq!(fs::read_to_string(job.workspace().join("secret")).unwrap(), "something\n");
}

#[test]
fn files_of_a_checkout_that_only_their_owner_may_read_are_scanned_in_the_action() {
    let leak = format!("TOKEN={}\n", secret());
    let job = Job::new(&[FILES[0], FILES[1], ("gone", &leak)]).reference("refs/heads/development");
    fs::remove_file(job.workspace().join("gone")).unwrap();
    job.write("here", &leak);
    job.commit("second");
    for entry in WalkDir::new(job.workspace()).into_iter().map(Result::unwrap).filter(|entry| !entry.path_is_symlink()) {
        let mode = if entry.file_type().is_dir() { 0o700 } else { 0o600 };
        fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode)).unwrap();
    }
    assert!(fs::metadata(job.workspace()).unwrap().uid() == RUNNER_USER || !rustix::process::geteuid().is_root());
    step(&job).ends_with(0);
    let record = record(&job);
    let mut files: Vec<_> = record["findings"].as_array().unwrap().iter().map(|finding| finding["file"].clone()).collect();
    files.sort_by_key(ToString::to_string);
    assert_eq!(files, ["gone", "here"], "{record}");
}

/// An engine whose profile knows nothing of Landlock, as Docker's before 23.
fn without_landlock(job: &Job, demand: &str) -> Ended {
    let profile = job.temp().join("profile.json");
    let refused = r#"["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"]"#;
    let text = format!(
        r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{{"names": {refused}, "action": "SCMP_ACT_ERRNO", "errnoRet": 1}}]}}"#
    );
    fs::write(&profile, text).unwrap();
    step(job).seccomp_profile(&profile).input("sandbox", demand).run()
}

#[test]
fn a_part_that_is_missing_is_told_with_what_still_holds() {
    let job = Job::new(&FILES).reference("refs/heads/development");
    let ended = without_landlock(&job, "auto");
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    let sandbox = &record(&job)["sandbox"];
    assert_eq!((&sandbox["landlock"], &sandbox["seccomp"]), (&Value::Null, &true.into()), "{sandbox}");
    let missing = &sandbox["missing"][0];
    assert_eq!(missing["part"], "Landlock", "{sandbox}");
    assert!(missing["still_holds"].as_str().unwrap().contains("no network"), "{sandbox}");
    assert!(
        ended.summary.contains("missing: Landlock") && ended.summary.contains("What holds all the same"),
        "{}",
        ended.summary
    );
}

#[test]
fn where_all_parts_are_required_and_one_is_missing_nothing_runs() {
    let job = Job::new(&FILES).reference("refs/heads/development");
    let ended = without_landlock(&job, "require");
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    assert!(ended.log.contains("The sandbox that is required lacks Landlock"), "{}", ended.log);
    let record = record(&job);
    let stages: Vec<_> = record["stages"].as_array().unwrap().iter().map(|stage| stage["name"].clone()).collect();
    assert_eq!(stages, ["preflight"], "{record}");
    assert_eq!(record["source"], Value::Null);
}

/// A delivery by a user who is not root, where the tests run as root; else by whoever runs them.
fn by_an_ordinary_user(source: &Source, delivery: &Delivery) -> support::Ended {
    let mut command = delivery.command();
    if rustix::process::geteuid().is_root() {
        let folder = source.beside("");
        run(Command::new("chown").args(["--recursive", "61001:61001"]).arg(&folder));
        // Docker's group is whoever may use the engine.
        let group = fs::metadata(part("DOCKER").trim_start_matches("unix://")).unwrap().gid();
        command.uid(61_001).gid(group);
    }
    command.output().unwrap().into()
}

#[test]
fn an_ordinary_users_scanners_are_shut_in_too() {
    let source = clean();
    let ended = by_an_ordinary_user(
        &source,
        &source.deliver().path(&released()).flag("--environment", "dev").flag("--sandbox", "require"),
    );
    assert_eq!(ended.code, Some(0), "{ended}");
    let sandbox = &source.record()["sandbox"];
    let by_root = rustix::process::geteuid().is_root();
    assert_eq!((&sandbox["seccomp"], sandbox["own_user"] == true && by_root), (&true.into(), false), "{sandbox}");
    assert_eq!(sandbox["missing"].as_array().unwrap().len(), 0, "{sandbox}");
}

#[test]
fn a_scanner_that_is_a_script_which_starts_another_program_is_refused_with_the_way_out() {
    let source = clean();
    support::script(&source.beside("bin/trivy"), &format!("#!/bin/sh\nexec {} \"$@\"\n", support::tool("trivy").display()));
    let path = format!("{}:{}:/usr/bin:/bin", source.beside("bin").display(), part("TOOLS"));
    let delivery = source.deliver().path(&path);
    delivery.ends_with(1).says("trivy is a script that starts another program").says("`sandbox: off`");
    assert!(!source.beside("image").exists());
    delivery.without_sandbox().ends_with(0);
}

#[test]
fn a_replaced_scanner_gets_nowhere_on_a_laptop() {
    for by_root in [true, false] {
        let source = clean();
        let bin = source.beside("bin");
        fs::create_dir_all(bin.join("outside")).unwrap();
        fs::copy(hostile::program(), bin.join("gitleaks")).unwrap();
        hostile::put(&bin.join("outside"), &hostile::OUTSIDE);
        let path = format!("{}:{}:/usr/bin:/bin", bin.display(), part("TOOLS"));
        let delivery = source.deliver().path(&path);
        let ended = if by_root { delivery.output() } else { by_an_ordinary_user(&source, &delivery) };
        assert_eq!(ended.code, Some(1), "{ended}");
        gets_nowhere(&ended.stderr);
        assert_eq!(fs::read_dir(bin.join("outside")).unwrap().count(), hostile::OUTSIDE.len());
    }
}

#[test]
fn what_they_find_is_what_they_find_without_it() {
    let files = [
        ("Dockerfile", "FROM debian:bookworm-slim\nCOPY vendor /app/vendor\nCOPY app.jar /app/\n"),
        ("vendor/PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n"),
        ("app.jar", "no archive\n"),
        ("deploy/staging.env", &format!("TOKEN={}\n", secret())),
    ];
    let found = |demand: &str| {
        let source = Source::in_git(&files);
        source.commit("second");
        source.git(&["checkout", "--quiet", "-b", "other", "HEAD~1"]);
        source.write("deploy/other.env", &format!("OTHER={}\n", secret().to_uppercase()));
        source.commit("third");
        source.git(&["checkout", "--quiet", "main"]);
        source.git(&["merge", "--quiet", "--no-ff", "--message", "merge", "other"]);
        let delivery = source.deliver().path(&released()).flag("--environment", "dev").flag("--secrets-history", "full");
        delivery.flag("--sandbox", demand).ends_with(0);
        let record = source.record();
        let mut findings: Vec<_> = record["findings"].as_array().unwrap().clone();
        // What differs between two repositories with the same files.
        for finding in &mut findings {
            for key in ["commit", "fingerprint", "layer"] {
                finding.as_object_mut().unwrap().remove(key);
            }
        }
        let packages = record["image"]["platforms"][0]["packages"].clone();
        let sboms = WalkDir::new(source.beside("report/sbom"))
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file());
        for sbom in sboms {
            assert_eq!(sbom.metadata().unwrap().uid(), rustix::process::geteuid().as_raw(), "{}", sbom.path().display());
        }
        (findings, record["suppressions"].clone(), record["unscanned"].clone(), packages, source.record()["sandbox"].clone())
    };
    let (shut_in, free) = (found("require"), found("off"));
    assert!(shut_in.0.len() >= 2 && shut_in.3.as_u64().unwrap() > 50, "{shut_in:?}");
    assert_eq!((shut_in.0, shut_in.1, shut_in.2, shut_in.3), (free.0, free.1, free.2, free.3));
    assert_eq!((&shut_in.4["demand"], &free.4["demand"]), (&"require".into(), &"off".into()));
    assert!(free.4["landlock"].is_null() && free.4["seccomp"] == false);
}

#[test]
fn a_word_that_is_no_demand_is_an_input_error() {
    let source = clean();
    source.deliver().flag("--sandbox", "yes").ends_with(2).says("auto, require or off is expected");
}
