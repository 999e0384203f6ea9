//! The world that other tests deliver into is checked by strangers: GitHub's own library, boto3 and crane.

use doubles::aws::stranger::{Login, assumed, boto, id_token, push, reference, session};
use doubles::aws::{Call, Fault, Options, Times, World};
use serde_json::{Value, json};

#[test]
fn githubs_own_library_gets_a_token_with_githubs_claims() {
    let world = World::options().environment("prod").immutable_subject().start();
    let claims = id_token(&world, "sts.amazonaws.com", None).unwrap();
    assert_eq!(claims["sub"], "repo:octo-org@65/octo-repo@74:environment:prod");
    assert_eq!(claims["aud"], "sts.amazonaws.com");
    assert_eq!(claims["iss"], "https://token.actions.githubusercontent.com");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    assert_eq!(claims["repository_owner_id"], "65");
    assert_eq!(id_token(&world, "", None).unwrap()["aud"], "https://github.com/octo-org");
    let refusal = id_token(&world, "sts.amazonaws.com", Some("another")).unwrap_err();
    assert!(refusal.contains("401"), "{refusal}");
}

#[test]
fn boto3_assumes_the_role_and_may_do_what_the_role_may() {
    let world = World::options().start();
    let calls = json!([
        ["sts", "get_caller_identity", {}],
        ["ecr", "get_authorization_token", {}],
        ["ecr", "describe_repositories", {"repositoryNames": [world.repository()]}],
    ]);
    let said = session(&world, &calls);
    let user = format!("arn:aws:sts::{}:assumed-role/delivery/boto", world.account());
    assert_eq!(said[0]["said"]["AssumedRoleUser"]["Arn"], user);
    assert_eq!(said[0]["said"]["SubjectFromWebIdentityToken"], world.subject());
    assert_eq!((&said[1]["said"]["Arn"], &said[1]["said"]["Account"]), (&json!(user), &json!(world.account())));
    let password = said[2]["said"]["authorizationData"][0]["authorizationToken"].as_str().unwrap();
    for secret in [password, said[0]["said"]["Credentials"]["SecretAccessKey"].as_str().unwrap()] {
        assert!(world.secrets().contains(&secret.to_owned()), "{secret}");
    }
    assert_eq!((&said[3]["code"], &said[3]["status"]), (&json!("AccessDeniedException"), &json!(400)));
    let sentence = format!(
        "User: {user} is not authorized to perform: ecr:DescribeRepositories on resource: \
         arn:aws:ecr:{}:{}:repository/{} because no identity-based policy allows the ecr:DescribeRepositories action",
        world.region(),
        world.account(),
        world.repository()
    );
    assert_eq!(said[3]["message"], sentence);

    world.allow(&["ecr:Describe*", "ecr:CreateRepository"]);
    let calls = json!([
        ["ecr", "get_authorization_token", {}],
        ["ecr", "describe_repositories", {"repositoryNames": [world.repository()]}],
        ["ecr", "create_repository", {"repositoryName": world.repository()}],
        ["ecr", "create_repository", {"repositoryName": "team/other"}],
    ]);
    let said = session(&world, &calls);
    assert!(said[1]["message"].as_str().unwrap().contains("on resource: * because"), "{said:?}");
    let repository = &said[2]["said"]["repositories"][0];
    assert_eq!((&repository["registryId"], &repository["imageTagMutability"]), (&json!(world.account()), &json!("MUTABLE")));
    assert_eq!(said[3]["code"], "RepositoryAlreadyExistsException");
    assert_eq!(said[4]["code"], "AccessDeniedException");
}

