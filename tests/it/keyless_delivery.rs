//! A workflow's job delivers to Amazon ECR without a stored key: its token is all that it has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use doubles::aws::{Call, Fault, Mutability, Times, World};

use crate::support::keyless::{deliver, sha, source};
use crate::support::{Ended, Source, script, tool};

#[test]
fn a_push_is_delivered_under_all_its_tags_by_its_token_alone() {
    let (world, source) = (World::options().start(), source());
    deliver(&world, &source).ends_with(0).says("identity: arn:aws:sts::").says("assumed-role/");
    let sha = sha(&source);
    let digest = source.record()["publication"]["digest"].as_str().unwrap().to_owned();
    let tags = world.tags();
    for tag in [sha.clone(), format!("dev-{sha}"), "latest".to_owned()] {
        assert_eq!(tags.get(&tag), Some(&digest), "{tags:?}");
    }
    let destination = format!("{}/{}", world.host(), world.repository());
    assert_eq!(source.record()["destination"], destination.as_str());
}

#[test]
fn a_subject_with_ids_and_one_of_an_environment_are_delivered_too() {
    for world in [World::options().immutable_subject().start(), World::options().environment("dev").start()] {
        deliver(&world, &source()).ends_with(0);
    }
}

#[test]
fn a_role_by_its_name_and_a_repository_that_is_created_are_enough() {
    let world = World::options().no_repository().also_allow(&["ecr:CreateRepository", "ecr:DescribeRepositories"]).start();
    let source = source();
    let name = world.role().rsplit('/').next().unwrap().to_owned();
    let delivery = deliver(&world, &source).flag("--role-to-assume", &name).flag("--aws-account-id", &world.account());
    delivery.clone().ends_with(1).says("There is no repository team/app");
    delivery.flag("--create-repository", "true").ends_with(0).says("is created");
}

#[test]
fn no_credential_is_found_anywhere_but_where_the_runner_is_told_to_mask_it() {
    let (world, source) = (World::options().start(), source());
    let programs = source.beside("programs");
    for name in ["gitleaks", "trivy", "syft", "git"] {
        let real = if name == "git" { "/usr/bin/git".into() } else { tool(name) };
        let dump = source.beside("seen");
        let text = format!(
            "#!/bin/bash\n{{ env; cat /proc/$PPID/cmdline /proc/$$/cmdline /proc/$$/environ; echo \"$@\"; }} >>{} 2>&1\nexec {} \"$@\"\n",
            dump.display(),
            real.display()
        );
        script(&programs.join(name), &text);
    }
    for file in ["github_output", "github_summary", "github_env"] {
        fs::write(source.beside(file), "").unwrap();
    }
    let delivery = deliver(&world, &source)
        .path(&format!("{}:/usr/bin:/bin", programs.display()))
        .without_sandbox()
        .variable("GP_DELIVER_LOG", "trace");
    let variables = [("GITHUB_OUTPUT", "github_output"), ("GITHUB_STEP_SUMMARY", "github_summary"), ("GITHUB_ENV", "github_env")];
    let delivery = variables
        .into_iter()
        .fold(delivery, |delivery, (name, file)| delivery.variable(name, source.beside(file).to_str().unwrap()));
    let ended = delivery.ends_with(0);
    // The request token is the runner's own: it masks that before it starts us.
    let bearer = world.variables().into_iter().find(|(name, _)| name == "ACTIONS_ID_TOKEN_REQUEST_TOKEN").unwrap().1;
    let masks: BTreeSet<&str> = ended.stdout.lines().filter_map(|line| line.strip_prefix("::add-mask::")).collect();
    for secret in world.secrets().iter().filter(|secret| **secret != bearer) {
        assert!(masks.contains(secret.as_str()), "not masked: {secret}");
    }
    assert!(world.secrets().len() >= 6, "{:?}", world.secrets());
    let said: String = ended.stdout.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
    let mut places = vec![("stdout".to_owned(), said), ("stderr".to_owned(), ended.stderr.clone())];
    places.extend(files(source.beside("").as_path()));
    assert!(places.iter().any(|(name, _)| name.ends_with("/seen")));
    for secret in world.secrets() {
        for (place, text) in &places {
            assert!(!text.contains(&secret), "{secret} is in {place}");
        }
    }
}

/// All files below a folder, with what is in them.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push((path.display().to_string(), String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()));
        }
    }
    found
}

