//! What a job delivers to a blocking environment is signed before a tag can be seen, by a certificate for the job's token; anyone
//! can look at that, others' programs too; and what is proven so is not done again.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use doubles::aws::World;
use doubles::github::{Call, GitHub, Options as AtGitHub, Repository};
use doubles::registry::{Options, Registry, crane};
use serde_json::{Value, json};

use crate::support::{Delivery, Ended, Source, binary, part, validator};

const WORKFLOW: &str = "octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1";

/// A commit on `main`, a registry, and jobs whose tokens a private Sigstore takes for GitHub's.
pub(crate) struct Scene {
    pub(crate) source: Source,
    registry: String,
    /// Its own registry, which ends with it.
    own: Option<Registry>,
    /// The commit, as tags have it.
    pub(crate) sha: String,
    /// The names and values of what is claimed besides.
    claims: Vec<(&'static str, Value)>,
}

impl Scene {
    /// With a registry that lists referrers.
    pub(crate) fn set() -> Self {
        Self::with(part("REFERRERS_REGISTRY"), None)
    }

    /// With one that does not.
    pub(crate) fn without_referrers() -> Self {
        let registry = Registry::start(Options::default());
        Self::with(registry.address.clone(), Some(registry))
    }

    /// With the registry at an address.
    pub(crate) fn at(registry: &str) -> Self {
        Self::with(registry.to_owned(), None)
    }

    /// The same for a job of which nothing is claimed besides.
    pub(crate) fn without_claims(self) -> Self {
        Self { claims: Vec::new(), ..self }
    }

    /// With files besides, in a registry of its own.
    pub(crate) fn holding(files: &[(&str, &str)]) -> Self {
        let registry = Registry::start(Options::default());
        Self::of(registry.address.clone(), Some(registry), files)
    }

    /// Takes the layers of an image away from its own registry; all else stays.
    pub(crate) fn lose_layers(&self, tag: &str) {
        let manifest: Value = serde_json::from_str(&crane(&["manifest", "--insecure", &self.image(tag)])).unwrap();
        for layer in manifest["layers"].as_array().unwrap() {
            let hex = &layer["digest"].as_str().unwrap()[7..];
            let blobs = self.own.as_ref().unwrap().content().join("docker/registry/v2/blobs/sha256");
            std::fs::remove_file(blobs.join(&hex[..2]).join(hex).join("data")).unwrap();
        }
    }

    fn with(registry: String, own: Option<Registry>) -> Self {
        Self::of(registry, own, &[])
    }

    fn of(registry: String, own: Option<Registry>, files: &[(&str, &str)]) -> Self {
        let usual = [
            ("Dockerfile", "FROM scratch\nCOPY . /app/\n"),
            (".dockerignore", ".git\n"),
            // A package that no advisory is about.
            ("six-1.16.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n"),
        ];
        let source = Source::in_git(&[&usual, files].concat());
        let sha = source.git(&["rev-parse", "HEAD"])[..7].to_owned();
        Self { source, registry, own, sha, claims: Vec::new() }
    }

    pub(crate) fn repository(&self) -> String {
        // One registry is for all tests.
        format!("{}/team/app-{}", self.registry, self.sha)
    }

    pub(crate) fn image(&self, tag: &str) -> String {
        format!("{}:{tag}", self.repository())
    }

    pub(crate) fn claim(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.claims.push((name, value.into()));
        self
    }

    /// A delivery by a job of the workflow.
    pub(crate) fn deliver(&self, environment: &str) -> Delivery {
        let commit = self.source.git(&["rev-parse", "HEAD"]);
        let job = World::options().issued_by(&PathBuf::from(part("SIGSTORE"))).environment(environment);
        let job = job.claim("job_workflow_ref", WORKFLOW).claim("sha", commit.clone()).claim("workflow_sha", commit.clone());
        let job = self.claims.iter().fold(job, |job, (name, value)| job.claim(name, value.clone()));
        // It lives as long as the test program: a delivery may be spawned.
        let service = Box::leak(Box::new(job.token_service()));
        let delivery = service
            .variables()
            .into_iter()
            .fold(self.source.deliver(), |delivery, (name, value)| delivery.variable(&name, &value));
        delivery
            .variable("GITHUB_SHA", &commit)
            .flag("--destination", &self.repository())
            .flag("--environment", environment)
            .flag("--code-scanning", "off")
            .flag("--sigstore-signing-config", &document("signing_config.json"))
            .flag("--sigstore-trusted-root", &document("trusted_root.json"))
    }

