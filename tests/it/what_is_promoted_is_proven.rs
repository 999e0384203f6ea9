//! An image that a delivery has signed is delivered to another environment by its reference, without its source and without a
//! builder; and no other image is, whatever names it and whatever it says of itself.

use std::path::PathBuf;
use std::process::Command;

use doubles::aws::World;
use doubles::registry::{Options, Registry, crane};
use serde_json::{Value, json};

use crate::support::machines::machines;
use crate::support::{Delivery, Ended, Engine, Source, advisories_without_one, binary, part, run, secret, tool};

const WORKFLOW: &str = "octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1";
const SIGNER: &str = "https://github.com/octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v*";
/// Of no commit that is there.
const ELSEWHERE: &str = "0123456789012345678901234567890123456789";
/// A package with a critical advisory in `fixtures/advisories`.
const CRITICAL: (&str, &str) = ("PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n");

/// A commit that dev has delivered and signed, and jobs that promote it to prod's repository.
pub(crate) struct Scene {
    source: Source,
    registry: String,
    /// Where prod's repository is.
    to: String,
    _own: Option<Registry>,
    /// The commit, as tags have it.
    sha: String,
    /// The names and values of what is claimed besides.
    claims: Vec<(&'static str, Value)>,
}

impl Scene {
    fn set() -> Self {
        Self::with(&[])
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let usual = [
            ("Dockerfile", "FROM scratch\nCOPY . /app/\n"),
            (".dockerignore", ".git\nnotes\n"),
            // A package that no advisory is about.
            ("six-1.16.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n"),
        ];
        let source = Source::in_git(&[&usual, files].concat());
        let sha = source.git(&["rev-parse", "HEAD"])[..7].to_owned();
        let registry = part("REFERRERS_REGISTRY");
        Self { source, to: registry.clone(), registry, _own: None, sha, claims: Vec::new() }
    }

    /// An image of some 620 MB, of which 400 MB do not compress.
    pub(crate) fn large() -> Self {
        let noise = "RUN head -c 400000000 /dev/urandom >/random && head -c 150000000 /dev/zero >/zeros\n";
        Self::with(&[("Dockerfile", &format!("FROM debian:bookworm-slim\n{noise}COPY . /app/\n"))])
    }

    /// The same, with prod's repository in another registry, which does not list referrers.
    fn across_registries(self) -> Self {
        let registry = Registry::start(Options::default());
        Self { to: registry.address.clone(), _own: Some(registry), ..self }
    }

    fn claim(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.claims.push((name, value.into()));
        self
    }

    fn dev(&self) -> String {
        // One registry is for all tests.
        format!("{}/team/dev-{}", self.registry, self.sha)
    }

    fn prod(&self) -> String {
        format!("{}/team/prod-{}", self.to, self.sha)
    }

    /// A run as a job of the workflow, for a commit.
    fn job(&self, run: Delivery, environment: &str, commit: &str) -> Delivery {
        let job = World::options().issued_by(&PathBuf::from(part("SIGSTORE"))).environment(environment);
        let job = job.claim("job_workflow_ref", WORKFLOW).claim("sha", commit).claim("workflow_sha", commit);
        let job = self.claims.iter().fold(job, |job, (name, value)| job.claim(name, value.clone()));
        // It lives as long as the test program.
        let service = Box::leak(Box::new(job.token_service()));
        service
            .variables()
            .into_iter()
            .fold(run, |run, (name, value)| run.variable(&name, &value))
            .variable("GITHUB_SHA", commit)
            .flag("--environment", environment)
            .flag("--code-scanning", "off")
            .flag("--sigstore-signing-config", &document("signing_config.json"))
            .flag("--sigstore-trusted-root", &document("trusted_root.json"))
    }

    /// A delivery to dev, signed.
    fn deliver(&self) -> Delivery {
        self.deliver_to("dev")
    }

    /// A delivery to some environment, signed, into dev's repository.
    pub(crate) fn deliver_to(&self, environment: &str) -> Delivery {
        let commit = self.source.git(&["rev-parse", "HEAD"]);
        self.job(self.source.deliver(), environment, &commit).flag("--destination", &self.dev()).flag("--sign", "keyless")
    }

