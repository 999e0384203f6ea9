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