    pub(crate) fn verify(&self, tag: &str, flags: &[&str], code: i32) -> Ended {
        let mut command = Command::new(binary());
        command.env_clear().env("HOME", self.source.beside("home")).args(["verify", &self.image(tag)]);
        command.args(["--sigstore-trusted-root", &document("trusted_root.json"), "--issuer", &part("ISSUER")]).args(flags);
        let ended = Ended::from(command.output().unwrap());
        assert_eq!(ended.code, Some(code), "{flags:?}: {ended}");
        ended
    }

    /// The repository at GitHub, whose token may do this.
    fn at_github(&self, permissions: &[&str]) -> Repository {
        let commit = self.source.git(&["rev-parse", "HEAD"]);
        GitHub::start().repository(AtGitHub::default().branch("main", &commit).permissions(permissions))
    }

    /// A delivery to prod by a job that has GitHub's token.
    fn deliver_with(&self, repository: &Repository) -> Delivery {
        let variables = repository.environment().into_iter();
        variables.fold(self.deliver("prod"), |delivery, (name, value)| delivery.variable(&name, &value))
    }

    /// The tags that can be seen.
    fn tags(&self) -> Vec<Value> {
        let listed = self.get("tags/list").unwrap_or_default();
        let tags = listed["tags"].as_array().cloned().unwrap_or_default();
        // Where there is no referrers API, a tag stands in for it.
        tags.into_iter().filter(|tag| !tag.as_str().unwrap().starts_with("sha256-")).collect()
    }

    /// The output that is a command.
    fn verify_command(&self) -> String {
        let outputs = std::fs::read_to_string(self.source.beside("report/outputs")).unwrap();
        let mut lines = outputs.lines().skip_while(|line| !line.starts_with("verify-command<<"));
        lines.nth(1).unwrap().to_owned()
    }

    /// The command for gp-deliver, as the summary shows it.
    fn own_command(&self) -> String {
        let summary = self.source.summary();
        summary.lines().find(|line| line.starts_with("gp-deliver verify ")).unwrap().to_owned()
    }

    /// Whether a shell that finds `program` runs a command to a good end.
    fn holds(&self, command: &str, program: &Path) -> Result<(), String> {
        let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
        let mut shell = Command::new("/bin/sh");
        shell.env_clear().env("PATH", path).env("HOME", self.source.beside("home")).args(["-c", command]);
        let said = shell.output().unwrap();
        if said.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said.stderr).into_owned()) }
    }

    pub(crate) fn digest(&self, tag: &str) -> String {
        crane(&["digest", "--insecure", &self.image(tag)])
    }

    /// What the registry lists about an image: each predicate's type.
    fn referrers(&self, digest: &str) -> Vec<String> {
        let index = self.listed(digest);
        let types = index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|listed| listed["annotations"]["dev.sigstore.bundle.predicateType"].as_str().unwrap_or_default().to_owned());
        let mut types: Vec<_> = types.collect();
        types.sort();
        types
    }

    pub(crate) fn listed(&self, digest: &str) -> Value {
        let by_api = self.get(&format!("referrers/{digest}"));
        let listed = by_api.or_else(|| self.get(&format!("manifests/{}", digest.replace(':', "-"))));
        let mut listed = listed.unwrap_or(json!({ "manifests": [] }));
        // A registry lists them in any order.
        listed["manifests"].as_array_mut().unwrap().sort_by_key(|listed| listed["digest"].to_string());
        listed
    }

    /// What the registry answers below the repository; `None` where it refuses.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let url = format!("http://{}/v2/{}", self.registry, self.repository().split_once('/').unwrap().1);
        let accept = "Accept: application/vnd.oci.image.index.v1+json";
        let curl = ["--silent", "--fail", "--noproxy", "*", "--header", accept];
        let output = Command::new("curl").args(curl).arg(format!("{url}/{path}")).output().unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }
}

fn document(name: &str) -> String {
    PathBuf::from(part("SIGSTORE")).join(name).to_str().unwrap().to_owned()
}

