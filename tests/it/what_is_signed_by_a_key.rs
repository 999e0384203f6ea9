//! Where each environment has a key of AWS KMS, its role signs by that: anyone who has the public half can look at it, and
//! whoever may use one environment's key can't speak for another.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use doubles::aws::{Call, Fault, Times, World};
use doubles::registry::crane;
use serde_json::{Value, json};

use crate::support::stranger::Stranger;
use crate::support::{Delivery, Ended, Source, advisories_without_one, part, run, secret, tool};

/// A commit on `main`, a registry, and a world with keys.
struct Scene {
    source: Source,
    world: World,
    /// The commit, as tags have it.
    sha: String,
    dev: String,
    staging: String,
    prod: String,
}

impl Scene {
    fn set() -> Self {
        Self::holding(&[])
    }

    fn holding(files: &[(&str, &str)]) -> Self {
        let usual = [
            ("Dockerfile", "FROM scratch\nCOPY . /app/\n"),
            (".dockerignore", ".git\n"),
            // A package that no advisory is about.
            ("six-1.16.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n"),
        ];
        let source = Source::in_git(&[&usual, files].concat());
        let world = World::options().start();
        let sha = source.git(&["rev-parse", "HEAD"])[..7].to_owned();
        let [dev, staging, prod] = ["dev", "staging", "prod"].map(|name| world.create_key(Some(&format!("alias/{name}"))));
        let scene = Self { source, world, sha, dev, staging, prod };
        scene.allow("kms:*", "*");
        scene
    }

    /// What the role may do with keys from now on, and nothing else.
    fn allow(&self, action: &str, key: &str) {
        let statement = json!({ "Effect": "Allow", "Action": action, "Resource": key });
        self.world.set_role_policy(&json!({ "Version": "2012-10-17", "Statement": [statement] }));
    }

    fn repository(&self) -> String {
        // One registry is for all tests.
        format!("{}/team/key-{}", part("REFERRERS_REGISTRY"), self.sha)
    }

    fn image(&self, tag: &str) -> String {
        format!("{}:{tag}", self.repository())
    }

    /// A run as a job of this world.
    fn job(&self, run: Delivery, environment: &str, key: &str) -> Delivery {
        let run = self.world.variables().into_iter().fold(run, |run, (name, value)| run.variable(&name, &value));
        run.variable("GITHUB_SHA", &self.source.git(&["rev-parse", "HEAD"]))
            .flag("--role-to-assume", &self.world.role())
            .flag("--environment", environment)
            .flag("--code-scanning", "off")
            .flag("--sign", "kms")
            .flag("--kms-key", key)
    }

    /// A delivery that signs by a key.
    fn deliver(&self, environment: &str, key: &str) -> Delivery {
        self.job(self.source.deliver(), environment, key).flag("--destination", &self.repository())
    }

    /// A promotion of what `reference` names to prod, by prod's key.
    fn promote(&self, reference: &str) -> Delivery {
        let nothing = self.source.beside("nothing");
        std::fs::create_dir_all(&nothing).unwrap();
        let run = self.source.run("promote").without("--build-context").in_folder(&nothing);
        let run = run.variable("DOCKER_HOST", "unix:///nowhere/docker.sock");
        let to = format!("{}-prod", self.repository());
        self.job(run, "prod", &self.prod).flag("--from", reference).flag("--destination", &to)
    }

