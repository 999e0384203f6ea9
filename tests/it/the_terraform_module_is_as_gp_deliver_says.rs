//! What the Terraform module puts at AWS is what gp-deliver prints: the policies that the module's own tests compare with
//! (`scripts/terraform`) are those of `gp-deliver policy`, and its lifecycle policies are the presets.

use std::path::{Path, PathBuf};
use std::process::Command;

use doubles::aws::World;
use serde_json::{Value, json};

use crate::support::{Delivery, Source, binary};

const ROLE: &str = "arn:aws:iam::012345678901:role/delivery";
const REGISTRY: &str = "012345678901.dkr.ecr.eu-central-1.amazonaws.com";

fn module(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("terraform").join(path)
}

/// `gp-deliver policy` for prod of the repository that the module's tests have.
fn policy(source: &Source) -> Delivery {
    let policy = source.run("policy").without("--destination").flag("--environment", "prod");
    let policy = policy.flag("--ecr-repository", &format!("{REGISTRY}/team/app")).flag("--role-to-assume", ROLE);
    policy.variable("GITHUB_REPOSITORY", "octo-org/octo-repo")
}

fn printed(policy: &Delivery, kind: &str) -> String {
    let output = policy.command().arg(kind).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn expects(name: &str, printed: &str) {
    let path = module("tests/expected").join(name);
    if std::env::var_os("GP_DELIVER_BLESS").is_some() {
        std::fs::write(&path, printed).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), printed, "{}", path.display());
}

#[test]
fn the_policies_that_it_is_tested_against_are_those_that_are_printed() {
    let source = Source::in_git(&[("file", "1\n")]);
    let policy = policy(&source);
    expects("trust.json", &printed(&policy, "trust"));
    expects("role.json", &printed(&policy, "role"));
    let ids = policy.clone().variable("GITHUB_REPOSITORY_OWNER_ID", "65").variable("GITHUB_REPOSITORY_ID", "74");
    expects("trust-with-ids.json", &printed(&ids, "trust"));
    // These lines are validated as they are, but for where the module is.
    let lines = printed(&ids, "terraform");
    assert!(lines.contains("source = \"github.com/org/gp-deliver//terraform?ref=v1\""), "{lines}");
    expects("printed/main.tf", &lines);
    let key = |digit: &str| {
        let id = [8, 4, 4, 4, 12].map(|length| digit.repeat(length)).join("-");
        format!("arn:aws:kms:eu-central-1:012345678901:key/{id}")
    };
    let trusted = format!("dev={}\nstaging={}", key("3"), key("2"));
    let keys = policy.flag("--sign", "kms").flag("--kms-key", &key("1")).flag("--trusted-keys", &trusted);
    expects("role-with-keys.json", &printed(&keys, "role"));
}

#[test]
fn a_role_that_reads_findings_is_the_one_that_it_is_tested_against() {
    let source = Source::in_git(&[("file", "1\n")]);
    expects("role-with-findings.json", &printed(&policy(&source).flag("--ecr-scan", "report"), "role"));
}

#[test]
fn a_role_that_reads_a_mirror_is_the_one_that_it_is_tested_against() {
    let source = Source::in_git(&[("file", "1\n")]);
    let mirrors = format!("{REGISTRY}/mirror/trivy-db,public.ecr.aws/aquasecurity/trivy-db");
    let policy = policy(&source).flag("--trivy-db-repository", &mirrors);
    expects("role-with-mirror.json", &printed(&policy, "role"));
    let lines = printed(&policy, "terraform");
    assert!(
        lines.contains("database_mirrors = [\"arn:aws:ecr:eu-central-1:012345678901:repository/mirror/trivy-db\"]"),
        "{lines}"
    );
}

/// What AWS has, with the names that Terraform has for it.
fn attributes(world: &World) -> Value {
    let name = json!({"repositoryName": world.repository()});
    let described = world.ecr("DescribeRepositories", &json!({"repositoryNames": [world.repository()]}));
    let repository = &described["repositories"][0];
    let tags = world.ecr("ListTagsForResource", &json!({"resourceArn": world.repository_arn()}));
    let tags = tags["tags"].as_array().unwrap().iter().map(|tag| (tag["Key"].as_str().unwrap().to_owned(), tag["Value"].clone()));
    let policy = world.ecr("GetRepositoryPolicy", &name);
    let document = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    json!({
        "image_tag_mutability": repository["imageTagMutability"],
        "scan_on_push": repository["imageScanningConfiguration"]["scanOnPush"],
        "encryption_type": repository["encryptionConfiguration"]["encryptionType"],
        "tags": tags.collect::<serde_json::Map<_, _>>(),
        "lifecycle_policy": document(&world.lifecycle_policy().unwrap()),
        "policy": document(policy["policyText"].as_str().unwrap()),
    })
}

#[test]
fn its_repositories_are_as_repository_ensure_leaves_them() {
    let mut all = serde_json::Map::new();
    for (name, preset) in [("team/app", "environments-safe"), ("team/app-dev", "simple"), ("team/app-staging", "environments")] {
        // One that is created and one that is changed are the same.
        let ensured = [World::options().no_repository().start(), World::options().start()].map(|world| {
            world.set_role_policy(
                &json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}}),
            );
            let folder = tempfile::tempdir().unwrap();
            let mut command = Command::new(binary());
            command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.path()).current_dir(folder.path());
            command.envs(world.variables()).args([
                "repository",
                "ensure",
                &world.repository(),
                "--role-to-assume",
                &world.role(),
            ]);
            command.args(["--scan-on-push", "--immutable-tags", "--encryption", "aes256", "--lifecycle-preset", preset]);
            command.args(["--puller", "444455556666", "--puller", "arn:aws:iam::111122223333:role/deploy"]);
            command.args(["--pusher", "arn:aws:iam::111122223333:user/ci", "--pusher", "arn:aws:iam::111122223333:role/deploy"]);
            command.args(["--resource-tag", "team=web", "--resource-tag", "owner=platform"]);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            attributes(&world)
        });
        assert_eq!(ensured[0], ensured[1]);
        all.insert(name.to_owned(), ensured[0].clone());
    }
    expects("repositories.json", &format!("{}\n", serde_json::to_string_pretty(&all).unwrap()));
}

#[test]
fn its_lifecycle_policies_are_the_presets() {
    for name in ["simple", "environments", "environments-safe"] {
        let output = Command::new(binary()).args(["lifecycle", "presets", "--print", name]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let file = std::fs::read_to_string(module("lifecycle").join(format!("{name}.json"))).unwrap();
        assert_eq!(file.trim_end(), String::from_utf8(output.stdout).unwrap().trim_end(), "{name}");
    }
}
