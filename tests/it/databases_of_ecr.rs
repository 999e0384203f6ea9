//! A mirror of the vulnerability database in a private repository of Amazon ECR is read with the delivery's own identity, by a
//! session that may do nothing else, and by no run that a stranger may cause. Where it can't be read, the next mirror is.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use doubles::aws::{Call, Fault, Mutability, PUSH, Times, World};
use doubles::registry::{Options, Registry, USER};
use serde_json::{Value, json};

use crate::support::{Delivery, Source, keyless, part, run, tool};

/// What reading a mirror takes.
const PULL: [&str; 3] = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

/// A world with a mirror, whose repository the delivery's role may do this with.
fn world(may: &[&str]) -> World {
    let world = World::options().start();
    world.create_repository("mirror/trivy-db", Mutability::Mutable, &[]);
    let layout = part("TRIVY_DB");
    let mirror = format!("{}/mirror/trivy-db:2", world.registry());
    run(Command::new(tool("crane")).args(["push", "--insecure", &layout, &mirror]));
    let arn = |name: &str| format!("arn:aws:ecr:{}:{}:repository/{name}", world.region(), world.account());
    let mut statements = vec![
        json!({"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}),
        json!({"Effect": "Allow", "Action": PUSH, "Resource": arn(&world.repository())}),
    ];
    if !may.is_empty() {
        statements.push(json!({"Effect": "Allow", "Action": may, "Resource": arn("mirror/trivy-db")}));
    }
    world.set_role_policy(&json!({"Version": "2012-10-17", "Statement": statements}));
    world
}

fn mirror(world: &World) -> String {
    format!("{}/mirror/trivy-db", world.host())
}

/// One that needs nobody.
fn folder() -> String {
    format!("oci:{}:2", part("TRIVY_DB"))
}

/// A run of a subcommand, with the destination named with its registry as one of Amazon ECR's own is by its name.
fn asked(world: &World, source: &Source, subcommand: &str, mirrors: &[String]) -> Delivery {
    let to = format!("{}/{}", world.host(), world.repository());
    let run = keyless::run(world, source, subcommand).without("--ecr-repository").flag("--ecr-repository", &to);
    run.flag("--trivy-db-repository", &mirrors.join(","))
}

fn deliver(world: &World, source: &Source, mirrors: &[String]) -> Delivery {
    asked(world, source, "deliver", mirrors)
}

/// The policies of the sessions that were asked for.
fn session_policies(world: &World) -> Vec<Value> {
    let sessions = world.calls().into_iter().filter(|entry| entry.call == Call::AssumeRole);
    sessions.filter_map(|entry| Some(serde_json::from_str(&entry.parameter("Policy")?).unwrap())).collect()
}

fn fetched_from(source: &Source) -> String {
    source.record()["database"]["repository"].as_str().unwrap().to_owned()
}

#[test]
fn a_mirror_is_read_by_a_session_that_may_pull_it_and_do_nothing_else() {
    let (world, source) = (world(&PULL), keyless::source());
    let ended = deliver(&world, &source, &[mirror(&world)]).flag("--environment", "prod").ends_with(0);
    ended.says(&format!("databases of {} are pulled by a session of {}", world.host(), world.role()));
    assert_eq!(fetched_from(&source), mirror(&world));
    // The runner is told what to mask, and nobody is told anything else of it.
    let told: Vec<_> =
        ended.stdout.lines().chain(ended.stderr.lines()).filter(|line| !line.starts_with("::add-mask::")).collect();
    for secret in world.secrets() {
        assert!(!told.iter().any(|line| line.contains(&secret)), "{told:#?}");
    }
    let policies = session_policies(&world);
    let [policy] = &*policies else { panic!("{policies:?}") };
    let [log_in, pull] = &**policy["Statement"].as_array().unwrap() else { panic!("{policy}") };
    assert_eq!(log_in["Action"], "ecr:GetAuthorizationToken");
    let more = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"];
    let actions: Vec<_> = PULL.into_iter().chain(more).collect();
    assert_eq!(pull["Action"], json!(actions), "a cache that is pulled through");
    let arn = format!("arn:aws:ecr:{}:{}:repository/mirror/trivy-db", world.region(), world.account());
    assert_eq!((&pull["Effect"], &pull["Resource"]), (&json!("Allow"), &json!(arn)));
}

#[test]
fn who_may_not_read_it_is_told_the_repository_the_role_and_the_policy_and_the_next_mirror_is_asked() {
    // What it lacks may be known only once the contents are fetched.
    for may in [&[][..], &PULL[1..2]] {
        let (world, source) = (world(may), keyless::source());
        let lacks = if may.is_empty() { "ecr:BatchGetImage" } else { "ecr:GetDownloadUrlForLayer" };
        let why = |ended: &crate::support::Ended| {
            ended.says(&format!("Amazon ECR does not let arn:aws:sts::{}:assumed-role/delivery/", world.account()));
            ended.says(&format!("pull from arn:aws:ecr:{}:{}:repository/mirror/trivy-db", world.region(), world.account()));
            ended
                .says(&format!("is not authorized to perform: {lacks}"))
                .says("Give the role ecr:BatchCheckLayerAvailability, ecr:BatchGetImage and ecr:GetDownloadUrlForLayer there");
        };
        let ended = deliver(&world, &source, &[mirror(&world), folder()]).ends_with(0);
        ended.says(&format!("could not be fetched from {}", mirror(&world)));
        why(&ended);
        assert_eq!(fetched_from(&source), folder());

        let (world_tags, source) = (world.tags(), keyless::source());
        let ended = deliver(&world, &source, &[mirror(&world)]).flag("--environment", "prod").ends_with(1);
        ended.says("The vulnerability database is not available");
        why(&ended);
        assert_eq!(world.tags(), world_tags, "nothing is published");
    }
}

#[test]
fn no_run_that_a_stranger_may_cause_asks_aws_for_it() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/events");
    for (event, payload, reference) in [
        ("pull_request", "pull-request.json", "refs/pull/7/merge"),
        ("pull_request", "pull-request-fork.json", "refs/pull/7/merge"),
        ("pull_request_target", "pull-request.json", "refs/heads/main"),
        ("pull_request_target", "pull-request-fork.json", "refs/heads/main"),
        ("workflow_run", "push-main.json", "refs/heads/main"),
        ("issue_comment", "push-main.json", "refs/heads/main"),
    ] {
        let (world, source) = (world(&PULL), keyless::source());
        let delivery = deliver(&world, &source, &[mirror(&world), folder()]).variable("GITHUB_EVENT_NAME", event);
        let delivery = delivery.variable("GITHUB_REF", reference);
        let ended = delivery.variable("GITHUB_EVENT_PATH", &format!("{fixtures}/{payload}")).ends_with(0);
        // Those who may write to the repository may have it read.
        if (event, payload) == ("pull_request", "pull-request.json") {
            assert_eq!((session_policies(&world).len(), fetched_from(&source)), (1, mirror(&world)), "{ended}");
            continue;
        }
        ended.says("the run's event is one that a stranger may cause").says("Name a mirror that anyone may read");
        assert_eq!(fetched_from(&source), folder(), "{event}, {payload}");
        for call in [Call::IdToken, Call::AssumeRole, Call::GetAuthorizationToken, Call::ManifestGet] {
            assert_eq!(world.count(call), 0, "{event}, {payload}: {call:?}");
        }
    }
}

#[test]
fn no_host_but_amazons_and_the_destinations_own_is_shown_a_password() {
    let (world, other, source) = (world(&PULL), world(&PULL), keyless::source());
    deliver(&world, &source, &[mirror(&other), folder()]).ends_with(0).says("could not be fetched from");
    assert_eq!((session_policies(&world), fetched_from(&source)), (Vec::new(), folder()));
    assert_eq!(world.count(Call::AssumeRole), 1, "the destination's own");
    assert_eq!(other.count(Call::AssumeRole) + other.count(Call::GetAuthorizationToken), 0);
}

#[test]
fn what_docker_login_left_comes_first() {
    let login = |source: &Source, host: &str, user: &str| {
        let folder = source.beside("home/.docker");
        fs::create_dir_all(&folder).unwrap();
        let auth = base64::engine::general_purpose::STANDARD.encode(user);
        fs::write(folder.join("config.json"), json!({"auths": {host: {"auth": auth}}}).to_string()).unwrap();
        folder
    };
    let (world, source) = (world(&PULL), keyless::source());
    login(&source, &world.host(), "AWS:of-yesterday");
    deliver(&world, &source, &[mirror(&world), folder()]).ends_with(0).says("401");
    assert_eq!((session_policies(&world), fetched_from(&source)), (Vec::new(), folder()));

    let registry = Registry::start(Options { password: true, ..Options::default() });
    let (source, name) = (keyless::source(), format!("{}/trivy-db", registry.address));
    let config = login(&source, &registry.address, &format!("{}:{}", USER.0, USER.1));
    let mut push = Command::new(tool("crane"));
    run(push.args(["push", "--insecure", &part("TRIVY_DB"), &format!("{name}:2")]).env("DOCKER_CONFIG", config));
    deliver(&world, &source, std::slice::from_ref(&name)).ends_with(0);
    assert_eq!((session_policies(&world), fetched_from(&source)), (Vec::new(), name));
}

#[test]
fn the_policy_that_is_printed_is_the_one_that_lets_it_be_read_and_the_doctor_says_whether_it_can_be() {
    let (world, source) = (world(&[]), keyless::source());
    let mirrors = [mirror(&world)];
    let doctor = || asked(&world, &source, "doctor", &mirrors);
    let said = doctor().ends_with(1).stdout;
    for words in [&*format!("The mirror {} can't be read", mirror(&world)), "ecr:BatchGetImage", "gp-deliver policy role"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let policy = asked(&world, &source, "policy", &mirrors).argument("role").ends_with(0).stdout;
    let policy: Value = serde_json::from_str(&policy).unwrap();
    world.set_role_policy(&policy);
    let said = doctor().ends_with(0).stdout;
    assert!(said.contains(&format!("  ok    mirror        {} has sha256:", mirror(&world))), "{said}");
    deliver(&world, &source, &mirrors).flag("--environment", "prod").ends_with(0);
    assert_eq!(fetched_from(&source), mirror(&world));
    // A role that gets the manifest alone would fail at the contents.
    let pulls = |statement: &Value| statement["Sid"] == "PullDatabases";
    let mut less = policy;
    let statement = less["Statement"].as_array_mut().unwrap().iter_mut().find(|statement| pulls(statement)).unwrap();
    statement["Action"] = "ecr:BatchGetImage".into();
    world.set_role_policy(&less);
    let said = doctor().ends_with(1).stdout;
    assert!(said.contains("is not authorized to perform: ecr:GetDownloadUrlForLayer"), "{said}");
}

#[test]
fn an_aws_that_fails_in_any_way_has_the_next_mirror_asked_and_is_said() {
    let (world, source) = (world(&PULL), keyless::source());
    // Nothing is published, so that nobody else asks AWS.
    let deliver = |mirrors: &[String]| deliver(&world, &source, mirrors).flag("--publish", "false");
    for call in
        [Call::IdToken, Call::AssumeRole, Call::GetAuthorizationToken, Call::ManifestGet, Call::BlobGet, Call::BlobContent]
    {
        let spoilt = match call {
            // Its answer says where the contents are, and has none.
            Call::BlobGet => &[][..],
            Call::ManifestGet | Call::BlobContent => &[Fault::Truncated, Fault::Corrupt],
            _ => &[Fault::Truncated],
        };
        for fault in [Fault::Status(500), Fault::Wrong].iter().chain(spoilt) {
            let _ = fs::remove_dir_all(source.beside("home"));
            world.fail(call, Times::Always, *fault);
            let ended = deliver(&[mirror(&world), folder()]).output();
            let warned = ended.stderr.contains(&format!("could not be fetched from {}", mirror(&world)));
            assert!(ended.code == Some(0) && warned, "{call:?} {fault:?}: {ended}");
            assert_eq!(fetched_from(&source), folder(), "{call:?} {fault:?}");
            world.mend(call);
        }
        // What passes is overcome.
        let _ = fs::remove_dir_all(source.beside("home"));
        world.fail(call, Times::Once, Fault::Refused);
        deliver(&[mirror(&world)]).ends_with(0);
        assert_eq!(fetched_from(&source), mirror(&world), "{call:?}");
        world.mend(call);
    }
}

#[test]
fn a_password_that_ends_before_its_time_is_followed_by_another_one() {
    let (world, source) = (world(&PULL), keyless::source());
    let delivery = deliver(&world, &source, &[mirror(&world)]).flag("--publish", "false");
    world.fail(Call::BlobGet, Times::Once, Fault::Expired);
    delivery.ends_with(0);
    assert_eq!((world.count(Call::GetAuthorizationToken), fetched_from(&source)), (2, mirror(&world)));
}
