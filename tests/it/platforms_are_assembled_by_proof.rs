//! Each platform is built and judged by a job of its own, which leaves its image without a tag; one more job makes an index of
//! those that this very run has cleared, and of no others, whatever the other jobs' outputs and the registry say.

use std::path::PathBuf;
use std::process::Command;

use doubles::aws::World;
use doubles::registry::crane;
use serde_json::{Value, json};

use crate::support::{Delivery, Ended, Source, advisories_without_one, binary, part, run, tool};

const WORKFLOW: &str = "octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1";
const AMD64: &str = "linux/amd64";
const ARM64: &str = "linux/arm64";
/// A package with a critical advisory in `fixtures/advisories`.
const CRITICAL: (&str, &str) = ("arm64/PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n");

/// A commit, and the jobs of a run of it.
struct Scene {
    source: Source,
    repository: String,
    environment: &'static str,
}

impl Scene {
    fn set() -> Self {
        Self::with(&[])
    }

    /// Each platform has a folder of its own.
    fn with(files: &[(&str, &str)]) -> Self {
        let six = "Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n";
        let usual = [
            (
                "Dockerfile",
                "FROM scratch AS app\nARG TARGETARCH\nCOPY $TARGETARCH /app/\nFROM app AS other\nCOPY Dockerfile /\nFROM app\n",
            ),
            (".dockerignore", ".git\n"),
            ("amd64/six-1.16.0.dist-info/METADATA", six),
            ("arm64/six-1.16.0.dist-info/METADATA", six),
            ("arm/six-1.16.0.dist-info/METADATA", six),
        ];
        let source = Source::in_git(&[&usual, files].concat());
        // One registry is for all tests.
        let repository = format!("{}/team/parts-{}", part("REFERRERS_REGISTRY"), sha(&source));
        Self { source, repository, environment: "prod" }
    }

    fn for_environment(self, environment: &'static str) -> Self {
        Self { environment, ..self }
    }

    fn commit(&self) -> String {
        self.source.git(&["rev-parse", "HEAD"])
    }

    /// A job of the run, whose token claims something else besides.
    fn job(&self, run: Delivery, claims: &[(&str, &str)]) -> Delivery {
        let commit = self.commit();
        let job = World::options().issued_by(&PathBuf::from(part("SIGSTORE"))).environment(self.environment);
        let job = job.claim("job_workflow_ref", WORKFLOW).claim("sha", &*commit).claim("workflow_sha", &*commit);
        let job = claims.iter().fold(job, |job, (name, value)| job.claim(name, *value));
        // It lives as long as the test program.
        let service = Box::leak(Box::new(job.token_service()));
        service
            .variables()
            .into_iter()
            .fold(run, |run, (name, value)| run.variable(&name, &value))
            .variable("GITHUB_SHA", &commit)
            .flag("--environment", self.environment)
            .flag("--code-scanning", "off")
            .flag("--sign", "keyless")
            .flag("--sigstore-signing-config", &document("signing_config.json"))
            .flag("--sigstore-trusted-root", &document("trusted_root.json"))
            .flag("--destination", &self.repository)
    }

    /// The delivery of one platform.
    fn untagged(&self, platform: &str) -> Delivery {
        self.untagged_by(platform, &[])
    }

    fn untagged_by(&self, platform: &str, claims: &[(&str, &str)]) -> Delivery {
        self.job(self.source.deliver(), claims).flag("--untagged", "true").flag("--platforms", platform)
    }

    /// The digest that the last delivery gives.
    fn digest(&self) -> String {
        self.source.record()["publication"]["digest"].as_str().unwrap().to_owned()
    }

    /// The image of a platform, delivered.
    #[track_caller]
    fn delivered(&self, platform: &str) -> String {
        self.untagged(platform).ends_with(0);
        self.digest()
    }

    /// Both platforms' images, delivered.
    #[track_caller]
    fn both(&self) -> [String; 2] {
        [AMD64, ARM64].map(|platform| self.delivered(platform))
    }