#[test]
fn a_password_and_a_session_that_expire_in_the_middle_are_renewed() {
    // Each is good for so short a time that it has expired by the time the image is built, however fast the machine is; those
    // that come then last, however slow it is.
    let world = World::options().first_password_lifetime(2).first_session_lifetime(2).start();
    // The account is another each time, so that no builder knows the step already.
    let dockerfile = format!("FROM debian:bookworm-slim\nRUN sleep 3; : {}\nCOPY . /app/\n", world.account());
    let source = Source::in_git(&[("Dockerfile", &dockerfile)]);
    deliver(&world, &source).ends_with(0);
    assert!(world.count(Call::GetAuthorizationToken) > 1);
    assert!(world.count(Call::AssumeRole) > 1 && world.count(Call::IdToken) > 1);
    assert_eq!(world.tags().len(), 3);
}

#[test]
fn a_delivered_commit_is_recognised_in_at_most_twelve_requests() {
    for actions in [&["ecr:DescribeRepositories"][..], &[]] {
        let (world, source) = (World::options().also_allow(actions).start(), source());
        deliver(&world, &source).ends_with(0);
        let before = world.calls().len();
        deliver(&world, &source).ends_with(0).says("DELIVERED to dev before");
        let requests = world.calls().len() - before;
        assert!(requests <= 12, "{requests}: {:?}", world.calls()[before..].iter().map(|entry| entry.call).collect::<Vec<_>>());
    }
}

#[test]
fn one_image_goes_through_dev_test_and_prod() {
    let (world, source) = (World::options().start(), source());
    deliver(&world, &source).ends_with(0);
    let digest = world.tags()[&sha(&source)].clone();
    for environment in ["test", "prod"] {
        let promoted = deliver(&world, &source).flag("--environment", environment).flag("--reuse", "claimed");
        promoted.ends_with(0).says("the image that dev has");
    }
    let tags = world.tags();
    assert!(tags.len() == 5 && tags.values().all(|named| *named == digest), "{tags:?}");
    // The image's one layer went up once.
    assert_eq!(world.count(Call::UploadPut), 2);
}

#[test]
fn a_repository_whose_tags_stay_takes_a_delivery_and_its_repetition() {
    let world = World::options().tags(Mutability::Immutable, &[]).also_allow(&["ecr:DescribeRepositories"]).start();
    let source = source();
    let delivery = deliver(&world, &source).flag("--tags", "{sha},{env}-{sha}");
    delivery.clone().ends_with(0);
    delivery.ends_with(0).says("DELIVERED to dev before");
}

#[test]
fn a_moving_tag_is_refused_before_the_build_where_tags_stay_and_passes_where_a_filter_excepts_it() {
    let moved = |world: &World| -> (Source, Ended) {
        let source = source();
        deliver(world, &source).ends_with(0);
        source.write("file", "2\n");
        source.commit("second");
        let ended = deliver(world, &source).output();
        (source, ended)
    };
    let options = || World::options().also_allow(&["ecr:DescribeRepositories"]);
    let (source, ended) = moved(&options().tags(Mutability::Immutable, &[]).start());
    assert_eq!(ended.code, Some(1), "{ended}");
    ended.says("does not let tags move").says("latest names sha256:");
    let stages = source.record()["stages"].as_array().unwrap().clone();
    assert!(stages.iter().all(|stage| stage["name"] != "publish"), "{stages:?}");
    let (_, ended) = moved(&options().tags(Mutability::ImmutableWithExclusion, &["late*"]).start());
    assert_eq!(ended.code, Some(0), "{ended}");
    let (_, ended) = moved(&options().tags(Mutability::MutableWithExclusion, &["latest"]).start());
    assert_eq!(ended.code, Some(1), "{ended}");
}

#[test]
fn where_the_role_may_not_ask_what_may_move_the_refusal_comes_at_the_tags_and_nothing_is_left() {
    let world = World::options().tags(Mutability::Immutable, &[]).also_allow(&["ecr:BatchDeleteImage"]).start();
    let source = source();
    deliver(&world, &source).ends_with(0).says("which tags may not move is unknown");
    let before = world.tags();
    source.write("file", "2\n");
    source.commit("second");
    deliver(&world, &source).ends_with(1).says("immutable");
    assert_eq!(world.tags(), before);
}

