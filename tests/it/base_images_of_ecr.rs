//! A base image in a private repository of Amazon ECR is pulled with the delivery's own identity, by a session that may do
//! nothing else, and by no build of a change that nobody has accepted.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use doubles::aws::{Call, PUSH, World};
use serde_json::{Value, json};

use crate::support::{Delivery, Engine, Source, engines, keyless, run, tool};

/// A world with a base image whose repository the delivery's role may pull from.
fn world() -> World {
    let world = World::options().start();
    world.create_repository("team/base", doubles::aws::Mutability::Mutable, &[]);
    let made = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY a /base\n"), ("a", "the base")]);
    made.deliver().flag("--tags", "one").ends_with(0);
    let base = format!("{}/team/base:1", world.registry());
    run(Command::new(tool("crane")).args(["push", "--insecure"]).arg(made.beside("image")).arg(&base));
    world.set_role_policy(&role_policy(&world, Some("team/base")));
    world
}

/// What the role may do: push to its repository, and pull from another one.
fn role_policy(world: &World, base: Option<&str>) -> Value {
    let arn = |name: &str| format!("arn:aws:ecr:{}:{}:repository/{name}", world.region(), world.account());
    let pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
    let mut statements = vec![
        json!({"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}),
        json!({"Effect": "Allow", "Action": PUSH, "Resource": arn(&world.repository())}),
    ];
    statements.extend(base.map(|base| json!({"Effect": "Allow", "Action": pull, "Resource": arn(base)})));
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn dockerfile(world: &World) -> String {
    format!("FROM {}/team/base:1\nCOPY b /\n", world.host())
}

fn source(dockerfile: &str) -> Source {
    Source::in_git(&[("Dockerfile", dockerfile), ("b", "own")])
}

/// A delivery to the world's repository, named with its registry as one of Amazon ECR's own is by its name.
fn deliver(world: &World, source: &Source, engine: &Engine) -> Delivery {
    let to = format!("{}/{}", world.host(), world.repository());
    keyless::deliver(world, source).without("--ecr-repository").flag("--ecr-repository", &to).on(engine)
}

/// The policies of the sessions that were asked for.
fn session_policies(world: &World) -> Vec<String> {
    world.calls().iter().filter(|entry| entry.call == Call::AssumeRole).filter_map(|entry| entry.parameter("Policy")).collect()
}

#[test]
fn it_is_pulled_by_a_session_that_may_pull_it_and_do_nothing_else() {
    for engine in engines() {
        let world = world();
        let source = source(&dockerfile(&world));
        let ended = deliver(&world, &source, &engine).ends_with(0);
        ended.says("that may do nothing else");
        assert!(world.tags().contains_key("latest"), "{}", engine.name);
        // The runner is told what to mask, and nobody is told anything else of it.
        let told = ended.stdout.lines().chain(ended.stderr.lines()).filter(|line| !line.starts_with("::add-mask::"));
        let told: Vec<_> = told.collect();
        for secret in world.secrets() {
            assert!(!told.iter().any(|line| line.contains(&secret)), "{}", engine.name);
        }
        let policies = session_policies(&world);
        assert_eq!(policies.len(), 1, "{}: {policies:?}", engine.name);
        let policy: Value = serde_json::from_str(&policies[0]).unwrap();
        let mut allowed: Vec<_> = policy["Statement"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|one| match &one["Action"] {
                Value::Array(actions) => actions.clone(),
                action => vec![action.clone()],
            })
            .map(|action| action.as_str().unwrap().to_owned())
            .collect();
        allowed.sort();
        assert_eq!(
            allowed,
            [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:BatchImportUpstreamImage",
                "ecr:CreateRepository",
                "ecr:GetAuthorizationToken",
                "ecr:GetDownloadUrlForLayer",
            ]
        );
        assert!(policies[0].contains(":repository/team/base\"") && !policies[0].contains("team/app"), "{}", policies[0]);
    }
}

#[test]
fn who_may_not_pull_it_is_told_the_repository_and_the_policy_that_lets_in() {
    for engine in engines() {
        let world = world();
        world.set_role_policy(&role_policy(&world, None));
        let source = source(&dockerfile(&world));
        let ended = deliver(&world, &source, &engine).ends_with(1);
        ended.says(&format!("The base image {}/team/base:1 can't be pulled", world.host()));
        let arn = format!("arn:aws:ecr:{}:{}:repository/team/base", world.region(), world.account());
        ended.says(&arn).says("\"Sid\": \"PullBaseImages\"").says("ecr:BatchGetImage").says("ecr:BatchImportUpstreamImage");
        ended.says(&format!("arn:aws:sts::{}:assumed-role/delivery/", world.account()));
        assert!(world.tags().is_empty(), "{}", engine.name);
        // With these lines it is pulled.
        world.set_role_policy(&role_policy(&world, Some("team/base")));
        deliver(&world, &source, &engine).ends_with(0);
    }
}

#[test]
fn no_build_of_a_change_that_nobody_has_accepted_gets_a_password() {
    let engine = &engines()[2];
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/events");
    for (event, payload) in [
        ("pull_request", "pull-request.json"),
        ("pull_request", "pull-request-fork.json"),
        ("pull_request_target", "pull-request.json"),
        ("pull_request_target", "pull-request-fork.json"),
        ("merge_group", "merge-group.json"),
        ("workflow_run", "push-main.json"),
        ("issue_comment", "push-main.json"),
    ] {
        let world = world();
        let source = source(&dockerfile(&world));
        let delivery = deliver(&world, &source, engine).variable("GITHUB_EVENT_NAME", event);
        let ended = delivery.variable("GITHUB_EVENT_PATH", &format!("{fixtures}/{payload}")).ends_with(1);
        ended.says("This build has no credentials of AWS").says("the run's event is a pull request, or another one");
        assert_eq!(session_policies(&world), Vec::<String>::new(), "{event}, {payload}: no session that pulls");
        // What the image is compared with is read by a run of the repository's own, and by no other.
        let own = matches!((event, payload), ("pull_request", "pull-request.json") | ("merge_group", _));
        for call in [Call::IdToken, Call::AssumeRole, Call::GetAuthorizationToken] {
            assert!(world.count(call) <= usize::from(own), "{event}, {payload}: {call:?}");
        }
    }
}

#[test]
fn a_registry_that_is_none_of_amazons_and_not_the_destinations_gets_none() {
    let (world, other) = (world(), World::options().start());
    let source = source(&format!("FROM {}/team/base:1\nCOPY b /\n", other.host()));
    deliver(&world, &source, &engines()[2]).ends_with(1).says("can't be fetched").says("docker login");
    assert_eq!(session_policies(&world), Vec::<String>::new());
    assert_eq!(other.count(Call::GetAuthorizationToken) + other.count(Call::AssumeRole), 0);
}

#[test]
fn a_build_whose_dockerfile_is_read_by_someone_elses_program_gets_none() {
    let world = world();
    let source = source(&format!("# syntax={}/team/frontend:1\n{}", world.host(), dockerfile(&world)));
    let delivery = deliver(&world, &source, &engines()[2]).flag("--builder-cache", "shared");
    delivery.ends_with(1);
    assert_eq!(session_policies(&world), Vec::<String>::new());
}

#[test]
fn what_docker_login_left_is_what_is_shown() {
    let world = world();
    let source = source(&dockerfile(&world));
    let folder = source.beside("home/.docker");
    fs::create_dir_all(&folder).unwrap();
    let auth = base64::engine::general_purpose::STANDARD.encode("AWS:of-yesterday");
    fs::write(folder.join("config.json"), json!({"auths": {world.host(): {"auth": auth}}}).to_string()).unwrap();
    deliver(&world, &source, &engines()[2]).ends_with(1).says("the credentials of `docker login`");
    assert_eq!(session_policies(&world), Vec::<String>::new());
}

#[test]
fn a_session_policy_goes_on_narrowing_what_is_pulled() {
    let world = world();
    let source = source(&dockerfile(&world));
    let arn = format!("arn:aws:ecr:{}:{}:repository/{}", world.region(), world.account(), world.repository());
    let narrow = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {"Effect": "Allow", "Action": "ecr:*", "Resource": arn},
    ]});
    let ended = deliver(&world, &source, &engines()[2]).flag("--session-policy", &narrow.to_string()).ends_with(1);
    ended.says("can't be pulled").says("team/base");
    let policies = session_policies(&world);
    assert!(policies.iter().any(|policy| policy.contains("NotAction") && policy.contains("\"ecr:*\"")), "{policies:?}");
}
