//! The world that other tests deliver into is checked by strangers: GitHub's own library, boto3 and crane.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

#[path = "support/aws/mod.rs"]
mod aws;
#[path = "support/registry.rs"]
mod registry;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use aws::{Call, Fault, Mutability, Options, Times, World};
use base64::Engine as _;
use serde_json::{Value, json};

/// Runs a program in the environment of the world's job.
fn run(world: &World, command: &mut Command, input: &str) -> Output {
    let mut child = command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(world.variables())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// What boto3 was told.
fn boto(world: &World, asked: &Value) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/moto/boto.py");
    let output = run(world, Command::new(aws::program("python")).arg(script), &asked.to_string());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What boto3 was told when it assumed the role and then made these calls.
fn session(world: &World, calls: &Value) -> Vec<Value> {
    boto(world, &json!({"assume": {"RoleArn": world.role()}, "calls": calls}))
}

/// What boto3 was told when it assumed the role with these parameters.
fn assumed(world: &World, parameters: Value) -> Value {
    let mut assume = json!({"RoleArn": world.role()});
    assume.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
    boto(world, &json!({"assume": assume})).remove(0)
}

/// The folder of a Docker configuration with a password of the world's registry.
struct Login(tempfile::TempDir);

impl Login {
    fn to(world: &World) -> Self {
        let said = session(world, &json!([["ecr", "get_authorization_token", {}]]));
        let data = &said[1]["said"]["authorizationData"][0];
        assert_eq!(data["proxyEndpoint"], format!("http://{}", world.host()), "{said:?}");
        Self::with(world, data["authorizationToken"].as_str().unwrap())
    }

    fn with(world: &World, pair: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({"auths": {world.host(): {"auth": pair}}});
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        Self(folder)
    }

    /// What crane prints, or its complaint.
    fn crane(&self, arguments: &[&str]) -> Result<String, String> {
        let given = std::env::var_os("GP_DELIVER_TEST_TOOLS").map(PathBuf::from);
        let tools = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin"));
        let output = Command::new(tools.join("crane"))
            .args(arguments)
            .arg("--insecure")
            .env("DOCKER_CONFIG", self.0.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

/// Writes an image of one layer as `docker save` would, and gives its path.
fn image(folder: &Path, content: &str) -> String {
    let (path, layer) = (folder.join(format!("{content}.tar")), folder.join(format!("{content}.layer")));
    std::fs::write(folder.join(content), content).unwrap();
    let tar = |target: &Path, names: &[&str]| {
        assert!(
            Command::new("tar")
                .args(["--mtime=@0", "-cf"])
                .arg(target)
                .arg("-C")
                .arg(folder)
                .args(names)
                .status()
                .unwrap()
                .success()
        );
    };
    tar(&layer, &[content]);
    let sum = Command::new("sha256sum").arg(&layer).output().unwrap();
    let diff_id = format!("sha256:{}", String::from_utf8_lossy(&sum.stdout).split(' ').next().unwrap());
    let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id]}});
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let manifest = json!([{"Config": "config.json", "RepoTags": null, "Layers": [format!("{content}.layer")]}]);
    std::fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    tar(&path, &["manifest.json", "config.json", &format!("{content}.layer")]);
    path.to_string_lossy().into_owned()
}

fn reference(world: &World, tag: &str) -> String {
    format!("{}/{}:{tag}", world.host(), world.repository())
}

/// Pushes an image with some content, and gives its digest.
fn push(world: &World, login: &Login, content: &str, tag: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path(), content);
    let digest = login.crane(&["push", &image, &reference(world, tag)])?;
    Ok(digest.rsplit_once('@').unwrap().1.to_owned())
}

fn id_token(world: &World, audience: &str, request_token: Option<&str>) -> Result<Value, String> {
    let folder = std::env::var_os("GP_DELIVER_TEST_VALIDATORS").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/validators/bin"));
    let mut variables = world.variables();
    if let Some(token) = request_token {
        variables.push(("ACTIONS_ID_TOKEN_REQUEST_TOKEN".to_owned(), token.to_owned()));
    }
    let mut command = Command::new(folder.join("id-token"));
    let output = command.arg(audience).env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs(variables);
    let output = output.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let token = printed.lines().find_map(|line| line.strip_prefix("token "));
    let token = token.ok_or_else(|| format!("{printed}{}", String::from_utf8_lossy(&output.stderr)))?;
    assert!(world.secrets().contains(&token.to_owned()), "a token is a secret");
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    Ok(serde_json::from_slice(&claims).unwrap())
}

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
        let said = assumed(&world, json!({}));
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
        let said = assumed(&world, json!({}));
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
        let said = assumed(&world, json!({}));
        assert_eq!(said.get("said").is_some(), taken, "{condition}: {said}");
    }
    let mut denying = world.trust_of("*");
    let mut denial = denying["Statement"][0].clone();
    denial["Effect"] = "Deny".into();
    denying["Statement"].as_array_mut().unwrap().push(denial);
    world.set_trust_policy(&denying);
    assert_eq!(assumed(&world, json!({}))["code"], "AccessDenied");
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
        let said = assumed(&world, parameters.clone());
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

    let short = World::options().session_lifetime(0).start();
    let said = session(&short, &describe);
    assert_eq!((&said[1]["code"], &said[2]["code"]), (&json!("ExpiredTokenException"), &json!("ExpiredToken")));
}