    /// A file with the public half of a key.
    fn public(&self, key: &str) -> String {
        let path = self.source.beside(&format!("{}.pem", &key[key.len() - 8..]));
        std::fs::write(&path, self.world.public_key(key)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[track_caller]
    fn verify(&self, image: &str, flags: &[&str], code: i32) -> Ended {
        let mut command = self.verification(image);
        let ended = Ended::from(command.args(flags).output().unwrap());
        assert_eq!(ended.code, Some(code), "{flags:?}: {ended}");
        ended
    }

    fn verification(&self, image: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
        command.env_clear().env("HOME", self.source.beside("home")).args(["verify", image]);
        command
    }

    fn digest(&self, tag: &str) -> String {
        crane(&["digest", "--insecure", &self.image(tag)])
    }

    /// The tags that can be seen.
    fn tags(repository: &str) -> Vec<Value> {
        let listed = Self::get(repository, "tags/list").unwrap_or_default();
        listed["tags"].as_array().cloned().unwrap_or_default()
    }

    /// The bundles beside an image.
    fn bundles(&self, digest: &str) -> Vec<Value> {
        let repository = self.repository();
        let listed = Self::get(&repository, &format!("referrers/{digest}")).unwrap();
        let bundle = |listed: &Value| {
            let manifest = crane(&["manifest", "--insecure", &format!("{repository}@{}", listed["digest"].as_str().unwrap())]);
            let manifest: Value = serde_json::from_str(&manifest).unwrap();
            let blob = format!("{repository}@{}", manifest["layers"][0]["digest"].as_str().unwrap());
            serde_json::from_str(&crane(&["blob", "--insecure", &blob])).unwrap()
        };
        listed["manifests"].as_array().unwrap().iter().map(bundle).collect()
    }

    /// Puts a statement beside an image that is like one that is there, but for what `change` makes of it, and signed by whoever may
    /// use a key.
    async fn forge(&self, digest: &str, key: &str, predicate: &str, change: impl Fn(&mut Value)) {
        let of_type = |bundle: &Value| statement(bundle)["predicateType"] == predicate;
        let mut bundle = self.bundles(digest).into_iter().find(of_type).unwrap();
        let mut said = statement(&bundle);
        change(&mut said);
        let payload = said.to_string();
        let envelope = &mut bundle["dsseEnvelope"];
        let kind = envelope["payloadType"].as_str().unwrap();
        let message = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
        envelope["payload"] = json!(STANDARD.encode(&payload));
        envelope["signatures"][0]["sig"] = json!(STANDARD.encode(self.world.signature(key, message.as_bytes())));
        bundle["verificationMaterial"]["publicKey"]["hint"] = json!(self.world.key_hint(key));
        Stranger::to(&self.repository()).put_beside(digest, predicate, bundle.to_string().as_bytes()).await;
    }

    /// What is listed beside an image, of a type: the digests.
    fn listed(&self, digest: &str, predicate: &str) -> Vec<String> {
        let listed = Self::get(&self.repository(), &format!("referrers/{digest}")).unwrap();
        let of_type = |listed: &&Value| listed["annotations"]["dev.sigstore.bundle.predicateType"] == predicate;
        let listed = listed["manifests"].as_array().unwrap().iter().filter(of_type);
        listed.map(|listed| listed["digest"].as_str().unwrap().to_owned()).collect()
    }

    fn delete(&self, digests: &[String]) {
        for digest in digests {
            crane(&["delete", "--insecure", &format!("{}@{digest}", self.repository())]);
        }
    }

    /// What the registry answers below a repository; `None` where it refuses.
    fn get(repository: &str, path: &str) -> Option<Value> {
        let (registry, name) = repository.split_once('/').unwrap();
        let accept = "Accept: application/vnd.oci.image.index.v1+json";
        let curl = ["--silent", "--fail", "--noproxy", "*", "--header", accept];
        let output = Command::new("curl").args(curl).arg(format!("http://{registry}/v2/{name}/{path}")).output().unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }

    /// The output that is a command.
    fn verify_command(&self) -> String {
        let outputs = std::fs::read_to_string(self.source.beside("report/outputs")).unwrap();
        let mut lines = outputs.lines().skip_while(|line| !line.starts_with("verify-command<<"));
        lines.nth(1).unwrap().to_owned()
    }

    /// Whether a shell that finds `program` runs a command to a good end.
    fn holds(&self, command: &str, program: &Path) -> Result<(), String> {
        let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
        let mut shell = Command::new("/bin/sh");
        shell.env_clear().env("PATH", path).env("HOME", self.source.beside("home")).args(["-c", command]);
        let said = shell.output().unwrap();
        if said.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said.stderr).into_owned()) }
    }

    fn reuse(&self) -> Value {
        self.source.record()["reuse"].clone()
    }
}

const SPDX: &str = "https://spdx.dev/Document";
const VERDICT: &str = "https://gp-deliver.dev/verdict/v1";
/// A package with a critical advisory in `fixtures/advisories`.
const CRITICAL: (&str, &str) = ("PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n");