    /// The same by a builder that is the job's own, with a build cache in a folder for all environments.
    fn deliver_with_cache(&self, environment: &str, engine: &Engine, cache: &str) -> Delivery {
        let delivery = self.deliver_to(environment).on(engine).flag("--builder-cache", "own").flag("--cache", cache);
        delivery.flag("--cache-folder", self.source.beside("cache").to_str().unwrap())
    }

    /// A promotion of what `reference` names to prod, by a job of `commit`, with no source and no builder.
    fn promote_at(&self, reference: &str, commit: &str) -> Delivery {
        self.promote_to("prod", &self.prod(), reference, commit)
    }

    /// The same to an environment, in a repository.
    fn promote_to(&self, environment: &str, repository: &str, reference: &str, commit: &str) -> Delivery {
        let nothing = self.source.beside("nothing");
        std::fs::create_dir_all(&nothing).unwrap();
        let run = self.source.run("promote").without("--build-context").in_folder(&nothing);
        let run = run.variable("DOCKER_HOST", "unix:///nowhere/docker.sock");
        self.job(run, environment, commit).flag("--from", reference).flag("--destination", repository)
    }

    pub(crate) fn promote(&self, reference: &str) -> Delivery {
        self.promote_at(reference, &self.source.git(&["rev-parse", "HEAD"]))
    }

    /// What the tag of an environment in dev's repository names.
    pub(crate) fn tag_of(&self, environment: &str) -> String {
        format!("{}:{environment}-{}", self.dev(), self.sha)
    }

    /// What dev's own tag names.
    fn from(&self) -> String {
        format!("{}:dev-{}", self.dev(), self.sha)
    }

    #[track_caller]
    fn is_refused(&self, reference: &str, words: &str) {
        self.promote(reference).ends_with(1).says(words);
        self.nothing_is_there();
    }

    #[track_caller]
    fn nothing_is_there(&self) {
        let tags = Self::get(&self.prod(), "tags/list").unwrap_or(json!({ "tags": [] }));
        assert!(tags["tags"].as_array().is_none_or(Vec::is_empty), "{tags}");
    }

    #[track_caller]
    fn verify(&self, image: &str, environment: &str) -> Ended {
        let mut command = Command::new(binary());
        command.env_clear().env("HOME", self.source.beside("home")).args(["verify", image]);
        command.args(["--sigstore-trusted-root", &document("trusted_root.json"), "--issuer", &part("ISSUER")]);
        command.args(["--identity", SIGNER, "--environment", environment]);
        let ended = Ended::from(command.output().unwrap());
        assert_eq!(ended.code, Some(0), "{ended}");
        ended
    }

    /// Puts an image with the same annotations and other content in the place of dev's, and says its digest.
    fn plant(&self) -> String {
        let from = self.from();
        crane(&["mutate", "--insecure", &from, "--entrypoint", "/evil", "--tag", &from]);
        digest(&from)
    }

    /// What a repository lists about an image.
    fn listed(repository: &str, digest: &str) -> Vec<Value> {
        let by_api = Self::get(repository, &format!("referrers/{digest}"));
        let listed = by_api.or_else(|| Self::get(repository, &format!("manifests/{}", digest.replace(':', "-"))));
        let mut listed = listed.unwrap_or(json!({ "manifests": [] }))["manifests"].as_array().unwrap().clone();
        // A registry lists them in any order.
        let key = |listed: &Value| {
            (listed["annotations"]["dev.sigstore.bundle.predicateType"].to_string(), listed["digest"].to_string())
        };
        listed.sort_by_key(key);
        listed
    }