#[test]
fn where_the_role_may_not_remove_tags_those_that_remain_are_named_with_the_command_that_does() {
    let world = World::options().tags(Mutability::Immutable, &[]).start();
    let source = source();
    deliver(&world, &source).ends_with(0);
    source.write("file", "2\n");
    source.commit("second");
    let sha = sha(&source);
    let ended = deliver(&world, &source).ends_with(1);
    ended
        .says(&format!("{sha}, dev-{sha} may still name sha256:"))
        .says("aws ecr batch-delete-image")
        .says(&format!("imageTag={sha}"));
}

/// For the figures: `cargo test --test it the_preflight_at_200_ms -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
#[allow(clippy::print_stdout, reason = "it prints figures")]
fn the_preflight_at_200_ms_a_call() {
    let (world, source) = (World::options().start(), source());
    for call in
        [Call::IdToken, Call::AssumeRole, Call::GetAuthorizationToken, Call::DescribeRepositories, Call::Ping, Call::ManifestGet]
    {
        world.fail(call, Times::Always, Fault::Delay(200));
    }
    deliver(&world, &source).ends_with(0);
    let record = source.record();
    let stage = record["stages"].as_array().unwrap().iter().find(|stage| stage["name"] == "destination").unwrap();
    println!("preflight {} ms", stage["started_ms"].as_u64().unwrap() + stage["elapsed_ms"].as_u64().unwrap());
    world.mend(Call::IdToken);
    let before = world.calls().len();
    deliver(&world, &source).ends_with(0).says("DELIVERED to dev before");
    println!("re-run {} ms in {} requests", source.record()["elapsed_ms"], world.calls().len() - before);
}

#[test]
fn what_the_inputs_say_of_the_session_reaches_aws() {
    let (world, source) = (World::options().start(), source());
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}"#;
    let delivery = deliver(&world, &source).flag("--session-policy", policy).flag("--role-duration-seconds", "900");
    delivery.flag("--role-session-name", "release-7").ends_with(0).says("/release-7");
    let asked = world.calls().into_iter().find(|entry| entry.call == Call::AssumeRole).unwrap();
    for (name, value) in [("DurationSeconds", "900"), ("RoleSessionName", "release-7"), ("Policy", policy)] {
        assert_eq!(asked.parameter(name).as_deref(), Some(value), "{asked:?}");
    }
}

#[test]
fn a_session_is_named_after_the_repository_and_the_run() {
    let (world, source) = (World::options().start(), source());
    deliver(&world, &source)
        .variable("GITHUB_RUN_ID", "1602018110")
        .ends_with(0)
        .says("/gp-deliver-octo-org-octo-repo-1602018110");
}

#[test]
fn on_a_laptop_the_usual_credentials_serve_and_an_account_that_is_not_allowed_is_refused() {
    let (world, source) = (World::options().start(), source());
    deliver(&world, &source).ends_with(0);
    // What STS gave the job stands for what a person has after logging in.
    let secrets = world.secrets();
    let at = secrets.iter().position(|secret| secret.starts_with("ASIA")).unwrap();
    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    let laptop =
        deliver(&world, &source).variable("GITHUB_ACTIONS", "false").flag("--reuse", "never").without("--role-to-assume");
    let laptop = keys.into_iter().zip(&secrets[at..]).fold(laptop, |laptop, (name, value)| laptop.variable(name, value));
    let before = world.count(Call::IdToken);
    let ended = laptop.clone().ends_with(0);
    ended.says("identity: arn:aws:sts::").does_not_say("::add-mask::");
    assert_eq!((world.count(Call::IdToken), world.count(Call::GetCallerIdentity)), (before, 1));
    laptop.flag("--allowed-account-ids", "000000000001").ends_with(1).says("is not one that this delivery may use");
}

#[test]
fn a_refusal_ends_the_run_at_once_and_cancels_the_build() {
    let world = World::options().without("ecr:GetAuthorizationToken").start();
    let source = Source::in_git(&[("Dockerfile", "FROM debian:bookworm-slim\nRUN sleep 300\n")]);
    deliver(&world, &source).ends_with(1).says("AWS does not allow ecr:GetAuthorizationToken");
    let record = source.record();
    let build = record["stages"].as_array().unwrap().iter().find(|stage| stage["name"] == "build").unwrap();
    assert_eq!(build["outcome"]["is"], "cancelled");
}