/// The statement in a bundle.
fn statement(bundle: &Value) -> Value {
    let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

fn document(name: &str) -> String {
    PathBuf::from(part("SIGSTORE")).join(name).to_str().unwrap().to_owned()
}

/// With times by the private Sigstore's timestamp authority.
fn with_times(delivery: &Delivery) -> Delivery {
    let delivery = delivery.clone().flag("--sigstore-signing-config", &document("signing_config.json"));
    delivery.flag("--sigstore-trusted-root", &document("trusted_root.json"))
}

#[test]
fn a_delivery_to_prod_is_signed_by_prods_key_and_whoever_has_its_public_half_finds_that() {
    let scene = Scene::set();
    scene.deliver("prod", &scene.world.alias_arn("alias/prod")).ends_with(0).says("6 statements").says(&scene.prod);
    assert_eq!((scene.world.count(Call::GetPublicKey), scene.world.count(Call::Sign)), (1, 6));
    let (image, key) = (scene.image(&scene.sha), scene.public(&scene.prod));
    let bound = format!("prod={key}");
    let verified = scene.verify(&image, &["--key", &bound, "--environment", "prod", "--repository", "octo-org/octo-repo"], 0);
    for says in ["the key sha256:", "cleared for prod", "by the word of its key's holder", "1 of 1 platform"] {
        assert!(verified.stdout.contains(says), "{says}: {}", verified.stdout);
    }
    let content = scene.world.public_key(&scene.prod);
    let content: String = content.lines().filter(|line| !line.starts_with('-')).collect();
    scene.verify(&image, &["--key", &content, "--max-age", "1h"], 0);
    let (others, as_dev) = (scene.public(&scene.dev), format!("dev={key}"));
    for (flags, code) in [
        (&["--key", &others][..], 3),
        // It speaks for prod where it is said to.
        (&["--key", &as_dev, "--environment", "prod"], 3),
        (&["--key", &bound, "--environment", "staging"], 3),
        (&["--key", &bound, "--repository", "octo-org/other", "--environment", "prod"], 3),
        (&["--key", &key, "--key", &others], 2),
        (&["--key", "/nowhere.pem"], 2),
        (&[], 2),
    ] {
        scene.verify(&image, flags, code);
    }
    for bundle in scene.bundles(&scene.digest(&scene.sha)) {
        let material = &bundle["verificationMaterial"];
        assert_eq!(material["tlogEntries"], json!([]), "nothing goes into a log");
        assert!(material["publicKey"]["hint"].is_string() && material["certificate"].is_null(), "{material}");
    }
}

#[test]
fn verify_asks_kms_for_a_key_and_a_policy_names_one() {
    let scene = Scene::set();
    scene.deliver("prod", &scene.prod).ends_with(0);
    let image = scene.image(&scene.sha);
    let token = scene.source.beside("token");
    std::fs::write(&token, scene.world.token("sts.amazonaws.com")).unwrap();
    let mut command = scene.verification(&image);
    let endpoint = format!("http://{}", scene.world.host());
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_ROLE_ARN", scene.world.role()).env("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
    let key = format!("prod={}", scene.world.alias_arn("alias/prod"));
    let ended = Ended::from(command.args(["--key", &key, "--environment", "prod"]).output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended}");
    let policy = |environment: &str| {
        let path = scene.source.beside("policy.yaml");
        let key = scene.public(&scene.prod);
        let text = format!("environment: prod\nsigners:\n  - key: {key}\n    environments: [{environment}]\n");
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    scene.verify(&image, &["--policy", &policy("prod")], 0);
    scene.verify(&image, &["--policy", &policy("dev")], 3);
}

#[test]
fn the_command_that_a_delivery_gives_is_cosigns_for_that_key() {
    let scene = Scene::set();
    for times in [false, true] {
        let delivery = scene.deliver("prod", &scene.prod);
        let delivery = if times { with_times(&delivery).flag("--reuse", "never") } else { delivery };
        delivery.ends_with(0);
        let command = scene.verify_command();
        let key = format!("--key awskms:///{} ", scene.prod);
        assert!(command.starts_with(&format!("cosign verify {key}--insecure-ignore-tlog ")), "{command}");
        assert_eq!(command.contains("--use-signed-timestamps"), times, "{command}");
        let Some(cosign) = std::env::var_os("GP_DELIVER_TEST_COSIGN").map(PathBuf::from) else {
            std::io::stderr().write_all(b"WITHOUT COSIGN: what needs it is NOT TESTED (make test-all)\n").unwrap();
            return;
        };
        let with = |key_of: &str| command.replace(&key, &format!("--key {} ", scene.public(key_of)));
        assert_eq!(scene.holds(&with(&scene.prod), &cosign), Ok(()), "{command}");
        scene.holds(&with(&scene.dev), &cosign).unwrap_err();
        for predicate in ["spdxjson", "cyclonedx", "slsaprovenance1", "vuln", "https://gp-deliver.dev/verdict/v1"] {
            let attested =
                |command: &str| command.replacen("cosign verify ", &format!("cosign verify-attestation --type {predicate} "), 1);
            assert_eq!(scene.holds(&attested(&with(&scene.prod)), &cosign), Ok(()), "{predicate}: {command}");
            scene.holds(&attested(&with(&scene.dev)), &cosign).unwrap_err();
        }
    }
}

#[test]
fn a_commit_whose_image_its_environments_key_has_proven_is_not_built_or_scanned_again() {
    let scene = Scene::set();
    scene.deliver("prod", &scene.prod).ends_with(0);
    scene.deliver("prod", &scene.prod).ends_with(0);
    let record = scene.source.record();
    assert_eq!(record["reuse"]["is"], "completed", "{record}");
    assert!(record["precedent"].is_string(), "{record}");
    assert_eq!(scene.world.count(Call::Sign), 6, "what is there is not signed again");
}

#[test]
fn whoever_may_use_devs_key_can_not_speak_for_prod() {
    let scene = Scene::set();
    // They have the program, the registry and dev's key, and say that they are prod.
    scene.deliver("prod", &scene.dev).ends_with(0);
    let (image, trusted) = (scene.image(&scene.sha), format!("dev={}", scene.dev));
    let [dev, prod] = [&scene.dev, &scene.prod].map(|key| scene.public(key));
    let keys = [format!("dev={dev}"), format!("prod={prod}")];
    let flags = ["--environment", "prod", "--key", &keys[0], "--key", &keys[1]];
    let refused = scene.verify(&image, &flags, 3);
    assert!(refused.stdout.contains("✗ signature") && refused.stdout.contains("✗ gates"), "{}", refused.stdout);
    // Prod knows dev's key, and takes nothing of it for its own.
    scene.deliver("prod", &scene.prod).flag("--trusted-keys", &trusted).ends_with(0);
    assert_eq!(scene.reuse(), Value::Null);
    scene.verify(&image, &flags, 0);
}

#[test]
fn the_word_of_an_environment_that_only_advises_stands_for_no_build_and_that_of_one_that_blocks_does() {
    let scene = Scene::set();
    let trusted = format!("dev={}\nstaging={}", scene.dev, scene.staging);
    scene.deliver("dev", &scene.dev).ends_with(0);
    scene.deliver("prod", &scene.prod).flag("--trusted-keys", &trusted).ends_with(0);
    assert_eq!(scene.reuse(), Value::Null);
    let scene = Scene::set();
    let trusted = format!("staging={}", scene.staging);
    scene.deliver("staging", &scene.staging).ends_with(0);
    scene.deliver("prod", &scene.prod).ends_with(0);
    assert_eq!(scene.reuse(), Value::Null, "a key that is not named counts for nothing");
    let scene_of = |environment: &str| {
        let scene = Scene::set();
        scene.deliver(environment, &scene.staging).ends_with(0);
        scene.deliver("prod", &scene.prod).flag("--trusted-keys", &format!("staging={}", scene.staging)).ends_with(0);
        scene.reuse()
    };
    assert_eq!(scene_of("staging"), json!({ "is": "promoted", "from": "staging" }), "{trusted}");
    assert_eq!(scene_of("test"), Value::Null);
}

#[test]
fn what_dev_has_signed_is_promoted_where_its_key_is_named_and_speaks_for_dev() {
    let scene = Scene::set();
    let trusted = format!("dev={}", scene.dev);
    let (from, to) = (scene.image(&format!("dev-{}", scene.sha)), format!("{}-prod", scene.repository()));
    scene.deliver("dev", &scene.dev).ends_with(0);
    scene.promote(&from).ends_with(1).says("It is not proven where");
    // As if staging had let it pass.
    scene.deliver("staging", &scene.dev).ends_with(0);
    let staging = scene.image(&format!("staging-{}", scene.sha));
    assert_ne!(crane(&["digest", "--insecure", &staging]), "");
    assert_eq!(Scene::tags(&to), Vec::<Value>::new());
    scene.promote(&from).flag("--trusted-keys", &trusted).ends_with(0).says("statements from");
    let key = format!("prod={}", scene.public(&scene.prod));
    scene.verify(&format!("{to}:prod-{}", scene.sha), &["--key", &key, "--environment", "prod"], 0);
    let lying = Scene::set();
    lying.deliver("staging", &lying.dev).ends_with(0);
    let promote = lying.promote(&lying.image(&format!("staging-{}", lying.sha)));
    let refused = promote.clone().flag("--trusted-keys", &format!("dev={}", lying.dev)).ends_with(1);
    refused.says("its key speaks for dev, and its verdict is for staging");
    let key = format!("dev={}", lying.public(&lying.dev));
    promote.clone().flag("--key", &key).ends_with(1).says("its key speaks for dev");
    promote.flag("--key", &format!("staging={}", lying.public(&lying.dev))).ends_with(0);
}

#[test]
fn an_image_is_promoted_by_no_list_of_a_key_that_did_not_decide_about_it() {
    let scene = Scene::set();
    let tag = format!("staging-{}", scene.sha);
    let lists = || scene.listed(&scene.digest(&tag), SPDX);
    scene.deliver("staging", &scene.staging).ends_with(0);
    let of_staging = lists();
    scene.deliver("dev", &scene.dev).ends_with(0);
    assert_eq!((of_staging.len(), lists().len()), (1, 2));
    let trusted = format!("dev={}\nstaging={}", scene.dev, scene.staging);
    let promote = scene.promote(&scene.image(&tag)).flag("--promote-by", "sbom").flag("--trusted-keys", &trusted);
    promote.ends_with(0);
    scene.delete(&of_staging);
    assert_eq!(lists().len(), 1);
    promote.ends_with(1).says("the verdict that counts is by the key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_hides_a_package_does_not_hide_it_where_another_key_has_decided() {
    let scene = Scene::holding(&[CRITICAL]);
    // What staging let pass before anything was known of it.
    let before = scene.source.beside("before");
    run(Command::new(tool("trivy-db"))
        .arg("--advisories")
        .arg(advisories_without_one(&scene.source))
        .arg("--output")
        .arg(&before));
    let before = format!("oci:{}:2", before.display());
    scene.deliver("staging", &scene.staging).flag("--trivy-db-repository", &before).ends_with(0);
    let image = scene.image(&format!("staging-{}", scene.sha));
    let digest = crane(&["digest", "--insecure", &image]);
    let trusted = format!("dev={}\nstaging={}", scene.dev, scene.staging);
    let promote = scene.promote(&image).flag("--promote-by", "sbom").flag("--trusted-keys", &trusted);
    promote.ends_with(3).says("CVE-2020-14343");
    let hide = |list: &mut Value| {
        let is_it = |package: &Value| package["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("pyyaml"));
        let packages = list["predicate"]["packages"].as_array_mut().unwrap();
        let hidden: Vec<Value> = packages.iter().filter(|package| is_it(package)).map(|one| one["SPDXID"].clone()).collect();
        assert!(!hidden.is_empty());
        packages.retain(|package| !is_it(package));
        let names = |relation: &Value| ["spdxElementId", "relatedSpdxElement"].iter().any(|end| hidden.contains(&relation[*end]));
        list["predicate"]["relationships"].as_array_mut().unwrap().retain(|relation| !names(relation));
    };
    let true_list = scene.listed(&digest, SPDX);
    scene.forge(&digest, &scene.dev, SPDX, hide).await;
    promote.ends_with(3).says("CVE-2020-14343");
    scene.delete(&true_list);
    promote.ends_with(1).says("the verdict that counts is by the key");
    // By the word of whoever has decided it would pass: nobody else can say what is in it.
    scene.forge(&digest, &scene.staging, SPDX, |_| ()).await;
    promote.ends_with(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_leaks_were_held_back_is_not_devs_to_say() {
    let scene = Scene::set();
    scene.deliver("dev", &scene.dev).ends_with(0);
    let image = scene.image(&format!("dev-{}", scene.sha));
    let digest = crane(&["digest", "--insecure", &image]);
    let promote = |trusted: &str| {
        let trusted = format!("{trusted}={}", scene.dev);
        scene.promote(&image).flag("--promote-by", "sbom").flag("--trusted-keys", &trusted)
    };
    let claim = |verdict: &mut Value| {
        assert_eq!(verdict["predicate"]["demands"]["secrets"], "advisory");
        verdict["predicate"]["demands"]["secrets"] = json!("blocking");
        verdict["predicate"]["decision"] = json!("cleared");
    };
    let honest = scene.listed(&digest, VERDICT);
    scene.forge(&digest, &scene.dev, VERDICT, claim).await;
    scene.delete(&honest);
    promote("dev").ends_with(1).says("can't be judged by its SBOM").says("did not hold them back");
    // It is the environment of the key that makes the difference.
    let as_staging = |verdict: &mut Value| verdict["predicate"]["environment"] = json!("staging");
    scene.forge(&digest, &scene.dev, VERDICT, as_staging).await;
    promote("dev").ends_with(1).says("can't be judged by its SBOM");
    promote("staging").ends_with(0);
}

#[test]
fn a_run_that_may_not_sign_is_found_out_before_anything_is_built() {
    let scene = Scene::set();
    scene.allow("kms:GetPublicKey", "*");
    let nowhere = |run: Delivery| run.variable("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let refused = nowhere(scene.deliver("prod", &scene.prod)).ends_with(1);
    refused.says("AWS does not allow kms:Sign").says("\"kms:Sign\"").says(&scene.prod).does_not_say("docker.sock");
    assert_eq!((scene.world.count(Call::DrySign), scene.world.count(Call::Sign)), (1, 0));
    // Nothing is signed where it is only asked.
    scene.allow("kms:*", "*");
    nowhere(scene.deliver("prod", &scene.prod)).ends_with(1).says("docker.sock");
    assert_eq!((scene.world.count(Call::DrySign), scene.world.count(Call::Sign)), (2, 0));
    for fault in [Fault::Refused, Fault::Status(500)] {
        scene.world.fail(Call::DrySign, Times::Always, fault);
        nowhere(scene.deliver("prod", &scene.prod)).ends_with(1).says("AWS KMS").does_not_say("docker.sock");
        scene.deliver("dev", &scene.dev).ends_with(0);
        scene.world.mend(Call::DrySign);
    }
}

#[test]
fn attestations_that_github_has_to_have_are_no_keys_to_make() {
    let scene = Scene::set();
    let deliver = scene.deliver("prod", &scene.prod).variable("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let refused = deliver.flag("--github-attestations", "required").ends_with(2);
    refused.says("github-attestations").says("auto or off is expected where a key signs");
    assert_eq!(scene.world.count(Call::GetPublicKey), 0);
}

#[test]
fn a_leak_that_a_later_verdict_names_is_not_undone_by_an_earlier_one() {
    let scene = Scene::set();
    scene.source.write("deploy/staging.env", &format!("TOKEN={}\n", secret()));
    scene.source.commit("a leak");
    std::fs::remove_file(scene.source.context().join("deploy/staging.env")).unwrap();
    let sha = scene.source.commit("it is in the history now")[..7].to_owned();
    let dev = scene.deliver("dev", &scene.dev).flag("--reuse", "never");
    dev.clone().flag("--secrets-history", "none").ends_with(0);
    let from = scene.image(&format!("dev-{sha}"));
    let promote = scene.promote(&from).flag("--trusted-keys", &format!("dev={}", scene.dev));
    dev.flag("--secrets-history", "full").ends_with(0);
    promote.ends_with(1).says("counts 1 leaked secret");
}

#[test]
fn a_key_that_is_named_for_two_environments_is_an_error_wherever_it_is_named() {
    let scene = Scene::set();
    let key = scene.public(&scene.dev);
    let (dev, prod) = (format!("dev={key}"), format!("prod={key}"));
    let image = scene.image("none");
    scene.verify(&image, &["--key", &dev, "--key", &prod], 2).says("a key speaks for one environment");
    // Of ARNs AWS alone knows that they are of one key.
    let promote = scene.promote(&image).flag("--trusted-keys", &format!("dev={}\nstaging={}", scene.dev, scene.dev));
    promote.ends_with(1).says("One key is to speak for dev and staging");
}

#[test]
fn a_signature_that_kms_refuses_leaves_nothing_visible_and_where_gates_advise_it_is_a_warning() {
    let scene = Scene::set();
    scene.allow("kms:GetPublicKey", "*");
    let refused = scene.deliver("prod", &scene.prod).ends_with(1);
    refused.says("AWS does not allow kms:Sign").says("\"kms:Sign\"").says(&scene.prod);
    assert_eq!(Scene::tags(&scene.repository()), Vec::<Value>::new());
    scene.deliver("dev", &scene.dev).ends_with(0).says("The image is not signed.");
    scene.allow("kms:*", "*");
    scene.deliver("prod", &scene.prod).ends_with(0);
    let key = format!("prod={}", scene.public(&scene.prod));
    scene.verify(&scene.image(&scene.sha), &["--key", &key, "--environment", "prod"], 0);
}

#[test]
fn a_kms_that_fails_in_any_way_leaves_nothing_visible() {
    for (call, fault) in [
        (Call::Sign, Fault::Refused),
        (Call::Sign, Fault::Cut),
        (Call::Sign, Fault::Wrong),
        (Call::Sign, Fault::Status(500)),
        (Call::Sign, Fault::Throttle),
        (Call::Sign, Fault::Expired),
        (Call::GetPublicKey, Fault::Wrong),
        (Call::GetPublicKey, Fault::Status(503)),
    ] {
        let scene = Scene::set();
        let what = format!("{call:?} {fault:?}");
        scene.world.fail(call, Times::Always, fault);
        scene.deliver("prod", &scene.prod).ends_with(1).says("kms:");
        assert_eq!(Scene::tags(&scene.repository()), Vec::<Value>::new(), "{what}");
        scene.world.mend(call);
        scene.deliver("prod", &scene.prod).ends_with(0);
    }
}

#[test]
fn a_key_that_can_not_sign_is_found_out_before_anything_is_built() {
    let nothing_is_built = |scene: &Scene, delivery: Delivery, words: &[&str]| {
        let ended = delivery.variable("DOCKER_HOST", "unix:///nowhere/docker.sock").ends_with(1);
        words.iter().for_each(|words| {
            ended.says(words);
        });
        ended.does_not_say("docker.sock");
        assert_eq!(scene.world.count(Call::Sign), 0);
    };
    let scene = Scene::set();
    let prod = || scene.deliver("prod", &scene.prod);
    let shared = prod().flag("--trusted-keys", &format!("dev={}", scene.public(&scene.prod)));
    nothing_is_built(&scene, shared, &["One key is to speak for prod and dev"]);
    let gone = scene.deliver("prod", &scene.world.alias_arn("alias/gone"));
    nothing_is_built(&scene, gone, &["There is no key", "alias/gone"]);
    scene.allow("kms:Sign", "*");
    nothing_is_built(&scene, prod(), &["AWS does not allow kms:GetPublicKey", &scene.prod]);
    scene.allow("kms:*", &scene.prod);
    let others = prod().flag("--trusted-keys", &format!("staging={}", scene.staging));
    nothing_is_built(&scene, others, &["AWS does not allow kms:GetPublicKey", &scene.staging]);
    scene.world.change_key(&scene.prod, "SIGN_VERIFY", "RSA_2048");
    nothing_is_built(&scene, prod(), &["is not a key that signs here", "RSA_2048", "ECC_NIST_P256"]);
    scene.world.change_key(&scene.prod, "ENCRYPT_DECRYPT", "ECC_NIST_P256");
    nothing_is_built(&scene, prod(), &["is not a key that signs here", "ENCRYPT_DECRYPT"]);
    scene.world.disable_key(&scene.prod);
    nothing_is_built(&scene, prod(), &["is disabled"]);
}

#[test]
fn where_times_are_demanded_the_signers_own_word_for_one_does_not_do() {
    let scene = Scene::set();
    scene.deliver("prod", &scene.prod).ends_with(0);
    let (image, key) = (scene.image(&scene.sha), format!("prod={}", scene.public(&scene.prod)));
    let root = document("trusted_root.json");
    let flags = ["--key", &key, "--environment", "prod", "--max-age", "1h"];
    scene.verify(&image, &flags, 0);
    let demanding = [&flags[..], &["--sigstore-trusted-root", &root]].concat();
    let refused = scene.verify(&image, &demanding, 3);
    assert!(refused.stdout.contains("it has no time by a timestamp authority"), "{}", refused.stdout);
    with_times(&scene.deliver("prod", &scene.prod)).ends_with(0);
    assert_eq!(scene.reuse(), Value::Null);
    scene.verify(&image, &demanding, 0);
    with_times(&scene.deliver("prod", &scene.prod)).ends_with(0);
    assert_eq!(scene.reuse()["is"], "completed");
}

#[test]
fn the_role_that_publishes_to_ecr_signs_too_and_the_policy_for_it_names_its_keys() {
    use crate::support::keyless;
    let (world, source) = (World::options().start(), keyless::source());
    let key = world.create_key(None);
    let alias = world.alias_arn("alias/staging");
    let flags = |run: Delivery| {
        run.flag("--environment", "prod").flag("--sign", "kms").flag("--kms-key", &key).flag("--code-scanning", "off")
    };
    let role_policy = |run: Delivery| {
        let printed = run.ends_with(0).stdout;
        let (_, policy) = printed.split_once("The permissions policy of ").unwrap();
        let (policy, _) = policy.split_once("In the workflow's job").unwrap();
        policy[policy.find('{').unwrap()..].to_owned()
    };
    let policy = flags(keyless::run(&world, &source, "policy")).flag("--trusted-keys", &format!("staging={alias}"));
    let policy = role_policy(policy);
    for says in ["\"kms:Sign\"", &key, "\"kms:ResourceAliases\": \"alias/staging\""] {
        assert!(policy.contains(says), "{says}: {policy}");
    }
    let doctor = flags(keyless::run(&world, &source, "doctor"));
    assert!(doctor.clone().ends_with(1).stdout.contains("kms:GetPublicKey"));
    let policy = role_policy(flags(keyless::run(&world, &source, "policy")));
    world.set_role_policy(&serde_json::from_str(&policy).unwrap());
    let doctor = doctor.output().stdout;
    assert!(doctor.contains(&format!("{key} signs for this run")), "{doctor}");
    let before = world.count(Call::AssumeRole);
    flags(keyless::deliver(&world, &source)).ends_with(0).says("6 statements");
    assert_eq!(world.count(Call::AssumeRole), before + 1, "one session is for both");
}

#[test]
fn what_does_not_go_together_is_named() {
    let scene = Scene::set();
    let deliver = scene.deliver("prod", &scene.prod);
    deliver.clone().without("--kms-key").ends_with(2).says("kms-key");
    deliver.clone().flag("--sign", "keyless").ends_with(2).says("a key signs where sign is kms or auto");
    deliver.clone().flag("--kms-key", "alias/prod").ends_with(2).says("arn:aws:kms:REGION:ACCOUNT:key/ID");
    deliver.clone().flag("--trusted-keys", "prod").ends_with(2).says("ENVIRONMENT=KEY is expected");
    deliver.clone().flag("--trusted-keys", "prod=/nowhere.pem").ends_with(2).says("/nowhere.pem");
    let keyless = deliver.without("--kms-key").flag("--sign", "off").flag("--trusted-keys", "dev=/nowhere.pem");
    keyless.ends_with(2).says("/nowhere.pem");
}