    /// The last job, in another attempt than the others.
    fn assemble(&self, images: [&str; 2]) -> Delivery {
        self.assemble_by(images, &[])
    }

    fn assemble_by(&self, [amd64, arm64]: [&str; 2], claims: &[(&str, &str)]) -> Delivery {
        let claims = [&[("run_attempt", "3")], claims].concat();
        let run = self.job(self.source.run("assemble"), &claims).variable("DOCKER_HOST", "unix:///nowhere/docker.sock");
        run.flag("--platforms", &format!("{AMD64},{ARM64}")).flag("--images", &format!("{AMD64}={amd64}\n{ARM64}={arm64}\n"))
    }

    #[track_caller]
    fn is_refused(&self, images: [&str; 2], words: &str) {
        self.assemble(images).ends_with(1).says(words);
        self.no_tag_is_there();
    }

    fn tags(&self) -> Vec<Value> {
        let listed = get(&self.repository, "tags/list").unwrap_or_default();
        listed["tags"].as_array().cloned().unwrap_or_default()
    }

    #[track_caller]
    fn no_tag_is_there(&self) {
        assert_eq!(self.tags(), Vec::<Value>::new());
    }

    #[track_caller]
    fn verify(&self, image: &str) -> Ended {
        let mut command = Command::new(binary());
        command.env_clear().env("HOME", self.source.beside("home")).args(["verify", image]);
        command.args(["--sigstore-trusted-root", &document("trusted_root.json"), "--issuer", &part("ISSUER")]);
        command.args(["--identity", &format!("https://github.com/{WORKFLOW}"), "--environment", self.environment]);
        let ended = Ended::from(command.args(["--commit", &self.commit()]).output().unwrap());
        assert_eq!(ended.code, Some(0), "{ended}");
        ended
    }
}

fn sha(source: &Source) -> String {
    source.git(&["rev-parse", "HEAD"])[..7].to_owned()
}

fn document(name: &str) -> String {
    PathBuf::from(part("SIGSTORE")).join(name).to_str().unwrap().to_owned()
}

/// What the registry answers below a repository; `None` where it refuses.
fn get(repository: &str, path: &str) -> Option<Value> {
    let (registry, name) = repository.split_once('/').unwrap();
    let accept = "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
    let curl = ["--silent", "--fail", "--noproxy", "*", "--header", accept];
    let output = Command::new("curl").args(curl).arg(format!("http://{registry}/v2/{name}/{path}")).output().unwrap();
    serde_json::from_slice(&output.stdout).ok()
}

#[test]
fn platforms_that_this_run_has_cleared_become_one_signed_image() {
    let scene = Scene::set();
    let images = scene.both();
    scene.no_tag_is_there();
    let images = [&*images[0], &images[1]];
    let ended = scene.assemble(images).ends_with(0);
    // Their configurations alone.
    assert_eq!(ended.stderr.matches(" kB fetched").count(), 2, "{ended}");
    let sha = sha(&scene.source);
    let tag = format!("{}:prod-{sha}", scene.repository);
    let whole = crane(&["digest", "--insecure", &tag]);
    assert_eq!(crane(&["digest", "--insecure", &format!("{}:{sha}", scene.repository)]), whole);
    let index = get(&scene.repository, &format!("manifests/{whole}")).unwrap();
    let listed: Vec<_> = index["manifests"].as_array().unwrap().iter().map(|one| (&one["digest"], &one["platform"])).collect();
    let platform = |architecture: &str| json!({ "os": "linux", "architecture": architecture });
    assert_eq!(listed, [(&json!(images[0]), &platform("amd64")), (&json!(images[1]), &platform("arm64"))]);
    assert_eq!(index["annotations"]["org.opencontainers.image.revision"], json!(scene.commit()), "{index}");
    crane(&["validate", "--insecure", "--remote", &tag]);
    let verified = scene.verify(&tag);
    for says in ["cleared for prod by its SBOM", "2 of 2 platforms", "built by"] {
        assert!(verified.stdout.contains(says), "{says}: {}", verified.stdout);
    }
    let record = scene.source.record();
    assert_eq!(record["reuse"], json!({ "is": "assembled" }), "{record}");
    // Run again, it comes to the same, and nothing is there twice.
    let listed = get(&scene.repository, &format!("referrers/{whole}")).unwrap();
    scene.assemble(images).ends_with(0);
    assert_eq!(crane(&["digest", "--insecure", &tag]), whole);
    let again = get(&scene.repository, &format!("referrers/{whole}")).unwrap();
    assert_eq!(again["manifests"].as_array().unwrap().len(), listed["manifests"].as_array().unwrap().len());
}