#[test]
fn crane_pushes_and_pulls_with_a_password_of_the_session() {
    let world = World::options().start();
    let login = Login::to(&world);
    let digest = push(&world, &login, "one", "v1").unwrap();
    assert_eq!(world.tags().get("v1"), Some(&digest));
    let folder = tempfile::tempdir().unwrap();
    let pulled = folder.path().join("image");
    login.crane(&["pull", "--format=oci", &reference(&world, "v1"), &pulled.to_string_lossy()]).unwrap();
    assert!(pulled.join("index.json").exists());
    assert_eq!((world.count(Call::ManifestPutTag), world.count(Call::ManifestPutByDigest)), (1, 0));
    assert!(world.calls().iter().all(|entry| entry.status.is_some()), "{:?}", world.calls());
}

#[test]
fn the_registry_refuses_as_ecr_does() {
    let world = World::options().start();
    let login = Login::to(&world);
    let stranger = Login::with(&world, "QVdTOm5vbmU=");
    let refusal = push(&world, &stranger, "one", "v1").unwrap_err();
    assert!(refusal.contains("401"), "{refusal}");
    let nowhere = format!("{}/team/none:v1", world.host());
    let refusal = login.crane(&["manifest", &nowhere]).unwrap_err();
    assert!(refusal.contains("is not authorized to perform: ecr:BatchGetImage"), "{refusal}");
    world.allow(&["ecr:BatchGetImage", "ecr:BatchCheckLayerAvailability"]);
    let refusal = push(&world, &login, "one", "v1").unwrap_err();
    let sentence = format!(
        "DENIED: User: arn:aws:sts::{}:assumed-role/delivery/boto is not authorized to perform: ecr:InitiateLayerUpload",
        world.account()
    );
    assert!(refusal.contains(&sentence), "{refusal}");

    let missing = World::options().no_repository().start();
    let refusal = push(&missing, &Login::to(&missing), "one", "v1").unwrap_err();
    let sentence = format!(
        "NAME_UNKNOWN: The repository with name 'team/app' does not exist in the registry with id '{}'",
        missing.account()
    );
    assert!(refusal.contains(&sentence), "{refusal}");

    let late = World::options().password_lifetime(0).start();
    let refusal = Login::to(&late).crane(&["manifest", &reference(&late, "v1")]).unwrap_err();
    assert!(refusal.contains("Your authorization token has expired. Reauthenticate and try again."), "{refusal}");
}

#[test]
fn an_immutable_tag_stays_whatever_it_is_to_name() {
    let filters: [(_, &[&str], _, _); 4] = [
        (Mutability::Immutable, &[], false, false),
        (Mutability::ImmutableWithExclusion, &["dev-*"], true, false),
        (Mutability::MutableWithExclusion, &["dev-*"], false, true),
        (Mutability::Mutable, &[], true, true),
    ];
    for (mutability, filters, dev_moves, v1_moves) in filters {
        let world = World::options().tags(mutability, filters).also_allow(&["ecr:DescribeRepositories"]).start();
        let login = Login::to(&world);
        for (tag, moves) in [("dev-1", dev_moves), ("v1", v1_moves)] {
            push(&world, &login, "one", tag).unwrap();
            let said = push(&world, &login, "two", tag);
            assert_eq!(said.is_ok(), moves, "{mutability:?} {tag}: {said:?}");
            if let Err(refusal) = said {
                let sentence = format!(
                    "TAG_INVALID: The image tag '{tag}' already exists in the 'team/app' repository and cannot be overwritten \
                     because the tag is immutable."
                );
                assert!(refusal.contains(&sentence), "{refusal}");
            }
        }
        let said = session(&world, &json!([["ecr", "describe_repositories", {"repositoryNames": ["team/app"]}]]));
        assert_eq!(said[1]["said"]["repositories"][0]["imageTagMutability"], mutability.word());
        let described = said[1]["said"]["repositories"][0]["imageTagMutabilityExclusionFilters"].as_array().map_or(0, Vec::len);
        assert_eq!(described, filters.len());
    }
}

#[test]
fn images_are_removed_by_the_api_only_and_go_with_their_last_tag() {
    let world = World::options().also_allow(&["ecr:BatchDeleteImage"]).start();
    let login = Login::to(&world);
    let digest = push(&world, &login, "one", "v1").unwrap();
    assert_eq!(push(&world, &login, "one", "v2").unwrap(), digest);
    let by_digest = format!("{}/team/app@{digest}", world.host());
    let refusal = login.crane(&["delete", &by_digest]).unwrap_err();
    assert!(refusal.contains("UNSUPPORTED"), "{refusal}");
    let remove = |image: Value| {
        let said = session(&world, &json!([["ecr", "batch_delete_image", {"repositoryName": "team/app", "imageIds": [image]}]]));
        said[1]["said"].clone()
    };
    let said = remove(json!({"imageTag": "v1"}));
    assert_eq!(said["imageIds"], json!([{"imageDigest": digest, "imageTag": "v1"}]));
    assert_eq!(world.tags(), [("v2".to_owned(), digest.clone())].into());
    assert_eq!(remove(json!({"imageTag": "v1"}))["failures"][0]["failureCode"], "ImageNotFound");
    assert!(login.crane(&["manifest", &by_digest]).is_ok());
    remove(json!({"imageTag": "v2"}));
    let refusal = login.crane(&["manifest", &by_digest]).unwrap_err();
    assert!(refusal.contains("MANIFEST_UNKNOWN"), "{refusal}");

    push(&world, &login, "one", "v1").unwrap();
    push(&world, &login, "one", "v2").unwrap();
    assert_eq!(remove(json!({"imageDigest": digest}))["imageIds"].as_array().unwrap().len(), 2);
    assert_eq!(world.tags().len(), 0);
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
    world.fail(Call::BlobGet, Times::Always, Fault::Corrupt);
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