#[test]
fn a_token_is_refused_as_sts_refuses_it() {
    let denied = ("AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    let invalid = |message| ("InvalidIdentityToken", 400, message);
    let no_provider = "No OpenIDConnect provider found in your account for https://token.actions.githubusercontent.com";
    let cases: Vec<(Options, _)> = vec![
        (World::options().trusts("repo:Octo-Org/octo-repo:ref:refs/heads/main"), denied),
        (World::options().trusts("repo:octo-org/octo-repo:environment:*"), denied),
        (World::options().trusts("repo:octo-org/octo-repo:*").immutable_subject(), denied),
        (World::options().audiences(&["https://github.com/octo-org"]), invalid("Incorrect token audience")),
        (World::options().no_provider(), invalid(no_provider)),
        (World::options().clock(-301), ("ExpiredTokenException", 400, "Token expired")),
        (World::options().clock(900), invalid("not valid yet")),
        (World::options().forged(), invalid("signature")),
    ];
    for (options, (code, status, message)) in cases {
        let world = options.clone().start();
        let said = assumed(&world, &json!({}));
        assert_eq!((&said["code"], &said["status"]), (&json!(code), &json!(status)), "{options:?}: {said}");
        assert!(said["message"].as_str().unwrap().contains(message), "{options:?}: {said}");
    }
}

#[test]
fn a_token_is_taken_where_the_trust_policy_fits() {
    let cases = [
        World::options().trusts("repo:octo-org/octo-repo:ref:refs/heads/m?in"),
        World::options().trusts("repo:octo-org/*").pull_request(7),
        World::options().trusts("repo:octo-org@65/octo-repo@74:environment:prod").immutable_subject().environment("prod"),
        World::options().clock(299).token_lifetime(10),
        World::options().issuer("https://token.actions.githubusercontent.com/octo-enterprise"),
    ];
    for options in cases {
        let world = options.clone().start();
        let said = assumed(&world, &json!({}));
        assert_eq!(said["said"]["SubjectFromWebIdentityToken"], world.subject(), "{options:?}: {said}");
    }
}

#[test]
fn a_trust_policy_is_evaluated_by_its_operators() {
    let world = World::options().environment("prod").start();
    let key = |name: &str| format!("token.actions.githubusercontent.com:{name}");
    let cases = [
        (json!({"ForAnyValue:StringEquals": {key("sub"): ["x", world.subject()]}}), true),
        (json!({"ForAnyValue:StringEquals": {key("sub"): ["x"]}}), false),
        (json!({"StringLike": {key("sub"): ["repo:octo-org/*:environment:prod"]}, "StringEquals": {key("aud"): "x"}}), false),
        (json!({"StringNotLike": {key("sub"): "*:pull_request"}}), true),
        (json!({"StringEqualsIgnoreCase": {key("sub"): world.subject().to_uppercase()}}), true),
        (json!({"StringEquals": {key("sub"): world.subject().to_uppercase()}}), false),
        (json!({"StringEquals": {key("repository_id"): "74", key("environment"): "prod"}}), true),
        (json!({"StringEquals": {key("nothing"): "x"}}), false),
        (json!({"StringEqualsIfExists": {key("nothing"): "x"}}), true),
    ];
    for (condition, taken) in cases {
        let mut policy = world.trust_of("*");
        policy["Statement"][0]["Condition"] = condition.clone();
        world.set_trust_policy(&policy);
        let said = assumed(&world, &json!({}));
        assert_eq!(said.get("said").is_some(), taken, "{condition}: {said}");
    }
    let mut denying = world.trust_of("*");
    let mut denial = denying["Statement"][0].clone();
    denial["Effect"] = "Deny".into();
    denying["Statement"].as_array_mut().unwrap().push(denial);
    world.set_trust_policy(&denying);
    assert_eq!(assumed(&world, &json!({}))["code"], "AccessDenied");
}

#[test]
fn parameters_of_a_session_are_checked_as_sts_checks_them() {
    let world = World::options().start();
    let elsewhere = "arn:aws:iam::999999999999:role/delivery";
    let cases = [
        (json!({"DurationSeconds": 899}), "ValidationError", "greater than or equal to 900"),
        (json!({"DurationSeconds": 3601}), "ValidationError", "exceeds the MaxSessionDuration set for this role"),
        (json!({"DurationSeconds": 43201}), "ValidationError", "less than or equal to 43200"),
        (json!({"RoleSessionName": "a b"}), "ValidationError", "roleSessionName"),
        (json!({"RoleArn": "delivery"}), "ValidationError", "is invalid"),
        (json!({"RoleArn": world.role() + "x"}), "AccessDenied", "Not authorized to perform"),
        (json!({"RoleArn": elsewhere}), "InvalidIdentityToken", "No OpenIDConnect provider found"),
        (json!({"Policy": "{"}), "MalformedPolicyDocument", "invalid Json"),
        (json!({"WebIdentityToken": "not a token"}), "InvalidIdentityToken", "not a valid JWT"),
    ];
    for (parameters, code, message) in cases {
        let said = assumed(&world, &parameters);
        assert_eq!(said["code"], code, "{parameters}: {said}");
        assert!(said["message"].as_str().unwrap().contains(message), "{parameters}: {said}");
    }
}

#[test]
fn a_session_ends_and_its_signature_and_policy_count() {
    let world = World::options().start();
    let describe = json!([["ecr", "get_authorization_token", {}], ["sts", "get_caller_identity", {}]]);
    let keys = session(&world, &json!([])).remove(0)["said"]["Credentials"].clone();
    let with = |name: &str, value: &str| {
        let mut keys = keys.clone();
        keys[name] = value.into();
        boto(&world, &json!({"keys": keys, "calls": describe}))
    };
    assert!(with("Expiration", "").iter().all(|said| said.get("said").is_some()));
    assert_eq!(with("SecretAccessKey", "another")[0]["code"], "InvalidSignatureException");
    assert_eq!(with("AccessKeyId", "ASIAANOTHER")[0]["code"], "UnrecognizedClientException");
    assert_eq!(with("AccessKeyId", "ASIAANOTHER")[1]["code"], "InvalidClientTokenId");

    let narrow = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:PutImage", "Resource": "*"}]});
    let assume = json!({"RoleArn": world.role(), "Policy": narrow.to_string()});
    let said = boto(&world, &json!({"assume": assume, "calls": describe}));
    assert!(said[1]["message"].as_str().unwrap().contains("because no session policy allows"), "{said:?}");

    let short = World::options().first_session_lifetime(0).start();
    let said = session(&short, &describe);
    assert_eq!((&said[1]["code"], &said[2]["code"]), (&json!("ExpiredTokenException"), &json!("ExpiredToken")));
}

#[test]
fn each_service_fails_in_its_own_words() {
    let world = World::options().start();
    let calls = json!([["ecr", "get_authorization_token", {}]]);
    world.fail(Call::AssumeRole, Times::Once, Fault::Throttle);
    world.fail(Call::AssumeRole, Times::Once, Fault::Status(503));
    world.fail(Call::GetAuthorizationToken, Times::Once, Fault::Throttle);
    world.fail(Call::GetAuthorizationToken, Times::Once, Fault::Status(500));
    let outcome = |said: &Value| (said["code"].as_str().unwrap().to_owned(), said["status"].as_u64().unwrap());
    assert_eq!(outcome(&session(&world, &calls)[0]), ("Throttling".into(), 400));
    assert_eq!(outcome(&session(&world, &calls)[0]), ("ServiceUnavailable".into(), 503));
    assert_eq!(outcome(&session(&world, &calls)[1]), ("ThrottlingException".into(), 400));
    assert_eq!(outcome(&session(&world, &calls)[1]), ("ServerException".into(), 500));
    let login = Login::to(&world);
    world.fail(Call::ManifestPutTag, Times::Always, Fault::Throttle);
    let refusal = push(&world, &login, "one", "v1").unwrap_err();
    assert!(refusal.contains("TOOMANYREQUESTS"), "{refusal}");
    world.mend(Call::ManifestPutTag);
    push(&world, &login, "one", "v1").unwrap();
    world.fail(Call::BlobContent, Times::Always, Fault::Corrupt);
    let folder = tempfile::tempdir().unwrap();
    let pulled = folder.path().join("image").to_string_lossy().into_owned();
    let refusal = login.crane(&["pull", "--format=oci", &reference(&world, "v1"), &pulled]).unwrap_err();
    assert!(refusal.contains("error verifying sha256 checksum"), "{refusal}");
    assert_eq!(world.calls().iter().filter(|entry| entry.call == Call::IdToken).count(), 5);
}

#[test]
fn a_request_is_held_until_the_test_has_looked() {
    let world = World::options().start();
    let login = Login::to(&world);
    push(&world, &login, "one", "v1").unwrap();
    let held = world.hold(Call::ManifestPutTag, 2);
    std::thread::scope(|scope| {
        let pushing = scope.spawn(|| push(&world, &login, "two", "v2"));
        held.arrived();
        assert_eq!(world.tags().len(), 1);
        held.release();
        pushing.join().unwrap().unwrap();
    });
    assert_eq!(world.tags().len(), 2);
}