#[test]
fn one_platform_is_an_image_by_itself() {
    let scene = Scene::set();
    let arm64 = scene.delivered(ARM64);
    let assemble = scene.job(scene.source.run("assemble"), &[]).flag("--platforms", "linux/arm64/v8");
    assemble.flag("--images", &format!("{ARM64}={arm64}")).ends_with(0);
    let tag = format!("{}:prod-{}", scene.repository, sha(&scene.source));
    assert_eq!(crane(&["digest", "--insecure", &tag]), arm64);
    scene.verify(&tag);
}

#[test]
fn where_one_platform_is_held_back_nothing_is_tagged() {
    let scene = Scene::with(&[CRITICAL]);
    let amd64 = scene.delivered(AMD64);
    scene.untagged(ARM64).ends_with(3).says("CVE-2020-14343");
    assert_eq!(scene.source.record()["publication"], Value::Null);
    scene.assemble([&amd64, ""]).ends_with(2).says(ARM64).says("its image is missing");
    scene.no_tag_is_there();
}

#[test]
fn what_has_become_known_since_holds_all_platforms_back() {
    let scene = Scene::with(&[CRITICAL]);
    let before = scene.source.beside("before");
    let mut make = Command::new(tool("trivy-db"));
    run(make.arg("--advisories").arg(advisories_without_one(&scene.source)).arg("--output").arg(&before));
    let before = format!("oci:{}:2", before.display());
    let images = [AMD64, ARM64].map(|platform| {
        scene.untagged(platform).flag("--trivy-db-repository", &before).ends_with(0);
        scene.digest()
    });
    let images = [&*images[0], &images[1]];
    // By the same inputs: the database has learned of it where it is.
    let now = scene.source.beside("now");
    std::fs::rename(scene.source.beside("before"), now).unwrap();
    run(Command::new("cp").arg("--recursive").arg(part("TRIVY_DB")).arg(scene.source.beside("before")));
    scene.assemble(images).flag("--trivy-db-repository", &before).ends_with(3).says("CVE-2020-14343");
    scene.no_tag_is_there();
}

#[test]
fn the_images_are_exactly_those_of_the_platforms_that_are_asked_for() {
    let scene = Scene::set();
    let digest = |byte: &str| format!("sha256:{}", byte.repeat(32));
    let (one, two, three) = (digest("1a"), digest("2b"), digest("3c"));
    let assemble = scene.assemble([&one, &two]);
    let lines = |lines: &str| assemble.clone().flag("--images", lines);
    lines(&format!("{AMD64}={one}")).ends_with(2).says("linux/arm64").says("its image is missing");
    lines(&format!("{AMD64}={one}\n{ARM64}={one}")).ends_with(2).says("it is given for two platforms");
    lines(&format!("{AMD64}={one}\n{ARM64}={two}\nlinux/arm64/v8={three}")).ends_with(2).says("only once");
    lines(&format!("{AMD64}={one}\n{ARM64}={two}\nlinux/arm/v7={three}")).ends_with(2).says("it is none of platforms");
    lines(&format!("{AMD64}=latest\n{ARM64}={two}")).ends_with(2).says("PLATFORM=DIGEST is expected");
    lines(&format!("{AMD64}={one}\n{ARM64}={two}")).without("--platforms").ends_with(2).says("can't be missed");
    scene.is_refused([&one, &two], "has no such image");
}