/// A program that takes long to build; where it is not built, that is said on the terminal itself.
pub(crate) fn slow_part(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os(format!("GP_DELIVER_TEST_{name}")).map(PathBuf::from);
    if found.is_none() {
        let said = format!("WITHOUT {name}: what needs it is NOT TESTED (make test-all)\n");
        std::io::stderr().write_all(said.as_bytes()).unwrap();
    }
    found
}

/// The private Sigstore as one without logs, as GitHub's own is.
fn without_logs(scene: &Scene) -> [(&'static str, String); 2] {
    let mut root: Value = serde_json::from_str(&std::fs::read_to_string(document("trusted_root.json")).unwrap()).unwrap();
    (root["tlogs"], root["ctlogs"]) = (json!([]), json!([]));
    let mut config: Value =
        serde_json::from_str(&std::fs::read_to_string(document("signing_config_no_log.json")).unwrap()).unwrap();
    config["caUrls"][0]["url"] = json!(part("FULCIO_PLAIN"));
    let path = scene.source.beside("its $(keys)'s root.json");
    std::fs::write(&path, root.to_string()).unwrap();
    [("--sigstore-signing-config", config.to_string()), ("--sigstore-trusted-root", path.to_str().unwrap().to_owned())]
}

pub(crate) const SIGNER: &str = "https://github.com/octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v*";

const ALL: [&str; 6] = [
    "https://cosign.sigstore.dev/attestation/vuln/v1",
    "https://cyclonedx.org/bom",
    "https://gp-deliver.dev/verdict/v1",
    "https://sigstore.dev/cosign/sign/v1",
    "https://slsa.dev/provenance/v1",
    "https://spdx.dev/Document",
];

#[test]
fn a_delivery_to_prod_is_signed_and_whoever_asks_is_told_by_whom() {
    for scene in [Scene::set(), Scene::without_referrers()] {
        scene.deliver("prod").ends_with(0).says("signing").says("6 statements");
        assert_eq!(scene.referrers(&scene.digest(&scene.sha)), ALL);
        let verified =
            scene.verify(&scene.sha, &["--identity", SIGNER, "--environment", "prod", "--repository", "octo-org/octo-repo"], 0);
        assert!(verified.stdout.contains("cleared for prod"), "{}", verified.stdout);
    }
}

#[test]
fn an_image_of_several_platforms_is_signed_as_a_whole_and_platform_by_platform() {
    let scene = Scene::set();
    scene.deliver("prod").flag("--platforms", "linux/amd64,linux/arm64").ends_with(0).says("11 statements");
    let index = scene.digest(&scene.sha);
    assert_eq!(scene.referrers(&index), ALL[2..5]);
    let manifest: Value = serde_json::from_str(&crane(&["manifest", "--insecure", &scene.image(&scene.sha)])).unwrap();
    for platform in manifest["manifests"].as_array().unwrap() {
        assert_eq!(scene.referrers(platform["digest"].as_str().unwrap()), [ALL[0], ALL[1], ALL[3], ALL[5]]);
    }
    let verified = scene.verify(&scene.sha, &["--identity", SIGNER, "--environment", "prod"], 0);
    assert!(verified.stdout.contains("2 of 2 platforms have one"), "{}", verified.stdout);
}

#[test]
fn a_signer_whose_word_does_not_count_is_named_and_the_image_does_not_hold() {
    let scene = Scene::set();
    scene.deliver("prod").ends_with(0);
    for flags in [
        &["--identity", "https://github.com/evil/**@**"][..],
        &["--identity", SIGNER, "--repository", "octo-org/other"],
        &["--identity", SIGNER, "--ref", "refs/heads/other"],
        &["--identity", SIGNER, "--environment", "staging"],
        &["--identity", SIGNER, "--commit", "0123456789012345678901234567890123456789"],
    ] {
        let verified = scene.verify(&scene.sha, flags, 3);
        assert!(verified.stdout.contains('✗'), "{flags:?}: {}", verified.stdout);
    }
    // Without a rule, everybody's word would count.
    scene.verify(&scene.sha, &[], 2);
}

#[test]
fn an_image_that_nobody_has_signed_does_not_hold() {
    let scene = Scene::set();
    scene.deliver("prod").flag("--sign", "off").ends_with(0);
    assert_eq!(scene.referrers(&scene.digest(&scene.sha)), Vec::<String>::new());
    scene.verify(&scene.sha, &["--identity", SIGNER], 3);
}

#[test]
fn a_commit_whose_image_is_proven_is_not_built_or_scanned_again() {
    let scene = Scene::set();
    scene.deliver("prod").ends_with(0);
    let digest = scene.digest(&scene.sha);
    let before = scene.listed(&digest);
    scene.deliver("prod").ends_with(0);
    let record = scene.source.record();
    assert_eq!(record["reuse"]["is"], "completed", "{record}");
    assert!(record["precedent"].is_string(), "{record}");
    let ran = |name: &str| {
        record["stages"].as_array().unwrap().iter().any(|stage| stage["name"] == name && stage["outcome"]["is"] == "passed")
    };
    for name in ["build", "vulnerabilities", "sbom", "signing", "upload"] {
        assert!(!ran(name), "{name}: {record}");
    }
    assert_eq!((scene.digest(&scene.sha), scene.listed(&digest)), (digest, before));
}

#[test]
fn what_another_workflow_has_signed_proves_nothing_here() {
    let planted = Scene::set().claim("job_workflow_ref", "octo-org/octo-repo/.github/workflows/mine.yml@refs/heads/mine");
    planted.deliver("prod").ends_with(0);
    let scene = planted.without_claims();
    scene.deliver("prod").ends_with(0);
    let record = scene.source.record();
    assert_eq!(record["reuse"], Value::Null, "{record}");
}

#[test]
fn where_no_token_can_be_had_nothing_can_be_signed_and_that_is_said() {
    let scene = Scene::set();
    scene.deliver("prod").variable("ACTIONS_ID_TOKEN_REQUEST_URL", "").ends_with(0);
    let record = scene.source.record();
    let signing = record["stages"].as_array().unwrap().iter().find(|stage| stage["name"] == "signing").unwrap();
    assert_eq!(signing["outcome"]["is"], "skipped");
    let asked = scene.deliver("prod").variable("ACTIONS_ID_TOKEN_REQUEST_URL", "").flag("--sign", "keyless");
    asked.ends_with(1).says("may not ask for an OIDC token");
}

#[test]
fn a_signature_that_can_not_be_made_leaves_nothing_visible() {
    let scene = Scene::set();
    for service in ["caUrls", "rekorTlogUrls", "tsaUrls"] {
        let mut config: Value = serde_json::from_str(&std::fs::read_to_string(document("signing_config.json")).unwrap()).unwrap();
        config[service][0]["url"] = json!("http://127.0.0.1:9/nobody");
        let failed = scene.deliver("prod").flag("--sigstore-signing-config", &config.to_string()).ends_with(1);
        failed.says("can't be reached");
        let tags = scene.get("tags/list").unwrap_or(json!({ "tags": [] }));
        assert!(tags["tags"].as_array().is_none_or(Vec::is_empty), "{service}: {tags}");
    }
    scene.deliver("prod").ends_with(0);
    assert_eq!(scene.referrers(&scene.digest(&scene.sha)), ALL);
}

#[test]
fn others_programs_take_what_is_signed() {
    let scene = Scene::set();
    scene.deliver("prod").ends_with(0);
    let digest = scene.digest(&scene.sha);
    let identity = format!("https://github.com/{WORKFLOW}");
    let folder = scene.source.beside("bundles");
    std::fs::create_dir_all(&folder).unwrap();
    for (number, listed) in scene.listed(&digest)["manifests"].as_array().unwrap().iter().enumerate() {
        let reference = format!("{}@{}", scene.repository(), listed["digest"].as_str().unwrap());
        let manifest: Value = serde_json::from_str(&crane(&["manifest", "--insecure", &reference])).unwrap();
        let blob = format!("{}@{}", scene.repository(), manifest["layers"][0]["digest"].as_str().unwrap());
        let bundle = folder.join(format!("{number}.json"));
        std::fs::write(&bundle, crane(&["blob", "--insecure", &blob])).unwrap();
        for program in ["sigstore-python", "sigstore-js"] {
            let said = Command::new(validator(program))
                .arg(&bundle)
                .args([document("trusted_root.json"), digest.clone(), identity.clone(), part("ISSUER")])
                .output()
                .unwrap();
            assert!(said.status.success(), "{program}: {}", String::from_utf8_lossy(&said.stderr));
        }
    }
}

#[test]
fn the_command_that_a_delivery_gives_holds_of_what_it_signed_and_of_nobody_elses() {
    let cosign = slow_part("COSIGN");
    let own = PathBuf::from(env!("CARGO_BIN_EXE_gp-deliver"));
    for (scene, logs) in [(Scene::set(), true), (Scene::without_referrers(), true), (Scene::set(), false)] {
        let deliver = || {
            let flags = if logs { Vec::new() } else { without_logs(&scene).to_vec() };
            flags.into_iter().fold(scene.deliver("prod"), |delivery, (flag, value)| delivery.flag(flag, &value))
        };
        deliver().ends_with(0);
        let (command, own_command) = (scene.verify_command(), scene.own_command());
        let begin = format!("cosign verify --certificate-identity https://github.com/{WORKFLOW} ");
        assert!(command.starts_with(&begin) && command.ends_with(&scene.digest(&scene.sha)), "{command}");
        let other = |command: &str| command.replace("@refs/tags/v1", "@refs/tags/v2");
        assert_eq!(scene.holds(&own_command, &own), Ok(()), "{own_command}");
        scene.holds(&other(&own_command), &own).unwrap_err();
        if let Some(cosign) = &cosign {
            assert_eq!(scene.holds(&command, cosign), Ok(()), "{command}");
            let refused = scene.holds(&other(&command), cosign).unwrap_err();
            assert!(refused.contains("v2"), "{refused}");
            for predicate in ["spdxjson", "cyclonedx", "slsaprovenance1", "vuln", "https://gp-deliver.dev/verdict/v1"] {
                let attested = |command: &str| {
                    command.replacen("cosign verify ", &format!("cosign verify-attestation --type {predicate} "), 1)
                };
                assert_eq!(scene.holds(&attested(&command), cosign), Ok(()), "{predicate}: {command}");
                scene.holds(&attested(&other(&command)), cosign).unwrap_err();
            }
        }
        // What was signed before is checked in the same way.
        deliver().ends_with(0);
        assert_eq!((scene.verify_command(), scene.own_command()), (command, own_command));
    }
}

#[test]
fn what_a_delivery_signs_is_among_the_repositorys_attestations_and_gh_takes_it_from_there() {
    let scene = Scene::set();
    let repository = scene.at_github(&["attestations: write", "checks: write"]);
    let list = scene.source.beside("artifacts");
    scene.deliver_with(&repository).variable("GITHUB_ARTIFACTS", list.to_str().unwrap()).ends_with(0).says("6 attestations");
    let digest = scene.digest(&scene.sha);
    let kept = repository.attestations();
    let mut types: Vec<_> = kept.iter().map(|kept| kept.statement["predicateType"].as_str().unwrap()).collect();
    types.sort_unstable();
    assert_eq!(types, ALL);
    let about = |kept: &doubles::github::Attestation| kept.statement["subject"][0]["digest"]["sha256"] == digest[7..];
    assert!(kept.iter().all(about), "{kept:?}");
    let record = scene.source.record();
    assert!(record["attestations"].as_array().unwrap().iter().all(|kept| kept["github"].is_u64()), "{record}");
    let image = format!("oci://{}@{digest}", scene.repository());
    assert_eq!(std::fs::read_to_string(list).unwrap(), format!("{image}\n"));
    let Some(gh) = slow_part("GH") else { return };
    let root: Value = serde_json::from_str(&std::fs::read_to_string(document("trusted_root.json")).unwrap()).unwrap();
    // It reads a root a line.
    std::fs::write(scene.source.beside("roots.jsonl"), format!("{root}\n")).unwrap();
    let provenance = kept.iter().find(|kept| kept.statement["predicateType"] == "https://slsa.dev/provenance/v1").unwrap();
    std::fs::write(scene.source.beside("bundle.json"), provenance.bundle.to_string()).unwrap();
    let verify = |repository: &str| {
        let (workflow, _) = WORKFLOW.split_once('@').unwrap();
        let mut verify = Command::new(&gh);
        verify.env_clear().env("HOME", scene.source.beside("home")).env("GH_TOKEN", "none");
        verify.args(["attestation", "verify", &image, "--repo", repository, "--signer-workflow", workflow]);
        verify.arg("--bundle").arg(scene.source.beside("bundle.json"));
        verify.arg("--custom-trusted-root").arg(scene.source.beside("roots.jsonl")).args(["--cert-oidc-issuer", &part("ISSUER")]);
        verify.output().unwrap()
    };
    let said = verify("octo-org/octo-repo");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(!verify("octo-org/other").status.success());
}

#[test]
fn a_token_that_may_write_no_attestations_is_a_warning_and_where_they_are_required_nothing_is_visible() {
    let scene = Scene::set();
    let repository = scene.at_github(&["checks: write"]);
    let required = scene.deliver_with(&repository).flag("--github-attestations", "required").ends_with(1);
    required.says("attestations: write").says("`github-attestations: off`");
    assert_eq!(scene.tags(), Vec::<Value>::new());
    assert_eq!(repository.count(Call::CreateAttestation), 1, "what may not be done is not tried again");
    let off = scene.deliver_with(&repository).flag("--github-attestations", "off").ends_with(0);
    off.does_not_say("attestations: write");
    assert_eq!(repository.count(Call::CreateAttestation), 1);
    let scene = Scene::set();
    let repository = scene.at_github(&["checks: write"]);
    scene.deliver_with(&repository).ends_with(0).says("attestations: write");
    let warnings = scene.source.record()["warnings"].to_string();
    assert!(warnings.contains("Resource not accessible by integration"), "{warnings}");
    assert_eq!(scene.referrers(&scene.digest(&scene.sha)), ALL);
}

#[test]
fn github_is_told_where_the_image_is_kept_or_the_permission_that_it_takes_is_named() {
    let scene = Scene::set();
    let repository = scene.at_github(&["attestations: write", "artifact-metadata: write", "checks: write"]);
    scene.deliver_with(&repository).ends_with(0);
    let [record] = &repository.storage_records()[..] else { panic!("one is made") };
    let (host, name) = scene.repository().split_once('/').map(|(host, name)| (host.to_owned(), name.to_owned())).unwrap();
    assert_eq!(record["digest"], scene.digest(&scene.sha));
    assert_eq!((&record["registry_url"], &record["repository"]), (&json!(format!("https://{host}")), &json!(name)));
    assert_eq!(record["github_repository"], repository.slug().split_once('/').unwrap().1);

    // Who has asked for attestations is warned; who has not is told; and it holds nothing back.
    for (demand, warned) in [("required", true), ("auto", false)] {
        let scene = Scene::set();
        let repository = scene.at_github(&["attestations: write", "checks: write"]);
        let ended = scene.deliver_with(&repository).flag("--github-attestations", demand).ends_with(0);
        ended.says("artifact-metadata: write");
        assert_eq!(repository.count(Call::CreateStorageRecord), 1, "what may not be done is not tried again");
        let record = scene.source.record();
        assert_eq!(record["result"], "delivered");
        assert_eq!(record["warnings"].to_string().contains("artifact-metadata"), warned, "{record}");
    }

    // Without attestations there is nothing to record, and off is off.
    for (permissions, demand) in [(&["checks: write"][..], "auto"), (&["artifact-metadata: write"], "off")] {
        let scene = Scene::set();
        let repository = scene.at_github(permissions);
        scene.deliver_with(&repository).flag("--github-attestations", demand).ends_with(0);
        assert_eq!(repository.count(Call::CreateStorageRecord), 0, "{demand}");
    }
}

#[test]
fn what_was_refused_once_is_all_there_after_the_next_delivery() {
    let scene = Scene::set();
    let refusing = scene.at_github(&["checks: write"]);
    scene.deliver_with(&refusing).flag("--github-attestations", "required").ends_with(1);
    let repository = scene.at_github(&["attestations: write", "checks: write"]);
    scene.deliver_with(&repository).flag("--github-attestations", "required").ends_with(0);
    assert_eq!(repository.attestations().len(), ALL.len());
    assert_eq!(scene.referrers(&scene.digest(&scene.sha)), ALL);
}