    /// What the registry answers below a repository; `None` where it refuses.
    fn get(repository: &str, path: &str) -> Option<Value> {
        let accept = "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
        let curl = ["--silent", "--fail", "--noproxy", "*", "--header", accept];
        let output = Command::new("curl").args(curl).arg(url(repository, path)).output().unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }
}

fn url(repository: &str, path: &str) -> String {
    let (registry, name) = repository.split_once('/').unwrap();
    format!("http://{registry}/v2/{name}/{path}")
}

fn digest(image: &str) -> String {
    crane(&["digest", "--insecure", image])
}

fn document(name: &str) -> String {
    PathBuf::from(part("SIGSTORE")).join(name).to_str().unwrap().to_owned()
}

fn types(listed: &[Value]) -> Vec<&str> {
    listed.iter().map(|listed| listed["annotations"]["dev.sigstore.bundle.predicateType"].as_str().unwrap()).collect()
}

#[test]
fn a_signed_image_goes_to_prod_as_it_is_with_all_that_is_signed_about_it() {
    for scene in [Scene::set(), Scene::set().across_registries()] {
        scene.deliver().ends_with(0);
        let built = digest(&scene.from());
        scene.promote(&scene.from()).ends_with(0).says("statements from");
        for tag in [scene.sha.clone(), format!("prod-{}", scene.sha)] {
            assert_eq!(digest(&format!("{}:{tag}", scene.prod())), built);
        }
        let verified = scene.verify(&format!("{}:prod-{}", scene.prod(), scene.sha), "prod");
        for says in ["cleared for prod", "1 of 1 platform", "built by"] {
            assert!(verified.stdout.contains(says), "{says}: {}", verified.stdout);
        }
        let listed = Scene::listed(&scene.prod(), &built);
        let expected = [
            "https://cosign.sigstore.dev/attestation/vuln/v1",
            "https://cyclonedx.org/bom",
            // Dev's, and prod's own.
            "https://gp-deliver.dev/verdict/v1",
            "https://gp-deliver.dev/verdict/v1",
            "https://sigstore.dev/cosign/sign/v1",
            // Its builder's alone.
            "https://slsa.dev/provenance/v1",
            "https://spdx.dev/Document",
        ];
        assert_eq!(types(&listed), expected);
        let record = scene.source.record();
        assert_eq!(record["reuse"], json!({ "is": "promoted", "from": "dev" }), "{record}");
        // Again, by its digest: nothing is there twice.
        scene.promote(&format!("{}@{built}", scene.dev())).ends_with(0);
        assert_eq!(Scene::listed(&scene.prod(), &built), listed);
    }
}

#[test]
fn an_image_is_promoted_by_its_signed_sbom_and_within_a_registry_no_layer_is_fetched() {
    for (scene, fetched) in [(Scene::set(), 1), (Scene::set().across_registries(), 2)] {
        scene.deliver_to("test").ends_with(0);
        let from = scene.tag_of("test");
        let ended = scene.promote(&from).flag("--promote-by", "sbom").ends_with(0);
        // The configuration alone; else what has to be brought over as well.
        assert_eq!(ended.stderr.matches(" kB fetched").count(), fetched, "{ended}");
        let image = format!("{}:prod-{}", scene.prod(), scene.sha);
        assert_eq!(digest(&image), digest(&from));
        crane(&["validate", "--insecure", "--remote", &image]);
        let verified = scene.verify(&image, "prod");
        assert!(verified.stdout.contains("cleared for prod by its SBOM"), "{}", verified.stdout);
        let record = scene.source.record();
        assert_eq!(record["reuse"], json!({ "is": "promoted", "from": "test", "judged-by": "sbom" }), "{record}");
        let listed = Scene::listed(&scene.prod(), &digest(&image));
        scene.promote(&from).flag("--promote-by", "sbom").ends_with(0);
        assert_eq!(Scene::listed(&scene.prod(), &digest(&image)), listed, "nothing is there twice");
    }
}

#[test]
fn what_has_become_known_since_blocks_an_image_that_is_judged_by_its_sbom() {
    let scene = Scene::with(&[CRITICAL]);
    let before = scene.source.beside("before");
    let mut make = Command::new(tool("trivy-db"));
    run(make.arg("--advisories").arg(advisories_without_one(&scene.source)).arg("--output").arg(&before));
    let before = format!("oci:{}:2", before.display());
    scene.deliver_to("test").flag("--trivy-db-repository", &before).ends_with(0);
    let promote = scene.promote(&scene.tag_of("test")).flag("--promote-by", "sbom");
    promote.ends_with(3).says("CVE-2020-14343");
    scene.nothing_is_there();
}

#[test]
fn where_leaks_were_not_held_back_an_sbom_does_not_suffice() {
    let scene = Scene::set();
    scene.deliver().ends_with(0);
    let by_sbom = scene.promote(&scene.from()).flag("--promote-by", "sbom");
    by_sbom.ends_with(1).says("can't be judged by its SBOM").says("promote-by: image");
    scene.nothing_is_there();
    let unlisted = Scene::set();
    unlisted.deliver_to("test").flag("--sbom-formats", "cyclonedx-json").ends_with(0);
    let by_sbom = unlisted.promote(&unlisted.tag_of("test")).flag("--promote-by", "sbom");
    by_sbom.ends_with(1).says("no SPDX document beside it that counts");
    unlisted.nothing_is_there();
}

#[test]
fn an_image_is_promoted_by_a_run_of_another_commit_too() {
    let scene = Scene::set();
    scene.deliver().ends_with(0);
    scene.promote_at(&scene.from(), ELSEWHERE).ends_with(0);
    let image = format!("{}:prod-{}", scene.prod(), scene.sha);
    assert_eq!(digest(&image), digest(&scene.from()));
    scene.verify(&image, "prod");
}

#[test]
fn a_job_of_the_action_that_names_an_image_promotes_it_and_builds_nothing() {
    let scene = Scene::set();
    scene.deliver().ends_with(0);
    let nothing = scene.source.beside("nothing");
    std::fs::create_dir_all(&nothing).unwrap();
    // The action's own words: `deliver`, and the inputs as variables, of which those of the workflow that are not given are empty.
    let run = scene.source.run("deliver").without("--build-context").in_folder(&nothing);
    let run = run.variable("DOCKER_HOST", "unix:///nowhere/docker.sock").variable("INPUT_IDENTITY", "");
    let job = scene.job(run, "prod", ELSEWHERE).flag("--destination", &scene.prod());
    job.clone().variable("INPUT_FROM", "").ends_with(2);
    job.variable("INPUT_FROM", &scene.from()).ends_with(0).says("statements from");
    assert_eq!(digest(&format!("{}:prod-{}", scene.prod(), scene.sha)), digest(&scene.from()));
    assert_eq!(scene.source.record()["reuse"]["is"], "promoted");
}

#[test]
fn an_image_that_nobody_has_signed_is_not_promoted() {
    let scene = Scene::set();
    scene.deliver().flag("--sign", "off").ends_with(0);
    scene.is_refused(&scene.from(), "It is not proven where");
}

#[test]
fn an_image_that_its_delivery_took_at_its_word_is_not_promoted_by_what_that_has_signed() {
    let scene = Scene::set();
    scene.deliver().flag("--sign", "off").ends_with(0);
    // Somebody who may push: the same annotations on other content. Dev advises, and takes them at their word.
    let planted = scene.plant();
    crane(&["tag", "--insecure", &scene.from(), &scene.sha]);
    // One of its tags is missing, so the image is taken, judged and signed.
    scene.deliver().flag("--reuse", "claimed").flag("--tags", "{sha},{env}-{sha},{env}-more").ends_with(0);
    assert_eq!(digest(&scene.from()), planted);
    scene.is_refused(&scene.from(), "the image's own word");
}

#[test]
fn an_image_that_says_what_a_signed_one_says_is_not_promoted_nor_with_its_signatures_beside_it() {
    let scene = Scene::set();
    scene.deliver().ends_with(0);
    let signed = digest(&scene.from());
    let planted = scene.plant();
    assert_ne!(signed, planted);
    scene.is_refused(&scene.from(), "It is not proven where");
    // The verdict of the signed image, kept beside the planted one.
    let about = Scene::get(&scene.dev(), &format!("manifests/{planted}")).unwrap();
    let size = crane(&["manifest", "--insecure", &format!("{}@{planted}", scene.dev())]).len();
    for listed in Scene::listed(&scene.dev(), &signed) {
        let mut manifest = Scene::get(&scene.dev(), &format!("manifests/{}", listed["digest"].as_str().unwrap())).unwrap();
        manifest["subject"] = json!({ "mediaType": about["mediaType"], "digest": planted, "size": size });
        let file = scene.source.beside("planted.json");
        std::fs::write(&file, manifest.to_string()).unwrap();
        let hash = Command::new("sha256sum").arg(&file).output().unwrap();
        let hash = String::from_utf8(hash.stdout).unwrap()[..64].to_owned();
        let put = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--request", "PUT", "--data-binary"])
            .arg(format!("@{}", file.display()))
            .args(["--header", "Content-Type: application/vnd.oci.image.manifest.v1+json"])
            .arg(url(&scene.dev(), &format!("manifests/sha256:{hash}")))
            .output()
            .unwrap();
        assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
    }
    assert_eq!(Scene::listed(&scene.dev(), &planted).len(), Scene::listed(&scene.dev(), &signed).len());
    scene.is_refused(&scene.from(), "does not hold");
}

#[test]
fn what_another_workflow_has_signed_is_not_promoted_unless_it_is_named() {
    let other = "octo-org/octo-repo/.github/workflows/mine.yml@refs/heads/mine";
    let planted = Scene::set().claim("job_workflow_ref", other);
    planted.deliver().ends_with(0);
    let scene = Scene { claims: Vec::new(), ..planted };
    scene.is_refused(&scene.from(), "its identity is https://github.com/octo-org/octo-repo/.github/workflows/mine.yml");
    let named = |identity: &str| scene.promote(&scene.from()).flag("--issuer", &part("ISSUER")).flag("--identity", identity);
    named("https://github.com/evil/**@**").ends_with(1).says("https://github.com/evil/**@** is expected");
    named(&format!("https://github.com/{other}")).flag("--ref", "refs/heads/other").ends_with(1);
    scene.nothing_is_there();
    named(&format!("https://github.com/{other}")).ends_with(0);
}

#[test]
fn a_workflow_that_anyone_may_call_counts_for_one_repository_that_of_the_run_unless_another_is_named() {
    let scene = Scene::set();
    scene.deliver().ends_with(0);
    let promote = scene.promote(&scene.from()).flag("--issuer", &part("ISSUER"));
    let elsewhere = promote.clone().variable("GITHUB_REPOSITORY", "octo-org/deploy");
    elsewhere.clone().flag("--identity", SIGNER).ends_with(1).says("https://github.com/octo-org/deploy is expected");
    promote.clone().flag("--identity", &format!("octo-org/other={SIGNER}")).ends_with(1).says("octo-org/other is expected");
    let laptop = promote.variable("GITHUB_ACTIONS", "false");
    laptop.clone().flag("--identity", SIGNER).ends_with(2).says("say of which repository its run was");
    scene.nothing_is_there();
    elsewhere.flag("--identity", &format!("octo-org/octo-repo={SIGNER}")).ends_with(0);
}

#[test]
fn a_verdict_of_another_commit_than_the_run_that_signed_it_proves_nothing() {
    let lying = Scene::set().claim("sha", ELSEWHERE).claim("workflow_sha", ELSEWHERE);
    lying.deliver().ends_with(0);
    let scene = Scene { claims: Vec::new(), ..lying };
    scene.is_refused(&scene.from(), "its commit or repository is not that of the run");
}

#[test]
fn what_dev_let_pass_is_blocked_where_it_is_promoted_to() {
    let scene = Scene::with(&[CRITICAL]);
    scene.deliver().ends_with(0);
    scene.promote(&scene.from()).ends_with(3).says("CVE-2020-14343");
    scene.nothing_is_there();
}

#[test]
fn what_leaked_in_a_source_that_is_not_here_holds_its_image_back() {
    let scene = Scene::with(&[("notes", &format!("key = {}\n", secret()))]);
    scene.deliver().ends_with(0);
    scene.is_refused(&scene.from(), "is not known to be free of secrets");
}

#[test]
fn what_leaked_does_not_come_out_clean_of_a_promotion_where_leaks_advise() {
    let scene = Scene::with(&[("notes", &format!("key = {}\n", secret()))]);
    scene.deliver().ends_with(0);
    let (commit, repository) = (scene.source.git(&["rev-parse", "HEAD"]), format!("{}-again", scene.dev()));
    let within = scene.promote_to("dev", &repository, &scene.from(), &commit).flag("--sign", "keyless");
    within.ends_with(0).says("is not known to be free of secrets");
    scene.is_refused(&format!("{repository}:dev-{}", scene.sha), "is not known to be free of secrets");
}

#[test]
fn a_tag_that_names_another_image_stays_where_it_is() {
    let scene = Scene::set();
    scene.deliver().ends_with(0);
    let tag = format!("{}:prod-{}", scene.prod(), scene.sha);
    crane(&["copy", "--insecure", &scene.from(), &tag]);
    crane(&["mutate", "--insecure", &tag, "--entrypoint", "/other", "--tag", &tag]);
    let before = digest(&tag);
    scene.promote(&scene.from()).ends_with(1);
    assert_eq!(digest(&tag), before);
}

#[test]
fn what_a_promotion_needs_and_is_not_told_is_asked_for() {
    let scene = Scene::set();
    let promote = scene.promote(&scene.from());
    promote.clone().without("--from").ends_with(2).says("from");
    promote.clone().flag("--from", &scene.dev()).ends_with(2).says("a tag or a digest is expected");
    promote.clone().without("--destination").ends_with(2).says("a repository of a registry is expected");
    promote.clone().flag("--ref", "refs/heads/main").ends_with(2).says("one who is named");
    promote.variable("GITHUB_ACTIONS", "false").ends_with(2).says("say whose signature counts");
}

#[test]
fn an_image_whose_steps_others_may_have_left_in_a_cache_is_taken_nowhere_where_gates_block() {
    let (scene, [engine, _]) = (Scene::set(), machines());
    let strangers = "steps of its build were taken from a build cache that other environments or other jobs may write";
    scene.deliver_with_cache("dev", &engine, "local").ends_with(0);
    assert_eq!(scene.source.record()["build_cache"]["writers"], "others");
    assert!(scene.verify(&scene.from(), "dev").stdout.contains("with steps of a build cache that others may have written"));
    scene.is_refused(&scene.from(), strangers);
    // The same commit is built where gates block, and here it comes to the same image.
    scene.deliver_with_cache("test", &engine, "local").ends_with(0).says(strangers).says("takes nothing from it");
    assert_eq!((&scene.source.record()["reuse"], digest(&scene.tag_of("test"))), (&Value::Null, digest(&scene.from())));
    // Two have signed a verdict by now, and the one that counts is test's.
    scene.promote(&scene.from()).ends_with(0);
    assert_eq!(scene.source.record()["reuse"], json!({ "is": "promoted", "from": "test" }));
}

#[test]
fn what_is_signed_takes_no_steps_from_such_a_cache_unless_it_is_asked_for_by_name() {
    let (scene, [engine, _]) = (Scene::set(), machines());
    let said = "what is signed here may be taken by environments that block";
    scene.deliver_with_cache("dev", &engine, "auto").ends_with(0).says(said);
    let cache = &scene.source.record()["build_cache"];
    assert_eq!((&cache["read"], &cache["writers"], &cache["written"]), (&"withheld".into(), &"nobody".into(), &"written".into()));
    scene.promote(&scene.from()).ends_with(0);
    // What is not signed is taken by nobody's word.
    scene.source.commit("another");
    scene.deliver_with_cache("dev", &engine, "auto").flag("--sign", "off").ends_with(0).does_not_say(said);
    assert_eq!(scene.source.record()["build_cache"]["writers"], "others");
}

#[test]
fn an_environment_that_only_advises_takes_it_and_its_own_verdict_says_so() {
    let (scene, [engine, _]) = (Scene::set(), machines());
    scene.deliver_with_cache("dev", &engine, "local").ends_with(0);
    let commit = scene.source.git(&["rev-parse", "HEAD"]);
    let again = format!("{}/team/local-{}", scene.registry, scene.sha);
    scene.promote_to("local", &again, &scene.from(), &commit).flag("--sign", "keyless").ends_with(0);
    let promoted = format!("{again}:local-{}", scene.sha);
    scene.is_refused(&promoted, "steps of its build were taken from a build cache");
}

#[test]
fn nor_is_one_of_a_cache_that_is_an_environments_own_whose_findings_only_advise() {
    let (scene, [engine, _]) = (Scene::set(), machines());
    let own = |cache: &str| {
        let folder = scene.source.beside("caches/{env}");
        scene.deliver_with_cache("dev", &engine, cache).flag("--cache-folder", folder.to_str().unwrap())
    };
    own("local").ends_with(0);
    assert_eq!(scene.source.record()["build_cache"]["writers"], "environment");
    scene.is_refused(&scene.from(), "the build cache of an environment whose findings only advise");
    scene.source.commit("another");
    own("auto").ends_with(0).says("what is signed here may be taken by environments that block");
    assert_eq!(scene.source.record()["build_cache"]["writers"], "nobody");
}

#[test]
fn nor_is_one_that_a_builder_has_built_whose_steps_are_everybodys() {
    let (scene, [engine, _]) = (Scene::set(), machines());
    scene.deliver_to("dev").on(&engine).flag("--builder-cache", "shared").ends_with(0);
    scene.is_refused(&scene.from(), "steps of its build were taken from a build cache");
}