#[test]
fn what_is_without_a_tag_asks_for_nothing_that_follows_one_and_is_signed() {
    let scene = Scene::set();
    let one = scene.untagged(ARM64);
    one.clone().flag("--sign", "off").ends_with(2).says("nothing would be: sign is off");
    one.clone().flag("--tags", "latest").ends_with(2).says("assemble takes them");
    one.clone().flag("--platforms", &format!("{AMD64},{ARM64}")).ends_with(2).says("one platform is expected");
    one.clone().without("--platforms").ends_with(2).says("one platform is expected");
    one.clone().flag("--sbom-formats", "cyclonedx-json").ends_with(2).says("spdx-json is expected");
    let folder = format!("oci:{}", scene.source.beside("folder").display());
    one.clone().flag("--destination", &folder).ends_with(2).says("a repository of a registry is expected");
    let cluster = one.clone().flag("--gitops-repository", "team/deploy").flag("--gitops-path", "app.yaml");
    cluster.variable("INPUT_GITOPS-TOKEN", "ghp_0123456789").ends_with(2).says("nothing is set there where untagged is true");
    let digest = format!("sha256:{}", "1a".repeat(32));
    scene.assemble([&digest, &digest.replace("1a", "2b")]).flag("--untagged", "true").ends_with(2).says("only what is built");
    let building = scene.job(scene.source.deliver(), &[]).variable("INPUT_IMAGES", &format!("{ARM64}={digest}"));
    building.ends_with(2).says("the command assemble takes them");
    // A change is built and judged, whatever it is signed by; nothing of it is assembled.
    let proposed = |run: Delivery| run.variable("GITHUB_EVENT_NAME", "pull_request").variable("GITHUB_REF", "refs/pull/7/merge");
    proposed(scene.untagged(ARM64)).ends_with(0).says("a pull request is never published");
    proposed(scene.assemble([&digest, &digest.replace("1a", "2b")])).ends_with(2).says("what is assembled is published");
    scene.no_tag_is_there();
}

#[test]
fn an_image_of_another_platform_is_not_taken_for_one() {
    let scene = Scene::set();
    let [amd64, arm64] = scene.both();
    scene.is_refused([&arm64, &amd64], "Its configuration says linux/arm64");
    let arm7 = scene.delivered("linux/arm/v7");
    scene.is_refused([&amd64, &arm7], "Its configuration says linux/arm/v7");
    let v2 = scene.delivered("linux/amd64/v2");
    scene.is_refused([&v2, &arm64], "Its configuration says linux/amd64/v2");
}

#[test]
fn an_index_is_no_platforms_image_though_it_is_cleared() {
    let scene = Scene::set();
    let amd64 = scene.delivered(AMD64);
    let whole = scene.job(scene.source.deliver(), &[]).flag("--platforms", &format!("{AMD64},{ARM64}"));
    whole.flag("--destination", &format!("{}-whole", scene.repository)).ends_with(0);
    let whole = scene.digest();
    crane(&["copy", "--insecure", &format!("{}-whole@{whole}", scene.repository), &format!("{}:whole", scene.repository)]);
    crane(&["delete", "--insecure", &format!("{}:whole", scene.repository)]);
    scene.assemble([&amd64, &whole]).ends_with(1).says("It is an index");
}

