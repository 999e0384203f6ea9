//! When AWS says no, the delivery says why and what to do, and a person need not ask anybody.

use doubles::aws::{Call, Fault, PUSH, Times, World};

use crate::support::keyless::{deliver, run, source};

#[test]
fn a_trust_policy_that_does_not_accept_the_run_is_shown_what_would() {
    let world = World::options().trusts("repo:another/repository:ref:refs/heads/main").start();
    let ended = deliver(&world, &source()).ends_with(1);
    ended.says("AWS does not let this run assume").says("Not authorized to perform sts:AssumeRoleWithWebIdentity");
    ended.says(&format!("sub: {}", world.subject())).says("aud: sts.amazonaws.com");
    ended.says(&format!("\"token.actions.githubusercontent.com:sub\": \"{}\"", world.subject()));
    // A refusal is not asked for twice.
    assert_eq!(world.count(Call::AssumeRole), 1);
}

#[test]
fn the_policy_that_is_shown_is_accepted() {
    let world = World::options().trusts("repo:another/repository:ref:refs/heads/main").start();
    let source = source();
    let ended = run(&world, &source, "doctor").ends_with(1);
    let (begin, end) = (ended.stdout.find("\n{").unwrap(), ended.stdout.rfind("\n}").unwrap());
    world.set_trust_policy(&serde_json::from_str(&ended.stdout[begin..end + 2]).unwrap());
    run(&world, &source, "doctor").ends_with(0);
    deliver(&world, &source).ends_with(0);
}

#[test]
fn the_policies_that_are_printed_are_enough_for_a_delivery() {
    for options in [World::options(), World::options().environment("dev").immutable_subject()] {
        let world = options.start();
        let source = source();
        world.allow(&[]);
        deliver(&world, &source).ends_with(1);
        let policy = |kind: &str| {
            let flags = run(&world, &source, "policy").flag("--aws-account-id", &world.account());
            let mut command = flags.command();
            let output = command.arg(kind).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
        };
        world.set_role_policy(&policy("role"));
        if world.subject().contains("environment:") {
            world.set_trust_policy(&policy("trust"));
        }
        deliver(&world, &source).ends_with(0);
    }
}

#[test]
fn each_cause_of_a_refusal_has_a_sentence_of_its_own() {
    let cases = [
        (World::options().no_provider(), "does not know GitHub as an identity provider"),
        (World::options().audiences(&["another"]), "does not accept tokens for sts.amazonaws.com"),
        (World::options().token_lifetime(-10), "This run's token has expired"),
        (World::options().clock(-3600), "ahead of GitHub's"),
        (World::options().forged(), "AWS can't verify this run's token"),
        (World::options().no_repository(), "There is no repository team/app in eu-central-1"),
        (World::options().without("ecr:GetAuthorizationToken"), "AWS does not allow ecr:GetAuthorizationToken"),
        (World::options().without("ecr:PutImage"), "AWS does not allow ecr:PutImage in team/app"),
        (World::options().without("ecr:InitiateLayerUpload"), "AWS does not allow ecr:InitiateLayerUpload in team/app"),
        (World::options().without("ecr:BatchGetImage"), "AWS does not allow ecr:BatchGetImage in team/app"),
    ];
    for (options, sentence) in cases {
        let world = options.start();
        deliver(&world, &source()).ends_with(1).says(sentence);
        assert!(world.tags().is_empty());
    }
}

#[test]
fn inputs_that_contradict_each_other_are_said_before_anyone_is_asked() {
    let world = World::options().start();
    let source = source();
    let named = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app";
    let delivery = deliver(&world, &source);
    delivery
        .clone()
        .flag("--ecr-repository", named)
        .flag("--aws-region", "eu-west-1")
        .ends_with(2)
        .says("names a registry in us-east-1");
    delivery.clone().flag("--allowed-account-ids", "000000000001").ends_with(2).says("of an account that is allowed");
    delivery.clone().flag("--aws-account-id", "1234").ends_with(2).says("twelve digits");
    delivery.flag("--destination", "r.example/a").ends_with(2).says("an image goes to one place");
    assert_eq!(world.calls().len(), 0);
}

#[test]
fn a_registry_that_is_not_that_of_the_credentials_gets_no_password() {
    let world = World::options().start();
    let other = World::options().start();
    let ended = deliver(&world, &source()).flag("--ecr-repository", &format!("{}/team/app", other.host())).ends_with(1);
    ended.says("is not the registry of these credentials");
    assert_eq!(other.calls().len(), 0);
}

#[test]
fn a_job_without_the_permission_is_told_which() {
    let world = World::options().start();
    let source = source();
    let delivery = deliver(&world, &source).variable("ACTIONS_ID_TOKEN_REQUEST_URL", "");
    delivery.ends_with(1).says("This job may not ask for an OIDC token").says("id-token: write").says("reusable workflow");
}

#[test]
fn the_doctor_tells_a_forks_pull_request_that_it_gets_no_token() {
    let world = World::options().pull_request(12).start();
    let source = source();
    let event = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/events/pull-request-fork.json");
    let doctor = run(&world, &source, "doctor").variable("ACTIONS_ID_TOKEN_REQUEST_URL", "");
    let ended = doctor.variable("GITHUB_EVENT_PATH", event).ends_with(1);
    assert!(ended.stdout.contains("A fork's pull request gets no OIDC token"), "{ended}");
}

#[test]
fn the_doctor_names_what_differs_from_a_trust_policy_letter_by_letter() {
    let world = World::options().start();
    let source = source();
    let file = source.beside("trust.json");
    let check = |subject: &str| {
        std::fs::write(&file, world.trust_of(subject).to_string()).unwrap();
        run(&world, &source, "doctor").flag("--trust-policy", file.to_str().unwrap()).output()
    };
    assert_eq!(check(&world.subject()).code, Some(0));
    let upper = world.subject().replacen("repo:", "repo:X", 1).replacen('X', "", 1).to_uppercase().replacen("REPO:", "repo:", 1);
    let ended = check(&upper);
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(ended.stdout.contains("letter case") && ended.stdout.contains(&upper) && ended.stdout.contains('^'), "{ended}");
}

#[test]
fn the_doctor_finds_nothing_wrong_where_a_delivery_gets_in_and_changes_nothing() {
    let world = World::options().start();
    let source = source();
    let ended = run(&world, &source, "doctor").ends_with(0);
    assert!(ended.stdout.contains("ok    token") && ended.stdout.contains("latest is free"), "{ended}");
    assert!(world.tags().is_empty() && world.count(Call::UploadStart) == 0);
    // Nor does it create what a delivery would.
    let world = World::options().no_repository().also_allow(&["ecr:CreateRepository"]).start();
    run(&world, &source, "doctor").flag("--create-repository", "true").ends_with(1);
    assert_eq!(world.count(Call::CreateRepository), 0);
}

#[test]
fn throttling_that_lasts_is_named_and_ends_within_its_attempts() {
    let world = World::options().start();
    world.fail(Call::GetAuthorizationToken, Times::Always, Fault::Throttle);
    deliver(&world, &source()).ends_with(1).says("Amazon ECR wants fewer requests");
    assert_eq!(world.count(Call::GetAuthorizationToken), 4);
}

#[test]
fn what_publishing_does_not_need_is_not_asked_for() {
    // The role has exactly what AWS's own guide says that a push needs.
    let world = World::options().start();
    world.allow(&PUSH);
    deliver(&world, &source()).ends_with(0).says("ecr:DescribeRepositories, which publishing does not need");
}