#[test]
fn an_image_of_another_run_commit_workflow_or_event_is_not_mixed_in() {
    let scene = Scene::set();
    let amd64 = scene.delivered(AMD64);
    let of = |claims: &[(&str, &str)]| {
        scene.untagged_by(ARM64, claims).ends_with(0);
        scene.digest()
    };
    // The same bytes each time: what is signed before counts on. So each has a repository of its own.
    let refused = |claims: &[(&str, &str)], words: &str| {
        let other = Scene::set();
        let amd64 = other.delivered(AMD64);
        other.untagged_by(ARM64, claims).ends_with(0);
        other.is_refused([&amd64, &other.digest()], words);
    };
    refused(
        &[("run_id", "1602018111")],
        "it is of another run (https://github.com/octo-org/octo-repo/actions/runs/1602018111/attempts/2)",
    );
    // One whose number only begins so.
    refused(&[("run_id", "16020181100")], "it is of another run");
    let mine = "octo-org/octo-repo/.github/workflows/mine.yml@refs/heads/mine";
    refused(&[("job_workflow_ref", mine)], "its identity is https://github.com/octo-org/octo-repo/.github/workflows/mine.yml");
    refused(&[("workflow_ref", mine)], "its workflow is https://github.com/octo-org/octo-repo/.github/workflows/mine.yml");
    refused(&[("event_name", "pull_request")], "its event is pull_request");
    refused(&[("ref", "refs/pull/7/merge")], "its ref is refs/pull/7/merge");
    refused(&[("repository_id", "75")], "its repository's number is 75");
    let elsewhere = "0123456789012345678901234567890123456789";
    refused(&[("sha", elsewhere), ("workflow_sha", elsewhere)], "its commit or repository is not that of the run");
    let arm64 = of(&[]);
    // A later commit of the branch, by a run that takes up the same number.
    scene.source.commit("later");
    scene.is_refused([&amd64, &arm64], "its commit is");
}

#[test]
fn what_this_run_has_cleared_is_taken_though_another_run_has_come_to_the_same_image() {
    let scene = Scene::set();
    let of = |claims: &[(&str, &str)]| {
        [AMD64, ARM64].map(|platform| {
            scene.untagged_by(platform, claims).ends_with(0);
            scene.digest()
        })
    };
    let before = of(&[("run_id", "1602018111")]);
    scene.is_refused([&before[0], &before[1]], "it is of another run");
    let images = of(&[]);
    assert_eq!(images, before);
    scene.assemble([&images[0], &images[1]]).ends_with(0);
}

#[test]
fn an_image_of_another_environment_or_that_was_judged_more_mildly_is_not_taken() {
    let dev = Scene::with(&[CRITICAL]).for_environment("dev");
    let images = dev.both();
    let images = [&*images[0], &images[1]];
    let prod = Scene { environment: "prod", ..dev };
    prod.is_refused(images, "its environment is dev, and prod is expected");
    let dev = prod.for_environment("dev");
    dev.assemble(images).ends_with(0).says("CVE-2020-14343");

    let scene = Scene::set();
    let amd64 = scene.delivered(AMD64);
    for (flag, value) in [
        ("--severity-threshold", "CRITICAL"),
        ("--ignore-unfixed", "true"),
        ("--accept-unscanned", "/opt/**: built by us"),
        ("--suppressions", "head"),
    ] {
        scene.untagged(ARM64).flag(flag, value).ends_with(0);
        scene.is_refused([&amd64, &scene.digest()], "what it was judged by is not what prod demands by this job's inputs");
    }
    let arm64 = scene.delivered(ARM64);
    scene.assemble([&amd64, &arm64]).ends_with(0);
}

#[test]
fn another_image_of_the_same_run_is_not_mixed_in() {
    let scene = Scene::set();
    let amd64 = scene.delivered(AMD64);
    let words = "it is built from something else than this job's inputs say";
    let other = |run: Delivery| {
        run.ends_with(0);
        scene.digest()
    };
    let target = other(scene.untagged(ARM64).flag("--build-target", "other"));
    scene.is_refused([&amd64, &target], words);
    let arguments = other(scene.untagged(ARM64).flag("--build-args", "DEBUG=1"));
    scene.is_refused([&amd64, &arguments], words);
    // Both of another one: what this job is to assemble is said by its own inputs.
    let both = [AMD64, ARM64].map(|platform| other(scene.untagged(platform).flag("--build-target", "other")));
    scene.is_refused([&both[0], &both[1]], words);
    // One for a repository of its own, copied here with all that is signed about it.
    let elsewhere = Scene { repository: format!("{}-elsewhere", scene.repository), ..Scene::set() };
    let elsewhere = Scene { source: scene.source, ..elsewhere };
    let arm64 = elsewhere.delivered(ARM64);
    let scene = Scene { repository: elsewhere.repository.trim_end_matches("-elsewhere").to_owned(), ..elsewhere };
    copy_with_statements(&format!("{}-elsewhere", scene.repository), &scene.repository, &arm64);
    scene.is_refused([&amd64, &arm64], "its repository of images is");
}

/// Copies an image to another repository with what is beside it, and leaves it without a tag there.
fn copy_with_statements(from: &str, to: &str, digest: &str) {
    let listed = get(from, &format!("referrers/{digest}")).unwrap();
    let listed = listed["manifests"].as_array().unwrap().iter().map(|one| one["digest"].as_str().unwrap().to_owned());
    for digest in [digest.to_owned()].into_iter().chain(listed) {
        crane(&["copy", "--insecure", &format!("{from}@{digest}"), &format!("{to}@{digest}")]);
    }
}

#[test]
fn what_somebody_has_put_into_the_repository_is_not_taken_nor_with_the_signatures_of_another_beside_it() {
    let scene = Scene::set();
    let [amd64, arm64] = scene.both();
    let planted = crane(&[
        "mutate",
        "--insecure",
        &format!("{}@{arm64}", scene.repository),
        "--entrypoint",
        "/evil",
        "--repo",
        &scene.repository,
    ]);
    let planted = planted.rsplit('@').next().unwrap().to_owned();
    assert_ne!(planted, arm64);
    scene.assemble([&amd64, &planted]).ends_with(1).says("It is not proven that this run has cleared");
    // The statements of the image that was cleared, as if they were about the planted one.
    let about = get(&scene.repository, &format!("manifests/{planted}")).unwrap();
    let size = crane(&["manifest", "--insecure", &format!("{}@{planted}", scene.repository)]).len();
    let listed = get(&scene.repository, &format!("referrers/{arm64}")).unwrap();
    for listed in listed["manifests"].as_array().unwrap() {
        let mut manifest = get(&scene.repository, &format!("manifests/{}", listed["digest"].as_str().unwrap())).unwrap();
        manifest["subject"] = json!({ "mediaType": about["mediaType"], "digest": planted, "size": size });
        put(&scene, &manifest.to_string());
    }
    scene.assemble([&amd64, &planted]).ends_with(1).says("does not hold");
    let tags = scene.tags();
    assert!(tags.iter().all(|tag| !tag.as_str().unwrap().contains("prod")), "{tags:?}");
}

/// Puts a manifest into the registry, by its digest.
fn put(scene: &Scene, manifest: &str) {
    let file = scene.source.beside("planted.json");
    std::fs::write(&file, manifest).unwrap();
    let hash = String::from_utf8(Command::new("sha256sum").arg(&file).output().unwrap().stdout).unwrap()[..64].to_owned();
    let (registry, name) = scene.repository.split_once('/').unwrap();
    let put = Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--request", "PUT", "--data-binary"])
        .arg(format!("@{}", file.display()))
        .args(["--header", "Content-Type: application/vnd.oci.image.manifest.v1+json"])
        .arg(format!("http://{registry}/v2/{name}/manifests/sha256:{hash}"))
        .output()
        .unwrap();
    assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
}

#[test]
fn a_fixed_tag_of_another_image_is_not_taken_by_an_assembly() {
    let scene = Scene::set();
    let images = scene.both();
    let tag = format!("{}:prod-{}", scene.repository, sha(&scene.source));
    crane(&["tag", "--insecure", &format!("{}@{}", scene.repository, images[0]), &format!("prod-{}", sha(&scene.source))]);
    scene.assemble([&images[0], &images[1]]).ends_with(1).says("another image");
    assert_eq!(crane(&["digest", "--insecure", &tag]), images[0]);
    assert_eq!(scene.tags().len(), 1);
}

#[test]
fn what_an_earlier_attempt_has_tagged_stays_where_builds_that_are_run_again_come_to_other_images() {
    let scene = Scene::set();
    // Each build of them has a time of its own.
    let other = |run: Delivery| run.flag("--reproducible", "false").flag("--no-cache", "true");
    let both = |claims: &[(&str, &str)]| {
        [AMD64, ARM64].map(|platform| {
            other(scene.untagged_by(platform, claims)).ends_with(0);
            scene.digest()
        })
    };
    let tag = format!("{}:prod-{}", scene.repository, sha(&scene.source));
    let first = both(&[]);
    other(scene.assemble([&first[0], &first[1]])).ends_with(0);
    let whole = crane(&["digest", "--insecure", &tag]);
    let again = both(&[("run_attempt", "4")]);
    assert!(first.iter().all(|image| !again.contains(image)), "{first:?} {again:?}");
    let ended = other(scene.assemble_by([&again[0], &again[1]], &[("run_attempt", "4")])).ends_with(0);
    ended.says("names other images, which an earlier attempt of this run has built and cleared; they stay").says(&first[0]);
    assert_eq!(crane(&["digest", "--insecure", &tag]), whole);
    // Another run of the commit has no say.
    let stranger = [("run_id", "1602018111")];
    let third = both(&stranger);
    other(scene.assemble_by([&third[0], &third[1]], &stranger))
        .ends_with(1)
        .says("name other images. Nothing")
        .does_not_say("they stay");
    assert_eq!(crane(&["digest", "--insecure", &tag]), whole);
}

#[test]
fn a_leak_that_is_in_the_source_is_found_by_the_last_job_too() {
    let note = format!("key = {}\n", crate::support::secret());
    let scene = Scene::with(&[("notes", &note)]).for_environment("dev");
    let images = scene.both();
    scene.assemble([&images[0], &images[1]]).ends_with(0);
    let record = scene.source.record();
    assert_eq!(record["findings"].as_array().unwrap().len(), 1, "{record}");
}

#[test]
fn what_an_environments_own_key_has_signed_is_assembled_and_what_anothers_has_is_not() {
    let scene = Scene::set();
    let world = World::options().claim("sha", scene.commit()).start();
    let [staging, prod] = ["staging", "prod"].map(|name| world.create_key(Some(&format!("alias/{name}"))));
    let statement = json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*" });
    world.set_role_policy(&json!({ "Version": "2012-10-17", "Statement": [statement] }));
    let job = |run: Delivery, environment: &str, key: &str| {
        let run = world.variables().into_iter().fold(run, |run, (name, value)| run.variable(&name, &value));
        run.variable("GITHUB_SHA", &scene.commit())
            .flag("--role-to-assume", &world.role())
            .flag("--environment", environment)
            .flag("--code-scanning", "off")
            .flag("--sign", "kms")
            .flag("--kms-key", key)
            .flag("--destination", &scene.repository)
    };
    let untagged = |platform: &str, environment: &str, key: &str| {
        let run = job(scene.source.deliver(), environment, key).flag("--untagged", "true").flag("--platforms", platform);
        run.ends_with(0);
        scene.digest()
    };
    let assemble = |images: [&str; 2]| {
        let run = job(scene.source.run("assemble"), "prod", &prod).flag("--platforms", &format!("{AMD64},{ARM64}"));
        run.flag("--images", &format!("{AMD64}={}\n{ARM64}={}", images[0], images[1]))
    };
    let amd64 = untagged(AMD64, "prod", &prod);
    let of_staging = untagged(ARM64, "staging", &staging);
    let trusting = assemble([&amd64, &of_staging]).flag("--trusted-keys", &format!("staging={staging}"));
    trusting.ends_with(1).says("It is not proven that this run has cleared");
    scene.no_tag_is_there();
    let arm64 = untagged(ARM64, "prod", &prod);
    assemble([&amd64, &arm64]).ends_with(0);
    let tag = format!("{}:prod-{}", scene.repository, sha(&scene.source));
    let pem = scene.source.beside("prod.pem");
    std::fs::write(&pem, world.public_key(&prod)).unwrap();
    let mut verify = Command::new(binary());
    verify.env_clear().env("HOME", scene.source.beside("home")).args(["verify", &tag, "--environment", "prod"]);
    let verified = Ended::from(verify.args(["--key", &format!("prod={}", pem.display())]).output().unwrap());
    assert_eq!(verified.code, Some(0), "{verified}");
    assert!(verified.stdout.contains("2 of 2 platforms"), "{verified}");
}
